//! However rowids lie, places all over the table are found, and no row is read twice to look at them.

use std::ops::ControlFlow;

use super::*;
use crate::error::ErrorKind;
use crate::sqlite::open::OpenOptions;

struct Database {
    _folder: tempfile::TempDir,
    source: Source,
    catalog: Catalog,
}

impl Database {
    fn new(sql: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.db");
        Connection::open(&path).and_then(|connection| connection.execute_batch(sql)).expect("executed");
        let source = Source::open(&path, &OpenOptions::default(), &Interrupt::new()).expect("opened");
        let (catalog, _) = source.read_catalog().expect("a catalog");
        Self { _folder: folder, source, catalog }
    }

    /// A table `t` with these rowids and as many bytes in each row.
    fn with_rowids(rowids: &[i64], bytes: usize) -> Self {
        let rows: Vec<String> = rowids.iter().map(|rowid| format!("({rowid}, zeroblob({bytes}))")).collect();
        Self::new(&format!(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, body); INSERT INTO t VALUES {};",
            rows.join(", ")
        ))
    }

    fn table(&self) -> &Table {
        let is_t = |table: &&Table| table.name.is_same("t");
        self.catalog.tables.iter().find(is_t).expect("a table t")
    }

    fn firsts(&self, most: usize) -> Vec<i64> {
        self.source.rowids_all_over(self.table(), most, &Interrupt::new()).expect("found")
    }

    /// Place and rowid of all rows that are seen in a glance.
    fn seen(&self, glance: Glance, interrupt: &Interrupt) -> Result<Vec<(usize, Option<i64>)>> {
        let mut seen = Vec::new();
        self.source.for_rows_all_over(&self.catalog, 0, glance, interrupt, |place, rowid, _| {
            seen.push((place, rowid));
            ControlFlow::Continue(())
        })?;
        Ok(seen)
    }
}

const ALL_BYTES: u64 = u64::MAX;

#[test]
fn stretches_of_rowids_without_gaps_are_equally_wide() {
    let all: Vec<i64> = (1..=1_000).collect();
    let database = Database::with_rowids(&all, 1);
    assert_eq!(database.firsts(1), [1]);
    assert_eq!(database.firsts(4), [1, 251, 501, 751]);
    assert_eq!(database.firsts(8), [1, 126, 251, 376, 501, 626, 751, 876]);
    assert_eq!(database.firsts(5_000), all, "as many as there are rows");
}

#[test]
fn rowids_far_from_all_others_are_stretches_of_their_own_and_leave_the_others_theirs() {
    let mut rowids: Vec<i64> = (1..=1_000).collect();
    rowids.extend([i64::MIN, i64::MAX, 1 << 40]);
    let database = Database::with_rowids(&rowids, 1);
    assert_eq!(database.firsts(7), [i64::MIN, 1, 251, 501, 751, 1 << 40, i64::MAX]);
}

#[test]
fn a_table_whose_rowids_have_no_name_has_no_stretches_and_one_place() {
    for definition in ["t(rowid, oid, _rowid_)", "t(a PRIMARY KEY, b, c) WITHOUT ROWID"] {
        let database = Database::new(&format!(
            "CREATE TABLE {definition};
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
             INSERT INTO t SELECT i, i, i FROM n;"
        ));
        assert_eq!(database.firsts(8), Vec::<i64>::new());
        let glance = Glance { places: 5, rows: 3, bytes: ALL_BYTES };
        let seen = database.seen(glance, &Interrupt::new()).expect("seen");
        assert_eq!((seen.len(), seen.iter().all(|(place, _)| *place == 0)), (15, true), "{definition}");
    }
}

#[test]
fn no_row_is_seen_twice_however_few_there_are() {
    for rows in [1, 2, 7, 100, 1_000] {
        let database = Database::with_rowids(&(1..=rows).collect::<Vec<_>>(), 1);
        let glance = Glance { places: 32, rows: 8, bytes: ALL_BYTES };
        let seen = database.seen(glance, &Interrupt::new()).expect("seen");
        let mut rowids: Vec<_> = seen.iter().map(|(_, rowid)| rowid.expect("a rowid")).collect();
        rowids.sort_unstable();
        rowids.dedup();
        assert_eq!(rowids.len(), seen.len(), "{rows} rows");
        assert_eq!(i64::try_from(rowids.len()).expect("few"), rows.min(32 * 8), "{rows} rows");
    }
}

#[test]
fn large_rows_are_seen_in_a_few_places_all_over_the_table() {
    let database = Database::with_rowids(&(1..=400).collect::<Vec<_>>(), 10_000);
    let glance = Glance { places: 64, rows: 8, bytes: 50_000 };
    let seen = database.seen(glance, &Interrupt::new()).expect("seen");
    assert!(seen.len() <= 5 + LEAST_PLACES, "{seen:?}");
    assert_eq!(seen.last().map(|(place, _)| *place), Some(LEAST_PLACES - 1));
    for quarter in [1..=100, 101..=200, 201..=300, 301..=400] {
        let there = seen.iter().filter(|(_, rowid)| rowid.is_some_and(|rowid| quarter.contains(&rowid)));
        assert!(there.count() >= 4, "{quarter:?}: {seen:?}");
    }
}

#[test]
fn a_glance_ends_when_it_is_told_to_and_when_it_is_interrupted() {
    let database = Database::with_rowids(&(1..=100).collect::<Vec<_>>(), 1);
    let glance = Glance { places: 4, rows: 8, bytes: ALL_BYTES };
    let mut seen = 0;
    let take = |_, _: Option<i64>, _: &[Cell<'_>]| {
        seen += 1;
        if seen < 10 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    database.source.for_rows_all_over(&database.catalog, 0, glance, &Interrupt::new(), take).expect("seen");
    assert_eq!(seen, 10);
    let interrupt = Interrupt::new();
    interrupt.set();
    let error = database.seen(glance, &interrupt).expect_err("interrupted");
    assert_eq!(error.kind(), ErrorKind::Interrupted);
}

#[test]
fn no_more_rows_are_guessed_than_the_database_has_room_for() {
    let count = |database: &Database| database.source.estimate_row_count(database.table()).expect("a guess");
    assert_eq!(count(&Database::with_rowids(&(1..=400).collect::<Vec<_>>(), 10)), 400);
    let far_apart = Database::with_rowids(&[i64::MIN, 1, 2, 3, i64::MAX], 10);
    let room = far_apart.source.size_bytes().expect("a size") / 6;
    assert_eq!(count(&far_apart), room);
    let analysed = Database::new(
        "CREATE TABLE t(a); CREATE INDEX i ON t(a); INSERT INTO t VALUES (1); ANALYZE;
         UPDATE sqlite_stat1 SET stat = '9000000000000000000 1';",
    );
    assert!(count(&analysed) < 10_000);
}
