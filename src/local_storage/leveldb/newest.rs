//! Which change of each key is the newest, and which of them may have been overtaken by one that was lost.

use std::collections::{BTreeMap, btree_map};

use super::internal_key::KeyRange;

/// What is known of the age of the changes in one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rank {
    /// Of a log that is still in use: newer than every table.
    Log,
    /// Of a table that the manifest names.
    Table { level: u32, number: u64 },
    /// Of a file of which the order of the others does not tell.
    Unknown,
}

impl Rank {
    /// Whether a change here of whatever key is newer than all changes of that key in a file of rank `other`.
    ///
    /// Levels hold older changes the deeper they are; in level 0 a larger number is newer.
    fn is_surely_newer_than(self, other: Self) -> bool {
        match (self, other) {
            (Self::Log, Self::Table { .. } | Self::Unknown) => true,
            (Self::Table { level, number }, Self::Table { level: other_level, number: other_number }) => {
                level < other_level || (level == 0 && other_level == 0 && number > other_number)
            }
            _ => false,
        }
    }
}

/// The newest known change of one key.
#[derive(Debug)]
struct Newest {
    sequence: u64,
    rank: Rank,
    /// Bytes of the value; `None` for a deletion.
    size: Option<usize>,
    /// Where it was asked for.
    value: Option<Vec<u8>>,
}

/// What a key has in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The value, where it was asked for.
    pub value: Option<Vec<u8>>,
    /// Bytes of the value.
    pub size: usize,
    /// The number of the change that wrote it.
    pub sequence: u64,
    /// A newer value of the key, or its deletion, may be among what was lost.
    pub may_be_outdated: bool,
}

/// All keys seen, each with its newest change.
pub(super) struct State<'k> {
    keep: &'k mut dyn FnMut(&[u8]) -> bool,
    newest: BTreeMap<Vec<u8>, Newest>,
}

impl<'k> State<'k> {
    /// Values are held only of keys that `keep` says yes to.
    pub(super) fn new(keep: &'k mut dyn FnMut(&[u8]) -> bool) -> Self {
        Self { keep, newest: BTreeMap::new() }
    }

    /// Takes a change in, unless a newer one of its key is known; says whether it did.
    pub(super) fn offer(&mut self, key: &[u8], sequence: u64, rank: Rank, value: Option<&[u8]>) -> bool {
        if self.newest.get(key).is_some_and(|known| known.sequence >= sequence) {
            return false;
        }
        let kept = value.filter(|_| (self.keep)(key)).map(<[u8]>::to_vec);
        let newest = Newest { sequence, rank, size: value.map(<[u8]>::len), value: kept };
        match self.newest.get_mut(key) {
            Some(known) => *known = newest,
            None => {
                self.newest.insert(key.to_vec(), newest);
            }
        }
        true
    }

    /// What is there in the end: every key but the deleted ones.
    pub(super) fn into_entries(self, lost: &Lost) -> BTreeMap<Vec<u8>, Entry> {
        let kept = |(key, newest): (Vec<u8>, Newest)| {
            let size = newest.size?;
            let may_be_outdated = lost.may_hold_newer(&key, newest.sequence, newest.rank);
            Some((key, Entry { value: newest.value, size, sequence: newest.sequence, may_be_outdated }))
        };
        let newest: btree_map::IntoIter<_, _> = self.newest.into_iter();
        newest.filter_map(kept).collect()
    }
}

/// What was lost to damage, as far as it can outdate what is left.
#[derive(Debug, Default)]
pub(super) struct Lost {
    /// Changes of logs were lost, of any key, all of them with numbers below this one.
    below: u64,
    parts: Vec<(Rank, KeyRange)>,
    /// Too many parts were lost to look at each.
    is_everywhere: bool,
}

impl Lost {
    const MAX_PARTS: usize = 1000;

    /// Changes of any key were lost from a log, the newest of them before the change `next`.
    pub(super) fn add_before(&mut self, next: u64) {
        self.below = self.below.max(next);
    }

    /// Changes of keys in `range` were lost from a table.
    pub(super) fn add_range(&mut self, rank: Rank, range: KeyRange) {
        if self.parts.len() < Self::MAX_PARTS {
            self.parts.push((rank, range));
        } else {
            self.is_everywhere = true;
        }
    }

    fn may_hold_newer(&self, key: &[u8], sequence: u64, rank: Rank) -> bool {
        sequence < self.below
            || self.is_everywhere
            || self.parts.iter().any(|(lost_rank, range)| {
                !rank.is_surely_newer_than(*lost_rank) && range.can_hold_newer(key, sequence)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Key, number, value.
    type Change<'a> = (&'a [u8], u64, Option<&'a [u8]>);

    #[test]
    fn the_highest_number_wins_in_whatever_order_changes_come() {
        let changes: [Change<'_>; 5] = [
            (b"a", 1, Some(b"1")),
            (b"a", 5, Some(b"5")),
            (b"a", 3, None),
            (b"b", 2, Some(b"2")),
            (b"b", 4, None),
        ];
        for rotation in 0..changes.len() {
            let mut keep_all = |_: &[u8]| true;
            let mut state = State::new(&mut keep_all);
            for (key, sequence, value) in changes.iter().cycle().skip(rotation).take(changes.len()) {
                state.offer(key, *sequence, Rank::Unknown, *value);
            }
            let entries = state.into_entries(&Lost::default());
            assert_eq!(entries.len(), 1);
            assert_eq!(entries[&b"a"[..]].value.as_deref(), Some(&b"5"[..]));
        }
    }

    #[test]
    fn values_that_nobody_asked_for_leave_only_their_size() {
        let mut keep = |key: &[u8]| key == b"wanted";
        let mut state = State::new(&mut keep);
        state.offer(b"wanted", 1, Rank::Log, Some(b"abc"));
        state.offer(b"other", 2, Rank::Log, Some(b"abcd"));
        let entries = state.into_entries(&Lost::default());
        assert_eq!(entries[&b"wanted"[..]].value.as_deref(), Some(&b"abc"[..]));
        assert_eq!((&entries[&b"other"[..]].value, entries[&b"other"[..]].size), (&None, 4));
    }

    #[test]
    fn only_what_is_not_surely_newer_than_what_was_lost_may_be_outdated() {
        let table = |level, number| Rank::Table { level, number };
        let mut lost = Lost::default();
        lost.add_range(table(1, 9), KeyRange::default());
        let outdated = |rank| lost.may_hold_newer(b"k", 10, rank);
        assert!(!outdated(Rank::Log) && !outdated(table(0, 3)));
        assert!(outdated(table(1, 9)) && outdated(table(2, 20)) && outdated(Rank::Unknown));
        let mut lost = Lost::default();
        lost.add_range(table(0, 9), KeyRange::default());
        assert!(!lost.may_hold_newer(b"k", 10, table(0, 10)) && lost.may_hold_newer(b"k", 10, table(0, 8)));
        let mut lost = Lost::default();
        lost.add_before(50);
        assert!(lost.may_hold_newer(b"k", 49, Rank::Log) && !lost.may_hold_newer(b"k", 50, Rank::Log));
    }
}
