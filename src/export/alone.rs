//! Reading a table with one reader, whose rows are in order, almost, or sorted in memory.

use std::ops::ControlFlow;

use crate::budget::Budget;
use crate::digest::RowHasher;
use crate::error::Result;
use crate::export::encoders::FrameQueue;
use crate::export::read::{Read, count, refuse_half_units};
use crate::export::table::{COPIES_OF_ROW, Disorder, ROWS_PER_STEP, TableJob};
use crate::frame::order::{InOrderCheck, OrderKey, Sorter, Window, with_order_columns};
use crate::frame::{FRAME_BYTES, FRAME_ROWS, FrameBuilder, TableMapping, row_size};
use crate::progress::{Phase, PhaseKind};
use crate::schema::Cell;

impl TableJob<'_> {
    /// Reads all rows and hands them over as frames, as long as they fit `mapping` and `disorder` allows it.
    ///
    /// # Errors
    /// What SQLite says; as [`FrameQueue::send`]; `Interrupted`.
    pub(super) fn read_alone(
        &self,
        mapping: &TableMapping,
        disorder: Disorder,
        budget: &Budget,
        mut queue: FrameQueue<'_>,
    ) -> Result<Read> {
        let (sort, windowed) = (disorder == Disorder::IsSorted, disorder == Disorder::IsSmall);
        let has_keys = sort || windowed;
        let table = self.table();
        let subject = table.name.lossy();
        let kind = if sort { PhaseKind::Sorting } else { PhaseKind::Exporting };
        let total_rows = self.source.estimate_row_count(table);
        self.run.progress.begin(Phase { kind, subject: &subject, total_rows, total_bytes: None });
        let key = OrderKey::new(self.order, table)?;
        let mut reader = RowReader {
            key: (has_keys || !key.is_rowid_ascending()).then_some(key),
            key_bytes: Vec::new(),
            check: InOrderCheck::new(),
            hasher: RowHasher::default(),
            width: mapping.width(),
            builder: FrameBuilder::new(mapping, has_keys),
            window: windowed.then(|| self.window(mapping)),
            window_batch_bytes: self.window_batch_bytes(),
            hashes: Vec::new(),
            sorter: sort.then(|| self.sorter(mapping)),
            sorted_bytes: self.bytes_for_frames(),
            result: Read::new(mapping),
        };
        let mut step = (0, 0);
        self.source.for_each_row(self.catalog, self.ordinal, |rowid, cells| {
            refuse_half_units(self.catalog, cells)?;
            step = (step.0 + 1, step.1 + reader.take(rowid, cells, &mut queue)?);
            self.run.interrupt.check()?;
            if step.0 == ROWS_PER_STEP {
                self.run.progress.advance(step.0, step.1);
                step = (0, 0);
            }
            let is_over = matches!(disorder, Disorder::Ends | Disorder::IsSmall) && !reader.result.in_order;
            Ok(if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        self.run.progress.advance(step.0, step.1);
        let read = reader.finish(budget, &mut queue);
        self.run.progress.end();
        read
    }

    fn window(&self, mapping: &TableMapping) -> Window<'_> {
        let schema = with_order_columns(&mapping.arrow_schema());
        Window::new(&schema, self.held_back_bytes(), self.window_batch_bytes(), self.run.interrupt)
    }

    /// Bytes of rows that are held back for late ones to find their place.
    pub(super) fn held_back_bytes(&self) -> u64 {
        const MOST: u64 = 32 * 1024 * 1024;
        (self.bytes_for_frames() / 4).min(MOST)
    }

    /// The size of the batches in which rows get there.
    pub(super) fn window_batch_bytes(&self) -> u64 {
        (self.held_back_bytes() / 2).min(FRAME_BYTES)
    }

    fn sorter(&self, mapping: &TableMapping) -> Sorter<'_> {
        let schema = with_order_columns(&mapping.arrow_schema());
        let folder = self.spill_folder.to_path_buf();
        Sorter::new(schema, self.bytes_for_frames() / 2, Some(folder), self.run.interrupt)
    }
}

/// Takes rows as they come: counts, hashes, checks their order, and builds frames of them.
struct RowReader<'a> {
    /// `None` where rows come in the order of rowids, which is the order asked for.
    key: Option<OrderKey>,
    key_bytes: Vec<u8>,
    check: InOrderCheck,
    hasher: RowHasher,
    /// How many Parquet columns there are.
    width: usize,
    builder: FrameBuilder,
    /// Where late rows find their place.
    window: Option<Window<'a>>,
    /// The size of the batches that the window is given.
    window_batch_bytes: u64,
    /// The hashes of the rows in the builder, for the window.
    hashes: Vec<u128>,
    sorter: Option<Sorter<'a>>,
    /// What sorted rows and their encoding may take together.
    sorted_bytes: u64,
    result: Read,
}

impl RowReader<'_> {
    /// Takes one row; returns the size of its canonical encoding in bytes.
    fn take(&mut self, rowid: Option<i64>, cells: &[Cell<'_>], queue: &mut FrameQueue<'_>) -> Result<u64> {
        count(&mut self.result.counts, cells);
        let size_bytes = self.hasher.add_row(rowid, cells) as u64;
        self.result.content_bytes += size_bytes;
        if let Some(key) = &self.key {
            self.key_bytes.clear();
            key.encode(rowid, cells, &mut self.key_bytes);
            if self.window.is_none() {
                self.result.in_order = self.check.push(&self.key_bytes);
            }
        }
        if !self.result.fits || (!self.result.in_order && self.sorter.is_none()) {
            return Ok(size_bytes);
        }
        let row_bytes = row_size(cells, self.width);
        if self.window.is_some() {
            if row_bytes > self.sorted_bytes / 8 {
                // Sorting is made for rows that are large against the memory.
                self.result.in_order = false;
                return Ok(size_bytes);
            }
            if row_bytes > FRAME_BYTES {
                // It is held back as well.
                queue.wait_for_room(row_bytes.saturating_mul(COPIES_OF_ROW + 1))?;
            }
            self.result.fits = self.builder.push_row_with_key(rowid, cells, &self.key_bytes);
            self.hashes.push(self.hasher.last_hash());
            if self.builder.size_bytes() >= self.window_batch_bytes
                || self.builder.row_count() as u64 >= FRAME_ROWS
            {
                self.fill_window(queue)?;
            }
            return Ok(size_bytes);
        }
        if let Some(sorter) = &mut self.sorter {
            if row_bytes > FRAME_BYTES {
                // When it is encoded, the rows that are still to come share the memory with it.
                sorter.lower_limit(self.sorted_bytes.saturating_sub(row_bytes.saturating_mul(COPIES_OF_ROW)));
            }
            self.result.fits = self.builder.push_row_with_key(rowid, cells, &self.key_bytes);
            if self.builder.size_bytes() >= FRAME_BYTES {
                sorter.push(self.builder.finish()?)?;
            }
            return Ok(size_bytes);
        }
        if row_bytes > FRAME_BYTES {
            queue.wait_for_room(row_bytes.saturating_mul(COPIES_OF_ROW))?;
        }
        self.result.fits = self.builder.push_row(rowid, cells);
        let (rows, bytes) = (self.builder.row_count() as u64, self.builder.size_bytes());
        if queue.frame_ends(rows, bytes) {
            let digest = self.hasher.take();
            self.result.digest.add(digest);
            queue.send(&self.builder.finish()?, bytes, Some(digest))?;
        }
        Ok(size_bytes)
    }

    /// Hands the rows in the builder to the window, and what comes out of it to the encoders.
    fn fill_window(&mut self, queue: &mut FrameQueue<'_>) -> Result<()> {
        let Some(window) = self.window.as_mut().filter(|_| self.result.fits) else { return Ok(()) };
        if self.builder.row_count() > 0 {
            let hashes = std::mem::take(&mut self.hashes);
            self.result.in_order = window.push(self.builder.finish()?, hashes)?;
        }
        while self.result.in_order
            && let Some(frame) = window.next_frame(|rows, bytes| queue.frame_ends(rows, bytes))?
        {
            queue.send(&frame.batch, frame.bytes, Some(frame.digest))?;
        }
        Ok(())
    }

    fn finish(mut self, budget: &Budget, queue: &mut FrameQueue<'_>) -> Result<Read> {
        let digest = self.hasher.take();
        self.result.digest.add(digest);
        if !self.result.fits {
            return Ok(self.result);
        }
        if let Some(window) = &mut self.window {
            window.end();
            if self.result.in_order {
                self.fill_window(queue)?;
                queue.finish()?;
            }
            return Ok(self.result);
        }
        let bytes = self.builder.size_bytes();
        let rest = if self.builder.row_count() > 0 { Some(self.builder.finish()?) } else { None };
        let Some(mut sorter) = self.sorter else {
            if let Some(batch) = rest.filter(|_| self.result.in_order) {
                queue.send(&batch, bytes, Some(digest))?;
            }
            queue.finish()?;
            return Ok(self.result);
        };
        if let Some(batch) = rest {
            sorter.push(batch)?;
        }
        let mut rows = sorter.finish()?;
        budget.set_limit(self.sorted_bytes.saturating_sub(rows.memory_bytes()));
        let mut taken = (0, 0);
        while let Some(batch) = rows.next_batch(|rows, bytes| {
            taken = (rows, bytes);
            queue.frame_ends(rows, bytes)
        })? {
            queue.send(&batch, taken.1, None)?;
            drop(batch);
            // A large row is let go before the next is read.
            queue.wait_for_room(0)?;
        }
        queue.finish()?;
        Ok(self.result)
    }
}
