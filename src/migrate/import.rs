//! One dump after the other: what it holds, what becomes of it, and what is said of that.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use super::MigrateOptions;
use super::inputs::{Looks, SkippedFile, SourceFile};
use super::report::{
    MAX_TOLD, MarkerReport, MigrateReport, OriginReport, ProblemReport, RejectReport, SourceReport,
    StoreReport, WarningReport,
};
use crate::error::{Error, ErrorKind, Result};
use crate::local_storage::code_units::CodeUnits;
use crate::local_storage::dump::{Dump, DumpOptions, Dumps};
use crate::local_storage::envelope::Library;
use crate::local_storage::item::{Item, Storage};
use crate::local_storage::json::Json;
use crate::local_storage::mapping::event::{
    CAPTURED_AT, WORKOUT_SESSION, capture_identity, item_event, value_sha256,
};
use crate::local_storage::mapping::{Mapped, MappedEvent, map_item};
use crate::local_storage::moment::Moment;
use crate::run::Run;
use crate::sqlite::events::{Event, EventWriter, Original, Sighting};

/// The storage of an origin, or of a part of it.
type OriginKey = (Option<String>, Option<String>);

/// A migration under way.
pub(super) struct Import<'a> {
    options: &'a MigrateOptions,
    /// Nothing where only a list is made.
    writer: Option<EventWriter<'a>>,
    run: Run<'a>,
    report: MigrateReport,
    origins: BTreeMap<OriginKey, (OriginReport, BTreeMap<CodeUnits, StoreReport>)>,
    /// What kept the first file that could not be read from being so.
    first_error: Option<Error>,
}

/// Where a value was met.
struct Context<'a> {
    path: &'a Path,
    line: Option<u64>,
    format: &'static str,
    origin: Option<&'a str>,
    partition: Option<&'a str>,
    captured_at: Moment,
    /// Programs whose sessions are left out.
    left_out: &'a BTreeSet<String>,
}

impl<'a> Import<'a> {
    pub(super) fn new(
        options: &'a MigrateOptions,
        writer: Option<EventWriter<'a>>,
        skipped: Vec<SkippedFile>,
        run: Run<'a>,
    ) -> Self {
        let report = MigrateReport {
            target: options.target.clone(),
            dry_run: options.dry_run,
            skipped,
            ..MigrateReport::default()
        };
        Self { options, writer, run, report, origins: BTreeMap::new(), first_error: None }
    }

    /// Reads one file, dump by dump.
    pub(super) fn file(&mut self, file: &SourceFile) -> Result<()> {
        let path = &*file.path;
        let captured_at = self.options.captured_at.or(file.looks.modified_at()).ok_or_else(|| {
            Error::new(ErrorKind::Usage, "the file has no time of its last change")
                .at(path)
                .hint("say when the dump was made: --captured-at 2025-12-31")
        })?;
        let (before, totals) = (Looks::of(path)?, self.report.totals);
        let mut told = SourceReport {
            path: path.to_path_buf(),
            formats: Vec::new(),
            captured_at: captured_at.to_string(),
            dumps: 0,
            items: 0,
            events_new: 0,
            events_known: 0,
            unreadable: Vec::new(),
            problems: Vec::new(),
        };
        let opened = File::open(path).map_err(|error| Error::io("opening the dump", path, error))?;
        let taken = Rc::new(Cell::new(0));
        let reader = BufReader::with_capacity(1 << 16, Counted { file: opened, taken: Rc::clone(&taken) });
        let dump_options = DumpOptions { key: self.options.key.clone(), ..DumpOptions::default() };
        for dump in Dumps::new(reader, dump_options) {
            self.run.interrupt.check()?;
            match dump {
                Ok(dump) => self.dump(path, captured_at, dump, &mut told)?,
                Err(error) if error.is_of_scarcity() => return Err(error.at(path)),
                Err(error) => self.unreadable(error, &mut told),
            }
            self.run.progress.advance(0, taken.take());
        }
        if Looks::of(path)? != before {
            told.problems.push(ProblemReport {
                place: String::new(),
                message: "the file was changed while it was read".to_owned(),
                may_lose_items: true,
            });
        }
        let now = &mut self.report.totals;
        now.files += 1;
        now.dumps += told.dumps;
        told.items = now.items - totals.items;
        told.events_new = now.events_new - totals.events_new;
        told.events_known = now.events_known - totals.events_known;
        self.report.sources.push(told);
        Ok(())
    }

    /// The report, once everything was read.
    pub(super) fn finish(mut self) -> Result<MigrateReport> {
        if self.report.totals.dumps == 0 {
            let nothing = || {
                Error::new(ErrorKind::Damaged, "there is no dump of localStorage here")
                    .hint("looked for what JSON.stringify(localStorage), Object.entries or Playwright's storageState give")
            };
            return Err(self.first_error.unwrap_or_else(nothing));
        }
        let known: Vec<&str> = self.origins.keys().filter_map(|(origin, _)| origin.as_deref()).collect();
        let is_there = |wanted: &&String| known.contains(&wanted.as_str());
        let has_unnamed = self.origins.keys().any(|(origin, _)| origin.is_none());
        let missing = self.options.origins.iter().find(|wanted| !is_there(wanted));
        if let Some(missing) = missing.filter(|_| !has_unnamed) {
            return Err(Error::new(ErrorKind::Usage, format!("no input holds storage of {missing}"))
                .hint(format!("there is storage of {}; --list shows what is in it", known.join(", "))));
        }
        if self.report.needs_origin {
            self.report.undo_counts();
        }
        for (mut origin, stores) in self.origins.into_values() {
            origin.imported &= !self.report.needs_origin && self.report.target.is_some();
            origin.stores = stores.into_values().collect();
            self.report.origins.push(origin);
        }
        Ok(self.report)
    }

    fn unreadable(&mut self, error: Error, told: &mut SourceReport) {
        if told.unreadable.len() < MAX_TOLD {
            told.unreadable.push(error.message().to_owned());
        }
        self.first_error.get_or_insert_with(|| error.at(&told.path));
    }

    fn dump(&mut self, path: &Path, captured_at: Moment, dump: Dump, told: &mut SourceReport) -> Result<()> {
        told.dumps += 1;
        let format = dump.form.name();
        if !told.formats.contains(&format) {
            told.formats.push(format);
        }
        for problem in dump.reading.problems {
            if told.problems.len() < MAX_TOLD || problem.may_lose_items {
                let may_lose_items = problem.may_lose_items;
                told.problems.push(ProblemReport {
                    place: problem.place,
                    message: problem.message,
                    may_lose_items,
                });
            }
        }
        for storage in &dump.reading.storages {
            self.storage(path, dump.line, format, captured_at, storage)?;
        }
        Ok(())
    }

    fn storage(
        &mut self,
        path: &Path,
        line: Option<u64>,
        format: &'static str,
        captured_at: Moment,
        storage: &Storage,
    ) -> Result<()> {
        let changed_at = storage.changed_at_us.and_then(Moment::from_us);
        let captured_at = self.options.captured_at.or(changed_at).unwrap_or(captured_at);
        // Whoever names one origin says by that whose an unnamed storage is.
        let named = match &self.options.origins[..] {
            [only] => Some(only),
            _ => None,
        };
        let origin = storage.origin.as_ref().or(named);
        let is_wanted = self.options.origins.is_empty()
            || storage.origin.as_ref().is_none_or(|origin| self.options.origins.contains(origin));
        let is_left_out = storage.partition.is_some() && !self.options.with_partitioned;
        let totals = &mut self.report.totals;
        totals.storages_left_out += u64::from(!is_wanted);
        totals.partitions_left_out += u64::from(is_wanted && is_left_out);
        let is_taken = is_wanted && !is_left_out;
        let migrated = self.markers(path, origin, storage, captured_at);
        let nothing = BTreeSet::new();
        let left_out = if self.options.skip_migrated { &migrated } else { &nothing };
        self.note_origin(origin, storage, captured_at, is_taken, &migrated);
        let context = Context {
            path,
            line,
            format,
            origin: origin.map(String::as_str),
            partition: storage.partition.as_deref(),
            captured_at,
            left_out,
        };
        for item in &storage.items {
            self.run.interrupt.check()?;
            self.item(&context, item, is_taken)?;
        }
        Ok(())
    }

    /// Notes the programs that have a marker in the storage.
    fn markers(
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
    fn note_origin(
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

    fn item(&mut self, context: &Context<'_>, item: &Item, is_taken: bool) -> Result<()> {
        let mapped = map_item(&self.options.mapping, context.origin, item, context.captured_at);
        self.note_store(context, item, &mapped);
        if !is_taken {
            return Ok(());
        }
        self.report.totals.items += 1;
        self.report.totals.rejected += mapped.rejected;
        self.note_findings(context, item, &mapped);
        let is_kept = self.options.all_keys || mapped.events.is_some() || mapped.marker.is_some();
        if is_kept && self.writer.is_some() {
            self.write(context, item, &mapped)?;
        }
        Ok(())
    }

    fn note_store(&mut self, context: &Context<'_>, item: &Item, mapped: &Mapped) {
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

    fn note_findings(&mut self, context: &Context<'_>, item: &Item, mapped: &Mapped) {
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

    /// Stores the untouched value, the event that it is, and those of its elements.
    fn write(&mut self, context: &Context<'_>, item: &Item, mapped: &Mapped) -> Result<()> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let sha256 = value_sha256(&item.value);
        let key = item.key.to_wtf8();
        let captured_at = context.captured_at.to_string();
        let source =
            [Some(context.format), self.options.device.as_deref(), context.origin, context.partition];
        let import_id = capture_identity(source, &item.key, &sha256, context.captured_at);
        match item.value.to_utf8().filter(|text| !text.contains('\0')) {
            Some(text) => writer.add_original(&sha256, Original::Text(&text))?,
            None => writer.add_original(&sha256, Original::Utf16Le(&item.value.to_utf16le()))?,
        };
        let totals = &mut self.report.totals;
        let mut add = |event: &MappedEvent| -> Result<bool> {
            let is_new = writer.add_event(&Event {
                id: &event.id,
                created_at: &event.created_at.to_string(),
                is_when_seen: event.created_from == CAPTURED_AT,
                event_type: &event.event_type,
                payload: &event.payload,
            })?;
            totals.events_new += u64::from(is_new);
            totals.events_known += u64::from(!is_new);
            writer.add_sighting(&Sighting {
                event_id: &event.id,
                import_id: &import_id,
                device: self.options.device.as_deref(),
                origin: context.origin,
                partition: context.partition,
                format: context.format,
                store_key: &key,
                store_version: mapped.version,
                value_sha256: &sha256,
                pointer: &event.pointer,
                captured_at: &captured_at,
            })?;
            Ok(is_new)
        };
        add(&item_event(context.origin, context.partition, item, context.captured_at))?;
        let (mut new, mut known, mut skipped) = (0, 0, 0);
        let mut programs: BTreeMap<String, u64> = BTreeMap::new();
        for event in mapped.events.iter().flatten() {
            let program = program_of(event);
            if program.as_ref().is_some_and(|program| context.left_out.contains(program)) {
                skipped += 1;
                continue;
            }
            if add(event)? {
                new += 1;
            } else {
                known += 1;
            }
            if let Some(program) = program {
                *programs.entry(program).or_default() += 1;
            }
        }
        totals.elements_new += new;
        totals.elements_known += known;
        totals.skipped_as_migrated += skipped;
        for (program, sessions) in programs {
            writer.add_migration(&format!("migrated-{program}"), &sha256, sessions)?;
        }
        Ok(())
    }
}

/// The program of a session.
fn program_of(event: &MappedEvent) -> Option<String> {
    if event.event_type != WORKOUT_SESSION {
        return None;
    }
    Json::parse(event.payload.as_bytes()).ok()?.member("program_id")?.to_utf8()
}

/// A file that counts what was taken of it.
struct Counted {
    file: File,
    taken: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.taken.set(self.taken.get() + count as u64);
        Ok(count)
    }
}
