//! The clock shows any time, or goes backwards: names stay valid and unique, and nothing is taken for older.

use std::path::Path;

use jiff::Timestamp;
use parklite::clock::FixedClock;
use parklite::export::{ExportOptions, export, plan_export};
use parklite::progress::Silent;
use parklite::restore::{ExistingDatabase, RestoreOptions, restore};
use parklite::run::{Interrupt, Run};
use rusqlite::Connection;

use crate::support::{
    PATIENCE, dump, ending, export_options, names, parklite, quick_folder, restore_fresh, run,
};

fn create(path: &Path) {
    let connection = Connection::open(path).expect("created");
    connection.execute_batch("CREATE TABLE t(v); INSERT INTO t VALUES (1), ('two')").expect("filled");
}

fn at(clock: &FixedClock, act: impl FnOnce(Run<'_>)) {
    act(Run { progress: &Silent, clock, interrupt: &Interrupt::new() });
}

/// The last one is the end of 32 bits of seconds, and the first second after it.
const TIMES: [(&str, &str); 7] = [
    ("1970-01-01T00:00:00Z", "1970-01-01T00-00-00Z"),
    ("1969-12-31T23:59:59Z", "1969-12-31T23-59-59Z"),
    ("2016-12-31T23:59:59.999Z", "2016-12-31T23-59-59Z"),
    ("2038-01-19T03:14:08Z", "2038-01-19T03-14-08Z"),
    ("2106-02-07T06:28:16Z", "2106-02-07T06-28-16Z"),
    ("9999-12-30T21:59:59Z", "9999-12-30T21-59-59Z"),
    ("0001-01-01T00:00:00Z", "0001-01-01T00-00-00Z"),
];

#[test]
fn names_and_manifests_are_valid_at_any_time() {
    let folder = quick_folder();
    let source = folder.path().join("source.db");
    create(&source);
    for (index, (time, in_names)) in TIMES.into_iter().enumerate() {
        let clock = FixedClock(time.parse::<Timestamp>().expect("a time"));
        let output = folder.path().join(format!("out-{index}"));
        at(&clock, |run| {
            let options = ExportOptions { output: None, ..export_options(Path::new("")) };
            let plan = plan_export(&source, &options, run).expect("planned");
            assert_eq!(plan.output, Path::new(&format!("source-{in_names}")));
            let report = export(&source, &export_options(&output), run).expect("exported");
            assert_eq!(report.taken_at_utc, time.replace(".999", ""));
        });
        restore_fresh(&output, &folder.path().join(format!("restored-{index}.db"))).expect("restored");
    }
    let extremes = [Timestamp::MIN, Timestamp::MAX];
    for time in extremes {
        at(&FixedClock(time), |run| {
            let options = ExportOptions { output: None, ..export_options(Path::new("")) };
            let plan = plan_export(&source, &options, run).expect("planned");
            let name = plan.output.to_str().expect("readable").to_string();
            assert!(name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-'), "{name}");
        });
    }
}

#[test]
fn databases_kept_aside_have_names_of_their_own_when_the_clock_stands_still_or_goes_backwards() {
    let folder = quick_folder();
    let path = |name: &str| folder.path().join(name);
    create(&path("source.db"));
    at(&FixedClock(Timestamp::UNIX_EPOCH), |run| {
        export(&path("source.db"), &export_options(&path("out")), run).expect("exported");
    });
    create(&path("target.db"));
    let options = RestoreOptions {
        existing: ExistingDatabase::KeepAside,
        verify: true,
        strict: false,
        memory_limit_bytes: 64 << 20,
        temp_folder: None,
        busy_timeout: PATIENCE,
    };
    let mut kept = Vec::new();
    for seconds in [1_000, 1_000, 1_000, 999, 0] {
        let mark = Connection::open(path("target.db")).expect("opened");
        mark.execute_batch(&format!("CREATE TABLE mark_{}(v)", kept.len())).expect("marked");
        drop(mark);
        let before = dump(&path("target.db")).expect("healthy");
        at(&FixedClock(Timestamp::from_second(seconds).expect("a time")), |run| {
            let report = restore(&path("out"), &path("target.db"), &options, run).expect("restored");
            kept.push((report.kept_aside.expect("kept"), before));
        });
    }
    for (name, content) in &kept {
        assert_eq!(dump(name).as_ref(), Ok(content), "{}", name.display());
    }
    let mut found: Vec<_> = kept.iter().map(|(name, _)| name.file_name().expect("a name")).collect();
    found.sort();
    found.dedup();
    assert_eq!(found.len(), kept.len(), "{found:?}");
}

#[test]
fn the_time_zone_changes_no_name() {
    for zone in
        ["UTC", "Asia/Kathmandu", "Pacific/Kiritimati", "America/St_Johns", "XYZ-25:61", "nonsense", ""]
    {
        let folder = quick_folder();
        create(&folder.path().join("source.db"));
        let before = Timestamp::now().as_second();
        let ended = run(parklite(folder.path(), ["export", "source.db"]).env("TZ", zone));
        let after = Timestamp::now().as_second();
        assert!(ended.status.success(), "{zone}: {}", ending(&ended));
        let found = names(folder.path());
        let expected: Vec<String> = (before..=after)
            .map(|second| {
                let time = Timestamp::from_second(second).expect("a time").to_string();
                format!("source-{}", time.replace(':', "-"))
            })
            .collect();
        let made = found.iter().find(|name| *name != "source.db").expect("a snapshot");
        assert!(expected.contains(made), "{zone}: {made}, not one of {expected:?}");
    }
}
