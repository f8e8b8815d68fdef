//! Giving a finished piece of work its name.
//!
//! What may be replaced is decided here, on the name itself and never through a link; the steps are in
//! [`placement`](super::placement).

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};

use super::neighbours::{is_same_file, keep_aside};
use super::path_kind::{PathKind, holding_folder, kind_of_name, tidy};
use super::placement::Placement;
use super::stage::Stage;
use super::sync::Folder;

/// The file by which a folder is known as a snapshot.
const MANIFEST_NAME: &str = "manifest.json";

/// What to do about a target that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Leave it and fail.
    Refuse,
    /// Replace it, if it is something that such a target may replace.
    Replace,
}

/// What is to be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetForm {
    /// A file; it may replace a regular file or a symbolic link.
    File,
    /// A folder; it may replace a snapshot, an empty folder or a symbolic link.
    Directory,
}

/// Checks, before any work, that publishing to `target` would not be refused as it stands now.
///
/// # Errors
/// [`ErrorKind::Exists`] when it exists and may not be replaced; [`ErrorKind::Usage`] when it has no name.
pub fn check_target(target: &Path, form: TargetForm, existing: Existing) -> Result<()> {
    let target = tidy(target)?;
    let kind = kind_of_name(&target)?;
    if kind == PathKind::Missing {
        return Ok(());
    }
    if let Some(obstacle) = obstacle(&target, kind, form)? {
        return Err(irreplaceable(&target, obstacle));
    }
    match existing {
        Existing::Refuse => Err(Error::new(ErrorKind::Exists, "the target exists")
            .at(&target)
            .hint("choose another target, or add --overwrite to replace this one")),
        Existing::Replace => Ok(()),
    }
}

/// Publishes the staged file `name` as `target`; what it replaces is removed.
///
/// The file keeps the mode it has, readable by its owner alone unless
/// [`apply_mode`](super::apply_mode) widened it.
///
/// # Errors
/// [`ErrorKind::Exists`] when the target exists and may not be replaced; [`ErrorKind::Failed`] when
/// syncing or renaming fails. The old state is in place then, unless the message says otherwise.
pub fn publish_file(stage: &Stage, name: impl AsRef<Path>, target: &Path, existing: Existing) -> Result<()> {
    publish(stage, name.as_ref(), target, TargetForm::File, existing)
}

/// Publishes the staged folder `name` with everything in it as `target`; what it replaces is removed.
///
/// Modes as for [`publish_file`]. Where the file system cannot exchange two names, the old folder waits in
/// the stage for a moment and `target` is missing; after a kill in that moment,
/// [`clear_leftovers`](super::clear_leftovers) puts it back.
///
/// # Errors
/// Those of [`publish_file`].
pub fn publish_directory(
    stage: &Stage,
    name: impl AsRef<Path>,
    target: &Path,
    existing: Existing,
) -> Result<()> {
    publish(stage, name.as_ref(), target, TargetForm::Directory, existing)
}

/// Publishes the staged file `name` over the existing regular file `target`, in one step and for good.
///
/// For a target that this process holds locked: nothing of it is opened. Whoever needs the old one gives it
/// a second name first, with [`keep_aside`](super::keep_aside).
///
/// # Errors
/// [`ErrorKind::Failed`] when the target is no regular file, or when syncing or renaming fails.
pub fn publish_over(stage: &Stage, name: impl AsRef<Path>, target: &Path) -> Result<()> {
    let target = tidy(target)?;
    if !matches!(kind_of_name(&target)?, PathKind::File { .. }) {
        return Err(
            Error::new(ErrorKind::Failed, "the target is not, or no longer, a regular file").at(&target)
        );
    }
    let staged = staged_as(stage, name.as_ref(), TargetForm::File)?;
    stage.sync(&staged)?;
    let parent = Folder::open(&holding_folder(&target))?;
    Placement { stage, staged, target, form: TargetForm::File, sync_parent: &|| parent.sync() }.over_file()
}

/// Like [`publish_over`], and the old file keeps the name `kept`, which must be free.
///
/// # Errors
/// Those of [`keep_aside`] and [`publish_over`]. While the old file is still the target, `kept` is not left behind,
/// except where files have no identity.
pub fn publish_over_keeping(stage: &Stage, name: impl AsRef<Path>, target: &Path, kept: &Path) -> Result<()> {
    keep_aside(target, kept)?;
    publish_over(stage, name, target).inspect_err(|_| {
        if is_same_file(target, kept).unwrap_or(false) {
            let _best_effort = fs::remove_file(kept);
        }
    })
}

fn publish(stage: &Stage, name: &Path, target: &Path, form: TargetForm, existing: Existing) -> Result<()> {
    let target = tidy(target)?;
    let staged = staged_as(stage, name, form)?;
    check_target(&target, form, existing)?;
    stage.sync(&staged)?;
    let parent = Folder::open(&holding_folder(&target))?;
    Placement { stage, staged, target, form, sync_parent: &|| parent.sync() }.place(existing)
}

/// Where the staged thing is, once it is known to be what the caller says.
fn staged_as(stage: &Stage, name: &Path, form: TargetForm) -> Result<PathBuf> {
    let staged = stage.path_of(name)?;
    match (kind_of_name(&staged)?, form) {
        (PathKind::File { .. }, TargetForm::File) | (PathKind::Directory, TargetForm::Directory) => {
            Ok(staged)
        }
        _ => Err(Error::new(ErrorKind::Failed, "what is to be published was not staged").at(&staged)),
    }
}

/// Why something existing is not replaced by `form`, `None` if it is.
pub(super) fn obstacle(path: &Path, kind: PathKind, form: TargetForm) -> Result<Option<&'static str>> {
    Ok(match (kind, form) {
        (PathKind::Missing | PathKind::Symlink, _) | (PathKind::File { .. }, TargetForm::File) => None,
        (PathKind::File { .. }, TargetForm::Directory) => Some("a file, and a folder replaces no file"),
        (PathKind::Directory, TargetForm::File) => Some("a folder, and a file replaces no folder"),
        (PathKind::Directory, TargetForm::Directory) if is_snapshot_or_empty(path)? => None,
        (PathKind::Directory, TargetForm::Directory) => Some("a folder that is neither a snapshot nor empty"),
        (PathKind::Special(name), _) => Some(name),
    })
}

/// Whether a folder holds nothing, or a manifest and otherwise only files, as snapshots do. (Other programs
/// have manifests of that name too, but seldom in a folder without folders.)
fn is_snapshot_or_empty(path: &Path) -> Result<bool> {
    let cannot_list = |error| Error::io("listing a folder", path, error);
    let (mut is_empty, mut has_manifest) = (true, false);
    for entry in fs::read_dir(path).map_err(cannot_list)? {
        let entry = entry.map_err(cannot_list)?;
        if !entry.file_type().map_err(cannot_list)?.is_file() {
            return Ok(false);
        }
        is_empty = false;
        has_manifest |= entry.file_name() == MANIFEST_NAME;
    }
    Ok(is_empty || has_manifest)
}

pub(super) fn irreplaceable(target: &Path, obstacle: &str) -> Error {
    Error::new(ErrorKind::Exists, format!("the target exists and is {obstacle}"))
        .at(target)
        .hint("choose another target, or move this one away yourself")
}

#[cfg(test)]
mod tests;
