//! What stands beside a database file: journals that SQLite would replay into it, and its predecessor.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};

use super::path_kind::{PathKind, holding_folder, kind_of_name, tidy};
use super::permissions::{apply_mode, mode_of};
use super::publish::{Existing, publish_file};
use super::stage::Stage;
use super::sync::Folder;

/// The endings that SQLite gives to the files beside a database.
const NEIGHBOUR_ENDINGS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// The journals and shared memory that exist beside `target`, whatever they are, dangling links included.
///
/// A database restored beside them would be changed by the next program that opens it.
///
/// # Errors
/// [`ErrorKind::Failed`] when the file system does not say whether they exist.
pub fn orphan_neighbours(target: &Path) -> Result<Vec<PathBuf>> {
    let target = tidy(target)?;
    let mut found = Vec::new();
    for ending in NEIGHBOUR_ENDINGS {
        let mut name = OsString::from(&target);
        name.push(ending);
        let neighbour = PathBuf::from(name);
        if kind_of_name(&neighbour)? != PathKind::Missing {
            found.push(neighbour);
        }
    }
    Ok(found)
}

/// Removes the shared memory that a killed process left beside `target`; none is fine.
///
/// Only for a database that this process holds locked exclusively and out of WAL mode, so that nobody maps it.
///
/// # Errors
/// [`ErrorKind::Failed`] when it is there and cannot be removed.
pub fn remove_stale_shared_memory(target: &Path) -> Result<()> {
    let mut name = OsString::from(tidy(target)?);
    name.push("-shm");
    let path = PathBuf::from(name);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("removing the shared memory of the replaced database", &path, error))
        }
        _ => Ok(()),
    }
}

/// Fails when [`orphan_neighbours`] finds any.
///
/// # Errors
/// [`ErrorKind::Exists`] naming them; those of [`orphan_neighbours`].
pub fn refuse_orphans(target: &Path) -> Result<()> {
    let orphans = orphan_neighbours(target)?;
    if orphans.is_empty() {
        return Ok(());
    }
    let names: Vec<_> =
        orphans.iter().filter_map(|path| path.file_name()).map(|name| name.to_string_lossy()).collect();
    Err(Error::new(
        ErrorKind::Exists,
        format!("files of another database stand beside the target ({})", names.join(", ")),
    )
    .at(target)
    .hint(
        "SQLite would replay them into the restored database: move them away together with the database \
         they belong to, or choose another target",
    ))
}

/// Gives the existing file `old` the second name `kept`, which must be free, so that `old` can be replaced.
///
/// One step where the file system has hard links, and then nothing is opened, so that locks which this
/// process holds on `old` stay. Elsewhere a copy is made through a stage; the descriptor of `old` is then
/// left open until the process ends, because closing it would drop those locks. The caller sees to it that
/// nobody writes to `old`, and that what it needs besides (a journal) is not forgotten.
///
/// # Errors
/// [`ErrorKind::Exists`] when `kept` exists; [`ErrorKind::Failed`] when `old` is no regular file or the
/// second name cannot be made.
pub fn keep_aside(old: &Path, kept: &Path) -> Result<()> {
    let kept = tidy(kept)?;
    if !matches!(kind_of_name(old)?, PathKind::File { .. }) {
        return Err(Error::new(ErrorKind::Failed, "only a regular file can be kept aside").at(old));
    }
    match fs::hard_link(old, &kept) {
        Ok(()) => Folder::open(&holding_folder(&kept)).and_then(|folder| folder.sync()).inspect_err(|_| {
            let _best_effort = fs::remove_file(&kept);
        }),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(already_kept(&kept)),
        Err(error) if has_no_hard_links(&error) => copy_aside(old, &kept),
        Err(error) => Err(Error::io("keeping the old file under a second name", &kept, error)),
    }
}

/// Removes the names that begin with `prefix`, a path, and are but second names of the file `old`: a run that was
/// killed between [`keep_aside`] and the replacement left them. Two names of one living database are a danger to it,
/// since SQLite finds a journal by the name.
///
/// # Errors
/// [`ErrorKind::Failed`] when the folder cannot be listed or a name not be removed.
pub fn drop_second_names(old: &Path, prefix: &Path) -> Result<()> {
    let prefix = tidy(prefix)?;
    let folder = holding_folder(&prefix);
    let begins = |name: &std::ffi::OsStr| {
        let prefix = prefix.file_name().unwrap_or_default().as_encoded_bytes();
        name.as_encoded_bytes().starts_with(prefix)
    };
    let entries = fs::read_dir(&folder).map_err(|error| Error::io("listing a folder", &folder, error))?;
    for entry in entries {
        let entry = entry.map_err(|error| Error::io("listing a folder", &folder, error))?;
        let path = entry.path();
        if begins(&entry.file_name()) && is_same_file(&path, old)? {
            fs::remove_file(&path)
                .map_err(|error| Error::io("removing the second name of a database", &path, error))?;
        }
    }
    Ok(())
}

/// Whether two names, neither of them a link, are those of one file; never where files have no identity.
pub(super) fn is_same_file(one: &Path, other: &Path) -> Result<bool> {
    let one = identity_of(one)?;
    Ok(one.is_some() && identity_of(other)? == one)
}

/// What tells the thing of this name from all others, whatever its name; `None` where it is missing, or where the
/// system has no such thing.
///
/// # Errors
/// [`ErrorKind::Failed`] when the file system does not say.
pub fn identity_of(path: &Path) -> Result<Option<(u64, u64)>> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("looking at a path", path, error)),
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        Ok(Some((found.dev(), found.ino())))
    }
    #[cfg(not(unix))]
    {
        drop(found);
        Ok(None)
    }
}

fn already_kept(kept: &Path) -> Error {
    Error::new(ErrorKind::Exists, "the name under which the old file would be kept exists")
        .at(kept)
        .hint("move it away, then run again")
}

/// "Not permitted" is how file systems without hard links answer; it is also the answer about other people's
/// files, and those that may not be read cannot be copied either.
fn has_no_hard_links(error: &io::Error) -> bool {
    use io::ErrorKind as Io;
    matches!(
        error.kind(),
        Io::Unsupported | Io::InvalidInput | Io::PermissionDenied | Io::TooManyLinks | Io::CrossesDevices
    )
}

fn copy_aside(old: &Path, kept: &Path) -> Result<()> {
    const NAME: &str = "kept";
    let stage = Stage::create(&holding_folder(kept))?;
    let mut copy = stage.create_file(NAME)?;
    let mut source = File::open(old).map_err(|error| Error::io("opening the old file", old, error))?;
    let copied = io::copy(&mut source, &mut copy);
    std::mem::forget(source);
    copied.map_err(|error| Error::io("copying the old file aside", kept, error))?;
    drop(copy);
    if let Some(mode) = mode_of(old) {
        apply_mode(&stage.path_of(NAME)?, mode)?;
    }
    publish_file(&stage, NAME, kept, Existing::Refuse)
        .map_err(|error| if error.kind() == ErrorKind::Exists { already_kept(kept) } else { error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_found_by_their_names() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let target = folder.path().join("app.db");
        assert!(orphan_neighbours(&target).expect("told").is_empty());
        refuse_orphans(&target).expect("none");
        for name in ["app.db-journal", "app.db-wal", "app.db-walnut", "other.db-wal"] {
            fs::write(folder.path().join(name), b"").expect("written");
        }
        let found = orphan_neighbours(&target).expect("told");
        assert_eq!(found, [folder.path().join("app.db-wal"), folder.path().join("app.db-journal")]);
        let error = refuse_orphans(&target).expect_err("two");
        assert_eq!(error.kind(), ErrorKind::Exists);
        assert!(error.message().contains("app.db-wal, app.db-journal"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn neighbours_of_a_name_that_is_no_text_are_found_too() {
        use std::os::unix::ffi::OsStringExt;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &[u8]| folder.path().join(OsString::from_vec(name.to_vec()));
        let (wal, shm) = (at(b"\xff\xfe.db-wal"), at(b"\xff\xfe.db-shm"));
        fs::write(&wal, b"").expect("written");
        std::os::unix::fs::symlink("nowhere", &shm).expect("linked");
        assert_eq!(orphan_neighbours(&at(b"\xff\xfe.db")).expect("told"), [wal, shm]);
        assert!(orphan_neighbours(&at(b"\xff\xff.db")).expect("told").is_empty());
    }

    #[test]
    fn an_old_file_is_kept_whole_and_nothing_is_replaced_either_way() {
        for keep in [keep_aside, copy_aside] {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let at = |name: &str| folder.path().join(name);
            fs::write(at("app.db"), b"old").expect("written");
            fs::write(at("taken"), b"precious").expect("written");
            keep(&at("app.db"), &at("kept")).expect("free");
            assert_eq!(fs::read(at("kept")).expect("there"), b"old");
            assert_eq!(fs::read(at("app.db")).expect("still there"), b"old");
            let error = keep(&at("app.db"), &at("taken")).expect_err("taken");
            assert_eq!(error.kind(), ErrorKind::Exists);
            assert_eq!(fs::read(at("taken")).expect("there"), b"precious");
            assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 3);
            assert_eq!(mode_of(&at("kept")), mode_of(&at("app.db")));
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_second_names_of_the_same_file_are_dropped() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        fs::write(at("app.db"), b"old").expect("written");
        fs::write(at("app.db.kept-1"), b"older").expect("written");
        fs::hard_link(at("app.db"), at("app.db.kept-2")).expect("linked");
        fs::hard_link(at("app.db"), at("other")).expect("linked");
        std::os::unix::fs::symlink("app.db", at("app.db.kept-3")).expect("linked");
        drop_second_names(&at("app.db"), &at("app.db.kept-")).expect("listed");
        let left = ["app.db", "app.db.kept-1", "other", "app.db.kept-3"];
        assert!(left.iter().all(|name| at(name).symlink_metadata().is_ok()));
        assert!(!at("app.db.kept-2").exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_not_kept_in_place_of_a_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("app.db", &link).expect("linked");
        keep_aside(&link, &folder.path().join("kept")).expect_err("a link");
        keep_aside(&folder.path().join("none"), &folder.path().join("kept")).expect_err("missing");
    }
}
