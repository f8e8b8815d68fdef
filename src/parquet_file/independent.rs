//! A second opinion: table files read with polars' own Parquet decoder, footer included.
//!
//! It shares no code with `reader`: another Thrift decoder, other page, level and value decoders. What both read alike
//! is in the file, not in one library. Like the first decoder it is only given what `profile` lets pass, and its
//! panics are caught.

use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema};
use polars_parquet::read::{
    BasicDecompressor, ColumnChunkMetadata, FileMetadata, PageReader, RowGroupMetadata,
    column_iter_to_arrays, infer_schema, read_metadata,
};

use crate::error::{Error, ErrorKind, Result};
use crate::frame::crossing::chunks_to_arrow;
use crate::parquet_file::TableReader;
use crate::parquet_file::reader::budget::Budget;
use crate::parquet_file::reader::caught;
use crate::parquet_file::told_io_error;

/// A table file opened by polars' decoder.
#[derive(Debug)]
pub struct IndependentReader {
    path: PathBuf,
    /// Only checks what is to be decoded.
    guard: TableReader,
    metadata: FileMetadata,
}

impl IndependentReader {
    /// Opens a file and reads its footer.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] where the file cannot be opened or read; [`ErrorKind::Damaged`] where its footer is not
    /// one that our own writer makes, or the decoder does not understand it.
    pub fn open(path: &Path) -> Result<Self> {
        let guard = TableReader::open(path)?;
        let mut file = File::open(path).map_err(|error| Error::io("opening a table file", path, error))?;
        let metadata = guarded(path, || read_metadata(&mut file))?;
        Ok(Self { path: path.to_owned(), guard, metadata })
    }

    /// How many row groups there are.
    #[must_use]
    pub fn row_group_count(&self) -> usize {
        self.metadata.row_groups.len()
    }

    /// One whole row group as one batch, text and bytes as views.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] where the file cannot be read; [`ErrorKind::Damaged`] where there is no such row group or
    /// it cannot be decoded.
    pub fn read_row_group(&self, index: usize) -> Result<RecordBatch> {
        let group =
            self.metadata.row_groups.get(index).ok_or_else(|| self.damaged("a row group is missing"))?;
        self.guard.check_row_group(index)?;
        let mut file =
            File::open(&self.path).map_err(|error| Error::io("opening a table file", &self.path, error))?;
        let schema = guarded(&self.path, || infer_schema(&self.metadata))?;
        if schema.len() != group.parquet_columns().len() {
            return Err(self.damaged("the columns are nested"));
        }
        let mut fields = Vec::with_capacity(schema.len());
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(schema.len());
        for (field, chunk) in schema.iter_values().zip(group.parquet_columns()) {
            let name = field.name.to_string();
            let place = |error: Error| error.at(&self.path).in_column(&name);
            let bytes = self.read_chunk(&mut file, chunk).map_err(place)?;
            let field = field.clone();
            let array = guarded(&self.path, || {
                let pages = PageReader::new(Cursor::new(bytes.into()), chunk, Vec::new(), usize::MAX);
                let decompressor = BasicDecompressor::new(pages, Vec::new());
                let primitive = &chunk.descriptor().descriptor.primitive_type;
                column_iter_to_arrays(vec![decompressor], vec![primitive], field, None)
                    .map(|(chunks, _)| chunks)
            });
            // A type of array that is not one of ours is the file's doing.
            let array = chunks_to_arrow(array.map_err(place)?)
                .map_err(|error| Error::new(ErrorKind::Damaged, error.message().to_string()))
                .map_err(place)?;
            fields.push(Field::new(name, array.data_type().clone(), true));
            arrays.push(array);
        }
        self.batch(group, fields, arrays)
    }

    fn batch(
        &self,
        group: &RowGroupMetadata,
        fields: Vec<Field>,
        arrays: Vec<ArrayRef>,
    ) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(group.num_rows()));
        let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
            .map_err(|error| self.damaged("columns have other rows than their row group").because(error))?;
        Budget::of_rows(group.num_rows() as u64)
            .take(&batch)
            .map_err(|error| self.damaged("the second decoder refuses a row group").because(error))?;
        Ok(batch)
    }

    /// The bytes of one column chunk, where the decoder's own footer says that they are.
    fn read_chunk(&self, file: &mut File, chunk: &ColumnChunkMetadata) -> Result<Vec<u8>> {
        let range = caught(|| chunk.byte_range())
            .ok()
            .filter(|range| range.start <= range.end && range.end <= self.guard.size_bytes())
            .ok_or_else(|| self.damaged("the footer names a column chunk that is not in the file"))?;
        let size = range.end - range.start;
        let mut bytes = Vec::new();
        let read =
            file.seek(SeekFrom::Start(range.start)).and_then(|_| file.take(size).read_to_end(&mut bytes));
        read.map_err(|error| Error::io("reading a column chunk", &self.path, error))?;
        Ok(bytes)
    }

    fn damaged(&self, message: &str) -> Error {
        Error::new(ErrorKind::Damaged, message).at(&self.path)
    }
}

/// Calls into the decoder: its errors and its panics both mean that it cannot read the file, unless the disk fails.
fn guarded<T, E>(path: &Path, call: impl FnOnce() -> Result<T, E>) -> Result<T>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let cannot = || Error::new(ErrorKind::Damaged, "the second decoder cannot read it").at(path);
    match caught(call) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(match told_io_error(&error.to_string()) {
            Some(io) => Error::io("reading a table file", path, io),
            None => cannot().because(error),
        }),
        Err(reason) => Err(cannot().because(reason)),
    }
}

#[cfg(test)]
mod tests;
