//! What Linux offers to confine a process: limits, Landlock, and a filter of system calls.
//!
//! Each is used as far as the kernel has it. None is an error where it is missing, as in an old kernel or in a
//! container that forbids it; what is in force is told.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, make_bitflags, path_beneath_rules,
};
use parklite::snapshot::{MANIFEST_FILE, MOST_MANIFEST_BYTES};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, set_parent_process_death_signal, setrlimit};

use super::{Confinement, Mechanism, Needs};

/// Address space on top of the memory limit, in bytes: the program itself, stacks, the allocator's arenas, and what
/// is in flight whatever the limit is.
const BASE_BYTES: u64 = 320 * 1024 * 1024;

/// A smaller memory limit does not lower the address space, in bytes: what honest cells of 40 MB take does not depend
/// on it.
const LEAST_MEMORY_BYTES: u64 = 256 * 1024 * 1024;

/// Address space of a further thread: its stack, and what the allocator keeps for it, in bytes.
const THREAD_BYTES: u64 = 4 * 1024 * 1024;

/// How many times its size a manifest takes while it is read and while SQLite holds the schema in it. It is not larger
/// than what a snapshot may have, so that this is bounded.
const MANIFEST_COPIES: u64 = 10;

/// Threads that [`BASE_BYTES`] has room for.
const BASE_THREADS: usize = 4;

/// Most open files: a few for each thread, and those of a sort that spills.
const OPEN_FILES: u64 = 1024;

/// The newest interface of Landlock that this was tried with.
const LANDLOCK_ABI: ABI = ABI::V7;

/// What the system's libraries read: how many cores there are, and randomness.
const SYSTEM_FILES: [&str; 5] = [
    "/proc/self",
    "/proc/sys/vm/overcommit_memory",
    "/sys/fs/cgroup",
    "/sys/devices/system/cpu",
    "/dev/urandom",
];

/// Written to where a descriptor must lead somewhere.
const NOWHERE: &str = "/dev/null";

/// Asks the kernel to end this process with the one that started it.
pub(super) fn end_with_parent() {
    let _where_known = set_parent_process_death_signal(Some(Signal::KILL));
}

/// Gives up every right that the work does not need.
pub(super) fn confine(needs: &Needs) -> Confinement {
    let mut confinement = Confinement::default();
    lower(Resource::Core, 0);
    lower(Resource::Nofile, OPEN_FILES);
    confinement.add(Mechanism::AddressSpace, lower(Resource::As, address_space(needs)));
    let restricted = restrict_paths(needs);
    let is_restricted =
        matches!(restricted, Ok(RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced));
    confinement.add(Mechanism::Landlock, is_restricted);
    confinement.add(Mechanism::Seccomp, denies_calls());
    confinement
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn denies_calls() -> bool {
    super::seccomp::deny_calls()
}

/// The numbers of calls are known for two architectures.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn denies_calls() -> bool {
    false
}

/// The size of the manifests of snapshots among `subjects`, as far as they may be read.
fn manifest_bytes(subjects: &[PathBuf]) -> u64 {
    let size =
        |subject: &PathBuf| std::fs::metadata(subject.join(MANIFEST_FILE)).map_or(0, |found| found.len());
    subjects.iter().map(size).filter(|size| *size <= MOST_MANIFEST_BYTES).fold(0, u64::saturating_add)
}

fn address_space(needs: &Needs) -> u64 {
    let threads = needs.threads.saturating_sub(BASE_THREADS) as u64;
    let memory = needs.memory_limit_bytes.max(LEAST_MEMORY_BYTES);
    let manifest = MANIFEST_COPIES.saturating_mul(manifest_bytes(&needs.subjects));
    let base = BASE_BYTES.saturating_add(manifest);
    memory.saturating_add(base).saturating_add(threads.saturating_mul(THREAD_BYTES))
}

/// Lowers a limit for good; one that is lower already stays. Says whether it holds now.
fn lower(resource: Resource, most: u64) -> bool {
    let now = getrlimit(resource);
    let least = |limit: Option<u64>| Some(limit.map_or(most, |limit| limit.min(most)));
    let limit = Rlimit { current: least(now.current), maximum: least(now.maximum) };
    setrlimit(resource, limit).is_ok()
}

/// Leaves nothing of the file system but what is read and where files are made, and nothing of the network.
fn restrict_paths(needs: &Needs) -> Result<RulesetStatus, RulesetError> {
    let read = make_bitflags!(AccessFs::{ReadFile | ReadDir});
    let change = make_bitflags!(AccessFs::{
        ReadFile | ReadDir | WriteFile | Truncate | Refer | MakeReg | MakeDir | RemoveFile | RemoveDir
    });
    // No rule can be made for a pipe, and none is needed to read one.
    let is_on_disk =
        |path: &&PathBuf| std::fs::metadata(path).is_ok_and(|found| found.is_file() || found.is_dir());
    let subjects = needs.subjects.iter().filter(is_on_disk).cloned();
    let subjects = subjects.chain(needs.subjects.iter().flat_map(|subject| manifests_beside(subject)));
    let system = SYSTEM_FILES.iter().map(PathBuf::from);
    let mut rules = Ruleset::default()
        // The first interface could not allow what publishing is made of: a rename from one folder to another.
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::Refer)?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(LANDLOCK_ABI))?
        .handle_access(AccessNet::from_all(LANDLOCK_ABI))?
        .scope(Scope::from_all(LANDLOCK_ABI))?
        .create()?
        .add_rules(path_beneath_rules(subjects.chain(system), read))?
        .add_rules(path_beneath_rules(&needs.folders, change))?;
    if let Ok(nowhere) = PathFd::new(NOWHERE) {
        let write = make_bitflags!(AccessFs::{ReadFile | WriteFile});
        rules = rules.add_rule(PathBeneath::new(nowhere, write))?;
    }
    rules.restrict_self().map(|status| status.ruleset)
}

/// Manifests beside a file, and beside what a link leads to: they say whether the file is one of a snapshot's. Links are
/// none, since they may lead anywhere.
fn manifests_beside(subject: &Path) -> Vec<PathBuf> {
    if !subject.is_file() {
        return Vec::new();
    }
    let places = [Some(subject.to_path_buf()), std::fs::canonicalize(subject).ok()];
    let manifests = places.into_iter().flatten().map(|place| place.with_file_name(MANIFEST_FILE));
    let is_file = |path: &PathBuf| std::fs::symlink_metadata(path).is_ok_and(|found| found.is_file());
    manifests.filter(is_file).collect()
}

#[cfg(test)]
mod tests;
