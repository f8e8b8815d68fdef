use super::*;
use crate::local_storage::json::Json;

const CAPTURED: &str = "2026-01-02T03:04:05.678Z";

fn mapped(mapping: &Mapping, key: &str, value: &str) -> Mapped {
    let item = Item { key: key.into(), value: value.into() };
    map_item(mapping, None, &item, Moment::from_rfc3339(CAPTURED).expect("a moment"))
}

fn built_in(value: &str) -> Mapped {
    mapped(&Mapping::built_in(), "any-key", value)
}

fn store(sessions: &str) -> String {
    format!(r#"{{"state":{{"progressHistory":{{"programId":"p","sessions":[{sessions}]}}}},"version":2}}"#)
}

const SESSION: &str = r#"{ "weekNumber": 1, "dayNumber":2, "completed" :true,"completedAt":"2025-09-01T18:09:13.2+02:00", "note":"sore \ud83d", "kg":1.50 }"#;

#[test]
fn a_session_becomes_an_event_with_its_exact_text() {
    let mapped = built_in(&store(SESSION));
    let events = mapped.events.expect("events");
    assert_eq!((events.len(), mapped.elements, mapped.rejected, mapped.version), (1, 1, 0, Some(2)));
    let event = &events[0];
    assert_eq!(event.created_at.to_string(), "2025-09-01T16:09:13.200Z");
    assert_eq!(event.pointer, "/state/progressHistory/sessions/0");
    let payload = Json::parse(event.payload.as_bytes()).expect("JSON");
    let names: Vec<String> = payload.members().filter_map(|(name, _)| name.to_utf8()).collect();
    assert_eq!(names, [&event::SESSION_FIELDS[..], &["created_from", "source"]].concat());
    assert_eq!(payload.member("source").and_then(Json::to_utf8).as_deref(), Some(SESSION));
    assert!(event.payload.starts_with(
        r#"{"program_id":"p","week_number":1,"day_number":2,"completed":true,"completed_at":"2025-09-01T16:09:13.200Z","intensity_rating":null,"scheduled_date":null,"created_from":"completed_at","source":"{ \"weekNumber\""#
    ));
}

/// What is stored must be found again for ever. These are what a program of its own, in Python, made of the rule.
#[test]
fn identities_never_change() {
    let id = |value: &str| built_in(value).events.expect("events")[0].id.clone();
    assert_eq!(id(&store(SESSION)), "4ced9d9d1b0b73da154e184b930236a3");
    let gymlog = r#"{"state":{"workoutsSinceBackup":8,"lastBackupDate":"2026-10-06T00:00:00.000Z","reminderDismissed":true},"version":0}"#;
    let mapped = mapped(&Mapping::built_in(), "gymlog-backup", gymlog);
    assert_eq!(mapped.events.expect("events")[0].id, "fc96cf28aed8122a4f6a23897cac07be");
    let sets = ids(
        &sets("/*", r#"u = { up = "/u", optional = true }"#),
        "gym",
        r#"{"a/b":[{"reps":5},{ "reps" :5}]}"#,
    );
    assert_eq!(sets, ["61e61d99bf841c34c08b36c11dc91b9a", "bd73258365432260a5697d44a8c06d4f"]);
    let item = Item { key: "a".into(), value: "b".into() };
    let captured = Moment::from_ms(0).expect("a moment");
    assert_eq!(
        event::item_event(
            Some("https://a.example"),
            None,
            &item,
            &event::value_sha256(&item.value),
            captured
        )
        .id,
        "a6171a7ca42ad54e01bec95e5e7e5751"
    );
    assert_eq!(
        event::value_sha256(&"".into()),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
}

/// A mapping of whatever stands there.
fn sets(each: &str, field: &str) -> Mapping {
    let each = if each.ends_with("/*") { each.replace("/*", "/*/*") } else { each.to_owned() };
    let text = format!(
        "[[store]]\nkey = \"*\"\nenvelope = \"none\"\neach = \"{each}\"\nevent = \"set\"\n[store.fields]\n{field}\n"
    );
    Mapping::from_toml(&text).expect("a mapping")
}

fn ids(mapping: &Mapping, key: &str, value: &str) -> Vec<String> {
    mapped(mapping, key, value).events.expect("events").into_iter().map(|event| event.id).collect()
}

#[test]
fn a_set_done_three_times_is_three_events_in_every_dump_of_the_store() {
    let mapping = sets("/sets", r#"reps = { at = "/reps", type = "int" }"#);
    let of = |value: &str| ids(&mapping, "gym", value);
    let three = of(r#"{"sets":[{"kg":100,"reps":5},{"kg":100,"reps":5},{"kg":100,"reps":5}]}"#);
    assert_eq!(three.iter().collect::<std::collections::BTreeSet<_>>().len(), 3);
    // However they are written, and with others between and behind them.
    let later =
        of(r#"{"sets":[{"kg":90,"reps":5},{"reps":5,"kg":100},{"kg":100,"reps":5},{"kg":90,"reps":5},
        {"kg":100, "reps":5},{"kg":100,"reps":5}]}"#);
    assert_eq!([&later[1..3], &later[4..5]].concat(), three);
    assert!(!three.contains(&later[5]));
    assert_ne!(later[0], later[3]);
    // A session is the same wherever it stands.
    let twice = built_in(&store(&format!("{SESSION},{SESSION}"))).events.expect("events");
    assert_eq!(twice[0].id, twice[1].id);
}

#[test]
fn equal_elements_under_other_names_or_in_other_stores_are_other_events() {
    let mapping = sets("/byId/*", "");
    let day = |day: &str| ids(&mapping, "gym", &format!(r#"{{"byId":{{"{day}":[{{"kg":80}}]}}}}"#));
    let both = ids(&mapping, "gym", r#"{"byId":{"2025-01-02":[{"kg":80}],"2025-01-01":[{"kg":80}]}}"#);
    assert_eq!(both, [day("2025-01-02"), day("2025-01-01")].concat());
    assert_ne!(both[0], both[1]);
    let other = ids(&mapping, "gym-2024", r#"{"byId":{"2025-01-01":[{"kg":80}]}}"#);
    assert_ne!(other, day("2025-01-01"));
}

#[test]
fn nothing_and_the_text_null_are_two_things_around_an_element() {
    let mapping = sets("/sets", r#"u = { up = "/u", optional = true }"#);
    let with = |u: &str| ids(&mapping, "gym", &format!(r#"{{"sets":[1]{u}}}"#));
    assert_ne!(with(""), with(r#","u":"null""#));
    assert_eq!(with(""), with(r#","u":null"#));
}

#[test]
fn a_store_that_a_rule_names_and_that_cannot_be_read_is_a_reject_and_is_kept() {
    let map = |mapping: &Mapping, key: &str, value: &str| {
        let mapped = mapped(mapping, key, value);
        let reasons: Vec<String> = mapped.rejects.into_iter().map(|reject| reject.reason).collect();
        (mapped.events.map(|events| events.len()), reasons, mapped.warnings.len())
    };
    let built_in = Mapping::built_in();
    let damage = "this begins like JSON and is none: the text ends inside a string, at byte 16 as UTF-8";
    let misfit = |what: &str| (Some(0), vec![what.to_owned()], 0);
    assert_eq!(
        map(&built_in, "gymlog-backup", r#"{"state":{"worko"#),
        misfit(&format!("the rule for gymlog-backup does not fit: {damage}"))
    );
    assert_eq!(
        map(&built_in, "gymlog-backup", r#"{"workoutsSinceBackup":8}"#),
        misfit(
            "the rule for gymlog-backup does not fit: this is JSON without an envelope (Pinia, jotai or the app's own)"
        )
    );
    // Of a store whose key nobody knows, what is left tells whether it had sessions.
    let cut = store(SESSION);
    assert_eq!(
        map(&built_in, "any-key", &cut[..60]),
        misfit(
            "it looks like a store with /state/progressHistory/sessions, but this begins like JSON and is none: the text ends \
             inside a string, at byte 60 as UTF-8"
        )
    );
    assert_eq!(map(&built_in, "any-key", &cut[..30]), (None, Vec::new(), 0));
    // A pattern can match what is no store.
    let mapping = Mapping::from_toml(LOGS).expect("a mapping");
    let at_origin = |value: &str| {
        let item = Item { key: "v-1".into(), value: value.into() };
        let mapped =
            map_item(&mapping, Some("https://app.example"), &item, Moment::from_ms(0).expect("a moment"));
        (mapped.events.is_some(), mapped.rejected, mapped.warnings.len())
    };
    assert_eq!(at_origin("{\"state\":{\"li"), (true, 1, 0));
    assert_eq!(at_origin("{\"theme\":\"dark\"}"), (true, 0, 1));
    assert_eq!(at_origin("a-token"), (false, 0, 1));
}

#[test]
fn the_same_session_has_one_identity_however_it_is_written_and_wherever_it_stands() {
    let id = |value: &str| built_in(value).events.expect("events")[0].id.clone();
    let other = r#"{"kg":1.50,"note":"sore \uD83D","dayNumber":2,"weekNumber":1,"completed":true,"completedAt":"2025-09-01T18:09:13.2+02:00"}"#;
    assert_eq!(id(&store(SESSION)), id(&store(other)));
    let elsewhere = store(other).replace("\"version\":2", "\"version\":3");
    assert_eq!(id(&store(SESSION)), id(&elsewhere));
    for (from, to) in
        [("1.50", "1.5"), ("sore", "Sore"), ("\"p\"", "\"q\""), ("true", "false"), ("+02:00", "+03:00")]
    {
        assert_ne!(id(&store(SESSION)), id(&store(SESSION).replacen(from, to, 1)), "{from}");
    }
}

#[test]
fn an_event_happened_when_it_was_completed_else_scheduled_else_captured() {
    for (times, moment, from) in [
        (
            r#","completedAt":"2025-09-01T16:09:13Z","scheduledDate":"2025-08-31""#,
            "2025-09-01T16:09:13.000Z",
            "completed_at",
        ),
        (r#","completedAt":null,"scheduledDate":"2025-08-31""#, "2025-08-31T00:00:00.000Z", "scheduled_date"),
        (r#","scheduledDate":"2025-08-31T07:00:00+01:00""#, "2025-08-31T06:00:00.000Z", "scheduled_date"),
        ("", CAPTURED, "captured_at"),
    ] {
        let session = format!(r#"{{"weekNumber":1,"dayNumber":2,"completed":false{times}}}"#);
        let event = built_in(&store(&session)).events.expect("events").remove(0);
        assert_eq!((&*event.created_at.to_string(), &*event.created_from), (moment, from));
        assert!(event.payload.contains(&format!("\"created_from\":\"{from}\"")));
    }
}

#[test]
fn what_does_not_fit_is_rejected_with_its_place_and_reason() {
    let mut cases = vec![
        ("null".to_owned(), "it is null, not an object"),
        ("\"13-3\"".to_owned(), "it is a string, not an object"),
        ("[]".to_owned(), "it is an array, not an object"),
        ("{}".to_owned(), "there is nothing at /weekNumber"),
    ];
    for (from, to, reason) in [
        ("\"weekNumber\":1", "\"weekNumber\":\"1\"", r#"/weekNumber is "1", not a positive integer"#),
        ("\"weekNumber\":1", "\"weekNumber\":0", "/weekNumber is 0, not a positive integer"),
        ("\"weekNumber\":1", "\"weekNumber\":-1", "/weekNumber is -1, not a positive integer"),
        ("\"weekNumber\":1", "\"weekNumber\":1.0", "/weekNumber is 1.0, not a positive integer"),
        ("\"weekNumber\":1", "\"weekNumber\":1e400", "/weekNumber is 1e400, not a positive integer"),
        ("\"dayNumber\":2", "\"dayNumber\":\"two\"", r#"/dayNumber is "two", not a positive integer"#),
        ("true", "1", "/completed is 1, not true or false"),
        ("true", "\"true\"", r#"/completed is "true", not true or false"#),
        (
            "\"T\"",
            "\"31.12.2024 18:30\"",
            r#"/completedAt is "31.12.2024 18:30", not a time as RFC 3339 writes it (2026-11-20T09:30:00Z)"#,
        ),
        (
            "\"T\"",
            "1735669800000",
            "/completedAt is 1735669800000, not a time as RFC 3339 writes it (2026-11-20T09:30:00Z)",
        ),
        (
            "\"T\"",
            "null,\"scheduledDate\":\"01/02/2025\"",
            r#"/scheduledDate is "01/02/2025", not a day (2026-11-20) or a time as RFC 3339 writes it"#,
        ),
        ("\"T\"", "null,\"intensityRating\":3", "/intensityRating is 3, not well-formed text"),
        (
            "\"T\"",
            "null,\"intensityRating\":\"\\ud83d\"",
            r#"/intensityRating is "\ud83d", not well-formed text"#,
        ),
        (
            "\"T\"",
            "null,\"intensityRating\":\"\\u0000\"",
            r#"/intensityRating is "\u0000", not well-formed text"#,
        ),
    ] {
        let session = r#"{"weekNumber":1,"dayNumber":2,"completed":true,"completedAt":"T"}"#;
        cases.push((session.replacen(from, to, 1), reason));
    }
    let deep = format!("{{\"weekNumber\":1,\"logs\":{}{}}}", "[".repeat(500), "]".repeat(500));
    cases.push((deep, "it nests deeper than 128 levels"));
    let all: Vec<&str> = cases.iter().map(|(session, _)| &**session).collect();
    let good = r#"{"weekNumber":1,"dayNumber":2,"completed":false}"#;
    let mapped = built_in(&store(&format!("{},{good}", all.join(","))));
    assert_eq!(mapped.events.expect("events").len(), 1);
    assert_eq!((mapped.elements, mapped.rejected), (cases.len() as u64 + 1, cases.len() as u64));
    for (index, (reject, (session, reason))) in mapped.rejects.iter().zip(&cases).enumerate() {
        assert_eq!(reject.pointer, format!("/state/progressHistory/sessions/{index}"));
        assert_eq!(reject.reason, *reason);
        let excerpt: String = session.chars().take(80).collect();
        assert!(reject.excerpt == *session || reject.excerpt == excerpt + "…", "{}", reject.excerpt);
    }
}

#[test]
fn a_completed_session_without_a_time_is_an_event_and_a_warning() {
    let mapped = built_in(&store(r#"{"weekNumber":1,"dayNumber":2,"completed":true}"#));
    assert_eq!(mapped.events.expect("events").len(), 1);
    let warning = Warning {
        pointer: "/state/progressHistory/sessions/0".to_owned(),
        message: "it is completed, but has no time".to_owned(),
    };
    assert_eq!(mapped.warnings, [warning]);
}

#[test]
fn the_program_is_the_current_one_where_the_history_names_none() {
    for (value, program) in [
        (
            r#"{"state":{"progressHistory":{"programId":null,"sessions":[S]},"currentProgram":{"id":"c"}}}"#,
            Some("c"),
        ),
        (r#"{"state":{"progressHistory":{"sessions":[S]},"currentProgram":{"id":"c"}},"more":1}"#, Some("c")),
        (r#"{"state":{"progressHistory":{"sessions":[S]},"currentProgram":null}}"#, None),
        (r#"{"state":{"progressHistory":{"programId":7,"sessions":[S]},"currentProgram":{"id":"c"}}}"#, None),
    ] {
        let mapped = built_in(&value.replace('S', r#"{"weekNumber":1,"dayNumber":2,"completed":false}"#));
        let payloads: Vec<String> =
            mapped.events.expect("events").into_iter().map(|event| event.payload).collect();
        match program {
            Some(program) => assert!(payloads[0].starts_with(&format!(r#"{{"program_id":"{program}""#))),
            None => assert_eq!((payloads.len(), mapped.rejected), (0, 1)),
        }
    }
}

#[test]
fn what_no_rule_is_for_is_left_alone() {
    for value in [
        "dark",
        "7",
        "{}",
        r#"{"state":{"progressHistory":null},"version":0}"#,
        r#"{"state":{"progressHistory":{"sessions":{}}},"version":0}"#,
        r#"{"progressHistory":{"sessions":[]}}"#,
    ] {
        let mapped = built_in(value);
        assert!(mapped.events.is_none() && mapped.warnings.is_empty() && mapped.rejected == 0, "{value}");
    }
}

#[test]
fn a_gym_logs_reminder_becomes_an_event_of_its_own() {
    let value =
        r#"{"state":{"workoutsSinceBackup":8,"lastBackupDate":null,"reminderDismissed":false},"version":0}"#;
    let event = mapped(&Mapping::built_in(), "gymlog-backup", value).events.expect("events").remove(0);
    assert_eq!(event.event_type, event::GYMLOG_BACKUP);
    assert_eq!(event.pointer, "/state");
    assert_eq!(
        event.payload,
        r#"{"last_backup_date":null,"reminder_dismissed":false,"workouts_since_backup":8,"created_from":"captured_at","source":"{\"workoutsSinceBackup\":8,\"lastBackupDate\":null,\"reminderDismissed\":false}"}"#
    );
}

#[test]
fn the_apps_own_markers_are_recognised() {
    let marker = |key: &str, value: &str| mapped(&Mapping::built_in(), key, value).marker;
    assert_eq!(marker("migrated-c25k", "true").as_deref(), Some("c25k"));
    for (key, value) in [("migrated-c25k", "false"), ("migrated-", "true"), ("xmigrated-a", "true")] {
        assert_eq!(marker(key, value), None);
    }
}

const LOGS: &str = r#"
[[store]]
key = "persist:root"
envelope = "redux-persist"
each = "/workouts/byId/*"
event = "workout"
created_at = ["at"]
[store.fields]
id = { at = "/id" }
at = { at = "/at", type = "timestamp", coerce = ["epoch-ms"] }
minutes = { at = "/min", type = "int", coerce = ["int-string"], optional = true }
weight = { at = "/kg", type = "number", optional = true }
sets = { at = "/sets", type = "json", optional = true }
unit = { up = "/settings/unit", else = "/unit", optional = true }
source_app = { value = "gym" }

[[store]]
key = "weights"
envelope = "none"
versions = []
each = ""
event = "weight"
[store.fields]
kg = { at = "", type = "number" }

[[store]]
key = "v-*"
origin = "https://app.example/"
envelope = "zustand"
versions = [3, 4]
each = "/state/list"
event = "entry"
[store.fields]
n = { at = "/n", type = "int" }
"#;

#[test]
fn a_mapping_file_maps_slices_maps_and_bare_arrays() {
    let mapping = Mapping::from_toml(LOGS).expect("a mapping");
    let value = r#"{"workouts":"{\"byId\":{\"a/b\":{\"id\":\"x\",\"at\":\"2025-09-01T00:00:00Z\",\"min\":\"55\",\"kg\":1.50,\"sets\":[ 1 ]},\"w1\":{\"id\":\"y\",\"at\":1756684800000,\"min\":\"5 \"},\"w2\":{\"id\":\"z\",\"at\":0}}}","settings":"{\"unit\":\"kg\"}","_persist":"{\"version\":4}"}"#;
    let mapped = mapped(&mapping, "persist:root", value);
    assert_eq!((mapped.library, mapped.version), (Library::ReduxPersist, Some(4)));
    let events = mapped.events.expect("events");
    assert_eq!(
        events[0].payload,
        r#"{"at":"2025-09-01T00:00:00.000Z","id":"x","minutes":55,"sets":[ 1 ],"source_app":"gym","unit":"kg","weight":1.50,"created_from":"at","source":"{\"id\":\"x\",\"at\":\"2025-09-01T00:00:00Z\",\"min\":\"55\",\"kg\":1.50,\"sets\":[ 1 ]}"}"#
    );
    assert_eq!(events[0].pointer, "/workouts/byId/a~1b");
    assert_eq!(events[1].created_at.to_string(), "1970-01-01T00:00:00.000Z");
    assert_eq!(mapped.rejects[0].pointer, "/workouts/byId/w1");
    assert_eq!(mapped.rejects[0].reason, r#"/min is "5 ", not an integer"#);
    let weights = super::tests::mapped(&mapping, "weights", "[80, 79.90,\"x\"]");
    let events = weights.events.expect("events");
    assert_eq!((events.len(), weights.rejected), (2, 1));
    assert_eq!(events[1].payload, r#"{"kg":79.90,"created_from":"captured_at","source":"79.90"}"#);
    assert_eq!(weights.rejects[0].reason, r#"it is "x", not a number"#);
}

#[test]
fn versions_origins_and_wrappings_decide_which_rule_is_for_a_store() {
    let mapping = Mapping::from_toml(LOGS).expect("a mapping");
    let map = |origin: Option<&str>, value: &str| {
        let item = Item { key: "v-1".into(), value: value.into() };
        map_item(&mapping, origin, &item, Moment::from_ms(0).expect("a moment"))
    };
    let value = r#"{"state":{"list":[{"n":1}]},"version":3}"#;
    assert_eq!(map(Some("https://app.example"), value).events.map(|events| events.len()), Some(1));
    assert!(map(Some("https://other.example"), value).events.is_none());
    assert!(map(None, value).events.is_none());
    let other = map(Some("https://app.example"), &value.replace('3', "5"));
    assert_eq!((other.events, other.rejected, other.elements), (Some(Vec::new()), 1, 0));
    assert_eq!(other.rejects[0].reason, "the store has version 5; the mapping understands 3, 4");
    let bare = map(Some("https://app.example"), "[1]");
    assert_eq!(
        bare.warnings[0].message,
        "the rule for v-* does not fit: this is a JSON value (jotai or the app's own)"
    );
    let nothing = map(Some("https://app.example"), r#"{"state":{},"version":3}"#);
    assert_eq!(nothing.warnings[0].pointer, "/state/list");
    let no_array = map(Some("https://app.example"), r#"{"state":{"list":{"n":1}},"version":3}"#);
    assert_eq!(no_array.rejects[0].reason, "it is an object, not an array");
    let null = map(Some("https://app.example"), r#"{"state":{"list":null},"version":3}"#);
    assert_eq!((null.rejected, null.warnings.len()), (0, 1));
}

#[test]
fn very_many_rejects_are_counted_and_the_first_are_told() {
    let mapped = built_in(&store(&vec!["1"; MAX_TOLD + 5].join(",")));
    assert_eq!((mapped.rejected, mapped.rejects.len()), (MAX_TOLD as u64 + 5, MAX_TOLD));
}

#[test]
fn items_become_events_whatever_they_hold() {
    let item = Item { key: CodeUnits::new(vec![0xD83D, 0]), value: CodeUnits::new(vec![0xDE00]) };
    let event = event::item_event(
        None,
        Some("p"),
        &item,
        &event::value_sha256(&item.value),
        Moment::from_ms(0).expect("a moment"),
    );
    assert_eq!(
        event.payload,
        format!(
            r#"{{"origin":null,"partition":"p","key":"\ud83d\u0000","value_units":1,"value_sha256":"{}","created_from":"captured_at"}}"#,
            event::value_sha256(&item.value)
        )
    );
}
