//! Playwright's `storageState`: several origins in one file. Cookies are secrets and are never read.

use std::collections::BTreeMap;

use super::collect::Collector;
use super::{DumpForm, DumpOptions};
use crate::local_storage::code_units::CodeUnits;
use crate::local_storage::item::{Problem, Reading};
use crate::local_storage::json::pointer::push_units_step;
use crate::local_storage::json::{Json, Kind};

/// Whether it is a `storageState`.
pub(super) fn is_state(json: Json<'_>) -> bool {
    let [cookies, origins] = json.named(["cookies", "origins"]);
    let Some(origins) = origins.filter(|origins| origins.kind() == Kind::Array) else {
        return false;
    };
    let has_cookies = cookies.is_some_and(|cookies| cookies.kind() == Kind::Array);
    let has_origins = origins.elements().next().is_some() && origins.elements().all(is_origin);
    has_cookies || has_origins
}

/// Whether it is one origin of a `storageState`, or something like that made by hand.
pub(super) fn is_origin(json: Json<'_>) -> bool {
    let [origin, items] = json.named(["origin", "localStorage"]);
    origin.is_some_and(|origin| origin.kind() == Kind::String)
        && items.is_some_and(|items| matches!(items.kind(), Kind::Array | Kind::Object))
}

pub(super) fn read_state(json: Json<'_>, options: &DumpOptions) -> (DumpForm, Reading) {
    let mut origins = Origins::new(options);
    for (name, value) in json.members() {
        let name = name.to_units().unwrap_or_default().to_string();
        match &*name {
            "origins" => {
                for (index, origin) in value.elements().enumerate() {
                    origins.take(origin, &format!("/origins/{index}"));
                }
            }
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

/// The storages while they are read; an origin that comes twice is one.
struct Origins<'o> {
    options: &'o DumpOptions,
    by_name: BTreeMap<Option<String>, Collector<'o>>,
    reading: Reading,
}

impl<'o> Origins<'o> {
    fn new(options: &'o DumpOptions) -> Self {
        Self { options, by_name: BTreeMap::new(), reading: Reading::default() }
    }

    fn take(&mut self, json: Json<'_>, place: &str) {
        let Some(name) = json.member("origin").and_then(Json::to_units) else {
            self.problem(place, "this is no origin with its items; it was left out".to_owned(), true);
            return;
        };
        // Origins are ASCII; what else stands there is shown as well as it can be.
        let name = name.to_string().trim_end_matches('/').to_owned();
        let name = (!name.is_empty()).then_some(name);
        // Also where it has no items: it was there.
        let options = self.options;
        self.by_name.entry(name.clone()).or_insert_with(|| Collector::new(options));
        for (member, value) in json.members() {
            let mut place = place.to_owned();
            push_units_step(&mut place, &member.to_units().unwrap_or_default());
            match member.to_utf8().as_deref() {
                Some("origin") => {}
                Some("localStorage") => self.take_items(name.as_ref(), value, &place),
                _ if value.kind() == Kind::Null || is_empty(value) => {}
                Some("indexedDB") => self.left_out(&place, value, "an indexedDB, which is not read"),
                Some("sessionStorage") => self.left_out(&place, value, "a sessionStorage, which is not read"),
                _ => self.left_out(&place, value, "no localStorage"),
            }
        }
    }

    fn take_items(&mut self, origin: Option<&String>, items: Json<'_>, place: &str) {
        let options = self.options;
        let collector = self.by_name.entry(origin.cloned()).or_insert_with(|| Collector::new(options));
        match items.kind() {
            Kind::Object => collector.take_members(items, place),
            Kind::Array => {
                for (index, element) in items.elements().enumerate() {
                    let place = format!("{place}/{index}");
                    match item(element) {
                        Some((key, value)) => collector.take(place, key, value),
                        None => collector.problem(place, NO_ITEM.to_owned(), true),
                    }
                }
            }
            kind => {
                let message = format!("the items are {}; they were left out", kind.name());
                collector.problem(place.to_owned(), message, true);
            }
        }
    }

    fn left_out(&mut self, place: &str, value: Json<'_>, what: &str) {
        let count = value.elements().count() + value.members().count();
        self.problem(place, format!("here is {what} (entries: {count})"), false);
    }

    fn problem(&mut self, place: &str, message: String, may_lose_items: bool) {
        let place = place.to_owned();
        self.reading.problems.push(Problem { place, message, may_lose_items });
    }

    fn finish(mut self) -> Reading {
        for (name, collector) in self.by_name {
            let (storage, problems) = collector.finish(name);
            self.reading.storages.push(storage);
            self.reading.problems.extend(problems);
        }
        self.reading
    }
}

const NO_ITEM: &str = "this is not a name and its value; it was left out";

fn item(json: Json<'_>) -> Option<(CodeUnits, Json<'_>)> {
    let [name, value] = json.named(["name", "value"]);
    Some((name?.to_units()?, value?))
}

fn is_empty(json: Json<'_>) -> bool {
    matches!(json.kind(), Kind::Array | Kind::Object)
        && json.elements().next().is_none()
        && json.members().next().is_none()
}
