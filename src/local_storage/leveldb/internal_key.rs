//! What LevelDB stores an entry under: the user's key, the number of the change, and whether it deletes.
//!
//! Source: LevelDB, `db/dbformat.h`.

use std::cmp::Ordering;

/// The largest number of a change; keys between blocks that belong to no entry carry it.
pub(super) const MAX_SEQUENCE: u64 = (1 << 56) - 1;

/// An internal key: ordered by the user's key, and by the newest change first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InternalKey<'a> {
    pub(super) user_key: &'a [u8],
    pub(super) sequence: u64,
    pub(super) is_deletion: bool,
}

impl<'a> InternalKey<'a> {
    /// `None` where it is too short or of an unknown kind.
    pub(super) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (user_key, trailer) = bytes.split_last_chunk::<8>()?;
        let trailer = u64::from_le_bytes(*trailer);
        let is_deletion = match trailer & 0xFF {
            0 => true,
            1 => false,
            _ => return None,
        };
        Some(Self { user_key, sequence: trailer >> 8, is_deletion })
    }
}

/// A bound between entries, kept: a user's key and the number of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bound {
    pub(super) user_key: Vec<u8>,
    pub(super) sequence: u64,
}

impl From<InternalKey<'_>> for Bound {
    fn from(key: InternalKey<'_>) -> Self {
        Self { user_key: key.user_key.to_vec(), sequence: key.sequence }
    }
}

/// Where entries were lost: behind `after`, up to and with `until`; no bound where none is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct KeyRange {
    pub(super) after: Option<Bound>,
    /// Whether `after` itself was lost, too.
    pub(super) with_after: bool,
    pub(super) until: Option<Bound>,
}

impl KeyRange {
    /// Whether a change of `user_key` newer than `sequence` can lie in here.
    pub(super) fn can_hold_newer(&self, user_key: &[u8], sequence: u64) -> bool {
        // Of one key, newer changes come first: `after` bounds them from above, `until` from below.
        let newest = match &self.after {
            None => MAX_SEQUENCE,
            Some(after) => match user_key.cmp(&after.user_key) {
                Ordering::Less => return false,
                Ordering::Greater => MAX_SEQUENCE,
                Ordering::Equal if self.with_after => after.sequence,
                Ordering::Equal => match after.sequence.checked_sub(1) {
                    // No entry has the largest number: this bound lies before all of its key's.
                    _ if after.sequence == MAX_SEQUENCE => MAX_SEQUENCE,
                    Some(newest) => newest,
                    None => return false,
                },
            },
        };
        let oldest = match &self.until {
            None => 0,
            Some(until) => match user_key.cmp(&until.user_key) {
                Ordering::Less => 0,
                Ordering::Greater => return false,
                Ordering::Equal if until.sequence == MAX_SEQUENCE => return false,
                Ordering::Equal => until.sequence,
            },
        };
        newest >= oldest && newest > sequence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(user_key: &str, sequence: u64) -> Bound {
        Bound { user_key: user_key.into(), sequence }
    }

    #[test]
    fn a_key_inside_a_lost_range_can_have_a_newer_change_there_and_one_outside_cannot() {
        let range = KeyRange { after: Some(bound("d", 40)), with_after: false, until: Some(bound("m", 20)) };
        assert!(range.can_hold_newer(b"g", 1000));
        assert!(!range.can_hold_newer(b"a", 1) && !range.can_hold_newer(b"z", 1));
        // Of "d" only changes older than 40 can have been lost, of "m" only 20 and newer ones.
        assert!(range.can_hold_newer(b"d", 38) && !range.can_hold_newer(b"d", 39));
        assert!(range.can_hold_newer(b"m", 19) && range.can_hold_newer(b"m", 500));
    }

    #[test]
    fn a_bound_that_belongs_to_no_entry_keeps_its_key_out_above_and_in_below() {
        let range = KeyRange {
            after: Some(bound("d", MAX_SEQUENCE)),
            with_after: false,
            until: Some(bound("m", MAX_SEQUENCE)),
        };
        assert!(range.can_hold_newer(b"d", 7) && !range.can_hold_newer(b"m", 7));
    }

    #[test]
    fn without_bounds_everything_can_have_been_lost() {
        assert!(KeyRange::default().can_hold_newer(b"", 0));
    }

    #[test]
    fn an_internal_key_has_eight_bytes_behind_the_users() {
        let key = InternalKey::decode(b"k\x01\x02\0\0\0\0\0\0").expect("decoded");
        assert_eq!(key, InternalKey { user_key: b"k", sequence: 2, is_deletion: false });
        assert_eq!(InternalKey::decode(b"\x01\0\0\0\0\0\0"), None);
        assert_eq!(InternalKey::decode(b"k\x02\x02\0\0\0\0\0\0"), None);
    }
}
