//! What the page index claims of each page of a row group, which is read for this alone: whole row groups are decoded
//! without it.

use std::fs::File;

use parquet::basic::BoundaryOrder;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataBuilder,
    ParquetMetaDataReader,
};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::page_index::offset_index::PageLocation;

use super::bounds::{Bound, Claim};
use crate::parquet_file::reader::unsigned;

/// What is claimed of one column chunk's pages.
#[derive(Debug, Clone)]
pub(super) struct PageClaims {
    /// One per page, at least one.
    pub(super) pages: Vec<PageClaim>,
    /// A claim that contradicts itself or the chunk; nothing is relied on then.
    pub(super) nonsense: Option<&'static str>,
}

/// What is claimed of one page.
#[derive(Debug, Clone)]
pub(super) struct PageClaim {
    /// Its first row, counted from the row group's first one.
    pub(super) first_row: u64,
    pub(super) null_count: Option<u64>,
    /// Whether it has no value at all.
    pub(super) is_null_page: Option<bool>,
    pub(super) bounds: Claim,
}

impl PageClaims {
    /// No claim but that there are rows.
    pub(super) fn none(nonsense: Option<&'static str>) -> Self {
        let page = PageClaim { first_row: 0, null_count: None, is_null_page: None, bounds: Claim::nothing() };
        Self { pages: vec![page], nonsense }
    }
}

/// Reads the page index of one row group; one entry per column.
pub(super) fn read_claims(
    file: &File,
    metadata: &ParquetMetaData,
    row_group_index: usize,
) -> Result<Vec<PageClaims>, ParquetError> {
    let group = metadata.row_group(row_group_index);
    let column_indexes = part_of_index(file, metadata, row_group_index, true)?;
    let offset_indexes = part_of_index(file, metadata, row_group_index, false)?;
    let mut column_indexes =
        column_indexes.column_index().and_then(|groups| groups.first()).into_iter().flatten();
    let offset_indexes = offset_indexes.offset_index().and_then(|groups| groups.first());
    let claims = |(index, chunk): (usize, &ColumnChunkMetaData)| {
        let column_index = column_indexes.next().unwrap_or(&ColumnIndexMetaData::NONE);
        match offset_indexes.and_then(|indexes| indexes.get(index)) {
            Some(offsets) => {
                claims_of(chunk, unsigned(group.num_rows()), offsets.page_locations(), column_index)
            }
            None => PageClaims::none(Some("there is no page index")),
        }
    };
    Ok(group.columns().iter().enumerate().map(claims).collect())
}

/// Either half of the index alone: each lies in one piece for a row group, but far from the other.
fn part_of_index(
    file: &File,
    metadata: &ParquetMetaData,
    row_group_index: usize,
    is_column_index: bool,
) -> Result<ParquetMetaData, ParquetError> {
    let whole = metadata.file_metadata();
    let described = FileMetaData::new(whole.version(), 0, None, None, whole.schema_descr_ptr(), None);
    let group = metadata.row_group(row_group_index).clone();
    let one_group = ParquetMetaDataBuilder::new(described).add_row_group(group).build();
    let policy = |is_read| if is_read { PageIndexPolicy::Optional } else { PageIndexPolicy::Skip };
    let mut reader = ParquetMetaDataReader::new_with_metadata(one_group)
        .with_column_index_policy(policy(is_column_index))
        .with_offset_index_policy(policy(!is_column_index));
    reader.read_page_indexes(file)?;
    reader.finish()
}

fn claims_of(
    chunk: &ColumnChunkMetaData,
    row_count: u64,
    locations: &[PageLocation],
    index: &ColumnIndexMetaData,
) -> PageClaims {
    if let Some(nonsense) = nonsense_of_locations(chunk, row_count, locations) {
        return PageClaims::none(Some(nonsense));
    }
    let mut bounds = bounds_of(index);
    if *index != ColumnIndexMetaData::NONE && bounds.len() != locations.len() {
        return PageClaims::none(Some("the page index has entries for another number of pages"));
    }
    let is_ordered = is_ordered(&bounds, index.get_boundary_order());
    bounds.resize(locations.len(), Claim::nothing());
    let has_index = *index != ColumnIndexMetaData::NONE;
    let page = |(number, (location, bounds)): (usize, (&PageLocation, Claim))| PageClaim {
        first_row: unsigned(location.first_row_index),
        null_count: has_index.then(|| index.null_count(number)).flatten().map(unsigned),
        is_null_page: has_index.then(|| index.is_null_page(number)),
        bounds,
    };
    let nonsense = if !is_ordered {
        Some("the page index claims an order of pages that its own bounds do not have")
    } else if !has_index && chunk.statistics().is_some_and(|stated| stated.min_bytes_opt().is_some()) {
        Some("the page index has no bounds")
    } else {
        None
    };
    PageClaims { pages: locations.iter().zip(bounds).enumerate().map(page).collect(), nonsense }
}

fn nonsense_of_locations(
    chunk: &ColumnChunkMetaData,
    row_count: u64,
    locations: &[PageLocation],
) -> Option<&'static str> {
    let (start, size) = chunk.byte_range();
    let mut end = start;
    for location in locations {
        let offset = unsigned(location.offset);
        if offset < end || location.compressed_page_size <= 0 {
            return Some("the page index names pages that overlap");
        }
        end = offset.saturating_add(unsigned(location.compressed_page_size.into()));
    }
    let mut rows = locations.iter().map(|location| location.first_row_index);
    let begins = rows.next() == Some(0);
    let ascends = locations.windows(2).all(|pair| pair[0].first_row_index < pair[1].first_row_index);
    let ends = locations.last().is_some_and(|last| unsigned(last.first_row_index) < row_count);
    if end != start.saturating_add(size) {
        Some("the page index names pages that are not the column chunk's")
    } else if !(begins && ascends && ends) {
        Some("the page index counts rows that the row group does not have")
    } else {
        None
    }
}

/// The bounds of every page; none at all where there is no index of a type of ours.
fn bounds_of(index: &ColumnIndexMetaData) -> Vec<Claim> {
    match index {
        ColumnIndexMetaData::INT64(index) => {
            let bound = |value: Option<&i64>| value.map(|value| Bound::Integer(*value));
            index
                .min_values_iter()
                .zip(index.max_values_iter())
                .map(|(min, max)| Claim::exact(bound(min), bound(max)))
                .collect()
        }
        ColumnIndexMetaData::DOUBLE(index) => {
            let bound = |value: Option<&f64>| value.map(|value| Bound::Real(*value));
            index
                .min_values_iter()
                .zip(index.max_values_iter())
                .map(|(min, max)| Claim::exact(bound(min), bound(max)))
                .collect()
        }
        ColumnIndexMetaData::BYTE_ARRAY(index) => {
            let bound = |value: Option<&[u8]>| value.map(|value| Bound::Bytes(value.to_vec()));
            index
                .min_values_iter()
                .zip(index.max_values_iter())
                .map(|(min, max)| Claim {
                    min: bound(min),
                    max: bound(max),
                    min_is_exact: false,
                    max_is_exact: false,
                })
                .collect()
        }
        _ => Vec::new(),
    }
}

/// Whether the bounds have the order claimed of them. Pages without a value do not count.
fn is_ordered(bounds: &[Claim], claimed: Option<BoundaryOrder>) -> bool {
    let mut last: Option<&Claim> = None;
    bounds.iter().filter(|claim| claim.min.is_some()).all(|claim| {
        let holds = last.is_none_or(|last| match claimed {
            Some(BoundaryOrder::ASCENDING) => last.min <= claim.min && last.max <= claim.max,
            Some(BoundaryOrder::DESCENDING) => last.min >= claim.min && last.max >= claim.max,
            _ => true,
        });
        last = Some(claim);
        holds
    })
}
