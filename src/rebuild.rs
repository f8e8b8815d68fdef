//! Rebuilding a database from a snapshot in a staged file, and proving it equal before anybody sees it.
//!
//! `restore` publishes what this makes, `verify` throws it away. Nothing here touches a final name.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use arrow::array::RecordBatch;
use serde::Serialize;

use crate::budget::{Budget, Reservation, free_bytes};
use crate::digest::{ContentDigest, RowHasher};
use crate::error::{Error, ErrorKind, Result};
use crate::frame::order::{OrderKey, Sorter, with_order_columns};
use crate::frame::weight::memory_of;
use crate::frame::{Cuts, FRAME_BYTES, FrameBuilder, RowDecoder, row_size};
use crate::parquet_file::TableReader;
use crate::progress::{Phase, PhaseKind};
use crate::run::{Run, start_thread};
use crate::schema::{Cell, IndexedValue, OrderReason, OrderTerm, Table, TotalOrder};
use crate::snapshot::{Snapshot, TableEntry};
use crate::sqlite::Extent;
use crate::sqlite::catalog::Catalog;
use crate::sqlite::check::{CheckDepth, CheckReport};
use crate::sqlite::open::{OpenOptions, Source};
use crate::sqlite::target::{Finish, Target};
use crate::sqlite::target_plan::{TargetPlan, plan_target};

/// How a database is rebuilt.
#[derive(Debug, Clone)]
pub struct RebuildOptions {
    /// Whether the rebuilt database is read again and matched with the snapshot.
    pub verify: bool,
    /// How much memory to use, in bytes.
    pub memory_limit_bytes: u64,
    /// A private folder for what does not fit into memory.
    pub temp_folder: PathBuf,
}

/// What was rebuilt.
#[derive(Debug, Clone, Serialize)]
pub struct Rebuilt {
    /// How many tables.
    pub tables: usize,
    /// How many rows.
    pub rows: u64,
    /// What SQLite's checks say; `None` without verification.
    pub check: Option<CheckReport>,
}

/// What to do about a damaged snapshot.
pub(crate) const VERIFY_HINT: &str =
    "`parklite verify --data` tells which files, row groups and columns are damaged; try another copy";

/// Batches between decoding and inserting, at most; their memory is bounded by a [`Budget`].
const BATCHES_IN_FLIGHT: usize = 2;
/// How often a row is in memory while it is inserted, beside its copy in SQLite: as a batch, bound, and as a record.
const COPIES_OF_ROW: u64 = 3;

/// A batch on its way from the decoder, and what it is charged.
type Batch<'b> = Result<(RecordBatch, Reservation<'b>)>;

/// Rebuilds the database of `snapshot` at `path`, which must not exist.
///
/// # Errors
/// `Mismatch` where rows or schema are not those the manifest names; `Damaged` for data files that cannot be
/// read; what SQLite says; I/O failures; `Interrupted`.
pub fn rebuild(snapshot: &Snapshot, path: &Path, options: &RebuildOptions, run: Run<'_>) -> Result<Rebuilt> {
    let manifest = &snapshot.manifest;
    let tables: Vec<Table> = manifest.tables.iter().map(|entry| entry.table.clone()).collect();
    let plan = plan_target(&manifest.schema, &tables, &manifest.not_kept)?;
    let cache_bytes = free_bytes(options.memory_limit_bytes) / 4;
    let target = Target::create(path, &manifest.database, cache_bytes, run.interrupt)?;
    run.progress.set_run_total(manifest.snapshot.source_size_bytes);
    let mut extents = Vec::with_capacity(tables.len());
    for (ordinal, entry) in manifest.tables.iter().enumerate() {
        let without_key = plan.without_constraints.contains(&ordinal);
        let load = TableLoad { snapshot, entry, ordinal, without_key, target: &target, options, run };
        let loaded = load.run().map_err(|error| {
            let is_damage = matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Mismatch);
            let error = error.in_table(&entry.table.name);
            if is_damage { error.hint(VERIFY_HINT) } else { error }
        })?;
        extents.push(loaded);
    }
    target.finish(Finish { plan: &plan, tables: &tables, extents: &extents }, |index| {
        run.progress.begin(Phase {
            kind: PhaseKind::Indexing,
            subject: index,
            total_rows: None,
            total_bytes: None,
        });
    })?;
    run.progress.end();
    let built = Built { plan: &plan, tables: &tables, extents: &extents, path };
    let proven = || prove(snapshot, &built, run).map_err(|error| told_as_unreadable(path, error));
    let check = if options.verify { Some(proven()?) } else { None };
    Ok(Rebuilt { tables: tables.len(), rows: manifest.tables.iter().map(TableEntry::row_count).sum(), check })
}

/// Takes one row: its rowid and its cells.
type TakeRow<'f> = dyn FnMut(Option<i64>, &[Cell<'_>]) -> Result<()> + 'f;

/// Loads one table.
struct TableLoad<'a> {
    snapshot: &'a Snapshot,
    entry: &'a TableEntry,
    ordinal: usize,
    without_key: bool,
    target: &'a Target,
    options: &'a RebuildOptions,
    run: Run<'a>,
}

impl TableLoad<'_> {
    /// Loads the table and says how much it was.
    fn run(&self) -> Result<Extent> {
        let subject = self.entry.table.name.lossy();
        let total_rows = Some(self.entry.row_count());
        self.run.progress.begin(Phase {
            kind: PhaseKind::Restoring,
            subject: &subject,
            total_rows,
            total_bytes: None,
        });
        let (loaded, extent) = match self.load(true)? {
            Some(loaded) => loaded,
            // A cell in a column declared REAL is of a kind SQLite would change there.
            None => self.load(false)?.unwrap_or_default(),
        };
        self.run.progress.end();
        if loaded != self.entry.digest {
            return Err(Error::new(ErrorKind::Mismatch, "the rows are not those the manifest names")
                .at(self.snapshot.path()));
        }
        Ok(extent)
    }

    /// Inserts all rows and says which and how much they were; `None` when a column declared REAL would change a cell.
    fn load(&self, typed_reals: bool) -> Result<Option<(ContentDigest, Extent)>> {
        let TableEntry { table, inline_rows, files, .. } = self.entry;
        let mut loader = self.target.load_table(self.ordinal, table, self.without_key, typed_reals)?;
        let mut hasher = RowHasher::default();
        let mut extent = Extent::default();
        let mut fits = true;
        let mut take = |rowid: Option<i64>, cells: &[Cell<'_>]| -> Result<()> {
            if fits {
                let size_bytes = hasher.add_row(rowid, cells);
                extent.add_row(size_bytes);
                self.run.progress.advance(1, size_bytes as u64);
                fits = loader.insert(rowid, cells)?;
            }
            Ok(())
        };
        for row in inline_rows {
            row.read(&mut take)?;
        }
        let in_key_order = files.len() <= 1 && files.iter().all(|file| file.in_key_order);
        let budget = &Budget::new(free_bytes(self.options.memory_limit_bytes) / 4);
        std::thread::scope(|scope| -> Result<()> {
            let (sender, receiver) = sync_channel::<Batch<'_>>(BATCHES_IN_FLIGHT);
            let (snapshot, entry) = (self.snapshot, self.entry);
            start_thread(scope, move || {
                if let Err(error) = decode_files(snapshot, entry, budget, &sender) {
                    // Where nobody listens any more, another error has already ended the load.
                    let _ = sender.send(Err(error));
                }
            })?;
            if in_key_order {
                self.insert(&receiver, &mut take)
            } else {
                self.sort_and_insert(&receiver, &mut take)
            }
        })?;
        Ok(fits.then(|| (hasher.take(), extent)))
    }

    fn insert(&self, batches: &Receiver<Batch<'_>>, take: &mut TakeRow<'_>) -> Result<()> {
        for batch in batches {
            let (batch, _reservation) = batch?;
            self.run.interrupt.check()?;
            RowDecoder::new(&self.entry.table, &self.entry.mapping, &batch)?
                .for_each_row(|rowid, cells| take(rowid, cells))?;
        }
        Ok(())
    }

    /// Puts rows into the order of the b-tree first: appending to a b-tree is several times faster.
    fn sort_and_insert(&self, batches: &Receiver<Batch<'_>>, take: &mut TakeRow<'_>) -> Result<()> {
        let TableEntry { table, mapping, .. } = self.entry;
        let key = OrderKey::new(&key_order(table), table)?;
        let folder = Some(self.options.temp_folder.clone());
        let schema = with_order_columns(&mapping.arrow_schema());
        let sorted_bytes = free_bytes(self.options.memory_limit_bytes) / 2;
        let mut sorter = Sorter::new(schema, sorted_bytes, folder, self.run.interrupt);
        let mut builder = FrameBuilder::new(mapping, true);
        let mut key_bytes = Vec::new();
        for batch in batches {
            let (batch, _reservation) = batch?;
            RowDecoder::new(table, mapping, &batch)?.for_each_row(|rowid, cells| {
                let row_bytes = row_size(cells, mapping.width());
                if row_bytes > FRAME_BYTES {
                    // When it is inserted, the rows that are still to come share the memory with it.
                    sorter.lower_limit(sorted_bytes.saturating_sub(row_bytes.saturating_mul(COPIES_OF_ROW)));
                }
                key_bytes.clear();
                key.encode(rowid, cells, &mut key_bytes);
                if !builder.push_row_with_key(rowid, cells, &key_bytes) {
                    return Err(Error::new(ErrorKind::Damaged, "a row does not fit its column mapping"));
                }
                if builder.size_bytes() >= FRAME_BYTES {
                    sorter.push(builder.finish()?)?;
                }
                Ok(())
            })?;
        }
        if builder.row_count() > 0 {
            sorter.push(builder.finish()?)?;
        }
        let mut rows = sorter.finish()?;
        while let Some(batch) = rows.next_batch(|rows, bytes| Cuts::default().frame_ends(rows, bytes))? {
            self.run.interrupt.check()?;
            RowDecoder::new(table, mapping, &batch)?.for_each_row(|rowid, cells| take(rowid, cells))?;
        }
        Ok(())
    }
}

/// Decodes all data files of a table and sends their batches until nobody listens any more.
///
/// A batch is decoded when there is room for one of average size, and charged for what it takes.
fn decode_files<'b>(
    snapshot: &Snapshot,
    entry: &TableEntry,
    budget: &'b Budget,
    sender: &SyncSender<Batch<'b>>,
) -> Result<()> {
    for file in &entry.files {
        let path = snapshot.readable_path(file)?;
        let reader = TableReader::open(&path)?;
        for index in 0..reader.row_group_count() {
            let mut batches = reader.read_row_group(index)?;
            loop {
                let mut reservation = budget.reserve(reader.batch_bytes(index));
                let Some(batch) = batches.next().transpose()? else { break };
                let bytes = memory_of(&batch);
                reservation.shrink_to(bytes);
                // Nobody else reserves, so that those who hold something never wait for this thread's reservation.
                reservation.grow(bytes.saturating_sub(reservation.bytes()));
                if sender.send(Ok((batch, reservation))).is_err() {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// The order of a table's b-tree, or near enough: collations and DESC do not count here.
pub(crate) fn key_order(table: &Table) -> TotalOrder {
    let columns: Vec<Option<usize>> = if table.has_rowid() {
        vec![table.rowid_alias]
    } else {
        let keys = table.without_rowid_key.iter().filter(|key| key.is_key);
        keys.filter_map(|key| match key.value {
            IndexedValue::Column(column) => Some(Some(column)),
            _ => None,
        })
        .collect()
    };
    let terms = columns.into_iter().map(|column| OrderTerm { column, descending: false }).collect();
    TotalOrder { terms, reason: OrderReason::PrimaryKey }
}

/// SQLite takes a page that the disk cannot read for a damaged one. The file is ours, so it can be read to see which
/// it is: a failing disk says nothing about the snapshot.
fn told_as_unreadable(path: &Path, error: Error) -> Error {
    let is_damage = matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Mismatch);
    let read_through = || std::io::copy(&mut std::fs::File::open(path)?, &mut std::io::sink());
    match is_damage.then(read_through) {
        Some(Err(unreadable)) => Error::io("reading the rebuilt database back", path, unreadable),
        _ => error,
    }
}

/// A database that was built, and from what.
struct Built<'a> {
    plan: &'a TargetPlan,
    tables: &'a [Table],
    extents: &'a [Extent],
    path: &'a Path,
}

/// Reads the rebuilt database with fresh eyes and matches schema, tables, every row, and last what SQLite's checks
/// say, which evaluate expressions of the snapshot's schema.
fn prove(snapshot: &Snapshot, built: &Built<'_>, run: Run<'_>) -> Result<CheckReport> {
    let manifest = &snapshot.manifest;
    let mismatch =
        |message: &str| Err(Error::new(ErrorKind::Mismatch, message.to_string()).at(snapshot.path()));
    let options = OpenOptions { allow_empty: true, ..OpenOptions::default() };
    let source = Source::open(built.path, &options, run.interrupt)?;
    let (catalog, _) = source.read_catalog()?;
    if catalog.header != manifest.database {
        return mismatch("the restored header is not the one the manifest names");
    }
    if catalog.objects != built.plan.schema_objects() {
        return mismatch("the restored schema is not the one the manifest names");
    }
    built.plan.expect_tables(built.tables, &catalog.tables).map_err(|error| error.at(snapshot.path()))?;
    for (ordinal, entry) in manifest.tables.iter().enumerate() {
        let place = |error: Error| error.in_table(&entry.table.name);
        if digest_of_table(&source, &catalog, ordinal, entry, run)? != entry.digest {
            return mismatch("the restored rows are not those the manifest names").map_err(place);
        }
    }
    let check = source.check(CheckDepth::Full, &catalog, built.extents, run)?;
    match check.structural.first() {
        Some(finding) => {
            mismatch(&format!("SQLite's integrity check says of the restored database: {finding}"))
        }
        None => Ok(check),
    }
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
