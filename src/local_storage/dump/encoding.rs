//! The bytes of a text file as WTF-8, and the way back from a place in it to the byte in the file.

use std::borrow::Cow;
use std::cell::Cell;

use super::Fault;
use crate::error::Result;
use crate::local_storage::code_units::CodeUnits;

/// A text out of a file, or all of it.
#[derive(Debug)]
pub(super) struct Text<'a> {
    /// Without the byte order mark. WTF-8, since a file in UTF-16 can hold unpaired surrogates.
    pub(super) content: Cow<'a, [u8]>,
    /// The byte in the file where the content begins.
    start: u64,
    is_utf16: bool,
    /// The last place of UTF-16 that was asked for, and the units before it: where there are millions of lines, each begins
    /// to count where the one before it ended.
    counted: Cell<(usize, u64)>,
}

impl<'a> Text<'a> {
    /// Bytes that begin at `start` of a file and may be UTF-8.
    pub(super) fn utf8(bytes: &'a [u8], start: u64) -> Result<Self, Fault> {
        match std::str::from_utf8(bytes) {
            Ok(_) => Ok(Self::new(Cow::Borrowed(bytes), start, false)),
            Err(_) if is_binary(bytes) => Err(no_text()),
            Err(error) => {
                Err(Fault { hint: SAVE_AGAIN, ..Fault::new(error.valid_up_to(), "this is not UTF-8") })
            }
        }
    }

    /// The byte in the file where the byte `at` of the content comes from.
    pub(super) fn position(&self, at: usize) -> u64 {
        if !self.is_utf16 {
            return self.start + to_u64(at);
        }
        let (from, before) = match self.counted.get() {
            (from, before) if from <= at => (from, before),
            _ => (0, 0),
        };
        let part = self.content.get(from..at.min(self.content.len())).unwrap_or_default();
        let units = before + part.iter().map(|&byte| units_begun(byte)).sum::<u64>();
        self.counted.set((at, units));
        self.start + 2 * units
    }

    /// The same, with nothing of the file.
    pub(super) fn into_owned(self) -> Text<'static> {
        Text { content: Cow::Owned(self.content.into_owned()), ..self }
    }

    fn new(content: Cow<'a, [u8]>, start: u64, is_utf16: bool) -> Self {
        Self { content, start, is_utf16, counted: Cell::new((0, 0)) }
    }
}

/// Whether the beginning has characters that no text has: then no other encoding makes a dump of it.
pub(super) fn is_binary(bytes: &[u8]) -> bool {
    const HEAD_BYTES: usize = 512;
    bytes.iter().take(HEAD_BYTES).any(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace())
}

/// What is told of such a file.
pub(super) fn no_text() -> Fault {
    Fault::new(0, "this is no text")
}

/// How many code units a byte of WTF-8 begins: none inside a character, two where it takes four bytes.
fn units_begun(byte: u8) -> u64 {
    match byte {
        0x80..0xC0 => 0,
        0xF0.. => 2,
        _ => 1,
    }
}

/// How a file is encoded, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8 { mark: bool },
    Utf16 { mark: bool, high_first: bool },
}

impl Encoding {
    /// JSON has no U+0000 as it is, so two bytes tell UTF-16 even where the mark is missing.
    pub(super) fn of(head: &[u8]) -> Self {
        match head {
            [0xEF, 0xBB, 0xBF, ..] => Self::Utf8 { mark: true },
            [0xFF, 0xFE, ..] => Self::Utf16 { mark: true, high_first: false },
            [0xFE, 0xFF, ..] => Self::Utf16 { mark: true, high_first: true },
            [1..=0xFF, 0, ..] => Self::Utf16 { mark: false, high_first: false },
            [0, 1..=0xFF, ..] => Self::Utf16 { mark: false, high_first: true },
            _ => Self::Utf8 { mark: false },
        }
    }

    pub(super) fn mark_bytes(self) -> usize {
        match self {
            Self::Utf8 { mark: true } => 3,
            Self::Utf16 { mark: true, .. } => 2,
            _ => 0,
        }
    }
}

/// Decodes a whole file.
///
/// # Errors
/// [`ErrorKind::Damaged`](crate::error::ErrorKind::Damaged) with the byte where it is neither UTF-8 nor UTF-16.
pub(super) fn decode(bytes: &[u8]) -> Result<Text<'_>> {
    let encoding = Encoding::of(bytes);
    let rest = bytes.get(encoding.mark_bytes()..).unwrap_or_default();
    let start = to_u64(encoding.mark_bytes());
    let Encoding::Utf16 { high_first, .. } = encoding else {
        return Text::utf8(rest, start).map_err(|fault| {
            let position = start + to_u64(fault.at);
            fault.into_error(position, None)
        });
    };
    let (pairs, half) = rest.as_chunks::<2>();
    if !half.is_empty() {
        let at = bytes.len() - half.len();
        let fault =
            Fault { hint: SAVE_AGAIN, ..Fault::new(at, "a file of two-byte units ends inside one of them") };
        return Err(fault.into_error(to_u64(at), None));
    }
    let unit = if high_first { u16::from_be_bytes } else { u16::from_le_bytes };
    let content = CodeUnits::new(pairs.iter().copied().map(unit).collect()).to_wtf8();
    Ok(Text::new(Cow::Owned(content), start, true))
}

/// Sizes in memory fit 64 bits.
pub(super) fn to_u64(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

const SAVE_AGAIN: &str = "save the dump again as UTF-8, or as UTF-16 with a byte order mark";

/// The first characters of a file, ASCII ones as they are and all others as 0xFF.
pub(super) fn ascii_head(head: &[u8]) -> Vec<u8> {
    let encoding = Encoding::of(head);
    let rest = head.get(encoding.mark_bytes()..).unwrap_or_default();
    let Encoding::Utf16 { high_first, .. } = encoding else {
        return rest.to_vec();
    };
    let (pairs, _) = rest.as_chunks::<2>();
    let unit = if high_first { u16::from_be_bytes } else { u16::from_le_bytes };
    pairs.iter().map(|&pair| u8::try_from(unit(pair)).unwrap_or(0xFF)).collect()
}
