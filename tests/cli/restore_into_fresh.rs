//! Restoring to a name that is free, or that only seems to be.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::place::Place;

#[test]
fn a_restored_database_is_the_same_and_stands_alone() {
    let place = Place::with_snapshot();
    let ran = place.run("restore snap back.db");
    ran.exits(0)
        .tells_nothing()
        .prints("back.db\n4 tables, 306 rows, ")
        .prints("verified: ")
        .adds(&["back.db"]);
    assert_eq!(place.content("back.db"), place.content("gymlog.db"));
    let document = place.run("restore snap b.db --json").exits(0).tells_nothing().document();
    assert_eq!((&document["verb"], &document["target"]), (&"restore".into(), &"b.db".into()));
    assert_eq!((&document["verified"], &document["kept_aside"]), (&true.into(), &serde_json::Value::Null));
    place.run("restore snap q.db --quiet").exits(0).prints_nothing().tells_nothing();
}

#[test]
fn a_wal_mode_database_is_restored_without_files_beside_it() {
    let place = Place::with_gymlog();
    place.execute("gymlog.db", "PRAGMA journal_mode = WAL");
    place.run("export gymlog.db -o snap").exits(0);
    place.run("restore snap back.db").exits(0).adds(&["back.db"]);
    assert_eq!(place.ask("back.db", "PRAGMA journal_mode"), "'wal'");
    assert_eq!(place.content("back.db"), place.content("gymlog.db"));
}

#[test]
fn a_fresh_target_beside_which_a_journal_lies_is_refused() {
    for ending in ["-wal", "-shm", "-journal"] {
        let place = Place::with_snapshot();
        let orphan = format!("back.db{ending}");
        place.write(&orphan, "of another database");
        for arguments in ["", "--overwrite", "--overwrite --discard-old"] {
            let ran = place.run(&format!("restore snap back.db {arguments}"));
            ran.fails(12, &orphan).hints("move them away").changes_nothing();
            assert!(!ran.stderr.contains("-o"), "restore has no -o: {}", ran.stderr);
        }
        fs::remove_file(place.path(&orphan)).expect("removed");
        symlink("nowhere", place.path(&orphan)).expect("linked");
        place.run("restore snap back.db").fails(12, &orphan).changes_nothing();
    }
}

#[test]
fn a_target_that_exists_is_refused_where_nobody_can_be_asked() {
    let place = Place::with_snapshot();
    let ran = place.run("restore snap gymlog.db");
    ran.fails(12, "the target exists: gymlog.db").hints("--overwrite").changes_nothing();
    assert!(!ran.stderr.contains(" -o"), "restore has no -o: {}", ran.stderr);
    let document = place.run("restore snap gymlog.db --json").exits(12).changes_nothing().document();
    assert_eq!((&document["exit_code"], &document["error"]["kind"]), (&12.into(), &"exists".into()));
}

#[test]
fn what_is_no_database_is_never_replaced() {
    let place = Place::with_snapshot();
    place.make_folder("folder");
    place.make_fifo("pipe");
    place.write("letter.txt", "dear all, ".repeat(1000));
    place.write("short.txt", "hi");
    symlink("gymlog.db", place.path("link.db")).expect("linked");
    symlink("nowhere", place.path("dangling.db")).expect("linked");
    for name in ["folder", "pipe", "letter.txt", "short.txt", "link.db", "dangling.db", "snap", "folder/"] {
        for arguments in ["", "--overwrite", "--overwrite --discard-old"] {
            let ran = place.run(&format!("restore snap {name} {arguments}"));
            ran.fails(12, name.trim_end_matches('/')).tells("hint: ").changes_nothing();
        }
    }
}

#[test]
fn an_empty_file_is_replaced_when_asked() {
    let place = Place::with_snapshot();
    place.write("back.db", "");
    place.run("restore snap back.db").fails(12, "exists").changes_nothing();
    place.run("restore snap back.db --overwrite").exits(0).changes_only(&["back.db"], &[""; 0]);
    assert_eq!(place.content("back.db"), place.content("gymlog.db"));
}

#[test]
fn a_folder_of_any_name_takes_a_restored_database() {
    let place = Place::with_snapshot();
    let folder = OsStr::from_bytes(b"f\xff 'o'");
    place.make_folder(folder);
    let target = Path::new(folder).join("back.db");
    place
        .run_words([OsStr::new("restore"), OsStr::new("snap"), target.as_os_str()])
        .exits(0)
        .tells_nothing()
        .adds(&[&target]);
    assert_eq!(place.content(&target), place.content("gymlog.db"));
}

#[test]
fn a_target_in_a_folder_that_is_not_there_fails_with_a_hint() {
    let place = Place::with_snapshot();
    place.run("restore snap none/back.db").fails(1, "none").hints("create the folder").changes_nothing();
    place.run("restore snap gymlog.db/back.db").fails(1, "gymlog.db").tells("hint: ").changes_nothing();
    place.run("restore snap ..").fails(2, "no name").changes_nothing();
}

#[test]
fn a_disk_too_small_for_the_database_is_noticed_first() {
    let place = Place::with_snapshot();
    match place.with_mount("size=64k", "restore snap mounted/back.db") {
        Some(command) => {
            let ran = place.finish(command);
            ran.fails(1, "not enough space").hints("free some space").changes_nothing();
        }
        None => crate::place::skipped("nothing can be mounted here"),
    }
}

#[test]
fn a_snapshot_that_cannot_be_written_to_is_restored_and_verified() {
    let place = Place::with_snapshot();
    place.make_folder("archive");
    fs::rename(place.path("snap"), place.path("archive/snap")).expect("moved");
    place.set_mode("archive/snap", 0o500);
    place.set_mode("archive", 0o500);
    place.run("verify archive/snap").exits(0).changes_nothing();
    place.run("restore archive/snap back.db").exits(0).adds(&["back.db"]);
    place.set_mode("archive", 0o700);
    place.set_mode("archive/snap", 0o700);
}

#[test]
fn a_link_in_place_of_a_file_of_the_snapshot_is_not_read() {
    let place = Place::with_snapshot();
    fs::rename(place.path("snap/events.parquet"), place.path("aside")).expect("renamed");
    symlink("../aside", place.path("snap/events.parquet")).expect("linked");
    for command in ["restore snap back.db", "inspect snap"] {
        place.run(command).fails(13, "events.parquet").hints("put the file itself").changes_nothing();
    }
}

#[test]
fn a_target_that_names_a_folder_is_refused() {
    let place = Place::with_snapshot();
    place.run("restore snap back/").fails(2, "names a folder").changes_nothing();
}
