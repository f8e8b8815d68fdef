//! What is told of a data file that is not as it should be.

use std::path::Path;

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::snapshot::TableEntry;

/// Something in a data file that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DataFinding {
    /// The table.
    pub table: String,
    /// The file's name.
    pub file: String,
    /// The row group, 0-based.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row_group: Option<usize>,
    /// The column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// What is wrong.
    pub finding: String,
}

impl std::fmt::Display for DataFinding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "table {:?}, file {}", self.table, self.file)?;
        if let Some(row_group) = self.row_group {
            write!(f, ", row group {row_group}")?;
        }
        if let Some(column) = &self.column {
            write!(f, ", column {column:?}")?;
        }
        write!(f, ": {}", self.finding)
    }
}

/// A data file that cannot be read because of `error`.
#[must_use]
pub fn unreadable(path: &Path, entry: &TableEntry, error: &Error) -> DataFinding {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    Place { path, entry }.finding(format!("the file cannot be read: {}{cause}", error.message()))
}

/// One data file and its table, which every finding about it names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) path: &'a Path,
    pub(super) entry: &'a TableEntry,
}

impl Place<'_> {
    /// About the file as a whole.
    pub(super) fn finding(&self, finding: impl Into<String>) -> DataFinding {
        let file = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let table = self.entry.table.name.lossy().into_owned();
        DataFinding { table, file, row_group: None, column: None, finding: finding.into() }
    }

    /// About one row group, and one column of it where one is concerned.
    pub(super) fn finding_in(
        &self,
        row_group: usize,
        column: Option<String>,
        finding: impl Into<String>,
    ) -> DataFinding {
        DataFinding { row_group: Some(row_group), column, ..self.finding(finding) }
    }

    /// The name of a Parquet column.
    pub(super) fn column_name(&self, column: usize) -> Option<String> {
        self.entry.mapping.parquet_columns().nth(column).map(|column| column.name.to_string())
    }

    /// A damaged file is a finding; anything else stays an error. `who` said so, where it was not the usual decoder.
    pub(super) fn finding_of(
        &self,
        row_group: Option<usize>,
        who: &str,
        error: Error,
    ) -> Result<DataFinding> {
        if !matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Mismatch) {
            return Err(error.at(self.path).in_table(&self.entry.table.name));
        }
        let mut text = format!("{who}{}", error.message());
        if let Some(row) = error.place().row_ordinal {
            text = format!("{text}, row {row} of the row group");
        }
        if let Some(source) = std::error::Error::source(&error) {
            text = format!("{text}: {source}");
        }
        Ok(DataFinding { row_group, column: error.place().column.clone(), ..self.finding(text) })
    }
}
