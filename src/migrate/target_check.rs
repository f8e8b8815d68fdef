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

/// How the names of files end that SQLite keeps beside a database.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

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

/// Refuses a folder for temporary files that a browser keeps its storage in.
pub(super) fn check_temp_folder(folder: &Path) -> Result<()> {
    if !is_storage_folder(folder) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Usage, "the folder after --temp-dir is a browser's own storage")
        .at(folder)
        .hint("name another folder"))
}

/// Whether a file is, or would be, in a folder that is a browser's storage as a whole, or has a name that SQLite would take
/// for a part of a browser's database.
fn is_among_files(path: &Path, sources: &[Source]) -> Result<bool> {
    let parent = parent_of(path)?;
    if is_storage_folder(&parent) || is_part_of_database(path) {
        return Ok(true);
    }
    let folder = identity(&parent);
    let mut stores = sources.iter().filter(|source| matches!(source, Source::Store(_)));
    Ok(folder.is_some() && stores.any(|store| store.path().is_dir() && identity(store.path()) == folder))
}

/// Whether a browser keeps storage in this folder, and nothing of anybody else's: that of a LevelDB; Firefox's `ls`, the
/// folder of an origin around it and that of all origins; `WebKit`'s of one origin, or of all of them. A profile, in which
/// other databases lie beside everything else, is none.
fn is_storage_folder(folder: &Path) -> bool {
    if is_leveldb(folder) {
        return true;
    }
    // As it is called where it lies, not by a link to it.
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    if is_of_origin(&folder) || folder.parent().is_some_and(is_of_origin) {
        return true;
    }
    let inside = std::fs::read_dir(&folder).ok().into_iter().flatten();
    inside.filter_map(std::result::Result::ok).any(|entry| {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let path = entry.path();
        if is_folder {
            is_of_origin(&path)
        } else {
            path.extension().is_some_and(|end| end == "localstorage")
        }
    })
}

/// Whether it is where Firefox or `WebKit` keeps what is of one origin.
fn is_of_origin(folder: &Path) -> bool {
    let has = |name: &str| folder.join(name).is_file();
    has(".metadata-v2") || (has("origin") && folder.join("LocalStorage").is_dir())
}

/// Whether it is named like what SQLite keeps beside a browser's database: it would be taken for that, and removed.
fn is_part_of_database(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    BESIDE
        .iter()
        .filter_map(|ending| name.strip_suffix(ending))
        .any(|database| is_named_like_database(&path.with_file_name(database)))
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
    let beside = BESIDE.map(|ending| {
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
