//! The merged sessions of a run's programs, row by row.

use rusqlite::types::ValueRef;

use super::{EventStore, PROGRAMS};
use crate::error::Result;
use crate::sqlite::failure::failure;

/// One program's day, as the view `progress_logs` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgressRow {
    /// The program.
    pub program_id: String,
    /// The week.
    pub week_number: i64,
    /// The day.
    pub day_number: i64,
    /// Whether it is done.
    pub completed: bool,
    /// When it was.
    pub completed_at: Option<String>,
    /// How hard it was.
    pub intensity_rating: Option<String>,
    /// When it was to be done.
    pub scheduled_date: Option<String>,
}

impl EventStore {
    /// The programs of which this run has sessions, by name.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn programs(&self) -> Result<Vec<String>> {
        let read = || -> rusqlite::Result<Vec<String>> {
            let sql = format!("SELECT program_id FROM {PROGRAMS} ORDER BY program_id");
            self.connection.prepare(&sql)?.query_map([], |row| row.get(0))?.collect()
        };
        read().map_err(|error| failure(error).at(&self.path))
    }

    /// Hands over the merged sessions of the programs of this run, by program, week and day. Half an emoji, which no text in
    /// UTF-8 can have, becomes U+FFFD.
    ///
    /// # Errors
    /// What SQLite says, and `take`.
    pub fn each_progress(&self, take: &mut dyn FnMut(ProgressRow) -> Result<()>) -> Result<()> {
        let failed = |error| failure(error).at(&self.path);
        let any = format!("SELECT EXISTS (SELECT 1 FROM {PROGRAMS})");
        if !self.connection.query_row(&any, [], |row| row.get::<_, bool>(0)).map_err(failed)? {
            return Ok(());
        }
        // Where several people's would be merged.
        self.import_counts()?;
        let sql = format!(
            "SELECT program_id, week_number, day_number, completed, completed_at,
                    json_extract(feedback, '$.intensityRating'), json_extract(feedback, '$.scheduledDate')
             FROM ({}) ORDER BY program_id, week_number, day_number",
            self.schema.progress_of_run
        );
        let mut statement = self.connection.prepare(&sql).map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let read = || -> rusqlite::Result<ProgressRow> {
                Ok(ProgressRow {
                    program_id: text(row.get_ref(0)?).unwrap_or_default(),
                    week_number: row.get(1)?,
                    day_number: row.get(2)?,
                    completed: row.get(3)?,
                    completed_at: text(row.get_ref(4)?),
                    intensity_rating: text(row.get_ref(5)?),
                    scheduled_date: text(row.get_ref(6)?),
                })
            };
            take(read().map_err(failed)?)?;
        }
        Ok(())
    }
}

fn text(value: ValueRef<'_>) -> Option<String> {
    value.as_bytes().ok().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
}
