//! What a JSON document is a dump of, decided by its shape.

use super::collect::Collector;
use super::problems::Problems;
use super::storage_state;
use super::{DumpForm, DumpOptions, Fault};
use crate::error::ErrorKind;
use crate::local_storage::code_units::CodeUnits;
use crate::local_storage::item::Reading;
use crate::local_storage::json::{Json, Kind};

type Shaped = Result<(DumpForm, Reading), Fault>;

/// Reads `json`, which is all of `text` but white space.
pub(super) fn read(text: &[u8], json: Json<'_>, options: &DumpOptions) -> Shaped {
    match json.kind() {
        Kind::Object if storage_state::is_quoted(json) => Ok(storage_state::read_quoted(json, options)),
        Kind::Object if is_plain(json) => read_object(text, json, options),
        Kind::Object if storage_state::is_state(json) => Ok(storage_state::read_state(json, options)),
        Kind::Object if storage_state::is_origin(json) => Ok(storage_state::read_origin(json, options)),
        Kind::Object if storage_state::is_wrapped(json) => Ok(storage_state::read_wrapped(json, options)),
        Kind::Object if storage_state::is_by_origin(json) => Ok(storage_state::read_by_origin(json, options)),
        Kind::Object if is_store(json) => read_single(text, json, options),
        Kind::Object => read_object(text, json, options),
        Kind::Array => read_array(text, json, options),
        kind => Err(Fault::new(place_in(text, json), format!("this is no dump but {}", kind.name()))),
    }
}

/// Whether an object has nothing but strings, as localStorage has, and not redux-persist's own: found out in one walk, since
/// most dumps are of this form and long.
fn is_plain(json: Json<'_>) -> bool {
    json.members().all(|(name, value)| value.kind() == Kind::String && !name.is_string("_persist"))
}

/// Whether an object is what a library keeps under one key, and not a storage.
///
/// The members of a storage are strings, so only redux-persist needs a closer look: its slices are strings as well. A state
/// that is an object alone, or with whatever version, is no storage either.
fn is_store(json: Json<'_>) -> bool {
    let [state, version, persist, mps] = json.named(["state", "version", "_persist", "__mps__"]);
    let is = |member: Option<Json<'_>>, kind| member.is_some_and(|value| value.kind() == kind);
    let is_zustand = is(state, Kind::Object) && json.members().count() == 1 + usize::from(version.is_some());
    let is_redux = persist.and_then(Json::to_utf8).is_some_and(|meta| {
        Json::parse(meta.as_bytes()).is_ok_and(|meta| meta.member("rehydrated").is_some())
    });
    is_zustand || is_redux || is(persist, Kind::Object) || is(mps, Kind::Object)
}

/// Whether one of an object's members is what a library keeps under one key: then it is no store itself but a storage whose
/// values are JSON already.
fn has_store(json: Json<'_>) -> bool {
    json.members().any(|(_, value)| value.kind() == Kind::Object && is_store(value))
}

fn read_object(text: &[u8], json: Json<'_>, options: &DumpOptions) -> Shaped {
    let (mut collector, mut problems) = (Collector::new(options), Problems::default());
    collector.take_members(json, "", &mut problems);
    let has_parsed = collector.has_parsed();
    if has_parsed && options.key.is_some() && !has_store(json) {
        return read_single(text, json, options);
    }
    let form = if has_parsed { DumpForm::ParsedObject } else { DumpForm::Object };
    Ok((form, one_storage(collector, problems)))
}

fn read_array(text: &[u8], json: Json<'_>, options: &DumpOptions) -> Shaped {
    if storage_state::are_origins(json) {
        return Ok(storage_state::read_origins(json, options));
    }
    let first = json.elements().next();
    if first.is_none_or(|first| entry(first).is_some()) {
        return Ok((DumpForm::Entries, read_elements(json, options, entry, "a key and its value")));
    }
    if first.is_none_or(|first| named(first).is_some()) {
        return Ok((DumpForm::Named, read_elements(json, options, named, "a name and its value")));
    }
    let is_cookie =
        first.is_some_and(|first| first.named(["domain", "httpOnly"]).iter().any(Option::is_some));
    if options.key.is_some() && !is_cookie {
        return read_single(text, json, options);
    }
    let at = first.map_or(0, |first| place_in(text, first));
    let what = if is_cookie { "these are cookies, which are not read" } else { "this array is no dump" };
    Err(Fault::new(at, what))
}

fn read_elements<'a>(
    json: Json<'a>,
    options: &DumpOptions,
    parts: fn(Json<'a>) -> Option<(CodeUnits, Json<'a>)>,
    expected: &str,
) -> Reading {
    let (mut collector, mut problems) = (Collector::new(options), Problems::default());
    for (index, element) in json.elements().enumerate() {
        let place = format!("/{index}");
        match parts(element) {
            Some((key, value)) => collector.take(&place, key, value, &mut problems),
            None => problems.add(&place, format!("this is not {expected}; it was left out"), true),
        }
    }
    one_storage(collector, problems)
}

/// `["key", "value"]`
pub(super) fn entry(json: Json<'_>) -> Option<(CodeUnits, Json<'_>)> {
    let mut elements = json.elements();
    let (key, value) = (elements.next()?.to_units()?, elements.next()?);
    elements.next().is_none().then_some((key, value))
}

/// `{"name": "key", "value": "value"}`, and nothing else in it: a cookie has more.
fn named(json: Json<'_>) -> Option<(CodeUnits, Json<'_>)> {
    let [name, key, value] = json.named(["name", "key", "value"]);
    let key = name.or(key)?.to_units()?;
    let value = value?;
    (json.members().count() == 2).then_some((key, value))
}

/// The document is the value of one key.
fn read_single(text: &[u8], json: Json<'_>, options: &DumpOptions) -> Shaped {
    let Some(key) = &options.key else {
        return Err(Fault {
            at: place_in(text, json),
            what: "this is the value of a single store, without its key".to_owned(),
            kind: ErrorKind::Usage,
            hint: "name the key it has in localStorage: --key NAME",
        });
    };
    let (mut collector, mut problems) = (Collector::new(options), Problems::default());
    collector.take_text(key.clone(), json, &mut problems);
    Ok((DumpForm::SingleValue, one_storage(collector, problems)))
}

fn one_storage(collector: Collector<'_>, mut problems: Problems) -> Reading {
    let storage = collector.finish(None, &mut problems);
    Reading { storages: vec![storage], problems: problems.finish() }
}

/// How many bytes of `text` stand before `part`, which is a part of it.
fn place_in(text: &[u8], part: Json<'_>) -> usize {
    part.text().as_ptr().addr().saturating_sub(text.as_ptr().addr())
}
