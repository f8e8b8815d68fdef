//! The files of a snapshot: names, sums, and whether each is there and unchanged.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;

use serde::Serialize;

use crate::digest::{Sha256Digest, Sha256Hasher};
use crate::durable::is_regular_file;
use crate::error::{Error, Result};
use crate::parquet_file::{SealState, check_seal};
use crate::progress::{Phase, PhaseKind};
use crate::run::Run;
use crate::snapshot::manifest::Manifest;
use crate::snapshot::open::{Location, Snapshot};
use crate::snapshot::views::views_text;

/// The manifest's file name.
pub const MANIFEST_FILE: &str = "manifest.json";
/// The name of the file for `sha256sum -c`.
pub const SUMS_FILE: &str = "SHA256SUMS";
/// The name of the file with views for readers.
pub const VIEWS_FILE: &str = "views.sql";

/// Something wrong with a file of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileFinding {
    /// The file's name inside the snapshot.
    pub file: String,
    /// The table whose rows it holds, where it holds any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// What is wrong.
    pub finding: String,
}

/// The text of `SHA256SUMS` for a manifest with these raw bytes.
#[must_use]
pub fn sums_text(manifest: &Manifest, manifest_bytes: &[u8]) -> String {
    let mut lines: Vec<String> = manifest
        .tables
        .iter()
        .flat_map(|entry| &entry.files)
        .filter_map(|file| file.sha256.map(|sha256| format!("{sha256}  {}\n", file.path)))
        .collect();
    lines.push(format!("{}  {MANIFEST_FILE}\n", Sha256Digest::of(manifest_bytes)));
    lines.push(format!("{}  {VIEWS_FILE}\n", Sha256Digest::of(views_text(manifest).as_bytes())));
    lines.concat()
}

/// Reads every byte of every file: missing, surplus, changed files, one finding each. Decodes nothing.
///
/// # Errors
/// I/O failures other than a missing file; `Interrupted`.
pub fn check_files(snapshot: &Snapshot, run: Run<'_>) -> Result<Vec<FileFinding>> {
    let total_bytes = Some(snapshot.size_bytes());
    run.progress.begin(Phase { kind: PhaseKind::Hashing, subject: "", total_rows: None, total_bytes });
    let findings = match &snapshot.location {
        Location::Folder(folder) => check_folder(snapshot, folder, run),
        Location::File(path) => check_single_file(snapshot, path),
    };
    run.progress.end();
    findings
}

fn check_single_file(snapshot: &Snapshot, path: &Path) -> Result<Vec<FileFinding>> {
    let check = check_seal(path)?;
    let finding = match check.state {
        SealState::Valid => return Ok(Vec::new()),
        SealState::Missing => "the file has lost its seal",
        SealState::Wrong => "the file was changed: it does not match its seal",
    };
    let table = snapshot.manifest.tables.iter().find(|entry| !entry.files.is_empty());
    Ok(vec![FileFinding {
        file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        table: table.map(|entry| entry.table.name.lossy().into_owned()),
        finding: finding.to_string(),
    }])
}

fn check_folder(snapshot: &Snapshot, folder: &Path, run: Run<'_>) -> Result<Vec<FileFinding>> {
    let manifest = &snapshot.manifest;
    let mut findings = Vec::new();
    for (name, text) in
        [(SUMS_FILE, sums_text(manifest, &snapshot.manifest_bytes)), (VIEWS_FILE, views_text(manifest))]
    {
        let path = folder.join(name);
        // Nothing but a regular file is read: a pipe would be waited for.
        let bytes = is_regular_file(&path)?.then(|| std::fs::read(&path)).transpose();
        let finding = match bytes {
            Ok(None) => "the file is missing",
            Ok(Some(bytes)) if bytes == text.as_bytes() => continue,
            Ok(_) => "the file was changed",
            Err(error) => return Err(Error::io("reading a file of the snapshot", path, error)),
        };
        findings.push(FileFinding { file: name.to_string(), table: None, finding: finding.to_string() });
    }
    for entry in &manifest.tables {
        for file in &entry.files {
            let finding = match hash_file(&folder.join(&file.path), run)? {
                None => "the file is missing".to_string(),
                Some((size, _)) if Some(size) != file.size_bytes => {
                    format!("the file has {size} bytes instead of {}", file.size_bytes.unwrap_or_default())
                }
                Some((_, sha256)) if Some(sha256) != file.sha256 => {
                    "the file was changed: its SHA-256 is another".to_string()
                }
                Some(_) => continue,
            };
            let table = Some(entry.table.name.lossy().into_owned());
            findings.push(FileFinding { file: file.path.clone(), table, finding });
        }
    }
    for name in surplus_files(snapshot)? {
        let finding = "the file does not belong to the snapshot".to_string();
        findings.push(FileFinding { file: name, table: None, finding });
    }
    Ok(findings)
}

/// Names in a snapshot's folder that its manifest does not know.
///
/// # Errors
/// I/O failures.
pub fn surplus_files(snapshot: &Snapshot) -> Result<Vec<String>> {
    let Location::Folder(folder) = &snapshot.location else { return Ok(Vec::new()) };
    let doing = "listing the snapshot";
    let files = snapshot.manifest.tables.iter().flat_map(|entry| &entry.files).map(|file| file.path.as_str());
    let expected: BTreeSet<&str> = files.chain([MANIFEST_FILE, SUMS_FILE, VIEWS_FILE]).collect();
    let mut surplus = Vec::new();
    for file in std::fs::read_dir(folder).map_err(|error| Error::io(doing, folder, error))? {
        let file = file.map_err(|error| Error::io(doing, folder, error))?;
        let name = file.file_name().to_string_lossy().into_owned();
        if !expected.contains(name.as_str()) {
            surplus.push(name);
        }
    }
    surplus.sort();
    Ok(surplus)
}

/// The size and SHA-256 of a file; `None` if it is missing or no regular file.
fn hash_file(path: &Path, run: Run<'_>) -> Result<Option<(u64, Sha256Digest)>> {
    const BUFFER_BYTES: usize = 1 << 20;
    let doing = "reading a file of the snapshot";
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io(doing, path, error)),
    }
    let mut file = std::fs::File::open(path).map_err(|error| Error::io(doing, path, error))?;
    let mut hasher = Sha256Hasher::default();
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut size_bytes = 0;
    loop {
        run.interrupt.check()?;
        let count = match file.read(&mut buffer) {
            Ok(0) => return Ok(Some((size_bytes, hasher.finish()))),
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::io(doing, path, error)),
        };
        hasher.update(&buffer[..count]);
        size_bytes += count as u64;
        run.progress.advance(0, count as u64);
    }
}
