//! The views over the events: made where their names are free, and what they say of this run.

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::layout::{kind_of, with_article};
use super::{Conflict, EventSchema, PROGRAMS, View};
use crate::error::{Error, ErrorKind, Result};
use crate::sqlite::failure::failure;
use crate::sqlite::name::quoted;

/// Makes the views that are missing; says which could not be made, and why.
pub(super) fn make_views(connection: &Connection, schema: &EventSchema) -> Result<Vec<String>> {
    // The others are made of it, so that with another one in its place they would show other events than these.
    if let Some(other) = make_view(connection, &schema.sessions)? {
        return Err(not_over_these(schema, other));
    }
    let mut notes = Vec::new();
    for view in &schema.progress {
        if let Some(other) = make_view(connection, view)? {
            notes.push(format!(
                "the view {} was not made, since the database has {} of that name, which stays as it is",
                view.name,
                other.described()
            ));
        }
    }
    Ok(notes)
}

/// What has the name of a view of ours.
enum Other {
    View,
    /// A table or an index.
    Kind(String),
}

impl Other {
    fn described(&self) -> String {
        match self {
            Self::View => "another view".to_owned(),
            Self::Kind(kind) => with_article(kind),
        }
    }
}

/// Makes a view unless it is there; what else has its name.
fn make_view(connection: &Connection, view: &View) -> Result<Option<Other>> {
    const SQL: &str = "SELECT sql FROM main.sqlite_schema WHERE type = 'view' AND name = ?1 COLLATE NOCASE";
    let definition = format!("CREATE VIEW {} AS\n{}", view.name, view.select);
    match kind_of(connection, view.name)?.as_deref() {
        None => connection.execute_batch(&definition).map_err(failure)?,
        Some("view") => {
            let found: String = connection.query_row(SQL, [view.name], |row| row.get(0)).map_err(failure)?;
            return Ok((found != definition).then_some(Other::View));
        }
        Some(kind) => return Ok(Some(Other::Kind(kind.to_owned()))),
    }
    Ok(None)
}

fn not_over_these(schema: &EventSchema, other: Other) -> Error {
    let (view, table) = (schema.sessions.name, &schema.table.table);
    match other {
        Other::View => {
            let drops: Vec<String> = schema
                .progress
                .iter()
                .rev()
                .chain([&schema.sessions])
                .map(|view| format!("DROP VIEW {}", view.name))
                .collect();
            Error::new(
                ErrorKind::Usage,
                format!("the view {view} of the database does not read the events of {}", quoted(table)),
            )
            .hint(format!(
                "name the table under [target] in the mapping file (--map) that earlier runs wrote to; or drop the \
                 views, and this run makes them anew: {}",
                drops.join("; ")
            ))
        }
        Other::Kind(kind) => Error::new(
            ErrorKind::Usage,
            format!("the database has {} {view}, and a view of that name is needed", with_article(&kind)),
        )
        .hint("rename it, or import into a new database"),
    }
}

/// How many conflicts there are.
pub(super) fn conflict_count(connection: &Connection, query: &str) -> Result<u64> {
    let sql = format!("SELECT count(*) FROM ({query})");
    let count = connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).map_err(failure)?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// What devices disagree about in the programs of this run, at most `most` of it.
pub(super) fn conflicts(connection: &Connection, query: &str, most: usize) -> Result<Vec<Conflict>> {
    let sql = format!(
        "SELECT program_id, week_number, day_number, field, value, kept
         FROM (SELECT * FROM ({query}) ORDER BY program_id, week_number, day_number, field LIMIT ?1), json_each(candidates)
         ORDER BY program_id, week_number, day_number, field, json_each.id"
    );
    let read = || -> rusqlite::Result<Vec<Conflict>> {
        let mut conflicts: Vec<Conflict> = Vec::new();
        let any = format!("SELECT EXISTS (SELECT 1 FROM {PROGRAMS} WHERE has_rivals)");
        if !connection.query_row(&any, [], |row| row.get::<_, bool>(0))? {
            return Ok(conflicts);
        }
        let mut statement = connection.prepare(&sql)?;
        let mut rows = statement.query([i64::try_from(most).unwrap_or(i64::MAX)])?;
        while let Some(row) = rows.next()? {
            let conflict = Conflict {
                program_id: text(row.get_ref(0)?),
                week_number: row.get(1)?,
                day_number: row.get(2)?,
                field: row.get(3)?,
                values: vec![text(row.get_ref(4)?)],
                kept: text(row.get_ref(5)?),
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
    read().map_err(failure)
}

/// Text, which in events of others may be no UTF-8.
fn text(value: ValueRef<'_>) -> String {
    value.as_bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
}
