//! What is odd about a dump: the first of very many, so that a small file cannot make a large report.

use crate::local_storage::item::Problem;

/// How many are kept: more say nothing new, and a file of the largest size can have millions.
pub(super) const MAX_PROBLEMS: usize = 10_000;

/// Problems while a document is read.
#[derive(Debug, Default)]
pub(super) struct Problems {
    first: Vec<Problem>,
    more: u64,
    /// Whether something may be missing because of one that is only counted.
    more_may_lose_items: bool,
}

impl Problems {
    /// Tells something, or counts it.
    pub(super) fn add(&mut self, place: &str, message: impl Into<String>, may_lose_items: bool) {
        if self.first.len() < MAX_PROBLEMS {
            self.first.push(Problem { place: place.to_owned(), message: message.into(), may_lose_items });
        } else {
            self.more += 1;
            self.more_may_lose_items |= may_lose_items;
        }
    }

    /// All that is to be told.
    pub(super) fn finish(mut self) -> Vec<Problem> {
        if self.more > 0 {
            let message = format!("there is more like this, which is only counted: {}", self.more);
            let may_lose_items = self.more_may_lose_items;
            self.first.push(Problem { place: String::new(), message, may_lose_items });
        }
        self.first
    }
}
