//! `parklite verify`.

use std::fmt::Write as _;
use std::time::Duration;

use parklite::error::Result;
use parklite::run::Run;
use parklite::snapshot::Snapshot;
use parklite::sqlite::{set_expression_timeout, set_temporary_folder};
use parklite::subject::{SubjectKind, no_snapshot, subject_kind};
use parklite::verify::{VerifyLevel, VerifyOptions, VerifyReport, estimate_restore, verify};

use crate::cli::args::VerifyArgs;
use crate::cli::export::push_not_kept;
use crate::cli::restore::set_temporary_folder_beside;
use crate::cli::run::{Outcome, Status};
use crate::cli::text::{bytes, duration, one_line, quantity, safe};
use crate::cli::{diff, verify_database};

/// Runs the verb.
pub(crate) fn run(args: &VerifyArgs, run: Run<'_>) -> Result<Outcome> {
    if let Some(other) = &args.against {
        // Said at once, not after all the work.
        subject_kind(other)?;
    }
    set_expression_timeout(args.expressions.expression_timeout);
    let (outcome, is_readable) = if matches!(subject_kind(&args.snapshot), Ok(SubjectKind::Database)) {
        verify_database::run(args, run)?
    } else {
        let outcome = verify_snapshot(args, run).map_err(|error| no_snapshot(&args.snapshot, error))?;
        let is_intact = outcome.status == Status::Done;
        (outcome, is_intact)
    };
    match &args.against {
        Some(other) if is_readable => diff::against(outcome, args, other, run),
        Some(other) => Ok(diff::not_against(outcome, other)),
        None => Ok(outcome),
    }
}

fn verify_snapshot(args: &VerifyArgs, run: Run<'_>) -> Result<Outcome> {
    let level = match (args.quick, args.data) {
        (true, _) => VerifyLevel::Quick,
        (_, true) => VerifyLevel::Data,
        _ => VerifyLevel::Restore,
    };
    let options = VerifyOptions {
        level,
        independent: args.independent,
        memory_limit_bytes: args.resources.memory_limit,
        threads: args.resources.decoding_thread_count(),
        temp_folder: args.resources.temp_dir.clone(),
    };
    if level == VerifyLevel::Restore {
        let (needed_bytes, seconds) = estimate_restore(&Snapshot::open(&args.snapshot)?);
        run.progress.note(&format!(
            "the temporary database needs about {} of disk; this takes roughly {}",
            bytes(needed_bytes),
            duration(Duration::from_secs(seconds))
        ));
        match &args.resources.temp_dir {
            Some(folder) => set_temporary_folder(folder)?,
            None => set_temporary_folder_beside(&args.snapshot)?,
        }
    }
    let report = verify(&args.snapshot, &options, run)?;
    let status = if report.intact { Status::Done } else { Status::Differs };
    Outcome::new("verify", &report, report_text(&report), status)
}

fn report_text(report: &VerifyReport) -> String {
    let mut text = String::new();
    // Writing into a string cannot fail, here and below.
    for finding in &report.files {
        let table =
            finding.table.as_ref().map(|table| format!(" (table {})", safe(table))).unwrap_or_default();
        let _ = writeln!(text, "{}{table}: {}", safe(&finding.file), finding.finding);
    }
    for finding in &report.data {
        let _ = writeln!(text, "{}", one_line(&finding.to_string()));
    }
    if let Some(reason) = &report.restore {
        let _ = writeln!(text, "no equal database could be rebuilt: {}", one_line(reason));
    }
    let name = safe(&report.snapshot.display().to_string());
    if report.has_only_surplus() {
        let files = quantity(report.files.len() as u64, "file too many", "files too many");
        let _ = writeln!(text, "\n{name}: {files}; what belongs to the snapshot is intact");
        return text;
    }
    if !report.intact {
        let found = report.files.len() + report.data.len() + usize::from(report.restore.is_some());
        let _ = writeln!(text, "\n{name}: DAMAGED, {}", quantity(found as u64, "finding", "findings"));
        return text;
    }
    let proven = match report.level {
        VerifyLevel::Quick => "every file has the bytes that were written",
        VerifyLevel::Data => "files, rows and schema are those that were written",
        VerifyLevel::Restore => {
            "files, rows and schema are those that were written, and a database rebuilt from them is equal"
        }
    };
    let proven = if report.level == VerifyLevel::Restore && !report.not_kept.is_empty() {
        format!("{proven}, but for what is named below")
    } else {
        proven.to_string()
    };
    let _ = writeln!(
        text,
        "{name}: intact\n{}, {}, {}: {proven}",
        quantity(report.tables as u64, "table", "tables"),
        quantity(report.rows, "row", "rows"),
        bytes(report.size_bytes)
    );
    if report.independent {
        text.push_str("a second decoder (polars) agrees\n");
    }
    push_check(&mut text, report.check.as_ref());
    push_not_kept(&mut text, &report.not_kept);
    text
}

/// What SQLite's checks found in the data, which the source has too.
pub(crate) fn push_check(text: &mut String, check: Option<&parklite::sqlite::check::CheckReport>) {
    const MOST_LINES: usize = 20;
    let Some(check) = check else { return };
    for finding in check.in_the_data.iter().take(MOST_LINES) {
        let _ = writeln!(text, "as in the source: {}", one_line(finding));
    }
    if check.in_the_data.len() > MOST_LINES {
        let _ = writeln!(text, "and {} more findings as in the source", check.in_the_data.len() - MOST_LINES);
    }
    for reason in &check.not_checked {
        let _ = writeln!(text, "not checked: {}", one_line(reason));
    }
}
