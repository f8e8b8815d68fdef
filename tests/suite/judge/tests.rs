//! A judge that sees nothing would let everything pass: here it must see each of a list of small differences.

use std::fs;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::{differences, same_database, same_table, sql_text};
use crate::fixtures::{
    Fixture, all_cases, build, forty_megabyte_cell, not_keepable_cases, two_thousand_columns,
};

/// Holds a cell of every class and an object of every kind.
const BASE: &str = "
    PRAGMA user_version = 7;
    CREATE TABLE cells (v, note TEXT);
    INSERT INTO cells VALUES (1, 'integer'), ('1', 'text'), (1.0, 'real'), (x'31', 'blob'), ('', 'empty text'),
      (x'', 'empty blob'), (NULL, 'null'), (0.0, 'zero'), (0.1, 'tenth'), ('a', 'letter'), (9007199254740993, 'large');
    CREATE TABLE keyed (k TEXT PRIMARY KEY, v) WITHOUT ROWID;
    INSERT INTO keyed VALUES ('a', 1), ('b', 2);
    CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT, twice AS (v || v) STORED);
    INSERT INTO counted (v) VALUES ('x'), ('y'), ('z');
    CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES counted (id), age INTEGER CHECK (age > 0));
    INSERT INTO child VALUES (1, 1, 5);
    CREATE INDEX cells_by_note ON cells (note);
    CREATE INDEX cells_partial ON cells (note) WHERE v IS NOT NULL;
    CREATE VIEW letters AS SELECT v FROM cells WHERE note = 'letter';
    CREATE TRIGGER told AFTER DELETE ON keyed BEGIN SELECT 1; END;
    CREATE VIRTUAL TABLE notes USING fts5(body, content = '');
    INSERT INTO notes (rowid, body) VALUES (1, 'squat bench'), (2, 'row');
    CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1);
    INSERT INTO boxes VALUES (1, 0, 1), (2, 5, 6);
";

/// What is done to a copy, and a word that the judge's lines must contain.
const SUBTLE: [(&str, &str); 39] = [
    ("UPDATE cells SET v = '1' WHERE note = 'integer'", "original has integer 1, restored has text \"1\""),
    ("UPDATE cells SET v = 1.0 WHERE note = 'integer'", "restored has real 1.0"),
    ("UPDATE cells SET v = 1 WHERE note = 'real'", "restored has integer 1"),
    ("UPDATE cells SET v = x'31' WHERE note = 'text'", "restored has blob x'31'"),
    ("UPDATE cells SET v = '1' WHERE note = 'blob'", "original has blob x'31'"),
    ("UPDATE cells SET v = x'' WHERE note = 'empty text'", "original has text \"\", restored has blob x''"),
    ("UPDATE cells SET v = NULL WHERE note = 'empty text'", "restored has NULL"),
    ("UPDATE cells SET v = '' WHERE note = 'null'", "original has NULL"),
    ("UPDATE cells SET v = x'' WHERE note = 'null'", "restored has blob x''"),
    ("UPDATE cells SET v = -0.0 WHERE note = 'zero'", "restored has real -0.0 (bits 8000000000000000)"),
    ("UPDATE cells SET v = 0 WHERE note = 'zero'", "restored has integer 0"),
    ("UPDATE cells SET v = 0.1 + 1.3877787807814457e-17 WHERE note = 'tenth'", "bits 3fb999999999999b"),
    ("UPDATE cells SET v = 'a ' WHERE note = 'letter'", "restored has text \"a \""),
    ("UPDATE cells SET v = 'a' || char(0) WHERE note = 'letter'", "restored has text x'6100'"),
    ("UPDATE cells SET v = CAST(x'61ff' AS TEXT) WHERE note = 'letter'", "x'61ff'"),
    ("UPDATE cells SET v = 9007199254740992 WHERE note = 'large'", "9007199254740993"),
    ("UPDATE cells SET rowid = 100 WHERE note = 'large'", "by rowid"),
    ("UPDATE cells SET rowid = -1 WHERE note = 'large'", "by rowid"),
    (
        "UPDATE cells SET rowid = 99 WHERE rowid = 1; UPDATE cells SET rowid = 1 WHERE rowid = 2;
         UPDATE cells SET rowid = 2 WHERE rowid = 99",
        "rowid integer 1, column \"v\"",
    ),
    ("DELETE FROM cells WHERE note = 'large'", "no more rows"),
    ("INSERT INTO cells VALUES (NULL, NULL)", "original has no more rows"),
    ("UPDATE keyed SET v = 3 WHERE k = 'b'", "table \"keyed\": row 2, column \"v\""),
    ("UPDATE keyed SET k = 'B' WHERE k = 'b'", "column \"k\""),
    ("UPDATE sqlite_sequence SET seq = 4", "table \"sqlite_sequence\""),
    ("DELETE FROM sqlite_sequence", "table \"sqlite_sequence\""),
    ("PRAGMA user_version = 8", "user_version"),
    ("PRAGMA application_id = 1", "application_id"),
    ("PRAGMA default_cache_size = 77", "default_cache_size"),
    ("PRAGMA journal_mode = WAL", "journal mode"),
    ("PRAGMA page_size = 8192; VACUUM", "page_size"),
    ("PRAGMA auto_vacuum = FULL; VACUUM", "auto_vacuum"),
    ("DROP INDEX cells_by_note", "restored lacks index \"cells_by_note\""),
    ("DROP INDEX cells_partial; DROP VIEW letters", "restored lacks view \"letters\""),
    (
        "DROP TRIGGER told; CREATE TRIGGER told AFTER DELETE ON keyed BEGIN SELECT 1 ; END",
        "trigger \"told\", sql: original has",
    ),
    (
        "DROP VIEW letters; CREATE VIEW letters AS SELECT v FROM cells  WHERE note = 'letter'",
        "view \"letters\", sql",
    ),
    ("ALTER TABLE cells ADD COLUMN later", "has columns"),
    ("INSERT INTO notes (rowid, body) VALUES (3, 'press')", "vocabulary"),
    ("DELETE FROM boxes WHERE id = 2", "virtual table \"boxes\""),
    ("ANALYZE", "original lacks table \"sqlite_stat1\""),
];

fn base() -> Fixture {
    let fixture = Fixture::new("base");
    fixture.execute(BASE);
    fixture
}

#[test]
fn a_copy_is_the_same_database() {
    let original = base();
    same_database(&original.path, &original.duplicate().path);
}

#[test]
fn pages_that_moved_are_no_difference() {
    let mut cases = all_cases();
    cases.retain(|case| !case.starts_with("rows_") && !case.starts_with("late_"));
    for case in cases {
        let original = build(&case);
        let moved = original.duplicate();
        let connection = moved.open();
        // Not every case lets its indexes be rebuilt; its pages move all the same.
        drop(connection.execute_batch("REINDEX"));
        connection
            .execute_batch(
                "CREATE TABLE filler (v); INSERT INTO filler VALUES (zeroblob(300000)); DROP TABLE filler",
            )
            .unwrap_or_else(|error| panic!("{case}: {error}"));
        drop(connection);
        same_database(&original.path, &moved.path);
    }
}

#[test]
fn each_subtle_difference_is_seen_and_named() {
    let original = base();
    for (change, expected) in SUBTLE {
        let changed = original.duplicate();
        changed.execute(change);
        expect_finding(&original, &changed, change, expected);
    }
}

fn expect_finding(original: &Fixture, changed: &Fixture, change: &str, expected: &str) {
    let lines = differences(&original.path, &changed.path);
    assert!(lines.iter().any(|line| line.contains(expected)), "{change}: {expected:?} is not in {lines:#?}");
}

/// Edits `sqlite_schema` of a copy.
fn edited(original: &Fixture, edit: &str) -> Fixture {
    let changed = original.duplicate();
    changed.execute(&format!("PRAGMA writable_schema = ON; {edit}; PRAGMA writable_schema = RESET;"));
    changed
}

#[test]
fn a_blank_in_a_definition_is_seen() {
    let original = base();
    let edit = "UPDATE sqlite_schema SET sql = replace(sql, '(v, note', '(v,  note') WHERE name = 'cells'";
    expect_finding(&original, &edited(&original, edit), edit, "sqlite_schema: table \"cells\", sql");
}

#[test]
fn the_order_of_the_schema_is_seen() {
    let original = base();
    let edit = "UPDATE sqlite_schema SET rowid = 1000 WHERE name = 'letters'";
    expect_finding(
        &original,
        &edited(&original, edit),
        edit,
        "sqlite_schema: order: original has view \"letters\"",
    );
}

#[test]
fn a_definition_that_is_null_rather_than_empty_is_seen() {
    let original = base();
    original.execute("CREATE TABLE u (a UNIQUE)");
    let lines = {
        let edit = "UPDATE sqlite_schema SET sql = '' WHERE name = 'sqlite_autoindex_u_1'";
        differences(&original.path, &edited(&original, edit).path)
    };
    assert!(
        lines.iter().any(|line| line.contains("sql: original has NULL, restored has text \"\"")),
        "{lines:#?}"
    );
}

/// Puts an index with a condition where one without was, so that entries are missing.
fn with_missing_entries(index: &str, condition: &str) -> Fixture {
    let changed = base();
    let full: String = Connection::open(&changed.path)
        .and_then(|connection| {
            connection.query_row("SELECT sql FROM sqlite_schema WHERE name = ?1", [index], |row| row.get(0))
        })
        .expect("the index exists");
    let rowid = format!("(SELECT rowid FROM sqlite_schema WHERE name = '{index}')");
    // The new index takes the freed place in sqlite_schema, so that only its entries give it away.
    let word = if full.contains(" WHERE ") { " AND " } else { " WHERE " };
    let swap = format!(
        "PRAGMA writable_schema = ON;
         CREATE TABLE judge_place AS SELECT rowid AS place FROM sqlite_schema WHERE rowid = {rowid};
         DROP INDEX {index}; {full}{word}{condition};
         UPDATE sqlite_schema SET rowid = (SELECT place FROM judge_place), sql = '{full}' WHERE name = '{index}';
         DROP TABLE judge_place;
         PRAGMA writable_schema = RESET;"
    );
    changed.execute(&swap);
    changed
}

#[test]
fn an_index_with_missing_entries_is_seen() {
    let original = base();
    for index in ["cells_by_note", "cells_partial"] {
        let changed = with_missing_entries(index, "note <> 'letter'");
        expect_finding(&original, &changed, index, "does not find the rows that a scan of its table finds");
        expect_finding(&original, &changed, index, "integrity_check: only in the restored database: row");
    }
}

#[test]
fn one_bit_of_a_real_is_seen_even_in_a_column_of_reals() {
    let original = Fixture::new("original");
    original.execute("CREATE TABLE t (x REAL); INSERT INTO t VALUES (0.3)");
    let changed = original.duplicate();
    changed.execute("UPDATE t SET x = 0.1 + 0.2");
    expect_finding(&original, &changed, "one bit", "bits 3fd3333333333334");
}

#[test]
fn a_stored_column_that_was_computed_anew_is_seen() {
    let original = build("generated_stored_stale");
    let changed = original.duplicate();
    changed.execute("UPDATE t SET a = a");
    expect_finding(&original, &changed, "computed anew", "column \"derived\"");
}

#[test]
fn a_rowid_that_no_sql_can_name_is_seen() {
    let original = build("rowid_names_shadowed_all");
    let changed = original.duplicate();
    // Back to free names, one rowid changed, and the definition put back.
    changed.execute(
        "PRAGMA writable_schema = ON;
         CREATE TABLE judge_text AS SELECT sql AS text FROM sqlite_schema WHERE name = 'hidden';
         UPDATE sqlite_schema SET sql = 'CREATE TABLE hidden (a TEXT, b INTEGER, c, v)' WHERE name = 'hidden';
         PRAGMA writable_schema = RESET;
         UPDATE hidden SET rowid = 8 WHERE rowid = 7;
         PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = (SELECT text FROM judge_text) WHERE name = 'hidden';
         DROP TABLE judge_text;
         PRAGMA writable_schema = RESET;",
    );
    expect_finding(&original, &changed, "hidden rowid", "hidden rowids: original has Ok([-5, 7,");
}

#[test]
fn a_row_that_breaks_a_foreign_key_or_a_check_is_a_finding_of_its_own() {
    let original = base();
    let changed = original.duplicate();
    changed.execute("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; INSERT INTO child VALUES (2, 99, -1)");
    expect_finding(
        &original,
        &changed,
        "orphan",
        "foreign_key_check of \"child\": only in the restored database",
    );
    expect_finding(
        &original,
        &changed,
        "check",
        "integrity_check: only in the restored database: CHECK constraint",
    );
    // The other way round it is the restored one that has fewer findings: allowed for checks, not for rows.
    let lines = differences(&changed.path, &original.path);
    assert!(lines.iter().all(|line| line.starts_with("table \"child\"")) && !lines.is_empty(), "{lines:#?}");
}

#[test]
fn the_encoding_is_seen() {
    let [utf8, utf16] = ["UTF-8", "UTF-16le"].map(|encoding| {
        let fixture = Fixture::new(encoding);
        fixture.execute(&format!(
            "PRAGMA encoding = '{encoding}'; CREATE TABLE t (v); INSERT INTO t VALUES ('a')"
        ));
        fixture
    });
    expect_finding(&utf8, &utf16, "encoding", "encoding: original has");
}

#[test]
fn a_lone_surrogate_that_was_replaced_is_seen() {
    let original = build("utf16le_lone_surrogate");
    let changed = original.duplicate();
    changed.execute("UPDATE units SET body = CAST(x'fdff' AS TEXT) WHERE id = 1");
    expect_finding(&original, &changed, "surrogate", "original has text x'00d8', restored has text x'fdff'");
}

#[test]
fn a_leftover_wal_counts_as_content() {
    let original = build("wal_mode");
    let writer = original.open();
    writer.execute_batch("INSERT INTO t VALUES (42)").expect("the table takes a row");
    let copy = original.duplicate();
    // The copy lacks the WAL in which the row lies.
    expect_finding(&original, &copy, "WAL", "restored has no more rows");
    let wal = original.path.with_file_name("wal_mode.db-wal");
    fs::copy(wal, copy.path.with_file_name("wal_mode.db-wal")).expect("the WAL can be copied");
    same_database(&original.path, &copy.path);
}

#[test]
fn the_judge_leaves_what_it_judges_alone() {
    let fixture = build("wal_mode");
    let before = fs::read(&fixture.path).expect("the database can be read");
    same_database(&fixture.path, &fixture.path);
    assert_eq!(fs::read(&fixture.path).expect("the database can be read"), before);
    assert_eq!(fs::read_dir(fixture.folder()).expect("the folder can be listed").count(), 1);
}

#[test]
fn a_cell_of_the_last_of_2000_columns_and_the_last_byte_of_40_megabytes_are_seen() {
    let wide = two_thousand_columns();
    let changed = wide.duplicate();
    changed.execute("UPDATE wide SET c1998 = x'ff' WHERE rowid = 3");
    expect_finding(&wide, &changed, "last columns", "table \"wide\": rowid integer 3, column \"c1998\"");
    let large = forty_megabyte_cell();
    let changed = large.duplicate();
    changed
        .execute("UPDATE cells SET bytes = CAST(substr(bytes, 1, 39999999) || x'00' AS BLOB) WHERE id = 3");
    expect_finding(&large, &changed, "last byte", "first different at byte 39999999");
}

#[test]
fn a_conditions_text_is_found_past_quotes_and_comments() {
    let condition = |sql| sql_text::index_condition(sql).map(str::trim);
    assert_eq!(condition("CREATE INDEX i ON t (a)"), None);
    assert_eq!(condition("CREATE INDEX i ON t (a) WHERE b > 0"), Some("b > 0"));
    assert_eq!(condition("CREATE INDEX \"where (\" ON [a where b](\"c \"\" where\") where x"), Some("x"));
    assert_eq!(
        condition("CREATE INDEX i ON t (iif(a, ')', '(') /* ) where */) -- where\n WhErE(x)"),
        Some("(x)")
    );
    assert_eq!(condition("CREATE INDEX i ON \"where\" (\"where\", 'it''s where')"), None);
}

#[test]
fn a_module_is_found_past_a_name_that_looks_like_one() {
    let module = |sql| sql_text::module(sql);
    assert_eq!(module("CREATE VIRTUAL TABLE \"x using y\" USING FTS5(a, b)").as_deref(), Some("fts5"));
    assert_eq!(module("CREATE VIRTUAL TABLE t using/* fts4 */rtree(a, b, c)").as_deref(), Some("rtree"));
    assert_eq!(module("CREATE TABLE t (a)"), None);
}

#[test]
fn one_table_is_judged_alone() {
    let original = base();
    let changed = original.duplicate();
    changed.execute("UPDATE keyed SET v = 9; PRAGMA user_version = 1; DROP VIEW letters");
    same_table(&original.path, &changed.path, "cells");
    let seen = std::panic::catch_unwind(|| same_table(&original.path, &changed.path, "keyed"));
    assert!(seen.is_err(), "the other table differs");
}

#[test]
fn a_deleted_row_is_seen_in_every_table_of_every_case() {
    let mut cases_changed = 0;
    let mut cases = all_cases();
    cases.extend(not_keepable_cases());
    // Not the largest: what they have over others is their size.
    cases.retain(|case| !case.starts_with("rows_") && !case.starts_with("late_"));
    for case in cases {
        let original = build(&case);
        let tables = table_names(&original);
        for table in &tables {
            let changed = original.duplicate();
            if delete_one_row(&changed, table) {
                assert!(
                    !differences(&original.path, &changed.path).is_empty(),
                    "{case}: a row of {table:?} is gone"
                );
                cases_changed += 1;
            }
        }
    }
    assert!(cases_changed > 150, "only {cases_changed} tables let a row be deleted");
}

fn table_names(fixture: &Fixture) -> Vec<String> {
    let connection = fixture.open();
    let mut statement = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage <> 0")
        .expect("sqlite_schema can be read");
    let names = statement.query_map([], |row| row.get(0)).expect("sqlite_schema can be read");
    names.collect::<Result<_, _>>().expect("names are text")
}

/// Deletes the first row, past triggers and foreign keys; false where SQLite cannot, as with unknown functions.
fn delete_one_row(fixture: &Fixture, table: &str) -> bool {
    let connection = fixture.open();
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)
        .expect("triggers can be switched off");
    connection.pragma_update(None, "foreign_keys", false).expect("foreign keys can be switched off");
    let table = format!("\"{}\"", table.replace('"', "\"\""));
    let key: Option<String> = connection
        .query_row(&format!("SELECT name FROM pragma_table_info({table}) WHERE pk = 1"), [], |row| row.get(0))
        .ok()
        .map(|name: String| format!("\"{}\"", name.replace('"', "\"\"")));
    // A column that shadows the name serves as well: any row will do.
    ["rowid".to_owned()].into_iter().chain(key).any(|column| {
        let sql = format!("DELETE FROM {table} WHERE {column} IS (SELECT {column} FROM {table} LIMIT 1)");
        connection.execute(&sql, []).is_ok_and(|deleted| deleted > 0)
    })
}
