//! Finding out what a path is, and opening it as a snapshot: a folder, or a Parquet file that is one.

use std::path::{Path, PathBuf};

use crate::durable::{PathKind, kind_of_source};
use crate::error::{Error, ErrorKind, Result};
use crate::parquet_file::TableReader;
use crate::snapshot::files::MANIFEST_FILE;
use crate::snapshot::manifest::{DataFile, Manifest, SNAPSHOT_KEY, TABLE_KEY, TableEntry};
use crate::snapshot::names::is_file_name;

/// Where a snapshot lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A folder with a manifest.
    Folder(PathBuf),
    /// One Parquet file.
    File(PathBuf),
}

/// An opened snapshot: its manifest was read and is sound.
#[derive(Debug)]
pub struct Snapshot {
    /// What it says it is.
    pub manifest: Manifest,
    /// The manifest's raw bytes; empty for a one-table file, whose manifest is part of it.
    pub manifest_bytes: Vec<u8>,
    /// Where it lies.
    pub location: Location,
}

impl Snapshot {
    const DAMAGED_HINT: &str = "a snapshot is what `parklite export` made, unchanged; try another copy of it";

    /// Opens the snapshot at `path` and reads its manifest. Data files are not touched.
    ///
    /// # Errors
    /// `NotFound` where nothing is there; `Damaged` for what is no snapshot or has a changed manifest;
    /// `NewerFormat` for a newer version.
    pub fn open(path: &Path) -> Result<Self> {
        let metadata = std::fs::metadata(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
                Error::new(ErrorKind::NotFound, "there is no such snapshot").at(path).hint("check the path")
            }
            _ => Error::io("looking at the snapshot", path, error),
        })?;
        let snapshot = if metadata.is_dir() {
            Self::open_folder(path)
        } else if metadata.is_file() {
            Self::open_file(path)
        } else {
            Err(Error::new(ErrorKind::Damaged, "this is neither a folder nor a regular file"))
        };
        let snapshot = snapshot.and_then(|snapshot| snapshot.check_manifest().map(|()| snapshot));
        snapshot.map_err(|error| {
            let is_damage = error.kind() == ErrorKind::Damaged;
            let error = error.at(path);
            if is_damage { error.hint(Self::DAMAGED_HINT) } else { error }
        })
    }

    /// The path of one of its data files.
    #[must_use]
    pub fn data_path(&self, file: &DataFile) -> PathBuf {
        match &self.location {
            Location::Folder(folder) => folder.join(&file.path),
            Location::File(path) => path.clone(),
        }
    }

    /// The path given by the user.
    #[must_use]
    pub fn path(&self) -> &Path {
        match &self.location {
            Location::Folder(path) | Location::File(path) => path,
        }
    }

    /// The size of all its data files in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        let files = self.manifest.tables.iter().flat_map(|entry| &entry.files);
        match &self.location {
            Location::Folder(_) => files.filter_map(|file| file.size_bytes).sum(),
            Location::File(path) => std::fs::metadata(path).map_or(0, |metadata| metadata.len()),
        }
    }

    /// Roughly how large a database restored from it will be.
    #[must_use]
    pub fn restored_size_bytes(&self) -> u64 {
        const LEAST: u64 = 1 << 20;
        let facts = &self.manifest.snapshot;
        let content: u64 = self.manifest.tables.iter().map(|entry| entry.content_bytes).sum();
        // Part of a database: its rows, and as much again for indexes and the room pages leave.
        let part = content.saturating_mul(2).min(facts.source_size_bytes);
        LEAST + if facts.whole_database { facts.source_size_bytes } else { part }
    }

    fn open_folder(path: &Path) -> Result<Self> {
        let manifest_path = path.join(MANIFEST_FILE);
        if !matches!(kind_of_source(&manifest_path)?, PathKind::Missing | PathKind::File { .. }) {
            // Reading a pipe would wait for ever.
            let message = "this folder is no snapshot: its manifest.json is no regular file";
            return Err(Error::new(ErrorKind::Damaged, message));
        }
        let bytes = std::fs::read(&manifest_path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                Error::new(ErrorKind::Damaged, "this folder is no snapshot: it has no manifest.json")
                    .hint("a snapshot folder is what `parklite export` made; it must be kept whole")
            }
            _ => Error::io("reading the manifest", &manifest_path, error),
        })?;
        let manifest = Manifest::from_text(&bytes).map_err(|error| error.at(&manifest_path))?;
        Ok(Self { manifest, manifest_bytes: bytes, location: Location::Folder(path.to_path_buf()) })
    }

    fn open_file(path: &Path) -> Result<Self> {
        let reader = TableReader::open(path)?;
        let Some(text) = reader.key_value(SNAPSHOT_KEY) else {
            let hint = match reader.key_value(TABLE_KEY) {
                Some(_) => "this file is part of a snapshot folder: name the folder",
                None => "this Parquet file was not written by parklite",
            };
            return Err(Error::new(ErrorKind::Damaged, "this file is no snapshot by itself").hint(hint));
        };
        let manifest = Manifest::from_text(text.as_bytes())?;
        Ok(Self { manifest, manifest_bytes: Vec::new(), location: Location::File(path.to_path_buf()) })
    }

    /// What the rest of the program relies on: files inside the snapshot, each used once, counts that add up.
    fn check_manifest(&self) -> Result<()> {
        let damaged = |message: &str| Err(Error::new(ErrorKind::Damaged, message.to_string()));
        let mut seen = std::collections::HashSet::new();
        for entry in &self.manifest.tables {
            for file in &entry.files {
                let is_folder = matches!(self.location, Location::Folder(_));
                if is_folder && !is_file_name(&file.path) {
                    return damaged("the manifest names a file outside the snapshot");
                }
                if !seen.insert(file.path.to_ascii_lowercase()) {
                    return damaged("the manifest names a file twice");
                }
                if is_folder && (file.size_bytes.is_none() || file.sha256.is_none()) {
                    return damaged("the manifest does not say how large a file is or what its digest is");
                }
            }
            check_entry(entry).map_err(|error| error.in_table(&entry.table.name))?;
        }
        let digest = crate::digest::schema_digest(&self.manifest.database, &self.manifest.schema);
        if digest != self.manifest.schema_digest {
            return damaged("the schema in the manifest does not match its digest");
        }
        Ok(())
    }
}

fn check_entry(entry: &TableEntry) -> Result<()> {
    let damaged = |message: &str| Err(Error::new(ErrorKind::Damaged, message.to_string()));
    let columns: Vec<usize> = entry.table.stored_columns().map(|(index, _)| index).collect();
    let mapped: Vec<usize> = entry.mapping.columns.iter().map(|column| column.column).collect();
    if columns != mapped {
        return damaged("the manifest maps other columns than the table has");
    }
    let count = entry.table.columns.len();
    let keys = entry
        .table
        .without_rowid_key
        .iter()
        .chain(entry.table.indexes.iter().flat_map(|index| &index.columns));
    let mut indexed = keys.filter_map(|key| match key.value {
        crate::schema::IndexedValue::Column(column) => Some(column),
        _ => None,
    });
    let mut ordered = entry.order.terms.iter().filter_map(|term| term.column);
    if indexed.any(|column| column >= count)
        || ordered.any(|column| !columns.contains(&column))
        || entry.table.rowid_alias.is_some_and(|alias| !columns.contains(&alias))
    {
        return damaged("the manifest mentions a column that the table does not have");
    }
    let mut digest = entry.inline_digest()?;
    for file in &entry.files {
        let mut groups = crate::digest::ContentDigest::default();
        file.row_groups.iter().for_each(|group| groups.add(group.digest));
        if groups != file.digest {
            return damaged("the digests of row groups do not add up to their file's");
        }
        digest.add(file.digest);
    }
    if digest != entry.digest {
        return damaged("the digests of files do not add up to their table's");
    }
    Ok(())
}
