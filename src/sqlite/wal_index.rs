//! How far a WAL has been folded into its database, as its readers and writers tell each other.
//!
//! Read in the memory that SQLite itself has mapped: closing any other descriptor of that file would drop this
//! process's locks.
#![expect(unsafe_code, reason = "reads the shared memory of a WAL through SQLite's own mapping")]

use std::ffi::{c_int, c_void};
use std::ptr;

use rusqlite::Connection;

use crate::error::Result;
use crate::sqlite::failure::failure;
use crate::sqlite::main_file::main_file;

/// How far a WAL has been folded in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FoldedIn {
    /// There is no WAL.
    NoWal,
    /// These frames.
    Frames {
        /// Frames that are in the database.
        done: u32,
        /// Frames of which some may be: the mark is set before the first of them is written.
        begun: u32,
    },
    /// The shared memory cannot be looked at: SQLite reads the WAL without it.
    Unknown,
}

/// Tells it on a connection with a read transaction open.
///
/// # Errors
/// What SQLite says.
///
/// Source: SQLite, "WAL-mode File Format", section 2.2 (`nBackfill` and `nBackfillAttempted` of the header of the
/// WAL-index, in the byte order of the machine).
pub(super) fn folded_in(connection: &Connection) -> Result<FoldedIn> {
    let mode: String =
        connection.query_row("PRAGMA main.journal_mode", [], |row| row.get(0)).map_err(failure)?;
    Ok(if mode == "wal" { read(connection).unwrap_or(FoldedIn::Unknown) } else { FoldedIn::NoWal })
}

/// Which commit is the last one: the header of the WAL-index, which every commit changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LastCommit([u32; HEADER_WORDS]);

/// Source: SQLite, "WAL-mode File Format", section 2.2: 48 bytes.
const HEADER_WORDS: usize = 12;

/// Tells it on a connection with a read transaction open, whatever that transaction sees; `None` where the shared memory
/// cannot be looked at.
pub(super) fn last_commit(connection: &Connection) -> Option<LastCommit> {
    read_words(connection, std::array::from_fn(|word| word * size_of::<u32>())).map(LastCommit)
}

fn read(connection: &Connection) -> Option<FoldedIn> {
    const DONE_AT: usize = 96;
    const BEGUN_AT: usize = 128;
    let [done, begun] = read_words(connection, [DONE_AT, BEGUN_AT])?;
    Some(FoldedIn::Frames { done, begun })
}

/// The words at these places in bytes of the first region of the WAL-index.
fn read_words<const N: usize>(connection: &Connection, places: [usize; N]) -> Option<[u32; N]> {
    const REGION_BYTES: c_int = 32 * 1024;
    let file = main_file(connection).ok()?;
    let mut region: *mut c_void = ptr::null_mut();
    // SAFETY: SQLite owns the file for as long as the connection lives. Methods have `xShmMap` from version 2 on; it
    // maps nothing new here, since the open transaction has mapped this region with this size.
    unsafe {
        let methods = file.as_ref()?.pMethods.as_ref().filter(|methods| methods.iVersion >= 2)?;
        // A read-only mapping is told as an error, and given all the same.
        methods.xShmMap?(file, 0, REGION_BYTES, 0, &raw mut region);
    }
    // SAFETY: the region is mapped while the connection lives, is longer than these places and aligned for them; another
    // process may write there at any time, which is why it is read as volatile.
    let read = |offset: usize| unsafe { region.byte_add(offset).cast::<u32>().read_volatile() };
    (!region.is_null()).then(|| places.map(read))
}
