//! All knowledge of SQLite: opening, the catalog, reading rows, building a restored database, checks.
//!
//! Nothing outside this module runs SQL or knows a pragma. Sources are opened read-only and never in a way
//! that ignores a journal or a WAL; targets are built in a private staged file. A database that must not be touched
//! at all, not even by SQLite's side files, is opened with [`open::Source::open_untouched`]. The one database that is
//! written to in place is that of [`events`].

mod authorizer;
pub mod catalog;
pub mod check;
mod connect;
pub mod copy;
pub(crate) mod database;
mod ddl;
pub mod events;
pub(crate) mod failure;
mod imposter;
mod journal_records;
mod key_order;
pub mod lock;
mod looks;
mod main_file;
mod modules;
pub mod name;
pub mod not_kept;
pub mod open;
mod piecewise_vfs;
mod private_copy;
mod read_ahead;
mod read_only_vfs;
pub mod recovered;
pub mod rowids;
mod rows;
pub mod salvage;
mod scan_guard;
pub mod schema_check;
pub mod source_check;
pub(crate) mod stand_in;
mod statement;
mod super_journal;
pub mod target;
pub mod target_plan;
mod untouched;
mod wal_frames;
mod wal_index;
mod watch;

use std::path::Path;

use rusqlite::Connection;

use crate::error::{Error, ErrorKind, Result};
use crate::sqlite::failure::failure;

pub(crate) use failure::RECOVER_HINT;
pub use watch::{Extent, set_expression_timeout};

/// Says where SQLite puts temporary files of this process, such as those of sorting an index.
///
/// SQLite keeps one such folder for the whole process and does not guard it: call this before any database is
/// opened on another thread. It deletes such files as soon as it has opened them, where the system can.
///
/// # Errors
/// What SQLite says; `Usage` for a folder whose name is not valid UTF-8.
pub fn set_temporary_folder(folder: &Path) -> Result<()> {
    let Some(text) = folder.to_str() else {
        return Err(Error::new(ErrorKind::Usage, "the temporary folder's name is not valid UTF-8").at(folder));
    };
    let connection = Connection::open_in_memory().map_err(failure)?;
    // An old pragma, but the only way to set the folder without touching the environment.
    let sql = format!("PRAGMA temp_store_directory='{}'", text.replace('\'', "''"));
    connection.execute_batch(&sql).map_err(|error| {
        Error::new(ErrorKind::Failed, "temporary files cannot be written here")
            .at(folder)
            .hint("create the folder first, check its permissions, or choose another one")
            .because(failure(error))
    })
}

/// The version of the SQLite library in this program.
#[must_use]
pub fn library_version() -> &'static str {
    rusqlite::version()
}
