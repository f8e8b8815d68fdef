//! Dumps of real browsers, mapped: what their sessions are expected to become.

use parklite::local_storage::code_units::CodeUnits;
use parklite::local_storage::dump::{DumpOptions, read_dump};
use parklite::local_storage::envelope::Library;
use parklite::local_storage::item::Item;
use parklite::local_storage::mapping::{Mapped, Mapping, map_item};
use parklite::local_storage::moment::Moment;
use serde_json::Value;

use super::fixtures;

/// The items of a fixture that is one storage.
pub(crate) fn items(name: &str) -> Vec<Item> {
    let dump = read_dump(&fixtures::read(name), &DumpOptions::default()).expect("a dump");
    dump.reading.storages.into_iter().flat_map(|storage| storage.items).collect()
}

/// One of the items, mapped by the rules that are built in.
pub(crate) fn mapped(items: &[Item], key: &str, captured_at: &str) -> Mapped {
    let item = items.iter().find(|item| item.key == key.into()).expect("an item");
    let captured_at = Moment::from_rfc3339(captured_at).expect("a moment");
    map_item(&Mapping::built_in(), None, item, captured_at)
}

const CAPTURED: &str = "2027-01-01T00:00:00Z";

#[test]
fn the_sessions_of_real_stores_map_as_expected() {
    for (dump, expected) in [("chromium-main", "main"), ("firefox-second", "second")] {
        let items = items(&format!("dumps/{dump}.stringify.json"));
        let expected = fixtures::json(&format!("expected/progress.{expected}.json"));
        let mapped = mapped(&items, expected["store_key"].as_str().expect("a key"), CAPTURED);
        let events = mapped.events.expect("events");
        assert_eq!(mapped.library, Library::Zustand);
        assert_eq!(mapped.version, expected["store_version"].as_i64());
        assert_eq!(Some(mapped.elements), expected["sessions_in_store"].as_u64());
        assert_eq!(Some(events.len() as u64), expected["sessions_that_map"].as_u64());
        let rejected: Vec<String> = mapped
            .rejects
            .iter()
            .map(|reject| reject.pointer.replace("/state/progressHistory/sessions/", ""))
            .collect();
        let expected_rejects = expected["sessions_rejected"].as_array().expect("rejects");
        let wanted: Vec<String> = expected_rejects.iter().map(|reject| reject["index"].to_string()).collect();
        assert_eq!(rejected, wanted);
        let rows = expected["rows"].as_array().expect("rows");
        let warned = rows.iter().filter(|row| row["warning"] == "completed without completedAt").count();
        assert_eq!(mapped.warnings.len(), warned);
        // Every event has the text of its element, and what is in it.
        for event in &events {
            let payload: Value = serde_json::from_str(&event.payload).expect("JSON");
            let source: Value =
                serde_json::from_str(payload["source"].as_str().expect("a text")).expect("JSON");
            for (field, member) in [
                ("week_number", "weekNumber"),
                ("day_number", "dayNumber"),
                ("completed", "completed"),
                ("completed_at", "completedAt"),
                ("intensity_rating", "intensityRating"),
                ("scheduled_date", "scheduledDate"),
            ] {
                assert_eq!(payload[field], source[member], "{}", event.payload);
            }
            assert_eq!(payload["program_id"], expected["program_id"]);
        }
    }
}

#[test]
fn of_all_keys_of_a_real_browser_only_the_apps_own_are_mapped() {
    let main = items("dumps/chromium-main.stringify.json");
    let captured_at = Moment::from_rfc3339(CAPTURED).expect("a moment");
    let mapping = Mapping::built_in();
    let map = |item: &Item| (item.key.to_string(), map_item(&mapping, None, item, captured_at));
    let all: Vec<(String, Mapped)> = main.iter().map(map).collect();
    let with_events: Vec<&str> =
        all.iter().filter(|(_, mapped)| mapped.events.is_some()).map(|(key, _)| &**key).collect();
    assert_eq!(with_events, ["gymlog-backup", "liftbook-store"]);
    let libraries: Vec<(&str, Library)> = all
        .iter()
        .filter(|(_, mapped)| !matches!(mapped.library, Library::Text | Library::BareValue))
        .map(|(key, mapped)| (&**key, mapped.library))
        .collect();
    assert_eq!(
        libraries,
        [
            ("BodyWeightStore", Library::MobxPersistStore),
            ("draft-note", Library::Zustand),
            ("gymlog-backup", Library::Zustand),
            ("jotai-prefs", Library::BareObject),
            ("liftbook-session", Library::Zustand),
            ("liftbook-store", Library::Zustand),
            ("persist:auth", Library::ReduxPersist),
            ("persist:root", Library::ReduxPersist),
            ("pinia-profile", Library::BareObject),
        ]
    );
    let second = items("dumps/firefox-second.stringify.json");
    let markers: Vec<String> = second.iter().filter_map(|item| map(item).1.marker).collect();
    assert_eq!(markers, ["c25k"]);
}

#[test]
fn the_slices_of_a_real_redux_store_can_be_mapped() {
    let main = items("dumps/chromium-main.stringify.json");
    let mapping = Mapping::from_toml(
        r#"
[[store]]
key = "persist:root"
envelope = "redux-persist"
each = "/workouts/byId/*"
event = "workout"
created_at = ["at"]
[store.fields]
id = { at = "/id" }
at = { at = "/at", type = "timestamp" }
minutes = { at = "/min", type = "int" }
"#,
    )
    .expect("a mapping");
    let item = main.iter().find(|item| item.key == "persist:root".into()).expect("an item");
    let mapped = map_item(&mapping, None, item, Moment::from_ms(0).expect("a moment"));
    let events = mapped.events.expect("events");
    assert_eq!((mapped.rejected, mapped.elements), (0, events.len() as u64));
    assert!(events.len() > 5, "{}", events.len());
    assert_eq!(events[0].pointer, "/workouts/byId/w0");
    assert!(events.iter().all(|event| event.created_from == "at"));
}

#[test]
fn the_same_program_on_two_devices_meets() {
    let phone = items("devices/phone.json");
    let tablet = items("devices/tablet.json");
    let ids = |items: &[Item]| -> Vec<String> {
        let events = mapped(items, "liftbook-store", CAPTURED).events.expect("events");
        events.into_iter().map(|event| event.id).collect()
    };
    let (phone, tablet) = (ids(&phone), ids(&tablet));
    assert_eq!((phone.len(), tablet.len()), (4, 5));
    let same: Vec<&String> = phone.iter().filter(|id| tablet.contains(id)).collect();
    // Session 1-1, and nothing else.
    assert_eq!(same, [&phone[0]]);
}

/// A store's own members are looked for once, not once per session: that would take minutes here.
#[test]
fn a_store_of_very_many_sessions_is_mapped() {
    let session = r#"{"weekNumber":1,"dayNumber":2,"completed":false}"#;
    let sessions = vec![session; 100_000].join(",");
    let value = format!(
        r#"{{"state":{{"progressHistory":{{"sessions":[{sessions}],"programId":"p"}}}},"version":1}}"#
    );
    let item = Item { key: "k".into(), value: (&*value).into() };
    let mapped = map_item(&Mapping::built_in(), None, &item, Moment::from_ms(0).expect("a moment"));
    assert_eq!(mapped.events.map(|events| events.len()), Some(100_000));
}

/// Engines before 2019 wrote unpaired surrogates into JSON as they are.
#[test]
fn a_note_with_half_an_emoji_as_it_is_costs_nothing() {
    let store = r#"{"state":{"progressHistory":{"programId":"p","sessions":[{"weekNumber":1,"dayNumber":2,"completed":false,"note":"sore X"},{"weekNumber":1,"dayNumber":3,"completed":false}]}},"version":1}"#;
    let map = |half: &str| {
        let units: Vec<u16> = store
            .replace('X', half)
            .encode_utf16()
            .map(|unit| if unit == 0x01 { 0xD83D } else { unit })
            .collect();
        let item = Item { key: "k".into(), value: CodeUnits::new(units) };
        map_item(&Mapping::built_in(), None, &item, Moment::from_ms(0).expect("a moment"))
            .events
            .expect("events")
    };
    let (raw, escaped) = (map("\u{1}"), map("\\ud83d"));
    assert_eq!(raw.len(), 2);
    // The escape is what such a unit becomes in text: the same event, whichever engine wrote it.
    assert_eq!(raw, escaped);
    let payload: Value = serde_json::from_str(&raw[0].payload).expect("JSON");
    assert!(payload["source"].as_str().expect("text").contains("\"sore \\ud83d\""));
}
