//! Files that real browsers wrote.

use std::collections::BTreeSet;
use std::fs;

use parklite::error::ErrorKind;
use parklite::local_storage::database::{StoreFile, StoreKind};

use super::*;

/// Fixture, whose way of keeping it, and how many items and storages.
pub(super) const REAL: [(&str, StoreKind, usize, usize); 7] = [
    ("chromium-sqlite", StoreKind::Chromium, 52, 4),
    ("chromium-sqlite-live", StoreKind::Chromium, 52, 4),
    ("firefox-lsng", StoreKind::Firefox, 52, 4),
    ("firefox-legacy", StoreKind::FirefoxLegacy, 52, 4),
    ("webkit-files", StoreKind::WebKit, 48, 3),
    ("webkit-origins", StoreKind::WebKit, 48, 3),
    ("webkit-origins-live", StoreKind::WebKit, 45, 3),
];

#[test]
fn every_item_of_a_real_browsers_files_is_read_and_nothing_else() {
    for (fixture, kind, items, storages) in REAL {
        let (_copy, files) = copied(fixture);
        let mut read = Items::new();
        let mut count = 0;
        for file in &files {
            let (found, reading) = try_read(file).expect("read");
            assert_eq!((found, &*reading.problems), (kind, &[][..]), "{}", file.display());
            count += reading.storages.len();
            assert!(reading.storages.iter().all(|it| it.items.is_sorted_by(|a, b| a.key < b.key)));
            read.extend(items_of(&reading));
        }
        assert_eq!((read.len(), count), (items, storages), "{fixture}");
        assert_eq!(read, truth(fixture), "{fixture}");
    }
}

#[test]
fn nothing_is_changed_made_or_left_beside_what_is_read() {
    for (fixture, ..) in REAL {
        let (copy, files) = copied(fixture);
        let before = content(copy.path());
        for file in &files {
            read(file);
            list(file);
        }
        assert_eq!(content(copy.path()), before, "{fixture}");
    }
}

#[test]
fn files_in_a_folder_that_cannot_be_written_are_read() {
    let (copy, files) = copied("webkit-origins-live");
    let folders: Vec<_> = files.iter().map(|file| file.parent().expect("a folder")).collect();
    let set = |mode: u32| {
        for folder in &folders {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(folder, fs::Permissions::from_mode(mode)).expect("permissions");
        }
    };
    set(0o555);
    let read: Items = files.iter().flat_map(|file| items_of(&read(file))).collect();
    set(0o755);
    assert_eq!(read, truth("webkit-origins-live"));
    drop(copy);
}

#[test]
fn a_list_tells_what_a_reading_holds() {
    for (fixture, kind, items, _) in REAL {
        let (_copy, files) = copied(fixture);
        let mut count = 0;
        for file in &files {
            let (listing, (read_kind, reading)) = (list(file), try_read(file).expect("read"));
            assert_eq!((read_kind, &*listing.problems), (kind, &[][..]));
            assert_eq!(listing.storages.len(), reading.storages.len());
            for (listed, storage) in listing.storages.iter().zip(&reading.storages) {
                assert_eq!(
                    (&listed.whose.origin, &listed.whose.partition),
                    (&storage.origin, &storage.partition)
                );
                assert_eq!(listed.item_count, storage.items.len() as u64);
                assert_eq!(listed.changed_at_us, storage.changed_at_us);
                assert!(listed.size_bytes >= 29, "{fixture}");
                count += storage.items.len();
            }
        }
        assert_eq!(count, items, "{fixture}");
    }
}

#[test]
fn chromium_tells_when_a_storage_was_changed() {
    let (_copy, files) = copied("chromium-sqlite");
    // On 2026-11-20.
    let hours: Vec<_> =
        read(&files[0]).storages.iter().map(|it| it.changed_at_us.expect("a time") / 3_600_000_000).collect();
    assert_eq!(hours, [498_658; 4]);
}

#[test]
fn only_the_chosen_origins_are_read_with_their_partitions() {
    for fixture in ["chromium-sqlite", "firefox-legacy"] {
        let (_copy, files) = copied(fixture);
        let read = |origins: &[&str]| {
            let origins: BTreeSet<String> = origins.iter().map(|&origin| origin.to_owned()).collect();
            with_options(|options, run| {
                StoreFile::open(&files[0], options, run)?.read(Some(&origins), run.interrupt)
            })
            .expect("read")
        };
        let reading = read(&["http://localhost:8573"]);
        let partitions: Vec<_> = reading.storages.iter().map(|it| it.partition.as_deref()).collect();
        assert_eq!(partitions, [None, Some("http://127.0.0.1")]);
        assert_eq!(items_of(&reading).len(), 8);
        assert!(reading.problems.is_empty());
        assert!(read(&["http://elsewhere"]).storages.is_empty() && read(&[]).storages.is_empty());
    }
}

/// What is only in the WAL was once a newer state; the file alone is an older one that is sound in itself.
#[test]
fn a_chromium_file_without_its_wal_is_an_older_state() {
    let (_copy, files) = copied("chromium-sqlite-live");
    let wal = files[0].with_file_name("LocalStorage-wal");
    fs::remove_file(wal).expect("removes");
    assert_eq!(items_of(&read(&files[0])).len(), 48);
}

#[test]
fn a_file_whose_table_was_in_the_wal_is_refused_by_name_without_it() {
    let (_copy, mut files) = copied("damaged/webkit-no-wal");
    let (_live, live) = copied("webkit-origins-live");
    for file in live {
        for ending in ["-wal", "-shm"] {
            fs::remove_file(file.with_file_name(format!("localstorage.sqlite3{ending}"))).expect("removes");
        }
        files.push(file);
    }
    assert_eq!(files.len(), 4);
    for file in files {
        let (kind, message) = refusal(&file);
        assert_eq!(kind, ErrorKind::Damaged);
        assert!(message.contains("ending in -wal"), "{message}");
    }
}

#[test]
fn whose_a_firefox_storage_is_is_told_by_its_folder_where_the_file_does_not() {
    let (_copy, files) = copied("firefox-lsng");
    for file in &files {
        let whole = read(file);
        let connection = Connection::open(file).expect("opens");
        connection.execute_batch("UPDATE database SET origin = 'nonsense'").expect("writes");
        connection.close().expect("closes");
        let by_metadata = read(file);
        assert_eq!(by_metadata.storages, whole.storages);
        assert!(tells(&by_metadata, "the file does not say whose it is"));
        let metadata = file.parent().expect("ls").with_file_name(".metadata-v2");
        fs::write(metadata, b"cut").expect("writes");
        assert_eq!(read(file).storages, whole.storages);
    }
    let alone = folder();
    let elsewhere = alone.path().join("data.sqlite");
    fs::copy(&files[0], &elsewhere).expect("copies");
    let reading = read(&elsewhere);
    assert_eq!((reading.storages[0].origin.as_deref(), items_of(&reading).len()), (None, 39));
}

#[test]
fn a_webkit_file_without_an_origin_file_is_read_as_of_nobody() {
    let (_copy, files) = copied("webkit-origins");
    for file in &files {
        let whole = read(file);
        fs::write(file.parent().expect("LocalStorage").with_file_name("origin"), b"\xff").expect("writes");
        let reading = read(file);
        assert_eq!(reading.storages[0].items, whole.storages[0].items);
        assert_eq!(reading.storages[0].origin, None);
        assert!(tells(&reading, "nothing tells whose storage it is"));
    }
}
