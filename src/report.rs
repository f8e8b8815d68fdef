//! What the reports of all verbs share.

use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

/// Writes a path for scripts; JSON holds Unicode only, so other bytes become U+FFFD instead of failing.
pub(crate) fn lossy_path<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    path.to_string_lossy().serialize(serializer)
}

/// [`lossy_path`] where there may be none.
#[expect(clippy::ref_option, reason = "the signature that serde's derive calls")]
pub(crate) fn lossy_path_if_any<S: Serializer>(
    path: &Option<PathBuf>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    path.as_ref().map(|path| path.to_string_lossy()).serialize(serializer)
}
