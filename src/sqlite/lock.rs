//! Taking an existing database out of use, so that a restored one can take its name.

use std::path::{Path, PathBuf};
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
    #[expect(dead_code, reason = "holds SQLite's lock until it is dropped")]
    connection: Connection,
    path: PathBuf,
}

impl RetiredDatabase {
    /// Locks the database at `path` against everybody, rolls back a hot journal, folds its WAL in.
    ///
    /// # Errors
    /// `Busy` with the remedy if another process uses it; `Exists` if the file is no database; what SQLite says.
    pub fn lock(path: &Path, busy_timeout: Duration, interrupt: &Interrupt) -> Result<Self> {
        let locked = Self::try_lock(path, busy_timeout, interrupt);
        locked.map_err(|error| match error.kind() {
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
        })
    }

    fn try_lock(path: &Path, busy_timeout: Duration, interrupt: &Interrupt) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_EXRESCODE;
        let mut connection = open_connection(path, flags)?;
        configure(&mut connection, busy_timeout, interrupt)?;
        // Exclusive locking comes first, so that the WAL is folded in without a shared index file.
        connection.execute_batch("PRAGMA locking_mode=EXCLUSIVE").map_err(failure)?;
        set_journal_mode(&connection, "delete")?;
        // Under exclusive locking SQLite only blanks a journal; leaving the persistent mode removes it, be it from
        // folding in the WAL, from rolling back, or kept by a program that reuses its journal.
        connection.execute_batch("PRAGMA locking_mode=NORMAL").map_err(failure)?;
        set_journal_mode(&connection, "persist")?;
        set_journal_mode(&connection, "delete")?;
        connection.execute_batch("BEGIN EXCLUSIVE").map_err(failure)?;
        // Readers of a WAL would not respect this lock.
        if journal_mode(&connection, "PRAGMA main.journal_mode")? != "delete" {
            return Err(not_folded_in());
        }
        connection
            .query_row("SELECT count(*) FROM main.sqlite_schema", [], |row| row.get::<_, i64>(0))
            .map_err(failure)?;
        Ok(Self { connection, path: path.to_path_buf() })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn set_journal_mode(connection: &Connection, mode: &str) -> Result<()> {
    if journal_mode(connection, &format!("PRAGMA main.journal_mode={mode}"))? != mode {
        return Err(not_folded_in());
    }
    Ok(())
}

fn journal_mode(connection: &Connection, pragma: &str) -> Result<String> {
    connection.query_row(pragma, [], |row| row.get(0)).map_err(failure)
}

/// Another process in the way is an error of its own, at least as a rule.
fn not_folded_in() -> Error {
    Error::new(ErrorKind::Failed, "the WAL of the database to be replaced could not be folded into it")
        .hint("check the disk and its free space, and that no program uses the database; it is as it was")
}
