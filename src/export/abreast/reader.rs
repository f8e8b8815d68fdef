//! One of several readers: reads its ranges of rowids, builds pieces of frames of their rows, and says so.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};

use crate::budget::{Budget, Reservation};
use crate::digest::{ContentDigest, RowHasher};
use crate::error::Result;
use crate::export::ranges::{RangeEnds, Ranges, scan_range};
use crate::export::read::{count, refuse_half_units};
use crate::export::table::{COPIES_OF_ROW, TableJob};
use crate::frame::order::{InOrderCheck, OrderKey};
use crate::frame::weight::memory_of;
use crate::frame::{ClassCounts, FrameBuilder, Piece, TableMapping, row_size};
use crate::run::Run;
use crate::schema::Cell;
use crate::sqlite::catalog::Catalog;
use crate::sqlite::open::Source;

/// A piece ends with the row that makes it as large as this in bytes, or as many rows.
pub(super) const PIECE_BYTES: u64 = 1024 * 1024;
const PIECE_ROWS: usize = 8 * 1024;
/// A row of more bytes is read by one reader at a time.
pub(super) const LARGE_ROW_BYTES: u64 = PIECE_BYTES;

/// What a reader has to say, in the order of its rows.
pub(super) enum Message<'b> {
    Rows(Rows<'b>),
    /// The reader waits for its turn, and for room for so many bytes more.
    Asks(u64),
    /// A row stands behind its place.
    Disorder,
    Ends(Box<RangeSummary>),
}

/// The next rows.
pub(super) struct Rows<'b> {
    /// `None` once there has been a cell that has no place under the mapping.
    pub(super) piece: Option<Piece>,
    pub(super) digest: ContentDigest,
    pub(super) content_bytes: u64,
    pub(super) _charge: Reservation<'b>,
}

/// What is known at the end of a range.
pub(super) struct RangeSummary {
    pub(super) ends: RangeEnds,
    pub(super) counts: Vec<ClassCounts>,
    /// The keys of its first and of its last row, where it has rows and they have keys.
    pub(super) keys: Option<(Vec<u8>, Vec<u8>)>,
}

/// What all readers know of each other.
#[derive(Default)]
pub(super) struct Shared {
    /// Whether some cell had no place under the mapping.
    pub(super) does_not_fit: AtomicBool,
    /// Whether a large row was met: from then on readers take turns, since nobody knows how large the next row is before
    /// SQLite has made a copy of it.
    large_row_was_met: AtomicBool,
}

/// How a reader is heard, and how far it may go on unheard.
pub(super) struct Wires<'b> {
    /// What pieces may take that nobody has taken yet.
    pub(super) budget: &'b Budget,
    pub(super) sender: SyncSender<Result<Message<'b>>>,
    /// What [`Message::Asks`] asks for is granted.
    pub(super) answered: Receiver<()>,
}

/// One reader.
pub(super) struct Reader<'a, 'b> {
    catalog: &'a Catalog,
    ordinal: usize,
    run: Run<'a>,
    shared: &'a Shared,
    wires: Wires<'b>,
    /// `None` where rows come in the order of rowids, which is the order asked for.
    key: Option<OrderKey>,
    /// How many Parquet columns there are.
    width: usize,
    /// Whether all that comes before this row was taken.
    has_turn: bool,
    next: Next,
}

/// The piece that is being built.
struct Next {
    builder: FrameBuilder,
    fits: bool,
    hasher: RowHasher,
    content_bytes: u64,
    /// The sum of `sizes`.
    bytes: u64,
    sizes: Vec<u64>,
    hashes: Vec<u128>,
}

impl Next {
    fn new(mapping: &TableMapping) -> Self {
        Self {
            builder: FrameBuilder::new(mapping, false),
            fits: true,
            hasher: RowHasher::default(),
            content_bytes: 0,
            bytes: 0,
            sizes: Vec::new(),
            hashes: Vec::new(),
        }
    }

    /// The piece; `None` where it could not be built.
    fn take(&mut self) -> Result<Option<Piece>> {
        let (sizes, hashes) = (std::mem::take(&mut self.sizes), std::mem::take(&mut self.hashes));
        self.bytes = 0;
        if !self.fits {
            return Ok(None);
        }
        let batch = self.builder.finish()?;
        Ok(Some(Piece { batch, sizes, hashes }))
    }
}

impl<'a, 'b> Reader<'a, 'b> {
    pub(super) fn new(
        job: &TableJob<'a>,
        mapping: &TableMapping,
        key: Option<OrderKey>,
        shared: &'a Shared,
        wires: Wires<'b>,
    ) -> Self {
        Self {
            catalog: job.catalog,
            ordinal: job.ordinal,
            run: job.run,
            shared,
            wires,
            key,
            width: mapping.width(),
            has_turn: false,
            next: Next::new(mapping),
        }
    }

    /// Reads every `step`-th range from `index` on, until there are no more or nobody listens.
    pub(super) fn run(mut self, source: &Source, ranges: &Ranges, index: usize, step: usize) {
        for range in (index..ranges.count()).step_by(step) {
            match self.read_range(source, ranges, range) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    // Where nobody listens, nobody wants to know.
                    let _ = self.wires.sender.send(Err(error));
                    return;
                }
            }
        }
    }

    /// Reads a range; false where that is the end.
    fn read_range(&mut self, source: &Source, ranges: &Ranges, range: usize) -> Result<bool> {
        let (catalog, ordinal) = (self.catalog, self.ordinal);
        let mut counts = vec![ClassCounts::default(); catalog.tables[ordinal].stored_columns().count()];
        let (mut check, mut first_key, mut key_bytes) = (InOrderCheck::new(), None, Vec::new());
        self.has_turn = false;
        let mut goes_on = !self.shared.large_row_was_met.load(Ordering::Relaxed) || self.ask(0);
        let ends = scan_range(source, (catalog, ordinal), ranges, range, |rowid, cells| {
            if !goes_on {
                return Ok(ControlFlow::Break(()));
            }
            self.run.interrupt.check()?;
            refuse_half_units(catalog, cells)?;
            count(&mut counts, cells);
            if let Some(key) = &self.key {
                key_bytes.clear();
                key.encode(rowid, cells, &mut key_bytes);
                first_key.get_or_insert_with(|| key_bytes.clone());
                if !check.push(&key_bytes) {
                    goes_on = false;
                    self.say(Message::Disorder);
                    return Ok(ControlFlow::Break(()));
                }
            }
            goes_on = self.take(rowid, cells)?;
            Ok(if goes_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        let Some(ends) = ends.filter(|_| goes_on) else { return Ok(false) };
        let keys = first_key.map(|first| (first, key_bytes));
        Ok(self.send_rows()? && self.say(Message::Ends(Box::new(RangeSummary { ends, counts, keys }))))
    }

    /// Takes one row; false where nobody listens.
    fn take(&mut self, rowid: Option<i64>, cells: &[Cell<'_>]) -> Result<bool> {
        let row_bytes = row_size(cells, self.width);
        let is_large = row_bytes > LARGE_ROW_BYTES;
        if is_large {
            self.shared.large_row_was_met.store(true, Ordering::Relaxed);
        }
        let waits = is_large || (!self.has_turn && self.shared.large_row_was_met.load(Ordering::Relaxed));
        let room = if is_large { row_bytes.saturating_mul(COPIES_OF_ROW) } else { 0 };
        if waits && !(self.send_rows()? && self.ask(room)) {
            return Ok(false);
        }
        let next = &mut self.next;
        next.content_bytes += next.hasher.add_row(rowid, cells) as u64;
        if next.fits {
            next.fits = next.builder.push_row(rowid, cells);
        }
        next.bytes = next.bytes.saturating_add(row_bytes);
        next.sizes.push(row_bytes);
        next.hashes.push(next.hasher.last_hash());
        let is_full = next.bytes >= PIECE_BYTES || next.sizes.len() >= PIECE_ROWS;
        Ok(!is_full || self.send_rows()?)
    }

    /// Sends what has been gathered; false where nobody listens.
    fn send_rows(&mut self) -> Result<bool> {
        let next = &mut self.next;
        if next.sizes.is_empty() {
            return Ok(true);
        }
        next.fits &= !self.shared.does_not_fit.load(Ordering::Relaxed);
        let per_row = next.sizes.capacity() * size_of::<u64>() + next.hashes.capacity() * size_of::<u128>();
        let (digest, content_bytes) = (next.hasher.take(), std::mem::take(&mut next.content_bytes));
        let piece = next.take()?;
        let bytes = piece.as_ref().map_or(0, |piece| memory_of(&piece.batch)) + per_row as u64;
        let charge = self.wires.budget.reserve(bytes);
        Ok(self.say(Message::Rows(Rows { piece, digest, content_bytes, _charge: charge })))
    }

    /// Waits for its turn, and for room for so many bytes; false where nobody listens.
    fn ask(&mut self, bytes: u64) -> bool {
        self.has_turn = self.say(Message::Asks(bytes)) && self.wires.answered.recv().is_ok();
        self.has_turn
    }

    /// Says it; false where nobody listens.
    fn say(&self, message: Message<'b>) -> bool {
        self.wires.sender.send(Ok(message)).is_ok()
    }
}
