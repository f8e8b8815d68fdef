//! `parklite inspect` of a SQLite database.

use std::fmt::Write as _;

use parklite::content::ContentOptions;
use parklite::error::Result;
use parklite::inspect::{DatabaseColumn, DatabaseInspection, DatabaseTable, inspect_database};
use parklite::run::Run;
use parklite::schema::Generated;

use crate::cli::args::InspectArgs;
use crate::cli::inspect::{header_and_schema, keep_asked_for};
use crate::cli::run::{Outcome, Status};
use crate::cli::terminal::stdout_width;
use crate::cli::text::{Align, Table, bytes, rows, safe};

/// Runs the verb on a database.
pub(crate) fn run(args: &InspectArgs, run: Run<'_>) -> Result<Outcome> {
    let options = ContentOptions {
        busy_timeout: args.busy.busy_timeout,
        // Nothing is sorted or decoded here.
        memory_limit_bytes: 0,
        threads: 1,
        temp_folder: args.temp_dir.clone(),
    };
    let is_asked_for =
        |name: &str| args.table.as_ref().is_none_or(|asked_for| asked_for.eq_ignore_ascii_case(name));
    let shows_columns = args.columns || args.table.is_some();
    let mut report =
        inspect_database(&args.snapshot, |name| shows_columns && is_asked_for(name), &options, run)?;
    keep_asked_for(args, "database", &mut report.tables, |table| &table.name)?;
    let text = report_text(&report, shows_columns);
    Outcome::new("inspect", &report, text, Status::Done)
}

fn report_text(report: &DatabaseInspection, shows_columns: bool) -> String {
    let mut text = head(report);
    let mut table = Table::new([
        ("table", Align::Left),
        ("rows", Align::Right),
        ("columns", Align::Right),
        ("key", Align::Left),
        ("indexes", Align::Left),
    ]);
    for inspected in &report.tables {
        table.row([
            inspected.name.clone(),
            rows(inspected.rows),
            rows(inspected.columns.len() as u64),
            inspected.key.clone(),
            inspected.indexes.join(", "),
        ]);
    }
    text.push_str(&table.render(stdout_width()));
    if shows_columns {
        report.tables.iter().for_each(|inspected| push_columns(&mut text, inspected));
    } else {
        text.push_str(
            "\n--columns reads all rows: digests, and how many cells of each storage class a column holds\n",
        );
    }
    for (kind, name) in &report.others {
        // Writing into a string cannot fail, here and below.
        let _ = writeln!(text, "{kind} {}", safe(name));
    }
    text
}

fn head(report: &DatabaseInspection) -> String {
    let (header, objects) = (&report.header, &report.objects);
    let copy =
        if report.read_through_copy { ", with what lies beside it, through a private copy" } else { "" };
    let lines = [
        safe(&report.database.display().to_string()),
        format!("  a SQLite database of {}{copy}", bytes(report.size_bytes)),
        header_and_schema(header, objects, &report.schema_digest),
        String::new(),
    ];
    lines.map(|line| format!("{line}\n")).concat()
}

fn push_columns(text: &mut String, inspected: &DatabaseTable) {
    let strict = if inspected.strict { ", STRICT" } else { "" };
    let without_rowid = if inspected.without_rowid { ", WITHOUT ROWID" } else { "" };
    let digest = inspected.digest.map(|digest| format!(": digest {digest}")).unwrap_or_default();
    let _ = writeln!(text, "\n{}{digest}{strict}{without_rowid}", safe(&inspected.name));
    let mut table = Table::new([
        ("  column", Align::Left),
        ("declared", Align::Left),
        ("NULL", Align::Right),
        ("INTEGER", Align::Right),
        ("REAL", Align::Right),
        ("TEXT", Align::Right),
        ("not valid", Align::Right),
        ("BLOB", Align::Right),
    ]);
    for column in &inspected.columns {
        let DatabaseColumn { name, declared_type, generated, cells } = column;
        let declared = match generated {
            Generated::No => declared_type.clone(),
            Generated::Virtual => format!("{declared_type} (generated)"),
            Generated::Stored => format!("{declared_type} (generated, stored)"),
        };
        let counts = cells.map(|cells| {
            [cells.null, cells.integer, cells.real, cells.text, cells.raw_text, cells.blob].map(rows)
        });
        table.row([format!("  {name}"), declared].into_iter().chain(counts.into_iter().flatten()));
    }
    text.push_str(&table.render(stdout_width()));
}
