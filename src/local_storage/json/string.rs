//! Strings of JSON: their code units, and writing them.

use std::fmt::Write as _;

use super::bytes::before;
use crate::local_storage::code_units::CodeUnits;

/// The code units of what stands between the quotes of a string that was checked.
pub(super) fn unescape(inside: &[u8]) -> CodeUnits {
    let mut units = Vec::with_capacity(inside.len());
    let mut rest = inside;
    let is_ascii = inside.is_ascii();
    loop {
        let at = before(rest, |eight| eight.equal(b'\\'));
        let plain = rest.get(..at).unwrap_or_default();
        if is_ascii {
            units.extend(plain.iter().copied().map(u16::from));
        } else {
            push_units(&mut units, plain);
        }
        if at == rest.len() {
            break;
        }
        let (unit, length) = escaped(rest.get(at + 1..).unwrap_or_default());
        units.push(unit);
        rest = rest.get(at + 1 + length..).unwrap_or_default();
    }
    units.shrink_to_fit();
    CodeUnits::new(units)
}

/// The unit that the escape stands for whose backslash was taken off, and the length of the rest of it.
fn escaped(rest: &[u8]) -> (u16, usize) {
    match rest {
        [b'u', digits @ ..] => {
            let digits = digits.iter().take(4).filter_map(|&digit| char::from(digit).to_digit(16));
            // Four digits make 16 bits.
            (digits.fold(0, |unit, digit| unit << 4 | u16::try_from(digit).unwrap_or_default()), 5)
        }
        [b'b', ..] => (0x08, 1),
        [b'f', ..] => (0x0C, 1),
        [b'n', ..] => (0x0A, 1),
        [b'r', ..] => (0x0D, 1),
        [b't', ..] => (0x09, 1),
        [byte, ..] => (u16::from(*byte), 1),
        [] => (u16::from(b'\\'), 0),
    }
}

fn push_units(units: &mut Vec<u16>, plain: &[u8]) {
    match std::str::from_utf8(plain) {
        // Most are, and then there is nothing to decode.
        Ok(plain) if plain.is_ascii() => units.extend(plain.bytes().map(u16::from)),
        Ok(plain) => units.extend(plain.encode_utf16()),
        Err(_) => units.extend_from_slice(units_of(plain).as_slice()),
    }
}

/// WTF-8 as code units; bytes that are not even that become U+FFFD.
pub(super) fn units_of(text: &[u8]) -> CodeUnits {
    CodeUnits::from_wtf8(text).unwrap_or_else(|| CodeUnits::from(&*String::from_utf8_lossy(text)))
}

/// JSON text with unpaired surrogates, which can only stand in strings, as escapes.
pub(super) fn well_formed(text: &[u8]) -> String {
    match std::str::from_utf8(text) {
        Ok(text) => text.to_owned(),
        // This is how code units are shown.
        Err(_) => units_of(text).to_string(),
    }
}

/// Appends a string of JSON, of which SQLite and every reader of UTF-8 makes the same again.
///
/// Control characters, unpaired surrogates and U+007F are escaped, everything else stands as it is.
pub fn push_string(out: &mut String, units: &CodeUnits) {
    out.push('"');
    for unit in char::decode_utf16(units.as_slice().iter().copied()) {
        match unit {
            Ok(char) => push_char(out, char),
            Err(error) => push_escape(out, u32::from(error.unpaired_surrogate())),
        }
    }
    out.push('"');
}

/// The same of text that is well-formed.
pub fn push_text(out: &mut String, text: &str) {
    out.reserve(text.len() + 2);
    out.push('"');
    let mut rest = text;
    // Everything that must not stand as it is has one byte.
    while !rest.is_empty() {
        let at = before(rest.as_bytes(), |eight| {
            eight.control() | eight.equal(0x7F) | eight.equal(b'"') | eight.equal(b'\\')
        });
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        let mut chars = special.chars();
        chars.by_ref().take(1).for_each(|char| push_char(out, char));
        rest = chars.as_str();
    }
    out.push('"');
}

fn push_char(out: &mut String, char: char) {
    match char {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        char if char.is_ascii_control() => push_escape(out, u32::from(char)),
        char => out.push(char),
    }
}

/// Writing into a string cannot fail.
fn push_escape(out: &mut String, unit: u32) {
    let _ = write!(out, "\\u{unit:04x}");
}
