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
