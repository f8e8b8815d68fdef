//! Whether the disk can take what is about to be written, asked before hours are spent on it.

use std::path::Path;

use crate::error::{Error, ErrorKind, Result};

/// The bytes that this user may still write where `path` is or would be.
///
/// [`u64::MAX`] where the system does not tell.
///
/// # Errors
/// [`ErrorKind::Failed`] when the file system refuses the question.
pub fn free_space(path: &Path) -> Result<u64> {
    platform::free_space(path)
}

/// Checks that `needed_bytes` fit into `folder`'s file system; `what_for` completes "not enough space for".
///
/// An estimate of a moment: writing can still fail, and others write too.
///
/// # Errors
/// [`ErrorKind::Failed`] naming what is needed and what there is.
pub fn require_space(folder: &Path, needed_bytes: u64, what_for: &str) -> Result<()> {
    let free_bytes = free_space(folder)?;
    if needed_bytes <= free_bytes {
        return Ok(());
    }
    let (needed, free) = (readable_size(needed_bytes), readable_size(free_bytes));
    Err(Error::new(
        ErrorKind::Failed,
        format!("not enough space for {what_for}: about {needed} needed, {free} free"),
    )
    .at(folder)
    .hint("free some space, or write to another disk; --temp-dir moves temporary files"))
}

/// `1.5 GiB`: one decimal, cut rather than rounded, so that "free" is never said too high.
fn readable_size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let mut tenths = u128::from(bytes) * 10 / 1024;
    let mut unit = 0;
    while tenths >= 10 * 1024 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

#[cfg(unix)]
mod platform {
    use std::io;
    use std::path::{Path, PathBuf};

    use crate::error::{Error, Result};

    pub(super) fn free_space(path: &Path) -> Result<u64> {
        let mut asked = path.to_path_buf();
        loop {
            match rustix::fs::statvfs(&asked).map_err(io::Error::from) {
                // A file system without blocks (some network and user-space ones) does not count them.
                Ok(found) if found.f_blocks == 0 => return Ok(u64::MAX),
                Ok(found) => return Ok(found.f_bavail.saturating_mul(found.f_frsize)),
                Err(error) if is_missing(&error) && pop(&mut asked) => {}
                Err(error) => return Err(Error::io("asking for the free space", path, error)),
            }
        }
    }

    fn is_missing(error: &io::Error) -> bool {
        matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
    }

    /// Goes to the parent, the present folder being that of a bare name; says whether there was one.
    fn pop(path: &mut PathBuf) -> bool {
        let had_parent = path.as_path() != Path::new(".") && path.pop();
        if had_parent && path.as_os_str().is_empty() {
            *path = PathBuf::from(".");
        }
        had_parent
    }
}

#[cfg(not(unix))]
mod platform {
    use std::path::Path;

    use crate::error::Result;

    #[expect(clippy::unnecessary_wraps, reason = "the same signature everywhere")]
    pub(super) fn free_space(_path: &Path) -> Result<u64> {
        Ok(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_space_of_a_folder_that_is_not_there_yet_is_that_of_its_parent() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert!(free_space(&folder.path().join("a/b/c")).expect("told") > 0);
        assert!(free_space(Path::new("not-there-either")).expect("told") > 0);
        require_space(folder.path(), 1, "a byte").expect("enough");
    }

    #[cfg(unix)]
    #[test]
    fn too_little_space_is_told_with_both_figures() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let error = require_space(folder.path(), u64::MAX, "the snapshot").expect_err("too much");
        assert_eq!(error.kind(), ErrorKind::Failed);
        assert!(error.message().starts_with("not enough space for the snapshot: about 15.9 EiB needed, "));
        assert!(error.hint_text().is_some_and(|hint| hint.contains("--temp-dir")));
    }

    #[test]
    fn sizes_are_readable() {
        let sizes = [0, 1023, 1024, 1536, 1024 * 1024 - 1, 3 << 30].map(readable_size);
        assert_eq!(sizes, ["0 bytes", "1023 bytes", "1.0 KiB", "1.5 KiB", "1023.9 KiB", "3.0 GiB"]);
    }
}
