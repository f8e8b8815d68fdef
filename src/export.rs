//! `export`: a database becomes a snapshot.
//!
//! Open one read transaction, read the catalog, plan; write each table's file into a private stage and match it
//! with what was read; write the manifest; only then does the name appear.

mod abreast;
mod alone;
mod encoders;
mod further_readers;
mod matched;
mod order;
mod partitioned;
mod plan;
mod ranges;
mod read;
mod report;
mod sample;
mod selection;
mod shares;
mod side_by_side;
mod sort_beside;
mod table;
mod tables;
mod trials;
mod turns;

use std::path::{Path, PathBuf};

use crate::clock::utc_text;
use crate::durable::{
    Existing, Stage, apply_mode_to_tree, mode_of, parent_of, publish_directory, publish_file,
};
use crate::error::{Error, ErrorKind, Result};
use crate::parquet_file::WriterSettings;
use crate::run::Run;
use crate::schema::Cell;
use crate::snapshot::{
    InlineRow, MANIFEST_FILE, Manifest, SNAPSHOT_KEY, SUMS_FILE, Snapshot, SnapshotFacts, TableEntry,
    VIEWS_FILE, sums_text, views_text,
};
use crate::sqlite::not_kept::NotKept;
use crate::sqlite::open::OpenOptions;
use crate::sqlite::target_plan::plan_target;

pub use order::{RequestedOrder, describe_order, describe_reason};
pub use plan::{ExportPlan, OutputForm, PlannedTable, plan_export};
pub use report::{ExportReport, ExportedTable};
pub use selection::Selection;

use further_readers::FurtherReaders;
use plan::PlannedSource;
use tables::TableFiles;

/// How a database is exported.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct ExportOptions {
    /// Where to; a name made of the source's and the time, in the current folder, unless given.
    pub output: Option<PathBuf>,
    /// Whether an existing snapshot of that name is replaced.
    pub existing: Existing,
    /// Which tables.
    pub selection: Selection,
    /// Orders asked for.
    pub order_by: Vec<RequestedOrder>,
    /// How files are written.
    pub settings: WriterSettings,
    /// How much memory to use, in bytes.
    pub memory_limit_bytes: u64,
    /// How many threads encode and match.
    pub threads: usize,
    /// Whether what was written is decoded and matched with what was read.
    pub verify: bool,
    /// Whether anything that cannot be kept is an error.
    pub strict: bool,
    /// Whether SQLite checks the database before it is read.
    pub check_source: bool,
    /// Whether the database is copied first and the copy exported, so that it is held only briefly.
    pub copy_first: bool,
    /// Where temporary files go; beside the output unless given.
    pub temp_folder: Option<PathBuf>,
    /// How the database is opened.
    pub open: OpenOptions,
}

/// Exports the database at `path`.
///
/// # Errors
/// `Usage`, `NotFound`, `Busy`, `Exists`, `Damaged`, `Interrupted` as their names say; `Mismatch` if what was
/// written is not what was read; `Failed` otherwise, and with `strict` when something cannot be kept.
pub fn export(path: &Path, options: &ExportOptions, run: Run<'_>) -> Result<ExportReport> {
    let planned = PlannedSource::open(path, options, run)?;
    let plan = &planned.plan;
    plan.check(options)?;
    planned.tell_not_kept(0, options, run)?;
    let parent = parent_of(&plan.output)?;
    let stage = Stage::create_and_clear(&parent)?;
    let temp = options.temp_folder.as_deref().map(Stage::create_and_clear).transpose()?;
    let spill_folder = temp.as_ref().unwrap_or(&stage).path();
    let readers = &FurtherReaders::counted(options.threads);
    let report = Export { options, planned: &planned, stage: &stage, spill_folder, readers, run }.write()?;
    stage.remove_or_tell(run.progress);
    Ok(report)
}

/// Names inside the stage; the target gets its own name only in the end.
const STAGED: &str = "snapshot";

struct Export<'a> {
    options: &'a ExportOptions,
    planned: &'a PlannedSource,
    stage: &'a Stage,
    /// Where rows go that are sorted and do not fit into memory.
    spill_folder: &'a Path,
    readers: &'a FurtherReaders,
    run: Run<'a>,
}

impl Export<'_> {
    fn write(&self) -> Result<ExportReport> {
        let plan = &self.planned.plan;
        self.run.progress.set_run_total(plan.source_size_bytes);
        if plan.form == OutputForm::Folder {
            self.stage.create_folder(STAGED)?;
        }
        let entries = self.write_tables()?;
        self.planned.source.finish()?;
        if self.options.verify {
            self.files().match_all(&entries)?;
        }
        let manifest = self.manifest(entries);
        if plan.form == OutputForm::Folder {
            self.write_manifest(&manifest)?;
        }
        if self.options.verify {
            self.read_back(&manifest)?;
        }
        self.run.interrupt.check()?;
        self.publish()?;
        Ok(ExportReport::new(plan, &manifest))
    }

    fn write_tables(&self) -> Result<Vec<TableEntry>> {
        let tables = &self.planned.plan.tables;
        let known = self.planned.not_kept().len();
        let written = self.files().write_side_by_side(&self.planned.source)?;
        self.planned.tell_not_kept(known, self.options, self.run)?;
        let mut entries = Vec::with_capacity(tables.len());
        for (table, written) in tables.iter().zip(written) {
            let known = self.planned.not_kept().len();
            let entry = match written {
                Some(entry) => entry,
                None => self.write_table(table, &entries)?,
            };
            entries.push(entry);
            self.planned.tell_not_kept(known, self.options, self.run)?;
        }
        Ok(entries)
    }

    fn files(&self) -> TableFiles<'_> {
        let PlannedSource { catalog, plan, .. } = self.planned;
        let Export { options, stage, spill_folder, readers, run, .. } = *self;
        TableFiles { options, catalog, plan, stage, spill_folder, readers, run }
    }

    fn write_table(&self, planned: &PlannedTable, before: &[TableEntry]) -> Result<TableEntry> {
        if planned.file_name.is_none() {
            return self.inline_entry(planned);
        }
        self.files().write(&self.planned.source, planned, &|entry| match self.planned.plan.form {
            OutputForm::Folder => Ok(Vec::new()),
            OutputForm::File => self.snapshot_footer(planned, before, entry),
        })
    }

    /// What the file of a one-table snapshot says about the snapshot.
    fn snapshot_footer(
        &self,
        planned: &PlannedTable,
        before: &[TableEntry],
        entry: TableEntry,
    ) -> Result<Vec<(String, String)>> {
        // Only rows that stand in the manifest itself can come along in the one file.
        let after = self.inline_entries_after(planned)?;
        let entries = before.iter().cloned().chain([entry]).chain(after);
        Ok(vec![(SNAPSHOT_KEY.to_string(), self.manifest(entries.collect()).to_text()?)])
    }

    fn inline_entries_after(&self, table: &PlannedTable) -> Result<Vec<TableEntry>> {
        let after = self.planned.plan.tables.iter().filter(|other| other.ordinal > table.ordinal);
        after.map(|table| self.inline_entry(table)).collect()
    }

    /// The counters of the selected tables, which are too few for a file of their own.
    fn inline_entry(&self, planned: &PlannedTable) -> Result<TableEntry> {
        let PlannedSource { source, catalog, plan, .. } = self.planned;
        let table = &catalog.tables[planned.ordinal];
        let selected = |counter: Option<&Cell<'_>>| {
            let mut tables = plan.tables.iter().map(|table| &catalog.tables[table.ordinal].name);
            match counter {
                Some(Cell::Text(name)) => tables.any(|table| table.is_same(name)),
                Some(Cell::RawText(name)) => tables.any(|table| table.is_same(name)),
                _ => false,
            }
        };
        let mut counts = vec![crate::frame::ClassCounts::default(); table.stored_columns().count()];
        let mut inline_rows = Vec::new();
        source.for_each_row(catalog, planned.ordinal, |rowid, cells| {
            if selected(cells.first()) {
                counts.iter_mut().zip(cells).for_each(|(counts, cell)| counts.count(cell.class()));
                inline_rows.push(InlineRow::of(rowid, cells));
            }
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
        let mut entry = TableEntry {
            table: table.clone(),
            order: planned.order.clone(),
            mapping: crate::frame::plan_mapping(table, &counts),
            digest: crate::digest::ContentDigest::default(),
            content_bytes: 0,
            files: Vec::new(),
            inline_rows,
        };
        entry.digest = entry.inline_digest()?;
        Ok(entry)
    }

    /// Opens what was written the way a restore will, up to the plan of the database to be rebuilt.
    fn read_back(&self, manifest: &Manifest) -> Result<()> {
        let read = Snapshot::open(&self.stage.path_of(STAGED)?)?;
        let tables: Vec<_> = read.manifest.tables.iter().map(|entry| entry.table.clone()).collect();
        plan_target(&read.manifest.schema, &tables, &read.manifest.not_kept)?;
        let same = read.manifest.schema == manifest.schema
            && read
                .manifest
                .tables
                .iter()
                .map(|entry| entry.digest)
                .eq(manifest.tables.iter().map(|entry| entry.digest));
        if same {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Mismatch, "the manifest that was written is not the one that was meant"))
    }

    fn manifest(&self, entries: Vec<TableEntry>) -> Manifest {
        let plan = &self.planned.plan;
        let facts = SnapshotFacts {
            taken_at_utc: utc_text(plan.taken_at),
            source_name: plan.source.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            source_size_bytes: plan.source_size_bytes,
            verified: self.options.verify,
            whole_database: plan.is_whole,
            compression_level: self.options.settings.compression_level,
            source_check: plan.source_check.clone(),
            recovered_from: plan.recovered_from,
        };
        let mut manifest = Manifest::new(facts, self.planned.catalog.header, plan.schema.clone(), entries);
        manifest.database.journal_mode = plan.journal_mode;
        manifest.schema_digest = crate::digest::schema_digest(&manifest.database, &manifest.schema);
        manifest.not_kept = self.not_kept();
        manifest.left_out.clone_from(&plan.left_out);
        manifest
    }

    /// What cannot be rebuilt; what rows have shown stands in the order of the tables, whichever was read first.
    fn not_kept(&self) -> Vec<NotKept> {
        let PlannedSource { plan, catalog, .. } = self.planned;
        let mut not_kept = self.planned.not_kept();
        let place = |lost: &NotKept| {
            plan.tables.iter().position(|table| catalog.tables[table.ordinal].name == lost.table)
        };
        not_kept[plan.not_kept.len()..].sort_by_key(place);
        not_kept
    }

    fn write_manifest(&self, manifest: &Manifest) -> Result<()> {
        let text = manifest.to_text()?;
        let staged = Path::new(STAGED);
        self.stage.write_file(staged.join(MANIFEST_FILE), text.as_bytes())?;
        self.stage.write_file(staged.join(VIEWS_FILE), views_text(manifest).as_bytes())?;
        self.stage.write_file(staged.join(SUMS_FILE), sums_text(manifest, text.as_bytes()).as_bytes())
    }

    fn publish(&self) -> Result<()> {
        let plan = &self.planned.plan;
        if let Some(mode) = mode_of(&plan.source) {
            apply_mode_to_tree(&self.stage.path_of(STAGED)?, mode)?;
        }
        match plan.form {
            OutputForm::Folder => publish_directory(self.stage, STAGED, &plan.output, self.options.existing),
            OutputForm::File => publish_file(self.stage, STAGED, &plan.output, self.options.existing),
        }
    }
}

fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| Error::new(ErrorKind::Failed, "writing a footer failed").because(error))
}
