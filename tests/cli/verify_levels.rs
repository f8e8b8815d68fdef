//! What each level of `verify` proves, and what it says and needs for it.

use crate::place::Place;

#[test]
fn each_level_says_what_it_proved() {
    let place = Place::with_snapshot();
    for (arguments, level, proven) in [
        ("--quick", "quick", "every file has the bytes that were written"),
        ("--data", "data", "files, rows and schema are those that were written\n"),
        ("", "restore", "and a database rebuilt from them is equal"),
    ] {
        let ran = place.run(&format!("verify snap {arguments}"));
        ran.exits(0).prints("snap: intact\n4 tables, 306 rows, ").prints(proven).changes_nothing();
        let document = place.run(&format!("verify snap --json {arguments}")).exits(0).document();
        assert_eq!((&document["level"], &document["intact"]), (&level.into(), &true.into()));
        assert_eq!((&document["verb"], &document["exit_code"]), (&"verify".into(), &0.into()));
    }
}

#[test]
fn a_second_decoder_is_asked_and_says_that_it_agrees() {
    const AGREES: &str = "a second decoder (polars) agrees\n";
    let place = Place::with_snapshot();
    place.run("export gymlog.db -t sets -o sets.parquet").exits(0);
    for snapshot in ["snap", "sets.parquet"] {
        for level in ["--data", ""] {
            place.run(&format!("verify {snapshot} {level} --independent")).exits(0).prints(AGREES);
            place.run(&format!("verify {snapshot} {level}")).exits(0).does_not_print(AGREES);
            for (flag, answer) in [("--independent", true), ("", false)] {
                let document =
                    place.run(&format!("verify {snapshot} {level} {flag} --json")).exits(0).document();
                assert_eq!(document["independent"], answer, "{document}");
            }
        }
    }
    place.run("verify snap --quick --independent").exits(2).tells("cannot be used with");
}

#[test]
fn only_the_whole_proof_needs_a_temporary_database_and_says_how_much() {
    let place = Place::with_snapshot();
    place.run("verify snap").exits(0).tells("note: the temporary database needs about 1.0 MiB");
    place.run("verify snap --quiet").exits(0).tells_nothing().prints_nothing();
    for level in ["--quick", "--data"] {
        place.run(&format!("verify snap {level} --temp-dir none")).exits(0).tells_nothing();
    }
    place.run("verify snap --temp-dir none").fails(1, "none").hints("create the folder").changes_nothing();
    place.run("verify snap --temp-dir gymlog.db").fails(1, "gymlog.db").changes_nothing();
}

#[test]
fn a_single_file_snapshot_is_verified_at_every_level() {
    let place = Place::with_gymlog();
    place.run("export gymlog.db -t sets -o sets.parquet").exits(0);
    for level in ["--quick", "--data", ""] {
        place.run(&format!("verify sets.parquet {level}")).exits(0).prints("intact").changes_nothing();
    }
}

#[test]
fn findings_that_the_source_has_too_are_told_and_are_no_failure() {
    let place = Place::new();
    place.execute(
        "loose.db",
        "PRAGMA foreign_keys = OFF; CREATE TABLE parents (id INTEGER PRIMARY KEY); CREATE TABLE children (parent REFERENCES parents (id));
         INSERT INTO children VALUES (7)",
    );
    place.run("export loose.db -o snap").exits(0);
    place.run("verify snap").exits(0).prints("as in the source: ");
    place.run("restore snap back.db").exits(0).prints("as in the source: ");
}

#[test]
fn a_snapshot_is_verified_from_within_its_folder() {
    let place = Place::with_snapshot();
    let ran = place
        .run_in_shell("cd snap && parklite verify . && parklite diff . ../gymlog.db && parklite digest ./");
    ran.exits(0).changes_nothing();
}

/// That memory does not suffice says nothing about the snapshot.
#[test]
fn too_little_memory_for_a_giant_cell_is_no_damage() {
    let place = Place::new();
    place.execute("big.db", "CREATE TABLE t(b); INSERT INTO t VALUES (randomblob(120000000))");
    place.run("export big.db -o snap").exits(0);
    for level in ["--data", ""] {
        let ran = place.run(&format!("verify snap {level}"));
        ran.fails(1, "more memory than can be had").hints("--memory-limit 1GiB").changes_nothing();
    }
    place.run("verify snap --data --memory-limit 1GiB").exits(0);
}
