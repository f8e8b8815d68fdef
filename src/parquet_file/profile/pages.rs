//! The pages of a column chunk, walked from header to header before any of them is decoded.
//!
//! A decoder believes a page header: it reserves what the header claims, decompresses into it, and goes on where
//! the header says the page ends. So the headers must fill their chunk to the byte, add up to what the footer
//! states, and claim no more than their bytes can hold.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use super::chunk::check_encoding;
use super::compact::{Compact, Kind, Parsed};
use super::footer::{BYTE_ARRAY, PLAIN, RLE, RLE_DICTIONARY};

/// Most bytes of a page header of ours: three sizes, a count and three encodings.
const HEADER_BYTES: usize = 64;

/// A block of zstd holds at most this many bytes, and takes at least [`BLOCK_MIN_BYTES`]: so a page that claims
/// more than its blocks could hold is a lie, however well it is compressed.
///
/// Source: RFC 8878, "Zstandard Compression", section 3.1.1.2.
const BLOCK_MAX_CONTENT: u64 = 128 * 1024;

/// A block's header of three bytes, and one byte.
const BLOCK_MIN_BYTES: u64 = 4;

/// The bytes beside a value: a text's or blob's length in a dictionary.
const LENGTH_BYTES: i64 = 4;

const DATA_PAGE: i32 = 0;
const DICTIONARY_PAGE: i32 = 2;

const UNKNOWN_FIELD: &str = "a page header has a field that parklite does not write";

/// What the footer, which was checked, says of a column chunk.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChunkClaim {
    pub(super) start: u64,
    pub(super) size: u64,
    pub(super) uncompressed: i64,
    pub(super) rows: i64,
    pub(super) physical_type: i32,
    pub(super) is_compressed: bool,
    /// Where the data pages begin.
    pub(super) data_start: u64,
}

/// What a reader of a column chunk holds with one page and the dictionary in hand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    /// All of it, in bytes: the page as it is in the file, too.
    pub(super) bytes: u64,
    /// The largest page or the dictionary, in bytes.
    pub(super) largest_bytes: u64,
}

/// Walks the pages of a chunk; returns what a reader of it holds.
pub(super) fn walk(mut file: &File, chunk: &ChunkClaim) -> std::io::Result<Parsed<Held>> {
    let end = chunk.start + chunk.size;
    let mut walk =
        Walk { chunk, rows: 0, uncompressed: 0, dictionary_bytes: None, page_bytes: 0, largest_bytes: 0 };
    let mut at = chunk.start;
    while at < end {
        let mut head = [0; HEADER_BYTES];
        let size = usize::try_from(end - at).unwrap_or(usize::MAX).min(HEADER_BYTES);
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut head[..size])?;
        match walk.add(&head[..size], at) {
            Ok(next) if next <= end => at = next,
            Ok(_) => return Ok(Err("a page goes beyond its column chunk".into())),
            Err(flaw) => return Ok(Err(flaw)),
        }
    }
    Ok(walk.finish())
}

struct Walk<'a> {
    chunk: &'a ChunkClaim,
    rows: i64,
    uncompressed: i64,
    dictionary_bytes: Option<u64>,
    /// The largest page together with what it is decompressed from.
    page_bytes: u64,
    largest_bytes: u64,
}

impl Walk<'_> {
    /// Takes in the page that begins at `at`; returns where it ends.
    fn add(&mut self, head: &[u8], at: u64) -> Parsed<u64> {
        let mut compact = Compact::new(head);
        let header = Header::read(&mut compact)?;
        let header_bytes = head.len() - compact.left();
        let (Ok(compressed), Ok(uncompressed)) =
            (u64::try_from(header.compressed), u64::try_from(header.uncompressed))
        else {
            return Err("a page has a negative size".into());
        };
        let most = if self.chunk.is_compressed {
            compressed / BLOCK_MIN_BYTES * BLOCK_MAX_CONTENT
        } else {
            compressed
        };
        if uncompressed > most {
            let what = format!("a page of {compressed} bytes claims to hold {uncompressed}");
            return Err(what.into());
        }
        self.uncompressed += i64::from(header.uncompressed) + i64::try_from(header_bytes).unwrap_or(0);
        if self.uncompressed > self.chunk.uncompressed {
            return Err("its pages hold more than the footer states".into());
        }
        self.largest_bytes = self.largest_bytes.max(uncompressed);
        match header.page {
            Page::Dictionary { values } => {
                if at != self.chunk.start {
                    return Err("a dictionary stands among the data pages".into());
                }
                self.check_dictionary(values, header.uncompressed)?;
                self.dictionary_bytes = Some(uncompressed);
            }
            Page::Data { values, encoding } => {
                if self.rows == 0 && at != self.chunk.data_start {
                    return Err("its data pages do not begin where the footer states".into());
                }
                check_encoding(encoding, self.chunk.physical_type)?;
                if encoding == RLE || (encoding == RLE_DICTIONARY && self.dictionary_bytes.is_none()) {
                    return Err("a page is encoded in a way that parklite does not write".into());
                }
                if values <= 0 || i64::from(values) > self.chunk.rows - self.rows {
                    return Err("its pages have other rows than the footer states".into());
                }
                self.rows += i64::from(values);
                self.page_bytes = self.page_bytes.max(uncompressed + compressed);
            }
        }
        Ok(at + header_bytes as u64 + compressed)
    }

    fn check_dictionary(&self, values: i32, uncompressed: i32) -> Parsed<()> {
        let (values, size) = (i64::from(values), i64::from(uncompressed));
        let fits = match self.chunk.physical_type {
            BYTE_ARRAY => values * LENGTH_BYTES <= size,
            _ => values * size_of::<i64>().cast_signed() as i64 == size,
        };
        // A chunk of NULLs has an empty one.
        if (0..=self.chunk.rows).contains(&values) && fits {
            Ok(())
        } else {
            Err(format!("a dictionary of {size} bytes claims {values} entries").into())
        }
    }

    fn finish(self) -> Parsed<Held> {
        if self.rows != self.chunk.rows || self.uncompressed != self.chunk.uncompressed {
            return Err("its pages hold less than the footer states".into());
        }
        let bytes = self.page_bytes + self.dictionary_bytes.unwrap_or(0);
        Ok(Held { bytes, largest_bytes: self.largest_bytes })
    }
}

enum Page {
    Data { values: i32, encoding: i32 },
    Dictionary { values: i32 },
}

struct Header {
    uncompressed: i32,
    compressed: i32,
    page: Page,
}

impl Header {
    fn read(compact: &mut Compact<'_>) -> Parsed<Self> {
        let (mut kind, mut uncompressed, mut compressed, mut page) = (None, None, None, None);
        let mut last = 0;
        while let Some(field) = compact.field(&mut last)? {
            match field {
                (1, Kind::I32) => kind = Some(compact.i32()?),
                (2, Kind::I32) => uncompressed = Some(compact.i32()?),
                (3, Kind::I32) => compressed = Some(compact.i32()?),
                (5, Kind::Struct) if kind == Some(DATA_PAGE) => page = Some(read_data(compact)?),
                (7, Kind::Struct) if kind == Some(DICTIONARY_PAGE) => page = Some(read_dictionary(compact)?),
                _ => return Err(UNKNOWN_FIELD.into()),
            }
        }
        match (uncompressed, compressed, page) {
            (Some(uncompressed), Some(compressed), Some(page)) => Ok(Self { uncompressed, compressed, page }),
            _ => Err("a page header lacks a field".into()),
        }
    }
}

fn read_data(compact: &mut Compact<'_>) -> Parsed<Page> {
    let (mut values, mut encoding) = (None, None);
    let (mut levels, mut last) = (0, 0);
    while let Some(field) = compact.field(&mut last)? {
        match field {
            (1, Kind::I32) => values = Some(compact.i32()?),
            (2, Kind::I32) => encoding = Some(compact.i32()?),
            (3 | 4, Kind::I32) if compact.i32()? == RLE => levels += 1,
            _ => return Err(UNKNOWN_FIELD.into()),
        }
    }
    match (values, encoding, levels) {
        (Some(values), Some(encoding), 2) => Ok(Page::Data { values, encoding }),
        _ => Err("a page header lacks a field".into()),
    }
}

fn read_dictionary(compact: &mut Compact<'_>) -> Parsed<Page> {
    let (mut values, mut is_plain, mut last) = (None, false, 0);
    while let Some(field) = compact.field(&mut last)? {
        match field {
            (1, Kind::I32) => values = Some(compact.i32()?),
            (2, Kind::I32) => is_plain = compact.i32()? == PLAIN,
            (3, Kind::True | Kind::False) => {}
            _ => return Err(UNKNOWN_FIELD.into()),
        }
    }
    match (values, is_plain) {
        (Some(values), true) => Ok(Page::Dictionary { values }),
        _ => Err("a dictionary is encoded in a way that parklite does not write".into()),
    }
}
