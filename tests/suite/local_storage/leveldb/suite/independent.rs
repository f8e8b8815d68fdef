//! Another LevelDB, which we did not write: it reads what we read, and we read what it wrote.

use std::collections::BTreeMap;
use std::path::Path;

use parklite::local_storage::leveldb::read;
use rusty_leveldb::{DB, LdbIterator, Options};

use crate::truth::{copied, fixtures};

fn ours(folder: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let contents = read(folder, &mut |_| true).expect("read");
    assert_eq!(contents.problems, []);
    contents
        .entries
        .into_iter()
        .map(|(key, entry)| (key, entry.value.expect("an entry of a folder")))
        .collect()
}

fn theirs(folder: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut db =
        DB::open(folder, Options { create_if_missing: false, ..Options::default() }).expect("opening");
    let mut entries = BTreeMap::new();
    let mut walk = db.new_iter().expect("changing");
    while let Some((key, value)) = walk.next() {
        entries.insert(key, value);
    }
    entries
}

#[test]
fn another_reader_finds_the_same_in_real_profiles() {
    let Some(fixtures) = fixtures() else { return };
    for name in ["chromium-leveldb", "chromium-leveldb-live"] {
        let folder = copied(&fixtures.join(name));
        let found = ours(folder.path());
        assert_eq!(found.len(), 61);
        // It writes to what it opens, so it comes last.
        assert_eq!(theirs(folder.path()), found);
    }
}

#[test]
fn with_doubtful_items_one_reads_what_another_reader_makes_of_the_log_without_its_damaged_batch() {
    let Some(fixtures) = fixtures() else { return };
    let folder = copied(&fixtures.join("chromium-leveldb"));
    let path = folder.path().join("000004.log");
    let log = std::fs::read(&path).expect("reading");
    let mut damaged = log.clone();
    damaged[5000] ^= 1;
    std::fs::write(&path, damaged).expect("writing");
    let contents = read(folder.path(), &mut |_| true).expect("read");
    let found = contents
        .entries
        .into_iter()
        .map(|(key, entry)| (key, entry.value.expect("an entry of a folder")))
        .collect();
    // The second of three records lies from 336 to 13,489.
    std::fs::write(&path, [&log[..336], &log[13_489..]].concat()).expect("writing");
    assert_eq!(theirs(folder.path()), found);
}

#[test]
fn what_another_writer_compacted_over_many_tables_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut expected = BTreeMap::new();
    let mut chance = 1_u32;
    let mut next = || {
        chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        chance >> 8
    };
    for round in 0..4 {
        // Opened anew each time: logs become tables, and numbers go on.
        let options = Options { write_buffer_size: 60_000, max_file_size: 40_000, ..Options::default() };
        let mut db = DB::open(folder.path(), options).expect("opening");
        for _ in 0..3000 {
            let key = format!("key{:04}", next() % 1500).into_bytes();
            if next() % 4 == 0 {
                db.delete(&key).expect("changing");
                expected.remove(&key);
            } else {
                let value = format!("{round} {}", "value ".repeat(next() as usize % 30)).into_bytes();
                db.put(&key, &value).expect("changing");
                expected.insert(key, value);
            }
        }
        db.flush().expect("changing");
        drop(db);
        let tables = std::fs::read_dir(folder.path()).expect("a folder").filter(|entry| {
            entry
                .as_ref()
                .expect("an entry of a folder")
                .path()
                .extension()
                .is_some_and(|extension| extension == "ldb")
        });
        assert!(tables.count() > 3);
        assert_eq!(ours(folder.path()), expected);
    }
}
