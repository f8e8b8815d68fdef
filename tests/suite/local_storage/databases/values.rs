//! Values of real files, cut and changed in every row.

use parklite::local_storage::chromium::{decode_string, unpack_value};
use parklite::local_storage::firefox::value::{Stored, decode_value};

use super::*;

/// Every place of short values, and some of long ones.
fn places(length: usize) -> impl Iterator<Item = usize> {
    let step = if fixtures::is_full() { 1 } else { (length / 400).max(1) };
    (0..length).step_by(step)
}

#[test]
fn values_of_firefox_that_were_cut_or_changed_are_told_by_their_length() {
    let (_copy, files) = copied("firefox-lsng");
    let (mut cuts, mut changes, mut rows) = (0, 0, 0);
    for file in &files {
        let connection = Connection::open(file).expect("opens");
        let sql = "SELECT utf16_length, conversion_type, compression_type, CAST(value AS BLOB) FROM data";
        let mut statement = connection.prepare(sql).expect("prepares");
        let mut found = statement.query([]).expect("runs");
        while let Some(row) = found.next().expect("steps") {
            let (length, conversion_type, compression_type): (i64, i64, i64) =
                (row.get(0).expect("reads"), row.get(1).expect("reads"), row.get(2).expect("reads"));
            let mut value: Vec<u8> = row.get(3).expect("reads");
            let stored = Stored { utf16_length: Some(length), conversion_type, compression_type };
            let whole = decode_value(stored, &value).expect("decodes");
            for cut in places(value.len()) {
                assert!(decode_value(stored, &value[..cut]).is_err(), "{stored:?} {cut}");
                cuts += 1;
            }
            for at in places(value.len()) {
                let bit = 1 << (at % 8);
                value[at] ^= bit;
                if let Ok(changed) = decode_value(stored, &value) {
                    assert_eq!(changed.len(), whole.len());
                }
                value[at] ^= bit;
                changes += 1;
            }
            rows += 1;
        }
    }
    assert_eq!(rows, 52);
    eprintln!("{cuts} cuts and {changes} changed bits of values of Firefox");
}

#[test]
fn values_of_chromium_that_were_cut_or_changed_are_told_where_they_are_packed() {
    let (_copy, files) = copied("chromium-sqlite");
    let connection = Connection::open(&files[0]).expect("opens");
    let mut statement =
        connection.prepare("SELECT value_compression_type, value FROM map_entries").expect("prepares");
    let mut found = statement.query([]).expect("runs");
    let (mut cuts, mut changes, mut packed) = (0, 0, 0);
    while let Some(row) = found.next().expect("steps") {
        let (kind, mut value): (i64, Vec<u8>) = (row.get(0).expect("reads"), row.get(1).expect("reads"));
        let whole = unpack_value(kind, &value).expect("unpacks").into_owned();
        packed += usize::from(kind != 0);
        for cut in places(value.len()) {
            match unpack_value(kind, &value[..cut]) {
                Ok(unpacked) if kind == 0 => assert!(unpacked.len() < whole.len()),
                unpacked => assert!(unpacked.is_err(), "{kind} {cut}"),
            }
            cuts += 1;
        }
        for at in places(value.len()) {
            let bit = 1 << (at % 8);
            value[at] ^= bit;
            if let Ok(unpacked) = unpack_value(kind, &value) {
                let _ = decode_string(&unpacked);
            }
            value[at] ^= bit;
            changes += 1;
        }
    }
    assert!(packed > 3);
    eprintln!("{cuts} cuts and {changes} changed bits of values of Chromium");
}

/// What the decoder of one value cannot see, the sum that the browser noted shows.
#[test]
fn a_value_that_was_cut_in_its_row_is_told_by_the_browsers_own_count() {
    for (fixture, sql) in [
        (
            "chromium-sqlite",
            "UPDATE map_entries SET value = substr(value, 1, length(value) - 2)
             WHERE value_compression_type = 0 AND length(value) > 9",
        ),
        ("chromium-sqlite", "DELETE FROM map_entries WHERE map_id = 2 AND value_compression_type = 1"),
        ("firefox-lsng", "DELETE FROM data WHERE length(key) > 7"),
        (
            "firefox-lsng",
            "UPDATE data SET value = substr(value, 1, length(value) - 1) WHERE utf16_length > 3",
        ),
    ] {
        let (_copy, files) = copied(fixture);
        let mut told = 0;
        for file in &files {
            let connection = Connection::open(file).expect("opens");
            let changed = connection.execute(sql, []).expect("writes");
            connection.close().expect("closes");
            assert_eq!(is_told(&read(file).problems), changed > 0, "{fixture}: {sql}");
            told += usize::from(changed > 0);
        }
        assert!(told > 0, "{fixture}: {sql}");
    }
}
