//! Putting rows in order that are almost in order already: late ones find their place among the last few thousand.
//!
//! Rows are held back for a while and handed out in order. A row that is later than that cannot be placed any more, which
//! is told: then all rows have to be sorted. Bounded in memory by what is held back, and no row is copied but once, into
//! the frame it is handed out in.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};

use super::gather::{KeyedBatch, Place, equal_keys, gather};
use crate::digest::ContentDigest;
use crate::error::Result;
use crate::run::Interrupt;

/// Rows that are held back, unless fewer are as many bytes as may be held back.
pub const WINDOW_ROWS: u64 = 32 * 1024;

/// Takes rows that are almost in order and gives them back in order.
pub struct Window<'run> {
    data_schema: SchemaRef,
    interrupt: &'run Interrupt,
    batches: VecDeque<HeldBatch>,
    held_bytes: u64,
    /// The number of the first batch held.
    first: usize,
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
    /// Rows that have not been handed out.
    left: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Taken {
    count: usize,
    rows: u64,
    bytes: u64,
}

/// Rows in order, as much as a frame.
#[derive(Debug)]
pub struct WindowFrame {
    /// The rows, without the columns of key and size.
    pub batch: RecordBatch,
    /// The sum of their sizes.
    pub bytes: u64,
    /// Their digest.
    pub digest: ContentDigest,
}

impl<'run> Window<'run> {
    /// A window for batches of `schema`, which ends as [`super::with_order_columns`] says. It holds `held_bytes` of rows
    /// back, and three batches beside that.
    #[must_use]
    pub fn new(schema: &SchemaRef, held_bytes: u64, interrupt: &'run Interrupt) -> Self {
        let data_columns = schema.fields().len().saturating_sub(2);
        Self {
            data_schema: Arc::new(Schema::new(schema.fields()[..data_columns].to_vec())),
            interrupt,
            batches: VecDeque::new(),
            held_bytes,
            first: 0,
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
        let number = self.first + self.batches.len();
        let rows = keyed.rows();
        for row in 0..rows {
            self.held.0 += 1;
            self.held.1 += keyed.size(row);
            self.waiting.push_back((number, row));
        }
        self.batches.push_back(HeldBatch { keyed, hashes, left: rows });
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
    pub fn next_frame(&mut self, mut is_full: impl FnMut(u64, u64) -> bool) -> Result<Option<WindowFrame>> {
        let (held_rows, held_bytes) = self.held;
        while let Some(&place) = self.waiting.get(self.taken.count) {
            let size = self.batch(place).keyed.size(place.1);
            let (rows, bytes) = (self.taken.rows + 1, self.taken.bytes + size);
            let is_held_back = held_rows - rows < WINDOW_ROWS && held_bytes - bytes < self.held_bytes;
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

    fn hand_out(&mut self) -> Result<WindowFrame> {
        let Taken { count, rows, bytes } = std::mem::take(&mut self.taken);
        let places: Vec<Place> =
            self.waiting.drain(..count).map(|(number, row)| (number - self.first, row)).collect();
        self.held = (self.held.0 - rows, self.held.1 - bytes);
        let mut digest = ContentDigest::default();
        for &(index, row) in &places {
            let held = &mut self.batches[index];
            held.left -= 1;
            digest.row_count += 1;
            digest.sum = digest.sum.wrapping_add(held.hashes[row]);
        }
        if let Some(&(index, row)) = places.last() {
            self.last_key = Some(self.batches[index].keyed.key(row).to_vec());
        }
        let keyed: Vec<KeyedBatch> = self.batches.iter().map(|held| held.keyed.clone()).collect();
        let batch = gather(&keyed, &places, &self.data_schema, self.interrupt)?;
        while self.batches.front().is_some_and(|held| held.left == 0) {
            self.batches.pop_front();
            self.first += 1;
        }
        Ok(WindowFrame { batch, bytes, digest })
    }

    fn batch(&self, place: Place) -> &HeldBatch {
        &self.batches[place.0 - self.first]
    }

    fn key(&self, place: Place) -> &[u8] {
        self.batch(place).keyed.key(place.1)
    }
}

#[cfg(test)]
mod tests;
