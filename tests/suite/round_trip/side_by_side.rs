//! Tables that are exported side by side: the same bytes, the same commit, and always the same failure.

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use parklite::clock::FixedClock;
use parklite::error::Result;
use parklite::export::{ExportOptions, ExportReport, export};
use parklite::progress::{Phase, PhaseKind, Progress};
use parklite::run::{Interrupt, Run};
use parklite::verify::VerifyLevel;
use rusqlite::Connection;

use super::bounded::files;
use super::{describe, export_options, restore_from, verify_at};
use crate::fixtures::Fixture;
use crate::judge;

/// Tables of all sizes, in order and not, with rowids and without; one of every five has only a few rows.
fn many_tables(name: &str, more: &str) -> Fixture {
    let fixture = Fixture::new(name);
    let tables: Vec<String> = (0..20)
        .map(|number| {
            let rows = [3, 700, 5_000, 1_001, 12_000][number % 5];
            let (key, end) = match number % 4 {
                0 => ("k TEXT PRIMARY KEY", "WITHOUT ROWID"),
                _ => ("k TEXT", ""),
            };
            // Every third one is in the order of its times.
            let factor = if number % 3 == 0 { 1 } else { 7_919 };
            format!(
                "CREATE TABLE t{number:02}({key}, _created_at INTEGER, late) {end};
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
                 INSERT INTO t{number:02} SELECT 'key ' || (i * {factor} % 104729), i * {factor} % 104729,
                   CASE WHEN i < 1500 THEN NULL WHEN i % 2 THEN i ELSE 'text ' || i END FROM n;"
            )
        })
        .collect();
    fixture.execute(&format!("{more} BEGIN; {} COMMIT;", tables.concat()));
    fixture
}

/// Counts exports that were begun for several tables at once, and does something at two moments.
struct Watcher<'a> {
    side_by_side: AtomicUsize,
    rows: AtomicUsize,
    /// Before any table is read.
    at_first: Mutex<Option<Box<dyn FnOnce() + Send + 'a>>>,
    /// When all readers have begun.
    meanwhile: Mutex<Option<Box<dyn FnOnce() + Send + 'a>>>,
}

impl<'a> Watcher<'a> {
    fn new(at_first: impl FnOnce() + Send + 'a, meanwhile: impl FnOnce() + Send + 'a) -> Self {
        Self {
            side_by_side: AtomicUsize::new(0),
            rows: AtomicUsize::new(0),
            at_first: Mutex::new(Some(Box::new(at_first))),
            meanwhile: Mutex::new(Some(Box::new(meanwhile))),
        }
    }
}

fn now(what: &Mutex<Option<Box<dyn FnOnce() + Send + '_>>>) {
    if let Some(what) = what.lock().expect("one thread at a time").take() {
        what();
    }
}

impl Progress for Watcher<'_> {
    fn set_run_total(&self, _bytes: u64) {
        now(&self.at_first);
    }
    fn begin(&self, phase: Phase<'_>) {
        if phase.kind == PhaseKind::Exporting && phase.subject.is_empty() {
            self.side_by_side.fetch_add(1, Ordering::Relaxed);
            now(&self.meanwhile);
        }
    }
    fn advance(&self, rows: u64, _bytes: u64) {
        self.rows.fetch_add(usize::try_from(rows).expect("few"), Ordering::Relaxed);
    }
    fn end(&self) {}
    fn note(&self, _message: &str) {}
}

/// Options under which several tables fit into memory at once.
fn roomy_options(output: &Path) -> ExportOptions {
    ExportOptions { memory_limit_bytes: 256 << 20, ..export_options(output) }
}

fn watched_export(path: &Path, options: &ExportOptions, watcher: &Watcher<'_>) -> Result<ExportReport> {
    let clock = FixedClock("2026-11-20T09:30:00Z".parse().expect("a time"));
    export(path, options, Run { progress: watcher, clock: &clock, interrupt: &Interrupt::new() })
}

#[test]
fn tables_written_side_by_side_are_those_written_one_by_one() {
    let fixture = many_tables("many", "");
    let mut written = Vec::new();
    for (way, (threads, memory_limit_bytes, at_once)) in
        [(1, 1 << 30, 0), (2, 256 << 20, 1), (5, 1 << 30, 1), (2, 64 << 20, 0), (3, 0, 0)]
            .into_iter()
            .enumerate()
    {
        let output = fixture.folder().join(format!("out {way}"));
        let options = ExportOptions { threads, memory_limit_bytes, ..export_options(&output) };
        let watcher = Watcher::new(|| (), || ());
        let report = watched_export(&fixture.path, &options, &watcher);
        let report = report.unwrap_or_else(|error| panic!("way {way}: {}", describe(&error)));
        assert_eq!(watcher.side_by_side.into_inner(), at_once, "way {way}");
        assert!(report.tables.iter().map(|table| table.name.clone()).is_sorted(), "way {way}");
        written.push(files(&output));
    }
    assert_eq!(written[0].len(), 20 + 3, "a file per table, manifest, sums and views");
    assert!(written.iter().all(|other| *other == written[0]), "ways differ");
    verify_at(&fixture.folder().join("out 1"), VerifyLevel::Restore).expect("intact");
}

#[test]
fn rows_of_tables_written_side_by_side_are_counted_once() {
    let fixture = many_tables("counted", "");
    let options = ExportOptions { verify: false, ..roomy_options(&fixture.folder().join("out")) };
    let watcher = Watcher::new(|| (), || ());
    let report = watched_export(&fixture.path, &options, &watcher).expect("exported");
    assert_eq!(watcher.rows.into_inner() as u64, report.rows);
}

/// Adds a row to every table, in one commit.
fn add_rows(database: &Path) {
    let mut connection = Connection::open(database).expect("opens");
    let commit = connection.transaction().expect("begins");
    for number in 0..20 {
        let sql = format!("INSERT INTO t{number:02} VALUES('new', -1, 'new')");
        commit.execute(&sql, []).expect("inserted");
    }
    commit.commit().expect("a commit");
}

#[test]
fn a_commit_that_comes_between_is_in_none_of_the_tables() {
    for comes_first in [true, false] {
        let fixture = many_tables("busy", "PRAGMA journal_mode=WAL;");
        // Somebody keeps the WAL: there is a commit in it.
        let user = fixture.open();
        user.execute_batch("UPDATE t01 SET late = 'old'").expect("a commit in the WAL");
        let before = Fixture::new("before");
        user.execute("VACUUM INTO ?1", [before.path.to_str().expect("a plain path")]).expect("copied");
        let output = fixture.folder().join("out");
        let add = || add_rows(&fixture.path);
        let watcher = if comes_first { Watcher::new(add, || ()) } else { Watcher::new(|| (), add) };
        watched_export(&fixture.path, &roomy_options(&output), &watcher).expect("exported");
        // A second reader that began after the commit would see another one.
        let expected = usize::from(!comes_first);
        assert_eq!(watcher.side_by_side.into_inner(), expected, "first: {comes_first}");
        let (restored, _) = restore_from(&fixture, &output, "restored.db");
        for number in 0..20 {
            judge::same_table(&before.path, &restored, &format!("t{number:02}"));
        }
        let added: i64 = user
            .query_row("SELECT count(*) FROM t00 WHERE k = 'new'", [], |row| row.get(0))
            .expect("counted");
        assert_eq!(added, 1, "the commit came");
    }
}

/// Where a table's b-tree begins, and where its last page is.
fn pages_of(connection: &Connection, table: &str) -> (usize, usize) {
    let read = |sql: &str| -> i64 { connection.query_row(sql, [], |row| row.get(0)).expect("a number") };
    let page_size = usize::try_from(read("PRAGMA page_size")).expect("a size");
    let root = read(&format!("SELECT rootpage FROM sqlite_schema WHERE name = '{table}'"));
    let root = (usize::try_from(root).expect("a page") - 1) * page_size;
    let bytes = fs::read(connection.path().expect("a file")).expect("reads");
    // An inner page of a table names its last child in its header.
    assert_eq!(bytes[root], 5, "{table} has more than one page");
    let last = u32::from_be_bytes(bytes[root + 8..root + 12].try_into().expect("four bytes"));
    (root, (last as usize - 1) * page_size)
}

#[test]
fn of_several_tables_that_fail_the_first_is_told_and_nothing_is_published() {
    let fixture = many_tables("damaged", "");
    let connection = fixture.open();
    // The largest of all fails at once, an earlier one at its very end.
    let (early, late) = (pages_of(&connection, "t19").0, pages_of(&connection, "t02").1);
    drop(connection);
    let mut bytes = fs::read(&fixture.path).expect("reads");
    bytes[early] = 0xff;
    bytes[late] = 0xff;
    fs::write(&fixture.path, bytes).expect("damaged");
    for threads in [1, 2, 4, 2, 4] {
        let output = fixture.folder().join("out");
        let options = ExportOptions { threads, ..roomy_options(&output) };
        let watcher = Watcher::new(|| (), || ());
        let error = watched_export(&fixture.path, &options, &watcher).expect_err("two tables are damaged");
        assert!(describe(&error).contains("t02"), "{threads} threads: {}", describe(&error));
        assert_eq!(watcher.side_by_side.into_inner(), usize::from(threads > 1));
        let left: Vec<_> = fs::read_dir(fixture.folder()).expect("a folder").collect();
        assert_eq!(left.len(), 1, "only the database: {left:?}");
    }
}

#[test]
fn what_rows_show_that_cannot_be_kept_stands_in_the_order_of_the_tables() {
    let fixture = Fixture::new("keys");
    let connection = fixture.open();
    // The application's NOCASE tells them apart, SQLite's does not: only rows show it.
    connection.create_collation("NOCASE", str::cmp).expect("a collation");
    for number in 0..8 {
        let sql = format!(
            "CREATE TABLE w{number}(k TEXT COLLATE NOCASE PRIMARY KEY, v) WITHOUT ROWID;
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {})
             INSERT INTO w{number} SELECT 'key ' || i, i FROM n UNION ALL SELECT 'KEY ' || i, i FROM n;",
            (number + 1) * 100
        );
        connection.execute_batch(&sql).expect("made");
    }
    drop(connection);
    let watcher = Watcher::new(|| (), || ());
    let options = roomy_options(&fixture.folder().join("out"));
    let report = watched_export(&fixture.path, &options, &watcher).expect("exported");
    assert_eq!(watcher.side_by_side.into_inner(), 1);
    let found: Vec<String> = report.not_kept.iter().map(|lost| lost.table.lossy().into_owned()).collect();
    let expected: Vec<String> = (0..8).map(|number| format!("w{number}")).collect();
    assert_eq!(found, expected);
}
