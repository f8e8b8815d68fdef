//! Does every change to a snapshot, one after another, and judges what `verify` says of each.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use parklite::error::{ErrorKind, Result};
use parklite::snapshot::{MANIFEST_FILE, Snapshot, TableEntry};
use parklite::verify::{VerifyLevel, VerifyReport};

use super::change::{Change, write_difference};
use super::parts::{Parts, names};
use super::plain::{Plain, count_caught_panics, decode};
use super::subject::{Subject, SubjectFile};
use crate::round_trip::verify_at;

/// Threads that damage copies of their own.
const THREADS: usize = 2;

/// Most complaints that are shown.
const SHOWN: usize = 10;

/// Whether everything is to be done, and counts printed.
pub(super) fn is_full_run() -> bool {
    std::env::var_os("PARKLITE_FULL").is_some_and(|value| value == "1")
}

/// How many changes there were, and what became of them.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Tally {
    /// Changes made.
    pub(super) changes: usize,
    /// The snapshot could not even be opened: exit 13.
    pub(super) refused: usize,
    /// The file was named by its SHA-256, size or seal: exit 4.
    pub(super) named_file: usize,
    /// Of these, those inside column chunks: every row group and column concerned was named, and no other.
    pub(super) named_chunks: usize,
    /// Of these, those elsewhere in a data file: the part was named.
    pub(super) named_part: usize,
    /// What decoding alone would have made of the change, where it was asked.
    pub(super) plain_refused: usize,
    pub(super) plain_same_rows: usize,
    pub(super) plain_other_rows: usize,
    /// What went wrong: not noticed, wrongly named, or an escaped panic.
    pub(super) complaints: Vec<String>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.changes += other.changes;
        self.refused += other.refused;
        self.named_file += other.named_file;
        self.named_chunks += other.named_chunks;
        self.named_part += other.named_part;
        self.plain_refused += other.plain_refused;
        self.plain_same_rows += other.plain_same_rows;
        self.plain_other_rows += other.plain_other_rows;
        self.complaints.extend(other.complaints);
    }

    /// Fails unless every change was noticed, by `verify` or by not opening at all, and rightly named.
    #[track_caller]
    pub(super) fn check(&self, least_changes: usize) {
        let shown = &self.complaints[..self.complaints.len().min(SHOWN)];
        assert!(shown.is_empty(), "{} complaints:\n{}", self.complaints.len(), shown.join("\n"));
        assert_eq!(self.changes, self.refused + self.named_file, "{self}");
        assert!(self.changes >= least_changes, "{self}");
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} changes: {} refused (exit 13), {} named to the file (exit 4), of these {} to row group and column and \
             {} to another part of a data file; decoding alone: {} refused, {} same rows, {} other rows",
            self.changes,
            self.refused,
            self.named_file,
            self.named_chunks,
            self.named_part,
            self.plain_refused,
            self.plain_same_rows,
            self.plain_other_rows
        )
    }
}

/// What is done to which file.
pub(super) type Work = Vec<(usize, Change)>;

/// Does all `work` to copies of `subject`, whose files are numbered in alphabetical order.
pub(super) fn sweep(subject: &Subject, work: &Work, ask_decoder: bool) -> Tally {
    count_caught_panics();
    let mut whole = Tally::default();
    thread::scope(|scope| {
        let run =
            |number| move || sweep_share(subject, work.iter().skip(number).step_by(THREADS), ask_decoder);
        let threads: Vec<_> = (0..THREADS).map(|number| scope.spawn(run(number))).collect();
        for thread in threads {
            whole.add(thread.join().expect("the judge itself does not panic"));
        }
    });
    whole
}

fn sweep_share<'w>(
    subject: &Subject,
    work: impl Iterator<Item = &'w (usize, Change)>,
    ask_decoder: bool,
) -> Tally {
    let copy = subject.duplicate();
    let entries = Snapshot::open(&copy.path).expect("a whole snapshot").manifest.tables;
    let targets: Vec<_> = copy.files().into_iter().map(|file| Target::new(file, &entries)).collect();
    let is_folder = copy.path.is_dir();
    let mut tally = Tally::default();
    for &(number, change) in work {
        let target = &targets[number];
        let old = &target.file.bytes;
        let Some(new) = change.apply(old) else { continue };
        write_difference(&target.file.path, old, &new);
        tally.changes += 1;
        let judged = catch_unwind(AssertUnwindSafe(|| {
            judge(target, &new, is_folder, verify_at(&copy.path, VerifyLevel::Data), &mut tally)?;
            if let (true, Some(entry), Change::Flip { .. }) = (ask_decoder, &target.entry, change) {
                *match decode(&target.file.path, entry) {
                    Plain::Refused => &mut tally.plain_refused,
                    Plain::SameRows => &mut tally.plain_same_rows,
                    Plain::OtherRows => &mut tally.plain_other_rows,
                } += 1;
            }
            Ok(())
        }));
        let complaint = match judged {
            Ok(Ok(())) => None,
            Ok(Err(complaint)) => Some(complaint),
            Err(_) => Some("a panic escaped".to_owned()),
        };
        tally.complaints.extend(complaint.map(|text| format!("{} {change:?}: {text}", target.file.name)));
        write_difference(&target.file.path, &new, old);
    }
    // The copy is whole again: the judge would notice if `verify` complained of everything.
    let report = verify_at(&copy.path, VerifyLevel::Data).expect("a whole snapshot");
    assert!(report.intact && report.files.is_empty() && report.data.is_empty(), "{report:?}");
    tally
}

/// A file to be damaged.
struct Target {
    file: SubjectFile,
    /// Of a data file only.
    parts: Option<Parts>,
    entry: Option<TableEntry>,
}

impl Target {
    fn new(file: SubjectFile, entries: &[TableEntry]) -> Self {
        let parts = file.table.is_some().then(|| Parts::of(&file));
        let is_its = |entry: &&TableEntry| file.table.as_deref() == Some(&*entry.table.name.lossy());
        let entry = entries.iter().find(is_its).cloned();
        Self { file, parts, entry }
    }
}

/// Complains unless the change was noticed and named with exactly the places that have other bytes now.
fn judge(
    target: &Target,
    new: &[u8],
    is_folder: bool,
    verified: Result<VerifyReport>,
    tally: &mut Tally,
) -> Result<(), String> {
    let report = match verified {
        Ok(report) => report,
        // What says what the snapshot is: the manifest, or the footer of a file that is one by itself.
        Err(error)
            if error.kind() == ErrorKind::Damaged && (!is_folder || target.file.name == MANIFEST_FILE) =>
        {
            tally.refused += 1;
            return Ok(());
        }
        Err(error) => return Err(format!("an error of kind {:?}: {error}", error.kind())),
    };
    let file = &target.file;
    let is_named =
        matches!(report.files.as_slice(), [one] if one.file == file.name && one.table == file.table);
    if report.intact || !is_named {
        return Err(format!("the file is not named: {:?}", report.files));
    }
    tally.named_file += 1;
    let (Some(parts), Some(table)) = (&target.parts, &file.table) else {
        return if report.data.is_empty() {
            Ok(())
        } else {
            Err(format!("named too much: {:?}", report.data))
        };
    };
    let due = parts.due(&file.bytes, new, is_folder);
    if !names(&report.data, &due, &file.name, table) {
        return Err(format!("{due:?} is due, named is {:?}", report.data));
    }
    let in_chunks = due.iter().any(|(row_group, ..)| row_group.is_some());
    *(if in_chunks { &mut tally.named_chunks } else { &mut tally.named_part }) += 1;
    Ok(())
}
