//! Whose storage it is, as far as a file tells.

use std::fmt;

use crate::local_storage::chromium::StorageKey;

/// An origin, and what sets a storage apart from the origin's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Whose {
    /// `scheme://host[:port]`, without a slash at the end; `None` where nobody can tell.
    pub origin: Option<String>,
    /// `None` for the origin's own storage. Else the top-level site, where that is all there is to say; what the browser
    /// calls it, beginning with `^`, where there is more or something else.
    pub partition: Option<String>,
}

impl From<StorageKey> for Whose {
    fn from(key: StorageKey) -> Self {
        Self { origin: Some(key.origin), partition: key.partition }
    }
}

/// For people and messages.
impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.origin.as_deref().unwrap_or("an origin that is not known"))?;
        match &self.partition {
            None => Ok(()),
            Some(partition) => write!(f, " in {partition}"),
        }
    }
}

/// An origin as browsers write it: without the port that its scheme has anyway.
pub(in crate::local_storage) fn origin_of(scheme: &str, host: &str, port: Option<u16>) -> String {
    let is_bare_ipv6 = host.contains(':') && !host.starts_with('[');
    let host = if is_bare_ipv6 { format!("[{host}]") } else { host.to_owned() };
    match (scheme, port) {
        (_, None | Some(0)) | ("http" | "ws", Some(80)) | ("https" | "wss", Some(443)) => {
            format!("{scheme}://{host}")
        }
        (_, Some(port)) => format!("{scheme}://{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_have_no_port_that_goes_without_saying() {
        for (scheme, host, port, origin) in [
            ("https", "app.example", Some(443), "https://app.example"),
            ("https", "app.example", Some(80), "https://app.example:80"),
            ("http", "app.example", Some(80), "http://app.example"),
            ("http", "127.0.0.1", Some(8571), "http://127.0.0.1:8571"),
            ("http", "::1", Some(8080), "http://[::1]:8080"),
            ("http", "[::1]", None, "http://[::1]"),
            ("file", "", Some(0), "file://"),
        ] {
            assert_eq!(origin_of(scheme, host, port), origin);
        }
    }
}
