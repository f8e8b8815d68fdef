//! What lies in front of `migrate`: dumps, told by content, and the storage of browsers, told by content and, where that is
//! damaged or in another file, by the names that browsers give.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::local_storage::dump::{Dump, DumpForm, DumpOptions, Dumps, could_be_dump};
use crate::local_storage::leveldb::is_leveldb;

use super::stores::{BrowserDatabase, ChromiumLevelDb, StoreReader};

/// What a file is.
pub(super) enum FileKind {
    /// Or a file that is empty, which is a damaged one.
    Dump,
    /// Storage of a browser.
    Store(&'static dyn StoreReader),
    /// A SQLite database that does not look like storage of a browser.
    Database,
    /// Anything else.
    Other,
}

/// The first page of a database, however large, holds the schema of one with few tables.
const HEAD_BYTES: u64 = 1 << 16;

/// Looks at how a file begins.
pub(super) fn file_kind(path: &Path) -> Result<FileKind> {
    const MAGIC: &[u8] = b"SQLite format 3\0";
    let head = head_of(path, HEAD_BYTES)?;
    Ok(match (head.starts_with(MAGIC), is_named_like_database(path)) {
        (true, is_named) if is_named || names_tables(&head) => FileKind::Store(&BrowserDatabase),
        (true, _) => FileKind::Database,
        (false, _) if could_be_dump(&head) => FileKind::Dump,
        // Damaged from its first byte on.
        (false, true) => FileKind::Store(&BrowserDatabase),
        (false, false) if head.is_empty() => FileKind::Dump,
        (false, false) => FileKind::Other,
    })
}

fn head_of(path: &Path, bytes: u64) -> Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(path)
        .and_then(|file| file.take(bytes).read_to_end(&mut head))
        .map_err(|error| Error::io("reading the file", path, error))?;
    Ok(head)
}

/// Whether names are in it that the schemas of browsers have, and hardly others.
fn names_tables(bytes: &[u8]) -> bool {
    const TABLES: [&str; 5] = ["webappsstore2", "map_entries", "utf16_length", "utf16Length", "ItemTable"];
    TABLES.iter().any(|name| bytes.windows(name.len()).any(|part| part == name.as_bytes()))
}

/// Whether a database may be a browser's: what is said for sure, only its tables say, which takes a copy of it.
pub(super) fn may_hold_local_storage(path: &Path) -> Result<bool> {
    /// Browsers fold it in before it is as large as this.
    const MAX_WAL_BYTES: u64 = 16 << 20;
    if names_tables(&head_of(path, HEAD_BYTES)?) {
        return Ok(true);
    }
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    let wal = Path::new(&wal);
    // The schema of a young database is there alone.
    Ok(wal.is_file() && names_tables(&head_of(wal, MAX_WAL_BYTES)?))
}

/// Whether a file has the name of one in which a browser keeps localStorage in SQLite.
pub(super) fn is_named_like_database(path: &Path) -> bool {
    let name = |path: Option<&Path>| {
        path.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let folder = name(path.parent());
    match &*name(Some(path)) {
        "LocalStorage" | "webappsstore.sqlite" | "ls-archive.sqlite" | "localstorage.sqlite3" => true,
        "data.sqlite" => folder == "ls",
        other => other.ends_with(".localstorage"),
    }
}

/// Whether it is named like what people save dumps as, so that what is wrong with it must be told.
pub(super) fn is_named_like_dump(path: &Path) -> bool {
    const ENDINGS: [&str; 3] = ["json", "ndjson", "jsonl"];
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

/// Whether it is what `WebKit` makes the names of origins' folders from, beside these.
pub(super) fn is_webkit_salt(path: &Path) -> bool {
    if path.file_name().is_none_or(|name| name != "salt") {
        return false;
    }
    let inside = |folder: &Path| {
        let entries = std::fs::read_dir(folder).ok().into_iter().flatten();
        entries.filter_map(|entry| Some(entry.ok()?.path()))
    };
    let is_origins = |folder: &Path| inside(folder).any(|part| part.join("origin").is_file());
    path.parent().is_some_and(|folder| inside(folder).any(|beside| is_origins(&beside)))
}

/// What keeps something of a browser from being read, though it has to do with localStorage.
pub(super) fn why_left_out(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?.to_str()?;
    if name.starts_with("LocalStorage") && name.ends_with("Migrating") {
        return Some("what Chromium left behind when it moved its storage and did not get to the end");
    }
    let is_in = |folder: &str| path.parent().and_then(Path::file_name).is_some_and(|name| name == folder);
    let is_private = name == "private" && is_in("storage") && path.is_dir();
    is_private.then_some("storage of private windows of Firefox: its key is gone with the session")
}

/// Whether a file in a profile is a dump, or lines of dumps, without doubt: only texts under its keys, or whole origins.
/// Browsers keep other JSON.
pub(super) fn is_surely_dump(path: &Path) -> bool {
    const ENDINGS: [&str; 3] = ["json", "ndjson", "txt"];
    /// Of a file of lines: the first one may be damaged.
    const MOST_DUMPS: usize = 2;
    let is_named_so = path.extension().and_then(|it| it.to_str()).is_some_and(|it| ENDINGS.contains(&it));
    if !is_named_so {
        return false;
    }
    let Ok(file) = File::open(path) else { return false };
    let is_sure = |dump: Dump| {
        let has_items = dump.reading.storages.iter().any(|storage| !storage.items.is_empty());
        has_items && !matches!(dump.form, DumpForm::ParsedObject | DumpForm::SingleValue)
    };
    Dumps::new(BufReader::new(file), DumpOptions::default()).take(MOST_DUMPS).flatten().any(is_sure)
}

/// Whether a file belongs to a database beside it, which is read with it.
pub(super) fn is_side_file(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    let of = |ending: &str| name.strip_suffix(ending).map(|database| path.with_file_name(database));
    ["-wal", "-shm", "-journal"].into_iter().find_map(of).is_some_and(|database| database.is_file())
}

/// What a folder is.
pub(super) enum FolderKind {
    /// Storage of a browser.
    Store(&'static dyn StoreReader),
    /// Made by a browser, with storage somewhere below it.
    Browser,
    /// Not made by one, but a folder of one's storage lies in it, as somebody copied it: see [`is_of_storage`].
    Collection,
    /// Anything else; there may be all kinds of things in it.
    Other,
}

/// What a folder is, in which these paths lie: by the names that browsers give and, where many have such names, by content.
pub(super) fn folder_kind(folder: &Path, paths: &[PathBuf]) -> FolderKind {
    let names = || paths.iter().filter_map(|path| path.file_name()?.to_str());
    let has = |wanted: &str| names().any(|name| name == wanted);
    let ends = |ending: &str| names().any(|name| name.ends_with(ending));
    // By name as well, so that one of which every byte is damaged is told to be that.
    let has_manifest = names().any(|name| name.starts_with("MANIFEST-"));
    let may_be_leveldb = has_manifest || ends(".log") || ends(".sst");
    if has_manifest && has("CURRENT") || ends(".ldb") || may_be_leveldb && is_leveldb(folder) {
        return FolderKind::Store(&ChromiumLevelDb);
    }
    // A profile, or the folder of all profiles.
    let has_storage = has("Local Storage")
        || has("LocalStorage")
        || has("webappsstore.sqlite")
        || has("storage") && has_firefox_storage(&folder.join("storage/default"));
    let is_browsers = has_storage && MADE_BESIDE.iter().any(|name| has(name))
        || has("Local State") && paths.iter().any(|path| path.join("Preferences").is_file())
        || has("profiles.ini")
        || has("origin") && has_webkit_origin(folder)
        || is_chromium_without_storage(&has);
    match (is_browsers, has_storage) {
        (true, _) => FolderKind::Browser,
        (false, true) => FolderKind::Collection,
        (false, false) => FolderKind::Other,
    }
}

/// What browsers make beside their storage, in every profile that was used once: one of these is enough.
const MADE_BESIDE: [&str; 20] = [
    "Preferences",
    "Local State",
    "Cookies",
    "Network",
    "Session Storage",
    "IndexedDB",
    "WebStorage",
    "Service Worker",
    "GPUCache",
    "Code Cache",
    "Cache",
    "blob_storage",
    "History",
    "Web Data",
    "EBWebView",
    "prefs.js",
    "places.sqlite",
    "cookies.sqlite",
    "storage.sqlite",
    "times.json",
];

/// Whether a folder inside a [`FolderKind::Collection`] is the browser's own.
pub(super) fn is_of_storage(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| name == "Local Storage" || name == "storage")
}

/// Whether folders in it are those of origins; other programs have a `storage/default` as well.
fn has_firefox_storage(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    let is_origins = |path: &Path| {
        path.join("ls").is_dir() || path.join(".metadata-v2").is_file() || path.join(".metadata").is_file()
    };
    entries.filter_map(|entry| Some(entry.ok()?.path())).any(|path| is_origins(&path))
}

/// Whether a Chromium made a folder in which pages have not stored anything yet: its settings are no dumps, and others of its
/// databases are no localStorage. One that was just started has not written `Preferences` yet.
fn is_chromium_without_storage(has: &impl Fn(&str) -> bool) -> bool {
    let has_one_of = |names: &[&str]| names.iter().any(|name| has(name));
    has("Preferences") && has_one_of(&["Secure Preferences", "History", "Cookies"])
        || has("Local State") && has_one_of(&["Default", "Last Version", "Variations", "Preferences"])
}

/// Whether the file `origin` beside a storage of WebKit is here: two origins, of which the first is enough to tell.
///
/// Each begins with a scheme: the count of characters, low byte first, how they are written (1 is one byte each), and these.
fn has_webkit_origin(folder: &Path) -> bool {
    const LONGEST_SCHEME: u8 = 32;
    let mut head = Vec::new();
    let read = File::open(folder.join("origin")).and_then(|file| file.take(64).read_to_end(&mut head));
    let [length @ 1..=LONGEST_SCHEME, 0, 0, 0, 1, rest @ ..] = &head[..] else {
        return false;
    };
    let is_of_scheme =
        |byte: &u8| byte.is_ascii_lowercase() || matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.');
    read.is_ok() && rest.get(..usize::from(*length)).is_some_and(|scheme| scheme.iter().all(is_of_scheme))
}
