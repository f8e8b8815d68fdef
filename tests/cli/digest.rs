//! `digest`: lists for a repository, and what they are compared with.

use crate::place::Place;

#[test]
fn a_list_kept_in_a_repository_tells_what_changed() {
    let place = Place::with_snapshot();
    place.write(
        "digests.txt",
        place.run("digest gymlog.db").exits(0).tells_nothing().changes_nothing().stdout.as_bytes(),
    );
    place
        .run("digest -c digests.txt gymlog.db snap")
        .exits(0)
        .tells_nothing()
        .changes_nothing()
        .prints("gymlog.db: as the list says, 4 tables\nsnap: as the list says, 4 tables\n");
    place.execute(
        "gymlog.db",
        "DROP TRIGGER no_more; DELETE FROM sets WHERE id = 1; UPDATE events SET payload = '' WHERE rowid = 9;
         DROP TABLE cache_pages; CREATE TABLE new(a); INSERT INTO new VALUES (1); PRAGMA user_version = 3",
    );
    let ran = place.run("digest -c digests.txt gymlog.db snap");
    ran.exits(4).changes_nothing();
    let expected = "\
header: user_version is 3 instead of 0
schema: tables, indexes, views or triggers are not those of the list
table \"cache_pages\": missing (2 rows in the list)
table \"events\": other content in the same number of rows (300)
table \"sets\": 2 rows instead of 3
table \"new\": not in the list (1 rows)
gymlog.db: NOT as the list says, 6 differences
snap: as the list says, 4 tables
";
    assert_eq!(ran.stdout, expected);
    let document = place.run("digest --json -c digests.txt gymlog.db snap").exits(4).document();
    assert_eq!((&document["verb"], &document["exit_code"]), (&"digest".into(), &4.into()));
    let differences = &document["subjects"][0]["differences"];
    assert_eq!(differences.as_array().map(Vec::len), Some(6), "{document}");
    assert_eq!(differences[2]["table"], "cache_pages");
    assert_eq!(document["subjects"][1]["differences"], serde_json::json!([]));
    // Quiet is silent only while all is well, and tells scripts nothing on standard output.
    place.run("digest --quiet -c digests.txt snap").exits(0).tells_nothing().prints_nothing();
    place
        .run("digest --quiet -c digests.txt gymlog.db")
        .exits(4)
        .prints_nothing()
        .tells("NOT as the list says");
}

#[test]
fn tables_are_chosen_by_name_or_pattern() {
    let place = Place::with_snapshot();
    let some =
        place.run_words(["digest", "gymlog.db", "--table", "EVENTS", "-t", "se*"]).exits(0).stdout.clone();
    let names: Vec<&str> = some.lines().map(|line| line.rsplit("  ").next().unwrap_or_default()).collect();
    assert_eq!(names, ["events", "sets"]);
    place.write("some.txt", &some);
    place.write("all.txt", place.run("digest gymlog.db").exits(0).stdout.as_bytes());
    place.run("export -q gymlog.db -t sets -o sets.parquet").exits(0);
    for list in ["some.txt", "all.txt"] {
        place.run(&format!("digest -c {list} snap -t events -t sets")).exits(0).prints(", 2 tables\n");
        place.run(&format!("digest -c {list} sets.parquet -t sets")).exits(0).prints(", 1 table\n");
        // The list knows a table that the subject does not have: missing, not misspelt.
        place
            .run(&format!("digest -c {list} sets.parquet -t events"))
            .exits(4)
            .prints("table \"events\": missing");
        place.run(&format!("digest -c {list} snap -t nevents")).fails(2, "no table matches").hints("events");
    }
    place
        .run("digest -c all.txt sets.parquet")
        .exits(4)
        .prints("table \"events\": missing (300 rows in the list)");
    place.run("digest -c some.txt snap").fails(2, "no line for the header").hints("--table");
}

#[test]
fn a_list_that_makes_no_sense_is_refused_with_its_line() {
    let place = Place::with_snapshot();
    let list = place.run("digest snap").exits(0).stdout.clone();
    for (text, part) in [
        (list.replace("  events", " events"), "line 4 of the list of digests"),
        (
            format!("# a comment\n\n{list}{list}"),
            "line 9 of the list of digests says something for the second time",
        ),
        (list.replace("user_version", "version"), "line 1 of the list"),
        (place.run("digest snap gymlog.db").exits(0).stdout.clone(), "for the second time"),
        (String::new(), "the list of digests is empty"),
        ("SQLite format 3\0".to_string(), "line 1 of the list"),
    ] {
        place.write("bad.txt", &text);
        place.run("digest --check bad.txt snap").fails(2, part).hints("parklite digest").changes_nothing();
    }
    place.run("digest --check none.txt snap").fails(10, "there is no such list").hints("> digests.txt");
    place.run("digest --check snap snap").fails(1, "reading the list of digests failed");
    place.run("digest").fails(2, "required");
}

#[test]
fn names_that_would_break_a_line_do_not() {
    let place = Place::new();
    place.execute("odd.db", "CREATE TABLE \"a\nb\"(x); CREATE TABLE \" \"(x); CREATE TABLE \"\u{202e}\"(x); CREATE TABLE \"#\\\"(x)");
    let list = place.run("digest odd.db").exits(0).stdout.clone();
    let names: Vec<&str> = list.lines().skip(2).map(|line| &line[32 + 5..]).collect();
    assert_eq!(names, ["\\x20", "#\\\\", "a\\x0ab", "\\xe2\\x80\\xae"]);
    place.write("odd.txt", &list);
    place.run("export -q odd.db -o odd").exits(0);
    place.run("digest -c odd.txt odd.db odd").exits(0);
    place.execute("odd.db", "INSERT INTO \"a\nb\" VALUES (1)");
    place.run("digest -c odd.txt odd.db").exits(4).prints("table \"a\\nb\": 1 rows instead of 0\n");
    place
        .run("diff odd.db odd")
        .exits(4)
        .prints("table \"a\\nb\": 0 rows changed, 1 only in A, 0 only in B\n");
}

#[test]
fn a_damaged_snapshot_has_no_digests() {
    let place = Place::with_snapshot();
    place.flip_bit("snap/events.parquet", 1, 8);
    place.run("digest snap").fails(13, "table \"events\"").hints("verify --data").changes_nothing();
    place.run("digest snap -t sets").exits(0);
    place.run("diff gymlog.db snap").fails(13, "table \"events\"").hints("verify --data");
    place.run("verify --data snap --against gymlog.db").exits(4).prints("not compared with gymlog.db\n");
}

#[cfg(target_os = "linux")]
#[test]
fn a_list_from_a_pipe_costs_no_confinement() {
    let place = Place::with_snapshot();
    place.write("digests.txt", place.run("digest gymlog.db").exits(0).stdout.as_bytes());
    let confinement = |words: &str| {
        let ran = place.run_in_shell(&format!("cat digests.txt | {words} --json"));
        ran.exits(0).document()["confinement"].clone()
    };
    let from_file =
        place.run("digest snap --check digests.txt --json").exits(0).document()["confinement"].clone();
    assert_eq!(confinement("parklite digest snap --check /dev/stdin"), from_file);
}

#[test]
fn giant_cells_are_digested_and_compared_within_the_memory_there_is() {
    let place = Place::new();
    place.execute(
        "big.db",
        "PRAGMA journal_mode = OFF; CREATE TABLE t(b);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 8)
         INSERT INTO t SELECT randomblob(34000000) FROM n",
    );
    place.run("export big.db -o snap --no-verify").exits(0);
    for words in ["diff snap snap", "digest snap", "diff snap big.db"] {
        place.run(&format!("{words} --threads 8")).exits(0);
    }
}
