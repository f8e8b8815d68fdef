//! The stage: a private folder in which everything is made before it gets its name.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Seek as _, SeekFrom, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, ErrorKind, Result};
use crate::progress::Progress;

use super::leftovers::clear_leftovers;
use super::lock::{Claim, lock_new_stage};
use super::path_kind::holding_folder;
use super::sync::sync_tree;

/// How a stage's name begins; 32 hexadecimal digits follow.
const NAME_PREFIX: &str = ".parklite-stage-";
/// The digits that follow [`NAME_PREFIX`].
const NAME_DIGITS: usize = 32;
/// How often a stage is made or removed anew when a cleaner interferes, which takes it a moment's chance.
const ATTEMPTS: usize = 16;

/// A private folder beside a target (or in a temporary folder), locked while this value lives.
///
/// Only its owner may enter it. Dropping it removes it with everything in it, as far as that is possible;
/// what a killed run leaves is removed by [`clear_leftovers`](super::clear_leftovers) of a later one.
/// Names inside are relative paths of plain parts.
#[derive(Debug)]
pub struct Stage {
    path: PathBuf,
    /// `None` where neither folders nor files can be locked: then no cleaner can take the lock either.
    lock: Option<File>,
    sync_failed: AtomicBool,
    holds_a_displaced_target: AtomicBool,
}

impl Stage {
    /// Makes a stage in `parent`, which must exist; see [`parent_of`](super::parent_of) for a target's.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] when the folder cannot be made or locked.
    pub fn create(parent: &Path) -> Result<Self> {
        for _ in 0..ATTEMPTS {
            let path = parent.join(random_name());
            match make_private_folder(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(cannot_create(parent, error)),
            }
            match lock_new_stage(&path) {
                Ok(Claim::Ours(lock)) => {
                    return Ok(Self {
                        path,
                        lock,
                        sync_failed: AtomicBool::new(false),
                        holds_a_displaced_target: AtomicBool::new(false),
                    });
                }
                Ok(Claim::Lost) => {
                    // The cleaner removes it; where it could not, this still may.
                    let _removed = fs::remove_dir_all(&path);
                }
                Err(error) => {
                    let _removed = fs::remove_dir_all(&path);
                    return Err(cannot_create(parent, error));
                }
            }
        }
        Err(Error::new(ErrorKind::Failed, "every staging folder vanished before it could be locked")
            .at(parent))
    }

    /// Like [`create`](Self::create), after clearing `parent` of what killed runs left there.
    ///
    /// # Errors
    /// Those of [`create`](Self::create) and of [`clear_leftovers`].
    pub fn create_and_clear(parent: &Path) -> Result<Self> {
        clear_leftovers(parent)?;
        Self::create(parent)
    }

    /// Makes a stage for temporary files: in `folder` if one is given, else in `near` if that can be written, else in the
    /// system's folder for such.
    ///
    /// # Errors
    /// Those of [`create_and_clear`](Self::create_and_clear).
    pub fn create_temporary(near: &Path, folder: Option<&Path>) -> Result<Self> {
        match folder {
            Some(folder) => Self::create_and_clear(folder),
            None => Self::create_and_clear(near).or_else(|_| Self::create_and_clear(&std::env::temp_dir())),
        }
    }

    /// The folder; valid while this value lives.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where `name` is in the stage; nothing is made or looked up.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] when the name could lead out of the stage.
    pub fn path_of(&self, name: impl AsRef<Path>) -> Result<PathBuf> {
        let name = name.as_ref();
        let stays_inside = name.components().all(|part| matches!(part, Component::Normal(_)));
        if !stays_inside || name.as_os_str().is_empty() {
            return Err(Error::new(ErrorKind::Failed, "a staged name must stay inside its stage").at(name));
        }
        Ok(self.path.join(name))
    }

    /// Makes a new file, open for writing and reading, that only its owner may read.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] when the name is taken or the file cannot be made.
    pub fn create_file(&self, name: impl AsRef<Path>) -> Result<File> {
        let path = self.path_of(name)?;
        let mut options = OpenOptions::new();
        // Creating exclusively never follows a link at the last part.
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&path).map_err(|error| Error::io("creating a staged file", &path, error))
    }

    /// Makes a new file holding `content`.
    ///
    /// # Errors
    /// Those of [`create_file`](Self::create_file) and of writing.
    pub fn write_file(&self, name: impl AsRef<Path>, content: &[u8]) -> Result<()> {
        let name = name.as_ref();
        let mut file = self.create_file(name)?;
        file.write_all(content)
            .map_err(|error| Error::io("writing a staged file", self.path.join(name), error))
    }

    /// Puts `content` in place of what a staged file holds from `offset` on.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] when it cannot be written.
    pub fn overwrite(&self, name: impl AsRef<Path>, offset: u64, content: &[u8]) -> Result<()> {
        let path = self.path_of(name)?;
        let write = || {
            let mut file = OpenOptions::new().write(true).open(&path)?;
            file.seek(SeekFrom::Start(offset))?;
            file.write_all(content)
        };
        write().map_err(|error| Error::io("changing a staged file", &path, error))
    }

    /// Makes a new folder that only its owner may enter, and says where it is.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] when the name is taken or the folder cannot be made.
    pub fn create_folder(&self, name: impl AsRef<Path>) -> Result<PathBuf> {
        let path = self.path_of(name)?;
        make_private_folder(&path).map_err(|error| Error::io("creating a staged folder", &path, error))?;
        Ok(path)
    }

    /// Removes one staged file, such as a spill file that was read.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] when it cannot be removed.
    pub fn remove_file(&self, name: impl AsRef<Path>) -> Result<()> {
        let path = self.path_of(name)?;
        fs::remove_file(&path).map_err(|error| Error::io("removing a staged file", &path, error))
    }

    /// Removes the stage with everything in it; dropping does the same without telling what failed.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] when something could not be removed; a later run's
    /// [`clear_leftovers`](super::clear_leftovers) tries again.
    pub fn remove(mut self) -> Result<()> {
        self.remove_now().map_err(|error| Error::io("removing a staging folder", &self.path, error))
    }

    /// Like [`remove`](Self::remove) after the work is done: what cannot be removed is told, and fails nothing.
    pub fn remove_or_tell(self, progress: &dyn Progress) {
        if let Err(error) = self.remove() {
            progress.note(&format!("{error}; the next run removes it"));
        }
    }

    fn remove_now(&mut self) -> io::Result<()> {
        if self.holds_a_displaced_target() {
            return Ok(());
        }
        if cfg!(not(unix)) {
            // An open file cannot be removed there.
            self.lock = None;
        }
        remove_stage_folder(&self.path)
    }

    /// Syncs something staged. Once a sync failed, everything in this stage counts as unproven for good.
    pub(super) fn sync(&self, staged: &Path) -> Result<()> {
        if self.sync_failed.load(Ordering::Relaxed) {
            return Err(Error::new(
                ErrorKind::Failed,
                "a sync of this stage failed before, so nothing of it is published",
            )
            .at(staged));
        }
        sync_tree(staged).inspect_err(|_| self.sync_failed.store(true, Ordering::Relaxed))
    }

    /// The folder that the stage stands in.
    pub(super) fn parent(&self) -> PathBuf {
        holding_folder(&self.path)
    }

    /// Keeps the stage from being removed: a target moved out of the way could not be put back.
    pub(super) fn keep_displaced_target(&self) {
        self.holds_a_displaced_target.store(true, Ordering::Relaxed);
    }

    /// Whether [`keep_displaced_target`](Self::keep_displaced_target) was called.
    pub(super) fn holds_a_displaced_target(&self) -> bool {
        self.holds_a_displaced_target.load(Ordering::Relaxed)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _best_effort = self.remove_now();
    }
}

/// Whether a name is that of a stage.
pub(super) fn is_stage_name(name: &OsStr) -> bool {
    name.to_str().and_then(|name| name.strip_prefix(NAME_PREFIX)).is_some_and(|digits| {
        digits.len() == NAME_DIGITS && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Removes a stage with everything in it; one that is gone is fine.
///
/// Where the lock is a file inside, it goes before the folder does, and a cleaner may make it anew meanwhile
/// in order to remove the same folder.
pub(super) fn remove_stage_folder(path: &Path) -> io::Result<()> {
    for _ in 1..ATTEMPTS {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => std::thread::yield_now(),
            done => return done,
        }
    }
    fs::remove_dir_all(path)
}

/// 128 random bits from the keys that the standard library asks the system for; uniqueness is what matters,
/// and making the folder fails on a name that exists.
fn random_name() -> String {
    let half = || RandomState::new().hash_one(std::process::id());
    format!("{NAME_PREFIX}{:016x}{:016x}", half(), half())
}

fn make_private_folder(path: &Path) -> io::Result<()> {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "the mode is set on unix only"))]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn cannot_create(parent: &Path, error: io::Error) -> Error {
    let hint = match error.kind() {
        io::ErrorKind::NotFound => Some("create the folder first, or choose another one"),
        io::ErrorKind::NotADirectory => Some("this is no folder: choose another one"),
        _ => None,
    };
    let error = Error::io("creating a staging folder", parent, error);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(folder: &Path) -> usize {
        fs::read_dir(folder).expect("listed").count()
    }

    #[test]
    fn a_stage_is_removed_on_drop_and_on_demand() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let stage = Stage::create(folder.path()).expect("made");
        assert!(is_stage_name(stage.path().file_name().expect("named")));
        stage.write_file("a.txt", b"x").expect("written");
        stage.create_folder("below").expect("made");
        stage.write_file("below/b.txt", b"y").expect("written");
        drop(stage);
        assert_eq!(entries(folder.path()), 0);

        let stage = Stage::create(folder.path()).expect("made");
        stage.write_file("a.txt", b"x").expect("written");
        stage.remove().expect("removed");
        assert_eq!(entries(folder.path()), 0);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_enter_and_read() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let stage = Stage::create(folder.path()).expect("made");
        stage.create_file("file").expect("made");
        stage.create_folder("folder").expect("made");
        assert_eq!(crate::durable::mode_of(stage.path()), Some(0o700));
        assert_eq!(crate::durable::mode_of(&stage.path().join("file")), Some(0o600));
        assert_eq!(crate::durable::mode_of(&stage.path().join("folder")), Some(0o700));
    }

    #[test]
    fn names_stay_inside_and_are_used_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let stage = Stage::create(folder.path()).expect("made");
        for hostile in ["", "..", "../x", "/etc/passwd", "a/../../x", "."] {
            stage.create_file(hostile).expect_err(hostile);
        }
        stage.create_file("once").expect("free");
        stage.create_file("once").expect_err("taken");
        stage.remove_file("once").expect("there");
        stage.create_file("once").expect("free again");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_not_followed_when_a_file_is_made() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let stage = Stage::create(folder.path()).expect("made");
        std::os::unix::fs::symlink(folder.path().join("outside"), stage.path().join("link")).expect("linked");
        stage.create_file("link").expect_err("taken");
        assert!(!folder.path().join("outside").exists());
    }

    #[test]
    fn a_missing_parent_is_told() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let error = Stage::create(&folder.path().join("none")).expect_err("no parent");
        assert_eq!(error.kind(), ErrorKind::Failed);
        assert!(error.hint_text().is_some_and(|hint| hint.starts_with("create the folder")));
    }

    #[test]
    fn only_exact_names_are_stages() {
        let name = random_name();
        assert!(is_stage_name(OsStr::new(&name)));
        assert_ne!(name, random_name());
        for other in [
            &name[1..],
            &name[..name.len() - 1],
            ".parklite-stage-",
            &name.replace(|_: char| true, "z"),
            "notes",
        ] {
            assert!(!is_stage_name(OsStr::new(other)), "{other}");
        }
    }
}
