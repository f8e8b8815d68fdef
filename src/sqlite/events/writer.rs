//! Adding rows: nothing twice, and nothing that is not there afterwards.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, Params, Row, Statement, params};

use super::users::ADD_IMPORT;
use super::{Added, Event, EventTable, Migration, Original, PROGRAMS, Refusals, Sighting};
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
    payload: Statement<'a>,
    change: Statement<'a>,
    time: Statement<'a>,
    sighting: Statement<'a>,
    original: Statement<'a>,
    migration: Statement<'a>,
    program: Statement<'a>,
    import: Statement<'a>,
    /// Whether the table of events has triggers, which may do anything with a row.
    has_triggers: bool,
    refusals: &'a Refusals,
}

impl<'a> EventWriter<'a> {
    pub(super) fn new(
        path: &'a Path,
        connection: &'a Connection,
        table: &EventTable,
        has_triggers: bool,
        refusals: &'a Refusals,
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
            payload: prepare(&format!("SELECT {payload} FROM {name} WHERE {id} = ?1"))?,
            change: prepare(&format!(
                "UPDATE OR ABORT {name} SET {payload} = ?2, {at} = coalesce(?3, {at}) WHERE {id} = ?1"
            ))?,
            time: prepare(&format!("UPDATE OR ABORT {name} SET {at} = ?2 WHERE {id} = ?1 AND {at} > ?2"))?,
            sighting: prepare(ADD_SIGHTING)?,
            original: prepare(ADD_ORIGINAL)?,
            migration: prepare(ADD_MIGRATION)?,
            program: prepare(&format!(
                "INSERT INTO {PROGRAMS} VALUES (?1, ?2)
                 ON CONFLICT (program_id) DO UPDATE SET has_rivals = 1 WHERE excluded.has_rivals"
            ))?,
            import: prepare(ADD_IMPORT)?,
            has_triggers,
            refusals,
        })
    }

    /// Adds an event, unless it is there.
    ///
    /// # Errors
    /// `Failed` where the table's own rules refuse it or drop it; what SQLite says.
    pub fn add_event(&mut self, event: &Event<'_>) -> Result<Added> {
        let values = params![event.id, event.created_at, event.event_type, event.payload];
        let is_new = change(self.path, &mut self.event, values)?;
        if is_new && !self.has_triggers {
            return Ok(Added::New);
        }
        match self.stored(event.id, event.payload)? {
            Stored::Missing => Err(refused(self.path)),
            // A trigger may have made something else of it.
            _ if is_new => Ok(Added::New),
            Stored::Other(payload) => Ok(Added::Differs(payload)),
            Stored::Same => {
                if event.is_when_seen {
                    self.lower_time(event)?;
                }
                Ok(Added::Known)
            }
        }
    }

    /// Looks at the payload of an event.
    fn stored(&mut self, id: &str, payload: &str) -> Result<Stored> {
        let compare = |row: &Row<'_>| -> rusqlite::Result<Stored> {
            let there = row.get_ref(0)?.as_bytes().unwrap_or_default();
            if there == payload.as_bytes() {
                return Ok(Stored::Same);
            }
            Ok(Stored::Other(String::from_utf8_lossy(there).into_owned()))
        };
        let found = self.payload.query_row([id], compare).optional();
        found.map(|it| it.unwrap_or(Stored::Missing)).map_err(|error| failure(error).at(self.path))
    }

    /// Gives an event that is there another payload, and another time if there is one; whether the table lets it.
    ///
    /// # Errors
    /// `Failed` where the table's own rules end the transaction; what SQLite says.
    pub fn change_event(&mut self, id: &str, payload: &str, created_at: Option<&str>) -> Result<bool> {
        if let Err(error) = self.change.execute(params![id, payload, created_at])
            && (!is_of_rules(&error) || self.connection.is_autocommit())
        {
            return Err(told(self.path, error));
        }
        // Triggers may refuse it without a word.
        let is_changed = matches!(self.stored(id, payload)?, Stored::Same);
        if !is_changed {
            self.refusals.fields.set(self.refusals.fields.get() + 1);
        }
        Ok(is_changed)
    }

    /// Puts the time of an event back to when it was seen first. A table that takes no changes keeps the later time.
    ///
    /// # Errors
    /// `Failed` where the table's own rules end the transaction; what SQLite says.
    pub fn lower_time(&mut self, event: &Event<'_>) -> Result<()> {
        let Err(error) = self.time.execute(params![event.id, event.created_at]) else {
            return Ok(());
        };
        // A trigger may end the whole transaction: then nothing of this run may follow.
        if !is_of_rules(&error) || self.connection.is_autocommit() {
            return Err(told(self.path, error));
        }
        self.refusals.times.set(self.refusals.times.get() + 1);
        Ok(())
    }

    /// Notes that a value, as one source had it at one time, is imported by this run.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn note_import(&mut self, import_id: &str) -> Result<()> {
        change(self.path, &mut self.import, [import_id]).map(|_| ())
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

/// What is there of an event.
enum Stored {
    Missing,
    /// It has the payload that was asked about.
    Same,
    /// It has this one.
    Other(String),
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
