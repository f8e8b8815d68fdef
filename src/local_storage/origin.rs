//! How origins are written: `scheme://host[:port]`, without a slash at the end.

/// Without slashes at the end, as people copy them out of the address bar; `file://` is an origin as it is.
#[must_use]
pub fn without_slash(text: &str) -> &str {
    let short = text.trim_end_matches('/');
    if short.ends_with(':') { text.get(..short.len() + 2).unwrap_or(text) } else { short }
}

/// Whether it is written like an origin.
#[must_use]
pub fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else { return false };
    let is_of_scheme = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let is_of_host =
        |char: char| !matches!(char, '/' | '?' | '#' | '\\') && !char.is_whitespace() && !char.is_control();
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(is_of_scheme)
        && (!host.is_empty() || scheme == "file")
        && host.chars().all(is_of_host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_at_the_end_are_no_part_of_an_origin_but_those_of_file_are() {
        for (text, expected) in [
            ("https://app.example/", "https://app.example"),
            ("https://app.example//", "https://app.example"),
            ("file://", "file://"),
            ("file:///", "file://"),
            ("x", "x"),
            (":", ":"),
            ("", ""),
            ("/", ""),
        ] {
            assert_eq!(without_slash(text), expected);
        }
    }

    #[test]
    fn an_origin_has_a_scheme_and_a_host_and_no_path() {
        for text in [
            "https://app.example",
            "http://127.0.0.1:8571",
            "http://[::1]:80",
            "file://",
            "chrome-extension://abc",
        ] {
            assert!(is_origin(text), "{text}");
        }
        for text in ["", "app.example", "https://", "://a", "https://a/b", "https://a b", "1a://b", "h t://b"]
        {
            assert!(!is_origin(text), "{text}");
        }
    }
}
