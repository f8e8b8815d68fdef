//! Loading a table: decoding on one thread, inserting on another.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use arrow::array::RecordBatch;

use crate::budget::{Budget, Reservation, free_bytes};
use crate::digest::{ContentDigest, RowHasher};
use crate::error::{Error, ErrorKind, Result};
use crate::frame::order::{OrderKey, Sorter, with_order_columns};
use crate::frame::weight::memory_of;
use crate::frame::{Cuts, FRAME_BYTES, FrameBuilder, RowDecoder, row_size};
use crate::parquet_file::TableReader;
use crate::progress::{Phase, PhaseKind};
use crate::rebuild::RebuildOptions;
use crate::run::{Run, start_thread};
use crate::schema::{IndexedValue, OrderReason, OrderTerm, Table, TotalOrder};
use crate::snapshot::{Snapshot, TableEntry};
use crate::sqlite::Extent;
use crate::sqlite::stand_in::TableLoader;
use crate::sqlite::target::Target;

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

/// Loads one table.
pub(super) struct TableLoad<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) entry: &'a TableEntry,
    pub(super) ordinal: usize,
    pub(super) without_key: bool,
    pub(super) target: &'a Target,
    pub(super) options: &'a RebuildOptions,
    pub(super) run: Run<'a>,
}

impl TableLoad<'_> {
    /// Loads the table and says how much it was.
    pub(super) fn run(&self) -> Result<Extent> {
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
        let mut inline = Loaded::default();
        let mut hasher = RowHasher::default();
        let mut fits = true;
        for row in inline_rows {
            row.read(|rowid, cells| {
                inline.extent.add_row(hasher.add_row(rowid, cells));
                fits = fits && loader.insert(rowid, cells)?;
                Ok(())
            })?;
        }
        inline.digest = hasher.take();
        if files.is_empty() || !fits {
            return Ok(fits.then_some(inline));
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
        Ok(from_files.map(|from_files| inline.and(from_files)))
    }

    /// False when a column declared REAL would change a cell.
    fn insert(&self, batches: Receiver<Batch<'_>>, loader: &mut TableLoader<'_>) -> Result<bool> {
        let mut fits = true;
        for batch in batches {
            // Kept whole: it is charged for as long as it is there.
            let batch = batch?;
            self.run.interrupt.check()?;
            RowDecoder::new(&self.entry.table, &self.entry.mapping, &batch.rows)?.for_each_row(
                |rowid, cells| {
                    fits = fits && loader.insert(rowid, cells)?;
                    Ok(())
                },
            )?;
            if !fits {
                break;
            }
            self.run.progress.advance(batch.rows.num_rows() as u64, batch.content_bytes);
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
