//! What lies in front of `migrate`, told by content: dumps, and the storage of browsers, which nobody must take for
//! something else even where it cannot be read yet.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::local_storage::dump::could_be_dump;
use crate::local_storage::leveldb::is_leveldb;

use super::stores::{ChromiumLevelDb, StoreReader};

/// What to do instead of reading what cannot be read yet.
const MAKE_A_DUMP: &str = "make a dump of it: open the site in that browser, in its console run \
    copy(JSON.stringify(localStorage)), paste that into a file, and migrate the file";

/// What a file is.
pub(super) enum FileKind {
    /// Or a file that is empty, which is a damaged one.
    Dump,
    /// A database, most likely of a browser, that cannot be read yet: what it is.
    NotYet(&'static str),
    /// Anything else.
    Other,
}

/// Looks at how a file begins.
pub(super) fn file_kind(path: &Path) -> Result<FileKind> {
    const MAGIC: &[u8] = b"SQLite format 3\0";
    /// The first page of a database, however large, holds the schema of one with few tables.
    const HEAD_BYTES: u64 = 1 << 16;
    let mut head = Vec::new();
    File::open(path)
        .and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head))
        .map_err(|error| Error::io("reading the file", path, error))?;
    if !head.starts_with(MAGIC) {
        return Ok(if head.is_empty() || could_be_dump(&head) { FileKind::Dump } else { FileKind::Other });
    }
    let has = |name: &str| head.windows(name.len()).any(|part| part == name.as_bytes());
    Ok(FileKind::NotYet(if has("webappsstore2") {
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

/// What a folder is.
pub(super) enum FolderKind {
    /// Storage of a browser.
    Store(&'static dyn StoreReader),
    /// Made by a browser, with storage somewhere below it.
    Browser,
    /// Storage of a browser that cannot be read yet: what it is.
    NotYet(&'static str),
    /// Anything else; there may be all kinds of things in it.
    Other,
}

/// What a folder is, in which these paths lie: by the names that browsers give and, where many have such names, by content.
pub(super) fn folder_kind(folder: &Path, paths: &[PathBuf]) -> FolderKind {
    let names = || paths.iter().filter_map(|path| path.file_name()?.to_str());
    let has = |wanted: &str| names().any(|name| name == wanted);
    let ends = |ending: &str| names().any(|name| name.ends_with(ending));
    // By name as well, so that one of which every byte is damaged is told to be that.
    let is_named_like_leveldb = has("CURRENT") && names().any(|name| name.starts_with("MANIFEST-"));
    if is_named_like_leveldb || ends(".ldb") || is_leveldb(folder) {
        return FolderKind::Store(&ChromiumLevelDb);
    }
    if matches!(file_kind(&folder.join("LocalStorage")), Ok(FileKind::NotYet(_))) {
        return FolderKind::NotYet("localStorage of Chromium (SQLite)");
    }
    if has("webappsstore.sqlite") || folder.join("storage/default").is_dir() {
        return FolderKind::NotYet("a profile of Firefox");
    }
    if ends(".localstorage") || has("localstorage.sqlite3") || has_webkit_origin(folder) {
        return FolderKind::NotYet("localStorage of WebKit or Safari");
    }
    // A profile, or the folder of all profiles.
    let is_browsers = has("Local Storage")
        || has("Local State") && paths.iter().any(|path| path.join("Preferences").is_file());
    if is_browsers { FolderKind::Browser } else { FolderKind::Other }
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

/// The refusal of what is known and not read yet.
pub(super) fn not_yet(what: &str, path: &Path) -> Error {
    Error::new(ErrorKind::Usage, format!("this is {what}, which migrate cannot read yet"))
        .at(path)
        .hint(MAKE_A_DUMP)
}
