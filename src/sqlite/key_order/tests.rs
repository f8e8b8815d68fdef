//! SQLite itself says how keys compare.

use rusqlite::Connection;

use super::*;
use crate::error::Result;
use crate::sqlite::catalog::read_catalog;
use crate::sqlite::statement::Statement;

const ENCODINGS: [TextEncoding; 3] = [TextEncoding::Utf8, TextEncoding::Utf16Le, TextEncoding::Utf16Be];

/// Texts, numbers, blobs and NULL as SQL, some equal under one collation, some invalid in their encoding.
fn values(encoding: TextEncoding) -> Vec<String> {
    let mut values: Vec<String> = [
        "NULL",
        "0",
        "-1",
        "1",
        "1.0",
        "1.5",
        "9007199254740993",
        "9007199254740992.0",
        "9223372036854775807",
        "9223372036854775808.0",
        "-9223372036854775808",
        "-9223372036854775808.0",
        "-1e300",
        "1e300",
        "-0.5",
        "x''",
        "x'00'",
        "x'41'",
        "''",
        "'a'",
        "'A'",
        "'a '",
        "'a  '",
        "'A '",
        "' '",
        "'b'",
        "'_'",
        "'ä'",
        "'Ä'",
        "'é '",
        "'z'",
        "char(0xffff)",
        "char(0x10000)",
        "char(0xe000)",
        "'a' || char(0) || 'x'",
        "'A' || char(0) || 'y'",
        "'a' || char(0)",
        "char(0)",
        "char(9)",
        "'a' || char(9)",
    ]
    .map(str::to_string)
    .to_vec();
    let raw: &[&str] = match encoding {
        TextEncoding::Utf8 => &["ff", "4180", "6180", "c328", "61ff20"],
        TextEncoding::Utf16Le => &["00d8", "00d84100", "00dc", "410000d8", "610000d8", "00dc2000"],
        TextEncoding::Utf16Be => &["d800", "d8000041", "dc00", "0041d800", "0061d800", "dc000020"],
    };
    values.extend(raw.iter().map(|hex| format!("CAST(x'{hex}' AS TEXT)")));
    values
}

/// SQLite's own answer, for every pair of values, under every collation, up and down.
#[test]
fn keys_compare_as_sqlite_compares_them() -> Result<()> {
    let mut pairs = 0;
    for encoding in ENCODINGS {
        let connection = Connection::open_in_memory().expect("opens");
        connection
            .execute_batch(&format!("PRAGMA encoding='{}'; CREATE TABLE v(a)", encoding.name()))
            .expect("set");
        for value in values(encoding) {
            connection.execute_batch(&format!("INSERT INTO v VALUES ({value})")).expect("inserted");
        }
        for (collation, name) in
            [(Collation::Binary, "BINARY"), (Collation::NoCase, "NOCASE"), (Collation::RTrim, "RTRIM")]
        {
            let term = Term { position: 0, collation, descending: false };
            let sql = format!(
                "SELECT a.a, b.a, CASE WHEN a.a IS b.a COLLATE {name} THEN 0
                   WHEN a.a IS NULL THEN -1 WHEN b.a IS NULL THEN 1
                   WHEN a.a < b.a COLLATE {name} THEN -1 ELSE 1 END FROM v a, v b"
            );
            let mut statement = Statement::prepare(&connection, sql.as_bytes())?;
            while statement.step()? {
                let mut cells = Vec::new();
                statement.read_row(0, encoding, &mut cells)?;
                let [a, b, Cell::Integer(expected)] = cells[..] else { panic!("{cells:?}") };
                let ordering = compare(&KeyCell::of(a, &term, encoding), b, &term, encoding);
                assert_eq!(ordering as i64, expected, "{a:?} {name} {b:?} in {}", encoding.name());
                pairs += 1;
            }
        }
    }
    assert!(pairs > 15_000, "{pairs} pairs were compared");
    Ok(())
}

fn order_of(definition: &str) -> KeyOrder {
    let connection = Connection::open_in_memory().expect("opens");
    connection.execute_batch(definition).expect("created");
    let catalog = read_catalog(&connection).expect("read");
    KeyOrder::of(&catalog.tables[0], TextEncoding::Utf8).expect("its collations are known")
}

#[test]
fn what_another_collation_explains_is_told_from_damage() {
    use Cell::{Integer, Text};
    let definition = "CREATE TABLE t(n, k TEXT COLLATE NOCASE, PRIMARY KEY (k, n DESC)) WITHOUT ROWID";
    let cases: [(&[[Cell<'_>; 2]], Follows); 8] = [
        (&[[Integer(1), Text("a")], [Integer(1), Text("B")]], Follows::Ascending),
        (&[[Integer(2), Text("a")], [Integer(1), Text("A")]], Follows::Ascending),
        (&[[Integer(1), Text("b")], [Integer(1), Text("a")]], Follows::UnderAnother("NOCASE")),
        (&[[Integer(1), Text("A")], [Integer(1), Text("a")]], Follows::UnderAnother("NOCASE")),
        (&[[Integer(1), Text("A")], [Integer(2), Text("a")]], Follows::UnderAnother("NOCASE")),
        (&[[Integer(1), Text("a")], [Integer(2), Text("a")]], Follows::Never),
        (&[[Integer(1), Text("a")], [Integer(1), Text("a")]], Follows::Never),
        (&[[Integer(1), Text("a")], [Integer(1), Integer(7)]], Follows::Never),
    ];
    for (rows, expected) in cases {
        let mut order = order_of(definition);
        assert_eq!(order.push(&rows[0]), Follows::Ascending);
        assert_eq!(order.push(&rows[1]), expected, "{rows:?}");
    }
}

#[test]
fn an_unknown_collation_is_not_judged() {
    let connection = Connection::open_in_memory().expect("opens");
    connection.create_collation("OTHER", str::cmp).expect("made");
    let sql = "CREATE TABLE t(k COLLATE OTHER PRIMARY KEY) WITHOUT ROWID; CREATE TABLE r(a PRIMARY KEY)";
    connection.execute_batch(sql).expect("created");
    let catalog = read_catalog(&connection).expect("read");
    assert!(catalog.tables.iter().all(|table| KeyOrder::of(table, TextEncoding::Utf8).is_none()));
}
