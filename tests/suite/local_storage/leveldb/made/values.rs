//! Strings, storage keys and what the browser noted: values that the real profiles do not have.

use parklite::local_storage::chromium::MAX_UNITS;
use parklite::local_storage::chromium::list_leveldb;
use parklite::local_storage::code_units::CodeUnits;
use parklite::run::Interrupt;

use super::*;

#[test]
fn values_of_a_mebibyte_come_through_logs_and_tables() {
    let folder = folder();
    let long: String = (0..1_048_576_u32)
        .map(|at| char::from(b' ' + (at.wrapping_mul(2_654_435_761) >> 26) as u8))
        .collect();
    let wide: Vec<u16> = (0..1_048_576_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 16) as u16).collect();
    let (in_table, in_log) = (key("in-table"), key("in-log"));
    let made = table(&[(&in_table, 1, Some(&latin1(&long)))], 1, &[Packing::Zstd]);
    write(&folder, "000005.ldb", &made.bytes);
    write(&folder, "000004.log", &log(&[batch(2, &[(&in_log, Some(&utf16(&wide)))])]));
    Manifest::new(4, 6).table(2, 5, &made).write(folder.path());
    let reading = read(folder.path());
    assert_eq!(reading.problems, []);
    let items = &reading.storages[0].items;
    assert!(items[0].value == CodeUnits::new(wide) && items[1].value == CodeUnits::from(&long[..]));
    assert_eq!(
        list_leveldb(folder.path(), &Interrupt::new()).expect("read").storages[0].size_bytes,
        3 * 1_048_576 + 2 + 15 + 1
    );
}

#[test]
fn a_value_beyond_the_limit_is_told_and_costs_nothing_else() {
    let folder = folder();
    let (large, small) = (key("large"), key("small"));
    let value = vec![1; MAX_UNITS + 2];
    write(&folder, "000004.log", &log(&[batch(1, &[(&large, Some(&value)), (&small, Some(b"\x01ok"))])]));
    Manifest::new(4, 5).write(folder.path());
    let reading = read(folder.path());
    assert_eq!(shown(&reading), ["small=ok"]);
    assert!(
        is_incomplete(&reading)
            && tells(&reading, "the first one \"large\": its value is no string: it is longer")
    );
}

#[test]
fn partitions_of_every_kind_are_storages_of_their_own() {
    let folder = folder();
    let keys = [
        "https://w.example",
        "https://w.example/^0https://top.example",
        "https://w.example/^31",
        "https://w.example/^11^22",
        "https://w.example/^43^54^6https://pre.example",
        "file://",
        "http://w.example:8080",
    ];
    let owned: Vec<_> = keys.iter().map(|storage| (item_key(storage, "k"), latin1(storage))).collect();
    let changes: Vec<Change<'_>> = owned.iter().map(|(key, value)| (&key[..], Some(&value[..]))).collect();
    write(&folder, "000004.log", &log(&[batch(1, &changes)]));
    Manifest::new(4, 5).write(folder.path());
    let found: Vec<_> = texts(&read(folder.path())).into_keys().map(|(place, _)| place).collect();
    assert_eq!(
        found,
        [
            "file://",
            "http://w.example:8080",
            "https://w.example",
            "https://w.example in ^11^22",
            "https://w.example in ^31",
            "https://w.example in ^43^54^6https://pre.example",
            "https://w.example in https://top.example",
        ]
    );
}

#[test]
fn strings_are_code_units_and_the_same_key_in_both_encodings_is_one_key() {
    let folder = folder();
    let units = [0xD83D, 0, 0xFEFF, 0xDC00, 0x41];
    let odd_key = [b"_", A.as_bytes(), b"\0", &utf16(&units)[..]].concat();
    let wide_key = [b"_", A.as_bytes(), b"\0", &utf16(&[0x78])[..]].concat();
    let empty = [b"_", A.as_bytes(), b"\0\x01"].concat();
    let narrow_key = key("x");
    let made = batch(
        1,
        &[
            (&odd_key, Some(&utf16(&units))),
            (&wide_key, Some(b"\x01newer")),
            (&narrow_key, Some(b"\x01older")),
            (&wide_key, Some(b"\x01newest")),
            (&empty, Some(b"\x01")),
        ],
    );
    write(&folder, "000004.log", &log(&[made]));
    Manifest::new(4, 5).write(folder.path());
    let reading = read(folder.path());
    let items = &reading.storages[0].items;
    assert_eq!(items.len(), 3);
    assert!(items[0].key.is_empty() && items[0].value.is_empty());
    assert_eq!((&items[1].key, &items[1].value), (&"x".into(), &"newest".into()));
    assert_eq!((items[2].key.as_slice(), items[2].value.as_slice()), (&units[..], &units[..]));
    assert!(tells(&reading, "there in both encodings") && !is_incomplete(&reading));
}

#[test]
fn items_that_are_no_strings_are_told_and_the_others_are_read() {
    let folder = folder();
    let (good, odd, unknown) = (key("good"), key("odd"), key("unknown"));
    let made = batch(1, &[(&good, Some(b"\x01v")), (&odd, Some(b"\x00\x41")), (&unknown, Some(b"\x07v"))]);
    write(&folder, "000004.log", &log(&[made]));
    Manifest::new(4, 5).write(folder.path());
    let reading = read(folder.path());
    assert_eq!(shown(&reading), ["good=v"]);
    assert!(is_incomplete(&reading));
    assert!(tells(
        &reading,
        "2 items that cannot be read, the first one \"odd\": its value is no string: it ends inside"
    ));
}

#[test]
fn a_size_that_the_browser_noted_otherwise_is_told() {
    let folder = folder();
    let item = key("a");
    let meta = [b"META:", A.as_bytes()].concat();
    for (noted, problem_count, incomplete) in [(4, 0, false), (5, 1, true), (3, 1, false)] {
        // A time, and the size.
        let metadata = [&b"\x08\xd1\xde\xd2\xf8\x8b\xe9\xef\x17\x10"[..], &[noted]].concat();
        write(&folder, "000004.log", &log(&[batch(1, &[(&item, Some(b"\x01v")), (&meta, Some(&metadata))])]));
        Manifest::new(4, 5).write(folder.path());
        let reading = read(folder.path());
        assert_eq!(reading.storages[0].changed_at_us, Some(1_795_169_469_755_217));
        assert_eq!((reading.problems.len(), is_incomplete(&reading)), (problem_count, incomplete));
    }
}
