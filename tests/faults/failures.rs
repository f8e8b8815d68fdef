//! A disk that fails: every call on a file answers with an error, once or from then on.
//!
//! Afterwards the target is in its old state or in its new one; success is reported of the new one only, and only
//! where every sync succeeded; the error says what was being done to which path; nothing is left behind but what could
//! not be removed; and the next run succeeds.

use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::Instant;

use crate::points::{Point, points_of};
use crate::strace::{Call, Trace, Traced, has_strace};
use crate::support::ending;
use crate::sweep::{Sweep, sweep_sample};
use crate::visits::{Visit, require};
use crate::worlds::{Job, State, World};

/// Calls without which a staging folder cannot be removed.
const REMOVING: [&str; 13] = [
    "unlink",
    "unlinkat",
    "rmdir",
    "open",
    "openat",
    "getdents64",
    "newfstatat",
    "fstat",
    "statx",
    "lstat",
    "fcntl",
    "close",
    "stat",
];

/// One failure to be tried.
#[derive(Debug)]
struct Failure {
    point: Point,
    error: &'static str,
    /// Whether all later calls of this name fail as well.
    for_good: bool,
}

impl Failure {
    fn injection(&self) -> String {
        let Self { point: Point { call, number, .. }, error, for_good } = self;
        format!("{call}:error={error}:when={number}{}", if *for_good { "+" } else { "" })
    }
}

/// What a call may answer; `true`: and goes on answering.
///
/// An interrupted call is repeated, so it is interrupted once. A lock that is refused for good is waited for.
fn errors_of(point: &Point) -> Vec<(&'static str, bool)> {
    let both = |errors: &[&'static str]| -> Vec<(&'static str, bool)> {
        errors.iter().flat_map(|&error| [(error, false), (error, true)]).collect()
    };
    let with_interrupt = |errors: &[&'static str]| [both(errors), vec![("EINTR", false)]].concat();
    match point.call.as_str() {
        "read" | "pread64" | "readv" | "preadv" => with_interrupt(&["EIO"]),
        "write" | "pwrite64" | "writev" | "pwritev" | "fsync" | "fdatasync" | "sync_file_range" => {
            with_interrupt(&["EIO", "ENOSPC", "EDQUOT"])
        }
        "ftruncate" | "fallocate" => with_interrupt(&["EIO", "ENOSPC"]),
        "open" | "openat" if point.is_about("O_CREAT") => {
            with_interrupt(&["EIO", "EACCES", "ENOSPC", "EDQUOT", "EROFS", "EMFILE"])
        }
        "open" | "openat" => with_interrupt(&["EIO", "EACCES", "EMFILE"]),
        "rename" | "renameat" | "renameat2" | "link" | "linkat" => {
            both(&["EIO", "EACCES", "ENOSPC", "EDQUOT", "EROFS", "EPERM"])
        }
        "mkdir" | "mkdirat" => both(&["EIO", "EACCES", "ENOSPC", "EDQUOT", "EROFS"]),
        "unlink" | "unlinkat" | "rmdir" => both(&["EIO", "EACCES", "EROFS", "EBUSY"]),
        "chmod" | "fchmod" | "fchmodat" => both(&["EIO", "EPERM", "EROFS"]),
        "flock" => with_interrupt(&["EIO", "ENOLCK"]),
        "fcntl" if point.is_about("F_SETLK") => {
            [both(&["EIO"]), vec![("ENOLCK", false), ("EACCES", false), ("EINTR", false)]].concat()
        }
        "fcntl" => both(&["EMFILE"]),
        "mmap" => both(&["ENOMEM", "EACCES"]),
        "close" => vec![("EIO", false), ("EINTR", false)],
        // Looking: stat and its kin, listing, seeking, asking for space.
        _ => both(&["EIO", "EACCES"]),
    }
}

fn fail_once(world: &World, failure: &Failure) -> Result<&'static str, String> {
    let visit = world.enter();
    let mut trace = Trace::injecting(&[failure.injection()]);
    // To see whether a sync is tried again.
    trace.calls = "fsync,fdatasync,pwrite64".to_string();
    let Traced { output: ended, calls, .. } = trace.run(&visit.command());
    let describe = |violation: String| {
        let hit: Vec<_> = calls.iter().filter(|call| call.is_injected()).take(3).map(told).collect();
        format!("{:?} with {}: {violation}\n  {}\n  {hit:?}", world.job, failure.injection(), ending(&ended))
    };
    let judge = || {
        let state = visit.examine(may_leave(failure, &calls))?;
        judge_ending(world.job, failure, &ended, state, &calls)
    };
    let judged = judge().map_err(describe)?;
    run_again_as_told(&visit, failure).map_err(describe)?;
    Ok(judged)
}

/// Runs the job once more. Where nothing could be removed, a WAL that was folded in lies there still; it is taken for
/// another database's, and a person does what the message says.
fn run_again_as_told(visit: &Visit<'_>, failure: &Failure) -> Result<(), String> {
    let again = visit.run_again();
    let is_told = |error: &String| {
        failure.point.call == "unlink" && error.contains("not its own lies beside the target: target.db-wal")
    };
    if !again.as_ref().is_err_and(is_told) {
        return again;
    }
    fs::remove_file(visit.path().join("target.db-wal")).map_err(|error| error.to_string())?;
    visit.run_again()
}

fn told(call: &Call) -> String {
    format!("{}({}) = {}", call.name, call.arguments, call.result)
}

/// What cannot be removed stays: where the removal itself was made to fail.
fn may_leave(failure: &Failure, calls: &[Call]) -> bool {
    let hits_a_stage =
        calls.iter().any(|call| call.is_injected() && call.arguments.contains(".parklite-stage-"));
    REMOVING.contains(&failure.point.call.as_str()) && (failure.for_good || hits_a_stage)
}

fn judge_ending(
    job: Job,
    failure: &Failure,
    ended: &Output,
    state: State,
    calls: &[Call],
) -> Result<&'static str, String> {
    let (message, code) = (String::from_utf8_lossy(&ended.stderr), ended.status.code());
    // A folder that was listed cannot fail to be closed: Rust's library relies on that, and numbers of calls vary where
    // another thread is the last to let go of a file.
    if failure.point.call == "close" && message.contains("unexpected error during closedir") {
        return Ok("closing a folder failed");
    }
    require!(!message.contains("panicked"), "it panicked");
    let is_hit = calls.iter().any(Call::is_injected);
    match (code, state) {
        (Some(0), State::New) => {
            judge_syncs(calls)?;
            return Ok(if is_hit { "did not matter" } else { "not reached" });
        }
        (Some(0), State::Old) => return Err("success was reported of nothing".to_string()),
        _ => {}
    }
    require!(is_hit, "it failed although nothing was injected");
    if calls.iter().any(hides_a_size) {
        return Ok("refused as damaged");
    }
    if code == Some(127) && message.contains("shared libraries") {
        return Ok("not started");
    }
    // Where even the error cannot be written, there is no message.
    if failure.point.call == "write" && message.is_empty() {
        return Ok("refused");
    }
    let is_page = failure.point.call == "pread64" && failure.error == "EIO";
    if job.is_verify() && code == Some(4) {
        require!(is_page || names_unreadable_files(failure, &message), "it tells of damage");
        return Ok("refused as damaged");
    }
    let told = message.lines().next().filter(|line| line.starts_with("error: "));
    let told = told.ok_or("no error was told")?;
    // "reading the manifest failed: snapshot/manifest.json"
    let path = told.rsplit_once(": ").map_or("", |(_, path)| path);
    let is_path = path == "." || path.contains('/') || path.contains(job.target()) || path.contains("new.db");
    require!(is_path || path == "snapshot" || path == "temp", "the error names no path");
    let call = failure.point.call.as_str();
    match code {
        Some(1) if state == State::New && !job.is_verify() => {
            require!(message.contains("did not confirm"), "it is published, yet the run failed");
            Ok("published, not confirmed")
        }
        Some(1) => Ok("refused"),
        _ if state == State::New && !job.is_verify() => {
            Err("it is published, yet the run failed".to_string())
        }
        Some(11) if call == "fcntl" || call == "flock" => Ok("busy"),
        // SQLite says of a page that cannot be read that the database is damaged, and leaves a journal be.
        Some(4 | 12 | 13) if is_page => Ok("refused as damaged"),
        Some(11) if is_page => Ok("busy"),
        // A WAL that SQLite could not remove is taken for another database's.
        Some(12) if call == "unlink" => Ok("refused"),
        code => Err(format!("the exit code {code:?} says something else than that it failed")),
    }
}

/// Asked for the size of a file that it was given open, the decoder takes no answer for no bytes.
fn hides_a_size(call: &Call) -> bool {
    let is_asked =
        matches!(call.name.as_str(), "statx" | "newfstatat") && call.arguments.contains("AT_EMPTY_PATH");
    call.is_injected() && (is_asked || call.name == "fstat")
}

/// Files of a snapshot that cannot be read are findings, as long as it is they that cannot be.
fn names_unreadable_files(failure: &Failure, message: &str) -> bool {
    let mut lines = message.lines().take_while(|line| !line.is_empty()).peekable();
    matches!(failure.error, "EIO" | "EACCES")
        && lines.peek().is_some()
        && lines.all(|line| line.contains("the file cannot be read"))
}

/// A sync that failed is not repeated on the same file, since the second one would say that all is well: what was not
/// synced is not used, or written anew, as SQLite does when it folds in a WAL a second time.
fn judge_syncs(calls: &[Call]) -> Result<(), String> {
    let is_sync = |call: &Call| call.name == "fsync" || call.name == "fdatasync";
    for (index, failed) in calls.iter().enumerate() {
        if !is_sync(failed) || !failed.failed() || failed.result.contains("EINTR") {
            continue;
        }
        let path = path_in(&failed.arguments);
        // SQLite's own journals: it takes back what they were for, and they are gone in the end.
        if path.ends_with("-journal") || path.ends_with("-wal") {
            continue;
        }
        let of_file = |call: &&Call| path_in(&call.arguments) == path;
        let mut later = calls[index + 1..].iter().filter(of_file);
        // SQLite does not mind whether it can sync the folder of its journal. We do, after the last change in it.
        let is_folder = Path::new(path).is_dir();
        let is_written = is_folder || later.any(|call| call.name.starts_with("pwrite"));
        let is_synced = later.any(|call| is_sync(call) && !call.failed());
        require!(is_written && is_synced, "success was reported although a sync failed: {}", told(failed));
    }
    Ok(())
}

/// The path in `4</path>`.
fn path_in(arguments: &str) -> &str {
    let path = arguments.split_once('<').map_or(arguments, |(_, path)| path);
    path.split_once('>').map_or(path, |(path, _)| path)
}

fn fail_job(job: Job, count: usize) -> Sweep {
    let since = Instant::now();
    let world = World::new(job);
    let failures = points_of(&world, &[]).into_iter().flat_map(|point| {
        let errors = errors_of(&point);
        errors.into_iter().map(move |(error, for_good)| Failure { point: point.clone(), error, for_good })
    });
    let found = sweep_sample(failures.collect(), job.share_of(count), |failure| fail_once(&world, failure));
    found.tell(&format!("failing calls, {job:?}"), since);
    found
}

fn fail_jobs(what: &str, jobs: &[Job]) {
    const OF_EACH_JOB: usize = 24;
    let jobs = Job::asked_for(jobs);
    if jobs.is_empty() || !has_strace() {
        return;
    }
    let since = Instant::now();
    let mut all = Sweep::default();
    for job in jobs {
        let found = fail_job(job, OF_EACH_JOB);
        assert!(found.count("refused") > 0, "{job:?}: no failure was noticed: {found:?}");
        all.add(found);
    }
    all.tell(what, since);
    all.assert_clean(what);
}

#[test]
fn an_export_on_a_failing_disk_leaves_the_old_state_or_the_new_one() {
    let jobs = [
        Job::ExportFolder,
        Job::ExportFolderOver,
        Job::ExportFile,
        Job::ExportFileOver,
        Job::ExportCopy,
        Job::ExportSpilling,
    ];
    fail_jobs("failing calls of exports", &jobs);
}

#[test]
fn a_restore_or_verify_on_a_failing_disk_leaves_the_old_state_or_the_new_one() {
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
    fail_jobs("failing calls of restores and verifications", &jobs);
}
