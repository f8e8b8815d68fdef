//! What a path is, told by its first bytes: a snapshot, a SQLite database, or Parquet of another program.
//!
//! Names and endings decide nothing. The file is closed again before anything else opens it.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::parquet_file::has_file_tag;

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubjectKind {
    /// A folder, which only a snapshot can be.
    SnapshotFolder,
    /// A Parquet file that parklite wrote, alone or as part of a snapshot.
    SnapshotFile,
    /// A Parquet file without parklite's tag. Its footer may still say that it was written by parklite: then the tag
    /// was damaged.
    OtherParquet,
    /// A SQLite database, or a file of zero bytes, which SQLite takes for an empty one.
    Database,
}

/// Tells what lies at `path`.
///
/// # Errors
/// `NotFound` where nothing is there; `Damaged` for what is none of these; `Failed` where it cannot be read.
pub fn subject_kind(path: &Path) -> Result<SubjectKind> {
    const DATABASE_MAGIC: &[u8] = b"SQLite format 3\0";
    const PARQUET_MAGIC: &[u8] = b"PAR1";
    const HEAD_BYTES: u64 = 64;
    let metadata = std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
            Error::new(ErrorKind::NotFound, "there is no such file or folder").at(path).hint("check the path")
        }
        _ => Error::io("looking at the file", path, error),
    })?;
    if metadata.is_dir() {
        return Ok(SubjectKind::SnapshotFolder);
    }
    if !metadata.is_file() {
        let message = "this is neither a folder nor a regular file (a pipe, socket or device)";
        return Err(Error::new(ErrorKind::Damaged, message).at(path).hint("check the path"));
    }
    let mut head = Vec::new();
    File::open(path)
        .and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head))
        .map_err(|error| Error::io("reading the file", path, error))?;
    if head.is_empty() || head.starts_with(DATABASE_MAGIC) {
        Ok(SubjectKind::Database)
    } else if has_file_tag(&head) {
        Ok(SubjectKind::SnapshotFile)
    } else if head.starts_with(PARQUET_MAGIC) {
        Ok(SubjectKind::OtherParquet)
    } else {
        let message = "this is neither a snapshot nor a SQLite database nor a Parquet file";
        Err(Error::new(ErrorKind::Damaged, message)
            .at(path)
            .hint("check the path; an encrypted database must be decrypted with its own tool first"))
    }
}

/// What to tell of a path that could not be opened as a snapshot: `error`, unless it does not even begin like one.
#[must_use]
pub fn no_snapshot(path: &Path, error: Error) -> Error {
    match (error.kind(), subject_kind(path)) {
        (ErrorKind::Damaged, Err(neither)) if neither.kind() == ErrorKind::Damaged => neither,
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_decides_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let kind_of = |bytes: &[u8]| {
            let path = folder.path().join("a.sqlite.parquet");
            std::fs::write(&path, bytes).expect("writing");
            subject_kind(&path)
        };
        assert_eq!(subject_kind(folder.path()).expect("a folder"), SubjectKind::SnapshotFolder);
        assert_eq!(kind_of(b"").expect("empty"), SubjectKind::Database);
        assert_eq!(kind_of(b"SQLite format 3\0\x10").expect("sqlite"), SubjectKind::Database);
        assert_eq!(kind_of(b"PAR1PARKLIT1").expect("sealed"), SubjectKind::SnapshotFile);
        assert_eq!(kind_of(b"PAR1\x15\x04").expect("parquet"), SubjectKind::OtherParquet);
        assert_eq!(kind_of(b"PAR").expect_err("torn").kind(), ErrorKind::Damaged);
        let missing = subject_kind(&folder.path().join("none")).expect_err("nothing there");
        assert_eq!(missing.kind(), ErrorKind::NotFound);
    }
}
