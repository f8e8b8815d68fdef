use std::fmt;

use rusqlite::types::ValueRef;
use rusqlite::{Result, Row};

/// Bytes of a long value that a message shows.
const SHOWN_BYTES: usize = 48;

/// One cell with its storage class and exact content. TEXT is the bytes that the database stores, in its own
/// encoding; REAL is compared by its bits, so that 0.0 and -0.0 differ.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Cell {
    Null,
    Integer(i64),
    Real(u64),
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

/// The SQL for reading `expression` as a [`Cell`]: two result columns.
///
/// Text crosses as a blob, because the text interface converts encodings and melts invalid UTF-16.
pub(super) fn selected(expression: &str) -> String {
    format!(
        "typeof({expression}), CASE typeof({expression}) WHEN 'text' THEN CAST({expression} AS BLOB) ELSE {expression} END"
    )
}

impl Cell {
    /// Reads the `ordinal`-th cell of a row whose columns were all [`selected`].
    pub(super) fn read(row: &Row<'_>, ordinal: usize) -> Result<Self> {
        let is_text = row.get_ref(2 * ordinal)? == ValueRef::Text(b"text");
        Ok(match row.get_ref(2 * ordinal + 1)? {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(integer) => Self::Integer(integer),
            ValueRef::Real(real) => Self::Real(real.to_bits()),
            ValueRef::Blob(bytes) if is_text => Self::Text(bytes.to_vec()),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Self::Blob(bytes.to_vec()),
        })
    }

    /// Reads a whole row of `count` cells.
    pub(super) fn read_row(row: &Row<'_>, count: usize) -> Result<Vec<Self>> {
        (0..count).map(|ordinal| Self::read(row, ordinal)).collect()
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Integer(integer) => write!(f, "integer {integer}"),
            Self::Real(bits) => write!(f, "real {:?} (bits {bits:016x})", f64::from_bits(*bits)),
            Self::Text(bytes) => write_bytes(f, "text", bytes),
            Self::Blob(bytes) => write_bytes(f, "blob", bytes),
        }
    }
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn write_bytes(f: &mut fmt::Formatter<'_>, class: &str, bytes: &[u8]) -> fmt::Result {
    let shown = &bytes[..bytes.len().min(SHOWN_BYTES)];
    match str::from_utf8(shown) {
        Ok(text) if class == "text" && !text.contains(char::is_control) => write!(f, "{class} {text:?}")?,
        _ => {
            write!(f, "{class} x'")?;
            shown.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
            f.write_str("'")?;
        }
    }
    if bytes.len() > SHOWN_BYTES { write!(f, "… of {} bytes", bytes.len()) } else { Ok(()) }
}

/// Two differing cells in words, with the place of the first difference where both are long.
pub(super) fn difference(original: &Cell, restored: &Cell) -> String {
    let place = match (original, restored) {
        (Cell::Text(a), Cell::Text(b)) | (Cell::Blob(a), Cell::Blob(b))
            if a.len().max(b.len()) > SHOWN_BYTES =>
        {
            let same = a.iter().zip(b).take_while(|(x, y)| x == y).count();
            format!(", first different at byte {same}")
        }
        _ => String::new(),
    };
    format!("original has {original}, restored has {restored}{place}")
}
