//! A private copy of a database and what lies beside it, of one moment, made by reading alone.
//!
//! Nothing is locked, so that not even a trace of a lock is left; what was read counts only if it is still the same
//! when everything has been read. The main file and a rollback journal are read twice for that. Of a WAL it is enough
//! that it was not begun anew: SQLite only appends to it, and its checksums end it where a later frame is torn.

use std::fs::File;
use std::io::{Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use crate::digest::ChunkHasher;
use crate::durable::{Stage, parent_of, require_space};
use crate::error::{Error, ErrorKind, Result};
use crate::progress::{Phase, PhaseKind};
use crate::run::Run;
use crate::sqlite::connect::open_connection;
use crate::sqlite::looks::Looks;
use crate::sqlite::main_file::read_main_file;
use crate::sqlite::super_journal::{MAGIC_BYTES, MOST_TAIL_BYTES, super_journal_named_in};
use crate::sqlite::untouched::{busy, may_try_again};

/// The copy's name; those of its side files follow from it.
const COPY: &str = "copy.db";
const BUFFER_BYTES: usize = 1 << 20;
/// What begins a WAL anew changes these bytes of it.
///
/// Source: SQLite, "Database File Format", section 4.1.
const WAL_HEADER_BYTES: usize = 32;

/// What lies beside a database and belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SideFiles {
    /// A WAL that holds something.
    wal: Option<Looks>,
    /// A rollback journal that holds something.
    journal: Option<Looks>,
}

/// What lies beside the database at its real path; `None` where that is nothing that means anything.
///
/// # Errors
/// `Damaged` for a side file that is no regular file; `Failed` where the folder cannot be looked at.
pub(super) fn find_side_files(real: &Path) -> Result<Option<SideFiles>> {
    let (wal, journal, shared_memory) = (look(real, "-wal")?, look(real, "-journal")?, look(real, "-shm")?);
    let holds_something = |found: Option<Looks>| found.filter(|found| found.size_bytes > 0);
    let found = SideFiles { wal: holds_something(wal), journal: holds_something(journal) };
    let is_any = found.wal.is_some() || found.journal.is_some() || shared_memory.is_some();
    Ok(is_any.then_some(found))
}

/// Where SQLite looks for side files: beside the file itself, wherever links to it lie.
///
/// # Errors
/// `Failed` where it cannot be found.
pub(super) fn real_path(path: &Path) -> Result<PathBuf> {
    std::fs::canonicalize(path).map_err(|error| Error::io("finding the database", path, error))
}

/// Copies the database at `path` with its WAL or journal, as of one moment; where the copy is, and what holds it.
///
/// # Errors
/// `Busy` where the files go on changing; `Failed` where there is no room, or they cannot be read; `Interrupted`.
pub(super) fn copy_privately(
    path: &Path,
    busy_timeout: Duration,
    temp_folder: Option<&Path>,
    run: Run<'_>,
) -> Result<(PathBuf, Stage)> {
    let real = real_path(path)?;
    let stage = Stage::create_temporary(&parent_of(&real)?, temp_folder)?;
    let since = Instant::now();
    let mut told = false;
    loop {
        if copy_once(&real, &stage, run)? {
            return Ok((stage.path_of(COPY)?, stage));
        }
        for name in [COPY.to_string(), format!("{COPY}-wal"), format!("{COPY}-journal")] {
            if stage.path_of(&name)?.exists() {
                stage.remove_file(&name)?;
            }
        }
        if !std::mem::replace(&mut told, true) {
            let seconds = busy_timeout.as_secs();
            run.progress.note(&format!(
                "another process writes to the database while it is copied; trying again for up to {seconds} s"
            ));
        }
        if !may_try_again(since, busy_timeout, run)? {
            return Err(busy("another process keeps writing to the database while it is copied", path));
        }
    }
}

/// One attempt; false where something changed meanwhile.
fn copy_once(real: &Path, stage: &Stage, run: Run<'_>) -> Result<bool> {
    let before = Appearance::of(real)?;
    let (main_bytes, wal_bytes) = (before.main.size_bytes, size_of(before.side.wal.as_ref()));
    let journal_bytes = size_of(before.side.journal.as_ref());
    // What the WAL holds goes into the copy as well.
    require_space(
        stage.path(),
        main_bytes + 2 * wal_bytes + journal_bytes,
        "a private copy of the database",
    )?;
    run.progress.begin(Phase {
        kind: PhaseKind::Copying,
        subject: "",
        total_rows: None,
        total_bytes: Some(2 * (main_bytes + journal_bytes) + wal_bytes),
    });
    let copied = copy_and_look_again(real, &before, stage, run);
    run.progress.end();
    copied
}

fn copy_and_look_again(real: &Path, before: &Appearance, stage: &Stage, run: Run<'_>) -> Result<bool> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let connection = open_connection(real, flags)?;
    let main = || MainFile { connection: &connection, path: real, left: before.main.size_bytes, at: 0 };
    let main_hash = copy_bytes(&mut main(), Some(&mut stage.create_file(COPY)?), real, run)?;
    let mut journal_hash = None;
    if before.side.journal.is_some() {
        let name = format!("{COPY}-journal");
        let Some(mut journal) = open_side_file(real, "-journal")? else { return Ok(false) };
        journal_hash = Some(copy_bytes(&mut journal, Some(&mut stage.create_file(&name)?), real, run)?);
    }
    let mut wal_header = None;
    if before.side.wal.is_some() {
        let name = format!("{COPY}-wal");
        let Some(mut wal) = open_side_file(real, "-wal")? else { return Ok(false) };
        wal_header = read_wal_header(&mut wal, real)?;
        copy_bytes(&mut wal, Some(&mut stage.create_file(&name)?), real, run)?;
    }
    if before.side.journal.is_some() {
        let Some(mut journal) = open_side_file(real, "-journal")? else { return Ok(false) };
        if Some(copy_bytes(&mut journal, None, real, run)?) != journal_hash {
            return Ok(false);
        }
        forget_super_journal(stage)?;
    }
    if before.side.wal.is_some() {
        let Some(mut wal) = open_side_file(real, "-wal")? else { return Ok(false) };
        if read_wal_header(&mut wal, real)? != wal_header {
            return Ok(false);
        }
    }
    Ok(copy_bytes(&mut main(), None, real, run)? == main_hash && Appearance::of(real)?.is_still(before))
}

/// How a database looks from outside.
#[derive(Debug)]
struct Appearance {
    main: Looks,
    side: SideFiles,
}

impl Appearance {
    fn of(real: &Path) -> Result<Self> {
        let found =
            std::fs::metadata(real).map_err(|error| Error::io("looking at the database", real, error))?;
        let side = find_side_files(real)?.unwrap_or(SideFiles { wal: None, journal: None });
        Ok(Self { main: Looks::of_metadata(&found), side })
    }

    /// Whether nothing has changed but that a WAL may have grown.
    fn is_still(&self, before: &Self) -> bool {
        let identity = |found: &Option<Looks>| found.as_ref().map(|found| found.identity);
        self.main == before.main
            && self.side.journal == before.side.journal
            && identity(&self.side.wal) == identity(&before.side.wal)
    }
}

/// The main file, read through SQLite's descriptor: see [`read_main_file`].
struct MainFile<'c> {
    connection: &'c Connection,
    path: &'c Path,
    left: u64,
    at: u64,
}

impl Read for MainFile<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        read_main_file(self.connection, self.at, &mut buffer[..count])
            .map_err(|error| std::io::Error::other(error.at(self.path)))?;
        self.at += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}

/// Reads everything, writes it where it is asked to, and gives a hash of it.
fn copy_bytes(from: &mut impl Read, mut to: Option<&mut File>, real: &Path, run: Run<'_>) -> Result<String> {
    let failed = |doing: &str, error: std::io::Error| match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => Error::io(doing, real, error),
    };
    let mut hasher = ChunkHasher::default();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        run.interrupt.check()?;
        let count = match from.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(failed("reading the database", error)),
        };
        hasher.update(&buffer[..count]);
        if let Some(to) = &mut to {
            to.write_all(&buffer[..count])
                .map_err(|error| failed("making a private copy of the database", error))?;
        }
        run.progress.advance(0, count as u64);
    }
}

/// Makes the staged journal say the same without a super-journal.
fn forget_super_journal(stage: &Stage) -> Result<()> {
    let name = format!("{COPY}-journal");
    let path = stage.path_of(&name)?;
    let doing = "reading the copy of a journal";
    let mut journal = File::open(&path).map_err(|error| Error::io(doing, &path, error))?;
    let size = journal.metadata().map_err(|error| Error::io(doing, &path, error))?.len();
    let mut end = Vec::new();
    journal
        .seek(SeekFrom::Start(size.saturating_sub(MOST_TAIL_BYTES as u64)))
        .and_then(|_| journal.read_to_end(&mut end))
        .map_err(|error| Error::io(doing, &path, error))?;
    let Some(super_journal) = super_journal_named_in(&end) else { return Ok(()) };
    // As SQLite asks: a file without a byte counts as none.
    let exists = std::fs::metadata(super_journal).is_ok_and(|found| !found.is_file() || found.len() > 0);
    if !exists {
        // The transaction was committed.
        return stage.remove_file(&name);
    }
    stage.overwrite(&name, size - MAGIC_BYTES as u64, &[0; MAGIC_BYTES])
}

fn size_of(found: Option<&Looks>) -> u64 {
    found.map_or(0, |found| found.size_bytes)
}

fn with_ending(real: &Path, ending: &str) -> PathBuf {
    let mut name = real.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn look(real: &Path, ending: &str) -> Result<Option<Looks>> {
    let path = with_ending(real, ending);
    match std::fs::symlink_metadata(&path) {
        Ok(found) if found.is_file() => Ok(Some(Looks::of_metadata(&found))),
        Ok(_) => Err(Error::new(ErrorKind::Damaged, "what lies beside the database is no regular file")
            .at(&path)
            .hint("SQLite keeps its own files under this name: move it away")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("looking beside the database", &path, error)),
    }
}

/// `None` where it is gone by now.
fn open_side_file(real: &Path, ending: &str) -> Result<Option<File>> {
    let path = with_ending(real, ending);
    match File::open(&path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("reading beside the database", &path, error)),
    }
}

/// `None` where it is shorter; the file is then at its beginning again.
fn read_wal_header(wal: &mut File, database: &Path) -> Result<Option<[u8; WAL_HEADER_BYTES]>> {
    let mut header = [0; WAL_HEADER_BYTES];
    let read = match wal.read_exact(&mut header) {
        Ok(()) => Ok(Some(header)),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    };
    let rewound = wal.seek(SeekFrom::Start(0));
    read.and_then(|header| rewound.map(|_| header))
        .map_err(|error| Error::io("reading the WAL of the database", database, error))
}
