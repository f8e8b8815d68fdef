//! A manifest of any bytes: it is read and checked as when a snapshot is opened, or it is refused.
//!
//! Its own digest would stop nearly every input at the door, so it is made anew first, as somebody with bad intentions would.

use std::sync::OnceLock;

use parklite::digest::Sha256Digest;
use parklite::inspect::inspect;
use parklite::snapshot::{Manifest, Snapshot};
use tempfile::TempDir;

const FIELD: &[u8] = b"\"manifest_sha256\": \"";
const DIGITS: usize = 64;

/// The same manifest under a digest that fits.
fn sealed_anew(text: &[u8]) -> Vec<u8> {
    let mut text = text.to_vec();
    if let Some(at) = text.windows(FIELD.len()).position(|window| window == FIELD) {
        let digits = at + FIELD.len()..at + FIELD.len() + DIGITS;
        if let Some(place) = text.get_mut(digits.clone()) {
            place.fill(b'0');
            let digest = Sha256Digest::of(&text).to_string();
            text[digits].copy_from_slice(digest.as_bytes());
        }
    }
    text
}

/// One input.
pub fn run(text: &[u8]) {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(super::folder);
    let text = sealed_anew(text);
    if let Ok(manifest) = Manifest::from_text(&text) {
        let again = manifest.to_text().expect("what was read can be written");
        assert_eq!(Manifest::from_text(again.as_bytes()).expect("and read again").tables, manifest.tables);
    }
    std::fs::write(folder.path().join("manifest.json"), &text).expect("writing");
    if Snapshot::open(folder.path()).is_ok() {
        // No data file is there, so this can succeed only for a snapshot without rows.
        let _ = inspect(folder.path());
    }
}
