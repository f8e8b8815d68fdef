//! What is at a path, found out without opening it: opening a FIFO blocks, and closing a database unlocks it.

use std::fs::{self, FileType, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathKind {
    /// Nothing.
    Missing,
    /// A folder.
    Directory,
    /// A regular file.
    File {
        /// Its size in bytes.
        size_bytes: u64,
    },
    /// A symbolic link, whatever it leads to; told by [`kind_of_name`] only.
    Symlink,
    /// Anything else, with its name for a message: "a FIFO", "a socket", "a device".
    Special(&'static str),
}

/// What a path given as a source leads to; symbolic links are followed, and a dangling one is missing.
///
/// # Errors
/// [`ErrorKind::Failed`] when the file system does not say, as in a folder that may not be entered.
pub fn kind_of_source(path: &Path) -> Result<PathKind> {
    classify(path, fs::metadata(path))
}

/// What a name itself is: a symbolic link is one, and is not followed.
///
/// # Errors
/// [`ErrorKind::Failed`] when the file system does not say.
pub fn kind_of_name(path: &Path) -> Result<PathKind> {
    classify(path, fs::symlink_metadata(path))
}

/// Whether a path leads to a regular file; that it cannot be told is never taken for "no".
///
/// # Errors
/// [`ErrorKind::Failed`] when the file system does not say.
pub fn is_regular_file(path: &Path) -> Result<bool> {
    Ok(matches!(kind_of_source(path)?, PathKind::File { .. }))
}

fn classify(path: &Path, found: io::Result<Metadata>) -> Result<PathKind> {
    match found {
        Ok(found) => Ok(kind_of_metadata(&found)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(PathKind::Missing)
        }
        Err(error) => Err(Error::io("looking at a path", path, error)),
    }
}

fn kind_of_metadata(found: &Metadata) -> PathKind {
    if found.is_file() {
        PathKind::File { size_bytes: found.len() }
    } else if found.is_dir() {
        PathKind::Directory
    } else if found.is_symlink() {
        PathKind::Symlink
    } else {
        PathKind::Special(special_name(found.file_type()))
    }
}

#[cfg(unix)]
fn special_name(found: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    if found.is_fifo() {
        "a FIFO"
    } else if found.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(not(unix))]
fn special_name(_found: FileType) -> &'static str {
    "neither a file nor a folder"
}

/// The folder that holds `target`'s name, `.` for a bare name; where a [`Stage`](super::Stage) for it belongs.
///
/// # Errors
/// [`ErrorKind::Usage`] when the path ends in no name, as `/` and `..` do.
pub fn parent_of(target: &Path) -> Result<PathBuf> {
    tidy(target).map(|target| holding_folder(&target))
}

/// The folder beside something that is there already, whatever it is called: that of `.` is the one above.
///
/// # Errors
/// [`ErrorKind::Usage`] for the root, which has nothing beside it; [`ErrorKind::Failed`] when the file system does not
/// say where `.` or `..` is.
pub fn folder_beside(existing: &Path) -> Result<PathBuf> {
    if existing.file_name().is_some() {
        return parent_of(existing);
    }
    let real =
        std::fs::canonicalize(existing).map_err(|error| Error::io("finding a folder", existing, error))?;
    parent_of(&real)
}

/// The path without trailing separators and `.` parts: behind `link/`, the system would follow the link.
pub(super) fn tidy(target: &Path) -> Result<PathBuf> {
    if target.file_name().is_none() {
        return Err(Error::new(ErrorKind::Usage, "the target has no name of its own")
            .at(target)
            .hint("end it in the name of the file or folder to be made"));
    }
    Ok(target.components().collect())
}

/// The folder part of a tidied path.
pub(super) fn holding_folder(tidied: &Path) -> PathBuf {
    match tidied.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_told_apart_without_opening_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("a.db");
        fs::write(&file, b"12345").expect("writable");
        assert_eq!(kind_of_source(&file).expect("told"), PathKind::File { size_bytes: 5 });
        assert_eq!(kind_of_source(folder.path()).expect("told"), PathKind::Directory);
        assert_eq!(kind_of_source(&folder.path().join("none")).expect("told"), PathKind::Missing);
        assert_eq!(kind_of_source(&file.join("below a file")).expect("told"), PathKind::Missing);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_for_sources_and_never_for_names() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (link, dangling) = (folder.path().join("link"), folder.path().join("dangling"));
        std::os::unix::fs::symlink(folder.path(), &link).expect("linked");
        std::os::unix::fs::symlink("nowhere", &dangling).expect("linked");
        assert_eq!(kind_of_source(&link).expect("told"), PathKind::Directory);
        assert_eq!(kind_of_source(&dangling).expect("told"), PathKind::Missing);
        assert_eq!(kind_of_name(&link).expect("told"), PathKind::Symlink);
        assert_eq!(kind_of_name(&dangling).expect("told"), PathKind::Symlink);
        let slashed = link.join("");
        assert_eq!(kind_of_name(&tidy(&slashed).expect("named")).expect("told"), PathKind::Symlink);
    }

    #[cfg(unix)]
    #[test]
    fn a_socket_is_special() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("bound");
        assert_eq!(kind_of_source(&socket).expect("told"), PathKind::Special("a socket"));
        assert_eq!(kind_of_source(Path::new("/dev/null")).expect("told"), PathKind::Special("a device"));
    }

    #[test]
    fn a_target_must_have_a_name() {
        assert_eq!(parent_of(Path::new("out")).expect("named"), PathBuf::from("."));
        assert_eq!(parent_of(Path::new("a/out/")).expect("named"), PathBuf::from("a"));
        assert_eq!(parent_of(Path::new("a/..")).expect_err("nameless").kind(), ErrorKind::Usage);
        assert_eq!(parent_of(Path::new("/")).expect_err("nameless").kind(), ErrorKind::Usage);
    }
}
