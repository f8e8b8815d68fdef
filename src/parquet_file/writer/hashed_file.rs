//! The file under the Parquet writer, which hashes what passes and puts the seal in.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Error, Write};

use crate::digest::{ChunkHasher, Sha256Digest, Sha256Hasher, chunk_hash};
use crate::durable::SyncAhead;
use crate::parquet_file::seal::seal_between;
use crate::parquet_file::writer::FileTail;

/// A file that hashes what goes into it: all of it for the seal and the SHA-256, and each column chunk by itself.
///
/// What follows the last column chunk comes in one go from the Parquet writer, the page index and the footer, and the
/// seal belongs between them. It is held back until it is complete; the writer's own idea of it is larger.
pub(super) struct HashedFile {
    file: File,
    sync_ahead: SyncAhead,
    whole: Sha256Hasher,
    written_bytes: u64,
    /// What follows the last column chunk, once it is known to be the last.
    tail: Option<Vec<u8>>,
    /// The sizes of the chunks still to come, in bytes; the first may be partly written.
    expected: VecDeque<u64>,
    chunk: ChunkHasher,
    hashes: Vec<String>,
}

impl std::fmt::Debug for HashedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HashedFile").field("file", &self.file).finish_non_exhaustive()
    }
}

impl HashedFile {
    pub(super) fn new(file: File) -> Self {
        Self {
            file,
            sync_ahead: SyncAhead::default(),
            whole: Sha256Hasher::default(),
            written_bytes: 0,
            tail: None,
            expected: VecDeque::new(),
            chunk: ChunkHasher::default(),
            hashes: Vec::new(),
        }
    }

    /// Says that the next bytes are column chunks of these sizes.
    pub(super) fn expect_chunks(&mut self, sizes: VecDeque<u64>) {
        self.expected = sizes;
        self.end_full_chunks();
    }

    /// The hashes of the chunks expected last; `None` where not all their bytes have come.
    pub(super) fn take_chunk_hashes(&mut self) -> Option<Vec<String>> {
        let hashes = std::mem::take(&mut self.hashes);
        self.expected.is_empty().then_some(hashes)
    }

    fn hash_chunks(&mut self, mut bytes: &[u8]) {
        while let Some(left) = self.expected.front_mut() {
            if bytes.is_empty() {
                return;
            }
            let take = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
            self.chunk.update(&bytes[..take]);
            bytes = &bytes[take..];
            *left -= take as u64;
            self.end_full_chunks();
        }
    }

    fn end_full_chunks(&mut self) {
        while self.expected.front() == Some(&0) {
            self.expected.pop_front();
            self.hashes.push(std::mem::take(&mut self.chunk).finish());
        }
    }

    /// Says that no column chunk comes any more: page index and footer follow, and then [`finish`](Self::finish).
    pub(super) fn expect_tail(&mut self) {
        self.tail = Some(Vec::new());
    }

    /// Writes page index, seal and footer.
    pub(super) fn finish(mut self) -> std::io::Result<SealedFile> {
        let mut tail = self.tail.take().unwrap_or_default();
        let (page_index, footer) =
            page_index_and_footer(&tail).ok_or_else(|| Error::other("a footer of another size"))?;
        let place = page_index.len();
        let described = FileTail {
            page_index_bytes: page_index.len() as u64,
            page_index: chunk_hash(page_index),
            footer_bytes: footer.len() as u64,
            footer: chunk_hash(footer),
        };
        self.whole.update(page_index);
        let (seal, sha256) = seal_between(self.whole, &tail[place..]);
        tail.splice(place..place, seal);
        self.file.write_all(&tail)?;
        self.file.flush()?;
        self.sync_ahead.finish()?;
        Ok(SealedFile { size_bytes: self.written_bytes + tail.len() as u64, sha256, tail: described })
    }
}

/// A file with its seal.
pub(super) struct SealedFile {
    pub(super) size_bytes: u64,
    pub(super) sha256: Sha256Digest,
    pub(super) tail: FileTail,
}

/// Parts what follows the last column chunk, up to the footer's length and the magic, which are 4 bytes each.
fn page_index_and_footer(tail: &[u8]) -> Option<(&[u8], &[u8])> {
    let (before, end) = tail.split_last_chunk::<8>()?;
    let (length, _magic) = end.split_first_chunk()?;
    let footer_bytes = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    before.split_at_checked(before.len().checked_sub(footer_bytes)?)
}

impl Write for HashedFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if let Some(tail) = &mut self.tail {
            tail.extend_from_slice(bytes);
            return Ok(bytes.len());
        }
        let count = self.file.write(bytes)?;
        self.written_bytes += count as u64;
        self.sync_ahead.wrote(&self.file, count as u64);
        self.whole.update(&bytes[..count]);
        self.hash_chunks(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}
