//! Playwright's `storageState`, and what helper scripts make like it: storages under the names of their origins, or
//! beside the other storages of a page. Cookies are secrets and are never read.

use std::collections::BTreeMap;

use super::collect::Collector;
use super::problems::Problems;
use super::shapes::entry;
use super::{DumpForm, DumpOptions};
use crate::local_storage::code_units::CodeUnits;
use crate::local_storage::item::Reading;
use crate::local_storage::json::pointer::push_units_step;
use crate::local_storage::json::{Json, Kind};
use crate::local_storage::origin;

/// Whether it is a `storageState`.
pub(super) fn is_state(json: Json<'_>) -> bool {
    let [cookies, origins] = json.named(["cookies", "origins"]);
    let Some(origins) = origins.filter(|origins| origins.kind() == Kind::Array) else {
        return false;
    };
    let has_cookies = cookies.is_some_and(|cookies| cookies.kind() == Kind::Array);
    has_cookies || are_origins(origins)
}

/// Whether it is an array of nothing but origins.
pub(super) fn are_origins(json: Json<'_>) -> bool {
    json.elements().next().is_some() && json.elements().all(is_origin)
}

/// Whether it is one origin of a `storageState`, or something like that made by hand.
pub(super) fn is_origin(json: Json<'_>) -> bool {
    let [origin, items] = json.named(["origin", "localStorage"]);
    let has_items = |items| is_storage(items) || inside_quotes(items).is_some();
    origin.is_some_and(|origin| origin.kind() == Kind::String) && items.is_some_and(has_items)
}

/// Whether it is the storages of one page: an object of `localStorage` and nothing but what else a page keeps.
///
/// In a dump that member would be a string.
pub(super) fn is_wrapped(json: Json<'_>) -> bool {
    json.member("localStorage").is_some_and(is_storage)
        && json.members().all(|(name, _)| PAGE.iter().any(|known| name.is_string(known)))
}

/// Whether it is the storages of one page, each as the text of its JSON, so that it looks like a dump with two or three keys.
pub(super) fn is_quoted(json: Json<'_>) -> bool {
    if !json.members().all(|(name, _)| PAGE.iter().any(|known| name.is_string(known))) {
        return false;
    }
    let [origin, items, session] = json.named(["origin", "localStorage", "sessionStorage"]);
    let is_named =
        origin.and_then(Json::to_utf8).is_some_and(|name| origin::is_origin(origin::without_slash(&name)));
    // An app may have a key of that name as well.
    let is_page = is_named || origin.is_none() && session.is_some();
    is_page && items.and_then(inside_quotes).is_some()
}

/// The text of a storage, where that is what a string holds: an object of strings, or entries.
fn inside_quotes(json: Json<'_>) -> Option<Vec<u8>> {
    let text = json.to_units()?.to_wtf8();
    let inner = Json::parse(&text).ok()?;
    let is_one = match inner.kind() {
        Kind::Object => inner.members().all(|(_, value)| value.kind() == Kind::String),
        Kind::Array => inner.elements().all(|element| item(element).is_some()),
        _ => false,
    };
    is_one.then_some(text)
}

/// What a page keeps, as helper scripts name it.
const PAGE: [&str; 5] = ["localStorage", "sessionStorage", "indexedDB", "cookies", "origin"];

/// Whether every member is named like an origin and has items.
pub(super) fn is_by_origin(json: Json<'_>) -> bool {
    let is_named =
        |name: Json<'_>| name.to_utf8().is_some_and(|name| origin::is_origin(origin::without_slash(&name)));
    json.members().next().is_some() && json.members().all(|(name, value)| is_storage(value) && is_named(name))
}

fn is_storage(json: Json<'_>) -> bool {
    matches!(json.kind(), Kind::Array | Kind::Object)
}

pub(super) fn read_state(json: Json<'_>, options: &DumpOptions) -> (DumpForm, Reading) {
    let mut origins = Origins::new(options);
    for (name, value) in json.members() {
        let name = name.to_units().unwrap_or_default().to_string();
        match &*name {
            "origins" => origins.take_all(value, "/origins"),
            "cookies" if value.elements().next().is_none() => {}
            "cookies" => origins.left_out("/cookies", value, "cookies, which are never read"),
            _ => origins.left_out(&format!("/{name}"), value, "no localStorage"),
        }
    }
    (DumpForm::StorageState, origins.finish())
}

pub(super) fn read_origin(json: Json<'_>, options: &DumpOptions) -> (DumpForm, Reading) {
    let mut origins = Origins::new(options);
    origins.take(json, "");
    (DumpForm::OneOrigin, origins.finish())
}

pub(super) fn read_origins(json: Json<'_>, options: &DumpOptions) -> (DumpForm, Reading) {
    let mut origins = Origins::new(options);
    origins.take_all(json, "");
    (DumpForm::Origins, origins.finish())
}

pub(super) fn read_wrapped(json: Json<'_>, options: &DumpOptions) -> (DumpForm, Reading) {
    let mut origins = Origins::new(options);
    origins.take_page(None, json, "");
    (DumpForm::OneOrigin, origins.finish())
}

pub(super) fn read_quoted(json: Json<'_>, options: &DumpOptions) -> (DumpForm, Reading) {
    if json.member("origin").is_some() { read_origin(json, options) } else { read_wrapped(json, options) }
}

pub(super) fn read_by_origin(json: Json<'_>, options: &DumpOptions) -> (DumpForm, Reading) {
    let mut origins = Origins::new(options);
    for (name, items) in json.members() {
        let name = name.to_units().unwrap_or_default();
        let mut place = String::new();
        push_units_step(&mut place, &name);
        origins.take_items(named(&name), items, &place);
    }
    (DumpForm::Origins, origins.finish())
}

/// An origin's name as it is kept. Origins are ASCII; what else stands there is shown as well as it can be.
fn named(name: &CodeUnits) -> Option<String> {
    let name = name.to_string();
    Some(origin::normal(&name)).filter(|name| !name.is_empty())
}

/// The storages while they are read; an origin that comes twice is one.
struct Origins<'o> {
    options: &'o DumpOptions,
    by_name: BTreeMap<Option<String>, Collector<'o>>,
    problems: Problems,
}

impl<'o> Origins<'o> {
    fn new(options: &'o DumpOptions) -> Self {
        Self { options, by_name: BTreeMap::new(), problems: Problems::default() }
    }

    fn take_all(&mut self, array: Json<'_>, place: &str) {
        for (index, origin) in array.elements().enumerate() {
            self.take(origin, &format!("{place}/{index}"));
        }
    }

    fn take(&mut self, json: Json<'_>, place: &str) {
        match json.member("origin").and_then(Json::to_units) {
            Some(name) => self.take_page(named(&name).as_ref(), json, place),
            None => self.problems.add(place, "this is no origin with its items; it was left out", true),
        }
    }

    fn take_page(&mut self, name: Option<&String>, json: Json<'_>, place: &str) {
        // Also where it has no items: it was there.
        let options = self.options;
        self.by_name.entry(name.cloned()).or_insert_with(|| Collector::new(options));
        for (member, value) in json.members() {
            let mut place = place.to_owned();
            push_units_step(&mut place, &member.to_units().unwrap_or_default());
            match member.to_utf8().as_deref() {
                Some("origin") => {}
                Some("localStorage") => self.take_items(name.cloned(), value, &place),
                _ if value.kind() == Kind::Null || is_empty(value) => {}
                Some("indexedDB") => self.left_out(&place, value, "an indexedDB, which is not read"),
                Some("sessionStorage") => self.left_out(&place, value, "a sessionStorage, which is not read"),
                Some("cookies") => self.left_out(&place, value, "cookies, which are never read"),
                _ => self.left_out(&place, value, "no localStorage"),
            }
        }
    }

    fn take_items(&mut self, origin: Option<String>, items: Json<'_>, place: &str) {
        if let Some(text) = inside_quotes(items)
            && let Ok(inner) = Json::parse(&text)
        {
            let message = "the storage is a text of JSON, as if it was turned into JSON twice: what that text holds was read";
            self.problems.add(place, message, false);
            return self.take_items(origin, inner, place);
        }
        let options = self.options;
        let collector = self.by_name.entry(origin).or_insert_with(|| Collector::new(options));
        match items.kind() {
            Kind::Object => collector.take_members(items, place, &mut self.problems),
            Kind::Array => {
                for (index, element) in items.elements().enumerate() {
                    let place = format!("{place}/{index}");
                    match item(element) {
                        Some((key, value)) => collector.take(&place, key, value, &mut self.problems),
                        None => self.problems.add(&place, NO_ITEM, true),
                    }
                }
            }
            kind => {
                self.problems.add(place, format!("the items are {}; they were left out", kind.name()), true);
            }
        }
    }

    fn left_out(&mut self, place: &str, value: Json<'_>, what: &str) {
        let count = value.elements().count() + value.members().count();
        self.problems.add(place, format!("here is {what} (entries: {count})"), false);
    }

    fn finish(mut self) -> Reading {
        let mut storages = Vec::new();
        for (name, collector) in self.by_name {
            storages.push(collector.finish(name, &mut self.problems));
        }
        Reading { storages, problems: self.problems.finish() }
    }
}

const NO_ITEM: &str = "this is not a name and its value; it was left out";

/// As Playwright writes it, or as entries are.
fn item(json: Json<'_>) -> Option<(CodeUnits, Json<'_>)> {
    let [name, key, value] = json.named(["name", "key", "value"]);
    let named = || Some((name.or(key)?.to_units()?, value?));
    named().or_else(|| entry(json))
}

fn is_empty(json: Json<'_>) -> bool {
    is_storage(json) && json.elements().next().is_none() && json.members().next().is_none()
}
