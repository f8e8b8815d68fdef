//! What is in the way once the import is lasting: each error says so, since nothing is to be imported again for it.

use std::path::Path;
use std::time::Duration;

use super::PostReport;
use crate::durable::{FolderHold, hold_folder, parent_of};
use crate::error::{Error, ErrorKind, Result};
use crate::run::{Interrupt, Run};

/// What is told where the queue cannot be read.
pub(super) fn unsent(error: Error) -> Error {
    let path = error.place().path.clone().unwrap_or_default();
    Error::new(error.kind(), "the import is done, but what is queued could not be read")
        .at(path)
        .hint("the same command goes on with what is queued")
        .because(error)
}

/// What is told where a server's answer cannot be noted.
pub(super) fn not_noted(queue: &Path, what: &str, hint: &str, error: Error) -> Error {
    Error::new(error.kind(), format!("{what}, and that could not be noted; the import is done"))
        .at(queue)
        .hint(hint)
        .because(error)
}

/// Waits until no other run sends from a database in the same folder: both would send the same.
pub(super) fn hold(
    target: &Path,
    busy_timeout: Duration,
    report: &PostReport,
    run: Run<'_>,
) -> Result<FolderHold> {
    const STEP: Duration = Duration::from_millis(50);
    // Whatever links lead to it, the database is in one folder.
    let real = target.canonicalize();
    let real = real.map_err(|error| unsent(Error::io("finding the database", target, error)))?;
    let folder = parent_of(&real)?;
    let mut waited = Duration::ZERO;
    loop {
        match hold_folder(&folder) {
            FolderHold::Elsewhere if waited < busy_timeout => {
                check_interrupt(run.interrupt, report, report.sessions_queued)?;
                std::thread::sleep(STEP);
                waited += STEP;
            }
            FolderHold::Elsewhere => {
                let message = "another run sends sessions from a database in this folder; the import is done";
                return Err(Error::new(ErrorKind::Busy, message)
                    .at(folder)
                    .hint("run the same command again when it is through: what is queued is sent then"));
            }
            FolderHold::Unavailable => {
                run.progress.note(
                    "the folder of the database cannot be locked: another run that sends from it would send the same",
                );
                return Ok(FolderHold::Unavailable);
            }
            hold @ FolderHold::Held(_) => return Ok(hold),
        }
    }
}

/// Fails once the run was asked to stop.
pub(super) fn check_interrupt(interrupt: &Interrupt, report: &PostReport, left: u64) -> Result<()> {
    if interrupt.is_set() { Err(interrupted(report, left)) } else { Ok(()) }
}

/// What is told where the run was asked to stop.
pub(super) fn interrupted(report: &PostReport, left: u64) -> Error {
    let message = format!(
        "interrupted while sending: the import is done, {} sessions are sent and {left} are still queued",
        report.sessions_sent
    );
    Error::new(ErrorKind::Interrupted, message).hint("the same command goes on with what is queued")
}
