//! One value out of several that devices and times had under the same key.
//!
//! The latest capture is the base, of those that are known to be of the origin where there are any: a dump that does not say
//! whose it is may be another site's. The base's text stays as it is but for the elements of the array that the rule names.
//! There the sessions of the others are put in by the rule of `progress_logs`: of one program, week and day, the later
//! completion or capture wins, member by member, and what is absent or null never erases. Elements of others that are no
//! sessions come behind them as they are.
//!
//! Captures are taken one by one and in any order; what is kept of them is what the result will have, and some bytes for
//! each session that it will not have.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::day::{Account, Day, Order, Session, put_in, session_of};
use super::left_out::{LeftOut, Print, print_of};
use super::list::{List, index_of, place_of};
use crate::local_storage::code_units::CodeUnits;
use crate::local_storage::counted::counted;
use crate::local_storage::item::Item;
use crate::local_storage::json::Json;
use crate::local_storage::json::canonical::canonical;
use crate::local_storage::mapping::event::WORKOUT_SESSION;
use crate::local_storage::mapping::{Mapped, Mapping, map_item};
use crate::local_storage::moment::Moment;

/// How many bytes of sessions are put on trial at once: for each trial the base is read.
const TRIAL_BYTES: usize = 1 << 20;

/// A value, and when it was there last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// The value.
    pub value: CodeUnits,
    /// A text that is greater the later it was: the time, then the line of the source.
    pub seen: String,
    /// Whether its source said whose it is.
    pub is_of_origin: bool,
}

/// What became of the captures of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The value to put back.
    pub value: CodeUnits,
    /// How many captures there were.
    pub values: u64,
    /// Sessions that the base did not have.
    pub added: u64,
    /// Sessions of it that got something of another capture.
    pub changed: u64,
    /// Elements of other captures that are no sessions, put in as they are.
    pub as_they_are: u64,
    /// Sessions of other captures that are not in it, or not as completed as they were there.
    pub left_out: u64,
    /// Elements of other captures that are no sessions and are not in it.
    pub elements_left_out: u64,
    /// What is not in it, and why.
    pub notes: Vec<String>,
}

/// The captures of one key, while they come.
pub struct Merging<'m> {
    mapping: &'m Mapping,
    origin: Option<String>,
    key: CodeUnits,
    /// The base, as WTF-8.
    text: Vec<u8>,
    seen: String,
    is_of_origin: bool,
    version: Option<String>,
    /// Where the base has its sessions, or why that is nowhere; `None` until a store tells.
    list: Option<Result<List, &'static str>>,
    /// The places in the base of its sessions, by their identities.
    places: HashMap<String, usize>,
    /// The elements of the base.
    elements: HashSet<Print>,
    /// A session of the base.
    probe: Option<(Vec<u8>, Day)>,
    values: u64,
    latest: (String, bool),
    sessions: BTreeMap<Day, Session>,
    /// Sessions that were tried and fit.
    fit: HashSet<Print>,
    /// Elements that are no sessions, and when they were there last.
    others: BTreeMap<Vec<u8>, (String, usize)>,
    left_out: LeftOut,
    /// What the base has beside its sessions.
    beside: Option<Print>,
    /// What others have there, where that is something else.
    others_beside: HashSet<Print>,
    waiting: Vec<Waiting>,
    waiting_bytes: usize,
}

/// What waits for its trial: a part of a capture.
struct Waiting {
    seen: String,
    sessions: Vec<(Day, Account)>,
    others: Vec<(usize, Vec<u8>)>,
    /// Whether all else of the capture is of the program that the base is of.
    fits: bool,
}

/// What stands for a JSON text, however its members are ordered and its white space is.
fn meaning_of(text: &[u8]) -> Print {
    let canonical = Json::parse(text).ok().and_then(canonical);
    print_of(canonical.as_deref().unwrap_or(text))
}

impl<'m> Merging<'m> {
    /// Begins with the capture that is the base.
    #[must_use]
    pub fn new(mapping: &'m Mapping, origin: Option<&str>, key: &CodeUnits, base: Capture) -> Self {
        let mut merging = Self {
            mapping,
            origin: origin.map(str::to_owned),
            key: key.clone(),
            text: base.value.to_wtf8(),
            latest: (base.seen.clone(), base.is_of_origin),
            seen: base.seen,
            is_of_origin: base.is_of_origin,
            version: None,
            list: None,
            places: HashMap::new(),
            elements: HashSet::new(),
            probe: None,
            values: 1,
            sessions: BTreeMap::new(),
            fit: HashSet::new(),
            others: BTreeMap::new(),
            left_out: LeftOut::default(),
            beside: None,
            others_beside: HashSet::new(),
            waiting: Vec::new(),
            waiting_bytes: 0,
        };
        let mapped = merging.map(base.value);
        merging.version.clone_from(&mapped.version_text);
        match place_of(&mapped) {
            Ok(None) if Json::parse(&merging.text).is_err() => merging.list = Some(Err("it is no JSON")),
            Ok(None) => {}
            Ok(Some(place)) => merging.find_list(&place),
            Err(reason) => merging.list = Some(Err(reason)),
        }
        let Some(Ok(list)) = &merging.list else { return merging };
        for (at, day, account) in accounts(&mapped, list, &merging.text, &merging.seen) {
            merging.probe.get_or_insert_with(|| (account.text.clone(), day.clone()));
            merging.places.insert(account.order.id.clone(), at);
            merging.sessions.entry(day).or_default().insert(Account { at: Some(at), ..account });
        }
        merging
    }

    /// Takes another capture; none may have the value of one before.
    pub fn add(&mut self, capture: Capture) {
        self.values += 1;
        let Capture { value, seen, is_of_origin } = capture;
        if seen > self.latest.0 {
            self.latest = (seen.clone(), is_of_origin);
        }
        let text = value.to_wtf8();
        let mapped = self.map(value);
        for (day, completed) in days_of(&mapped) {
            self.left_out.day(&day, completed);
        }
        match self.merge(&mapped, &text, &seen) {
            Ok(()) => {}
            Err(reason) => {
                if let Some(reason) = reason {
                    self.left_out.value(reason);
                }
                self.lose(&mapped, &text);
            }
        }
        if self.waiting_bytes > TRIAL_BYTES {
            self.try_waiting();
        }
    }

    /// What all of them come to.
    #[must_use]
    pub fn finish(mut self) -> Merged {
        self.try_waiting();
        let mut merged = Merged {
            value: CodeUnits::default(),
            values: self.values,
            added: 0,
            changed: 0,
            as_they_are: 0,
            left_out: 0,
            elements_left_out: self.left_out.element_count(),
            notes: Vec::new(),
        };
        let sessions = std::mem::take(&mut self.sessions);
        match &self.list {
            Some(Ok(list)) => {
                let mut elements: Vec<Vec<u8>> = list.elements(&self.text).map(<[u8]>::to_vec).collect();
                (merged.added, merged.changed) = put_in(&mut elements, sessions);
                let mut others: Vec<_> = std::mem::take(&mut self.others).into_iter().collect();
                others.sort_by(|(a, a_seen), (b, b_seen)| (a_seen, a).cmp(&(b_seen, b)));
                let as_they_are = others.len() as u64;
                elements.extend(others.into_iter().map(|(text, _)| text));
                if merged.added + merged.changed + as_they_are > 0 {
                    let text = list.with(&self.text, &elements);
                    if CodeUnits::from_wtf8(&text).is_some() {
                        (self.text, merged.as_they_are) = (text, as_they_are);
                    } else {
                        (merged.added, merged.changed) = (0, 0);
                        merged.elements_left_out += as_they_are;
                        merged.notes.push("nothing is put in: its text would be no text".to_owned());
                    }
                }
            }
            reason if self.values > 1 => {
                let reason = reason.as_ref().and_then(|list| list.as_ref().err());
                let which = if self.latest.0 == self.seen { "the latest" } else { "one" };
                merged.notes.push(format!(
                    "{which} of {} different values is taken: {}",
                    self.values,
                    reason.unwrap_or(&"it holds no sessions")
                ));
            }
            _ => {}
        }
        // That of the base, which was made of a value, or one that was looked at above.
        merged.value = CodeUnits::from_wtf8(&self.text).unwrap_or_default();
        if self.left_out.has_days() {
            merged.left_out = self.left_out.days_not_in(days_of(&self.map(merged.value.clone())).into_iter());
        }
        merged.notes.extend(self.left_out.notes(self.version.as_deref()));
        if merged.elements_left_out > 0 {
            let elements = counted(merged.elements_left_out, "element");
            merged.notes.push(format!("{elements} of others that fit no rule: not put in"));
        }
        if !self.others_beside.is_empty() {
            let which = if self.latest.0 == self.seen { "the latest" } else { "the base" };
            let others = counted(self.others_beside.len() as u64, "other value");
            let differ = if self.others_beside.len() == 1 { "differs" } else { "differ" };
            merged.notes.push(format!(
                "what stands beside the sessions is of {which} alone: {others} {differ} there"
            ));
        }
        if !self.latest.1 {
            let captured_at = self.latest.0.split('/').next().unwrap_or_default();
            let is_base = if self.is_of_origin {
                ", and the latest that is known to be of this one is the base"
            } else {
                ""
            };
            merged.notes.push(format!(
                "the latest is of a dump of no known origin (captured {captured_at}){is_base}"
            ));
        }
        merged
    }

    fn map(&self, value: CodeUnits) -> Mapped {
        let item = Item { key: self.key.clone(), value };
        // No time of it is used.
        map_item(self.mapping, self.origin.as_deref(), &item, Moment::from_ms(0).unwrap_or_default())
    }

    fn find_list(&mut self, place: &str) {
        let list = List::find(&self.text, place);
        if let Ok(list) = &list {
            self.elements = list.elements(&self.text).map(print_of).collect();
            self.beside = Some(meaning_of(&list.with::<&[u8]>(&self.text, &[])));
        }
        self.list = Some(list);
    }

    /// Why a capture is not merged, where that is not told already.
    fn merge(&mut self, mapped: &Mapped, text: &[u8], seen: &str) -> Result<(), Option<&'static str>> {
        if let Some(Err(_)) = self.list {
            return Err(None);
        }
        if mapped.version_text != self.version {
            if Json::parse(text).is_err() {
                return Err(Some("it is no JSON"));
            }
            self.left_out.version(mapped.version_text.as_deref(), *seen > *self.seen);
            return Err(None);
        }
        let place = place_of(mapped).map_err(Some)?;
        if let (None, Some(place)) = (&self.list, &place) {
            self.find_list(place);
        }
        let list = match &self.list {
            Some(Ok(list)) => list,
            Some(Err(_)) => return Err(None),
            // Neither has anything that is a session.
            None if mapped.rejected > 0 => return Err(Some("it holds no sessions")),
            None => {
                self.others_beside.insert(meaning_of(text));
                return Ok(());
            }
        };
        if place.is_some_and(|place| place != list.place) {
            return Err(Some("its sessions stand elsewhere"));
        }
        let Ok(own) = List::find(text, &list.place) else {
            if mapped.rejected > 0 {
                return Err(Some("it has no list of sessions"));
            }
            self.others_beside.insert(meaning_of(text));
            return Ok(());
        };
        let beside = meaning_of(&own.with::<&[u8]>(text, &[]));
        if self.beside != Some(beside) {
            self.others_beside.insert(beside);
        }
        let others = others_of(mapped, &own, text, &self.elements);
        let found = accounts(mapped, &own, text, seen);
        let mut fits = true;
        if let (true, false, Some((session, day))) = (found.is_empty(), others.is_empty(), &self.probe) {
            // Would what it has be of the same program?
            let trial = CodeUnits::from_wtf8(&own.with(text, &[session])).unwrap_or_default();
            fits = days_of(&self.map(trial)).first().is_some_and(|(there, _)| there == day);
        }
        let mut waiting = Vec::new();
        for (_, day, mut account) in found {
            let print = print_of(account.order.id.as_bytes());
            account.at = self.places.get(&account.order.id).copied();
            if let Some(at) = account.at {
                // The text of the base stays, whatever white space another has in it.
                account.text = list.element(&self.text, at).unwrap_or_default().to_vec();
            }
            if account.at.is_some() || self.fit.contains(&print) {
                self.sessions.entry(day).or_default().insert(account);
            } else if self.left_out.is_unfit(print) {
                fits = false;
            } else {
                waiting.push((day, account));
            }
        }
        if !waiting.is_empty() || !others.is_empty() {
            self.waiting_bytes += waiting.iter().map(|(_, account)| account.text.len()).sum::<usize>();
            self.waiting_bytes += others.iter().map(|(_, text)| text.len()).sum::<usize>();
            self.waiting.push(Waiting { seen: seen.to_owned(), sessions: waiting, others, fits });
        }
        Ok(())
    }

    /// Puts in what waits, but for what would be something else in the base than it was where it stood.
    fn try_waiting(&mut self) {
        self.waiting_bytes = 0;
        let waiting = std::mem::take(&mut self.waiting);
        let Some(Ok(list)) = &self.list else { return };
        if waiting.is_empty() {
            return;
        }
        let texts: Vec<&[u8]> = waiting
            .iter()
            .flat_map(|part| {
                let sessions = part.sessions.iter().map(|(_, account)| &*account.text);
                sessions.chain(part.others.iter().map(|(_, text)| &**text))
            })
            .collect();
        let trial = self.map(CodeUnits::from_wtf8(&list.with(&self.text, &texts)).unwrap_or_default());
        drop(texts);
        let sessions = trial.events.iter().flatten();
        let days: HashMap<usize, Day> =
            sessions.filter_map(|event| Some((index_of(event)?, session_of(event)?.0))).collect();
        let mut at = 0;
        for Waiting { seen, sessions, others, mut fits } in waiting {
            for (day, account) in sessions {
                let print = print_of(account.order.id.as_bytes());
                if days.get(&at) == Some(&day) {
                    self.fit.insert(print);
                    self.sessions.entry(day).or_default().insert(account);
                } else {
                    self.left_out.session(&day.0, print);
                    fits = false;
                }
                at += 1;
            }
            for (index, text) in others {
                if fits && !days.contains_key(&at) {
                    let there = (seen.clone(), index);
                    let known = self.others.entry(text).or_insert_with(|| there.clone());
                    *known = there.max(std::mem::take(known));
                } else {
                    self.left_out.element(print_of(&text));
                }
                at += 1;
            }
        }
    }

    /// Counts what of a capture that is not merged is no session.
    fn lose(&mut self, mapped: &Mapped, text: &[u8]) {
        let place = place_of(mapped).ok().flatten();
        let Some(list) = place.and_then(|place| List::find(text, &place).ok()) else {
            self.left_out.rejected(mapped.rejected);
            return;
        };
        for (_, text) in others_of(mapped, &list, text, &self.elements) {
            self.left_out.element(print_of(&text));
        }
    }
}

/// The program's days that a store has, and whether they are completed.
fn days_of(mapped: &Mapped) -> Vec<(Day, bool)> {
    let sessions = mapped.events.iter().flatten().filter(|event| event.event_type == WORKOUT_SESSION);
    sessions.filter_map(|event| session_of(event).map(|(day, completed, _)| (day, completed))).collect()
}

/// The sessions of a store with their places in its list.
fn accounts(mapped: &Mapped, list: &List, text: &[u8], seen: &str) -> Vec<(usize, Day, Account)> {
    let sessions = mapped.events.iter().flatten().filter_map(|event| {
        let at = index_of(event)?;
        let text = list.element(text, at)?.to_vec();
        let (day, completed, completed_at) = session_of(event)?;
        let order = Order { completed_at, seen: (seen.to_owned(), at), id: event.id.clone() };
        Some((at, day, Account { order, completed, text, at: None }))
    });
    sessions.collect()
}

/// The elements of a store that are no sessions and not in the base, each once; a null says nothing.
fn others_of(mapped: &Mapped, list: &List, text: &[u8], base: &HashSet<Print>) -> Vec<(usize, Vec<u8>)> {
    if mapped.rejected == 0 {
        return Vec::new();
    }
    let sessions: HashSet<usize> = mapped.events.iter().flatten().filter_map(index_of).collect();
    let mut others: HashMap<&[u8], usize> = HashMap::new();
    for (at, text) in list.elements(text).enumerate() {
        if !sessions.contains(&at) && text != b"null" && !base.contains(&print_of(text)) {
            others.insert(text, at);
        }
    }
    let mut others: Vec<_> = others.into_iter().map(|(text, at)| (at, text.to_vec())).collect();
    others.sort();
    others
}
