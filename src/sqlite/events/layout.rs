//! The tables of an events database: made where they are missing, looked at where they are there.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _};

use super::bulk_sync_queue::QUEUE;
use super::users::USERS;
use super::{EventSchema, EventTable};
use crate::error::{Error, ErrorKind, Result};
use crate::sqlite::failure::failure;
use crate::sqlite::name::quoted;

/// A table besides that of events.
pub(super) struct OwnTable {
    pub(super) name: &'static str,
    pub(super) key: &'static [&'static str],
    pub(super) columns: &'static [&'static str],
    pub(super) ddl: &'static str,
}

const TABLES: [OwnTable; 3] = [
    OwnTable {
        name: "event_sources",
        key: &["_event_id", "import_id", "pointer"],
        columns: &[
            "device",
            "origin",
            "partition",
            "format",
            "store_key",
            "store_version",
            "value_sha256",
            "position",
            "captured_at",
            "line",
        ],
        ddl: "CREATE TABLE event_sources (
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
  position      INTEGER NOT NULL, -- its place among the events of the value
  captured_at   TEXT NOT NULL,
  line          INTEGER,          -- of the source, the last that has it, where each line is a dump
  PRIMARY KEY (_event_id, import_id, pointer)
) STRICT",
    },
    OwnTable {
        name: "original_values",
        key: &["value_sha256"],
        columns: &["encoding", "value"],
        ddl: "CREATE TABLE original_values (
  value_sha256 TEXT PRIMARY KEY,  -- of its UTF-16, low byte first
  encoding     TEXT NOT NULL,     -- utf-8: text; utf-16le: blob
  value        ANY NOT NULL
) STRICT",
    },
    // Not `migrations`, as the tools that apps change their schemas with call theirs.
    OwnTable {
        name: "event_migrations",
        key: &["marker", "value_sha256"],
        columns: &["sessions"],
        ddl: "CREATE TABLE event_migrations (
  marker       TEXT NOT NULL,     -- migrated-<program>
  value_sha256 TEXT NOT NULL,
  sessions     INTEGER NOT NULL,
  PRIMARY KEY (marker, value_sha256)
) STRICT",
    },
];

/// Makes the tables that are missing, and refuses what does not fit.
pub(super) fn prepare_tables(connection: &Connection, schema: &EventSchema) -> Result<()> {
    let table = &schema.table;
    check_name(schema)?;
    match kind_of(connection, &table.table)?.as_deref() {
        Some("table") => check_events(connection, table)?,
        Some(other) => {
            return Err(unfit(&table.table, &format!("it is no table but {}", with_article(other))));
        }
        None => make(connection, &events_ddl(table))?,
    }
    for own in &TABLES {
        prepare_own(connection, own)?;
    }
    Ok(())
}

/// Makes a table of ours where it is missing, and refuses what is not it.
pub(super) fn prepare_own(connection: &Connection, own: &OwnTable) -> Result<()> {
    match kind_of(connection, own.name)?.as_deref() {
        Some("table") => check_own(connection, own),
        Some(other) => Err(taken(own.name, &format!("it is {}", with_article(other)))),
        None => make(connection, own.ddl),
    }
}

/// Whether the table of events has a name that is free for it.
fn check_name(schema: &EventSchema) -> Result<()> {
    let table = &schema.table.table;
    let views = schema.progress.iter().chain([&schema.sessions]).map(|view| view.name);
    let own = TABLES.iter().chain([&QUEUE, &USERS]).map(|own| own.name);
    let is_ours = own.chain(views).any(|name| name.eq_ignore_ascii_case(table));
    // SQLite refuses to make those.
    let is_reserved = table.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("sqlite_"));
    if !is_ours && !is_reserved {
        return Ok(());
    }
    let whose = if is_ours {
        "parklite has something else of that name"
    } else {
        "SQLite keeps such names for itself"
    };
    Err(Error::new(ErrorKind::Usage, format!("events cannot go to a table of that name: {whose}"))
        .in_table(table)
        .hint("name another table under [target] in the mapping file (--map)"))
}

/// Whether a table has triggers, which may do anything with its rows.
pub(super) fn has_triggers(connection: &Connection, table: &str) -> Result<bool> {
    const SQL: &str =
        "SELECT count(*) > 0 FROM main.sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE";
    connection.query_row(SQL, [table], |row| row.get(0)).map_err(failure)
}

/// Whether a table has no row.
pub(super) fn is_empty(connection: &Connection, table: &str) -> Result<bool> {
    let sql = format!("SELECT NOT EXISTS (SELECT 1 FROM {})", quoted(table));
    connection.query_row(&sql, [], |row| row.get(0)).map_err(failure)
}

/// A word for a kind of thing, with its article.
pub(super) fn with_article(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {kind}")
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

/// What the name stands for: a table, a view, an index, or nothing.
pub(super) fn kind_of(connection: &Connection, name: &str) -> Result<Option<String>> {
    const SQL: &str = "SELECT type FROM main.sqlite_schema WHERE name = ?1 COLLATE NOCASE AND type IN ('table', 'view', 'index')";
    connection.query_row(SQL, [name], |row| row.get(0)).optional().map_err(failure)
}

/// One column of a table.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) declared_type: String,
    must_be_given: bool,
    pub(super) is_generated: bool,
    pub(super) not_null: bool,
    /// Whether it is of a primary key that is not filled by itself.
    is_key: bool,
}

impl Column {
    /// Whether a row that says nothing of it would be refused, or be without what tells it from others.
    pub(super) fn needs_value(&self) -> bool {
        self.must_be_given || self.is_key
    }
}

pub(super) fn columns_of(connection: &Connection, table: &str) -> Result<Vec<Column>> {
    // An INTEGER PRIMARY KEY that is the rowid, and so has no index, gets its value by itself.
    const SQL: &str = "SELECT name, type,
            \"notnull\" AND dflt_value IS NULL AND hidden = 0 AND NOT (
              pk = 1 AND upper(type) = 'INTEGER'
              AND NOT EXISTS (SELECT 1 FROM pragma_index_list(?1, 'main') WHERE origin = 'pk')),
            hidden IN (2, 3),
            \"notnull\",
            pk > 0 AND dflt_value IS NULL AND NOT (
              upper(type) = 'INTEGER' AND NOT EXISTS (SELECT 1 FROM pragma_index_list(?1, 'main') WHERE origin = 'pk'))
        FROM pragma_table_xinfo(?1, 'main')";
    let read = || -> rusqlite::Result<Vec<Column>> {
        let mut statement = connection.prepare(SQL)?;
        let rows = statement.query_map([table], |row| {
            Ok(Column {
                name: row.get(0)?,
                declared_type: row.get(1)?,
                must_be_given: row.get(2)?,
                is_generated: row.get(3)?,
                not_null: row.get(4)?,
                is_key: row.get(5)?,
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
    if !is_unique(connection, &table.table, &[&table.event_id])? {
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
pub(super) fn takes_text(declared: &str, can_look_like_number: bool) -> bool {
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

/// Whether these columns together, in any order, tell the rows of a table apart.
pub(super) fn is_unique(connection: &Connection, table: &str, columns: &[&str]) -> Result<bool> {
    const SQL: &str = "SELECT list.seq, lower(info.name)
        FROM pragma_index_list(?1, 'main') AS list, pragma_index_info(list.name, 'main') AS info
        WHERE list.\"unique\" AND NOT list.partial";
    let read = || -> rusqlite::Result<BTreeMap<i64, Vec<Option<String>>>> {
        let mut indexes: BTreeMap<i64, Vec<Option<String>>> = BTreeMap::new();
        let mut statement = connection.prepare(SQL)?;
        let mut rows = statement.query([table])?;
        while let Some(row) = rows.next()? {
            indexes.entry(row.get(0)?).or_default().push(row.get(1)?);
        }
        Ok(indexes)
    };
    let mut wanted: Vec<Option<String>> =
        columns.iter().map(|column| Some(column.to_ascii_lowercase())).collect();
    wanted.sort();
    let mut indexes = read().map_err(failure)?;
    Ok(indexes.values_mut().any(|index| {
        index.sort();
        *index == wanted
    }))
}

/// Whether a table of ours is there as we make it, or with more columns.
fn check_own(connection: &Connection, own: &OwnTable) -> Result<()> {
    let columns = columns_of(connection, own.name)?;
    let is_missing = |wanted: &&&str| columns.iter().all(|column| column.name != **wanted);
    if let Some(missing) = own.key.iter().chain(own.columns).find(is_missing) {
        return Err(taken(own.name, &format!("it has no column {missing:?}, so it is another program's")));
    }
    if !is_unique(connection, own.name, own.key)? {
        return Err(taken(own.name, &format!("its columns {} are no key of it", own.key.join(", "))));
    }
    Ok(())
}

fn unfit(table: &str, reason: &str) -> Error {
    Error::new(ErrorKind::Usage, format!("the table does not fit: {reason}")).in_table(table).hint(
        "no definition is ever altered: name the table and its columns under [target] in the mapping file (--map), or \
         import into a new database",
    )
}

/// What is told where a table that goes with the events cannot have its name.
fn taken(name: &str, reason: &str) -> Error {
    Error::new(ErrorKind::Usage, format!("what belongs to the events cannot go here: {reason}"))
        .in_table(name)
        .hint("no definition is ever altered: rename that table, or import into a new database")
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
