//! `parklite diff`, and `parklite verify --against`.

use std::fmt::Write as _;
use std::path::Path;

use parklite::diff::{DiffOptions, DiffReport, FactDifference, RowDifference, Side, TableDifference, diff};
use parklite::error::{Error, ErrorKind, Result};
use parklite::run::Run;

use crate::cli::args::{DiffArgs, VerifyArgs};
use crate::cli::run::{Outcome, Status};
use crate::cli::text::{quantity, safe};

/// Runs the verb.
pub(crate) fn run(args: &DiffArgs, run: Run<'_>) -> Result<Outcome> {
    let options = DiffOptions {
        content: args.resources.content_options(&args.busy),
        tables: args.tables.clone(),
        most_rows: args.max_rows,
    };
    let report = diff(&args.a, &args.b, &options, run)?;
    Outcome::new("diff", &report, report_text(&report), status_of(&report))
}

/// Adds to the outcome of verifying something too damaged to be read that it was not compared with `other`.
pub(crate) fn not_against(mut outcome: Outcome, other: &Path) -> Outcome {
    // Writing into a string cannot fail, here and below.
    let _ = writeln!(outcome.text, "not compared with {}", safe(&other.display().to_string()));
    if let Some(document) = outcome.document.as_object_mut() {
        document.insert("against".into(), serde_json::Value::Null);
    }
    outcome
}

/// Adds to the outcome of verifying something how its content compares with that of `other`.
pub(crate) fn against(outcome: Outcome, args: &VerifyArgs, other: &Path, run: Run<'_>) -> Result<Outcome> {
    let Outcome { mut text, mut document, status: before, emitted, findings, if_unprinted } = outcome;
    let options = DiffOptions {
        content: args.resources.content_options(&args.busy),
        tables: Vec::new(),
        most_rows: args.max_rows,
    };
    let report = diff(&args.snapshot, other, &options, run)?;
    let status = if before == Status::Done { status_of(&report) } else { before };
    text.push('\n');
    text.push_str(&report_text(&report));
    let failed = |error| Error::new(ErrorKind::Failed, "writing the report failed").because(error);
    if let Some(document) = document.as_object_mut() {
        document.insert("exit_code".into(), (status as u8).into());
        document.insert("against".into(), serde_json::to_value(&report).map_err(failed)?);
    }
    Ok(Outcome { text, document, status, emitted, findings, if_unprinted })
}

fn status_of(report: &DiffReport) -> Status {
    if report.equal { Status::Done } else { Status::Differs }
}

fn report_text(report: &DiffReport) -> String {
    let mut text = String::new();
    let mut line = |words: String| {
        text.push_str(&safe(&words));
        text.push('\n');
    };
    for FactDifference { fact, a, b } in &report.header {
        line(format!("header: {fact} is {a} in A and {b} in B"));
    }
    for difference in &report.schema {
        let (kind, name) = (difference.kind, &difference.name);
        let has_rows = |table: &&TableDifference| table.only_in.is_some() && table.table.lossy() == *name;
        match (difference.only_in, &difference.a, &difference.b) {
            // Told below, with how many they are.
            (Some(_), ..) if kind == "table" && report.tables.iter().any(|table| has_rows(&table)) => {}
            (Some(side), ..) => line(format!("{kind} {name:?}: only in {side}")),
            (None, Some(a), Some(b)) => line(format!("{kind} {name:?}: another definition: {a} / {b}")),
            _ => line(format!("{kind} {name:?}: another definition")),
        }
    }
    let mut lines = Vec::new();
    for table in &report.tables {
        push_table(&mut lines, table);
    }
    lines.into_iter().for_each(&mut line);
    for FactDifference { fact, a, b } in &report.layout {
        let _ = writeln!(text, "layout only: {fact} {} in A, {} in B", safe(a), safe(b));
    }
    let name = |path: &Path| safe(&path.display().to_string());
    let _ = writeln!(text, "A: {}\nB: {}", name(&report.a), name(&report.b));
    let compared = format!(
        "{}, {}",
        quantity(report.tables_compared as u64, "table", "tables"),
        quantity(report.rows, "row", "rows")
    );
    if report.equal {
        let _ = writeln!(text, "equal: {compared}, header and schema");
    } else {
        let count = quantity(report.difference_count() as u64, "difference", "differences");
        let _ = writeln!(text, "DIFFERENT: {count}");
        if report.is_part {
            text.push_str(
                "one of them is a snapshot of part of a database; --table of diff compares that part\n",
            );
        }
    }
    text
}

fn push_table(lines: &mut Vec<String>, table: &TableDifference) {
    let name = format!("table {:?}", table.table.lossy());
    let rows = |count: u64| quantity(count, "row", "rows");
    if let Some(side) = table.only_in {
        let count = table.rows_only_in_a + table.rows_only_in_b;
        lines.push(format!("{name}: only in {side}, {}", rows(count)));
        return;
    }
    for (columns, side) in [(&table.columns_only_in_a, Side::A), (&table.columns_only_in_b, Side::B)] {
        if !columns.is_empty() {
            lines.push(format!("{name}: columns only in {side}: {}", columns.join(", ")));
        }
    }
    if let Some(reason) = table.not_comparable {
        lines.push(format!("{name}: other content; rows cannot be compared one by one: {reason}"));
        return;
    }
    if table.same_rows_under_other_rowids {
        lines.push(format!(
            "{name}: the same rows under other rowids (VACUUM does that to a table without INTEGER PRIMARY KEY)"
        ));
    }
    lines.push(format!(
        "{name}: {} changed, {} only in A, {} only in B",
        rows(table.rows_changed),
        table.rows_only_in_a,
        table.rows_only_in_b
    ));
    for row in &table.examples {
        push_row(lines, row);
    }
    let all = table.rows_changed + table.rows_only_in_a + table.rows_only_in_b;
    let more = all.saturating_sub(table.examples.len() as u64);
    if more > 0 {
        lines.push(format!("  and {more} more; --max-rows shows more of them"));
    }
}

fn push_row(lines: &mut Vec<String>, row: &RowDifference) {
    if let Some(side) = row.only_in {
        let cells = row.cells.iter().map(|cell| {
            let value = cell.a.as_ref().or(cell.b.as_ref()).map(ToString::to_string).unwrap_or_default();
            format!("{}: {value}", cell.column)
        });
        let more = if row.more_cells > 0 { format!(", and {} more", row.more_cells) } else { String::new() };
        lines.push(format!("  {}, only in {side}: {}{more}", row.key, cells.collect::<Vec<_>>().join(", ")));
        return;
    }
    for cell in &row.cells {
        let shown = |value: &Option<parklite::diff::ShownCell>| {
            value.as_ref().map(ToString::to_string).unwrap_or_default()
        };
        lines.push(format!("  {}, column {}: {} / {}", row.key, cell.column, shown(&cell.a), shown(&cell.b)));
    }
    if row.more_cells > 0 {
        lines.push(format!("  {}: and {} more columns", row.key, row.more_cells));
    }
}
