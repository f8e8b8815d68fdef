//! What is in a WAL, told from its bytes alone: which pages were committed, and whether its end is what SQLite left.
//!
//! SQLite takes a WAL up to its last commit and ignores what does not fit behind that, without a word: frames that were
//! torn or changed look like an end. Whoever reads a database that may be damaged asks here first.
//!
//! Source: SQLite, "WAL-mode File Format", sections 1 to 4, and "Database File Format", section 4.

use std::collections::BTreeSet;
use std::io::{self, Read, Seek, SeekFrom};

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
/// The magic number, but for its lowest bit, which tells the byte order of the checksums.
const MAGIC: u32 = 0x377f_0682;
const FORMAT: u32 = 3_007_000;

/// What a WAL holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct WalFrames {
    /// The numbers of the pages up to the last commit.
    pub(super) committed_pages: BTreeSet<u32>,
    /// What is wrong behind the last commit, one line; `None` where it ends as SQLite leaves it.
    pub(super) loss: Option<String>,
}

/// Reads a whole WAL.
///
/// # Errors
/// Those of reading.
pub(super) fn read_wal(wal: &mut (impl Read + Seek)) -> io::Result<WalFrames> {
    let size = wal.seek(SeekFrom::End(0))?;
    wal.seek(SeekFrom::Start(0))?;
    let mut found = WalFrames::default();
    if size == 0 {
        return Ok(found);
    }
    let mut header = [0; HEADER_BYTES];
    let Some(header) = (size >= HEADER_BYTES as u64)
        .then(|| wal.read_exact(&mut header))
        .transpose()?
        .and_then(|()| Header::decode(&header))
    else {
        found.loss = Some("the WAL has no header that makes sense: nothing of it can be read".to_owned());
        return Ok(found);
    };
    let frame_bytes = (FRAME_HEADER_BYTES + header.page_bytes) as u64;
    let frames = (size - HEADER_BYTES as u64) / frame_bytes;
    let has_rest = !(size - HEADER_BYTES as u64).is_multiple_of(frame_bytes);
    let mut frame = vec![0; FRAME_HEADER_BYTES + header.page_bytes];
    let mut checksum = header.checksum;
    let mut pages = BTreeSet::new();
    for ordinal in 1..=frames {
        wal.read_exact(&mut frame)?;
        let read = Frame::decode(&header, checksum, &frame);
        if read.salts != Salts::Own || !read.has_checksum {
            // What an earlier use of the file left has other salts, and so has everything behind it.
            let mut left = frames - ordinal;
            let is_earlier = match read.salts {
                Salts::Own => false,
                Salts::Earlier => true,
                Salts::Foreign => {
                    let first = frame.clone();
                    left > 0 && {
                        wal.read_exact(&mut frame)?;
                        left -= 1;
                        header.goes_on(&first, &frame)
                    }
                }
            };
            let is_of_earlier_use = is_earlier && !read.has_checksum && !follow(wal, &header, left)?;
            found.loss = (!is_of_earlier_use).then(|| {
                format!("frame {ordinal} of {frames} of the WAL is damaged: it and what follows is lost")
            });
            if found.loss.is_none() && !pages.is_empty() {
                found.loss = Some(unfinished());
            }
            return Ok(found);
        }
        checksum = read.checksum;
        pages.insert(read.page);
        if read.is_commit {
            found.committed_pages.append(&mut pages);
        }
    }
    if has_rest {
        found.loss = Some("the WAL ends inside a frame: its last changes are lost".to_owned());
    } else if !pages.is_empty() {
        found.loss = Some(unfinished());
    }
    Ok(found)
}

fn unfinished() -> String {
    "the WAL ends inside a transaction, which is left out".to_owned()
}

/// Whether any of the next `count` frames is of the same use of the file.
fn follow(wal: &mut (impl Read + Seek), header: &Header, count: u64) -> io::Result<bool> {
    let mut frame_header = [0; FRAME_HEADER_BYTES];
    let page_bytes = i64::try_from(header.page_bytes).unwrap_or(i64::MAX);
    for _ in 0..count {
        wal.read_exact(&mut frame_header)?;
        wal.seek(SeekFrom::Current(page_bytes))?;
        if frame_header[8..16] == header.salts {
            return Ok(true);
        }
    }
    Ok(false)
}

struct Header {
    page_bytes: usize,
    salts: [u8; 8],
    checksum: [u32; 2],
    is_big_endian: bool,
}

impl Header {
    fn decode(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let magic = word(bytes, 0);
        let is_big_endian = magic == MAGIC | 1;
        let page_bytes = usize::try_from(word(bytes, 8)).ok()?;
        let is_known = (magic == MAGIC || is_big_endian)
            && word(bytes, 4) == FORMAT
            && (512..=65_536).contains(&page_bytes)
            && page_bytes.is_power_of_two();
        let checksum = sum([0, 0], &bytes[..24], is_big_endian);
        let is_whole = checksum == [word(bytes, 24), word(bytes, 28)];
        let salts = bytes[16..24].try_into().ok()?;
        (is_known && is_whole).then_some(Self { page_bytes, salts, checksum, is_big_endian })
    }

    /// Which use of the file these salts are of.
    ///
    /// SQLite counts the first one up when it begins a WAL anew after a checkpoint, and draws lots for the second one. Where
    /// no checkpoint was ever noted in a WAL of which nothing was committed, it draws lots for both.
    fn salts_in(&self, salts: &[u8]) -> Salts {
        /// More often than this no file was begun anew.
        const MOST_USES: u32 = 1 << 24;
        let uses = word(&self.salts, 0).wrapping_sub(word(salts, 0));
        if salts == self.salts {
            Salts::Own
        } else if (1..MOST_USES).contains(&uses) && salts != [0; 8] {
            Salts::Earlier
        } else {
            Salts::Foreign
        }
    }

    /// Whether two frames that stand together are of one other use of the file: with the same salts, and the checksum of the
    /// second goes on from that of the first. Noise has no such checksum. Zeros have, and are what is left where the system
    /// went down before a frame was written.
    fn goes_on(&self, first: &[u8], second: &[u8]) -> bool {
        let salts = &first[8..16];
        let before = [word(first, 16), word(first, 20)];
        salts != [0; 8] && salts == &second[8..16] && Frame::decode(self, before, second).has_checksum
    }
}

/// Which use of the file a frame is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Salts {
    Own,
    /// One before, which is over.
    Earlier,
    /// One before, or none: the frame alone does not tell.
    Foreign,
}

struct Frame {
    page: u32,
    is_commit: bool,
    salts: Salts,
    has_checksum: bool,
    checksum: [u32; 2],
}

impl Frame {
    fn decode(header: &Header, before: [u32; 2], bytes: &[u8]) -> Self {
        let (head, page) = bytes.split_at(FRAME_HEADER_BYTES);
        let checksum = sum(sum(before, &head[..8], header.is_big_endian), page, header.is_big_endian);
        Self {
            page: word(head, 0),
            is_commit: word(head, 4) != 0,
            salts: header.salts_in(&head[8..16]),
            has_checksum: checksum == [word(head, 16), word(head, 20)],
            checksum,
        }
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_be_bytes)
}

/// The checksum of `bytes`, a multiple of eight of them, that goes on from another one.
fn sum([mut first, mut second]: [u32; 2], bytes: &[u8], is_big_endian: bool) -> [u32; 2] {
    let (pairs, _) = bytes.as_chunks::<8>();
    for &[a, b, c, d, e, f, g, h] in pairs {
        let [x, y] = if is_big_endian {
            [u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h])]
        } else {
            [u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])]
        };
        first = first.wrapping_add(x).wrapping_add(second);
        second = second.wrapping_add(y).wrapping_add(first);
    }
    [first, second]
}

#[cfg(test)]
mod tests;
