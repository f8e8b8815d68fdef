//! Telling in which order to take rows that are almost in the order of their keys, for those who want that order for the
//! sake of time alone: nobody may rely on it.
//!
//! Batches stay as they came; what leaves are the places of rows. Most rows continue the order of those before them and
//! cost one comparison on their way in and one on their way out; the others, strays, wait in a heap. A row that would
//! have to wait longer than there is room for, or should have left already, leaves as one that has gone astray: its
//! place is elsewhere, and never is it lost. So any rows can be pushed, in any order, and the room always suffices.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::ops::Range;

use super::gather::Place;
use crate::frame::weight::byte_count;

/// How far back a row that came too early is looked for, so that it does not make strays of those after it.
const LOOKED_BACK: usize = 8;
/// After so many strays in succession, those before them came too early, however many they were.
const STRAYS_IN_SUCCESSION: usize = 32;

/// The keys of the rows of one batch.
#[derive(Debug, Default)]
pub struct Keys {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Keys {
    /// Adds the key of the next row, which `encode` appends to the bytes it is given.
    pub fn push(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        encode(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Those of some rows.
    #[must_use]
    pub fn of_rows(&self, rows: Range<usize>) -> Self {
        let mut keys = Self::default();
        for row in rows {
            keys.push(|bytes| bytes.extend_from_slice(self.get(row)));
        }
        keys
    }

    /// The key of a row.
    #[must_use]
    pub fn get(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.bytes[start..self.ends[row]]
    }

    /// The memory they take, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        byte_count(self.bytes.capacity() + self.ends.capacity() * size_of::<usize>())
    }
}

/// How much may stay in a [`KeyWindow`].
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// Rows that wait for others to come before them.
    pub rows: usize,
    /// Bytes of batches of which a row waits.
    pub bytes: u64,
}

impl Room {
    /// No room: everything leaves.
    pub const NONE: Self = Self { rows: 0, bytes: 0 };
}

/// Rows that leave a [`KeyWindow`], as the number of their batch and their index in it.
#[derive(Debug, PartialEq, Eq)]
pub enum Leaving {
    /// The next rows in order, after all that left in order before.
    InOrder(Vec<(usize, usize)>),
    /// Rows that stand too far from their place.
    Astray(Vec<(usize, usize)>),
}

/// Takes batches and their keys, and tells in which order their rows are to be taken.
#[derive(Debug)]
pub struct KeyWindow<T> {
    batches: VecDeque<Batch<T>>,
    /// The number of the first batch held.
    first: usize,
    bytes: u64,
    /// Waiting rows, in order.
    main: VecDeque<Place>,
    /// The other waiting rows.
    strays: BinaryHeap<Reverse<(Box<[u8]>, Place)>>,
    strays_in_succession: usize,
    /// Rows that should have left already.
    late: Vec<Place>,
    last_key: Option<Vec<u8>>,
    /// The batch that was the oldest when rows had to leave for want of memory: what is still there has gone astray.
    overdue: Option<usize>,
}

#[derive(Debug)]
struct Batch<T> {
    content: T,
    keys: Keys,
    bytes: u64,
    /// Rows that have not left.
    left: usize,
}

impl<T> Default for KeyWindow<T> {
    fn default() -> Self {
        Self {
            batches: VecDeque::new(),
            first: 0,
            bytes: 0,
            main: VecDeque::new(),
            strays: BinaryHeap::new(),
            strays_in_succession: 0,
            late: Vec::new(),
            last_key: None,
            overdue: None,
        }
    }
}

impl<T> KeyWindow<T> {
    /// Takes the next batch, which takes `bytes` of memory with its keys, as many as it has rows.
    pub fn push(&mut self, content: T, keys: Keys, bytes: u64) {
        self.let_go();
        let number = self.first + self.batches.len();
        let rows = keys.len();
        self.bytes = self.bytes.saturating_add(bytes);
        self.batches.push_back(Batch { content, keys, bytes, left: rows });
        for row in 0..rows {
            self.push_row((number, row));
        }
    }

    fn push_row(&mut self, place: Place) {
        let key = self.key(place);
        if self.last_key.as_deref().is_some_and(|last| key < last) {
            self.late.push(place);
            return;
        }
        let is_deep = self.strays_in_succession >= STRAYS_IN_SUCCESSION;
        let depth = if is_deep { self.main.len() } else { LOOKED_BACK };
        let too_early = self.main.iter().rev().take(depth + 1).take_while(|&&before| self.key(before) > key);
        let too_early = too_early.count();
        if too_early > depth {
            self.strays_in_succession += 1;
            self.add_stray(place);
            return;
        }
        self.strays_in_succession = 0;
        for _ in 0..too_early {
            if let Some(before) = self.main.pop_back() {
                self.add_stray(before);
            }
        }
        self.main.push_back(place);
    }

    fn add_stray(&mut self, place: Place) {
        let key = Box::from(self.key(place));
        self.strays.push(Reverse((key, place)));
    }

    /// The next rows that leave, so that no more than `room` is taken by those that stay; `None` where none need to.
    ///
    /// Their batches stay until the next call of this or of [`Self::push`].
    pub fn leave(&mut self, room: Room) -> Option<Leaving> {
        self.let_go();
        if !self.late.is_empty() {
            let late = std::mem::take(&mut self.late);
            return Some(self.astray(late));
        }
        let waiting = self.main.len() + self.strays.len();
        if waiting > room.rows {
            return Some(self.in_order(waiting - room.rows));
        }
        if self.bytes <= room.bytes {
            return None;
        }
        let (oldest, left) = self.batches.front().map(|oldest| (self.first, oldest.left))?;
        if self.overdue.replace(oldest) != Some(oldest) {
            // If they are in order at all, its rows are the first ones.
            return Some(self.in_order(left + (waiting - left) / 2));
        }
        let mut overdue = Vec::with_capacity(left);
        let mut is_overdue = |place: &Place| {
            let found = place.0 == oldest;
            if found {
                overdue.push(*place);
            }
            found
        };
        self.main.retain(|place| !is_overdue(place));
        self.strays.retain(|Reverse((_, place))| !is_overdue(place));
        Some(self.astray(overdue))
    }

    fn in_order(&mut self, count: usize) -> Leaving {
        let mut places = Vec::with_capacity(count);
        while places.len() < count {
            let is_stray = match (self.main.front(), self.strays.peek()) {
                (Some(&main), Some(Reverse((stray, _)))) => **stray < *self.key(main),
                (main, _) => main.is_none(),
            };
            let next = if is_stray {
                self.strays.pop().map(|Reverse((_, place))| place)
            } else {
                self.main.pop_front()
            };
            let Some(place) = next else { break };
            self.batch_mut(place).left -= 1;
            places.push(place);
        }
        if let Some(&last) = places.last() {
            let mut key = self.last_key.take().unwrap_or_default();
            key.clear();
            key.extend_from_slice(self.key(last));
            self.last_key = Some(key);
        }
        Leaving::InOrder(places)
    }

    fn astray(&mut self, places: Vec<Place>) -> Leaving {
        for &place in &places {
            self.batch_mut(place).left -= 1;
        }
        Leaving::Astray(places)
    }

    /// Lets go of batches whose rows have all left.
    fn let_go(&mut self) {
        while self.batches.front().is_some_and(|oldest| oldest.left == 0) {
            let gone = self.batches.pop_front().map_or(0, |oldest| oldest.bytes);
            self.bytes = self.bytes.saturating_sub(gone);
            self.first += 1;
        }
    }

    /// What the batch of that number holds.
    ///
    /// # Panics
    /// If no row of it has left lately or waits.
    #[must_use]
    pub fn content(&self, number: usize) -> &T {
        &self.batches[number - self.first].content
    }

    /// The batches that are held.
    pub fn contents(&self) -> impl Iterator<Item = (usize, &T)> {
        self.batches.iter().enumerate().map(|(index, batch)| (self.first + index, &batch.content))
    }

    /// The key of a row.
    ///
    /// # Panics
    /// As [`Self::content`].
    #[must_use]
    pub fn key(&self, place: (usize, usize)) -> &[u8] {
        self.batches[place.0 - self.first].keys.get(place.1)
    }

    fn batch_mut(&mut self, place: Place) -> &mut Batch<T> {
        &mut self.batches[place.0 - self.first]
    }
}

#[cfg(test)]
mod tests;
