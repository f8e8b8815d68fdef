//! Rebuilding a database from a snapshot in a staged file, and proving it equal before anybody sees it.
//!
//! `restore` publishes what this makes, `verify` throws it away. Nothing here touches a final name.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::budget::free_bytes;
use crate::durable::sync_tree;
use crate::error::{Error, ErrorKind, Result};
use crate::progress::{Phase, PhaseKind};
use crate::run::{Run, start_thread};
use crate::schema::Table;
use crate::snapshot::{Snapshot, TableEntry};
use crate::sqlite::check::CheckReport;
use crate::sqlite::target::{Finish, Target};
use crate::sqlite::target_plan::plan_target;

mod key_order;
mod load;
mod load_in_order;
mod proof;

pub(crate) use key_order::key_order;
use load::TableLoad;
use proof::{Built, prove, told_as_unreadable};

/// How a database is rebuilt.
#[derive(Debug, Clone)]
pub struct RebuildOptions {
    /// Whether the rebuilt database is read again and matched with the snapshot.
    pub verify: bool,
    /// Whether the rebuilt database will be published: then a large one is synced while work on it goes on.
    pub sync: bool,
    /// How much memory to use, in bytes.
    pub memory_limit_bytes: u64,
    /// A private folder for what does not fit into memory.
    pub temp_folder: PathBuf,
}

/// What was rebuilt.
#[derive(Debug, Clone, Serialize)]
pub struct Rebuilt {
    /// How many tables.
    pub tables: usize,
    /// How many rows.
    pub rows: u64,
    /// What SQLite's checks say; `None` without verification.
    pub check: Option<CheckReport>,
}

/// What to do about a damaged snapshot.
pub(crate) const VERIFY_HINT: &str =
    "`parklite verify --data` tells which files, row groups and columns are damaged; try another copy";

/// Rebuilds the database of `snapshot` at `path`, which must not exist.
///
/// # Errors
/// `Mismatch` where rows or schema are not those the manifest names; `Damaged` for data files that cannot be
/// read; what SQLite says; I/O failures; `Interrupted`.
pub fn rebuild(snapshot: &Snapshot, path: &Path, options: &RebuildOptions, run: Run<'_>) -> Result<Rebuilt> {
    let manifest = &snapshot.manifest;
    let tables: Vec<Table> = manifest.tables.iter().map(|entry| entry.table.clone()).collect();
    let plan = plan_target(&manifest.schema, &tables, &manifest.not_kept)?;
    let cache_bytes = free_bytes(options.memory_limit_bytes) / 4;
    let target = Target::create(path, &manifest.database, cache_bytes, run.interrupt)?;
    run.progress.set_run_total(manifest.snapshot.source_size_bytes);
    let mut extents = Vec::with_capacity(tables.len());
    for (ordinal, entry) in manifest.tables.iter().enumerate() {
        let without_key = plan.without_constraints.contains(&ordinal);
        let load = TableLoad { snapshot, entry, ordinal, without_key, target: &target, options, run };
        let loaded = load.run().map_err(|error| {
            let is_damage = matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Mismatch);
            let error = error.in_table(&entry.table.name);
            if is_damage { error.hint(VERIFY_HINT) } else { error }
        })?;
        extents.push(loaded);
    }
    let finish = || {
        target.finish(Finish { plan: &plan, tables: &tables, extents: &extents }, |index| {
            run.progress.begin(Phase {
                kind: PhaseKind::Indexing,
                subject: index,
                total_rows: None,
                total_bytes: None,
            });
        })?;
        run.progress.end();
        Ok(())
    };
    let check = if options.verify {
        finish()?;
        let built = Built { plan: &plan, tables: &tables, extents: &extents, path };
        let proven = || prove(snapshot, &built, options, run);
        let proven = while_syncing(path, options, proven);
        Some(proven.map_err(|error| told_as_unreadable(path, error))?)
    } else {
        while_syncing(path, options, finish)?;
        None
    };
    Ok(Rebuilt { tables: tables.len(), rows: manifest.tables.iter().map(TableEntry::row_count).sum(), check })
}

/// Does `work` while the file is synced, where it is worth it: publishing it syncs it again, which has little left to do then.
fn while_syncing<T>(path: &Path, options: &RebuildOptions, work: impl FnOnce() -> Result<T>) -> Result<T> {
    const LARGE_BYTES: u64 = 64 << 20;
    if !options.sync || std::fs::metadata(path).is_ok_and(|file| file.len() < LARGE_BYTES) {
        return work();
    }
    std::thread::scope(|scope| {
        let syncing = start_thread(scope, || sync_tree(path))?;
        let done = work()?;
        // What could not be written is not asked for again: nothing of it may be published.
        syncing.join().map_err(|_| Error::new(ErrorKind::Failed, "a syncing thread stopped"))??;
        Ok(done)
    })
}
