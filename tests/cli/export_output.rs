//! Where a snapshot goes, and where it does not.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;

use crate::place::Place;

#[test]
fn without_an_output_the_snapshot_is_named_after_database_and_time() {
    let place = Place::with_gymlog();
    let ran = place.run("export gymlog.db");
    let names = ran.exits(0).tells_nothing().new_names();
    assert_eq!(names.len(), 1, "{names:?}");
    let name = &names[0];
    ran.prints(name).prints("verified: ").adds(&[name]);
    let shape: String = name.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "gymlog-0000-00-00T00-00-00Z");
    place.run(&format!("verify {name}")).exits(0).changes_nothing();
}

#[test]
fn the_default_name_lies_in_the_present_folder_and_keeps_every_byte() {
    let place = Place::with_gymlog();
    place.make_folder("below");
    let name = OsStr::from_bytes(b"g\xffm.v2.db");
    let path = std::path::Path::new("below").join(name);
    place.write(&path, place.read("gymlog.db"));
    let ran = place.run_words([OsStr::new("export"), path.as_os_str()]);
    ran.exits(0);
    let entries: Vec<_> = std::fs::read_dir(place.folder())
        .expect("listed")
        .map(|entry| entry.expect("listed").file_name())
        .filter(|name| name.as_bytes().starts_with(b"g\xffm.v2-"))
        .collect();
    assert_eq!(entries.len(), 1, "{:?}", ran.new_names());
}

#[test]
fn an_output_that_exists_is_refused() {
    let place = Place::with_snapshot();
    place
        .run("export gymlog.db -o snap")
        .fails(12, "the target exists: snap")
        .hints("--overwrite")
        .changes_nothing();
    place.run("export gymlog.db -o snap/").fails(12, "the target exists").changes_nothing();
    place.run("export gymlog.db -t sets -o sets.parquet").exits(0);
    place.run("export gymlog.db -t sets -o sets.parquet").fails(12, "exists: sets.parquet").changes_nothing();
}

#[test]
fn overwrite_replaces_a_snapshot_as_a_whole() {
    let place = Place::with_snapshot();
    place.run("export gymlog.db -t sets -o snap --overwrite").exits(0).tells_nothing();
    assert!(!place.path("snap/events.parquet").exists(), "nothing of the old snapshot is left");
    place.run("verify snap").exits(0).changes_nothing();
    place.run("export gymlog.db -t sets -o sets.parquet").exits(0);
    place.execute("gymlog.db", "UPDATE sets SET note = 'new'");
    place
        .run("export gymlog.db -t sets -o sets.parquet --overwrite")
        .exits(0)
        .changes_only(&["sets.parquet"], &[""; 0]);
    place.make_folder("empty");
    place.run("export gymlog.db -o empty --overwrite").exits(0);
    place.run("verify --quick empty").exits(0);
}

#[test]
fn overwrite_replaces_nothing_but_snapshots() {
    let place = Place::with_snapshot();
    place.make_folder("photos");
    place.write("photos/cat.jpg", "a cat");
    place.make_folder("website");
    place.write("website/manifest.json", "{}");
    place.make_folder("app");
    place.write("app/manifest.json", "{\"name\": \"an app\"}");
    place.write("app/index.html", "<p>");
    place.run("export gymlog.db --overwrite -o app").fails(12, "app").changes_nothing();
    place.run("export gymlog.db -o kept").exits(0);
    place.write("kept/thesis.txt", "years of work");
    place.run("export gymlog.db --overwrite -o kept").fails(12, "other files").changes_nothing();
    place.run("export gymlog.db -o around").exits(0);
    place.write("around/inner.db", place.read("gymlog.db"));
    place
        .run("export around/inner.db --overwrite -o around")
        .fails(12, "lies in the folder")
        .changes_nothing();
    place.write("other.parquet", "PAR1 of another program");
    place
        .run("export gymlog.db -t sets --overwrite -o other.parquet")
        .fails(12, "other.parquet")
        .changes_nothing();
    place.make_folder("website/images");
    place.write("letter.txt", "dear all");
    place.make_folder("folder.parquet");
    place.make_fifo("pipe.parquet");
    for (arguments, name) in [
        ("-o photos", "photos"),
        ("-o website", "website"),
        ("-o letter.txt", "letter.txt"),
        ("-t sets -o folder.parquet", "folder.parquet"),
        ("-t sets -o pipe.parquet", "pipe.parquet"),
        ("-o gymlog.db", "gymlog.db"),
    ] {
        place
            .run(&format!("export gymlog.db --overwrite {arguments}"))
            .fails(12, name)
            .hints("another")
            .changes_nothing();
    }
}

#[test]
fn a_database_is_never_overwritten_by_its_own_snapshot() {
    let place = Place::with_gymlog();
    place.write("log.parquet", place.read("gymlog.db"));
    symlink("log.parquet", place.path("link.parquet")).expect("linked");
    for output in ["log.parquet", "./log.parquet"] {
        place
            .run(&format!("export log.parquet -t sets -o {output} --overwrite"))
            .fails(2, "log.parquet")
            .changes_nothing();
    }
}

#[test]
fn a_parquet_file_takes_exactly_one_table() {
    let place = Place::with_gymlog();
    place
        .run("export gymlog.db -o x.parquet")
        .fails(2, "exactly one table")
        .hints("events, sets, cache_pages")
        .changes_nothing();
    place.run("export gymlog.db -t s* -t events -o x.parquet").fails(2, "2 are selected").changes_nothing();
    place.execute("one.db", "CREATE TABLE only (a)");
    place
        .run("export one.db -o x.parquet")
        .fails(2, "whole database")
        .hints("--table only")
        .changes_nothing();
    place.run("export one.db -t only -o x.PARQUET").exits(0).adds(&["x.PARQUET"]);
    place.run("export one.db -t only -o parquet").exits(0);
    assert!(place.path("parquet").is_dir());
}

#[test]
fn an_output_folder_that_cannot_be_written_fails_with_a_hint() {
    let place = Place::with_gymlog();
    place.write("file", "no folder");
    place.run("export gymlog.db -o none/snap").fails(1, "none").hints("create the folder").changes_nothing();
    place.run("export gymlog.db -o file/snap").fails(1, "file").hints("another").changes_nothing();
    place.run("export gymlog.db -o /").fails(2, "no name").changes_nothing();
    place.run("export gymlog.db -o ..").fails(2, "no name").changes_nothing();
}

#[test]
fn a_read_only_folder_fails_with_a_hint() {
    let place = Place::with_gymlog();
    match place.with_mount("ro", "export gymlog.db -o mounted/snap") {
        Some(command) => {
            place.finish(command).fails(1, "mounted").hints("permissions").changes_nothing();
        }
        None => crate::place::skipped("nothing can be mounted here"),
    }
}

#[test]
fn a_full_disk_fails_with_a_hint_and_leaves_nothing() {
    let place = Place::with_gymlog();
    place.execute(
        "gymlog.db",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
         INSERT INTO cache_pages SELECT i, randomblob(1000) FROM n",
    );
    let words = "export gymlog.db -o mounted/snap";
    match place.with_mount("size=1m", words) {
        Some(command) => {
            let ran = place.finish(command);
            ran.fails(1, "mounted").hints("free some space").changes_nothing();
            assert!(!ran.stderr.contains("parklite-stage\n"), "the stage is gone: {}", ran.stderr);
            assert!(!ran.stderr.lines().any(|line| line.starts_with("mounted/")), "{}", ran.stderr);
        }
        None => crate::place::skipped("nothing can be mounted here"),
    }
}

#[test]
fn a_file_size_limit_fails_with_a_hint_and_leaves_nothing() {
    let place = Place::with_gymlog();
    place.execute(
        "gymlog.db",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
         INSERT INTO cache_pages SELECT i, randomblob(1000) FROM n",
    );
    let script = r#"trap '' XFSZ; ulimit -f 512; exec "$@""#;
    place
        .finish(place.shell(script, "export gymlog.db -o snap"))
        .fails(1, "cache_pages")
        .hints("ulimit")
        .changes_nothing();
}

#[test]
fn what_is_written_gets_the_databases_permission_bits() {
    let place = Place::with_gymlog();
    for (mode, folder_mode) in [(0o600, 0o700), (0o640, 0o750), (0o644, 0o755), (0o444, 0o755)] {
        place.set_mode("gymlog.db", mode);
        place.run("export gymlog.db -o snap").exits(0).adds(&["snap"]);
        assert_eq!(place.mode("snap"), folder_mode, "{mode:o}");
        for entry in std::fs::read_dir(place.path("snap")).expect("listed") {
            let name = std::path::Path::new("snap").join(entry.expect("listed").file_name());
            assert_eq!(place.mode(&name), mode, "{}", name.display());
        }
        place.run("restore snap back.db").exits(0);
        assert_eq!(place.mode("back.db"), mode);
        place.run("export gymlog.db -t sets -o sets.parquet").exits(0);
        assert_eq!(place.mode("sets.parquet"), mode);
        place.run("restore sets.parquet sets.db").exits(0);
        assert_eq!(place.mode("sets.db"), mode);
        for name in ["back.db", "sets.db", "sets.parquet"] {
            std::fs::remove_file(place.path(name)).expect("removed");
        }
        std::fs::remove_dir_all(place.path("snap")).expect("removed");
    }
}

#[test]
fn leftovers_of_killed_runs_are_cleared_by_the_next() {
    let place = Place::with_gymlog();
    let name = format!(".parklite-stage-{}", "a".repeat(32));
    place.make_folder(&name);
    place.write(std::path::Path::new(&name).join("half.parquet"), "half");
    place.run("export gymlog.db -o snap").exits(0);
    assert!(!place.path(&name).exists());
}

#[test]
fn a_temporary_folder_is_used_and_left_empty() {
    let place = Place::with_gymlog();
    place.make_folder("temp");
    for verb in ["export gymlog.db -o snap --copy-first", "verify snap", "restore snap back.db"] {
        place.run(&format!("{verb} --temp-dir temp")).exits(0);
        assert_eq!(std::fs::read_dir(place.path("temp")).expect("listed").count(), 0, "{verb}");
    }
    place.run("export gymlog.db -o b --copy-first --temp-dir none").fails(1, "none").changes_nothing();
    place.run("verify snap --temp-dir none").fails(1, "none").changes_nothing();
    place.run("restore snap b.db --temp-dir none").fails(1, "none").changes_nothing();
}

#[test]
fn nothing_is_put_into_the_folder_of_a_snapshot() {
    let place = Place::with_snapshot();
    for command in [
        "export gymlog.db -o snap/inner",
        "restore snap snap/back.db",
        "export gymlog.db -o snap/a.parquet --table sets",
    ] {
        place.run(command).fails(2, "lies in the folder of a snapshot").hints("outside").changes_nothing();
    }
    place.run("verify snap").exits(0);
}

/// One encoder fails while another still works and the reader waits for room.
#[cfg(target_os = "linux")]
#[test]
fn an_export_that_cannot_be_written_ends_however_full_its_memory_is() {
    let place = Place::new();
    place.execute(
        "big.db",
        "PRAGMA journal_mode = OFF; CREATE TABLE t(b);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 70000)
         INSERT INTO t SELECT randomblob(1000) FROM n;
         INSERT INTO t VALUES (randomblob(60000000)), (randomblob(60000000)), (randomblob(60000000))",
    );
    let script =
        "trap '' XFSZ; ulimit -f 8000; timeout -k 1 60 parklite export big.db -o out --threads 4 --quiet";
    place.run_in_shell(script).exits(1).changes_nothing();
}

/// The rows of each row group of a snapshot's only file, by its manifest.
fn rows_of_row_groups(manifest: &serde_json::Value) -> Vec<u64> {
    let groups = manifest["tables"][0]["files"][0]["row_groups"].as_array().expect("row groups").iter();
    groups.map(|group| group["rows"].as_u64().expect("a number")).collect()
}

#[test]
fn row_groups_end_where_the_format_says_and_rows_about_their_ends_come_back() {
    let place = Place::new();
    let cases: [(&str, &str, u64, &[u64]); 8] = [
        ("i", "i", 32_767, &[32_767]),
        ("i", "i", 32_768, &[32_768]),
        ("i", "i", 32_769, &[32_768, 1]),
        ("i", "i", 163_840, &[32_768, 131_072]),
        ("i", "i", 163_841, &[32_768, 131_072, 1]),
        // In no order.
        ("i * 7919 % 163841", "i", 163_840, &[32_768, 131_072]),
        // 8 MiB, then 32 MiB.
        ("i", "randomblob(1048576)", 8, &[8]),
        ("i", "randomblob(1048576)", 41, &[8, 32, 1]),
    ];
    for (number, (key, value, rows, expected)) in cases.into_iter().enumerate() {
        let [database, snapshot, back] = ["db", "snap", "back.db"].map(|ending| format!("{number}.{ending}"));
        place.execute(
            &database,
            &format!(
                "CREATE TABLE t(_created_at INTEGER, value);
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
                 INSERT INTO t SELECT {key}, {value} FROM n;"
            ),
        );
        place.run(&format!("export {database} -o {snapshot}")).exits(0);
        assert_eq!(
            rows_of_row_groups(&place.manifest(&snapshot)),
            expected,
            "{rows} rows of {value} by {key}"
        );
        place.run(&format!("restore {snapshot} {back}")).exits(0);
        place.run(&format!("diff {database} {back}")).exits(0);
    }
}
