//! Values as bytes: packed or not, then UTF-8 or UTF-16.
//!
//! Source: Firefox, `dom/localstorage/LSValue.h` and `SnappyUtils.cpp`.

use std::borrow::Cow;

use crate::local_storage::chromium::MAX_UNITS;
use crate::local_storage::code_units::CodeUnits;
use crate::local_storage::compression::unpack_snappy;

/// A code unit takes at most three bytes in UTF-8.
const MAX_BYTES: usize = 3 * MAX_UNITS;

/// The columns of a value that say how it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// 0 not packed, 1 raw Snappy.
    pub compression_type: i64,
    /// 0 UTF-16 with the low byte first, 1 UTF-8.
    pub conversion_type: i64,
    /// How many code units it has, where that is known.
    pub utf16_length: Option<i64>,
}

/// The value in `bytes`.
///
/// # Errors
/// One line, lower case: an unknown way of storing it, damage, another length than stated, or more than [`MAX_UNITS`] code
/// units.
pub fn decode_value(stored: Stored, bytes: &[u8]) -> Result<CodeUnits, String> {
    let unpacked = match stored.compression_type {
        0 if bytes.len() > MAX_BYTES => return Err(too_long()),
        0 => Cow::Borrowed(bytes),
        1 => Cow::Owned(unpack_snappy(bytes, MAX_BYTES)?),
        unknown => return Err(format!("it is packed in an unknown way, number {unknown}")),
    };
    let units = match stored.conversion_type {
        0 => CodeUnits::from_utf16le(&unpacked).ok_or("it ends inside a code unit")?,
        1 => CodeUnits::from_wtf8(&unpacked).ok_or("it is no valid UTF-8")?,
        unknown => return Err(format!("its encoding is unknown, number {unknown}")),
    };
    match stored.utf16_length {
        _ if units.len() > MAX_UNITS => Err(too_long()),
        Some(length) if i64::try_from(units.len()) != Ok(length) => {
            Err(format!("it has {} code units instead of {length}", units.len()))
        }
        _ => Ok(units),
    }
}

fn too_long() -> String {
    format!("it is longer than {MAX_UNITS} code units")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(compression_type: i64, conversion_type: i64, length: usize) -> Stored {
        let utf16_length = i64::try_from(length).ok();
        Stored { compression_type, conversion_type, utf16_length }
    }

    #[test]
    fn a_value_is_the_same_however_it_is_stored() {
        let text = "Kniebeuge 5×5 🏋 ".repeat(30);
        let units = CodeUnits::from(text.as_str());
        let length = units.len();
        for (conversion, bytes) in [(0, units.to_utf16le()), (1, text.into_bytes())] {
            let packed = snap::raw::Encoder::new().compress_vec(&bytes).expect("packing");
            for (compression, bytes) in [(0, bytes), (1, packed)] {
                assert_eq!(
                    decode_value(stored(compression, conversion, length), &bytes).as_ref(),
                    Ok(&units)
                );
                assert!(decode_value(stored(compression, conversion, length + 1), &bytes).is_err());
                for cut in 0..bytes.len() {
                    assert!(decode_value(stored(compression, conversion, length), &bytes[..cut]).is_err());
                }
            }
        }
        let half = CodeUnits::new(vec![0xD83D]);
        assert_eq!(decode_value(stored(0, 0, 1), b"\x3d\xd8"), Ok(half));
        assert_eq!(decode_value(stored(0, 1, 0), b""), Ok(CodeUnits::default()));
    }

    #[test]
    fn unknown_ways_and_values_that_are_too_long_are_refused() {
        assert!(decode_value(stored(2, 1, 1), b"a").expect_err("refused").contains("number 2"));
        assert!(decode_value(stored(0, 2, 1), b"a").expect_err("refused").contains("number 2"));
        assert!(
            decode_value(stored(0, 0, 1), b"a").is_err() && decode_value(stored(0, 1, 1), b"\xff").is_err()
        );
        let unknown_length = Stored { compression_type: 0, conversion_type: 1, utf16_length: None };
        assert!(
            decode_value(unknown_length, &vec![b'a'; MAX_UNITS + 1]).expect_err("refused").contains("longer")
        );
        // What Snappy says it will be is not believed.
        assert!(decode_value(stored(1, 1, 1), b"\xff\xff\xff\xff\x0f").is_err());
    }
}
