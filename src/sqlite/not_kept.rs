//! What of a schema a restore cannot rebuild with this SQLite, found before anything is written.

use std::collections::BTreeSet;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use crate::error::{ErrorKind, Result};
use crate::schema::{Column, Identifier, Index, IndexColumn, IndexOrigin, IndexedValue, Table};
use crate::sqlite::failure::{failure, sqlite_message};
use crate::sqlite::statement::{Statement, forget_imposters};

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
            (_, Some(_)) => write!(f, "a UNIQUE or PRIMARY KEY constraint of table {:?}", self.table)?,
            (_, None) => write!(f, "the key of WITHOUT ROWID table {:?}", self.table)?,
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
pub(crate) fn find_not_kept(connection: &Connection, tables: &[Table]) -> Result<Vec<NotKept>> {
    let mut not_kept = Vec::new();
    for table in tables {
        let mut add = |what, index: Option<&Identifier>, reason| {
            not_kept.push(NotKept { table: table.name.clone(), what, index: index.cloned(), reason });
        };
        let scan =
            [b"EXPLAIN SELECT 1 FROM main.".as_slice(), &table.name.quoted(), b" NOT INDEXED"].concat();
        let unknown_key = if table.has_rowid() { None } else { why_impossible(connection, &scan)? };
        let key_is_lost = unknown_key.is_some();
        if let Some(reason) = unknown_key {
            add(NotKeptKind::Constraint, None, reason);
        }
        for index in &table.indexes {
            let reason = if key_is_lost && is_plain(table, index) {
                // Its own columns decide: the table's key will not be part of it.
                unknown_in_index(connection, index)?
            } else {
                why_impossible(
                    connection,
                    &[b"EXPLAIN REINDEX main.".as_slice(), &index.name.quoted()].concat(),
                )?
            };
            match (reason, index.origin) {
                (Some(reason), IndexOrigin::Created) => add(NotKeptKind::Index, Some(&index.name), reason),
                (Some(reason), _) if !key_is_lost => add(NotKeptKind::Constraint, Some(&index.name), reason),
                _ => {}
            }
        }
    }
    Ok(not_kept)
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

/// Why an index over plain columns cannot be built, going by its own columns alone.
fn unknown_in_index(connection: &Connection, index: &Index) -> Result<Option<String>> {
    for column in index.columns.iter().filter(|column| column.is_key) {
        if let Some(reason) = unknown_collation(connection, &column.collation)? {
            return Ok(Some(reason));
        }
    }
    Ok(None)
}
