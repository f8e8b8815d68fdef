//! A Parquet file of another program as a table: how it will look, and how its rows get into a fresh database.
//!
//! `restore` publishes what this makes, `inspect` shows the plan. Nothing here touches a final name. How each value
//! becomes a cell is told in [`crate::parquet_file::foreign`]; here are only names, the table's definition, and the proof
//! that the database holds what was decoded.

mod import;
mod plan;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::parquet_file::{ForeignFile, Origin, origin_of};
use crate::snapshot::is_named_beside;
use crate::subject::{SubjectKind, subject_kind};

pub use import::{Imported, import};
pub use plan::{ForeignPlan, PlannedColumn, plan_foreign, table_name_of};

/// What is said of every database made from such a file.
pub const NOT_VERIFIED: &str = "not verified: not a parklite file";

/// Opens `path` as a Parquet file of another program; `None` where it is anything else, for which others have the words.
///
/// A file that shows any trace of parklite, or that a manifest beside it names, is never one, however damaged it is.
///
/// # Errors
/// `Damaged` for Parquet whose footer cannot be read; I/O failures.
pub fn open_foreign(path: &Path) -> Result<Option<ForeignFile>> {
    if !matches!(subject_kind(path), Ok(SubjectKind::OtherParquet)) {
        return Ok(None);
    }
    match origin_of(path).map_err(|error| match error.kind() {
        ErrorKind::Damaged => {
            error.hint("try another copy of the file, or write it again with the program that made it")
        }
        _ => error,
    })? {
        // Overwritten where it belongs to a snapshot, it is a damaged snapshot's.
        Origin::Foreign if is_named_beside(path)? => Ok(None),
        Origin::Foreign => ForeignFile::open(path).map(Some),
        Origin::Parklite | Origin::DamagedParklite => Ok(None),
    }
}

/// What a Parquet file of another program holds, and what a restore makes of it.
#[derive(Debug, Clone, Serialize)]
pub struct ForeignReport {
    /// The file.
    #[serde(serialize_with = "crate::report::lossy_path")]
    pub file: PathBuf,
    /// Always [`NOT_VERIFIED`].
    pub verification: &'static str,
    /// The program that says it wrote it.
    pub created_by: Option<String>,
    /// Its size.
    pub size_bytes: u64,
    /// Its rows.
    pub rows: u64,
    /// Its row groups.
    pub row_groups: usize,
    /// The codecs of its columns, as Parquet spells them.
    pub codecs: Vec<String>,
    /// Why no table can be called after the file, so that a restore needs another name; the plan then says `?`.
    pub name_problem: Option<String>,
    /// The table and its columns.
    #[serde(flatten)]
    pub plan: ForeignPlan,
}

/// Shows what a restore would make of a file; no row is decoded.
///
/// # Errors
/// As [`plan_foreign`].
pub fn inspect_foreign(file: &ForeignFile) -> Result<ForeignReport> {
    // A name that no table may have is no reason to show nothing.
    let (table_name, name_problem) = match table_name_of(file.path(), None) {
        Ok(name) => (name, None),
        Err(error) => ("?".to_string(), Some(error.message().to_string())),
    };
    let codecs: std::collections::BTreeSet<&String> =
        file.columns().iter().flat_map(|column| &column.codecs).collect();
    Ok(ForeignReport {
        file: file.path().to_path_buf(),
        verification: NOT_VERIFIED,
        created_by: file.created_by().map(str::to_string),
        size_bytes: file.size_bytes(),
        rows: file.row_count(),
        row_groups: file.row_group_count(),
        codecs: codecs.into_iter().cloned().collect(),
        name_problem,
        plan: plan_foreign(file, &table_name)?,
    })
}

/// Fails where the plan, or what was found, loses anything.
pub(crate) fn refuse_losses(file: &ForeignFile, imported: &Imported) -> Result<()> {
    let Some(lost) = imported.findings.iter().find(|finding| finding.loss) else { return Ok(()) };
    let message = format!("not everything survives: {}", lost.what.describe());
    Err(Error::new(ErrorKind::Failed, message)
        .in_column(&lost.column)
        .at_row(lost.first_row)
        .at(file.path())
        .hint("leave --strict away to restore everything else"))
}
