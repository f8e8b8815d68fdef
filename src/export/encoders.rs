//! Encoding row groups on several threads and appending them in order.
//!
//! Memory is bounded by a [`Budget`], never by the number of threads or the length of a queue: a frame is charged for
//! what it takes before it is handed over, an encoder gives back each column when it is encoded, and what is encoded and
//! waits for its turn is charged too.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, RecordBatch};
use polars::prelude::DataFrame;

use crate::budget::{Budget, Reservation};
use crate::digest::ContentDigest;
use crate::error::{Error, ErrorKind, Result};
use crate::export::trials::{Duty, SharedTrials};
use crate::frame::crossing::{to_arrow, to_polars};
use crate::frame::weight::{has_larger_value, largest_value, memory_of};
use crate::frame::{Cuts, TableMapping, digest_batch};
use crate::parquet_file::{EncodedRowGroup, LARGE_CELL_BYTES, TableEncoder, TableWriter};
use crate::run::{Interrupt, start_thread};
use crate::schema::Table;

/// What encoding a cell takes beside the cell itself, in cells: its values as they are encoded, its page, and its page
/// compressed. Smaller cells share a page of bounded size.
const COPIES_OF_LARGE_CELL: u64 = 3;

/// What an encoder needs beside the row group it encodes, in bytes: a page in its three forms, dictionary and compressor.
pub(crate) const ENCODER_BYTES: u64 = 8 * 1024 * 1024;

/// So many row groups are encoded after one trial: what rows are like changes slowly.
const ROW_GROUPS_PER_TRIAL: usize = 16;

/// A row group on its way to an encoder: its frames, and what it is charged.
struct Group<'b> {
    index: usize,
    frames: Vec<DataFrame>,
    trials: Arc<SharedTrials>,
    /// To try it out for others too, where it is the first of several.
    duty: Option<Duty>,
    /// The digest of its rows as they were read; `None` where they were sorted since.
    digest: Option<ContentDigest>,
    charge: Reservation<'b>,
}

/// Takes frames in order and hands whole row groups to the encoders.
pub(crate) struct FrameQueue<'a> {
    sender: SyncSender<Group<'a>>,
    failed: &'a AtomicBool,
    next_index: usize,
    cuts: Cuts,
    frames: Vec<DataFrame>,
    /// Of this row group or one shortly before it.
    trials: Arc<SharedTrials>,
    digest: Option<ContentDigest>,
    charge: Reservation<'a>,
    /// The largest cell of the row group so far, if it is large.
    largest_cell: u64,
}

impl FrameQueue<'_> {
    /// Whether the frame of the next `rows` rows, of `bytes` bytes, is to be handed over.
    pub(crate) fn frame_ends(&self, rows: u64, bytes: u64) -> bool {
        self.cuts.frame_ends(rows, bytes)
    }

    /// Waits until `bytes` more could be held: before something large is made, which then is charged when it is sent.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub(crate) fn wait_for_room(&self, bytes: u64) -> Result<()> {
        self.charge.wait_for_room(bytes);
        self.check()
    }

    /// Hands the next frame over, whose rows have `bytes` bytes together; waits while the encoders are busy.
    ///
    /// `digest`: of these rows as they were read. Where it is `None`, which must be so for all frames or none, an encoder
    /// computes that of its row group.
    ///
    /// # Errors
    /// `Failed` once an encoder has failed, whose own error then counts.
    pub(crate) fn send(
        &mut self,
        batch: &RecordBatch,
        bytes: u64,
        digest: Option<ContentDigest>,
    ) -> Result<()> {
        self.check()?;
        let columns = batch.columns().iter().filter(|column| has_larger_value(column, LARGE_CELL_BYTES));
        let largest_cell = columns.map(largest_value).max().unwrap_or(0);
        let more_for_cells = largest_cell.saturating_sub(self.largest_cell) * COPIES_OF_LARGE_CELL;
        self.largest_cell = self.largest_cell.max(largest_cell);
        self.charge.grow(memory_of(batch) + more_for_cells);
        if let Some(digest) = digest {
            self.digest.get_or_insert_default().add(digest);
        }
        self.frames.push(to_polars(batch)?);
        if self.cuts.end_frame(batch.num_rows() as u64, bytes) { self.send_group() } else { Ok(()) }
    }

    /// Hands over what is left.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub(crate) fn finish(&mut self) -> Result<()> {
        if self.frames.is_empty() { Ok(()) } else { self.send_group() }
    }

    fn send_group(&mut self) -> Result<()> {
        let mut duty = None;
        if self.next_index.is_multiple_of(ROW_GROUPS_PER_TRIAL) {
            let (trials, new_duty) = SharedTrials::new();
            (self.trials, duty) = (trials, Some(new_duty));
        }
        let frames = std::mem::take(&mut self.frames);
        let group = Group {
            index: self.next_index,
            frames,
            trials: Arc::clone(&self.trials),
            duty,
            digest: self.digest.take(),
            charge: self.charge.take(),
        };
        self.next_index += 1;
        self.largest_cell = 0;
        self.sender.send(group).map_err(|_| stopped())?;
        self.check()
    }

    fn check(&self) -> Result<()> {
        if self.failed.load(Ordering::Relaxed) { Err(stopped()) } else { Ok(()) }
    }
}

fn stopped() -> Error {
    Error::new(ErrorKind::Failed, "encoding stopped")
}

/// What encoding may use, and what stops it.
#[derive(Clone, Copy)]
pub(crate) struct EncodingResources<'a> {
    /// How many encoders there are at most.
    pub(crate) threads: usize,
    /// What frames, row groups and what is made of them are charged to.
    pub(crate) budget: &'a Budget,
    /// Whether to stop.
    pub(crate) interrupt: &'a Interrupt,
}

/// Runs `produce` beside the encoders, within their budget, which ends with the first failure; returns what it returns and the writer with all row groups.
///
/// # Errors
/// What an encoder says, else what `produce` says.
pub(crate) fn encode_in_parallel<T>(
    table: &Table,
    mapping: &TableMapping,
    encoder: &TableEncoder,
    writer: TableWriter,
    resources: EncodingResources<'_>,
    produce: impl FnOnce(FrameQueue<'_>) -> Result<T>,
) -> Result<(T, TableWriter)> {
    let EncodingResources { threads, budget, interrupt } = resources;
    // None waits while all encoders are busy: the next is being gathered meanwhile, and what lies in a queue is in no
    // processor's cache when its turn comes.
    let (sender, receiver) = sync_channel::<Group<'_>>(0);
    let failed = AtomicBool::new(false);
    let encoders = Encoders {
        table,
        mapping,
        encoder,
        receiver: Mutex::new(receiver),
        sink: Mutex::new(Sink { writer, waiting: BTreeMap::new(), next_index: 0 }),
        failed: &failed,
        budget,
        interrupt,
    };
    let (produced, outcome) = std::thread::scope(|scope| {
        let start = || start_thread(scope, || encoders.work());
        let first = match start() {
            Ok(first) => first,
            Err(error) => return (Err(error), Ok(())),
        };
        // Where the system has no thread left, fewer of them do the same work.
        let more = (1..threads).map_while(|_| start().ok());
        let workers: Vec<_> = std::iter::once(first).chain(more).collect();
        let produced = produce(FrameQueue {
            sender,
            failed: &failed,
            next_index: 0,
            cuts: Cuts::default(),
            frames: Vec::new(),
            trials: Arc::default(),
            digest: None,
            charge: budget.reserve(0),
            largest_cell: 0,
        });
        let mut outcome = Ok(());
        for worker in workers {
            let result = worker
                .join()
                .unwrap_or_else(|_| Err(Error::new(ErrorKind::Failed, "an encoding thread stopped")));
            outcome = outcome.and(result);
        }
        (produced, outcome)
    });
    // Where encoding failed, the producer only knows that it could not go on.
    outcome?;
    let sink = encoders.sink.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok((produced?, sink.writer))
}

struct Encoders<'a> {
    table: &'a Table,
    mapping: &'a TableMapping,
    encoder: &'a TableEncoder,
    receiver: Mutex<Receiver<Group<'a>>>,
    sink: Mutex<Sink<'a>>,
    failed: &'a AtomicBool,
    budget: &'a Budget,
    interrupt: &'a Interrupt,
}

/// The file, and row groups that were finished before their turn.
struct Sink<'b> {
    writer: TableWriter,
    waiting: BTreeMap<usize, Finished<'b>>,
    next_index: usize,
}

struct Finished<'b> {
    encoded: EncodedRowGroup,
    digest: ContentDigest,
    _charge: Reservation<'b>,
}

impl<'b> Encoders<'b> {
    fn work(&self) -> Result<()> {
        let mut result = Ok(());
        loop {
            let group = self.receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(group) = group else { return result };
            // After a failure the queue is only emptied, so that the producer never waits for ever.
            if self.failed.load(Ordering::Relaxed) {
                continue;
            }
            // A worker that went away would leave the producer waiting for ever on a full queue.
            let encoded = catch_unwind(AssertUnwindSafe(|| self.encode(group)));
            result = encoded.unwrap_or_else(|_| {
                Err(Error::new(ErrorKind::Failed, "encoding a row group stopped unexpectedly"))
            });
            if result.is_err() {
                self.failed.store(true, Ordering::Relaxed);
                // What waits for its turn behind the failed one will never have it, and what another encoder puts there
                // later keeps its charge: nobody waits for room any more.
                self.budget.set_limit(u64::MAX);
                self.sink.lock().unwrap_or_else(PoisonError::into_inner).waiting.clear();
            }
        }
    }

    fn encode(&self, group: Group<'b>) -> Result<()> {
        let Group { index, frames, trials, duty, digest: known, mut charge } = group;
        let mut digest = known.unwrap_or_default();
        let mut batches = Vec::with_capacity(frames.len());
        for frame in frames {
            let batch = to_arrow(frame, self.encoder.schema())?;
            if known.is_none() {
                digest.add(digest_batch(self.table, self.mapping, &batch)?);
            }
            batches.push(batch);
        }
        if let Some(duty) = duty {
            duty.done(self.encoder.try_out(self.first_frames(&batches))?);
        }
        let trials = trials.wait();
        let mut columns: Vec<_> = batches.into_iter().map(|batch| batch.into_parts().1.into_iter()).collect();
        let sizes: Vec<u64> = (0..self.encoder.schema().fields().len())
            .map(|column| columns.iter().map(|frame| array_size(&frame.as_slice()[column])).sum())
            .collect();
        let (whole, mut left) = (charge.bytes(), sizes.iter().sum::<u64>());
        let all = left.max(1);
        let mut encoder = self.encoder.row_group(index, &trials, self.interrupt);
        for size in sizes {
            encoder.encode_column(columns.iter_mut().filter_map(Iterator::next).collect())?;
            left -= size;
            // Arrays may share what they hold, so theirs is a share of the charge.
            let share = u128::from(whole) * u128::from(left) / u128::from(all);
            charge.shrink_to(u64::try_from(share).unwrap_or(whole).saturating_add(encoder.encoded_bytes()));
        }
        let finished = Finished { encoded: encoder.finish()?, digest, _charge: charge };
        self.sink.lock().unwrap_or_else(PoisonError::into_inner).take(index, finished)
    }

    /// As many of the first frames of a row group as are enough to try it out, or all.
    fn first_frames<'f>(&self, batches: &'f [RecordBatch]) -> &'f [RecordBatch] {
        let mut rows = 0;
        let enough = batches.iter().position(|batch| {
            rows += batch.num_rows();
            rows >= self.encoder.trial_rows()
        });
        enough.map_or(batches, |last| &batches[..=last])
    }
}

fn array_size(array: &ArrayRef) -> u64 {
    array.get_buffer_memory_size() as u64
}

impl<'b> Sink<'b> {
    fn take(&mut self, index: usize, finished: Finished<'b>) -> Result<()> {
        self.waiting.insert(index, finished);
        while let Some(Finished { encoded, digest, _charge }) = self.waiting.remove(&self.next_index) {
            self.writer.append(encoded, digest)?;
            self.next_index += 1;
        }
        Ok(())
    }
}
