//! What statements may be prepared on a connection of this program: a list of what it needs, and nothing else.
//!
//! SQLite asks for every statement it prepares, those of its own modules included: a table of FTS4 names functions
//! that are put into statements unseen. It does not ask while it parses a schema; that an expression there can only
//! call harmless functions is settled by not trusting the schema (`configure`), and here once more.
//!
//! No other module says what is allowed. The wrapper's own way of asking cannot be used: it panics on names that are not
//! UTF-8, which a database may have.
#![expect(unsafe_code, reason = "the question is asked through SQLite's C interface")]

use std::ffi::{CStr, c_char, c_int, c_void};

use rusqlite::{Connection, ffi};

use crate::error::Result;
use crate::sqlite::failure::failure;

/// What the names of everything begin with that this program makes in a database.
const OURS: &str = "parklite";

/// Pragmas of this program, and of the modules it keeps.
const PRAGMAS: [&str; 33] = [
    "application_id",
    "auto_vacuum",
    "cache_size",
    "cache_spill",
    "cell_size_check",
    "data_version",
    "default_cache_size",
    "encoding",
    "foreign_key_check",
    "freelist_count",
    "ignore_check_constraints",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "journal_mode",
    "journal_size_limit",
    "locking_mode",
    "max_page_count",
    "mmap_size",
    "page_count",
    "page_size",
    "query_only",
    "quick_check",
    "schema_version",
    "synchronous",
    "table_list",
    "table_xinfo",
    "temp_store",
    "user_version",
    "wal_autocheckpoint",
    "wal_checkpoint",
    "writable_schema",
    "function_list",
];

/// Functions that do more than compute a value from values. A table that so much as mentions one cannot be read, as
/// SQLite asks for those of its DEFAULTs as well; so functions that do not exist must not be refused here.
const FORBIDDEN: [&str; 19] = [
    "bm25",
    "edit",
    "fts3_tokenizer",
    "fts5",
    "fts5_get_locale",
    "highlight",
    "load_extension",
    "match",
    "matchinfo",
    "offsets",
    "optimize",
    "readfile",
    "rtreecheck",
    "rtreedepth",
    "rtreenode",
    "snippet",
    "sqlite_log",
    "sqlite_offset",
    "writefile",
];

/// Installs the list on a connection; it holds for every statement prepared from now on.
///
/// # Errors
/// What SQLite says.
pub(crate) fn authorize(connection: &Connection) -> Result<()> {
    // SAFETY: the connection is open, and the callback is a function that looks at nothing but its arguments, so it
    // may outlive everything here.
    let code =
        unsafe { ffi::sqlite3_set_authorizer(connection.handle(), Some(answer), std::ptr::null_mut()) };
    if code == ffi::SQLITE_OK {
        return Ok(());
    }
    Err(failure(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)))
}

/// Names are bytes here: those of a database need not be UTF-8.
unsafe extern "C" fn answer(
    _: *mut c_void,
    action: c_int,
    first: *const c_char,
    second: *const c_char,
    _database: *const c_char,
    _inside: *const c_char,
) -> c_int {
    let bytes = |text: *const c_char| {
        if text.is_null() {
            return &[][..];
        }
        // SAFETY: a string that ends with a zero and lives as long as this call.
        unsafe { CStr::from_ptr(text) }.to_bytes()
    };
    if is_allowed(action, bytes(first), bytes(second)) { ffi::SQLITE_OK } else { ffi::SQLITE_DENY }
}

/// Source: "Authorizer Action Codes" of `sqlite3.h`, which says what the two names are for each code.
fn is_allowed(action: c_int, first: &[u8], second: &[u8]) -> bool {
    let is_ours = |name: &[u8]| name.starts_with(OURS.as_bytes());
    let is_among =
        |list: &[&str], name: &[u8]| list.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name));
    match action {
        // Which tables are written is settled by how the connection was opened: R-Tree prepares its writes whenever
        // it is connected.
        ffi::SQLITE_SELECT
        | ffi::SQLITE_READ
        | ffi::SQLITE_INSERT
        | ffi::SQLITE_UPDATE
        | ffi::SQLITE_DELETE
        | ffi::SQLITE_TRANSACTION
        | ffi::SQLITE_REINDEX => true,
        ffi::SQLITE_CREATE_TABLE | ffi::SQLITE_DROP_TABLE | ffi::SQLITE_CREATE_VIEW => is_ours(first),
        // The index of a key of ours has a name of SQLite's.
        ffi::SQLITE_CREATE_INDEX => is_ours(first) || is_ours(second),
        ffi::SQLITE_PRAGMA => is_among(&PRAGMAS, first),
        ffi::SQLITE_FUNCTION => !is_among(&FORBIDDEN, second),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(sql: &str) -> bool {
        let connection = Connection::open_in_memory().expect("opens");
        connection.execute_batch("CREATE TABLE t(a); CREATE INDEX i ON t(a)").expect("creates");
        authorize(&connection).expect("installs");
        match connection.prepare(sql) {
            Ok(_) => false,
            Err(error) => {
                let text = error.to_string();
                assert!(text.contains("not authorized"), "{sql}: {text}");
                true
            }
        }
    }

    #[test]
    fn what_reaches_beyond_the_database_is_refused() {
        for sql in [
            "ATTACH 'x.db' AS x",
            "DETACH x",
            "CREATE TEMP TABLE x(a)",
            "CREATE TEMP VIEW x AS SELECT 1",
            "CREATE TEMP TRIGGER x DELETE ON t BEGIN SELECT 1; END",
            "CREATE TRIGGER x DELETE ON t BEGIN SELECT 1; END",
            "CREATE VIRTUAL TABLE x USING fts5(a)",
            "CREATE TABLE x(a)",
            "CREATE INDEX x ON t(a)",
            "DROP INDEX i",
            "DROP TABLE t",
            "ALTER TABLE t RENAME TO x",
            "ANALYZE",
            "SAVEPOINT x",
            "PRAGMA temp_store_directory = '/'",
            "PRAGMA trusted_schema = ON",
            "SELECT load_extension('x')",
            "SELECT fts3_tokenizer('simple')",
            "SELECT rtreecheck('t')",
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n",
        ] {
            assert!(refused(sql), "{sql}");
        }
    }

    /// Source: `sqlite3.h` (`SQLITE_INNOCUOUS`), which is shown among the flags.
    #[test]
    fn every_function_that_sqlite_does_not_call_innocuous_is_forbidden() {
        const INNOCUOUS: i64 = 0x0020_0000;
        let connection = Connection::open_in_memory().expect("opens");
        let sql = "SELECT DISTINCT name FROM pragma_function_list WHERE flags & ?1 = 0 ORDER BY name";
        let mut statement = connection.prepare(sql).expect("prepares");
        let names = statement.query_map([INNOCUOUS], |row| row.get::<_, String>(0)).expect("runs");
        let names: Vec<String> = names.collect::<Result<_, _>>().expect("are read");
        assert!(names.iter().any(|name| name == "load_extension"), "{names:?}");
        let missing: Vec<&String> = names.iter().filter(|name| !FORBIDDEN.contains(&name.as_str())).collect();
        assert_eq!(missing, Vec::<&String>::new());
    }

    #[test]
    fn what_this_program_does_is_allowed() {
        for sql in [
            "SELECT count(*), max(a) FROM t WHERE a GLOB '[0-9]*'",
            "INSERT INTO t VALUES (iif(?1, CAST(?2 AS TEXT), ?2))",
            "CREATE TABLE \"parklite 1\"(c0)",
            "CREATE INDEX \"parklite index 2\" ON t(a)",
            "CREATE VIEW \"parklite\" AS SELECT 1",
            "REINDEX main.i",
            "CREATE TABLE \"parklite 3\"(c0, PRIMARY KEY(c0)) WITHOUT ROWID",
            "PRAGMA main.integrity_check(10)",
            "SELECT name FROM pragma_table_list WHERE schema = 'main'",
            "BEGIN EXCLUSIVE",
        ] {
            assert!(!refused(sql), "{sql}");
        }
    }
}
