//! Matching the files of tables with what was read: several small ones side by side, a large one by all threads.

use std::path::PathBuf;

use crate::budget::{free_bytes, limit_for};
use crate::error::{Error, ErrorKind, Result};
use crate::export::plan::OutputForm;
use crate::export::side_by_side::{Queue, in_order};
use crate::export::tables::TableFiles;
use crate::export::{ExportOptions, STAGED};
use crate::matching::{MatchingResources, match_data_file};
use crate::progress::{PartOfPhase, Phase, PhaseKind};
use crate::run::{Run, start_thread};
use crate::snapshot::{DataFile, TableEntry};

/// What a decoder takes per column whatever the rows are, in bytes.
const COLUMN_BYTES: u64 = 128 * 1024;

impl TableFiles<'_> {
    /// Matches all files.
    ///
    /// # Errors
    /// `Mismatch` for the first table whose file is not what was read; I/O failures; `Interrupted`.
    pub(super) fn match_all(&self, entries: &[TableEntry]) -> Result<()> {
        let ExportOptions { threads, memory_limit_bytes, .. } = *self.options;
        // Each thread opens files, as a reader does; the readers are gone.
        let threads = threads.min(self.readers.left() + 1);
        let all = MatchingResources { threads, memory_limit_bytes };
        let share = free_bytes(memory_limit_bytes) / threads.max(1) as u64;
        let files = entries
            .iter()
            .enumerate()
            .flat_map(|(place, entry)| entry.files.iter().map(move |file| (place, (entry, file))));
        let (mut small, large): (Vec<_>, Vec<_>) =
            files.partition(|(_, (entry, _))| threads > 1 && decoding_bytes(entry) <= share);
        if small.len() > 1 {
            small.sort_by_key(|(_, (entry, _))| std::cmp::Reverse(entry.content_bytes));
            self.match_side_by_side(small, threads, share)?;
        } else {
            small
                .into_iter()
                .try_for_each(|(_, (entry, file))| self.match_file(entry, file, all, self.run))?;
        }
        large.into_iter().try_for_each(|(_, (entry, file))| self.match_file(entry, file, all, self.run))
    }

    fn match_side_by_side(
        &self,
        files: Vec<(usize, (&TableEntry, &DataFile))>,
        threads: usize,
        share: u64,
    ) -> Result<()> {
        let resources = MatchingResources { threads: 1, memory_limit_bytes: limit_for(share) };
        let rows = files.iter().map(|(_, (_, file))| file.digest.row_count).sum();
        let kind = PhaseKind::Matching;
        self.run.progress.begin(Phase { kind, subject: "", total_rows: Some(rows), total_bytes: None });
        let workers = threads.min(files.len());
        let queue = Queue::new(files);
        let work = || {
            queue.work(|(entry, file)| {
                let progress = PartOfPhase::of(self.run.progress);
                self.match_file(entry, file, resources, Run { progress: &progress, ..self.run })
            })
        };
        let done = std::thread::scope(|scope| -> Result<Vec<_>> {
            // Where the system has no thread left, fewer of them do the same work.
            let threads: Vec<_> = (1..workers).map_while(|_| start_thread(scope, work).ok()).collect();
            let mut done = work();
            for thread in threads {
                let stopped = |_| Error::new(ErrorKind::Failed, "a matching thread stopped");
                done.extend(thread.join().map_err(stopped)?);
            }
            Ok(done)
        })?;
        in_order(done)?;
        self.run.progress.end();
        Ok(())
    }

    fn match_file(
        &self,
        entry: &TableEntry,
        file: &DataFile,
        resources: MatchingResources,
        run: Run<'_>,
    ) -> Result<()> {
        let path: PathBuf = match self.plan.form {
            OutputForm::Folder => self.stage.path_of(STAGED)?.join(&file.path),
            OutputForm::File => self.stage.path_of(STAGED)?,
        };
        let findings = match_data_file(&path, entry, file, &self.plan.schema, resources, run)?;
        let Some(finding) = findings.first() else { return Ok(()) };
        let message = format!("what was written is not what was read: {finding}");
        Err(Error::new(ErrorKind::Mismatch, message).hint(
            "nothing was published; please report this, it is a mistake of this program or of the disk",
        ))
    }
}

/// What decoding all of a small table at once takes at most, in bytes: its rows as pages and as a batch.
fn decoding_bytes(entry: &TableEntry) -> u64 {
    let columns = entry.mapping.width() as u64 * COLUMN_BYTES;
    entry.content_bytes.saturating_mul(2).saturating_add(columns)
}
