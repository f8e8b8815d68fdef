//! What several captures of a store come to: nothing of an older one is dropped without a word.

use serde_json::{Value, json};

use crate::place::Place;

const ORIGIN: &str = "--origin https://app.example";

/// A dump of one store with these elements in its list of sessions.
fn store_of(program: &str, sessions: &str) -> String {
    let value = format!(
        r#"{{"state":{{"progressHistory":{{"programId":"{program}","sessions":[{sessions}]}}}},"version":0}}"#
    );
    json!({ "s": value }).to_string()
}

/// The elements that a file for Playwright has in the list of sessions of its first store.
fn sessions_in(state: &[u8]) -> Vec<Value> {
    let state: Value = serde_json::from_slice(state).expect("JSON");
    let value = state["origins"][0]["localStorage"][0]["value"].as_str().expect("a value");
    let store: Value = serde_json::from_str(value).expect("JSON");
    store["state"]["progressHistory"]["sessions"].as_array().expect("a list").clone()
}

const NO_SESSION: &str = r#"{"weekNumber":"3","dayNumber":1,"completed":true,"notes":"only on phone"}"#;

#[test]
fn elements_of_an_older_capture_that_fit_no_rule_come_along_as_they_are() {
    let place = Place::new();
    let session = |day: u32| {
        format!(
            r#"{{"weekNumber":1,"dayNumber":{day},"completed":true,"completedAt":"2025-01-0{day}T10:00:00Z"}}"#
        )
    };
    place.write("phone.json", store_of("p", &format!("{},{NO_SESSION},null", session(1))));
    place.write("tablet.json", store_of("p", &session(2)));
    place.run(&format!("migrate phone.json --captured-at 2025-01-03 {ORIGIN} --into a.db")).exits(3);
    let words =
        format!("migrate tablet.json --captured-at 2025-01-04 {ORIGIN} --into a.db --emit storage-state");
    let ran = place.run(&words);
    ran.exits(0);
    assert!(ran.stderr.contains("1 other element added unchanged"), "{}", ran.stderr);
    let there = sessions_in(ran.stdout.as_bytes());
    let expected: Value =
        serde_json::from_str(&format!("[{},{},{NO_SESSION}]", session(2), session(1))).expect("JSON");
    assert_eq!(Value::from(there), expected, "a null says nothing and stays where it was");
    // What was put back has it, so that it is not added again.
    place.write("state.json", &ran.stdout);
    let words = "migrate state.json --captured-at 2025-01-05 --into a.db --emit storage-state";
    let again = place.run(words);
    assert_eq!(again.exits(3).stdout, ran.stdout);
    assert!(!again.stderr.contains("other element"), "{}", again.stderr);
}

#[test]
fn elements_that_fit_no_rule_are_never_put_into_the_store_of_another_program() {
    let place = Place::new();
    let session = r#"{"weekNumber":1,"dayNumber":1,"completed":true,"completedAt":"2025-01-01T10:00:00Z"}"#;
    place.write("tablet.json", store_of("p", session));
    for (name, program, sessions, count) in [
        ("alone", "other", NO_SESSION.to_owned(), "1 other element left out"),
        (
            "beside",
            "other",
            format!("{NO_SESSION},{session}"),
            "1 session left out, 1 other element left out",
        ),
        // Nobody knows whose these are; in the other store they would be its program's.
        (
            "nobody",
            "",
            format!("{},{NO_SESSION}", session.replace("Number\":1", "Number\":2")),
            "2 other elements left out",
        ),
    ] {
        let sessions = store_of(program, &sessions);
        place.write(
            "phone.json",
            if program.is_empty() { sessions.replace("programId", "id") } else { sessions },
        );
        place.run(&format!("migrate phone.json --captured-at 2025-01-03 {ORIGIN} --into {name}.db")).exits(3);
        let ran = place.run(&format!(
            "migrate tablet.json --captured-at 2025-01-04 {ORIGIN} --into {name}.db --emit storage-state"
        ));
        ran.exits(3);
        assert!(ran.stderr.contains(count), "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains("of others that fit no rule: not put in"), "{name}: {}", ran.stderr);
        assert_eq!(sessions_in(ran.stdout.as_bytes()).len(), 1, "{name}");
    }
}

#[test]
fn what_is_put_back_is_the_same_for_every_order_of_inputs() {
    let place = Place::new();
    let mut names = Vec::new();
    for dump in 0..12_u64 {
        // Three accounts of each session, of which two have the same time; some of other programs, some that are none.
        let sessions: Vec<String> = (1..=5)
            .map(|day| {
                let (rating, done) = (if dump % 3 == 0 { "easy" } else { "hard" }, dump % 2 == 0);
                let at = if dump % 4 == 1 { "null".to_owned() } else { format!("\"2025-01-{:02}T10:00:00Z\"", dump % 3 + day) };
                format!(r#"{{"weekNumber":{},"dayNumber":{day},"completed":{done},"completedAt":{at},"intensityRating":"{rating}","n{dump}":{dump}}}"#, dump / 6)
            })
            .collect();
        let none = format!(r#"{{"week":{}}}"#, dump % 5);
        let program = if dump % 5 == 3 { "other" } else { "p" };
        let name = format!("{dump}.json");
        place.write(&name, store_of(program, &format!("{},{none}", sessions.join(","))));
        let file = std::fs::File::options().append(true).open(place.path(&name)).expect("the file opens");
        // Several of the same time.
        let at = std::time::Duration::from_secs(1_700_000_000 + dump * 7919 % 4);
        file.set_modified(std::time::SystemTime::UNIX_EPOCH + at).expect("a time");
        names.push(name);
    }
    let mut first = None;
    for turn in 0..4 {
        names.rotate_left(5);
        names.swap(turn, 7);
        let ran = place.run(&format!(
            "migrate {} {ORIGIN} --emit storage-state --json -o made-{turn}.json",
            names.join(" ")
        ));
        let told = ran.exits(3).document()["put_back"]["origins"].clone();
        assert!(told[0]["merged"][0]["as_they_are"].as_u64() > Some(0), "{told}");
        let made = (place.read(format!("made-{turn}.json")), told);
        assert!(made == *first.get_or_insert_with(|| made.clone()), "{names:?}");
    }
}

#[test]
fn what_an_older_capture_has_beside_its_sessions_is_told() {
    let place = Place::new();
    let dump = |profile: &str, plans: &str, day: u32| {
        let value = format!(
            r#"{{"state":{{{plans}"profile":"{profile}","progressHistory":{{"programId":"p","sessions":[{{"weekNumber":1,"dayNumber":{day},"completed":true,"completedAt":"2025-01-0{day}T10:00:00Z"}}]}}}},"version":0}}"#
        );
        json!({ "s": value }).to_string()
    };
    let told = "what stands beside the sessions is of the latest alone: 1 other value differs there";
    place.write("laptop.json", dump("lap", "", 2));
    for (name, text, is_told) in [
        ("phone", dump("phone", r#""customPlans":["mine"],"#, 1), true),
        ("same", dump("lap", "", 1), false),
        ("same-days", dump("phone", "", 2), true),
    ] {
        place.write(format!("{name}.json"), text);
        place
            .run(&format!("migrate {name}.json --captured-at 2025-01-03 {ORIGIN} --into {name}.db"))
            .exits(0);
        let words = format!(
            "migrate laptop.json --captured-at 2025-01-04 {ORIGIN} --into {name}.db --emit storage-state"
        );
        let ran = place.run(&words);
        assert_eq!(ran.exits(0).stderr.contains(told), is_told, "{name}: {}", ran.stderr);
    }
}

#[test]
fn a_value_that_something_changed_in_the_database_is_refused_and_never_put_back_as_empty() {
    for (sql, told) in [
        ("UPDATE original_values SET encoding = 'utf-16le', value = X'610062'", "a value in original_values"),
        ("UPDATE event_sources SET store_key = X'FF'", "a store_key in event_sources"),
    ] {
        let place = Place::new();
        place.write("phone.json", store_of("p", ""));
        place.run(&format!("migrate phone.json {ORIGIN} --into a.db")).exits(0);
        place.execute("a.db", sql);
        place.write("other.json", r#"{"theme":"dark"}"#);
        let ran =
            place.run(&format!("migrate other.json {ORIGIN} --into a.db --emit storage-state -o state.json"));
        ran.fails(13, told).hints("import the dumps into a new database").changes_nothing();
    }
}
