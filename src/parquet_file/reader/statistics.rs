//! Compares what a footer states of a row group with the rows it holds.
//!
//! Readers skip data by these numbers, so a wrong one hides rows from them although every byte is intact.
//! Bounds of text and bytes may be cut short and are not compared.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::{max, min};
use arrow::datatypes::{Float64Type, Int64Type};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;

use crate::parquet_file::reader::unsigned;

/// One number of a footer that its rows contradict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatisticsMismatch {
    /// The Parquet column; `None` for the row group's row count.
    pub column: Option<String>,
    /// What is stated and what is there, in one line.
    pub what: String,
}

/// Gathers what the rows of one row group are, to compare it with what its footer states.
#[derive(Debug)]
pub struct StatisticsCheck<'a> {
    group: &'a RowGroupMetaData,
    row_count: u64,
    columns: Vec<Seen>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    null_count: u64,
    integers: Option<(i64, i64)>,
    reals: Option<(f64, f64)>,
}

impl<'a> StatisticsCheck<'a> {
    pub(super) fn new(group: &'a RowGroupMetaData) -> Self {
        Self { group, row_count: 0, columns: vec![Seen::default(); group.num_columns()] }
    }

    /// Takes in the next batch of the row group.
    pub fn add_batch(&mut self, batch: &RecordBatch) {
        self.row_count += batch.num_rows() as u64;
        for (seen, array) in self.columns.iter_mut().zip(batch.columns()) {
            seen.null_count += array.null_count() as u64;
            if let Some(array) = array.as_primitive_opt::<Int64Type>() {
                if let Some((low, high)) = min(array).zip(max(array)) {
                    let (least, most) = seen.integers.unwrap_or((low, high));
                    seen.integers = Some((least.min(low), most.max(high)));
                }
            } else if let Some(array) = array.as_primitive_opt::<Float64Type>()
                && let Some((low, high)) = min(array).zip(max(array))
            {
                let (least, most) = seen.reals.unwrap_or((low, high));
                seen.reals = Some((least.min(low), most.max(high)));
            }
        }
    }

    /// All contradictions; none means that readers may rely on what the footer states.
    #[must_use]
    pub fn finish(self) -> Vec<StatisticsMismatch> {
        let mut found = Vec::new();
        if unsigned(self.group.num_rows()) != self.row_count {
            let what = format!("{} rows stated, {} there", self.group.num_rows(), self.row_count);
            found.push(StatisticsMismatch { column: None, what });
        }
        for (chunk, seen) in self.group.columns().iter().zip(&self.columns) {
            let mut add = |what: String| {
                found.push(StatisticsMismatch { column: Some(chunk.column_path().parts().join(".")), what });
            };
            if unsigned(chunk.num_values()) != self.row_count {
                add(format!("{} cells stated, {} there", chunk.num_values(), self.row_count));
            }
            let Some(statistics) = chunk.statistics() else { continue };
            if let Some(stated) = statistics.null_count_opt()
                && stated != seen.null_count
            {
                add(format!("{stated} NULLs stated, {} there", seen.null_count));
            }
            match statistics {
                Statistics::Int64(stated) => {
                    let stated = stated.min_opt().copied().zip(stated.max_opt().copied());
                    if stated.is_some_and(|stated| Some(stated) != seen.integers) {
                        add(format!("range {stated:?} stated, {:?} there", seen.integers));
                    }
                }
                Statistics::Double(stated) => {
                    // Compared as numbers: Parquet states a range of zeros as -0.0 to 0.0.
                    let stated = stated.min_opt().copied().zip(stated.max_opt().copied());
                    if stated.is_some_and(|stated| Some(stated) != seen.reals) {
                        add(format!("range {stated:?} stated, {:?} there", seen.reals));
                    }
                }
                _ => {}
            }
        }
        found
    }
}
