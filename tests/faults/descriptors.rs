//! Closed and scarce descriptors, scarce threads, limits on file sizes, and outputs that take nothing.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::strace::{Trace, has_strace};
use crate::support::{PARKLITE, ending, is_full_run, run, say, tree};
use crate::sweep::{Sweep, sweep};
use crate::visits::{Visit, require};
use crate::worlds::{Job, State, World};

const JOBS: [Job; 7] = [
    Job::ExportFolder,
    Job::ExportFileOver,
    Job::ExportCopy,
    Job::Restore,
    Job::RestoreOver,
    Job::RestoreOverWal,
    Job::Verify,
];

/// A job's command line behind a shell that does `redirections` first; everything is told, in lines.
fn redirected(visit: &Visit<'_>, job: Job, redirections: &str) -> Command {
    let mut command = Command::new("sh");
    command.current_dir(visit.path()).arg("-c").arg(format!(r#"exec "$@" {redirections}"#)).arg("sh");
    command.arg(PARKLITE).args(job.arguments()).args(["--progress", "plain"]).stdin(Stdio::null());
    command
}

/// A database opened as descriptor 2 would get every message written into it.
#[test]
fn no_file_of_ours_is_ever_opened_as_a_standard_stream() {
    for job in JOBS {
        let world = World::new(job);
        for closed in 0..8 {
            let close = |bit: i32, text: &'static str| if closed & bit != 0 { text } else { "" };
            let redirections = [close(1, "<&-"), close(2, ">&-"), close(4, "2>&-")].join(" ");
            let visit = world.enter();
            let command = &mut redirected(&visit, job, &redirections);
            let ended = if has_strace() {
                let trace = Trace { calls: "open,openat,creat,dup2,dup3".into(), ..Trace::default() };
                let traced = trace.run(command);
                for call in traced.calls.iter().filter(|call| call.touches(visit.path())) {
                    let is_standard = ["0<", "1<", "2<"].iter().any(|start| call.result.starts_with(start));
                    assert!(!is_standard, "{job:?} {redirections}: {call:?}");
                }
                traced.output
            } else {
                run(command)
            };
            assert!(ended.status.success(), "{job:?} {redirections}: {}", ending(&ended));
            let state = visit.examine(false);
            assert_eq!(state, Ok(State::New), "{job:?} {redirections}");
        }
    }
}

#[test]
fn errors_that_nobody_can_hear_change_nothing_and_keep_their_exit_codes() {
    let world = World::new(Job::Restore);
    let visit = world.enter();
    fs::write(visit.path().join("snapshot/views.sql"), "changed").expect("damaged");
    fs::write(visit.path().join("target.db"), "not a database").expect("in the way");
    let before = tree(visit.path());
    for (arguments, code) in [
        (["export", "none.db"].as_slice(), 10),
        (&["export", "new.db", "-o", "snapshot"], 12),
        (&["restore", "snapshot", "target.db"], 12),
        (&["restore", "snapshot", "target.db", "--overwrite"], 12),
        (&["verify", "snapshot"], 4),
        (&["verify", "new.db", "--nonsense"], 2),
    ] {
        let mut command = Command::new("sh");
        command
            .current_dir(visit.path())
            .args(["-c", r#"exec "$@" <&- >&- 2>&-"#, "sh", PARKLITE])
            .args(arguments);
        let ended = run(&mut command);
        assert_eq!(ended.status.code(), Some(code), "{arguments:?}");
        assert!(tree(visit.path()) == before, "{arguments:?} changed a file");
    }
}

/// The work is done and stays done; only the report could not be written.
#[test]
fn a_report_that_cannot_be_written_is_a_failure_and_the_result_stays() {
    if !Path::new("/dev/full").exists() {
        say("skipped: there is no /dev/full here, so every report can be written");
        return;
    }
    for job in JOBS {
        let world = World::new(job);
        for (redirections, code) in [(">/dev/full", 1), ("2>/dev/full", 0), (">/dev/full 2>&1", 1)] {
            let visit = world.enter();
            let ended = run(&mut redirected(&visit, job, redirections));
            assert_eq!(ended.status.code(), Some(code), "{job:?} {redirections}: {}", ending(&ended));
            assert_eq!(visit.examine(false), Ok(State::New), "{job:?} {redirections}");
        }
        // Nobody reads either stream.
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let visit = world.enter();
        let mut command = Command::new(PARKLITE);
        command.current_dir(visit.path()).args(job.arguments()).args(["--progress", "plain"]);
        let other = OwnedFd::from(writer.try_clone().expect("a second end"));
        command.stdin(Stdio::null()).stdout(OwnedFd::from(writer)).stderr(other);
        let status = command.status().expect("the program starts");
        assert_eq!(status.code(), Some(0), "{job:?} into a pipe that nobody reads");
        assert_eq!(visit.examine(false), Ok(State::New), "{job:?}");
    }
}

/// Whether limits can be set; says so where they cannot.
pub(crate) fn has_prlimit() -> bool {
    let probe = Command::new("prlimit").args(["--nofile=64", "true"]).output();
    let found = probe.is_ok_and(|output| output.status.success());
    if !found {
        say("skipped: there is no prlimit here, so nothing runs within narrow limits");
    }
    found
}

/// Runs each job under each of `limits`, as options of `prlimit`: success, or an error whose text `is_clear`.
///
/// `leftovers`: with so little not even everything can be removed, which the next run does.
fn run_within(
    limits: &[String],
    leftovers: bool,
    is_clear: impl Fn(&Output) -> bool + Sync,
) -> Option<Sweep> {
    if !has_prlimit() {
        return None;
    }
    let mut all = Sweep::default();
    for job in JOBS {
        let world = World::new(job);
        all.add(sweep(limits, |limit| {
            let visit = world.enter();
            let mut command = Command::new("prlimit");
            let plain = visit.command();
            command.current_dir(visit.path()).arg(limit).arg(plain.get_program()).args(plain.get_args());
            let ended = run(command.stdin(Stdio::null()));
            let judge = || {
                let state = visit.examine(leftovers)?;
                let found = match (ended.status.code(), state) {
                    (Some(0), State::New) => "done",
                    // The loader itself may open too few files.
                    (Some(127), _) => "not started",
                    (Some(1), State::Old) => "refused",
                    (Some(1), State::New) if job.is_verify() => "refused",
                    (code, state) => return Err(format!("{code:?} with the target {state:?}")),
                };
                require!(found != "refused" || is_clear(&ended), "the error is not clear");
                visit.run_again()?;
                Ok(found)
            };
            judge().map_err(|violation| format!("{job:?} with {limit}: {violation}\n  {}", ending(&ended)))
        }));
    }
    Some(all)
}

#[test]
fn too_few_descriptors_are_a_clear_error_or_enough() {
    let limits: Vec<u32> =
        if is_full_run() { (3..40).collect() } else { vec![3, 4, 5, 6, 7, 8, 10, 12, 16, 24, 32] };
    let limits: Vec<String> = limits.iter().map(|limit| format!("--nofile={limit}")).collect();
    let is_clear = |ended: &Output| {
        let told = String::from_utf8_lossy(&ended.stderr);
        told.starts_with("error: ")
            && ["Too many open files", "unable to open"].iter().any(|text| told.contains(text))
    };
    let Some(found) = run_within(&limits, true, is_clear) else { return };
    found.tell("few descriptors", std::time::Instant::now());
    found.assert_clean("few descriptors");
    assert!(found.count("done") > 0 && found.count("refused") > 0, "{found:?}");
}

#[test]
fn a_limit_on_file_sizes_is_a_clear_error_or_large_enough() {
    let mut limits = vec![0, 1, 100, 512, 1_000, 4_096, 5_000, 8_192, 12_288, 16_384, 65_536];
    if is_full_run() {
        limits.extend((0..80).map(|step| step * 300));
    }
    let limits: Vec<String> = limits.iter().map(|limit| format!("--fsize={limit}")).collect();
    let is_clear = |ended: &Output| {
        let told = String::from_utf8_lossy(&ended.stderr);
        told.starts_with("error: ") && told.contains("ulimit -f")
    };
    let Some(found) = run_within(&limits, false, is_clear) else { return };
    found.tell("limits on file sizes", std::time::Instant::now());
    found.assert_clean("limits on file sizes");
    assert!(found.count("done") > 0 && found.count("refused") > 0, "{found:?}");
}

/// Where the first ones are refused, or one of them, the work is done by fewer, or an error says why not.
#[test]
fn threads_that_cannot_be_started_are_a_clear_error_or_not_needed() {
    if !has_strace() {
        return;
    }
    let whens = ["1", "2", "3", "4", "1+", "2+", "3+"];
    let mut all = Sweep::default();
    for job in [Job::ExportFolder, Job::Restore, Job::RestoreOver, Job::Verify] {
        let world = World::new(job);
        all.add(sweep(&whens, |when| {
            let visit = world.enter();
            // Both: the C library asks for the second one where the first one is not known.
            let injections = ["clone3", "clone"].map(|call| format!("{call}:error=EAGAIN:when={when}"));
            let ended = Trace::injecting(&injections).run(&visit.command()).output;
            let judge = || {
                let state = visit.examine(false)?;
                let told = String::from_utf8_lossy(&ended.stderr);
                let found = match (ended.status.code(), state) {
                    (Some(0), State::New) => "done",
                    (Some(1), State::Old) => "refused",
                    (Some(1), State::New) if job.is_verify() => "refused",
                    (code, state) => return Err(format!("{code:?} with the target {state:?}")),
                };
                require!(
                    found == "done" || told.contains("thread cannot be started"),
                    "the error is not clear"
                );
                visit.run_again()?;
                Ok(found)
            };
            judge().map_err(|violation| format!("{job:?} with {when}: {violation}\n  {}", ending(&ended)))
        }));
    }
    all.tell("threads that cannot be started", std::time::Instant::now());
    all.assert_clean("threads that cannot be started");
    assert!(all.count("done") > 0 && all.count("refused") > 0, "{all:?}");
}
