//! Memory stays near the stated limit, whatever the size of the table: rows in no order are spilled.
//!
//! What is measured is the peak of resident memory (`VmHWM`), asked for again and again while the program runs. It
//! is above a small limit by what the program is made of and by a few row groups of 32 MiB in their several forms,
//! which do not depend on the limit: what is written must not. Measured: up to 245 MiB with a limit of 16 MiB, for
//! 100 MB and for 800 MB alike. That the bound means something is shown by a run that need not spill.

#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rusqlite::Connection;

use crate::support::{ending, is_full_run, parklite, say};

const MIB: u64 = 1 << 20;

/// What may come on top of the limit: code and thread stacks, and row groups being built, encoded and written.
const OVERHEAD_BYTES: u64 = 320 * MIB;

/// Rows of 500 bytes whose order, by `_created_at`, has nothing to do with that of their rowids.
fn create(path: &Path, rows: u32) {
    let connection = Connection::open(path).expect("created");
    connection
        .execute_batch(&format!(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;
             CREATE TABLE events(_created_at INTEGER NOT NULL, event_type TEXT NOT NULL, payload BLOB NOT NULL);
             WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {rows})
             INSERT INTO events SELECT n * 7919 % 1000003, 'type ' || n % 7, randomblob(480) FROM numbers;"
        ))
        .expect("filled");
}

/// The peak of one process, in bytes; 0 of one that is gone.
fn resident_peak(id: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// A snapshot is read by a process that the program starts.
fn children_of(id: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|id| id.parse().ok()).collect()
}

/// Runs to a successful end; returns the peak of resident memory in bytes.
fn peak_of(folder: &Path, arguments: &[&str]) -> u64 {
    let mut command = parklite(folder, arguments);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("started");
    let id = child.id();
    let mut peak = 0;
    while child.try_wait().expect("asked").is_none() {
        peak = peak
            .max(resident_peak(id) + children_of(id).iter().map(|child| resident_peak(*child)).sum::<u64>());
        std::thread::sleep(Duration::from_millis(2));
    }
    let ended = child.wait_with_output().expect("ended");
    assert!(ended.status.success(), "{arguments:?}: {}", ending(&ended));
    peak
}

/// Exporting, verifying and restoring the database.
const RUNS: [&[&str]; 3] = [
    &["export", "shuffled.db", "-o", "out", "--overwrite"],
    &["verify", "out"],
    &["restore", "out", "restored.db", "--overwrite", "--discard-old"],
];

/// The peaks of `runs` in `folder` within `limit` MiB.
fn peaks(folder: &Path, limit: u64, runs: &[&[&'static str]]) -> Vec<(&'static str, u64)> {
    let limit_text = format!("{limit}MiB");
    let peak = |arguments: &[&'static str]| {
        let more = ["--memory-limit", &limit_text, "--threads", "2"];
        let all: Vec<&str> = arguments.iter().copied().chain(more).collect();
        let peak = peak_of(folder, &all);
        say(&format!("memory: {} with a limit of {limit} MiB: peak of {} MiB", arguments[0], peak / MIB));
        (arguments[0], peak)
    };
    runs.iter().map(|&arguments| peak(arguments)).collect()
}

#[test]
fn a_table_larger_than_the_memory_limit_is_exported_verified_and_restored_within_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (rows, limits) =
        if is_full_run() { (1_600_000, [16, 64, 256].as_slice()) } else { (480_000, [16].as_slice()) };
    let database = folder.path().join("shuffled.db");
    create(&database, rows);
    say(&format!("memory: a table of {} MiB", fs::metadata(&database).expect("there").len() / MIB));
    for &limit in limits {
        for (verb, peak) in peaks(folder.path(), limit, &RUNS) {
            assert!(peak > 4 * MIB, "{verb}: the peak was measured");
            assert!(
                peak < limit * MIB + OVERHEAD_BYTES,
                "{verb} with a limit of {limit} MiB took {peak} bytes"
            );
        }
    }
    let in_memory = peaks(folder.path(), 8192, &RUNS[..1]);
    let bound = limits[0] * MIB + OVERHEAD_BYTES;
    assert!(in_memory.iter().all(|&(_, peak)| peak > bound), "the bound tells nothing: {in_memory:?}");
}
