//! Reads a Parquet file of any program as rows of SQLite cells, and says how each column maps.
//!
//! The decoder below gives physical values and levels; every logical type is interpreted here (`meaning`, `value`) and
//! every nested column put together here (`shape`, `json`), so that no value is rounded, shifted or refused on the way.
//! `leaf` reads a few rows ahead, `rows` makes rows of all columns.
//!
//! The bytes may be damaged or hostile: every call into the decoder is guarded as in `reader`, and what the footer
//! claims is checked before it is relied on. Whether a file is parklite's own is decided in [`origin_of`] alone: one
//! that shows any trace of parklite is never read as a foreign one.

mod decimal;
mod findings;
mod iso;
mod json;
mod leaf;
mod meaning;
mod origin;
mod pages;
mod rows;
mod shape;
#[cfg(test)]
mod tests;
mod value;

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::file::metadata::{
    ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData,
};
use parquet::schema::types::Type;
use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::parquet_file::foreign::shape::{Node, type_words};
use crate::parquet_file::profile::Footer;
use crate::parquet_file::reader::{guarded, unsigned};

pub use findings::{Finding, FindingKind};
pub use origin::{Origin, origin_of};

/// An open Parquet file of another program.
#[derive(Debug)]
pub struct ForeignFile {
    path: PathBuf,
    size_bytes: u64,
    file: Arc<File>,
    metadata: ParquetMetaData,
    columns: Vec<ForeignColumn>,
    /// One for each column.
    shapes: Vec<Node>,
}

/// A column of the file, and what becomes of it in SQLite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ForeignColumn {
    /// Its name in the file.
    pub name: String,
    /// Its type in Parquet's words.
    pub parquet_type: String,
    /// The declared type of its column in SQLite; empty for none.
    pub declared_type: &'static str,
    /// How its values are stored.
    pub stored_as: &'static str,
    /// Which valid values would not survive, should they occur.
    pub may_lose: Option<&'static str>,
    /// The codecs of its chunks, as Parquet spells them.
    pub codecs: BTreeSet<String>,
    /// The encodings of its pages, as Parquet spells them.
    pub encodings: BTreeSet<String>,
    /// Size of its chunks in the file, in bytes.
    pub compressed_bytes: u64,
    /// Size of its pages before compression, in bytes.
    pub uncompressed_bytes: u64,
}

impl ForeignFile {
    /// Opens a file and reads its footer.
    ///
    /// # Errors
    /// `Failed` where the file cannot be opened or read, where its columns lie in other files, or where they are nested
    /// too deeply; `Damaged` where it is not Parquet or its footer cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        let (file, size_bytes, metadata) = open_footer(path)?;
        check_footer(&metadata, size_bytes).map_err(|error| error.at(path))?;
        let mut next_leaf = 0;
        let root = metadata.file_metadata().schema();
        let shapes = root
            .get_fields()
            .iter()
            .map(|field| {
                let place = |error: Error| error.in_column(field.name()).at(path);
                Node::of_column(field, &mut next_leaf).map_err(place)
            })
            .collect::<Result<Vec<_>>>()?;
        let describe = |(field, node): (&Arc<Type>, &Node)| describe(field, node, metadata.row_groups());
        let columns = root.get_fields().iter().zip(&shapes).map(describe).collect();
        Ok(Self { path: path.to_path_buf(), size_bytes, file: Arc::new(file), metadata, columns, shapes })
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its columns, in its order.
    #[must_use]
    pub fn columns(&self) -> &[ForeignColumn] {
        &self.columns
    }

    /// Its size in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// How many rows the footer states.
    #[must_use]
    pub fn row_count(&self) -> u64 {
        unsigned(self.metadata.file_metadata().num_rows())
    }

    /// How many row groups there are.
    #[must_use]
    pub fn row_group_count(&self) -> usize {
        self.metadata.num_row_groups()
    }

    /// The program that says it wrote the file.
    #[must_use]
    pub fn created_by(&self) -> Option<&str> {
        self.metadata.file_metadata().created_by()
    }

    /// Size of all values before compression, in bytes, as the footer states it.
    #[must_use]
    pub fn uncompressed_bytes(&self) -> u64 {
        self.columns.iter().map(|column| column.uncompressed_bytes).fold(0, u64::saturating_add)
    }
}

/// Opens the file and reads its footer, without relying on what that says.
///
/// The one place where the footer of a file that may be anybody's is decoded, for [`origin_of`] as for
/// [`ForeignFile::open`], and only within the bounds that `profile` has for any writer's.
fn open_footer(path: &Path) -> Result<(File, u64, ParquetMetaData)> {
    let file = File::open(path).map_err(|error| Error::io("opening a Parquet file", path, error))?;
    let size_bytes = file.metadata().map_err(|error| Error::io("opening a Parquet file", path, error))?.len();
    let footer = Footer::read(&file, path, size_bytes)?;
    footer.check_bounds(path)?;
    let decode = || ParquetMetaDataReader::decode_metadata(footer.bytes());
    let metadata = guarded("reading a footer", path, decode)?;
    Ok((file, size_bytes, metadata))
}

/// Refuses a footer whose numbers contradict each other or the file, before anything relies on them.
fn check_footer(metadata: &ParquetMetaData, size_bytes: u64) -> Result<()> {
    let damaged = |message: &str| Err(Error::new(ErrorKind::Damaged, message.to_string()));
    let column_count = metadata.file_metadata().schema_descr().num_columns();
    let mut rows: i64 = 0;
    for group in metadata.row_groups() {
        if group.columns().iter().any(|chunk| chunk.file_path().is_some()) {
            let message = "the columns of this Parquet file lie in other files";
            return Err(Error::new(ErrorKind::Failed, message).hint("name the files that hold the rows"));
        }
        let in_file = |chunk: &ColumnChunkMetaData| {
            let start = chunk_start(chunk);
            let end = start.checked_add(chunk.compressed_size());
            start >= 0
                && chunk.compressed_size() >= 0
                && chunk.uncompressed_size() >= 0
                && end.is_some_and(|end| unsigned(end) <= size_bytes)
        };
        if group.num_columns() != column_count || !group.columns().iter().all(in_file) {
            return damaged("a footer names column chunks that are not in the file");
        }
        match rows.checked_add(group.num_rows()).filter(|_| group.num_rows() >= 0) {
            Some(sum) => rows = sum,
            None => return damaged("a footer states an impossible number of rows"),
        }
    }
    if rows != metadata.file_metadata().num_rows() {
        return damaged("a footer states other rows than its row groups have");
    }
    Ok(())
}

/// Where a chunk's first page is: its dictionary, unless that is said to lie where no dictionary can.
///
/// A chunk without rows may have a dictionary and no data page, which is then said to lie at 0.
fn chunk_start(chunk: &ColumnChunkMetaData) -> i64 {
    let (dictionary, data) = (chunk.dictionary_page_offset(), chunk.data_page_offset());
    dictionary.filter(|offset| *offset > 0 && (*offset < data || data == 0)).unwrap_or(data)
}

fn describe(field: &Type, node: &Node, groups: &[RowGroupMetaData]) -> ForeignColumn {
    const NAN: &str = "NaN becomes NULL";
    const NOT_FINITE: &str = "NaN and infinities become null";
    let (declared_type, stored_as, may_lose) = match node.flat() {
        Some(meaning) => (meaning.declared_type(), meaning.stored_as(), meaning.is_floating().then_some(NAN)),
        None if node.leaves.is_empty() => ("", "NULL: a group without fields", None),
        None => ("TEXT", "TEXT, JSON", node.has_floating().then_some(NOT_FINITE)),
    };
    let mut column = ForeignColumn {
        name: field.name().to_string(),
        parquet_type: type_words(field),
        declared_type,
        stored_as,
        may_lose,
        codecs: BTreeSet::new(),
        encodings: BTreeSet::new(),
        compressed_bytes: 0,
        uncompressed_bytes: 0,
    };
    for chunk in groups.iter().flat_map(|group| group.columns().get(node.leaves.clone()).unwrap_or_default())
    {
        column.codecs.insert(chunk.compression_codec().to_string());
        column.encodings.extend(chunk.encodings().map(|encoding| encoding.to_string()));
        column.compressed_bytes = column.compressed_bytes.saturating_add(unsigned(chunk.compressed_size()));
        column.uncompressed_bytes =
            column.uncompressed_bytes.saturating_add(unsigned(chunk.uncompressed_size()));
    }
    column
}
