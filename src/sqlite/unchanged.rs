//! Whether something that knows nothing of SQLite's locks changed a database file while it was read.

use std::path::Path;
use std::time::SystemTime;

use rusqlite::Connection;

use crate::error::{Error, ErrorKind, Result};
use crate::sqlite::failure::failure;
use crate::sqlite::wal_index::{FoldedIn, folded_in};

/// What a database file looked like when its read transaction began.
#[derive(Debug)]
pub(crate) struct Unchanged {
    looks: Option<Looks>,
    /// How far the WAL was folded in, where there is one.
    folded_in: Option<FoldedIn>,
    is_wal: bool,
}

impl Unchanged {
    /// Looks at the file, inside a read transaction.
    ///
    /// # Errors
    /// What SQLite says.
    pub(crate) fn since_now(connection: &Connection, path: &Path) -> Result<Self> {
        let mode: String =
            connection.query_row("PRAGMA main.journal_mode", [], |row| row.get(0)).map_err(failure)?;
        let is_wal = mode == "wal";
        // In this order: what is folded in after that look counts as begun.
        let folded_in = if is_wal { folded_in(connection) } else { None };
        Ok(Self { looks: Looks::of(path), folded_in, is_wal })
    }

    /// Looks again, inside the same read transaction.
    ///
    /// A reader lets others change the file in one way only: they may fold in the part of a WAL that it sees. They
    /// say so in the WAL's shared memory before they begin, so any other change is none of SQLite's. What happens
    /// beside such a fold-in is not noticed.
    ///
    /// # Errors
    /// `Failed` if the file was changed otherwise: what was read may be a mixture then.
    pub(crate) fn check(&self, connection: &Connection, path: &Path) -> Result<()> {
        let (Some(before), Some(now)) = (&self.looks, Looks::of(path)) else { return Ok(()) };
        // A file that was replaced or removed was read to its end all the same: it stayed open.
        if before.identity != now.identity || *before == now {
            return Ok(());
        }
        let is_folding = self.is_wal && (self.folded_in.is_none() || self.folded_in != folded_in(connection));
        if is_folding {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Failed,
            "the database was changed without SQLite's locks while it was read",
        )
        .at(path)
        .hint("export again when nothing copies to this file or synchronises it"))
    }
}

/// How a file looks from outside. It is never opened for this: closing it would drop this process's locks.
#[derive(Debug, PartialEq, Eq)]
struct Looks {
    identity: (u64, u64),
    size_bytes: u64,
    modified: Option<SystemTime>,
}

impl Looks {
    fn of(path: &Path) -> Option<Self> {
        let found = std::fs::metadata(path).ok()?;
        Some(Self { identity: identity(&found), size_bytes: found.len(), modified: found.modified().ok() })
    }
}

#[cfg(unix)]
fn identity(found: &std::fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    (found.dev(), found.ino())
}

#[cfg(not(unix))]
fn identity(_found: &std::fs::Metadata) -> (u64, u64) {
    (0, 0)
}
