//! Where the batches of one row group come from.
//!
//! The decoder keeps a decompressor of a hundred kilobytes for each column it reads, all columns at once: a table
//! of thousands of columns would take a gigabyte for nothing. Such a row group is decoded a few columns at a time,
//! as a whole, which its bounded number of cells allows.

use std::fs::File;

use arrow::array::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;

use std::sync::Arc;

/// Most columns that are decoded side by side: their decompressors take 25 MB.
pub(super) const COLUMNS_AT_ONCE: usize = 256;

/// The batches that are left.
#[derive(Debug)]
pub(super) enum BatchReader {
    /// Decoded batch by batch.
    Streaming(ParquetRecordBatchReader),
    /// Decoded as a whole, and handed out in pieces of so many rows.
    Decoded { batch: RecordBatch, batch_rows: usize },
}

impl BatchReader {
    pub(super) fn next_batch(&mut self) -> Result<Option<RecordBatch>, ParquetError> {
        match self {
            Self::Streaming(reader) => reader.next().transpose().map_err(ParquetError::from),
            Self::Decoded { batch, .. } if batch.num_rows() == 0 => Ok(None),
            Self::Decoded { batch, batch_rows } => {
                let taken = batch.num_rows().min(*batch_rows);
                let piece = batch.slice(0, taken);
                *batch = batch.slice(taken, batch.num_rows() - taken);
                Ok(Some(piece))
            }
        }
    }
}

/// Decodes a whole row group, [`COLUMNS_AT_ONCE`] columns at a time.
pub(super) fn read_in_parts(
    file: &File,
    metadata: &ArrowReaderMetadata,
    index: usize,
) -> Result<RecordBatch, ParquetError> {
    let group = metadata.metadata().row_group(index);
    let row_count = usize::try_from(group.num_rows())?;
    let schema = metadata.metadata().file_metadata().schema_descr();
    let mut arrays = Vec::with_capacity(group.num_columns());
    for first in (0..group.num_columns()).step_by(COLUMNS_AT_ONCE) {
        let columns = first..group.num_columns().min(first + COLUMNS_AT_ONCE);
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file.try_clone()?, metadata.clone());
        let mut reader = builder
            .with_row_groups(vec![index])
            .with_projection(ProjectionMask::leaves(schema, columns))
            .with_batch_size(row_count)
            .build()?;
        let batch = reader.next().transpose()?;
        let batch = batch.filter(|batch| batch.num_rows() == row_count);
        let batch = batch.ok_or_else(|| ParquetError::General("rows are missing".to_string()))?;
        arrays.extend(batch.columns().iter().cloned());
    }
    Ok(RecordBatch::try_new(Arc::clone(metadata.schema()), arrays)?)
}
