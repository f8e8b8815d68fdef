//! Record batches back into cells, with every promise of the mapping checked on the way.
//!
//! Nothing else reads cells out of record batches. What the mapping forbids (two classes in one cell, a main
//! column that shows something else than its companion holds) is an error here, never a silent choice.

use std::ops::Range;

use arrow::array::{
    Array, AsArray, BinaryArray, BinaryViewArray, LargeBinaryArray, LargeStringArray, RecordBatch,
    StringArray, StringViewArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Float64Type, Int64Type};

use crate::digest::{ContentDigest, RowHasher};
use crate::error::{Error, ErrorKind, Result};
use crate::frame::build::nearest_double;
use crate::frame::mapping::{MainClass, TableMapping};
use crate::schema::{Cell, CellClass, Table};

/// How many cells are decoded at a time, column by column: what their columns' layouts are is then asked once for many,
/// and they stay in the processor's nearest cache.
const BLOCK_CELLS: usize = 1024;

/// Reads the rows of one record batch.
#[derive(Debug)]
pub struct RowDecoder<'a> {
    table: &'a Table,
    rowid: Rowid<'a>,
    columns: Vec<ColumnDecoder<'a>>,
    row_count: usize,
    first_row_ordinal: u64,
}

/// Where the rowid comes from.
#[derive(Debug)]
enum Rowid<'a> {
    /// WITHOUT ROWID.
    None,
    /// A Parquet column of its own.
    Column(&'a str, Values<'a>),
    /// The stored column at this position.
    Alias(usize),
}

impl<'a> RowDecoder<'a> {
    /// Lays the mapping over a batch.
    ///
    /// # Errors
    /// [`ErrorKind::Damaged`] where the batch's columns are not those of the mapping, in name, type or
    /// number, or where the mapping is not one of this table.
    pub fn new(table: &'a Table, mapping: &'a TableMapping, batch: &'a RecordBatch) -> Result<Self> {
        check_columns(table, mapping, batch)?;
        let mut arrays = batch.columns().iter().map(AsRef::as_ref);
        // `check_columns` has counted them.
        let mut next = |name: &'a str, class| {
            let array = arrays.next().ok_or_else(|| Error::new(ErrorKind::Damaged, "a column is missing"));
            Values::new(array?, class).ok_or_else(|| wrong_column(table, name))
        };
        let rowid = match (&mapping.rowid_column, table.rowid_alias) {
            (Some(name), _) => Rowid::Column(name, next(name, MainClass::Integer)?),
            (None, Some(alias)) => {
                Rowid::Alias(table.stored_position(alias).ok_or_else(|| not_of_this_table(table))?)
            }
            (None, None) => Rowid::None,
        };
        let mut columns = Vec::with_capacity(mapping.columns.len());
        for column in &mapping.columns {
            let main = next(&column.name, column.main)?;
            let mut companions = Vec::with_capacity(column.companions.len());
            for companion in &column.companions {
                let values = next(&companion.name, MainClass::holding(companion.class))?;
                companions.push((companion.class, values));
            }
            let family = column.number_family;
            columns.push(ColumnDecoder { name: &column.name, number_family: family, main, companions });
        }
        Ok(Self { table, rowid, columns, row_count: batch.num_rows(), first_row_ordinal: 1 })
    }

    /// Says which row of the whole the batch's first one is (1-based), for the place named in errors.
    #[must_use]
    pub fn starting_at(mut self, first_row_ordinal: u64) -> Self {
        self.first_row_ordinal = first_row_ordinal;
        self
    }

    /// Gives each row to `visit`: its rowid (`None` for a WITHOUT ROWID table) and its stored columns in
    /// declaration order.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`] with column and row where a row breaks the mapping's promises; whatever
    /// `visit` returns.
    pub fn for_each_row(&self, visit: impl FnMut(Option<i64>, &[Cell<'a>]) -> Result<()>) -> Result<()> {
        self.for_each_row_in(0..self.row_count, visit)
    }

    /// Gives those rows to `visit` whose indexes in the batch are in `rows`, as [`Self::for_each_row`] does.
    ///
    /// # Errors
    /// As [`Self::for_each_row`].
    ///
    /// # Panics
    /// If the batch has no such rows.
    pub fn for_each_row_in(
        &self,
        rows: Range<usize>,
        mut visit: impl FnMut(Option<i64>, &[Cell<'a>]) -> Result<()>,
    ) -> Result<()> {
        assert!(rows.end <= self.row_count, "rows of the batch");
        let end = rows.end;
        let width = self.columns.len();
        let block_rows = (BLOCK_CELLS / width.max(1)).clamp(1, rows.len().max(1));
        let mut cells = vec![Cell::Null; width * block_rows];
        for first in rows.step_by(block_rows) {
            let in_place = |row: usize, broken: Broken<'_>| {
                Error::new(ErrorKind::Mismatch, broken.what)
                    .in_table(&self.table.name)
                    .in_column(broken.column)
                    .at_row(self.first_row_ordinal + (first + row) as u64)
            };
            let mut rows = block_rows.min(end - first);
            let mut broken = None;
            for (position, column) in self.columns.iter().enumerate() {
                let cells = cells[position..].iter_mut().step_by(width).take(rows);
                // The rows before it are good, and in its own row the first broken column counts.
                if let Err((row, what)) = column.fill(first, cells) {
                    rows = row;
                    broken = Some(Broken { column: column.name, what });
                }
            }
            for row in 0..rows {
                let cells = &cells[row * width..][..width];
                let rowid = self.rowid(first + row, cells).map_err(|broken| in_place(row, broken))?;
                visit(rowid, cells)?;
            }
            if let Some(broken) = broken {
                return Err(in_place(rows, broken));
            }
        }
        Ok(())
    }

    fn rowid(&self, row: usize, cells: &[Cell<'_>]) -> Result<Option<i64>, Broken<'a>> {
        match &self.rowid {
            Rowid::None => Ok(None),
            Rowid::Column(name, values) => match values.cell(row) {
                Cell::Integer(rowid) => Ok(Some(rowid)),
                _ => Err(Broken { column: name, what: "a row has no rowid" }),
            },
            &Rowid::Alias(position) => match cells[position] {
                Cell::Integer(rowid) => Ok(Some(rowid)),
                _ => Err(Broken { column: self.columns[position].name, what: "a rowid is not an integer" }),
            },
        }
    }
}

/// A broken promise, before its place is known.
struct Broken<'a> {
    column: &'a str,
    what: &'static str,
}

/// The content digest of a batch's rows.
///
/// # Errors
/// As [`RowDecoder::new`] and [`RowDecoder::for_each_row`].
pub fn digest_batch(table: &Table, mapping: &TableMapping, batch: &RecordBatch) -> Result<ContentDigest> {
    let mut hasher = RowHasher::default();
    RowDecoder::new(table, mapping, batch)?.for_each_row(|rowid, cells| {
        hasher.add_row(rowid, cells);
        Ok(())
    })?;
    Ok(hasher.take())
}

fn check_columns(table: &Table, mapping: &TableMapping, batch: &RecordBatch) -> Result<()> {
    let is_of_table =
        table.stored_columns().map(|(index, _)| index).eq(mapping.columns.iter().map(|m| m.column))
            && mapping.rowid_column.is_some() == (table.has_rowid() && table.rowid_alias.is_none());
    if !is_of_table {
        return Err(not_of_this_table(table));
    }
    let schema = batch.schema_ref();
    if schema.fields().len() != mapping.width() {
        let message = format!(
            "the column mapping names {} columns, but there are {}",
            mapping.width(),
            schema.fields().len()
        );
        return Err(Error::new(ErrorKind::Damaged, message).in_table(&table.name));
    }
    for (column, field) in mapping.parquet_columns().zip(schema.fields()) {
        if column.name != field.name() {
            return Err(wrong_column(table, column.name));
        }
    }
    Ok(())
}

fn not_of_this_table(table: &Table) -> Error {
    Error::new(ErrorKind::Damaged, "the column mapping is not one of this table").in_table(&table.name)
}

fn wrong_column(table: &Table, column: &str) -> Error {
    Error::new(ErrorKind::Damaged, "a column is missing or not of the type the column mapping names")
        .in_table(&table.name)
        .in_column(column)
}

/// The Parquet columns of one stored column.
#[derive(Debug)]
struct ColumnDecoder<'a> {
    name: &'a str,
    number_family: bool,
    main: Values<'a>,
    companions: Vec<(CellClass, Values<'a>)>,
}

const NOT_A_NUMBER: &str = "a real is not a number, which no database holds";

impl<'a> ColumnDecoder<'a> {
    /// Fills `cells` with those of the rows from `first` on; fails with the first, counted from there, that breaks a
    /// promise.
    fn fill<'c>(
        &self,
        first: usize,
        cells: impl ExactSizeIterator<Item = &'c mut Cell<'a>>,
    ) -> Result<(), (usize, &'static str)>
    where
        'a: 'c,
    {
        let rows = first..first + cells.len();
        let nulls = self.main.nulls;
        if !self.companions.is_empty() {
            for ((row, cell), place) in rows.zip(cells).zip(0..) {
                *cell = self.cell(row).map_err(|what| (place, what))?;
            }
            return Ok(());
        }
        match self.main.layout {
            Layout::Integer(values) => fill(rows, cells, nulls, |row| Cell::Integer(values[row])),
            Layout::Real(values) => {
                if let Some(row) = rows.clone().find(|&row| values[row].is_nan() && !is_null(nulls, row)) {
                    fill(first..row, cells.take(row - first), nulls, |row| Cell::Real(values[row]));
                    return Err((row - first, NOT_A_NUMBER));
                }
                fill(rows, cells, nulls, |row| Cell::Real(values[row]));
            }
            Layout::Text(array) => fill(rows, cells, nulls, |row| Cell::Text(array.value(row))),
            Layout::SmallText(array) => fill(rows, cells, nulls, |row| Cell::Text(array.value(row))),
            Layout::LargeText(array) => fill(rows, cells, nulls, |row| Cell::Text(array.value(row))),
            Layout::Blob(array) => fill(rows, cells, nulls, |row| Cell::Blob(array.value(row))),
            Layout::SmallBlob(array) => fill(rows, cells, nulls, |row| Cell::Blob(array.value(row))),
            Layout::LargeBlob(array) => fill(rows, cells, nulls, |row| Cell::Blob(array.value(row))),
        }
        Ok(())
    }

    fn cell(&self, row: usize) -> Result<Cell<'a>, &'static str> {
        let main = self.main.cell(row);
        if matches!(main, Cell::Real(value) if value.is_nan()) {
            return Err(NOT_A_NUMBER);
        }
        let mut set = self.companions.iter().filter_map(|(class, values)| values.companion_cell(row, *class));
        let Some(companion) = set.next() else { return Ok(main) };
        if set.next().is_some() {
            return Err("a cell has values of two storage classes");
        }
        match (companion, main) {
            (Cell::Real(value), _) if value.is_nan() => Err(NOT_A_NUMBER),
            (Cell::Integer(exact), Cell::Real(shown)) if self.number_family => {
                if shown.to_bits() == nearest_double(exact).to_bits() {
                    Ok(companion)
                } else {
                    Err("the main column shows another number than the exact integer beside it")
                }
            }
            (Cell::Integer(_), Cell::Null) if self.number_family => {
                Err("the main column does not show the exact integer beside it")
            }
            (_, Cell::Null) => Ok(companion),
            _ => Err("the main column has a value where a companion column has one"),
        }
    }
}

fn is_null(nulls: Option<&NullBuffer>, row: usize) -> bool {
    nulls.is_some_and(|nulls| nulls.is_null(row))
}

/// Fills cells with the values of rows.
fn fill<'a: 'c, 'c>(
    rows: Range<usize>,
    cells: impl Iterator<Item = &'c mut Cell<'a>>,
    nulls: Option<&NullBuffer>,
    value: impl Fn(usize) -> Cell<'a>,
) {
    match nulls {
        None => rows.zip(cells).for_each(|(row, cell)| *cell = value(row)),
        Some(nulls) => rows
            .zip(cells)
            .for_each(|(row, cell)| *cell = if nulls.is_null(row) { Cell::Null } else { value(row) }),
    }
}

/// The values of one Parquet column, in whichever layout a reader yields.
#[derive(Debug)]
struct Values<'a> {
    /// `None` where there is no NULL, which is then not asked of every row.
    nulls: Option<&'a NullBuffer>,
    layout: Layout<'a>,
}

#[derive(Debug)]
enum Layout<'a> {
    Integer(&'a [i64]),
    Real(&'a [f64]),
    Text(&'a StringViewArray),
    SmallText(&'a StringArray),
    LargeText(&'a LargeStringArray),
    Blob(&'a BinaryViewArray),
    SmallBlob(&'a BinaryArray),
    LargeBlob(&'a LargeBinaryArray),
}

impl<'a> Values<'a> {
    /// `None` where the array does not hold values of `class`.
    fn new(array: &'a dyn Array, class: MainClass) -> Option<Self> {
        let layout = match (class, array.data_type()) {
            (MainClass::Integer, DataType::Int64) => {
                Layout::Integer(array.as_primitive_opt::<Int64Type>()?.values())
            }
            (MainClass::Real, DataType::Float64) => {
                Layout::Real(array.as_primitive_opt::<Float64Type>()?.values())
            }
            (MainClass::Text, DataType::Utf8View) => Layout::Text(array.as_string_view_opt()?),
            (MainClass::Text, DataType::Utf8) => Layout::SmallText(array.as_string_opt()?),
            (MainClass::Text, DataType::LargeUtf8) => Layout::LargeText(array.as_string_opt()?),
            (MainClass::Blob, DataType::BinaryView) => Layout::Blob(array.as_binary_view_opt()?),
            (MainClass::Blob, DataType::Binary) => Layout::SmallBlob(array.as_binary_opt()?),
            (MainClass::Blob, DataType::LargeBinary) => Layout::LargeBlob(array.as_binary_opt()?),
            _ => return None,
        };
        Some(Self { nulls: array.nulls().filter(|nulls| nulls.null_count() > 0), layout })
    }

    #[inline]
    fn cell(&self, row: usize) -> Cell<'a> {
        if is_null(self.nulls, row) {
            return Cell::Null;
        }
        match self.layout {
            Layout::Integer(values) => Cell::Integer(values[row]),
            Layout::Real(values) => Cell::Real(values[row]),
            Layout::Text(array) => Cell::Text(array.value(row)),
            Layout::SmallText(array) => Cell::Text(array.value(row)),
            Layout::LargeText(array) => Cell::Text(array.value(row)),
            Layout::Blob(array) => Cell::Blob(array.value(row)),
            Layout::SmallBlob(array) => Cell::Blob(array.value(row)),
            Layout::LargeBlob(array) => Cell::Blob(array.value(row)),
        }
    }

    /// The cell of a companion of `class`, if it is set.
    fn companion_cell(&self, row: usize, class: CellClass) -> Option<Cell<'a>> {
        match self.cell(row) {
            Cell::Null => None,
            Cell::Blob(bytes) if class == CellClass::RawText => Some(Cell::RawText(bytes)),
            cell => Some(cell),
        }
    }
}

#[cfg(test)]
mod tests;
