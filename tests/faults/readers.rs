//! Further readers of an export, for which there is no descriptor, no thread, or which cannot open the database: fewer do
//! the same work.

use std::path::Path;
use std::process::{Command, Stdio};

use rusqlite::Connection;
use tempfile::TempDir;

use crate::descriptors::has_prlimit;
use crate::strace::{Call, Trace, has_strace};
use crate::support::{ending, is_full_run, parklite, quick_folder, run, say, tree};

/// Ways in which an export has several readers: of a table in order, of one that is dealt out, of several tables.
const WAYS: [(&str, &str); 3] = [("ordered.db", "256MiB"), ("dealt.db", "64MiB"), ("several.db", "256MiB")];

/// Databases that are read in these ways.
fn databases(journal_mode: &str) -> TempDir {
    let folder = quick_folder();
    for (name, key, rows, more) in [
        ("ordered.db", "printf('%09d', i)", 40_000, ""),
        ("dealt.db", "i * 7919 % 104729", 60_000, "ALTER TABLE t RENAME COLUMN key TO _created_at;"),
        (
            "several.db",
            "i",
            1_500,
            "CREATE TABLE a AS SELECT id, key FROM t; CREATE TABLE b AS SELECT * FROM a;
             CREATE TABLE c AS SELECT id FROM a; CREATE TABLE d AS SELECT key FROM a;",
        ),
    ] {
        let connection = Connection::open(folder.path().join(name)).expect("created");
        connection
            .execute_batch(&format!(
                "CREATE TABLE t(id INTEGER PRIMARY KEY, key, body TEXT);
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
                 INSERT INTO t SELECT i, {key}, printf('%0450d', i * 7919) FROM n; {more}
                 PRAGMA journal_mode={journal_mode};"
            ))
            .expect("filled");
    }
    folder
}

fn export(folder: &Path, (database, memory): (&str, &str), output: &str, threads: &str) -> Command {
    let arguments = ["export", database, "-o", output, "--threads", threads, "--memory-limit", memory];
    parklite(folder, arguments)
}

/// The data files of a snapshot, which goes.
fn taken(folder: &Path, output: &str) -> Vec<Vec<u8>> {
    let path = folder.join(output);
    let files =
        tree(&path).into_iter().filter(|(name, _)| name.extension().is_some_and(|end| end == "parquet"));
    let files: Vec<Vec<u8>> = files.filter_map(|(_, bytes)| bytes).collect();
    std::fs::remove_dir_all(path).expect("removed");
    assert!(!files.is_empty());
    files
}

#[test]
fn an_export_needs_no_more_descriptors_with_several_readers_than_with_one() {
    if !has_prlimit() {
        return;
    }
    for mode in ["delete", "wal"] {
        let folder = databases(mode);
        let (mut done, mut refused) = (0, 0);
        let limits: &[u32] = match mode {
            _ if is_full_run() => &[5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 24, 28, 32, 48, 64],
            "delete" => &[5, 8, 9, 10, 12, 15, 20],
            _ => &[5, 10, 12, 13, 15, 20],
        };
        for (way, limit) in WAYS.iter().flat_map(|way| limits.iter().map(move |limit| (*way, limit))) {
            let with = |threads: &str| {
                let plain = export(folder.path(), way, "out", threads);
                let mut command = Command::new("prlimit");
                command.current_dir(folder.path()).arg(format!("--nofile={limit}")).stdin(Stdio::null());
                run(command.arg(plain.get_program()).args(plain.get_args()))
            };
            let one = with("1");
            if !one.status.success() {
                refused += 1;
                continue;
            }
            let one = taken(folder.path(), "out");
            let more: &[&str] = if is_full_run() { &["2", "4", "8"] } else { &["8"] };
            for &threads in more {
                let several = with(threads);
                assert!(several.status.success(), "{mode} {way:?} {limit} {threads}: {}", ending(&several));
                assert!(taken(folder.path(), "out") == one, "{mode} {way:?} {limit} {threads}: other bytes");
            }
            done += 1;
        }
        assert!(done > 6 && refused > 0, "{mode}: {done} done, {refused} refused");
    }
}

/// With more threads than readers need, and not matched afterwards: what opens files are readers.
fn export_unmatched(folder: &Path, way: (&str, &str)) -> Command {
    let mut command = export(folder, way, "out", "4");
    command.arg("--no-verify");
    command
}

/// Where a call fails, and only there.
fn failing(calls: &[&str], error: &str, number: usize) -> Trace {
    let injections: Vec<String> =
        calls.iter().map(|call| format!("{call}:error={error}:when={number}")).collect();
    Trace::injecting(&injections)
}

#[test]
fn a_further_reader_that_cannot_open_the_database_is_not_there() {
    if !has_strace() {
        return;
    }
    let folder = databases("delete");
    for way in WAYS {
        let of_database =
            |call: &Call| call.name == "openat" && call.arguments.contains(&format!("/{}\"", way.0));
        let one = run(&mut export(folder.path(), way, "out", "1"));
        assert!(one.status.success(), "{}", ending(&one));
        let one = taken(folder.path(), "out");
        let trace = Trace { calls: "openat".into(), ..Trace::default() };
        let traced = trace.run(&export_unmatched(folder.path(), way));
        assert!(taken(folder.path(), "out") == one, "{way:?}");
        let opened: Vec<&Call> = traced.calls.iter().filter(|call| of_database(call)).collect();
        assert!(opened.len() > 1, "{way:?} is opened {} times", opened.len());
        let mut without = 0;
        for (call, error) in opened.iter().zip(["EMFILE", "ENFILE", "EACCES", "ENOENT"].iter().cycle()) {
            let command = export_unmatched(folder.path(), way);
            let failed = failing(&["openat"], error, call.number).run(&command);
            let injected: Vec<&Call> = failed.calls.iter().filter(|call| call.is_injected()).collect();
            let is_first = failed.calls.iter().find(|call| of_database(call)).is_some_and(Call::is_injected);
            if is_first || injected.is_empty() || !injected.iter().all(|call| of_database(call)) {
                // The first reader, or a call of another thread, which has numbers of its own.
                let _ = std::fs::remove_dir_all(folder.path().join("out"));
                continue;
            }
            assert!(failed.output.status.success(), "{way:?} {call:?} {error}: {}", ending(&failed.output));
            assert!(taken(folder.path(), "out") == one, "{way:?} {call:?} {error}: other bytes");
            without += 1;
        }
        assert!(without > 0, "{way:?}: no further reader was kept from opening");
        say(&format!("further readers that cannot open: {without} of {} opens, {way:?}", opened.len()));
    }
}

#[test]
fn a_further_reader_whose_thread_cannot_be_started_leaves_its_work_to_others() {
    if !has_strace() {
        return;
    }
    let folder = databases("delete");
    for way in WAYS {
        let traced = Trace { calls: "clone3,clone".into(), ..Trace::default() }
            .run(&export_unmatched(folder.path(), way));
        assert!(traced.output.status.success(), "{}", ending(&traced.output));
        let expected = taken(folder.path(), "out");
        let most = traced.calls.iter().map(|call| call.number).max().unwrap_or(0);
        assert!(most > 1, "{way:?}: {most} threads");
        let mut done = 0;
        for number in 1..=most {
            // Both: the C library asks for the second one where the first one is not known.
            let ended = failing(&["clone3", "clone"], "EAGAIN", number)
                .run(&export_unmatched(folder.path(), way))
                .output;
            if ended.status.success() {
                assert!(taken(folder.path(), "out") == expected, "{way:?} {number}: other bytes");
                done += 1;
            } else {
                let told = String::from_utf8_lossy(&ended.stderr);
                assert!(told.contains("thread cannot be started"), "{way:?} {number}: {}", ending(&ended));
            }
        }
        assert!(done > 0, "{way:?}: none of {most} was done by fewer");
        say(&format!("threads of readers that cannot be started: {done} of {most} done by fewer, {way:?}"));
    }
}
