//! A Parquet footer of any bytes: what the profile of our own files lets through is also within the bounds of any writer's, and
//! what is within those does no harm to the decoder of footers.

use std::sync::OnceLock;

use parklite::parquet_file::{ForeignFile, TableReader, check_footer_bounds};
use tempfile::TempDir;

/// Room for column chunks, so that a footer may speak of some.
const BODY_BYTES: usize = 4096;

/// One input.
pub fn run(footer: &[u8]) {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(super::folder);
    let path = folder.path().join("a.parquet");
    let mut bytes = b"PAR1".to_vec();
    bytes.resize(BODY_BYTES, 0);
    bytes.extend(footer);
    bytes.extend(u32::try_from(footer.len()).expect("an input is small").to_le_bytes());
    bytes.extend(b"PAR1");
    std::fs::write(&path, bytes).expect("writing");
    let is_bounded = check_footer_bounds(&path).is_ok();
    assert!(is_bounded || TableReader::open(&path).is_err(), "the stricter check lets more through");
    assert!(is_bounded || ForeignFile::open(&path).is_err(), "decoded without being checked");
}
