//! Whether rows of `sqlite_schema` and the tables they stand for can be those of one database.
//!
//! Asked before any of it goes into a database, and of every database before it is exported, so that nothing is
//! exported that could not be restored. Stricter than SQLite's parser only where SQLite itself never writes such
//! rows. What the texts mean is compared later, in SQLite's own words (`target`).

use std::collections::{HashMap, HashSet};

use crate::error::{Error, ErrorKind, Result};
use crate::schema::{ObjectKind, SchemaObject, SqlText, Table, TextEncoding};
use crate::sqlite::ddl::{Head, as_parsed, read_head};

/// The longest text of an object, in bytes. Everything is parsed whole, and takes about a hundred times as much.
const MOST_TEXT_BYTES: usize = 16 << 20;
/// The longest name of an object or column, in bytes.
const MOST_NAME_BYTES: usize = 1 << 20;
/// How many schema objects there may be: SQLite looks through all of them for each view and virtual table.
const MOST_OBJECTS: usize = 500_000;
/// How many columns a table or index may have.
///
/// Source: SQLite, "Implementation Limits For SQLite" (`SQLITE_MAX_COLUMN` of the bundled SQLite).
const MOST_COLUMNS: usize = 2_000;

const RESERVED: &str = "sqlite_";
const AUTOMATIC: &str = "sqlite_autoindex_";

/// The tables of SQLite's own, and the one text each has: nothing but these columns. SQLite reads the statistics
/// whenever it opens a database, so that an expression in them would be evaluated before anything is asked.
const INTERNAL: [(&str, &[&str]); 5] = [
    ("sqlite_sequence", &["name", "seq"]),
    ("sqlite_stat1", &["tbl", "idx", "stat"]),
    ("sqlite_stat2", &["tbl", "idx", "sampleno", "sample"]),
    ("sqlite_stat3", &["tbl", "idx", "neq", "nlt", "ndlt", "sample"]),
    ("sqlite_stat4", &["tbl", "idx", "neq", "nlt", "ndlt", "sample"]),
];

/// Checks the rows of a `sqlite_schema` in their order, and the tables with rows among them.
///
/// # Errors
/// `Damaged`, naming the object.
pub fn check_schema(objects: &[SchemaObject], tables: &[&Table], encoding: TextEncoding) -> Result<()> {
    if objects.len() > MOST_OBJECTS {
        let message =
            format!("the schema has {} objects, more than the {MOST_OBJECTS} allowed", objects.len());
        return Err(Error::new(ErrorKind::Damaged, message));
    }
    let mut names = Names::default();
    for object in objects {
        check_object(object, encoding).map_err(|what| refusal(object, &what))?;
        names.add(object, encoding).map_err(|what| refusal(object, what))?;
    }
    let mut previous = None;
    for object in objects {
        if previous.replace(object.rowid).is_some_and(|previous| previous >= object.rowid) {
            return Err(refusal(object, "does not stand in the order of sqlite_schema"));
        }
        names.check_table_of(object, encoding).map_err(|what| refusal(object, what))?;
    }
    tables.iter().try_for_each(|table| {
        let broken = |what: &str| Error::new(ErrorKind::Damaged, what.to_string()).in_table(&table.name);
        check_table(table, &names).map_err(broken)
    })
}

/// Whether SQLite's checks of the database evaluate anything of the object's text.
pub(crate) fn mentions_check(object: &SchemaObject, encoding: TextEncoding) -> bool {
    let Some(sql) = object.sql.as_ref().filter(|_| object.kind == ObjectKind::Table) else { return false };
    read_head(&as_parsed(sql, encoding)).is_ok_and(|head| head.mentions_check)
}

fn refusal(object: &SchemaObject, what: &str) -> Error {
    let (kind, name) = (object.kind.name(), object.name.lossy());
    Error::new(ErrorKind::Damaged, format!("the schema's {kind} {name:?} {what}"))
        .hint("SQLite itself never makes such a schema; it was damaged or made up")
}

/// Checks one row by itself.
fn check_object(object: &SchemaObject, encoding: TextEncoding) -> Result<(), String> {
    for name in [&object.name, &object.table_name] {
        let name = as_parsed(name, encoding);
        if name.contains(&0) || name.len() > MOST_NAME_BYTES {
            return Err("has a name that holds a NUL character or is too long".to_string());
        }
    }
    let sql = object.sql.as_ref().filter(|sql| !sql.as_bytes().is_empty());
    let Some(sql) = sql else {
        let is_automatic = object.kind == ObjectKind::Index && object.has_storage;
        return if is_automatic && starts_with(&object.name, AUTOMATIC) {
            Ok(())
        } else {
            Err("has no text".to_string())
        };
    };
    if sql.as_bytes().len() > MOST_TEXT_BYTES {
        return Err(format!("has a text of more than {} MiB", MOST_TEXT_BYTES >> 20));
    }
    let head = read_head(&as_parsed(sql, encoding)).map_err(|why| format!("has a text that {why}"))?;
    check_head(object, &head, encoding).map_err(str::to_string)
}

fn check_head(object: &SchemaObject, head: &Head, encoding: TextEncoding) -> Result<(), &'static str> {
    let is_same = |found: &[u8], name: &SqlText| found.eq_ignore_ascii_case(&as_parsed(name, encoding));
    if head.kind != object.kind {
        return Err("has a text that makes another kind of thing");
    }
    if !is_same(&head.name, &object.name) {
        return Err("has a text that makes something of another name");
    }
    let own_table = head.table.as_ref().unwrap_or(&head.name);
    if !is_same(own_table, &object.table_name) {
        return Err("has a text that belongs to another table");
    }
    let needs_storage = match object.kind {
        ObjectKind::Table => !head.is_virtual,
        ObjectKind::Index => true,
        ObjectKind::View | ObjectKind::Trigger => false,
    };
    if needs_storage != object.has_storage {
        return Err("has storage and may not, or needs it and has none");
    }
    if !starts_with(&object.name, RESERVED) {
        return Ok(());
    }
    let columns = head.bare_columns.as_deref().unwrap_or_default();
    let is_internal = |&(name, expected): &(&str, &[&str])| {
        let is_expected =
            |(found, expected): (&Vec<u8>, &&str)| found.eq_ignore_ascii_case(expected.as_bytes());
        head.name.eq_ignore_ascii_case(name.as_bytes())
            && columns.len() == expected.len()
            && columns.iter().zip(expected).all(is_expected)
    };
    if object.kind == ObjectKind::Table && INTERNAL.iter().any(is_internal) {
        Ok(())
    } else {
        Err("has a name that is SQLite's own, and not the text that belongs to it")
    }
}

fn starts_with(name: &SqlText, prefix: &str) -> bool {
    name.lossy().get(..prefix.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(prefix))
}

/// The names of a schema, each as SQLite compares it: without regard to ASCII case.
#[derive(Default)]
struct Names {
    /// Tables and views share their names; whether it is a table with rows.
    tables: HashMap<Vec<u8>, bool>,
    /// The table of each index.
    indexes: HashMap<Vec<u8>, Vec<u8>>,
    triggers: HashSet<Vec<u8>>,
}

impl Names {
    fn add(&mut self, object: &SchemaObject, encoding: TextEncoding) -> Result<(), &'static str> {
        let name = folded(&object.name, encoding);
        let is_new = match object.kind {
            ObjectKind::Table | ObjectKind::View => {
                let is_new = !self.indexes.contains_key(&name);
                self.tables.insert(name, object.has_storage).is_none() && is_new
            }
            ObjectKind::Index => {
                let is_new = !self.tables.contains_key(&name);
                self.indexes.insert(name, folded(&object.table_name, encoding)).is_none() && is_new
            }
            ObjectKind::Trigger => self.triggers.insert(name),
        };
        if is_new { Ok(()) } else { Err("has the name of another one") }
    }

    fn check_table_of(&self, object: &SchemaObject, encoding: TextEncoding) -> Result<(), &'static str> {
        let table = self.tables.get(&folded(&object.table_name, encoding));
        match (object.kind, table) {
            (ObjectKind::Index, Some(true))
            | (ObjectKind::Table | ObjectKind::View | ObjectKind::Trigger, Some(_)) => Ok(()),
            _ => Err("belongs to a table that is not there"),
        }
    }
}

fn folded(name: &SqlText, encoding: TextEncoding) -> Vec<u8> {
    as_parsed(name, encoding).to_ascii_lowercase()
}

/// Checks what is said of one table against the names in the schema.
fn check_table(table: &Table, names: &Names) -> Result<(), &'static str> {
    let name = table.name.as_bytes().to_ascii_lowercase();
    if names.tables.get(&name) != Some(&true) {
        return Err("a table is described that the schema does not have");
    }
    if table.columns.len() > MOST_COLUMNS || table.stored_columns().next().is_none() {
        return Err("a table is described with more columns than one can have, or with none");
    }
    if table.columns.iter().any(|column| {
        let texts = [column.name.as_bytes(), column.declared_type.as_bytes()];
        texts.iter().any(|text| text.contains(&0) || text.len() > MOST_TEXT_BYTES)
    }) {
        return Err("a column is described whose name or type holds a NUL character or is too long");
    }
    let keys = table.indexes.iter().map(|index| &index.columns).chain([&table.without_rowid_key]);
    for columns in keys {
        let has_nul = columns.iter().any(|column| column.collation.as_bytes().contains(&0));
        // A key may carry each column once more than a table can have.
        if columns.len() > 2 * MOST_COLUMNS || has_nul {
            return Err("an index is described that cannot be");
        }
    }
    let mut seen = HashSet::new();
    for index in &table.indexes {
        let index = index.name.as_bytes().to_ascii_lowercase();
        if names.indexes.get(&index) != Some(&name) || !seen.insert(index) {
            return Err("an index is described that the schema does not have, or twice");
        }
    }
    Ok(())
}
