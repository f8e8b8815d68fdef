//! The database that events go to: its tables, one transaction for a whole run, and nothing twice.
//!
//! The only database in the world that this program writes to in place, since it is somebody's and has more in it. An
//! existing table is never altered; one that does not fit is refused before anything is written.

mod bulk_sync_queue;
mod captures;
mod layout;
mod progress;
mod progress_table;
mod users;
mod views;
mod writer;

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::error::Result;
use crate::run::Interrupt;
use crate::sqlite::connect::{open_connection, wait_and_stop};
use crate::sqlite::failure::failure;

pub use bulk_sync_queue::{BulkSyncQueue, QueueWriter, Queued, QueuedSession};
pub use captures::{StoredCapture, StoredValue, Wanted};
pub use progress::ProgressRow;
pub use progress_table::{KeptValue, ProgressFilled, ProgressTable, named_user};
pub use users::IS_EVENT_OF_USER;
pub use writer::EventWriter;

/// How much of the database is kept in memory, in KiB: enough for the indexes of some 300,000 events.
const CACHE_KIB: u32 = 64 * 1024;

/// The same once all events are written: sorting takes as much again for each thing that is sorted.
const CACHE_KIB_OF_QUERIES: u32 = 8 * 1024;

/// Where the programs of a run are noted, for as long as it lasts: a table with the columns `program_id` and `has_rivals`,
/// which is 0 only where no two events are known to be of one session.
pub const PROGRAMS: &str = "temp.parklite_programs";

/// Marks the programs that came with more than one value: each may have its own events of a session. Those of which one value
/// has them in several ways were marked when it was added.
const MARK_RIVALS: &str = "UPDATE temp.parklite_programs SET has_rivals = 1
    WHERE (SELECT count(*) FROM main.event_migrations WHERE marker = 'migrated-' || program_id) > 1";
/// The same where there may be events that this run did not add.
const MARK_ALL: &str = "UPDATE temp.parklite_programs SET has_rivals = 1";

/// All that an events database has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSchema {
    /// The table of events.
    pub table: EventTable,
    /// The view that the other views read.
    pub sessions: View,
    /// Those.
    pub progress: Vec<View>,
    /// A query for the conflicts of the programs in [`PROGRAMS`].
    pub conflicts: String,
    /// A query for their merged sessions.
    pub progress_of_run: String,
}

/// A view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Its name, which needs no quotes.
    pub name: &'static str,
    /// The query that it is.
    pub select: String,
}

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

/// What became of an event that was to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Added {
    /// It was not there.
    New,
    /// It was there as it is.
    Known,
    /// It was there with this payload.
    Differs(String),
}

/// What the database's own rules refused to change, and stays as it was.
#[derive(Debug, Default)]
struct Refusals {
    /// Events that keep a later time than that at which they were seen first.
    times: Cell<u64>,
    /// Events that lack fields which a mapping gives now.
    fields: Cell<u64>,
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
    /// Its place among the events of the value.
    pub position: u64,
    /// The line of the source, where each is a dump.
    pub line: Option<u64>,
    /// When the source was as it is.
    pub captured_at: &'a str,
}

/// The sessions of a program that one value has, under one key.
#[derive(Debug, Clone, Copy)]
pub struct Migration<'a> {
    /// The program.
    pub program: &'a str,
    /// The untouched value.
    pub value_sha256: &'a str,
    /// How many they are.
    pub sessions: u64,
    /// Whether it has one of them twice.
    pub is_doubled: bool,
    /// Whether one of them was not there before.
    pub adds: bool,
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
    schema: EventSchema,
    /// Views that could not be made.
    notes: Vec<String>,
    has_triggers: bool,
    /// Whether all events are of this run.
    was_empty: bool,
    refusals: Refusals,
}

impl EventStore {
    /// Makes a new database in a private file.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn create(path: &Path, schema: &EventSchema, interrupt: &Interrupt) -> Result<Self> {
        Self::begin(path, OpenFlags::SQLITE_OPEN_CREATE, schema, Duration::ZERO, interrupt)
    }

    /// Opens an existing database, waits until it may be written to, and makes the tables and views that are missing.
    ///
    /// # Errors
    /// `Busy` where it stays locked; `Usage` where a table or view of that name does not fit; what SQLite says.
    pub fn open(
        path: &Path,
        schema: &EventSchema,
        busy_timeout: Duration,
        interrupt: &Interrupt,
    ) -> Result<Self> {
        Self::begin(path, OpenFlags::empty(), schema, busy_timeout, interrupt)
    }

    fn begin(
        path: &Path,
        create: OpenFlags,
        schema: &EventSchema,
        busy_timeout: Duration,
        interrupt: &Interrupt,
    ) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_EXRESCODE
            | create;
        let connection = open_connection(path, flags)?;
        let mut store = Self {
            connection,
            path: path.to_path_buf(),
            schema: schema.clone(),
            notes: Vec::new(),
            has_triggers: false,
            was_empty: false,
            refusals: Refusals::default(),
        };
        store.prepare(busy_timeout, interrupt).map_err(|error| error.at(path))?;
        Ok(store)
    }

    fn prepare(&mut self, busy_timeout: Duration, interrupt: &Interrupt) -> Result<()> {
        // Triggers stay on, unlike elsewhere: other tables may depend on them, and the database is its owner's.
        for (setting, on) in
            [(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true), (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)]
        {
            self.connection.set_db_config(setting, on).map_err(failure)?;
        }
        wait_and_stop(&mut self.connection, busy_timeout, interrupt)?;
        // Identities come in no order, so that every part of their indexes is needed all the time.
        let begin = format!(
            "PRAGMA mmap_size=0; PRAGMA cache_size=-{CACHE_KIB}; CREATE TEMP TABLE {} (program_id TEXT PRIMARY KEY, has_rivals INTEGER NOT NULL) WITHOUT ROWID; {} BEGIN IMMEDIATE",
            PROGRAMS.trim_start_matches("temp."),
            users::OF_RUN
        );
        self.connection.execute_batch(&begin).map_err(failure)?;
        layout::prepare_tables(&self.connection, &self.schema)?;
        self.notes = views::make_views(&self.connection, &self.schema)?;
        self.has_triggers = layout::has_triggers(&self.connection, &self.schema.table.table)?;
        self.was_empty = layout::is_empty(&self.connection, &self.schema.table.table)?;
        Ok(())
    }

    /// What adds to it.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn writer(&self) -> Result<EventWriter<'_>> {
        EventWriter::new(&self.path, &self.connection, &self.schema.table, self.has_triggers, &self.refusals)
    }

    /// What devices disagree about in the programs of this run, at most `most` of it.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn conflicts(&self, most: usize) -> Result<Vec<Conflict>> {
        // Most programs have none, and then none of their sessions need be read.
        let mark = if self.was_empty && !self.has_triggers { MARK_RIVALS } else { MARK_ALL };
        let set = format!("PRAGMA cache_size=-{CACHE_KIB_OF_QUERIES}; {mark}");
        self.connection.execute_batch(&set).map_err(|error| failure(error).at(&self.path))?;
        let found = views::conflicts(&self.connection, &self.schema.conflicts, most);
        found.map_err(|error| error.at(&self.path))
    }

    /// How many of those there are, once [`Self::conflicts`] was asked for.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn conflict_count(&self) -> Result<u64> {
        let found = views::conflict_count(&self.connection, &self.schema.conflicts);
        found.map_err(|error| error.at(&self.path))
    }

    /// What its owner should know: where it is not as a database that this program made.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let (later, lacking) = (self.refusals.times.get(), self.refusals.fields.get());
        let times = format!(
            "{later} {} a later {} than when they were seen first: the database's own rules refuse to change it",
            if later == 1 { "event keeps" } else { "events keep" },
            self.schema.table.created_at
        );
        let fields = format!(
            "{lacking} {} not get what the mapping tells of them now: the database's own rules refuse to change them",
            if lacking == 1 { "event does" } else { "events do" },
        );
        let told = [(later, times), (lacking, fields)].into_iter().filter(|(count, _)| *count > 0);
        self.notes.iter().cloned().chain(told.map(|(_, note)| note)).collect()
    }

    /// Makes everything lasting and visible in one step.
    ///
    /// # Errors
    /// `Failed` where the tables' own rules refuse it, and what SQLite says; then nothing was changed.
    pub fn commit(self) -> Result<()> {
        self.connection.execute_batch("COMMIT").map_err(|error| writer::told(&self.path, error))
    }
}

impl Drop for EventStore {
    /// Puts an existing database back into its old state now, rather than when it is opened next.
    ///
    /// After a full disk SQLite has ended the transaction, and leaves the journal beside the database until somebody reads
    /// it. If that fails here too, the next one to open it does the same, so that nothing is lost, and the run's own error is
    /// the one to tell.
    fn drop(&mut self) {
        if !self.connection.is_autocommit() {
            let _best_effort = self.connection.execute_batch("ROLLBACK");
        }
        let _best_effort = self.connection.execute_batch("SELECT count(*) FROM main.sqlite_schema");
    }
}
