//! A source that is swapped, removed, cut or overwritten while it is read: an error, or the content of the
//! transaction that was open, never a mix. And one that other users of SQLite change: always that content.

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

/// WAL mode, and a WAL that holds a commit while somebody else has the database open.
const IN_USE: &str = "wal in use";

/// Three tables of several hundred pages each, so that much is still unread when a phase begins. Whoever has the
/// database open is returned.
fn create(path: &Path, journal_mode: &str, mark: &str) -> Option<Connection> {
    let is_in_use = journal_mode == IN_USE;
    let journal_mode = if is_in_use { "wal" } else { journal_mode };
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
    if !is_in_use {
        return None;
    }
    connection
        .execute_batch("PRAGMA wal_checkpoint(TRUNCATE); UPDATE one SET v = v || ' late' WHERE id % 500 = 0;")
        .expect("left in the WAL");
    Some(connection)
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
    side_by_side: bool,
    (name, deed): (&str, Deed),
    number: usize,
) -> Option<bool> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    let user = create(&at("source.db"), journal_mode, "a");
    create(&at("other.db"), "delete", "b");
    let expected = dump(&at("source.db")).expect("healthy");
    let act = || deed(&at("source.db"), &at("other.db"));
    let progress = AtPhase { number, begun: AtomicUsize::new(0), act: &act };
    let mut options = ExportOptions { copy_first, ..export_options(&at("out")) };
    if side_by_side {
        // With less memory, tables are read one after another.
        options.memory_limit_bytes = 256 << 20;
    }
    let result = export_with(&at("source.db"), &options, &progress);
    drop(user);
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
    for (side_by_side, deed) in [false, true].into_iter().flat_map(|way| DEEDS.map(|deed| (way, deed))) {
        let mut published = Vec::new();
        while let Some(is_published) =
            export_during(journal_mode, copy_first, side_by_side, deed, published.len())
        {
            published.push(is_published);
        }
        let least = if side_by_side { 2 } else { 4 };
        assert!(published.len() >= least, "three tables are read, and then matched: {published:?}");
        if matches!(deed.0, "replaced" | "deleted") {
            assert!(published.iter().all(|&published| published), "an open file outlives its name");
        }
        crate::support::say(&format!(
            "{journal_mode}, {}, copy first: {copy_first}, side by side: {side_by_side}: {published:?}",
            deed.0
        ));
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

#[test]
fn a_source_whose_wal_is_in_use_and_that_is_swapped_or_cut_makes_no_mixed_snapshot() {
    at_every_phase(IN_USE, false);
    at_every_phase(IN_USE, true);
}

/// What another user of SQLite does, and whether it can while a reader is there: in rollback mode, in WAL mode.
const CHANGES: [(&str, &str, [bool; 2]); 7] = [
    ("rows changed", "UPDATE three SET v = 'later'; DELETE FROM two", [false, true]),
    (
        "a column added",
        "ALTER TABLE three ADD COLUMN more DEFAULT 7; UPDATE three SET more = id",
        [false, true],
    ),
    (
        "a table replaced",
        "DROP TABLE two; CREATE TABLE two(other, things); INSERT INTO two VALUES (1, 2)",
        [false, true],
    ),
    (
        "all tables dropped",
        "DROP TABLE one; DROP TABLE two; DROP TABLE three; CREATE TABLE four(a)",
        [false, true],
    ),
    ("vacuumed", "DELETE FROM one; VACUUM", [false, true]),
    ("folded in", "UPDATE two SET v = 'later'; PRAGMA wal_checkpoint(TRUNCATE)", [false, true]),
    // Without an error: it answers with the mode that stays.
    (
        "another journal mode",
        "PRAGMA journal_mode=DELETE; PRAGMA journal_mode=WAL; PRAGMA journal_mode=DELETE",
        [false, false],
    ),
];

/// Exports while another user of SQLite does `sql` at the beginning of phase `number`.
fn export_beside(journal_mode: &str, (name, sql, can): (&str, &str, [bool; 2]), number: usize) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    let user = create(&at("source.db"), journal_mode, "a");
    let expected = dump(&at("source.db")).expect("healthy");
    let what = format!("{journal_mode}, {name} at phase {number}");
    let act = || {
        let other = Connection::open(at("source.db")).expect("opened");
        other.busy_timeout(std::time::Duration::ZERO).expect("set");
        let done = other.execute_batch(sql);
        let expected = can[usize::from(journal_mode != "delete")];
        assert_eq!(done.is_ok(), expected, "{what}: {done:?}");
    };
    let progress = AtPhase { number, begun: AtomicUsize::new(0), act: &act };
    export_with(&at("source.db"), &export_options(&at("out")), &progress)
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    drop(user);
    restore_fresh(&at("out"), &at("restored.db")).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(dump(&at("restored.db")).as_ref() == Ok(&expected), "{what}: not what the transaction saw");
    assert_eq!(stages(folder.path()), Vec::<String>::new(), "{what}");
}

#[test]
fn what_other_users_of_sqlite_change_meanwhile_is_not_in_the_snapshot() {
    for change in CHANGES {
        for journal_mode in ["delete", "wal", IN_USE] {
            // Between the catalog and the first table, between tables, and before the last one.
            for number in if is_full_run() { 0..3 } else { 1..2 } {
                export_beside(journal_mode, change, number);
            }
        }
    }
}

#[test]
fn a_wal_that_somebody_deletes_meanwhile_is_read_to_its_end() {
    for ending in ["-wal", "-shm"] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        let user = create(&at("source.db"), IN_USE, "a");
        let expected = dump(&at("source.db")).expect("healthy");
        let act = || fs::remove_file(at(&format!("source.db{ending}"))).expect("it was there");
        let progress = AtPhase { number: 0, begun: AtomicUsize::new(0), act: &act };
        export_with(&at("source.db"), &export_options(&at("out")), &progress)
            .expect("an open file outlives its name");
        drop(user);
        restore_fresh(&at("out"), &at("restored.db")).expect("restored");
        assert!(dump(&at("restored.db")).as_ref() == Ok(&expected), "{ending}");
    }
}

/// The main file alone: what lies in the WAL hides nothing of it.
#[test]
fn a_source_that_is_overwritten_beside_its_wal_is_noticed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    let user = create(&at("source.db"), IN_USE, "a");
    create(&at("other.db"), "delete", "b");
    assert!(fs::metadata(at("source.db-wal")).expect("a WAL").len() > 4096, "it holds something");
    let act = || {
        let file = fs::OpenOptions::new().write(true).open(at("source.db")).expect("opened");
        let bytes = fs::read(at("other.db")).expect("read");
        // The second half: whoever reads on finds other rows in good order.
        let half = bytes.len() / 8192 * 4096;
        file.write_all_at(&bytes[half..], half as u64).expect("overwritten");
    };
    let progress = AtPhase { number: 0, begun: AtomicUsize::new(0), act: &act };
    let error = export_with(&at("source.db"), &export_options(&at("out")), &progress).expect_err("noticed");
    assert!(error.to_string().contains("without SQLite's locks"), "{error}");
    assert!(!at("out").exists());
    drop(user);
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
