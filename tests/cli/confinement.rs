//! Snapshots are read in a process apart, which dies alone: how that looks from outside.
//!
//! What such a process can and cannot do is tried where it is confined, in `src/cli/confine/linux/tests.rs`.

use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, test_kill_process};
use serde_json::json;

use crate::place::Place;
use crate::signals::{place_with_large_database, signal_one_in_phase};

/// The process that the program started to read the snapshot.
fn reading_process(program: &Child) -> Pid {
    let id = program.id();
    let path = format!("/proc/{id}/task/{id}/children");
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        let children = fs::read_to_string(&path).expect("children are known");
        if let Some(child) = children.split_whitespace().next() {
            return Pid::from_raw(child.parse().expect("a number")).expect("a process");
        }
    }
    panic!("the program starts no process")
}

fn place_with_large_snapshot() -> Place {
    let place = place_with_large_database();
    place.run("export large.db -o snap --compression-level 1 --no-verify").exits(0);
    place
}

#[test]
fn verbs_that_read_snapshots_say_how_they_are_confined() {
    let place = Place::with_snapshot();
    for words in ["inspect snap", "verify snap", "restore snap a.db"] {
        let document = place.run(&format!("{words} --json")).exits(0).document();
        let names = document["confinement"].as_array().expect("a list");
        assert!(names.contains(&json!("address-space")), "{words}: {names:?}");
    }
    for words in ["inspect snap", "verify snap", "restore snap b.db"] {
        let document = place.run(&format!("{words} --no-confine --json")).exits(0).document();
        assert_eq!(document["confinement"], json!([]), "{words}");
    }
    assert_eq!(place.content("a.db"), place.content("b.db"));
    let document = place.run("export gymlog.db -o again --json").exits(0).document();
    assert_eq!(document.get("confinement"), None);
}

#[test]
fn a_reading_process_that_is_brought_down_is_a_damaged_snapshot_and_leaves_nothing() {
    let place = place_with_large_snapshot();
    for signal in [Signal::ABORT, Signal::ILL, Signal::SYS] {
        for words in ["restore snap back.db", "verify snap"] {
            signal_one_in_phase(&place, words, "restoring", signal, reading_process)
                .exits(13)
                .changes_nothing();
        }
    }
}

#[test]
fn a_reading_process_that_is_killed_fails_and_leaves_nothing() {
    let place = place_with_large_snapshot();
    let ran = signal_one_in_phase(&place, "restore snap back.db", "restoring", Signal::KILL, reading_process);
    ran.exits(1).tells("error: the process that read the snapshot was killed: snap").changes_nothing();
}

#[test]
fn a_reading_process_ends_with_the_one_that_started_it() {
    let place = place_with_large_snapshot();
    let mut command = place.command();
    command
        .args(["restore", "snap", "back.db"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut program = command.spawn().expect("started");
    let reading = reading_process(&program);
    program.kill().expect("killed");
    program.wait().expect("ended");
    let deadline = Instant::now() + Duration::from_secs(10);
    let is_there = || {
        let state =
            fs::read_to_string(format!("/proc/{}/stat", reading.as_raw_nonzero())).unwrap_or_default();
        // One that nobody waits for stays as a zombie.
        test_kill_process(reading).is_ok() && !state.contains(") Z ")
    };
    while is_there() {
        assert!(Instant::now() < deadline, "it goes on alone");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(!place.path("back.db").exists());
}
