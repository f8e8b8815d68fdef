//! Cells as people read them in a difference: storage class and value, short, and never alike where cells are not.

use std::fmt::Write as _;

use serde::Serialize;

use crate::schema::Cell;

/// A cell, written out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownCell {
    /// `NULL`, `INTEGER`, `REAL`, `TEXT` or `BLOB`.
    pub class: &'static str,
    /// The value, much as SQL writes it; shortened where it is long, and then with its size behind it.
    pub value: String,
}

impl std::fmt::Display for ShownCell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.class == "NULL" { f.write_str("NULL") } else { write!(f, "{} {}", self.class, self.value) }
    }
}

/// The most characters, or bytes of a BLOB, that are shown.
const MOST_SHOWN: usize = 48;
/// How much is shown before the first place that differs.
const SHOWN_BEFORE: usize = 8;

/// A cell by itself; a long one is cut at its end.
pub(super) fn shown(cell: Cell<'_>) -> ShownCell {
    shown_from(cell, 0)
}

/// Two cells that differ, cut so that the difference is seen.
pub(super) fn shown_pair(a: Cell<'_>, b: Cell<'_>) -> (ShownCell, ShownCell) {
    let common = match (bytes_of(a), bytes_of(b)) {
        (Some(a), Some(b)) => a.iter().zip(b).take_while(|(a, b)| a == b).count(),
        _ => 0,
    };
    let longest = [a, b].into_iter().filter_map(bytes_of).map(<[u8]>::len).max().unwrap_or(0);
    let from = if longest > MOST_SHOWN { common.saturating_sub(SHOWN_BEFORE) } else { 0 };
    let (mut shown_a, mut shown_b) = (shown_from(a, from), shown_from(b, from));
    if let (Cell::Text(a), Cell::Text(b)) = (a, b)
        && let Some((a, b)) = a.chars().zip(b.chars()).find(|(a, b)| a != b)
        && !(a.is_ascii() && b.is_ascii())
    {
        // Many a letter looks like another one, and some are not seen at all.
        for (shown, character) in [(&mut shown_a, a), (&mut shown_b, b)] {
            // Writing into a string cannot fail.
            let _ = write!(shown.value, " (U+{:04X})", u32::from(character));
        }
    }
    (shown_a, shown_b)
}

fn bytes_of(cell: Cell<'_>) -> Option<&[u8]> {
    match cell {
        Cell::Text(text) => Some(text.as_bytes()),
        Cell::RawText(bytes) | Cell::Blob(bytes) => Some(bytes),
        _ => None,
    }
}

fn shown_from(cell: Cell<'_>, from: usize) -> ShownCell {
    let (class, value) = match cell {
        Cell::Null => ("NULL", "NULL".to_string()),
        Cell::Integer(value) => ("INTEGER", value.to_string()),
        // The shortest digits that read back as the same bits.
        Cell::Real(value) => ("REAL", format!("{value:?}")),
        Cell::Text(text) => ("TEXT", cut_text(text, from)),
        Cell::RawText(bytes) => ("TEXT", format!("of the bytes {}", cut_bytes(bytes, from))),
        Cell::Blob(bytes) => ("BLOB", cut_bytes(bytes, from)),
    };
    ShownCell { class, value }
}

fn cut_text(text: &str, from: usize) -> String {
    let from = (0..=from.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    let rest = &text[from..];
    let taken: String = rest.chars().take(MOST_SHOWN).collect();
    let is_cut = taken.len() < rest.len();
    let mut shown = String::new();
    for character in taken.chars() {
        match character {
            '\'' => shown.push_str("''"),
            '\0' => shown.push_str("\\0"),
            '\\' => shown.push_str("\\\\"),
            _ if character.is_control() => shown.extend(character.escape_default()),
            _ => shown.push(character),
        }
    }
    let (before, after) = (if from > 0 { "…" } else { "" }, if is_cut { "…" } else { "" });
    let size = if from > 0 || is_cut { format!(" ({} bytes)", text.len()) } else { String::new() };
    format!("'{before}{shown}{after}'{size}")
}

fn cut_bytes(bytes: &[u8], from: usize) -> String {
    let from = from.min(bytes.len());
    let taken = &bytes[from..bytes.len().min(from + MOST_SHOWN / 2)];
    let is_cut = from + taken.len() < bytes.len();
    let mut digits = String::new();
    for byte in taken {
        // Writing into a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    let (before, after) = (if from > 0 { "…" } else { "" }, if is_cut { "…" } else { "" });
    let size = if from > 0 || is_cut { format!(" ({} bytes)", bytes.len()) } else { String::new() };
    format!("x'{before}{digits}{after}'{size}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_that_differ_never_look_alike() {
        let long = "x".repeat(1000);
        let (other_end, longer, other_middle) =
            (format!("{}y", &long[1..]), format!("{long}x"), format!("{}y{}", &long[..500], &long[501..]));
        let cells = [
            Cell::Null,
            Cell::Text("NULL"),
            Cell::Integer(1),
            Cell::Real(1.0),
            Cell::Text("1"),
            Cell::Blob(b"1"),
            Cell::RawText(b"1"),
            Cell::Text(""),
            Cell::Blob(b""),
            Cell::Text("1 "),
            Cell::Text("1\0"),
            Cell::Text("1\\0"),
            Cell::Real(0.1),
            Cell::Real(f64::from_bits(0.1_f64.to_bits() + 1)),
            Cell::Real(0.0),
            Cell::Real(-0.0),
            Cell::Text("é"),
            Cell::Text("e\u{301}"),
            Cell::Text("a"),
            Cell::Text("а"),
            Cell::Text(&long),
            Cell::Text(&other_end),
            Cell::Text(&longer),
            Cell::Text(&other_middle),
            Cell::Blob(long.as_bytes()),
            Cell::Blob(other_middle.as_bytes()),
        ];
        for (index, a) in cells.iter().enumerate() {
            for b in &cells[..index] {
                let (shown_a, shown_b) = shown_pair(*a, *b);
                assert_ne!(shown_a.to_string(), shown_b.to_string());
                assert!(shown_a.value.chars().count() < 400 && !shown_a.value.contains(['\0', '\n']));
            }
        }
        let (a, b) = shown_pair(Cell::Text("é"), Cell::Text("e\u{301}"));
        assert_eq!((a.value.as_str(), b.value.as_str()), ("'é' (U+00E9)", "'e\u{301}' (U+0065)"));
        let (a, _) = shown_pair(Cell::Text(&long), Cell::Text(&other_middle));
        assert_eq!(a.value, format!("'…{}…' (1000 bytes)", "x".repeat(MOST_SHOWN)));
    }

    #[test]
    fn values_are_written_much_as_in_sql() {
        let shown: Vec<String> =
            [Cell::Null, Cell::Integer(-1), Cell::Real(1e300), Cell::Text("it's\n"), Cell::Blob(b"\0\xff")]
                .into_iter()
                .map(|cell| shown(cell).to_string())
                .collect();
        assert_eq!(shown, ["NULL", "INTEGER -1", "REAL 1e300", "TEXT 'it''s\\n'", "BLOB x'00ff'"]);
    }
}
