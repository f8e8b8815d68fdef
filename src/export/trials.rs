//! What trying out one row group has shown, which those after it wait for.
//!
//! The encoder of the first of several row groups tries it out, not the reader, for whom everybody waits. Row groups are
//! taken in order, so that whoever waits here waits for somebody who is at work.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::parquet_file::Trials;

/// Trials for several row groups, once they have been made.
#[derive(Debug, Default)]
pub(super) struct SharedTrials {
    made: Mutex<Option<Arc<Trials>>>,
    changed: Condvar,
}

impl SharedTrials {
    /// Trials to be made by whoever has the duty to.
    pub(super) fn new() -> (Arc<Self>, Duty) {
        let shared = Arc::new(Self::default());
        (Arc::clone(&shared), Duty(shared))
    }

    /// The trials, as soon as they have been made.
    pub(super) fn wait(&self) -> Arc<Trials> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(trials) = &*made {
                return Arc::clone(trials);
            }
            made = self.changed.wait(made).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn make(&self, trials: impl FnOnce() -> Trials) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if made.is_none() {
            *made = Some(Arc::new(trials()));
            self.changed.notify_all();
        }
    }
}

/// The duty to make trials. Dropped undone, which is so only after a failure, it leaves trials that show nothing: nobody
/// waits for ever.
#[derive(Debug)]
pub(super) struct Duty(Arc<SharedTrials>);

impl Duty {
    /// Hands `trials` to everybody who waits for them.
    pub(super) fn done(self, trials: Trials) {
        self.0.make(|| trials);
    }
}

impl Drop for Duty {
    fn drop(&mut self) {
        self.0.make(Trials::default);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_for_trials_goes_on_when_they_are_made_or_given_up() {
        for is_done in [true, false] {
            let (shared, duty) = SharedTrials::new();
            std::thread::scope(|scope| {
                let waiting = scope.spawn(|| shared.wait());
                if is_done {
                    duty.done(Trials::default());
                } else {
                    drop(duty);
                }
                waiting.join().expect("goes on");
            });
            shared.wait();
        }
    }
}
