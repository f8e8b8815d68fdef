//! What `parklite migrate` tells people.

mod origins;

use std::fmt::Write as _;
use std::path::Path;

use parklite::migrate::{
    BulkSyncReport, KeptValue, MigrateReport, OriginReport, PostReport, ProgressFilled, PutBackKey,
    PutBackReport,
};

use origins::push_origins;

use crate::cli::text::{one_line, quantity, rows, safe};

/// How many values of one conflict are shown.
const MOST_VALUES: usize = 5;
/// How many lines of one kind are shown; a document has them all.
const MOST_LINES: usize = 20;

/// What is said where there is nothing but stores of other apps.
const NONE_KNOWN: &str =
    "no store is known here: --map names a mapping file, --all-keys keeps the value of every key\n";

/// The lines of what is wrong alone, for those who want to hear of nothing else.
pub(crate) fn findings_text(report: &MigrateReport) -> String {
    let mut text = String::new();
    push_unreadable(&mut text, report);
    push_incomplete(&mut text, report);
    if report.needs_origin {
        text.push_str(NEEDS_ORIGIN);
        return text;
    }
    if report.takes {
        push_rejects(&mut text, report);
    }
    if let Some(table) = report.progress_table.as_ref().filter(|table| table.values_unfit > 0) {
        push_progress_table(&mut text, table);
    }
    if let Some(post) = &report.post {
        push_refusals(&mut text, post, report.dry_run);
    }
    text
}

/// What is said where nothing was done.
const NEEDS_ORIGIN: &str =
    "nothing was imported: there is storage of several origins; name those you want with --origin\n";

pub(crate) fn report_text(report: &MigrateReport) -> String {
    let mut text = String::new();
    push_findings(&mut text, report);
    push_origins(&mut text, report);
    if let Some(emitted) = &report.bulk_sync {
        push_programs(&mut text, emitted, report.dry_run);
    }
    if let Some(made) = &report.put_back {
        push_put_back(&mut text, made, report.dry_run);
    }
    if report.needs_origin {
        text.push('\n');
        text.push_str(NEEDS_ORIGIN);
        return text;
    }
    let totals = &report.totals;
    let counts = [
        (totals.browser_stores, "storage of a browser", "storages of browsers"),
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
        let is_known = |origin: &OriginReport| origin.stores.iter().any(|store| store.mapped);
        if !report.takes && totals.items > 0 && !report.origins.iter().any(is_known) {
            text.push_str(NONE_KNOWN);
        }
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
        rows(totals.elements_new),
        rows(totals.elements_known),
        rows(totals.rejected)
    );
    for (count, what) in [
        (totals.events_filled, "got what an earlier mapping had left out"),
        (
            totals.events_differing,
            "differ from what the mapping says now, and stay as they are: import into a new database to have them as it \
             says",
        ),
    ] {
        if count > 0 {
            let _ = writeln!(text, "of those already there, {} {what}", rows(count));
        }
    }
    for (count, one, several, what) in [
        (totals.skipped_as_migrated, "session", "sessions", "because of a marker (--skip-migrated)"),
        (totals.storages_left_out, "storage", "storages", "of other origins"),
        (
            totals.partitions_left_out,
            "storage",
            "storages",
            "kept apart inside other sites (--with-partitioned, --partition)",
        ),
    ] {
        if count > 0 {
            let _ = writeln!(text, "left out: {} {what}", quantity(count, one, several));
        }
    }
    if totals.items == 0 {
        text.push_str("no key of it was read: the notes say why, where it is not empty\n");
    } else if totals.events_new + totals.events_known == 0 {
        text.push_str(NONE_KNOWN);
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
    if let Some(post) = &report.post {
        push_post(&mut text, post, report.dry_run);
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

/// What was sent, and what was not.
fn push_post(text: &mut String, post: &PostReport, is_dry_run: bool) {
    let sessions = |count| quantity(count, "session", "sessions");
    let url = safe(&post.url);
    let _ = if is_dry_run {
        writeln!(
            text,
            "post: {} would be sent to {url}; {} already there",
            sessions(post.sessions_queued.saturating_sub(post.sessions_refused)),
            post.sessions_known
        )
    } else {
        let batches = quantity(post.batches_sent, "batch", "batches");
        let sent = sessions(post.sessions_sent);
        writeln!(text, "post: {sent} in {batches} sent to {url}; {} already there", post.sessions_known)
    };
    push_refusals(text, post, is_dry_run);
}

/// What of it was not taken, and what is still to be sent.
fn push_refusals(text: &mut String, post: &PostReport, is_dry_run: bool) {
    let sessions = |count| quantity(count, "session", "sessions");
    push_lines(text, "refused", post.refusals.iter(), post.batches_refused, |refusal| {
        let ((week, day), (last_week, last_day)) = (refusal.first, refusal.last);
        let count = sessions(refusal.sessions);
        format!("{} {week}-{day} to {last_week}-{last_day}, {count}: {}", refusal.program_id, refusal.reason)
    });
    if let Some(reason) = &post.stopped {
        let _ = writeln!(text, "post: stopped: {}", one_line(reason));
    }
    if post.sessions_left > 0 && !is_dry_run {
        let left = sessions(post.sessions_left);
        let how = if post.is_stopped_for_good || post.batches_refused > 0 {
            "put right what is named above, then run the same command again"
        } else {
            "the same command goes on with them"
        };
        let _ = writeln!(text, "post: {left} still to be sent: {how}");
    }
}

/// What is put back, and what of it could not be merged.
fn push_put_back(text: &mut String, made: &PutBackReport, is_dry_run: bool) {
    for origin in made.origins.iter().take(MOST_LINES) {
        let name = origin.origin.as_deref().unwrap_or("(origin not known)");
        let _ = writeln!(text, "to put back: {}, {}", safe(name), quantity(origin.keys, "key", "keys"));
        push_lines(text, "merged", origin.merged.iter(), origin.keys_merged, |key| {
            let PutBackKey { key, values, added, changed, as_they_are, left_out, elements_left_out, notes } =
                key;
            if *values == 1 {
                return format!("{key}: {}", notes.join("; "));
            }
            let mut more = String::new();
            for (count, one, several, what) in [
                (as_they_are, "other element", "other elements", "added unchanged"),
                (left_out, "session", "sessions", "left out"),
                (elements_left_out, "other element", "other elements", "left out"),
            ] {
                if *count > 0 {
                    let _ = write!(more, ", {} {what}", quantity(*count, one, several));
                }
            }
            let notes = [&[String::new()], &notes[..]].concat().join("; ");
            format!(
                "{key}: {values} values, {} added to the latest, {changed} completed from others{more}{notes}",
                quantity(*added, "session", "sessions")
            )
        });
    }
    if made.origins.len() > MOST_LINES {
        let _ =
            writeln!(text, "to put back: {} more origins; --json has them", made.origins.len() - MOST_LINES);
    }
    if made.partitioned > 0 {
        let _ = writeln!(
            text,
            "put back: {} of storage inside other sites left out",
            quantity(made.partitioned, "value", "values")
        );
    }
    if let Some(output) = &made.output {
        let _ = writeln!(text, "put back: {} {}", written(is_dry_run), safe(&output.display().to_string()));
    }
}

fn written(is_dry_run: bool) -> &'static str {
    if is_dry_run { "would be written to" } else { "written to" }
}

/// Which lines are whose: a body does not say it.
fn push_programs(text: &mut String, emitted: &BulkSyncReport, is_dry_run: bool) {
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
        let _ = writeln!(text, "bulk-sync: {} {}", written(is_dry_run), safe(&output.display().to_string()));
    }
}

fn push_findings(text: &mut String, report: &MigrateReport) {
    let totals = &report.totals;
    let skipped = report.skipped.iter();
    push_lines(text, "skipped", skipped, report.skipped.len() as u64, |file| {
        format!("{}: {}", shown(&file.path), file.reason)
    });
    push_unreadable(text, report);
    let unused = report.unused_rules.iter();
    push_lines(text, "note", unused, report.unused_rules.len() as u64, |rule| {
        format!("mapping file: {rule}")
    });
    let sources = || report.sources.iter();
    let problems = sources().flat_map(|source| source.problems.iter().map(move |problem| (source, problem)));
    push_lines(text, "note", problems, totals.problems, |(source, problem)| {
        let incomplete = if problem.may_lose_items { " (incomplete)" } else { "" };
        let place = if problem.place.is_empty() { String::new() } else { format!("{}: ", problem.place) };
        format!("{}: {place}{}{incomplete}", shown(&source.path), problem.message)
    });
    if report.needs_origin || !report.takes {
        // Nothing was taken; how many do not fit stands with each store.
        return;
    }
    push_rejects(text, report);
    push_lines(text, "warning", report.warnings.iter(), totals.warnings, |warning| {
        let whose = whose(report, warning.origin.as_deref(), warning.partition.as_deref());
        let place = place(&warning.source, warning.line, &whose, &warning.key, &warning.pointer);
        format!("{place}: {}", warning.message)
    });
}

/// Where something stands; without the key where all of a dump is meant.
fn place(source: &Path, line: Option<u64>, whose: &str, key: &str, pointer: &str) -> String {
    let line = line.map(|line| format!(" line {line}")).unwrap_or_default();
    let inside = match (key, pointer) {
        ("", "") => String::new(),
        (key, "") => format!(": {key}"),
        (key, pointer) => format!(": {key} {pointer}"),
    };
    format!("{}{line}{whose}{inside}", shown(source))
}

/// Whose storage something is of, where storage of several origins was taken: else a key says it.
fn whose(report: &MigrateReport, origin: Option<&str>, partition: Option<&str>) -> String {
    let are_several = report.origins.iter().filter(|origin| origin.imported).count() > 1;
    match (origin, partition) {
        (Some(origin), None) if are_several => format!(" ({origin})"),
        (Some(origin), Some(partition)) if are_several => format!(" ({origin} inside {partition})"),
        _ => String::new(),
    }
}

/// A path, of which nothing is left out that would be no part of a line.
fn shown(path: &Path) -> String {
    safe(&path.display().to_string())
}

fn push_rejects(text: &mut String, report: &MigrateReport) {
    push_lines(text, "rejected", report.rejects.iter(), report.totals.rejected, |reject| {
        let whose = whose(report, reject.origin.as_deref(), reject.partition.as_deref());
        let place = place(&reject.source, reject.line, &whose, &reject.key, &reject.pointer);
        format!("{place}: {}: {}", reject.reason, reject.excerpt)
    });
}

/// What damage may have cost.
fn push_incomplete(text: &mut String, report: &MigrateReport) {
    let sources = report.sources.iter();
    let problems = sources.flat_map(|source| source.problems.iter().map(move |problem| (source, problem)));
    let lossy: Vec<_> = problems.filter(|(_, problem)| problem.may_lose_items).collect();
    let count = lossy.len() as u64;
    push_lines(text, "note", lossy.into_iter(), count, |(source, problem)| {
        format!("{}: {}: {} (incomplete)", shown(&source.path), problem.place, problem.message)
    });
}

/// What could not be read: the first lines of each file, so that every file is named.
fn push_unreadable(text: &mut String, report: &MigrateReport) {
    /// Of a file that is not the only one.
    const MOST_OF_ONE: usize = 3;
    let sources: Vec<_> = report.sources.iter().filter(|source| !source.unreadable.is_empty()).collect();
    let most = if sources.len() > 1 { MOST_OF_ONE } else { MOST_LINES };
    let mut told = 0;
    for source in sources.iter().take(MOST_LINES) {
        let path = shown(&source.path);
        for what in source.unreadable.iter().take(most) {
            let _ = writeln!(text, "unreadable: {path}: {}", one_line(what));
        }
        let count = source.unreadable.len() as u64 + source.unreadable_more;
        told += count;
        let more = count.saturating_sub(most as u64);
        if more > 0 {
            let lines = if more == 1 { "line" } else { "lines" };
            let _ = writeln!(text, "unreadable: {path}: … and {} more {lines} of it", rows(more));
        }
    }
    if report.totals.unreadable > told {
        let more = rows(report.totals.unreadable - told);
        let _ = writeln!(text, "unreadable: {more} more in other files; --json has the first of them");
    }
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
