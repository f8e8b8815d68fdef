//! The thinnest path over SQLite's statements: SQL as bytes in, cells out, without a copy.
//!
//! Two things need it beyond rusqlite's own statements. Names in a database need not be valid UTF-8, so SQL
//! text is bytes here. And a cell read through `sqlite3_column_value` costs one call for the value instead of
//! one per question about it. Nothing outside `sqlite` may use SQLite's C interface; modules of `sqlite` that do say so at
//! their head.
#![expect(unsafe_code, reason = "reads cells and binds bytes through SQLite's C interface")]

use std::ffi::c_int;
use std::ptr::{self, NonNull};

use rusqlite::{Connection, ffi};

use crate::error::{Error, Result};
use crate::schema::{Cell, TextEncoding};
use crate::sqlite::failure::last_failure;

mod bind;

/// One prepared statement, and while it is on a row, that row.
pub(crate) struct Statement<'c> {
    raw: NonNull<ffi::sqlite3_stmt>,
    connection: &'c Connection,
    /// Text of the current row that had to be converted from UTF-16; cells borrow from it.
    converted: String,
}

/// Where the text of one column lies in `converted`; `None`: not valid text.
type Converted = Option<std::ops::Range<usize>>;

impl<'c> Statement<'c> {
    /// Prepares exactly one statement.
    ///
    /// # Errors
    /// What SQLite says; `Failed` if there is a second statement.
    pub(crate) fn prepare(connection: &'c Connection, sql: &[u8]) -> Result<Self> {
        let length = c_int::try_from(sql.len()).map_err(|_| Error::new(FAILED, "a statement is too long"))?;
        let mut raw = ptr::null_mut();
        let mut tail = ptr::null();
        // SAFETY: the connection is open for 'c; `sql` and its length describe live memory; both out
        // pointers are valid for writing.
        let code = unsafe {
            ffi::sqlite3_prepare_v3(
                connection.handle(),
                sql.as_ptr().cast(),
                length,
                ffi::SQLITE_PREPARE_PERSISTENT,
                &raw mut raw,
                &raw mut tail,
            )
        };
        if code != ffi::SQLITE_OK {
            return Err(last_failure(connection, code));
        }
        let raw = NonNull::new(raw).ok_or_else(|| Error::new(FAILED, "an empty statement was prepared"))?;
        let statement = Self { raw, connection, converted: String::new() };
        // SAFETY: SQLite sets the tail to a place inside `sql` or right behind it.
        let used = unsafe { tail.offset_from(sql.as_ptr().cast()) };
        let rest = usize::try_from(used).ok().and_then(|used| sql.get(used..)).unwrap_or_default();
        if rest.iter().any(|byte| !byte.is_ascii_whitespace()) {
            return Err(Error::new(FAILED, "more than one statement where one was expected"));
        }
        Ok(statement)
    }

    /// Goes to the next row; false when there is none.
    ///
    /// # Errors
    /// What SQLite says.
    pub(crate) fn step(&mut self) -> Result<bool> {
        // SAFETY: `raw` is a live statement of a live connection, used by one thread.
        match unsafe { ffi::sqlite3_step(self.raw.as_ptr()) } {
            ffi::SQLITE_ROW => Ok(true),
            ffi::SQLITE_DONE => Ok(false),
            code => Err(last_failure(self.connection, code)),
        }
    }

    /// Makes the statement ready to run again and forgets all bound values.
    pub(crate) fn reset(&mut self) {
        // SAFETY: `raw` is a live statement. Both calls repeat or clear state; a failure that reset reports
        // was already reported by the step that failed.
        unsafe {
            ffi::sqlite3_reset(self.raw.as_ptr());
            ffi::sqlite3_clear_bindings(self.raw.as_ptr());
        }
    }

    /// Runs a statement that returns no rows that matter, and makes it ready to run again.
    ///
    /// # Errors
    /// What SQLite says.
    pub(crate) fn execute(&mut self) -> Result<()> {
        let result = loop {
            match self.step() {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.reset();
        result
    }

    /// Appends all cells of the current row to `cells`, from the column at `first` (0-based) on.
    ///
    /// # Errors
    /// `Failed` when memory runs out.
    pub(crate) fn read_row<'s>(
        &'s mut self,
        first: usize,
        encoding: TextEncoding,
        cells: &mut Vec<Cell<'s>>,
    ) -> Result<()> {
        // SAFETY: `raw` is a live statement.
        let count = unsafe { ffi::sqlite3_data_count(self.raw.as_ptr()) };
        let columns = c_int::try_from(first).map_err(|_| Error::new(FAILED, "no such column"))?..count;
        let mut converted = Vec::new();
        if encoding != TextEncoding::Utf8 {
            self.converted.clear();
            for column in columns.clone() {
                if let (ffi::SQLITE_TEXT, value) = self.value(column) {
                    let bytes = stored_bytes(value)?;
                    let begin = self.converted.len();
                    let range = match encoding.decode(bytes) {
                        Some(text) => {
                            self.converted.push_str(&text);
                            Some(begin..self.converted.len())
                        }
                        None => None,
                    };
                    converted.push(range);
                }
            }
        }
        let statement = &*self;
        let mut converted = converted.into_iter();
        for column in columns {
            cells.push(statement.cell(column, encoding, &mut converted)?);
        }
        Ok(())
    }

    /// The column at `index` (0-based) of the current row as text for people: NULL is empty, what is not valid replaced.
    ///
    /// For what SQLite says of itself, which is not always in the database's encoding. It converts the value in
    /// place: never to be used for rows.
    pub(crate) fn read_words(&mut self, index: u8) -> String {
        // SAFETY: `raw` is a live statement; an index out of range reads as NULL. The text and its length are of the
        // same conversion, and copied before any further call.
        unsafe {
            let text = ffi::sqlite3_column_text(self.raw.as_ptr(), c_int::from(index));
            let length = ffi::sqlite3_column_bytes(self.raw.as_ptr(), c_int::from(index));
            match usize::try_from(length) {
                Ok(length) if !text.is_null() => {
                    String::from_utf8_lossy(std::slice::from_raw_parts(text, length)).into_owned()
                }
                _ => String::new(),
            }
        }
    }

    /// The INTEGER in the column at `index` (0-based) of the current row; 0 for anything else.
    pub(crate) fn read_integer(&self, index: u8) -> i64 {
        // SAFETY: `raw` is a live statement; an index out of range reads as NULL.
        unsafe { ffi::sqlite3_column_int64(self.raw.as_ptr(), c_int::from(index)) }
    }

    fn value(&self, column: c_int) -> (c_int, *mut ffi::sqlite3_value) {
        // SAFETY: `raw` is on a row and `column` is below its column count; the value lives until the next
        // step, reset or finalize, all of which need `&mut self`.
        unsafe {
            let value = ffi::sqlite3_column_value(self.raw.as_ptr(), column);
            (ffi::sqlite3_value_type(value), value)
        }
    }

    fn cell<'s>(
        &'s self,
        column: c_int,
        encoding: TextEncoding,
        converted: &mut impl Iterator<Item = Converted>,
    ) -> Result<Cell<'s>> {
        let (class, value) = self.value(column);
        Ok(match class {
            // SAFETY: `value` is live (see `value`), and these calls do not change it.
            ffi::SQLITE_INTEGER => Cell::Integer(unsafe { ffi::sqlite3_value_int64(value) }),
            // SAFETY: as above.
            ffi::SQLITE_FLOAT => Cell::Real(unsafe { ffi::sqlite3_value_double(value) }),
            ffi::SQLITE_TEXT if encoding == TextEncoding::Utf8 => {
                let bytes = stored_bytes(value)?;
                std::str::from_utf8(bytes).map_or(Cell::RawText(bytes), Cell::Text)
            }
            ffi::SQLITE_TEXT => match converted.next().flatten() {
                Some(range) => Cell::Text(&self.converted[range]),
                None => Cell::RawText(stored_bytes(value)?),
            },
            ffi::SQLITE_BLOB => Cell::Blob(stored_bytes(value)?),
            _ => Cell::Null,
        })
    }
}

impl Drop for Statement<'_> {
    fn drop(&mut self) {
        // SAFETY: `raw` is a live statement and is not used afterwards.
        unsafe { ffi::sqlite3_finalize(self.raw.as_ptr()) };
    }
}

const FAILED: crate::error::ErrorKind = crate::error::ErrorKind::Failed;

/// The bytes of a TEXT or BLOB value as they are stored, without any conversion.
fn stored_bytes<'s>(value: *mut ffi::sqlite3_value) -> Result<&'s [u8]> {
    // SAFETY: `value` is live and not changed by another thread. `sqlite3_value_blob` gives text in the
    // encoding it has and marks it as a blob too, after which `sqlite3_value_bytes` counts those bytes without
    // converting them. The slice must not outlive the row: callers tie it to a borrow of the statement.
    unsafe {
        let start = ffi::sqlite3_value_blob(value);
        let length = ffi::sqlite3_value_bytes(value);
        match (start.is_null(), usize::try_from(length)) {
            (_, Ok(0)) => Ok(&[]),
            (false, Ok(length)) => Ok(std::slice::from_raw_parts(start.cast(), length)),
            _ => Err(Error::new(FAILED, "out of memory while reading a value")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_go_in_and_come_out_unchanged() -> Result<()> {
        let connection = Connection::open_in_memory().expect("opens");
        let mut statement = Statement::prepare(&connection, b"SELECT ?1, ?2, ?3, ?4, ?5")?;
        let row = [
            Cell::RawText(b"a\xff\0b"),
            Cell::Blob(b""),
            Cell::Text(""),
            Cell::Real(f64::from_bits(1)),
            Cell::Integer(i64::MIN),
        ];
        for (index, cell) in row.iter().enumerate() {
            statement.bind(index + 1, *cell)?;
        }
        assert!(statement.step()?);
        let mut cells = Vec::new();
        statement.read_row(0, TextEncoding::Utf8, &mut cells)?;
        assert_eq!(cells, row);
        Ok(())
    }

    #[test]
    fn a_second_statement_is_refused() {
        let connection = Connection::open_in_memory().expect("opens");
        assert!(Statement::prepare(&connection, b"SELECT 1; SELECT 2").is_err());
        assert!(Statement::prepare(&connection, b"SELECT 1 ; ").is_ok());
    }

    #[test]
    fn utf16_text_keeps_its_stored_bytes_where_it_is_no_text() -> Result<()> {
        let connection = Connection::open_in_memory().expect("opens");
        connection.execute_batch("PRAGMA encoding='UTF-16be'; CREATE TABLE t(a)").expect("creates");
        let mut statement =
            Statement::prepare(&connection, b"SELECT CAST(x'00e9' AS TEXT), CAST(x'd8000041' AS TEXT)")?;
        assert!(statement.step()?);
        let mut cells = Vec::new();
        statement.read_row(0, TextEncoding::Utf16Be, &mut cells)?;
        assert_eq!(cells, [Cell::Text("é"), Cell::RawText(b"\xd8\0\0A")]);
        Ok(())
    }
}
