//! Putting rows in order that are almost in order already: late ones find their place among the last few thousand.
//!
//! Rows are held back for a while and handed out in order. A row that is later than that cannot be placed any more, which
//! is told: then all rows have to be sorted. Bounded in memory by what is held back. Hardly a row is copied but once, into
//! the frame it is handed out in: only one that waits for long is copied out of its batch, so that the others, which have
//! gone, do not stay in memory for its sake.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};

use super::gather::{KeyedBatch, Place, equal_keys, gather};
use crate::digest::ContentDigest;
use crate::error::Result;
use crate::frame::cuts::CutFrame;
use crate::run::Interrupt;

/// Rows that are held back, unless fewer are as many bytes as may be held back.
pub const WINDOW_ROWS: usize = 32 * 1024;

/// A batch of which not even one in so many bytes has gone is left as it is.
const LEAST_GONE: u64 = 8;

/// Takes rows that are almost in order and gives them back in order.
pub struct Window<'run> {
    data_schema: SchemaRef,
    interrupt: &'run Interrupt,
    batches: Vec<HeldBatch>,
    held_bytes: u64,
    batch_bytes: u64,
    /// Rows that have not been handed out, in order.
    waiting: VecDeque<Place>,
    /// How much is waiting.
    held: (u64, u64),
    /// The first waiting rows, as many as have been taken for the next frame.
    taken: Taken,
    last_key: Option<Vec<u8>>,
    is_over: bool,
}

struct HeldBatch {
    keyed: KeyedBatch,
    hashes: Vec<u128>,
    /// The sum of its rows' sizes.
    bytes: u64,
    /// Rows that have not been handed out, and the sum of their sizes.
    left: usize,
    left_bytes: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Taken {
    count: usize,
    rows: u64,
    bytes: u64,
}

impl<'run> Window<'run> {
    /// A window for batches of `schema`, which ends as [`super::with_order_columns`] says. It holds `held_bytes` of rows
    /// back, and three batches beside that, each of which has `batch_bytes`.
    #[must_use]
    pub fn new(schema: &SchemaRef, held_bytes: u64, batch_bytes: u64, interrupt: &'run Interrupt) -> Self {
        let data_columns = schema.fields().len().saturating_sub(2);
        Self {
            data_schema: Arc::new(Schema::new(schema.fields()[..data_columns].to_vec())),
            interrupt,
            batches: Vec::new(),
            held_bytes,
            batch_bytes,
            waiting: VecDeque::new(),
            held: (0, 0),
            taken: Taken::default(),
            last_key: None,
            is_over: false,
        }
    }

    /// Takes the next rows and the hash of each; false where one of them is too late to be placed.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`](crate::error::ErrorKind::Failed) where the batch does not end with key and size,
    /// [`ErrorKind::Damaged`](crate::error::ErrorKind::Damaged) where two rows have one key.
    pub fn push(&mut self, batch: RecordBatch, hashes: Vec<u128>) -> Result<bool> {
        let keyed = KeyedBatch::new(batch)?;
        let index = self.batches.len();
        let rows = keyed.rows();
        let bytes = (0..rows).map(|row| keyed.size(row)).sum();
        self.held = (self.held.0 + rows as u64, self.held.1 + bytes);
        self.waiting.extend((0..rows).map(|row| (index, row)));
        self.batches.push(HeldBatch { keyed, hashes, bytes, left: rows, left_bytes: bytes });
        let mut waiting = std::mem::take(&mut self.waiting);
        let rows_in_order = waiting.make_contiguous();
        // Runs that are in order already cost one comparison a row.
        rows_in_order.sort_by(|&a, &b| self.key(a).cmp(self.key(b)));
        let (first, has_twins) = (
            rows_in_order.first().copied(),
            rows_in_order.windows(2).any(|pair| self.key(pair[0]) == self.key(pair[1])),
        );
        self.waiting = waiting;
        if has_twins {
            return Err(equal_keys());
        }
        // What was taken for the next frame may no longer be what comes first.
        self.taken = Taken::default();
        Ok(first.zip(self.last_key.as_deref()).is_none_or(|(first, last)| self.key(first) > last))
    }

    /// Ends the input: nothing is held back any more.
    pub fn end(&mut self) {
        self.is_over = true;
    }

    /// The next frame in order, which ends with the row at which `is_full`, given the rows so far and the sum of their
    /// sizes, becomes true; `None` until enough rows have come.
    ///
    /// # Errors
    /// Those of gathering rows; [`ErrorKind::Interrupted`](crate::error::ErrorKind::Interrupted).
    pub fn next_frame(&mut self, mut is_full: impl FnMut(u64, u64) -> bool) -> Result<Option<CutFrame>> {
        let (held_rows, held_bytes) = self.held;
        while let Some(&place) = self.waiting.get(self.taken.count) {
            let size = self.batches[place.0].keyed.size(place.1);
            let (rows, bytes) = (self.taken.rows + 1, self.taken.bytes + size);
            let is_held_back = held_rows - rows < WINDOW_ROWS as u64 && held_bytes - bytes < self.held_bytes;
            if is_held_back && !self.is_over {
                return Ok(None);
            }
            self.taken = Taken { count: self.taken.count + 1, rows, bytes };
            if is_full(rows, bytes) {
                return self.hand_out().map(Some);
            }
        }
        if self.is_over && self.taken.count > 0 { self.hand_out().map(Some) } else { Ok(None) }
    }

    fn hand_out(&mut self) -> Result<CutFrame> {
        let Taken { count, rows, bytes } = std::mem::take(&mut self.taken);
        let places: Vec<Place> = self.waiting.drain(..count).collect();
        self.held = (self.held.0 - rows, self.held.1 - bytes);
        let mut digest = ContentDigest::default();
        for &(index, row) in &places {
            let held = &mut self.batches[index];
            held.left -= 1;
            held.left_bytes -= held.keyed.size(row);
            digest.row_count += 1;
            digest.sum = digest.sum.wrapping_add(held.hashes[row]);
        }
        if let Some(&(index, row)) = places.last() {
            self.last_key = Some(self.batches[index].keyed.key(row).to_vec());
        }
        let batch = gather(&self.keyed_batches(), &places, &self.data_schema, self.interrupt)?;
        self.let_go();
        self.move_those_left()?;
        Ok(CutFrame { batch, bytes, digest })
    }

    /// Lets go of batches whose rows have all been handed out or moved.
    fn let_go(&mut self) {
        if self.batches.iter().all(|held| held.left > 0) {
            return;
        }
        let mut stay = 0;
        let new_indexes: Vec<usize> = self
            .batches
            .iter()
            .map(|held| {
                let index = stay;
                stay += usize::from(held.left > 0);
                index
            })
            .collect();
        self.batches.retain(|held| held.left > 0);
        self.waiting.iter_mut().for_each(|place| place.0 = new_indexes[place.0]);
    }

    /// Where batches hold more than there is room for, moves the rows that are left in those that are partly gone into a
    /// batch of their own.
    fn move_those_left(&mut self) -> Result<()> {
        let bytes: u64 = self.batches.iter().map(|held| held.bytes).sum();
        if bytes <= self.held_bytes.saturating_add(self.batch_bytes.saturating_mul(3)) {
            return Ok(());
        }
        // What is copied is at most seven times what has gone, which happens to a row once ...
        let is_partly_gone = |held: &HeldBatch| {
            let gone = held.bytes - held.left_bytes;
            gone > 0 && gone >= held.bytes / LEAST_GONE
        };
        let Some(held) = self.batches.iter().find(|held| is_partly_gone(held)) else { return Ok(()) };
        let schema = held.keyed.batch.schema();
        // ... and half a batch, so that those left of many batches do not become as many small ones.
        let moves = |held: &HeldBatch| is_partly_gone(held) || held.bytes < self.batch_bytes / 2;
        let moves: Vec<bool> = self.batches.iter().map(moves).collect();
        let new_index = self.batches.len();
        let (mut places, mut hashes, mut bytes) = (Vec::new(), Vec::new(), 0);
        for place in self.waiting.iter_mut().filter(|place| moves[place.0]) {
            let held = &mut self.batches[place.0];
            hashes.push(held.hashes[place.1]);
            bytes += held.keyed.size(place.1);
            held.left = 0;
            places.push(std::mem::replace(place, (new_index, places.len())));
        }
        let keyed = KeyedBatch::new(gather(&self.keyed_batches(), &places, &schema, self.interrupt)?)?;
        self.batches.push(HeldBatch { keyed, hashes, bytes, left: places.len(), left_bytes: bytes });
        self.let_go();
        Ok(())
    }

    fn keyed_batches(&self) -> Vec<KeyedBatch> {
        self.batches.iter().map(|held| held.keyed.clone()).collect()
    }

    fn key(&self, place: Place) -> &[u8] {
        self.batches[place.0].keyed.key(place.1)
    }
}

#[cfg(test)]
mod tests;
