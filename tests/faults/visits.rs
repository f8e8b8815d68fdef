//! One run of a job in a world of its own, and the judgement of what it left.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::support::{copy_tree, dump, ending, names, parklite, quick_folder, run, stages, tree};
use crate::worlds::{Job, State, World};

/// Ends the judgement with words where something is not as it must be.
macro_rules! require {
    ($holds:expr, $($words:tt)*) => {
        if !$holds {
            return Err(format!($($words)*));
        }
    };
}
pub(crate) use require;

/// One run of a job in a world of its own.
pub(crate) struct Visit<'w> {
    world: &'w World,
    folder: TempDir,
    exchanges: bool,
}

impl World {
    /// A fresh copy of this world to run the job in.
    pub(crate) fn enter(&self) -> Visit<'_> {
        let folder = quick_folder();
        copy_tree(self.folder.path(), folder.path());
        Visit { world: self, folder, exchanges: true }
    }
}

impl<'w> Visit<'w> {
    /// A folder of this world as `make` makes it.
    pub(crate) fn in_state(world: &'w World, make: impl FnOnce(&Path)) -> Self {
        let folder = quick_folder();
        make(folder.path());
        Visit { world, folder, exchanges: true }
    }
}

impl Visit<'_> {
    /// The run of this visit cannot exchange two names: a folder that is replaced may be away for a moment.
    pub(crate) fn without_exchange(mut self) -> Self {
        self.exchanges = false;
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The job's command line.
    pub(crate) fn command(&self) -> Command {
        parklite(self.path(), self.world.job.arguments())
    }

    /// Finds the target in its old state or in its new one, complete, and nothing beside it that is not allowed.
    ///
    /// `leftovers`: those of a killed run are allowed.
    pub(crate) fn examine(&self, leftovers: bool) -> Result<State, String> {
        let job = self.world.job;
        // Before the judges come, who might clear up.
        let found = names(self.path());
        let temp = stages(&self.path().join("temp"));
        require!(leftovers || temp.is_empty(), "{temp:?} was left behind");
        let state = self.state()?;
        let before = names(self.world.folder.path());
        for name in &found {
            let is_target = name == job.target();
            let is_stage = name.starts_with(".parklite-stage-");
            let is_kept = job.keeps_old() && name.starts_with("target.db.before-restore-");
            let is_journal = job.is_restore() && job.replaces() && name.starts_with("target.db-");
            let is_allowed = is_target || before.contains(name) || is_kept || (leftovers && is_stage);
            require!(is_allowed || is_journal, "{name} was left behind");
            require!(!is_journal || state == State::Old, "{name} stands beside the restored database");
            if is_kept {
                self.judge_kept(name, state, leftovers)?;
            }
        }
        self.judge_others(&before)?;
        if job.keeps_old() && state == State::New {
            let is_kept = |name: &String| name.contains(".before-restore-");
            require!(found.iter().any(is_kept), "the old database is gone");
        }
        Ok(state)
    }

    /// What is kept aside is the old database; before that one is replaced, it is but its second name.
    fn judge_kept(&self, name: &str, state: State, leftovers: bool) -> Result<(), String> {
        let (kept, target) = (self.path().join(name), self.path().join("target.db"));
        if state == State::New {
            require!(dump(&kept).as_ref() == Ok(&self.world.old_dump), "{name} is not the old one");
            return Ok(());
        }
        // Its journals are the target's own.
        let is_second_name = is_same_file(&kept, &target);
        require!(leftovers && is_second_name, "{name} is kept, but nothing was replaced");
        Ok(())
    }

    /// What the job only reads is as it was.
    fn judge_others(&self, before: &[String]) -> Result<(), String> {
        for name in before.iter().filter(|name| !name.starts_with(self.world.job.target())) {
            let (now, then) = (self.path().join(name), self.world.folder.path().join(name));
            let is_same = if then.is_file() {
                fs::read(now).ok() == fs::read(then).ok()
            } else {
                name == "temp" || tree(&now) == tree(&then)
            };
            require!(is_same, "{name} was changed");
        }
        Ok(())
    }

    fn state(&self) -> Result<State, String> {
        let job = self.world.job;
        let (now, then) = (self.path().join(job.target()), self.world.folder.path().join(job.target()));
        if !now.exists() {
            require!(!job.replaces() || self.is_displaced(&then), "the target is gone");
            return Ok(State::Old);
        }
        if job.is_restore() {
            let found = dump(&now).map_err(|error| format!("the target does not open: {error}"))?;
            if found == self.world.new_dump {
                return Ok(State::New);
            }
            require!(job.replaces() && found == self.world.old_dump, "the target is neither old nor new");
            return Ok(State::Old);
        }
        let same = if now.is_dir() {
            then.is_dir() && tree(&now) == tree(&then)
        } else {
            fs::read(&now).ok() == fs::read(&then).ok()
        };
        if same && job.replaces() {
            return Ok(if job.is_verify() { State::New } else { State::Old });
        }
        require!(!job.is_verify(), "the snapshot was changed by being verified");
        judge_snapshot(&now)?;
        Ok(State::New)
    }

    /// Whether the old folder waits, whole, in the stage of a run that could not exchange two names.
    fn is_displaced(&self, then: &Path) -> bool {
        let may_be = |stage: &String| {
            let displaced = self.path().join(stage).join(".displaced").join(self.world.job.target());
            displaced.is_dir() && then.is_dir() && tree(&displaced) == tree(then)
        };
        !self.exchanges && stages(self.path()).iter().any(may_be)
    }

    /// Runs the job once more, as a person would after the fault: it succeeds and clears what was left.
    pub(crate) fn run_again(&self) -> Result<(), String> {
        let job = self.world.job;
        if !job.replaces() {
            // What was published already stands in the way of the same name, rightly.
            let target = self.path().join(job.target());
            let _ = if target.is_dir() { fs::remove_dir_all(target) } else { fs::remove_file(target) };
        }
        let again = run(&mut self.command());
        require!(again.status.success(), "the next run failed: {}", ending(&again));
        let left = [stages(self.path()), stages(&self.path().join("temp"))].concat();
        // One that only reads a snapshot has no folder to clear.
        require!(left.is_empty() || job == Job::VerifyData, "the next run did not clear up: {left:?}");
        require!(self.state()? == State::New, "after the next run the target is not new");
        let target = self.path().join(job.target());
        for name in names(self.path()).iter().filter(|name| name.contains(".before-restore-")) {
            let kept = self.path().join(name);
            let found = dump(&kept)?;
            let is_old_or_new = [&self.world.old_dump, &self.world.new_dump].contains(&&found);
            require!(is_old_or_new, "{name} is neither old nor new");
            require!(!is_same_file(&kept, &target), "{name} is the target itself");
        }
        Ok(())
    }
}

/// That a snapshot of the new database is whole, by the program's own proof.
fn judge_snapshot(path: &Path) -> Result<(), String> {
    let scratch = quick_folder();
    let mut verify = parklite(scratch.path(), ["verify", "--temp-dir", "."]);
    let verified = run(verify.arg(path));
    require!(verified.status.success(), "the target is not intact: {}", ending(&verified));
    let manifest = if path.is_dir() { path.join("manifest.json") } else { path.to_path_buf() };
    let facts = fs::read(manifest).map_err(|error| error.to_string())?;
    let name = b"new.db";
    require!(facts.windows(name.len()).any(|part| part == name), "the target is of another source");
    Ok(())
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    identity(one).is_some() && identity(one) == identity(other)
}
