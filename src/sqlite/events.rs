//! The database that events go to: its tables, one transaction for a whole run, and nothing twice.
//!
//! The only database in the world that this program writes to in place, since it is somebody's and has more in it. An
//! existing table is never altered; one that does not fit is refused before anything is written.

mod layout;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, Params, Statement, params};

use crate::error::{Error, ErrorKind, Result};
use crate::run::Interrupt;
use crate::sqlite::failure::failure;
use crate::sqlite::name::quoted;
use crate::sqlite::open::{open_connection, wait_and_stop};

/// The table that events go to, and its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventTable {
    /// The table.
    pub table: String,
    /// The column of the identity.
    pub event_id: String,
    /// The column of the time.
    pub created_at: String,
    /// The column of the type.
    pub event_type: String,
    /// The column of the payload.
    pub payload: String,
}

/// What becomes a row of the table of events.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// The same for the same thing.
    pub id: &'a str,
    /// When it happened.
    pub created_at: &'a str,
    /// Whether that is only when it was seen: then the earliest time at which it was is the one that stays.
    pub is_when_seen: bool,
    /// Its type.
    pub event_type: &'a str,
    /// JSON.
    pub payload: &'a str,
}

/// Where and when an event was seen.
#[derive(Debug, Clone, Copy)]
pub struct Sighting<'a> {
    /// The event.
    pub event_id: &'a str,
    /// The value that it came from, as one source had it at one time.
    pub import_id: &'a str,
    /// Whose it was.
    pub device: Option<&'a str>,
    /// The site.
    pub origin: Option<&'a str>,
    /// The part of the site's storage.
    pub partition: Option<&'a str>,
    /// What the source was.
    pub format: &'a str,
    /// The key, as WTF-8.
    pub store_key: &'a [u8],
    /// The version that the value names.
    pub store_version: Option<i64>,
    /// The untouched value.
    pub value_sha256: &'a str,
    /// Where in the value.
    pub pointer: &'a str,
    /// When the source was as it is.
    pub captured_at: &'a str,
}

/// A value as a browser kept it.
#[derive(Debug, Clone, Copy)]
pub enum Original<'a> {
    /// Well-formed, without U+0000.
    Text(&'a str),
    /// Anything else: its code units, low byte first.
    Utf16Le(&'a [u8]),
}

/// What devices disagree about, with nothing that decides.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Conflict {
    /// The program.
    pub program_id: String,
    /// The week.
    pub week_number: i64,
    /// The day.
    pub day_number: i64,
    /// What they disagree about.
    pub field: String,
    /// The values, the one that was captured last at the end.
    pub values: Vec<String>,
    /// The one that the view shows.
    pub kept: String,
}

/// An events database in the middle of its one transaction; dropped without [`Self::commit`], it is as it was.
pub struct EventStore {
    connection: Connection,
    path: PathBuf,
    sql: Sql,
    /// Whether there are our views.
    has_views: bool,
}

/// Statements with the names of the table of events in them.
struct Sql {
    add_event: String,
    lower_time: String,
}

impl EventStore {
    /// Makes a new database in a private file.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn create(path: &Path, table: &EventTable, views: &str, interrupt: &Interrupt) -> Result<Self> {
        Self::begin(path, OpenFlags::SQLITE_OPEN_CREATE, table, views, Duration::ZERO, interrupt)
    }

    /// Opens an existing database, waits until it may be written to, and makes the tables that are missing.
    ///
    /// # Errors
    /// `Busy` where it stays locked; `Usage` where a table of that name does not fit; what SQLite says.
    pub fn open(
        path: &Path,
        table: &EventTable,
        views: &str,
        busy_timeout: Duration,
        interrupt: &Interrupt,
    ) -> Result<Self> {
        Self::begin(path, OpenFlags::empty(), table, views, busy_timeout, interrupt)
    }

    fn begin(
        path: &Path,
        create: OpenFlags,
        table: &EventTable,
        views: &str,
        busy_timeout: Duration,
        interrupt: &Interrupt,
    ) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_EXRESCODE
            | create;
        let mut connection = open_connection(path, flags)?;
        let mut begin = || {
            // Triggers stay on, unlike elsewhere: other tables may depend on them, and the database is its owner's.
            for (setting, on) in [
                (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
                (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
            ] {
                connection.set_db_config(setting, on).map_err(failure)?;
            }
            wait_and_stop(&mut connection, busy_timeout, interrupt)?;
            connection.execute_batch("PRAGMA mmap_size=0; BEGIN IMMEDIATE").map_err(failure)?;
            layout::prepare(&connection, table, views)
        };
        let has_views = begin().map_err(|error| error.at(path))?;
        let (name, id, at) = (quoted(&table.table), quoted(&table.event_id), quoted(&table.created_at));
        let (kind, payload) = (quoted(&table.event_type), quoted(&table.payload));
        let sql = Sql {
            add_event: format!(
                "INSERT INTO {name} ({id}, {at}, {kind}, {payload}) VALUES (?1, ?2, ?3, ?4) ON CONFLICT ({id}) DO NOTHING"
            ),
            lower_time: format!("UPDATE {name} SET {at} = ?2 WHERE {id} = ?1 AND {at} > ?2"),
        };
        Ok(Self { connection, path: path.to_path_buf(), sql, has_views })
    }

    /// What adds to it.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn writer(&self) -> Result<EventWriter<'_>> {
        let prepare = |sql: &str| self.connection.prepare(sql).map_err(|error| failure(error).at(&self.path));
        Ok(EventWriter {
            path: &self.path,
            event: prepare(&self.sql.add_event)?,
            time: prepare(&self.sql.lower_time)?,
            sighting: prepare(ADD_SIGHTING)?,
            original: prepare(ADD_ORIGINAL)?,
            migration: prepare(ADD_MIGRATION)?,
        })
    }

    /// What devices disagree about, at most `most` of it; `None` where there are no views of ours.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn conflicts(&self, most: usize) -> Result<Option<Vec<Conflict>>> {
        const SQL: &str = "SELECT program_id, week_number, day_number, field, value, kept
            FROM (SELECT * FROM progress_conflicts LIMIT ?1), json_each(candidates)
            ORDER BY program_id, week_number, day_number, field, json_each.id";
        if !self.has_views {
            return Ok(None);
        }
        let read = || -> rusqlite::Result<Vec<Conflict>> {
            let mut statement = self.connection.prepare(SQL)?;
            let mut rows = statement.query([i64::try_from(most).unwrap_or(i64::MAX)])?;
            let mut conflicts: Vec<Conflict> = Vec::new();
            while let Some(row) = rows.next()? {
                let conflict = Conflict {
                    program_id: text(row.get(0)?),
                    week_number: row.get(1)?,
                    day_number: row.get(2)?,
                    field: row.get(3)?,
                    values: vec![text(row.get(4)?)],
                    kept: text(row.get(5)?),
                };
                let is_same = |last: &Conflict| {
                    (&last.program_id, last.week_number, last.day_number, &last.field)
                        == (&conflict.program_id, conflict.week_number, conflict.day_number, &conflict.field)
                };
                match conflicts.last_mut() {
                    Some(last) if is_same(last) => last.values.extend(conflict.values),
                    _ => conflicts.push(conflict),
                }
            }
            Ok(conflicts)
        };
        read().map(Some).map_err(|error| failure(error).at(&self.path))
    }

    /// Makes everything lasting and visible in one step.
    ///
    /// # Errors
    /// What SQLite says; then nothing was changed.
    pub fn commit(self) -> Result<()> {
        self.connection.execute_batch("COMMIT").map_err(|error| failure(error).at(&self.path))?;
        self.connection.close().map_err(|(_, error)| failure(error).at(&self.path))
    }
}

const ADD_SIGHTING: &str =
    "INSERT INTO event_sources (_event_id, import_id, device, origin, partition, format, store_key,
    store_version, value_sha256, pointer, captured_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
    ON CONFLICT (_event_id, import_id, pointer) DO NOTHING";
const ADD_ORIGINAL: &str = "INSERT INTO original_values (value_sha256, encoding, value) VALUES (?1, ?2, ?3)
    ON CONFLICT (value_sha256) DO NOTHING";
const ADD_MIGRATION: &str = "INSERT INTO migrations (marker, value_sha256, sessions) VALUES (?1, ?2, ?3)
    ON CONFLICT (marker, value_sha256) DO NOTHING";

/// Adds rows to an [`EventStore`], with each statement prepared once.
pub struct EventWriter<'a> {
    path: &'a Path,
    event: Statement<'a>,
    time: Statement<'a>,
    sighting: Statement<'a>,
    original: Statement<'a>,
    migration: Statement<'a>,
}

impl EventWriter<'_> {
    /// Adds an event; whether it is new.
    ///
    /// # Errors
    /// `Failed` where the table's own rules refuse it; what SQLite says.
    pub fn add_event(&mut self, event: &Event<'_>) -> Result<bool> {
        let values = params![event.id, event.created_at, event.event_type, event.payload];
        let is_new = change(self.path, &mut self.event, values)?;
        if !is_new && event.is_when_seen {
            change(self.path, &mut self.time, params![event.id, event.created_at])?;
        }
        Ok(is_new)
    }

    /// Adds where an event was seen; whether that is new.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn add_sighting(&mut self, seen: &Sighting<'_>) -> Result<bool> {
        let values = params![
            seen.event_id,
            seen.import_id,
            seen.device,
            seen.origin,
            seen.partition,
            seen.format,
            seen.store_key,
            seen.store_version,
            seen.value_sha256,
            seen.pointer,
            seen.captured_at
        ];
        change(self.path, &mut self.sighting, values)
    }

    /// Adds an untouched value; whether it is new.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn add_original(&mut self, sha256: &str, value: Original<'_>) -> Result<bool> {
        match value {
            Original::Text(text) => change(self.path, &mut self.original, params![sha256, "utf-8", text]),
            Original::Utf16Le(bytes) => {
                change(self.path, &mut self.original, params![sha256, "utf-16le", bytes])
            }
        }
    }

    /// Notes that a value's sessions of a program are here; whether that is new.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn add_migration(&mut self, marker: &str, value_sha256: &str, sessions: u64) -> Result<bool> {
        let sessions = i64::try_from(sessions).unwrap_or(i64::MAX);
        change(self.path, &mut self.migration, params![marker, value_sha256, sessions])
    }
}

/// Runs a statement that adds or changes one row at most; whether it did.
fn change(path: &Path, statement: &mut Statement<'_>, values: impl Params) -> Result<bool> {
    let error = match statement.execute(values) {
        Ok(rows) => return Ok(rows > 0),
        Err(error) => error,
    };
    if error.sqlite_error_code() != Some(rusqlite::ErrorCode::ConstraintViolation) {
        return Err(failure(error).at(path));
    }
    Err(Error::new(ErrorKind::Failed, "the tables' own rules refuse an event; nothing was imported")
        .at(path)
        .hint("a CHECK, a trigger or a foreign key of the database is in the way: import into a new database")
        .because(error))
}

/// Text of a column that a foreign event may have filled with something else.
fn text(value: Value) -> String {
    match value {
        Value::Text(text) => text,
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Null | Value::Blob(_) => String::new(),
    }
}
