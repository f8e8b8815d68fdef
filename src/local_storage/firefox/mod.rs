//! localStorage of Firefox and its kin.
//!
//! `data_file` reads the file `ls/data.sqlite` that every origin's folder has below `storage/default`; `legacy` reads the
//! one file of all origins that came before, `webappsstore.sqlite`, and the archive made of it. `origin` knows the four ways
//! in which Firefox writes down whose a storage is, `value` how it packs values: both as pure functions.

mod data_file;
mod legacy;
pub mod origin;
pub mod value;

pub(super) use data_file::collect;
pub(super) use legacy::collect as collect_legacy;
