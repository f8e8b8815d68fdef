//! Writes one table file: row groups are encoded on any threads, appended in order, hashed on the way, and
//! the file is sealed at the end.
//!
//! Equal batches under equal settings give equal bytes: nothing here knows a clock, a host or a thread. No
//! file is created, synced or renamed here; that is the caller's.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::TypePtr;
use serde::{Deserialize, Serialize};

use crate::digest::{ChunkHasher, ContentDigest, Sha256Digest, Sha256Hasher};
use crate::error::{Error, ErrorKind, Result};
use crate::frame::mapping::{ParquetColumn, TableMapping};
use crate::parquet_file::parquet_error;
use crate::parquet_file::seal::{empty_seal, patch_seal};
use crate::parquet_file::settings::{
    LARGE_CELL_BYTES, SortingTerm, WriterSettings, column_properties, file_properties, parquet_schema,
};

/// Size of a piece read back at a time for the file digest, in bytes.
const READ_BYTES: usize = 256 * 1024;

/// Encodes row groups of one table, on as many threads as there are: it is shared by reference or cloned.
#[derive(Debug, Clone)]
pub struct TableEncoder(Arc<EncoderParts>);

#[derive(Debug)]
struct EncoderParts {
    schema: SchemaRef,
    parquet_schema: TypePtr,
    file_properties: WriterPropertiesPtr,
    columns: Vec<ColumnEncoder>,
}

/// One encoded row group: the pages of all its column chunks, in memory.
#[derive(Debug)]
pub struct EncodedRowGroup {
    chunks: Vec<ArrowColumnChunk>,
    row_count: u64,
}

impl EncodedRowGroup {
    /// Its rows.
    #[must_use]
    pub fn row_count(&self) -> u64 {
        self.row_count
    }

    /// Its size in bytes as it will be in the file.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.chunks.iter().map(chunk_size).sum()
    }
}

fn chunk_size(chunk: &ArrowColumnChunk) -> u64 {
    // The encoder counts up from zero.
    u64::try_from(chunk.close().metadata.compressed_size()).unwrap_or(0)
}

impl TableEncoder {
    /// Prepares an encoder; `sorting` is what the footer claims of the rows' order.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for a compression level zstd does not have; [`ErrorKind::Failed`] where the
    /// columns make no Parquet schema.
    #[expect(clippy::needless_pass_by_value, reason = "the claim is the encoder's from here on")]
    pub fn new(mapping: &TableMapping, settings: &WriterSettings, sorting: Vec<SortingTerm>) -> Result<Self> {
        let schema = mapping.arrow_schema();
        if sorting.iter().any(|term| term.column >= schema.fields().len()) {
            return Err(Error::new(
                ErrorKind::Failed,
                "the file is claimed to be sorted by a column it lacks",
            ));
        }
        let columns: Result<_> = mapping
            .parquet_columns()
            .zip(schema.fields())
            .map(|(column, field)| ColumnEncoder::new(column, field, *settings, schema.fields().len()))
            .collect();
        Ok(Self(Arc::new(EncoderParts {
            parquet_schema: parquet_schema(mapping.parquet_columns())?,
            file_properties: file_properties(*settings, &sorting)?,
            columns: columns?,
            schema,
        })))
    }

    /// The schema of the batches it encodes.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.0.schema
    }

    /// Encodes one batch as one row group; columns one after another, so that only one has a dictionary and
    /// a compressor in memory.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] where the batch is empty, is not of this encoder's schema, or a column cannot be
    /// encoded.
    pub fn encode(&self, row_group_index: usize, batch: &RecordBatch) -> Result<EncodedRowGroup> {
        let has_schema = batch.num_columns() == self.0.columns.len()
            && batch
                .schema_ref()
                .fields()
                .iter()
                .zip(self.0.schema.fields())
                .all(|(given, own)| given.name() == own.name() && given.data_type() == own.data_type());
        if !has_schema {
            return Err(Error::new(
                ErrorKind::Failed,
                "a record batch does not have the columns of its file",
            ));
        }
        if batch.num_rows() == 0 {
            return Err(Error::new(ErrorKind::Failed, "a row group without rows"));
        }
        let chunks: Result<_> = self
            .0
            .columns
            .iter()
            .zip(batch.columns())
            .map(|(column, array)| column.encode(row_group_index, array))
            .collect();
        Ok(EncodedRowGroup { chunks: chunks?, row_count: batch.num_rows() as u64 })
    }
}

/// Encodes chunks of one column. Every column has factories of its own: creating the writers of thousands of
/// columns at once would take hundreds of megabytes.
#[derive(Debug)]
struct ColumnEncoder {
    field: FieldRef,
    usual: ArrowRowGroupWriterFactory,
    for_large_cells: ArrowRowGroupWriterFactory,
}

impl ColumnEncoder {
    fn new(
        column: ParquetColumn<'_>,
        field: &FieldRef,
        settings: WriterSettings,
        column_count: usize,
    ) -> Result<Self> {
        let factory = |large_cells| {
            let properties = column_properties(settings, column, column_count, large_cells)?;
            let schema = parquet_schema(std::iter::once(column))?;
            // A factory can only be made beside a file; this one's bytes go nowhere.
            let writer = SerializedFileWriter::new(std::io::sink(), schema, properties)
                .map_err(|error| parquet_error(ErrorKind::Failed, "preparing a column", None, error))?;
            let schema = Arc::new(Schema::new(vec![Arc::clone(field)]));
            Ok(ArrowRowGroupWriterFactory::new(&writer, schema))
        };
        Ok(Self { field: Arc::clone(field), usual: factory(false)?, for_large_cells: factory(true)? })
    }

    fn encode(&self, row_group_index: usize, array: &ArrayRef) -> Result<ArrowColumnChunk> {
        let failed = |error| {
            parquet_error(ErrorKind::Failed, "encoding a column", None, error).in_column(self.field.name())
        };
        if !self.field.is_nullable() && array.null_count() > 0 {
            return Err(Error::new(ErrorKind::Failed, "a row has no rowid").in_column(self.field.name()));
        }
        let factory = if has_large_cells(array) { &self.for_large_cells } else { &self.usual };
        let mut writers = factory.create_column_writers(row_group_index).map_err(failed)?;
        let leaves = compute_leaves(&self.field, array).map_err(failed)?;
        match (writers.pop(), leaves.as_slice()) {
            (Some(mut writer), [leaf]) if writers.is_empty() => {
                writer.write(leaf).map_err(failed)?;
                writer.close().map_err(failed)
            }
            _ => Err(Error::new(ErrorKind::Failed, "a column is not flat").in_column(self.field.name())),
        }
    }
}

/// Whether any value is larger than [`LARGE_CELL_BYTES`]; decided by the values alone, so that equal batches
/// give equal bytes.
fn has_large_cells(array: &ArrayRef) -> bool {
    match array.data_type() {
        DataType::Utf8View => array.as_string_view().lengths().any(is_large),
        DataType::BinaryView => array.as_binary_view().lengths().any(is_large),
        _ => false,
    }
}

fn is_large(size: u32) -> bool {
    size as usize > LARGE_CELL_BYTES
}

/// What a file's footer and the manifest say of one row group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowGroupEntry {
    /// Its rows.
    pub rows: u64,
    /// The content digest of its rows.
    pub digest: ContentDigest,
    /// The hash of each column chunk's bytes, in file order, so that damage is named to the column.
    pub chunks: Vec<String>,
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
}

/// Writes one table file: `create`, `append` every row group in order, `finish`.
#[derive(Debug)]
pub struct TableWriter {
    path: PathBuf,
    writer: SerializedFileWriter<HashedFile>,
    row_groups: Vec<RowGroupEntry>,
}

impl TableWriter {
    /// Begins the file: the magic and the empty seal. `file` is new and empty; `path` is where it lies.
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
        writer.write_all(&empty_seal()).map_err(|error| Error::io("writing a table file", path, error))?;
        Ok(Self { path: path.to_owned(), writer, row_groups: Vec::new() })
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
        let sizes = group.chunks.iter().map(chunk_size).collect();
        let begun_at = self.writer.bytes_written();
        // Nothing of what came before may be left in a buffer once chunks are being hashed.
        self.writer.flush().map_err(|error| Error::io("writing a table file", &self.path, error))?;
        self.writer.inner_mut().expect_chunks(sizes);
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

    /// Writes the footer with the key-value metadata that `footer` makes of the row groups, seals the file,
    /// and reads it once for its SHA-256. Syncing is the caller's.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] where the file cannot be written or read; whatever `footer` returns.
    pub fn finish(
        mut self,
        footer: impl FnOnce(&[RowGroupEntry]) -> Result<Vec<(String, String)>>,
    ) -> Result<FileFacts> {
        for (key, value) in footer(&self.row_groups)? {
            self.writer.append_key_value_metadata(KeyValue::new(key, value));
        }
        let path = self.path;
        let hashed = self
            .writer
            .into_inner()
            .map_err(|error| parquet_error(ErrorKind::Failed, "writing a footer", Some(&path), error))?;
        let (mut file, seal) = hashed.finish();
        patch_seal(&mut file, seal).map_err(|error| Error::io("sealing a table file", &path, error))?;
        drop(file);
        let (sha256, size_bytes) =
            hash_file(&path).map_err(|error| Error::io("reading a table file", &path, error))?;

        let mut digest = ContentDigest::default();
        self.row_groups.iter().for_each(|group| digest.add(group.digest));
        Ok(FileFacts { size_bytes, sha256, rows: digest.row_count, digest, row_groups: self.row_groups })
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

fn hash_file(path: &Path) -> std::io::Result<(Sha256Digest, u64)> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256Hasher::default();
    let mut piece = vec![0; READ_BYTES];
    let mut size_bytes = 0;
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok((hasher.finish(), size_bytes)),
            Ok(count) => {
                hasher.update(&piece[..count]);
                size_bytes += count as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// A file that hashes what goes into it: the whole for the seal (whose own place is still zeros), and each
/// column chunk by itself.
struct HashedFile {
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
    fn new(file: File) -> Self {
        Self {
            file,
            whole: Sha256Hasher::default(),
            expected: VecDeque::new(),
            chunk: ChunkHasher::default(),
            hashes: Vec::new(),
        }
    }

    /// Says that the next bytes are column chunks of these sizes.
    fn expect_chunks(&mut self, sizes: VecDeque<u64>) {
        self.expected = sizes;
        self.end_full_chunks();
    }

    /// The hashes of the chunks expected last; `None` where not all their bytes have come.
    fn take_chunk_hashes(&mut self) -> Option<Vec<String>> {
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

    fn finish(self) -> (File, Sha256Digest) {
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

#[cfg(test)]
mod tests;
