//! Every form of dump, written for any storage and read again.

use std::fmt::Write as _;

use parklite::local_storage::code_units::CodeUnits;
use parklite::local_storage::dump::{Dump, DumpForm, DumpOptions, Dumps, read_dump};
use parklite::local_storage::item::Item;
use proptest::prelude::*;

use super::storages::{storage, units};

/// What `JSON.stringify` makes of a string.
pub(crate) fn quoted(units: &CodeUnits) -> String {
    let mut out = String::from("\"");
    for unit in char::decode_utf16(units.as_slice().iter().copied()) {
        match unit {
            Ok('"') => out.push_str("\\\""),
            Ok('\\') => out.push_str("\\\\"),
            Ok('\u{8}') => out.push_str("\\b"),
            Ok('\u{c}') => out.push_str("\\f"),
            Ok('\n') => out.push_str("\\n"),
            Ok('\r') => out.push_str("\\r"),
            Ok('\t') => out.push_str("\\t"),
            Ok(char) if char < ' ' => write!(out, "\\u{:04x}", u32::from(char)).expect("a string"),
            Ok(char) => out.push(char),
            Err(error) => write!(out, "\\u{:04x}", error.unpaired_surrogate()).expect("a string"),
        }
    }
    out + "\""
}

/// What "copy as JavaScript literal" makes of a string, in the quotes given.
pub(crate) fn javascript(text: &str, quote: char) -> String {
    let mut out = String::from(quote);
    for char in text.chars() {
        match char {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\u{b}' => out.push_str("\\v"),
            char if char == quote => out.extend(['\\', char]),
            '$' if quote == '`' => out.push_str("\\$"),
            char if char < ' ' || ('\u{7f}'..'\u{100}').contains(&char) => {
                write!(out, "\\x{:02X}", u32::from(char)).expect("a string");
            }
            char if char > '\u{ff}' && u32::from(char) < 0x10000 => {
                write!(out, "\\u{:04X}", u32::from(char)).expect("a string");
            }
            char => out.push(char),
        }
    }
    out.push(quote);
    out
}

fn joined(items: &[Item], one: impl Fn(&str, &str) -> String) -> String {
    let all: Vec<String> = items.iter().map(|item| one(&quoted(&item.key), &quoted(&item.value))).collect();
    all.join(",")
}

/// Every form of a storage, with what it is.
pub(crate) fn forms(items: &[Item]) -> Vec<(DumpForm, Vec<u8>)> {
    let object = format!("{{{}}}", joined(items, |key, value| format!("{key}:{value}")));
    let pretty = format!("{{\r\n{}\r\n}}\r\n", joined(items, |key, value| format!("\r\n    {key}: {value}")));
    let entries = format!("[{}]", joined(items, |key, value| format!("[{key},{value}]")));
    let named = |name: &str| {
        format!("[{}]", joined(items, |key, value| format!("{{\"{name}\":{key},\"value\":{value}}}")))
    };
    let origin = format!("{{\"origin\":\"https://a.example\",\"localStorage\":{}}}", named("name"));
    let state = format!("{{\"cookies\":[],\"origins\":[{origin}]}}");
    let mut forms = vec![
        (DumpForm::Object, pretty.into_bytes()),
        (DumpForm::Object, quoted(&CodeUnits::from(&*object)).into_bytes()),
        (DumpForm::Object, quoted(&CodeUnits::from(&*quoted(&CodeUnits::from(&*object)))).into_bytes()),
        (DumpForm::Object, javascript(&object, '\'').into_bytes()),
        (DumpForm::Object, javascript(&object, '"').into_bytes()),
        (DumpForm::Object, javascript(&object, '`').into_bytes()),
        (DumpForm::Object, [b"\xEF\xBB\xBF", object.as_bytes(), b"\n"].concat()),
        (DumpForm::Object, object.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        (
            DumpForm::Object,
            [0xFEFF].into_iter().chain(object.encode_utf16()).flat_map(u16::to_be_bytes).collect(),
        ),
        (DumpForm::Object, object.into_bytes()),
        (DumpForm::Entries, entries.into_bytes()),
        (DumpForm::StorageState, state.into_bytes()),
        (DumpForm::OneOrigin, origin.into_bytes()),
    ];
    if !items.is_empty() {
        forms.extend(["name", "key"].map(|name| (DumpForm::Named, named(name).into_bytes())));
    }
    forms
}

/// The items of a dump that has one storage and no problem.
pub(crate) fn only_items(dump: Dump) -> Vec<Item> {
    assert!(dump.reading.problems.is_empty(), "{:?}", dump.reading.problems);
    let mut storages = dump.reading.storages;
    assert_eq!(storages.len(), 1);
    storages.remove(0).items
}

proptest! {
    #[test]
    fn whatever_a_storage_holds_comes_through_every_form(items in storage()) {
        for (form, bytes) in forms(&items) {
            let dump = read_dump(&bytes, &DumpOptions::default()).expect("a dump");
            prop_assert_eq!(dump.form, form);
            prop_assert_eq!(&only_items(dump.clone()), &items);
            let dumps: Vec<_> = Dumps::new(&bytes[..], DumpOptions::default()).collect();
            prop_assert_eq!(dumps.len(), 1);
            prop_assert_eq!(dumps[0].as_ref().ok(), Some(&dump));
        }
    }

    #[test]
    fn whatever_storages_hold_comes_through_lines(storages in proptest::collection::vec(storage(), 2..5)) {
        // Forms of one line each, another one for every storage.
        let lines: Vec<Vec<u8>> = storages.iter().enumerate().map(|(index, items)| {
            let mut forms = forms(items);
            forms.retain(|(_, bytes)| !bytes.contains(&b'\n') && bytes.starts_with(if index == 0 { b"{" } else { b"" }));
            forms.retain(|(_, bytes)| bytes.get(..2) != Some(b"\xFE\xFF") && !bytes.contains(&0));
            forms.swap_remove(index % forms.len()).1
        }).collect();
        let file = lines.join(&b"\n"[..]);
        let dumps: Vec<Dump> = Dumps::new(&file[..], DumpOptions::default()).collect::<Result<_, _>>().expect("dumps");
        prop_assert_eq!(dumps.iter().map(|dump| dump.line).collect::<Vec<_>>(),
            (1..).take(storages.len()).map(Some).collect::<Vec<_>>());
        prop_assert_eq!(dumps.into_iter().map(only_items).collect::<Vec<_>>(), storages);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _ = read_dump(&bytes, &DumpOptions::default());
        prop_assert!(Dumps::new(&bytes[..], DumpOptions::default()).count() >= 1);
    }

    #[test]
    fn any_text_of_json_characters_is_read_or_refused(text in "[\\[\\]{},:\"'`\\\\ \n a1tfnu0-]{0,40}") {
        let options = DumpOptions { key: Some(CodeUnits::from("k")), ..DumpOptions::default() };
        let _ = read_dump(text.as_bytes(), &options);
        prop_assert!(Dumps::new(text.as_bytes(), options).count() >= 1);
    }

    #[test]
    fn any_value_is_recognised_and_mapped_without_harm(key in units(), value in units()) {
        use parklite::local_storage::mapping::{Mapping, map_item};
        use parklite::local_storage::moment::Moment;
        let item = Item { key: CodeUnits::new(key), value: CodeUnits::new(value) };
        let mapped = map_item(&Mapping::built_in(), None, &item, Moment::from_ms(0).expect("a moment"));
        prop_assert!(mapped.events.is_none());
    }
}
