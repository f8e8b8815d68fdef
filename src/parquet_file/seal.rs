//! The seal: a file's SHA-256 inside the file itself.
//!
//! Layout of every table file:
//!
//! ```text
//! offset 0    4 bytes   Parquet's leading magic
//! offset 4    8 bytes   the tag "PARKLIT1"
//! offset 12  32 bytes   SHA-256 of the whole file, with these 32 bytes taken as zeros
//! offset 44             column chunks, page index, footer, as in any Parquet file
//! ```
//!
//! Parquet readers follow the offsets in the footer and never look between the magic and the first page. So
//! one lone file proves every one of its bytes, footer included. The seal finds accidents; whoever can
//! rewrite a file can seal it anew.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::digest::{Sha256Digest, Sha256Hasher};
use crate::error::{Error, Result};

/// The tag, which names the layout's version too.
pub const SEAL_TAG: &[u8; 8] = b"PARKLIT1";

/// Where the tag begins, right after Parquet's magic, in bytes.
pub const SEAL_TAG_OFFSET: usize = 4;

/// Where the SHA-256 begins, in bytes.
pub const SEAL_OFFSET: usize = SEAL_TAG_OFFSET + SEAL_TAG.len();

/// Size of the SHA-256 in bytes.
pub const SEAL_SIZE: usize = 32;

/// Where the seal ends and Parquet goes on, in bytes.
pub const SEAL_END: usize = SEAL_OFFSET + SEAL_SIZE;

/// Size of a piece read at a time, in bytes.
const READ_BYTES: usize = 256 * 1024;

/// Whether a file that begins with `head` carries the tag.
#[must_use]
pub fn has_seal_tag(head: &[u8]) -> bool {
    head.get(SEAL_TAG_OFFSET..SEAL_OFFSET) == Some(SEAL_TAG.as_slice())
}

/// Whether a file that begins with `head` has most of the tag: it carried it before it was damaged.
///
/// No page header of another program looks like half of these letters in their places.
#[must_use]
pub fn is_nearly_seal_tag(head: &[u8]) -> bool {
    let place = head.get(SEAL_TAG_OFFSET..SEAL_OFFSET).unwrap_or_default();
    let equal = place.iter().zip(SEAL_TAG).filter(|(here, there)| here == there).count();
    equal * 2 >= SEAL_TAG.len()
}

/// What a seal says about its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealState {
    /// Every byte is as it was written.
    Valid,
    /// There is no seal: another program's file, or the tag itself is damaged.
    Missing,
    /// Some byte is not as it was written.
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
    /// Whether the seal is wrong in a few of its bytes only. Any other change in the file would make all of them
    /// another, so then nothing but the seal itself is damaged.
    pub is_nearly_right: bool,
}

impl SealCheck {
    /// Whether every byte is as it was written.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.state == SealState::Valid
    }
}

/// The seal's place as it is written first: the tag, then zeros until the SHA-256 is known.
#[must_use]
pub(super) fn empty_seal() -> [u8; SEAL_END - SEAL_TAG_OFFSET] {
    let mut place = [0; SEAL_END - SEAL_TAG_OFFSET];
    place[..SEAL_TAG.len()].copy_from_slice(SEAL_TAG);
    place
}

/// Puts the SHA-256 in its place.
pub(super) fn patch_seal(file: &mut File, seal: Sha256Digest) -> std::io::Result<()> {
    file.seek(SeekFrom::Start(SEAL_OFFSET as u64))?;
    file.write_all(&seal.0)?;
    file.flush()
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
pub fn check_seal_with(path: &Path, mut on_bytes: impl FnMut(u64) -> Result<()>) -> Result<SealCheck> {
    let mut file = File::open(path).map_err(|error| Error::io("opening a table file", path, error))?;
    let read_error = |error| Error::io("reading a table file", path, error);

    let mut head = Vec::with_capacity(SEAL_END);
    (&mut file).take(SEAL_END as u64).read_to_end(&mut head).map_err(read_error)?;
    let mut whole = Sha256Hasher::default();
    let mut unsealed = Sha256Hasher::default();
    whole.update(&head);
    let stored = split_seal(&head);
    if stored.is_some() {
        unsealed.update(&head[..SEAL_OFFSET]);
        unsealed.update(&[0; SEAL_SIZE]);
    }

    let mut size_bytes = head.len() as u64;
    let mut piece = vec![0; READ_BYTES];
    loop {
        let count = match file.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(read_error(error)),
        };
        size_bytes += count as u64;
        on_bytes(count as u64)?;
        whole.update(&piece[..count]);
        if stored.is_some() {
            unsealed.update(&piece[..count]);
        }
    }
    let due = unsealed.finish();
    let right_bytes = stored.map_or(0, |stored| stored.0.iter().zip(due.0).filter(|&(a, b)| *a == b).count());
    let state = match stored {
        None => SealState::Missing,
        Some(_) if right_bytes == SEAL_SIZE => SealState::Valid,
        Some(_) => SealState::Wrong,
    };
    let is_nearly_right = state == SealState::Wrong && right_bytes >= SEAL_SIZE / 2;
    Ok(SealCheck { state, sha256: whole.finish(), size_bytes, is_nearly_right })
}

/// The SHA-256 in a file's first [`SEAL_END`] bytes, where there is one.
fn split_seal(head: &[u8]) -> Option<Sha256Digest> {
    let tag = head.get(SEAL_TAG_OFFSET..SEAL_OFFSET)?;
    let seal = head.get(SEAL_OFFSET..SEAL_END)?;
    (tag == SEAL_TAG).then(|| seal.try_into().ok().map(Sha256Digest)).flatten()
}
