//! Power cuts: every operation of a run is recorded, and after each of them the disk is as a power cut may leave it.
//!
//! In each such state the target is in its old state or in its new one, complete, and the next run succeeds; once
//! success was reported, only the new state is left. That the checker sees what it must see is shown by programs that
//! forget a sync, and by recordings from which one is taken out.

mod chance;
mod disk;
mod operations;
mod toys;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::strace::has_strace;
use crate::support::{ending, is_full_run, tree};
use crate::sweep::{Sweep, sweep};
use crate::visits::{Visit, require};
use crate::worlds::{Job, State, World};

use chance::Chance;
use disk::{ByteLoss, Disk, Found, Loss, Tree};
use operations::{Operation, operations_of, trace};

/// Files with their bytes, and folders.
type Files = BTreeMap<PathBuf, Option<Vec<u8>>>;

/// What a program did to a folder.
struct Recording {
    before: Files,
    after: Files,
    operations: Vec<Operation>,
}

impl Recording {
    /// Runs `command` in `folder` to its successful end.
    fn of(command: &Command, folder: &Path, injections: &[String]) -> Self {
        let before = tree(folder);
        let mut trace = trace();
        trace.injections = injections.to_vec();
        let traced = trace.run(command);
        assert!(traced.output.status.success(), "{}", ending(&traced.output));
        let operations = operations_of(&traced.calls, folder).expect("every operation is understood");
        let recording = Self { before, after: tree(folder), operations };
        let again = recording.disk_after(recording.operations.len()).tree();
        assert!(files_of(&again) == recording.after, "the recording does not tell all that was done");
        recording
    }

    fn disk_after(&self, count: usize) -> Disk {
        let mut disk = Disk::new(&self.before);
        for operation in &self.operations[..count] {
            disk.apply(operation).expect("what was done can be done again");
        }
        disk
    }

    /// All different states in which power cuts may leave the disk, `tries` of them drawn by chance at each operation.
    fn states(&self, tries: usize) -> Vec<CutOff> {
        let mut states = Vec::new();
        let mut known = HashSet::new();
        let mut disk = Disk::new(&self.before);
        for done in 0..=self.operations.len() {
            let last = done.checked_sub(1).map(|last| &self.operations[last]);
            if let Some(operation) = last {
                disk.apply(operation).expect("what was done can be done again");
                if !operation.matters() && done < self.operations.len() {
                    continue;
                }
            }
            let is_reported = done == self.operations.len();
            for (number, loss) in (0..).zip(losses(tries)) {
                let tree = disk.after_power_loss(loss, &mut Chance::new(done as u64 * 1000 + number));
                let mut hasher = DefaultHasher::new();
                (is_reported, &tree).hash(&mut hasher);
                if known.insert(hasher.finish()) {
                    states.push(CutOff { done, is_reported, loss, tree });
                }
            }
        }
        states
    }

    /// The same without some of the operations.
    fn without(&self, is_left_out: impl Fn(usize, &Operation) -> bool) -> Self {
        let kept =
            self.operations.iter().enumerate().filter(|(index, operation)| !is_left_out(*index, operation));
        let operations = kept.map(|(_, operation)| operation.clone()).collect();
        Self { before: self.before.clone(), after: self.after.clone(), operations }
    }

    /// What is violated where `target` shall only ever be as it was or as it became, told by its bytes.
    fn violations_of_bytes(&self, target: &str, tries: usize) -> Vec<String> {
        let part = |files: &Files| -> Files {
            let of_target = files.iter().filter(|(path, _)| path.starts_with(target));
            of_target.map(|(path, bytes)| (path.clone(), bytes.clone())).collect()
        };
        let (old, new) = (part(&self.before), part(&self.after));
        let mut violations = Vec::new();
        for state in self.states(tries) {
            let found = part(&files_of(&state.tree));
            if found != new && (state.is_reported || found != old) {
                violations.push(state.describe(&self.operations));
            }
        }
        violations
    }
}

/// The losses that are tried at every operation.
fn losses(tries: usize) -> Vec<Loss> {
    let loss = |names_kept, bytes| Loss { names_kept, bytes };
    let mut losses = vec![
        loss(100, ByteLoss::None),
        loss(100, ByteLoss::All),
        loss(100, ByteLoss::ZeroedTail),
        loss(100, ByteLoss::CutOff),
        loss(100, ByteLoss::Blocks),
        loss(0, ByteLoss::All),
        loss(0, ByteLoss::None),
    ];
    for number in 0..tries {
        losses.push(loss([50, 90, 75, 100][number % 4], ByteLoss::Any));
    }
    losses
}

/// A state after a power cut.
struct CutOff {
    /// After how many operations.
    done: usize,
    /// Whether the program had reported success.
    is_reported: bool,
    loss: Loss,
    tree: Tree,
}

impl CutOff {
    fn describe(&self, operations: &[Operation]) -> String {
        let last = self.done.checked_sub(1).map(|last| format!("{:.200}", format!("{:?}", operations[last])));
        let reported = if self.is_reported { ", success reported" } else { "" };
        format!("after {} operations{reported}, the last one {last:?}, with {:?}", self.done, self.loss)
    }

    /// Makes the state on a real disk.
    fn make(&self, folder: &Path) {
        let mut made = BTreeMap::new();
        for (path, found) in &self.tree {
            let path = folder.join(path);
            match found {
                Found::Folder => fs::create_dir(&path).expect("a folder"),
                Found::File(node, bytes) => {
                    if let Some(first) = made.get(node) {
                        fs::hard_link(first, &path).expect("a second name");
                    } else {
                        fs::write(&path, bytes).expect("a file");
                        made.insert(*node, path);
                    }
                }
            }
        }
    }
}

fn files_of(tree: &Tree) -> Files {
    let file = |(path, found): (&PathBuf, &Found)| {
        let bytes = match found {
            Found::Folder => None,
            Found::File(_, bytes) => Some(bytes.clone()),
        };
        (path.clone(), bytes)
    };
    tree.iter().map(file).collect()
}

/// Cuts the power at every operation of `job`; `tries` states are drawn by chance at each.
fn cut_off(job: Job, injections: &[String], tries: usize) -> Sweep {
    let since = Instant::now();
    let world = World::new(job);
    let visit = world.enter();
    let recording = Recording::of(&visit.command(), visit.path(), injections);
    drop(visit);
    let states = recording.states(tries);
    let runs_again_every = if is_full_run() { 1 } else { 10 };
    let numbered: Vec<_> = states.iter().enumerate().collect();
    let found = sweep(&numbered, |(number, state)| {
        let visit = Visit::in_state(&world, |folder| state.make(folder));
        let visit = if injections.is_empty() { visit } else { visit.without_exchange() };
        let judge = || {
            let found = visit.examine(true)?;
            require!(
                !state.is_reported || found == State::New,
                "success was reported, and the result is lost"
            );
            if number.is_multiple_of(runs_again_every) {
                visit.run_again()?;
            }
            Ok(if found == State::Old { "old" } else { "new" })
        };
        judge().map_err(|violation| {
            format!("{job:?} {injections:?} {}: {violation}", state.describe(&recording.operations))
        })
    });
    let steps = recording.operations.iter().filter(|operation| operation.matters()).count();
    found.tell(&format!("power loss, {job:?} {}, {steps} operations", injections.join(" ")), since);
    found
}

#[test]
fn a_power_cut_at_any_operation_leaves_the_old_state_or_the_new_one_and_keeps_what_was_reported() {
    if !has_strace() {
        return;
    }
    let tries = if is_full_run() { 25 } else { 1 };
    let since = Instant::now();
    let mut all = Sweep::default();
    let jobs = [
        Job::ExportFolder,
        Job::ExportFolderOver,
        Job::ExportFile,
        Job::ExportFileOver,
        Job::ExportCopy,
        Job::Restore,
        Job::RestoreOver,
        Job::RestoreDiscarding,
        Job::RestoreOverWal,
        Job::RestoreOverHotJournal,
    ];
    for job in Job::asked_for(&jobs) {
        all.add(cut_off(job, &[], tries));
    }
    if is_full_run() {
        let without_exchange = ["renameat2:error=EINVAL".to_string()];
        let jobs = [Job::ExportFolder, Job::ExportFolderOver, Job::ExportFileOver, Job::Restore];
        for job in Job::asked_for(&jobs) {
            all.add(cut_off(job, &without_exchange, tries));
        }
    }
    all.tell("power loss", since);
    all.assert_clean("power loss");
    assert!(all.count("old") > 0 && all.count("new") > 0, "{all:?}");
}

/// Each sync is there for a reason: without it some power cut leaves less than was promised.
#[test]
fn every_single_sync_of_an_export_and_a_restore_is_needed() {
    const TRIES: usize = 20;
    if !has_strace() {
        return;
    }
    for (job, least) in
        [(Job::ExportFolder, 7), (Job::ExportFileOver, 2), (Job::Restore, 2), (Job::RestoreDiscarding, 2)]
    {
        let world = World::new(job);
        let visit = world.enter();
        let recording = Recording::of(&visit.command(), visit.path(), &[]);
        assert_eq!(recording.violations_of_bytes(job.target(), TRIES), Vec::<String>::new(), "{job:?}");
        let is_sync = |operation: &Operation| matches!(operation, Operation::Sync { .. });
        let syncs: Vec<usize> =
            (0..recording.operations.len()).filter(|&index| is_sync(&recording.operations[index])).collect();
        assert!(syncs.len() >= least, "{job:?}: {} syncs", syncs.len());
        for &sync in &syncs {
            let forgetful = recording.without(|index, _| index == sync);
            let violations = forgetful.violations_of_bytes(job.target(), TRIES);
            assert!(!violations.is_empty(), "{job:?}: nobody would miss {:?}", recording.operations[sync]);
        }
    }
}
