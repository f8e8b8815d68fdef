use std::sync::Arc;

use arrow::array::{
    AsArray, BinaryViewArray, Float64Array, Int32Array, Int64Array, StringViewArray, UInt64Array,
};
use arrow::buffer::Buffer;
use arrow::datatypes::{Int64Type, Schema};

use super::*;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("", DataType::Int64, true),
        Field::new("na\u{0}me \"😀\"", DataType::UInt64, true),
        Field::new("real", DataType::Float64, true),
        Field::new("text", DataType::Utf8View, true),
        Field::new("blob", DataType::BinaryView, true),
    ]))
}

/// `rows` rows; every third cell is NULL, or none at all where `with_nulls` is false.
fn batch(rows: usize, with_nulls: bool) -> RecordBatch {
    let present = |row: &usize| !with_nulls || row % 3 != 1;
    let texts: Vec<_> = (0..rows).map(|row| format!("{row:x>width$}", width = row % 40)).collect();
    let signed = |row| i64::try_from(row).expect("a few rows") - 5;
    let columns: Vec<ArrayRef> = vec![
        Arc::new((0..rows).map(|row| present(&row).then(|| signed(row))).collect::<Int64Array>()),
        Arc::new((0..rows).map(|row| present(&row).then_some(u64::MAX)).collect::<UInt64Array>()),
        Arc::new((0..rows).map(|row| present(&row).then_some(-0.0)).collect::<Float64Array>()),
        Arc::new(
            (0..rows).map(|row| present(&row).then_some(texts[row].as_str())).collect::<StringViewArray>(),
        ),
        Arc::new(
            (0..rows).map(|row| present(&row).then_some(texts[row].as_bytes())).collect::<BinaryViewArray>(),
        ),
    ];
    RecordBatch::try_new(schema(), columns).expect("columns of the schema")
}

#[test]
fn rows_cross_to_polars_and_back_unchanged() {
    for rows in [0, 1, 2, 3, 64, 1000] {
        for with_nulls in [false, true] {
            let batch = batch(rows, with_nulls);
            let frame = to_polars(&batch).expect("crosses");
            assert_eq!(frame.height(), rows);
            assert_eq!(to_arrow(frame, &schema()).expect("crosses back"), batch);
        }
    }
}

#[test]
fn slices_cross_with_their_offsets() {
    let whole = batch(100, true);
    for (offset, length) in [(0, 10), (1, 99), (7, 64), (8, 8), (99, 1), (50, 0)] {
        let slice = whole.slice(offset, length);
        let frame = to_polars(&slice).expect("crosses");
        let middle = frame.slice(i64::try_from(length / 3).expect("small"), length / 2);
        assert_eq!(to_arrow(frame, &schema()).expect("crosses back"), slice);
        let back = to_arrow(middle, &schema()).expect("crosses back");
        assert_eq!(back, slice.slice(length / 3, length / 2));
    }
}

#[test]
fn a_frame_of_several_chunks_comes_back_as_one_batch() {
    let (first, second) = (batch(10, true), batch(33, false));
    let mut frame = to_polars(&first).expect("crosses");
    frame.vstack_mut_owned(to_polars(&second).expect("crosses")).expect("equal columns");
    let joined = arrow::compute::concat_batches(&schema(), [&first, &second]).expect("equal columns");
    assert_eq!(to_arrow(frame, &schema()).expect("crosses back"), joined);
}

#[test]
fn buffers_are_shared_and_not_copied() {
    let batch = batch(5000, true);
    let back = to_arrow(to_polars(&batch).expect("crosses"), &schema()).expect("crosses back");
    let numbers = |batch: &RecordBatch| batch.column(0).as_primitive::<Int64Type>().values().as_ptr();
    assert_eq!(numbers(&batch), numbers(&back));
    let text = |batch: &RecordBatch| {
        let text = batch.column(3).as_string_view();
        (text.views().as_ptr(), text.data_buffers().iter().map(Buffer::as_ptr).collect::<Vec<_>>())
    };
    assert!(!text(&batch).1.is_empty());
    assert_eq!(text(&batch), text(&back));
    let blobs = |batch: &RecordBatch| {
        let blobs = batch.column(4).as_binary_view();
        (blobs.views().as_ptr(), blobs.data_buffers().iter().map(Buffer::as_ptr).collect::<Vec<_>>())
    };
    assert_eq!(blobs(&batch), blobs(&back));
}

#[test]
fn buffers_outlive_the_side_they_came_from() {
    let frame = to_polars(&batch(1000, true)).expect("crosses");
    let back = to_arrow(frame.clone(), &schema()).expect("crosses back");
    drop(frame);
    assert_eq!(back, batch(1000, true));
}

#[test]
fn rows_without_columns_keep_their_number() {
    let options = RecordBatchOptions::new().with_row_count(Some(7));
    let schema = Arc::new(Schema::empty());
    let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), vec![], &options).expect("no columns");
    assert_eq!(to_arrow(to_polars(&batch).expect("crosses"), &schema).expect("crosses back"), batch);
}

#[test]
fn other_types_are_refused_in_both_directions() {
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
    let small = RecordBatch::try_from_iter([("n", numbers)]).expect("one column");
    assert_eq!(to_polars(&small).expect_err("not a crossing type").place().column.as_deref(), Some("n"));

    let frame = || to_polars(&batch(3, true)).expect("crosses");
    let mut fields = schema().fields().to_vec();
    fields.swap(3, 4);
    assert!(to_arrow(frame(), &Arc::new(Schema::new(fields))).is_err());
    let fields = schema().fields()[..4].to_vec();
    assert!(to_arrow(frame(), &Arc::new(Schema::new(fields))).is_err());
}
