//! The file that is asked for with `-o`: a new one, written once the import is lasting.

use std::ffi::OsString;
use std::path::Path;

use crate::durable::{
    Existing, PathKind, Stage, TargetForm, check_target, kind_of_source, parent_of, publish_file,
};
use crate::error::{Error, ErrorKind, Result};
use crate::run::Run;

/// What SQLite keeps beside a database, by the ends of the names.
const OF_DATABASE: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// Refuses what would fail in the end, before any work.
pub(super) fn check(output: &Path, database: Option<&Path>) -> Result<()> {
    check_target(output, TargetForm::File, Existing::Refuse).map_err(no_overwrite)?;
    let folder = parent_of(output)?;
    if !matches!(kind_of_source(&folder)?, PathKind::Directory) {
        return Err(Error::new(ErrorKind::NotFound, "the folder of the file after -o does not exist")
            .at(folder)
            .hint("create it first"));
    }
    if database.map_or(Ok(false), |database| is_of_database(output, database))? {
        return Err(Error::new(ErrorKind::Usage, "the file after -o would take the name of the database")
            .at(output)
            .hint("name another file after -o"));
    }
    Ok(())
}

/// Whether a name is that of the database, or of a file that SQLite keeps beside it; neither need be there.
fn is_of_database(output: &Path, database: &Path) -> Result<bool> {
    let (Ok(one), Ok(other)) = (parent_of(output)?.canonicalize(), parent_of(database)?.canonicalize())
    else {
        // A folder of the database that is not there is told where the database is made.
        return Ok(false);
    };
    let (Some(output), Some(database)) = (output.file_name(), database.file_name()) else { return Ok(false) };
    let is_beside = |end: &str| {
        let mut name = OsString::from(database);
        name.push(end);
        name == output
    };
    Ok(one == other && OF_DATABASE.iter().any(|end| is_beside(end)))
}

/// Gives the file its name; `is_imported` says whether something is lasting already.
pub(super) fn publish(output: &Path, bytes: &[u8], is_imported: bool, run: Run<'_>) -> Result<()> {
    const STAGED: &str = "emitted";
    let write = || -> Result<()> {
        let stage = Stage::create_and_clear(&parent_of(output)?)?;
        stage.write_file(STAGED, bytes)?;
        run.interrupt.check()?;
        publish_file(&stage, STAGED, output, Existing::Refuse).map_err(no_overwrite)?;
        stage.remove_or_tell(run.progress);
        Ok(())
    };
    write().map_err(|error| {
        if !is_imported {
            return error.at(output);
        }
        Error::new(error.kind(), "the import is done, but the file after -o was not written")
            .at(output)
            .hint("run the same command again: nothing is imported twice")
            .because(error)
    })
}

/// No option of this verb overwrites.
fn no_overwrite(error: Error) -> Error {
    if error.kind() != ErrorKind::Exists {
        return error;
    }
    let path = &error.place().path;
    // Never that somebody removes a device.
    let is_file =
        path.as_deref().is_some_and(|path| matches!(kind_of_source(path), Ok(PathKind::File { .. })));
    let hint =
        if is_file { "name another file after -o, or remove this one" } else { "name a new file after -o" };
    let again = Error::new(ErrorKind::Exists, error.message()).hint(hint);
    match path {
        Some(path) => again.at(path),
        None => again,
    }
}
