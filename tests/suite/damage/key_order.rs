//! Rows that do not lie in the order of their table's key as the manifest says, and rows with one key: the first cost time
//! and nothing else, the second are told wherever they are noticed.

use std::path::{Path, PathBuf};

use arrow::array::UInt64Array;
use arrow::compute::take_record_batch;
use parklite::error::ErrorKind;
use parklite::restore::restore;
use parklite::snapshot::Snapshot;
use parklite::verify::VerifyLevel;

use super::subject::{rewrite, write_texts};
use crate::fixtures::Fixture;
use crate::judge;
use crate::round_trip::{export_to, restore_from, restore_options, verify_at, visits, with_run};

/// In order, almost in order, and in none.
const CREATED: [&str; 3] = ["i", "i + (i % 50 = 7) * (i * 31 % 900)", "i * 7919 % 45007"];

/// Says of all rows that they are in the order of their key, or that they are not.
fn claim(snapshot: &Path, in_key_order: bool) {
    let mut manifest = Snapshot::open(snapshot).expect("opens").manifest;
    for entry in &mut manifest.tables {
        entry.files[0].in_key_order = in_key_order;
    }
    write_texts(snapshot, &manifest);
}

#[test]
fn a_false_claim_of_an_order_gives_the_same_database() {
    for created in CREATED {
        let fixture = visits(created);
        let (snapshot, _) = export_to(&fixture, "snapshot");
        for in_key_order in [true, false] {
            claim(&snapshot, in_key_order);
            let (restored, _) = restore_from(&fixture, &snapshot, &format!("{in_key_order}.db"));
            judge::same_database(&fixture.path, &restored);
        }
    }
}

/// A snapshot in which a row of `table` is replaced by a copy of another one so many rows before it.
fn with_twins(fixture: &Fixture, table: &str, distance: usize, name: &str) -> PathBuf {
    let (snapshot, _) = export_to(fixture, name);
    rewrite(&snapshot, 100_000, &[], |entry, group| {
        if entry.table.name.lossy() == table {
            let last = group.rows.num_rows() - 1;
            let row = |index: usize| if index == last { last - distance } else { index };
            let rows: UInt64Array = (0..=last).map(|index| Some(row(index) as u64)).collect();
            group.rows = take_record_batch(&group.rows, &rows).expect("rows of the table");
        }
    });
    // What is recorded of the rows is true of them, so nothing but the key can tell.
    rewrite(&snapshot, 100_000, &[], |_, _| ());
    snapshot
}

#[test]
fn rows_with_one_key_are_told_alike_whichever_way_they_are_inserted() {
    for (number, created) in CREATED.into_iter().enumerate() {
        let all = visits(created);
        for (table, other) in [("aliased", "keyed"), ("keyed", "aliased")] {
            let fixture = all.duplicate();
            fixture.execute(&format!("DROP TABLE {other}; DROP TABLE plain; VACUUM;"));
            for distance in [1, 40_000] {
                let name = format!("{table} {distance}");
                let snapshot = with_twins(&fixture, table, distance, &name);
                let quick = verify_at(&snapshot, VerifyLevel::Quick).expect("verifies");
                assert!(quick.intact, "{name}: {quick:?}");
                let target = fixture.folder().join(format!("{name}.db"));
                let error = with_run(|run| restore(&snapshot, &target, &restore_options(), run));
                let error = error.expect_err("two rows have one key");
                assert_eq!(error.kind(), ErrorKind::Mismatch, "{number}, {name}: {error}");
                assert!(error.to_string().contains("breaks a key"), "{number}, {name}: {error}");
                assert_eq!(error.place().table.as_deref(), Some(table), "{number}, {name}");
                assert!(error.hint_text().is_some_and(|hint| hint.contains("verify")), "{number}, {name}");
                assert!(!target.exists());
                let report = verify_at(&snapshot, VerifyLevel::Restore).expect("verifies");
                assert!(!report.intact, "{number}, {name}");
            }
        }
    }
}
