//! Real files that were cut or changed: never an item that was not there, and loss is told where SQLite can tell.

use std::fs;

use parklite::error::ErrorKind;

use super::*;

/// One file of each kind, not the largest, and what it holds.
fn sources() -> Vec<(&'static str, PathBuf, TempDir, Items)> {
    let wanted = [
        ("chromium-sqlite", "LocalStorage"),
        ("firefox-lsng", "8572"),
        ("firefox-lsng", "8571"),
        ("firefox-legacy", "webappsstore.sqlite"),
        ("webkit-files", "8571"),
    ];
    let source = |(fixture, part): (&'static str, &str)| {
        let (copy, files) = copied(fixture);
        let named = |file: &&PathBuf| file.to_string_lossy().contains(part);
        let file = files.iter().find(named).expect("a file").clone();
        let items = items_of(&read(&file));
        assert!(!items.is_empty());
        (fixture, file, copy, items)
    };
    wanted.into_iter().map(source).collect()
}

/// What is left is what was there, and what is not left is told.
fn check(place: &str, path: &Path, whole: &Items) -> bool {
    match try_read(path) {
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Usage), "{place}: {error:?}");
            false
        }
        Ok((_, reading)) => {
            let items = items_of(&reading);
            for (key, value) in &items {
                // Damage may have taken the name of the origin: then the item is of nobody.
                let of = |origin: &str| (origin.to_owned(), key.1.clone(), key.2.clone());
                let mut origins = whole.keys().map(|(origin, ..)| origin);
                let is_there = whole.get(key) == Some(value)
                    || key.0.is_empty() && origins.any(|origin| whole.get(&of(origin)) == Some(value));
                assert!(is_there, "{place}: {key:?} was not there");
            }
            assert!(
                items.len() == whole.len() || is_told(&reading.problems),
                "{place}: {:?}",
                reading.problems
            );
            true
        }
    }
}

#[test]
fn files_that_were_cut_give_what_was_there_and_say_so() {
    let (mut cuts, mut read) = (0, 0);
    for (fixture, file, _copy, whole) in sources() {
        let bytes = fs::read(&file).expect("reads");
        let page = usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
        let step = if fixtures::is_full() { 509 } else { bytes.len() / 12 };
        let boundaries = (page..bytes.len()).step_by(page);
        let others = [1, 16, 99, 100, 101, page - 1, page + 1, bytes.len() - 1];
        let lengths: BTreeSet<usize> = boundaries
            .chain(others)
            .chain((0..bytes.len()).step_by(step))
            .filter(|&it| it < bytes.len())
            .collect();
        for length in lengths {
            fs::write(&file, &bytes[..length]).expect("writes");
            read += usize::from(check(&format!("{fixture} {length}"), &file, &whole));
            cuts += 1;
        }
    }
    eprintln!("{cuts} cuts of databases, {read} of them read in part");
    assert!(cuts > 150 && read > 50, "{cuts} {read}");
}

/// SQLite has no checksums: a changed byte of a value is another value, but nothing may fall over.
#[test]
fn files_with_any_bit_changed_are_read_or_refused() {
    let (mut changes, mut told) = (0, 0);
    for (fixture, file, _copy, whole) in sources() {
        let mut bytes = fs::read(&file).expect("reads");
        let parts = if fixtures::is_full() { 4000 } else { 60 };
        let step = bytes.len().div_ceil(parts);
        // Every byte of the header, and of the beginning of every page's own header.
        let page = usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
        let headers = (0..100).step_by(if fixtures::is_full() { 1 } else { 7 });
        let pages = (0..bytes.len()).step_by(page).map(|at| at + (at / page) % 8);
        let places: BTreeSet<usize> = headers.chain(pages).chain((0..bytes.len()).step_by(step)).collect();
        for at in places {
            let bit = 1 << (at % 8);
            bytes[at] ^= bit;
            fs::write(&file, &bytes).expect("writes");
            match try_read(&file) {
                Ok((_, reading)) => {
                    let items = items_of(&reading).len();
                    assert!(items <= whole.len(), "{fixture} {at}: {items} of {}", whole.len());
                    assert!(items == whole.len() || is_told(&reading.problems), "{fixture} {at}");
                    told += usize::from(is_told(&reading.problems));
                }
                Err(_) => told += 1,
            }
            bytes[at] ^= bit;
            changes += 1;
        }
    }
    eprintln!("{changes} changed bits of databases, {told} of them told");
    assert!(changes > 250 && told > 50, "{changes} {told}");
}

#[test]
fn a_wal_that_was_cut_or_changed_is_told_unless_it_ends_with_a_commit() {
    let (mut silent, mut told) = (0, 0);
    for fixture in ["chromium-sqlite-live", "webkit-origins-live"] {
        let (_copy, files) = copied(fixture);
        for file in files {
            let name = file.file_name().expect("a name").to_string_lossy().into_owned();
            let wal = file.with_file_name(format!("{name}-wal"));
            let bytes = fs::read(&wal).expect("reads");
            let frame = 24 + 4096;
            let boundaries = (32..bytes.len()).step_by(frame);
            let others = [1, 31, 33, 32 + frame / 2, bytes.len() - 1];
            for length in boundaries.chain(others) {
                fs::write(&wal, &bytes[..length]).expect("writes");
                match try_read(&file) {
                    Ok((_, reading)) if !is_told(&reading.problems) => {
                        assert!((length - 32).is_multiple_of(frame), "{fixture} {length}");
                        silent += 1;
                    }
                    _ => told += 1,
                }
            }
            let mut changed = bytes.clone();
            for at in (0..bytes.len()).step_by(if fixtures::is_full() { 997 } else { 9973 }) {
                let bit = 1 << (at % 8);
                changed[at] ^= bit;
                fs::write(&wal, &changed).expect("writes");
                let is_silent = try_read(&file).is_ok_and(|(_, reading)| !is_told(&reading.problems));
                assert!(!is_silent, "{fixture} {at}");
                changed[at] ^= bit;
                told += 1;
            }
        }
    }
    eprintln!("{told} damaged WALs told, {silent} cut at the end of a commit");
    assert!(told > 60 && silent > 3, "{told} {silent}");
}

#[test]
fn rows_behind_a_lost_page_are_read_where_they_have_numbers() {
    let (_copy, files) = copied("firefox-lsng");
    let file = files.iter().find(|file| file.to_string_lossy().contains("8571")).expect("a file");
    let whole = items_of(&read(file));
    let bytes = fs::read(file).expect("reads");
    let page = 1024;
    let mut best = 0;
    for number in 4..bytes.len() / page {
        let mut changed = bytes.clone();
        changed[number * page..(number + 1) * page].fill(0xA5);
        fs::write(file, &changed).expect("writes");
        check(&format!("page {number}"), file, &whole);
        if let Ok((_, reading)) = try_read(file) {
            let last = items_of(&reading).len();
            best = best.max(if last < whole.len() { last } else { 0 });
        }
    }
    assert!(best > whole.len() / 2, "{best} of {}", whole.len());
}

#[test]
fn a_cut_file_beside_a_wal_that_lacks_the_rest_is_refused() {
    let (_copy, files) = copied("chromium-sqlite-live");
    let bytes = fs::read(&files[0]).expect("reads");
    fs::write(&files[0], &bytes[..8192]).expect("writes");
    let (kind, message) = refusal(&files[0]);
    assert_eq!(kind, ErrorKind::Damaged);
    assert!(message.contains("its WAL lacks the rest"), "{message}");
}

#[test]
fn a_wal_that_had_everything_and_is_damaged_is_the_reason_that_is_given() {
    let (_copy, files) = copied("webkit-origins-live");
    let wal = files[0].with_file_name("localstorage.sqlite3-wal");
    let mut bytes = fs::read(&wal).expect("reads");
    bytes[40] ^= 1;
    fs::write(&wal, bytes).expect("writes");
    let (kind, message) = refusal(&files[0]);
    assert_eq!(kind, ErrorKind::Damaged);
    assert!(message.contains("frame 1 of"), "{message}");
}
