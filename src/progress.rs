//! How the core tells how far it is, without knowing who listens.
//!
//! The core calls a small trait; bars, log lines and JSON events live in `cli`. Workers only advance
//! counters: nothing here draws, and nothing here reads a clock.

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
        }
    }
}

/// One phase of a run.
#[derive(Debug, Clone, Copy)]
pub struct Phase<'a> {
    /// What is being done.
    pub kind: PhaseKind,
    /// To what: usually a table's name; empty for the whole database.
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
