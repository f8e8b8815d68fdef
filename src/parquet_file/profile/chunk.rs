//! One column chunk of a footer as our own writer makes it.

use super::compact::{Compact, Kind, Parsed};
use super::footer::{
    BYTE_ARRAY, BYTE_STREAM_SPLIT, CONTRADICTION, Column, DELTA_BINARY_PACKED, DELTA_LENGTH_BYTE_ARRAY,
    DOUBLE, Fields, INT64, PLAIN, Pages, RLE, RLE_DICTIONARY, UNKNOWN_FIELD, must,
};
use crate::frame::cuts::ROW_GROUP_BYTES;

/// Most bytes of a column chunk before compression: a row group that is closed at [`ROW_GROUP_BYTES`] by a row
/// that SQLite can hold, with dictionary and levels as large again as all but that row.
const MAX_CHUNK_BYTES: i64 = (1 << 31) + 2 * ROW_GROUP_BYTES.cast_signed();

/// Parquet's numbers for the codecs that are accepted.
const UNCOMPRESSED: i32 = 0;
const ZSTD: i32 = 6;

/// Sums over the chunks of a row group.
#[derive(Default)]
pub(super) struct Sums {
    pub(super) cells: Option<i64>,
    pub(super) compressed: i64,
    pub(super) uncompressed: i64,
}

/// One column chunk of the footer.
pub(super) struct Chunk<'a> {
    pub(super) column: &'a Column<'a>,
    /// The rows of the row group, where a column before has told them.
    pub(super) rows: Option<i64>,
}

impl Chunk<'_> {
    pub(super) fn check(&self, compact: &mut Compact<'_>, pages: &mut Pages, sums: &mut Sums) -> Parsed<()> {
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
        let (mut data_start, mut dictionary_start, mut nulls) = (0, None, None);
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
                (12, Kind::Struct) => nulls = self.check_statistics(compact, cells)?,
                (13, Kind::List) => check_page_encodings(compact, cells)?,
                (16, Kind::Struct) => check_size_statistics(compact, cells, nulls)?,
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

    /// Checks the statistics, and returns how many NULLs they state.
    fn check_statistics(&self, compact: &mut Compact<'_>, cells: i64) -> Parsed<Option<i64>> {
        let mut fields = Fields::default();
        let mut nulls = None;
        while let Some(field) = fields.next(compact)? {
            match field {
                (1 | 2 | 5 | 6, Kind::Binary) => {
                    let size = compact.binary()?.len();
                    let is_right = self.column.physical_type == BYTE_ARRAY || size == size_of::<i64>();
                    must(is_right, "its statistics are of another type")?;
                }
                (3, Kind::I64) => nulls = Some(compact.i64()?),
                (7 | 8, Kind::True | Kind::False) => {}
                _ => return Err(UNKNOWN_FIELD.into()),
            }
        }
        must(nulls.is_none_or(|nulls| (0..=cells).contains(&nulls)), CONTRADICTION)?;
        Ok(nulls)
    }
}

/// Whether pages of a column of this type may be encoded so; levels and dictionaries included.
pub(super) fn check_encoding(encoding: i32, physical_type: i32) -> Parsed<()> {
    let is_known = matches!(encoding, PLAIN | RLE | RLE_DICTIONARY)
        || matches!(
            (encoding, physical_type),
            (DELTA_BINARY_PACKED, INT64)
                | (DELTA_LENGTH_BYTE_ARRAY, BYTE_ARRAY)
                | (BYTE_STREAM_SPLIT, DOUBLE)
        );
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

fn check_size_statistics(compact: &mut Compact<'_>, cells: i64, nulls: Option<i64>) -> Parsed<()> {
    let mut fields = Fields::default();
    while let Some(field) = fields.next(compact)? {
        match field {
            (1, Kind::I64) => must(compact.i64()? >= 0, CONTRADICTION)?,
            // How many cells have each level: a flat column has two at most, and NULLs the lower one.
            (2 | 3, Kind::List) => match compact.list()? {
                (_, 0) => {}
                (Kind::I64, 1) => must(compact.i64()? == cells, CONTRADICTION)?,
                (Kind::I64, 2) => {
                    let (lower, upper) = (compact.i64()?, compact.i64()?);
                    must(lower >= 0 && lower.checked_add(upper) == Some(cells), CONTRADICTION)?;
                    must(nulls.is_none_or(|nulls| nulls == lower), CONTRADICTION)?;
                }
                _ => return Err(UNKNOWN_FIELD.into()),
            },
            _ => return Err(UNKNOWN_FIELD.into()),
        }
    }
    Ok(())
}
