//! What becomes of an event that is there when its element is mapped again, as by a mapping file that was put right.
//!
//! An identity comes from the element, so that another mapping of it gives the same event with other fields. A field that has
//! no value yet is given one; a value that is there is never replaced, for nobody can tell which mapping was meant. So
//! nothing is lost, and what only one of two mappings knows is there in whichever order they are applied.

use super::event::{CAPTURED_AT, CREATED_FROM, MappedEvent, SOURCE, WORKOUT_SESSION};
use super::field::excerpt_of;
use crate::local_storage::json::canonical::canonical;
use crate::local_storage::json::{Json, Kind, push_text};

/// How many characters of a value are shown.
const EXCERPT: usize = 80;

/// Which time an event has then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeOfEvent {
    /// The one that it has.
    AsItIs,
    /// That of the mapping of now.
    OfMapping,
    /// The earlier of the two: it is only when the event was seen.
    Earlier,
}

/// What an event that is there becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedAgain {
    /// Its payload with what it lacked; nothing where it lacked nothing.
    pub payload: Option<String>,
    /// Its time.
    pub time: TimeOfEvent,
    /// What the mapping says otherwise, and stays: a line for each field.
    pub kept: Vec<String>,
}

/// A member of an object: its name and its value.
type Member<'a> = (Json<'a>, Json<'a>);

/// Compares the payload that is there with the event as it is mapped now.
#[must_use]
pub fn map_again(stored: &str, event: &MappedEvent) -> MappedAgain {
    let mut again = MappedAgain { payload: None, time: TimeOfEvent::AsItIs, kept: Vec::new() };
    let parse = |text| Json::parse(text).ok().filter(|json: &Json<'_>| json.kind() == Kind::Object);
    let (Some(there), Some(mapped)) = (parse(stored.as_bytes()), parse(event.payload.as_bytes())) else {
        again.kept.push("the payload in the database is no object of JSON, and stays".to_owned());
        return again;
    };
    let is_field = |(name, _): &Member<'_>| !name.is_string(CREATED_FROM) && !name.is_string(SOURCE);
    let mut fields: Vec<Member<'_>> = there.members().filter(is_field).collect();
    // Whether the field that tells the time is one of those that stay.
    let (mut fills, mut adds, mut is_kept) = (false, false, false);
    for (name, value) in mapped.members().filter(is_field) {
        match fields.iter_mut().rfind(|(other, _)| is_same(*other, name)) {
            None => {
                fields.push((name, value));
                (fills, adds) = (true, true);
            }
            Some((_, stored)) if stored.kind() == Kind::Null && value.kind() != Kind::Null => {
                *stored = value;
                fills = true;
            }
            Some((_, stored)) if value.kind() != Kind::Null && !is_same(*stored, value) => {
                let name = name.to_utf8().unwrap_or_default();
                is_kept |= *name == *event.created_from;
                again.kept.push(stays(&name, *stored, value));
            }
            Some(_) => {}
        }
    }
    if adds {
        // As a mapping with all of them has them.
        fields.sort_by_cached_key(|(name, _)| name.to_utf8());
    }
    let told_by = there.member(CREATED_FROM).and_then(Json::to_utf8).unwrap_or_default();
    again.time = match (&*told_by, &*event.created_from) {
        (CAPTURED_AT, CAPTURED_AT) => TimeOfEvent::Earlier,
        (stored, mapped) if stored == mapped || mapped == CAPTURED_AT || is_kept => TimeOfEvent::AsItIs,
        (CAPTURED_AT, _) => TimeOfEvent::OfMapping,
        (_, "completed_at") if event.event_type == WORKOUT_SESSION => TimeOfEvent::OfMapping,
        ("completed_at", _) if event.event_type == WORKOUT_SESSION => TimeOfEvent::AsItIs,
        (stored, mapped) => {
            again.kept.push(format!("{CREATED_FROM} stays {stored:?}, and the mapping says {mapped:?}"));
            TimeOfEvent::AsItIs
        }
    };
    if fills || again.time == TimeOfEvent::OfMapping {
        let created_from = if again.time == TimeOfEvent::OfMapping { &event.created_from } else { &told_by };
        again.payload = Some(payload_of(&fields, created_from, there.member(SOURCE)));
    }
    again
}

/// Whether two values mean the same.
fn is_same(one: Json<'_>, other: Json<'_>) -> bool {
    one.text() == other.text() || canonical(one).is_some_and(|one| canonical(other) == Some(one))
}

fn stays(name: &str, stored: Json<'_>, mapped: Json<'_>) -> String {
    let [stored, mapped] = [stored, mapped].map(|value| excerpt_of(value.text(), EXCERPT));
    format!("{name} stays {stored}, and the mapping says {mapped}")
}

fn payload_of(fields: &[Member<'_>], created_from: &str, source: Option<Json<'_>>) -> String {
    let mut out = String::from("{");
    for (name, value) in fields {
        out.push_str(&name.to_text());
        out.push(':');
        out.push_str(&value.to_text());
        out.push(',');
    }
    push_text(&mut out, CREATED_FROM);
    out.push(':');
    push_text(&mut out, created_from);
    if let Some(source) = source {
        out.push(',');
        push_text(&mut out, SOURCE);
        out.push(':');
        out.push_str(&source.to_text());
    }
    out.push('}');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local_storage::moment::Moment;

    fn event(event_type: &str, fields: &str, created_from: &str) -> MappedEvent {
        MappedEvent {
            id: String::new(),
            created_at: Moment::from_date("2025-01-01").expect("a day"),
            created_from: created_from.to_owned(),
            event_type: event_type.to_owned(),
            payload: payload(fields, created_from),
            pointer: String::new(),
            slot: None,
        }
    }

    fn payload(fields: &str, created_from: &str) -> String {
        format!("{{{fields},\"created_from\":\"{created_from}\",\"source\":\"\\ud800\"}}")
    }

    #[test]
    fn two_mappings_come_to_the_same_in_either_order_where_each_knows_what_the_other_lacks() {
        for (kind, one, other, both) in [
            (
                WORKOUT_SESSION,
                (r#""a":1,"completed_at":null,"scheduled_date":"2025-01-02""#, "scheduled_date"),
                (r#""a":1,"completed_at":"2025-01-03T00:00:00.000Z","scheduled_date":null"#, "completed_at"),
                (
                    r#""a":1,"completed_at":"2025-01-03T00:00:00.000Z","scheduled_date":"2025-01-02""#,
                    "completed_at",
                ),
            ),
            (
                "set",
                (r#""kg":1,"reps":5"#, CAPTURED_AT),
                (r#""at":"2025-01-03","kg":1"#, "at"),
                (r#""at":"2025-01-03","kg":1,"reps":5"#, "at"),
            ),
        ] {
            for (first, second) in [(one, other), (other, one)] {
                let again = map_again(&payload(first.0, first.1), &event(kind, second.0, second.1));
                assert_eq!(again.payload, Some(payload(both.0, both.1)));
                assert!(again.kept.is_empty(), "{:?}", again.kept);
                let takes_time = second.1 == both.1;
                assert_eq!(again.time == TimeOfEvent::OfMapping, takes_time, "{:?}", again.time);
            }
        }
    }

    #[test]
    fn a_value_that_is_there_stays_and_is_told_unless_it_means_the_same() {
        let stored = payload(r#""a":{"x":1,"y":"b"},"b":2,"t":"2025-01-01""#, "t");
        let again =
            map_again(&stored, &event("set", r#""a":{"y":"\u0062", "x":1},"b":3,"t":"2025-01-02""#, "t"));
        assert_eq!((again.payload, again.time), (None, TimeOfEvent::AsItIs));
        let expected = [
            "b stays 2, and the mapping says 3",
            "t stays \"2025-01-01\", and the mapping says \"2025-01-02\"",
        ];
        assert_eq!(again.kept, expected);
        // A time that was not taken is none to go by.
        let again = map_again(&payload(r#""t":"x""#, CAPTURED_AT), &event("set", r#""t":"y""#, "t"));
        assert_eq!((again.payload, again.time, again.kept.len()), (None, TimeOfEvent::AsItIs, 1));
        let again = map_again("[]", &event("set", "\"a\":1", CAPTURED_AT));
        assert_eq!((again.payload, again.kept.len()), (None, 1));
    }
}
