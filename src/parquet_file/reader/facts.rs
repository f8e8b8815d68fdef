//! What a footer says of each column, for people who inspect a file.

use std::collections::BTreeSet;

use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;
use parquet::schema::types::SchemaDescriptor;
use serde::Serialize;

use crate::parquet_file::reader::unsigned;

/// What a file's footer says of one column, summed over all row groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnFacts {
    /// Its name.
    pub name: String,
    /// Its physical type, as Parquet spells it.
    pub physical_type: String,
    /// Its logical type, if any.
    pub logical_type: Option<String>,
    /// The encodings of its pages, as Parquet spells them.
    pub encodings: Vec<String>,
    /// Size of its chunks in the file, in bytes.
    pub compressed_bytes: u64,
    /// Size of its pages before compression, in bytes.
    pub uncompressed_bytes: u64,
    /// NULLs; `None` where some row group does not say.
    pub null_count: Option<u64>,
    /// Whether every row group that has a value states a minimum and a maximum.
    pub has_min_max: bool,
}

/// Sums up the chunks of the column at `index`.
pub(super) fn sum_column(
    schema: &SchemaDescriptor,
    row_groups: &[RowGroupMetaData],
    index: usize,
) -> ColumnFacts {
    let descriptor = schema.column(index);
    let mut encodings = BTreeSet::new();
    let mut facts = ColumnFacts {
        name: descriptor.path().parts().join("."),
        physical_type: descriptor.physical_type().to_string(),
        logical_type: descriptor.logical_type_ref().map(|logical| format!("{logical:?}")),
        encodings: Vec::new(),
        compressed_bytes: 0,
        uncompressed_bytes: 0,
        null_count: Some(0),
        has_min_max: !row_groups.is_empty(),
    };
    for chunk in row_groups.iter().filter_map(|group| group.columns().get(index)) {
        let statistics = chunk.statistics();
        let nulls = statistics.and_then(Statistics::null_count_opt);
        let all_null = nulls == Some(unsigned(chunk.num_values()));
        let has_min_max =
            statistics.is_some_and(|it| it.min_bytes_opt().is_some() && it.max_bytes_opt().is_some());
        facts.has_min_max &= all_null || has_min_max;
        facts.null_count = facts.null_count.zip(nulls).and_then(|(sum, nulls)| sum.checked_add(nulls));
        facts.compressed_bytes = facts.compressed_bytes.saturating_add(unsigned(chunk.compressed_size()));
        facts.uncompressed_bytes =
            facts.uncompressed_bytes.saturating_add(unsigned(chunk.uncompressed_size()));
        encodings.extend(chunk.encodings().map(|encoding| encoding.to_string()));
    }
    facts.encodings = encodings.into_iter().collect();
    facts
}
