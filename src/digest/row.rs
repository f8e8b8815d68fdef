//! The canonical encoding of rows, the hashes of rows, and the way back.

use std::fmt;

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::ContentDigest;
use crate::schema::Cell;
use crate::varint::{push_varint, take_varint};

const TAG_NULL: u8 = 0;
/// An integer's tag is the number of its bytes: from 1 to this.
const MOST_INTEGER_BYTES: u8 = 8;
const TAG_REAL: u8 = 9;
const TAG_TEXT: u8 = 10;
const TAG_BLOB: u8 = 11;
const TAG_RAW_TEXT: u8 = 12;

/// What a rowid takes at the beginning of a row's encoding.
const ROWID_BYTES: usize = 8;

/// Encodes rows canonically and adds up their hashes. Small rows are hashed whole, in a buffer that is reused; of a large
/// row no copy is made.
///
/// Canonical encoding of a row: the rowid as 8 bytes little-endian if the table has one; then each stored
/// column in declaration order (the rowid alias once, as INTEGER): a tag, then as few bytes as hold an integer in two's
/// complement, little-endian, which the tag counts; 8 bytes of a real; or a length (see `varint`) and the bytes of text and
/// blobs. There is one encoding of a row only. It is short because rows that are sorted lie in it on disk.
#[derive(Default)]
pub struct RowHasher {
    /// The row so far, or what of it has not been hashed.
    buffer: Vec<u8>,
    /// The hash of the beginning of a large row, and how many bytes that was.
    begun: Option<(Box<Xxh3>, usize)>,
    /// Whether the whole row is kept, however large.
    keeps_rows: bool,
    digest: ContentDigest,
    last_hash: u128,
}

impl fmt::Debug for RowHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowHasher").field("digest", &self.digest).finish_non_exhaustive()
    }
}

/// Rows up to this size in bytes are gathered before they are hashed, which is faster.
const GATHERED_BYTES: usize = 64 * 1024;

impl RowHasher {
    /// A hasher that can be asked for [`Self::last_row`], and so keeps a copy even of a large row.
    #[must_use]
    pub fn keeping_rows() -> Self {
        Self { keeps_rows: true, ..Self::default() }
    }

    /// Adds one whole row; returns the size of its canonical encoding in bytes.
    pub fn add_row(&mut self, rowid: Option<i64>, cells: &[Cell<'_>]) -> usize {
        self.begin_row(rowid);
        for &cell in cells {
            self.add_cell(cell);
        }
        self.end_row()
    }

    /// Begins a row; `rowid` is `None` for a WITHOUT ROWID table.
    pub fn begin_row(&mut self, rowid: Option<i64>) {
        self.buffer.clear();
        self.begun = None;
        if let Some(rowid) = rowid {
            self.buffer.extend_from_slice(&rowid.to_le_bytes());
        }
    }

    /// Adds the next cell of the row.
    pub fn add_cell(&mut self, cell: Cell<'_>) {
        match cell {
            Cell::Null => self.buffer.push(TAG_NULL),
            Cell::Integer(value) => self.add_integer(value),
            Cell::Real(value) => {
                self.buffer.push(TAG_REAL);
                self.buffer.extend_from_slice(&value.to_bits().to_le_bytes());
            }
            Cell::Text(text) => self.add_bytes(TAG_TEXT, text.as_bytes()),
            Cell::Blob(bytes) => self.add_bytes(TAG_BLOB, bytes),
            Cell::RawText(bytes) => self.add_bytes(TAG_RAW_TEXT, bytes),
        }
    }

    /// Ends the row; returns the size of its canonical encoding in bytes.
    pub fn end_row(&mut self) -> usize {
        let (hash, size) = match self.begun.take() {
            None => (xxh3_128(&self.buffer), self.buffer.len()),
            Some((mut begun, hashed_bytes)) => {
                begun.update(&self.buffer);
                (begun.digest128(), hashed_bytes + self.buffer.len())
            }
        };
        self.digest.row_count += 1;
        self.digest.sum = self.digest.sum.wrapping_add(hash);
        self.last_hash = hash;
        size
    }

    /// The hash of the row that was added last.
    #[must_use]
    pub fn last_hash(&self) -> u128 {
        self.last_hash
    }

    /// Adds a row whose canonical encoding is known already.
    pub fn add_encoded(&mut self, encoded: &[u8]) {
        self.last_hash = xxh3_128(encoded);
        self.digest.row_count += 1;
        self.digest.sum = self.digest.sum.wrapping_add(self.last_hash);
    }

    /// The canonical encoding of the row that ended last; only of a hasher made by [`Self::keeping_rows`] is it whole.
    #[must_use]
    pub fn last_row(&self) -> &[u8] {
        &self.buffer
    }

    /// Gives back the memory of the row that ended last, which [`Self::last_row`] no longer returns.
    pub fn forget_row(&mut self) {
        self.buffer = Vec::new();
    }

    /// The digest of all rows since the last call, which starts anew.
    pub fn take(&mut self) -> ContentDigest {
        std::mem::take(&mut self.digest)
    }

    fn add_integer(&mut self, value: i64) {
        let tag = integer_bytes(value);
        self.buffer.push(tag);
        // All 8 bytes and then fewer: a copy of a fixed size is faster.
        self.buffer.extend_from_slice(&value.to_le_bytes());
        self.buffer.truncate(self.buffer.len() - usize::from(MOST_INTEGER_BYTES - tag));
    }

    fn add_bytes(&mut self, tag: u8, bytes: &[u8]) {
        self.buffer.push(tag);
        push_varint(bytes.len() as u64, &mut self.buffer);
        if self.keeps_rows || self.buffer.len().saturating_add(bytes.len()) <= GATHERED_BYTES {
            if bytes.len() > GATHERED_BYTES {
                // Not twice as much, as a buffer that grows by itself.
                self.buffer.reserve_exact(bytes.len());
            }
            self.buffer.extend_from_slice(bytes);
            return;
        }
        let (begun, hashed_bytes) = self.begun.get_or_insert_with(|| (Box::default(), 0));
        begun.update(&self.buffer);
        begun.update(bytes);
        *hashed_bytes += self.buffer.len() + bytes.len();
        self.buffer.clear();
    }
}

/// How many bytes hold an integer in two's complement.
fn integer_bytes(value: i64) -> u8 {
    // Without the sign's own bits; what is left has one more of them.
    let bits = 64 - (value ^ (value >> 63)).leading_zeros();
    (bits / 8).to_le_bytes()[0] + 1
}

/// Reads a canonical encoding back, the other way round than [`RowHasher`] writes it: the rowid if the table has one, and
/// the cells, which borrow from `encoded`. `None` where it does not end with a cell, or has a cell of no class.
#[must_use]
pub fn read_encoded_row(encoded: &[u8], has_rowid: bool) -> Option<(Option<i64>, Vec<Cell<'_>>)> {
    let mut cells = Vec::new();
    let rowid = read_encoded_cells(encoded, has_rowid, &mut cells)?;
    Some((rowid, cells))
}

/// As [`read_encoded_row`], with the cells in place of those that `cells` held.
#[must_use]
pub fn read_encoded_cells<'r>(
    encoded: &'r [u8],
    has_rowid: bool,
    cells: &mut Vec<Cell<'r>>,
) -> Option<Option<i64>> {
    cells.clear();
    let mut rest = encoded;
    let rowid = if has_rowid { Some(i64::from_le_bytes(take_8(&mut rest)?)) } else { None };
    while let Some((&tag, after)) = rest.split_first() {
        rest = after;
        cells.push(match tag {
            TAG_NULL => Cell::Null,
            1..=MOST_INTEGER_BYTES => Cell::Integer(take_integer(&mut rest, tag)?),
            TAG_REAL => Cell::Real(f64::from_bits(u64::from_le_bytes(take_8(&mut rest)?))),
            TAG_TEXT => Cell::Text(std::str::from_utf8(take_bytes(&mut rest)?).ok()?),
            TAG_BLOB => Cell::Blob(take_bytes(&mut rest)?),
            TAG_RAW_TEXT => Cell::RawText(take_bytes(&mut rest)?),
            _ => return None,
        });
    }
    Some(rowid)
}

/// The encoding of a row without the rowid that it begins with.
#[must_use]
pub fn without_rowid(encoded: &[u8]) -> &[u8] {
    encoded.get(ROWID_BYTES..).unwrap_or_default()
}

fn take_8(rest: &mut &[u8]) -> Option<[u8; 8]> {
    let (taken, left) = rest.split_first_chunk()?;
    *rest = left;
    Some(*taken)
}

/// An integer of `count` bytes, which are from 1 to 8.
fn take_integer(rest: &mut &[u8], count: u8) -> Option<i64> {
    let (taken, left) = rest.split_at_checked(usize::from(count))?;
    let all = match rest.first_chunk() {
        // With what follows, for speed; it is shifted out.
        Some(all) => i64::from_le_bytes(*all),
        None => taken.iter().rev().fold(0, |all, &byte| all << 8 | i64::from(byte)),
    };
    *rest = left;
    let shift = 64 - 8 * u32::from(count);
    Some(all << shift >> shift)
}

/// A length, and so many bytes.
fn take_bytes<'r>(rest: &mut &'r [u8]) -> Option<&'r [u8]> {
    let length = take_varint(rest)?;
    let (taken, left) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = left;
    Some(taken)
}

#[cfg(test)]
mod tests;
