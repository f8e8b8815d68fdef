//! Files of one dump or of one dump per line, read with no more in memory than one document.
//!
//! Which of the two a file is, its first line tells: where it is a document by itself and something follows, each line is
//! one. A line that is none then costs that line only. Where the first line itself is damaged or too long, so that it cannot
//! be the beginning of a document of several lines either, the second one tells.

use std::io::{BufRead, Chain, Cursor, Read};

use super::encoding::{self, Encoding, Text, to_u64};
use super::lines::{Line, Lines};
use super::{Dump, DumpOptions, literal, read_part, too_large};
use crate::error::{Error, ErrorKind, Result};
use crate::local_storage::json::{Cut, Json};

/// The dumps of one file, each read as it is asked for.
#[derive(Debug)]
pub struct Dumps<R> {
    /// The first bytes, which tell the encoding, before the others.
    lines: Lines<Chain<Cursor<Vec<u8>>, R>>,
    options: DumpOptions,
    state: State,
    /// The second line, where it was read to learn what the file is.
    ready: Option<Result<Dump>>,
    /// The lines of a file that had to be read as a whole.
    inside: Option<Inside>,
}

/// A text whose lines are dumps, as far as they were read.
#[derive(Debug)]
struct Inside {
    text: Text<'static>,
    /// Where the next line begins.
    at: usize,
    /// How many lines were taken.
    taken: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    ByLine,
    /// By line, in a text that is in memory.
    Inside,
    Done,
}

impl<R: BufRead> Dumps<R> {
    /// Of a file's content from its first byte on.
    pub fn new(reader: R, options: DumpOptions) -> Self {
        let lines = Lines::new(Cursor::new(Vec::new()).chain(reader), options.max_bytes);
        Self { lines, options, state: State::New, ready: None, inside: None }
    }

    /// Reads as far as it takes to learn whether each line is a dump.
    fn begin(&mut self) -> Result<Dump> {
        self.state = State::Done;
        let head = self.read_head()?;
        let encoding = Encoding::of(&head);
        if let Encoding::Utf16 { .. } = encoding {
            *self.lines.reader().get_mut().0 = Cursor::new(head);
            let bytes = self.lines.rest(Vec::new())?.ok_or_else(|| too_large(&self.options, None))?;
            return self.whole(encoding::decode(&bytes)?.into_owned());
        }
        *self.lines.reader().get_mut().0 = Cursor::new(head);
        self.lines.skip(encoding.mark_bytes())?;
        let Some(first) = self.lines.next()? else {
            return self.whole(encoding::decode(&[])?);
        };
        match begins(&first) {
            Begins::Document if self.lines.skip_blank()? => {
                self.state = State::ByLine;
                self.line(&first, Some(first.number))
            }
            Begins::Document => self.line(&first, None),
            Begins::Longer => {
                let start = first.start;
                let rest = self.lines.rest(first.bytes)?;
                let bytes = rest.ok_or_else(|| too_large(&self.options, None))?;
                let text = Text::utf8(&bytes, start).map_err(|fault| {
                    let position = start + to_u64(fault.at);
                    fault.into_error(position, None)
                })?;
                read_part(&text, 0..usize::MAX, None, &self.options)
            }
            Begins::Nothing => match self.lines.next()? {
                Some(second) if holds_dump(&second.bytes) => {
                    self.state = State::ByLine;
                    self.ready = Some(self.line(&second, Some(second.number)));
                    self.line(&first, Some(first.number))
                }
                // The first line of a picture may have no character that gives it away.
                Some(second)
                    if std::str::from_utf8(&first.bytes).is_err() && encoding::is_binary(&second.bytes) =>
                {
                    Err(encoding::no_text().into_error(first.start, None))
                }
                _ => self.line(&first, None),
            },
        }
    }

    /// Enough to tell the encoding, however few bytes come at a time.
    fn read_head(&mut self) -> Result<Vec<u8>> {
        let mut head = Vec::new();
        let reader = self.lines.reader().get_mut().1;
        reader.take(3).read_to_end(&mut head).map_err(reading)?;
        Ok(head)
    }

    /// A file that is in memory as a whole.
    fn whole(&mut self, text: Text<'static>) -> Result<Dump> {
        if !is_by_line(&text.content) {
            return read_part(&text, 0..usize::MAX, None, &self.options);
        }
        self.state = State::Inside;
        let inside = self.inside.insert(Inside { text, at: 0, taken: 0 });
        let first = inside.next(&self.options);
        first.unwrap_or_else(|| read_part(&inside.text, 0..usize::MAX, None, &self.options))
    }

    fn line(&self, line: &Line, number: Option<u64>) -> Result<Dump> {
        if line.is_too_long {
            return Err(too_large(&self.options, number));
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
        if let Some(dump) = self.ready.take() {
            return Some(dump);
        }
        match self.state {
            State::New => Some(self.begin()),
            State::Done => None,
            State::Inside => self.inside.as_mut()?.next(&self.options),
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

impl Inside {
    /// The dump of the next line that is not blank.
    fn next(&mut self, options: &DumpOptions) -> Option<Result<Dump>> {
        loop {
            let rest = self.text.content.get(self.at..).filter(|rest| !rest.is_empty())?;
            let line = rest.split_inclusive(|&byte| byte == b'\n').next()?;
            let part = self.at..self.at + line.len();
            let is_blank = line.trim_ascii().is_empty();
            self.at = part.end;
            self.taken += 1;
            if !is_blank {
                return Some(read_part(&self.text, part, Some(self.taken), options));
            }
        }
    }
}

/// What a first line is.
enum Begins {
    /// A document by itself.
    Document,
    /// The beginning of a document of several lines.
    Longer,
    /// Neither of them, however it goes on.
    Nothing,
}

fn begins(line: &Line) -> Begins {
    if line.is_too_long { Begins::Nothing } else { begins_with(&line.bytes) }
}

fn begins_with(line: &[u8]) -> Begins {
    let start = line.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    match line.get(start) {
        Some(quote @ (b'"' | b'\'' | b'`')) => match literal::read(line, start) {
            Ok(_) => Begins::Document,
            // Only between these a string goes on in the next line.
            Err(fault) if *quote == b'`' && fault.at >= line.len() => Begins::Longer,
            Err(_) => Begins::Nothing,
        },
        _ => match Json::parse(line) {
            Ok(_) => Begins::Document,
            // What is cut must not be taken for a line: it would give items that it never held.
            Err(error) if error.cut == Cut::Elsewhere => Begins::Longer,
            Err(_) => Begins::Nothing,
        },
    }
}

/// Whether a line is a document that can be a dump.
fn holds_dump(line: &[u8]) -> bool {
    let can_be = matches!(line.trim_ascii_start().first(), Some(b'{' | b'[' | b'"' | b'\'' | b'`'));
    can_be && matches!(begins_with(line), Begins::Document)
}

/// Whether each line is a document, or would be but for the first one.
fn is_by_line(content: &[u8]) -> bool {
    let mut lines =
        content.split_inclusive(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    let (Some(first), Some(second)) = (lines.next(), lines.next()) else {
        return false;
    };
    match begins_with(first) {
        Begins::Document => true,
        Begins::Longer => false,
        Begins::Nothing => holds_dump(second),
    }
}

/// An I/O failure; the caller knows the file.
pub(super) fn reading(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Failed, "reading the dump failed").because(error)
}
