//! What a reading of all rows of a table finds, by however many readers.

use crate::digest::ContentDigest;
use crate::error::{Error, ErrorKind, Result};
use crate::frame::{ClassCounts, TableMapping};
use crate::schema::{Cell, TextEncoding};
use crate::sqlite::catalog::Catalog;

/// What one reading of all rows found.
pub(super) struct Read {
    pub(super) counts: Vec<ClassCounts>,
    pub(super) digest: ContentDigest,
    pub(super) content_bytes: u64,
    pub(super) in_order: bool,
    /// Whether every cell had a place under the mapping.
    pub(super) fits: bool,
}

impl Read {
    /// Nothing has been read yet.
    pub(super) fn new(mapping: &TableMapping) -> Self {
        Self {
            counts: vec![ClassCounts::default(); mapping.columns.len()],
            digest: ContentDigest::default(),
            content_bytes: 0,
            in_order: true,
            fits: true,
        }
    }
}

/// Refuses a row that a restore could not store.
///
/// # Errors
/// `Failed` for a text that ends in the middle of a UTF-16 unit.
pub(super) fn refuse_half_units(catalog: &Catalog, cells: &[Cell<'_>]) -> Result<()> {
    if catalog.header.encoding == TextEncoding::Utf8 || !cells.iter().any(is_half_a_unit_long) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Failed,
        "a TEXT has an odd number of bytes in a UTF-16 database: SQLite can read it but not store it again",
    )
    .hint("update that value, or leave its table out with --exclude"))
}

/// Whether it is a text that ends in the middle of a UTF-16 unit. Only a damaged or hand-made file has one.
fn is_half_a_unit_long(cell: &Cell<'_>) -> bool {
    matches!(cell, Cell::RawText(bytes) if bytes.len() % 2 == 1)
}

pub(super) fn count(counts: &mut [ClassCounts], cells: &[Cell<'_>]) {
    counts.iter_mut().zip(cells).for_each(|(counts, cell)| counts.count(cell.class()));
}
