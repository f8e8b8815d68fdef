//! Files of a LevelDB folder of any bytes: they are listed and read, or refused, and both say the same.
//!
//! Checksums would stop nearly every input at the door, so all kinds but the raw ones get right checksums around their bytes
//! first, as somebody with bad intentions would give them. The first byte of an input tells the kind.

use std::fs;
use std::path::Path;

use parklite::local_storage::chromium::{Doubtful, Selection, list_leveldb, read_leveldb};
use parklite::local_storage::leveldb::is_leveldb;
use parklite::run::Interrupt;

use super::masked_crc::masked_crc;

/// One input.
pub fn run(input: &[u8]) {
    let Some((kind, bytes)) = input.split_first() else { return };
    // A new one each time: other names than the last input's may be used.
    let folder = super::folder();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).expect("writing");
    match kind % 6 {
        0 => write("000004.log", bytes),
        1 => write("000004.log", &log(&split(bytes))),
        2 => write("000005.ldb", bytes),
        3 => write("000005.ldb", &table(&split(bytes))),
        4 => {
            write("MANIFEST-000001", &log(&split(bytes)));
            write("000005.ldb", &table(&[]));
        }
        _ => {
            write("MANIFEST-000001", bytes);
            write("CURRENT", b"MANIFEST-000001\n");
        }
    }
    look_at(folder.path());
}

fn look_at(folder: &Path) {
    let _ = is_leveldb(folder);
    let take = Selection { doubtful: Doubtful::Take, ..Selection::default() };
    let taken = read_leveldb(folder, &take, &Interrupt::new());
    let left = read_leveldb(folder, &Selection::default(), &Interrupt::new());
    let listed = list_leveldb(folder, &Interrupt::new());
    assert_eq!(
        (taken.is_ok(), left.is_ok()),
        (listed.is_ok(), listed.is_ok()),
        "one refuses what the other reads"
    );
    let (Ok(taken), Ok(left), Ok(listed)) = (taken, left, listed) else { return };
    let listed_count: usize = listed.storages.iter().map(|storage| storage.item_count).sum();
    let taken_count: usize = taken.storages.iter().map(|storage| storage.items.len()).sum();
    let left_count: usize = left.storages.iter().map(|storage| storage.items.len()).sum();
    assert!(left_count <= taken_count && taken_count <= listed_count);
    assert!(left_count == listed_count || !left.problems.is_empty(), "items were left out without a word");
    assert!(taken.storages.iter().all(|storage| storage.items.is_sorted_by(|a, b| a.key < b.key)));
}

/// Parts, each behind its length in one byte; the last one may be cut.
fn split(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    while let Some((&length, rest)) = bytes.split_first() {
        let (part, rest) = rest.split_at(usize::from(length).min(rest.len()));
        parts.push(part);
        bytes = rest;
    }
    parts
}

/// A record of each part, which must be short.
fn log(parts: &[&[u8]]) -> Vec<u8> {
    let mut file = Vec::new();
    for part in parts {
        let length = u16::try_from(part.len()).expect("at most 255");
        file.extend(masked_crc(&[&[1], *part].concat()).to_le_bytes());
        file.extend(length.to_le_bytes());
        file.push(1);
        file.extend(*part);
    }
    file
}

/// A table of which the first part is the index and each further one a block; the last byte of a part tells how it is packed.
fn table(parts: &[&[u8]]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut index = (0, 0);
    for part in parts.iter().rev().copied().chain(parts.is_empty().then_some(&b"\0\0\0\0\x01\0\0\0\0"[..])) {
        let Some((packing, _)) = part.split_last() else { continue };
        index = (file.len(), part.len() - 1);
        let part = [&part[..part.len() - 1], &[packing % 3]].concat();
        file.extend(&part);
        file.extend(masked_crc(&part).to_le_bytes());
    }
    let mut footer = vec![0, 0];
    for mut number in [index.0, index.1] {
        while number >= 0x80 {
            footer.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        footer.push(number.to_le_bytes()[0]);
    }
    footer.resize(40, 0);
    file.extend(footer);
    file.extend([0x57, 0xFB, 0x80, 0x8B, 0x24, 0x75, 0x47, 0xDB]);
    file
}
