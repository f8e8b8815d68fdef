//! Copying a hot database through SQLite's backup interface, so that the source is held only briefly.

use std::path::Path;
use std::time::Duration;

use rusqlite::OpenFlags;
use rusqlite::backup::{Backup, StepResult};

use crate::error::{Error, ErrorKind, Result};
use crate::progress::{Phase, PhaseKind};
use crate::run::Run;
use crate::sqlite::connect::{configure, open_connection};
use crate::sqlite::failure::failure;
use crate::sqlite::open::Source;

const PAGES_PER_STEP: i32 = 2048;

impl Source {
    /// Copies the commit this source reads into a new database at `to`.
    ///
    /// The backup is stepped inside the source's own read transaction: without one, every commit of another
    /// process would make it start again.
    ///
    /// # Errors
    /// What SQLite says; `Interrupted`.
    pub fn copy_to(&self, to: &Path, run: Run<'_>) -> Result<()> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut target = open_connection(to, flags | OpenFlags::SQLITE_OPEN_EXRESCODE)?;
        target
            .execute_batch("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE;")
            .map_err(|error| failure(error).at(to))?;
        configure(&mut target, Duration::ZERO, run.interrupt)?;
        let size_bytes = self.size_bytes()?;
        run.progress.begin(Phase {
            kind: PhaseKind::Copying,
            subject: "",
            total_rows: None,
            total_bytes: Some(size_bytes),
        });
        let copied = self.step_copy(&mut target, size_bytes, run);
        run.progress.end();
        copied.map_err(|error| error.at(to))
    }

    fn step_copy(&self, target: &mut rusqlite::Connection, size_bytes: u64, run: Run<'_>) -> Result<()> {
        let backup = Backup::new(&self.connection, target).map_err(failure)?;
        let mut done_bytes = 0;
        loop {
            run.interrupt.check()?;
            match backup.step(PAGES_PER_STEP).map_err(failure)? {
                StepResult::Done => {
                    run.progress.advance(0, size_bytes.saturating_sub(done_bytes));
                    return Ok(());
                }
                StepResult::More => {
                    let progress = backup.progress();
                    let pages = i64::from(progress.pagecount) - i64::from(progress.remaining);
                    let share = u64::try_from(pages).unwrap_or(0) * size_bytes;
                    let now_bytes = share / u64::try_from(progress.pagecount).unwrap_or(1).max(1);
                    run.progress.advance(0, now_bytes.saturating_sub(done_bytes));
                    done_bytes = done_bytes.max(now_bytes);
                }
                // The source is inside its read transaction and the target is private.
                _ => return Err(Error::new(ErrorKind::Busy, "the database is locked by another process")),
            }
        }
    }
}
