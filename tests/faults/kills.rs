//! Killed at any point: at many moments, and before each single call on a file of its world.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::time::Instant;

use crate::points::points_of;
use crate::strace::{Trace, has_strace};
use crate::support::{ending, is_full_run, run};
use crate::sweep::{Sweep, sweep, sweep_sample};
use crate::visits::require;
use crate::worlds::{Job, State, World};

fn is_killed(status: ExitStatus) -> bool {
    const KILL: i32 = 9;
    status.signal() == Some(KILL) || status.code() == Some(128 + KILL)
}

fn told(is_killed: bool, state: State) -> &'static str {
    match (is_killed, state) {
        (true, State::Old) => "killed, old",
        (true, State::New) => "killed, new",
        (false, State::Old) => "ended, old",
        (false, State::New) => "ended, new",
    }
}

/// Kills `job` after delays spread over its usual duration.
fn kill_at_moments(job: Job, moments: u32) -> Sweep {
    let world = World::new(job);
    let since = Instant::now();
    let visit = world.enter();
    let ended = run(&mut visit.command());
    assert!(ended.status.success(), "{job:?}: {}", ending(&ended));
    let usual = since.elapsed();
    let delays: Vec<_> = (0..moments).map(|moment| usual * moment / (moments - 1).max(1)).collect();
    sweep(&delays, |&delay| {
        let visit = world.enter();
        let mut command = visit.command();
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the program starts");
        std::thread::sleep(delay);
        child.kill().expect("killed, or gone already");
        let is_killed = is_killed(child.wait().expect("ended"));
        let describe = |violation| format!("{job:?} killed after {} µs: {violation}", delay.as_micros());
        let state = visit.examine(true).map_err(describe)?;
        visit.run_again().map_err(describe)?;
        Ok(told(is_killed, state))
    })
}

#[test]
fn a_kill_at_any_moment_leaves_the_old_state_or_the_new_one() {
    let moments = if is_full_run() { 120 } else { 6 };
    let since = Instant::now();
    let mut all = Sweep::default();
    for job in Job::asked_for(&Job::ALL) {
        all.add(kill_at_moments(job, moments));
    }
    all.tell("kills at moments", since);
    all.assert_clean("kills at moments");
    assert!(all.count("killed, old") > 0, "no run was killed: {all:?}");
}

/// Kills `job` before each of its calls, with `injections` in force.
fn kill_at_calls(job: Job, injections: &[String], count: usize) -> Sweep {
    let since = Instant::now();
    let world = World::new(job);
    let is_taken = |call: &str| injections.iter().any(|injection| injection.starts_with(&format!("{call}:")));
    let points = points_of(&world, injections).into_iter().filter(|point| !is_taken(&point.call)).collect();
    let found = sweep_sample(points, job.share_of(count), |point| {
        let visit = if injections.is_empty() { world.enter() } else { world.enter().without_exchange() };
        let kill = format!("{}:signal=KILL:when={}", point.call, point.number);
        let trace = Trace::injecting(&[injections, std::slice::from_ref(&kill)].concat());
        let ended = trace.run(&visit.command()).output;
        let describe = |violation| format!("{job:?} with {kill} {injections:?}: {violation}");
        // Which thread makes which call may differ from run to run; and where only the part of the program that
        // works apart is killed, the rest of it says so.
        let is_killed = is_killed(ended.status);
        let judge = || {
            let state = visit.examine(true)?;
            let is_success = ended.status.success();
            require!(is_killed || !is_success || state == State::New, "success was reported of nothing");
            require!(is_killed || is_success || !ended.stderr.is_empty(), "it failed without a word");
            visit.run_again()?;
            Ok(told(is_killed, state))
        };
        judge().map_err(describe)
    });
    found.tell(&format!("kills before calls {}, {job:?}", injections.join(" ")), since);
    found
}

fn killed_of(sweep: &Sweep) -> usize {
    sweep.count("killed, old") + sweep.count("killed, new")
}

fn kill_jobs_at_calls(what: &str, jobs: &[Job], injections: &[String]) {
    const OF_EACH_JOB: usize = 12;
    let jobs = Job::asked_for(jobs);
    if jobs.is_empty() || !has_strace() {
        return;
    }
    let since = Instant::now();
    let mut all = Sweep::default();
    for job in jobs {
        let found = kill_at_calls(job, injections, OF_EACH_JOB);
        assert!(killed_of(&found) > 0, "{job:?}: no run was killed: {found:?}");
        all.add(found);
    }
    all.tell(what, since);
    all.assert_clean(what);
    assert!(killed_of(&all) * 10 >= all.points() * 7, "hardly any run was killed: {all:?}");
    // Both sides of the moment at which the name appears were seen.
    assert!(all.count("killed, old") > 0 && all.count("killed, new") > 0, "{all:?}");
}

#[test]
fn an_export_killed_before_any_call_leaves_the_old_state_or_the_new_one() {
    let jobs = [
        Job::ExportFolder,
        Job::ExportFolderOver,
        Job::ExportFile,
        Job::ExportFileOver,
        Job::ExportCopy,
        Job::ExportSpilling,
    ];
    kill_jobs_at_calls("kills before calls of exports", &jobs, &[]);
}

#[test]
fn a_restore_or_verify_killed_before_any_call_leaves_the_old_state_or_the_new_one() {
    let jobs = [
        Job::Restore,
        Job::RestoreOver,
        Job::RestoreOverWal,
        Job::RestoreOverHotJournal,
        Job::RestoreDiscarding,
        Job::RestoreSpilling,
        Job::Verify,
        Job::VerifyData,
    ];
    kill_jobs_at_calls("kills before calls of restores and verifications", &jobs, &[]);
}

/// Network file systems and older kernels know neither the exchange of two names nor the rename onto a free one.
#[test]
fn where_names_cannot_be_exchanged_a_kill_loses_nothing_either() {
    let jobs = [Job::ExportFolder, Job::ExportFolderOver, Job::ExportFile, Job::ExportFileOver, Job::Restore];
    kill_jobs_at_calls("kills without exchange", &jobs, &["renameat2:error=EINVAL".to_string()]);
}
