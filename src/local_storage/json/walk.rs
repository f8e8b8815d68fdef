//! Walking over text that was checked: what ends where is found by counting brackets.

use super::Json;
use super::bytes::before;
use super::scan::skip_space;

/// The members of an object, in their order, with those whose name comes twice.
#[derive(Debug, Clone)]
pub struct Members<'a> {
    text: &'a [u8],
    at: usize,
}

/// The elements of an array, in their order.
#[derive(Debug, Clone)]
pub struct Elements<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Members<'a> {
    pub(super) fn of(text: &'a [u8]) -> Self {
        Self { text: if text.first() == Some(&b'{') { text } else { &[] }, at: 1 }
    }
}

impl<'a> Elements<'a> {
    pub(super) fn of(text: &'a [u8]) -> Self {
        Self { text: if text.first() == Some(&b'[') { text } else { &[] }, at: 1 }
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (Json<'a>, Json<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let name = next_value(self.text, &mut self.at)?;
        // Over the colon, as over a comma.
        Some((name, next_value(self.text, &mut self.at)?))
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Json<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        next_value(self.text, &mut self.at)
    }
}

/// The next value from `at` on, over one comma or colon; `None` at a closing bracket.
fn next_value<'a>(text: &'a [u8], at: &mut usize) -> Option<Json<'a>> {
    let start = next_begin(text, *at)?;
    let end = value_end(text, start);
    *at = end;
    text.get(start..end).map(Json::trusted)
}

/// Where the next value begins from `at` on, over one comma or colon; `None` at a closing bracket.
pub(super) fn next_begin(text: &[u8], at: usize) -> Option<usize> {
    let mut start = skip_space(text, at);
    if let Some(b',' | b':') = text.get(start) {
        start = skip_space(text, start + 1);
    }
    match text.get(start) {
        None | Some(b'}' | b']') => None,
        Some(_) => Some(start),
    }
}

/// Where the value ends that begins at `start`.
pub(super) fn value_end(text: &[u8], start: usize) -> usize {
    match text.get(start) {
        Some(b'"') => string_end(text, start),
        Some(b'{' | b'[') => container_end(text, start),
        _ => {
            let rest = text.get(start..).unwrap_or_default();
            let ends = |byte: &u8| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r');
            start + rest.iter().position(ends).unwrap_or(rest.len())
        }
    }
}

fn container_end(text: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0_usize);
    loop {
        at += before(text.get(at..).unwrap_or_default(), |eight| {
            eight.equal(b'"') | eight.equal_in_any_case(b'{') | eight.equal_in_any_case(b'}')
        });
        match text.get(at) {
            None => return at,
            Some(b'"') => {
                at = string_end(text, at);
                continue;
            }
            Some(b'{' | b'[') => depth += 1,
            Some(_) => depth = depth.saturating_sub(1),
        }
        at += 1;
        if depth == 0 {
            return at;
        }
    }
}

fn string_end(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = text.get(at) {
        at = match byte {
            b'"' => return at + 1,
            b'\\' => at + 2,
            _ => {
                at + before(text.get(at..).unwrap_or_default(), |eight| {
                    eight.equal(b'"') | eight.equal(b'\\')
                })
            }
        };
    }
    text.len()
}
