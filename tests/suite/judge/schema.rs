use super::cell::{Cell, difference, selected};
use super::findings::Findings;
use super::side::{Pair, Side};

/// What is compared of a row of `sqlite_schema`: whether there is storage, not where.
const COLUMNS: [&str; 5] = ["type", "name", "tbl_name", "rootpage <> 0", "sql"];

/// Compares `sqlite_schema`: which objects there are, their order and each of them.
pub(super) fn compare(pair: &Pair, findings: &mut Findings) {
    compare_rows(pair, "", findings);
}

/// Compares what `sqlite_schema` says of one table and its indexes and triggers.
pub(super) fn compare_objects_of(pair: &Pair, table: &str, findings: &mut Findings) {
    compare_rows(pair, table, findings);
}

fn compare_rows(pair: &Pair, only_table: &str, findings: &mut Findings) {
    let (original, restored) = pair.ask(|side| rows(side, only_table));
    let lacking = |one: &[Vec<Cell>], other: &[Vec<Cell>]| -> Vec<String> {
        one.iter()
            .filter(|row| !other.iter().any(|other| is_same_object(row, other)))
            .map(|row| label(row))
            .collect()
    };
    for object in lacking(&original, &restored) {
        findings.add("sqlite_schema", &format!("restored lacks {object}"));
    }
    for object in lacking(&restored, &original) {
        findings.add("sqlite_schema", &format!("original lacks {object}"));
    }
    let common = |one: &[Vec<Cell>], other: &[Vec<Cell>]| -> Vec<Vec<Cell>> {
        one.iter().filter(|row| other.iter().any(|other| is_same_object(row, other))).cloned().collect()
    };
    compare_common(&common(&original, &restored), &common(&restored, &original), findings);
}

/// Compares the order and then the content of the objects that both sides have.
fn compare_common(original: &[Vec<Cell>], restored: &[Vec<Cell>], findings: &mut Findings) {
    if let Some((a, b)) = original.iter().zip(restored).find(|(a, b)| !is_same_object(a, b)) {
        findings.add(
            "sqlite_schema",
            &format!("order: original has {} where restored has {}", label(a), label(b)),
        );
    }
    for a in original {
        let Some(b) = restored.iter().find(|row| is_same_object(a, row)) else { continue };
        for (column, (a_cell, b_cell)) in COLUMNS.iter().zip(a.iter().zip(b)).filter(|(_, (a, b))| a != b) {
            findings.add("sqlite_schema", &format!("{}, {column}: {}", label(a), difference(a_cell, b_cell)));
        }
    }
}

/// Type and name make an object; no two have both.
fn is_same_object(a: &[Cell], b: &[Cell]) -> bool {
    a[..2] == b[..2]
}

fn label(row: &[Cell]) -> String {
    let word = |cell: &Cell| match cell {
        Cell::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => other.to_string(),
    };
    format!("{} {:?}", word(&row[0]), word(&row[1]))
}

fn rows(side: &Side, only_table: &str) -> Vec<Vec<Cell>> {
    let columns: Vec<String> = COLUMNS.iter().map(|column| selected(column)).collect();
    let condition = if only_table.is_empty() { "?1 = ''" } else { "tbl_name = ?1 COLLATE NOCASE" };
    let sql = format!("SELECT {} FROM sqlite_schema WHERE {condition} ORDER BY rowid", columns.join(", "));
    side.rows(&sql, [only_table], |row| Cell::read_row(row, COLUMNS.len()))
        .expect("sqlite_schema can be read")
}

/// Names of the tables that both databases store, in the original's order. One that only one of them has is a
/// finding of [`compare`].
pub(super) fn tables_with_storage(pair: &Pair) -> Vec<String> {
    let (original, restored) = pair.ask(|side| names(side, "type = 'table' AND rootpage <> 0"));
    original.into_iter().filter(|name| restored.contains(name)).collect()
}

/// Names and definitions of the virtual tables that both databases declare.
pub(super) fn virtual_tables(pair: &Pair) -> Vec<(String, String)> {
    objects(pair, "type = 'table' AND rootpage = 0")
}

/// Names and definitions of the views that both databases declare.
pub(super) fn views(pair: &Pair) -> Vec<(String, String)> {
    objects(pair, "type = 'view'")
}

fn objects(pair: &Pair, condition: &str) -> Vec<(String, String)> {
    let (original, restored) = pair.ask(|side| names(side, condition));
    original
        .into_iter()
        .filter(|name| restored.contains(name))
        .map(|name| {
            let sql = definition(&pair.original, &name);
            (name, sql)
        })
        .collect()
}

/// The stored text of an object, with a replacement character for whatever is not valid.
pub(super) fn definition(side: &Side, name: &str) -> String {
    let sql = "SELECT sql FROM sqlite_schema WHERE name = ?1";
    let texts = side.rows(sql, [name], |row| {
        Ok(match row.get_ref(0)? {
            rusqlite::types::ValueRef::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            _ => String::new(),
        })
    });
    texts.expect("sqlite_schema can be read").pop().unwrap_or_default()
}

fn names(side: &Side, condition: &str) -> Vec<String> {
    side.rows(&format!("SELECT name FROM sqlite_schema WHERE {condition} ORDER BY rowid"), [], |row| {
        row.get(0)
    })
    .expect("the judge needs names that are valid text")
}
