//! Giving values to the parameters of a statement, as bytes.

use std::ffi::{c_int, c_void};

use rusqlite::ffi;

use super::{FAILED, Statement};
use crate::error::{Error, Result};
use crate::schema::Cell;
use crate::sqlite::failure::last_failure;

const UTF8: u8 = 1;

impl Statement<'_> {
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

fn parameter_index(parameter: usize) -> Result<c_int> {
    c_int::try_from(parameter).map_err(|_| Error::new(FAILED, "too many parameters"))
}
