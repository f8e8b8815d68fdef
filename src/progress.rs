//! How the core tells how far it is, without knowing who listens.
//!
//! The core calls a small trait; bars, log lines and JSON events live in `cli`. Workers only advance
//! counters: nothing here draws, and nothing here reads a clock.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a phase does; the words a person sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhaseKind {
    /// Copying the whole database through SQLite's backup interface, before reading it.
    Copying,
    /// Reading a table to see what its columns hold, for a dry run.
    Counting,
    /// Reading a table and encoding it as Parquet.
    Exporting,
    /// Sorting a table whose rows are not in the asked order.
    Sorting,
    /// Decoding what was written and matching it with what was read.
    Matching,
    /// Reading files for their SHA-256.
    Hashing,
    /// Inserting a table's rows.
    Restoring,
    /// Building indexes.
    Indexing,
    /// Checking a database: integrity, foreign keys, digests.
    Checking,
    /// Reading every row of a table for its content digest.
    Digesting,
    /// Looking for the rows in which two tables differ.
    Comparing,
    /// Reading dumps of localStorage and storing what becomes of them.
    Migrating,
    /// Sending sessions to a server.
    Sending,
}

impl PhaseKind {
    /// The phase as a verb in the present participle, lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Copying => "copying",
            Self::Counting => "counting",
            Self::Exporting => "exporting",
            Self::Sorting => "sorting",
            Self::Matching => "matching",
            Self::Hashing => "hashing",
            Self::Restoring => "restoring",
            Self::Indexing => "indexing",
            Self::Checking => "checking",
            Self::Digesting => "digesting",
            Self::Comparing => "comparing",
            Self::Migrating => "migrating",
            Self::Sending => "sending",
        }
    }

    /// What its rows are: the word for one of them, and for several.
    #[must_use]
    pub fn unit(self) -> (&'static str, &'static str) {
        match self {
            Self::Sending => ("session", "sessions"),
            _ => ("row", "rows"),
        }
    }
}

/// One phase of a run.
#[derive(Debug, Clone, Copy)]
pub struct Phase<'a> {
    /// What is being done.
    pub kind: PhaseKind,
    /// To what: usually a table's name; empty for several tables at once and for the whole database.
    pub subject: &'a str,
    /// Rows to expect, exact or estimated; `None` where nothing is known.
    pub total_rows: Option<u64>,
    /// Bytes to expect, exact or estimated; `None` where nothing is known.
    pub total_bytes: Option<u64>,
}

/// Listens to a run. All calls may come from any thread.
pub trait Progress: Sync {
    /// The run's overall size in bytes of source or snapshot, known at once, before any table is read.
    fn set_run_total(&self, bytes: u64);
    /// A phase begins; the one before it is over.
    fn begin(&self, phase: Phase<'_>);
    /// The current phase got this much further.
    fn advance(&self, rows: u64, bytes: u64);
    /// The current phase is over.
    fn end(&self);
    /// Something a person should know now, such as a wait for a lock. One line, lower case.
    fn note(&self, message: &str);
}

/// Listens to one of several pieces of work that are done side by side and told as one phase, which who starts them
/// begins and ends.
///
/// What a piece counts again, because it is done again, is counted once.
pub struct PartOfPhase<'a> {
    whole: &'a dyn Progress,
    counted: Mutex<Counted>,
}

/// Rows and bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    /// In the phase that the piece of work is in.
    now: (u64, u64),
    /// As much as was passed on.
    told: (u64, u64),
}

impl<'a> PartOfPhase<'a> {
    /// A listener that passes on to `whole`.
    #[must_use]
    pub fn of(whole: &'a dyn Progress) -> Self {
        Self { whole, counted: Mutex::default() }
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for PartOfPhase<'_> {
    fn set_run_total(&self, _bytes: u64) {}

    fn begin(&self, _phase: Phase<'_>) {
        self.counted().now = (0, 0);
    }

    fn advance(&self, rows: u64, bytes: u64) {
        let mut counted = self.counted();
        counted.now = (counted.now.0.saturating_add(rows), counted.now.1.saturating_add(bytes));
        let (now, told) = (counted.now, counted.told);
        let (new_rows, new_bytes) = (now.0.saturating_sub(told.0), now.1.saturating_sub(told.1));
        counted.told = (told.0 + new_rows, told.1 + new_bytes);
        self.whole.advance(new_rows, new_bytes);
    }

    fn end(&self) {}

    fn note(&self, message: &str) {
        self.whole.note(message);
    }
}

/// Listens to nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn set_run_total(&self, _bytes: u64) {}
    fn begin(&self, _phase: Phase<'_>) {}
    fn advance(&self, _rows: u64, _bytes: u64) {}
    fn end(&self) {}
    fn note(&self, _message: &str) {}
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Adds rows and bytes up; phases are none of its business.
    #[derive(Default)]
    struct Sum(AtomicU64, AtomicU64);

    impl Progress for Sum {
        fn set_run_total(&self, _bytes: u64) {
            panic!("a part does not know the whole");
        }
        fn begin(&self, _phase: Phase<'_>) {
            panic!("a part begins no phase");
        }
        fn advance(&self, rows: u64, bytes: u64) {
            self.0.fetch_add(rows, Ordering::Relaxed);
            self.1.fetch_add(bytes, Ordering::Relaxed);
        }
        fn end(&self) {
            panic!("a part ends no phase");
        }
        fn note(&self, _message: &str) {}
    }

    #[test]
    fn parts_of_a_phase_add_up_and_what_is_done_again_counts_once() {
        let sum = Sum::default();
        let (one, other) = (PartOfPhase::of(&sum), PartOfPhase::of(&sum));
        let phase = Phase { kind: PhaseKind::Exporting, subject: "t", total_rows: None, total_bytes: None };
        one.begin(phase);
        one.advance(10, 100);
        other.begin(phase);
        other.advance(1, 1);
        one.end();
        one.begin(phase);
        one.advance(6, 60);
        one.advance(6, 60);
        other.end();
        assert_eq!((sum.0.into_inner(), sum.1.into_inner()), (13, 121));
    }
}
