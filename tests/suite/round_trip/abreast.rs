//! A large table in order is read by several readers at once where there are threads for them: nobody can tell by what is
//! written.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use parklite::clock::FixedClock;
use parklite::export::{ExportOptions, export};
use parklite::progress::{Phase, Progress};
use parklite::run::{Interrupt, Run};

use super::bounded::files;
use super::{describe, export_options, round_trip};
use crate::fixtures::Fixture;

/// Rows of 450 bytes and more: 18 MiB.
const ROWS: u32 = 40_000;

/// Tells readers abreast by the rows they are done with, which are not a round number as those of one reader are.
#[derive(Default)]
struct Steps {
    has_odd_step: AtomicBool,
}

impl Progress for Steps {
    fn set_run_total(&self, _bytes: u64) {}
    fn begin(&self, _phase: Phase<'_>) {}
    fn advance(&self, rows: u64, _bytes: u64) {
        let is_last = u64::from(ROWS) % 4096 == rows;
        self.has_odd_step.fetch_or(!matches!(rows, 0 | 4096) && !is_last, Ordering::Relaxed);
    }
    fn end(&self) {}
    fn note(&self, _message: &str) {}
}

/// Exports with so many threads: what is written, and whether there were several readers; or the error in words.
fn exported(database: &Path, output: &Path, threads: usize) -> Result<(Vec<Vec<u8>>, bool), String> {
    exported_by(database, output, threads, "")
}

/// As [`exported`]; by a column where `order` names one, and then with so little memory that rows are dealt out.
fn exported_by(
    database: &Path,
    output: &Path,
    threads: usize,
    order: &str,
) -> Result<(Vec<Vec<u8>>, bool), String> {
    let order = if order.is_empty() { String::new() } else { format!("t={order}") };
    exported_by_column(database, output, threads, &order)
}

/// As [`exported_by`], of any table: `order` is as it is typed.
fn exported_by_column(
    database: &Path,
    output: &Path,
    threads: usize,
    order: &str,
) -> Result<(Vec<Vec<u8>>, bool), String> {
    let order_by = if order.is_empty() { vec![] } else { vec![order.parse().expect("an order")] };
    let memory_limit_bytes = if order.is_empty() { 1 << 30 } else { 80 << 20 };
    let options =
        ExportOptions { memory_limit_bytes, order_by, threads, verify: false, ..export_options(output) };
    let steps = Steps::default();
    let clock = FixedClock("2026-11-20T09:30:00Z".parse().expect("a time"));
    let run = Run { progress: &steps, clock: &clock, interrupt: &Interrupt::new() };
    export(database, &options, run).map_err(|error| describe(&error))?;
    Ok((files(output).into_values().collect(), steps.has_odd_step.into_inner()))
}

/// A table in the order of `_created_at` and nearly of its rowids' numbers, changed by `more`.
fn notes(name: &str, more: &str) -> Fixture {
    let fixture = Fixture::new(name);
    fixture.execute(&format!(
        "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;
         CREATE TABLE notes(id INTEGER PRIMARY KEY, _created_at TEXT, short, body TEXT, measure, empty, mixed);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
         INSERT INTO notes SELECT i * 3 + i / 9000 * 1000000, printf('2026-01-01T%09d', i),
            CASE WHEN i % 4 THEN 'note ' || i % 77 END,
            printf('%0*d', 400 + i % 90, i * 7919), CASE WHEN i % 5 THEN i / 8.0 END, NULL,
            CASE i % 3 WHEN 0 THEN i WHEN 1 THEN i / 4.0 ELSE x'00ff' END FROM n; {more}"
    ));
    fixture
}

/// Several readers write what one writes, or fail as one does.
fn same_bytes_with_any_threads(fixture: &Fixture) {
    let one = exported(&fixture.path, &fixture.folder().join("1"), 1);
    for threads in [3, 8] {
        let several = exported(&fixture.path, &fixture.folder().join(threads.to_string()), threads);
        if let Ok((_, is_abreast)) = &several {
            assert!(is_abreast, "{}: {threads} threads have one reader", fixture.name);
        }
        let written = |outcome: Result<(Vec<Vec<u8>>, bool), String>| outcome.map(|(files, _)| files);
        assert!(written(several) == written(one.clone()), "{}: {threads} threads", fixture.name);
    }
}

#[test]
fn several_readers_write_the_bytes_that_one_writes() {
    let fixture = notes("sound", "");
    same_bytes_with_any_threads(&fixture);
    let (_, is_abreast) = exported(&fixture.path, &fixture.folder().join("alone"), 1).expect("exported");
    assert!(!is_abreast, "one thread has several readers");
    round_trip(&fixture);
}

#[test]
fn several_readers_of_rows_in_the_order_of_rowids_write_the_bytes_that_one_writes() {
    same_bytes_with_any_threads(&notes("rowids", "ALTER TABLE notes RENAME COLUMN _created_at TO created;"));
}

#[test]
fn several_readers_that_meet_a_cell_of_another_class_late_write_the_bytes_that_one_writes() {
    let late =
        "UPDATE notes SET empty = 'late', short = 9 WHERE id = (SELECT id FROM notes LIMIT 1 OFFSET 36000);";
    same_bytes_with_any_threads(&notes("another class", late));
}

#[test]
fn several_readers_that_meet_a_late_row_write_the_bytes_that_one_writes() {
    for offset in [3_000, 20_000, 39_999] {
        let late = format!(
            "UPDATE notes SET _created_at = '2026-01-01T000002500x'
             WHERE id = (SELECT id FROM notes LIMIT 1 OFFSET {offset});"
        );
        same_bytes_with_any_threads(&notes("a late row", &late));
    }
}

#[test]
fn several_readers_that_meet_large_rows_write_the_bytes_that_one_writes() {
    let large =
        "UPDATE notes SET mixed = zeroblob(5000000) WHERE id IN (30000, 60000, 60003, 1090000, 4119000);";
    same_bytes_with_any_threads(&notes("large rows", large));
}

#[test]
fn several_readers_that_meet_rows_of_a_few_mebibytes_write_the_bytes_that_one_writes() {
    // Around what a piece and a frame may take: alone, side by side, and in every range.
    let sizes =
        [1_000_000, 1_048_000, 1_048_576, 1_049_000, 1_500_000, 2_100_000, 3_000_000, 4_194_000, 4_194_304];
    let large = sizes.into_iter().chain([1_100_000; 6]).enumerate().map(|(number, size)| {
        let place = if number < sizes.len() { 4_000 + number * 3_900 } else { 21_000 + number };
        format!(
            "UPDATE notes SET mixed = CAST(printf('%0{size}d', {number}) AS BLOB), short = {number}
             WHERE id = (SELECT id FROM notes LIMIT 1 OFFSET {place});"
        )
    });
    same_bytes_with_any_threads(&notes("a few mebibytes", &large.collect::<Vec<_>>().concat()));
}

#[test]
fn a_large_row_among_rows_in_no_order_does_not_show_whoever_reads_it() {
    let fixture = notes(
        "dealt out",
        "UPDATE notes SET short = id * 7919 % 104729;
         UPDATE notes SET mixed = zeroblob(12000000) WHERE id = (SELECT id FROM notes LIMIT 1 OFFSET 9000);",
    );
    let of = |threads: usize| {
        let output = fixture.folder().join(format!("dealt out {threads}"));
        exported_by_column(&fixture.path, &output, threads, "notes=short").expect("exported").0
    };
    let one = of(1);
    assert!(of(4) == one && of(8) == one);
}

#[test]
fn several_readers_of_a_damaged_table_in_order_write_what_one_writes_or_fail_as_one_does() {
    const PAGE_BYTES: usize = 4096;
    const INTERIOR: u8 = 5;
    let fixture = notes("damaged", "");
    let sound = std::fs::read(&fixture.path).expect("reads");
    let pages = (1..sound.len() / PAGE_BYTES).map(|page| page * PAGE_BYTES);
    let pages: Vec<usize> = pages.filter(|&page| sound[page] == INTERIOR).collect();
    assert!(pages.len() > 3, "{} pages lead to others", pages.len());
    let mut failed = 0;
    for change in 0..12_usize {
        // Cells of such a page: four bytes of a page's number, then a rowid, at the end of the page.
        let page = pages[change * 5 % pages.len()];
        let place = page + PAGE_BYTES - 1 - change * 37 % 600;
        let mut damaged = sound.clone();
        damaged[place] ^= 1 << (change % 7);
        let database = fixture.folder().join(format!("damaged {change}.db"));
        std::fs::write(&database, damaged).expect("writes");
        let of = |threads: usize| {
            let output = fixture.folder().join(format!("out {change} {threads}"));
            exported(&database, &output, threads).map(|(files, _)| files)
        };
        let (one, several) = (of(1), of(4));
        failed += usize::from(one.is_err());
        assert_eq!(one.as_ref().err(), several.as_ref().err(), "{change}");
        assert!(one == several, "{change}: other bytes");
    }
    assert!((1..12).contains(&failed), "{failed} of 12 failed");
}

#[test]
fn a_rowid_that_has_become_a_later_one_does_not_hide_the_rows_behind_it_from_several_readers() {
    const ROWS: u32 = 40_000;
    for order in ["", "place"] {
        let fixture = Fixture::new("leaf");
        fixture.execute(&format!(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; CREATE TABLE t(place, body);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
             INSERT INTO t(rowid, place, body) SELECT i + 20000, i * 7919 % 104729, printf('%0500d', i) FROM n;"
        ));
        let sound = std::fs::read(&fixture.path).expect("reads");
        // A cell of a leaf: the size of its record, its rowid, both as varints, the size of the record's header.
        let varint = |rowid: u32| {
            let low = |shift: u32| u8::try_from(rowid >> shift & 0x7f).expect("seven bits");
            [low(14) | 0x80, low(7) | 0x80, low(0)]
        };
        let mut missed = Vec::new();
        for step in 1..24 {
            let (here, later) = (20_000 + step * 1_600 + 3, 20_000 + step * 1_600 + 1_003 + step % 5 * 300);
            let found: Vec<usize> = (0..sound.len() - 8)
                .filter(|&at| {
                    sound[at..at + 3] == varint(here) && sound[at - 2] & 0x80 != 0 && sound[at + 3] == 4
                })
                .collect();
            let &[at] = found.as_slice() else { continue };
            let mut damaged = sound.clone();
            damaged[at..at + 3].copy_from_slice(&varint(later.min(20_000 + ROWS)));
            let database = fixture.folder().join(format!("damaged {step}.db"));
            std::fs::write(&database, damaged).expect("writes");
            for threads in [1, 8] {
                let output = fixture.folder().join(format!("out {step} {threads}"));
                if exported_by(&database, &output, threads, order).is_ok() {
                    missed.push((here, later, threads));
                }
            }
            std::fs::remove_file(&database).expect("removed");
        }
        assert!(missed.is_empty(), "{order}: {missed:?}");
    }
}
