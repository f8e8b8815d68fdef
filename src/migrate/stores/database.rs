//! SQLite files in which Chromium, Firefox, `WebKit` and Safari keep localStorage, each read from a private copy.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::firefox_archive::NewerFiles;
use super::{ListedStorage, OpenStore, Opening, StoreListing, StoreReader};
use crate::error::Result;
use crate::local_storage::database::{StoreFile, StoreKind};
use crate::local_storage::item::Reading;
use crate::migrate::inputs::Looks;
use crate::run::Interrupt;
use crate::sqlite::salvage::SalvageOptions;

/// See the module. Which browser's a file is, its tables tell.
#[derive(Debug)]
pub(in crate::migrate) struct BrowserDatabase;

impl StoreReader for BrowserDatabase {
    fn looks(&self, path: &Path) -> Result<Looks> {
        let mut looks = Looks::of(path)?;
        // What changed last may not be in the file itself yet.
        for beside in ["-wal", "-journal"].map(|ending| side_file(path, ending)) {
            if let Ok(found) = Looks::of(&beside) {
                looks.size_bytes = looks.size_bytes.saturating_add(found.size_bytes);
                looks.modified = looks.modified.max(found.modified);
            }
        }
        Ok(looks)
    }

    fn open<'o>(&self, path: &'o Path, opening: &'o Opening<'o>) -> Result<Box<dyn OpenStore + 'o>> {
        let file = StoreFile::open(path, &options(opening), opening.run)?;
        let newer = (file.kind() == StoreKind::FirefoxLegacy).then(|| NewerFiles::beside(path));
        Ok(Box::new(OpenFile { file, newer, path, interrupt: opening.run.interrupt }))
    }
}

/// A file with its private copy.
struct OpenFile<'o> {
    file: StoreFile,
    /// Of a file that has newer ones beside it.
    newer: Option<NewerFiles>,
    path: &'o Path,
    interrupt: &'o Interrupt,
}

impl OpenStore for OpenFile<'_> {
    fn list(&self) -> Result<StoreListing> {
        let listing = self.file.list(self.interrupt)?;
        let storages = listing.storages.into_iter().map(|storage| ListedStorage {
            origin: storage.whose.origin,
            partition: storage.whose.partition,
            changed_at_us: storage.changed_at_us,
            item_count: storage.item_count,
            size_bytes: storage.size_bytes,
        });
        let mut storages: Vec<ListedStorage> = storages.collect();
        let mut problems = listing.problems;
        let times = storages.iter_mut().map(|it| (&it.origin, &it.partition, &mut it.changed_at_us));
        problems.extend(self.newer.as_ref().and_then(|newer| newer.date(times, self.path)));
        Ok(StoreListing { format: self.file.kind().name(), storages, problems })
    }

    fn read(&self, origins: &BTreeSet<String>) -> Result<Reading> {
        let mut reading = self.file.read(Some(origins), self.interrupt)?;
        let times = reading.storages.iter_mut().map(|it| (&it.origin, &it.partition, &mut it.changed_at_us));
        reading.problems.extend(self.newer.as_ref().and_then(|newer| newer.date(times, self.path)));
        Ok(reading)
    }
}

fn options(opening: &Opening<'_>) -> SalvageOptions {
    SalvageOptions { temp_folder: opening.temp_folder.map(Path::to_path_buf), ..SalvageOptions::default() }
}

fn side_file(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}
