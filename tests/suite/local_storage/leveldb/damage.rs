//! Every file of a real profile, damaged at every place: never a panic, never an item that the whole profile does not have,
//! never a loss that is not told.

use std::fs;
use std::path::Path;

use parklite::local_storage::chromium::{Doubtful, Selection, list_leveldb, read_leveldb};
use parklite::local_storage::item::{Reading, Storage};
use parklite::run::Interrupt;

use crate::local_storage::leveldb::truth::*;

const FILES: [&str; 4] = ["CURRENT", "MANIFEST-000001", "000004.log", "000005.ldb"];

/// How far apart the places are that are tried: by default some thousands in all, in full every single one.
fn stride(file: &str) -> usize {
    match file {
        _ if is_full() => 1,
        "000005.ldb" => 19,
        "000004.log" => 5,
        _ => 1,
    }
}

/// What a damaged profile may yield, and what it must tell.
struct Whole {
    reading: Reading,
    count: usize,
}

impl Whole {
    fn of(folder: &Path) -> Self {
        let reading = read(folder);
        let count = reading.storages.iter().map(|storage| storage.items.len()).sum();
        Self { reading, count }
    }

    /// That every item and every time is one of the whole profile, and that what is missing is told.
    fn check(&self, folder: &Path, what: &str) {
        let reading = match read_leveldb(folder, &Selection::default(), &Interrupt::new()) {
            Ok(reading) => reading,
            Err(error) => panic!("{what}: {error}"),
        };
        self.check_reading(&reading, what);
    }

    fn check_reading(&self, reading: &Reading, what: &str) {
        let mut count = 0;
        for storage in &reading.storages {
            let whole = self.storage_like(storage).unwrap_or_else(|| panic!("{what}: {:?}", storage.origin));
            for item in &storage.items {
                let found = whole.items.binary_search_by(|other| other.key.cmp(&item.key));
                assert!(found.is_ok_and(|at| whole.items[at] == *item), "{what}: {item:?}");
            }
            assert!(
                storage.changed_at_us.is_none() || storage.changed_at_us == whole.changed_at_us,
                "{what}: an older time"
            );
            count += storage.items.len();
        }
        assert!(count == self.count || is_incomplete(reading), "{what}: {count} items without a word");
    }

    fn storage_like(&self, storage: &Storage) -> Option<&Storage> {
        let is_same = |it: &&Storage| it.origin == storage.origin && it.partition == storage.partition;
        self.reading.storages.iter().find(is_same)
    }
}

#[expect(clippy::print_stderr, reason = "the counts of a full run are published")]
fn tell(tried: usize, what: &str) {
    if is_full() {
        eprintln!("{tried} {what}");
    }
}

#[test]
fn a_flipped_byte_anywhere_invents_nothing_and_is_told() {
    let fixtures = fixtures();
    // By default one bit of some bytes; in full, one bit and all bits of every byte.
    let flips: &[u8] = if is_full() { &[0, 255] } else { &[0] };
    let mut tried = 0;
    for name in ["chromium-leveldb", "chromium-leveldb-live", "damaged/leveldb-no-manifest"] {
        let folder = copied(&fixtures.join(name));
        let whole = Whole::of(folder.path());
        for file in FILES {
            let path = folder.path().join(file);
            let Ok(sound) = fs::read(&path) else { continue };
            for at in (0..sound.len()).step_by(stride(file)) {
                for flip in flips {
                    let mut damaged = sound.clone();
                    damaged[at] ^= if *flip == 0 { 1 << (at % 8) } else { *flip };
                    fs::write(&path, &damaged).expect("writing");
                    whole.check(folder.path(), &format!("{name}/{file}, byte {at}, flip {flip}"));
                    tried += 1;
                }
            }
            fs::write(&path, &sound).expect("writing");
        }
        whole.check(folder.path(), "sound again");
    }
    tell(tried, "flips");
}

#[test]
fn a_file_other_than_a_log_cut_anywhere_invents_nothing_and_is_told() {
    let fixtures = fixtures();
    let folder = copied(&fixtures.join("chromium-leveldb"));
    let whole = Whole::of(folder.path());
    let mut tried = 0;
    for file in ["CURRENT", "MANIFEST-000001", "000005.ldb"] {
        let path = folder.path().join(file);
        let sound = fs::read(&path).expect("reading");
        for length in (0..sound.len()).step_by(stride(file)) {
            fs::write(&path, &sound[..length]).expect("writing");
            let what = format!("{file} cut to {length}");
            let reading = read(folder.path());
            whole.check_reading(&reading, &what);
            assert!(!reading.problems.is_empty(), "{what}");
            if file != "000005.ldb" {
                // Tables and logs are whole: everything is found without those that name them.
                assert_eq!(items_of(&reading).len(), whole.count, "{what}");
            }
            tried += 1;
        }
        fs::write(&path, &sound).expect("writing");
    }
    tell(tried, "cuts");
}

#[test]
fn a_log_cut_anywhere_yields_the_state_after_its_last_whole_batch() {
    let fixtures = fixtures();
    let folder = copied(&fixtures.join("chromium-leveldb"));
    let path = folder.path().join("000004.log");
    let sound = fs::read(&path).expect("reading");
    // Where its three batches begin and end, by their headers.
    let ends = [0, 336, 13_489, sound.len()];
    let states = ends.map(|end| {
        fs::write(&path, &sound[..end]).expect("writing");
        let reading = read(folder.path());
        assert_eq!(reading.problems, []);
        reading.storages
    });
    let lengths: Vec<usize> = (0..=sound.len()).step_by(stride("000004.log")).chain(ends).collect();
    tell(lengths.len(), "cuts of a log");
    for length in lengths {
        fs::write(&path, &sound[..length]).expect("writing");
        let reading = read(folder.path());
        let batches = ends.iter().filter(|&&end| end <= length).count() - 1;
        assert!(reading.storages == states[batches], "cut to {length}");
        // A log that ends between two batches cannot be told from a whole one.
        assert_eq!(reading.problems.is_empty(), ends.contains(&length), "cut to {length}");
        assert_eq!(is_incomplete(&reading), !ends.contains(&length), "cut to {length}");
    }
}

/// Every file of the other profiles: what is left after a cut is the state at the end of some batch, told unless all of the log
/// up to there is there.
#[test]
fn any_file_of_another_profile_cut_anywhere_yields_what_was_there_and_is_told() {
    let fixtures = fixtures();
    let mut tried = 0;
    // How many batches the log has; without a manifest, what may be missing is told in any case.
    for (name, batches) in [("chromium-leveldb-live", 2), ("damaged/leveldb-no-manifest", 0)] {
        let folder = copied(&fixtures.join(name));
        let whole = Whole::of(folder.path());
        for file in FILES {
            let path = folder.path().join(file);
            let Ok(sound) = fs::read(&path) else { continue };
            let is_log = file == "000004.log";
            let mut state = None;
            let mut silent = 0;
            // Of a log every length, so that each state is seen.
            for length in (0..=sound.len()).step_by(if is_log { 1 } else { stride(file) }) {
                fs::write(&path, &sound[..length]).expect("writing");
                let reading = read(folder.path());
                let what = format!("{name}/{file} cut to {length}");
                if !is_log {
                    whole.check_reading(&reading, &what);
                } else if !is_incomplete(&reading) {
                    silent += 1;
                    state = Some(reading.storages);
                } else if let Some(state) = &state {
                    assert!(reading.storages == *state, "{what}");
                }
                tried += 1;
            }
            if is_log {
                assert_eq!(silent, if batches == 0 { 0 } else { batches + 1 }, "{name}");
            }
            fs::write(&path, &sound).expect("writing");
        }
    }
    tell(tried, "cuts of further profiles");
}

#[test]
fn a_sector_that_was_overwritten_invents_nothing_and_is_told() {
    let fixtures = fixtures();
    let folder = copied(&fixtures.join("chromium-leveldb"));
    let whole = Whole::of(folder.path());
    for file in ["000004.log", "000005.ldb"] {
        let path = folder.path().join(file);
        let sound = fs::read(&path).expect("reading");
        for size in [64, 512, 4096] {
            for start in (0..sound.len()).step_by(size) {
                for fill in [0, 0xFF, 0x55] {
                    let mut damaged = sound.clone();
                    let end = (start + size).min(sound.len());
                    damaged[start..end].fill(fill);
                    fs::write(&path, &damaged).expect("writing");
                    whole.check(folder.path(), &format!("{file}, {size} bytes of {fill} at {start}"));
                }
            }
        }
        fs::write(&path, &sound).expect("writing");
    }
}

#[test]
fn doubtful_items_are_counted_by_the_list_and_read_where_they_are_asked_for() {
    let fixtures = fixtures();
    let folder = copied(&fixtures.join("chromium-leveldb"));
    let whole = Whole::of(folder.path());
    // The second of three batches: everything older is in doubt, the twelve changes behind it are not.
    let path = folder.path().join("000004.log");
    let mut log = fs::read(&path).expect("reading");
    log[5000] ^= 1;
    fs::write(&path, &log).expect("writing");
    let without = read(folder.path());
    assert!(without.storages.is_empty());
    assert!(tells(&without, "000004.log, byte 336: the checksum of a record is wrong: 23 changes are lost"));
    assert!(tells(&without, "left out as doubtful: "));
    let with = read_with_doubtful(folder.path());
    assert!(tells(&with, "doubtful: 38 of 38 items"));
    assert!(is_incomplete(&with));
    let listing = list_leveldb(folder.path(), &Interrupt::new()).expect("read");
    for (listed, storage) in listing.storages.iter().zip(&with.storages) {
        assert_eq!((listed.item_count, listed.doubtful_count), (storage.items.len(), storage.items.len()));
    }
    // Most of them were not touched by the lost batch.
    let (old, new) = (items_of(&with), items_of(&whole.reading));
    assert_eq!((old.len(), old.intersection(&new).count()), (48, 42));
    assert_eq!(Selection::default().doubtful, Doubtful::LeaveOut);
}
