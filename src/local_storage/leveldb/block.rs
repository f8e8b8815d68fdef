//! One block of a table, unpacked: entries in the order of their keys, each key sharing a beginning with the last one.
//!
//! Source: LevelDB, `doc/table_format.md` and `table/block_builder.cc`.

use super::cursor::Cursor;

/// The largest block that is read, packed or not: a value lies in one block, and an origin's storage is at most 10 MiB.
pub(super) const MAX_BLOCK_BYTES: usize = 64 * 1024 * 1024;

/// A block whose entries were all looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block<'a> {
    entries: Cursor<'a>,
}

impl<'a> Block<'a> {
    /// `None` unless all of it can be read and `is_sound` of every key and value.
    ///
    /// A block is all or nothing: what follows an entry that makes no sense cannot be trusted, nor what stands before.
    pub(super) fn decode(bytes: &'a [u8], mut is_sound: impl FnMut(&[u8], &[u8]) -> bool) -> Option<Self> {
        let (rest, restart_count) = bytes.split_last_chunk::<4>()?;
        let restart_bytes = usize::try_from(u32::from_le_bytes(*restart_count)).ok()?.checked_mul(4)?;
        let entries = rest.get(..rest.len().checked_sub(restart_bytes)?)?;
        let block = Self { entries: Cursor::new(entries) };
        let mut walk = block.walk();
        while let Some((key, value)) = walk.next_entry() {
            if !is_sound(key, value) {
                return None;
            }
        }
        walk.entries.is_at_end().then_some(block)
    }

    /// Goes over the entries.
    pub(super) fn walk(self) -> Walk<'a> {
        Walk { entries: self.entries, key: Vec::new() }
    }
}

/// Entries one after the other; the key lives until the next one.
pub(super) struct Walk<'a> {
    entries: Cursor<'a>,
    key: Vec<u8>,
}

impl<'a> Walk<'a> {
    /// The next key and value; `None` at the end, or where nothing can be read.
    pub(super) fn next_entry(&mut self) -> Option<(&[u8], &'a [u8])> {
        // On a copy: at an entry that cannot be read, the walk stands still before it.
        let mut cursor = self.entries;
        let shared = usize::try_from(cursor.varint32()?).ok()?;
        let unshared = usize::try_from(cursor.varint32()?).ok()?;
        let value_size = usize::try_from(cursor.varint32()?).ok()?;
        if shared > self.key.len() {
            return None;
        }
        let suffix = cursor.take(unshared)?;
        let value = cursor.take(value_size)?;
        self.key.truncate(shared);
        self.key.extend_from_slice(suffix);
        self.entries = cursor;
        Some((&self.key, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &[u8] = b"\x00\x05\x01apple1\x03\x01\x02ly22\x00\0\0\0\x01\0\0\0";

    #[test]
    fn keys_share_beginnings() {
        let bytes = b"\x00\x05\x01apple1\x03\x02\x02ly22\0\0\0\0\x01\0\0\0";
        let mut walk = Block::decode(bytes, |_, _| true).expect("decoded").walk();
        assert_eq!(walk.next_entry(), Some((&b"apple"[..], &b"1"[..])));
        assert_eq!(walk.next_entry(), Some((&b"apply"[..], &b"22"[..])));
        assert_eq!(walk.next_entry(), None);
    }

    #[test]
    fn a_block_with_one_senseless_entry_yields_nothing() {
        // The second key is stated one byte short, so that a byte is left over.
        assert!(Block::decode(SOUND, |_, _| true).is_none());
        let shares_too_much = b"\x01\x01\x01ab\0\0\0\0\x01\0\0\0";
        assert!(Block::decode(shares_too_much, |_, _| true).is_none());
        let too_many_restarts = b"\x00\x01\x01ab\0\0\0\0\x09\0\0\0";
        assert!(Block::decode(too_many_restarts, |_, _| true).is_none());
        assert!(Block::decode(b"\0\0\0", |_, _| true).is_none());
        assert!(Block::decode(b"\x00\x01\x01ab\0\0\0\0\x01\0\0\0", |key, _| key != b"a").is_none());
    }

    #[test]
    fn a_block_may_be_empty() {
        let mut walk = Block::decode(b"\0\0\0\0\x01\0\0\0", |_, _| true).expect("decoded").walk();
        assert_eq!(walk.next_entry(), None);
    }
}
