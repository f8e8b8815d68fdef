//! Imposters: second definitions of a b-tree, in memory only.
#![expect(unsafe_code, reason = "defines imposters through SQLite's C interface")]

use std::ffi::c_int;

use rusqlite::{Connection, ffi};

use crate::error::{Error, ErrorKind, Result};
use crate::sqlite::failure::{failure, failure_of_code};

/// How an imposter definition may use its b-tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ImposterMode {
    /// `CREATE TABLE` is ordinary again.
    Off = 0,
    /// The imposter may be written; it has no constraints but its key.
    Writable = 1,
    /// The imposter may be read but not written.
    ReadOnly = 2,
}

/// Makes `definition`, an unqualified `CREATE TABLE`, a second, in-memory definition of the b-tree at `root_page`.
///
/// It is no part of the schema, and is forgotten when the schema is read again: see [`forget_imposters`].
///
/// # Errors
/// What SQLite says.
///
/// Source: SQLite, "Imposter Tables" and `SQLITE_TESTCTRL_IMPOSTER` in sqlite3.c; pinned by tests.
pub(crate) fn define_imposter(
    connection: &Connection,
    mode: ImposterMode,
    root_page: u32,
    definition: &str,
) -> Result<()> {
    set_imposter(connection, mode, root_page)?;
    let defined = connection.execute_batch(definition).map_err(failure);
    set_imposter(connection, ImposterMode::Off, 0)?;
    defined
}

/// Makes SQLite read the schema anew, which forgets all imposters.
///
/// # Errors
/// What SQLite says.
pub(crate) fn forget_imposters(connection: &Connection) -> Result<()> {
    // With a page number, switching off also resets the schema.
    set_imposter(connection, ImposterMode::Off, 1)
}

fn set_imposter(connection: &Connection, mode: ImposterMode, root_page: u32) -> Result<()> {
    let page = c_int::try_from(root_page).map_err(|_| Error::new(ErrorKind::Failed, "no such page"))?;
    // SAFETY: the control takes exactly these arguments; the connection is open and the name is static.
    let code = unsafe {
        ffi::sqlite3_test_control(
            ffi::SQLITE_TESTCTRL_IMPOSTER,
            connection.handle(),
            c"main".as_ptr(),
            mode as c_int,
            page,
        )
    };
    if code == ffi::SQLITE_OK {
        Ok(())
    } else {
        Err(failure_of_code(code, "imposter tables are not available".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_imposter_reaches_the_rows_of_another_definition() -> Result<()> {
        let connection = Connection::open_in_memory().expect("opens");
        connection
            .execute_batch("CREATE TABLE t(rowid, oid, _rowid_); INSERT INTO t VALUES (NULL, 2, 3);")
            .expect("creates");
        let sql = "SELECT rootpage FROM sqlite_schema";
        let root: u32 = connection.query_row(sql, [], |row| row.get(0)).expect("has a root page");
        define_imposter(&connection, ImposterMode::ReadOnly, root, "CREATE TABLE w(c0)")?;
        let rowid: i64 = connection.query_row("SELECT rowid FROM w", [], |row| row.get(0)).expect("reads");
        assert_eq!(rowid, 1);
        assert!(connection.execute("DELETE FROM w", []).is_err(), "a read-only imposter refuses writes");
        forget_imposters(&connection)?;
        assert!(connection.prepare("SELECT * FROM w").is_err(), "an imposter is no part of the schema");
        assert!(connection.prepare("SELECT * FROM t").is_ok());
        Ok(())
    }
}
