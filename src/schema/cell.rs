//! Cells and their storage classes.

use serde::{Deserialize, Serialize};

/// A storage class, with text that is not valid in the database's encoding as a class of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CellClass {
    /// INTEGER.
    Integer,
    /// REAL.
    Real,
    /// TEXT, valid in the database's encoding.
    Text,
    /// TEXT, not valid in the database's encoding.
    RawText,
    /// BLOB.
    Blob,
}

impl CellClass {
    /// All classes but NULL, in canonical order.
    pub const ALL: [Self; 5] = [Self::Integer, Self::Real, Self::Text, Self::RawText, Self::Blob];

    /// The word used in companion columns and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Real => "real",
            Self::Text => "text",
            Self::RawText => "rawtext",
            Self::Blob => "blob",
        }
    }
}

/// One value of one row, borrowed from wherever it lies.
///
/// Reals compare by their bits here: this is identity, not SQL's comparison.
#[derive(Debug, Clone, Copy)]
pub enum Cell<'a> {
    /// NULL.
    Null,
    /// INTEGER.
    Integer(i64),
    /// REAL, never NaN.
    Real(f64),
    /// TEXT that is valid in the database's encoding, as UTF-8.
    Text(&'a str),
    /// TEXT that is not valid in the database's encoding: its stored bytes.
    RawText(&'a [u8]),
    /// BLOB.
    Blob(&'a [u8]),
}

impl Cell<'_> {
    /// The storage class; `None` for NULL.
    #[must_use]
    pub fn class(&self) -> Option<CellClass> {
        match self {
            Self::Null => None,
            Self::Integer(_) => Some(CellClass::Integer),
            Self::Real(_) => Some(CellClass::Real),
            Self::Text(_) => Some(CellClass::Text),
            Self::RawText(_) => Some(CellClass::RawText),
            Self::Blob(_) => Some(CellClass::Blob),
        }
    }

    /// The size of the value in bytes: 8 for a number, 0 for NULL.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        match self {
            Self::Null => 0,
            Self::Integer(_) | Self::Real(_) => 8,
            Self::Text(text) => text.len(),
            Self::RawText(bytes) | Self::Blob(bytes) => bytes.len(),
        }
    }
}

impl PartialEq for Cell<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Integer(a), Self::Integer(b)) => a == b,
            (Self::Real(a), Self::Real(b)) => a.to_bits() == b.to_bits(),
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::RawText(a), Self::RawText(b)) | (Self::Blob(a), Self::Blob(b)) => a == b,
            _ => false,
        }
    }
}
