//! Reads and writes that follow each other in a file, done in larger pieces.
//!
//! SQLite reads and writes page by page, and the system takes as long over one page as over several. This file system
//! is SQLite's default one but for that: bytes that are to be written right behind the last ones wait in a buffer, and
//! where reads follow each other, more than is asked for is read. It is for a database that this program builds and
//! nobody else has open yet. Until a commit, others see the file as it was: whatever could tell the difference, a read
//! of those bytes, a sync, a commit, a question about the size, writes the buffer out first, so that a write that fails
//! is told at the latest by the commit. `read_ahead` does the reading for files that others may have.
#![expect(unsafe_code, reason = "puts itself before SQLite's own file systems through its C interface")]

mod piece;

use std::ffi::{CStr, c_int, c_void};
use std::mem::size_of;
use std::sync::OnceLock;

use rusqlite::ffi;

use piece::Run;

/// How much is read or written at once, in bytes: more is not faster, since the system must find as much memory in one
/// piece.
const PIECE_BYTES: usize = PIECE as usize;
const PIECE: u16 = 32 * 1024;

type Open = unsafe extern "C" fn(
    *mut ffi::sqlite3_vfs,
    ffi::sqlite3_filename,
    *mut ffi::sqlite3_file,
    c_int,
    *mut c_int,
) -> c_int;

const NAME: &CStr = c"parklite-pieces";

/// How SQLite's default file system opens files; `None` where there is none that could be copied.
static BASE_OPEN: OnceLock<Option<Open>> = OnceLock::new();

/// The name of the file system, if there is one.
pub(super) fn piecewise_vfs() -> Option<&'static CStr> {
    BASE_OPEN.get_or_init(register).map(|_| NAME)
}

fn register() -> Option<Open> {
    // SAFETY: SQLite's file systems are static, and never changed once the library is initialised, which the search does.
    let base = unsafe { ffi::sqlite3_vfs_find(std::ptr::null()).as_ref() }?;
    let own = ffi::sqlite3_vfs {
        zName: NAME.as_ptr(),
        pNext: std::ptr::null_mut(),
        szOsFile: base.szOsFile + c_int::try_from(size_of::<PiecewiseFile>()).ok()?,
        xOpen: Some(open_file),
        ..*base
    };
    // SAFETY: the copy lives as long as the process, as SQLite demands; its functions are those of the original, which
    // know nothing of their place but the name and the data that the copy shares, and `open_file`, which keeps the
    // beginning of the file's memory for itself.
    let code = unsafe { ffi::sqlite3_vfs_register(Box::leak(Box::new(own)), 0) };
    base.xOpen.filter(|_| code == ffi::SQLITE_OK)
}

/// An open file as SQLite sees it; the default file system's own file follows in memory.
#[repr(C)]
struct PiecewiseFile {
    /// What makes it a `sqlite3_file`.
    methods: *const ffi::sqlite3_io_methods,
    /// Made when the file is opened, freed when it is closed.
    buffers: *mut Buffers,
}

/// What is not, or not only, in the file.
struct Buffers {
    waiting: Run,
    ahead: Run,
    /// Where the last read ended.
    read_end: i64,
}

/// The parts of a file that [`open_file`] has opened.
struct Parts<'f> {
    buffers: &'f mut Buffers,
    real: *mut ffi::sqlite3_file,
    methods: &'f ffi::sqlite3_io_methods,
}

impl Parts<'_> {
    /// # Safety
    /// `file` was opened by [`open_file`] and is not closed; nothing else uses it now.
    unsafe fn of<'f>(file: *mut ffi::sqlite3_file) -> Parts<'f> {
        // SAFETY: as the caller's; `open_file` gives methods of ours only to files whose other parts are set.
        unsafe {
            let own = file.cast::<PiecewiseFile>();
            let real = own.add(1).cast::<ffi::sqlite3_file>();
            Parts { buffers: &mut *(*own).buffers, real, methods: &*(*real).pMethods }
        }
    }

    /// Writes out what waits.
    fn flush(&mut self) -> c_int {
        let Run { start, bytes } = &self.buffers.waiting;
        if bytes.is_empty() {
            return ffi::SQLITE_OK;
        }
        // SAFETY: pointer and length describe live memory.
        let code = unsafe { self.write(bytes.as_ptr().cast(), bytes.len(), *start) };
        if code == ffi::SQLITE_OK {
            self.buffers.waiting.bytes.clear();
        }
        code
    }

    /// Reads a piece ahead, where the last read ended and this one begins; false where there is not as much.
    fn read_ahead(&mut self, offset: i64, length: usize) -> bool {
        if offset != self.buffers.read_end || length >= PIECE_BYTES {
            return false;
        }
        let (Some(read), false) = (self.methods.xRead, self.buffers.waiting.touches(offset, PIECE_BYTES))
        else {
            return false;
        };
        let Run { start, bytes } = &mut self.buffers.ahead;
        bytes.resize(PIECE_BYTES, 0);
        // SAFETY: the real file is open, and the buffer has as many bytes.
        let code = unsafe { read(self.real, bytes.as_mut_ptr().cast(), c_int::from(PIECE), offset) };
        *start = offset;
        if code != ffi::SQLITE_OK {
            bytes.clear();
        }
        code == ffi::SQLITE_OK
    }

    /// # Safety
    /// `bytes` has `length` bytes.
    unsafe fn write(&self, bytes: *const c_void, length: usize, offset: i64) -> c_int {
        let (Some(write), Ok(length)) = (self.methods.xWrite, c_int::try_from(length)) else {
            return ffi::SQLITE_IOERR_WRITE;
        };
        // SAFETY: as the caller's; the real file is open.
        unsafe { write(self.real, bytes, length, offset) }
    }
}

/// Which files are worth it: the database, and those that SQLite sorts in.
const IN_PIECES: c_int = ffi::SQLITE_OPEN_MAIN_DB | ffi::SQLITE_OPEN_TEMP_JOURNAL;

unsafe extern "C" fn open_file(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let Some(&Some(base_open)) = BASE_OPEN.get() else { return ffi::SQLITE_CANTOPEN };
    // SAFETY: the arguments are SQLite's own; `file` has room for both parts, and without methods SQLite takes it for not opened.
    unsafe {
        if flags & IN_PIECES == 0 {
            return base_open(vfs, name, file, flags, out_flags);
        }
        let own = file.cast::<PiecewiseFile>();
        (*own).methods = std::ptr::null();
        let real = own.add(1).cast::<ffi::sqlite3_file>();
        (*real).pMethods = std::ptr::null();
        let code = base_open(vfs, name, real, flags, out_flags);
        if (*real).pMethods.is_null() {
            return if code == ffi::SQLITE_OK { ffi::SQLITE_CANTOPEN } else { code };
        }
        let buffers = Buffers { waiting: Run::empty(), ahead: Run::empty(), read_end: -1 };
        let buffers = Box::into_raw(Box::new(buffers));
        own.write(PiecewiseFile { methods: &raw const METHODS, buffers });
        code
    }
}

/// Version 2: without memory maps.
static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    bytes: *const c_void,
    length: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    let Ok(count) = usize::try_from(length) else { return ffi::SQLITE_IOERR_WRITE };
    // SAFETY: SQLite calls this for an open file, with as many bytes as it says.
    unsafe {
        let mut parts = Parts::of(file);
        let slice = std::slice::from_raw_parts(bytes.cast::<u8>(), count);
        if parts.buffers.ahead.touches(offset, count) {
            parts.buffers.ahead.bytes.clear();
        }
        if !parts.buffers.waiting.takes(slice, offset) {
            let code = parts.flush();
            if code != ffi::SQLITE_OK {
                return code;
            }
            if !parts.buffers.waiting.takes(slice, offset) {
                return parts.write(bytes, count, offset);
            }
        }
        if parts.buffers.waiting.is_full() { parts.flush() } else { ffi::SQLITE_OK }
    }
}

/// Writes out what waits, forgets what was read ahead, and calls the real file's method.
macro_rules! flushed {
    ($file:ident, $method:ident, $missing:expr $(, $argument:expr)*) => {{
        // SAFETY: SQLite calls this for an open file, and the arguments are its own.
        unsafe {
            let mut parts = Parts::of($file);
            parts.buffers.ahead.bytes.clear();
            match (parts.flush(), parts.methods.$method) {
                (ffi::SQLITE_OK, Some(method)) => method(parts.real $(, $argument)*),
                (ffi::SQLITE_OK, None) => $missing,
                (code, _) => code,
            }
        }
    }};
}

/// Calls the real file's method.
macro_rules! passed_on {
    ($file:ident, $method:ident, $missing:expr $(, $argument:expr)*) => {{
        // SAFETY: SQLite calls this for an open file, and the arguments are its own.
        unsafe {
            let parts = Parts::of($file);
            match parts.methods.$method {
                Some(method) => method(parts.real $(, $argument)*),
                None => $missing,
            }
        }
    }};
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: SQLite calls this once for an open file; the buffers were made by `open_file`.
    unsafe {
        let mut parts = Parts::of(file);
        let flushed = parts.flush();
        let closed = parts.methods.xClose.map_or(ffi::SQLITE_OK, |close| close(parts.real));
        let own = file.cast::<PiecewiseFile>();
        drop(Box::from_raw((*own).buffers));
        (*own).buffers = std::ptr::null_mut();
        if flushed == ffi::SQLITE_OK { closed } else { flushed }
    }
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    bytes: *mut c_void,
    length: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    let Ok(count) = usize::try_from(length) else { return ffi::SQLITE_IOERR_READ };
    // SAFETY: SQLite calls this for an open file, with room for as many bytes as it says.
    unsafe {
        let mut parts = Parts::of(file);
        if parts.buffers.waiting.touches(offset, count) {
            let code = parts.flush();
            if code != ffi::SQLITE_OK {
                return code;
            }
        }
        let is_there = parts.buffers.ahead.part(offset, count).is_some() || parts.read_ahead(offset, count);
        parts.buffers.read_end = offset.saturating_add(i64::from(length));
        if let Some(part) = parts.buffers.ahead.part(offset, count).filter(|_| is_there) {
            std::ptr::copy_nonoverlapping(part.as_ptr(), bytes.cast(), count);
            return ffi::SQLITE_OK;
        }
        let Some(read) = parts.methods.xRead else { return ffi::SQLITE_IOERR_READ };
        let code = read(parts.real, bytes, length, offset);
        if code != ffi::SQLITE_IOERR_SHORT_READ || parts.buffers.waiting.bytes.is_empty() {
            return code;
        }
        // The file may only be shorter because what follows is not written yet.
        match parts.flush() {
            ffi::SQLITE_OK => read(parts.real, bytes, length, offset),
            code => code,
        }
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: ffi::sqlite3_int64) -> c_int {
    flushed!(file, xTruncate, ffi::SQLITE_IOERR_TRUNCATE, size)
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    flushed!(file, xSync, ffi::SQLITE_IOERR_FSYNC, flags)
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, size: *mut ffi::sqlite3_int64) -> c_int {
    flushed!(file, xFileSize, ffi::SQLITE_IOERR_FSTAT, size)
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    flushed!(file, xLock, ffi::SQLITE_IOERR_LOCK, level)
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    flushed!(file, xUnlock, ffi::SQLITE_IOERR_UNLOCK, level)
}

unsafe extern "C" fn check_reserved_lock(file: *mut ffi::sqlite3_file, result: *mut c_int) -> c_int {
    passed_on!(file, xCheckReservedLock, ffi::SQLITE_IOERR_CHECKRESERVEDLOCK, result)
}

/// A commit asks for `SQLITE_FCNTL_SYNC` even where nothing is to be synced. How large the file is going to be may be
/// told before every page.
unsafe extern "C" fn file_control(file: *mut ffi::sqlite3_file, what: c_int, argument: *mut c_void) -> c_int {
    if what == ffi::SQLITE_FCNTL_SIZE_HINT {
        return passed_on!(file, xFileControl, ffi::SQLITE_NOTFOUND, what, argument);
    }
    flushed!(file, xFileControl, ffi::SQLITE_NOTFOUND, what, argument)
}

unsafe extern "C" fn sector_size(file: *mut ffi::sqlite3_file) -> c_int {
    passed_on!(file, xSectorSize, 0)
}

unsafe extern "C" fn device_characteristics(file: *mut ffi::sqlite3_file) -> c_int {
    passed_on!(file, xDeviceCharacteristics, 0)
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    page: c_int,
    size: c_int,
    extend: c_int,
    memory: *mut *mut c_void,
) -> c_int {
    passed_on!(file, xShmMap, ffi::SQLITE_IOERR_SHMMAP, page, size, extend, memory)
}

unsafe extern "C" fn shm_lock(
    file: *mut ffi::sqlite3_file,
    offset: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    passed_on!(file, xShmLock, ffi::SQLITE_IOERR_SHMLOCK, offset, count, flags)
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    passed_on!(file, xShmBarrier, ());
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, delete: c_int) -> c_int {
    passed_on!(file, xShmUnmap, ffi::SQLITE_IOERR_SHMMAP, delete)
}

#[cfg(test)]
mod tests;
