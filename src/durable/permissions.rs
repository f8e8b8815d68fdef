//! Permission bits: what is made from a source is never open to more people than the source was.
//!
//! A staged file is readable by its owner alone; the mode of the source is applied just before publishing.

use std::path::Path;

use crate::error::Result;

/// The permission bits of what `path` leads to, `None` where there are none to tell.
#[must_use]
pub fn mode_of(path: &Path) -> Option<u32> {
    platform::mode_of(path)
}

/// The mode of a file made from a source of mode `source_mode`: its read and write bits, nothing else.
#[must_use]
pub fn file_mode(source_mode: u32) -> u32 {
    source_mode & 0o666
}

/// The mode of a folder made from a source of mode `source_mode`: the file's bits, entering where reading is
/// allowed, and everything for the owner, who could not remove it otherwise.
#[must_use]
pub fn folder_mode(source_mode: u32) -> u32 {
    let file = file_mode(source_mode);
    file | ((file & 0o444) >> 2) | 0o700
}

/// Gives one staged file or folder the mode that [`file_mode`] or [`folder_mode`] derives from the source's.
///
/// Does nothing where there are no permission bits.
///
/// # Errors
/// [`ErrorKind::Failed`](crate::error::ErrorKind::Failed) when the bits cannot be set, or when the path is
/// neither file nor folder: links are not followed.
pub fn apply_mode(path: &Path, source_mode: u32) -> Result<()> {
    platform::apply_mode(path, source_mode)
}

/// [`apply_mode`] for a staged folder and everything below it.
///
/// # Errors
/// Those of [`apply_mode`], and of listing a folder.
pub fn apply_mode_to_tree(path: &Path, source_mode: u32) -> Result<()> {
    platform::apply_mode_to_tree(path, source_mode)
}

/// Gives a staged file the owner and group of what it is about to replace, as only a privileged user can where they
/// differ; whether they are the same in the end.
#[must_use]
pub fn give_owner_of(replaced: &Path, staged: &Path) -> bool {
    platform::give_owner_of(replaced, staged)
}

#[cfg(unix)]
mod platform {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
    use std::path::Path;

    use super::{file_mode, folder_mode};
    use crate::durable::path_kind::{PathKind, kind_of_name};
    use crate::error::{Error, ErrorKind, Result};

    pub(super) fn give_owner_of(replaced: &Path, staged: &Path) -> bool {
        let (Ok(old), Ok(file)) = (fs::metadata(replaced), fs::File::open(staged)) else { return false };
        let is_same = |new: fs::Metadata| (new.uid(), new.gid()) == (old.uid(), old.gid());
        if file.metadata().is_ok_and(is_same) {
            return true;
        }
        // By descriptor: a process that is confined may not change what it cannot open.
        fchown(&file, Some(old.uid()), Some(old.gid())).is_ok()
    }

    pub(super) fn mode_of(path: &Path) -> Option<u32> {
        fs::metadata(path).ok().map(|found| found.permissions().mode() & 0o7777)
    }

    pub(super) fn apply_mode(path: &Path, source_mode: u32) -> Result<()> {
        let mode = match kind_of_name(path)? {
            PathKind::File { .. } => file_mode(source_mode),
            PathKind::Directory => folder_mode(source_mode),
            PathKind::Missing | PathKind::Symlink | PathKind::Special(_) => {
                return Err(
                    Error::new(ErrorKind::Failed, "permissions are set on files and folders only").at(path)
                );
            }
        };
        // By descriptor: a process that is confined may not change what it cannot open.
        fs::File::open(path)
            .and_then(|found| found.set_permissions(Permissions::from_mode(mode)))
            .map_err(|error| Error::io("setting permissions", path, error))
    }

    pub(super) fn apply_mode_to_tree(path: &Path, source_mode: u32) -> Result<()> {
        if kind_of_name(path)? == PathKind::Directory {
            for entry in fs::read_dir(path).map_err(|error| Error::io("listing a folder", path, error))? {
                let entry = entry.map_err(|error| Error::io("listing a folder", path, error))?;
                apply_mode_to_tree(&entry.path(), source_mode)?;
            }
        }
        apply_mode(path, source_mode)
    }
}

#[cfg(not(unix))]
mod platform {
    use std::path::Path;

    use crate::error::Result;

    pub(super) fn give_owner_of(_replaced: &Path, _staged: &Path) -> bool {
        true
    }

    pub(super) fn mode_of(_path: &Path) -> Option<u32> {
        None
    }

    #[expect(clippy::unnecessary_wraps, reason = "the same signature everywhere")]
    pub(super) fn apply_mode(_path: &Path, _source_mode: u32) -> Result<()> {
        Ok(())
    }

    #[expect(clippy::unnecessary_wraps, reason = "the same signature everywhere")]
    pub(super) fn apply_mode_to_tree(_path: &Path, _source_mode: u32) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_never_wider_than_the_source() {
        for source in 0..=0o7777 {
            let (file, folder) = (file_mode(source), folder_mode(source));
            assert_eq!(file & !source, 0, "a file of a source with {source:o}");
            assert_eq!(file & !0o666, 0);
            assert_eq!(folder & 0o700, 0o700);
            assert_eq!(folder & 0o066 & !source, 0, "a folder of a source with {source:o}");
            assert_eq!((folder & 0o011) << 2, folder & 0o044, "entering goes with reading");
            assert_eq!(folder & !0o777, 0);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_tree_gets_the_modes_of_its_source() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let top = folder.path().join("snapshot");
        std::fs::create_dir(&top).expect("made");
        std::fs::write(top.join("a.parquet"), b"x").expect("written");
        apply_mode_to_tree(&top, 0o4755).expect("set");
        assert_eq!(mode_of(&top), Some(0o755));
        assert_eq!(mode_of(&top.join("a.parquet")), Some(0o644));
        apply_mode_to_tree(&top, 0o640).expect("set");
        assert_eq!(mode_of(&top), Some(0o750));
        assert_eq!(mode_of(&top.join("a.parquet")), Some(0o640));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_does_not_pass_its_mode_on() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&file, b"x").expect("written");
        apply_mode(&file, 0o600).expect("set");
        std::os::unix::fs::symlink(&file, &link).expect("linked");
        apply_mode(&link, 0o666).expect_err("not followed");
        assert_eq!(mode_of(&file), Some(0o600));
        assert_eq!(mode_of(&folder.path().join("none")), None);
    }
}
