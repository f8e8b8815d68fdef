//! SQLite files in which Chromium, Firefox, `WebKit` and Safari keep localStorage, each read from a private copy.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::firefox_archive::NewerFiles;
use super::{ListedStorage, Opening, StoreListing, StoreReader};
use crate::error::Result;
use crate::local_storage::database::{StoreKind, list_database, read_database};
use crate::local_storage::item::Reading;
use crate::migrate::inputs::Looks;
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

    fn list(&self, path: &Path, opening: &Opening<'_>) -> Result<StoreListing> {
        let listing = list_database(path, &options(opening), opening.run)?;
        let storages = listing.storages.into_iter().map(|storage| ListedStorage {
            origin: storage.whose.origin,
            partition: storage.whose.partition,
            changed_at_us: storage.changed_at_us,
            item_count: storage.item_count,
            size_bytes: storage.size_bytes,
        });
        let mut storages: Vec<ListedStorage> = storages.collect();
        let mut problems = listing.problems;
        if listing.kind == StoreKind::FirefoxLegacy {
            let mut newer = NewerFiles::beside(path);
            for storage in &mut storages {
                let (origin, partition) = (storage.origin.as_ref(), storage.partition.as_ref());
                storage.changed_at_us = newer.time_before(origin, partition).or(storage.changed_at_us);
            }
            problems.extend(newer.problem(path));
        }
        Ok(StoreListing { format: listing.kind.name(), storages, problems })
    }

    fn read(&self, path: &Path, origins: &BTreeSet<String>, opening: &Opening<'_>) -> Result<Reading> {
        let (kind, mut reading) = read_database(path, Some(origins), &options(opening), opening.run)?;
        if kind == StoreKind::FirefoxLegacy {
            let mut newer = NewerFiles::beside(path);
            for storage in &mut reading.storages {
                let (origin, partition) = (storage.origin.as_ref(), storage.partition.as_ref());
                storage.changed_at_us = newer.time_before(origin, partition).or(storage.changed_at_us);
            }
            reading.problems.extend(newer.problem(path));
        }
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
