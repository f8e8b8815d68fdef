//! What the rest of the program relies on in a manifest, checked once, when a snapshot is opened.
//!
//! A manifest with a right digest may still be a lie: whoever writes it can write its digest. So nothing that is
//! taken from one later (a path, a column's index, a count that is added up) goes unchecked here.

use std::collections::HashSet;

use crate::digest::{ContentDigest, schema_digest};
use crate::error::{Error, ErrorKind, Result};
use crate::frame::mapping::{ColumnMapping, MainClass, TableMapping};
use crate::parquet_file::ChosenFor;
use crate::parquet_file::damage::END_BYTES;
use crate::parquet_file::seal::{CHUNKS_OFFSET, SEAL_BYTES};
use crate::schema::{CellClass, IndexedValue, Table};
use crate::snapshot::manifest::{DataFile, Manifest, TableEntry};
use crate::snapshot::names::is_file_name;
use crate::sqlite::schema_check::check_schema;

/// More rows or bytes than any database can hold, whose largest is 2^48 bytes; sums up to it never overflow, and
/// every reader of JSON takes them for the same number.
const MOST: u64 = 1 << 53;

/// Checks a manifest: files inside the snapshot and each used once, columns that exist, counts that add up, and a
/// schema that can be one.
///
/// `is_folder`: whether it is that of a folder, not of a single file.
///
/// # Errors
/// `Damaged`, with the table where it is about one.
pub(crate) fn check_manifest(manifest: &Manifest, is_folder: bool) -> Result<()> {
    check_counts(manifest)?;
    let mut seen = HashSet::new();
    for entry in &manifest.tables {
        let place = |error: Error| error.in_table(&entry.table.name);
        for file in &entry.files {
            check_file(file, is_folder).map_err(place)?;
            if !seen.insert(file.path.to_ascii_lowercase()) {
                return damaged("the manifest names a file twice").map_err(place);
            }
        }
        check_entry(entry).map_err(place)?;
    }
    if schema_digest(&manifest.database, &manifest.schema) != manifest.schema_digest {
        return damaged("the schema in the manifest does not match its digest");
    }
    let tables: Vec<&Table> = manifest.tables.iter().map(|entry| &entry.table).collect();
    check_schema(&manifest.schema, &tables, manifest.database.encoding)
}

fn damaged(message: &str) -> Result<()> {
    Err(Error::new(ErrorKind::Damaged, message.to_string()))
}

/// Everything that is ever added up.
fn check_counts(manifest: &Manifest) -> Result<()> {
    let tables = || manifest.tables.iter();
    let files = || tables().flat_map(|entry| &entry.files);
    let is_possible = is_at_most(MOST, [manifest.snapshot.source_size_bytes])
        && is_at_most(MOST, tables().map(|entry| entry.content_bytes))
        && is_at_most(MOST, tables().map(TableEntry::row_count))
        && is_at_most(MOST, files().filter_map(|file| file.size_bytes))
        && is_at_most(MOST, files().map(|file| file.digest.row_count))
        && is_at_most(MOST, files().flat_map(|file| &file.row_groups).map(|group| group.digest.row_count));
    if is_possible {
        Ok(())
    } else {
        damaged("the manifest counts more rows or bytes than a database can hold")
    }
}

fn is_at_most(most: u64, counts: impl IntoIterator<Item = u64>) -> bool {
    counts.into_iter().try_fold(0_u64, u64::checked_add).is_some_and(|sum| sum <= most)
}

fn check_file(file: &DataFile, is_folder: bool) -> Result<()> {
    if is_folder && !is_file_name(&file.path) {
        return damaged("the manifest names a file outside the snapshot");
    }
    if is_folder && (file.size_bytes.is_none() || file.sha256.is_none()) {
        return damaged("the manifest does not say how large a file is or what its digest is");
    }
    if !is_folder && !file.path.is_empty() {
        return damaged("the manifest of a single file names another file");
    }
    Ok(())
}

fn check_entry(entry: &TableEntry) -> Result<()> {
    check_columns(entry)?;
    check_mapping(&entry.table, &entry.mapping, entry.row_count())?;
    check_inline_rows(entry)?;
    let mut digest = entry.inline_digest()?;
    for file in &entry.files {
        let mut groups = ContentDigest::default();
        for group in &file.row_groups {
            let width = entry.mapping.width();
            let describes_chunks = group.chunks.len() == width && group.chunk_bytes.len() == width;
            if group.rows != group.digest.row_count || !describes_chunks {
                return damaged("the manifest contradicts itself about a row group");
            }
            groups.add(group.digest);
        }
        if !file.chosen.is_empty() && !tells_all_choices(file, entry.mapping.width()) {
            return damaged("the manifest contradicts itself about how columns are encoded");
        }
        if !sizes_add_up(file) {
            return damaged("the sizes of a file's parts do not add up to its size");
        }
        if groups != file.digest {
            return damaged("the digests of row groups do not add up to their file's");
        }
        digest.add(file.digest);
    }
    if digest != entry.digest {
        return damaged("the digests of files do not add up to their table's");
    }
    Ok(())
}

/// Whether it says of each of `width` Parquet columns how all of its chunks are encoded.
fn tells_all_choices(file: &DataFile, width: usize) -> bool {
    let chunks = file.row_groups.len() as u64;
    let tells_all = |chosen: &Vec<ChosenFor>| {
        let sum = |sum: u64, chosen: &ChosenFor| sum.checked_add(chosen.row_groups);
        chosen.iter().try_fold(0, sum) == Some(chunks)
    };
    file.chosen.len() == width && file.chosen.iter().all(tells_all)
}

/// Whether head, column chunks, seal and tail make up the whole file, as far as its size is known.
fn sizes_add_up(file: &DataFile) -> bool {
    let (Some(size_bytes), Some(tail)) = (file.size_bytes, &file.tail) else {
        return file.size_bytes.is_none();
    };
    let chunks = file.row_groups.iter().flat_map(|group| &group.chunk_bytes).copied();
    let fixed = (CHUNKS_OFFSET + SEAL_BYTES) as u64 + END_BYTES;
    let parts = chunks.chain([fixed, tail.page_index_bytes, tail.footer_bytes]);
    parts.fold(0, u64::saturating_add) == size_bytes
}

/// Every column that something names is there.
fn check_columns(entry: &TableEntry) -> Result<()> {
    let table = &entry.table;
    let count = table.columns.len();
    let keys = table.indexes.iter().flat_map(|index| &index.columns).chain(&table.without_rowid_key);
    let mut indexed = keys.filter_map(|key| match key.value {
        IndexedValue::Column(column) => Some(column),
        IndexedValue::Rowid | IndexedValue::Expression => None,
    });
    let is_stored = |column: usize| table.columns.get(column).is_some_and(crate::schema::Column::is_stored);
    let mut ordered = entry.order.terms.iter().filter_map(|term| term.column);
    if indexed.any(|column| column >= count)
        || ordered.any(|column| !is_stored(column))
        || table.rowid_alias.is_some_and(|alias| !is_stored(alias))
    {
        return damaged("the manifest mentions a column that the table does not have");
    }
    let needs_rowid = entry.order.terms.iter().any(|term| term.column.is_none());
    if entry.order.terms.is_empty() || (needs_rowid && !table.has_rowid()) {
        return damaged("the manifest names an order that the table cannot have");
    }
    if !table.has_rowid() && !table.without_rowid_key.iter().any(|column| column.is_key) {
        return damaged("the manifest gives a table without rowids no key");
    }
    if table.rowid_alias.is_some() && !table.has_rowid() {
        return damaged("the manifest gives a table without rowids an alias of it");
    }
    Ok(())
}

/// The mapping is one that a plan could have made for this table and that many rows.
fn check_mapping(table: &Table, mapping: &TableMapping, row_count: u64) -> Result<()> {
    let stored = table.stored_columns().map(|(index, _)| index);
    if !stored.eq(mapping.columns.iter().map(|column| column.column)) {
        return damaged("the manifest maps other columns than the table has");
    }
    if mapping.rowid_column.is_some() != (table.has_rowid() && table.rowid_alias.is_none()) {
        return damaged("the manifest maps a rowid otherwise than the table has one");
    }
    let mut names = HashSet::new();
    if !mapping.parquet_columns().all(|column| names.insert(column.name)) {
        return damaged("the manifest names a Parquet column twice");
    }
    for column in &mapping.columns {
        if !has_sound_companions(column) {
            return damaged("the manifest pairs Parquet columns that do not belong together")
                .map_err(|error| error.in_column(&column.name));
        }
        let counts = &column.counts;
        let mut cells = CellClass::ALL.iter().map(|&class| counts.of(class)).chain([counts.null]);
        if cells.try_fold(0_u64, u64::checked_add) != Some(row_count) {
            return damaged("the manifest counts other cells in a column than the table has rows")
                .map_err(|error| error.in_column(&column.name));
        }
    }
    Ok(())
}

/// Companions in canonical order, none of the main column's own class; a number family has its exact integers.
fn has_sound_companions(column: &ColumnMapping) -> bool {
    let classes = column.companions.iter().map(|companion| companion.class);
    let is_rising = classes.clone().zip(classes.clone().skip(1)).all(|(a, b)| a < b);
    let is_other = classes.clone().all(|class| class != column.main.class());
    let has_integers = classes.clone().any(|class| class == CellClass::Integer);
    is_rising && is_other && (!column.number_family || (column.main == MainClass::Real && has_integers))
}

fn check_inline_rows(entry: &TableEntry) -> Result<()> {
    let width = entry.mapping.columns.len();
    let has_rowid = entry.table.has_rowid();
    let is_sound =
        |row: &crate::snapshot::InlineRow| row.cells.len() == width && row.rowid.is_some() == has_rowid;
    if entry.inline_rows.iter().all(is_sound) {
        Ok(())
    } else {
        damaged("the manifest holds a row that is not one of its table")
    }
}
