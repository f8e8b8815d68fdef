//! The seal: a file's SHA-256 inside the file itself.
//!
//! Layout of every table file:
//!
//! ```text
//! offset 0    4 bytes   Parquet's leading magic
//! offset 4    8 bytes   the file's tag "PARKLIT1"
//! offset 12             column chunks, then the page index
//! then        8 bytes   the seal's tag "PARKSEAL"
//! then       32 bytes   SHA-256 of the whole file, with these 32 bytes taken as zeros
//! then                  footer, its length in 4 bytes, Parquet's magic, as in any Parquet file
//! ```
//!
//! Parquet readers find the footer from the end and everything else by the offsets in it, so they never look
//! between page index and footer. So one lone file proves every one of its bytes, footer included. The seal stands
//! near the end because its SHA-256 and the file's own have everything before it in common, which is hashed once.
//! The seal finds accidents; whoever can rewrite a file can seal it anew.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use crate::digest::{Sha256Digest, Sha256Hasher};
use crate::error::{Error, Result};
use crate::parquet_file::damage::END_BYTES;

/// The tag of every file, which names the layout's version too.
pub const FILE_TAG: &[u8; 8] = b"PARKLIT1";

/// Where the file's tag begins, right after Parquet's magic, in bytes.
pub const FILE_TAG_OFFSET: usize = 4;

/// Where the column chunks begin, right after the file's tag, in bytes.
pub const CHUNKS_OFFSET: usize = FILE_TAG_OFFSET + FILE_TAG.len();

/// What the seal begins with.
pub const SEAL_TAG: &[u8; 8] = b"PARKSEAL";

/// Size of the SHA-256 in the seal in bytes.
const DIGEST_BYTES: usize = 32;

/// Size of the whole seal in bytes, its tag included.
pub const SEAL_BYTES: usize = SEAL_TAG.len() + DIGEST_BYTES;

/// Size of a piece read at a time, in bytes.
const READ_BYTES: usize = 256 * 1024;

/// Whether a file that begins with `head` carries the file's tag.
#[must_use]
pub fn has_file_tag(head: &[u8]) -> bool {
    head.get(FILE_TAG_OFFSET..CHUNKS_OFFSET) == Some(FILE_TAG.as_slice())
}

/// Whether a file that begins with `head` has most of the tag: it carried it before it was damaged.
///
/// No page header of another program looks like half of these letters in their places.
#[must_use]
pub fn is_nearly_file_tag(head: &[u8]) -> bool {
    let place = head.get(FILE_TAG_OFFSET..CHUNKS_OFFSET).unwrap_or_default();
    equal_bytes(place, FILE_TAG) * 2 >= FILE_TAG.len()
}

/// How many bytes are the same in both.
fn equal_bytes(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).filter(|(a, b)| a == b).count()
}

/// What a seal says about its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealState {
    /// Every byte is as it was written.
    Valid,
    /// It is no sealed file: another program's, or the file's tag itself is damaged.
    Missing,
    /// Some byte is not as it was written; the seal may not even be where it should be.
    Wrong,
}

/// What one reading of a file tells about its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealCheck {
    /// What the seal says.
    pub state: SealState,
    /// The SHA-256 of the file as it is.
    pub sha256: Sha256Digest,
    /// The file's size in bytes.
    pub size_bytes: u64,
    /// Whether the seal's SHA-256 is wrong in a few of its bytes only, or its tag is wrong. Any change outside of the
    /// seal would make all of them another, so then nothing but the seal itself is damaged.
    pub is_nearly_right: bool,
}

impl SealCheck {
    /// Whether every byte is as it was written.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.state == SealState::Valid
    }
}

/// The seal of a file, and the SHA-256 of the whole file with the seal in it: `before` has seen everything that
/// precedes the seal, `after` is everything that follows it.
#[must_use]
pub(super) fn seal_between(before: Sha256Hasher, after: &[u8]) -> ([u8; SEAL_BYTES], Sha256Digest) {
    let mut whole = before;
    whole.update(SEAL_TAG);
    let mut unsealed = whole.clone();
    unsealed.update(&[0; DIGEST_BYTES]);
    unsealed.update(after);
    let digest = unsealed.finish();
    whole.update(&digest.0);
    whole.update(after);
    let mut seal = [0; SEAL_BYTES];
    let (tag, place) = seal.split_at_mut(SEAL_TAG.len());
    tag.copy_from_slice(SEAL_TAG);
    place.copy_from_slice(&digest.0);
    (seal, whole.finish())
}

/// Reads the file once, checks its seal, and tells its SHA-256 and size.
///
/// # Errors
/// [`ErrorKind::Failed`](crate::error::ErrorKind::Failed) where the file cannot be read; a missing or wrong
/// seal is no error.
pub fn check_seal(path: &Path) -> Result<SealCheck> {
    check_seal_with(path, |_| Ok(()))
}

/// [`check_seal`], which says to `on_bytes` how many bytes it has read since the last time.
///
/// # Errors
/// As [`check_seal`]; what `on_bytes` returns.
pub fn check_seal_with(path: &Path, on_bytes: impl FnMut(u64) -> Result<()>) -> Result<SealCheck> {
    let read_error = |error| Error::io("reading a table file", path, error);
    let mut file = File::open(path).map_err(|error| Error::io("opening a table file", path, error))?;
    let is_tagged = begins_with_tag(&mut file).map_err(read_error)?;
    let seal_start = if is_tagged { seal_start(&mut file).map_err(read_error)? } else { None };
    file.rewind().map_err(read_error)?;
    let mut pieces = Pieces { file, path, piece: vec![0; READ_BYTES], read_bytes: 0, on_bytes };

    let mut whole = Sha256Hasher::default();
    pieces.each(seal_start.unwrap_or(u64::MAX), |piece| whole.update(piece))?;
    // What the SHA-256 in the seal was made of, whatever stands in the seal's place now.
    let mut unsealed = whole.clone();
    unsealed.update(SEAL_TAG);
    unsealed.update(&[0; DIGEST_BYTES]);
    let mut seal = Vec::with_capacity(SEAL_BYTES);
    pieces.each(SEAL_BYTES as u64, |piece| {
        whole.update(piece);
        seal.extend_from_slice(piece);
    })?;
    pieces.each(u64::MAX, |piece| {
        whole.update(piece);
        unsealed.update(piece);
    })?;

    let (tag, digest) = seal.split_at_checked(SEAL_TAG.len()).unwrap_or_default();
    let right_bytes = equal_bytes(digest, &unsealed.finish().0);
    let state = match is_tagged {
        false => SealState::Missing,
        true if tag == SEAL_TAG && right_bytes == DIGEST_BYTES => SealState::Valid,
        true => SealState::Wrong,
    };
    let is_nearly_right = state == SealState::Wrong && right_bytes >= DIGEST_BYTES / 2;
    Ok(SealCheck { state, sha256: whole.finish(), size_bytes: pieces.read_bytes, is_nearly_right })
}

fn begins_with_tag(file: &mut File) -> std::io::Result<bool> {
    let mut head = Vec::with_capacity(CHUNKS_OFFSET);
    file.take(CHUNKS_OFFSET as u64).read_to_end(&mut head)?;
    Ok(has_file_tag(&head))
}

/// Where the seal should begin, by what the end of the file says of the footer's size; `None` where none has room.
fn seal_start(file: &mut File) -> std::io::Result<Option<u64>> {
    let Some(footer_end) = file.metadata()?.len().checked_sub(END_BYTES) else { return Ok(None) };
    let mut length = [0; 4];
    file.seek(SeekFrom::Start(footer_end))?;
    file.read_exact(&mut length)?;
    let behind = SEAL_BYTES as u64 + u64::from(u32::from_le_bytes(length));
    Ok(footer_end.checked_sub(behind).filter(|&start| start >= CHUNKS_OFFSET as u64))
}

/// A file that is read piece by piece.
struct Pieces<'a, F> {
    file: File,
    path: &'a Path,
    piece: Vec<u8>,
    /// Bytes read so far.
    read_bytes: u64,
    /// Is told how many bytes were read.
    on_bytes: F,
}

impl<F: FnMut(u64) -> Result<()>> Pieces<'_, F> {
    /// Reads the next `size` bytes, or as many as there are.
    fn each(&mut self, size: u64, mut use_piece: impl FnMut(&[u8])) -> Result<()> {
        let mut left = size;
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(self.piece.len());
            let count = match self.file.read(&mut self.piece[..most]) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::io("reading a table file", self.path, error)),
            };
            use_piece(&self.piece[..count]);
            left -= count as u64;
            self.read_bytes += count as u64;
            (self.on_bytes)(count as u64)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
