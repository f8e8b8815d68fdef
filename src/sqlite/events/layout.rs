//! The tables of an events database: made where they are missing, looked at where they are there.

use rusqlite::{Connection, OptionalExtension as _};

use super::EventTable;
use crate::error::{Error, ErrorKind, Result};
use crate::sqlite::failure::failure;
use crate::sqlite::name::quoted;

/// The tables besides that of events: name, columns, what makes it.
const TABLES: [(&str, &[&str], &str); 3] = [
    (
        "event_sources",
        &[
            "_event_id",
            "import_id",
            "device",
            "origin",
            "partition",
            "format",
            "store_key",
            "store_version",
            "value_sha256",
            "pointer",
            "captured_at",
        ],
        "CREATE TABLE event_sources (
  _event_id     TEXT NOT NULL,
  import_id     TEXT NOT NULL,    -- one value as one source had it at one time
  device        TEXT,
  origin        TEXT,
  partition     TEXT,
  format        TEXT NOT NULL,
  store_key     BLOB NOT NULL,    -- the key in UTF-8, unpaired surrogates as three bytes each
  store_version INTEGER,
  value_sha256  TEXT NOT NULL,    -- of original_values
  pointer       TEXT NOT NULL,    -- JSON pointer into the value
  captured_at   TEXT NOT NULL,
  PRIMARY KEY (_event_id, import_id, pointer)
) STRICT",
    ),
    (
        "original_values",
        &["value_sha256", "encoding", "value"],
        "CREATE TABLE original_values (
  value_sha256 TEXT PRIMARY KEY,  -- of its UTF-16, low byte first
  encoding     TEXT NOT NULL,     -- utf-8: text; utf-16le: blob
  value        ANY NOT NULL
) STRICT",
    ),
    (
        "migrations",
        &["marker", "value_sha256", "sessions"],
        "CREATE TABLE migrations (
  marker       TEXT NOT NULL,     -- migrated-<program>
  value_sha256 TEXT NOT NULL,
  sessions     INTEGER NOT NULL,
  PRIMARY KEY (marker, value_sha256)
) STRICT",
    ),
];

/// The views, without which none of them is of use.
const VIEWS: [&str; 3] = ["workout_sessions", "progress_logs", "progress_conflicts"];

/// Makes what is missing, and refuses what does not fit; whether the views are there.
pub(super) fn prepare(connection: &Connection, table: &EventTable, views: &str) -> Result<bool> {
    match kind_of(connection, &table.table)?.as_deref() {
        Some("table") => check_events(connection, table)?,
        Some(other) => return Err(unfit(&table.table, &format!("it is no table but a {other}"))),
        None => make(connection, &events_ddl(table))?,
    }
    for (name, columns, ddl) in TABLES {
        match kind_of(connection, name)?.as_deref() {
            Some("table") => check_own(connection, name, columns)?,
            Some(other) => return Err(unfit(name, &format!("it is no table but a {other}"))),
            None => make(connection, ddl)?,
        }
    }
    // A table of that name is somebody's, and stays; a view that reads it would show nonsense.
    if kind_of(connection, VIEWS[0])?.is_some_and(|kind| kind != "view") {
        return Ok(false);
    }
    make(connection, views)?;
    Ok(kind_of(connection, VIEWS[2])?.as_deref() == Some("view"))
}

fn events_ddl(table: &EventTable) -> String {
    format!(
        "CREATE TABLE {} (\n  {} TEXT PRIMARY KEY,\n  {} TEXT NOT NULL,\n  {} TEXT NOT NULL,\n  {} TEXT NOT NULL\n) STRICT",
        quoted(&table.table),
        quoted(&table.event_id),
        quoted(&table.created_at),
        quoted(&table.event_type),
        quoted(&table.payload)
    )
}

fn make(connection: &Connection, ddl: &str) -> Result<()> {
    connection.execute_batch(ddl).map_err(failure)
}

/// What the name stands for: a table, a view, or nothing.
fn kind_of(connection: &Connection, name: &str) -> Result<Option<String>> {
    const SQL: &str = "SELECT type FROM main.sqlite_schema WHERE name = ?1 COLLATE NOCASE AND type IN ('table', 'view', 'index')";
    connection.query_row(SQL, [name], |row| row.get(0)).optional().map_err(failure)
}

/// One column of a table.
struct Column {
    name: String,
    declared_type: String,
    must_be_given: bool,
    is_generated: bool,
}

fn columns_of(connection: &Connection, table: &str) -> Result<Vec<Column>> {
    const SQL: &str = "SELECT name, type, \"notnull\" AND dflt_value IS NULL AND hidden = 0, hidden IN (2, 3)
        FROM pragma_table_xinfo(?1, 'main')";
    let read = || -> rusqlite::Result<Vec<Column>> {
        let mut statement = connection.prepare(SQL)?;
        let rows = statement.query_map([table], |row| {
            Ok(Column {
                name: row.get(0)?,
                declared_type: row.get(1)?,
                must_be_given: row.get(2)?,
                is_generated: row.get(3)?,
            })
        })?;
        rows.collect()
    };
    read().map_err(failure)
}

/// Whether an existing table of events can take ours.
fn check_events(connection: &Connection, table: &EventTable) -> Result<()> {
    let columns = columns_of(connection, &table.table)?;
    let find = |wanted: &str| columns.iter().find(|column| column.name.eq_ignore_ascii_case(wanted));
    let wanted = [&table.event_id, &table.created_at, &table.event_type, &table.payload];
    for (index, name) in wanted.into_iter().enumerate() {
        let column = find(name).ok_or_else(|| unfit(&table.table, &format!("it has no column {name:?}")))?;
        if column.is_generated {
            return Err(unfit(&table.table, &format!("its column {name:?} is computed")));
        }
        if !takes_text(&column.declared_type, index == 0) {
            let declared = &column.declared_type;
            return Err(unfit(
                &table.table,
                &format!("its column {name:?} has type {declared}, and text goes there"),
            ));
        }
    }
    let is_wanted = |name: &str| wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(name));
    if let Some(column) = columns.iter().find(|column| column.must_be_given && !is_wanted(&column.name)) {
        let reason = format!("its column {:?} needs a value that events do not have", column.name);
        return Err(unfit(&table.table, &reason));
    }
    if !is_unique(connection, &table.table, &table.event_id)? {
        let reason = format!("its column {:?} alone is neither primary key nor UNIQUE", table.event_id);
        let index =
            format!("CREATE UNIQUE INDEX … ON {} ({})", quoted(&table.table), quoted(&table.event_id));
        return Err(Error::new(ErrorKind::Usage, format!("the table of events does not fit: {reason}"))
            .in_table(&table.table)
            .hint(format!(
                "nothing could be imported twice without doubling: {index}, or import into a new database"
            )));
    }
    Ok(())
}

/// Whether text stays text in a column of that type: identities can look like numbers, times and JSON cannot.
///
/// Source: SQLite, "Datatypes In SQLite", section 3.1.
fn takes_text(declared: &str, can_look_like_number: bool) -> bool {
    let declared = declared.to_ascii_uppercase();
    let has = |part: &str| declared.contains(part);
    if has("INT") {
        return false;
    }
    if has("CHAR") || has("CLOB") || has("TEXT") || declared == "ANY" || declared.is_empty() {
        return true;
    }
    let is_blob_or_real = has("BLOB") || has("REAL") || has("FLOA") || has("DOUB");
    !is_blob_or_real && !can_look_like_number
}

fn is_unique(connection: &Connection, table: &str, column: &str) -> Result<bool> {
    const SQL: &str = "SELECT count(*) > 0 FROM pragma_index_list(?1, 'main') AS list
        WHERE list.\"unique\" AND NOT list.partial AND
              (SELECT group_concat(name) FROM pragma_index_info(list.name, 'main')) = ?2 COLLATE NOCASE";
    connection.query_row(SQL, [table, column], |row| row.get(0)).map_err(failure)
}

/// Whether a table of ours is there as we make it, or with more columns.
fn check_own(connection: &Connection, name: &str, wanted: &[&str]) -> Result<()> {
    let columns = columns_of(connection, name)?;
    match wanted.iter().find(|wanted| columns.iter().all(|column| column.name != **wanted)) {
        Some(missing) => {
            Err(unfit(name, &format!("it has no column {missing:?}, so it is another program's")))
        }
        None => Ok(()),
    }
}

fn unfit(table: &str, reason: &str) -> Error {
    Error::new(ErrorKind::Usage, format!("the table does not fit: {reason}")).in_table(table).hint(
        "no definition is ever altered: name the table and its columns under [target] in the mapping file (--map), or \
         import into a new database",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_columns_that_leave_text_as_it_is_take_events() {
        for (declared, identity, other) in [
            ("TEXT", true, true),
            ("varchar(32)", true, true),
            ("", true, true),
            ("ANY", true, true),
            ("DATETIME", false, true),
            ("JSON", false, true),
            ("INTEGER", false, false),
            ("REAL", false, false),
            ("BLOB", false, false),
        ] {
            assert_eq!(
                (takes_text(declared, true), takes_text(declared, false)),
                (identity, other),
                "{declared}"
            );
        }
    }
}
