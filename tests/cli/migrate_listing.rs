//! What is told of sources: whose storage is where, what is no dump, and what was asked for and is not there.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::migrate_chromium;
use crate::place::Place;

/// A store with one session of this program.
fn store(program: &str) -> String {
    json!({"state": {"progressHistory": {"programId": program, "sessions": [{"weekNumber": 1, "dayNumber": 1,
        "completed": true, "completedAt": "2025-01-02T03:04:05Z"}]}}, "version": 1})
    .to_string()
}

fn dump(program: &str) -> String {
    json!({ "liftbook-store": store(program) }).to_string()
}

/// One that says whose it is.
fn dump_of(origin: &str, program: &str) -> String {
    json!({"origin": origin, "localStorage": {"liftbook-store": store(program)}}).to_string()
}

#[test]
fn a_file_of_lines_that_are_no_dumps_is_one_entry_and_hides_no_damage() {
    let place = Place::new();
    place.make_folder("all");
    let code = format!("\"use strict\";\n{}", "const a = [1];\n".repeat(500));
    place.write("all/a.js", &code);
    place.write("all/dump.json", dump("p"));
    place.write("all/z.json", &dump("q")[..60]);
    let ran = place.run("migrate all --into new.db");
    ran.exits(3).prints("skipped: all/a.js: not a dump: none of its 501 lines is one\n");
    ran.prints("unreadable: all/z.json: ").does_not_print("unreadable: all/a.js");
    let document = place.run("migrate all --list --json").exits(3).document();
    assert_eq!((&document["totals"]["unreadable"], &document["totals"]["files"]), (&json!(1), &json!(2)));
    // By itself it has no effect on how the run went.
    std::fs::remove_file(place.path("all/z.json")).expect("removed");
    place.run("migrate all --list").exits(0);
    // Named itself it is an error, one.
    let ran = place.run("migrate all/a.js --into other.db");
    ran.fails(13, "this is not a dump: none of its 501 lines is one; the first: ");
    // What is named like a dump is told as one, whatever is in it.
    place.write("all/b.ndjson", &code);
    let ran = place.run("migrate all --list");
    ran.exits(3)
        .prints("unreadable: all/b.ndjson: this is not a dump: none of its 501 lines is one; the first: ");
}

#[test]
fn of_a_file_with_many_bad_lines_some_are_told_and_other_files_are_named() {
    let place = Place::new();
    place.make_folder("all");
    place.write("all/a.ndjson", format!("{}\n{}", dump("p"), "x\n".repeat(500)));
    place.write("all/z.json", &dump("q")[..60]);
    let ran = place.run("migrate all --list");
    ran.exits(3).prints("unreadable: all/a.ndjson: … and 497 more lines of it\n");
    ran.prints("unreadable: all/z.json: ");
    place
        .run("migrate all/a.ndjson --list")
        .exits(3)
        .prints("unreadable: all/a.ndjson: … and 480 more lines of it\n");
    let document = place.run("migrate all --list --json").exits(3).document();
    let sources = document["sources"].as_array().expect("sources");
    let source = sources.iter().find(|source| source["path"] == "all/a.ndjson").expect("the file");
    assert_eq!(source["unreadable"].as_array().map(Vec::len), Some(20));
    assert_eq!((&source["unreadable_more"], &document["totals"]["unreadable"]), (&json!(480), &json!(501)));
}

#[test]
fn a_list_of_several_sources_says_which_of_them_has_which_origin() {
    let place = Place::new();
    place.make_folder("all");
    for (name, origin) in [
        ("a", "https://a.example"),
        ("b", "https://a.example"),
        ("c", "https://a.example"),
        ("d", "https://d.example"),
    ] {
        place.write(format!("all/{name}.json"), dump_of(origin, name));
    }
    let ran = place.run("migrate all/a.json all/b.json all/c.json all/d.json --list");
    ran.exits(0).prints("  in all/a.json, all/b.json, 1 more\n").prints("  in all/d.json\n");
    let document = place.run("migrate all --list --json").exits(0).document();
    let origins = |name: &str| {
        let sources = document["sources"].as_array().expect("sources");
        sources.iter().find(|source| source["path"] == name).expect("a source")["origins"].clone()
    };
    assert_eq!(origins("all/c.json"), json!(["https://a.example"]));
    assert_eq!(origins("all/d.json"), json!(["https://d.example"]));
    place.run("migrate all/a.json --list").exits(0).does_not_print("  in all");
}

#[test]
fn a_profile_says_whose_storage_it_has_also_of_origins_that_are_not_wanted() {
    let place = migrate_chromium::place_with("chromium-leveldb");
    let wanted = ["http://127.0.0.1:8571", "http://127.0.0.1:8572", "http://localhost:8573"];
    for words in ["", " --origin http://127.0.0.1:8571"] {
        let document = place.run(&format!("migrate Default --list --json{words}")).exits(0).document();
        let mut origins: Vec<&str> = document["sources"][0]["origins"]
            .as_array()
            .expect("origins")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        origins.sort_unstable();
        assert_eq!(origins, wanted, "{words}");
    }
    // The size of text that was not read is not known.
    let ran = place.run("migrate Default --list --origin http://127.0.0.1:8572");
    let line = ran.stdout.lines().find(|line| line.starts_with("http://127.0.0.1:8571: ")).expect("listed");
    assert!(!line.contains('B'), "{line}");
}

#[test]
fn a_partition_that_is_nowhere_is_refused_and_the_one_that_is_there_is_named() {
    let place = migrate_chromium::place_with("chromium-leveldb");
    let words = "migrate Default --origin http://localhost:8573 --into new.db --partition";
    place
        .run(&format!("{words} 127.0.0.1"))
        .fails(2, "no input holds storage of http://localhost:8573 inside 127.0.0.1")
        .hints("it is inside http://127.0.0.1; --list shows it")
        .changes_nothing();
    place.run(&format!("{words} HTTP://127.0.0.1/")).exits(0).does_not_print("kept apart").adds(&["new.db"]);
}

#[test]
fn an_origin_is_the_same_however_it_is_written() {
    let place = Place::new();
    place.write("a.json", dump_of("https://app.example", "a"));
    place.write("b.json", dump_of("HTTPS://App.Example:443/", "b"));
    for (index, origin) in
        ["https://APP.example", "HTTPS://app.example", "https://app.example:443", "https://app.example/"]
            .iter()
            .enumerate()
    {
        let ran = place.run(&format!("migrate a.json b.json --origin {origin} --into {index}.db"));
        ran.exits(0).prints("of these from elements of stores: 2 new");
        let origins =
            place.ask(format!("{index}.db"), "SELECT group_concat(DISTINCT origin) FROM event_sources");
        assert_eq!(origins, "'https://app.example'");
    }
    place
        .run("migrate a.json --origin https://app.example:80 --into x.db")
        .fails(2, "no input holds storage of");
}

#[test]
fn a_rule_that_is_for_no_store_is_told() {
    let place = Place::new();
    let map = "[[store]]\nkey = \"liftbook-*\"\norigin = \"https://app.example\"\nenvelope = \"zustand\"\n\
        each = \"/state/progressHistory/sessions\"\nevent = \"workout_session\"\n[store.fields]\n\
        program_id = { up = \"/state/progressHistory/programId\" }\nweek_number = { at = \"/weekNumber\" }\n\
        day_number = { at = \"/dayNumber\" }\ncompleted = { at = \"/completed\" }\n";
    place.write("map.toml", map);
    place.write(
        "typo.toml",
        map.replace("liftbook-", "liftbok-").replace("origin = \"https://app.example\"\n", ""),
    );
    place.write("d.json", dump("p"));
    place.run("migrate d.json --map map.toml --into a.db").exits(0).prints(
        "note: mapping file: no store is for the rule of \"liftbook-*\" (origin https://app.example; storage of no known \
         origin: 1 dump)\n",
    );
    place
        .run("migrate d.json --map typo.toml --list")
        .exits(0)
        .prints("note: mapping file: no store is for the rule of \"liftbok-*\"\n");
    let ran = place.run("migrate d.json --map map.toml --origin https://app.example --into b.db");
    ran.exits(0).does_not_print("no store is for");
}

#[test]
fn what_was_captured_in_the_future_is_told() {
    let place = Place::new();
    place.write("fut.json", dump("p"));
    place.write("now.json", dump("q"));
    let later = SystemTime::UNIX_EPOCH + Duration::from_hours(1_051_920);
    std::fs::File::options()
        .write(true)
        .open(place.path("fut.json"))
        .and_then(|file| file.set_modified(later))
        .expect("a time");
    let warning = "warning: fut.json: captured 2090-01-01, which is in the future: it counts as the latest of all dumps; give \
        --captured-at if that is wrong\n";
    let ran = place.run("migrate fut.json now.json --into new.db");
    ran.exits(0).prints(warning).does_not_print("warning: now.json");
    place.run("migrate fut.json --captured-at 2025-01-01 --into b.db").exits(0).does_not_print("warning: ");
    place
        .run("migrate now.json --captured-at 2999-01-01 --into c.db")
        .exits(0)
        .prints("warning: now.json: captured 2999-01-01, which is in the future");
}

#[cfg(target_os = "linux")]
#[test]
fn file_systems_of_the_kernel_are_passed_over_and_empty_files_are_not_opened() {
    let place = Place::new();
    place.write("d.json", dump("p"));
    place.run("migrate d.json /proc --list").exits(0).prints("skipped: /proc: not a disk\n");
    place.make_folder("all");
    place.write("all/d.json", dump("p"));
    place.write("all/none.json", "");
    place.run("migrate all --list").exits(3).prints("unreadable: all/none.json: the file is empty\n");
}

#[test]
fn a_list_of_nothing_known_says_how_it_may_be_known() {
    let place = Place::new();
    place.write("d.json", json!({"theme": "dark"}).to_string());
    place.run("migrate d.json --list").exits(0).prints("no store is known here: --map names a mapping file");
    place.write("e.json", dump("p"));
    place.run("migrate e.json --list").exits(0).does_not_print("no store is known").prints(": 1 session\n");
}

#[test]
fn a_quiet_run_tells_what_is_wrong_and_nothing_else() {
    let place = Place::new();
    let bad = json!({"liftbook-store": store("p").replace("\"weekNumber\":1", "\"weekNumber\":\"1\"")});
    place.write("bad.json", bad.to_string());
    place.write("cut.json", &dump("q")[..60]);
    let ran = place.run("--quiet migrate bad.json cut.json --into new.db");
    ran.exits(3).prints_nothing();
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("rejected: bad.json: ")), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("unreadable: cut.json: ")), "{lines:?}");
}

#[cfg(unix)]
#[test]
fn a_line_break_in_a_files_name_is_shown_and_is_none_in_the_report() {
    let place = Place::new();
    place.make_folder("all");
    place.write("all/d.json", dump("p"));
    place.write("all/a\nb.json", &dump("q")[..60]);
    place.run("migrate all --list").exits(3).prints("unreadable: all/a\\nb.json: ");
}

#[test]
fn webkits_salt_beside_its_storage_is_not_named() {
    let place = Place::new();
    migrate_chromium::copy(
        &migrate_chromium::fixtures().join("webkit-origins/storage"),
        &place.path("storage"),
    );
    assert!(place.path("storage/salt").is_file(), "it is there");
    place.run("migrate storage --list").exits(0).does_not_print("salt");
}
