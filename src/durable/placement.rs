//! The steps of publishing: rename, look again, sync, and the way back when one of them fails.
//!
//! An error means that the old state is in place again; the two exceptions say so in their messages.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};

use super::leftovers::{DISPLACED, REPLACED};
use super::path_kind::{PathKind, holding_folder, kind_of_name};
use super::publish::{Existing, TargetForm, check_target, irreplaceable, obstacle};
use super::rename::{exchange, is_unsupported, rename_onto_free_name};
use super::stage::Stage;
use super::sync::Folder;

/// How often a target that appears and vanishes meanwhile is looked at again.
const ATTEMPTS: usize = 8;

/// One synced staged thing on its way to its name.
pub(super) struct Placement<'a> {
    pub(super) stage: &'a Stage,
    pub(super) staged: PathBuf,
    /// Tidied, so that its last part is the name itself.
    pub(super) target: PathBuf,
    pub(super) form: TargetForm,
    /// Syncs the folder that holds the target; opened before anything is renamed.
    pub(super) sync_parent: &'a dyn Fn() -> Result<()>,
}

/// Whether a try settled the matter.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Try {
    Done,
    /// The target appeared or vanished meanwhile.
    Again,
}

impl Placement<'_> {
    /// Gives the staged thing its name, replacing what `existing` and the form allow.
    pub(super) fn place(&self, existing: Existing) -> Result<()> {
        for _ in 0..ATTEMPTS {
            // Every round looks anew: what may be replaced is decided on what is there now.
            check_target(&self.target, self.form, existing)?;
            let tried = match (existing, kind_of_name(&self.target)?) {
                (Existing::Refuse, _) | (Existing::Replace, PathKind::Missing) => self.onto_free_name()?,
                (Existing::Replace, _) => self.by_exchange()?,
            };
            if tried == Try::Done {
                return Ok(());
            }
        }
        Err(Error::new(ErrorKind::Failed, "the target keeps appearing and vanishing").at(&self.target))
    }

    fn onto_free_name(&self) -> Result<Try> {
        match rename_onto_free_name(&self.staged, &self.target) {
            Ok(()) => self.settle(|| rename_onto_free_name(&self.target, &self.staged)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Try::Again),
            Err(error) => Err(self.cannot_name(error)),
        }
    }

    fn by_exchange(&self) -> Result<Try> {
        match exchange(&self.staged, &self.target) {
            Ok(()) => self.after_exchange(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Try::Again),
            Err(error) if is_unsupported(&error) => self.without_exchange(),
            Err(error) => Err(self.cannot_name(error)),
        }
    }

    /// What was exchanged is looked at once more: it may have come between the check and the exchange.
    fn after_exchange(&self) -> Result<Try> {
        let undo = || exchange(&self.staged, &self.target);
        if let Err(error) = self.must_be_replaceable(&self.staged) {
            return Err(self.undone(error, undo));
        }
        self.settle(undo)?;
        remove_replaced(&self.staged);
        Ok(Try::Done)
    }

    pub(super) fn without_exchange(&self) -> Result<Try> {
        match self.form {
            TargetForm::File => self.over_file().map(|()| Try::Done),
            TargetForm::Directory => self.by_displacing(),
        }
    }

    /// Renames over an existing file: the one step that cannot be undone, the old file being gone with it.
    pub(super) fn over_file(&self) -> Result<()> {
        fs::rename(&self.staged, &self.target).map_err(|error| self.cannot_name(error))?;
        self.settle(|| Err(io::ErrorKind::Unsupported.into())).map(|_| ())
    }

    /// Moves the old folder into the stage, under its own name so that it can be put back even after a kill.
    fn by_displacing(&self) -> Result<Try> {
        self.must_be_beside_the_stage()?;
        let name = self.target.file_name().unwrap_or_default();
        let folder = self.stage.path().join(DISPLACED);
        if !folder.is_dir() {
            self.stage.create_folder(DISPLACED)?;
        }
        // A power cut must not keep the move and lose the folder that it leads to.
        Folder::open(self.stage.path())?.sync()?;
        let displaced = folder.join(name);
        match rename_onto_free_name(&self.target, &displaced) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Try::Again),
            Err(error) => return Err(self.cannot_name(error)),
        }
        let put_back = || {
            rename_onto_free_name(&displaced, &self.target)
                .inspect_err(|_| self.stage.keep_displaced_target())
        };
        if let Err(error) = self.must_be_replaceable(&displaced) {
            return Err(self.undone(error, put_back));
        }
        if let Err(error) = rename_onto_free_name(&self.staged, &self.target) {
            return Err(self.undone(self.cannot_name(error), put_back));
        }
        self.settle(|| rename_onto_free_name(&self.target, &self.staged).and_then(|()| put_back()))?;
        // From here on it is no longer to be put back; one step says so, removing takes many.
        let replaced = self.stage.path().join(REPLACED);
        remove_replaced(if fs::rename(&displaced, &replaced).is_ok() { &replaced } else { &displaced });
        Ok(Try::Done)
    }

    /// A displaced folder is put back beside its stage, so that is where it must come from.
    fn must_be_beside_the_stage(&self) -> Result<()> {
        let real = |folder: PathBuf| {
            fs::canonicalize(&folder).map_err(|error| Error::io("looking at a folder", &folder, error))
        };
        if real(self.stage.parent())? == real(holding_folder(&self.target))? {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Failed,
            "this file system cannot exchange two names, and the stage is not beside the target",
        )
        .at(&self.target))
    }

    fn must_be_replaceable(&self, replaced: &Path) -> Result<()> {
        match obstacle(replaced, kind_of_name(replaced)?, self.form)? {
            Some(obstacle) => Err(irreplaceable(&self.target, obstacle)),
            None => Ok(()),
        }
    }

    /// Makes the new name durable; where that fails, goes back to the old state.
    fn settle(&self, undo: impl FnOnce() -> io::Result<()>) -> Result<Try> {
        match (self.sync_parent)() {
            Ok(()) => Ok(Try::Done),
            Err(error) => Err(self.undone(error, undo)),
        }
    }

    /// The error to report after going back to the old state, or the worse one when that fails too.
    fn undone(&self, error: Error, undo: impl FnOnce() -> io::Result<()>) -> Error {
        match undo() {
            Ok(()) => error,
            Err(_) if self.stage.holds_a_displaced_target() => Error::new(
                ErrorKind::Failed,
                format!(
                    "replacing the target failed half way; the old one is kept in {}",
                    self.stage.path().join(DISPLACED).display()
                ),
            )
            .at(&self.target)
            .hint("move it back by hand; the next run does so if the name is still free then")
            .because(error),
            Err(_) => Error::new(
                ErrorKind::Failed,
                "the new target is in place, but the disk did not confirm it: it may not survive a power cut",
            )
            .at(&self.target)
            .hint("check the disk, then verify the target")
            .because(error),
        }
    }

    fn cannot_name(&self, error: io::Error) -> Error {
        Error::io("giving the finished work its name", &self.target, error)
    }
}

/// Removes what was replaced. What cannot be removed now goes with the stage, or with a later run's clearing.
fn remove_replaced(path: &Path) {
    let _best_effort = match kind_of_name(path) {
        Ok(PathKind::Directory) => fs::remove_dir_all(path),
        _ => fs::remove_file(path),
    };
}
