//! What happens when something goes wrong: a writer in between, a kill, a failing disk, a lock, a source that is
//! swapped, too little memory. After each of them the old state or the new one is there, complete, and nothing
//! else.
//!
//! By default fewer moments are tried, and tables are smaller, for about two minutes on two cores;
//! `PARKLITE_FULL=1` runs all of them. Kills and failures at each system call need `strace`; where it is absent or not permitted they say
//! that they were skipped, and only kills at many moments remain.

#![cfg(unix)]

mod busy;
mod consistency;
mod damaged_databases;
mod failures;
mod kills;
mod memory;
mod neighbours;
mod recovery;
mod sources;
mod support;
mod unreadable;
mod worlds;
