//! What an export did.

use std::path::PathBuf;

use serde::Serialize;

use crate::export::plan::ExportPlan;
use crate::frame::ColumnMapping;
use crate::snapshot::{LeftOut, Manifest};
use crate::sqlite::not_kept::NotKept;
use crate::sqlite::recovered::RecoveredFrom;
use crate::sqlite::source_check::SourceCheck;

/// What an export did.
#[derive(Debug, Clone, Serialize)]
pub struct ExportReport {
    /// The source database.
    #[serde(serialize_with = "crate::report::lossy_path")]
    pub source: PathBuf,
    /// The snapshot.
    #[serde(serialize_with = "crate::report::lossy_path")]
    pub snapshot: PathBuf,
    /// When it was taken.
    pub taken_at_utc: String,
    /// Whether what was written was matched with what was read.
    pub verified: bool,
    /// Whether it is the whole database.
    pub whole_database: bool,
    /// The source's size.
    pub source_size_bytes: u64,
    /// The size of all Parquet files.
    pub size_bytes: u64,
    /// All rows.
    pub rows: u64,
    /// The tables.
    pub tables: Vec<ExportedTable>,
    /// What a restore cannot rebuild.
    pub not_kept: Vec<NotKept>,
    /// What was not asked for.
    pub left_out: Vec<LeftOut>,
    /// What SQLite's own checks said of the source.
    pub source_check: SourceCheck,
    /// What SQLite had to recover the source from, in a private copy.
    pub recovered_from: Option<RecoveredFrom>,
}

/// One exported table.
#[derive(Debug, Clone, Serialize)]
pub struct ExportedTable {
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: Option<String>,
    /// Its rows.
    pub rows: u64,
    /// The size of its file.
    pub size_bytes: u64,
    /// The order of its rows.
    pub order: String,
    /// How many cells a reader of main columns alone takes for NULL.
    pub hidden_cells: u64,
    /// Its content digest.
    pub digest: String,
}

impl ExportReport {
    pub(crate) fn new(plan: &ExportPlan, manifest: &Manifest) -> Self {
        let tables: Vec<ExportedTable> = manifest
            .tables
            .iter()
            .zip(&plan.tables)
            .map(|(entry, planned)| ExportedTable {
                name: planned.name.clone(),
                file: planned.file_name.clone(),
                rows: entry.row_count(),
                size_bytes: entry.files.iter().filter_map(|file| file.size_bytes).sum(),
                order: planned.order_text.clone(),
                hidden_cells: entry.mapping.columns.iter().map(ColumnMapping::hidden_cells).sum(),
                digest: entry.digest.to_string(),
            })
            .collect();
        Self {
            source: plan.source.clone(),
            snapshot: plan.output.clone(),
            taken_at_utc: manifest.snapshot.taken_at_utc.clone(),
            verified: manifest.snapshot.verified,
            whole_database: plan.is_whole,
            source_size_bytes: plan.source_size_bytes,
            size_bytes: tables.iter().map(|table| table.size_bytes).sum(),
            rows: tables.iter().map(|table| table.rows).sum(),
            tables,
            not_kept: manifest.not_kept.clone(),
            left_out: plan.left_out.clone(),
            source_check: plan.source_check.clone(),
            recovered_from: plan.recovered_from,
        }
    }
}
