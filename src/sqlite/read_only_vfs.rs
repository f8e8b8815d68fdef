//! Files that the system opens for reading only, whatever SQLite makes of them.
//!
//! A database that is not ours is never opened for writing. SQLite leaves two things undone on a connection that it
//! knows to be read-only: it forgets CHECK constraints, and it cannot read a database in WAL mode without making a
//! `-wal` and a `-shm` beside it. So it is given file systems of its own, which are those of its Unix build but for
//! one call, the one that opens files: SQLite believes that it may write, and the system would refuse.
//!
//! No other module registers a file system, but for `piecewise_vfs`, through which databases are built.
#![expect(unsafe_code, reason = "registers copies of SQLite's own file systems through its C interface")]

use std::ffi::{CStr, c_char, c_int};
use std::sync::OnceLock;

use rusqlite::ffi;

/// How other processes are reckoned with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// With SQLite's locks, as usual.
    Locked,
    /// Not at all, as if nobody else could have the database: whoever reads looks before and after whether that was
    /// so. The WAL is taken for empty, wherever one is. Wants `PRAGMA locking_mode=EXCLUSIVE` before anything is read.
    Alone,
}

impl Sharing {
    fn base_name(self) -> &'static CStr {
        match self {
            Self::Locked => c"unix",
            Self::Alone => c"unix-none",
        }
    }

    fn own_name(self) -> &'static CStr {
        match self {
            Self::Locked => c"parklite-read",
            Self::Alone => c"parklite-read-alone",
        }
    }
}

type Open = unsafe extern "C" fn(
    *mut ffi::sqlite3_vfs,
    ffi::sqlite3_filename,
    *mut ffi::sqlite3_file,
    c_int,
    *mut c_int,
) -> c_int;

static LOCKED: OnceLock<bool> = OnceLock::new();
static ALONE: OnceLock<bool> = OnceLock::new();
/// How SQLite's own file systems open files; both in the same way.
static BASE_OPEN: OnceLock<Open> = OnceLock::new();

/// The name of the file system; `None` where SQLite has none that could be copied, which is outside Unix.
pub(crate) fn read_only_vfs(sharing: Sharing) -> Option<&'static CStr> {
    let (registered, open): (_, Open) = match sharing {
        Sharing::Locked => (&LOCKED, open_locked),
        Sharing::Alone => (&ALONE, open_alone),
    };
    registered.get_or_init(|| register(sharing, open)).then(|| sharing.own_name())
}

fn register(sharing: Sharing, open: Open) -> bool {
    // SAFETY: the name is static. SQLite's file systems are static as well and never change once the library is
    // initialised, which the search does.
    let Some(base) = (unsafe { ffi::sqlite3_vfs_find(sharing.base_name().as_ptr()).as_ref() }) else {
        return false;
    };
    let Some(base_open) = base.xOpen else { return false };
    if *BASE_OPEN.get_or_init(|| base_open) as usize != base_open as usize {
        return false;
    }
    let own = ffi::sqlite3_vfs {
        zName: sharing.own_name().as_ptr(),
        pNext: std::ptr::null_mut(),
        xOpen: Some(open),
        ..*base
    };
    // SAFETY: the copy lives as long as the process, as SQLite demands; its functions are those of the original,
    // which know nothing of their place but the name and the data that the copy shares.
    unsafe { ffi::sqlite3_vfs_register(Box::leak(Box::new(own)), 0) == ffi::SQLITE_OK }
}

unsafe extern "C" fn open_locked(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: the arguments are SQLite's own.
    unsafe { open_read_only(vfs, name, file, flags, out_flags) }
}

unsafe extern "C" fn open_alone(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    /// A WAL with nothing in it, which nothing can get into either.
    const NOTHING: *const c_char = c"/dev/null".as_ptr();
    let (name, flags) = if flags & ffi::SQLITE_OPEN_WAL == 0 {
        (name, flags)
    } else {
        (NOTHING, ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_READONLY)
    };
    // SAFETY: the arguments are SQLite's own; the other name is static, and SQLite looks for no parameters behind a
    // name that did not come as a URI.
    unsafe { open_read_only(vfs, name, file, flags, out_flags) }
}

/// Opens a database's main file for reading only and says that it may be written; other files as asked.
///
/// # Safety
/// As SQLite calls `xOpen`.
unsafe fn open_read_only(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    const WRITING: c_int = ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_CREATE;
    let Some(base_open) = BASE_OPEN.get() else { return ffi::SQLITE_CANTOPEN };
    let is_main = flags & ffi::SQLITE_OPEN_MAIN_DB != 0;
    let flags = if is_main { flags & !WRITING | ffi::SQLITE_OPEN_READONLY } else { flags };
    // SAFETY: as the caller's; `vfs` is a copy of the file system whose function this is.
    unsafe {
        let code = base_open(vfs, name, file, flags, out_flags);
        if is_main
            && code == ffi::SQLITE_OK
            && let Some(out_flags) = out_flags.as_mut()
        {
            *out_flags = *out_flags & !ffi::SQLITE_OPEN_READONLY | ffi::SQLITE_OPEN_READWRITE;
        }
        code
    }
}
