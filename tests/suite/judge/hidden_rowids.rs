//! Rowids that SQL cannot name: those of a table with columns called rowid, oid and _rowid_.
//!
//! SQLite's test interface can declare a second, read-only table over the same b-tree; there the names are free.

use std::ffi::{CStr, c_int};

use rusqlite::{Connection, ffi};

use super::side::{Side, message};

/// Only this connection sees the second declaration, and it is closed afterwards; the name must merely be free.
const IMPOSTER: &str = "judge_imposter_of_hidden_rowids";
const MAIN: &CStr = c"main";

/// Modes of `SQLITE_TESTCTRL_IMPOSTER`.
enum Mode {
    Off = 0,
    ReadOnly = 2,
}

/// The rowids of `table` in ascending order.
pub(super) fn read(side: &Side, table: &str) -> Result<Vec<i64>, String> {
    let connection = side.checker();
    let root: c_int = connection
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = ?1 AND type = 'table'", [table], |row| {
            row.get(0)
        })
        .map_err(message)?;
    imposter(&connection, Mode::ReadOnly, root);
    let declared = connection.execute_batch(&format!("CREATE TABLE {IMPOSTER} (c0)"));
    imposter(&connection, Mode::Off, 0);
    declared.map_err(message)?;
    super::side::query(&connection, &format!("SELECT rowid FROM {IMPOSTER} ORDER BY rowid"), [], |row| {
        row.get(0)
    })
}

#[expect(unsafe_code, reason = "rusqlite has no wrapper for SQLite's test interface")]
fn imposter(connection: &Connection, mode: Mode, root: c_int) {
    // SAFETY: the handle is open and used by this thread alone; SQLITE_TESTCTRL_IMPOSTER takes exactly the
    // database, a schema name that outlives the call, and two ints.
    let status = unsafe {
        ffi::sqlite3_test_control(
            ffi::SQLITE_TESTCTRL_IMPOSTER,
            connection.handle(),
            MAIN.as_ptr(),
            mode as c_int,
            root,
        )
    };
    assert_eq!(status, ffi::SQLITE_OK, "the bundled SQLite has imposter tables");
}
