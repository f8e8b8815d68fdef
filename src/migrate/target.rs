//! Where events go: into an existing database in one transaction, or into a new one that gets its name when it is whole.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::durable::{
    Existing, PathKind, Stage, apply_mode, kind_of_source, parent_of, publish_file, refuse_orphans,
};
use crate::error::{Error, ErrorKind, Result};
use crate::local_storage::mapping::{self, Mapping};
use crate::local_storage::progress::views_over;
use crate::run::Run;
use crate::sqlite::events::{EventStore, EventTable};
use crate::sqlite::name::quoted;
use crate::sqlite::open::{OpenOptions, Source};

/// The name of a new database before it has its own.
const STAGED: &str = "events.db";

/// An open target.
pub(super) struct Target {
    pub(super) store: EventStore,
    path: PathBuf,
    /// Holds a new database, or in a dry run a copy; nothing for an existing one.
    stage: Option<Stage>,
    is_dry_run: bool,
}

impl Target {
    /// Opens or makes the database; a dry run works on a copy.
    pub(super) fn open(
        path: &Path,
        mapping: &Mapping,
        is_dry_run: bool,
        busy_timeout: Duration,
        temp_folder: Option<&Path>,
        run: Run<'_>,
    ) -> Result<Self> {
        let table = event_table(mapping);
        let views = views_of(&table);
        let is_there = match kind_of_source(path)? {
            PathKind::Missing => false,
            PathKind::File { .. } => true,
            _ => {
                return Err(Error::new(ErrorKind::Exists, "the target is no file")
                    .at(path)
                    .hint("name a database file after --into"));
            }
        };
        if is_there && !is_dry_run {
            let store = EventStore::open(path, &table, &views, busy_timeout, run.interrupt)?;
            return Ok(Self { store, path: path.to_path_buf(), stage: None, is_dry_run });
        }
        if !is_there {
            // Refused before the work rather than after it.
            refuse_orphans(path)?;
            let parent = parent_of(path)?;
            if !matches!(kind_of_source(&parent)?, PathKind::Directory) {
                return Err(Error::new(ErrorKind::NotFound, "the folder of the target does not exist")
                    .at(parent)
                    .hint("create it first"));
            }
        }
        let stage = if is_dry_run {
            let temp = std::env::temp_dir();
            Stage::create(temp_folder.unwrap_or(&temp))?
        } else {
            Stage::create_and_clear(&parent_of(path)?)?
        };
        let staged = stage.path_of(STAGED)?;
        let opened = if is_there {
            let options = OpenOptions { busy_timeout, allow_empty: true };
            let source = Source::open_untouched(path, &options, Some(stage.path()), run)?;
            source.copy_to(&staged, run)?;
            source.finish()?;
            EventStore::open(&staged, &table, &views, Duration::ZERO, run.interrupt)
        } else {
            EventStore::create(&staged, &table, &views, run.interrupt)
        };
        let store = opened.map_err(|error| error.instead_at(path))?;
        Ok(Self { store, path: path.to_path_buf(), stage: Some(stage), is_dry_run })
    }

    /// Makes everything lasting, unless it is a dry run.
    pub(super) fn finish(self, run: Run<'_>) -> Result<()> {
        /// What browsers keep is private.
        const MODE: u32 = 0o600;
        run.interrupt.check()?;
        let Some(stage) = self.stage else {
            return self.store.commit();
        };
        if self.is_dry_run {
            drop(self.store);
        } else {
            self.store.commit().map_err(|error| error.instead_at(&self.path))?;
            apply_mode(&stage.path_of(STAGED)?, MODE)?;
            run.interrupt.check()?;
            refuse_orphans(&self.path)?;
            publish_file(&stage, STAGED, &self.path, Existing::Refuse)?;
        }
        stage.remove_or_tell(run.progress);
        Ok(())
    }
}

fn event_table(mapping: &Mapping) -> EventTable {
    let mapping::Target { table, event_id, created_at, event_type, payload } =
        mapping.target().cloned().unwrap_or_default();
    EventTable { table, event_id, created_at, event_type, payload }
}

fn views_of(table: &EventTable) -> String {
    let names = [&table.table, &table.event_id, &table.event_type, &table.payload];
    let [table, event_id, event_type, payload] = names.map(|name| quoted(name));
    views_over([&table, &event_id, &event_type, &payload])
}
