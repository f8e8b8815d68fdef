//! Databases that are no recipe: large ones, and other people's.

use std::collections::BTreeMap;

use parklite::export::export;
use parklite::sqlite::open::OpenOptions;

use super::{describe, export_options, export_to, restore_from, round_trip, with_run};
use crate::fixtures::{self, Fixture};
use crate::judge;

#[test]
fn two_thousand_columns_come_back() {
    round_trip(&fixtures::two_thousand_columns());
}

#[test]
fn cells_of_forty_megabytes_come_back() {
    round_trip(&fixtures::forty_megabyte_cell());
}

#[test]
fn the_gym_log_comes_back() {
    round_trip(&fixtures::gymlog());
}

#[test]
fn other_peoples_databases_come_back() {
    for fixture in fixtures::real_databases() {
        round_trip(&fixture);
    }
}

#[test]
fn a_file_of_an_old_format_in_which_desc_counts_for_nothing_comes_back() {
    let fixture = Fixture::new("legacy_format");
    let connection = fixture.open();
    connection
        .set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_LEGACY_FILE_FORMAT, true)
        .expect("the old format is available");
    connection
        .execute_batch(
            "CREATE TABLE t(a, b); CREATE INDEX i ON t(a DESC, b);
             CREATE TABLE w(a, b, PRIMARY KEY (a DESC)) WITHOUT ROWID;
             INSERT INTO t VALUES (1, 2), (3, 4), (2, 5); INSERT INTO w SELECT a, b FROM t;",
        )
        .expect("creates");
    drop(connection);
    let header = std::fs::read(&fixture.path).expect("reads");
    assert!(header[47] < 4, "the file has schema format {}", header[47]);
    round_trip(&fixture);
}

#[test]
fn a_violated_unique_index_comes_back_beside_free_pages() {
    let fixture = Fixture::new("violated");
    let columns: Vec<String> = (0..900).map(|column| format!("c{column}")).collect();
    fixture.execute(&format!(
        "CREATE TABLE wide({columns}); CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
         INSERT INTO t(a) SELECT printf('key%010d-%s', i, hex(randomblob(60))) FROM n;
         CREATE INDEX u ON t(lower(a)) WHERE a IS NOT NULL;
         INSERT INTO t(a) SELECT a FROM t WHERE id = 59999;
         PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = replace(sql, 'CREATE INDEX', 'CREATE UNIQUE INDEX') WHERE name = 'u';",
        columns = columns.join(",")
    ));
    round_trip(&fixture);
}

#[test]
fn a_text_that_sqlite_cannot_store_again_is_named_and_nothing_is_published() {
    let fixture = Fixture::new("half_a_unit");
    fixture.execute(
        "PRAGMA encoding = 'UTF-16le'; CREATE TABLE t(a); INSERT INTO t VALUES (CAST('ABCDEFGHIJK' AS BLOB));
                     UPDATE t SET a = x'4142434445464748494a4b';",
    );
    let mut bytes = std::fs::read(&fixture.path).expect("reads");
    let value = bytes.windows(11).rposition(|window| window == b"ABCDEFGHIJK").expect("the value is there");
    // The serial type before the value: 34 is a BLOB of 11 bytes, 35 a TEXT of as many.
    assert_eq!(bytes[value - 1], 34);
    bytes[value - 1] = 35;
    std::fs::write(&fixture.path, bytes).expect("writes");
    let output = fixture.folder().join("snapshot");
    let error = with_run(|run| export(&fixture.path, &export_options(&output), run)).expect_err("refuses");
    assert!(error.to_string().contains("odd number of bytes"), "{error}");
    assert_eq!(error.place().table.as_deref(), Some("t"));
    assert!(!output.exists());
}

#[test]
fn a_restored_database_makes_an_equal_snapshot() {
    let fixture = fixtures::gymlog();
    let (snapshot, first) = export_to(&fixture, "snapshot");
    let (restored, _) = restore_from(&fixture, &snapshot, "restored.db");
    let second = with_run(|run| export(&restored, &export_options(&fixture.folder().join("again")), run));
    let second = second.unwrap_or_else(|error| panic!("{}", describe(&error)));
    let digests = |report: &parklite::export::ExportReport| -> BTreeMap<String, String> {
        report.tables.iter().map(|table| (table.name.clone(), table.digest.clone())).collect()
    };
    assert_eq!(digests(&first), digests(&second));
    let files = |folder: &str| -> BTreeMap<String, Vec<u8>> {
        let folder = std::fs::read_dir(fixture.folder().join(folder)).expect("a snapshot");
        let files = folder.map(|file| file.expect("a file").path());
        let parquet = files.filter(|path| path.extension().is_some_and(|extension| extension == "parquet"));
        parquet
            .map(|path| {
                (
                    path.file_name().expect("named").to_string_lossy().into(),
                    std::fs::read(path).expect("reads"),
                )
            })
            .collect()
    };
    assert_eq!(files("snapshot"), files("again"), "equal rows with equal settings give equal bytes");
}

#[test]
fn threads_and_memory_never_change_a_byte() {
    let fixture = shuffled();
    let mut files = Vec::new();
    for (name, threads, memory) in [("one", 1, 512 << 20), ("four", 4, 512 << 20), ("small", 2, 16 << 20)] {
        let folder = fixture.folder().join(name);
        let options = parklite::export::ExportOptions {
            threads,
            memory_limit_bytes: memory,
            ..export_options(&folder)
        };
        with_run(|run| export(&fixture.path, &options, run))
            .unwrap_or_else(|error| panic!("{}", describe(&error)));
        files.push(std::fs::read(folder.join("events.parquet")).expect("reads"));
    }
    assert!(files[0] == files[1], "threads change bytes");
    assert!(files[0] == files[2], "sorting on disk changes bytes");
}

/// Forty megabytes of rows in no order.
fn shuffled() -> Fixture {
    let fixture = Fixture::new("shuffled");
    fixture.execute(
        "CREATE TABLE events(id INTEGER PRIMARY KEY, _created_at TEXT, payload TEXT);
         WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
         INSERT INTO events
         SELECT i, printf('2026-01-%02dT00:00:%02dZ', (i * 7919) % 28 + 1, (i * 104729) % 60),
                printf('%s %0150d', hex(i * 2654435761), i) FROM n;",
    );
    fixture
}

#[test]
fn a_copy_made_first_gives_the_same_snapshot() {
    for case in ["wal_mode", "utf16be_text", "header_pragmas"] {
        let fixture = fixtures::build(case);
        let options = parklite::export::ExportOptions {
            copy_first: true,
            open: OpenOptions { allow_empty: true, ..OpenOptions::default() },
            ..export_options(&fixture.folder().join("copied"))
        };
        with_run(|run| export(&fixture.path, &options, run))
            .unwrap_or_else(|error| panic!("{}", describe(&error)));
        let (restored, _) = restore_from(&fixture, &fixture.folder().join("copied"), "restored.db");
        judge::same_database(&fixture.path, &restored);
    }
}
