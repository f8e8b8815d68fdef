//! One form for all texts that mean the same value: what identities of events are made of.
//!
//! White space, the order of members and the way a string is escaped make no difference; number tokens do, as written, for
//! what a number means depends on who reads it. Members of the same name all count, in their order.
//!
//! The form is bytes: one letter for the kind, then for a string the count of code units and these; for a number the count
//! of bytes and these; for arrays and objects the count of entries and these, members sorted by the code units of their
//! names. Counts are 64 bits; the high byte comes first everywhere. This never changes: identities depend on it.

use super::scan::skip_space;
use super::walk::{next_begin, value_end};
use super::{Json, Kind};

/// How deep an element may nest: deeper than any store of an app, and shallow enough for any stack.
pub const MAX_DEPTH: usize = 128;

/// The canonical form, or `None` where arrays and objects nest deeper than [`MAX_DEPTH`].
#[must_use]
pub fn canonical(json: Json<'_>) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(2 * json.text().len());
    push(&mut out, json.text(), 0, 0)?;
    Some(out)
}

/// Appends the value that begins at `at`; where it ends, or `None` where it nests too deep.
///
/// Each byte of the text is walked over once, however deep it stands.
fn push(out: &mut Vec<u8>, text: &[u8], at: usize, depth: usize) -> Option<usize> {
    if depth > MAX_DEPTH {
        return None;
    }
    match text.get(at)? {
        b'{' => push_object(out, text, at + 1, depth),
        b'[' => {
            out.push(b'a');
            let (place, mut count) = (out.len(), 0);
            push_count(out, count);
            let mut at = at + 1;
            while let Some(begin) = next_begin(text, at) {
                at = push(out, text, begin, depth + 1)?;
                count += 1;
            }
            put_count(out, place, count);
            Some(behind_bracket(text, at))
        }
        b'"' => {
            let (string, end) = string_at(text, at)?;
            out.push(b's');
            push_string(out, string);
            Some(end)
        }
        _ => {
            let end = value_end(text, at);
            let scalar = Json::trusted(text.get(at..end)?);
            match scalar.kind() {
                Kind::Null => out.push(b'z'),
                Kind::Boolean => out.push(if scalar.to_bool() == Some(true) { b't' } else { b'f' }),
                _ => {
                    out.push(b'n');
                    push_count(out, scalar.text().len());
                    out.extend_from_slice(scalar.text());
                }
            }
            Some(end)
        }
    }
}

/// Appends the object whose first member, if there is one, is to be found from `at` on.
fn push_object(out: &mut Vec<u8>, text: &[u8], at: usize, depth: usize) -> Option<usize> {
    out.push(b'o');
    let place = out.len();
    push_count(out, 0);
    let start = out.len();
    // Each name, with where its member begins in `out` and ends.
    let mut members: Vec<(Json<'_>, usize, usize)> = Vec::new();
    let mut at = at;
    while let Some(begin) = next_begin(text, at) {
        let (name, end) = string_at(text, begin)?;
        let from = out.len();
        push_string(out, name);
        at = push(out, text, next_begin(text, end)?, depth + 1)?;
        members.push((name, from, out.len()));
    }
    put_count(out, place, members.len());
    // Stable, so that members of the same name keep their order.
    if members.iter().all(|(name, ..)| name.ascii().is_some()) {
        members.sort_by_key(|(name, ..)| name.ascii());
    } else {
        members.sort_by_cached_key(|(name, ..)| name.to_units());
    }
    if !members.is_sorted_by_key(|&(_, from, _)| from) {
        let unordered = out.split_off(start);
        for (_, from, to) in members {
            out.extend_from_slice(unordered.get(from - start..to - start)?);
        }
    }
    Some(behind_bracket(text, at))
}

/// The string that begins at `at`, and where it ends.
fn string_at(text: &[u8], at: usize) -> Option<(Json<'_>, usize)> {
    let end = value_end(text, at);
    Some((Json::trusted(text.get(at..end)?), end))
}

/// Behind the bracket or brace that is next.
fn behind_bracket(text: &[u8], at: usize) -> usize {
    skip_space(text, at) + 1
}

fn put_count(out: &mut [u8], place: usize, count: usize) {
    if let Some(place) = out.get_mut(place..).and_then(<[u8]>::first_chunk_mut) {
        *place = bytes_of(count);
    }
}

/// The count of a string's code units, and these.
fn push_string(out: &mut Vec<u8>, json: Json<'_>) {
    if let Some(plain) = json.ascii() {
        push_count(out, plain.len());
        for &byte in plain {
            out.extend_from_slice(&u16::from(byte).to_be_bytes());
        }
    } else {
        let units = json.to_units().unwrap_or_default();
        push_count(out, units.len());
        for unit in units.as_slice() {
            out.extend_from_slice(&unit.to_be_bytes());
        }
    }
}

fn push_count(out: &mut Vec<u8>, count: usize) {
    out.extend_from_slice(&bytes_of(count));
}

fn bytes_of(count: usize) -> [u8; 8] {
    // Nothing in memory has more than 64 bits count.
    u64::try_from(count).unwrap_or(u64::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local_storage::code_units::CodeUnits;

    fn form(text: &str) -> Option<Vec<u8>> {
        canonical(Json::parse(text.as_bytes()).expect("JSON"))
    }

    #[test]
    fn space_order_and_escapes_make_no_difference() {
        let one = form(r#"{"a":[1,"é😀"],"b":null,"":{"x":true}}"#);
        let other = form("{ \"\" : {\"x\":true},\n\"b\":null,\"\\u0061\":[1, \"\\u00e9\\uD83D\\ude00\"] }");
        assert_eq!(one, other);
    }

    #[test]
    fn whatever_has_another_meaning_to_some_reader_differs() {
        let all = [
            "1",
            "1.0",
            "1e0",
            "-0",
            "0",
            "\"1\"",
            "[1]",
            "[[1]]",
            "[1,1]",
            "{}",
            "[]",
            "null",
            "true",
            "false",
            "\"\"",
            r#"{"a":1}"#,
            r#"{"a":1,"a":2}"#,
            r#"{"a":2,"a":1}"#,
            r#"{"a":2}"#,
            r#""\ud83d""#,
            r#""\ud83e""#,
            r#"["ab","c"]"#,
            r#"["a","bc"]"#,
            r#"{"ab":"c"}"#,
        ];
        for (at, a) in all.iter().enumerate() {
            assert!(form(a).is_some());
            assert!(all.iter().skip(at + 1).all(|b| form(a) != form(b)), "{a}");
        }
    }

    #[test]
    fn a_surrogate_that_stands_as_it_is_equals_its_escape() {
        let raw = [&b"\""[..], &CodeUnits::new(vec![0xD83D]).to_wtf8(), b"\""].concat();
        assert_eq!(canonical(Json::parse(&raw).expect("JSON")), form(r#""\ud83d""#));
    }

    #[test]
    fn nesting_has_a_limit() {
        let nested = |depth: usize| form(&("[".repeat(depth) + &"]".repeat(depth)));
        assert!(nested(MAX_DEPTH).is_some());
        assert!(nested(MAX_DEPTH + 2).is_none());
        assert!(nested(200_000).is_none());
    }
}
