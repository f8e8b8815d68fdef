//! What lies in front of `migrate`, told by content: dumps, and the storage of browsers, which nobody must take for
//! something else even where it cannot be read yet.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::local_storage::dump::could_be_dump;

/// What to do instead of reading what cannot be read yet.
const MAKE_A_DUMP: &str = "make a dump of it: open the site in that browser, in its console run \
    copy(JSON.stringify(localStorage)), paste that into a file, and migrate the file";

/// What a file is.
pub(super) enum Kind {
    /// Or a file that is empty, which is a damaged one.
    Dump,
    /// Of a browser, most likely: what is in it.
    Database(&'static str),
    /// Anything else.
    Other,
}

/// Looks at how a file begins.
pub(super) fn kind_of(path: &Path) -> Result<Kind> {
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

/// What a folder of a browser is, by the names that browsers give and, where many have such names, by content.
pub(super) fn browser_storage(folder: &Path, paths: &[PathBuf]) -> Option<&'static str> {
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
    let is_webkit = ends(".localstorage") || has("localstorage.sqlite3") || has_webkit_origin(folder);
    is_webkit.then_some("localStorage of WebKit or Safari")
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
    Error::new(ErrorKind::Usage, format!("this is {what}, and migrate reads only dumps in text form so far"))
        .at(path)
        .hint(MAKE_A_DUMP)
}
