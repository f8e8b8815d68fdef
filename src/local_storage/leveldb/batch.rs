//! A write batch: the payload of one record of a log.
//!
//! Changes are handed out only after the whole batch was found well-formed: a batch is all or nothing.
//!
//! Source: LevelDB, `db/write_batch.cc`.

use super::cursor::Cursor;
use super::internal_key::MAX_SEQUENCE;

/// A batch whose changes were all looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Batch<'a> {
    /// The number of the first change.
    pub(super) sequence: u64,
    pub(super) count: u32,
    changes: Cursor<'a>,
}

/// One change; without a value it deletes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change<'a> {
    pub(super) sequence: u64,
    pub(super) key: &'a [u8],
    pub(super) value: Option<&'a [u8]>,
}

impl<'a> Batch<'a> {
    /// `None` unless every change can be read, their count is the stated one and their numbers are possible.
    pub(super) fn decode(payload: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(payload);
        let (sequence, count) = (cursor.u64_le()?, cursor.u32_le()?);
        if sequence.checked_add(u64::from(count))? > MAX_SEQUENCE {
            return None;
        }
        let batch = Self { sequence, count, changes: cursor };
        let mut found = 0_u32;
        while !cursor.is_at_end() {
            take_change(&mut cursor)?;
            found = found.checked_add(1)?;
        }
        (found == count).then_some(batch)
    }

    /// Whether a batch that begins with the change `sequence`, where that is known, can begin with these bytes.
    pub(super) fn may_begin_with(bytes: &[u8], sequence: Option<u64>) -> bool {
        let mut cursor = Cursor::new(bytes);
        let Some(found) = cursor.u64_le() else { return true };
        if found > MAX_SEQUENCE || sequence.is_some_and(|sequence| sequence != found) {
            return false;
        }
        let Some(count) = cursor.u32_le() else { return true };
        for _ in 0..count {
            if { cursor }.byte().is_some_and(|kind| kind > 1) {
                return false;
            }
            if take_change(&mut cursor).is_none() {
                return true;
            }
        }
        cursor.is_at_end()
    }

    /// The number of the first change of the next batch.
    pub(super) fn next_sequence(&self) -> u64 {
        self.sequence + u64::from(self.count)
    }

    pub(super) fn changes(&self) -> impl Iterator<Item = Change<'a>> + use<'a> {
        let mut cursor = self.changes;
        (self.sequence..self.next_sequence()).map_while(move |sequence| {
            let (key, value) = take_change(&mut cursor)?;
            Some(Change { sequence, key, value })
        })
    }
}

fn take_change<'a>(cursor: &mut Cursor<'a>) -> Option<(&'a [u8], Option<&'a [u8]>)> {
    match cursor.byte()? {
        0 => Some((cursor.prefixed()?, None)),
        1 => Some((cursor.prefixed()?, Some(cursor.prefixed()?))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_numbers_its_changes_from_its_own_number_on() {
        let payload = b"\x07\0\0\0\0\0\0\0\x02\0\0\0\x01\x01a\x02xy\x00\x01b";
        let batch = Batch::decode(payload).expect("decoded");
        let changes: Vec<_> = batch.changes().collect();
        assert_eq!(changes[0], Change { sequence: 7, key: b"a", value: Some(b"xy") });
        assert_eq!(changes[1], Change { sequence: 8, key: b"b", value: None });
        assert_eq!((changes.len(), batch.next_sequence()), (2, 9));
    }

    #[test]
    fn every_beginning_of_a_batch_is_one_and_other_bytes_are_none() {
        let sound = b"\x07\0\0\0\0\0\0\0\x02\0\0\0\x01\x01a\x02xy\x00\x01b";
        for length in 0..sound.len() {
            assert!(Batch::may_begin_with(&sound[..length], Some(7)), "cut at {length}");
        }
        assert!(Batch::may_begin_with(sound, None) && !Batch::may_begin_with(sound, Some(8)));
        assert!(!Batch::may_begin_with(&[0x55; 30], None));
        let mut senseless = sound.to_vec();
        senseless[12] = 7;
        assert!(!Batch::may_begin_with(&senseless[..13], Some(7)));
        assert!(!Batch::may_begin_with(b"\x07\0\0\0\0\0\0\0\0\0\0\0\0", Some(7)));
    }

    #[test]
    fn a_batch_that_does_not_fit_its_count_yields_nothing() {
        let sound = b"\x07\0\0\0\0\0\0\0\x02\0\0\0\x01\x01a\x02xy\x00\x01b".to_vec();
        for length in 0..sound.len() {
            assert!(Batch::decode(&sound[..length]).is_none(), "cut at {length}");
        }
        for (at, byte) in [(8, 1), (8, 3), (12, 2), (7, 0xFF), (13, 0x7F)] {
            let mut changed = sound.clone();
            changed[at] = byte;
            assert!(Batch::decode(&changed).is_none(), "byte {at}");
        }
    }
}
