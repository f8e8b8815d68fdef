//! A Parquet file of any bytes: every row group is decoded, or the file is refused.
//!
//! Runs without the confinement that the program has around it, so that an abort or a runaway allocation is found too.

use std::sync::OnceLock;

use parklite::parquet_file::{TableReader, check_seal};
use parklite::snapshot::Snapshot;
use tempfile::TempDir;

/// One input.
pub fn run(bytes: &[u8]) {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(super::folder);
    let path = folder.path().join("a.parquet");
    std::fs::write(&path, bytes).expect("writing");
    let _ = Snapshot::open(&path);
    let _ = check_seal(&path).expect("a file that can be read");
    if let Ok(reader) = TableReader::open(&path) {
        for index in 0..reader.row_group_count() {
            if let Ok(batches) = reader.read_row_group(index) {
                // A few batches show whether decoding survives; a bomb may have billions of rows.
                for batch in batches.take(8) {
                    if batch.is_err() {
                        break;
                    }
                }
            }
        }
    }
}
