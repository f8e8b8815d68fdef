//! Removing what killed runs left behind, and nothing else.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

use super::lock::{LOCK_NAME, lock_dead_stage};
use super::rename::rename_onto_free_name;
use super::stage::{is_stage_name, remove_stage_folder};
use super::sync::Folder;

/// Where in a stage a target waits while its successor is put in place by two renames, under its own name.
pub(super) const DISPLACED: &str = ".displaced";
/// Where in a stage a replaced folder goes for removal.
pub(super) const REPLACED: &str = ".replaced";

/// Removes the staging folders in `parent` whose run is dead, and names those that are gone.
///
/// Those of living runs are locked and left alone; so is one that may not be opened, locked or removed. A
/// run killed between moving an old target away and naming the new one has its old target put back first. Where
/// the name is in use by now, the old target goes if the new one has left the stage for that name, and else the
/// stage stays as it is. A missing parent has no leftovers.
///
/// # Errors
/// [`ErrorKind::Failed`](crate::error::ErrorKind::Failed) when the folder cannot be listed.
pub fn clear_leftovers(parent: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(parent) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(Error::io("looking for leftovers", parent, error)),
    };
    let mut cleared = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| Error::io("looking for leftovers", parent, error))?;
        let path = entry.path();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && is_stage_name(&entry.file_name()) && clear(&path, parent) {
            cleared.push(path);
        }
    }
    cleared.sort();
    Ok(cleared)
}

/// Removes one stage if its run is dead; says whether it is gone.
fn clear(stage: &Path, parent: &Path) -> bool {
    let Some(locks) = lock_dead_stage(stage) else { return false };
    if put_displaced_back(stage, parent).is_err() {
        return false;
    }
    // Where an open file cannot be removed the locks go first; whoever takes them then only removes as well.
    let locks = cfg!(unix).then_some(locks);
    let removed = remove_stage_folder(stage).is_ok();
    drop(locks);
    removed
}

/// Gives displaced targets their names back. Where a name is in use and the successor is still staged, somebody else
/// took the name and nothing tells whether the old target was meant to go: that is an error, and the stage stays.
fn put_displaced_back(stage: &Path, parent: &Path) -> io::Result<()> {
    let displaced = stage.join(DISPLACED);
    if !fs::symlink_metadata(&displaced).is_ok_and(|found| found.is_dir()) {
        return Ok(());
    }
    if !is_ours(stage)? {
        // Somebody else could turn the folder into a link while its entries are moved.
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    for entry in fs::read_dir(displaced)? {
        let entry = entry?;
        match rename_onto_free_name(&entry.path(), &parent.join(entry.file_name())) {
            // In one step, so that half of it is never put back.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && !holds_staged_work(stage)? => {
                fs::rename(entry.path(), stage.join(REPLACED))?;
            }
            done => done?,
        }
    }
    Folder::open(parent).and_then(|parent| parent.sync()).map_err(io::Error::other)
}

fn holds_staged_work(stage: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(stage)? {
        let name = entry?.file_name();
        if ![DISPLACED, REPLACED, LOCK_NAME].iter().any(|&own| name == own) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(unix)]
fn is_ours(stage: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    Ok(fs::symlink_metadata(stage)?.uid() == rustix::process::geteuid().as_raw())
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature everywhere")]
fn is_ours(_stage: &Path) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::super::Stage;
    use super::*;

    /// What a killed run leaves: the folder without its lock.
    fn leftover(parent: &Path, digit: char) -> PathBuf {
        let path = parent.join(format!(".parklite-stage-{}", digit.to_string().repeat(32)));
        fs::create_dir(&path).expect("made");
        fs::write(path.join("half.parquet"), b"half").expect("written");
        path
    }

    #[test]
    fn leftovers_of_a_dead_run_are_cleared_and_those_of_a_living_one_are_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let living = Stage::create(folder.path()).expect("made");
        living.write_file("x", b"x").expect("written");
        let dead = [leftover(folder.path(), 'a'), leftover(folder.path(), 'b')];
        assert_eq!(clear_leftovers(folder.path()).expect("cleared"), dead);
        assert!(living.path().join("x").exists());
        assert!(dead.iter().all(|path| !path.exists()));
        assert!(clear_leftovers(folder.path()).expect("nothing left").is_empty());
    }

    #[test]
    fn nothing_but_stages_is_touched() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let digits = "c".repeat(32);
        for name in
            [".parklite-stage-".to_owned(), ".parklite-stage-notes".to_owned(), format!("stage-{digits}")]
        {
            fs::create_dir(folder.path().join(name)).expect("made");
        }
        fs::write(folder.path().join(format!(".parklite-stage-{digits}")), b"a file").expect("written");
        assert!(clear_leftovers(folder.path()).expect("listed").is_empty());
        assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 4);
        assert!(clear_leftovers(&folder.path().join("none")).expect("nothing there").is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed_when_clearing() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let precious = folder.path().join("precious");
        fs::create_dir(&precious).expect("made");
        fs::write(precious.join("file"), b"x").expect("written");
        let link = folder.path().join(format!(".parklite-stage-{}", "d".repeat(32)));
        symlink(&precious, &link).expect("linked");
        let dead = leftover(folder.path(), 'e');
        symlink(&precious, dead.join("inside")).expect("linked");
        symlink(&precious, dead.join(DISPLACED)).expect("linked");
        clear_leftovers(folder.path()).expect("listed");
        assert!(precious.join("file").exists() && link.is_symlink());
    }

    #[test]
    fn a_target_displaced_by_a_killed_run_gets_its_name_back_unless_it_is_in_use() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let dead = leftover(folder.path(), 'f');
        let displaced = dead.join(DISPLACED).join("old");
        fs::create_dir_all(&displaced).expect("made");
        fs::write(displaced.join("manifest.json"), b"old").expect("written");
        let target = folder.path().join("old");
        fs::create_dir(&target).expect("made");
        assert!(clear_leftovers(folder.path()).expect("listed").is_empty());
        assert!(displaced.join("manifest.json").exists());
        fs::remove_dir(&target).expect("removed");
        assert_eq!(clear_leftovers(folder.path()).expect("cleared"), [dead]);
        assert_eq!(fs::read(target.join("manifest.json")).expect("back"), b"old");
    }

    #[test]
    fn a_displaced_target_whose_successor_has_its_name_is_removed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let dead = leftover(folder.path(), 'a');
        fs::create_dir_all(dead.join(DISPLACED).join("old")).expect("made");
        fs::write(dead.join(DISPLACED).join("old/manifest.json"), b"old").expect("written");
        fs::create_dir(folder.path().join("old")).expect("made");
        // What is still staged cannot have taken the name.
        assert!(clear_leftovers(folder.path()).expect("listed").is_empty());
        fs::remove_file(dead.join("half.parquet")).expect("removed");
        assert_eq!(clear_leftovers(folder.path()).expect("cleared"), [dead]);
        assert_eq!(fs::read_dir(folder.path().join("old")).expect("still there").count(), 0);
    }

    #[test]
    fn no_stage_is_lost_to_a_cleaner_while_it_is_made() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..150 {
                        clear_leftovers(folder.path()).expect("listed");
                    }
                });
                scope.spawn(|| {
                    for _ in 0..100 {
                        let stage = Stage::create(folder.path()).expect("made");
                        stage.write_file("x", b"x").expect("the stage stays");
                        stage.remove().expect("removed");
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 0);
    }
}
