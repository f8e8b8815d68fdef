//! A database that another process has locked: waited for, and told when the wait is over.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use parklite::error::ErrorKind;
use parklite::progress::Silent;
use rusqlite::Connection;

use crate::support::{PATIENCE, dump, ending, export_options, export_with, names, parklite, run};

fn create(path: &Path, journal_mode: &str) -> Connection {
    let connection = Connection::open(path).expect("created");
    connection
        .execute_batch(&format!(
            "PRAGMA journal_mode={journal_mode}; CREATE TABLE t(v); INSERT INTO t VALUES (1), (2);"
        ))
        .expect("filled");
    connection
}

#[test]
fn an_export_waits_for_a_lock_that_goes_in_time() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let holder = create(&folder.path().join("busy.db"), "delete");
    holder.execute_batch("BEGIN EXCLUSIVE; INSERT INTO t VALUES (3);").expect("locked");
    let mut command = parklite(folder.path(), ["export", "busy.db", "-o", "out", "--busy-timeout", "2m"]);
    let mut child = command.stderr(Stdio::piped()).spawn().expect("started");
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().expect("asked").is_none(), "it cannot end before the lock does");
    holder.execute_batch("COMMIT").expect("unlocked");
    let ended = child.wait_with_output().expect("ended");
    assert!(ended.status.success(), "{}", ending(&ended));
    let restored = run(&mut parklite(folder.path(), ["restore", "out", "restored.db"]));
    assert!(restored.status.success(), "{}", ending(&restored));
    assert_eq!(dump(&folder.path().join("restored.db")), dump(&folder.path().join("busy.db")));
}

#[test]
fn an_export_gives_up_on_a_lock_that_stays() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let database = folder.path().join("busy.db");
    let holder = create(&database, "delete");
    holder.execute_batch("BEGIN EXCLUSIVE").expect("locked");
    let mut options = export_options(&folder.path().join("out"));
    options.open.busy_timeout = Duration::from_millis(50);
    let since = Instant::now();
    let error = export_with(&database, &options, &Silent).expect_err("locked");
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    assert!(since.elapsed() >= options.open.busy_timeout, "it waited as long as it was told");
    assert!(since.elapsed() < PATIENCE, "and not for ever");

    let ended =
        run(&mut parklite(folder.path(), ["export", "busy.db", "-o", "out", "--busy-timeout", "50ms"]));
    assert_eq!(ended.status.code(), Some(11), "{}", ending(&ended));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("--busy-timeout"), "{}", ending(&ended));
    assert_eq!(names(folder.path()), ["busy.db"]);
}

#[test]
fn a_database_in_use_is_not_restored_over() {
    for journal_mode in ["delete", "wal"] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let target = folder.path().join("target.db");
        create(&folder.path().join("new.db"), journal_mode);
        let ended = run(&mut parklite(folder.path(), ["export", "new.db", "-o", "out"]));
        assert!(ended.status.success(), "{}", ending(&ended));
        let holder = create(&target, journal_mode);
        holder.execute_batch("INSERT INTO t VALUES (3); BEGIN; SELECT * FROM t;").expect("in use");
        let before = names(folder.path());
        let arguments = ["restore", "out", "target.db", "--overwrite", "--busy-timeout", "50ms"];
        let ended = run(&mut parklite(folder.path(), arguments));
        assert_eq!(ended.status.code(), Some(11), "{journal_mode}: {}", ending(&ended));
        assert!(String::from_utf8_lossy(&ended.stderr).contains("close the program"), "{}", ending(&ended));
        assert_eq!(names(folder.path()), before, "{journal_mode}: nothing appeared and nothing vanished");
        let rows: i64 = holder.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).expect("counted");
        assert_eq!(rows, 3, "{journal_mode}: the user of the database goes on undisturbed");

        drop(holder);
        let ended = run(&mut parklite(folder.path(), arguments));
        assert!(ended.status.success(), "{journal_mode}: {}", ending(&ended));
        assert_eq!(dump(&target), dump(&folder.path().join("new.db")));
    }
}

/// Some programs keep their journal from commit to commit; that one is the database's own.
#[test]
fn a_database_with_a_persistent_journal_is_replaced_together_with_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    drop(create(&folder.path().join("new.db"), "delete"));
    drop(create(&folder.path().join("target.db"), "persist"));
    assert_eq!(names(folder.path()), ["new.db", "target.db", "target.db-journal"]);
    for arguments in [
        ["export", "new.db", "-o", "out"].as_slice(),
        &["restore", "out", "target.db", "--overwrite", "--discard-old"],
    ] {
        let ended = run(&mut parklite(folder.path(), arguments));
        assert!(ended.status.success(), "{}", ending(&ended));
    }
    assert_eq!(names(folder.path()), ["new.db", "out", "target.db"]);
}
