//! `parklite restore`.

use std::fmt::Write as _;
use std::path::Path;

use parklite::durable::folder_beside;
use parklite::error::{Error, ErrorKind, Result};
use parklite::foreign::open_foreign;
use parklite::restore::{ExistingDatabase, RestoreOptions, RestoreReport, check_restore_target, restore};
use parklite::run::Run;
use parklite::snapshot::Snapshot;
use parklite::sqlite::{set_expression_timeout, set_temporary_folder};
use parklite::subject::{SubjectKind, subject_kind};

use crate::cli::args::RestoreArgs;
use crate::cli::ask::ask;
use crate::cli::export::push_not_kept;
use crate::cli::foreign;
use crate::cli::progress::Reporter;
use crate::cli::run::{Outcome, Status};
use crate::cli::text::{bytes, quantity, safe};
use crate::cli::verify::push_check;

/// Runs the verb.
pub(crate) fn run(args: &RestoreArgs, json: bool, run: Run<'_>, reporter: &dyn Reporter) -> Result<Outcome> {
    if matches!(subject_kind(&args.snapshot), Ok(SubjectKind::Database)) && !is_empty(&args.snapshot) {
        return Err(Error::new(ErrorKind::Damaged, "this is already a database, not a snapshot")
            .at(&args.snapshot)
            .hint("copy it as it is, or make a snapshot of it with `parklite export`"));
    }
    if let Some(file) = open_foreign(&args.snapshot)? {
        return foreign::restore(&file, args, run, || options(args, json, run, reporter));
    }
    if args.target.as_os_str().as_encoded_bytes().ends_with(b"/") && !args.target.is_dir() {
        return Err(Error::new(ErrorKind::Usage, "the target names a folder, and a database is a file")
            .at(&args.target)
            .hint("add the file's name"));
    }
    // Nobody is asked about a snapshot that cannot be restored anyway.
    Snapshot::open(&args.snapshot)?;
    if args.table_name.is_some() {
        let message = "--as names the table of a Parquet file that parklite did not write";
        return Err(Error::new(ErrorKind::Usage, message)
            .at(&args.snapshot)
            .hint("leave it away: the tables of a snapshot have their names"));
    }
    let options = options(args, json, run, reporter)?;
    let report = restore(&args.snapshot, &args.target, &options, run)?;
    let status = if report.not_kept.is_empty() { Status::Done } else { Status::Partly };
    Outcome::new("restore", &report, report_text(&report), status)
}

/// What the arguments mean, after asking a person where one has to be asked.
fn options(args: &RestoreArgs, json: bool, run: Run<'_>, reporter: &dyn Reporter) -> Result<RestoreOptions> {
    let existing = match (args.overwrite, args.discard_old) {
        (true, true) => ExistingDatabase::Discard,
        (true, false) => ExistingDatabase::KeepAside,
        (false, _) => existing_by_asking(args, json, run, reporter)?,
    };
    match &args.resources.temp_dir {
        Some(folder) => set_temporary_folder(folder)?,
        None => set_temporary_folder_beside(&args.target)?,
    }
    set_expression_timeout(args.expressions.expression_timeout);
    Ok(RestoreOptions {
        existing,
        verify: !args.no_verify,
        strict: args.strict,
        memory_limit_bytes: args.resources.memory_limit,
        temp_folder: args.resources.temp_dir.clone(),
        busy_timeout: args.busy.busy_timeout,
    })
}

/// Beside `path`, else where the system keeps such files: where nothing may be written there, and where the name is
/// not UTF-8, since SQLite takes no such name.
pub(crate) fn set_temporary_folder_beside(path: &Path) -> Result<()> {
    let folder = folder_beside(path)?;
    let is_fit = folder.to_str().is_some() && is_writable(&folder);
    set_temporary_folder(&if is_fit { folder } else { std::env::temp_dir() })
}

#[cfg(unix)]
fn is_writable(folder: &Path) -> bool {
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok()
}

#[cfg(not(unix))]
fn is_writable(_folder: &Path) -> bool {
    true
}

/// A file of zero bytes, which SQLite takes for a database, and nobody else does.
fn is_empty(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.len() == 0)
}

/// A person at a terminal may say yes; nobody else is asked.
fn existing_by_asking(
    args: &RestoreArgs,
    json: bool,
    run: Run<'_>,
    reporter: &dyn Reporter,
) -> Result<ExistingDatabase> {
    let is_file = std::fs::symlink_metadata(&args.target).is_ok_and(|metadata| metadata.is_file());
    if !is_file || json {
        return Ok(ExistingDatabase::Refuse);
    }
    check_restore_target(&args.target, ExistingDatabase::KeepAside)?;
    reporter.finish();
    let question = format!(
        "{} exists. Replace it?\nThe old one is kept beside it under another name; \
         programs that use it should be closed.",
        safe(&args.target.display().to_string())
    );
    match ask(&question, run.interrupt)? {
        Some(true) => Ok(ExistingDatabase::KeepAside),
        Some(false) => {
            Err(Error::new(ErrorKind::Exists, "the target exists and was left alone").at(&args.target))
        }
        None => Ok(ExistingDatabase::Refuse),
    }
}

fn report_text(report: &RestoreReport) -> String {
    let mut text = format!(
        "{}\n{}, {}, {}\n",
        safe(&report.target.display().to_string()),
        quantity(report.rebuilt.tables as u64, "table", "tables"),
        quantity(report.rebuilt.rows, "row", "rows"),
        bytes(report.size_bytes)
    );
    text.push_str(match (report.verified, report.not_kept.is_empty()) {
        (true, true) => "verified: schema and every row are those of the snapshot\n",
        (true, false) => {
            "verified: every row, and the schema but for what is named below, are those of the snapshot\n"
        }
        (false, _) => "NOT verified\n",
    });
    push_check(&mut text, report.rebuilt.check.as_ref());
    push_not_kept(&mut text, &report.not_kept);
    if let Some(kept) = &report.kept_aside {
        // Writing into a string cannot fail.
        let _ =
            writeln!(text, "the database that stood there is kept as {}", safe(&kept.display().to_string()));
    }
    text
}
