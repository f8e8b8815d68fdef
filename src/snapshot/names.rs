//! File names for tables: the table's own name where it is safe everywhere, a number otherwise.

use std::collections::HashSet;

/// The names of the Parquet files for tables of these names, in the same order.
///
/// A name is safe when it starts with a letter or digit, has only ASCII letters, digits, `_` and `-`, is at most 64
/// long, is no device name of Windows, and no other table has it in another case. Otherwise the file is called
/// `table-0007` after the table's ordinal, or the next free number.
#[must_use]
pub fn file_names(tables: &[&[u8]]) -> Vec<String> {
    let lower: Vec<Vec<u8>> = tables.iter().map(|name| name.to_ascii_lowercase()).collect();
    let is_own = |index: usize| {
        is_safe(tables[index]) && lower.iter().filter(|name| **name == lower[index]).count() == 1
    };
    let mut taken: HashSet<String> = (0..tables.len())
        .filter(|&index| is_own(index))
        .map(|index| String::from_utf8_lossy(&lower[index]).into_owned())
        .collect();
    let mut next = |ordinal: usize| {
        let mut number = ordinal;
        loop {
            let name = format!("table-{number:04}");
            if taken.insert(name.clone()) {
                return name;
            }
            number += 1;
        }
    };
    (0..tables.len())
        .map(|index| match std::str::from_utf8(tables[index]) {
            Ok(name) if is_own(index) => format!("{name}.parquet"),
            _ => format!("{}.parquet", next(index + 1)),
        })
        .collect()
}

/// Whether a path in a manifest is one this program could have written: one plain level.
pub(crate) fn is_file_name(path: &str) -> bool {
    path.strip_suffix(".parquet").is_some_and(|stem| is_safe(stem.as_bytes()))
}

fn is_safe(name: &[u8]) -> bool {
    const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];
    let lower = String::from_utf8_lossy(name).to_ascii_lowercase();
    let is_numbered_device = ["com", "lpt"].iter().any(|device| {
        lower
            .strip_prefix(device)
            .is_some_and(|rest| rest.len() == 1 && rest.bytes().all(|byte| byte.is_ascii_digit()))
    });
    name.first().is_some_and(u8::is_ascii_alphanumeric)
        && name.len() <= 64
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        && !DEVICES.contains(&lower.as_str())
        && !is_numbered_device
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_are_safe_everywhere_become_file_names() {
        let long = "x".repeat(65);
        let tables = [
            "events",
            "../x",
            "con",
            "Com1",
            "table-0002",
            "a b",
            "A",
            "a",
            "",
            "näme",
            long.as_str(),
            "_x",
            "com10",
        ];
        let bytes: Vec<&[u8]> = tables.iter().map(|name| name.as_bytes()).collect();
        let names = file_names(&bytes);
        assert_eq!(names[0], "events.parquet");
        assert_eq!(names[1], "table-0003.parquet", "table-0002 is taken by a table of that name");
        assert_eq!(names[4], "table-0002.parquet");
        assert_eq!(names[12], "com10.parquet");
        let distinct: HashSet<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        assert_eq!(distinct.len(), tables.len());
        assert!(names.iter().all(|name| is_file_name(name)), "{names:?}");
    }

    #[test]
    fn paths_that_leave_the_snapshot_are_no_file_names() {
        for path in [
            "../a.parquet",
            "a/b.parquet",
            "/a.parquet",
            ".parquet",
            "a.txt",
            "",
            "nul.parquet",
            "a.b.parquet",
        ] {
            assert!(!is_file_name(path), "{path}");
        }
    }
}
