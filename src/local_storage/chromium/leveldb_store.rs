//! The folder `Local Storage/leveldb` of a profile: its records, taken together to storages.
//!
//! A profile holds the storage of every site that was used. So there are two ways in: [`list_leveldb`] counts and holds no
//! values, [`read_leveldb`] holds those of the chosen origins alone.
//!
//! **Doubtful items.** Where damage may have cost a newer value or a deletion of a key, an older value of it is all that can
//! be read: once true, but not what the undamaged store has, and perhaps something that was deleted on purpose. Such items
//! are left out unless [`Doubtful::Take`] asks for them; in both cases a problem names them. A store of which only the end
//! is missing, as after a crash, has no doubtful items: it is what the browser itself would go on with.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::metadata::Metadata;
use super::record::{Record, VERSION};
use super::storage_key::StorageKey;
use super::stored::Stored;
use crate::error::{Error, ErrorKind, Result};
use crate::local_storage::counted::counted;
use crate::local_storage::item::{Problem, Reading};
use crate::local_storage::leveldb::{self, Entry};
use crate::run::Interrupt;

/// What of a profile is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only storages of these origins, each as [`StorageKey::origin`] has it, with all their partitions; `None` for all.
    pub origins: Option<BTreeSet<String>>,
    /// What to do with doubtful items.
    pub doubtful: Doubtful,
}

/// What to do with items of which a newer value or the deletion may have been lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Doubtful {
    /// They are told of, and not among the items.
    #[default]
    LeaveOut,
    /// They are told of, and among the items.
    Take,
}

impl Selection {
    fn has(&self, key: &StorageKey) -> bool {
        self.origins.as_ref().is_none_or(|origins| origins.contains(&key.origin))
    }
}

/// All storages of a profile, without their values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// In the order of origin and partition.
    pub storages: Vec<ListedStorage>,
    /// Damage, oddities and what was left out.
    pub problems: Vec<Problem>,
}

/// A storage, without its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedStorage {
    /// Whose it is.
    pub key: StorageKey,
    /// When it was last changed, in microseconds since 1970, where that is known.
    pub changed_at_us: Option<i64>,
    /// How many items, doubtful ones included.
    pub item_count: usize,
    /// Bytes of all their keys and values, as they are stored.
    pub size_bytes: u64,
    /// How many of the items are doubtful.
    pub doubtful_count: usize,
}

/// Reads the items of the selected storages in `folder`, which must be a private copy that nobody writes to.
///
/// # Errors
/// `NotFound` without the folder; `Damaged` without a LevelDB database in it; `Usage` for a database of something else
/// than localStorage; `NewerFormat` for a layout of another version; `Interrupted`; I/O. Damage to files is no error, but a problem with
/// [`Problem::may_lose_items`]: the reading may be incomplete, or even empty.
pub fn read_leveldb(folder: &Path, selection: &Selection, interrupt: &Interrupt) -> Result<Reading> {
    let gathered =
        Gathered::of(folder, &|key| selection.has(key), interrupt).map_err(|error| error.at(folder))?;
    let mut problems = gathered.problems;
    let mut storages = Vec::new();
    for (key, stored) in gathered.storages.into_iter().filter(|(key, _)| selection.has(key)) {
        problems.extend(stored.problems(&key, selection.doubtful));
        let (storage, faults) = stored.into_storage(&key, selection.doubtful);
        problems.extend(faults);
        if !storage.items.is_empty() {
            storages.push(storage);
        }
    }
    Ok(Reading { storages, problems })
}

/// Lists all storages in `folder`, which must be a private copy that nobody writes to; no value is held.
///
/// # Errors
/// As [`read_leveldb`].
pub fn list_leveldb(folder: &Path, interrupt: &Interrupt) -> Result<Listing> {
    let gathered = Gathered::of(folder, &|_| false, interrupt).map_err(|error| error.at(folder))?;
    let mut listing = Listing { storages: Vec::new(), problems: gathered.problems };
    for (key, stored) in gathered.storages {
        listing.problems.extend(stored.problems(&key, Doubtful::Take));
        if stored.item_count() > 0 {
            listing.storages.push(ListedStorage {
                changed_at_us: stored.changed_at_us(Doubtful::LeaveOut),
                item_count: stored.item_count(),
                size_bytes: stored.size_bytes(),
                doubtful_count: stored.doubtful_count(),
                key,
            });
        }
    }
    Ok(listing)
}

/// All records of a database, sorted out.
#[derive(Default)]
struct Gathered {
    storages: BTreeMap<StorageKey, Stored>,
    problems: Vec<Problem>,
}

impl Gathered {
    /// Values of items are held of storages that are `wanted`.
    fn of(folder: &Path, wanted: &dyn Fn(&StorageKey) -> bool, interrupt: &Interrupt) -> Result<Self> {
        let mut keep = |key: &[u8]| match Record::of(key) {
            Record::Version | Record::Metadata(_) => true,
            Record::Item(storage_key, _) => wanted(&storage_key),
            Record::Access | Record::Unknown => false,
        };
        let contents = leveldb::read(folder, &mut keep, interrupt)?;
        let mut gathered = Self { storages: BTreeMap::new(), problems: contents.problems };
        let mut unknown = Vec::new();
        let mut version = None;
        for (key, entry) in contents.entries {
            match Record::of(&key) {
                Record::Version => version = Some(entry),
                Record::Access => {}
                Record::Unknown => unknown.push(key),
                Record::Metadata(storage_key) => gathered.take_metadata(storage_key, &entry),
                Record::Item(storage_key, item_key) => {
                    let stored = gathered.storages.entry(storage_key).or_default();
                    stored.take_item(item_key, entry);
                }
            }
        }
        if gathered.storages.is_empty() && !unknown.is_empty() {
            return Err(not_local_storage(&unknown));
        }
        check_version(version.as_ref())?;
        if let Some(first) = unknown.first() {
            gathered.problems.push(Problem {
                place: "records".to_owned(),
                message: format!(
                    "left out: {} of an unknown kind, the first one under the key \"{}\"",
                    counted(unknown.len() as u64, "record"),
                    shortened(first)
                ),
                may_lose_items: true,
            });
        }
        Ok(gathered)
    }

    fn take_metadata(&mut self, key: StorageKey, entry: &Entry) {
        match entry.value.as_deref().and_then(Metadata::decode) {
            Some(metadata) => {
                self.storages.entry(key).or_default().take_metadata(metadata, entry.may_be_outdated);
            }
            None => self.problems.push(Problem {
                place: format!("storage of {key}"),
                message: "what the browser noted of its last change and its size cannot be read".to_owned(),
                may_lose_items: false,
            }),
        }
    }
}

fn check_version(entry: Option<&Entry>) -> Result<()> {
    let version = entry.filter(|entry| !entry.may_be_outdated).and_then(|entry| entry.value.as_deref());
    match version {
        None | Some(VERSION) => Ok(()),
        Some(other) => {
            let message =
                format!("localStorage of an unknown version: \"{}\" instead of \"1\"", shortened(other));
            Err(Error::new(ErrorKind::NewerFormat, message)
                .hint("export it in the browser: JSON.stringify(localStorage) in the console of its developer tools"))
        }
    }
}

/// By its keys: what the database is instead.
fn not_local_storage(keys: &[Vec<u8>]) -> Error {
    let is_session_storage =
        keys.iter().any(|key| key.starts_with(b"namespace-") || key.starts_with(b"map-"));
    let message = if is_session_storage {
        "the folder is a Session Storage database, not localStorage".to_owned()
    } else {
        let first = keys.first().map_or_else(String::new, |key| shortened(key));
        format!(
            "the folder is a LevelDB database, but not localStorage: none of its keys is of that kind, the first one is \
             \"{first}\" (settings of extensions and synchronised data are kept in such folders, too)"
        )
    };
    Error::new(ErrorKind::Usage, message)
        .hint("localStorage is in the folder `Local Storage/leveldb` of the same profile")
}

/// The beginning of bytes, readable.
fn shortened(bytes: &[u8]) -> String {
    let shown = bytes.get(..40).unwrap_or(bytes);
    let more = if shown.len() < bytes.len() { "…" } else { "" };
    format!("{}{more}", shown.escape_ascii())
}
