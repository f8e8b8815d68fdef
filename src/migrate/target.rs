//! Where events go: into an existing database in one transaction, or into a new one that gets its name when it is whole.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::MigrateOptions;
use crate::durable::{
    Existing, PathKind, Stage, apply_mode, kind_of_name, kind_of_source, parent_of, publish_file,
    refuse_orphans,
};
use crate::error::{Error, ErrorKind, Result};
use crate::local_storage::mapping::{self, Mapping};
use crate::local_storage::progress::{all_progress, conflicts_of, progress_of, views_over};
use crate::run::Run;
use crate::sqlite::events::{
    EventSchema, EventStore, EventTable, IS_EVENT_OF_USER, PROGRAMS, ProgressTable, View, named_user,
};
use crate::sqlite::name::quoted;
use crate::sqlite::open::{OpenOptions, Source};

/// The name of a new database before it has its own.
const STAGED: &str = "events.db";

/// An open target.
pub(super) struct Target {
    pub(super) store: EventStore,
    /// Where sessions become rows of a table rather than of a view.
    pub(super) progress: Option<ProgressTable>,
    path: PathBuf,
    /// Holds a new database, or in a dry run a copy; nothing for an existing one.
    stage: Option<Stage>,
    is_dry_run: bool,
}

impl Target {
    /// Opens or makes the database; a dry run works on a copy.
    pub(super) fn open(path: &Path, options: &MigrateOptions, run: Run<'_>) -> Result<Self> {
        let (is_dry_run, busy_timeout) = (options.dry_run, options.busy_timeout);
        let (schema, folds) = schema_of(&options.mapping, options.progress_table.as_deref());
        let prepare = |store: &EventStore| {
            let set = options.progress_table.as_ref();
            set.map(|set| store.prepare_progress((&folds.view, &folds.table), set)).transpose()
        };
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
            let store = EventStore::open(path, &schema, busy_timeout, run.interrupt)?;
            let progress = prepare(&store)?;
            return Ok(Self { store, progress, path: path.to_path_buf(), stage: None, is_dry_run });
        }
        if !is_there {
            // Refused before the work rather than after it.
            if kind_of_name(path)? != PathKind::Missing {
                return Err(Error::new(ErrorKind::Exists, "the target is a link that leads nowhere")
                    .at(path)
                    .hint("name the database itself after --into, or remove the link"));
            }
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
            Stage::create(options.temp_folder.as_deref().unwrap_or(&temp))?
        } else {
            Stage::create_and_clear(&parent_of(path)?)?
        };
        let staged = stage.path_of(STAGED)?;
        let opened = if is_there {
            let opening = OpenOptions { busy_timeout, allow_empty: true };
            let source = Source::open_untouched(path, &opening, Some(stage.path()), run)?;
            source.copy_to(&staged, run)?;
            source.finish()?;
            EventStore::open(&staged, &schema, Duration::ZERO, run.interrupt)
        } else {
            EventStore::create(&staged, &schema, run.interrupt)
        };
        let store = opened.map_err(|error| error.instead_at(path))?;
        let progress = prepare(&store).map_err(|error| error.instead_at(path))?;
        Ok(Self { store, progress, path: path.to_path_buf(), stage: Some(stage), is_dry_run })
    }

    /// Makes a database that nobody keeps.
    pub(super) fn passing(mapping: &Mapping, temp_folder: Option<&Path>, run: Run<'_>) -> Result<Self> {
        let temp = std::env::temp_dir();
        let stage = Stage::create(temp_folder.unwrap_or(&temp))?;
        let path = stage.path_of(STAGED)?;
        let (schema, _) = schema_of(mapping, None);
        let store = EventStore::create(&path, &schema, run.interrupt)?;
        Ok(Self { store, progress: None, path, stage: Some(stage), is_dry_run: true })
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
            publish_file(&stage, STAGED, &self.path, Existing::Refuse).map_err(made_meanwhile)?;
        }
        stage.remove_or_tell(run.progress);
        Ok(())
    }
}

/// What is told where the target was not there at first, and then was.
fn made_meanwhile(error: Error) -> Error {
    if error.kind() != ErrorKind::Exists {
        return error;
    }
    let path = error.place().path.clone().unwrap_or_default();
    Error::new(ErrorKind::Exists, "somebody else made the target meanwhile; nothing was imported")
        .at(path)
        .hint("run it again: it then adds to what is there")
}

/// What the sessions come to, as queries.
struct Folds {
    /// All of them, over the view of sessions: the view of progress.
    view: String,
    /// What goes to the table: where a user is named, that user's alone.
    table: String,
}

/// The table that the mapping names, and the views over it, without that of progress where a table has its name: then `set`
/// is what its rows get.
fn schema_of(mapping: &Mapping, set: Option<&[(String, String)]>) -> (EventSchema, Folds) {
    let target = mapping.target().cloned().unwrap_or_default();
    let events = if target == mapping::Target::default() {
        target.table.clone()
    } else {
        let names = [&target.event_id, &target.event_type, &target.payload, &target.table];
        let [event_id, event_type, payload, table] = names.map(|name| quoted(name));
        format!(
            "(SELECT {event_id} AS _event_id, {event_type} AS event_type, {payload} AS payload FROM {table}) AS events"
        )
    };
    let [sessions, logs, conflicts] =
        views_over(&events).map(|view| View { name: view.name, select: view.select });
    let mapping::Target { table, event_id, created_at, event_type, payload } = target;
    let programs = format!("SELECT program_id FROM {PROGRAMS}");
    let view = logs.select.clone();
    let progress = if set.is_some() { vec![conflicts] } else { vec![logs, conflicts] };
    let (events, fold) = if set.and_then(named_user).is_some() {
        let own = format!(
            "(SELECT _event_id, event_type, payload FROM {events} WHERE {IS_EVENT_OF_USER}) AS events"
        );
        let fold = all_progress(&own);
        (own, fold)
    } else {
        (events, view.clone())
    };
    let schema = EventSchema {
        table: EventTable { table, event_id, created_at, event_type, payload },
        sessions,
        progress,
        conflicts: conflicts_of(&events, &format!("{programs} WHERE has_rivals")),
        progress_of_run: progress_of(&events, &programs),
    };
    (schema, Folds { view, table: fold })
}
