//! Where a JSON value ends, and where text is not JSON.

use super::bytes::before;

/// Why text is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Syntax {
    /// The byte, counted from 0.
    pub at: usize,
    /// What is wrong there: one line, lower case, no full stop.
    pub what: &'static str,
    /// Whether the text only ends too early.
    pub cut: Cut,
}

/// Whether text that is not JSON could be the beginning of some that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// It could not.
    No,
    /// It ends inside a string.
    InString,
    /// It ends elsewhere.
    Elsewhere,
}

type Scan<T> = Result<T, Syntax>;

/// The first byte from `at` on that is no white space.
pub(super) fn skip_space(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count()
}

/// Where the value that begins at `at` ends, with everything in it checked.
///
/// One byte of memory per level of nesting, no recursion.
pub(super) fn value_end(text: &[u8], at: usize) -> Scan<usize> {
    let mut open = Vec::new();
    let mut at = skip_space(text, at);
    loop {
        at = match text.get(at) {
            Some(b'{') => match skip_space(text, at + 1) {
                inside if text.get(inside) == Some(&b'}') => inside + 1,
                inside => {
                    open.push(b'}');
                    at = member_value(text, inside)?;
                    continue;
                }
            },
            Some(b'[') => match skip_space(text, at + 1) {
                inside if text.get(inside) == Some(&b']') => inside + 1,
                inside => {
                    open.push(b']');
                    at = inside;
                    continue;
                }
            },
            _ => scalar_end(text, at)?,
        };
        match after_value(text, at, &mut open)? {
            Next::Value(next) => at = next,
            Next::End(end) => return Ok(end),
        }
    }
}

enum Next {
    /// Another value begins there.
    Value(usize),
    /// The outermost value ended there.
    End(usize),
}

/// Goes on behind a value: closes what ends, up to where the next value begins.
fn after_value(text: &[u8], mut at: usize, open: &mut Vec<u8>) -> Scan<Next> {
    while let Some(&closing) = open.last() {
        at = skip_space(text, at);
        match text.get(at) {
            Some(b',') if closing == b'}' => {
                return member_value(text, skip_space(text, at + 1)).map(Next::Value);
            }
            Some(b',') => return Ok(Next::Value(skip_space(text, at + 1))),
            Some(&byte) if byte == closing => {
                open.pop();
                at += 1;
            }
            Some(_) if closing == b'}' => return wrong(at, "a comma or a closing brace was expected"),
            Some(_) => return wrong(at, "a comma or a closing bracket was expected"),
            None if closing == b'}' => return ends(at, "the text ends inside an object"),
            None => return ends(at, "the text ends inside an array"),
        }
    }
    Ok(Next::End(at))
}

/// Where the value of the member begins whose name begins at `at`.
fn member_value(text: &[u8], at: usize) -> Scan<usize> {
    match text.get(at) {
        Some(b'"') => {}
        Some(_) => return wrong(at, "a member's name in double quotes was expected"),
        None => return ends(at, "the text ends inside an object"),
    }
    let colon = skip_space(text, string_end(text, at)?);
    match text.get(colon) {
        Some(b':') => Ok(skip_space(text, colon + 1)),
        Some(_) => wrong(colon, "a colon was expected"),
        None => ends(colon, "the text ends inside an object"),
    }
}

fn scalar_end(text: &[u8], at: usize) -> Scan<usize> {
    match text.get(at) {
        Some(b'"') => string_end(text, at),
        Some(b'-' | b'0'..=b'9') => number_end(text, at),
        Some(b't') => word_end(text, at, b"true"),
        Some(b'f') => word_end(text, at, b"false"),
        Some(b'n') => word_end(text, at, b"null"),
        Some(_) => wrong(at, "a value was expected"),
        None => ends(at, "the text ends where a value was expected"),
    }
}

/// Where the string ends whose opening quote stands at `at`.
fn string_end(text: &[u8], at: usize) -> Scan<usize> {
    let mut at = at + 1;
    loop {
        at = match text.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => escape_end(text, at)?,
            Some(0..0x20) => return wrong(at, "a control character stands in a string as it is"),
            Some(_) => {
                let rest = text.get(at..).unwrap_or_default();
                at + before(rest, |eight| eight.equal(b'"') | eight.equal(b'\\') | eight.control())
            }
            None => return cut_string(at),
        };
    }
}

fn escape_end(text: &[u8], at: usize) -> Scan<usize> {
    match text.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => {
            for digit in at + 2..at + 6 {
                match text.get(digit) {
                    Some(byte) if byte.is_ascii_hexdigit() => {}
                    Some(_) => return wrong(digit, "four hexadecimal digits were expected"),
                    None => return cut_string(digit),
                }
            }
            Ok(at + 6)
        }
        Some(_) => wrong(at, "JSON has no such escape"),
        None => cut_string(at + 1),
    }
}

fn number_end(text: &[u8], at: usize) -> Scan<usize> {
    let mut at = at + usize::from(text.get(at) == Some(&b'-'));
    at = match text.get(at) {
        Some(b'0') => at + 1,
        _ => digits_end(text, at)?,
    };
    if text.get(at) == Some(&b'.') {
        at = digits_end(text, at + 1)?;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        let sign = matches!(text.get(at + 1), Some(b'+' | b'-'));
        at = digits_end(text, at + 1 + usize::from(sign))?;
    }
    match text.get(at) {
        Some(b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-') => wrong(at, "this is no number of JSON"),
        _ => Ok(at),
    }
}

/// One digit or more.
fn digits_end(text: &[u8], at: usize) -> Scan<usize> {
    let rest = text.get(at..).unwrap_or_default();
    match rest.iter().take_while(|byte| byte.is_ascii_digit()).count() {
        0 if rest.is_empty() => ends(at, "the text ends inside a number"),
        0 => wrong(at, "a digit was expected"),
        count => Ok(at + count),
    }
}

fn word_end(text: &[u8], at: usize, word: &[u8]) -> Scan<usize> {
    let rest = text.get(at..).unwrap_or_default();
    if rest.starts_with(word) {
        return Ok(at + word.len());
    }
    if word.starts_with(rest) {
        ends(at, "the text ends inside a value")
    } else {
        wrong(at, "a value was expected")
    }
}

fn wrong<T>(at: usize, what: &'static str) -> Scan<T> {
    Err(Syntax { at, what, cut: Cut::No })
}

fn ends<T>(at: usize, what: &'static str) -> Scan<T> {
    Err(Syntax { at, what, cut: Cut::Elsewhere })
}

fn cut_string<T>(at: usize) -> Scan<T> {
    Err(Syntax { at, what: "the text ends inside a string", cut: Cut::InString })
}
