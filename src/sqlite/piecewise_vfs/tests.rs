use std::ffi::CString;
use std::path::Path;

use super::*;

/// A file opened through one of these file systems, as SQLite would.
struct Opened {
    /// In eights of bytes, for its alignment.
    memory: Vec<u64>,
    _name: CString,
}

impl Opened {
    fn open(vfs: &CStr, path: &Path) -> Self {
        /// A name that did not come as a URI is followed by an empty list of parameters.
        const ENDING: &[u8] = b"\0\0\0";
        let name = [path.to_str().expect("is text").as_bytes(), ENDING].concat();
        // SAFETY: nothing is ever read of it but as bytes, up to the last, which ends it.
        let name = unsafe { CString::from_vec_unchecked(name) };
        // SAFETY: the file system is registered; memory and name are as SQLite would give them.
        unsafe {
            let vfs = ffi::sqlite3_vfs_find(vfs.as_ptr());
            let size = usize::try_from((*vfs).szOsFile).expect("a size");
            let mut memory = vec![0_u64; size.div_ceil(8)];
            let flags = ffi::SQLITE_OPEN_MAIN_DB | ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_CREATE;
            let open = (*vfs).xOpen.expect("opens");
            let mut out_flags = 0;
            let code = open(vfs, name.as_ptr(), memory.as_mut_ptr().cast(), flags, &raw mut out_flags);
            assert_eq!(code, ffi::SQLITE_OK);
            Self { memory, _name: name }
        }
    }

    fn file(&mut self) -> *mut ffi::sqlite3_file {
        self.memory.as_mut_ptr().cast()
    }

    fn write(&mut self, bytes: &[u8], offset: usize) -> c_int {
        let length = c_int::try_from(bytes.len()).expect("is short");
        // SAFETY: the file is open.
        unsafe { write(self.file(), bytes.as_ptr().cast(), length, signed(offset)) }
    }

    fn read(&mut self, length: usize, offset: usize) -> (c_int, Vec<u8>) {
        let mut bytes = vec![0xaa; length];
        let count = c_int::try_from(length).expect("is short");
        // SAFETY: the file is open.
        let code = unsafe { read(self.file(), bytes.as_mut_ptr().cast(), count, signed(offset)) };
        (code, bytes)
    }

    fn size(&mut self) -> usize {
        let mut size = 0;
        // SAFETY: the file is open.
        assert_eq!(unsafe { file_size(self.file(), &raw mut size) }, ffi::SQLITE_OK);
        usize::try_from(size).expect("a size")
    }

    fn close(mut self) -> c_int {
        // SAFETY: the file is open, and not used afterwards.
        unsafe { close(self.file()) }
    }
}

fn signed(offset: usize) -> i64 {
    i64::try_from(offset).expect("is small")
}

/// Xorshift: the same numbers in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most as u64).expect("is small")
    }
}

#[test]
fn a_file_holds_what_was_written_whatever_was_read_meanwhile() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let vfs = piecewise_vfs().expect("is registered");
    for (seed, page) in (1..).zip([512, 4096, 16_384, 65_536]) {
        let path = folder.path().join(format!("{page}.db"));
        let mut file = Opened::open(vfs, &path);
        let (mut model, mut numbers) = (Vec::<u8>::new(), Numbers(seed * 7919));
        let mut next = 0;
        for step in 0..6_000_usize {
            let pages = model.len() / page;
            match numbers.below(40) {
                // Mostly one after the other, sometimes anywhere, and behind a hole.
                0..20 => {
                    let at = if numbers.below(12) == 0 { numbers.below(pages + 4) } else { next };
                    let bytes: Vec<u8> = (0..page).map(|index| (index + step).to_le_bytes()[0]).collect();
                    assert_eq!(file.write(&bytes, at * page), ffi::SQLITE_OK);
                    model.resize(model.len().max((at + 1) * page), 0);
                    model[at * page..][..page].copy_from_slice(&bytes);
                    next = (at + 1) % 300;
                }
                20..38 => {
                    let first = numbers.below(pages + 1);
                    for at in first..first + numbers.below(24) {
                        let (code, bytes) = file.read(page, at * page);
                        let mut expected: Vec<u8> =
                            model.iter().skip(at * page).take(page).copied().collect();
                        expected.resize(page, 0);
                        assert_eq!(bytes, expected, "page {at} at step {step}");
                        let is_whole = (at + 1) * page <= model.len();
                        assert_eq!(
                            code,
                            if is_whole { ffi::SQLITE_OK } else { ffi::SQLITE_IOERR_SHORT_READ }
                        );
                    }
                }
                38 => assert_eq!(file.size(), model.len()),
                _ if numbers.below(8) == 0 => {
                    let size = numbers.below(pages + 1) * page;
                    // SAFETY: the file is open.
                    assert_eq!(unsafe { truncate(file.file(), signed(size)) }, ffi::SQLITE_OK);
                    model.truncate(size);
                }
                _ => {
                    let (code, bytes) = file.read(16, 24);
                    if model.len() >= 40 {
                        assert_eq!((code, &bytes[..]), (ffi::SQLITE_OK, &model[24..40]));
                    }
                }
            }
        }
        assert_eq!(file.close(), ffi::SQLITE_OK);
        assert!(std::fs::read(&path).expect("is read") == model, "pages of {page}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_write_that_fails_is_told_by_the_commit() {
    let mut file = Opened::open(piecewise_vfs().expect("is registered"), Path::new("/dev/full"));
    let page = [7; 4096];
    for index in 0..3 {
        assert_eq!(file.write(&page, index * page.len()), ffi::SQLITE_OK, "it waits");
    }
    let commit = |file: &mut Opened| {
        // SAFETY: the file is open; this one takes no argument.
        unsafe { file_control(file.file(), ffi::SQLITE_FCNTL_SYNC, std::ptr::null_mut()) }
    };
    assert_eq!(commit(&mut file) & 0xff, ffi::SQLITE_FULL);
    assert_eq!(commit(&mut file) & 0xff, ffi::SQLITE_FULL, "and is not forgotten");
    assert_eq!(file.read(page.len(), 0).0 & 0xff, ffi::SQLITE_FULL);
    assert_ne!(file.close(), ffi::SQLITE_OK);
}
