//! A source that is swapped, removed, cut or overwritten while it is read: an error, or the content of the
//! transaction that was open, never a mix.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use parklite::export::ExportOptions;
use parklite::progress::{Phase, Progress};
use rusqlite::Connection;

use crate::support::{dump, export_options, export_with, is_full_run, names, restore_fresh, stages};

/// Does something at the beginning of one phase of a run.
struct AtPhase<'a> {
    number: usize,
    begun: AtomicUsize,
    act: &'a (dyn Fn() + Sync),
}

impl Progress for AtPhase<'_> {
    fn set_run_total(&self, _bytes: u64) {}

    fn begin(&self, _phase: Phase<'_>) {
        if self.begun.fetch_add(1, Ordering::Relaxed) == self.number {
            (self.act)();
        }
    }

    fn advance(&self, _rows: u64, _bytes: u64) {}
    fn end(&self) {}
    fn note(&self, _message: &str) {}
}

/// Three tables of several hundred pages each, so that much is still unread when a phase begins.
fn create(path: &Path, journal_mode: &str, mark: &str) {
    let connection = Connection::open(path).expect("created");
    let rows = if is_full_run() { 40_000 } else { 4_000 };
    connection
        .execute_batch(&format!("PRAGMA journal_mode={journal_mode}; PRAGMA wal_autocheckpoint=0;"))
        .expect("set");
    for table in ["one", "two", "three"] {
        connection
            .execute_batch(&format!(
                "CREATE TABLE {table}(id INTEGER PRIMARY KEY, v TEXT);
                 WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {rows})
                 INSERT INTO {table} SELECT n, '{mark}' || printf('%0150d', n) FROM numbers;"
            ))
            .expect("filled");
    }
}

/// Done to the source, given another database.
type Deed = fn(&Path, &Path);

/// What is done to the source, given the file to put in its place.
const DEEDS: [(&str, Deed); 5] = [
    ("replaced", |source, other| {
        let copy = source.with_extension("copy");
        fs::copy(other, &copy).expect("copied");
        fs::rename(copy, source).expect("renamed");
    }),
    ("deleted", |source, _| fs::remove_file(source).expect("removed")),
    ("cut", |source, _| {
        let file = fs::OpenOptions::new().write(true).open(source).expect("opened");
        file.set_len(file.metadata().expect("there").len() / 8192 * 4096).expect("cut");
    }),
    ("emptied", |source, _| {
        fs::OpenOptions::new().write(true).truncate(true).open(source).expect("emptied");
    }),
    ("overwritten", |source, other| {
        let file = fs::OpenOptions::new().write(true).open(source).expect("opened");
        file.write_all_at(&fs::read(other).expect("read"), 0).expect("overwritten");
    }),
];

/// Exports while `deed` is done at the beginning of phase `number`; `None` where there is no such phase.
fn export_during(
    journal_mode: &str,
    copy_first: bool,
    (name, deed): (&str, Deed),
    number: usize,
) -> Option<bool> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    create(&at("source.db"), journal_mode, "a");
    create(&at("other.db"), "delete", "b");
    let expected = dump(&at("source.db")).expect("healthy");
    let act = || deed(&at("source.db"), &at("other.db"));
    let progress = AtPhase { number, begun: AtomicUsize::new(0), act: &act };
    let options = ExportOptions { copy_first, ..export_options(&at("out")) };
    let result = export_with(&at("source.db"), &options, &progress);
    if progress.begun.load(Ordering::Relaxed) <= number {
        return None;
    }
    let what = format!("{journal_mode}, {name} at phase {number}, copy first: {copy_first}");
    assert_eq!(stages(folder.path()), Vec::<String>::new(), "{what}");
    if let Err(error) = result {
        assert!(!at("out").exists(), "{what}: {error}");
        return Some(false);
    }
    restore_fresh(&at("out"), &at("restored.db")).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(
        dump(&at("restored.db")).as_ref() == Ok(&expected),
        "{what}: the snapshot is not what the transaction saw; {:?}",
        names(folder.path())
    );
    Some(true)
}

fn at_every_phase(journal_mode: &str, copy_first: bool) {
    for deed in DEEDS {
        let mut published = Vec::new();
        while let Some(is_published) = export_during(journal_mode, copy_first, deed, published.len()) {
            published.push(is_published);
        }
        assert!(published.len() >= 6, "three tables are read and matched: {published:?}");
        if matches!(deed.0, "replaced" | "deleted") {
            assert!(published.iter().all(|&published| published), "an open file outlives its name");
        }
        crate::support::say(&format!("{journal_mode}, {}, copy first: {copy_first}: {published:?}", deed.0));
    }
}

#[test]
fn a_source_in_rollback_mode_that_is_swapped_or_cut_makes_no_mixed_snapshot() {
    at_every_phase("delete", false);
    at_every_phase("delete", true);
}

#[test]
fn a_source_in_wal_mode_that_is_swapped_or_cut_makes_no_mixed_snapshot() {
    at_every_phase("wal", false);
    at_every_phase("wal", true);
}

/// Reading is over when matching begins, so writers need not wait for the rest.
#[test]
fn writers_go_on_while_what_was_read_is_matched() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let database = folder.path().join("source.db");
    create(&database, "delete", "a");
    let before = dump(&database).expect("healthy");
    let writer = Connection::open(&database).expect("opened");
    let writer = std::sync::Mutex::new(writer);
    let act = || {
        let writer = writer.lock().expect("one user");
        writer.execute_batch("INSERT INTO one VALUES (-1, 'later')").expect("no lock is in the way");
    };
    let progress = AtPhase { number: 3, begun: AtomicUsize::new(0), act: &act };
    let out = folder.path().join("out");
    export_with(&database, &export_options(&out), &progress).expect("exported");
    assert!(progress.begun.load(Ordering::Relaxed) > 3);
    let restored = folder.path().join("restored.db");
    restore_fresh(&out, &restored).expect("restored");
    assert!(dump(&restored).as_ref() == Ok(&before), "the snapshot is older than that write");
}
