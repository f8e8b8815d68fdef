//! Which of two values stays: that of the row, or that of the events.

use std::cmp::Ordering;

/// The same field of a row and of the events.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'a> {
    /// In the row.
    pub(super) row: Option<&'a str>,
    /// What the events come to.
    pub(super) events: Option<&'a str>,
    /// What they came to before this run.
    pub(super) before: Option<&'a str>,
}

/// What becomes of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// It is as it was.
    Same,
    /// It gets what the events say.
    Events,
    /// It is as it was though the events say otherwise and nothing decides: somebody else wrote it.
    Kept,
}

impl Field<'_> {
    /// Decides, by how the completion of the row compares with that of the events.
    ///
    /// The later one wins, and what is absent never erases. Of equally late ones a value that an earlier run wrote gives
    /// way to what the events come to by now, and anybody else's stays.
    pub(super) fn choice(self, row_to_events: Ordering) -> Choice {
        match (self.row, self.events) {
            (_, None) => Choice::Same,
            (None, Some(_)) => Choice::Events,
            (Some(row), Some(events)) if row == events => Choice::Same,
            (Some(row), Some(_)) => match row_to_events {
                Ordering::Greater => Choice::Same,
                Ordering::Less => Choice::Events,
                Ordering::Equal if self.before == Some(row) => Choice::Events,
                Ordering::Equal => Choice::Kept,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_completion_wins_and_what_is_absent_never_erases() {
        use Ordering::{Equal, Greater, Less};
        for (row, events, before, order, expected) in [
            (Some("easy"), None, None, Less, Choice::Same),
            (None, Some("hard"), None, Greater, Choice::Events),
            (Some("easy"), Some("easy"), None, Equal, Choice::Same),
            (Some("easy"), Some("hard"), None, Less, Choice::Events),
            (Some("easy"), Some("hard"), Some("easy"), Greater, Choice::Same),
            (Some("easy"), Some("hard"), Some("easy"), Equal, Choice::Events),
            (Some("easy"), Some("hard"), Some("hard"), Equal, Choice::Kept),
            (Some("easy"), Some("hard"), None, Equal, Choice::Kept),
        ] {
            assert_eq!(
                Field { row, events, before }.choice(order),
                expected,
                "{row:?} {events:?} {before:?}"
            );
        }
    }
}
