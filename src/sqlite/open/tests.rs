//! A second reader sees the commit that the first one sees, or there is none; and what is read ahead is never shown where
//! it is no longer what the file holds.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use rusqlite::OpenFlags;
use tempfile::TempDir;

use super::*;
use crate::schema::Cell;

/// Rows of a few pages each, so many that reading ahead sets in.
const ROWS: i64 = 3_000;

struct Database {
    _folder: TempDir,
    path: PathBuf,
}

impl Database {
    fn new(mode: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.db");
        let database = Self { _folder: folder, path };
        database.execute(&format!(
            "PRAGMA page_size=1024; PRAGMA journal_mode={mode}; CREATE TABLE t(id INTEGER PRIMARY KEY, n, body);
             WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < {ROWS})
             INSERT INTO t SELECT i, 0, printf('%0800d', i) FROM c;"
        ));
        database
    }

    fn writer(&self) -> Connection {
        Connection::open(&self.path).expect("opened")
    }

    fn execute(&self, sql: &str) {
        self.writer().execute_batch(sql).expect("executed");
    }

    fn source(&self) -> Source {
        Source::open(&self.path, &OpenOptions::default(), &Interrupt::new()).expect("opened")
    }
}

/// Of all rows: the number, the sum of `n`, and whether each has its own body. `between` is called in the middle.
fn scan(source: &Source, mut between: impl FnMut(i64)) -> (i64, i64) {
    let (catalog, _) = source.read_catalog().expect("a catalog");
    let mut found = (0, 0);
    source
        .for_each_row(&catalog, 0, |rowid, cells| {
            let &[Cell::Integer(id), Cell::Integer(n), Cell::Text(body)] = cells else { panic!("{cells:?}") };
            assert_eq!((rowid, body), (Some(id), format!("{id:0800}").as_str()));
            found = (found.0 + 1, found.1 + n);
            between(id);
            Ok(ControlFlow::Continue(()))
        })
        .expect("rows");
    found
}

fn second(source: &Source) -> Option<Source> {
    source.second_reader(&[], &Interrupt::new())
}

#[test]
fn a_second_reader_sees_the_same_in_both_modes() {
    for mode in ["delete", "wal"] {
        let database = Database::new(mode);
        // In WAL mode somebody has it open, so that the WAL stays.
        let writer = database.writer();
        writer.execute_batch("UPDATE t SET n = 1 WHERE id % 3 = 0").expect("updated");
        let source = database.source();
        let second = second(&source).unwrap_or_else(|| panic!("{mode}: a second reader"));
        assert_eq!(scan(&second, |_| ()), (ROWS, ROWS / 3), "{mode}");
        assert_eq!(scan(&source, |_| ()), (ROWS, ROWS / 3), "{mode}");
    }
}

#[test]
fn there_is_no_second_reader_once_somebody_has_committed() {
    let database = Database::new("wal");
    let writer = database.writer();
    let source = database.source();
    assert!(second(&source).is_some());
    writer.execute_batch("UPDATE t SET n = 1 WHERE id = 5").expect("updated");
    assert!(second(&source).is_none());
    // Also not where the next commit makes all as it was.
    writer.execute_batch("UPDATE t SET n = 0 WHERE id = 5").expect("updated");
    assert!(second(&source).is_none());
    assert_eq!(scan(&source, |_| ()), (ROWS, 0));
}

#[test]
fn a_fold_in_without_a_commit_does_not_hinder_a_second_reader_from_seeing_the_same() {
    let database = Database::new("wal");
    let writer = database.writer();
    writer.execute_batch("UPDATE t SET n = 1").expect("updated");
    let source = database.source();
    writer.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).expect("folded in");
    if let Some(second) = second(&source) {
        assert_eq!(scan(&second, |_| ()), (ROWS, ROWS));
    }
    assert_eq!(scan(&source, |_| ()), (ROWS, ROWS));
}

#[cfg(unix)]
#[test]
fn there_is_no_second_reader_of_a_file_that_was_put_in_the_place_of_the_first() {
    for mode in ["delete", "wal"] {
        let (database, other) = (Database::new(mode), Database::new(mode));
        other.execute("UPDATE t SET n = 7");
        let source = database.source();
        fs::rename(&other.path, &database.path).expect("put in its place");
        assert!(second(&source).is_none(), "{mode}");
        assert_eq!(scan(&source, |_| ()), (ROWS, 0), "{mode}");
    }
}

#[test]
fn there_is_no_second_reader_of_a_file_that_is_gone() {
    let database = Database::new("delete");
    let source = database.source();
    fs::rename(&database.path, database.path.with_extension("moved")).expect("moved");
    assert!(second(&source).is_none());
    assert!(!database.path.exists(), "and none was made");
}

#[test]
fn a_scan_sees_its_own_commit_while_others_write_and_fold_in() {
    let database = Database::new("wal");
    let writer = database.writer();
    writer.execute_batch("PRAGMA wal_autocheckpoint=0").expect("set");
    writer.execute_batch("UPDATE t SET n = 1 WHERE id % 2 = 0").expect("updated");
    let fold_in = |how: &str| {
        writer.query_row(&format!("PRAGMA wal_checkpoint({how})"), [], |_| Ok(())).expect("folded in");
    };
    for round in 1..4 {
        let source = database.source();
        let wanted = (ROWS, if round == 1 { ROWS / 2 } else { ROWS * (round - 1) * 10 });
        assert_eq!(scan(&source, |_| ()), wanted, "before, {round}");
        let during = scan(&source, |id| match id {
            200 | 600 | 1_200 => fold_in("PASSIVE"),
            400 => writer.execute_batch(&format!("UPDATE t SET n = {round} * 10")).expect("updated"),
            900 => writer.execute_batch("CREATE TABLE more(a); DROP TABLE more;").expect("grown"),
            _ => {}
        });
        assert_eq!(during, wanted, "meanwhile, {round}");
        assert_eq!(scan(&source, |_| ()), wanted, "after, {round}");
        source.finish().expect("nothing was changed without locks");
        // A new transaction of the same connection sees what is new, and nothing of what was read ahead before.
        source.begin().expect("begun");
        assert_eq!(scan(&source, |_| ()), (ROWS, ROWS * round * 10), "anew, {round}");
        source.connection.execute_batch("ROLLBACK").expect("ended");
        fold_in(["TRUNCATE", "RESTART", "FULL"][usize::try_from(round).expect("small") % 3]);
    }
}

#[test]
fn a_new_transaction_sees_a_file_that_has_changed_and_grown_and_shrunk() {
    let database = Database::new("delete");
    let source = database.source();
    assert_eq!(scan(&source, |_| ()), (ROWS, 0));
    source.connection.execute_batch("ROLLBACK").expect("ended");
    let changes = [
        ("UPDATE t SET n = 1", (ROWS, ROWS)),
        ("INSERT INTO t SELECT id + 10000, 2, printf('%0800d', id + 10000) FROM t", (2 * ROWS, 3 * ROWS)),
        ("DELETE FROM t WHERE id > 1000; VACUUM", (1_000, 1_000)),
    ];
    for (sql, wanted) in changes {
        database.execute(sql);
        source.begin().expect("begun");
        assert_eq!(scan(&source, |_| ()), wanted, "{sql}");
        source.connection.execute_batch("ROLLBACK").expect("ended");
    }
}

#[test]
fn a_scan_gives_the_same_with_and_without_reading_ahead_forwards_and_here_and_there() {
    let database = Database::new("delete");
    database.execute("CREATE INDEX backwards ON t(-id); DELETE FROM t WHERE id % 5 = 0;");
    let options = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let plain = Connection::open_with_flags(&database.path, options).expect("opened");
    let source = database.source();
    for sql in [
        "SELECT id, n, body FROM t NOT INDEXED",
        "SELECT id, n, body FROM t ORDER BY -id",
        "SELECT id, n, body FROM t ORDER BY id * 7919 % 3001",
        "SELECT a.id, b.n, a.body || b.body FROM t a JOIN t b ON b.id = 3001 - a.id",
    ] {
        let rows = |connection: &Connection| -> Vec<(i64, i64, String)> {
            let mut statement = connection.prepare(sql).expect("prepared");
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
            rows.and_then(Iterator::collect).expect("rows")
        };
        assert_eq!(rows(&source.connection), rows(&plain), "{sql}");
    }
}

#[test]
fn a_file_that_ends_too_early_is_told_not_filled_up() {
    let database = Database::new("delete");
    let size = fs::metadata(&database.path).expect("there").len();
    // Within the last page SQLite itself reads zeros.
    for kept in [size - 1024, size - 200 * 1024, size / 2 + 7] {
        cut(&database.path, kept);
        let source = Source::open(&database.path, &OpenOptions::default(), &Interrupt::new());
        let read = source.and_then(|source| {
            let (catalog, _) = source.read_catalog()?;
            let mut rows = 0;
            source.for_each_row(&catalog, 0, |_, _| {
                rows += 1;
                Ok(ControlFlow::Continue(()))
            })?;
            Ok(rows)
        });
        assert!(read.is_err(), "{kept} of {size} bytes: {read:?}");
    }
}

fn cut(path: &Path, size: u64) {
    fs::OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(size)).expect("cut");
}

#[test]
fn a_file_put_in_place_of_another_while_that_is_opened_is_not_taken_for_it() {
    let (database, other) = (Database::new("delete"), Database::new("delete"));
    let before = Looks::of(&database.path).expect("is there");
    assert_eq!(Looks::since(Some(before.clone()), &database.path), Some(before.clone()));
    database.execute("UPDATE t SET n = 1; INSERT INTO t(n) VALUES (1)");
    assert_eq!(Looks::since(Some(before.clone()), &database.path), Looks::of(&database.path));
    let mut source = database.source();
    fs::rename(&other.path, &database.path).expect("renamed");
    source.still = Looks::since(Some(before.clone()), &database.path);
    assert_eq!(source.still, Some(before));
    assert!(second(&source).is_none(), "it would read the other file");
}
