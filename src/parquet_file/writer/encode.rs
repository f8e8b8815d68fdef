//! Encodes row groups into memory, on any thread; nothing here touches a file.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::TypePtr;

use crate::error::{Error, ErrorKind, Result};
use crate::frame::mapping::{ParquetColumn, TableMapping};
use crate::parquet_file::parquet_error;
use crate::parquet_file::settings::{
    LARGE_CELL_BYTES, SortingTerm, WriterSettings, column_properties, file_properties, parquet_schema,
};

/// Encodes row groups of one table, on as many threads as there are: it is shared by reference or cloned.
#[derive(Debug, Clone)]
pub struct TableEncoder(pub(super) Arc<EncoderParts>);

#[derive(Debug)]
pub(super) struct EncoderParts {
    schema: SchemaRef,
    pub(super) parquet_schema: TypePtr,
    pub(super) file_properties: WriterPropertiesPtr,
    columns: Vec<ColumnEncoder>,
}

/// One encoded row group: the pages of all its column chunks, in memory.
#[derive(Debug)]
pub struct EncodedRowGroup {
    pub(super) chunks: Vec<ArrowColumnChunk>,
    pub(super) row_count: u64,
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

pub(super) fn chunk_size(chunk: &ArrowColumnChunk) -> u64 {
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
