//! Sorting a table's rows within a memory limit.
//!
//! Rows come in batches and are held as they are. If all fit the limit, polars sorts their keys and rows
//! are handed out from where they lie. If not, each time the limit is reached the held rows are sorted the
//! same way and spilled as one run, and in the end the runs are merged. Nobody downstream can tell which.
//!
//! **Memory.** Bounded by the limit, and counted are:
//! - while rows come in: every buffer behind held rows, whole and once, and 32 bytes per row for the sort.
//!   The batch being pushed exists already, so it comes on top. One that is larger than the limit by
//!   itself, because a row is, is held and spilled alone;
//! - while runs are merged: two batches of every open run, within half the limit. Two runs are always open, however
//!   large their rows are;
//! - always on top: the batch handed out, once as it lies and once as its own copy, with 16 bytes per
//!   row. How large it becomes is the caller's choice. A row that is a batch by itself is not copied.

use std::mem;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::gather::{KeyedBatch, RowsInOrder, Taken, take_rows, without_strangers};
use super::held::{Held, HeldRows};
use super::merge::merge_runs;
use super::spill::{Run, SpillFolder};
use crate::error::{Error, ErrorKind, Result};
use crate::frame::weight::{ARRAY_BYTES, byte_count};
use crate::run::Interrupt;

/// Batches in a run: small against the limit so that many runs can be open, large enough to read well.
const MIN_RUN_BATCH_BYTES: u64 = 4 * 1024;
const MAX_RUN_BATCH_BYTES: u64 = 256 * 1024;

/// `data` with the two columns that a [`Sorter`] needs after its own: the key and the size of each row.
#[must_use]
pub fn with_order_columns(data: &Schema) -> SchemaRef {
    let mut fields: Vec<_> = data.fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new("order key", DataType::BinaryView, false)));
    fields.push(Arc::new(Field::new("row size", DataType::UInt64, false)));
    Arc::new(Schema::new(fields))
}

/// Takes rows in any order, to give them back in their total order.
///
/// Call [`Self::push`] with every batch, then [`Self::finish`], then
/// [`SortedRows::next_batch`] until it returns `None`. Dropping either removes what was spilled.
/// After an error rows may be missing: drop it.
pub struct Sorter<'run> {
    schema: SchemaRef,
    memory_limit_bytes: u64,
    spills: Option<SpillFolder>,
    interrupt: &'run Interrupt,
    held: Held,
    runs: Vec<Run>,
}

impl<'run> Sorter<'run> {
    /// Sorts rows of `schema`, which ends as [`with_order_columns`] says.
    ///
    /// `temp_folder` is an existing folder nobody else looks into; several sorters may share it. Without
    /// one, rows beyond the limit are an error.
    #[must_use]
    pub fn new(
        schema: SchemaRef,
        memory_limit_bytes: u64,
        temp_folder: Option<PathBuf>,
        interrupt: &'run Interrupt,
    ) -> Self {
        // With thousands of columns, a batch of few rows would be mostly what describes it.
        let least_bytes = MIN_RUN_BATCH_BYTES.max(2 * ARRAY_BYTES * byte_count(schema.fields().len()));
        let batch_bytes = (memory_limit_bytes / 64).min(MAX_RUN_BATCH_BYTES).max(least_bytes);
        let spills = temp_folder.map(|folder| SpillFolder::new(folder, batch_bytes));
        Self { schema, memory_limit_bytes, spills, interrupt, held: Held::default(), runs: Vec::new() }
    }

    /// Lowers the limit to `bytes`, if it is higher.
    pub fn lower_limit(&mut self, bytes: u64) {
        self.memory_limit_bytes = self.memory_limit_bytes.min(bytes);
    }

    /// Takes the next rows, and spills those held if the limit is reached.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] where rows must be spilled and cannot, or where the batch is not of the sorter's
    /// schema; [`ErrorKind::Damaged`] where two rows have one key; [`ErrorKind::Interrupted`].
    pub fn push(&mut self, batch: RecordBatch) -> Result<()> {
        self.interrupt.check()?;
        if batch.schema_ref().fields() != self.schema.fields() {
            return Err(Error::new(ErrorKind::Failed, "rows to sort do not have the columns announced"));
        }
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let batch = without_strangers(KeyedBatch::new(batch)?, self.interrupt)?;
        if !self.held.has_room_for(&batch, self.memory_limit_bytes) {
            self.spill()?;
        }
        self.held.add(batch);
        // A batch that is too large by itself must not wait for the next one.
        if self.held.bytes() > self.memory_limit_bytes {
            self.spill()?;
        }
        Ok(())
    }

    /// Ends the input and prepares the rows in order.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn finish(mut self) -> Result<SortedRows<'run>> {
        let (rows, memory_bytes): (Box<dyn RowsInOrder + Send>, _) = if self.runs.is_empty() {
            let memory_bytes = self.held.bytes();
            (Box::new(HeldRows::sort(mem::take(&mut self.held))?), memory_bytes)
        } else {
            self.spill()?;
            let runs = mem::take(&mut self.runs);
            let folder = self.spills.as_mut().ok_or_else(no_temp_folder)?;
            let merged = merge_runs(runs, folder, &self.schema, self.memory_limit_bytes / 2, self.interrupt)?;
            let memory_bytes = merged.largest_bytes();
            (Box::new(merged), memory_bytes)
        };
        let data_columns = self.schema.fields().len().saturating_sub(2);
        let data_schema = Arc::new(Schema::new(self.schema.fields()[..data_columns].to_vec()));
        Ok(SortedRows { rows, memory_bytes, data_schema, interrupt: self.interrupt })
    }

    fn spill(&mut self) -> Result<()> {
        if self.held.is_empty() {
            return Ok(());
        }
        let folder = self.spills.as_mut().ok_or_else(no_temp_folder)?;
        let mut rows = HeldRows::sort(mem::take(&mut self.held))?;
        self.runs.push(folder.write_run(&mut rows, &self.schema, self.interrupt)?);
        Ok(())
    }
}

/// A table's rows in their total order.
pub struct SortedRows<'run> {
    rows: Box<dyn RowsInOrder + Send>,
    memory_bytes: u64,
    data_schema: SchemaRef,
    interrupt: &'run Interrupt,
}

impl SortedRows<'_> {
    /// What it holds at most beside the batches it has handed out, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    /// The next rows, without the columns of key and size; `None` once there are no more.
    ///
    /// They end with the row at which `is_full`, given the rows so far and the sum of their sizes, becomes
    /// true: cuts follow from the sequence of rows alone, never from memory, batches or runs.
    /// Shape: at least one row by the data columns, one batch that shares no buffer with any other.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] where a run cannot be read back; [`ErrorKind::Damaged`] where two rows have one
    /// key; [`ErrorKind::Interrupted`].
    pub fn next_batch(&mut self, mut is_full: impl FnMut(u64, u64) -> bool) -> Result<Option<RecordBatch>> {
        self.interrupt.check()?;
        let is_full = |taken: Taken| is_full(taken.rows, taken.bytes);
        take_rows(self.rows.as_mut(), &self.data_schema, self.interrupt, is_full)
    }
}

fn no_temp_folder() -> Error {
    Error::new(
        ErrorKind::Failed,
        "the rows to sort do not fit the memory limit, and there is no folder to spill to",
    )
    .hint("raise --memory-limit, or give a folder with --temp-dir")
}

#[cfg(test)]
mod tests;
