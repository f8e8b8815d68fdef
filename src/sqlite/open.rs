//! Opening a database to read it, safely: nothing is created, changed or ignored.
//!
//! The file is never opened by anything but SQLite while a connection lives: closing any other descriptor
//! of it would drop this process's locks (SQLite, "How To Corrupt An SQLite Database File", section 2.2).

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::error::{Error, ErrorKind, Result};
use crate::run::{Interrupt, Run};
use crate::sqlite::failure::failure;
use crate::sqlite::not_kept::NotKept;
use crate::sqlite::unchanged::Unchanged;

/// How a database is opened.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// How long to wait for a lock that another process holds.
    pub busy_timeout: Duration,
    /// Whether a file of zero bytes may stand for an empty database.
    pub allow_empty: bool,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { busy_timeout: Duration::from_secs(10), allow_empty: false }
    }
}

/// A database opened read-only, with one read transaction open: everything read from it is one commit.
pub struct Source {
    pub(crate) connection: Connection,
    path: PathBuf,
    unchanged: Unchanged,
    /// What reading rows has shown that a restore cannot rebuild; see [`Self::not_kept_found`].
    pub(crate) not_kept: RefCell<Vec<NotKept>>,
}

impl Source {
    /// Opens the database at `path` and begins its read transaction.
    ///
    /// # Errors
    /// `NotFound` where nothing is there; `Damaged` for what is no database, for a folder, and for a file of
    /// zero bytes unless allowed; `Busy` when it stays locked; `Failed` otherwise.
    pub fn open(path: &Path, options: &OpenOptions, interrupt: &Interrupt) -> Result<Self> {
        check_file(path, options)?;
        let connection = open_read_only(path, options, interrupt)?;
        let unchanged = begin(&connection)
            .and_then(|()| Unchanged::since_now(&connection, path))
            .map_err(|error| error.at(path))?;
        Ok(Self { connection, path: path.to_path_buf(), unchanged, not_kept: RefCell::default() })
    }

    /// Ends the read transaction, so that writers need not wait any longer; nothing may be read after that.
    ///
    /// # Errors
    /// `Failed` if the file was changed by something that knows nothing of SQLite's locks, such as a copy over it:
    /// what was read may be a mixture then.
    pub fn finish(&self) -> Result<()> {
        // Looked at under the lock: from its end on writers may change what they want.
        let unchanged = self.unchanged.check(&self.connection, &self.path);
        self.connection.execute_batch("COMMIT").map_err(|error| failure(error).at(&self.path))?;
        unchanged
    }

    /// As [`Self::open`], and tells when another process makes it wait.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_patiently(path: &Path, options: &OpenOptions, run: Run<'_>) -> Result<Self> {
        const SILENTLY: Duration = Duration::from_secs(1);
        if options.busy_timeout <= SILENTLY {
            return Self::open(path, options, run.interrupt);
        }
        let briefly = OpenOptions { busy_timeout: SILENTLY, ..options.clone() };
        match Self::open(path, &briefly, run.interrupt) {
            Err(error) if error.kind() == ErrorKind::Busy => {}
            opened => return opened,
        }
        let seconds = options.busy_timeout.as_secs();
        run.progress.note(&format!("the database is locked by another process; waiting up to {seconds} s"));
        let rest =
            OpenOptions { busy_timeout: options.busy_timeout.saturating_sub(SILENTLY), ..options.clone() };
        Self::open(path, &rest, run.interrupt)
    }

    /// Where the database is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The size of the database in bytes: pages times page size, as of the transaction.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn size_bytes(&self) -> Result<u64> {
        let pragma =
            |sql: &str| self.connection.query_row(sql, [], |row| row.get::<_, u32>(0)).map_err(failure);
        Ok(u64::from(pragma("PRAGMA page_count")?) * u64::from(pragma("PRAGMA page_size")?))
    }
}

fn begin(connection: &Connection) -> Result<()> {
    // The transaction begins with the first read, not with BEGIN.
    connection.execute_batch("BEGIN").map_err(failure)?;
    let count = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
    count.map(|_| ()).map_err(failure)
}

fn check_file(path: &Path, options: &OpenOptions) -> Result<()> {
    use std::io::ErrorKind as Io;
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if matches!(error.kind(), Io::NotFound | Io::NotADirectory) => {
            return Err(Error::new(ErrorKind::NotFound, "there is no such file")
                .at(path)
                .hint("check the path"));
        }
        Err(error) => return Err(Error::io("looking at the database", path, error)),
    };
    let damaged = |message: &str| Err(Error::new(ErrorKind::Damaged, message).at(path));
    if metadata.is_dir() {
        return damaged("this is a folder, not a SQLite database")
            .map_err(|error| error.hint("a snapshot folder is read with verify, restore and inspect"));
    }
    if !metadata.is_file() {
        return damaged("this is not a regular file (a pipe, socket or device)");
    }
    if metadata.len() == 0 && !options.allow_empty {
        return damaged("the file has zero bytes; SQLite takes that for an empty database, but it is nearly always an accident")
            .map_err(|error| error.hint("if the empty database is meant, say --allow-empty"));
    }
    Ok(())
}

fn open_read_only(path: &Path, options: &OpenOptions, interrupt: &Interrupt) -> Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let mut connection = open_connection(path, flags)?;
    configure(&mut connection, options.busy_timeout, interrupt).map_err(|error| error.at(path))?;
    connection
        .execute_batch(
            // No memory map: another process may truncate the file, which would kill this one.
            "PRAGMA query_only=ON; PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY;",
        )
        .map_err(|error| failure(error).at(path))?;
    Ok(connection)
}

/// Opens a private file of ours to run checks on it, which need a connection that may write.
pub(crate) fn open_to_check(path: &Path, interrupt: &Interrupt) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let mut connection = open_connection(path, flags)?;
    configure(&mut connection, Duration::ZERO, interrupt)?;
    connection.execute_batch("PRAGMA query_only=ON; PRAGMA cell_size_check=ON;").map_err(failure)?;
    Ok(connection)
}

/// Opens a connection without SQLite ever taking the path for a URI.
pub(crate) fn open_connection(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let absolute =
        std::path::absolute(path).map_err(|error| Error::io("finding the database", path, error))?;
    Connection::open_with_flags(absolute, flags).map_err(|error| failure(error).at(path))
}

/// What every connection of this program has: defences against a hostile schema, a wait for locks, and a way
/// to stop long statements.
pub(crate) fn configure(
    connection: &mut Connection,
    busy_timeout: Duration,
    interrupt: &Interrupt,
) -> Result<()> {
    const OPERATIONS_BETWEEN_CHECKS: i32 = 100_000;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).map_err(failure)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false).map_err(failure)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).map_err(failure)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, false).map_err(failure)?;
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
