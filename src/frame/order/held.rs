//! The rows a sort holds in memory: what they weigh, and their order by key.

use std::collections::HashSet;
use std::mem;

use polars::prelude::{DataFrame, IdxCa, IdxSize, SortOptions};

use super::gather::{KeyedBatch, Place, RowsInOrder, equal_keys};
use crate::error::{Error, ErrorKind, Result};
use crate::frame::crossing;
use crate::frame::weight::{allocations, array_bytes, byte_count};

/// What polars needs per row while sorting keys: a view with its index (24 bytes), and the result (4).
const SORT_BYTES_PER_ROW: u64 = 32;

/// Rows in memory in no order.
#[derive(Default)]
pub(super) struct Held {
    batches: Vec<KeyedBatch>,
    rows: usize,
    bytes: u64,
    /// The addresses of the allocations counted in `bytes`.
    counted: HashSet<usize>,
}

impl Held {
    /// The memory behind all rows, every allocation whole and once, and what sorting them needs.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Whether `batch` can be held too; always where nothing is held.
    pub(super) fn has_room_for(&self, batch: &KeyedBatch, memory_limit_bytes: u64) -> bool {
        // polars counts the rows of one frame with this type.
        let is_countable = IdxSize::try_from(self.rows + batch.rows()).is_ok();
        let bytes = self.bytes.saturating_add(self.bytes_added_by(batch));
        self.is_empty() || (is_countable && bytes <= memory_limit_bytes)
    }

    pub(super) fn add(&mut self, batch: KeyedBatch) {
        self.bytes += self.bytes_added_by(&batch);
        self.rows += batch.rows();
        self.counted.extend(allocations(&batch.batch).into_keys());
        self.batches.push(batch);
    }

    fn bytes_added_by(&self, batch: &KeyedBatch) -> u64 {
        let new =
            allocations(&batch.batch).into_iter().filter(|(address, _)| !self.counted.contains(address));
        let bytes: u64 = new.map(|(_, bytes)| bytes).sum();
        bytes + array_bytes(&batch.batch) + byte_count(batch.rows()) * SORT_BYTES_PER_ROW
    }
}

/// Rows in memory, read in the order of their keys.
pub(super) struct HeldRows {
    batches: Vec<KeyedBatch>,
    /// The index of each batch's first row, counted through all batches.
    starts: Vec<usize>,
    /// Indexes of rows, counted through all batches, in order.
    order: IdxCa,
    next: usize,
    previous: Option<Place>,
}

impl HeldRows {
    pub(super) fn sort(held: Held) -> Result<Self> {
        let order = sort_keys(&held.batches)?;
        let starts = held
            .batches
            .iter()
            .scan(0, |start, batch| Some(mem::replace(start, *start + batch.rows())))
            .collect();
        Ok(Self { batches: held.batches, starts, order, next: 0, previous: None })
    }

    fn place_of(&self, index: usize) -> Place {
        let batch = self.starts.partition_point(|&start| start <= index) - 1;
        (batch, index - self.starts[batch])
    }
}

/// The indexes of all rows in the order of their keys.
fn sort_keys(batches: &[KeyedBatch]) -> Result<IdxCa> {
    let failed = |message: &str| Error::new(ErrorKind::Failed, message);
    let mut keys: Option<DataFrame> = None;
    for keyed in batches {
        let key_column = keyed.batch.num_columns() - 2;
        let projected =
            keyed.batch.project(&[key_column]).map_err(|source| failed("no keys").because(source))?;
        let frame = crossing::to_polars(&projected)?;
        match &mut keys {
            None => keys = Some(frame),
            Some(keys) => {
                keys.vstack_mut_owned(frame).map_err(|source| failed("keys of two types").because(source))?;
            }
        }
    }
    Ok(match keys.as_ref().and_then(|keys| keys.columns().first()) {
        Some(column) => column.arg_sort(SortOptions { nulls_last: true, ..SortOptions::default() }),
        None => IdxCa::default(),
    })
}

impl RowsInOrder for HeldRows {
    fn next_place(&mut self) -> Result<Option<Place>> {
        // polars panics beyond the end.
        let Some(index) = (self.next < self.order.len()).then(|| self.order.get(self.next)).flatten() else {
            return Ok(None);
        };
        self.next += 1;
        let (batch, row) = self.place_of(usize::try_from(index).expect("an index of a row in memory"));
        if let Some((previous_batch, previous_row)) = self.previous.replace((batch, row))
            && self.batches[previous_batch].key(previous_row) == self.batches[batch].key(row)
        {
            return Err(equal_keys());
        }
        Ok(Some((batch, row)))
    }

    fn batches(&self) -> &[KeyedBatch] {
        &self.batches
    }

    fn forget_places(&mut self) {}
}
