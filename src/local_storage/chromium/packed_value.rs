//! Values of the SQLite file `LocalStorage`, which may be packed: the columns `value_compression_type` and `value` of its
//! table `map_entries`.

use std::borrow::Cow;

use super::string::MAX_UNITS;
use crate::local_storage::compression::{unpack_snappy, unpack_zstd};

/// The byte that tells the encoding, and the code units in two bytes each.
const MAX_VALUE_BYTES: usize = 1 + 2 * MAX_UNITS;

/// The bytes of a value by its column `value_compression_type`: 0 none, 1 one zstd frame, 2 raw Snappy. They are what
/// [`decode_string`](super::decode_string) takes. Without the column, give 0.
///
/// # Errors
/// One line, lower case: an unknown way of packing, damage, or more than [`MAX_UNITS`] code units.
pub fn unpack_value(compression_type: i64, value: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    match compression_type {
        0 => Ok(Cow::Borrowed(value)),
        1 => unpack_zstd(value, MAX_VALUE_BYTES).map(Cow::Owned),
        2 => unpack_snappy(value, MAX_VALUE_BYTES).map(Cow::Owned),
        unknown => Err(format!("it is packed in an unknown way, number {unknown}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local_storage::chromium::decode_string;

    #[test]
    fn a_value_is_the_same_however_it_is_packed() {
        let value = [b"\x01", "workout ".repeat(100).as_bytes()].concat();
        let zstd = zstd::bulk::compress(&value, 3).expect("packing");
        let snappy = snap::raw::Encoder::new().compress_vec(&value).expect("packing");
        for (kind, bytes) in [(0, &value), (1, &zstd), (2, &snappy)] {
            let unpacked = unpack_value(kind, bytes).expect("unpacked");
            assert_eq!(decode_string(&unpacked).expect("decoded"), "workout ".repeat(100).as_str().into());
        }
        assert!(unpack_value(3, &value).expect_err("refused").contains("number 3"));
        assert!(unpack_value(1, &value).is_err() && unpack_value(2, &zstd).is_err());
    }

    #[test]
    fn a_value_that_says_it_is_too_long_is_not_unpacked() {
        let zstd = zstd::bulk::compress(&vec![1; MAX_VALUE_BYTES + 1], 1).expect("packing");
        assert!(unpack_value(1, &zstd).expect_err("refused").contains("more than"));
    }
}
