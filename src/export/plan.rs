//! What an export is going to do, as a value: a dry run prints it, execution consumes it.

mod refusals;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::clock::file_name_time;
use crate::durable::{Stage, parent_of, require_space};
use crate::error::{Error, ErrorKind, Result};
use crate::export::ExportOptions;
use crate::export::order::order_of;
use crate::export::plan::refusals::refuse_loss;
use crate::export::selection::{Selected, is_internal};
use crate::frame::{ClassCounts, TableMapping, plan_mapping};
use crate::progress::{Phase, PhaseKind};
use crate::run::Run;
use crate::schema::{JournalMode, SchemaObject, TotalOrder};
use crate::snapshot::{LeftOut, file_names};
use crate::sqlite::catalog::Catalog;
use crate::sqlite::not_kept::NotKept;
use crate::sqlite::open::{OpenOptions, Source};
use crate::sqlite::recovered::RecoveredFrom;
use crate::sqlite::source_check::SourceCheck;

/// What a snapshot is made as; it depends on what was asked, never on the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputForm {
    /// A folder.
    Folder,
    /// One Parquet file that is a snapshot by itself.
    File,
}

/// What an export is going to do.
#[derive(Debug, Clone)]
pub struct ExportPlan {
    /// The source database.
    pub source: PathBuf,
    /// Its size.
    pub source_size_bytes: u64,
    /// When its read transaction began.
    pub taken_at: Timestamp,
    /// Its journal mode.
    pub journal_mode: JournalMode,
    /// Where the snapshot goes.
    pub output: PathBuf,
    /// As what.
    pub form: OutputForm,
    /// The schema rows that go along.
    pub schema: Vec<SchemaObject>,
    /// The tables.
    pub tables: Vec<PlannedTable>,
    /// What a restore cannot rebuild.
    pub not_kept: Vec<NotKept>,
    /// What was not asked for.
    pub left_out: Vec<LeftOut>,
    /// Whether it is the whole database.
    pub is_whole: bool,
    /// What SQLite's own checks said of it.
    pub source_check: SourceCheck,
    /// What SQLite had to recover it from, in a private copy.
    pub recovered_from: Option<RecoveredFrom>,
}

/// One table of an export.
#[derive(Debug, Clone)]
pub struct PlannedTable {
    /// Its place in the catalog.
    pub ordinal: usize,
    /// Its name, readable form.
    pub name: String,
    /// Its file; `None` where its few rows stand in the manifest.
    pub file_name: Option<String>,
    /// The order of its rows.
    pub order: TotalOrder,
    /// The order in words.
    pub order_text: String,
    /// How its columns become Parquet columns; known to a dry run, which reads all rows.
    pub mapping: Option<TableMapping>,
    /// Its rows: counted in a dry run, else estimated.
    pub row_count: Option<u64>,
}

/// An opened source, its catalog, and the plan.
pub(crate) struct PlannedSource {
    pub(crate) source: Source,
    pub(crate) catalog: Catalog,
    pub(crate) plan: ExportPlan,
    /// Holds the copy that is read in place of the source; removed when the export ends.
    _copy: Option<Stage>,
}

/// Rows between two looks at the interrupt and two words to the progress.
const ROWS_PER_STEP: u64 = 4_096;

/// Plans an export and reads all rows once, so that the plan can show every column mapping.
///
/// # Errors
/// As [`crate::export::export`]; nothing is written.
pub fn plan_export(path: &Path, options: &ExportOptions, run: Run<'_>) -> Result<ExportPlan> {
    let mut planned_source = PlannedSource::open(path, options, run)?;
    planned_source.plan.check(options)?;
    let PlannedSource { source, catalog, plan, .. } = &mut planned_source;
    for planned in &mut plan.tables {
        let table = &catalog.tables[planned.ordinal];
        let total_rows = source.estimate_row_count(table);
        let kind = PhaseKind::Counting;
        run.progress.begin(Phase { kind, subject: &planned.name, total_rows, total_bytes: None });
        let mut counts = vec![ClassCounts::default(); table.stored_columns().count()];
        let mut rows = 0;
        source.for_each_row(catalog, planned.ordinal, |_, cells| {
            counts.iter_mut().zip(cells).for_each(|(counts, cell)| counts.count(cell.class()));
            rows += 1;
            run.interrupt.check()?;
            if rows % ROWS_PER_STEP == 0 {
                run.progress.advance(ROWS_PER_STEP, 0);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        run.progress.advance(rows % ROWS_PER_STEP, 0);
        run.progress.end();
        planned.mapping = Some(plan_mapping(table, &counts));
        planned.row_count = Some(rows);
    }
    let not_kept = planned_source.not_kept();
    refuse_loss(&not_kept, options, path)?;
    Ok(ExportPlan { not_kept, ..planned_source.plan })
}

impl PlannedSource {
    pub(crate) fn open(path: &Path, options: &ExportOptions, run: Run<'_>) -> Result<Self> {
        let temp_folder = temp_folder(options);
        let (original, recovered_from) =
            Source::open_or_recover(path, &options.open, temp_folder.as_deref(), run)?;
        let taken_at = run.clock.now();
        // A copy is checked in its place: that holds the source for less time.
        let copy_first = options.copy_first && !original.is_private_copy();
        let source_check =
            if copy_first { SourceCheck::default() } else { check_source(&original, options, run)? };
        let (catalog, not_kept) = original.read_catalog()?;
        let journal_mode = catalog.header.journal_mode;
        let source_size_bytes = original.size_bytes()?;
        let selected = options.selection.apply(&catalog, &not_kept).map_err(|error| error.at(path))?;
        let (output, form) = output_of(path, options, &selected, &catalog, taken_at)?;
        for (index, requested) in options.order_by.iter().enumerate() {
            if options.order_by[..index]
                .iter()
                .any(|before| before.table.eq_ignore_ascii_case(&requested.table))
            {
                let message = format!("--order-by names table {:?} twice", requested.table);
                return Err(Error::new(ErrorKind::Usage, message)
                    .hint("give all columns of its order at once, as in 'events=_created_at desc,id'"));
            }
            if !selected
                .tables
                .iter()
                .any(|table| catalog.tables[table.ordinal].name.is_same(&requested.table))
            {
                let message = format!("--order-by names a table {:?} that is not exported", requested.table);
                let names = user_tables(&selected, &catalog);
                return Err(Error::new(ErrorKind::Usage, message)
                    .at(path)
                    .hint(format!("the exported tables are: {}", names[..names.len().min(20)].join(", "))));
            }
        }
        let tables = plan_tables(&selected, &catalog, options)?;
        let mut planned = Self {
            plan: ExportPlan {
                source: path.to_path_buf(),
                source_size_bytes,
                taken_at,
                journal_mode,
                output,
                form,
                schema: selected.objects,
                tables,
                not_kept: selected.not_kept,
                left_out: selected.left_out,
                is_whole: selected.is_whole,
                source_check,
                recovered_from,
            },
            source: original,
            catalog,
            _copy: None,
        };
        for table in &mut planned.plan.tables {
            table.row_count = planned.source.estimate_row_count(&planned.catalog.tables[table.ordinal]);
        }
        if copy_first {
            // Better now than after all the work.
            planned.plan.check(options)?;
            planned = planned.copy_first(options, run)?;
        }
        Ok(planned)
    }

    /// What a restore cannot rebuild, as far as schema and rows read so far have shown.
    pub(crate) fn not_kept(&self) -> Vec<NotKept> {
        let mut not_kept = self.plan.not_kept.clone();
        for lost in self.source.not_kept_found() {
            if !not_kept.iter().any(|known| (&known.table, &known.index) == (&lost.table, &lost.index)) {
                not_kept.push(lost);
            }
        }
        not_kept
    }

    /// Tells what cannot be rebuilt, but for the first `known` of it.
    ///
    /// # Errors
    /// `Failed` with `strict` when there is anything.
    pub(crate) fn tell_not_kept(&self, known: usize, options: &ExportOptions, run: Run<'_>) -> Result<()> {
        let not_kept = self.not_kept();
        for lost in not_kept.iter().skip(known) {
            run.progress.note(&format!("a restore will not be able to rebuild {lost}"));
        }
        refuse_loss(&not_kept, options, &self.plan.source)
    }

    /// Copies the source and reads the copy from here on.
    fn copy_first(mut self, options: &ExportOptions, run: Run<'_>) -> Result<Self> {
        let folder = match &options.temp_folder {
            Some(folder) => folder.clone(),
            None => parent_of(&self.plan.output)?,
        };
        require_space(&folder, self.plan.source_size_bytes, "a copy of the database")?;
        let stage = Stage::create_and_clear(&folder)?;
        let copy = stage.path_of("copy.db")?;
        self.source.copy_to(&copy, run)?;
        self.source.finish()?;
        let open = OpenOptions { allow_empty: true, ..options.open.clone() };
        let source = Source::open(&copy, &open, run.interrupt)?;
        self.plan.source_check = check_source(&source, options, run)?;
        let (catalog, _) = source.read_catalog()?;
        if catalog.objects != self.catalog.objects || catalog.tables != self.catalog.tables {
            return Err(
                Error::new(ErrorKind::Mismatch, "the copy of the database has another schema").at(copy)
            );
        }
        Ok(Self { source, catalog, plan: self.plan, _copy: Some(stage) })
    }
}

/// Lets SQLite check the source, if that was asked for, and tells what it finds.
fn check_source(source: &Source, options: &ExportOptions, run: Run<'_>) -> Result<SourceCheck> {
    if !options.check_source {
        return Ok(SourceCheck::default());
    }
    let check = source.check_before_reading(run)?;
    if let Some(first) = check.first_findings.first() {
        let what = if check.is_damaged() { "is damaged" } else { "has rows that break its rules" };
        run.progress.note(&format!(
            "the database {what}: {} of SQLite's integrity check, the first: {first}",
            if check.findings == 1 {
                "one finding".to_string()
            } else {
                format!("{} findings", check.findings)
            }
        ));
    }
    Ok(check)
}

/// Where a private copy of the source goes: where other temporary files go, as far as that is known yet.
fn temp_folder(options: &ExportOptions) -> Option<PathBuf> {
    let beside_output = || parent_of(options.output.as_deref().unwrap_or(Path::new("snapshot"))).ok();
    options.temp_folder.clone().or_else(|| beside_output().filter(|folder| folder.is_dir()))
}

fn plan_tables(selected: &Selected, catalog: &Catalog, options: &ExportOptions) -> Result<Vec<PlannedTable>> {
    let names: Vec<&[u8]> =
        selected.tables.iter().map(|table| catalog.tables[table.ordinal].name.as_bytes()).collect();
    let files = file_names(&names);
    let plan = |(selected, file_name): (&crate::export::selection::SelectedTable, String)| {
        let table = &catalog.tables[selected.ordinal];
        let order = order_of(table, &options.order_by)?;
        Ok(PlannedTable {
            ordinal: selected.ordinal,
            name: table.name.lossy().into_owned(),
            file_name: (!selected.counters_only).then_some(file_name),
            order_text: crate::export::order::describe_order(table, &order),
            order,
            mapping: None,
            row_count: None,
        })
    };
    selected.tables.iter().zip(files).map(plan).collect()
}

/// The names of the selected tables, without SQLite's own.
fn user_tables(selected: &Selected, catalog: &Catalog) -> Vec<String> {
    let names = selected.tables.iter().map(|table| &catalog.tables[table.ordinal].name);
    let names = names.filter(|name| !is_internal(name.as_bytes()));
    names.map(|name| name.lossy().into_owned()).collect()
}

fn output_of(
    path: &Path,
    options: &ExportOptions,
    selected: &Selected,
    catalog: &Catalog,
    taken_at: Timestamp,
) -> Result<(PathBuf, OutputForm)> {
    let Some(output) = &options.output else {
        let mut name = path.file_stem().unwrap_or_default().to_owned();
        name.push(format!("-{}", file_name_time(taken_at)));
        return Ok((PathBuf::from(name), OutputForm::Folder));
    };
    let is_parquet = output.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet"));
    if !is_parquet {
        return Ok((output.clone(), OutputForm::Folder));
    }
    let names = user_tables(selected, catalog);
    if !selected.is_whole && names.len() == 1 {
        return Ok((output.clone(), OutputForm::File));
    }
    let selected =
        if selected.is_whole { "the whole database is".to_string() } else { format!("{} are", names.len()) };
    let message = format!("a .parquet file holds exactly one table, but {selected} selected");
    let hint = match names.as_slice() {
        [] => "leave .parquet out of the name to get a folder".to_string(),
        [name] => format!("add --table {name}, or leave .parquet out of the name to get a folder"),
        names => format!(
            "pick one with --table ({}), or leave .parquet out of the name to get a folder",
            names.iter().take(10).cloned().collect::<Vec<_>>().join(", ")
        ),
    };
    Err(Error::new(ErrorKind::Usage, message).at(output).hint(hint))
}
