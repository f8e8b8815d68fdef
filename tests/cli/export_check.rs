//! `--check-source`: what SQLite's integrity check says of a database, before it is read.

use crate::place::Place;

/// A table with an index, and a foreign key that leads nowhere.
const SOUND: &str = "
CREATE TABLE parents (id INTEGER PRIMARY KEY);
CREATE TABLE children (id INTEGER PRIMARY KEY, name TEXT, parent REFERENCES parents);
CREATE INDEX children_by_name ON children (name);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
INSERT INTO children SELECT i, 'name ' || i, NULL FROM n;
";

/// Takes the index out of the schema, changes every row behind its back, and puts it in again.
const INDEX_DISAGREES: &str = "
CREATE TABLE kept AS SELECT * FROM sqlite_schema WHERE name = 'children_by_name';
ALTER TABLE kept ADD COLUMN page;
UPDATE kept SET page = rootpage;
PRAGMA writable_schema = ON;
DELETE FROM sqlite_schema WHERE name = 'children_by_name';
";
const BEHIND_ITS_BACK: &str = "
UPDATE children SET name = 'changed ' || id;
PRAGMA writable_schema = ON;
INSERT INTO sqlite_schema SELECT type, name, tbl_name, page, sql FROM kept;
";

fn with_an_index_that_disagrees() -> Place {
    let place = Place::new();
    place.execute("app.db", SOUND);
    place.execute("app.db", INDEX_DISAGREES);
    place.execute("app.db", BEHIND_ITS_BACK);
    place.execute("app.db", "DROP TABLE kept");
    assert_ne!(place.ask("app.db", "PRAGMA integrity_check"), "'ok'");
    place
}

#[test]
fn a_sound_database_is_said_to_be_sound() {
    let place = Place::new();
    place.execute("app.db", SOUND);
    let ran = place.run("export app.db -o snap --check-source");
    ran.exits(0)
        .tells_nothing()
        .prints("source checked: SQLite's integrity check found nothing")
        .adds(&["snap"]);
    assert_eq!(place.manifest("snap")["snapshot"]["source_check"]["result"], "ok");
    place.run("inspect snap").exits(0).prints("source checked: SQLite's integrity check found nothing");
    let document = place.run("inspect snap --json").exits(0).document();
    assert_eq!(document["source_check"]["result"], "ok");
}

#[test]
fn nothing_is_claimed_where_nobody_asked() {
    let place = Place::new();
    place.execute("app.db", SOUND);
    let ran = place.run("export app.db -o snap");
    ran.exits(0).does_not_print("check");
    assert_eq!(place.manifest("snap")["snapshot"]["source_check"]["result"], "not-asked");
    place.run("inspect snap").exits(0).does_not_print("checked");
}

#[test]
fn a_damaged_database_is_exported_and_said_to_be_damaged() {
    for arguments in ["", " --copy-first"] {
        let place = with_an_index_that_disagrees();
        let ran = place.run(&format!("export app.db -o snap --check-source{arguments}"));
        ran.exits(3)
            .tells("damaged")
            .prints("source DAMAGED: ")
            .prints("row 1 missing from index children_by_name");
        ran.prints("  and ").adds(&["snap"]);
        let check = &place.manifest("snap")["snapshot"]["source_check"];
        assert_eq!(check["result"], "findings");
        // Each row is missing in the index, and the number of entries is right.
        assert_eq!(check["findings"], 300, "all of them are counted");
        assert_eq!(check["first_findings"].as_array().expect("a list").len(), 100, "and the first kept");
        place.run("inspect snap").exits(0).prints("source DAMAGED: 300 findings");
        place.run("verify snap").exits(0);
        place.run("restore snap back.db").exits(0);
        assert_eq!(place.ask("back.db", "PRAGMA integrity_check"), "'ok'", "the index is built anew");
    }
}

/// Whatever an index says: rows are those of the table.
#[test]
fn an_index_that_disagrees_with_its_table_never_answers_for_it() {
    let place = with_an_index_that_disagrees();
    assert_eq!(
        place.ask("app.db", "SELECT name FROM children INDEXED BY children_by_name LIMIT 1"),
        "'name 1'"
    );
    place.run("export app.db -o snap").exits(0);
    place.run("restore snap back.db").exits(0);
    let question = "SELECT group_concat(name) FROM (SELECT name FROM children ORDER BY +id LIMIT 3)";
    assert_eq!(place.ask("back.db", question), "'changed 1,changed 2,changed 3'");
    let through_the_index =
        "SELECT count(*) FROM children INDEXED BY children_by_name WHERE name LIKE 'changed %'";
    assert_eq!(place.ask("back.db", through_the_index), "300");
    assert_eq!(place.ask("back.db", "PRAGMA integrity_check"), "'ok'");
}

#[test]
fn strict_publishes_nothing_of_a_damaged_database() {
    for arguments in ["-o snap", "-o snap --copy-first", "-n"] {
        let place = with_an_index_that_disagrees();
        let ran = place.run(&format!("export app.db {arguments} --check-source --strict"));
        ran.fails(1, "integrity check finds the database damaged").hints("--strict").changes_nothing();
        place.run(&format!("export app.db {arguments} --strict")).exits(0);
    }
}

#[test]
fn a_dry_run_tells_it_too() {
    let place = with_an_index_that_disagrees();
    let ran = place.run("export app.db -n --check-source");
    ran.exits(3).prints("source DAMAGED: 300 findings").changes_nothing();
    let document = place.run("export app.db -n --check-source --json").exits(3).document();
    assert_eq!(document["source_check"]["findings"], 300);
}

#[test]
fn a_foreign_key_that_leads_nowhere_is_counted_and_no_damage() {
    let place = Place::new();
    place.execute("app.db", SOUND);
    place.execute("app.db", "PRAGMA foreign_keys = OFF; UPDATE children SET parent = id WHERE id <= 7");
    let ran = place.run("export app.db -o snap --check-source --strict");
    ran.exits(0).prints("found nothing; 7 rows point to no row of another table");
    assert_eq!(place.manifest("snap")["snapshot"]["source_check"]["foreign_key_violations"], 7);
}

/// The check cannot run where it needs a collation of the application: what it does not reach is said.
#[test]
fn what_could_not_be_checked_is_named() {
    let place = Place::new();
    place.execute("app.db", SOUND);
    place.execute("app.db", "CREATE TABLE other (v); CREATE INDEX by_v ON other (v COLLATE NOCASE); INSERT INTO other VALUES ('a')");
    let sql = "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'NOCASE', 'LOCALIZED') WHERE name = 'by_v'";
    place.execute("app.db", sql);
    let ran = place.run("export app.db -o snap --check-source");
    ran.exits(3).prints("not checked: ").prints("LOCALIZED");
    let check = &place.manifest("snap")["snapshot"]["source_check"];
    assert_eq!(check["result"], "ok");
    assert!(check["not_checked"].to_string().contains("other"), "{check}");
}

/// A damaged page that no row needs, since it belongs to an index.
#[test]
fn a_damaged_index_page_is_found_and_everything_else_exported() {
    let place = Place::new();
    place.execute("app.db", SOUND);
    let page: usize = place
        .ask("app.db", "SELECT rootpage FROM sqlite_schema WHERE name = 'children_by_name'")
        .parse()
        .expect("a page");
    let mut bytes = place.read("app.db");
    bytes[(page - 1) * 4096..page * 4096].fill(0);
    place.write("app.db", bytes);
    place.run("export app.db -o snap --check-source").exits(3).prints("source DAMAGED: ");
    place.run("restore snap back.db").exits(0);
    assert_eq!(place.ask("back.db", "SELECT count(*) FROM children NOT INDEXED"), "300");
}

#[test]
fn rows_that_break_a_check_are_found_and_no_damage() {
    for setting in ["", "PRAGMA journal_mode = WAL;"] {
        let place = Place::new();
        let sql = "CREATE TABLE d(x CHECK (x > 0)); PRAGMA ignore_check_constraints = ON; INSERT INTO d VALUES (-1), (1)";
        place.execute("app.db", &format!("{setting}{sql}"));
        let ran = place.run("export app.db -o snap --check-source");
        ran.exits(3)
            .prints("source has rows that break its rules: 1 finding")
            .prints("CHECK constraint failed in d");
        let check = &place.manifest("snap")["snapshot"]["source_check"];
        assert_eq!((&check["result"], &check["findings"]), (&"findings".into(), &1.into()));
        assert_eq!(check["broken_rules"], 1);
        place.run("restore snap back.db").exits(0);
        assert_eq!(place.ask("back.db", "SELECT group_concat(x) FROM d"), "'-1,1'");
    }
}
