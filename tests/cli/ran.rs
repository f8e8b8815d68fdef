//! One finished run of the program, and what can be said of it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::Value;

use crate::place::Listing;

/// No run in these tests takes nearly as long; one that does hangs.
const PATIENCE: Duration = Duration::from_mins(4);

/// A finished run; its methods assert and hand it on.
pub(crate) struct Ran {
    what: String,
    status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    before: Listing,
    after: Listing,
}

impl Ran {
    /// Runs a command to its end; nobody is at its standard input.
    pub(crate) fn of(mut command: Command, before: Listing, after: impl FnOnce() -> Listing) -> Self {
        let what = format!("{command:?}");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().expect("the program starts");
        Self::new(what, wait(child), before, after())
    }

    pub(crate) fn new(what: String, output: Output, before: Listing, after: Listing) -> Self {
        let ran = Self {
            what,
            status: output.status,
            stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
            before,
            after,
        };
        assert!(!ran.stderr.contains("panicked"), "{}", ran.told());
        ran
    }

    /// The exit code, `None` after a signal.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    #[track_caller]
    pub(crate) fn exits(&self, code: i32) -> &Self {
        assert_eq!(self.status.code(), Some(code), "{}", self.told());
        self
    }

    /// Ends with this code, one `error:` line that holds `part`, and nothing on standard output.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, part: &str) -> &Self {
        let errors: Vec<&str> = self.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!(errors.len(), 1, "one error line: {}", self.told());
        assert!(errors[0].contains(part), "{part:?} is not in the error line: {}", self.told());
        self.exits(code).prints_nothing()
    }

    /// Says on standard error what to do next, with `part` in it.
    #[track_caller]
    pub(crate) fn hints(&self, part: &str) -> &Self {
        let hinted = self.stderr.lines().any(|line| line.starts_with("hint: ") && line.contains(part));
        assert!(hinted, "{part:?} is not in a hint: {}", self.told());
        self
    }

    /// Has `part` on standard output.
    #[track_caller]
    pub(crate) fn prints(&self, part: &str) -> &Self {
        assert!(self.stdout.contains(part), "{part:?} is not on standard output: {}", self.told());
        self
    }

    /// Has nothing like `part` on standard output.
    #[track_caller]
    pub(crate) fn does_not_print(&self, part: &str) -> &Self {
        assert!(!self.stdout.contains(part), "{part:?} is on standard output: {}", self.told());
        self
    }

    #[track_caller]
    pub(crate) fn prints_nothing(&self) -> &Self {
        assert_eq!(self.stdout, "", "{}", self.told());
        self
    }

    /// Has `part` on standard error.
    #[track_caller]
    pub(crate) fn tells(&self, part: &str) -> &Self {
        assert!(self.stderr.contains(part), "{part:?} is not on standard error: {}", self.told());
        self
    }

    #[track_caller]
    pub(crate) fn tells_nothing(&self) -> &Self {
        assert_eq!(self.stderr, "", "{}", self.told());
        self
    }

    /// The one JSON document on standard output.
    #[track_caller]
    pub(crate) fn document(&self) -> Value {
        match serde_json::from_str(&self.stdout) {
            Ok(document @ Value::Object(_)) => document,
            other => panic!("no JSON document ({other:?}): {}", self.told()),
        }
    }

    /// Each line of standard error as JSON.
    #[track_caller]
    pub(crate) fn events(&self) -> Vec<Value> {
        let parsed: Result<Vec<Value>, _> = self.stderr.lines().map(serde_json::from_str).collect();
        parsed.unwrap_or_else(|error| panic!("not all lines are JSON ({error}): {}", self.told()))
    }

    /// Left every file and folder as it was, and none besides.
    #[track_caller]
    pub(crate) fn changes_nothing(&self) -> &Self {
        assert_eq!(self.after, self.before, "{}", self.told());
        self
    }

    /// Left everything as it was, whatever became of the bytes of this one file.
    #[track_caller]
    pub(crate) fn changes_nothing_but(&self, name: &str) -> &Self {
        let rest = |listing: &Listing| {
            let mut rest = listing.clone();
            let was_there = rest.remove(Path::new(name)).is_some();
            (was_there, rest)
        };
        assert_eq!(rest(&self.after), rest(&self.before), "{}", self.told());
        self
    }

    /// Made exactly these names (with whatever is in them) and left everything else as it was.
    #[track_caller]
    pub(crate) fn adds(&self, names: &[impl AsRef<Path>]) -> &Self {
        let added: BTreeSet<&Path> = names.iter().map(AsRef::as_ref).collect();
        let new = |listing: &Listing| -> BTreeSet<_> {
            listing.keys().filter(|path| !self.before.contains_key(*path)).cloned().collect()
        };
        let tops: BTreeSet<_> = new(&self.after)
            .into_iter()
            .filter(|path| path.parent().is_none_or(|parent| !new(&self.after).contains(parent)))
            .collect();
        assert_eq!(tops.iter().map(AsRef::as_ref).collect::<BTreeSet<&Path>>(), added, "{}", self.told());
        for (path, entry) in &self.before {
            assert_eq!(self.after.get(path), Some(entry), "{} changed: {}", path.display(), self.told());
        }
        self
    }

    /// Changed or removed nothing but these names, and made exactly those.
    #[track_caller]
    pub(crate) fn changes_only(&self, changed: &[&str], added: &[impl AsRef<Path>]) -> &Self {
        let is_changed = |path: &Path| changed.iter().any(|changed| path.starts_with(changed));
        let rest = |listing: &Listing| -> Listing {
            listing
                .iter()
                .filter(|(path, _)| !is_changed(path))
                .map(|(path, entry)| (path.clone(), entry.clone()))
                .collect()
        };
        let (before, after) = (rest(&self.before), rest(&self.after));
        for name in changed {
            assert_ne!(
                self.before.get(Path::new(name)),
                self.after.get(Path::new(name)),
                "{name}: {}",
                self.told()
            );
        }
        let mut expected: BTreeSet<&Path> = before.keys().map(AsRef::as_ref).collect();
        expected.extend(added.iter().map(AsRef::as_ref));
        assert_eq!(after.keys().map(AsRef::as_ref).collect::<BTreeSet<&Path>>(), expected, "{}", self.told());
        for (path, entry) in &before {
            assert_eq!(after.get(path), Some(entry), "{} changed: {}", path.display(), self.told());
        }
        self
    }

    /// The names at the top of the place that were not there before.
    pub(crate) fn new_names(&self) -> Vec<String> {
        let is_new =
            |path: &&std::path::PathBuf| path.components().count() == 1 && !self.before.contains_key(*path);
        self.after.keys().filter(is_new).map(|path| path.to_string_lossy().into_owned()).collect()
    }

    fn told(&self) -> String {
        format!(
            "{}\n{}\n-- standard output --\n{}\n-- standard error --\n{}",
            self.what, self.status, self.stdout, self.stderr
        )
    }
}

/// Waits for a child's end and all it says; one that hangs is ended and fails the test.
pub(crate) fn wait(child: Child) -> Output {
    let id = rustix::process::Pid::from_child(&child);
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let _ = sender.send(child.wait_with_output());
    });
    if let Ok(output) = receiver.recv_timeout(PATIENCE) {
        output.expect("the output is read")
    } else {
        let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
        panic!("the program hangs")
    }
}
