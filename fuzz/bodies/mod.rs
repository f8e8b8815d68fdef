//! What the fuzz targets do with one input. The ordinary tests do the same with every input of the corpus, so that what
//! fuzzing found stays found. (`row_encoder` takes values, not bytes, and has a property test of its own.)

pub mod browser_database;
pub mod ddl_checker;
pub mod dump;
pub mod footer_check;
pub mod leveldb_store;
pub mod manifest;
pub mod mapping_file;
pub mod single_file;
pub mod stored_value;

/// A folder in memory, where there is one.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder")
}
