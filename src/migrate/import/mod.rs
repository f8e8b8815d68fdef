//! One dump after the other: what it holds, what becomes of it, and what is said of that.

mod ahead;
mod findings;
mod held;
mod read;
mod refusals;
mod store;
mod write;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::MigrateOptions;
use super::inputs::{Looks, SkippedFile, SourceFile, unread};
use super::report::{MigrateReport, OriginReport, SourceReport, StoreReport, Totals};
use crate::error::{Error, ErrorKind, Result};
use crate::local_storage::code_units::CodeUnits;
use crate::local_storage::dump::{Dump, FORMS};
use crate::local_storage::item::{Item, Problem, Storage};
use crate::local_storage::moment::Moment;
use crate::run::Run;
use crate::sqlite::events::EventWriter;

use ahead::ReadFile;
pub(super) use ahead::{Ahead, Shared, budget};
use read::{Prepared, ReadDump, Whose, read_dumps};
use refusals::{beside_unnamed, first_of_errors, is_of_text, nothing_there, of_leveldb};

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
    /// Every origin that was met, whether it is wanted or not.
    known: BTreeSet<String>,
    /// Whether there was storage that does not say whose it is.
    has_unnamed: bool,
    /// Programs with a marker in storage of which the sessions of such programs are left out.
    migrated: BTreeSet<String>,
    /// How many values without an envelope are listed.
    bare_told: usize,
    /// Whether there was a dump, or a store of a browser that is not damaged beyond reading.
    has_read_anything: bool,
    /// Numbers of the rules that were for some item.
    used_rules: BTreeSet<usize>,
    /// Whose storage the source has that is read now.
    source_origins: Vec<String>,
    /// How many origins were listed with their sources.
    origins_told: usize,
    /// The number of the last source that was captured in the future.
    last_of_future: Option<usize>,
    /// Programs with a marker and their origins, as far as they were told.
    markers: HashSet<(String, Option<String>)>,
    /// What kept the first file that could not be read from being so; rather one that asks for something.
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
            takes: options.takes(),
            dry_run: options.dry_run,
            skipped,
            ..MigrateReport::default()
        };
        Self {
            options,
            writer,
            run,
            report,
            origins: BTreeMap::new(),
            known: BTreeSet::new(),
            has_unnamed: false,
            migrated: BTreeSet::new(),
            bare_told: 0,
            has_read_anything: false,
            used_rules: BTreeSet::new(),
            source_origins: Vec::new(),
            origins_told: 0,
            last_of_future: None,
            markers: HashSet::new(),
            first_error: None,
        }
    }

    /// Takes one file, dump by dump, which may have been read before.
    pub(super) fn file(&mut self, file: &SourceFile, read: Option<ReadFile<'_>>) -> Result<()> {
        let path = &*file.path;
        let captured_at = self.captured_at(path, file.looks)?;
        let totals = self.report.totals;
        let mut told = SourceReport::of(path, Some(captured_at));
        let (run, options) = (self.run, self.options);
        let earlier = self.first_error.take();
        // Nothing but lines that are no dumps.
        let mut is_other = true;
        let was_changed = if let Some(read) = read {
            for dump in read.dumps {
                run.interrupt.check()?;
                match dump {
                    Ok(ReadDump { dump, prepared }) => {
                        is_other = false;
                        self.dump(path, captured_at, dump, Some(prepared), &mut told)?;
                    }
                    Err(error) => {
                        is_other &= is_of_text(&error);
                        self.unreadable(of_leveldb(path, error), &mut told)?;
                    }
                }
            }
            run.progress.advance(0, file.looks.size_bytes);
            read.was_changed
        } else {
            read_dumps(file, options, &|bytes| run.progress.advance(0, bytes), &mut |dump| {
                run.interrupt.check()?;
                match dump {
                    Ok(dump) => {
                        is_other = false;
                        self.dump(path, captured_at, dump, None, &mut told)?;
                    }
                    Err(error) => {
                        is_other &= is_of_text(&error);
                        self.unreadable(of_leveldb(path, error), &mut told)?;
                    }
                }
                Ok(ControlFlow::Continue(()))
            })?
        };
        if was_changed {
            let message = "the file was changed while it was read".to_owned();
            let problem = Problem { place: String::new(), message, may_lose_items: true };
            told.add_problem(problem, &mut self.report.totals);
        }
        let lines = told.unreadable.len() as u64 + told.unreadable_more;
        if is_other && lines > 1 {
            let first = told.unreadable.first().cloned().unwrap_or_default();
            told.undo_unreadable(&mut self.report.totals);
            self.first_error = None;
            let reason = format!("none of its {lines} lines is one");
            if file.may_be_other {
                self.first_error = earlier;
                let reason = format!("not a dump: {reason}");
                self.report.skipped.push(SkippedFile { path: path.to_path_buf(), reason });
                return Ok(());
            }
            let error =
                Error::new(ErrorKind::Damaged, format!("this is not a dump: {reason}; the first: {first}"));
            self.unreadable(error.at(path).hint(FORMS), &mut told)?;
        }
        self.first_error = first_of_errors(earlier, self.first_error.take());
        self.report.totals.files += 1;
        self.report.totals.dumps += told.dumps;
        self.tell_source(told, totals);
        Ok(())
    }

    /// When the source was as it is, if it does not tell by itself.
    fn captured_at(&self, path: &Path, looks: Looks) -> Result<Moment> {
        self.options.captured_at.or(looks.modified_at()).ok_or_else(|| {
            Error::new(ErrorKind::Usage, "the file has no time of its last change")
                .at(path)
                .hint("say when it was made: --captured-at 2025-12-31")
        })
    }

    /// Adds what is said of a source, whose share is what was added to these totals.
    fn tell_source(&mut self, mut told: SourceReport, totals: Totals) {
        let now = &self.report.totals;
        told.items = now.items - totals.items;
        told.events_new = now.events_new - totals.events_new;
        told.events_known = now.events_known - totals.events_known;
        told.origins = std::mem::take(&mut self.source_origins);
        told.origins.sort_unstable();
        told.origins.dedup();
        self.report.sources.push(told);
    }

    /// Tells of a file or folder that could not even be looked at.
    pub(super) fn unread(&mut self, error: Error) -> Result<()> {
        let path = error.place().path.clone().unwrap_or_default();
        let mut told = SourceReport::of(&path, None);
        self.unreadable(error, &mut told)?;
        self.report.sources.push(told);
        Ok(())
    }

    /// The report, once everything was read.
    pub(super) fn finish(mut self, inputs: &[PathBuf]) -> Result<MigrateReport> {
        if !self.has_read_anything {
            let nothing = || nothing_there(inputs, &self.report.skipped);
            return Err(self.first_error.unwrap_or_else(nothing));
        }
        // Where no input says whose it is, whoever names an origin does.
        let is_said = self.has_unnamed && self.known.is_empty();
        let missing = self.options.origins.iter().find(|&wanted| !self.known.contains(wanted));
        if let Some(missing) = missing.filter(|_| !is_said) {
            let error = self.not_there(missing);
            return Err(if self.has_unnamed { beside_unnamed(&error) } else { error });
        }
        let wrong = self.options.partitions.iter().find(|&wanted| !self.has_partition(wanted));
        if let Some(wrong) = wrong {
            return Err(self.no_partition(wrong));
        }
        self.report.migrated = std::mem::take(&mut self.migrated);
        if self.report.needs_origin {
            self.report.undo_counts();
        } else {
            self.report.unused_rules = self.unused_rules();
        }
        for (mut origin, stores) in self.origins.into_values() {
            origin.imported &= !self.report.needs_origin && self.report.takes;
            origin.stores = stores.into_values().collect();
            self.report.origins.push(origin);
        }
        Ok(self.report)
    }

    /// Tells what could not be read, unless it is the run that lacks something.
    fn unreadable(&mut self, error: Error, told: &mut SourceReport) -> Result<()> {
        let is_of_system =
            std::error::Error::source(&error).is_some_and(<dyn std::error::Error>::is::<io::Error>);
        let error = if is_of_system { unread(error)? } else { error };
        // What a message asks for is in its hint, which has no place of its own among others.
        let asks_for = error.hint_text().filter(|_| error.kind() == ErrorKind::Usage);
        let message = asks_for.map_or_else(
            || error.message().to_owned(),
            |asks_for| format!("{}; {asks_for}", error.message()),
        );
        told.add_unreadable(&message, &mut self.report.totals);
        self.first_error = first_of_errors(self.first_error.take(), Some(error));
        Ok(())
    }

    fn dump(
        &mut self,
        path: &Path,
        captured_at: Moment,
        dump: Dump,
        prepared: Option<Vec<Vec<Prepared>>>,
        told: &mut SourceReport,
    ) -> Result<()> {
        told.dumps += 1;
        self.has_read_anything = true;
        let format = dump.form.name();
        if !told.formats.contains(&format) {
            told.formats.push(format);
        }
        for problem in dump.reading.problems {
            told.add_problem(problem, &mut self.report.totals);
        }
        let are_several = self.options.origins.len() > 1 && self.options.takes();
        let mut prepared = prepared.into_iter().flatten();
        for storage in &dump.reading.storages {
            let prepared = prepared.next().unwrap_or_default();
            if are_several && storage.origin.is_none() {
                self.nobodys(path, captured_at, storage, prepared, told)?;
                continue;
            }
            self.storage(path, (dump.line, format), captured_at, storage, prepared)?;
        }
        Ok(())
    }

    /// Leaves out a storage that is of one of the named origins, and does not say of which, if nothing of it would be kept.
    fn nobodys(
        &mut self,
        path: &Path,
        captured_at: Moment,
        storage: &Storage,
        prepared: Vec<Prepared>,
        told: &mut SourceReport,
    ) -> Result<()> {
        let options = self.options;
        let whose = Whose::of(storage, captured_at, options);
        let mut prepared = prepared.into_iter();
        let mut prepare = |item| {
            prepared.next().unwrap_or_else(|| whose.prepare(item, storage.partition.as_deref(), options))
        };
        if storage.items.iter().any(|item| prepare(item).kept.is_some()) {
            let message = "several origins are named, and a dump does not say of which of them it is";
            return Err(Error::new(ErrorKind::Usage, message)
                .at(path)
                .hint("migrate it by itself, with the one --origin that it is of"));
        }
        let message =
            "left out: it does not say of which of the named origins it is, and has no store that is known";
        let problem = Problem { place: String::new(), message: message.to_owned(), may_lose_items: false };
        told.add_problem(problem, &mut self.report.totals);
        Ok(())
    }

    /// Takes one storage of a source with its line and format; what is not prepared of its items is so now.
    fn storage(
        &mut self,
        path: &Path,
        (line, format): (Option<u64>, &'static str),
        captured_at: Moment,
        storage: &Storage,
        prepared: Vec<Prepared>,
    ) -> Result<()> {
        let options = self.options;
        let whose = Whose::of(storage, captured_at, options);
        let totals = &mut self.report.totals;
        totals.storages_left_out += u64::from(!whose.is_wanted);
        totals.partitions_left_out += u64::from(whose.is_wanted && whose.is_left_out);
        let migrated = self.markers(path, whose.origin, storage, whose.captured_at);
        let nothing = BTreeSet::new();
        let left_out = if options.skip_migrated { &migrated } else { &nothing };
        if whose.is_taken() {
            self.migrated.extend(left_out.iter().cloned());
            if options.takes() {
                self.warn_of_future(path, line, whose.captured_at);
            }
        }
        self.has_unnamed |= storage.origin.is_none();
        self.note_origin(path, whose.origin, storage, whose.captured_at, whose.is_taken(), &migrated);
        let context = Context {
            path,
            line,
            format,
            origin: whose.origin.map(String::as_str),
            partition: storage.partition.as_deref(),
            captured_at: whose.captured_at,
            left_out,
        };
        let mut prepared = prepared.into_iter();
        for item in &storage.items {
            self.run.interrupt.check()?;
            let prepared = prepared.next().unwrap_or_else(|| whose.prepare(item, context.partition, options));
            self.item(&context, item, &prepared, whose.is_taken())?;
        }
        Ok(())
    }

    fn item(
        &mut self,
        context: &Context<'_>,
        item: &Item,
        prepared: &Prepared,
        is_taken: bool,
    ) -> Result<()> {
        self.note_store(context, item, &prepared.mapped);
        if !is_taken {
            return Ok(());
        }
        self.report.totals.items += 1;
        self.note_findings(context, item, &prepared.mapped);
        match &prepared.kept {
            Some(kept) => self.write(context, item, &prepared.mapped, kept),
            None => Ok(()),
        }
    }
}
