//! The name of a super-journal at the end of a rollback journal.
//!
//! A transaction over several databases has a super-journal, which exists until it is committed: a journal that
//! names one that is gone is not rolled back. SQLite removes the super-journal when it has rolled back the last
//! journal that names it, and it would do so from a private copy of that journal as well. So the copy is made to say the
//! same without the name.

use std::path::PathBuf;

/// How many bytes after the name: its length, its checksum, the magic.
const TAIL_BYTES: usize = 16;
/// The longest name SQLite reads, in bytes.
const LONGEST_NAME: usize = 512;
const MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// The most bytes at a journal's end that matter here.
pub(crate) const MOST_TAIL_BYTES: usize = LONGEST_NAME + TAIL_BYTES;
/// The bytes at its end that make a name one.
pub(crate) const MAGIC_BYTES: usize = MAGIC.len();

/// The super-journal that a journal ending in `end` names, by the rules by which SQLite believes it.
///
/// Source: `readSuperJournal` and `pagerIsSuperJrnlName` in the bundled SQLite (pager.c).
pub(crate) fn super_journal_named_in(end: &[u8]) -> Option<PathBuf> {
    let (before, tail) = end.split_at_checked(end.len().checked_sub(TAIL_BYTES)?)?;
    let number = |at: usize| Some(u32::from_be_bytes(tail.get(at..at + 4)?.try_into().ok()?));
    let (length, checksum) = (usize::try_from(number(0)?).ok()?, number(4)?);
    if tail[8..] != MAGIC || length == 0 || length > LONGEST_NAME {
        return None;
    }
    let name = before.get(before.len().checked_sub(length)?..)?;
    // SQLite adds up signed characters.
    let sum = name.iter().fold(0_u32, |sum, &byte| sum.wrapping_add_signed(i32::from(byte.cast_signed())));
    let name = name.split(|&byte| byte == 0).next()?;
    (sum == checksum && is_super_journal_name(name)).then(|| path_of(name))
}

/// `…-mjXXXXXX9XX`, with hexadecimal digits.
fn is_super_journal_name(name: &[u8]) -> bool {
    const ENDING_BYTES: usize = 12;
    let Some(ending) = name.len().checked_sub(ENDING_BYTES).and_then(|begin| name.get(begin..)) else {
        return false;
    };
    ending.starts_with(b"-mj") && ending[9] == b'9' && ending[3..].iter().all(u8::is_ascii_hexdigit)
}

#[cfg(unix)]
fn path_of(name: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    PathBuf::from(std::ffi::OsStr::from_bytes(name))
}

#[cfg(not(unix))]
fn path_of(name: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(name).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end_of_journal(name: &[u8], checksum: u32) -> Vec<u8> {
        let length = u32::try_from(name.len()).expect("short").to_be_bytes();
        [b"pages".as_slice(), name, &length, &checksum.to_be_bytes(), &MAGIC].concat()
    }

    fn checksum(name: &[u8]) -> u32 {
        name.iter().map(|&byte| u32::from(byte)).sum()
    }

    #[test]
    fn a_name_is_believed_only_as_sqlite_believes_it() {
        let name = b"/data/a.db-mj0123AB9cD";
        let end = end_of_journal(name, checksum(name));
        assert_eq!(super_journal_named_in(&end), Some(PathBuf::from("/data/a.db-mj0123AB9cD")));
        assert_eq!(super_journal_named_in(&end_of_journal(name, checksum(name) + 1)), None, "checksum");
        assert_eq!(super_journal_named_in(&end[..end.len() - 1]), None, "magic");
        for other in [b"/home/somebody/letter".as_slice(), b"/data/a.db-mj0123AB8cD", b""] {
            assert_eq!(super_journal_named_in(&end_of_journal(other, checksum(other))), None);
        }
        assert_eq!(super_journal_named_in(b"short"), None);
    }
}
