//! Text dumps of localStorage, in every form in which people have them.
//!
//! | form | how it comes about |
//! | --- | --- |
//! | an object of strings | `JSON.stringify(localStorage)`, `copy(localStorage)` |
//! | any of these as a JavaScript string | "copy as JSON literal", "copy as JavaScript literal" |
//! | `[["key","value"],…]` | `Object.entries(localStorage)` |
//! | `[{"name":…,"value":…},…]`, also with `key` | helper scripts, extensions |
//! | an object with values that are JSON already | helper scripts |
//! | `{"state":…,"version":…}` and the like | the value of a single store, whose key the caller must name |
//! | `{"cookies":[…],"origins":[…]}` | Playwright's `storageState` |
//! | `{"origin":"…","localStorage":…}`, `{"localStorage":…,"sessionStorage":…}` | one origin of that, or made by hand |
//! | an array of these, `{"https://…":{…},…}` | helper scripts |
//! | one of them per line | NDJSON: [`Dumps`] |
//!
//! UTF-8 with or without a byte order mark and UTF-16 are read. What a form is, is decided by content only. A file that is
//! cut, damaged or something else gives an error with the byte where it shows, and no item.

mod collect;
mod encoding;
mod lines;
mod literal;
mod problems;
mod shapes;
mod storage_state;
mod stream;

pub use stream::Dumps;

use std::ops::Range;

use encoding::Text;

use super::code_units::CodeUnits;
use super::item::Reading;
use super::json::{Cut, Json, Syntax};
use crate::error::{Error, ErrorKind, Result};

/// What a reader of dumps must be told, and its limits.
#[derive(Debug, Clone)]
pub struct DumpOptions {
    /// The key of documents that are the value of a single store.
    pub key: Option<CodeUnits>,
    /// The largest document, in bytes.
    pub max_bytes: usize,
    /// The longest value, in code units; a longer one is left out, and a problem.
    pub max_value_units: usize,
}

/// Browsers allow some 5 million units per origin; escaped, that is several times as many bytes.
impl Default for DumpOptions {
    fn default() -> Self {
        Self { key: None, max_bytes: 64 << 20, max_value_units: 16 << 20 }
    }
}

/// What a document turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DumpForm {
    /// An object of strings.
    Object,
    /// An object, some of whose values are JSON already.
    ParsedObject,
    /// An array of keys with their values.
    Entries,
    /// An array of objects with `name` or `key`, and `value`.
    Named,
    /// The value of one store.
    SingleValue,
    /// A `storageState` of Playwright.
    StorageState,
    /// One origin with its items.
    OneOrigin,
    /// Several of them, as an array or by name.
    Origins,
}

impl DumpForm {
    /// A stable lower-case name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Object => "json-object",
            Self::ParsedObject => "json-parsed-object",
            Self::Entries => "json-entries",
            Self::Named => "json-named",
            Self::SingleValue => "json-value",
            Self::StorageState => "playwright-storage-state",
            Self::OneOrigin => "json-origin",
            Self::Origins => "json-origins",
        }
    }
}

/// One dump that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dump {
    /// What it was.
    pub form: DumpForm,
    /// Its line, counted from 1, where each line of the file is a dump of its own.
    pub line: Option<u64>,
    /// What it holds.
    pub reading: Reading,
}

/// Whether a file that begins like this can be a text dump at all.
#[must_use]
pub fn could_be_dump(head: &[u8]) -> bool {
    let units = encoding::ascii_head(head);
    let first = units.into_iter().find(|byte| !byte.is_ascii_whitespace());
    matches!(first, Some(b'{' | b'[' | b'"' | b'\'' | b'`'))
}

/// Reads a document that is one dump.
///
/// # Errors
/// [`ErrorKind::Damaged`] with the byte where it shows that this is no dump, ends too early or goes on, and above the limit;
/// [`ErrorKind::Usage`] for the value of a single store whose key was not given.
pub fn read_dump(bytes: &[u8], options: &DumpOptions) -> Result<Dump> {
    if bytes.len() > options.max_bytes {
        return Err(too_large(options, None));
    }
    read_part(&encoding::decode(bytes)?, 0..usize::MAX, None, options)
}

/// Reads the document that a part of `text` is.
fn read_part(text: &Text<'_>, part: Range<usize>, line: Option<u64>, options: &DumpOptions) -> Result<Dump> {
    let end = part.end.min(text.content.len());
    let content = text.content.get(part.start..end).unwrap_or_default();
    let (form, mut reading) = read_text(content, options, 0).map_err(|fault| {
        let position = text.position(part.start + fault.at);
        fault.into_error(position, line)
    })?;
    if let Some(line) = line {
        for problem in &mut reading.problems {
            problem.place = format!("line {line}, {}", problem.place);
        }
    }
    Ok(Dump { form, line, reading })
}

fn too_large(options: &DumpOptions, line: Option<u64>) -> Error {
    let message = format!("the dump is larger than {} bytes{}", options.max_bytes, in_line(line));
    Error::new(ErrorKind::Damaged, message)
        .hint("a browser keeps some 10 MB per origin; put several dumps into files or lines of their own")
}

/// What is wrong with a text, and where in it.
#[derive(Debug)]
struct Fault {
    at: usize,
    what: String,
    kind: ErrorKind,
    hint: &'static str,
}

/// What a dump can be, for those who gave something else.
pub const FORMS: &str = "a dump is what JSON.stringify(localStorage), Object.entries(localStorage) or Playwright's storageState \
    give";

impl Fault {
    /// No dump, or a damaged one.
    fn new(at: usize, what: impl Into<String>) -> Self {
        Self { at, what: what.into(), kind: ErrorKind::Damaged, hint: FORMS }
    }

    /// `position` is the byte in the file.
    fn into_error(self, position: u64, line: Option<u64>) -> Error {
        Error::new(self.kind, format!("{}, at byte {position}{}", self.what, in_line(line))).hint(self.hint)
    }
}

fn in_line(line: Option<u64>) -> String {
    line.map(|line| format!(" (line {line})")).unwrap_or_default()
}

/// How often a document may be a string of a document: once is met, twice happens.
const MAX_QUOTES: usize = 3;

fn read_text(text: &[u8], options: &DumpOptions, quotes: usize) -> Result<(DumpForm, Reading), Fault> {
    let start = text.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    match text.get(start) {
        None if quotes == 0 => Err(Fault::new(start, "the file is empty")),
        None => Err(Fault::new(start, "there is nothing")),
        Some(b'"' | b'\'' | b'`') => read_quoted(text, start, options, quotes),
        Some(_) => {
            let json = Json::parse(text).map_err(|error| syntax(text, error))?;
            shapes::read(text, json, options)
        }
    }
}

fn read_quoted(
    text: &[u8],
    start: usize,
    options: &DumpOptions,
    quotes: usize,
) -> Result<(DumpForm, Reading), Fault> {
    if quotes == MAX_QUOTES {
        return Err(Fault::new(start, "this is a string of a string of a string, and so on"));
    }
    let content = literal::read(text, start)?.to_wtf8();
    read_text(&content, options, quotes + 1).map_err(|fault| Fault {
        at: start,
        what: format!("inside the quotes: {} (byte {} of what they hold)", fault.what, fault.at),
        ..fault
    })
}

fn syntax(text: &[u8], error: Syntax) -> Fault {
    // Only there the rest can be another document.
    let goes_on = Json::parse(text.get(..error.at).unwrap_or_default()).is_ok();
    let begins = text.get(error.at).is_some_and(|byte| matches!(byte, b'{' | b'[' | b'"'));
    if goes_on && begins {
        let hint = "put each dump into a file or a line of its own";
        return Fault { hint, ..Fault::new(error.at, "a second document begins") };
    }
    let start = text.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    if error.at == start && !could_be_dump(text.get(start..).unwrap_or_default()) {
        return Fault::new(start, "it does not begin like a dump");
    }
    let hint = if error.cut == Cut::No { FORMS } else { "the file was cut: save the dump again" };
    Fault { hint, ..Fault::new(error.at, error.what) }
}

#[cfg(test)]
mod tests;
