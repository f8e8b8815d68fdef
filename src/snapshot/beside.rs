//! Whether a Parquet file belongs to the snapshot it lies in, told by the manifest beside it.
//!
//! A file of a snapshot that another program overwrote, or that lost both its tag and its footer's keys, looks like a
//! file of another program. The manifest still names it.

use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::snapshot::files::MANIFEST_FILE;
use crate::snapshot::manifest::{DIGEST_FIELD, FORMAT};
use crate::snapshot::open::read_manifest;

/// Whether a manifest of parklite's lies beside the file at `path`, or beside what a link leads to, and names the file.
///
/// The manifest may be damaged: its text is searched, not parsed.
///
/// # Errors
/// `Failed` where a manifest is there and cannot be read.
pub fn is_named_beside(path: &Path) -> Result<bool> {
    let target =
        std::fs::canonicalize(path).map_err(|error| Error::io("looking at the file", path, error))?;
    let mut places: Vec<PathBuf> = vec![path.to_path_buf()];
    if target != path {
        places.push(target);
    }
    for place in places {
        let Some(name) = place.file_name().and_then(std::ffi::OsStr::to_str) else { continue };
        match read_manifest(&place.with_file_name(MANIFEST_FILE)) {
            Ok(text) if mentions_file(&text, name) => return Ok(true),
            Ok(_) => {}
            // There is none, or it is none: a folder, a pipe, a link, or larger than any that is written.
            Err(error) if error.kind() == ErrorKind::Damaged => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// Whether `text` is a manifest, though perhaps a damaged one, that names a file called `name`.
fn mentions_file(text: &[u8], name: &str) -> bool {
    // Some file systems take names that differ in case only for one.
    let text = text.to_ascii_lowercase();
    let has = |part: &str| {
        let part = part.to_ascii_lowercase();
        text.windows(part.len().max(1)).any(|window| window == part.as_bytes())
    };
    (has(FORMAT) || has(DIGEST_FIELD)) && has(&format!("\"{name}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_belongs_to_the_manifest_that_names_it_however_damaged_that_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("events.parquet");
        std::fs::write(&path, "any").expect("written");
        let named_by = |manifest: &str| {
            std::fs::write(folder.path().join(MANIFEST_FILE), manifest).expect("written");
            is_named_beside(&path).expect("readable")
        };
        assert!(!is_named_beside(&path).expect("no manifest"));
        assert!(named_by(r#"{"format": "parklite snapshot", "path": "events.parquet"}"#));
        assert!(named_by(r#"{"format": "parklite snapshot", "path": "Events.parquet" and no more"#));
        assert!(named_by(r#"{"f?rmat": "parkl?te", "manifest_sha256": "00", "path": "events.parquet""#));
        assert!(!named_by(r#"{"format": "parklite snapshot", "path": "my_events.parquet"}"#));
        assert!(!named_by(r#"{"files": ["events.parquet"]}"#));
        assert!(!named_by(""));
    }

    #[test]
    fn links_are_followed_to_the_snapshot() {
        let folder = tempfile::tempdir().expect("a folder");
        let (inside, outside) = (folder.path().join("snap"), folder.path().join("events.parquet"));
        std::fs::create_dir(&inside).expect("made");
        std::fs::write(inside.join("sets.parquet"), "any").expect("written");
        std::fs::write(inside.join(MANIFEST_FILE), r#""parklite snapshot" "sets.parquet""#).expect("written");
        std::os::unix::fs::symlink(inside.join("sets.parquet"), &outside).expect("linked");
        assert!(is_named_beside(&outside).expect("readable"));
        std::fs::remove_file(inside.join(MANIFEST_FILE)).expect("removed");
        std::fs::create_dir(inside.join(MANIFEST_FILE)).expect("made");
        assert!(!is_named_beside(&outside).expect("readable"));
    }
}
