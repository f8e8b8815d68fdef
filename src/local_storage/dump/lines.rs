//! The lines of a file that has no end to its length, with where each begins.

use std::io::BufRead;

use super::encoding::to_u64;
use super::stream::reading;
use crate::error::Result;

/// Lines that are not blank.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: R,
    max_bytes: usize,
    /// How many bytes were taken.
    taken: u64,
    /// How many line breaks were taken.
    breaks: u64,
}

/// One line.
#[derive(Debug)]
pub(super) struct Line {
    /// With its line break; nothing if it is too long.
    pub(super) bytes: Vec<u8>,
    /// Where it begins in the file.
    pub(super) start: u64,
    /// From 1 on, blank ones counted.
    pub(super) number: u64,
    /// Longer than a document may be.
    pub(super) is_too_long: bool,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R, max_bytes: usize) -> Self {
        Self { reader, max_bytes, taken: 0, breaks: 0 }
    }

    pub(super) fn reader(&mut self) -> &mut R {
        &mut self.reader
    }

    /// Takes some bytes that are there.
    pub(super) fn skip(&mut self, count: usize) -> Result<()> {
        let mut left = count;
        while left > 0 {
            let there = self.reader.fill_buf().map_err(reading)?.len().min(left);
            if there == 0 {
                break;
            }
            self.consume(there, 0);
            left -= there;
        }
        Ok(())
    }

    /// Takes white space; whether something follows it.
    pub(super) fn skip_blank(&mut self) -> Result<bool> {
        loop {
            let buffer = self.reader.fill_buf().map_err(reading)?;
            if buffer.is_empty() {
                return Ok(false);
            }
            let blank = buffer.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let breaks = buffer.iter().take(blank).filter(|&&byte| byte == b'\n').count();
            let is_all = blank == buffer.len();
            self.consume(blank, breaks);
            if !is_all {
                return Ok(true);
            }
        }
    }

    /// The next line that is not blank, from its first character on. One that is too long is passed over to its end.
    pub(super) fn next(&mut self) -> Result<Option<Line>> {
        if !self.skip_blank()? {
            return Ok(None);
        }
        let mut line =
            Line { bytes: Vec::new(), start: self.taken, number: self.breaks + 1, is_too_long: false };
        loop {
            let buffer = self.reader.fill_buf().map_err(reading)?;
            let end = buffer.iter().position(|&byte| byte == b'\n');
            let part = buffer.get(..end.map_or(buffer.len(), |end| end + 1)).unwrap_or(buffer);
            line.is_too_long |= line.bytes.len().saturating_add(part.len()) > self.max_bytes;
            if line.is_too_long {
                line.bytes = Vec::new();
            } else {
                line.bytes.extend_from_slice(part);
            }
            let length = part.len();
            self.consume(length, usize::from(end.is_some()));
            if end.is_some() || length == 0 {
                return Ok(Some(line));
            }
        }
    }

    /// `begun` and everything that follows; `None` if that is more than a document may be.
    pub(super) fn rest(&mut self, begun: Vec<u8>) -> Result<Option<Vec<u8>>> {
        let mut bytes = begun;
        loop {
            let buffer = self.reader.fill_buf().map_err(reading)?;
            if buffer.is_empty() {
                return Ok(Some(bytes));
            }
            if bytes.len().saturating_add(buffer.len()) > self.max_bytes {
                return Ok(None);
            }
            bytes.extend_from_slice(buffer);
            let length = buffer.len();
            self.consume(length, 0);
        }
    }

    fn consume(&mut self, bytes: usize, breaks: usize) {
        self.reader.consume(bytes);
        self.taken += to_u64(bytes);
        self.breaks += to_u64(breaks);
    }
}
