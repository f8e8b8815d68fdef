//! `parklite migrate`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use parklite::error::{Error, ErrorKind, Result};
use parklite::local_storage::code_units::CodeUnits;
use parklite::local_storage::mapping::Mapping;
use parklite::local_storage::moment::Moment;
use parklite::local_storage::origin::without_slash;
use parklite::migrate::{
    BulkSyncOptions, BulkSyncReport, DEFAULT_BATCH_SIZE, KeptValue, MigrateOptions, MigrateReport,
    OriginReport, ProgressFilled, PutBackForm, PutBackKey, PutBackOptions, PutBackReport, StoreReport,
    migrate,
};
use parklite::run::Run;

use crate::cli::args::{BusyArgs, MORE};
use crate::cli::run::{Outcome, Status};
use crate::cli::text::{bytes, one_line, quantity, safe};

#[derive(Debug, Args)]
#[command(
    after_help = "Profiles of Chrome, Edge, Brave, Electron, Firefox, Safari and WebKitGTK can be read: name the profile's folder, or one\n\
    above it; it is only read, and may be in use. Of several origins, name those you want.\n\n\
    A dump is what JSON.stringify(localStorage), Object.entries(localStorage) or Playwright's storageState\n\
    give, one in a file or one in each line. Importing it again adds nothing; dumps of several devices are merged.\n\n\
    Examples:\n  \
    parklite migrate dump-laptop.json --list                  what is in it?\n  \
    parklite migrate dump-laptop.json --into gymlog.db --device laptop\n  \
    parklite migrate dumps/ --into gymlog.db --dry-run        a folder; the same report, and nothing is changed\n  \
    parklite migrate ~/.config/google-chrome --list           whose storage is in there?\n  \
    parklite migrate ~/old-laptop/Default --origin https://app.example --into gymlog.db\n  \
    parklite migrate state.json --origin https://app.example --into gymlog.db\n  \
    parklite migrate liftbook.json --map liftbook.toml --into gymlog.db\n  \
    parklite migrate dumps/ --into planner.db --to progress-logs --set user_id=42\n  \
    parklite migrate dump.json --emit bulk-sync > bodies.jsonl\n  \
    parklite migrate phone.json laptop.json --origin https://app.example --emit console > paste.js\n\n\
    Exit code 3 says that something did not fit or could not be read; the report names it, the rest is imported."
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub(crate) struct MigrateArgs {
    /// Profiles of browsers, dumps, or folders of these.
    #[arg(value_name = "INPUT", required = true)]
    inputs: Vec<PathBuf>,
    /// The events database; it is made if it is missing.
    #[arg(long, value_name = "DATABASE", required_unless_present_any = ["list", "emit"])]
    into: Option<PathBuf>,
    /// Only show whose storage it is, which stores are known, and how many sessions they have.
    #[arg(long, conflicts_with_all = ["into", "emit"])]
    list: bool,
    /// Print what an app takes; with or without a database.
    #[arg(long, value_enum, value_name = "FORM", help_heading = MORE)]
    emit: Option<EmitForm>,
    /// A new file for what is emitted [default: standard output].
    #[arg(short, long, value_name = "FILE", requires = "emit", help_heading = MORE)]
    output: Option<PathBuf>,
    /// Take only the storage of this origin; may be given again.
    #[arg(long = "origin", value_name = "https://HOST")]
    origins: Vec<String>,
    /// A mapping file, for the stores of other apps.
    #[arg(long, value_name = "FILE.toml")]
    map: Option<PathBuf>,
    /// The device that the dumps are of; it is kept beside each event.
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// When the dumps were made: 2025-12-31 or 2025-12-31T18:30:00Z [default: when each storage or file was changed last].
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    captured_at: Option<Moment>,
    /// The key of dumps that are the value of a single store.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Keep the value of every key, not only of stores that are known; there may be tokens among them.
    #[arg(long)]
    all_keys: bool,
    /// Make the sessions rows of a table `progress_logs`, which is filled if it is there and else made, instead of a view.
    #[arg(long, value_enum, value_name = "TABLE", requires = "into", help_heading = MORE)]
    to: Option<ToTable>,
    /// With --to: give new rows what no dump can know, such as `user_id=42`; may be given again.
    #[arg(long, value_name = "COLUMN=VALUE", requires = "to", value_parser = parse_set, help_heading = MORE)]
    set: Vec<(String, String)>,
    /// Read everything, change nothing, and show what would be done.
    #[arg(short = 'n', long)]
    dry_run: bool,

    /// Take storage of a site inside others, which browsers keep apart, too.
    #[arg(long, help_heading = MORE)]
    with_partitioned: bool,
    /// Take what the origin keeps inside this site, as --list shows it, too; may be given again.
    #[arg(long = "partition", value_name = "SITE", conflicts_with = "with_partitioned", help_heading = MORE)]
    partitions: Vec<String>,
    /// Take values from a browser's damaged files, too, of which a newer one or the deletion may have been lost.
    #[arg(long, help_heading = MORE)]
    with_doubtful: bool,
    /// Leave out the sessions of programs with a marker `migrated-<program>`, which the app says it has sent.
    #[arg(long, help_heading = MORE)]
    skip_migrated: bool,
    /// Emit sessions that are not completed, too.
    #[arg(long, requires = "emit", help_heading = MORE)]
    all_sessions: bool,
    /// How many sessions a batch has at most.
    #[arg(long, value_name = "COUNT", default_value_t = DEFAULT_BATCH_SIZE, value_parser = parse_batch_size, help_heading = MORE)]
    batch_size: usize,
    /// Emit only the sessions of this program.
    #[arg(long, value_name = "ID", requires = "emit", help_heading = MORE)]
    program: Option<String>,
    /// An existing folder for a dry run, and for copies of browsers' databases [default: the system's].
    #[arg(long, value_name = "FOLDER", help_heading = MORE)]
    temp_dir: Option<PathBuf>,
    /// How many threads read dumps and write events [default: one per core].
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=256), help_heading = MORE)]
    threads: Option<u16>,
    #[command(flatten)]
    busy: BusyArgs,
}

/// A table that an app has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ToTable {
    /// One row per program, week and day.
    ProgressLogs,
}

/// Runs the verb.
pub(crate) fn run(args: &MigrateArgs, json: bool, run: Run<'_>) -> Result<Outcome> {
    if json && args.emit.is_some() && args.output.is_none() {
        let message = "what is emitted and the report cannot both go to the standard output";
        return Err(Error::new(ErrorKind::Usage, message).hint("name a file for what is emitted: -o FILE"));
    }
    if args.emit.is_some_and(|form| form != EmitForm::BulkSync)
        && (args.all_sessions || args.program.is_some())
    {
        let message = "--all-sessions and --program are for --emit bulk-sync: storage is put back as a whole";
        return Err(Error::new(ErrorKind::Usage, message).hint("leave them out"));
    }
    let options = MigrateOptions {
        target: args.into.clone(),
        origins: args.origins.iter().map(|origin| without_slash(origin).to_owned()).collect(),
        mapping: args.map.as_deref().map_or_else(|| Ok(Mapping::built_in()), read_mapping)?,
        device: args.device.clone(),
        captured_at: args.captured_at,
        key: args.key.as_deref().map(CodeUnits::from),
        all_keys: args.all_keys,
        with_partitioned: args.with_partitioned,
        partitions: args.partitions.clone(),
        with_doubtful: args.with_doubtful,
        skip_migrated: args.skip_migrated,
        dry_run: args.dry_run,
        progress_table: args.to.map(|ToTable::ProgressLogs| args.set.clone()),
        temp_folder: args.temp_dir.clone(),
        busy_timeout: args.busy.busy_timeout,
        threads: args.threads.map_or_else(
            || std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            usize::from,
        ),
        bulk_sync: (args.emit == Some(EmitForm::BulkSync)).then(|| BulkSyncOptions {
            all_sessions: args.all_sessions,
            batch_size: args.batch_size,
            program: args.program.clone(),
            output: args.output.clone(),
        }),
        put_back: args
            .emit
            .and_then(EmitForm::put_back)
            .map(|form| PutBackOptions { form, output: args.output.clone() }),
    };
    let report = migrate(&args.inputs, &options, run)?;
    let status = match () {
        () if report.needs_origin => Status::Unclear,
        () if report.is_partial() => Status::Partly,
        () => Status::Done,
    };
    let outcome = Outcome::new("migrate", &report, report_text(&report), status)?;
    // Where there is a file for it, the report is what goes to standard output, as ever.
    let is_printed = args.emit.is_some() && args.output.is_none();
    let bodies = report.bulk_sync.map(|emitted| emitted.bodies);
    let emitted = bodies.or(report.put_back.map(|made| made.text)).unwrap_or_default();
    Ok(Outcome { emitted: is_printed.then_some(emitted), ..outcome })
}

/// What can be emitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum EmitForm {
    /// Completed sessions in batches, as JSON for a server's bulk-sync address: one body in each line.
    BulkSync,
    /// The merged storage, as a file for Playwright's storageState.
    StorageState,
    /// The merged storage, as a text to paste into a browser's console.
    Console,
}

impl EmitForm {
    /// What puts storage back.
    fn put_back(self) -> Option<PutBackForm> {
        match self {
            Self::BulkSync => None,
            Self::StorageState => Some(PutBackForm::StorageState),
            Self::Console => Some(PutBackForm::Console),
        }
    }
}

fn parse_batch_size(text: &str) -> std::result::Result<usize, String> {
    match text.parse() {
        Ok(size) if (1..=10_000).contains(&size) => Ok(size),
        _ => Err("a batch has 1 to 10000 sessions".to_owned()),
    }
}

fn read_mapping(path: &Path) -> Result<Mapping> {
    let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Error::new(ErrorKind::NotFound, "there is no such mapping file").at(path).hint("check the path")
        }
        std::io::ErrorKind::InvalidData => {
            let hint = "save it as UTF-8; docs/MIGRATE.md shows what is in a mapping file";
            Error::new(ErrorKind::Usage, "the mapping file is no text in UTF-8").at(path).hint(hint)
        }
        std::io::ErrorKind::IsADirectory => {
            let hint = "name a TOML file after --map; docs/MIGRATE.md shows what is in it";
            Error::new(ErrorKind::Usage, "the mapping file is a folder").at(path).hint(hint)
        }
        _ => Error::io("reading the mapping file", path, error),
    })?;
    Mapping::from_toml(&text).map_err(|error| error.at(path))
}

fn parse_set(text: &str) -> std::result::Result<(String, String), String> {
    let (column, value) = text.split_once('=').ok_or("write a column and its value, like user_id=42")?;
    Ok((column.to_owned(), value.to_owned()))
}

fn parse_moment(text: &str) -> std::result::Result<Moment, String> {
    Moment::from_rfc3339(text)
        .or_else(|| Moment::from_date(text))
        .ok_or_else(|| "write a time like 2025-12-31 or 2025-12-31T18:30:00Z".to_owned())
}

/// How many values of one conflict are shown.
const MOST_VALUES: usize = 5;
/// How many lines of one kind are shown; a document has them all.
const MOST_LINES: usize = 20;

fn report_text(report: &MigrateReport) -> String {
    let mut text = String::new();
    push_findings(&mut text, report);
    for origin in &report.origins {
        push_origin(&mut text, origin);
    }
    if let Some(emitted) = &report.bulk_sync {
        push_programs(&mut text, emitted);
    }
    if let Some(made) = &report.put_back {
        push_put_back(&mut text, made, report.dry_run);
    }
    if report.needs_origin {
        text.push_str("\nnothing was imported: there is storage of several origins; name those you want with --origin\n");
        return text;
    }
    let totals = &report.totals;
    let counts = [
        (totals.browser_stores, "browser's store", "browsers' stores"),
        (totals.files, "file", "files"),
        (totals.dumps, "dump", "dumps"),
    ];
    let mut read = String::new();
    for (count, one, several) in counts.into_iter().filter(|(count, ..)| *count > 0) {
        read = format!("{read}{}, ", quantity(count, one, several));
    }
    read.push_str(&quantity(totals.items, "key", "keys"));
    // Writing into a string cannot fail, here and below.
    let Some(target) = &report.target else {
        let _ = writeln!(text, "\n{read}");
        return text;
    };
    let would = if report.dry_run { " (dry run: nothing was changed)" } else { "" };
    let _ = writeln!(
        text,
        "\n{}{would}\n{read}\n{} new, {} already there",
        safe(&target.display().to_string()),
        quantity(totals.events_new, "event", "events"),
        quantity(totals.events_known, "event", "events")
    );
    let _ = writeln!(
        text,
        "of these from elements of stores: {} new, {} already there; {} rejected",
        totals.elements_new, totals.elements_known, totals.rejected
    );
    for (count, what) in [
        (totals.skipped_as_migrated, "left out because of a marker (--skip-migrated)"),
        (totals.storages_left_out, "left out: storage of other origins"),
        (
            totals.partitions_left_out,
            "left out: storage kept apart inside other sites (--with-partitioned, --partition)",
        ),
    ] {
        if count > 0 {
            let _ = writeln!(text, "{count} {what}");
        }
    }
    if totals.events_new + totals.events_known == 0 {
        text.push_str(
            "no store is known here: --map names a mapping file, --all-keys keeps the value of every key\n",
        );
    }
    push_lines(&mut text, "note", report.notes.iter(), report.notes.len() as u64, |note| {
        format!("{}: {note}", target.display())
    });
    push_lines(&mut text, "conflict", report.conflicts.iter(), totals.conflicts, |conflict| {
        let (week, day) = (conflict.week_number, conflict.day_number);
        let mut values = conflict.values.iter().take(MOST_VALUES).cloned().collect::<Vec<_>>().join(" or ");
        if conflict.values.len() > MOST_VALUES {
            let _ = write!(values, " or {} more", conflict.values.len() - MOST_VALUES);
        }
        format!(
            "{} {week}-{day}: {} is {values}; kept: {}",
            conflict.program_id, conflict.field, conflict.kept
        )
    });
    if let Some(table) = &report.progress_table {
        push_progress_table(&mut text, table);
    }
    text
}

fn push_progress_table(text: &mut String, table: &ProgressFilled) {
    let _ = writeln!(
        text,
        "table progress_logs: {} new, {} updated, {} as they were",
        quantity(table.rows_new, "row", "rows"),
        table.rows_updated,
        table.rows_unchanged
    );
    push_lines(text, "kept", table.kept.iter(), table.values_kept, |kept| {
        let KeptValue { program_id, week_number: week, day_number: day, field, kept, told, reason } = kept;
        format!("{program_id} {week}-{day}: {field} stays {kept}, the dumps have {told}: {reason}")
    });
}

/// What is put back, and what of it could not be merged.
fn push_put_back(text: &mut String, made: &PutBackReport, is_dry_run: bool) {
    for origin in &made.origins {
        let name = origin.origin.as_deref().unwrap_or("(origin not known)");
        let _ = writeln!(text, "put back: {}, {}", safe(name), quantity(origin.keys, "key", "keys"));
        push_lines(text, "merged", origin.merged.iter(), origin.merged.len() as u64, |key| {
            let PutBackKey { key, values, added, changed, notes } = key;
            let notes = [&[String::new()], &notes[..]].concat().join("; ");
            format!(
                "{key}: {values} values, {added} sessions added to the latest, {changed} completed from others{notes}"
            )
        });
    }
    if made.partitioned > 0 {
        let _ =
            writeln!(text, "put back: {} values of storage inside other sites stay out", made.partitioned);
    }
    if let Some(output) = &made.output {
        let written = if is_dry_run { "would be written to" } else { "written to" };
        let _ = writeln!(text, "put back: {written} {}", safe(&output.display().to_string()));
    }
}

/// Which lines are whose: a body does not say it.
fn push_programs(text: &mut String, emitted: &BulkSyncReport) {
    let mut line = 1;
    let lines = emitted.programs.iter().map(|program| {
        let first = line;
        line += program.batches;
        (first, line - 1, program)
    });
    push_lines(text, "bulk-sync", lines, emitted.programs.len() as u64, |(first, last, program)| {
        let lines = if first == last { format!("line {first}") } else { format!("lines {first}-{last}") };
        let sessions = quantity(program.sessions, "session", "sessions");
        format!("{lines}: program {}, {sessions}", program.program_id)
    });
    if emitted.programs.is_empty() {
        text.push_str("bulk-sync: there is no session to send\n");
    }
    if let Some(output) = &emitted.output {
        let _ = writeln!(text, "bulk-sync: written to {}", safe(&output.display().to_string()));
    }
}

fn push_findings(text: &mut String, report: &MigrateReport) {
    let totals = &report.totals;
    let skipped = report.skipped.iter();
    push_lines(text, "skipped", skipped, report.skipped.len() as u64, |file| {
        format!("{}: {}", file.path.display(), file.reason)
    });
    let sources = || report.sources.iter();
    let unreadable = sources().flat_map(|source| source.unreadable.iter().map(move |what| (source, what)));
    push_lines(text, "unreadable", unreadable, totals.unreadable, |(source, what)| {
        format!("{}: {what}", source.path.display())
    });
    let problems = sources().flat_map(|source| source.problems.iter().map(move |problem| (source, problem)));
    push_lines(text, "note", problems, totals.problems, |(source, problem)| {
        let incomplete = if problem.may_lose_items { " (incomplete)" } else { "" };
        format!("{}: {}: {}{incomplete}", source.path.display(), problem.place, problem.message)
    });
    if report.needs_origin || !report.takes {
        // Nothing was taken; how many do not fit stands with each store.
        return;
    }
    let place = |source: &Path, line: Option<u64>, key: &str, pointer: &str| {
        let line = line.map(|line| format!(" line {line}")).unwrap_or_default();
        format!("{}{line}: {key} {pointer}", source.display())
    };
    push_lines(text, "rejected", report.rejects.iter(), totals.rejected, |reject| {
        let place = place(&reject.source, reject.line, &reject.key, &reject.pointer);
        format!("{place}: {}: {}", reject.reason, reject.excerpt)
    });
    push_lines(text, "warning", report.warnings.iter(), totals.warnings, |warning| {
        let place = place(&warning.source, warning.line, &warning.key, &warning.pointer);
        format!("{place}: {}", warning.message)
    });
}

/// The first of `all`, and how many more there are of the `count` in the whole.
fn push_lines<T>(
    text: &mut String,
    kind: &str,
    mut all: impl Iterator<Item = T>,
    count: u64,
    line: impl Fn(T) -> String,
) {
    for one in all.by_ref().take(MOST_LINES) {
        let _ = writeln!(text, "{kind}: {}", one_line(&line(one)));
    }
    let shown = count.min(MOST_LINES as u64);
    if count > shown {
        let listed = shown + all.count() as u64;
        let which = if listed < count { format!("the first {listed}") } else { "them".to_owned() };
        let _ = writeln!(text, "{kind}: {} more; --json has {which}", count - shown);
    }
}

fn push_origin(text: &mut String, origin: &OriginReport) {
    let name = origin.origin.as_deref().unwrap_or("(origin not known)");
    let partition = origin.partition.as_ref().map(|part| format!(" inside {part}")).unwrap_or_default();
    let as_of = match &origin.last_changed_at {
        Some(changed) => format!("last changed {changed}"),
        None => format!("captured {}", origin.last_captured_at),
    };
    let _ = writeln!(
        text,
        "{}: {} in {}, {}, {}",
        safe(&format!("{name}{partition}")),
        quantity(origin.items, "key", "keys"),
        quantity(origin.sources, "source", "sources"),
        bytes(origin.size_bytes),
        safe(&as_of)
    );
    for store in origin.stores.iter().take(MOST_LINES) {
        let _ = writeln!(text, "  {}", store_text(store));
    }
    if origin.stores.len() > MOST_LINES {
        let _ = writeln!(text, "  {} more stores; --json has them", origin.stores.len() - MOST_LINES);
    }
    for marker in origin.markers.iter().take(MOST_LINES) {
        let _ = writeln!(text, "  migrated-{}: the app says it has sent what was completed", safe(marker));
    }
}

fn store_text(store: &StoreReport) -> String {
    let versions: Vec<&str> = store.versions.iter().map(String::as_str).take(MOST_LINES).collect();
    let version =
        if versions.is_empty() { String::new() } else { format!(", version {}", versions.join(", ")) };
    let elements = if store.mapped {
        let rejected =
            if store.rejected > 0 { format!(", {} rejected", store.rejected) } else { String::new() };
        format!(": {}{rejected}", quantity(store.elements, "element", "elements"))
    } else {
        ": no rule is for it".to_owned()
    };
    safe(&format!("{} ({}{version}){elements}", store.key, store.library))
}
