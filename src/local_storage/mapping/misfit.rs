//! Values that a rule names and cannot open: what a person must know, and whether the value is kept.

use super::glob::is_pattern;
use super::rule::{Elements, Rule};
use crate::local_storage::envelope::{Envelope, Library};
use crate::local_storage::item::Item;
use crate::local_storage::json::Json;

/// What it means that a value is not wrapped as a rule expects.
pub(super) enum Misfit {
    /// The rule is not meant for it.
    OfNoConcern,
    /// It is something else: the rule is for many keys.
    Other(String),
    /// The same, and it is kept, since it is a store as well.
    Kept(String),
    /// The store that the rule is for, which cannot be read: it is kept and told as a reject.
    Lost(String),
}

/// What it means that `rule`, which is for the item by its key, cannot open it.
pub(super) fn misfit(rule: &Rule, item: &Item, envelope: &Envelope) -> Misfit {
    let text = item.value.to_wtf8();
    let damage = Json::parse(&text).err().filter(|_| begins_like_json(&text));
    let what = match damage {
        Some(damage) => {
            format!("this begins like JSON and is none: {}, at byte {} as UTF-8", damage.what, damage.at)
        }
        None => format!("this is {}", envelope.library.description()),
    };
    if rule.if_present || rule.key == "*" {
        // For whatever has such elements, which of text that is damaged only its names can tell.
        return match damage {
            Some(_) if names_elements(rule, &text) => {
                Misfit::Lost(format!("it looks like a store with {}, but {what}", rule.place))
            }
            _ => Misfit::OfNoConcern,
        };
    }
    let what = format!("the rule for {} does not fit: {what}", rule.key);
    match envelope.library {
        _ if damage.is_some() || !is_pattern(&rule.key) => Misfit::Lost(what),
        // There may be tokens among the texts of an app.
        Library::Text | Library::BareValue => Misfit::Other(what),
        _ => Misfit::Kept(what),
    }
}

fn begins_like_json(text: &[u8]) -> bool {
    matches!(text.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// Whether every name on the way to the rule's elements stands in the text, one behind the other.
fn names_elements(rule: &Rule, text: &[u8]) -> bool {
    let (Elements::Each(pointer) | Elements::One(pointer)) = &rule.elements;
    let mut rest = text;
    let mut names = pointer.names().peekable();
    names.peek().is_some()
        && names.all(|name| {
            let name = format!("\"{name}\"").into_bytes();
            let found = rest.windows(name.len()).position(|part| part == name);
            rest = found.and_then(|at| rest.get(at + name.len()..)).unwrap_or_default();
            found.is_some()
        })
}
