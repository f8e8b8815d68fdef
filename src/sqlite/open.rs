//! Opening a database to read it, safely: nothing is created, changed or ignored.
//!
//! The file is never opened by anything but SQLite while a connection lives: closing any other descriptor
//! of it would drop this process's locks (SQLite, "How To Corrupt An SQLite Database File", section 2.2).

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use crate::durable::Stage;
use crate::error::{Error, ErrorKind, Result};
use crate::run::{Interrupt, Run};
use crate::schema::Table;
use crate::sqlite::connect::open_read_only;
use crate::sqlite::failure::failure;
use crate::sqlite::looks::Looks;
use crate::sqlite::not_kept::{NotKept, read_unknown_collations};
use crate::sqlite::wal_index::{FoldedIn, LastCommit, folded_in, last_commit};

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
    pub(super) path: PathBuf,
    /// What the file must still look like in the end; `None` where nobody else can know of it.
    pub(super) still: Option<Looks>,
    /// How far the WAL was folded in when the transaction began.
    folded_in: FoldedIn,
    /// The commit that the transaction sees, in WAL mode; `None` where that is not known.
    seen: Option<LastCommit>,
    pub(super) reading: Reading,
    /// What reading rows has shown that a restore cannot rebuild; see [`Self::not_kept_found`].
    pub(super) not_kept: RefCell<Vec<NotKept>>,
}

/// Which file is read in place of the one that was named, and how. A private copy goes when the source does.
#[derive(Debug)]
pub(super) enum Reading {
    /// The file itself, under SQLite's locks.
    Locked,
    /// The file itself, as if nobody else had it.
    Alone,
    /// A private copy of it at this path.
    Copy(PathBuf, #[expect(dead_code, reason = "removes the copy when it is dropped")] Stage),
}

impl Source {
    /// Opens the database at `path` and begins its read transaction.
    ///
    /// # Errors
    /// `NotFound` where nothing is there; `Damaged` for what is no database, for a folder, and for a file of
    /// zero bytes unless allowed; `Busy` when it stays locked; `Failed` otherwise.
    pub fn open(path: &Path, options: &OpenOptions, interrupt: &Interrupt) -> Result<Self> {
        check_file(path, options)?;
        let before = Looks::of(path);
        let connection = open_read_only(path, options.busy_timeout, interrupt)?;
        let mut source = Self::of(connection, path, None, Reading::Locked);
        source.begin().map_err(|error| error.at(path))?;
        source.seen = source.begin_again().map_err(|error| error.at(path))?;
        // In this order: what is folded in after the first look counts as begun.
        source.folded_in = folded_in(&source.connection).map_err(|error| error.at(path))?;
        source.still = Looks::since(before, path);
        Ok(source)
    }

    /// Opens a private file that this program has just built.
    ///
    /// # Errors
    /// What SQLite says.
    pub(crate) fn open_own(path: &Path, interrupt: &Interrupt) -> Result<Self> {
        let connection = open_read_only(path, Duration::ZERO, interrupt)?;
        let source = Self::of(connection, path, None, Reading::Locked);
        source.begin().map_err(|error| error.at(path))?;
        Ok(source)
    }

    pub(super) fn of(connection: Connection, path: &Path, still: Option<Looks>, reading: Reading) -> Self {
        let not_kept = RefCell::default();
        Self {
            connection,
            path: path.to_path_buf(),
            still,
            folded_in: FoldedIn::NoWal,
            seen: None,
            reading,
            not_kept,
        }
    }

    /// Ends the read transaction, so that writers need not wait any longer; nothing may be read after that.
    ///
    /// # Errors
    /// `Failed` if the file was changed by something that knows nothing of SQLite's locks, such as a copy over it:
    /// what was read may be a mixture then.
    pub fn finish(&self) -> Result<()> {
        self.refuse_other_users()?;
        // Looked at under the lock: from its end on writers may change what they want.
        let changed = self.was_changed_without_locks();
        // Nothing was written. After a finding of damage, SQLite would refuse a COMMIT.
        self.connection.execute_batch("ROLLBACK").map_err(|error| failure(error).at(&self.path))?;
        if !changed.map_err(|error| error.at(&self.path))? {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Failed,
            "the database was changed without SQLite's locks while it was read",
        )
        .at(&self.path)
        .hint("export again when nothing copies to this file or synchronises it"))
    }

    /// Whether the file is another one than when the transaction began, though no user of SQLite may have changed it.
    ///
    /// A reader lets others change it in one way only: they may fold in the part of a WAL that it sees. They say so in
    /// the WAL's shared memory before they begin. What happens beside such a fold-in is not noticed.
    fn was_changed_without_locks(&self) -> Result<bool> {
        let (Some(before), Some(now)) = (&self.still, Looks::of(&self.path)) else { return Ok(false) };
        // A file that was replaced or removed was read to its end all the same: it stayed open.
        if before.identity != now.identity || *before == now {
            return Ok(false);
        }
        let folded_in = folded_in(&self.connection)?;
        Ok(folded_in == self.folded_in && folded_in != FoldedIn::Unknown)
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

    /// Where the database is that was asked for; what is read may be a private copy of it.
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

    /// Begins the transaction anew between two looks at which commit is the last: where they agree, the transaction sees
    /// that one.
    fn begin_again(&self) -> Result<Option<LastCommit>> {
        let Some(before) = self.last_commit()? else { return Ok(None) };
        self.connection.execute_batch("ROLLBACK").map_err(failure)?;
        self.begin()?;
        Ok(self.last_commit()?.filter(|after| *after == before))
    }

    /// Which commit is the last one in the WAL; `None` without a WAL, and where that cannot be looked at.
    fn last_commit(&self) -> Result<Option<LastCommit>> {
        let is_wal = folded_in(&self.connection)? != FoldedIn::NoWal;
        Ok(if is_wal { last_commit(&self.connection) } else { None })
    }

    /// A second reader of the same commit, for another thread; `None` where there can be none, or it cannot be proven to
    /// see the same.
    ///
    /// In rollback mode nobody can commit while the first reader has its lock. In WAL mode the last commit must still be
    /// the one that the first reader sees.
    ///
    /// `tables` are those that it will read.
    #[must_use]
    pub fn second_reader(&self, tables: &[Table], interrupt: &Interrupt) -> Option<Self> {
        let path = match &self.reading {
            Reading::Locked => &self.path,
            Reading::Alone => return None,
            Reading::Copy(copy, _) => copy,
        };
        let connection = open_read_only(path, Duration::ZERO, interrupt).ok()?;
        // Another file may have been put in the place of the one that the first reader has open.
        let is_here = |still: &Looks| Looks::of(path).is_some_and(|now| now.identity == still.identity);
        if !self.still.as_ref().is_none_or(is_here) {
            return None;
        }
        let second = Self::of(connection, &self.path, None, Reading::Locked);
        second.begin().ok()?;
        read_unknown_collations(&second.connection, tables).ok()?;
        let is_wal = folded_in(&second.connection).ok()? != FoldedIn::NoWal;
        let sees_the_same = match (is_wal, self.seen) {
            (false, None) => self.folded_in == FoldedIn::NoWal,
            (true, Some(seen)) => second.last_commit().ok()? == Some(seen),
            _ => false,
        };
        sees_the_same.then_some(second)
    }

    pub(super) fn begin(&self) -> Result<()> {
        // The transaction begins with the first read, not with BEGIN.
        self.connection.execute_batch("BEGIN").map_err(failure)?;
        let count =
            self.connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
        count.map(|_| ()).map_err(failure)
    }
}

pub(super) fn check_file(path: &Path, options: &OpenOptions) -> Result<()> {
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

#[cfg(test)]
mod tests;
