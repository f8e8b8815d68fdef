//! `verify`: how much of a snapshot is proven, at three levels.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::durable::{Stage, folder_beside, require_space};
use crate::error::{ErrorKind, Result};
use crate::matching::{
    DataFinding, MatchingResources, match_data_file, match_independently, name_damage, unreadable,
};
use crate::rebuild::{RebuildOptions, rebuild};
use crate::run::Run;
use crate::snapshot::{DataFile, FileFinding, FileProblem, Location, Snapshot, TableEntry, check_files};
use crate::sqlite::check::CheckReport;
use crate::sqlite::not_kept::NotKept;

/// How much is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VerifyLevel {
    /// Every file is there and has the bytes that were written.
    Quick,
    /// And everything decodes to the rows and the schema that were read.
    Data,
    /// And a database rebuilt from it passes SQLite's checks and holds the same rows.
    Restore,
}

/// How a snapshot is verified.
#[derive(Debug, Clone)]
pub struct VerifyOptions {
    /// How much is proven.
    pub level: VerifyLevel,
    /// Whether a second decoder, which shares no code with the first, is asked too; not at the level `Quick`.
    pub independent: bool,
    /// How much memory to use, in bytes.
    pub memory_limit_bytes: u64,
    /// How many threads decode.
    pub threads: usize,
    /// Where the temporary database goes; beside the snapshot if that can be written, else the system's
    /// folder, unless given.
    pub temp_folder: Option<PathBuf>,
}

/// What verifying found; nothing found means proven up to the level.
#[derive(Debug, Clone, Serialize)]
pub struct VerifyReport {
    /// The snapshot.
    #[serde(serialize_with = "crate::report::lossy_path")]
    pub snapshot: PathBuf,
    /// How much was proven.
    pub level: VerifyLevel,
    /// Whether a second decoder was asked too.
    pub independent: bool,
    /// Whether nothing was found.
    pub intact: bool,
    /// Its tables.
    pub tables: usize,
    /// Its rows.
    pub rows: u64,
    /// The size of its data files.
    pub size_bytes: u64,
    /// Files that are missing, changed, unreadable or surplus.
    pub files: Vec<FileFinding>,
    /// Where in its files data is not what was written.
    pub data: Vec<DataFinding>,
    /// Why no equal database could be rebuilt.
    pub restore: Option<String>,
    /// What SQLite's checks say about the rebuilt database.
    pub check: Option<CheckReport>,
    /// What a restore cannot rebuild.
    pub not_kept: Vec<NotKept>,
}

impl VerifyReport {
    /// Whether all that was found is files too many: the snapshot itself is whole.
    #[must_use]
    pub fn has_only_surplus(&self) -> bool {
        !self.files.is_empty()
            && self.files.iter().all(|finding| finding.problem == FileProblem::Surplus)
            && self.data.is_empty()
            && self.restore.is_none()
    }
}

/// Disk space needed for the temporary database, in bytes, and how long it takes, roughly.
#[must_use]
pub fn estimate_restore(snapshot: &Snapshot) -> (u64, u64) {
    /// What a slow machine restores and checks in a second.
    const BYTES_PER_SECOND: u64 = 25 * 1024 * 1024;
    let bytes = snapshot.restored_size_bytes();
    (bytes, bytes.div_ceil(BYTES_PER_SECOND))
}

/// Verifies the snapshot at `path`.
///
/// # Errors
/// `NotFound`, `Damaged`, `NewerFormat` where it cannot be opened; I/O failures; `Interrupted`. What is found
/// wrong is in the report.
pub fn verify(path: &Path, options: &VerifyOptions, run: Run<'_>) -> Result<VerifyReport> {
    let snapshot = Snapshot::open(path)?;
    let manifest = &snapshot.manifest;
    run.progress.set_run_total(snapshot.size_bytes());
    let mut report = VerifyReport {
        snapshot: path.to_path_buf(),
        level: options.level,
        independent: options.independent && options.level >= VerifyLevel::Data,
        intact: false,
        tables: manifest.tables.len(),
        rows: manifest.tables.iter().map(TableEntry::row_count).fold(0, u64::saturating_add),
        size_bytes: snapshot.size_bytes(),
        files: check_files(&snapshot, run)?,
        data: Vec::new(),
        restore: None,
        check: None,
        not_kept: manifest.not_kept.clone(),
    };
    report.data = look_into_files(&snapshot, &report.files, options, run)?;
    report.intact = report.files.is_empty() && report.data.is_empty();
    if options.level == VerifyLevel::Restore && (report.intact || report.has_only_surplus()) {
        prove_restore(&snapshot, options, run, &mut report)?;
    }
    Ok(report)
}

/// Damaged files are damaged somewhere, which is named; the others are decoded, unless the level is `Quick`. What has
/// other bytes than were written is not decoded: no accident reaches a decoder.
fn look_into_files(
    snapshot: &Snapshot,
    found: &[FileFinding],
    options: &VerifyOptions,
    run: Run<'_>,
) -> Result<Vec<DataFinding>> {
    let mut findings = Vec::new();
    for entry in &snapshot.manifest.tables {
        for file in &entry.files {
            let path = snapshot.data_path(file);
            let looked = match problem_of(snapshot, file, found) {
                Some(FileProblem::Changed) => name_damage(&path, entry, file, run),
                Some(_) => Ok(Vec::new()),
                None if options.level == VerifyLevel::Quick => Ok(Vec::new()),
                None => match_file(&path, entry, file, snapshot, options, run),
            };
            match looked {
                Ok(found) => findings.extend(found),
                // One file of a folder that cannot be read does not keep the others from being looked at.
                Err(error)
                    if matches!(snapshot.location, Location::Folder(_))
                        && error.kind() != ErrorKind::Interrupted
                        && !error.is_of_scarcity() =>
                {
                    findings.push(unreadable(&path, entry, &error));
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(findings)
}

fn problem_of(snapshot: &Snapshot, file: &DataFile, found: &[FileFinding]) -> Option<FileProblem> {
    let is_it = |finding: &&FileFinding| match snapshot.location {
        Location::Folder(_) => finding.file == file.path,
        Location::File(_) => true,
    };
    found.iter().find(is_it).map(|finding| finding.problem)
}

fn match_file(
    path: &Path,
    entry: &TableEntry,
    file: &DataFile,
    snapshot: &Snapshot,
    options: &VerifyOptions,
    run: Run<'_>,
) -> Result<Vec<DataFinding>> {
    let schema = &snapshot.manifest.schema;
    let VerifyOptions { threads, memory_limit_bytes, .. } = *options;
    let resources = MatchingResources { threads, memory_limit_bytes };
    let mut findings = match_data_file(path, entry, file, schema, resources, run)?;
    if options.independent {
        findings.extend(match_independently(path, entry, file, run)?);
    }
    Ok(findings)
}

fn prove_restore(
    snapshot: &Snapshot,
    options: &VerifyOptions,
    run: Run<'_>,
    report: &mut VerifyReport,
) -> Result<()> {
    let stage = temporary_stage(snapshot, options)?;
    require_space(stage.path(), snapshot.restored_size_bytes(), "the temporary database")?;
    let rebuild_options = RebuildOptions {
        verify: true,
        sync: false,
        memory_limit_bytes: options.memory_limit_bytes,
        temp_folder: stage.path().to_path_buf(),
    };
    match rebuild(snapshot, &stage.path_of("verified.db")?, &rebuild_options, run) {
        Ok(rebuilt) => report.check = rebuilt.check,
        Err(error) if matches!(error.kind(), ErrorKind::Mismatch | ErrorKind::Damaged) => {
            report.restore = Some(describe(&error));
            report.intact = false;
        }
        Err(error) => return Err(error),
    }
    stage.remove_or_tell(run.progress);
    Ok(())
}

fn describe(error: &crate::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn temporary_stage(snapshot: &Snapshot, options: &VerifyOptions) -> Result<Stage> {
    if let Some(folder) = &options.temp_folder {
        return Stage::create_and_clear(folder);
    }
    let beside = folder_beside(snapshot.path()).and_then(|parent| Stage::create_and_clear(&parent));
    beside.or_else(|_| Stage::create_and_clear(&std::env::temp_dir()))
}
