//! All rows of a file in its order, as cells.

use std::ops::{ControlFlow, Range};

use parquet::basic::Compression;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::serialized_reader::SerializedPageReader;

use crate::error::{Error, ErrorKind, Result};
use crate::parquet_file::foreign::findings::{Finding, FindingKind, Tally};
use crate::parquet_file::foreign::json::{Assembly, Broken};
use crate::parquet_file::foreign::leaf::{Entry, Leaf};
use crate::parquet_file::foreign::meaning::Meaning;
use crate::parquet_file::foreign::value::{Physical, Stored, store};
use crate::parquet_file::foreign::{ForeignFile, chunk_start};
use crate::parquet_file::reader::guarded;
use crate::schema::Cell;

/// Most rows read ahead.
const BATCH_ROWS: usize = 1024;

/// Least room for the values of one leaf, in bytes.
const LEAST_LEAF_BYTES: usize = 64 * 1024;

impl ForeignFile {
    /// Hands every row to `take`, in the order of the file, until it breaks off; tells what became of values that SQLite cannot hold.
    ///
    /// `budget_bytes`: how much to read ahead. One page of each column is held in any case, and one row.
    ///
    /// # Errors
    /// `Damaged`, with column and row, where the file cannot be decoded or contradicts itself; `Failed` where it cannot be
    /// read or is compressed in a way that is not known here; what `take` says.
    pub fn for_each_row(
        &self,
        budget_bytes: u64,
        mut take: impl FnMut(&[Cell<'_>]) -> Result<ControlFlow<()>>,
    ) -> Result<Vec<Finding>> {
        let mut tally = Tally::new(self.columns.len());
        let mut first_row = 1;
        for (index, group) in self.metadata.row_groups().iter().enumerate() {
            let mut rows = GroupRows::open(self, group, budget_bytes)
                .map_err(|error| error.at(&self.path).at_row(first_row))?;
            let read =
                rows.for_each(first_row, &mut tally, &mut take).map_err(|error| match error.kind() {
                    ErrorKind::Damaged => error.at(&self.path).hint(format!(
                        "row group {index} of {} cannot be decoded; try another copy of the file",
                        self.metadata.num_row_groups()
                    )),
                    _ => error,
                })?;
            if read.is_break() {
                break;
            }
            first_row += u64::try_from(group.num_rows()).unwrap_or(0);
        }
        Ok(tally.findings(&self.columns))
    }
}

/// The rows of one row group.
struct GroupRows<'f> {
    file: &'f ForeignFile,
    leaves: Vec<Leaf>,
    row_count: u64,
    leaf_budget_bytes: usize,
    /// Texts made for the current row.
    scratch: String,
}

/// A cell before anything borrows from where it lies.
enum Slot {
    Null,
    Integer(i64),
    Real(f64),
    /// Text in the scratch.
    Written(Range<usize>),
    /// In a leaf's values.
    Value(usize, Entry),
}

impl<'f> GroupRows<'f> {
    fn open(file: &'f ForeignFile, group: &RowGroupMetaData, budget_bytes: u64) -> Result<Self> {
        let leaves =
            group.columns().iter().map(|chunk| open_leaf(file, group, chunk)).collect::<Result<Vec<_>>>()?;
        let budget = usize::try_from(budget_bytes).unwrap_or(usize::MAX) / leaves.len().max(1);
        Ok(Self {
            file,
            leaves,
            row_count: u64::try_from(group.num_rows()).unwrap_or(0),
            leaf_budget_bytes: budget.max(LEAST_LEAF_BYTES),
            scratch: String::new(),
        })
    }

    fn for_each(
        &mut self,
        first_row: u64,
        tally: &mut Tally,
        take: &mut dyn FnMut(&[Cell<'_>]) -> Result<ControlFlow<()>>,
    ) -> Result<ControlFlow<()>> {
        let mut done = 0;
        let mut slots = Vec::with_capacity(self.file.columns.len());
        let mut spare = Vec::with_capacity(self.file.columns.len());
        while done < self.row_count {
            let ready = self.fill(self.row_count - done, first_row + done)?;
            for row in first_row + done..first_row + done + ready {
                self.read_row(row, &mut slots, tally)?;
                let mut cells: Vec<Cell<'_>> = recycle(spare);
                for (column, slot) in slots.iter().enumerate() {
                    cells.push(self.cell(column, slot, row, tally));
                }
                if take(&cells)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                spare = recycle(cells);
            }
            done += ready;
        }
        for leaf in &mut self.leaves {
            if !leaf.is_exhausted(&self.file.path)? {
                let message = "a column has more rows than its row group";
                return Err(Error::new(ErrorKind::Damaged, message).in_column(leaf.name()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Reads ahead in all leaves; tells how many rows are there in all of them, at least one.
    fn fill(&mut self, wanted: u64, row: u64) -> Result<u64> {
        let mut ready = usize::try_from(wanted).unwrap_or(usize::MAX).min(BATCH_ROWS);
        for leaf in &mut self.leaves {
            let place = |error: Error| error.at_row(row);
            let filled = leaf.fill(ready, self.leaf_budget_bytes, &self.file.path);
            ready = ready.min(filled.map_err(|error| place(error.in_column(leaf.name())))?);
            if ready == 0 {
                let message = "a column has fewer rows than its row group";
                return Err(place(Error::new(ErrorKind::Damaged, message).in_column(leaf.name())));
            }
        }
        Ok(ready as u64)
    }

    fn read_row(&mut self, row: u64, slots: &mut Vec<Slot>, tally: &mut Tally) -> Result<()> {
        slots.clear();
        self.scratch.clear();
        for (index, node) in self.file.shapes.iter().enumerate() {
            let slot = if let Some(meaning) = node.flat() {
                self.read_flat(index, node.leaves.start, meaning, row, tally)
            } else {
                let begin = self.scratch.len();
                let mut assembly = Assembly {
                    leaves: &mut self.leaves,
                    text: &mut self.scratch,
                    found: &mut |kind| tally.add(index, kind, row),
                };
                let pushed = assembly.push_column(node);
                let end = self.scratch.len();
                pushed.map(|is_there| if is_there { Slot::Written(begin..end) } else { Slot::Null })
            };
            slots.push(slot.map_err(|broken| {
                let error = match broken {
                    Broken::Contradiction => {
                        Error::new(ErrorKind::Damaged, "a column's levels contradict each other")
                    }
                    Broken::TooLarge => Error::new(
                        ErrorKind::Failed,
                        "a nested value is larger than SQLite's limit",
                    )
                    .hint(
                        "leave the column out, or write its elements as rows, with the program that made it",
                    ),
                };
                error.in_column(&self.file.columns[index].name).at(&self.file.path).at_row(row)
            })?);
        }
        Ok(())
    }

    fn read_flat(
        &mut self,
        column: usize,
        leaf: usize,
        meaning: Meaning,
        row: u64,
        tally: &mut Tally,
    ) -> Result<Slot, Broken> {
        let leaf_index = leaf;
        let leaf = self.leaves.get_mut(leaf).ok_or(Broken::Contradiction)?;
        let entry = leaf.take().ok_or(Broken::Contradiction)?;
        let Some(value) = leaf.value(entry) else {
            return if entry.is_null() { Ok(Slot::Null) } else { Err(Broken::Contradiction) };
        };
        let begin = self.scratch.len();
        Ok(match store(meaning, value, &mut self.scratch) {
            Stored::Integer(value) => Slot::Integer(value),
            Stored::Real(value) if value.is_nan() => {
                tally.add(column, FindingKind::NanBecameNull, row);
                Slot::Null
            }
            Stored::Real(value) => Slot::Real(value),
            Stored::Text(_) | Stored::Blob(_) => Slot::Value(leaf_index, entry),
            Stored::Misfit(_) => {
                tally.add(column, FindingKind::Misfit, row);
                Slot::Value(leaf_index, entry)
            }
            Stored::Written => Slot::Written(begin..self.scratch.len()),
            Stored::WrittenInteger => {
                tally.add(column, FindingKind::LargeInteger, row);
                Slot::Written(begin..self.scratch.len())
            }
        })
    }

    fn cell(&self, column: usize, slot: &Slot, row: u64, tally: &mut Tally) -> Cell<'_> {
        match slot {
            Slot::Null => Cell::Null,
            Slot::Integer(value) => Cell::Integer(*value),
            Slot::Real(value) => Cell::Real(*value),
            Slot::Written(range) => Cell::Text(&self.scratch[range.clone()]),
            Slot::Value(leaf, entry) => {
                let meaning = self.file.shapes[column].flat();
                let value = self.leaves[*leaf].value(*entry);
                let Some(Physical::Bytes(bytes)) = value else { return Cell::Null };
                if meaning != Some(Meaning::Text) {
                    return Cell::Blob(bytes);
                }
                std::str::from_utf8(bytes).map_or_else(
                    |_| {
                        tally.add(column, FindingKind::InvalidText, row);
                        Cell::RawText(bytes)
                    },
                    Cell::Text,
                )
            }
        }
    }
}

fn open_leaf(file: &ForeignFile, group: &RowGroupMetaData, chunk: &ColumnChunkMetaData) -> Result<Leaf> {
    let descriptor = chunk.column_descr_ptr();
    let place = |error: Error| error.in_column(descriptor.path().string());
    if chunk.compression() == Compression::LZO {
        let message = "this file is compressed with LZO, which is not known here";
        return Err(place(Error::new(ErrorKind::Failed, message).hint("write it again with another codec")));
    }
    guarded("reading a row group", &file.path, || {
        // Some writers state a dictionary where there is none; then the first page says where the chunk begins.
        let has_dictionary = chunk.dictionary_page_offset() == Some(chunk_start(chunk));
        let chunk = if has_dictionary {
            chunk.clone()
        } else {
            chunk.clone().into_builder().set_dictionary_page_offset(None).build()?
        };
        let rows = usize::try_from(group.num_rows()).unwrap_or(0);
        let pages = SerializedPageReader::new(file.file.clone(), &chunk, rows, None)?;
        Ok(Leaf::new(&descriptor, pages))
    })
    .map_err(place)
}

/// An empty vector with the capacity of another one whose cells borrowed from elsewhere.
fn recycle<'b>(mut cells: Vec<Cell<'_>>) -> Vec<Cell<'b>> {
    cells.clear();
    // Collected in place: the standard library reuses the allocation, as both element types are laid out alike.
    cells.into_iter().map(|_| Cell::Null).collect()
}
