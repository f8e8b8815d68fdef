//! Fields of events: where their values come from, and what they must be.
//!
//! Typing is strict: `"3"` is no number, `1` is not true, `31.12.2024` is no day. What a rule wants to let through all the
//! same it names (`coerce`).

use serde::Deserialize;

use crate::local_storage::code_units::CodeUnits;
use crate::local_storage::json::pointer::Pointer;
use crate::local_storage::json::{Json, Kind, push_text};
use crate::local_storage::moment::Moment;

/// What a field's value must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum FieldType {
    /// An integer written as one, of 64 bits.
    Int,
    /// The same, 1 or more.
    PositiveInt,
    /// Any number; kept as it is written.
    Number,
    /// `true` or `false`.
    Bool,
    /// A string that is well-formed and free of U+0000.
    #[default]
    Text,
    /// A string that is a moment of RFC 3339; kept in UTC with milliseconds.
    Timestamp,
    /// A string that is a day or a moment; kept as it is written.
    Date,
    /// Anything; kept as its exact text, as JSON.
    Json,
}

/// What may be let through besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Coercion {
    /// An integer in a string, for integers.
    IntString,
    /// Milliseconds since 1970, for timestamps.
    EpochMs,
}

/// Where a value comes from.
#[derive(Debug, Clone)]
pub(super) enum From {
    /// A place in the element.
    Element(Place),
    /// A place in the whole store.
    Store(Place),
    /// The rule itself.
    Rule(Value),
}

/// A place, and another one for where nothing stands in it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) pointer: Pointer,
    /// As it is written.
    pub(super) text: String,
    pub(super) otherwise: Option<(Pointer, String)>,
}

#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) from: From,
    pub(super) wanted: FieldType,
    /// Whether the rule says no type, and could say another.
    pub(super) is_free: bool,
    pub(super) optional: bool,
    pub(super) coerce: Vec<Coercion>,
}

/// A field's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Int(i64),
    /// A number token, or any JSON text.
    Json(String),
    Bool(bool),
    Text(String),
    Moment(Moment),
    /// As it is written, and its moment.
    Date(String, Moment),
}

impl Value {
    /// When it is, if it is a time.
    pub(super) fn moment(&self) -> Option<Moment> {
        match self {
            Self::Moment(moment) | Self::Date(_, moment) => Some(*moment),
            _ => None,
        }
    }

    /// Appends it as JSON.
    pub(super) fn push_json(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Int(number) => out.push_str(&number.to_string()),
            Self::Json(text) => out.push_str(text),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Text(text) | Self::Date(text, _) => push_text(out, text),
            Self::Moment(moment) => push_text(out, &moment.to_string()),
        }
    }
}

impl Field {
    /// Whether its value comes out of the element, and not out of the store around it or the rule.
    pub(super) fn is_of_element(&self) -> bool {
        matches!(self.from, From::Element(_))
    }

    /// Whether its value comes out of the store around the element.
    pub(super) fn is_of_store(&self) -> bool {
        matches!(self.from, From::Store(_))
    }

    /// The value in an element, or in the store if it comes out of that; or why it has none.
    ///
    /// `members` are those of `json`.
    pub(super) fn value<'a>(
        &self,
        json: Json<'a>,
        members: &[(Json<'a>, Json<'a>)],
    ) -> Result<Value, String> {
        let place = match &self.from {
            From::Rule(value) => return Ok(value.clone()),
            From::Element(place) | From::Store(place) => place,
        };
        let there =
            |pointer: &Pointer| pointer.find_among(json, members).filter(|found| found.kind() != Kind::Null);
        let (found, text) = match (there(&place.pointer), &place.otherwise) {
            (None, Some((pointer, text))) => (there(pointer), text),
            (found, _) => (found, &place.text),
        };
        match found {
            None if self.optional => Ok(Value::Null),
            None => Err(match &place.otherwise {
                Some((_, other)) => format!("there is nothing at {} nor at {other}", place.text),
                None => format!("there is nothing at {}", place.text),
            }),
            Some(found) => self.typed(found).ok_or_else(|| {
                let at = if text.is_empty() { "it" } else { text };
                let shown = excerpt(found, 40);
                match other_type(found).filter(|_| self.is_free) {
                    Some((what, name)) => {
                        format!("{at} is {shown}, {what}, and the rule takes text: say type = \"{name}\"")
                    }
                    None => format!("{at} is {shown}, not {}", self.wanted.name()),
                }
            }),
        }
    }

    /// `None` where it is not what it must be.
    fn typed(&self, found: Json<'_>) -> Option<Value> {
        match self.wanted {
            FieldType::Int => self.integer(found).map(Value::Int),
            FieldType::PositiveInt => self.integer(found).filter(|&number| number > 0).map(Value::Int),
            FieldType::Number => (found.kind() == Kind::Number).then(|| Value::Json(found.to_text())),
            FieldType::Bool => found.to_bool().map(Value::Bool),
            FieldType::Text => plain_text(found).map(Value::Text),
            FieldType::Timestamp => self.moment(found).map(Value::Moment),
            FieldType::Date => {
                if let Some(moment) = self.epoch(found) {
                    return Some(Value::Date(moment.to_string(), moment));
                }
                let text = plain_text(found)?;
                let moment = Moment::from_date(&text).or_else(|| Moment::from_rfc3339(&text))?;
                Some(Value::Date(text, moment))
            }
            FieldType::Json => Some(Value::Json(found.to_text())),
        }
    }

    fn integer(&self, found: Json<'_>) -> Option<i64> {
        let written = || {
            let text = plain_text(found)?;
            // As JSON would write it.
            Json::parse(text.as_bytes()).ok().filter(|json| json.text().len() == text.len())?.to_i64()
        };
        found.to_i64().or_else(|| if self.coerce.contains(&Coercion::IntString) { written() } else { None })
    }

    fn moment(&self, found: Json<'_>) -> Option<Moment> {
        self.epoch(found).or_else(|| Moment::from_rfc3339(&plain_text(found)?))
    }

    fn epoch(&self, found: Json<'_>) -> Option<Moment> {
        let ms = found.to_i64().filter(|_| self.coerce.contains(&Coercion::EpochMs))?;
        Moment::from_ms(ms)
    }
}

impl FieldType {
    fn name(self) -> &'static str {
        match self {
            Self::Int => "an integer",
            Self::PositiveInt => "a positive integer",
            Self::Number => "a number",
            Self::Bool => "true or false",
            Self::Text => "well-formed text",
            Self::Timestamp => "a time as RFC 3339 writes it (2026-11-20T09:30:00Z)",
            Self::Date => "a day (2026-11-20) or a time as RFC 3339 writes it",
            Self::Json => "JSON",
        }
    }
}

/// What a value is that is no text, and the type that takes it.
fn other_type(found: Json<'_>) -> Option<(&'static str, &'static str)> {
    match found.kind() {
        Kind::Number if found.to_i64().is_some() => Some(("a number", "int")),
        Kind::Number => Some(("a number", "number")),
        Kind::Object => Some(("an object", "json")),
        Kind::Array => Some(("an array", "json")),
        _ => found.to_bool().map(|_| ("true or false", "bool")),
    }
}

/// A string that a TEXT of SQLite holds without loss.
fn plain_text(json: Json<'_>) -> Option<String> {
    json.to_utf8().filter(|text| !text.contains('\0'))
}

/// The first characters of a value's text.
pub(super) fn excerpt(json: Json<'_>, characters: usize) -> String {
    excerpt_of(json.text(), characters)
}

/// The first characters of a text in WTF-8.
pub(super) fn excerpt_of(all: &[u8], characters: usize) -> String {
    // No character has more than four bytes; a cut one at the end is not reached.
    let head = all.get(..characters.saturating_mul(4) + 4).unwrap_or(all);
    let units = CodeUnits::from_wtf8(head)
        .map_or_else(|| String::from_utf8_lossy(head).into_owned(), |u| u.to_string());
    let mut text: String = units.chars().take(characters).collect();
    if units.chars().count() > characters || head.len() < all.len() {
        text.push('…');
    }
    text
}
