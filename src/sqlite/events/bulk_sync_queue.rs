//! What is to be sent to a server, and what it has: a table beside the events, with a row for each server, program, week
//! and day.
//!
//! A row is noted in the transaction of the import and says by itself whether it is still to be sent: the session as it is
//! now stands beside the session as the server took it last. So a session that changes is sent again, and one that comes
//! back as it was is not.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Statement, params};

use super::layout::{OwnTable, prepare_own};
use super::{EventStore, writer};
use crate::error::Result;
use crate::run::Interrupt;
use crate::sqlite::connect::{open_connection, wait_and_stop};
use crate::sqlite::failure::failure;

/// The table. Apps have queues of their own, so that its name says whose it is.
pub(super) const QUEUE: OwnTable = OwnTable {
    name: "bulk_sync_queue",
    key: &["url", "program_id", "week_number", "day_number"],
    columns: &["session", "sent", "sent_at", "status", "failure"],
    ddl: "CREATE TABLE bulk_sync_queue (
  url         TEXT NOT NULL,     -- the server's address
  program_id  TEXT NOT NULL,
  week_number INTEGER NOT NULL,
  day_number  INTEGER NOT NULL,
  session     TEXT NOT NULL,     -- JSON, as it is now
  sent        TEXT,              -- as the server took it last: where it is another one, it is still to be sent
  sent_at     TEXT,
  status      INTEGER,           -- what the server answered, where it did not take it
  failure     TEXT,              -- why it was not taken
  PRIMARY KEY (url, program_id, week_number, day_number)
) STRICT",
};

const ADD: &str = "INSERT OR ABORT INTO bulk_sync_queue (url, program_id, week_number, day_number, session)
    VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (url, program_id, week_number, day_number)
    DO UPDATE SET session = excluded.session, status = NULL, failure = NULL WHERE session <> excluded.session";
const IS_SENT: &str = "SELECT sent IS session FROM bulk_sync_queue
    WHERE url = ?1 AND program_id = ?2 AND week_number = ?3 AND day_number = ?4";
const WAITING: &str = "SELECT count(*) FROM bulk_sync_queue
    WHERE url = ?1 AND sent IS NOT session AND (?2 IS NULL OR program_id = ?2)";
/// What failed in an earlier run comes last, so that it holds nothing else up, and in batches of its own.
const FAILED_BEFORE: &str =
    "CREATE TEMP TABLE failed_before (program_id TEXT, week_number INTEGER, day_number INTEGER,
      PRIMARY KEY (program_id, week_number, day_number)) WITHOUT ROWID";
const NOTE_FAILED: &str = "INSERT INTO temp.failed_before SELECT program_id, week_number, day_number
    FROM main.bulk_sync_queue WHERE url = ?1 AND sent IS NOT session AND failure IS NOT NULL";
const NEXT: &str = "SELECT program_id, week_number, day_number, session FROM main.bulk_sync_queue AS queued
    WHERE url = ?1 AND sent IS NOT session AND (?2 IS NULL OR program_id = ?2)
      AND (program_id, week_number, day_number) > (?3, ?4, ?5)
      AND ?6 = EXISTS (SELECT 1 FROM temp.failed_before AS failed WHERE failed.program_id = queued.program_id
        AND failed.week_number = queued.week_number AND failed.day_number = queued.day_number)
    ORDER BY program_id, week_number, day_number LIMIT ?7";
const SENT: &str =
    "UPDATE OR ABORT main.bulk_sync_queue SET sent = ?5, sent_at = ?6, status = NULL, failure = NULL
    WHERE url = ?1 AND program_id = ?2 AND week_number = ?3 AND day_number = ?4";
const FAILED: &str = "UPDATE OR ABORT main.bulk_sync_queue SET status = ?6, failure = ?7
    WHERE url = ?1 AND program_id = ?2 AND week_number = ?3 AND day_number = ?4 AND session = ?5";

/// One session on its way to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedSession {
    /// The program.
    pub program_id: String,
    /// The week.
    pub week_number: i64,
    /// The day.
    pub day_number: i64,
    /// The session, as JSON.
    pub session: String,
}

/// What became of a session that was to be queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queued {
    /// It is new, or another one than it was.
    New,
    /// An earlier run has queued it, and it was not sent yet.
    Waiting,
    /// The server has it as it is.
    Sent,
}

/// Adds to the queue, in the transaction of an [`EventStore`].
pub struct QueueWriter<'a> {
    path: &'a Path,
    url: &'a str,
    connection: &'a Connection,
    add: Statement<'a>,
    is_sent: Statement<'a>,
}

impl EventStore {
    /// What adds to the queue of a server; the table is made if it is missing.
    ///
    /// # Errors
    /// `Usage` where a table of that name is somebody else's; what SQLite says.
    pub fn queue<'a>(&'a self, url: &'a str) -> Result<QueueWriter<'a>> {
        prepare_own(&self.connection, &QUEUE).map_err(|error| error.at(&self.path))?;
        let prepare = |sql: &str| self.connection.prepare(sql).map_err(|error| failure(error).at(&self.path));
        let (add, is_sent) = (prepare(ADD)?, prepare(IS_SENT)?);
        Ok(QueueWriter { path: &self.path, url, connection: &self.connection, add, is_sent })
    }
}

impl QueueWriter<'_> {
    /// Adds a session, unless the server has it as it is.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn add(&mut self, queued: &QueuedSession) -> Result<Queued> {
        let QueuedSession { program_id, week_number, day_number, session } = queued;
        let values = params![self.url, program_id, week_number, day_number, session];
        let told = |error| writer::told(self.path, error).in_table(QUEUE.name);
        let is_new = self.add.execute(values).map_err(told)? > 0;
        let key = params![self.url, program_id, week_number, day_number];
        let is_sent = self.is_sent.query_row(key, |row| row.get(0));
        Ok(match (is_sent.map_err(|error| failure(error).at(self.path))?, is_new) {
            (true, _) => Queued::Sent,
            (false, true) => Queued::New,
            (false, false) => Queued::Waiting,
        })
    }

    /// How many sessions are to be sent, those of earlier runs included.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn waiting(&self, program: Option<&str>) -> Result<u64> {
        waiting(self.connection, self.url, program).map_err(|error| error.at(self.path))
    }

    /// Two programs of this server, if there are two: of those that were ever queued for it, or where one is chosen, that
    /// one and those of which the server took a session.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn two_programs(&self, chosen: Option<&str>) -> Result<Option<(String, String)>> {
        const SQL: &str = "SELECT min(program_id), max(program_id) FROM bulk_sync_queue
            WHERE url = ?1 AND (?2 IS NULL OR program_id = ?2 OR sent IS NOT NULL)
            HAVING min(program_id) <> max(program_id)";
        let read = || {
            let mut statement = self.connection.prepare(SQL)?;
            let mut rows = statement.query(params![self.url, chosen])?;
            rows.next()?.map(|row| Ok((row.get(0)?, row.get(1)?))).transpose()
        };
        read().map_err(|error: rusqlite::Error| failure(error).at(self.path))
    }

    /// Calls `each` with the program, week and day of each session that is to be sent, in order.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn each_waiting(&self, program: Option<&str>, each: &mut dyn FnMut(String, i64, i64)) -> Result<()> {
        const SQL: &str = "SELECT program_id, week_number, day_number FROM bulk_sync_queue
            WHERE url = ?1 AND sent IS NOT session AND (?2 IS NULL OR program_id = ?2)
            ORDER BY program_id, week_number, day_number";
        let mut read = || -> rusqlite::Result<()> {
            let mut statement = self.connection.prepare(SQL)?;
            let mut rows = statement.query(params![self.url, program])?;
            while let Some(row) = rows.next()? {
                each(row.get(0)?, row.get(1)?, row.get(2)?);
            }
            Ok(())
        };
        read().map_err(|error| failure(error).at(self.path))
    }
}

fn waiting(connection: &Connection, url: &str, program: Option<&str>) -> Result<u64> {
    let count = connection.query_row(WAITING, params![url, program], |row| row.get::<_, i64>(0));
    Ok(u64::try_from(count.map_err(failure)?).unwrap_or_default())
}

/// The queue of one server, while it is sent: between transactions nothing is locked.
pub struct BulkSyncQueue {
    connection: Connection,
    path: PathBuf,
    url: String,
    program: Option<String>,
    /// Whether the sessions of earlier runs are under way that had failed.
    is_of_failed: bool,
    /// Where the last batch ended.
    after: (String, i64, i64),
}

impl BulkSyncQueue {
    /// Opens the queue of a server, or the part of it that is of one program.
    ///
    /// # Errors
    /// `Busy`; what SQLite says.
    pub fn open(path: &Path, url: &str, program: Option<&str>, busy_timeout: Duration) -> Result<Self> {
        let open = || -> Result<Connection> {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX
                | OpenFlags::SQLITE_OPEN_EXRESCODE;
            let mut connection = open_connection(path, flags)?;
            for (setting, on) in [
                (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
                (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
            ] {
                connection.set_db_config(setting, on).map_err(failure)?;
            }
            // Never interrupted: what a server took is noted, and only the next request is left undone.
            wait_and_stop(&mut connection, busy_timeout, &Interrupt::new())?;
            connection.execute_batch(FAILED_BEFORE).map_err(failure)?;
            connection.execute(NOTE_FAILED, [url]).map_err(failure)?;
            Ok(connection)
        };
        Ok(Self {
            connection: open().map_err(|error| error.at(path))?,
            path: path.to_path_buf(),
            url: url.to_owned(),
            program: program.map(str::to_owned),
            is_of_failed: false,
            after: (String::new(), i64::MIN, i64::MIN),
        })
    }

    /// The database.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many sessions are still to be sent.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn waiting(&self) -> Result<u64> {
        waiting(&self.connection, &self.url, self.program.as_deref()).map_err(|error| error.at(&self.path))
    }

    /// The next sessions of one program, `most` of them at most, by week and day; none once each had its turn.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn next_batch(&mut self, most: usize) -> Result<Vec<QueuedSession>> {
        let mut batch = self.read(most)?;
        if batch.is_empty() && !self.is_of_failed {
            self.is_of_failed = true;
            self.after = (String::new(), i64::MIN, i64::MIN);
            batch = self.read(most)?;
        }
        let program = batch.first().map(|first| first.program_id.clone()).unwrap_or_default();
        batch.retain(|queued| queued.program_id == program);
        if let Some(last) = batch.last() {
            self.after = (program, last.week_number, last.day_number);
        }
        Ok(batch)
    }

    fn read(&self, most: usize) -> Result<Vec<QueuedSession>> {
        let (program, week, day) = &self.after;
        let limit = i64::try_from(most).unwrap_or(i64::MAX);
        let read = || -> rusqlite::Result<Vec<QueuedSession>> {
            let mut statement = self.connection.prepare(NEXT)?;
            let values = params![self.url, self.program, program, week, day, self.is_of_failed, limit];
            let rows = statement.query_map(values, |row| {
                Ok(QueuedSession {
                    program_id: row.get(0)?,
                    week_number: row.get(1)?,
                    day_number: row.get(2)?,
                    session: row.get(3)?,
                })
            })?;
            rows.collect()
        };
        read().map_err(|error| failure(error).at(&self.path))
    }

    /// Notes that the server took these sessions, as they were sent.
    ///
    /// # Errors
    /// `Busy`; what SQLite says: then the next run sends them again.
    pub fn note_sent(&mut self, batch: &[QueuedSession], at: &str) -> Result<()> {
        self.update(SENT, batch, |queued, statement| {
            let QueuedSession { program_id, week_number, day_number, session } = queued;
            statement.execute(params![self.url, program_id, week_number, day_number, session, at])
        })
    }

    /// Notes why the server did not take these sessions.
    ///
    /// # Errors
    /// `Busy`; what SQLite says.
    pub fn note_failure(&mut self, batch: &[QueuedSession], status: Option<u16>, reason: &str) -> Result<()> {
        self.update(FAILED, batch, |queued, statement| {
            let QueuedSession { program_id, week_number, day_number, session } = queued;
            statement.execute(params![self.url, program_id, week_number, day_number, session, status, reason])
        })
    }

    /// Runs a statement for each session of a batch, all or none.
    fn update(
        &self,
        sql: &str,
        batch: &[QueuedSession],
        change: impl Fn(&QueuedSession, &mut Statement<'_>) -> rusqlite::Result<usize>,
    ) -> Result<()> {
        let connection = &self.connection;
        let run = || -> rusqlite::Result<()> {
            connection.execute_batch("BEGIN IMMEDIATE")?;
            let mut statement = connection.prepare(sql)?;
            for queued in batch {
                change(queued, &mut statement)?;
            }
            connection.execute_batch("COMMIT")
        };
        run().map_err(|error| {
            if !connection.is_autocommit() {
                // The error is the one to tell; without this SQLite does the same when the database is closed.
                let _best_effort = connection.execute_batch("ROLLBACK");
            }
            failure(error).at(&self.path)
        })
    }
}
