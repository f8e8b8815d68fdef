//! What JSON text must be before its meaning is looked at: no object has the same key twice.
//!
//! Parsers disagree about which one counts, so that two readers of such a document could see two documents.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// Fails where an object anywhere in the document has a key twice, and for text that is not JSON.
///
/// # Errors
/// What the parser says, with line and column.
pub(crate) fn refuse_repeated_keys(text: &[u8]) -> serde_json::Result<()> {
    let mut parser = serde_json::Deserializer::from_slice(text);
    Value.deserialize(&mut parser)?;
    parser.end()
}

/// Any JSON value, of which nothing is kept.
struct Value;

impl<'de> DeserializeSeed<'de> for Value {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let mut seen: HashSet<String> = HashSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            if seen.contains(&key) {
                return Err(A::Error::custom(format_args!("the key {key:?} stands here twice")));
            }
            seen.insert(key);
            entries.next_value_seed(Self)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_stands_twice_is_refused_wherever_it_is() {
        for text in ["{\"a\":1,\"a\":1}", "[1,{\"b\":{\"c\":null,\"\\u0063\":2}}]", "{\"a\":1} {}", "[1", ""]
        {
            assert!(refuse_repeated_keys(text.as_bytes()).is_err(), "{text}");
        }
        for text in ["{\"a\":{\"a\":1},\"b\":[{\"a\":1},{\"a\":-1.5e300}]}", "null", "\"x\"", "[true]"] {
            assert!(refuse_repeated_keys(text.as_bytes()).is_ok(), "{text}");
        }
    }

    #[test]
    fn nesting_that_would_exhaust_the_stack_is_refused() {
        let text = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(refuse_repeated_keys(text.as_bytes()).is_err());
    }
}
