#![no_main]

mod hush;

use libfuzzer_sys::fuzz_target;
use parklite_fuzz::leveldb_store::run;

fuzz_target!(init: hush::hush_caught_panics(), |bytes: &[u8]| run(bytes));
