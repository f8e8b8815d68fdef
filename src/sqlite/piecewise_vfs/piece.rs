//! Bytes of a file that are read or written together. Nothing here reaches the file.

use super::{PIECE, PIECE_BYTES};

/// Bytes of a place in the file.
pub(super) struct Run {
    pub(super) start: i64,
    pub(super) bytes: Vec<u8>,
}

impl Run {
    pub(super) fn empty() -> Self {
        Self { start: 0, bytes: Vec::with_capacity(PIECE_BYTES) }
    }

    pub(super) fn end(&self) -> i64 {
        self.start.saturating_add(i64::try_from(self.bytes.len()).unwrap_or(i64::MAX))
    }

    pub(super) fn touches(&self, offset: i64, length: usize) -> bool {
        let end = offset.saturating_add(i64::try_from(length).unwrap_or(i64::MAX));
        !self.bytes.is_empty() && self.start < end && offset < self.end()
    }

    /// The bytes of a place, if it has all of them.
    pub(super) fn part(&self, offset: i64, length: usize) -> Option<&[u8]> {
        let from = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        self.bytes.get(from..from.checked_add(length)?)
    }

    /// Takes bytes that follow, as long as there is room.
    pub(super) fn takes(&mut self, bytes: &[u8], offset: i64) -> bool {
        if self.bytes.is_empty() {
            self.start = offset;
        }
        let fits = self.end() == offset && self.bytes.len() + bytes.len() <= PIECE_BYTES;
        if fits {
            self.bytes.extend_from_slice(bytes);
        }
        fits
    }

    /// Whether it reaches to where a piece ends in the file.
    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= PIECE_BYTES || self.end() % i64::from(PIECE) == 0
    }
}
