//! What is read is what SQLite recovers, and what was given is as it was: content, names, permissions, times.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use rusqlite::Connection;
use tempfile::TempDir;

use crate::clock::SystemClock;
use crate::error::{ErrorKind, Result};
use crate::progress::Silent;
use crate::run::{Interrupt, Run};
use crate::schema::{Cell, JournalMode};
use crate::sqlite::check::CheckDepth;
use crate::sqlite::open::{OpenOptions, Reading, Source};

fn with_run<T>(work: impl FnOnce(Run<'_>) -> T) -> T {
    work(Run { progress: &Silent, clock: &SystemClock, interrupt: &Interrupt::new() })
}

fn open(path: &Path) -> Result<Source> {
    let options = OpenOptions { busy_timeout: Duration::from_millis(200), ..OpenOptions::default() };
    with_run(|run| Source::open_untouched(path, &options, None, run))
}

/// The integers in the first column of the first table.
fn numbers(source: &Source) -> Vec<i64> {
    let (catalog, _) = source.read_catalog().expect("a catalog");
    let mut found = Vec::new();
    source
        .for_each_row(&catalog, 0, |_, cells| {
            if let Cell::Integer(value) = cells[0] {
                found.push(value);
            }
            Ok(ControlFlow::Continue(()))
        })
        .expect("rows");
    found
}

/// Everything in a folder: name, content, time of the last change.
fn listing(folder: &Path) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    let entries = fs::read_dir(folder).expect("listed").map(|entry| entry.expect("an entry"));
    let facts = entries.map(|entry| {
        let modified = entry.metadata().and_then(|found| found.modified()).expect("a time");
        let content = fs::read(entry.path()).expect("read");
        (entry.file_name().to_string_lossy().into_owned(), (content, modified))
    });
    facts.collect()
}

/// Copies what lies at a database while it is open, which is what a crash leaves.
fn crash(database: &Path, into: &Path, endings: &[&str]) -> PathBuf {
    let copy = into.join("crashed.db");
    for ending in [""].iter().chain(endings) {
        let name = |path: &Path| PathBuf::from(format!("{}{ending}", path.display()));
        fs::copy(name(database), name(&copy)).expect("copied");
    }
    copy
}

fn folders() -> (TempDir, TempDir) {
    (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"))
}

fn wal_database(folder: &Path) -> (PathBuf, Connection) {
    let path = folder.join("live.db");
    let connection = Connection::open(&path).expect("created");
    connection
        .execute_batch(
            "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE t(a); INSERT INTO t VALUES (1);
             PRAGMA wal_checkpoint(TRUNCATE); INSERT INTO t VALUES (2);",
        )
        .expect("filled");
    (path, connection)
}

#[test]
fn a_wal_is_read_as_sqlite_replays_it_with_its_index_and_without() {
    for endings in [&["-wal", "-shm"][..], &["-wal"]] {
        let (live, folder) = folders();
        let (path, _connection) = wal_database(live.path());
        let crashed = crash(&path, folder.path(), endings);
        let before = listing(folder.path());
        let source = open(&crashed).expect("opened");
        assert!(matches!(source.reading, Reading::Copy(..)));
        assert_eq!(numbers(&source), [1, 2]);
        let (catalog, _) = source.read_catalog().expect("a catalog");
        assert_eq!(catalog.header.journal_mode, JournalMode::Wal);
        let check = with_run(|run| source.check(CheckDepth::Full, &catalog, &[], run)).expect("checked");
        assert_eq!(check, crate::sqlite::check::CheckReport::default());
        source.finish().expect("left alone");
        drop(source);
        assert_eq!(listing(folder.path()), before);
    }
}

#[test]
fn a_database_in_wal_mode_with_nothing_beside_it_is_read_in_place_and_leaves_nothing() {
    let (_, folder) = folders();
    let (path, connection) = wal_database(folder.path());
    connection
        .execute_batch("CREATE TABLE checked(a CHECK (a > 0)); PRAGMA ignore_check_constraints=ON; INSERT INTO checked VALUES (-1)")
        .expect("filled");
    connection.close().expect("closed");
    let before = listing(folder.path());
    assert_eq!(before.len(), 1, "nothing lies beside it");
    let source = open(&path).expect("opened");
    assert!(matches!(source.reading, Reading::Alone));
    assert_eq!(numbers(&source), [1, 2]);
    let (catalog, _) = source.read_catalog().expect("a catalog");
    assert_eq!(catalog.header.journal_mode, JournalMode::Wal);
    let check = with_run(|run| source.check(CheckDepth::Full, &catalog, &[], run)).expect("checked");
    assert_eq!(check.in_the_data, ["CHECK constraint failed in checked"], "CHECKs are looked at");
    source.finish().expect("left alone");
    drop(source);
    assert_eq!(listing(folder.path()), before);
}

#[test]
fn a_database_in_rollback_mode_is_read_in_place_under_its_lock() {
    let (_, folder) = folders();
    let path = folder.path().join("a.db");
    Connection::open(&path)
        .expect("created")
        .execute_batch(
            "CREATE TABLE t(a CHECK (a > 0)); PRAGMA ignore_check_constraints=ON; INSERT INTO t VALUES (-1)",
        )
        .expect("filled");
    let before = listing(folder.path());
    let source = open(&path).expect("opened");
    assert!(matches!(source.reading, Reading::Locked));
    assert_eq!(numbers(&source), [-1]);
    let (catalog, _) = source.read_catalog().expect("a catalog");
    let check = with_run(|run| source.check(CheckDepth::Full, &catalog, &[], run)).expect("checked");
    assert_eq!(check.in_the_data, ["CHECK constraint failed in t"], "CHECKs are looked at");
    let writer = Connection::open(&path).expect("opened");
    writer.busy_timeout(Duration::ZERO).expect("set");
    writer.execute_batch("INSERT INTO t VALUES (2)").expect_err("the lock is held, also after the checks");
    drop(writer);
    source.finish().expect("left alone");
    drop(source);
    assert_eq!(listing(folder.path()), before);
}

#[test]
fn somebody_who_writes_while_a_wal_mode_database_is_read_in_place_is_noticed() {
    let (_, folder) = folders();
    let (path, connection) = wal_database(folder.path());
    connection.close().expect("closed");
    let source = open(&path).expect("opened");
    let writer = Connection::open(&path).expect("opened");
    writer.execute_batch("INSERT INTO t VALUES (3)").expect("written");
    assert_eq!(source.finish().expect_err("noticed").kind(), ErrorKind::Busy);
    // Also once everything has been folded in and nothing lies beside it any more.
    writer.close().expect("closed");
    assert_eq!(source.finish().expect_err("noticed").kind(), ErrorKind::Busy);
}

/// A database whose journal has to be rolled back: in it are the numbers from 1 to 200, under way were their negatives.
fn hot_database(live: &Path, into: &Path) -> PathBuf {
    let path = live.join("live.db");
    let connection = Connection::open(&path).expect("created");
    connection
        .execute_batch(
            "CREATE TABLE t(a, filler);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
             INSERT INTO t SELECT i, zeroblob(3000) FROM n;
             PRAGMA cache_size=1; PRAGMA cache_spill=1; BEGIN; UPDATE t SET a = -a;",
        )
        .expect("begun");
    crash(&path, into, &["-journal"])
}

#[test]
fn a_hot_journal_is_rolled_back_in_a_copy() {
    let (live, folder) = folders();
    let crashed = hot_database(live.path(), folder.path());
    let before = listing(folder.path());
    let source = open(&crashed).expect("opened");
    assert_eq!(numbers(&source), (1..=200).collect::<Vec<_>>());
    source.finish().expect("left alone");
    drop(source);
    assert_eq!(listing(folder.path()), before);
}

#[test]
fn a_journal_with_a_super_journal_is_rolled_back_only_while_that_is_there_and_never_removes_it() {
    for exists in [true, false] {
        let (live, folder) = folders();
        let crashed = hot_database(live.path(), folder.path());
        let super_journal = folder.path().join("other.db-mj0123AB9CD");
        let name = super_journal.to_str().expect("text").as_bytes().to_vec();
        let checksum: u32 = name.iter().map(|&byte| u32::from(byte)).sum();
        let journal = folder.path().join("crashed.db-journal");
        let mut bytes = fs::read(&journal).expect("read");
        bytes.extend_from_slice(&0x4000_0001_u32.to_be_bytes());
        bytes.extend_from_slice(&name);
        bytes.extend_from_slice(&u32::try_from(name.len()).expect("short").to_be_bytes());
        bytes.extend_from_slice(&checksum.to_be_bytes());
        bytes.extend_from_slice(&[0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]);
        fs::write(&journal, bytes).expect("written");
        if exists {
            // It names no journal that still exists: SQLite itself would remove it now.
            fs::write(&super_journal, b"/nowhere/else.db-journal\0").expect("written");
        }
        let before = listing(folder.path());
        let opened = open(&crashed);
        if exists {
            assert!(numbers(&opened.expect("opened")).iter().all(|number| *number > 0));
        } else {
            // Committed, says SQLite: the journal counts for nothing, and what was spilled is the content.
            let recovered = opened.map(|source| numbers(&source).first().copied());
            assert_eq!(recovered.expect("opened"), Some(-1));
        }
        assert_eq!(listing(folder.path()), before, "super-journal: {exists}");
    }
}

#[cfg(unix)]
#[test]
fn side_files_lie_beside_the_file_that_a_link_leads_to() {
    let (live, folder) = folders();
    let crashed = hot_database(live.path(), folder.path());
    let link = live.path().join("link.db");
    std::os::unix::fs::symlink(&crashed, &link).expect("linked");
    assert!(numbers(&open(&link).expect("opened")).iter().all(|number| *number > 0));
}

#[cfg(unix)]
#[test]
fn a_side_file_that_is_no_file_is_refused_not_waited_for() {
    let (_, folder) = folders();
    let (path, connection) = wal_database(folder.path());
    connection.close().expect("closed");
    fs::create_dir(folder.path().join("live.db-wal")).expect("made");
    assert_eq!(open(&path).err().map(|error| error.kind()), Some(ErrorKind::Damaged));
}

#[test]
fn a_copy_made_under_a_busy_writer_is_one_commit() {
    let (_, folder) = folders();
    let path = folder.path().join("live.db");
    let connection = Connection::open(&path).expect("created");
    let filler = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)";
    connection
        .execute_batch(&format!(
            "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=100; PRAGMA synchronous=OFF;
             CREATE TABLE t(a, filler); {filler} INSERT INTO t SELECT 0, zeroblob(500) FROM n;"
        ))
        .expect("filled");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let stop = &stop;
        scope.spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                connection.execute_batch("UPDATE t SET a = a + 1").expect("written");
            }
        });
        for _ in 0..10 {
            match open(&path) {
                Ok(source) => {
                    let found = numbers(&source);
                    assert_eq!(found.len(), 400);
                    assert!(found.iter().all(|number| *number == found[0]), "rows of two commits");
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::Busy, "{error}"),
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    // However busy the writer kept the copies: once it rests, there is one.
    assert_eq!(numbers(&open(&path).expect("opened")).len(), 400);
}

#[test]
fn two_sources_of_one_file_keep_its_lock() {
    let (_, folder) = folders();
    let path = folder.path().join("a.db");
    Connection::open(&path).expect("created").execute_batch("CREATE TABLE t(a)").expect("filled");
    let first = open(&path).expect("opened");
    drop(open(&path).expect("opened again"));
    let writer = Connection::open(&path).expect("opened");
    writer.busy_timeout(Duration::ZERO).expect("set");
    writer.execute_batch("INSERT INTO t VALUES (2)").expect_err("the lock is still held");
    drop(first);
    writer.execute_batch("INSERT INTO t VALUES (2)").expect("and now it is not");
}
