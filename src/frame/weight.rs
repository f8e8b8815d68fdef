//! What record batches take in memory.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::buffer::Buffer;
use arrow::datatypes::DataType;

/// What an array takes beside its buffers, roughly, in bytes: much, where thousands of columns hold a few rows each.
pub(super) const ARRAY_BYTES: u64 = 512;

/// The memory behind `batch` in bytes: every allocation whole and once, and what its arrays themselves take.
#[must_use]
pub fn memory_of(batch: &RecordBatch) -> u64 {
    allocations(batch).into_values().sum::<u64>() + array_bytes(batch)
}

/// What the arrays of `batch` take beside their buffers.
pub(super) fn array_bytes(batch: &RecordBatch) -> u64 {
    byte_count(batch.num_columns()) * ARRAY_BYTES
}

/// The size of the largest text or blob of an array in bytes; 0 for numbers.
#[must_use]
pub fn largest_value(array: &ArrayRef) -> u64 {
    let largest = match array.data_type() {
        DataType::Utf8View => array.as_string_view().lengths().max(),
        DataType::BinaryView => array.as_binary_view().lengths().max(),
        _ => None,
    };
    largest.map_or(0, u64::from)
}

/// Whether an array may have a text or blob of more than `bytes` bytes; looked into only where it has so many at all.
#[must_use]
pub fn has_larger_value(array: &ArrayRef, bytes: u64) -> bool {
    let buffers = match array.data_type() {
        DataType::Utf8View => array.as_string_view().data_buffers(),
        DataType::BinaryView => array.as_binary_view().data_buffers(),
        _ => return false,
    };
    buffers.iter().map(Buffer::len).max().is_some_and(|most| byte_count(most) > bytes)
        && largest_value(array) > bytes
}

/// The address of every allocation behind `batch`, and its whole size in bytes.
pub(super) fn allocations(batch: &RecordBatch) -> HashMap<usize, u64> {
    let mut found = HashMap::new();
    let mut count = |buffer: &Buffer| {
        found.insert(buffer.data_ptr().as_ptr().addr(), byte_count(buffer.capacity()));
    };
    for column in batch.columns() {
        let data = column.to_data();
        data.buffers().iter().for_each(&mut count);
        if let Some(nulls) = data.nulls() {
            count(nulls.buffer());
        }
    }
    found
}

/// A size in memory as a number of bytes that adds up without overflow.
pub(super) fn byte_count(size: usize) -> u64 {
    u64::try_from(size).expect("no allocation has 2^64 bytes")
}
