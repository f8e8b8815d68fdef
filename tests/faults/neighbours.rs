//! Several runs in one folder: they neither disturb nor clear up each other.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parklite::durable::Existing;
use parklite::export::ExportOptions;
use parklite::progress::{Phase, PhaseKind, Progress};
use rusqlite::Connection;

use crate::support::{
    dump, ending, export_options, export_with, names, parklite, restore_fresh, run, stages,
};

fn create(path: &Path) {
    let connection = Connection::open(path).expect("created");
    connection
        .execute_batch(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
             WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 5000)
             INSERT INTO t SELECT n, 'row ' || n FROM numbers;",
        )
        .expect("filled");
}

/// Exit codes of `count` runs of the same arguments, with `{}` for the run's number, started at once.
fn at_once(folder: &Path, arguments: &[&str], count: usize) -> Vec<Option<i32>> {
    let children: Vec<_> = (0..count)
        .map(|number| {
            let arguments = arguments.iter().map(|text| text.replace("{}", &number.to_string()));
            let mut command = parklite(folder, arguments);
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("started")
        })
        .collect();
    children.into_iter().map(|mut child| child.wait().expect("ended").code()).collect()
}

#[test]
fn runs_at_once_each_get_their_own_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    create(&folder.path().join("source.db"));
    let codes = at_once(folder.path(), &["export", "source.db", "-o", "out-{}"], 8);
    assert_eq!(codes, [Some(0); 8]);
    let codes = at_once(folder.path(), &["restore", "out-{}", "restored-{}.db"], 8);
    assert_eq!(codes, [Some(0); 8]);
    let codes = at_once(folder.path(), &["verify", "out-{}"], 8);
    assert_eq!(codes, [Some(0); 8]);
    let source = dump(&folder.path().join("source.db"));
    for number in 0..8 {
        assert_eq!(dump(&folder.path().join(format!("restored-{number}.db"))), source);
    }
    assert_eq!(stages(folder.path()), Vec::<String>::new());
}

#[test]
fn of_runs_at_once_one_gets_the_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    create(&folder.path().join("source.db"));
    for arguments in [["export", "source.db", "-o", "out"].as_slice(), &["restore", "out", "restored.db"]] {
        let mut codes = at_once(folder.path(), arguments, 6);
        codes.sort_unstable();
        assert_eq!(codes, [0, 12, 12, 12, 12, 12].map(Some));
    }
    assert_eq!(names(folder.path()), ["out", "restored.db", "source.db"]);
}

#[test]
fn runs_at_once_that_replace_one_snapshot_all_succeed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    create(&folder.path().join("source.db"));
    let codes = at_once(folder.path(), &["export", "source.db", "-o", "out", "--overwrite"], 6);
    assert_eq!(codes, [Some(0); 6]);
    let verified = run(&mut parklite(folder.path(), ["verify", "out"]));
    assert!(verified.status.success(), "{}", ending(&verified));
    assert_eq!(names(folder.path()), ["out", "source.db"]);
}

/// Each has what it replaced, none takes what it has not seen.
#[test]
fn runs_at_once_that_replace_one_database_each_keep_what_they_replaced() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);
    create(&path("source.db"));
    create(&path("target.db"));
    let mark = Connection::open(path("target.db")).expect("opened");
    mark.execute_batch("INSERT INTO t VALUES (-1, 'only in the old one')").expect("marked");
    drop(mark);
    let (old, new) = (dump(&path("target.db")).expect("healthy"), dump(&path("source.db")).expect("healthy"));
    export_with(&path("source.db"), &export_options(&path("out")), &parklite::progress::Silent)
        .expect("exported");
    let arguments = ["restore", "out", "target.db", "--overwrite", "--busy-timeout", "2m"];
    let codes = at_once(folder.path(), &arguments, 6);
    // One that waited for the lock of a database that another one replaced meanwhile leaves the new one alone.
    assert!(codes.iter().all(|code| matches!(code, Some(0 | 11))), "{codes:?}");
    let replaced = codes.iter().filter(|code| **code == Some(0)).count();
    assert!(replaced > 0, "{codes:?}");
    assert_eq!(dump(&path("target.db")).as_ref(), Ok(&new));
    let found = names(folder.path());
    let kept: Vec<_> = found.iter().filter(|name| name.starts_with("target.db.before-restore-")).collect();
    assert_eq!(kept.len(), replaced, "{codes:?} {found:?}");
    let dumps: Vec<_> = kept.iter().map(|name| dump(&path(name)).expect("healthy")).collect();
    assert_eq!(dumps.iter().filter(|dump| **dump == old).count(), 1, "{found:?}");
    assert!(dumps.iter().all(|dump| *dump == old || *dump == new), "{found:?}");
    assert_eq!(found.len(), 3 + replaced, "{found:?}");
}

/// Runs the program while an export of this process is in the middle of its work.
struct Meanwhile<'a> {
    folder: &'a Path,
    seen: Mutex<Option<(Vec<String>, Vec<String>)>>,
}

impl Progress for Meanwhile<'_> {
    fn set_run_total(&self, _bytes: u64) {}

    fn begin(&self, phase: Phase<'_>) {
        if phase.kind != PhaseKind::Matching {
            return;
        }
        let before = stages(self.folder);
        for arguments in [
            ["export", "source.db", "-o", "other"].as_slice(),
            &["verify", "other"],
            &["restore", "other", "other.db"],
        ] {
            let ended = run(&mut parklite(self.folder, arguments));
            assert!(ended.status.success(), "{}", ending(&ended));
        }
        *self.seen.lock().expect("one user") = Some((before, stages(self.folder)));
    }

    fn advance(&self, _rows: u64, _bytes: u64) {}
    fn end(&self) {}
    fn note(&self, _message: &str) {}
}

#[test]
fn another_run_clears_dead_stages_and_leaves_living_ones() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    create(&path.join("source.db"));
    let progress = Meanwhile { folder: path, seen: Mutex::new(None) };
    let out = path.join("out");
    // The dead stage is made after the living one, which would otherwise clear it itself.
    let dead = ".parklite-stage-0123456789abcdef0123456789abcdef";
    let living = Living { inner: &progress, dead: path.join(dead) };
    export_with(&path.join("source.db"), &export_options(&out), &living).expect("exported undisturbed");
    let (before, after) = progress.seen.into_inner().expect("one user").expect("the phase began");
    assert_eq!(before.len(), 2, "one living and one dead: {before:?}");
    assert_eq!(after.len(), 1, "only the dead one was cleared: {after:?}");
    assert_ne!(after[0], dead);
    restore_fresh(&out, &path.join("restored.db")).expect("intact");
    assert_eq!(dump(&path.join("restored.db")), dump(&path.join("source.db")));
    assert_eq!(stages(path), Vec::<String>::new());
}

/// Leaves a dead run's stage behind before anything else.
struct Living<'a> {
    inner: &'a Meanwhile<'a>,
    dead: std::path::PathBuf,
}

impl Progress for Living<'_> {
    fn set_run_total(&self, _bytes: u64) {
        fs::create_dir(&self.dead).expect("a folder");
        fs::write(self.dead.join("half.parquet"), b"PAR1").expect("a file");
    }

    fn begin(&self, phase: Phase<'_>) {
        self.inner.begin(phase);
    }

    fn advance(&self, _rows: u64, _bytes: u64) {}
    fn end(&self) {}
    fn note(&self, _message: &str) {}
}

/// Readers of a snapshot that is replaced again and again always find one.
#[test]
fn a_snapshot_that_is_replaced_is_never_missing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (source, out) = (folder.path().join("source.db"), folder.path().join("out"));
    create(&source);
    export_with(&source, &export_options(&out), &parklite::progress::Silent).expect("exported");
    let done = AtomicBool::new(false);
    let looks = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut looks = 0_u64;
            while !done.load(Ordering::Relaxed) {
                assert!(out.join("manifest.json").is_file(), "the snapshot is missing for a moment");
                looks += 1;
                std::thread::sleep(Duration::from_micros(20));
            }
            looks
        });
        let over = SetOnDrop(&done);
        for _ in 0..20 {
            let options = ExportOptions { existing: Existing::Replace, ..export_options(&out) };
            export_with(&source, &options, &parklite::progress::Silent).expect("exported");
        }
        drop(over);
        reader.join().expect("the reader saw a snapshot each time")
    });
    assert!(looks > 20);
}

/// Ends the reader even when an export fails.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
