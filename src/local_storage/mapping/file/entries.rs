//! A mapping file as it is written: its members, and what is wrong where.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::super::field::{Coercion, FieldType};
use super::super::rule::Wrapping;
use super::super::suggest::nearest;
use crate::local_storage::json::pointer::Pointer;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) store: Vec<Spanned<Store>>,
    pub(super) target: Option<TargetEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TargetEntry {
    pub(super) table: Option<Spanned<String>>,
    pub(super) event_id: Option<Spanned<String>>,
    pub(super) created_at: Option<Spanned<String>>,
    pub(super) event_type: Option<Spanned<String>>,
    pub(super) payload: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Store {
    pub(super) key: String,
    pub(super) origin: Option<Spanned<String>>,
    pub(super) envelope: Wrapping,
    #[serde(default)]
    pub(super) versions: Vec<i64>,
    #[serde(default)]
    pub(super) if_present: bool,
    pub(super) each: Option<Spanned<String>>,
    pub(super) one: Option<Spanned<String>>,
    pub(super) event: Spanned<String>,
    pub(super) created_at: Option<Vec<Spanned<String>>>,
    pub(super) fields: BTreeMap<Spanned<String>, Spanned<FieldEntry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table such as { at = \"/weekNumber\" }")]
pub(super) struct FieldEntry {
    pub(super) at: Option<Spanned<String>>,
    pub(super) up: Option<Spanned<String>>,
    #[serde(rename = "else")]
    pub(super) otherwise: Option<Spanned<String>>,
    pub(super) value: Option<Spanned<toml::Value>>,
    #[serde(rename = "type")]
    pub(super) wanted: Option<FieldType>,
    #[serde(default)]
    pub(super) optional: bool,
    #[serde(default)]
    pub(super) coerce: Vec<Spanned<Coercion>>,
}

/// Something wrong in the file, and where.
pub(super) struct Wrong {
    pub(super) span: Option<Range<usize>>,
    pub(super) message: String,
    pub(super) hint: String,
}

impl Wrong {
    pub(super) fn new(span: Range<usize>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { span: Some(span), message: message.into(), hint: hint.into() }
    }
}

/// Says of an unknown word which known one is meant.
pub(super) fn toml_error(error: &toml::de::Error) -> Wrong {
    let message = error.message().replace('\n', " ");
    let mut words = message.split('`').skip(1).step_by(2);
    let is_unknown = message.starts_with("unknown ");
    let unknown = words.next().filter(|_| is_unknown);
    let meant = unknown.and_then(|unknown| nearest(unknown, words));
    let hint = match meant {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if is_unknown => "nothing else is allowed here".to_owned(),
        None => "docs/MIGRATE.md shows what is in a mapping file".to_owned(),
    };
    Wrong { span: error.span(), message, hint }
}

pub(super) fn pointer(text: &Spanned<String>) -> Result<Pointer, Wrong> {
    Pointer::parse(text.get_ref()).map_err(|what| {
        let hint = "such as \"/state/progressHistory/sessions\"; / in a name is written ~1, ~ is written ~0";
        Wrong::new(text.span(), format!("{:?} is no pointer: {what}", text.get_ref()), hint)
    })
}
