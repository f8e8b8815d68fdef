//! `restore` of a Parquet file of another program: staged and published as every database is.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::durable::mode_of;
use crate::error::Result;
use crate::foreign::{ForeignPlan, Imported, NOT_VERIFIED, import, plan_foreign, refuse_losses};
use crate::parquet_file::ForeignFile;
use crate::restore::{RestoreOptions, restore_into};
use crate::run::Run;

/// What a restore of a Parquet file of another program did.
#[derive(Debug, Clone, Serialize)]
pub struct ForeignRestoreReport {
    /// The file.
    #[serde(serialize_with = "crate::report::lossy_path")]
    pub file: PathBuf,
    /// The new database.
    #[serde(serialize_with = "crate::report::lossy_path")]
    pub target: PathBuf,
    /// Never: nothing says what the file ought to hold.
    pub verified: bool,
    /// Always [`NOT_VERIFIED`].
    pub verification: &'static str,
    /// Whether the rows in the database were found to be those that were decoded.
    pub matches_decoded: bool,
    /// Its size.
    pub size_bytes: u64,
    /// What was imported.
    #[serde(flatten)]
    pub imported: Imported,
    /// The table and its columns.
    #[serde(flatten)]
    pub plan: ForeignPlan,
    /// Where the database that stood there is kept.
    #[serde(serialize_with = "crate::report::lossy_path_if_any")]
    pub kept_aside: Option<PathBuf>,
}

impl ForeignRestoreReport {
    /// Whether some value cannot be told from what is stored.
    #[must_use]
    pub fn loses(&self) -> bool {
        self.imported.findings.iter().any(|finding| finding.loss)
    }
}

/// Restores `file` as the database `target`, with one table called `table_name`.
///
/// # Errors
/// `Failed` or `Usage` for what no table can be; `Damaged` for a file that cannot be decoded; `Exists` or `Busy` for the
/// target; `Mismatch` where the database does not hold what was decoded; `Failed`, where `options` are strict, for
/// anything lost; I/O failures; `Interrupted`.
pub fn restore_foreign(
    file: &ForeignFile,
    target: &Path,
    table_name: &str,
    options: &RestoreOptions,
    run: Run<'_>,
) -> Result<ForeignRestoreReport> {
    let plan = plan_foreign(file, table_name)?;
    let (imported, published) =
        restore_into(target, options, needed_bytes(file), mode_of(file.path()), run, |staged, _| {
            let imported = import(file, &plan, staged, options.memory_limit_bytes, options.verify, run)?;
            if options.strict {
                refuse_losses(file, &imported)?;
            }
            Ok(imported)
        })?;
    Ok(ForeignRestoreReport {
        file: file.path().to_path_buf(),
        target: target.to_path_buf(),
        verified: false,
        verification: NOT_VERIFIED,
        matches_decoded: options.verify,
        size_bytes: published.size_bytes,
        imported,
        plan,
        kept_aside: published.kept_aside,
    })
}

/// Roughly how large the database will be at the least: a row's header, and what its values take without compression.
fn needed_bytes(file: &ForeignFile) -> u64 {
    const LEAST: u64 = 1 << 16;
    const ROW_BYTES: u64 = 4;
    let headers = file.row_count().saturating_mul(ROW_BYTES + file.columns().len() as u64);
    LEAST.saturating_add(headers).saturating_add(file.uncompressed_bytes())
}
