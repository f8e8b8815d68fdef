//! The files of a LevelDB folder by their names: tables, logs, manifests, and which manifest is the current one.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::run::Interrupt;

/// What lies in a folder.
#[derive(Debug, Default)]
pub(super) struct Files {
    folder: PathBuf,
    /// Names by number; a number has one table, `.ldb` before `.sst`.
    pub(super) tables: BTreeMap<u64, String>,
    pub(super) logs: BTreeMap<u64, String>,
    pub(super) manifests: BTreeMap<u64, String>,
    pub(super) current: Current,
    interrupt: Interrupt,
}

/// What the file `CURRENT` says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Current {
    #[default]
    Missing,
    /// The system does not give it.
    Unreadable(String),
    /// It names no manifest.
    Senseless,
    /// The manifest of this number.
    Names(u64),
}

impl Files {
    /// Whatever is read of them ends once `interrupt` is set.
    pub(super) fn of(folder: &Path, interrupt: &Interrupt) -> Result<Self> {
        let failed = |source: std::io::Error| {
            let is_missing = source.kind() == std::io::ErrorKind::NotFound;
            let error = Error::io("reading the folder", folder, source);
            if is_missing {
                Error::new(ErrorKind::NotFound, "there is no such folder").at(folder).because(error)
            } else {
                error
            }
        };
        let mut files =
            Self { folder: folder.to_path_buf(), interrupt: interrupt.clone(), ..Self::default() };
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            // Names of these files are ASCII; a folder of such a name holds nothing of the database.
            if let (Some(name), Ok(true)) =
                (entry.file_name().to_str(), entry.path().metadata().map(|it| it.is_file()))
            {
                files.take(name);
            }
        }
        let current = folder.join("CURRENT");
        files.current = match fs::read(&current) {
            Ok(bytes) => Current::of(&bytes),
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => Current::Missing,
            Err(source) => {
                Current::Unreadable(why_unreadable(Error::io("reading the file", current, source))?)
            }
        };
        Ok(files)
    }

    fn take(&mut self, name: &str) {
        if let Some(number) = name.strip_prefix("MANIFEST-").and_then(number_of) {
            self.manifests.insert(number, name.to_owned());
        }
        let Some((Some(number), suffix)) =
            name.rsplit_once('.').map(|(stem, suffix)| (number_of(stem), suffix))
        else {
            return;
        };
        match suffix {
            "log" => {
                self.logs.insert(number, name.to_owned());
            }
            "ldb" => {
                self.tables.insert(number, name.to_owned());
            }
            "sst" => {
                self.tables.entry(number).or_insert_with(|| name.to_owned());
            }
            _ => {}
        }
    }

    /// Opens the file of this name; with it comes its size.
    pub(super) fn open(&self, name: &str) -> Result<(OpenFile, u64)> {
        let path = self.folder.join(name);
        let opened = File::open(&path).and_then(|file| {
            let size = file.metadata()?.len();
            Ok((OpenFile { file, interrupt: self.interrupt.clone() }, size))
        });
        opened.map_err(|source: io::Error| Error::io("opening the file", path, source))
    }

    /// An I/O failure while reading the file of this name.
    pub(super) fn failed(&self, name: &str, source: io::Error) -> Error {
        match source.downcast::<Error>() {
            Ok(interrupted) => interrupted,
            Err(source) => Error::io("reading the file", self.folder.join(name), source),
        }
    }
}

/// Why the system does not give a file; the error itself where it says nothing of the file.
pub(super) fn why_unreadable(error: Error) -> Result<String> {
    let cause = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<io::Error>());
    match cause.filter(|_| !error.is_of_scarcity()) {
        Some(cause) => Ok(format!("it cannot be read: {cause}")),
        None => Err(error),
    }
}

/// A file, read until the run is interrupted.
pub(super) struct OpenFile {
    file: File,
    interrupt: Interrupt,
}

impl Read for OpenFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Not of the kind `Interrupted`, after which reading is tried again.
        self.interrupt.check().map_err(io::Error::other)?;
        self.file.read(buffer)
    }
}

impl Seek for OpenFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl Current {
    fn of(bytes: &[u8]) -> Self {
        let named = str::from_utf8(bytes)
            .ok()
            .and_then(|text| number_of(text.strip_suffix('\n')?.strip_prefix("MANIFEST-")?));
        named.map_or(Self::Senseless, Self::Names)
    }
}

/// A file's number: digits and nothing else.
fn number_of(digits: &str) -> Option<u64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_by_their_names() {
        let mut files = Files::default();
        for name in [
            "000005.sst",
            "000005.ldb",
            "000006.sst",
            "000004.log",
            "LOG",
            "LOG.old",
            "LOCK",
            "MANIFEST-000001",
            "00x5.ldb",
            "+5.log",
            ".log",
            "000007.dbtmp",
            "MANIFEST-",
            "99999999999999999999999.log",
        ] {
            files.take(name);
        }
        assert_eq!(
            files.tables,
            BTreeMap::from([(5, "000005.ldb".to_owned()), (6, "000006.sst".to_owned())])
        );
        assert_eq!(files.logs, BTreeMap::from([(4, "000004.log".to_owned())]));
        assert_eq!(files.manifests, BTreeMap::from([(1, "MANIFEST-000001".to_owned())]));
    }

    #[test]
    fn current_names_a_manifest_or_nothing() {
        assert_eq!(Current::of(b"MANIFEST-000012\n"), Current::Names(12));
        for senseless in
            [&b""[..], b"MANIFEST-000012", b"MANIFEST-\n", b"MANIFEST-00x\n", b"\xff\n", b"000012\n"]
        {
            assert_eq!(Current::of(senseless), Current::Senseless);
        }
    }
}
