//! Events: their types, identities and payloads, defined here and nowhere else.
//!
//! An identity is the first 32 hexadecimal digits of SHA-256 over parts, each with its length before it (64 bits, high byte
//! first). It never changes, for a second import knows by it what is there already. Neither origin nor device is part of an
//! element's: dumps do not know the first, and the same store on two devices must meet.
//!
//! A session is the same wherever it stands: its program, week and day say which it is. Any other element is told from equal
//! ones by the key of its store, by the names of the members that a wildcard stood for, and then by how many equal ones came
//! before it in the same store: a set done three times is three sets, in every dump of that store.

use std::collections::HashMap;

use super::field::Value;
use super::rule::Rule;
use crate::digest::{Sha256Digest, Sha256Hasher};
use crate::local_storage::code_units::CodeUnits;
use crate::local_storage::item::Item;
use crate::local_storage::json::pointer::Found;
use crate::local_storage::json::{Json, push_string, push_text};
use crate::local_storage::moment::Moment;

/// One workout of a program, as some store had it.
pub const WORKOUT_SESSION: &str = "workout_session";
/// The state of a gym log's reminder to back up.
pub const GYMLOG_BACKUP: &str = "gymlog_backup";
/// One key with its value, as it was found.
pub const LOCALSTORAGE_ITEM: &str = "localstorage_item";

/// The fields of a [`WORKOUT_SESSION`], in their order in the payload.
pub const SESSION_FIELDS: [&str; 7] = [
    "program_id",
    "week_number",
    "day_number",
    "completed",
    "completed_at",
    "intensity_rating",
    "scheduled_date",
];

/// Those that no session can do without.
pub(super) const SESSION_NEEDS: [&str; 4] = ["program_id", "week_number", "day_number", "completed"];

/// What [`MappedEvent::created_from`] is where nothing in the element tells the time.
pub const CAPTURED_AT: &str = "captured_at";

/// The member of a payload that says what told the time.
pub(super) const CREATED_FROM: &str = "created_from";
/// The member of a payload that has the exact text of the element.
pub(super) const SOURCE: &str = "source";

/// An event, ready to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedEvent {
    /// The same for the same thing, whatever source it came from.
    pub id: String,
    /// When it happened.
    pub created_at: Moment,
    /// The field that told so, or [`CAPTURED_AT`]: then a later capture of the same would tell another time, and the
    /// earliest is the one to store.
    pub created_from: String,
    /// Its type.
    pub event_type: String,
    /// JSON: the fields, `created_from`, and in `source` the exact text of the element.
    pub payload: String,
    /// Where the element stands in the store, as a JSON pointer after the envelope's decoding.
    pub pointer: String,
    /// Of a [`WORKOUT_SESSION`]: whose it is.
    pub slot: Option<Slot>,
}

/// Which session of which program it is: two events of one slot are two accounts of one session.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot {
    /// The program.
    pub program: String,
    /// The week, where it is an integer.
    pub week: Option<i64>,
    /// The day, likewise.
    pub day: Option<i64>,
}

/// SHA-256 of a value's code units, low byte first, in hexadecimal digits: the name of its original.
#[must_use]
pub fn value_sha256(value: &CodeUnits) -> String {
    Sha256Digest::of(&value.to_utf16le()).to_string()
}

/// The event that a key with its value is, whatever they mean; the value with its [`value_sha256`].
#[must_use]
pub fn item_event(
    origin: Option<&str>,
    partition: Option<&str>,
    item: &Item,
    value_sha256: &str,
    captured_at: Moment,
) -> MappedEvent {
    let (key, value) = (item.key.to_utf16le(), item.value.to_utf16le());
    let parts = [
        b"item",
        origin.unwrap_or_default().as_bytes(),
        partition.unwrap_or_default().as_bytes(),
        &key,
        &value,
    ];
    let mut payload = String::from("{");
    push_member(&mut payload, "origin", |out| push_optional(out, origin));
    push_member(&mut payload, "partition", |out| push_optional(out, partition));
    push_member(&mut payload, "key", |out| push_string(out, &item.key));
    push_member(&mut payload, "value_units", |out| out.push_str(&item.value.len().to_string()));
    push_member(&mut payload, "value_sha256", |out| push_text(out, value_sha256));
    push_member(&mut payload, CREATED_FROM, |out| push_text(out, CAPTURED_AT));
    payload.push('}');
    MappedEvent {
        id: identity(&parts),
        created_at: captured_at,
        created_from: CAPTURED_AT.to_owned(),
        event_type: LOCALSTORAGE_ITEM.to_owned(),
        payload,
        pointer: String::new(),
        slot: None,
    }
}

/// The identity of one value as one source had it at one time: what tells apart where an event was seen.
#[must_use]
pub fn capture_identity(
    source: [Option<&str>; 4],
    key: &CodeUnits,
    value_sha256: &str,
    captured_at: Moment,
) -> String {
    let mut parts = vec![b"capture".to_vec()];
    // A source that does not tell is another one than one that tells nothing.
    parts.extend(
        source.map(|part| part.map_or_else(|| b"0".to_vec(), |part| format!("1{part}").into_bytes())),
    );
    parts.extend([key.to_utf16le(), value_sha256.as_bytes().to_vec(), captured_at.to_string().into_bytes()]);
    identity_of(&parts)
}

/// The elements of one store become events, one after the other.
#[derive(Debug)]
pub(super) struct Elements<'r> {
    rule: &'r Rule,
    key: &'r CodeUnits,
    captured_at: Moment,
    /// How many equal elements came, by the identity of the first.
    equal: HashMap<String, u64>,
}

/// An element, and what is known of it.
pub(super) struct Element<'a> {
    pub(super) at: &'a Found,
    pub(super) json: Json<'a>,
    /// Its canonical form.
    pub(super) canonical: &'a [u8],
    /// The values of the rule's fields, in their order.
    pub(super) values: &'a [Value],
}

impl<'r> Elements<'r> {
    /// Of the store of that key.
    pub(super) fn new(rule: &'r Rule, key: &'r CodeUnits, captured_at: Moment) -> Self {
        Self { rule, key, captured_at, equal: HashMap::new() }
    }

    /// The event of the next element.
    pub(super) fn event(&mut self, element: &Element<'_>) -> MappedEvent {
        let (rule, values) = (self.rule, element.values);
        let value = |name: &str| {
            rule.fields.iter().zip(values).find(|(field, _)| field.name == name).map(|(_, value)| value)
        };
        let told = rule.created_at.iter().find_map(|name| Some((name.clone(), value(name)?.moment()?)));
        let (created_from, created_at) = told.unwrap_or_else(|| (CAPTURED_AT.to_owned(), self.captured_at));
        let mut payload = String::from("{");
        for (field, value) in rule.fields.iter().zip(values) {
            push_member(&mut payload, &field.name, |out| value.push_json(out));
        }
        push_member(&mut payload, CREATED_FROM, |out| push_text(out, &created_from));
        push_member(&mut payload, SOURCE, |out| push_text(out, &element.json.to_text()));
        payload.push('}');
        MappedEvent {
            id: self.identity(element),
            created_at,
            created_from,
            event_type: rule.event.clone(),
            payload,
            pointer: element.at.path.clone(),
            slot: (rule.event == WORKOUT_SESSION).then(|| slot_of(values)).flatten(),
        }
    }

    fn identity(&mut self, element: &Element<'_>) -> String {
        if self.rule.event == WORKOUT_SESSION {
            let mut parts = vec![b"session".to_vec()];
            // The program, the week and the day: the first fields of a session.
            parts.extend(element.values.iter().take(3).map(session_part));
            // What the store around it says may be something else in the next capture: then that is another account of it.
            let around = self.rule.fields.iter().zip(element.values).skip(3);
            for (field, value) in around.filter(|(field, value)| field.is_of_store() && !is_nothing(value)) {
                parts.extend([field.name.clone().into_bytes(), session_part(value)]);
            }
            parts.push(element.canonical.to_vec());
            return identity_of(&parts);
        }
        let first = self.identity_of_first(element);
        let before = self.equal.entry(first.clone()).or_default();
        *before += 1;
        match *before - 1 {
            0 => first,
            before => identity(&[b"again", first.as_bytes(), before.to_string().as_bytes()]),
        }
    }

    fn identity_of_first(&self, element: &Element<'_>) -> String {
        let (rule, names) = (self.rule, &element.at.names);
        let mut parts = vec![b"event".to_vec(), rule.event.clone().into_bytes(), self.key.to_utf16le()];
        parts.push(names.len().to_string().into_bytes());
        parts.extend(names.iter().map(CodeUnits::to_utf16le));
        // What does not come out of the element itself; as JSON, in which nothing and the text "null" differ.
        for (field, value) in
            rule.fields.iter().zip(element.values).filter(|(field, _)| !field.is_of_element())
        {
            let mut json = String::new();
            value.push_json(&mut json);
            parts.extend([field.name.clone().into_bytes(), json.into_bytes()]);
        }
        parts.push(element.canonical.to_vec());
        identity_of(&parts)
    }
}

/// The program, the week and the day are the first fields of a session; one whose program is no text has no slot.
fn slot_of(values: &[Value]) -> Option<Slot> {
    let [program, week, day, ..] = values else { return None };
    let as_json = |value: &Value| {
        let mut json = String::new();
        value.push_json(&mut json);
        json
    };
    let number = |value: &Value| match value {
        Value::Int(number) => Some(*number),
        value => Json::parse(as_json(value).as_bytes()).ok()?.to_i64(),
    };
    let program = match program {
        Value::Text(text) => text.clone(),
        value => Json::parse(as_json(value).as_bytes()).ok()?.to_utf8()?,
    };
    Some(Slot { program, week: number(week), day: number(day) })
}

fn is_nothing(value: &Value) -> bool {
    let mut json = String::new();
    value.push_json(&mut json);
    json == "null"
}

/// A text as it is, everything else as JSON.
fn session_part(value: &Value) -> Vec<u8> {
    match value {
        Value::Text(text) => text.clone().into_bytes(),
        value => {
            let mut out = String::new();
            value.push_json(&mut out);
            out.into_bytes()
        }
    }
}

fn identity_of(parts: &[Vec<u8>]) -> String {
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    identity(&parts)
}

fn identity(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256Hasher::default();
    for part in parts {
        // Nothing in memory has more bytes than 64 bits count.
        hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(part);
    }
    let mut id = hasher.finish().to_string();
    id.truncate(32);
    id
}

fn push_member(out: &mut String, name: &str, push_value: impl FnOnce(&mut String)) {
    if !out.ends_with('{') {
        out.push(',');
    }
    push_text(out, name);
    out.push(':');
    push_value(out);
}

fn push_optional(out: &mut String, text: Option<&str>) {
    match text {
        Some(text) => push_text(out, text),
        None => out.push_str("null"),
    }
}
