//! Many dumps at once, read by several threads.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use rustix::process::{Pid, Signal};
use serde_json::{Value, json};

use crate::place::{Place, told};
use crate::signals::signal_one_in_phase;

/// A folder of dumps with times of their own, some of them damaged; each has so many bytes of filler.
fn folder(count: u64, filler: usize) -> Place {
    let place = Place::new();
    fs::create_dir(place.path("dumps")).expect("a folder");
    for number in 0..count {
        let sessions: Vec<Value> = (1..=6)
            .map(|day| {
                json!({"weekNumber": number % 3 + 1, "dayNumber": day, "completed": true,
                       "completedAt": format!("2025-01-{:02}T10:00:00Z", number % 28 + 1),
                       "notes": "n".repeat(filler / 6)})
            })
            .collect();
        let state =
            json!({"progressHistory": {"programId": format!("p{}", number % 7), "sessions": sessions}});
        let mut text = json!({"store": json!({"state": state, "version": 1}).to_string()}).to_string();
        if number % 10 == 3 {
            text.truncate(text.len() / 2);
        }
        let name = format!("dumps/{number:03}.json");
        place.write(&name, &text);
        // Not in the order of their names.
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + number * 7919 % 1000);
        let file = File::options().append(true).open(place.path(&name)).expect("the file opens");
        file.set_modified(at).expect("a time");
    }
    place
}

#[test]
fn what_is_written_and_told_is_the_same_for_every_number_of_threads() {
    let place = folder(120, 600);
    let mut first = None;
    for threads in [1, 2, 8] {
        let ran = place.run(&format!("migrate dumps --into new.db --threads {threads} --json"));
        let document = ran.exits(3).document();
        assert_eq!(document["totals"]["files"], 120);
        assert_eq!(document["totals"]["unreadable"], 12);
        let bytes = place.read("new.db");
        let (known_bytes, known) = first.get_or_insert_with(|| (bytes.clone(), document.clone()));
        assert!(bytes == *known_bytes, "{threads} threads wrote another file");
        assert_eq!(document, *known, "{threads} threads");
        fs::remove_file(place.path("new.db")).expect("removed");
    }
}

/// A profile has the storage of every site that was used: an import is about one of them.
#[test]
fn of_many_origins_a_list_has_all_and_an_import_the_first_of_those_left_out() {
    let place = Place::new();
    let line = |number: usize| {
        let items = json!([{"name": "k", "value": number.to_string()}]);
        let origin = json!({"origin": format!("https://site{number:03}.example"), "localStorage": items});
        json!({"cookies": [], "origins": [origin]}).to_string() + "\n"
    };
    place.write("many.ndjson", (0..60).map(line).collect::<String>());
    let named = |text: &str| text.lines().filter(|line| line.starts_with("https://site")).count();
    assert_eq!(named(&place.run("migrate many.ndjson --list").exits(0).stdout), 60);
    assert_eq!(named(&place.run("migrate many.ndjson --all-keys --into new.db").exits(2).stdout), 60);
    let words = "migrate many.ndjson --all-keys --into new.db --origin https://site058.example \
                 --origin https://site059.example";
    let text = place.run(words).exits(0).stdout.clone();
    assert_eq!(named(&text), 22, "{text}");
    for wanted in ["https://site000", "https://site019", "https://site058", "https://site059"] {
        assert!(text.contains(wanted), "{text}");
    }
    assert!(text.contains("\nleft out: 38 more storages; --list shows them\n"), "{text}");
    let document = place.run(&format!("{words} --json")).exits(0).document();
    assert_eq!(document["origins"].as_array().expect("a list").len(), 60);
}

/// Files that need several times what may be in memory at once.
#[test]
fn files_wait_for_room_in_their_order_and_a_failure_ends_those_that_wait() {
    let place = folder(45, 1 << 20);
    let ran = place.run("migrate dumps --into new.db --threads 5 --json");
    assert_eq!(ran.exits(3).document()["totals"]["files"], 45);
    let sessions = place.ask("new.db", "SELECT count(*) FROM events WHERE event_type = 'workout_session'");
    assert_eq!(sessions, "240");
    place.execute(
        "strict.db",
        "CREATE TABLE events (_event_id TEXT PRIMARY KEY, _created_at TEXT, event_type TEXT CHECK (event_type = 'other'),
                              payload TEXT)",
    );
    place.run("migrate dumps --into strict.db --threads 5").exits(1);
}

/// Every file by name, in another order each time.
#[test]
fn the_order_in_which_files_are_named_makes_no_difference() {
    let place = folder(30, 600);
    let mut names: Vec<String> = (0..30).map(|number| format!("dumps/{number:03}.json")).collect();
    let mut first = None;
    for _ in 0..3 {
        names.rotate_left(11);
        names.swap(3, 20);
        place.run(&format!("migrate {} --into new.db --threads 4", names.join(" "))).exits(3);
        let bytes = place.read("new.db");
        assert!(bytes == *first.get_or_insert_with(|| bytes.clone()), "{names:?}");
        fs::remove_file(place.path("new.db")).expect("removed");
    }
}

#[test]
fn an_interrupted_run_with_many_threads_leaves_nothing() {
    let place = folder(60, 1 << 20);
    let words = "migrate dumps --into new.db --threads 5";
    let ran = signal_one_in_phase(&place, words, "migrating", Signal::INT, Pid::from_child);
    ran.fails(130, "interrupted; nothing partial was published").changes_nothing();
}

/// A dump with these sessions of one program, none with a time; each of its week and day, with how hard it was.
fn write_sessions(place: &Place, name: &str, program: &str, sessions: &[(u64, u64, &str)]) {
    let sessions: Vec<Value> = sessions
        .iter()
        .map(|(week, day, rating)| {
            json!({"weekNumber": week, "dayNumber": day, "completed": true, "intensityRating": rating})
        })
        .collect();
    let state = json!({"progressHistory": {"programId": program, "sessions": sessions}});
    let store = json!({"state": state, "version": 1}).to_string();
    place.write(name, json!({"store": store}).to_string());
}

/// Only sessions of programs that can have two events of one session are looked into; the view looks into all.
#[test]
fn conflicts_within_a_value_between_values_and_with_an_earlier_run_are_all_told() {
    let place = Place::new();
    write_sessions(&place, "alone.json", "alone", &[(1, 1, "easy"), (1, 2, "hard")]);
    write_sessions(&place, "within.json", "within", &[(1, 1, "easy"), (1, 2, "easy"), (1, 1, "hard")]);
    write_sessions(&place, "one.json", "between", &[(2, 1, "easy"), (2, 2, "easy")]);
    write_sessions(&place, "other.json", "between", &[(2, 1, "hard"), (2, 2, "easy")]);
    let conflicts_of = |words: &str| {
        let ran = place.run(&format!("migrate {words} --into new.db --json"));
        let document = ran.exits(0).document();
        let conflicts = document["conflicts"].as_array().expect("an array").clone();
        conflicts.iter().map(|conflict| conflict["program_id"].as_str().unwrap_or("").to_owned()).collect()
    };
    let first: Vec<String> = conflicts_of("alone.json within.json one.json other.json");
    assert_eq!(first, ["between", "within"]);
    let in_view =
        "SELECT group_concat(program_id) FROM (SELECT program_id FROM progress_conflicts ORDER BY 1)";
    assert_eq!(place.ask("new.db", in_view), "'between,within'");
    write_sessions(&place, "later.json", "alone", &[(1, 1, "hard")]);
    let later: Vec<String> = conflicts_of("later.json");
    assert_eq!(later, ["alone"]);
    assert_eq!(place.ask("new.db", in_view), "'alone,between,within'");
}

/// The same value under two keys, each with a rule of its own, means two accounts of one session.
#[test]
fn conflicts_of_one_value_under_two_keys_are_told_in_every_order() {
    let rule = |key: &str, list: &str| {
        format!(
            "[[store]]\nkey = \"{key}\"\nenvelope = \"zustand\"\neach = \"/state/{list}\"\nevent = \"workout_session\"\n\
             [store.fields]\nprogram_id = {{ up = \"/state/program\" }}\nweek_number = {{ at = \"/week\" }}\n\
             day_number = {{ at = \"/day\" }}\ncompleted = {{ at = \"/completed\" }}\nintensity_rating = {{ at = \"/rating\" }}\n"
        )
    };
    let place = Place::new();
    place.write("map.toml", rule("a", "first") + &rule("b", "second"));
    let session = |rating: &str| json!([{"week": 1, "day": 1, "completed": true, "rating": rating}]);
    let state = json!({"program": "p", "first": session("easy"), "second": session("hard")});
    let value = json!({"state": state, "version": 0}).to_string();
    place.write("both.json", json!({"a": value, "b": value}).to_string());
    place.write("a.json", json!({"a": value}).to_string());
    place.write("b.json", json!({"b": value}).to_string());
    for words in ["both.json", "a.json b.json", "b.json a.json"] {
        let ran = place.run(&format!("migrate {words} --map map.toml --into new.db --json"));
        let document = ran.exits(0).document();
        assert_eq!(place.ask("new.db", "SELECT count(*) FROM progress_conflicts"), "1", "{words}");
        assert_eq!(document["totals"]["conflicts"], 1, "{words}");
        assert_eq!(document["conflicts"][0]["field"], "intensityRating", "{words}");
        fs::remove_file(place.path("new.db")).expect("removed");
    }
}

/// Threads with stacks that no system has room for.
#[cfg(target_os = "linux")]
#[test]
fn where_no_thread_can_be_started_one_reads_and_writes_all() {
    let place = folder(30, 600);
    place.run("migrate dumps --into new.db --threads 1").exits(3);
    place
        .run_in_shell(
            "RUST_MIN_STACK=100000000000000 exec parklite migrate dumps --into other.db --threads 8",
        )
        .exits(3);
    assert!(place.read("new.db") == place.read("other.db"));
}

/// Runs to the end; the exit code and the most memory that was resident, in KiB.
#[cfg(target_os = "linux")]
fn peak_of(place: &Place, words: &str) -> (Option<i32>, u64) {
    let mut command = place.command();
    command.args(words.split(' '));
    let (ended, peak) = crate::peak_memory::peak_of(&mut command);
    (ended.code(), peak)
}

/// Of which a file holds a hundred times as much as its size.
#[cfg(target_os = "linux")]
#[test]
fn dense_dumps_stay_within_the_memory_that_is_promised() {
    use std::fmt::Write as _;

    let place = Place::new();
    place.write("bad.ndjson", "{\"a\":\"b\"}\n".to_owned() + &"x\n".repeat(2_000_000));
    place.write("empty.ndjson", "{}\n".repeat(2_600_000));
    let wide: Vec<u8> = "{}\n".repeat(1_300_000).encode_utf16().flat_map(u16::to_le_bytes).collect();
    place.write("wide.ndjson", [&b"\xFF\xFE"[..], &wide].concat());
    place.make_folder("entries");
    for file in 0..5 {
        let mut text = String::from("[[\"\",\"\"]");
        for key in 0..70_000 {
            write!(text, ",[\"{key}\",\"\"]").expect("a string");
        }
        place.write(format!("entries/{file}.json"), text + "]");
    }
    for (words, code) in [
        ("migrate bad.ndjson --list --threads 2", 3),
        ("migrate empty.ndjson --list --threads 2", 0),
        ("migrate wide.ndjson --list --threads 2", 0),
        ("migrate entries --into new.db --all-keys --threads 4", 0),
    ] {
        let (ended, peak) = peak_of(&place, words);
        told(&format!("{words}: {peak} KiB resident of {BOUND_KIB}"));
        assert_eq!(ended, Some(code), "{words}");
        assert!(peak > 0 && peak <= BOUND_KIB, "{words}: {peak} KiB resident, {BOUND_KIB} promised");
    }
    assert_eq!(place.ask("new.db", "SELECT count(*) FROM events"), "70001");
}

/// What docs/MEMORY.md promises.
#[cfg(target_os = "linux")]
const BOUND_KIB: u64 = 256 * 1024;

#[cfg(target_os = "linux")]
#[test]
fn large_dumps_among_many_small_ones_stay_within_the_memory_that_is_promised() {
    let place = folder(200, 6_000);
    // Kept by nobody, so that the time goes into reading.
    let filled = |size: usize| json!({"cache": "c".repeat(size), "theme": "dark"}).to_string();
    let line = filled(1 << 19) + "\n";
    place.write("dumps/lines.ndjson", line.repeat(200));
    for number in 0..12 {
        place.write(format!("dumps/large-{number}.json"), filled(6 << 20));
    }
    let (ended, peak) = peak_of(&place, "migrate dumps --into new.db --threads 8");
    told(&format!("migrate, {} MiB in 213 files: {peak} KiB resident of {BOUND_KIB}", 200 / 2 + 12 * 6 + 2));
    assert_eq!(ended, Some(3), "some dumps are damaged");
    assert!(peak > 0 && peak <= BOUND_KIB, "{peak} KiB resident, {BOUND_KIB} promised");
    let sessions = place.ask("new.db", "SELECT count(*) FROM events WHERE event_type = 'workout_session'");
    // After 84 dumps the same sessions come again.
    assert_eq!(sessions, (84 * 6).to_string());
}

/// Each of another program than most, as from many people: what is put back is one store, and what is told a few lines.
#[cfg(target_os = "linux")]
#[test]
fn what_many_dumps_are_merged_to_is_made_within_the_memory_that_is_promised() {
    let place = Place::new();
    let mut lines = String::new();
    for number in 0..3_000_u64 {
        let sessions: Vec<Value> = (1..=24)
            .map(|day| {
                json!({"weekNumber": number / 1_000 + 1, "dayNumber": day, "completed": true,
                       "completedAt": format!("2025-01-{day:02}T10:00:00Z"), "notes": format!("{number}").repeat(100)})
            })
            .collect();
        let state =
            json!({"progressHistory": {"programId": format!("p{}", number % 1_000), "sessions": sessions}});
        let store = json!({"state": state, "version": 1}).to_string();
        lines += &(json!({"store": store}).to_string() + "\n");
    }
    place.write("dumps.ndjson", &lines);
    let made = "--origin https://app.example --into new.db --emit storage-state";
    let (ended, peak) = peak_of(&place, &format!("migrate dumps.ndjson {made} -o state.json"));
    told(&format!("put back, {} MiB in 3,000 dumps: {peak} KiB resident of {BOUND_KIB}", lines.len() >> 20));
    assert_eq!(ended, Some(3), "most sessions are of other programs");
    assert!(peak > 0 && peak <= BOUND_KIB, "{peak} KiB resident, {BOUND_KIB} promised");
    place.write("theme.json", r#"{"theme":"dark"}"#);
    let report = place.run(&format!("migrate theme.json {made} -o again.json --json")).exits(3).document();
    assert!(place.read("again.json") == place.read("state.json"), "it is made of the database");
    let merged = &report["put_back"]["origins"][0]["merged"][0];
    assert_eq!((&merged["values"], &merged["added"]), (&json!(3_000), &json!(48)));
    assert_eq!(merged["left_out"], 999 * 72);
    let notes = merged["notes"].as_array().expect("notes");
    assert_eq!(notes.len(), 22, "{notes:?}");
    assert_eq!(notes[20], "70488 of 979 other programs are not put in");
    let state: Value = serde_json::from_slice(&place.read("state.json")).expect("JSON");
    let store = state["origins"][0]["localStorage"][0]["value"].as_str().expect("a value");
    let store: Value = serde_json::from_str(store).expect("JSON");
    assert_eq!(store["state"]["progressHistory"]["sessions"].as_array().map(Vec::len), Some(72));
}
