//! Killed at any point: at many moments, and before each single call that changes something on the disk.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::support::{ending, has_strace, is_full_run, run, say};
use crate::worlds::{Job, State, World, count_calls, tracer};

const CALLS: [&str; 16] = [
    "openat",
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "mkdir",
    "unlink",
    "unlinkat",
    "rmdir",
    "ftruncate",
    "fallocate",
];

fn is_killed(status: ExitStatus) -> bool {
    const KILL: i32 = 9;
    status.signal() == Some(KILL) || status.code() == Some(128 + KILL)
}

/// What a sweep saw.
#[derive(Debug, Default)]
struct Sweep {
    points: usize,
    killed: usize,
    old: usize,
    new: usize,
}

impl Sweep {
    fn count(&mut self, is_killed: bool, state: State) {
        self.points += 1;
        self.killed += usize::from(is_killed);
        match state {
            State::Old => self.old += 1,
            State::New => self.new += 1,
        }
    }

    fn add(&mut self, other: &Self) {
        self.points += other.points;
        self.killed += other.killed;
        self.old += other.old;
        self.new += other.new;
    }
}

/// Kills `job` after delays spread over its usual duration.
fn kill_at_moments(job: Job, moments: u32) -> Sweep {
    let world = World::new(job);
    let since = Instant::now();
    let visit = world.enter();
    let ended = run(&mut visit.command(&[]));
    assert!(ended.status.success(), "{job:?}: {}", ending(&ended));
    let usual = since.elapsed();
    let mut sweep = Sweep::default();
    for moment in 0..moments {
        let delay = usual * moment / (moments - 1).max(1);
        let visit = world.enter();
        let mut child = visit
            .command(&[])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        std::thread::sleep(delay);
        child.kill().expect("killed, or gone already");
        let status = child.wait().expect("ended");
        let what = format!("{job:?} killed after {} µs", delay.as_micros());
        sweep.count(is_killed(status), visit.examine(&what, true));
        visit.run_again(&what);
    }
    sweep
}

#[test]
fn a_kill_at_any_moment_leaves_the_old_state_or_the_new_one() {
    let moments = if is_full_run() { 120 } else { 12 };
    let mut all = Sweep::default();
    for job in Job::ALL {
        all.add(&kill_at_moments(job, moments));
    }
    say(&format!("kills at moments: {all:?}"));
    assert!(all.killed > 0 && all.old > 0, "no run was killed: {all:?}");
}

/// Kills `job` before each of its calls, with `injections` in force.
fn kill_at_calls(job: Job, injections: &[String]) -> Sweep {
    let world = World::new(job);
    let mut sweep = Sweep::default();
    for (call, count) in count_calls(&world, &CALLS, injections) {
        for number in 1..=count {
            if injections.iter().any(|injection| injection.starts_with(&format!("{call}:"))) {
                continue;
            }
            let visit = if injections.is_empty() { world.enter() } else { world.enter().without_exchange() };
            let mut injections = injections.to_vec();
            injections.push(format!("{call}:signal=KILL:when={number}"));
            let ended = run(&mut visit.command(&tracer(&injections)));
            let what = format!("{job:?} killed before {call} {number} ({injections:?})");
            // Which thread makes which call may differ from run to run.
            let is_killed = is_killed(ended.status);
            assert!(is_killed || ended.status.success(), "{what}: {}", ending(&ended));
            sweep.count(is_killed, visit.examine(&what, true));
            visit.run_again(&what);
        }
    }
    sweep
}

fn kill_jobs_at_calls(what: &str, jobs: &[Job], injections: &[String]) {
    if !has_strace() {
        return;
    }
    let since = Instant::now();
    let mut all = Sweep::default();
    for &job in jobs {
        let sweep = kill_at_calls(job, injections);
        say(&format!("{what}, {job:?}: {sweep:?}"));
        assert!(sweep.killed * 10 >= sweep.points * 9, "hardly any run was killed: {sweep:?}");
        all.add(&sweep);
    }
    say(&format!("{what}: {all:?} in {:?}", Duration::from_secs(since.elapsed().as_secs())));
    // Both sides of the moment at which the name appears were seen.
    assert!(all.old > 0 && all.new > 0, "{all:?}");
}

#[test]
fn an_export_killed_before_any_call_leaves_the_old_state_or_the_new_one() {
    let jobs =
        [Job::ExportFolder, Job::ExportFolderOver, Job::ExportFile, Job::ExportFileOver, Job::ExportCopy];
    kill_jobs_at_calls("kills before calls", &jobs, &[]);
}

#[test]
fn a_restore_or_verify_killed_before_any_call_leaves_the_old_state_or_the_new_one() {
    let jobs = [
        Job::Restore,
        Job::RestoreOver,
        Job::RestoreOverWal,
        Job::RestoreOverHotJournal,
        Job::RestoreDiscarding,
        Job::Verify,
    ];
    kill_jobs_at_calls("kills before calls", &jobs, &[]);
}

/// Network file systems and older kernels know neither the exchange of two names nor the rename onto a free one.
#[test]
fn where_names_cannot_be_exchanged_a_kill_loses_nothing_either() {
    let jobs = [Job::ExportFolder, Job::ExportFolderOver, Job::ExportFile, Job::ExportFileOver, Job::Restore];
    kill_jobs_at_calls("kills without exchange", &jobs, &["renameat2:error=EINVAL".to_string()]);
}
