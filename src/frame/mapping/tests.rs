use super::*;
use crate::frame::testing::{column, table, without_rowid};
use crate::schema::{Generated, Identifier};

/// null, integer, real, text, raw text, blob.
fn counts(numbers: [u64; 6]) -> ClassCounts {
    let [null, integer, real, text, raw_text, blob] = numbers;
    ClassCounts { null, integer, real, text, raw_text, blob }
}

/// Plans a table of one column.
fn plan_one(declared: &str, numbers: [u64; 6]) -> ColumnMapping {
    let mapping = plan_mapping(&table(&[("c", declared)]), &[counts(numbers)]);
    mapping.columns.into_iter().next().expect("one column")
}

#[track_caller]
fn assert_plan(
    declared: &str,
    numbers: [u64; 6],
    main: MainClass,
    companions: &[&str],
    family: bool,
    reason: MappingReason,
) {
    let plan = plan_one(declared, numbers);
    let names: Vec<_> = plan.companions.iter().map(|companion| companion.name.as_str()).collect();
    assert_eq!(
        (plan.main, names.as_slice(), plan.number_family, plan.reason),
        (main, companions, family, reason)
    );
}

fn names(mapping: &TableMapping) -> Vec<&str> {
    mapping.parquet_columns().map(|column| column.name).collect()
}

#[test]
fn a_column_of_one_class_is_one_parquet_column_whatever_it_declares() {
    for declared in ["INTEGER", "REAL", "TEXT", "BLOB", "", "DATETIME"] {
        let reason = MappingReason::Uniform;
        assert_plan(declared, [3, 9, 0, 0, 0, 0], MainClass::Integer, &[], false, reason);
        assert_plan(declared, [3, 0, 9, 0, 0, 0], MainClass::Real, &[], false, reason);
        assert_plan(declared, [3, 0, 0, 9, 0, 0], MainClass::Text, &[], false, reason);
        assert_plan(declared, [3, 0, 0, 0, 0, 9], MainClass::Blob, &[], false, reason);
    }
}

#[test]
fn a_column_without_values_takes_its_declared_affinity() {
    for (declared, main) in [
        ("INTEGER", MainClass::Integer),
        ("REAL", MainClass::Real),
        ("DECIMAL(10,2)", MainClass::Real),
        ("DATETIME", MainClass::Real),
        ("VARCHAR(9)", MainClass::Text),
        ("BLOB", MainClass::Blob),
        ("", MainClass::Blob),
    ] {
        for nulls in [0, 5] {
            let numbers = [nulls, 0, 0, 0, 0, 0];
            assert_plan(declared, numbers, main, &[], false, MappingReason::DeclaredAffinity);
        }
    }
}

#[test]
fn the_class_of_most_cells_is_the_main_class_and_the_others_get_companions_in_fixed_order() {
    let reason = MappingReason::Majority;
    assert_plan("DATETIME", [0, 1, 0, 9, 0, 0], MainClass::Text, &["c__integer"], false, reason);
    let all = ["c__integer", "c__real", "c__text", "c__rawtext"];
    assert_plan("TEXT", [1, 1, 1, 1, 1, 9], MainClass::Blob, &all, false, reason);
}

#[test]
fn integers_and_reals_count_together_as_numbers() {
    let companions = ["c__integer", "c__text"];
    assert_plan("", [0, 2, 2, 3, 0, 0], MainClass::Real, &companions, true, MappingReason::NumberFamily);
}

#[test]
fn valid_and_raw_text_count_together_and_raw_text_is_always_a_companion() {
    let reason = MappingReason::Majority;
    assert_plan("", [0, 3, 0, 2, 2, 0], MainClass::Text, &["c__integer", "c__rawtext"], false, reason);
    assert_plan("", [0, 0, 0, 0, 2, 0], MainClass::Text, &["c__rawtext"], false, MappingReason::Uniform);
}

#[test]
fn a_tie_goes_to_the_declared_affinity_or_else_to_numbers_then_text() {
    let reason = MappingReason::Tie;
    assert_plan("TEXT", [0, 2, 0, 2, 0, 2], MainClass::Text, &["c__integer", "c__blob"], false, reason);
    assert_plan("BLOB", [0, 2, 0, 2, 0, 2], MainClass::Blob, &["c__integer", "c__text"], false, reason);
    assert_plan("INTEGER", [0, 2, 0, 2, 0, 2], MainClass::Integer, &["c__text", "c__blob"], false, reason);
    assert_plan("BLOB", [0, 2, 0, 2, 0, 0], MainClass::Integer, &["c__text"], false, reason);
    assert_plan("INTEGER", [0, 0, 0, 2, 0, 2], MainClass::Text, &["c__blob"], false, reason);
}

#[test]
fn integers_and_reals_make_a_number_family_unless_the_column_is_declared_integer() {
    let family = MappingReason::NumberFamily;
    for declared in ["REAL", "", "BLOB", "TEXT", "DATETIME"] {
        assert_plan(declared, [0, 9, 1, 0, 0, 0], MainClass::Real, &["c__integer"], true, family);
    }
    let reason = MappingReason::DeclaredInteger;
    assert_plan("BIGINT", [0, 1, 9, 0, 0, 0], MainClass::Integer, &["c__real"], false, reason);
    assert_plan("INTEGER", [0, 0, 9, 0, 0, 0], MainClass::Real, &[], false, MappingReason::Uniform);
}

#[test]
fn decimal_and_numeric_show_every_number_as_a_real() {
    let reason = MappingReason::DeclaredDecimal;
    for declared in ["DECIMAL(10,2)", "numeric", "my Decimal"] {
        assert_plan(declared, [0, 9, 0, 0, 0, 0], MainClass::Real, &["c__integer"], true, reason);
        assert_plan(declared, [0, 1, 9, 0, 0, 0], MainClass::Real, &["c__integer"], true, reason);
        assert_plan(declared, [0, 0, 9, 0, 0, 0], MainClass::Real, &[], false, MappingReason::Uniform);
        let text = ["c__integer"];
        assert_plan(declared, [0, 1, 0, 9, 0, 0], MainClass::Text, &text, false, MappingReason::Majority);
    }
}

#[test]
fn hidden_cells_are_those_the_main_column_does_not_show() {
    assert_eq!(plan_one("", [5, 2, 3, 1, 1, 1]).hidden_cells(), 3);
    assert_eq!(plan_one("INTEGER", [5, 9, 3, 0, 0, 0]).hidden_cells(), 3);
    assert_eq!(plan_one("TEXT", [5, 0, 0, 9, 2, 0]).hidden_cells(), 2);
    assert_eq!(plan_one("TEXT", [5, 0, 0, 9, 0, 0]).hidden_cells(), 0);
}

#[test]
fn only_null_and_the_classes_planned_for_fit() {
    let plan = plan_one("", [0, 1, 1, 0, 1, 0]);
    let fitting: Vec<_> = CellClass::ALL.into_iter().filter(|&class| plan.fits(Some(class))).collect();
    assert_eq!(fitting, [CellClass::Integer, CellClass::Real, CellClass::RawText]);
    assert!(plan.fits(None));
}

#[test]
fn a_name_that_is_taken_gets_underscores_whatever_its_case() {
    let table = table(&[("v", ""), ("V__TEXT", ""), ("v__text_", "")]);
    let mixed = counts([0, 2, 0, 1, 0, 0]);
    let mapping = plan_mapping(&table, &[mixed, mixed, ClassCounts::default()]);
    assert_eq!(names(&mapping), ["rowid", "v", "v__text__", "V__TEXT", "V__TEXT__text", "v__text_"]);
}

#[test]
fn a_name_that_is_no_text_or_empty_becomes_its_ordinal_and_never_takes_anothers_name() {
    let mut table = table(&[("a", ""), ("b", ""), ("column_2", "")]);
    table.columns[0].name = Identifier::from("");
    table.columns[1] = column(b"\xff", "");
    assert_eq!(names(&plan_mapping(&table, &[])), ["rowid", "column_1", "column_2_", "column_2"]);
}

#[test]
fn the_rowid_takes_the_first_free_of_its_names() {
    let first = |columns: &[(&str, &str)]| plan_mapping(&table(columns), &[]).rowid_column;
    assert_eq!(first(&[("a", "")]).as_deref(), Some("rowid"));
    assert_eq!(first(&[("ROWID", "")]).as_deref(), Some("_rowid_"));
    assert_eq!(first(&[("rowid", ""), ("_RowId_", "")]).as_deref(), Some("oid"));
    let all = [("rowid", ""), ("_rowid_", ""), ("oid", ""), ("rowid_", "")];
    assert_eq!(first(&all).as_deref(), Some("rowid__"));
}

#[test]
fn a_rowid_alias_or_a_without_rowid_table_needs_no_rowid_column() {
    let mut table = table(&[("id", "INTEGER")]);
    table.rowid_alias = Some(0);
    assert_eq!(plan_mapping(&table, &[]).rowid_column, None);
    assert_eq!(plan_mapping(&without_rowid(&[("id", "TEXT")]), &[]).rowid_column, None);
}

#[test]
fn virtual_columns_have_no_parquet_column_but_keep_their_name() {
    let mut table = table(&[("a", "TEXT"), ("rowid", "INTEGER"), ("b", "TEXT")]);
    table.columns[1].generated = Generated::Virtual;
    let mapping = plan_mapping(&table, &[counts([0, 0, 0, 1, 0, 0]), counts([0, 1, 0, 0, 0, 0])]);
    assert_eq!(names(&mapping), ["_rowid_", "a", "b"]);
    assert_eq!(mapping.columns.iter().map(|column| column.column).collect::<Vec<_>>(), [0, 2]);
    assert_eq!(mapping.columns[1].main, MainClass::Integer);
}

#[test]
fn main_columns_are_found_behind_rowid_and_companions() {
    let mixed = counts([0, 2, 0, 1, 0, 0]);
    let mapping = plan_mapping(&table(&[("a", ""), ("b", ""), ("c", "")]), &[mixed, mixed, mixed]);
    assert_eq!(
        (0..4).map(|position| mapping.main_index(position)).collect::<Vec<_>>(),
        [Some(1), Some(3), Some(5), None]
    );
    assert_eq!(mapping.width(), mapping.arrow_schema().fields().len());
    assert!(!mapping.arrow_schema().field(0).is_nullable());
}

#[test]
fn a_mapping_survives_json() {
    let mapping = plan_mapping(&table(&[("a", "DECIMAL")]), &[counts([1, 2, 3, 4, 5, 6])]);
    let json = serde_json::to_string(&mapping).expect("serialises");
    assert_eq!(serde_json::from_str::<TableMapping>(&json).expect("parses"), mapping);
    let plain = plan_mapping(&table(&[("a", "TEXT")]), &[counts([1, 0, 0, 2, 0, 0])]);
    let expected = r#"{"rowid_column":"rowid","columns":[{"column":0,"name":"a","main":"text","reason":"uniform","counts":{"null":1,"integer":0,"real":0,"text":2,"raw_text":0,"blob":0}}]}"#;
    assert_eq!(serde_json::to_string(&plain).expect("serialises"), expected);
}
