//! The views over sessions, in SQLite's own program.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use parklite::local_storage::mapping::MappedEvent;
use parklite::local_storage::progress::{conflicts_of, views_over};
use serde_json::{Value, json};

use super::fixtures::{self, Random, ask};
use super::mapping::{items, mapped};

const TABLES: &str = "
CREATE TABLE events (_event_id TEXT PRIMARY KEY, _created_at TEXT NOT NULL, event_type TEXT NOT NULL, payload TEXT NOT NULL) STRICT;
CREATE TABLE event_sources (_event_id TEXT, import_id TEXT, device TEXT, origin TEXT, partition TEXT, format TEXT,
  store_key BLOB, store_version INTEGER, pointer TEXT, position INTEGER, captured_at TEXT, line INTEGER,
  PRIMARY KEY (_event_id, import_id, pointer)) STRICT;
";

fn views() -> String {
    views_over("events").map(|view| format!("CREATE VIEW {} AS {};\n", view.name, view.select)).concat()
}

/// A database as the SQL that makes it.
#[derive(Clone, Default)]
struct Database(String);

impl Database {
    fn add(&mut self, import: &str, captured_at: &str, events: &[MappedEvent]) {
        for (position, event) in events.iter().enumerate() {
            let (id, pointer) = (&event.id, &event.pointer);
            let payload = event.payload.replace('\'', "''");
            write!(
                self.0,
                "INSERT INTO events VALUES ('{id}', '{}', '{}', '{payload}') ON CONFLICT DO NOTHING;
                 INSERT INTO event_sources (_event_id, import_id, pointer, position, captured_at)
                 VALUES ('{id}', '{import}', '{pointer}', {position}, '{captured_at}') ON CONFLICT DO NOTHING;",
                event.created_at, event.event_type
            )
            .expect("a string");
        }
    }

    /// The rows of a query that gives one JSON text each.
    fn rows(&self, query: &str) -> Option<Vec<Value>> {
        let script = format!("{TABLES}{}BEGIN;\n{}\nCOMMIT;\n{query};\n", views(), self.0);
        let output = ask("sqlite3", &["-batch", "-bail", ":memory:"], script.as_bytes())?;
        let output = String::from_utf8(output).expect("text");
        Some(output.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect())
    }

    fn logs(&self) -> Option<Vec<Value>> {
        self.rows(
            "SELECT json_object('program_id', program_id, 'week_number', week_number, 'day_number', day_number,
               'completed', json(iif(completed, 'true', 'false')), 'completed_at', completed_at, 'feedback', json(feedback))
             FROM progress_logs ORDER BY program_id, week_number, day_number",
        )
    }

    fn conflicts(&self) -> Option<Vec<Value>> {
        let of = |what: &str| {
            self.rows(&format!(
                "SELECT json_object('session', week_number || '-' || day_number, 'field', field,
                   'values', json(candidates), 'kept', kept)
                 FROM {what} ORDER BY program_id, week_number, day_number, field"
            ))
        };
        let all = of("progress_conflicts")?;
        let of_all_programs =
            "SELECT json_extract(payload, '$.program_id') FROM events WHERE json_valid(payload)";
        assert_eq!(of(&format!("({})", conflicts_of("events", of_all_programs)))?, all);
        assert_eq!(of(&format!("({})", conflicts_of("events", "SELECT 'another'")))?, Vec::<Value>::new());
        Some(all)
    }
}

/// What is missing and what is null mean the same there.
fn without_null(json: &Value) -> Value {
    match json {
        Value::Object(members) => {
            // A warning is no column.
            let given = members.iter().filter(|(name, value)| !value.is_null() && *name != "warning");
            given.map(|(name, value)| (name.clone(), without_null(value))).collect()
        }
        json => json.clone(),
    }
}

#[test]
fn the_sessions_of_real_stores_fold_as_expected() {
    for (dump, name) in [("chromium-main", "main"), ("firefox-second", "second")] {
        let items = items(&format!("dumps/{dump}.stringify.json"));
        let expected = fixtures::json(&format!("expected/progress.{name}.json"));
        let captured = "2027-01-01T00:00:00.000Z";
        let key = expected["store_key"].as_str().expect("a key");
        let events = mapped(&items, key, captured).events.expect("events");
        let mut database = Database::default();
        database.add("one", captured, &events);
        let Some(rows) = database.logs() else {
            return;
        };
        let wanted: Vec<Value> =
            expected["rows"].as_array().expect("rows").iter().map(without_null).collect();
        assert_eq!(rows.iter().map(without_null).collect::<Vec<_>>(), wanted, "{name}");
        assert_eq!(database.conflicts().expect("an answer"), Vec::<Value>::new());
        // The same once more: nothing changes.
        let mut again = Database::default();
        again.add("two", captured, &events);
        again.add("one", captured, &events);
        assert_eq!(again.logs().expect("an answer"), rows);
    }
}

#[test]
fn two_devices_fold_into_one_with_their_conflict() {
    let phone = items("devices/phone.json");
    let tablet = items("devices/tablet.json");
    let expected = fixtures::json("devices/expected.json");
    let (early, late) = ("2025-11-01T00:00:00.000Z", "2025-11-02T00:00:00.000Z");
    let build = |phone_at: &str, tablet_at: &str, tablet_first: bool| {
        let mut all = [("phone", phone_at, &phone), ("tablet", tablet_at, &tablet)];
        if tablet_first {
            all.reverse();
        }
        let mut database = Database::default();
        for (device, at, items) in all {
            let events = mapped(items, "liftbook-store", at).events.expect("events");
            database.add(device, at, &events);
        }
        database
    };
    for tablet_first in [false, true] {
        let database = build(early, late, tablet_first);
        let Some(rows) = database.logs() else {
            return;
        };
        let wanted = expected["merged_rows_when_phone_is_captured_before_tablet"].as_array().expect("rows");
        assert_eq!(&rows, wanted);
        let mut conflict = expected["conflicts_to_report"][0].clone();
        conflict["kept"] = json!("2025-10-14");
        assert_eq!(database.conflicts().expect("an answer"), [conflict]);
        let other = build(late, early, tablet_first);
        let kept = &other.conflicts().expect("an answer")[0];
        assert_eq!(kept["kept"], json!("2025-10-13"));
        assert_eq!(kept["values"], json!(["2025-10-14", "2025-10-13"]));
        assert_eq!(other.logs().expect("an answer")[3]["feedback"]["scheduledDate"], json!("2025-10-13"));
    }
}

/// What a session's event says, and where it was seen.
#[derive(Debug, Clone)]
struct Session {
    id: String,
    day: i64,
    completed: bool,
    completed_at: Option<&'static str>,
    rating: Option<&'static str>,
    scheduled: Option<&'static str>,
    /// Import, captured at, line, position.
    seen: Vec<(String, &'static str, Option<usize>, usize)>,
}

fn random_session(random: &mut Random, index: usize) -> Session {
    let some = |random: &mut Random, all: &[&'static str]| (random.below(3) > 0).then(|| *random.one_of(all));
    let times = ["2025-01-01T10:00:00.000Z", "2025-01-02T10:00:00.000Z"];
    let captures = ["2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z", "2026-01-03T00:00:00.000Z"];
    let seen = (0..random.below(3))
        .map(|time| {
            let line = (random.below(2) == 0).then(|| 1 + random.below(3));
            (
                format!("{index}-{time}"),
                *random.one_of(&captures),
                line,
                *random.one_of(&[0, 3, 11, 12_345_678_901]),
            )
        })
        .collect();
    Session {
        id: format!("{:08x}{index}", random.below(1 << 30)),
        day: i64::try_from(1 + random.below(40)).expect("small"),
        completed: random.below(2) == 0,
        completed_at: some(random, &times),
        rating: some(random, &["easy", "hard"]),
        scheduled: some(random, &["2025-01-01", "2025-01-03"]),
        seen,
    }
}

type Field = fn(&Session) -> Option<&'static str>;

/// The rule, written once more: row and conflicts of one day.
fn fold(mut sessions: Vec<Session>) -> (Value, Vec<Value>) {
    sessions.sort_by_key(|session| {
        let seen = session.seen.iter().map(|(_, at, line, position)| (*at, *line, *position)).max();
        (session.completed_at, seen, session.id.clone())
    });
    let day = sessions[0].day;
    let fields: [(&str, Field); 2] =
        [("intensityRating", |session| session.rating), ("scheduledDate", |session| session.scheduled)];
    let mut feedback = serde_json::Map::new();
    let mut conflicts = Vec::new();
    for (name, field) in fields {
        let given: Vec<&Session> = sessions.iter().filter(|session| field(session).is_some()).collect();
        let kept = given.last().and_then(|session| field(session));
        feedback.insert(name.to_owned(), json!(kept));
        let latest = given.iter().map(|session| session.completed_at).max().flatten();
        let mut values: Vec<&str> = Vec::new();
        for value in
            given.iter().filter(|session| session.completed_at == latest).filter_map(|session| field(session))
        {
            values.retain(|other| *other != value);
            values.push(value);
        }
        if values.len() > 1 {
            conflicts
                .push(json!({"session": format!("1-{day}"), "field": name, "values": values, "kept": kept}));
        }
    }
    let row = json!({
        "program_id": "p", "week_number": 1, "day_number": day,
        "completed": sessions.iter().any(|session| session.completed),
        "completed_at": sessions.iter().filter_map(|session| session.completed_at).max(),
        "feedback": feedback,
    });
    (row, conflicts)
}

#[test]
fn any_sessions_fold_by_the_rule_in_any_order() {
    let mut random = Random(11);
    let sessions: Vec<Session> = (0..200).map(|index| random_session(&mut random, index)).collect();
    let insert = |session: &Session| {
        let payload = json!({
            "program_id": "p", "week_number": 1, "day_number": session.day, "completed": session.completed,
            "completed_at": session.completed_at, "intensity_rating": session.rating, "scheduled_date": session.scheduled,
        });
        let id = &session.id;
        let sources = session.seen.iter().map(|(import, at, line, position)| {
            let line = line.map_or_else(|| "NULL".to_owned(), |line| line.to_string());
            format!(
                "INSERT INTO event_sources (_event_id, import_id, pointer, position, captured_at, line)
                 VALUES ('{id}', '{import}', '/state/2/sessions/x', {position}, '{at}', {line});"
            )
        });
        let event = format!("INSERT INTO events VALUES ('{id}', '', 'workout_session', '{payload}');");
        sources.chain([event]).collect::<String>()
    };
    let mut by_day: BTreeMap<i64, Vec<Session>> = BTreeMap::new();
    for session in &sessions {
        by_day.entry(session.day).or_default().push(session.clone());
    }
    let (rows, conflicts): (Vec<Value>, Vec<Vec<Value>>) = by_day.into_values().map(fold).unzip();
    let conflicts = conflicts.concat();
    assert!(conflicts.len() > 5);
    let other = "INSERT INTO events VALUES ('x', '', 'other', 'no JSON at all'), ('y', '', 'workout_session', 'nor this'),
        ('z', '', 'workout_session', '{\"program_id\":\"p\",\"week_number\":\"one\",\"day_number\":1}');"
        .to_owned();
    let forwards = Database(other.clone() + &sessions.iter().map(insert).collect::<String>());
    let backwards = Database(sessions.iter().rev().map(insert).collect::<String>() + &other);
    for database in [forwards, backwards] {
        let Some(logs) = database.logs() else {
            return;
        };
        assert_eq!(logs, rows);
        assert_eq!(database.conflicts().expect("an answer"), conflicts);
    }
}

/// SQLite would make invalid UTF-8 of them: what the views take out must be free of surrogates, the source need not be.
#[test]
fn a_note_with_half_an_emoji_stays_text() {
    let all = items("dumps/chromium-main.stringify.json");
    let mut items = all;
    let item = items.iter_mut().find(|item| item.key == "liftbook-store".into()).expect("an item");
    let value = item.value.to_utf8().expect("text").replacen(
        "\"exerciseLogs\":",
        "\"note\":\"sore \\ud83d\",\"exerciseLogs\":",
        1,
    );
    item.value = (&*value).into();
    let captured = "2027-01-01T00:00:00.000Z";
    let events = mapped(&items, "liftbook-store", captured).events.expect("events");
    let mut database = Database::default();
    database.add("one", captured, &events);
    let Some(sources) = database.rows("SELECT json_array(json_extract(payload, '$.source')) FROM events")
    else {
        return;
    };
    let texts: BTreeSet<&str> = sources.iter().map(|row| row[0].as_str().expect("text")).collect();
    assert_eq!(texts.len(), 38);
    assert!(texts.iter().any(|text| text.contains("\"note\":\"sore \\ud83d\"") && value.contains(text)));
}
