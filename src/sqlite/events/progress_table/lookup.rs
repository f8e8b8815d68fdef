//! Which row of the table each program, week and day has: found for all of them at once.
//!
//! An existing table need not have an index by which a row is found, and none is made in it. So what the events come to is
//! put beside it, with an index of its own, and SQLite joins the two, for which it goes over the table once. What is put
//! beside it and what is found are temporary tables, which SQLite keeps on the disk where they are large.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{TABLE, USER, unfit};
use crate::error::Result;
use crate::sqlite::failure::failure;
use crate::sqlite::name::quoted;

/// What the events come to.
pub(super) struct Told {
    pub(super) program_id: String,
    pub(super) week_number: i64,
    pub(super) day_number: i64,
    pub(super) completed: bool,
    pub(super) completed_at: Option<String>,
    pub(super) completed_ms: Option<i64>,
    pub(super) feedback: String,
    /// Rating and day, each now and before this run.
    pub(super) fields: [(Option<String>, Option<String>); 2],
}

/// A row as it is.
pub(super) struct Found {
    /// What tells it from all others.
    pub(super) identity: Vec<Value>,
    pub(super) is_completed: bool,
    pub(super) completed_at: Option<String>,
    pub(super) completed_ms: Option<i64>,
    /// The column of feedback, if it is no object of JSON.
    pub(super) other_feedback: Option<String>,
    pub(super) fields: [Option<String>; 2],
    pub(super) is_nobodys: bool,
}

/// Milliseconds since 1970 of a column that holds a time as text, with its day; NULL of anything else. SQLite alone would
/// take a bare number for a count of days, a time of day for one of the year 2000, and `now` for this moment.
macro_rules! ms_of {
    ($column:literal) => {
        concat!(
            "iif(typeof(",
            $column,
            ") = 'text' AND ",
            $column,
            " GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*', CAST(round((julianday(",
            $column,
            ") - 2440587.5) * 86400000.0) AS INTEGER), NULL)"
        )
    };
}

/// What the events come to, in order, as [`told_of`] reads it.
pub(super) const TOLD_SQL: &str =
    "SELECT * FROM temp.parklite_progress_told ORDER BY program_id, week_number, day_number";

/// The rows of a program, week and day, those of nobody's last, as [`found_of`] reads them. Of many, enough to tell that
/// they are several.
pub(super) const FOUND_SQL: &str = "SELECT * FROM temp.parklite_progress_found
    WHERE of_program = ?1 AND of_week = ?2 AND of_day = ?3 ORDER BY is_nobodys LIMIT 3";

/// Columns of a found row before those of its identity.
const FIRST_OF_IDENTITY: usize = 10;

/// The columns that tell a row of the table from all others, ready for SQL.
pub(super) fn identity(connection: &Connection) -> Result<Vec<String>> {
    const ROWIDS: [&str; 3] = ["rowid", "_rowid_", "oid"];
    const IS_WITHOUT_ROWID: &str =
        "SELECT wr FROM pragma_table_list WHERE schema = 'main' AND name = ?1 COLLATE NOCASE";
    const KEY: &str = "SELECT name FROM pragma_table_xinfo(?1, 'main') WHERE pk > 0 ORDER BY pk";
    const COLUMNS: &str = "SELECT name FROM pragma_table_xinfo(?1, 'main')";
    let names = |sql: &str| -> rusqlite::Result<Vec<String>> {
        connection.prepare(sql)?.query_map([TABLE], |row| row.get(0))?.collect()
    };
    let find = || -> rusqlite::Result<Vec<String>> {
        if connection.query_row(IS_WITHOUT_ROWID, [TABLE], |row| row.get(0))? {
            return Ok(names(KEY)?.iter().map(|name| quoted(name)).collect());
        }
        let columns = names(COLUMNS)?;
        let is_free = |name: &&str| !columns.iter().any(|column| column.eq_ignore_ascii_case(name));
        Ok(ROWIDS.into_iter().find(is_free).map(str::to_owned).into_iter().collect())
    };
    let identity = find().map_err(failure)?;
    if identity.is_empty() {
        return Err(unfit(
            "columns of its own are called rowid, _rowid_ and oid, so that no row can be told from others",
        )
        .hint("rename one of them, or import into a new database"));
    }
    Ok(identity)
}

/// Finds the rows of everything that `fold` gives, as [`TOLD_SQL`] and [`FOUND_SQL`] then tell; of other users' none.
pub(super) fn look_up(
    connection: &Connection,
    fold: &str,
    user: Option<&str>,
    identity: &[String],
) -> Result<()> {
    connection.execute_batch(&told_ddl(fold)).map_err(failure)?;
    connection.execute_batch(&found_ddl(identity.len())).map_err(failure)?;
    let find = find_sql(user.is_some(), identity);
    connection.execute(&find, rusqlite::params_from_iter(user)).map_err(failure)?;
    Ok(())
}

/// Key columns have types, without which SQLite would not search in the index.
fn told_ddl(fold: &str) -> String {
    format!(
        "DROP TABLE IF EXISTS temp.parklite_progress_told;
         CREATE TEMP TABLE parklite_progress_told (program_id TEXT, week_number INTEGER, day_number INTEGER, completed,
           completed_at, completed_ms, feedback, rating, rating_before, scheduled, scheduled_before);
         INSERT INTO temp.parklite_progress_told
         SELECT program_id, week_number, day_number, completed, completed_at, {ms}, feedback,
                json_extract(feedback, '$.intensityRating'), before.rating,
                json_extract(feedback, '$.scheduledDate'), before.scheduled
         FROM ({fold}) AS told LEFT JOIN temp.parklite_progress_before AS before
         USING (program_id, week_number, day_number);
         CREATE INDEX temp.parklite_progress_told_key
         ON parklite_progress_told (program_id, week_number, day_number);",
        ms = ms_of!("completed_at"),
    )
}

fn found_ddl(identity_columns: usize) -> String {
    let identity: String = (0..identity_columns)
        .fold(String::new(), |columns, number| columns + &format!(", identity_{number}"));
    format!(
        "DROP TABLE IF EXISTS temp.parklite_progress_found;
         CREATE TEMP TABLE parklite_progress_found (of_program TEXT, of_week INTEGER, of_day INTEGER, is_completed,
           completed_at, completed_ms, other_feedback, rating, scheduled, is_nobodys{identity});
         CREATE INDEX temp.parklite_progress_found_key ON parklite_progress_found (of_program, of_week, of_day);"
    )
}

/// Fills the found rows; `?1` is the user, where one is given.
fn find_sql(has_user: bool, identity: &[String]) -> String {
    let (user, nobodys) = if has_user {
        // In a column without a type, the number 42 is not equal to the text that was given.
        let is_theirs = format!("its.{USER} = ?1 OR CAST(its.{USER} AS TEXT) = ?1");
        (format!(" AND ({is_theirs} OR its.{USER} IS NULL)"), format!("its.{USER} IS NULL"))
    } else {
        (String::new(), "0".to_owned())
    };
    let identity: String = identity.iter().fold(String::new(), |columns, name| columns + ", its." + name);
    format!(
        "INSERT INTO temp.parklite_progress_found
         SELECT told.program_id, told.week_number, told.day_number,
                coalesce(CASE typeof(its.completed) WHEN 'text' THEN lower(its.completed) IN ('true', '1')
                         ELSE its.completed <> 0 END, 0),
                CAST(nullif(its.completed_at, '') AS TEXT), {ms},
                CASE WHEN coalesce(its.feedback, '') = '' THEN NULL
                     WHEN typeof(its.feedback) = 'text' AND json_valid(its.feedback)
                          AND json_type(its.feedback) = 'object' THEN NULL
                     ELSE CAST(its.feedback AS TEXT) END,
                CASE WHEN typeof(its.feedback) = 'text' AND json_valid(its.feedback)
                     THEN CAST(json_extract(its.feedback, '$.intensityRating') AS TEXT) END,
                CASE WHEN typeof(its.feedback) = 'text' AND json_valid(its.feedback)
                     THEN CAST(json_extract(its.feedback, '$.scheduledDate') AS TEXT) END,
                {nobodys}{identity}
         FROM temp.parklite_progress_told AS told JOIN main.{TABLE} AS its
         ON its.program_id COLLATE BINARY = told.program_id AND its.week_number = told.week_number
            AND its.day_number = told.day_number{user}",
        ms = ms_of!("its.completed_at"),
    )
}

/// The program, week and day of something told that has no row.
pub(super) fn first_without_row(connection: &Connection) -> Result<Option<(String, i64, i64)>> {
    const SQL: &str = "SELECT program_id, week_number, day_number FROM temp.parklite_progress_told
        WHERE NOT EXISTS (SELECT 1 FROM temp.parklite_progress_found
          WHERE of_program = program_id AND of_week = week_number AND of_day = day_number) LIMIT 1";
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    connection.query_row(SQL, [], read).optional().map_err(failure)
}

/// A row of [`TOLD_SQL`].
pub(super) fn told_of(row: &Row<'_>) -> rusqlite::Result<Told> {
    Ok(Told {
        program_id: row.get(0)?,
        week_number: row.get(1)?,
        day_number: row.get(2)?,
        completed: row.get(3)?,
        completed_at: row.get(4)?,
        completed_ms: row.get(5)?,
        feedback: row.get(6)?,
        fields: [(row.get(7)?, row.get(8)?), (row.get(9)?, row.get(10)?)],
    })
}

/// A row of [`FOUND_SQL`].
pub(super) fn found_of(row: &Row<'_>) -> rusqlite::Result<Found> {
    let columns = row.as_ref().column_count();
    Ok(Found {
        is_completed: row.get(3)?,
        completed_at: lossy(row, 4)?,
        completed_ms: row.get(5)?,
        other_feedback: lossy(row, 6)?,
        fields: [lossy(row, 7)?, lossy(row, 8)?],
        is_nobodys: row.get(9)?,
        identity: (FIRST_OF_IDENTITY..columns)
            .map(|column| row.get(column))
            .collect::<rusqlite::Result<_>>()?,
    })
}

/// Text, which in rows of others may be no UTF-8.
fn lossy(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<String>> {
    let value = row.get_ref(column)?.as_bytes_or_null()?;
    Ok(value.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::super::{prepare, rows};
    use super::*;
    use crate::sqlite::events::users::OF_RUN;

    const FOLD: &str = "SELECT program_id, week_number, day_number, 1 AS completed, '2025-01-01T00:00:00.000Z' AS completed_at,
        '{\"intensityRating\":\"hard\",\"scheduledDate\":null}' AS feedback FROM sessions";
    const COLUMNS: &str = "program_id TEXT, week_number INTEGER, day_number INTEGER, completed INTEGER, completed_at TEXT, \
                           feedback TEXT, user_id TEXT";
    const ROWS: u64 = 20_000;

    /// How many operations of SQLite's machine it takes to fill a large table with so many sessions.
    fn operations(ddl: &str, user: Option<&str>, sessions: u64) -> (u64, rows::ProgressFilled) {
        let mut connection = Connection::open_in_memory().expect("a database");
        connection.execute_batch(OF_RUN).expect("made");
        let sql = format!(
            "{ddl}; CREATE TABLE sessions (program_id TEXT, week_number INTEGER, day_number INTEGER);
             WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {ROWS})
             INSERT INTO progress_logs (program_id, week_number, day_number, user_id)
             SELECT 'p' || (i % 7), i / 7 % 50 + 1, i / 350 + 1, 'u' FROM n;
             -- Half of them are there.
             INSERT INTO sessions SELECT program_id, week_number + iif(number % 2, 100, 0), day_number
             FROM (SELECT row_number() OVER () AS number, * FROM progress_logs) LIMIT {sessions};"
        );
        connection.execute_batch(&sql).expect("the SQL is sound");
        let counted = Arc::new(AtomicU64::new(0));
        let count = counted.clone();
        let set: Vec<_> = user.map(|user| (USER.to_owned(), user.to_owned())).into_iter().collect();
        let table = prepare(&connection, (FOLD, FOLD), &set, "events").expect("the table fits");
        let counting = move || {
            count.fetch_add(100, Ordering::Relaxed);
            false
        };
        connection.progress_handler(100, Some(counting)).expect("set");
        let schema = "SELECT group_concat(sql) FROM main.sqlite_schema";
        let schema = |connection: &Connection| {
            connection.query_row(schema, [], |row| row.get::<_, String>(0)).expect("an answer")
        };
        let before = schema(&connection);
        let filled = rows::fill(&connection, &table, 10).expect("filled");
        assert_eq!(schema(&connection), before, "no index is made in the table");
        (counted.load(Ordering::Relaxed), filled)
    }

    #[test]
    fn a_table_without_an_index_is_gone_over_once_however_many_sessions_there_are() {
        let without_rowid = format!(
            "CREATE TABLE progress_logs ({COLUMNS}, id TEXT COLLATE NOCASE DEFAULT (hex(randomblob(8))), part INT DEFAULT 1,
             PRIMARY KEY (part, id)) WITHOUT ROWID"
        );
        for ddl in [
            format!("CREATE TABLE progress_logs ({COLUMNS})"),
            format!("CREATE TABLE progress_logs ({COLUMNS}, rowid TEXT, _ROWID_ TEXT)"),
            // Of no use, as the programs 'a' and 'A' are two.
            format!(
                "CREATE TABLE progress_logs ({COLUMNS}); CREATE INDEX i ON progress_logs (program_id COLLATE NOCASE)"
            ),
            without_rowid,
        ] {
            for user in [None, Some("u")] {
                let (few, _) = operations(&ddl, user, 2);
                let (many, filled) = operations(&ddl, user, 2_000);
                assert_eq!((filled.rows_new, filled.rows_updated), (1_000, 1_000), "{ddl}");
                // Each goes over all rows once; 2,000 scans would be more than a thousand times as many.
                assert!(
                    few > ROWS && many < 20 * few,
                    "{few} operations of 2 sessions, {many} of 2,000: {ddl}"
                );
            }
        }
    }

    #[test]
    fn a_table_whose_rows_cannot_be_told_apart_is_refused() {
        let connection = Connection::open_in_memory().expect("a database");
        connection
            .execute_batch("CREATE TABLE progress_logs (rowid, oid, _rowid_)")
            .expect("the SQL is sound");
        let error = identity(&connection).expect_err("no name is free");
        assert!(error.message().contains("rowid"), "{}", error.message());
    }
}
