//! Logs: several of them, records at the ends of blocks, ends that come too early, gaps.

use parklite::error::ErrorKind;
use parklite::local_storage::chromium::{Selection, read_leveldb};
use parklite::run::Interrupt;

use super::*;

#[test]
fn the_previous_log_counts_where_the_manifest_names_one_and_older_ones_do_not() {
    let folder = folder();
    write(&folder, "000003.log", &log(&[changes(1, &[("a", Some("previous")), ("b", Some("previous"))])]));
    write(&folder, "000005.log", &log(&[changes(3, &[("a", Some("current"))])]));
    write(&folder, "000002.log", &log(&[changes(90, &[("a", Some("of no use"))])]));
    write(&folder, "000004.log", &log(&[changes(95, &[("b", Some("of no use"))])]));
    Manifest::new(5, 6).previous_log(3).write(folder.path());
    let reading = read(folder.path());
    assert_eq!(
        (shown(&reading), reading.problems),
        (vec!["a=current".to_owned(), "b=previous".to_owned()], vec![])
    );
    Manifest::new(5, 6).write(folder.path());
    assert_eq!(of(folder.path()), ["a=current"]);
}

#[test]
fn a_gap_in_the_numbers_of_changes_is_told_though_every_checksum_is_right() {
    let folder = folder();
    let [one, two, three] = [
        changes(1, &[("a", Some("1")), ("b", Some("2"))]),
        changes(3, &[("a", None)]),
        changes(4, &[("c", Some("4"))]),
    ];
    Manifest::new(4, 5).write(folder.path());
    write(&folder, "000004.log", &log(&[one.clone(), two, three.clone()]));
    let reading = read(folder.path());
    assert_eq!((shown(&reading), reading.problems.len()), (vec!["b=2".to_owned(), "c=4".to_owned()], 0));
    write(&folder, "000004.log", &log(&[one.clone(), three.clone()]));
    let reading = read(folder.path());
    // The browser goes on with what it finds.
    assert_eq!(shown(&reading), ["a=1", "b=2", "c=4"]);
    assert!(
        is_incomplete(&reading)
            && tells(&reading, "a gap here: 1 change is missing, as after a power failure")
    );
    // Between two logs in use, the older one is cut.
    write(&folder, "000004.log", &log(&[one]));
    write(&folder, "000005.log", &log(&[three]));
    let reading = read(folder.path());
    assert_eq!(shown(&reading), ["c=4"]);
    assert!(is_incomplete(&reading) && tells(&reading, "a gap here: 1 change is lost"));
    assert_eq!(shown(&read_with_doubtful(folder.path())), ["a=1", "b=2", "c=4"]);
}

#[test]
fn a_torn_record_that_the_browser_wrote_on_behind_costs_nothing() {
    let folder = folder();
    let mut bytes = log(&[changes(1, &[("a", Some("1"))])]);
    let mut torn = Vec::new();
    append_record(&mut torn, &changes(2, &[("a", Some("never there"))]));
    // A record of a header's length was begun; the log was then used on, from the next change on.
    bytes.extend(&torn[..20]);
    bytes.resize(32_768, 0);
    append_record(&mut bytes, &changes(2, &[("b", Some("2"))]));
    write(&folder, "000004.log", &bytes);
    Manifest::new(4, 5).write(folder.path());
    let reading = read(folder.path());
    assert_eq!(shown(&reading), ["a=1", "b=2"]);
    assert!(tells(&reading, "no change is missing") && !is_incomplete(&reading));
}

#[test]
fn a_log_that_ends_in_zeros_is_told() {
    let folder = folder();
    let mut bytes = log(&[changes(1, &[("a", Some("1"))])]);
    bytes.resize(70_000, 0);
    write(&folder, "000004.log", &bytes);
    Manifest::new(4, 5).write(folder.path());
    let reading = read(folder.path());
    assert_eq!(shown(&reading), ["a=1"]);
    assert!(is_incomplete(&reading) && tells(&reading, "it ends in zeros: the last changes are missing"));
    // A record behind the zeros shows that something was there.
    bytes.truncate(65_536);
    append_record(&mut bytes, &changes(9, &[("b", Some("9"))]));
    write(&folder, "000004.log", &bytes);
    let reading = read(folder.path());
    assert_eq!(shown(&reading), ["b=9"]);
    assert!(tells(&reading, "there are zeros where records should be: 7 changes are lost"));
}

/// No crash removes a log, and what it held may be newer than anything.
#[test]
fn a_log_that_the_manifest_needs_and_that_is_missing_brings_no_older_value_back_unless_asked() {
    let folder = folder();
    let made = items(&[("a", 1, Some("1"))], 1);
    write(&folder, "000005.ldb", &made.bytes);
    Manifest::new(6, 7).table(0, 5, &made).write(folder.path());
    let reading = read(folder.path());
    assert_eq!(shown(&reading), [""; 0]);
    assert!(
        is_incomplete(&reading)
            && tells(&reading, "000006.log: the log is missing: the changes there are lost")
    );
    assert_eq!(shown(&read_with_doubtful(folder.path())), ["a=1"]);
    write(&folder, "000007.log", &log(&[changes(9, &[("b", Some("9"))])]));
    assert_eq!(of(folder.path()), ["b=9"]);
}

#[test]
fn a_record_may_begin_at_any_distance_from_the_end_of_a_block() {
    let folder = folder();
    Manifest::new(4, 5).write(folder.path());
    let rest = [changes(2, &[("b", Some("2"))]), changes(3, &[("c", Some(&"3".repeat(40_000)))])];
    let overhead = log(&[changes(1, &[("a", Some(&"x".repeat(30_000)))])]).len() - 30_000;
    for left in 0..40 {
        let padding = "x".repeat(32_768 - overhead - left);
        let mut bytes = log(&[changes(1, &[("a", Some(&padding))])]);
        assert_eq!(bytes.len(), 32_768 - left);
        for record in &rest {
            append_record(&mut bytes, record);
        }
        write(&folder, "000004.log", &bytes);
        let reading = read(folder.path());
        assert_eq!((reading.storages[0].items.len(), reading.problems.len()), (3, 0), "{left} bytes left");
        assert_eq!(shown(&reading)[1], "b=2");
    }
}

#[test]
fn a_batch_over_several_blocks_of_a_log_is_all_or_nothing() {
    let folder = folder();
    let long = "x".repeat(100_000);
    let mut bytes =
        log(&[changes(1, &[("first", Some("1"))]), changes(2, &[("long", Some(&long)), ("a", Some("2"))])]);
    append_record(&mut bytes, &changes(4, &[("last", Some("3"))]));
    write(&folder, "000004.log", &bytes);
    Manifest::new(4, 5).write(folder.path());
    assert_eq!(of(folder.path()).len(), 4);
    for at in [33_000, 70_000, 99_000] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        write(&folder, "000004.log", &damaged);
        let reading = read(folder.path());
        assert_eq!(shown(&reading), ["last=3"]);
        assert!(tells(&reading, "2 changes are lost"));
        assert_eq!(shown(&read_with_doubtful(folder.path())), ["first=1", "last=3"]);
    }
}

#[test]
fn a_log_that_is_empty_before_another_one_in_use_is_told() {
    let folder = folder();
    write(&folder, "000003.log", b"");
    write(&folder, "000005.log", &log(&[changes(9, &[("a", Some("1"))])]));
    Manifest::new(5, 6).previous_log(3).write(folder.path());
    let reading = read(folder.path());
    assert_eq!(shown(&reading), ["a=1"]);
    assert!(
        is_incomplete(&reading) && tells(&reading, "000003.log: the log is empty though another one follows")
    );
    // With nothing behind it, it is the log of a browser that has changed nothing yet.
    write(&folder, "000005.log", b"");
    assert_eq!(read(folder.path()).problems, []);
}

#[test]
fn of_very_many_problems_in_a_log_the_first_ones_are_told_and_the_others_counted() {
    let folder = folder();
    let records: Vec<_> = (1..=100).map(|number| changes(number * 2, &[("a", Some("v"))])).collect();
    write(&folder, "000004.log", &log(&records));
    Manifest::new(4, 5).write(folder.path());
    let reading = read(folder.path());
    assert_eq!((reading.problems.len(), shown(&reading)), (51, vec!["a=v".to_owned()]));
    assert!(is_incomplete(&reading) && tells(&reading, "logs: 49 problems more in the logs"));
}

/// The system opens this file, and does not read from it.
#[cfg(target_os = "linux")]
#[test]
fn a_log_that_cannot_be_read_costs_what_is_in_it_and_not_the_tables() {
    let folder = folder();
    let made = items(&[("a", 1, Some("1")), ("b", 2, Some("2"))], 1);
    write(&folder, "000005.ldb", &made.bytes);
    write(&folder, "000007.log", &log(&[changes(9, &[("b", Some("9"))])]));
    Manifest::new(6, 7).table(0, 5, &made).write(folder.path());
    std::os::unix::fs::symlink("/proc/self/mem", folder.path().join("000006.log")).expect("a link");
    let reading = read(folder.path());
    assert_eq!(shown(&reading), ["b=9"]);
    assert!(is_incomplete(&reading) && tells(&reading, "000006.log: it cannot be read: "));
    assert_eq!(shown(&read_with_doubtful(folder.path())), ["a=1", "b=9"]);
}

#[test]
fn a_reading_ends_when_the_run_is_interrupted() {
    let folder = folder();
    write(&folder, "000004.log", &log(&[changes(1, &[("a", Some("1"))])]));
    Manifest::new(4, 5).write(folder.path());
    let interrupt = Interrupt::new();
    interrupt.set();
    let error = read_leveldb(folder.path(), &Selection::default(), &interrupt).expect_err("interrupted");
    assert_eq!(error.kind(), ErrorKind::Interrupted);
}

/// In the square of their number this would take minutes.
#[test]
fn a_manifest_of_very_many_edits_is_read_in_one_pass() {
    const TABLES: u64 = 30_000;
    let folder = folder();
    let made = items(&[("a", 1, Some("1"))], 1);
    let first = Manifest::new(3, 9 * TABLES).edit();
    let edits = (0..TABLES).map(|number| Manifest::default().table(2, 100 + number, &made).edit());
    write(&folder, "MANIFEST-000001", &log(&std::iter::once(first).chain(edits).collect::<Vec<_>>()));
    write(&folder, "CURRENT", b"MANIFEST-000001\n");
    write(&folder, "000003.log", &log(&[changes(9, &[("b", Some("9"))])]));
    let reading = read_with_doubtful(folder.path());
    assert_eq!(shown(&reading), ["b=9"]);
    assert!(tells(&reading, "000100.ldb: MANIFEST-000001 names a table"));
}
