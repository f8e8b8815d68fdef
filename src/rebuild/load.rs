//! Loading a table: decoding on one thread, inserting on another.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use arrow::array::RecordBatch;

use crate::budget::{Budget, Reservation, free_bytes};
use crate::digest::{ContentDigest, RowHasher};
use crate::error::{Error, ErrorKind, Result};
use crate::frame::RowDecoder;
use crate::frame::order::{Keys, OrderKey};
use crate::frame::weight::memory_of;
use crate::parquet_file::TableReader;
use crate::progress::{Phase, PhaseKind};
use crate::rebuild::RebuildOptions;
use crate::rebuild::key_order::{Way, way_for};
use crate::run::{Run, start_thread};
use crate::snapshot::{Snapshot, TableEntry};
use crate::sqlite::Extent;
use crate::sqlite::stand_in::TableLoader;
use crate::sqlite::target::Target;

/// Batches between decoding and inserting, at most; their memory is bounded by a [`Budget`].
const BATCHES_IN_FLIGHT: usize = 2;

/// A batch on its way from the decoder.
pub(super) struct DecodedBatch<'b> {
    pub(super) rows: RecordBatch,
    /// Those of its rows, where they are asked for.
    pub(super) keys: Keys,
    /// The size of its rows in canonical encoding.
    pub(super) content_bytes: u64,
    /// What it is charged.
    pub(super) reservation: Reservation<'b>,
}

pub(super) type Batch<'b> = Result<DecodedBatch<'b>>;

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
        let way = way_for(self.snapshot, self.entry, self.options.memory_limit_bytes, self.run.interrupt)?;
        let Loaded { digest, extent } = match self.load(&way, true)? {
            Some(loaded) => loaded,
            // A cell in a column declared REAL is of a kind SQLite would change there.
            None => self.load(&way, false)?.unwrap_or_default(),
        };
        self.run.progress.end();
        if digest != self.entry.digest {
            return Err(Error::new(ErrorKind::Mismatch, "the rows are not those the manifest names")
                .at(self.snapshot.path()));
        }
        Ok(extent)
    }

    /// Inserts all rows and says which and how much they were; `None` when a column declared REAL would change a cell.
    fn load(&self, way: &Way, typed_reals: bool) -> Result<Option<Loaded>> {
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
        let budget = &Budget::new(free_bytes(self.options.memory_limit_bytes) / 4);
        let from_files = std::thread::scope(|scope| -> Result<Option<Loaded>> {
            let (sender, receiver) = sync_channel::<Batch<'_>>(BATCHES_IN_FLIGHT);
            let (snapshot, entry) = (self.snapshot, self.entry);
            let decoding = start_thread(scope, move || {
                decode_files(snapshot, entry, way.key_to_hold_by(), budget, &sender).unwrap_or_else(|error| {
                    // Where nobody listens any more, another error has already ended the load.
                    let _ = sender.send(Err(error));
                    Loaded::default()
                })
            })?;
            let fits = match way {
                Way::AsTheyCome => self.insert(receiver, &mut loader)?,
                Way::HeldBack(_) => self.hold_back_and_insert(receiver, &mut loader)?,
                Way::Sorted(key) => self.sort_and_insert(key, receiver, &mut loader)?,
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
            self.decoder(&batch.rows)?.for_each_row(|rowid, cells| {
                fits = fits && loader.insert(rowid, cells)?;
                Ok(())
            })?;
            if !fits {
                break;
            }
            self.run.progress.advance(batch.rows.num_rows() as u64, batch.content_bytes);
        }
        Ok(fits)
    }

    pub(super) fn decoder<'b>(&'b self, rows: &'b RecordBatch) -> Result<RowDecoder<'b>> {
        RowDecoder::new(&self.entry.table, &self.entry.mapping, rows)
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

/// Decodes all data files of a table and sends their batches, with the keys of their rows if there is a `key`, until
/// nobody listens any more; says which rows they hold.
///
/// A batch is decoded when there is room for one of average size, and charged for what it takes. Rows are hashed here,
/// since inserting takes longer than decoding.
fn decode_files<'b>(
    snapshot: &Snapshot,
    entry: &TableEntry,
    key: Option<&OrderKey>,
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
                let mut keys = Keys::default();
                RowDecoder::new(&entry.table, &entry.mapping, &rows)?.for_each_row(|rowid, cells| {
                    loaded.extent.add_row(hasher.add_row(rowid, cells));
                    if let Some(key) = key {
                        keys.push(|bytes| key.encode(rowid, cells, bytes));
                    }
                    Ok(())
                })?;
                // Those of strays are copied once more.
                reservation.grow(keys.memory_bytes().saturating_mul(2));
                let content_bytes = loaded.extent.content_bytes - before;
                let batch = DecodedBatch { rows, keys, content_bytes, reservation };
                if sender.send(Ok(batch)).is_err() {
                    return Ok(loaded);
                }
            }
        }
    }
    loaded.digest = hasher.take();
    Ok(loaded)
}
