//! Whose storage there is, and what is in it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use parklite::migrate::{MigrateReport, OriginReport, StoreReport};

use super::{MOST_LINES, shown};
use crate::cli::text::{bytes, quantity, rows, safe};

/// All origins of a list. Of an import those that were imported, and of what was left out the first: a profile has the
/// storage of every site that was used.
pub(super) fn push_origins(text: &mut String, report: &MigrateReport) {
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
        push_origin(text, origin, lists_all, report.sources.len() > 1);
    }
    let more = parts.saturating_sub(MOST_LINES) + others.saturating_sub(MOST_LINES);
    if more > 0 {
        let _ = writeln!(text, "left out: {more} more storages; --list shows them");
    }
}

/// One origin, of a list also with what no rule is for.
fn push_origin(text: &mut String, origin: &OriginReport, lists_all: bool, has_several_sources: bool) {
    let name = origin.origin.as_deref().unwrap_or("(origin not known)");
    let partition = origin.partition.as_ref().map(|part| format!(" inside {part}")).unwrap_or_default();
    // That of values which were not read is not that of their text.
    let size =
        if origin.is_size_as_stored { String::new() } else { format!("{}, ", bytes(origin.size_bytes)) };
    let as_of = match &origin.last_changed_at {
        Some(changed) => format!("last changed {changed}"),
        None => format!("captured {}", origin.last_captured_at),
    };
    let _ = writeln!(
        text,
        "{}: {} in {}, {size}{}",
        safe(&format!("{name}{partition}")),
        quantity(origin.items, "key", "keys"),
        quantity(origin.sources, "source", "sources"),
        safe(&as_of)
    );
    if has_several_sources && !origin.paths.is_empty() {
        let mut paths: Vec<String> = origin.paths.iter().map(|path| shown(path)).collect();
        let more = origin.path_count.saturating_sub(paths.len() as u64);
        paths.extend((more > 0).then(|| format!("{} more", rows(more))));
        let _ = writeln!(text, "  in {}", paths.join(", "));
    }
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
        let (one, several) =
            if store.are_sessions { ("session", "sessions") } else { ("element", "elements") };
        format!(": {}{rejected}", quantity(store.elements, one, several))
    } else {
        ": no rule for it (--map)".to_owned()
    };
    let library = if is_bare(store) { "JSON without an envelope" } else { store.library };
    safe(&format!("{} ({library}{version}){elements}", store.key))
}
