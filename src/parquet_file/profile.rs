//! What a file must be like before the decoder is given it.
//!
//! The `parquet` crate was not made for files by an enemy: it believes counts and sizes, reserves what they claim,
//! and goes down a schema by recursion, so a hundred bytes end the process where no error can be caught. Two
//! strengths of the same remedy stand here, both of which read the bytes by themselves and allocate nothing for a
//! claim: *bounds* that every Parquet file must keep to ([`check_footer_bounds`]), and the *strict profile* of our
//! own writer, which every file of a snapshot must keep to, whoever made it: the footer when the file is opened,
//! the page headers of a row group before it is decoded.
//!
//! What keeps to the profile may still be a lie, and may still need more memory than there is. Lies are found by
//! the digests; for the rest, what is needed is asked for before it is used, and an untrusted file is decoded in a
//! process of its own.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use parquet::basic::{Compression, Type as PhysicalType};
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};

use crate::error::{Error, ErrorKind, Result};
use crate::parquet_file::damage::{END_BYTES, MAGIC};
use crate::parquet_file::settings::CREATED_BY;

mod bounds;
mod chunk;
mod compact;
mod footer;
mod pages;

use bounds::Shape;
use compact::Flaw;
use pages::ChunkClaim;

/// The magic of a file whose footer is encrypted.
const ENCRYPTED_MAGIC: &[u8; 4] = b"PARE";

/// The magic at the beginning, in bytes.
const HEAD_BYTES: u64 = MAGIC.len() as u64;

/// Largest footer in bytes. It grows with row groups times columns: a table of a billion rows and twenty columns
/// has one of about 50 MiB.
const MAX_FOOTER_BYTES: u64 = 256 * 1024 * 1024;

/// From this size on, room is asked for before it is used, in bytes: less is always there.
const SMALL_BYTES: u64 = 8 * 1024 * 1024;

/// A large cell is held several times more than in its page: in a row, while it is hashed, as a bound of statistics.
/// (Measured: five times the size of a cell that does not compress, its page in the file included.)
const HELD_AGAIN: u64 = 3;

/// Whether a Parquet file of any writer can be given to a decoder: a schema of bearable depth, and counts that the
/// footer has bytes for.
///
/// # Errors
/// [`ErrorKind::Failed`] where the file cannot be read, or decoding its footer would take more memory than can be
/// had; [`ErrorKind::Damaged`] where it is not Parquet or breaks a bound.
pub fn check_footer_bounds(path: &Path) -> Result<()> {
    let opening = |error| Error::io("opening a Parquet file", path, error);
    let file = File::open(path).map_err(opening)?;
    let size_bytes = file.metadata().map_err(opening)?.len();
    let footer = Footer::read(&file, path, size_bytes)?;
    footer.check_bounds(path)
}

/// The bytes of a file's footer.
pub(super) struct Footer {
    bytes: Vec<u8>,
    start: u64,
}

impl Footer {
    /// Reads the footer of a file of `size_bytes`.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] where it cannot be read; [`ErrorKind::Damaged`] where there is none.
    pub(super) fn read(mut file: &File, path: &Path, size_bytes: u64) -> Result<Self> {
        let damaged = |what: String| Error::new(ErrorKind::Damaged, what).at(path);
        if size_bytes < HEAD_BYTES + END_BYTES {
            return Err(damaged(format!("a file of {size_bytes} bytes is no Parquet file")));
        }
        let mut read = |start: u64, bytes: &mut [u8]| {
            file.seek(SeekFrom::Start(start))
                .and_then(|_| file.read_exact(bytes))
                .map_err(|error| Error::io("reading a footer", path, error))
        };
        let (mut head, mut length, mut magic) = ([0; 4], [0; 4], [0; 4]);
        read(0, &mut head)?;
        read(size_bytes - END_BYTES, &mut length)?;
        read(size_bytes - END_BYTES / 2, &mut magic)?;
        if &magic == ENCRYPTED_MAGIC || &head == ENCRYPTED_MAGIC {
            return Err(damaged("the file is encrypted, which parklite does not read".to_string()));
        }
        if &magic != MAGIC || &head != MAGIC {
            return Err(damaged(
                "this is no Parquet file: it does not begin and end as one with a footer".to_string(),
            ));
        }
        let length = u64::from(u32::from_le_bytes(length));
        let most = (size_bytes - HEAD_BYTES - END_BYTES).min(MAX_FOOTER_BYTES);
        if length == 0 || length > most {
            let what = format!("the file claims a footer of {length} bytes, where {most} are possible");
            return Err(damaged(what));
        }
        require_room(length, "its footer").map_err(|error| error.at(path))?;
        let start = size_bytes - END_BYTES - length;
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        read(start, &mut bytes)?;
        Ok(Self { bytes, start })
    }

    /// Its bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether a decoder can be given it, whoever wrote it.
    ///
    /// # Errors
    /// Those of [`check_footer_bounds`], but for reading.
    pub(super) fn check_bounds(&self, path: &Path) -> Result<()> {
        self.shape(path).map(drop)
    }

    fn shape(&self, path: &Path) -> Result<Shape<'_>> {
        let shape = bounds::walk_footer(&self.bytes)
            .map_err(|flaw| damaged("the footer makes no sense", flaw).at(path))?;
        require_room(shape.decoded_bytes, "its footer").map_err(|error| error.at(path))?;
        Ok(shape)
    }

    /// Whether it is one that our own writer makes.
    ///
    /// # Errors
    /// [`ErrorKind::Damaged`] where it is not, with row group and column as far as known; [`ErrorKind::Failed`]
    /// where it takes more memory to decode than can be had.
    pub(super) fn check_profile(&self, path: &Path) -> Result<()> {
        let shape = self.shape(path)?;
        let checked = footer::check_footer(&self.bytes, self.start);
        checked.map_err(|flaw| {
            let error = damaged("the footer is not one that parklite writes", flaw).at(path);
            if shape.created_by == Some(CREATED_BY.as_bytes()) {
                error
            } else {
                error.hint("this Parquet file was not written by parklite")
            }
        })
    }
}

/// Whether the pages of a row group, whose footer was checked, can be given to the decoder.
///
/// # Errors
/// [`ErrorKind::Failed`] where the file cannot be read, or a page is larger than the memory that can be had;
/// [`ErrorKind::Damaged`] for pages that are not what the footer states, with row group and column.
pub(super) fn check_row_group(
    file: &File,
    path: &Path,
    index: usize,
    group: &RowGroupMetaData,
) -> Result<()> {
    let (mut needed_bytes, mut largest_bytes) = (0_u64, 0);
    for chunk in group.columns() {
        let name = chunk.column_path().string();
        let claim = claim_of(chunk, group.num_rows());
        let walked = pages::walk(file, &claim)
            .map_err(|error| Error::io("reading a column chunk", path, error).in_column(&name))?;
        let held = walked.map_err(|flaw| {
            let flaw = flaw.in_row_group(index).in_column(name.as_bytes());
            damaged("a column chunk is not one that parklite writes", flaw).at(path)
        })?;
        needed_bytes = needed_bytes.saturating_add(held.bytes);
        largest_bytes = held.largest_bytes.max(largest_bytes);
    }
    let needed_bytes = needed_bytes.saturating_add(largest_bytes.saturating_mul(HELD_AGAIN));
    require_room(needed_bytes, &format!("row group {index}")).map_err(|error| error.at(path))
}

fn claim_of(chunk: &ColumnChunkMetaData, rows: i64) -> ChunkClaim {
    let unsigned = |number: i64| u64::try_from(number).unwrap_or(0);
    let (start, size) = chunk.byte_range();
    ChunkClaim {
        start,
        size,
        uncompressed: chunk.uncompressed_size(),
        rows,
        physical_type: match chunk.column_type() {
            PhysicalType::INT64 => footer::INT64,
            PhysicalType::DOUBLE => footer::DOUBLE,
            _ => footer::BYTE_ARRAY,
        },
        is_compressed: chunk.compression() != Compression::UNCOMPRESSED,
        data_start: unsigned(chunk.data_page_offset()),
    }
}

fn damaged(what: &str, flaw: Flaw) -> Error {
    let message = match flaw.row_group {
        Some(index) => format!("{what}: row group {index}: {}", flaw.what),
        None => format!("{what}: {}", flaw.what),
    };
    let error = Error::new(ErrorKind::Damaged, message);
    match flaw.column {
        Some(column) => error.in_column(column),
        None => error,
    }
}

/// Asks for memory that will be needed soon and gives it back, since a decoder that does not get it ends the
/// process. Under a limit on the address space this tells whether the limit will hold.
fn require_room(bytes: u64, what: &str) -> Result<()> {
    if bytes <= SMALL_BYTES {
        return Ok(());
    }
    let reserved = usize::try_from(bytes).ok().and_then(|bytes| {
        let mut room: Vec<u8> = Vec::new();
        room.try_reserve_exact(bytes).ok().map(|()| std::hint::black_box(room).capacity())
    });
    if reserved.is_some() {
        return Ok(());
    }
    let message = format!("{what} takes {bytes} bytes to decode, more memory than can be had");
    let gibibytes = bytes.div_ceil(1 << 30);
    let hint = format!("if the file can be trusted, allow more memory: --memory-limit {gibibytes}GiB");
    // Says nothing about the file.
    let scarcity = std::io::Error::from(std::io::ErrorKind::OutOfMemory);
    Err(Error::new(ErrorKind::Failed, message).hint(hint).because(scarcity))
}

#[cfg(test)]
mod tests;
