//! Writes that follow each other in a file, gathered into larger ones.
//!
//! SQLite writes page by page, and the system takes as long over a page as over eight of them. This file system is
//! SQLite's default one but for that: bytes that are to be written right behind the last ones wait in a buffer. It is
//! for a database that one connection builds and nobody else has open yet: until a commit, others see the file as it
//! was. Whatever could tell the difference, a read, a sync, a commit, a question about the size, writes the buffer out
//! first, so that a write that fails is told at the latest by the commit.
#![expect(unsafe_code, reason = "puts itself before SQLite's own file system through its C interface")]

use std::ffi::{CStr, c_int, c_void};
use std::mem::size_of;
use std::sync::OnceLock;

use rusqlite::ffi;

const NAME: &CStr = c"parklite-gather";

/// How much is written at once, in bytes: more is not faster, since the system must find as much memory in one piece.
const RUN_BYTES: usize = 32 * 1024;

type Open = unsafe extern "C" fn(
    *mut ffi::sqlite3_vfs,
    ffi::sqlite3_filename,
    *mut ffi::sqlite3_file,
    c_int,
    *mut c_int,
) -> c_int;

static REGISTERED: OnceLock<bool> = OnceLock::new();
/// How SQLite's default file system opens files.
static BASE_OPEN: OnceLock<Open> = OnceLock::new();

/// The name of the file system; `None` where SQLite has no default one that could be copied.
pub(super) fn gathering_vfs() -> Option<&'static CStr> {
    REGISTERED.get_or_init(register).then_some(NAME)
}

fn register() -> bool {
    // SAFETY: SQLite's file systems are static and never change once the library is initialised, which the search does.
    let Some(base) = (unsafe { ffi::sqlite3_vfs_find(std::ptr::null()).as_ref() }) else { return false };
    let (Some(open), Ok(own_bytes)) = (base.xOpen, c_int::try_from(size_of::<GatheringFile>())) else {
        return false;
    };
    if *BASE_OPEN.get_or_init(|| open) as usize != open as usize {
        return false;
    }
    let own = ffi::sqlite3_vfs {
        zName: NAME.as_ptr(),
        pNext: std::ptr::null_mut(),
        szOsFile: base.szOsFile + own_bytes,
        xOpen: Some(open_file),
        ..*base
    };
    // SAFETY: the copy lives as long as the process, as SQLite demands; its functions are those of the original, which
    // know nothing of their place but the name and the data that the copy shares, and `open_file`, which leaves
    // `szOsFile` of the original behind its own part of the file's memory.
    unsafe { ffi::sqlite3_vfs_register(Box::leak(Box::new(own)), 0) == ffi::SQLITE_OK }
}

/// An open file as SQLite sees it; the default file system's own file follows in memory.
#[repr(C)]
struct GatheringFile {
    /// What makes it a `sqlite3_file`.
    methods: *const ffi::sqlite3_io_methods,
    /// Made when the file is opened, freed when it is closed.
    run: *mut Run,
}

/// Bytes that are still to be written.
struct Run {
    /// Where in the file.
    start: i64,
    bytes: Vec<u8>,
}

impl Run {
    fn end(&self) -> i64 {
        self.start.saturating_add(i64::try_from(self.bytes.len()).unwrap_or(i64::MAX))
    }

    /// Takes bytes that follow, as long as there is room.
    fn takes(&mut self, bytes: &[u8], offset: i64) -> bool {
        if self.bytes.is_empty() {
            self.start = offset;
        }
        let fits = self.end() == offset && bytes.len() <= RUN_BYTES - self.bytes.len().min(RUN_BYTES);
        if fits {
            self.bytes.extend_from_slice(bytes);
        }
        fits
    }

    /// Whether it reaches to where a piece of [`RUN_BYTES`] ends in the file.
    fn is_full(&self) -> bool {
        self.bytes.len() >= RUN_BYTES || self.end() % RUN_BYTES as i64 == 0
    }
}

/// The parts of a file that [`open_file`] has opened.
struct Parts<'f> {
    run: &'f mut Run,
    real: *mut ffi::sqlite3_file,
    methods: &'f ffi::sqlite3_io_methods,
}

impl Parts<'_> {
    /// # Safety
    /// `file` was opened by [`open_file`] and is not closed; nothing else uses it now.
    unsafe fn of<'f>(file: *mut ffi::sqlite3_file) -> Parts<'f> {
        // SAFETY: as the caller's; `open_file` gives methods of ours only to files whose other parts are set.
        unsafe {
            let own = file.cast::<GatheringFile>();
            let real = own.add(1).cast::<ffi::sqlite3_file>();
            Parts { run: &mut *(*own).run, real, methods: &*(*real).pMethods }
        }
    }

    /// Writes out what waits.
    fn flush(&mut self) -> c_int {
        if self.run.bytes.is_empty() {
            return ffi::SQLITE_OK;
        }
        // SAFETY: pointer and length describe live memory.
        let code =
            unsafe { self.write(self.run.bytes.as_ptr().cast(), self.run.bytes.len(), self.run.start) };
        if code == ffi::SQLITE_OK {
            self.run.bytes.clear();
        }
        code
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
const GATHERED: c_int = ffi::SQLITE_OPEN_MAIN_DB | ffi::SQLITE_OPEN_TEMP_JOURNAL;

unsafe extern "C" fn open_file(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let Some(base_open) = BASE_OPEN.get() else { return ffi::SQLITE_CANTOPEN };
    // SAFETY: the arguments are SQLite's own; `file` has room for both parts, and without methods SQLite takes it for
    // not opened.
    unsafe {
        if flags & GATHERED == 0 {
            return base_open(vfs, name, file, flags, out_flags);
        }
        let own = file.cast::<GatheringFile>();
        (*own).methods = std::ptr::null();
        let real = own.add(1).cast::<ffi::sqlite3_file>();
        let code = base_open(vfs, name, real, flags, out_flags);
        if (*real).pMethods.is_null() {
            return if code == ffi::SQLITE_OK { ffi::SQLITE_CANTOPEN } else { code };
        }
        let run = Run { start: 0, bytes: Vec::with_capacity(RUN_BYTES) };
        own.write(GatheringFile { methods: &raw const METHODS, run: Box::into_raw(Box::new(run)) });
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
        if !parts.run.takes(slice, offset) {
            let code = parts.flush();
            if code != ffi::SQLITE_OK {
                return code;
            }
            if !parts.run.takes(slice, offset) {
                return parts.write(bytes, count, offset);
            }
        }
        if parts.run.is_full() { parts.flush() } else { ffi::SQLITE_OK }
    }
}

/// Writes out what waits, and calls the real file's method.
macro_rules! flushed {
    ($file:ident, $method:ident, $missing:expr $(, $argument:expr)*) => {{
        // SAFETY: SQLite calls this for an open file, and the arguments are its own.
        unsafe {
            let mut parts = Parts::of($file);
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
    // SAFETY: SQLite calls this once for an open file; the run was made by `open_file`.
    unsafe {
        let mut parts = Parts::of(file);
        let flushed = parts.flush();
        let closed = parts.methods.xClose.map_or(ffi::SQLITE_OK, |close| close(parts.real));
        let own = file.cast::<GatheringFile>();
        drop(Box::from_raw((*own).run));
        (*own).run = std::ptr::null_mut();
        if flushed == ffi::SQLITE_OK { closed } else { flushed }
    }
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    bytes: *mut c_void,
    length: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite calls this for an open file, and the arguments are its own.
    unsafe {
        let mut parts = Parts::of(file);
        if parts.run.end() > offset && parts.run.start < offset.saturating_add(i64::from(length)) {
            let code = parts.flush();
            if code != ffi::SQLITE_OK {
                return code;
            }
        }
        parts.methods.xRead.map_or(ffi::SQLITE_IOERR_READ, |read| read(parts.real, bytes, length, offset))
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
    passed_on!(file, xLock, ffi::SQLITE_IOERR_LOCK, level)
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
