//! Files made to mislead: nothing of their schema runs, and what does not fit is told and left out.

use std::fs;

use parklite::error::ErrorKind;

use super::*;

const CHROMIUM: &str = "
    CREATE TABLE meta(key LONGVARCHAR NOT NULL UNIQUE PRIMARY KEY, value LONGVARCHAR);
    INSERT INTO meta VALUES ('version', 1), ('last_compatible_version', 1);
    CREATE TABLE maps(row_id INTEGER PRIMARY KEY AUTOINCREMENT, storage_key BLOB NOT NULL, last_accessed INTEGER,
        last_modified INTEGER, total_size INTEGER);
    CREATE TABLE map_entries(map_id INTEGER NOT NULL, value_compression_type INTEGER NOT NULL, key BLOB NOT NULL,
        value BLOB NOT NULL, PRIMARY KEY(map_id, key)) WITHOUT ROWID;
    INSERT INTO maps VALUES (1, CAST('https://app.example/' AS BLOB), NULL, NULL, NULL);
    INSERT INTO map_entries VALUES (1, 0, x'0161', x'0162');";
const FIREFOX: &str = "
    PRAGMA user_version = 80;
    CREATE TABLE database(origin TEXT NOT NULL, usage INTEGER NOT NULL DEFAULT 0);
    CREATE TABLE data(key TEXT PRIMARY KEY, utf16_length INTEGER NOT NULL, conversion_type INTEGER NOT NULL,
        compression_type INTEGER NOT NULL, last_access_time INTEGER NOT NULL DEFAULT 0, value BLOB NOT NULL);
    INSERT INTO database VALUES ('https://app.example', 2);
    INSERT INTO data VALUES ('a', 1, 1, 0, 0, x'62');";
const LEGACY: &str = "
    CREATE TABLE webappsstore2(originAttributes TEXT, originKey TEXT, scope TEXT, key TEXT, value TEXT);
    INSERT INTO webappsstore2 VALUES ('', 'elpmaxe.ppa.:https:443', '', 'a', 'b');";
const WEBKIT: &str = "
    CREATE TABLE ItemTable(key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB NOT NULL ON CONFLICT FAIL);
    INSERT INTO ItemTable VALUES ('a', x'6200');";

/// The name of a file of each kind, and the SQL that makes it, with one item `a` = `b` of `https://app.example`.
const SOUND: [(&str, &str); 4] = [
    ("LocalStorage", CHROMIUM),
    ("data.sqlite", FIREFOX),
    ("webappsstore.sqlite", LEGACY),
    ("https_app.example_0.localstorage", WEBKIT),
];

fn one_item(reading: &Reading) {
    assert_eq!(reading.storages.len(), 1, "{reading:?}");
    assert_eq!(reading.storages[0].origin.as_deref(), Some("https://app.example"));
    assert_eq!(texts(reading), BTreeMap::from([("a".to_owned(), "b".to_owned())]));
}

#[test]
fn the_smallest_file_of_each_kind_is_read() {
    for (name, sql) in SOUND {
        let (_folder, path) = made(name, sql);
        let reading = read(&path);
        one_item(&reading);
        assert_eq!(reading.problems, []);
    }
}

#[test]
fn views_in_the_place_of_tables_are_not_looked_into() {
    for (name, sql) in [
        (
            "LocalStorage",
            "CREATE TABLE maps(row_id, storage_key); CREATE VIEW map_entries AS SELECT 1 AS map_id, x'0161' AS key, x'0162' AS value",
        ),
        ("data.sqlite", "CREATE TABLE database(origin); CREATE VIEW data AS SELECT 'a' AS key, 'b' AS value"),
        (
            "webappsstore.sqlite",
            "CREATE VIEW webappsstore2 AS SELECT 'x' AS scope, 'a' AS key, 'b' AS value; CREATE TABLE t(a)",
        ),
        (
            "a_b_0.localstorage",
            "CREATE VIEW ItemTable AS SELECT 'a' AS key, x'6200' AS value; CREATE TABLE t(a)",
        ),
        (
            "a_b_0.localstorage",
            "CREATE VIRTUAL TABLE ItemTable USING fts5(key, value); INSERT INTO ItemTable VALUES ('a', 'b')",
        ),
    ] {
        let (_folder, path) = made(name, sql);
        let (kind, message) = refusal(&path);
        assert_eq!(kind, ErrorKind::Usage, "{sql}");
        assert!(message.contains("holds no localStorage"), "{message}");
    }
}

#[test]
fn what_a_schema_would_do_besides_is_not_done() {
    let besides = "
        CREATE TABLE noted(a);
        CREATE TRIGGER x AFTER INSERT ON noted BEGIN SELECT 1; END;
        CREATE VIEW v AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n;
        CREATE TABLE slow(a CHECK (length(hex(randomblob(a))) > 0), b AS (hex(a)));
        CREATE INDEX e ON slow(hex(b));";
    for (name, sql) in SOUND {
        let (folder, path) = made(name, &[sql, besides].concat());
        let before = content(folder.path());
        one_item(&read(&path));
        assert_eq!(content(folder.path()), before);
    }
}

#[test]
fn cells_of_any_class_are_told_and_the_others_are_read() {
    for (name, sql, rows) in [
        (
            "LocalStorage",
            "INSERT INTO map_entries VALUES (1, 'packed', x'0163', x'0164'), (1, 9, x'0165', x'0164'),
                (1, 0, 5, x'01'), (1, 0, 1.5, x'01'), (1, 0, x'02', x'01'), (1, 0, x'0061', x'01'), (1, 0, x'0166', 5),
                (1, 1, x'0167', x'28b52ffd'), (1, 2, x'0168', x'ffffffffff0f'), (1, 0, x'0169', x'0061')",
            10,
        ),
        (
            "data.sqlite",
            "INSERT INTO data VALUES (x'ff', 1, 1, 0, 0, x'62'), ('c', 'x', 1, 0, 0, x'62'), ('d', 1, 'x', 0, 0, x'62'),
                ('e', 1, 1, 'x', 0, x'62'), ('f', 1, 1, 0, 0, 1.5), ('g', 2, 1, 0, 0, x'62'), (NULL, 1, 1, 0, 0, x'62'),
                (CAST(x'ff' AS TEXT), 1, 1, 0, 0, x'62'), ('h', 1, 1, 1, 0, x'ffffffffff0f'), ('i', 1, 7, 0, 0, x'62')",
            10,
        ),
        (
            "webappsstore.sqlite",
            "INSERT INTO webappsstore2 SELECT '', 'elpmaxe.ppa.:https:443', '', column1, column2 FROM (VALUES
                (NULL, 'b'), (x'63', 'b'), ('d', NULL), ('e', x'62'), (CAST(x'ff' AS TEXT), 'b'))",
            5,
        ),
        (
            "https_app.example_0.localstorage",
            "INSERT INTO ItemTable VALUES ('c', x'62'), ('d', 1.5), (x'65', x'6200'), (CAST(x'ff' AS TEXT), x'6200')",
            4,
        ),
    ] {
        let sound = SOUND.iter().find(|(other, _)| *other == name).expect("a kind").1;
        let (_folder, path) = made(name, &[sound, sql].concat());
        let reading = read(&path);
        one_item(&reading);
        let told = format!("left out: {rows} items that cannot be read");
        assert!(tells(&reading, &told) && is_told(&reading.problems), "{name}: {:?}", reading.problems);
        assert_eq!(list(&path).storages[0].item_count, rows + 1);
    }
}

#[test]
fn rows_without_a_name_are_told() {
    let (_folder, path) = made(
        "LocalStorage",
        &[
            CHROMIUM,
            "INSERT INTO map_entries VALUES (7, 0, x'0161', x'0162');
             INSERT INTO maps VALUES (8, x'ff', NULL, NULL, NULL), (9, 5, 'x', 'x', 'x');",
        ]
        .concat(),
    );
    let reading = read(&path);
    one_item(&reading);
    assert!(tells(&reading, "left out: 1 item of storages that have no name"));
    assert!(tells(&reading, "2 storages without the name of an origin"));
    let (_folder, path) =
        made("a_b_0.localstorage", &[WEBKIT, "INSERT INTO ItemTable VALUES (NULL, x'6200')"].concat());
    let reading = read(&path);
    assert!(tells(&reading, "left out: 1 row without a key") && !is_told(&reading.problems));
    let nobodys = "INSERT INTO webappsstore2 VALUES ('', 'nonsense', '', 'c', 'd'), ('', 5, '', 'e', 'f')";
    let (_folder, path) = made("webappsstore.sqlite", &[LEGACY, nobodys].concat());
    let reading = read(&path);
    assert_eq!(reading.storages.iter().map(|it| it.items.len()).collect::<Vec<_>>(), [2, 1]);
    assert!(
        reading.storages[0].origin.is_none() && tells(&reading, "of 2 items nobody can tell whose they are")
    );
}

#[test]
fn newer_versions_are_refused_by_name() {
    for (name, sql) in [
        (
            "LocalStorage",
            [CHROMIUM, "UPDATE meta SET value = '2' WHERE key = 'last_compatible_version'"].concat(),
        ),
        (
            "LocalStorage",
            [CHROMIUM, "UPDATE meta SET value = 2 WHERE key = 'last_compatible_version'"].concat(),
        ),
        ("data.sqlite", [FIREFOX, "PRAGMA user_version = 96"].concat()),
    ] {
        let (_folder, path) = made(name, &sql);
        assert_eq!(refusal(&path).0, ErrorKind::NewerFormat, "{sql}");
    }
    // Chromium counts apart from what it can still read.
    let later = "UPDATE meta SET value = '9' WHERE key = 'version'; INSERT INTO meta VALUES ('x', 9)";
    let (_folder, path) = made("LocalStorage", &[CHROMIUM, later].concat());
    one_item(&read(&path));
}

#[test]
fn what_is_no_such_database_is_refused_by_name() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("text"), "SQLite, but not so").expect("writes");
    fs::write(path("empty"), "").expect("writes");
    assert_eq!(refusal(&path("text")).0, ErrorKind::Damaged);
    assert_eq!(refusal(&path("empty")), (ErrorKind::Damaged, "the file has zero bytes".to_owned()));
    assert_eq!(refusal(&path("missing")).0, ErrorKind::NotFound);
    assert_eq!(refusal(folder.path()).0, ErrorKind::Damaged);
    let (_folder, other) = made("other", "CREATE TABLE t(a)");
    assert_eq!(refusal(&other).0, ErrorKind::Usage);
    let (_folder, nothing) = made("nothing", "PRAGMA user_version = 1");
    assert_eq!(refusal(&nothing).1, "the file is a SQLite database without any table");
}

#[test]
fn a_database_in_utf_16_is_read_as_well() {
    for encoding in ["UTF-16le", "UTF-16be"] {
        let (_folder, path) =
            made("https_app.example_0.localstorage", &format!("PRAGMA encoding = '{encoding}'; {WEBKIT}"));
        one_item(&read(&path));
    }
}

#[test]
fn the_same_storage_under_two_names_is_told_where_keys_meet() {
    let sql = "INSERT INTO maps VALUES (2, CAST('https://app.example' AS BLOB), NULL, NULL, NULL);
        INSERT INTO map_entries VALUES (2, 0, x'0161', x'0163');";
    let (_folder, path) = made("LocalStorage", &[CHROMIUM, sql].concat());
    let reading = read(&path);
    one_item(&reading);
    assert!(tells(&reading, "left out: 1 item whose key is there twice, the first one \"a\""));
}
