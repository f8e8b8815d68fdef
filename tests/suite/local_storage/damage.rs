//! Dumps that are cut or changed anywhere: refused, or what they held; never a panic, never an item that was not there.

use parklite::local_storage::code_units::CodeUnits;
use parklite::local_storage::dump::{Dump, DumpOptions, Dumps, read_dump};
use parklite::local_storage::item::Item;
use parklite::local_storage::mapping::{Mapping, map_item};
use parklite::local_storage::moment::Moment;

use super::fixtures;
use super::writers::{forms, only_items};

/// A storage that looks like dumps inside dumps.
fn storage() -> Vec<Item> {
    let item = |key: &str, value: &[u16]| Item { key: key.into(), value: CodeUnits::new(value.to_vec()) };
    let text = |text: &str| text.encode_utf16().collect::<Vec<_>>();
    vec![
        item("", &[0xD83D, 0, 0x22, 0x27, 0x60]),
        item("a\"b\\", &text("{\"state\":{\"n\":[1,\"\\ud83d\"]},\"version\":0}")),
        item("é😀", &text("\u{2028}$`${x}")),
    ]
}

/// Reads it by lines and as a whole; the items that come.
fn all_items(bytes: &[u8]) -> Vec<Item> {
    let options = DumpOptions { key: Some("k".into()), ..DumpOptions::default() };
    let whole = read_dump(bytes, &options);
    let dumps: Vec<Dump> = Dumps::new(bytes, options).filter_map(Result::ok).collect();
    if let Ok(whole) = whole {
        assert_eq!(dumps, [whole]);
    }
    dumps.into_iter().flat_map(|dump| dump.reading.storages).flat_map(|storage| storage.items).collect()
}

#[test]
fn a_dump_that_was_cut_anywhere_gives_nothing() {
    let mut cuts = 0;
    for (_, bytes) in forms(&storage()) {
        let end =
            bytes.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n' | 0)).map_or(0, |last| last + 1);
        for length in 0..end {
            let items = all_items(&bytes[..length]);
            assert!(items.is_empty(), "{}", bytes[..length].escape_ascii());
            cuts += 1;
        }
        assert_eq!(only_items(read_dump(&bytes, &DumpOptions::default()).expect("a dump")), storage());
    }
    assert!(cuts > 2000, "{cuts}");
}

#[test]
fn lines_that_were_cut_anywhere_give_the_lines_before() {
    let lines: Vec<Vec<u8>> = forms(&storage())
        .into_iter()
        .map(|(_, bytes)| bytes)
        .filter(|bytes| {
            matches!(bytes.first(), Some(b'{' | b'[')) && !bytes.contains(&b'\n') && !bytes.contains(&0)
        })
        .collect();
    assert!(lines.len() > 4);
    let file = lines.join(&b"\n"[..]);
    for length in 0..file.len() {
        let whole_lines = lines.iter().scan(0, |end, line| {
            *end += line.len() + 1;
            Some(*end - 1)
        });
        let complete = whole_lines.filter(|&end| end <= length).count();
        assert_eq!(all_items(&file[..length]).len(), complete * storage().len(), "{length}");
    }
}

#[test]
fn a_dump_with_any_bit_changed_is_read_or_refused() {
    let mut changed = 0;
    for (_, mut bytes) in forms(&storage()) {
        for at in 0..bytes.len() {
            for bit in 0..8 {
                bytes[at] ^= 1 << bit;
                changed += 1;
                // More items than there were would be invented.
                assert!(all_items(&bytes).len() <= storage().len() + 1);
                bytes[at] ^= 1 << bit;
            }
        }
    }
    assert!(changed > 10_000);
}

const REAL: [&str; 6] = [
    "dumps/chromium-main.stringify",
    "dumps/firefox-second.stringify",
    "dumps/webkit-third.stringify",
    "dumps/chromium.storageState",
    "devices/phone",
    "devices/tablet",
];

#[test]
fn real_dumps_that_were_cut_anywhere_give_nothing() {
    let mut cuts = 0;
    for name in REAL {
        let bytes = fixtures::read(&format!("{name}.json"));
        let end = bytes.trim_ascii_end().len();
        // The largest have a megabyte of cuts in all.
        let step = if fixtures::is_full() || end < 10_000 { 1 } else { 89 };
        for length in (0..end).step_by(step) {
            assert!(all_items(&bytes[..length]).is_empty(), "{name} {length}");
            cuts += 1;
        }
    }
    eprintln!("{cuts} cuts of real dumps");
}

#[test]
fn real_dumps_with_any_bit_changed_are_read_or_refused() {
    let mut changed = 0;
    for name in REAL {
        let mut bytes = fixtures::read(&format!("{name}.json"));
        let whole = all_items(&bytes).len();
        let step = if fixtures::is_full() { 1 } else { bytes.len().div_ceil(300) };
        for at in (0..bytes.len()).step_by(step) {
            let bit = 1 << (at % 8);
            bytes[at] ^= bit;
            // A value can fall apart into two, not more.
            assert!(all_items(&bytes).len() <= whole + 1, "{name} {at}");
            bytes[at] ^= bit;
            changed += 1;
        }
    }
    eprintln!("{changed} changed bits of real dumps");
}

/// What is inside a value can be damaged as well: then it is another value, or none that a rule is for.
#[test]
fn stores_that_were_cut_or_changed_anywhere_are_mapped_or_left() {
    let value = r#"{"state":{"progressHistory":{"programId":"p","sessions":[{"weekNumber":1,"dayNumber":2,"completed":true,"completedAt":"2025-09-01T16:09:13.283Z","scheduledDate":"2025-09-01","note":"\ud83d"},null]}},"version":2}"#;
    let captured_at = Moment::from_ms(0).expect("a moment");
    let mapping = Mapping::built_in();
    let map = |bytes: &[u8]| {
        let value = CodeUnits::from_latin1(bytes);
        map_item(&mapping, None, &Item { key: "k".into(), value }, captured_at)
    };
    let whole = map(value.as_bytes());
    assert_eq!((whole.events.expect("events").len(), whole.rejected), (1, 1));
    let mut bytes = value.as_bytes().to_vec();
    for at in 0..bytes.len() {
        // One that was cut is kept, once it shows what it was.
        let cut = map(&bytes[..at]);
        assert_eq!(cut.events.map(|events| events.len()), (cut.rejected == 1).then_some(0), "{at}");
        assert_eq!(cut.rejected, u64::from(at >= value.find(":[").expect("the sessions")), "{at}");
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            let mapped = map(&bytes);
            let events = mapped.events.map_or(0, |events| events.len());
            let is_lost = mapped.elements == 0 && events == 0 && mapped.rejected == 1;
            assert!(
                is_lost || events as u64 + mapped.rejected == mapped.elements,
                "{}",
                bytes.escape_ascii()
            );
            bytes[at] ^= 1 << bit;
        }
    }
}
