//! `verify`, `inspect`, `digest` and `diff` of SQLite databases that anybody made: what SQLite would recover is what is
//! read, and nothing that is given is touched.

use std::fs;
use std::path::Path;
use std::process::Command;

use rusqlite::Connection;

use crate::other_process::OtherProcess;
use crate::place::{PROGRAM, Place};
use crate::ran::Ran;

/// Copies a database and what lies beside it while it is open, which is what a crash leaves.
fn crash(place: &Place, from: &str, to: &str, endings: &[&str]) {
    for ending in endings {
        let copied = fs::copy(place.path(format!("{from}{ending}")), place.path(format!("{to}{ending}")));
        copied.unwrap_or_else(|error| panic!("{from}{ending}: {error}"));
    }
}

/// Databases that have to be recovered, each in a folder of its own, beside what SQLite's own recovery makes of a copy.
fn crashed(place: &Place) -> Vec<(&'static str, &'static [&'static str])> {
    place.execute("live.db", "CREATE TABLE t(a, b); PRAGMA journal_mode = WAL;");
    let wal = Connection::open(place.path("live.db")).expect("opened");
    wal.execute_batch("PRAGMA wal_autocheckpoint = 0; INSERT INTO t VALUES (1, 'in the WAL')")
        .expect("written");
    place.execute(
        "rolling.db",
        "CREATE TABLE t(a, b); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
         INSERT INTO t SELECT i, zeroblob(2000) FROM n",
    );
    let journal = Connection::open(place.path("rolling.db")).expect("opened");
    journal
        .execute_batch("PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN; UPDATE t SET a = -a")
        .expect("begun");
    let cases: Vec<(&str, &[&str])> = vec![
        ("wal", &["", "-wal", "-shm"]),
        ("wal-without-index", &["", "-wal"]),
        ("index-without-wal", &["", "-shm"]),
        ("journal", &["", "-journal"]),
    ];
    for (folder, endings) in &cases {
        let from = if *folder == "journal" { "rolling.db" } else { "live.db" };
        for folder in [(*folder).to_string(), format!("recovered-{folder}")] {
            place.make_folder(&folder);
            crash(place, from, &format!("{folder}/a.db"), endings);
        }
        // Another program's SQLite recovers the second copy.
        let recovered = format!("recovered-{folder}/a.db");
        let ours = Connection::open(place.path(&recovered)).expect("opened");
        ours.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0)).expect("recovered");
        ours.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get::<_, String>(0)).expect("one file");
    }
    drop((wal, journal));
    cases
}

#[test]
fn a_database_with_something_beside_it_is_read_as_sqlite_recovers_it_and_stays_as_it_was() {
    let place = Place::new();
    for (folder, _) in crashed(&place) {
        let (hot, recovered) = (format!("{folder}/a.db"), format!("recovered-{folder}/a.db"));
        place.write("digests.txt", place.run(&format!("digest {recovered}")).exits(0).stdout.as_bytes());
        place.run(&format!("digest --check digests.txt {hot}")).exits(0).changes_nothing();
        place.run(&format!("diff {hot} {recovered}")).exits(0).changes_nothing();
        place
            .run(&format!("verify {hot} --against {recovered}"))
            .exits(0)
            .changes_nothing()
            .prints("private copy");
        place.run(&format!("inspect {hot} --columns")).exits(0).changes_nothing().prints("private copy");
    }
}

/// Runs a command as this user without the rights that let root write everywhere.
fn without_rights(place: &Place, words: &str) -> Option<Ran> {
    let is_root = rustix::process::geteuid().is_root();
    let mut command = if is_root { place.in_here("setpriv") } else { place.command() };
    if is_root {
        let probe = Command::new("setpriv").args(["--bounding-set=-all", "--inh-caps=-all", "true"]).output();
        if !probe.is_ok_and(|probe| probe.status.success()) {
            crate::place::skipped("folders that may not be written: there is no setpriv");
            return None;
        }
        command.args(["--bounding-set=-all", "--inh-caps=-all", PROGRAM]);
    }
    command.args(words.split_whitespace()).env("TMPDIR", place.path("tmp"));
    Some(place.finish(command))
}

#[test]
fn a_folder_that_may_not_be_written_is_no_obstacle() {
    let place = Place::new();
    let mut cases = crashed(&place);
    place.make_folder("tmp");
    // In WAL mode and closed cleanly: SQLite would want a -shm beside it.
    place.make_folder("clean-wal");
    place.execute(
        "clean-wal/a.db",
        "PRAGMA journal_mode = WAL; CREATE TABLE t(a CHECK (a > 0)); INSERT INTO t VALUES (1)",
    );
    place.make_folder("recovered-clean-wal");
    crash(&place, "clean-wal/a.db", "recovered-clean-wal/a.db", &[""]);
    cases.push(("clean-wal", &[""]));
    for (folder, endings) in cases {
        for ending in endings {
            place.set_mode(format!("{folder}/a.db{ending}"), 0o444);
        }
        place.set_mode(folder, 0o555);
        let compare = format!("diff {folder}/a.db recovered-{folder}/a.db");
        for words in [&compare, &format!("verify {folder}/a.db"), &format!("inspect {folder}/a.db")] {
            if let Some(ran) = without_rights(&place, words) {
                ran.exits(0).changes_nothing();
            }
        }
        place.set_mode(folder, 0o755);
    }
}

#[test]
fn a_database_in_use_is_read_without_a_trace_or_not_at_all() {
    let place = Place::with_gymlog();
    // Idle, in rollback mode: only a lock is held meanwhile.
    let gymlog = place.path("gymlog.db");
    let idle = OtherProcess::start(&gymlog, "SELECT count(*) FROM sets; BEGIN; SELECT count(*) FROM sets");
    place.run("verify gymlog.db").exits(0).changes_nothing();
    drop(idle);
    let locked = OtherProcess::start(&gymlog, "BEGIN EXCLUSIVE");
    place.run("digest gymlog.db --busy-timeout 100ms").fails(11, "locked").changes_nothing();
    drop(locked);
    let writing = OtherProcess::start(&gymlog, "PRAGMA journal_mode = WAL; DELETE FROM cache_pages");
    // In use in WAL mode: a copy of the last commit.
    place.run("inspect gymlog.db").exits(0).changes_nothing().prints("cache_pages         0");
    drop(writing);
}

#[test]
fn what_is_wrong_with_a_database_is_named_and_the_exit_code_is_4() {
    let place = Place::new();
    place.execute(
        "rules.db",
        "CREATE TABLE parent(id INTEGER PRIMARY KEY);
         CREATE TABLE child(p REFERENCES parent, c CHECK (c > 0));
         PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;
         INSERT INTO child VALUES (1, 1), (NULL, -1)",
    );
    place
        .run("verify rules.db")
        .exits(4)
        .changes_nothing()
        .prints("in the data: CHECK constraint failed in child\n")
        .prints("in the data: 1 rows of \"child\" point to no row of \"parent\"\n")
        .prints("rules.db: FINDINGS, 2 findings\n");
    let document = place.run("verify --json rules.db").exits(4).document();
    assert_eq!((&document["intact"], &document["exit_code"]), (&false.into(), &4.into()));
    assert_eq!(document["check"]["in_the_data"].as_array().map(Vec::len), Some(2), "{document}");
    assert_eq!(document["tables"][1]["digest"].as_str().map(|digest| &digest[..2]), Some("2-"), "{document}");

    // Rows that break rules can be read and compared all the same.
    place
        .run("verify rules.db --against rules.db")
        .exits(4)
        .prints("FINDINGS, 2 findings\n")
        .prints("\nequal: 2 tables, 2 rows");

    // An index that lacks an entry: only the full check looks at it.
    place.execute(
        "index.db",
        "CREATE TABLE t(a, b); CREATE INDEX i ON t(a); INSERT INTO t VALUES (1, 2), (3, 4);
         PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE INDEX i ON t(b)' WHERE name = 'i'",
    );
    place.run("verify index.db").exits(4).changes_nothing().prints("integrity: ").prints("DAMAGED");
    place.run("verify --quick index.db").exits(0).changes_nothing().prints("rows were not read");

    // A page of zeros in the middle.
    place.execute(
        "page.db",
        "CREATE TABLE whole(a); INSERT INTO whole VALUES (1); CREATE TABLE torn(a);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
         INSERT INTO torn SELECT zeroblob(1000) FROM n",
    );
    let mut bytes = place.read("page.db");
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0);
    place.write("page.db", bytes);
    place
        .run("verify page.db")
        .exits(4)
        .changes_nothing()
        .prints("integrity: Tree ")
        .prints("table \"torn\": cannot be read to its end at row ")
        .prints("page.db: DAMAGED, ")
        .does_not_print("whole");
    place.run("verify page.db --against page.db").exits(4).prints("not compared with page.db");
    place.run("digest page.db").fails(13, "table \"torn\"").changes_nothing();
}

#[test]
fn what_cannot_be_read_at_all_is_exit_13_and_what_is_not_there_10() {
    let place = Place::with_gymlog();
    place.write("none.db", "");
    place.write("text.db", "not a database, not by far, whatever the name says");
    let mut bytes = place.read("gymlog.db");
    bytes.truncate(5000);
    place.write("torn.db", &bytes);
    bytes[30..5000].fill(0xaa);
    place.write("noise.db", &bytes);
    // What an encrypted database looks like: no byte of its header is readable.
    let noise = (0..20_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect::<Vec<_>>();
    place.write("encrypted.db", noise);
    for verb in ["verify", "inspect", "digest", "diff gymlog.db"] {
        place
            .run(&format!("{verb} encrypted.db"))
            .fails(13, "neither a snapshot nor a SQLite database")
            .hints("encrypted")
            .changes_nothing();
        place.run(&format!("{verb} none.db")).fails(13, "zero bytes").changes_nothing();
        place.run(&format!("{verb} text.db")).fails(13, "text.db").changes_nothing();
        place.run(&format!("{verb} noise.db")).fails(13, "noise.db").changes_nothing();
        place.run(&format!("{verb} missing.db")).fails(10, "missing.db").changes_nothing();
    }
    let torn = place.run("verify torn.db");
    assert!(matches!(torn.code(), Some(4 | 13)), "{}{}", torn.stdout, torn.stderr);
}

#[test]
fn what_makes_no_sense_for_a_database_is_refused_before_any_work() {
    let place = Place::with_gymlog();
    place
        .run("verify gymlog.db --independent")
        .fails(2, "--independent is about decoding a snapshot")
        .changes_nothing();
    place.run("verify gymlog.db --against none").fails(10, "none").prints_nothing();
    place.write("text.txt", "not a database");
    place.run("verify gymlog.db --against text.txt").fails(13, "text.txt").prints_nothing();
    place.run("verify gymlog.db --max-rows 3").fails(2, "required arguments");
}

#[test]
fn rules_that_take_for_ever_are_given_up() {
    let place = Place::new();
    // Each column is computed from the one before it, twice: the last one takes a million additions.
    let columns: Vec<String> = (1..=20).map(|n| format!("g{n} AS (g{0} + g{0})", n - 1)).collect();
    let columns = columns.join(", ");
    place.execute(
        "slow.db",
        &format!("CREATE TABLE t(g0, {columns}, CHECK (g20 >= 0)); INSERT INTO t VALUES (1), (2), (3)"),
    );
    for level in ["", "--quick"] {
        place
            .run(&format!("verify slow.db --expression-timeout 1ms {level}"))
            .fails(1, "evaluating the rules of the tables took longer")
            .hints("--expression-timeout")
            .changes_nothing();
        place.run(&format!("verify slow.db {level}")).exits(0);
    }
}

#[test]
fn a_database_is_inspected_without_reading_more_than_is_asked_for() {
    let place = Place::with_gymlog();
    place
        .run("inspect gymlog.db")
        .exits(0)
        .tells_nothing()
        .changes_nothing()
        .prints("  a SQLite database of ")
        .prints("rollback journal, user_version 0")
        .prints("1 view, 1 trigger, 0 virtual tables; digest ")
        .prints("sqlite_autoindex_events_1 (primary key)")
        .prints("view heavy\ntrigger no_more\n");
    let columns = place.run("inspect gymlog.db --table SETS");
    columns.exits(0).changes_nothing().prints("DECIMAL(5,2)").does_not_print("payload");
    let list = place.run("digest gymlog.db -t sets").stdout;
    columns.prints(&format!("\nsets: digest 3-{}\n", list.split_whitespace().next().unwrap_or_default()));
    let weight = columns.stdout.lines().find(|line| line.trim_start().starts_with("weight")).expect("a line");
    // NULL, INTEGER, REAL, TEXT, TEXT that is not valid, BLOB.
    assert_eq!(
        weight.split_whitespace().skip(2).collect::<Vec<_>>(),
        ["0", "1", "2", "0", "0", "0"],
        "{weight}"
    );
    place.run("inspect gymlog.db -t stes").fails(2, "the database has no table \"stes\"").hints("sets");
    let document = place.run("inspect --json gymlog.db").exits(0).document();
    assert_eq!(document["tables"][0]["rows"], 300);
    assert_eq!(document["tables"][0]["columns"][0]["cells"], serde_json::Value::Null);
    assert_eq!(document["others"][0], serde_json::json!(["view", "heavy"]));
}

#[test]
fn a_database_is_not_restored() {
    let place = Place::with_gymlog();
    place
        .run("restore gymlog.db copy.db")
        .fails(13, "this is already a database")
        .hints("parklite export")
        .changes_nothing();
    assert!(!Path::new(&place.path("copy.db")).exists());
}

/// SQLite does not interrupt one call of a function, whatever it is given.
#[test]
fn a_call_that_takes_for_ever_ends_with_its_deadline() {
    let place = Place::new();
    place.execute("evil.db", "CREATE TABLE t(b); INSERT INTO t VALUES (zeroblob(400000))");
    let rule = "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = \
        'CREATE TABLE t(b CHECK (instr(zeroblob(1800000), zeroblob(900000) || x''01'') = 0))'";
    place.execute("evil.db", rule);
    let ran = place.run("verify evil.db --expression-timeout 1s --json");
    ran.exits(1).tells("took longer than").tells("--expression-timeout").changes_nothing();
    assert_eq!(ran.document()["exit_code"], 1);
}
