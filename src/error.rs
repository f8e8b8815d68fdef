//! The one error type: what failed, doing what, where, and what to do next.
//!
//! Kinds decide the exit code, and nothing else does. Findings that are expected results (a mismatch, an
//! index that cannot be kept) are rows of a report, never errors. Nothing here prints: `cli::exit` renders.

use std::fmt;
use std::path::{Path, PathBuf};

/// The result of every fallible operation of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as coarsely as a script needs to know it; decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operation failed: I/O, a full disk, a limit, an unexpected answer of a library.
    Failed,
    /// The request itself makes no sense: unknown table, contradicting options.
    Usage,
    /// What was written or restored is not what was read.
    Mismatch,
    /// The source database or snapshot does not exist.
    NotFound,
    /// The database stayed locked past the busy timeout, or another run is active.
    Busy,
    /// The target exists and overwriting was not asked for.
    Exists,
    /// Not a database, not a snapshot, or damaged beyond reading.
    Damaged,
    /// Written by a newer format version than this program knows.
    NewerFormat,
    /// The user interrupted the run; nothing partial was published.
    Interrupted,
}

impl ErrorKind {
    /// The process exit code of this kind, as published in the README; never changes once published.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Mismatch => 4,
            Self::NotFound => 10,
            Self::Busy => 11,
            Self::Exists => 12,
            Self::Damaged => 13,
            Self::NewerFormat => 14,
            Self::Interrupted => 130,
        }
    }

    /// A stable lower-case name for `--json` documents.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::Mismatch => "mismatch",
            Self::NotFound => "not-found",
            Self::Busy => "busy",
            Self::Exists => "exists",
            Self::Damaged => "damaged",
            Self::NewerFormat => "newer-format",
            Self::Interrupted => "interrupted",
        }
    }
}

/// Where it went wrong, as far as known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The file or folder.
    pub path: Option<PathBuf>,
    /// The table's name, readable form.
    pub table: Option<String>,
    /// The column's name, readable form.
    pub column: Option<String>,
    /// The row, 1-based in reading order.
    pub row_ordinal: Option<u64>,
}

/// A failed operation: kind, what was being done, where, what to do next, and the cause.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    /// One line, lower case, no full stop.
    message: String,
    place: Box<Place>,
    hint: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// Starts an error; `message` is one line in lower case without a full stop.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), place: Box::default(), hint: None, source: None }
    }

    /// Adds the file or folder concerned, unless a deeper layer already named one.
    #[must_use]
    pub fn at(mut self, path: impl AsRef<Path>) -> Self {
        self.place.path.get_or_insert_with(|| path.as_ref().to_path_buf());
        self
    }

    /// Names another file or folder than a deeper layer did: that one was a copy nobody knows of.
    #[must_use]
    pub fn instead_at(mut self, path: impl AsRef<Path>) -> Self {
        self.place.path = Some(path.as_ref().to_path_buf());
        self
    }

    /// Adds the table concerned, unless a deeper layer already named one.
    #[must_use]
    pub fn in_table(mut self, table: impl fmt::Display) -> Self {
        self.place.table.get_or_insert_with(|| table.to_string());
        self
    }

    /// Adds the column concerned, unless a deeper layer already named one.
    #[must_use]
    pub fn in_column(mut self, column: impl fmt::Display) -> Self {
        self.place.column.get_or_insert_with(|| column.to_string());
        self
    }

    /// Adds the row concerned, 1-based in reading order.
    #[must_use]
    pub fn at_row(mut self, row_ordinal: u64) -> Self {
        self.place.row_ordinal.get_or_insert(row_ordinal);
        self
    }

    /// Adds what to do next: a command or a flag. A deeper layer's hint wins.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint.get_or_insert_with(|| hint.into());
        self
    }

    /// Adds the underlying cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The kind, which decides the exit code.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The message without place, hint and cause.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where it happened.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What to do next, where there is something to do.
    #[must_use]
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Whether this run had too few open files or too little memory: that says nothing of what it looked at.
    #[must_use]
    pub fn is_of_scarcity(&self) -> bool {
        let source = self.source.as_deref().and_then(|source| source.downcast_ref::<std::io::Error>());
        source.is_some_and(|source| {
            is_out_of_descriptors(source) || source.kind() == std::io::ErrorKind::OutOfMemory
        })
    }

    /// An I/O failure while `doing` something (as in "reading the manifest") to `path`.
    ///
    /// A missing file stays [`ErrorKind::Failed`]: only a caller knows whether it is the thing asked for.
    #[must_use]
    pub fn io(doing: &str, path: impl AsRef<Path>, source: std::io::Error) -> Self {
        let error = Self::new(ErrorKind::Failed, format!("{doing} failed")).at(path);
        let error = if is_out_of_descriptors(&source) {
            error.hint("too many files are open: raise the limit (`ulimit -n`)")
        } else {
            error
        };
        let error = match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                error.hint("free some space, or write to another disk; --temp-dir moves temporary files")
            }
            std::io::ErrorKind::FileTooLarge => error.hint(
                "a file may not grow that large here: raise the limit (`ulimit -f`), or write to another disk",
            ),
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                error.hint("check the permissions of the folder, or choose another one")
            }
            _ => error,
        };
        error.because(source)
    }
}

/// Whether this process or the system may open no more files.
#[cfg(unix)]
pub(crate) fn is_out_of_descriptors(error: &std::io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::MFILE, Errno::NFILE].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

#[cfg(not(unix))]
pub(crate) fn is_out_of_descriptors(_: &std::io::Error) -> bool {
    false
}

impl fmt::Display for Error {
    /// One line: the message, then the place. Cause and hint are rendered by the caller.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let place = &self.place;
        if let Some(table) = &place.table {
            write!(f, ", table {table:?}")?;
        }
        if let Some(column) = &place.column {
            write!(f, ", column {column:?}")?;
        }
        if let Some(row) = place.row_ordinal {
            write!(f, ", row {row}")?;
        }
        if let Some(path) = &place.path {
            write!(f, ": {}", path.display())?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_its_place_once_and_the_deepest_layer_wins() {
        let error = Error::new(ErrorKind::Damaged, "a page cannot be read")
            .in_table("events")
            .in_table("outer")
            .at_row(7)
            .at("/a.db")
            .at("/b.db");
        assert_eq!(error.to_string(), "a page cannot be read, table \"events\", row 7: /a.db");
        assert_eq!(error.kind().exit_code(), 13);
    }

    #[cfg(unix)]
    #[test]
    fn what_a_run_lacks_is_told_apart_from_what_is_wrong_with_a_file() {
        use rustix::io::Errno;
        for (errno, is_of_scarcity) in
            [(Errno::MFILE, true), (Errno::NFILE, true), (Errno::NOMEM, true), (Errno::IO, false)]
        {
            let source = std::io::Error::from_raw_os_error(errno.raw_os_error());
            assert_eq!(Error::io("reading a file", "a", source).is_of_scarcity(), is_of_scarcity);
        }
    }
}
