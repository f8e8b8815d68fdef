//! Reading a table whose rows are in order with several readers of one commit at once.
//!
//! Each reader has every so many-th range of rowids and builds pieces of frames of its rows; the pieces are put together in
//! the order of one scan. What is written does not depend on it. It is done for the time it saves alone: whatever cannot be
//! read ends it, and the table is read again by one reader, who then says what is wrong.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::budget::Budget;
use crate::error::{ErrorKind, Result};
use crate::export::encoders::FrameQueue;
use crate::export::further_readers::FurtherReader;
use crate::export::ranges::{EndsCheck, Ranges};
use crate::export::read::Read;
use crate::export::sample::Sample;
use crate::export::table::TableJob;
use crate::frame::order::OrderKey;
use crate::frame::{Piece, Splicer, TableMapping};
use crate::progress::{Phase, PhaseKind};
use crate::run::start_thread;

mod reader;

use reader::{LARGE_ROW_BYTES, Message, PIECE_BYTES, RangeSummary, Reader, Rows, Shared, Wires};

/// About how many bytes of rows a range has.
const RANGE_BYTES: u64 = 2 * 1024 * 1024;
/// A smaller table is read by one reader.
const LEAST_RANGES: u64 = 8;
/// What pieces of one reader may take until it is their turn: those of a range, so that it need not wait for its turn to
/// read all of it.
const WAITING_BYTES: u64 = RANGE_BYTES + RANGE_BYTES / 2;
/// What a reader takes in all: those, a piece that it builds, SQLite's cache, a part of the file, its row.
const READER_BYTES: u64 = WAITING_BYTES + 2 * PIECE_BYTES + 4 * 1024 * 1024;
/// Encoding a table takes somewhat longer than reading it: more readers would only have to wait, and with two threads both
/// are busy with one.
const THREADS_PER_READER: usize = 2;
/// The share of the memory for frames that readers may take.
const READERS_SHARE: u64 = 8;
/// Pieces and the like of one reader that may wait; rather more than there are, for their bytes are what counts.
const WAITING_MESSAGES: usize = 64;

/// The readers of one table, and what they may take.
pub(super) struct Abreast<'r> {
    readers: Vec<FurtherReader<'r>>,
    ranges: Ranges,
}

impl Abreast<'_> {
    /// What the readers take of the memory for frames.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.readers.len() as u64 * READER_BYTES
    }
}

/// Lets readers that wait for room go on, and find that nobody listens, however the listening ends.
struct LetsGo<'b>(&'b [Budget]);

impl Drop for LetsGo<'_> {
    fn drop(&mut self) {
        self.0.iter().for_each(|budget| budget.set_limit(u64::MAX));
    }
}

/// The other ends of a reader's [`Wires`].
struct Lane<'b> {
    messages: Receiver<Result<Message<'b>>>,
    answers: SyncSender<()>,
}

impl<'a> TableJob<'a> {
    /// Several readers, where the table is large enough for them and there is room.
    ///
    /// # Errors
    /// `Interrupted`.
    pub(super) fn abreast(&self, sample: &Sample) -> Result<Option<Abreast<'a>>> {
        match self.readers(sample) {
            // One reader says it better: he knows the row.
            Err(error) if error.kind() != ErrorKind::Interrupted => Ok(None),
            readers => readers,
        }
    }

    fn readers(&self, sample: &Sample) -> Result<Option<Abreast<'a>>> {
        let table = self.table();
        // They would only take turns, each with SQLite's copy of such a row.
        if sample.largest_row_bytes > LARGE_ROW_BYTES {
            return Ok(None);
        }
        let fitting = self.bytes_for_frames() / READERS_SHARE / READER_BYTES;
        let wanted =
            usize::try_from(fitting).unwrap_or(usize::MAX).min(self.threads.div_ceil(THREADS_PER_READER));
        let ranges = self.estimate_bytes(sample).unwrap_or(0) / RANGE_BYTES;
        if wanted < 2 || ranges < LEAST_RANGES || self.source.rowid_bounds(table)?.is_none() {
            return Ok(None);
        }
        let readers = self.readers.open(self.source, &self.catalog.tables, wanted, self.run.interrupt);
        if readers.len() < 2 {
            return Ok(None);
        }
        let ranges = self.ranges(usize::try_from(ranges).unwrap_or(usize::MAX))?;
        Ok(Some(Abreast { readers, ranges }))
    }

    /// Reads all rows and hands them over as frames, as long as they fit `mapping` and are in order; `None` where one reader
    /// should do so instead.
    ///
    /// # Errors
    /// As [`FrameQueue::send`]; `Interrupted`.
    pub(super) fn read_abreast(
        &self,
        abreast: Abreast<'_>,
        mapping: &TableMapping,
        queue: FrameQueue<'_>,
    ) -> Result<Option<Read>> {
        let table = self.table();
        let subject = table.name.lossy();
        let total_rows = self.source.estimate_row_count(table);
        let kind = PhaseKind::Exporting;
        self.run.progress.begin(Phase { kind, subject: &subject, total_rows, total_bytes: None });
        let key = OrderKey::new(self.order, table)?;
        let key = (!key.is_rowid_ascending()).then_some(key);
        let Abreast { readers, ranges } = abreast;
        let (shared, step) = (Shared::default(), readers.len());
        let budgets: Vec<Budget> = readers.iter().map(|_| Budget::new(WAITING_BYTES)).collect();
        let read = std::thread::scope(|scope| {
            let _lets_go = LetsGo(&budgets);
            let mut lanes = Vec::with_capacity(step);
            for (index, (further, budget)) in readers.into_iter().zip(&budgets).enumerate() {
                let (sender, messages) = sync_channel(WAITING_MESSAGES);
                let (answers, answered) = sync_channel(1);
                let wires = Wires { budget, sender, answered };
                let reader = Reader::new(self, mapping, key.clone(), &shared, wires);
                let ranges = &ranges;
                if start_thread(scope, move || reader.run(&further.source, ranges, index, step)).is_err() {
                    return Ok(None);
                }
                lanes.push(Lane { messages, answers });
            }
            self.put_together(&lanes, &ranges, mapping, &shared, queue)
        });
        self.run.progress.end();
        read
    }

    /// Takes what the readers say, range after range.
    fn put_together(
        &self,
        lanes: &[Lane<'_>],
        ranges: &Ranges,
        mapping: &TableMapping,
        shared: &Shared,
        mut queue: FrameQueue<'_>,
    ) -> Result<Option<Read>> {
        let mut read = Read::new(mapping);
        let mut splicer = Splicer::new(mapping.arrow_schema());
        let mut ends = EndsCheck::default();
        let mut last_key: Option<Vec<u8>> = None;
        for lane in lanes.iter().cycle().take(ranges.count()) {
            loop {
                let message = match lane.messages.recv() {
                    Ok(Ok(message)) => message,
                    Ok(Err(error)) if error.kind() == ErrorKind::Interrupted => return Err(error),
                    Ok(Err(_)) | Err(_) => return Ok(None),
                };
                match message {
                    Message::Rows(Rows { piece, digest, content_bytes, _charge }) => {
                        read.digest.add(digest);
                        read.content_bytes += content_bytes;
                        if let Some(piece) = piece.filter(|_| read.fits) {
                            splice(&mut splicer, piece, &mut queue)?;
                        } else {
                            read.fits = false;
                            shared.does_not_fit.store(true, Ordering::Relaxed);
                        }
                        self.run.progress.advance(digest.row_count, content_bytes);
                    }
                    Message::Asks(bytes) => {
                        queue.wait_for_room(bytes)?;
                        if lane.answers.send(()).is_err() {
                            return Ok(None);
                        }
                    }
                    Message::Disorder => {
                        read.in_order = false;
                        return Ok(Some(read));
                    }
                    Message::Ends(summary) => {
                        let RangeSummary { ends: of_range, counts, keys } = *summary;
                        if ends.next(of_range).is_err() {
                            return Ok(None);
                        }
                        read.counts.iter_mut().zip(&counts).for_each(|(sum, counts)| sum.add(counts));
                        if let Some((first, last)) = keys {
                            if last_key.is_some_and(|before| before >= first) {
                                read.in_order = false;
                                return Ok(Some(read));
                            }
                            last_key = Some(last);
                        }
                        break;
                    }
                }
            }
        }
        if ends.finish().is_err() {
            return Ok(None);
        }
        if read.fits {
            if let Some(frame) = splicer.finish()? {
                queue.send(&frame.batch, frame.bytes, Some(frame.digest))?;
            }
            queue.finish()?;
        }
        Ok(Some(read))
    }
}

fn splice(splicer: &mut Splicer, piece: Piece, queue: &mut FrameQueue<'_>) -> Result<()> {
    splicer.push(piece)?;
    while let Some(frame) = splicer.next_frame(|rows, bytes| queue.frame_ends(rows, bytes))? {
        queue.send(&frame.batch, frame.bytes, Some(frame.digest))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
