//! Sessions in the bodies that a server takes.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::place::Place;

/// No name.
const NOTHING: [&str; 0] = [];

/// Dumps of two devices, with the sessions of real apps.
fn two_devices() -> Place {
    let place = Place::new();
    for name in ["chromium-main.stringify.json", "firefox-second.stringify.json"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/localstorage/dumps").join(name);
        place.write(name, fs::read(path).expect("a fixture"));
    }
    place
}

/// A dump of one program with sessions of these weeks and days, each completed or not.
pub(crate) fn dump(program: &str, sessions: &[(u32, u32, bool)]) -> String {
    let sessions: Vec<Value> = sessions
        .iter()
        .map(|(week, day, completed)| {
            let done = completed.then(|| format!("2025-01-{:02}T10:00:00.000Z", week * 7 + day));
            json!({"weekNumber": week, "dayNumber": day, "completed": completed, "completedAt": done,
                   "intensityRating": "hard"})
        })
        .collect();
    let state = json!({"progressHistory": {"programId": program, "sessions": sessions}});
    json!({"liftbook": json!({"state": state, "version": 1}).to_string()}).to_string()
}

fn bodies(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

/// How many sessions each body has.
fn sizes(text: &str) -> Vec<usize> {
    bodies(text).iter().map(|body| body["sessions"].as_array().expect("sessions").len()).collect()
}

#[test]
fn bodies_have_the_completed_sessions_of_the_view_in_order() {
    let place = two_devices();
    let inputs = "chromium-main.stringify.json firefox-second.stringify.json";
    place.run(&format!("migrate {inputs} --into new.db")).exits(3);
    let expected = place.ask(
        "new.db",
        "SELECT json_group_array(json_object('week_number', week_number, 'day_number', day_number, 'completed_at', completed_at,
           'intensity_rating', feedback ->> 'intensityRating', 'scheduled_date', feedback ->> 'scheduledDate'))
         FROM (SELECT * FROM progress_logs WHERE completed ORDER BY program_id, week_number, day_number)",
    );
    let expected: Vec<Value> = serde_json::from_str(expected.trim_matches('\'')).expect("rows");
    assert!(expected.len() > 20, "{}", expected.len());
    let ran = place.run(&format!("migrate {inputs} --emit bulk-sync --batch-size 5"));
    ran.exits(3).adds(&NOTHING);
    let sessions: Vec<Value> = bodies(&ran.stdout)
        .iter()
        .flat_map(|body| body["sessions"].as_array().expect("sessions").clone())
        .collect();
    assert_eq!(sessions, expected);
    assert!(sizes(&ran.stdout).iter().all(|size| (1..=5).contains(size)));
    let back = "firefox-second.stringify.json chromium-main.stringify.json";
    let other = place.run(&format!("migrate {back} --emit bulk-sync --batch-size 5 --quiet"));
    assert_eq!(other.exits(3).stdout, ran.stdout, "whatever the order of inputs");
    let known = place.run(&format!("migrate {inputs} --into new.db --emit bulk-sync --batch-size 5"));
    assert_eq!(known.exits(3).stdout, ran.stdout, "though nothing of it is new");
}

#[test]
fn no_body_has_sessions_of_two_programs_and_the_report_says_whose_each_line_is() {
    let place = Place::new();
    place.write("b.json", dump("b", &[(1, 1, true), (1, 2, true), (2, 1, true), (2, 2, false)]));
    place.write("a.json", dump("a", &[(1, 1, true)]));
    let ran = place.run("migrate a.json b.json --emit bulk-sync --batch-size 2");
    ran.exits(0).adds(&NOTHING);
    assert_eq!(sizes(&ran.stdout), [1, 2, 1]);
    assert!(ran.stderr.contains("line 1: program a, 1 session\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("lines 2-3: program b, 3 sessions\n"), "{}", ran.stderr);
    assert_eq!(sizes(&place.run("migrate a.json b.json --emit bulk-sync").stdout), [1, 3]);
    let all = place.run("migrate a.json b.json --emit bulk-sync --all-sessions --program b --quiet");
    assert_eq!(sizes(&all.exits(0).stdout), [4]);
    assert_eq!(all.stderr, "");
    let open = &bodies(&all.stdout)[0]["sessions"][3];
    let expected = json!({"week_number": 2, "day_number": 2, "completed_at": null, "intensity_rating": "hard",
                          "scheduled_date": null});
    assert_eq!(*open, expected);
}

#[test]
fn bodies_go_to_a_new_file_beside_the_report_and_never_over_another_one() {
    let place = Place::new();
    place.write("a.json", dump("a", &[(1, 1, true)]));
    let ran = place.run("migrate a.json --into new.db --emit bulk-sync -o bodies.jsonl --json");
    ran.exits(0).adds(&["bodies.jsonl", "new.db"]);
    let report = &ran.document()["bulk_sync"];
    assert_eq!(report["programs"], json!([{"program_id": "a", "batches": 1, "sessions": 1}]));
    let content = place.read("bodies.jsonl");
    place.run("migrate a.json --emit bulk-sync -o bodies.jsonl").exits(12).adds(&NOTHING);
    assert_eq!(place.read("bodies.jsonl"), content);
    place.run("migrate a.json --emit bulk-sync --json").exits(2);
    place.run("migrate a.json --emit bulk-sync --batch-size 0").exits(2);
}

#[test]
fn a_dry_run_writes_no_file_and_no_database_and_reports_what_the_run_then_does() {
    for form in ["bulk-sync", "storage-state", "console"] {
        for target in ["", "--into new.db", "--into known.db", "--into new.db --to progress-logs"] {
            let place = Place::new();
            place.write("a.json", dump("a", &[(1, 1, true)]));
            place.write("b.json", dump("a", &[(1, 2, true)]));
            place.run("migrate b.json --origin https://app.example --into known.db").exits(0);
            let words =
                format!("migrate a.json --origin https://app.example {target} --emit {form} -o out.txt");
            let said = if form == "bulk-sync" { "bulk-sync: " } else { "put back: " };
            let dry = place.run(&format!("{words} --dry-run"));
            dry.exits(0).changes_nothing().prints(&format!("\n{said}would be written to out.txt\n"));
            let dry = place.run(&format!("{words} --dry-run --json"));
            dry.exits(0).changes_nothing();
            let emitted = place.run(&words.replace("-o out.txt", "--dry-run"));
            emitted.exits(0).changes_nothing();
            let ran = place.run(&format!("{words} --json"));
            let mut expected = ran.exits(0).document();
            assert_eq!(expected["dry_run"], false);
            expected["dry_run"] = json!(true);
            assert_eq!(dry.document(), expected, "{words}");
            // Without a file, a dry run prints what would be in it.
            assert_eq!(emitted.stdout.as_bytes(), place.read("out.txt"), "{words}");
            place.run(&format!("{words} --dry-run")).fails(12, "the target exists").changes_nothing();
        }
    }
}

#[test]
fn nothing_is_emitted_where_it_is_not_clear_whose_storage_is_meant() {
    let place = Place::new();
    let dump: Value = serde_json::from_str(&dump("a", &[(1, 1, true)])).expect("JSON");
    let origin = |name: &str| json!({"origin": name, "localStorage": [{"name": "liftbook", "value": dump["liftbook"]}]});
    let state = json!({"cookies": [], "origins": [origin("https://a.example"), origin("https://b.example")]});
    place.write("state.json", state.to_string());
    let ran = place.run("migrate state.json --emit bulk-sync");
    ran.exits(2).adds(&NOTHING);
    assert_eq!(ran.stdout, "");
    let one = place.run("migrate state.json --emit bulk-sync --origin https://a.example");
    assert_eq!(sizes(&one.exits(0).stdout), [1]);
}

#[test]
fn a_file_that_cannot_be_written_is_refused_before_the_import_or_told_after_it() {
    let place = Place::new();
    place.write("a.json", dump("a", &[(1, 1, true)]));
    for form in ["bulk-sync", "storage-state", "console"] {
        let words = format!("migrate a.json --origin https://app.example --emit {form}");
        for more in ["", "--dry-run"] {
            place
                .run(&format!("{words} {more} --into new.db -o none/out"))
                .fails(10, "after -o")
                .changes_nothing();
            for name in ["new.db", "./new.db", "new.db-wal", "new.db-journal"] {
                let ran = place.run(&format!("{words} {more} --into new.db -o {name}"));
                ran.fails(2, "would take the name of the database").changes_nothing();
            }
            let ran = place.run(&format!("{words} {more} -o a.json"));
            ran.fails(12, "the target exists").hints("name another file after -o").changes_nothing();
            assert!(!ran.stderr.contains("--overwrite"), "{}", ran.stderr);
        }
        if cfg!(target_os = "linux") {
            // A folder in which nobody makes anything, whatever the permissions.
            let database = format!("{form}.db");
            let ran = place.run(&format!("{words} --into {database} -o /proc/out"));
            ran.fails(1, "the import is done, but the file after -o was not written").adds(&[&*database]);
            let ran = place.run(&format!("{words} -o /proc/out"));
            assert!(!ran.exits(1).stderr.contains("the import is done"), "{}", ran.stderr);
        }
    }
}
