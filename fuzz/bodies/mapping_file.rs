//! A mapping file of any text: refused with its line and what to do, or used on stores of each kind.

use parklite::error::ErrorKind;
use parklite::local_storage::item::Item;
use parklite::local_storage::json::Json;
use parklite::local_storage::mapping::{Mapping, map_item};
use parklite::local_storage::moment::Moment;

const STORES: [(&str, &str); 4] = [
    (
        "liftbook-store",
        r#"{"state":{"progressHistory":{"programId":"p","sessions":[{"weekNumber":1,"dayNumber":"2","completed":true,"completedAt":0},null]}},"version":3}"#,
    ),
    ("persist:root", r#"{"a":"{\"x\":{\"n\":1},\"y\":[1,[2]]}","_persist":"{\"version\":-1}"}"#),
    ("list", r#"[1,"2",{"at":"2025-01-02"},[null],1]"#),
    ("cut", r#"{"state":{"a":"#),
];

/// One input.
pub fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mapping = match Mapping::from_toml(&text) {
        Ok(mapping) => mapping,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert!(error.hint_text().is_some_and(|hint| !hint.is_empty()), "{error}");
            return;
        }
    };
    for (key, value) in STORES {
        let item = Item { key: key.into(), value: value.into() };
        for origin in [None, Some("https://app.example")] {
            let mapped = map_item(&mapping, origin, &item, Moment::from_ms(0).expect("a moment"));
            for event in mapped.events.iter().flatten() {
                assert!(Json::parse(event.payload.as_bytes()).is_ok(), "{}", event.payload);
            }
        }
    }
}
