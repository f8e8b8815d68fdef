//! How the C library's allocator gives memory back to the system, which is a matter of the whole process.
//!
//! By itself it returns every block of a few hundred kilobytes at once and asks for it anew a moment later; each page of
//! it is then cleared by the system again. Blocks of frames and pages come and go by the thousand, and that took a tenth
//! of an export.
//!
//! It also gives threads arenas of their own, and each keeps what was given back to it: what is kept must not grow with the
//! number of threads.

/// Tells the allocator to keep what is needed again in a moment, and to keep it in few places. Must be called before any thread is started.
pub(crate) fn keep_blocks() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    glibc::keep_blocks();
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the allocator's settings have no safe interface")]
mod glibc {
    use std::ffi::c_int;

    unsafe extern "C" {
        fn mallopt(parameter: c_int, value: c_int) -> c_int;
    }

    /// Source: `malloc.h` of the GNU C library.
    const TRIM_THRESHOLD: c_int = -1;
    const TOP_PAD: c_int = -2;
    const MMAP_THRESHOLD: c_int = -3;
    const ARENA_MAX: c_int = -8;

    /// Unless the user wants another number. One more than the least: with one, threads wait for each other.
    const ARENAS: c_int = 2;

    pub(super) fn keep_blocks() {
        const MIB: c_int = 1024 * 1024;
        // Larger blocks are single large cells: they are better given back.
        let arenas = if std::env::var_os("MALLOC_ARENA_MAX").is_none() { Some(ARENAS) } else { None };
        for (parameter, value) in [
            (MMAP_THRESHOLD, Some(2 * MIB + MIB / 2)),
            (TRIM_THRESHOLD, Some(32 * MIB)),
            (TOP_PAD, Some(2 * MIB)),
            (ARENA_MAX, arenas),
        ] {
            let Some(value) = value else { continue };
            // SAFETY: known parameters of the allocator. Where it refuses a value, it goes on as it is.
            unsafe { mallopt(parameter, value) };
        }
    }
}
