//! Cells into record batches, under a mapping; a cell that has no place is refused, never converted.
//!
//! Text and bytes become views, which cross into polars without a copy and are written as fast as any other
//! layout. Memory follows the data: no column reserves room it has not been given values for, because a
//! table may have thousands of columns.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryViewBuilder, Int64Builder, RecordBatch, RecordBatchOptions, UInt64Builder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::error::{Error, ErrorKind, Result};
use crate::frame::cuts::row_size;
use crate::frame::mapping::TableMapping;
use crate::schema::Cell;

mod columns;
mod views;

use columns::{ColumnBuilder, NullArrays};

/// Largest cell in bytes. A page's size is a signed 32-bit number in Parquet; this leaves room for the other
/// values of its page, its levels, and zstd's overhead on data it cannot shrink.
pub const MAX_CELL_BYTES: usize = 0x7fff_ffff - 4 * 1024 * 1024;

/// The name of the trailing column that holds a row's order key, for the sorter only.
pub const ORDER_KEY_COLUMN: &str = "order key";

/// The name of the trailing column that holds a row's [`row_size`], for the sorter only.
pub const ROW_SIZE_COLUMN: &str = "row size";

/// Gathers rows into record batches under a mapping.
///
/// Shape: [`TableMapping::arrow_schema`], then, for the sorter, [`ORDER_KEY_COLUMN`] (bytes) and
/// [`ROW_SIZE_COLUMN`].
#[derive(Debug)]
pub struct FrameBuilder {
    schema: SchemaRef,
    rowid: Option<Int64Builder>,
    columns: Vec<ColumnBuilder>,
    key: Option<(BinaryViewBuilder, UInt64Builder)>,
    /// How many Parquet columns the mapping has.
    width: usize,
    row_count: usize,
    size_bytes: u64,
    /// The first cell that no Parquet page can hold; `finish` fails with it.
    oversized: Option<Error>,
}

impl FrameBuilder {
    /// Starts a frame; `has_key_columns` adds the two trailing columns of the sorter.
    #[must_use]
    pub fn new(mapping: &TableMapping, has_key_columns: bool) -> Self {
        let mut schema = mapping.arrow_schema();
        if has_key_columns {
            let key = [
                Arc::new(Field::new(ORDER_KEY_COLUMN, DataType::BinaryView, false)),
                Arc::new(Field::new(ROW_SIZE_COLUMN, DataType::UInt64, false)),
            ];
            schema = Arc::new(Schema::new(schema.fields().iter().cloned().chain(key).collect::<Vec<_>>()));
        }
        Self {
            schema,
            rowid: mapping.rowid_column.is_some().then(|| Int64Builder::with_capacity(0)),
            columns: mapping.columns.iter().map(ColumnBuilder::new).collect(),
            key: has_key_columns
                .then(|| (BinaryViewBuilder::with_capacity(0), UInt64Builder::with_capacity(0))),
            width: mapping.width(),
            row_count: 0,
            size_bytes: 0,
            oversized: None,
        }
    }

    /// Adds a row: its stored columns in declaration order. `false`, and nothing is added, where a cell has
    /// no place under the mapping.
    ///
    /// The rowid is taken only where the mapping has a column for it. Not for builders with key columns.
    pub fn push_row(&mut self, rowid: Option<i64>, cells: &[Cell<'_>]) -> bool {
        debug_assert!(self.key.is_none(), "a builder with key columns takes a key with every row");
        self.push(rowid, cells).is_some()
    }

    /// Adds a row with its order key; only for builders with key columns.
    pub fn push_row_with_key(&mut self, rowid: Option<i64>, cells: &[Cell<'_>], key: &[u8]) -> bool {
        let Some(size) = self.push(rowid, cells) else { return false };
        if key.len() > MAX_CELL_BYTES {
            self.oversized.get_or_insert_with(|| cell_too_large(ORDER_KEY_COLUMN, key.len()));
        } else if let Some((keys, sizes)) = &mut self.key {
            keys.append_value(key);
            sizes.append_value(size);
        }
        true
    }

    /// Rows gathered so far.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.row_count
    }

    /// The sum of [`row_size`] over the rows gathered so far.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The rows gathered so far as one record batch; the builder is empty and ready afterwards.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] where a cell was larger than [`MAX_CELL_BYTES`].
    pub fn finish(&mut self) -> Result<RecordBatch> {
        let row_count = std::mem::take(&mut self.row_count);
        self.size_bytes = 0;
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        if let Some(rowids) = &mut self.rowid {
            arrays.push(Arc::new(rowids.finish()));
        }
        let mut nulls = NullArrays::new(row_count);
        for column in &mut self.columns {
            column.finish_into(&mut arrays, &mut nulls);
        }
        if let Some((keys, sizes)) = &mut self.key {
            arrays.push(Arc::new(std::mem::replace(keys, BinaryViewBuilder::with_capacity(0)).finish()));
            arrays.push(Arc::new(sizes.finish()));
        }
        if let Some(error) = self.oversized.take() {
            return Err(error);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(row_count));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options).map_err(|error| {
            Error::new(ErrorKind::Failed, "rows cannot be made a record batch").because(error)
        })
    }

    /// Adds a row and returns its size, or adds nothing.
    fn push(&mut self, rowid: Option<i64>, cells: &[Cell<'_>]) -> Option<u64> {
        let fits = cells.len() == self.columns.len()
            && (self.rowid.is_none() || rowid.is_some())
            && self.columns.iter().zip(cells).all(|(column, cell)| column.fits(cell));
        if !fits {
            return None;
        }
        if let (Some(builder), Some(rowid)) = (&mut self.rowid, rowid) {
            builder.append_value(rowid);
        }
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            if cell.size_bytes() > MAX_CELL_BYTES {
                self.oversized.get_or_insert_with(|| cell_too_large(column.name(), cell.size_bytes()));
                column.push(Cell::Null);
            } else {
                column.push(*cell);
            }
        }
        let size = row_size(cells, self.width);
        self.row_count += 1;
        self.size_bytes += size;
        Some(size)
    }
}

fn cell_too_large(column: &str, size: usize) -> Error {
    let message =
        format!("a value of {size} bytes is larger than a Parquet page can be ({MAX_CELL_BYTES} bytes)");
    Error::new(ErrorKind::Failed, message).in_column(column)
}

/// The double nearest to an integer (ties to even): what a number family shows for it.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "the loss is the point: the exact value is kept beside it")]
pub fn nearest_double(value: i64) -> f64 {
    value as f64
}
