//! Sorting more rows than there is memory for: rows are dealt out to ranges of keys as they are read, and each range is
//! sorted by itself when all have been read.
//!
//! Rows stay in their canonical encoding, behind their keys, so that nothing but bytes is moved until a row is in its
//! place. Every byte is written and read once; only a range that turned out too large for the memory is dealt out again.
//! Where ranges end follows from a sample and shows in nothing but time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::gather::equal_keys;
use super::spill::{Buffers, Chain, Held, Scratch, not_what_was_written};
use super::splitters::{Splitters, common_prefix, parts_for, word};
use crate::error::{Error, ErrorKind, Result};
use crate::frame::weight::byte_count;
use crate::run::Interrupt;
use crate::varint::{push_varint, take_varint};

/// What a row takes in memory beside its bytes while its range is sorted.
const ENTRY_BYTES: u64 = size_of::<Entry>() as u64;

/// Rows of a range whose keys become the sample when it is dealt out again.
const SAMPLE_KEYS: usize = 4_096;

/// Rows that are fetched from memory together.
const ROWS_FETCHED: usize = 16;

/// Of very large keys, so many are sampled all the same.
const LEAST_SAMPLE_KEYS: usize = 16;

/// Rows on their way to their ranges, of one reader.
#[derive(Debug)]
pub struct Partitions {
    splitters: Arc<Splitters>,
    folder: PathBuf,
    /// One for each range.
    buffers: Buffers,
    scratch: Option<Scratch>,
    ranges: Vec<Range>,
    /// What stands before a row: the lengths of its key and of itself.
    head: Vec<u8>,
}

/// The rows of one range so far.
#[derive(Debug, Default)]
struct Range {
    pieces: Chain,
    rows: u64,
    bytes: u64,
}

impl Partitions {
    /// Deals rows out within `memory_bytes`; `folder` exists and is nobody else's.
    #[must_use]
    pub fn new(splitters: Arc<Splitters>, folder: &Path, memory_bytes: u64) -> Self {
        const BUFFER_BYTES: std::ops::RangeInclusive<usize> = 4 * 1024..=512 * 1024;
        let parts = splitters.parts();
        let share = usize::try_from(memory_bytes).unwrap_or(usize::MAX) / parts;
        let buffers = Buffers::new(parts, share.clamp(*BUFFER_BYTES.start(), *BUFFER_BYTES.end()));
        let ranges = (0..parts).map(|_| Range::default()).collect();
        Self { splitters, folder: folder.to_path_buf(), buffers, scratch: None, ranges, head: Vec::new() }
    }

    /// Takes a row: its key and its canonical encoding.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] where it cannot be put on disk.
    pub fn push(&mut self, key: &[u8], row: &[u8]) -> Result<()> {
        let part = self.splitters.part_of(key);
        self.head.clear();
        push_varint(byte_count(key.len()), &mut self.head);
        push_varint(byte_count(row.len()), &mut self.head);
        let size = self.head.len() + key.len() + row.len();
        let range = &mut self.ranges[part];
        range.rows += 1;
        range.bytes += byte_count(size);
        if size > self.buffers.each_bytes() {
            // Of a large row no copy is made.
            return scratch_of(&mut self.scratch, &self.folder)?
                .append_parts(&mut range.pieces, [&self.head, key, row]);
        }
        if self.buffers.room(part) < size {
            let scratch = scratch_of(&mut self.scratch, &self.folder)?;
            scratch.append(&mut range.pieces, &mut self.buffers, part)?;
        }
        // Not in a loop: what is known to be small is moved without a call.
        self.buffers.push(part, &self.head);
        self.buffers.push(part, key);
        self.buffers.push(part, row);
        Ok(())
    }

    /// Ends the input: from here on only what is on disk is left of it.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn settle(&mut self) -> Result<()> {
        for (part, range) in self.ranges.iter_mut().enumerate() {
            if self.buffers.filled(part) > 0 {
                let scratch = scratch_of(&mut self.scratch, &self.folder)?;
                scratch.append(&mut range.pieces, &mut self.buffers, part)?;
            }
        }
        self.buffers = Buffers::default();
        Ok(())
    }
}

fn scratch_of<'s>(scratch: &'s mut Option<Scratch>, folder: &Path) -> Result<&'s mut Scratch> {
    match scratch {
        Some(scratch) => Ok(scratch),
        none => Ok(none.insert(Scratch::create(folder)?)),
    }
}

/// Rows dealt out by all readers, to be taken range by range, in the order of their keys.
pub struct PartitionedRows<'run> {
    readers: Vec<Partitions>,
    next: usize,
    memory_bytes: u64,
    /// Of a range that was too large: its own ranges, which come before all that is left here.
    inner: Option<Box<PartitionedRows<'run>>>,
    interrupt: &'run Interrupt,
}

impl<'run> PartitionedRows<'run> {
    /// Takes what readers with the same splitters have dealt out and settled. No range of more than `memory_bytes` is held at once,
    /// unless it is one row.
    #[must_use]
    pub fn new(readers: Vec<Partitions>, memory_bytes: u64, interrupt: &'run Interrupt) -> Self {
        Self { readers, next: 0, memory_bytes, inner: None, interrupt }
    }

    /// The rows of the next range in order; `None` once there are no more. It is empty where a range is.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] where rows cannot be read back; [`ErrorKind::Damaged`] where two have one key;
    /// [`ErrorKind::Interrupted`].
    ///
    /// `spare` is a range that has been dealt with: its memory is used again.
    pub fn next_range(&mut self, spare: SortedRows) -> Result<Option<SortedRows>> {
        self.interrupt.check()?;
        let mut spare = spare;
        if let Some(inner) = &mut self.inner {
            if let Some(rows) = inner.next_range(std::mem::take(&mut spare))? {
                return Ok(Some(rows));
            }
            self.inner = None;
        }
        let part = self.next;
        let ranges = || self.readers.iter().filter_map(|reader| reader.ranges.get(part));
        if ranges().next().is_none() {
            return Ok(None);
        }
        self.next += 1;
        let rows: u64 = ranges().map(|range| range.rows).sum();
        let bytes: u64 = ranges().map(|range| range.bytes).sum();
        let wanted = ranges().map(|range| range.pieces.bytes()).sum();
        if rows > 1 && bytes.saturating_add(rows.saturating_mul(ENTRY_BYTES)) > self.memory_bytes {
            self.inner = Some(Box::new(self.deal_out_again(part, rows, bytes)?));
            return self.next_range(spare);
        }
        let SortedRows { mut held, mut entries } = spare;
        held.make_room(wanted, self.memory_bytes);
        entries.clear();
        for reader in &mut self.readers {
            let Some(scratch) = &mut reader.scratch else { continue };
            let mut next = std::mem::take(&mut reader.ranges[part].pieces).last();
            while let Some(piece) = next {
                let (begin, before) = scratch.read(piece, &mut held)?;
                find_rows(held.bytes(), begin, &mut entries)?;
                next = before;
            }
        }
        if held.bytes().len() != wanted {
            return Err(not_what_was_written());
        }
        SortedRows::sort(held, entries).map(Some)
    }

    /// What of the next range is more than fits, which only a large row is: so many bytes at once. 0 where it fits.
    #[must_use]
    pub fn oversize_bytes(&self) -> u64 {
        if let Some(inner) = self.inner.as_ref().filter(|inner| !inner.is_done()) {
            return inner.oversize_bytes();
        }
        let ranges = self.readers.iter().filter_map(|reader| reader.ranges.get(self.next));
        let largest = ranges.map(|range| byte_count(range.pieces.largest_bytes())).max();
        largest.filter(|&bytes| bytes > self.memory_bytes).unwrap_or(0)
    }

    fn is_done(&self) -> bool {
        self.inner.as_ref().is_none_or(|inner| inner.is_done())
            && self.readers.iter().all(|reader| reader.ranges.len() <= self.next)
    }

    /// Deals the rows of one range out to ranges of its own.
    fn deal_out_again(&mut self, part: usize, rows: u64, bytes: u64) -> Result<Self> {
        let mut step = usize::try_from(rows / byte_count(SAMPLE_KEYS)).unwrap_or(usize::MAX).max(1);
        let (mut keys, mut row, mut key_bytes) = (Vec::new(), 0_usize, 0_u64);
        let most_bytes = self.memory_bytes / 4;
        self.for_each_row(part, |key, _| {
            if row.is_multiple_of(step) {
                key_bytes += byte_count(key.len());
                keys.push(key.to_vec());
            }
            // Keys may be as large as rows: then fewer tell enough.
            if key_bytes > most_bytes && keys.len() > LEAST_SAMPLE_KEYS {
                let mut keep = false;
                keys.retain(|_| {
                    keep = !keep;
                    keep
                });
                key_bytes = keys.iter().map(|key| byte_count(key.len())).sum();
                step = step.saturating_mul(2);
            }
            row += 1;
            Ok(())
        })?;
        let wanted = parts_for(bytes.saturating_add(rows.saturating_mul(ENTRY_BYTES)), self.memory_bytes);
        let splitters = Arc::new(Splitters::of_sample(keys, wanted.max(2)));
        let folder = self.readers.first().map(|reader| reader.folder.clone()).unwrap_or_default();
        let mut inner = Partitions::new(splitters, &folder, self.memory_bytes / 2);
        self.for_each_row(part, |key, row| inner.push(key, row))?;
        inner.settle()?;
        if inner.ranges.iter().any(|range| range.rows == rows) {
            if self.have_one_key(part)? {
                return Err(equal_keys());
            }
            // All keys agree in more bytes than are compared at once, which only a few rows can do.
            return Err(Error::new(
                ErrorKind::Failed,
                "rows that are ordered by very similar values do not fit into memory",
            )
            .hint("raise --memory-limit, or order this table by something else with --order-by"));
        }
        self.readers.iter_mut().for_each(|reader| reader.ranges[part].pieces = Chain::default());
        Ok(Self::new(vec![inner], self.memory_bytes, self.interrupt))
    }

    /// Whether all rows of a range have the same key.
    fn have_one_key(&mut self, part: usize) -> Result<bool> {
        let (mut first, mut have_one) = (None::<Vec<u8>>, true);
        self.for_each_row(part, |key, _| {
            have_one &= first.get_or_insert_with(|| key.to_vec()).as_slice() == key;
            Ok(())
        })?;
        Ok(have_one)
    }

    /// Hands out the rows of a range in no order, a piece at a time.
    fn for_each_row(&mut self, part: usize, mut take: impl FnMut(&[u8], &[u8]) -> Result<()>) -> Result<()> {
        let mut held = Held::default();
        for reader in &mut self.readers {
            let Some(scratch) = &mut reader.scratch else { continue };
            let mut next = reader.ranges[part].pieces.last();
            while let Some(piece) = next {
                self.interrupt.check()?;
                held.make_room(piece.bytes, self.memory_bytes);
                let (begin, before) = scratch.read(piece, &mut held)?;
                let mut rest = &held.bytes()[begin..];
                while !rest.is_empty() {
                    let (key, row, left) = split_row(rest)?;
                    take(key, row)?;
                    rest = left;
                }
                next = before;
            }
        }
        Ok(())
    }
}

/// The key and the row at the beginning of `bytes`, and what follows.
fn split_row(bytes: &[u8]) -> Result<(&[u8], &[u8], &[u8])> {
    let split = || {
        let mut rest = bytes;
        let key_bytes = usize::try_from(take_varint(&mut rest)?).ok()?;
        let row_bytes = usize::try_from(take_varint(&mut rest)?).ok()?;
        let (key, rest) = rest.split_at_checked(key_bytes)?;
        let (row, rest) = rest.split_at_checked(row_bytes)?;
        Some((key, row, rest))
    };
    split().ok_or_else(not_what_was_written)
}

/// The rows of one range in memory, in order.
#[derive(Debug, Default)]
pub struct SortedRows {
    held: Held,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// The beginning of the key, after what all keys have in common.
    word: u128,
    key_start: usize,
    row_start: usize,
    row_end: usize,
}

/// Finds the rows in `bytes` from `begin` on.
fn find_rows(bytes: &[u8], begin: usize, entries: &mut Vec<Entry>) -> Result<()> {
    let mut rest = &bytes[begin..];
    while !rest.is_empty() {
        let (key, row, next) = split_row(rest)?;
        let row_end = bytes.len() - next.len();
        let row_start = row_end - row.len();
        entries.push(Entry { word: 0, key_start: row_start - key.len(), row_start, row_end });
        rest = next;
    }
    Ok(())
}

impl SortedRows {
    fn sort(held: Held, mut entries: Vec<Entry>) -> Result<Self> {
        let bytes = held.bytes();
        let key = |entry: &Entry| &bytes[entry.key_start..entry.row_start];
        let common = entries.first().map_or(0, |first| {
            let shared = |common, entry| common_prefix(key(first), key(entry)).len().min(common);
            entries.iter().fold(key(first).len(), shared)
        });
        for entry in &mut entries {
            entry.word = word(&bytes[entry.key_start + common..entry.row_start]);
        }
        let order = |a: &Entry, b: &Entry| a.word.cmp(&b.word).then_with(|| key(a).cmp(key(b)));
        entries.sort_unstable_by(order);
        if entries.windows(2).any(|pair| order(&pair[0], &pair[1]).is_eq()) {
            return Err(equal_keys());
        }
        Ok(Self { held, entries })
    }

    /// What is left of a range that has been dealt with: its memory, where that is no more than for `most_bytes`.
    #[must_use]
    pub fn into_spare(self, most_bytes: u64) -> Self {
        let Self { mut held, mut entries } = self;
        held.let_go_beyond(most_bytes);
        entries.clear();
        Self { held, entries }
    }

    /// The canonical encodings of the rows, in order.
    pub fn rows(&self) -> impl Iterator<Item = &[u8]> {
        let bytes = self.held.bytes();
        self.entries.chunks(ROWS_FETCHED).flat_map(move |entries| {
            fetch(entries, bytes);
            entries.iter().map(|entry| &bytes[entry.row_start..entry.row_end])
        })
    }
}

/// Brings rows that lie anywhere into the processor's cache: reads that depend on nothing go on at once, where those of
/// one row after another each wait for memory.
fn fetch(entries: &[Entry], bytes: &[u8]) {
    const LINE_BYTES: usize = 64;
    const MOST_BYTES: usize = 4 * 1024;
    let mut seen = 0;
    for entry in entries {
        let row = &bytes[entry.row_start..entry.row_end.min(entry.row_start + MOST_BYTES)];
        seen ^= row.iter().step_by(LINE_BYTES).fold(0, |seen, byte| seen ^ byte);
    }
    std::hint::black_box(seen);
}

#[cfg(test)]
mod tests;
