//! What `parklite migrate` tells people.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use parklite::migrate::{
    BulkSyncReport, KeptValue, MigrateReport, OriginReport, PostReport, ProgressFilled, PutBackKey,
    PutBackReport, StoreReport,
};

use crate::cli::text::{bytes, one_line, quantity, safe};

/// How many values of one conflict are shown.
const MOST_VALUES: usize = 5;
/// How many lines of one kind are shown; a document has them all.
const MOST_LINES: usize = 20;

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
        (totals.events_filled, "of those that were there got what an earlier mapping had left out"),
        (
            totals.events_differing,
            "of those that were there differ from what the mapping says now, and stay as they are: import into a new \
             database to have them as it says",
        ),
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
    if totals.items == 0 {
        text.push_str("no key of it was read: the notes say why, where it is not empty\n");
    } else if totals.events_new + totals.events_known == 0 {
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
        let _ = writeln!(text, "post: {left} still to be sent: the same command goes on with them");
    }
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

/// An origin, and the part of its storage.
type Whose<'a> = (Option<&'a str>, Option<&'a str>);

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
        let place = if problem.place.is_empty() { String::new() } else { format!("{}: ", problem.place) };
        format!("{}: {place}{}{incomplete}", source.path.display(), problem.message)
    });
    if report.needs_origin || !report.takes {
        // Nothing was taken; how many do not fit stands with each store.
        return;
    }
    // A key alone says whose it is where storage of one was taken.
    let are_several = report.origins.iter().filter(|origin| origin.imported).count() > 1;
    let place = |source: &Path, line: Option<u64>, whose: Whose<'_>, key: &str, pointer: &str| {
        let line = line.map(|line| format!(" line {line}")).unwrap_or_default();
        let whose = match whose {
            (Some(origin), None) if are_several => format!(" ({origin})"),
            (Some(origin), Some(partition)) if are_several => format!(" ({origin} inside {partition})"),
            _ => String::new(),
        };
        let gap = if pointer.is_empty() { "" } else { " " };
        format!("{}{line}{whose}: {key}{gap}{pointer}", source.display())
    };
    push_lines(text, "rejected", report.rejects.iter(), totals.rejected, |reject| {
        let whose = (reject.origin.as_deref(), reject.partition.as_deref());
        let place = place(&reject.source, reject.line, whose, &reject.key, &reject.pointer);
        format!("{place}: {}: {}", reject.reason, reject.excerpt)
    });
    push_lines(text, "warning", report.warnings.iter(), totals.warnings, |warning| {
        let whose = (warning.origin.as_deref(), warning.partition.as_deref());
        let place = place(&warning.source, warning.line, whose, &warning.key, &warning.pointer);
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

/// All origins of a list. Of an import those that were imported, and of what was left out the first: a profile has the
/// storage of every site that was used.
fn push_origins(text: &mut String, report: &MigrateReport) {
    let lists_all = report.needs_origin || !report.takes;
    let wanted: BTreeSet<_> =
        report.origins.iter().filter(|it| it.imported).map(|it| it.origin.as_deref()).collect();
    // Parts of what was imported, and other origins.
    let (mut parts, mut others) = (0, 0);
    for origin in &report.origins {
        if !lists_all && !origin.imported {
            let is_part = wanted.contains(&origin.origin.as_deref());
            let count = if is_part { &mut parts } else { &mut others };
            *count += 1;
            if *count > MOST_LINES {
                continue;
            }
        }
        push_origin(text, origin, lists_all);
    }
    let more = parts.saturating_sub(MOST_LINES) + others.saturating_sub(MOST_LINES);
    if more > 0 {
        let _ = writeln!(text, "left out: {more} more storages; --list shows them");
    }
}

/// One origin, of a list also with what no rule is for.
fn push_origin(text: &mut String, origin: &OriginReport, lists_all: bool) {
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
    let (bare, stores): (Vec<_>, Vec<_>) = origin.stores.iter().partition(|store| is_bare(store));
    // What sites keep besides is many, and says nothing of what was imported.
    let bare = if lists_all { bare } else { Vec::new() };
    for (stores, what) in [(stores, "stores"), (bare, "keys with JSON")] {
        for store in stores.iter().take(MOST_LINES) {
            let _ = writeln!(text, "  {}", store_text(store));
        }
        if stores.len() > MOST_LINES {
            let _ = writeln!(text, "  {} more {what}; --json has them", stores.len() - MOST_LINES);
        }
    }
    if lists_all && origin.plain_values > 0 {
        let _ = writeln!(text, "  {}", quantity(origin.plain_values, "other value", "other values"));
    }
    for marker in origin.markers.iter().take(MOST_LINES) {
        let _ = writeln!(text, "  migrated-{}: the app says it has sent what was completed", safe(marker));
    }
}

/// Whether it is JSON that no rule is for and that no known library wrote: an app's own, Pinia's or jotai's.
fn is_bare(store: &StoreReport) -> bool {
    !store.mapped && matches!(store.library, "json-object" | "json-value")
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
    let library = if is_bare(store) { "JSON without an envelope" } else { store.library };
    safe(&format!("{} ({library}{version}){elements}", store.key))
}
