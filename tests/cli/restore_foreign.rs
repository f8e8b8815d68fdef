//! Parquet files that parklite did not write: restored, shown, and told apart from its own.
//!
//! What each file in `fixtures/foreign/` must become lies beside it, as pyarrow reads it or worked out by hand; the
//! scripts that say so never call parklite.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::{Value, json};

use crate::place::Place;

const BACKUP: &str = "gymlog-backup-2026-11-20.parquet";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// A place with these files of `fixtures/foreign/`.
fn place_with(names: &[&str]) -> Place {
    let place = Place::new();
    for name in names {
        place.write(name, fs::read(fixtures().join("foreign").join(name)).expect("a fixture"));
    }
    place
}

/// Columns with their declared types, and rows, as the files beside the fixtures spell them.
fn content(path: &Path, table: &str) -> (Value, Value) {
    let connection = Connection::open(path).expect("the database opens");
    let quoted = table.replace('"', "\"\"");
    let mut statement =
        connection.prepare(&format!("PRAGMA table_xinfo(\"{quoted}\")")).expect("the pragma is sound");
    let columns =
        statement.query_map([], |row| Ok(json!([row.get::<_, String>(1)?, row.get::<_, String>(2)?])));
    let columns: Vec<Value> = columns.expect("the pragma runs").map(|row| row.expect("a column")).collect();
    let mut statement =
        connection.prepare(&format!("SELECT * FROM \"{quoted}\" NOT INDEXED")).expect("the query is sound");
    let width = statement.column_count();
    let rows = statement.query_map([], |row| {
        (0..width).map(|index| row.get_ref(index).map(cell)).collect::<Result<Value, _>>()
    });
    let rows = rows.expect("the query runs").map(|row| row.expect("a row")).collect();
    (Value::Array(columns), Value::Array(rows))
}

fn cell(value: ValueRef<'_>) -> Value {
    let hex = |bytes: &[u8]| {
        bytes.iter().fold(String::new(), |mut text, byte| {
            // Writing into a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    };
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => json!(format!("i{value}")),
        ValueRef::Real(value) => json!(format!("r{:016x}", value.to_bits())),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => json!(format!("t{text}")),
            Err(_) => json!(format!("T{}", hex(bytes))),
        },
        ValueRef::Blob(bytes) => json!(format!("b{}", hex(bytes))),
    }
}

#[test]
fn every_kept_file_becomes_what_its_judges_say() {
    let place = Place::new();
    let mut judged = 0;
    for entry in fs::read_dir(fixtures().join("foreign")).expect("the fixtures") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let stem = path.file_stem().expect("a stem").to_string_lossy().into_owned();
        let expected: Value = serde_json::from_slice(&fs::read(&path).expect("read"))
            .unwrap_or_else(|error| panic!("{stem}: {error}"));
        place.write(format!("{stem}.parquet"), fs::read(path.with_extension("parquet")).expect("its file"));
        let code = i32::try_from(expected["exit_code"].as_i64().expect("a code")).expect("small");
        let ran = place.run(&format!("restore {stem}.parquet {stem}.db --json"));
        ran.exits(code);
        judged += 1;
        if !matches!(code, 0 | 3) {
            ran.changes_nothing().tells("hint: ");
            continue;
        }
        ran.adds(&[format!("{stem}.db")]).tells_nothing();
        let (columns, rows) = content(&place.path(format!("{stem}.db")), &stem);
        assert_eq!(columns, expected["columns"], "{stem}");
        assert_eq!(rows.as_array().map(Vec::len), expected["rows"].as_array().map(Vec::len), "{stem}");
        for (ordinal, (row, expected)) in rows
            .as_array()
            .into_iter()
            .flatten()
            .zip(expected["rows"].as_array().into_iter().flatten())
            .enumerate()
        {
            assert_eq!(row, expected, "{stem}, row {}", ordinal + 1);
        }
        let report = ran.document();
        let found = report["findings"]
            .as_array()
            .expect("findings")
            .iter()
            .map(|it| json!([it["column"], it["what"], it["count"], it["first_row"]]));
        let mut found: Vec<Value> = found.collect();
        found.sort_by_key(ToString::to_string);
        let mut listed = expected["findings"].as_array().expect("a list").clone();
        listed.sort_by_key(ToString::to_string);
        assert_eq!(found, listed, "{stem}");
        assert_eq!((&report["verified"], &report["matches_decoded"]), (&json!(false), &json!(true)));
        assert_eq!(place.ask(format!("{stem}.db"), "PRAGMA integrity_check"), "'ok'", "{stem}");
    }
    assert!(judged > 20, "{judged} files");
}

#[test]
fn a_backup_from_the_browser_holds_the_events_of_its_database() {
    let place = place_with(&[BACKUP]);
    place
        .run("restore gymlog-backup-2026-11-20.parquet back.db --as events")
        .exits(0)
        .tells_nothing()
        .adds(&["back.db"])
        .prints("table events, 3,944 rows")
        .prints("not verified: not a parklite file; every row was read again and is what was decoded");
    let rows = |path: &Path| {
        let connection = Connection::open(path).expect("the database opens");
        let query = "SELECT _event_id, _created_at, event_type, payload FROM events ORDER BY rowid";
        let mut statement = connection.prepare(query).expect("the query is sound");
        let rows = statement.query_map([], |row| {
            (0..4).map(|index| row.get::<_, String>(index)).collect::<Result<Vec<_>, _>>()
        });
        rows.expect("the query runs").map(|row| row.expect("a row")).collect::<Vec<_>>()
    };
    place.write("gymlog.db", fs::read(fixtures().join("gymlog.db")).expect("the gym log"));
    assert_eq!(rows(&place.path("back.db")), rows(&place.path("gymlog.db")));
    assert_eq!(place.ask("back.db", "SELECT min(rowid) || '-' || max(rowid) FROM events"), "'1-3944'");
}

#[test]
fn the_table_is_called_after_the_file_or_as_asked() {
    let place = place_with(&["hand_numbers.parquet"]);
    let name = |database: &str| place.ask(database, "SELECT name FROM sqlite_schema");
    place.run("restore hand_numbers.parquet a.db").exits(3);
    assert_eq!(name("a.db"), "'hand_numbers'");
    place.run_words(["restore", "hand_numbers.parquet", "b.db", "--as", "a \"b\"; --"]).exits(3);
    assert_eq!(name("b.db"), "'a \"b\"; --'");
    fs::copy(place.path("hand_numbers.parquet"), place.path("sqlite_x.parquet")).expect("copied");
    for words in ["restore sqlite_x.parquet c.db", "restore hand_numbers.parquet c.db --as SQLITE_y"] {
        place.run(words).fails(2, "sqlite_").hints("--as NAME").changes_nothing();
    }
    place
        .run("inspect sqlite_x.parquet")
        .exits(0)
        .prints("a restore needs --as NAME: SQLite keeps table names");
    place.run_words(["restore", "hand_numbers.parquet", "c.db", "--as", ""]).fails(2, "needs a name");
    let snapshot = Place::with_snapshot();
    snapshot.run("restore snap back.db --as x").fails(2, "--as").hints("leave it away").changes_nothing();
}

#[test]
fn what_does_not_survive_is_counted_named_and_refused_if_asked() {
    let place = place_with(&["hand_numbers.parquet"]);
    place
        .run("restore hand_numbers.parquet back.db --strict")
        .fails(1, "NaN became NULL, column \"d\", row 10")
        .hints("leave --strict away")
        .changes_nothing();
    let ran = place.run("restore hand_numbers.parquet back.db");
    ran.exits(3)
        .prints("did not survive: 2 values in column d: NaN became NULL, first in row 10")
        .prints("did not survive: 1 value in column f: NaN became NULL, first in row 3");
    place.run("restore hand_numbers.parquet q.db --quiet").exits(3).prints_nothing().tells("did not survive");
    let kept = place_with(&["hand_old_annotations.parquet"]);
    kept.run("restore hand_old_annotations.parquet back.db --strict")
        .exits(0)
        .prints("stored otherwise: 2 values in column u64: integer above 2^63-1 became TEXT, first in row 2");
}

#[test]
fn names_that_sqlite_takes_for_one_are_told() {
    let place = place_with(&["hand_names.parquet"]);
    for words in ["inspect hand_names.parquet", "restore hand_names.parquet back.db"] {
        place
            .run(words)
            .exits(0)
            .prints("renamed: column A is called A_3")
            .prints("column nul\\0byte is called");
    }
}

#[test]
fn an_existing_database_is_replaced_as_ever() {
    let place = place_with(&["hand_lists.parquet"]);
    place.execute("old.db", "CREATE TABLE old(a); INSERT INTO old VALUES (1)");
    place.run("restore hand_lists.parquet old.db").fails(12, "exists").hints("--overwrite").changes_nothing();
    let ran = place.run("restore hand_lists.parquet old.db --overwrite");
    ran.exits(0).prints("is kept as old.db.before-restore-");
    let kept = ran.new_names().pop().expect("the old database");
    assert_eq!(place.ask(&kept, "SELECT a FROM old"), "1");
    assert_eq!(place.ask("old.db", "SELECT three FROM hand_lists"), "'[1,null,2]'");
    let ran = place.run("restore hand_lists.parquet old.db --overwrite --discard-old");
    ran.exits(0).changes_nothing_but("old.db");
    place.write("fresh.db-wal", "of another database");
    place.run("restore hand_lists.parquet fresh.db").fails(12, "fresh.db-wal").changes_nothing();
    place
        .run("restore hand_lists.parquet unread.db --no-verify")
        .exits(0)
        .prints("the rows were NOT read again");
}

#[test]
fn inspect_shows_what_will_become_of_each_column() {
    let place = place_with(&["duckdb_types.parquet", "hand_no_columns.parquet"]);
    place
        .run("inspect duckdb_types.parquet")
        .exits(0)
        .tells_nothing()
        .changes_nothing()
        .prints("not verified: not a parklite file")
        .prints("written  by DuckDB")
        .prints("8 rows in 1 row group")
        .prints("table duckdb_types of ")
        .prints("UUID (FIXED_LEN_BYTE_ARRAY(16))")
        .prints("INTEGER, TEXT above 2^63-1")
        .prints("NaN becomes NULL");
    place.run("inspect duckdb_types.parquet --columns").exits(0).prints("encodings").prints("PLAIN");
    place.run("inspect duckdb_types.parquet --table DUCKDB_TYPES").exits(0).prints("encodings");
    place.run("inspect duckdb_types.parquet --table x").fails(2, "no table \"x\"").hints("duckdb_types");
    let document = place.run("inspect duckdb_types.parquet --json").exits(0).document();
    assert_eq!(document["verification"], "not verified: not a parklite file");
    assert_eq!((&document["rows"], &document["row_groups"]), (&json!(8), &json!(1)));
    let column = &document["columns"][0];
    assert_eq!((&column["name"], &column["declared_type"]), (&json!("boolean"), &json!("INTEGER")));
    assert_eq!(column["renamed_to"], Value::Null);
    place.run("inspect hand_no_columns.parquet").fails(1, "no column").changes_nothing();
}

#[test]
fn there_is_nothing_to_verify_a_foreign_file_against() {
    let place = place_with(&["hand_lists.parquet"]);
    for words in ["verify hand_lists.parquet", "verify hand_lists.parquet --quick"] {
        let ran = place.run(words);
        ran.fails(13, "parklite did not write this Parquet file").hints("parklite restore").changes_nothing();
    }
}

#[test]
fn what_cannot_be_read_is_damaged_and_leaves_nothing() {
    let place = place_with(&[BACKUP]);
    let whole = place.read(BACKUP);
    let mut broken = whole.clone();
    // The first page's header. Damage in a page may well give other rows and no error: nothing proves them.
    broken[4..40].fill(0xff);
    place.write("cut.parquet", &whole[..whole.len() - 9]);
    place.write("text.parquet", "PAR1 is how it would begin".repeat(100));
    place.write("broken.parquet", broken);
    place.make_folder("folder.parquet");
    for (name, part) in [
        ("cut.parquet", "footer"),
        ("text.parquet", "footer"),
        ("folder.parquet", "no manifest.json"),
        ("broken.parquet", "reading a row group failed"),
    ] {
        place.run(&format!("restore {name} back.db")).fails(13, part).tells("hint: ").changes_nothing();
    }
    place.run("restore none.parquet back.db").fails(10, "none.parquet").changes_nothing();
}

#[test]
fn a_file_that_the_manifest_beside_it_names_is_never_a_foreign_one() {
    let place = Place::with_snapshot();
    let own = place.read("snap/sets.parquet");
    // Nothing is left in the file that says who wrote it: no tag, no keys, no program.
    let mut nameless = own.clone();
    nameless[4..12].fill(b'x');
    for at in 0..nameless.len() - 8 {
        if &nameless[at..at + 8] == b"parklite" {
            nameless[at..at + 8].copy_from_slice(b"somebody");
        }
    }
    let overwritten = fs::read(fixtures().join("foreign").join("hand_lists.parquet")).expect("a fixture");
    for bytes in [nameless, overwritten] {
        place.write("snap/sets.parquet", &bytes);
        for words in ["restore snap/sets.parquet back.db", "inspect snap/sets.parquet"] {
            let ran = place.run(words);
            ran.fails(13, "the manifest beside this file names it").hints("copy it elsewhere");
            ran.changes_nothing();
        }
        // A person who wants its rows all the same gets them, and hears that nobody vouches for them.
        place.write("elsewhere.parquet", &bytes);
        place
            .run("restore elsewhere.parquet back.db --overwrite --discard-old")
            .exits(0)
            .prints("not verified");
        fs::remove_file(place.path("back.db")).expect("removed");
        // A stranger in the folder is none of the snapshot's files.
        place.write("snap/stranger.parquet", &bytes);
        place.run("inspect snap/stranger.parquet").exits(0).prints("not verified: not a parklite file");
        fs::remove_file(place.path("snap/stranger.parquet")).expect("removed");
    }
    // The folder never takes the other program's rows for its own.
    place.run("restore snap back.db").exits(13).changes_nothing();
}

#[test]
fn a_damaged_file_of_our_own_never_becomes_a_table_of_its_columns() {
    let place = Place::with_gymlog();
    place.run("export gymlog.db -t sets -o sets.parquet").exits(0);
    place.run("export gymlog.db -o snap").exits(0);
    place.run("restore sets.parquet whole.db").exits(0);
    let damages: [fn(&mut Vec<u8>); 3] =
        [|bytes| bytes[4] ^= 1, |bytes| bytes[11] ^= 0x80, |bytes| bytes[4..12].fill(0)];
    for damage in damages {
        let mut bytes = place.read("sets.parquet");
        damage(&mut bytes);
        place.write("damaged.parquet", &bytes);
        // The footer still proves the rows.
        let ran = place.run("restore damaged.parquet back.db --overwrite");
        ran.exits(0).prints("verified: schema and every row").does_not_print("not a parklite file");
        assert_eq!(place.content("back.db"), place.content("whole.db"));
        place.run("verify damaged.parquet --quick").exits(4);
        fs::remove_file(place.path("back.db")).expect("removed");
        let mut bytes = place.read("snap/sets.parquet");
        damage(&mut bytes);
        place.write("part.parquet", &bytes);
        for words in ["restore part.parquet back.db", "inspect part.parquet"] {
            place.run(words).fails(13, "no snapshot by itself").hints("name the folder").changes_nothing();
        }
        // Of the footer nothing is left but that it was one of ours.
        let text = b"parklite.table";
        let at = bytes.windows(text.len()).position(|window| window == text).expect("the key");
        bytes[at + 9] ^= 1;
        place.write("part.parquet", &bytes);
        for words in ["restore part.parquet back.db", "inspect part.parquet"] {
            place.run(words).fails(13, "a damaged file of parklite's").tells("hint: ").changes_nothing();
        }
    }
}
