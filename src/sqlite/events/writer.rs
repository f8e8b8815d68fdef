//! Adding rows: nothing twice, and nothing that is not there afterwards.

use std::cell::Cell;
use std::path::Path;

use rusqlite::{Connection, Params, Statement, params};

use super::{Event, EventTable, Migration, Original, PROGRAMS, Sighting};
use crate::error::{Error, ErrorKind, Result};
use crate::sqlite::failure::failure;
use crate::sqlite::name::quoted;

// OR ABORT: what clashes with another rule of a table is an error, whatever that rule would do about it by itself (IGNORE,
// REPLACE). ON CONFLICT is for the identity alone.
const ADD_SIGHTING: &str =
    "INSERT OR ABORT INTO event_sources (_event_id, import_id, device, origin, partition, format,
    store_key, store_version, value_sha256, pointer, position, captured_at, line)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
    ON CONFLICT (_event_id, import_id, pointer) DO UPDATE SET line = excluded.line
    WHERE excluded.line > coalesce(line, 0)";
const ADD_ORIGINAL: &str =
    "INSERT OR ABORT INTO original_values (value_sha256, encoding, value) VALUES (?1, ?2, ?3)
    ON CONFLICT (value_sha256) DO NOTHING";
const ADD_MIGRATION: &str =
    "INSERT OR ABORT INTO event_migrations (marker, value_sha256, sessions) VALUES (?1, ?2, ?3)
    ON CONFLICT (marker, value_sha256) DO NOTHING";

/// Adds rows to an [`EventStore`](super::EventStore), with each statement prepared once.
pub struct EventWriter<'a> {
    path: &'a Path,
    connection: &'a Connection,
    event: Statement<'a>,
    is_there: Statement<'a>,
    time: Statement<'a>,
    sighting: Statement<'a>,
    original: Statement<'a>,
    migration: Statement<'a>,
    program: Statement<'a>,
    /// Whether the table of events has triggers, which may do anything with a row.
    has_triggers: bool,
    later_times: &'a Cell<u64>,
}

impl<'a> EventWriter<'a> {
    pub(super) fn new(
        path: &'a Path,
        connection: &'a Connection,
        table: &EventTable,
        has_triggers: bool,
        later_times: &'a Cell<u64>,
    ) -> Result<Self> {
        let (name, id, at) = (quoted(&table.table), quoted(&table.event_id), quoted(&table.created_at));
        let (kind, payload) = (quoted(&table.event_type), quoted(&table.payload));
        let prepare = |sql: &str| connection.prepare(sql).map_err(|error| failure(error).at(path));
        Ok(Self {
            path,
            connection,
            event: prepare(&format!(
                "INSERT OR ABORT INTO {name} ({id}, {at}, {kind}, {payload}) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT ({id}) DO NOTHING"
            ))?,
            is_there: prepare(&format!("SELECT 1 FROM {name} WHERE {id} = ?1"))?,
            time: prepare(&format!("UPDATE OR ABORT {name} SET {at} = ?2 WHERE {id} = ?1 AND {at} > ?2"))?,
            sighting: prepare(ADD_SIGHTING)?,
            original: prepare(ADD_ORIGINAL)?,
            migration: prepare(ADD_MIGRATION)?,
            program: prepare(&format!(
                "INSERT INTO {PROGRAMS} VALUES (?1, ?2)
                 ON CONFLICT (program_id) DO UPDATE SET has_rivals = 1 WHERE excluded.has_rivals"
            ))?,
            has_triggers,
            later_times,
        })
    }

    /// Adds an event; whether it is new.
    ///
    /// # Errors
    /// `Failed` where the table's own rules refuse it or drop it; what SQLite says.
    pub fn add_event(&mut self, event: &Event<'_>) -> Result<bool> {
        let values = params![event.id, event.created_at, event.event_type, event.payload];
        let is_new = change(self.path, &mut self.event, values)?;
        if (self.has_triggers || !is_new) && !self.is_there(event.id)? {
            return Err(refused(self.path));
        }
        if !is_new && event.is_when_seen {
            self.lower_time(event)?;
        }
        Ok(is_new)
    }

    fn is_there(&mut self, id: &str) -> Result<bool> {
        self.is_there.exists([id]).map_err(|error| failure(error).at(self.path))
    }

    /// Puts the time of an event back to when it was seen first. A table that takes no changes keeps the later time.
    fn lower_time(&mut self, event: &Event<'_>) -> Result<()> {
        let Err(error) = self.time.execute(params![event.id, event.created_at]) else {
            return Ok(());
        };
        // A trigger may end the whole transaction: then nothing of this run may follow.
        if !is_of_rules(&error) || self.connection.is_autocommit() {
            return Err(told(self.path, error));
        }
        self.later_times.set(self.later_times.get() + 1);
        Ok(())
    }

    /// Adds where an event was seen. Of several lines that have the same, the last one is kept.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn add_sighting(&mut self, seen: &Sighting<'_>) -> Result<()> {
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
            in_sql(seen.position),
            seen.captured_at,
            seen.line.map(in_sql)
        ];
        change(self.path, &mut self.sighting, values)?;
        Ok(())
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
    pub fn add_migration(&mut self, migration: &Migration<'_>) -> Result<bool> {
        let Migration { program, value_sha256, sessions, is_doubled, adds } = *migration;
        let marker = format!("migrated-{program}");
        let values = params![marker, value_sha256, in_sql(sessions)];
        let is_first = change(self.path, &mut self.migration, values)?;
        // Under another key the same value may mean other events.
        let has_rivals = is_doubled || (adds && !is_first);
        change(self.path, &mut self.program, params![program, has_rivals])?;
        Ok(is_first)
    }
}

fn in_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Runs a statement that adds or changes one row at most; whether it did.
fn change(path: &Path, statement: &mut Statement<'_>, values: impl Params) -> Result<bool> {
    statement.execute(values).map(|rows| rows > 0).map_err(|error| told(path, error))
}

/// What is told where a change failed.
pub(super) fn told(path: &Path, error: rusqlite::Error) -> Error {
    if is_of_rules(&error) { refused(path).because(error) } else { failure(error).at(path) }
}

fn is_of_rules(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation)
}

fn refused(path: &Path) -> Error {
    Error::new(ErrorKind::Failed, "the tables' own rules refuse an event; nothing was imported")
        .at(path)
        .hint("a CHECK, a UNIQUE, a trigger or a foreign key of the database is in the way: import into a new database")
}
