//! What the fixtures hold, and readings in a form that can be compared with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use parklite::local_storage::chromium::{Doubtful, Selection, read_leveldb};
use parklite::local_storage::code_units::CodeUnits;
use parklite::local_storage::item::Reading;
use parklite::run::Interrupt;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The fixtures.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/localstorage")
}

/// Whether sweeps look at every place in every way.
pub(crate) fn is_full() -> bool {
    std::env::var_os("PARKLITE_FULL").is_some_and(|value| value == "1")
}

/// A private copy of a fixture's LevelDB folder.
pub(crate) fn copied(fixture: &Path) -> tempfile::TempDir {
    copied_folder(&fixture.join("Default/Local Storage/leveldb"))
}

/// A folder in memory, where there is one: sweeps write to it very often.
pub(crate) fn folder_in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder")
}

pub(crate) fn copied_folder(source: &Path) -> tempfile::TempDir {
    let copy = folder_in_memory();
    for entry in fs::read_dir(source).expect("a folder").map(|entry| entry.expect("an entry of a folder")) {
        // Not `fs::copy`, which would keep the fixtures' files unwritable.
        fs::write(copy.path().join(entry.file_name()), fs::read(entry.path()).expect("writing"))
            .expect("writing");
    }
    copy
}

pub(crate) fn read(folder: &Path) -> Reading {
    read_leveldb(folder, &Selection::default(), &Interrupt::new()).expect("read")
}

pub(crate) fn read_with_doubtful(folder: &Path) -> Reading {
    read_leveldb(folder, &Selection { doubtful: Doubtful::Take, ..Selection::default() }, &Interrupt::new())
        .expect("read")
}

/// A string as truth files have it: its length and the hash of its code units.
type Fingerprint = (usize, String);
/// Origin, partition, key, value.
pub(crate) type Items = BTreeSet<(String, Option<String>, Fingerprint, Fingerprint)>;

fn fingerprint(units: &CodeUnits) -> Fingerprint {
    let hash = Sha256::digest(units.to_utf16le());
    (units.len(), hash.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}")))
}

pub(crate) fn items_of(reading: &Reading) -> Items {
    let mut items = Items::new();
    for storage in &reading.storages {
        for item in &storage.items {
            let origin = storage.origin.clone().expect("an origin");
            let row = (origin, storage.partition.clone(), fingerprint(&item.key), fingerprint(&item.value));
            assert!(items.insert(row), "an item is there twice");
        }
    }
    items
}

/// What a truth file (`member` of it) says; the texts it shows are checked against its own hashes.
pub(crate) fn items_of_truth(file: &Path, member: &str) -> Items {
    let truth: Value = serde_json::from_slice(&fs::read(file).expect("reading")).expect("reading");
    let mut items = Items::new();
    for storage in truth[member].as_array().expect("a list") {
        let listed = storage["items"].as_array().expect("a list");
        assert_eq!(listed.len() as u64, storage["count"].as_u64().expect("a number"));
        for item in listed {
            let origin = storage["origin"].as_str().expect("a text").to_owned();
            let partition = storage["partition"].as_str().map(str::to_owned);
            assert!(items.insert((origin, partition, stated(&item["key"]), stated(&item["value"]))));
        }
    }
    items
}

fn stated(side: &Value) -> Fingerprint {
    let stated = (
        usize::try_from(side["len"].as_u64().expect("a length")).expect("in range"),
        side["sha256_utf16le"].as_str().expect("a text").to_owned(),
    );
    if let Some(text) = side["text"].as_str() {
        assert_eq!(fingerprint(&text.into()), stated);
    }
    if let Some(units) = side["u16"].as_array() {
        let units = units
            .iter()
            .map(|unit| u16::try_from(unit.as_u64().expect("a number")).expect("a number"))
            .collect();
        assert_eq!(fingerprint(&CodeUnits::new(units)), stated);
    }
    stated
}

/// All items as texts, of readings that hold nothing else.
pub(crate) fn texts(reading: &Reading) -> BTreeMap<(String, String), String> {
    let mut texts = BTreeMap::new();
    for storage in &reading.storages {
        let place = match &storage.partition {
            None => storage.origin.clone().expect("an origin"),
            Some(partition) => format!("{} in {partition}", storage.origin.as_deref().expect("an origin")),
        };
        for item in &storage.items {
            texts.insert((place.clone(), item.key.to_string()), item.value.to_string());
        }
    }
    texts
}

/// Whether anything that was told means that items may be missing.
pub(crate) fn is_incomplete(reading: &Reading) -> bool {
    reading.problems.iter().any(|problem| problem.may_lose_items)
}

/// Whether a problem says this.
pub(crate) fn tells(reading: &Reading, text: &str) -> bool {
    reading.problems.iter().any(|problem| format!("{}: {}", problem.place, problem.message).contains(text))
}
