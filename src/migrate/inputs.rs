//! Which sources are read: what was named, and what lies in folders that were.
//!
//! A file or folder inside that the system does not let be read costs itself alone, and is told. Inside what a browser made,
//! only its stores count: the JSON of its settings and caches is nobody's dump. Where somebody has put a browser's storage
//! beside dumps, all of it is read.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::recognise::{
    FileKind, FolderKind, file_kind, folder_kind, is_named_like_database, is_named_like_dump, is_of_storage,
    is_side_file, is_surely_dump, is_webkit_salt, why_left_out,
};
use super::stores::{BrowserDatabase, SourceStore, StoreReader};
use crate::durable::{PathKind, kind_of_source};
use crate::error::{Error, ErrorKind, Result};
use crate::local_storage::moment::Moment;
use crate::run::Interrupt;

/// What is to be read: adding a way in which a browser keeps storage is a matter of `recognise` and `stores`.
#[derive(Debug)]
pub(super) enum Source {
    Dumps(SourceFile),
    Store(SourceStore),
}

impl Source {
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Dumps(file) => &file.path,
            Self::Store(store) => &store.path,
        }
    }

    pub(super) fn looks(&self) -> Looks {
        match self {
            Self::Dumps(file) => file.looks,
            Self::Store(store) => store.looks,
        }
    }
}

/// A file of dumps.
#[derive(Debug)]
pub(super) struct SourceFile {
    pub(super) path: PathBuf,
    pub(super) looks: Looks,
    /// Whether it may be something else: it was met in a folder, and is not named like a dump.
    pub(super) may_be_other: bool,
}

/// How a source looks from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Looks {
    pub(super) size_bytes: u64,
    pub(super) modified: Option<SystemTime>,
}

impl Looks {
    pub(super) fn of(path: &Path) -> Result<Self> {
        let found = std::fs::metadata(path).map_err(|error| Error::io("looking at the file", path, error))?;
        Ok(Self { size_bytes: found.len(), modified: found.modified().ok() })
    }

    /// When it was written last.
    pub(super) fn modified_at(self) -> Option<Moment> {
        let modified = self.modified?;
        let ms = match modified.duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).ok()?,
            Err(before) => -i64::try_from(before.duration().as_millis()).ok()?,
        };
        Moment::from_ms(ms)
    }
}

/// A file in a folder that is no dump.
#[derive(Debug, Clone, Serialize)]
pub struct SkippedFile {
    /// The file.
    #[serde(serialize_with = "crate::report::lossy_path")]
    pub path: PathBuf,
    /// What it is instead.
    pub reason: String,
}

/// All that is to be read.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    /// The oldest first, then by name: in which order they were named makes no difference.
    pub(super) sources: Vec<Source>,
    pub(super) skipped: Vec<SkippedFile>,
    /// What could not be read, each with its path.
    pub(super) unread: Vec<Error>,
}

impl Inputs {
    fn add_store(&mut self, path: &Path, reader: &'static dyn StoreReader, is_named: bool) -> Result<()> {
        if let Some(looks) = self.note(path, reader.looks(path))? {
            let store = SourceStore { path: path.to_path_buf(), looks, reader, is_named };
            self.sources.push(Source::Store(store));
        }
        Ok(())
    }

    /// Notes what could not be read; the error itself where it says nothing of that.
    fn note<T>(&mut self, path: &Path, found: Result<T>) -> Result<Option<T>> {
        match found {
            Ok(found) => Ok(Some(found)),
            Err(error) => {
                self.unread.push(unread(error)?.at(path));
                Ok(None)
            }
        }
    }
}

/// What is told of a file that the system does not give; the error itself where it is this run that lacks something.
pub(super) fn unread(error: Error) -> Result<Error> {
    let cause = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
    let Some(cause) = cause.filter(|_| !error.is_of_scarcity()) else {
        return Err(error);
    };
    let told = Error::new(ErrorKind::Damaged, format!("{}: {cause}", error.message()))
        .hint("see whether you may read it and whether its disk is sound, or copy it elsewhere");
    Ok(match &error.place().path {
        Some(path) => told.at(path),
        None => told,
    })
}

/// How deep folders are looked into.
const MAX_DEPTH: usize = 32;

/// Finds the sources that `inputs` name.
pub(super) fn find(inputs: &[PathBuf], interrupt: &Interrupt) -> Result<Inputs> {
    let mut found = Inputs::default();
    for input in inputs {
        let Some(kind) = found.note(input, kind_of_source(input))? else {
            continue;
        };
        match kind {
            PathKind::Missing => {
                return Err(Error::new(ErrorKind::NotFound, "there is no such file or folder")
                    .at(input)
                    .hint("check the path"));
            }
            PathKind::Directory => {
                walk(input, &mut found, Place { depth: 0, is_of_browser: false, interrupt })?;
            }
            PathKind::File { .. } => match found.note(input, look_at(input))? {
                None => {}
                Some((FileKind::Store(reader), _)) => found.add_store(input, reader, true)?,
                // Its reader says what is wrong with it.
                Some((FileKind::Database, _)) => found.add_store(input, &BrowserDatabase, true)?,
                Some((FileKind::Dump | FileKind::Other, looks)) => {
                    found.sources.push(Source::Dumps(SourceFile {
                        path: input.clone(),
                        looks,
                        may_be_other: false,
                    }));
                }
            },
            PathKind::Symlink | PathKind::Special(_) => {
                let message = "this is neither a file nor a folder (a pipe, socket or device)";
                return Err(Error::new(ErrorKind::Damaged, message)
                    .at(input)
                    .hint("save it as a file first"));
            }
        }
    }
    found.sources.sort_by(|a, b| (a.looks().modified, a.path()).cmp(&(b.looks().modified, b.path())));
    found.sources.dedup_by(|a, b| a.path() == b.path());
    Ok(found)
}

/// Where a folder is.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// How many folders above it are looked into as well.
    depth: usize,
    /// Whether one of them is a browser's own.
    is_of_browser: bool,
    interrupt: &'a Interrupt,
}

fn walk(folder: &Path, found: &mut Inputs, place: Place<'_>) -> Result<()> {
    place.interrupt.check()?;
    if is_of_kernel(folder) {
        found.skipped.push(SkippedFile { path: folder.to_path_buf(), reason: "not a disk".to_owned() });
        return Ok(());
    }
    let paths = listed(folder);
    // A browser that runs makes folders and removes them.
    if paths.is_err() && place.is_of_browser && kind_of_source(folder)? == PathKind::Missing {
        return Ok(());
    }
    let Some(paths) = found.note(folder, paths)? else {
        return Ok(());
    };
    let kind = folder_kind(folder, &paths);
    let is_of_browser = match kind {
        // Databases of this kind are many in a profile, and only one is localStorage.
        FolderKind::Store(_) if place.is_of_browser && !is_of_local_storage(folder) => return Ok(()),
        FolderKind::Store(reader) => return found.add_store(folder, reader, place.depth == 0),
        FolderKind::Browser => true,
        FolderKind::Collection | FolderKind::Other => place.is_of_browser,
    };
    let is_collection = matches!(kind, FolderKind::Collection);
    let is_profile = matches!(kind, FolderKind::Browser);
    let inside = |path: &Path| Place {
        depth: place.depth + 1,
        interrupt: place.interrupt,
        is_of_browser: is_of_browser || (is_collection && is_of_storage(path)),
    };
    for path in paths {
        if let Some(reason) = why_left_out(&path) {
            found.skipped.push(SkippedFile { path, reason: reason.to_owned() });
            continue;
        }
        let is_link = std::fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink());
        let reason = match found.note(&path, kind_of_source(&path))? {
            None => continue,
            Some(PathKind::Directory) if !is_link && place.depth < MAX_DEPTH => {
                walk(&path, found, inside(&path))?;
                continue;
            }
            Some(PathKind::File { .. }) if is_of_browser && is_named_like_database(&path) => {
                found.add_store(&path, &BrowserDatabase, false)?;
                continue;
            }
            Some(PathKind::Directory) if is_link => "a link to a folder",
            Some(PathKind::Directory) => "a folder too deep inside others",
            Some(PathKind::File { .. }) if is_profile && is_surely_dump(&path) => {
                "a dump beside what a browser keeps: name it itself"
            }
            // What else a browser keeps is not named file by file.
            Some(_) if is_of_browser => continue,
            Some(PathKind::File { .. }) if is_side_file(&path) || is_webkit_salt(&path) => continue,
            Some(PathKind::File { size_bytes: 0 }) => {
                // What has no length may give no end where it is opened.
                let error = Error::new(ErrorKind::Damaged, "the file is empty").at(&path);
                found.unread.push(error);
                continue;
            }
            Some(PathKind::File { .. }) => match found.note(&path, look_at(&path))? {
                None => continue,
                Some((FileKind::Store(reader), _)) => {
                    found.add_store(&path, reader, false)?;
                    continue;
                }
                Some((FileKind::Database, _)) => "a SQLite database without localStorage",
                Some((FileKind::Other, _)) => "not a dump: it does not begin like one",
                Some((FileKind::Dump, looks)) => {
                    let may_be_other = !is_named_like_dump(&path);
                    found.sources.push(Source::Dumps(SourceFile { path, looks, may_be_other }));
                    continue;
                }
            },
            // As browsers make them, to say that they run.
            Some(PathKind::Missing) => "a link that leads nowhere",
            Some(PathKind::Symlink | PathKind::Special(_)) => "neither a file nor a folder",
        };
        found.skipped.push(SkippedFile { path, reason: reason.to_owned() });
    }
    Ok(())
}

fn is_of_local_storage(folder: &Path) -> bool {
    folder.parent().and_then(Path::file_name).is_some_and(|name| name == "Local Storage")
}

fn listed(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).and_then(|entries| {
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<Vec<_>>>()
    });
    let mut paths = entries.map_err(|error| Error::io("listing the folder", folder, error))?;
    paths.sort();
    Ok(paths)
}

/// Whether it is of the kernel's own file systems, some of whose files have no end, or none until something happens.
#[cfg(target_os = "linux")]
fn is_of_kernel(folder: &Path) -> bool {
    // procfs, sysfs, devpts, both kinds of cgroups, debugfs, tracefs, securityfs, pstore, bpf, configfs, mqueue, binfmt_misc,
    // fusectl, efivarfs, selinuxfs. Source: Linux, `include/uapi/linux/magic.h`.
    const KINDS: [u64; 16] = [
        0x9fa0,
        0x6265_6572,
        0x1cd1,
        0x0027_e0eb,
        0x6367_7270,
        0x6462_6720,
        0x7472_6163,
        0x7363_6673,
        0x6165_676c,
        0xcafe_4a11,
        0x6265_6570,
        0x1980_0202,
        0x4249_4e4d,
        0x6573_5543,
        0xde5e_81e4,
        0xf97c_ff8c,
    ];
    rustix::fs::statfs(folder).is_ok_and(|found| {
        u64::try_from(found.f_type).is_ok_and(|kind| KINDS.contains(&(kind & 0xffff_ffff)))
    })
}

#[cfg(not(target_os = "linux"))]
fn is_of_kernel(_folder: &Path) -> bool {
    false
}

fn look_at(path: &Path) -> Result<(FileKind, Looks)> {
    Ok((file_kind(path)?, Looks::of(path)?))
}
