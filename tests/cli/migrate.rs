//! Old dumps of localStorage become events, once.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::other_process::OtherProcess;
use crate::place::Place;

pub(crate) fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/localstorage").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn expected(name: &str) -> Value {
    serde_json::from_slice(&fixture(name)).expect("JSON")
}

/// A place with these fixtures under their own names.
pub(crate) fn place_with(names: &[&str]) -> Place {
    let place = Place::new();
    for name in names {
        place.write(Path::new(name).file_name().expect("a name"), fixture(name));
    }
    place
}

const MAIN: &str = "dumps/chromium-main.stringify.json";
const SECOND: &str = "dumps/firefox-second.stringify.json";

/// The rows of the view, as the expected ones are written, by SQLite's own JSON.
pub(crate) fn progress(place: &Place, database: &str) -> Vec<Value> {
    let text = place.ask(
        database,
        "SELECT json_group_array(json_object('program_id', program_id, 'week_number', week_number, 'day_number', day_number,
           'completed', json(iif(completed, 'true', 'false')), 'completed_at', completed_at, 'feedback', json(feedback)))
         FROM (SELECT * FROM progress_logs ORDER BY program_id, week_number, day_number)",
    );
    serde_json::from_str(text.trim_matches('\'')).expect("rows")
}

/// Every row of every table of events, whatever order they were added in.
fn rows(place: &Place, database: &str) -> Vec<String> {
    let dump = |table: &str, columns: &str| {
        let sql = format!(
            "SELECT group_concat(line, char(10)) FROM (SELECT {columns} AS line FROM {table} ORDER BY 1)"
        );
        format!("{table}: {}", place.ask(database, &sql))
    };
    vec![
        dump("events", "concat_ws('|', _event_id, _created_at, event_type, payload)"),
        dump(
            "event_sources",
            "concat_ws('|', _event_id, import_id, device, origin, format, hex(store_key), store_version, value_sha256, \
             pointer, position, captured_at, line)",
        ),
        dump("original_values", "concat_ws('|', value_sha256, encoding, typeof(value), hex(value))"),
        dump("event_migrations", "concat_ws('|', marker, value_sha256, sessions)"),
    ]
}

#[test]
fn dumps_become_events_that_are_exported_and_restored_the_same() {
    let place = place_with(&[MAIN, SECOND]);
    let ran = place.run("migrate chromium-main.stringify.json firefox-second.stringify.json --into new.db");
    ran.exits(3).adds(&["new.db"]).prints("rejected: ").prints("already there").prints("migrated-c25k");
    assert_eq!(place.ask("new.db", "PRAGMA integrity_check"), "'ok'");
    assert_eq!(place.mode("new.db"), 0o600, "what browsers keep is private");
    place.run("export new.db -o snap").exits(0);
    place.run("restore snap again.db").exits(0);
    place.run("diff new.db again.db").exits(0);
    assert_eq!(place.content("again.db"), place.content("new.db"));
}

#[test]
fn the_sessions_of_real_dumps_give_the_expected_rows_and_rejects() {
    for (dump, name) in [(MAIN, "expected/progress.main.json"), (SECOND, "expected/progress.second.json")] {
        let (place, expected) = (place_with(&[dump]), expected(name));
        let file = Path::new(dump).file_name().expect("a name").to_string_lossy();
        let ran = place.run(&format!("migrate {file} --into new.db --json"));
        let document = ran.document();
        let rejected = expected["sessions_rejected"].as_array().expect("rejects");
        ran.exits(if rejected.is_empty() { 0 } else { 3 });
        assert_eq!(document["totals"]["rejected"], rejected.len());
        let pointers: Vec<String> = rejected
            .iter()
            .map(|reject| format!("\"/state/progressHistory/sessions/{}\"", reject["index"]))
            .collect();
        let told: Vec<String> = document["rejects"]
            .as_array()
            .expect("rejects")
            .iter()
            .map(|told| told["pointer"].to_string())
            .collect();
        assert_eq!(told, pointers);
        let wanted = expected["rows"].as_array().expect("rows");
        let rows = progress(&place, "new.db");
        assert_eq!(rows.len(), wanted.len(), "{name}");
        for (row, wanted) in rows.iter().zip(wanted) {
            for field in ["program_id", "week_number", "day_number", "completed"] {
                assert_eq!(row[field], wanted[field], "{name} {wanted}");
            }
            assert_eq!(row["completed_at"], wanted["completed_at"], "{name} {wanted}");
            for field in ["intensityRating", "scheduledDate"] {
                assert_eq!(row["feedback"][field], wanted["feedback"][field], "{name} {wanted}");
            }
        }
        assert_eq!(
            place.ask("new.db", "SELECT count(*) FROM events WHERE event_type <> 'localstorage_item'"),
            document["totals"]["elements_new"].to_string()
        );
    }
}

/// Reads the dump and the database by itself, and compares every key, every value and every session, unit by unit.
const JUDGE: &str = r#"
import hashlib, json, sqlite3, sys
dump = json.load(open(sys.argv[1], encoding="utf-8"))
db = sqlite3.connect(f"file:{sys.argv[2]}?mode=ro", uri=True)
units = lambda text: text.encode("utf-16le", "surrogatepass")
kept = {}
for key, sha, encoding, value in db.execute(
        "SELECT store_key, s.value_sha256, encoding, value FROM event_sources s JOIN events e USING (_event_id) "
        "JOIN original_values o ON o.value_sha256 = s.value_sha256 WHERE event_type = 'localstorage_item'"):
    raw = value if encoding == "utf-16le" else units(value)
    assert hashlib.sha256(raw).hexdigest() == sha
    kept[key.decode("utf-8", "surrogatepass")] = raw
assert kept == {key: units(value) for key, value in dump.items()}
sessions = 0
for key, pointer, payload in db.execute(
        "SELECT store_key, pointer, payload FROM event_sources JOIN events USING (_event_id) "
        "WHERE event_type = 'workout_session'"):
    value = dump[key.decode("utf-8", "surrogatepass")]
    source = json.loads(payload)["source"]
    assert source in value
    element = json.loads(value)
    for step in pointer.split("/")[1:]:
        element = element[int(step) if isinstance(element, list) else step]
    assert json.loads(source) == element
    sessions += 1
print(len(kept), sessions)
"#;

#[test]
fn every_value_and_the_exact_text_of_each_session_are_kept() {
    for (dump, counts) in [(MAIN, "38 38"), (SECOND, "5 24")] {
        let place = place_with(&[dump]);
        let file = Path::new(dump).file_name().expect("a name").to_string_lossy();
        place.run(&format!("migrate {file} --into new.db --all-keys"));
        assert_eq!(place.read(&*file), fixture(dump), "the source is as it was");
        let mut judge = place.in_here("python3");
        judge.args(["-c", JUDGE, &*file, "new.db"]);
        let Ok(output) = judge.output() else {
            return crate::place::skipped("there is no python3");
        };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), counts);
    }
}

#[test]
fn a_database_that_stays_locked_is_busy_and_left_alone() {
    let place = place_with(&["devices/phone.json"]);
    place.execute("new.db", "CREATE TABLE mine (a)");
    let other = OtherProcess::start(&place.path("new.db"), "BEGIN IMMEDIATE");
    place.run("migrate phone.json --into new.db --busy-timeout 50ms").fails(11, "locked").changes_nothing();
    other.kill();
    place.run("migrate phone.json --into new.db").exits(0);
}

#[test]
fn importing_again_adds_nothing() {
    let place = place_with(&[MAIN]);
    place.run("migrate chromium-main.stringify.json --into new.db").exits(3);
    let before = place.content("new.db");
    let document = place.run("migrate chromium-main.stringify.json --into new.db --json").exits(3).document();
    assert_eq!(document["totals"]["events_new"], 0);
    assert!(document["totals"]["events_known"].as_u64() > Some(30));
    assert_eq!(place.content("new.db"), before);
    // In another form: no session is new.
    place.write("second.json", fixture(SECOND));
    place.run("migrate second.json --into new.db").exits(0);
    let text = String::from_utf8(fixture(SECOND)).expect("UTF-8");
    let store: serde_json::Map<String, Value> = serde_json::from_str(&text).expect("an object");
    place.write("entries.json", serde_json::to_vec(&json!(store.iter().collect::<Vec<_>>())).expect("JSON"));
    let document = place.run("migrate entries.json --into new.db --json").exits(0).document();
    assert_eq!(document["sources"][0]["formats"], json!(["json-entries"]));
    assert_eq!(document["totals"]["events_new"], 0);
}

#[test]
fn the_order_of_inputs_makes_no_difference() {
    let place = place_with(&["devices/phone.json", "devices/tablet.json", SECOND]);
    let names = ["phone.json", "tablet.json", "firefox-second.stringify.json"];
    for (database, order) in [("a.db", [0, 1, 2]), ("b.db", [2, 1, 0]), ("c.db", [1, 2, 0])] {
        let inputs: Vec<&str> = order.into_iter().map(|index| names[index]).collect();
        place.run(&format!("migrate {} --into {database}", inputs.join(" "))).exits(0);
        assert_eq!(place.content(database), place.content("a.db"), "{database}");
    }
    for name in ["firefox-second.stringify.json", "tablet.json", "phone.json"] {
        place.run(&format!("migrate {name} --into one-by-one.db")).exits(0);
    }
    assert_eq!(rows(&place, "one-by-one.db"), rows(&place, "a.db"));
}

#[test]
fn two_devices_are_merged_and_their_conflict_is_told() {
    let place = place_with(&["devices/phone.json", "devices/tablet.json"]);
    place.run("migrate phone.json --into new.db --device phone --captured-at 2025-11-01").exits(0);
    let ran = place
        .run("migrate tablet.json --into new.db --device tablet --captured-at 2025-11-02T08:00:00Z --json");
    let document = ran.exits(0).document();
    assert_eq!(document["totals"]["elements_known"], 1, "one session is the same on both");
    let expected = expected("devices/expected.json");
    let wanted = &expected["merged_rows_when_phone_is_captured_before_tablet"];
    assert_eq!(&json!(progress(&place, "new.db")), wanted);
    assert_eq!(
        document["conflicts"],
        json!([{"program_id": "mini-2w", "week_number": 2, "day_number": 1, "field": "scheduledDate",
                "values": ["2025-10-13", "2025-10-14"], "kept": "2025-10-14"}])
    );
    assert_eq!(
        place.ask("new.db", "SELECT group_concat(DISTINCT device) FROM event_sources"),
        "'phone,tablet'"
    );
    place
        .run("migrate phone.json --into new.db --captured-at 2025-11-01")
        .exits(0)
        .prints("conflict: mini-2w 2-1");
}

#[test]
fn damaged_dumps_are_refused_or_told_and_leave_no_database() {
    let damaged =
        ["cut", "list", "nothing", "numbers-as-values"].map(|name| format!("damaged/json/{name}.json"));
    let place = place_with(&damaged.each_ref().map(String::as_str));
    for (name, message) in
        [("cut", "at byte 2777"), ("list", "this array is no dump"), ("nothing", "the file is empty")]
    {
        place.run(&format!("migrate {name}.json --into new.db")).fails(13, message).changes_nothing();
    }
    let ran = place.run("migrate numbers-as-values.json --into new.db --all-keys");
    ran.exits(0).prints("/count").adds(&["new.db"]);
    assert_eq!(
        place.ask("new.db", "SELECT group_concat(value) FROM (SELECT * FROM original_values ORDER BY value)"),
        "'3,dark'"
    );
    // One of several costs only itself.
    place.write("phone.json", fixture("devices/phone.json"));
    let ran = place.run("migrate cut.json phone.json --into other.db");
    ran.exits(3).prints("unreadable: cut.json: ").prints("at byte 2777").adds(&["other.db"]);
    assert_eq!(place.ask("other.db", "SELECT count(*) FROM progress_logs"), "4");
}

#[test]
fn a_folder_and_lines_of_dumps_are_read() {
    let place = Place::new();
    place.make_folder("dumps");
    place.write("dumps/phone.json", fixture("devices/phone.json"));
    place.write("dumps/readme.txt", "notes");
    let line = |name: &str| {
        let value: Value = serde_json::from_slice(&fixture(name)).expect("JSON");
        format!("{value}\n")
    };
    place.write("dumps/all.ndjson", format!("{}{}", line("devices/tablet.json"), line(SECOND)));
    let document = place.run("migrate dumps --into new.db --json").exits(0).document();
    assert_eq!((&document["totals"]["files"], &document["totals"]["dumps"]), (&json!(2), &json!(3)));
    assert_eq!(document["skipped"][0]["path"], "dumps/readme.txt");
}

#[test]
fn a_dry_run_says_the_same_and_changes_nothing() {
    let place = place_with(&["devices/phone.json", "devices/tablet.json"]);
    let same = |words: &str| {
        let mut dry = place.run(&format!("{words} --dry-run --json")).exits(0).changes_nothing().document();
        assert_eq!(dry["dry_run"], true);
        dry["dry_run"] = json!(false);
        assert_eq!(place.run(&format!("{words} --json")).exits(0).document(), dry);
    };
    same("migrate phone.json --into new.db");
    same("migrate tablet.json --into new.db");
    place
        .run("migrate tablet.json --into new.db --dry-run")
        .exits(0)
        .prints("(dry run: nothing was changed)");
    place.execute("wal.db", "PRAGMA journal_mode=WAL; CREATE TABLE mine (a)");
    place.run("migrate phone.json --into wal.db --dry-run").exits(0).changes_nothing();
}

#[test]
fn several_origins_are_listed_and_none_is_imported_unnamed() {
    let place = place_with(&["dumps/chromium.storageState.json"]);
    let ran = place.run("migrate chromium.storageState.json --into new.db");
    ran.exits(2)
        .changes_nothing()
        .prints("name those you want with --origin")
        .prints("http://127.0.0.1:8571");
    let ran =
        place.run("migrate chromium.storageState.json --into new.db --origin http://127.0.0.1:8572/ --json");
    let document = ran.exits(0).document();
    assert_eq!(
        place.ask("new.db", "SELECT group_concat(DISTINCT origin) FROM event_sources"),
        "'http://127.0.0.1:8572'"
    );
    assert!(document["totals"]["storages_left_out"].as_u64() > Some(0));
    place
        .run("migrate chromium.storageState.json --into x.db --origin http://nowhere")
        .fails(2, "http://nowhere")
        .changes_nothing();
    place
        .run("migrate chromium.storageState.json --list")
        .exits(0)
        .changes_nothing()
        .prints("liftbook-store (zustand, version");
}

#[test]
fn tokens_stay_out_unless_every_key_is_asked_for() {
    let place = Place::new();
    place.write("d.json", r#"{"token":"secret","gymlog-backup":"{\"state\":{\"workoutsSinceBackup\":3,\"lastBackupDate\":null,\"reminderDismissed\":false},\"version\":0}"}"#);
    place.run("migrate d.json --into new.db").exits(0).does_not_print("secret");
    assert_eq!(place.ask("new.db", "SELECT count(*) FROM original_values WHERE value = 'secret'"), "0");
    assert_eq!(place.ask("new.db", "SELECT count(*) FROM events WHERE event_type = 'gymlog_backup'"), "1");
    place.run("migrate d.json --into new.db --all-keys").exits(0).does_not_print("secret");
    assert_eq!(place.ask("new.db", "SELECT count(*) FROM original_values WHERE value = 'secret'"), "1");
}

#[test]
fn strings_that_are_not_unicode_are_kept_unit_by_unit() {
    let place = Place::new();
    place.write("d.json", r#"{"":"\ud83d\u0000x","\udc00":"y"}"#);
    place.run("migrate d.json --into new.db --all-keys").exits(0);
    let blob = "SELECT hex(value) FROM original_values WHERE encoding = 'utf-16le'";
    assert_eq!(place.ask("new.db", blob), "'3DD800007800'");
    assert_eq!(
        place.ask(
            "new.db",
            "SELECT group_concat(hex(store_key)) FROM (SELECT * FROM event_sources ORDER BY store_key)"
        ),
        "',EDB080'"
    );
}

#[test]
fn a_marker_is_told_and_honoured_when_asked() {
    let place = place_with(&[SECOND]);
    let file = "firefox-second.stringify.json";
    let document = place.run(&format!("migrate {file} --into all.db --json")).exits(0).document();
    assert_eq!(document["markers"][0]["program_id"], "c25k");
    assert_eq!(place.ask("all.db", "SELECT marker FROM event_migrations"), "'migrated-c25k'");
    let document =
        place.run(&format!("migrate {file} --into none.db --skip-migrated --json")).exits(0).document();
    assert_eq!(document["totals"]["skipped_as_migrated"], 24);
    assert_eq!(place.ask("none.db", "SELECT count(*) FROM events WHERE event_type = 'workout_session'"), "0");
    assert_eq!(
        place.ask("none.db", "SELECT count(*) FROM original_values WHERE value LIKE '%progressHistory%'"),
        "1"
    );
}

#[test]
fn the_value_of_one_store_needs_its_key() {
    let place = Place::new();
    let store: Value = serde_json::from_slice(&fixture("devices/phone.json")).expect("JSON");
    place.write("store.json", store["liftbook-store"].as_str().expect("a store"));
    place.run("migrate store.json --into new.db").fails(2, "").hints("--key").changes_nothing();
    place.run("migrate store.json --into new.db --key liftbook-store").exits(0);
    assert_eq!(place.ask("new.db", "SELECT count(*) FROM progress_logs"), "4");
}

#[test]
fn an_existing_database_keeps_what_it_has() {
    let place = Place::with_gymlog();
    place.write("phone.json", fixture("devices/phone.json"));
    let before: Vec<String> = place.content("gymlog.db");
    place.run("migrate phone.json --into gymlog.db").exits(0).changes_only(&["gymlog.db"], &[] as &[&str]);
    let after = place.content("gymlog.db");
    assert!(before.iter().all(|row| after.contains(row)), "nothing of it is altered");
    assert_eq!(place.ask("gymlog.db", "SELECT count(*) FROM progress_logs"), "4");
    place.execute("own.db", "CREATE TABLE progress_logs (a); CREATE TABLE other (b)");
    place.run("migrate phone.json --into own.db").exits(0);
    assert_eq!(place.ask("own.db", "SELECT type FROM sqlite_schema WHERE name = 'progress_logs'"), "'table'");
}

#[test]
fn a_table_that_does_not_fit_is_refused_and_nothing_is_changed() {
    let place = place_with(&["devices/phone.json"]);
    for (index, (ddl, reason)) in [
        ("CREATE TABLE events (a)", "no column \"_event_id\""),
        (
            "CREATE TABLE events (_event_id TEXT, _created_at, event_type, payload)",
            "neither primary key nor UNIQUE",
        ),
        (
            "CREATE TABLE events (_event_id TEXT PRIMARY KEY, _created_at INTEGER, event_type, payload)",
            "has type INTEGER",
        ),
        (
            "CREATE TABLE events (_event_id TEXT PRIMARY KEY, _created_at, event_type, payload, x NOT NULL)",
            "needs a value",
        ),
        ("CREATE VIEW events AS SELECT 1", "no table but a view"),
        ("CREATE TABLE event_sources (a)", "another program's"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("{index}.db");
        place.execute(&name, ddl);
        place.run(&format!("migrate phone.json --into {name}")).fails(2, reason).changes_nothing();
    }
    let check =
        "CREATE TABLE events (_event_id TEXT PRIMARY KEY, _created_at, event_type, payload CHECK (0))";
    place.execute("check.db", check);
    let before = place.content("check.db");
    place.run("migrate phone.json --into check.db").fails(1, "refuse an event");
    assert_eq!(place.content("check.db"), before);
}

#[test]
fn a_mapping_file_names_stores_and_the_table() {
    let place = Place::new();
    place.execute(
        "log.db",
        "CREATE TABLE log (id TEXT PRIMARY KEY, at TEXT, kind TEXT, body TEXT, more INTEGER DEFAULT 7)",
    );
    place.write(
        "d.json",
        r#"{"runs":"{\"list\":[{\"w\":1,\"d\":2,\"ok\":true,\"when\":\"2025-01-02T03:04:05Z\"}]}"}"#,
    );
    place.write(
        "map.toml",
        r#"
[target]
table = "log"
event_id = "id"
created_at = "at"
event_type = "kind"
payload = "body"

[[store]]
key = "runs"
envelope = "none"
each = "/list"
event = "workout_session"
[store.fields]
program_id = { value = "runs", type = "text" }
week_number = { at = "/w" }
day_number = { at = "/d" }
completed = { at = "/ok" }
completed_at = { at = "/when", optional = true }
"#,
    );
    place.run("migrate d.json --into log.db --map map.toml").exits(0);
    let row = "SELECT at || kind || more FROM log WHERE kind = 'workout_session'";
    assert_eq!(place.ask("log.db", row), "'2025-01-02T03:04:05.000Zworkout_session7'");
    assert_eq!(
        place.ask("log.db", "SELECT program_id || week_number || completed_at FROM progress_logs"),
        "'runs12025-01-02T03:04:05.000Z'"
    );
    place.write("wrong.toml", "[[store]]\nkey = \"x\"\nenvelop = \"none\"\n");
    place.run("migrate d.json --into log.db --map wrong.toml").fails(2, "line 3").hints("envelope");
}

#[test]
fn what_holds_no_storage_is_refused() {
    let place = Place::new();
    place.make_folder("Default");
    place.make_folder("Default/Local Storage");
    place.run("migrate Default --into new.db").fails(13, "no localStorage here").changes_nothing();
    place.execute("Default/LocalStorage", "CREATE TABLE map_entries (map_id, key, value)");
    place
        .run("migrate Default --into new.db")
        .fails(13, "no localStorage here")
        .hints("about:support")
        .changes_nothing();
    place.run("migrate nothing.json --into new.db").fails(10, "no such file").changes_nothing();
    place.make_folder("empty");
    place
        .run("migrate empty --into new.db")
        .fails(13, "no localStorage here, and no dump of it")
        .changes_nothing();
}

/// A link to itself cannot be looked at, and the memory of a process cannot be read from its beginning, whoever asks.
#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_read_costs_itself_alone() {
    use std::os::unix::fs::symlink;
    let place = place_with(&["devices/phone.json"]);
    place.make_folder("dumps");
    place.write("dumps/phone.json", fixture("devices/phone.json"));
    symlink("loop.json", place.path("dumps/loop.json")).expect("a link");
    symlink("nowhere", place.path("dumps/lock")).expect("a link");
    let document = place.run("migrate dumps --into new.db --json").exits(3).adds(&["new.db"]).document();
    let sources = document["sources"].as_array().expect("sources");
    let unread: Vec<&Value> = sources.iter().filter(|source| source["unreadable"] != json!([])).collect();
    assert_eq!(unread.len(), 1, "{unread:?}");
    assert_eq!((&unread[0]["path"], &unread[0]["captured_at"]), (&json!("dumps/loop.json"), &Value::Null));
    assert_eq!(document["skipped"][0]["reason"], "a link that leads nowhere", "as browsers leave them");
    assert_eq!(place.ask("new.db", "SELECT count(*) FROM progress_logs"), "4");
    place
        .run("migrate dumps --list")
        .exits(3)
        .prints("unreadable: dumps/loop.json: looking at a path failed: ");
    if cfg!(target_os = "linux") {
        symlink("/proc/self/mem", place.path("dumps/mem.json")).expect("a link");
        place
            .run("migrate dumps --into other.db")
            .exits(3)
            .prints("unreadable: dumps/mem.json: ")
            .prints("unreadable: dumps/loop.json: ");
        assert_eq!(place.ask("other.db", "SELECT count(*) FROM progress_logs"), "4");
    }
    // Named itself, beside one that can be read, alone, and one that is not there.
    place.run("migrate dumps/loop.json phone.json --into named.db").exits(3).adds(&["named.db"]);
    place
        .run("migrate dumps/loop.json --into none.db")
        .fails(13, "looking at a path failed")
        .changes_nothing();
    place.run("migrate dumps/lock phone.json --into none.db").fails(10, "no such file").changes_nothing();
}

#[test]
fn storage_of_webkit_is_told_by_the_origins_beside_it_and_not_by_a_salt() {
    let place = Place::new();
    place.make_folder("storage");
    place.write("storage/salt", "12345678");
    place.write("storage/phone.json", fixture("devices/phone.json"));
    place.write("storage/origin", "notes on where it is from");
    place.run("migrate storage --list").exits(0).prints("skipped: storage/salt").prints("liftbook-store");
    place.write("storage/origin", b"\x04\0\0\0\x01http\x09\0\0\0\x01127.0.0.1\x01{!");
    place.run("migrate storage --list").fails(13, "no localStorage here").changes_nothing();
}

#[test]
fn a_killed_run_leaves_the_old_state() {
    let place = place_with(&["devices/phone.json"]);
    place.run("migrate phone.json --into old.db").exits(0);
    let before = place.content("old.db");
    let line = |program: usize| {
        let dump = String::from_utf8(fixture("devices/tablet.json")).expect("UTF-8").replace('\n', " ");
        dump.replace("mini-2w", &format!("p{program}")) + "\n"
    };
    place.write("many.ndjson", (0..20_000).map(line).collect::<String>());
    for target in ["old.db", "new.db"] {
        let mut command = place.command();
        command
            .args(["migrate", "many.ndjson", "--into", target, "--quiet"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("the program starts");
        let began = Instant::now();
        // Once it is at work, which shows in a journal or a stage; a run that is over would prove nothing.
        let is_at_work = || {
            place.listing().keys().any(|path| {
                let name = path.to_string_lossy();
                name.ends_with("-journal") || name.starts_with(".parklite-stage-")
            })
        };
        while !is_at_work() && began.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_millis(50));
        assert!(child.try_wait().expect("asked").is_none(), "it was over before it could be killed");
        child.kill().expect("killed");
        child.wait().expect("ended");
        assert!(!place.path("new.db").exists(), "no part of it has a name");
        assert_eq!(place.content("old.db"), before);
    }
    let ran = place.run("migrate phone.json --into new.db");
    ran.exits(0);
    assert!(place.listing().keys().all(|path| !path.to_string_lossy().starts_with(".parklite-stage-")));
}
