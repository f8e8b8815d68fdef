//! Whose a storage is, in the ways in which Firefox writes it down.
//!
//! - `http://localhost:8573^partitionKey=%28http%2C127.0.0.1%29` in the database and in `.metadata-v2`: an origin, and behind
//!   `^` what sets the storage apart, in pairs of name and value;
//! - `http+++localhost+8573^partitionKey=…` as a folder's name, with `+` for what a name cannot have;
//! - `tsohlacol.:http:8573` in the old file of all origins: the host backwards.
//!
//! Source: Firefox, `caps/OriginAttributes.cpp`, `dom/quota/OriginParser.cpp` and `dom/storage/StorageUtils.cpp`.

use crate::local_storage::database::{Whose, origin_of};

/// Of an origin with what is behind it. `None` where that is no origin.
#[must_use]
pub fn of_origin_and_suffix(text: &str) -> Option<Whose> {
    let (origin, suffix) = text.find('^').map_or((text, ""), |at| text.split_at(at));
    let is_origin = origin.split_once("://").is_some_and(|(scheme, _)| is_scheme(scheme));
    let origin = origin.strip_suffix('/').filter(|shorter| !shorter.ends_with('/')).unwrap_or(origin);
    is_origin.then(|| Whose { origin: Some(origin.to_owned()), partition: partition_of(suffix) })
}

/// Of a folder below `storage/default`.
#[must_use]
pub fn of_folder_name(name: &str) -> Option<Whose> {
    let (name, suffix) = name.find('^').map_or((name, ""), |at| name.split_at(at));
    let (scheme, rest) = name.split_once("+++").filter(|(scheme, _)| is_scheme(scheme))?;
    let (host, port) = match rest.rsplit_once('+').map(|(host, port)| (host, port.parse::<u16>())) {
        Some((host, Ok(port))) => (host, Some(port)),
        _ => (rest, None),
    };
    // The colons inside an IPv6 address; elsewhere it was a slash.
    let host = host.replace('+', if host.starts_with('[') { ":" } else { "/" });
    Some(Whose { origin: Some(origin_of(scheme, &host, port)), partition: partition_of(suffix) })
}

/// Of the file `.metadata-v2` in an origin's folder.
#[must_use]
pub fn of_metadata(bytes: &[u8]) -> Option<Whose> {
    /// A time, whether it is to be kept, and eight bytes of no concern.
    const BEFORE_TEXTS: usize = 8 + 1 + 4 + 4;
    let mut rest = bytes.get(BEFORE_TEXTS..)?;
    let mut text = || {
        let (length, after) = rest.split_at_checked(4)?;
        let length = usize::try_from(u32::from_be_bytes(length.try_into().ok()?)).ok()?;
        let (text, after) = after.split_at_checked(length)?;
        rest = after;
        str::from_utf8(text).ok()
    };
    let (_suffix, _group, origin) = (text()?, text()?, text()?);
    of_origin_and_suffix(origin)
}

/// Of the columns `originKey` and `originAttributes` of the old file.
#[must_use]
pub fn of_reversed_key(key: &str, attributes: &str) -> Option<Whose> {
    let (host, rest) = key.rsplit_once(".:")?;
    let host: String = host.chars().rev().collect();
    let (scheme, port) = match rest.split_once(':') {
        None => (rest, None),
        Some((scheme, port)) => (scheme, Some(port.parse().ok()?)),
    };
    let whose = Whose { origin: Some(origin_of(scheme, &host, port)), partition: partition_of(attributes) };
    is_scheme(scheme).then_some(whose)
}

/// Of the column `scope` of still older files: as [`of_reversed_key`], with an app's number before it, or attributes.
#[must_use]
pub fn of_scope(scope: &str) -> Option<Whose> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = scope.splitn(3, ':');
    let (Some(app), Some(in_browser @ ("t" | "f")), Some(rest)) = (parts.next(), parts.next(), parts.next())
    else {
        return of_reversed_key(scope, "");
    };
    if !is_number(app) {
        return of_reversed_key(scope, "");
    }
    let (attributes, key) = match rest.strip_prefix('^').and_then(|rest| rest.split_once(':')) {
        Some((attributes, key)) => (format!("^{attributes}"), key),
        None => (String::new(), rest),
    };
    let mut whose = of_reversed_key(key, &attributes)?;
    if app != "0" || in_browser == "t" {
        let before = whose.partition.take().unwrap_or_default();
        whose.partition = Some(format!("^appId={app}&inBrowser={in_browser}{before}"));
    }
    Some(whose)
}

/// What sets a storage apart: the top-level site, where that is all there is; else the suffix as it stands.
fn partition_of(suffix: &str) -> Option<String> {
    let attributes = suffix.strip_prefix('^').filter(|attributes| !attributes.is_empty())?;
    let site =
        attributes.strip_prefix("partitionKey=").filter(|value| !value.contains('&')).and_then(site_of);
    Some(site.unwrap_or_else(|| suffix.to_owned()))
}

/// The site in `(scheme,host)` or `(scheme,host,port)`, with signs as `%28` or without.
fn site_of(partition_key: &str) -> Option<String> {
    let text = without_percents(partition_key)?;
    let inside = text.strip_prefix('(')?.strip_suffix(')')?;
    let mut parts = inside.split(',');
    let (scheme, host, port, further) = (parts.next()?, parts.next()?, parts.next(), parts.next());
    // A third part that is no port tells of more than a site.
    let port = port.map(str::parse).transpose().ok()?;
    let is_site = further.is_none() && is_scheme(scheme) && !host.is_empty();
    is_site.then(|| origin_of(scheme, host, port))
}

fn without_percents(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (digits, after) = after.split_at_checked(2)?;
        digits.iter().all(u8::is_ascii_hexdigit).then_some(())?;
        bytes.push(u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(whose: Option<Whose>) -> (String, Option<String>) {
        let whose = whose.expect("decoded");
        (whose.origin.expect("an origin"), whose.partition)
    }

    #[test]
    fn an_origin_is_the_same_in_every_way_of_writing_it() {
        for (origin, folder, reversed) in [
            ("http://127.0.0.1:8571", "http+++127.0.0.1+8571", "1.0.0.721.:http:8571"),
            ("https://app.example", "https+++app.example", "elpmaxe.ppa.:https:443"),
            ("https://app.example:80", "https+++app.example+80", "elpmaxe.ppa.:https:80"),
            ("http://[::1]:8080", "http+++[++1]+8080", "]1::[.:http:8080"),
            ("moz-extension://1b2c", "moz-extension+++1b2c", "c2b1.:moz-extension"),
        ] {
            let expected = (origin.to_owned(), None);
            assert_eq!(parts(of_origin_and_suffix(origin)), expected);
            assert_eq!(parts(of_folder_name(folder)), expected);
            assert_eq!(parts(of_reversed_key(reversed, "")), expected);
            assert_eq!(parts(of_scope(reversed)), expected);
            assert_eq!(parts(of_scope(&format!("0:f:{reversed}"))), expected);
        }
    }

    #[test]
    fn partitions_and_containers_are_kept_apart() {
        for (suffix, partition) in [
            ("^partitionKey=%28http%2C127.0.0.1%29", "http://127.0.0.1"),
            ("^partitionKey=(https,top.example,8443)", "https://top.example:8443"),
            ("^partitionKey=%28https%2Ctop.example%2Cf%29", "^partitionKey=%28https%2Ctop.example%2Cf%29"),
            ("^userContextId=2", "^userContextId=2"),
            (
                "^userContextId=2&partitionKey=%28http%2C127.0.0.1%29",
                "^userContextId=2&partitionKey=%28http%2C127.0.0.1%29",
            ),
            ("^partitionKey=%2", "^partitionKey=%2"),
            ("^partitionKey=%28%2C%29", "^partitionKey=%28%2C%29"),
        ] {
            let expected = ("http://localhost:8573".to_owned(), Some(partition.to_owned()));
            assert_eq!(parts(of_origin_and_suffix(&format!("http://localhost:8573{suffix}"))), expected);
            assert_eq!(parts(of_folder_name(&format!("http+++localhost+8573{suffix}"))), expected);
            assert_eq!(parts(of_reversed_key("tsohlacol.:http:8573", suffix)), expected);
            assert_eq!(parts(of_scope(&format!("0:f:{suffix}:tsohlacol.:http:8573"))), expected);
        }
        let apps = parts(of_scope("7:t:tsohlacol.:http:8573"));
        assert_eq!(apps.1.as_deref(), Some("^appId=7&inBrowser=t"));
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in
            ["", "^", "localhost", "://host", "1http://host", "+++", "+++a", "a:b", ".:", "a.:http:x", "0:f:"]
        {
            for read in [of_origin_and_suffix, of_folder_name, of_scope] {
                assert_eq!(read(text), None, "{text}");
            }
        }
    }

    #[test]
    fn metadata_that_was_cut_anywhere_tells_nothing() {
        let text = |text: &str| {
            let length = u32::try_from(text.len()).expect("short").to_be_bytes();
            [&length[..], text.as_bytes()].concat()
        };
        let metadata = [
            vec![0; 17],
            text("^userContextId=2"),
            text("x"),
            text("https://a.example^userContextId=2"),
            vec![0],
        ]
        .concat();
        assert_eq!(
            parts(of_metadata(&metadata)),
            ("https://a.example".to_owned(), Some("^userContextId=2".to_owned()))
        );
        for length in 0..metadata.len() - 1 {
            assert_eq!(of_metadata(&metadata[..length]), None);
        }
    }
}
