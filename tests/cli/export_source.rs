//! Exporting what is, or is not, a database.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt as _;
use std::time::{Duration, Instant};

use crate::other_process::OtherProcess;
use crate::place::Place;

/// A table that fills some forty pages of 4096 bytes.
const MANY_PAGES: &str = "
PRAGMA page_size = 4096;
CREATE TABLE numbers (id INTEGER PRIMARY KEY, body TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
INSERT INTO numbers SELECT i, printf('%0150d', i) FROM n;
";

/// Bytes without any pattern, the same in each run.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(byte).take(count).collect()
}

#[test]
fn a_missing_file_is_not_found() {
    let place = Place::with_gymlog();
    place
        .run("export gimlog.db -o snap")
        .fails(10, "there is no such file: gimlog.db")
        .hints("path")
        .changes_nothing();
    place.run("export gymlog.db/inner.db -o snap").fails(10, "gymlog.db/inner.db").changes_nothing();
    place.run_words(["export", "", "-o", "snap"]).fails(2, "DATABASE").changes_nothing();
}

#[test]
fn a_folder_is_no_database() {
    let place = Place::with_snapshot();
    place.run("export snap -o out").fails(13, "folder").hints("restore").changes_nothing();
}

#[test]
fn a_fifo_is_refused_and_not_waited_for() {
    let place = Place::new();
    place.make_fifo("pipe.db");
    place.run("export pipe.db -o snap").fails(13, "pipe.db").changes_nothing();
}

#[test]
fn a_file_of_zero_bytes_is_refused_unless_it_is_meant() {
    let place = Place::new();
    place.write("empty.db", "");
    place.run("export empty.db -o snap").fails(13, "zero bytes").hints("--allow-empty").changes_nothing();
    place.run("export empty.db -o snap --allow-empty").exits(0).adds(&["snap"]);
    place.run("restore snap back.db").exits(0).adds(&["back.db"]);
    assert_eq!(place.ask("back.db", "SELECT count(*) FROM sqlite_schema"), "0");
    assert_eq!(place.ask("back.db", "PRAGMA integrity_check"), "'ok'");
}

#[test]
fn what_is_no_database_is_said_to_be_none() {
    let place = Place::new();
    place.write("short.db", "hello\n");
    place.write("text.db", "once upon a time there was a list of numbers\n".repeat(200));
    place.write("random.db", noise(20_000));
    place.write("encrypted.db", noise(16 * 4096));
    let mut almost = b"SQLite format 3\0".to_vec();
    almost.extend(noise(8176));
    place.write("almost.db", almost);
    for name in ["short.db", "text.db", "random.db", "encrypted.db", "almost.db"] {
        place
            .run(&format!("export {name} -o snap"))
            .fails(13, name)
            .tells("not a SQLite database, or it is encrypted")
            .hints("encrypted")
            .changes_nothing();
    }
}

#[test]
fn a_damaged_page_is_named_by_table_and_row() {
    let place = Place::new();
    place.execute("damaged.db", MANY_PAGES);
    let mut bytes = place.read("damaged.db");
    bytes[20 * 4096..20 * 4096 + 64].fill(0xff);
    place.write("damaged.db", bytes);
    let ran = place.run("export damaged.db -o snap");
    ran.fails(13, "table \"numbers\", row ").hints(".recover").changes_nothing();
    assert!(ran.stderr.contains(": damaged.db"), "{}", ran.stderr);
    let document = place.run("export damaged.db -o snap --json").exits(13).document();
    assert_eq!(document["error"]["table"], "numbers");
    let row = document["error"]["row"].as_u64().expect("a row is named");
    assert!((300..700).contains(&row), "the damage is in the middle: {row}");
}

#[test]
fn a_truncated_database_is_damaged() {
    let place = Place::new();
    place.execute("whole.db", MANY_PAGES);
    let bytes = place.read("whole.db");
    for (name, size) in [("pages.db", bytes.len() - 3 * 4096), ("half.db", 6000), ("head.db", 100)] {
        place.write(name, &bytes[..size]);
        place.run(&format!("export {name} -o snap")).fails(13, name).hints("backup").changes_nothing();
    }
}

#[test]
fn a_locked_database_is_waited_for_and_then_given_up() {
    let place = Place::with_gymlog();
    let writer = OtherProcess::start(&place.path("gymlog.db"), "BEGIN EXCLUSIVE");
    let began = Instant::now();
    place
        .run("export gymlog.db -o snap --busy-timeout 300ms")
        .fails(11, "locked by another process")
        .hints("--busy-timeout")
        .changes_nothing();
    let waited = began.elapsed();
    assert!(waited >= Duration::from_millis(300) && waited < Duration::from_secs(8), "{waited:?}");
    let freed = std::thread::scope(|scope| {
        let run = scope.spawn(|| place.run("export gymlog.db -o snap --busy-timeout 30s"));
        std::thread::sleep(Duration::from_millis(100));
        drop(writer);
        run.join().expect("the run ends")
    });
    freed.exits(0);
    assert_eq!(place.ask("gymlog.db", "SELECT count(*) FROM events"), "300");
}

#[test]
fn a_database_in_use_in_wal_mode_is_exported_with_its_latest_commit() {
    let place = Place::with_gymlog();
    place.execute("gymlog.db", "PRAGMA journal_mode = WAL");
    let sql = "INSERT INTO cache_pages VALUES ('new', x'02'); BEGIN IMMEDIATE; DELETE FROM cache_pages;";
    let writer = OtherProcess::start(&place.path("gymlog.db"), sql);
    place.run("export gymlog.db -o snap").exits(0);
    drop(writer);
    place.run("restore snap back.db").exits(0);
    assert_eq!(place.ask("back.db", "SELECT count(*) FROM cache_pages"), "3");
}

#[test]
fn any_name_of_a_database_is_taken_as_it_is() {
    let place = Place::with_gymlog();
    let bytes = place.read("gymlog.db");
    let names: [&[u8]; 7] = [
        b"-o.db",
        b"file:gymlog.db?mode=memory",
        b"with some  spaces.db",
        b"caf\xc3\xa9 \xe8\xa1\xa8.db",
        b"not\xffutf8.db",
        b":memory:",
        b"per%20cent.db",
    ];
    for name in names {
        let around = |before: &[u8], after: &[u8]| OsString::from_vec([before, name, after].concat());
        let (source, snapshot, target) = (around(b"", b""), around(b"", b".snap"), around(b"", b".back"));
        place.write(&source, &bytes);
        // Behind `--` anything is a path; behind a flag, what begins with `-` needs its `=`.
        let output = around(b"--output=", b".snap");
        place
            .run_words([OsStr::new("export"), &output, OsStr::new("--"), &source])
            .exits(0)
            .tells_nothing()
            .adds(&[&snapshot]);
        place.run_words([OsStr::new("verify"), OsStr::new("--"), &snapshot]).exits(0).changes_nothing();
        place.run_words([OsStr::new("inspect"), OsStr::new("--"), &snapshot]).exits(0).changes_nothing();
        place
            .run_words([OsStr::new("restore"), OsStr::new("--"), &snapshot, &target])
            .exits(0)
            .tells_nothing()
            .adds(&[&target]);
        assert_eq!(place.content(around(b"./", b".back")), place.content("gymlog.db"));
        for verb in [&["export", "-n"][..], &["verify", "--quick"], &["inspect"]] {
            let path = if verb[0] == "export" { &source } else { &snapshot };
            let words = verb.iter().map(OsStr::new).chain([OsStr::new("--json"), OsStr::new("--"), path]);
            place.run_words(words).exits(0).document();
        }
    }
}

/// Nothing but what SQLite itself makes beside a database in WAL mode, and nothing gone.
#[test]
fn an_export_leaves_the_database_and_its_side_files_as_they_are() {
    let modes = ["DELETE", "TRUNCATE", "PERSIST", "MEMORY", "OFF", "WAL"];
    for mode in modes {
        for arguments in
            ["-o snap", "-o snap --copy-first", "-o snap --check-source", "-n", "-t sets -o one.parquet"]
        {
            let place = Place::with_gymlog();
            place.make_folder("data");
            let sql = format!(
                "PRAGMA journal_mode = {mode}; CREATE TABLE t (v); INSERT INTO t VALUES (1), (2); {SETS}"
            );
            place.execute("data/source.db", &sql);
            let before = place.listing();
            place.run(&format!("export data/source.db {arguments}")).exits(0);
            let after = place.listing();
            let data = |listing: &crate::place::Listing| -> crate::place::Listing {
                let inside = listing.iter().filter(|(path, _)| path.starts_with("data"));
                inside.map(|(path, entry)| (path.clone(), entry.clone())).collect()
            };
            let mut found = data(&after);
            for side in ["data/source.db-wal", "data/source.db-shm"] {
                let side = std::path::Path::new(side);
                if mode == "WAL" && !before.contains_key(side) {
                    found.remove(side);
                }
            }
            assert_eq!(found, data(&before), "{mode}, {arguments}");
        }
    }
}

const SETS: &str =
    "CREATE TABLE sets (id INTEGER PRIMARY KEY, weight REAL); INSERT INTO sets VALUES (1, 2.5);";

#[test]
fn a_wal_and_its_shared_memory_stay_where_they_are() {
    let place = Place::with_gymlog();
    place.execute("gymlog.db", "PRAGMA journal_mode = WAL");
    let sql = "PRAGMA wal_autocheckpoint = 0; INSERT INTO cache_pages VALUES ('new', x'02')";
    let writer = OtherProcess::start(&place.path("gymlog.db"), sql);
    let files = ["gymlog.db", "gymlog.db-wal"];
    let before = files.map(|name| place.read(name));
    assert!(before[1].len() > 4096, "the WAL holds something");
    place.run("export gymlog.db -o snap").exits(0);
    let names: Vec<_> = std::fs::read_dir(place.folder()).expect("listed").collect();
    assert_eq!(names.len(), 4, "the database, its WAL, its shared memory, the snapshot: {names:?}");
    assert_eq!(files.map(|name| place.read(name)), before);
    drop(writer);
}
