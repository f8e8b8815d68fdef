use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::schema::{Affinity, Column, Generated, Identifier, IndexColumn, IndexedValue, OrderReason};

fn table(column_count: usize) -> Table {
    let column = |index: usize| Column {
        name: Identifier::from(format!("c{index}").as_str()),
        declared_type: Identifier::from(""),
        affinity: Affinity::Blob,
        generated: Generated::No,
    };
    Table {
        name: Identifier::from("t"),
        strict: false,
        columns: (0..column_count).map(column).collect(),
        rowid_alias: None,
        without_rowid_key: vec![],
        indexes: vec![],
    }
}

fn order(terms: &[(Option<usize>, bool)]) -> TotalOrder {
    let terms = terms.iter().map(|&(column, descending)| OrderTerm { column, descending }).collect();
    TotalOrder { terms, reason: OrderReason::Requested }
}

fn key_of(key: &OrderKey, rowid: i64, cells: &[Cell<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    key.encode(Some(rowid), cells, &mut bytes);
    bytes
}

#[derive(Debug, Clone)]
enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    RawText(Vec<u8>),
    Blob(Vec<u8>),
}

impl Value {
    fn cell(&self) -> Cell<'_> {
        match self {
            Self::Null => Cell::Null,
            Self::Integer(value) => Cell::Integer(*value),
            Self::Real(value) => Cell::Real(*value),
            Self::Text(text) => Cell::Text(text),
            Self::RawText(bytes) => Cell::RawText(bytes),
            Self::Blob(bytes) => Cell::Blob(bytes),
        }
    }

    fn class_rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Integer(_) | Self::Real(_) => 1,
            Self::Text(_) => 2,
            Self::RawText(_) => 3,
            Self::Blob(_) => 4,
        }
    }
}

/// The order as DESIGN states it, by way of exact arithmetic and nothing of the encoding.
fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
        (Value::Real(a), Value::Real(b)) => a.partial_cmp(b).expect("no NaN"),
        (Value::Integer(a), Value::Real(b)) => compare_exactly(*a, *b),
        (Value::Real(a), Value::Integer(b)) => compare_exactly(*b, *a).reverse(),
        (Value::Text(a), Value::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Value::RawText(a), Value::RawText(b)) | (Value::Blob(a), Value::Blob(b)) => a.cmp(b),
        _ => a.class_rank().cmp(&b.class_rank()),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "reals are cut off at 2^70 before")]
fn compare_exactly(integer: i64, real: f64) -> Ordering {
    let edge = 2_f64.powi(70);
    if real >= edge {
        return Ordering::Less;
    }
    if real <= -edge {
        return Ordering::Greater;
    }
    let below = real.floor();
    let fraction = if real > below { Ordering::Less } else { Ordering::Equal };
    i128::from(integer).cmp(&(below as i128)).then(fraction)
}

fn any_integer() -> impl Strategy<Value = i64> {
    let near = |center: i64| (-3_i64..=3).prop_map(move |step| center.saturating_add(step));
    prop_oneof![
        any::<i64>(),
        -3_i64..=3,
        near(1 << 53),
        near(-(1 << 53)),
        near(1 << 62),
        near(i64::MAX),
        near(i64::MIN),
        near(i64::MAX - 512),
        near(i64::MIN + 512),
        (0_u32..63).prop_map(|shift| 1 << shift),
    ]
}

fn any_real() -> impl Strategy<Value = f64> {
    let edges = [0.0, -0.0, 0.5, -0.5, f64::MIN_POSITIVE, 5e-324, -5e-324, 1e300, -1e300];
    let limits = [f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN];
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits).prop_filter("NaN is no cell", |real| !real.is_nan()),
        prop::sample::select([edges.as_slice(), limits.as_slice()].concat()),
        any_integer().prop_map(|integer| split_integer(integer).0),
        any_integer().prop_map(|integer| split_integer(integer).0.next_up()),
        any_integer().prop_map(|integer| split_integer(integer).0.next_down()),
    ]
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(prop::sample::select(vec![0_u8, 1, b'a', 0xfe, 0xff]), 0..6)
}

fn any_text() -> impl Strategy<Value = String> {
    vec(prop::sample::select(vec!['\0', '\u{1}', 'a', 'b', 'ä', '\u{ffff}', '😀']), 0..6)
        .prop_map(String::from_iter)
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any_integer().prop_map(Value::Integer),
        any_real().prop_map(Value::Real),
        any_text().prop_map(Value::Text),
        any_bytes().prop_map(Value::RawText),
        any_bytes().prop_map(Value::Blob),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn numbers_compare_by_exact_value(a in any_integer(), b in any_real(), c in any_integer(), d in any_real()) {
        let key = OrderKey::new(&order(&[(Some(0), false)]), &table(1)).expect("a column of the table");
        let values = [Value::Integer(a), Value::Real(b), Value::Integer(c), Value::Real(d)];
        for (left, right) in values.iter().flat_map(|left| values.iter().map(move |right| (left, right))) {
            let keys = [left, right].map(|value| key_of(&key, 0, &[value.cell()]));
            prop_assert_eq!(keys[0].cmp(&keys[1]), compare(left, right), "{:?} {:?}", left, right);
        }
    }

    #[test]
    fn keys_compare_like_rows_term_by_term(
        left in vec(any_value(), 3),
        right in vec(any_value(), 3),
        shared in 0_usize..=3,
        rowids in (any_integer(), any_integer()),
        descending in any::<[bool; 4]>(),
    ) {
        let mut right = right;
        right[..shared].clone_from_slice(&left[..shared]);
        let columns = [Some(2), Some(0), Some(1), None];
        let terms: Vec<_> = columns.into_iter().zip(descending).collect();
        let expected = terms.iter().fold(Ordering::Equal, |so_far, &(column, descending)| {
            let ordering = match column {
                Some(column) => compare(&left[column], &right[column]),
                None => rowids.0.cmp(&rowids.1),
            };
            so_far.then(if descending { ordering.reverse() } else { ordering })
        });
        let key = OrderKey::new(&order(&terms), &table(3)).expect("terms of the table");
        let encode = |rowid, values: &[Value]| {
            key_of(&key, rowid, &values.iter().map(Value::cell).collect::<Vec<_>>())
        };
        prop_assert_eq!(encode(rowids.0, &left).cmp(&encode(rowids.1, &right)), expected);
    }

    #[test]
    fn the_last_term_compares_right_whether_it_falls_or_rises(
        left in vec(any_value(), 2),
        right in vec(any_value(), 2),
        descending in any::<[bool; 2]>(),
    ) {
        let terms = [(Some(1), descending[0]), (Some(0), descending[1])];
        let expected = terms.iter().fold(Ordering::Equal, |so_far, &(column, descending)| {
            let column = column.expect("no rowid here");
            let ordering = compare(&left[column], &right[column]);
            so_far.then(if descending { ordering.reverse() } else { ordering })
        });
        let key = OrderKey::new(&order(&terms), &table(2)).expect("columns of the table");
        let encode = |values: &[Value]| key_of(&key, 0, &values.iter().map(Value::cell).collect::<Vec<_>>());
        prop_assert_eq!(encode(&left).cmp(&encode(&right)), expected);
    }
}

#[test]
fn the_known_corners_of_numbers_come_in_this_order() {
    let two53 = 1_i64 << 53;
    let rising = [
        Cell::Real(f64::NEG_INFINITY),
        Cell::Real(-9.3e18),
        Cell::Integer(i64::MIN),
        Cell::Integer(i64::MIN + 1),
        Cell::Integer(-1),
        Cell::Real(-5e-324),
        Cell::Real(-0.0),
        Cell::Real(5e-324),
        Cell::Integer(1),
        Cell::Real(9_007_199_254_740_991.0),
        Cell::Integer(two53),
        Cell::Integer(two53 + 1),
        Cell::Real(9_007_199_254_740_994.0),
        Cell::Integer(two53 + 3),
        Cell::Integer(i64::MAX - 1),
        Cell::Integer(i64::MAX),
        Cell::Real(9_223_372_036_854_775_808.0),
        Cell::Real(f64::INFINITY),
        Cell::Text(""),
        Cell::RawText(b""),
        Cell::Blob(b""),
    ];
    let key = OrderKey::new(&order(&[(Some(0), false)]), &table(1)).expect("a column of the table");
    let mut check = InOrderCheck::new();
    for cell in rising {
        assert!(check.push(&key_of(&key, 0, &[cell])), "{cell:?}");
    }
    for (a, b) in [
        (Cell::Real(-0.0), Cell::Real(0.0)),
        (Cell::Integer(0), Cell::Real(-0.0)),
        (Cell::Integer(two53), Cell::Real(9_007_199_254_740_992.0)),
        (Cell::Integer(i64::MIN), Cell::Real(-9_223_372_036_854_775_808.0)),
    ] {
        assert_eq!(key_of(&key, 0, &[a]), key_of(&key, 0, &[b]), "{a:?} {b:?}");
    }
}

#[test]
fn nulls_come_last_where_the_term_is_descending() {
    let key =
        OrderKey::new(&order(&[(Some(0), true), (None, false)]), &table(1)).expect("terms of the table");
    let mut check = InOrderCheck::new();
    for (cell, rowid) in [(Cell::Blob(b"b"), 9), (Cell::Text("b"), 8), (Cell::Text("a"), 7), (Cell::Null, 1)]
    {
        assert!(check.push(&key_of(&key, rowid, &[cell])));
    }
    assert!(check.push(&key_of(&key, 2, &[Cell::Null])));
}

#[test]
fn order_by_rowid_alone_needs_no_keys() {
    let mut table = table(2);
    let is_rowid = |table: &Table, terms: &[_]| {
        OrderKey::new(&order(terms), table).expect("terms of the table").is_rowid_ascending()
    };
    assert!(is_rowid(&table, &[(None, false)]));
    assert!(is_rowid(&table, &[(None, false), (Some(1), true)]));
    assert!(!is_rowid(&table, &[(None, true)]));
    assert!(!is_rowid(&table, &[(Some(0), false), (None, false)]));
    table.rowid_alias = Some(0);
    assert!(is_rowid(&table, &[(Some(0), false)]));
}

#[test]
fn virtual_columns_are_stepped_over_and_cannot_order() {
    let mut table = table(3);
    table.columns[0].generated = Generated::Virtual;
    let key = OrderKey::new(&order(&[(Some(2), false)]), &table).expect("a stored column");
    assert_eq!(key_of(&key, 0, &[Cell::Null, Cell::Text("x")]), [TEXT, b'x']);
    assert!(OrderKey::new(&order(&[(Some(0), false)]), &table).is_err());
    assert!(OrderKey::new(&order(&[(Some(3), false)]), &table).is_err());
    assert!(OrderKey::new(&order(&[]), &table).is_err());
}

#[test]
fn a_table_without_rowids_cannot_be_ordered_by_them() {
    let mut table = table(1);
    table.without_rowid_key = vec![IndexColumn {
        value: IndexedValue::Column(0),
        collation: Identifier::from("BINARY"),
        descending: false,
        is_key: true,
    }];
    assert!(OrderKey::new(&order(&[(None, false)]), &table).is_err());
    let key = OrderKey::new(&order(&[(Some(0), false)]), &table).expect("its key");
    let mut bytes = Vec::new();
    key.encode(None, &[Cell::Integer(1)], &mut bytes);
    assert_eq!(bytes.len(), 11);
}

#[test]
fn equal_and_falling_keys_are_out_of_order_for_good() {
    let mut check = InOrderCheck::new();
    assert!(check.is_in_order());
    assert!(check.push(b"a") && check.push(b"ab"));
    assert!(!check.push(b"ab"));
    assert!(!check.push(b"b") && !check.is_in_order());
}
