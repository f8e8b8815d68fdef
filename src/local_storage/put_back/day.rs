//! What all stores say of one program's week and day: one session.
//!
//! Accounts of it come in any order and may come again: what they come to is the same, and of each member only the value that
//! counts is kept.

use std::collections::BTreeMap;

use crate::local_storage::code_units::CodeUnits;
use crate::local_storage::json::{Json, Kind};
use crate::local_storage::mapping::MappedEvent;

/// Program, week and day.
pub(super) type Day = (String, String, String);

/// Which of two accounts counts more: the later completion, then the later capture.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Order {
    pub(super) completed_at: String,
    /// When it was there last, and its place then.
    pub(super) seen: (String, usize),
    pub(super) id: String,
}

/// A session, as one store has it.
pub(super) struct Account {
    pub(super) order: Order,
    pub(super) completed: bool,
    pub(super) text: Vec<u8>,
    /// Its place in the base, where it is there.
    pub(super) at: Option<usize>,
}

/// Whose session it is, whether it is completed, and when it was.
pub(super) fn session_of(event: &MappedEvent) -> Option<(Day, bool, String)> {
    let payload = Json::parse(event.payload.as_bytes()).ok()?;
    let [program, week, day, completed, at] =
        payload.named(["program_id", "week_number", "day_number", "completed", "completed_at"]);
    let day = (program?.to_utf8()?, week?.to_text(), day?.to_text());
    let is_completed = completed.and_then(Json::to_bool).unwrap_or_default();
    Some((day, is_completed, at.and_then(Json::to_utf8).unwrap_or_default()))
}

/// The accounts of one session, folded.
#[derive(Default)]
pub(super) struct Session {
    /// The one that counts most.
    last: Option<Account>,
    /// What it lacks and others have.
    lacking: Vec<Lacking>,
    is_completed: bool,
    /// The account of the base that counts most, and its place there.
    slot: Option<(Order, usize)>,
    has_others: bool,
}

/// A member of the account that counts most among those that have it.
struct Lacking {
    order: Order,
    index: usize,
    name: CodeUnits,
    name_text: Vec<u8>,
    value: Vec<u8>,
}

impl Session {
    pub(super) fn insert(&mut self, account: Account) {
        self.is_completed |= account.completed;
        match account.at {
            None => self.has_others = true,
            Some(at) if self.slot.as_ref().is_none_or(|(order, _)| *order < account.order) => {
                self.slot = Some((account.order.clone(), at));
            }
            Some(_) => {}
        }
        let has_later = self.last.as_ref().is_some_and(|last| last.order >= account.order);
        let earlier = if has_later { Some(account) } else { self.last.replace(account) };
        let last = self.last.as_ref().map(|last| &*last.text).unwrap_or_default();
        let Some(earlier) = earlier.filter(|earlier| earlier.text != last) else { return };
        let there = members_of(last);
        let is_lacking = |name: &CodeUnits| {
            there.iter().all(|member| member.name != *name || member.value.kind() == Kind::Null)
        };
        self.lacking.retain(|member| is_lacking(&member.name));
        for (index, member) in members_of(&earlier.text).into_iter().enumerate() {
            if member.value.kind() == Kind::Null || !is_lacking(&member.name) {
                continue;
            }
            let is_same = |known: &Lacking| known.name == member.name;
            if self.lacking.iter().any(|known| is_same(known) && known.order >= earlier.order) {
                continue;
            }
            self.lacking.retain(|known| !is_same(known));
            self.lacking.push(Lacking {
                order: earlier.order.clone(),
                index,
                name_text: member.name_text.to_vec(),
                value: member.value.text().to_vec(),
                name: member.name,
            });
        }
    }

    /// The text of the account that counts most, with what it lacks from the others.
    fn into_text(mut self) -> Vec<u8> {
        let Some(last) = self.last else { return Vec::new() };
        // As if each had been laid under those that count more.
        self.lacking.sort_by(|a, b| b.order.cmp(&a.order).then(a.index.cmp(&b.index)));
        let mut members: Vec<(CodeUnits, &[u8], &[u8])> = Vec::new();
        let mut is_changed = false;
        for member in members_of(&last.text) {
            let lacking = self.lacking.iter().find(|lacking| lacking.name == member.name);
            is_changed |= lacking.is_some();
            let value = lacking.map_or(member.value.text(), |lacking| lacking.value.as_slice());
            members.push((member.name, member.name_text, value));
        }
        let known = members.len();
        for lacking in &self.lacking {
            if members.iter().take(known).all(|(name, ..)| *name != lacking.name) {
                is_changed = true;
                members.push((lacking.name.clone(), &lacking.name_text, &lacking.value));
            }
        }
        if self.is_completed && !last.completed {
            let completed = CodeUnits::from("completed");
            if let Some((.., value)) = members.iter_mut().find(|(name, ..)| *name == completed) {
                *value = b"true";
                is_changed = true;
            }
        }
        if !is_changed {
            return last.text;
        }
        let members: Vec<Vec<u8>> =
            members.iter().map(|(_, name, value)| [*name, b":", *value].concat()).collect();
        [b"{".as_slice(), &members.join(&b","[..]), b"}"].concat()
    }
}

struct Member<'a> {
    name: CodeUnits,
    name_text: &'a [u8],
    value: Json<'a>,
}

/// Of members of the same name the last one counts, where the first stands.
fn members_of(element: &[u8]) -> Vec<Member<'_>> {
    let mut members: Vec<Member<'_>> = Vec::new();
    for (name, value) in Json::parse(element).iter().flat_map(|json| json.members()) {
        let (units, name_text) = (name.to_units().unwrap_or_default(), name.text());
        match members.iter_mut().find(|member| member.name == units) {
            Some(member) => member.value = value,
            None => members.push(Member { name: units, name_text, value }),
        }
    }
    members
}

/// Puts in what the elements of the base lack; how many are new, and how many were changed.
pub(super) fn put_in(elements: &mut Vec<Vec<u8>>, sessions: BTreeMap<Day, Session>) -> (u64, u64) {
    let (mut added, mut changed) = (0, 0);
    let mut new: Vec<(Day, Vec<u8>)> = Vec::new();
    for (day, session) in sessions.into_iter().filter(|(_, session)| session.has_others) {
        let at = session.slot.as_ref().map(|(_, at)| *at);
        let text = session.into_text();
        match at.and_then(|at| elements.get_mut(at)) {
            None => new.push((day, text)),
            Some(there) if *there == text => {}
            Some(there) => {
                *there = text;
                changed += 1;
            }
        }
    }
    // As an app would have added them: by week and day, as numbers.
    new.sort_by_key(|((_, week, day), _)| (week.parse::<i64>().ok(), day.parse::<i64>().ok()));
    for (_, text) in new {
        elements.push(text);
        added += 1;
    }
    (added, changed)
}
