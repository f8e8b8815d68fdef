//! Gathering the items of one storage: the last of a key wins, and everything odd is told.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::DumpOptions;
use crate::local_storage::code_units::CodeUnits;
use crate::local_storage::item::{Item, Problem, Storage};
use crate::local_storage::json::pointer::push_units_step;
use crate::local_storage::json::{Json, Kind};

/// The items of one storage while it is read.
#[derive(Debug)]
pub(super) struct Collector<'o> {
    options: &'o DumpOptions,
    values: HashMap<CodeUnits, CodeUnits>,
    problems: Vec<Problem>,
    /// Where those stand whose values were JSON already.
    parsed: Vec<String>,
}

impl<'o> Collector<'o> {
    pub(super) fn new(options: &'o DumpOptions) -> Self {
        Self { options, values: HashMap::new(), problems: Vec::new(), parsed: Vec::new() }
    }

    /// Takes every member of an object.
    pub(super) fn take_members(&mut self, object: Json<'_>, place: &str) {
        for (name, value) in object.members() {
            let key = name.to_units().unwrap_or_default();
            let mut place = place.to_owned();
            push_units_step(&mut place, &key);
            self.take(place, key, value);
        }
    }

    /// Takes one item. A value that is no string is kept as its exact text, and told.
    pub(super) fn take(&mut self, place: String, key: CodeUnits, value: Json<'_>) {
        if value.kind() != Kind::String {
            self.parsed.push(place.clone());
        }
        self.insert(place, key, value.to_units().unwrap_or_else(|| value.text_units()));
    }

    /// Takes one item whose value is the text of `json` itself.
    pub(super) fn take_text(&mut self, key: CodeUnits, json: Json<'_>) {
        self.insert(String::new(), key, json.text_units());
    }

    fn insert(&mut self, place: String, key: CodeUnits, units: CodeUnits) {
        if units.len() > self.options.max_value_units {
            let message = format!(
                "a value of {} units is longer than any browser allows ({} are read); it was left out",
                units.len(),
                self.options.max_value_units
            );
            self.problem(place, message, true);
            return;
        }
        match self.values.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(units);
            }
            Entry::Occupied(mut entry) => {
                if entry.insert(units) != *entry.get() {
                    let message = "the key stands there twice with different values; the last one was taken, as JSON.parse does";
                    self.problem(place, message.to_owned(), true);
                }
            }
        }
    }

    /// Tells something.
    pub(super) fn problem(&mut self, place: String, message: String, may_lose_items: bool) {
        self.problems.push(Problem { place, message, may_lose_items });
    }

    /// How many values were JSON already.
    pub(super) fn parsed_count(&self) -> usize {
        self.parsed.len()
    }

    /// The storage, and everything that is to be told of it.
    pub(super) fn finish(mut self, origin: Option<String>) -> (Storage, Vec<Problem>) {
        let mut items: Vec<Item> = self.values.into_iter().map(|(key, value)| Item { key, value }).collect();
        items.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        if let Some(first) = self.parsed.first() {
            let message = format!(
                "{} of {} values are not strings but JSON already: the exact text of each was taken, which need not be \
                 what the browser stored",
                self.parsed.len(),
                items.len()
            );
            self.problems.push(Problem { place: first.clone(), message, may_lose_items: false });
        }
        (Storage { origin, partition: None, changed_at_us: None, items }, self.problems)
    }
}
