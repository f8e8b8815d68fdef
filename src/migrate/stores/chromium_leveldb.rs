//! The folder `leveldb` of the Chromium family, read in place: by a reader that takes no lock and never writes.
//!
//! A browser that runs goes on writing. So the files are looked at before and after, and what was read of files that changed
//! meanwhile is dropped: one that is consistent, or none.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{ListedStorage, OpenStore, Opening, StoreListing, StoreReader};
use crate::error::{Error, ErrorKind, Result};
use crate::local_storage::chromium::{Doubtful, Selection, list_leveldb, read_leveldb};
use crate::local_storage::item::Reading;
use crate::migrate::inputs::Looks;

/// See the module.
#[derive(Debug)]
pub(in crate::migrate) struct ChromiumLevelDb;

/// How often a store that is written to is read anew.
const ATTEMPTS: u32 = 3;
/// Browsers write in bursts, some seconds apart.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(300);

impl StoreReader for ChromiumLevelDb {
    fn looks(&self, path: &Path) -> Result<Looks> {
        let files = State::of(path)?.files;
        let size_bytes = files.iter().map(|file| file.size_bytes).fold(0, u64::saturating_add);
        Ok(Looks { size_bytes, modified: files.iter().filter_map(|file| file.modified).max() })
    }

    fn open<'o>(&self, path: &'o Path, opening: &'o Opening<'o>) -> Result<Box<dyn OpenStore + 'o>> {
        Ok(Box::new(InPlace { path, opening }))
    }
}

/// A folder that is read where it lies.
struct InPlace<'o> {
    path: &'o Path,
    opening: &'o Opening<'o>,
}

impl OpenStore for InPlace<'_> {
    fn list(&self) -> Result<StoreListing> {
        let Self { path, opening } = self;
        let listing = steadily(path, opening, || list_leveldb(path, opening.run.interrupt))?;
        let storages = listing.storages.into_iter().map(|storage| ListedStorage {
            origin: Some(storage.key.origin),
            partition: storage.key.partition,
            changed_at_us: storage.changed_at_us,
            item_count: storage.item_count as u64,
            size_bytes: storage.size_bytes,
        });
        let storages = storages.collect();
        Ok(StoreListing { format: "chromium-leveldb", storages, problems: listing.problems })
    }

    fn read(&self, origins: &BTreeSet<String>) -> Result<Reading> {
        let Self { path, opening } = self;
        let doubtful = if opening.with_doubtful { Doubtful::Take } else { Doubtful::LeaveOut };
        let selection = Selection { origins: Some(origins.clone()), doubtful };
        steadily(path, opening, || read_leveldb(path, &selection, opening.run.interrupt))
    }
}

/// What `read` gives while no file of the folder changes.
fn steadily<T>(folder: &Path, opening: &Opening<'_>, mut read: impl FnMut() -> Result<T>) -> Result<T> {
    for attempt in 1..=ATTEMPTS {
        opening.run.interrupt.check()?;
        let before = State::of(folder)?;
        let found = read();
        // A file that was merged into others and is gone is an error of reading that means nothing.
        if State::of(folder)? == before {
            return found;
        }
        if attempt < ATTEMPTS {
            std::thread::sleep(BETWEEN_ATTEMPTS);
        }
    }
    Err(Error::new(ErrorKind::Busy, "the browser goes on writing to its storage while it is read")
        .at(folder)
        .hint("close the browser, or copy the folder and migrate the copy"))
}

/// How all files of a store look, and which of them count.
#[derive(Debug, PartialEq, Eq)]
struct State {
    files: Vec<FileState>,
    /// The content of `CURRENT`, which may name another manifest while size and time stay as they are.
    current: Option<Vec<u8>>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct FileState {
    path: PathBuf,
    size_bytes: u64,
    modified: Option<SystemTime>,
}

impl State {
    fn of(folder: &Path) -> Result<Self> {
        let files = || -> std::io::Result<Vec<FileState>> {
            let mut files = Vec::new();
            for entry in std::fs::read_dir(folder)? {
                let path = entry?.path();
                // Of a file that has just vanished, its absence is what is seen.
                if let Ok(found) = std::fs::metadata(&path)
                    && found.is_file()
                    && is_of_database(&path)
                {
                    files.push(FileState { path, size_bytes: found.len(), modified: found.modified().ok() });
                }
            }
            files.sort();
            Ok(files)
        };
        let files = files().map_err(|error| Error::io("listing the folder", folder, error))?;
        Ok(Self { files, current: std::fs::read(folder.join("CURRENT")).ok() })
    }
}

/// Not the lock and the messages, which say nothing of what is stored.
fn is_of_database(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    !name.is_some_and(|name| name == "LOCK" || name.starts_with("LOG"))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs;

    use super::*;
    use crate::clock::SystemClock;
    use crate::progress::Silent;
    use crate::run::{Interrupt, Run};

    fn with_opening<T>(test: impl FnOnce(&Opening<'_>) -> T) -> T {
        let run = Run { progress: &Silent, clock: &SystemClock, interrupt: &Interrupt::new() };
        test(&Opening { with_doubtful: false, temp_folder: None, run })
    }

    #[test]
    fn what_is_read_while_files_change_is_read_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("000003.log");
        fs::write(&log, "1").expect("writing");
        let reads = Cell::new(0);
        let read = with_opening(|opening| {
            steadily(folder.path(), opening, || {
                reads.set(reads.get() + 1);
                if reads.get() == 1 {
                    fs::write(&log, "12").expect("writing");
                    return Err(Error::new(ErrorKind::Failed, "the file is gone"));
                }
                Ok(reads.get())
            })
        });
        assert_eq!(read.ok(), Some(2));
    }

    #[test]
    fn a_store_that_is_written_to_all_the_time_is_refused_with_advice() {
        let folder = tempfile::tempdir().expect("a folder");
        let current = folder.path().join("CURRENT");
        let reads = Cell::new(0);
        let read = with_opening(|opening| {
            steadily(folder.path(), opening, || {
                reads.set(reads.get() + 1);
                fs::write(&current, format!("MANIFEST-00000{}\n", reads.get())).expect("writing");
                Ok(())
            })
        });
        let error = read.expect_err("refused");
        assert_eq!((error.kind(), reads.get()), (ErrorKind::Busy, 3));
        assert!(error.hint_text().is_some_and(|hint| hint.contains("close the browser")));
    }

    #[test]
    fn a_lock_and_messages_are_no_part_of_what_is_stored() {
        let folder = tempfile::tempdir().expect("a folder");
        let before = State::of(folder.path()).expect("read");
        for name in ["LOCK", "LOG", "LOG.old"] {
            fs::write(folder.path().join(name), "x").expect("writing");
        }
        assert_eq!(State::of(folder.path()).expect("read"), before);
        fs::write(folder.path().join("000003.log"), "").expect("writing");
        assert_ne!(State::of(folder.path()).expect("read"), before);
    }
}
