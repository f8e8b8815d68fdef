//! One fault after another: a run is killed, and the next one, which clears up after it, meets a failing disk. The old
//! state or the new one stands after each of them, and the third run succeeds.

use std::time::Instant;

use crate::points::{Point, points_of};
use crate::strace::{Trace, has_strace};
use crate::support::{ending, is_full_run};
use crate::sweep::{Sweep, sweep};
use crate::visits::require;
use crate::worlds::{Job, State, World};

/// Jobs that run again over whatever the killed run left.
const JOBS: [Job; 6] = [
    Job::ExportFolderOver,
    Job::ExportFileOver,
    Job::RestoreOver,
    Job::RestoreOverWal,
    Job::RestoreOverHotJournal,
    Job::RestoreDiscarding,
];

/// Where the first run is killed, and what fails in the second one.
type Pair<'p> = (&'p Point, &'p Point);

/// Pairs of different points, drawn as if by chance and always alike.
fn pairs(points: &[Point], count: usize) -> Vec<Pair<'_>> {
    // Numbers are others after a kill: a folder that was listed might be closed, where nothing can go wrong.
    let failing: Vec<_> = points.iter().filter(|point| point.call != "close").collect();
    let pair = |number: usize| {
        (&points[number * 7919 % points.len()], failing[(number * 104_729 + 1) % failing.len()])
    };
    (1..=count).map(pair).collect()
}

fn kill_then_fail(world: &World, (killed, failing): &Pair<'_>) -> Result<&'static str, String> {
    let visit = world.enter();
    let kill = format!("{}:signal=KILL:when={}", killed.call, killed.number);
    let failure = format!("{}:error=EIO:when={}", failing.call, failing.number);
    let run = |injection: &str| Trace::injecting(&[injection.to_string()]).run(&visit.command()).output;
    let first = run(&kill);
    let judge_first = || visit.examine(true);
    let describe = |violation: String| {
        format!("{:?} with {kill}, then {failure}: {violation}\n  {}", world.job, ending(&first))
    };
    // Where the first one got through, the second one would replace another database.
    if judge_first().map_err(describe)? == State::New && world.job.is_restore() {
        return Ok("killed too late");
    }
    let second = run(&failure);
    let judge = || {
        let state = visit.examine(true)?;
        let is_success = second.status.success();
        require!(!is_success || state == State::New, "success was reported of nothing");
        require!(second.status.code().is_some_and(|code| code != 101), "it panicked or was killed");
        visit.run_again()?;
        Ok(if is_success { "done" } else { "refused" })
    };
    judge().map_err(|violation: String| describe(format!("{violation}\n  {}", ending(&second))))
}

#[test]
fn a_failing_disk_while_clearing_up_after_a_kill_leaves_the_old_state_or_the_new_one() {
    if !has_strace() {
        return;
    }
    let count = if is_full_run() { 150 } else { 5 };
    let since = Instant::now();
    let mut all = Sweep::default();
    for job in JOBS {
        let world = World::new(job);
        let points = points_of(&world, &[]);
        all.add(sweep(&pairs(&points, count), |pair| kill_then_fail(&world, pair)));
    }
    all.tell("kills, then failing calls", since);
    all.assert_clean("kills, then failing calls");
    assert!(all.count("done") > 0 && all.count("refused") > 0, "{all:?}");
}
