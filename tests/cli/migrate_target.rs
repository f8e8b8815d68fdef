//! The database that events go to: somebody's, with tables, rules, views and events of its own.
//!
//! What it then says is asked of SQLite's own program.

use serde_json::{Value, json};

use crate::place::{Place, skipped};
use crate::ran::Ran;

/// A usual table of events.
const EVENTS: &str =
    "_event_id TEXT PRIMARY KEY, _created_at TEXT NOT NULL, event_type TEXT NOT NULL, payload TEXT NOT NULL";

/// A dump with these sessions of one program.
fn dump(program: &str, sessions: &[Value]) -> String {
    let state =
        json!({"state": {"progressHistory": {"programId": program, "sessions": sessions}}, "version": 2});
    json!({"liftbook-store": state.to_string()}).to_string()
}

fn session(week: u32, rating: &str) -> Value {
    json!({"weekNumber": week, "dayNumber": 1, "completed": true, "completedAt": "2025-01-01T10:00:00Z",
           "intensityRating": rating})
}

/// A place with the dump `d.json` of two sessions.
fn place_with_dump() -> Place {
    let place = Place::new();
    place.write("d.json", dump("p", &[session(1, "easy"), session(2, "hard")]));
    place
}

/// What SQLite's own program answers, without a line's end; `None` where it is not there.
fn judge(place: &Place, database: &str, sql: &str) -> Option<String> {
    let Ok(output) = place.in_here("sqlite3").args(["-batch", "-bail", "-readonly", database, sql]).output()
    else {
        skipped("there is no sqlite3");
        return None;
    };
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).expect("UTF-8").trim_end().to_owned())
}

#[track_caller]
fn says(place: &Place, database: &str, sql: &str, answer: &str) {
    if let Some(told) = judge(place, database, sql) {
        assert_eq!(told, answer, "{database}: {sql}");
    }
}

#[test]
fn events_that_a_table_swallows_fail_the_run_instead_of_counting_as_known() {
    let place = place_with_dump();
    let own = "INSERT INTO events VALUES ('mine', '2025-01-01T10:00:00.000Z', 'workout_session', '{}')";
    for (index, rules) in [
        format!("CREATE TABLE events ({EVENTS}); {own};
                 CREATE TRIGGER x BEFORE INSERT ON events BEGIN SELECT RAISE(IGNORE); END"),
        format!("CREATE TABLE events ({EVENTS}); {own};
                 CREATE TRIGGER x AFTER INSERT ON events BEGIN DELETE FROM events WHERE _event_id = NEW._event_id; END"),
        format!("CREATE TABLE events ({EVENTS}, UNIQUE (event_type) ON CONFLICT IGNORE); {own}"),
        format!("CREATE TABLE events ({EVENTS}, UNIQUE (event_type, _created_at) ON CONFLICT REPLACE); {own}"),
        format!("CREATE TABLE events ({EVENTS}); {own};
                 CREATE TRIGGER x BEFORE INSERT ON events BEGIN SELECT RAISE(ROLLBACK, 'never'); END"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("{index}.db");
        place.execute(&name, &rules);
        let before = place.content(&name);
        place
            .run(&format!("migrate d.json --into {name}"))
            .fails(1, "refuse an event")
            .hints("import into a new database");
        assert_eq!(place.content(&name), before, "{rules}");
        says(&place, &name, "SELECT group_concat(_event_id) FROM events", "mine");
    }
    // A trigger that does nothing to the row is in nobody's way.
    place.execute(
        "log.db",
        &format!(
            "CREATE TABLE events ({EVENTS}); CREATE TABLE log (id);
                  CREATE TRIGGER x AFTER INSERT ON events BEGIN INSERT INTO log VALUES (NEW._event_id); END"
        ),
    );
    place.run("migrate d.json --into log.db").exits(0);
    says(&place, "log.db", "SELECT count(*), (SELECT count(*) FROM events) FROM log", "3|3");
}

#[test]
fn a_foreign_key_that_is_checked_at_the_end_refuses_the_run() {
    let place = place_with_dump();
    let key = "REFERENCES kinds (kind) DEFERRABLE INITIALLY DEFERRED";
    let table = EVENTS.replace("event_type TEXT NOT NULL", &format!("event_type TEXT NOT NULL {key}"));
    place.execute(
        "own.db",
        &format!("CREATE TABLE kinds (kind TEXT PRIMARY KEY); CREATE TABLE events ({table})"),
    );
    let before = place.content("own.db");
    place.run("migrate d.json --into own.db").fails(1, "refuse an event").hints("foreign key");
    assert_eq!(place.content("own.db"), before);
}

#[test]
fn an_append_only_table_keeps_its_later_times_and_takes_what_is_new() {
    let place = Place::new();
    place.write("d.json", dump("p", &[json!({"weekNumber": 1, "dayNumber": 1, "completed": false})]));
    place.write("more.json", dump("p", &[json!({"weekNumber": 2, "dayNumber": 1, "completed": false})]));
    let rules = |action: &str| {
        format!(
            "CREATE TABLE events ({EVENTS});
                 CREATE TRIGGER ao BEFORE UPDATE ON events BEGIN SELECT RAISE({action}, 'append only'); END"
        )
    };
    place.execute("own.db", &rules("ABORT"));
    place.run("migrate d.json --into own.db --captured-at 2025-02-02").exits(0).does_not_print("note: ");
    let ran = place.run("migrate d.json more.json --into own.db --captured-at 2025-02-01");
    ran.exits(0).prints("note: own.db: 2 events keep a later _created_at").prints("2 events new");
    let times =
        "SELECT group_concat(substr(_created_at, 1, 10)) FROM (SELECT * FROM events ORDER BY _created_at)";
    says(&place, "own.db", times, "2025-02-01,2025-02-01,2025-02-02,2025-02-02");
    says(&place, "own.db", "SELECT count(DISTINCT captured_at) FROM event_sources", "2");
    // A rule that ends the transaction leaves nothing behind that could be written outside of it.
    place.execute("strict.db", &rules("ROLLBACK"));
    place.run("migrate d.json --into strict.db --captured-at 2025-02-02").exits(0);
    let before = place.content("strict.db");
    place
        .run("migrate d.json more.json --into strict.db --captured-at 2025-02-01")
        .fails(1, "refuse an event");
    assert_eq!(place.content("strict.db"), before);
}

#[test]
fn events_of_others_that_are_called_workout_sessions_are_passed_over() {
    let place = place_with_dump();
    let half = r#"{"program_id":"p\ud800","week_number":1,"day_number":1,"intensity_rating":"easy\ud800"}"#;
    for (index, own) in [
        "('a', 'x', 'workout_session', 'bench press')".to_owned(),
        r#"('a','x','workout_session','{"scheduled_date":"1"}'), ('b','x','workout_session','{"scheduled_date":"2"}')"#
            .to_owned(),
        ["1", "2"]
            .map(|day| {
                format!(
                    r#"('{day}','x','workout_session',
                        '{{"program_id":"p","week_number":"one","day_number":1,"scheduled_date":"{day}"}}'),
                       ('n{day}','x','workout_session',
                        '{{"program_id":"p","week_number":18446744073709551616,"day_number":true,"scheduled_date":"{day}"}}')"#
                )
            })
            .join(", "),
        r#"('a','x','workout_session','{"program_id":7,"week_number":1,"day_number":1,"intensity_rating":"other"}')"#
            .to_owned(),
        "('a', 'x', 'workout_session', '[]'), ('b', 'x', 'workout_session', '')".to_owned(),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("{index}.db");
        place.execute(&name, &format!("CREATE TABLE events ({EVENTS}); INSERT INTO events VALUES {own}"));
        let document = place.run(&format!("migrate d.json --into {name} --json")).exits(0).document();
        assert_eq!(document["conflicts"], json!([]), "{own}");
        says(
            &place,
            &name,
            "SELECT group_concat(program_id || week_number || json_extract(feedback, '$.intensityRating')) FROM progress_logs",
            "p1easy,p2hard",
        );
        says(&place, &name, "SELECT count(*) FROM progress_conflicts", "0");
    }
    // Sessions of others that fit are taken, with text that is none replaced where it is told.
    place.execute(
        "half.db",
        &format!(
            "CREATE TABLE events ({EVENTS});
                  INSERT INTO events VALUES ('a', 'x', 'workout_session', '{half}'),
                    ('b', 'x', 'workout_session', '{}')",
            half.replace("easy", "hard")
        ),
    );
    place.run("migrate d.json --into half.db").exits(0).prints("3 events new");
}

#[test]
fn what_has_the_name_of_a_view_stays_and_is_told() {
    let place = place_with_dump();
    let own = [
        "CREATE TABLE workout_sessions (a)",
        "CREATE VIEW workout_sessions AS SELECT 1",
        "CREATE TABLE progress_logs (a)",
        "CREATE TABLE s (a); CREATE INDEX progress_logs ON s (a)",
        "CREATE VIEW progress_conflicts AS SELECT 'none' AS mine",
    ];
    for (index, ddl) in own.into_iter().enumerate() {
        let name = format!("{index}.db");
        place.execute(&name, ddl);
        let schema = place.content(&name);
        place.write("e.json", dump("p", &[session(1, "perfect"), session(2, "perfect")]));
        place.run(&format!("migrate d.json --into {name} --captured-at 2025-02-01")).exits(0);
        let ran = place.run(&format!("migrate e.json --into {name} --captured-at 2025-02-02 --json"));
        let document = ran.exits(0).document();
        assert!(schema.iter().all(|row| place.content(&name).contains(row)), "{ddl}");
        assert_eq!(
            document["conflicts"].as_array().map(Vec::len),
            Some(2),
            "with a view of them or without: {ddl}"
        );
        let note = match index {
            0 | 1 => None,
            2 => Some("the view progress_logs was not made, since the database has a table of that name"),
            3 => Some("the view progress_logs was not made, since the database has an index of that name"),
            _ => Some(
                "the view progress_conflicts was not made, since the database has another view of that name",
            ),
        };
        let told = document["notes"].as_array().expect("notes");
        assert_eq!(told.len(), usize::from(note.is_some()), "{ddl}");
        let ran = place.run(&format!("migrate e.json --into {name} --captured-at 2025-02-02"));
        match note {
            Some(note) => drop(ran.exits(0).prints("note: ").prints(note)),
            None => drop(ran.exits(0).does_not_print("note: ")),
        }
        if !(2..=3).contains(&index) {
            says(&place, &name, "SELECT count(*) FROM progress_logs", "2");
        }
        if index != 4 {
            says(&place, &name, "SELECT group_concat(kept) FROM progress_conflicts", "perfect,perfect");
        }
    }
    place.execute("taken.db", "CREATE TABLE parklite_sessions (a)");
    place
        .run("migrate d.json --into taken.db")
        .fails(2, "a table parklite_sessions")
        .hints("rename it")
        .changes_nothing();
}

const LOG: &str = "[target]\ntable = \"log\"\nevent_id = \"id\"\ncreated_at = \"at\"\nevent_type = \"kind\"\npayload = \"body\"\n";

#[test]
fn another_table_than_the_views_read_is_refused_since_its_sessions_would_be_in_none() {
    let place = place_with_dump();
    place.write("map.toml", LOG);
    place.write("e.json", dump("q", &[session(1, "easy")]));
    place.run("migrate d.json --into usual.db").exits(0);
    place
        .run("migrate e.json --into usual.db --map map.toml")
        .fails(2, "does not read the events of \"log\"")
        .hints("DROP VIEW parklite_sessions")
        .changes_nothing();
    place.run("migrate d.json --into log.db --map map.toml").exits(0);
    place
        .run("migrate e.json --into log.db")
        .fails(2, "does not read the events of \"events\"")
        .changes_nothing();
    place.run("migrate e.json --into log.db --map map.toml").exits(0);
    says(&place, "log.db", "SELECT group_concat(program_id || week_number) FROM progress_logs", "p1,p2,q1");
    // As the hint says.
    place.execute(
        "usual.db",
        "DROP VIEW progress_conflicts; DROP VIEW progress_logs; DROP VIEW parklite_sessions",
    );
    place.run("migrate e.json --into usual.db --map map.toml").exits(0);
    says(&place, "usual.db", "SELECT group_concat(program_id || week_number) FROM progress_logs", "q1");
    // The usual names, written down, are the usual table.
    place.write("usual.toml", "[target]\ntable = \"events\"\npayload = \"payload\"\n");
    place.run("migrate d.json --into new.db --map usual.toml").exits(0);
    place.run("migrate e.json --into new.db").exits(0);
}

#[test]
fn names_under_target_that_lose_a_value_are_refused_with_their_line() {
    let place = place_with_dump();
    for (target, message) in [
        (
            "table = \"ev\"\nevent_id = \"id\"\ncreated_at = \"x\"\nevent_type = \"X\"\npayload = \"body\"",
            "line 5: the column \"X\"",
        ),
        ("table = \"ev\"\ncreated_at = \"payload\"", "line 3: the column \"payload\" is named twice"),
        ("table = \"\"", "line 2: \"\" is no name"),
        ("event_id = \"\"", "line 2: \"\" is no name"),
        ("table = \"a\\u0000b\"", "line 2: \"a\\0b\" is no name"),
        ("table = \"ev\"\nbody = \"x\"", "line 3: "),
    ] {
        place.write("map.toml", format!("[target]\n{target}\n"));
        place.run("migrate d.json --into new.db --map map.toml").fails(2, message).changes_nothing();
    }
    for (table, why) in [
        ("sqlite_x", "SQLite keeps such names"),
        ("event_sources", "something else of that name"),
        ("Progress_Logs", "something else of that name"),
        ("parklite_sessions", "something else of that name"),
    ] {
        place.write("map.toml", format!("[target]\ntable = \"{table}\"\n"));
        let ran = place.run("migrate d.json --into new.db --map map.toml");
        ran.fails(2, why).hints("name another table").changes_nothing();
    }
}

#[test]
fn between_equal_times_the_later_line_wins_and_then_the_later_place() {
    let ratings = ["easy", "perfect", "hard", "medium"];
    for first in ratings {
        for second in ratings.into_iter().filter(|second| *second != first) {
            let place = Place::new();
            let lines = [first, second].map(|rating| dump("p", &[session(1, rating)]) + "\n").concat();
            place.write("lines.ndjson", &lines);
            let document = place.run("migrate lines.ndjson --into lines.db --json").exits(0).document();
            assert_eq!(document["conflicts"][0]["values"], json!([first, second]));
            let kept = "SELECT json_extract(feedback, '$.intensityRating') FROM progress_logs";
            says(&place, "lines.db", kept, second);
            // Said once more in a later line, the first is the last, and stays so when the file is read again.
            place.write("again.ndjson", lines + &dump("p", &[session(1, first)]) + "\n");
            place.run("migrate again.ndjson --into again.db").exits(0);
            says(&place, "again.db", kept, first);
            let before = place.read("again.db");
            place.run("migrate again.ndjson --into again.db").exits(0);
            assert_eq!(place.read("again.db"), before);
            place.write("one.json", dump("p", &[session(1, first), session(1, second)]));
            place.run("migrate one.json --into one.db").exits(0);
            says(&place, "one.db", kept, second);
        }
    }
}

#[test]
fn places_in_objects_are_those_of_the_members_whatever_their_names() {
    let place = Place::new();
    let member = |rating: &str| format!(r#"{{"w":1,"d":1,"c":false,"r":"{rating}"}}"#);
    place.write(
        "map.toml",
        "[[store]]\nkey = \"gym\"\nenvelope = \"none\"\neach = \"/byId/*\"\nevent = \"workout_session\"\n[store.fields]\n\
         program_id = { up = \"/p\" }\nweek_number = { at = \"/w\" }\nday_number = { at = \"/d\" }\n\
         completed = { at = \"/c\" }\nintensity_rating = { at = \"/r\", optional = true }\n",
    );
    for (first, second) in [("9999999999999", "10000000000000"), ("2025-01-31", "2025-02-01"), ("b", "a")] {
        let store =
            format!(r#"{{"p":"x","byId":{{"{first}":{},"{second}":{}}}}}"#, member("old"), member("new"));
        place.write("d.json", json!({"gym": store}).to_string());
        let name = format!("{first}.db");
        place.run(&format!("migrate d.json --into {name} --map map.toml")).exits(0);
        says(&place, &name, "SELECT json_extract(feedback, '$.intensityRating') FROM progress_logs", "new");
    }
}

#[test]
fn conflicts_are_told_of_the_programs_of_the_run_alone_and_the_view_has_all() {
    let place = Place::new();
    for program in ["p", "q"] {
        let lines = ["easy", "hard"].map(|rating| dump(program, &[session(1, rating)]) + "\n").concat();
        place.write(format!("{program}.ndjson"), lines);
    }
    place
        .run("migrate p.ndjson --into new.db")
        .exits(0)
        .prints("conflict: p 1-1")
        .does_not_print("conflict: q");
    place
        .run("migrate q.ndjson --into new.db")
        .exits(0)
        .prints("conflict: q 1-1")
        .does_not_print("conflict: p");
    place.run("migrate p.ndjson --into new.db").exits(0).prints("0 events new").prints("conflict: p 1-1");
    says(&place, "new.db", "SELECT group_concat(program_id || kept) FROM progress_conflicts", "phard,qhard");
}

/// So many that SQLite sorts them in pieces; and a list for each of them would be two billion entries.
#[test]
fn a_day_with_very_many_ratings_is_one_conflict_in_order() {
    let place = Place::new();
    let sessions: Vec<Value> = (0..60_000).map(|index| session(1, &format!("r{index}"))).collect();
    place.write("d.json", dump("p", &sessions));
    let document = place.run("migrate d.json --into new.db --json").exits(0).document();
    let values: Vec<String> = (0..60_000).map(|index| format!("r{index}")).collect();
    assert_eq!(document["conflicts"][0]["values"], json!(values));
    assert_eq!(document["conflicts"][0]["kept"], "r59999");
    let ran = place.run("migrate d.json --into new.db");
    ran.exits(0).prints("is r0 or r1 or r2 or r3 or r4 or 59995 more; kept: r59999");
    let in_view = "SELECT candidates FROM progress_conflicts";
    if let Some(candidates) = judge(&place, "new.db", in_view) {
        assert_eq!(serde_json::from_str::<Vec<String>>(&candidates).expect("JSON"), values);
    }
}

#[test]
fn a_number_that_sqlite_gives_by_itself_is_none_that_events_lack() {
    let place = place_with_dump();
    let columns = "_event_id TEXT UNIQUE, _created_at TEXT, event_type TEXT, payload TEXT";
    for (index, (ddl, fits)) in [
        (format!("id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, {columns}"), true),
        (format!("id integer NOT NULL PRIMARY KEY, {columns}"), true),
        (format!("id INTEGER NOT NULL, {columns}"), false),
        (format!("id INTEGER NOT NULL, {columns}, PRIMARY KEY (id, payload)"), false),
        (format!("id BIGINT PRIMARY KEY NOT NULL, {columns}"), false),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("{index}.db");
        place.execute(&name, &format!("CREATE TABLE events ({ddl})"));
        let ran = place.run(&format!("migrate d.json --into {name}"));
        if fits {
            ran.exits(0);
            says(&place, &name, "SELECT min(id), max(id), count(*) FROM events", "1|3|3");
        } else {
            ran.fails(2, "needs a value that events do not have").changes_nothing();
        }
    }
    place.execute(
        "whole.db",
        &format!("CREATE TABLE events (id INTEGER PRIMARY KEY NOT NULL, {columns}) WITHOUT ROWID"),
    );
    place.run("migrate d.json --into whole.db").fails(2, "needs a value").changes_nothing();
}

#[test]
fn a_table_of_migrations_of_the_app_is_in_nobodys_way() {
    let place = place_with_dump();
    place.execute("own.db", "CREATE TABLE migrations (id INTEGER PRIMARY KEY, name TEXT, run_on TEXT)");
    place.run("migrate d.json --into own.db").exits(0);
    says(&place, "own.db", "SELECT marker || sessions FROM event_migrations", "migrated-p2");
    says(&place, "own.db", "SELECT count(*) FROM migrations", "0");
}

#[test]
fn tables_that_go_with_the_events_are_refused_with_what_helps_where_they_are_others() {
    let place = place_with_dump();
    let columns = "_event_id, import_id, device, origin, partition, format, store_key, store_version, value_sha256, pointer, \
                   position, captured_at, line";
    for (index, (ddl, message)) in [
        (format!("CREATE TABLE event_sources ({columns})"), "are no key of it"),
        (format!("CREATE TABLE event_sources ({columns}, UNIQUE (_event_id))"), "are no key of it"),
        ("CREATE TABLE original_values (a)".to_owned(), "another program's"),
        ("CREATE VIEW event_migrations AS SELECT 1".to_owned(), "it is a view"),
        ("CREATE TABLE t (a); CREATE INDEX event_sources ON t (a)".to_owned(), "it is an index"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("{index}.db");
        place.execute(&name, &ddl);
        let ran = place.run(&format!("migrate d.json --into {name}"));
        ran.fails(2, message).hints("rename that table").changes_nothing();
    }
    place.execute(
        "fits.db",
        &format!("CREATE TABLE event_sources ({columns}, PRIMARY KEY (pointer, _event_id, import_id))"),
    );
    place.run("migrate d.json --into fits.db").exits(0);
    place.run("migrate d.json --into fits.db").exits(0).prints("0 events new");
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_nowhere_is_refused_before_the_work() {
    let place = place_with_dump();
    std::os::unix::fs::symlink("nowhere.db", place.path("link.db")).expect("a link");
    let ran = place.run("migrate d.json --into link.db");
    ran.fails(12, "a link that leads nowhere").hints("remove the link").changes_nothing();
    assert!(!ran.stderr.contains("--overwrite"), "there is no such option: {}", ran.stderr);
}

/// The second run finds the target made by the first when it wants to give its own that name.
#[test]
fn of_two_runs_that_make_the_same_database_the_second_is_told_to_run_again() {
    let place = Place::new();
    let mut command = place.command();
    command.args(["migrate", "many.ndjson", "--into", "new.db"]);
    let lines: String =
        (0..20_000).map(|program| dump(&format!("p{program}"), &[session(1, "easy")]) + "\n").collect();
    place.write("many.ndjson", lines);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let child = command.spawn().expect("the program starts");
    let began = std::time::Instant::now();
    let is_at_work =
        || place.listing().keys().any(|path| path.to_string_lossy().starts_with(".parklite-stage-"));
    while !is_at_work() && began.elapsed() < std::time::Duration::from_secs(20) {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    place.execute("new.db", "CREATE TABLE first (a)");
    let output = child.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(12), "{told}");
    assert!(told.contains("made the target meanwhile; nothing was imported"), "{told}");
    assert!(told.contains("hint: run it again") && !told.contains("--overwrite"), "{told}");
    place.run("migrate many.ndjson --into new.db").exits(0).prints("40,000 events new");
}

/// The program with a copy of `old.db` on a file system of its own, which `prepare` may change; it ends with 98 where the
/// copy is not as it was. `None` where nothing can be mounted.
fn with_copy_on_disk(place: &Place, prepare: &str) -> Option<Ran> {
    let script = format!(
        r#"mount -t tmpfs -o size=2m tmpfs mounted || exit 99; cp old.db mounted/; {prepare}; "$@"; code=$?
        find mounted -mindepth 1 >&2; cmp old.db mounted/old.db || code=98; umount mounted; exit $code"#
    );
    if place.with_mount("size=1m", "").is_none() {
        skipped("nothing can be mounted here");
        return None;
    }
    let program = place.command().get_program().to_owned();
    let mut command = place.in_here("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-c", &script, "sh"]).arg(program);
    command.args(["migrate", "many.ndjson", "--into", "mounted/old.db"]);
    Some(place.finish(command))
}

#[test]
fn a_full_disk_leaves_the_database_as_it_was_without_a_journal() {
    let place = place_with_dump();
    place.run("migrate d.json --into old.db").exits(0);
    let lines: String =
        (0..10_000).map(|program| dump(&format!("p{program}"), &[session(1, "easy")]) + "\n").collect();
    place.write("many.ndjson", lines);
    if let Some(ran) = with_copy_on_disk(&place, "true") {
        ran.fails(1, "mounted/old.db").hints("free some space");
        assert!(ran.stderr.contains("mounted/old.db\n") && !ran.stderr.contains("journal"), "{}", ran.stderr);
    }
}

#[test]
fn a_database_on_a_read_only_disk_fails_with_what_to_look_at() {
    let place = place_with_dump();
    place.run("migrate d.json --into old.db").exits(0);
    place.write("many.ndjson", dump("q", &[session(1, "easy")]));
    if let Some(ran) = with_copy_on_disk(&place, "mount -o remount,ro mounted") {
        ran.fails(1, "the database cannot be written to: mounted/old.db").hints("mounted read-only");
    }
}
