//! Work on several tables at once, such that always the same failure is told.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::Result;

/// Pieces of work that several threads take one after another, each with the place of its table in the plan.
pub(super) struct Queue<T> {
    pieces: Vec<(usize, T)>,
    next: AtomicUsize,
    /// The first place of a piece that failed. Those before it are still done: one of them may fail too.
    failed: AtomicUsize,
}

impl<T> Queue<T> {
    /// A queue of `pieces`, which are begun in this order.
    pub(super) fn new(pieces: Vec<(usize, T)>) -> Self {
        Self { pieces, next: AtomicUsize::new(0), failed: AtomicUsize::new(usize::MAX) }
    }

    /// Does pieces that nobody else has taken until none is left.
    pub(super) fn work<R>(&self, mut piece: impl FnMut(&T) -> Result<R>) -> Vec<(usize, Result<R>)> {
        let mut done = Vec::new();
        while let Some((place, taken)) = self.pieces.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            if *place > self.failed.load(Ordering::Relaxed) {
                continue;
            }
            let result = piece(taken);
            if result.is_err() {
                self.failed.fetch_min(*place, Ordering::Relaxed);
            }
            done.push((*place, result));
        }
        done
    }
}

/// What came of all pieces, in the order of their places.
///
/// # Errors
/// That of the first place that failed.
pub(super) fn in_order<R>(mut done: Vec<(usize, Result<R>)>) -> Result<Vec<(usize, R)>> {
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(place, result)| Ok((place, result?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, ErrorKind};

    /// Does all pieces on two threads; those of odd numbers fail.
    fn run(pieces: &[usize]) -> (Vec<usize>, Result<Vec<(usize, usize)>>) {
        let queue = Queue::new(pieces.iter().map(|&place| (place, place)).collect());
        let piece = |&place: &usize| match place % 2 {
            0 => Ok(place * 10),
            _ => Err(Error::new(ErrorKind::Failed, place.to_string())),
        };
        let done = std::thread::scope(|scope| {
            let other = scope.spawn(|| queue.work(piece));
            let mut done = queue.work(piece);
            done.extend(other.join().expect("ends"));
            done
        });
        (done.iter().map(|(place, _)| *place).collect(), in_order(done))
    }

    #[test]
    fn every_piece_is_done_once_and_told_in_order() {
        let (done, result) = run(&[8, 2, 4, 0, 6]);
        assert_eq!(done.len(), 5);
        assert_eq!(result.expect("no failure"), [(0, 0), (2, 20), (4, 40), (6, 60), (8, 80)]);
    }

    #[test]
    fn the_first_failure_in_the_plan_is_told_whoever_fails_first() {
        for pieces in [[9, 7, 2, 4, 3], [3, 9, 7, 4, 2], [2, 3, 4, 7, 9]] {
            let (done, result) = run(&pieces);
            assert_eq!(result.expect_err("three fail").to_string(), "3", "{pieces:?}");
            assert!(done.contains(&2) && done.contains(&3), "{pieces:?}");
        }
    }

    #[test]
    fn nothing_behind_a_failure_is_begun() {
        let queue = Queue::new(vec![(1, ()), (2, ()), (0, ())]);
        let done = queue.work(|()| Err::<(), _>(Error::new(ErrorKind::Failed, "fails")));
        assert_eq!(done.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [1, 0]);
    }
}
