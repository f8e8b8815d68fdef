//! Whether a rollback journal is whole, told from its bytes alone.
//!
//! SQLite puts the pages of a journal back up to the first one that does not fit and removes the journal, without a word:
//! what it did not come to keeps what the unfinished transaction wrote. Whoever reads a database that may be damaged asks
//! here first.
//!
//! What counts as whole: every record that a header counts, with its checksum. Behind them a journal may go on with anything
//! that an earlier and longer transaction left; but where zeros stand there, a header may have been lost, unless records of
//! that transaction are around them. The checksums are of few bytes of a page, so that a changed byte between them is seen
//! by nobody, as in the main file.
//!
//! Source: SQLite, "Database File Format", section 3, and for what is not there `pager.c` of the bundled one.

use std::collections::HashSet;
use std::io::{self, Read, Seek, SeekFrom};

const MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
/// What of a header means something; it goes on to the end of its sector.
const HEADER_BYTES: usize = 28;
/// In the place of a count: the records go on to the end of the file.
const ALL_THAT_FOLLOW: u32 = u32::MAX;
/// The page of this byte has locks in it and no content; its number stands before the name of a super-journal.
const LOCK_BYTE: u32 = 0x4000_0000;
/// A header has no smaller sector today; it is what all have but on old disks.
const SMALLEST_SECTOR: u32 = 512;
/// Beyond this a sector has no header of SQLite's.
const LARGEST_SECTOR: u32 = 65_536;

/// What the database says of itself as it lies beside its journal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beside {
    pub(super) page_bytes: u32,
    /// How many pages it has, by its own page 1.
    pub(super) stated_pages: Option<u32>,
}

/// What is wrong with a journal, in one line; `None` where SQLite puts back all that it has to.
///
/// # Errors
/// Those of reading.
pub(super) fn damage_of_journal(
    journal: &mut (impl Read + Seek),
    database: Beside,
) -> io::Result<Option<String>> {
    let mut known = HashSet::new();
    let damage = damage_of_records(journal, database, &mut known)?;
    // A page 1 that is not put back is as it was, but for one of a database that had no page at all.
    let is_of_other_size = |first: &Header| {
        first.pages > 0
            && !known.contains(&1)
            && database.stated_pages.is_some_and(|stated| stated != first.pages)
    };
    Ok(match damage {
        Outcome::Damaged(why) => Some(why),
        Outcome::Whole(Some(first)) if is_of_other_size(&first) => Some(OTHER_SIZE.to_owned()),
        Outcome::Whole(_) => None,
    })
}

const OTHER_SIZE: &str = "its header and page 1 differ in the size of the database";

/// What a journal turns out to be.
enum Outcome {
    /// With its first header, where there is something to put back.
    Whole(Option<Header>),
    Damaged(String),
}

fn damage_of_records(
    journal: &mut (impl Read + Seek),
    database: Beside,
    known: &mut HashSet<u32>,
) -> io::Result<Outcome> {
    let damaged = |why: &str| Ok(Outcome::Damaged(why.to_owned()));
    let size = journal.seek(SeekFrom::End(0))?;
    let mut bytes = Bytes { source: journal, size, at: size };
    if size == 0 {
        return Ok(Outcome::Whole(None));
    }
    let head = bytes.header_at(0)?;
    if head[..8] != MAGIC {
        let damage = damage_without_magic(&mut bytes, &head)?;
        return Ok(damage.map_or(Outcome::Whole(None), |why| Outcome::Damaged(why.to_owned())));
    }
    let Some(first) = Header::decode(&head, database.page_bytes).filter(|_| size >= HEADER_BYTES as u64)
    else {
        return damaged("its header makes no sense");
    };
    let mut header_at = 0;
    let mut header = first;
    loop {
        let records_at = header_at + u64::from(first.sector_bytes);
        if records_at > size {
            return damaged("it ends inside a header");
        }
        let end = match records(&mut bytes, &header, records_at, known)? {
            Records::Whole { end } => end,
            Records::Last => return Ok(Outcome::Whole(Some(first))),
            Records::Damaged(why) => return Ok(Outcome::Damaged(why)),
        };
        header_at = end.next_multiple_of(u64::from(first.sector_bytes));
        let next = bytes.header_at(header_at)?;
        let behind = records_in_words(known.len());
        let makes_no_sense = format!("the header behind its first {behind} makes no sense");
        if next[..8] == MAGIC {
            header = Header { count: word(&next, 8), nonce: word(&next, 12), ..first };
            // Where none is counted, no checksum tells whether these are the bytes that were written.
            if header.count == 0 && next[16..] != head[16..] {
                return damaged(&makes_no_sense);
            }
            continue;
        }
        if word(&next, 0) == first.lock_page() {
            return Ok(Outcome::Whole(Some(first)));
        }
        // SQLite writes a header in one go; what it leaves before it is zeros.
        let is_cut = size < header_at + HEADER_BYTES as u64;
        if is_cut && (size == end || !bytes.are_zeros(end, header_at.min(size))?) {
            return Ok(Outcome::Whole(Some(first)));
        }
        // One that was begun has zeros up to its count; of what an earlier transaction left, the first byte was made zero.
        let is_begun = next[..12] == [0; 12] && next[16..] == head[16..];
        let is_left = next[0] == 0 && next[1..8] == MAGIC[1..];
        let is_zeros = next == [0; HEADER_BYTES];
        return if is_cut && (is_zeros || ends_in_magic(&next)) {
            damaged(&format!("it ends behind its first {behind}, before or inside a header"))
        } else if is_zeros && !bytes.is_inside_earlier_records(&header, end, header_at)? {
            damaged(&format!("there are zeros behind its first {behind}"))
        } else if ends_in_magic(&next) || (next[16..] == head[16..] && !is_begun && !is_left) {
            damaged(&makes_no_sense)
        } else {
            Ok(Outcome::Whole(Some(first)))
        };
    }
}

/// Whether of a header's magic only a beginning is there, and then zeros.
fn ends_in_magic(header: &[u8; HEADER_BYTES]) -> bool {
    let same = header.iter().zip(MAGIC).take_while(|&(&byte, magic)| byte == magic).count();
    same > 0 && header[same..].iter().all(|&byte| byte == 0)
}

/// A journal that SQLite takes for one that was finished, or of which nothing was synced.
fn damage_without_magic(
    bytes: &mut Bytes<'_, impl Read + Seek>,
    head: &[u8; HEADER_BYTES],
) -> io::Result<Option<&'static str>> {
    if head[..12] != [0; 12] {
        return Ok(Some("it does not begin as a journal does"));
    }
    if head != &[0; HEADER_BYTES] {
        // The magic is written once the records are synced, and only then the database.
        let is_header = Header::decode(head, 0).is_some();
        return Ok((!is_header).then_some("its header makes no sense"));
    }
    let Some(at) = bytes.first_that_is_not_zero(0)? else {
        return Ok(Some("it is all zeros"));
    };
    // One that was finished has zeros for a header, and then a record with the number of its page.
    if at < u64::from(SMALLEST_SECTOR) + 4 {
        return Ok(None);
    }
    let sector_at = at - at % 4;
    let is_sector = u32::try_from(sector_at).is_ok_and(|it| it.is_power_of_two() && it <= LARGEST_SECTOR);
    let mut number = [0; 4];
    bytes.read_at(sector_at, &mut number)?;
    let is_record = is_sector && number[0] == 0;
    Ok((!is_record).then_some("its beginning was lost: there are zeros"))
}

/// The records that one header counts.
enum Records {
    /// Up to this byte.
    Whole {
        end: u64,
    },
    /// And nothing can follow.
    Last,
    Damaged(String),
}

fn records(
    bytes: &mut Bytes<'_, impl Read + Seek>,
    header: &Header,
    begin: u64,
    known: &mut HashSet<u32>,
) -> io::Result<Records> {
    let record_bytes = header.record_bytes();
    let is_open = header.count == ALL_THAT_FOLLOW;
    let count = if is_open { (bytes.size - begin) / record_bytes } else { u64::from(header.count) };
    let place = |known: &HashSet<u32>| format!("record {}", known.len() + 1);
    let damaged = |why: String| Ok(Records::Damaged(why));
    // Page 1 is the first that is kept. A later header counts none where all that came behind it are new pages.
    if header.count == 0 && known.is_empty() && header.pages > 0 {
        return damaged("its first header counts no records".to_owned());
    }
    let mut record = vec![0; usize::try_from(record_bytes).unwrap_or(usize::MAX)];
    let mut at = begin;
    for _ in 0..count {
        if at + record_bytes > bytes.size {
            return damaged(format!("it ends inside {}", place(known)));
        }
        bytes.read_at(at, &mut record)?;
        let page = word(&record, 0);
        if is_open && page == header.lock_page() {
            return Ok(Records::Last);
        }
        if page == 0 || page > header.pages || page == header.lock_page() || known.contains(&page) {
            return damaged(format!("{} is of a page that cannot be there", place(known)));
        }
        if !header.fits(&record) {
            return damaged(format!("{} has a wrong checksum", place(known)));
        }
        if page == 1 && states_other_size(&record[4..], header.pages) {
            return damaged(OTHER_SIZE.to_owned());
        }
        known.insert(page);
        at += record_bytes;
    }
    if is_open {
        let mut number = [0; 4];
        let has_number = bytes.size - at >= 4;
        if has_number {
            bytes.read_at(at, &mut number)?;
        }
        let is_end = at == bytes.size || (has_number && word(&number, 0) == header.lock_page());
        return if is_end { Ok(Records::Last) } else { damaged(format!("it ends inside {}", place(known))) };
    }
    // Each header has its own nonce, so that what it does not count does not fit by chance.
    if at + record_bytes <= bytes.size {
        bytes.read_at(at, &mut record)?;
        let page = word(&record, 0);
        if page != 0 && page <= header.pages && header.fits(&record) {
            return damaged(format!("it has more than the {} it counts", records_in_words(known.len())));
        }
    }
    Ok(Records::Whole { end: at })
}

fn records_in_words(count: usize) -> String {
    if count == 1 { "1 record".to_owned() } else { format!("{count} records") }
}

/// Whether page 1 says, in a way that counts, that the database has another number of pages.
///
/// Source: SQLite, "Database File Format", section 1.3.8.
fn states_other_size(page: &[u8], pages: u32) -> bool {
    let (change_counter, stated, valid_for) = (word(page, 24), word(page, 28), word(page, 92));
    stated != 0 && change_counter == valid_for && stated != pages
}

#[derive(Clone, Copy)]
struct Header {
    count: u32,
    nonce: u32,
    /// Of the database before the transaction.
    pages: u32,
    sector_bytes: u32,
    page_bytes: u32,
}

impl Header {
    /// `None` where SQLite does not take it for one either.
    fn decode(bytes: &[u8; HEADER_BYTES], database_page_bytes: u32) -> Option<Self> {
        let sector_bytes = word(bytes, 20);
        let page_bytes = match word(bytes, 24) {
            // Of versions before 3.5.8; without a page size to put there it is of no concern.
            0 => database_page_bytes.max(512),
            bytes => bytes,
        };
        let is_sector = (32..=LARGEST_SECTOR).contains(&sector_bytes) && sector_bytes.is_power_of_two();
        let is_page = (512..=65_536).contains(&page_bytes) && page_bytes.is_power_of_two();
        (is_sector && is_page).then(|| Self {
            count: word(bytes, 8),
            nonce: word(bytes, 12),
            pages: word(bytes, 16),
            sector_bytes,
            page_bytes,
        })
    }

    fn lock_page(&self) -> u32 {
        LOCK_BYTE / self.page_bytes + 1
    }

    fn record_bytes(&self) -> u64 {
        u64::from(self.page_bytes) + 8
    }

    /// Whether the checksum behind a record's page is that of its page.
    fn fits(&self, record: &[u8]) -> bool {
        self.nonce_of(record) == self.nonce
    }

    /// The nonce with which a record's checksum is that of its page.
    fn nonce_of(&self, record: &[u8]) -> u32 {
        const STEP: usize = 200;
        let page_bytes = self.page_bytes as usize;
        let page = record.get(4..4 + page_bytes).unwrap_or_default();
        // Every 200th byte, counted from the end; never the first one.
        let taken = (1..).map_while(|step| page_bytes.checked_sub(step * STEP).filter(|&at| at > 0));
        let sum = taken.fold(0_u32, |sum, at| sum.wrapping_add(page.get(at).copied().map_or(0, u32::from)));
        word(record, 4 + page_bytes).wrapping_sub(sum)
    }
}

/// A journal, read at places.
struct Bytes<'r, R> {
    source: &'r mut R,
    size: u64,
    /// Where the next byte is read.
    at: u64,
}

impl<R: Read + Seek> Bytes<'_, R> {
    fn read_at(&mut self, at: u64, into: &mut [u8]) -> io::Result<()> {
        if self.at != at {
            self.source.seek(SeekFrom::Start(at))?;
        }
        self.source.read_exact(into)?;
        self.at = at + into.len() as u64;
        Ok(())
    }

    /// With zeros for what is behind the end.
    fn header_at(&mut self, at: u64) -> io::Result<[u8; HEADER_BYTES]> {
        let mut header = [0; HEADER_BYTES];
        let there = usize::try_from(self.size.saturating_sub(at)).unwrap_or(HEADER_BYTES).min(HEADER_BYTES);
        if there > 0 {
            self.read_at(at, &mut header[..there])?;
        }
        Ok(header)
    }

    /// Whether what stands at a place is of records that go on in the way of those that end at `end`, and are all of one
    /// earlier transaction.
    ///
    /// A header at that place, with a record of its own behind it, would have been written over two of them.
    fn is_inside_earlier_records(&mut self, header: &Header, end: u64, place: u64) -> io::Result<bool> {
        let record_bytes = header.record_bytes();
        let first_at = place - (place - end) % record_bytes;
        if first_at + 2 * record_bytes > self.size {
            return Ok(false);
        }
        let mut record = vec![0; usize::try_from(record_bytes).unwrap_or(usize::MAX)];
        self.read_at(first_at, &mut record)?;
        let (page, nonce) = (word(&record, 0), header.nonce_of(&record));
        self.read_at(first_at + record_bytes, &mut record)?;
        let second = word(&record, 0);
        Ok(page != 0 && second != 0 && page != second && header.nonce_of(&record) == nonce)
    }

    fn are_zeros(&mut self, begin: u64, end: u64) -> io::Result<bool> {
        Ok(self.first_that_is_not_zero(begin)?.is_none_or(|at| at >= end))
    }

    fn first_that_is_not_zero(&mut self, begin: u64) -> io::Result<Option<u64>> {
        let mut part = vec![0; 1 << 16];
        let mut at = begin;
        while at < self.size {
            let there = usize::try_from(self.size - at).unwrap_or(part.len()).min(part.len());
            self.read_at(at, &mut part[..there])?;
            if let Some(found) = part[..there].iter().position(|&byte| byte != 0) {
                return Ok(Some(at + found as u64));
            }
            at += there as u64;
        }
        Ok(None)
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_be_bytes)
}

#[cfg(test)]
mod tests;
