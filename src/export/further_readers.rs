//! Further readers of the commit that is exported, as many as there are files that may be opened for them.
//!
//! How many files a process may have open is a limit of the system, and an export must not fail under one that suffices for
//! one reader. So what all else opens is set aside, and readers take from one number wherever they work; what one leaves
//! open is opened again by the next (SQLite keeps a file open as long as the process has a lock on it). What is written does
//! not depend on any of this.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::durable::free_descriptors;
use crate::run::Interrupt;
use crate::schema::Table;
use crate::sqlite::open::Source;

/// Files that an export with one reader opens beside those that are open when readers are counted, at most: a table's and
/// what is spilled of it, SQLite's side files, and folders that are synced.
const SET_ASIDE: usize = 8;
/// Files of a reader and of what it reads: the database and its WAL, a table's and another handle of it, two of spilled rows.
const EACH: usize = 6;
/// For each thread: one for a table beside others, and two where rows are dealt out.
const MOST_PER_THREAD: usize = 3;

/// How many further readers there may be.
pub(super) struct FurtherReaders {
    left: AtomicUsize,
}

/// One of them.
pub(super) struct FurtherReader<'r> {
    pub(super) source: Source,
    _place: Place<'r>,
}

/// A place for a reader, given back when that is gone.
struct Place<'r>(&'r AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl FurtherReaders {
    /// Counts them, for an export with so many threads, which has not started any yet.
    pub(super) fn counted(threads: usize) -> Self {
        let most = if threads < 2 { 0 } else { threads.saturating_mul(MOST_PER_THREAD) };
        let free = free_descriptors(most.saturating_mul(EACH).saturating_add(SET_ASIDE));
        Self { left: AtomicUsize::new((free.saturating_sub(SET_ASIDE) / EACH).min(most)) }
    }

    /// Up to `wanted` of them, that see what `first` sees and may read `tables`; fewer where no more can be had.
    pub(super) fn open(
        &self,
        first: &Source,
        tables: &[Table],
        wanted: usize,
        interrupt: &Interrupt,
    ) -> Vec<FurtherReader<'_>> {
        let open_one = |_| {
            let place = self.place()?;
            let source = first.second_reader(tables, interrupt)?;
            Some(FurtherReader { source, _place: place })
        };
        (0..wanted).map_while(open_one).collect()
    }

    /// So many.
    #[cfg(test)]
    pub(super) fn of(count: usize) -> Self {
        Self { left: AtomicUsize::new(count) }
    }

    /// How many may still be opened.
    pub(super) fn left(&self) -> usize {
        self.left.load(Ordering::Relaxed)
    }

    fn place(&self) -> Option<Place<'_>> {
        let take = |left: usize| left.checked_sub(1);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok()?;
        Some(Place(&self.left))
    }
}
