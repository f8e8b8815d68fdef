//! What a migration says of itself.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::bulk_sync::BulkSyncReport;
use super::inputs::SkippedFile;
use super::post::PostReport;
use super::put_back::PutBackReport;
use crate::local_storage::item::Problem;
use crate::local_storage::moment::Moment;
use crate::sqlite::events::{Conflict, ProgressFilled};

/// How many of each of what is told are listed at most: more say nothing new. All are counted.
pub(super) const MAX_TOLD: usize = 10_000;

/// How many lines of one file that cannot be read are listed at most, so that other files are named as well.
const MAX_UNREADABLE: usize = 20;

/// How many names of origins are listed with their sources, over all of them: some megabytes.
pub(super) const MAX_ORIGINS: usize = 200_000;

/// What was read, what became of it, and what did not fit.
#[derive(Debug, Clone, Default, Serialize)]
pub struct MigrateReport {
    /// The database that events went to; none where only a list was asked for.
    #[serde(serialize_with = "crate::report::lossy_path_if_any")]
    pub target: Option<PathBuf>,
    /// Whether anything was taken, rather than listed only.
    #[serde(skip)]
    pub takes: bool,
    /// Whether nothing was kept of it.
    pub dry_run: bool,
    /// Whether the inputs hold several origins and none was named; then nothing was imported.
    pub needs_origin: bool,
    /// Every file and store that was read, the oldest first.
    pub sources: Vec<SourceReport>,
    /// What else lay in the folders.
    pub skipped: Vec<SkippedFile>,
    /// Whose storage it is.
    pub origins: Vec<OriginReport>,
    /// All of it counted.
    pub totals: Totals,
    /// Elements that fit no event, or the first of very many.
    pub rejects: Vec<RejectReport>,
    /// What is odd about elements that became events, or the first of very many.
    pub warnings: Vec<WarningReport>,
    /// What devices disagree about in the programs of this run, whichever run brought it in.
    pub conflicts: Vec<Conflict>,
    /// What became of the table `progress_logs`, where it was to be filled.
    pub progress_table: Option<ProgressFilled>,
    /// What was made to put storage back, where that was asked for.
    pub put_back: Option<PutBackReport>,
    /// Rules of a mapping file that are for no store that was read.
    pub unused_rules: Vec<String>,
    /// Where the database is not as one that this program made.
    pub notes: Vec<String>,
    /// What was made for an app's server.
    pub bulk_sync: Option<BulkSyncReport>,
    /// What was sent to it.
    pub post: Option<PostReport>,
    /// Programs of which sessions were left out because of a marker.
    #[serde(skip)]
    pub(super) migrated: BTreeSet<String>,
    /// Programs whose completed sessions an app says it had sent to its server.
    pub markers: Vec<MarkerReport>,
}

/// What is told of values that earlier runs imported without saying whose they are, where others said it.
pub(super) fn of_nobody(imports: u64) -> Option<String> {
    (imports > 0).then(|| {
        let (what, dumps) = if imports == 1 {
            ("1 value that an earlier run imported is of no user and".to_owned(), "its dump")
        } else {
            (format!("{imports} values that earlier runs imported are of no user and"), "their dumps")
        };
        format!("{what} left out of progress_logs: import {dumps} again with --set user_id=…")
    })
}

impl MigrateReport {
    /// Whether something did not fit, could not be read, or may be missing.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        // A list takes nothing, so that nothing is missing.
        (self.takes && self.totals.rejected > 0)
            || self.put_back.as_ref().is_some_and(|made| made.left_out > 0)
            || self.totals.events_differing > 0
            || self.post.as_ref().is_some_and(|post| post.sessions_refused > 0)
            || self.progress_table.as_ref().is_some_and(|table| table.values_unfit > 0)
            || self.sources.iter().any(|source| source.is_incomplete)
    }

    /// Whether the server was gone, or went, before it took everything.
    #[must_use]
    pub fn is_unsent(&self) -> bool {
        self.post.as_ref().is_some_and(|post| post.stopped.is_some())
    }

    /// Takes back what was counted before it showed that nothing is to be imported.
    pub(super) fn undo_counts(&mut self) {
        self.totals = Totals {
            events_new: 0,
            events_known: 0,
            events_filled: 0,
            events_differing: 0,
            elements_new: 0,
            elements_known: 0,
            skipped_as_migrated: 0,
            storages_left_out: 0,
            partitions_left_out: 0,
            ..self.totals
        };
        for source in &mut self.sources {
            (source.events_new, source.events_known) = (0, 0);
        }
    }
}

/// How much it was.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Totals {
    /// Files.
    pub files: u64,
    /// Dumps in them.
    pub dumps: u64,
    /// Stores of browsers.
    pub browser_stores: u64,
    /// Keys with their values.
    pub items: u64,
    /// Events that were not there.
    pub events_new: u64,
    /// Events that were.
    pub events_known: u64,
    /// Events that were there and got fields which an earlier mapping did not give them.
    pub events_filled: u64,
    /// Events that were there and are not as the mapping has them now.
    pub events_differing: u64,
    /// Those of them that are elements of stores, such as sessions, and were not there.
    pub elements_new: u64,
    /// Elements that were.
    pub elements_known: u64,
    /// Elements and stores that fit no event.
    pub rejected: u64,
    /// What is odd about elements and stores that were taken.
    pub warnings: u64,
    /// Dumps, files and stores of browsers that could not be read.
    pub unreadable: u64,
    /// What is odd about those that could.
    pub problems: u64,
    /// What devices disagree about.
    pub conflicts: u64,
    /// Sessions left out because of a marker.
    pub skipped_as_migrated: u64,
    /// Storages of origins that were not asked for.
    pub storages_left_out: u64,
    /// Storages set apart from their origin's own, which were not asked for.
    pub partitions_left_out: u64,
}

/// One file, or one store of a browser.
#[derive(Debug, Clone, Serialize)]
pub struct SourceReport {
    /// The file.
    #[serde(serialize_with = "crate::report::lossy_path")]
    pub path: PathBuf,
    /// What its dumps are, each form once.
    pub formats: Vec<&'static str>,
    /// When it was as it is; nothing of what could not be read at all.
    pub captured_at: Option<String>,
    /// Whose storage is in it, as far as that is known; the first of very many.
    pub origins: Vec<String>,
    /// Dumps in it.
    pub dumps: u64,
    /// Keys with their values.
    pub items: u64,
    /// Events that were not there.
    pub events_new: u64,
    /// Events that were.
    pub events_known: u64,
    /// Whether something of it could not be read, or may be missing.
    pub is_incomplete: bool,
    /// What of it could not be read, or the first of many.
    pub unreadable: Vec<String>,
    /// How many lines of it could not be read besides.
    pub unreadable_more: u64,
    /// What is odd about it, or the first of very many.
    pub problems: Vec<ProblemReport>,
}

impl SourceReport {
    /// Of which nothing was read yet.
    pub(super) fn of(path: &Path, captured_at: Option<Moment>) -> Self {
        Self {
            path: path.to_path_buf(),
            formats: Vec::new(),
            captured_at: captured_at.map(|at| at.to_string()),
            origins: Vec::new(),
            dumps: 0,
            items: 0,
            events_new: 0,
            events_known: 0,
            is_incomplete: false,
            unreadable: Vec::new(),
            unreadable_more: 0,
            problems: Vec::new(),
        }
    }

    /// Notes something odd, and counts it.
    pub(super) fn add_problem(&mut self, problem: Problem, totals: &mut Totals) {
        let Problem { place, message, may_lose_items } = problem;
        self.is_incomplete |= may_lose_items;
        totals.problems += 1;
        if totals.problems <= MAX_TOLD as u64 {
            self.problems.push(ProblemReport { place, message, may_lose_items });
        }
    }

    /// Notes what could not be read, and counts it.
    pub(super) fn add_unreadable(&mut self, message: &str, totals: &mut Totals) {
        self.is_incomplete = true;
        totals.unreadable += 1;
        // Every file is named, however many others there are.
        let has_room = totals.unreadable <= MAX_TOLD as u64 && self.unreadable.len() < MAX_UNREADABLE;
        if has_room || self.unreadable.is_empty() {
            self.unreadable.push(message.to_owned());
        } else {
            self.unreadable_more += 1;
        }
    }

    /// Takes back what could not be read: there is something else to say of the file.
    pub(super) fn undo_unreadable(&mut self, totals: &mut Totals) {
        totals.unreadable -= self.unreadable.len() as u64 + self.unreadable_more;
        (self.unreadable, self.unreadable_more, self.is_incomplete) = (Vec::new(), 0, false);
    }
}

/// Something odd about a file.
#[derive(Debug, Clone, Serialize)]
pub struct ProblemReport {
    /// Where in it.
    pub place: String,
    /// What.
    pub message: String,
    /// Whether something may be missing because of it.
    pub may_lose_items: bool,
}

/// The storage of one origin, or of one part of it.
#[derive(Debug, Clone, Serialize)]
pub struct OriginReport {
    /// The origin, where it is known.
    pub origin: Option<String>,
    /// The part.
    pub partition: Option<String>,
    /// Dumps and stores of browsers that have it.
    pub sources: u64,
    /// The first files and stores that do.
    #[serde(skip)]
    pub paths: Vec<PathBuf>,
    /// How many files and stores do.
    #[serde(skip)]
    pub path_count: u64,
    /// Keys in all of them.
    pub items: u64,
    /// What keys and values take as UTF-16; as they are stored, where they were only counted.
    pub size_bytes: u64,
    /// Values in all of them that are neither objects nor arrays of JSON, nor of a store that is known.
    pub plain_values: u64,
    /// When it was changed last, where a source tells that.
    pub last_changed_at: Option<String>,
    /// When it was captured last.
    pub last_captured_at: String,
    /// Whether it was imported.
    pub imported: bool,
    /// The stores that are known, and other objects and arrays of JSON, by key; of those the first of very many.
    pub stores: Vec<StoreReport>,
    /// Programs with a marker.
    pub markers: BTreeSet<String>,
    /// Whether its size is that of what is stored, which is another one than that of text.
    #[serde(skip)]
    pub is_size_as_stored: bool,
    /// The number of the source that had it last.
    #[serde(skip)]
    last_path: Option<usize>,
}

impl OriginReport {
    /// Of which nothing was met yet.
    pub(super) fn of(origin: Option<String>, partition: Option<String>, imported: bool) -> Self {
        Self {
            origin,
            partition,
            sources: 0,
            paths: Vec::new(),
            path_count: 0,
            is_size_as_stored: false,
            last_path: None,
            items: 0,
            size_bytes: 0,
            plain_values: 0,
            last_changed_at: None,
            last_captured_at: String::new(),
            imported,
            stores: Vec::new(),
            markers: BTreeSet::new(),
        }
    }

    /// Notes a source, by its number and path; whether it is another one than before.
    pub(super) fn seen_in(&mut self, index: usize, path: &Path) -> bool {
        /// As many are named.
        const MOST: usize = 2;
        self.sources += 1;
        if self.last_path == Some(index) {
            return false;
        }
        self.last_path = Some(index);
        self.path_count += 1;
        if self.paths.len() < MOST {
            self.paths.push(path.to_path_buf());
        }
        true
    }

    /// Notes when one source has it from.
    pub(super) fn seen(&mut self, changed_at: Option<Moment>, captured_at: Moment) {
        self.last_changed_at = self.last_changed_at.take().max(changed_at.map(|at| at.to_string()));
        self.last_captured_at = std::mem::take(&mut self.last_captured_at).max(captured_at.to_string());
    }
}

/// What an app keeps under one key.
#[derive(Debug, Clone, Serialize)]
pub struct StoreReport {
    /// The key.
    pub key: String,
    /// The library that wrote it.
    pub library: &'static str,
    /// The versions that were met.
    pub versions: BTreeSet<String>,
    /// Whether a rule is for it.
    pub mapped: bool,
    /// Dumps and stores of browsers that have it.
    pub sources: u64,
    /// Elements, such as sessions.
    pub elements: u64,
    /// Whether they are sessions, by the rule that is for it.
    pub are_sessions: bool,
    /// Those that fit no event.
    pub rejected: u64,
}

/// An element that fits no event.
#[derive(Debug, Clone, Serialize)]
pub struct RejectReport {
    /// The file.
    #[serde(serialize_with = "crate::report::lossy_path")]
    pub source: PathBuf,
    /// The line, where each is a dump.
    pub line: Option<u64>,
    /// Whose storage, where it is known.
    pub origin: Option<String>,
    /// The part of it.
    pub partition: Option<String>,
    /// The key.
    pub key: String,
    /// Where in the value.
    pub pointer: String,
    /// Why.
    pub reason: String,
    /// Its first characters.
    pub excerpt: String,
}

/// Something odd about a value.
#[derive(Debug, Clone, Serialize)]
pub struct WarningReport {
    /// The file.
    #[serde(serialize_with = "crate::report::lossy_path")]
    pub source: PathBuf,
    /// The line, where each is a dump.
    pub line: Option<u64>,
    /// Whose storage, where it is known.
    pub origin: Option<String>,
    /// The part of it.
    pub partition: Option<String>,
    /// The key.
    pub key: String,
    /// Where in the value.
    pub pointer: String,
    /// What.
    pub message: String,
}

/// A key `migrated-<program>`.
#[derive(Debug, Clone, Serialize)]
pub struct MarkerReport {
    /// The program.
    pub program_id: String,
    /// The origin of the storage that has it.
    pub origin: Option<String>,
    /// The first file that has it.
    #[serde(serialize_with = "crate::report::lossy_path")]
    pub source: PathBuf,
}
