//! One test for each recipe in `fixtures/sqlite/`.

use std::collections::BTreeSet;

use super::round_trip;
use crate::fixtures;

macro_rules! cases {
    ($($case:ident),* $(,)?) => {
        const LISTED: &[&str] = &[$(stringify!($case)),*];

        $(
            #[test]
            fn $case() {
                let fixture = fixtures::build(stringify!($case));
                let restored = round_trip(&fixture);
                fixtures::prove(stringify!($case), &restored);
            }
        )*
    };
}

cases![
    add_column_default,
    auto_vacuum_full,
    auto_vacuum_incremental,
    autoincrement_ahead,
    autoincrement_emptied_sequence,
    automatic_indexes,
    check_violated,
    constraints_violated_by_rows,
    dates_booleans_decimals,
    ddl_invalid_utf8,
    ddl_text_comments_crlf,
    declared_types_odd,
    double_quoted_strings,
    dropped_column,
    empty_text_blob_null,
    epoch_in_datetime,
    foreign_key_violated,
    fts3_fts4,
    fts5,
    fts5_contentless,
    fts5_external_content,
    fts_odd_names,
    fts_unknown_tokenizer,
    generated_columns,
    generated_stored_stale,
    header_default_cache_size,
    header_pragmas,
    header_pragmas_without_tables,
    indexes_partial_expression_desc,
    int64_extremes,
    integer_primary_key_desc,
    late_class_change,
    long_cells,
    many_tables,
    mixed_classes,
    negative_zero,
    not_null_violated,
    number_family_2_53,
    odd_identifiers,
    order_collation_ignored,
    order_created_at_mixed,
    order_created_at_shuffled,
    order_utf16,
    page_size_512,
    page_size_65536,
    real_bits,
    rowid_alias_variants,
    rowid_gaps_and_extremes,
    rowid_names_shadowed_all,
    rowid_names_shadowed_one,
    rowid_names_shadowed_two,
    rows_122880,
    rows_131072,
    rows_131073,
    rtree,
    schema_order,
    schema_order_virtual,
    sequence_before_its_table,
    sequence_without_autoincrement,
    stat1_only,
    stat1_stat4,
    stat_empty,
    stat_legacy_tables,
    strict_any,
    strict_violated,
    text_invalid_utf8,
    text_with_nul,
    triggers_instead_of_recursive,
    unique_computed_violated,
    unique_violated,
    unknown_collation_column,
    unknown_functions,
    unknown_module,
    utf16_noncharacters,
    utf16be_text,
    utf16le_lone_surrogate,
    views_on_missing_tables,
    wal_mode,
    without_rowid_composite,
    without_rowid_desc,
    without_rowid_key_not_first,
    without_rowid_nocase,
    without_rowid_rtrim,
    zero_rows,
];

#[test]
fn every_recipe_has_its_test() {
    let listed: BTreeSet<String> = LISTED.iter().map(|case| (*case).to_string()).collect();
    assert_eq!(listed, fixtures::all_cases().into_iter().collect());
}
