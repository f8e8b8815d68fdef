//! Taking an existing database out of use, so that a restored one can take its name.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::durable::orphan_neighbours;
use crate::error::{Error, ErrorKind, Result};
use crate::run::Interrupt;
use crate::sqlite::connect::{configure, open_connection};
use crate::sqlite::failure::failure;

/// Refuses a database in rollback mode beside which a WAL with content lies: that WAL belongs to another one.
///
/// SQLite would replay it all the same, and so destroy the database that is to be kept. (It removes a database's
/// own WAL before it takes the database out of WAL mode.) To be asked before any connection to it is open.
///
/// # Errors
/// `Exists` naming the WAL; `Failed` where the database cannot be read.
pub fn refuse_foreign_wal(path: &Path) -> Result<()> {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    let wal = PathBuf::from(wal);
    let has_content = std::fs::symlink_metadata(&wal).is_ok_and(|found| found.len() > 0);
    if !has_content || is_in_wal_mode(path)? {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Exists, "a WAL that is not its own lies beside the target")
        .at(wal)
        .hint("SQLite would replay it into the database there: move it away if it is not needed"))
}

/// Whether the header names a WAL, told without opening the database.
///
/// Source: SQLite, "Database File Format", section 1.3.3.
fn is_in_wal_mode(path: &Path) -> Result<bool> {
    /// Where the header tells the version that a writer must know: 1 for a rollback journal, 2 for a WAL.
    const WRITE_VERSION: usize = 18;
    let mut header = [0; WRITE_VERSION + 1];
    match File::open(path).and_then(|mut file| file.read_exact(&mut header)) {
        Ok(()) => Ok(header[WRITE_VERSION] == 2),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(Error::io("reading the database to be replaced", path, error)),
    }
}

/// An existing database, locked exclusively, with everything it has in its one file.
///
/// The lock is held until this value is dropped.
pub struct RetiredDatabase {
    connection: Connection,
    was_wal: bool,
}

impl RetiredDatabase {
    /// Sees whether the database could be locked now.
    ///
    /// What a killed process left beside it goes the way it goes with any program that opens the database: a hot
    /// journal is rolled back, a WAL folded in.
    ///
    /// # Errors
    /// As [`Self::lock`].
    pub fn check(path: &Path, busy_timeout: Duration, interrupt: &Interrupt) -> Result<()> {
        let checked = || -> Result<()> {
            let is_in_wal_mode = is_in_wal_mode(path)?;
            let connection = open_to_lock(path, busy_timeout, interrupt)?;
            if is_in_wal_mode {
                // An idle connection to a WAL is in nobody's way otherwise.
                connection.execute_batch("PRAGMA locking_mode=EXCLUSIVE").map_err(failure)?;
            }
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
            let _ = self.connection.execute_batch("ROLLBACK; PRAGMA journal_mode=WAL");
        }
    }

    fn try_lock(path: &Path, busy_timeout: Duration, interrupt: &Interrupt) -> Result<Self> {
        // Not in exclusive locking mode, in which SQLite leaves an emptied journal and an old -shm file behind.
        let connection = open_to_lock(path, busy_timeout, interrupt)?;
        let journal_mode =
            |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0)).map_err(failure);
        let was_wal = journal_mode("PRAGMA main.journal_mode")? == "wal";
        let read_schema = || {
            let sql = "SELECT count(*) FROM main.sqlite_schema";
            connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(failure)
        };
        read_schema()?;
        // By way of the mode in which it stays: leaving that one removes what a program with it left.
        for sql in ["PRAGMA main.journal_mode=PERSIST", "PRAGMA main.journal_mode=DELETE"] {
            journal_mode(sql)?;
        }
        // SQLite leaves its journal behind where it could not have the lock on the way, or where the disk failed.
        if orphan_neighbours(path)?
            .iter()
            .any(|left| left.as_os_str().as_encoded_bytes().ends_with(b"-journal"))
        {
            // Which of them it was is told by whether the lock can be had now.
            connection.execute_batch("BEGIN EXCLUSIVE; ROLLBACK").map_err(failure)?;
            let message = "the journal of the database to be replaced cannot be removed";
            return Err(Error::new(ErrorKind::Failed, message)
                .hint("check the disk, its free space and the permissions of the folder"));
        }
        // From here on nothing is written, but for a database without pages SQLite would begin a journal.
        journal_mode("PRAGMA main.journal_mode=MEMORY")?;
        connection.execute_batch("BEGIN EXCLUSIVE").map_err(failure)?;
        // Somebody may have come before the lock was taken.
        if journal_mode("PRAGMA main.journal_mode")? != "memory" {
            return Err(Error::new(
                ErrorKind::Failed,
                "the WAL of the database to be replaced is still in use",
            )
            .hint("check the disk and its free space, and that no program uses the database"));
        }
        Ok(Self { connection, was_wal })
    }
}

fn open_to_lock(path: &Path, busy_timeout: Duration, interrupt: &Interrupt) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let mut connection = open_connection(path, flags)?;
    configure(&mut connection, busy_timeout, interrupt)?;
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
