//! A look at few values all over some rows, to see whether others are like them.

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{BinaryViewType, ByteViewType, DataType, StringViewType};

use super::compressors::Compressors;
use super::distinct::{integers, reals, texts};
use super::page::rows_of;
use super::scaled;
use crate::error::Result;

/// So many pieces of rows are looked at.
const PIECES: usize = 8;

/// The rows of a piece are one part in this many of those of a page ...
const PIECE_SHARE: usize = 128;

/// ... and of no more bytes than this.
const PIECE_BYTES: usize = 16 * 1024;

/// Values that come out larger or smaller by one part in this many are others ...
const ALIKE_SHARE: usize = 16;

/// ... unless it is no more than this, in bytes.
const ALIKE_BYTES: usize = 64;

/// Values that are so many times as large are others.
const ALIKE_TIMES: usize = 2;

/// A few values of some rows, and how large they come out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Probe {
    piece_rows: usize,
    values: usize,
    bytes: usize,
    /// With the least effort.
    least: usize,
    /// With the effort asked for; `None` where it makes no difference.
    asked: Option<usize>,
}

impl Probe {
    /// Of a page.
    pub(super) fn of_page(page: &[ArrayRef], zstd: &mut Compressors) -> Result<Self> {
        let rows: usize = page.iter().map(Array::len).sum();
        Self::of(page, rows.div_ceil(PIECE_SHARE), true, zstd)
    }

    /// Whether other rows, in pieces like those of this one, are like them. `has_least` says whether they are to be compressed
    /// with the least effort: then it must be enough for them as well.
    pub(super) fn is_of(&self, arrays: &[ArrayRef], has_least: bool, zstd: &mut Compressors) -> Result<bool> {
        Ok(self.is_like(&Self::of(arrays, self.piece_rows, has_least, zstd)?))
    }

    fn of(arrays: &[ArrayRef], piece_rows: usize, has_asked: bool, zstd: &mut Compressors) -> Result<Self> {
        let rows: usize = arrays.iter().map(Array::len).sum();
        let last_start = rows.saturating_sub(piece_rows);
        let (mut plain, mut values) = (Vec::new(), 0);
        for piece in 0..PIECES {
            let start = scaled(last_start, piece, PIECES - 1);
            let room = plain.len() + PIECE_BYTES;
            for array in rows_of(arrays, start, piece_rows) {
                values += push_plain(&array, room, &mut plain);
            }
        }
        let least = zstd.least.size_of(&plain)?;
        let asked = if has_asked { Some(zstd.at_asked().size_of(&plain)?) } else { None };
        Ok(Self { piece_rows, values, bytes: plain.len(), least, asked })
    }

    /// Whether the values are alike: about as large, and with either effort as much smaller.
    fn is_like(&self, other: &Self) -> bool {
        if self.values == 0 || other.values == 0 {
            // There are hardly any.
            return true;
        }
        let is_alike = |here: usize, there: usize| {
            let expected = scaled(here, other.bytes, self.bytes);
            there.abs_diff(expected) <= expected / ALIKE_SHARE + ALIKE_BYTES
        };
        let expected_bytes = scaled(self.bytes, other.values, self.values);
        other.bytes <= ALIKE_TIMES * expected_bytes
            && expected_bytes <= ALIKE_TIMES * other.bytes
            && is_alike(self.least, other.least)
            && self.asked.zip(other.asked).is_none_or(|(here, there)| is_alike(here, there))
    }
}

/// Appends values until there are `most_bytes` bytes; how many.
fn push_plain(array: &ArrayRef, most_bytes: usize, plain: &mut Vec<u8>) -> usize {
    fn push_texts<T: ByteViewType>(array: &ArrayRef, most_bytes: usize, plain: &mut Vec<u8>) -> usize {
        let mut count = 0;
        for (_, value) in texts::<T>(array) {
            if plain.len() >= most_bytes {
                break;
            }
            plain.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes());
            plain.extend_from_slice(&value[..value.len().min(most_bytes.saturating_sub(plain.len()))]);
            count += 1;
        }
        count
    }
    let begun_at = plain.len();
    match array.data_type() {
        DataType::Utf8View => return push_texts::<StringViewType>(array, most_bytes, plain),
        DataType::BinaryView => return push_texts::<BinaryViewType>(array, most_bytes, plain),
        DataType::Int64 => plain.extend(integers(array).flat_map(i64::to_le_bytes)),
        DataType::Float64 => plain.extend(reals(array).flat_map(u64::to_le_bytes)),
        _ => {}
    }
    (plain.len() - begun_at) / size_of::<u64>()
}
