//! What `migrate` says of what it does not take: whose it is, which program, which column, and what to type instead.

use std::fs;

use serde_json::{Value, json};

use crate::migrate::fixture;
use crate::migrate_chromium::{copy, fixtures};
use crate::place::Place;

/// A store with these sessions of one program.
fn store(program: &str, sessions: &[Value]) -> String {
    json!({"state": {"progressHistory": {"programId": program, "sessions": sessions}}, "version": 2})
        .to_string()
}

fn session(week: u32) -> Value {
    json!({"weekNumber": week, "dayNumber": 1, "completed": true, "completedAt": "2025-01-01T10:00:00Z"})
}

/// A dump with one store.
fn dump(program: &str, sessions: &[Value]) -> String {
    json!({"liftbook-store": store(program, sessions)}).to_string()
}

/// Playwright's file with storage of each of these origins.
fn state(origins: &[(&str, &str)]) -> String {
    let origins: Vec<Value> = origins
        .iter()
        .map(|(origin, value)| json!({"origin": origin, "localStorage": [{"name": "liftbook-store", "value": value}]}))
        .collect();
    json!({"cookies": [], "origins": origins}).to_string()
}

#[test]
fn an_origin_that_no_input_names_is_refused_also_beside_a_dump_that_names_none() {
    let place = Place::new();
    place.write("state.json", state(&[("https://other.example", &store("p", &[session(1)]))]));
    place.write("d.json", dump("q", &[session(1)]));
    let words = "--origin https://app.example --into new.db";
    place
        .run(&format!("migrate state.json d.json {words}"))
        .fails(2, "no input holds storage of https://app.example")
        .hints("there is storage of https://other.example")
        .hints("a dump that does not say whose it is, is migrated by itself")
        .changes_nothing();
    place.run("migrate state.json d.json --origin https://app.example --list").exits(2);
    // Where no input says whose it is, the option does.
    place.run(&format!("migrate d.json {words}")).exits(0);
    assert_eq!(place.ask("new.db", "SELECT DISTINCT origin FROM event_sources"), "'https://app.example'");
    place.write("state.json", state(&[("https://app.example", &store("p", &[session(1)]))]));
    place.run(&format!("migrate state.json d.json {words}")).exits(0);
}

#[test]
fn of_several_named_origins_only_a_store_that_names_none_is_in_the_way() {
    let place = Place::new();
    let value = store("p", &[session(1)]);
    place.make_folder("all");
    place.write("all/state.json", state(&[("https://a.example", &value), ("https://b.example", &value)]));
    place.write("all/package.json", r#"{"name":"x","dependencies":{"y":"1"}}"#);
    let words = "migrate all --origin https://a.example --origin https://b.example";
    place
        .run(&format!("{words} --into new.db"))
        .exits(0)
        .prints("note: all/package.json: left out: it does not say of which of the named origins it is");
    place.run(&format!("{words} --into keys.db --all-keys")).fails(2, "a dump does not say of which of them");
    place.write("all/d.json", dump("q", &[session(1)]));
    place.run(&format!("{words} --into other.db")).fails(2, "a dump does not say of which of them");
    place.write("all/d.json", r#"{"migrated-q":"true"}"#);
    place.run(&format!("{words} --into other.db")).fails(2, "a dump does not say of which of them");
}

#[test]
fn rejects_and_warnings_name_the_origin_where_there_are_several() {
    let place = Place::new();
    let untimed = json!({"weekNumber": 1, "dayNumber": 1, "completed": true});
    let value = store("p", &[json!(null), untimed]);
    place.write("one.json", state(&[("https://a.example", &value)]));
    place.write("two.json", state(&[("https://a.example", &value), ("https://b.example", &value)]));
    let ran = place.run("migrate one.json --into one.db");
    ran.exits(3).prints("rejected: one.json: liftbook-store /state/progressHistory/sessions/0: ");
    let words = "migrate two.json --origin https://a.example --origin https://b.example --into two.db";
    let ran = place.run(words);
    ran.exits(3);
    for origin in ["https://a.example", "https://b.example"] {
        for (kind, index) in [("rejected", 0), ("warning", 1)] {
            ran.prints(&format!(
                "{kind}: two.json ({origin}): liftbook-store /state/progressHistory/sessions/{index}: "
            ));
        }
    }
    let document = place.run(&format!("{words} --json")).exits(3).document();
    for list in ["rejects", "warnings"] {
        assert_eq!(document[list][0]["origin"], "https://a.example");
        assert_eq!(document[list][1]["origin"], "https://b.example");
        assert_eq!(document[list][1]["partition"], Value::Null);
    }
}

#[test]
fn a_list_names_json_without_an_envelope_and_counts_the_rest_and_prints_no_value() {
    let place = Place::new();
    let mut keys = json!({"pinia-profile": "{\"workouts\":[1,2,\"secret\"]}", "jotai": " [1]", "theme": "secret",
                          "count": "3", "migrated-p": "true"});
    for index in 0..30 {
        keys[format!("x{index:02}")] = json!("{}");
    }
    place.write("d.json", keys.to_string());
    let ran = place.run("migrate d.json --list");
    ran.exits(0)
        .prints("  pinia-profile (JSON without an envelope): no rule ")
        .prints("  jotai (JSON without an envelope): no rule ")
        .prints("  12 more keys with JSON; --json has them\n")
        .prints("  2 other values\n")
        .does_not_print("secret");
    let document = place.run("migrate d.json --list --json").exits(0).does_not_print("secret").document();
    let origin = &document["origins"][0];
    assert_eq!((origin["stores"].as_array().map(Vec::len), &origin["plain_values"]), (Some(32), &json!(2)));
    // What was imported is not drowned in it.
    place.run("migrate d.json --into new.db").exits(0).does_not_print("pinia-profile");
    // At most so many of all are listed.
    let lines: Vec<String> =
        (0..10_100).map(|index| json!({format!("k{index}"): "{}"}).to_string()).collect();
    place.write("many.ndjson", lines.join("\n"));
    let document = place.run("migrate many.ndjson --list --json").exits(0).document();
    assert_eq!(document["origins"][0]["stores"].as_array().map(Vec::len), Some(10_000));
}

#[test]
fn programs_with_a_marker_are_left_out_of_the_table_unless_another_dump_has_them() {
    let place = Place::new();
    let marked = |sessions: &[Value]| {
        json!({"liftbook-store": store("p", sessions), "migrated-p": "true"}).to_string()
    };
    place.write("laptop.json", marked(&[session(1)]));
    place.write("phone.json", dump("p", &[session(2)]));
    place.write("other.json", dump("q", &[session(1)]));
    place.run("migrate laptop.json other.json --into new.db --to progress-logs").exits(0);
    place.execute("new.db", "DELETE FROM progress_logs");
    let words = "--into new.db --to progress-logs --skip-migrated";
    let rows = "SELECT group_concat(program_id || week_number) FROM progress_logs";
    place
        .run(&format!("migrate laptop.json {words}"))
        .exits(0)
        .prints("left out: 1 session because of a marker")
        .prints("table progress_logs: 1 row new, 0 updated");
    assert_eq!(place.ask("new.db", rows), "'q1'");
    // The marker counts for the dump that has it, and for no other.
    place.run(&format!("migrate laptop.json phone.json {words}")).exits(0);
    assert_eq!(place.ask("new.db", rows), "'q1,p1,p2'");
}

#[test]
fn a_program_that_no_input_has_is_refused_with_those_that_there_are() {
    let place = Place::new();
    place.write("d.json", dump("p", &[session(1)]));
    for words in
        ["--emit bulk-sync", "--into new.db --emit bulk-sync", "--into new.db --post http://127.0.0.1:1/"]
    {
        place
            .run(&format!("migrate d.json {words} --program nope"))
            .fails(2, "no input has sessions of the program \"nope\"")
            .hints("there are sessions of \"p\"")
            .changes_nothing();
    }
    place.run("migrate d.json --emit bulk-sync --program p").exits(0).prints("\"week_number\":1");
}

#[test]
fn a_unique_column_gets_a_random_identity_for_each_row_and_no_value_for_all() {
    const COLUMNS: &str = "program_id TEXT, week_number INTEGER, day_number INTEGER, completed INTEGER, completed_at TEXT, \
                           feedback TEXT";
    let place = Place::new();
    place.write("d.json", dump("p", &[session(1), session(2), session(3)]));
    let words = "migrate d.json --into new.db --to progress-logs";
    place.execute(
        "new.db",
        &format!("CREATE TABLE progress_logs (id TEXT PRIMARY KEY NOT NULL, code TEXT NOT NULL, {COLUMNS})"),
    );
    place
        .run(&format!("{words} --set code=x"))
        .fails(2, "column \"id\" needs a value")
        .hints("--set id=uuid()");
    place.run(&format!("{words} --set code=x --set id=7")).fails(2, "it is unique").hints("--set id=uuid()");
    place.run_words(format!("{words} --set id=uuid() --set code=x").split(' ')).exits(0);
    let uuid =
        "[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]-????-4???-[89ab]???-????????????";
    let query = format!(
        "SELECT count(DISTINCT id) || '/' || count(*) FROM progress_logs WHERE id GLOB '{uuid}' AND code = 'x'"
    );
    assert_eq!(place.ask("new.db", &query), "'3/3'");
    let before = place.ask("new.db", "SELECT group_concat(id) FROM progress_logs");
    place.run_words(format!("{words} --set id=uuid() --set code=x").split(' ')).exits(0);
    assert_eq!(place.ask("new.db", "SELECT group_concat(id) FROM progress_logs"), before);
    place
        .execute("number.db", &format!("CREATE TABLE progress_logs (id INTEGER NOT NULL UNIQUE, {COLUMNS})"));
    let words = "migrate d.json --into number.db --to progress-logs";
    place.run(words).fails(2, "column \"id\" needs a value").hints("give the column a default");
    place.run(&format!("{words} --set id=uuid()")).fails(2, "no random text can stand there");
}

#[test]
fn an_origin_file_of_webkit_that_contradicts_its_folders_tells_no_origin() {
    let hash = "qoe_oMOiRoih-rY9WutW29unxlnIlIQXvpdKzLDJvdc";
    let place = Place::new();
    copy(&fixtures().join("webkit-origins/storage"), &place.path("storage"));
    let file = place.path(format!("storage/{hash}/{hash}/origin"));
    let whole = fs::read(&file).expect("the file");
    let digit = whole.iter().rposition(u8::is_ascii_digit).expect("an address");
    for (at, bit) in [(digit, 0), (digit, 7), (8, 5), (whole.len() - 1, 3)] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << bit;
        fs::write(&file, &bytes).expect("written");
        let document = place.run("migrate storage --list --json").document();
        let known = |name: &str| {
            document["origins"].as_array().expect("a list").iter().any(|it| it["origin"] == name)
        };
        let origins = ["http://127.0.0.1:8571", "http://127.0.0.1:8572", "http://localhost:8573"];
        // That of the damaged file is not known, and no other is made up.
        assert_eq!(
            origins.iter().filter(|name| known(name)).count(),
            2,
            "{at} {bit}: {}",
            document["origins"]
        );
        let made_up = document["origins"].as_array().expect("a list").iter().any(|it| {
            it["origin"].as_str().is_some_and(|name| !origins.contains(&name))
                || it["partition"] == "http://127.0.0.1:8571"
        });
        assert!(!made_up, "{at} {bit}: {}", document["origins"]);
    }
    fs::write(&file, whole).expect("written");
    place.run("migrate storage --list").exits(0);
}

#[test]
fn a_mapping_file_with_a_name_that_is_not_known_says_which_is_meant() {
    let place = Place::new();
    place.write("d.json", fixture("devices/phone.json"));
    for (text, hint) in [
        ("[[stores]]\nkey = \"x\"\n[store.fields]\na = { at = \"/a\" }\n", "did you mean `store`?"),
        ("[targets]\ntable = \"x\"\n", "did you mean `target`?"),
        ("colour = 1\n", "a mapping file has [[store]] and [target]"),
    ] {
        place.write("map.toml", text);
        place
            .run("migrate d.json --map map.toml --list")
            .fails(2, "the mapping file is wrong, line 1: unknown name")
            .hints(hint);
    }
}
