//! Filling the table: each program, week and day finds its row, or gets one.

use std::collections::BTreeSet;

use rusqlite::types::Value;
use rusqlite::{Connection, Statement, ToSql, params_from_iter};

use super::lookup::{
    FOUND_SQL, Found, TOLD_SQL, Told, first_without_row, found_of, identity, look_up, told_of,
};
use super::merge::{Choice, Field};
use super::{ProgressTable, TABLE, TOLD, USER, UUID, UUID_SQL, named_user, same};
use crate::error::{Error, ErrorKind, Result};
use crate::sqlite::events::layout::has_triggers;
use crate::sqlite::events::{EventStore, PROGRAMS, users};
use crate::sqlite::failure::failure;
use crate::sqlite::name::quoted;

/// What became of the table.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct ProgressFilled {
    /// Rows that were not there.
    pub rows_new: u64,
    /// Rows that were changed.
    pub rows_updated: u64,
    /// Rows that said it already.
    pub rows_unchanged: u64,
    /// Values in the table that differ from those of the events and stayed.
    pub values_kept: u64,
    /// Those of them that are in a form of which nothing can be told.
    pub values_unfit: u64,
    /// Those values, or the first of very many.
    pub kept: Vec<KeptValue>,
}

/// A value that stayed as it was.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct KeptValue {
    /// The program.
    pub program_id: String,
    /// The week.
    pub week_number: i64,
    /// The day.
    pub day_number: i64,
    /// Which.
    pub field: &'static str,
    /// The value in the table.
    pub kept: String,
    /// What the events say.
    pub told: String,
    /// Why it stayed.
    pub reason: &'static str,
}

/// The names of those in the column of feedback.
const FIELDS: [&str; 2] = ["intensityRating", "scheduledDate"];

/// What is to be written into a row, nothing where it stays.
#[derive(Default, PartialEq, Eq)]
struct Change {
    completes: bool,
    completed_at: Option<String>,
    fields: [Option<String>; 2],
    names_user: bool,
}

impl EventStore {
    /// Fills the table with what all events of the database come to, but for programs in `migrated` of which this run took no
    /// session; at most `most` values that stayed are listed.
    ///
    /// # Errors
    /// `Usage` where a row cannot be told from another or a column takes no NULL; `Failed` where the table's own rules refuse
    /// a row; what SQLite says. Nothing is committed then.
    pub fn fill_progress(
        &self,
        table: &ProgressTable,
        migrated: &BTreeSet<String>,
        most: usize,
    ) -> Result<ProgressFilled> {
        let fill = || {
            refuse_unnamed_users(&self.connection, table)?;
            leave_out(&self.connection, migrated)?;
            let fold = format!(
                "SELECT * FROM ({}) WHERE program_id NOT IN (SELECT program_id FROM temp.parklite_left_out)",
                table.fold
            );
            fill(&self.connection, &ProgressTable { fold, ..table.clone() }, most)
        };
        fill().map_err(|error: Error| error.at(&self.path))
    }
}

/// Notes the programs that are left out: those of which sessions were taken, as from another device, are not.
fn leave_out(connection: &Connection, migrated: &BTreeSet<String>) -> Result<()> {
    let add = || -> rusqlite::Result<()> {
        connection.execute_batch(
            "CREATE TEMP TABLE parklite_left_out (program_id TEXT PRIMARY KEY NOT NULL) WITHOUT ROWID",
        )?;
        let sql = format!(
            "INSERT INTO temp.parklite_left_out SELECT ?1 WHERE ?1 NOT IN (SELECT program_id FROM {PROGRAMS})"
        );
        let mut insert = connection.prepare(&sql)?;
        migrated.iter().try_for_each(|program| insert.execute([program]).map(|_| ()))
    };
    add().map_err(failure)
}

/// Where there are users, they must be one, or one must be named.
fn refuse_unnamed_users(connection: &Connection, table: &ProgressTable) -> Result<()> {
    let sql = format!("SELECT count(DISTINCT CAST({USER} AS TEXT)) FROM main.{TABLE}");
    if table.has_unnamed_users
        && connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).map_err(failure)? > 1
    {
        return Err(Error::new(ErrorKind::Usage, "the table has rows of several users")
            .in_table(TABLE)
            .hint("say whose dumps these are: --set user_id=…"));
    }
    // Rows of the one user would be taken for whoever's these are.
    if table.has_unnamed_users && users::count(connection)? > 0 {
        return Err(Error::new(
            ErrorKind::Usage,
            "an earlier run said whose its dumps are, and this one does not",
        )
        .in_table(TABLE)
        .hint("say whose dumps these are: --set user_id=…"));
    }
    Ok(())
}

pub(super) fn fill(connection: &Connection, table: &ProgressTable, most: usize) -> Result<ProgressFilled> {
    let user = named_user(&table.set);
    let identity = identity(connection)?;
    look_up(connection, &table.fold, user, &identity)?;
    let mut filling = Filling::new(connection, table, user, &identity, most)?;
    let mut told = connection.prepare(TOLD_SQL).map_err(failure)?;
    let mut rows = told.query([]).map_err(failure)?;
    while let Some(row) = rows.next().map_err(failure)? {
        filling.row(&told_of(row).map_err(failure)?)?;
    }
    drop(rows);
    let filled = filling.filled;
    if has_triggers(connection, TABLE)? {
        // One of them may have removed a row that was just written, or made it another's.
        look_up(connection, &table.fold, user, &identity)?;
        if let Some((program, week, day)) = first_without_row(connection)? {
            return Err(refused(&program, week, day));
        }
    }
    Ok(filled)
}

struct Filling<'a> {
    table: &'a ProgressTable,
    user: Option<&'a str>,
    most: usize,
    find: Statement<'a>,
    insert: Statement<'a>,
    update: Statement<'a>,
    filled: ProgressFilled,
}

impl<'a> Filling<'a> {
    fn new(
        connection: &'a Connection,
        table: &'a ProgressTable,
        user: Option<&'a str>,
        identity: &[String],
        most: usize,
    ) -> Result<Self> {
        let prepare = |sql: &str| connection.prepare(sql).map_err(failure);
        let names = TOLD.iter().copied().chain(table.set.iter().map(|(name, _)| &**name));
        let names: Vec<String> = names.map(quoted).collect();
        let given = table.set.iter().filter(|(_, value)| value != UUID).count();
        let mut numbers = (1..=TOLD.len() + given).map(|number| format!("?{number}"));
        let mut marks: Vec<String> = numbers.by_ref().take(TOLD.len()).collect();
        for (_, value) in &table.set {
            let number = (value != UUID).then(|| numbers.next()).flatten();
            marks.push(number.unwrap_or_else(|| UUID_SQL.to_owned()));
        }
        Ok(Self {
            table,
            user,
            most,
            find: prepare(FOUND_SQL)?,
            insert: prepare(&format!(
                "INSERT INTO main.{TABLE} ({}) VALUES ({})",
                names.join(", "),
                marks.join(", ")
            ))?,
            update: prepare(&update_sql(user.is_some(), identity))?,
            filled: ProgressFilled::default(),
        })
    }

    fn row(&mut self, told: &Told) -> Result<()> {
        match self.found(told)? {
            None => self.add(told),
            Some(found) => self.merge(told, &found),
        }
    }

    fn found(&mut self, told: &Told) -> Result<Option<Found>> {
        let (program, week, day) = (&told.program_id, told.week_number, told.day_number);
        let rows = self.find.query_map((program, week, day), found_of).map_err(failure)?;
        let rows = rows.collect::<rusqlite::Result<Vec<Found>>>().map_err(failure)?;
        // A row of nobody's counts only where the user has none.
        let nobodys = rows.first().is_some_and(|row| row.is_nobodys);
        let mut rows = rows.into_iter().filter(|row| self.user.is_none() || row.is_nobodys == nobodys);
        let found = rows.next();
        if rows.next().is_some() {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("there are several rows of {program:?}, week {week}, day {day}"),
            )
            .in_table(TABLE)
            .hint(match self.user {
                None => "say whose the dumps are, if the rows are of several users (--set user_id=…), or leave one of them",
                Some(_) => "leave one of them",
            }));
        }
        Ok(found)
    }

    fn add(&mut self, told: &Told) -> Result<()> {
        if told.completed_at.is_none() && self.table.never_null.iter().any(|name| same(name, "completed_at"))
        {
            return Err(Error::new(
                ErrorKind::Usage,
                format!(
                    "{:?}, week {}, day {} has no completion time, and the column \"completed_at\" takes no NULL",
                    told.program_id, told.week_number, told.day_number
                ),
            )
            .in_table(TABLE)
            .hint("let the column take NULL, or import into a new database"));
        }
        let values: [Value; 6] = [
            told.program_id.clone().into(),
            told.week_number.into(),
            told.day_number.into(),
            told.completed.into(),
            told.completed_at.clone().into(),
            told.feedback.clone().into(),
        ];
        let given = self.table.set.iter().filter(|(_, value)| value != UUID);
        let set = given.map(|(_, value)| Value::from(value.clone()));
        let rows = self.insert.execute(params_from_iter(values.into_iter().chain(set)));
        self.filled.rows_new += 1;
        wrote_one(rows, told)
    }

    fn merge(&mut self, told: &Told, found: &Found) -> Result<()> {
        let change = self.change(told, found);
        if change == Change::default() {
            self.filled.rows_unchanged += 1;
            return Ok(());
        }
        let [rating, scheduled] = &change.fields;
        let mut values: Vec<&dyn ToSql> = vec![&change.completes, &change.completed_at, rating, scheduled];
        values.extend(self.user.as_ref().map(|user| user as &dyn ToSql));
        values.extend(found.identity.iter().map(|value| value as &dyn ToSql));
        let rows = self.update.execute(&*values);
        self.filled.rows_updated += 1;
        wrote_one(rows, told)
    }

    fn change(&mut self, told: &Told, found: &Found) -> Change {
        let mut change = Change {
            completes: told.completed && !found.is_completed,
            names_user: self.user.is_some() && found.is_nobodys,
            ..Change::default()
        };
        let is_unclear = found.completed_at.is_some() && found.completed_ms.is_none();
        if let (true, Some(at)) = (is_unclear, &told.completed_at) {
            let kept = found.completed_at.as_deref().unwrap_or_default();
            self.keep(told, "completedAt", kept, at, Some("it is no time that can be compared"));
        } else if told.completed_ms > found.completed_ms {
            change.completed_at.clone_from(&told.completed_at);
        }
        // A row of which nothing is known is not overruled.
        let order =
            if is_unclear { std::cmp::Ordering::Equal } else { found.completed_ms.cmp(&told.completed_ms) };
        for (index, name) in FIELDS.into_iter().enumerate() {
            let (Some((events, before)), Some(row)) = (told.fields.get(index), found.fields.get(index))
            else {
                continue;
            };
            if let (Some(other), Some(events)) = (&found.other_feedback, events) {
                self.keep(told, name, other, events, Some("the feedback is no object of JSON"));
                continue;
            }
            let field = Field { row: row.as_deref(), events: events.as_deref(), before: before.as_deref() };
            match (field.choice(order), row, events) {
                (Choice::Events, _, events) => {
                    if let Some(slot) = change.fields.get_mut(index) {
                        slot.clone_from(events);
                    }
                }
                (Choice::Kept, Some(row), Some(events)) => self.keep(told, name, row, events, None),
                _ => {}
            }
        }
        change
    }

    /// Notes a value that stays; `unfit` says why nothing can be told of it.
    fn keep(
        &mut self,
        told: &Told,
        field: &'static str,
        kept: &str,
        events: &str,
        unfit: Option<&'static str>,
    ) {
        self.filled.values_kept += 1;
        self.filled.values_unfit += u64::from(unfit.is_some());
        if self.filled.kept.len() < self.most {
            self.filled.kept.push(KeptValue {
                program_id: told.program_id.clone(),
                week_number: told.week_number,
                day_number: told.day_number,
                field,
                kept: kept.to_owned(),
                told: events.to_owned(),
                reason: unfit.unwrap_or("no time tells which is later, and no earlier run wrote it"),
            });
        }
    }
}

/// Writes a [`Change`] into the row of that identity.
fn update_sql(has_user: bool, identity: &[String]) -> String {
    let user = if has_user { format!(", {USER} = coalesce({USER}, ?5)") } else { String::new() };
    let first = if has_user { 6 } else { 5 };
    let row: Vec<String> =
        identity.iter().zip(first..).map(|(name, number)| format!("{name} = ?{number}")).collect();
    format!(
        "UPDATE main.{TABLE} SET
           completed = iif(?1, 1, coalesce(completed, 0)),
           completed_at = coalesce(?2, completed_at),
           feedback = iif(?3 IS NULL AND ?4 IS NULL, feedback, json_patch(
             iif(coalesce(feedback, '') = '', '{{\"intensityRating\":null,\"scheduledDate\":null}}', feedback),
             CASE WHEN ?4 IS NULL THEN json_object('intensityRating', ?3)
                  WHEN ?3 IS NULL THEN json_object('scheduledDate', ?4)
                  ELSE json_object('intensityRating', ?3, 'scheduledDate', ?4) END)){user}
         WHERE {row}",
        row = row.join(" AND "),
    )
}

fn refused(program: &str, week: i64, day: i64) -> Error {
    let message = format!(
        "the table's own rules refuse the row of {program:?}, week {week}, day {day}; nothing was imported"
    );
    Error::new(ErrorKind::Failed, message).in_table(TABLE).hint(
        "a CHECK, a UNIQUE, a trigger or a foreign key is in the way; --set gives columns that the dumps do not have",
    )
}

/// What came of writing one row.
fn wrote_one(rows: rusqlite::Result<usize>, told: &Told) -> Result<()> {
    let refused = || refused(&told.program_id, told.week_number, told.day_number);
    match rows {
        Ok(1) => Ok(()),
        // A trigger may swallow a row without a word.
        Ok(_) => Err(refused()),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) => {
            Err(refused().because(error))
        }
        Err(error) => Err(failure(error)),
    }
}
