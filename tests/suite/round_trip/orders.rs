//! However rows lie in the database, and whichever way they are put in order, the same files come out.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use parklite::clock::FixedClock;
use parklite::export::{ExportOptions, RequestedOrder, export};
use parklite::progress::{Phase, PhaseKind, Progress};
use parklite::run::{Interrupt, Run};
use parklite::verify::VerifyLevel;
use serde_json::Value;

use super::{describe, export_options, verify_at, with_run};
use crate::fixtures::Fixture;

/// Without memory, every range of rows is dealt out again until it is one row.
const NO_MEMORY: u64 = 0;
const LITTLE_MEMORY: u64 = 64 << 20;
const MUCH_MEMORY: u64 = 256 << 20;

/// How the rows, which are in order by `place`, come to lie in their b-tree.
const WAYS_TO_LIE: [(&str, &str); 4] = [
    ("in order", "place"),
    ("a little late", "place + (place % 7 = 3) * (place * 31 % 90)"),
    ("very late", "place + (place % 7 = 3) * 40000"),
    ("shuffled", "place * 7919 % 100003"),
];

/// What rows hold beside their place.
const CELLS: &str = "CASE place % 5 WHEN 0 THEN NULL ELSE place / 3.0 END,
    CASE place % 4 WHEN 0 THEN x'00' || place ELSE 'text number ' || place % 50 END,
    CASE WHEN place > (SELECT max(place) FROM places) - 3 THEN 'late' ELSE place END,
    printf('%0*d', place % 400, place)";

/// Fills `t` as `definition` says, with `rows` rows that lie as `lie` says.
fn filled(fixture: &Fixture, definition: &str, rows: u32, lie: &str) {
    fixture.execute(&format!(
        "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;
         {}
         {definition};
         INSERT INTO t(place, a, b, late, body) SELECT place, {CELLS} FROM places ORDER BY {lie}, place;",
        places(rows)
    ));
}

fn places(rows: u32) -> String {
    format!(
        "CREATE TEMP TABLE places(place INTEGER PRIMARY KEY);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
         INSERT INTO places SELECT i FROM n;"
    )
}

fn exported(
    fixture: &Fixture,
    name: &str,
    order: &str,
    memory: u64,
    threads: usize,
) -> BTreeMap<String, Vec<u8>> {
    let output = fixture.folder().join(name);
    let order: RequestedOrder = format!("t={order}").parse().expect("an order");
    let options = ExportOptions {
        memory_limit_bytes: memory,
        threads,
        order_by: vec![order],
        ..export_options(&output)
    };
    with_run(|run| export(&fixture.path, &options, run))
        .unwrap_or_else(|error| panic!("{name}: {}", describe(&error)));
    let verified =
        verify_at(&output, VerifyLevel::Restore).unwrap_or_else(|error| panic!("{}", describe(&error)));
    assert!(verified.intact, "{name}: {verified:?}");
    data_files(&output)
}

fn data_files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).expect("a snapshot").map(|entry| entry.expect("a file").path());
    let data = entries.filter(|path| path.extension().is_some_and(|extension| extension == "parquet"));
    let read = |path: std::path::PathBuf| {
        (
            path.file_name().expect("named").to_string_lossy().into_owned(),
            std::fs::read(&path).expect("reads"),
        )
    };
    data.map(read).collect()
}

/// The key of a WITHOUT ROWID table says where a row lies: tables with the same rows and other keys hold the same in
/// every column chunk when they are exported in the same order.
#[test]
fn the_same_rows_give_the_same_column_chunks_however_they_lie() {
    for (rows, memory) in [(1_500, NO_MEMORY), (1_500, MUCH_MEMORY), (40_000, LITTLE_MEMORY)] {
        let mut first: Option<Vec<Value>> = None;
        for (key, (what, _)) in WAYS_TO_LIE.into_iter().enumerate() {
            let fixture = Fixture::new("lies");
            let [k0, k1, k2, k3] = WAYS_TO_LIE.map(|(_, lie)| lie);
            fixture.execute(&format!(
                "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;
                 CREATE TABLE t(place INTEGER, a, b, late, body, k0, k1, k2, k3, PRIMARY KEY(k{key}, place)) WITHOUT ROWID;
                 {}
                 INSERT INTO t SELECT place, {CELLS}, {k0}, {k1}, {k2}, {k3} FROM places;",
                places(rows)
            ));
            exported(&fixture, "out", "place", memory, 2);
            let found = chunks(&fixture.folder().join("out"));
            assert!(!found.is_empty());
            let first = first.get_or_insert_with(|| found.clone());
            assert!(found == *first, "{rows} rows, {what}, {memory} bytes of memory: other chunks");
        }
    }
}

/// What the manifest says of all column chunks.
fn chunks(snapshot: &Path) -> Vec<Value> {
    fn collect(value: &Value, found: &mut Vec<Value>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("chunks").cloned());
                fields.values().for_each(|value| collect(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(snapshot).expect("a snapshot") {
        let path = entry.expect("a file").path();
        if path.extension().is_some_and(|extension| extension == "json") {
            collect(&serde_json::from_slice(&std::fs::read(path).expect("reads")).expect("JSON"), &mut found);
        }
    }
    found
}

/// Definitions whose rowids have all shapes, and what is done to them afterwards.
const ROWIDS: [(&str, &str, &str); 6] = [
    ("an alias", "CREATE TABLE t(id INTEGER PRIMARY KEY, place, a, b, late, body)", ""),
    ("hidden", "CREATE TABLE t(place, a, b, late, body)", "DELETE FROM t WHERE rowid % 7 = 0;"),
    (
        "extremes",
        "CREATE TABLE t(place, a, b, late, body)",
        "UPDATE t SET rowid = -9223372036854775808 WHERE rowid = 5;
         UPDATE t SET rowid = 9223372036854775807 WHERE rowid = 6;
         UPDATE t SET rowid = -rowid WHERE rowid % 3 = 0;",
    ),
    (
        "far apart",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, place, a, b, late, body)",
        "UPDATE t SET id = id * 1000000007 WHERE id % 2;",
    ),
    (
        "without",
        "CREATE TABLE t(place, a, b, late, body COLLATE NOCASE, PRIMARY KEY(body, place)) WITHOUT ROWID",
        "",
    ),
    ("shadowed", "CREATE TABLE t(place, a, b, late, body, rowid TEXT, _rowid_ TEXT, oid TEXT)", ""),
];

const ORDERS: [&str; 4] = ["place", "a desc,late", "b,a,place desc", "body desc,late desc"];

#[test]
fn memory_and_threads_never_show_whatever_the_rowids_and_the_order() {
    for (shape, definition, afterwards) in ROWIDS {
        let fixture = Fixture::new("rowids");
        filled(&fixture, definition, 500, WAYS_TO_LIE[3].1);
        fixture.execute(afterwards);
        for order in ORDERS {
            let ways = [(MUCH_MEMORY, 1), (NO_MEMORY, 1), (NO_MEMORY, 2), (NO_MEMORY, 4)];
            let mut first = None;
            for (way, (memory, threads)) in ways.into_iter().enumerate() {
                let name = format!("{order} {way}");
                let found = exported(&fixture, &name, order, memory, threads);
                assert!(!found.is_empty(), "{shape}, {name}");
                let first = first.get_or_insert_with(|| found.clone());
                assert!(
                    found == *first,
                    "{shape} rowids by {order}: {memory} bytes and {threads} threads show"
                );
            }
        }
    }
}

/// With as many columns as a result may have, rowids come from a scan of their own.
#[test]
fn the_widest_table_there_can_be_is_the_same_by_several_readers() {
    const COLUMNS: usize = 2_000;
    let fixture = Fixture::new("widest");
    let names: Vec<String> = (1..COLUMNS).map(|number| format!("c{number}")).collect();
    let values: Vec<String> = (1..COLUMNS).map(|number| format!("i * {number}")).collect();
    fixture.execute(&format!(
        "CREATE TABLE t(place, {});
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)
         INSERT INTO t SELECT i * 7919 % 61, {} FROM n;
         DELETE FROM t WHERE rowid % 7 = 0;",
        names.join(", "),
        values.join(", ")
    ));
    let first = exported(&fixture, "roomy", "place", MUCH_MEMORY, 1);
    assert!(exported(&fixture, "dealt out", "place", NO_MEMORY, 2) == first, "several readers show");
}

#[test]
fn a_shuffled_table_larger_than_the_memory_is_the_same_by_all_numbers_of_readers() {
    let fixture = Fixture::new("large");
    let definition = "CREATE TABLE t(id INTEGER PRIMARY KEY, place, a, b, late, body)";
    filled(&fixture, definition, 90_000, WAYS_TO_LIE[3].1);
    let first = exported(&fixture, "roomy", "place", 1 << 30, 2);
    for threads in [1, 4] {
        let found = exported(&fixture, &format!("by {threads}"), "place", LITTLE_MEMORY, threads);
        assert!(found == first, "{threads} readers show");
    }
}

/// What was done, one after another.
#[derive(Default)]
struct Phases(Mutex<Vec<PhaseKind>>);

impl Progress for Phases {
    fn set_run_total(&self, _bytes: u64) {}
    fn begin(&self, phase: Phase<'_>) {
        self.0.lock().expect("one thread at a time").push(phase.kind);
    }
    fn advance(&self, _rows: u64, _bytes: u64) {}
    fn end(&self) {}
    fn note(&self, _message: &str) {}
}

/// What is done to a shuffled `t` of so many rows whose rowids are changed by `afterwards`.
fn phases_of(rows: u32, afterwards: &str) -> Vec<PhaseKind> {
    let fixture = Fixture::new("once");
    let definition = "CREATE TABLE t(id INTEGER PRIMARY KEY, place, a, b, late, body)";
    filled(&fixture, definition, rows, WAYS_TO_LIE[3].1);
    fixture.execute(afterwards);
    let options = ExportOptions {
        memory_limit_bytes: LITTLE_MEMORY,
        order_by: vec!["t=place".parse().expect("an order")],
        verify: false,
        ..export_options(&fixture.folder().join("out"))
    };
    let clock = FixedClock("2026-11-20T09:30:00Z".parse().expect("a time"));
    let phases = Phases::default();
    export(&fixture.path, &options, Run { progress: &phases, clock: &clock, interrupt: &Interrupt::new() })
        .unwrap_or_else(|error| panic!("{}", describe(&error)));
    phases.0.into_inner().expect("no thread failed")
}

#[test]
fn a_large_shuffled_table_is_read_once_and_not_tried_in_a_window_first() {
    assert_eq!(phases_of(90_000, ""), [PhaseKind::Sorting, PhaseKind::Exporting]);
}

#[test]
fn a_small_table_whose_rowids_lie_far_apart_is_not_taken_for_a_large_one() {
    let far_apart = "UPDATE t SET id = 9223372036854775807 WHERE id = 5";
    assert!(!phases_of(3_000, far_apart).contains(&PhaseKind::Exporting), "it was dealt out to files");
}
