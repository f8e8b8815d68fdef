//! Gathering the items of one storage: the last of a key wins, and everything odd is told.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::DumpOptions;
use super::problems::Problems;
use crate::local_storage::code_units::CodeUnits;
use crate::local_storage::item::{Item, Storage};
use crate::local_storage::json::pointer::push_units_step;
use crate::local_storage::json::{Json, Kind};

/// The items of one storage while it is read.
#[derive(Debug)]
pub(super) struct Collector<'o> {
    options: &'o DumpOptions,
    values: HashMap<CodeUnits, CodeUnits>,
    /// Where the first of them stands whose value was JSON already, and how many there are.
    parsed: Option<(String, usize)>,
}

impl<'o> Collector<'o> {
    pub(super) fn new(options: &'o DumpOptions) -> Self {
        Self { options, values: HashMap::new(), parsed: None }
    }

    /// Takes every member of an object.
    pub(super) fn take_members(&mut self, object: Json<'_>, place: &str, problems: &mut Problems) {
        for (name, value) in object.members() {
            let key = name.to_units().unwrap_or_default();
            let mut place = place.to_owned();
            push_units_step(&mut place, &key);
            self.take(&place, key, value, problems);
        }
    }

    /// Takes one item. A value that is no string is kept as its exact text, and told.
    pub(super) fn take(&mut self, place: &str, key: CodeUnits, value: Json<'_>, problems: &mut Problems) {
        if value.kind() != Kind::String {
            self.parsed.get_or_insert_with(|| (place.to_owned(), 0)).1 += 1;
        }
        self.insert(place, key, value.to_units().unwrap_or_else(|| value.text_units()), problems);
    }

    /// Takes one item whose value is the text of `json` itself.
    pub(super) fn take_text(&mut self, key: CodeUnits, json: Json<'_>, problems: &mut Problems) {
        self.insert("", key, json.text_units(), problems);
    }

    fn insert(&mut self, place: &str, key: CodeUnits, units: CodeUnits, problems: &mut Problems) {
        if units.len() > self.options.max_value_units {
            let message = format!(
                "a value of {} units is longer than any browser allows ({} are read); it was left out",
                units.len(),
                self.options.max_value_units
            );
            problems.add(place, message, true);
            return;
        }
        match self.values.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(units);
            }
            Entry::Occupied(mut entry) => {
                if entry.insert(units) != *entry.get() {
                    let message = "the key stands there twice with different values; the last one was taken, as JSON.parse does";
                    problems.add(place, message, true);
                }
            }
        }
    }

    /// Whether a value was JSON already.
    pub(super) fn has_parsed(&self) -> bool {
        self.parsed.is_some()
    }

    /// The storage; what is to be told of it as a whole is added to `problems`.
    pub(super) fn finish(self, origin: Option<String>, problems: &mut Problems) -> Storage {
        let mut items: Vec<Item> = self.values.into_iter().map(|(key, value)| Item { key, value }).collect();
        items.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        if let Some((first, count)) = self.parsed {
            let message = format!(
                "{count} of {} values are not strings but JSON already: the exact text of each was taken, which need not be \
                 what the browser stored",
                items.len()
            );
            problems.add(&first, message, false);
        }
        Storage { origin, partition: None, changed_at_us: None, items }
    }
}
