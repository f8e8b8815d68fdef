use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, ListArray, RecordBatch, StringArray, StructArray};
use arrow::datatypes::{DataType, Field, Int32Type};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use super::*;
use crate::parquet_file::TableReader;
use crate::parquet_file::testing::{Folder, small_file};

/// A file of another writer: nested columns, Snappy, several row groups, a key of its own.
fn foreign_file(path: &Path) {
    let lists =
        ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), None, Some(vec![])]);
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("c")]));
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
    let inner = StructArray::from(vec![
        (Arc::new(Field::new("text", DataType::Utf8, true)), texts),
        (Arc::new(Field::new("number", DataType::Int32, false)), numbers),
    ]);
    let columns: [(&str, ArrayRef); 2] = [("lists", Arc::new(lists)), ("inner", Arc::new(inner))];
    let batch = RecordBatch::try_from_iter(columns).expect("a batch");
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(2))
        .set_bloom_filter_enabled(true)
        .build();
    let file = File::create(path).expect("created");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).expect("a writer");
    writer.write(&batch).expect("written");
    writer.close().expect("closed");
}

#[test]
fn bounds_hold_for_files_of_every_writer_and_the_profile_for_ours_alone() {
    let folder = Folder::new();
    let (ours, foreign) = (folder.file("ours.parquet"), folder.file("foreign.parquet"));
    small_file(&ours);
    foreign_file(&foreign);
    check_footer_bounds(&ours).expect("ours keeps to the bounds");
    check_footer_bounds(&foreign).expect("so does another writer's");
    TableReader::open(&ours).expect("ours opens");
    let error = TableReader::open(&foreign).expect_err("and no other");
    assert_eq!(error.kind(), ErrorKind::Damaged);
    assert_eq!(error.hint_text(), Some("this Parquet file was not written by parklite"));
}

#[test]
fn what_is_no_parquet_file_has_no_bounds_to_keep_to() {
    let folder = Folder::new();
    let path = folder.file("x.parquet");
    for (bytes, part) in [
        (&b""[..], "0 bytes"),
        (b"PAR1PAR1", "8 bytes"),
        (b"PAR1\0\0\0\0PAR1", "footer of 0 bytes"),
        (b"PAR1\xff\xff\xff\xffPAR1", "footer of 4294967295 bytes"),
        (b"PAR1\0\x01\0\0\0PAR1", "no schema"),
        (b"PARE\0\x01\0\0\0PARE", "encrypted"),
        (b"PAR1\0\x01\0\0\0PARX", "does not begin and end"),
    ] {
        std::fs::write(&path, bytes).expect("written");
        let error = check_footer_bounds(&path).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Damaged);
        assert!(error.to_string().contains(part), "{error}");
    }
    assert_eq!(check_footer_bounds(&folder.file("none")).expect_err("missing").kind(), ErrorKind::Failed);
}
