//! At a terminal: questions, bars, colours. A pseudo terminal is made by `script` of util-linux.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use crate::place::{PROGRAM, Place, skipped};
use crate::ran::{Ran, wait};

/// Whether a `script` is here that passes exit codes on.
fn has_script() -> bool {
    let version = Command::new("script").arg("--version").output();
    let found = version.is_ok_and(|version| String::from_utf8_lossy(&version.stdout).contains("util-linux"));
    if !found {
        skipped("there is no `script` of util-linux");
    }
    found
}

/// Runs the program at a terminal; all it says is on one stream. `answer` is typed once it asks.
fn at_terminal(place: &Place, words: &str, answer: Option<&str>, environment: &[(&str, &str)]) -> Ran {
    let before = place.listing();
    let mut command = place.in_here("script");
    command.args(["-qec", &format!("{PROGRAM} {words}"), "/dev/null"]).envs(environment.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let what = format!("{command:?}");
    let mut child = command.spawn().expect("the terminal is made");
    // Open until the end: its end would be a sign to the terminal.
    let mut keyboard = child.stdin.take().expect("it is piped");
    let mut screen = child.stdout.take().expect("it is piped");
    let answer = answer.map(str::to_owned);
    let watcher = std::thread::spawn(move || {
        let (mut shown, mut byte) = (Vec::new(), [0]);
        let mut answer = answer;
        while screen.read(&mut byte).is_ok_and(|count| count > 0) {
            shown.push(byte[0]);
            if shown.ends_with(b"[y/N] ")
                && let Some(answer) = answer.take()
            {
                keyboard.write_all(answer.as_bytes()).expect("typed");
            }
        }
        drop(keyboard);
        shown
    });
    let mut output = wait(child);
    output.stdout = watcher.join().expect("the watcher ends");
    Ran::new(what, output, before, place.listing())
}

fn place_with_old_database() -> Place {
    let place = Place::with_snapshot();
    place.execute("old.db", "CREATE TABLE precious (v)");
    place
}

#[test]
fn a_yes_replaces_the_database_and_keeps_the_old_one() {
    if !has_script() {
        return;
    }
    for yes in ["y\n", "YES\n"] {
        let place = place_with_old_database();
        let ran = at_terminal(&place, "restore snap old.db", Some(yes), &[]);
        ran.exits(0)
            .prints("old.db exists. Replace it")
            .prints("[y/N]")
            .prints("is kept as old.db.before-restore-");
        ran.changes_only(&["old.db"], &ran.new_names());
        assert_eq!(place.content("old.db"), place.content("gymlog.db"));
    }
}

#[test]
fn anything_else_leaves_the_database_alone() {
    if !has_script() {
        return;
    }
    for no in ["n\n", "\n", "yet\n", "\x04"] {
        let place = place_with_old_database();
        let ran = at_terminal(&place, "restore snap old.db", Some(no), &[]);
        ran.exits(12).prints("the target exists and was left alone: old.db").changes_nothing();
    }
}

#[test]
fn an_interrupt_at_the_question_ends_the_run() {
    if !has_script() {
        return;
    }
    let place = place_with_old_database();
    let ran = at_terminal(&place, "restore snap old.db", Some("\x03"), &[]);
    ran.exits(130).prints(": interrupted; nothing partial was published").changes_nothing();
}

#[test]
fn nobody_is_asked_with_overwrite_or_for_a_document_or_about_what_cannot_be_replaced() {
    if !has_script() {
        return;
    }
    let place = place_with_old_database();
    let ran = at_terminal(&place, "restore snap old.db --json", None, &[]);
    ran.exits(12).does_not_print("[y/N]").changes_nothing();
    place.make_folder("folder");
    let ran = at_terminal(&place, "restore snap folder", None, &[]);
    ran.exits(12).does_not_print("[y/N]").changes_nothing();
    let ran = at_terminal(&place, "restore none old.db", None, &[]);
    ran.exits(10).does_not_print("[y/N]").changes_nothing();
    at_terminal(&place, "restore snap old.db --overwrite", None, &[]).exits(0).does_not_print("[y/N]");
}

#[test]
fn colours_and_bars_are_for_terminals_that_want_them() {
    if !has_script() {
        return;
    }
    let place = Place::with_snapshot();
    let failing = "export none.db";
    at_terminal(&place, failing, None, &[]).exits(10).prints("\x1b[1;31merror\x1b[0m: ");
    for environment in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let ran = at_terminal(&place, failing, None, &[environment]);
        ran.exits(10).prints("error: there is no such file").does_not_print("\x1b[");
    }
    let proof = "verify snap";
    // A bar clears its line.
    at_terminal(&place, proof, None, &[]).exits(0).prints("\x1b[2K").prints("snap: intact");
    at_terminal(&place, proof, None, &[("TERM", "dumb")]).exits(0).does_not_print("\x1b[");
    at_terminal(&place, "verify snap --progress none", None, &[]).exits(0).does_not_print("\x1b[");
    assert_eq!(at_terminal(&place, "verify snap --quiet", None, &[]).exits(0).stdout, "");
}
