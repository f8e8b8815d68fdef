//! `parklite migrate`.

mod options;
mod report;

use parklite::error::Result;
use parklite::migrate::migrate;
use parklite::run::Run;

use crate::cli::run::{Outcome, Status};

pub(crate) use options::MigrateArgs;

/// Runs the verb.
pub(crate) fn run(args: &MigrateArgs, json: bool, run: Run<'_>) -> Result<Outcome> {
    let report = migrate(args.inputs(), &args.options(json)?, run)?;
    let status = match () {
        () if report.needs_origin => Status::Unclear,
        () if report.is_unsent() => Status::Unsent,
        () if report.is_partial() => Status::Partly,
        () => Status::Done,
    };
    let findings = report::findings_text(&report);
    let is_done = report.target.is_some() && !report.dry_run && !report.needs_origin;
    let outcome = Outcome::new("migrate", &report, report::report_text(&report), status)?;
    // Where there is a file for it, the report is what goes to standard output, as ever.
    let is_printed = args.prints_emitted();
    let bodies = report.bulk_sync.map(|emitted| emitted.bodies);
    let emitted = bodies.or(report.put_back.map(|made| made.text)).unwrap_or_default();
    let if_unprinted = is_done.then_some("the import is done; the same command prints it again");
    Ok(Outcome { emitted: is_printed.then_some(emitted), findings: Some(findings), if_unprinted, ..outcome })
}
