//! `parklite restore` and `parklite inspect` of a Parquet file that parklite did not write.

use std::fmt::Write as _;

use parklite::error::{Error, ErrorKind, Result};
use parklite::foreign::{ForeignReport, PlannedColumn, inspect_foreign, plan_foreign, table_name_of};
use parklite::parquet_file::ForeignFile;
use parklite::restore::{ForeignRestoreReport, RestoreOptions, restore_foreign};
use parklite::run::Run;

use crate::cli::args::{InspectArgs, RestoreArgs};
use crate::cli::run::{Outcome, Status};
use crate::cli::terminal::stdout_width;
use crate::cli::text::{Align, Table, bytes, one_line, quantity, rows, safe};
use crate::cli::verify::push_check;

/// Restores it; `options` are asked for once it is known that it can be a table.
pub(crate) fn restore(
    file: &ForeignFile,
    args: &RestoreArgs,
    run: Run<'_>,
    options: impl FnOnce() -> Result<RestoreOptions>,
) -> Result<Outcome> {
    let name = table_name_of(&args.snapshot, args.table_name.as_deref())?;
    // Nobody is asked about a file that cannot be restored anyway.
    plan_foreign(file, &name)?;
    let report = restore_foreign(file, &args.target, &name, &options()?, run)?;
    let status = if report.loses() { Status::Partly } else { Status::Done };
    Outcome::new("restore", &report, restore_text(&report), status)
}

fn restore_text(report: &ForeignRestoreReport) -> String {
    let mut text = format!(
        "{}\ntable {}, {}, {}\n",
        safe(&report.target.display().to_string()),
        safe(&report.plan.table),
        quantity(report.imported.rows, "row", "rows"),
        bytes(report.size_bytes)
    );
    // Writing into a string cannot fail, here and below.
    let matched = if report.matches_decoded {
        "; every row was read again and is what was decoded"
    } else {
        "; the rows were NOT read again"
    };
    let _ = writeln!(text, "{}{matched}", report.verification);
    push_check(&mut text, report.imported.check.as_ref());
    push_renamed(&mut text, &report.plan.columns);
    for finding in &report.imported.findings {
        let _ = writeln!(
            text,
            "{}: {} in column {}: {}, first in row {}",
            if finding.loss { "did not survive" } else { "stored otherwise" },
            quantity(finding.count, "value", "values"),
            safe(&finding.column),
            finding.what.describe(),
            rows(finding.first_row)
        );
    }
    if let Some(kept) = &report.kept_aside {
        let _ =
            writeln!(text, "the database that stood there is kept as {}", safe(&kept.display().to_string()));
    }
    text
}

/// Shows what a restore would make of it.
pub(crate) fn inspect(file: &ForeignFile, args: &InspectArgs) -> Result<Outcome> {
    let report = inspect_foreign(file)?;
    let name = &report.plan.table;
    if let Some(asked) = &args.table
        && !asked.eq_ignore_ascii_case(name)
    {
        return Err(Error::new(ErrorKind::Usage, format!("the file has no table {asked:?}"))
            .at(&args.snapshot)
            .hint(format!("its only table is: {name}")));
    }
    let text = inspect_text(&report, args.columns || args.table.is_some());
    Outcome::new("inspect", &report, text, Status::Done)
}

fn inspect_text(report: &ForeignReport, columns: bool) -> String {
    let mut text = format!(
        "{}\n  {}\n  written  by {}, {}, {}\n  holds    {} in {}\n  becomes  table {} of {}\n\n",
        safe(&report.file.display().to_string()),
        report.verification,
        report.created_by.as_deref().map_or_else(|| "an unnamed program".to_string(), one_line),
        bytes(report.size_bytes),
        if report.codecs.is_empty() { "no data".to_string() } else { one_line(&report.codecs.join(" ")) },
        quantity(report.rows, "row", "rows"),
        quantity(report.row_groups as u64, "row group", "row groups"),
        safe(&report.plan.table),
        quantity(report.plan.columns.len() as u64, "column", "columns"),
    );
    let mut headers = vec![
        ("column", Align::Left),
        ("Parquet", Align::Left),
        ("declared", Align::Left),
        ("stored as", Align::Left),
        ("would not survive", Align::Left),
    ];
    if columns {
        headers.extend([("size", Align::Right), ("raw", Align::Right), ("encodings", Align::Left)]);
    }
    let mut table = Table::new(headers);
    for PlannedColumn { source, .. } in &report.plan.columns {
        let mut cells = vec![
            source.name.clone(),
            source.parquet_type.clone(),
            source.declared_type.to_string(),
            source.stored_as.to_string(),
            source.may_lose.unwrap_or_default().to_string(),
        ];
        if columns {
            cells.push(bytes(source.compressed_bytes));
            cells.push(bytes(source.uncompressed_bytes));
            cells.push(source.encodings.iter().cloned().collect::<Vec<_>>().join(" "));
        }
        table.row(cells);
    }
    text.push_str(&table.render(stdout_width()));
    push_renamed(&mut text, &report.plan.columns);
    if let Some(problem) = &report.name_problem {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "a restore needs --as NAME: {}", one_line(problem));
    }
    if !columns {
        text.push_str("\n--columns shows sizes and encodings\n");
    }
    text
}

fn push_renamed(text: &mut String, columns: &[PlannedColumn]) {
    for column in columns {
        if let Some(name) = &column.renamed_to {
            let _ = writeln!(text, "renamed: column {} is called {}", safe(&column.source.name), safe(name));
        }
    }
}
