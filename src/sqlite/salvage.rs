//! Reading a database of another program that may be live, cut or damaged: as far as it can be read, and telling what not.
//!
//! Other readers of this program take a database whole or not at all. Here what SQLite can still reach is worth having,
//! as long as it is told what may be missing. The source is only ever read as a file: a private copy with its WAL or
//! journal is what SQLite opens, so nothing beside the source is made, locked or removed.
//!
//! Only tables that hold rows are read, never views, and nothing of the schema runs.

mod length;

use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::durable::Stage;
use crate::error::{Error, ErrorKind, Result};
use crate::progress::Silent;
use crate::run::Run;
use crate::schema::{Cell, TextEncoding};
use crate::sqlite::catalog::Catalog;
use crate::sqlite::check::CheckDepth;
use crate::sqlite::failure::{extended_code, is_of_machine, sqlite_message};
use crate::sqlite::journal_records::{Beside, damage_of_journal};
use crate::sqlite::open::{OpenOptions, Source, check_file};
use crate::sqlite::private_copy::copy_privately;
use crate::sqlite::untouched::recover;
use crate::sqlite::wal_frames::{WalFrames, read_wal};
use crate::sqlite::watch::Extent;

use length::Length;

/// How a database is read.
#[derive(Debug, Clone)]
pub struct SalvageOptions {
    /// Where the private copy goes; into the system's folder for such unless given, never beside the source.
    pub temp_folder: Option<PathBuf>,
    /// How long to try to copy a database that another program writes to.
    pub busy_timeout: Duration,
}

impl Default for SalvageOptions {
    fn default() -> Self {
        Self { temp_folder: None, busy_timeout: Duration::from_secs(3) }
    }
}

/// Something that is wrong with a database, and was told instead of refusing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// One line, lower case, no full stop.
    pub message: String,
    /// Whether rows may be missing, or may not be those that were written.
    pub may_lose_rows: bool,
}

/// A private copy of a database, open for reading.
pub struct Salvage {
    source: Source,
    catalog: Catalog,
    flaws: Vec<Flaw>,
    lacks_wal: bool,
}

impl Salvage {
    /// Copies the database at `path` and looks for damage.
    ///
    /// # Errors
    /// `NotFound`; `Damaged` where nothing can be read: no database, zero bytes, a schema that makes no sense, or a cut
    /// file beside a WAL; `Busy` where another program goes on changing it; `Failed` without room for the copy.
    pub fn open(path: &Path, options: &SalvageOptions, run: Run<'_>) -> Result<Self> {
        let run = Run { progress: &Silent, ..run };
        check_file(path, &OpenOptions { allow_empty: true, ..OpenOptions::default() })?;
        let size = std::fs::metadata(path).map_err(|error| Error::io("looking at the file", path, error))?;
        if size.len() == 0 {
            return Err(Error::new(ErrorKind::Damaged, "the file has zero bytes").at(path));
        }
        let temp_folder = options.temp_folder.clone().unwrap_or_else(std::env::temp_dir);
        let copied = copy_privately(path, options.busy_timeout, Some(&temp_folder), run);
        let (copy, stage) = copied.map_err(|error| of_copying(error, path))?;
        Self::of_copy(&copy, stage, path, run).map_err(|error| error.instead_at(path))
    }

    fn of_copy(copy: &Path, stage: Stage, path: &Path, run: Run<'_>) -> Result<Self> {
        let mut flaws = Vec::new();
        let wal = wal_of(copy)?;
        let length = Length::of(copy)?;
        if let Some(wal) = &wal {
            length.check_covered(wal)?;
            flaws.extend(wal.loss.clone().map(lossy));
        }
        if let Some(damage) = damage_beside(copy, length.beside)? {
            flaws.push(lossy(format!(
                "the rollback journal is damaged: {damage}; changes that were not finished may be among what is read"
            )));
        }
        let lacks_wal = wal.is_none() && length.is_in_wal_mode;
        let recovered = recover(copy, run);
        // Rolling back a journal may have made the file as long as it ought to be.
        if let Some(cut) = Length::of(copy)?.fit(copy, &stage)? {
            flaws.push(lossy(cut));
        }
        let opened = Source::of_copy(copy.to_path_buf(), stage, path, run);
        let source = match (opened, recovered) {
            (Ok(source), _) => source,
            (Err(_), Err(error)) | (Err(error), Ok(())) => return Err(error),
        };
        let (catalog, _) = source.read_catalog()?;
        let mut salvage = Self { source, catalog, flaws, lacks_wal };
        salvage.check(run)?;
        Ok(salvage)
    }

    /// Asks SQLite what it finds wrong with pages and rows.
    fn check(&mut self, run: Run<'_>) -> Result<()> {
        let extent = Extent::of_file(self.source.size_bytes()?);
        match self.source.check(CheckDepth::Quick, &self.catalog, &[extent], run) {
            Ok(report) => {
                if let Some(first) = report.structural.first() {
                    let count = report.structural.len();
                    self.flaws.push(lossy(format!(
                        "SQLite's check finds damage, {count} in all, the first: {first}"
                    )));
                }
                let odd = report.in_the_data.iter().chain(&report.not_checked).map(|finding| Flaw {
                    message: format!("SQLite's check finds: {finding}"),
                    may_lose_rows: false,
                });
                self.flaws.extend(odd.take(MOST_TOLD));
            }
            Err(error) if ends_the_run(&error) => return Err(error),
            Err(error) => {
                self.flaws.push(lossy(format!("SQLite's check ended early: {}", sqlite_message(&error))));
            }
        }
        Ok(())
    }

    /// What was found to be wrong before any row was read.
    #[must_use]
    pub fn flaws(&self) -> &[Flaw] {
        &self.flaws
    }

    /// The header's `user_version`.
    #[must_use]
    pub fn user_version(&self) -> i32 {
        self.catalog.header.user_version
    }

    /// Whether TEXT is in UTF-8, so that [`Cell::RawText`] is nearly that.
    #[must_use]
    pub fn is_utf8(&self) -> bool {
        self.catalog.header.encoding == TextEncoding::Utf8
    }

    /// Whether there is no table at all.
    #[must_use]
    pub fn has_no_tables(&self) -> bool {
        self.catalog.tables.is_empty()
    }

    /// Whether the database is in WAL mode and no WAL lies beside it. That is how it is after it was closed, and also after
    /// it was copied alone while it was open.
    #[must_use]
    pub fn lacks_wal(&self) -> bool {
        self.lacks_wal
    }

    /// The table of this name that holds rows.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<SalvageTable<'_>> {
        let ordinal = self.catalog.tables.iter().position(|table| table.name.is_same(name))?;
        Some(SalvageTable { salvage: self, ordinal })
    }
}

/// A table of a database that is salvaged.
#[derive(Clone, Copy)]
pub struct SalvageTable<'s> {
    salvage: &'s Salvage,
    ordinal: usize,
}

impl SalvageTable<'_> {
    /// Whether it has a column of this name whose values are stored.
    #[must_use]
    pub fn has(&self, column: &str) -> bool {
        self.position(column).is_some()
    }

    /// Hands the values of `columns` of every row that can be read to `take`; NULL for a column that is not there. What
    /// could not be read is told.
    ///
    /// # Errors
    /// What `take` says; `Interrupted`, and failures of the machine.
    pub fn for_each_row<const N: usize>(
        &self,
        columns: [&str; N],
        mut take: impl FnMut([Cell<'_>; N]) -> Result<()>,
    ) -> Result<Option<Flaw>> {
        let positions = columns.map(|column| self.position(column));
        let mut rows = 0_u64;
        let mut last = None;
        let mut refused = None;
        let mut scan = |from: Option<i64>, last: &mut Option<i64>| {
            self.salvage.source.for_each_row_from(
                &self.salvage.catalog,
                self.ordinal,
                from,
                |rowid, cells| {
                    let values = positions.map(|position| position.and_then(|at| cells.get(at).copied()));
                    *last = rowid;
                    rows += 1;
                    match take(values.map(|cell| cell.unwrap_or(Cell::Null))) {
                        Ok(()) => Ok(ControlFlow::Continue(())),
                        Err(error) => {
                            refused = Some(error);
                            Ok(ControlFlow::Break(()))
                        }
                    }
                },
            )
        };
        let mut damage = scan(None, &mut last).err();
        let first_damage = damage.as_ref().map(sqlite_or_own_words);
        // Behind a page that cannot be read there may be others: farther and farther behind the last row that was read.
        let last_rowid = damage.as_ref().and_then(|_| self.last_rowid());
        let mut step = 1_i64;
        while let (Some(error), Some(end)) = (&damage, last_rowid) {
            if ends_the_run(error) {
                break;
            }
            let Some(from) = last.unwrap_or(0).checked_add(step).filter(|&from| from <= end) else { break };
            let before = last;
            damage = scan(Some(from), &mut last).err();
            step = if last == before { step.saturating_mul(2) } else { 1 };
        }
        if let Some(error) = refused {
            return Err(error);
        }
        match damage {
            Some(error) if ends_the_run(&error) => Err(error),
            _ => Ok(first_damage.map(|words| {
                lossy(format!("table {}: {words}; {rows} of its rows could be read", self.name()))
            })),
        }
    }

    /// `None` where the rows have no rowids to go by.
    fn last_rowid(&self) -> Option<i64> {
        let table = self.salvage.catalog.tables.get(self.ordinal)?;
        let (_, last) = self.salvage.source.rowid_bounds(table).ok()??;
        Some(last)
    }

    fn position(&self, column: &str) -> Option<usize> {
        let table = self.salvage.catalog.tables.get(self.ordinal)?;
        table.stored_columns().position(|(_, stored)| stored.name.is_same(column))
    }

    fn name(&self) -> String {
        let table = self.salvage.catalog.tables.get(self.ordinal);
        table.map(|table| table.name.lossy().into_owned()).unwrap_or_default()
    }
}

/// How many oddities of one kind are told.
const MOST_TOLD: usize = 10;

fn lossy(message: String) -> Flaw {
    Flaw { message, may_lose_rows: true }
}

fn sqlite_or_own_words(error: &Error) -> String {
    if extended_code(error).is_some() { sqlite_message(error) } else { error.message().to_owned() }
}

/// Whether an error says nothing of the database.
fn ends_the_run(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::Busy)
        || is_of_machine(error)
        || error.is_of_scarcity()
}

/// The error of a copy that was not made: by the source, or by the place where it goes.
fn of_copying(error: Error, path: &Path) -> Error {
    if error.kind() == ErrorKind::Busy {
        return Error::new(ErrorKind::Busy, "another program keeps writing to the file while it is copied")
            .at(path)
            .hint("close the browser, or the app, and try again")
            .because(error);
    }
    let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let is_of_source = |place: &Path| {
        // Beside it lie files whose names begin with its own.
        let place = place.as_os_str().as_encoded_bytes();
        [path, &real].iter().any(|source| place.starts_with(source.as_os_str().as_encoded_bytes()))
    };
    let cause = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<io::Error>());
    let is_of_room = cause.is_some_and(|cause| {
        matches!(
            cause.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        )
    });
    let place = error.place().path.clone();
    match place.filter(|place| is_of_room || !is_of_source(place)) {
        None => error,
        Some(place) => Error::new(error.kind(), error.message().to_owned())
            .at(place)
            .hint("a copy is made to read it safely: name another folder for that with --temp-dir")
            .because(error),
    }
}

/// What the WAL of the copy holds; `None` where there is none.
fn wal_of(copy: &Path) -> Result<Option<WalFrames>> {
    read_beside(copy, "-wal", read_wal)
}

/// What is wrong with the rollback journal of the copy, if there is one.
fn damage_beside(copy: &Path, database: Beside) -> Result<Option<String>> {
    let damage = read_beside(copy, "-journal", |journal| damage_of_journal(journal, database))?;
    Ok(damage.flatten())
}

/// `None` where there is no such file beside the copy.
fn read_beside<T>(
    copy: &Path,
    ending: &str,
    read: impl FnOnce(&mut io::BufReader<File>) -> io::Result<T>,
) -> Result<Option<T>> {
    let mut name = copy.as_os_str().to_owned();
    name.push(ending);
    let path = PathBuf::from(name);
    let failed = |error| Error::io("reading the copy of a WAL or journal", &path, error);
    match File::open(&path) {
        Ok(file) => read(&mut io::BufReader::new(file)).map(Some).map_err(failed),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    }
}
