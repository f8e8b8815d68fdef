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
use crate::durable::sync_tree;
use crate::error::{Error, ErrorKind, Result};
use crate::frame::order::{OrderKey, Sorter, with_order_columns};
use crate::frame::weight::memory_of;
use crate::frame::{Cuts, FRAME_BYTES, FrameBuilder, RowDecoder, row_size};
use crate::parquet_file::TableReader;
use crate::progress::{Phase, PhaseKind};
use crate::run::{Run, start_thread};
use crate::schema::{IndexedValue, OrderReason, OrderTerm, Table, TotalOrder};
use crate::snapshot::{Snapshot, TableEntry};
use crate::sqlite::Extent;
use crate::sqlite::catalog::Catalog;
use crate::sqlite::check::CheckReport;
use crate::sqlite::database::CHECKING;
use crate::sqlite::open::Source;
use crate::sqlite::stand_in::TableLoader;
use crate::sqlite::target::{Finish, Target};
use crate::sqlite::target_plan::{TargetPlan, plan_target};

/// How a database is rebuilt.
#[derive(Debug, Clone)]
pub struct RebuildOptions {
    /// Whether the rebuilt database is read again and matched with the snapshot.
    pub verify: bool,
    /// Whether the rebuilt database will be published: then a large one is synced while work on it goes on.
    pub sync: bool,
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

/// A batch on its way from the decoder.
struct DecodedBatch<'b> {
    rows: RecordBatch,
    /// The size of its rows in canonical encoding.
    content_bytes: u64,
    /// What it is charged.
    _reservation: Reservation<'b>,
}

type Batch<'b> = Result<DecodedBatch<'b>>;

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
    let finish = || {
        target.finish(Finish { plan: &plan, tables: &tables, extents: &extents }, |index| {
            run.progress.begin(Phase {
                kind: PhaseKind::Indexing,
                subject: index,
                total_rows: None,
                total_bytes: None,
            });
        })?;
        run.progress.end();
        Ok(())
    };
    let check = if options.verify {
        finish()?;
        let built = Built { plan: &plan, tables: &tables, extents: &extents, path };
        let proven = || prove(snapshot, &built, options, run);
        let proven = while_syncing(path, options, proven);
        Some(proven.map_err(|error| told_as_unreadable(path, error))?)
    } else {
        while_syncing(path, options, finish)?;
        None
    };
    Ok(Rebuilt { tables: tables.len(), rows: manifest.tables.iter().map(TableEntry::row_count).sum(), check })
}

/// Does `work` while the file is synced, where it is worth it: publishing it syncs it again, which has little left to do then.
fn while_syncing<T>(path: &Path, options: &RebuildOptions, work: impl FnOnce() -> Result<T>) -> Result<T> {
    const LARGE_BYTES: u64 = 64 << 20;
    if !options.sync || std::fs::metadata(path).is_ok_and(|file| file.len() < LARGE_BYTES) {
        return work();
    }
    std::thread::scope(|scope| {
        let syncing = start_thread(scope, || sync_tree(path))?;
        let done = work()?;
        // What could not be written is not asked for again: nothing of it may be published.
        syncing.join().map_err(|_| Error::new(ErrorKind::Failed, "a syncing thread stopped"))??;
        Ok(done)
    })
}

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
        let Loaded { digest, extent } = match self.load(true)? {
            Some(loaded) => loaded,
            // A cell in a column declared REAL is of a kind SQLite would change there.
            None => self.load(false)?.unwrap_or_default(),
        };
        self.run.progress.end();
        if digest != self.entry.digest {
            return Err(Error::new(ErrorKind::Mismatch, "the rows are not those the manifest names")
                .at(self.snapshot.path()));
        }
        Ok(extent)
    }

    /// Inserts all rows and says which and how much they were; `None` when a column declared REAL would change a cell.
    fn load(&self, typed_reals: bool) -> Result<Option<Loaded>> {
        let TableEntry { table, inline_rows, files, .. } = self.entry;
        let mut loader = self.target.load_table(self.ordinal, table, self.without_key, typed_reals)?;
        let mut loaded = Loaded::default();
        let mut hasher = RowHasher::default();
        let mut fits = true;
        for row in inline_rows {
            row.read(|rowid, cells| {
                loaded.extent.add_row(hasher.add_row(rowid, cells));
                fits = fits && loader.insert(rowid, cells)?;
                Ok(())
            })?;
        }
        loaded.digest = hasher.take();
        if files.is_empty() || !fits {
            return Ok(fits.then_some(loaded));
        }
        let in_key_order = files.len() <= 1 && files.iter().all(|file| file.in_key_order);
        let budget = &Budget::new(free_bytes(self.options.memory_limit_bytes) / 4);
        let from_files = std::thread::scope(|scope| -> Result<Option<Loaded>> {
            let (sender, receiver) = sync_channel::<Batch<'_>>(BATCHES_IN_FLIGHT);
            let (snapshot, entry) = (self.snapshot, self.entry);
            let decoding = start_thread(scope, move || {
                decode_files(snapshot, entry, budget, &sender).unwrap_or_else(|error| {
                    // Where nobody listens any more, another error has already ended the load.
                    let _ = sender.send(Err(error));
                    Loaded::default()
                })
            })?;
            let fits = if in_key_order {
                self.insert(receiver, &mut loader)?
            } else {
                self.sort_and_insert(receiver, &mut loader)?
            };
            let decoded =
                decoding.join().map_err(|_| Error::new(ErrorKind::Failed, "a decoding thread stopped"))?;
            Ok(fits.then_some(decoded))
        })?;
        Ok(from_files.map(|from_files| loaded.and(from_files)))
    }

    /// False when a column declared REAL would change a cell.
    fn insert(&self, batches: Receiver<Batch<'_>>, loader: &mut TableLoader<'_>) -> Result<bool> {
        let mut fits = true;
        for batch in batches {
            let DecodedBatch { rows, content_bytes, .. } = batch?;
            self.run.interrupt.check()?;
            RowDecoder::new(&self.entry.table, &self.entry.mapping, &rows)?.for_each_row(
                |rowid, cells| {
                    fits = fits && loader.insert(rowid, cells)?;
                    Ok(())
                },
            )?;
            if !fits {
                break;
            }
            self.run.progress.advance(rows.num_rows() as u64, content_bytes);
        }
        Ok(fits)
    }

    /// Puts rows into the order of the b-tree first: appending to a b-tree is several times faster.
    fn sort_and_insert(&self, batches: Receiver<Batch<'_>>, loader: &mut TableLoader<'_>) -> Result<bool> {
        let TableEntry { table, mapping, .. } = self.entry;
        let key = OrderKey::new(&key_order(table), table)?;
        let folder = Some(self.options.temp_folder.clone());
        let schema = with_order_columns(&mapping.arrow_schema());
        let sorted_bytes = free_bytes(self.options.memory_limit_bytes) / 2;
        let mut sorter = Sorter::new(schema, sorted_bytes, folder, self.run.interrupt);
        let mut builder = FrameBuilder::new(mapping, true);
        let mut key_bytes = Vec::new();
        let mut content_bytes = 0;
        for batch in batches {
            let batch = batch?;
            content_bytes += batch.content_bytes;
            RowDecoder::new(table, mapping, &batch.rows)?.for_each_row(|rowid, cells| {
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
        let average_bytes = content_bytes / self.entry.row_count().max(1);
        let mut rows = sorter.finish()?;
        let mut fits = true;
        while let Some(batch) = rows.next_batch(|rows, bytes| Cuts::default().frame_ends(rows, bytes))? {
            self.run.interrupt.check()?;
            RowDecoder::new(table, mapping, &batch)?.for_each_row(|rowid, cells| {
                fits = fits && loader.insert(rowid, cells)?;
                Ok(())
            })?;
            if !fits {
                break;
            }
            let rows = batch.num_rows() as u64;
            self.run.progress.advance(rows, rows.saturating_mul(average_bytes));
        }
        Ok(fits)
    }
}

/// Which and how much rows were loaded.
#[derive(Debug, Clone, Copy, Default)]
struct Loaded {
    digest: ContentDigest,
    extent: Extent,
}

impl Loaded {
    fn and(mut self, other: Self) -> Self {
        self.digest.add(other.digest);
        Self { digest: self.digest, extent: self.extent.and(other.extent) }
    }
}

/// Decodes all data files of a table and sends their batches until nobody listens any more; says which rows they hold.
///
/// A batch is decoded when there is room for one of average size, and charged for what it takes. Rows are hashed here,
/// since inserting takes longer than decoding.
fn decode_files<'b>(
    snapshot: &Snapshot,
    entry: &TableEntry,
    budget: &'b Budget,
    sender: &SyncSender<Batch<'b>>,
) -> Result<Loaded> {
    let mut loaded = Loaded::default();
    let mut hasher = RowHasher::default();
    for file in &entry.files {
        let path = snapshot.readable_path(file)?;
        let reader = TableReader::open(&path)?;
        for index in 0..reader.row_group_count() {
            let mut batches = reader.read_row_group(index)?;
            loop {
                let mut reservation = budget.reserve(reader.batch_bytes(index));
                let Some(rows) = batches.next().transpose()? else { break };
                let bytes = memory_of(&rows);
                reservation.shrink_to(bytes);
                // Nobody else reserves, so that those who hold something never wait for this thread's reservation.
                reservation.grow(bytes.saturating_sub(reservation.bytes()));
                let before = loaded.extent.content_bytes;
                RowDecoder::new(&entry.table, &entry.mapping, &rows)?.for_each_row(|rowid, cells| {
                    loaded.extent.add_row(hasher.add_row(rowid, cells));
                    Ok(())
                })?;
                let content_bytes = loaded.extent.content_bytes - before;
                let batch = DecodedBatch { rows, content_bytes, _reservation: reservation };
                if sender.send(Ok(batch)).is_err() {
                    return Ok(loaded);
                }
            }
        }
    }
    loaded.digest = hasher.take();
    Ok(loaded)
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

/// Reads the rebuilt database with fresh eyes and matches schema, tables, and at the same time every row, and what
/// SQLite's checks say, which evaluate expressions of the snapshot's schema.
fn prove(
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
    let (matched, checked) = std::thread::scope(|scope| -> Result<_> {
        let matching = start_thread(scope, move || match_rows(&source, catalog, snapshot, run))?;
        let checked = checker.check_own(catalog, built.extents, cache_bytes, run.interrupt);
        let matched =
            matching.join().map_err(|_| Error::new(ErrorKind::Failed, "a matching thread stopped"))?;
        Ok((matched, checked))
    })?;
    run.progress.end();
    // Rows that are not the snapshot's say more than what SQLite makes of them.
    matched?;
    let check = checked?;
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
