//! Snapshots before independent judges: DuckDB, pyarrow and polars, against Python's own SQLite.
//!
//! This exports databases and hands them to `scripts/check_readers.py`, many at a time because starting Python
//! with three readers takes longer than judging a small snapshot. Without a Python that has the packages of
//! `scripts/requirements.txt` (named by `PARKLITE_PYTHON`, or `.venv/bin/python` at the root) the tests say that
//! they were skipped, and pass.

mod foreign;
mod judges;
mod sources;

use std::path::{Path, PathBuf};
use std::process::Command;

use judges::Judges;
use sources::Source;

/// Exit codes of an export that made a snapshot: all of it, or all but what is named.
const EXPORTED: [i32; 2] = [0, 3];

#[test]
fn the_judges_find_every_deliberate_damage() {
    if let Some(judges) = Judges::find("the self-test") {
        judges.self_test();
    }
}

#[test]
fn every_reader_finds_all_of_every_recipe() {
    judge("recipes", &sources::recipes());
}

#[test]
fn every_reader_finds_all_of_the_bundled_and_made_databases() {
    let made = [sources::gymlog(), sources::decimals(), sources::wide(), sources::row_groups()];
    judge("bundled and made databases", &made);
}

#[test]
fn every_reader_finds_all_of_databases_that_other_programs_wrote() {
    judge("databases of PARKLITE_TEST_DATA", &sources::real());
}

#[test]
fn every_reader_finds_all_of_single_files_selections_and_other_orders() {
    let Some(judges) = Judges::find("single files and orders") else { return };
    let gymlog = sources::gymlog();
    let decimals = sources::decimals();
    let cases: [(&Source, &str, &[&str]); 5] = [
        (&gymlog, "events.parquet", &["--table", "events"]),
        (&gymlog, "part", &["--exclude", "events"]),
        (&gymlog, "ordered", &["--order-by", "events=event_type desc,_created_at"]),
        (&decimals, "prices", &["--order-by", "prices=price desc"]),
        (&decimals, "mixed", &["--order-by", "prices=mixed,note desc"]),
    ];
    let mut pairs = Vec::new();
    for (source, name, options) in cases {
        let snapshot = source.folder().join(name);
        export(&source.path, &snapshot, options);
        pairs.push((snapshot, source.path.clone()));
    }
    judges.judge("single files, selections and orders", &pairs);
}

#[test]
fn digests_that_are_printed_are_those_of_a_program_that_shares_no_code() {
    let Some(judges) = Judges::find("printed digests") else { return };
    for source in [sources::gymlog(), sources::decimals()] {
        let snapshot = source.folder().join("snapshot");
        export(&source.path, &snapshot, &[]);
        for subject in [&source.path, &snapshot] {
            let output =
                Command::new(judges::PARKLITE).arg("digest").arg(subject).output().expect("it starts");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let printed = String::from_utf8_lossy(&output.stdout).into_owned();
            // Header and schema stand first.
            let mut ours: Vec<String> = printed.lines().skip(2).map(as_the_judge_writes).collect();
            let mut theirs = judges.digests(subject);
            assert!(!theirs.is_empty(), "{}", subject.display());
            ours.sort();
            theirs.sort();
            assert_eq!(ours, theirs, "{}", subject.display());
        }
    }
}

/// A line of `parklite digest` in the words of `scripts/digest.py`.
fn as_the_judge_writes(line: &str) -> String {
    let parts: Vec<&str> = line.splitn(3, "  ").collect();
    let [sum, rows, name] = parts[..] else { panic!("{line:?} is no digest") };
    format!("{name}\t{rows}-{sum}")
}

fn judge(what: &str, sources: &[Source]) {
    if sources.is_empty() {
        return judges::tell(&format!("skipped: {what}: there are none here"));
    }
    let Some(judges) = Judges::find(what) else { return };
    let pairs: Vec<(PathBuf, PathBuf)> = sources
        .iter()
        .map(|source| {
            let snapshot = source.folder().join("snapshot");
            export(&source.path, &snapshot, &[]);
            (snapshot, source.path.clone())
        })
        .collect();
    judges.judge(what, &pairs);
}

fn export(database: &Path, snapshot: &Path, options: &[&str]) {
    let output = Command::new(judges::PARKLITE)
        .args(["export", "--quiet"])
        .args(options)
        .arg(database)
        .arg("-o")
        .arg(snapshot)
        .output()
        .expect("parklite starts");
    assert!(
        output.status.code().is_some_and(|code| EXPORTED.contains(&code)),
        "{}: {}: {}",
        database.display(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}
