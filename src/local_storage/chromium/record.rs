//! What a key of the LevelDB database says its record is.
//!
//! Source: Chromium, `components/services/storage/dom_storage/local_storage_impl.cc`.

use super::storage_key::StorageKey;

/// The only version of this layout there has been.
pub(super) const VERSION: &[u8] = b"1";

/// A record, by its key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Record<'a> {
    /// The layout's version.
    Version,
    /// When a storage was changed, and its size.
    Metadata(StorageKey),
    /// When a storage was used.
    Access,
    /// An item, with its key as [`decode_string`](super::decode_string) takes it.
    Item(StorageKey, &'a [u8]),
    /// Something else.
    Unknown,
}

impl<'a> Record<'a> {
    pub(super) fn of(key: &'a [u8]) -> Self {
        if key == b"VERSION" {
            return Self::Version;
        }
        if let Some(storage_key) = key.strip_prefix(b"META:") {
            return StorageKey::decode(storage_key).map_or(Self::Unknown, Self::Metadata);
        }
        if key.starts_with(b"METAACCESS:") {
            return Self::Access;
        }
        // The first zero ends the storage key; an item's key may hold more of them.
        let split = key.strip_prefix(b"_").and_then(|rest| {
            let (storage_key, item_key) = rest.split_at_checked(rest.iter().position(|&byte| byte == 0)?)?;
            Some((StorageKey::decode(storage_key)?, item_key.get(1..)?))
        });
        split.map_or(Self::Unknown, |(storage_key, item_key)| Self::Item(storage_key, item_key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_told_by_their_keys() {
        let storage_key = StorageKey::decode(b"https://a.example").expect("decoded");
        assert_eq!(Record::of(b"VERSION"), Record::Version);
        assert_eq!(Record::of(b"META:https://a.example"), Record::Metadata(storage_key.clone()));
        assert_eq!(Record::of(b"METAACCESS:https://a.example"), Record::Access);
        assert_eq!(
            Record::of(b"_https://a.example\0\x01a\0b"),
            Record::Item(storage_key.clone(), b"\x01a\0b")
        );
        assert_eq!(Record::of(b"_https://a.example\0"), Record::Item(storage_key, b""));
        for unknown in
            [&b""[..], b"_https://a.example", b"_\0\x01a", b"META:", b"namespace-1", b"version", b"VERSION2"]
        {
            assert_eq!(Record::of(unknown), Record::Unknown);
        }
    }
}
