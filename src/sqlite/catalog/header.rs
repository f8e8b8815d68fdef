//! Reading the settings in the header of a database.

use rusqlite::Connection;

use crate::error::{Error, ErrorKind, Result};
use crate::schema::{AutoVacuum, DatabaseHeader, JournalMode, TextEncoding};
use crate::sqlite::failure::failure;
use crate::sqlite::main_file::read_file_header;

/// The settings of the connection's main database.
///
/// # Errors
/// `Damaged` for settings that cannot be; what SQLite says otherwise.
pub(super) fn read_header(connection: &Connection) -> Result<DatabaseHeader> {
    let number = |name: &str| {
        connection.query_row(&format!("PRAGMA main.{name}"), [], |row| row.get::<_, i64>(0)).map_err(failure)
    };
    let text = |name: &str| {
        connection
            .query_row(&format!("PRAGMA main.{name}"), [], |row| row.get::<_, String>(0))
            .map_err(failure)
    };
    let odd = |what: &str| Error::new(ErrorKind::Damaged, format!("the database has an impossible {what}"));
    Ok(DatabaseHeader {
        user_version: i32::try_from(number("user_version")?).map_err(|_| odd("user_version"))?,
        application_id: i32::try_from(number("application_id")?).map_err(|_| odd("application_id"))?,
        encoding: match text("encoding")?.as_str() {
            "UTF-8" => TextEncoding::Utf8,
            "UTF-16le" => TextEncoding::Utf16Le,
            "UTF-16be" => TextEncoding::Utf16Be,
            _ => return Err(odd("encoding")),
        },
        page_size: u32::try_from(number("page_size")?).map_err(|_| odd("page size"))?,
        auto_vacuum: match number("auto_vacuum")? {
            0 => AutoVacuum::None,
            1 => AutoVacuum::Full,
            2 => AutoVacuum::Incremental,
            _ => return Err(odd("auto_vacuum setting")),
        },
        journal_mode: if text("journal_mode")? == "wal" { JournalMode::Wal } else { JournalMode::Rollback },
        legacy_format: has_legacy_format(connection)?,
        default_cache_size: read_default_cache_size(connection)?,
    })
}

/// Source: SQLite, "Database File Format", section 1.3.10 (schema format number, at offset 44).
fn has_legacy_format(connection: &Connection) -> Result<bool> {
    let header = read_file_header(connection)?;
    let format = u32::from_be_bytes([header[44], header[45], header[46], header[47]]);
    // 0: nothing was ever created, or it still lies in the WAL, and then it is not that old.
    Ok((1..4).contains(&format))
}

/// The setting, unless it answers as it does in a database that never set it.
fn read_default_cache_size(connection: &Connection) -> Result<Option<i32>> {
    const PRAGMA: &str = "PRAGMA default_cache_size";
    let read = |connection: &Connection| {
        connection.query_row(PRAGMA, [], |row| row.get::<_, i32>(0)).map_err(failure)
    };
    let never_set = read(&Connection::open_in_memory().map_err(failure)?)?;
    Ok(Some(read(connection)?).filter(|pages| *pages != never_set))
}
