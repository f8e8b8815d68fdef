//! The fields of a rule: where each comes from, and whether it can be what it is to be.

use std::ops::Range;

use toml::Spanned;

use super::super::event::{CREATED_FROM, SESSION_FIELDS, SOURCE, WORKOUT_SESSION};
use super::super::field::{Coercion, Field, FieldType, From, Place, Value};
use super::super::suggest::nearest;
use super::entries::{FieldEntry, Wrong, pointer};

pub(super) fn field(
    name: Spanned<String>,
    entry: Spanned<FieldEntry>,
    is_session: bool,
) -> Result<Field, Wrong> {
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
    let is_free = !is_session && entry.wanted.is_none();
    Ok(Field { name, from, wanted, is_free, optional: entry.optional, coerce })
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
const RESERVED: [&str; 2] = [CREATED_FROM, SOURCE];

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
