//! Tables, rows and frames for the tests of this module and of `parquet_file`.

use arrow::array::RecordBatch;

use crate::digest::{ContentDigest, RowHasher};
use crate::frame::{ClassCounts, FrameBuilder, RowDecoder, TableMapping, plan_mapping};
use crate::schema::{Affinity, Cell, Column, Generated, Identifier, IndexColumn, IndexedValue, Table};

/// A rowid table without alias: names and declared types.
pub(crate) fn table(columns: &[(&str, &str)]) -> Table {
    Table {
        name: Identifier::from("t"),
        strict: false,
        columns: columns.iter().map(|(name, declared)| column(name.as_bytes(), declared)).collect(),
        rowid_alias: None,
        without_rowid_key: Vec::new(),
        indexes: Vec::new(),
    }
}

/// The same as a WITHOUT ROWID table with its first column as key.
pub(crate) fn without_rowid(columns: &[(&str, &str)]) -> Table {
    let key = IndexColumn {
        value: IndexedValue::Column(0),
        collation: Identifier::from("BINARY"),
        descending: false,
        is_key: true,
    };
    Table { without_rowid_key: vec![key], ..table(columns) }
}

pub(crate) fn column(name: &[u8], declared: &str) -> Column {
    Column {
        name: Identifier::from_bytes(name),
        declared_type: Identifier::from(declared),
        affinity: Affinity::of_declared_type(declared.as_bytes(), false),
        generated: Generated::No,
    }
}

/// A cell that owns its bytes.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    RawText(Vec<u8>),
    Blob(Vec<u8>),
}

impl Value {
    pub(crate) fn cell(&self) -> Cell<'_> {
        match self {
            Self::Null => Cell::Null,
            Self::Integer(value) => Cell::Integer(*value),
            Self::Real(value) => Cell::Real(*value),
            Self::Text(text) => Cell::Text(text),
            Self::RawText(bytes) => Cell::RawText(bytes),
            Self::Blob(bytes) => Cell::Blob(bytes),
        }
    }
}

impl From<Cell<'_>> for Value {
    fn from(cell: Cell<'_>) -> Self {
        match cell {
            Cell::Null => Self::Null,
            Cell::Integer(value) => Self::Integer(value),
            Cell::Real(value) => Self::Real(value),
            Cell::Text(text) => Self::Text(text.to_owned()),
            Cell::RawText(bytes) => Self::RawText(bytes.to_vec()),
            Cell::Blob(bytes) => Self::Blob(bytes.to_vec()),
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cell() == other.cell()
    }
}

/// A row: its rowid and its cells.
pub(crate) type Row = (Option<i64>, Vec<Value>);

/// Rows with the rowids 1, 2, 3, …
pub(crate) fn numbered(rows: Vec<Vec<Value>>) -> Vec<Row> {
    (1..).map(Some).zip(rows).collect()
}

pub(crate) fn cells(row: &Row) -> Vec<Cell<'_>> {
    row.1.iter().map(Value::cell).collect()
}

/// The mapping made from exactly these rows.
pub(crate) fn mapping_of(table: &Table, rows: &[Row]) -> TableMapping {
    let mut counts = vec![ClassCounts::default(); table.stored_columns().count()];
    for row in rows {
        for (counts, cell) in counts.iter_mut().zip(cells(row)) {
            counts.count(cell.class());
        }
    }
    plan_mapping(table, &counts)
}

pub(crate) fn batch_of(mapping: &TableMapping, rows: &[Row]) -> RecordBatch {
    let mut builder = FrameBuilder::new(mapping, false);
    for row in rows {
        assert!(builder.push_row(row.0, &cells(row)), "{row:?} fits");
    }
    builder.finish().expect("rows make a batch")
}

pub(crate) fn rows_of(table: &Table, mapping: &TableMapping, batch: &RecordBatch) -> Vec<Row> {
    let mut rows = Vec::new();
    RowDecoder::new(table, mapping, batch)
        .and_then(|decoder| {
            decoder.for_each_row(|rowid, cells| {
                rows.push((rowid, cells.iter().map(|&cell| Value::from(cell)).collect()));
                Ok(())
            })
        })
        .expect("a batch of our own decodes");
    rows
}

pub(crate) fn digest_of(rows: &[Row]) -> ContentDigest {
    let mut hasher = RowHasher::default();
    for row in rows {
        hasher.begin_row(row.0);
        for cell in cells(row) {
            hasher.add_cell(cell);
        }
        hasher.end_row();
    }
    hasher.take()
}

/// A table in which every class, extreme and mixture occurs, with rows to match.
pub(crate) fn difficult_rows() -> (Table, Vec<Row>) {
    let table = table(&[
        ("integer", "INTEGER"),
        ("real", "REAL"),
        ("text", "TEXT"),
        ("blob", "BLOB"),
        ("price", "DECIMAL(10,2)"),
        ("count", "INTEGER"),
        ("anything", ""),
        ("with.dots", "TEXT"),
        ("never", "TEXT"),
    ]);
    let two_to_53 = 1_i64 << 53;
    let text = |text: &str| Value::Text(text.to_owned());
    let blob = |bytes: &[u8]| Value::Blob(bytes.to_vec());
    let raw = |bytes: &[u8]| Value::RawText(bytes.to_vec());
    let columns: [Vec<Value>; 9] = [
        vec![
            Value::Integer(i64::MIN),
            Value::Integer(i64::MAX),
            Value::Integer(0),
            Value::Integer(-1),
            Value::Null,
        ],
        vec![
            Value::Real(f64::INFINITY),
            Value::Real(f64::NEG_INFINITY),
            Value::Real(-0.0),
            Value::Real(5e-324),
            Value::Real(0.1 + 0.2),
        ],
        vec![text(""), text("a\0b"), Value::Null, text("näme 😀 that is longer than a view"), text("\0")],
        vec![blob(b""), blob(&[0, 255, 128]), Value::Null, blob(&[7; 300]), blob(b"text")],
        vec![
            Value::Integer(two_to_53 + 1),
            Value::Real(9.99),
            Value::Integer(i64::MAX),
            Value::Null,
            Value::Real(-0.0),
        ],
        vec![
            Value::Integer(1),
            Value::Real(2.5),
            Value::Integer(i64::MAX),
            Value::Integer(-3),
            Value::Real(f64::MAX),
        ],
        vec![Value::Integer(1), Value::Real(1.0), text("1"), blob(b"1"), raw(b"1\xff")],
        vec![text("a.b"), raw(b""), raw(b"\xc3\x28"), text("."), Value::Null],
        vec![Value::Null, Value::Null, Value::Null, Value::Null, Value::Null],
    ];
    let rows = (0..5).map(|row| columns.iter().map(|column| column[row].clone()).collect()).collect();
    (table, numbered(rows))
}
