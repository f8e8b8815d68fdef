//! Storage keys: whose storage it is, and for which part of the web.
//!
//! An origin's own storage has the origin as its key. What a page stores inside another site's page is kept apart, in a
//! partition, and its key goes on with `^`, a digit and a text, once or several times: `^0` the top-level site, `^31` the
//! same site with another one in between, `^1`…`^2` a nonce, `^4`…`^5`…`^6` a top-level site that has no name.
//!
//! Source: Chromium, `third_party/blink/common/storage_key/storage_key.cc`.

/// A storage key, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorageKey {
    /// `scheme://host[:port]`, without a slash at the end.
    pub origin: String,
    /// `None` for the origin's own storage. Else the top-level site, where that is all there is to say; all attributes as
    /// they stand in the key, where there is more or something else.
    pub partition: Option<String>,
}

impl StorageKey {
    /// Takes a key apart, as LevelDB (without a slash behind an origin) or SQLite (with one) has it.
    ///
    /// `None` where it does not begin with an origin. Keys that differ in more than that slash have different parts.
    #[must_use]
    pub fn decode(key: &[u8]) -> Option<Self> {
        let text = str::from_utf8(key).ok()?;
        let (origin, attributes) = match text.split_once("/^") {
            None => (without_slash(text), None),
            // The slash may be the last one of `file:///`.
            Some((origin, attributes)) => (origin, Some(attributes)),
        };
        origin.split_once("://").filter(|(scheme, _)| !scheme.is_empty())?;
        let partition = attributes.map(|attributes| {
            let site = attributes.strip_prefix('0').filter(|site| !site.is_empty() && !site.contains('^'));
            site.map_or_else(|| format!("^{attributes}"), str::to_owned)
        });
        Some(Self { origin: origin.to_owned(), partition })
    }
}

/// Without the slash at the end, unless it belongs to `://`.
fn without_slash(origin: &str) -> &str {
    match origin.strip_suffix('/') {
        Some(shorter) if !origin.ends_with("://") => shorter,
        _ => origin,
    }
}

/// For people and messages.
impl std::fmt::Display for StorageKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.partition {
            None => f.write_str(&self.origin),
            Some(partition) => write!(f, "{} in {partition}", self.origin),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(key: &str) -> (String, Option<String>) {
        let key = StorageKey::decode(key.as_bytes()).expect("decoded");
        (key.origin, key.partition)
    }

    #[test]
    fn an_origin_is_the_same_with_and_without_its_slash() {
        for origin in ["https://app.example", "http://127.0.0.1:8571", "chrome-extension://abcdef", "file://"]
        {
            assert_eq!(parts(origin), (origin.to_owned(), None));
            assert_eq!(parts(&format!("{origin}/")), (origin.to_owned(), None));
        }
    }

    #[test]
    fn every_kind_of_partition_is_kept_apart_from_the_origins_own_storage() {
        let origin = "https://widget.example".to_owned();
        for (attributes, partition) in [
            ("^0https://top.example", "https://top.example"),
            ("^0https://top.example^31", "^0https://top.example^31"),
            ("^31", "^31"),
            ("^112345678901234567^2987654321", "^112345678901234567^2987654321"),
            ("^41^52^6https://precursor.example", "^41^52^6https://precursor.example"),
            ("^41^52^6", "^41^52^6"),
            ("^7what a later version adds", "^7what a later version adds"),
            ("^", "^"),
        ] {
            let expected = (origin.clone(), Some(partition.to_owned()));
            assert_eq!(parts(&format!("{origin}/{attributes}")), expected);
        }
    }

    #[test]
    fn what_is_no_origin_is_no_storage_key() {
        for key in [&b""[..], b"null", b"://host", b"\xff", b"/^0https://top.example"] {
            assert_eq!(StorageKey::decode(key), None);
        }
    }
}
