//! What browsers keep in SQLite, of any bytes: packed values, names of origins, and whole files. They are read, or refused.
//!
//! The first byte of an input tells which of them it is.

use std::fs;
use std::path::Path;

use parklite::clock::SystemClock;
use parklite::local_storage::chromium::{MAX_UNITS, decode_string, unpack_value};
use parklite::local_storage::database::{StoreFile, Whose};
use parklite::local_storage::firefox::origin as firefox;
use parklite::local_storage::firefox::value::{Stored, decode_value};
use parklite::local_storage::webkit::origin as webkit;
use parklite::progress::Silent;
use parklite::run::{Interrupt, Run};
use parklite::sqlite::salvage::SalvageOptions;

/// One input.
pub fn run(input: &[u8]) {
    let Some((kind, bytes)) = input.split_first() else { return };
    match kind % 8 {
        kind @ 0..=3 => firefox_value(i64::from(kind % 2), i64::from(kind / 2), bytes),
        4 => (0..3).for_each(|packing| chromium_value(packing, bytes)),
        5 => {
            is_origin(webkit::decode_origin_file(bytes));
            is_origin(firefox::of_metadata(bytes));
        }
        6 => names(bytes),
        _ => file(bytes),
    }
}

fn firefox_value(compression_type: i64, conversion_type: i64, bytes: &[u8]) {
    let stored = Stored { compression_type, conversion_type, utf16_length: None };
    let Ok(units) = decode_value(stored, bytes) else { return };
    assert!(units.len() <= MAX_UNITS);
    let length = i64::try_from(units.len()).expect("in range");
    let with = |length| decode_value(Stored { utf16_length: Some(length), ..stored }, bytes);
    assert_eq!(with(length), Ok(units));
    assert!(with(length + 1).is_err());
}

fn chromium_value(packing: i64, bytes: &[u8]) {
    let Ok(unpacked) = unpack_value(packing, bytes) else { return };
    assert!(decode_string(&unpacked).is_err() || unpacked.len() <= 1 + 2 * MAX_UNITS);
}

fn names(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    is_origin(webkit::of_file_name(text));
    is_origin(webkit::of_file_name(&format!("{text}.localstorage")));
    is_origin(firefox::of_origin_and_suffix(text));
    is_origin(firefox::of_folder_name(text));
    is_origin(firefox::of_scope(text));
    let (key, attributes) = text.split_once('\n').unwrap_or((text, ""));
    is_origin(firefox::of_reversed_key(key, attributes));
}

fn is_origin(whose: Option<Whose>) {
    let Some(whose) = whose else { return };
    assert!(whose.origin.is_some_and(|origin| origin.contains("://")));
    assert!(whose.partition.is_none_or(|partition| !partition.is_empty()));
}

fn file(bytes: &[u8]) {
    let folder = super::folder();
    let path = folder.path().join("https_app.example_0.localstorage");
    fs::write(&path, bytes).expect("writing");
    look_at(&path, folder.path());
    assert_eq!(fs::read(&path).expect("reading"), bytes, "the source was changed");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "something was left");
}

fn look_at(path: &Path, temp_folder: &Path) {
    let options =
        SalvageOptions { temp_folder: Some(temp_folder.to_path_buf()), ..SalvageOptions::default() };
    let interrupt = Interrupt::new();
    let run = Run { progress: &Silent, clock: &SystemClock, interrupt: &interrupt };
    let Ok(file) = StoreFile::open(path, &options, run) else { return };
    let (read, listed) = (file.read(None, &interrupt), file.list(&interrupt));
    assert_eq!(read.is_ok(), listed.is_ok(), "one refuses what the other reads");
    let (Ok(reading), Ok(listing)) = (read, listed) else { return };
    let read: u64 = reading.storages.iter().map(|storage| storage.items.len() as u64).sum();
    let listed: u64 = listing.storages.iter().map(|storage| storage.item_count).sum();
    assert!(read <= listed);
    assert!(read == listed || !reading.problems.is_empty(), "items were left out without a word");
}
