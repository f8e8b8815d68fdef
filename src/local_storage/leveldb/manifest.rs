//! The manifest: a log of edits that says which tables make up the database, and from which log on.
//!
//! Source: LevelDB, `db/version_edit.cc` and `doc/impl.md`.

use std::collections::BTreeMap;
use std::io::{self, Read};

use super::cursor::Cursor;
use super::internal_key::{Bound, InternalKey, KeyRange};
use super::log::{LogReader, Piece};

/// What all edits together say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) comparator: Option<String>,
    /// Logs from this number on are in use.
    pub(super) log_number: u64,
    /// And this older one, where it is not 0.
    pub(super) previous_log_number: u64,
    /// Files of this number and above are younger than the last edit.
    pub(super) next_file_number: u64,
    /// By number.
    pub(super) tables: BTreeMap<u64, NamedTable>,
}

/// A table as the manifest names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedTable {
    pub(super) level: u32,
    pub(super) size: u64,
    smallest: Bound,
    largest: Bound,
}

impl NamedTable {
    /// Of its entries.
    pub(super) fn range(&self) -> KeyRange {
        let (after, until) = (Some(self.smallest.clone()), Some(self.largest.clone()));
        KeyRange { after, with_after: true, until }
    }
}

/// What a manifest says, and what is wrong with it.
pub(super) struct ReadManifest {
    pub(super) version: Version,
    /// The first place that cannot be used, and why.
    pub(super) damage: Option<(u64, &'static str)>,
}

/// Reads all edits; after the first one that cannot be used, `version` is what the ones before it say.
pub(super) fn read_manifest(source: impl Read) -> io::Result<ReadManifest> {
    let mut reader = LogReader::new(source);
    let mut version = Version::default();
    let mut damage = None;
    while let (None, Some(piece)) = (damage, reader.next_piece()?) {
        damage = match piece {
            Piece::Record { at, payload } => match Edit::decode(&payload) {
                Some(edit) => {
                    version.apply(edit);
                    None
                }
                None => Some((at, "an edit cannot be read")),
            },
            Piece::Damaged { at, why } | Piece::Torn { at, why, .. } => Some((at, why)),
        };
    }
    if damage.is_none() && version == Version::default() {
        damage = Some((0, "it is empty"));
    }
    Ok(ReadManifest { version, damage })
}

/// One edit; what it does not say stays as it is.
#[derive(Debug, Default, PartialEq, Eq)]
struct Edit {
    comparator: Option<String>,
    log_number: Option<u64>,
    previous_log_number: Option<u64>,
    next_file_number: Option<u64>,
    /// Level and number.
    deleted: Vec<(u32, u64)>,
    added: Vec<(u64, NamedTable)>,
}

impl Edit {
    /// `None` where it cannot be read as a whole.
    fn decode(edit: &[u8]) -> Option<Self> {
        const COMPARATOR: u32 = 1;
        const LOG_NUMBER: u32 = 2;
        const NEXT_FILE_NUMBER: u32 = 3;
        const LAST_SEQUENCE: u32 = 4;
        const COMPACT_POINTER: u32 = 5;
        const DELETED_FILE: u32 = 6;
        const NEW_FILE: u32 = 7;
        const PREVIOUS_LOG_NUMBER: u32 = 9;

        let mut read = Self::default();
        let mut cursor = Cursor::new(edit);
        while !cursor.is_at_end() {
            match cursor.varint32()? {
                COMPARATOR => {
                    read.comparator = Some(String::from_utf8_lossy(cursor.prefixed()?).into_owned());
                }
                LOG_NUMBER => read.log_number = Some(cursor.varint()?),
                NEXT_FILE_NUMBER => read.next_file_number = Some(cursor.varint()?),
                LAST_SEQUENCE => {
                    cursor.varint()?;
                }
                COMPACT_POINTER => {
                    cursor.varint32()?;
                    cursor.prefixed()?;
                }
                DELETED_FILE => read.deleted.push((cursor.varint32()?, cursor.varint()?)),
                NEW_FILE => {
                    let (level, number, size) = (cursor.varint32()?, cursor.varint()?, cursor.varint()?);
                    let smallest = InternalKey::decode(cursor.prefixed()?)?.into();
                    let largest = InternalKey::decode(cursor.prefixed()?)?.into();
                    read.added.push((number, NamedTable { level, size, smallest, largest }));
                }
                PREVIOUS_LOG_NUMBER => read.previous_log_number = Some(cursor.varint()?),
                _ => return None,
            }
        }
        Some(read)
    }
}

impl Version {
    /// In place: a manifest has thousands of edits, each of a few of the tables.
    fn apply(&mut self, edit: Edit) {
        self.comparator = edit.comparator.or_else(|| self.comparator.take());
        self.log_number = edit.log_number.unwrap_or(self.log_number);
        self.previous_log_number = edit.previous_log_number.unwrap_or(self.previous_log_number);
        self.next_file_number = edit.next_file_number.unwrap_or(self.next_file_number);
        for (level, number) in edit.deleted {
            if self.tables.get(&number).is_some_and(|table| table.level == level) {
                self.tables.remove(&number);
            }
        }
        // A table that moves to another level is deleted and new in the same edit.
        self.tables.extend(edit.added);
    }

    /// Whether the log of this number is in use.
    pub(super) fn uses_log(&self, number: u64) -> bool {
        number >= self.log_number || (self.previous_log_number != 0 && number == self.previous_log_number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new_file(level: u8, number: u8) -> Vec<u8> {
        let mut edit = vec![7, level, number, 100, 9];
        edit.extend_from_slice(b"a\x01\x05\0\0\0\0\0\0");
        edit.push(9);
        edit.extend_from_slice(b"z\x01\x03\0\0\0\0\0\0");
        edit
    }

    fn edited(version: &Version, edit: &[u8]) -> Option<Version> {
        let mut version = version.clone();
        version.apply(Edit::decode(edit)?);
        Some(version)
    }

    #[test]
    fn edits_add_up() {
        let first = [&b"\x01\x01C\x02\x04\x09\x03\x03\x06\x04\x09"[..], &new_file(0, 5)].concat();
        let version = edited(&Version::default(), &first).expect("an edit");
        assert_eq!(version.comparator.as_deref(), Some("C"));
        assert_eq!(version.tables[&5].range().after.expect("there").sequence, 5);
        assert!(version.uses_log(4) && version.uses_log(3) && !version.uses_log(2));
        // Moved to level 1, and a compact pointer.
        let moved = [&b"\x05\x00\x01k\x06\x00\x05"[..], &new_file(1, 5)].concat();
        let version = edited(&version, &moved).expect("an edit");
        assert_eq!((version.tables[&5].level, version.comparator.as_deref()), (1, Some("C")));
        assert!(edited(&version, b"\x06\x01\x05").expect("an edit").tables.is_empty());
    }

    #[test]
    fn an_edit_that_cannot_be_read_to_its_end_changes_nothing() {
        let edit = new_file(0, 5);
        for length in 1..edit.len() {
            assert_eq!(Edit::decode(&edit[..length]), None);
        }
        assert_eq!(Edit::decode(b"\x08\x01"), None);
        assert!(read_manifest(&b""[..]).expect("there").damage.is_some());
    }
}
