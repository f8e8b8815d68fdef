use rusqlite::Connection;

use super::findings::Findings;
use super::schema;
use super::side::{Pair, Side, message, query, quoted};
use super::sql_text;

/// Rows of a virtual table or view that are compared; its storage is compared in full elsewhere.
const ROWS_COMPARED: usize = 20_000;
/// Indexed words that both sides are asked for.
const WORDS_ASKED: usize = 300;
/// What a view's text must not mention if both sides shall answer alike.
const CHANGING: [&str; 6] = ["random", "now", "current_", "changes(", "last_insert", "sqlite_"];

/// Compares the answers of virtual tables and of views.
pub(super) fn compare(pair: &Pair, findings: &mut Findings) {
    for (name, sql) in schema::virtual_tables(pair) {
        let place = format!("virtual table {name:?}");
        compare_answers(pair, &place, &format!("SELECT * FROM {}", quoted(&name)), findings);
        match sql_text::module(&sql).as_deref() {
            Some("fts5") => compare_fts(pair, &place, &name, "fts5vocab", findings),
            Some("fts3" | "fts4") => compare_fts(pair, &place, &name, "fts4aux", findings),
            Some("rtree" | "rtree_i32") => compare_rtree(pair, &place, &name, findings),
            _ => {}
        }
    }
    for (name, sql) in schema::views(pair) {
        let text = sql.to_ascii_lowercase();
        if !CHANGING.iter().any(|word| text.contains(word)) {
            compare_answers(
                pair,
                &format!("view {name:?}"),
                &format!("SELECT * FROM {}", quoted(&name)),
                findings,
            );
        }
    }
}

fn compare_answers(pair: &Pair, place: &str, sql: &str, findings: &mut Findings) {
    let (original, restored) = pair.ask(|side| answer(&side.reader, sql));
    if original != restored {
        findings.add(place, &format!("{sql}: {}", in_words(&original, &restored)));
    }
}

/// The rows of any query as text, or its error.
fn answer(connection: &Connection, sql: &str) -> Result<Vec<String>, String> {
    let mut statement = connection.prepare(sql).map_err(message)?;
    let columns = statement.column_count();
    let mut rows = statement.query([]).map_err(message)?;
    let mut answer = Vec::new();
    while let Some(row) = rows.next().map_err(message)? {
        let cells = (0..columns).map(|column| row.get_ref(column).map(|cell| format!("{cell:?}")));
        answer.push(cells.collect::<rusqlite::Result<Vec<_>>>().map_err(message)?.join(", "));
        if answer.len() == ROWS_COMPARED {
            break;
        }
    }
    Ok(answer)
}

fn in_words(original: &Result<Vec<String>, String>, restored: &Result<Vec<String>, String>) -> String {
    match (original, restored) {
        (Ok(a), Ok(b)) => {
            let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
            format!("answer {}: original has {:?}, restored has {:?}", same + 1, a.get(same), b.get(same))
        }
        (a, b) => format!("original: {:?}, restored: {:?}", a.as_ref().err(), b.as_ref().err()),
    }
}

/// Full-text search: the vocabulary, what each word finds, and SQLite's own check of the index.
fn compare_fts(pair: &Pair, place: &str, table: &str, vocabulary_module: &str, findings: &mut Findings) {
    let (original, restored) = pair.ask(Side::checker);
    let vocabulary =
        [&original, &restored].map(|connection| vocabulary(connection, table, vocabulary_module));
    if vocabulary[0] != vocabulary[1] {
        findings.add(place, &format!("vocabulary: {}", in_words(&vocabulary[0], &vocabulary[1])));
    }
    let name = quoted(table);
    for word in words(&original, vocabulary_module) {
        // The word itself, and whatever begins like it.
        for question in [format!("\"{word}\""), format!("\"{word}\" OR {}*", first_letters(&word))] {
            let sql = format!("SELECT rowid FROM {name} WHERE {name} MATCH ?1 ORDER BY rowid");
            let found = [&original, &restored].map(|connection| matches(connection, &sql, &question));
            findings.expect_equal(&format!("{place}, MATCH {question}"), &found[0], &found[1]);
        }
    }
    for command in [format!("INSERT INTO {name} ({name}) VALUES ('integrity-check')"), with_content(&name)] {
        let outcome =
            [&original, &restored].map(|connection| connection.execute_batch(&command).map_err(message));
        findings.expect_equal(&format!("{place}, {command}"), &outcome[0], &outcome[1]);
    }
}

/// The check that also compares an external content table; only FTS5 knows it.
fn with_content(name: &str) -> String {
    format!("INSERT INTO {name} ({name}, rank) VALUES ('integrity-check', 1)")
}

/// The words that the index holds and where, through a temporary table that this SQLite makes for the purpose.
fn vocabulary(connection: &Connection, table: &str, module: &str) -> Result<Vec<String>, String> {
    let kind = if module == "fts5vocab" { ", instance" } else { "" };
    connection
        .execute_batch(&format!(
            "CREATE VIRTUAL TABLE temp.judge_words USING {module}(main, {}{kind})",
            quoted(table)
        ))
        .map_err(message)?;
    answer(connection, "SELECT * FROM temp.judge_words")
}

fn words(connection: &Connection, module: &str) -> Vec<String> {
    let condition = if module == "fts5vocab" { "1" } else { "col = '*'" };
    let sql = format!("SELECT DISTINCT term FROM temp.judge_words WHERE {condition} LIMIT {WORDS_ASKED}");
    let words: Vec<String> = query(connection, &sql, [], |row| row.get(0)).unwrap_or_default();
    words.into_iter().filter(|word| !word.contains('"') && !word.contains('\0')).collect()
}

/// The beginning of a word as a bare prefix; only letters and digits may stand unquoted.
fn first_letters(word: &str) -> String {
    let letters: String = word.chars().take(2).take_while(char::is_ascii_alphanumeric).collect();
    if letters.is_empty() || letters.eq_ignore_ascii_case("or") { "a".to_owned() } else { letters }
}

fn matches(connection: &Connection, sql: &str, question: &str) -> Result<Vec<i64>, String> {
    query(connection, sql, [question], |row| row.get(0))
}

/// Ranges over the first coordinate, and SQLite's own check of the tree.
fn compare_rtree(pair: &Pair, place: &str, table: &str, findings: &mut Findings) {
    let name = quoted(table);
    let columns =
        pair.original.rows("SELECT name FROM pragma_table_info(?1)", [table], |row| row.get::<_, String>(0));
    let [key, low, high, ..] = &columns.expect("pragma_table_info answers")[..] else {
        findings.add(place, "an R-Tree has a key and at least two coordinates");
        return;
    };
    let (key, low, high) = (quoted(key), quoted(low), quoted(high));
    let middle = format!("(SELECT avg({low}) FROM {name})");
    for condition in
        [format!("{low} >= {middle}"), format!("{high} < {middle}"), format!("{low} <= 20 AND {high} >= 10")]
    {
        compare_answers(
            pair,
            place,
            &format!("SELECT {key} FROM {name} WHERE {condition} ORDER BY 1"),
            findings,
        );
    }
    let check = format!("SELECT rtreecheck('main', '{}')", table.replace('\'', "''"));
    let (original, restored) = pair.ask(|side| answer(&side.checker(), &check));
    findings.expect_equal(&format!("{place}, rtreecheck"), &original, &restored);
}
