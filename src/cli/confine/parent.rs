//! The process that was started: it starts the other one, waits for it, and explains how it ended.

use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use parklite::durable::clear_leftovers;
use parklite::error::{Error, ErrorKind, Result};
use parklite::run::Interrupt;

use super::{CHILD_MARK, Needs};

/// How long a signal may wait to be passed on.
const STEP: Duration = Duration::from_millis(50);

/// Arenas of the C library's allocator: each reserves 64 MiB of address space, which is what is limited.
const ARENAS: &str = "2";

/// Runs the same arguments again in a process that confines itself; its exit code.
///
/// # Errors
/// [`ErrorKind::Damaged`] where it died as a decoder does that is given something malformed;
/// [`ErrorKind::Interrupted`] where it was stopped before it could say so; [`ErrorKind::Failed`] where it cannot
/// be started or was killed.
pub(crate) fn run_in_child(needs: &Needs, interrupt: &Interrupt) -> Result<u8> {
    let mut child = start(needs)?;
    let status = wait(&mut child, interrupt)?;
    for folder in needs.folders.iter().filter(|_| !status.success()) {
        // What it left behind goes now rather than with the next run; what cannot be removed stays until then.
        let _best_effort = clear_leftovers(folder);
    }
    if let Some(code) = status.code() {
        // Codes are what the program itself returns, so they are small.
        return Ok(u8::try_from(code).unwrap_or(ErrorKind::Failed.exit_code()));
    }
    Err(explain(status, needs, interrupt))
}

/// Not on a thread of its own: the other process ends with the thread that started it.
fn start(needs: &Needs) -> Result<Child> {
    let mut command = Command::new(program()?);
    #[cfg(unix)]
    if let Some(name) = std::env::args_os().next() {
        std::os::unix::process::CommandExt::arg0(&mut command, name);
    }
    command.args(std::env::args_os().skip(1));
    command.env(CHILD_MARK, std::process::id().to_string());
    command.env("MALLOC_ARENA_MAX", ARENAS);
    if std::env::var_os("POLARS_MAX_THREADS").is_none() {
        command.env("POLARS_MAX_THREADS", needs.threads.to_string());
    }
    command.spawn().map_err(|error| {
        Error::new(ErrorKind::Failed, "starting the process that reads the snapshot failed")
            .because(error)
            .hint("`ulimit -a` shows whether a limit is reached; a snapshot that you trust is read with --no-confine")
    })
}

/// This program: on Linux by the name that stays right when the file is replaced meanwhile.
fn program() -> Result<std::path::PathBuf> {
    let own = std::path::Path::new("/proc/self/exe");
    if cfg!(target_os = "linux") && own.exists() {
        return Ok(own.to_path_buf());
    }
    std::env::current_exe().map_err(|error| {
        Error::new(
            ErrorKind::Failed,
            "this program does not find itself, to read the snapshot in a process apart",
        )
        .because(error)
        .hint("on Linux, /proc must be mounted; a snapshot that you trust is read with --no-confine")
    })
}

/// Waits for its end, and passes on that it shall stop.
///
/// At a terminal an interrupt reaches both processes, so what is passed on is a signal of another kind, which only
/// says once more what the other may know: it never counts as the second interrupt, which ends at once.
fn wait(child: &mut Child, interrupt: &Interrupt) -> Result<ExitStatus> {
    let (sender, ended) = channel::<()>();
    let id = child.id();
    std::thread::scope(|scope| {
        // Where the system has no thread left, the end is seen with the next step.
        let waiting = std::thread::Builder::new().spawn_scoped(scope, move || {
            wait_without_reaping(id);
            drop(sender);
        });
        let is_over = |child: &mut Child| {
            if waiting.is_ok() {
                return ended.recv_timeout(STEP) != Err(RecvTimeoutError::Timeout);
            }
            std::thread::sleep(STEP);
            !matches!(child.try_wait(), Ok(None))
        };
        let mut is_told = false;
        while !is_over(child) {
            if interrupt.is_set() && !is_told {
                is_told = true;
                ask_to_stop(id);
            }
        }
    });
    child.wait().map_err(|error| {
        Error::new(ErrorKind::Failed, "waiting for the process that reads the snapshot failed").because(error)
    })
}

/// Until it is reaped, its number belongs to no other process.
#[cfg(unix)]
fn wait_without_reaping(id: u32) {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    let Some(pid) = pid_of(id) else { return };
    while let Err(rustix::io::Errno::INTR) =
        waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
    {}
}

#[cfg(unix)]
fn ask_to_stop(id: u32) {
    if let Some(pid) = pid_of(id) {
        // One that has ended already is about to be seen.
        let _gone = rustix::process::kill_process(pid, rustix::process::Signal::USR1);
    }
}

#[cfg(unix)]
fn pid_of(id: u32) -> Option<rustix::process::Pid> {
    i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw)
}

/// An interrupt reaches all processes of a console there.
#[cfg(not(unix))]
fn wait_without_reaping(_id: u32) {}

#[cfg(not(unix))]
fn ask_to_stop(_id: u32) {}

/// What it means that the process died of a signal.
fn explain(status: ExitStatus, needs: &Needs, interrupt: &Interrupt) -> Error {
    if let Err(interrupted) = interrupt.check() {
        return interrupted;
    }
    let error = match signal_of(status) {
        Some(name) if MALFORMED.contains(&name) => {
            let message = "reading the snapshot brought its process down: it is malformed, or has cells too large for the limit";
            Error::new(ErrorKind::Damaged, message)
                .because(format!("the process ended by {name}"))
                .hint("try another copy; if it can be trusted and holds very large cells, raise --memory-limit")
        }
        Some("SIGKILL") => Error::new(ErrorKind::Failed, "the process that read the snapshot was killed").hint(
            "by the system for want of memory (a smaller --memory-limit helps), or by somebody; nothing was published",
        ),
        name => {
            let name = name.map_or_else(|| status.to_string(), str::to_string);
            Error::new(ErrorKind::Failed, "the process that read the snapshot was ended from outside")
                .because(format!("the process ended by {name}"))
        }
    };
    match needs.subjects.first() {
        Some(subject) => error.at(subject),
        None => error,
    }
}

/// The signals by which a process ends that ran out of memory or stack, or did what it may not.
const MALFORMED: [&str; 7] = ["SIGABRT", "SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGSYS", "SIGXCPU"];

#[cfg(unix)]
fn signal_of(status: ExitStatus) -> Option<&'static str> {
    use signal_hook::consts::signal;
    let number = std::os::unix::process::ExitStatusExt::signal(&status)?;
    let names = [
        (signal::SIGABRT, "SIGABRT"),
        (signal::SIGSEGV, "SIGSEGV"),
        (signal::SIGBUS, "SIGBUS"),
        (signal::SIGILL, "SIGILL"),
        (signal::SIGFPE, "SIGFPE"),
        (signal::SIGSYS, "SIGSYS"),
        (signal::SIGXCPU, "SIGXCPU"),
        (signal::SIGKILL, "SIGKILL"),
        (signal::SIGTERM, "SIGTERM"),
        (signal::SIGINT, "SIGINT"),
        (signal::SIGHUP, "SIGHUP"),
    ];
    names.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
}

#[cfg(not(unix))]
fn signal_of(_status: ExitStatus) -> Option<&'static str> {
    None
}
