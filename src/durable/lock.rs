//! The lock by which a stage is known to be in use: on the folder itself, or on a file in it where folders
//! cannot be locked. The system drops it with the process, however that ends.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

/// The file that is locked where folders cannot be.
pub(super) const LOCK_NAME: &str = ".lock";

/// Whether a folder just made could be claimed.
pub(super) enum Claim {
    /// Locked, or not lockable by anybody.
    Ours(Option<File>),
    /// A cleaner took it for a leftover.
    Lost,
}

/// Locks a stage just made.
pub(super) fn lock_new_stage(path: &Path) -> io::Result<Claim> {
    match lock_folder(path) {
        Ok(Lock::Taken(folder)) if is_still_at(&folder, path) => return Ok(Claim::Ours(Some(folder))),
        Ok(Lock::Taken(_) | Lock::HeldElsewhere) => return Ok(Claim::Lost),
        Ok(Lock::Unavailable) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Claim::Lost),
        Err(error) => return Err(error),
    }
    let lock_path = path.join(LOCK_NAME);
    match open_lock_file(&lock_path, OpenOptions::new().create_new(true)).map(lock_file) {
        Ok(Lock::Taken(file)) if is_still_at(&file, &lock_path) => Ok(Claim::Ours(Some(file))),
        Ok(Lock::Taken(_) | Lock::HeldElsewhere) => Ok(Claim::Lost),
        Ok(Lock::Unavailable) => Ok(Claim::Ours(None)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists) => {
            Ok(Claim::Lost)
        }
        Err(error) => Err(error),
    }
}

/// Takes every lock of a stage whose run is dead; `None` when it lives, vanished, or may not be opened.
///
/// The stage can be removed as long as the returned files are held.
pub(super) fn lock_dead_stage(path: &Path) -> Option<Vec<File>> {
    let lock_path = path.join(LOCK_NAME);
    let mut held = Vec::new();
    match lock_folder(path).ok()? {
        Lock::Taken(folder) => {
            if !is_still_at(&folder, path) {
                return None;
            }
            held.push(folder);
            // A run that could not lock the folder (another mount of it, say) has locked the file.
            if fs::symlink_metadata(&lock_path).is_err() {
                return Some(held);
            }
        }
        Lock::HeldElsewhere => return None,
        Lock::Unavailable => {}
    }
    let file = open_lock_file(&lock_path, OpenOptions::new().create(true)).ok()?;
    match lock_file(file) {
        Lock::Taken(file) => held.push(file),
        Lock::HeldElsewhere | Lock::Unavailable => return None,
    }
    Some(held)
}

/// Whether this run alone does something that concerns a folder, for as long as this value lives.
///
/// The lock is of the system and on the folder itself: nothing is left of it, however a run ends, and it does not touch
/// those that SQLite has on a database there.
pub enum FolderHold {
    /// It does, until the file is dropped.
    Held(File),
    /// Another run does.
    Elsewhere,
    /// Folders cannot be locked here.
    Unavailable,
}

/// Takes hold of a folder, unless another run has it.
#[must_use]
pub fn hold_folder(path: &Path) -> FolderHold {
    match lock_folder(path) {
        Ok(Lock::Taken(folder)) => FolderHold::Held(folder),
        Ok(Lock::HeldElsewhere) => FolderHold::Elsewhere,
        Ok(Lock::Unavailable) | Err(_) => FolderHold::Unavailable,
    }
}

/// The answer to asking for an exclusive lock without waiting.
enum Lock {
    Taken(File),
    HeldElsewhere,
    /// This file system does not lock such things.
    Unavailable,
}

fn lock_file(file: File) -> Lock {
    match file.try_lock() {
        Ok(()) => Lock::Taken(file),
        Err(fs::TryLockError::WouldBlock) => Lock::HeldElsewhere,
        Err(fs::TryLockError::Error(_)) => Lock::Unavailable,
    }
}

#[cfg(unix)]
fn lock_folder(path: &Path) -> io::Result<Lock> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = rustix::io::retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()))?;
    Ok(lock_file(File::from(folder)))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature everywhere")]
fn lock_folder(_path: &Path) -> io::Result<Lock> {
    Ok(Lock::Unavailable)
}

fn open_lock_file(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.read(true).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    options.open(path)
}

/// Whether the path still names the thing that was opened.
#[cfg(unix)]
fn is_still_at(opened: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (opened.metadata(), fs::symlink_metadata(path)) {
        (Ok(opened), Ok(named)) => (opened.dev(), opened.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

/// Whether the path still names something; names are random, so it can only be the same thing.
#[cfg(not(unix))]
fn is_still_at(_opened: &File, path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_folders_cannot_be_locked_the_file_inside_protects_the_stage() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path();
        let held = open_lock_file(&path.join(LOCK_NAME), OpenOptions::new().create_new(true)).expect("made");
        held.try_lock().expect("free");
        assert!(lock_dead_stage(path).is_none());
        drop(held);
        assert!(lock_dead_stage(path).is_some());
    }
}
