//! Where the Parquet writer ends pages, so that a trial is made of a page as it will be.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{BinaryViewType, ByteViewType, DataType, StringViewType};

use super::Limits;
use super::distinct::LENGTH_BYTES;
use crate::parquet_file::settings::WRITE_BATCH_ROWS;

/// How many rows of `arrays`, which are written one after another, the first page of plain values has.
///
/// The writer looks at the size of a page after each batch. A batch never has rows of two arrays; its size depends on
/// whether all rows of the array are alike in being NULL or not, and where its texts are more than a page, on theirs.
pub(super) fn first_page_rows(arrays: &[ArrayRef], limits: Limits) -> usize {
    let (mut rows, mut bytes) = (0, 0);
    for array in arrays {
        let are_alike = array.nulls().is_none_or(|nulls| nulls.null_count() == nulls.len());
        let batch_rows = if are_alike && limits.has_nulls { limits.page_rows } else { WRITE_BATCH_ROWS };
        for batch in parts(array, batch_rows) {
            for part in parts(&batch, rows_within(&batch, limits.page_bytes)) {
                rows += part.len();
                bytes += plain_bytes(&part);
                if rows >= limits.page_rows || bytes >= limits.page_bytes {
                    return rows;
                }
            }
        }
    }
    rows
}

/// Parts of an array of `rows` rows each, but for the last.
fn parts(array: &ArrayRef, rows: usize) -> impl Iterator<Item = ArrayRef> {
    let starts = (0..array.len()).step_by(rows.max(1));
    starts.map(move |start| array.slice(start, rows.min(array.len() - start)))
}

/// How many rows of a batch are written before the size of the page is looked at: all, where they may be in one page.
fn rows_within(batch: &ArrayRef, page_bytes: usize) -> usize {
    let values = batch.len() - batch.null_count();
    let mut bytes = 0;
    let filling = sizes(batch).position(|size| {
        bytes += size;
        bytes > page_bytes
    });
    filling
        .map_or(batch.len(), |last| ((last + 1) * batch.len()).div_ceil(values))
        .clamp(1, batch.len().max(1))
}

/// What the values of an array take in a plain page.
pub(super) fn plain_bytes(array: &ArrayRef) -> usize {
    match array.data_type() {
        DataType::Utf8View | DataType::BinaryView => sizes(array).sum(),
        _ => (array.len() - array.null_count()) * size_of::<u64>(),
    }
}

/// What each text or blob of an array takes in a plain page; nothing for numbers.
fn sizes(array: &ArrayRef) -> Box<dyn Iterator<Item = usize> + '_> {
    fn of<T: ByteViewType>(array: &ArrayRef) -> impl Iterator<Item = usize> {
        let values = array.as_byte_view::<T>().iter().flatten();
        values.map(|value| LENGTH_BYTES + AsRef::<[u8]>::as_ref(value).len())
    }
    match array.data_type() {
        DataType::Utf8View => Box::new(of::<StringViewType>(array)),
        DataType::BinaryView => Box::new(of::<BinaryViewType>(array)),
        _ => Box::new(std::iter::empty()),
    }
}

/// The pages that have values, one after another.
pub(super) struct Pages {
    rest: Vec<ArrayRef>,
    limits: Limits,
    /// How many rows come before `rest`.
    rows: usize,
}

impl Pages {
    /// Those of `arrays` from row `rows` on.
    pub(super) fn new(arrays: &[ArrayRef], rows: usize, limits: Limits) -> Self {
        Self { rest: rows_of(arrays, rows, usize::MAX), limits, rows }
    }

    /// How many rows come before the next page.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }
}

impl Iterator for Pages {
    type Item = Vec<ArrayRef>;

    fn next(&mut self) -> Option<Vec<ArrayRef>> {
        loop {
            let rows = first_page_rows(&self.rest, self.limits);
            if rows == 0 {
                return None;
            }
            let page = rows_of(&self.rest, 0, rows);
            self.rest = rows_of(&self.rest, rows, usize::MAX);
            self.rows += rows;
            if value_count(&page) > 0 {
                return Some(page);
            }
        }
    }
}

/// `count` rows of the arrays, or as many as there are, from row `skipped` on.
pub(super) fn rows_of(arrays: &[ArrayRef], mut skipped: usize, mut count: usize) -> Vec<ArrayRef> {
    let mut found = Vec::new();
    for array in arrays {
        let start = array.len().min(skipped);
        let rows = count.min(array.len() - start);
        skipped -= start;
        count -= rows;
        if rows > 0 {
            found.push(array.slice(start, rows));
        }
    }
    found
}

pub(super) fn value_count(arrays: &[ArrayRef]) -> usize {
    arrays.iter().map(|array| array.len() - array.null_count()).sum()
}
