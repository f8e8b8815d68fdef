//! Mapping files: TOML, in which every unknown or missing member is an error with its line.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;

use super::event::{LOCALSTORAGE_ITEM, SESSION_FIELDS, SESSION_NEEDS, WORKOUT_SESSION};
use super::field::{Field, FieldType, From, Value};
use super::rule::{Elements, Rule};
use super::suggest::nearest;
use crate::error::{Error, ErrorKind, Result};
use crate::local_storage::origin;

use entries::{File, Store, TargetEntry, Wrong, pointer, toml_error};
use fields::field;

mod entries;
mod fields;

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
    check_names(text)?;
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

/// Whether the tables have names that are known. A wrong one can make the whole be of another shape, which says less.
fn check_names(text: &str) -> Result<(), Wrong> {
    const KNOWN: [&str; 2] = ["store", "target"];
    // What is no TOML at all is told by whoever reads it.
    let file: BTreeMap<Spanned<String>, toml::Value> = toml::from_str(text).unwrap_or_default();
    match file.keys().find(|name| !KNOWN.contains(&name.get_ref().as_str())) {
        None => Ok(()),
        Some(name) => {
            let meant = nearest(name.get_ref(), KNOWN);
            let hint = meant.map_or("a mapping file has [[store]] and [target]".to_owned(), |meant| {
                format!("did you mean `{meant}`?")
            });
            Err(Wrong::new(name.span(), format!("unknown name `{}`", name.get_ref()), hint))
        }
    }
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
    let normal = origin::normal(text.get_ref());
    if origin::is_origin(&normal) {
        return Ok(normal);
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
        is_free: false,
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

#[cfg(test)]
mod tests;
