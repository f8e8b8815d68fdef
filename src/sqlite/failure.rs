//! What SQLite's result codes mean to a user: kind, and what to do next.

use std::ffi::{CStr, c_int};

use rusqlite::{Connection, ffi};

use crate::error::{Error, ErrorKind};

/// What to do about a damaged database.
pub(crate) const RECOVER_HINT: &str =
    "restore it from a backup, or try the `.recover` command of SQLite's shell";

/// What is wrong where two rows of a snapshot have one key.
pub(crate) const BROKEN_KEY: &str = "a row breaks a key that it did not break in the source";

/// Turns a failed call of rusqlite into an error.
pub(crate) fn failure(error: rusqlite::Error) -> Error {
    match &error {
        rusqlite::Error::SqliteFailure(code, message) => {
            let text = message.clone().unwrap_or_else(|| code.to_string());
            failure_of_code(code.extended_code, text)
        }
        rusqlite::Error::SqlInputError { error: code, msg, .. } => {
            failure_of_code(code.extended_code, msg.clone())
        }
        _ => Error::new(ErrorKind::Failed, "SQLite failed").because(error),
    }
}

/// Turns an (extended) result code and SQLite's message into an error.
///
/// Source: SQLite, "Result and Error Codes".
pub(crate) fn failure_of_code(code: c_int, message: String) -> Error {
    let (kind, text, hint) = match (code, code & 0xff) {
        (ffi::SQLITE_ERROR, _) if message == "unsupported file format" => (
            ErrorKind::Damaged,
            "the database has a schema format that SQLite does not know",
            Some("its header is damaged, or a newer SQLite is needed"),
        ),
        (_, ffi::SQLITE_NOTADB) => (
            ErrorKind::Damaged,
            "the file is not a SQLite database, or it is encrypted",
            Some("an encrypted database must be decrypted with its own tool first"),
        ),
        (ffi::SQLITE_IOERR_SHORT_READ, _) => {
            (ErrorKind::Damaged, "the database is shorter than its header says", Some(RECOVER_HINT))
        }
        (_, ffi::SQLITE_CORRUPT) => (ErrorKind::Damaged, "the database is damaged", Some(RECOVER_HINT)),
        (_, ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED | ffi::SQLITE_PROTOCOL) => (
            ErrorKind::Busy,
            "the database is locked by another process",
            Some("try again later, close the program that uses it, or wait longer with --busy-timeout"),
        ),
        (
            ffi::SQLITE_READONLY_ROLLBACK | ffi::SQLITE_READONLY_RECOVERY | ffi::SQLITE_READONLY_CANTINIT,
            _,
        ) => (
            ErrorKind::Failed,
            "the database was not closed cleanly and cannot be recovered read-only",
            Some("open it once with its own program or SQLite's shell, so that SQLite recovers it"),
        ),
        (_, ffi::SQLITE_READONLY) => (
            ErrorKind::Failed,
            "the database cannot be written to",
            Some(
                "check the permissions of the file and its folder, and whether the disk is mounted read-only",
            ),
        ),
        (_, ffi::SQLITE_CANTOPEN) => (
            ErrorKind::Failed,
            "the database cannot be opened",
            Some("check its permissions; a database in WAL mode also needs a folder that can be written"),
        ),
        (_, ffi::SQLITE_FULL) => (
            ErrorKind::Failed,
            "the disk is full",
            Some("free some space, or write to another disk; --temp-dir moves temporary files"),
        ),
        (_, ffi::SQLITE_CONSTRAINT) => (ErrorKind::Mismatch, BROKEN_KEY, None),
        (_, ffi::SQLITE_INTERRUPT) => {
            (ErrorKind::Interrupted, "interrupted; nothing partial was published", None)
        }
        (_, ffi::SQLITE_NOMEM) => (
            ErrorKind::Failed,
            "SQLite ran out of memory",
            Some("very large cells take several times their size: allow more, as in --memory-limit 4GiB"),
        ),
        (_, ffi::SQLITE_TOOBIG) => (ErrorKind::Failed, "a value is larger than SQLite's limit", None),
        (ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_SHMSIZE, _) => (
            ErrorKind::Failed,
            "writing the database failed",
            Some("check the disk, its free space and quota, and the limit on file sizes (`ulimit -f`)"),
        ),
        (_, ffi::SQLITE_IOERR) => (ErrorKind::Failed, "reading or writing the database failed", None),
        _ => (ErrorKind::Failed, "SQLite failed", None),
    };
    let error = Error::new(kind, text).because(SqliteMessage { message: shortened(message), code });
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// Turns the result code of a call on `connection` into an error, in SQLite's words.
#[expect(unsafe_code, reason = "copies a message out of SQLite")]
pub(super) fn last_failure(connection: &Connection, code: c_int) -> Error {
    // SAFETY: the connection is open; the message is copied before any further call on it.
    let message = unsafe {
        let text = ffi::sqlite3_errmsg(connection.handle());
        if text.is_null() { String::new() } else { CStr::from_ptr(text).to_string_lossy().into_owned() }
    };
    failure_of_code(code, message)
}

/// SQLite repeats names in its messages, and those of a hostile schema may be megabytes long.
fn shortened(message: String) -> String {
    const MOST_BYTES: usize = 1_000;
    if message.len() <= MOST_BYTES {
        return message;
    }
    format!("{}…", &message[..message.floor_char_boundary(MOST_BYTES)])
}

/// SQLite's own words and result code.
#[derive(Debug)]
pub(crate) struct SqliteMessage {
    message: String,
    code: c_int,
}

impl std::fmt::Display for SqliteMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (SQLite code {})", self.message, self.code)
    }
}

impl std::error::Error for SqliteMessage {}

/// SQLite's extended result code behind an error, where it has one.
pub(crate) fn extended_code(error: &Error) -> Option<c_int> {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<SqliteMessage>());
    source.map(|source| source.code)
}

/// Whether memory or disk did not suffice, or failed: that says nothing of what was read or written.
pub(crate) fn is_of_machine(error: &Error) -> bool {
    extended_code(error).is_some_and(|code| {
        matches!(code & 0xff, ffi::SQLITE_NOMEM | ffi::SQLITE_FULL)
            || (code & 0xff == ffi::SQLITE_IOERR && code != ffi::SQLITE_IOERR_SHORT_READ)
    })
}

/// SQLite's own words behind an error, where it has any.
pub(crate) fn sqlite_message(error: &Error) -> String {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<SqliteMessage>());
    source.map_or_else(|| error.to_string(), |source| source.message.clone())
}
