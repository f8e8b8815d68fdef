//! Folding sessions into rows: one per program, week and day, as views of SQL over the events.
//!
//! The views read `events` and `event_sources` alone and need no more than SQLite 3.38 with its JSON functions, so that they
//! work in every program that opens the database.
//!
//! The rule: the events of one week and day are ordered by completion time (none first), then by when their source was
//! captured last, then by their position in it; a later one overrides field by field, and what is absent or null never
//! erases. `completed` is true if any of them says so. Where two that no completion time tells apart disagree, the later
//! capture wins, and `progress_conflicts` has a row.

/// Creates the views `progress_logs` and `progress_conflicts`, unless they are there.
///
/// `events` needs the columns `_event_id`, `event_type` and `payload`; `event_sources` needs `_event_id`, `captured_at` (RFC
/// 3339 in UTC with milliseconds, or NULL) and `pointer`.
pub const VIEWS: &str = include_str!("views.sql");

/// [`VIEWS`] over a table of events of another name, whose columns are given as SQL writes them: table, identity, type and
/// payload.
#[must_use]
pub fn views_over([table, event_id, event_type, payload]: [&str; 4]) -> String {
    let events = format!(
        "FROM (SELECT {event_id} AS _event_id, {event_type} AS event_type, {payload} AS payload FROM {table}) AS events LEFT"
    );
    VIEWS.replace("FROM events LEFT", &events)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_views_read_events_in_one_place_which_can_be_another_table() {
        assert_eq!(VIEWS.matches("FROM events LEFT").count(), 1);
        let views = views_over(["\"log\"", "\"id\"", "\"kind\"", "\"body\""]);
        assert!(views.contains("\"body\" AS payload FROM \"log\") AS events LEFT JOIN"), "{views}");
    }
}
