//! Rows almost in the order of their table's key come back, however large or late some of them are, and lie as close
//! together as if they never had been out of it.

use std::path::Path;

use parklite::restore::{RestoreOptions, restore};
use parklite::snapshot::Snapshot;
use parklite::verify::VerifyLevel;
use rusqlite::Connection;

use super::{describe, export_to, restore_options, verify_at, with_run};
use crate::fixtures::Fixture;
use crate::judge;

/// More than wait for late ones to come.
const ROWS: u32 = 45_000;
/// All rows could wait, or only a part of them, or as good as none.
const LIMITS: [u64; 3] = [1 << 30, 64 << 20, 33 << 20];

/// Three tables with the same rows, created when `created` says, and other keys. They are exported by that time.
pub(crate) fn visits(created: &str) -> Fixture {
    let fixture = Fixture::new("visits");
    fixture.execute(&format!(
        "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;
         CREATE TABLE aliased (id INTEGER PRIMARY KEY, _created_at, note, body);
         CREATE TABLE plain (_created_at, note, body);
         CREATE TABLE keyed (note, name TEXT, _created_at, body, PRIMARY KEY (name, note)) WITHOUT ROWID;
         CREATE TEMP TABLE numbers(i INTEGER PRIMARY KEY);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
         INSERT INTO numbers SELECT i FROM n;
         INSERT INTO aliased SELECT i, {created},
            CASE i % 6 WHEN 0 THEN NULL WHEN 1 THEN i WHEN 2 THEN i / 8.0 WHEN 3 THEN x'ff' ELSE 'note ' || i END,
            printf('%0*d', 20 + i % 90, i) FROM numbers;
         INSERT INTO plain(rowid, _created_at, note, body) SELECT id * 3, _created_at, note, body FROM aliased;
         INSERT INTO keyed SELECT coalesce(note, 'none'), printf('%06d', id), _created_at, body FROM aliased;"
    ));
    fixture
}

fn pages(database: &Path) -> i64 {
    let connection = Connection::open(database).expect("opens");
    connection.query_row("PRAGMA page_count", [], |row| row.get(0)).expect("a number of pages")
}

/// Whether the snapshot says of each of its tables that it need not be sorted.
fn claims(snapshot: &Path) -> Vec<bool> {
    let manifest = Snapshot::open(snapshot).expect("opens").manifest;
    manifest.tables.iter().map(|entry| entry.files[0].in_key_order).collect()
}

/// Restores within each limit; the judge compares. Returns how many pages there were each time.
fn pages_of_restored(fixture: &Fixture, snapshot: &Path) -> Vec<i64> {
    let restored = |memory_limit_bytes: u64| {
        let path = fixture.folder().join(format!("{memory_limit_bytes}.db"));
        let options = RestoreOptions { memory_limit_bytes, ..restore_options() };
        let report = with_run(|run| restore(snapshot, &path, &options, run));
        report.unwrap_or_else(|error| panic!("{memory_limit_bytes}: {}", describe(&error)));
        judge::same_database(&fixture.path, &path);
        pages(&path)
    };
    LIMITS.into_iter().map(restored).collect()
}

#[test]
fn a_few_late_rows_come_back_and_leave_no_gaps() {
    let in_order = visits("1000000 + i");
    let (snapshot, _) = export_to(&in_order, "snapshot");
    assert_eq!(claims(&snapshot), [true; 3]);
    let due = pages_of_restored(&in_order, &snapshot)[0];
    let late = visits("1000000 + i + (i % 50 = 7) * (i * 31 % 900)");
    let (snapshot, _) = export_to(&late, "snapshot");
    assert_eq!(claims(&snapshot), [false; 3]);
    assert!(verify_at(&snapshot, VerifyLevel::Restore).expect("verifies").intact);
    let found = pages_of_restored(&late, &snapshot);
    assert_eq!(found[..2], [due; 2]);
    assert!(found[2] < due + due / 10, "{found:?}, {due} in order");
}

#[test]
fn rows_much_too_late_or_too_early_come_back() {
    let fixture = visits("1000000 + i + (i % 900 = 7) * 42000 - (i % 900 = 8) * 42000 + (i % 50 = 9) * 100");
    let (snapshot, _) = export_to(&fixture, "snapshot");
    assert_eq!(claims(&snapshot), [false; 3]);
    let found = pages_of_restored(&fixture, &snapshot);
    let due = pages(&fixture.path);
    assert!(found.iter().all(|&pages| pages < due + due / 10), "{found:?}, {due} in the source");
}

#[test]
fn a_row_larger_than_all_that_may_wait_comes_back_late_or_not() {
    let fixture = visits("1000000 + i + (i % 50 = 7) * 300 + (i = 20000) * 40000");
    // The last one comes as late as any row can.
    fixture.execute(
        "DROP TABLE plain;
         UPDATE aliased SET body = zeroblob(15000000) WHERE id IN (5000, 20000);
         UPDATE keyed SET body = zeroblob(15000000) WHERE name = '020000';
         UPDATE keyed SET name = name || hex(zeroblob(500000)) WHERE name = '030007';",
    );
    let (snapshot, _) = export_to(&fixture, "snapshot");
    assert_eq!(claims(&snapshot), [false; 2]);
    pages_of_restored(&fixture, &snapshot);
}

#[test]
fn cells_that_a_real_column_would_change_come_back_among_late_rows() {
    let fixture = visits("1000000 + i + (i % 50 = 7) * 300");
    fixture.execute(
        "CREATE TABLE measured (id INTEGER PRIMARY KEY, _created_at, value REAL);
         INSERT INTO measured SELECT id, _created_at, CASE id WHEN 44000 THEN 'none' ELSE id / 4.0 END FROM aliased;",
    );
    let (snapshot, _) = export_to(&fixture, "snapshot");
    assert_eq!(claims(&snapshot), [false; 4]);
    pages_of_restored(&fixture, &snapshot);
}
