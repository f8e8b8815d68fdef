//! One storage while it is put together: raw items, what the browser noted about them, and what does not fit.

use std::collections::BTreeMap;

use super::leveldb_store::Doubtful;
use super::metadata::Metadata;
use super::storage_key::StorageKey;
use super::string::{StringFault, decode_string};
use crate::local_storage::code_units::CodeUnits;
use crate::local_storage::counted::counted;
use crate::local_storage::item::{Item, Problem, Storage};
use crate::local_storage::leveldb::Entry;

/// How many keys a message names.
const MAX_NAMED_KEYS: usize = 3;
/// How much of a key a message shows, in characters.
const MAX_SHOWN_CHARS: usize = 40;

/// The records of one storage.
#[derive(Debug, Default)]
pub(super) struct Stored {
    metadata: Option<(Metadata, bool)>,
    items: Vec<StoredItem>,
}

#[derive(Debug)]
struct StoredItem {
    key: Vec<u8>,
    entry: Entry,
}

impl Stored {
    pub(super) fn take_item(&mut self, key: &[u8], entry: Entry) {
        self.items.push(StoredItem { key: key.to_vec(), entry });
    }

    pub(super) fn take_metadata(&mut self, metadata: Metadata, may_be_outdated: bool) {
        self.metadata = Some((metadata, may_be_outdated));
    }

    pub(super) fn item_count(&self) -> usize {
        self.items.len()
    }

    pub(super) fn doubtful_count(&self) -> usize {
        self.items.iter().filter(|item| item.entry.may_be_outdated).count()
    }

    /// Of keys and values as they are stored, which is how the browser counts.
    pub(super) fn size_bytes(&self) -> u64 {
        let sizes = self.items.iter().map(|item| item.key.len() as u64 + item.entry.size as u64);
        sizes.fold(0, u64::saturating_add)
    }

    pub(super) fn changed_at_us(&self, doubtful: Doubtful) -> Option<i64> {
        let (metadata, may_be_outdated) = self.metadata?;
        if may_be_outdated && doubtful == Doubtful::LeaveOut { None } else { metadata.changed_at_us }
    }

    /// What can be told before any string is looked at.
    pub(super) fn problems(&self, key: &StorageKey, doubtful: Doubtful) -> Vec<Problem> {
        let messages = [
            self.doubt(doubtful).map(|message| (message, true)),
            // The size tells nothing as soon as either side of the comparison is in doubt.
            self.other_size().filter(|_| self.doubtful_count() == 0),
        ];
        messages
            .into_iter()
            .flatten()
            .map(|(message, may_lose_items)| problem(key, message, may_lose_items))
            .collect()
    }

    fn doubt(&self, doubtful: Doubtful) -> Option<String> {
        let mut keys =
            self.items.iter().filter(|item| item.entry.may_be_outdated).map(|item| &*item.key).peekable();
        keys.peek()?;
        let (what, remedy) = match doubtful {
            Doubtful::LeaveOut => ("left out as doubtful", "; --with-doubtful takes what is there"),
            Doubtful::Take => ("doubtful", ""),
        };
        Some(format!(
            "{what}: {} of {}, of which a newer value or the deletion may be among what was lost: {}{remedy}",
            self.doubtful_count(),
            counted(self.items.len() as u64, "item"),
            named(keys)
        ))
    }

    fn other_size(&self) -> Option<(String, bool)> {
        let (metadata, may_be_outdated) = self.metadata?;
        let noted = metadata.size_bytes.filter(|_| !may_be_outdated)?;
        let found = self.size_bytes();
        let message =
            format!("the browser noted a size of {noted} bytes, but {found} bytes of items are there");
        (noted != found).then_some((message, found < noted))
    }

    /// All items that are strings, by key, and what is wrong with the others.
    pub(super) fn into_storage(self, key: &StorageKey, doubtful: Doubtful) -> (Storage, Vec<Problem>) {
        let changed_at_us = self.changed_at_us(doubtful);
        let mut items = BTreeMap::<CodeUnits, (u64, CodeUnits)>::new();
        let mut faults = Vec::new();
        let mut twice = Vec::new();
        for StoredItem { key: raw_key, entry } in self.items {
            if entry.may_be_outdated && doubtful == Doubtful::LeaveOut {
                continue;
            }
            match decoded(&raw_key, entry.value.as_deref().unwrap_or_default()) {
                Err(fault) => faults.push((raw_key, fault)),
                Ok((item_key, value)) => {
                    if let Some((sequence, _)) = items.get(&item_key) {
                        twice.push(raw_key);
                        if *sequence > entry.sequence {
                            continue;
                        }
                    }
                    items.insert(item_key, (entry.sequence, value));
                }
            }
        }
        let problems =
            [faults_told(&faults).map(|told| (told, true)), twice_told(&twice).map(|told| (told, false))];
        let problems =
            problems.into_iter().flatten().map(|(told, may_lose)| problem(key, told, may_lose)).collect();
        let items = items.into_iter().map(|(key, (_, value))| Item { key, value }).collect();
        let StorageKey { origin, partition } = key.clone();
        (Storage { origin: Some(origin), partition, changed_at_us, items }, problems)
    }
}

fn decoded(key: &[u8], value: &[u8]) -> Result<(CodeUnits, CodeUnits), String> {
    let told = |what: &str, fault: StringFault| format!("its {what} is no string: {fault}");
    let key = decode_string(key).map_err(|fault| told("key", fault))?;
    let value = decode_string(value).map_err(|fault| told("value", fault))?;
    Ok((key, value))
}

fn faults_told(faults: &[(Vec<u8>, String)]) -> Option<String> {
    let (first, why) = faults.first()?;
    let count = counted(faults.len() as u64, "item");
    Some(format!("left out: {count} that cannot be read, the first one {}: {why}", shown(first)))
}

fn twice_told(twice: &[Vec<u8>]) -> Option<String> {
    let keys = named(twice.iter().map(Vec::as_slice));
    (!twice.is_empty())
        .then(|| format!("the newer one counts of items that are there in both encodings: {keys}"))
}

fn problem(key: &StorageKey, message: String, may_lose_items: bool) -> Problem {
    Problem { place: format!("storage of {key}"), message, may_lose_items }
}

/// The first keys, and how many more there are.
fn named<'a>(keys: impl Iterator<Item = &'a [u8]>) -> String {
    let keys: Vec<_> = keys.collect();
    let text = keys.iter().take(MAX_NAMED_KEYS).map(|key| shown(key)).collect::<Vec<_>>().join(", ");
    if let Some(further) = keys.len().checked_sub(MAX_NAMED_KEYS).filter(|&further| further > 0) {
        return format!("{text} and {further} more");
    }
    text
}

/// A key for people, in quotation marks.
fn shown(key: &[u8]) -> String {
    let Ok(units) = decode_string(key) else { return format!("\"{}\"", key.escape_ascii()) };
    let text = units.to_string();
    let mut shown: String = text.chars().take(MAX_SHOWN_CHARS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}
