//! What an export says of itself: the report, the plan of a dry run, and what cannot be kept.

use serde_json::Value;

use crate::place::Place;

/// An index that sorts by a collation of the program that made the database.
const UNKNOWN_COLLATION: &str = "
CREATE TABLE contacts (id INTEGER PRIMARY KEY, name TEXT);
INSERT INTO contacts VALUES (1, 'Zoe'), (2, 'adam');
CREATE INDEX contacts_by_name ON contacts (name COLLATE NOCASE);
CREATE TABLE plain (v);
INSERT INTO plain VALUES (1);
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, 'NOCASE', 'LOCALIZED') WHERE name = 'contacts_by_name';
";

fn digests(document: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let tables = document["tables"].as_array().expect("a list of tables");
    tables.iter().map(|table| (text(&table["name"]), text(&table["digest"]))).collect()
}

#[test]
fn what_cannot_be_kept_is_named_and_makes_the_export_partial() {
    let place = Place::new();
    place.execute("contacts.db", UNKNOWN_COLLATION);
    let ran = place.run("export contacts.db -o snap");
    ran.exits(3).tells("contacts_by_name").prints("cannot be rebuilt: ").adds(&["snap"]);
    let not_kept = place.manifest("snap")["not_kept"].to_string();
    assert!(not_kept.contains("contacts_by_name") && not_kept.contains("LOCALIZED"), "{not_kept}");
    place.run("inspect snap").exits(0).prints("contacts_by_name");
    let ran = place.run("restore snap back.db");
    ran.exits(3).tells("contacts_by_name").prints("contacts_by_name").adds(&["back.db"]);
    place
        .run("restore snap strict.db --strict")
        .fails(1, "contacts_by_name")
        .hints("--strict")
        .changes_nothing();
    place.run("verify snap").prints("contacts_by_name").changes_nothing();
    place.run("export contacts.db -t plain -o part").exits(0).does_not_print("contacts_by_name");
}

#[test]
fn strict_publishes_nothing_that_is_not_all() {
    let place = Place::new();
    place.execute("contacts.db", UNKNOWN_COLLATION);
    let ran = place.run("export contacts.db -o snap --strict");
    ran.fails(1, "contacts_by_name").hints("--strict").changes_nothing();
    place.run("export contacts.db -n --strict").exits(1).tells("contacts_by_name").changes_nothing();
    place.run("export contacts.db -o snap --strict -x contacts").exits(0).adds(&["snap"]);
}

#[test]
fn a_dry_run_writes_nothing_and_shows_the_whole_plan() {
    let place = Place::with_gymlog();
    for arguments in ["--dry-run -o snap", "-n", "-n --copy-first"] {
        place
            .run(&format!("export gymlog.db {arguments}"))
            .exits(0)
            .tells_nothing()
            .changes_nothing()
            .prints("would write ")
            .prints("events: 300 rows, ordered by _created_at, rowid (the table has a _created_at column)")
            .prints("sets: 3 rows, ordered by id (the table's rowid)")
            // The companion of a number family, and that of a mixed column.
            .prints("weight__integer")
            .prints("note__text")
            .prints("because");
    }
    let document = place.run("export gymlog.db -n -o snap --json").exits(0).tells_nothing().document();
    assert_eq!(document["verb"], "export");
    assert_eq!(document["dry_run"], true);
    assert_eq!(document["snapshot"], "snap");
    let sets = &document["tables"][1];
    assert_eq!((&sets["name"], &sets["rows"], &sets["hidden_cells"]), (&"sets".into(), &3.into(), &1.into()));
}

#[test]
fn a_dry_run_refuses_what_the_export_would_refuse() {
    let place = Place::with_snapshot();
    place.run("export gymlog.db -n -o snap").fails(12, "exists").hints("--overwrite").changes_nothing();
    place.run("export gymlog.db -n -o snap --overwrite").exits(0).changes_nothing();
    place.run("export gymlog.db -n -o x.parquet").fails(2, "one table").changes_nothing();
    place.run("export none.db -n").fails(10, "none.db").changes_nothing();
}

#[test]
fn a_dry_run_says_what_cannot_be_kept() {
    let place = Place::new();
    place.execute("contacts.db", UNKNOWN_COLLATION);
    place.run("export contacts.db -n").exits(3).prints("contacts_by_name").changes_nothing();
}

#[test]
fn no_verify_is_said_in_report_and_manifest() {
    let place = Place::with_gymlog();
    place.run("export gymlog.db -o snap --no-verify").exits(0).prints("NOT verified");
    assert_eq!(place.manifest("snap")["snapshot"]["verified"], false);
    let document = place.run("export gymlog.db -o b --no-verify --json").document();
    assert_eq!(document["verified"], false);
    place.run("inspect snap").prints("NOT verified when it was made");
    let document = place.run("export gymlog.db -o c --json").document();
    assert_eq!(document["verified"], true);
    assert_eq!(place.manifest("c")["snapshot"]["verified"], true);
    place.run("restore snap back.db --no-verify").exits(0).prints("NOT verified");
}

#[test]
fn a_copy_first_gives_the_same_snapshot() {
    let place = Place::with_gymlog();
    place.execute("gymlog.db", "PRAGMA journal_mode = WAL; UPDATE sets SET note = 1.5 WHERE id = 1");
    let direct = place.run("export gymlog.db -o direct --json").exits(0).document();
    let ran = place.run("export gymlog.db -o copied --copy-first --json");
    let copied = ran.exits(0).tells_nothing().document();
    assert_eq!(digests(&direct), digests(&copied));
    let (direct, copied) = (place.manifest("direct"), place.manifest("copied"));
    for key in ["tables", "schema", "schema_digest", "database"] {
        assert_eq!(direct[key], copied[key], "{key}");
    }
}

#[test]
fn the_report_names_every_table_with_rows_and_sizes() {
    let place = Place::with_gymlog();
    place
        .run("export gymlog.db -o snap")
        .exits(0)
        .tells_nothing()
        .prints("4 tables, 306 rows, ")
        .prints("verified: decoded and matched with what was read")
        .prints("1 cell of another storage class");
    let document = place.run("export gymlog.db -o b --json").exits(0).tells_nothing().document();
    assert_eq!(document["verb"], "export");
    assert_eq!(document["exit_code"], 0);
    assert_eq!(document["rows"], 306);
    assert_eq!(document["source"], "gymlog.db");
    assert_eq!(document["snapshot"], "b");
    assert_eq!(document["whole_database"], true);
    assert_eq!(document["tables"][0]["file"], "events.parquet");
}

#[test]
fn names_from_a_database_cannot_reach_the_terminal_as_they_are() {
    let place = Place::new();
    place.execute(
        "odd.db",
        "CREATE TABLE \"a\x1b[31m\nb\u{202e}\" (\"c\x07\" TEXT); CREATE VIEW \"v\x1b\" AS SELECT 1",
    );
    for words in [
        "export odd.db -o snap",
        "export odd.db -n",
        "export odd.db -n -t *",
        "inspect snap -c",
        "verify snap",
    ] {
        let ran = place.run(words);
        ran.exits(0);
        let harmless = |text: &str| !text.contains(['\x1b', '\x07', '\u{202e}']);
        assert!(harmless(&ran.stdout) && harmless(&ran.stderr), "{words}: {:?}", ran.stdout);
    }
}
