//! The three renames: onto a free name, by exchange, and (`std::fs::rename`) over a file.
//!
//! Linux and macOS do the first two in one step; elsewhere, and on file systems that cannot, a free name is
//! taken through a hard link or after a look, and an exchange is refused as unsupported.

use std::fs;
use std::io;
use std::path::Path;

/// Renames onto a name that must be free.
///
/// Fails with `AlreadyExists` when the name is taken, by whatever, a dangling link included.
pub(super) fn rename_onto_free_name(from: &Path, to: &Path) -> io::Result<()> {
    match kernel::rename_onto_free_name(from, to) {
        Err(error) if is_unsupported(&error) => rename_by_hand(from, to),
        done => done,
    }
}

/// Swaps two existing names in one step.
pub(super) fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    kernel::exchange(one, other)
}

/// Whether a rename failed because the file system or kernel cannot do it, so that another way is worth
/// trying. "Not permitted" is among them: sandboxes answer unknown calls with it, and where it is meant, the
/// other way fails with it as well.
pub(super) fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput)
        || kernel::is_not_permitted(error)
}

fn rename_by_hand(from: &Path, to: &Path) -> io::Result<()> {
    if fs::symlink_metadata(from)?.is_dir() {
        rename_folder_by_hand(from, to)
    } else {
        rename_file_by_hand(from, to)
    }
}

fn rename_file_by_hand(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        // The second name lies in a stage, which vanishes as a whole: failing to remove it changes nothing.
        Ok(()) => fs::remove_file(from).or(Ok(())),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        Err(_no_hard_links) => {
            fs::OpenOptions::new().write(true).create_new(true).open(to)?;
            fs::rename(from, to).inspect_err(|_| {
                let _reservation_gone = fs::remove_file(to);
            })
        }
    }
}

/// The rename itself refuses a folder that holds something, and on unix a file: of what takes the name between look
/// and rename, only an empty folder is lost. No empty folder reserves the name, since a kill would leave it there.
fn rename_folder_by_hand(from: &Path, to: &Path) -> io::Result<()> {
    match fs::symlink_metadata(to) {
        Ok(_) => return Err(io::ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    fs::rename(from, to).map_err(|error| match error.kind() {
        io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotADirectory => {
            io::ErrorKind::AlreadyExists.into()
        }
        _ => error,
    })
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
mod kernel {
    use std::io;
    use std::path::Path;

    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;

    pub(super) fn rename_onto_free_name(from: &Path, to: &Path) -> io::Result<()> {
        Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
    }

    pub(super) fn exchange(one: &Path, other: &Path) -> io::Result<()> {
        Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
    }

    pub(super) fn is_not_permitted(error: &io::Error) -> bool {
        error.raw_os_error() == Some(Errno::PERM.raw_os_error())
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
mod kernel {
    use std::io;
    use std::path::Path;

    pub(super) fn rename_onto_free_name(_from: &Path, _to: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn exchange(_one: &Path, _other: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn is_not_permitted(_error: &io::Error) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_way_takes_a_name_that_is_taken() {
        for rename in [rename_onto_free_name, rename_by_hand] {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let at = |name: &str| folder.path().join(name);
            fs::write(at("new"), b"new").expect("written");
            fs::write(at("old"), b"old").expect("written");
            fs::create_dir(at("folder")).expect("made");
            for taken in ["old", "folder"] {
                let error = rename(&at("new"), &at(taken)).expect_err("taken");
                assert_eq!(error.kind(), io::ErrorKind::AlreadyExists, "{taken}");
            }
            let error = rename(&at("folder"), &at("old")).expect_err("taken");
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
            rename(&at("new"), &at("free")).expect("free");
            assert_eq!(fs::read(at("free")).expect("there"), b"new");
            assert!(!at("new").exists());
            rename(&at("folder"), &at("free folder")).expect("free");
            assert!(at("free folder").is_dir() && !at("folder").exists());
        }
    }

    #[test]
    fn of_many_at_once_one_gets_the_name_either_way() {
        for rename in [rename_onto_free_name, rename_by_hand] {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let target = folder.path().join("target");
            let winners = std::thread::scope(|scope| {
                let runs: Vec<_> = (0..8)
                    .map(|number| {
                        let from = folder.path().join(format!("from-{number}"));
                        fs::write(&from, number.to_string()).expect("written");
                        let target = &target;
                        scope.spawn(move || rename(&from, target).is_ok().then_some(number))
                    })
                    .collect();
                runs.into_iter().filter_map(|run| run.join().expect("no panic")).collect::<Vec<i32>>()
            });
            assert_eq!(winners.len(), 1);
            assert_eq!(fs::read_to_string(&target).expect("there"), winners[0].to_string());
        }
    }
}
