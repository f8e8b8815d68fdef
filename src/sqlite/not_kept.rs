//! What of a schema a restore cannot rebuild with this SQLite, found before anything is written.

use std::collections::BTreeSet;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use crate::error::{ErrorKind, Result};
use crate::schema::{Column, Identifier, Index, IndexColumn, IndexOrigin, IndexedValue, Table};
use crate::sqlite::catalog::Catalog;
use crate::sqlite::failure::{failure, sqlite_message};
use crate::sqlite::imposter::forget_imposters;
use crate::sqlite::statement::Statement;

/// Something of the schema that a restore cannot rebuild with this SQLite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotKept {
    /// The table concerned.
    pub table: Identifier,
    /// What of it.
    pub what: NotKeptKind,
    /// The index concerned; `None` for the key of a WITHOUT ROWID table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<Identifier>,
    /// SQLite's words for why.
    pub reason: String,
}

/// What kind of thing cannot be rebuilt, and so what a restore does about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotKeptKind {
    /// A created index: a restore leaves it out.
    Index,
    /// A PRIMARY KEY or UNIQUE constraint of a table, or the key of a WITHOUT ROWID table: a restore makes an
    /// ordinary table without constraints that holds the same rows.
    Constraint,
}

impl std::fmt::Display for NotKept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.what, &self.index) {
            (NotKeptKind::Index, Some(index)) => write!(f, "index {index:?} on table {:?}", self.table)?,
            (_, Some(_)) => write!(
                f,
                "the constraints of table {:?} (it comes back as a plain table with all its rows)",
                self.table
            )?,
            (_, None) => write!(
                f,
                "the key of WITHOUT ROWID table {:?} (it comes back as a plain table with all its rows)",
                self.table
            )?,
        }
        write!(f, ": {}", self.reason)
    }
}

/// Finds what of the tables a restore could not rebuild with this SQLite.
///
/// Must run before [`read_unknown_collations`] is called on the connection.
///
/// # Errors
/// What SQLite says, other than that something is unknown.
pub(crate) fn find_not_kept(connection: &Connection, catalog: &Catalog) -> Result<Vec<NotKept>> {
    let mut not_kept = Vec::new();
    for (ordinal, table) in catalog.tables.iter().enumerate() {
        let lost = lost_constraints(connection, table)?;
        let is_plain_table = !lost.is_empty();
        let unspeakable = catalog.unspeakable_indexes.iter().filter(|(table, _)| *table == ordinal);
        not_kept.extend(unspeakable.map(|(_, index)| NotKept {
            table: table.name.clone(),
            what: NotKeptKind::Index,
            index: Some(index.clone()),
            reason: "its name is no text that SQL could spell".to_string(),
        }));
        not_kept.extend(lost);
        for index in table.indexes.iter().filter(|index| index.origin == IndexOrigin::Created) {
            let reason = match (is_plain_table, is_plain(table, index)) {
                (false, _) => why_not_built(connection, index)?,
                // Its own columns decide: the table's key will not be part of it.
                (true, true) => unknown_collation_among(connection, &index.columns)?,
                (true, false) => Some(NEEDS_ITS_TABLE.to_string()),
            };
            not_kept
                .extend(reason.map(|reason| NotKept::new(table, NotKeptKind::Index, Some(index), reason)));
        }
    }
    Ok(not_kept)
}

/// The keys and constraints of a table that cannot be rebuilt; one is enough for it to lose all of them.
fn lost_constraints(connection: &Connection, table: &Table) -> Result<Vec<NotKept>> {
    let key = unknown_collation_among(connection, &table.without_rowid_key)?;
    if let Some(reason) = key {
        return Ok(vec![NotKept::key(table, reason)]);
    }
    let mut lost = Vec::new();
    for index in table.indexes.iter().filter(|index| index.origin != IndexOrigin::Created) {
        let reason = why_not_built(connection, index)?;
        lost.extend(reason.map(|reason| NotKept::new(table, NotKeptKind::Constraint, Some(index), reason)));
    }
    Ok(lost)
}

/// What is lost with the key of a WITHOUT ROWID table whose rows turn out not to be in its order.
pub(crate) fn lost_with_key(table: &Table, reason: String) -> Vec<NotKept> {
    let computed = table.indexes.iter().filter(|index| index.origin == IndexOrigin::Created);
    let computed = computed.filter(|index| !is_plain(table, index));
    let computed = computed
        .map(|index| NotKept::new(table, NotKeptKind::Index, Some(index), NEEDS_ITS_TABLE.to_string()));
    std::iter::once(NotKept::key(table, reason)).chain(computed).collect()
}

/// Why an index that computes something goes with its table's constraints.
const NEEDS_ITS_TABLE: &str = "its table can only be rebuilt without what it computes";

impl NotKept {
    /// The key of a WITHOUT ROWID table.
    fn key(table: &Table, reason: String) -> Self {
        Self::new(table, NotKeptKind::Constraint, None, reason)
    }

    fn new(table: &Table, what: NotKeptKind, index: Option<&Index>, reason: String) -> Self {
        Self { table: table.name.clone(), what, index: index.map(|index| index.name.clone()), reason }
    }
}

fn why_not_built(connection: &Connection, index: &Index) -> Result<Option<String>> {
    why_impossible(connection, &[b"EXPLAIN REINDEX main.".as_slice(), &index.name.quoted()].concat())
}

/// Lets tables be read whose key has a collation this SQLite does not know.
///
/// The stand-in compares bytes. It is only ever used for whole scans, in which no comparison happens.
///
/// # Errors
/// What SQLite says.
pub(crate) fn read_unknown_collations(connection: &Connection, tables: &[Table]) -> Result<()> {
    let keys = tables.iter().flat_map(|table| {
        table.without_rowid_key.iter().chain(table.indexes.iter().flat_map(|index| &index.columns))
    });
    let names: BTreeSet<&Identifier> = keys.map(|column| &column.collation).collect();
    let mut is_any_unknown = false;
    for name in names {
        if let (Some(text), Some(_)) = (name.as_str(), unknown_collation(connection, name)?) {
            connection.create_collation(text, |a: &str, b: &str| a.cmp(b)).map_err(failure)?;
            is_any_unknown = true;
        }
    }
    // Only a schema that is read when the collation is there finds a way to scan such a key.
    if is_any_unknown { forget_imposters(connection) } else { Ok(()) }
}

/// Whether the index's entries are made of stored columns alone, without expressions or a WHERE clause.
pub(crate) fn is_plain(table: &Table, index: &Index) -> bool {
    let is_stored = |column: &IndexColumn| match column.value {
        IndexedValue::Column(column) => table.columns.get(column).is_some_and(Column::is_stored),
        IndexedValue::Rowid => true,
        IndexedValue::Expression => false,
    };
    !index.partial && index.columns.iter().filter(|column| column.is_key).all(is_stored)
}

fn why_impossible(connection: &Connection, explain: &[u8]) -> Result<Option<String>> {
    match Statement::prepare(connection, explain) {
        Ok(_) => Ok(None),
        Err(error) if matches!(error.kind(), ErrorKind::Failed) => Ok(Some(sqlite_message(&error))),
        Err(error) => Err(error),
    }
}

fn unknown_collation(connection: &Connection, name: &Identifier) -> Result<Option<String>> {
    let sql = [b"EXPLAIN SELECT 1 ORDER BY 'a' COLLATE ".as_slice(), &name.quoted()].concat();
    why_impossible(connection, &sql)
}

/// The first unknown collation among key columns, in SQLite's words.
fn unknown_collation_among(connection: &Connection, columns: &[IndexColumn]) -> Result<Option<String>> {
    for column in columns.iter().filter(|column| column.is_key) {
        if let Some(reason) = unknown_collation(connection, &column.collation)? {
            return Ok(Some(reason));
        }
    }
    Ok(None)
}
