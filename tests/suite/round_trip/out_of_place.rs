//! A damaged b-tree never makes several readers see other rows than one does: they see the same, or the export fails.

use std::path::Path;

use parklite::durable::Existing;
use parklite::export::{ExportOptions, export};

use super::{describe, export_options, with_run};
use crate::fixtures::Fixture;

const PAGE_BYTES: usize = 512;
const ROWS: u64 = 500;

/// Bytes changed one at a time, by default.
const CHANGES: u64 = 150;

/// The same where `PARKLITE_FULL` asks for everything.
const ALL_CHANGES: u64 = 2_000;

/// Rows and digest of an export by so many readers. Without memory, any rows in no order are dealt out by all readers.
fn exported(fixture: &Fixture, database: &Path, threads: usize) -> Result<(u64, String), String> {
    let output = fixture.folder().join("out");
    let options = ExportOptions {
        memory_limit_bytes: 0,
        threads,
        verify: false,
        existing: Existing::Replace,
        order_by: vec!["t=place".parse().expect("an order")],
        ..export_options(&output)
    };
    with_run(|run| export(database, &options, run))
        .map(|report| (report.tables[0].rows, report.tables[0].digest.clone()))
        .map_err(|error| describe(&error))
}

/// Where pages begin that lead to other pages of a table.
fn interior_pages(database: &[u8]) -> Vec<usize> {
    const INTERIOR: u8 = 5;
    (1..database.len() / PAGE_BYTES)
        .map(|page| page * PAGE_BYTES)
        .filter(|&page| database[page] == INTERIOR)
        .collect()
}

#[test]
#[expect(clippy::print_stdout, reason = "the counts are told")]
fn several_readers_of_a_damaged_table_see_what_one_sees_or_fail() {
    let fixture = Fixture::new("sound");
    fixture.execute(&format!(
        "PRAGMA page_size={PAGE_BYTES}; CREATE TABLE t(id INTEGER PRIMARY KEY, place, body);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
         INSERT INTO t SELECT i * 3, i * 7919 % 10007, printf('%0200d', i) FROM n;"
    ));
    let sound = std::fs::read(&fixture.path).expect("reads");
    let pages = interior_pages(&sound);
    assert!(pages.len() > 3, "{} pages lead to others", pages.len());
    assert_eq!(exported(&fixture, &fixture.path, 4), exported(&fixture, &fixture.path, 1));

    let is_full_run = std::env::var_os("PARKLITE_FULL").is_some_and(|value| value == "1");
    let changes = if is_full_run { ALL_CHANGES } else { CHANGES };
    let damaged = fixture.folder().join("damaged.db");
    let mut state = 1_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % below
    };
    let (mut same, mut refused, mut refused_by_one) = (0, 0, 0);
    for change in 0..changes {
        let mut bytes = sound.clone();
        let page = pages[next(pages.len())];
        // The header, the pointers to cells and the cells themselves are all small.
        let at = page + if next(4) == 0 { next(100) } else { next(PAGE_BYTES) };
        let before = bytes[at];
        bytes[at] =
            if next(2) == 0 { before ^ (1 << next(8)) } else { u8::try_from(next(256)).expect("a byte") };
        std::fs::write(&damaged, &bytes).expect("written");
        let (one, four) = (exported(&fixture, &damaged, 1), exported(&fixture, &damaged, 4));
        match (one, four) {
            (one, Err(_)) => {
                refused += 1;
                refused_by_one += u64::from(one.is_err());
            }
            (Ok(one), Ok(four)) => {
                assert_eq!(four, one, "change {change}: byte {at} from {before} to {}", bytes[at]);
                same += 1;
            }
            (Err(error), Ok(four)) => {
                panic!("change {change}: byte {at} from {before} to {}: {four:?}, but {error}", bytes[at]);
            }
        }
    }
    println!(
        "{changes} changes: {same} read alike, {refused} refused, of them {refused_by_one} by one reader too"
    );
    assert!(same > 0 && refused > 0);
}
