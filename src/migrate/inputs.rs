//! Which files are read: what was named, and what lies in folders that were, told by content.
//!
//! Storage of browsers is recognised, so that nobody takes it for something else, even where it cannot be read yet.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::durable::{PathKind, kind_of_source};
use crate::error::{Error, ErrorKind, Result};
use crate::local_storage::dump::could_be_dump;
use crate::local_storage::moment::Moment;

/// A file of dumps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SourceFile {
    pub(super) path: PathBuf,
    pub(super) looks: Looks,
}

/// How a file looks from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Looks {
    pub(super) size_bytes: u64,
    modified: Option<SystemTime>,
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
    pub(super) files: Vec<SourceFile>,
    pub(super) skipped: Vec<SkippedFile>,
}

/// What to do instead of reading what cannot be read yet.
const MAKE_A_DUMP: &str = "make a dump of it: open the site in that browser, in its console run \
    copy(JSON.stringify(localStorage)), paste that into a file, and migrate the file";

/// How deep folders are looked into.
const MAX_DEPTH: usize = 32;

/// Finds the files that `inputs` name.
pub(super) fn find(inputs: &[PathBuf]) -> Result<Inputs> {
    let mut found = Inputs::default();
    for input in inputs {
        match kind_of_source(input)? {
            PathKind::Missing => {
                return Err(Error::new(ErrorKind::NotFound, "there is no such file or folder")
                    .at(input)
                    .hint("check the path"));
            }
            PathKind::Directory => walk(input, &mut found, 0)?,
            PathKind::File { .. } => {
                if let Kind::Database(what) = kind_of(input)? {
                    return Err(not_yet(what, input));
                }
                found.files.push(SourceFile { path: input.clone(), looks: Looks::of(input)? });
            }
            PathKind::Symlink | PathKind::Special(_) => {
                let message = "this is neither a file nor a folder (a pipe, socket or device)";
                return Err(Error::new(ErrorKind::Damaged, message)
                    .at(input)
                    .hint("save it as a file first"));
            }
        }
    }
    found.files.sort_by(|a, b| (a.looks.modified, &a.path).cmp(&(b.looks.modified, &b.path)));
    found.files.dedup_by(|a, b| a.path == b.path);
    Ok(found)
}

fn walk(folder: &Path, found: &mut Inputs, depth: usize) -> Result<()> {
    let listing = |error| Error::io("listing a folder", folder, error);
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(listing)? {
        paths.push(entry.map_err(listing)?.path());
    }
    paths.sort();
    if let Some(what) = browser_storage(folder, &paths) {
        return Err(not_yet(what, folder));
    }
    for path in paths {
        let is_link = std::fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink());
        let mut skip = |reason: &str| {
            found.skipped.push(SkippedFile { path: path.clone(), reason: reason.to_owned() });
        };
        match kind_of_source(&path)? {
            PathKind::Directory if is_link => skip("a link to a folder"),
            PathKind::Directory if depth == MAX_DEPTH => skip("a folder too deep inside others"),
            PathKind::Directory => walk(&path, found, depth + 1)?,
            PathKind::File { .. } => match kind_of(&path)? {
                Kind::Database(what) => skip(what),
                Kind::Other => skip("not a dump: it does not begin like one"),
                Kind::Dump => {
                    let looks = Looks::of(&path)?;
                    found.files.push(SourceFile { path, looks });
                }
            },
            PathKind::Missing => skip("a link that leads nowhere"),
            PathKind::Symlink | PathKind::Special(_) => skip("neither a file nor a folder"),
        }
    }
    Ok(())
}

enum Kind {
    /// Or a file that is empty, which is a damaged one.
    Dump,
    Database(&'static str),
    Other,
}

fn kind_of(path: &Path) -> Result<Kind> {
    const MAGIC: &[u8] = b"SQLite format 3\0";
    /// The first page of a database, however large, holds the schema of one with few tables.
    const HEAD_BYTES: u64 = 1 << 16;
    let mut head = Vec::new();
    File::open(path)
        .and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head))
        .map_err(|error| Error::io("reading the file", path, error))?;
    if !head.starts_with(MAGIC) {
        return Ok(if head.is_empty() || could_be_dump(&head) { Kind::Dump } else { Kind::Other });
    }
    let has = |name: &str| head.windows(name.len()).any(|part| part == name.as_bytes());
    Ok(Kind::Database(if has("webappsstore2") {
        "localStorage of an old Firefox (webappsstore.sqlite)"
    } else if has("map_entries") {
        "localStorage of Chromium (SQLite)"
    } else if has("utf16_length") || has("utf16Length") {
        "localStorage of Firefox (data.sqlite)"
    } else if has("ItemTable") {
        "localStorage of WebKit or Safari"
    } else {
        "a SQLite database"
    }))
}

/// What a folder of a browser is, by the names that browsers give.
fn browser_storage(folder: &Path, paths: &[PathBuf]) -> Option<&'static str> {
    let names = || paths.iter().filter_map(|path| path.file_name()?.to_str());
    let has = |wanted: &str| names().any(|name| name == wanted);
    let ends = |ending: &str| names().any(|name| name.ends_with(ending));
    let is_leveldb = has("CURRENT") && names().any(|name| name.starts_with("MANIFEST-"));
    if is_leveldb || ends(".ldb") {
        return Some("localStorage of Chromium (LevelDB)");
    }
    if has("Local Storage") || has("LocalStorage") && !ends(".json") {
        return Some("a profile of Chromium, Chrome, Edge or Electron");
    }
    if has("webappsstore.sqlite") || folder.join("storage/default").is_dir() {
        return Some("a profile of Firefox");
    }
    let is_webkit = ends(".localstorage") || has("salt") || has("localstorage.sqlite3");
    is_webkit.then_some("localStorage of WebKit or Safari")
}

fn not_yet(what: &str, path: &Path) -> Error {
    Error::new(ErrorKind::Usage, format!("this is {what}, and migrate reads only dumps in text form so far"))
        .at(path)
        .hint(MAKE_A_DUMP)
}
