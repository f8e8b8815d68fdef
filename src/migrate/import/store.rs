//! One store of a browser: listed, then read a group of origins at a time.

use std::collections::HashSet;

use super::Import;
use crate::error::{Error, ErrorKind, Result};
use crate::local_storage::item::{Problem, Storage};
use crate::local_storage::moment::Moment;
use crate::migrate::inputs::SkippedFile;
use crate::migrate::report::{SourceReport, Totals};
use crate::migrate::stores::{ListedStorage, OpenStore, Opening, SourceStore, StoreListing};

impl Import<'_> {
    /// Reads the wanted origins of a store; of the others it only tells that they are there.
    pub(in crate::migrate) fn store(&mut self, store: &SourceStore) -> Result<()> {
        let captured_at = self.captured_at(&store.path, store.looks)?;
        let opening = Opening {
            with_doubtful: self.options.with_doubtful,
            temp_folder: self.options.temp_folder.as_deref(),
            run: self.run,
        };
        let totals = self.report.totals;
        let mut told = SourceReport::of(&store.path, Some(captured_at));
        let opened = store.reader.open(&store.path, &opening);
        match opened.and_then(|opened| Ok((opened.list()?, opened))) {
            Err(error) if error.kind() == ErrorKind::Usage && !store.is_named => {
                let reason = error.message().to_owned();
                self.report.skipped.push(SkippedFile { path: store.path.clone(), reason });
                return Ok(());
            }
            Err(error) => self.unreadable_store(error, &mut told)?,
            Ok((listing, opened)) => self.listed(store, &listing, &*opened, captured_at, &mut told)?,
        }
        self.run.progress.advance(0, store.looks.size_bytes);
        self.report.totals.browser_stores += 1;
        self.tell_source(told, totals);
        Ok(())
    }

    fn listed(
        &mut self,
        store: &SourceStore,
        listing: &StoreListing,
        opened: &dyn OpenStore,
        captured_at: Moment,
        told: &mut SourceReport,
    ) -> Result<()> {
        told.formats.push(listing.format);
        let lost = listing.problems.iter().find(|problem| problem.may_lose_items);
        match lost.filter(|_| listing.storages.is_empty()) {
            Some(problem) => {
                let message = format!("nothing of it can be read: {}: {}", problem.place, problem.message);
                let error = Error::new(ErrorKind::Damaged, message).at(&store.path);
                return self.unreadable_store(error, told);
            }
            None => self.has_read_anything = true,
        }
        // Before any value is written: of several origins one must have been named.
        for origin in listing.storages.iter().filter_map(|storage| storage.origin.as_deref()) {
            self.meet_origin(origin);
        }
        let origins = &self.options.origins;
        let is_wanted = |origin: &str| origins.is_empty() || origins.iter().any(|wanted| wanted == origin);
        let groups = listing.groups(is_wanted);
        let mut known = HashSet::new();
        let mut met = HashSet::new();
        if groups.is_empty() {
            tell(told, &listing.problems, &mut known, &mut self.report.totals);
        }
        for (index, group) in groups.iter().enumerate() {
            self.run.interrupt.check()?;
            let reading = match opened.read(group) {
                Ok(reading) => reading,
                Err(error) => return self.unreadable_store(error, told),
            };
            tell(told, &reading.problems, &mut known, &mut self.report.totals);
            for storage in &reading.storages {
                let is_nobodys = storage.origin.is_none() && !store.is_named && self.options.takes();
                if is_nobodys && index == 0 {
                    let message = "a storage in it does not say of which site it is, and was left out; to import it, name \
                                   this file itself, with its --origin";
                    let problem =
                        Problem { place: String::new(), message: message.to_owned(), may_lose_items: true };
                    told.add_problem(problem, &mut self.report.totals);
                }
                if is_nobodys {
                    continue;
                }
                met.insert((storage.origin.clone(), storage.partition.clone()));
                // Those of which nobody can tell whose they are come with every group.
                if storage.origin.is_some() || index == 0 {
                    self.storage(&store.path, (None, listing.format), captured_at, storage, Vec::new())?;
                }
            }
        }
        // Nothing of it could be read, or it is doubtful as a whole: whose it is must be told all the same.
        for listed in listing.storages.iter().filter(|it| it.origin.as_deref().is_some_and(is_wanted)) {
            let storage = Storage {
                origin: listed.origin.clone(),
                partition: listed.partition.clone(),
                ..Storage::default()
            };
            if !met.contains(&(storage.origin.clone(), storage.partition.clone())) {
                self.storage(&store.path, (None, listing.format), captured_at, &storage, Vec::new())?;
            }
        }
        let is_unwanted =
            |storage: &&ListedStorage| storage.origin.as_deref().is_some_and(|it| !is_wanted(it));
        for storage in listing.storages.iter().filter(is_unwanted) {
            self.note_unread(storage, captured_at);
        }
        Ok(())
    }

    /// Tells of a store that could not be read, unless that says nothing of it.
    fn unreadable_store(&mut self, error: Error, told: &mut SourceReport) -> Result<()> {
        match error.kind() {
            ErrorKind::Busy | ErrorKind::Interrupted | ErrorKind::Usage => Err(error),
            _ => self.unreadable(error.at(&told.path), told),
        }
    }
}

/// Adds what was not told before: each group of a store tells of its damage again.
fn tell(
    told: &mut SourceReport,
    problems: &[Problem],
    known: &mut HashSet<(String, String)>,
    totals: &mut Totals,
) {
    for problem in problems {
        if known.insert((problem.place.clone(), problem.message.clone())) {
            told.add_problem(problem.clone(), totals);
        }
    }
}
