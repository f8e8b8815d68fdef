//! Tables as older versions made them.

use super::*;

fn reading_of(name: &str, sql: &str) -> Reading {
    let (_folder, path) = made(name, sql);
    let reading = read(&path);
    assert_eq!(reading.problems, [], "{sql}");
    reading
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
}

#[test]
fn firefox_had_fewer_columns_with_other_names() {
    let packed = snap(b"workout workout workout workout");
    let packed = packed.iter().fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"));
    for columns in ["compressed INTEGER", "lastAccessTime INTEGER, compressed INTEGER, utf16Length INTEGER"] {
        let has_length = columns.contains("utf16Length");
        let (names, short, long) = if has_length {
            ("key, value, compressed, utf16Length", ", 1", ", 31")
        } else {
            ("key, value, compressed", "", "")
        };
        let sql = format!(
            "PRAGMA user_version = 64; CREATE TABLE database(origin TEXT);
             INSERT INTO database VALUES ('https://app.example');
             CREATE TABLE data(key TEXT PRIMARY KEY, value BLOB, {columns});
             INSERT INTO data({names}) VALUES ('a', x'62', 0{short}), ('c', x'{packed}', 1{long})"
        );
        let reading = reading_of("data.sqlite", &sql);
        assert_eq!(texts(&reading), pairs(&[("a", "b"), ("c", "workout workout workout workout")]));
    }
}

/// Raw Snappy without any repetition.
fn snap(bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).expect("short");
    [&[length, (length - 1) << 2], bytes].concat()
}

#[test]
fn the_first_webappsstore_had_scopes_alone() {
    let reading = reading_of(
        "webappsstore.sqlite",
        "CREATE TABLE webappsstore2(scope TEXT, key TEXT, value TEXT, secure INTEGER, owner TEXT);
         INSERT INTO webappsstore2(scope, key, value) VALUES ('elpmaxe.ppa.:https:443', 'a', 'b'),
            ('0:f:elpmaxe.ppa.:http:80', 'c', 'd'), ('0:f:^userContextId=2:elpmaxe.ppa.:http:8080', 'e', '')",
    );
    let whose: Vec<_> = reading
        .storages
        .iter()
        .map(|it| (it.origin.as_deref().expect("an origin"), it.partition.as_deref()))
        .collect();
    assert_eq!(
        whose,
        [
            ("http://app.example", None),
            ("http://app.example:8080", Some("^userContextId=2")),
            ("https://app.example", None)
        ]
    );
    assert_eq!(texts(&reading), pairs(&[("a", "b"), ("c", "d"), ("e", "")]));
}

#[test]
fn chromium_did_not_always_pack_values() {
    let reading = reading_of(
        "LocalStorage",
        "CREATE TABLE maps(row_id INTEGER PRIMARY KEY, storage_key BLOB);
         CREATE TABLE map_entries(map_id INTEGER, key BLOB, value BLOB, PRIMARY KEY(map_id, key)) WITHOUT ROWID;
         INSERT INTO maps VALUES (1, CAST('https://app.example/^0https://top.example' AS BLOB));
         INSERT INTO map_entries VALUES (1, x'0161', x'006200'), (1, x'01', x'')",
    );
    assert_eq!(reading.storages[0].partition.as_deref(), Some("https://top.example"));
    assert_eq!(texts(&reading), pairs(&[("a", "b"), ("", "")]));
}

#[test]
fn webkit_once_kept_texts() {
    let reading = reading_of(
        "http_app.example_8080.localstorage",
        "CREATE TABLE ItemTable(key TEXT UNIQUE ON CONFLICT REPLACE, value TEXT NOT NULL ON CONFLICT FAIL);
         INSERT INTO ItemTable VALUES ('a', 'b'), ('c', ''), ('d', x'')",
    );
    assert_eq!(reading.storages[0].origin.as_deref(), Some("http://app.example:8080"));
    assert_eq!(texts(&reading), pairs(&[("a", "b"), ("c", ""), ("d", "")]));
}
