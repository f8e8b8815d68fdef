//! What is said of storages and their stores: whose they are, markers, rejects, warnings.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{Context, Import};
use crate::local_storage::code_units::CodeUnits;
use crate::local_storage::envelope::Library;
use crate::local_storage::item::{Item, Storage};
use crate::local_storage::mapping::{Mapped, map_item};
use crate::local_storage::moment::Moment;
use crate::migrate::report::{
    MAX_TOLD, MarkerReport, OriginReport, RejectReport, StoreReport, WarningReport,
};

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
            let is_same = |told: &MarkerReport| &told.program_id == program && told.origin.as_ref() == origin;
            if !self.report.markers.iter().any(is_same) {
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

    /// Counts a storage, and stops writing once it is not clear whose storage is meant.
    pub(super) fn note_origin(
        &mut self,
        origin: Option<&String>,
        storage: &Storage,
        captured_at: Moment,
        is_taken: bool,
        markers: &BTreeSet<String>,
    ) {
        let key = (origin.cloned(), storage.partition.clone());
        let (told, _) = self.origins.entry(key).or_insert_with(|| {
            let told = OriginReport {
                origin: origin.cloned(),
                partition: storage.partition.clone(),
                dumps: 0,
                items: 0,
                size_bytes: 0,
                last_captured_at: String::new(),
                imported: is_taken,
                stores: Vec::new(),
                markers: Vec::new(),
            };
            (told, BTreeMap::new())
        });
        told.dumps += 1;
        told.items += storage.items.len() as u64;
        let units = storage.items.iter().map(|item| item.key.len() + item.value.len());
        told.size_bytes += units.fold(0, |sum, units| sum + 2 * units as u64);
        told.last_captured_at = std::mem::take(&mut told.last_captured_at).max(captured_at.to_string());
        for marker in markers {
            if !told.markers.contains(marker) {
                told.markers.push(marker.clone());
            }
        }
        let known: BTreeSet<&String> =
            self.origins.keys().filter_map(|(origin, _)| origin.as_ref()).collect();
        if known.len() > 1 && self.options.origins.is_empty() && self.options.target.is_some() {
            self.report.needs_origin = true;
            self.writer = None;
        }
    }

    pub(super) fn note_store(&mut self, context: &Context<'_>, item: &Item, mapped: &Mapped) {
        let is_store = mapped.events.is_some()
            || matches!(mapped.library, Library::Zustand | Library::ReduxPersist | Library::MobxPersistStore);
        let key = (context.origin.map(str::to_owned), context.partition.map(str::to_owned));
        let Some((_, stores)) = self.origins.get_mut(&key).filter(|_| is_store) else {
            return;
        };
        let store = stores.entry(item.key.clone()).or_insert_with(|| StoreReport {
            key: item.key.to_string(),
            library: mapped.library.name(),
            versions: Vec::new(),
            mapped: false,
            dumps: 0,
            elements: 0,
            rejected: 0,
        });
        store.mapped |= mapped.events.is_some();
        store.dumps += 1;
        store.elements += mapped.elements;
        store.rejected += mapped.rejected;
        if let Some(version) = &mapped.version_text
            && !store.versions.contains(version)
        {
            store.versions.push(version.clone());
        }
    }

    pub(super) fn note_findings(&mut self, context: &Context<'_>, item: &Item, mapped: &Mapped) {
        let (source, line) = (context.path, context.line);
        let room = MAX_TOLD.saturating_sub(self.report.rejects.len());
        self.report.rejects.extend(mapped.rejects.iter().take(room).map(|reject| RejectReport {
            source: source.to_path_buf(),
            line,
            key: item.key.to_string(),
            pointer: reject.pointer.clone(),
            reason: reject.reason.clone(),
            excerpt: reject.excerpt.clone(),
        }));
        let room = MAX_TOLD.saturating_sub(self.report.warnings.len());
        self.report.warnings.extend(mapped.warnings.iter().take(room).map(|warning| WarningReport {
            source: source.to_path_buf(),
            line,
            key: item.key.to_string(),
            pointer: warning.pointer.clone(),
            message: warning.message.clone(),
        }));
    }
}
