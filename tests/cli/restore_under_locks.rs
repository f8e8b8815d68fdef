//! Restoring over a database that somebody uses, or used until it was killed.

use crate::other_process::OtherProcess;
use crate::place::Place;

/// A place with a snapshot and, as `old.db`, a database in the given mode.
fn place_with_old_database(journal_mode: &str) -> Place {
    let place = Place::with_snapshot();
    place.execute(
        "old.db",
        &format!(
            "PRAGMA journal_mode = {journal_mode}; CREATE TABLE precious (id INTEGER PRIMARY KEY, v TEXT);
             INSERT INTO precious VALUES (1, 'first')"
        ),
    );
    place
}

/// Refused while it is in use, with the remedy; nothing changes but the wait.
fn is_busy(place: &Place) {
    for arguments in ["--overwrite", "--overwrite --discard-old"] {
        place
            .run(&format!("restore snap old.db {arguments} --busy-timeout 100ms"))
            .fails(11, "in use by another process: old.db")
            .hints("close the program")
            // In WAL mode whoever looks leaves marks in the shared memory.
            .changes_nothing_but("old.db-shm");
    }
}

#[test]
fn a_wal_database_of_a_living_process_is_in_use() {
    let place = place_with_old_database("WAL");
    let user = OtherProcess::start(&place.path("old.db"), "INSERT INTO precious VALUES (2, 'second')");
    is_busy(&place);
    drop(user);
    let ran = place.run("restore snap old.db --overwrite");
    let names = ran.exits(0).new_names();
    assert_eq!(place.ask(&names[0], "SELECT group_concat(v) FROM precious"), "'first,second'");
}

#[test]
fn a_rollback_database_in_a_transaction_is_in_use() {
    for sql in ["BEGIN; SELECT * FROM precious", "BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"] {
        let place = place_with_old_database("DELETE");
        let user = OtherProcess::start(&place.path("old.db"), sql);
        is_busy(&place);
        drop(user);
        place.run("restore snap old.db --overwrite").exits(0);
    }
}

#[test]
fn what_a_killed_process_committed_to_its_wal_is_kept() {
    let place = place_with_old_database("WAL");
    OtherProcess::start(
        &place.path("old.db"),
        "PRAGMA wal_autocheckpoint = 0; INSERT INTO precious VALUES (2, 'second'); BEGIN;
         INSERT INTO precious VALUES (3, 'never committed')",
    )
    .kill();
    assert!(place.path("old.db-wal").exists(), "the WAL outlives its process");
    let ran = place.run("restore snap old.db --overwrite");
    let names = ran.exits(0).new_names();
    assert_eq!(names.len(), 1, "{names:?}");
    // The one file holds it all.
    std::fs::rename(place.path(&names[0]), place.path("alone.db")).expect("moved");
    assert_eq!(place.ask("alone.db", "SELECT group_concat(v) FROM precious"), "'first,second'");
    assert_eq!(place.content("old.db"), place.content("gymlog.db"));
    assert!(!place.path("old.db-wal").exists() && !place.path("old.db-shm").exists());
}

#[test]
fn what_a_killed_process_left_half_done_is_rolled_back_before_it_is_kept() {
    let place = place_with_old_database("DELETE");
    place.execute(
        "old.db",
        "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
         INSERT INTO precious SELECT i, printf('%0200d', i) FROM n",
    );
    let whole = place.content("old.db");
    let before = place.read("old.db");
    // A small cache spills changed pages into the database before the commit.
    OtherProcess::start(
        &place.path("old.db"),
        "PRAGMA cache_size = 2; BEGIN; UPDATE precious SET v = 'half done ' || v",
    )
    .kill();
    assert_ne!(place.read("old.db"), before, "the database is half changed");
    assert!(place.path("old.db-journal").exists(), "the journal outlives its process");
    let ran = place.run("restore snap old.db --overwrite");
    let names = ran.exits(0).new_names();
    assert_eq!(names.len(), 1, "{names:?}");
    std::fs::rename(place.path(&names[0]), place.path("alone.db")).expect("moved");
    assert_eq!(place.content("alone.db"), whole);
    assert!(!place.path("old.db-journal").exists());
}
