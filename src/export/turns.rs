//! Who reads large rows: one reader at a time.
//!
//! Nobody knows how large the next row is before SQLite has made a copy of it, and keeps that to the end of the range. So
//! from the first large row on readers take turns, until one has read its range to the end and found none any more.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What readers know of large rows.
pub(super) struct Turns {
    /// A row of more bytes is large.
    large_row_bytes: u64,
    /// Whether they take turns.
    are_taken: AtomicBool,
    turn: Mutex<()>,
}

/// A range that a reader is reading, and its turn if it has that: kept to the end of the range. Who has it waits for nobody.
pub(super) struct TurnOfRange<'t> {
    turns: &'t Turns,
    turn: Option<MutexGuard<'t, ()>>,
    has_large_row: bool,
}

impl Turns {
    pub(super) fn new(large_row_bytes: u64) -> Self {
        Self { large_row_bytes, are_taken: AtomicBool::new(false), turn: Mutex::new(()) }
    }

    /// A range begins.
    pub(super) fn of_range(&self) -> TurnOfRange<'_> {
        TurnOfRange { turns: self, turn: None, has_large_row: false }
    }
}

impl TurnOfRange<'_> {
    /// The next row of the range has so many bytes: waits for its turn where turns are taken; whether it is large.
    pub(super) fn take(&mut self, row_bytes: u64) -> bool {
        let turns = self.turns;
        let is_large = row_bytes > turns.large_row_bytes;
        if is_large {
            self.has_large_row = true;
            turns.are_taken.store(true, Ordering::Relaxed);
        }
        if self.turn.is_none() && turns.are_taken.load(Ordering::Relaxed) {
            let turn = turns.turn.lock().unwrap_or_else(PoisonError::into_inner);
            // Whoever had it may have found no large row any more, and not have known of this one.
            turns.are_taken.fetch_or(is_large, Ordering::Relaxed);
            self.turn = Some(turn).filter(|_| turns.are_taken.load(Ordering::Relaxed));
        }
        is_large
    }
}

impl Drop for TurnOfRange<'_> {
    fn drop(&mut self) {
        if self.turn.is_some() && !self.has_large_row {
            self.turns.are_taken.store(false, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_taken_from_a_large_row_to_the_end_of_a_range_without_one() {
        let turns = Turns::new(10);
        let mut first = turns.of_range();
        assert!(!first.take(10) && first.turn.is_none(), "a row that is not large needs no turn");
        assert!(first.take(11) && first.turn.is_some(), "a large one has one");
        assert!(turns.turn.try_lock().is_err());
        drop(first);
        let mut second = turns.of_range();
        assert!(
            !second.take(1) && second.turn.is_some(),
            "after a range with a large row, any row needs one"
        );
        drop(second);
        let mut third = turns.of_range();
        assert!(!third.take(1) && third.turn.is_none(), "after a range without, none does");
        let mut fourth = turns.of_range();
        assert!(fourth.take(11));
        assert!(turns.are_taken.load(Ordering::Relaxed) && third.turn.is_none());
    }

    #[test]
    fn who_waited_for_a_turn_that_is_not_needed_any_more_goes_on_without() {
        let turns = Turns::new(10);
        let mut large = turns.of_range();
        large.take(11);
        drop(large);
        let mut last = turns.of_range();
        last.take(1);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let mut waiting = turns.of_range();
                waiting.take(1);
                waiting.turn.is_none()
            });
            std::thread::sleep(std::time::Duration::from_millis(20));
            assert!(!waiting.is_finished(), "a turn is taken by one at a time");
            drop(last);
            assert!(waiting.join().expect("ends"));
        });
    }
}
