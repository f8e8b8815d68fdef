//! Reading a database as it would be after SQLite's recovery, without leaving a trace beside it.
//!
//! For databases that are not ours to change: whoever verifies a backup wants the backup as it was. Nothing of what is
//! given is written, made, removed or locked for longer than reading takes:
//!
//! - in rollback mode, with nothing beside it, the file is read in place under SQLite's locks;
//! - in WAL mode, with nothing beside it, it is read in place without any, since SQLite would make a `-wal` and a
//!   `-shm`; in the end it must look as in the beginning;
//! - with a `-wal` or `-journal` that is not empty, or with a `-shm`, a private copy of all of it is read, in which SQLite
//!   first recovers what there is to recover.
//!
//! `export` reads a live database in another way, in place and under its locks: never use this one for it unless there is
//! no other.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::OpenFlags;

use crate::durable::Stage;
use crate::error::{Error, ErrorKind, Result};
use crate::run::Run;
use crate::sqlite::connect::{configure, configure_to_read, open_connection, open_in};
use crate::sqlite::failure::failure;
use crate::sqlite::looks::Looks;
use crate::sqlite::main_file::read_file_header;
use crate::sqlite::open::{OpenOptions, Reading, Source, check_file};
use crate::sqlite::private_copy::{copy_privately, find_side_files, real_path};
use crate::sqlite::read_only_vfs::{Sharing, read_only_vfs};

impl Source {
    /// Opens the database at `path` as SQLite would find it after its recovery, without touching it.
    ///
    /// A private copy, where one is needed, goes into `temp_folder`; into the database's own folder, or else the system's
    /// temporary one, where that is `None`. It lives as long as the source. [`Source::finish`] has to be called after
    /// the last read: it says whether the file was left alone meanwhile.
    ///
    /// # Errors
    /// Those of [`Source::open`]; `Busy` where other processes go on changing the files for longer than the busy
    /// timeout; `Failed` where there is no room for a copy.
    pub fn open_untouched(
        path: &Path,
        options: &OpenOptions,
        temp_folder: Option<&Path>,
        run: Run<'_>,
    ) -> Result<Self> {
        check_file(path, options)?;
        let real = real_path(path)?;
        if find_side_files(&real)?.is_none() {
            let opened = Self::open_in_place(path, &real, options, run);
            match opened {
                Ok(Some(source)) => return Ok(source),
                // Somebody else has begun to write since.
                Ok(None) => {}
                Err(_) if find_side_files(&real)?.is_some() => {}
                Err(error) => return Err(error),
            }
        }
        Self::open_copy(path, options, temp_folder, run)
    }

    /// As [`Self::open_untouched`], but always by way of a private copy, however the database lies there.
    ///
    /// # Errors
    /// As [`Self::open_untouched`].
    pub fn open_copy(
        path: &Path,
        options: &OpenOptions,
        temp_folder: Option<&Path>,
        run: Run<'_>,
    ) -> Result<Self> {
        check_file(path, options)?;
        let (copy, stage) = copy_privately(path, options.busy_timeout, temp_folder, run)?;
        let source = recover(&copy, run).and_then(|()| Self::of_copy(copy, stage, path, run));
        // What is wrong with the copy is wrong with the database.
        source.map_err(|error| error.instead_at(path))
    }

    /// Opens a private copy in which nothing is left to recover, in place of the database at `path`.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(super) fn of_copy(copy: PathBuf, stage: Stage, path: &Path, run: Run<'_>) -> Result<Self> {
        let open = OpenOptions { busy_timeout: Duration::ZERO, allow_empty: true };
        let mut source = Self::open(&copy, &open, run.interrupt)?;
        source.path = path.to_path_buf();
        source.still = None;
        source.reading = Reading::Copy(copy, stage);
        Ok(source)
    }

    /// `None` where only a copy can be read without a trace.
    fn open_in_place(path: &Path, real: &Path, options: &OpenOptions, run: Run<'_>) -> Result<Option<Self>> {
        if !is_in_wal_mode(real)? {
            return Self::open_patiently(path, options, run).map(Some);
        }
        let Some(vfs) = read_only_vfs(Sharing::Alone) else { return Ok(None) };
        let still = Looks::of(real);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_EXRESCODE;
        let mut connection = open_in(path, flags, vfs)?;
        configure(&mut connection, Duration::ZERO, run.interrupt)
            .and_then(|()| {
                connection.execute_batch("PRAGMA locking_mode=EXCLUSIVE").map_err(failure)?;
                configure_to_read(&connection)
            })
            .map_err(|error| error.at(path))?;
        let source = Self::of(connection, path, still, Reading::Alone);
        source.begin().map_err(|error| error.at(path))?;
        Ok(if source.refuse_other_users().is_ok() { Some(source) } else { None })
    }

    /// Fails where the file is read as if nobody else had it, and somebody has.
    pub(super) fn refuse_other_users(&self) -> Result<()> {
        if !matches!(self.reading, Reading::Alone) {
            return Ok(());
        }
        let real = real_path(&self.path)?;
        if Looks::of(&real) == self.still && find_side_files(&real)?.is_none() {
            return Ok(());
        }
        Err(busy("another process began to write to the database while it was read", &self.path))
    }

    /// Which file SQLite's checks are run on, and how.
    pub(super) fn file_to_check(&self) -> (&Path, Sharing) {
        match &self.reading {
            Reading::Locked => (&self.path, Sharing::Locked),
            Reading::Alone => (&self.path, Sharing::Alone),
            Reading::Copy(copy, _) => (copy, Sharing::Locked),
        }
    }
}

/// The error of a database that is not left alone for long enough.
pub(super) fn busy(message: &str, path: &Path) -> Error {
    Error::new(ErrorKind::Busy, message).at(path).hint(
        "wait longer with --busy-timeout, or read it with `parklite export`, which takes a live database as it is",
    )
}

/// Whether the header names a WAL. Nothing is locked and nothing is made for this.
///
/// Source: SQLite, "Database File Format", section 1.3.3.
fn is_in_wal_mode(path: &Path) -> Result<bool> {
    const WRITE_VERSION: usize = 18;
    const READ_VERSION: usize = 19;
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let header = read_file_header(&open_connection(path, flags)?).map_err(|error| error.at(path))?;
    Ok(header[WRITE_VERSION] == 2 || header[READ_VERSION] == 2)
}

/// Lets SQLite do in a private copy what it does when a database is opened after a crash.
///
/// # Errors
/// What SQLite says.
pub(super) fn recover(copy: &Path, run: Run<'_>) -> Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let mut connection = open_connection(copy, flags)?;
    configure(&mut connection, Duration::ZERO, run.interrupt)?;
    // Reading anything rolls a journal back, and closing the last connection folds the WAL in.
    connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))
        .map_err(failure)?;
    connection.close().map_err(|(_, error)| failure(error))
}

/// Waits a moment between two attempts; false once `busy_timeout` has passed.
pub(super) fn may_try_again(since: Instant, busy_timeout: Duration, run: Run<'_>) -> Result<bool> {
    const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(20);
    run.interrupt.check()?;
    if since.elapsed() >= busy_timeout {
        return Ok(false);
    }
    std::thread::sleep(BETWEEN_ATTEMPTS);
    Ok(true)
}

#[cfg(test)]
mod tests;
