//! What happens when something goes wrong: a writer in between, a kill, a failing disk, a lock, a source that is
//! swapped, too little memory. After each of them the old state or the new one is there, complete, and nothing
//! else.
//!
//! By default a sample of the moments is tried; `PARKLITE_FULL=1` tries all of them. Each sweep says how many they
//! were. `PARKLITE_FAULT_JOBS=ExportFolder,Verify` keeps the sweeps over system calls to the jobs that it names. Kills,
//! failures and power cuts at each system call need `strace`; where it is absent or not permitted they say that they
//! were skipped, and only kills at many moments remain.

#![cfg(unix)]

mod busy;
mod clock;
mod compound;
mod consistency;
mod counts;
mod damaged_databases;
mod descriptors;
mod failures;
mod full_disk;
mod kills;
mod memory;
mod neighbours;
#[cfg(target_os = "linux")]
#[path = "../common/peak_memory.rs"]
mod peak_memory;
mod points;
mod power_loss;
mod readers;
mod recovery;
mod signals;
mod sources;
mod strace;
mod support;
mod sweep;
mod unreadable;
mod visits;
mod worlds;
