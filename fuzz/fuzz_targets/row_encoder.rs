//! Rows of any shape and values: what the encoder makes of them decodes to the same rows, and keys sort as cells do.

#![no_main]

use std::cmp::Ordering;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use parklite::digest::RowHasher;
use parklite::frame::crossing::{to_arrow, to_polars};
use parklite::frame::mapping::{ClassCounts, plan_mapping};
use parklite::frame::order::OrderKey;
use parklite::frame::{FrameBuilder, digest_batch};
use parklite::schema::{
    Affinity, Cell, Column, Generated, Identifier, OrderReason, OrderTerm, Table, TotalOrder,
};

#[derive(Debug, Arbitrary)]
enum Value {
    Null,
    Integer(i64),
    SmallInteger(i8),
    Real(u64),
    Text(String),
    RawText(Vec<u8>),
    Blob(Vec<u8>),
}

#[derive(Debug, Arbitrary)]
struct Input {
    columns: Vec<(String, u8)>,
    rows: Vec<(i64, Vec<Value>)>,
    descending: bool,
}

impl Value {
    fn cell(&self) -> Cell<'_> {
        match self {
            Self::Integer(value) => Cell::Integer(*value),
            Self::SmallInteger(value) => Cell::Integer(i64::from(*value)),
            // SQLite stores NaN as NULL.
            Self::Real(bits) if !f64::from_bits(*bits).is_nan() => Cell::Real(f64::from_bits(*bits)),
            Self::Text(text) => Cell::Text(text),
            Self::RawText(bytes) if std::str::from_utf8(bytes).is_err() => Cell::RawText(bytes),
            Self::Blob(bytes) => Cell::Blob(bytes),
            Self::Null | Self::Real(_) | Self::RawText(_) => Cell::Null,
        }
    }
}

/// How two cells of an ascending term compare, written down a second time.
fn compare(one: Cell<'_>, two: Cell<'_>) -> Ordering {
    let rank = |cell: Cell<'_>| match cell {
        Cell::Null => 0,
        Cell::Integer(_) | Cell::Real(_) => 1,
        Cell::Text(_) => 2,
        Cell::RawText(_) => 3,
        Cell::Blob(_) => 4,
    };
    match (one, two) {
        (Cell::Integer(one), Cell::Integer(two)) => one.cmp(&two),
        (Cell::Real(one), Cell::Real(two)) => one.partial_cmp(&two).expect("no NaN"),
        (Cell::Integer(one), Cell::Real(two)) => compare_exactly(one, two),
        (Cell::Real(one), Cell::Integer(two)) => compare_exactly(two, one).reverse(),
        (Cell::Text(one), Cell::Text(two)) => one.as_bytes().cmp(two.as_bytes()),
        (Cell::RawText(one), Cell::RawText(two)) | (Cell::Blob(one), Cell::Blob(two)) => one.cmp(two),
        _ => rank(one).cmp(&rank(two)),
    }
}

fn compare_exactly(integer: i64, real: f64) -> Ordering {
    const BEYOND: f64 = 9.3e18;
    if real.abs() > BEYOND {
        return if real > 0.0 { Ordering::Less } else { Ordering::Greater };
    }
    let whole = real.trunc();
    let fraction = real - whole;
    let rest = 0.0_f64.partial_cmp(&fraction).expect("no NaN");
    #[expect(clippy::cast_possible_truncation, reason = "a whole double below 9.3e18 fits into i128")]
    let whole = whole as i128;
    i128::from(integer).cmp(&whole).then(rest)
}

fuzz_target!(|input: Input| {
    const DECLARED: [&str; 7] = ["", "INTEGER", "TEXT", "BLOB", "REAL", "DECIMAL(10,2)", "NUMERIC"];
    if input.columns.is_empty() {
        return;
    }
    let column = |(name, kind): &(String, u8)| {
        let declared = DECLARED[usize::from(*kind) % DECLARED.len()];
        Column {
            name: Identifier::from_bytes(name.as_bytes()),
            declared_type: Identifier::from_bytes(declared.as_bytes()),
            affinity: Affinity::of_declared_type(declared.as_bytes(), false),
            generated: Generated::No,
        }
    };
    let mut names = std::collections::HashSet::new();
    let distinct = input.columns.iter().filter(|(name, _)| names.insert(name.to_ascii_lowercase()));
    let table = Table {
        name: Identifier::from_bytes(b"t".to_vec()),
        strict: false,
        columns: distinct.map(column).collect(),
        rowid_alias: None,
        without_rowid_key: Vec::new(),
        indexes: Vec::new(),
    };
    let width = table.columns.len();
    let rows: Vec<(i64, Vec<Cell<'_>>)> = input
        .rows
        .iter()
        .map(|(rowid, values)| {
            let cells = values.iter().map(Value::cell).chain(std::iter::repeat(Cell::Null));
            (*rowid, cells.take(width).collect())
        })
        .collect();
    let mut counts = vec![ClassCounts::default(); width];
    for (_, cells) in &rows {
        cells.iter().zip(&mut counts).for_each(|(cell, counts)| counts.count(cell.class()));
    }
    let mapping = plan_mapping(&table, &counts);
    let mut builder = FrameBuilder::new(&mapping, false);
    let mut hasher = RowHasher::default();
    for (rowid, cells) in &rows {
        assert!(builder.push_row(Some(*rowid), cells), "a row does not fit the mapping made for it");
        hasher.add_row(Some(*rowid), cells);
    }
    let expected = hasher.take();
    let batch = builder.finish().expect("a frame");
    assert_eq!(digest_batch(&table, &mapping, &batch).expect("decodes"), expected);
    let schema = batch.schema();
    let crossed = to_arrow(to_polars(&batch).expect("crosses"), &schema).expect("comes back");
    assert_eq!(digest_batch(&table, &mapping, &crossed).expect("decodes"), expected);

    let order = TotalOrder {
        terms: vec![
            OrderTerm { column: Some(0), descending: input.descending },
            OrderTerm { column: None, descending: false },
        ],
        reason: OrderReason::Requested,
    };
    let key = OrderKey::new(&order, &table).expect("an order");
    for pair in rows.windows(2) {
        let [one, two] = pair else { continue };
        let (mut first, mut second) = (Vec::new(), Vec::new());
        key.encode(Some(one.0), &one.1, &mut first);
        key.encode(Some(two.0), &two.1, &mut second);
        let cells = compare(one.1[0], two.1[0]);
        let cells = if input.descending { cells.reverse() } else { cells };
        assert_eq!(first.cmp(&second), cells.then(one.0.cmp(&two.0)));
    }
});
