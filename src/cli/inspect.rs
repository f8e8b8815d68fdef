//! `parklite inspect`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use parklite::error::{Error, ErrorKind, Result};
use parklite::foreign::open_foreign;
use parklite::inspect::{
    InspectReport, InspectedParquetColumn, InspectedTable, ObjectCounts, WHY_LESS_EFFORT, inspect,
    layout_name, why_layout,
};
use parklite::parquet_file::Layout;
use parklite::run::Run;
use parklite::schema::DatabaseHeader;
use parklite::subject::{SubjectKind, no_snapshot, subject_kind};

use crate::cli::args::InspectArgs;
use crate::cli::export::{main_type_name, push_not_kept, push_recovered_from, push_source_check};
use crate::cli::run::{Outcome, Status};
use crate::cli::terminal::stdout_width;
use crate::cli::text::{Align, Table, bytes, one_line, quantity, rows, safe};
use crate::cli::{foreign, inspect_database};

/// Runs the verb.
pub(crate) fn run(args: &InspectArgs, run: Run<'_>) -> Result<Outcome> {
    if matches!(subject_kind(&args.snapshot), Ok(SubjectKind::Database)) {
        return inspect_database::run(args, run);
    }
    if let Some(file) = open_foreign(&args.snapshot)? {
        return foreign::inspect(&file, args);
    }
    let mut report = inspect(&args.snapshot).map_err(|error| no_snapshot(&args.snapshot, error))?;
    keep_asked_for(args, "snapshot", &mut report.tables, |table| &table.name)?;
    let text = report_text(&report, args.columns || args.table.is_some());
    Outcome::new("inspect", &report, text, Status::Done)
}

/// Keeps only the table that was asked for, if one was; `whole` is what the tables are of.
pub(crate) fn keep_asked_for<T>(
    args: &InspectArgs,
    whole: &str,
    tables: &mut Vec<T>,
    name_of: impl Fn(&T) -> &str,
) -> Result<()> {
    let Some(name) = &args.table else { return Ok(()) };
    let names: Vec<&str> = tables.iter().take(20).map(&name_of).collect();
    let unknown = Error::new(ErrorKind::Usage, format!("the {whole} has no table {name:?}"))
        .at(&args.snapshot)
        .hint(format!("the tables are: {}", names.join(", ")));
    tables.retain(|table| name_of(table).eq_ignore_ascii_case(name));
    if tables.is_empty() { Err(unknown) } else { Ok(()) }
}

fn report_text(report: &InspectReport, columns: bool) -> String {
    let mut text = head(report);
    let mut table = Table::new([
        ("table", Align::Left),
        ("rows", Align::Right),
        ("size", Align::Right),
        ("groups", Align::Right),
        ("order", Align::Left),
        ("because", Align::Left),
    ]);
    for inspected in &report.tables {
        table.row([
            inspected.name.clone(),
            rows(inspected.rows),
            if inspected.files.is_empty() { "in manifest".to_string() } else { bytes(inspected.size_bytes) },
            rows(inspected.row_groups as u64),
            inspected.order.clone(),
            inspected.order_reason.to_string(),
        ]);
    }
    text.push_str(&table.render(stdout_width()));
    if columns {
        for inspected in &report.tables {
            push_columns(&mut text, inspected);
        }
        push_why_encoded(&mut text, report);
    } else {
        text.push_str("\n--columns shows each column: type and why, sizes, encodings and why\n");
    }
    push_recovered_from(&mut text, report.facts.recovered_from);
    push_source_check(&mut text, &report.facts.source_check);
    push_not_kept(&mut text, &report.not_kept);
    for object in &report.left_out {
        // Writing into a string cannot fail, here and below.
        let _ = writeln!(text, "left out: {} {}", safe(&object.kind), safe(&object.name));
    }
    text
}

/// The lines about header and schema, which snapshots and databases have alike.
pub(crate) fn header_and_schema(
    header: &DatabaseHeader,
    objects: &ObjectCounts,
    schema_digest: &impl std::fmt::Display,
) -> String {
    format!(
        "  header   {}, pages of {} bytes, auto_vacuum {}, {} journal, user_version {}, application_id {}\n  \
           schema   {}, {}, {}, {}; digest {schema_digest}",
        header.encoding.name(),
        header.page_size,
        header.auto_vacuum.name(),
        header.journal_mode.name(),
        header.user_version,
        header.application_id,
        quantity(objects.indexes as u64, "index", "indexes"),
        quantity(objects.views as u64, "view", "views"),
        quantity(objects.triggers as u64, "trigger", "triggers"),
        quantity(objects.virtual_tables as u64, "virtual table", "virtual tables"),
    )
}

fn head(report: &InspectReport) -> String {
    let (facts, database, objects) = (&report.facts, &report.database, &report.objects);
    let mut text = String::new();
    let verified = if facts.verified { "verified when it was made" } else { "NOT verified when it was made" };
    let whole = if facts.whole_database { "the whole database" } else { "part of the database" };
    let lines = [
        safe(&report.snapshot.display().to_string()),
        format!(
            "  taken    {} from {} ({}), {whole}, {verified}",
            safe(&facts.taken_at_utc),
            safe(&facts.source_name),
            bytes(facts.source_size_bytes)
        ),
        format!(
            "  written  by parklite {} with SQLite {}, zstd level {}, {}",
            safe(&report.written_by.parklite),
            safe(&report.written_by.sqlite),
            facts.compression_level,
            bytes(report.size_bytes)
        ),
        header_and_schema(database, objects, &report.schema_digest),
    ];
    for line in lines {
        let _ = writeln!(text, "{line}");
    }
    text.push('\n');
    text
}

fn push_columns(text: &mut String, inspected: &InspectedTable) {
    let sorted = if inspected.sorting_columns.is_empty() {
        "no sorting columns in the footer".to_string()
    } else {
        format!("sorting columns in the footer: {}", inspected.sorting_columns.join(", "))
    };
    let _ = writeln!(text, "\n{}: digest {}, {}", safe(&inspected.name), inspected.digest, one_line(&sorted));
    let mut table = Table::new([
        ("  column", Align::Left),
        ("declared", Align::Left),
        ("Parquet", Align::Left),
        ("size", Align::Right),
        ("raw", Align::Right),
        ("encoded as", Align::Left),
        ("not shown", Align::Right),
        ("because", Align::Left),
    ]);
    if let Some(rowid) = &inspected.rowid {
        let facts = &rowid.facts;
        table.row([
            format!("  {}", facts.name),
            String::new(),
            "INT64".to_string(),
            bytes(facts.compressed_bytes),
            bytes(facts.uncompressed_bytes),
            encoded_as(rowid),
            String::new(),
            "rowids, which no column of its own holds".to_string(),
        ]);
    }
    for column in &inspected.columns {
        for (index, parquet) in column.parquet.iter().enumerate() {
            let (is_main, facts) = (index == 0, &parquet.facts);
            table.row([
                format!("  {}", facts.name),
                if is_main { column.declared_type.clone() } else { String::new() },
                if is_main { main_type_name(column.main).to_string() } else { "companion".to_string() },
                bytes(facts.compressed_bytes),
                bytes(facts.uncompressed_bytes),
                encoded_as(parquet),
                if is_main { rows(column.hidden_cells) } else { String::new() },
                if is_main { column.reason.clone() } else { String::new() },
            ]);
        }
    }
    text.push_str(&table.render(stdout_width()));
}

/// How a column's chunks are encoded, in each way with its share of the row groups where there are several; in Parquet's
/// words where the snapshot does not tell what was chosen.
fn encoded_as(column: &InspectedParquetColumn) -> String {
    let chosen = || column.chosen.iter().map(|choice| choice.chosen);
    let ways: Vec<String> = chosen()
        .map(|way| format!("{}, zstd {}", layout_name(way.choice.layout), way.choice.level))
        .collect();
    if column.has_only_null() {
        return "nothing but NULL".to_string();
    }
    if ways.len() < 2 {
        return ways.first().cloned().unwrap_or_else(|| column.facts.encodings.join(" "));
    }
    let all = chosen().map(|way| way.row_groups).fold(0, u64::saturating_add);
    let shares = ways.iter().zip(chosen());
    let shares = shares.map(|(name, way)| format!("{name} ({} of {} row groups)", way.row_groups, all));
    shares.collect::<Vec<_>>().join("; ")
}

/// What the words for encodings mean and why each was chosen: one line for each that occurs.
fn push_why_encoded(text: &mut String, report: &InspectReport) {
    let columns = || report.tables.iter().flat_map(parquet_columns);
    let chosen = || {
        let tried = columns().filter(|column| !column.has_only_null());
        tried.flat_map(|column| &column.chosen).map(|choice| choice.chosen.choice)
    };
    let asked_level = report.facts.compression_level;
    let layouts: BTreeSet<Layout> = chosen().map(|choice| choice.layout).collect();
    let mut lines: Vec<(String, &str)> =
        layouts.into_iter().map(|layout| (layout_name(layout).to_string(), why_layout(layout))).collect();
    if chosen().any(|choice| choice.level < asked_level) {
        lines.push((format!("zstd below {asked_level}"), WHY_LESS_EFFORT));
    }
    if columns().any(|column| column.chosen.is_empty() && !column.facts.encodings.is_empty()) {
        let words = "all encodings that the footer names; the manifest does not say what was chosen";
        lines.push(("in capitals".to_string(), words));
    }
    if lines.is_empty() {
        return;
    }
    text.push_str("\nencoded as\n");
    for (name, why) in lines {
        let _ = writeln!(text, "  {name}: {why}");
    }
}

fn parquet_columns(table: &InspectedTable) -> impl Iterator<Item = &InspectedParquetColumn> {
    table.rowid.iter().chain(table.columns.iter().flat_map(|column| &column.parquet))
}
