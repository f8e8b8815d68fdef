//! `restore`: a snapshot becomes a fresh database, proven before its name appears.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

mod foreign;

use crate::clock::file_name_time;
use crate::durable::{
    Existing, PathKind, Stage, TargetForm, apply_mode, check_target, drop_second_names, give_owner_of,
    identity_of, kind_of_name, mode_of, orphan_neighbours, parent_of, publish_file, publish_over,
    publish_over_keeping, refuse_orphans, remove_stale_shared_memory, require_space,
};
use crate::error::{Error, ErrorKind, Result};
use crate::rebuild::{RebuildOptions, Rebuilt, rebuild};
use crate::run::Run;
use crate::snapshot::{Location, MANIFEST_FILE, Snapshot, refuse_inside_snapshot};
use crate::sqlite::lock::{RetiredDatabase, refuse_foreign_wal};
use crate::sqlite::not_kept::NotKept;

pub use foreign::{ForeignRestoreReport, restore_foreign};

/// What happens to a database that stands where the restored one shall be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExistingDatabase {
    /// Nothing: the restore is refused.
    Refuse,
    /// It is taken out of use and kept under another name.
    KeepAside,
    /// It is taken out of use and removed.
    Discard,
}

/// How a snapshot is restored.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// What happens to an existing database.
    pub existing: ExistingDatabase,
    /// Whether the restored database is matched with the snapshot.
    pub verify: bool,
    /// Whether anything that cannot be kept is an error.
    pub strict: bool,
    /// How much memory to use, in bytes.
    pub memory_limit_bytes: u64,
    /// Where temporary files go; beside the target unless given.
    pub temp_folder: Option<PathBuf>,
    /// How long to wait for the lock on an existing database.
    pub busy_timeout: Duration,
}

/// What a restore did.
#[derive(Debug, Clone, Serialize)]
pub struct RestoreReport {
    /// The snapshot.
    #[serde(serialize_with = "crate::report::lossy_path")]
    pub snapshot: PathBuf,
    /// The restored database.
    #[serde(serialize_with = "crate::report::lossy_path")]
    pub target: PathBuf,
    /// Whether it was matched with the snapshot.
    pub verified: bool,
    /// Its size.
    pub size_bytes: u64,
    /// What was rebuilt.
    #[serde(flatten)]
    pub rebuilt: Rebuilt,
    /// What could not be rebuilt.
    pub not_kept: Vec<NotKept>,
    /// Where the database that stood there is kept.
    #[serde(serialize_with = "crate::report::lossy_path_if_any")]
    pub kept_aside: Option<PathBuf>,
}

/// Restores the snapshot at `path` as the database `target`.
///
/// # Errors
/// `NotFound`, `Damaged`, `NewerFormat` for the snapshot; `Exists` or `Busy` for the target; `Mismatch` where the
/// restored database is not what the manifest names; `Failed`, `Interrupted`.
pub fn restore(path: &Path, target: &Path, options: &RestoreOptions, run: Run<'_>) -> Result<RestoreReport> {
    let snapshot = Snapshot::open(path)?;
    if options.strict
        && let Some(lost) = snapshot.manifest.not_kept.first()
    {
        return Err(Error::new(ErrorKind::Failed, format!("not everything can be rebuilt: {lost}"))
            .at(path)
            .hint("leave --strict away to restore everything else"));
    }
    for lost in &snapshot.manifest.not_kept {
        run.progress.note(&format!("cannot rebuild {lost}"));
    }
    let (rebuilt, published) = restore_into(
        target,
        options,
        snapshot.restored_size_bytes(),
        snapshot_mode(&snapshot),
        run,
        |staged, temp_folder| {
            let rebuild_options = RebuildOptions {
                verify: options.verify,
                sync: true,
                memory_limit_bytes: options.memory_limit_bytes,
                temp_folder: temp_folder.to_path_buf(),
            };
            rebuild(&snapshot, staged, &rebuild_options, run)
        },
    )?;
    Ok(RestoreReport {
        snapshot: path.to_path_buf(),
        target: target.to_path_buf(),
        verified: options.verify,
        size_bytes: published.size_bytes,
        rebuilt,
        not_kept: snapshot.manifest.not_kept,
        kept_aside: published.kept_aside,
    })
}

const STAGED: &str = "restored.db";

/// A database that got its name.
struct Published {
    size_bytes: u64,
    kept_aside: Option<PathBuf>,
}

/// What every restore does around `make`, which makes the database at the first path it is given, with the second one
/// for temporary files: checks the target first, stages beside it, and publishes under the old database's lock.
fn restore_into<T>(
    target: &Path,
    options: &RestoreOptions,
    needed_bytes: u64,
    mode: Option<u32>,
    run: Run<'_>,
    make: impl FnOnce(&Path, &Path) -> Result<T>,
) -> Result<(T, Published)> {
    let replaces = check_restore_target(target, options.existing)?;
    if replaces {
        // Better now than after all the work.
        RetiredDatabase::check(target, options.busy_timeout, run.interrupt)?;
    }
    let parent = parent_of(target)?;
    let stage = Stage::create_and_clear(&parent)?;
    require_space(&parent, needed_bytes, "the restored database")?;
    let temp = options.temp_folder.as_deref().map(Stage::create_and_clear).transpose()?;
    let staged = stage.path_of(STAGED)?;
    let outcome = make(&staged, temp.as_ref().unwrap_or(&stage).path())?;
    if let Some(mode) = mode {
        apply_mode(&staged, mode)?;
    }
    let size_bytes = std::fs::metadata(&staged).map_or(0, |metadata| metadata.len());
    run.interrupt.check()?;
    if replaces && !give_owner_of(target, &staged) {
        run.progress.note(
            "the old database belongs to another user or group than the restored one, which belongs to you: whoever \
             used it may need it given back (chown)",
        );
    }
    let kept_aside = if replaces {
        replace(&stage, target, options, run)?
    } else {
        refuse_orphans(target)?;
        publish_file(&stage, STAGED, target, Existing::Refuse)?;
        None
    };
    stage.remove_or_tell(run.progress);
    Ok((outcome, Published { size_bytes, kept_aside }))
}

/// Whether the target exists and shall be replaced.
///
/// # Errors
/// `Exists` for a target that may not be replaced, or a fresh one beside which a journal lies.
pub fn check_restore_target(target: &Path, existing: ExistingDatabase) -> Result<bool> {
    refuse_inside_snapshot(target)?;
    match (kind_of_name(target)?, existing) {
        (PathKind::Missing, _) => {
            check_target(target, TargetForm::File, Existing::Refuse)?;
            refuse_orphans(target)?;
            Ok(false)
        }
        (PathKind::File { .. }, ExistingDatabase::KeepAside | ExistingDatabase::Discard) => {
            refuse_foreign_wal(target)?;
            Ok(true)
        }
        (PathKind::Symlink, ExistingDatabase::KeepAside | ExistingDatabase::Discard) => {
            Err(Error::new(ErrorKind::Exists, "the target is a symbolic link; it is left alone")
                .at(target)
                .hint("name the file it points to"))
        }
        _ => check_target(target, TargetForm::File, Existing::Refuse).map(|()| false),
    }
}

/// Takes the old database out of use and puts the new one in its place, under the old one's lock.
fn replace(stage: &Stage, target: &Path, options: &RestoreOptions, run: Run<'_>) -> Result<Option<PathBuf>> {
    let is_empty = matches!(kind_of_name(target)?, PathKind::File { size_bytes: 0 });
    let keeps_old = options.existing == ExistingDatabase::KeepAside && !is_empty;
    let old = identity_of(target)?;
    refuse_foreign_wal(target)?;
    let retired = RetiredDatabase::lock(target, options.busy_timeout, run.interrupt)?;
    // While this one waited for the lock, another run may have put a database in its place, which is not locked.
    if identity_of(target)? != old {
        return Err(Error::new(
            ErrorKind::Busy,
            "the database to be replaced was just replaced by another run",
        )
        .at(target)
        .hint("look at it, and run again if it shall be replaced all the same"));
    }
    let replaced = replace_locked(stage, target, keeps_old, run);
    match &replaced {
        Err(_) if old.is_some() && identity_of(target).is_ok_and(|now| now == old) => retired.give_back(),
        // Only now may others have the old file, of which nothing may be written any more: its WAL would get the
        // name that belongs to the new one.
        _ => drop(retired),
    }
    replaced
}

fn replace_locked(stage: &Stage, target: &Path, keeps_old: bool, run: Run<'_>) -> Result<Option<PathBuf>> {
    remove_stale_shared_memory(target)?;
    let neighbours = orphan_neighbours(target)?;
    if let Some(neighbour) = neighbours.first() {
        return Err(Error::new(ErrorKind::Exists, "a journal that is not its own lies beside the target")
            .at(neighbour)
            .hint("SQLite would replay it into the restored database; move it away if it is not needed"));
    }
    let prefix = name_with(target, KEPT);
    drop_second_names(target, &prefix)?;
    if !keeps_old {
        return publish_over(stage, STAGED, target).map(|()| None);
    }
    let kept = free_name(&name_with(&prefix, &file_name_time(run.clock.now())))?;
    publish_over_keeping(stage, STAGED, target, &kept)?;
    Ok(Some(kept))
}

/// What follows a database's name, before a time, when another takes its place.
const KEPT: &str = ".before-restore-";

fn name_with(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// `name`, or where it is taken, which takes two restores in one second, the first free of `name-2`, `name-3` …
fn free_name(name: &Path) -> Result<PathBuf> {
    let mut free = name.to_path_buf();
    let mut number = 2;
    while kind_of_name(&free)? != PathKind::Missing {
        free = name_with(name, &format!("-{number}"));
        number += 1;
    }
    Ok(free)
}

/// The permission bits the snapshot's files have, which are the source's.
fn snapshot_mode(snapshot: &Snapshot) -> Option<u32> {
    match &snapshot.location {
        Location::Folder(folder) => mode_of(&folder.join(MANIFEST_FILE)),
        Location::File(path) => mode_of(path),
    }
}
