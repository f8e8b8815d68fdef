//! What was in browsers is put back: as a file for Playwright, and as a text for a console.

use std::path::Path;

use serde_json::{Value, json};

use crate::migrate::{fixture, place_with};
use crate::place::Place;

const DEVICES: [&str; 2] = ["devices/phone.json", "devices/tablet.json"];
const ORIGIN: &str = "--origin https://app.example";

fn read_json(place: &Place, name: &str) -> Value {
    serde_json::from_slice(&place.read(name)).expect("JSON")
}

/// The rows of the view, as the expected ones are written.
fn progress(place: &Place, database: &str) -> Value {
    Value::from(crate::migrate::progress(place, database))
}

#[test]
fn the_merged_stores_of_two_devices_come_back_as_one() {
    let phone = "migrate phone.json --captured-at 2025-11-01 --origin https://app.example --into";
    let tablet = "migrate tablet.json --captured-at 2025-11-02 --origin https://app.example --into";
    let mut files = Vec::new();
    for (database, [first, second]) in [("a.db", [phone, tablet]), ("b.db", [tablet, phone])] {
        let place = place_with(&DEVICES);
        place.run(&format!("{first} {database}")).exits(0);
        let ran = place.run(&format!("{second} {database} --emit storage-state -o state.json"));
        ran.exits(0)
            .prints("merged: liftbook-store: 2 values")
            .prints("put back: https://app.example, 1 key")
            .prints("put back: written to state.json");
        files.push(place.read("state.json"));
        let state = read_json(&place, "state.json");
        let item = &state["origins"][0]["localStorage"][0];
        assert_eq!(
            (&state["origins"][0]["origin"], &item["name"]),
            (&json!("https://app.example"), &json!("liftbook-store"))
        );
        let store: Value = serde_json::from_str(item["value"].as_str().expect("a value")).expect("JSON");
        assert_eq!(store["version"], 2);
        assert_eq!(store["state"]["currentProgram"], json!({"id": "mini-2w"}));
        let sessions = store["state"]["progressHistory"]["sessions"].as_array().expect("sessions");
        assert_eq!(sessions.len(), 5, "no session is doubled");
        // An import of it alone shows what both came to.
        place.run("migrate state.json --into again.db").exits(0);
        let expected: Value = serde_json::from_slice(&fixture("devices/expected.json")).expect("JSON");
        assert_eq!(
            progress(&place, "again.db"),
            expected["merged_rows_when_phone_is_captured_before_tablet"]
        );
        // What was put back is merged with what it came from without anything new of it.
        place.run(&format!(
            "migrate state.json --captured-at 2025-11-03 --into {database} --emit storage-state -o twice.json"
        ));
        assert_eq!(read_json(&place, "twice.json"), state);
    }
    assert_eq!(files[0], files[1], "the order of imports makes no difference");
}

/// Compares the file with the dump, key by key and unit by unit.
const JUDGE: &str = r#"
import json, sys
dump, state = (json.load(open(path, encoding="utf-8")) for path in sys.argv[1:])
assert open(sys.argv[2], "rb").read().isascii()
assert state["cookies"] == [] and [o["origin"] for o in state["origins"]] == ["https://app.example"]
items = state["origins"][0]["localStorage"]
assert {item["name"]: item["value"] for item in items} == dump and len(items) == len(dump)
print(len(items))
"#;

#[test]
fn every_key_of_a_real_dump_comes_back_unit_by_unit() {
    for (dump, count) in
        [("dumps/chromium-main.stringify.json", "38"), ("dumps/firefox-second.stringify.json", "5")]
    {
        let place = place_with(&[dump]);
        let file = Path::new(dump).file_name().expect("a name").to_string_lossy();
        place.run(&format!("migrate {file} --all-keys {ORIGIN} --emit storage-state -o state.json"));
        let mut judge = place.in_here("python3");
        judge.args(["-c", JUDGE, &*file, "state.json"]);
        let Ok(output) = judge.output() else {
            return crate::place::skipped("there is no python3");
        };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), count);
    }
}

/// Runs the text as the console of a page would, with a storage of its own.
const CONSOLE: &str = r#"
const fs = require("fs"), vm = require("vm"), assert = require("assert");
const text = fs.readFileSync("paste.js", "utf8"), dump = JSON.parse(fs.readFileSync("dump.json", "utf8"));
assert(!/[^\x00-\x7f]|<|>\//.test(text.split("\n  ];")[0]));
function page(before, origin, answer, room = Infinity) {
  const map = new Map(Object.entries(before)), page = { map, asked: 0, loads: 0, error: null };
  const localStorage = {
    getItem: key => map.has(key) ? map.get(key) : null,
    setItem(key, value) { if (map.size >= room && !map.has(key)) throw new Error("QuotaExceededError"); map.set(key, String(value)); },
    removeItem: key => map.delete(key),
  };
  const location = { origin, reload() { page.loads++; } };
  const confirm = () => { page.asked++; return answer; };
  try { page.result = vm.runInNewContext(text, { localStorage, location, confirm }); } catch (error) { page.error = String(error); }
  return page;
}
const app = "https://app.example", keys = Object.keys(dump);
let run = page({ other: "stays" }, app, false);
assert.deepStrictEqual([run.asked, run.loads, run.error], [0, 1, null]);
assert.strictEqual(run.map.get("other"), "stays");
for (const key of keys) assert.strictEqual(run.map.get(key), dump[key]);
assert.strictEqual(run.map.size, keys.length + 1);
run = page({}, "https://elsewhere.example", true);
assert(run.error.includes("nothing was changed") && run.map.size === 0 && run.loads === 0);
run = page({ [keys[0]]: "newer" }, app, false);
assert.deepStrictEqual([run.asked, run.loads, run.map.get(keys[0]), run.map.size], [1, 0, "newer", 1]);
run = page({ [keys[0]]: "newer" }, app, true);
assert.deepStrictEqual([run.asked, run.loads, run.map.get(keys[0])], [1, 1, dump[keys[0]]]);
run = page({ [keys[0]]: "newer" }, app, true, 2);
assert(run.error.includes("nothing was changed"));
assert.deepStrictEqual([...run.map], [[keys[0], "newer"]]);
console.log(keys.length);
"#;

#[test]
fn a_console_gets_every_unit_and_is_asked_before_anything_is_replaced() {
    let place = Place::new();
    place.write(
        "dump.json",
        r#"{"a":"\ud83d\u0000x","\udc00":"</script><script>alert(1)</script>","__proto__x":"'\"\\`${1}\u2028\u2029\r\n","":"y","é":"😀"}"#,
    );
    let ran = place.run(&format!("migrate dump.json --all-keys {ORIGIN} --emit console"));
    ran.exits(0);
    assert!(ran.stderr.contains("put back: https://app.example, 5 keys"), "{}", ran.stderr);
    place.write("paste.js", &ran.stdout);
    let mut judge = place.in_here("node");
    judge.args(["-e", CONSOLE]);
    let Ok(output) = judge.output() else {
        return crate::place::skipped("there is no node");
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "5");
}

#[test]
fn a_file_is_never_overwritten_and_a_dry_run_writes_none() {
    let place = place_with(&DEVICES);
    let words = format!("migrate phone.json {ORIGIN} --into new.db --emit storage-state -o state.json");
    place.run(&format!("{words} --dry-run")).exits(0).prints("would be written").changes_nothing();
    place.run(&words).exits(0).adds(&["new.db", "state.json"]);
    place.run(&words).fails(12, "the target exists").changes_nothing();
    place.run(&format!("{words} --json")).exits(12).changes_nothing();
    let ran = place.run(&format!("migrate phone.json {ORIGIN} --into new.db --dry-run --emit storage-state"));
    ran.exits(0).changes_nothing();
    assert_eq!(ran.stdout.as_bytes(), place.read("state.json"), "a dry run makes the same");
}

/// Compares two files of Playwright's, origin by origin; the second has only those that were asked for.
const SAME_ORIGINS: &str = r#"
import json, sys
def storages(path):
    state = json.load(open(path, encoding="utf-8"))
    return {o["origin"]: {item["name"]: item["value"] for item in o["localStorage"]} for o in state["origins"]}
given, made = map(storages, sys.argv[1:])
assert sorted(made) == ["http://127.0.0.1:8571", "http://127.0.0.1:8572"], sorted(made)
for origin, items in made.items():
    assert items == given[origin], origin
"#;

#[test]
fn whose_storage_it_is_must_be_known() {
    let place = place_with(&["devices/phone.json", "dumps/chromium.storageState.json"]);
    let words = "migrate phone.json --emit storage-state";
    place.run(words).fails(2, "do not say whose storage").hints("--origin").changes_nothing();
    let words = "migrate phone.json --emit console";
    place.run(words).fails(2, "a console is of one page").hints("--origin").changes_nothing();
    let all = "migrate chromium.storageState.json --all-keys --origin http://127.0.0.1:8571 --origin http://127.0.0.1:8572";
    place.run(&format!("{all} --emit console")).fails(2, "a console is of one origin").changes_nothing();
    place.run(&format!("{all} --emit storage-state -o state.json"));
    let mut judge = place.in_here("python3");
    judge.args(["-c", SAME_ORIGINS, "chromium.storageState.json", "state.json"]);
    match judge.output() {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        Err(_) => crate::place::skipped("there is no python3"),
    }
    place.run("migrate phone.json --emit console --program x").fails(2, "bulk-sync").changes_nothing();
}

#[test]
fn what_cannot_be_merged_comes_from_the_latest_and_is_told() {
    let place = place_with(&["devices/phone.json"]);
    let phone = String::from_utf8(fixture("devices/phone.json")).expect("UTF-8");
    place.write("program.json", phone.replace("mini-2w", "other"));
    place.write("version.json", phone.replace("\\\"version\\\": 2", "\\\"version\\\": 3"));
    place.write("theme.json", r#"{"theme":"dark"}"#);
    place.write("theme2.json", r#"{"theme":"light"}"#);
    let import = |file: &str, day: u32, database: &str| {
        let words = format!(
            "migrate {file} --captured-at 2025-11-{day:02} --all-keys {ORIGIN} --into {database} --emit console"
        );
        let ran = place.run(&words);
        // Sessions that are nowhere in what is put back make it partial; a theme of another day does not.
        ran.exits(if file == "program.json" { 3 } else { 0 });
        (ran.stdout.clone(), ran.stderr.clone())
    };
    import("phone.json", 1, "p.db");
    let (text, report) = import("program.json", 2, "p.db");
    assert!(report.contains("4 of program \"mini-2w\" are not put in"), "{report}");
    assert!(report.contains("4 sessions left out"), "{report}");
    assert!(text.contains("other") && !text.contains("mini-2w"));
    import("phone.json", 1, "v.db");
    let (_, report) = import("version.json", 2, "v.db");
    assert!(report.contains("a store of version 2 is not put into the latest one, of version 3"), "{report}");
    import("theme.json", 1, "t.db");
    let (text, report) = import("theme2.json", 2, "t.db");
    assert!(
        report.contains("theme: 2 values") && report.contains("no rule says how to merge it"),
        "{report}"
    );
    assert!(text.contains("[\"theme\", \"light\"]"), "{text}");
    // An older capture that comes later changes nothing.
    let (again, _) = import("theme.json", 1, "t.db");
    assert_eq!(again, text);
}

#[test]
fn a_dump_of_no_known_origin_is_never_put_over_the_store_that_is_known_to_be_of_the_page() {
    let place = place_with(&DEVICES);
    let tablet = String::from_utf8(fixture("devices/tablet.json")).expect("UTF-8");
    place.write("other.json", tablet.replace("mini-2w", "other"));
    let sessions = |ran: &crate::ran::Ran| {
        let state: Value = serde_json::from_str(&ran.stdout).expect("JSON");
        let value = state["origins"][0]["localStorage"][0]["value"].as_str().expect("a value");
        let store: Value = serde_json::from_str(value).expect("JSON");
        (
            store["state"]["currentProgram"]["id"].as_str().map(str::to_owned),
            store["state"]["progressHistory"]["sessions"].as_array().map_or(0, Vec::len),
        )
    };
    let told = "the latest is of a dump of no known origin (captured 2025-11-05";
    // Of another program: nothing of it is put in, and that is no success.
    place.run("migrate other.json --captured-at 2025-11-05 --into a.db").exits(0);
    let words =
        format!("migrate phone.json --captured-at 2025-11-01 {ORIGIN} --into a.db --emit storage-state");
    let ran = place.run(&words);
    ran.exits(3);
    assert_eq!(sessions(&ran), (Some("mini-2w".to_owned()), 4));
    assert!(
        ran.stderr.contains(told) && ran.stderr.contains("known to be of this one is the base"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("of program \"other\" are not put in"), "{}", ran.stderr);
    // Of the same one: its sessions come along, in the store of the page.
    place.run("migrate tablet.json --captured-at 2025-11-05 --into b.db").exits(0);
    let ran = place.run(&words.replace("a.db", "b.db"));
    ran.exits(0);
    assert_eq!(sessions(&ran), (Some("mini-2w".to_owned()), 5));
    assert!(ran.stderr.contains(told), "{}", ran.stderr);
    // Where nothing else is there, it is taken for what is named, and that is told.
    place.run("migrate tablet.json --captured-at 2025-11-05 --into c.db").exits(0);
    place.write("theme.json", r#"{"theme":"dark"}"#);
    let words = format!("migrate theme.json --captured-at 2025-11-01 {ORIGIN} --into c.db --emit console");
    let ran = place.run(&words);
    assert!(ran.stderr.contains(&format!("liftbook-store: {told}")), "{}", ran.stderr);
    let of_page =
        format!("migrate theme.json --captured-at 2025-11-01 {ORIGIN} --all-keys --into d.db --emit console");
    assert!(!place.run(&of_page).exits(0).stderr.contains("merged:"));
}

#[test]
fn members_that_nobody_asked_about_come_along_and_a_later_null_erases_nothing() {
    let place = Place::new();
    let store = |sessions: &str| {
        let value = format!(
            r#"{{"state":{{"progressHistory":{{"programId":"p","sessions":[{sessions}]}},"x" : 1.50}},"version":0}}"#
        );
        json!({ "s": value }).to_string()
    };
    place.write("old.json", store(r#"{"weekNumber":1,"dayNumber":1,"completed":true,"intensityRating":"hard","note":"\ud83d","exerciseLogs":[1]}, {"weekNumber":10,"dayNumber":1,"completed":false}, {"weekNumber":2,"dayNumber":1,"completed":false}"#));
    place.write("new.json", store(r#"{"weekNumber":1,"dayNumber":1,"completed":false,"intensityRating":null,"exerciseLogs":[2]}, null"#));
    place.run(&format!("migrate old.json --captured-at 2025-01-01 {ORIGIN} --into a.db"));
    let ran = place
        .run(&format!("migrate new.json --captured-at 2025-01-02 {ORIGIN} --into a.db --emit storage-state"));
    ran.exits(3);
    let state: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let value = state["origins"][0]["localStorage"][0]["value"].as_str().expect("a value");
    assert!(value.ends_with(r#"]},"x" : 1.50},"version":0}"#), "{value}");
    assert!(value.contains(r#""note":"\ud83d""#), "{value}");
    let store: Value = serde_json::from_str(&value.replace("\\ud83d", "")).expect("JSON");
    let sessions = &store["state"]["progressHistory"]["sessions"];
    assert_eq!(sessions[0]["completed"], true);
    assert_eq!(sessions[0]["intensityRating"], "hard");
    assert_eq!(sessions[0]["exerciseLogs"], json!([2]));
    assert!(sessions[0].get("note").is_some());
    assert_eq!(sessions[1], Value::Null, "what fits no rule stays in its place");
    assert_eq!((&sessions[2]["weekNumber"], &sessions[3]["weekNumber"]), (&json!(2), &json!(10)));
}
