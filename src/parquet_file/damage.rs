//! Which part of a table file is not as it was written: told from sizes and hashes alone, without reading a footer.
//!
//! Nothing here decodes, so it works on any damage. Column chunks follow one another from the end of the file's tag
//! on, in the sizes that were recorded; page index, seal and footer follow them. Whether a file is damaged at all is told by its
//! SHA-256 or its seal, not here.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use crate::digest::ChunkHasher;
use crate::error::{Error, Result};
use crate::parquet_file::check_seal;
use crate::parquet_file::seal::{CHUNKS_OFFSET, FILE_TAG, FILE_TAG_OFFSET, SEAL_BYTES, SEAL_TAG};
use crate::parquet_file::writer::{FileTail, RowGroupEntry};
use crate::run::Interrupt;

/// What a Parquet file begins and ends with.
pub(super) const MAGIC: &[u8; 4] = b"PAR1";

/// Size in bytes of what follows the footer: its length and the magic.
pub(crate) const END_BYTES: u64 = 8;

/// Size of a piece read at a time, in bytes.
const READ_BYTES: usize = 256 * 1024;

/// A part of a table file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilePart {
    /// The four bytes at the beginning.
    LeadingMagic,
    /// The file's tag.
    Tag,
    /// A column chunk: its row group and its Parquet column, 0-based.
    Chunk {
        /// The row group.
        row_group: usize,
        /// The Parquet column.
        column: usize,
    },
    /// The page index.
    PageIndex,
    /// The seal: its tag or its SHA-256.
    Seal,
    /// The footer.
    Footer,
    /// One of what follows the column chunks: a file by itself has no hashes of it.
    AfterChunks,
    /// The four bytes that say how large the footer is.
    FooterLength,
    /// The four bytes at the end.
    EndMagic,
    /// What follows the file's proper end.
    BeyondEnd,
}

impl fmt::Display for FilePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LeadingMagic => "the magic at the beginning",
            Self::Tag => "the tag at the beginning",
            Self::Chunk { .. } => "the column chunk",
            Self::PageIndex => "the page index",
            Self::Seal => "the seal",
            Self::Footer => "the footer",
            Self::AfterChunks => "the page index, the seal or the footer",
            Self::FooterLength => "the footer's length",
            Self::EndMagic => "the magic at the end",
            Self::BeyondEnd => "what follows the end",
        })
    }
}

/// What became of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DamageKind {
    /// It has other bytes than were written.
    Changed,
    /// The file ends inside it or before it.
    CutOff,
}

/// A part that is not as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DamagedPart {
    /// Which.
    pub part: FilePart,
    /// How.
    pub kind: DamageKind,
}

/// All parts of the file at `path` that are not as they were written, in file order.
///
/// `row_groups` and `tail` are what was recorded of it; `tail` is unknown to a file by itself. The file is known to
/// be damaged: where every other part is as it was, the seal must be what is not.
///
/// # Errors
/// [`ErrorKind::Failed`](crate::error::ErrorKind::Failed) where the file cannot be read; `Interrupted`.
pub fn damaged_parts(
    path: &Path,
    row_groups: &[RowGroupEntry],
    tail: Option<&FileTail>,
    interrupt: &Interrupt,
) -> Result<Vec<DamagedPart>> {
    let read_error = |error| Error::io("reading a table file", path, error);
    let mut file = File::open(path).map_err(read_error)?;
    let size_bytes = file.metadata().map_err(read_error)?.len();
    let mut found = Vec::new();
    let regions = regions(row_groups, tail);
    for region in &regions {
        interrupt.check()?;
        let kind = if region.end() > size_bytes {
            DamageKind::CutOff
        } else if region.is_intact(&mut file).map_err(read_error)? {
            continue;
        } else {
            DamageKind::Changed
        };
        found.push(DamagedPart { part: region.part, kind });
    }
    let changed = |part| DamagedPart { part, kind: DamageKind::Changed };
    if tail.is_some() && regions.last().is_some_and(|last| last.end() < size_bytes) {
        found.push(changed(FilePart::BeyondEnd));
    }
    if found.is_empty() {
        let only_the_seal = tail.is_some() || check_seal(path)?.is_nearly_right;
        found.push(changed(if only_the_seal { FilePart::Seal } else { FilePart::AfterChunks }));
    }
    Ok(found)
}

/// A part with its place and what it should be.
struct Region<'a> {
    part: FilePart,
    start: u64,
    size: u64,
    expected: Expected<'a>,
}

enum Expected<'a> {
    /// So it begins. Of most parts that is all of it; the SHA-256 in the seal is not known.
    Start(&'a [u8]),
    /// The length of the footer.
    Length([u8; 4]),
    Hash(&'a str),
}

impl Region<'_> {
    fn end(&self) -> u64 {
        self.start.saturating_add(self.size)
    }

    fn is_intact(&self, file: &mut File) -> std::io::Result<bool> {
        let expected: &[u8] = match &self.expected {
            Expected::Hash(hash) => return Ok(hash_range(file, self.start, self.size)? == **hash),
            Expected::Start(bytes) => bytes,
            Expected::Length(bytes) => bytes,
        };
        let mut bytes = vec![0; expected.len()];
        file.seek(SeekFrom::Start(self.start))?;
        file.read_exact(&mut bytes)?;
        Ok(bytes == expected)
    }
}

/// Every part whose bytes are known, in file order.
fn regions<'a>(row_groups: &'a [RowGroupEntry], tail: Option<&'a FileTail>) -> Vec<Region<'a>> {
    let (mut regions, mut start) = (Vec::new(), 0_u64);
    let mut add = |part, size: u64, expected| {
        regions.push(Region { part, start, size, expected });
        start = start.saturating_add(size);
    };
    add(FilePart::LeadingMagic, FILE_TAG_OFFSET as u64, Expected::Start(MAGIC));
    add(FilePart::Tag, (CHUNKS_OFFSET - FILE_TAG_OFFSET) as u64, Expected::Start(FILE_TAG));
    for (row_group, entry) in row_groups.iter().enumerate() {
        for (column, (hash, &size)) in entry.chunks.iter().zip(&entry.chunk_bytes).enumerate() {
            add(FilePart::Chunk { row_group, column }, size, Expected::Hash(hash));
        }
    }
    if let Some(tail) = tail {
        add(FilePart::PageIndex, tail.page_index_bytes, Expected::Hash(&tail.page_index));
        add(FilePart::Seal, SEAL_BYTES as u64, Expected::Start(SEAL_TAG));
        add(FilePart::Footer, tail.footer_bytes, Expected::Hash(&tail.footer));
        // Beyond 4 GiB no Parquet file can say how large its footer is; what is written here then differs.
        let length = u32::try_from(tail.footer_bytes).unwrap_or(u32::MAX).to_le_bytes();
        add(FilePart::FooterLength, END_BYTES / 2, Expected::Length(length));
        add(FilePart::EndMagic, END_BYTES / 2, Expected::Start(MAGIC));
    }
    regions
}

/// The hash of `size` bytes from `start` on, made like that of a column chunk.
pub(super) fn hash_range(file: &mut File, start: u64, size: u64) -> std::io::Result<String> {
    file.seek(SeekFrom::Start(start))?;
    let mut hasher = ChunkHasher::default();
    let mut piece = vec![0; READ_BYTES.min(usize::try_from(size).unwrap_or(READ_BYTES))];
    let mut left = size;
    while left > 0 {
        let take = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
        file.read_exact(&mut piece[..take])?;
        hasher.update(&piece[..take]);
        left -= take as u64;
    }
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests;
