//! Reads one table file: batches of a row group, and the facts its footer states.
//!
//! The bytes may be damaged or hostile. The decoder below was not made to survive that, so every call into
//! it is guarded: what it cannot read is [`ErrorKind::Damaged`], never a panic. What it does read is proven
//! by the digests, not here.

use std::cell::Cell;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, PageIndexPolicy, ParquetMetaDataReader, RowGroupMetaData,
};

use crate::error::{Error, ErrorKind, Result};
use crate::parquet_file::damage::hash_range;
use crate::parquet_file::parquet_error;
use crate::parquet_file::profile::{self, Footer};
use crate::parquet_file::settings::{DICTIONARY_BYTES, PAGE_BYTES, SortingTerm};

mod batches;
pub(super) mod budget;
mod facts;
mod statistics;

use batches::{BatchReader, COLUMNS_AT_ONCE, read_in_parts};
use budget::Budget;

pub use facts::ColumnFacts;
pub use statistics::{StatisticsCheck, StatisticsMismatch};

/// Most rows of a batch: enough to work in bulk.
const BATCH_ROWS: u64 = 8192;

/// Size in bytes that a batch of average rows may have.
const BATCH_BYTES: u64 = 16 * 1024 * 1024;

/// Most bytes of one column's pages in hand while its values are small: a dictionary, and a page that is full with the
/// last value it took.
const PAGES_BYTES: u64 = 2 * PAGE_BYTES as u64 + DICTIONARY_BYTES as u64;

/// What reading a column takes whatever it holds, in bytes: a zstd decoder of its own, most of it.
const COLUMN_BYTES: u64 = 128 * 1024;

/// What a cell costs in a batch beside its bytes: a view.
const CELL_BYTES: u64 = 16;

/// An open table file. Row groups can be read from several threads at once.
#[derive(Debug)]
pub struct TableReader {
    path: PathBuf,
    size_bytes: u64,
    metadata: ArrowReaderMetadata,
}

impl TableReader {
    /// Opens a file and reads its footer.
    ///
    /// Only what our own writer makes opens (see [`profile`]); whether it is a snapshot
    /// by itself is told by its key-value metadata.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] where the file cannot be opened or read; [`ErrorKind::Damaged`] where it is not
    /// Parquet, or its footer is not one that our own writer makes.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|error| Error::io("opening a table file", path, error))?;
        let size_bytes =
            file.metadata().map_err(|error| Error::io("opening a table file", path, error))?.len();
        let footer = Footer::read(&file, path, size_bytes)?;
        footer.check_profile(path)?;
        let metadata = guarded("reading a footer", path, || load_metadata(footer.bytes()))?;
        Ok(Self { path: path.to_owned(), size_bytes, metadata })
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its size in bytes when it was opened.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// A value of the key-value metadata.
    #[must_use]
    pub fn key_value(&self, name: &str) -> Option<&str> {
        let pairs = self.metadata.metadata().file_metadata().key_value_metadata()?;
        pairs.iter().find(|pair| pair.key == name)?.value.as_deref()
    }

    /// How many row groups there are.
    #[must_use]
    pub fn row_group_count(&self) -> usize {
        self.row_groups().len()
    }

    /// How many rows the footer states.
    #[must_use]
    pub fn row_count(&self) -> u64 {
        self.row_groups().iter().map(|group| unsigned(group.num_rows())).sum()
    }

    /// How many rows the footer states of one row group; 0 where there is no such row group.
    #[must_use]
    pub fn row_group_rows(&self, index: usize) -> u64 {
        self.row_groups().get(index).map_or(0, |group| unsigned(group.num_rows()))
    }

    /// The order that the footer claims of every row group; empty where it claims none, or not one for all.
    #[must_use]
    pub fn sorting_columns(&self) -> Vec<SortingTerm> {
        let mut claims = self.row_groups().iter().map(RowGroupMetaData::sorting_columns);
        let Some(Some(first)) = claims.next() else { return Vec::new() };
        if !claims.all(|claim| claim == Some(first)) {
            return Vec::new();
        }
        let term = |column: &parquet::file::metadata::SortingColumn| {
            Some(SortingTerm {
                column: usize::try_from(column.column_idx).ok()?,
                descending: column.descending,
                nulls_first: column.nulls_first,
            })
        };
        first.iter().map(term).collect::<Option<_>>().unwrap_or_default()
    }

    /// The batches of one row group in order, text and bytes as views.
    ///
    /// Shape: at most 8192 rows, fewer where rows are large. The file is opened anew, so that row groups can
    /// be read on several threads; a file that was replaced meanwhile reads as damaged.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] where the file cannot be read; [`ErrorKind::Damaged`] where there is no such row
    /// group or it cannot be decoded. The iterator ends after an error.
    pub fn read_row_group(&self, index: usize) -> Result<RowGroupBatches> {
        let group = self.row_groups().get(index).ok_or_else(|| self.damaged("a row group is missing"))?;
        let file = self.check_pages(index, group)?;
        let batch_rows = batch_rows(group);
        let reader = guarded("reading a row group", &self.path, || {
            if group.num_columns() > COLUMNS_AT_ONCE {
                let batch = read_in_parts(&file, &self.metadata, index)?;
                return Ok(BatchReader::Decoded { batch, batch_rows });
            }
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone());
            let reader = builder.with_row_groups(vec![index]).with_batch_size(batch_rows).build()?;
            Ok(BatchReader::Streaming(reader))
        })?;
        let budget = Budget::of_rows(unsigned(group.num_rows()));
        Ok(RowGroupBatches { path: self.path.clone(), reader: Some((reader, budget)) })
    }

    /// The batches of one row group with some of its columns only: those at the places in `columns`, which rise.
    ///
    /// Shape: as [`Self::read_row_group`] has them, batch for batch.
    ///
    /// # Errors
    /// As [`Self::read_row_group`].
    pub fn read_columns(&self, index: usize, columns: &[usize]) -> Result<RowGroupBatches> {
        let group = self.row_groups().get(index).ok_or_else(|| self.damaged("a row group is missing"))?;
        let file = self.check_pages(index, group)?;
        let batch_rows = batch_rows(group);
        let reader = guarded("reading a row group", &self.path, || {
            let schema = self.metadata.metadata().file_metadata().schema_descr();
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone());
            let chosen = ProjectionMask::leaves(schema, columns.iter().copied());
            let builder = builder.with_row_groups(vec![index]).with_projection(chosen);
            Ok(BatchReader::Streaming(builder.with_batch_size(batch_rows).build()?))
        })?;
        let budget = Budget::of_rows(unsigned(group.num_rows()));
        Ok(RowGroupBatches { path: self.path.clone(), reader: Some((reader, budget)) })
    }

    /// Checks the pages of one row group without decoding them, for whichever decoder is to read them.
    ///
    /// # Errors
    /// Those of [`read_row_group`](Self::read_row_group), but for what only decoding can tell.
    pub(super) fn check_row_group(&self, index: usize) -> Result<()> {
        let group = self.row_groups().get(index).ok_or_else(|| self.damaged("a row group is missing"))?;
        self.check_pages(index, group).map(drop)
    }

    fn check_pages(&self, index: usize, group: &RowGroupMetaData) -> Result<File> {
        let file =
            File::open(&self.path).map_err(|error| Error::io("opening a table file", &self.path, error))?;
        profile::check_row_group(&file, &self.path, index, group)?;
        Ok(file)
    }

    /// The memory that reading one row group takes, roughly and at most, in bytes: one batch, the pages it is read from,
    /// the largest page as it lies in the file, and a decoder per column. 0 where there is no such row group.
    ///
    /// Only as true as the footer, and as the file is one of ours: what pages other writers cut is not known.
    #[must_use]
    pub fn decoding_bytes(&self, index: usize) -> u64 {
        let Some(group) = self.row_groups().get(index) else { return 0 };
        let (mut pages, mut largest) = (group.num_columns() as u64 * COLUMN_BYTES, 0);
        for chunk in group.columns() {
            // A page with a large cell is as large as that, and only columns without such a cell have statistics.
            let most = if chunk.statistics().is_some() { PAGES_BYTES } else { u64::MAX };
            pages = pages.saturating_add(unsigned(chunk.uncompressed_size()).min(most));
            largest = unsigned(chunk.compressed_size()).min(most).max(largest);
        }
        pages.saturating_add(largest).saturating_add(self.batch_bytes(index))
    }

    /// The size of an average batch of one row group in bytes; 0 where there is no such row group.
    #[must_use]
    pub fn batch_bytes(&self, index: usize) -> u64 {
        let size = |group| row_bytes(group).saturating_mul(batch_rows(group) as u64);
        self.row_groups().get(index).map_or(0, size)
    }

    /// What the footer says of each column, summed over all row groups.
    #[must_use]
    pub fn columns(&self) -> Vec<ColumnFacts> {
        let schema = self.metadata.metadata().file_metadata().schema_descr();
        (0..schema.num_columns()).map(|index| facts::sum_column(schema, self.row_groups(), index)).collect()
    }

    /// The hash of one column chunk's bytes, as the footer and the manifest record it when it is written.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] where the file cannot be read; [`ErrorKind::Damaged`] where there is no such
    /// chunk or it lies outside the file.
    pub fn chunk_hash(&self, row_group_index: usize, column_index: usize) -> Result<String> {
        let group = self.row_groups().get(row_group_index);
        let chunk = group
            .and_then(|group| group.columns().get(column_index))
            .ok_or_else(|| self.damaged("a column chunk is missing"))?;
        // That it lies inside the file was checked with the footer.
        let (start, size) = chunk.byte_range();
        File::open(&self.path)
            .and_then(|mut file| hash_range(&mut file, start, size))
            .map_err(|error| Error::io("reading a column chunk", &self.path, error))
    }

    /// Begins to compare what footer and page index state of one row group with its rows.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] where the file cannot be read; [`ErrorKind::Damaged`] where there is no such row
    /// group or its page index makes no sense.
    pub fn check_statistics(&self, row_group_index: usize) -> Result<StatisticsCheck<'_>> {
        if row_group_index >= self.row_group_count() {
            return Err(self.damaged("a row group is missing"));
        }
        let file =
            File::open(&self.path).map_err(|error| Error::io("opening a table file", &self.path, error))?;
        guarded("reading a page index", &self.path, || {
            StatisticsCheck::new(&file, self.metadata.metadata(), row_group_index)
        })
    }

    fn row_groups(&self) -> &[RowGroupMetaData] {
        self.metadata.metadata().row_groups()
    }

    fn damaged(&self, message: &str) -> Error {
        Error::new(ErrorKind::Damaged, message).at(&self.path)
    }
}

/// The metadata of a footer, which was checked, with a schema whose text and bytes are views.
fn load_metadata(footer: &[u8]) -> Result<ArrowReaderMetadata, ParquetError> {
    // Whole row groups are read, for which the page index is of no use.
    let options = ArrowReaderOptions::new()
        .with_skip_arrow_metadata(true)
        .with_page_index_policy(PageIndexPolicy::Skip);
    let metadata = Arc::new(ParquetMetaDataReader::decode_metadata(footer)?);
    let plain = ArrowReaderMetadata::try_new(metadata, options.clone())?;
    let field = |field: &Arc<Field>| match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => {
            Arc::new(Field::clone(field).with_data_type(DataType::Utf8View))
        }
        DataType::Binary | DataType::LargeBinary => {
            Arc::new(Field::clone(field).with_data_type(DataType::BinaryView))
        }
        _ => Arc::clone(field),
    };
    let fields: Vec<_> = plain.schema().fields().iter().map(field).collect();
    let schema = Arc::new(Schema::new_with_metadata(fields, plain.schema().metadata().clone()));
    ArrowReaderMetadata::try_new(Arc::clone(plain.metadata()), options.with_schema(schema))
}

/// Rows of a batch, so that a batch of average rows keeps to [`BATCH_BYTES`].
fn batch_rows(group: &RowGroupMetaData) -> usize {
    let rows = (BATCH_BYTES / row_bytes(group).max(1)).clamp(1, BATCH_ROWS);
    usize::try_from(rows).unwrap_or(1)
}

/// What an average row takes in a batch, in bytes.
fn row_bytes(group: &RowGroupMetaData) -> u64 {
    let chunk_bytes = |chunk: &ColumnChunkMetaData| {
        let text = chunk.unencoded_byte_array_data_bytes().unwrap_or(0);
        unsigned(chunk.uncompressed_size().max(text))
    };
    let bytes = group.columns().iter().map(chunk_bytes).fold(0, u64::saturating_add);
    bytes / unsigned(group.num_rows()).max(1) + group.num_columns() as u64 * CELL_BYTES
}

/// A number of the footer that cannot be negative; a negative one counts as 0.
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// The batches of one row group.
#[derive(Debug)]
pub struct RowGroupBatches {
    path: PathBuf,
    /// `None` after the end or an error.
    reader: Option<(BatchReader, Budget)>,
}

impl Iterator for RowGroupBatches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        // Gone while it is being asked, so that a reader that gave up midway is never asked again.
        let (mut reader, mut budget) = self.reader.take()?;
        let batch = guarded("reading a row group", &self.path, || {
            let batch = reader.next_batch()?;
            batch.as_ref().map_or(Ok(()), |batch| budget.take(batch))?;
            Ok((batch, (reader, budget)))
        });
        match batch {
            Ok((Some(batch), reader)) => {
                self.reader = Some(reader);
                Some(Ok(batch))
            }
            Ok((None, _)) => None,
            Err(error) => Some(Err(error)),
        }
    }
}

thread_local! {
    static DECODING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside the decoder, whose panics are caught and told as errors.
#[must_use]
pub fn is_decoding() -> bool {
    DECODING.get()
}

/// Calls into the decoder: its errors and its panics both mean that the file is damaged, I/O failures apart.
pub(super) fn guarded<T>(
    doing: &str,
    path: &Path,
    call: impl FnOnce() -> Result<T, ParquetError>,
) -> Result<T> {
    match caught(call) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(parquet_error(ErrorKind::Damaged, doing, Some(path), error)),
        Err(reason) => {
            Err(Error::new(ErrorKind::Damaged, format!("{doing} failed")).at(path).because(reason))
        }
    }
}

/// Calls into a decoder, with its panics caught; an error is what the panic said.
pub(super) fn caught<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    DECODING.set(true);
    let called = catch_unwind(AssertUnwindSafe(call));
    DECODING.set(false);
    called.map_err(|panic| {
        let reason = panic.downcast_ref::<String>().map(String::as_str);
        reason.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given").to_string()
    })
}

#[cfg(test)]
mod tests;
