//! Every damaged byte: whatever happens to the files of a snapshot, `verify` notices, names the place, and does not
//! panic.
//!
//! `subject` makes small snapshots of several row groups, `change` is what is done to them, `parts` knows what each byte
//! belongs to (told by the `parquet` crate, not by what parklite recorded), `sweep` does every change and judges what
//! `verify` says, `plain` asks what decoding alone would have noticed. `bytes` and `whole_files` are the tests;
//! `rehashed` changes contents and makes every sum right again, which only deeper levels can notice; `key_order` is about
//! rows that do not lie as a restore expects them.
//!
//! Every change would take minutes, so a sample is taken unless `PARKLITE_FULL=1`; the full run prints its counts.

mod bytes;
mod change;
mod key_order;
mod parts;
mod plain;
mod rehashed;
mod subject;
mod sweep;
mod whole_files;
