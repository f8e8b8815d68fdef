//! All knowledge of SQLite: opening, the catalog, reading rows, building a restored database, checks.
//!
//! Nothing outside this module runs SQL or knows a pragma. Sources are opened read-only and never in a way
//! that ignores a journal or a WAL; targets are built in a private staged file.

pub mod catalog;
pub mod check;
pub mod copy;
mod database;
mod failure;
pub mod lock;
pub mod open;
mod rows;
mod statement;
pub mod target;
pub mod target_plan;

/// The version of the SQLite library in this program.
#[must_use]
pub fn library_version() -> &'static str {
    rusqlite::version()
}
