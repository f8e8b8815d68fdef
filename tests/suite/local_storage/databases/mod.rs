//! localStorage that browsers keep in SQLite: real files against their truth, damage, and files made to mislead.

mod damage;
mod hostile;
mod journals;
mod live;
mod old_forms;
mod real;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use parklite::clock::SystemClock;
use parklite::error::Result;
use parklite::local_storage::code_units::CodeUnits;
use parklite::local_storage::database::{DatabaseListing, StoreFile, StoreKind};
use parklite::local_storage::item::{Problem, Reading};
use parklite::local_storage::mapping::event::value_sha256;
use parklite::progress::Silent;
use parklite::run::{Interrupt, Run};
use parklite::sqlite::salvage::SalvageOptions;
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

use super::fixtures;

/// A folder in memory, where there is one: sweeps write to it very often.
fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder")
}

/// Runs it with a folder for copies of its own, in which nothing may be left.
fn with_options<T>(work: impl FnOnce(&SalvageOptions, Run<'_>) -> T) -> T {
    let copies = folder();
    let options =
        SalvageOptions { temp_folder: Some(copies.path().to_path_buf()), ..SalvageOptions::default() };
    let done = work(&options, Run { progress: &Silent, clock: &SystemClock, interrupt: &Interrupt::new() });
    assert_eq!(fs::read_dir(copies.path()).expect("a folder").count(), 0, "a copy was left behind");
    done
}

fn try_read(path: &Path) -> Result<(StoreKind, Reading)> {
    with_options(|options, run| {
        let file = StoreFile::open(path, options, run)?;
        Ok((file.kind(), file.read(None, run.interrupt)?))
    })
}

fn read(path: &Path) -> Reading {
    try_read(path).unwrap_or_else(|error| panic!("{}: {error:?}", path.display())).1
}

fn list(path: &Path) -> DatabaseListing {
    with_options(|options, run| StoreFile::open(path, options, run)?.list(run.interrupt)).expect("listed")
}

/// Why a file is refused.
fn refusal(path: &Path) -> (parklite::error::ErrorKind, String) {
    let error = try_read(path).expect_err("refused");
    (error.kind(), error.message().to_owned())
}

/// A string as truth files have it: its length and the hash of its code units.
type Fingerprint = (usize, String);
/// Origin and partition, key, value.
type Items = BTreeMap<(String, Option<String>, Fingerprint), Fingerprint>;

fn fingerprint(units: &CodeUnits) -> Fingerprint {
    (units.len(), value_sha256(units))
}

fn items_of(reading: &Reading) -> Items {
    let mut items = Items::new();
    for storage in &reading.storages {
        for item in &storage.items {
            let origin = storage.origin.clone().unwrap_or_default();
            let key = (origin, storage.partition.clone(), fingerprint(&item.key));
            let before = items.insert(key, fingerprint(&item.value));
            assert_eq!(before, None, "an item is there twice");
        }
    }
    items
}

/// What a truth file says; the texts it shows are checked against its own hashes.
fn truth(fixture: &str) -> Items {
    let mut items = Items::new();
    for storage in fixtures::json(&format!("{fixture}/truth.json"))["storages"].as_array().expect("a list") {
        let listed = storage["items"].as_array().expect("a list");
        assert_eq!(listed.len() as u64, storage["count"].as_u64().expect("a count"));
        for item in listed {
            let origin = storage["origin"].as_str().expect("an origin").to_owned();
            let partition = storage["partition"].as_str().map(str::to_owned);
            items.insert((origin, partition, stated(&item["key"])), stated(&item["value"]));
        }
    }
    items
}

fn stated(side: &Value) -> Fingerprint {
    let length = usize::try_from(side["len"].as_u64().expect("a length")).expect("in range");
    let stated = (length, side["sha256_utf16le"].as_str().expect("a hash").to_owned());
    if let Some(text) = side["text"].as_str() {
        assert_eq!(fingerprint(&text.into()), stated);
    }
    if let Some(units) = side["u16"].as_array() {
        let units = units.iter().map(|unit| u16::try_from(unit.as_u64().expect("a unit")).expect("a unit"));
        assert_eq!(fingerprint(&CodeUnits::new(units.collect())), stated);
    }
    stated
}

/// The files of a fixture that hold storage, in a private copy of it.
fn copied(fixture: &str) -> (TempDir, Vec<PathBuf>) {
    let copy = folder();
    let mut files = Vec::new();
    copy_folder(&fixtures::path(fixture), copy.path(), &mut files);
    files.sort();
    assert!(!files.is_empty());
    (copy, files)
}

fn copy_folder(from: &Path, to: &Path, databases: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(from).expect("a folder").map(|entry| entry.expect("an entry")) {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            fs::create_dir(&target).expect("a folder");
            copy_folder(&source, &target, databases);
            continue;
        }
        let bytes = fs::read(&source).expect("reads");
        fs::write(&target, &bytes).expect("writes");
        if bytes.starts_with(b"SQLite format 3\0") {
            databases.push(target);
        }
    }
}

/// Everything in a folder: names, bytes and times of the last change.
fn content(folder: &Path) -> BTreeSet<(PathBuf, Vec<u8>, SystemTime)> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
        let path = entry.path();
        let modified = entry.metadata().expect("metadata").modified().expect("a time");
        if path.is_dir() {
            found.extend(content(&path));
            found.insert((path, Vec::new(), modified));
        } else {
            let bytes = fs::read(&path).expect("reads");
            found.insert((path, bytes, modified));
        }
    }
    found
}

/// A database made by SQL.
fn made(name: &str, sql: &str) -> (TempDir, PathBuf) {
    let folder = folder();
    let path = folder.path().join(name);
    let connection = Connection::open(&path).expect("opens");
    connection.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    connection.close().expect("closes");
    (folder, path)
}

/// All items as texts, of a reading of one storage.
fn texts(reading: &Reading) -> BTreeMap<String, String> {
    let storages = reading.storages.iter().flat_map(|storage| &storage.items);
    storages.map(|item| (item.key.to_string(), item.value.to_string())).collect()
}

fn is_told(problems: &[Problem]) -> bool {
    problems.iter().any(|problem| problem.may_lose_items)
}

fn tells(reading: &Reading, text: &str) -> bool {
    reading.problems.iter().any(|problem| problem.message.contains(text))
}
