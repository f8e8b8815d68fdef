//! String literals of JavaScript: what "copy as JavaScript literal" and "copy as JSON literal" put on the clipboard.
//!
//! All three kinds of quotes with the escapes that developer tools write, and those of JSON, which are among them. An escape
//! that is none of these, a line break in single or double quotes and `${` in backquotes are refused: nothing writes them.

use super::Fault;
use crate::local_storage::code_units::CodeUnits;

/// Reads the literal whose opening quote stands at `start`; nothing but white space and a semicolon may follow it.
pub(super) fn read(text: &[u8], start: usize) -> Result<CodeUnits, Fault> {
    let quote = text.get(start).copied().unwrap_or(b'"');
    let mut units = Vec::with_capacity(text.len());
    let mut at = start + 1;
    loop {
        let plain = at;
        at += plain_length(text, at, quote);
        units.extend_from_slice(plain_units(text, plain, at)?.as_slice());
        match text.get(at) {
            Some(b'\\') => at = escape(text, at, &mut units)?,
            Some(&byte) if byte == quote => break,
            Some(b'$') if text.get(at + 1) == Some(&b'{') => {
                return Err(Fault::new(at, "this string has a part that is computed"));
            }
            Some(b'$') => {
                units.push(u16::from(b'$'));
                at += 1;
            }
            Some(_) => return Err(Fault::new(at, "a control character stands in a string as it is")),
            None => return Err(cut(at)),
        }
    }
    nothing_follows(text, at + 1)?;
    Ok(CodeUnits::new(units))
}

/// How many bytes from `at` on mean themselves.
fn plain_length(text: &[u8], at: usize, quote: u8) -> usize {
    let is_plain = |byte: u8| match byte {
        b'$' => quote != b'`',
        b'\n' | b'\r' | b'\t' => quote == b'`',
        b'\\' | 0..0x20 => false,
        _ => byte != quote,
    };
    text.get(at..).unwrap_or_default().iter().take_while(|&&byte| is_plain(byte)).count()
}

fn plain_units(text: &[u8], from: usize, to: usize) -> Result<CodeUnits, Fault> {
    CodeUnits::from_wtf8(text.get(from..to).unwrap_or_default())
        .ok_or_else(|| Fault::new(from, "this is no text"))
}

/// Appends what the escape at `at` stands for; returns where it ends.
fn escape(text: &[u8], at: usize, units: &mut Vec<u16>) -> Result<usize, Fault> {
    let Some(&letter) = text.get(at + 1) else {
        return Err(cut(at));
    };
    let unit = match letter {
        b'\\' | b'\'' | b'"' | b'`' | b'/' | b'$' | b'{' => u16::from(letter),
        b'n' => 0x0A,
        b'r' => 0x0D,
        b't' => 0x09,
        b'b' => 0x08,
        b'f' => 0x0C,
        b'v' => 0x0B,
        b'0' if !text.get(at + 2).is_some_and(u8::is_ascii_digit) => 0,
        b'x' => return hexadecimal(text, at, 2, units),
        b'u' => return hexadecimal(text, at, 4, units),
        _ => return Err(Fault::new(at, "JavaScript's developer tools write no such escape")),
    };
    units.push(unit);
    Ok(at + 2)
}

fn hexadecimal(text: &[u8], at: usize, count: usize, units: &mut Vec<u16>) -> Result<usize, Fault> {
    let mut unit = 0;
    for place in at + 2..at + 2 + count {
        let Some(&byte) = text.get(place) else {
            return Err(cut(place));
        };
        let digit = char::from(byte).to_digit(16).and_then(|digit| u16::try_from(digit).ok());
        unit = unit << 4 | digit.ok_or_else(|| Fault::new(place, "a hexadecimal digit was expected"))?;
    }
    units.push(unit);
    Ok(at + 2 + count)
}

/// White space, and before the end of the line one semicolon.
fn nothing_follows(text: &[u8], end: usize) -> Result<(), Fault> {
    let rest = text.get(end..).unwrap_or_default();
    let mut can_have_semicolon = true;
    let follows = rest.iter().position(|&byte| match byte {
        b';' if can_have_semicolon => {
            can_have_semicolon = false;
            false
        }
        b'\n' => {
            can_have_semicolon = false;
            false
        }
        byte => !byte.is_ascii_whitespace(),
    });
    follows.map_or(Ok(()), |at| Err(Fault::new(end + at, "something stands behind the closing quote")))
}

fn cut(at: usize) -> Fault {
    Fault { hint: "the text was cut: copy it again", ..Fault::new(at, "the text ends inside a string") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(text: &str) -> Option<Vec<u16>> {
        read(text.as_bytes(), 0).ok().map(|units| units.as_slice().to_vec())
    }

    fn check(text: &str, expected: &str) {
        assert_eq!(units(text), Some(expected.encode_utf16().collect()), "{text}");
    }

    #[test]
    fn the_escapes_of_developer_tools_are_read_in_all_three_quotes() {
        check(r"'a\\\'\n\r\t\b\f\v\x41\u00e9\x3C!--'", "a\\'\n\r\t\u{8}\u{c}\u{b}Aé<!--");
        check(r#""it's \"so\" \/""#, "it's \"so\" /");
        check("`a'b\"c\\`$5\\${}\nd`", "a'b\"c`$5${}\nd");
        assert_eq!(units(r"'\ud83d'"), Some(vec![0xD83D]));
        check(r"'\uD83D\uDE00\0'", "😀\0");
        check("'x' ;\n", "x");
    }

    #[test]
    fn what_no_tool_writes_is_refused() {
        for text in [
            "'a",
            "'a\nb'",
            "'\u{1}'",
            "`${a}`",
            r"'\q'",
            r"'\01'",
            r"'\x4'",
            r"'\u12'",
            r"'\u{41}'",
            "'a'b",
            "'a';;",
            "'a'\n;",
            "'a'+'b'",
            "'\\",
        ] {
            assert_eq!(units(text), None, "{text}");
        }
    }
}
