//! WITHOUT ROWID tables whose key is unique only under a collation that an application has put in place of SQLite's
//! own: only their rows show it.

use parklite::error::ErrorKind;
use parklite::export::{ExportOptions, Selection, export, plan_export};
use parklite::verify::VerifyLevel;
use rusqlite::Connection;

use super::{export_options, export_to, restore_from, verify_at, with_run};
use crate::fixtures::Fixture;

fn other_nocase(connection: &Connection) {
    // An application's own: it tells capitals from small letters, and so lets both in.
    connection.create_collation("NOCASE", str::cmp).expect("made");
}

/// A WITHOUT ROWID table whose key is unique under the application's NOCASE alone, with indexes over it.
fn unique_elsewhere() -> Fixture {
    let fixture = Fixture::new("unique_elsewhere");
    let connection = fixture.open();
    other_nocase(&connection);
    connection
        .execute_batch(
            "CREATE TABLE words(word TEXT COLLATE NOCASE PRIMARY KEY, n) WITHOUT ROWID;
             INSERT INTO words VALUES ('Beta', 1), ('beta', 2), ('alpha', 3);
             CREATE INDEX words_by_n ON words(n); CREATE INDEX words_by_sum ON words(n + 1);
             CREATE TABLE sound(word TEXT COLLATE NOCASE PRIMARY KEY) WITHOUT ROWID;
             INSERT INTO sound VALUES ('a'), ('b');",
        )
        .expect("created");
    drop(connection);
    fixture
}

#[test]
fn a_key_that_is_unique_only_under_another_nocase_is_named_and_its_rows_come_back() {
    let fixture = unique_elsewhere();
    let (snapshot, report) = export_to(&fixture, "snapshot");
    let lost: Vec<String> = report.not_kept.iter().map(ToString::to_string).collect();
    assert_eq!(lost.len(), 2, "{lost:?}");
    assert!(
        lost[0].contains("key of WITHOUT ROWID table \"words\"") && lost[0].contains("NOCASE"),
        "{lost:?}"
    );
    assert!(lost[1].contains("words_by_sum"), "{lost:?}");
    let verified = verify_at(&snapshot, VerifyLevel::Restore).expect("verified");
    assert!(verified.intact, "{verified:?}");
    let (restored, report) = restore_from(&fixture, &snapshot, "restored.db");
    assert_eq!(report.not_kept.len(), 2);
    let restored = Connection::open(restored).expect("opens");
    let rows: Vec<(String, i64)> = restored
        .prepare("SELECT word, n FROM words INDEXED BY words_by_n WHERE n > 0 ORDER BY n")
        .expect("prepares")
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("runs")
        .collect::<rusqlite::Result<_>>()
        .expect("rows");
    assert_eq!(rows, [("Beta".into(), 1), ("beta".into(), 2), ("alpha".into(), 3)]);
    let sql = "SELECT sql FROM sqlite_schema WHERE name = 'sound'";
    let sound: String = restored.query_row(sql, [], |row| row.get(0)).expect("there");
    assert!(sound.contains("WITHOUT ROWID"), "{sound}");
}

#[test]
fn strict_publishes_nothing_of_a_key_that_only_rows_show_to_be_lost() {
    let fixture = unique_elsewhere();
    let output = fixture.folder().join("strict");
    for options in [
        ExportOptions { strict: true, ..export_options(&output) },
        ExportOptions { strict: true, copy_first: true, ..export_options(&output) },
    ] {
        let error = with_run(|run| export(&fixture.path, &options, run)).expect_err("refuses");
        assert_eq!(error.kind(), ErrorKind::Failed);
        assert!(error.to_string().contains("NOCASE"), "{error}");
        assert!(!output.exists());
        let plan = with_run(|run| plan_export(&fixture.path, &options, run));
        assert_eq!(plan.expect_err("refuses").kind(), ErrorKind::Failed);
    }
    let options = export_options(&output);
    let plan = with_run(|run| plan_export(&fixture.path, &options, run)).expect("planned");
    assert_eq!(plan.not_kept.len(), 2, "a dry run reads all rows");
    let selection = Selection { tables: Vec::new(), exclude: vec!["words".into()] };
    let options = ExportOptions { strict: true, selection, ..options };
    with_run(|run| export(&fixture.path, &options, run)).expect("the rest is sound");
}

#[test]
fn a_single_file_names_such_a_key_too() {
    let fixture = unique_elsewhere();
    let output = fixture.folder().join("words.parquet");
    let selection = Selection { tables: vec!["words".into()], exclude: Vec::new() };
    let options = ExportOptions { selection, ..export_options(&output) };
    let report = with_run(|run| export(&fixture.path, &options, run)).expect("exported");
    assert_eq!(report.not_kept.len(), 2);
    let (restored, report) = restore_from(&fixture, &output, "restored.db");
    assert_eq!(report.not_kept.len(), 2);
    let count =
        Connection::open(restored)
            .expect("opens")
            .query_row("SELECT count(*) FROM words", [], |row| row.get(0));
    assert_eq!(count, Ok(3));
}
