//! The thinnest path over SQLite's statements: SQL as bytes in, cells out, without a copy.
//!
//! Two things need it beyond rusqlite's own statements. Names in a database need not be valid UTF-8, so SQL
//! text is bytes here. And a cell read through `sqlite3_column_value` costs one call for the value instead of
//! one per question about it. Apart from the file systems of `read_only_vfs` and `piecewise_vfs`, this is the only module
//! that calls SQLite's C interface; nothing outside `sqlite` may use it.
#![expect(unsafe_code, reason = "reads cells and binds bytes through SQLite's C interface")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{self, NonNull};

use rusqlite::{Connection, ffi};

use crate::error::{Error, Result};
use crate::schema::{Cell, TextEncoding};
use crate::sqlite::failure::{failure, failure_of_code};

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

    /// Runs a statement that returns no rows with `first`, if there is one, and `cells` as its parameters in order, and
    /// makes it ready to run again. Nothing of the cells is copied but by what the statement does with them.
    ///
    /// # Errors
    /// What SQLite says, such as too big.
    pub(crate) fn execute_with(&mut self, first: Option<i64>, cells: &[Cell<'_>]) -> Result<()> {
        // SAFETY: the cells live longer than this call, which forgets them before it returns.
        let bound = unsafe { self.bind_borrowed(first, cells) };
        let result = bound.and_then(|()| self.step()).map(drop);
        self.reset();
        result
    }

    /// Binds cells without copying their bytes.
    ///
    /// # Safety
    /// The cells' bytes must stay until [`Self::reset`] is called.
    unsafe fn bind_borrowed(&mut self, first: Option<i64>, cells: &[Cell<'_>]) -> Result<()> {
        if let Some(first) = first {
            self.bind_integer(1, first)?;
        }
        for (parameter, &cell) in (1 + usize::from(first.is_some())..).zip(cells) {
            // SAFETY: as the caller's.
            match cell {
                Cell::Text(text) => unsafe {
                    self.bind_text_as(parameter, text.as_bytes(), ffi::SQLITE_STATIC())?;
                },
                Cell::RawText(bytes) => unsafe {
                    self.bind_text_as(parameter, bytes, ffi::SQLITE_STATIC())?;
                },
                Cell::Blob(bytes) => unsafe { self.bind_blob_as(parameter, bytes, ffi::SQLITE_STATIC())? },
                cell => self.bind(parameter, cell)?,
            }
        }
        Ok(())
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

    /// Binds a cell to the 1-based parameter; the bytes must stay where they are until the next `step`.
    ///
    /// Text that is not valid, and all text of a UTF-16 database, cannot be bound as it is stored; callers
    /// bind those bytes with [`Self::bind_blob`] and cast in SQL. Raw text of a UTF-8 database can.
    ///
    /// # Errors
    /// What SQLite says, such as too big.
    pub(crate) fn bind(&mut self, parameter: usize, cell: Cell<'_>) -> Result<()> {
        match cell {
            Cell::Null => self.bind_null(parameter),
            Cell::Integer(value) => self.bind_integer(parameter, value),
            Cell::Real(value) => self.bind_real(parameter, value),
            Cell::Text(text) => self.bind_text_bytes(parameter, text.as_bytes()),
            Cell::RawText(bytes) => self.bind_text_bytes(parameter, bytes),
            Cell::Blob(bytes) => self.bind_blob(parameter, bytes),
        }
    }

    /// Binds NULL.
    ///
    /// # Errors
    /// What SQLite says.
    pub(crate) fn bind_null(&mut self, parameter: usize) -> Result<()> {
        let index = parameter_index(parameter)?;
        // SAFETY: `raw` is a live statement.
        self.check(unsafe { ffi::sqlite3_bind_null(self.raw.as_ptr(), index) })
    }

    /// Binds an INTEGER.
    ///
    /// # Errors
    /// What SQLite says.
    pub(crate) fn bind_integer(&mut self, parameter: usize, value: i64) -> Result<()> {
        let index = parameter_index(parameter)?;
        // SAFETY: `raw` is a live statement.
        self.check(unsafe { ffi::sqlite3_bind_int64(self.raw.as_ptr(), index, value) })
    }

    fn bind_real(&mut self, parameter: usize, value: f64) -> Result<()> {
        let index = parameter_index(parameter)?;
        // SAFETY: `raw` is a live statement.
        self.check(unsafe { ffi::sqlite3_bind_double(self.raw.as_ptr(), index, value) })
    }

    /// Binds bytes as TEXT in UTF-8, valid or not.
    ///
    /// # Errors
    /// What SQLite says, such as too big.
    pub(crate) fn bind_text_bytes(&mut self, parameter: usize, bytes: &[u8]) -> Result<()> {
        // SAFETY: SQLITE_TRANSIENT makes SQLite copy the bytes now.
        unsafe { self.bind_text_as(parameter, bytes, ffi::SQLITE_TRANSIENT()) }
    }

    /// Binds a BLOB.
    ///
    /// # Errors
    /// What SQLite says, such as too big.
    pub(crate) fn bind_blob(&mut self, parameter: usize, bytes: &[u8]) -> Result<()> {
        // SAFETY: SQLITE_TRANSIENT makes SQLite copy the bytes now.
        unsafe { self.bind_blob_as(parameter, bytes, ffi::SQLITE_TRANSIENT()) }
    }

    /// # Safety
    /// With `SQLITE_STATIC`, the bytes must stay until the binding is replaced or cleared.
    unsafe fn bind_text_as(
        &mut self,
        parameter: usize,
        bytes: &[u8],
        keeps: ffi::sqlite3_destructor_type,
    ) -> Result<()> {
        let (index, length) = (parameter_index(parameter)?, bytes.len() as u64);
        // SAFETY: `raw` is a live statement; pointer and length describe live memory, for as long as the caller says.
        self.check(unsafe {
            ffi::sqlite3_bind_text64(self.raw.as_ptr(), index, bytes.as_ptr().cast(), length, keeps, UTF8)
        })
    }

    /// # Safety
    /// With `SQLITE_STATIC`, the bytes must stay until the binding is replaced or cleared.
    unsafe fn bind_blob_as(
        &mut self,
        parameter: usize,
        bytes: &[u8],
        keeps: ffi::sqlite3_destructor_type,
    ) -> Result<()> {
        let (index, length) = (parameter_index(parameter)?, bytes.len() as u64);
        if bytes.is_empty() {
            // SAFETY: `raw` is a live statement. A null pointer would bind NULL, and an empty slice's pointer
            // may dangle: this is the way to an empty blob.
            return self.check(unsafe { ffi::sqlite3_bind_zeroblob(self.raw.as_ptr(), index, 0) });
        }
        // SAFETY: `raw` is a live statement; pointer and length describe live memory, for as long as the caller says.
        self.check(unsafe {
            ffi::sqlite3_bind_blob64(self.raw.as_ptr(), index, bytes.as_ptr().cast::<c_void>(), length, keeps)
        })
    }

    fn check(&self, code: c_int) -> Result<()> {
        if code == ffi::SQLITE_OK { Ok(()) } else { Err(last_failure(self.connection, code)) }
    }
}

impl Drop for Statement<'_> {
    fn drop(&mut self) {
        // SAFETY: `raw` is a live statement and is not used afterwards.
        unsafe { ffi::sqlite3_finalize(self.raw.as_ptr()) };
    }
}

const FAILED: crate::error::ErrorKind = crate::error::ErrorKind::Failed;
const UTF8: u8 = 1;

fn parameter_index(parameter: usize) -> Result<c_int> {
    c_int::try_from(parameter).map_err(|_| Error::new(FAILED, "too many parameters"))
}

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

fn last_failure(connection: &Connection, code: c_int) -> Error {
    // SAFETY: the connection is open; the message is copied before any further call on it.
    let message = unsafe {
        let text = ffi::sqlite3_errmsg(connection.handle());
        if text.is_null() { String::new() } else { CStr::from_ptr(text).to_string_lossy().into_owned() }
    };
    failure_of_code(code, message)
}

/// The first 100 bytes of the connection's main database file; zeros where it is shorter.
///
/// # Errors
/// What SQLite says.
pub(crate) fn read_file_header(connection: &Connection) -> Result<[u8; 100]> {
    let mut header = [0; 100];
    read_main_file(connection, 0, &mut header)?;
    Ok(header)
}

/// SQLite's own handle of the connection's main database file, which SQLite owns for as long as the connection lives. A
/// database without a file has one without methods, or none.
///
/// # Errors
/// What SQLite says.
pub(super) fn main_file(connection: &Connection) -> Result<*mut ffi::sqlite3_file> {
    let mut file: *mut ffi::sqlite3_file = ptr::null_mut();
    // SAFETY: the connection is open and the out pointer matches what the control writes.
    let code = unsafe {
        ffi::sqlite3_file_control(
            connection.handle(),
            c"main".as_ptr(),
            ffi::SQLITE_FCNTL_FILE_POINTER,
            (&raw mut file).cast(),
        )
    };
    if code == ffi::SQLITE_OK { Ok(file) } else { Err(last_failure(connection, code)) }
}

/// Fills `buffer` with bytes of the connection's main database file from `offset` on; zeros where it is shorter.
///
/// Read through SQLite's own descriptor, and without any lock: closing another one of the same file would drop this
/// process's locks.
///
/// # Errors
/// What SQLite says.
pub(crate) fn read_main_file(connection: &Connection, offset: u64, buffer: &mut [u8]) -> Result<()> {
    buffer.fill(0);
    let file = main_file(connection)?;
    let too_large = |_| Error::new(FAILED, "more bytes are asked for than a file can have");
    let (count, offset) =
        (c_int::try_from(buffer.len()).map_err(too_large)?, i64::try_from(offset).map_err(too_large)?);
    // SAFETY: SQLite owns the file for as long as the connection lives; a database without a file has no
    // methods, and the buffer has as many bytes as are asked for.
    let code = unsafe {
        match file.as_ref().and_then(|file| file.pMethods.as_ref()).and_then(|methods| methods.xRead) {
            Some(read) => read(file, buffer.as_mut_ptr().cast(), count, offset),
            None => ffi::SQLITE_OK,
        }
    };
    match code {
        // Then SQLite has filled the rest with zeros.
        ffi::SQLITE_OK | ffi::SQLITE_IOERR_SHORT_READ => Ok(()),
        code => Err(failure_of_code(code, "the file cannot be read".into())),
    }
}

/// Makes the connection forget all modules of virtual tables but those of these names.
///
/// # Errors
/// What SQLite says.
pub(crate) fn keep_modules(connection: &Connection, names: &[&CStr]) -> Result<()> {
    let mut names: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).chain([ptr::null()]).collect();
    // SAFETY: the connection is open, and the names are a list of strings that live through the call and ends with
    // a null pointer.
    let code = unsafe { ffi::sqlite3_drop_modules(connection.handle(), names.as_mut_ptr()) };
    if code == ffi::SQLITE_OK { Ok(()) } else { Err(last_failure(connection, code)) }
}

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
    let page = c_int::try_from(root_page).map_err(|_| Error::new(FAILED, "no such page"))?;
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
