//! Which tables go, in which order, and what goes with them.

use serde_json::Value;

use crate::place::Place;

/// The names of the tables in a report or plan.
fn names(document: &Value) -> Vec<&str> {
    let tables = document["tables"].as_array().expect("a list of tables");
    tables.iter().map(|table| table["name"].as_str().expect("a name")).collect()
}

#[test]
fn tables_are_taken_and_left_out_by_name_and_pattern() {
    let place = Place::with_gymlog();
    for (arguments, expected) in [
        ("-t events", &["events"][..]),
        ("--table EVENTS", &["events"]),
        ("-t events -t cache_*", &["events", "cache_pages"]),
        ("-x cache_*", &["events", "sets", "sqlite_sequence"]),
        ("-t * -x sets --exclude events", &["cache_pages"]),
        ("-t {events,cache_page?}", &["events", "cache_pages"]),
        ("-t [a-e]*", &["events", "cache_pages"]),
    ] {
        let ran = place.run(&format!("export gymlog.db --dry-run --json {arguments}"));
        assert_eq!(names(&ran.exits(0).changes_nothing().document()), expected, "{arguments}");
    }
}

#[test]
fn a_name_that_looks_like_a_pattern_is_taken_as_a_name_first() {
    let place = Place::new();
    place.execute("odd.db", "CREATE TABLE \"a[b]\" (v); CREATE TABLE ab (v); CREATE TABLE \"[\" (v)");
    let ran = place.run("export odd.db --dry-run --json -t a[b] -t [");
    assert_eq!(names(&ran.exits(0).document()), ["a[b]", "["]);
}

#[test]
fn a_selection_that_makes_no_sense_is_a_usage_error() {
    let place = Place::with_gymlog();
    for (arguments, part, hint) in [
        ("-t evnts", "no table matches \"evnts\"", "events, sets, cache_pages"),
        ("-x evnts", "no table matches \"evnts\"", "events, sets, cache_pages"),
        ("-t heavy", "no table matches \"heavy\"", "events, sets, cache_pages"),
        ("-x *", "leaves no table", "--exclude"),
        ("-t {a", "no pattern", "pattern"),
        ("--order-by events", "", "events=_created_at desc,id"),
        ("--order-by events=", "", "events=_created_at desc,id"),
        ("--order-by evnts=_created_at", "\"evnts\"", "events, sets, cache_pages"),
        ("--order-by events=created_at", "\"created_at\"", "_event_id, _created_at"),
        ("-t sets --order-by events=_created_at", "not exported", "sets"),
    ] {
        let ran = place.run(&format!("export gymlog.db -o snap {arguments}"));
        ran.fails(2, part).hints(hint).changes_nothing();
        // A plan makes no more sense of it.
        place.run(&format!("export gymlog.db --dry-run {arguments}")).fails(2, part).changes_nothing();
    }
}

#[test]
fn arguments_that_do_not_parse_are_usage_errors() {
    let place = Place::with_gymlog();
    for words in [
        "export gymlog.db --overwite",
        "export",
        "exprot gymlog.db",
        "export gymlog.db --compression-level 23",
        "export gymlog.db --compression-level three",
        "export gymlog.db --memory-limit 1KiB",
        "export gymlog.db --busy-timeout soon",
        "export gymlog.db --threads 0",
        "verify snap --quick --data",
        "restore snap back.db --discard-old",
        "completions tcsh",
    ] {
        let ran = place.run(words);
        ran.exits(2).prints_nothing().tells("error: ").changes_nothing();
        let document = place.run(&format!("{words} --json")).exits(2).changes_nothing().document();
        assert_eq!(document["exit_code"], 2, "{words}");
        assert_eq!(document["error"]["kind"], "usage", "{words}");
        let message = document["error"]["message"].as_str().expect("a message");
        assert!(!message.contains('\n') && !message.starts_with("error"), "{message:?}");
    }
    place.run("export gymlog.db --overwite").tells("--overwrite");
    place.run("").exits(2).prints_nothing().tells("Usage: parklite");
}

#[test]
fn an_order_is_kept_and_told_with_its_reason() {
    let place = Place::with_gymlog();
    let words = ["export", "gymlog.db", "-o", "snap", "--order-by", "sets=weight desc, id"];
    place.run_words(words).exits(0).prints("weight desc, id");
    place
        .run("inspect snap")
        .exits(0)
        .prints("weight desc, id")
        .prints("asked for with --order-by")
        .prints("the table has a _created_at column")
        .prints("the table's rowid");
    place.run("restore snap back.db").exits(0);
    assert_eq!(place.content("back.db"), place.content("gymlog.db"));
}

#[test]
fn one_table_leaves_views_out_and_says_so() {
    let place = Place::with_gymlog();
    let ran = place.run("export gymlog.db -t sets -o snap");
    ran.exits(0).prints("left out, as asked: 1 view (heavy)").prints("2 tables (events, cache_pages)");
    let left_out = place.manifest("snap")["left_out"].to_string();
    assert!(left_out.contains("heavy") && left_out.contains("events"), "{left_out}");
    place.run("inspect snap").prints("left out: view heavy");
    place.run("export gymlog.db -t sets -t events -o both").exits(0).does_not_print("heavy");
    place.run("restore both both.db").exits(0);
    assert_eq!(place.ask("both.db", "SELECT count(*) FROM sqlite_schema WHERE type = 'view'"), "1");
}

#[test]
fn the_counter_of_a_one_table_file_survives_a_restore() {
    let place = Place::with_gymlog();
    place.execute("gymlog.db", "CREATE TABLE other (id INTEGER PRIMARY KEY AUTOINCREMENT)");
    place.execute("gymlog.db", "INSERT INTO other VALUES (7)");
    place
        .run("export gymlog.db --table sets -o sets.parquet")
        .exits(0)
        .tells_nothing()
        .adds(&["sets.parquet"]);
    place.run("verify sets.parquet").exits(0).changes_nothing();
    place.run("restore sets.parquet back.db").exits(0).adds(&["back.db"]);
    assert_eq!(
        place.ask("back.db", "SELECT group_concat(name || '=' || seq) FROM sqlite_sequence"),
        "'sets=41'"
    );
    place.execute("back.db", "INSERT INTO sets (note) VALUES ('next')");
    assert_eq!(place.ask("back.db", "SELECT max(id) FROM sets"), "42");
    assert_eq!(place.ask("back.db", "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'"), "1");
}

#[test]
fn a_table_that_only_looks_like_a_shadow_table_is_chosen_by_its_own_name() {
    let place = Place::new();
    place.execute(
        "notes.db",
        "CREATE VIRTUAL TABLE docs USING fts5(body); CREATE TABLE docs_archive(a); CREATE TABLE other(a);
         INSERT INTO docs_archive VALUES (1);",
    );
    place.run("export notes.db --exclude docs -o without").exits(0);
    assert!(place.path("without/docs_archive.parquet").exists(), "an ordinary table stays");
    assert!(!place.path("without/docs_content.parquet").exists(), "a shadow table goes with its owner");
    place.run("export notes.db --table docs -o only").exits(0);
    assert!(!place.path("only/docs_archive.parquet").exists(), "an ordinary table was not asked for");
    assert!(place.path("only/docs_content.parquet").exists(), "a shadow table comes with its owner");
}

#[test]
fn a_virtual_table_brings_its_shadow_tables() {
    let place = Place::with_gymlog();
    place.execute(
        "gymlog.db",
        "CREATE VIRTUAL TABLE notes USING fts5(body); INSERT INTO notes VALUES ('heavy squats'), ('easy run');
         CREATE TABLE notes2 (v)",
    );
    let ran = place.run("export gymlog.db -t notes -o snap --json");
    let document = ran.exits(0).document();
    assert!(names(&document).contains(&"notes_content"), "{document}");
    assert!(!names(&document).contains(&"notes2"), "{document}");
    place.run("restore snap back.db").exits(0);
    let query = "SELECT body FROM notes WHERE notes MATCH 'squats'";
    assert_eq!(place.ask("back.db", query), "'heavy squats'");
    let document = place.run("export gymlog.db -x notes -n --json").exits(0).document();
    assert!(!document["tables"].to_string().contains("notes_"), "{document}");
}

#[test]
fn two_orders_of_one_table_are_refused() {
    let place = Place::with_gymlog();
    let ran = place.run("export gymlog.db -n --order-by events=payload --order-by Events=event_type");
    ran.fails(2, "twice").hints("at once").changes_nothing();
}
