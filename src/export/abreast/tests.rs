//! Readers abreast of tables whose ranges are known, and fewer readers than wanted.

use std::path::Path;

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::clock::SystemClock;
use crate::durable::Stage;
use crate::export::further_readers::FurtherReaders;
use crate::export::order::order_of;
use crate::export::table::WrittenTable;
use crate::parquet_file::WriterSettings;
use crate::progress::Silent;
use crate::run::{Interrupt, Run};
use crate::sqlite::open::{OpenOptions, Source};

/// Rows of 450 bytes and more: 18 MiB.
const ROWS: i64 = 40_000;

fn database() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let connection = Connection::open(folder.path().join("a.db")).expect("opened");
    connection
        .execute_batch(&format!(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;
             CREATE TABLE t(id INTEGER PRIMARY KEY, _created_at TEXT, body TEXT);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
             INSERT INTO t SELECT i, printf('%09d', i), printf('%0450d', i * 7919) FROM n;"
        ))
        .expect("filled");
    folder
}

/// Lets `work` have the job of exporting the table with many threads and so many further readers, and what is seen of it.
fn with_job<T>(folder: &Path, readers: &FurtherReaders, work: impl FnOnce(&TableJob<'_>, &Sample) -> T) -> T {
    let interrupt = Interrupt::new();
    let source = Source::open(&folder.join("a.db"), &OpenOptions::default(), &interrupt).expect("opened");
    let (catalog, _) = source.read_catalog().expect("a catalog");
    let stage = Stage::create(folder).expect("a stage");
    let job = TableJob {
        source: &source,
        catalog: &catalog,
        ordinal: 0,
        order: &order_of(&catalog.tables[0], &[]).expect("an order"),
        stage: &stage,
        staged_name: Path::new("t.parquet"),
        spill_folder: stage.path(),
        readers,
        settings: WriterSettings { compression_level: 1 },
        memory_limit_bytes: 1 << 30,
        threads: 8,
        overrun: None,
        run: Run { progress: &Silent, clock: &SystemClock, interrupt: &interrupt },
    };
    let sample = job.sample().expect("a sample");
    assert!(sample.in_order, "what is seen of it is in order");
    work(&job, &sample)
}

/// Writes the table; whether its rows were in order.
fn is_found_in_order(folder: &Path) -> bool {
    let readers = FurtherReaders::of(8);
    let written = with_job(folder, &readers, |job, sample| job.write(sample, &|_, _| Ok(Vec::new())));
    let WrittenTable { in_key_order, facts, .. } = written.expect("written");
    assert_eq!(facts.digest.row_count, ROWS.unsigned_abs());
    in_key_order
}

#[test]
fn rows_in_order_within_each_range_but_not_across_two_are_found_out_of_order() {
    let folder = database();
    assert!(is_found_in_order(folder.path()));
    let begins = with_job(folder.path(), &FurtherReaders::of(8), |job, sample| {
        let Abreast { ranges, readers } = job.abreast(sample).expect("read").expect("several readers");
        assert!(readers.len() > 2 && ranges.count() >= 8, "{} readers of {}", readers.len(), ranges.count());
        (1..ranges.count()).filter_map(|range| ranges.bounds(range)?.0).collect::<Vec<i64>>()
    });
    let connection = Connection::open(folder.path().join("a.db")).expect("opened");
    // Of two readers, of one and the same, and the last.
    for begin in [begins[0], begins[3], begins[begins.len() - 1]] {
        let place = |key: String| {
            let sql = format!("UPDATE t SET _created_at = '{key}' WHERE id = {begin}");
            assert_eq!(connection.execute(&sql, []), Ok(1), "{begin}");
        };
        // Behind the row before it, and still before the one that follows it.
        place(format!("{:09}", begin - 2) + "x");
        assert!(!is_found_in_order(folder.path()), "{begin}");
        place(format!("{begin:09}"));
    }
    assert!(is_found_in_order(folder.path()));
}

#[test]
fn there_are_as_many_readers_as_there_are_places_for_and_one_has_no_use() {
    let folder = database();
    for (places, expected) in [(0, 0), (1, 0), (2, 2), (3, 3), (9, 4)] {
        let further = FurtherReaders::of(places);
        let found = with_job(folder.path(), &further, |job, sample| {
            let abreast = job.abreast(sample).expect("read");
            let found = abreast.as_ref().map_or(0, |abreast| abreast.readers.len());
            assert_eq!(further.left(), places - found, "a place is taken by each");
            found
        });
        assert_eq!((found, further.left()), (expected, places), "places are given back");
    }
}
