//! Parquet files of other programs, before Python's own SQLite.
//!
//! `scripts/make_foreign.py` makes them and says, through pyarrow or by hand, what each must become; parklite restores
//! them; `scripts/check_foreign.py` compares every cell. Some files have random columns, nested at random, written with
//! random settings: `PARKLITE_FULL=1` makes many more of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;
use tempfile::TempDir;

use crate::judges::{Judges, PARKLITE, report, root};

/// How many files of random columns are judged.
const RANDOM_FILES: usize = 20;
const MOST_RANDOM_FILES: usize = 1000;

#[test]
fn every_type_of_every_writer_becomes_what_its_judges_say() {
    let Some(judges) = Judges::find("files of other programs") else { return };
    let folder = TempDir::new().expect("a temporary folder can be made");
    let random = if is_full() { MOST_RANDOM_FILES } else { RANDOM_FILES };
    let made = judges
        .script("make_foreign.py")
        .args(["--random", &random.to_string()])
        .arg(folder.path())
        .output()
        .expect("Python starts");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    for file in with_ending(folder.path(), "parquet") {
        restore(&file);
    }
    let judge = || judges.script("check_foreign.py").arg(folder.path()).output().expect("Python starts");
    report("files of other programs", &judge());

    // A judge that finds nothing in a changed cell would find nothing at all.
    for change in [
        "UPDATE hand_times SET date = '5881580-07-11' WHERE date = '+5881580-07-11'",
        "UPDATE hand_times SET date = CAST(date AS BLOB) WHERE rowid = 1",
        "UPDATE hand_times SET \"int96\" = NULL WHERE rowid = 2",
        "DELETE FROM hand_times WHERE rowid = 6",
    ] {
        let database = folder.path().join("hand_times.db");
        let before = fs::read(&database).expect("the database is there");
        let connection = Connection::open(&database).expect("the database opens");
        assert_eq!(connection.execute(change, []).expect("the change is sound"), 1, "{change}");
        connection.close().expect("the database closes");
        let output = judge();
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{change}: {said}");
        assert!(said.contains("WRONG: hand_times") && said.ends_with(" 1 wrong\n"), "{change}: {said}");
        fs::write(&database, before).expect("the database can be written");
    }
}

#[test]
fn the_kept_files_are_those_that_the_script_makes() {
    let Some(judges) = Judges::find("the kept files of other programs") else { return };
    let folder = TempDir::new().expect("a temporary folder can be made");
    let made =
        judges.script("make_foreign.py").arg("--small").arg(folder.path()).output().expect("Python starts");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let kept = root().join("fixtures").join("foreign");
    for ending in ["parquet", "json"] {
        let names = |folder: &Path| -> Vec<_> {
            with_ending(folder, ending)
                .iter()
                .map(|path| path.file_name().expect("a name").to_owned())
                .collect()
        };
        assert_eq!(names(folder.path()), names(&kept));
        for path in with_ending(folder.path(), ending) {
            let name = path.file_name().expect("a name");
            let is_same = fs::read(&path).expect("made") == fs::read(kept.join(name)).expect("kept");
            assert!(is_same, "{} is not what the script makes", name.display());
        }
    }
}

fn is_full() -> bool {
    std::env::var_os("PARKLITE_FULL").is_some_and(|value| value == "1")
}

fn restore(file: &Path) {
    let said = Command::new(PARKLITE)
        .args(["--json", "restore"])
        .arg(file)
        .arg(file.with_extension("db"))
        .output()
        .expect("parklite starts");
    let errors = String::from_utf8_lossy(&said.stderr);
    assert!(!errors.contains("panicked"), "{}: {errors}", file.display());
    fs::write(file.with_extension("report.json"), said.stdout).expect("the report can be written");
}

fn with_ending(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder can be listed");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut found: Vec<_> = paths.filter(|path| path.extension().is_some_and(|own| own == ending)).collect();
    found.sort();
    found
}
