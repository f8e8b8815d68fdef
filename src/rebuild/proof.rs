//! Proving that a rebuilt database is the one the snapshot was made of.

use std::ops::ControlFlow;
use std::path::Path;

use crate::budget::free_bytes;
use crate::digest::{ContentDigest, RowHasher};
use crate::error::{Error, ErrorKind, Result};
use crate::progress::{Phase, PhaseKind};
use crate::rebuild::RebuildOptions;
use crate::run::{Run, start_thread};
use crate::schema::Table;
use crate::snapshot::{Snapshot, TableEntry};
use crate::sqlite::Extent;
use crate::sqlite::catalog::Catalog;
use crate::sqlite::check::CheckReport;
use crate::sqlite::database::CHECKING;
use crate::sqlite::open::Source;
use crate::sqlite::target_plan::TargetPlan;

/// SQLite takes a page that the disk cannot read for a damaged one. The file is ours, so it can be read to see which
/// it is: a failing disk says nothing about the snapshot.
pub(super) fn told_as_unreadable(path: &Path, error: Error) -> Error {
    let is_damage = matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Mismatch);
    let read_through = || std::io::copy(&mut std::fs::File::open(path)?, &mut std::io::sink());
    match is_damage.then(read_through) {
        Some(Err(unreadable)) => Error::io("reading the rebuilt database back", path, unreadable),
        _ => error,
    }
}

/// A database that was built, and from what.
pub(super) struct Built<'a> {
    pub(super) plan: &'a TargetPlan,
    pub(super) tables: &'a [Table],
    pub(super) extents: &'a [Extent],
    pub(super) path: &'a Path,
}

/// Reads the rebuilt database with fresh eyes and matches schema, tables, and at the same time every row, and what
/// SQLite's checks say, which evaluate expressions of the snapshot's schema.
pub(super) fn prove(
    snapshot: &Snapshot,
    built: &Built<'_>,
    options: &RebuildOptions,
    run: Run<'_>,
) -> Result<CheckReport> {
    let manifest = &snapshot.manifest;
    let mismatch =
        |message: &str| Err(Error::new(ErrorKind::Mismatch, message.to_string()).at(snapshot.path()));
    let source = Source::open_own(built.path, run.interrupt)?;
    let (catalog, _) = source.read_catalog()?;
    if catalog.header != manifest.database {
        return mismatch("the restored header is not the one the manifest names");
    }
    if catalog.objects != built.plan.schema_objects() {
        return mismatch("the restored schema is not the one the manifest names");
    }
    built.plan.expect_tables(built.tables, &catalog.tables).map_err(|error| error.at(snapshot.path()))?;
    let (checker, catalog) = (source.checker(), &catalog);
    let cache_bytes = free_bytes(options.memory_limit_bytes) / 2;
    let (rows, check) = std::thread::scope(|scope| -> Result<_> {
        let matching = start_thread(scope, move || match_rows(&source, catalog, snapshot, run))?;
        let check = checker.check_own(catalog, built.extents, cache_bytes, run.interrupt);
        let rows = matching.join().map_err(|_| Error::new(ErrorKind::Failed, "a matching thread stopped"))?;
        Ok((rows, check))
    })?;
    run.progress.end();
    // Rows that are not the snapshot's say more than what SQLite makes of them.
    rows?;
    let check = check?;
    match check.structural.first() {
        Some(finding) => {
            mismatch(&format!("SQLite's integrity check says of the restored database: {finding}"))
        }
        None => Ok(check),
    }
}

/// Matches every row with the snapshot's, and tells then that the checks still go on.
fn match_rows(source: &Source, catalog: &Catalog, snapshot: &Snapshot, run: Run<'_>) -> Result<()> {
    for (ordinal, entry) in snapshot.manifest.tables.iter().enumerate() {
        if digest_of_table(source, catalog, ordinal, entry, run)? != entry.digest {
            return Err(Error::new(
                ErrorKind::Mismatch,
                "the restored rows are not those the manifest names",
            )
            .at(snapshot.path())
            .in_table(&entry.table.name));
        }
    }
    run.progress.begin(CHECKING);
    Ok(())
}

fn digest_of_table(
    source: &Source,
    catalog: &Catalog,
    ordinal: usize,
    entry: &TableEntry,
    run: Run<'_>,
) -> Result<ContentDigest> {
    const ROWS_PER_STEP: u64 = 4_096;
    let subject = entry.table.name.lossy();
    let total_rows = Some(entry.row_count());
    run.progress.begin(Phase { kind: PhaseKind::Checking, subject: &subject, total_rows, total_bytes: None });
    let has_rowid = entry.table.has_rowid();
    let mut hasher = RowHasher::default();
    let mut rows = 0;
    source.for_each_row(catalog, ordinal, |rowid, cells| {
        hasher.add_row(rowid.filter(|_| has_rowid), cells);
        rows += 1;
        run.interrupt.check()?;
        if rows % ROWS_PER_STEP == 0 {
            run.progress.advance(ROWS_PER_STEP, 0);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    run.progress.end();
    Ok(hasher.take())
}
