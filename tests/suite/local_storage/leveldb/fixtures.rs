//! Profiles that real browsers wrote.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use parklite::local_storage::chromium::{Selection, StorageKey, list_leveldb, read_leveldb};
use parklite::local_storage::leveldb::is_leveldb;
use parklite::run::Interrupt;

use crate::local_storage::leveldb::truth::*;

const SOUND: [&str; 2] = ["chromium-leveldb", "chromium-leveldb-live"];

#[test]
fn every_item_of_a_real_profile_is_read_and_nothing_else() {
    let fixtures = fixtures();
    for name in SOUND {
        let folder = copied(&fixtures.join(name));
        let reading = read(folder.path());
        assert_eq!(reading.problems, []);
        let items = items_of(&reading);
        assert_eq!(items.len(), 52);
        assert_eq!(items, items_of_truth(&fixtures.join(name).join("truth.json"), "storages"));
        let keys: Vec<_> =
            reading.storages.iter().map(|it| (it.origin.clone(), it.partition.clone())).collect();
        assert!(keys.is_sorted() && keys.len() == 4);
        assert!(reading.storages.iter().all(|it| it.items.is_sorted_by(|a, b| a.key < b.key)));
        // On 2026-11-20, in the order in which the pages were used.
        let changed: Vec<_> =
            reading.storages.iter().map(|it| it.changed_at_us.expect("there") / 3_600_000_000).collect();
        assert_eq!(changed, [498_658; 4]);
    }
}

#[test]
fn reading_changes_no_file_and_leaves_none() {
    let fixtures = fixtures();
    let folder = copied(&fixtures.join(SOUND[0]));
    let content = |folder: &Path| -> BTreeSet<_> {
        let files = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a folder").path());
        files
            .map(|path| {
                (
                    path.clone(),
                    fs::read(&path).expect("metadata"),
                    path.metadata().expect("metadata").modified().expect("metadata"),
                )
            })
            .collect()
    };
    let before = content(folder.path());
    read(folder.path());
    list_leveldb(folder.path(), &Interrupt::new()).expect("read");
    assert_eq!(content(folder.path()), before);
}

#[test]
fn the_list_counts_what_the_reading_holds_as_the_browser_counts_it() {
    let fixtures = fixtures();
    for name in SOUND {
        let folder = copied(&fixtures.join(name));
        let listing = list_leveldb(folder.path(), &Interrupt::new()).expect("read");
        let reading = read(folder.path());
        assert_eq!(listing.problems, []);
        // Sizes as the browser noted them in its own records.
        assert_eq!(
            listing.storages.iter().map(|it| it.size_bytes).collect::<Vec<_>>(),
            [90_722, 4_795, 108, 127]
        );
        assert_eq!(listing.storages.len(), reading.storages.len());
        for (listed, storage) in listing.storages.iter().zip(&reading.storages) {
            assert_eq!(Some(&listed.key.origin), storage.origin.as_ref());
            assert_eq!(listed.key.partition, storage.partition);
            assert_eq!((listed.item_count, listed.doubtful_count), (storage.items.len(), 0));
            assert_eq!(listed.changed_at_us, storage.changed_at_us);
        }
    }
}

#[test]
fn only_the_chosen_origins_are_read_with_their_partitions() {
    let fixtures = fixtures();
    let folder = copied(&fixtures.join(SOUND[0]));
    let origins = Some(BTreeSet::from(["http://localhost:8573".to_owned()]));
    let reading =
        read_leveldb(folder.path(), &Selection { origins, ..Selection::default() }, &Interrupt::new())
            .expect("read");
    let partitions: Vec<_> = reading.storages.iter().map(|it| it.partition.as_deref()).collect();
    assert_eq!(partitions, [None, Some("http://127.0.0.1")]);
    assert_eq!(items_of(&reading).len(), 8);
    assert!(reading.problems.is_empty());
    let nobodys = Selection { origins: Some(BTreeSet::new()), ..Selection::default() };
    assert!(read_leveldb(folder.path(), &nobodys, &Interrupt::new()).expect("read").storages.is_empty());
}

#[test]
fn without_a_manifest_everything_is_recovered_and_told() {
    let fixtures = fixtures();
    let fixture = fixtures.join("damaged/leveldb-no-manifest");
    let folder = copied(&fixture);
    assert!(is_leveldb(folder.path()));
    let reading = read(folder.path());
    let expected = items_of_truth(&fixture.join("expected.json"), "recoverable");
    let main: Items = items_of(&reading).into_iter().filter(|it| it.0 == "http://127.0.0.1:8571").collect();
    assert_eq!(main, expected);
    assert_eq!(items_of(&reading), items_of_truth(&fixtures.join("chromium-leveldb/truth.json"), "storages"));
    assert!(is_incomplete(&reading) && tells(&reading, "without a usable manifest"));
}

#[test]
fn of_a_log_that_is_cut_the_whole_batches_are_read_and_the_end_is_told() {
    let fixtures = fixtures();
    let fixture = fixtures.join("damaged/leveldb-torn-log");
    let reading = read(copied(&fixture).path());
    let expected = items_of_truth(&fixture.join("expected.json"), "recoverable");
    let main: Items = items_of(&reading).into_iter().filter(|it| it.0 == "http://127.0.0.1:8571").collect();
    assert_eq!(main, expected);
    assert!(tells(&reading, "000004.log, byte 13489: it ends inside its last record"));
    assert!(is_incomplete(&reading));
}

#[test]
fn nothing_comes_out_of_a_damaged_block_and_it_is_told() {
    let fixtures = fixtures();
    let folder = copied(&fixtures.join("damaged/leveldb-flipped-block"));
    let reading = read(folder.path());
    let whole = items_of_truth(&fixtures.join("chromium-leveldb/truth.json"), "storages");
    let items = items_of(&reading);
    assert!(items.is_subset(&whole) && items.len() < whole.len() && items.len() > 10, "{}", items.len());
    assert!(is_incomplete(&reading) && tells(&reading, "the checksum of the block is wrong"));
    // The browser's own count of bytes shows how much is missing.
    assert!(tells(&reading, "the browser noted a size of 90722 bytes"));
    let listing = list_leveldb(folder.path(), &Interrupt::new()).expect("read");
    assert!(listing.problems.iter().any(|problem| problem.may_lose_items));
}

#[test]
fn folders_are_told_to_be_leveldb_by_what_is_in_them() {
    let fixtures = fixtures();
    for name in [SOUND[0], SOUND[1], "damaged/leveldb-torn-log", "damaged/leveldb-flipped-block"] {
        let folder = copied(&fixtures.join(name));
        assert!(is_leveldb(folder.path()));
        // Any one file of it suffices, but for the lock.
        for kept in ["CURRENT", "MANIFEST-000001", "000005.ldb", "000004.log", "LOCK"] {
            let alone = tempfile::tempdir().expect("a folder");
            fs::copy(folder.path().join(kept), alone.path().join(kept)).expect("copying");
            assert_eq!(is_leveldb(alone.path()), kept != "LOCK", "{kept}");
        }
    }
    for other in ["firefox-legacy", "chromium-sqlite/Default", "dumps", "nothing of this name"] {
        assert!(!is_leveldb(&fixtures.join(other)), "{other}");
    }
}

#[test]
fn storage_keys_of_the_newer_sqlite_file_are_the_same() {
    let first_party = StorageKey::decode(b"http://127.0.0.1:8571/").expect("decoded");
    assert_eq!(Some(first_party), StorageKey::decode(b"http://127.0.0.1:8571"));
}
