//! The memory of pieces on their way to the disk and back. Nothing here reaches a file.

use super::LINK_BYTES;
use crate::frame::weight::byte_count;

/// Buffers of one size for bytes on their way to the disk.
///
/// They are one piece of memory, which goes back to the system as a whole.
#[derive(Debug, Default)]
pub(in crate::frame::order) struct Buffers {
    memory: Vec<u8>,
    each_bytes: usize,
    filled: Vec<usize>,
}

impl Buffers {
    /// `count` buffers of `each_bytes` bytes.
    pub(in crate::frame::order) fn new(count: usize, each_bytes: usize) -> Self {
        // Untouched memory that reads as zeros costs nothing until it is used.
        Self { memory: vec![0; (LINK_BYTES + each_bytes) * count], each_bytes, filled: vec![0; count] }
    }

    /// What each has room for.
    pub(in crate::frame::order) fn each_bytes(&self) -> usize {
        self.each_bytes
    }

    /// How much is in one.
    pub(in crate::frame::order) fn filled(&self, index: usize) -> usize {
        self.filled[index]
    }

    /// How much more there is room for in one.
    pub(in crate::frame::order) fn room(&self, index: usize) -> usize {
        self.each_bytes - self.filled[index]
    }

    /// Appends to one what there is room for in it.
    pub(in crate::frame::order) fn push(&mut self, index: usize, bytes: &[u8]) {
        let begin = self.begin(index) + LINK_BYTES + self.filled[index];
        self.memory[begin..begin + bytes.len()].copy_from_slice(bytes);
        self.filled[index] += bytes.len();
    }

    /// What is in one, behind `link`; it is empty from then on.
    pub(super) fn take(&mut self, index: usize, link: [u8; LINK_BYTES]) -> &[u8] {
        let begin = self.begin(index);
        self.memory[begin..begin + LINK_BYTES].copy_from_slice(&link);
        &self.memory[begin..begin + LINK_BYTES + std::mem::take(&mut self.filled[index])]
    }

    fn begin(&self, index: usize) -> usize {
        index * (LINK_BYTES + self.each_bytes)
    }
}

/// Pieces that were read back, one behind the other.
#[derive(Debug, Default)]
pub(in crate::frame::order) struct Held {
    memory: Vec<u8>,
    pub(super) filled: usize,
}

impl Held {
    /// Makes room for `bytes` bytes, and forgets what was in it. Of memory there is, no more than for `most_bytes` is kept.
    pub(in crate::frame::order) fn make_room(&mut self, bytes: usize, most_bytes: u64) {
        self.let_go_beyond(most_bytes);
        if self.memory.len() < bytes {
            // The memory there was goes first. Ranges differ a little: with a little more, the next one fits as well.
            self.memory = Vec::new();
            self.memory = vec![0; bytes + bytes / 16];
        }
    }

    /// Forgets what is in it, and gives its memory back where that is more than for `most_bytes`.
    pub(in crate::frame::order) fn let_go_beyond(&mut self, most_bytes: u64) {
        self.filled = 0;
        if byte_count(self.memory.len()) > most_bytes.saturating_add(most_bytes / 16) {
            self.memory = Vec::new();
        }
    }

    /// What is in it.
    pub(in crate::frame::order) fn bytes(&self) -> &[u8] {
        &self.memory[..self.filled]
    }

    /// How much memory it has.
    #[cfg(test)]
    pub(in crate::frame::order) fn memory_bytes(&self) -> usize {
        self.memory.len()
    }

    /// Where the next `bytes` bytes go, which count as filled from then on; `None` where there is no room for them.
    pub(super) fn next(&mut self, bytes: usize) -> Option<&mut [u8]> {
        let begin = self.filled;
        let next = self.memory.get_mut(begin..begin.checked_add(bytes)?)?;
        self.filled = begin + bytes;
        Some(next)
    }
}
