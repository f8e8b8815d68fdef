//! The rows of a file in a fresh staged database, and the proof that they are there.

use std::ops::ControlFlow;
use std::path::Path;

use serde::Serialize;

use crate::digest::{ContentDigest, RowHasher};
use crate::error::{Error, ErrorKind, Result};
use crate::foreign::plan::{ForeignPlan, HEADER};
use crate::parquet_file::{Finding, ForeignFile};
use crate::progress::{Phase, PhaseKind};
use crate::run::Run;
use crate::schema::Table;
use crate::sqlite::Extent;
use crate::sqlite::check::{CheckDepth, CheckReport};
use crate::sqlite::open::{OpenOptions, Source};
use crate::sqlite::target::{Finish, Target};
use crate::sqlite::target_plan::plan_target;

/// What was imported.
#[derive(Debug, Clone, Serialize)]
pub struct Imported {
    /// How many rows.
    pub rows: u64,
    /// The content digest of the rows as they were decoded.
    pub digest: String,
    /// What became of values that SQLite or JSON cannot hold as they are.
    pub findings: Vec<Finding>,
    /// What SQLite's checks say, after the rows were read again and found to be those that were decoded; `None` where
    /// that was not asked for.
    pub check: Option<CheckReport>,
}

/// Imports all rows of `file` into a database at `path`, which must not exist; `verify` reads them again.
///
/// # Errors
/// `Damaged`, with column and row, for a file that cannot be decoded; `Mismatch` where the database does not hold what
/// was decoded; what SQLite says; I/O failures; `Interrupted`.
pub fn import(
    file: &ForeignFile,
    plan: &ForeignPlan,
    path: &Path,
    memory_limit_bytes: u64,
    verify: bool,
    run: Run<'_>,
) -> Result<Imported> {
    let table = plan.table_of();
    let tables = [table];
    let target = Target::create(path, &HEADER, memory_limit_bytes / 4, run.interrupt)?;
    run.progress.set_run_total(file.uncompressed_bytes());
    let load = Load { file, table: &tables[0], target: &target, budget_bytes: memory_limit_bytes / 8, run };
    let loaded = match load.run(true)? {
        Some(loaded) => loaded,
        // A cell is of a kind that SQLite would change in a column declared REAL, such as a negative zero.
        None => load.run(false)?.ok_or_else(|| Error::new(ErrorKind::Failed, "a row was not inserted"))?,
    };
    let Loaded { digest, extent, findings } = loaded;
    if digest.row_count != file.row_count() {
        return Err(
            Error::new(ErrorKind::Damaged, "the file has other rows than its footer says").at(file.path())
        );
    }
    let schema = plan_target(&[plan.object()], &tables, &[])?;
    // The table has no index to hear of.
    let made = Finish { plan: &schema, tables: &tables, extents: &[extent] };
    target.finish(made, |_| {})?;
    let check = if verify { Some(prove(plan, &tables[0], digest, path, run)?) } else { None };
    Ok(Imported { rows: digest.row_count, digest: digest.to_string(), findings, check })
}

/// The rows that were inserted, and what was found in them.
struct Loaded {
    digest: ContentDigest,
    extent: Extent,
    findings: Vec<Finding>,
}

struct Load<'a> {
    file: &'a ForeignFile,
    table: &'a Table,
    target: &'a Target,
    budget_bytes: u64,
    run: Run<'a>,
}

impl Load<'_> {
    /// Inserts all rows; `None` where a column declared REAL would change a cell.
    fn run(&self, typed_reals: bool) -> Result<Option<Loaded>> {
        let mut loader = self.target.load_table(0, self.table, false, typed_reals)?;
        let mut hasher = RowHasher::default();
        let mut extent = Extent::default();
        let mut rowid: i64 = 0;
        let mut fits = true;
        self.run.progress.begin(Phase {
            kind: PhaseKind::Restoring,
            subject: &self.table.name.lossy(),
            total_rows: Some(self.file.row_count()),
            total_bytes: None,
        });
        let findings = self.file.for_each_row(self.budget_bytes, |cells| {
            rowid += 1;
            let size_bytes = hasher.add_row(Some(rowid), cells);
            extent.add_row(size_bytes);
            check_growth(extent.content_bytes, self.file)?;
            self.run.progress.advance(1, size_bytes as u64);
            fits = loader.insert(Some(rowid), cells)?;
            if !fits {
                return Ok(ControlFlow::Break(()));
            }
            self.run.interrupt.check()?;
            Ok(ControlFlow::Continue(()))
        })?;
        self.run.progress.end();
        Ok(fits.then(|| Loaded { digest: hasher.take(), extent, findings }))
    }
}

/// Refuses a file that makes so many times its own size that only a made-up one would: a dictionary holds a value of
/// megabytes once, and a few bytes ask for it a million times.
fn check_growth(content_bytes: u64, file: &ForeignFile) -> Result<()> {
    const ALWAYS_BYTES: u64 = 1 << 30;
    const TIMES: u64 = 1_000;
    if content_bytes <= ALWAYS_BYTES.max(file.size_bytes().saturating_mul(TIMES)) {
        return Ok(());
    }
    let message = format!("the file makes more than {TIMES} times its size, and more than 1 GiB, of rows");
    Err(Error::new(ErrorKind::Damaged, message)
        .at(file.path())
        .hint("it may be made up; if it can be trusted, write it anew without dictionaries"))
}

/// Reads the database with fresh eyes: its schema, SQLite's checks, and every row.
fn prove(
    plan: &ForeignPlan,
    table: &Table,
    digest: ContentDigest,
    path: &Path,
    run: Run<'_>,
) -> Result<CheckReport> {
    let mismatch = |message: &str| Err(Error::new(ErrorKind::Mismatch, message).in_table(&table.name));
    let options = OpenOptions { allow_empty: true, ..OpenOptions::default() };
    let source = Source::open(path, &options, run.interrupt)?;
    let (catalog, _) = source.read_catalog()?;
    let is_planned = catalog.header == HEADER
        && catalog.objects == [plan.object()]
        && catalog.tables.as_slice() == std::slice::from_ref(table);
    if !is_planned {
        return mismatch("SQLite sees another table than the one that was planned");
    }
    let extent = Extent::of_file(source.size_bytes()?);
    let check = source.check(CheckDepth::Full, &catalog, &[extent], run)?;
    if let Some(finding) = check.structural.first() {
        return mismatch(&format!("SQLite's integrity check says of the new database: {finding}"));
    }
    run.progress.begin(Phase {
        kind: PhaseKind::Checking,
        subject: &table.name.lossy(),
        total_rows: Some(digest.row_count),
        total_bytes: None,
    });
    let mut hasher = RowHasher::default();
    let mut rows: u64 = 0;
    source.for_each_row(&catalog, 0, |rowid, cells| {
        hasher.add_row(rowid, cells);
        rows += 1;
        run.progress.advance(1, 0);
        run.interrupt.check()?;
        Ok(ControlFlow::Continue(()))
    })?;
    run.progress.end();
    if hasher.take() != digest {
        return mismatch("the rows in the database are not those that were decoded");
    }
    Ok(check)
}
