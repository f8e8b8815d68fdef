//! Small worlds in which one job runs and may be cut short, and what may be found there afterwards.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::{dump, ending, export_options, export_with, parklite, quick_folder, run};

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
    VerifyData,
    /// Rows that do not fit into memory: sorted through files.
    ExportSpilling,
    RestoreSpilling,
}

impl Job {
    pub(crate) const ALL: [Self; 14] = [
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
        Self::VerifyData,
        Self::ExportSpilling,
        Self::RestoreSpilling,
    ];

    /// Those of `jobs` that `PARKLITE_FAULT_JOBS` names, as in `ExportFolder,Verify`; all of them where it is not set.
    pub(crate) fn asked_for(jobs: &[Self]) -> Vec<Self> {
        let asked = std::env::var("PARKLITE_FAULT_JOBS").ok();
        let is_asked = |job: &&Self| {
            asked.as_ref().is_none_or(|asked| asked.split(',').any(|name| name == format!("{job:?}")))
        };
        jobs.iter().filter(is_asked).copied().collect()
    }

    /// What is typed.
    pub(crate) fn arguments(self) -> Vec<&'static str> {
        let (export, restore) = (["export", "new.db", "--busy-timeout", "50ms"], ["restore", "snapshot"]);
        let mut arguments = Vec::new();
        if self.is_export() {
            arguments.extend(export);
            arguments.extend(["-o", self.target()]);
        } else if self.is_restore() {
            arguments.extend(restore);
            arguments.extend([self.target(), "--busy-timeout", "50ms"]);
        } else {
            arguments.extend(["verify", self.target()]);
        }
        let more: &[&str] = match self {
            Self::ExportFolder | Self::Verify => &[],
            Self::ExportFile => &["--table", "items"],
            Self::ExportFileOver => &["--table", "items", "--overwrite"],
            Self::ExportCopy => &["--copy-first", "--temp-dir", "temp"],
            Self::Restore => &["--temp-dir", "temp"],
            Self::ExportFolderOver
            | Self::RestoreOver
            | Self::RestoreOverWal
            | Self::RestoreOverHotJournal => &["--overwrite"],
            Self::RestoreDiscarding => &["--overwrite", "--discard-old"],
            Self::VerifyData => &["--data", "--independent"],
            Self::ExportSpilling | Self::RestoreSpilling => {
                &["--memory-limit", "64MiB", "--temp-dir", "temp"]
            }
        };
        arguments.extend(more);
        // In one process: the counts of calls are those of each process, and what becomes of one whose other process is
        // killed is tried in `tests/cli/confinement.rs`.
        arguments.extend((!self.is_export()).then_some("--no-confine"));
        arguments
    }

    pub(crate) fn target(self) -> &'static str {
        match self {
            Self::ExportFolder | Self::ExportFolderOver | Self::ExportCopy | Self::ExportSpilling => "out",
            Self::ExportFile | Self::ExportFileOver => "out.parquet",
            Self::Verify | Self::VerifyData => "snapshot",
            _ => "target.db",
        }
    }

    pub(crate) fn is_export(self) -> bool {
        matches!(
            self,
            Self::ExportFolder
                | Self::ExportFolderOver
                | Self::ExportFile
                | Self::ExportFileOver
                | Self::ExportCopy
                | Self::ExportSpilling
        )
    }

    pub(crate) fn is_verify(self) -> bool {
        matches!(self, Self::Verify | Self::VerifyData)
    }

    pub(crate) fn is_restore(self) -> bool {
        !self.is_export() && !self.is_verify()
    }

    pub(crate) fn spills(self) -> bool {
        matches!(self, Self::ExportSpilling | Self::RestoreSpilling)
    }

    /// Of `count` points of a sample those that this job gets: a few where every run takes long.
    pub(crate) fn share_of(self, count: usize) -> usize {
        if self.spills() { count.div_ceil(4) } else { count }
    }

    /// Whether the target stands there already, so that the job replaces it or looks at it.
    pub(crate) fn replaces(self) -> bool {
        !matches!(
            self,
            Self::ExportFolder
                | Self::ExportFile
                | Self::ExportCopy
                | Self::Restore
                | Self::ExportSpilling
                | Self::RestoreSpilling
        )
    }

    pub(crate) fn keeps_old(self) -> bool {
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
    pub(crate) job: Job,
    pub(crate) folder: TempDir,
    pub(crate) old_dump: String,
    pub(crate) new_dump: String,
}

impl World {
    pub(crate) fn new(job: Job) -> Self {
        let folder = quick_folder();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("temp")).expect("a folder");
        create_database(&at("old.db"), "old", 40, false);
        create_database(&at("new.db"), "new", 60, job.spills());
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
}

/// `items` with an index, `pairs` without rowid, a view; everything small, but for `large` rows in no order.
fn create_database(path: &Path, mark: &str, rows: u32, large: bool) {
    let connection = Connection::open(path).expect("created");
    connection
        .execute_batch(&format!(
            "PRAGMA page_size={};
             CREATE TABLE items(id INTEGER PRIMARY KEY, label TEXT, amount);
             CREATE INDEX items_by_label ON items(label);
             CREATE TABLE pairs(k TEXT PRIMARY KEY, v) WITHOUT ROWID;
             CREATE VIEW labels AS SELECT label FROM items;
             WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {rows})
             INSERT INTO items SELECT n, '{mark} ' || (n * 7919 % 1000), n * 0.5 FROM numbers;
             INSERT INTO pairs SELECT label || id, id FROM items;",
            if large { 65536 } else { 4096 }
        ))
        .expect("filled");
    if large {
        connection
            .execute_batch(
                "CREATE TABLE large(_created_at INTEGER, v BLOB);
                 WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 40)
                 INSERT INTO large SELECT n * 7919 % 41, zeroblob(500000 + n) FROM numbers;",
            )
            .expect("filled");
    }
}

/// A copy of `database` as a killed process leaves it in WAL mode: the last commits are in the WAL only.
fn leave_wal(database: &Path, target: &Path) {
    let folder = quick_folder();
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
    let folder = quick_folder();
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
