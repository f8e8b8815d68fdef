//! Files of one dump or of one dump per line, read with no more in memory than one document.
//!
//! Which of the two a file is, its first line tells: where it is a document by itself and something follows, each line is
//! one. A line that is none then costs that line only. Where the first line itself is damaged, so that it cannot be the
//! beginning of a document of several lines either, the second one tells.

use std::collections::VecDeque;
use std::io::{BufRead, Chain, Cursor, Read};

use super::encoding::{self, Encoding, Text, to_u64};
use super::lines::{Line, Lines};
use super::{Dump, DumpOptions, read_part, too_large};
use crate::error::{Error, ErrorKind, Result};
use crate::local_storage::json::{Cut, Json, Kind};

/// The dumps of one file, each read as it is asked for.
#[derive(Debug)]
pub struct Dumps<R> {
    /// The first bytes, which tell the encoding, before the others.
    lines: Lines<Chain<Cursor<Vec<u8>>, R>>,
    options: DumpOptions,
    state: State,
    /// Lines of a file that had to be read as a whole.
    ready: VecDeque<Result<Dump>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    ByLine,
    Done,
}

impl<R: BufRead> Dumps<R> {
    /// Of a file's content from its first byte on.
    pub fn new(reader: R, options: DumpOptions) -> Self {
        let lines = Lines::new(Cursor::new(Vec::new()).chain(reader), options.max_bytes);
        Self { lines, options, state: State::New, ready: VecDeque::new() }
    }

    /// Reads as far as it takes to learn whether each line is a dump.
    fn begin(&mut self) -> Result<Dump> {
        self.state = State::Done;
        let head = self.read_head()?;
        let encoding = Encoding::of(&head);
        if let Encoding::Utf16 { .. } = encoding {
            *self.lines.reader().get_mut().0 = Cursor::new(head);
            let bytes = self.lines.rest(Vec::new())?.ok_or_else(|| too_large(&self.options))?;
            return self.whole(&encoding::decode(&bytes)?);
        }
        *self.lines.reader().get_mut().0 = Cursor::new(head);
        self.lines.skip(encoding.mark_bytes())?;
        let Some(first) = self.lines.next()? else {
            return self.whole(&encoding::decode(&[])?);
        };
        if first.is_too_long {
            return Err(too_large(&self.options));
        }
        if Json::parse(&first.bytes).is_err() {
            let start = first.start;
            let bytes = self.lines.rest(first.bytes)?.ok_or_else(|| too_large(&self.options))?;
            let text = Text::utf8(&bytes, start).map_err(|fault| {
                let position = start + to_u64(fault.at);
                fault.into_error(position, None)
            })?;
            return self.whole(&text);
        }
        if self.lines.skip_blank()? {
            self.state = State::ByLine;
            return self.line(&first, Some(first.number));
        }
        self.line(&first, None)
    }

    /// Enough to tell the encoding, however few bytes come at a time.
    fn read_head(&mut self) -> Result<Vec<u8>> {
        let mut head = Vec::new();
        let reader = self.lines.reader().get_mut().1;
        reader.take(3).read_to_end(&mut head).map_err(reading)?;
        Ok(head)
    }

    /// A file that is in memory as a whole.
    fn whole(&mut self, text: &Text<'_>) -> Result<Dump> {
        let dump = read_part(text, 0..usize::MAX, None, &self.options);
        if dump.is_ok() || !is_by_line(&text.content) {
            return dump;
        }
        let mut start = 0;
        for (line, number) in text.content.split_inclusive(|&byte| byte == b'\n').zip(1..) {
            let end = start + line.len();
            if !line.trim_ascii().is_empty() {
                self.ready.push_back(read_part(text, start..end, Some(number), &self.options));
            }
            start = end;
        }
        self.ready.pop_front().unwrap_or(dump)
    }

    fn line(&self, line: &Line, number: Option<u64>) -> Result<Dump> {
        if line.is_too_long {
            return Err(too_large(&self.options).at_row(line.number));
        }
        let text = Text::utf8(&line.bytes, line.start).map_err(|fault| {
            let position = line.start + to_u64(fault.at);
            fault.into_error(position, number)
        })?;
        read_part(&text, 0..usize::MAX, number, &self.options)
    }
}

/// Each dump in turn. An error of one line does not end the file; an error of reading does.
impl<R: BufRead> Iterator for Dumps<R> {
    type Item = Result<Dump>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(dump) = self.ready.pop_front() {
            return Some(dump);
        }
        match self.state {
            State::New => Some(self.begin()),
            State::Done => None,
            State::ByLine => match self.lines.next() {
                Ok(line) => line.map(|line| self.line(&line, Some(line.number))),
                Err(error) => {
                    self.state = State::Done;
                    Some(Err(error))
                }
            },
        }
    }
}

/// Whether each line is a document although the first one is none.
///
/// It must not be the beginning of a longer one: what is cut would give items that it never held.
fn is_by_line(content: &[u8]) -> bool {
    let mut lines = content.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    let (Some(first), Some(second)) = (lines.next(), lines.next()) else {
        return false;
    };
    let is_quoted = matches!(first.trim_ascii_start().first(), Some(b'"' | b'\'' | b'`'));
    let is_beginning = Json::parse(first).is_err_and(|error| error.cut == Cut::Elsewhere);
    let second = Json::parse(second).map(Json::kind);
    !is_quoted && !is_beginning && matches!(second, Ok(Kind::Object | Kind::Array))
}

/// An I/O failure; the caller knows the file.
pub(super) fn reading(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Failed, "reading the dump failed").because(error)
}
