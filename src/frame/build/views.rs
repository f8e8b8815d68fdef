//! Texts and blobs while a batch is gathered, in the layout of Arrow's views.
//!
//! A builder of our own, since every text and blob of a database goes through it, and Arrow's own costs twice as much a
//! value. Source: Apache Arrow, "Columnar Format", variable-size binary view layout.
#![expect(unsafe_code, reason = "views of our own making are not looked at again")]

use arrow::array::{BinaryViewArray, StringViewArray};
use arrow::buffer::{Buffer, NullBuffer, ScalarBuffer};

use super::columns::Room;

/// Smallest and largest block of texts and blobs, in bytes.
const BLOCK_BYTES: std::ops::RangeInclusive<usize> = 256..=256 * 1024;

/// The first block where nothing is known of the values yet.
const FIRST_BLOCK_BYTES: usize = 8 * 1024;

/// Values of this size in bytes lie in their view.
const INLINE_BYTES: usize = 12;

/// Texts or blobs, as views and the blocks they point into.
#[derive(Debug)]
pub(super) struct Views {
    items: Vec<u128>,
    full: Vec<Vec<u8>>,
    block: Vec<u8>,
    /// The size of the next block.
    next_block_bytes: usize,
    /// Where the size of blocks is known; else it doubles.
    is_fixed: bool,
}

impl Views {
    /// With room for as much as the last batch took.
    pub(super) fn new(room: Room) -> Self {
        let is_fixed = room.rows > 0;
        // So small that the unused rest of the last block does not matter, and so large that they are not many.
        let known = (room.bytes / 8).clamp(*BLOCK_BYTES.start(), *BLOCK_BYTES.end()).next_power_of_two();
        Self {
            items: Vec::with_capacity(room.rows()),
            full: Vec::new(),
            block: Vec::new(),
            next_block_bytes: if is_fixed { known } else { FIRST_BLOCK_BYTES },
            is_fixed,
        }
    }

    /// Adds a value of at most [`MAX_CELL_BYTES`](super::MAX_CELL_BYTES).
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a view has 32 bits for the size, and cells fewer")]
    pub(super) fn push(&mut self, value: &[u8]) {
        let size = value.len() as u32;
        if value.len() <= INLINE_BYTES {
            let mut view = [0; 16];
            view[..4].copy_from_slice(&size.to_le_bytes());
            view[4..4 + value.len()].copy_from_slice(value);
            self.items.push(u128::from_le_bytes(view));
            return;
        }
        if self.block.capacity() - self.block.len() < value.len() {
            self.begin_block(value.len());
        }
        let offset = self.block.len() as u32;
        self.block.extend_from_slice(value);
        let mut view = [0; 16];
        view[..4].copy_from_slice(&size.to_le_bytes());
        view[4..8].copy_from_slice(&value[..4]);
        view[8..12].copy_from_slice(&(self.full.len() as u32).to_le_bytes());
        view[12..].copy_from_slice(&offset.to_le_bytes());
        self.items.push(u128::from_le_bytes(view));
    }

    /// Adds empty values.
    pub(super) fn push_empty(&mut self, count: usize) {
        self.items.resize(self.items.len() + count, 0);
    }

    /// What the values take.
    pub(super) fn room(&self) -> Room {
        let bytes = self.full.iter().map(Vec::len).sum::<usize>() + self.block.len();
        Room { rows: self.items.len(), bytes }
    }

    #[cold]
    fn begin_block(&mut self, least_bytes: usize) {
        let bytes = self.next_block_bytes.max(least_bytes);
        if !self.is_fixed {
            self.next_block_bytes = (self.next_block_bytes * 2).min(*BLOCK_BYTES.end());
        }
        let block = std::mem::replace(&mut self.block, Vec::with_capacity(bytes));
        if !block.is_empty() {
            self.full.push(block);
        }
    }

    fn into_parts(mut self) -> (ScalarBuffer<u128>, Vec<Buffer>) {
        if !self.block.is_empty() {
            self.full.push(self.block);
        }
        (self.items.into(), self.full.into_iter().map(Buffer::from_vec).collect())
    }

    /// The values, which all were pushed as text.
    pub(super) fn finish_text(self, nulls: Option<NullBuffer>) -> StringViewArray {
        let (views, blocks) = self.into_parts();
        // SAFETY: every view was made by `push` of bytes that stand in its block, or is empty, and the caller has
        // pushed nothing but UTF-8.
        unsafe { StringViewArray::new_unchecked(views, blocks, nulls) }
    }

    /// The values.
    pub(super) fn finish_blobs(self, nulls: Option<NullBuffer>) -> BinaryViewArray {
        let (views, blocks) = self.into_parts();
        // SAFETY: every view was made by `push` of bytes that stand in its block, or is empty.
        unsafe { BinaryViewArray::new_unchecked(views, blocks, nulls) }
    }
}

#[cfg(test)]
mod tests;
