//! Taking an existing database out of use, so that a restored one can take its name.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::{Error, ErrorKind, Result};
use crate::run::Interrupt;
use crate::sqlite::failure::failure;
use crate::sqlite::open::{configure, open_connection};

/// An existing database, locked exclusively, with everything it has in its one file.
///
/// The lock is held until this value is dropped.
pub struct RetiredDatabase {
    connection: Connection,
    was_wal: bool,
}

impl RetiredDatabase {
    /// Sees whether the database could be locked now, and changes nothing.
    ///
    /// # Errors
    /// As [`Self::lock`].
    pub fn check(path: &Path, busy_timeout: Duration, interrupt: &Interrupt) -> Result<()> {
        let checked = || -> Result<()> {
            let connection = open_exclusively(path, busy_timeout, interrupt)?;
            connection.execute_batch("BEGIN EXCLUSIVE; ROLLBACK").map_err(failure)
        };
        checked().map_err(|error| refusal(path, error))
    }

    /// Locks the database at `path` against everybody, rolls back a hot journal, folds its WAL in.
    ///
    /// # Errors
    /// `Busy` with the remedy if another process uses it; `Exists` if the file is no database; what SQLite says.
    pub fn lock(path: &Path, busy_timeout: Duration, interrupt: &Interrupt) -> Result<Self> {
        Self::try_lock(path, busy_timeout, interrupt).map_err(|error| refusal(path, error))
    }

    /// Ends the lock after a replacement that failed, and puts a WAL-mode database back into WAL mode.
    pub fn give_back(self) {
        if self.was_wal {
            // The failure that is already under way is what counts; without this the database works as well.
            let _ = self
                .connection
                .execute_batch("ROLLBACK; PRAGMA locking_mode=NORMAL; PRAGMA journal_mode=WAL");
        }
    }

    fn try_lock(path: &Path, busy_timeout: Duration, interrupt: &Interrupt) -> Result<Self> {
        let connection = open_exclusively(path, busy_timeout, interrupt)?;
        let journal_mode =
            |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0)).map_err(failure);
        let was_wal = journal_mode("PRAGMA main.journal_mode")? == "wal";
        if journal_mode("PRAGMA main.journal_mode=DELETE")? != "delete" {
            return Err(Error::new(ErrorKind::Busy, "the database's WAL cannot be folded in"));
        }
        connection.execute_batch("BEGIN EXCLUSIVE").map_err(failure)?;
        connection
            .query_row("SELECT count(*) FROM main.sqlite_schema", [], |row| row.get::<_, i64>(0))
            .map_err(failure)?;
        Ok(Self { connection, was_wal })
    }
}

fn open_exclusively(path: &Path, busy_timeout: Duration, interrupt: &Interrupt) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let mut connection = open_connection(path, flags)?;
    configure(&mut connection, busy_timeout, interrupt)?;
    // Before anything is read, so that a WAL is folded in without a shared index file.
    connection.execute_batch("PRAGMA locking_mode=EXCLUSIVE").map_err(failure)?;
    Ok(connection)
}

fn refusal(path: &Path, error: Error) -> Error {
    match error.kind() {
        ErrorKind::Busy => {
            Error::new(ErrorKind::Busy, "the database to be replaced is in use by another process")
                .at(path)
                .hint("close the program that uses it and try again, or wait longer with --busy-timeout")
                .because(error)
        }
        ErrorKind::Damaged => {
            Error::new(ErrorKind::Exists, "the target is not a healthy SQLite database; it is left alone")
                .at(path)
                .hint("restore to another name, or move that file away yourself")
                .because(error)
        }
        _ => error.at(path),
    }
}
