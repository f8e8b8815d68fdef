//! Applying rules to one value.

use super::event::{self, WORKOUT_SESSION};
use super::field::{Field, From, Value, excerpt_of};
use super::misfit::{Misfit, misfit};
use super::rule::{Elements, Rule, Wrapping};
use super::{MAX_TOLD, Mapped, MappedEvent, Reject, Warning};
use crate::local_storage::code_units::CodeUnits;
use crate::local_storage::envelope::{Envelope, Library};
use crate::local_storage::item::Item;
use crate::local_storage::json::canonical::{MAX_DEPTH, canonical};
use crate::local_storage::json::pointer::Found;
use crate::local_storage::json::{Json, Kind};
use crate::local_storage::moment::Moment;

/// How many characters of a rejected element are shown.
const EXCERPT: usize = 80;

/// The members of a store, if it is an object.
type Members<'e> = Vec<(Json<'e>, Json<'e>)>;

/// Applies the first rule that is for the item.
pub(super) fn apply(
    rules: &[Rule],
    origin: Option<&str>,
    item: &Item,
    envelope: &Envelope,
    captured_at: Moment,
    mapped: &mut Mapped,
) {
    let mut lost = None;
    // Taken out once, since values are long.
    let members: Members<'_> = envelope.json().map(|json| json.members().collect()).unwrap_or_default();
    for (index, rule) in rules.iter().enumerate().filter(|(_, rule)| rule.is_for(origin, &item.key)) {
        mapped.rules.push(index);
        let Some(store) = open(rule.wrapping, envelope, &members) else {
            match misfit(rule, item, envelope) {
                Misfit::OfNoConcern => {}
                Misfit::Other(what) => mapped.warn("", what),
                Misfit::Kept(what) => {
                    mapped.events = Some(Vec::new());
                    mapped.warn("", what);
                }
                // Unless a later rule can read it.
                Misfit::Lost(what) => lost = lost.or(Some(what)),
            }
            continue;
        };
        if rule.if_present && !has_array(rule, store, &members) {
            continue;
        }
        if rule.wrapping == Wrapping::Zustand {
            // Also of one with more members than Zustand writes.
            let version = member(&members, "version").filter(|version| version.kind() != Kind::Null);
            mapped.version = version.and_then(Json::to_i64);
            mapped.version_text = version.map(Json::to_text);
        }
        if let Some(what) = lost {
            mapped.warn("", what);
        }
        mapped.events = Some(Vec::new());
        mapped.are_sessions = rule.event == WORKOUT_SESSION;
        if let Some(reason) = unknown_version(rule, mapped) {
            mapped.reject("", reason, store.text());
            return;
        }
        mapped.list = list_of(rule);
        map_elements(rule, &item.key, (store, &members), captured_at, mapped);
        return;
    }
    if let Some(what) = lost {
        mapped.events = Some(Vec::new());
        mapped.reject("", what, &item.value.to_wtf8());
    }
}

/// The JSON that the rule's pointers go through, if the value is wrapped as the rule expects.
fn open<'e>(wrapping: Wrapping, envelope: &'e Envelope, members: &Members<'e>) -> Option<Json<'e>> {
    let json = envelope.json()?;
    let fits = match wrapping {
        Wrapping::Zustand => member(members, "state").is_some(),
        Wrapping::ReduxPersist => envelope.library == Library::ReduxPersist,
        Wrapping::None => true,
    };
    fits.then_some(json)
}

/// The last of that name.
fn member<'e>(members: &Members<'e>, name: &str) -> Option<Json<'e>> {
    members.iter().rfind(|(key, _)| key.is_string(name)).map(|(_, value)| *value)
}

fn has_array<'e>(rule: &Rule, store: Json<'e>, members: &Members<'e>) -> bool {
    match &rule.elements {
        Elements::Each(pointer) if !pointer.has_wildcard() => {
            pointer.find_among(store, members).is_some_and(|found| found.kind() == Kind::Array)
        }
        Elements::Each(pointer) | Elements::One(pointer) => pointer.find_among(store, members).is_some(),
    }
}

fn list_of(rule: &Rule) -> Option<String> {
    let is_list = matches!(&rule.elements, Elements::Each(pointer) if !pointer.has_wildcard());
    (is_list && rule.event == WORKOUT_SESSION).then(|| rule.place.clone())
}

fn unknown_version(rule: &Rule, mapped: &Mapped) -> Option<String> {
    if rule.versions.is_empty() || mapped.version.is_some_and(|version| rule.versions.contains(&version)) {
        return None;
    }
    let known: Vec<String> = rule.versions.iter().map(ToString::to_string).collect();
    let version =
        mapped.version_text.as_deref().map_or("no version".to_owned(), |text| format!("version {text}"));
    Some(format!("the store has {version}; the mapping understands {}", known.join(", ")))
}

fn map_elements<'e>(
    rule: &Rule,
    key: &CodeUnits,
    (json, members): (Json<'e>, &Members<'e>),
    captured_at: Moment,
    mapped: &mut Mapped,
) {
    let value = |field: &Field| (!field.is_of_element()).then(|| field.value(json, members));
    let mut store = Store {
        rule,
        shared: rule.fields.iter().map(value).collect(),
        events: event::Elements::new(rule, key, captured_at),
    };
    let mut found = false;
    let (Elements::Each(pointer) | Elements::One(pointer)) = &rule.elements;
    let are_elements = pointer.ends_with_wildcard() || matches!(rule.elements, Elements::One(_));
    pointer.visit_among(json, members, &mut |at, there| {
        found = true;
        match there.kind() {
            _ if are_elements => store.map(at, there, mapped),
            Kind::Array => {
                let mut element_at = at.clone();
                for (index, element) in there.elements().enumerate() {
                    element_at.path = format!("{}/{index}", at.path);
                    store.map(&element_at, element, mapped);
                }
            }
            Kind::Null => mapped.warn(&at.path, "there is null where elements were expected".to_owned()),
            kind => mapped.reject(&at.path, format!("it is {}, not an array", kind.name()), there.text()),
        }
    });
    if !found {
        mapped.warn(&rule.place, "there is nothing where elements were expected".to_owned());
    }
}

/// A store while its elements are mapped.
struct Store<'r> {
    rule: &'r Rule,
    /// For each field, the value if it does not come out of the element: looked for once, since stores are long.
    shared: Vec<Option<Result<Value, String>>>,
    events: event::Elements<'r>,
}

impl Store<'_> {
    fn map(&mut self, at: &Found, element: Json<'_>, mapped: &mut Mapped) {
        mapped.elements += 1;
        match self.event(at, element) {
            Ok((event, is_without_time)) => {
                mapped.events.get_or_insert_default().push(event);
                if is_without_time {
                    mapped.warn(&at.path, "it is completed, but has no time".to_owned());
                }
            }
            Err(reason) => mapped.reject(&at.path, reason, element.text()),
        }
    }

    /// The event, and whether it is a completed session without a time; or the reason why it is none.
    fn event(&mut self, at: &Found, element: Json<'_>) -> Result<(MappedEvent, bool), String> {
        let rule = self.rule;
        if element.kind() != Kind::Object && rule.fields.iter().any(|field| looks_into(&field.from)) {
            return Err(format!("it is {}, not an object", element.kind().name()));
        }
        let canonical =
            canonical(element).ok_or_else(|| format!("it nests deeper than {MAX_DEPTH} levels"))?;
        let members: Vec<_> = element.members().collect();
        let values: Vec<Value> = rule
            .fields
            .iter()
            .zip(&self.shared)
            .map(|(field, shared)| shared.clone().unwrap_or_else(|| field.value(element, &members)))
            .collect::<Result<_, _>>()?;
        let is = |name: &str, wanted: &Value| {
            rule.fields.iter().zip(&values).any(|(field, value)| field.name == name && value == wanted)
        };
        let is_without_time = rule.event == WORKOUT_SESSION
            && is("completed", &Value::Bool(true))
            && is("completed_at", &Value::Null);
        let element = event::Element { at, json: element, canonical: &canonical, values: &values };
        Ok((self.events.event(&element), is_without_time))
    }
}

/// Whether a value comes out of a member of the element.
fn looks_into(from: &From) -> bool {
    matches!(from, From::Element(place) if !place.text.is_empty())
}

impl Mapped {
    fn reject(&mut self, pointer: &str, reason: String, text: &[u8]) {
        self.rejected += 1;
        if self.rejects.len() < MAX_TOLD {
            let pointer = pointer.to_owned();
            self.rejects.push(Reject { pointer, reason, excerpt: excerpt_of(text, EXCERPT) });
        }
    }

    fn warn(&mut self, pointer: &str, message: String) {
        self.warned += 1;
        if self.warnings.len() < MAX_TOLD {
            self.warnings.push(Warning { pointer: pointer.to_owned(), message });
        }
    }
}
