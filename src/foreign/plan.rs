//! The table that a file becomes: its name, its columns, its definition. Pure planning.

use std::collections::HashSet;
use std::path::Path;

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::parquet_file::{ForeignColumn, ForeignFile};
use crate::schema::{
    Affinity, AutoVacuum, Column, DatabaseHeader, Generated, Identifier, JournalMode, ObjectKind,
    SchemaObject, SqlText, Table, TextEncoding,
};
use crate::sqlite::name::quoted;

/// Most columns that a table has in SQLite, unless compiled otherwise.
///
/// Source: SQLite, "Limits In SQLite", `SQLITE_MAX_COLUMN`.
const MOST_COLUMNS: usize = 2_000;

/// The table that a file becomes.
#[derive(Debug, Clone, Serialize)]
pub struct ForeignPlan {
    /// The table's name.
    pub table: String,
    /// Its columns, in the order of the file.
    pub columns: Vec<PlannedColumn>,
    /// Its definition.
    pub sql: String,
}

/// A column of the table.
#[derive(Debug, Clone, Serialize)]
pub struct PlannedColumn {
    /// Its name in SQLite, where that is not the name in the file: that one was taken, or cannot be written.
    pub renamed_to: Option<String>,
    /// The column of the file.
    #[serde(flatten)]
    pub source: ForeignColumn,
}

impl PlannedColumn {
    /// Its name in SQLite.
    #[must_use]
    pub fn name(&self) -> &str {
        self.renamed_to.as_deref().unwrap_or(&self.source.name)
    }
}

/// The table's name: what was asked for, else the file's name without its ending.
///
/// # Errors
/// `Usage` for a name that no table of a database may have.
pub fn table_name_of(path: &Path, asked: Option<&str>) -> Result<String> {
    const RESERVED: &str = "sqlite_";
    let refused = |message: String| {
        Err(Error::new(ErrorKind::Usage, message).at(path).hint("give the table a name with --as NAME"))
    };
    let name = match asked {
        Some(name) => name,
        None => match path.file_stem().and_then(std::ffi::OsStr::to_str) {
            Some(stem) => stem,
            None => {
                return refused("the file's name is not valid UTF-8, so no table can have it".to_string());
            }
        },
    };
    if name.is_empty() || name.contains('\0') {
        return refused("a table needs a name".to_string());
    }
    if name.get(..RESERVED.len()).is_some_and(|start| start.eq_ignore_ascii_case(RESERVED)) {
        return refused(format!("SQLite keeps table names that begin with {RESERVED} for itself"));
    }
    Ok(name.to_string())
}

/// Plans the table called `table_name` that `file` becomes.
///
/// # Errors
/// `Failed` where the file has no column, or more than a table can have.
pub fn plan_foreign(file: &ForeignFile, table_name: &str) -> Result<ForeignPlan> {
    let count = file.columns().len();
    let refused =
        |message: String, hint: &str| Err(Error::new(ErrorKind::Failed, message).at(file.path()).hint(hint));
    if count == 0 {
        return refused(
            "this file has no column, and SQLite knows no table without any".into(),
            "name another file",
        );
    }
    if count > MOST_COLUMNS {
        return refused(
            format!("this file has {count} columns, and a table of SQLite's at most {MOST_COLUMNS}"),
            "select columns with another tool first, such as DuckDB: COPY (SELECT …) TO 'part.parquet'",
        );
    }
    let names = column_names(file.columns().iter().map(|column| column.name.as_str()));
    let columns: Vec<PlannedColumn> = file
        .columns()
        .iter()
        .zip(names)
        .map(|(source, name)| PlannedColumn {
            renamed_to: (name != source.name).then_some(name),
            source: source.clone(),
        })
        .collect();
    let sql = definition(table_name, &columns);
    Ok(ForeignPlan { table: table_name.to_string(), columns, sql })
}

/// Names that one table can have at once: SQLite takes names that differ in the case of ASCII letters for one, and ends
/// its SQL text at a NUL.
///
/// The first column of a name keeps it; others get a number that makes a name no column of the file has.
fn column_names<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Vec<String> {
    let writable = |name: &str| name.replace('\0', "\u{fffd}");
    let mut taken: HashSet<String> = names.clone().map(|name| writable(name).to_ascii_lowercase()).collect();
    let mut seen = HashSet::new();
    let unique = |name: &str| {
        let name = writable(name);
        if seen.insert(name.to_ascii_lowercase()) {
            return name;
        }
        let mut number = 2_u64;
        loop {
            let candidate = format!("{name}_{number}");
            if taken.insert(candidate.to_ascii_lowercase()) {
                return candidate;
            }
            number += 1;
        }
    };
    names.map(unique).collect()
}

fn definition(table_name: &str, columns: &[PlannedColumn]) -> String {
    let line = |column: &PlannedColumn| {
        let declared = column.source.declared_type;
        let space = if declared.is_empty() { "" } else { " " };
        format!("  {}{space}{declared}", quoted(column.name()))
    };
    let lines: Vec<String> = columns.iter().map(line).collect();
    format!("CREATE TABLE {} (\n{}\n)", quoted(table_name), lines.join(",\n"))
}

impl ForeignPlan {
    /// The table as the catalog of the finished database must show it.
    pub(crate) fn table_of(&self) -> Table {
        let column = |column: &PlannedColumn| Column {
            name: Identifier::from(column.name()),
            declared_type: Identifier::from(column.source.declared_type),
            affinity: Affinity::of_declared_type(column.source.declared_type.as_bytes(), false),
            generated: Generated::No,
        };
        Table {
            name: Identifier::from(self.table.as_str()),
            strict: false,
            columns: self.columns.iter().map(column).collect(),
            rowid_alias: None,
            without_rowid_key: Vec::new(),
            indexes: Vec::new(),
        }
    }

    /// The one row of the schema.
    pub(crate) fn object(&self) -> SchemaObject {
        SchemaObject {
            rowid: 1,
            kind: ObjectKind::Table,
            name: SqlText::Valid(self.table.clone()),
            table_name: SqlText::Valid(self.table.clone()),
            has_storage: true,
            sql: Some(SqlText::Valid(self.sql.clone())),
        }
    }
}

/// The header of a database made from a file: what SQLite itself gives a new one.
pub(crate) const HEADER: DatabaseHeader = DatabaseHeader {
    user_version: 0,
    application_id: 0,
    encoding: TextEncoding::Utf8,
    page_size: 4096,
    auto_vacuum: AutoVacuum::None,
    journal_mode: JournalMode::Rollback,
    legacy_format: false,
    default_cache_size: None,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_get_names_that_one_table_can_have() {
        let names = ["a", "A", "a_2", "", "", "rowid", "ä", "Ä", "x\0y", "A"];
        let unique = column_names(names.into_iter());
        assert_eq!(unique, ["a", "A_3", "a_2", "", "_2", "rowid", "ä", "Ä", "x\u{fffd}y", "A_4"]);
    }

    #[test]
    fn the_table_is_named_as_asked_or_after_the_file() {
        let name = |path: &str, asked| table_name_of(Path::new(path), asked).map_err(|error| error.kind());
        assert_eq!(
            name("a/gymlog-backup-2026-11-20.parquet", None).as_deref(),
            Ok("gymlog-backup-2026-11-20")
        );
        assert_eq!(name("a/b.c.parquet", Some("events")).as_deref(), Ok("events"));
        assert_eq!(name("a/.parquet", None).as_deref(), Ok(".parquet"));
        assert_eq!(name("a/x.parquet", Some("")), Err(ErrorKind::Usage));
        assert_eq!(name("a/SQLite_master.parquet", None), Err(ErrorKind::Usage));
        assert_eq!(name("a/sqlité.parquet", None).as_deref(), Ok("sqlité"));
    }
}
