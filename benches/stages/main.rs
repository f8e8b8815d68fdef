//! How long the stages of the work take, one by one: `cargo bench`, or `cargo bench -- encode`.
//!
//! For changes to one stage. Whole runs, beside rivals and with what must be reached, are measured by
//! `scripts/bench_peers`. Only the library's public verbs and types are called, so a stage that has none of its own is
//! measured through the verb it is part of, with little else to do: encoding as an export of one column, to be compared
//! with the export of a column of nothing; ordering as an export of two small columns; inserting as a restore that is
//! not verified. Files are written to the system's temporary folder.

mod databases;

use std::cell::Cell as Counter;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use parklite::clock::FixedClock;
use parklite::content::{Content, ContentOptions};
use parklite::digest::RowHasher;
use parklite::durable::Existing;
use parklite::error::Result;
use parklite::export::{ExportOptions, Selection, export};
use parklite::matching::MatchingResources;
use parklite::parquet_file::WriterSettings;
use parklite::progress::Silent;
use parklite::restore::{ExistingDatabase, RestoreOptions, restore};
use parklite::run::{Interrupt, Run};
use parklite::schema::Cell;
use parklite::sqlite::open::OpenOptions;
use rusqlite::{Connection, OpenFlags};

use databases::{Database, Disorder, Kind, ROWS};

const MEMORY_BYTES: u64 = 256 * 1024 * 1024;

fn main() {
    divan::main();
}

/// Rows from a database: what SQLite itself takes to walk the table.
#[divan::bench(max_time = 3, sample_size = 1)]
fn read_steps_of_sqlite(bencher: Bencher) {
    let database = Database::of_events();
    let connection =
        Connection::open_with_flags(database.path(), OpenFlags::SQLITE_OPEN_READ_ONLY).expect("opens");
    bencher.counter(ItemsCount::new(ROWS)).counter(BytesCount::new(database.size_bytes())).bench_local(
        || {
            let mut statement = connection.prepare("SELECT * FROM rows NOT INDEXED").expect("is sound");
            let mut rows = statement.query([]).expect("runs");
            let mut count = 0;
            while rows.next().expect("steps").is_some() {
                count += 1;
            }
            assert_eq!(count, ROWS);
        },
    );
}

/// Rows from a database: every cell, as the verbs read them.
#[divan::bench(max_time = 3, sample_size = 1)]
fn read_cells(bencher: Bencher) {
    let database = Database::of_events();
    let content = open(&database.path());
    bencher.counter(ItemsCount::new(ROWS)).counter(BytesCount::new(database.size_bytes())).bench_local(
        || {
            let mut bytes = 0;
            each_row(&content, |_, cells| bytes += cells.iter().map(Cell::size_bytes).sum::<usize>());
            black_box(bytes)
        },
    );
}

/// An export of one column of each kind; `Nothing` is what all of them share.
#[divan::bench(args = [
    Kind::Nothing,
    Kind::Integers,
    Kind::Reals,
    Kind::Times,
    Kind::Uuids,
    Kind::Json,
    Kind::Categories,
], max_time = 2, sample_size = 1)]
fn encode(bencher: Bencher, kind: Kind) {
    bench_export(bencher, &Database::of_kind(kind));
}

/// An export of rows that lie in order, almost, or not at all.
#[divan::bench(args = [Disorder::None, Disorder::Late, Disorder::Full], max_time = 2, sample_size = 1)]
fn order(bencher: Bencher, disorder: Disorder) {
    bench_export(bencher, &Database::in_disorder(disorder));
}

/// The content digest of rows that are in memory.
#[divan::bench(max_time = 2, sample_size = 1)]
fn digest(bencher: Bencher) {
    let database = Database::of_events();
    let mut rows: Vec<(Option<i64>, Vec<Owned>)> = Vec::new();
    let mut bytes = 0;
    each_row(&open(&database.path()), |rowid, cells| {
        bytes += cells.iter().map(Cell::size_bytes).sum::<usize>();
        rows.push((rowid, cells.iter().map(Owned::of).collect()));
    });
    let rows: Vec<(Option<i64>, Vec<Cell<'_>>)> =
        rows.iter().map(|(rowid, cells)| (*rowid, cells.iter().map(Owned::cell).collect())).collect();
    bencher.counter(ItemsCount::new(ROWS)).counter(BytesCount::new(bytes)).bench_local(|| {
        let mut hasher = RowHasher::default();
        for (rowid, cells) in &rows {
            hasher.add_row(*rowid, black_box(cells));
        }
        hasher.take()
    });
}

/// Rows from a snapshot: every cell, in one thread.
#[divan::bench(max_time = 3, sample_size = 1)]
fn decode_cells(bencher: Bencher) {
    let database = Database::of_events();
    let snapshot = export_once(&database, 0);
    let content = open(&snapshot);
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        let mut bytes = 0;
        each_row(&content, |_, cells| bytes += cells.iter().map(Cell::size_bytes).sum::<usize>());
        black_box(bytes)
    });
}

/// Rows from a snapshot: to the content digest, in all threads.
#[divan::bench(max_time = 3, sample_size = 1)]
fn decode_to_digest(bencher: Bencher) {
    let database = Database::of_events();
    let snapshot = export_once(&database, 0);
    let content = open(&snapshot);
    let resources = MatchingResources { threads: threads(), memory_limit_bytes: MEMORY_BYTES };
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        with_run(|run| content.digest_table(0, resources, run)).expect("the snapshot is whole")
    });
}

/// A restore of one small column and no index, not verified.
#[divan::bench(max_time = 3, sample_size = 1)]
fn insert_without_indexes(bencher: Bencher) {
    bench_restore(bencher, &Database::of_kind(Kind::Integers));
}

/// A restore of 13 columns, a UNIQUE text and an index, not verified.
#[divan::bench(max_time = 3, sample_size = 1)]
fn insert_events(bencher: Bencher) {
    bench_restore(bencher, &Database::of_events());
}

fn bench_export(bencher: Bencher, database: &Database) {
    let number = Counter::new(0);
    let next = || number.replace(number.get() + 1);
    bencher
        .counter(ItemsCount::new(ROWS))
        .with_inputs(next)
        .bench_local_values(|number| Removed(export_once(database, number)));
}

fn bench_restore(bencher: Bencher, database: &Database) {
    let snapshot = export_once(database, 0);
    let options = RestoreOptions {
        existing: ExistingDatabase::Refuse,
        verify: false,
        strict: false,
        memory_limit_bytes: MEMORY_BYTES,
        temp_folder: None,
        busy_timeout: Duration::ZERO,
    };
    let number = Counter::new(0);
    bencher
        .counter(ItemsCount::new(ROWS))
        .with_inputs(|| database.folder().join(format!("restored-{}.db", number.replace(number.get() + 1))))
        .bench_local_values(|target| {
            with_run(|run| restore(&snapshot, &target, &options, run)).expect("the snapshot is whole");
            Removed(target)
        });
}

/// Exports into a new folder beside the database.
fn export_once(database: &Database, number: u64) -> PathBuf {
    let output = database.folder().join(format!("snapshot-{number}"));
    let options = ExportOptions {
        output: Some(output.clone()),
        existing: Existing::Refuse,
        selection: Selection::default(),
        order_by: Vec::new(),
        settings: WriterSettings::default(),
        memory_limit_bytes: MEMORY_BYTES,
        threads: threads(),
        verify: false,
        strict: false,
        check_source: false,
        copy_first: false,
        temp_folder: None,
        open: OpenOptions::default(),
    };
    with_run(|run| export(&database.path(), &options, run)).expect("the database can be exported");
    output
}

fn open(path: &Path) -> Content {
    let options = ContentOptions {
        busy_timeout: Duration::ZERO,
        memory_limit_bytes: MEMORY_BYTES,
        threads: threads(),
        temp_folder: None,
    };
    with_run(|run| Content::open(path, &options, run)).expect("it opens")
}

fn each_row(content: &Content, mut take: impl FnMut(Option<i64>, &[Cell<'_>])) {
    let taken = with_run(|run| {
        content.for_each_row(0, run, |rowid, cells| {
            take(rowid, cells);
            Ok(())
        })
    });
    taken.expect("the rows can be read");
}

fn with_run<T>(act: impl FnOnce(Run<'_>) -> Result<T>) -> Result<T> {
    let clock = FixedClock("2026-11-20T09:30:00Z".parse().expect("a time"));
    act(Run { progress: &Silent, clock: &clock, interrupt: &Interrupt::new() })
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// An output that is removed when it goes, outside the time: divan drops results after the clock has stopped.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        let removed =
            if self.0.is_dir() { std::fs::remove_dir_all(&self.0) } else { std::fs::remove_file(&self.0) };
        removed.expect("the output is there");
    }
}

/// A cell that owns its value.
enum Owned {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    RawText(Vec<u8>),
    Blob(Vec<u8>),
}

impl Owned {
    fn of(cell: &Cell<'_>) -> Self {
        match *cell {
            Cell::Null => Self::Null,
            Cell::Integer(value) => Self::Integer(value),
            Cell::Real(value) => Self::Real(value),
            Cell::Text(text) => Self::Text(text.to_owned()),
            Cell::RawText(bytes) => Self::RawText(bytes.to_vec()),
            Cell::Blob(bytes) => Self::Blob(bytes.to_vec()),
        }
    }

    fn cell(&self) -> Cell<'_> {
        match self {
            Self::Null => Cell::Null,
            Self::Integer(value) => Cell::Integer(*value),
            Self::Real(value) => Cell::Real(*value),
            Self::Text(text) => Cell::Text(text),
            Self::RawText(bytes) => Cell::RawText(bytes),
            Self::Blob(bytes) => Cell::Blob(bytes),
        }
    }
}
