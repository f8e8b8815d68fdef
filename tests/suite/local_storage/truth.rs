//! Dumps of real browsers, item for item.

use std::collections::BTreeMap;

use parklite::local_storage::code_units::CodeUnits;
use parklite::local_storage::dump::{DumpForm, DumpOptions, Dumps, read_dump};
use parklite::local_storage::item::Storage;
use parklite::local_storage::mapping::event::value_sha256;
use serde_json::Value;

use super::fixtures;

type Truth = BTreeMap<Option<String>, BTreeMap<String, (u64, String)>>;

/// By origin and the key's hash: the value's length and hash.
fn truth(json: &Value) -> Truth {
    let text = |json: &Value| json.as_str().expect("a string").to_owned();
    let items = |storage: &Value| {
        let item = |item: &Value| {
            let (key, value) = (&item["key"], &item["value"]);
            let length = value["len"].as_u64().expect("a length");
            (text(&key["sha256_utf16le"]), (length, text(&value["sha256_utf16le"])))
        };
        let items: BTreeMap<_, _> = storage["items"].as_array().expect("items").iter().map(item).collect();
        assert_eq!(items.len() as u64, storage["count"].as_u64().expect("a count"));
        items
    };
    let storages = json["storages"].as_array().expect("storages");
    storages.iter().map(|storage| (storage["origin"].as_str().map(str::to_owned), items(storage))).collect()
}

fn read(storages: &[Storage]) -> Truth {
    let pair =
        |key: &CodeUnits, value: &CodeUnits| (value_sha256(key), (value.len() as u64, value_sha256(value)));
    let items = |storage: &Storage| storage.items.iter().map(|item| pair(&item.key, &item.value)).collect();
    storages.iter().map(|storage| (storage.origin.clone(), items(storage))).collect()
}

#[test]
fn dumps_of_real_browsers_are_read_item_for_item() {
    let mut items = 0;
    for (name, form) in [
        ("chromium-main.stringify", DumpForm::Object),
        ("firefox-second.stringify", DumpForm::Object),
        ("webkit-third.stringify", DumpForm::Object),
        ("chromium.storageState", DumpForm::StorageState),
    ] {
        let bytes = fixtures::read(&format!("dumps/{name}.json"));
        let expected = truth(&fixtures::json(&format!("dumps/{name}.truth.json")));
        let dump = read_dump(&bytes, &DumpOptions::default()).expect("a dump");
        assert_eq!(dump.form, form);
        assert!(dump.reading.problems.is_empty(), "{:?}", dump.reading.problems);
        assert_eq!(read(&dump.reading.storages), expected, "{name}");
        items += expected.values().map(BTreeMap::len).sum::<usize>();
        let streamed: Vec<_> = Dumps::new(&bytes[..], DumpOptions::default()).map(Result::ok).collect();
        assert_eq!(streamed, [Some(dump)], "{name}");
    }
    assert_eq!(items, 95);
}

#[test]
fn damaged_dumps_are_told() {
    let read = |name: &str| {
        let bytes = fixtures::read(&format!("damaged/json/{name}.json"));
        read_dump(&bytes, &DumpOptions::default()).map_err(|error| error.message().to_owned())
    };
    assert_eq!(read("cut").expect_err("cut"), "the text ends inside a string, at byte 2777");
    assert_eq!(read("list").expect_err("no dump"), "this array is no dump, at byte 1");
    assert_eq!(read("nothing").expect_err("empty"), "the file is empty, at byte 0");
    let numbers = read("numbers-as-values").expect("a dump");
    assert_eq!(numbers.form, DumpForm::ParsedObject);
    let items: Vec<String> =
        numbers.reading.storages[0].items.iter().map(|item| format!("{}={}", item.key, item.value)).collect();
    assert_eq!(items, ["count=3", "theme=dark"]);
    assert_eq!(numbers.reading.problems[0].place, "/count");
}
