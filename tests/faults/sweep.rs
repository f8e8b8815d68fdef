//! Trying many points: side by side where everything is tried, with every violation told in the end.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::{is_full_run, say};

/// What a sweep saw: how many points ended in which way, and what must not have been.
#[derive(Debug, Default)]
pub(crate) struct Sweep {
    /// How many points there are, tried or not.
    pub(crate) all: usize,
    pub(crate) endings: BTreeMap<&'static str, usize>,
    pub(crate) violations: Vec<String>,
}

impl Sweep {
    pub(crate) fn points(&self) -> usize {
        self.endings.values().sum::<usize>() + self.violations.len()
    }

    pub(crate) fn count(&self, ending: &str) -> usize {
        self.endings.get(ending).copied().unwrap_or(0)
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.all += other.all;
        for (ending, count) in other.endings {
            *self.endings.entry(ending).or_default() += count;
        }
        self.violations.extend(other.violations);
    }

    /// Tells the figures.
    pub(crate) fn tell(&self, what: &str, since: Instant) {
        let seconds = Duration::from_secs(since.elapsed().as_secs());
        let (points, violations) = (self.points(), self.violations.len());
        say(&format!(
            "{what}: {points} of {} points, {violations} violations, {:?} in {seconds:?}",
            self.all, self.endings
        ));
    }

    /// Fails where anything was violated.
    pub(crate) fn assert_clean(&self, what: &str) {
        const MOST: usize = 40;
        let shown = self.violations.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join("\n\n");
        assert!(self.violations.is_empty(), "{what}: {} violations\n{shown}", self.violations.len());
    }
}

/// Tries each of `points`; `attempt` says how it ended, or what was violated.
pub(crate) fn sweep<P: Sync>(
    points: &[P],
    attempt: impl Fn(&P) -> Result<&'static str, String> + Sync,
) -> Sweep {
    let threads = if is_full_run() { std::thread::available_parallelism().map_or(1, usize::from) } else { 1 };
    let found = Sweep { all: points.len(), ..Sweep::default() };
    let (next, found) = (AtomicUsize::new(0), Mutex::new(found));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // A helper that fails outright is a violation as well, and the others are still tried.
                    let ended = catch_unwind(AssertUnwindSafe(|| attempt(point)))
                        .unwrap_or_else(|_| Err("the test itself failed, see above".to_string()));
                    let mut found = found.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    match ended {
                        Ok(ending) => *found.endings.entry(ending).or_default() += 1,
                        Err(violation) => found.violations.push(violation),
                    }
                }
            });
        }
    });
    found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Tries all of `points` in a full run, else about `count` of them.
pub(crate) fn sweep_sample<P: Sync>(
    points: Vec<P>,
    count: usize,
    attempt: impl Fn(&P) -> Result<&'static str, String> + Sync,
) -> Sweep {
    let all = points.len();
    Sweep { all, ..sweep(&sample(points, count), attempt) }
}

/// All of `points` in a full run, else about `count` of them, spread evenly.
fn sample<P>(points: Vec<P>, count: usize) -> Vec<P> {
    if is_full_run() || points.len() <= count {
        return points;
    }
    let all = points.len();
    let is_chosen = |index: usize| (index + 1) * count / all > index * count / all;
    points.into_iter().enumerate().filter(|(index, _)| is_chosen(*index)).map(|(_, point)| point).collect()
}

#[test]
fn a_sample_is_spread_over_all_points() {
    if is_full_run() {
        return;
    }
    assert_eq!(sample((0..3).collect(), 5), [0, 1, 2]);
    assert_eq!(sample((0..1000).collect::<Vec<_>>(), 10), [99, 199, 299, 399, 499, 599, 699, 799, 899, 999]);
}

#[test]
fn violations_and_failures_of_the_test_itself_are_counted() {
    let found = sweep(&[1, 2, 3], |&point| match point {
        1 => Ok("fine"),
        2 => Err("bad".to_string()),
        _ => panic!("an attempt that panics, as this test wants"),
    });
    assert_eq!((found.count("fine"), found.violations.len(), found.points(), found.all), (1, 2, 3, 3));
}
