//! Keys and values as bytes: one that tells the encoding, then the code units.
//!
//! Source: Chromium, `third_party/blink/renderer/modules/storage/cached_storage_area.cc`.

use std::fmt;

use crate::local_storage::code_units::CodeUnits;

/// The most code units that are read of one key or value; an origin's whole storage is at most 5 Mi of them.
pub const MAX_UNITS: usize = 16 * 1024 * 1024;

/// Why bytes are no string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StringFault {
    /// The first byte is neither 0 nor 1.
    UnknownEncoding(u8),
    /// UTF-16 with half a code unit at its end.
    HalfUnit,
    /// More than [`MAX_UNITS`].
    TooLong,
}

impl fmt::Display for StringFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownEncoding(byte) => write!(f, "its encoding is unknown, number {byte}"),
            Self::HalfUnit => f.write_str("it ends inside a code unit"),
            Self::TooLong => write!(f, "it is longer than {MAX_UNITS} code units"),
        }
    }
}

/// The string in `bytes`: 1 and ISO 8859-1, or 0 and UTF-16 with the low byte first. No bytes are the empty string.
///
/// Text that does not need UTF-16 may come in either encoding.
///
/// # Errors
/// What does not fit; the browser itself reads an empty string then.
pub fn decode_string(bytes: &[u8]) -> Result<CodeUnits, StringFault> {
    match bytes.split_first() {
        None => Ok(CodeUnits::default()),
        Some((0, units)) if units.len() / 2 > MAX_UNITS => Err(StringFault::TooLong),
        Some((0, units)) => CodeUnits::from_utf16le(units).ok_or(StringFault::HalfUnit),
        Some((1, units)) if units.len() > MAX_UNITS => Err(StringFault::TooLong),
        Some((1, units)) => Ok(CodeUnits::from_latin1(units)),
        Some((&encoding, _)) => Err(StringFault::UnknownEncoding(encoding)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_encodings_of_a_string_are_the_same_string() {
        assert_eq!(decode_string(b"\x01caf\xe9"), Ok("café".into()));
        assert_eq!(decode_string(b"\x00c\0a\0f\0\xe9\0"), Ok("café".into()));
        for empty in [&b""[..], b"\x00", b"\x01"] {
            assert_eq!(decode_string(empty), Ok(CodeUnits::default()));
        }
        assert_eq!(decode_string(b"\x00\x3d\xd8"), Ok(CodeUnits::new(vec![0xD83D])));
    }

    #[test]
    fn what_is_no_string_is_told() {
        assert_eq!(decode_string(b"\x00a"), Err(StringFault::HalfUnit));
        assert_eq!(decode_string(b"\x02a"), Err(StringFault::UnknownEncoding(2)));
        assert_eq!(decode_string(&vec![1; MAX_UNITS + 2]), Err(StringFault::TooLong));
        assert_eq!(decode_string(&vec![0; 2 * MAX_UNITS + 3]), Err(StringFault::TooLong));
        assert_eq!(decode_string(&vec![0; 2 * MAX_UNITS + 1]).map(|units| units.len()), Ok(MAX_UNITS));
    }
}
