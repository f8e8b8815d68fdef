//! Where something is sent: HTTPS, or plain HTTP that does not leave the machine.

use std::fmt::Write as _;
use std::net::IpAddr;

use ureq::Proxy;
use ureq::http::Uri;

use crate::error::{Error, ErrorKind, Result};

/// How much is shown of what should not be in an address.
const MOST_SHOWN: usize = 40;

/// The address of a server, with or without a place in it for a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    text: String,
    is_https: bool,
    is_loopback: bool,
}

impl Address {
    /// Reads an address; `gap` is what stands in it for a name, such as `{program_id}`, and may be left out.
    ///
    /// Scheme and host become lower case and a port that is the usual one goes, so that one address is one text.
    ///
    /// # Errors
    /// `Usage` for anything but HTTPS, for plain HTTP to another machine, and for a name or password in it; the address
    /// is not repeated.
    pub fn parse(text: &str, gap: &str) -> Result<Self> {
        const HINT: &str = "write it like https://app.example/api/progress/{program_id}/bulk-sync";
        let wrong = |message: &str| Error::new(ErrorKind::Usage, message).hint(HINT);
        let (scheme, rest) = text.trim().split_once("://").ok_or_else(|| wrong("the address is no URL"))?;
        let (is_https, usual_port) = match scheme.to_ascii_lowercase().as_str() {
            "https" => (true, 443),
            "http" => (false, 80),
            _ => return Err(wrong("the address is neither https:// nor http://")),
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(Error::new(ErrorKind::Usage, "the address has a name or a password in it").hint(
                "whoever lists programs sees it: put it into a file and name that with --header-file",
            ));
        }
        if path.contains('#') {
            return Err(wrong("the address has a # in it, and what follows is never sent"));
        }
        if authority.contains(['{', '}']) || path.replace(gap, "").contains(['{', '}']) {
            // The first of them that may not stand there.
            let wrongly =
                if authority.contains(['{', '}']) { authority.to_owned() } else { path.replace(gap, "") };
            let first = wrongly.find('{').and_then(|start| {
                let rest = wrongly.get(start..)?;
                let end = rest.find('}').map_or(rest.len(), |end| end + 1);
                Some(rest.get(..end)?.chars().take(MOST_SHOWN).collect::<String>())
            });
            return Err(wrong(&format!(
                "the address has {} in it: {gap} is the only name in braces, and stands after the host",
                first.as_deref().unwrap_or("}")
            )));
        }
        let authority = with_port(&authority.to_ascii_lowercase(), usual_port)
            .ok_or_else(|| wrong("what follows the host in the address is no port"))?;
        let slash = if path.starts_with('/') { "" } else { "/" };
        let scheme = if is_https { "https" } else { "http" };
        let text = format!("{scheme}://{authority}{slash}{path}");
        let uri: Uri = text
            .replace(gap, "x")
            .parse()
            .map_err(|_| wrong("the address has something in it that no URL can have"))?;
        let host =
            uri.host().filter(|host| !host.is_empty()).ok_or_else(|| wrong("the address names no host"))?;
        let is_loopback = is_loopback(host);
        if !is_https && !is_loopback {
            return Err(Error::new(
                ErrorKind::Usage,
                "plain http:// to another machine can be read on the way",
            )
            .hint("use https://; http:// is for localhost, 127.0.0.1 and [::1]"));
        }
        Ok(Self { text, is_https, is_loopback })
    }

    /// The address, with its gap.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The host, with its port where that is not the usual one.
    #[must_use]
    pub fn host(&self) -> &str {
        let rest = self.text.split_once("://").map_or(&*self.text, |(_, rest)| rest);
        rest.split(['/', '?']).next().unwrap_or(rest)
    }

    /// Whether it has the gap.
    #[must_use]
    pub fn has(&self, gap: &str) -> bool {
        self.text.contains(gap)
    }

    /// The address with a name in its gap; nothing where the name cannot be part of an address.
    #[must_use]
    pub fn with(&self, gap: &str, name: &str) -> Option<String> {
        if !self.has(gap) {
            return Some(self.text.clone());
        }
        // A path is shortened by these on the way, even where they are escaped: it would be another one.
        if matches!(name, "" | "." | "..") {
            return None;
        }
        let filled = self.text.replace(gap, &escaped(name));
        filled.parse::<Uri>().is_ok().then_some(filled)
    }

    /// Whether the environment says that this server is reached without that proxy.
    pub(super) fn is_exempt(&self, proxy: &Proxy) -> bool {
        // Braces are in no URL, and the host has none.
        let host = self.text.replace(['{', '}'], "").parse::<Uri>();
        host.is_ok_and(|uri| proxy.is_no_proxy(&uri))
    }

    /// Whether what is sent is encrypted.
    pub(super) fn is_https(&self) -> bool {
        self.is_https
    }

    /// Whether the server is this machine.
    pub(super) fn is_loopback(&self) -> bool {
        self.is_loopback
    }
}

/// Host and port with the port as a plain number, and without the usual one; nothing where it is no port.
fn with_port(authority: &str, usual: u16) -> Option<String> {
    // The colons of an IPv6 address are in brackets.
    let end = authority.rfind(']').map_or(0, |end| end + 1);
    let (literal, rest) = authority.split_at_checked(end)?;
    let (name, port) = match rest.split_once(':') {
        None if literal.is_empty() || rest.is_empty() => return Some(authority.to_owned()),
        None => return None,
        Some(parts) => parts,
    };
    if port.is_empty()
        || !port.bytes().all(|byte| byte.is_ascii_digit())
        || !(literal.is_empty() || name.is_empty())
    {
        return None;
    }
    let port = port.parse::<u16>().ok().filter(|port| *port > 0)?;
    Some(if port == usual { format!("{literal}{name}") } else { format!("{literal}{name}:{port}") })
}

fn is_loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A name with all but letters, digits and `-._~` as `%` and two digits for each byte.
///
/// Source: RFC 3986, sections 2.1 and 2.3.
fn escaped(name: &str) -> String {
    let mut escaped = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing into a string cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: &str = "{program_id}";

    #[test]
    fn https_goes_anywhere_and_http_stays_on_this_machine() {
        for (text, normal) in [
            ("https://app.example", "https://app.example/"),
            ("HTTPS://App.Example:443/API", "https://app.example/API"),
            ("https://app.example:8443/a?v=2", "https://app.example:8443/a?v=2"),
            ("https://app.example?v=2", "https://app.example/?v=2"),
            ("http://localhost:8080/a", "http://localhost:8080/a"),
            ("http://127.0.0.1/a", "http://127.0.0.1/a"),
            ("http://127.9.9.9:80/a", "http://127.9.9.9/a"),
            ("http://127.0.0.1:080/a", "http://127.0.0.1/a"),
            ("https://app.example:08443/a", "https://app.example:8443/a"),
            ("https://app.example:80/a", "https://app.example:80/a"),
            ("http://[::1]:80/", "http://[::1]/"),
            ("http://[::1]", "http://[::1]/"),
            ("http://[::1]:3000/{program_id}/x", "http://[::1]:3000/{program_id}/x"),
        ] {
            assert_eq!(Address::parse(text, GAP).expect(text).text(), normal);
        }
        for text in [
            "",
            "app.example/a",
            "ftp://app.example/",
            "file:///etc/passwd",
            "https://",
            "https:///a",
            "https://a b/",
            "http://app.example/",
            "http://localhost.app.example/",
            "http://127.0.0.1.app.example/",
            "http://127.0.0.1@app.example/",
            "http://128.0.0.1/",
            "http://0.0.0.0/",
            "http://[::2]/",
            "http://127.1/",
            "http://[::ffff:127.0.0.1]/",
            "https://ada:secret@app.example/",
            "https://app.example/#a",
            "https://{program_id}.example/",
            "https://app.example/{program}",
            "https://app.example/{program_id",
            "https://app.example:port/",
            "https://app.example:+80/",
            "https://app.example:/",
            "https://app.example:0/",
            "https://app.example:65536/",
            "https://app.example:443:443/",
            "https://[::1]a/",
            "https://[::1]a:80/",
            "https://:443/",
        ] {
            let error = Address::parse(text, GAP).expect_err(text);
            assert_eq!(error.kind(), ErrorKind::Usage, "{text}");
            assert!(!format!("{error:?}").contains("secret"), "{error:?}");
        }
    }

    #[test]
    fn a_name_in_the_gap_stays_one_part_of_the_path() {
        let address =
            Address::parse("https://app.example/api/{program_id}/bulk-sync", GAP).expect("an address");
        let with = |name: &str| address.with(GAP, name);
        assert_eq!(with("c25k").as_deref(), Some("https://app.example/api/c25k/bulk-sync"));
        assert_eq!(
            with("a/../b?c#d e%").as_deref(),
            Some("https://app.example/api/a%2F..%2Fb%3Fc%23d%20e%25/bulk-sync")
        );
        assert_eq!(with("é").as_deref(), Some("https://app.example/api/%C3%A9/bulk-sync"));
        assert_eq!(
            with("{program_id}").as_deref(),
            Some("https://app.example/api/%7Bprogram_id%7D/bulk-sync")
        );
        for name in ["", ".", "..", &"x".repeat(70_000)] {
            assert_eq!(with(name), None);
        }
    }
}
