//! Mapping files: TOML, in which every unknown or missing member is an error with its line.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::event::{LOCALSTORAGE_ITEM, SESSION_FIELDS, SESSION_NEEDS, WORKOUT_SESSION};
use super::field::{Coercion, Field, FieldType, From, Place, Value};
use super::rule::{Elements, Rule, Wrapping};
use super::suggest::nearest;
use crate::error::{Error, ErrorKind, Result};
use crate::local_storage::json::pointer::Pointer;
use crate::local_storage::origin;

/// The table that events go to, where it is not the usual one: its name and those of its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The table.
    pub table: String,
    /// The column of the identity.
    pub event_id: String,
    /// The column of the time.
    pub created_at: String,
    /// The column of the type.
    pub event_type: String,
    /// The column of the payload.
    pub payload: String,
}

impl Default for Target {
    fn default() -> Self {
        let name = |name: &str| name.to_owned();
        Self {
            table: name("events"),
            event_id: name("_event_id"),
            created_at: name("_created_at"),
            event_type: name("event_type"),
            payload: name("payload"),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    store: Vec<Spanned<Store>>,
    target: Option<TargetEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetEntry {
    table: Option<Spanned<String>>,
    event_id: Option<Spanned<String>>,
    created_at: Option<Spanned<String>>,
    event_type: Option<Spanned<String>>,
    payload: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Store {
    key: String,
    origin: Option<Spanned<String>>,
    envelope: Wrapping,
    #[serde(default)]
    versions: Vec<i64>,
    #[serde(default)]
    if_present: bool,
    each: Option<Spanned<String>>,
    one: Option<Spanned<String>>,
    event: Spanned<String>,
    created_at: Option<Vec<Spanned<String>>>,
    fields: BTreeMap<Spanned<String>, Spanned<FieldEntry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldEntry {
    at: Option<Spanned<String>>,
    up: Option<Spanned<String>>,
    #[serde(rename = "else")]
    otherwise: Option<Spanned<String>>,
    value: Option<Spanned<toml::Value>>,
    #[serde(rename = "type")]
    wanted: Option<FieldType>,
    #[serde(default)]
    optional: bool,
    #[serde(default)]
    coerce: Vec<Spanned<Coercion>>,
}

/// Something wrong in the file, and where.
struct Wrong {
    span: Option<Range<usize>>,
    message: String,
    hint: String,
}

impl Wrong {
    fn new(span: Range<usize>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { span: Some(span), message: message.into(), hint: hint.into() }
    }
}

/// Reads a mapping file.
pub(super) fn read(text: &str) -> Result<(Vec<Rule>, Option<Target>)> {
    parse(text).map_err(|wrong| {
        let line = wrong.span.map(|span| {
            let before = text.get(..span.start).unwrap_or_default();
            before.matches('\n').count() + 1
        });
        let line = line.map(|line| format!("line {line}: ")).unwrap_or_default();
        Error::new(ErrorKind::Usage, format!("the mapping file is wrong, {line}{}", wrong.message))
            .hint(wrong.hint)
    })
}

fn parse(text: &str) -> Result<(Vec<Rule>, Option<Target>), Wrong> {
    let file: File = toml::from_str(text).map_err(|error| toml_error(&error))?;
    let rules = file.store.into_iter().map(rule).collect::<Result<Vec<_>, _>>()?;
    let target = file.target.map(target).transpose()?;
    if rules.is_empty() && target.is_none() {
        return Err(Wrong {
            span: None,
            message: "it has no [[store]]".to_owned(),
            hint: "each [[store]] says which store becomes which event".to_owned(),
        });
    }
    Ok((rules, target))
}

/// Names that SQLite takes, and four different ones of columns: two values in one column would lose the first.
fn target(entry: TargetEntry) -> Result<Target, Wrong> {
    let usual = Target::default();
    let names = [
        (entry.table, usual.table),
        (entry.event_id, usual.event_id),
        (entry.created_at, usual.created_at),
        (entry.event_type, usual.event_type),
        (entry.payload, usual.payload),
    ]
    .map(|(given, usual)| match given {
        Some(given) => (Some(given.span()), given.into_inner()),
        None => (None, usual),
    });
    for (index, (span, name)) in names.iter().enumerate() {
        let Some(span) = span.clone() else { continue };
        if name.is_empty() || name.contains('\0') {
            let message = format!("{name:?} is no name");
            return Err(Wrong::new(span, message, "write the name as the database has it"));
        }
        // Of two that are named, the second is wrong; of one that is, it.
        let is_same = |(other, (other_span, other_name)): (usize, &(Option<Range<usize>>, String))| {
            let is_wrong = other < index || (other > index && other_span.is_none());
            other > 0 && is_wrong && other_name.eq_ignore_ascii_case(name)
        };
        if index > 0 && names.iter().enumerate().any(is_same) {
            let message = format!("the column {name:?} is named twice");
            let hint = "identity, time, type and payload each go to a column of their own";
            return Err(Wrong::new(span, message, hint));
        }
    }
    let [table, event_id, created_at, event_type, payload] = names.map(|(_, name)| name);
    Ok(Target { table, event_id, created_at, event_type, payload })
}

/// Says of an unknown word which known one is meant.
fn toml_error(error: &toml::de::Error) -> Wrong {
    let message = error.message().replace('\n', " ");
    let mut words = message.split('`').skip(1).step_by(2);
    let is_unknown = message.starts_with("unknown ");
    let unknown = words.next().filter(|_| is_unknown);
    let meant = unknown.and_then(|unknown| nearest(unknown, words));
    let hint = match meant {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if is_unknown => "nothing else is allowed here".to_owned(),
        None => "the mapping file is TOML; docs show one for each library".to_owned(),
    };
    Wrong { span: error.span(), message, hint }
}

fn rule(store: Spanned<Store>) -> Result<Rule, Wrong> {
    let span = store.span();
    let store = store.into_inner();
    let (elements, place) = match (store.each, store.one) {
        (Some(each), None) => (Elements::Each(pointer(&each)?), each.into_inner()),
        (None, Some(one)) => (Elements::One(pointer(&one)?), one.into_inner()),
        _ => {
            let hint = "each = \"/a/b\" for the elements of an array, one = \"/a\" for a single element";
            return Err(Wrong::new(span, "a [[store]] has either `each` or `one`", hint));
        }
    };
    let is_session = store.event.get_ref() == WORKOUT_SESSION;
    let named = match &**store.event.get_ref() {
        "" => Err("an event has a name".to_owned()),
        LOCALSTORAGE_ITEM => Err(format!("{LOCALSTORAGE_ITEM} is the event of a key with its value")),
        _ => Ok(()),
    };
    named.map_err(|message| {
        let hint = "name what an element is, such as \"workout\" or \"weight\"";
        Wrong::new(store.event.span(), message, hint)
    })?;
    let mut fields = store
        .fields
        .into_iter()
        .map(|(name, entry)| field(name, entry, is_session))
        .collect::<Result<Vec<_>, _>>()?;
    if is_session {
        let position = |field: &Field| SESSION_FIELDS.iter().position(|name| *name == field.name);
        fields.sort_by_key(position);
        if let Some(missing) =
            SESSION_NEEDS.iter().find(|name| fields.iter().all(|field| field.name != **name))
        {
            let hint = format!("a session needs {}", SESSION_NEEDS.join(", "));
            return Err(Wrong::new(span, format!("the field `{missing}` is missing"), hint));
        }
        fields = with_absent(fields);
    }
    let created_at = created_at(store.created_at, &fields)?;
    Ok(Rule {
        key: store.key,
        origin: store.origin.as_ref().map(of_origin).transpose()?,
        wrapping: store.envelope,
        versions: store.versions,
        if_present: store.if_present,
        elements,
        place,
        event: store.event.into_inner(),
        fields,
        created_at,
    })
}

fn of_origin(text: &Spanned<String>) -> Result<String, Wrong> {
    let short = origin::without_slash(text.get_ref());
    if origin::is_origin(short) {
        return Ok(short.to_owned());
    }
    let message = format!("{:?} is no origin", text.get_ref());
    Err(Wrong::new(text.span(), message, "such as \"https://app.example\", without a path"))
}

/// Puts in the fields of a session that the rule leaves out: they are null in every event.
fn with_absent(fields: Vec<Field>) -> Vec<Field> {
    let mut fields = fields.into_iter().peekable();
    let absent = |name: &str| Field {
        name: name.to_owned(),
        from: From::Rule(Value::Null),
        wanted: FieldType::Json,
        optional: true,
        coerce: Vec::new(),
    };
    SESSION_FIELDS
        .iter()
        .map(|name| fields.next_if(|field| field.name == *name).unwrap_or_else(|| absent(name)))
        .collect()
}

/// The fields that tell the time: those that are named, else the two of a session.
fn created_at(named: Option<Vec<Spanned<String>>>, fields: &[Field]) -> Result<Vec<String>, Wrong> {
    let is_time = |name: &str| {
        let times = [FieldType::Timestamp, FieldType::Date];
        fields.iter().any(|field| field.name == name && times.contains(&field.wanted))
    };
    let Some(named) = named else {
        let usual = ["completed_at", "scheduled_date"].into_iter().filter(|name| is_time(name));
        return Ok(usual.map(str::to_owned).collect());
    };
    let check = |name: Spanned<String>| {
        if is_time(name.get_ref()) {
            return Ok(name.into_inner());
        }
        let hint = "created_at names fields of the type timestamp or date";
        Err(Wrong::new(name.span(), format!("`{}` is no field that tells a time", name.get_ref()), hint))
    };
    named.into_iter().map(check).collect()
}

fn field(name: Spanned<String>, entry: Spanned<FieldEntry>, is_session: bool) -> Result<Field, Wrong> {
    let span = entry.span();
    let name_span = name.span();
    let (name, entry) = (name.into_inner(), entry.into_inner());
    let wanted = if is_session {
        session_type(&name, entry.wanted, name_span)?
    } else if RESERVED.contains(&&*name) {
        return Err(Wrong::new(
            name_span,
            format!("`{name}` is a member that every event has"),
            "name it otherwise",
        ));
    } else {
        entry.wanted.unwrap_or_default()
    };
    let coerce = coercions(entry.coerce, wanted, entry.value.is_some())?;
    if let (Some(_), Some(otherwise)) = (&entry.value, &entry.otherwise) {
        let hint = "leave `else` out, or say with `at` or `up` where it is looked for first";
        return Err(Wrong::new(
            otherwise.span(),
            "a `value` is there always, so that `else` means nothing",
            hint,
        ));
    }
    let from = match (entry.at, entry.up, entry.value) {
        (Some(at), None, None) => From::Element(place(at, entry.otherwise)?),
        (None, Some(up), None) => From::Store(place(up, entry.otherwise)?),
        (None, None, Some(value)) => From::Rule(constant(value, wanted)?),
        _ => {
            let hint = "`at` points into the element, `up` into the whole store, `value` is the same for all";
            return Err(Wrong::new(
                span,
                format!("the field `{name}` has one of `at`, `up` and `value`"),
                hint,
            ));
        }
    };
    Ok(Field { name, from, wanted, optional: entry.optional, coerce })
}

/// Those of a field, which must be able to do something.
fn coercions(
    named: Vec<Spanned<Coercion>>,
    wanted: FieldType,
    is_constant: bool,
) -> Result<Vec<Coercion>, Wrong> {
    let check = |coercion: Spanned<Coercion>| {
        let (types, hint) = match coercion.get_ref() {
            Coercion::IntString => {
                ([FieldType::Int, FieldType::PositiveInt], "int-string is for int and positive-int")
            }
            Coercion::EpochMs => {
                ([FieldType::Timestamp, FieldType::Date], "epoch-ms is for timestamp and date")
            }
        };
        if types.contains(&wanted) && !is_constant {
            return Ok(coercion.into_inner());
        }
        Err(Wrong::new(coercion.span(), "this `coerce` does nothing here", hint))
    };
    named.into_iter().map(check).collect()
}

/// Members of every payload.
const RESERVED: [&str; 2] = ["created_from", "source"];

/// What a session's field must be, since the view that folds sessions relies on it.
fn session_type(name: &str, wanted: Option<FieldType>, span: Range<usize>) -> Result<FieldType, Wrong> {
    let (needed, also) = match name {
        "program_id" | "intensity_rating" => (FieldType::Text, FieldType::Text),
        "week_number" | "day_number" => (FieldType::PositiveInt, FieldType::Int),
        "completed" => (FieldType::Bool, FieldType::Bool),
        "completed_at" => (FieldType::Timestamp, FieldType::Timestamp),
        "scheduled_date" => (FieldType::Date, FieldType::Timestamp),
        _ => {
            let hint = match nearest(name, SESSION_FIELDS) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("its fields are {}; all else stays in `source`", SESSION_FIELDS.join(", ")),
            };
            return Err(Wrong::new(span, format!("a {WORKOUT_SESSION} has no field `{name}`"), hint));
        }
    };
    match wanted {
        None => Ok(needed),
        Some(wanted) if wanted == needed || wanted == also => Ok(needed),
        _ => Err(Wrong::new(
            span,
            format!("`{name}` of a {WORKOUT_SESSION} has another type"),
            "leave `type` out",
        )),
    }
}

fn place(text: Spanned<String>, otherwise: Option<Spanned<String>>) -> Result<Place, Wrong> {
    let single = |text: &Spanned<String>| match pointer(text)? {
        pointer if pointer.has_wildcard() => {
            Err(Wrong::new(text.span(), "a field comes from one place", "`*` is for `each` only"))
        }
        pointer => Ok(pointer),
    };
    let otherwise = match otherwise {
        Some(other) => Some((single(&other)?, other.into_inner())),
        None => None,
    };
    Ok(Place { pointer: single(&text)?, text: text.into_inner(), otherwise })
}

fn constant(value: Spanned<toml::Value>, wanted: FieldType) -> Result<Value, Wrong> {
    let span = value.span();
    match (value.into_inner(), wanted) {
        (toml::Value::String(text), FieldType::Text) if !text.contains('\0') => Ok(Value::Text(text)),
        (toml::Value::Integer(number), FieldType::Int) => Ok(Value::Int(number)),
        (toml::Value::Integer(number), FieldType::PositiveInt) if number > 0 => Ok(Value::Int(number)),
        (toml::Value::Boolean(value), FieldType::Bool) => Ok(Value::Bool(value)),
        _ => Err(Wrong::new(
            span,
            "this value is not of the field's type",
            "values that are the same for all are text, integers and booleans; `type` says which",
        )),
    }
}

fn pointer(text: &Spanned<String>) -> Result<Pointer, Wrong> {
    Pointer::parse(text.get_ref()).map_err(|what| {
        let hint = "such as \"/state/progressHistory/sessions\"; / in a name is written ~1, ~ is written ~0";
        Wrong::new(text.span(), format!("{:?} is no pointer: {what}", text.get_ref()), hint)
    })
}

#[cfg(test)]
mod tests;
