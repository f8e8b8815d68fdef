use super::cell::{Cell, selected};
use super::findings::Findings;
use super::rows::Shape;
use super::schema;
use super::side::{Pair, Side, quoted};
use super::sql_text;

/// Compares every index of `table`: it must find exactly the rows of the table, in the original's order.
pub(super) fn compare(pair: &Pair, table: &str, findings: &mut Findings) {
    let (original, restored) = pair.ask(|side| index_names(side, table));
    findings.expect_equal(&format!("indexes of table {table:?}"), &original, &restored);
    for index in original.iter().filter(|index| restored.contains(index)) {
        compare_index(pair, table, index, findings);
    }
}

fn compare_index(pair: &Pair, table: &str, index: &str, findings: &mut Findings) {
    let place = format!("index {index:?} of table {table:?}");
    let (original, restored) = pair.ask(|side| Walk::of(side, table, index));
    if restored.by_index.is_ok() && !restored.is_complete() {
        findings.add(&place, "the restored index does not find the rows that a scan of its table finds");
    }
    if original.by_index.is_err() {
        // Not usable here: an unknown function or collation. The restored one may not be better or worse.
        findings.expect_equal(&place, &original.by_index.err(), &restored.by_index.err());
    } else if original.is_complete() && original.by_index != restored.by_index {
        findings.add(&place, &first_difference(&original.by_index, &restored.by_index));
    }
}

/// The rows of a table as an index and as the table give them.
struct Walk {
    by_index: Result<Vec<Vec<Cell>>, String>,
    by_table: Result<Vec<Vec<Cell>>, String>,
}

impl Walk {
    fn of(side: &Side, table: &str, index: &str) -> Self {
        let shape = Shape::of(side, table);
        let key = identity(side, &shape, table, index);
        let selection: Vec<String> = key.iter().map(|name| selected(name)).collect();
        let definition = schema::definition(side, index);
        let condition =
            sql_text::index_condition(&definition).map_or(String::new(), |text| format!(" WHERE {text}"));
        let walk = |from: String| {
            // A line end before the condition's end: it may close with a line comment.
            let sql = format!("SELECT {} FROM {from}{condition}\n", selection.join(", "));
            side.rows(&sql, [], |row| Cell::read_row(row, key.len()))
        };
        Self {
            by_index: walk(format!("{} INDEXED BY {}", quoted(table), quoted(index))),
            by_table: walk(shape.scan_of(table)),
        }
    }

    /// Whether index and table give the same rows, in whatever order.
    fn is_complete(&self) -> bool {
        let sorted = |rows: &Result<Vec<Vec<Cell>>, String>| {
            rows.clone().map(|mut rows| {
                rows.sort_unstable();
                rows
            })
        };
        sorted(&self.by_index) == sorted(&self.by_table)
    }
}

/// What identifies a row: its rowid or key, else the indexed columns themselves. The indexed columns come along in
/// any case, so that their values are read out of the index where it has them.
fn identity(side: &Side, shape: &Shape, table: &str, index: &str) -> Vec<String> {
    let mut names: Vec<String> = shape.rowid_name.map(str::to_owned).into_iter().collect();
    if shape.without_rowid_key.is_some() {
        let sql = "SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk";
        let key = side.rows(sql, [table], |row| row.get::<_, String>(0)).expect("pragma_table_info answers");
        names.extend(key.iter().map(|name| quoted(name)));
    }
    names.extend(indexed_columns(side, index).iter().map(|name| quoted(name)));
    if names.is_empty() { vec!["1".to_owned()] } else { names }
}

fn indexed_columns(side: &Side, index: &str) -> Vec<String> {
    // Expressions have no name, and cid -2.
    let sql = "SELECT name FROM pragma_index_xinfo(?1) WHERE key = 1 AND cid >= 0 ORDER BY seqno";
    side.rows(sql, [index], |row| row.get(0)).expect("pragma_index_xinfo answers")
}

fn index_names(side: &Side, table: &str) -> Vec<String> {
    let mut names: Vec<String> = side
        .rows("SELECT name FROM pragma_index_list(?1)", [table], |row| row.get(0))
        .expect("pragma_index_list answers");
    names.sort();
    names
}

fn first_difference(
    original: &Result<Vec<Vec<Cell>>, String>,
    restored: &Result<Vec<Vec<Cell>>, String>,
) -> String {
    match (original, restored) {
        (Ok(a), Ok(b)) => {
            let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
            format!("entry {}: original has {:?}, restored has {:?}", same + 1, a.get(same), b.get(same))
        }
        (a, b) => format!("original: {:?}, restored: {:?}", a.as_ref().err(), b.as_ref().err()),
    }
}
