//! The memory limit as tables that are written side by side share it.
//!
//! A share follows from the first rows of a table, and later rows may be larger: a row group is encoded as a whole and may
//! then take more than the share. So beside the shares there is always room for one row group, and tables take turns in
//! it.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::budget::Overrun;

/// What is left of a memory limit beside the tables that are in work.
pub(super) struct Shares {
    limit_bytes: u64,
    in_work: Mutex<Vec<Wanted>>,
    changed: Condvar,
    overrun: Arc<Overrun>,
}

/// What a table wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Its share.
    pub(super) bytes: u64,
    /// What it takes beside that at most, when it is its turn.
    pub(super) overrun_bytes: u64,
}

/// What a table has until it is dropped.
pub(super) struct Share<'s> {
    shares: &'s Shares,
    wanted: Wanted,
}

impl Shares {
    pub(super) fn new(limit_bytes: u64) -> Self {
        Self { limit_bytes, in_work: Mutex::default(), changed: Condvar::new(), overrun: Arc::default() }
    }

    pub(super) fn limit_bytes(&self) -> u64 {
        self.limit_bytes
    }

    /// The turns that tables take to hold more than their share.
    pub(super) fn overrun(&self) -> Arc<Overrun> {
        Arc::clone(&self.overrun)
    }

    /// Waits until a table fits beside those in work, or there are none.
    pub(super) fn take(&self, wanted: Wanted) -> Share<'_> {
        let in_work = self.in_work.lock().unwrap_or_else(PoisonError::into_inner);
        let is_too_much =
            |in_work: &mut Vec<Wanted>| !in_work.is_empty() && needed(in_work, wanted) > self.limit_bytes;
        let fits = self.changed.wait_while(in_work, is_too_much);
        fits.unwrap_or_else(PoisonError::into_inner).push(wanted);
        Share { shares: self, wanted }
    }
}

/// What tables take together: all shares, and the most that one of them takes beside its own.
fn needed(in_work: &[Wanted], one_more: Wanted) -> u64 {
    let all = || in_work.iter().copied().chain([one_more]);
    let overrun = all().map(|table| table.overrun_bytes).max().unwrap_or(0);
    all().fold(overrun, |sum, table| sum.saturating_add(table.bytes))
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        let mut in_work = self.shares.in_work.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = in_work.iter().position(|&table| table == self.wanted) {
            in_work.swap_remove(place);
        }
        self.shares.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn there_is_room_for_the_largest_overrun_beside_all_shares() {
        let shares = Shares::new(100);
        let first = shares.take(Wanted { bytes: 30, overrun_bytes: 40 });
        let second = shares.take(Wanted { bytes: 30, overrun_bytes: 20 });
        let got_it = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                drop(shares.take(Wanted { bytes: 10, overrun_bytes: 0 }));
                got_it.store(true, Ordering::SeqCst);
            });
            std::thread::sleep(Duration::from_millis(20));
            assert!(!got_it.load(Ordering::SeqCst), "30, 30, 10 and 40 are more than 100");
            drop(first);
        });
        drop(second);
        drop(shares.take(Wanted { bytes: 1_000, overrun_bytes: 0 }));
    }
}
