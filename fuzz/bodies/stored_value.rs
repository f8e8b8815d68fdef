//! The value of a key, of any bytes: checked as JSON, taken out of its envelope, and mapped to events.

use std::collections::HashSet;
use std::sync::OnceLock;

use parklite::local_storage::code_units::CodeUnits;
use parklite::local_storage::envelope::recognise;
use parklite::local_storage::item::Item;
use parklite::local_storage::json::canonical::canonical;
use parklite::local_storage::json::{Cut, Json};
use parklite::local_storage::mapping::event::WORKOUT_SESSION;
use parklite::local_storage::mapping::{Mapping, map_item};
use parklite::local_storage::moment::Moment;

/// Rules for every wrapping and for elements of every kind.
const RULES: &str = r#"
[[store]]
key = "persist:root"
envelope = "redux-persist"
each = "/a/*"
event = "slice"
created_at = ["at"]
[store.fields]
at = { at = "/at", type = "timestamp", optional = true, coerce = ["epoch-ms"] }
n = { at = "/n", else = "/m", type = "int", optional = true, coerce = ["int-string"] }
u = { up = "/b/c", type = "json", optional = true }

[[store]]
key = "list"
envelope = "none"
each = ""
event = "element"
[store.fields]
it = { at = "", type = "json" }
"#;

/// One input. Its first byte chooses the key.
pub fn run(input: &[u8]) {
    let Some((choice, bytes)) = input.split_first() else { return };
    look_at(bytes);
    let key = ["any", "persist:root", "list", "gymlog-backup", "migrated-p"][usize::from(choice % 5)];
    let value = CodeUnits::from_wtf8(bytes).unwrap_or_else(|| {
        let (pairs, _) = bytes.as_chunks::<2>();
        CodeUnits::new(pairs.iter().copied().map(u16::from_le_bytes).collect())
    });
    assert_eq!(CodeUnits::from_wtf8(&value.to_wtf8()).as_ref(), Some(&value));
    let item = Item { key: key.into(), value };
    if let Some(json) = recognise(&item.key, &item.value).json() {
        assert_eq!(Json::parse(json.text()), Ok(json), "what is inside an envelope is no JSON");
    }
    map(&item);
}

/// Walks through everything, which must be JSON in each part.
fn look_at(bytes: &[u8]) {
    let json = match Json::parse(bytes) {
        Ok(json) => json,
        Err(error) => {
            assert!(error.at <= bytes.len());
            // A file of lines relies on that.
            let goes_on = [&b"\"}"[..], b"\n{}", b"]", b"1"].map(|rest| [bytes, rest].concat());
            assert!(
                error.cut != Cut::No || goes_on.iter().all(|longer| Json::parse(longer).is_err()),
                "it could go on"
            );
            return;
        }
    };
    let _ = canonical(json);
    let mut open = vec![json];
    while let Some(json) = open.pop() {
        assert!(Json::parse(json.to_text().as_bytes()).is_ok(), "{}", json.text().escape_ascii());
        open.extend(json.elements());
        open.extend(json.members().flat_map(|(name, value)| [name, value]));
        let _ = (json.to_units(), json.to_utf8(), json.to_bool(), json.to_i64());
        // What is deep would be looked at as often as it is deep.
        if open.len() > 1000 || json.text().len() > 10_000 {
            break;
        }
    }
}

fn map(item: &Item) {
    static MAPPING: OnceLock<Mapping> = OnceLock::new();
    let mapping = MAPPING.get_or_init(|| Mapping::from_toml(RULES).expect("a mapping"));
    let mapped = map_item(mapping, None, item, Moment::from_ms(0).expect("a moment"));
    let events = mapped.events.unwrap_or_default();
    let is_lost = mapped.elements == 0 && events.is_empty() && mapped.rejected == 1;
    let is_counted = events.len() as u64 + mapped.rejected == mapped.elements;
    // An array of arrays can have some that are none.
    assert!(is_lost || is_counted || mapped.rejected > 0, "an element is missing");
    let mut ids = HashSet::new();
    for event in &events {
        assert!(Json::parse(event.payload.as_bytes()).is_ok(), "{}", event.payload);
        let is_new = ids.insert(&event.id);
        assert!(is_new || event.event_type == WORKOUT_SESSION, "two elements became one event");
    }
}
