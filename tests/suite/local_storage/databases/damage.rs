//! Real files that were cut or changed: never an item that was not there, and loss is told where SQLite can tell.

use std::fs;

use parklite::error::ErrorKind;

use super::*;

/// A database of a fixture, and what it holds.
struct Source {
    fixture: &'static str,
    /// Its place in the fixture.
    file: PathBuf,
    bytes: Vec<u8>,
    whole: Items,
}

impl Source {
    fn page(&self) -> usize {
        usize::from(u16::from_be_bytes([self.bytes[16], self.bytes[17]]))
    }

    /// Where to try: everywhere in full, else some places apart from each other, and those that are named.
    fn places(&self, parts: usize, named: impl Iterator<Item = usize>) -> Vec<usize> {
        let length = self.bytes.len();
        let step = if fixtures::is_full() { 1 } else { length.div_ceil(parts) };
        let places: BTreeSet<usize> = named.chain((0..length).step_by(step)).collect();
        places.into_iter().filter(|&at| at < length).collect()
    }
}

/// Every file, with its WAL where it has one; by default those of each kind that are not the largest.
fn sources() -> Vec<Source> {
    const WANTED: [(&str, &str); 5] = [
        ("chromium-sqlite", "LocalStorage"),
        ("firefox-lsng", "8572"),
        ("firefox-lsng", "8571"),
        ("firefox-legacy", "webappsstore.sqlite"),
        ("webkit-files", "8571"),
    ];
    const FIXTURES: [&str; 7] = [
        "chromium-sqlite",
        "firefox-lsng",
        "firefox-legacy",
        "webkit-files",
        "webkit-origins",
        "chromium-sqlite-live",
        "webkit-origins-live",
    ];
    let mut sources = Vec::new();
    for fixture in FIXTURES {
        let (copy, files) = copied(fixture);
        let mut is_wanted = WANTED.map(|(of, part)| if of == fixture { part } else { "/" });
        for path in files {
            let file = path.strip_prefix(copy.path()).expect("in the copy").to_path_buf();
            let name = file.to_string_lossy();
            // Of several of a kind the first.
            match is_wanted.iter_mut().find(|part| **part != "/" && name.contains(**part)) {
                Some(part) => *part = "/",
                None if fixtures::is_full() => {}
                None => continue,
            }
            let bytes = fs::read(&path).expect("reads");
            let whole = items_of(&read(&path));
            assert!(!whole.is_empty());
            sources.push(Source { fixture, file, bytes, whole });
        }
    }
    assert_eq!(sources.len(), if fixtures::is_full() { 16 } else { 5 });
    sources
}

/// Does `work` with the file at each place, several at a time, each in a copy of the fixture; how often it was true.
fn everywhere(
    fixture: &str,
    file: &Path,
    places: &[usize],
    work: impl Fn(&Path, usize) -> bool + Sync,
) -> usize {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(places.len());
    let part = |index: usize| {
        let (copy, _) = copied(fixture);
        let path = copy.path().join(file);
        let own = places.iter().skip(index).step_by(threads);
        own.filter(|&&place| work(&path, place)).count()
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|index| scope.spawn(move || part(index))).collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .sum()
    })
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
    for source in sources() {
        let Source { fixture, file, bytes, whole } = &source;
        let page = source.page();
        let others = [1, 16, 99, 100, 101, page - 1, page + 1, bytes.len() - 1];
        let lengths = source.places(12, (page..bytes.len()).step_by(page).chain(others));
        read += everywhere(fixture, file, &lengths, |path, length| {
            fs::write(path, &bytes[..length]).expect("writes");
            check(&format!("{fixture} {} {length}", file.display()), path, whole)
        });
        cuts += lengths.len();
    }
    eprintln!("{cuts} cuts of databases, {read} of them read in part");
    assert!(cuts > 150 && read > 50, "{cuts} {read}");
}

/// SQLite has no checksums: a changed byte of a value is another value, but nothing may fall over.
#[test]
fn files_with_any_bit_changed_are_read_or_refused() {
    let (mut changes, mut told) = (0, 0);
    for source in sources() {
        let Source { fixture, file, bytes, whole } = &source;
        // Bytes of the header, and of the beginning of every page's own header.
        let page = source.page();
        let pages = (0..bytes.len()).step_by(page).map(|at| at + (at / page) % 8);
        let places = source.places(60, (0..100).step_by(7).chain(pages));
        told += everywhere(fixture, file, &places, |path, at| {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (at % 8);
            fs::write(path, &damaged).expect("writes");
            let Ok((_, reading)) = try_read(path) else { return true };
            let items = items_of(&reading).len();
            let place = format!("{fixture} {} {at}", file.display());
            assert!(items <= whole.len(), "{place}: {items} of {}", whole.len());
            assert!(items == whole.len() || is_told(&reading.problems), "{place}");
            is_told(&reading.problems)
        });
        changes += places.len();
    }
    eprintln!("{changes} changed bits of databases, {told} of them told");
    assert!(changes > 250 && told > 50, "{changes} {told}");
}

#[test]
fn a_wal_that_was_cut_or_changed_is_told_unless_it_ends_with_a_commit() {
    const FRAME: usize = 24 + 4096;
    let (mut silent, mut told) = (0, 0);
    for fixture in ["chromium-sqlite-live", "webkit-origins-live", "webkit-origins"] {
        let (copy, files) = copied(fixture);
        for file in files {
            let file = file.strip_prefix(copy.path()).expect("in the copy");
            let wal_of = |file: &Path| {
                let name = file.file_name().expect("a name").to_string_lossy();
                file.with_file_name(format!("{name}-wal"))
            };
            let Ok(bytes) = fs::read(copy.path().join(wal_of(file))) else { continue };
            // What there was at any time: after each commit of the WAL, and before the first.
            let states: Vec<Items> = (32..=bytes.len())
                .step_by(FRAME)
                .filter_map(|length| {
                    fs::write(copy.path().join(wal_of(file)), &bytes[..length]).expect("writes");
                    try_read(&copy.path().join(file)).ok().map(|(_, reading)| items_of(&reading))
                })
                .collect();
            let is_silent = |path: &Path| {
                let Ok((_, reading)) = try_read(path) else { return false };
                for (key, value) in items_of(&reading) {
                    let was_there = states.iter().any(|state| state.get(&key) == Some(&value));
                    assert!(was_there, "{fixture} {}: {key:?} was not there", path.display());
                }
                !is_told(&reading.problems)
            };
            let all = if fixtures::is_full() { 0..bytes.len() } else { 0..0 };
            let boundaries = (32..bytes.len()).step_by(FRAME);
            let others = [1, 31, 33, 32 + FRAME / 2, bytes.len() - 1];
            let lengths: BTreeSet<usize> = boundaries.chain(others).chain(all.skip(1)).collect();
            let lengths: Vec<usize> = lengths.into_iter().collect();
            let ends = everywhere(fixture, file, &lengths, |path, length| {
                fs::write(wal_of(path), &bytes[..length]).expect("writes");
                let is_silent = is_silent(path);
                assert!(
                    !is_silent || length >= 32 && (length - 32).is_multiple_of(FRAME),
                    "{fixture} {length}"
                );
                is_silent
            });
            let step = if fixtures::is_full() { 1 } else { 9973 };
            let places: Vec<usize> = (0..bytes.len()).step_by(step).collect();
            everywhere(fixture, file, &places, |path, at| {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << (at % 8);
                fs::write(wal_of(path), &changed).expect("writes");
                assert!(!is_silent(path), "{fixture} {at}");
                true
            });
            silent += ends;
            told += lengths.len() - ends + places.len();
        }
    }
    eprintln!("{told} damaged WALs told, {silent} cut at the end of a commit");
    assert!(told > 60 && silent > 3, "{told} {silent}");
}

/// What stands beside a database and says whose it is: every byte of it, since these files are small.
#[test]
fn an_origin_that_was_cut_or_changed_costs_no_item_and_a_cut_one_names_nobody_else() {
    let (mut cuts, mut changes) = (0, 0);
    for (fixture, name) in
        [("webkit-origins", "origin"), ("webkit-origins-live", "origin"), ("firefox-lsng", ".metadata-v2")]
    {
        let (_copy, files) = copied(fixture);
        for file in files {
            let beside = file.parent().expect("a folder").with_file_name(name);
            if name != "origin" {
                let connection = Connection::open(&file).expect("opens");
                connection.execute_batch("UPDATE database SET origin = 'nonsense'").expect("writes");
                connection.close().expect("closes");
            }
            let whole = read(&file);
            let [storage] = &whole.storages[..] else { panic!("{}", file.display()) };
            let bytes = fs::read(&beside).expect("reads");
            for length in 0..bytes.len() {
                fs::write(&beside, &bytes[..length]).expect("writes");
                let reading = read(&file);
                let [cut] = &reading.storages[..] else { panic!("{} {length}", file.display()) };
                assert_eq!(cut.items, storage.items, "{length}");
                let is_same = (&cut.origin, &cut.partition) == (&storage.origin, &storage.partition);
                // Of Firefox, the folder's name says it as well.
                let is_told = tells(&reading, "whose");
                assert!(is_told && (is_same || name == "origin" && cut.origin.is_none()), "{length}");
                cuts += 1;
            }
            let flips = (0..bytes.len()).flat_map(|at| [1 << (at % 8), 0xFF].map(|bits| (at, bits)));
            for (at, bits) in flips {
                let mut damaged = bytes.clone();
                damaged[at] ^= bits;
                fs::write(&beside, &damaged).expect("writes");
                let reading = read(&file);
                let items: Vec<_> = reading.storages.iter().flat_map(|storage| &storage.items).collect();
                assert_eq!(items, storage.items.iter().collect::<Vec<_>>(), "{at}");
                let is_named = reading.storages.iter().all(|storage| storage.origin.is_some());
                assert!(is_named || tells(&reading, "whose"), "{at}");
                changes += 1;
            }
            fs::write(&beside, &bytes).expect("writes");
        }
    }
    eprintln!("{cuts} cuts and {changes} changed bytes of files that say whose storage it is");
    assert!(cuts > 600 && changes > 1200, "{cuts} {changes}");
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
