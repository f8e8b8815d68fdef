//! One table as one Parquet file: how it is written, sealed, read and checked.
//!
//! The only owner of the `parquet` and `polars_parquet` crates. `settings` states every choice of the format,
//! `writer` encodes row groups on any number of threads and appends them in order, `seal` makes one lone file prove
//! every byte of itself, `profile` keeps from a decoder what is not as our writer makes it, `reader` gives batches
//! and facts and never panics on a damaged file, `damage` says which part of a file is not as it was written,
//! `independent` reads the same files with polars' decoder, as a second opinion, `foreign` reads files of other
//! programs. Row groups are the only split: a table is always one file.

pub mod choice;
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

pub use choice::{Choice, ChosenFor, Layout};
pub use damage::{DamageKind, DamagedPart, FilePart, damaged_parts};
pub use foreign::{Finding, FindingKind, ForeignColumn, ForeignFile, Origin, origin_of};
pub use independent::IndependentReader;
pub use profile::check_footer_bounds;
pub use reader::{
    ColumnFacts, RowGroupBatches, StatisticsCheck, StatisticsMismatch, TableReader, is_decoding,
};
pub use seal::{SealCheck, SealState, check_seal, check_seal_with, has_file_tag};
pub use settings::{LARGE_CELL_BYTES, SortingTerm, WriterSettings};
pub use sorting::sorting_terms;
pub use writer::{
    EncodedRowGroup, FileFacts, FileTail, RowGroupEncoder, RowGroupEntry, TableEncoder, TableWriter, Trials,
    WrittenRowGroups,
};

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
    if let Some((path, io)) = path.zip(told_io_error(&source.to_string())) {
        return Error::io(doing, path, io);
    }
    let error = Error::new(kind, format!("{doing} failed")).because(source);
    match path {
        Some(path) => error.at(path),
        None => error,
    }
}

/// The system's error that a text ends with, as in `External: Input/output error (os error 5)`.
///
/// On its way through the layers of the decoder an I/O error becomes a text. A disk that cannot be read must not be
/// told as a damaged file all the same.
fn told_io_error(text: &str) -> Option<std::io::Error> {
    let (_, number) = text.trim_end_matches('"').strip_suffix(')')?.rsplit_once("(os error ")?;
    number.parse().ok().map(std::io::Error::from_raw_os_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_disk_is_not_told_as_a_damaged_file() {
        let io = || std::io::Error::from_raw_os_error(5);
        let nested = ParquetError::External(Box::new(arrow::error::ArrowError::ParquetError(
            ParquetError::External(Box::new(io())).to_string(),
        )));
        let quoted = ParquetError::General(format!("a writer failed: \"{}\"", io()));
        for failed in [ParquetError::External(Box::new(io())), nested, quoted] {
            let error = parquet_error(ErrorKind::Damaged, "reading", Some(Path::new("a")), failed);
            assert_eq!(error.kind(), ErrorKind::Failed);
        }
        for damaged in ["(os error 5) in front", "os error 5)", "(os error x)"] {
            let damaged = ParquetError::General(damaged.to_string());
            let error = parquet_error(ErrorKind::Damaged, "reading", None, damaged);
            assert_eq!(error.kind(), ErrorKind::Damaged);
        }
    }
}
