//! Events: their types, identities and payloads, defined here and nowhere else.
//!
//! An identity is the first 32 hexadecimal digits of SHA-256 over parts, each with its length before it (64 bits, high byte
//! first). It never changes, for a second import knows by it what is there already. Neither origin nor device is part of a
//! session's: dumps do not know the first, and the same program on two devices must meet.

use sha2::{Digest, Sha256};

use super::field::Value;
use super::rule::Rule;
use crate::local_storage::code_units::CodeUnits;
use crate::local_storage::item::Item;
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
}

/// SHA-256 of a value's code units, low byte first, in hexadecimal digits: the name of its original.
#[must_use]
pub fn value_sha256(value: &CodeUnits) -> String {
    hex(&Sha256::digest(value.to_utf16le()))
}

/// The event that a key with its value is, whatever they mean.
#[must_use]
pub fn item_event(
    origin: Option<&str>,
    partition: Option<&str>,
    item: &Item,
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
    push_member(&mut payload, "value_sha256", |out| push_text(out, &hex(&Sha256::digest(&value))));
    push_member(&mut payload, "created_from", |out| push_text(out, CAPTURED_AT));
    payload.push('}');
    MappedEvent {
        id: identity(&parts),
        created_at: captured_at,
        created_from: CAPTURED_AT.to_owned(),
        event_type: LOCALSTORAGE_ITEM.to_owned(),
        payload,
        pointer: String::new(),
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
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    identity(&parts)
}

/// The event of an element whose fields have these values; `canonical` is the element's canonical form.
pub(super) fn element_event(
    rule: &Rule,
    values: &[Value],
    element: (&str, Json<'_>),
    canonical: &[u8],
    captured_at: Moment,
) -> MappedEvent {
    let value = |name: &str| {
        rule.fields.iter().zip(values).find(|(field, _)| field.name == name).map(|(_, value)| value)
    };
    let told = rule.created_at.iter().find_map(|name| Some((name.clone(), value(name)?.moment()?)));
    let (created_from, created_at) = told.unwrap_or_else(|| (CAPTURED_AT.to_owned(), captured_at));
    let (pointer, json) = element;
    let mut payload = String::from("{");
    for (field, value) in rule.fields.iter().zip(values) {
        push_member(&mut payload, &field.name, |out| value.push_json(out));
    }
    push_member(&mut payload, "created_from", |out| push_text(out, &created_from));
    push_member(&mut payload, "source", |out| push_text(out, &json.to_text()));
    payload.push('}');
    MappedEvent {
        id: element_identity(rule, values, canonical),
        created_at,
        created_from,
        event_type: rule.event.clone(),
        payload,
        pointer: pointer.to_owned(),
    }
}

fn element_identity(rule: &Rule, values: &[Value], canonical: &[u8]) -> String {
    let mut parts: Vec<Vec<u8>> = Vec::new();
    if rule.event == WORKOUT_SESSION {
        parts.push(b"session".to_vec());
        // The program, the week and the day: the first fields of a session.
        parts.extend(values.iter().take(3).map(part));
    } else {
        parts.extend([b"event".to_vec(), rule.event.clone().into_bytes()]);
        // What does not come out of the element itself.
        let outside = rule.fields.iter().zip(values).filter(|(field, _)| !field.is_of_element());
        parts.extend(outside.flat_map(|(field, value)| [field.name.clone().into_bytes(), part(value)]));
    }
    parts.push(canonical.to_vec());
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    identity(&parts)
}

/// A text as it is, everything else as JSON.
fn part(value: &Value) -> Vec<u8> {
    match value {
        Value::Text(text) => text.clone().into_bytes(),
        value => {
            let mut out = String::new();
            value.push_json(&mut out);
            out.into_bytes()
        }
    }
}

fn identity(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        // Nothing in memory has more bytes than 64 bits count.
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(part);
    }
    let mut id = hex(&hasher.finalize());
    id.truncate(32);
    id
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
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
