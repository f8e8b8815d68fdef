//! Storages of a file while its rows come in.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{ListedDatabaseStorage, Whose};
use crate::local_storage::code_units::CodeUnits;
use crate::local_storage::counted::counted;
use crate::local_storage::item::{Item, Problem, Reading, Storage};
use crate::sqlite::salvage::Flaw;

/// How much of a key a message shows, in characters.
const MAX_SHOWN_CHARS: usize = 40;

/// What rows have told so far.
#[derive(Debug)]
pub(in crate::local_storage) struct Collected<'a> {
    holds: Holds<'a>,
    /// The file's name.
    place: String,
    storages: BTreeMap<Whose, Collecting>,
    problems: Vec<Problem>,
}

/// Whose items are held.
#[derive(Debug, Clone, Copy)]
enum Holds<'a> {
    Nobodys,
    Everybodys,
    /// And those of which nobody can tell whose they are.
    Of(&'a BTreeSet<String>),
}

/// An item, and how much the browser counts for it.
#[derive(Debug)]
pub(in crate::local_storage) struct Found {
    pub(in crate::local_storage) item: Item,
    /// In whatever the browser counts.
    pub(in crate::local_storage) size: u64,
}

#[derive(Debug, Default)]
struct Collecting {
    changed_at_us: Option<i64>,
    /// What the browser noted as the sum of all [`Found::size`].
    noted_size: Option<u64>,
    item_count: u64,
    stored_bytes: u64,
    items: BTreeMap<CodeUnits, CodeUnits>,
    size: u64,
    faults: Faults,
    twice: Faults,
}

/// How many there were, and the first.
#[derive(Debug, Default)]
struct Faults {
    count: u64,
    first: Option<String>,
}

impl Faults {
    fn add(&mut self, what: impl FnOnce() -> String) {
        self.count += 1;
        self.first.get_or_insert_with(what);
    }
}

impl<'a> Collected<'a> {
    /// Items are counted alone.
    pub(super) fn to_list(file: &Path) -> Self {
        let place = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
        Self { holds: Holds::Nobodys, place, storages: BTreeMap::new(), problems: Vec::new() }
    }

    /// Items of these origins are held, or all.
    pub(super) fn to_read(file: &Path, origins: Option<&'a BTreeSet<String>>) -> Self {
        Self { holds: origins.map_or(Holds::Everybodys, Holds::Of), ..Self::to_list(file) }
    }

    fn holds_items_of(&self, whose: &Whose) -> bool {
        match self.holds {
            Holds::Nobodys => false,
            Holds::Everybodys => true,
            Holds::Of(origins) => whose.origin.as_ref().is_none_or(|origin| origins.contains(origin)),
        }
    }

    /// Notes what the browser says of a storage: when it was changed last, and the sum of its sizes.
    pub(in crate::local_storage) fn note(
        &mut self,
        whose: &Whose,
        changed_at_us: Option<i64>,
        size: Option<u64>,
    ) {
        let collecting = self.storages.entry(whose.clone()).or_default();
        collecting.changed_at_us = collecting.changed_at_us.max(changed_at_us);
        // Two rows of one storage: neither tells the sum of both.
        collecting.noted_size = if collecting.noted_size.is_some() { None } else { size };
    }

    /// Counts an item of so many bytes, and decodes it if it is wanted. What says no is one line about an item ("its key …").
    pub(in crate::local_storage) fn take(
        &mut self,
        whose: &Whose,
        stored_bytes: usize,
        decode: impl FnOnce() -> Result<Found, String>,
    ) {
        let is_held = self.holds_items_of(whose);
        if !self.storages.contains_key(whose) {
            self.storages.insert(whose.clone(), Collecting::default());
        }
        let Some(collecting) = self.storages.get_mut(whose) else { return };
        collecting.item_count += 1;
        collecting.stored_bytes = collecting.stored_bytes.saturating_add(stored_bytes as u64);
        if !is_held {
            return;
        }
        match decode() {
            Err(why) => collecting.faults.add(|| why),
            Ok(Found { item, size }) => {
                collecting.size = collecting.size.saturating_add(size);
                match collecting.items.entry(item.key) {
                    Entry::Occupied(there) => collecting.twice.add(|| shown(there.key())),
                    Entry::Vacant(free) => {
                        free.insert(item.value);
                    }
                }
            }
        }
    }

    /// Tells something of the file.
    pub(in crate::local_storage) fn tell(&mut self, message: impl Into<String>, may_lose_items: bool) {
        let place = self.place.clone();
        self.problems.push(Problem { place, message: message.into(), may_lose_items });
    }

    /// Tells what SQLite says of the file.
    pub(in crate::local_storage) fn tell_flaws<'f>(&mut self, flaws: impl IntoIterator<Item = &'f Flaw>) {
        for flaw in flaws {
            self.tell(flaw.message.clone(), flaw.may_lose_rows);
        }
    }

    pub(super) fn into_listing(self) -> (Vec<ListedDatabaseStorage>, Vec<Problem>) {
        let storages = self.storages.into_iter().filter(|(_, collecting)| collecting.item_count > 0);
        let listed = storages.map(|(whose, collecting)| ListedDatabaseStorage {
            whose,
            changed_at_us: collecting.changed_at_us,
            item_count: collecting.item_count,
            size_bytes: collecting.stored_bytes,
        });
        (listed.collect(), self.problems)
    }

    pub(super) fn into_reading(self) -> Reading {
        let wanted: BTreeSet<Whose> =
            self.storages.keys().filter(|whose| self.holds_items_of(whose)).cloned().collect();
        let mut problems = self.problems;
        let mut storages = Vec::new();
        for (whose, collecting) in self.storages.into_iter().filter(|(whose, _)| wanted.contains(whose)) {
            problems.extend(collecting.problems(&whose));
            if collecting.items.is_empty() {
                continue;
            }
            let Whose { origin, partition } = whose;
            let items = collecting.items.into_iter().map(|(key, value)| Item { key, value }).collect();
            storages.push(Storage { origin, partition, changed_at_us: collecting.changed_at_us, items });
        }
        Reading { storages, problems }
    }
}

impl Collecting {
    fn problems(&self, whose: &Whose) -> Vec<Problem> {
        let faults = self.faults.first.as_ref().map(|first| {
            let count = counted(self.faults.count, "item");
            (format!("left out: {count} that cannot be read, the first one because {first}"), true)
        });
        let twice = self.twice.first.as_ref().map(|first| {
            let count = counted(self.twice.count, "item");
            (format!("left out: {count} whose key is there twice, the first one {first}"), true)
        });
        let noted = self.noted_size.filter(|&noted| noted != self.size && self.faults.count == 0);
        let other_size = noted.map(|noted| {
            let message =
                format!("the browser noted a size of {noted}, but what is there has a size of {}", self.size);
            (message, self.size < noted)
        });
        let told = [faults, twice, other_size].into_iter().flatten();
        let place = format!("storage of {whose}");
        told.map(|(message, may_lose_items)| Problem { place: place.clone(), message, may_lose_items })
            .collect()
    }
}

/// A key for people, in quotation marks.
fn shown(key: &CodeUnits) -> String {
    let text = key.to_string();
    let mut shown: String = text.chars().take(MAX_SHOWN_CHARS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}
