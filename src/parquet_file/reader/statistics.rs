//! Compares what a footer and a page index state of a row group with the rows it holds.
//!
//! Readers skip data by these numbers, so a wrong one hides rows from them although every byte is intact. Bounds of
//! text and bytes may be cut short: they then only have to hold, not to be the very values.

use std::fs::File;

use arrow::array::{Array, RecordBatch};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;

use crate::parquet_file::reader::budget::value_bytes;
use crate::parquet_file::reader::unsigned;

mod bounds;
mod page_index;

use bounds::{Bound, Bounds, Claim};
use page_index::{PageClaims, read_claims};

/// One number of a footer or page index that its rows contradict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatisticsMismatch {
    /// The Parquet column; `None` for the row group's row count.
    pub column: Option<String>,
    /// What is stated and what is there, in one line.
    pub what: String,
}

/// Gathers what the rows of one row group are, to compare it with what is stated of them.
#[derive(Debug)]
pub struct StatisticsCheck<'a> {
    group: &'a RowGroupMetaData,
    row_count: u64,
    columns: Vec<SeenColumn>,
}

/// What one column was seen to hold, page by page.
#[derive(Debug)]
struct SeenColumn {
    claims: PageClaims,
    pages: Vec<Seen>,
}

#[derive(Debug, Clone, Default)]
struct Seen {
    row_count: u64,
    null_count: u64,
    /// The bytes of texts and blobs.
    value_bytes: u64,
    bounds: Option<Bounds>,
}

impl Seen {
    fn add(&mut self, other: Self) {
        self.row_count += other.row_count;
        self.null_count += other.null_count;
        self.value_bytes += other.value_bytes;
        match (&mut self.bounds, other.bounds) {
            (Some(bounds), Some(other)) => bounds.widen(other),
            (bounds @ None, other) => *bounds = other,
            (Some(_), None) => {}
        }
    }
}

impl<'a> StatisticsCheck<'a> {
    /// Reads what is stated of a row group that is there.
    pub(super) fn new(
        file: &File,
        metadata: &'a ParquetMetaData,
        row_group_index: usize,
    ) -> Result<Self, ParquetError> {
        let column = |claims: PageClaims| {
            let pages = vec![Seen::default(); claims.pages.len()];
            SeenColumn { claims, pages }
        };
        let columns = read_claims(file, metadata, row_group_index)?.into_iter().map(column).collect();
        Ok(Self { group: metadata.row_group(row_group_index), row_count: 0, columns })
    }

    /// Takes in the next batch of the row group.
    pub fn add_batch(&mut self, batch: &RecordBatch) {
        for (column, array) in self.columns.iter_mut().zip(batch.columns()) {
            column.add(self.row_count, array);
        }
        self.row_count += batch.num_rows() as u64;
    }

    /// All contradictions; none means that readers may rely on what is stated.
    #[must_use]
    pub fn finish(self) -> Vec<StatisticsMismatch> {
        let mut found = Vec::new();
        if unsigned(self.group.num_rows()) != self.row_count {
            let what = format!("{} rows stated, {} there", self.group.num_rows(), self.row_count);
            found.push(StatisticsMismatch { column: None, what });
        }
        for (chunk, seen) in self.group.columns().iter().zip(&self.columns) {
            let name = chunk.column_path().parts().join(".");
            let wrong = contradictions(chunk, seen, self.row_count);
            found.extend(
                wrong.into_iter().map(|what| StatisticsMismatch { column: Some(name.clone()), what }),
            );
        }
        found
    }
}

impl SeenColumn {
    /// Takes in values whose first one stands in `row` of the row group, page by page.
    fn add(&mut self, row: u64, array: &dyn Array) {
        let end = row + array.len() as u64;
        let firsts = self.claims.pages.iter().map(|page| page.first_row);
        let ends = firsts.clone().skip(1).chain([u64::MAX]);
        for ((first, page_end), seen) in firsts.zip(ends).zip(&mut self.pages) {
            let (from, to) = (first.max(row), page_end.min(end));
            if from < to
                && let (Ok(offset), Ok(length)) = (usize::try_from(from - row), usize::try_from(to - from))
            {
                let slice = array.slice(offset, length);
                let null_count = slice.null_count() as u64;
                let value_bytes = value_bytes(&slice, length);
                let bounds = Bounds::of(&slice);
                seen.add(Seen { row_count: to - from, null_count, value_bytes, bounds });
            }
        }
    }
}

/// What is stated of one chunk and not so, in words.
fn contradictions(chunk: &ColumnChunkMetaData, column: &SeenColumn, row_count: u64) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen = Seen::default();
    column.pages.iter().for_each(|page| seen.add(page.clone()));
    if unsigned(chunk.num_values()) != row_count {
        found.push(format!("{} cells stated, {row_count} there", chunk.num_values()));
    }
    if let Some(stated) = chunk.unencoded_byte_array_data_bytes()
        && unsigned(stated) != seen.value_bytes
    {
        found.push(format!("{stated} bytes of values stated, {} there", seen.value_bytes));
    }
    if let Some(statistics) = chunk.statistics() {
        let null_count = statistics.null_count_opt();
        found.extend(contradiction(null_count, &claim_of(statistics), &seen));
    }
    if let Some(nonsense) = column.claims.nonsense {
        found.push(nonsense.to_string());
        return found;
    }
    let pages = column.claims.pages.iter().zip(&column.pages).enumerate();
    let wrong_page = pages.map(|(number, (claim, seen))| {
        let is_null_page = seen.null_count == seen.row_count;
        if claim.is_null_page.is_some_and(|claimed| claimed != is_null_page) {
            return Some(format!("page {number}: the page index is wrong about whether it holds any value"));
        }
        contradiction(claim.null_count, &claim.bounds, seen)
            .map(|what| format!("page {number}, by the page index: {what}"))
    });
    // One page speaks for all: a page index that is wrong is wrong in many of them.
    found.extend(wrong_page.flatten().next());
    found
}

fn contradiction(null_count: Option<u64>, bounds: &Claim, seen: &Seen) -> Option<String> {
    if let Some(stated) = null_count
        && stated != seen.null_count
    {
        return Some(format!("{stated} NULLs stated, {} there", seen.null_count));
    }
    if bounds.holds_for(seen.bounds.as_ref()) {
        return None;
    }
    let there = seen.bounds.as_ref().map_or("no value".to_string(), |bounds| format!("{bounds:?}"));
    Some(format!("range {bounds:?} stated, {there} there"))
}

fn claim_of(statistics: &Statistics) -> Claim {
    match statistics {
        Statistics::Int64(stated) => {
            let bound = |value: Option<&i64>| value.map(|value| Bound::Integer(*value));
            Claim::exact(bound(stated.min_opt()), bound(stated.max_opt()))
        }
        Statistics::Double(stated) => {
            let bound = |value: Option<&f64>| value.map(|value| Bound::Real(*value));
            Claim::exact(bound(stated.min_opt()), bound(stated.max_opt()))
        }
        Statistics::ByteArray(stated) => {
            let bound = |bytes: Option<&[u8]>| bytes.map(|bytes| Bound::Bytes(bytes.to_vec()));
            Claim {
                min: bound(stated.min_bytes_opt()),
                max: bound(stated.max_bytes_opt()),
                min_is_exact: stated.min_is_exact(),
                max_is_exact: stated.max_is_exact(),
            }
        }
        _ => Claim::nothing(),
    }
}
