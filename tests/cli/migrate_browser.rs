//! A real Chromium and the real zustand: what pages write is migrated, and what is put back is read by them.
//!
//! `scripts/browser/drive.js` is the person at the browser. It needs `PARKLITE_BROWSER`, a Chromium, and
//! `PARKLITE_NODE_MODULES`, the packages of `scripts/browser/package-lock.json`; without them nothing here is tested.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::migrate::{fixture, progress};
use crate::migrate_chromium::{fixtures, judged};
use crate::place::{Place, skipped};
use crate::ran::wait;

const APP: &str = "--origin https://app.example";
/// How Chromium keeps storage, by the features that are switched on.
const LEVELDB: &str = "-";
const SQLITE: &str = "DomStorageSqlite,DomStorageSqliteNewDatabases";
const SQLITE_BESIDE_LEVELDB: &str = "DomStorageSqlite";
/// A browser writes what a page has changed after seconds, on a busy machine after more.
const PATIENCE: Duration = Duration::from_mins(2);

/// The driver, about to run here in a group of its own; `None` where there is no browser.
fn driver(place: &Place, words: &[&str]) -> Option<Command> {
    let given = ["PARKLITE_BROWSER", "PARKLITE_NODE_MODULES"]
        .map(|name| std::env::var_os(name).filter(|value| !value.is_empty()));
    if given.iter().any(Option::is_none) {
        skipped("PARKLITE_BROWSER and PARKLITE_NODE_MODULES name no browser and no packages");
        return None;
    }
    let home = place.path("home");
    fs::create_dir_all(&home).expect("a folder");
    let mut command = place.in_here("node");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/browser/drive.js")).args(words);
    command.env("HOME", &home).env("TMPDIR", &home).env("DBUS_SESSION_BUS_ADDRESS", "disabled:");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    Some(command)
}

/// Drives the browser to the end of a task; `false` where there is none.
fn drive(place: &Place, words: &[&str]) -> bool {
    let Some(mut command) = driver(place, words) else { return false };
    let output = wait(command.spawn().expect("node starts"));
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    true
}

/// A fixture's path, as an argument.
fn tablet() -> String {
    fixtures().join("devices/tablet.json").to_string_lossy().into_owned()
}

fn read(place: &Place, name: &str) -> Value {
    serde_json::from_slice(&place.read(name)).expect("JSON")
}

/// Compares the sessions that pages had in their stores with the events, and each event's text with the value it is of.
const SESSIONS: &str = r#"
import json, sqlite3, sys
truth = json.load(open(sys.argv[2], encoding="utf-8"))
db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
values = {sha: value if encoding == "utf-8" else value.decode("utf-16le", "surrogatepass")
          for sha, encoding, value in db.execute("SELECT value_sha256, encoding, value FROM original_values")}
found = {}
for at, payload in db.execute("SELECT _created_at, payload FROM events WHERE event_type = 'workout_session'"):
    event = json.loads(payload)
    assert any(event["source"] in value for value in values.values())
    found[event["program_id"], event["week_number"], event["day_number"]] = (at, event)
wanted = 0
for state in (truth["liftbook"], json.loads(truth["runlog"])):
    for session in state["progressHistory"]["sessions"]:
        at, event = found[state["progressHistory"]["programId"], session["weekNumber"], session["dayNumber"]]
        assert json.loads(event["source"]) == session
        for column, member in (("completed", "completed"), ("completed_at", "completedAt"),
                               ("intensity_rating", "intensityRating"), ("scheduled_date", "scheduledDate")):
            assert event.get(column) == session.get(member), (column, event, session)
        assert not session.get("completedAt") or at == session["completedAt"]
        wanted += 1
print(len(found), wanted)
"#;

/// Whether the events of a database are the sessions that pages reported.
fn has_the_sessions(place: &Place, database: &str, truth: &str) {
    let mut judge = place.in_here("python3");
    judge.args(["-c", SESSIONS, database, truth]);
    let Ok(output) = judge.output() else { return skipped("there is no python3") };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "17 17");
}

/// Fills a profile, migrates it and archives what came of it.
fn a_profile_is_migrated_and_archived(features: &str, source: &str, format: &str) -> Option<Place> {
    let place = Place::new();
    if !drive(&place, &["fill", "profile", features, &tablet(), "truth.json"]) {
        return None;
    }
    let all = format!("{APP} --origin https://other.example --all-keys --with-partitioned");
    place
        .run("migrate profile --list")
        .exits(0)
        .changes_nothing()
        .prints("https://app.example: 23 keys in 1 source")
        .prints("https://other.example inside https://app.example: 1 key")
        .prints("liftbook-store (zustand, version 2): 5 sessions")
        .prints("runlog (zustand, version 0): 12 sessions")
        .prints("gymlog-backup (zustand, version 0): 1 element")
        .prints("migrated-c25k: ")
        .does_not_print("secret");
    // Tokens of other sites stay where they are.
    place.run("migrate profile --into gym.db").exits(2).changes_nothing().prints("several origins");
    let document = place.run(&format!("migrate profile --into all.db --json {all}")).exits(0).document();
    assert_eq!(document["sources"][0]["path"], source);
    assert_eq!(document["sources"][0]["formats"], json!([format]));
    let truth = place.path("truth.json").to_string_lossy().into_owned();
    assert!(judged(&place, "all.db", &truth, "storages").is_none_or(|counts| counts == [25, 25, 25]));

    place.run(&format!("migrate profile --into gym.db {APP}")).exits(0).adds(&["gym.db"]);
    has_the_sessions(&place, "gym.db", "truth.json");
    place.run(&format!("migrate profile --into gym.db {APP}")).exits(0).prints("\n0 events new");
    place.run("export gym.db -o snap").exits(0);
    place.run("restore snap again.db").exits(0);
    place.run("diff gym.db again.db").exits(0);
    assert_eq!(place.content("again.db"), place.content("gym.db"));
    has_the_sessions(&place, "again.db", "truth.json");
    Some(place)
}

#[test]
fn what_pages_wrote_through_zustand_is_migrated_archived_and_restored() {
    let leveldb = "profile/Default/Local Storage/leveldb";
    let Some(place) = a_profile_is_migrated_and_archived(LEVELDB, leveldb, "chromium-leveldb") else {
        return;
    };
    // The browser is updated, begins anew in a file, and pages find nothing of what they had.
    assert!(drive(&place, &["reopen", "profile", SQLITE_BESIDE_LEVELDB, "later.json"]));
    let later = read(&place, "later.json");
    assert_eq!(
        (&later["storages"][0]["count"], &later["liftbook"]["currentProgram"]),
        (&json!(1), &json!(null))
    );
    place.run("migrate profile --list").exits(0).prints("https://app.example: 24 keys in 2 sources");
    place.run(&format!("migrate profile --into both.db {APP} --all-keys")).exits(0);
    has_the_sessions(&place, "both.db", "truth.json");
    assert_eq!(
        place.ask("both.db", "SELECT count(*) FROM event_sources WHERE store_key = CAST('since' AS BLOB)"),
        "1"
    );
}

#[test]
fn what_pages_wrote_into_chromiums_newer_file_is_migrated_archived_and_restored() {
    a_profile_is_migrated_and_archived(SQLITE, "profile/Default/LocalStorage", "chromium-sqlite");
}

/// A browser that runs; it is ended with this value, whatever happens.
struct Running(Option<Child>);

impl Running {
    fn says(&mut self, line: &str) {
        let output = self.0.as_mut().and_then(|child| child.stdout.as_mut()).expect("its output is piped");
        let mut said = String::new();
        // Read by the byte, as what comes later must stay in the pipe.
        BufReader::with_capacity(1, output).read_line(&mut said).expect("a line");
        assert_eq!(said.trim(), line);
    }

    fn goes_on(&mut self) {
        let input = self.0.as_mut().and_then(|child| child.stdin.as_mut()).expect("its input is piped");
        input.write_all(b"\n").expect("it listens");
    }

    fn ends(mut self) {
        self.goes_on();
        let output = wait(self.0.take().expect("it runs"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let group = rustix::process::Pid::from_child(child);
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            let _ = child.wait();
        }
    }
}

/// How far the page's two counters are from each other in a database; `None` unless both are there.
fn steps_between_counters(place: &Place, database: &str) -> Option<u64> {
    let sql = "SELECT iif(count(*) = 2, max(CAST(value AS INTEGER)) - min(CAST(value AS INTEGER)), 'none')
        FROM event_sources JOIN original_values USING (value_sha256)
        WHERE pointer = '' AND store_key IN (CAST('first' AS BLOB), CAST('second' AS BLOB))";
    place.path(database).exists().then(|| place.ask(database, sql).parse().ok()).flatten()
}

fn a_browser_that_runs_is_read_as_of_one_moment(features: &str) {
    let place = Place::new();
    let Some(mut command) = driver(&place, &["live", "profile", features, "truth.json"]) else { return };
    let mut running = Running(Some(command.spawn().expect("node starts")));
    running.says("writing");
    let begun = Instant::now();
    let mut copies = 0;
    for number in 0.. {
        assert!(begun.elapsed() < PATIENCE, "the browser writes nothing");
        let database = format!("{number}.db");
        let ran = place.run(&format!("migrate profile {APP} --all-keys --into {database}"));
        let steps = steps_between_counters(&place, &database);
        assert!(steps.is_none_or(|steps| steps <= 1), "{steps:?} steps apart: {}", ran.stdout);
        match ran.code() {
            Some(0) if steps.is_some() => copies += 1,
            Some(11) => _ = ran.hints("close the browser"),
            // Nothing of the page is on the disk yet.
            Some(2) if copies == 0 && ran.stderr.contains("no input holds storage of") => {}
            // 3: the end of what was being written, which is told.
            Some(0 | 3 | 13) => {}
            _ => panic!("{:?}: {} {}", ran.code(), ran.stdout, ran.stderr),
        }
        if copies == 3 {
            break;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    running.goes_on();
    running.says("still");
    let truth = place.path("truth.json").to_string_lossy().into_owned();
    let begun = Instant::now();
    // With the browser at rest, all is read while it runs.
    for number in 0.. {
        assert!(begun.elapsed() < PATIENCE, "what the page reported is not on the disk");
        let database = format!("still-{number}.db");
        place.run(&format!("migrate profile {APP} --all-keys --into {database}"));
        let is_whole =
            || judged(&place, &database, &truth, "storages").is_none_or(|counts| counts == [4, 4, 4]);
        if place.path(&database).exists() && is_whole() {
            place.run(&format!("migrate profile {APP} --all-keys --into {database}")).exits(0);
            running.ends();
            let ran = place.run(&format!("migrate profile {APP} --all-keys --into {database}"));
            ran.exits(0).prints("\n0 events new");
            return;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_running_browser_is_read_as_of_one_moment() {
    a_browser_that_runs_is_read_as_of_one_moment(LEVELDB);
}

#[test]
fn a_running_browser_with_the_newer_file_is_read_as_of_one_moment() {
    a_browser_that_runs_is_read_as_of_one_moment(SQLITE);
}

/// What the guide says to type into a console to make a dump.
fn snippets() -> Vec<String> {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/MIGRATE.md");
    let text = fs::read_to_string(guide).expect("the guide");
    text.lines().filter(|line| line.starts_with("copy(")).map(str::to_owned).collect()
}

#[test]
fn the_guides_dumps_are_read_and_what_is_put_back_is_read_by_the_app() {
    let place = Place::new();
    assert_eq!(snippets().len(), 2, "the guide has two");
    place.write("snippets.json", json!(snippets()).to_string());
    if !drive(&place, &["dump", "snippets.json", &tablet(), "dumps.json"]) {
        return;
    }
    let dumps = read(&place, "dumps.json");
    for (part, has_proto) in [(0, false), (1, true)] {
        let count = usize::try_from(dumps[part]["truth"]["storages"][0]["count"].as_u64().expect("a number"));
        let count = count.expect("not many");
        place.write("truth.json", dumps[part]["truth"].to_string());
        let truth = place.path("truth.json").to_string_lossy().into_owned();
        // Two keys have the names of members of the storage.
        for (snippet, kept) in [(0, count - 2), (1, count)] {
            let made = &dumps[part]["made"][snippet];
            if has_proto && snippet == 0 {
                assert!(made["thrown"].as_str().is_some_and(|error| error.contains("TypeError")), "{made}");
                continue;
            }
            place.write("dump.json", made["copied"].as_str().expect("a text"));
            let database = format!("{part}{snippet}.db");
            place.run(&format!("migrate dump.json {APP} --all-keys --into {database}")).exits(0);
            let counts = judged(&place, &database, &truth, "storages");
            assert!(counts.is_none_or(|counts| counts == [kept, kept, count]), "{counts:?}");
        }
    }
    what_is_put_back_is_read_by_the_app(&place);
}

/// `dump.json` is the tablet's, and `truth.json` what its page reported.
fn what_is_put_back_is_read_by_the_app(place: &Place) {
    place.write("phone.json", fixture("devices/phone.json"));
    place.run(&format!("migrate phone.json --captured-at 2025-11-01 {APP} --into gym.db")).exits(0);
    for (form, file) in [("storage-state", "state.json"), ("console", "paste.js")] {
        let words = format!("migrate dump.json {APP} --all-keys --into gym.db --emit {form} -o {file}");
        place.run(&words).exits(0);
    }
    assert!(drive(place, &["put-back", "state.json", "paste.js", &tablet(), "result.json"]));
    let result = read(place, "result.json");
    let expected: Value = serde_json::from_slice(&fixture("devices/expected.json")).expect("JSON");
    for way in ["playwright", "console"] {
        let found = &result[way];
        assert_eq!(found["version"], 2, "{way}");
        // What the app's own store has read is the merged one.
        let store = json!({"liftbook-store": json!({"state": found["liftbook"], "version": 2}).to_string()});
        place.write("app.json", store.to_string());
        let database = format!("{way}.db");
        place.run(&format!("migrate app.json --into {database}")).exits(0);
        let merged = &expected["merged_rows_when_phone_is_captured_before_tablet"];
        assert_eq!(&json!(progress(place, &database)), merged, "{way}");
        // And every other key is as it was, unit by unit.
        let items = |storages: &Value| storages[0]["items"].as_array().expect("items").clone();
        let (now, before) = (items(&found["storages"]), items(&read(place, "truth.json")["storages"]));
        let other = before.iter().filter(|item| !now.contains(item)).count();
        assert_eq!((now.len(), other), (before.len(), 1), "{way}: only the merged store differs");
    }
    assert_eq!(result["refused"], true, "who says no keeps all of it");
    assert!(
        result["asked"].as_str().is_some_and(|text| text.contains("liftbook-store")),
        "{}",
        result["asked"]
    );
    let elsewhere = result["elsewhere"].as_str().expect("an error");
    assert!(elsewhere.contains("open https://app.example first"), "{elsewhere}");
}
