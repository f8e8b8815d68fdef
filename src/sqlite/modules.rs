//! The modules of virtual tables that connections have.
#![expect(unsafe_code, reason = "takes modules from a connection through SQLite's C interface")]

use std::ffi::{CStr, c_char};
use std::ptr;

use rusqlite::{Connection, ffi};

use crate::error::Result;
use crate::sqlite::failure::last_failure;

/// The modules of virtual tables that keep tables of their own, and so have something to check.
pub(super) const WITH_TABLES: &[&CStr] = &[c"fts3", c"fts4", c"fts5", c"rtree", c"rtree_i32"];

/// Makes the connection forget all modules of virtual tables but those of these names.
///
/// # Errors
/// What SQLite says.
pub(super) fn keep_modules(connection: &Connection, names: &[&CStr]) -> Result<()> {
    let mut names: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).chain([ptr::null()]).collect();
    // SAFETY: the connection is open, and the names are a list of strings that live through the call and ends with
    // a null pointer.
    let code = unsafe { ffi::sqlite3_drop_modules(connection.handle(), names.as_mut_ptr()) };
    if code == ffi::SQLITE_OK { Ok(()) } else { Err(last_failure(connection, code)) }
}
