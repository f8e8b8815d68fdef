//! How many bytes stages that work side by side may hold together.
//!
//! A [`Budget`] is a number and nothing else: it allocates nothing and measures nothing. A stage reserves what it is
//! about to hold, waits where that is too much, and gives back what it has let go. Stages must never bound their memory
//! by the length of a queue instead: what lies in a queue may be a hundred bytes or a hundred megabytes.
//!
//! Only stages that others wait for may reserve while they hold something: at most one of them at a time, or two could
//! wait for each other for ever.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The least memory limit, in bytes: a row group of 32 MiB is encoded as a whole, and decoded nearly so. Below it what is
/// written would have to depend on the limit.
pub const LEAST_LIMIT_BYTES: u64 = 64 * 1024 * 1024;

/// What the program takes of the least memory limit whatever the data is, in bytes: stacks, schema, footers, SQLite's cache,
/// the allocator's leftovers.
const OWN_BYTES: u64 = 32 * 1024 * 1024;

/// What it takes of [`ROOMY_LIMIT_BYTES`] and more: the more blocks come and go, the more lie between them unused.
const MOST_OWN_BYTES: u64 = 48 * 1024 * 1024;

/// From here on the program itself takes no more of a limit, in bytes; below, it takes the less the smaller the limit is.
const ROOMY_LIMIT_BYTES: u64 = 256 * 1024 * 1024;

/// Between these two limits, so many bytes of the limit ...
const RAMP_BYTES: u64 = ROOMY_LIMIT_BYTES - LEAST_LIMIT_BYTES;

/// ... leave so many for what grows with the data.
const FREE_RAMP_BYTES: u64 = RAMP_BYTES - (MOST_OWN_BYTES - OWN_BYTES);

/// What a memory limit of `limit` bytes leaves for what grows with the data.
#[must_use]
pub fn free_bytes(limit: u64) -> u64 {
    let above = limit.saturating_sub(LEAST_LIMIT_BYTES);
    let own = OWN_BYTES + above.min(RAMP_BYTES) * (MOST_OWN_BYTES - OWN_BYTES) / RAMP_BYTES;
    limit.saturating_sub(own)
}

/// The memory limit that leaves `bytes` for what grows with the data.
#[must_use]
pub fn limit_for(bytes: u64) -> u64 {
    let above = bytes.saturating_sub(free_bytes(LEAST_LIMIT_BYTES)).min(FREE_RAMP_BYTES);
    bytes.saturating_add(OWN_BYTES + above * (MOST_OWN_BYTES - OWN_BYTES) / FREE_RAMP_BYTES)
}

/// Bytes that may be held at once, by everybody who has a [`Reservation`] of it.
#[derive(Debug)]
pub struct Budget {
    state: Mutex<State>,
    changed: Condvar,
    overrun: Option<Arc<Overrun>>,
}

#[derive(Debug)]
struct State {
    limit: u64,
    held: u64,
    /// Whether the turn of `overrun` is taken.
    overruns: bool,
}

/// A turn to hold more than a [`Budget`] allows, which several budgets share: one of them has it at a time. Whoever has it
/// must get on without the others.
#[derive(Debug, Default)]
pub struct Overrun {
    is_taken: Mutex<bool>,
    given_back: Condvar,
}

impl Overrun {
    fn take(&self) {
        let is_taken = self.is_taken.lock().unwrap_or_else(PoisonError::into_inner);
        let is_free = self.given_back.wait_while(is_taken, |is_taken| *is_taken);
        *is_free.unwrap_or_else(PoisonError::into_inner) = true;
    }

    fn give_back(&self) {
        *self.is_taken.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.given_back.notify_one();
    }
}

impl Budget {
    /// A budget of `limit` bytes.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        let state = State { limit, held: 0, overruns: false };
        Self { state: Mutex::new(state), changed: Condvar::new(), overrun: None }
    }

    /// The same, where more than `limit` bytes are held only while the turn of `overrun` lasts.
    #[must_use]
    pub fn with_overrun(mut self, overrun: Option<Arc<Overrun>>) -> Self {
        self.overrun = overrun;
        self
    }

    /// Changes the limit; what is held stays held.
    pub fn set_limit(&self, limit: u64) {
        let mut state = self.state();
        state.limit = limit;
        self.end_overrun(&mut state);
        self.changed.notify_all();
    }

    /// Bytes reserved now.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.state().held
    }

    /// Reserves `bytes` as soon as they fit, or nobody else holds anything: one thing is always possible, however large.
    #[must_use]
    pub fn reserve(&self, bytes: u64) -> Reservation<'_> {
        let mut reservation = Reservation { budget: self, bytes: 0 };
        reservation.grow(bytes);
        reservation
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `bytes` more fit beside what is held, or nobody but the holder of `own` bytes holds anything.
    fn wait_for_room(&self, own: u64, bytes: u64) -> MutexGuard<'_, State> {
        let mut state = self.state();
        while state.held > own && state.held.saturating_add(bytes) > state.limit {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state
    }

    fn give_back(&self, bytes: u64) {
        if bytes > 0 {
            let mut state = self.state();
            state.held = state.held.saturating_sub(bytes);
            self.end_overrun(&mut state);
            self.changed.notify_all();
        }
    }

    /// Gives the turn back where no more is held than allowed.
    fn end_overrun(&self, state: &mut State) {
        if state.overruns && state.held <= state.limit {
            state.overruns = false;
            self.overrun.iter().for_each(|overrun| overrun.give_back());
        }
    }
}

impl Drop for Budget {
    fn drop(&mut self) {
        self.set_limit(u64::MAX);
    }
}

/// Bytes of a [`Budget`] that somebody holds until it is dropped.
#[derive(Debug)]
pub struct Reservation<'b> {
    budget: &'b Budget,
    bytes: u64,
}

impl<'b> Reservation<'b> {
    /// Bytes it holds.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds `bytes` as soon as they fit, or nobody else holds anything.
    pub fn grow(&mut self, bytes: u64) {
        let mut state = self.budget.wait_for_room(self.bytes, bytes);
        if let Some(overrun) = &self.budget.overrun {
            while !state.overruns && state.held.saturating_add(bytes) > state.limit {
                // Others must be able to give back meanwhile.
                drop(state);
                overrun.take();
                self.budget.state().overruns = true;
                state = self.budget.wait_for_room(self.bytes, bytes);
            }
        }
        state.held = state.held.saturating_add(bytes);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Adds `bytes` where they fit now; whether they did.
    #[must_use]
    pub fn try_grow(&mut self, bytes: u64) -> bool {
        let mut state = self.budget.state();
        let fits = state.held.saturating_add(bytes) <= state.limit;
        if fits {
            state.held += bytes;
            self.bytes = self.bytes.saturating_add(bytes);
        }
        fits
    }

    /// Waits until `bytes` could be added, and adds nothing.
    pub fn wait_for_room(&self, bytes: u64) {
        drop(self.budget.wait_for_room(self.bytes, bytes));
    }

    /// Gives back all but `bytes`; nothing where it holds no more than that.
    pub fn shrink_to(&mut self, bytes: u64) {
        let surplus = self.bytes.saturating_sub(bytes);
        self.bytes -= surplus;
        self.budget.give_back(surplus);
    }

    /// Leaves an empty reservation behind and returns what it held.
    #[must_use]
    pub fn take(&mut self) -> Reservation<'b> {
        Reservation { budget: self.budget, bytes: std::mem::take(&mut self.bytes) }
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_limit_leaves_what_it_was_asked_for_and_never_less_than_a_smaller_one() {
        const MIB: u64 = 1024 * 1024;
        let mut before = 0;
        for mib in (0..600).chain([1_000, 10_000, 1_000_000]) {
            let free = free_bytes(mib * MIB);
            assert!(free >= before && free <= mib * MIB, "{mib}");
            before = free;
            let again = free_bytes(limit_for(mib * MIB));
            assert!(again.abs_diff(mib * MIB) <= 2, "{mib}: {again}");
        }
        assert_eq!(free_bytes(64 * MIB), 32 * MIB);
        assert_eq!(free_bytes(256 * MIB), 208 * MIB);
    }

    #[test]
    fn what_fits_is_held_until_it_is_dropped() {
        let budget = Budget::new(10);
        let mut first = budget.reserve(4);
        let second = budget.reserve(6);
        assert_eq!((budget.held(), first.bytes(), second.bytes()), (10, 4, 6));
        first.shrink_to(1);
        first.shrink_to(3);
        assert_eq!((budget.held(), first.bytes()), (7, 1));
        drop(second);
        let taken = first.take();
        assert_eq!((budget.held(), first.bytes(), taken.bytes()), (1, 0, 1));
        drop((first, taken));
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn one_thing_larger_than_the_limit_is_possible_alone_and_may_grow() {
        let budget = Budget::new(10);
        let mut alone = budget.reserve(1_000);
        alone.grow(1_000);
        alone.wait_for_room(u64::MAX);
        assert_eq!(budget.held(), 2_000);
    }

    #[test]
    fn what_is_only_tried_neither_waits_nor_exceeds_the_limit() {
        let budget = Budget::new(10);
        let mut alone = budget.reserve(8);
        assert!(alone.try_grow(2) && !alone.try_grow(1) && !alone.try_grow(u64::MAX));
        assert_eq!((budget.held(), alone.bytes()), (10, 10));
    }

    #[test]
    fn what_does_not_fit_waits_for_others_to_give_back() {
        let budget = Budget::new(10);
        let mut held = budget.reserve(8);
        let got_it = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let reservation = budget.reserve(5);
                got_it.store(true, Ordering::SeqCst);
                reservation.bytes()
            });
            std::thread::sleep(Duration::from_millis(20));
            assert!(!got_it.load(Ordering::SeqCst), "8 and 5 are more than 10");
            held.shrink_to(5);
            assert_eq!(waiting.join().expect("ends"), 5);
        });
        assert_eq!(budget.held(), 5);
    }

    #[test]
    fn of_budgets_that_share_a_turn_one_at_a_time_holds_more_than_it_may() {
        let overrun = Arc::new(Overrun::default());
        let budget = || Budget::new(10).with_overrun(Some(Arc::clone(&overrun)));
        let (one, other) = (budget(), budget());
        let mut large = one.reserve(15);
        let within = other.reserve(10);
        let got_it = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut within = within;
                within.grow(5);
                got_it.store(true, Ordering::SeqCst);
            });
            std::thread::sleep(Duration::from_millis(20));
            large.grow(5);
            assert!(!got_it.load(Ordering::SeqCst), "the turn is taken");
            large.shrink_to(10);
        });
        assert!(got_it.load(Ordering::SeqCst));
        drop(large);
        let kept = one.reserve(11);
        drop(other.reserve(1));
        std::mem::forget(kept);
        drop(one);
        assert_eq!(other.reserve(11).bytes(), 11, "a budget that is gone has no turn");
    }

    #[test]
    fn a_raised_limit_wakes_who_waits() {
        let budget = Budget::new(10);
        let held = budget.reserve(8);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| drop(budget.reserve(5)));
            budget.set_limit(13);
            waiting.join().expect("ends");
        });
        assert_eq!(held.bytes(), budget.held());
    }
}
