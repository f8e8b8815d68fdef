//! Writes one table file: row groups are encoded on any threads, appended in order, hashed on the way, and
//! the file is sealed at the end.
//!
//! Equal batches under equal settings give equal bytes: nothing here knows a clock, a host or a thread. No
//! file is created, synced or renamed here; that is the caller's.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::arrow::arrow_writer::ArrowColumnChunk;
use parquet::file::metadata::KeyValue;
use parquet::file::writer::SerializedFileWriter;
use serde::{Deserialize, Serialize};

use crate::digest::{ContentDigest, Sha256Digest};
use crate::error::{Error, ErrorKind, Result};
use crate::parquet_file::choice::{Choice, ChosenFor};
use crate::parquet_file::parquet_error;
use crate::parquet_file::seal::FILE_TAG;

mod bounds;
mod encode;
mod hashed_file;

use encode::chunk_size;
pub use encode::{EncodedRowGroup, RowGroupEncoder, TableEncoder, Trials};
use hashed_file::{HashedFile, SealedFile};

/// What a file's footer and the manifest say of one row group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowGroupEntry {
    /// Its rows.
    pub rows: u64,
    /// The content digest of its rows.
    pub digest: ContentDigest,
    /// The hash of each column chunk's bytes, in file order, so that damage is named to the column.
    pub chunks: Vec<String>,
    /// The size of each column chunk in bytes. Chunks follow one another from the end of the file's tag on, so that
    /// they are found even where the footer cannot be read.
    pub chunk_bytes: Vec<u64>,
}

/// What follows the last column chunk of a file, the seal between both aside; unknown to the file itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileTail {
    /// The size of the page index in bytes.
    pub page_index_bytes: u64,
    /// The hash of the page index, made like that of a chunk.
    pub page_index: String,
    /// The size of the footer in bytes, without the 8 bytes of length and magic after it.
    pub footer_bytes: u64,
    /// The hash of the footer.
    pub footer: String,
}

/// What is known of a finished file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFacts {
    /// Its size in bytes.
    pub size_bytes: u64,
    /// The SHA-256 of the whole file, seal included.
    pub sha256: Sha256Digest,
    /// All rows.
    pub rows: u64,
    /// The content digest of all rows.
    pub digest: ContentDigest,
    /// Its row groups in file order.
    pub row_groups: Vec<RowGroupEntry>,
    /// How the chunks of each column are laid out.
    pub chosen: Vec<Vec<ChosenFor>>,
    /// What follows them.
    pub tail: FileTail,
}

/// What is known of a file's row groups before its footer is written.
#[derive(Debug, Clone, Copy)]
pub struct WrittenRowGroups<'w> {
    /// In file order.
    pub row_groups: &'w [RowGroupEntry],
    /// How the chunks of each column are laid out.
    pub chosen: &'w [Vec<ChosenFor>],
}

/// Writes one table file: `create`, `append` every row group in order, `finish`.
#[derive(Debug)]
pub struct TableWriter {
    path: PathBuf,
    writer: SerializedFileWriter<HashedFile>,
    row_groups: Vec<RowGroupEntry>,
    /// By column: how many chunks are laid out in each way.
    chosen: Vec<BTreeMap<Choice, u64>>,
}

impl TableWriter {
    /// Begins the file: the magic and the tag. `file` is new and empty; `path` is where it lies.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] where the file cannot be written.
    pub fn create(file: File, path: &Path, encoder: &TableEncoder) -> Result<Self> {
        let parts = &encoder.0;
        let writer = SerializedFileWriter::new(
            HashedFile::new(file),
            Arc::clone(&parts.parquet_schema),
            Arc::clone(&parts.file_properties),
        );
        let mut writer = writer
            .map_err(|error| parquet_error(ErrorKind::Failed, "writing a table file", Some(path), error))?;
        // Counted by the writer, so every later offset is right.
        writer.write_all(FILE_TAG).map_err(|error| Error::io("writing a table file", path, error))?;
        Ok(Self { path: path.to_owned(), writer, row_groups: Vec::new(), chosen: Vec::new() })
    }

    /// Appends the next row group; `digest` is of its rows as they were read.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`] where `digest` counts other rows than were encoded; [`ErrorKind::Failed`]
    /// where the file cannot be written, or has too many row groups for Parquet.
    pub fn append(&mut self, group: EncodedRowGroup, digest: ContentDigest) -> Result<()> {
        if digest.row_count != group.row_count {
            let message =
                format!("{} rows were encoded, but {} were read", group.row_count, digest.row_count);
            return Err(Error::new(ErrorKind::Mismatch, message).at(&self.path));
        }
        let sizes: Vec<u64> = group.chunks.iter().map(chunk_size).collect();
        self.chosen.resize_with(group.choices.len(), BTreeMap::new);
        for (chosen, choice) in self.chosen.iter_mut().zip(group.choices) {
            *chosen.entry(choice).or_default() += 1;
        }
        let begun_at = self.writer.bytes_written();
        // Nothing of what came before may be left in a buffer once chunks are being hashed.
        self.writer.flush().map_err(|error| Error::io("writing a table file", &self.path, error))?;
        self.writer.inner_mut().expect_chunks(sizes.iter().copied().collect());
        append_chunks(&mut self.writer, group.chunks).map_err(|error| {
            parquet_error(ErrorKind::Failed, "writing a row group", Some(&self.path), error)
        })?;
        self.writer.flush().map_err(|error| Error::io("writing a table file", &self.path, error))?;
        let hashes = self.writer.inner_mut().take_chunk_hashes();
        self.check_offsets(begun_at, hashes.as_deref())?;
        self.row_groups.push(RowGroupEntry {
            rows: group.row_count,
            digest,
            chunks: hashes.unwrap_or_default(),
            chunk_bytes: sizes,
        });
        Ok(())
    }

    /// Makes sure that the footer will say of the last row group's chunks what was hashed: one after another,
    /// from `begun_at` to where the file ends now.
    fn check_offsets(&self, begun_at: usize, hashes: Option<&[String]>) -> Result<()> {
        let wrong =
            || Error::new(ErrorKind::Failed, "a column chunk is not where it should be").at(&self.path);
        let (Some(hashes), Some(group)) = (hashes, self.writer.flushed_row_groups().last()) else {
            return Err(wrong());
        };
        let mut end = begun_at as u64;
        for column in group.columns() {
            let (start, size) = column.byte_range();
            if start != end {
                return Err(wrong());
            }
            end += size;
        }
        let is_whole = hashes.len() == group.num_columns() && end == self.writer.bytes_written() as u64;
        if is_whole { Ok(()) } else { Err(wrong()) }
    }

    /// Row groups appended so far.
    #[must_use]
    pub fn row_groups(&self) -> &[RowGroupEntry] {
        &self.row_groups
    }

    /// Writes the footer with the key-value metadata that `footer` makes of the row groups, and seals the file.
    /// Syncing is the caller's.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] where the file cannot be written; whatever `footer` returns.
    pub fn finish(
        mut self,
        footer: impl FnOnce(WrittenRowGroups<'_>) -> Result<Vec<(String, String)>>,
    ) -> Result<FileFacts> {
        let chosen = self.chosen.into_iter().map(|chosen| {
            chosen.into_iter().map(|(choice, row_groups)| ChosenFor { choice, row_groups }).collect()
        });
        let chosen: Vec<Vec<ChosenFor>> = chosen.collect();
        for (key, value) in footer(WrittenRowGroups { row_groups: &self.row_groups, chosen: &chosen })? {
            self.writer.append_key_value_metadata(KeyValue::new(key, value));
        }
        let path = self.path;
        let write_error = |error| Error::io("writing a table file", &path, error);
        // Nothing of what came before may be left in a buffer once the tail is held back.
        self.writer.flush().map_err(write_error)?;
        self.writer.inner_mut().expect_tail();
        let hashed = self
            .writer
            .into_inner()
            .map_err(|error| parquet_error(ErrorKind::Failed, "writing a footer", Some(&path), error))?;
        let SealedFile { size_bytes, sha256, tail } = hashed.finish().map_err(write_error)?;

        let mut digest = ContentDigest::default();
        self.row_groups.iter().for_each(|group| digest.add(group.digest));
        let (rows, row_groups) = (digest.row_count, self.row_groups);
        Ok(FileFacts { size_bytes, sha256, rows, digest, row_groups, chosen, tail })
    }
}

fn append_chunks(
    writer: &mut SerializedFileWriter<HashedFile>,
    chunks: Vec<ArrowColumnChunk>,
) -> parquet::errors::Result<()> {
    let mut group = writer.next_row_group()?;
    for chunk in chunks {
        chunk.append_to_row_group(&mut group)?;
    }
    group.close()?;
    Ok(())
}

#[cfg(test)]
mod tests;
