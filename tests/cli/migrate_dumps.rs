//! Dumps of localStorage that are odd, large or damaged: what is read of them, what is told, and which exit code says so.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::place::Place;
use crate::ran::Ran;

/// A store with one session of this program.
fn store(program: &str) -> String {
    format!(
        r#"{{"state":{{"progressHistory":{{"programId":"{program}","sessions":[{{"weekNumber":1,"dayNumber":1,"completed":true,"completedAt":"2025-01-02T03:04:05Z"}}]}}}},"version":1}}"#
    )
}

fn dump(program: &str) -> String {
    json!({ "liftbook-store": store(program) }).to_string()
}

fn sessions(place: &Place, database: &str) -> String {
    place.ask(database, "SELECT count(*) FROM events WHERE event_type = 'workout_session'")
}

/// Runs with at most this much memory.
fn run_within(place: &Place, mib: u64, words: &str) -> Ran {
    place.run_in_shell(&format!("ulimit -v {}; exec parklite {words}", mib * 1024))
}

#[cfg(target_os = "linux")]
#[test]
fn a_small_file_with_millions_of_mistakes_takes_little_memory_and_gives_a_small_report() {
    let place = Place::new();
    place.write("entries.json", format!("[[\"a\",\"b\"]{}]", ",0".repeat(3_000_000)));
    place.write("state.json", format!(r#"{{"cookies":[],"origins":[{}0]}}"#, "0,".repeat(1_500_000)));
    place.write("lines.ndjson", "{\"a\":\"b\",\"a\":\"c\"}\n".repeat(200_000));
    place.write("bad.ndjson", format!("{{}}\n{}", "x\n".repeat(200_000)));
    for (name, what, count) in [
        ("entries.json", "problems", 10_001),
        ("state.json", "problems", 10_001),
        ("lines.ndjson", "problems", 200_000),
        ("bad.ndjson", "unreadable", 200_000),
    ] {
        let most = if what == "unreadable" { 20 } else { 10_000 };
        let ran = run_within(&place, 400, &format!("--json migrate {name} --list"));
        let document = ran.exits(3).document();
        assert_eq!(document["totals"][what], count, "{name}");
        assert_eq!(document["sources"][0]["is_incomplete"], true, "{name}");
        assert_eq!(document["sources"][0][what].as_array().map(Vec::len), Some(most), "{name}");
    }
    place
        .run("migrate bad.ndjson --list")
        .exits(3)
        .prints("unreadable: bad.ndjson: … and 199,980 more lines of it\n");
}

#[test]
fn all_that_is_told_is_counted() {
    let place = Place::new();
    let element = |completed: &str| format!(r#"{{"weekNumber":1,"dayNumber":1,"completed":{completed}}}"#);
    let many = |one: &str| vec![one.to_owned(); 10_500].join(",");
    let value = store("p").replacen(
        "\"sessions\":[",
        &format!("\"sessions\":[{},{},", many(&element("true")), many(&element("1"))),
        1,
    );
    place.write("d.json", json!({ "s": value }).to_string());
    let ran = place.run("migrate d.json --into new.db --json");
    let document = ran.exits(3).document();
    assert_eq!(
        (&document["totals"]["warnings"], &document["totals"]["rejected"]),
        (&json!(10_500), &json!(10_500))
    );
    assert_eq!(document["warnings"].as_array().map(Vec::len), Some(10_000));
    let ran = place.run("migrate d.json --into new.db");
    ran.prints("warning: 10480 more; --json has the first 10000\n");
    // Conflicts beyond those that are listed.
    let mut lines = String::new();
    for day in 1..=10_001 {
        for rating in ["easy", "hard"] {
            let session = format!(
                r#"{{"weekNumber":1,"dayNumber":{day},"completed":false,"intensityRating":"{rating}"}}"#
            );
            let value = format!(
                r#"{{"state":{{"progressHistory":{{"programId":"c","sessions":[{session}]}}}},"version":1}}"#
            );
            writeln!(lines, "{}", json!({ "s": value })).expect("a string");
        }
    }
    place.write("c.ndjson", lines);
    let document = place.run("migrate c.ndjson --into c.db --json").exits(0).document();
    assert_eq!(document["totals"]["conflicts"], 10_001);
    assert_eq!(document["conflicts"].as_array().map(Vec::len), Some(10_000));
}

#[test]
fn equal_sets_and_days_of_a_mapped_store_are_events_of_their_own_however_the_dump_came() {
    let place = Place::new();
    place.write(
        "map.toml",
        "[[store]]\nkey = \"gym\"\nenvelope = \"none\"\neach = \"/sets\"\nevent = \"set\"\n[store.fields]\nkg = { at = \"/kg\", type = \"int\" }\n\
         [[store]]\nkey = \"days\"\nenvelope = \"none\"\neach = \"/byId/*\"\nevent = \"weight\"\n[store.fields]\nkg = { at = \"/kg\", type = \"int\" }\n",
    );
    let gym = r#"{"sets":[{"kg":100,"reps":5},{"kg":100,"reps":5},{"reps":5,"kg":100}]}"#;
    let days = r#"{"byId":{"2025-01-01":{"kg":80},"2025-01-02":{"kg":80}}}"#;
    place.write("d.json", json!({ "gym": gym, "days": days }).to_string());
    place.write("entries.json", json!([["days", days], ["gym", gym]]).to_string());
    place.write("gym.json", gym);
    let document = place.run("migrate d.json --into new.db --map map.toml --json").exits(0).document();
    assert_eq!(
        (&document["totals"]["elements_new"], &document["totals"]["elements_known"]),
        (&json!(5), &json!(0))
    );
    for words in ["migrate entries.json", "migrate d.json", "migrate gym.json --key gym"] {
        let document = place.run(&format!("{words} --into new.db --map map.toml --json")).exits(0).document();
        assert_eq!(document["totals"]["elements_new"], 0, "{words}");
    }
    assert_eq!(
        place.ask(
            "new.db",
            "SELECT group_concat(n) FROM (SELECT count(*) AS n FROM events GROUP BY event_type ORDER BY 1)"
        ),
        "'2,2,3'"
    );
}

#[test]
fn a_known_store_that_is_cut_is_told_kept_and_listed() {
    let place = Place::new();
    let cut = &store("p")[..90];
    place.write("d.json", json!({ "gymlog-backup": r#"{"state":{"worko"#, "any": cut, "other": r#"{"state":{"a"#, "token": "x" }).to_string());
    let document = place.run("migrate d.json --into new.db --json").exits(3).document();
    let reasons: Vec<&str> = document["rejects"]
        .as_array()
        .expect("rejects")
        .iter()
        .filter_map(|reject| reject["reason"].as_str())
        .collect();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(
        reasons[0].starts_with("it looks like a store with /state/progressHistory/sessions"),
        "{reasons:?}"
    );
    assert!(reasons[1].starts_with("the rule for gymlog-backup does not fit"), "{reasons:?}");
    assert_eq!(place.ask("new.db", "SELECT count(*) FROM original_values"), "2");
    assert_eq!(
        place.ask("new.db", &format!("SELECT count(*) FROM original_values WHERE value = '{cut}'")),
        "1"
    );
    place
        .run("migrate d.json --list")
        .exits(0)
        .prints("other (broken-json): no rule for it (--map)")
        .prints("any (broken-json): 0 elements, 1 rejected");
    // Without an envelope it is not that store either.
    place.write("bare.json", json!({ "gymlog-backup": r#"{"workoutsSinceBackup":8}"# }).to_string());
    place.run("migrate bare.json --into bare.db").exits(3).prints("rejected: bare.json: gymlog-backup");
    assert_eq!(place.ask("bare.db", "SELECT count(*) FROM original_values"), "1");
}

/// Each once looked at all before it: these took minutes.
#[test]
fn very_many_origins_markers_and_versions_take_no_longer_each() {
    const MANY: usize = 120_000;
    let place = Place::new();
    let mut lines = String::new();
    for index in 0..MANY {
        let line = json!({ "origin": format!("https://a{index}.example"), "localStorage": {} });
        writeln!(lines, "{line}").expect("a string");
    }
    place.write("origins.ndjson", lines);
    let mut keys = serde_json::Map::new();
    for index in 0..MANY {
        keys.insert(format!("migrated-p{index}"), json!("true"));
    }
    place.write("markers.json", Value::Object(keys).to_string());
    let version =
        |index: usize| json!({ "s": format!(r#"{{"state":{{}},"version":{index}}}"#) }).to_string() + "\n";
    place.write("versions.ndjson", (0..MANY).map(version).collect::<String>());
    place.run("migrate origins.ndjson --into new.db").exits(2).changes_nothing();
    let document = place.run("--json migrate markers.json versions.ndjson --list").exits(0).document();
    assert_eq!(document["markers"].as_array().map(Vec::len), Some(MANY));
    assert_eq!(document["origins"][0]["stores"][0]["versions"].as_array().map(Vec::len), Some(MANY));
}

#[test]
fn a_bad_first_line_does_not_cost_a_file_that_is_larger_than_a_document_may_be() {
    let place = Place::new();
    let line = json!({ "liftbook-store": store("p"), "more": "x".repeat(1 << 20) }).to_string() + "\n";
    place.write("lines.ndjson", format!("{{\"a\":\"b}}\n{}", line.repeat(66)));
    let ran = place.run("migrate lines.ndjson --into new.db");
    ran.exits(3)
        .prints("unreadable: lines.ndjson: a control character")
        .prints("(line 1)")
        .prints("66 dumps");
    assert_eq!(sessions(&place, "new.db"), "1");
    place.write("long.ndjson", format!("{}\n{}{}\n", dump("p"), "[".repeat((64 << 20) + 1), '\n'));
    place
        .run("migrate long.ndjson --into long.db")
        .exits(3)
        .prints("unreadable: long.ndjson: the dump is larger than 67108864 bytes (line 2)");
    place.write("only.json", "[".repeat((64 << 20) + 1));
    place.run("migrate only.json --into only.db").fails(13, "larger than 67108864 bytes").changes_nothing();
}

#[test]
fn what_cannot_be_read_ends_with_the_same_code_in_whatever_order_it_comes() {
    let place = Place::new();
    place.write("cut.json", "{\"a\":");
    place.write("value.json", store("p"));
    for (old, new) in [("cut.json", "value.json"), ("value.json", "cut.json")] {
        place.run_in_shell(&format!("touch -d 2020-01-01 {old}; touch -d 2021-01-01 {new}"));
        place
            .run("migrate cut.json value.json --into new.db")
            .fails(2, "single store")
            .hints("--key")
            .changes_nothing();
    }
}

#[test]
fn a_mapping_file_that_is_no_text_is_a_mistake_of_whoever_named_it() {
    let place = Place::new();
    place.write("d.json", dump("p"));
    place.write("map.toml", b"\xFF\xFE[\0");
    place.make_folder("folder");
    place
        .run("migrate d.json --into new.db --map map.toml")
        .fails(2, "UTF-8")
        .hints("save it")
        .changes_nothing();
    place
        .run("migrate d.json --into new.db --map folder")
        .fails(2, "folder")
        .hints("--map")
        .changes_nothing();
    place
        .run("migrate d.json --into new.db --map none.toml")
        .fails(10, "no such mapping file")
        .changes_nothing();
}

#[test]
fn a_folder_in_which_all_is_skipped_says_what_it_was() {
    let place = Place::new();
    place.make_folder("notes");
    place.write("notes/readme.txt", "notes");
    place
        .run("migrate notes --into new.db")
        .fails(13, "skipped: notes/readme.txt (not a dump")
        .changes_nothing();
}

#[test]
fn storages_in_the_forms_of_helper_scripts_are_imported_as_such() {
    let place = Place::new();
    let inside: Value = serde_json::from_str(&dump("p")).expect("JSON");
    for (name, form, origin) in [
        ("page", json!({ "localStorage": inside, "sessionStorage": {} }), "NULL"),
        ("by-origin", json!({ "https://app.example": inside }), "'https://app.example'"),
        (
            "array",
            json!([{ "origin": "https://app.example", "localStorage": inside }]),
            "'https://app.example'",
        ),
    ] {
        place.write(format!("{name}.json"), form.to_string());
        place.run(&format!("migrate {name}.json --into {name}.db")).exits(0);
        assert_eq!(sessions(&place, &format!("{name}.db")), "1", "{name}");
        assert_eq!(place.ask(format!("{name}.db"), "SELECT max(origin) FROM event_sources"), origin);
    }
    // The value of a store without a version, too, needs its key.
    place.write("value.json", store("p").replace(",\"version\":1", ""));
    place.run("migrate value.json --into value.db").fails(2, "single store").hints("--key").changes_nothing();
    place.run("migrate value.json --into value.db --key liftbook-store").exits(0);
    assert_eq!(sessions(&place, "value.db"), "1");
}

#[test]
fn whose_an_unnamed_dump_is_must_be_clear_and_an_origin_is_written_as_one() {
    let place = Place::new();
    place.write("d.json", dump("p"));
    for wrong in ["app.example", "https://app.example/path", "''"] {
        place
            .run_in_shell(&format!("exec parklite migrate d.json --into new.db --origin {wrong}"))
            .fails(2, "is no origin")
            .hints("https://app.example")
            .changes_nothing();
    }
    place
        .run("migrate d.json --into new.db --origin https://a.example --origin https://b.example")
        .fails(2, "several origins are named")
        .hints("by itself")
        .changes_nothing();
    place.run("migrate d.json --into new.db --origin file:///").exits(0);
    assert_eq!(place.ask("new.db", "SELECT max(origin) FROM event_sources"), "'file://'");
    place.run("migrate d.json --list --origin https://a.example --origin https://b.example").exits(0);
}

#[test]
fn each_text_of_a_session_that_is_written_in_two_ways_is_kept() {
    let place = Place::new();
    let other = store("p").replace(r#""weekNumber":1,"dayNumber":1"#, r#""dayNumber":1,"weekNumber":1"#);
    place.write("a.json", dump("p"));
    place.write("b.json", json!({ "liftbook-store": other }).to_string());
    for (database, first, second) in [("ab.db", "a", "b"), ("ba.db", "b", "a")] {
        place.run(&format!("migrate {first}.json --into {database}")).exits(0);
        place.run(&format!("migrate {second}.json --into {database}")).exits(0);
        assert_eq!(sessions(&place, database), "1");
        assert_eq!(place.ask(database, "SELECT count(*) FROM original_values"), "2");
        let seen = "SELECT count(*) FROM event_sources WHERE format = 'json-object'";
        assert_eq!(place.ask(database, seen), "4");
    }
}

/// As scripts make it that turn a storage into JSON and the page into JSON again.
#[test]
fn a_storage_that_is_a_text_of_json_is_read_and_that_is_told() {
    let place = Place::new();
    let inside = dump("p");
    let entries = json!([["liftbook-store", store("p")]]).to_string();
    let origin = "https://app.example";
    for (name, form) in [
        ("origin", json!({ "origin": origin, "localStorage": inside })),
        ("entries", json!({ "origin": origin, "localStorage": entries, "sessionStorage": "{}" })),
        ("page", json!({ "localStorage": inside, "sessionStorage": "{}" })),
        ("array", json!([{ "origin": origin, "localStorage": inside }])),
        ("state", json!({ "cookies": [], "origins": [{ "origin": origin, "localStorage": inside }] })),
    ] {
        place.write(format!("{name}.json"), form.to_string());
        let ran = place.run(&format!("migrate {name}.json --into {name}.db"));
        ran.exits(0).prints("localStorage: the storage is a text of JSON");
        assert_eq!(sessions(&place, &format!("{name}.db")), "1", "{name}");
        let whose = if name == "page" { "NULL".to_owned() } else { format!("'{origin}'") };
        assert_eq!(place.ask(format!("{name}.db"), "SELECT max(origin) FROM event_sources"), whose);
    }
    // Keys of an app that are called so.
    for form in [
        json!({ "origin": "chest", "localStorage": inside }),
        json!({ "localStorage": inside }),
        json!({ "localStorage": "{\"used\":1}", "sessionStorage": "{}" }),
    ] {
        place.write("app.json", form.to_string());
        let document = place.run("migrate app.json --list --json").exits(0).document();
        assert_eq!(document["totals"]["items"], form.as_object().map_or(0, serde_json::Map::len));
    }
}

#[test]
fn lines_of_dumps_in_utf_16_are_read_one_by_one_with_their_numbers() {
    let place = Place::new();
    let text = format!("{}\r\n\r\n{{\"cut\": \n{}\n", dump("p"), dump("q"));
    let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    place.write("lines.ndjson", [&b"\xFE\xFF"[..], &bytes].concat());
    for threads in [1, 2] {
        let ran = place.run(&format!("migrate lines.ndjson --into new-{threads}.db --threads {threads}"));
        ran.exits(3).prints("(line 3)").prints("2 dumps");
        let database = format!("new-{threads}.db");
        assert_eq!(sessions(&place, &database), "2");
        let lines = "SELECT group_concat(line) FROM (SELECT DISTINCT line FROM event_sources ORDER BY 1)";
        assert_eq!(place.ask(&database, lines), "'1,4'");
    }
}

#[test]
fn a_dump_of_parsed_values_beside_the_value_of_a_single_store_is_not_taken_for_its_value() {
    let place = Place::new();
    let session = json!({"weekNumber": 1, "dayNumber": 1, "completed": false});
    let store = |program: &str| json!({"state": {"progressHistory": {"programId": program, "sessions": [session]}}, "version": 2});
    place.make_folder("mix");
    place.write("mix/value.json", store("p").to_string());
    place.write("mix/dump.json", json!({"liftbook": store("q"), "token": "…"}).to_string());
    place.write("mix/strings.json", json!({"liftbook": store("r").to_string(), "token": "…"}).to_string());
    place.run("migrate mix --key liftbook --into new.db").exits(0).prints("3 dumps");
    let programs = "SELECT group_concat(program_id) FROM (SELECT program_id FROM progress_logs ORDER BY 1)";
    assert_eq!(place.ask("new.db", programs), "'p,q,r'");
    // What a library keeps in one of its members is no storage.
    place.write("value.json", json!({"theme": {"dark": true}, "state": {"x": 1}}).to_string());
    let document = place.run("migrate value.json --key ui --list --json").exits(0).document();
    assert_eq!(document["totals"]["items"], 1);
}
