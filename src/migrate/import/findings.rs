//! What is said of storages and their stores: whose they are, markers, rejects, warnings.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{Context, Import};
use crate::local_storage::code_units::CodeUnits;
use crate::local_storage::envelope::Library;
use crate::local_storage::item::{Item, Storage};
use crate::local_storage::mapping::{Mapped, Warning, map_item};
use crate::local_storage::moment::Moment;
use crate::migrate::report::{
    MAX_ORIGINS, MAX_TOLD, MarkerReport, OriginReport, RejectReport, StoreReport, WarningReport,
};
use crate::migrate::stores::ListedStorage;

impl Import<'_> {
    /// Notes the programs that have a marker in the storage.
    pub(super) fn markers(
        &mut self,
        path: &Path,
        origin: Option<&String>,
        storage: &Storage,
        captured_at: Moment,
    ) -> BTreeSet<String> {
        let prefix = CodeUnits::from("migrated-");
        let mut programs = BTreeSet::new();
        for item in &storage.items {
            if !item.key.as_slice().starts_with(prefix.as_slice()) {
                continue;
            }
            let mapped = map_item(&self.options.mapping, None, item, captured_at);
            programs.extend(mapped.marker);
        }
        for program in &programs {
            if self.markers.insert((program.clone(), origin.cloned())) {
                let source = path.to_path_buf();
                self.report.markers.push(MarkerReport {
                    program_id: program.clone(),
                    origin: origin.cloned(),
                    source,
                });
            }
        }
        programs
    }

    /// Counts a storage that was read.
    pub(super) fn note_origin(
        &mut self,
        path: &Path,
        origin: Option<&String>,
        storage: &Storage,
        captured_at: Moment,
        is_taken: bool,
        markers: &BTreeSet<String>,
    ) {
        let index = self.report.sources.len();
        let told = self.origin(origin, storage.partition.as_ref(), is_taken);
        let is_another = told.seen_in(index, path);
        told.items += storage.items.len() as u64;
        let units = storage.items.iter().map(|item| item.key.len() + item.value.len());
        told.size_bytes += units.fold(0, |sum, units| sum + 2 * units as u64);
        told.seen(storage.changed_at_us.and_then(Moment::from_us), captured_at);
        told.markers.extend(markers.iter().cloned());
        if let Some(origin) = origin {
            self.note_source(origin, is_another);
        }
        // Of others, whoever names an origin says whose they are, which may be a mistake.
        if let Some(origin) = &storage.origin {
            self.meet_origin(origin);
        }
    }

    /// Counts a storage of which only the list was read: its origin is not wanted.
    pub(super) fn note_unread(&mut self, path: &Path, storage: &ListedStorage, captured_at: Moment) {
        let index = self.report.sources.len();
        let changed_at = storage.changed_at_us.and_then(Moment::from_us);
        let told = self.origin(storage.origin.as_ref(), storage.partition.as_ref(), false);
        let is_another = told.seen_in(index, path);
        told.items += storage.item_count;
        told.is_size_as_stored = true;
        told.size_bytes = told.size_bytes.saturating_add(storage.size_bytes);
        told.seen(changed_at, changed_at.unwrap_or(captured_at));
        self.report.totals.storages_left_out += 1;
        if let Some(origin) = &storage.origin {
            self.note_source(origin, is_another);
        }
    }

    /// Notes that the source which is read now has storage of an origin, perhaps once for each of its parts.
    fn note_source(&mut self, origin: &str, is_another: bool) {
        if is_another && self.origins_told < MAX_ORIGINS {
            self.origins_told += 1;
            self.source_origins.push(origin.to_owned());
        }
    }

    /// Says of what was captured in the future that it wins every merge.
    pub(super) fn warn_of_future(&mut self, path: &Path, line: Option<u64>, captured_at: Moment) {
        const DAY_MS: i64 = 86_400_000;
        let now = self.run.clock.now().as_millisecond();
        let source = self.report.sources.len();
        if captured_at.ms() <= now.saturating_add(DAY_MS) || self.last_of_future == Some(source) {
            return;
        }
        self.last_of_future = Some(source);
        self.report.totals.warnings += 1;
        if self.report.warnings.len() < MAX_TOLD {
            let day: String = captured_at.to_string().chars().take_while(|&char| char != 'T').collect();
            self.report.warnings.push(WarningReport {
                source: path.to_path_buf(),
                line,
                origin: None,
                partition: None,
                key: String::new(),
                pointer: String::new(),
                message: format!(
                    "captured {day}, which is in the future: it counts as the latest of all dumps; give --captured-at if \
                     that is wrong"
                ),
            });
        }
    }

    /// Notes an origin, and stops writing once it is not clear whose storage is meant.
    pub(super) fn meet_origin(&mut self, origin: &str) {
        if !self.known.contains(origin) {
            self.known.insert(origin.to_owned());
        }
        if self.known.len() > 1 && self.options.origins.is_empty() && self.options.takes() {
            self.report.needs_origin = true;
            self.writer = None;
        }
    }

    fn origin(
        &mut self,
        origin: Option<&String>,
        partition: Option<&String>,
        is_taken: bool,
    ) -> &mut OriginReport {
        let key = (origin.cloned(), partition.cloned());
        let new = || (OriginReport::of(origin.cloned(), partition.cloned(), is_taken), BTreeMap::new());
        &mut self.origins.entry(key).or_insert_with(new).0
    }

    pub(super) fn note_store(&mut self, context: &Context<'_>, item: &Item, mapped: &Mapped) {
        self.used_rules.extend(&mapped.rules);
        let is_store = mapped.events.is_some()
            || matches!(
                mapped.library,
                Library::Zustand | Library::ReduxPersist | Library::MobxPersistStore | Library::Broken
            );
        let key = (context.origin.map(str::to_owned), context.partition.map(str::to_owned));
        let Some((told, stores)) = self.origins.get_mut(&key).filter(|_| mapped.marker.is_none()) else {
            return;
        };
        if !is_store && !is_structure(item, mapped.library) {
            told.plain_values += 1;
            return;
        }
        if !is_store && !stores.contains_key(&item.key) {
            if self.bare_told == MAX_TOLD {
                return;
            }
            self.bare_told += 1;
        }
        let store = stores.entry(item.key.clone()).or_insert_with(|| StoreReport {
            key: item.key.to_string(),
            library: mapped.library.name(),
            versions: BTreeSet::new(),
            mapped: false,
            sources: 0,
            elements: 0,
            are_sessions: false,
            rejected: 0,
        });
        store.mapped |= mapped.events.is_some();
        store.are_sessions |= mapped.are_sessions;
        store.sources += 1;
        store.elements += mapped.elements;
        store.rejected += mapped.rejected;
        store.versions.extend(mapped.version_text.clone());
    }

    pub(super) fn note_findings(&mut self, context: &Context<'_>, item: &Item, mapped: &Mapped) {
        let (source, line) = (context.path, context.line);
        let room = MAX_TOLD.saturating_sub(self.report.rejects.len());
        self.report.rejects.extend(mapped.rejects.iter().take(room).map(|reject| RejectReport {
            source: source.to_path_buf(),
            line,
            origin: context.origin.map(str::to_owned),
            partition: context.partition.map(str::to_owned),
            key: item.key.to_string(),
            pointer: reject.pointer.clone(),
            reason: reject.reason.clone(),
            excerpt: reject.excerpt.clone(),
        }));
        self.report.totals.rejected += mapped.rejected;
        self.report.totals.warnings += mapped.warned.saturating_sub(mapped.warnings.len() as u64);
        self.note_odd(context, item, mapped.warnings.iter().cloned());
    }

    /// Tells what is odd about what was taken of an item, and counts it.
    pub(super) fn note_odd(
        &mut self,
        context: &Context<'_>,
        item: &Item,
        odd: impl IntoIterator<Item = Warning>,
    ) {
        for Warning { pointer, message } in odd {
            self.report.totals.warnings += 1;
            if self.report.warnings.len() < MAX_TOLD {
                self.report.warnings.push(WarningReport {
                    source: context.path.to_path_buf(),
                    line: context.line,
                    origin: context.origin.map(str::to_owned),
                    partition: context.partition.map(str::to_owned),
                    key: item.key.to_string(),
                    pointer,
                    message,
                });
            }
        }
    }
}

/// Whether a value is an object or an array, and so may be what an app keeps without a library's envelope.
fn is_structure(item: &Item, library: Library) -> bool {
    let first = || item.value.as_slice().iter().find(|&&unit| unit > u16::from(b' '));
    match library {
        Library::BareObject => true,
        Library::BareValue => first() == Some(&u16::from(b'[')),
        _ => false,
    }
}
