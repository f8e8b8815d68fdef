//! An end to what expressions of other people's schemas may take: time, the size of values, of programs, of files.
//!
//! Indexes, CHECKs and generated columns of a snapshot are evaluated while its database is built and checked. How
//! long that may take grows with the rows, so that only what an honest schema would never do runs into it. What may be
//! taken beyond that is one sum for all expressions of a run, however many there are.
//!
//! SQLite does not interrupt one function call midway. Where one goes on after everything else would have ended, a
//! thread ends the whole process ([`run::set_last_resort`](crate::run::set_last_resort)).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::limits::Limit;

use crate::error::{Error, ErrorKind, Result};
use crate::run::{Interrupt, resort_to_the_last, start_thread};
use crate::schema::SchemaObject;
use crate::sqlite::failure::failure;

/// The time that is always given, in milliseconds.
static LEAST_MS: AtomicU64 = AtomicU64::new(60_000);

/// Says how long evaluating the expressions of one snapshot's schema may take at the least, for this whole process;
/// more is given the more rows there are.
pub fn set_expression_timeout(least: Duration) {
    LEAST_MS.store(u64::try_from(least.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
}

/// How much there is to evaluate expressions for, as counted while it was loaded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extent {
    /// Rows.
    pub rows: u64,
    /// Their size in canonical encoding.
    pub content_bytes: u64,
    /// The size of the largest.
    pub largest_row_bytes: u64,
}

impl Extent {
    /// The most that a file of this size can hold, where rows were not counted.
    #[must_use]
    pub fn of_file(size_bytes: u64) -> Self {
        Self { rows: 0, content_bytes: size_bytes, largest_row_bytes: size_bytes }
    }

    /// Counts one row.
    pub fn add_row(&mut self, size_bytes: usize) {
        self.rows += 1;
        self.content_bytes += size_bytes as u64;
        self.largest_row_bytes = self.largest_row_bytes.max(size_bytes as u64);
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            rows: self.rows + other.rows,
            content_bytes: self.content_bytes + other.content_bytes,
            largest_row_bytes: self.largest_row_bytes.max(other.largest_row_bytes),
        }
    }

    /// How long `passes` expressions over each row may take, beside what all of a run may take together.
    ///
    /// A hundred times what a slow machine needs, or more.
    pub(crate) fn time(&self, passes: usize) -> Duration {
        let for_rows = Duration::from_millis(self.rows.saturating_mul(1 + passes as u64));
        let for_bytes = Duration::from_millis(self.content_bytes / 1_024);
        for_rows.saturating_add(for_bytes)
    }

    /// The largest value that an expression over these rows may make, in bytes.
    ///
    /// Four times the largest row: twice for a database in UTF-16, and twice for what an honest expression
    /// makes of a value, such as its hexadecimal digits. SQLite holds texts of the schema to it as well.
    fn value_bytes(&self, objects: &[SchemaObject]) -> i32 {
        const LEAST: u64 = 256 << 10;
        let texts = objects.iter().filter_map(|object| object.sql.as_ref());
        let longest = texts.map(|sql| sql.as_bytes().len() as u64).max().unwrap_or(0);
        let bytes = self.largest_row_bytes.max(longest).saturating_mul(4).saturating_add(LEAST);
        i32::try_from(bytes).unwrap_or(i32::MAX)
    }

    /// How far a file may grow while the expression indexes over these rows are built, in bytes.
    pub(crate) fn index_bytes(&self) -> u64 {
        /// No honest index entry is larger, but for what its row already holds.
        const ENTRY: u64 = 4_096;
        self.rows.saturating_mul(ENTRY).saturating_add(self.content_bytes.saturating_mul(4))
    }
}

/// Stops the statements of one connection when the run is interrupted, or a time that was set is over.
pub(crate) struct Watch(Arc<State>);

struct State {
    begun: Instant,
    interrupt: Interrupt,
    /// What is left, in milliseconds, of the time that all expressions may take beyond what their rows explain.
    left_ms: AtomicU64,
    /// In milliseconds since `begun`; [`u64::MAX`] while no time is set.
    end_ms: AtomicU64,
    is_over: AtomicBool,
}

impl Watch {
    /// Sets the watch up, in place of the connection's plainer one.
    ///
    /// # Errors
    /// What SQLite says.
    pub(crate) fn over(connection: &mut Connection, interrupt: &Interrupt) -> Result<Self> {
        /// Few, since each may be a call of a function that takes long.
        const OPERATIONS_BETWEEN_LOOKS: i32 = 25;
        let state = Arc::new(State {
            begun: Instant::now(),
            interrupt: interrupt.clone(),
            left_ms: AtomicU64::new(LEAST_MS.load(Ordering::Relaxed)),
            end_ms: AtomicU64::new(u64::MAX),
            is_over: AtomicBool::new(false),
        });
        let (stop, seen) = (interrupt.clone(), Arc::clone(&state));
        let look = move || stop.is_set() || seen.is_over();
        connection.progress_handler(OPERATIONS_BETWEEN_LOOKS, Some(look)).map_err(failure)?;
        Ok(Self(state))
    }

    /// Does `work`, which evaluates `what`, within `time` and what is left for all expressions together.
    ///
    /// # Errors
    /// `Failed` when the time is over; what `work` says.
    pub(crate) fn within<T>(
        &self,
        time: Duration,
        what: &str,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let state = &*self.0;
        let left = Duration::from_millis(state.left_ms.load(Ordering::Relaxed));
        let allowed = time.saturating_add(left);
        let begun = Instant::now();
        let end = state.begun.elapsed().saturating_add(allowed);
        state.is_over.store(false, Ordering::Relaxed);
        state.end_ms.store(milliseconds(end), Ordering::Relaxed);
        let done = std::thread::scope(|scope| {
            let (working, ended) = channel::<()>();
            start_thread(scope, move || state.outlast(&ended, end, || took_longer(what, allowed)))?;
            let done = work();
            drop(working);
            done
        });
        state.end_ms.store(u64::MAX, Ordering::Relaxed);
        let beyond = begun.elapsed().saturating_sub(time);
        state.left_ms.store(milliseconds(left.saturating_sub(beyond)), Ordering::Relaxed);
        match done {
            Err(error) if state.is_over.load(Ordering::Relaxed) => {
                let table = error.place().table.clone();
                Err(table.into_iter().fold(took_longer(what, allowed), Error::in_table))
            }
            done => done,
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn took_longer(what: &str, allowed: Duration) -> Error {
    let message = format!("evaluating {what} took longer than {} s", allowed.as_secs());
    Error::new(ErrorKind::Failed, message).hint(
        "its expressions may be made to take for ever; if you trust it, give them more time \
         with --expression-timeout",
    )
}

impl State {
    /// Waits for the work to end. Where it does not, although its time is over or it was asked to stop a while ago, it is
    /// inside a call that nothing interrupts.
    fn outlast(&self, ended: &Receiver<()>, end: Duration, over: impl Fn() -> Error) {
        const STEP: Duration = Duration::from_millis(50);
        const GRACE: Duration = Duration::from_secs(3);
        let mut asked_to_stop: Option<Instant> = None;
        while ended.recv_timeout(STEP) == Err(RecvTimeoutError::Timeout) {
            if let Err(interrupted) = self.interrupt.check()
                && asked_to_stop.get_or_insert_with(Instant::now).elapsed() > GRACE
            {
                resort_to_the_last(&interrupted);
            }
            if self.begun.elapsed() > end.saturating_add(GRACE) {
                resort_to_the_last(&over());
            }
        }
    }

    fn is_over(&self) -> bool {
        let end_ms = self.end_ms.load(Ordering::Relaxed);
        if end_ms == u64::MAX || self.begun.elapsed().as_millis() < u128::from(end_ms) {
            return false;
        }
        self.is_over.store(true, Ordering::Relaxed);
        true
    }
}

/// Bounds what expressions over rows of this extent can make, for as long as the connection lives.
///
/// `objects`: the schema, whose own texts must still be read.
///
/// # Errors
/// What SQLite says.
pub(crate) fn bound_expressions(
    connection: &Connection,
    extent: &Extent,
    objects: &[SchemaObject],
) -> Result<()> {
    /// Matching takes as many steps as pattern and text are long, multiplied.
    const LIKE_PATTERN_BYTES: i32 = 1_000;
    let limit = |limit, value| connection.set_limit(limit, value).map(|_| ()).map_err(failure);
    limit(Limit::SQLITE_LIMIT_LENGTH, extent.value_bytes(objects))?;
    limit(Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, LIKE_PATTERN_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endless_statement_ends_and_says_why() {
        let mut connection = Connection::open_in_memory().expect("opens");
        let watch = Watch::over(&mut connection, &Interrupt::new()).expect("is set up");
        let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
        let run = || connection.query_row(endless, [], |row| row.get::<_, i64>(0)).map_err(failure);
        watch.0.left_ms.store(20, Ordering::Relaxed);
        let error = watch.within(Duration::ZERO, "table t", run).expect_err("ends");
        assert_eq!(error.kind(), ErrorKind::Failed);
        assert!(error.message().starts_with("evaluating table t took longer"), "{error}");
        let quick = || connection.query_row("SELECT 1", [], |row| row.get::<_, i64>(0)).map_err(failure);
        assert_eq!(watch.within(Duration::from_mins(1), "table t", quick).expect("is quick"), 1);
        // Outside of `within` no time is set, however long ago the last one was over.
        assert_eq!(quick().expect("is quick"), 1);
        // What was used up is not given a second time.
        let error = watch.within(Duration::ZERO, "table u", run).expect_err("ends at once");
        assert!(error.message().ends_with("longer than 0 s"), "{error}");
    }

    #[test]
    fn an_interrupt_is_told_as_one() {
        let mut connection = Connection::open_in_memory().expect("opens");
        let interrupt = Interrupt::new();
        let watch = Watch::over(&mut connection, &interrupt).expect("is set up");
        interrupt.set();
        let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
        let run = || connection.query_row(endless, [], |row| row.get::<_, i64>(0)).map_err(failure);
        let error = watch.within(Duration::from_mins(1), "table t", run).expect_err("is interrupted");
        assert_eq!(error.kind(), ErrorKind::Interrupted);
    }

    #[test]
    fn time_and_size_grow_with_the_rows() {
        let mut few = Extent::default();
        few.add_row(100);
        let many = Extent { rows: 1_000_000, content_bytes: 1 << 30, largest_row_bytes: 1 << 20 };
        assert!(few.time(1) < Duration::from_secs(1) && many.time(3) > Duration::from_hours(1));
        assert_eq!(many.value_bytes(&[]), (4 << 20) + (256 << 10));
        let boundless = Extent { rows: u64::MAX, content_bytes: u64::MAX, largest_row_bytes: u64::MAX };
        assert_eq!(boundless.value_bytes(&[]), i32::MAX);
        assert!(boundless.time(usize::MAX - 1) > many.time(3) && boundless.index_bytes() == u64::MAX);
    }
}
