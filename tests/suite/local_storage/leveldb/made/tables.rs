//! Tables: every way of packing, levels, deletions over several of them, and manifests that do not fit.

use std::fs;

use tempfile::TempDir;

use super::*;

#[test]
fn blocks_are_read_however_they_are_packed_and_tables_under_their_old_name() {
    let folder = folder();
    let names: Vec<String> = (0..30).map(|number| format!("k{number:02}")).collect();
    let owned: Vec<_> = names.iter().map(|name| (key(name), latin1(&name.repeat(50)))).collect();
    let entries: Vec<Entry<'_>> =
        owned.iter().zip(1..).map(|((key, value), at)| (&key[..], at, Some(&value[..]))).collect();
    let made = table(&entries, 3, &[Packing::Plain, Packing::Snappy, Packing::Zstd]);
    write(&folder, "000005.sst", &made.bytes);
    write(&folder, "000004.log", b"");
    Manifest::new(4, 6).table(0, 5, &made).write(folder.path());
    let reading = read(folder.path());
    assert_eq!(reading.problems, []);
    let expected: Vec<String> = names.iter().map(|name| format!("{name}={}", name.repeat(50))).collect();
    assert_eq!(shown(&reading), expected);
}

/// Three levels and a log: everywhere the newest change counts, and deletions hide what is below.
fn levels() -> (TempDir, Table, Table, Table) {
    let folder = folder();
    let bottom =
        items(&[("a", 1, Some("1")), ("b", 2, Some("2")), ("c", 3, Some("3")), ("d", 4, Some("4"))], 1);
    let middle = items(&[("a", 11, None), ("b", 12, Some("12")), ("c", 13, None)], 1);
    let top = items(&[("a", 21, Some("21")), ("b", 22, None)], 1);
    write(&folder, "000003.ldb", &bottom.bytes);
    write(&folder, "000005.ldb", &middle.bytes);
    write(&folder, "000007.ldb", &top.bytes);
    write(
        &folder,
        "000008.log",
        &log(&[changes(31, &[("c", Some("31")), ("d", None)]), changes(33, &[("d", Some("33"))])]),
    );
    Manifest::new(8, 9).table(2, 3, &bottom).table(1, 5, &middle).table(0, 7, &top).write(folder.path());
    (folder, bottom, middle, top)
}

#[test]
fn the_newest_change_counts_over_all_levels_and_a_deletion_is_one() {
    let (folder, ..) = levels();
    let reading = read(folder.path());
    assert_eq!(reading.problems, []);
    assert_eq!(shown(&reading), ["a=21", "c=31", "d=33"]);
}

#[test]
fn where_a_newer_deletion_was_lost_the_older_value_is_doubtful() {
    let (folder, _, _, top) = levels();
    let mut bytes = top.bytes.clone();
    // The second block holds the deletion of "b".
    bytes[top.blocks[1]] ^= 1;
    write(&folder, "000007.ldb", &bytes);
    let reading = read(folder.path());
    assert_eq!(shown(&reading), ["a=21", "c=31", "d=33"]);
    assert!(
        is_incomplete(&reading)
            && tells(&reading, "left out as doubtful: 1 of 4 items")
            && tells(&reading, "\"b\"")
    );
    assert_eq!(shown(&read_with_doubtful(folder.path())), ["a=21", "b=12", "c=31", "d=33"]);
}

#[test]
fn what_is_surely_newer_than_the_lost_part_is_not_doubtful() {
    let (folder, bottom, ..) = levels();
    // The lowest level, as a whole: nothing below it can come to light.
    write(&folder, "000003.ldb", &bottom.bytes[..40]);
    let reading = read(folder.path());
    assert_eq!(shown(&reading), ["a=21", "c=31", "d=33"]);
    assert!(tells(&reading, "000003.ldb, byte 0: the file is too short") && is_incomplete(&reading));
    assert!(!tells(&reading, "left out"));
}

#[test]
fn a_table_that_is_named_and_missing_is_told_and_makes_older_values_doubtful() {
    let (folder, ..) = levels();
    fs::remove_file(folder.path().join("000007.ldb")).expect("removing");
    let reading = read(folder.path());
    assert_eq!(shown(&reading), ["c=31", "d=33"]);
    assert!(tells(&reading, "000007.ldb: MANIFEST-000001 names a table") && is_incomplete(&reading));
    assert_eq!(shown(&read_with_doubtful(folder.path())), ["b=12", "c=31", "d=33"]);
}

#[test]
fn of_two_tables_of_the_top_level_the_one_with_the_larger_number_is_newer() {
    let folder = folder();
    let older = items(&[("a", 1, Some("old")), ("b", 2, Some("old"))], 9);
    let newer = items(&[("a", 3, Some("new"))], 9);
    write(&folder, "000005.ldb", &older.bytes);
    write(&folder, "000006.ldb", &newer.bytes);
    write(&folder, "000004.log", b"");
    Manifest::new(4, 7).table(0, 5, &older).table(0, 6, &newer).write(folder.path());
    assert_eq!(of(folder.path()), ["a=new", "b=old"]);
    // Without the older one "a" stands; without the newer one, "a" is in doubt and "b" is not.
    write(&folder, "000005.ldb", b"");
    assert_eq!(of(folder.path()), ["a=new"]);
    write(&folder, "000005.ldb", &older.bytes);
    write(&folder, "000006.ldb", b"");
    assert_eq!(of(folder.path()), ["b=old"]);
}

#[test]
fn a_table_younger_than_the_manifest_is_read_and_told_only_if_it_has_something_new() {
    let folder = folder();
    let named = items(&[("a", 1, Some("1")), ("b", 2, Some("2"))], 1);
    write(&folder, "000005.ldb", &named.bytes);
    write(&folder, "000004.log", b"");
    Manifest::new(4, 6).table(0, 5, &named).write(folder.path());
    // What an interrupted compaction leaves: a copy of what is there.
    write(&folder, "000006.ldb", &items(&[("b", 2, Some("2"))], 1).bytes);
    assert!(read(folder.path()).problems.is_empty());
    write(&folder, "000006.ldb", &items(&[("b", 7, Some("7"))], 1).bytes);
    let reading = read(folder.path());
    assert_eq!(shown(&reading), ["a=1", "b=7"]);
    assert!(is_incomplete(&reading) && tells(&reading, "the manifest is older than this table"));
    write(&folder, "000006.ldb", b"half a table");
    let reading = read(folder.path());
    assert_eq!(shown(&reading), ["a=1", "b=2"]);
    assert!(is_incomplete(&reading) && tells(&reading, "an interrupted compaction"));
    // An older table that is not named is what a compaction replaced.
    fs::remove_file(folder.path().join("000006.ldb")).expect("removing");
    write(&folder, "000003.ldb", &items(&[("deleted", 1, Some("old"))], 1).bytes);
    let reading = read(folder.path());
    assert_eq!((shown(&reading), reading.problems.len()), (vec!["a=1".to_owned(), "b=2".to_owned()], 0));
}

#[test]
fn only_the_tables_that_all_edits_leave_count() {
    let folder = folder();
    let gone = items(&[("a", 1, Some("gone"))], 1);
    let stays = items(&[("b", 2, Some("stays"))], 1);
    write(&folder, "000005.ldb", &gone.bytes);
    write(&folder, "000006.ldb", &stays.bytes);
    write(&folder, "000007.log", b"");
    let first = Manifest::new(4, 7).table(0, 5, &gone).table(0, 6, &stays).edit();
    let second = Manifest::new(7, 8).deleted(0, 5).deleted(0, 6).table(1, 6, &stays).edit();
    write(&folder, "MANIFEST-000001", &log(&[first, second]));
    write(&folder, "CURRENT", b"MANIFEST-000001\n");
    let reading = read(folder.path());
    assert_eq!((shown(&reading), reading.problems.len()), (vec!["b=stays".to_owned()], 0));
}

#[test]
fn the_newest_manifest_is_taken_where_current_does_not_name_one() {
    let folder = folder();
    let old = items(&[("a", 1, Some("old"))], 1);
    write(&folder, "000005.ldb", &old.bytes);
    write(&folder, "000006.log", &log(&[changes(2, &[("b", Some("new"))])]));
    Manifest::new(4, 6).table(0, 5, &old).write(folder.path());
    write(&folder, "MANIFEST-000007", &log(&[Manifest::new(6, 8).edit()]));
    for current in ["", "MANIFEST-000009\n", "MANIFEST-000007"] {
        write(&folder, "CURRENT", current.as_bytes());
        let reading = read(folder.path());
        assert_eq!(shown(&reading), ["b=new"]);
        assert!(tells(&reading, "MANIFEST-000007 was taken") && !is_incomplete(&reading));
    }
    fs::remove_file(folder.path().join("CURRENT")).expect("removing");
    assert!(tells(&read(folder.path()), "CURRENT is missing"));
}

#[test]
fn bytes_behind_the_stated_end_of_a_table_are_not_its_own() {
    let folder = folder();
    let made = items(&[("a", 1, Some("1"))], 1);
    write(&folder, "000005.ldb", &[&made.bytes[..], b"and more"].concat());
    write(&folder, "000004.log", b"");
    Manifest::new(4, 6).table(0, 5, &made).write(folder.path());
    assert_eq!(of(folder.path()), ["a=1"]);
}

#[test]
fn damage_to_a_filter_is_told_and_costs_nothing() {
    let folder = folder();
    let made = items(&[("a", 1, Some("1"))], 1);
    let mut bytes = made.bytes.clone();
    let at = bytes.windows(12).position(|window| window == b"not a filter").expect("found");
    bytes[at] ^= 1;
    write(&folder, "000005.ldb", &bytes);
    write(&folder, "000004.log", b"");
    Manifest::new(4, 6).table(0, 5, &made).write(folder.path());
    let reading = read(folder.path());
    assert_eq!(shown(&reading), ["a=1"]);
    assert!(
        tells(&reading, "a filter: the checksum of the block is wrong: it holds no items")
            && !is_incomplete(&reading)
    );
}

#[test]
fn blocks_that_say_they_are_huge_are_not_unpacked() {
    let folder = folder();
    let (first, second) = (key("first"), key("second"));
    let mut file = Vec::new();
    // 80 MiB of zeros in some kilobytes, with a right checksum.
    let bomb = append_block(&mut file, &vec![0; 80 << 20], Packing::Zstd);
    let entry = (internal_key(&second, 2, true), b"\x012".to_vec());
    let sound = append_block(&mut file, &block(std::slice::from_ref(&entry)), Packing::Plain);
    let meta = append_block(&mut file, &block(&[]), Packing::Plain);
    let index = block(&[(internal_key(&first, 1, true), bomb), (internal_key(&second, 2, true), sound)]);
    let index = append_block(&mut file, &index, Packing::Plain);
    let mut footer = [meta, index].concat();
    footer.resize(40, 0);
    footer.extend([0x57, 0xFB, 0x80, 0x8B, 0x24, 0x75, 0x47, 0xDB]);
    file.extend(footer);
    assert!(file.len() < 20_000);
    write(&folder, "000005.ldb", &file);
    let reading = read(folder.path());
    assert_eq!(shown(&reading), ["second=2"]);
    assert!(tells(&reading, "83886080 bytes unpacked, more than the 67108864"));
}
