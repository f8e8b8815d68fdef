//! `parklite verify` of a SQLite database.

use std::fmt::Write as _;

use parklite::error::{Error, ErrorKind, Result};
use parklite::run::Run;
use parklite::sqlite::set_temporary_folder;
use parklite::verify_database::{DatabaseLevel, DatabaseReport, verify_database};

use crate::cli::args::VerifyArgs;
use crate::cli::run::{Outcome, Status};
use crate::cli::text::{bytes, one_line, quantity, safe};

/// Runs the verb on a database; says too whether all of it can be read. There is nothing to restore, so that `--data`
/// asks for all there is.
pub(crate) fn run(args: &VerifyArgs, run: Run<'_>) -> Result<(Outcome, bool)> {
    if args.independent {
        let message = "--independent is about decoding a snapshot, and this is a database";
        return Err(Error::new(ErrorKind::Usage, message)
            .at(&args.snapshot)
            .hint("without it, SQLite's own checks are run and every row is read"));
    }
    let level = if args.quick { DatabaseLevel::Quick } else { DatabaseLevel::Full };
    if let Some(folder) = &args.resources.temp_dir {
        set_temporary_folder(folder)?;
    }
    let options = args.resources.content_options(&args.busy);
    let report = verify_database(&args.snapshot, level, &options, run)?;
    let status = if report.intact { Status::Done } else { Status::Differs };
    let is_readable = report.check.structural.is_empty() && report.unreadable.is_empty();
    Ok((Outcome::new("verify", &report, report_text(&report), status)?, is_readable))
}

fn report_text(report: &DatabaseReport) -> String {
    const MOST_LINES: usize = 100;
    let check = &report.check;
    let structural = check.structural.iter().map(|finding| format!("integrity: {finding}"));
    let in_the_data = check.in_the_data.iter().map(|finding| format!("in the data: {finding}"));
    let unreadable =
        report.unreadable.iter().map(|found| format!("table {:?}: {}", found.table, found.finding));
    let findings: Vec<String> = structural.chain(in_the_data).chain(unreadable).collect();
    let mut text = String::new();
    // Writing into a string cannot fail, here and below.
    for finding in findings.iter().take(MOST_LINES) {
        let _ = writeln!(text, "{}", one_line(finding));
    }
    if findings.len() > MOST_LINES {
        let _ = writeln!(text, "and {} more; --json names them all", findings.len() - MOST_LINES);
    }
    for reason in &check.not_checked {
        let _ = writeln!(text, "not checked: {}", one_line(reason));
    }
    let name = safe(&report.database.display().to_string());
    if !report.intact {
        let what =
            if check.structural.is_empty() && report.unreadable.is_empty() { "FINDINGS" } else { "DAMAGED" };
        let count = quantity(findings.len() as u64, "finding", "findings");
        let _ = writeln!(text, "\n{name}: {what}, {count}");
        return text;
    }
    let tables = quantity(report.table_count as u64, "table", "tables");
    let size = bytes(report.size_bytes);
    let _ = match report.level {
        DatabaseLevel::Quick => {
            writeln!(text, "{name}: intact as far as quick_check sees\n{tables}, {size}; rows were not read")
        }
        DatabaseLevel::Full => {
            let rows = report.tables.iter().map(|table| table.digest.row_count).sum();
            let rows = quantity(rows, "row", "rows");
            let proven = "SQLite's integrity and foreign key checks find nothing, and every row can be read";
            writeln!(text, "{name}: intact\n{tables}, {rows}, {size}: {proven}")
        }
    };
    if report.read_through_copy {
        let _ = writeln!(text, "read as SQLite would recover it, through a private copy; it was not touched");
    }
    text
}
