//! What keeps a damaged b-tree from being read as if it were sound.
//!
//! SQLite follows a table's pages wherever they lead: a page that is linked twice gives its rows twice, and a ring
//! of pages gives rows for a long time, without any error. Rows whose keys do not ascend, more rows than the file
//! has room for, and more bytes than it holds are damage, and end the reading.

use rusqlite::Connection;

use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Cell, Table, TextEncoding};
use crate::sqlite::failure::{RECOVER_HINT, failure};
use crate::sqlite::key_order::{Follows, KeyOrder};

/// The least a row takes of a page: a cell of four bytes and its two in the page's list of cells.
const LEAST_ROW_BYTES: u64 = 6;

/// The most rows that the database has room for.
///
/// # Errors
/// What SQLite says.
pub(crate) fn most_rows(connection: &Connection) -> Result<u64> {
    Ok(size_bytes(connection)? / LEAST_ROW_BYTES)
}

fn size_bytes(connection: &Connection) -> Result<u64> {
    let number = |sql: &str| {
        let read = connection.query_row(sql, [], |row| row.get::<_, Option<u32>>(0));
        Ok::<_, Error>(u64::from(read.map_err(failure)?.unwrap_or_default()))
    };
    Ok(number("PRAGMA main.page_count")? * number("PRAGMA main.page_size")?)
}

/// Looks at every row of one table as it is read.
pub(crate) struct ScanGuard {
    previous_rowid: Option<i64>,
    key: Option<KeyOrder>,
    /// Why the key cannot be rebuilt, once rows have shown it.
    key_is_lost: Option<String>,
    rows: u64,
    most_rows: u64,
    /// Bytes of texts and blobs.
    value_bytes: u64,
    most_value_bytes: u64,
    /// What a row may have without storing it: defaults of columns that were added later.
    default_bytes: u64,
}

impl ScanGuard {
    /// Prepares to look at the rows of `table`, whose b-tree has its root at `root_page`.
    ///
    /// # Errors
    /// What SQLite says.
    pub(crate) fn new(
        connection: &Connection,
        table: &Table,
        root_page: u32,
        encoding: TextEncoding,
    ) -> Result<Self> {
        let size_bytes = size_bytes(connection)?;
        // Every default is spelled out in the definition; UTF-16 takes at most half as much again as UTF-8.
        let definition = format!(
            "SELECT max(length(CAST(sql AS BLOB))) FROM main.sqlite_schema WHERE rootpage = {root_page}"
        );
        let longest = connection.query_row(&definition, [], |row| row.get::<_, Option<u32>>(0));
        Ok(Self {
            previous_rowid: None,
            key: KeyOrder::of(table, encoding),
            key_is_lost: None,
            rows: 0,
            most_rows: size_bytes / LEAST_ROW_BYTES,
            value_bytes: 0,
            most_value_bytes: size_bytes.saturating_mul(2),
            default_bytes: u64::from(longest.map_err(failure)?.unwrap_or_default()) * 2,
        })
    }

    /// Looks at the next row.
    ///
    /// # Errors
    /// `Damaged` for a row that a sound table cannot have there.
    pub(crate) fn check(&mut self, rowid: Option<i64>, cells: &[Cell<'_>]) -> Result<()> {
        let damaged = |message: &str| Err(Error::new(ErrorKind::Damaged, message).hint(RECOVER_HINT));
        self.rows += 1;
        let is_number = |cell: &&Cell<'_>| matches!(cell, Cell::Null | Cell::Integer(_) | Cell::Real(_));
        let values = cells.iter().filter(|cell| !is_number(cell));
        self.value_bytes += values.map(|cell| cell.size_bytes() as u64).sum::<u64>();
        if self.rows > self.most_rows {
            return damaged("the table has more rows than the database has room for: pages are linked twice");
        }
        let most = self.most_value_bytes.saturating_add(self.rows.saturating_mul(self.default_bytes));
        if self.value_bytes > most {
            return damaged("the table has more data than the database holds: pages are linked twice");
        }
        if rowid.is_some() && self.previous_rowid >= rowid {
            return damaged("the rowids of the table are not in ascending order: the database is damaged");
        }
        self.previous_rowid = rowid;
        match self.key.as_mut().filter(|_| self.key_is_lost.is_none()).map(|key| key.push(cells)) {
            None | Some(Follows::Ascending) => {}
            Some(Follows::UnderAnother(collation)) => {
                self.key_is_lost = Some(format!(
                    "row {} does not follow the one before under SQLite's own {collation}, which the application \
                     seems to have replaced",
                    self.rows
                ));
            }
            Some(Follows::Never) => {
                return damaged(
                    "the rows of the table are not in the order of its key: the database is damaged",
                );
            }
        }
        Ok(())
    }

    /// Why the key of the WITHOUT ROWID table cannot be rebuilt, where the rows so far have shown it.
    pub(crate) fn key_is_lost(&self) -> Option<&str> {
        self.key_is_lost.as_deref()
    }
}
