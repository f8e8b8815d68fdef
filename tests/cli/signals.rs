//! Interrupted runs: exit code 130, and nothing left behind.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::other_process::OtherProcess;
use crate::place::Place;
use crate::ran::{Ran, wait};

/// A database whose export takes seconds at the highest compression level.
pub(crate) fn place_with_large_database() -> Place {
    let place = Place::new();
    place.execute(
        "large.db",
        "PRAGMA synchronous = OFF; CREATE TABLE events (id INTEGER PRIMARY KEY, body TEXT);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150000)
         INSERT INTO events SELECT i, hex(randomblob(80)) FROM n",
    );
    place
}

/// Starts the program, signals it once it has told an event of this phase, and waits for its end.
fn signal_in_phase(place: &Place, words: &str, phase: &str, signal: Signal) -> Ran {
    signal_one_in_phase(place, words, phase, signal, Pid::from_child)
}

/// The same for `who` of the processes that the program consists of.
pub(crate) fn signal_one_in_phase(
    place: &Place,
    words: &str,
    phase: &str,
    signal: Signal,
    who: impl FnOnce(&Child) -> Pid,
) -> Ran {
    let before = place.listing();
    let mut command = place.command();
    command.args(words.split_whitespace()).args(["--progress", "json"]);
    let what = format!("{command:?}");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut stderr = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut told = String::new();
    while !told.contains(&format!("\"phase\":\"{phase}\"")) {
        let count = stderr.read_line(&mut told).expect("lines are read");
        assert!(count > 0, "the run ended before it was {phase}: {told}");
    }
    kill_process(who(&child), signal).expect("the signal is sent");
    let began = Instant::now();
    let rest = std::thread::spawn(move || stderr.read_to_string(&mut told).map(|_| told));
    let mut output = wait(child);
    let took = began.elapsed();
    assert!(took < Duration::from_secs(10), "stopping took {took:?}");
    output.stderr = rest.join().expect("the reader ends").expect("lines are read").into_bytes();
    Ran::new(what, output, before, place.listing())
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("the signal is sent");
}

#[test]
fn an_interrupted_export_leaves_nothing() {
    let place = place_with_large_database();
    for signal in [Signal::INT, Signal::TERM] {
        let ran =
            signal_in_phase(&place, "export large.db -o snap --compression-level 19", "exporting", signal);
        ran.fails(130, "interrupted; nothing partial was published").changes_nothing();
    }
}

#[test]
fn an_interrupted_overwrite_leaves_the_old_snapshot() {
    let place = place_with_large_database();
    place.execute("small.db", "CREATE TABLE t (v)");
    place.run("export small.db -o snap").exits(0);
    let words = "export large.db -o snap --overwrite --compression-level 19";
    signal_in_phase(&place, words, "exporting", Signal::INT).fails(130, "interrupted").changes_nothing();
    place.run("verify snap").exits(0);
}

#[test]
fn an_interrupted_restore_or_proof_leaves_nothing() {
    let place = place_with_large_database();
    place.run("export large.db -o snap --compression-level 1 --no-verify").exits(0);
    place.execute("old.db", "CREATE TABLE precious (v)");
    for words in ["restore snap back.db", "restore snap old.db --overwrite", "verify snap"] {
        signal_in_phase(&place, words, "restoring", Signal::INT).fails(130, "interrupted").changes_nothing();
    }
    signal_in_phase(&place, "verify snap", "hashing", Signal::TERM)
        .fails(130, "interrupted")
        .changes_nothing();
    signal_in_phase(&place, "export large.db --dry-run", "counting", Signal::INT)
        .fails(130, "interrupted")
        .changes_nothing();
}

#[test]
fn a_wait_for_a_lock_can_be_interrupted() {
    let place = Place::with_gymlog();
    let writer = OtherProcess::start(&place.path("gymlog.db"), "BEGIN EXCLUSIVE");
    let before = place.listing();
    let mut command = place.command();
    command.args(["export", "gymlog.db", "-o", "snap", "--busy-timeout", "50s"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("the program starts");
    // It has nothing to tell while it waits.
    std::thread::sleep(Duration::from_millis(300));
    send(&child, Signal::INT);
    let began = Instant::now();
    let output = wait(child);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let ran = Ran::new(format!("{command:?}"), output, before, place.listing());
    ran.fails(130, "interrupted").changes_nothing();
    drop(writer);
}

#[test]
fn a_killed_export_leaves_only_what_the_next_run_clears() {
    let place = place_with_large_database();
    let words = "export large.db -o snap --compression-level 19";
    let ran = signal_in_phase(&place, words, "exporting", Signal::KILL);
    assert_eq!(ran.code(), None);
    let names = ran.new_names();
    assert!(names.len() == 1 && names[0].starts_with(".parklite-stage-"), "{names:?}");
    place.run("export large.db -o snap --compression-level 1").exits(0);
    assert!(place.path("snap").is_dir() && !place.path(&names[0]).exists());
}
