//! Where the fixtures are, and programs that tests ask.

use std::env;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where a fixture is. Never open a database there: SQLite writes beside what it opens.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/localstorage").join(name)
}

/// A fixture's bytes.
pub(crate) fn read(name: &str) -> Vec<u8> {
    let path = path(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A fixture that is JSON.
pub(crate) fn json(name: &str) -> serde_json::Value {
    serde_json::from_slice(&read(name)).expect("JSON")
}

/// Whether to look at everything instead of samples.
pub(crate) fn is_full() -> bool {
    env::var_os("PARKLITE_FULL").is_some()
}

/// What a program answers; `None`, told, where it is not there.
pub(crate) fn ask(program: &str, arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let started = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = started else {
        eprintln!("skipped: {program} is not there");
        return None;
    };
    let mut stdin = child.stdin.take().expect("its input");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("an answer");
    let written = writer.join().expect("a thread");
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    written.expect("all of its input");
    Some(output.stdout)
}

/// Numbers that look random and are the same in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).expect("64 bits") % limit
    }

    pub(crate) fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}
