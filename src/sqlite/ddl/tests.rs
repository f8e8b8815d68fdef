use super::*;

fn name_and_table(text: &str) -> Result<(String, Option<String>), &'static str> {
    let shown = |name: Vec<u8>| String::from_utf8_lossy(&name).into_owned();
    read_head(text.as_bytes()).map(|head| (shown(head.name), head.table.map(shown)))
}

#[test]
fn heads_are_read_whatever_their_quotes_comments_and_case() {
    for (text, name, table) in [
        ("CREATE TABLE t(a, b)", "t", None),
        ("create table [a b](x)", "a b", None),
        ("CREATE TABLE \"a\"\"b\"(x)", "a\"b", None),
        ("CREATE/**/TABLE -- x\n 'it''s' (a);", "it's", None),
        ("CREATE TABLE if(a)", "if", None),
        ("CREATE TABLE IF NOT EXISTS t(a)", "t", None),
        ("CREATE TABLE \u{b}t(a, \u{feff}b)", "t", None),
        ("CREATE VIRTUAL TABLE f USING fts5(a, content='', x=[;])", "f", None),
        ("CREATE UNIQUE INDEX i ON t(a) WHERE a > ';' /* end", "i", Some("t")),
        ("CREATE INDEX \"on\" ON `t`(\"on\")", "on", Some("t")),
        ("CREATE VIEW v(a) AS SELECT load_extension('x') AS x", "v", None),
        ("CREATE TRIGGER r UPDATE OF a ON main.t BEGIN SELECT CASE WHEN 1 THEN 2 END; END", "r", Some("t")),
        ("CREATE TRIGGER r DELETE ON t BEGIN SELECT 1; DELETE FROM t; END;;", "r", Some("t")),
    ] {
        let expected = (name.to_string(), table.map(str::to_string));
        assert_eq!(name_and_table(text), Ok(expected), "{text}");
    }
}

#[test]
fn what_sqlite_never_stores_is_refused() {
    for (text, why) in [
        ("", "CREATE"),
        ("ATTACH 'x' AS y", "CREATE"),
        ("CREATE TEMP TABLE t(a)", "temporary"),
        ("CREATE TEMPORARY TRIGGER r DELETE ON t BEGIN SELECT 1; END", "temporary"),
        ("CREATE TABLE temp.t(a)", "database"),
        ("CREATE TABLE t AS SELECT 1", "query"),
        ("CREATE TABLE t(a); ATTACH 'x' AS y", "more than one"),
        ("CREATE VIEW v AS SELECT 1; DROP TABLE t", "more than one"),
        ("CREATE TRIGGER r DELETE ON t BEGIN SELECT 1; END; ATTACH 'x' AS y", "more than one"),
        ("CREATE TRIGGER r DELETE ON t BEGIN SELECT 1", "more than one"),
        ("CREATE UNIQUE TABLE t(a)", "none of"),
        ("CREATE VIRTUAL VIEW v AS SELECT 1", "none of"),
        ("CREATE INDEX i", "table"),
        ("CREATE TABLE t(a CHECK (Load_Extension('x')))", "function"),
        ("CREATE INDEX i ON t(\"fts3_tokenizer\" /**/ (a))", "function"),
        ("CREATE TABLE (a)", "name"),
        ("CREATE TABLE t('a", "not SQL"),
        ("CREATE TABLE\u{b}t(a)", "not SQL"),
        ("CREATE TABLE t(a\0)", "not SQL"),
        ("CREATE TABLE [t", "not SQL"),
    ] {
        let refused = name_and_table(text).expect_err(text);
        assert!(refused.contains(why), "{text}: {refused}");
    }
}

#[test]
fn only_a_list_of_names_is_a_list_of_bare_columns() {
    let columns = |text: &str| {
        let columns = read_head(text.as_bytes()).expect(text).bare_columns?;
        Some(columns.into_iter().map(|name| String::from_utf8_lossy(&name).into_owned()).collect::<Vec<_>>())
    };
    assert_eq!(columns("CREATE TABLE sqlite_sequence(name,seq)"), Some(vec!["name".into(), "seq".into()]));
    assert_eq!(columns("CREATE TABLE t(a, b AS (a))"), None);
    assert_eq!(columns("CREATE TABLE t(a, PRIMARY KEY(a)) WITHOUT ROWID"), None);
    assert_eq!(columns("CREATE TABLE t(a) STRICT"), None);
}

#[test]
fn a_surrogate_swallows_what_follows_it_as_in_sqlite() {
    let quote_behind_a_surrogate = SqlText::Raw(vec![0x00, 0xd8, b'"', 0, b'x', 0]);
    let parsed = as_parsed(&quote_behind_a_surrogate, TextEncoding::Utf16Le);
    assert_eq!(String::from_utf8_lossy(&parsed), "\u{10022}x");
}
