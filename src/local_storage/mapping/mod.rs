//! From the values of stores to events, by rules: two that are built in, and those of a mapping file.
//!
//! Nothing here knows browsers. One event per element of a store's array, not per key: a store is a snapshot of state that
//! is rewritten as a whole, and two dumps differ by the elements that changed. What does not fit the rule is a [`Reject`],
//! never a guess; the element's exact JSON text is inside its event.

mod again;
mod apply;
pub mod event;
mod field;
mod file;
mod glob;
mod misfit;
mod rule;
mod suggest;

pub use again::{MappedAgain, TimeOfEvent, map_again};
pub use event::MappedEvent;
pub use file::Target;

use super::code_units::CodeUnits;
use super::envelope::{Library, recognise};
use super::item::Item;
use super::moment::Moment;
use crate::error::Result;

/// The rules by which values become events.
#[derive(Debug, Clone)]
pub struct Mapping {
    rules: Vec<rule::Rule>,
    /// How many of them, the first, are those of a mapping file.
    own_rules: usize,
    target: Option<Target>,
}

impl Mapping {
    /// The rules that are built in: any Zustand store with `state.progressHistory.sessions`, and `gymlog-backup`.
    #[must_use]
    pub fn built_in() -> Self {
        let (rules, target) = file::read(include_str!("builtin.toml")).unwrap_or_default();
        debug_assert!(!rules.is_empty());
        Self { rules, own_rules: 0, target }
    }

    /// The rules of a mapping file, and behind them those that are built in.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::error::ErrorKind::Usage) with the line: what is not TOML, unknown or missing members,
    /// pointers that are none, fields that the event does not have.
    pub fn from_toml(text: &str) -> Result<Self> {
        let (mut rules, target) = file::read(text)?;
        let own_rules = rules.len();
        rules.extend(Self::built_in().rules);
        Ok(Self { rules, own_rules, target })
    }

    /// The key and the origin, where one is named, of each rule of the mapping file, in the order of [`Mapped::rules`].
    pub fn own_rules(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.rules.iter().take(self.own_rules).map(|rule| (&*rule.key, rule.origin.as_deref()))
    }

    /// The table that events go to, where the mapping file names another one.
    #[must_use]
    pub fn target(&self) -> Option<&Target> {
        self.target.as_ref()
    }
}

/// What became of one item.
#[derive(Debug, Clone)]
pub struct Mapped {
    /// The numbers of the rules that are for the item by its key and origin, as far as they were tried.
    pub rules: Vec<usize>,
    /// Whose envelope the value is in.
    pub library: Library,
    /// The version of the store's shape, where there is one and it is an integer.
    pub version: Option<i64>,
    /// The version as it is written, also where it is no integer.
    pub version_text: Option<String>,
    /// The events, in the order of the elements; `None` where no rule is for this item.
    pub events: Option<Vec<MappedEvent>>,
    /// Of a store of sessions in one list: the pointer to it, whether it is there or not.
    pub list: Option<String>,
    /// Whether its elements are sessions, by the rule that was applied.
    pub are_sessions: bool,
    /// How many elements were looked at.
    pub elements: u64,
    /// How many did not fit.
    pub rejected: u64,
    /// Those, or the first of very many.
    pub rejects: Vec<Reject>,
    /// How often something is odd about what was taken.
    pub warned: u64,
    /// What that is, or the first of very many.
    pub warnings: Vec<Warning>,
    /// The program whose completed sessions, up to some day, the app had sent to its server.
    pub marker: Option<String>,
}

/// An element that fits no event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Where it stands in the store, as a JSON pointer after the envelope's decoding.
    pub pointer: String,
    /// Why, one line.
    pub reason: String,
    /// The first characters of its text.
    pub excerpt: String,
}

/// Something odd about an element that became an event, or about a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Where it stands in the store.
    pub pointer: String,
    /// What is odd, one line.
    pub message: String,
}

/// How many rejects and warnings of one item are kept: more say nothing new, and there can be millions.
pub const MAX_TOLD: usize = 10_000;

/// Maps one item by the first rule that is for it.
///
/// `captured_at` is when the source was as it is: it stands in for the time of an element that has none.
#[must_use]
pub fn map_item(mapping: &Mapping, origin: Option<&str>, item: &Item, captured_at: Moment) -> Mapped {
    let envelope = recognise(&item.key, &item.value);
    let oddities = || envelope.oddities.iter();
    let mut mapped = Mapped {
        rules: Vec::new(),
        library: envelope.library,
        version: envelope.version,
        version_text: envelope.version_text.clone(),
        events: None,
        list: None,
        are_sessions: false,
        elements: 0,
        rejected: 0,
        rejects: Vec::new(),
        warned: oddities().count() as u64,
        warnings: oddities().map(|odd| Warning { pointer: String::new(), message: odd.clone() }).collect(),
        marker: marker(item),
    };
    apply::apply(&mapping.rules, origin, item, &envelope, captured_at, &mut mapped);
    mapped
}

/// The program of the app's own marker, `migrated-<program>` = `true`.
fn marker(item: &Item) -> Option<String> {
    let key = item.key.to_utf8()?;
    let program = key.strip_prefix("migrated-").filter(|program| !program.is_empty())?;
    (item.value == CodeUnits::from("true")).then(|| program.to_owned())
}

#[cfg(test)]
mod tests;
