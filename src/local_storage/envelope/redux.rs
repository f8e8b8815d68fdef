//! redux-persist: every slice of the state is JSON in a string of its own.

use super::{Envelope, Library};
use crate::local_storage::code_units::CodeUnits;
use crate::local_storage::json::{Json, Kind};

/// How many oddities are told: a value of the largest size can have millions.
const MAX_ODDITIES: usize = 100;

/// Puts every slice's text in the place of the string that holds it; with `serialize: false` slices stand as they are.
pub(super) fn decode(json: Json<'_>) -> Envelope {
    let mut text = vec![b'{'];
    let (mut oddities, mut more) = (Vec::new(), 0_u64);
    for (index, (name, slice)) in json.members().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        text.extend_from_slice(name.text());
        text.push(b':');
        match inside(slice) {
            Inside::Text(inside) => text.extend_from_slice(&inside),
            Inside::Itself => text.extend_from_slice(slice.text()),
            Inside::NoJson if oddities.len() == MAX_ODDITIES => {
                text.extend_from_slice(slice.text());
                more += 1;
            }
            Inside::NoJson => {
                text.extend_from_slice(slice.text());
                let name = name.to_units().unwrap_or_default();
                oddities
                    .push(format!("the slice {name} is a string that holds no JSON; it was left a string"));
            }
        }
    }
    if more > 0 {
        oddities.push(format!("there are more slices like that: {more}"));
    }
    text.push(b'}');
    let decoded = Json::trusted(&text);
    let version = decoded.member("_persist").and_then(|meta| meta.member("version"));
    Envelope {
        library: Library::ReduxPersist,
        version: version.and_then(Json::to_i64),
        version_text: version.map(Json::to_text),
        oddities,
        text: Some(text),
    }
}

enum Inside {
    /// The JSON that the string holds.
    Text(Vec<u8>),
    /// It is no string.
    Itself,
    NoJson,
}

fn inside(slice: Json<'_>) -> Inside {
    if slice.kind() != Kind::String {
        return Inside::Itself;
    }
    let inside = slice.to_units().as_ref().map(CodeUnits::to_wtf8).unwrap_or_default();
    match Json::parse(&inside) {
        Ok(json) => Inside::Text(json.text().to_vec()),
        Err(_) => Inside::NoJson,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_put_in_with_their_exact_text() {
        let value = br#"{"a":"{\"n\": 1.50,\"s\":\"\\\"q\\\" \\ud83d\"}", "b":"\"text\"","c":"plain","d":{"e":[1]},"_persist":"{\"version\":-1}"}"#;
        let envelope = decode(Json::parse(value).expect("JSON"));
        let decoded = envelope.json().expect("JSON");
        assert!(Json::parse(decoded.text()).is_ok());
        assert_eq!(
            decoded.to_text(),
            r#"{"a":{"n": 1.50,"s":"\"q\" \ud83d"},"b":"text","c":"plain","d":{"e":[1]},"_persist":{"version":-1}}"#
        );
        assert_eq!(envelope.version, Some(-1));
        assert_eq!(envelope.oddities.len(), 1);
    }
}
