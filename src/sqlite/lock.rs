//! Taking an existing database out of use, so that a restored one can take its name.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::{Error, ErrorKind, Result};
use crate::run::Interrupt;
use crate::sqlite::failure::failure;
use crate::sqlite::open::{configure, open_connection};

/// Refuses a database in rollback mode beside which a WAL with content lies: that WAL belongs to another one.
///
/// SQLite would replay it all the same, and so destroy the database that is to be kept. (It removes a database's
/// own WAL before it takes the database out of WAL mode.) To be asked before any connection to it is open.
///
/// # Errors
/// `Exists` naming the WAL; `Failed` where the database cannot be read.
pub fn refuse_foreign_wal(path: &Path) -> Result<()> {
    /// Where the header tells the version a writer must know: 1 for a rollback journal, 2 for a WAL.
    const WRITE_VERSION: usize = 18;
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    let wal = PathBuf::from(wal);
    if !std::fs::symlink_metadata(&wal).is_ok_and(|found| found.len() > 0) {
        return Ok(());
    }
    let mut header = [0; WRITE_VERSION + 1];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    match read {
        Ok(()) if header[WRITE_VERSION] == 2 => Ok(()),
        Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
            Err(Error::io("reading the database to be replaced", path, error))
        }
        _ => Err(Error::new(ErrorKind::Exists, "a WAL that is not its own lies beside the target")
            .at(wal)
            .hint("SQLite would replay it into the database there: move it away if it is not needed")),
    }
}

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
        // In exclusive locking mode SQLite would leave an emptied journal or an old -shm file behind.
        connection
            .query_row("SELECT count(*) FROM main.sqlite_schema", [], |row| row.get::<_, i64>(0))
            .map_err(failure)?;
        let mode = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0)).map_err(failure);
        mode("PRAGMA main.journal_mode=DELETE")?;
        // From here on nothing is written, but for a database without pages SQLite would begin a journal.
        mode("PRAGMA main.journal_mode=MEMORY")?;
        connection.execute_batch("BEGIN EXCLUSIVE").map_err(failure)?;
        // Somebody may have come before the lock was taken.
        if mode("PRAGMA main.journal_mode")? != "memory" {
            return Err(Error::new(ErrorKind::Busy, "the database's WAL cannot be folded in"));
        }
        Ok(Self { connection, path: path.to_path_buf() })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}
