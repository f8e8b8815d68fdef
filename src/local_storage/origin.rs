//! How origins are written: `scheme://host[:port]`, without a slash at the end.

/// Without slashes at the end, as people copy them out of the address bar; `file://` is an origin as it is.
#[must_use]
pub fn without_slash(text: &str) -> &str {
    let short = text.trim_end_matches('/');
    if short.ends_with(':') { text.get(..short.len() + 2).unwrap_or(text) } else { short }
}

/// As browsers write it: without slashes at the end, its scheme and the host of a web address in small letters, and
/// without the port that the scheme has anyway. What is no origin stays as it is.
#[must_use]
pub fn normal(text: &str) -> String {
    let short = without_slash(text);
    let Some((scheme, host)) = short.split_once("://").filter(|_| is_origin(short)) else {
        return short.to_owned();
    };
    let scheme = scheme.to_ascii_lowercase();
    let port = match &*scheme {
        "http" | "ws" => ":80",
        "https" | "wss" => ":443",
        _ => return format!("{scheme}://{host}"),
    };
    let host = host.to_ascii_lowercase();
    let without_port = host.strip_suffix(port).or(host.strip_suffix(':')).unwrap_or(&host);
    let normal = format!("{scheme}://{without_port}");
    if is_origin(&normal) { normal } else { short.to_owned() }
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
        && (!host.is_empty() || scheme.eq_ignore_ascii_case("file"))
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
    fn origins_that_mean_the_same_are_written_the_same() {
        for (text, expected) in [
            ("https://APP.example", "https://app.example"),
            ("HTTP://127.0.0.1:8571/", "http://127.0.0.1:8571"),
            ("https://app.example:443", "https://app.example"),
            ("https://app.example:80", "https://app.example:80"),
            ("http://app.example:80", "http://app.example"),
            ("http://app.example:8080", "http://app.example:8080"),
            ("http://[::1]:80", "http://[::1]"),
            ("http://[2001:db8::80]", "http://[2001:db8::80]"),
            ("File://", "file://"),
            ("moz-extension://Ab", "moz-extension://Ab"),
            ("No Origin/", "No Origin"),
        ] {
            assert_eq!(normal(text), expected);
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
