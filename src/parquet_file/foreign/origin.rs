//! Whether a Parquet file is parklite's own, even where it is damaged.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::error::{Error, Result};
use crate::parquet_file::foreign::open_footer;
use crate::parquet_file::seal::{CHUNKS_OFFSET, has_file_tag, is_nearly_file_tag};
use crate::parquet_file::settings::CREATED_BY;

/// What every key of parklite's in a footer begins with.
const KEY_PREFIX: &str = "parklite.";

/// Who wrote a Parquet file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Parklite: the file carries its tag.
    Parklite,
    /// Parklite, but the tag is damaged: the footer says so, or the tag is not quite another thing.
    DamagedParklite,
    /// Another program.
    Foreign,
}

/// Tells who wrote the Parquet file at `path`.
///
/// # Errors
/// `Failed` where it cannot be read; `Damaged` where it has no tag and its footer cannot be read.
pub fn origin_of(path: &Path) -> Result<Origin> {
    let mut head = Vec::with_capacity(CHUNKS_OFFSET);
    File::open(path)
        .and_then(|file| file.take(CHUNKS_OFFSET as u64).read_to_end(&mut head))
        .map_err(|error| Error::io("reading a Parquet file", path, error))?;
    if has_file_tag(&head) {
        return Ok(Origin::Parklite);
    }
    if is_nearly_file_tag(&head) {
        return Ok(Origin::DamagedParklite);
    }
    let (_, _, metadata) = open_footer(path)?;
    let facts = metadata.file_metadata();
    let has_key = facts
        .key_value_metadata()
        .is_some_and(|pairs| pairs.iter().any(|pair| pair.key.starts_with(KEY_PREFIX)));
    // Some programs carry the keys over into what they make of a file of ours.
    let is_ours = facts.created_by().map_or(has_key, |program| program.starts_with(CREATED_BY));
    Ok(if is_ours { Origin::DamagedParklite } else { Origin::Foreign })
}
