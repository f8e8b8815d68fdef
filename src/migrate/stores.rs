//! Where browsers keep localStorage: one module for each way of keeping it, and what all of them have in common.
//!
//! A store holds the storage of every site that was used. So it is listed first, without its values, and then only the
//! origins that are wanted are read, a group at a time. No store is ever opened in a way that writes to it.

mod chromium_leveldb;
mod database;
mod firefox_archive;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use super::inputs::Looks;
use crate::error::Result;
use crate::local_storage::item::{Problem, Reading};
use crate::run::Run;

pub(super) use chromium_leveldb::ChromiumLevelDb;
pub(super) use database::BrowserDatabase;

/// A way of keeping localStorage.
///
/// An error of kind `Usage` means that the store holds something else than localStorage; `Busy` that it was written to all the
/// time. Damage is no error where anything can be read: it is a problem with [`Problem::may_lose_items`].
pub(super) trait StoreReader: fmt::Debug + Sync {
    /// Size and time of the last change of everything that belongs to the store.
    fn looks(&self, path: &Path) -> Result<Looks>;

    /// Opens it for as long as it is listed and read: a copy, where one is needed, is made once.
    fn open<'o>(&self, path: &'o Path, opening: &'o Opening<'o>) -> Result<Box<dyn OpenStore + 'o>>;
}

/// A store that is being read. Its errors are as those of [`StoreReader`].
pub(super) trait OpenStore {
    /// Lists all storages; no value is held.
    fn list(&self) -> Result<StoreListing>;

    /// Reads the storages of these origins, with all their partitions, and those of which nobody can tell whose they are.
    fn read(&self, origins: &BTreeSet<String>) -> Result<Reading>;
}

/// How stores are opened.
#[derive(Clone, Copy)]
pub(super) struct Opening<'a> {
    /// Whether items count of which damage may have cost a newer value or the deletion.
    pub(super) with_doubtful: bool,
    /// Where copies go; into the system's folder unless given.
    pub(super) temp_folder: Option<&'a Path>,
    pub(super) run: Run<'a>,
}

/// A store that is to be read.
#[derive(Debug)]
pub(super) struct SourceStore {
    pub(super) path: PathBuf,
    pub(super) looks: Looks,
    pub(super) reader: &'static dyn StoreReader,
    /// Whether it was itself named; else it was met in a folder, where other things may lie as well.
    pub(super) is_named: bool,
}

/// What a store holds, without the values.
#[derive(Debug)]
pub(super) struct StoreListing {
    /// A stable lower-case name of the way of keeping it.
    pub(super) format: &'static str,
    pub(super) storages: Vec<ListedStorage>,
    pub(super) problems: Vec<Problem>,
}

/// One storage of a store.
#[derive(Debug)]
pub(super) struct ListedStorage {
    pub(super) origin: Option<String>,
    pub(super) partition: Option<String>,
    /// In microseconds since 1970, where it is known.
    pub(super) changed_at_us: Option<i64>,
    pub(super) item_count: u64,
    /// Of keys and values, as they are stored.
    pub(super) size_bytes: u64,
}

/// Origins whose values are in memory together are at most as large as this, unless one alone is larger.
const MAX_GROUP_BYTES: u64 = 64 << 20;

impl StoreListing {
    /// The origins that are `wanted`, in groups that are read one after the other.
    pub(super) fn groups(&self, wanted: impl Fn(&str) -> bool) -> Vec<BTreeSet<String>> {
        self.groups_of(wanted, MAX_GROUP_BYTES)
    }

    fn groups_of(&self, wanted: impl Fn(&str) -> bool, max_bytes: u64) -> Vec<BTreeSet<String>> {
        let mut sizes = std::collections::BTreeMap::<&str, u64>::new();
        for storage in &self.storages {
            if let Some(origin) = storage.origin.as_deref().filter(|origin| wanted(origin)) {
                let size = sizes.entry(origin).or_default();
                *size = size.saturating_add(storage.size_bytes);
            }
        }
        let mut groups: Vec<(u64, BTreeSet<String>)> = Vec::new();
        for (origin, size) in sizes {
            match groups.last_mut().filter(|(total, _)| total.saturating_add(size) <= max_bytes) {
                Some((total, origins)) => {
                    *total += size;
                    origins.insert(origin.to_owned());
                }
                None => groups.push((size, BTreeSet::from([origin.to_owned()]))),
            }
        }
        let has_unnamed = self.storages.iter().any(|storage| storage.origin.is_none());
        if groups.is_empty() && has_unnamed {
            groups.push((0, BTreeSet::new()));
        }
        groups.into_iter().map(|(_, origins)| origins).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(storages: &[(Option<&str>, u64)]) -> StoreListing {
        let storages = storages.iter().map(|(origin, size_bytes)| ListedStorage {
            origin: origin.map(str::to_owned),
            partition: None,
            changed_at_us: None,
            item_count: 1,
            size_bytes: *size_bytes,
        });
        StoreListing { format: "test", storages: storages.collect(), problems: Vec::new() }
    }

    #[test]
    fn origins_are_read_in_groups_that_do_not_grow_beyond_the_limit() {
        let listing =
            listing(&[(Some("a"), 40), (Some("a"), 20), (Some("b"), 40), (Some("c"), 200), (Some("d"), 1)]);
        let group = |origins: &[&str]| origins.iter().map(|&origin| origin.to_owned()).collect();
        let expected: Vec<BTreeSet<String>> = vec![group(&["a", "b"]), group(&["c"]), group(&["d"])];
        assert_eq!(listing.groups_of(|_| true, 100), expected);
        assert_eq!(listing.groups_of(|origin| origin == "d", 100), [group(&["d"])]);
        assert!(listing.groups_of(|_| false, 100).is_empty());
    }

    #[test]
    fn a_storage_of_nobody_knows_whom_is_read_though_no_origin_is_wanted() {
        assert_eq!(listing(&[(None, 1)]).groups(|_| false), [BTreeSet::new()]);
    }
}
