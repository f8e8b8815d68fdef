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

use parklite::durable::folder_beside;
use parklite::subject::{SubjectKind, subject_kind};

use crate::cli::args::{Command, ResourceArgs};
use crate::cli::units::DEFAULT_MEMORY_LIMIT_BYTES;

mod child;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
#[path = "elsewhere.rs"]
mod linux;
mod parent;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod seccomp;

pub(crate) use child::enter;
pub(crate) use parent::run_in_child;

/// The variable by which the other process knows what it is: the number of the process that started it.
const CHILD_MARK: &str = "PARKLITE_CHILD_OF";

/// What can be in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "none of them is there"))]
enum Mechanism {
    AddressSpace,
    Landlock,
    Seccomp,
}

impl Mechanism {
    /// Its name in documents.
    fn name(self) -> &'static str {
        match self {
            Self::AddressSpace => "address-space",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
        }
    }

    /// What a reader of the snapshot could do where it is missing.
    fn without(self) -> &'static str {
        match self {
            Self::AddressSpace => "no limit on its memory",
            Self::Landlock => "no Landlock, which keeps it from other files",
            Self::Seccomp => "no seccomp filter, which keeps it from the network and other programs",
        }
    }
}

/// What of it is in force, and what this system does not offer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Confinement {
    in_force: Vec<Mechanism>,
    missing: Vec<Mechanism>,
}

impl Confinement {
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "there is nothing to add"))]
    fn add(&mut self, mechanism: Mechanism, is_in_force: bool) {
        if is_in_force { &mut self.in_force } else { &mut self.missing }.push(mechanism);
    }

    /// The names of what is in force.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.in_force.iter().map(|mechanism| mechanism.name()).collect()
    }

    /// What a person should know where this system offers less than others of its kind.
    pub(crate) fn note(&self) -> Option<String> {
        let missing: Vec<&str> = self.missing.iter().map(|mechanism| mechanism.without()).collect();
        (!missing.is_empty()).then(|| {
            format!(
                "the process that reads the snapshot is less confined on this system: {}",
                missing.join("; ")
            )
        })
    }
}

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

/// Whether the user wants no process apart.
pub(crate) fn is_switched_off(command: &Command) -> bool {
    match command {
        Command::Export(_) | Command::Migrate(_) | Command::Completions { .. } | Command::Man { .. } => false,
        Command::Inspect(args) => args.confine.no_confine,
        Command::Verify(args) => args.confine.no_confine,
        Command::Diff(args) => args.confine.no_confine,
        Command::Digest(args) => args.confine.no_confine,
        Command::Restore(args) => args.confine.no_confine,
    }
}

/// What a verb needs that reads foreign bytes; `None` for one that does not, or shall do it in this process.
pub(crate) fn needs_of(command: &Command) -> Option<Needs> {
    if is_switched_off(command) {
        return None;
    }
    let mut needs = match command {
        // Dumps are text, which a parser of our own reads that needs no memory but for the text itself.
        Command::Export(_) | Command::Migrate(_) | Command::Completions { .. } | Command::Man { .. } => {
            return None;
        }
        Command::Inspect(args) => Needs::to_read([&args.snapshot], args.temp_dir.as_ref())?,
        Command::Verify(args) => {
            let subjects = [&args.snapshot].into_iter().chain(&args.against);
            let mut needs = Needs::to_read(subjects, args.resources.temp_dir.as_ref())?;
            if !args.quick && !args.data && args.resources.temp_dir.is_none() {
                // A temporary database is made beside the snapshot, or else where the system has such things.
                needs.folders.extend(holder_of(&args.snapshot));
                needs.folders.push(std::env::temp_dir());
            }
            let compares = args.against.is_some() && args.resources.temp_dir.is_none();
            needs.with(&args.resources).with_room_beside(compares)
        }
        Command::Diff(args) => {
            let needs = Needs::to_read([&args.a, &args.b], args.resources.temp_dir.as_ref())?;
            needs.with(&args.resources).with_room_beside(args.resources.temp_dir.is_none())
        }
        Command::Digest(args) => {
            let mut needs = Needs::to_read(&args.subjects, args.resources.temp_dir.as_ref())?;
            needs = needs.with(&args.resources).with_room_beside(args.resources.temp_dir.is_none());
            needs.subjects.extend(args.check.clone());
            needs
        }
        Command::Restore(args) => {
            let mut needs = Needs::to_read([&args.snapshot], args.resources.temp_dir.as_ref())?;
            let holder = holder_of(&args.target);
            if args.resources.temp_dir.is_none()
                && holder.as_ref().is_some_and(|holder| holder.to_str().is_none())
            {
                // SQLite takes no such name for its temporary files.
                needs.folders.push(std::env::temp_dir());
            }
            needs.folders.extend(holder);
            needs.with(&args.resources)
        }
    };
    needs.folders.sort();
    needs.folders.dedup();
    Some(needs)
}

impl Needs {
    /// What it takes to read these, writing temporary files at most; `None` if all are databases, which SQLite reads
    /// whatever is in them.
    fn to_read<'a>(
        subjects: impl IntoIterator<Item = &'a PathBuf>,
        temp_folder: Option<&PathBuf>,
    ) -> Option<Self> {
        let mut needs = Self {
            subjects: subjects.into_iter().cloned().collect(),
            folders: temp_folder.into_iter().cloned().collect(),
            memory_limit_bytes: DEFAULT_MEMORY_LIMIT_BYTES,
            threads: 1,
        };
        let is_database = |path: &&PathBuf| matches!(subject_kind(path), Ok(SubjectKind::Database));
        let databases: Vec<PathBuf> = needs.subjects.iter().filter(is_database).cloned().collect();
        if databases.len() == needs.subjects.len() {
            return None;
        }
        if !databases.is_empty() {
            // SQLite makes files beside a database that it only reads.
            needs.folders.extend(databases.iter().filter_map(|database| holder_of(database)));
            needs.folders.push(std::env::temp_dir());
        }
        Some(needs)
    }

    /// Lets temporary files be made beside what is read, or where the system has such things, if that is `asked`.
    fn with_room_beside(mut self, asked: bool) -> Self {
        if asked {
            self.folders.extend(self.subjects.iter().filter_map(|subject| holder_of(subject)));
            self.folders.push(std::env::temp_dir());
        }
        self
    }

    fn with(mut self, resources: &ResourceArgs) -> Self {
        self.memory_limit_bytes = resources.memory_limit;
        self.threads = resources.thread_count();
        self
    }
}

/// The folder that holds a name; a name that makes no sense is refused later, with a better message.
fn holder_of(path: &Path) -> Option<PathBuf> {
    folder_beside(path).ok()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::args::Cli;

    fn needs(words: &str) -> Option<Needs> {
        needs_of(&Cli::try_parse_from(words.split(' ')).expect("arguments").command)
    }

    #[test]
    fn only_what_a_verb_writes_to_may_be_written_to() {
        let folders = |words: &str| needs(words).expect("confined").folders;
        let temporary = std::env::temp_dir();
        let paths = |paths: &[&str]| -> Vec<PathBuf> { paths.iter().map(PathBuf::from).collect() };
        assert_eq!(folders("parklite inspect a/snap"), paths(&[]));
        assert_eq!(folders("parklite verify a/snap --data"), paths(&[]));
        assert_eq!(folders("parklite verify a/snap --quick"), paths(&[]));
        assert_eq!(folders("parklite verify a/snap --temp-dir t"), paths(&["t"]));
        let beside = folders("parklite verify a/snap");
        assert!(beside.len() == 2 && beside.contains(&PathBuf::from("a")) && beside.contains(&temporary));
        assert_eq!(folders("parklite restore a/snap b/x.db"), paths(&["b"]));
        assert_eq!(folders("parklite restore a/snap x.db --temp-dir t"), paths(&[".", "t"]));
    }

    #[test]
    fn a_verb_that_reads_nothing_foreign_is_not_confined() {
        assert_eq!(needs("parklite export a.db"), None);
        assert_eq!(needs("parklite completions bash"), None);
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("x");
        std::fs::write(&database, b"SQLite format 3\0").expect("written");
        assert_eq!(needs(&format!("parklite verify {}", database.display())), None);
    }

    #[test]
    fn a_trusted_snapshot_may_be_read_without_a_process_apart() {
        for words in ["inspect snap", "verify snap", "restore snap x.db"] {
            assert_eq!(needs(&format!("parklite {words} --no-confine")), None, "{words}");
        }
    }

    #[test]
    fn what_a_system_lacks_is_said_in_one_line() {
        let mut confinement = Confinement::default();
        confinement.add(Mechanism::AddressSpace, true);
        assert_eq!(confinement.note(), None);
        confinement.add(Mechanism::Landlock, false);
        let note = confinement.note().expect("something to say");
        assert!(note.contains("Landlock") && !note.contains("memory"), "{note}");
        assert_eq!(confinement.names(), ["address-space"]);
    }

    #[test]
    fn the_memory_limit_is_that_of_the_verb_or_the_usual_one() {
        let limit = |words: &str| needs(words).expect("confined").memory_limit_bytes;
        assert_eq!(limit("parklite inspect snap"), DEFAULT_MEMORY_LIMIT_BYTES);
        assert_eq!(limit("parklite verify snap"), DEFAULT_MEMORY_LIMIT_BYTES);
        assert_eq!(limit("parklite verify snap --memory-limit 1GiB"), 1 << 30);
    }
}
