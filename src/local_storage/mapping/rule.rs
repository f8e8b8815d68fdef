//! One rule: which stores it is for, where its elements stand, and what their fields are.

use serde::Deserialize;

use super::field::Field;
use super::glob;
use crate::local_storage::code_units::CodeUnits;
use crate::local_storage::json::pointer::Pointer;

/// What a rule expects around the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Wrapping {
    /// `{"state":…,"version":…}`
    Zustand,
    /// Slices that are JSON in strings.
    ReduxPersist,
    /// Any JSON, as it is.
    None,
}

/// Where the elements stand.
#[derive(Debug, Clone)]
pub(super) enum Elements {
    /// Every element of the array there, or whatever a wildcard at the end means.
    Each(Pointer),
    /// What stands there.
    One(Pointer),
}

#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) key: String,
    pub(super) origin: Option<String>,
    pub(super) wrapping: Wrapping,
    /// The versions that it understands; all if empty.
    pub(super) versions: Vec<i64>,
    /// Only for stores that have an array there; others are no concern of it.
    pub(super) if_present: bool,
    pub(super) elements: Elements,
    /// The pointer to the elements as it is written.
    pub(super) place: String,
    pub(super) event: String,
    /// In the order in which an event has them.
    pub(super) fields: Vec<Field>,
    /// The fields that tell when it happened, the first that has a value.
    pub(super) created_at: Vec<String>,
}

impl Rule {
    /// Whether it is for the stores of that key.
    pub(super) fn is_for(&self, origin: Option<&str>, key: &CodeUnits) -> bool {
        let is_of_origin = self.origin.as_deref().is_none_or(|wanted| origin == Some(wanted));
        is_of_origin && glob::matches(&self.key, key.as_slice())
    }
}
