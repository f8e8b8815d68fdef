//! What a training planner's server takes: sessions of one program, in batches.
//!
//! The shape of a body is defined here and nowhere else. A body does not name its program, since the address that it is
//! sent to does: so no batch has sessions of two.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::names::first_of;
use crate::error::{Error, ErrorKind, Result};
use crate::sqlite::events::{EventStore, ProgressRow};

/// What bodies are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkSyncOptions {
    /// Whether sessions are taken that are not completed.
    pub all_sessions: bool,
    /// The most sessions of a batch; at least 1.
    pub batch_size: usize,
    /// The only program that is taken.
    pub program: Option<String>,
    /// A new file for the bodies; without one they are handed back.
    pub output: Option<PathBuf>,
}

/// Sessions of a batch, unless told otherwise: a body of some 15 kB.
pub const DEFAULT_BATCH_SIZE: usize = 100;

/// One session, as the server takes it. What is not known is null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Session {
    week_number: i64,
    day_number: i64,
    completed_at: Option<String>,
    intensity_rating: Option<String>,
    scheduled_date: Option<String>,
}

/// One batch.
#[derive(Serialize)]
struct Body<'a> {
    sessions: &'a [Session],
}

impl From<ProgressRow> for Session {
    fn from(row: ProgressRow) -> Self {
        let ProgressRow { week_number, day_number, completed_at, intensity_rating, scheduled_date, .. } = row;
        Self { week_number, day_number, completed_at, intensity_rating, scheduled_date }
    }
}

/// The batches that were made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BulkSyncReport {
    /// The file that has them, or would have them but for a dry run.
    #[serde(serialize_with = "crate::report::lossy_path_if_any")]
    pub output: Option<PathBuf>,
    /// Each program, in the order of its lines.
    pub programs: Vec<ProgramReport>,
    /// One body in each line, where no file was asked for.
    #[serde(skip)]
    pub bodies: String,
}

/// How much of a program there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProgramReport {
    /// The program.
    pub program_id: String,
    /// Bodies, which are lines one after the other.
    pub batches: u64,
    /// Sessions in all of them.
    pub sessions: u64,
}

/// Refuses what would fail in the end, before any work.
pub(super) fn check(options: &BulkSyncOptions) -> Result<()> {
    if options.batch_size == 0 {
        return Err(Error::new(ErrorKind::Usage, "a batch needs at least one session"));
    }
    Ok(())
}

/// Refuses a program of which no input has sessions, since the word for it is mistyped easily; `left_out` are there, too.
pub(super) fn check_program(
    store: &EventStore,
    options: &BulkSyncOptions,
    left_out: &BTreeSet<String>,
) -> Result<()> {
    const MOST: usize = 10;
    let Some(program) = options.program.as_ref().filter(|program| !left_out.contains(*program)) else {
        return Ok(());
    };
    let programs = store.programs()?;
    if programs.contains(program) {
        return Ok(());
    }
    let hint = if programs.is_empty() {
        "there are sessions of no program; --list shows what is in the inputs".to_owned()
    } else {
        let names = programs.iter().map(|program| format!("{program:?}"));
        format!("there are sessions of {}", first_of(names, MOST))
    };
    Err(Error::new(ErrorKind::Usage, format!("no input has sessions of the program {program:?}")).hint(hint))
}

/// Makes the bodies of all programs of this run: by program, week and day, whatever the order of inputs.
pub(super) fn bodies(store: &EventStore, options: &BulkSyncOptions) -> Result<BulkSyncReport> {
    let report = BulkSyncReport { output: options.output.clone(), ..BulkSyncReport::default() };
    let mut batches = Batches { report, sessions: Vec::new() };
    let mut program = None;
    store.each_progress(&mut |mut row| {
        if !is_taken(&row, options) {
            return Ok(());
        }
        let its_program = std::mem::take(&mut row.program_id);
        if program.as_ref() != Some(&its_program) {
            batches.end()?;
            let begun = ProgramReport { program_id: its_program.clone(), batches: 0, sessions: 0 };
            batches.report.programs.push(begun);
            program = Some(its_program);
        }
        batches.sessions.push(row.into());
        if batches.sessions.len() == options.batch_size { batches.end() } else { Ok(()) }
    })?;
    batches.end()?;
    Ok(batches.report)
}

/// Whether a session goes to the server.
pub(super) fn is_taken(row: &ProgressRow, options: &BulkSyncOptions) -> bool {
    (row.completed || options.all_sessions)
        && options.program.as_ref().is_none_or(|program| *program == row.program_id)
}

/// Sessions on their way into bodies.
struct Batches {
    report: BulkSyncReport,
    sessions: Vec<Session>,
}

impl Batches {
    /// Ends the batch, unless it is empty.
    fn end(&mut self) -> Result<()> {
        let Some(program) = self.report.programs.last_mut().filter(|_| !self.sessions.is_empty()) else {
            return Ok(());
        };
        program.batches += 1;
        program.sessions += self.sessions.len() as u64;
        self.report.bodies.push_str(&body(&self.sessions)?);
        self.report.bodies.push('\n');
        self.sessions.clear();
        Ok(())
    }
}

/// The JSON of one batch.
pub(super) fn body(sessions: &[Session]) -> Result<String> {
    to_json(&Body { sessions })
}

/// What is sent, as text.
pub(super) fn to_json(sent: &impl Serialize) -> Result<String> {
    serde_json::to_string(sent)
        .map_err(|error| Error::new(ErrorKind::Failed, "writing a body failed").because(error))
}

/// A session that was written as text by itself.
pub(super) fn from_json(text: &str) -> serde_json::Result<Session> {
    serde_json::from_str(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_the_members_that_the_server_takes_and_null_for_what_is_not_known() {
        let row = ProgressRow {
            program_id: "c25k".to_owned(),
            week_number: 1,
            day_number: 2,
            completed: true,
            completed_at: Some("2025-01-06T10:00:00.000Z".to_owned()),
            intensity_rating: None,
            scheduled_date: Some("2025-01-06".to_owned()),
        };
        let expected = r#"{"sessions":[{"week_number":1,"day_number":2,"completed_at":"2025-01-06T10:00:00.000Z","intensity_rating":null,"scheduled_date":"2025-01-06"}]}"#;
        let session = Session::from(row);
        assert_eq!(from_json(&to_json(&session).expect("JSON")).expect("a session"), session);
        assert_eq!(body(&[session]).expect("JSON"), expected);
    }
}
