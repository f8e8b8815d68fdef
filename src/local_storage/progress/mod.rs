//! Folding sessions into rows: one per program, week and day, as views of SQL over the events.
//!
//! The views read `events` and `event_sources` alone and need no more than SQLite 3.38 with its JSON functions, so that they
//! work in every program that opens the database. Of the events, which may be somebody else's, they take those that are
//! sessions with a program, a week and a day, and pass over the others, whatever is in them.
//!
//! The rule: the events of one week and day are ordered by completion time (none first), then by when their source was
//! captured last, then by their line there, then by their place in the value; a later one overrides field by field, and
//! what is absent or null never erases. `completed` is true if any of them says so. Where two that no completion time
//! tells apart disagree, the later capture wins, and `progress_conflicts` has a row.

/// One view: its name, and the query that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The name.
    pub name: &'static str,
    /// What `CREATE VIEW … AS` has after it.
    pub select: String,
}

/// The view of all sessions, which the others read.
const SESSIONS: &str = "parklite_sessions";

/// The views over the events, each after those that it reads: `parklite_sessions`, `progress_logs`, `progress_conflicts`.
///
/// `events` is what SQL has after FROM, and is called `events` there: with the columns `_event_id`, `event_type` and
/// `payload`. `event_sources` needs `_event_id`, `captured_at` (RFC 3339 in UTC with milliseconds), `line` (or NULL) and
/// `position`.
#[must_use]
pub fn views_over(events: &str) -> [View; 3] {
    [
        View { name: SESSIONS, select: sessions_of(events) },
        View { name: "progress_logs", select: include_str!("logs.sql").trim_end().to_owned() },
        View { name: "progress_conflicts", select: include_str!("conflicts.sql").trim_end().to_owned() },
    ]
}

/// A query for the conflicts of the programs that `programs`, a query itself, gives: what the view has of them, without
/// looking into the sessions of others. It needs none of the views.
#[must_use]
pub fn conflicts_of(events: &str, programs: &str) -> String {
    over_programs(include_str!("conflicts.sql"), events, programs)
}

/// A query for the merged sessions of these programs: what the view `progress_logs` has of them. It needs none of the views.
#[must_use]
pub fn progress_of(events: &str, programs: &str) -> String {
    over_programs(include_str!("logs.sql"), events, programs)
}

/// A query for all merged sessions: what the view `progress_logs` has. It needs none of the views.
#[must_use]
pub fn all_progress(events: &str) -> String {
    over_sessions(include_str!("logs.sql"), events)
}

fn over_programs(select: &str, events: &str, programs: &str) -> String {
    let some = format!(
        "(SELECT _event_id, event_type, payload FROM {events}
          WHERE event_type = 'workout_session'
            AND CASE WHEN json_valid(payload) THEN json_extract(payload, '$.program_id') IN ({programs}) END) AS events"
    );
    over_sessions(select, &some)
}

fn over_sessions(select: &str, events: &str) -> String {
    let (sessions, select) = (sessions_of(events), select.trim_end());
    format!("WITH {SESSIONS} AS (\n{sessions}\n)\nSELECT * FROM (\n{select}\n)")
}

fn sessions_of(events: &str) -> String {
    include_str!("sessions.sql").trim_end().replace("FROM events\n", &format!("FROM {events}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_views_read_events_in_one_place_which_can_be_another_table() {
        let events = "(SELECT id AS _event_id, kind AS event_type, body AS payload FROM log) AS events";
        let selects = views_over(events).map(|view| view.select).concat();
        assert_eq!(selects.matches(events).count(), 1);
        assert!(!selects.contains("FROM events\n"));
    }
}
