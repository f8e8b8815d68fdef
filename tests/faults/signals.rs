//! Asked to stop before any call on a file: nothing is left behind, and nothing partial gets a name.

use std::os::unix::process::ExitStatusExt as _;
use std::time::Instant;

use crate::points::points_of;
use crate::strace::{Trace, has_strace};
use crate::support::ending;
use crate::sweep::{Sweep, sweep_sample};
use crate::visits::require;
use crate::worlds::{Job, State, World};

/// Signals that ask to stop, with their numbers.
const SIGNALS: [(&str, i32); 3] = [("INT", 2), ("TERM", 15), ("HUP", 1)];

fn signal_at_calls(job: Job, count: usize) -> Sweep {
    let since = Instant::now();
    let world = World::new(job);
    let points = points_of(&world, &[]);
    // One signal for each call, in turn: the program treats them alike.
    let points: Vec<_> = points.into_iter().zip(SIGNALS.into_iter().cycle()).collect();
    let found = sweep_sample(points, job.share_of(count), |(point, (signal, number))| {
        let visit = world.enter();
        let injection = format!("{}:signal={signal}:when={}", point.call, point.number);
        let traced = Trace::injecting(std::slice::from_ref(&injection)).run(&visit.command());
        let ended = traced.output;
        // It reaches each thread that comes so far; a second signal ends the run at once.
        let is_urged = traced.signals > 1;
        let judge = || {
            let state = visit.examine(is_urged)?;
            let is_unheard =
                ended.status.signal() == Some(*number) || ended.status.code() == Some(128 + number);
            let found = match (ended.status.code(), state) {
                (Some(0), State::New) => "too late to stop",
                // Nothing had begun, and nobody listened yet.
                _ if is_unheard && *number != 2 => "ended at once",
                _ if is_unheard && ended.stderr.is_empty() => "ended at once",
                (Some(130), State::Old) => "stopped",
                (Some(130), State::New) if job.is_verify() => "stopped",
                (code, state) => return Err(format!("{code:?} with the target {state:?}")),
            };
            require!(found != "stopped" || is_urged || !ended.stderr.is_empty(), "it stopped without a word");
            visit.run_again()?;
            Ok(found)
        };
        judge().map_err(|violation| format!("{job:?} with {injection}: {violation}\n  {}", ending(&ended)))
    });
    found.tell(&format!("signals before calls, {job:?}"), since);
    found
}

#[test]
fn a_run_that_is_asked_to_stop_at_any_call_leaves_nothing_behind() {
    const OF_EACH_JOB: usize = 8;
    if !has_strace() {
        return;
    }
    let since = Instant::now();
    let mut all = Sweep::default();
    for job in Job::asked_for(&Job::ALL).into_iter().filter(|job| !job.spills()) {
        all.add(signal_at_calls(job, OF_EACH_JOB));
    }
    all.tell("signals before calls", since);
    all.assert_clean("signals before calls");
    assert!(all.count("stopped") > 0 && all.count("too late to stop") > 0, "{all:?}");
}
