//! The list of digests as text: one line per table, and one each for header and schema.
//!
//! ```text
//! user_version=7,application_id=0,encoding=UTF-8  -  header
//! 6f0c…64 hex digits…  -  schema
//! 0f3a…32 hex digits…  1250000  events
//! ```
//!
//! Three columns, two spaces apart: digest, rows, name. The name is the rest of the line. In it a backslash is `\\`, and what
//! would not be seen, or not survive an editor, is `\xNN` byte by byte: control and format characters, spaces at either
//! end, bytes that are not UTF-8. An empty name is `\e`. Empty lines and lines that begin with `#` say nothing. Tables
//! are sorted by name, so that equal content gives equal text.
//!
//! Header and schema are left out where only some tables were asked for. Header facts stand there as they are, not as
//! a digest, so that a difference can be told and read.

use std::fmt::Write as _;

use crate::content::ContentHeader;
use crate::digest::{ContentDigest, Sha256Digest};
use crate::digests::{DigestReport, TableDigest};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Identifier, TextEncoding};

const GAP: &str = "  ";
const NO_ROWS: &str = "-";
const HEADER: &str = "header";
const SCHEMA: &str = "schema";

/// A list of digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestList {
    /// What of the header is content; `None` where only some tables were asked for.
    pub header: Option<ContentHeader>,
    /// The digest of the schema's content; `None` where only some tables were asked for.
    pub schema: Option<Sha256Digest>,
    /// The tables.
    pub tables: Vec<TableDigest>,
}

impl DigestList {
    /// The list of one subject; without header and schema where it is one of some tables.
    #[must_use]
    pub fn of(report: &DigestReport, is_of_some_tables: bool) -> Self {
        Self {
            header: (!is_of_some_tables).then_some(report.header),
            schema: (!is_of_some_tables).then_some(report.schema),
            tables: report.tables.clone(),
        }
    }

    /// The list as text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a string cannot fail, here and below.
        if let Some(header) = &self.header {
            let _ = writeln!(text, "{}{GAP}{NO_ROWS}{GAP}{HEADER}", header_text(header));
        }
        if let Some(schema) = &self.schema {
            let _ = writeln!(text, "{schema}{GAP}{NO_ROWS}{GAP}{SCHEMA}");
        }
        for TableDigest { name, digest } in &self.tables {
            let _ = writeln!(
                text,
                "{:032x}{GAP}{}{GAP}{}",
                digest.sum,
                digest.row_count,
                escaped(name.as_bytes())
            );
        }
        text
    }

    /// Reads a list.
    ///
    /// # Errors
    /// `Usage` naming the line (1-based, as the row of the place) for what [`Self::text`] never writes, a line that is
    /// there twice, and a list that says nothing at all.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(bytes)
            .map_err(|_| Error::new(ErrorKind::Usage, "the list of digests is not UTF-8").hint(MAKE_ONE))?;
        let mut list = Self { header: None, schema: None, tables: Vec::new() };
        for (index, line) in text.strip_prefix('\u{feff}').unwrap_or(text).lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            list.add(line).map_err(|what| {
                let message = format!("line {} of the list of digests {what}", index + 1);
                Error::new(ErrorKind::Usage, message).hint(MAKE_ONE)
            })?;
        }
        if list.header.is_none() && list.schema.is_none() && list.tables.is_empty() {
            return Err(Error::new(ErrorKind::Usage, "the list of digests is empty").hint(MAKE_ONE));
        }
        Ok(list)
    }

    fn add(&mut self, line: &str) -> Result<(), String> {
        const SHAPE: &str = "is not of the form <digest>  <rows>  <name>";
        let mut parts = line.splitn(3, GAP);
        let (Some(digest), Some(rows), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(SHAPE.into());
        };
        match (rows, name) {
            (NO_ROWS, HEADER) => {
                let header = parse_header(digest).ok_or("names header facts that make no sense")?;
                put_once(&mut self.header, header)
            }
            (NO_ROWS, SCHEMA) => {
                let schema = digest.parse().map_err(|_| "has no SHA-256 of a schema")?;
                put_once(&mut self.schema, schema)
            }
            (NO_ROWS, _) => Err(SHAPE.into()),
            (rows, name) => {
                let digest = format!("{rows}-{digest}").parse::<ContentDigest>().map_err(|_| SHAPE)?;
                let name = unescaped(name).ok_or("has a name that makes no sense")?;
                let name = Identifier::from_bytes(name);
                if self.tables.iter().any(|table| table.name == name) {
                    return Err("names a table for the second time".into());
                }
                self.tables.push(TableDigest { name, digest });
                Ok(())
            }
        }
    }
}

const MAKE_ONE: &str = "`parklite digest <SNAPSHOT|DATABASE>` prints a list of one subject";

fn put_once<T>(place: &mut Option<T>, value: T) -> Result<(), String> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err("says something for the second time".into()),
    }
}

fn header_text(header: &ContentHeader) -> String {
    let ContentHeader { user_version, application_id, encoding } = header;
    format!("user_version={user_version},application_id={application_id},encoding={}", encoding.name())
}

fn parse_header(text: &str) -> Option<ContentHeader> {
    let mut parts = text.split(',');
    let mut value = |key: &str| parts.next()?.strip_prefix(key)?.strip_prefix('=');
    let (user_version, application_id, encoding) =
        (value("user_version")?, value("application_id")?, value("encoding")?);
    let encodings = [TextEncoding::Utf8, TextEncoding::Utf16Le, TextEncoding::Utf16Be];
    let header = ContentHeader {
        user_version: user_version.parse().ok()?,
        application_id: application_id.parse().ok()?,
        encoding: encodings.into_iter().find(|known| known.name() == encoding)?,
    };
    parts.next().is_none().then_some(header)
}

fn escaped(name: &[u8]) -> String {
    if name.is_empty() {
        return "\\e".into();
    }
    let mut text = String::with_capacity(name.len());
    let mut at = 0;
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            let is_at_an_end = at == 0 || at + character.len_utf8() == name.len();
            at += character.len_utf8();
            match character {
                '\\' => text.push_str("\\\\"),
                _ if is_unseen(character) || (character == ' ' && is_at_an_end) => {
                    push_bytes(&mut text, character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                _ => text.push(character),
            }
        }
        push_bytes(&mut text, chunk.invalid());
        at += chunk.invalid().len();
    }
    text
}

/// Characters that are not seen, or that change how others are.
fn is_unseen(character: char) -> bool {
    character.is_control()
        || (character.is_whitespace() && character != ' ')
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

fn push_bytes(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(text, "\\x{byte:02x}");
    }
}

fn unescaped(text: &str) -> Option<Vec<u8>> {
    if text == "\\e" {
        return Some(Vec::new());
    }
    let mut name = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            name.push(byte);
            continue;
        }
        let (kind, after) = rest.split_first()?;
        rest = after;
        match kind {
            b'\\' => name.push(b'\\'),
            b'x' => {
                let (digits, after) = rest.split_at_checked(2)?;
                rest = after;
                let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
                let digits = std::str::from_utf8(digits).ok().filter(|_| is_hex)?;
                name.push(u8::from_str_radix(digits, 16).ok()?);
            }
            _ => return None,
        }
    }
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &[u8], rows: u64) -> TableDigest {
        let digest = ContentDigest { row_count: rows, sum: u128::from(rows) << 100 | 7 };
        TableDigest { name: Identifier::from_bytes(name), digest }
    }

    fn list() -> DigestList {
        let header =
            ContentHeader { user_version: -1, application_id: i32::MAX, encoding: TextEncoding::Utf16Le };
        let names: [&[u8]; 12] = [
            b"events",
            b"",
            b" a b ",
            b"header",
            b"#t",
            b"a\nb\r\tc\0",
            b"\\x41",
            "größe 表".as_bytes(),
            "a\u{202e}b\u{feff}\u{2028}\u{a0}".as_bytes(),
            b"\xff\xfea",
            b"a  b",
            b"\\e",
        ];
        let tables = names.iter().zip(0..).map(|(name, rows)| table(name, rows));
        DigestList {
            header: Some(header),
            schema: Some(Sha256Digest::of(b"schema")),
            tables: tables.collect(),
        }
    }

    #[test]
    fn a_list_reads_back_whatever_the_names_are() {
        let list = list();
        let text = list.text();
        assert_eq!(text.lines().count(), 2 + list.tables.len(), "{text}");
        assert!(text.lines().all(|line| !line.ends_with(' ') && !line.starts_with('#')), "{text}");
        assert!(!text.contains(['\u{202e}', '\u{feff}', '\u{2028}', '\u{a0}', '\0', '\t']), "{text}");
        assert_eq!(DigestList::parse(text.as_bytes()).expect("reads"), list);
        let on_windows = format!("\u{feff}# a comment\r\n\r\n{}", text.replace('\n', "\r\n"));
        assert_eq!(DigestList::parse(on_windows.as_bytes()).expect("reads"), list);
    }

    #[test]
    fn a_line_looks_like_this() {
        let text = list().text();
        let mut lines = text.lines();
        let header = "user_version=-1,application_id=2147483647,encoding=UTF-16le  -  header";
        assert_eq!(lines.next(), Some(header));
        assert!(lines.next().is_some_and(|line| line.len() == 64 + 11 && line.ends_with("  -  schema")));
        assert_eq!(lines.next(), Some("00000000000000000000000000000007  0  events"));
        assert_eq!(lines.next(), Some("00000010000000000000000000000007  1  \\e"));
        assert_eq!(lines.next(), Some("00000020000000000000000000000007  2  \\x20a b\\x20"));
    }

    #[test]
    fn a_line_that_makes_no_sense_is_named() {
        let good = "00000000000000000000000000000007  0  events\n";
        for bad in [
            "events",
            "00000000000000000000000000000007 0 events",
            "0000000000000000000000000000007  0  short",
            "00000000000000000000000000000007  -1  t",
            "00000000000000000000000000000007  x  t",
            "00000000000000000000000000000007  0  ",
            "00000000000000000000000000000007  0  a\\q",
            "00000000000000000000000000000007  0  a\\x+1",
            "00000000000000000000000000000007  0  events",
            "00000000000000000000000000000007  -  events",
            "0000  -  schema",
            "user_version=1,application_id=2  -  header",
            "user_version=1,application_id=2,encoding=latin1  -  header",
            "user_version=1,application_id=2,encoding=UTF-8,page_size=4096  -  header",
        ] {
            let error = DigestList::parse(format!("# one\n{good}{bad}\n").as_bytes()).expect_err(bad);
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert!(error.message().starts_with("line 3 of the list"), "{bad}: {error}");
        }
        for nothing in [b"".as_slice(), b"# nothing\n\n", b"\xff"] {
            assert_eq!(DigestList::parse(nothing).expect_err("nothing").kind(), ErrorKind::Usage);
        }
    }
}
