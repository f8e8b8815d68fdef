//! A filter that keeps system calls away which no reading of a snapshot makes.
//!
//! A list of what is denied, not of what is allowed: which calls a C library, its allocator and the Rust runtime
//! make differs from version to version, and an unknown one would end an honest restore at a customer's place. What
//! is denied fails as if it were not permitted. The files that may be opened are Landlock's matter.

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter, sock_filter,
};

/// Answers of a denied call.
const EPERM: u32 = 1;
const ENOSYS: u32 = 38;

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: TargetArch = TargetArch::x86_64;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: TargetArch = TargetArch::aarch64;

/// A call's name, and its number on `x86_64` and on `aarch64`; `NONE` where there is no such call.
type Call = (&'static str, i64, i64);
const NONE: i64 = -1;

/// Calls that are denied whatever their arguments are: starting and inspecting processes, the network, mounts,
/// changing what a path leads to without opening it, which Landlock does not see, other ways around the file system's
/// rules, the kernel's own affairs.
#[rustfmt::skip]
const DENIED: [Call; 82] = [
    ("execve", 59, 221), ("execveat", 322, 281), ("fork", 57, NONE), ("vfork", 58, NONE),
    ("ptrace", 101, 117), ("process_vm_readv", 310, 270), ("process_vm_writev", 311, 271),
    ("pidfd_getfd", 438, 438), ("kcmp", 312, 272), ("process_madvise", 440, 440),
    ("kill", 62, 129), ("tkill", 200, 130), ("rt_sigqueueinfo", 129, 138), ("rt_tgsigqueueinfo", 297, 240),
    ("pidfd_send_signal", 424, 424),
    ("socket", 41, 198), ("socketpair", 53, 199), ("connect", 42, 203), ("bind", 49, 200),
    ("listen", 50, 201), ("accept", 43, 202), ("accept4", 288, 242),
    ("mount", 165, 40), ("umount2", 166, 39), ("pivot_root", 155, 41), ("chroot", 161, 51),
    ("move_mount", 429, 429), ("open_tree", 428, 428), ("fsopen", 430, 430), ("fsconfig", 431, 431),
    ("fsmount", 432, 432), ("fspick", 433, 433), ("mount_setattr", 442, 442),
    ("setns", 308, 268), ("unshare", 272, 97),
    ("io_uring_setup", 425, 425), ("io_uring_enter", 426, 426), ("io_uring_register", 427, 427),
    ("name_to_handle_at", 303, 264), ("open_by_handle_at", 304, 265), ("fanotify_init", 300, 262),
    ("chmod", 90, NONE), ("fchmodat", 268, 53), ("fchmodat2", 452, 452), ("chown", 92, NONE),
    ("lchown", 94, NONE), ("fchownat", 260, 54), ("setxattr", 188, 5), ("lsetxattr", 189, 6),
    ("setxattrat", 463, 463), ("removexattr", 197, 14), ("lremovexattr", 198, 15), ("removexattrat", 466, 466),
    ("mknod", 133, NONE), ("mknodat", 259, 33), ("memfd_create", 319, 279), ("memfd_secret", 447, 447),
    ("bpf", 321, 280), ("perf_event_open", 298, 241), ("userfaultfd", 323, 282),
    ("keyctl", 250, 219), ("add_key", 248, 217), ("request_key", 249, 218),
    ("init_module", 175, 105), ("finit_module", 313, 273), ("delete_module", 176, 106),
    ("kexec_load", 246, 104), ("kexec_file_load", 320, 294), ("reboot", 169, 142),
    ("swapon", 167, 224), ("swapoff", 168, 225), ("acct", 163, 89), ("quotactl", 179, 60),
    ("quotactl_fd", 443, 443), ("syslog", 103, 116), ("setrlimit", 160, 164),
    ("settimeofday", 164, 170), ("clock_settime", 227, 112), ("adjtimex", 159, 171),
    ("clock_adjtime", 305, 266), ("iopl", 172, NONE), ("ioperm", 173, NONE),
];

/// Calls of which only some are denied.
const CLONE: Call = ("clone", 56, 220);
const CLONE3: Call = ("clone3", 435, 435);
const TGKILL: Call = ("tgkill", 234, 131);
const IOCTL: Call = ("ioctl", 16, 29);
const PRLIMIT: Call = ("prlimit64", 302, 261);

/// Makes a thread rather than a process.
const CLONE_THREAD: u64 = 0x0001_0000;

/// Types into the terminal as if the user had.
const TIOCSTI: u64 = 0x5412;
const TIOCLINUX: u64 = 0x541c;

/// Numbers from here on are the calls of another interface to the same kernel, by which the list could be evaded.
#[cfg(target_arch = "x86_64")]
const X32_CALLS: u32 = 0x4000_0000;

/// Denies the calls to this thread and those it starts; says whether that is in force.
pub(super) fn deny_calls() -> bool {
    let programs = [filter(denied(), EPERM), filter(Ok(undecidable()), ENOSYS)];
    programs.into_iter().all(|program| program.is_ok_and(|program| apply_filter(&program).is_ok()))
}

type Rules = Result<BTreeMap<i64, Vec<SeccompRule>>, BackendError>;

fn denied() -> Rules {
    let mut rules: BTreeMap<_, _> =
        DENIED.iter().filter_map(|&call| number(call)).map(|number| (number, Vec::new())).collect();
    let own_id = u64::from(std::process::id());
    let partly = [
        (CLONE, vec![rule(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(CLONE_THREAD), 0)?]),
        // A process that aborts sends itself a signal.
        (TGKILL, vec![rule(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, own_id)?]),
        (
            IOCTL,
            vec![
                rule(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, TIOCSTI)?,
                rule(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, TIOCLINUX)?,
            ],
        ),
        // Limits may be asked for, not set.
        (PRLIMIT, vec![rule(2, SeccompCmpArgLen::Qword, SeccompCmpOp::Ne, 0)?]),
    ];
    rules.extend(partly.into_iter().filter_map(|(call, rules)| Some((number(call)?, rules))));
    Ok(rules)
}

/// The filter does not see what this one shall do; a C library that is told it does not exist takes `clone`.
fn undecidable() -> BTreeMap<i64, Vec<SeccompRule>> {
    number(CLONE3).map(|number| (number, Vec::new())).into_iter().collect()
}

fn number((_, on_x86_64, on_aarch64): Call) -> Option<i64> {
    let number = if cfg!(target_arch = "x86_64") { on_x86_64 } else { on_aarch64 };
    (number != NONE).then_some(number)
}

fn rule(
    argument: u8,
    length: SeccompCmpArgLen,
    operation: SeccompCmpOp,
    value: u64,
) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(argument, length, operation, value)?])
}

fn filter(rules: Rules, answer: u32) -> Result<BpfProgram, BackendError> {
    let action = SeccompAction::Errno(answer);
    let filter = SeccompFilter::new(rules?, SeccompAction::Allow, action.clone(), ARCHITECTURE)?;
    let program = BpfProgram::try_from(filter)?;
    Ok(without_other_interface(action).into_iter().chain(program).collect())
}

/// Instructions that stand before a filter: load the call's number, and deny it from [`X32_CALLS`] on.
#[cfg(target_arch = "x86_64")]
fn without_other_interface(action: SeccompAction) -> Vec<sock_filter> {
    const LOAD_NUMBER: u16 = 0x20;
    const JUMP_IF_AT_LEAST: u16 = 0x35;
    const RETURN: u16 = 0x06;
    vec![
        sock_filter { code: LOAD_NUMBER, jt: 0, jf: 0, k: 0 },
        sock_filter { code: JUMP_IF_AT_LEAST, jt: 0, jf: 1, k: X32_CALLS },
        sock_filter { code: RETURN, jt: 0, jf: 0, k: action.into() },
    ]
}

#[cfg(not(target_arch = "x86_64"))]
fn without_other_interface(_action: SeccompAction) -> Vec<sock_filter> {
    Vec::new()
}
