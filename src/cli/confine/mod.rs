//! Foreign bytes are read in a process of their own, which may do little and dies alone.
//!
//! A decoder that runs out of memory or stack ends its process, and nothing in that process can prevent it. So
//! every verb that reads a snapshot or a Parquet file runs twice: this process only starts the program once more
//! with the same arguments and streams, passes on what it is told to do (stop), and explains how the other one
//! ended; the other one ([`child`]) gives up every right it does not need before it opens anything, and does the
//! work.
//!
//! What confines it is best effort: where a system lacks a mechanism, the work is still done in a process that
//! dies alone. `docs/SECURITY.md` says what is promised. The only place that starts a program.

use std::path::{Path, PathBuf};

use parklite::durable::parent_of;

use crate::cli::args::{Command, ResourceArgs};
use crate::cli::units::DEFAULT_MEMORY_LIMIT_BYTES;

mod child;
#[cfg(target_os = "linux")]
mod linux;
mod parent;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod seccomp;
#[cfg(not(target_os = "linux"))]
#[path = "elsewhere.rs"]
mod linux;

pub(crate) use child::enter;
pub(crate) use parent::run_in_child;

/// The variable by which the other process knows what it is: the number of the process that started it.
const CHILD_MARK: &str = "PARKLITE_CHILD_OF";

/// What a verb needs for its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Needs {
    /// What is read, and named where that ends badly.
    subjects: Vec<PathBuf>,
    /// Folders in which files and folders are made, changed and removed.
    folders: Vec<PathBuf>,
    memory_limit_bytes: u64,
    threads: usize,
}

/// What a verb needs that reads foreign bytes; `None` for one that does not.
pub(crate) fn needs_of(command: &Command) -> Option<Needs> {
    match command {
        Command::Export(_) | Command::Completions { .. } => None,
        Command::Inspect(args) => Some(Needs::to_look_at(&args.snapshot)),
        Command::Verify(args) => {
            let mut needs = Needs::to_look_at(&args.snapshot).with(&args.resources);
            if !args.quick && !args.data {
                // A temporary database is made beside the snapshot, or else where the system has such things.
                match &args.resources.temp_dir {
                    Some(_) => {}
                    None => needs.folders.extend(holder_of(&args.snapshot).into_iter().chain([std::env::temp_dir()])),
                }
            }
            Some(needs)
        }
        Command::Restore(args) => {
            let mut needs = Needs::to_look_at(&args.snapshot).with(&args.resources);
            needs.folders.extend(holder_of(&args.target));
            Some(needs)
        }
    }
}

impl Needs {
    /// What it takes to read `subject` and write nothing.
    fn to_look_at(subject: &Path) -> Self {
        Self {
            subjects: vec![subject.to_path_buf()],
            folders: Vec::new(),
            memory_limit_bytes: DEFAULT_MEMORY_LIMIT_BYTES,
            threads: 1,
        }
    }

    fn with(mut self, resources: &ResourceArgs) -> Self {
        self.memory_limit_bytes = resources.memory_limit;
        self.threads = resources.thread_count();
        self.folders.extend(resources.temp_dir.clone());
        self
    }
}

/// The folder that holds a name; a name that makes no sense is refused later, with a better message.
fn holder_of(path: &Path) -> Option<PathBuf> {
    parent_of(path).ok()
}
