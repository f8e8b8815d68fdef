//! The footer as our own writer makes it, and no other: every field known, every number in its place.
//!
//! A snapshot's file may come from anybody. What is accepted here is far less than Parquet allows: flat columns of
//! four types, one codec, a few encodings, column chunks that fill the file one after another between the seal and
//! the page index, and sums that agree. So the decoder only ever sees what it is tested with.

use std::collections::HashSet;

use super::compact::{Compact, Kind, Parsed};
use crate::frame::build::{ROW_GROUP_BYTES, ROW_GROUP_ROWS};
use crate::parquet_file::seal::SEAL_END;
use crate::parquet_file::settings::CREATED_BY;
use crate::schema::CellClass;

/// Most columns of a table in SQLite as it is built here.
const MAX_TABLE_COLUMNS: usize = 2_000;

/// Most Parquet columns: for each column of a table one per storage class, and the rowid.
const MAX_COLUMNS: usize = MAX_TABLE_COLUMNS * CellClass::ALL.len() + 1;

/// Most bytes of a column chunk before compression: a row group that is closed at [`ROW_GROUP_BYTES`] by a row
/// that SQLite can hold, with dictionary and levels as large again as all but that row.
const MAX_CHUNK_BYTES: i64 = (1 << 31) + 2 * ROW_GROUP_BYTES.cast_signed();

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
pub(super) const RLE_DICTIONARY: i32 = 8;
const UNCOMPRESSED: i32 = 0;
const ZSTD: i32 = 6;
const VERSION: i32 = 1;

const UNKNOWN_FIELD: &str = "it has a field that parklite does not write";
const CONTRADICTION: &str = "its counts and sizes contradict each other";

/// One column of the schema.
struct Column<'a> {
    name: &'a [u8],
    physical_type: i32,
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

fn must(holds: bool, what: &'static str) -> Parsed<()> {
    if holds { Ok(()) } else { Err(what.into()) }
}

/// The fields of one structure on the way.
#[derive(Default)]
struct Fields {
    last: i16,
    seen: u32,
}

impl Fields {
    fn next(&mut self, compact: &mut Compact<'_>) -> Parsed<Option<(i16, Kind)>> {
        let field = compact.field(&mut self.last)?;
        if let Some((id, _)) = field {
            self.seen |= u32::try_from(id).ok().and_then(|id| 1_u32.checked_shl(id)).unwrap_or(0);
        }
        Ok(field)
    }

    fn has(&self, id: u32) -> bool {
        self.seen & (1 << id) != 0
    }

    fn must_have(&self, ids: &[u32]) -> Parsed<()> {
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
    for _ in 0..compact.structs()? {
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

/// Where the pages of all column chunks lie: one after another, from the seal to the page index, which goes up to
/// the footer.
struct Pages {
    /// Where the next column chunk begins.
    next: i64,
    /// The smallest place that a page index claims.
    index_start: i64,
    footer_start: i64,
}

impl Pages {
    fn new(footer_start: i64) -> Self {
        Self { next: i64::try_from(SEAL_END).unwrap_or(i64::MAX), index_start: footer_start, footer_start }
    }

    fn add_chunk(&mut self, start: i64, size: i64) -> Parsed<()> {
        must(start == self.next, "a column chunk is not where the one before it ends")?;
        must(size > 0, "a column chunk is empty")?;
        let end = start.checked_add(size).filter(|&end| end <= self.footer_start);
        self.next = end.ok_or("a column chunk goes beyond the file")?;
        Ok(())
    }

    fn add_index(&mut self, start: i64, size: i64) -> Parsed<()> {
        let end = start.checked_add(size);
        let is_inside = start >= 0 && size >= 0 && end.is_some_and(|end| end <= self.footer_start);
        must(is_inside, "a page index goes beyond the file")?;
        self.index_start = self.index_start.min(start);
        Ok(())
    }

    fn finish(&self) -> Parsed<()> {
        must(self.index_start >= self.next, "a page index lies among the pages")
    }
}

/// One row group of the footer.
struct RowGroup<'a> {
    index: usize,
    columns: &'a [Column<'a>],
}

/// Sums over the chunks of a row group.
#[derive(Default)]
struct Sums {
    cells: Option<i64>,
    compressed: i64,
    uncompressed: i64,
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

/// One column chunk of the footer.
struct Chunk<'a> {
    column: &'a Column<'a>,
    /// The rows of the row group, where a column before has told them.
    rows: Option<i64>,
}

impl Chunk<'_> {
    fn check(&self, compact: &mut Compact<'_>, pages: &mut Pages, sums: &mut Sums) -> Parsed<()> {
        let mut fields = Fields::default();
        let mut index_start = 0;
        while let Some(field) = fields.next(compact)? {
            match field {
                (1, _) => return Err("it lies in another file".into()),
                (2, Kind::I64) => must(compact.i64()? == 0, CONTRADICTION)?,
                (3, Kind::Struct) => self.check_metadata(compact, pages, sums)?,
                (4 | 6, Kind::I64) => index_start = compact.i64()?,
                (5 | 7, Kind::I32) => pages.add_index(index_start, compact.i32()?.into())?,
                (8 | 9, _) => return Err("it is encrypted".into()),
                _ => return Err(UNKNOWN_FIELD.into()),
            }
        }
        must(fields.has(4) == fields.has(5) && fields.has(6) == fields.has(7), CONTRADICTION)?;
        fields.must_have(&[2, 3])
    }

    fn check_metadata(&self, compact: &mut Compact<'_>, pages: &mut Pages, sums: &mut Sums) -> Parsed<()> {
        let mut fields = Fields::default();
        let (mut cells, mut compressed, mut uncompressed) = (0, 0, 0);
        let (mut data_start, mut dictionary_start) = (0, None);
        while let Some(field) = fields.next(compact)? {
            match field {
                (1, Kind::I32) => {
                    must(
                        compact.i32()? == self.column.physical_type,
                        "it is of another type than its column",
                    )?;
                }
                (2, Kind::List) => self.check_encodings(compact)?,
                (3, Kind::List) => self.check_path(compact)?,
                (4, Kind::I32) => {
                    let codec = compact.i32()?;
                    must(matches!(codec, UNCOMPRESSED | ZSTD), "it is compressed in another way")?;
                }
                (5, Kind::I64) => cells = compact.i64()?,
                (6, Kind::I64) => uncompressed = compact.i64()?,
                (7, Kind::I64) => compressed = compact.i64()?,
                (9, Kind::I64) => data_start = compact.i64()?,
                (11, Kind::I64) => dictionary_start = Some(compact.i64()?),
                (12, Kind::Struct) => self.check_statistics(compact, cells)?,
                (13, Kind::List) => check_page_encodings(compact, cells)?,
                (16, Kind::Struct) => check_size_statistics(compact)?,
                _ => return Err(UNKNOWN_FIELD.into()),
            }
        }
        fields.must_have(&[1, 2, 3, 4, 5, 6, 7, 9])?;
        must(self.rows.is_none_or(|rows| rows == cells), "it has other rows than the column before it")?;
        must((1..=MAX_CHUNK_BYTES).contains(&uncompressed), "its size is impossible")?;
        let start = dictionary_start.unwrap_or(data_start);
        pages.add_chunk(start, compressed)?;
        must((start..pages.next).contains(&data_start), "its data pages lie outside of it")?;
        sums.cells = Some(cells);
        sums.compressed += compressed;
        sums.uncompressed += uncompressed;
        Ok(())
    }

    fn check_encodings(&self, compact: &mut Compact<'_>) -> Parsed<()> {
        let (kind, count) = compact.list()?;
        must(kind == Kind::I32 || count == 0, UNKNOWN_FIELD)?;
        for _ in 0..count {
            check_encoding(compact.i32()?, self.column.physical_type)?;
        }
        Ok(())
    }

    fn check_path(&self, compact: &mut Compact<'_>) -> Parsed<()> {
        let is_one = compact.list()? == (Kind::Binary, 1);
        must(is_one && compact.binary()? == self.column.name, "it names another column")
    }

    fn check_statistics(&self, compact: &mut Compact<'_>, cells: i64) -> Parsed<()> {
        let mut fields = Fields::default();
        while let Some(field) = fields.next(compact)? {
            match field {
                (1 | 2 | 5 | 6, Kind::Binary) => {
                    let size = compact.binary()?.len();
                    let is_right = self.column.physical_type == BYTE_ARRAY || size == size_of::<i64>();
                    must(is_right, "its statistics are of another type")?;
                }
                (3, Kind::I64) => must((0..=cells).contains(&compact.i64()?), CONTRADICTION)?,
                (7 | 8, Kind::True | Kind::False) => {}
                _ => return Err(UNKNOWN_FIELD.into()),
            }
        }
        Ok(())
    }
}

/// Whether pages of a column of this type may be encoded so; levels and dictionaries included.
pub(super) fn check_encoding(encoding: i32, physical_type: i32) -> Parsed<()> {
    let is_known = matches!(encoding, PLAIN | RLE | RLE_DICTIONARY)
        || (encoding == DELTA_BINARY_PACKED && physical_type == INT64);
    must(is_known, "it is encoded in a way that parklite does not write")
}

fn check_page_encodings(compact: &mut Compact<'_>, cells: i64) -> Parsed<()> {
    for _ in 0..compact.structs()? {
        let mut fields = Fields::default();
        while let Some(field) = fields.next(compact)? {
            match field {
                (1 | 2, Kind::I32) => must(compact.i32()? >= 0, UNKNOWN_FIELD)?,
                (3, Kind::I32) => must((0..=cells).contains(&compact.i32()?.into()), CONTRADICTION)?,
                _ => return Err(UNKNOWN_FIELD.into()),
            }
        }
        fields.must_have(&[1, 2, 3])?;
    }
    Ok(())
}

fn check_size_statistics(compact: &mut Compact<'_>) -> Parsed<()> {
    let mut fields = Fields::default();
    while let Some(field) = fields.next(compact)? {
        match field {
            (1, Kind::I64) => must(compact.i64()? >= 0, CONTRADICTION)?,
            (2 | 3, Kind::List) => {
                let (kind, count) = compact.list()?;
                // One count for each level: a flat column has two at most.
                must((kind == Kind::I64 && count <= 2) || count == 0, UNKNOWN_FIELD)?;
                for _ in 0..count {
                    must(compact.i64()? >= 0, CONTRADICTION)?;
                }
            }
            _ => return Err(UNKNOWN_FIELD.into()),
        }
    }
    Ok(())
}
