//! What is chosen for a column is never larger than what everybody would choose, and follows from its values alone.

use std::sync::Arc;

use arrow::array::RecordBatch;
use parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Encoding, PageType};
use parquet::column::writer::ColumnCloseResult;
use parquet::file::writer::SerializedFileWriter;

use super::*;
use crate::frame::TableMapping;
use crate::frame::testing::{Row, Value, batch_of, mapping_of, numbered, table, without_rowid};
use crate::parquet_file::settings::{
    chunk_properties, dictionary_bytes, page_bytes, page_rows, parquet_schema,
};
use std::collections::HashSet;

const ROWS: usize = 128 * 1024;
const FRAME_ROWS: usize = 16 * 1024;
const LEVEL: i32 = 3;

/// By how many bytes a column may be larger than plain: what two heads of pages differ by.
const HEADS: u64 = 64;

mod kinds;

use kinds::{column, kinds, noise};

fn limits(level: i32) -> Limits {
    Limits {
        level,
        dictionary_bytes: dictionary_bytes(1),
        page_bytes: page_bytes(1),
        page_rows: page_rows(1),
        has_nulls: true,
    }
}

/// Columns of several row groups, of which the first begins with noise of `rows` rows.
fn changing_later(rows: i64) -> Vec<(&'static str, Vec<Value>)> {
    let (integer, text, mut next) = (Value::Integer, Value::Text, noise());
    let any = |next: &mut dyn FnMut(i64) -> i64| next(1 << 30) << 33 | next(1 << 31);
    let hex = |next: &mut dyn FnMut(i64) -> i64| text(format!("{:08x}", next(1 << 31) << 1 | next(2)));
    let long = |value: &mut dyn FnMut(i64) -> Value| (0..3 * 131_072).map(value).collect::<Vec<_>>();
    vec![
        (
            "hexadecimal, then digits",
            long(&mut |row| if row < rows { hex(&mut next) } else { text(format!("{row:09}")) }),
        ),
        (
            "hexadecimal, then items",
            long(&mut |row| {
                if row < rows { hex(&mut next) } else { text(format!("item number {row} of the list")) }
            }),
        ),
        (
            "noise, then orders",
            long(&mut |row| {
                text(if row < rows {
                    format!("{:016x}{:015x}", any(&mut next), any(&mut next) & 0xfff_ffff_ffff_ffff)
                } else {
                    format!("order-2026-{row:08}")
                })
            }),
        ),
        (
            "any, then times",
            long(&mut |row| {
                integer(if row < rows { any(&mut next) } else { 1_700_000_000_000 + row * 1_000 + next(900) })
            }),
        ),
    ]
}

struct Column {
    mapping: TableMapping,
    frames: Vec<RecordBatch>,
}

impl Column {
    fn new(values: Vec<Value>) -> Self {
        // Beside a key, since a table has one.
        let table = without_rowid(&[("value", "")]);
        let rows: Vec<Row> = numbered(values.into_iter().map(|value| vec![value]).collect());
        let mapping = mapping_of(&table, &rows);
        let frames = rows.chunks(FRAME_ROWS).map(|rows| batch_of(&mapping, rows)).collect();
        Self { mapping, frames }
    }

    /// The rowids of a table.
    fn of_rowids() -> Self {
        let rows: Vec<Row> = numbered(vec![vec![Value::Null]; ROWS]);
        let mapping = mapping_of(&table(&[("value", "")]), &rows);
        let frames = rows.chunks(FRAME_ROWS).map(|rows| batch_of(&mapping, rows)).collect();
        Self { mapping, frames }
    }

    fn arrays(&self) -> Vec<ArrayRef> {
        self.frames.iter().map(|frame| Arc::clone(frame.column(0))).collect()
    }

    fn choose(&self, level: i32) -> Choice {
        let limits = limits(level);
        chosen(&self.arrays(), tried(&self.arrays(), limits), limits).expect("zstd")
    }

    /// The size of the column's chunk as it comes out.
    fn size(&self, choice: Choice) -> u64 {
        let size = self.written(&self.arrays(), choice).metadata.compressed_size();
        u64::try_from(size).expect("a size")
    }

    /// Writes a chunk.
    fn written(&self, arrays: &[ArrayRef], choice: Choice) -> ColumnCloseResult {
        let schema = parquet_schema(self.mapping.parquet_columns().take(1)).expect("a schema");
        let properties = chunk_properties(choice, 1, true).expect("properties");
        let writer = SerializedFileWriter::new(std::io::sink(), schema, properties).expect("a writer");
        let field = self.frames[0].schema().field(0).clone();
        let arrow = Arc::new(arrow::datatypes::Schema::new(vec![field.clone()]));
        let mut writers =
            ArrowRowGroupWriterFactory::new(&writer, arrow).create_column_writers(0).expect("a column");
        let mut column = writers.pop().expect("one column");
        for array in arrays {
            for leaf in compute_leaves(&field, array).expect("flat") {
                column.write(&leaf).expect("encoded");
            }
        }
        column.close().expect("closed").close().clone()
    }
}

/// What a table's first rows show, as an export tries them out.
fn chosen(arrays: &[ArrayRef], tried: Option<TriedPage>, limits: Limits) -> Result<Choice> {
    choose(arrays, tried, limits, &mut Compressors::new(limits.level)?)
}

fn tried(arrays: &[ArrayRef], limits: Limits) -> Option<TriedPage> {
    let first = page::rows_of(arrays, 0, 2 * limits.page_rows);
    try_out(&first, limits, &mut Compressors::new(limits.level).expect("zstd")).expect("zstd")
}

#[test]
fn no_row_group_is_larger_than_plain_where_values_change_between_and_within_them() {
    let mut larger = Vec::new();
    for rows in [20_480, 40_000, 100_000, 131_072, 200_000] {
        for (name, values) in changing_later(rows) {
            let whole = Column::new(values);
            let arrays = whole.arrays();
            let known = tried(&arrays, limits(LEVEL));
            for (number, group) in arrays.chunks(8).enumerate() {
                let choice = chosen(group, known, limits(LEVEL)).expect("zstd");
                let size = whole.written(group, choice).metadata.compressed_size();
                let plain = Choice { layout: Layout::Plain, level: LEVEL };
                let plain = whole.written(group, plain).metadata.compressed_size();
                if size > plain + i64::try_from(HEADS).expect("small") {
                    larger.push((rows, name, number, choice, size, plain));
                }
            }
        }
    }
    assert!(larger.is_empty(), "{larger:#?}");
}

#[test]
fn a_trial_is_made_of_the_rows_of_the_first_page() {
    let mut next = noise();
    let text = |row: i64, size: i64| {
        Value::Text("x".repeat(usize::try_from(size).expect("small")) + &row.to_string())
    };
    let some = |row: i64, of: i64, value: Value| if row % of == 0 { value } else { Value::Null };
    let columns = [
        column(Value::Integer),
        column(|row| some(row, 3, Value::Integer(row))),
        column(|row| Value::Real(f64::from(u32::try_from(row).expect("small")))),
        column(|row| text(row, 5)),
        column(|row| some(row, 2, text(row, 5))),
        column(|row| text(row, 40)),
        column(|row| text(row, next(200))),
        column(|row| some(row, 2, text(row, 150))),
        column(|row| text(row, 700)),
        column(|row| if row < 17_000 { Value::Null } else { text(row, 3) }),
    ];
    let columns = columns.into_iter().map(|values| (Column::new(values), true));
    for (number, (column, has_nulls)) in columns.chain([(Column::of_rowids(), false)]).enumerate() {
        // As frames are where rows are narrow, and where they are not.
        for frame in [FRAME_ROWS, 10_000, 3_333] {
            let arrays: Vec<ArrayRef> = (0..ROWS)
                .step_by(frame)
                .flat_map(|start| page::rows_of(&column.arrays(), start, frame))
                .collect();
            let written = column.written(&arrays, Choice { layout: Layout::Plain, level: 1 });
            let pages = written.offset_index.expect("an offset index");
            let second = pages.page_locations()[1].first_row_index;
            let rows = page::first_page_rows(&arrays, Limits { has_nulls, ..limits(1) });
            assert_eq!(i64::try_from(rows), Ok(second), "column {number}, {frame} rows");
        }
    }
}

#[test]
fn a_dictionary_is_chosen_only_where_the_writer_does_not_give_it_up() {
    type Kind = (&'static str, fn(i64) -> Value);
    let most = i64::try_from(dictionary_bytes(1) / 8).expect("small");
    #[expect(clippy::cast_precision_loss, reason = "any reals will do")]
    let kinds: [Kind; 3] = [
        ("integers", |row| Value::Integer((row + 1).wrapping_mul(6_364_136_223_846_793_005))),
        ("reals", |row| Value::Real((row + 1) as f64 / 7.0)),
        // Four bytes and their length.
        ("texts", |row| Value::Text(format!("{row:04x}"))),
    ];
    for (name, value) in kinds {
        for count in [most - 1, most, most + 1] {
            let column = Column::new(column(|row| value(row % count)));
            let has_room = distinct_values(&column.arrays(), dictionary_bytes(1)).is_some();
            let dictionary = Choice { layout: Layout::Dictionary, level: 1 };
            let written = column.written(&column.arrays(), dictionary).metadata;
            let plain_pages =
                written.page_encoding_stats().expect("counts of pages").iter().filter(|pages| {
                    pages.page_type == PageType::DATA_PAGE && pages.encoding == Encoding::PLAIN
                });
            assert_eq!(has_room, plain_pages.count() == 0, "{count} {name}");
            assert_eq!(has_room, count < most, "{count} {name}");
        }
    }
}

#[test]
fn no_column_is_larger_than_plain_at_the_level_asked_for() {
    let mut larger = Vec::new();
    for (name, values) in kinds() {
        let column = Column::new(values);
        let choice = column.choose(LEVEL);
        let size = column.size(choice);
        let plain = column.size(Choice { layout: Layout::Plain, level: LEVEL });
        let dictionary = column.size(Choice { layout: Layout::Dictionary, level: LEVEL });
        if size > plain + HEADS {
            larger.push((name, choice, size, plain, dictionary));
        }
    }
    assert!(larger.is_empty(), "{larger:#?}");
}

#[test]
fn what_is_chosen_follows_from_the_values_and_never_takes_more_effort_than_asked_for() {
    for (name, values) in kinds() {
        let column = Column::new(values.clone());
        for level in [1, 3] {
            let choice = column.choose(level);
            assert_eq!(choice, Column::new(values.clone()).choose(level), "{name}");
            assert!(
                choice.level <= level && choice.level >= 1,
                "{name}: {choice:?} where {level} was asked for"
            );
        }
    }
}

#[test]
fn a_dictionary_is_taken_where_it_is_much_smaller_and_never_for_more_values_than_fit() {
    let mut taken = 0;
    for (name, values) in kinds() {
        let distinct: HashSet<String> = values
            .iter()
            .filter(|value| !matches!(value, Value::Null))
            .map(|value| format!("{value:?}"))
            .collect();
        let column = Column::new(values);
        let choice = column.choose(LEVEL);
        if distinct.len() * 8 > dictionary_bytes(1) {
            assert_ne!(choice.layout, Layout::Dictionary, "{name}");
            continue;
        }
        taken += usize::from(choice.layout == Layout::Dictionary);
        let dictionary = column.size(Choice { layout: Layout::Dictionary, level: LEVEL });
        let size = column.size(choice);
        assert!(size <= dictionary + dictionary / 20 + 1_024, "{name}: {choice:?}, {size}, {dictionary}");
    }
    assert!(taken > 30, "{taken}");
    let without = Limits { dictionary_bytes: 0, ..limits(LEVEL) };
    let column = Column::new(vec![Value::Integer(1); 100]);
    assert_ne!(chosen(&column.arrays(), None, without).expect("chosen").layout, Layout::Dictionary);
}
