//! Every choice of the Parquet format, stated here and nowhere else, so that no default of a library decides
//! what an archive looks like.

use std::sync::Arc;

use parquet::basic::{Compression, Encoding, LogicalType, Repetition, Type as PhysicalType, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{
    BloomFilterPosition, EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterPropertiesPtr,
    WriterVersion,
};
use parquet::schema::types::{Type, TypePtr};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::frame::mapping::{ColumnRole, MainClass, ParquetColumn};
use crate::parquet_file::choice::{Choice, Layout};

/// zstd level unless asked otherwise: nearly as fast as no compression, and higher levels gain little on text.
pub const DEFAULT_COMPRESSION_LEVEL: i32 = 3;

/// What the footer names as the writer: no version, so equal rows give equal bytes under every version.
pub(super) const CREATED_BY: &str = "parklite";

/// The name of the root of the schema; readers ignore it.
const SCHEMA_ROOT: &str = "schema";

/// Size of a data page in bytes before compression: the usual unit of reading and skipping.
pub(super) const PAGE_BYTES: usize = 1024 * 1024;

/// Smallest page in bytes when many columns share the room: below it, headers and index entries weigh more.
const MIN_PAGE_BYTES: usize = 64 * 1024;

/// Bytes of pages that a reader with one page per column in hand may hold for one row group.
const PAGES_IN_HAND_BYTES: usize = 64 * 1024 * 1024;

/// Rows of a data page: columns that shrink to nothing still get pages that can be skipped. A power of two, as all of
/// these are: a page ends with a batch of rows or with an array, and so at the same row whatever is in it.
const PAGE_ROWS: usize = 32 * 1024;

/// Fewest rows of a data page, for tables of thousands of columns.
const MIN_PAGE_ROWS: usize = 1024;

/// Cells that a reader with one page per column in hand may hold.
const CELLS_IN_HAND: usize = 2_000_000;

/// Rows looked at together before a page's size is checked, in an array with NULLs and in the rowid's column. In one
/// without NULLs, or of nothing else, it is as many as a page may have.
pub(super) const WRITE_BATCH_ROWS: usize = 1024;

/// Largest dictionary in bytes: thousands of categories, tens of thousands of prices or measured steps. Readers load
/// it before the first row.
pub(super) const DICTIONARY_BYTES: usize = 256 * 1024;

/// Bytes of a text or blob kept as minimum and maximum: enough to skip by, whatever the values' size.
pub(super) const STATISTICS_BYTES: usize = 64;

/// A cell larger than this, in bytes, turns off dictionary and statistics for its column in its row group:
/// both would copy the cell several times and help no reader.
pub const LARGE_CELL_BYTES: u64 = 1024 * 1024;

/// What a user may choose about the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriterSettings {
    /// zstd level, 1 to 22: the most effort that is spent on any column.
    pub compression_level: i32,
}

impl Default for WriterSettings {
    fn default() -> Self {
        Self { compression_level: DEFAULT_COMPRESSION_LEVEL }
    }
}

/// # Errors
/// [`ErrorKind::Usage`] where zstd has no such level.
fn compression(level: i32) -> Result<Compression> {
    ZstdLevel::try_new(level).map(Compression::ZSTD).map_err(|error| {
        let message = format!("there is no zstd level {level}");
        Error::new(ErrorKind::Usage, message).hint("choose a level from 1 to 22").because(error)
    })
}

/// One term of the order that a file's footer claims for its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SortingTerm {
    /// The Parquet column's index (0-based, file order).
    pub column: usize,
    /// Largest first.
    #[serde(default)]
    pub descending: bool,
    /// Whether NULLs come before all values.
    #[serde(default)]
    pub nulls_first: bool,
}

/// The properties of the file as a whole; column chunks are encoded under [`chunk_properties`].
pub(super) fn file_properties(
    settings: WriterSettings,
    sorting: &[SortingTerm],
) -> Result<WriterPropertiesPtr> {
    let mut columns = Vec::with_capacity(sorting.len());
    for term in sorting {
        let column_idx = i32::try_from(term.column)
            .map_err(|error| Error::new(ErrorKind::Failed, "too many columns for Parquet").because(error))?;
        columns.push(SortingColumn {
            column_idx,
            descending: term.descending,
            nulls_first: term.nulls_first,
        });
    }
    let sorting = (!columns.is_empty()).then_some(columns);
    Ok(Arc::new(
        common_properties(compression(settings.compression_level)?).set_sorting_columns(sorting).build(),
    ))
}

/// The properties under which a column chunk is encoded, beside `column_count` others.
///
/// It has statistics where they have room in [`STATISTICS_BYTES`] and no cell is larger than [`LARGE_CELL_BYTES`].
pub(super) fn chunk_properties(
    choice: Choice,
    column_count: usize,
    has_statistics: bool,
) -> Result<WriterPropertiesPtr> {
    let statistics = if has_statistics { EnabledStatistics::Page } else { EnabledStatistics::None };
    let properties = common_properties(compression(choice.level)?)
        .set_dictionary_enabled(choice.layout == Layout::Dictionary)
        .set_dictionary_page_size_limit(dictionary_bytes(column_count))
        .set_data_page_size_limit(page_bytes(column_count))
        .set_data_page_row_count_limit(page_rows(column_count))
        .set_statistics_enabled(statistics);
    let properties = match choice.layout {
        // Every value is known to have room in the dictionary: where the writer should see that otherwise, it goes on
        // as every reader knows it.
        Layout::Dictionary | Layout::Plain => properties.set_encoding(Encoding::PLAIN),
        Layout::Deltas => properties.set_encoding(Encoding::DELTA_BINARY_PACKED),
        Layout::Lengths => properties.set_encoding(Encoding::DELTA_LENGTH_BYTE_ARRAY),
        Layout::ByteStreams => properties.set_encoding(Encoding::BYTE_STREAM_SPLIT),
    };
    Ok(Arc::new(properties.build()))
}

/// The largest data page beside those of `column_count` columns, in bytes before compression.
pub(super) fn page_bytes(column_count: usize) -> usize {
    share(PAGES_IN_HAND_BYTES, column_count, MIN_PAGE_BYTES, PAGE_BYTES)
}

/// The rows of a data page beside those of `column_count` columns, where it is not full before and arrays are as long or
/// a whole part of it: a page ends once it has so many and a batch of rows is written.
pub(super) fn page_rows(column_count: usize) -> usize {
    let rows = share(CELLS_IN_HAND, column_count, MIN_PAGE_ROWS, PAGE_ROWS);
    if rows.is_power_of_two() { rows } else { rows.next_power_of_two() / 2 }
}

/// The largest dictionary beside those of `column_count` columns, in bytes.
pub(super) fn dictionary_bytes(column_count: usize) -> usize {
    page_bytes(column_count).min(DICTIONARY_BYTES)
}

/// What is the same for the file and for every column.
fn common_properties(compression: Compression) -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_created_by(CREATED_BY.to_owned())
        // Version 1 pages: every reader knows them.
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(compression)
        .set_write_batch_size(WRITE_BATCH_ROWS)
        // The page index holds them; in page headers they would only be a second copy.
        .set_write_page_header_statistics(false)
        .set_offset_index_disabled(false)
        .set_column_index_truncate_length(Some(STATISTICS_BYTES))
        .set_statistics_truncate_length(Some(STATISTICS_BYTES))
        .set_bloom_filter_enabled(false)
        .set_bloom_filter_position(BloomFilterPosition::AfterRowGroup)
        // Readers of some years ago need the path spelled out in every chunk.
        .set_write_path_in_schema(true)
        .set_coerce_types(false)
        .set_content_defined_chunking(None)
}

fn share(whole: usize, parts: usize, least: usize, most: usize) -> usize {
    (whole / parts.max(1)).clamp(least, most)
}

/// A flat Parquet schema of `columns`.
pub(super) fn parquet_schema<'a>(columns: impl Iterator<Item = ParquetColumn<'a>>) -> Result<TypePtr> {
    let fields: Result<Vec<TypePtr>, ParquetError> = columns.map(parquet_field).collect();
    fields
        .and_then(|fields| Type::group_type_builder(SCHEMA_ROOT).with_fields(fields).build())
        .map(Arc::new)
        .map_err(|error| Error::new(ErrorKind::Failed, "the columns make no Parquet schema").because(error))
}

fn parquet_field(column: ParquetColumn<'_>) -> Result<TypePtr, ParquetError> {
    let (physical, logical) = match column.class {
        MainClass::Integer => (PhysicalType::INT64, None),
        MainClass::Real => (PhysicalType::DOUBLE, None),
        MainClass::Text => (PhysicalType::BYTE_ARRAY, Some(LogicalType::String)),
        MainClass::Blob => (PhysicalType::BYTE_ARRAY, None),
    };
    let repetition = match column.role {
        ColumnRole::Rowid => Repetition::REQUIRED,
        ColumnRole::Main(_) | ColumnRole::Companion(..) => Repetition::OPTIONAL,
    };
    Type::primitive_type_builder(column.name, physical)
        .with_repetition(repetition)
        .with_logical_type(logical)
        .build()
        .map(Arc::new)
}
