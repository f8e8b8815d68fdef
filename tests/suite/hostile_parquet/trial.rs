//! Gives a forged file to every verb that reads one, under a hard limit on its address space, and judges how that ends.

use std::cell::RefCell;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tempfile::TempDir;

use super::forge::{Forge, put_into_folder};

const PROGRAM: &str = env!("CARGO_BIN_EXE_parklite");

/// What the whole program may have of address space, in KiB: 512 MiB.
const LIMIT_KIB: u32 = 512 * 1024;

/// No run takes nearly as long; one that does hangs.
const PATIENCE: Duration = Duration::from_mins(1);

/// A column of each kind: numbers in their order, texts from a dictionary, reals and blobs from none.
const ROWS: &str = "
CREATE TABLE sets (id INTEGER PRIMARY KEY, kind TEXT, weight REAL, note BLOB);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
INSERT INTO sets SELECT i, CASE WHEN i % 7 THEN 'kind ' || i % 5 END, i * 1.25, CAST('note ' || i * i AS BLOB) FROM n;
";

/// What is to become of a forgery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Every verb that needs what is wrong fails.
    Refused,
    /// It says something untrue of its rows, which are right: `verify` tells.
    Untrue,
}

/// Texts of a process that was brought down, or nearly.
const DEATHS: [&str; 4] =
    ["panicked", "memory allocation of", "overflowed its stack", "brought its process down"];

/// Whether everything is tried, as `PARKLITE_FULL=1` asks for.
pub(crate) fn is_full_run() -> bool {
    std::env::var_os("PARKLITE_FULL").is_some_and(|value| value == "1")
}

pub(crate) struct Trial {
    folder: TempDir,
    failures: RefCell<Vec<String>>,
}

impl Trial {
    /// Makes a file of ours, and a folder with the same table.
    pub(crate) fn new() -> Self {
        let trial = Self { folder: TempDir::new().expect("a folder"), failures: RefCell::default() };
        let connection = Connection::open(trial.path("a.db")).expect("created");
        connection.execute_batch(ROWS).expect("filled");
        connection.close().expect("closed");
        for words in [
            ["export", "a.db", "-o", "good.parquet", "--table", "sets"],
            ["export", "a.db", "-o", "good", "-t", "sets"],
        ] {
            assert_eq!(trial.run(&words).code, Some(0));
        }
        trial
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The good file in parts.
    pub(crate) fn forge(&self) -> Forge {
        Forge::open(&self.path("good.parquet"))
    }

    /// Fails unless every verb takes this file.
    pub(crate) fn passes(&self, bytes: &[u8]) {
        fs::write(self.path("forged.parquet"), bytes).expect("written");
        for words in [
            &["inspect", "forged.parquet"][..],
            &["verify", "--independent", "forged.parquet"],
            &["restore", "forged.parquet", "out.db"],
        ] {
            let ran = self.run(words);
            assert_eq!(ran.code, Some(0), "{words:?}: {}", ran.stderr);
        }
    }

    /// Notes whatever is wrong with how the verbs take this file.
    pub(crate) fn judge(&self, name: &str, verdict: Verdict, bytes: &[u8]) {
        fs::write(self.path("forged.parquet"), bytes).expect("written");
        let ways: &[&[&str]] = if is_full_run() { &[&[], &["--no-confine"]] } else { &[&[]] };
        for way in ways {
            self.judge_run(
                name,
                &[&["verify", "--data", "--independent", "forged.parquet"], *way].concat(),
                false,
            );
            self.judge_run(name, &[&["inspect", "forged.parquet"], *way].concat(), true);
            let may_pass = verdict == Verdict::Untrue;
            self.judge_run(name, &[&["restore", "forged.parquet", "out.db"], *way].concat(), may_pass);
        }
    }

    /// The same for a snapshot's folder with this file in it.
    pub(crate) fn judge_in_folder(&self, name: &str, forge: &Forge) {
        let folder = self.path("forged");
        fs::create_dir(&folder).expect("made");
        for entry in fs::read_dir(self.path("good")).expect("listed") {
            let path = entry.expect("listed").path();
            fs::copy(&path, folder.join(path.file_name().expect("a name"))).expect("copied");
        }
        put_into_folder(&folder, forge);
        self.judge_run(name, &["verify", "--data", "--independent", "forged"], false);
        fs::remove_dir_all(folder).expect("removed");
    }

    fn judge_run(&self, name: &str, words: &[&str], may_pass: bool) {
        let ran = self.run(words);
        let mut wrong = Vec::new();
        let is_allowed = ran.is_refusal() || (may_pass && ran.code == Some(0));
        if !is_allowed {
            wrong.push("neither refused nor allowed to pass".to_string());
        }
        wrong.extend(
            DEATHS
                .iter()
                .filter(|death| ran.stderr.contains(**death))
                .map(|death| format!("told of {death:?}")),
        );
        if ran.code == Some(0) {
            let _not_every_verb_makes_one = fs::remove_file(self.path("out.db"));
        }
        wrong.extend(self.surplus().iter().map(|left| format!("left {left}")));
        if !wrong.is_empty() {
            let told = ran.told();
            self.failures
                .borrow_mut()
                .push(format!("{name}: {words:?}: {wrong:?}, code {:?}: {told}", ran.code));
        }
    }

    /// Fails if anything was wrong.
    pub(crate) fn finish(self) {
        let failures = self.failures.into_inner();
        assert!(failures.is_empty(), "{} wrong ends:\n{}", failures.len(), failures.join("\n"));
    }

    /// Names that do not belong here.
    fn surplus(&self) -> Vec<String> {
        let known = ["a.db", "good", "good.parquet", "forged", "forged.parquet"];
        let entries = fs::read_dir(self.folder.path()).expect("listed");
        let names = entries.map(|entry| entry.expect("listed").file_name().to_string_lossy().into_owned());
        names.filter(|name| !known.contains(&name.as_str())).collect()
    }

    fn run(&self, words: &[&str]) -> Ran {
        let mut command = limited(LIMIT_KIB, Path::new(PROGRAM));
        command.args(words).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("started");
        let (mut stdout, mut stderr) =
            (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
        let reading = std::thread::spawn(move || {
            let mut text = Vec::new();
            stdout.read_to_end(&mut text).map(|_| text)
        });
        let reading_errors = std::thread::spawn(move || {
            let mut text = Vec::new();
            stderr.read_to_end(&mut text).map(|_| text)
        });
        let began = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().expect("waited") {
                break status;
            }
            if began.elapsed() > PATIENCE {
                child.kill().expect("killed");
                panic!("{words:?} hangs");
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        let text = |thread: std::thread::JoinHandle<std::io::Result<Vec<u8>>>| {
            String::from_utf8_lossy(&thread.join().expect("ended").expect("read")).into_owned()
        };
        Ran { code: status.code(), stdout: text(reading), stderr: text(reading_errors) }
    }
}

/// A program under a limit on its address space.
pub(crate) fn limited(limit_kib: u32, program: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -v {limit_kib} && exec \"$0\" \"$@\"")]).arg(program);
    command
}

struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ran {
    /// Differences, damage, or more memory than there is.
    fn is_refusal(&self) -> bool {
        match self.code {
            Some(4 | 13) => true,
            Some(1) => self.stderr.contains("more memory than can be had"),
            _ => false,
        }
    }

    fn told(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}
