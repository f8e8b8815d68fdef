//! The file under the Parquet writer, which hashes what passes.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;

use crate::digest::{ChunkHasher, Sha256Digest, Sha256Hasher};

/// A file that hashes what goes into it: the whole for the seal (whose own place is still zeros), and each
/// column chunk by itself.
pub(super) struct HashedFile {
    file: File,
    whole: Sha256Hasher,
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
            whole: Sha256Hasher::default(),
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

    pub(super) fn finish(self) -> (File, Sha256Digest) {
        (self.file, self.whole.finish())
    }
}

impl Write for HashedFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.whole.update(&bytes[..count]);
        self.hash_chunks(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}
