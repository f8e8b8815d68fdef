//! One table as one Parquet file: how it is written, sealed, read and checked.
//!
//! The only owner of the `parquet` and `polars_parquet` crates. `settings` states every choice of the format,
//! `writer` encodes row groups on any number of threads and appends them in order, `seal` makes one lone file prove
//! every byte of itself, `profile` keeps from a decoder what is not as our writer makes it, `reader` gives batches
//! and facts and never panics on a damaged file, `damage` says which part of a file is not as it was written,
//! `independent` reads the same files with polars' decoder, as a second opinion, `foreign` reads files of other
//! programs. Row groups are the only split: a table is always one file.

pub mod damage;
pub mod foreign;
pub mod independent;
pub mod profile;
pub mod reader;
pub mod seal;
pub mod settings;
pub mod sorting;
#[cfg(test)]
pub(crate) mod testing;
pub mod writer;

use std::path::Path;

use parquet::errors::ParquetError;

use crate::error::{Error, ErrorKind};

pub use damage::{DamageKind, DamagedPart, FilePart, damaged_parts};
pub use foreign::{Finding, FindingKind, ForeignColumn, ForeignFile, Origin, origin_of};
pub use independent::IndependentReader;
pub use profile::check_footer_bounds;
pub use reader::{
    ColumnFacts, RowGroupBatches, StatisticsCheck, StatisticsMismatch, TableReader, is_decoding,
};
pub use seal::{SealCheck, SealState, check_seal, check_seal_with, has_seal_tag};
pub use settings::{SortingTerm, WriterSettings};
pub use sorting::sorting_terms;
pub use writer::{EncodedRowGroup, FileFacts, FileTail, RowGroupEntry, TableEncoder, TableWriter};

/// An error of the `parquet` crate while `doing` something: I/O failures keep their own kind and hint, and
/// all else is `kind`.
fn parquet_error(kind: ErrorKind, doing: &str, path: Option<&Path>, source: ParquetError) -> Error {
    let source = match source {
        ParquetError::External(external) => match external.downcast::<std::io::Error>() {
            Ok(io) => return Error::io(doing, path.unwrap_or(Path::new("")), *io),
            Err(external) => ParquetError::External(external),
        },
        other => other,
    };
    let error = Error::new(kind, format!("{doing} failed")).because(source);
    match path {
        Some(path) => error.at(path),
        None => error,
    }
}
