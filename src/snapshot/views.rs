//! `views.sql`: the tables for readers, companion columns merged, ready to open in DuckDB.
//!
//! A pure function of the manifest, so that verifying can compare it byte for byte.

use std::fmt::Write as _;

use crate::frame::mapping::{ColumnMapping, MainClass};
use crate::schema::CellClass;
use crate::snapshot::manifest::{Manifest, TableEntry};
use crate::sqlite::name::quoted;

/// The text of `views.sql`.
#[must_use]
pub fn views_text(manifest: &Manifest) -> String {
    let mut text = String::from(
        "-- One view for each table of this snapshot, with companion columns merged.\n\
         -- Open it in DuckDB from inside this folder:  duckdb -init views.sql\n",
    );
    for entry in &manifest.tables {
        let Some(file) = entry.files.first() else { continue };
        // Writing into a string cannot fail.
        let _ = write!(
            text,
            "\nCREATE OR REPLACE VIEW {} AS SELECT {} FROM read_parquet('{}');\n",
            quoted(view_name(entry, &file.path)),
            columns(entry).join(", "),
            file.path
        );
    }
    text
}

/// The table's name, or where readers cannot write it (nothing at all, or no text) its file's, which is unique.
fn view_name<'a>(entry: &'a TableEntry, path: &'a str) -> &'a str {
    let own = entry.table.name.as_str().filter(|name| !name.is_empty());
    own.unwrap_or_else(|| path.strip_suffix(".parquet").unwrap_or(path))
}

fn columns(entry: &TableEntry) -> Vec<String> {
    let rowid = entry.mapping.rowid_column.iter().map(|name| quoted(name));
    rowid.chain(entry.mapping.columns.iter().map(merged)).collect()
}

/// One column that shows every cell: as a number where all are, else as text.
fn merged(column: &ColumnMapping) -> String {
    let name = quoted(&column.name);
    let others = |class: &CellClass| !matches!(class, CellClass::Integer | CellClass::Real);
    let is_number = matches!(column.main, MainClass::Integer | MainClass::Real);
    let mut classes = column.companions.iter().map(|companion| companion.class);
    if is_number && !classes.any(|class| others(&class)) {
        // A number family's main column already shows every number.
        let reals = column.companions.iter().filter(|companion| companion.class == CellClass::Real);
        let mut parts: Vec<String> = reals.map(|companion| quoted(&companion.name)).collect();
        if parts.is_empty() {
            return name;
        }
        parts.push(format!("CAST({name} AS DOUBLE)"));
        return format!("COALESCE({}) AS {name}", parts.join(", "));
    }
    if column.companions.is_empty() {
        return name;
    }
    let parts = column.companions.iter().map(|companion| quoted(&companion.name)).chain([name.clone()]);
    let parts: Vec<String> = parts.map(|part| format!("CAST({part} AS VARCHAR)")).collect();
    format!("COALESCE({}) AS {name}", parts.join(", "))
}
