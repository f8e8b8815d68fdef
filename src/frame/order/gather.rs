//! Rows picked from many batches into one batch that stands on its own.
//!
//! Both ways of sorting hand out their rows through [`take_rows`], and nothing else builds sorted batches:
//! so they come out alike, and a batch never keeps the buffers it was picked from alive.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, GenericByteViewArray, RecordBatch, RecordBatchOptions,
    UInt64Array,
};
use arrow::buffer::Buffer;
use arrow::compute::interleave;
use arrow::datatypes::{ByteViewType, DataType, SchemaRef, UInt64Type};
use arrow::error::ArrowError;

use crate::error::{Error, ErrorKind, Result};
use crate::frame::weight::{byte_count, memory_of};
use crate::run::Interrupt;

/// Rows between two looks at the interrupt.
const ROWS_PER_CHECK: usize = 8192;

/// Where a row lies: the batch's index, and the row's index in it.
pub(super) type Place = (usize, usize);

/// Batches whose last two columns are the row's key and its size, as [`super::with_order_columns`] adds them.
#[derive(Debug, Clone)]
pub(super) struct KeyedBatch {
    pub(super) batch: RecordBatch,
    keys: BinaryViewArray,
    sizes: UInt64Array,
}

impl KeyedBatch {
    /// # Errors
    /// [`ErrorKind::Failed`] where the columns of key and size are missing, of other types, or hold NULL.
    pub(super) fn new(batch: RecordBatch) -> Result<Self> {
        let columns = batch.columns();
        let found = match columns {
            [.., keys, sizes] if keys.null_count() == 0 && sizes.null_count() == 0 => {
                keys.as_binary_view_opt().zip(sizes.as_primitive_opt::<UInt64Type>())
            }
            _ => None,
        };
        let Some((keys, sizes)) = found.map(|(keys, sizes)| (keys.clone(), sizes.clone())) else {
            let message = "rows to sort do not end with their key and their size";
            return Err(Error::new(ErrorKind::Failed, message));
        };
        Ok(Self { batch, keys, sizes })
    }

    pub(super) fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    pub(super) fn key(&self, row: usize) -> &[u8] {
        self.keys.value(row)
    }

    pub(super) fn size(&self, row: usize) -> u64 {
        self.sizes.value(row)
    }
}

/// Rows in their order, wherever they come from.
pub(super) trait RowsInOrder {
    /// Where the next row lies in [`Self::batches`]; `None` once there are no more.
    fn next_place(&mut self) -> Result<Option<Place>>;

    /// What the places since the last [`Self::forget_places`] refer to.
    fn batches(&self) -> &[KeyedBatch];

    /// Lets go of what only places already handed out refer to.
    fn forget_places(&mut self);
}

/// How much has been taken.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Taken {
    pub(super) rows: u64,
    /// The sum of the rows' stated sizes.
    pub(super) bytes: u64,
    /// The sum of their keys' lengths.
    pub(super) key_bytes: u64,
}

/// Takes rows until `is_full` and returns the first columns of them, those `schema` names, as one batch.
///
/// # Errors
/// Those of `rows`, [`ErrorKind::Interrupted`], and [`ErrorKind::Failed`] where columns cannot be gathered.
pub(super) fn take_rows(
    rows: &mut (impl RowsInOrder + ?Sized),
    schema: &SchemaRef,
    interrupt: &Interrupt,
    mut is_full: impl FnMut(Taken) -> bool,
) -> Result<Option<RecordBatch>> {
    let mut places = Vec::new();
    let mut taken = Taken::default();
    while let Some((batch, row)) = rows.next_place()? {
        places.push((batch, row));
        let source = &rows.batches()[batch];
        taken.rows += 1;
        taken.bytes = taken.bytes.saturating_add(source.size(row));
        taken.key_bytes += byte_count(source.key(row).len());
        if is_full(taken) {
            break;
        }
        if places.len().is_multiple_of(ROWS_PER_CHECK) {
            interrupt.check()?;
        }
    }
    if places.is_empty() {
        return Ok(None);
    }
    let gathered = gather(rows.batches(), &places, schema, interrupt);
    // Now, not with the next rows: until then nothing else may need the memory more.
    rows.forget_places();
    gathered.map(Some)
}

/// Copies the rows at `places`, none of them twice, into a batch of their own.
pub(super) fn gather(
    batches: &[KeyedBatch],
    places: &[Place],
    schema: &SchemaRef,
    interrupt: &Interrupt,
) -> Result<RecordBatch> {
    let failed = |source: ArrowError| {
        Error::new(ErrorKind::Failed, "sorted rows cannot be put together").because(source)
    };
    let mut columns = Vec::with_capacity(schema.fields().len());
    for index in 0..schema.fields().len() {
        interrupt.check()?;
        let sources: Vec<&dyn Array> =
            batches.iter().map(|source| source.batch.column(index).as_ref()).collect();
        columns.push(without_slack(interleave(&sources, places).map_err(failed)?));
    }
    let options = RecordBatchOptions::new().with_row_count(Some(places.len()));
    RecordBatch::try_new_with_options(SchemaRef::clone(schema), columns, &options).map_err(failed)
}

/// Copies what views refer to into buffers of their own, so that the picked-from ones can go; not where nothing else is
/// in those, as with a row so large that it was a batch by itself.
fn without_slack(array: ArrayRef) -> ArrayRef {
    fn has_slack<T: ByteViewType>(array: &GenericByteViewArray<T>) -> bool {
        array.data_buffers().iter().map(Buffer::capacity).sum::<usize>() != array.total_buffer_bytes_used()
    }
    match array.data_type() {
        DataType::Utf8View if has_slack(array.as_string_view()) => Arc::new(array.as_string_view().gc()),
        DataType::BinaryView if has_slack(array.as_binary_view()) => Arc::new(array.as_binary_view().gc()),
        _ => array,
    }
}

/// A copy of some rows of a batch that keeps nothing else of it alive.
///
/// # Errors
/// [`ErrorKind::Failed`] where they cannot be copied.
pub fn copy_of_rows(batch: &RecordBatch, rows: Range<usize>) -> Result<RecordBatch> {
    let failed = |source: ArrowError| {
        Error::new(ErrorKind::Failed, "rows cannot be copied from a batch").because(source)
    };
    let count = rows.len();
    let places: Vec<Place> = rows.clone().map(|row| (0, row)).collect();
    let copy = |column: &ArrayRef| match column.data_type() {
        DataType::Utf8View | DataType::BinaryView => Ok(without_slack(column.slice(rows.start, count))),
        _ => interleave(&[column.as_ref()], &places),
    };
    let columns = batch.columns().iter().map(copy).collect::<Result<_, _>>().map_err(failed)?;
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    RecordBatch::try_new_with_options(batch.schema(), columns, &options).map_err(failed)
}

/// `batch` itself, or a copy where most of what its buffers hold belongs to other rows (a slice does that).
pub(super) fn without_strangers(batch: KeyedBatch, interrupt: &Interrupt) -> Result<KeyedBatch> {
    let needed: u64 = batch.batch.columns().iter().map(needed_bytes).sum();
    if memory_of(&batch.batch) / 2 <= needed + SLACK_BYTES {
        return Ok(batch);
    }
    let places: Vec<Place> = (0..batch.rows()).map(|row| (0, row)).collect();
    let schema = batch.batch.schema();
    KeyedBatch::new(gather(&[batch], &places, &schema, interrupt)?)
}

/// Builders round up: so much in a batch is not worth a copy.
const SLACK_BYTES: u64 = 64 * 1024;

fn needed_bytes(array: &ArrayRef) -> u64 {
    let (width, variable) = match array.data_type() {
        DataType::Utf8View => (16, array.as_string_view().total_buffer_bytes_used()),
        DataType::BinaryView => (16, array.as_binary_view().total_buffer_bytes_used()),
        _ => (8, 0),
    };
    byte_count(array.len() * width + variable)
}

/// The order is total: only a damaged database, or a wrong order, has two rows at one place.
pub(super) fn equal_keys() -> Error {
    Error::new(ErrorKind::Damaged, "two rows have the same place in the table's order")
        .hint("check the database with PRAGMA integrity_check: its primary key may hold a value twice")
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float64Array, Int64Array, StringViewArray};

    use super::*;

    #[test]
    fn a_copy_of_rows_holds_those_rows_and_nothing_else() {
        let text = |row: i64| (row % 3 != 0).then(|| format!("{row}").repeat(40));
        let columns: [(&str, ArrayRef); 4] = [
            ("n", Arc::new((0..4_096).map(Some).collect::<Int64Array>())),
            ("r", Arc::new((0..4_096).map(|row| (row % 5 != 0).then_some(0.5)).collect::<Float64Array>())),
            ("t", Arc::new((0..4_096).map(text).collect::<StringViewArray>())),
            ("b", Arc::new((0..4_096).map(text).collect::<BinaryViewArray>())),
        ];
        let batch = RecordBatch::try_from_iter(columns).expect("a batch");
        for rows in [0..4_096, 7..100, 4_095..4_096, 9..9] {
            let copy = copy_of_rows(&batch, rows.clone()).expect("copied");
            assert_eq!(copy, batch.slice(rows.start, rows.len()));
        }
        let few = memory_of(&copy_of_rows(&batch, 7..100).expect("copied"));
        assert!(few < memory_of(&batch) / 20, "{few}");
    }
}
