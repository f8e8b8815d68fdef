//! Running the program under `strace`: what it calls, and making single calls fail.
//!
//! strace counts the calls of one name in each thread by itself, so a call is named by its name and by its number
//! within its thread; which thread makes which call may differ from run to run where several work side by side.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use crate::support::{run, say};

/// One system call of a traced run.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) thread: u32,
    pub(crate) name: String,
    /// Which of the calls of this name in this thread it is, from 1 on.
    pub(crate) number: usize,
    /// What strace prints between the parentheses.
    pub(crate) arguments: String,
    /// What strace prints after the equals sign; empty where the call never came back.
    pub(crate) result: String,
}

impl Call {
    pub(crate) fn is_injected(&self) -> bool {
        self.result.ends_with("(INJECTED)")
    }

    /// Whether it failed, by injection or not; one that never came back did not.
    pub(crate) fn failed(&self) -> bool {
        self.result.starts_with("-1 ")
    }

    /// Whether it is about something in `folder`, the folder in which the traced program runs.
    pub(crate) fn touches(&self, folder: &Path) -> bool {
        let is_relative = || {
            let text = self.arguments.split_once('"').map(|(_, text)| text);
            text.is_some_and(|text| !text.starts_with('/') && !text.starts_with('"'))
        };
        let names_paths = !matches!(self.name.as_str(), "write" | "pwrite64" | "read" | "pread64" | "writev");
        // strace tells the present folder with every path that is looked up from there, absolute ones too.
        let told = match self.arguments.strip_prefix("AT_FDCWD<").and_then(|rest| rest.split_once('>')) {
            Some((_, rest)) => rest.contains(&*folder.to_string_lossy()),
            None => self.arguments.contains(&*folder.to_string_lossy()),
        };
        told || (names_paths && is_relative())
    }

    /// The same call of the same thread, for a set.
    pub(crate) fn point(&self) -> (String, usize) {
        (self.name.clone(), self.number)
    }
}

/// How a traced run went.
#[derive(Debug)]
pub(crate) struct Traced {
    pub(crate) output: Output,
    pub(crate) calls: Vec<Call>,
    /// How many signals reached it.
    pub(crate) signals: usize,
}

/// Whether strace is there and may trace; says so where it does not.
pub(crate) fn has_strace() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let found = probe(&[]);
        if !found {
            say("skipped: strace is absent or may not trace, so nothing is injected at single system calls");
        }
        found
    })
}

/// Whether strace can let all calls but those asked for pass at full speed, as it can from version 5.3 on.
fn has_filter() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| probe(&["--seccomp-bpf"]))
}

fn probe(more: &[&str]) -> bool {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null"]).args(more);
    command.args(["-e", "trace=fsync", "-e", "inject=fsync:error=EIO:when=1", "true"]);
    command.stdin(Stdio::null()).output().is_ok_and(|output| output.status.success())
}

/// What strace shall do.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trace {
    /// The calls to log, as in `openat,write` or `%file`.
    pub(crate) calls: String,
    /// Injections, such as `fsync:error=EIO:when=2`; their calls are logged too.
    pub(crate) injections: Vec<String>,
    /// Whether whole buffers are logged, as hexadecimal escapes.
    pub(crate) with_content: bool,
}

impl Trace {
    pub(crate) fn injecting(injections: &[String]) -> Self {
        Self { injections: injections.to_vec(), ..Self::default() }
    }

    /// Runs `command` to its end under strace.
    pub(crate) fn run(&self, command: &Command) -> Traced {
        let log = tempfile::NamedTempFile::new().expect("a temporary file");
        let mut strace = Command::new("strace");
        strace.args(["-f", "-q", "-y", "-o"]).arg(log.path());
        // strace 6.1 delivers no signals where it lets calls pass.
        if has_filter() && !self.injections.iter().any(|injection| injection.contains(":signal=")) {
            strace.arg("--seccomp-bpf");
        }
        if self.with_content {
            strace.args(["-xx", "-s", "100000000"]);
        } else {
            strace.args(["-s", "256"]);
        }
        let injected = self.injections.iter().filter_map(|injection| injection.split(':').next());
        let traced: Vec<&str> =
            injected.chain([self.calls.as_str()]).filter(|name| !name.is_empty()).collect();
        strace.arg("-e").arg(format!("trace={}", traced.join(",")));
        for injection in &self.injections {
            strace.arg("-e").arg(format!("inject={injection}"));
        }
        strace.arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
        if let Some(folder) = command.get_current_dir() {
            strace.current_dir(folder);
        }
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => strace.env(name, value),
                None => strace.env_remove(name),
            };
        }
        let output = run(&mut strace);
        let log = fs::read(log.path()).expect("a log");
        let log = String::from_utf8_lossy(&log);
        let signals = log.lines().filter(|line| line.contains(" --- SIG")).count();
        Traced { output, calls: parse(&log), signals }
    }
}

/// The calls of a log of `strace -f`, in the order in which they came back.
fn parse(log: &str) -> Vec<Call> {
    let mut counts = HashMap::<(u32, String), usize>::new();
    let mut waiting = HashMap::<u32, Call>::new();
    let mut calls = Vec::new();
    for line in log.lines() {
        let Some((thread, text)) = line.split_once(' ') else { continue };
        let (Ok(thread), text) = (thread.parse::<u32>(), text.trim_start()) else { continue };
        if text.starts_with("+++") || text.starts_with("---") {
            continue;
        }
        if let Some(resumed) = text.strip_prefix("<... ") {
            let Some(mut call) = waiting.remove(&thread) else { continue };
            let rest = resumed.split_once(" resumed>").map_or("", |(_, rest)| rest);
            let (more, result) = split_result(rest);
            call.arguments.push_str(more);
            call.result = result.to_string();
            calls.push(call);
            continue;
        }
        let Some((name, rest)) = text.split_once('(') else { continue };
        let number = counts.entry((thread, name.to_string())).or_default();
        *number += 1;
        let mut call = Call {
            thread,
            name: name.to_string(),
            number: *number,
            arguments: String::new(),
            result: String::new(),
        };
        if let Some(begun) = rest.strip_suffix("<unfinished ...>") {
            call.arguments = begun.trim_end().to_string();
            waiting.insert(thread, call);
        } else {
            let (arguments, result) = split_result(rest);
            call.arguments = arguments.to_string();
            call.result = result.to_string();
            calls.push(call);
        }
    }
    // Those in which the program was killed come last.
    calls.extend(waiting.into_values());
    calls
}

/// Arguments and result of `…) = result`.
fn split_result(text: &str) -> (&str, &str) {
    let ends = text.rmatch_indices(')').map(|(at, _)| (&text[..at], text[at + 1..].trim_start()));
    let mut split = ends.filter_map(|(arguments, rest)| Some((arguments, rest.strip_prefix("= ")?.trim())));
    split.next().unwrap_or((text, ""))
}

#[test]
fn a_log_is_read_as_it_is_meant() {
    let log = "\
11 openat(AT_FDCWD</w>, \"a = b\", O_RDONLY) = 3</w/a = b>
12 fsync(4</w/x> <unfinished ...>
11 write(3</w/a>, \"x\", 1)            = -1 ENOSPC (No space left on device) (INJECTED)
12 <... fsync resumed>)              = 0
11 openat(AT_FDCWD</w>, \"/etc/c\", O_RDONLY) = -1 ENOENT (No such file or directory)
11 --- SIGTERM {si_signo=SIGTERM} ---
11 rename(\"b\", \"c\" <unfinished ...>
11 +++ killed by SIGKILL +++
";
    let calls = parse(log);
    let told: Vec<_> = calls.iter().map(|call| (call.thread, call.name.as_str(), call.number)).collect();
    assert_eq!(
        told,
        [(11, "openat", 1), (11, "write", 1), (12, "fsync", 1), (11, "openat", 2), (11, "rename", 1)]
    );
    assert!(calls[1].is_injected() && calls[1].failed() && !calls[2].failed() && calls[3].failed());
    assert_eq!((calls[0].result.as_str(), calls[2].arguments.as_str()), ("3</w/a = b>", "4</w/x>"));
    let touches: Vec<bool> = calls.iter().map(|call| call.touches(Path::new("/w"))).collect();
    assert_eq!(touches, [true, true, true, false, true], "{calls:?}");
}
