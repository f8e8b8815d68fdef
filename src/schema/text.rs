//! Text and names of a database, and the encodings they are stored in.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Text of the database that is nearly always valid, but need not be: DDL and names in `sqlite_schema`.
///
/// Serialises as a JSON string, or as `{"base64": "…"}` of the stored bytes where it is not valid text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SqlText {
    /// Valid text, as UTF-8 whatever the database's encoding.
    Valid(String),
    /// The stored bytes of text that is not valid in the database's encoding.
    Raw(Vec<u8>),
}

impl SqlText {
    /// The text for people: invalid parts are replaced, nothing fails.
    #[must_use]
    pub fn lossy(&self) -> Cow<'_, str> {
        match self {
            Self::Valid(text) => Cow::Borrowed(text),
            Self::Raw(bytes) => String::from_utf8_lossy(bytes),
        }
    }

    /// The bytes: UTF-8 of valid text, the stored bytes otherwise.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Valid(text) => text.as_bytes(),
            Self::Raw(bytes) => bytes,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum TextOrBase64 {
    Text(String),
    Base64 { base64: String },
}

impl Serialize for SqlText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Valid(text) => serializer.serialize_str(text),
            Self::Raw(bytes) => TextOrBase64::Base64 { base64: BASE64.encode(bytes) }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for SqlText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match TextOrBase64::deserialize(deserializer)? {
            TextOrBase64::Text(text) => Ok(Self::Valid(text)),
            TextOrBase64::Base64 { base64 } => BASE64.decode(base64).map(Self::Raw).map_err(D::Error::custom),
        }
    }
}

/// A name of a table, column, index, collation, as SQLite itself holds it: UTF-8, hardly ever invalid.
///
/// Two identifiers name the same thing when they are equal but for ASCII case, as in SQLite.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identifier(Vec<u8>);

impl Identifier {
    /// Takes the bytes SQLite holds.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes SQLite holds.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name as text, if it is valid.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// The name for people: invalid parts are replaced.
    #[must_use]
    pub fn lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    /// Whether SQLite takes both for the same name (ASCII case is ignored, no other case is).
    #[must_use]
    pub fn is_same(&self, other: impl AsRef<[u8]>) -> bool {
        self.0.eq_ignore_ascii_case(other.as_ref())
    }

    /// The name quoted for SQL text, as bytes because it may not be valid UTF-8.
    #[must_use]
    pub fn quoted(&self) -> Vec<u8> {
        let mut quoted = Vec::with_capacity(self.0.len() + 2);
        quoted.push(b'"');
        for &byte in &self.0 {
            if byte == b'"' {
                quoted.push(b'"');
            }
            quoted.push(byte);
        }
        quoted.push(b'"');
        quoted
    }
}

impl AsRef<[u8]> for Identifier {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for Identifier {
    fn from(name: &str) -> Self {
        Self(name.as_bytes().to_vec())
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lossy())
    }
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.lossy(), f)
    }
}

impl Serialize for Identifier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.as_str() {
            Some(text) => serializer.serialize_str(text),
            None => SqlText::Raw(self.0.clone()).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Identifier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match SqlText::deserialize(deserializer)? {
            SqlText::Valid(text) => text.into_bytes(),
            SqlText::Raw(bytes) => bytes,
        }))
    }
}

/// How a database stores text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TextEncoding {
    /// UTF-8.
    #[serde(rename = "UTF-8")]
    Utf8,
    /// UTF-16, little-endian.
    #[serde(rename = "UTF-16le")]
    Utf16Le,
    /// UTF-16, big-endian.
    #[serde(rename = "UTF-16be")]
    Utf16Be,
}

impl TextEncoding {
    /// The name `PRAGMA encoding` uses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Utf16Le => "UTF-16le",
            Self::Utf16Be => "UTF-16be",
        }
    }

    /// Reads stored bytes as text: `None` where they are not valid in this encoding.
    #[must_use]
    pub fn decode(self, stored: &[u8]) -> Option<Cow<'_, str>> {
        let unit = match self {
            Self::Utf8 => return std::str::from_utf8(stored).ok().map(Cow::Borrowed),
            Self::Utf16Le => u16::from_le_bytes,
            Self::Utf16Be => u16::from_be_bytes,
        };
        let (pairs, rest) = stored.as_chunks::<2>();
        if !rest.is_empty() {
            return None;
        }
        let text: Result<String, _> = char::decode_utf16(pairs.iter().map(|&pair| unit(pair))).collect();
        text.ok().map(Cow::Owned)
    }

    /// The bytes this encoding stores for `text`.
    #[must_use]
    pub fn encode(self, text: &str) -> Cow<'_, [u8]> {
        match self {
            Self::Utf8 => Cow::Borrowed(text.as_bytes()),
            Self::Utf16Le => Cow::Owned(text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
            Self::Utf16Be => Cow::Owned(text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_not_valid_survives_json() {
        for text in [SqlText::Valid("näme".into()), SqlText::Raw(vec![0xff, 0, b'a'])] {
            let json = serde_json::to_string(&text).expect("serialises");
            assert_eq!(serde_json::from_str::<SqlText>(&json).expect("parses"), text, "{json}");
        }
        let name = Identifier::from_bytes(vec![b'a', 0x80]);
        let json = serde_json::to_string(&name).expect("serialises");
        assert_eq!(serde_json::from_str::<Identifier>(&json).expect("parses"), name);
    }

    #[test]
    fn utf16_text_with_a_lone_surrogate_or_an_odd_byte_is_not_valid() {
        let encoding = TextEncoding::Utf16Le;
        assert_eq!(encoding.decode(&encoding.encode("a\u{ffff}😀")).as_deref(), Some("a\u{ffff}😀"));
        assert_eq!(encoding.decode(&[0x00, 0xd8]), None);
        assert_eq!(encoding.decode(&[0x61]), None);
    }

    #[test]
    fn identifiers_are_quoted_by_doubling_quotes() {
        assert_eq!(Identifier::from("a\"b").quoted(), b"\"a\"\"b\"");
    }
}
