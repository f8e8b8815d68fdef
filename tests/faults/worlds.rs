//! Small worlds in which one job runs and may be cut short, and what may be found there afterwards.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::{
    PARKLITE, copy_tree, dump, ending, export_options, export_with, names, parklite, run, stages, tree,
};

/// One use of the program whose fate is examined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Job {
    ExportFolder,
    ExportFolderOver,
    ExportFile,
    ExportFileOver,
    ExportCopy,
    Restore,
    RestoreOver,
    RestoreOverWal,
    RestoreOverHotJournal,
    RestoreDiscarding,
    Verify,
}

impl Job {
    pub(crate) const ALL: [Self; 11] = [
        Self::ExportFolder,
        Self::ExportFolderOver,
        Self::ExportFile,
        Self::ExportFileOver,
        Self::ExportCopy,
        Self::Restore,
        Self::RestoreOver,
        Self::RestoreOverWal,
        Self::RestoreOverHotJournal,
        Self::RestoreDiscarding,
        Self::Verify,
    ];

    /// What is typed; `target` is the name that the job gives away.
    ///
    /// Restoring and verifying is done in one process: the counts of calls are those of each process, and what becomes
    /// of one whose other process is killed is tried in `tests/cli/confinement.rs`.
    fn arguments(self, target: &str) -> Vec<&str> {
        let mut words = match self {
            Self::ExportFolder => vec!["export", "new.db", "-o", target],
            Self::ExportFolderOver => vec!["export", "new.db", "-o", target, "--overwrite"],
            Self::ExportFile => vec!["export", "new.db", "--table", "items", "-o", target],
            Self::ExportFileOver => {
                vec!["export", "new.db", "--table", "items", "-o", target, "--overwrite"]
            }
            Self::ExportCopy => vec!["export", "new.db", "-o", target, "--copy-first", "--temp-dir", "temp"],
            Self::Restore => vec!["restore", "snapshot", target, "--temp-dir", "temp"],
            Self::RestoreOver | Self::RestoreOverWal | Self::RestoreOverHotJournal => {
                vec!["restore", "snapshot", target, "--overwrite"]
            }
            Self::RestoreDiscarding => vec!["restore", "snapshot", target, "--overwrite", "--discard-old"],
            Self::Verify => vec!["verify", target],
        };
        words.extend((!self.is_export()).then_some("--no-confine"));
        words
    }

    fn target(self) -> &'static str {
        match self {
            Self::ExportFolder | Self::ExportFolderOver | Self::ExportCopy => "out",
            Self::ExportFile | Self::ExportFileOver => "out.parquet",
            Self::Verify => "snapshot",
            _ => "target.db",
        }
    }

    pub(crate) fn is_restore(self) -> bool {
        !matches!(self, Self::Verify) && !self.is_export()
    }

    fn is_export(self) -> bool {
        matches!(
            self,
            Self::ExportFolder
                | Self::ExportFolderOver
                | Self::ExportFile
                | Self::ExportFileOver
                | Self::ExportCopy
        )
    }

    /// Whether the target stands there already, so that the job replaces it.
    fn replaces(self) -> bool {
        !matches!(self, Self::ExportFolder | Self::ExportFile | Self::ExportCopy | Self::Restore)
    }

    fn keeps_old(self) -> bool {
        matches!(self, Self::RestoreOver | Self::RestoreOverWal | Self::RestoreOverHotJournal)
    }
}

/// Which state a target is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Old,
    New,
}

/// The folder that every run of a job starts from, and what the contents in it are.
pub(crate) struct World {
    job: Job,
    folder: TempDir,
    old_dump: String,
    new_dump: String,
}

impl World {
    pub(crate) fn new(job: Job) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("temp")).expect("a folder");
        create_database(&at("old.db"), "old", 40);
        create_database(&at("new.db"), "new", 60);
        let (old_dump, new_dump) =
            (dump(&at("old.db")).expect("healthy"), dump(&at("new.db")).expect("healthy"));
        match job {
            Job::ExportFolderOver => {
                export_with(&at("old.db"), &export_options(&at("out")), &parklite::progress::Silent)
                    .expect("exported");
            }
            Job::ExportFileOver => {
                let ended = run(&mut parklite(
                    folder.path(),
                    ["export", "old.db", "--table", "items", "-o", "out.parquet"],
                ));
                assert!(ended.status.success(), "{}", ending(&ended));
            }
            Job::RestoreOver | Job::RestoreDiscarding => {
                fs::copy(at("old.db"), at("target.db")).expect("copied");
            }
            Job::RestoreOverWal => leave_wal(&at("old.db"), &at("target.db")),
            Job::RestoreOverHotJournal => leave_hot_journal(&at("old.db"), &at("target.db")),
            _ => {}
        }
        if !job.is_export() {
            export_with(&at("new.db"), &export_options(&at("snapshot")), &parklite::progress::Silent)
                .expect("exported");
        }
        if job.replaces() && job.is_restore() {
            assert_eq!(dump(&at("target.db")).expect("healthy"), old_dump, "what is replaced is the old one");
        }
        Self { job, folder, old_dump, new_dump }
    }

    /// A fresh copy of this world to run the job in.
    pub(crate) fn enter(&self) -> Visit<'_> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        copy_tree(self.folder.path(), folder.path());
        Visit { world: self, folder, exchanges: true }
    }
}

/// `items` with an index, `pairs` without rowid, a view; everything small.
fn create_database(path: &Path, mark: &str, rows: u32) {
    let connection = Connection::open(path).expect("created");
    connection
        .execute_batch(&format!(
            "CREATE TABLE items(id INTEGER PRIMARY KEY, label TEXT, amount);
             CREATE INDEX items_by_label ON items(label);
             CREATE TABLE pairs(k TEXT PRIMARY KEY, v) WITHOUT ROWID;
             CREATE VIEW labels AS SELECT label FROM items;
             WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {rows})
             INSERT INTO items SELECT n, '{mark} ' || (n * 7919 % 1000), n * 0.5 FROM numbers;
             INSERT INTO pairs SELECT label || id, id FROM items;"
        ))
        .expect("filled");
}

/// A copy of `database` as a killed process leaves it in WAL mode: the last commits are in the WAL only.
fn leave_wal(database: &Path, target: &Path) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let living = folder.path().join("living.db");
    fs::copy(database, &living).expect("copied");
    let connection = Connection::open(&living).expect("opened");
    connection
        .execute_batch(
            "CREATE TABLE aside AS SELECT * FROM items; DELETE FROM items; PRAGMA journal_mode=WAL;
             PRAGMA wal_autocheckpoint=0; INSERT INTO items SELECT * FROM aside; DROP TABLE aside;",
        )
        .expect("written");
    for ending in ["", "-wal", "-shm"] {
        let from = format!("{}{ending}", living.display());
        fs::copy(from, format!("{}{ending}", target.display())).expect("copied");
    }
}

/// A copy of `database` as a process killed in the middle of a commit leaves it: half of the commit is in the file,
/// and the journal says how to take it back.
fn leave_hot_journal(database: &Path, target: &Path) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let living = folder.path().join("living.db");
    fs::copy(database, &living).expect("copied");
    let connection = Connection::open(&living).expect("opened");
    connection
        .execute_batch(
            "PRAGMA cache_size=1; PRAGMA cache_spill=1; BEGIN; UPDATE items SET label = 'half ' || label;
             WITH RECURSIVE numbers(n) AS (SELECT 1000 UNION ALL SELECT n + 1 FROM numbers WHERE n < 6000)
             INSERT INTO items SELECT n, 'half', n FROM numbers; UPDATE items SET amount = 0;",
        )
        .expect("written");
    for ending in ["", "-journal"] {
        let from = format!("{}{ending}", living.display());
        fs::copy(from, format!("{}{ending}", target.display())).expect("copied");
    }
    assert_ne!(fs::read(database).expect("read"), fs::read(target).expect("read"), "pages were spilled");
}

/// One run of a job in a world of its own.
pub(crate) struct Visit<'w> {
    world: &'w World,
    folder: TempDir,
    exchanges: bool,
}

impl Visit<'_> {
    /// The run of this visit cannot exchange two names: a folder that is replaced may be away for a moment.
    pub(crate) fn without_exchange(mut self) -> Self {
        self.exchanges = false;
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The job's command line, behind a tracer's if there is one.
    pub(crate) fn command(&self, tracer: &[String]) -> Command {
        let job = self.world.job;
        let plain = parklite(self.path(), job.arguments(job.target()));
        let Some((program, arguments)) = tracer.split_first() else { return plain };
        let mut command = Command::new(program);
        command.current_dir(self.path()).args(arguments).arg(plain.get_program()).args(plain.get_args());
        command.stdin(std::process::Stdio::null());
        command
    }

    /// Finds the target in its old state or in its new one, complete, and nothing beside it that is not allowed.
    ///
    /// `what` says what was done, for messages; leftovers of a killed run are allowed.
    pub(crate) fn examine(&self, what: &str, leftovers: bool) -> State {
        let job = self.world.job;
        let state = self.state(what);
        let template = self.world.folder.path();
        let before = names(template);
        for name in names(self.path()) {
            let is_target = name == job.target();
            let is_stage = name.starts_with(".parklite-stage-");
            let is_kept = job.keeps_old() && name.starts_with("target.db.before-restore-");
            let is_journal = job.is_restore() && job.replaces() && name.starts_with("target.db-");
            assert!(
                is_target || before.contains(&name) || is_kept || is_journal || (leftovers && is_stage),
                "{what}: {name} was left behind"
            );
            if is_kept {
                let kept = dump(&self.path().join(&name));
                // Before the old one is replaced, the kept one is but its second name, and its journals are its own.
                let is_second_name = is_same_file(&self.path().join(&name), &self.path().join("target.db"));
                if state == State::Old {
                    assert!(leftovers && is_second_name, "{what}: {name} is kept, but nothing was replaced");
                } else {
                    assert_eq!(kept.as_ref(), Ok(&self.world.old_dump), "{what}: {name} is not the old one");
                }
            }
            if is_journal {
                assert_eq!(state, State::Old, "{what}: {name} stands beside the restored database");
            }
        }
        let temp = stages(&self.path().join("temp"));
        assert!(leftovers || temp.is_empty(), "{what}: {temp:?} was left behind");
        for name in before.iter().filter(|name| !name.starts_with(job.target())) {
            let (now, then) = (self.path().join(name), template.join(name));
            if then.is_file() {
                assert_eq!(fs::read(now).ok(), fs::read(then).ok(), "{what}: {name} was changed");
            } else if name != "temp" {
                assert_eq!(tree(&now), tree(&then), "{what}: {name} was changed");
            }
        }
        if job.keeps_old() && state == State::New {
            let kept = names(self.path());
            let kept = kept.iter().filter(|name| name.contains(".before-restore-"));
            assert!(kept.count() > 0, "{what}: the old database is gone");
        }
        state
    }

    fn state(&self, what: &str) -> State {
        let job = self.world.job;
        let (now, then) = (self.path().join(job.target()), self.world.folder.path().join(job.target()));
        if !now.exists() && self.is_displaced(&then) {
            return State::Old;
        }
        if !now.exists() {
            assert!(!job.replaces(), "{what}: the target is gone");
            return State::Old;
        }
        if job.is_restore() {
            let found =
                dump(&now).unwrap_or_else(|error| panic!("{what}: the target does not open: {error}"));
            if found == self.world.new_dump {
                return State::New;
            }
            assert!(
                job.replaces() && found == self.world.old_dump,
                "{what}: the target is neither old nor new"
            );
            return State::Old;
        }
        let same = if now.is_dir() {
            then.is_dir() && tree(&now) == tree(&then)
        } else {
            fs::read(&now).ok() == fs::read(&then).ok()
        };
        if same && job.replaces() {
            return if job == Job::Verify { State::New } else { State::Old };
        }
        let verified = run(&mut parklite(self.path(), ["verify", job.target(), "--temp-dir", "temp"]));
        assert!(verified.status.success(), "{what}: the target is not intact: {}", ending(&verified));
        let mut inspect = Command::new(PARKLITE);
        inspect.current_dir(self.path()).args(["inspect", "--json", job.target()]);
        let inspected = run(&mut inspect);
        let facts = String::from_utf8_lossy(&inspected.stdout);
        assert!(facts.contains("\"new.db\""), "{what}: the target is of another source");
        State::New
    }

    /// Whether the old folder waits, whole, in the stage of a run that could not exchange two names.
    fn is_displaced(&self, then: &Path) -> bool {
        let may_be = |stage: &String| {
            let displaced = self.path().join(stage).join(".displaced").join(self.world.job.target());
            displaced.is_dir() && then.is_dir() && tree(&displaced) == tree(then)
        };
        !self.exchanges && stages(self.path()).iter().any(may_be)
    }

    /// Runs the job once more, as a person would after the fault: it succeeds and clears what was left.
    pub(crate) fn run_again(&self, what: &str) {
        let job = self.world.job;
        if !job.replaces() {
            // What was published already stands in the way of the same name, rightly.
            let target = self.path().join(job.target());
            let _ = if target.is_dir() { fs::remove_dir_all(target) } else { fs::remove_file(target) };
        }
        let again = run(&mut self.command(&[]));
        assert!(again.status.success(), "{what}: the next run failed: {}", ending(&again));
        assert_eq!(stages(self.path()), Vec::<String>::new(), "{what}: the next run did not clear up");
        let temp = stages(&self.path().join("temp"));
        assert_eq!(temp, Vec::<String>::new(), "{what}: the next run did not clear its temporary folder");
        assert_eq!(self.state(what), State::New, "{what}: after the next run");
        let target = self.path().join(job.target());
        for name in names(self.path()).iter().filter(|name| name.contains(".before-restore-")) {
            let kept = self.path().join(name);
            let found = dump(&kept).expect("a kept database opens");
            assert!(
                [&self.world.old_dump, &self.world.new_dump].contains(&&found),
                "{what}: {name} is neither old nor new"
            );
            assert!(!is_same_file(&kept, &target), "{what}: {name} is the target itself");
        }
    }
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    identity(one) == identity(other)
}

/// What strace is called with to do `injections`.
pub(crate) fn tracer(injections: &[String]) -> Vec<String> {
    let mut tracer: Vec<String> = ["strace", "-f", "-qq", "-o", "/dev/null"].map(String::from).into();
    for injection in injections {
        tracer.extend(["-e".to_string(), format!("inject={injection}")]);
    }
    tracer
}

/// How often a job calls each of `calls` when nothing goes wrong, at most in one thread.
pub(crate) fn count_calls(world: &World, calls: &[&str], injections: &[String]) -> Vec<(String, usize)> {
    let visit = world.enter();
    let log = tempfile::NamedTempFile::new().expect("a temporary file");
    let mut tracer = tracer(injections);
    tracer[4] = log.path().display().to_string();
    tracer.extend(["-e".to_string(), format!("trace={}", calls.join(","))]);
    let ended: Output = run(&mut visit.command(&tracer));
    assert!(ended.status.success(), "{:?}: {}", world.job, ending(&ended));
    let log = fs::read_to_string(log.path()).expect("a log");
    let mut counts = std::collections::BTreeMap::<(PathBuf, &str), usize>::new();
    for line in log.lines() {
        let mut words = line.split_whitespace();
        let (Some(thread), Some(call)) = (words.next(), words.next()) else { continue };
        if let Some((name, _)) = call.split_once('(') {
            *counts.entry((PathBuf::from(thread), name)).or_default() += 1;
        }
    }
    calls
        .iter()
        .map(|&call| {
            let of_call = counts.iter().filter(|((_, name), _)| *name == call);
            (call.to_string(), of_call.map(|(_, &count)| count).max().unwrap_or(0))
        })
        .collect()
}
