//! What `inspect` shows.

use parklite::parquet_file::ChosenFor;
use parklite::snapshot::Snapshot;

use crate::place::Place;

#[test]
fn tables_order_and_reason_sizes_and_digests_are_shown() {
    let place = Place::with_snapshot();
    place
        .run("inspect snap")
        .exits(0)
        .tells_nothing()
        .changes_nothing()
        .prints(" from gymlog.db (")
        .prints("the whole database, verified when it was made")
        .prints("1 view, 1 trigger")
        .prints("events")
        .prints("_created_at, rowid")
        .prints("the table has a _created_at column");
    place
        .run("inspect snap --columns")
        .exits(0)
        .prints("weight__integer")
        .prints("companion")
        .prints("sorting columns in the footer: _created_at");
    let one = place.run("inspect snap --table SETS");
    one.exits(0).prints("weight__integer").does_not_print("_event_id");
    let document = place.run("inspect snap --json").exits(0).tells_nothing().document();
    assert_eq!((&document["verb"], &document["exit_code"]), (&"inspect".into(), &0.into()));
    assert_eq!(document["tables"][1]["columns"][1]["declared_type"], "DECIMAL(5,2)");
}

#[test]
fn a_table_that_is_not_there_is_a_usage_error_that_names_those_that_are() {
    let place = Place::with_snapshot();
    place
        .run("inspect snap --table evnts")
        .fails(2, "the snapshot has no table \"evnts\": snap")
        .hints("events, sets, sqlite_sequence, cache_pages")
        .changes_nothing();
}

#[test]
fn a_single_file_is_inspected() {
    let place = Place::with_gymlog();
    place.run("export gymlog.db -t sets -o sets.parquet").exits(0);
    let ran = place.run("inspect sets.parquet");
    ran.exits(0).prints("part of the database").prints("left out: view heavy").prints("in manifest");
}

/// Rows of two row groups, of which the first is short; in the second, kinds are no longer few. The texts of `code` are
/// noise of many lengths, and `reading` is noise in its last bytes only.
const ENCODED: &str = "
CREATE TABLE runs (id INTEGER PRIMARY KEY, kind TEXT, steps INTEGER, code TEXT, reading REAL, note TEXT);
WITH RECURSIVE n(i, x) AS (SELECT 1, 12345 UNION ALL SELECT i + 1, x * 48271 % 2147483647 FROM n WHERE i < 40000)
INSERT INTO runs SELECT i, CASE WHEN i <= 32768 THEN 'kind ' || (i % 3) ELSE 'run ' || i END, i * 7919 % 1000003,
  substr(printf('%08x%08x', x, x * 16807 % 2147483647), 1, 5 + x % 11),
  (i * 2654435761 % 4294967296) / 1000.0, printf('set %d of %d, %d kg', i % 7, i % 11, i * 7919 % 211) FROM n;
CREATE TABLE pages (url TEXT, body BLOB);
INSERT INTO pages VALUES ('a', x'01'), ('b', NULL);
";

/// The encoding that a footer names for chunks laid out so.
fn encoding_of(layout: &str) -> &'static str {
    match layout {
        "dictionary" => "RLE_DICTIONARY",
        "plain" => "PLAIN",
        "deltas" => "DELTA_BINARY_PACKED",
        "lengths" => "DELTA_LENGTH_BYTE_ARRAY",
        "byte-streams" => "BYTE_STREAM_SPLIT",
        other => panic!("no layout is called {other}"),
    }
}

#[test]
fn each_parquet_column_shows_what_was_chosen_for_its_row_groups_and_why() {
    let place = Place::new();
    place.execute("runs.db", ENCODED);
    place.run("export runs.db -o snap").exits(0);
    let document = place.run("inspect snap --json").exits(0).document();
    let runs = document["tables"][0]["columns"].as_array().expect("columns");
    let mut layouts = std::collections::BTreeSet::new();
    for column in runs {
        let parquet = &column["parquet"][0];
        let chosen = parquet["chosen"].as_array().expect("what was chosen");
        let row_groups: u64 = chosen.iter().filter_map(|way| way["row_groups"].as_u64()).sum();
        assert_eq!(row_groups, 2, "{parquet}");
        for way in chosen {
            // The footer is the judge: it names what the pages are, whatever the manifest says.
            let layout = way["layout"].as_str().expect("a layout");
            let encodings = parquet["encodings"].as_array().expect("encodings");
            assert!(encodings.contains(&encoding_of(layout).into()), "{parquet}");
            layouts.insert(layout.to_owned());
            let level = way["level"].as_i64().expect("a level");
            let reasons = way["because"].as_array().expect("reasons").len();
            assert_eq!(reasons, if level < 3 { 2 } else { 1 }, "{way}");
        }
    }
    let all = ["byte-streams", "deltas", "dictionary", "lengths", "plain"];
    assert!(layouts.iter().eq(all), "{layouts:?}");
    assert_eq!(document["tables"][0]["rowid"], serde_json::Value::Null);
    assert_eq!(document["tables"][1]["rowid"]["name"], "rowid");
    place
        .run("inspect snap --columns")
        .exits(0)
        .prints("(1 of 2 row groups); ")
        .prints("rowids, which no column of its own holds")
        .prints("\nencoded as\n  dictionary: few distinct values")
        .prints("\n  deltas: integers as differences")
        .prints("\n  lengths: lengths stored apart from bytes")
        .prints("\n  byte streams: first bytes of all reals")
        .prints("\n  zstd below 3: less effort than asked for");
    place
        .run("inspect snap --table pages")
        .exits(0)
        .prints("\n  plain: one value after another")
        .does_not_print("byte streams");
    place.run("inspect snap").exits(0).does_not_print("encoded as");
}

#[test]
fn with_level_1_no_column_had_less_effort_than_asked_for() {
    let place = Place::with_gymlog();
    place.run("export gymlog.db --compression-level 1 -o snap").exits(0);
    place.run("inspect snap --columns").exits(0).prints(", zstd 1").does_not_print("less effort");
}

#[test]
fn a_single_file_shows_what_was_chosen_as_a_folder_does() {
    let place = Place::new();
    place.execute("runs.db", ENCODED);
    place.run("export runs.db -o snap").exits(0);
    place.run("export runs.db -t runs -o runs.parquet").exits(0);
    place
        .run("inspect runs.parquet --columns")
        .exits(0)
        .prints("(1 of 2 row groups); ")
        .prints("\nencoded as\n  dictionary: few distinct values")
        .does_not_print("in capitals");
    let columns = |words: &str| place.run(words).exits(0).document()["tables"][0]["columns"].clone();
    let (of_file, of_folder) = (columns("inspect runs.parquet --json"), columns("inspect snap --json"));
    assert!(of_file[0]["parquet"][0]["chosen"].as_array().is_some_and(|chosen| !chosen.is_empty()));
    assert_eq!(of_file, of_folder);
    place.run("verify runs.parquet").exits(0);
}

#[test]
fn without_a_manifest_that_says_so_the_encodings_of_the_footer_are_shown() {
    let place = Place::with_snapshot();
    let mut manifest = Snapshot::open(&place.path("snap")).expect("opens").manifest;
    manifest.tables.iter_mut().flat_map(|table| &mut table.files).for_each(|file| file.chosen.clear());
    place.write("snap/manifest.json", manifest.to_text().expect("a text"));
    place
        .run("inspect snap --columns")
        .exits(0)
        .prints("PLAIN")
        .prints("in capitals: all encodings that the footer names");
}

#[test]
fn a_column_of_nothing_but_null_shows_no_reason_for_how_it_is_encoded() {
    let place = Place::new();
    place.execute(
        "a.db",
        "CREATE TABLE a(id INTEGER PRIMARY KEY, b TEXT); INSERT INTO a VALUES (1, NULL), (2, NULL);",
    );
    place.run("export a.db -o snap").exits(0);
    place.run("inspect snap --columns").exits(0).prints("nothing but NULL");
    let document = place.run("inspect snap --json").exits(0).document();
    let because =
        |column: usize| &document["tables"][0]["columns"][column]["parquet"][0]["chosen"][0]["because"];
    assert_eq!(because(1), &serde_json::json!(["nothing but NULL, so there was nothing to choose"]));
    assert_ne!(because(0), because(1));
}

#[test]
fn a_manifest_that_tells_of_other_chunks_than_there_are_is_damaged() {
    type Forge = fn(&mut Vec<Vec<ChosenFor>>);
    let forgeries: [(&str, Forge); 5] = [
        ("a column too few", |chosen| drop(chosen.pop())),
        ("a column too many", |chosen| chosen.push(chosen[0].clone())),
        ("nothing of a column", |chosen| chosen[0].clear()),
        ("a row group too many", |chosen| chosen[0][0].row_groups += 1),
        ("more row groups than can be counted", |chosen| {
            chosen[0] = vec![ChosenFor { row_groups: u64::MAX, ..chosen[0][0] }; 2];
        }),
    ];
    let place = Place::with_snapshot();
    let whole = Snapshot::open(&place.path("snap")).expect("opens").manifest;
    for (what, forge) in forgeries {
        let mut manifest = whole.clone();
        forge(&mut manifest.tables[0].files[0].chosen);
        place.write("snap/manifest.json", manifest.to_text().expect("a text"));
        for words in ["inspect snap --columns", "inspect snap --no-confine", "verify snap --quick"] {
            let ran = place.run(words);
            assert_eq!(ran.code(), Some(13), "{what}: {words}");
            ran.fails(13, "the manifest contradicts itself about how columns are encoded");
        }
    }
    // Levels are only shown: no reader needs them.
    let mut manifest = whole;
    manifest.tables[0].files[0].chosen[0][0].choice.level = i32::MIN;
    place.write("snap/manifest.json", manifest.to_text().expect("a text"));
    place.run("inspect snap --columns").exits(0).prints("zstd -2147483648");
}
