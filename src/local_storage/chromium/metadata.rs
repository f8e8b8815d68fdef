//! What Chromium notes about a storage: when it was changed, and how large it is.
//!
//! Source: Chromium, `components/services/storage/dom_storage/local_storage_database.proto`.

use crate::local_storage::leveldb::Cursor;

/// Microseconds from 1601-01-01 to 1970-01-01.
const CHROMIUM_TO_UNIX_US: i64 = 11_644_473_600_000_000;

/// Microseconds since 1970 for Chromium's microseconds since 1601; `None` for 0, which means never.
#[must_use]
pub fn unix_us_of_chromium_us(chromium_us: i64) -> Option<i64> {
    if chromium_us == 0 { None } else { chromium_us.checked_sub(CHROMIUM_TO_UNIX_US) }
}

/// The value of a `META:` record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Metadata {
    /// In microseconds since 1970.
    pub(super) changed_at_us: Option<i64>,
    /// Bytes of all keys and values as they are stored, with the byte that tells the encoding.
    pub(super) size_bytes: Option<u64>,
}

impl Metadata {
    /// Of a protocol buffer; fields of other numbers are passed over. `None` where it cannot be read.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut metadata = Self::default();
        let mut cursor = Cursor::new(bytes);
        while !cursor.is_at_end() {
            let tag = cursor.varint()?;
            match (tag >> 3, tag & 7) {
                (1, 0) => {
                    // Signed in the message: negative numbers are those above 2⁶³.
                    let us = i64::from_le_bytes(cursor.varint()?.to_le_bytes());
                    metadata.changed_at_us = unix_us_of_chromium_us(us);
                }
                (2, 0) => metadata.size_bytes = Some(cursor.varint()?),
                (_, 0) => {
                    cursor.varint()?;
                }
                (_, 1) => {
                    cursor.u64_le()?;
                }
                (_, 2) => {
                    cursor.prefixed()?;
                }
                (_, 5) => {
                    cursor.u32_le()?;
                }
                _ => return None,
            }
        }
        Some(metadata)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_count_from_1601() {
        assert_eq!(unix_us_of_chromium_us(CHROMIUM_TO_UNIX_US), Some(0));
        // 2026-11-20T10:11:09.755217Z
        assert_eq!(unix_us_of_chromium_us(13_439_643_069_755_217), Some(1_795_169_469_755_217));
        assert_eq!(unix_us_of_chromium_us(0), None);
        assert_eq!(unix_us_of_chromium_us(i64::MIN), None);
    }

    #[test]
    fn metadata_has_a_time_and_a_size_and_may_have_more() {
        let bytes = b"\x08\xd1\xde\xd2\xf8\x8b\xe9\xef\x17\x10\xe2\xc4\x05";
        let metadata = Metadata::decode(bytes).expect("decoded");
        assert_eq!(metadata.changed_at_us, Some(1_795_169_469_755_217));
        assert_eq!(metadata.size_bytes, Some(90_722));
        let more = [&bytes[..], b"\x18\x05\x21\0\0\0\0\0\0\0\0\x2a\x03abc\x35\0\0\0\0"].concat();
        assert_eq!(Metadata::decode(&more), Some(metadata));
        assert_eq!(Metadata::decode(b""), Some(Metadata::default()));
        for cut in [&bytes[..5], b"\x0b", b"\x2a\x05abc", b"\x08"] {
            assert_eq!(Metadata::decode(cut), None);
        }
    }
}
