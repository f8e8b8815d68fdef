//! One dump after the other: what it holds, what becomes of it, and what is said of that.

mod ahead;
mod findings;
mod held;
mod read;
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
use crate::local_storage::dump::Dump;
use crate::local_storage::item::{Item, Problem, Storage};
use crate::local_storage::moment::Moment;
use crate::run::Run;
use crate::sqlite::events::EventWriter;

use ahead::ReadFile;
pub(super) use ahead::{Ahead, Shared, budget};
use read::{Prepared, ReadDump, Whose, read_dumps};

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
    /// Whether there was a dump, or a store of a browser that is not damaged beyond reading.
    has_read_anything: bool,
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
            has_read_anything: false,
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
        let was_changed = if let Some(read) = read {
            for dump in read.dumps {
                run.interrupt.check()?;
                match dump {
                    Ok(ReadDump { dump, prepared }) => {
                        self.dump(path, captured_at, dump, Some(prepared), &mut told)?;
                    }
                    Err(error) => self.unreadable(of_leveldb(path, error), &mut told)?,
                }
            }
            run.progress.advance(0, file.looks.size_bytes);
            read.was_changed
        } else {
            read_dumps(file, options, &|bytes| run.progress.advance(0, bytes), &mut |dump| {
                run.interrupt.check()?;
                match dump {
                    Ok(dump) => self.dump(path, captured_at, dump, None, &mut told)?,
                    Err(error) => self.unreadable(of_leveldb(path, error), &mut told)?,
                }
                Ok(ControlFlow::Continue(()))
            })?
        };
        if was_changed {
            let message = "the file was changed while it was read".to_owned();
            let problem = Problem { place: String::new(), message, may_lose_items: true };
            told.add_problem(problem, &mut self.report.totals);
        }
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
        let has_unnamed = self.origins.keys().any(|(origin, _)| origin.is_none());
        let missing = self.options.origins.iter().find(|&wanted| !self.known.contains(wanted));
        if let Some(missing) = missing.filter(|_| !has_unnamed) {
            return Err(self.not_there(missing));
        }
        if self.report.needs_origin {
            self.report.undo_counts();
        }
        for (mut origin, stores) in self.origins.into_values() {
            origin.imported &= !self.report.needs_origin && self.report.takes;
            origin.stores = stores.into_values().collect();
            self.report.origins.push(origin);
        }
        Ok(self.report)
    }

    /// The refusal of an origin that no input has, as far as the inputs can be read.
    fn not_there(&self, origin: &str) -> Error {
        let others = if self.known.is_empty() {
            String::new()
        } else {
            format!("there is storage of {}; ", first_of(&self.known))
        };
        let Some(damaged) = self.report.sources.iter().find(|source| source.is_incomplete) else {
            return Error::new(ErrorKind::Usage, format!("no input holds storage of {origin}"))
                .hint(format!("{others}--list shows what is in it"));
        };
        let problem = damaged.problems.iter().find(|problem| problem.may_lose_items);
        let why = damaged.unreadable.first().cloned();
        let why = why
            .or(problem.map(|it| match &*it.place {
                "" => it.message.clone(),
                place => format!("{place}: {}", it.message),
            }))
            .unwrap_or_default();
        let path = damaged.path.display();
        let message = format!(
            "no input holds storage of {origin} that can be told; it may be what is missing or left out of {path}: {why}"
        );
        Error::new(ErrorKind::Damaged, message).hint(format!("{others}--list tells of all damage"))
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
        let asks = |error: &Error| error.kind() == ErrorKind::Usage;
        if self.first_error.as_ref().is_none_or(|first| asks(&error) && !asks(first)) {
            self.first_error = Some(error);
        }
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
        let is_unnamed = dump.reading.storages.iter().any(|storage| storage.origin.is_none());
        if is_unnamed && self.options.origins.len() > 1 && self.options.takes() {
            let message = "several origins are named, and a dump does not say of which of them it is";
            return Err(Error::new(ErrorKind::Usage, message)
                .at(path)
                .hint("migrate it by itself, with the one --origin that it is of"));
        }
        let mut prepared = prepared.into_iter().flatten();
        for storage in &dump.reading.storages {
            let prepared = prepared.next().unwrap_or_default();
            self.storage(path, (dump.line, format), captured_at, storage, prepared)?;
        }
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
        self.note_origin(whose.origin, storage, whose.captured_at, whose.is_taken(), &migrated);
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

/// The refusal of inputs in which there is nothing to read, with the first of what was skipped.
fn nothing_there(inputs: &[PathBuf], skipped: &[SkippedFile]) -> Error {
    const MOST: usize = 3;
    let names = skipped.iter().take(MOST).map(|file| format!("{} ({})", file.path.display(), file.reason));
    let names: Vec<String> = names.collect();
    let passed_over = match skipped.len() {
        0 => String::new(),
        count => format!(
            "; skipped: {}{}",
            names.join(", "),
            if count > MOST { format!(" and {} more", count - MOST) } else { String::new() }
        ),
    };
    // One input is the error's place, which stands at its end.
    let place = match inputs {
        [_] => "here".to_owned(),
        several => {
            let shown: Vec<String> = several.iter().take(MOST).map(|it| it.display().to_string()).collect();
            let more = if several.len() > MOST {
                format!(" or {} more", several.len() - MOST)
            } else {
                String::new()
            };
            format!("in {}{more}", shown.join(", "))
        }
    };
    let message = format!("there is no localStorage {place}, and no dump of it{passed_over}");
    let hint = "name the profile's folder (chrome://version and about:support show it), or a dump";
    let error = Error::new(ErrorKind::Damaged, message).hint(hint);
    match inputs {
        [input] => error.at(input),
        _ => error,
    }
}

/// What is told of a file of a LevelDB that was named by itself, and is no dump: the error itself for any other file.
fn of_leveldb(path: &Path, error: Error) -> Error {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_number = |text: &str| text.len() >= 6 && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_numbered = ["ldb", "log", "sst"].into_iter().any(|ending| {
        name.strip_suffix(ending).and_then(|name| name.strip_suffix('.')).is_some_and(is_number)
    });
    if !is_numbered && !name.strip_prefix("MANIFEST-").is_some_and(is_number) {
        return error;
    }
    Error::new(ErrorKind::Damaged, "this is a part of a browser's storage, and no dump")
        .at(path)
        .hint("name the folder it is in")
}

/// The first of these names, so that a message stays readable.
fn first_of(names: &BTreeSet<String>) -> String {
    const MOST: usize = 10;
    let shown: Vec<&str> = names.iter().take(MOST).map(String::as_str).collect();
    let more = if names.len() > MOST { format!(" and {} more", names.len() - MOST) } else { String::new() };
    shown.join(", ") + &more
}
