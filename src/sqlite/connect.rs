//! Connections, and what each of this program has: defences against a hostile schema, limits, a wait for locks.
//!
//! No other module opens a connection to a file.

use std::ffi::CStr;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};

use crate::error::{Error, Result};
use crate::run::Interrupt;
use crate::sqlite::authorizer::authorize;
use crate::sqlite::failure::failure;
use crate::sqlite::modules::{WITH_TABLES, keep_modules};
use crate::sqlite::read_ahead::read_ahead;
use crate::sqlite::read_only_vfs::{Sharing, read_only_vfs};

/// Opens a connection that rows of a database are read from; nothing is created or changed.
///
/// # Errors
/// What SQLite says.
pub(super) fn open_read_only(
    path: &Path,
    busy_timeout: Duration,
    interrupt: &Interrupt,
) -> Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let mut connection = open_connection(path, flags)?;
    configure(&mut connection, busy_timeout, interrupt)
        .and_then(|()| configure_to_read(&connection))
        .map_err(|error| error.at(path))?;
    Ok(connection)
}

/// What every connection has that rows of a database are read from.
pub(super) fn configure_to_read(connection: &Connection) -> Result<()> {
    connection
        .execute_batch(
            // No memory map: another process may truncate the file, which would kill this one.
            "PRAGMA query_only=ON; PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY;",
        )
        .map_err(failure)?;
    read_ahead(connection);
    Ok(())
}

/// SQLite's own default.
const LEAST_CACHE_KIB: u64 = 2_000;

/// Opens a database a second time to run checks on it, which need a connection that may write in SQLite's eyes.
///
/// Not in the system's eyes: the file is opened for reading only, wherever SQLite can be made to do so. A source
/// that is open already keeps everybody from writing meanwhile.
pub(crate) fn open_to_check(path: &Path, sharing: Sharing, interrupt: &Interrupt) -> Result<Connection> {
    let connection = open_to_check_in(path, read_only_vfs(sharing), interrupt)?;
    if sharing == Sharing::Alone {
        connection.execute_batch("PRAGMA locking_mode=EXCLUSIVE;").map_err(failure)?;
    }
    Ok(connection)
}

/// As [`open_to_check`], for a private file that this program has just built; with `cache_bytes` of it in memory.
pub(crate) fn open_own_to_check(path: &Path, cache_bytes: u64, interrupt: &Interrupt) -> Result<Connection> {
    let connection = open_to_check_in(path, read_only_vfs(Sharing::Locked), interrupt)?;
    // What is checked of every page by the check itself need not be checked again whenever it is read.
    let pragmas = format!(
        "PRAGMA cache_size=-{}; PRAGMA cell_size_check=OFF;",
        (cache_bytes / 1024).max(LEAST_CACHE_KIB)
    );
    connection.execute_batch(&pragmas).map_err(failure)?;
    Ok(connection)
}

fn open_to_check_in(path: &Path, vfs: Option<&CStr>, interrupt: &Interrupt) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let mut connection = match vfs {
        Some(vfs) => open_in(path, flags, vfs)?,
        None => open_connection(path, flags)?,
    };
    configure(&mut connection, Duration::ZERO, interrupt)?;
    connection
        .execute_batch("PRAGMA query_only=ON; PRAGMA cell_size_check=ON; PRAGMA mmap_size=0;")
        .map_err(failure)?;
    read_ahead(&connection);
    Ok(connection)
}

/// Opens the database with a file system other than the default one; see [`read_only_vfs`].
pub(super) fn open_in(path: &Path, flags: OpenFlags, vfs: &CStr) -> Result<Connection> {
    let absolute =
        std::path::absolute(path).map_err(|error| Error::io("finding the database", path, error))?;
    Connection::open_with_flags_and_vfs(absolute, flags, vfs).map_err(|error| failure(error).at(path))
}

/// Opens a connection without SQLite ever taking the path for a URI.
pub(crate) fn open_connection(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let absolute =
        std::path::absolute(path).map_err(|error| Error::io("finding the database", path, error))?;
    Connection::open_with_flags(absolute, flags).map_err(|error| failure(error).at(path))
}

/// Nothing of another program's schema runs by itself, and nothing of it is trusted. A view is never looked into,
/// not even to learn its columns. (Double-quoted strings stay: honest schemas have them.)
const SETTINGS: [(DbConfig, bool); 8] = [
    (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
    (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, false),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, false),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_CREATE, false),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_WRITE, false),
];

/// What no statement of this program needs, however large the database. (A program of that many operations takes
/// 240 MB. Columns computed from columns computed from columns can make one that doubles with each.)
const LIMITS: [(Limit, i32); 4] = [
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 1),
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    (Limit::SQLITE_LIMIT_VDBE_OP, 10_000_000),
];

/// What every connection of this program has: defences against a hostile schema, a wait for locks, and a way
/// to stop long statements.
pub(crate) fn configure(
    connection: &mut Connection,
    busy_timeout: Duration,
    interrupt: &Interrupt,
) -> Result<()> {
    for (setting, on) in SETTINGS {
        connection.set_db_config(setting, on).map_err(failure)?;
    }
    for (limit, most) in LIMITS {
        connection.set_limit(limit, most).map_err(failure)?;
    }
    keep_modules(connection, WITH_TABLES)?;
    authorize(connection)?;
    wait_and_stop(connection, busy_timeout, interrupt)
}

/// Makes a connection wait for locks as long as asked, and end what it does when the run is interrupted.
pub(super) fn wait_and_stop(
    connection: &mut Connection,
    busy_timeout: Duration,
    interrupt: &Interrupt,
) -> Result<()> {
    const OPERATIONS_BETWEEN_CHECKS: i32 = 100_000;
    let stop = interrupt.clone();
    connection.progress_handler(OPERATIONS_BETWEEN_CHECKS, Some(move || stop.is_set())).map_err(failure)?;
    let stop = interrupt.clone();
    let mut since = Instant::now();
    let wait = move |tries: i32| {
        if tries == 0 {
            since = Instant::now();
        }
        if stop.is_set() || since.elapsed() >= busy_timeout {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
        true
    };
    connection.busy_handler(Some(wait)).map_err(failure)
}
