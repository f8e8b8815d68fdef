//! Writing the files of tables into the stage: one, or as many side by side as there are readers of the commit.
//!
//! A table alone keeps one thread busy at a time, unless it has many row groups: so several are written at once, each by
//! a reader of its own and within its share of the memory limit. A table that wants all of the memory is left for
//! later, when it is written alone and has all threads. What is written does not depend on any of this.

use std::path::{Path, PathBuf};

use crate::budget::{free_bytes, limit_for};
use crate::durable::Stage;
use crate::error::{Error, ErrorKind, Result};
use crate::export::encoders::ENCODER_BYTES;
use crate::export::further_readers::{FurtherReader, FurtherReaders};
use crate::export::plan::{ExportPlan, OutputForm, PlannedTable};
use crate::export::sample::Sample;
use crate::export::shares::{Shares, Wanted};
use crate::export::side_by_side::{Queue, in_order};
use crate::export::table::{FooterOf, ReadTable, TableJob, WrittenTable};
use crate::export::{ExportOptions, STAGED, json};
use crate::frame::ROW_GROUP_BYTES;
use crate::parquet_file::WrittenRowGroups;
use crate::progress::{PartOfPhase, Phase, PhaseKind};
use crate::run::{Run, start_thread};
use crate::snapshot::{DataFile, TABLE_KEY, TableEntry, TableFooter};
use crate::sqlite::catalog::Catalog;
use crate::sqlite::not_kept::NotKept;
use crate::sqlite::open::Source;

/// What a further reader takes whatever it reads: SQLite's cache, schema and stacks, in bytes.
const READER_BYTES: u64 = 4 * 1024 * 1024;

/// What tables are written with, whoever reads them.
#[derive(Clone, Copy)]
pub(super) struct TableFiles<'a> {
    pub(super) options: &'a ExportOptions,
    pub(super) catalog: &'a Catalog,
    pub(super) plan: &'a ExportPlan,
    pub(super) stage: &'a Stage,
    /// Where rows go that are sorted and do not fit into memory.
    pub(super) spill_folder: &'a Path,
    pub(super) readers: &'a FurtherReaders,
    pub(super) run: Run<'a>,
}

/// What readers that work side by side share.
struct Shared<'a> {
    /// The tables, the largest first.
    queue: Queue<&'a PlannedTable>,
    /// What is left of the memory limit.
    shares: Shares,
    /// How many encoders each reader has.
    threads: usize,
}

/// What one reader has done: tables by place in the plan, `None` for one that is to be written alone.
struct Done {
    tables: Vec<(usize, Result<Option<TableEntry>>)>,
    not_kept: Vec<NotKept>,
}

impl TableFiles<'_> {
    /// Writes a table's file with all there is; `more` is what its footer says of the snapshot.
    pub(super) fn write(
        &self,
        source: &Source,
        planned: &PlannedTable,
        more: &dyn Fn(TableEntry) -> Result<Vec<(String, String)>>,
    ) -> Result<TableEntry> {
        let name = self.staged_name(planned)?;
        let ExportOptions { memory_limit_bytes, threads, .. } = *self.options;
        let job = TableJob { memory_limit_bytes, threads, ..self.job(source, planned, &name) };
        self.write_sampled(&job, &job.sample()?, planned, more)
    }

    /// Writes the files of as many tables as possible side by side; returns an entry for each table of the plan, or `None`
    /// for one that is still to be written.
    ///
    /// # Errors
    /// That of the first table in the plan that could not be written.
    pub(super) fn write_side_by_side(&self, source: &Source) -> Result<Vec<Option<TableEntry>>> {
        let mut entries: Vec<Option<TableEntry>> = self.plan.tables.iter().map(|_| None).collect();
        let mut tables: Vec<_> =
            self.plan.tables.iter().enumerate().filter(|(_, table)| table.file_name.is_some()).collect();
        let ExportOptions { memory_limit_bytes, threads, .. } = *self.options;
        let free = free_bytes(memory_limit_bytes);
        // Beside a reader, each has an encoder, and at least as much for its rows: else all tables would be large.
        let fitting = free / (2 * (READER_BYTES + ENCODER_BYTES));
        let fitting = usize::try_from(fitting).unwrap_or(usize::MAX);
        let wanted = threads.min(fitting).min(tables.len());
        if self.plan.form == OutputForm::File || wanted < 2 {
            return Ok(entries);
        }
        let others = self.readers.open(source, &self.catalog.tables, wanted - 1, self.run.interrupt);
        if others.is_empty() {
            return Ok(entries);
        }
        // Where nothing is known of one it may be the largest.
        tables.sort_by_key(|(_, table)| std::cmp::Reverse(self.weight(table)));
        let budget_bytes = free.saturating_sub(others.len() as u64 * READER_BYTES);
        let shared = Shared {
            queue: Queue::new(tables),
            shares: Shares::new(budget_bytes),
            threads: threads / (others.len() + 1),
        };
        let kind = PhaseKind::Exporting;
        self.run.progress.begin(Phase { kind, subject: "", total_rows: None, total_bytes: None });
        let done = std::thread::scope(|scope| -> Result<Vec<Done>> {
            let shared = &shared;
            // Where the system has no thread left, fewer of them do the same work.
            let start = |other: FurtherReader<'_>| {
                start_thread(scope, move || self.write_some(&other.source, shared)).ok()
            };
            let threads: Vec<_> = others.into_iter().map_while(start).collect();
            let mut done = vec![self.write_some(source, shared)];
            for thread in threads {
                let stopped = |_| Error::new(ErrorKind::Failed, "an exporting thread stopped");
                done.push(thread.join().map_err(stopped)?);
            }
            Ok(done)
        })?;
        let mut tables = Vec::new();
        for (number, done) in done.into_iter().enumerate() {
            tables.extend(done.tables);
            if number > 0 {
                source.add_not_kept_found(done.not_kept);
            }
        }
        for (place, entry) in in_order(tables)? {
            entries[place] = entry;
        }
        self.run.progress.end();
        Ok(entries)
    }

    /// How much work a table is beside others.
    fn weight(&self, planned: &PlannedTable) -> u64 {
        let columns = self.catalog.tables[planned.ordinal].stored_columns().count() as u64;
        planned.row_count.map_or(u64::MAX, |rows| rows.saturating_mul(columns))
    }

    /// Writes tables that nobody else has taken until none is left.
    fn write_some(&self, source: &Source, shared: &Shared<'_>) -> Done {
        let tables = shared.queue.work(|planned| self.write_within(source, planned, shared));
        Done { tables, not_kept: source.not_kept_found() }
    }

    /// Writes a table within its share of the memory limit; `None` where it wants all of it.
    fn write_within(
        &self,
        source: &Source,
        planned: &PlannedTable,
        shared: &Shared<'_>,
    ) -> Result<Option<TableEntry>> {
        let name = self.staged_name(planned)?;
        let progress = PartOfPhase::of(self.run.progress);
        let run = Run { progress: &progress, ..self.run };
        let files = TableFiles { run, ..*self };
        let mut job = TableJob { threads: shared.threads, ..files.job(source, planned, &name) };
        let sample = job.sample()?;
        let limit = job.comfortable_limit_bytes(&sample)?;
        let bytes = free_bytes(limit).saturating_add(job.threads.saturating_sub(1) as u64 * ENCODER_BYTES);
        if bytes > shared.shares.limit_bytes() {
            return Ok(None);
        }
        // A row group, where later rows may be larger than those looked at. What is made of it finds room in the shares,
        // which are three times what tables are expected to need.
        let most = ROW_GROUP_BYTES.min(source.size_bytes()?.saturating_mul(3));
        let own = bytes.saturating_sub(job.threads as u64 * ENCODER_BYTES);
        let overrun_bytes = if sample.has_all { 0 } else { most.saturating_sub(own) };
        let _share = shared.shares.take(Wanted { bytes, overrun_bytes });
        self.run.interrupt.check()?;
        job.memory_limit_bytes = limit_for(bytes);
        job.overrun = Some(shared.shares.overrun());
        files.write_sampled(&job, &sample, planned, &|_| Ok(Vec::new())).map(Some)
    }

    fn write_sampled(
        &self,
        job: &TableJob<'_>,
        sample: &Sample,
        planned: &PlannedTable,
        more: &dyn Fn(TableEntry) -> Result<Vec<(String, String)>>,
    ) -> Result<TableEntry> {
        let footer: &FooterOf<'_> = &|read, written| {
            let entry = self.entry(planned, read, written);
            let footer = TableFooter::of(&entry, read.digest, written.row_groups, &self.plan.schema);
            let mut pairs = vec![(TABLE_KEY.to_string(), json(&footer)?)];
            pairs.extend(more(entry)?);
            Ok(pairs)
        };
        let WrittenTable { mapping, facts, content_bytes, in_key_order } = job.write(sample, footer)?;
        let read = ReadTable { mapping: &mapping, digest: facts.digest, content_bytes, in_key_order };
        let written = WrittenRowGroups { row_groups: &facts.row_groups, chosen: &facts.chosen };
        let mut entry = self.entry(planned, &read, written);
        let is_folder = self.plan.form == OutputForm::Folder;
        for file in &mut entry.files {
            file.path = planned.file_name.clone().filter(|_| is_folder).unwrap_or_default();
            file.size_bytes = Some(facts.size_bytes);
            file.sha256 = Some(facts.sha256);
            file.tail = Some(facts.tail.clone());
        }
        Ok(entry)
    }

    /// A job with the least of everything.
    fn job<'j>(
        &'j self,
        source: &'j Source,
        planned: &'j PlannedTable,
        staged_name: &'j Path,
    ) -> TableJob<'j> {
        TableJob {
            source,
            catalog: self.catalog,
            ordinal: planned.ordinal,
            order: &planned.order,
            stage: self.stage,
            staged_name,
            spill_folder: self.spill_folder,
            readers: self.readers,
            settings: self.options.settings,
            memory_limit_bytes: 0,
            threads: 1,
            overrun: None,
            run: self.run,
        }
    }

    fn staged_name(&self, planned: &PlannedTable) -> Result<PathBuf> {
        match (self.plan.form, &planned.file_name) {
            (OutputForm::File, _) => Ok(PathBuf::from(STAGED)),
            (OutputForm::Folder, Some(name)) => Ok(Path::new(STAGED).join(name)),
            (OutputForm::Folder, None) => Err(Error::new(ErrorKind::Failed, "a table without a file")),
        }
    }

    /// The manifest's entry of a table, before its file's name, size and digest are known.
    fn entry(
        &self,
        planned: &PlannedTable,
        read: &ReadTable<'_>,
        written: WrittenRowGroups<'_>,
    ) -> TableEntry {
        let file = DataFile {
            path: String::new(),
            size_bytes: None,
            sha256: None,
            in_key_order: read.in_key_order,
            digest: read.digest,
            row_groups: written.row_groups.to_vec(),
            tail: None,
            chosen: written.chosen.to_vec(),
        };
        TableEntry {
            table: self.catalog.tables[planned.ordinal].clone(),
            order: planned.order.clone(),
            mapping: read.mapping.clone(),
            digest: read.digest,
            content_bytes: read.content_bytes,
            files: vec![file],
            inline_rows: Vec::new(),
        }
    }
}
