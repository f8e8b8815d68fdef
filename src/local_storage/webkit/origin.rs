//! Whose a storage is, in the two ways in which WebKit writes it down.
//!
//! Source: WebKit, `Source/WebCore/page/SecurityOriginData.cpp` and
//! `Source/WebKit/NetworkProcess/storage/OriginStorageManager.cpp`.

use crate::local_storage::database::{Whose, origin_of};

/// Of the name of a file in the old layout: `https_app.example_0.localstorage`, with 0 for the port that the scheme has
/// anyway.
#[must_use]
pub fn of_file_name(name: &str) -> Option<Whose> {
    let identifier = name.strip_suffix(".localstorage")?;
    let (scheme, rest) = identifier.split_once('_')?;
    // The name of a host may have the sign in it.
    let (host, port) = rest.rsplit_once('_')?;
    let port = port.parse().ok()?;
    let origin = origin_of(scheme, &without_escapes(host)?, Some(port));
    (!scheme.is_empty()).then_some(Whose { origin: Some(origin), partition: None })
}

/// Of the file `origin` in the new layout: the top-level origin, then that of the frame, whose storage it is.
#[must_use]
pub fn decode_origin_file(bytes: &[u8]) -> Option<Whose> {
    let (top, rest) = decode_origin(bytes)?;
    let (frame, rest) = decode_origin(rest)?;
    let partition = (top != frame).then_some(top);
    rest.is_empty().then_some(Whose { origin: Some(frame), partition })
}

/// An origin and what stands behind it: scheme and host, then one byte that says whether there is a port, and the port.
fn decode_origin(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (scheme, rest) = decode_text(bytes)?;
    let (host, rest) = decode_text(rest)?;
    let (port, rest) = match rest.split_first()? {
        (0, rest) => (None, rest),
        (1, rest) => {
            let (port, rest) = rest.split_at_checked(2)?;
            (Some(u16::from_le_bytes(port.try_into().ok()?)), rest)
        }
        _ => return None,
    };
    (is_scheme(&scheme) && is_host(&scheme, &host)).then(|| (origin_of(&scheme, &host, port), rest))
}

fn is_scheme(scheme: &str) -> bool {
    let is_of_scheme =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.');
    scheme.starts_with(|first: char| first.is_ascii_lowercase()) && scheme.bytes().all(is_of_scheme)
}

/// Whether a host may be written like this: one of a web address, or an address in brackets, or that of an app's own scheme.
fn is_host(scheme: &str, host: &str) -> bool {
    let is_of_web = matches!(scheme, "http" | "https" | "ws" | "wss");
    let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    if let Some(address) = inside {
        return address.chars().all(|char| char.is_ascii_hexdigit() || matches!(char, ':' | '.'));
    }
    let is_of_host = |char: char| {
        let is_large = is_of_web && char.is_ascii_uppercase();
        char.is_alphanumeric() && !is_large || matches!(char, '-' | '.' | '_' | '~' | '%' | '+')
    };
    (!is_of_web || !host.is_empty()) && host.chars().all(is_of_host)
}

/// A count of characters, one byte that is 1 for ISO 8859-1 and 0 for UTF-16, and the characters.
fn decode_text(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (count, rest) = bytes.split_at_checked(4)?;
    let count = usize::try_from(u32::from_le_bytes(count.try_into().ok()?)).ok()?;
    match rest.split_first()? {
        (1, rest) => {
            let (text, rest) = rest.split_at_checked(count)?;
            Some((text.iter().copied().map(char::from).collect(), rest))
        }
        (0, rest) => {
            let (text, rest) = rest.split_at_checked(count.checked_mul(2)?)?;
            let (pairs, _) = text.as_chunks::<2>();
            let units: Vec<u16> = pairs.iter().map(|&pair| u16::from_le_bytes(pair)).collect();
            Some((String::from_utf16(&units).ok()?, rest))
        }
        _ => None,
    }
}

/// A host in a file's name: `%HH` for signs that a name cannot have, `%+HHHH` for those beyond ISO 8859-1.
fn without_escapes(host: &str) -> Option<String> {
    let mut units = Vec::with_capacity(host.len());
    let mut rest = host;
    while let Some(next) = rest.chars().next() {
        rest = &rest[next.len_utf8()..];
        if next != '%' {
            units.extend_from_slice(next.encode_utf16(&mut [0; 2]));
            continue;
        }
        let (digits, count) = rest.strip_prefix('+').map_or((rest, 2), |digits| (digits, 4));
        let (digits, after) = digits.split_at_checked(count)?;
        digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then_some(())?;
        units.push(u16::from_str_radix(digits, 16).ok()?);
        rest = after;
    }
    String::from_utf16(&units).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Vec<u8> {
        let count = |count: usize| u32::try_from(count).expect("short").to_le_bytes();
        if text.chars().all(|char| u32::from(char) < 0x100) {
            let bytes: Vec<u8> = text.chars().filter_map(|char| u8::try_from(char).ok()).collect();
            return [&count(bytes.len())[..], &[1], &bytes].concat();
        }
        let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        [&count(units.len() / 2)[..], &[0], &units].concat()
    }

    fn origin(scheme: &str, host: &str, port: Option<u16>) -> Vec<u8> {
        let port = port.map_or(vec![0], |port| [&[1], &port.to_le_bytes()[..]].concat());
        [text(scheme), text(host), port].concat()
    }

    #[test]
    fn the_origin_of_the_frame_counts_and_another_one_above_is_its_partition() {
        let app = origin("http", "127.0.0.1", Some(8571));
        let other = origin("https", "bücher.example", None);
        let wide = origin("https", "日本.example", None);
        let whose = |origin: &str, partition: Option<&str>| {
            Some(Whose { origin: Some(origin.to_owned()), partition: partition.map(str::to_owned) })
        };
        let both = |top: &[u8], frame: &[u8]| decode_origin_file(&[top, frame].concat());
        assert_eq!(both(&app, &app), whose("http://127.0.0.1:8571", None));
        assert_eq!(both(&app, &other), whose("https://bücher.example", Some("http://127.0.0.1:8571")));
        assert_eq!(both(&wide, &app), whose("http://127.0.0.1:8571", Some("https://日本.example")));
    }

    #[test]
    fn an_origin_file_that_was_cut_or_went_on_tells_nothing() {
        let file = [origin("http", "日本", Some(8571)), origin("http", "a", None)].concat();
        assert!(decode_origin_file(&file).is_some());
        for length in 0..file.len() {
            assert_eq!(decode_origin_file(&file[..length]), None);
        }
        assert_eq!(decode_origin_file(&[&file[..], &[0]].concat()), None);
        assert_eq!(decode_origin_file(&[0xFF; 64]), None);
    }

    #[test]
    fn an_origin_of_signs_that_none_can_have_is_refused() {
        let both = |scheme: &str, host: &str| {
            let one = origin(scheme, host, None);
            decode_origin_file(&[&one[..], &one].concat()).is_some()
        };
        for (scheme, host) in
            [("http", "[::1]"), ("https", "my_app.example"), ("tauri", "localhost"), ("file", "")]
        {
            assert!(both(scheme, host), "{scheme} {host}");
        }
        for (scheme, host) in [
            ("http", "127.0/0.1"),
            ("http", "127.0±0.1"),
            ("http", ""),
            ("https", "App.example"),
            ("https", "a b"),
            ("https", "a:1"),
            ("https", "a\0"),
            ("https", "[g]"),
            ("h ttp", "a"),
            ("1ttp", "a"),
        ] {
            assert!(!both(scheme, host), "{scheme} {host}");
        }
    }

    #[test]
    fn an_origin_file_with_any_bit_changed_is_read_or_refused() {
        let mut file = [origin("http", "日本", Some(8571)), origin("http", "a", None)].concat();
        for at in 0..file.len() {
            for bit in 0..8 {
                file[at] ^= 1 << bit;
                let _ = decode_origin_file(&file);
                file[at] ^= 1 << bit;
            }
        }
    }

    #[test]
    fn file_names_tell_scheme_host_and_port() {
        for (name, origin) in [
            ("http_127.0.0.1_8571.localstorage", "http://127.0.0.1:8571"),
            ("https_my_app.example_0.localstorage", "https://my_app.example"),
            ("https_app.example_443.localstorage", "https://app.example"),
            ("file__0.localstorage", "file://"),
            ("http_[%3A%3A1]_80.localstorage", "http://[::1]"),
            ("https_%+65E5.example_0.localstorage", "https://日.example"),
        ] {
            let whose = of_file_name(name).expect("decoded");
            assert_eq!((whose.origin.as_deref(), whose.partition), (Some(origin), None));
        }
        for name in [
            "localstorage.sqlite3",
            "https_app.localstorage",
            "a_b_c.localstorage",
            "_a_0.localstorage",
            "a_%_0.localstorage",
            "a_%é_0.localstorage",
            "a_%+1_0.localstorage",
            "https_a_70000.localstorage",
        ] {
            assert_eq!(of_file_name(name), None, "{name}");
        }
    }
}
