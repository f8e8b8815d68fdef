//! What a sort puts on disk, uncompressed, in a private folder that somebody else owns: sorted runs as Arrow IPC streams,
//! and pieces of rows.
//!
//! A run is written once, read once and removed as soon as it is read, or when its owner is dropped. It is
//! scratch: never synced, never part of a snapshot. No other module creates or removes files of a sort.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

use super::gather::{KeyedBatch, RowsInOrder, Taken, take_rows};
use crate::error::{Error, ErrorKind, Result};
use crate::frame::weight::{byte_count, memory_of};
use crate::run::Interrupt;

/// A finished run on disk; dropping it removes the file.
#[derive(Debug)]
pub(super) struct Run {
    path: PathBuf,
    rows: u64,
    largest_batch_bytes: u64,
}

impl Run {
    /// The memory its largest batch takes when read.
    pub(super) fn largest_batch_bytes(&self) -> u64 {
        self.largest_batch_bytes
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // Nothing is lost with a leftover: the private folder goes as a whole, and its owner reports that.
        let _ = fs::remove_file(&self.path);
    }
}

/// Where runs go, and how large their batches are.
#[derive(Debug)]
pub(super) struct SpillFolder {
    path: PathBuf,
    next_number: u64,
    batch_bytes: u64,
}

impl SpillFolder {
    /// Runs in the existing folder at `path`, in batches of `batch_bytes`, or one row where that is larger.
    pub(super) fn new(path: PathBuf, batch_bytes: u64) -> Self {
        Self { path, next_number: 1, batch_bytes }
    }

    /// Writes all of `rows` as one run; `schema` is theirs, key and size included.
    ///
    /// # Errors
    /// Those of `rows`; [`ErrorKind::Failed`] where the file cannot be written; [`ErrorKind::Interrupted`].
    pub(super) fn write_run(
        &mut self,
        rows: &mut (impl RowsInOrder + ?Sized),
        schema: &SchemaRef,
        interrupt: &Interrupt,
    ) -> Result<Run> {
        let (file, path) = self.create_file()?;
        let mut run = Run { path, rows: 0, largest_batch_bytes: 0 };
        let mut writer =
            StreamWriter::try_new_buffered(file, schema).map_err(|source| writing(&run.path, source))?;
        let view_bytes = 16 * byte_count(schema.fields().len());
        let is_full = |taken: Taken| {
            taken.bytes.saturating_add(taken.key_bytes + taken.rows * view_bytes) >= self.batch_bytes
        };
        while let Some(batch) = take_rows(rows, schema, interrupt, is_full)? {
            writer.write(&batch).map_err(|source| writing(&run.path, source))?;
            run.rows += byte_count(batch.num_rows());
            run.largest_batch_bytes = run.largest_batch_bytes.max(memory_of(&batch));
        }
        writer.finish().map_err(|source| writing(&run.path, source))?;
        Ok(run)
    }

    fn create_file(&mut self) -> Result<(File, PathBuf)> {
        create_file(&self.path, &mut self.next_number)
    }
}

/// Creates a file nobody else reads; another sort in the same folder only makes the number rise.
fn create_file(folder: &Path, next_number: &mut u64) -> Result<(File, PathBuf)> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    loop {
        let path = folder.join(format!("run-{next_number:06}.rows"));
        *next_number += 1;
        match options.open(&path) {
            Ok(file) => return Ok((file, path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::io("creating a file for sorting", path, error)),
        }
    }
}

/// Pieces of bytes on disk, read back in any order; dropping it removes the file.
#[derive(Debug)]
pub(super) struct Scratch {
    /// `None` only while it is dropped: the file is closed before it is removed.
    file: Option<File>,
    path: PathBuf,
    end: u64,
}

/// Where a piece lies in its [`Scratch`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    start: u64,
    pub(super) bytes: usize,
}

/// Buffers of one size for bytes on their way to the disk.
///
/// They are one piece of memory, which goes back to the system as a whole.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    memory: Vec<u8>,
    each_bytes: usize,
    filled: Vec<usize>,
}

impl Buffers {
    /// `count` buffers of `each_bytes` bytes.
    pub(super) fn new(count: usize, each_bytes: usize) -> Self {
        // Untouched memory that reads as zeros costs nothing until it is used.
        Self { memory: vec![0; each_bytes * count], each_bytes, filled: vec![0; count] }
    }

    /// What each has room for.
    pub(super) fn each_bytes(&self) -> usize {
        self.each_bytes
    }

    /// How much is in one.
    pub(super) fn filled(&self, index: usize) -> usize {
        self.filled[index]
    }

    /// How much more there is room for in one.
    pub(super) fn room(&self, index: usize) -> usize {
        self.each_bytes - self.filled[index]
    }

    /// Appends to one what there is room for in it.
    pub(super) fn push(&mut self, index: usize, bytes: &[u8]) {
        let begin = index * self.each_bytes + self.filled[index];
        self.memory[begin..begin + bytes.len()].copy_from_slice(bytes);
        self.filled[index] += bytes.len();
    }

    /// What is in one; it is empty from then on.
    fn take(&mut self, index: usize) -> &[u8] {
        let begin = index * self.each_bytes;
        &self.memory[begin..begin + std::mem::take(&mut self.filled[index])]
    }
}

/// Pieces that were read back, one behind the other.
#[derive(Debug, Default)]
pub(super) struct Held {
    memory: Vec<u8>,
    filled: usize,
}

impl Held {
    /// Makes room for `bytes` bytes, and forgets what was in it.
    pub(super) fn make_room(&mut self, bytes: usize) {
        self.filled = 0;
        if self.memory.len() < bytes {
            // The memory there was goes first. Ranges differ a little: with a little more, the next one fits as well.
            self.memory = Vec::new();
            self.memory = vec![0; bytes + bytes / 16];
        }
    }

    /// What is in it.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.memory[..self.filled]
    }

    /// Where the next `bytes` bytes go; they count as filled from then on.
    fn next(&mut self, bytes: usize) -> &mut [u8] {
        let begin = self.filled;
        self.filled += bytes;
        &mut self.memory[begin..self.filled]
    }
}

impl Scratch {
    /// Creates an empty one in the existing folder.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] where the file cannot be created.
    pub(super) fn create(folder: &Path) -> Result<Self> {
        let (file, path) = create_file(folder, &mut 1)?;
        Ok(Self { file: Some(file), path, end: 0 })
    }

    /// Appends what is in one of `buffers`, which is empty from then on.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] where the file cannot be written.
    pub(super) fn append(&mut self, buffers: &mut Buffers, index: usize) -> Result<Piece> {
        let (start, bytes) = (self.end, buffers.take(index));
        let written = self.file.as_mut().map_or(Ok(()), |file| file.write_all(bytes));
        written.map_err(|source| Error::io("writing a file for sorting", &self.path, source))?;
        self.end += byte_count(bytes.len());
        Ok(Piece { start, bytes: bytes.len() })
    }

    /// Reads a piece back behind what is in `into`, which has room for it; returns where it begins there. Nothing is
    /// appended once the first was read.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] where the file cannot be read, or is shorter than what was written.
    pub(super) fn read(&mut self, piece: Piece, into: &mut Held) -> Result<usize> {
        let begin = into.filled;
        let read = self.file.as_mut().map_or(Ok(()), |file| {
            file.seek(SeekFrom::Start(piece.start))?;
            file.read_exact(into.next(piece.bytes))
        });
        match read {
            Ok(()) => Ok(begin),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                let message = "a file for sorting is shorter than it was written";
                Err(Error::new(ErrorKind::Failed, message).at(&self.path))
            }
            Err(error) => Err(Error::io("reading a file for sorting", &self.path, error)),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.file = None;
        // As with a run: the private folder goes as a whole.
        let _ = fs::remove_file(&self.path);
    }
}

/// Reads a run once, batch by batch, and removes it after its last one.
pub(super) struct RunReader {
    /// The reader is dropped, and so the file closed, before the run removes it.
    open: Option<(StreamReader<BufReader<File>>, Run)>,
    rows_read: u64,
}

impl RunReader {
    /// # Errors
    /// [`ErrorKind::Failed`] where the file cannot be opened, or does not begin as it was written.
    pub(super) fn open(run: Run) -> Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .open(&run.path)
            .map_err(|source| Error::io("opening a file for sorting", &run.path, source))?;
        let reader =
            StreamReader::try_new_buffered(file, None).map_err(|source| reading(&run.path, source))?;
        Ok(Self { open: Some((reader, run)), rows_read: 0 })
    }

    /// The next batch; `None` after the last one, from when on the file is gone.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] where the file cannot be read or is not what was written.
    pub(super) fn next_batch(&mut self) -> Result<Option<KeyedBatch>> {
        let Some((reader, run)) = &mut self.open else {
            return Ok(None);
        };
        if let Some(batch) = reader.next().transpose().map_err(|source| reading(&run.path, source))? {
            self.rows_read += byte_count(batch.num_rows());
            return KeyedBatch::new(batch).map(Some);
        }
        // The stream also ends, without an error, where the file was cut off between two batches.
        if self.rows_read != run.rows {
            let message = format!("a file for sorting holds {} rows of {} written", self.rows_read, run.rows);
            return Err(Error::new(ErrorKind::Failed, message).at(&run.path));
        }
        self.open = None;
        Ok(None)
    }
}

fn writing(path: &Path, source: ArrowError) -> Error {
    failed("writing a file for sorting", path, source)
}

fn reading(path: &Path, source: ArrowError) -> Error {
    failed("reading a file for sorting", path, source)
}

/// An I/O error inside counts as one, so that a full disk gets its hint.
fn failed(doing: &str, path: &Path, source: ArrowError) -> Error {
    match source {
        ArrowError::IoError(_, source) => Error::io(doing, path, source),
        source => Error::new(ErrorKind::Failed, format!("{doing} failed")).at(path).because(source),
    }
}
