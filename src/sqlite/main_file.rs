//! The main database file of a connection, read through SQLite's own descriptor.
//!
//! Never through another one: closing it would drop this process's locks.
#![expect(unsafe_code, reason = "asks SQLite for its file and reads it through SQLite's C interface")]

use std::ffi::c_int;
use std::ptr;

use rusqlite::{Connection, ffi};

use crate::error::{Error, ErrorKind, Result};
use crate::sqlite::failure::{failure_of_code, last_failure};

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
    let too_large = |_| Error::new(ErrorKind::Failed, "more bytes are asked for than a file can have");
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
