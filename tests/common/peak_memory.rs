//! How much memory a program takes, as the kernel counts it.

use std::fs;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

/// Runs to the end, with the allocator as it is; how it ended, and the most memory that was resident, in KiB.
pub(crate) fn peak_of(command: &mut Command) -> (ExitStatus, u64) {
    command.env_remove("MALLOC_ARENA_MAX").stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the program starts");
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        // The kernel's own mark never falls: what counts is the last look at it.
        let status = fs::read_to_string(&status).unwrap_or_default();
        let mark = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB"));
        peak = mark.and_then(|mark| mark.trim().parse().ok()).unwrap_or(peak);
        if let Some(ended) = child.try_wait().expect("a child") {
            return (ended, peak);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
