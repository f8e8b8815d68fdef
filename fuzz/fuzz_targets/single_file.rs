//! A Parquet file of any bytes: every row group is decoded, or the file is refused.
//!
//! Runs without the confinement that the program has around it, so that an abort or a runaway allocation is found too.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use parklite::parquet_file::{TableReader, check_seal, is_decoding};
use parklite::snapshot::Snapshot;
use tempfile::TempDir;

fn hush_caught_panics() {
    let loud = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // The program catches these and tells them as damage.
        if !is_decoding() {
            loud(panic);
            std::process::abort();
        }
    }));
}

fuzz_target!(
    init: hush_caught_panics(),
    |bytes: &[u8]| {
        static FOLDER: OnceLock<TempDir> = OnceLock::new();
        let folder = FOLDER.get_or_init(|| tempfile::tempdir_in("/dev/shm").expect("a folder"));
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
);
