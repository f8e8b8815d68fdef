//! The header pragmas of a database.

use serde::{Deserialize, Serialize};

use crate::schema::is_default;
use crate::schema::text::TextEncoding;

/// Whether the file is in WAL mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JournalMode {
    /// Write-ahead log.
    Wal,
    /// Any rollback journal mode; they leave no trace in the file.
    Rollback,
}

impl JournalMode {
    /// The word used in the manifest.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Wal => "wal",
            Self::Rollback => "rollback",
        }
    }
}

/// How free pages are given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AutoVacuum {
    /// Not at all.
    None,
    /// At every commit.
    Full,
    /// On request.
    Incremental,
}

impl AutoVacuum {
    /// The word used in the manifest and by `PRAGMA auto_vacuum`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Full => "full",
            Self::Incremental => "incremental",
        }
    }
}

/// The header pragmas that come back on restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseHeader {
    /// `PRAGMA user_version`.
    pub user_version: i32,
    /// `PRAGMA application_id`.
    pub application_id: i32,
    /// `PRAGMA encoding`.
    pub encoding: TextEncoding,
    /// `PRAGMA page_size`, in bytes.
    pub page_size: u32,
    /// `PRAGMA auto_vacuum`.
    pub auto_vacuum: AutoVacuum,
    /// WAL or not.
    pub journal_mode: JournalMode,
    /// Whether the file has a schema format before 4, under which DESC in indexes and keys counts for nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub legacy_format: bool,
    /// `PRAGMA default_cache_size`, an old setting that lies in the header; `None` where it was never set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_cache_size: Option<i32>,
}
