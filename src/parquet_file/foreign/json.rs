//! A nested value as JSON text: lists and maps put together from the levels of their leaves.
//!
//! Exact integers are numbers; decimals, dates, times, UUIDs and integers above 2^63-1 are strings, as they are TEXT
//! outside of JSON; bytes are strings in base64. The members of an object stand as in the file, even where two have
//! one name.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::parquet_file::foreign::findings::FindingKind;
use crate::parquet_file::foreign::leaf::Leaf;
use crate::parquet_file::foreign::meaning::Meaning;
use crate::parquet_file::foreign::shape::{Kind, Node, Repeated};
use crate::parquet_file::foreign::value::{Physical, Stored, store};

/// Most bytes of a JSON text: what SQLite takes.
///
/// Source: SQLite, "Limits In SQLite", `SQLITE_MAX_LENGTH`.
const MOST_BYTES: usize = 1_000_000_000;

/// Why a value cannot be put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// The levels of a column's leaves contradict each other.
    Contradiction,
    /// Its text would be longer than SQLite takes.
    TooLarge,
}

/// Puts the values of one row together.
pub(super) struct Assembly<'a> {
    /// All leaves of the row group.
    pub(super) leaves: &'a mut [Leaf],
    /// The JSON text, appended.
    pub(super) text: &'a mut String,
    /// Hears what JSON cannot hold.
    pub(super) found: &'a mut dyn FnMut(FindingKind),
}

impl Assembly<'_> {
    /// Appends the next value of a column; `false`, and nothing appended, where it is NULL.
    pub(super) fn push_column(&mut self, column: &Node) -> Result<bool, Broken> {
        let is_null = match self.definition(column)? {
            // A group without any leaf holds nothing.
            None => true,
            Some(definition) if definition < column.present_at => {
                self.skip(column, definition)?;
                true
            }
            Some(_) => {
                self.push(column, 0)?;
                false
            }
        };
        let is_row_over = column.leaves.clone().all(|leaf| self.leaves[leaf].peek_repetition() == 0);
        if is_row_over { Ok(!is_null) } else { Err(Broken::Contradiction) }
    }

    /// `around`: the definition level that is known to be reached here.
    fn push(&mut self, node: &Node, around: i16) -> Result<(), Broken> {
        let Some(definition) = self.definition(node)? else {
            self.text.push_str("null");
            return Ok(());
        };
        if definition < around {
            return Err(Broken::Contradiction);
        }
        if definition < node.present_at {
            self.text.push_str("null");
            return self.skip(node, definition);
        }
        match &node.kind {
            Kind::Leaf(meaning) => self.push_leaf(node, *meaning, false),
            Kind::Struct(fields) => {
                self.text.push('{');
                for (index, (name, field)) in fields.iter().enumerate() {
                    self.text.push_str(if index > 0 { "," } else { "" });
                    push_string(self.text, name);
                    self.text.push(':');
                    self.push(field, node.present_at)?;
                }
                self.text.push('}');
                Ok(())
            }
            Kind::List(repeated) => self.push_repeated(node, repeated, definition, ['[', ']'], |this| {
                this.push(&repeated.element, repeated.element_at)
            }),
            Kind::Map { repeated, value } => {
                self.push_repeated(node, repeated, definition, ['{', '}'], |this| {
                    match repeated.element.kind {
                        Kind::Leaf(meaning) => this.push_leaf(&repeated.element, meaning, true)?,
                        _ => return Err(Broken::Contradiction),
                    }
                    this.text.push(':');
                    this.push(value, repeated.element_at)
                })
            }
        }
    }

    fn push_repeated(
        &mut self,
        node: &Node,
        repeated: &Repeated,
        definition: i16,
        [open, close]: [char; 2],
        push_element: impl Fn(&mut Self) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        self.text.push(open);
        if definition < repeated.element_at {
            self.skip(node, definition)?;
        } else {
            push_element(self)?;
            while self.goes_on(node, repeated.repetition)? {
                self.text.push(',');
                push_element(self)?;
            }
        }
        self.text.push(close);
        Ok(())
    }

    fn push_leaf(&mut self, node: &Node, meaning: Meaning, is_key: bool) -> Result<(), Broken> {
        let leaf = self.leaves.get_mut(node.leaves.start).ok_or(Broken::Contradiction)?;
        let entry = leaf.take().ok_or(Broken::Contradiction)?;
        let value = leaf.value(entry).ok_or(Broken::Contradiction)?;
        push_value(self.text, meaning, value, is_key, self.found);
        if self.text.len() > MOST_BYTES { Err(Broken::TooLarge) } else { Ok(()) }
    }

    /// The level of the next entry of a part's first leaf; `None` for a part without leaves.
    fn definition(&self, node: &Node) -> Result<Option<i16>, Broken> {
        match self.leaves.get(node.leaves.clone()).ok_or(Broken::Contradiction)? {
            [] => Ok(None),
            [first, ..] => first.peek_definition().map(Some).ok_or(Broken::Contradiction),
        }
    }

    /// Where a part is NULL or empty, each of its leaves has one entry that says the same.
    fn skip(&mut self, node: &Node, definition: i16) -> Result<(), Broken> {
        for leaf in self.leaves.get_mut(node.leaves.clone()).ok_or(Broken::Contradiction)? {
            if leaf.take().is_none_or(|entry| entry.definition != definition) {
                return Err(Broken::Contradiction);
            }
        }
        Ok(())
    }

    /// Whether a further element follows, on which all leaves must agree.
    fn goes_on(&self, node: &Node, repetition: i16) -> Result<bool, Broken> {
        let leaves = self.leaves.get(node.leaves.clone()).ok_or(Broken::Contradiction)?;
        let next = leaves.first().map_or(0, Leaf::peek_repetition);
        if next > repetition || leaves.iter().any(|leaf| leaf.peek_repetition() != next) {
            return Err(Broken::Contradiction);
        }
        // Elements that are NULL take room too.
        if self.text.len() > MOST_BYTES {
            return Err(Broken::TooLarge);
        }
        Ok(next == repetition)
    }
}

fn push_value(
    text: &mut String,
    meaning: Meaning,
    value: Physical<'_>,
    is_key: bool,
    found: &mut dyn FnMut(FindingKind),
) {
    let from = text.len();
    let is_string = match store(meaning, value, text) {
        Stored::Integer(value) if meaning == Meaning::Boolean => {
            text.push_str(if value == 0 { "false" } else { "true" });
            is_key
        }
        Stored::Integer(value) => {
            // Writing into a string cannot fail, here and below.
            let _ = write!(text, "{value}");
            is_key
        }
        Stored::Real(value) if value.is_finite() || is_key => {
            let _ = write!(text, "{value:?}");
            is_key
        }
        Stored::Real(_) => {
            text.push_str("null");
            found(FindingKind::NotFiniteInJson);
            false
        }
        Stored::Text(bytes) => {
            if let Ok(valid) = std::str::from_utf8(bytes) {
                push_string(text, valid);
            } else {
                let (kind, open, close) = if is_key {
                    (FindingKind::InvalidKeyInJson, "", "")
                } else {
                    (FindingKind::InvalidTextInJson, "{\"base64\":", "}")
                };
                found(kind);
                let _ = write!(text, "{open}\"{}\"{close}", BASE64.encode(bytes));
            }
            false
        }
        Stored::Blob(bytes) => {
            BASE64.encode_string(bytes, text);
            true
        }
        Stored::Misfit(bytes) => {
            found(FindingKind::Misfit);
            BASE64.encode_string(bytes, text);
            true
        }
        Stored::Written | Stored::WrittenInteger => true,
    };
    // What was appended has nothing in it that JSON would escape.
    if is_string {
        text.insert(from, '"');
        text.push('"');
    }
}

/// Appends a JSON string.
fn push_string(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.find(|character: char| character < ' ' || matches!(character, '"' | '\\')) {
        out.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            byte @ (b'"' | b'\\') => {
                out.push('\\');
                out.push(char::from(byte));
            }
            byte => {
                let _ = write!(out, "\\u{byte:04x}");
            }
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(meaning: Meaning, value: Physical<'_>, is_key: bool) -> (String, Vec<FindingKind>) {
        let (mut text, mut kinds) = ("[".to_string(), Vec::new());
        push_value(&mut text, meaning, value, is_key, &mut |kind| kinds.push(kind));
        (text.split_off(1), kinds)
    }

    #[test]
    fn scalars_are_valid_json_and_lose_nothing_unsaid() {
        let plain = |meaning, value| json(meaning, value, false);
        assert_eq!(plain(Meaning::Boolean, Physical::Boolean(true)).0, "true");
        assert_eq!(plain(Meaning::Signed, Physical::Int64(i64::MIN)).0, "-9223372036854775808");
        assert_eq!(plain(Meaning::Unsigned64, Physical::Int64(-1)).0, "\"18446744073709551615\"");
        assert_eq!(plain(Meaning::Decimal { scale: 2 }, Physical::Int32(-5)).0, "\"-0.05\"");
        assert_eq!(plain(Meaning::Real, Physical::Double(1e16)).0, "1e16");
        assert_eq!(plain(Meaning::Real, Physical::Double(-0.0)).0, "-0.0");
        assert_eq!(plain(Meaning::Real, Physical::Float(0.1)).0, "0.10000000149011612");
        assert_eq!(plain(Meaning::Bytes, Physical::Bytes(&[0xff, 0])).0, "\"/wA=\"");
        let strange = "a\"\\\n\t\r\u{1}é😀\u{7f}";
        let text = plain(Meaning::Text, Physical::Bytes(strange.as_bytes())).0;
        assert_eq!(serde_json::from_str::<String>(&text).expect("valid"), strange);
    }

    #[test]
    fn what_json_cannot_hold_is_told() {
        let nan = json(Meaning::Real, Physical::Double(f64::NAN), false);
        assert_eq!(nan, ("null".to_string(), vec![FindingKind::NotFiniteInJson]));
        let raw = json(Meaning::Text, Physical::Bytes(&[0xff]), false);
        assert_eq!(raw, ("{\"base64\":\"/w==\"}".to_string(), vec![FindingKind::InvalidTextInJson]));
        let key = json(Meaning::Text, Physical::Bytes(&[0xff]), true);
        assert_eq!(key, ("\"/w==\"".to_string(), vec![FindingKind::InvalidKeyInJson]));
        let misfit = json(Meaning::Uuid, Physical::Bytes(&[0xff]), false);
        assert_eq!(misfit, ("\"/w==\"".to_string(), vec![FindingKind::Misfit]));
    }

    #[test]
    fn every_scalar_makes_a_name() {
        for (meaning, value, name) in [
            (Meaning::Boolean, Physical::Boolean(false), "\"false\""),
            (Meaning::Signed, Physical::Int32(-7), "\"-7\""),
            (Meaning::Real, Physical::Double(f64::NAN), "\"NaN\""),
            (Meaning::Real, Physical::Double(f64::NEG_INFINITY), "\"-inf\""),
            (Meaning::Date, Physical::Int32(0), "\"1970-01-01\""),
            (Meaning::Text, Physical::Bytes(b"a\"b"), "\"a\\\"b\""),
            (Meaning::Bytes, Physical::Bytes(b""), "\"\""),
        ] {
            assert_eq!(json(meaning, value, true), (name.to_string(), Vec::new()), "{meaning:?}");
        }
    }
}
