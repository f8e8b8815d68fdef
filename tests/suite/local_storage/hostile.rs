//! Inputs of chance through what the fuzz targets do with one: those of the corpora, changed in a few places.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};

use super::fixtures;
use crate::corpus::bodies::{dump, mapping_file, stored_value};

/// Bytes that mean something in one of the formats, and some that do not.
const TELLING: &[u8] = b"{}[]\"'`\\:,;\n\r\t 0-9eu/*~=#\0\x7F\x80\xC3\xED\xA0\xFF\xFE";

#[derive(Debug, Clone)]
enum Change {
    Put(Index, u8),
    PutIn(Index, u8),
    Remove(Index, Index),
    Repeat(Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    let byte = || prop_oneof![3 => proptest::sample::select(TELLING), 1 => any::<u8>()];
    prop_oneof![
        (any::<Index>(), byte()).prop_map(|(at, byte)| Change::Put(at, byte)),
        (any::<Index>(), byte()).prop_map(|(at, byte)| Change::PutIn(at, byte)),
        (any::<Index>(), any::<Index>()).prop_map(|(at, to)| Change::Remove(at, to)),
        (any::<Index>(), any::<Index>()).prop_map(|(at, to)| Change::Repeat(at, to)),
    ]
}

fn changed(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        let range = |at: &Index, to: &Index| {
            let (at, to) = (at.index(bytes.len() + 1), to.index(bytes.len() + 1));
            at.min(to)..at.max(to).min(at.min(to) + 64)
        };
        match change {
            Change::Put(at, byte) if !bytes.is_empty() => {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            Change::Put(_, byte) => bytes.push(*byte),
            Change::PutIn(at, byte) => bytes.insert(at.index(bytes.len() + 1), *byte),
            Change::Remove(at, to) => drop(bytes.drain(range(at, to))),
            Change::Repeat(at, to) => {
                let part = bytes[range(at, to)].to_vec();
                bytes.extend(part);
            }
        }
    }
    bytes
}

/// Calls `run` with changed inputs of a corpus.
fn try_all(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut inputs: Vec<Vec<u8>> = fs::read_dir(folder)
        .expect("a corpus")
        .map(|entry| fs::read(entry.expect("an entry").path()).expect("is read"))
        .collect();
    inputs.sort();
    let cases = if fixtures::is_full() { 500_000 } else { 10_000 };
    let strategy = (any::<Index>(), proptest::collection::vec(change(), 1..6));
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&strategy, |(which, changes)| {
            run(&changed(which.get(&inputs).clone(), &changes));
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{target}: {error}"));
    eprintln!("{cases} changed inputs of {target}");
}

#[test]
fn dumps_of_chance_are_read_the_same_in_every_way_or_refused() {
    try_all("dump", dump::run);
}

#[test]
fn values_of_chance_are_mapped_or_left() {
    try_all("stored_value", stored_value::run);
}

#[test]
fn mapping_files_of_chance_are_used_or_refused() {
    try_all("mapping_file", mapping_file::run);
}
