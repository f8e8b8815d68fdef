//! Sessions become rows of a table `progress_logs`. What it holds is read by Python's sqlite3.

use std::path::Path;

use serde_json::{Value, json};

use crate::migrate::{fixture, place_with};
use crate::place::Place;

const DEVICES: [&str; 2] = ["devices/phone.json", "devices/tablet.json"];
const PHONE: &str = "migrate phone.json --captured-at 2025-11-01 --to progress-logs --into";
const TABLET: &str = "migrate tablet.json --captured-at 2025-11-02 --to progress-logs --into";

const ROWS: &str = r#"
import json, sqlite3, sys
db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
names = ["program_id", "week_number", "day_number", "completed", "completed_at", "feedback"]
rows = [dict(zip(names, row)) for row in db.execute(f"SELECT {', '.join(names)} FROM progress_logs ORDER BY 1, 2, 3")]
for row in rows:
    assert row["completed"] in (0, 1)
    row["completed"] = bool(row["completed"])
    row["feedback"] = row["feedback"] and json.loads(row["feedback"])
print(json.dumps(rows))
"#;

/// The rows of the table or view, as the expected ones are written; `None` where there is no Python.
fn rows(place: &Place, database: &str) -> Option<Value> {
    let mut judge = place.in_here("python3");
    judge.args(["-c", ROWS, database]);
    let Ok(output) = judge.output() else {
        crate::place::skipped("there is no python3");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).expect("rows"))
}

fn expected_of_devices() -> Value {
    let expected: Value = serde_json::from_slice(&fixture("devices/expected.json")).expect("JSON");
    expected["merged_rows_when_phone_is_captured_before_tablet"].clone()
}

#[test]
fn a_missing_table_is_made_with_its_indexes_and_has_the_expected_rows() {
    for (dump, name) in [
        ("dumps/chromium-main.stringify.json", "expected/progress.main.json"),
        ("dumps/firefox-second.stringify.json", "expected/progress.second.json"),
    ] {
        let place = place_with(&[dump]);
        let file = Path::new(dump).file_name().expect("a name").to_string_lossy();
        let document =
            place.run(&format!("migrate {file} --into new.db --to progress-logs --json")).document();
        let expected: Value = serde_json::from_slice(&fixture(name)).expect("JSON");
        let wanted = expected["rows"].as_array().expect("rows");
        assert_eq!(document["progress_table"]["rows_new"], wanted.len());
        let Some(rows) = rows(&place, "new.db") else { return };
        assert_eq!(rows.as_array().map(Vec::len), Some(wanted.len()));
        for (row, wanted) in rows.as_array().into_iter().flatten().zip(wanted) {
            for field in ["program_id", "week_number", "day_number", "completed", "completed_at"] {
                assert_eq!(row[field], wanted[field], "{name} {wanted}");
            }
            for field in ["intensityRating", "scheduledDate"] {
                assert_eq!(row["feedback"][field], wanted["feedback"][field], "{name} {wanted}");
            }
        }
        // The view says the same of the same dumps.
        place.run(&format!("migrate {file} --into view.db"));
        assert_eq!(rows, self::rows(&place, "view.db").expect("there is Python"));
        assert_eq!(
            place.ask(
                "new.db",
                "SELECT group_concat(columns, ' ') FROM (SELECT (SELECT group_concat(name) FROM pragma_index_info(list.name)) AS columns
                 FROM pragma_index_list('progress_logs') AS list ORDER BY 1)"
            ),
            "'completed,completed_at user_id,program_id week_number,day_number'"
        );
        place.run("export new.db -o snap").exits(0);
    }
}

#[test]
fn devices_are_merged_in_the_table_as_in_the_view_in_whatever_order() {
    for order in [[PHONE, TABLET], [TABLET, PHONE]] {
        let place = place_with(&DEVICES);
        for words in order {
            place.run(&format!("{words} new.db")).exits(0);
        }
        let Some(rows) = rows(&place, "new.db") else { return };
        assert_eq!(rows, expected_of_devices());
        let before = place.content("new.db");
        let document = place.run(&format!("{} new.db --json", order[0])).exits(0).document();
        let table = &document["progress_table"];
        let counts = [&table["rows_new"], &table["rows_updated"], &table["rows_unchanged"]];
        assert_eq!(counts, [&json!(0), &json!(0), &json!(5)]);
        assert_eq!(place.content("new.db"), before, "again is nothing new");
    }
}

const TOLD: &str = "program_id TEXT, week_number INTEGER, day_number INTEGER, completed INTEGER, completed_at TEXT, feedback TEXT";

const OF_SERVER: &str = "CREATE TABLE progress_logs (id INTEGER PRIMARY KEY NOT NULL, user_id INTEGER NOT NULL,
    program_id VARCHAR(64) NOT NULL, week_number INTEGER NOT NULL, day_number INTEGER NOT NULL, completed BOOLEAN,
    completed_at DATETIME, feedback JSON, note TEXT DEFAULT 'x')";

#[test]
fn an_existing_table_is_filled_by_the_merge_rule_and_other_rows_stay() {
    let place = place_with(&DEVICES);
    place.execute("own.db", &format!("{OF_SERVER};
        INSERT INTO progress_logs (user_id, program_id, week_number, day_number, completed, completed_at, feedback) VALUES
        -- completed later there: its rating wins, and gets the day that it lacks
        (42, 'mini-2w', 1, 1, 1, '2025-12-01 08:00:00', '{{\"intensityRating\":\"hard\",\"mood\":\"good\"}}'),
        -- completed earlier there
        (42, 'mini-2w', 1, 2, 1, '2025-10-01T00:00:00Z', '{{\"intensityRating\":\"hard\",\"scheduledDate\":\"2025-10-08\"}}'),
        -- the same time, written otherwise, and another rating
        (42, 'mini-2w', 1, 3, 0, '2025-10-10 08:15:00+02:00', '{{\"intensityRating\":\"easy\"}}'),
        -- not completed in either
        (42, 'mini-2w', 2, 1, NULL, NULL, NULL),
        -- somebody else's
        (7, 'mini-2w', 1, 1, 0, NULL, NULL)"));
    let others =
        "SELECT count(*) FROM progress_logs WHERE user_id = 7 AND completed = 0 AND feedback IS NULL";
    let words = "migrate phone.json tablet.json --into own.db --to progress-logs --set user_id=42";
    let dry = place.run(&format!("{words} --dry-run --json")).exits(0).changes_nothing().document();
    let done = place.run(&format!("{words} --json")).exits(0).document();
    assert_eq!(dry["progress_table"], done["progress_table"]);
    let table = &done["progress_table"];
    assert_eq!([&table["rows_new"], &table["rows_updated"]], [&json!(1), &json!(4)]);
    assert_eq!(table["kept"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&table["kept"][0]["kept"], &table["kept"][0]["told"], &table["kept"][0]["field"]),
        (&json!("easy"), &json!("hard"), &json!("intensityRating"))
    );
    assert_eq!(place.ask("own.db", others), "1");
    let row = |day: &str| {
        let sql = format!(
            "SELECT concat_ws(' ', completed, completed_at, feedback, note, user_id) FROM progress_logs
             WHERE user_id = 42 AND week_number || '-' || day_number = '{day}'"
        );
        place.ask("own.db", &sql)
    };
    assert_eq!(
        row("1-1"),
        r#"'1 2025-12-01 08:00:00 {"intensityRating":"hard","mood":"good","scheduledDate":"2025-10-06"} x 42'"#
    );
    assert_eq!(
        row("1-2"),
        r#"'1 2025-10-08T17:40:00.000Z {"intensityRating":"easy","scheduledDate":"2025-10-08"} x 42'"#
    );
    assert_eq!(
        row("1-3"),
        r#"'1 2025-10-10 08:15:00+02:00 {"intensityRating":"easy","scheduledDate":"2025-10-10"} x 42'"#
    );
    let before = place.content("own.db");
    place.run(words).exits(0).prints("0 rows new, 0 updated, 5 as they were").prints("kept: mini-2w 1-3");
    assert_eq!(place.content("own.db"), before);
}

#[test]
fn a_row_of_nobodys_becomes_the_users_and_is_not_doubled() {
    let place = place_with(&DEVICES);
    place.run(&format!("{PHONE} new.db")).exits(0);
    place.run(&format!("{TABLET} new.db --set user_id=a")).exits(0);
    assert_eq!(place.ask("new.db", "SELECT count(*) FROM progress_logs WHERE user_id = 'a'"), "5");
    assert_eq!(place.ask("new.db", "SELECT count(*) FROM progress_logs"), "5");
    place.run(&format!("{TABLET} new.db --set user_id=b")).exits(0);
    assert_eq!(place.ask("new.db", "SELECT count(*) FROM progress_logs"), "10");
    let before = place.content("new.db");
    place.run(&format!("{PHONE} new.db")).fails(2, "several users").hints("--set user_id=");
    assert_eq!(place.content("new.db"), before);
}

#[test]
fn a_table_that_cannot_be_filled_is_refused_before_anything_is_written() {
    const COLUMNS: &str = "program_id TEXT, week_number INT, day_number INT, completed INT";
    let place = place_with(&DEVICES);
    let of = |more: &str| format!("CREATE TABLE progress_logs ({COLUMNS}, {more})");
    let whole = of("completed_at TEXT, feedback TEXT, more TEXT");
    for (index, (ddl, more, reason, hint)) in [
        (OF_SERVER.to_owned(), "", "column \"user_id\" needs a value", "--set user_id=…"),
        (of("completed_at TEXT"), "", "no column \"feedback\"", "rename"),
        (of("completed_at INTEGER, feedback TEXT"), "", "has type INTEGER, and text goes there", "rename"),
        (of("completed_at TEXT, feedback AS (1)"), "", "computed", "rename"),
        (of("completed_at TEXT NOT NULL, feedback TEXT"), "", "takes no NULL", "take NULL"),
        (of("completed_at TEXT, feedback TEXT, id TEXT PRIMARY KEY"), "", "column \"id\" needs a value", "--set"),
        (whole.clone(), "--set nothing=1", "there is none", "its columns are program_id"),
        (whole.clone(), "--set completed=1", "come from the dumps", "leave it out"),
        (whole.clone(), "--set more=1 --set more=2", "given before", "once"),
        ("CREATE VIEW progress_logs AS SELECT 1".to_owned(), "", "it is a view", "rename that view"),
        (
            format!("{whole}; INSERT INTO progress_logs (program_id, week_number, day_number) VALUES ('mini-2w', 1, 1), ('mini-2w', 1, 1)"),
            "",
            "several rows of \"mini-2w\", week 1, day 1",
            "leave one",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("{index}.db");
        place.execute(&name, &ddl);
        let before = place.content(&name);
        let dry = place.run(&format!("{PHONE} {name} {more} --dry-run"));
        dry.fails(2, reason).hints(hint).changes_nothing();
        place.run(&format!("{PHONE} {name} {more}")).fails(2, reason).hints(hint);
        assert_eq!(place.content(&name), before, "{ddl}");
    }
    place.execute("check.db", &of("completed_at TEXT, feedback TEXT CHECK (0)"));
    let before = place.content("check.db");
    place.run(&format!("{PHONE} check.db")).fails(1, "rules refuse the row");
    place.execute(
        "ignore.db",
        &format!("{whole}; CREATE TRIGGER t BEFORE INSERT ON progress_logs BEGIN SELECT RAISE(IGNORE); END"),
    );
    place.run(&format!("{PHONE} ignore.db")).fails(1, "rules refuse the row");
    assert_eq!(place.content("check.db"), before);
    place.run("migrate phone.json --into new.db --set a=b").exits(2);
    place.run("migrate phone.json --into new.db --to progress-logs --set a").exits(2);
}

#[test]
fn the_view_of_an_earlier_run_is_in_the_way_and_is_told_how_to_leave() {
    let place = place_with(&DEVICES);
    place.run("migrate phone.json --into new.db --captured-at 2025-11-01").exits(0);
    let before = place.content("new.db");
    place
        .run(&format!("{TABLET} new.db"))
        .fails(2, "it is a view")
        .hints("sqlite3 DATABASE 'DROP VIEW progress_logs'");
    assert_eq!(place.content("new.db"), before);
    place.execute("new.db", "DROP VIEW progress_logs");
    place.run(&format!("{TABLET} new.db")).exits(0);
    let Some(rows) = rows(&place, "new.db") else { return };
    assert_eq!(rows, expected_of_devices(), "the events of the earlier run count as well");
    // Without --to the table is left alone.
    place.run("migrate phone.json --into new.db").exits(0).prints("the view progress_logs was not made");
}

#[test]
fn what_is_in_no_known_form_stays_and_is_told() {
    let place = place_with(&DEVICES);
    place.execute(
        "own.db",
        "CREATE TABLE progress_logs (program_id, week_number, day_number, completed, completed_at, feedback);
         INSERT INTO progress_logs VALUES ('mini-2w', 1, 1, 'true', 1759770131, 'felt good'),
                                          ('mini-2w', 1, 2, 0, 'monday', x'ff')",
    );
    let ran = place.run(&format!("{PHONE} own.db"));
    ran.exits(3)
        .prints("kept: mini-2w 1-1: completedAt stays 1759770131")
        .prints("kept: mini-2w 1-1: intensityRating stays felt good")
        .prints("kept: mini-2w 1-2: completedAt stays monday");
    assert_eq!(
        place.ask("own.db", "SELECT group_concat(completed || completed_at || hex(feedback)) FROM progress_logs WHERE week_number = 1 AND day_number < 3"),
        "'true175977013166656C7420676F6F64,1mondayFF'"
    );
}

#[test]
fn text_that_is_no_time_of_a_day_is_never_overwritten_and_empty_text_is_none() {
    for value in ["45999.4", "2026", "18:30", "now", ""] {
        let place = place_with(&DEVICES);
        let ddl = "CREATE TABLE progress_logs (program_id, week_number, day_number, completed, completed_at, feedback)";
        place.execute(
            "own.db",
            &format!("{ddl}; INSERT INTO progress_logs VALUES ('mini-2w', 1, 1, 1, '{value}', NULL)"),
        );
        let completed_at = "SELECT completed_at FROM progress_logs WHERE week_number = 1 AND day_number = 1";
        let ran = place.run(&format!("{PHONE} own.db"));
        if value.is_empty() {
            ran.exits(0).does_not_print("kept: ");
            assert!(place.ask("own.db", completed_at).starts_with("'2025-10-"));
        } else {
            ran.exits(3).prints(&format!("kept: mini-2w 1-1: completedAt stays {value}"));
            assert_eq!(place.ask("own.db", completed_at), format!("'{value}'"));
        }
    }
}

#[test]
fn a_user_is_found_in_a_column_of_any_type_and_a_user_that_is_there_stays() {
    for (declared, its, given) in [
        ("", "42", "42"),
        ("BLOB", "42", "42"),
        ("BLOB", "x'3432'", "42"),
        ("ANY", "42", "42"),
        ("REAL", "42.0", "42"),
        ("INTEGER", "42", "042"),
        ("TEXT COLLATE NOCASE", "'Ada'", "ada"),
    ] {
        let place = place_with(&DEVICES);
        let strict = if declared == "ANY" { "STRICT" } else { "" };
        let ddl = format!(
            "CREATE TABLE progress_logs (user_id {declared}, program_id TEXT, week_number INTEGER, day_number INTEGER,
             completed INTEGER, completed_at TEXT, feedback TEXT) {strict}"
        );
        place.execute(
            "own.db",
            &format!(
                "{ddl}; INSERT INTO progress_logs (user_id, program_id, week_number, day_number) VALUES ({its}, 'mini-2w', 1, 1)"
            ),
        );
        for _ in 0..2 {
            place.run(&format!("{PHONE} own.db --set user_id={given}")).exits(0);
        }
        let counts = "SELECT count(*) > 1 AND count(*) = count(DISTINCT week_number || '-' || day_number) FROM progress_logs";
        assert_eq!(place.ask("own.db", counts), "1", "{declared} {its}");
        let row = format!(
            "SELECT completed AND user_id IS {its} COLLATE BINARY FROM progress_logs WHERE week_number = 1 AND day_number = 1"
        );
        assert_eq!(place.ask("own.db", &row), "1", "{declared} {its}");
        place
            .run(&format!("{PHONE} own.db"))
            .fails(2, "an earlier run said whose its dumps are")
            .hints("--set user_id=");
    }
}

/// A dump with one session of a program.
fn dump_of(program: &str, completed_at: Option<&str>) -> String {
    let session = json!({"weekNumber": 1, "dayNumber": 1, "completed": completed_at.is_some(), "completedAt": completed_at});
    let state = json!({"progressHistory": {"programId": program, "sessions": [session]}});
    json!({"liftbook-store": json!({"state": state, "version": 2}).to_string()}).to_string()
}

#[test]
fn one_persons_sessions_are_never_told_as_anothers() {
    const ROWS: &str = "SELECT group_concat(row, ' ') FROM (SELECT concat_ws('/', user_id, program_id, completed, completed_at) AS row
        FROM progress_logs ORDER BY row)";
    const ANNAS: &str = "anna/P/1/2025-01-06T10:00:00.000Z";
    const ORIGIN: &str = "--origin https://app.example";
    let place = Place::new();
    place.write("plain.json", dump_of("O", None));
    place.write("anna.json", dump_of("P", Some("2025-01-06T10:00:00Z")));
    place.write("ben.json", dump_of("P", None));
    place.write("bens-other.json", dump_of("Q", None));
    let import = |file: &str, more: &str| place.run(&format!("migrate {file} {ORIGIN} --into own.db {more}"));
    let of = |file: &str, user: &str| import(file, &format!("--to progress-logs --set user_id={user}"));
    // As long as one alone was named, what was imported before is that person's, too.
    place.execute("own.db", &format!("CREATE TABLE progress_logs ({TOLD}, user_id TEXT)"));
    import("plain.json", "").exits(0);
    of("anna.json", "anna").exits(0).prints("2 rows new");
    assert_eq!(place.ask("own.db", ROWS), format!("'anna/O/0 {ANNAS}'"));
    of("bens-other.json", "ben").exits(0).prints("1 row new");
    assert_eq!(place.ask("own.db", ROWS), format!("'anna/O/0 {ANNAS} ben/Q/0'"));
    let document = of("ben.json", "ben --json").exits(0).document();
    assert_eq!((&document["totals"]["conflicts"], &document["notes"]), (&json!(0), &json!([])));
    let all = format!("'anna/O/0 {ANNAS} ben/P/0 ben/Q/0'");
    assert_eq!(place.ask("own.db", ROWS), all);
    of("anna.json", "anna").exits(0).prints("0 rows new, 0 updated, 2 as they were");
    assert_eq!(place.ask("own.db", ROWS), all);
    // What is imported without a name is nobody's from then on, and that is told.
    place.write("whose.json", dump_of("R", None));
    import("whose.json", "").exits(0);
    of("ben.json", "ben").exits(0).prints("1 value that an earlier run imported is of no user and left out");
    assert_eq!(place.ask("own.db", ROWS), all);
    // Nor is what is sent, or put back, merged of both.
    for (form, code) in [("bulk-sync --all-sessions", 0), ("console", 3)] {
        import("ben.json", &format!("--emit {form} -o out"))
            .fails(2, "the database has imports of several users, and none is named")
            .hints("a database of its own");
        let ran = of("ben.json", &format!("ben --emit {form} -o out"));
        let out = std::fs::read_to_string(place.path("out")).expect("written");
        std::fs::remove_file(place.path("out")).expect("removed");
        assert!(!out.contains("2025-01-06"), "{out}");
        // A store is of one program, and ben's dumps are of two.
        ran.exits(code);
    }
    // What waits for the server would go there with another's token.
    let before = place.content("own.db");
    for ran in [
        import("ben.json", "--post http://127.0.0.1:9/sync"),
        of("ben.json", "ben --post http://127.0.0.1:9/sync"),
    ] {
        ran.fails(2, "what is queued to be sent is of one person").hints("a database of its own");
    }
    assert_eq!(place.content("own.db"), before);
    import("ben.json", "--to progress-logs").fails(2, "several users").hints("--set user_id=");
}

/// Two people who trained the same hold equal events, each of which is one and both's.
#[test]
fn what_two_people_both_have_is_in_the_rows_of_both() {
    let place = Place::new();
    place.write("both.json", dump_of("P", Some("2025-01-06T10:00:00Z")));
    for user in ["anna", "ben", "anna"] {
        let words =
            "migrate both.json --captured-at 2025-02-01 --into new.db --to progress-logs --set user_id=";
        place.run(&format!("{words}{user}")).exits(0);
    }
    let rows = "SELECT group_concat(user_id) FROM (SELECT user_id FROM progress_logs WHERE completed ORDER BY user_id)";
    assert_eq!(place.ask("new.db", rows), "'anna,ben'");
}

#[test]
fn a_trigger_that_removes_a_row_again_is_told_and_any_other_is_none_of_our_business() {
    let place = place_with(&DEVICES);
    let ddl = "CREATE TABLE progress_logs (program_id, week_number, day_number, completed, completed_at, feedback, note)";
    for (name, does) in [
        ("own.db", "DELETE FROM progress_logs WHERE rowid = NEW.rowid"),
        ("moved.db", "UPDATE progress_logs SET program_id = 'x' || program_id WHERE rowid = NEW.rowid"),
        ("noted.db", "UPDATE progress_logs SET note = 'new' WHERE rowid = NEW.rowid"),
    ] {
        place.execute(
            name,
            &format!("{ddl}; CREATE TRIGGER t AFTER INSERT ON progress_logs BEGIN {does}; END"),
        );
        let before = place.content(name);
        let ran = place.run(&format!("{PHONE} {name}"));
        if name == "noted.db" {
            ran.exits(0);
        } else {
            ran.fails(1, "rules refuse the row of \"mini-2w\", week ");
            assert_eq!(place.content(name), before);
        }
    }
}
