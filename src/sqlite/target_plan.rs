//! What a restored database's schema will be, and what stands behind each of its rows: pure planning.
//!
//! Nearly always the source's schema exactly. Where something cannot be rebuilt with this SQLite, the plan
//! says so in the same terms as the snapshot's `not_kept` list.

use std::collections::{HashMap, HashSet};

use crate::error::{Error, ErrorKind, Result};
use crate::schema::{
    Affinity, Column, Generated, Identifier, Index, IndexColumn, IndexOrigin, IndexedValue, ObjectKind,
    SchemaObject, SqlText, Table,
};
use crate::sqlite::not_kept::{NotKept, NotKeptKind, is_plain};

/// One row of the restored `sqlite_schema`, and what stands behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedObject {
    /// The row.
    pub object: SchemaObject,
    /// Its b-tree.
    pub storage: Storage,
}

/// What b-tree an object has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// None: a view, a trigger, a virtual table.
    None,
    /// The rows of the table at this index.
    Table(usize),
    /// An index over stored columns, built from a stand-in before the schema is put in.
    PlainIndex {
        /// Its table's index.
        table: usize,
        /// Its index in the table.
        index: usize,
    },
    /// An index with expressions, a WHERE clause or virtual columns, built under its true definition.
    DeferredIndex {
        /// Its table's index.
        table: usize,
        /// Its index in the table.
        index: usize,
    },
}

/// The whole plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetPlan {
    /// The rows of the restored `sqlite_schema`, in order.
    pub objects: Vec<PlannedObject>,
    /// The tables that are restored without their constraints, by index.
    pub without_constraints: HashSet<usize>,
    /// The names of the indexes that are left out.
    lost_indexes: HashSet<Identifier>,
}

impl TargetPlan {
    /// The schema rows alone.
    #[must_use]
    pub fn schema_objects(&self) -> Vec<SchemaObject> {
        self.objects.iter().map(|planned| planned.object.clone()).collect()
    }

    /// Makes sure that SQLite reads out of the restored schema's texts the tables of which they are said to be the
    /// texts: rows were laid out after `tables`, and anything else that read them would read nonsense.
    ///
    /// `found`: the tables of the restored database, in its order.
    ///
    /// # Errors
    /// `Mismatch` with the first table that is another.
    pub fn expect_tables(&self, tables: &[Table], found: &[Table]) -> Result<()> {
        if tables.len() != found.len() {
            let message = "the restored tables are not those the manifest names";
            return Err(Error::new(ErrorKind::Mismatch, message));
        }
        for (ordinal, (expected, found)) in tables.iter().zip(found).enumerate() {
            let expected = if self.without_constraints.contains(&ordinal) {
                plain_table(self.without_lost_indexes(expected))
            } else {
                self.without_lost_indexes(expected)
            };
            if expected != *found {
                let message = "SQLite sees a table otherwise than the manifest describes it";
                return Err(Error::new(ErrorKind::Mismatch, message).in_table(&expected.name));
            }
        }
        Ok(())
    }

    fn without_lost_indexes(&self, table: &Table) -> Table {
        let mut table = table.clone();
        table.indexes.retain(|index| !self.lost_indexes.contains(&index.name));
        table
    }
}

/// Plans the schema of a database restored from `objects` and `tables`.
///
/// # Errors
/// `Damaged` where tables, indexes and schema rows do not fit each other.
pub fn plan_target(objects: &[SchemaObject], tables: &[Table], not_kept: &[NotKept]) -> Result<TargetPlan> {
    let folded = |name: &[u8]| name.to_ascii_lowercase();
    let ordinals: HashMap<Vec<u8>, usize> =
        tables.iter().enumerate().map(|(ordinal, table)| (folded(table.name.as_bytes()), ordinal)).collect();
    if ordinals.len() != tables.len() {
        return Err(Error::new(ErrorKind::Damaged, "the snapshot has two tables of one name"));
    }
    let table_at = |name: &[u8]| ordinals.get(&folded(name)).copied();
    let mut without_constraints = HashSet::new();
    let mut lost_indexes = HashSet::new();
    for lost in not_kept {
        let table = table_at(lost.table.as_bytes()).ok_or_else(|| no_such("table", &lost.table))?;
        match (lost.what, &lost.index) {
            (NotKeptKind::Index, Some(index)) => drop(lost_indexes.insert(index.clone())),
            _ => drop(without_constraints.insert(table)),
        }
    }
    let mut planned = Vec::with_capacity(objects.len());
    let mut found_tables = HashSet::new();
    for object in objects {
        let storage = match (object.kind, object.has_storage) {
            (_, false) => Storage::None,
            (ObjectKind::Table, true) => {
                let table =
                    table_at(object.name.as_bytes()).ok_or_else(|| no_such("table", &object.name.lossy()))?;
                if !found_tables.insert(table) {
                    return Err(no_such("second table", &object.name.lossy()));
                }
                Storage::Table(table)
            }
            (ObjectKind::Index, true) => {
                let name = object.name.as_bytes();
                let table = table_at(object.table_name.as_bytes())
                    .ok_or_else(|| no_such("table", &object.table_name.lossy()))?;
                if lost_indexes.contains(&Identifier::from_bytes(name)) {
                    continue;
                }
                let position = tables[table].indexes.iter().position(|index| index.name.as_bytes() == name);
                let index = position.ok_or_else(|| no_such("index", &object.name.lossy()))?;
                let facts = &tables[table].indexes[index];
                if facts.origin != IndexOrigin::Created && without_constraints.contains(&table) {
                    continue;
                }
                if is_plain(&tables[table], facts) {
                    Storage::PlainIndex { table, index }
                } else {
                    Storage::DeferredIndex { table, index }
                }
            }
            _ => return Err(no_such("storage of", &object.name.lossy())),
        };
        let mut object = object.clone();
        if let Storage::Table(table) = storage
            && without_constraints.contains(&table)
        {
            object.sql = Some(plain_definition(&tables[table]));
        }
        planned.push(PlannedObject { object, storage });
    }
    if found_tables.len() != tables.len() {
        return Err(Error::new(
            ErrorKind::Damaged,
            "the snapshot has a table that its schema does not mention",
        ));
    }
    Ok(TargetPlan { objects: planned, without_constraints, lost_indexes })
}

/// What SQLite sees of a table that has [`plain_definition`].
fn plain_table(table: Table) -> Table {
    let columns = table.stored_columns().map(|(_, column)| {
        let affinity = Affinity::of_declared_type(column.declared_type.as_bytes(), false);
        Column { affinity, generated: Generated::No, ..column.clone() }
    });
    let created = table.indexes.iter().filter(|index| index.origin == IndexOrigin::Created);
    Table {
        strict: false,
        columns: columns.collect(),
        rowid_alias: table.rowid_alias.and_then(|alias| table.stored_position(alias)),
        without_rowid_key: Vec::new(),
        indexes: created.map(|index| plain_index(&table, index)).collect(),
        name: table.name,
    }
}

/// An index over stored columns of a table that has rowids now, and counts its columns anew.
fn plain_index(table: &Table, index: &Index) -> Index {
    let keys = index.columns.iter().filter(|column| column.is_key).map(|column| {
        let value = match column.value {
            IndexedValue::Column(column) => {
                table.stored_position(column).map_or(IndexedValue::Expression, IndexedValue::Column)
            }
            other => other,
        };
        IndexColumn { value, ..column.clone() }
    });
    let rowid = IndexColumn {
        value: IndexedValue::Rowid,
        collation: Identifier::from("BINARY"),
        descending: false,
        is_key: false,
    };
    Index { columns: keys.chain([rowid]).collect(), ..index.clone() }
}

/// A definition without constraints that holds the table's stored columns under their names and types; the
/// rowid keeps its alias.
fn plain_definition(table: &Table) -> SqlText {
    let mut sql = [b"CREATE TABLE ".as_slice(), &table.name.quoted(), b"("].concat();
    for (position, (index, column)) in table.stored_columns().enumerate() {
        if position > 0 {
            sql.extend_from_slice(b", ");
        }
        sql.extend_from_slice(&column.name.quoted());
        if table.rowid_alias == Some(index) {
            sql.extend_from_slice(b" INTEGER PRIMARY KEY");
        } else if !column.declared_type.as_bytes().is_empty() {
            sql.push(b' ');
            sql.extend_from_slice(&column.declared_type.quoted());
        }
    }
    sql.push(b')');
    match String::from_utf8(sql) {
        Ok(text) => SqlText::Valid(text),
        Err(error) => SqlText::Raw(error.into_bytes()),
    }
}

fn no_such(what: &str, name: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Damaged, format!("the snapshot's schema mentions a {what} it does not describe"))
        .in_table(Identifier::from(name.to_string().as_str()))
}
