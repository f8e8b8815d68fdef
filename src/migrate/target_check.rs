//! What must never be written to: a browser's own storage, and whatever is read in the same run.
//!
//! Everything here only looks, and before anything is opened for writing.

use std::path::{Path, PathBuf};

use super::inputs::Source;
use super::recognise::{is_named_like_database, may_hold_local_storage};
use crate::durable::{PathKind, kind_of_source, parent_of};
use crate::error::{Error, ErrorKind, Result};
use crate::local_storage::database::StoreFile;
use crate::local_storage::leveldb::is_leveldb;
use crate::run::Run;
use crate::sqlite::salvage::SalvageOptions;

/// Refuses a target that is one of the `sources`, lies inside one, or is a database in which a browser keeps localStorage.
pub(super) fn check(
    target: &Path,
    sources: &[Source],
    temp_folder: Option<&Path>,
    run: Run<'_>,
) -> Result<()> {
    refuse_source(target, sources)?;
    let is_named_so = is_named_like_database(target);
    if is_among_files(target, sources)? {
        return Err(of_browser(target));
    }
    if !matches!(kind_of_source(target)?, PathKind::File { .. }) {
        // One that is not there yet, which a browser would find; or one that is refused later on.
        return if is_named_so { Err(of_browser(target)) } else { Ok(()) };
    }
    if !is_named_so && !may_hold_local_storage(target)? {
        return Ok(());
    }
    let options =
        SalvageOptions { temp_folder: temp_folder.map(Path::to_path_buf), ..SalvageOptions::default() };
    match StoreFile::open(target, &options, run) {
        Ok(_) => Err(of_browser(target)),
        Err(error) if error.kind() == ErrorKind::Usage => Ok(()),
        // Where its tables are missing, its name is all there is to go by; else opening it tells what is wrong.
        Err(error) if error.kind() == ErrorKind::Damaged => {
            if is_named_so {
                Err(of_browser(target))
            } else {
                Ok(())
            }
        }
        Err(error) => Err(error),
    }
}

/// Refuses a new file for `-o` in a folder in which a browser keeps localStorage, or that is one of the `sources`.
pub(super) fn check_output(output: &Path, sources: &[Source]) -> Result<()> {
    if !is_among_files(output, sources)? {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Usage, "the file after -o would lie among a browser's own files")
        .at(output)
        .hint("name a file in another folder after -o"))
}

/// Whether a file is, or would be, in a folder that is a browser's storage as a whole.
fn is_among_files(path: &Path, sources: &[Source]) -> Result<bool> {
    let parent = parent_of(path)?;
    if is_leveldb(&parent) {
        return Ok(true);
    }
    let folder = identity(&parent);
    let mut stores = sources.iter().filter(|source| matches!(source, Source::Store(_)));
    Ok(folder.is_some() && stores.any(|store| store.path().is_dir() && identity(store.path()) == folder))
}

fn of_browser(target: &Path) -> Error {
    Error::new(ErrorKind::Usage, "the target is a browser's own storage")
        .at(target)
        .hint("name another database after --into; a new one is made")
}

/// By what the file is, not by how its path is written: links lead to the same one.
fn refuse_source(target: &Path, sources: &[Source]) -> Result<()> {
    let own = identity(target);
    for source in sources {
        let path = source.path();
        let is_it = match source {
            Source::Dumps(_) => own.is_some() && identity(path) == own,
            Source::Store(_) => {
                // Whether the file itself is a browser's, or only looks like it, is told by its content.
                own.is_some() && files_of(path, path.is_dir()).any(|file| identity(&file) == own)
            }
        };
        if is_it {
            return Err(Error::new(ErrorKind::Usage, "the target is one of the inputs")
                .at(target)
                .hint("name another database after --into; a new one is made"));
        }
    }
    Ok(())
}

/// What SQLite keeps beside a file, and the files of a folder.
fn files_of(path: &Path, is_folder: bool) -> impl Iterator<Item = PathBuf> {
    let inside = is_folder.then(|| std::fs::read_dir(path).ok()).flatten();
    let beside = ["-wal", "-shm", "-journal"].map(|ending| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    });
    inside.into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).chain(beside)
}

/// What tells a file from all others; nothing of one that is not there.
#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    let found = std::fs::metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> Option<PathBuf> {
    std::fs::canonicalize(path).ok()
}
