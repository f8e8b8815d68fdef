//! Every recipe as a database, a snapshot, a snapshot in another order and a `VACUUM INTO`: `digests` and `diff` call them
//! equal, and `verify` of the database finds what its recipe put there and nothing else.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use parklite::content::{Content, ContentOptions};
use parklite::diff::{DiffOptions, DiffReport, diff};
use parklite::digests::{DigestList, TableChoice, digests};
use parklite::export::{RequestedOrder, export};
use parklite::verify_database::{DatabaseLevel, verify_database};
use rusqlite::Connection;

use crate::fixtures::{self, Fixture};
use crate::round_trip::{describe, export_options, restore_from, with_run};

fn options(memory_limit_bytes: u64) -> DiffOptions {
    DiffOptions {
        content: ContentOptions {
            busy_timeout: Duration::from_secs(5),
            memory_limit_bytes,
            threads: 2,
            temp_folder: None,
        },
        tables: Vec::new(),
        most_rows: 3,
    }
}

fn compared(a: &Path, b: &Path) -> DiffReport {
    let report = with_run(|run| diff(a, b, &options(64 << 20), run));
    report.unwrap_or_else(|error| panic!("{} {}: {}", a.display(), b.display(), describe(&error)))
}

fn list_of(path: &Path) -> String {
    let report = with_run(|run| digests(path, TableChoice::default(), &options(64 << 20).content, run));
    let report = report.unwrap_or_else(|error| panic!("{}: {}", path.display(), describe(&error)));
    DigestList::of(&report, false).text()
}

/// A snapshot in which rows stand by their last column, descending.
fn reordered(fixture: &Fixture) -> PathBuf {
    let content =
        with_run(|run| Content::open(&fixture.path, &options(64 << 20).content, run)).expect("opened");
    let order_of = |table: &parklite::schema::Table| {
        let (_, column) = table.stored_columns().last()?;
        let terms = vec![(column.name.as_str()?.to_string(), true)];
        Some(RequestedOrder { table: table.name.as_str()?.to_string(), terms })
    };
    let path = fixture.folder().join("reordered");
    let mut options = export_options(&path);
    options.order_by = content.tables().iter().filter_map(order_of).collect();
    drop(content);
    with_run(|run| export(&fixture.path, &options, run))
        .unwrap_or_else(|error| panic!("{}: {}", fixture.name, describe(&error)));
    path
}

/// What `VACUUM INTO` makes; `None` where SQLite cannot, for want of a function or module.
fn vacuumed(fixture: &Fixture) -> Option<PathBuf> {
    let path = fixture.folder().join("vacuumed.db");
    let connection = Connection::open(&fixture.path).expect("opened");
    match connection.execute("VACUUM INTO ?1", [path.to_str().expect("text")]) {
        Ok(_) => Some(path),
        Err(_) => None,
    }
}

/// Recipes of which `VACUUM INTO` makes another content: it cuts spaces behind a definition, leaves out a table whose
/// definition begins in lower case, and does not keep counters where no table counts.
const VACUUM_CHANGES: [&str; 2] = ["ddl_text_comments_crlf", "sequence_without_autoincrement"];

#[test]
fn every_recipe_is_the_same_content_in_every_form() {
    let (mut forms, mut changed_by_vacuum) = (0, Vec::new());
    for case in fixtures::all_cases() {
        let fixture = fixtures::build(&case);
        let list = list_of(&fixture.path);
        let (snapshot, _) = crate::round_trip::export_to(&fixture, "snapshot");
        let (restored, _) = restore_from(&fixture, &snapshot, "restored.db");
        let mut others = vec![reordered(&fixture), restored, snapshot.clone()];
        if let Some(vacuumed) = vacuumed(&fixture) {
            if list_of(&vacuumed) == list {
                others.push(vacuumed);
            } else {
                assert!(!compared(&fixture.path, &vacuumed).equal, "{case}");
                changed_by_vacuum.push(case.clone());
            }
        }
        let before = fs::read(&fixture.path).expect("read");
        for other in &others {
            assert_eq!(list_of(other), list, "{case}: {}", other.display());
            for (a, b) in [(&fixture.path, other), (other, &snapshot)] {
                let report = compared(a, b);
                assert!(report.equal, "{case}: {report:#?}");
            }
            forms += 1;
        }
        assert_eq!(fs::read(&fixture.path).expect("read"), before, "{case}");
    }
    assert_eq!(changed_by_vacuum, VACUUM_CHANGES);
    assert!(forms > 250, "{forms} forms were compared");
}

#[test]
fn verify_of_every_recipe_finds_what_sqlites_shell_finds() {
    for case in fixtures::all_cases() {
        let fixture = fixtures::build(&case);
        let options = options(64 << 20).content;
        let report = with_run(|run| verify_database(&fixture.path, DatabaseLevel::Full, &options, run));
        let report = report.unwrap_or_else(|error| panic!("{case}: {}", describe(&error)));
        let connection = Connection::open(&fixture.path).expect("opened");
        let said = |pragma: &str| -> Result<Vec<String>, rusqlite::Error> {
            let mut statement = connection.prepare(pragma)?;
            let rows = statement.query_map([], |row| {
                let value = row.get_ref(0)?;
                Ok(value
                    .as_bytes()
                    .map(|text| String::from_utf8_lossy(text).into_owned())
                    .unwrap_or_default())
            })?;
            rows.collect()
        };
        // Where SQLite cannot run its own check, what could not be checked is told.
        let Ok(integrity) = said("PRAGMA integrity_check") else {
            assert!(!report.check.not_checked.is_empty(), "{case}");
            continue;
        };
        let is_fine = integrity == ["ok"];
        let points_nowhere = said("PRAGMA foreign_key_check").map_or(true, |rows| !rows.is_empty());
        assert_eq!(report.intact, is_fine && !points_nowhere, "{case}: {report:#?} {integrity:?}");
        assert!(report.unreadable.is_empty() && report.tables.len() == report.table_count, "{case}");
    }
}

/// Tables far larger than the memory limit, in another order on one side, with one cell, one row and one key that differ.
#[test]
fn tables_larger_than_the_memory_limit_are_compared_row_by_row() {
    const LIMIT: u64 = 16 << 20;
    let fixture = Fixture::new("large");
    fixture.execute(
        "CREATE TABLE listed(id INTEGER PRIMARY KEY, v TEXT, filler BLOB);
         CREATE TABLE keyed(k TEXT PRIMARY KEY COLLATE NOCASE, v, filler) WITHOUT ROWID;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
         INSERT INTO listed SELECT i, printf('%08x', i * 2654435761 % 4294967296), randomblob(500) FROM n;
         INSERT INTO keyed SELECT CASE WHEN id % 2 THEN 'k' ELSE 'K' END || v, id, filler FROM listed;",
    );
    let snapshot = reordered(&fixture);
    let changed = fixture.duplicate();
    changed.execute(
        "UPDATE listed SET v = v || ' ' WHERE id = 30000; DELETE FROM listed WHERE id = 59999;
         UPDATE keyed SET k = lower(k) WHERE v = 40000; UPDATE keyed SET filler = NULL WHERE v = 7;",
    );
    for (a, b) in [(&snapshot, &changed.path), (&fixture.path, &changed.path)] {
        let report = with_run(|run| diff(a, b, &options(LIMIT), run));
        let report = report.unwrap_or_else(|error| panic!("{}", describe(&error)));
        let counts = |index: usize| {
            let table = &report.tables[index];
            (table.rows_changed, table.rows_only_in_a, table.rows_only_in_b)
        };
        assert_eq!((counts(0), counts(1)), ((1, 1, 1), (1, 1, 0)), "{report:#?}");
        assert_eq!(report.tables[1].examples[0].key, "rowid 30000");
        assert_eq!(report.tables[1].examples[1].key, "rowid 59999");
    }
    let left: Vec<_> =
        fs::read_dir(fixture.folder()).expect("listed").flatten().map(|file| file.file_name()).collect();
    assert_eq!(left.len(), 2, "nothing is left beside database and snapshot: {left:?}");
}

/// Large cells that differ in their last byte only.
#[test]
fn cells_of_forty_megabytes_are_compared_to_their_last_byte() {
    let fixture = fixtures::forty_megabyte_cell();
    let changed = fixture.duplicate();
    changed.execute("UPDATE cells SET body = substr(body, 1, length(body) - 1) || 'y' WHERE id = 2");
    let report = compared(&fixture.path, &changed.path);
    assert_eq!(report.tables.len(), 1);
    let cell = &report.tables[0].examples[0].cells[0];
    let shown =
        [&cell.a, &cell.b].map(|cell| cell.as_ref().map(|cell| cell.value.clone()).unwrap_or_default());
    assert_eq!(shown, ["'…xxxxxxxxx' (40000000 bytes)", "'…xxxxxxxxy' (40000000 bytes)"]);
}
