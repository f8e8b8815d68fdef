//! What every reader of browser storage hands out, whatever the browser.
//!
//! Readers know nothing of workouts, and nothing behind them knows browsers.

use super::code_units::CodeUnits;

/// The storage of one origin, or of one partition of it, as one source holds it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Storage {
    /// `scheme://host[:port]`, without a slash at the end; `None` where the source does not tell.
    pub origin: Option<String>,
    /// Set apart from the origin's own storage: the top-level site, a container, or what else the browser calls it.
    pub partition: Option<String>,
    /// When it was last changed, in microseconds since 1970, where the source tells.
    pub changed_at_us: Option<i64>,
    /// Its items, by key; no key twice.
    pub items: Vec<Item>,
}

/// One key and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The key, which may be empty.
    pub key: CodeUnits,
    /// The value, as the page stored it.
    pub value: CodeUnits,
}

/// Everything that was read of one source, and what went wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// Storages in the order of origin and partition.
    pub storages: Vec<Storage>,
    /// Damage, oddities and what was left out.
    pub problems: Vec<Problem>,
}

/// Something that a person must know about a source that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where: a file's name inside the source, and a place in it.
    pub place: String,
    /// What is wrong, one line, lower case, no full stop.
    pub message: String,
    /// Whether items may be missing because of it; then the reading is incomplete.
    pub may_lose_items: bool,
}
