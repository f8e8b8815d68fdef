//! What decoding a damaged file notices, if nothing has looked at its bytes before.

use std::path::Path;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use parklite::digest::ContentDigest;
use parklite::error::Result;
use parklite::frame::digest_batch;
use parklite::parquet_file::{TableReader, is_decoding};
use parklite::snapshot::TableEntry;

/// What became of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    Refused,
    SameRows,
    OtherRows,
}

/// Decodes a whole file without looking at any hash.
pub(super) fn decode(path: &Path, entry: &TableEntry) -> Plain {
    let read = || -> Result<ContentDigest> {
        let reader = TableReader::open(path)?;
        let mut digest = ContentDigest::default();
        for index in 0..reader.row_group_count() {
            for batch in reader.read_row_group(index)? {
                digest.add(digest_batch(&entry.table, &entry.mapping, &batch?)?);
            }
        }
        Ok(digest)
    };
    match read() {
        Err(_) => Plain::Refused,
        Ok(digest) if digest == entry.digest => Plain::SameRows,
        Ok(_) => Plain::OtherRows,
    }
}

static CAUGHT: AtomicUsize = AtomicUsize::new(0);

/// Panics inside a decoder since the beginning: they are caught there, and are counted instead of printed.
pub(super) fn caught_panics() -> usize {
    CAUGHT.load(Ordering::Relaxed)
}

/// Begins to count them.
pub(super) fn count_caught_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if is_decoding() {
                CAUGHT.fetch_add(1, Ordering::Relaxed);
            } else {
                usual(panic);
            }
        }));
    });
}
