//! What cannot be rebuilt is named, and everything else comes back.

use std::collections::BTreeSet;

use parklite::error::ErrorKind;
use parklite::export::{ExportOptions, export};
use parklite::verify::VerifyLevel;
use rusqlite::Connection;

use super::{export_options, export_to, restore_from, verify_at, with_run};
use crate::fixtures;

fn names(not_kept: &[parklite::sqlite::not_kept::NotKept]) -> BTreeSet<String> {
    not_kept.iter().map(|lost| lost.index.as_ref().unwrap_or(&lost.table).lossy().into_owned()).collect()
}

#[test]
fn every_such_database_is_exported_named_verified_and_restored() {
    let cases = fixtures::not_keepable_cases();
    assert_eq!(cases.len(), 5, "a new recipe needs to be looked at here");
    for case in cases {
        let fixture = fixtures::build(&case);
        let (snapshot, exported) = export_to(&fixture, "snapshot");
        assert!(!exported.not_kept.is_empty(), "{case}");
        let verified = verify_at(&snapshot, VerifyLevel::Restore).expect("verifies");
        assert!(verified.intact, "{case}: {verified:?}");
        let (restored, report) = restore_from(&fixture, &snapshot, "restored.db");
        assert_eq!(report.not_kept, exported.not_kept, "{case}");
        let restored = Connection::open(restored).expect("opens");
        let check: String =
            restored.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("checks");
        assert_eq!(check, "ok", "{case}");
    }
}

#[test]
fn only_the_index_that_needs_an_unknown_collation_is_lost() {
    let fixture = fixtures::build("index_unknown_collation");
    let (snapshot, exported) = export_to(&fixture, "snapshot");
    let (restored, _) = restore_from(&fixture, &snapshot, "restored.db");
    let indexes = |connection: &Connection| -> BTreeSet<String> {
        let sql = "SELECT name FROM sqlite_schema WHERE type = 'index'";
        let mut statement = connection.prepare(sql).expect("prepares");
        statement.query_map([], |row| row.get(0)).expect("runs").map(|name| name.expect("a name")).collect()
    };
    let before = indexes(&fixture.open());
    let after = indexes(&Connection::open(restored).expect("opens"));
    let lost: BTreeSet<String> = before.difference(&after).cloned().collect();
    assert_eq!(lost, names(&exported.not_kept));
}

#[test]
fn an_index_over_a_virtual_column_goes_with_the_constraints_of_its_table() {
    let fixture = fixtures::build("unique_unknown_collation_computed");
    let (snapshot, exported) = export_to(&fixture, "snapshot");
    let expected = BTreeSet::from(["people_by_v".to_string(), "sqlite_autoindex_people_1".to_string()]);
    assert_eq!(names(&exported.not_kept), expected);
    let (restored, _) = restore_from(&fixture, &snapshot, "restored.db");
    let restored = Connection::open(restored).expect("opens");
    let rows: i64 = restored
        .query_row("SELECT count(*) FROM people INDEXED BY people_by_j WHERE j > ''", [], |row| row.get(0))
        .expect("an index over a stored column is kept");
    assert_eq!(rows, 2);
}

#[test]
fn a_table_whose_key_is_lost_keeps_its_rows() {
    let fixture = fixtures::build("without_rowid_unknown_collation");
    let (snapshot, exported) = export_to(&fixture, "snapshot");
    assert_eq!(names(&exported.not_kept), BTreeSet::from(["words".to_string()]));
    let (restored, _) = restore_from(&fixture, &snapshot, "restored.db");
    let restored = Connection::open(restored).expect("opens");
    let words = restored
        .prepare("SELECT word, n FROM words ORDER BY n")
        .expect("prepares")
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("runs")
        .collect::<rusqlite::Result<Vec<(String, i64)>>>()
        .expect("rows");
    assert_eq!(words, [("gamma".into(), 1), ("Beta".into(), 2), ("alpha".into(), 3)]);
}

#[test]
fn strict_publishes_nothing() {
    for case in fixtures::not_keepable_cases() {
        let fixture = fixtures::build(&case);
        let output = fixture.folder().join("snapshot");
        let options = ExportOptions { strict: true, ..export_options(&output) };
        let error = with_run(|run| export(&fixture.path, &options, run)).expect_err("refuses");
        assert_eq!(error.kind(), ErrorKind::Failed, "{case}");
        assert!(!output.exists(), "{case}");
    }
}
