//! What a manifest says of the folder it lies in: whether a Parquet file beside it belongs to its snapshot, and that
//! nothing else may be put there.
//!
//! A file of a snapshot that another program overwrote, or that lost both its tag and its footer's keys, looks like a
//! file of another program. The manifest still names it.

use std::path::{Path, PathBuf};

use crate::durable::{is_regular_file, parent_of};
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

/// Refuses a target in a snapshot's folder, which would be a file too many there.
///
/// # Errors
/// `Usage` where it is one; `Failed` where a manifest is there and cannot be read.
pub fn refuse_inside_snapshot(target: &Path) -> Result<()> {
    let manifest = parent_of(target)?.join(MANIFEST_FILE);
    if !is_regular_file(&manifest)? {
        return Ok(());
    }
    match read_manifest(&manifest) {
        Ok(text) if is_manifest(&text.to_ascii_lowercase()) => {
            Err(Error::new(ErrorKind::Usage, "the target lies in the folder of a snapshot")
                .at(target)
                .hint("a snapshot with anything else in it is no longer whole; choose a place outside of it"))
        }
        Err(error) if error.kind() != ErrorKind::Damaged => Err(error),
        _ => Ok(()),
    }
}

/// Whether `text`, in lower case, is a manifest, though perhaps a damaged one.
fn is_manifest(text: &[u8]) -> bool {
    has(text, FORMAT) || has(text, DIGEST_FIELD)
}

fn has(text: &[u8], part: &str) -> bool {
    let part = part.to_ascii_lowercase();
    text.windows(part.len().max(1)).any(|window| window == part.as_bytes())
}

/// Whether `text` is a manifest, though perhaps a damaged one, that names a file called `name`.
fn mentions_file(text: &[u8], name: &str) -> bool {
    // Some file systems take names that differ in case only for one.
    let text = text.to_ascii_lowercase();
    is_manifest(&text) && has(&text, &format!("\"{name}\""))
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
