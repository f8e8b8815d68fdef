//! Differences that other comparisons overlook, each by itself, between a database and another one, a snapshot and a
//! database, and two snapshots in different orders: `digest --check`, `diff` and `verify --against` see each of them in both
//! directions, and say what it is.

use std::fs;
use std::path::Path;

use crate::place::Place;

/// What all cases begin with: columns that take any storage class, and one table of each kind.
const BASE: &str = "
PRAGMA user_version = 41; PRAGMA application_id = 7;
CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v, w TEXT);
INSERT INTO t VALUES (1, 1, 'one'), (2, '', 'two'), (3, 0.1, 'three'), (4, 'a', 'four'), (5, NULL, 'five');
INSERT INTO t VALUES (17, 5, 'seventeen');
CREATE TABLE plain (a, b);
INSERT INTO plain VALUES ('x', 1), ('y', 2), ('z', 3);
CREATE TABLE keyed (k TEXT, l INTEGER, v, PRIMARY KEY (k COLLATE NOCASE DESC, l)) WITHOUT ROWID;
INSERT INTO keyed VALUES ('b', 1, 'x'), ('A', 2, 'y'), ('a', 3, 'z');
CREATE INDEX by_v ON t (v);
CREATE VIEW lately AS SELECT * FROM t WHERE id > 3;
CREATE TRIGGER watch AFTER DELETE ON plain BEGIN SELECT 1; END;
";

/// A name, what makes the difference, and what `diff` of the original and the changed one says of it.
const CASES: [(&str, &str, &str); 28] = [
    ("an integer as text", "UPDATE t SET v = '1' WHERE id = 1", "rowid 1, column v: INTEGER 1 / TEXT '1'"),
    ("an integer as real", "UPDATE t SET v = 1.0 WHERE id = 1", "rowid 1, column v: INTEGER 1 / REAL 1.0"),
    (
        "an integer as blob",
        "UPDATE t SET v = x'31' WHERE id = 1",
        "rowid 1, column v: INTEGER 1 / BLOB x'31'",
    ),
    (
        "empty text as empty blob",
        "UPDATE t SET v = x'' WHERE id = 2",
        "rowid 2, column v: TEXT '' / BLOB x''",
    ),
    ("empty text as NULL", "UPDATE t SET v = NULL WHERE id = 2", "rowid 2, column v: TEXT '' / NULL"),
    ("NULL as empty blob", "UPDATE t SET v = x'' WHERE id = 5", "rowid 5, column v: NULL / BLOB x''"),
    ("NULL as zero", "UPDATE t SET v = 0 WHERE id = 5", "rowid 5, column v: NULL / INTEGER 0"),
    (
        "one bit of a real",
        "UPDATE t SET v = 0.10000000000000002 WHERE id = 3",
        "rowid 3, column v: REAL 0.1 / REAL 0.10000000000000002",
    ),
    ("a trailing space", "UPDATE t SET v = 'a ' WHERE id = 4", "rowid 4, column v: TEXT 'a' / TEXT 'a '"),
    (
        "a trailing NUL",
        "UPDATE t SET v = CAST(x'6100' AS TEXT) WHERE id = 4",
        r"rowid 4, column v: TEXT 'a' / TEXT 'a\0'",
    ),
    ("another case", "UPDATE t SET v = 'A' WHERE id = 4", "rowid 4, column v: TEXT 'a' / TEXT 'A'"),
    (
        "text that is not valid",
        "UPDATE t SET v = CAST(x'61ff' AS TEXT) WHERE id = 4",
        "rowid 4, column v: TEXT 'a' / TEXT of the bytes x'61ff'",
    ),
    ("text as blob", "UPDATE t SET v = x'61' WHERE id = 4", "rowid 4, column v: TEXT 'a' / BLOB x'61'"),
    (
        "two values that changed places",
        "UPDATE plain SET b = 3 - b WHERE b < 3",
        "table \"plain\": 2 rows changed, 0 only in A, 0 only in B",
    ),
    (
        "two rows that changed places",
        "UPDATE plain SET rowid = rowid + 10 WHERE rowid < 3; UPDATE plain SET rowid = 13 - rowid WHERE rowid > 10",
        "table \"plain\": the same rows under other rowids",
    ),
    (
        "one rowid",
        "UPDATE plain SET rowid = 4 WHERE rowid = 3",
        "table \"plain\": 0 rows changed, 1 only in A, 1 only in B",
    ),
    (
        "one key",
        "UPDATE t SET id = 6 WHERE id = 5",
        "rowid 5, only in A: id: INTEGER 5, v: NULL, w: TEXT 'five'",
    ),
    ("a missing row", "DELETE FROM t WHERE id = 17", "rowid 17, only in A: id: INTEGER 17"),
    (
        "the same row twice",
        "INSERT INTO plain VALUES ('z', 3)",
        "rowid 4, only in B: a: TEXT 'z', b: INTEGER 3",
    ),
    ("the case of a key", "UPDATE keyed SET k = 'B' WHERE l = 1", "key TEXT 'b', INTEGER 1, only in A"),
    (
        "a value behind a key",
        "UPDATE keyed SET v = 'Y' WHERE l = 2",
        "key TEXT 'A', INTEGER 2, column v: TEXT 'y' / TEXT 'Y'",
    ),
    ("a counter", "UPDATE sqlite_sequence SET seq = 18", "rowid 1, column seq: INTEGER 17 / INTEGER 18"),
    ("user_version", "PRAGMA user_version = 42", "header: user_version is 41 in A and 42 in B"),
    ("application_id", "PRAGMA application_id = 8", "header: application_id is 7 in A and 8 in B"),
    ("one index less", "DROP INDEX by_v", "index \"by_v\": only in A"),
    (
        "the direction of an index",
        "DROP INDEX by_v; CREATE INDEX by_v ON t (v DESC)",
        "index \"by_v\": another definition: 'CREATE INDEX by_v ON t (v)' / 'CREATE INDEX by_v ON t (v DESC)'",
    ),
    (
        "a space in a view",
        "DROP VIEW lately; CREATE VIEW lately AS SELECT * FROM t WHERE id >3",
        "view \"lately\"",
    ),
    ("a column more", "ALTER TABLE plain ADD COLUMN c", "table \"plain\": columns only in B: c"),
];

#[test]
fn every_subtle_difference_is_seen_whatever_is_compared_with_what() {
    let is_full = std::env::var_os("PARKLITE_FULL").is_some_and(|value| value == "1");
    let place = Place::new();
    place.execute("a.db", BASE);
    place.run("export -q a.db -o a").exits(0);
    place.write("a.txt", place.run("digest a.db").exits(0).stdout.as_bytes());
    let mut runs = 0;
    for (ordinal, (name, sql, said)) in CASES.into_iter().enumerate() {
        for old in ["b.db", "b.txt"] {
            let _ = fs::remove_file(place.path(old));
        }
        let _ = fs::remove_dir_all(place.path("b"));
        fs::copy(place.path("a.db"), place.path("b.db")).expect("copied");
        place.execute("b.db", sql);
        // Another order, so that not one row group is the same.
        place.run("export -q b.db -o b --order-by t=w --order-by plain=a --order-by keyed=l").exits(0);
        place.write("b.txt", place.run("digest b.db").exits(0).stdout.as_bytes());
        let mut seen = |words: &str| {
            runs += 1;
            let ran = place.run(words);
            assert_eq!(ran.code(), Some(4), "{name}: {words}: {}{}", ran.stdout, ran.stderr);
            ran.changes_nothing();
            ran.stdout
        };
        let pairs = [("a.db", "b.db"), ("a", "b.db"), ("a.db", "b"), ("a", "b")];
        for (number, (from, to)) in pairs.into_iter().enumerate() {
            let told = seen(&format!("diff {from} {to}"));
            assert!(told.contains(said), "{name}: {from} {to}: {told}");
            // By turns, unless there is time for all.
            if is_full || number == ordinal % pairs.len() {
                seen(&format!("diff {to} {from}"));
                let told = seen(&format!("verify --data {from} --against {to}"));
                assert!(told.contains(said) && told.contains("intact"), "{name}: {from} {to}: {told}");
                seen(&format!("verify --data {to} --against {from}"));
            }
        }
        for (list, subjects) in [("a.txt", ["b", "b.db"]), ("b.txt", ["a", "a.db"])] {
            for (number, subject) in subjects.into_iter().enumerate() {
                if is_full || number == ordinal % subjects.len() {
                    let told = seen(&format!("digest --check {list} {subject}"));
                    assert!(told.contains(&format!("\n{subject}: NOT as the list says, ")), "{name}: {told}");
                }
            }
        }
        place.run("digest --check b.txt b b.db").exits(0).tells_nothing();
    }
    crate::place::told(&format!("{} subtle differences were seen in {runs} runs", CASES.len()));
}

/// Backups of one database by programs we did not write, with another layout where that is possible.
fn backups(place: &Place, database: &str) -> Vec<String> {
    let mut made = Vec::new();
    place.execute(database, "VACUUM INTO 'into.db'".replace("into.db", &shown(place, "into.db")).as_str());
    made.push("into.db".to_string());
    fs::copy(place.path(database), place.path("other-layout.db")).expect("copied");
    place.execute(
        "other-layout.db",
        "PRAGMA page_size = 512; PRAGMA auto_vacuum = INCREMENTAL; VACUUM; PRAGMA journal_mode = WAL; CREATE TABLE gone(a); DROP TABLE gone",
    );
    made.push("other-layout.db".to_string());
    let mut shell = place.in_here("sqlite3");
    shell.args([database, ".backup shell.db"]);
    match shell.output() {
        Ok(output) => {
            assert!(output.status.success(), "{output:?}");
            made.push("shell.db".to_string());
        }
        Err(_) => crate::place::skipped("backups of SQLite's shell: there is no sqlite3"),
    }
    let mut python = place.in_here("python3");
    let script = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).backup(sqlite3.connect(sys.argv[2]))";
    python.args(["-c", script, database, "python.db"]);
    match python.output() {
        Ok(output) => {
            assert!(output.status.success(), "{output:?}");
            made.push("python.db".to_string());
        }
        Err(_) => crate::place::skipped("backups of Python: there is no python3"),
    }
    made
}

fn shown(place: &Place, name: impl AsRef<Path>) -> String {
    place.path(name).display().to_string()
}

#[test]
fn backups_of_every_program_snapshots_in_any_order_and_restores_are_the_same_content() {
    let place = Place::new();
    place.execute("a.db", BASE);
    let mut subjects = backups(&place, "a.db");
    place.run("export -q a.db -o snap").exits(0);
    place.run("export -q a.db -o ordered --order-by t=w --order-by plain=b --order-by keyed=l").exits(0);
    place.run("restore -q ordered restored.db").exits(0);
    subjects.extend(["snap", "ordered", "restored.db", "a.db"].map(str::to_string));
    place.write("digests.txt", place.run("digest a.db").exits(0).tells_nothing().stdout.as_bytes());
    let all = subjects.join(" ");
    let checked = place.run(&format!("digest --check digests.txt {all}"));
    checked.exits(0).changes_nothing();
    assert_eq!(checked.stdout.lines().count(), subjects.len());
    for subject in &subjects {
        place
            .run(&format!("diff snap {subject}"))
            .exits(0)
            .changes_nothing()
            .prints("\nequal: 4 tables, 13 rows");
        place.run(&format!("verify --data {subject} --against ordered")).exits(0).changes_nothing();
    }
    // Layout is told, and does not count.
    place
        .run("diff a.db other-layout.db")
        .exits(0)
        .prints("layout only: page_size 4096 in A, 512 in B\n")
        .prints("layout only: auto_vacuum none in A, incremental in B\n")
        .prints("layout only: journal_mode rollback in A, wal in B\n");
    let document = place.run("diff --json a.db other-layout.db").exits(0).document();
    assert_eq!((&document["verb"], &document["equal"]), (&"diff".into(), &true.into()));
    assert!(document["layout"].as_array().is_some_and(|layout| layout.len() >= 3), "{document}");
}
