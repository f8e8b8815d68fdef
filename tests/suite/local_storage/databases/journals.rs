//! Rollback journals that were left behind, whole and damaged: what was never committed is not read without a word.

use std::ops::Range;

use super::*;

const NAME: &str = "https_app.example_0.localstorage";
/// Of the files that are made here.
const PAGE: usize = 1024;
const RECORD: usize = PAGE + 8;
const SECTOR: usize = 512;

/// A file in the middle of a transaction that has changed every value, as it lies there when the power fails.
fn dead(settings: &str) -> (TempDir, PathBuf) {
    let (live, path) = made(NAME, "");
    let browser = Connection::open(&path).expect("opens");
    let rows = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 60) \
                SELECT 'key ' || n, CAST('o' || char(0) || hex(zeroblob(150)) AS BLOB) FROM n";
    let sql = format!(
        "PRAGMA page_size={PAGE}; {settings} \
         CREATE TABLE ItemTable (key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB NOT NULL ON CONFLICT FAIL); \
         INSERT INTO ItemTable {rows}; PRAGMA cache_size=5; BEGIN; \
         UPDATE ItemTable SET value = CAST('N' || char(0) || hex(zeroblob(150)) AS BLOB);"
    );
    browser.execute_batch(&sql).expect("writes");
    let dead = folder();
    for name in [NAME.to_owned(), format!("{NAME}-journal")] {
        fs::copy(live.path().join(&name), dead.path().join(&name)).expect("copies");
    }
    drop(browser);
    let path = dead.path().join(NAME);
    (dead, path)
}

/// Whether every value is the committed one, and whether it is told that some may not be.
fn state(path: &Path) -> (bool, bool) {
    match try_read(path) {
        Err(_) => (false, true),
        Ok((_, reading)) => {
            let values = texts(&reading);
            let is_committed = values.len() == 60 && values.values().all(|value| value.starts_with('o'));
            (is_committed, is_told(&reading.problems))
        }
    }
}

#[test]
fn what_was_never_committed_is_told_where_a_journal_is_damaged() {
    let (mut tried, mut mixed) = (0, 0);
    for settings in ["", "PRAGMA synchronous=OFF;", "PRAGMA journal_mode=PERSIST;"] {
        let (_folder, path) = dead(settings);
        let beside = path.with_file_name(format!("{NAME}-journal"));
        let whole = fs::read(&beside).expect("a journal");
        assert_eq!(state(&path), (true, false), "{settings}: a whole one is rolled back without a word");
        let mut check = |journal: &[u8], what: &str| {
            fs::write(&beside, journal).expect("writes");
            let (is_committed, is_told) = state(&path);
            assert!(is_committed || is_told, "{settings} {what}: values that were never committed, unsaid");
            tried += 1;
            mixed += usize::from(!is_committed);
        };
        // Where it ends as SQLite may end one there is nothing to see.
        let ends = ends(&whole);
        let step = if fixtures::is_full() { 13 } else { 1117 };
        for length in (1..whole.len()).step_by(step).filter(|at| !ends.iter().any(|end| end.contains(at))) {
            check(&whole[..length], &format!("cut to {length}"));
        }
        let numbers = (0..whole.len() / RECORD).map(|record| SECTOR + record * RECORD);
        let places = (0..28).chain(numbers.flat_map(|at| [at + 3, at + 4 + 24, at + RECORD - 1]));
        let wanted = places.filter(|&at| at < whole.len()).step_by(if fixtures::is_full() { 1 } else { 5 });
        for at in wanted {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            check(&changed, &format!("byte {at} changed"));
        }
        for range in [0..4096, 0..whole.len(), 700..1200, whole.len() / 2..whole.len()] {
            let mut zeros = whole.clone();
            zeros[range.clone()].fill(0);
            check(&zeros, &format!("zeros in {range:?}"));
        }
    }
    eprintln!(
        "{tried} damaged journals, {mixed} of them left a state that never was, and all of these were told"
    );
    assert!(mixed > 30, "{mixed} of {tried}");
}

/// Between the last record of a header, and what makes the next one a header.
fn ends(journal: &[u8]) -> Vec<Range<usize>> {
    let magic = journal[..8].to_vec();
    let headers = (0..journal.len()).step_by(SECTOR).filter(|&at| journal[at..].starts_with(&magic));
    let end = |at: usize| {
        let count = u32::from_be_bytes(journal[at + 8..at + 12].try_into().expect("four bytes"));
        let end = at + SECTOR + RECORD * usize::try_from(count).expect("in range");
        end..end.next_multiple_of(SECTOR) + 8
    };
    if journal[8..12] == [0xff; 4] {
        return (SECTOR..=journal.len()).step_by(RECORD).map(|at| at..at + 1).collect();
    }
    headers.map(end).collect()
}
