//! What state libraries wrap around an app's state when they persist it.
//!
//! | library | how it is recognised |
//! | --- | --- |
//! | Zustand `persist` | an object of `state` and `version`, or of `state` alone |
//! | redux-persist | an object with `_persist`, or under a key `persist:…`; each slice is JSON in a string |
//! | mobx-persist-store | an object with `__mps__` |
//! | Pinia, jotai, the app's own | any other JSON: these put nothing around it, so that they cannot be told apart |
//! | none | text that is not JSON: `dark`, `[object Object]`, compressed strings; what begins like Zustand's is told apart |
//!
//! The JSON inside is handed out as text, exactly as it stands there: nothing is ever written anew from values.

mod redux;

use super::code_units::CodeUnits;
use super::json::{Json, Kind};

/// Whose envelope it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Library {
    /// Zustand's `persist`.
    Zustand,
    /// redux-persist.
    ReduxPersist,
    /// mobx-persist-store.
    MobxPersistStore,
    /// An object without an envelope: pinia-plugin-persistedstate, jotai or the app's own.
    BareObject,
    /// Another JSON value without an envelope: jotai or the app's own.
    BareValue,
    /// Not JSON, although it begins like a store of Zustand: cut or damaged.
    Broken,
    /// Not JSON.
    Text,
}

impl Library {
    /// A stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Zustand => "zustand",
            Self::ReduxPersist => "redux-persist",
            Self::MobxPersistStore => "mobx-persist-store",
            Self::BareObject => "json-object",
            Self::BareValue => "json-value",
            Self::Broken => "broken-json",
            Self::Text => "text",
        }
    }

    /// For people.
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Self::Zustand => "Zustand persist",
            Self::ReduxPersist => "redux-persist",
            Self::MobxPersistStore => "mobx-persist-store",
            Self::BareObject => "JSON without an envelope (Pinia, jotai or the app's own)",
            Self::BareValue => "a JSON value (jotai or the app's own)",
            Self::Broken => "a store that is cut or damaged, so that it is no JSON",
            Self::Text => "plain text",
        }
    }
}

/// A value with what is around it taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Whose it is.
    pub library: Library,
    /// The version of the state's shape, where there is one and it is an integer.
    pub version: Option<i64>,
    /// The version as it is written, also where it is no integer.
    pub version_text: Option<String>,
    /// What did not fit the library's form, as lines for people.
    pub oddities: Vec<String>,
    /// Checked JSON without white space around it; redux-persist's with its slices put in.
    text: Option<Vec<u8>>,
}

impl Envelope {
    /// The JSON that pointers go through: the value itself, or redux-persist's with every slice decoded.
    ///
    /// `None` for text that is not JSON.
    #[must_use]
    pub fn json(&self) -> Option<Json<'_>> {
        self.text.as_deref().map(Json::trusted)
    }
}

/// Recognises what is around the state in the value of `key`.
#[must_use]
pub fn recognise(key: &CodeUnits, value: &CodeUnits) -> Envelope {
    let text = value.to_wtf8();
    let Ok(json) = Json::parse(&text) else {
        let library = if begins_like_zustand(&text) { Library::Broken } else { Library::Text };
        return of(library, None, None);
    };
    // Walked over once, since values are long.
    let members: Vec<_> = json.members().collect();
    let last = |name: &str| members.iter().rfind(|(key, _)| key.is_string(name)).map(|(_, value)| *value);
    let [persist, mps, state, version] = ["_persist", "__mps__", "state", "version"].map(last);
    let is_bare = members.iter().all(|(name, _)| name.is_string("state") || name.is_string("version"));
    match json.kind() {
        Kind::Object if persist.is_some() || is_redux_key(key) => redux::decode(json),
        Kind::Object if mps.is_some() => {
            let version = mps.and_then(|meta| meta.member("version"));
            of(Library::MobxPersistStore, version, Some(json))
        }
        Kind::Object if state.is_some() && is_bare => of(Library::Zustand, version, Some(json)),
        Kind::Object => of(Library::BareObject, None, Some(json)),
        _ => of(Library::BareValue, None, Some(json)),
    }
}

/// As `JSON.stringify` writes it, which puts in no white space.
fn begins_like_zustand(text: &[u8]) -> bool {
    text.trim_ascii_start().starts_with(b"{\"state\":")
}

fn is_redux_key(key: &CodeUnits) -> bool {
    let prefix = CodeUnits::from("persist:");
    key.as_slice().starts_with(prefix.as_slice())
}

fn of(library: Library, version: Option<Json<'_>>, json: Option<Json<'_>>) -> Envelope {
    let version = version.filter(|version| version.kind() != Kind::Null);
    Envelope {
        library,
        version: version.and_then(Json::to_i64),
        version_text: version.map(Json::to_text),
        oddities: Vec::new(),
        text: json.map(|json| json.text().to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(key: &str, value: &str) -> Envelope {
        recognise(&key.into(), &value.into())
    }

    #[test]
    fn each_library_is_recognised_with_its_version() {
        use Library::{BareObject, BareValue, Broken, MobxPersistStore, ReduxPersist, Text, Zustand};
        for (key, value, library, version) in [
            ("s", r#"{"state":{"a":1},"version":2}"#, Zustand, Some(2)),
            ("s", r#"{"version":-1,"state":null}"#, Zustand, Some(-1)),
            ("s", r#" {"state":{}} "#, Zustand, None),
            ("s", r#"{"state":{},"version":"3"}"#, Zustand, None),
            ("s", r#"{"state":{},"version":2,"more":1}"#, BareObject, None),
            (
                "persist:root",
                r#"{"a":"1","_persist":"{\"version\":4,\"rehydrated\":true}"}"#,
                ReduxPersist,
                Some(4),
            ),
            ("persist:root", "{}", ReduxPersist, None),
            ("other", r#"{"a":"1","_persist":"{\"version\":-1}"}"#, ReduxPersist, Some(-1)),
            ("m", r#"{"a":1,"__mps__":{"version":7}}"#, MobxPersistStore, Some(7)),
            ("p", r#"{"nickname":"x"}"#, BareObject, None),
            ("j", "\"lb\"", BareValue, None),
            ("j", "12.50", BareValue, None),
            ("j", "[1]", BareValue, None),
            ("t", "007", Text, None),
            ("t", "", Text, None),
            ("t", "undefined", Text, None),
            ("t", "[object Object]", Text, None),
            ("t", "\u{feff}{}", Text, None),
            ("t", r#"{"a":"#, Text, None),
            ("s", r#"{"state":{"worko"#, Broken, None),
        ] {
            let envelope = envelope(key, value);
            assert_eq!((envelope.library, envelope.version), (library, version), "{value}");
            assert_eq!(envelope.json().is_none(), matches!(library, Text | Broken), "{value}");
        }
    }

    #[test]
    fn a_version_that_is_no_integer_is_kept_as_text() {
        assert_eq!(envelope("s", r#"{"state":{},"version":"3"}"#).version_text.as_deref(), Some("\"3\""));
        assert_eq!(envelope("s", r#"{"state":{},"version":1.5}"#).version_text.as_deref(), Some("1.5"));
        assert_eq!(envelope("s", r#"{"state":{},"version":null}"#).version_text, None);
    }

    #[test]
    fn the_text_inside_stays_as_it_is() {
        let value = r#"{ "state" : {"n": 1.50, "s": "\ud83d"}, "version": 0 }"#;
        let envelope = envelope("s", value);
        let state = envelope.json().and_then(|json| json.member("state")).expect("a state");
        assert_eq!(state.to_text(), r#"{"n": 1.50, "s": "\ud83d"}"#);
    }
}
