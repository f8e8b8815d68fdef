//! A disk that fails: each call that writes, syncs, names or removes fails once, or from then on.

use crate::support::{ending, has_strace, run, say};
use crate::worlds::{Job, State, World, count_calls, tracer};

/// Calls and what they may answer.
const FAILURES: [(&str, &[&str]); 11] = [
    ("write", &["ENOSPC", "EIO"]),
    ("pwrite64", &["ENOSPC", "EIO"]),
    ("fsync", &["EIO", "ENOSPC"]),
    ("fdatasync", &["EIO"]),
    ("rename", &["EIO", "EACCES", "ENOSPC"]),
    ("renameat2", &["EIO", "EACCES", "ENOSPC"]),
    ("link", &["EIO"]),
    ("linkat", &["EIO", "ENOSPC"]),
    ("mkdir", &["EACCES", "ENOSPC"]),
    ("unlinkat", &["EIO"]),
    ("ftruncate", &["EIO"]),
];

#[derive(Debug, Default)]
struct Sweep {
    points: usize,
    /// The program said so, and nothing had happened.
    refused: usize,
    /// The program said so, and that the new state is there but unproven.
    unproven: usize,
    /// The failure did not matter.
    done: usize,
}

fn fail_at_calls(job: Job) -> Sweep {
    let world = World::new(job);
    let mut sweep = Sweep::default();
    let calls = FAILURES.map(|(call, _)| call);
    for ((call, count), (_, errors)) in count_calls(&world, &calls, &[]).into_iter().zip(FAILURES) {
        for (number, error) in (1..=count).flat_map(|number| errors.iter().map(move |error| (number, error)))
        {
            for until in ["", "+"] {
                let injection = format!("{call}:error={error}:when={number}{until}");
                let what = format!("{job:?} with {injection}");
                fail_once(&world, job, &injection, &what, &mut sweep);
            }
        }
    }
    sweep
}

fn fail_once(world: &World, job: Job, injection: &str, what: &str, sweep: &mut Sweep) {
    let visit = world.enter();
    let ended = run(&mut visit.command(&tracer(&[injection.to_string()])));
    let message = String::from_utf8_lossy(&ended.stderr).into_owned();
    // What cannot be removed stays, but only that.
    let may_leave = injection.starts_with("unlinkat");
    let state = visit.examine(what, may_leave);
    sweep.points += 1;
    match (ended.status.code(), state) {
        (Some(0), State::New) => sweep.done += 1,
        (Some(1), State::New) if job != Job::Verify => {
            // Where even the error cannot be written, there is no message.
            let is_told = message.contains("did not confirm") || injection.starts_with("write:");
            assert!(is_told, "{what}: published, yet failed: {message}");
            sweep.unproven += 1;
        }
        (Some(1), _) => {
            let is_told = message.starts_with("error: ") || injection.starts_with("write:");
            assert!(is_told && !message.contains("panicked"), "{what}: {message}");
            sweep.refused += 1;
        }
        _ => panic!("{what}: {state:?}, {}", ending(&ended)),
    }
    visit.run_again(what);
}

fn fail_jobs(jobs: &[Job]) {
    if !has_strace() {
        return;
    }
    for &job in jobs {
        let sweep = fail_at_calls(job);
        say(&format!("failing calls, {job:?}: {sweep:?}"));
        assert!(sweep.refused > 0, "{job:?}: no failure was noticed");
    }
}

#[test]
fn an_export_on_a_failing_disk_leaves_the_old_state() {
    fail_jobs(&[
        Job::ExportFolder,
        Job::ExportFolderOver,
        Job::ExportFile,
        Job::ExportFileOver,
        Job::ExportCopy,
    ]);
}

#[test]
fn a_restore_or_verify_on_a_failing_disk_leaves_the_old_state() {
    fail_jobs(&[Job::Restore, Job::RestoreOver, Job::RestoreOverWal, Job::RestoreDiscarding, Job::Verify]);
}
