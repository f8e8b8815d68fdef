//! The footer as our own writer makes it, and no other: every field known, every number in its place.
//!
//! A snapshot's file may come from anybody. What is accepted here is far less than Parquet allows: flat columns of
//! four types, one codec, a few encodings, column chunks that fill the file one after another up to the page index,
//! nothing but the seal between that and the footer, and sums that agree. So the decoder only ever sees what it is tested with.

use std::collections::HashSet;

use super::chunk::{Chunk, Sums};
use super::compact::{Compact, Kind, Parsed};
use crate::frame::cuts::{ROW_GROUP_BYTES, ROW_GROUP_ROWS};
use crate::parquet_file::seal::{CHUNKS_OFFSET, SEAL_BYTES};
use crate::parquet_file::settings::CREATED_BY;
use crate::schema::CellClass;

/// Most columns of a table in SQLite as it is built here.
const MAX_TABLE_COLUMNS: usize = 2_000;

/// Most Parquet columns: for each column of a table one per storage class, and the rowid.
const MAX_COLUMNS: usize = MAX_TABLE_COLUMNS * CellClass::ALL.len() + 1;

/// Most keys of the key-value metadata; there are two so far.
const MAX_KEYS: usize = 16;

/// What a cell counts at least when a row group is cut, in bytes.
const CELL_BYTES: u64 = 8;

/// Parquet's numbers for what is accepted.
pub(super) const INT64: i32 = 2;
pub(super) const DOUBLE: i32 = 5;
pub(super) const BYTE_ARRAY: i32 = 6;
const REQUIRED: i32 = 0;
const OPTIONAL: i32 = 1;
const CONVERTED_UTF8: i32 = 0;
pub(super) const PLAIN: i32 = 0;
pub(super) const RLE: i32 = 3;
pub(super) const DELTA_BINARY_PACKED: i32 = 5;
pub(super) const DELTA_LENGTH_BYTE_ARRAY: i32 = 6;
pub(super) const RLE_DICTIONARY: i32 = 8;
pub(super) const BYTE_STREAM_SPLIT: i32 = 9;
const VERSION: i32 = 1;

pub(super) const UNKNOWN_FIELD: &str = "it has a field that parklite does not write";
pub(super) const CONTRADICTION: &str = "its counts and sizes contradict each other";

/// One column of the schema.
pub(super) struct Column<'a> {
    pub(super) name: &'a [u8],
    pub(super) physical_type: i32,
}

/// Checks a footer that begins `footer_start` bytes into its file.
pub(super) fn check_footer(footer: &[u8], footer_start: u64) -> Parsed<()> {
    let mut compact = Compact::new(footer);
    let footer_start = i64::try_from(footer_start).map_err(|_| CONTRADICTION)?;
    let mut columns = Vec::new();
    let (mut rows, mut rows_found, mut pages) = (None, 0, Pages::new(footer_start));
    let mut seen = Fields::default();
    while let Some(field) = seen.next(&mut compact)? {
        match field {
            (1, Kind::I32) => must(compact.i32()? == VERSION, "it is of another version of Parquet")?,
            (2, Kind::List) => columns = check_schema(&mut compact)?,
            (3, Kind::I64) => rows = Some(compact.i64()?),
            (4, Kind::List) => {
                for index in 0..compact.structs()? {
                    let group = RowGroup { index, columns: &columns };
                    rows_found +=
                        group.check(&mut compact, &mut pages).map_err(|flaw| flaw.in_row_group(index))?;
                }
            }
            (5, Kind::List) => check_key_values(&mut compact)?,
            (6, Kind::Binary) => must(compact.binary()? == CREATED_BY.as_bytes(), "it has another writer")?,
            (7, Kind::List) => check_column_orders(&mut compact, columns.len())?,
            _ => return Err(UNKNOWN_FIELD.into()),
        }
    }
    seen.must_have(&[1, 2, 3, 4, 6, 7])?;
    must(compact.left() == 0, "it has bytes after its end")?;
    must(rows == Some(rows_found), "it states other rows than its row groups have")?;
    pages.finish()
}

pub(super) fn must(holds: bool, what: &'static str) -> Parsed<()> {
    if holds { Ok(()) } else { Err(what.into()) }
}

/// The fields of one structure on the way.
#[derive(Default)]
pub(super) struct Fields {
    last: i16,
    seen: u32,
}

impl Fields {
    pub(super) fn next(&mut self, compact: &mut Compact<'_>) -> Parsed<Option<(i16, Kind)>> {
        let field = compact.field(&mut self.last)?;
        if let Some((id, _)) = field {
            self.seen |= u32::try_from(id).ok().and_then(|id| 1_u32.checked_shl(id)).unwrap_or(0);
        }
        Ok(field)
    }

    pub(super) fn has(&self, id: u32) -> bool {
        self.seen & (1 << id) != 0
    }

    pub(super) fn must_have(&self, ids: &[u32]) -> Parsed<()> {
        must(ids.iter().all(|&id| self.has(id)), "it lacks a field")
    }
}

fn check_schema<'a>(compact: &mut Compact<'a>) -> Parsed<Vec<Column<'a>>> {
    let count = compact.structs()?.checked_sub(1).ok_or("it has no schema")?;
    if count == 0 || count > MAX_COLUMNS {
        return Err(format!("it has {count} columns, where a table has 1 to {MAX_COLUMNS}").into());
    }
    check_root(compact, count)?;
    let mut columns = Vec::with_capacity(count);
    let mut names = HashSet::with_capacity(count);
    for index in 0..count {
        let column = check_column(compact, index)?;
        if !names.insert(column.name) {
            return Err(super::compact::Flaw::from("two columns have one name").in_column(column.name));
        }
        columns.push(column);
    }
    Ok(columns)
}

fn check_root(compact: &mut Compact<'_>, count: usize) -> Parsed<()> {
    let mut fields = Fields::default();
    while let Some(field) = fields.next(compact)? {
        match field {
            (4, Kind::Binary) => drop(compact.binary()?),
            (5, Kind::I32) => {
                let children = usize::try_from(compact.i32()?).map_err(|_| "the schema is not flat")?;
                must(children == count, "the schema is not flat")?;
            }
            _ => return Err(UNKNOWN_FIELD.into()),
        }
    }
    fields.must_have(&[4, 5])
}

fn check_column<'a>(compact: &mut Compact<'a>, index: usize) -> Parsed<Column<'a>> {
    let mut fields = Fields::default();
    let (mut physical_type, mut repetition, mut name) = (0, 0, &b""[..]);
    while let Some(field) = fields.next(compact)? {
        match field {
            (1, Kind::I32) => physical_type = compact.i32()?,
            (3, Kind::I32) => repetition = compact.i32()?,
            (4, Kind::Binary) => name = compact.binary()?,
            (5, _) => return Err("the schema is not flat".into()),
            (6, Kind::I32) => must(compact.i32()? == CONVERTED_UTF8, "a column is of an unknown type")?,
            (10, Kind::Struct) => check_logical_type(compact)?,
            _ => return Err(UNKNOWN_FIELD.into()),
        }
    }
    let check = || {
        fields.must_have(&[1, 3, 4])?;
        let is_text = fields.has(6);
        let is_known = matches!((physical_type, is_text), (INT64 | DOUBLE, false) | (BYTE_ARRAY, _));
        must(is_known && is_text == fields.has(10), "a column is of a type that parklite does not write")?;
        // Only the rowid is never NULL.
        let is_rowid = repetition == REQUIRED && index == 0 && physical_type == INT64;
        must(repetition == OPTIONAL || is_rowid, "a column is required or repeated")
    };
    check().map_err(|flaw| flaw.in_column(name))?;
    Ok(Column { name, physical_type })
}

/// The logical type is a union, and STRING, its first member, an empty structure.
fn check_logical_type(compact: &mut Compact<'_>) -> Parsed<()> {
    check_first_member(compact).map_err(|_| "a column is of an unknown logical type".into())
}

fn check_column_orders(compact: &mut Compact<'_>, count: usize) -> Parsed<()> {
    must(compact.structs()? == count, CONTRADICTION)?;
    (0..count).try_for_each(|_| check_first_member(compact))
}

fn check_first_member(compact: &mut Compact<'_>) -> Parsed<()> {
    let (mut last, mut last_inside) = (0, 0);
    let is_first = compact.field(&mut last)? == Some((1, Kind::Struct));
    let is_empty = is_first && compact.field(&mut last_inside)?.is_none();
    must(is_empty && compact.field(&mut last)?.is_none(), UNKNOWN_FIELD)
}

fn check_key_values(compact: &mut Compact<'_>) -> Parsed<()> {
    let mut keys = HashSet::new();
    let count = compact.structs()?;
    must(count <= MAX_KEYS, "it has more keys than parklite writes")?;
    for _ in 0..count {
        let mut fields = Fields::default();
        while let Some(field) = fields.next(compact)? {
            match field {
                (1, Kind::Binary) => must(keys.insert(compact.binary()?), "a key comes twice")?,
                (2, Kind::Binary) => drop(compact.binary()?),
                _ => return Err(UNKNOWN_FIELD.into()),
            }
        }
        fields.must_have(&[1, 2])?;
    }
    Ok(())
}

/// Where the bytes before the footer belong: the column chunks one after another, from the file's tag to the page index,
/// whose pieces go up to the seal, which the footer follows.
pub(super) struct Pages {
    /// Where the next column chunk begins.
    pub(super) next: i64,
    /// Where pieces of the page index begin, and how large they are.
    index: Vec<(i64, i64)>,
    /// Where the seal begins.
    end: i64,
}

impl Pages {
    fn new(footer_start: i64) -> Self {
        let end = footer_start.saturating_sub(SEAL_BYTES.cast_signed() as i64);
        Self { next: CHUNKS_OFFSET.cast_signed() as i64, index: Vec::new(), end }
    }

    pub(super) fn add_chunk(&mut self, start: i64, size: i64) -> Parsed<()> {
        must(start == self.next, "a column chunk is not where the one before it ends")?;
        must(size > 0, "a column chunk is empty")?;
        let end = start.checked_add(size).filter(|&end| end <= self.end);
        self.next = end.ok_or("a column chunk goes beyond the file")?;
        Ok(())
    }

    pub(super) fn add_index(&mut self, start: i64, size: i64) -> Parsed<()> {
        let end = start.checked_add(size);
        let is_inside = start >= 0 && size > 0 && end.is_some_and(|end| end <= self.end);
        must(is_inside, "a page index goes beyond the file")?;
        self.index.push((start, size));
        Ok(())
    }

    fn finish(mut self) -> Parsed<()> {
        self.index.sort_unstable();
        let end = self.index.iter().try_fold(self.next, |end, &(start, size)| {
            must(start == end, "the page index is not where the pages end").map(|()| end + size)
        })?;
        must(end == self.end, "there is not just the seal between the page index and the footer")
    }
}

/// One row group of the footer.
struct RowGroup<'a> {
    index: usize,
    columns: &'a [Column<'a>],
}

impl RowGroup<'_> {
    /// Checks it and returns its rows.
    fn check(&self, compact: &mut Compact<'_>, pages: &mut Pages) -> Parsed<i64> {
        let start = pages.next;
        let mut sums = Sums::default();
        let mut fields = Fields::default();
        let mut rows = 0;
        while let Some(field) = fields.next(compact)? {
            match field {
                (1, Kind::List) => {
                    must(compact.structs()? == self.columns.len(), CONTRADICTION)?;
                    for column in self.columns {
                        let chunk = Chunk { column, rows: sums.cells };
                        chunk.check(compact, pages, &mut sums).map_err(|flaw| flaw.in_column(column.name))?;
                    }
                }
                (2, Kind::I64) => must(compact.i64()? == sums.uncompressed, CONTRADICTION)?,
                (3, Kind::I64) => rows = compact.i64()?,
                (4, Kind::List) => self.check_sorting(compact)?,
                (5, Kind::I64) => must(compact.i64()? == start, CONTRADICTION)?,
                (6, Kind::I64) => must(compact.i64()? == sums.compressed, CONTRADICTION)?,
                (7, Kind::I16) => must(usize::try_from(compact.i16()?) == Ok(self.index), CONTRADICTION)?,
                _ => return Err(UNKNOWN_FIELD.into()),
            }
        }
        fields.must_have(&[1, 2, 3])?;
        let most = i64::try_from(ROW_GROUP_ROWS).unwrap_or(i64::MAX);
        if !(1..=most).contains(&rows) {
            return Err(format!("it states {rows} rows, where a row group has 1 to {most}").into());
        }
        must(sums.cells == Some(rows), CONTRADICTION)?;
        // Cells have at least this size when row groups are cut (see `row_size`), so all rows but the last have room.
        let cells = (rows.unsigned_abs() - 1).saturating_mul(self.columns.len() as u64);
        must(cells.saturating_mul(CELL_BYTES) < ROW_GROUP_BYTES, "it has more cells than a row group has")?;
        Ok(rows)
    }

    fn check_sorting(&self, compact: &mut Compact<'_>) -> Parsed<()> {
        for _ in 0..compact.structs()? {
            let mut fields = Fields::default();
            while let Some(field) = fields.next(compact)? {
                match field {
                    (1, Kind::I32) => {
                        let column = usize::try_from(compact.i32()?);
                        let is_there = column.is_ok_and(|column| column < self.columns.len());
                        must(is_there, "it claims to be sorted by a column it lacks")?;
                    }
                    (2 | 3, Kind::True | Kind::False) => {}
                    _ => return Err(UNKNOWN_FIELD.into()),
                }
            }
            fields.must_have(&[1, 2, 3])?;
        }
        Ok(())
    }
}
