//! Keys and values of browsers in cells of SQLite. Any cell may be of any class: what does not fit is told, never guessed.

use crate::local_storage::chromium::MAX_UNITS;
use crate::local_storage::code_units::CodeUnits;
use crate::schema::Cell;

/// The bytes of a BLOB or a TEXT: an empty BLOB of some browsers is a TEXT. `None` for anything else.
pub(in crate::local_storage) fn bytes_of<'c>(cell: &Cell<'c>) -> Option<&'c [u8]> {
    match *cell {
        Cell::Blob(bytes) | Cell::RawText(bytes) => Some(bytes),
        Cell::Text(text) => Some(text.as_bytes()),
        Cell::Null | Cell::Integer(_) | Cell::Real(_) => None,
    }
}

/// A TEXT of Unicode.
pub(in crate::local_storage) fn text_of<'c>(cell: &Cell<'c>) -> Option<&'c str> {
    match *cell {
        Cell::Text(text) => Some(text),
        _ => None,
    }
}

/// The code units of a TEXT, in which unpaired surrogates stand as three bytes each.
///
/// # Errors
/// One line, lower case: what it is instead.
pub(in crate::local_storage) fn units_of(cell: &Cell<'_>, is_utf8: bool) -> Result<CodeUnits, String> {
    let units = match *cell {
        Cell::Text(text) if text.len() > 3 * MAX_UNITS => None,
        Cell::Text(text) => Some(CodeUnits::from(text)),
        Cell::RawText(bytes) if is_utf8 && bytes.len() <= 3 * MAX_UNITS => {
            Some(CodeUnits::from_wtf8(bytes).ok_or("it is no valid text")?)
        }
        Cell::RawText(_) if !is_utf8 => return Err("it is no valid text".to_owned()),
        Cell::RawText(_) => None,
        Cell::Null => return Err("it is NULL".to_owned()),
        Cell::Integer(_) | Cell::Real(_) => return Err("it is a number instead of a text".to_owned()),
        Cell::Blob(_) => return Err("it is a blob instead of a text".to_owned()),
    };
    units
        .filter(|units| units.len() <= MAX_UNITS)
        .ok_or_else(|| format!("it is longer than {MAX_UNITS} code units"))
}

/// As [`units_of`], of a key.
///
/// # Errors
/// As [`units_of`].
pub(in crate::local_storage) fn key_of(cell: &Cell<'_>, is_utf8: bool) -> Result<CodeUnits, String> {
    units_of(cell, is_utf8).map_err(|why| format!("its key cannot be read: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_through_whatever_they_hold() {
        for (cell, units) in [
            (Cell::Text(""), vec![]),
            (Cell::Text("\u{feff}a\0"), vec![0xFEFF, 0x61, 0]),
            (Cell::RawText(b"\xed\xa0\xbd"), vec![0xD83D]),
        ] {
            assert_eq!(units_of(&cell, true), Ok(CodeUnits::new(units)));
        }
    }

    #[test]
    fn what_is_no_text_is_told() {
        for cell in [Cell::Null, Cell::Integer(1), Cell::Real(0.5), Cell::Blob(b"a"), Cell::RawText(b"\xff")]
        {
            assert!(units_of(&cell, true).is_err());
        }
        assert!(units_of(&Cell::RawText(b"\xed\xa0\xbd"), false).is_err());
        let long = "a".repeat(MAX_UNITS + 1);
        assert!(units_of(&Cell::Text(&long), true).expect_err("refused").contains("longer than"));
        assert!(units_of(&Cell::RawText(&vec![0x80; 3 * MAX_UNITS + 1]), true).is_err());
    }
}
