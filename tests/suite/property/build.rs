//! From recipe to file.

use std::path::Path;

use rusqlite::types::{ToSqlOutput, Value};
use rusqlite::{Connection, Error, ErrorCode, ToSql, params_from_iter};

use super::recipe::{
    CellRecipe, ColumnRecipe, DatabaseRecipe, IndexRecipe, RowRecipe, TableKind, TableRecipe,
};

impl DatabaseRecipe {
    /// Builds the database at `path`, which must not exist, and returns how many rows SQLite accepted.
    ///
    /// # Panics
    /// If SQLite refuses anything but a row that breaks a constraint.
    pub(crate) fn build(&self, path: &Path) -> usize {
        let connection = Connection::open(path).expect("the database can be created");
        let journal_mode = if self.wal { "WAL" } else { "DELETE" };
        let pragmas = format!(
            "PRAGMA encoding = '{}'; PRAGMA page_size = {}; PRAGMA auto_vacuum = {};
             PRAGMA journal_mode = {journal_mode}; PRAGMA user_version = {}; PRAGMA application_id = {}; BEGIN;",
            self.encoding, self.page_size, self.auto_vacuum, self.user_version, self.application_id
        );
        connection.execute_batch(&pragmas).expect("the pragmas are valid");
        let accepted = self.tables.iter().map(|table| table.build(&connection)).sum();
        connection.execute_batch("COMMIT").expect("the rows can be committed");
        connection.close().expect("the database closes");
        accepted
    }
}

impl TableRecipe {
    fn build(&self, connection: &Connection) -> usize {
        let sql = self.definition();
        connection.execute_batch(&sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        for (ordinal, index) in self.indexes.iter().enumerate() {
            let sql = self.index_definition(index, ordinal);
            connection.execute_batch(&sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        let accepted = self.rows.iter().filter(|row| self.insert(connection, row)).count();
        self.delete_some(connection);
        accepted
    }

    fn definition(&self) -> String {
        let mut parts: Vec<String> =
            (0..self.columns.len()).map(|ordinal| self.column_definition(ordinal)).collect();
        if let TableKind::WithoutRowid { key_columns, descending } = self.kind {
            let key: Vec<String> =
                self.columns.iter().take(key_columns).map(|column| quoted(&column.name)).collect();
            let direction = if descending { " DESC" } else { "" };
            parts.push(format!("PRIMARY KEY ({}{direction})", key.join(", ")));
        }
        let mut options = Vec::new();
        if matches!(self.kind, TableKind::WithoutRowid { .. }) {
            options.push("WITHOUT ROWID");
        }
        if self.is_strict() {
            options.push("STRICT");
        }
        format!("CREATE TABLE {} ({}) {}", quoted(&self.name), parts.join(", "), options.join(", "))
    }

    fn column_definition(&self, ordinal: usize) -> String {
        let column = &self.columns[ordinal];
        let name = quoted(&column.name);
        let collation = if column.collation.is_empty() {
            String::new()
        } else {
            format!(" COLLATE {}", column.collation)
        };
        let declared = column.strict.unwrap_or(column.declared);
        match self.kind {
            TableKind::Alias { autoincrement } if ordinal == 0 => {
                format!("{name} INTEGER PRIMARY KEY{}", if autoincrement { " AUTOINCREMENT" } else { "" })
            }
            TableKind::KeyBesideRowid if ordinal == 0 => {
                // INTEGER would make it an alias.
                let declared = if declared == "INTEGER" { "INT" } else { declared };
                format!("{name} {declared} PRIMARY KEY{collation}")
            }
            _ => format!("{name} {declared}{collation}"),
        }
    }

    fn index_definition(&self, index: &IndexRecipe, ordinal: usize) -> String {
        let column = |position: &usize| quoted(&self.columns[position % self.columns.len()].name);
        let mut columns: Vec<String> = index.columns.iter().map(column).collect();
        let first = columns[0].clone();
        if index.descending {
            columns[0].push_str(" DESC");
        }
        let condition = if index.partial { format!(" WHERE {first} IS NOT NULL") } else { String::new() };
        let name = quoted(&format!("{} by {ordinal}", self.name));
        format!("CREATE INDEX {name} ON {} ({}){condition}", quoted(&self.name), columns.join(", "))
    }

    /// Whether SQLite took the row.
    fn insert(&self, connection: &Connection, row: &RowRecipe) -> bool {
        let mut names: Vec<String> = self.columns.iter().map(|column| quoted(&column.name)).collect();
        let mut cells: Vec<CellRecipe> = row.cells.iter().take(names.len()).cloned().collect();
        if let TableKind::Alias { .. } = self.kind {
            cells[0] = CellRecipe::Integer(row.rowid);
        }
        if let (true, Some(name)) = (self.kind.has_free_rowid(), self.free_rowid_name()) {
            names.push(name.to_owned());
            cells.push(CellRecipe::Integer(row.rowid));
        }
        let places: Vec<&str> = cells.iter().map(CellRecipe::placeholder).collect();
        let table = quoted(&self.name);
        let sql = format!("INSERT INTO {table} ({}) VALUES ({})", names.join(", "), places.join(", "));
        match connection.prepare(&sql).and_then(|mut insert| insert.execute(params_from_iter(&cells))) {
            Ok(_) => true,
            Err(Error::SqliteFailure(cause, _)) if cause.code == ErrorCode::ConstraintViolation => false,
            Err(error) => panic!("{sql}: {error}"),
        }
    }

    fn free_rowid_name(&self) -> Option<&'static str> {
        let taken =
            |name: &str| self.columns.iter().any(|ColumnRecipe { name: n, .. }| n.eq_ignore_ascii_case(name));
        ["rowid", "oid", "_rowid_"].into_iter().find(|name| !taken(name))
    }

    /// Deletes every n-th row by what identifies it; rows that look alike go together.
    fn delete_some(&self, connection: &Connection) {
        if self.delete_every == 0 {
            return;
        }
        let table = quoted(&self.name);
        let identity = match self.kind {
            TableKind::NoKey | TableKind::KeyBesideRowid => self.free_rowid_name().map(str::to_owned),
            TableKind::Alias { .. } | TableKind::WithoutRowid { .. } => Some(quoted(&self.columns[0].name)),
        };
        let Some(identity) = identity else { return };
        let sql = format!(
            "DELETE FROM {table} WHERE {identity} IN (SELECT id FROM (SELECT {identity} AS id, row_number() OVER () AS n
             FROM {table}) WHERE n % {} = 0)",
            self.delete_every + 1
        );
        connection.execute_batch(&sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

impl CellRecipe {
    /// Raw text is bound as a blob, the only way past the interface's checks, and cast.
    fn placeholder(&self) -> &'static str {
        if matches!(self, Self::RawText(_)) { "CAST(? AS TEXT)" } else { "?" }
    }
}

impl ToSql for CellRecipe {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Owned(Value::Null),
            Self::Integer(integer) => ToSqlOutput::from(*integer),
            Self::Real(real) => ToSqlOutput::from(*real),
            Self::Text(text) => ToSqlOutput::from(text.as_str()),
            Self::RawText(bytes) | Self::Blob(bytes) => ToSqlOutput::from(bytes.as_slice()),
        })
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
