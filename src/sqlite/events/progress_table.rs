//! The table `progress_logs`: made where it is missing, and filled with what the sessions of the database come to.
//!
//! An existing one is somebody's. Its definition is never altered, none of its rows is ever removed, and no value in it is
//! erased. A row counts as one record as of its completion; which of two is later decides field by field.

mod lookup;
mod merge;
mod rows;

use rusqlite::Connection;

use super::layout::{Column, columns_of, is_unique, kind_of, takes_text, with_article};
use super::{EventStore, users};
use crate::error::{Error, ErrorKind, Result};
use crate::sqlite::failure::failure;

pub use rows::{KeptValue, ProgressFilled};

/// The table, and the view that a run without it makes.
const TABLE: &str = "progress_logs";
/// Whose progress it is, where the database is of several people.
const USER: &str = "user_id";
/// What the events tell.
const TOLD: [&str; 6] = ["program_id", "week_number", "day_number", "completed", "completed_at", "feedback"];

/// What `--set` takes for a column that tells rows apart: each new row gets a random UUID.
const UUID: &str = "uuid()";
/// One of version 4, in SQL.
const UUID_SQL: &str =
    "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-' ||
    substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))";

/// As the server's own is.
const DDL: &str = "CREATE TABLE progress_logs (
  user_id      TEXT,
  program_id   TEXT NOT NULL,
  week_number  INTEGER NOT NULL,
  day_number   INTEGER NOT NULL,
  completed    INTEGER NOT NULL DEFAULT 0,  -- 0 or 1
  completed_at TEXT,                        -- RFC 3339 in UTC
  feedback     TEXT                         -- JSON: intensityRating, scheduledDate
) STRICT;
CREATE INDEX progress_logs_user_program ON progress_logs (user_id, program_id);
CREATE INDEX progress_logs_week_day ON progress_logs (week_number, day_number);
CREATE INDEX progress_logs_completed ON progress_logs (completed, completed_at);";

/// The table, ready to be filled.
#[derive(Debug, Clone)]
pub struct ProgressTable {
    /// One row per program, week and day, over the events.
    fold: String,
    /// Columns that no event tells, with their values.
    set: Vec<(String, String)>,
    /// Columns that take no NULL.
    never_null: Vec<String>,
    /// Whether there are users, and none is named.
    has_unnamed_users: bool,
}

impl EventStore {
    /// Looks at the table `progress_logs`, or makes it, before anything is added to the events.
    ///
    /// `fold` gives the columns `program_id`, `week_number`, `day_number`, `completed`, `completed_at` and `feedback` of the
    /// events, of those of the user if `set`, which has columns that no event tells, names one; `view` is the view that a run
    /// without the table makes.
    ///
    /// # Errors
    /// `Usage` where it does not fit, lacks a column, or needs a value that is not given; what SQLite says.
    pub fn prepare_progress(
        &self,
        (view, fold): (&str, &str),
        set: &[(String, String)],
    ) -> Result<ProgressTable> {
        let events = &self.schema.table.table;
        prepare(&self.connection, (view, fold), set, events).map_err(|error| error.at(&self.path))
    }
}

/// Whose the rows are, where that is given.
#[must_use]
pub fn named_user(set: &[(String, String)]) -> Option<&str> {
    set.iter().find(|(name, _)| same(name, USER)).map(|(_, value)| &**value)
}

fn prepare(
    connection: &Connection,
    (view, fold): (&str, &str),
    set: &[(String, String)],
    events: &str,
) -> Result<ProgressTable> {
    if events.eq_ignore_ascii_case(TABLE) {
        return Err(
            unfit("events go to it").hint("name another table under [target] in the mapping file (--map)")
        );
    }
    match kind_of(connection, TABLE)?.as_deref() {
        None => connection.execute_batch(DDL).map_err(failure)?,
        Some("table") => {}
        Some("view") => return Err(is_view(connection, view)?),
        Some(other) => {
            return Err(unfit(&format!("it is no table but {}", with_article(other)))
                .hint("rename it, or import into a new database"));
        }
    }
    let columns = columns_of(connection, TABLE)?;
    for name in TOLD {
        check_told(&columns, name)?;
    }
    check_set(connection, &columns, set)?;
    let is_given =
        |name: &str| TOLD.iter().copied().chain(set.iter().map(|(name, _)| &**name)).any(|it| same(it, name));
    if let Some(column) = columns.iter().find(|column| column.needs_value() && !is_given(&column.name)) {
        let is_unique = is_unique(connection, TABLE, &[&column.name])?;
        return Err(unfit(&format!("its column {:?} needs a value that no dump has", column.name))
            .hint(how_to_give(column, is_unique)));
    }
    let user = named_user(set);
    if let Some(user) = user {
        users::name(connection, user)?;
    }
    // What the sessions came to before this run: by that, values of ours are told from somebody's.
    let before = format!(
        "CREATE TEMP TABLE parklite_progress_before AS
         SELECT program_id, week_number, day_number, json_extract(feedback, '$.intensityRating') AS rating,
                json_extract(feedback, '$.scheduledDate') AS scheduled
         FROM ({fold});
         CREATE INDEX temp.parklite_progress_key ON parklite_progress_before (program_id, week_number, day_number);"
    );
    connection.execute_batch(&before).map_err(failure)?;
    let has_users = columns.iter().any(|column| same(&column.name, USER));
    Ok(ProgressTable {
        fold: fold.to_owned(),
        set: set.to_vec(),
        never_null: columns.into_iter().filter(|column| column.not_null).map(|column| column.name).collect(),
        has_unnamed_users: has_users && user.is_none(),
    })
}

/// How a column gets a value that no dump has.
fn how_to_give(column: &Column, is_unique: bool) -> String {
    let name = &column.name;
    match (is_unique, takes_uuid(column)) {
        (false, _) => format!("give it: --set {name}=…"),
        (true, true) => format!("each row needs one of its own: --set {name}={UUID}"),
        (true, false) => {
            "each row needs one of its own, and no definition is ever altered: give the column a default, or import into a \
             new database"
                .to_owned()
        }
    }
}

fn takes_uuid(column: &Column) -> bool {
    takes_text(&column.declared_type, true) && !same(&column.name, USER)
}

/// SQLite's names of columns differ by more than case of ASCII.
fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

fn unfit(reason: &str) -> Error {
    Error::new(ErrorKind::Usage, format!("the table does not fit: {reason}")).in_table(TABLE)
}

/// What is told where there is a view in the table's place.
fn is_view(connection: &Connection, view: &str) -> Result<Error> {
    const SQL: &str = "SELECT sql FROM main.sqlite_schema WHERE type = 'view' AND name = ?1 COLLATE NOCASE";
    let found: String = connection.query_row(SQL, [TABLE], |row| row.get(0)).map_err(failure)?;
    let error = unfit("it is a view, and a table cannot have the same name");
    Ok(if found == format!("CREATE VIEW {TABLE} AS\n{view}") {
        error.hint(
            "an earlier run made the view over the events, so that nothing is lost without it: sqlite3 DATABASE 'DROP VIEW \
             progress_logs', and run this again; or leave --to out and use the view, which always shows the same",
        )
    } else {
        error.hint("rename that view, or import into a new database")
    })
}

/// Whether a column takes what the events tell.
fn check_told(columns: &[Column], name: &str) -> Result<()> {
    const HINT: &str =
        "no definition is ever altered: mend or rename that table, or import into a new database";
    let Some(column) = columns.iter().find(|column| same(&column.name, name)) else {
        return Err(unfit(&format!("it has no column {name:?}")).hint(HINT));
    };
    if column.is_generated {
        return Err(unfit(&format!("its column {name:?} is computed")).hint(HINT));
    }
    let declared = &column.declared_type;
    let (fits, what) = match name {
        // As numbers, the programs 7 and 007 would become one.
        "program_id" => (takes_text(declared, true), "text"),
        "completed_at" | "feedback" => (takes_text(declared, false), "text"),
        _ => (is_for_numbers(declared), "a number"),
    };
    if fits {
        return Ok(());
    }
    Err(unfit(&format!("its column {name:?} has type {declared}, and {what} goes there")).hint(HINT))
}

/// Whether a number stays one in a column of that type.
fn is_for_numbers(declared: &str) -> bool {
    let declared = declared.to_ascii_uppercase();
    declared.contains("INT") || !["CHAR", "CLOB", "TEXT", "BLOB"].iter().any(|part| declared.contains(part))
}

/// Whether the columns that were given are there and may be.
fn check_set(connection: &Connection, columns: &[Column], set: &[(String, String)]) -> Result<()> {
    for (index, (name, value)) in set.iter().enumerate() {
        let wrong = |reason: &str, hint: String| {
            let message = format!("--set cannot give the column {name:?}: {reason}");
            Err(Error::new(ErrorKind::Usage, message).in_table(TABLE).hint(hint))
        };
        if TOLD.iter().any(|told| same(told, name)) {
            return wrong("its values come from the dumps", "leave it out".to_owned());
        }
        if set.iter().take(index).any(|(before, _)| same(before, name)) {
            return wrong("it was given before", "give each column once".to_owned());
        }
        match columns.iter().find(|column| same(&column.name, name)) {
            None => {
                let names: Vec<&str> = columns.iter().map(|column| &*column.name).collect();
                return wrong("there is none", format!("its columns are {}", names.join(", ")));
            }
            Some(column) if column.is_generated => {
                return wrong("it is computed", "leave it out".to_owned());
            }
            Some(column) if value == UUID && !takes_uuid(column) => {
                return wrong("no random text can stand there", "name a value".to_owned());
            }
            Some(column) if value != UUID && is_unique(connection, TABLE, &[&column.name])? => {
                let hint = if takes_uuid(column) {
                    format!("--set {name}={UUID} gives each row one of its own")
                } else {
                    "leave it out, if rows get one by themselves".to_owned()
                };
                return wrong("it is unique, and all new rows would have the same value", hint);
            }
            Some(_) => {}
        }
    }
    Ok(())
}
