//! How a file looks from outside, to notice when it is another one or was changed without SQLite's locks.

use std::path::Path;
use std::time::SystemTime;

/// How a file looks from outside. It is never opened for this: closing it would drop this process's locks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Looks {
    pub(super) identity: (u64, u64),
    pub(super) size_bytes: u64,
    modified: Option<SystemTime>,
}

impl Looks {
    pub(super) fn of(path: &Path) -> Option<Self> {
        let found = std::fs::metadata(path).ok()?;
        Some(Self::of_metadata(&found))
    }

    /// How the file looks that was opened after it looked as `before`. Where another one lies there now, nobody knows which
    /// of them was opened: it looks as before, so that it is not taken for the one that lies there.
    pub(super) fn since(before: Option<Self>, path: &Path) -> Option<Self> {
        let now = Self::of(path);
        let is_another =
            before.as_ref().map(|looks| looks.identity) != now.as_ref().map(|looks| looks.identity);
        if is_another && before.is_some() { before } else { now }
    }

    pub(super) fn of_metadata(found: &std::fs::Metadata) -> Self {
        Self { identity: identity(found), size_bytes: found.len(), modified: found.modified().ok() }
    }
}

#[cfg(unix)]
fn identity(found: &std::fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    (found.dev(), found.ino())
}

#[cfg(not(unix))]
fn identity(_found: &std::fs::Metadata) -> (u64, u64) {
    (0, 0)
}
