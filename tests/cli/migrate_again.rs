//! The same elements with another mapping: what the events that are there get, and what is told.

use serde_json::json;

use crate::place::Place;

/// A rule for the sessions of Zustand stores with these fields besides those that a session needs.
fn mapping(fields: &str) -> String {
    format!(
        "[[store]]\nkey = \"liftbook-*\"\nenvelope = \"zustand\"\neach = \"/state/progressHistory/sessions\"\n\
         event = \"workout_session\"\n[store.fields]\n\
         program_id = {{ up = \"/state/progressHistory/programId\" }}\nweek_number = {{ at = \"/weekNumber\" }}\n\
         day_number = {{ at = \"/dayNumber\" }}\ncompleted = {{ at = \"/completed\" }}\n{fields}"
    )
}

/// A place with a dump of two sessions and a mapping that forgot most of them.
fn place() -> Place {
    let place = Place::new();
    let session = |week: u32| {
        json!({"weekNumber": week, "dayNumber": 1, "completed": true, "completedAt": "2025-01-06T10:00:00Z",
               "startedAt": "2025-01-06T09:00:00Z", "intensityRating": "hard", "scheduledDate": "2025-01-05"})
    };
    let state = json!({"state": {"progressHistory": {"programId": "p", "sessions": [session(1), session(2)]}},
                       "version": 2});
    place.write("d.json", json!({"liftbook-store": state.to_string()}).to_string());
    place.write("short.toml", mapping(""));
    place.write("wrong.toml", mapping("completed_at = { at = \"/startedAt\" }\n"));
    place
}

const SESSIONS: &str = "SELECT group_concat(_event_id || _created_at || payload, char(10)) FROM (SELECT * FROM events ORDER BY 1)";
const ROWS: &str = "SELECT group_concat(week_number || completed_at || feedback) FROM progress_logs";

#[test]
fn a_mapping_that_was_put_right_fills_what_the_first_one_left_out_in_either_order() {
    let place = place();
    place.run("migrate d.json --into right.db").exits(0);
    let right = [SESSIONS, ROWS].map(|query| place.ask("right.db", query));
    assert!(right[1].contains("2025-01-06T10:00:00.000Z{\"intensityRating\":\"hard\""), "{}", right[1]);
    place.run("migrate d.json --map short.toml --into a.db").exits(0);
    place.run("migrate d.json --into b.db").exits(0);
    let filled = "2 got what an earlier mapping had left out\n";
    place
        .run("migrate d.json --into a.db")
        .exits(0)
        .prints("0 events new, 3 events already there")
        .prints(filled);
    place.run("migrate d.json --map short.toml --into b.db").exits(0).does_not_print(filled);
    for database in ["a.db", "b.db"] {
        assert_eq!([SESSIONS, ROWS].map(|query| place.ask(database, query)), right, "{database}");
        place.run(&format!("migrate d.json --into {database}")).exits(0).does_not_print(filled);
        assert_eq!([SESSIONS, ROWS].map(|query| place.ask(database, query)), right, "{database}");
    }
    // A table of rows follows, and so does what is emitted.
    place.run("migrate d.json --map short.toml --into t.db --to progress-logs").exits(0);
    let updated = "table progress_logs: 0 rows new, 2 updated, 0 as they were";
    place.run("migrate d.json --into t.db --to progress-logs").exits(0).prints(updated);
    place.run("migrate d.json --map short.toml --into e.db").exits(0);
    let emitted = place.run("migrate d.json --into e.db --emit bulk-sync");
    emitted.exits(0).prints("\"completed_at\":\"2025-01-06T10:00:00.000Z\",\"intensity_rating\":\"hard\"");
}

#[test]
fn what_a_mapping_says_otherwise_stays_and_is_told() {
    let place = place();
    place.run("migrate d.json --map wrong.toml --into a.db").exits(0);
    let ran = place.run("migrate d.json --into a.db");
    ran.exits(3)
        .prints("warning: d.json: liftbook-store /state/progressHistory/sessions/0: completed_at stays \"2025-01-06T09:00:00.000Z\", and the mapping says \"2025-01-06T10:00:00.000Z\"\n")
        .prints("2 differ from what the mapping says now");
    let document = place.run("migrate d.json --into a.db --json").exits(3).document();
    // What it lacked it has got by then.
    assert_eq!(
        (&document["totals"]["events_differing"], &document["totals"]["events_filled"]),
        (&json!(2), &json!(0))
    );
    let query = "SELECT group_concat(week_number || completed_at || feedback) FROM progress_logs";
    let rows = place.ask("a.db", query);
    assert!(rows.contains("T09:00:00.000Z{\"intensityRating\":\"hard\""), "{rows}");
}

#[test]
fn a_table_that_takes_no_changes_keeps_its_events_and_says_so() {
    for refusal in ["RAISE(ABORT, 'never')", "RAISE(IGNORE)"] {
        let place = place();
        place.run("migrate d.json --map short.toml --into a.db").exits(0);
        place.execute(
            "a.db",
            &format!("CREATE TRIGGER t BEFORE UPDATE ON events BEGIN SELECT {refusal}; END"),
        );
        let before = place.ask("a.db", SESSIONS);
        place
            .run("migrate d.json --into a.db")
            .exits(3)
            .prints("2 events do not get what the mapping tells of them now: the database's own rules refuse to change them\n")
            .prints("2 differ from what the mapping says now");
        assert_eq!(place.ask("a.db", SESSIONS), before);
    }
}

#[test]
fn what_the_store_around_sessions_says_otherwise_later_is_another_account_and_no_difference() {
    let place = place();
    place.write("map.toml", mapping("scheduled_date = { up = \"/state/start\", optional = true }\n"));
    for (name, start) in [("a.json", "2025-01-01"), ("b.json", "2025-01-08")] {
        let session = json!({"weekNumber": 1, "dayNumber": 1, "completed": false});
        let state = json!({"state": {"start": start, "progressHistory": {"programId": "p", "sessions": [session]}},
                           "version": 2});
        place.write(name, json!({"liftbook-store": state.to_string()}).to_string());
    }
    place.run("migrate a.json b.json --map map.toml --captured-at 2025-02-01 --into one.db").exits(0);
    place.run("migrate b.json a.json --map map.toml --captured-at 2025-02-01 --into other.db").exits(0);
    assert_eq!(place.ask("one.db", SESSIONS), place.ask("other.db", SESSIONS));
    for (database, first, second) in [("ab.db", "a", "b"), ("ba.db", "b", "a")] {
        for name in [first, second, first] {
            let day = if name == "a" { "2025-02-01" } else { "2025-02-08" };
            let words = format!("migrate {name}.json --map map.toml --captured-at {day} --into {database}");
            place.run(&words).exits(0);
        }
        let rows = "SELECT group_concat(feedback ->> 'scheduledDate') FROM progress_logs";
        assert_eq!(place.ask(database, rows), "'2025-01-08'", "{database}");
    }
}
