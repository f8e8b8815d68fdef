//! Getting bytes and names onto the disk.
//!
//! A sync that failed is never repeated on the same file: the system may have dropped the pages it could
//! not write and answer the second sync with success. [`Stage`](super::Stage) refuses to publish after one.

use std::fs::{self, File};
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};

use super::path_kind::{PathKind, kind_of_name};

/// Syncs a file, or a folder with everything below it, each folder after what it holds.
///
/// # Errors
/// [`ErrorKind::Failed`] when a sync fails, or when something is neither file nor folder: no such thing was
/// staged by this program.
pub fn sync_tree(path: &Path) -> Result<()> {
    match kind_of_name(path)? {
        PathKind::File { .. } => sync_file(path),
        PathKind::Directory => {
            for entry in fs::read_dir(path).map_err(|error| Error::io("listing a folder", path, error))? {
                let entry = entry.map_err(|error| Error::io("listing a folder", path, error))?;
                sync_tree(&entry.path())?;
            }
            Folder::open(path)?.sync()
        }
        PathKind::Missing | PathKind::Symlink | PathKind::Special(_) => {
            Err(Error::new(ErrorKind::Failed, "something to be synced is neither a file nor a folder")
                .at(path))
        }
    }
}

fn sync_file(path: &Path) -> Result<()> {
    open_to_sync(path)
        .and_then(|file| file.sync_all())
        .map_err(|error| Error::io("syncing a file to the disk", path, error))
}

#[cfg(unix)]
fn open_to_sync(path: &Path) -> std::io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(File::from(rustix::io::retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()))?))
}

#[cfg(not(unix))]
fn open_to_sync(path: &Path) -> std::io::Result<File> {
    // Flushing needs write access here.
    fs::OpenOptions::new().write(true).open(path)
}

/// An open folder whose names can be synced; opened before a rename, so that nothing is published that
/// could not be synced.
#[derive(Debug)]
pub(super) struct Folder {
    #[cfg(unix)]
    handle: File,
    #[cfg(unix)]
    path: std::path::PathBuf,
}

#[cfg(unix)]
impl Folder {
    /// Opens the folder; symbolic links are followed, since only the target itself must be none.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let handle = fs::OpenOptions::new()
            .read(true)
            .open(path)
            .map_err(|error| Error::io("opening a folder", path, error))?;
        Ok(Self { handle, path: path.to_path_buf() })
    }

    /// Syncs the names in the folder.
    pub(super) fn sync(&self) -> Result<()> {
        use std::io::ErrorKind as Io;
        match self.handle.sync_all() {
            // Some network and user-space file systems cannot sync a folder at all and say so; there is
            // nothing better to do on them. A failed write never answers like that.
            Err(error) if matches!(error.kind(), Io::InvalidInput | Io::Unsupported) => Ok(()),
            Err(error) => Err(Error::io("syncing a folder to the disk", &self.path, error)),
            Ok(()) => Ok(()),
        }
    }
}

#[cfg(not(unix))]
impl Folder {
    /// Folders cannot be opened here; the journal of the file system keeps names.
    #[expect(clippy::unnecessary_wraps, reason = "the same signature everywhere")]
    pub(super) fn open(_path: &Path) -> Result<Self> {
        Ok(Self {})
    }

    /// Folders cannot be synced here.
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "the same signature everywhere")]
    pub(super) fn sync(&self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_tree_is_synced() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("below")).expect("made");
        fs::write(folder.path().join("below/file"), b"x").expect("written");
        sync_tree(folder.path()).expect("synced");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_among_the_staged_files_is_refused_and_not_followed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::os::unix::fs::symlink("/dev/zero", folder.path().join("link")).expect("linked");
        assert_eq!(sync_tree(folder.path()).expect_err("refused").kind(), ErrorKind::Failed);
    }
}
