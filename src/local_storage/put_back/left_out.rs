//! What other captures have and the result has not, told in a few lines however much it is.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::day::Day;
use crate::digest::Sha256Digest;
use crate::local_storage::counted::counted;

/// How many programs or versions are named.
const MAX_NAMED: usize = 20;
/// How many characters of a name are shown.
const MAX_SHOWN: usize = 80;

/// 128 bits that stand for a text: there can be many, and nobody need see them again.
pub(super) type Print = u128;

pub(super) fn print_of(text: &[u8]) -> Print {
    Sha256Digest::of(text).0.iter().take(16).fold(0, |print, byte| (print << 8) | u128::from(*byte))
}

fn print_of_day((program, week, day): &Day) -> Print {
    print_of(format!("{}:{program}/{week}/{day}", program.len()).as_bytes())
}

/// See the module.
#[derive(Default)]
pub(super) struct LeftOut {
    /// Every day that a capture has, and whether it is completed there.
    days: HashMap<Print, bool>,
    /// Sessions that would be another program's.
    unfit: HashSet<Print>,
    /// How many, by program.
    programs: BTreeMap<String, u64>,
    /// Stores that are not merged, by version and whether they are later than the base.
    versions: BTreeMap<(String, bool), u64>,
    /// Values that are not merged, by the reason.
    reasons: BTreeMap<&'static str, u64>,
    /// Elements that are no sessions.
    elements: HashSet<Print>,
    /// What was rejected in values in which no element can be pointed to.
    rejected: u64,
}

impl LeftOut {
    /// A capture has this session: it is left out unless the result has it.
    pub(super) fn day(&mut self, day: &Day, completed: bool) {
        *self.days.entry(print_of_day(day)).or_default() |= completed;
    }

    pub(super) fn has_days(&self) -> bool {
        !self.days.is_empty()
    }

    /// How many days are not in the result, or not as completed as they were.
    pub(super) fn days_not_in(&self, result: impl Iterator<Item = (Day, bool)>) -> u64 {
        let there: BTreeSet<(Print, bool)> =
            result.map(|(day, completed)| (print_of_day(&day), completed)).collect();
        let is_lost = |(day, completed): &(&Print, &bool)| {
            !there.contains(&(**day, true)) && (**completed || !there.contains(&(**day, false)))
        };
        self.days.iter().filter(is_lost).count() as u64
    }

    pub(super) fn session(&mut self, program: &str, id: Print) {
        if self.unfit.insert(id) {
            *self.programs.entry(shown(program)).or_default() += 1;
        }
    }

    pub(super) fn is_unfit(&self, id: Print) -> bool {
        self.unfit.contains(&id)
    }

    pub(super) fn version(&mut self, version: Option<&str>, is_later: bool) {
        *self.versions.entry((shown(version.unwrap_or("none")), is_later)).or_default() += 1;
    }

    pub(super) fn value(&mut self, reason: &'static str) {
        *self.reasons.entry(reason).or_default() += 1;
    }

    pub(super) fn element(&mut self, print: Print) {
        self.elements.insert(print);
    }

    pub(super) fn rejected(&mut self, count: u64) {
        self.rejected += count;
    }

    /// Elements that are no sessions.
    pub(super) fn element_count(&self) -> u64 {
        self.elements.len() as u64 + self.rejected
    }

    /// What to tell; the base has this version.
    pub(super) fn notes(&self, base_version: Option<&str>) -> Vec<String> {
        let mut notes = Vec::new();
        let own = shown(base_version.unwrap_or("none"));
        for ((version, is_later), count) in self.versions.iter().take(MAX_NAMED) {
            let which = if *is_later { "one that is the base" } else { "latest one" };
            let (stores, are) =
                if *count == 1 { ("a store".to_owned(), "is") } else { (format!("{count} stores"), "are") };
            notes.push(format!(
                "{stores} of version {version} {are} not put into the {which}, of version {own}"
            ));
        }
        let more: u64 = self.versions.values().skip(MAX_NAMED).sum();
        if more > 0 {
            notes.push(format!("{} of other versions are not merged", counted(more, "store")));
        }
        notes.extend(self.reasons.iter().map(|(reason, count)| {
            let are = if *count == 1 { "is" } else { "are" };
            format!("{} {are} not merged: {reason}", counted(*count, "value"))
        }));
        notes.extend(self.programs.iter().take(MAX_NAMED).map(|(program, count)| {
            format!("{count} of program {program:?} are not put in: the store is of another program")
        }));
        let more: u64 = self.programs.values().skip(MAX_NAMED).sum();
        if more > 0 {
            let programs = counted((self.programs.len() - MAX_NAMED) as u64, "other program");
            notes.push(format!("{more} of {programs} are not put in"));
        }
        notes
    }
}

/// The beginning of a long name.
fn shown(name: &str) -> String {
    match name.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", name.get(..end).unwrap_or_default()),
        None => name.to_owned(),
    }
}
