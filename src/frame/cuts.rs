//! Where frames and row groups end: a function of the sequence of rows alone.
//!
//! Memory, threads, runs and disk must never show in what is written, and how Parquet pages are cut follows from how
//! rows are handed to the encoder. So both cuts are made here, for rows that are read in order and for sorted ones
//! alike, and nowhere else.

use arrow::array::RecordBatch;

use crate::digest::ContentDigest;
use crate::schema::Cell;

/// Most rows of a row group. Narrow rows: enough for readers to work in bulk, few enough that a point query
/// decodes little and that several row groups in flight stay small.
pub const ROW_GROUP_ROWS: u64 = 131_072;

/// Size of a row group in bytes of [`row_size`] at which it is closed. Wide rows: bounds what one encoder
/// holds, and what a reader that decodes a whole row group has to hold.
pub const ROW_GROUP_BYTES: u64 = 32 * 1024 * 1024;

/// The first row group of a file is closed at this part of both limits: an encoder has work as soon as a few rows have
/// been read, and a table that would fill one row group is the work of several threads.
const FIRST_ROW_GROUP_PART: u64 = 4;

/// Most rows of a frame, a whole number of the writer's batches.
pub const FRAME_ROWS: u64 = 16 * 1024;

/// Size of a frame in bytes of [`row_size`] at which it is closed: large enough that what is done once per frame and
/// column does not matter, small enough that a row group can be let go piece by piece while it is encoded.
pub const FRAME_BYTES: u64 = 4 * 1024 * 1024;

/// The size of a row in bytes: its texts and blobs, and eight for each of the mapping's `width` Parquet columns,
/// which take that much memory in every row whether they hold something there or not.
///
/// Depends on the row and its mapping alone, so rows are cut alike whatever way they came.
#[must_use]
pub fn row_size(cells: &[Cell<'_>], width: usize) -> u64 {
    let bytes = |cell: &Cell<'_>| match cell {
        Cell::Null | Cell::Integer(_) | Cell::Real(_) => 0,
        Cell::Text(_) | Cell::RawText(_) | Cell::Blob(_) => cell.size_bytes(),
    };
    let values: usize = cells.iter().map(bytes).sum();
    // Rows lie in memory, so their size always fits.
    u64::try_from(values + 8 * width).unwrap_or(u64::MAX)
}

/// Rows in order, as much as a frame.
#[derive(Debug)]
pub struct CutFrame {
    /// The rows, without columns that are of use for their order only.
    pub batch: RecordBatch,
    /// The sum of their sizes.
    pub bytes: u64,
    /// Their digest.
    pub digest: ContentDigest,
}

/// Follows the rows of one table and says where its frames and row groups end.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cuts {
    /// Rows of the row group that are in frames which have ended.
    rows: u64,
    /// Their bytes.
    bytes: u64,
    /// Whether a row group has ended before it.
    is_later: bool,
}

impl Cuts {
    /// Whether the frame ends with the last of its `rows` rows, which have `bytes` bytes together.
    #[must_use]
    pub fn frame_ends(&self, rows: u64, bytes: u64) -> bool {
        rows >= FRAME_ROWS || bytes >= FRAME_BYTES || self.row_group_ends(rows, bytes)
    }

    /// Ends a frame; true where its row group ends with it.
    pub fn end_frame(&mut self, rows: u64, bytes: u64) -> bool {
        let ends = self.row_group_ends(rows, bytes);
        let (rows, bytes) = if ends { (0, 0) } else { (self.rows + rows, self.bytes + bytes) };
        *self = Self { rows, bytes, is_later: self.is_later || ends };
        ends
    }

    fn row_group_ends(&self, rows: u64, bytes: u64) -> bool {
        let part = if self.is_later { 1 } else { FIRST_ROW_GROUP_PART };
        self.rows + rows >= ROW_GROUP_ROWS / part || self.bytes + bytes >= ROW_GROUP_BYTES / part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of each frame, and whether a row group ends with it.
    fn frames(sizes: impl IntoIterator<Item = u64>) -> Vec<(u64, bool)> {
        let (mut cuts, mut found, mut frame) = (Cuts::default(), Vec::new(), (0, 0));
        for size in sizes {
            frame = (frame.0 + 1, frame.1 + size);
            if cuts.frame_ends(frame.0, frame.1) {
                found.push((frame.0, cuts.end_frame(frame.0, frame.1)));
                frame = (0, 0);
            }
        }
        found
    }

    #[test]
    fn narrow_rows_are_cut_by_their_number() {
        let found = frames(std::iter::repeat_n(8, 32_768 + 2 * 131_072));
        assert_eq!(found.len(), 18);
        for (index, frame) in found.into_iter().enumerate() {
            assert_eq!(frame, (FRAME_ROWS, [1, 9, 17].contains(&index)));
        }
    }

    #[test]
    fn wide_rows_are_cut_by_their_bytes() {
        let found = frames(std::iter::repeat_n(1024 * 1024, 72));
        assert_eq!(found.len(), 18);
        for (index, frame) in found.into_iter().enumerate() {
            assert_eq!(frame, (4, [1, 9, 17].contains(&index)));
        }
    }

    #[test]
    fn a_row_larger_than_a_row_group_ends_it() {
        assert_eq!(
            frames([10, ROW_GROUP_BYTES, FRAME_BYTES, 10, ROW_GROUP_BYTES]),
            [(2, true), (1, false), (2, true)]
        );
    }
}
