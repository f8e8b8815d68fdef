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

/// zstd level unless asked otherwise: nearly as fast as no compression, and higher levels gain little on text.
pub const DEFAULT_COMPRESSION_LEVEL: i32 = 3;

/// What the footer names as the writer: no version, so equal rows give equal bytes under every version.
pub(super) const CREATED_BY: &str = "parklite";

/// The name of the root of the schema; readers ignore it.
const SCHEMA_ROOT: &str = "schema";

/// Size of a data page in bytes before compression: the usual unit of reading and skipping.
const PAGE_BYTES: usize = 1024 * 1024;

/// Smallest page in bytes when many columns share the room: below it, headers and index entries weigh more.
const MIN_PAGE_BYTES: usize = 64 * 1024;

/// Bytes of pages that a reader with one page per column in hand may hold for one row group.
const PAGES_IN_HAND_BYTES: usize = 64 * 1024 * 1024;

/// Rows of a data page: columns that shrink to nothing still get pages that can be skipped.
const PAGE_ROWS: usize = 20_000;

/// Fewest rows of a data page, for tables of thousands of columns.
const MIN_PAGE_ROWS: usize = 1_000;

/// Cells that a reader with one page per column in hand may hold.
const CELLS_IN_HAND: usize = 2_000_000;

/// Values looked at together before a page's size is checked; small, so that pages keep to their size.
const WRITE_BATCH_ROWS: usize = 1024;

/// Dictionary size in bytes for integers: 1,024 distinct ones. Columns with more (ids, times) pack far better
/// as deltas, and should not first fill a large dictionary.
const INTEGER_DICTIONARY_BYTES: usize = 8 * 1024;

/// Dictionary size in bytes for reals: 8,192 distinct ones, as prices and measured steps have. Beyond that the
/// plain values are smaller.
const REAL_DICTIONARY_BYTES: usize = 64 * 1024;

/// Dictionary size in bytes for text and blobs: thousands of categories. Columns with more values are smaller
/// without one, and readers load a dictionary before the first row.
const BYTES_DICTIONARY_BYTES: usize = 256 * 1024;

/// Bytes of a text or blob kept as minimum and maximum: enough to skip by, whatever the values' size.
const STATISTICS_BYTES: usize = 64;

/// A cell larger than this, in bytes, turns off dictionary and statistics for its column in its row group:
/// both would copy the cell several times and help no reader.
pub(super) const LARGE_CELL_BYTES: usize = 1024 * 1024;

/// What a user may choose about the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriterSettings {
    /// zstd level, 1 to 22.
    pub compression_level: i32,
}

impl Default for WriterSettings {
    fn default() -> Self {
        Self { compression_level: DEFAULT_COMPRESSION_LEVEL }
    }
}

impl WriterSettings {
    /// # Errors
    /// [`ErrorKind::Usage`] where zstd has no such level.
    fn compression(self) -> Result<Compression> {
        ZstdLevel::try_new(self.compression_level).map(Compression::ZSTD).map_err(|error| {
            let message = format!("there is no zstd level {}", self.compression_level);
            Error::new(ErrorKind::Usage, message).hint("choose a level from 1 to 22").because(error)
        })
    }
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

/// The properties of the file as a whole; columns are encoded under [`column_properties`].
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
    Ok(Arc::new(common_properties(settings.compression()?).set_sorting_columns(sorting).build()))
}

/// The properties under which one column is encoded, beside `column_count` others.
///
/// `large_cells` is for a column chunk that holds a cell of more than [`LARGE_CELL_BYTES`].
pub(super) fn column_properties(
    settings: WriterSettings,
    column: ParquetColumn<'_>,
    column_count: usize,
    large_cells: bool,
) -> Result<WriterPropertiesPtr> {
    let page_bytes = share(PAGES_IN_HAND_BYTES, column_count, MIN_PAGE_BYTES, PAGE_BYTES);
    let (fallback, dictionary_bytes) = match column.class {
        // Keys and times differ by little from row to row.
        MainClass::Integer => (Encoding::DELTA_BINARY_PACKED, INTEGER_DICTIONARY_BYTES),
        MainClass::Real => (Encoding::PLAIN, REAL_DICTIONARY_BYTES),
        MainClass::Text | MainClass::Blob => (Encoding::PLAIN, BYTES_DICTIONARY_BYTES),
    };
    // No two rows share a rowid.
    let has_dictionary = !large_cells && column.role != ColumnRole::Rowid;
    let statistics = if large_cells { EnabledStatistics::None } else { EnabledStatistics::Page };
    let properties = common_properties(settings.compression()?)
        .set_encoding(fallback)
        .set_dictionary_enabled(has_dictionary)
        .set_dictionary_page_size_limit(dictionary_bytes.min(page_bytes))
        .set_data_page_size_limit(page_bytes)
        .set_data_page_row_count_limit(share(CELLS_IN_HAND, column_count, MIN_PAGE_ROWS, PAGE_ROWS))
        .set_statistics_enabled(statistics)
        .build();
    Ok(Arc::new(properties))
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
