//! Restoring over a database that is there.

use crate::place::Place;

/// The name under which the old database is kept.
fn kept(names: &[String]) -> &str {
    let [name] = names else { panic!("one name more: {names:?}") };
    let shape: String = name.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "old.db.before-restore-0000-00-00T00-00-00Z");
    name
}

fn place_with_old_database() -> Place {
    let place = Place::with_snapshot();
    place.execute("old.db", "CREATE TABLE precious (v); INSERT INTO precious VALUES (42)");
    place
}

#[test]
fn the_old_database_is_kept_under_another_name() {
    let place = place_with_old_database();
    place.set_mode("old.db", 0o640);
    let old = place.read("old.db");
    let ran = place.run("restore snap old.db --overwrite");
    let names = ran.exits(0).tells_nothing().new_names();
    let kept = kept(&names);
    ran.prints(&format!("is kept as {kept}")).changes_only(&["old.db"], &[kept]);
    assert_eq!(place.read(kept), old);
    assert_eq!(place.mode(kept), 0o640);
    assert_eq!(place.mode("old.db"), place.mode("snap/manifest.json"));
    assert_eq!(place.content("old.db"), place.content("gymlog.db"));
}

#[test]
fn the_kept_name_is_in_the_document() {
    let place = place_with_old_database();
    let ran = place.run("restore snap old.db --overwrite --json");
    let document = ran.exits(0).document();
    assert_eq!(document["kept_aside"].as_str(), Some(kept(&ran.new_names())));
}

#[test]
fn the_old_database_goes_when_asked() {
    let place = place_with_old_database();
    let ran = place.run("restore snap old.db --overwrite --discard-old");
    ran.exits(0).does_not_print("kept").changes_only(&["old.db"], &[""; 0]);
    assert_eq!(place.content("old.db"), place.content("gymlog.db"));
}

#[test]
fn a_failed_restore_leaves_the_old_database_alone() {
    let place = place_with_old_database();
    place.flip_bit("snap/events.parquet", 1, 4);
    for arguments in ["", "--discard-old"] {
        let ran = place.run(&format!("restore snap old.db --overwrite {arguments}"));
        assert!(matches!(ran.code(), Some(4 | 13)), "{:?}", ran.code());
        ran.prints_nothing().changes_nothing();
    }
}

#[test]
fn a_wal_of_another_database_beside_the_target_is_neither_replayed_nor_lost() {
    let place = place_with_old_database();
    // A WAL with commits of its own, left by a killed program.
    place.execute("other.db", "PRAGMA journal_mode = WAL; CREATE TABLE others (v)");
    crate::other_process::OtherProcess::start(
        &place.path("other.db"),
        "INSERT INTO others VALUES (1); CREATE TABLE more (v)",
    )
    .kill();
    std::fs::rename(place.path("other.db-wal"), place.path("old.db-wal")).expect("moved");
    std::fs::remove_file(place.path("other.db-shm")).expect("removed");
    for arguments in ["", "--discard-old"] {
        let ran = place.run(&format!("restore snap old.db --overwrite {arguments}"));
        ran.fails(12, "old.db-wal").hints("move it away").changes_nothing();
    }
}

#[test]
fn a_file_called_like_a_wal_that_is_none_is_left_alone() {
    let place = place_with_old_database();
    place.write("old.db-wal", "a letter that happens to have this name");
    place
        .run("restore snap old.db --overwrite")
        .fails(12, "old.db-wal")
        .hints("move it away")
        .changes_nothing();
}

#[test]
fn an_index_of_a_wal_that_is_gone_is_cleared_away() {
    let place = place_with_old_database();
    place.write("old.db-shm", vec![0; 32768]);
    place.run("restore snap old.db --overwrite").exits(0);
    assert!(!place.path("old.db-shm").exists(), "SQLite makes it anew when it needs one");
}

#[test]
fn a_privileged_user_leaves_a_replaced_database_with_its_owner() {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let place = Place::with_snapshot();
    place.execute("old.db", "CREATE TABLE t(a)");
    if chown(place.path("old.db"), Some(12_345), Some(12_346)).is_err() {
        crate::place::skipped("only a privileged user can give files away");
        return;
    }
    place.run("restore snap old.db --overwrite").exits(0).tells_nothing();
    let owner = std::fs::metadata(place.path("old.db")).map(|found| (found.uid(), found.gid()));
    assert_eq!(owner.expect("is there"), (12_345, 12_346));
}
