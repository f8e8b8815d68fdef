//! Disks that are full: that of `--temp-dir`, and that on which everything lies. What does not fit is told, nothing is
//! left behind, and with room the next run succeeds.
//!
//! The disk is a file system of some size in memory, seen by the run alone.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::support::{ending, is_full_run, quick_folder, run, say, tree};
use crate::sweep::{Sweep, sweep};
use crate::visits::{Visit, require};
use crate::worlds::{Job, State, World};

/// What a file system in memory gives out at once.
const PAGE_BYTES: usize = 4096;

/// Which disk is small.
#[derive(Debug, Clone, Copy)]
enum Small {
    Temp,
    All,
}

impl Small {
    /// A shell script; its words are size, mount point, program and arguments.
    fn script(self) -> &'static str {
        match self {
            Self::Temp => {
                r#"mount -t tmpfs -o "size=$1" tmpfs temp || exit 99; shift 2; "$@"; code=$?
                [ -z "$(ls -A temp)" ] || exit 97; exit $code"#
            }
            Self::All => {
                r#"mount -t tmpfs -o "size=$1" tmpfs "$2" && cp -a . "$2" || exit 99; disk=$2; shift 2
                (cd "$disk" && "$@"); code=$?
                find . -mindepth 1 -delete && cp -a "$disk/." . || exit 98; exit $code"#
            }
        }
    }
}

/// `script` of the shell with mounts of its own.
fn isolated(folder: &Path, script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-c", script, "sh"]);
    command.current_dir(folder).stdin(Stdio::null());
    command
}

fn can_mount() -> bool {
    let folder = quick_folder();
    let probe =
        isolated(folder.path(), r#"mount -t tmpfs -o size=64k tmpfs "$1""#).arg(folder.path()).output();
    let can = probe.is_ok_and(|probe| probe.status.success());
    if !can {
        say("skipped: nothing can be mounted here, so no disk is full");
    }
    can
}

/// What the files of a world take on such a disk, in bytes.
fn size_of(world: &Path) -> usize {
    tree(world).values().flatten().map(|bytes| bytes.len().next_multiple_of(PAGE_BYTES)).sum()
}

fn run_within(visit: &Visit<'_>, job: Job, small: Small, size: usize) -> Result<&'static str, String> {
    let mount_point = quick_folder();
    let mut command = isolated(visit.path(), small.script());
    let plain = visit.command();
    command.arg(size.to_string()).arg(mount_point.path()).arg(plain.get_program()).args(plain.get_args());
    if job == Job::Verify && matches!(small, Small::Temp) {
        command.args(["--temp-dir", "temp"]);
    }
    let ended = run(&mut command);
    let judge = || {
        let state = visit.examine(false)?;
        let found = match (ended.status.code(), state) {
            (Some(0), State::New) => "done",
            (Some(1), State::Old) => "refused",
            (Some(1), State::New) if job.is_verify() => "refused",
            (Some(97), _) => return Err("something was left behind".to_string()),
            (code, state) => return Err(format!("{code:?} with the target {state:?}")),
        };
        let told = String::from_utf8_lossy(&ended.stderr);
        let is_clear = told.starts_with("error: ") && told.contains("space");
        require!(found != "refused" || is_clear, "the error is not clear");
        visit.run_again()?;
        Ok(found)
    };
    judge().map_err(|violation| format!("{job:?}, {small:?} {size}: {violation}\n  {}", ending(&ended)))
}

/// Runs `jobs` with each of `rooms`, in KiB, on the disk, and more of them in a full run.
fn fill(what: &str, small: Small, jobs: &[Job], rooms: &[usize]) {
    if !can_mount() {
        return;
    }
    let since = Instant::now();
    let mut rooms = rooms.to_vec();
    if is_full_run() {
        rooms.extend((1..40).map(|step| step * 4));
        rooms.extend((1..12).map(|step| step * 2048));
    }
    let mut all = Sweep::default();
    for &job in jobs {
        let world = World::new(job);
        let taken = match small {
            Small::Temp => 0,
            Small::All => size_of(world.folder.path()),
        };
        all.add(sweep(&rooms, |room| {
            let size = (taken + room * 1024).max(PAGE_BYTES);
            run_within(&world.enter(), job, small, size)
        }));
    }
    all.tell(what, since);
    all.assert_clean(what);
    assert!(all.count("done") > 0 && all.count("refused") > 0, "{all:?}");
}

#[test]
fn a_full_folder_for_temporary_files_is_told_and_nothing_is_left() {
    fill("full --temp-dir", Small::Temp, &[Job::ExportCopy, Job::Verify], &[4, 40, 1024]);
    let spilling = [Job::ExportSpilling, Job::RestoreSpilling];
    fill("full --temp-dir, spilling", Small::Temp, &spilling, &[1024, 65_536]);
}

#[test]
fn a_full_disk_is_told_and_the_old_state_stays() {
    let jobs = Job::ALL.into_iter().filter(|job| !job.spills() && *job != Job::VerifyData);
    fill("full disk", Small::All, &jobs.collect::<Vec<_>>(), &[0, 24, 2048]);
}
