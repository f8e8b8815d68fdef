//! Headers that the user gives, such as a token: read from a file, sent, and never shown.

use std::fmt;
use std::fs::File;
use std::io::{ErrorKind as IoErrorKind, Read as _};
use std::path::Path;

use ureq::http::{HeaderName, HeaderValue};

use super::is_seen;
use crate::error::{Error, ErrorKind, Result};

/// How large a file of headers may be: servers take 8 to 64 KiB.
const MAX_BYTES: u64 = 64 << 10;

/// The shortest part of a value that is taken out of texts: shorter ones are words like any other.
const SHORTEST_SECRET: usize = 4;

/// What stands where a secret was.
const HIDDEN: &str = "[hidden]";

/// Headers that belong to the request itself.
const OWN: [&str; 10] = [
    "host",
    "content-length",
    "content-type",
    "transfer-encoding",
    "connection",
    "expect",
    "te",
    "trailer",
    "upgrade",
    "proxy-connection",
];

/// Names and values; the values are in no output of any kind.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers {
    fields: Vec<(HeaderName, HeaderValue)>,
    /// Values, and their words, the longest first.
    secrets: Vec<String>,
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.fields.iter().map(|(name, _)| name.as_str())).finish()
    }
}

impl Headers {
    /// Reads a file with `Name: value` in each line.
    ///
    /// # Errors
    /// `NotFound`, `Failed`; `Usage` naming the line that is no header, but nothing that is in it.
    pub fn read(path: &Path) -> Result<Self> {
        let wrong = |message: &str| Error::new(ErrorKind::Usage, message).at(path);
        let failed = |error: std::io::Error| match error.kind() {
            // Before anything that names the file: what was typed is a secret then.
            _ if is_header(path) => {
                Error::new(ErrorKind::Usage, "--header-file takes a file, and what is given is a header")
                    .hint("whoever lists programs sees it: write it into a file, and name that")
            }
            IoErrorKind::NotFound => Error::new(ErrorKind::NotFound, "there is no such file of headers")
                .at(path)
                .hint("check the path"),
            IoErrorKind::IsADirectory => wrong("the file of headers is a folder"),
            _ => Error::io("reading the file of headers", path, error),
        };
        let mut bytes = Vec::new();
        File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)).map_err(failed)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(wrong("the file of headers has more than 64 KiB"));
        }
        Self::parse(&bytes).map_err(|error| error.at(path))
    }

    fn parse(bytes: &[u8]) -> Result<Self> {
        let mut headers = Self::default();
        if matches!(bytes, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..]) {
            return Err(Error::new(ErrorKind::Usage, "the file of headers is UTF-16")
                .hint("save it as UTF-8; in PowerShell: Set-Content -Encoding ascii"));
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        for (ordinal, line) in (1_u64..).zip(bytes.split(|byte| *byte == b'\n')) {
            let line = line.trim_ascii();
            if !line.is_empty() && !line.starts_with(b"#") {
                headers.add(line).map_err(|reason| {
                    Error::new(ErrorKind::Usage, format!("line {ordinal} of the file of headers {reason}"))
                        .hint("write one header in each line, like Authorization: Bearer and the token")
                })?;
            }
        }
        headers.secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Ok(headers)
    }

    /// Adds a line, or says what is wrong with it: never what is in it.
    fn add(&mut self, line: &[u8]) -> std::result::Result<(), String> {
        let no_header = || "is no header".to_owned();
        let ascii = std::str::from_utf8(line).ok().filter(|line| line.is_ascii());
        let line = ascii.ok_or_else(|| "has a character that is not ASCII".to_owned())?;
        let (name, value) = line.split_once(':').ok_or_else(no_header)?;
        let name: HeaderName = name.parse().map_err(|_| no_header())?;
        let value = value.trim();
        if value.is_empty() {
            return Err("has a header without a value".to_owned());
        }
        if OWN.contains(&name.as_str()) {
            return Err(format!("has the header {name}, which the program sets by itself"));
        }
        if self.fields.iter().any(|(before, _)| *before == name) {
            return Err("has a header that is there before".to_owned());
        }
        let mut sent = HeaderValue::from_str(value).map_err(|_| no_header())?;
        sent.set_sensitive(true);
        self.fields.push((name, sent));
        for secret in std::iter::once(value).chain(value.split_whitespace()) {
            // Some programs write a slash like this in JSON.
            for secret in [secret.to_owned(), secret.replace('/', "\\/")] {
                if secret.len() >= SHORTEST_SECRET && !self.secrets.contains(&secret) {
                    self.secrets.push(secret);
                }
            }
        }
        Ok(())
    }

    pub(super) fn fields(&self) -> &[(HeaderName, HeaderValue)] {
        &self.fields
    }

    /// A text without the values in it, also where spaces, ends of lines or what nobody sees are strewn in. Of a text that
    /// `is_cut`, its end may be the beginning of one.
    pub(super) fn hidden_in(&self, text: &str, is_cut: bool) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            text = hidden(&text, &seen(secret));
        }
        if is_cut {
            let its = seen(&text);
            let begins = |secret: &String| {
                let secret = seen(secret);
                let is_end = |&length: &usize| {
                    let end = its.iter().rev().take(length).map(|(_, character)| character);
                    its.len() >= length
                        && end.eq(secret[..length].iter().rev().map(|(_, character)| character))
                };
                (1..=secret.len()).rev().find(is_end).unwrap_or(0)
            };
            let length = self.secrets.iter().map(begins).max().unwrap_or(0);
            if let Some((start, _)) = length.checked_sub(1).and_then(|before| its.iter().rev().nth(before)) {
                text.truncate(*start);
            }
        }
        text
    }
}

/// The characters that count, each with the place where it begins.
fn seen(text: &str) -> Vec<(usize, char)> {
    text.char_indices().filter(|(_, character)| is_seen(*character)).collect()
}

fn hidden(text: &str, secret: &[(usize, char)]) -> String {
    let its = seen(text);
    let (mut shown, mut from, mut rest) = (String::new(), 0, its.as_slice());
    while let Some((found, after)) = rest.split_at_checked(secret.len()) {
        let is_it = found.iter().zip(secret).all(|((_, one), (_, other))| one == other);
        if let (true, Some((start, _)), Some((last, character))) = (is_it, found.first(), found.last()) {
            shown.push_str(&text[from..*start]);
            shown.push_str(HIDDEN);
            from = last + character.len_utf8();
            rest = after;
        } else if let Some((_, after)) = rest.split_first() {
            rest = after;
        } else {
            break;
        }
    }
    shown.push_str(&text[from..]);
    shown
}

/// Whether what was given as the name of a file is a header itself, or the value of one.
fn is_header(path: &Path) -> bool {
    let text = path.to_string_lossy();
    let has_name = text.split_once(':').is_some_and(|(name, value)| {
        // A single letter is a drive.
        value.starts_with(' ') || (name.len() > 1 && Headers::parse(text.as_bytes()).is_ok())
    });
    let is_value = text.split_once(' ').is_some_and(|(scheme, _)| {
        ["bearer", "basic", "digest", "token"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
    });
    has_name || is_value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_a_header_but_for_empty_ones_and_remarks() {
        let text =
            b"\xef\xbb\xbf# of the test server\r\n\r\nAuthorization: Bearer abc.DEF/123==\r\nX-Trace:1\r\n";
        let headers = Headers::parse(text).expect("headers");
        let fields: Vec<(&str, &str)> = headers
            .fields()
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().expect("ASCII")))
            .collect();
        assert_eq!(fields, [("authorization", "Bearer abc.DEF/123=="), ("x-trace", "1")]);
        assert_eq!(format!("{headers:?}"), r#"["authorization", "x-trace"]"#);
        assert_eq!(Headers::parse(b"").expect("no header"), Headers::default());
    }

    #[test]
    fn a_line_that_is_no_header_is_named_and_not_repeated() {
        for line in [
            &b"sesame"[..],
            b"Bearer sesame",
            b"Author ization: sesame",
            b": sesame",
            b"Authorization:",
            b"Authorization: ses\x01ame",
            b"Authorization: s\xc3\xa9same",
            b"Authorization: \xffsesame",
            b"Author\xc3\xaezation: sesame",
            b"Host: sesame",
            b"content-length: 3",
            b"Transfer-Encoding: sesame",
            b"x: sesame\nx-ok: 1\nX-OK: sesame",
        ] {
            let text = [b"\n# a remark\n", line].concat();
            let error = Headers::parse(&text).expect_err("no header");
            let said = format!("{error} {error:?} {:?}", error.hint_text());
            assert!(!said.contains("same"), "{said}");
            let ordinal = if line.starts_with(b"x:") { "line 5 " } else { "line 3 " };
            assert!(error.kind() == ErrorKind::Usage && said.contains(ordinal), "{said}");
        }
    }

    #[test]
    fn why_a_line_is_no_header_is_said_where_it_is_not_to_be_seen() {
        let said = |text: &[u8]| Headers::parse(text).expect_err("no header").to_string();
        for line in ["Authorization: Bearer \u{2026}", "Authorization: s\u{e9}same"] {
            assert_eq!(
                said(line.as_bytes()),
                "line 1 of the file of headers has a character that is not ASCII"
            );
        }
        assert_eq!(said(b"sesame"), "line 1 of the file of headers is no header");
        let utf16: Vec<u8> = "\u{feff}A: sesame".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(said(&utf16), "the file of headers is UTF-16");
    }

    #[test]
    fn what_is_in_a_value_is_taken_out_of_what_a_server_says() {
        let headers = Headers::parse(b"Authorization: Bearer abc/DEF123\nX-Key: k9").expect("headers");
        let hidden = |text: &str, is_cut| headers.hidden_in(text, is_cut);
        assert_eq!(hidden("no Bearer abc/DEF123 here", false), "no [hidden] here");
        assert_eq!(
            hidden(r#"{"token":"abc/DEF123"} {"t":"abc\/DEF123"}"#, false),
            r#"{"token":"[hidden]"} {"t":"[hidden]"}"#
        );
        assert_eq!(hidden("it was abc/DE", true), "it was ");
        assert_eq!(hidden("it was abc/DE", false), "it was abc/DE");
        assert_eq!(hidden("é…", true), "é…");
        assert_eq!(hidden("é abc/D\r\n  EF1\u{200b}2\u{202e}3 é", false), "é [hidden] é");
        assert_eq!(hidden("Bea rer abc/DEF123Bearerabc/DEF123", false), "[hidden][hidden]");
        assert_eq!(hidden("é abc/\nDE \n", true), "é ");
        assert_eq!(hidden("", true), "");
    }
}
