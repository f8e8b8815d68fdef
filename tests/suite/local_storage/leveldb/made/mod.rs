//! What the real profiles do not have: files made here, byte by byte.

mod logs;
mod tables;
mod values;

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::local_storage::leveldb::truth::*;
use crate::local_storage::leveldb::writer::*;

const A: &str = "https://a.example";

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn write(folder: &TempDir, name: &str, bytes: &[u8]) {
    fs::write(folder.path().join(name), bytes).expect("writing");
}

fn key(name: &str) -> Vec<u8> {
    item_key(A, name)
}

/// `key=value` of everything that is read of origin A, sorted.
fn of(folder: &Path) -> Vec<String> {
    shown(&read(folder))
}

fn shown(reading: &parklite::local_storage::item::Reading) -> Vec<String> {
    texts(reading)
        .into_iter()
        .map(
            |((place, key), value)| {
                if place == A { format!("{key}={value}") } else { format!("{place}: {key}={value}") }
            },
        )
        .collect()
}

/// A table of items of origin A: name, number of the change, value.
fn items(entries: &[(&str, u64, Option<&str>)], per_block: usize) -> Table {
    let owned: Vec<_> =
        entries.iter().map(|(name, sequence, value)| (key(name), *sequence, value.map(latin1))).collect();
    let borrowed: Vec<Entry<'_>> =
        owned.iter().map(|(key, sequence, value)| (&key[..], *sequence, value.as_deref())).collect();
    table(&borrowed, per_block, &[Packing::Plain])
}

/// A batch of items of origin A.
fn changes(sequence: u64, entries: &[(&str, Option<&str>)]) -> Vec<u8> {
    let owned: Vec<_> = entries.iter().map(|(name, value)| (key(name), value.map(latin1))).collect();
    let borrowed: Vec<Change<'_>> = owned.iter().map(|(key, value)| (&key[..], value.as_deref())).collect();
    batch(sequence, &borrowed)
}
