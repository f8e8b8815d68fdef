use rusqlite::Rows;

use super::cell::{Cell, difference, selected};
use super::findings::Findings;
use super::hidden_rowids;
use super::side::{Pair, Side, message, quoted};

/// Columns read by one statement. SQLite allows 2000 result columns; a cell takes two, the rowid one cell.
const COLUMNS_PER_PASS: usize = 400;
/// The names under which SQL may know a rowid.
const ROWID_NAMES: [&str; 3] = ["rowid", "oid", "_rowid_"];

/// How the rows of a table can be read.
pub(super) struct Shape {
    pub(super) columns: Vec<Column>,
    /// A name that means the rowid here; `None` without rowids or where columns took all three names.
    pub(super) rowid_name: Option<&'static str>,
    /// The automatic index that is the table itself.
    pub(super) without_rowid_key: Option<String>,
    has_alias: bool,
}

pub(super) struct Column {
    pub(super) name: String,
    /// Evaluated when read, which may fail; a STORED column is read as it stands.
    is_virtual: bool,
}

/// Columns that one statement reads.
struct Pass<'a> {
    columns: Vec<&'a str>,
    may_fail: bool,
}

impl Shape {
    pub(super) fn of(side: &Side, table: &str) -> Self {
        let columns = columns(side, table);
        let key: Option<String> = side
            .rows("SELECT name FROM pragma_index_list(?1) WHERE origin = 'pk'", [table], |row| row.get(0))
            .expect("pragma_index_list answers")
            .pop();
        let without_rowid = is_without_rowid(side, table);
        let is_column = |name: &str| columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
        let rowid_name = ROWID_NAMES.into_iter().find(|name| !is_column(name)).filter(|_| !without_rowid);
        let has_alias = !without_rowid && key.is_none() && has_key_column(side, table);
        Self { columns, rowid_name, without_rowid_key: key.filter(|_| without_rowid), has_alias }
    }

    /// The table and how to walk it: by its own b-tree, never by an index that happens to cover the columns.
    pub(super) fn scan_of(&self, table: &str) -> String {
        let table = quoted(table);
        match &self.without_rowid_key {
            // NOT INDEXED does not keep SQLite from scanning a secondary index of such a table.
            Some(key) => format!("{table} INDEXED BY {}", quoted(key)),
            None => format!("{table} NOT INDEXED"),
        }
    }

    /// Whether rowids exist that no SQL can name.
    fn hides_rowids(&self) -> bool {
        self.rowid_name.is_none() && self.without_rowid_key.is_none() && !self.has_alias
    }

    /// Columns that are read together, and whether reading them may fail. A virtual column stands alone.
    fn passes(&self) -> Vec<Pass<'_>> {
        let stored = self.names(false);
        let stored = stored
            .chunks(COLUMNS_PER_PASS)
            .map(|columns| Pass { columns: columns.to_vec(), may_fail: false });
        let evaluated = self.names(true).into_iter().map(|name| Pass { columns: vec![name], may_fail: true });
        stored.chain(evaluated).collect()
    }

    fn names(&self, is_virtual: bool) -> Vec<&str> {
        self.columns
            .iter()
            .filter(|column| column.is_virtual == is_virtual)
            .map(|column| column.name.as_str())
            .collect()
    }
}

/// Compares the rows of `table`: number, order, rowids and every cell.
pub(super) fn compare(pair: &Pair, table: &str, findings: &mut Findings) {
    let (original, restored) = pair.ask(|side| Shape::of(side, table));
    let place = format!("table {table:?}");
    let (a, b) = (names_of(&original), names_of(&restored));
    if a != b || original.without_rowid_key != restored.without_rowid_key {
        findings
            .add(&place, &format!("original has columns {a:?}, restored has {b:?}, or only one has rowids"));
        return;
    }
    for pass in original.passes() {
        compare_pass(pair, table, &original, &pass, findings);
    }
    if original.hides_rowids() {
        let (a, b) = pair.ask(|side| hidden_rowids::read(side, table));
        if a != b {
            findings.add(&place, &format!("hidden rowids: original has {a:?}, restored has {b:?}"));
        }
    }
}

fn compare_pass(pair: &Pair, table: &str, shape: &Shape, pass: &Pass<'_>, findings: &mut Findings) {
    let columns = &pass.columns;
    let cells: Vec<String> = shape
        .rowid_name
        .iter()
        .map(|&name| name.to_owned())
        .chain(columns.iter().map(|name| quoted(name)))
        .collect();
    let selection: Vec<String> = cells.iter().map(|cell| selected(cell)).collect();
    let order = shape.rowid_name.map_or(String::new(), |name| format!(" ORDER BY {name}"));
    let sql = format!("SELECT {} FROM {}{order}", selection.join(", "), shape.scan_of(table));
    let place = format!("table {table:?}");
    match (pair.original.prepare(&sql), pair.restored.prepare(&sql)) {
        (Ok(mut original), Ok(mut restored)) => {
            let original = original.query([]).expect("the statement takes no parameters");
            let restored = restored.query([]).expect("the statement takes no parameters");
            let names: Vec<&str> = shape.rowid_name.into_iter().chain(columns.iter().copied()).collect();
            let with_rowid = shape.rowid_name.is_some();
            Lockstep { original, restored, names: &names, with_rowid, may_fail: pass.may_fail }
                .compare(&place, findings);
        }
        // An unknown function in a virtual column, here and there alike.
        (Err(a), Err(b)) if pass.may_fail && a == b => {}
        (original, restored) => {
            let (a, b) = (original.err(), restored.err());
            findings
                .add(&place, &format!("columns {columns:?} cannot be read: original {a:?}, restored {b:?}"));
        }
    }
}

/// Two results read row by row, side by side.
struct Lockstep<'a> {
    original: Rows<'a>,
    restored: Rows<'a>,
    names: &'a [&'a str],
    with_rowid: bool,
    may_fail: bool,
}

impl Lockstep<'_> {
    fn compare(mut self, place: &str, findings: &mut Findings) {
        for ordinal in 1_u64.. {
            let original = next(&mut self.original, self.names.len());
            let restored = next(&mut self.restored, self.names.len());
            match (original, restored) {
                (Ok(Some(a)), Ok(Some(b))) => {
                    if self.with_rowid && a[0] != b[0] {
                        findings.add(place, &format!("row {ordinal} by rowid: {}", difference(&a[0], &b[0])));
                        return;
                    }
                    self.compare_row(place, ordinal, &a, &b, findings);
                }
                (Ok(None), Ok(None)) => return,
                // A virtual column whose expression fails at this row, here and there alike.
                (Err(a), Err(b)) if self.may_fail && a == b => return,
                (a, b) => {
                    findings.add(
                        place,
                        &format!("row {ordinal}: original has {}, restored has {}", words(&a), words(&b)),
                    );
                    return;
                }
            }
        }
    }

    fn compare_row(&self, place: &str, ordinal: u64, a: &[Cell], b: &[Cell], findings: &mut Findings) {
        let row = if self.with_rowid { format!("rowid {}", a[0]) } else { format!("row {ordinal}") };
        for (name, (a, b)) in self.names.iter().zip(a.iter().zip(b)).filter(|(_, (a, b))| a != b) {
            findings.add(place, &format!("{row}, column {name:?}: {}", difference(a, b)));
        }
    }
}

fn next(rows: &mut Rows<'_>, cells: usize) -> Result<Option<Vec<Cell>>, String> {
    match rows.next().map_err(message)? {
        Some(row) => Cell::read_row(row, cells).map(Some).map_err(message),
        None => Ok(None),
    }
}

fn words(row: &Result<Option<Vec<Cell>>, String>) -> String {
    match row {
        Ok(Some(cells)) => format!("a row ({})", cells.first().map(Cell::to_string).unwrap_or_default()),
        Ok(None) => "no more rows".to_owned(),
        Err(message) => format!("the error {message:?}"),
    }
}

fn names_of(shape: &Shape) -> Vec<&str> {
    shape.columns.iter().map(|column| column.name.as_str()).collect()
}

fn columns(side: &Side, table: &str) -> Vec<Column> {
    side.rows("SELECT name, hidden FROM pragma_table_xinfo(?1) ORDER BY cid", [table], |row| {
        Ok(Column { name: row.get(0)?, is_virtual: row.get::<_, i64>(1)? == 2 })
    })
    .expect("pragma_table_xinfo answers")
}

fn is_without_rowid(side: &Side, table: &str) -> bool {
    side.rows("SELECT wr FROM pragma_table_list(?1) WHERE schema = 'main'", [table], |row| row.get(0))
        .expect("pragma_table_list answers")
        .pop()
        .unwrap_or(false)
}

fn has_key_column(side: &Side, table: &str) -> bool {
    let keys = side.rows("SELECT 1 FROM pragma_table_info(?1) WHERE pk > 0", [table], |_| Ok(()));
    !keys.expect("pragma_table_info answers").is_empty()
}
