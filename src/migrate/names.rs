//! Names in messages, of which there may be very many.

use std::fmt::Display;

/// The first `most` of them, and how many more there are, so that a message stays readable.
pub(super) fn first_of<T: Display>(names: impl IntoIterator<Item = T>, most: usize) -> String {
    let mut names = names.into_iter();
    let shown: Vec<String> = names.by_ref().take(most).map(|name| name.to_string()).collect();
    let more = match names.count() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    shown.join(", ") + &more
}
