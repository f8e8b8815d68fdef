//! A table: a file of sorted blocks, an index of them, and a footer that finds the index.
//!
//! Every block is checked against its checksum before anything of it is used; of a damaged block it is said which keys
//! can have been in it.
//!
//! Source: LevelDB, `doc/table_format.md`.

use std::io::{self, Read, Seek, SeekFrom};

use super::block::{Block, MAX_BLOCK_BYTES};
use super::checksum::is_checksum_of;
use super::cursor::Cursor;
use super::internal_key::{InternalKey, KeyRange};
use crate::local_storage::compression::{unpack_snappy, unpack_zstd};

const FOOTER_BYTES: usize = 48;
const MAGIC: [u8; 8] = 0xDB47_7524_8B80_FB57_u64.to_le_bytes();
/// Behind every block: how it is packed, and the checksum.
const TRAILER_BYTES: usize = 5;

/// A table file, of which the first `size` bytes count.
pub(super) struct Table<R> {
    source: R,
    size: u64,
}

/// A part of a table that cannot be used.
#[derive(Debug)]
pub(super) struct BadPart {
    pub(super) at: u64,
    pub(super) why: String,
    pub(super) loss: Loss,
}

/// What a bad part takes with it.
#[derive(Debug)]
pub(super) enum Loss {
    /// No entry: it only speeds up looking for some.
    Nothing,
    Entries(KeyRange),
    WholeTable,
}

/// Where a block lies, without its trailer.
#[derive(Debug, Clone, Copy)]
struct Handle {
    offset: u64,
    size: u64,
}

impl Handle {
    fn take(cursor: &mut Cursor<'_>) -> Option<Self> {
        Some(Self { offset: cursor.varint()?, size: cursor.varint()? })
    }
}

/// The outcome of looking at one block: its bytes, or one line about what is wrong with it.
type Unpacked = Result<Vec<u8>, String>;

impl<R: Read + Seek> Table<R> {
    pub(super) fn new(source: R, size: u64) -> Self {
        Self { source, size }
    }

    /// Whether it ends as tables do.
    pub(super) fn has_magic(&mut self) -> io::Result<bool> {
        Ok(self.footer()?.is_some_and(|footer| footer.ends_with(&MAGIC)))
    }

    /// Calls `visit` for every entry in a sound block, in order; answers with all parts that are not sound.
    pub(super) fn read(&mut self, visit: &mut dyn FnMut(InternalKey<'_>, &[u8])) -> io::Result<Vec<BadPart>> {
        let footer_at = self.size.saturating_sub(FOOTER_BYTES as u64);
        let whole = |at, why: String| Ok(vec![BadPart { at, why, loss: Loss::WholeTable }]);
        let Some(footer) = self.footer()? else {
            return whole(0, "the file is too short for a table".to_owned());
        };
        let mut cursor = Cursor::new(&footer);
        let handles = Handle::take(&mut cursor).zip(Handle::take(&mut cursor));
        let Some((meta, index)) = handles.filter(|_| footer.ends_with(&MAGIC)) else {
            return whole(footer_at, "it does not end as a table does".to_owned());
        };
        let index_bytes = match self.unpacked(index)? {
            Ok(bytes) => bytes,
            Err(why) => return whole(index.offset, format!("the index: {why}")),
        };
        let is_index_entry = |key: &[u8], value: &[u8]| {
            InternalKey::decode(key).is_some() && Handle::take(&mut Cursor::new(value)).is_some()
        };
        let Some(blocks) = Block::decode(&index_bytes, is_index_entry) else {
            return whole(index.offset, "the index cannot be read".to_owned());
        };
        let mut bad_parts = self.read_blocks(blocks, visit)?;
        bad_parts.extend(self.check_meta(meta)?);
        Ok(bad_parts)
    }

    fn read_blocks(
        &mut self,
        index: Block<'_>,
        visit: &mut dyn FnMut(InternalKey<'_>, &[u8]),
    ) -> io::Result<Vec<BadPart>> {
        let mut bad_parts = Vec::new();
        let mut after = None;
        let mut free_from = 0;
        let mut walk = index.walk();
        while let Some((separator, value)) = walk.next_entry() {
            let Some((key, handle)) =
                InternalKey::decode(separator).zip(Handle::take(&mut Cursor::new(value)))
            else {
                break;
            };
            // Blocks follow one another; else a small file could be made to be read for ever.
            let unpacked = if handle.offset < free_from {
                Err("the block overlaps the one before".to_owned())
            } else {
                free_from = handle.offset.saturating_add(handle.size);
                self.unpacked(handle)?
            };
            let is_entry = |key: &[u8], _: &[u8]| InternalKey::decode(key).is_some();
            let outcome = unpacked.and_then(|bytes| match Block::decode(&bytes, is_entry) {
                Some(block) => {
                    visit_entries(block, visit);
                    Ok(())
                }
                None => Err("the entries of the block cannot be read".to_owned()),
            });
            let until = Some(key.into());
            if let Err(why) = outcome {
                let range = KeyRange { after: after.take(), with_after: false, until: until.clone() };
                bad_parts.push(BadPart { at: handle.offset, why, loss: Loss::Entries(range) });
            }
            after = until;
        }
        Ok(bad_parts)
    }

    /// The blocks that only speed up looking for entries: damage there is a sign, and costs nothing.
    fn check_meta(&mut self, meta: Handle) -> io::Result<Vec<BadPart>> {
        let bad = |at, why: String| BadPart { at, why, loss: Loss::Nothing };
        let bytes = match self.unpacked(meta)? {
            Ok(bytes) => bytes,
            Err(why) => return Ok(vec![bad(meta.offset, format!("the index of filters: {why}"))]),
        };
        let is_entry = |_: &[u8], value: &[u8]| Handle::take(&mut Cursor::new(value)).is_some();
        let Some(block) = Block::decode(&bytes, is_entry) else {
            return Ok(vec![bad(meta.offset, "the index of filters cannot be read".to_owned())]);
        };
        let mut bad_parts = Vec::new();
        let mut free_from = 0;
        let mut walk = block.walk();
        while let Some((_, value)) = walk.next_entry() {
            let Some(filter) = Handle::take(&mut Cursor::new(value)).filter(|it| it.offset >= free_from)
            else {
                break;
            };
            free_from = filter.offset.saturating_add(filter.size);
            if let Err(why) = self.checked(filter)? {
                bad_parts.push(bad(filter.offset, format!("a filter: {why}")));
            }
        }
        Ok(bad_parts)
    }

    fn footer(&mut self) -> io::Result<Option<Vec<u8>>> {
        match self.size.checked_sub(FOOTER_BYTES as u64) {
            Some(at) => self.bytes(at, FOOTER_BYTES).map(Some),
            None => Ok(None),
        }
    }

    /// The bytes of a block as its writer had them.
    fn unpacked(&mut self, handle: Handle) -> io::Result<Unpacked> {
        Ok(self.checked(handle)?.and_then(|mut packed| match packed.pop() {
            Some(0) => Ok(packed),
            Some(1) => unpack_snappy(&packed, MAX_BLOCK_BYTES),
            Some(2) => unpack_zstd(&packed, MAX_BLOCK_BYTES),
            kind => Err(format!("the block is packed in an unknown way, number {}", kind.unwrap_or(0))),
        }))
    }

    /// The bytes of a block as they are in the file, and behind them how they are packed; the checksum is right.
    fn checked(&mut self, handle: Handle) -> io::Result<Unpacked> {
        let end =
            handle.offset.checked_add(handle.size).and_then(|end| end.checked_add(TRAILER_BYTES as u64));
        if end.is_none_or(|end| end > self.size) {
            return Ok(Err("the block lies outside of the file".to_owned()));
        }
        let Some(size) = usize::try_from(handle.size).ok().filter(|&size| size <= MAX_BLOCK_BYTES) else {
            return Ok(Err(format!("the block is larger than {MAX_BLOCK_BYTES} bytes")));
        };
        let mut bytes = match self.bytes(handle.offset, size + TRAILER_BYTES) {
            // A bad place of a disk costs what is there.
            Err(error) if error.raw_os_error().is_some() && error.kind() != io::ErrorKind::OutOfMemory => {
                return Ok(Err(format!("the block cannot be read: {error}")));
            }
            read => read?,
        };
        let checksum = bytes.split_last_chunk::<4>().map(|(_, checksum)| u32::from_le_bytes(*checksum));
        bytes.truncate(size + 1);
        let is_sound = checksum.is_some_and(|checksum| is_checksum_of(checksum, &bytes));
        Ok(if is_sound { Ok(bytes) } else { Err("the checksum of the block is wrong".to_owned()) })
    }

    fn bytes(&mut self, at: u64, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.source.seek(SeekFrom::Start(at))?;
        self.source.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

fn visit_entries(block: Block<'_>, visit: &mut dyn FnMut(InternalKey<'_>, &[u8])) {
    let mut walk = block.walk();
    while let Some((key, value)) = walk.next_entry() {
        if let Some(key) = InternalKey::decode(key) {
            visit(key, value);
        }
    }
}
