//! The files of a snapshot: names, sums, and whether each is there and unchanged.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::Read as _;
use std::path::Path;

use serde::Serialize;

use crate::digest::{Sha256Digest, Sha256Hasher};
use crate::error::{Error, ErrorKind, Result};
use crate::parquet_file::{SealState, check_seal_with};
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

/// What kind of thing is wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FileProblem {
    /// It is not there, or not as a regular file.
    Missing,
    /// It has other bytes than were written.
    Changed,
    /// It is another file of the snapshot.
    Replaced,
    /// It is no part of the snapshot, which is none the worse for it.
    Surplus,
    /// It is there and cannot be read.
    Unreadable,
}

/// Something wrong with a file of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileFinding {
    /// The file's name inside the snapshot.
    pub file: String,
    /// The table whose rows it holds, where it holds any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// What kind of thing is wrong.
    pub problem: FileProblem,
    /// What is wrong, in words.
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

/// Reads every byte of every file: missing, surplus, changed and unreadable files, one finding each. Decodes nothing.
///
/// # Errors
/// A folder that cannot be listed, a single file that cannot be read; `Interrupted`.
pub fn check_files(snapshot: &Snapshot, run: Run<'_>) -> Result<Vec<FileFinding>> {
    let total_bytes = Some(snapshot.size_bytes());
    run.progress.begin(Phase { kind: PhaseKind::Hashing, subject: "", total_rows: None, total_bytes });
    let findings = match &snapshot.location {
        Location::Folder(folder) => check_folder(snapshot, folder, run),
        Location::File(path) => check_single_file(snapshot, path, run),
    };
    run.progress.end();
    findings
}

fn check_single_file(snapshot: &Snapshot, path: &Path, run: Run<'_>) -> Result<Vec<FileFinding>> {
    let check = check_seal_with(path, |bytes| {
        run.progress.advance(0, bytes);
        run.interrupt.check()
    })?;
    let finding = match check.state {
        SealState::Valid => return Ok(Vec::new()),
        SealState::Missing => "the file has lost its seal",
        SealState::Wrong => "the file was changed: it does not match its seal",
    };
    let table = snapshot.manifest.tables.iter().find(|entry| !entry.files.is_empty());
    Ok(vec![FileFinding {
        file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        table: table.map(|entry| entry.table.name.lossy().into_owned()),
        problem: FileProblem::Changed,
        finding: finding.to_string(),
    }])
}

/// A file of a snapshot folder as it was written.
struct WrittenFile {
    name: String,
    table: Option<String>,
    size_bytes: u64,
    sha256: Sha256Digest,
}

/// What lies under a name.
enum Found {
    Nothing,
    /// Neither a regular file nor nothing.
    Other(&'static str),
    /// A regular file, and its SHA-256 where some file of the snapshot has its size.
    File(u64, Option<Sha256Digest>),
}

fn written_files(snapshot: &Snapshot) -> Vec<WrittenFile> {
    let (manifest, manifest_bytes) = (&snapshot.manifest, &snapshot.manifest_bytes);
    let text = |name: &str, bytes: &[u8]| WrittenFile {
        name: name.to_string(),
        table: None,
        size_bytes: bytes.len() as u64,
        sha256: Sha256Digest::of(bytes),
    };
    let texts = [
        text(SUMS_FILE, sums_text(manifest, manifest_bytes).as_bytes()),
        text(VIEWS_FILE, views_text(manifest).as_bytes()),
        text(MANIFEST_FILE, manifest_bytes),
    ];
    let data = manifest.tables.iter().flat_map(|entry| entry.files.iter().map(move |file| (entry, file)));
    let data = data.filter_map(|(entry, file)| {
        let table = Some(entry.table.name.lossy().into_owned());
        // That both are there was checked when the snapshot was opened.
        let (size_bytes, sha256) = file.size_bytes.zip(file.sha256)?;
        Some(WrittenFile { name: file.path.clone(), table, size_bytes, sha256 })
    });
    texts.into_iter().chain(data).collect()
}

fn check_folder(snapshot: &Snapshot, folder: &Path, run: Run<'_>) -> Result<Vec<FileFinding>> {
    let written = written_files(snapshot);
    let is_content_of = |sha256: Option<Sha256Digest>| {
        sha256.and_then(|sha256| written.iter().find(|file| file.sha256 == sha256))
    };
    let look_at = |name: &OsStr| {
        let is_known_size = |size| written.iter().any(|file| file.size_bytes == size);
        look_at(&folder.join(name), is_known_size, run)
    };
    let mut findings = Vec::new();
    for file in &written {
        let (problem, finding) = match look_at(OsStr::new(&file.name)) {
            Ok(Found::Nothing) => (FileProblem::Missing, "the file is missing".to_string()),
            Ok(Found::Other(kind)) => {
                (FileProblem::Missing, format!("the file is missing: in its place is {kind}"))
            }
            Ok(Found::File(_, Some(sha256))) if sha256 == file.sha256 => continue,
            Ok(Found::File(size, sha256)) => match is_content_of(sha256) {
                Some(other) => {
                    let finding = format!("the file was replaced: it holds what belongs in {}", other.name);
                    (FileProblem::Replaced, finding)
                }
                None if size != file.size_bytes => {
                    let finding = format!("the file has {size} bytes instead of {}", file.size_bytes);
                    (FileProblem::Changed, finding)
                }
                None => (FileProblem::Changed, "the file was changed: its SHA-256 is another".to_string()),
            },
            Err(error) => (FileProblem::Unreadable, unreadable(error)?),
        };
        findings.push(FileFinding { file: file.name.clone(), table: file.table.clone(), problem, finding });
    }
    for name in surplus_files(snapshot)? {
        let problem = FileProblem::Surplus;
        let looked = look_at(&name);
        let name = name.to_string_lossy().into_owned();
        let finding = match looked {
            Ok(Found::Other(kind)) => format!("this is no part of the snapshot, but {kind}"),
            Ok(Found::File(_, sha256)) => match is_content_of(sha256) {
                Some(other) => {
                    format!("this file is no part of the snapshot: it holds what belongs in {}", other.name)
                }
                None => "this file is no part of the snapshot".to_string(),
            },
            Ok(Found::Nothing) => continue,
            Err(error) => format!("this file is no part of the snapshot: {}", unreadable(error)?),
        };
        findings.push(FileFinding { file: name, table: None, problem, finding });
    }
    Ok(findings)
}

/// Says that one file cannot be read; the others still are. Being interrupted stays an error.
fn unreadable(error: Error) -> Result<String> {
    if error.kind() == ErrorKind::Interrupted || error.is_of_scarcity() {
        return Err(error);
    }
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
    Ok(format!("the file cannot be read{cause}"))
}

/// Names in a snapshot's folder that its manifest does not know.
///
/// # Errors
/// I/O failures.
pub fn surplus_files(snapshot: &Snapshot) -> Result<Vec<OsString>> {
    let Location::Folder(folder) = &snapshot.location else { return Ok(Vec::new()) };
    let doing = "listing the snapshot";
    let files = snapshot.manifest.tables.iter().flat_map(|entry| &entry.files).map(|file| file.path.as_str());
    let expected: BTreeSet<&OsStr> =
        files.chain([MANIFEST_FILE, SUMS_FILE, VIEWS_FILE]).map(OsStr::new).collect();
    let mut surplus = Vec::new();
    for file in std::fs::read_dir(folder).map_err(|error| Error::io(doing, folder, error))? {
        let file = file.map_err(|error| Error::io(doing, folder, error))?;
        let name = file.file_name();
        if !expected.contains(name.as_os_str()) {
            surplus.push(name);
        }
    }
    surplus.sort();
    Ok(surplus)
}

/// Finds out what lies at `path`; a regular file of a size that counts is read. Nothing else is: a pipe would be
/// waited for.
fn look_at(path: &Path, is_known_size: impl Fn(u64) -> bool, run: Run<'_>) -> Result<Found> {
    const BUFFER_BYTES: usize = 1 << 20;
    let failed = |error| Error::io("reading a file of the snapshot", path, error);
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(failed(error)),
    };
    if !metadata.is_file() {
        return Ok(Found::Other(match metadata.file_type() {
            kind if kind.is_dir() => "a folder",
            kind if kind.is_symlink() => "a symbolic link",
            _ => "a pipe, socket or device",
        }));
    }
    if !is_known_size(metadata.len()) {
        return Ok(Found::File(metadata.len(), None));
    }
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let mut hasher = Sha256Hasher::default();
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut size_bytes = 0;
    loop {
        run.interrupt.check()?;
        let count = match file.read(&mut buffer) {
            Ok(0) => return Ok(Found::File(size_bytes, Some(hasher.finish()))),
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(failed(error)),
        };
        hasher.update(&buffer[..count]);
        size_bytes += count as u64;
        run.progress.advance(0, count as u64);
    }
}
