//! Finding out what a path is, and opening it as a snapshot: a folder, or a Parquet file that is one.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::durable::is_regular_file;
use crate::error::{Error, ErrorKind, Result};
use crate::parquet_file::{Origin, TableReader, origin_of};
use crate::snapshot::beside::is_named_beside;
use crate::snapshot::check::check_manifest;
use crate::snapshot::files::MANIFEST_FILE;
use crate::snapshot::manifest::{DataFile, MOST_MANIFEST_BYTES, Manifest, SNAPSHOT_KEY, TABLE_KEY};

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
        let snapshot = snapshot.and_then(|snapshot| snapshot.check().map(|()| snapshot));
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

    /// The path of one of its data files that is there and lies in the snapshot itself, for whoever reads on from it.
    ///
    /// # Errors
    /// `Damaged` when it is missing or a symbolic link.
    pub fn readable_path(&self, file: &DataFile) -> Result<PathBuf> {
        let path = self.data_path(file);
        if matches!(self.location, Location::Folder(_)) {
            refuse_symlink(&path)?;
        }
        if !is_regular_file(&path)? {
            return Err(Error::new(ErrorKind::Damaged, "a file of the snapshot is missing").at(&path));
        }
        Ok(path)
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
            Location::Folder(_) => files.filter_map(|file| file.size_bytes).fold(0, u64::saturating_add),
            Location::File(path) => std::fs::metadata(path).map_or(0, |metadata| metadata.len()),
        }
    }

    /// Roughly how large a database restored from it will be.
    #[must_use]
    pub fn restored_size_bytes(&self) -> u64 {
        const LEAST: u64 = 1 << 20;
        let facts = &self.manifest.snapshot;
        let content = self.manifest.tables.iter().map(|entry| entry.content_bytes);
        let content = content.fold(0, u64::saturating_add);
        // Part of a database: its rows, and as much again for indexes and the room pages leave.
        let part = content.saturating_mul(2).min(facts.source_size_bytes);
        LEAST.saturating_add(if facts.whole_database { facts.source_size_bytes } else { part })
    }

    fn open_folder(path: &Path) -> Result<Self> {
        let manifest_path = path.join(MANIFEST_FILE);
        let bytes = read_manifest(&manifest_path)?;
        let manifest = Manifest::from_text(&bytes).map_err(|error| error.at(&manifest_path))?;
        Ok(Self { manifest, manifest_bytes: bytes, location: Location::Folder(path.to_path_buf()) })
    }

    fn open_file(path: &Path) -> Result<Self> {
        let origin = origin_of(path)?;
        if origin == Origin::Foreign {
            if is_named_beside(path)? {
                let message =
                    "the manifest beside this file names it, but the file is not the one parklite wrote";
                return Err(Error::new(ErrorKind::Damaged, message).hint(
                    "name the folder to see what is wrong with the snapshot; to restore this file as another \
                     program's, copy it elsewhere first",
                ));
            }
            let message = "parklite did not write this Parquet file, so nothing says what it ought to hold";
            return Err(Error::new(ErrorKind::Damaged, message).hint(
                "`parklite restore` makes a database of it, and `parklite inspect` shows what that will look like",
            ));
        }
        let reader = TableReader::open(path)?;
        let Some(text) = reader.key_value(SNAPSHOT_KEY) else {
            return Err(match (reader.key_value(TABLE_KEY), origin) {
                (Some(_), _) => Error::new(ErrorKind::Damaged, "this file is no snapshot by itself")
                    .hint("this file is part of a snapshot folder: name the folder"),
                (None, _) => Error::new(ErrorKind::Damaged, "this is a damaged file of parklite's"),
            });
        };
        let manifest = Manifest::from_text(text.as_bytes())?;
        Ok(Self { manifest, manifest_bytes: Vec::new(), location: Location::File(path.to_path_buf()) })
    }

    fn check(&self) -> Result<()> {
        let is_folder = matches!(self.location, Location::Folder(_));
        check_manifest(&self.manifest, is_folder)
    }
}

/// Reads a folder's manifest, but nothing that is not a regular file of a bearable size.
pub(super) fn read_manifest(path: &Path) -> Result<Vec<u8>> {
    let failed = |error| Error::io("reading the manifest", path, error);
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let message = "this folder is no snapshot: it has no manifest.json";
            return Err(Error::new(ErrorKind::Damaged, message)
                .hint("a snapshot folder is what `parklite export` made; it must be kept whole"));
        }
        Err(error) => return Err(failed(error)),
    };
    if metadata.is_symlink() {
        refuse_symlink(path)?;
    }
    if !metadata.is_file() {
        // Reading a pipe would wait for ever.
        let message = "this folder is no snapshot: its manifest.json is no regular file";
        return Err(Error::new(ErrorKind::Damaged, message));
    }
    let mut bytes = Vec::new();
    if metadata.len() <= MOST_MANIFEST_BYTES {
        let file = std::fs::File::open(path).map_err(failed)?;
        // One more than is allowed, so that a file that grows meanwhile is noticed as well.
        file.take(MOST_MANIFEST_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    }
    if metadata.len().max(bytes.len() as u64) > MOST_MANIFEST_BYTES {
        let message =
            format!("the manifest is larger than any that is written ({} MiB)", MOST_MANIFEST_BYTES >> 20);
        return Err(Error::new(ErrorKind::Damaged, message).at(path));
    }
    Ok(bytes)
}

/// A file of a snapshot lies in its folder: a link may lead anywhere, also where only this user may read.
///
/// What cannot be looked at is not this function's matter: whoever reads the file says so.
fn refuse_symlink(path: &Path) -> Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => {
            Err(Error::new(ErrorKind::Damaged, "a file of the snapshot is a symbolic link")
                .at(path)
                .hint("put the file itself into the snapshot's folder"))
        }
        _ => Ok(()),
    }
}
