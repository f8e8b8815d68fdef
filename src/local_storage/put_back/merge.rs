//! One value out of several that devices and times had under the same key.
//!
//! The latest capture is the base, of those that are known to be of the origin where there are any: a dump that does not say
//! whose it is may be another site's. The base's text stays as it is but for the elements of the array that the rule names.
//! There the sessions of the others are put in by the rule of `progress_logs`: of one program, week and day, the later
//! completion or capture wins, member by member, and what is absent or null never erases.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::local_storage::code_units::CodeUnits;
use crate::local_storage::envelope::Library;
use crate::local_storage::item::Item;
use crate::local_storage::json::pointer::Pointer;
use crate::local_storage::json::{Json, Kind};
use crate::local_storage::mapping::event::WORKOUT_SESSION;
use crate::local_storage::mapping::{Mapped, MappedEvent, Mapping, map_item};
use crate::local_storage::moment::Moment;

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
    /// Elements that the base did not have.
    pub added: u64,
    /// Elements of it that got something of another capture.
    pub changed: u64,
    /// Sessions of other captures that are not in it, or not as completed as they were there.
    pub left_out: u64,
    /// What is not in it, and why.
    pub notes: Vec<String>,
}

/// A session, wherever it was met.
struct Session {
    completed: bool,
    completed_at: String,
    /// When it was there last, and its place then.
    seen: (String, usize),
    id: String,
    text: Vec<u8>,
    /// Its place in the base.
    at: Option<usize>,
}

impl Session {
    fn order(&self) -> (&str, &(String, usize), &str) {
        (&self.completed_at, &self.seen, &self.id)
    }
}

/// Program, week and day.
type Day = (String, String, String);

/// Merges the captures of a key, of which no value is there twice, the latest last; `None` of no capture.
#[must_use]
pub fn merged(
    mapping: &Mapping,
    origin: Option<&str>,
    key: &CodeUnits,
    captures: &[Capture],
) -> Option<Merged> {
    let latest = captures.last()?;
    let base_at = captures.iter().rposition(|capture| capture.is_of_origin).unwrap_or(captures.len() - 1);
    let base = captures.get(base_at)?;
    let as_it_is =
        |notes: Vec<String>| Merged { value: base.value.clone(), added: 0, changed: 0, left_out: 0, notes };
    let mut merged = as_it_is(Vec::new());
    if captures.len() > 1 {
        let store = Store { mapping, origin, key };
        let mapped: Vec<Mapped> = captures.iter().map(|capture| store.map(&capture.value)).collect();
        merged = store.merge(captures, &mapped, base_at).unwrap_or_else(|reason| {
            as_it_is(vec![format!("the latest of {} different values is taken: {reason}", captures.len())])
        });
        merged.left_out = left_out(&mapped, &store.map(&merged.value));
    }
    if !latest.is_of_origin {
        let captured_at = latest.seen.split('/').next().unwrap_or_default();
        let base = if base.is_of_origin {
            ", and the latest that is known to be of this one is the base"
        } else {
            ""
        };
        merged
            .notes
            .push(format!("the latest is of a dump of no known origin (captured {captured_at}){base}"));
    }
    Some(merged)
}

/// How many program's days the captures have that the result has not, or has as not completed where they are completed.
fn left_out(captures: &[Mapped], result: &Mapped) -> u64 {
    let days = |mapped: &Mapped| -> Vec<(Day, bool)> {
        let sessions = mapped.events.iter().flatten().filter(|event| event.event_type == WORKOUT_SESSION);
        sessions.filter_map(|event| session_of(event).map(|(day, completed, _)| (day, completed))).collect()
    };
    let there: BTreeSet<(Day, bool)> = days(result).into_iter().collect();
    let lost = captures.iter().flat_map(days).filter(|(day, completed)| {
        let has = |completed| there.contains(&(day.clone(), completed));
        !has(true) && (*completed || !has(false))
    });
    lost.map(|(day, _)| day).collect::<BTreeSet<Day>>().len() as u64
}

struct Store<'a> {
    mapping: &'a Mapping,
    origin: Option<&'a str>,
    key: &'a CodeUnits,
}

impl Store<'_> {
    fn map(&self, value: &CodeUnits) -> Mapped {
        let item = Item { key: self.key.clone(), value: value.clone() };
        // No time of it is used.
        map_item(self.mapping, self.origin, &item, Moment::from_ms(0).unwrap_or_default())
    }

    fn merge(&self, captures: &[Capture], mapped: &[Mapped], base_at: usize) -> Result<Merged, &'static str> {
        let no_rule = "no rule says how to merge it";
        let base = mapped.get(base_at).filter(|base| base.events.is_some()).ok_or(no_rule)?;
        let base_value = &captures.get(base_at).ok_or(no_rule)?.value;
        let place = array_of(mapped)?;
        let text = base_value.to_wtf8();
        let json = Json::parse(&text).map_err(|_| "it is no JSON")?;
        let pointer = Pointer::parse(&place).map_err(|_| "its elements stand in no one place")?;
        let array = pointer.find(json).filter(|found| found.kind() == Kind::Array);
        let array = array.ok_or("it has no list where the others have their sessions")?;
        let mut notes = Vec::new();
        let mut sessions: HashMap<String, (Day, Session)> = HashMap::new();
        for (index, (capture, mapped)) in captures.iter().zip(mapped).enumerate() {
            if mapped.version_text != base.version_text {
                let version =
                    |mapped: &Mapped| mapped.version_text.clone().unwrap_or_else(|| "none".to_owned());
                let (other, own) = (version(mapped), version(base));
                let which = if index < base_at { "latest one" } else { "one that is the base" };
                notes.push(format!(
                    "a store of version {other} is not put into the {which}, of version {own}"
                ));
                continue;
            }
            let own = capture.value.to_wtf8();
            let Some(elements) = Json::parse(&own).ok().and_then(|own| pointer.find(own)) else { continue };
            let elements: Vec<Json<'_>> = elements.elements().collect();
            for event in mapped.events.iter().flatten() {
                let at = index_of(event).unwrap_or(usize::MAX);
                let Some(element) = elements.get(at) else { continue };
                let Some((day, completed, completed_at)) = session_of(event) else { continue };
                let mut session = Session {
                    completed,
                    completed_at,
                    seen: (capture.seen.clone(), at),
                    id: event.id.clone(),
                    text: element.text().to_vec(),
                    at: (index == base_at).then_some(at),
                };
                // Captures come in order, so that the last one that has it counts; where the base has it, its text stays.
                if let (None, Some((_, known))) = (session.at, sessions.get_mut(&event.id))
                    && known.at.is_some()
                {
                    (session.at, session.text) = (known.at, std::mem::take(&mut known.text));
                }
                sessions.insert(event.id.clone(), (day, session));
            }
        }
        let others = self.unfit(&sessions, &text, array);
        let mut days: BTreeMap<Day, Vec<Session>> = BTreeMap::new();
        let mut left_out: BTreeMap<String, u64> = BTreeMap::new();
        for (id, (day, session)) in sessions {
            if others.contains(&id) {
                *left_out.entry(day.0).or_default() += 1;
            } else {
                days.entry(day).or_default().push(session);
            }
        }
        notes.extend(left_out.iter().map(|(program, count)| {
            format!("{count} of program {program:?} are not put in: the store is of another program")
        }));
        let mut elements: Vec<Vec<u8>> = array.elements().map(|element| element.text().to_vec()).collect();
        let (added, changed) = put_in(&mut elements, days);
        let value = splice(&text, array, &elements);
        let value =
            if added + changed == 0 { Some(base_value.clone()) } else { CodeUnits::from_wtf8(&value) };
        Ok(Merged { value: value.ok_or("its text is no text")?, added, changed, left_out: 0, notes })
    }

    /// Those of the other captures that would be sessions of something else in the base.
    fn unfit(
        &self,
        sessions: &HashMap<String, (Day, Session)>,
        text: &[u8],
        array: Json<'_>,
    ) -> BTreeSet<String> {
        let foreign: Vec<_> = sessions.iter().filter(|(_, (_, session))| session.at.is_none()).collect();
        let texts: Vec<Vec<u8>> = foreign.iter().map(|(_, (_, session))| session.text.clone()).collect();
        let trial = CodeUnits::from_wtf8(&splice(text, array, &texts)).unwrap_or_default();
        let mapped = self.map(&trial);
        let days: HashMap<usize, Day> = mapped
            .events
            .iter()
            .flatten()
            .filter_map(|event| Some((index_of(event)?, session_of(event)?.0)))
            .collect();
        let is_same = |at: usize, day: &Day| days.get(&at).is_some_and(|there| there == day);
        let unfit = foreign.iter().enumerate().filter(|(at, (_, (day, _)))| !is_same(*at, day));
        unfit.map(|(_, (id, _))| (*id).clone()).collect()
    }
}

/// Where the sessions stand in all of the stores.
fn array_of(mapped: &[Mapped]) -> Result<String, &'static str> {
    if mapped.iter().any(|mapped| mapped.library == Library::ReduxPersist) {
        return Err("its slices are text inside of text");
    }
    let mut places = BTreeSet::new();
    for event in mapped.iter().flat_map(|mapped| mapped.events.iter().flatten()) {
        if event.event_type != WORKOUT_SESSION {
            return Err("it holds no sessions");
        }
        let (place, index) = event.pointer.rsplit_once('/').unwrap_or_default();
        if index.parse::<usize>().is_err() {
            return Err("its sessions are no list");
        }
        places.insert(place.to_owned());
    }
    let place = places.pop_first().ok_or("it holds no sessions")?;
    if places.is_empty() { Ok(place) } else { Err("its sessions stand in several places") }
}

fn index_of(event: &MappedEvent) -> Option<usize> {
    event.pointer.rsplit_once('/')?.1.parse().ok()
}

/// Whose session it is, whether it is completed, and when it was.
fn session_of(event: &MappedEvent) -> Option<(Day, bool, String)> {
    let payload = Json::parse(event.payload.as_bytes()).ok()?;
    let [program, week, day, completed, at] =
        payload.named(["program_id", "week_number", "day_number", "completed", "completed_at"]);
    let day = (program?.to_utf8()?, week?.to_text(), day?.to_text());
    let is_completed = completed.and_then(Json::to_bool).unwrap_or_default();
    Some((day, is_completed, at.and_then(Json::to_utf8).unwrap_or_default()))
}

/// Puts in what the elements of the base lack; how many are new, and how many were changed.
fn put_in(elements: &mut Vec<Vec<u8>>, days: BTreeMap<Day, Vec<Session>>) -> (u64, u64) {
    let (mut added, mut changed) = (0, 0);
    let mut new: Vec<(Day, Vec<u8>)> = Vec::new();
    for (day, mut sessions) in days {
        if sessions.iter().all(|session| session.at.is_some()) {
            continue;
        }
        sessions.sort_by(|a, b| a.order().cmp(&b.order()));
        let text = fold(&sessions);
        let at = sessions.iter().rev().find_map(|session| session.at);
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

/// The text of the last of the sessions, with what it lacks from those before it.
fn fold(sessions: &[Session]) -> Vec<u8> {
    let is_completed = sessions.iter().any(|session| session.completed);
    let Some(last) = sessions.last() else { return Vec::new() };
    let mut members: Vec<(&[u8], CodeUnits, &[u8])> = Vec::new();
    let mut is_changed = false;
    // The last one first: it gives the order, and most of the values.
    for session in sessions.iter().rev() {
        for (name, value) in Json::parse(&session.text).iter().flat_map(|json| json.members()) {
            let units = name.to_units().unwrap_or_default();
            let is_last = std::ptr::eq(session, last);
            match members.iter_mut().find(|(_, there, _)| *there == units) {
                // Of members of the same name the last one counts.
                Some((.., there)) if is_last => *there = value.text(),
                Some((.., there)) if *there == b"null" && value.kind() != Kind::Null => {
                    *there = value.text();
                    is_changed = true;
                }
                Some(_) => {}
                None if !is_last && value.kind() == Kind::Null => {}
                None => {
                    is_changed |= !is_last;
                    members.push((name.text(), units, value.text()));
                }
            }
        }
    }
    if is_completed && !last.completed {
        let completed = CodeUnits::from("completed");
        if let Some((.., there)) = members.iter_mut().find(|(_, name, _)| *name == completed) {
            *there = b"true";
            is_changed = true;
        }
    }
    if !is_changed {
        return last.text.clone();
    }
    let members: Vec<Vec<u8>> =
        members.iter().map(|(name, _, value)| [*name, b":", *value].concat()).collect();
    [b"{".as_slice(), &members.join(&b","[..]), b"}"].concat()
}

/// `text` with other elements in the array that is inside of it.
fn splice(text: &[u8], array: Json<'_>, elements: &[Vec<u8>]) -> Vec<u8> {
    let start = array.text().as_ptr().addr().saturating_sub(text.as_ptr().addr());
    let end = start + array.text().len();
    let (before, after) = (text.get(..start).unwrap_or_default(), text.get(end..).unwrap_or_default());
    [before, b"[", &elements.join(&b","[..]), b"]", after].concat()
}
