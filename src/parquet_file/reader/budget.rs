//! How much one row group may hold: what was decoded, not what was claimed.
//!
//! A dictionary of one large value turns a few bytes per row into gigabytes, and no header has to say so. Our writer
//! closes a row group with the row that fills it, so all rows but the last have room in it.

use arrow::array::AsArray as _;
use arrow::array::{Array, ByteView, RecordBatch};
use arrow::datatypes::DataType;
use parquet::errors::ParquetError;

use crate::frame::cuts::{ROW_GROUP_BYTES, ROW_GROUP_ROWS};

/// What a cell counts beside its bytes, as when a row group is cut (see `row_size`).
const CELL_BYTES: u64 = 8;

/// The room that is left in one row group.
#[derive(Debug)]
pub(in crate::parquet_file) struct Budget {
    rows_left: u64,
    bytes: u64,
}

impl Budget {
    /// The room of a row group of so many rows.
    pub(in crate::parquet_file) fn of_rows(rows: u64) -> Self {
        Self { rows_left: rows.min(ROW_GROUP_ROWS), bytes: 0 }
    }

    /// Takes the next batch in.
    ///
    /// # Errors
    /// Where it has more rows than were stated, or they hold more than our writer puts into one row group.
    pub(in crate::parquet_file) fn take(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        let rows = batch.num_rows() as u64;
        let Some(left) = self.rows_left.checked_sub(rows) else {
            return Err(ParquetError::General("it has more rows than are stated".to_string()));
        };
        self.rows_left = left;
        // The last row of a row group may be of any size.
        let counted = batch.num_rows() - usize::from(left == 0 && rows > 0);
        let cells = (counted as u64).saturating_mul(batch.num_columns() as u64);
        self.bytes = self.bytes.saturating_add(cells.saturating_mul(CELL_BYTES));
        for column in batch.columns() {
            self.bytes = self.bytes.saturating_add(value_bytes(column, counted));
        }
        if counted > 0 && self.bytes >= ROW_GROUP_BYTES {
            let message = "its rows hold more bytes than parklite puts into one row group";
            return Err(ParquetError::General(message.to_string()));
        }
        Ok(())
    }
}

/// The bytes of the first `rows` texts or blobs of a column; 0 of one that holds neither.
pub(super) fn value_bytes(column: &dyn Array, rows: usize) -> u64 {
    let views: &[u128] = match column.data_type() {
        DataType::Utf8View => column.as_string_view().views(),
        DataType::BinaryView => column.as_binary_view().views(),
        _ => return 0,
    };
    let length = |view: &u128| u64::from(ByteView::from(*view).length);
    let views = views.iter().take(rows);
    if column.null_count() == 0 {
        return views.map(length).sum();
    }
    views.enumerate().filter(|(row, _)| column.is_valid(*row)).map(|(_, view)| length(view)).sum()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, BinaryViewArray, Int64Array};

    use super::*;

    fn batch(values: Vec<Option<&[u8]>>) -> RecordBatch {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1; values.len()]));
        let values: ArrayRef = Arc::new(BinaryViewArray::from(values));
        RecordBatch::try_from_iter([("n", numbers), ("v", values)]).expect("a batch")
    }

    #[test]
    fn all_rows_but_the_last_have_room() {
        let half = vec![0; usize::try_from(ROW_GROUP_BYTES / 2).expect("small")];
        let mut budget = Budget::of_rows(3);
        budget.take(&batch(vec![Some(&half), Some(b"x")])).expect("room");
        budget.take(&batch(vec![Some(&half)])).expect("the last row");
        let mut budget = Budget::of_rows(4);
        budget.take(&batch(vec![Some(&half), None, None])).expect("room");
        let error = Budget::of_rows(4).take(&batch(vec![Some(&half), Some(&half), None])).expect_err("full");
        assert!(error.to_string().contains("more bytes"), "{error}");
    }

    #[test]
    fn rows_that_were_not_stated_are_refused() {
        let error = Budget::of_rows(1).take(&batch(vec![None, None])).expect_err("one too many");
        assert!(error.to_string().contains("more rows"), "{error}");
    }
}
