//! What a sort puts on disk, uncompressed, in a private folder that somebody else owns: sorted runs as Arrow IPC streams,
//! and pieces of rows.
//!
//! A run is written once, read once and removed as soon as it is read, or when its owner is dropped. It is
//! scratch: never synced, never part of a snapshot. No other module creates or removes files of a sort.

mod memory;

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

pub(super) use memory::{Buffers, Held};

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
///
/// Every piece begins with the place of the one before it in its [`Chain`]: what is in memory must not grow with their
/// number.
#[derive(Debug)]
pub(super) struct Scratch {
    /// `None` only while it is dropped: the file is closed before it is removed.
    file: Option<File>,
    path: PathBuf,
    end: u64,
}

/// Where a piece lies in its [`Scratch`], and how long it is there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    start: u64,
    pub(super) bytes: usize,
}

/// What a piece begins with: start and length of the piece before it, zeros in the first.
const LINK_BYTES: usize = 16;

impl Piece {
    fn link(piece: Option<Self>) -> [u8; LINK_BYTES] {
        let (start, bytes) = piece.map_or((0, 0), |piece| (piece.start, byte_count(piece.bytes)));
        (u128::from(start) << 64 | u128::from(bytes)).to_le_bytes()
    }

    /// The piece that `link`, with which this one begins, names; an error for what was never written.
    fn before(self, link: [u8; LINK_BYTES]) -> std::result::Result<Option<Self>, ()> {
        let (low, high) = link.split_at(LINK_BYTES / 2);
        let number = |half: &[u8]| half.try_into().map(u64::from_le_bytes).map_err(|_| ());
        let (bytes, start) = (number(low)?, number(high)?);
        if bytes == 0 {
            return Ok(None);
        }
        let is_before = start.checked_add(bytes).is_some_and(|end| end <= self.start);
        let bytes = usize::try_from(bytes).map_err(|_| ())?;
        if is_before { Ok(Some(Self { start, bytes })) } else { Err(()) }
    }
}

/// Pieces of a [`Scratch`] that belong together.
#[derive(Debug, Default)]
pub(super) struct Chain {
    last: Option<Piece>,
    bytes: usize,
    largest_bytes: usize,
}

impl Chain {
    /// The piece that was appended last, which names the one before it.
    pub(super) fn last(&self) -> Option<Piece> {
        self.last
    }

    /// How much room all pieces take when they are read back.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How much the largest takes.
    pub(super) fn largest_bytes(&self) -> usize {
        self.largest_bytes
    }

    fn add(&mut self, piece: Piece) {
        self.last = Some(piece);
        self.bytes += piece.bytes;
        self.largest_bytes = self.largest_bytes.max(piece.bytes);
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

    /// Appends what is in one of `buffers`, which is empty from then on, to `chain`.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] where the file cannot be written.
    pub(super) fn append(&mut self, chain: &mut Chain, buffers: &mut Buffers, index: usize) -> Result<()> {
        let link = Piece::link(chain.last);
        self.write(chain, &[buffers.take(index, link)])
    }

    /// Appends one piece, which is made of `parts`, to `chain`.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub(super) fn append_parts<const N: usize>(
        &mut self,
        chain: &mut Chain,
        parts: [&[u8]; N],
    ) -> Result<()> {
        let link = Piece::link(chain.last);
        let all: Vec<&[u8]> = std::iter::once(link.as_slice()).chain(parts).collect();
        self.write(chain, &all)
    }

    fn write(&mut self, chain: &mut Chain, parts: &[&[u8]]) -> Result<()> {
        let (start, bytes) = (self.end, parts.iter().map(|part| part.len()).sum());
        if let Some(file) = &mut self.file {
            let written = parts.iter().try_for_each(|part| file.write_all(part));
            written.map_err(|source| Error::io("writing a file for sorting", &self.path, source))?;
        }
        self.end += byte_count(bytes);
        chain.add(Piece { start, bytes });
        Ok(())
    }

    /// Reads a piece back behind what is in `into`, which has room for it; returns where its content begins there, and the
    /// piece before it. Nothing is appended once the first was read.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] where the file cannot be read, or is not what was written.
    pub(super) fn read(&mut self, piece: Piece, into: &mut Held) -> Result<(usize, Option<Piece>)> {
        let begin = into.filled + LINK_BYTES;
        let Some(room) = into.next(piece.bytes) else { return Err(not_what_was_written()) };
        let read = self.file.as_mut().map_or(Ok(()), |file| {
            file.seek(SeekFrom::Start(piece.start))?;
            file.read_exact(room)
        });
        match read {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                let message = "a file for sorting is shorter than it was written";
                return Err(Error::new(ErrorKind::Failed, message).at(&self.path));
            }
            Err(error) => return Err(Error::io("reading a file for sorting", &self.path, error)),
        }
        let before = room.first_chunk().ok_or(()).and_then(|&link| piece.before(link));
        Ok((begin, before.map_err(|()| not_what_was_written())?))
    }
}

/// What is said of a file whose content makes no sense.
pub(super) fn not_what_was_written() -> Error {
    Error::new(ErrorKind::Failed, "a file for sorting is not what was written")
        .hint("something else writes to the temporary folder, or the disk is failing: try again with another --temp-dir")
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
