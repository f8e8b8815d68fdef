//! Encoding row groups on several threads and appending them in order.
//!
//! Frames wait in a queue of one, so memory is bounded by the number of threads, never by the table.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

use arrow::array::RecordBatch;
use polars::prelude::DataFrame;

use crate::digest::ContentDigest;
use crate::error::{Error, ErrorKind, Result};
use crate::frame::crossing::{to_arrow, to_polars};
use crate::frame::{TableMapping, digest_batch};
use crate::parquet_file::{EncodedRowGroup, TableEncoder, TableWriter};
use crate::run::start_thread;
use crate::schema::Table;

/// A numbered frame on its way to an encoder.
type Numbered = (usize, DataFrame);

/// Takes frames, each exactly one row group, in order.
pub(crate) struct FrameQueue<'a> {
    sender: SyncSender<Numbered>,
    failed: &'a AtomicBool,
    next_index: usize,
}

impl FrameQueue<'_> {
    /// Hands the next row group over; waits while the encoders are busy.
    ///
    /// # Errors
    /// `Failed` once an encoder has failed, whose own error then counts.
    pub(crate) fn send(&mut self, batch: &RecordBatch) -> Result<()> {
        let stopped = || Error::new(ErrorKind::Failed, "encoding stopped");
        if self.failed.load(Ordering::Relaxed) {
            return Err(stopped());
        }
        let frame = to_polars(batch)?;
        self.sender.send((self.next_index, frame)).map_err(|_| stopped())?;
        self.next_index += 1;
        Ok(())
    }
}

/// Runs `produce` beside `threads` encoders; returns what it returns and the writer with all row groups.
///
/// # Errors
/// What an encoder says, else what `produce` says.
pub(crate) fn encode_in_parallel<T>(
    table: &Table,
    mapping: &TableMapping,
    encoder: &TableEncoder,
    writer: TableWriter,
    threads: usize,
    produce: impl FnOnce(FrameQueue<'_>) -> Result<T>,
) -> Result<(T, TableWriter)> {
    let (sender, receiver) = sync_channel::<Numbered>(1);
    let encoders = Encoders {
        table,
        mapping,
        encoder,
        receiver: Mutex::new(receiver),
        sink: Mutex::new(Sink { writer, waiting: BTreeMap::new(), next_index: 0 }),
        failed: AtomicBool::new(false),
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
        let produced = produce(FrameQueue { sender, failed: &encoders.failed, next_index: 0 });
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
    receiver: Mutex<Receiver<Numbered>>,
    sink: Mutex<Sink>,
    failed: AtomicBool,
}

/// The file, and row groups that were finished before their turn.
struct Sink {
    writer: TableWriter,
    waiting: BTreeMap<usize, (EncodedRowGroup, ContentDigest)>,
    next_index: usize,
}

impl Encoders<'_> {
    fn work(&self) -> Result<()> {
        let mut result = Ok(());
        loop {
            let frame = self.receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok((index, frame)) = frame else { return result };
            // After a failure the queue is only emptied, so that the producer never waits for ever.
            if self.failed.load(Ordering::Relaxed) {
                continue;
            }
            // A worker that went away would leave the producer waiting for ever on a full queue.
            result = catch_unwind(AssertUnwindSafe(|| self.encode(index, frame))).unwrap_or_else(|_| {
                Err(Error::new(ErrorKind::Failed, "encoding a row group stopped unexpectedly"))
            });
            if result.is_err() {
                self.failed.store(true, Ordering::Relaxed);
            }
        }
    }

    fn encode(&self, index: usize, frame: DataFrame) -> Result<()> {
        let batch = to_arrow(frame, self.encoder.schema())?;
        let digest = digest_batch(self.table, self.mapping, &batch)?;
        let encoded = self.encoder.encode(index, &batch)?;
        drop(batch);
        self.sink.lock().unwrap_or_else(PoisonError::into_inner).take(index, encoded, digest)
    }
}

impl Sink {
    fn take(&mut self, index: usize, encoded: EncodedRowGroup, digest: ContentDigest) -> Result<()> {
        self.waiting.insert(index, (encoded, digest));
        while let Some((encoded, digest)) = self.waiting.remove(&self.next_index) {
            self.writer.append(encoded, digest)?;
            self.next_index += 1;
        }
        Ok(())
    }
}
