use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, UInt64Array};
use arrow::compute::cast;
use arrow::datatypes::{Field, Schema};

use super::*;
use crate::frame::build::{FrameBuilder, MAX_CELL_BYTES, ORDER_KEY_COLUMN, ROW_SIZE_COLUMN};
use crate::frame::row_size;
use crate::frame::testing::{
    Value, batch_of, cells, difficult_rows, digest_of, mapping_of, numbered, rows_of, table, without_rowid,
};

/// The same batch with one column replaced.
fn with_column(batch: &RecordBatch, index: usize, array: ArrayRef) -> RecordBatch {
    let mut arrays = batch.columns().to_vec();
    let mut fields: Vec<_> = batch.schema().fields().iter().map(|field| Field::clone(field)).collect();
    fields[index] = fields[index].clone().with_data_type(array.data_type().clone()).with_nullable(true);
    arrays[index] = array;
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("columns of one length")
}

fn broken(table: &Table, mapping: &TableMapping, batch: &RecordBatch) -> Error {
    digest_batch(table, mapping, batch).expect_err("the batch breaks a promise")
}

/// A number family with a text companion: integers and reals, and one text.
fn family() -> (Table, TableMapping, RecordBatch) {
    let table = table(&[("n", "")]);
    let rows = numbered(vec![
        vec![Value::Integer((1 << 53) + 1)],
        vec![Value::Real(0.5)],
        vec![Value::Text("x".into())],
    ]);
    let mapping = mapping_of(&table, &rows);
    let batch = batch_of(&mapping, &rows);
    (table, mapping, batch)
}

#[test]
fn every_cell_comes_back_by_class_and_bytes() {
    let (table, rows) = difficult_rows();
    let mapping = mapping_of(&table, &rows);
    let batch = batch_of(&mapping, &rows);
    assert_eq!(rows_of(&table, &mapping, &batch), rows);
    assert_eq!(digest_batch(&table, &mapping, &batch).expect("decodes"), digest_of(&rows));
}

#[test]
fn other_layouts_of_text_and_bytes_decode_alike() {
    let (table, rows) = difficult_rows();
    let mapping = mapping_of(&table, &rows);
    let views = batch_of(&mapping, &rows);
    for large in [false, true] {
        let mut batch = views.clone();
        for index in 0..batch.num_columns() {
            let target = match (batch.column(index).data_type(), large) {
                (DataType::Utf8View, false) => DataType::Utf8,
                (DataType::Utf8View, true) => DataType::LargeUtf8,
                (DataType::BinaryView, false) => DataType::Binary,
                (DataType::BinaryView, true) => DataType::LargeBinary,
                _ => continue,
            };
            let array = cast(batch.column(index), &target).expect("a lossless cast");
            batch = with_column(&batch, index, array);
        }
        assert_eq!(rows_of(&table, &mapping, &batch), rows);
    }
}

#[test]
fn the_rowid_comes_from_its_column_or_its_alias_or_is_none() {
    let mut alias = table(&[("a", "TEXT"), ("id", "INTEGER")]);
    alias.rowid_alias = Some(1);
    let rows = vec![(Some(-7), vec![Value::Text("x".into()), Value::Integer(-7)])];
    let mapping = mapping_of(&alias, &rows);
    assert_eq!(rows_of(&alias, &mapping, &batch_of(&mapping, &rows)), rows);

    let keyed = without_rowid(&[("k", "TEXT")]);
    let rows = vec![(None, vec![Value::Text("x".into())])];
    let mapping = mapping_of(&keyed, &rows);
    assert_eq!(rows_of(&keyed, &mapping, &batch_of(&mapping, &rows)), rows);
}

#[test]
fn a_row_that_does_not_fit_leaves_nothing_behind() {
    let table = table(&[("a", "INTEGER"), ("b", "TEXT")]);
    let fitting = numbered(vec![vec![Value::Integer(1), Value::Text("x".into())]]);
    let mapping = mapping_of(&table, &fitting);
    let mut builder = FrameBuilder::new(&mapping, false);
    assert!(builder.push_row(Some(1), &cells(&fitting[0])));
    for misfit in [
        vec![Cell::Integer(1), Cell::Integer(1)],
        vec![Cell::Real(1.0), Cell::Text("x")],
        vec![Cell::Integer(1), Cell::RawText(b"x")],
        vec![Cell::Integer(1)],
    ] {
        assert!(!builder.push_row(Some(2), &misfit), "{misfit:?}");
    }
    assert!(!builder.push_row(None, &cells(&fitting[0])), "a row without its rowid");
    assert_eq!((builder.row_count(), builder.size_bytes()), (1, 1 + 8 * mapping.width() as u64));
    let batch = builder.finish().expect("a batch");
    assert_eq!(rows_of(&table, &mapping, &batch), fitting);
}

#[test]
fn a_builder_is_empty_and_ready_after_a_batch() {
    let (table, rows) = difficult_rows();
    let mapping = mapping_of(&table, &rows);
    let mut builder = FrameBuilder::new(&mapping, false);
    for _ in 0..2 {
        for row in &rows {
            assert!(builder.push_row(row.0, &cells(row)));
        }
        let sizes: u64 = rows.iter().map(|row| row_size(&cells(row), mapping.width())).sum();
        assert_eq!((builder.row_count(), builder.size_bytes()), (rows.len(), sizes));
        let batch = builder.finish().expect("a batch");
        assert_eq!(rows_of(&table, &mapping, &batch), rows);
    }
    assert_eq!((builder.row_count(), builder.size_bytes()), (0, 0));
    assert_eq!(builder.finish().expect("an empty batch").num_rows(), 0);
}

#[test]
fn key_columns_trail_the_tables_own() {
    let (table, rows) = difficult_rows();
    let mapping = mapping_of(&table, &rows);
    let mut builder = FrameBuilder::new(&mapping, true);
    for row in &rows {
        assert!(builder.push_row_with_key(row.0, &cells(row), b"a key longer than a view"));
    }
    assert!(!builder.push_row_with_key(Some(9), &[Cell::Null], b"k"));
    let batch = builder.finish().expect("a batch");
    let width = mapping.width();
    assert_eq!(batch.num_columns(), width + 2);
    assert_eq!(batch.schema().field(width).name(), ORDER_KEY_COLUMN);
    assert_eq!(batch.schema().field(width + 1).name(), ROW_SIZE_COLUMN);
    let sizes: Vec<u64> = rows.iter().map(|row| row_size(&cells(row), mapping.width())).collect();
    assert_eq!(batch.column(width + 1).as_ref(), &UInt64Array::from(sizes) as &dyn Array);
    let own = batch.project(&(0..width).collect::<Vec<_>>()).expect("the table's own columns");
    assert_eq!(rows_of(&table, &mapping, &own), rows);
}

#[test]
fn a_table_whose_rows_have_no_parquet_column_keeps_its_row_count() {
    let mapping = TableMapping { rowid_column: None, columns: Vec::new() };
    let mut builder = FrameBuilder::new(&mapping, false);
    assert!(builder.push_row(None, &[]));
    assert_eq!(builder.finish().expect("a batch").num_rows(), 1);
}

#[test]
fn a_cell_no_page_can_hold_is_an_error_that_names_its_column() {
    // Zeroed memory that is never touched: no page of it exists.
    let huge = vec![0; MAX_CELL_BYTES + 1];
    let table = without_rowid(&[("b", "BLOB")]);
    let mapping = mapping_of(&table, &[(None, vec![Value::Blob(Vec::new())])]);
    let mut builder = FrameBuilder::new(&mapping, false);
    assert!(builder.push_row(None, &[Cell::Blob(&huge)]));
    let error = builder.finish().expect_err("too large");
    assert_eq!((error.kind(), error.place().column.as_deref()), (ErrorKind::Failed, Some("b")));
    assert_eq!(builder.finish().expect("an error is told once").num_rows(), 0);
}

#[test]
fn a_family_must_show_the_nearest_double_of_its_integer() {
    let (table, mapping, batch) = family();
    assert!(mapping.columns[0].number_family);
    let shown = batch.column(1).as_any().downcast_ref::<Float64Array>().expect("a main column");
    assert_eq!(shown.value(0).to_bits(), 9_007_199_254_740_992.0_f64.to_bits());
    for other in [Some(9_007_199_254_740_994.0), None] {
        let main = Float64Array::from(vec![other, Some(0.5), None]);
        let error = broken(&table, &mapping, &with_column(&batch, 1, Arc::new(main)));
        assert_eq!(error.kind(), ErrorKind::Mismatch);
        assert_eq!((error.place().column.as_deref(), error.place().row_ordinal), (Some("n"), Some(1)));
    }
}

#[test]
fn a_main_column_is_null_beside_any_other_companion() {
    let (table, mapping, batch) = family();
    let main = Float64Array::from(vec![Some(9_007_199_254_740_992.0), Some(0.5), Some(1.0)]);
    let batch = with_column(&batch, 1, Arc::new(main));
    let error = RowDecoder::new(&table, &mapping, &batch)
        .and_then(|decoder| decoder.starting_at(101).for_each_row(|_, _| Ok(())))
        .expect_err("two values in one cell");
    assert_eq!((error.kind(), error.place().row_ordinal), (ErrorKind::Mismatch, Some(103)));
}

#[test]
fn a_cell_has_one_class_only() {
    let (table, mapping, batch) = family();
    let integers = Int64Array::from(vec![Some((1 << 53) + 1), None, Some(1)]);
    let error = broken(&table, &mapping, &with_column(&batch, 2, Arc::new(integers)));
    assert_eq!((error.kind(), error.place().row_ordinal), (ErrorKind::Mismatch, Some(3)));
}

#[test]
fn a_real_is_never_not_a_number() {
    let (table, mapping, batch) = family();
    let main = Float64Array::from(vec![Some(9_007_199_254_740_992.0), Some(f64::NAN), None]);
    assert_eq!(broken(&table, &mapping, &with_column(&batch, 1, Arc::new(main))).kind(), ErrorKind::Mismatch);
}

#[test]
fn the_first_broken_row_counts_and_every_row_before_it_is_given() {
    let table = table(&[("a", ""), ("b", "")]);
    let count = 2 * BLOCK_CELLS;
    let real = |row: usize| Value::Real(f64::from(u32::try_from(row).expect("is small")) / 2.0 + 0.25);
    let rows = numbered((0..count).map(|row| vec![real(row), real(row)]).collect());
    let mapping = mapping_of(&table, &rows);
    let sound = batch_of(&mapping, &rows);
    assert_eq!(rows_of(&table, &mapping, &sound), rows);
    let with_nan = |batch: &RecordBatch, index: usize, row: usize| {
        let values = batch.column(index).as_primitive::<Float64Type>().values();
        let values = values.iter().enumerate().map(|(at, &value)| if at == row { f64::NAN } else { value });
        with_column(batch, index, Arc::new(Float64Array::from_iter_values(values)))
    };
    // Columns 1 and 2, after the rowid.
    for (a, b, column) in
        [(900, 901, "a"), (901, 900, "b"), (900, 900, "a"), (count - 1, 0, "b"), (0, 700, "a")]
    {
        let batch = with_nan(&with_nan(&sound, 1, a), 2, b);
        let mut seen = 0;
        let decoder = RowDecoder::new(&table, &mapping, &batch).expect("fits").starting_at(11);
        let error = decoder
            .for_each_row(|_, cells| {
                assert_eq!(cells, [real(seen).cell(), real(seen).cell()]);
                seen += 1;
                Ok(())
            })
            .expect_err("is broken");
        assert_eq!(seen, a.min(b));
        assert_eq!(error.place().row_ordinal, Some(11 + seen as u64));
        assert_eq!(error.place().column.as_ref().map(ToString::to_string), Some(column.to_string()));
    }
}

#[test]
fn every_row_has_a_rowid() {
    let (table, mapping, batch) = family();
    let rowids = Int64Array::from(vec![Some(1), None, Some(3)]);
    let error = broken(&table, &mapping, &with_column(&batch, 0, Arc::new(rowids)));
    assert_eq!((error.kind(), error.place().row_ordinal), (ErrorKind::Mismatch, Some(2)));

    let mut alias = crate::frame::testing::table(&[("id", "INTEGER")]);
    alias.rowid_alias = Some(0);
    let rows = vec![(Some(1), vec![Value::Integer(1)])];
    let mapping = mapping_of(&alias, &rows);
    let batch = with_column(&batch_of(&mapping, &rows), 0, Arc::new(Int64Array::from(vec![None])));
    assert_eq!(broken(&alias, &mapping, &batch).kind(), ErrorKind::Mismatch);
}

#[test]
fn columns_that_are_not_the_mappings_are_refused() {
    let (table, mapping, batch) = family();
    let integers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    let other_type = with_column(&batch, 1, Arc::clone(&integers));
    let fewer = batch.project(&[0, 1, 2]).expect("fewer columns");
    let swapped = batch.project(&[0, 1, 3, 2]).expect("other order");
    for batch in [other_type, fewer, swapped] {
        assert_eq!(broken(&table, &mapping, &batch).kind(), ErrorKind::Damaged);
    }
    let other_table = crate::frame::testing::table(&[("n", ""), ("m", "")]);
    assert_eq!(broken(&other_table, &mapping, &batch).kind(), ErrorKind::Damaged);
}

#[test]
fn some_rows_are_given_as_when_all_are() {
    let (table, rows) = difficult_rows();
    let mapping = mapping_of(&table, &rows);
    let batch = batch_of(&mapping, &rows);
    let decoder = RowDecoder::new(&table, &mapping, &batch).expect("of the mapping");
    let mut all = Vec::new();
    let told = |rowid: Option<i64>, cells: &[Cell<'_>]| format!("{rowid:?} {cells:?}");
    let given = decoder.for_each_row(|rowid, cells| {
        all.push(told(rowid, cells));
        Ok(())
    });
    given.expect("decodes");
    assert!(all.len() > 2, "{all:?}");
    for start in 0..all.len() {
        for end in start..=all.len() {
            let mut some = Vec::new();
            let given = decoder.for_each_row_in(start..end, |rowid, cells| {
                some.push(told(rowid, cells));
                Ok(())
            });
            given.expect("decodes");
            assert_eq!(some, all[start..end], "{start}..{end}");
        }
    }
}
