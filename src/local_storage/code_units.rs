//! Strings of browsers: sequences of 16-bit code units, which need not be Unicode.
//!
//! A localStorage key or value can hold unpaired surrogates, U+0000 or a byte order mark. They stay code units from the
//! reader to the database; nothing else may turn them into Rust's strings.

use std::fmt;

/// A string as JavaScript has it: UTF-16 code units, surrogates not necessarily in pairs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct CodeUnits(Vec<u16>);

impl CodeUnits {
    /// Of code units.
    #[must_use]
    pub fn new(units: Vec<u16>) -> Self {
        Self(units)
    }

    /// Of bytes that are one code unit each (ISO 8859-1).
    #[must_use]
    pub fn from_latin1(bytes: &[u8]) -> Self {
        Self(bytes.iter().copied().map(u16::from).collect())
    }

    /// Of UTF-16 with the low byte first; `None` where half a unit is left over.
    #[must_use]
    pub fn from_utf16le(bytes: &[u8]) -> Option<Self> {
        let (pairs, rest) = bytes.as_chunks::<2>();
        rest.is_empty().then(|| Self(pairs.iter().map(|&pair| u16::from_le_bytes(pair)).collect()))
    }

    /// Of WTF-8: UTF-8 in which unpaired surrogates stand as three bytes each. A pair of surrogates written as six bytes is
    /// taken as well. `None` for anything else.
    ///
    /// Source: <https://simonsapin.github.io/wtf-8/>.
    #[must_use]
    pub fn from_wtf8(bytes: &[u8]) -> Option<Self> {
        let mut units = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        while !rest.is_empty() {
            let valid = match std::str::from_utf8(rest) {
                Ok(text) => text,
                Err(error) => std::str::from_utf8(&rest[..error.valid_up_to()]).ok()?,
            };
            units.extend(valid.encode_utf16());
            rest = &rest[valid.len()..];
            if let [0xED, second @ 0xA0..=0xBF, third @ 0x80..=0xBF, after @ ..] = rest {
                units.push(0xD000 | u16::from(second & 0x3F) << 6 | u16::from(third & 0x3F));
                rest = after;
            } else if !rest.is_empty() {
                return None;
            }
        }
        Some(Self(units))
    }

    /// The code units.
    #[must_use]
    pub fn as_slice(&self) -> &[u16] {
        &self.0
    }

    /// How many code units.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As a string, where all surrogates are in pairs.
    #[must_use]
    pub fn to_utf8(&self) -> Option<String> {
        // WTF-8 is UTF-8 where no surrogate is unpaired.
        String::from_utf8(self.to_wtf8()).ok()
    }

    /// As WTF-8, from which [`Self::from_wtf8`] makes the same again.
    #[must_use]
    pub fn to_wtf8(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len());
        let mut buffer = [0; 4];
        // Most are ASCII, and then there is nothing to decode.
        for run in self.0.chunk_by(|&a, &b| (a < 0x80) == (b < 0x80)) {
            if run.first().is_some_and(|&unit| unit < 0x80) {
                bytes.extend(run.iter().map(|unit| unit.to_le_bytes()[0]));
                continue;
            }
            for unit in char::decode_utf16(run.iter().copied()) {
                match unit {
                    Ok(char) => bytes.extend_from_slice(char.encode_utf8(&mut buffer).as_bytes()),
                    Err(error) => {
                        let [high, low] = error.unpaired_surrogate().to_be_bytes();
                        let (a, b) = (high >> 4, (high & 0x0F) << 2 | low >> 6);
                        bytes.extend_from_slice(&[0xE0 | a, 0x80 | b, 0x80 | (low & 0x3F)]);
                    }
                }
            }
        }
        bytes
    }

    /// As UTF-16 with the low byte first.
    #[must_use]
    pub fn to_utf16le(&self) -> Vec<u8> {
        let mut bytes = vec![0; 2 * self.0.len()];
        for (pair, unit) in bytes.as_chunks_mut::<2>().0.iter_mut().zip(&self.0) {
            *pair = unit.to_le_bytes();
        }
        bytes
    }
}

impl From<&str> for CodeUnits {
    fn from(text: &str) -> Self {
        Self(text.encode_utf16().collect())
    }
}

/// For people: unpaired surrogates as `\uXXXX`.
impl fmt::Display for CodeUnits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        char::decode_utf16(self.0.iter().copied()).try_for_each(|unit| match unit {
            Ok(char) => write!(f, "{char}"),
            Err(error) => write!(f, "\\u{:04x}", error.unpaired_surrogate()),
        })
    }
}

impl fmt::Debug for CodeUnits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}
