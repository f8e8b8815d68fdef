//! `parklite export`.

use std::borrow::Cow;
use std::fmt::Write as _;

use parklite::durable::Existing;
use parklite::error::Result;
use parklite::export::{
    ExportOptions, ExportPlan, ExportReport, OutputForm, PlannedTable, Selection, describe_reason, export,
    plan_export,
};
use parklite::frame::{ColumnMapping, TableMapping};
use parklite::parquet_file::WriterSettings;
use parklite::run::Run;
use parklite::sqlite::not_kept::NotKept;
use parklite::sqlite::open::OpenOptions;
use parklite::sqlite::recovered::RecoveredFrom;
use parklite::sqlite::source_check::{SourceCheck, SourceCheckResult};
use serde::Serialize;

use crate::cli::args::ExportArgs;
use crate::cli::run::{Outcome, Status};
use crate::cli::terminal::stdout_width;
use crate::cli::text::{Align, Table, bytes, one_line, percent, quantity, rows, safe};

/// Runs the verb.
pub(crate) fn run(args: &ExportArgs, run: Run<'_>) -> Result<Outcome> {
    let options = options(args)?;
    if args.dry_run {
        let plan = plan_export(&args.database, &options, run)?;
        let status = status(&plan.not_kept, &plan.source_check);
        return Outcome::new("export", &PlanDocument::of(&plan), plan_text(&plan), status);
    }
    let report = export(&args.database, &options, run)?;
    let status = status(&report.not_kept, &report.source_check);
    Outcome::new("export", &report, report_text(&report), status)
}

fn status(not_kept: &[NotKept], source_check: &SourceCheck) -> Status {
    let is_sound = source_check.result != SourceCheckResult::Findings;
    if not_kept.is_empty() && is_sound { Status::Done } else { Status::Partly }
}

/// What the arguments mean.
fn options(args: &ExportArgs) -> Result<ExportOptions> {
    Ok(ExportOptions {
        output: args.output.clone(),
        existing: if args.overwrite { Existing::Replace } else { Existing::Refuse },
        selection: Selection { tables: args.tables.clone(), exclude: args.exclude.clone() },
        order_by: args.order_by.iter().map(|text| text.parse()).collect::<Result<_>>()?,
        settings: WriterSettings { compression_level: args.compression_level },
        memory_limit_bytes: args.resources.memory_limit,
        threads: args.resources.thread_count(),
        verify: !args.no_verify,
        strict: args.strict,
        check_source: args.check_source,
        // A plan needs no copy: it writes nothing.
        copy_first: args.copy_first && !args.dry_run,
        temp_folder: args.resources.temp_dir.clone(),
        open: OpenOptions { busy_timeout: args.busy.busy_timeout, allow_empty: args.allow_empty },
    })
}

fn report_text(report: &ExportReport) -> String {
    let mut table = Table::new([
        ("table", Align::Left),
        ("rows", Align::Right),
        ("size", Align::Right),
        ("order", Align::Left),
    ]);
    for exported in &report.tables {
        let size =
            if exported.file.is_some() { bytes(exported.size_bytes) } else { "in manifest".to_string() };
        table.row([exported.name.clone(), rows(exported.rows), size, exported.order.clone()]);
    }
    let mut text = table.render(stdout_width());
    let size = format!(
        "{} ({} of the database's {})",
        bytes(report.size_bytes),
        percent(report.size_bytes, report.source_size_bytes),
        bytes(report.source_size_bytes)
    );
    let proof =
        if report.verified { "verified: decoded and matched with what was read" } else { "NOT verified" };
    // Writing into a string cannot fail, here and below.
    let _ = writeln!(
        text,
        "\n{}\n{}, {}, {size}\n{proof}",
        safe(&report.snapshot.display().to_string()),
        quantity(report.tables.len() as u64, "table", "tables"),
        quantity(report.rows, "row", "rows"),
    );
    let hidden: u64 = report.tables.iter().map(|exported| exported.hidden_cells).sum();
    if hidden > 0 {
        let _ = writeln!(
            text,
            "{} of another storage class than their column's: readers find them in companion columns, or merged by views.sql",
            quantity(hidden, "cell", "cells")
        );
    }
    push_left_out(&mut text, &report.left_out);
    push_recovered_from(&mut text, report.recovered_from);
    push_source_check(&mut text, &report.source_check);
    push_not_kept(&mut text, &report.not_kept);
    text
}

/// More names than a person wants to read are counted.
const MOST_NAMES: usize = 20;

fn push_left_out(text: &mut String, left_out: &[parklite::snapshot::LeftOut]) {
    for kind in ["table", "view", "trigger"] {
        let names: Vec<String> =
            left_out.iter().filter(|object| object.kind == kind).map(|object| safe(&object.name)).collect();
        if !names.is_empty() {
            let more = names.len().saturating_sub(MOST_NAMES);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let _ = writeln!(
                text,
                "left out, as asked: {} ({}{more})",
                quantity(names.len() as u64, kind, &format!("{kind}s")),
                names[..names.len().min(MOST_NAMES)].join(", ")
            );
        }
    }
}

/// What a restore cannot rebuild, one line each.
pub(crate) fn push_not_kept(text: &mut String, not_kept: &[NotKept]) {
    for lost in not_kept {
        let _ = writeln!(text, "cannot be rebuilt: {}", one_line(&lost.to_string()));
    }
}

/// What SQLite recovered a private copy from.
pub(crate) fn push_recovered_from(text: &mut String, recovered_from: Option<RecoveredFrom>) {
    if let Some(recovered_from) = recovered_from {
        let _ = writeln!(
            text,
            "the database was not closed cleanly: this is what SQLite recovers from its {}",
            recovered_from.name()
        );
    }
}

/// The answer of SQLite's checks, and the first findings, one line each.
pub(crate) fn push_source_check(text: &mut String, check: &SourceCheck) {
    match check.result {
        SourceCheckResult::NotAsked => return,
        SourceCheckResult::Ok => text.push_str("source checked: SQLite's integrity check found nothing"),
        SourceCheckResult::Findings => {
            let count = quantity(check.findings, "finding", "findings");
            let what = if check.is_damaged() { "DAMAGED" } else { "has rows that break its rules" };
            let _ = write!(text, "source {what}: {count} of SQLite's integrity check");
        }
    }
    if check.foreign_key_violations > 0 {
        let rows = quantity(check.foreign_key_violations, "row points", "rows point");
        let _ = write!(text, "; {rows} to no row of another table, which is no damage");
    }
    text.push('\n');
    for finding in check.first_findings.iter().take(MOST_NAMES) {
        let _ = writeln!(text, "  {}", one_line(finding));
    }
    let more = check.findings.saturating_sub(MOST_NAMES as u64);
    if more > 0 {
        let _ = writeln!(text, "  and {more} more");
    }
    for gap in &check.not_checked {
        let _ = writeln!(text, "  not checked: {}", one_line(gap));
    }
}

/// A plan, for scripts.
#[derive(Serialize)]
struct PlanDocument<'a> {
    dry_run: bool,
    source: Cow<'a, str>,
    snapshot: Cow<'a, str>,
    single_file: bool,
    whole_database: bool,
    source_size_bytes: u64,
    tables: Vec<PlannedTableDocument<'a>>,
    not_kept: &'a [NotKept],
    left_out: &'a [parklite::snapshot::LeftOut],
    source_check: &'a SourceCheck,
    recovered_from: Option<RecoveredFrom>,
}

#[derive(Serialize)]
struct PlannedTableDocument<'a> {
    name: &'a str,
    file: Option<&'a str>,
    rows: Option<u64>,
    order: &'a str,
    order_reason: &'static str,
    mapping: Option<&'a TableMapping>,
    hidden_cells: u64,
}

impl<'a> PlanDocument<'a> {
    fn of(plan: &'a ExportPlan) -> Self {
        let tables = plan.tables.iter().map(|table| PlannedTableDocument {
            name: &table.name,
            file: table.file_name.as_deref(),
            rows: table.row_count,
            order: &table.order_text,
            order_reason: describe_reason(table.order.reason),
            mapping: table.mapping.as_ref(),
            hidden_cells: hidden_cells(table),
        });
        Self {
            dry_run: true,
            source: plan.source.to_string_lossy(),
            snapshot: plan.output.to_string_lossy(),
            single_file: plan.form == OutputForm::File,
            whole_database: plan.is_whole,
            source_size_bytes: plan.source_size_bytes,
            tables: tables.collect(),
            not_kept: &plan.not_kept,
            left_out: &plan.left_out,
            source_check: &plan.source_check,
            recovered_from: plan.recovered_from,
        }
    }
}

fn hidden_cells(table: &PlannedTable) -> u64 {
    table.mapping.iter().flat_map(|mapping| &mapping.columns).map(ColumnMapping::hidden_cells).sum()
}

fn plan_text(plan: &ExportPlan) -> String {
    let mut text = format!("would write {}\n", safe(&plan.output.display().to_string()));
    for planned in &plan.tables {
        let _ = writeln!(
            text,
            "\n{}: {}, ordered by {} ({})",
            safe(&planned.name),
            quantity(planned.row_count.unwrap_or_default(), "row", "rows"),
            one_line(&planned.order_text),
            describe_reason(planned.order.reason)
        );
        let Some(mapping) = &planned.mapping else { continue };
        let mut table = Table::new([
            ("  column", Align::Left),
            ("Parquet", Align::Left),
            ("not shown", Align::Right),
            ("because", Align::Left),
        ]);
        for column in &mapping.columns {
            let companions = column.companions.iter().map(|companion| format!(" + {}", companion.name));
            table.row([
                format!("  {}", column.name),
                format!("{}{}", type_name(column), companions.collect::<String>()),
                rows(column.hidden_cells()),
                column.reason.to_string(),
            ]);
        }
        text.push_str(&table.render(stdout_width()));
    }
    text.push('\n');
    push_left_out(&mut text, &plan.left_out);
    push_recovered_from(&mut text, plan.recovered_from);
    push_source_check(&mut text, &plan.source_check);
    push_not_kept(&mut text, &plan.not_kept);
    text
}

/// The Parquet type of a main column, in the words of Parquet.
pub(crate) fn type_name(column: &ColumnMapping) -> &'static str {
    main_type_name(column.main)
}

/// The Parquet type, in the words of Parquet.
pub(crate) fn main_type_name(main: parklite::frame::MainClass) -> &'static str {
    use parklite::frame::MainClass;
    match main {
        MainClass::Integer => "INT64",
        MainClass::Real => "DOUBLE",
        MainClass::Text => "STRING",
        MainClass::Blob => "BINARY",
    }
}
