//! Reading a database's main file in larger pieces than its pages.
//!
//! SQLite reads page by page, with a call of the system for each, which costs a scan more than all else that SQLite
//! does. Where pages are read from front to back, one call reads many, and the pages come out of that piece. The piece
//! is forgotten with every lock that is taken or given up: under a lock, no page that SQLite asks this file for can
//! change, and no page is kept from one transaction to the next.
//!
//! A memory map would do the same, but another process that truncates the file would kill this one.
#![expect(
    unsafe_code,
    reason = "stands between SQLite and its methods of one open file, through its C interface"
)]

use std::ffi::{c_int, c_void};
use std::ptr;

use rusqlite::{Connection, ffi};

use crate::sqlite::main_file::main_file;

/// How much one call reads: fits the cache of a core, so that pages are copied out of it and not out of memory.
const PIECE_BYTES: usize = 128 * 1024;

/// How far ahead of the last page or piece the next page may be for reading on to pay, in bytes: two pieces.
const NEAR_BYTES: i64 = 256 * 1024;

/// What of a piece must have been asked for, as a share of it, for the next to be read.
const USED_SHARE: usize = 4;

/// After a piece that was not used, so many pages are read by themselves.
const REST_PAGES: usize = 256;

/// The methods of one open file, and what has been read ahead of it. SQLite sees the first field only.
#[repr(C)]
struct Ahead {
    methods: ffi::sqlite3_io_methods,
    /// The file's own methods.
    base: *const ffi::sqlite3_io_methods,
    piece: Vec<u8>,
    /// Where in the file the piece begins.
    begin: i64,
    /// How much of the piece holds what the file holds.
    filled: usize,
    /// How much of it SQLite has asked for.
    used: usize,
    /// Where the last page that was read by itself begins.
    last: i64,
    /// Pages that are to be read by themselves before the next piece is tried.
    rest: usize,
    /// Whether SQLite holds a lock on the file: without one, anything in it may change.
    is_locked: bool,
}

/// Lets the connection read its main file in larger pieces.
pub(super) fn read_ahead(connection: &Connection) {
    // Without it, pages are read by themselves, and SQLite says what is wrong when they are.
    let Ok(file) = main_file(connection) else { return };
    // SAFETY: SQLite owns the file for as long as the connection lives; a database without a file has no methods.
    let Some(file) = (unsafe { file.as_mut() }) else { return };
    // SAFETY: as above; the methods of an open file do not change while it is open.
    let Some(base) = (unsafe { file.pMethods.as_ref() }) else { return };
    let methods = ffi::sqlite3_io_methods {
        xClose: Some(close),
        xRead: Some(read),
        xWrite: base.xWrite.map(|_| write as _),
        xTruncate: base.xTruncate.map(|_| truncate as _),
        xLock: base.xLock.map(|_| lock as _),
        xUnlock: base.xUnlock.map(|_| unlock as _),
        xShmLock: base.xShmLock.map(|_| shm_lock as _),
        ..*base
    };
    let (Some(_), Some(_)) = (base.xClose, base.xRead) else { return };
    let ahead = Ahead {
        methods,
        base,
        piece: Vec::new(),
        begin: 0,
        filled: 0,
        used: 0,
        last: i64::MIN,
        rest: 0,
        is_locked: false,
    };
    // Freed by `close`, which SQLite calls before it forgets the file.
    file.pMethods = Box::into_raw(Box::new(ahead)).cast_const().cast();
}

impl Ahead {
    /// # Safety
    /// `file` is one that [`read_ahead`] has given its methods to, and nothing else borrows its state.
    unsafe fn of<'f>(file: *mut ffi::sqlite3_file) -> &'f mut Self {
        // SAFETY: as the caller's: the methods are the first field of this state. SQLite calls the methods of a
        // connection's file on one thread at a time.
        unsafe { &mut *(*file).pMethods.cast_mut().cast::<Self>() }
    }

    fn base(&self) -> &ffi::sqlite3_io_methods {
        // SAFETY: methods of SQLite's file systems are static.
        unsafe { &*self.base }
    }

    fn forget(&mut self) {
        self.filled = 0;
        self.used = 0;
        self.last = i64::MIN;
    }

    /// What the piece holds of the `count` bytes at `offset`: all of them, or nothing.
    fn held(&mut self, offset: i64, count: usize) -> Option<&[u8]> {
        let at = usize::try_from(offset.checked_sub(self.begin)?).ok()?;
        let end = at.checked_add(count).filter(|&end| end <= self.filled)?;
        self.used += count;
        self.piece.get(at..end)
    }

    /// Whether a page at `offset` goes on from the last one, so that more of what follows is likely to be asked for.
    fn goes_on(&mut self, offset: i64, count: usize) -> bool {
        let from = if self.filled > 0 { self.begin } else { self.last };
        let is_near = offset > from && offset.saturating_sub(from) <= NEAR_BYTES;
        if self.filled > 0 && self.used * USED_SHARE < self.filled {
            self.rest = REST_PAGES;
        }
        self.rest = self.rest.saturating_sub(1);
        self.last = offset;
        is_near && self.rest == 0 && count * 2 <= PIECE_BYTES
    }
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    buffer: *mut c_void,
    count: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: SQLite calls the methods of a file it was given; the buffer has as many bytes as are asked for.
    unsafe {
        let ahead = Ahead::of(file);
        let Some(base_read) = ahead.base().xRead else { return ffi::SQLITE_IOERR_READ };
        let Ok(wanted) = usize::try_from(count) else { return ffi::SQLITE_IOERR_READ };
        if !ahead.is_locked {
            return base_read(file, buffer, count, offset);
        }
        if let Some(held) = ahead.held(offset, wanted) {
            ptr::copy_nonoverlapping(held.as_ptr(), buffer.cast(), wanted);
            return ffi::SQLITE_OK;
        }
        let goes_on = ahead.goes_on(offset, wanted);
        ahead.filled = 0;
        ahead.used = 0;
        if goes_on {
            ahead.piece.resize(PIECE_BYTES, 0);
            let piece = ahead.piece.as_mut_ptr().cast();
            let piece_bytes = c_int::try_from(PIECE_BYTES).unwrap_or(c_int::MAX);
            // At the end of the file, and where a part of it cannot be read, pages are read by themselves.
            if base_read(file, piece, piece_bytes, offset) == ffi::SQLITE_OK {
                ahead.begin = offset;
                ahead.filled = PIECE_BYTES;
                if let Some(held) = ahead.held(offset, wanted) {
                    ptr::copy_nonoverlapping(held.as_ptr(), buffer.cast(), wanted);
                    return ffi::SQLITE_OK;
                }
            }
        }
        base_read(file, buffer, count, offset)
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: SQLite calls this once, as the last method of the file; the state was made by `Box::into_raw`, and
    // nothing refers to it once the file has its own methods back.
    unsafe {
        let ahead = Box::from_raw((*file).pMethods.cast_mut().cast::<Ahead>());
        (*file).pMethods = ahead.base;
        ahead.base().xClose.map_or(ffi::SQLITE_OK, |base_close| base_close(file))
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    from: *const c_void,
    count: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: as SQLite calls it.
    unsafe {
        let ahead = Ahead::of(file);
        ahead.forget();
        ahead.base().xWrite.map_or(ffi::SQLITE_READONLY, |base_write| base_write(file, from, count, offset))
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    // SAFETY: as SQLite calls it.
    unsafe {
        let ahead = Ahead::of(file);
        ahead.forget();
        ahead.base().xTruncate.map_or(ffi::SQLITE_READONLY, |base_truncate| base_truncate(file, size))
    }
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: as SQLite calls it.
    unsafe {
        let ahead = Ahead::of(file);
        ahead.forget();
        let code = ahead.base().xLock.map_or(ffi::SQLITE_IOERR_LOCK, |base_lock| base_lock(file, level));
        ahead.is_locked |= code == ffi::SQLITE_OK && level >= ffi::SQLITE_LOCK_SHARED;
        code
    }
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: as SQLite calls it.
    unsafe {
        let ahead = Ahead::of(file);
        ahead.forget();
        ahead.is_locked = level >= ffi::SQLITE_LOCK_SHARED;
        ahead.base().xUnlock.map_or(ffi::SQLITE_IOERR_UNLOCK, |base_unlock| base_unlock(file, level))
    }
}

unsafe extern "C" fn shm_lock(
    file: *mut ffi::sqlite3_file,
    first: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    // SAFETY: as SQLite calls it.
    unsafe {
        let ahead = Ahead::of(file);
        ahead.forget();
        let base_lock = ahead.base().xShmLock;
        base_lock.map_or(ffi::SQLITE_IOERR_SHMLOCK, |base_lock| base_lock(file, first, count, flags))
    }
}
