//! Opening a source that SQLite can only read after it has recovered it, or only where it may write beside it.
//!
//! A live database is read in place. One that a program left without closing it has a hot journal, which has to be
//! rolled back before anything can be read; one in WAL mode needs a `-shm`, which cannot be made on read-only media.
//! Both are left as they are, byte for byte: a private copy is recovered and read in their place.

use std::path::Path;

use rusqlite::ffi;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::run::Run;
use crate::sqlite::failure::extended_code;
use crate::sqlite::open::{OpenOptions, Reading, Source};

/// What SQLite recovered a private copy of the source from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecoveredFrom {
    /// A rollback journal of a transaction that was never finished.
    #[serde(rename = "hot journal")]
    HotJournal,
    /// A WAL whose shared memory cannot be made beside it.
    #[serde(rename = "WAL")]
    Wal,
}

impl RecoveredFrom {
    /// The words used in reports and in the manifest.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::HotJournal => "hot journal",
            Self::Wal => "WAL",
        }
    }
}

impl Source {
    /// As [`Self::open_patiently`], and where SQLite cannot read the database in place, by a private copy that it
    /// recovers; says from what.
    ///
    /// # Errors
    /// As [`Self::open`] and [`Self::open_untouched`].
    pub fn open_or_recover(
        path: &Path,
        options: &OpenOptions,
        temp_folder: Option<&Path>,
        run: Run<'_>,
    ) -> Result<(Self, Option<RecoveredFrom>)> {
        let error = match Self::open_patiently(path, options, run) {
            Ok(source) => return Ok((source, None)),
            Err(error) => error,
        };
        let recovered_from = match extended_code(&error) {
            Some(ffi::SQLITE_READONLY_ROLLBACK) => RecoveredFrom::HotJournal,
            Some(
                ffi::SQLITE_READONLY_RECOVERY
                | ffi::SQLITE_READONLY_CANTINIT
                | ffi::SQLITE_READONLY_CANTLOCK
                | ffi::SQLITE_READONLY_DIRECTORY
                | ffi::SQLITE_CANTOPEN,
            ) => RecoveredFrom::Wal,
            _ => return Err(error),
        };
        let source = Self::open_untouched(path, options, temp_folder, run)?;
        if !source.is_private_copy() {
            run.progress.note(
                "nothing can be written beside the database, so it is read as if no other program used it; \
                 the export fails if one does",
            );
            return Ok((source, None));
        }
        run.progress.note(&format!(
            "the database was not closed cleanly: a private copy, recovered from its {}, is exported; the files \
             themselves stay as they are",
            recovered_from.name()
        ));
        Ok((source, Some(recovered_from)))
    }

    /// Whether a private copy of ours is read, in place of the file that was named.
    #[must_use]
    pub fn is_private_copy(&self) -> bool {
        matches!(self.reading, Reading::Copy(..))
    }
}
