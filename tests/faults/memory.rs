//! The memory limit holds, shown under a hard limit of the address space (`RLIMIT_AS`): whatever asks for more is
//! refused by the kernel, and the program ends.
//!
//! Address space is more than memory: it counts the program's own code, the libraries, and the stacks of threads whether
//! they are used or not. That is [`PROGRAM_BYTES`]. The C library's arenas reserve 64 MiB for each thread without using
//! them, so the program is told to make do with one. That a bound means something is shown by a run that does not keep
//! to it and so cannot end well.

#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rusqlite::Connection;

use crate::support::{PARKLITE, ending, is_full_run, parklite, run, say, tree};

const MIB: u64 = 1 << 20;

/// The least limit that can be asked for.
const LIMIT_BYTES: u64 = 64 * MIB;

/// Address space of the program whatever the limit: about 50 MiB of code and libraries, stacks of 2 to 8 MiB per thread,
/// and what the limit does not count.
const PROGRAM_BYTES: u64 = 128 * MIB;

/// How often the largest row may be in memory.
const COPIES_OF_ROW: u64 = 4;

const EXPORT: [&str; 5] = ["export", "source.db", "-o", "out", "--overwrite"];

/// Exporting with its verification, verifying in two ways, looking, restoring with its verification.
const RUNS: [&[&str]; 5] = [
    &EXPORT,
    &["verify", "--data", "out"],
    &["verify", "out"],
    &["inspect", "out", "--columns"],
    &["restore", "out", "restored.db", "--overwrite", "--discard-old"],
];

/// Runs the program within `address_space` bytes.
fn run_within(folder: &Path, address_space: u64, arguments: &[&str]) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v \"$0\" && exec \"$@\"", &(address_space / 1024).to_string(), PARKLITE]);
    command.args(arguments).arg("--quiet").current_dir(folder).stdin(Stdio::null());
    run(command.env("MALLOC_ARENA_MAX", "1"))
}

/// A database `source.db` in a folder of its own, filled by `sql`.
fn source(sql: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let connection = Connection::open(folder.path().join("source.db")).expect("created");
    connection.execute_batch("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;").expect("set");
    connection.execute_batch(sql).expect("filled");
    folder
}

/// What a decoder takes for each column, whatever it holds.
const COLUMN_BYTES: u64 = 128 * 1024;

/// Every verb under the least limit, then the same bytes under other limits with other numbers of threads.
fn every_verb_keeps_to_the_limit(what: &str, folder: &Path, largest_row_bytes: u64, columns: u64) -> u64 {
    let on_top = COPIES_OF_ROW * largest_row_bytes + columns * COLUMN_BYTES;
    let address_space = LIMIT_BYTES + on_top + PROGRAM_BYTES;
    let size = fs::metadata(folder.join("source.db")).expect("there").len();
    say(&format!("memory: {what}, {} MiB, within {} MiB", size / MIB, address_space / MIB));
    for arguments in RUNS {
        let limits = ["--memory-limit", "64MiB", "--threads", "2"];
        let limits = if arguments[0] == "inspect" { &[][..] } else { &limits[..] };
        let ended = run_within(folder, address_space, &[arguments, limits].concat());
        assert!(ended.status.success(), "{what}: {arguments:?}: {}", ending(&ended));
    }
    let written = snapshot(&folder.join("out"));
    let ways: &[[&str; 2]] = if is_full_run() {
        &[["1GiB", "1"], ["1GiB", "4"], ["64MiB", "1"], ["64MiB", "4"], ["200MiB", "3"]]
    } else {
        &[["1GiB", "4"]]
    };
    for [limit, threads] in ways {
        let more = ["--no-verify", "--memory-limit", limit, "--threads", threads];
        let ended = run(&mut parklite(folder, [&EXPORT[..], &more].concat()));
        assert!(ended.status.success(), "{what}: {limit}, {threads} threads: {}", ending(&ended));
        let again = snapshot(&folder.join("out"));
        assert!(again == written, "{what}: {limit} and {threads} threads change what is written");
    }
    address_space
}

/// The data files of a snapshot.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut files = tree(folder);
    files.retain(|path, _| path.extension().is_some_and(|extension| extension == "parquet"));
    assert!(!files.is_empty());
    files
}

/// Exports with the allocator as it is, and compares the peak of resident memory with what is promised.
fn export_stays_within(what: &str, folder: &Path, limit_mib: u64, more: &[&str], largest_rows_bytes: u64) {
    let limit = format!("{limit_mib}MiB");
    let arguments = [&EXPORT[..], &["--memory-limit", &limit], more].concat();
    let mut command = parklite(folder, &arguments);
    let (ended, peak) = crate::peak_memory::peak_of(&mut command);
    assert!(ended.success(), "{what}: {ended}");
    let bound = (limit_mib + 48) * 1024 + (COPIES_OF_ROW * largest_rows_bytes + 64 * COLUMN_BYTES) / 1024;
    say(&format!("memory: {what}: {peak} KiB resident of {bound}"));
    assert!(peak > 0 && peak <= bound, "{what}: {peak} KiB resident, {bound} promised");
}

#[test]
fn tables_whose_later_rows_are_larger_keep_to_the_limit_side_by_side() {
    let tables: Vec<String> = (0..8)
        .map(|table| {
            format!(
                "CREATE TABLE t{table}(id INTEGER PRIMARY KEY, b BLOB);
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2200)
                 INSERT INTO t{table} SELECT i, CASE WHEN i <= 1000 THEN x'00' ELSE randomblob(60000) END FROM n;"
            )
        })
        .collect();
    let folder = source(&tables.concat());
    export_stays_within("later rows are larger", folder.path(), 256, &["--threads", "8", "--no-verify"], 0);
}

#[test]
fn many_threads_do_not_each_keep_memory_that_was_given_back() {
    let columns: Vec<String> = (0..60).map(|column| format!("c{column}")).collect();
    let values: Vec<String> = (0..60)
        .map(|column| {
            if column % 3 == 0 { format!("i * {column} % 1000 / 8.0") } else { format!("i * {column} % 100") }
        })
        .collect();
    let folder = source(&format!(
        "CREATE TABLE w(id INTEGER PRIMARY KEY, {});
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)
         INSERT INTO w SELECT i, {} FROM n;",
        columns.join(","),
        values.join(",")
    ));
    export_stays_within("sixteen threads", folder.path(), 64, &["--threads", "16"], 0);
}

#[test]
fn a_few_large_rows_among_small_ones_in_no_order_are_in_memory_four_times_at_most() {
    const LARGE: u64 = 60_000_000;
    let folder = source(&format!(
        "CREATE TABLE g(id INTEGER PRIMARY KEY, _created_at INTEGER NOT NULL, b BLOB);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
         INSERT INTO g SELECT i, i * 7919 % 1000003,
            CASE WHEN i % 7500 = 0 THEN zeroblob({LARGE}) ELSE randomblob(200) END FROM n;"
    ));
    for threads in ["1", "2"] {
        let more = ["--threads", threads, "--no-verify", "--order-by", "g=_created_at"];
        export_stays_within("large rows in no order", folder.path(), 64, &more, LARGE);
    }
}

#[test]
fn cells_of_40_mb_pass_every_verb_within_the_limit() {
    const CELL: u64 = 40_000_000;
    let rows = if is_full_run() { 16 } else { 3 };
    let folder = source(&format!(
        "CREATE TABLE big(id INTEGER PRIMARY KEY, name TEXT, body);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
         INSERT INTO big(name, body)
         SELECT 'large ' || i, CASE WHEN i % 2 THEN randomblob({CELL}) ELSE hex(randomblob({CELL} / 2)) END FROM n
         UNION ALL SELECT 'small ' || i, i FROM n;"
    ));
    every_verb_keeps_to_the_limit("cells of 40 MB", folder.path(), CELL, 3);
}

#[test]
fn two_thousand_columns_pass_every_verb_within_the_limit() {
    const COLUMNS: usize = 2_000;
    let rows = if is_full_run() { 9_000 } else { 2_200 };
    let terms = ["i * {}", "i / 7.0 + {}", "'text ' || (i + {}) % 50", "x'00' || (i * {})", "NULL"];
    let column = |index: usize| terms[index % terms.len()].replace("{}", &index.to_string());
    let names: Vec<String> = (0..COLUMNS).map(|index| format!("c{index}")).collect();
    let values: Vec<String> = (0..COLUMNS).map(column).collect();
    let folder = source(&format!(
        "CREATE TABLE wide({});
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
         INSERT INTO wide SELECT {} FROM n;",
        names.join(", "),
        values.join(", ")
    ));
    every_verb_keeps_to_the_limit("2000 columns", folder.path(), 0, 2_001);
}

#[test]
fn a_table_in_no_order_larger_than_the_limit_is_sorted_within_it() {
    let rows = if is_full_run() { 2_000_000 } else { 450_000 };
    let folder = source(&format!(
        "CREATE TABLE events(_created_at INTEGER NOT NULL, event_type TEXT NOT NULL, payload BLOB NOT NULL);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
         INSERT INTO events SELECT i * 7919 % 1000003, 'type ' || i % 7, randomblob(480) FROM n;"
    ));
    let address_space = every_verb_keeps_to_the_limit("rows in no order", folder.path(), 0, 4);
    let in_memory = [&EXPORT[..], &["--no-verify", "--memory-limit", "8GiB", "--threads", "2"]].concat();
    let ended = run_within(folder.path(), address_space, &in_memory);
    assert!(!ended.status.success(), "the bound tells nothing: everything fits into it");
}

#[test]
fn a_table_almost_in_order_larger_than_the_limit_passes_every_verb_within_it() {
    let rows = if is_full_run() { 2_000_000 } else { 350_000 };
    // Some rows come a little late, and some far too late or too early.
    let folder = source(&format!(
        "CREATE TABLE events(_created_at INTEGER NOT NULL, event_type TEXT NOT NULL, payload BLOB NOT NULL);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
         INSERT INTO events SELECT i + (i % 50 = 7) * (i * 31 % 900) + (i % 900 = 8) * 99000 - (i % 900 = 9) * 99000,
            'type ' || i % 7, randomblob(480) FROM n;"
    ));
    every_verb_keeps_to_the_limit("rows almost in order", folder.path(), 0, 4);
}

/// The export under the least limit, without the other verbs.
fn export_keeps_to_the_limit(what: &str, folder: &Path, largest_row_bytes: u64, more_arguments: &[&str]) {
    let address_space = LIMIT_BYTES + COPIES_OF_ROW * largest_row_bytes + PROGRAM_BYTES;
    let size = fs::metadata(folder.join("source.db")).expect("there").len();
    say(&format!("memory: {what}, {} MiB, within {} MiB", size / MIB, address_space / MIB));
    let more = ["--no-verify", "--memory-limit", "64MiB", "--threads", "2"];
    let ended = run_within(folder, address_space, &[&EXPORT[..], more_arguments, &more].concat());
    assert!(ended.status.success(), "{what}: {}", ending(&ended));
    snapshot(&folder.join("out"));
}

#[test]
fn one_row_that_comes_far_too_early_does_not_keep_those_after_it_in_memory() {
    let rows = if is_full_run() { 2_000_000 } else { 500_000 };
    let folder = source(&format!(
        "CREATE TABLE events(_created_at INTEGER NOT NULL, event_type TEXT NOT NULL, payload BLOB NOT NULL);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
         INSERT INTO events SELECT i + (i = 500) * 9000000000, 'type ' || i % 7, randomblob(480) FROM n;"
    ));
    export_keeps_to_the_limit("one row far too early", folder.path(), 0, &[]);
}

#[test]
fn rows_ordered_by_large_blobs_are_looked_at_within_the_limit() {
    const CELL: u64 = 5_000_000;
    let folder = source(&format!(
        "CREATE TABLE blobs(id INTEGER PRIMARY KEY, body BLOB NOT NULL);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 64)
         INSERT INTO blobs SELECT i, randomblob({CELL}) FROM n;"
    ));
    export_keeps_to_the_limit(
        "rows ordered by large blobs",
        folder.path(),
        CELL,
        &["--order-by", "blobs=body"],
    );
}

#[test]
fn blobs_that_begin_with_nothing_but_0xff_pass_every_verb_within_the_limit_and_stay_small() {
    const CELL: u64 = 1_000_000;
    let rows = if is_full_run() { 1_500 } else { 300 };
    let folder = source(&format!(
        "CREATE TABLE full(id INTEGER PRIMARY KEY, body BLOB);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
         INSERT INTO full(body) SELECT unhex(replace(hex(zeroblob({CELL})), '0', 'F')) FROM n;"
    ));
    every_verb_keeps_to_the_limit("blobs of 0xFF", folder.path(), CELL, 2);
    // A maximum that cannot be cut would be in the footer and the page index, once for each of them.
    let size: usize =
        snapshot(&folder.path().join("out")).into_values().flatten().map(|bytes| bytes.len()).sum();
    assert!((size as u64) < CELL, "{size} bytes");
}
