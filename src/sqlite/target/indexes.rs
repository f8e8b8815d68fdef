//! The indexes of a restored database: sorted over stand-ins, or under their true definitions.

use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Identifier, Index, IndexedValue, SchemaObject, SqlText, Table};
use crate::sqlite::stand_in::index_term;
use crate::sqlite::target_plan::PlannedObject;

use super::{Target, index_name, stand_in_name};

impl Target {
    pub(super) fn build_plain_index(
        &self,
        position: usize,
        table_ordinal: usize,
        table: &Table,
        index: usize,
    ) -> Result<()> {
        let columns = table.indexes[index].columns.iter().filter(|column| column.is_key);
        let terms = columns.map(|column| index_term(table, column)).collect::<Result<Vec<_>>>()?;
        let sql = format!(
            "CREATE INDEX main.\"{}\" ON \"{}\"({})",
            index_name(position),
            stand_in_name(table_ordinal),
            terms.join(", ")
        );
        self.execute(sql.as_bytes()).map_err(|error| error.in_table(&table.name))
    }

    /// Makes an empty b-tree of the kind indexes have.
    pub(super) fn reserve_index(&self, position: usize) -> Result<()> {
        let sql = format!("CREATE TABLE main.\"{}\"(c0 PRIMARY KEY) WITHOUT ROWID", index_name(position));
        self.execute(sql.as_bytes())
    }

    /// Builds an index under its true definition, but as if it were not unique: rows that violate it were in the
    /// source as well, and a build that fails midway cannot be undone without a journal.
    pub(super) fn build_deferred_index(
        &self,
        planned: &PlannedObject,
        table: &Table,
        index: &Index,
    ) -> Result<()> {
        let place = |error: Error| error.in_table(&table.name);
        let relaxed = match &planned.object.sql {
            _ if !index.unique => None,
            Some(sql) => without_unique(sql),
            None => Some(created_index(table, index)),
        };
        let Some(relaxed) = relaxed else {
            let name = Identifier::from_bytes(planned.object.name.as_bytes());
            return self.reindex(&name).map_err(place);
        };
        // SQLite wants a definition's row to have the definition's name.
        let name = match &planned.object.sql {
            Some(_) => planned.object.name.clone(),
            None => SqlText::Valid(BUILT_NAME.into()),
        };
        let SchemaObject { rowid, name: true_name, sql: true_sql, .. } = &planned.object;
        self.replace_definition(*rowid, &name, Some(&relaxed)).map_err(place)?;
        self.reindex(&Identifier::from_bytes(name.as_bytes())).map_err(place)?;
        self.replace_definition(*rowid, true_name, true_sql.as_ref()).map_err(place)
    }

    fn reindex(&self, name: &Identifier) -> Result<()> {
        self.execute(&[b"REINDEX main.".as_slice(), &name.quoted()].concat())
    }
}

/// An index that `export` found nothing wrong with: its expressions make values or files that are far too large, or
/// something that its rows did not have in the source.
pub(super) fn cannot_be_built(name: &str, table: &Identifier, error: Error) -> Error {
    if error.kind() != ErrorKind::Failed {
        return error;
    }
    Error::new(ErrorKind::Failed, format!("index {name:?} cannot be built"))
        .in_table(table)
        .hint("its expressions fail, or make far more than its rows hold: the schema may be made up; nothing was published")
        .because(error)
}

/// The name an automatic index has while it is built.
const BUILT_NAME: &str = "parklite index";

/// A definition that builds what an automatic index over virtual columns holds.
fn created_index(table: &Table, index: &Index) -> SqlText {
    let mut sql = format!("CREATE INDEX \"{BUILT_NAME}\" ON ").into_bytes();
    sql.extend_from_slice(&table.name.quoted());
    let mut separator = b'(';
    for key in index.columns.iter().filter(|column| column.is_key) {
        let IndexedValue::Column(column) = key.value else { continue };
        let Some(column) = table.columns.get(column) else { continue };
        sql.push(separator);
        sql.extend_from_slice(&column.name.quoted());
        sql.extend_from_slice(b" COLLATE ");
        sql.extend_from_slice(&key.collation.quoted());
        if key.descending {
            sql.extend_from_slice(b" DESC");
        }
        separator = b',';
    }
    sql.push(b')');
    sql_text(sql)
}

fn sql_text(sql: Vec<u8>) -> SqlText {
    match String::from_utf8(sql) {
        Ok(text) => SqlText::Valid(text),
        Err(error) => SqlText::Raw(error.into_bytes()),
    }
}

/// The text of a CREATE UNIQUE INDEX without its UNIQUE.
///
/// SQLite stores the text of an index beginning with exactly these words, whatever was typed.
fn without_unique(sql: &SqlText) -> Option<SqlText> {
    const UNIQUE: &[u8] = b"CREATE UNIQUE INDEX";
    let rest = sql.as_bytes().strip_prefix(UNIQUE)?;
    Some(sql_text([b"CREATE INDEX".as_slice(), rest].concat()))
}
