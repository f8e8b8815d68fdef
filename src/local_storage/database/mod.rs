//! localStorage that browsers keep in SQLite files: which browser's a file is, told by its tables, and what it holds.
//!
//! `chromium`, `firefox` and `webkit` know what the rows
//! of their tables mean; this is what they have in common. [`sqlite::salvage`](crate::sqlite::salvage) reads the rows from a
//! private copy and tells of damage. A file is listed without holding any value, or read for chosen origins alone: a profile
//! has the storage of every site that was used.

mod cells;
mod collected;
mod whose;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::run::{Interrupt, Run};
use crate::sqlite::salvage::{Salvage, SalvageOptions};

use super::chromium::sqlite_store;
use super::item::{Problem, Reading};
use super::{firefox, webkit};

pub(in crate::local_storage) use cells::{bytes_of, key_of, text_of, units_of};
pub(in crate::local_storage) use collected::{Collected, Found};
pub use whose::Whose;
pub(in crate::local_storage) use whose::origin_of;

/// Which browser keeps its localStorage in this way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StoreKind {
    /// The file `LocalStorage` of newer Chromium, with all storages of a profile.
    Chromium,
    /// A file `ls/data.sqlite` of Firefox, with one storage.
    Firefox,
    /// `webappsstore.sqlite` of Firefox until 2019 and `ls-archive.sqlite`, with all storages of a profile.
    FirefoxLegacy,
    /// A file of Safari or `WebKit`, or of Chrome before 2017, with one storage.
    WebKit,
}

impl StoreKind {
    /// The word for it in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Chromium => "chromium-sqlite",
            Self::Firefox => "firefox",
            Self::FirefoxLegacy => "firefox-legacy",
            Self::WebKit => "webkit",
        }
    }

    /// By the tables that a file has.
    fn of(salvage: &Salvage) -> Option<Self> {
        let has = |table: &str, columns: &[&str]| {
            salvage.table(table).is_some_and(|table| columns.iter().all(|column| table.has(column)))
        };
        if has("maps", &["row_id", "storage_key"]) && has("map_entries", &["map_id", "key", "value"]) {
            Some(Self::Chromium)
        } else if salvage.table("database").is_some() && has("data", &["key", "value"]) {
            Some(Self::Firefox)
        } else if has("webappsstore2", &["scope", "key", "value"]) {
            Some(Self::FirefoxLegacy)
        } else if has("ItemTable", &["key", "value"]) {
            Some(Self::WebKit)
        } else {
            None
        }
    }
}

/// All storages of a file, without their values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseListing {
    /// In the order of origin and partition.
    pub storages: Vec<ListedDatabaseStorage>,
    /// Damage, oddities and what was left out.
    pub problems: Vec<Problem>,
}

/// A storage, without its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedDatabaseStorage {
    /// Whose it is.
    pub whose: Whose,
    /// When it was last changed, in microseconds since 1970, where the file tells.
    pub changed_at_us: Option<i64>,
    /// How many items.
    pub item_count: u64,
    /// Bytes of all their keys and values, as they are stored.
    pub size_bytes: u64,
}

/// A file in which a browser keeps localStorage, as it was at one moment: what is listed is what is read.
pub struct StoreFile {
    path: PathBuf,
    kind: StoreKind,
    salvage: Salvage,
}

impl StoreFile {
    /// Copies the file at `path` with what lies beside it, and looks whose it is.
    ///
    /// # Errors
    /// `NotFound`; `Damaged` for what is no database, has no table or cannot be read at all; `Usage` for a database of something
    /// else; `Busy` where the browser goes on writing; I/O.
    pub fn open(path: &Path, options: &SalvageOptions, run: Run<'_>) -> Result<Self> {
        let salvage = Salvage::open(path, options, run)?;
        let kind = StoreKind::of(&salvage).ok_or_else(|| not_local_storage(&salvage).at(path))?;
        Ok(Self { path: path.to_path_buf(), kind, salvage })
    }

    /// Whose way of keeping it.
    #[must_use]
    pub fn kind(&self) -> StoreKind {
        self.kind
    }

    /// Lists the storages; no value is held.
    ///
    /// # Errors
    /// `NewerFormat`; `Interrupted`; I/O. Damage is a problem with [`Problem::may_lose_items`].
    pub fn list(&self, interrupt: &Interrupt) -> Result<DatabaseListing> {
        let mut collected = Collected::to_list(&self.path);
        self.collect(&mut collected, interrupt)?;
        let (storages, problems) = collected.into_listing();
        Ok(DatabaseListing { storages, problems })
    }

    /// Reads the storages of `origins`, with all their partitions; all without `origins`. A storage of which nobody can tell
    /// whose it is, is always read.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn read(&self, origins: Option<&BTreeSet<String>>, interrupt: &Interrupt) -> Result<Reading> {
        let mut collected = Collected::to_read(&self.path, origins);
        self.collect(&mut collected, interrupt)?;
        Ok(collected.into_reading())
    }

    fn collect(&self, collected: &mut Collected<'_>, interrupt: &Interrupt) -> Result<()> {
        interrupt.check()?;
        let Self { path, kind, salvage } = self;
        collected.tell_flaws(salvage.flaws());
        match kind {
            StoreKind::Chromium => sqlite_store::collect(salvage, collected),
            StoreKind::Firefox => firefox::collect(salvage, path, collected),
            StoreKind::FirefoxLegacy => firefox::collect_legacy(salvage, collected),
            StoreKind::WebKit => webkit::collect(salvage, path, collected),
        }
        .map_err(|error| error.at(path))?;
        interrupt.check()
    }
}

fn not_local_storage(salvage: &Salvage) -> Error {
    if !salvage.has_no_tables() {
        let message = "the file is a SQLite database, but it holds no localStorage";
        return Error::new(ErrorKind::Usage, message)
            .hint("looked for the tables of Chromium, Firefox, WebKit and Safari");
    }
    if salvage.lacks_wal() {
        let message =
            "the file has no table: what it holds was in the file ending in -wal, which is not there";
        return Error::new(ErrorKind::Damaged, message).hint(
            "copy both files, or close the browser first; nothing of it can be read from this one alone",
        );
    }
    match salvage.flaws().iter().find(|flaw| flaw.may_lose_rows) {
        Some(flaw) => {
            let message = format!("the file has no table that can be read: {}", flaw.message);
            Error::new(ErrorKind::Damaged, message)
        }
        None => Error::new(ErrorKind::Damaged, "the file is a SQLite database without any table"),
    }
}
