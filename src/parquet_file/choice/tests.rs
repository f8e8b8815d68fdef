//! What is chosen for a column is never larger than what everybody would choose, and follows from its values alone.

use std::sync::Arc;

use arrow::array::RecordBatch;
use parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, compute_leaves};
use parquet::file::writer::SerializedFileWriter;

use super::*;
use crate::frame::TableMapping;
use crate::frame::testing::{Row, Value, batch_of, mapping_of, numbered, without_rowid};
use crate::parquet_file::settings::{chunk_properties, dictionary_bytes, parquet_schema};

const ROWS: usize = 48 * 1024;
const FRAME_ROWS: usize = 16 * 1024;
const LEVEL: i32 = 3;

/// Hundredths by which a layout that was tried on a sample may turn out larger than the plain one.
const TRIED_SHARE: u64 = 2;

/// The same for dictionaries that are taken untried.
const CHEAP_DICTIONARY_SHARE: u64 = 20;

/// Repeatable noise: the multiplier of Knuth's MMIX generator, the upper bits of its state.
fn noise() -> impl FnMut(i64) -> i64 {
    let mut state = 1_u64;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(state >> 33).expect("31 bits") % below
    }
}

/// Columns of many kinds, by name.
#[expect(clippy::cast_precision_loss, reason = "any reals will do")]
fn kinds() -> Vec<(&'static str, Vec<Value>)> {
    let (mut next, text) = (noise(), Value::Text);
    let mut kinds: Vec<(&'static str, Vec<Value>)> = Vec::new();
    let mut add = |name, value: &mut dyn FnMut(i64) -> Value| {
        kinds.push((name, (0..i64::try_from(ROWS).expect("few")).map(value).collect()));
    };
    add("counter", &mut |row| Value::Integer(row));
    add("small", &mut |_| Value::Integer(next(100)));
    add("large", &mut |_| Value::Integer(next(1 << 30) << 33 | next(1 << 31)));
    add("times", &mut |row| Value::Integer(1_700_000_000_000 + row * 1_000 + next(900)));
    add("times of one second", &mut |row| Value::Integer((1_700_000_000 + row / 3) * 1_000_000));
    add("around and around", &mut |row| Value::Integer(row % 3_000));
    add("far around and around", &mut |row| Value::Integer(row * 7_919 % 20_011 * 1_000_003));
    add("runs", &mut |row| Value::Integer(row / 1_000));
    add("high bits", &mut |_| Value::Integer(next(1 << 16) << 40));
    add("extremes", &mut |row| Value::Integer(if row % 2 == 0 { i64::MIN } else { i64::MAX }));
    add("mostly none", &mut |row| if row % 97 == 0 { Value::Integer(row) } else { Value::Null });
    add("all none", &mut |_| Value::Null);
    add("one integer", &mut |_| Value::Integer(42));
    add("reals", &mut |_| Value::Real(next(1 << 30) as f64 / 7.0));
    add("prices", &mut |_| Value::Real(next(100_000) as f64 / 100.0));
    add("rising reals", &mut |row| Value::Real(row as f64 * 0.1));
    add("whole reals", &mut |_| Value::Real(next(5_000) as f64));
    add("uuids", &mut |_| {
        text(format!(
            "{:08x}-{:04x}-4{:03x}-{:08x}",
            next(1 << 31),
            next(1 << 16),
            next(1 << 12),
            next(1 << 31)
        ))
    });
    add("iso times", &mut |row| {
        text(format!(
            "2026-11-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            1 + row / 2_000,
            row / 90 % 24,
            row % 60,
            next(60),
            next(1000)
        ))
    });
    add("json", &mut |row| {
        text(format!(
            r#"{{"id":{row},"name":"user {}","tags":["a","b{}"],"score":{}}}"#,
            next(900),
            next(9),
            next(100_000)
        ))
    });
    add("words", &mut |_| {
        text(
            ["open", "closed", "waiting", "a longer word than a view"]
                [usize::try_from(next(4)).expect("small")]
            .into(),
        )
    });
    add("urls", &mut |_| {
        text(format!("https://www.example.com/products/{}/view?page={}", next(300), next(5)))
    });
    add("numbers as texts", &mut |row| text(format!("{row:09}")));
    add("empty texts", &mut |_| text(String::new()));
    add("sometimes a text", &mut |row| if next(3) == 0 { text(format!("note {row}")) } else { Value::Null });
    add("noise", &mut |_| Value::Blob((0..16).map(|_| next(256).to_le_bytes()[0]).collect()));
    add("zeros", &mut |row| Value::Blob(vec![0; usize::try_from(row % 200).expect("small")]));
    kinds
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

    fn arrays(&self) -> Vec<ArrayRef> {
        self.frames.iter().map(|frame| Arc::clone(frame.column(0))).collect()
    }

    fn choose(&self, level: i32) -> Choice {
        let trial = try_out(self.frames[0].column(0), level).expect("zstd");
        let limits = Limits { level, dictionary_bytes: dictionary_bytes(1) };
        choose(&self.arrays(), trial, limits).expect("zstd")
    }

    /// The size of the column's chunk as it comes out.
    fn size(&self, choice: Choice) -> u64 {
        let schema = parquet_schema(self.mapping.parquet_columns().take(1)).expect("a schema");
        let properties = chunk_properties(choice, 1, false).expect("properties");
        let writer = SerializedFileWriter::new(std::io::sink(), schema, properties).expect("a writer");
        let field = self.frames[0].schema().field(0).clone();
        let arrow = Arc::new(arrow::datatypes::Schema::new(vec![field.clone()]));
        let mut writers =
            ArrowRowGroupWriterFactory::new(&writer, arrow).create_column_writers(0).expect("a column");
        let mut column = writers.pop().expect("one column");
        for array in self.arrays() {
            for leaf in compute_leaves(&field, &array).expect("flat") {
                column.write(&leaf).expect("encoded");
            }
        }
        let size = column.close().expect("closed").close().metadata.compressed_size();
        u64::try_from(size).expect("a size")
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
        // A few dozen bytes are headers of pages.
        // A dictionary of few values is taken untried: where they come in a short cycle, plain ones are the smaller.
        let share = if choice.layout == Layout::Dictionary { CHEAP_DICTIONARY_SHARE } else { TRIED_SHARE };
        if size > plain + plain * share / 100 + 64 {
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
fn a_dictionary_is_taken_for_few_values_and_never_for_more_than_fit() {
    for (name, values) in kinds() {
        let distinct: HashSet<String> = values
            .iter()
            .filter(|value| !matches!(value, Value::Null))
            .map(|value| format!("{value:?}"))
            .collect();
        let choice = Column::new(values).choose(LEVEL);
        if distinct.len() <= 1_000 {
            assert_eq!(
                choice.layout == Layout::Dictionary,
                !matches!(name, "mostly none"),
                "{name}: {choice:?}"
            );
        }
        if distinct.len() * 8 > dictionary_bytes(1) {
            assert_ne!(choice.layout, Layout::Dictionary, "{name}");
        }
    }
    let without = Limits { level: LEVEL, dictionary_bytes: 0 };
    let column = Column::new(vec![Value::Integer(1); 100]);
    assert_eq!(choose(&column.arrays(), None, without).expect("chosen").layout, Layout::Deltas);
}
