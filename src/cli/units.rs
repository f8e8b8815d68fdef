//! Sizes and durations as people type them.

use std::time::Duration;

use parklite::budget::LEAST_LIMIT_BYTES;

/// Reads `256MiB`, `1g`, `500000`: bytes; units are powers of 1024 whether written `MB`, `MiB` or `M`.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let (number, unit) = split_unit(text);
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        _ => return Err("write a size like 256MiB or 1GiB".to_string()),
    };
    let number: u64 = number.parse().map_err(|_| "write a size like 256MiB or 1GiB".to_string())?;
    number.checked_mul(factor).ok_or_else(|| "that size is too large".to_string())
}

/// The memory limit of a verb that is given none, in bytes.
pub(crate) const DEFAULT_MEMORY_LIMIT_BYTES: u64 = 256 << 20;

/// Reads a memory limit, which cannot be arbitrarily small.
pub(crate) fn parse_memory(text: &str) -> Result<u64, String> {
    let bytes = parse_size(text)?;
    if bytes < LEAST_LIMIT_BYTES {
        return Err(format!("the least that can be kept to is {}MiB", LEAST_LIMIT_BYTES >> 20));
    }
    Ok(bytes)
}

/// Reads `10s`, `500ms`, `2m`, `30` (seconds).
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split_unit(text);
    let usage = || "write a time like 10s, 500ms or 2m".to_string();
    let number: u64 = number.parse().map_err(|_| usage())?;
    let millis = match unit {
        "" | "s" => 1_000,
        "ms" => 1,
        "m" | "min" => 60_000,
        _ => return Err(usage()),
    };
    number
        .checked_mul(millis)
        .filter(|millis| *millis <= 86_400_000)
        .map(Duration::from_millis)
        .ok_or_else(usage)
}

fn split_unit(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    (&text[..end], text[end..].trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_read_as_people_write_them() {
        assert_eq!(parse_size("256MiB"), Ok(256 << 20));
        assert_eq!(parse_size("1g"), Ok(1 << 30));
        assert_eq!(parse_size("12"), Ok(12));
        assert!(
            parse_size("many").is_err() && parse_size("99999999999G").is_err() && parse_size("").is_err()
        );
        assert!(parse_memory("1MiB").is_err());
        assert_eq!(parse_duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("2m"), Ok(Duration::from_mins(2)));
        assert!(parse_duration("-1").is_err() && parse_duration("3 weeks").is_err());
    }
}
