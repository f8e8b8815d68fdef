//! `migrate`: old localStorage, in dumps and where browsers keep it, becomes events in a database.
//!
//! Find the sources, read one dump or one group of a browser's origins at a time, map its stores, add what is new: all in one transaction, which ends when
//! everything was read. Nothing here knows workouts or SQL, and nothing but
//! `recognise` and `stores` knows browsers.

mod bulk_sync;
mod import;
mod inputs;
mod names;
mod output;
mod post;
mod put_back;
mod recognise;
mod report;
mod stores;
mod target;
mod target_check;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::durable::{PathKind, kind_of_source};
use crate::error::{Error, ErrorKind, Result};
use crate::local_storage::code_units::CodeUnits;
use crate::local_storage::mapping::Mapping;
use crate::local_storage::moment::Moment;
use crate::local_storage::origin::is_origin;
use crate::progress::{Phase, PhaseKind};
use crate::run::Run;

pub use crate::sqlite::events::{KeptValue, ProgressFilled};
pub use bulk_sync::{BulkSyncOptions, BulkSyncReport, DEFAULT_BATCH_SIZE, ProgramReport};
pub use inputs::SkippedFile;
pub use post::{DEFAULT_POST_TIMEOUT, PROGRAM_GAP, PostOptions, PostReport, RETRY_WAITS, RefusalReport};
pub use put_back::{PutBackForm, PutBackKey, PutBackOptions, PutBackOrigin, PutBackReport};
pub use report::{
    MarkerReport, MigrateReport, OriginReport, ProblemReport, RejectReport, SourceReport, StoreReport,
    Totals, WarningReport,
};

use import::{Ahead, Import, Shared};
use inputs::Source;
use target::Target;

/// How dumps are migrated.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct MigrateOptions {
    /// The database; without one, what the dumps hold is only listed.
    pub target: Option<PathBuf>,
    /// Whose storage is taken; all if there is only one and none is named.
    pub origins: Vec<String>,
    /// What becomes of which store.
    pub mapping: Mapping,
    /// The device that the dumps are of.
    pub device: Option<String>,
    /// When they were made; when each file was written last, unless given.
    pub captured_at: Option<Moment>,
    /// The key of dumps that are the value of a single store.
    pub key: Option<CodeUnits>,
    /// Whether every key is kept, not only those of stores that are known.
    pub all_keys: bool,
    /// Whether storage set apart from its origin's own is taken too.
    pub with_partitioned: bool,
    /// Partitions that are taken even so, by the site they are inside of.
    pub partitions: Vec<String>,
    /// Whether values are taken of which damage to a browser's files may have cost a newer one or the deletion.
    pub with_doubtful: bool,
    /// Whether sessions of programs are left out that an app says it has sent to its server.
    pub skip_migrated: bool,
    /// Whether nothing is kept of it.
    pub dry_run: bool,
    /// Columns of the table `progress_logs` that no dump can know, where sessions become rows of it rather than of a view.
    pub progress_table: Option<Vec<(String, String)>>,
    /// What is made to put the merged storage back into a browser.
    pub put_back: Option<PutBackOptions>,
    /// Where a dry run works, and where copies of browsers' databases are read; the system's folder unless given.
    pub temp_folder: Option<PathBuf>,
    /// How long to wait for the lock on an existing database.
    pub busy_timeout: Duration,
    /// How many threads read and write; what is written is the same for every number.
    pub threads: usize,
    /// What is made for an app's server of the sessions of the programs that are in the inputs.
    pub bulk_sync: Option<BulkSyncOptions>,
    /// Where sessions are sent once they are imported.
    pub post: Option<PostOptions>,
}

impl MigrateOptions {
    /// The file for what is emitted.
    fn output(&self) -> Option<&Path> {
        let of_bodies = self.bulk_sync.as_ref().and_then(|bodies| bodies.output.as_deref());
        of_bodies.or_else(|| self.put_back.as_ref().and_then(|made| made.output.as_deref()))
    }

    /// Whether anything is taken, rather than listed only.
    fn takes(&self) -> bool {
        self.target.is_some() || self.bulk_sync.is_some() || self.put_back.is_some()
    }
}

/// Migrates the dumps and stores of browsers that `inputs` are or hold.
///
/// # Errors
/// `NotFound`, `Damaged` for what cannot be read where nothing else can be; `Usage` for what is no storage of a browser, tables that do
/// not fit and origins that are not there; `Busy`, `Failed`, `Interrupted`. The target is as it was then, but that an error
/// or interruption while sessions are sent comes after the import, which stays.
pub fn migrate(inputs: &[PathBuf], options: &MigrateOptions, run: Run<'_>) -> Result<MigrateReport> {
    if let Some(wrong) = options.origins.iter().find(|origin| !is_origin(origin)) {
        return Err(Error::new(ErrorKind::Usage, format!("{wrong:?} is no origin"))
            .hint("write it with its scheme and without a path, such as https://app.example"));
    }
    options.bulk_sync.as_ref().map_or(Ok(()), bulk_sync::check)?;
    if let Some(output) = options.output() {
        // First, since of a file that exists it would be said that it can be removed.
        target_check::check_output(output, &[])?;
        output::check(output, options.target.as_deref())?;
    }
    let post = options
        .post
        .as_ref()
        .map(|post| post::prepare(post, options.target.is_some()).map(|client| (post, client)));
    let post = post.transpose()?;
    if let Some(folder) = options.temp_folder.as_deref() {
        check_temp_folder(folder)?;
        target_check::check_temp_folder(folder)?;
    }
    let named = inputs;
    let inputs = inputs::find(named, run.interrupt)?;
    options.output().map_or(Ok(()), |output| target_check::check_output(output, &inputs.sources))?;
    let sizes = inputs.sources.iter().map(|source| source.looks().size_bytes);
    let total_bytes = sizes.fold(0, u64::saturating_add);
    run.progress.set_run_total(total_bytes);
    let target = match &options.target {
        Some(path) => {
            target_check::check(path, &inputs.sources, options.temp_folder.as_deref(), run)?;
            Some(Target::open(path, options, run)?)
        }
        None if options.takes() => {
            Some(Target::passing(&options.mapping, options.temp_folder.as_deref(), run)?)
        }
        None => None,
    };
    run.progress.begin(Phase {
        kind: PhaseKind::Migrating,
        subject: "",
        total_rows: None,
        total_bytes: Some(total_bytes),
    });
    let writer = target.as_ref().map(|target| target.store.writer()).transpose()?;
    let mut import = Import::new(options, writer, inputs.skipped, run);
    let budget = import::budget();
    let shared = Shared::new(&inputs.sources, options, &budget, run);
    std::thread::scope(|scope| -> Result<()> {
        let mut ahead = Ahead::start(&shared, scope);
        for (index, source) in inputs.sources.iter().enumerate() {
            match source {
                Source::Dumps(file) => import.file(file, ahead.get(index)?)?,
                Source::Store(store) => import.store(store)?,
            }
        }
        Ok(())
    })?;
    for error in inputs.unread {
        import.unread(error)?;
    }
    run.progress.end();
    let mut report = import.finish(named)?;
    if let Some(target) = target
        && !report.needs_origin
    {
        let imports_of_nobody = target.store.note_user()?;
        report.conflicts = target.store.conflicts(report::MAX_TOLD)?;
        report.totals.conflicts = match report.conflicts.len() {
            report::MAX_TOLD => target.store.conflict_count()?,
            fewer => fewer as u64,
        };
        if let Some(table) = &target.progress {
            report.progress_table =
                Some(target.store.fill_progress(table, &report.migrated, report::MAX_TOLD)?);
        }
        report.notes = target.store.notes();
        report.notes.extend(report::of_nobody(imports_of_nobody));
        let (bulk_sync, put_back) = (options.bulk_sync.as_ref(), options.put_back.as_ref());
        if let Some(bodies) = bulk_sync {
            bulk_sync::check_program(&target.store, bodies, &report.migrated)?;
        }
        report.bulk_sync = bulk_sync.map(|options| bulk_sync::bodies(&target.store, options)).transpose()?;
        report.put_back =
            put_back.map(|put_back| put_back::make(&target.store, put_back, options, run)).transpose()?;
        report.post = options
            .post
            .as_ref()
            .map(|post| post::queue(&target.store, post, &report.migrated, options.dry_run))
            .transpose()?;
        target.finish(run)?;
        if let (Some(output), false) = (options.output(), options.dry_run) {
            let bodies = report.bulk_sync.as_ref().map(|made| &made.bodies);
            let text = bodies.or(report.put_back.as_ref().map(|made| &made.text));
            let text = text.map(String::as_bytes).unwrap_or_default();
            output::publish(output, text, options.target.is_some(), run)?;
        }
        if let (Some(report), Some((post, client)), Some(path), false) =
            (&mut report.post, &post, &options.target, options.dry_run)
        {
            post::send(path, (post, client), options.busy_timeout, report, run)?;
        }
    }
    Ok(report)
}

/// Refuses a folder for temporary files that is none, before any work.
fn check_temp_folder(folder: &Path) -> Result<()> {
    match kind_of_source(folder)? {
        PathKind::Directory => Ok(()),
        PathKind::Missing => {
            Err(Error::new(ErrorKind::NotFound, "the folder after --temp-dir does not exist")
                .at(folder)
                .hint("create it first"))
        }
        _ => Err(Error::new(ErrorKind::Usage, "what is named after --temp-dir is no folder")
            .at(folder)
            .hint("name an existing folder")),
    }
}
