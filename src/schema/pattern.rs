//! Patterns for names of tables, as people type them.

use globset::{GlobBuilder, GlobMatcher};

use crate::error::{Error, ErrorKind, Result};

/// A glob for names: `*`, `?`, `[…]`, `{a,b}`; ASCII case is ignored, as SQLite does for names.
///
/// # Errors
/// `Usage` for what is no pattern.
pub fn name_glob(pattern: &str) -> Result<GlobMatcher> {
    let built = GlobBuilder::new(pattern).case_insensitive(true).backslash_escape(true).build();
    built.map(|glob| glob.compile_matcher()).map_err(|error| {
        Error::new(ErrorKind::Usage, format!("{pattern:?} is no pattern for names"))
            .hint("in a pattern * ? [..] {a,b} are special; a backslash makes them ordinary")
            .because(error)
    })
}
