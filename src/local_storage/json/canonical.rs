//! One form for all texts that mean the same value: what identities of events are made of.
//!
//! White space, the order of members and the way a string is escaped make no difference; number tokens do, as written, for
//! what a number means depends on who reads it. Members of the same name all count, in their order.
//!
//! The form is bytes: one letter for the kind, then for a string the count of code units and these; for a number the count
//! of bytes and these; for arrays and objects the count of entries and these, members sorted by the code units of their
//! names. Counts are 64 bits; the high byte comes first everywhere. This never changes: identities depend on it.

use super::{Json, Kind};

/// How deep an element may nest: deeper than any store of an app, and shallow enough for any stack.
pub const MAX_DEPTH: usize = 128;

/// The canonical form, or `None` where arrays and objects nest deeper than [`MAX_DEPTH`].
#[must_use]
pub fn canonical(json: Json<'_>) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(json.text().len());
    push(&mut out, json, 0).then_some(out)
}

/// `false` where it nests too deep.
fn push(out: &mut Vec<u8>, json: Json<'_>, depth: usize) -> bool {
    if depth > MAX_DEPTH {
        return false;
    }
    match json.kind() {
        Kind::Null => out.push(b'z'),
        Kind::Boolean => out.push(if json.to_bool() == Some(true) { b't' } else { b'f' }),
        Kind::Number => {
            out.push(b'n');
            push_count(out, json.text().len());
            out.extend_from_slice(json.text());
        }
        Kind::String => {
            out.push(b's');
            push_string(out, json);
        }
        Kind::Array => {
            out.push(b'a');
            let (at, mut count) = (out.len(), 0);
            push_count(out, count);
            for element in json.elements() {
                count += 1;
                if !push(out, element, depth + 1) {
                    return false;
                }
            }
            let place = out.get_mut(at..).and_then(<[u8]>::first_chunk_mut);
            place.into_iter().for_each(|place| *place = bytes_of(count));
        }
        Kind::Object => {
            out.push(b'o');
            let mut members: Vec<(Json<'_>, Json<'_>)> = json.members().collect();
            // Stable, so that members of the same name keep their order.
            if members.iter().all(|(name, _)| name.ascii().is_some()) {
                members.sort_by_key(|(name, _)| name.ascii());
            } else {
                members.sort_by_cached_key(|(name, _)| name.to_units());
            }
            push_count(out, members.len());
            return members.into_iter().all(|(name, value)| {
                push_string(out, name);
                push(out, value, depth + 1)
            });
        }
    }
    true
}

/// The count of a string's code units, and these.
fn push_string(out: &mut Vec<u8>, json: Json<'_>) {
    if let Some(plain) = json.ascii() {
        push_count(out, plain.len());
        plain.iter().for_each(|&byte| out.extend_from_slice(&u16::from(byte).to_be_bytes()));
    } else {
        let units = json.to_units().unwrap_or_default();
        push_count(out, units.len());
        units.as_slice().iter().for_each(|unit| out.extend_from_slice(&unit.to_be_bytes()));
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
