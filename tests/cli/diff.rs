//! `diff`: what it shows of large, wide and odd differences, and how much.

use std::time::Duration;

use parklite::clock::SystemClock;
use parklite::content::{Content, ContentOptions};
use parklite::progress::Silent;
use parklite::run::{Interrupt, Run};

use crate::place::Place;

#[test]
fn as_many_rows_are_shown_as_asked_for_and_all_are_counted() {
    let place = Place::with_gymlog();
    std::fs::copy(place.path("gymlog.db"), place.path("b.db")).expect("copied");
    place.execute("b.db", "UPDATE events SET payload = payload || ' ' WHERE rowid % 3 = 0; DELETE FROM events WHERE rowid > 290");
    let shown = |words: &str| -> (String, usize) {
        let stdout = place.run(words).exits(4).changes_nothing().stdout.clone();
        let rows = stdout.lines().filter(|line| line.starts_with("  rowid ")).count();
        (stdout, rows)
    };
    let said = "table \"events\": 96 rows changed, 10 only in A, 0 only in B\n";
    for (options, rows, more) in [
        ("", 10, "and 96 more"),
        ("--max-rows 3", 3, "and 103 more"),
        ("--max-rows 0", 0, "and 106 more"),
        ("--max-rows 500", 106, "DIFFERENT"),
    ] {
        let (text, count) = shown(&format!("diff gymlog.db b.db {options}"));
        assert!(text.contains(said) && text.contains(more), "{text}");
        assert_eq!(count, rows, "{text}");
    }
    let document = place.run("diff --json gymlog.db b.db --max-rows 1").exits(4).document();
    let table = &document["tables"][0];
    assert_eq!((&table["rows_changed"], &table["rows_only_in_a"]), (&96.into(), &10.into()), "{document}");
    assert_eq!(table["examples"][0]["cells"][0]["column"], "payload");
    assert_eq!(table["examples"][0]["cells"][0]["a"]["class"], "TEXT");
    place.run("diff gymlog.db b.db --table sets -t cache*").exits(0).prints("equal: 2 tables, 5 rows");
    place.run("diff gymlog.db b.db --table evnts").fails(2, "no table matches \"evnts\"").hints("events");
}

#[test]
fn a_snapshot_of_part_of_a_database_is_compared_with_that_part() {
    let place = Place::with_gymlog();
    place.run("export -q gymlog.db -t sets -o sets.parquet").exits(0);
    place
        .run("diff sets.parquet gymlog.db")
        .exits(4)
        .prints("table \"events\": only in B, 300 rows\n")
        .prints("view \"heavy\": only in B\n")
        .prints("a snapshot of part of a database");
    place.run("diff sets.parquet gymlog.db --table sets").exits(0).prints("equal: 1 table, 3 rows");
}

#[test]
fn long_and_odd_values_are_cut_to_where_they_differ() {
    let place = Place::new();
    place.execute(
        "a.db",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES
         (1, printf('%.500c', 'x') || 'one' || printf('%.500c', 'y')), (2, zeroblob(5000)), (3, 'n'||char(233)), (4, char(27)||'[31m')",
    );
    std::fs::copy(place.path("a.db"), place.path("b.db")).expect("copied");
    place.execute(
        "b.db",
        "UPDATE t SET v = replace(v, 'one', 'two') WHERE id = 1; UPDATE t SET v = zeroblob(4000) || x'01' WHERE id = 2;
         UPDATE t SET v = 'ne' || char(769) WHERE id = 3; UPDATE t SET v = 'a' || char(10) || '''' WHERE id = 4",
    );
    let ran = place.run("diff a.db b.db");
    ran.exits(4)
        .prints("'…xxxxxxxxoneyyy")
        .prints(" / TEXT '…xxxxxxxxtwoyyy")
        .prints("…' (1003 bytes)")
        .prints("column v: BLOB x'…")
        .prints("(5000 bytes) / TEXT ")
        .prints("rowid 3, column v: TEXT 'né' (U+00E9) / TEXT 'ne\u{301}' (U+0065)\n")
        .prints("rowid 4, column v: TEXT '\\u{1b}[31m' / TEXT 'a\\n'''\n");
}

#[test]
fn tables_of_another_shape_are_compared_as_far_as_they_go() {
    let place = Place::new();
    place.execute(
        "a.db",
        "CREATE TABLE moved(a, b); INSERT INTO moved VALUES (1, 'x'), (2, 'y');
         CREATE TABLE keyed(k PRIMARY KEY, v); INSERT INTO keyed VALUES ('k', 1);
         CREATE TABLE other(k, l, PRIMARY KEY (k)) WITHOUT ROWID; INSERT INTO other VALUES (1, 2);
         CREATE TABLE lost(a); CREATE TABLE named(a); INSERT INTO named VALUES (1)",
    );
    place.execute(
        "b.db",
        "CREATE TABLE moved(b, a, c); INSERT INTO moved VALUES ('x', 1, 7), ('z', 2, NULL);
         CREATE TABLE keyed(k PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO keyed VALUES ('k', 1);
         CREATE TABLE other(k, l, PRIMARY KEY (l)) WITHOUT ROWID; INSERT INTO other VALUES (1, 3);
         CREATE TABLE NAMED(a); INSERT INTO named VALUES (1)",
    );
    place.run("export -q b.db -o b").exits(0);
    for b in ["b.db", "b"] {
        place
            .run(&format!("diff a.db {b}"))
            .exits(4)
            .prints("table \"moved\": columns only in B: c\n")
            .prints("table \"moved\": 1 row changed, 0 only in A, 0 only in B\n  rowid 2, column b: TEXT 'y' / TEXT 'z'\n")
            .prints("table \"keyed\": other content; rows cannot be compared one by one: the key of the table is another one\n")
            .prints("table \"other\": other content; rows cannot be compared one by one")
            .prints("\ntable \"lost\": only in A, 0 rows\n")
            .does_not_print("\"lost\": only in A\n")
            .prints("table \"named\": another definition: 'CREATE TABLE named(a)' / 'CREATE TABLE NAMED(a)'\n");
    }
}

#[test]
fn a_subject_is_equal_to_itself() {
    let place = Place::with_snapshot();
    for subject in ["gymlog.db", "snap", "./gymlog.db"] {
        place
            .run(&format!("diff gymlog.db {subject}"))
            .exits(0)
            .changes_nothing()
            .prints("\nequal: 4 tables, 306 rows");
    }
    place.run("diff snap none").fails(10, "none");
    place.run("diff snap").fails(2, "required");
}

#[test]
fn a_database_that_is_compared_with_itself_stays_locked_until_the_end() {
    let place = Place::with_snapshot();
    let database = place.path("gymlog.db");
    let options = ContentOptions {
        busy_timeout: Duration::ZERO,
        memory_limit_bytes: 64 << 20,
        threads: 1,
        temp_folder: None,
    };
    let run = Run { progress: &Silent, clock: &SystemClock, interrupt: &Interrupt::new() };
    let both = Content::open_both(&database, &database, &options, run).expect("opened");
    // Nothing else in this process may look into the file meanwhile: that would unlock it.
    let restored_over = || {
        let mut command = place.command();
        command.args(["restore", "snap", "gymlog.db", "--overwrite"]);
        command.output().expect("it starts").status.code()
    };
    assert_eq!(restored_over(), Some(11));
    drop(both);
    assert_eq!(restored_over(), Some(0));
}
