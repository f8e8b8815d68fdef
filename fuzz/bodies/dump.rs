//! A file of dumps of any bytes: read as one document, by lines, and by lines a byte at a time, which say the same.
//!
//! The first byte of an input chooses whether a key is given and whether the limits are small, since no input is large.

use std::io::BufReader;

use parklite::local_storage::dump::{Dump, DumpOptions, Dumps, could_be_dump, read_dump};

/// One input.
pub fn run(input: &[u8]) {
    let Some((choice, bytes)) = input.split_first() else { return };
    let options = DumpOptions {
        key: (choice & 1 == 1).then(|| "store".into()),
        max_bytes: if choice & 2 == 2 { 64 } else { 1 << 20 },
        max_value_units: if choice & 4 == 4 { 8 } else { 1 << 20 },
    };
    let told = |dump: parklite::error::Result<Dump>| {
        dump.map_err(|error| {
            assert!(error.hint_text().is_some(), "{error} says nothing of what to do");
            error.message().to_owned()
        })
    };
    let whole = told(read_dump(bytes, &options));
    let dumps: Vec<_> = Dumps::new(bytes, options.clone()).map(told).collect();
    let slowly: Vec<_> = Dumps::new(BufReader::with_capacity(1, bytes), options.clone()).map(told).collect();
    assert_eq!(dumps, slowly, "it matters how many bytes come at a time");
    assert!(!dumps.is_empty());
    if whole.is_ok() {
        assert!(could_be_dump(bytes), "a file in a folder would be passed over");
        assert_eq!(dumps, [whole], "one document is not one dump");
    }
    for dump in dumps.iter().flatten() {
        assert!(!dump.reading.storages.is_empty() || !dump.reading.problems.is_empty());
        for storage in &dump.reading.storages {
            assert!(storage.items.is_sorted_by(|a, b| a.key < b.key), "a key came twice");
            assert!(storage.items.iter().all(|item| item.value.len() <= options.max_value_units));
        }
    }
}
