use std::fs;

use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::PageIndexPolicy;
use proptest::prelude::*;

use super::*;
use crate::frame::TableMapping;
use crate::frame::testing::{
    Row, Value, batch_of, difficult_rows, digest_of, mapping_of, numbered, table, without_rowid,
};
use crate::parquet_file::testing::{Folder, encode as encode_group, read, small_file, write, write_with};
use crate::parquet_file::{SortingTerm, TableReader, WriterSettings, check_seal};
use crate::schema::Table;

/// Writes rows as row groups of at most `group_rows`, reads them back, and returns the file's facts.
#[track_caller]
fn assert_round_trip(table: &Table, rows: &[Row], group_rows: usize) -> FileFacts {
    let mapping = mapping_of(table, rows);
    let groups: Vec<_> = rows.chunks(group_rows).map(<[Row]>::to_vec).collect();
    let folder = Folder::new();
    let path = folder.file("t.parquet");
    let facts = write(&path, &mapping, &groups).expect("written");
    assert_eq!(read(&path, table, &mapping, &facts), rows);
    assert_eq!(facts.digest, digest_of(rows));
    let check = check_seal(&path).expect("read");
    assert!(check.is_valid());
    assert_eq!((check.sha256, check.size_bytes), (facts.sha256, facts.size_bytes));
    facts
}

#[test]
fn every_class_and_extreme_survives_a_file() {
    let (table, rows) = difficult_rows();
    assert_round_trip(&table, &rows, 100);
    assert_round_trip(&table, &rows, 2);
}

#[test]
fn a_table_without_rows_is_a_file_without_row_groups() {
    let facts = assert_round_trip(&table(&[("a", "TEXT")]), &[], 1);
    assert_eq!((facts.rows, facts.row_groups.len()), (0, 0));
}

#[test]
fn many_rows_leave_their_dictionaries_and_pages() {
    let table = table(&[("time", "INTEGER"), ("kind", "TEXT"), ("payload", "TEXT"), ("real", "REAL")]);
    let row = |id: i64| {
        vec![
            Value::Integer(1_700_000_000_000 + id * 977),
            Value::Text(["view", "click", "scroll"][usize::try_from(id % 3).expect("small")].to_owned()),
            Value::Text(format!("{{\"id\":{id},\"payload\":\"{}\"}}", "x".repeat(100))),
            if id % 5 == 0 {
                Value::Null
            } else {
                Value::Real(f64::from(i32::try_from(id).expect("small")) / 7.0)
            },
        ]
    };
    assert_round_trip(&table, &numbered((0..50_000).map(row).collect()), 30_000);
}

#[test]
fn equal_rows_give_equal_bytes() {
    let folder = Folder::new();
    let (table, rows) = difficult_rows();
    let mapping = mapping_of(&table, &rows);
    let groups: Vec<_> = rows.chunks(2).map(<[Row]>::to_vec).collect();
    let bytes = ["a", "b"].map(|name| {
        write(&folder.file(name), &mapping, &groups).expect("written");
        fs::read(folder.file(name)).expect("read")
    });
    assert!(bytes[0] == bytes[1]);
}

#[test]
fn thousands_of_columns_fit_in_one_file() {
    let names: Vec<String> = (0..2000).map(|index| format!("c{index}")).collect();
    let declared = |index: usize| ["INTEGER", "REAL", "TEXT", "BLOB"][index % 4];
    let columns: Vec<_> =
        names.iter().enumerate().map(|(index, name)| (name.as_str(), declared(index))).collect();
    let value = |row: usize, column: usize| match (row + column) % 7 {
        0 => Value::Null,
        1 => Value::Text(format!("a text of some length in row {row}")),
        _ => match column % 4 {
            0 => Value::Integer(i64::try_from(row * column).expect("small")),
            1 => Value::Real(0.25),
            2 => Value::Text("x".to_owned()),
            _ => Value::Blob(vec![7; 20]),
        },
    };
    let rows = (0..30).map(|row| (0..2000).map(|column| value(row, column)).collect()).collect();
    assert_round_trip(&table(&columns), &numbered(rows), 20);
}

#[test]
fn a_cell_of_forty_megabytes_is_written_without_dictionary_and_statistics() {
    let large: String = (0..40_000_000_u32).map(|index| char::from(b'a' + (index % 23) as u8)).collect();
    let columns = [("small", "TEXT"), ("large", "TEXT"), ("blob", "BLOB")];
    let row = |large: &str| {
        vec![
            Value::Text("small".to_owned()),
            Value::Text(large.to_owned()),
            Value::Blob(large.as_bytes().to_vec()),
        ]
    };
    // The row that fills a row group is its last.
    let rows = numbered(vec![row("x"), row("y"), row(&large)]);
    assert_round_trip(&table(&columns), &rows, 3);

    let folder = Folder::new();
    let path = folder.file("t.parquet");
    write(&path, &mapping_of(&table(&columns), &rows), std::slice::from_ref(&rows)).expect("written");
    let facts = TableReader::open(&path).expect("opens").columns();
    let has_min_max: Vec<_> = facts.iter().map(|column| column.has_min_max).collect();
    assert_eq!(has_min_max, [true, true, false, false]);
}

#[test]
fn a_plain_reader_finds_flat_natural_columns_page_index_and_no_arrow_schema() {
    let folder = Folder::new();
    let path = folder.file("t.parquet");
    let (_, mapping, facts, rows) = small_file(&path);
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    let file = File::open(&path).expect("opens");
    let plain =
        ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).expect("ordinary Parquet");
    let described = format!("{:?}", plain.parquet_schema().root_schema());
    for (name, kind) in [("rowid", "REQUIRED"), ("id", "INT64"), ("name", "BYTE_ARRAY"), ("price", "DOUBLE")]
    {
        assert!(described.contains(name) && described.contains(kind), "{described}");
    }
    let metadata = plain.metadata();
    assert_eq!(metadata.file_metadata().created_by(), Some("parklite"));
    let pairs = metadata.file_metadata().key_value_metadata().expect("our own pair");
    assert_eq!(pairs.iter().map(|pair| pair.key.as_str()).collect::<Vec<_>>(), ["parklite.rows"]);
    let first = metadata.row_group(0).column(0);
    assert_eq!(first.byte_range().0, 12, "the first chunk follows the tag");
    let total: usize = plain
        .build()
        .expect("builds")
        .map(|batch| {
            let batch = batch.expect("reads");
            assert_eq!(batch.num_columns(), mapping.width());
            batch.num_rows()
        })
        .sum();
    assert_eq!((total, facts.rows), (rows.len(), 40));
}

#[test]
fn the_claimed_order_stands_in_every_row_group() {
    let folder = Folder::new();
    let path = folder.file("t.parquet");
    let (_, rows) = difficult_rows();
    let (table, rows) =
        (table(&[("a", "INTEGER")]), numbered(rows.iter().map(|row| vec![row.1[0].clone()]).collect()));
    let mapping = mapping_of(&table, &rows);
    let sorting = vec![
        SortingTerm { column: 1, descending: true, nulls_first: false },
        SortingTerm { column: 0, descending: false, nulls_first: true },
    ];
    let encoder = TableEncoder::new(&mapping, &WriterSettings::default(), sorting.clone()).expect("encoder");
    write_with(&path, &encoder, &mapping, &[rows.clone(), rows]).expect("written");
    assert_eq!(TableReader::open(&path).expect("opens").sorting_columns(), sorting);
}

#[test]
fn settings_and_orders_that_cannot_be_are_refused() {
    let mapping = mapping_of(&table(&[("a", "TEXT")]), &[]);
    let kind = |level, sorting| {
        let settings = WriterSettings { compression_level: level };
        TableEncoder::new(&mapping, &settings, sorting).map_err(|error| error.kind()).err()
    };
    assert_eq!(kind(0, Vec::new()), Some(ErrorKind::Usage));
    assert_eq!(kind(23, Vec::new()), Some(ErrorKind::Usage));
    assert_eq!(kind(22, Vec::new()), None);
    let beyond = SortingTerm { column: 2, descending: false, nulls_first: true };
    assert_eq!(kind(3, vec![beyond]), Some(ErrorKind::Failed));
}

#[test]
fn batches_of_other_columns_or_without_rows_and_wrong_digests_are_refused() {
    let (own, other) = (table(&[("a", "TEXT")]), table(&[("a", "INTEGER")]));
    let rows = numbered(vec![vec![Value::Text("x".to_owned())]]);
    let numbers = numbered(vec![vec![Value::Integer(1)]]);
    let mapping = mapping_of(&own, &rows);
    let encoder = TableEncoder::new(&mapping, &WriterSettings::default(), Vec::new()).expect("encoder");
    let foreign = batch_of(&mapping_of(&other, &numbers), &numbers);
    assert!(encode_group(&encoder, 0, &[foreign]).is_err());
    let batch = batch_of(&mapping, &rows);
    assert!(encode_group(&encoder, 0, &[batch.slice(0, 0)]).is_err());
    assert!(encode_group(&encoder, 0, &[]).is_err());
    let missing = batch.project(&[0]).expect("the rowid alone");
    assert!(encode_group(&encoder, 0, &[missing]).is_err());
    let interrupt = crate::run::Interrupt::new();
    let trials = Trials::default();
    let mut group = encoder.row_group(0, &trials, &interrupt);
    group.encode_column(vec![Arc::clone(batch.column(0))]).expect("the rowid");
    let twice = vec![Arc::clone(batch.column(1)), Arc::clone(batch.column(1))];
    assert!(group.encode_column(twice).is_err(), "two rows beside one");

    let folder = Folder::new();
    let path = folder.file("t.parquet");
    let mut writer =
        TableWriter::create(File::create_new(&path).expect("a new file"), &path, &encoder).expect("begun");
    let error = writer
        .append(encode_group(&encoder, 0, &[batch]).expect("encoded"), ContentDigest::default())
        .expect_err("another number of rows");
    assert_eq!(error.kind(), ErrorKind::Mismatch);
}

#[test]
fn a_sliced_batch_is_written_as_the_rows_it_shows() {
    let (table, rows) = difficult_rows();
    let mapping: TableMapping = mapping_of(&table, &rows);
    let encoder = TableEncoder::new(&mapping, &WriterSettings::default(), Vec::new()).expect("encoder");
    let folder = Folder::new();
    let path = folder.file("t.parquet");
    let mut writer =
        TableWriter::create(File::create_new(&path).expect("a new file"), &path, &encoder).expect("begun");
    let group = encode_group(&encoder, 0, &[batch_of(&mapping, &rows).slice(1, 3)]).expect("encoded");
    writer.append(group, digest_of(&rows[1..4])).expect("appended");
    let facts = writer.finish(|_| Ok(Vec::new())).expect("finished");
    assert_eq!(read(&path, &table, &mapping, &facts), &rows[1..4]);
}

fn any_value(class: u8) -> BoxedStrategy<Value> {
    match class {
        0 => prop_oneof![any::<i64>(), -3..3_i64].prop_map(Value::Integer).boxed(),
        1 => prop_oneof![
            any::<f64>().prop_filter("no database holds it", |real| !real.is_nan()),
            prop::sample::select(vec![0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, 5e-324, 1.0]),
        ]
        .prop_map(Value::Real)
        .boxed(),
        2 => ".{0,40}".prop_map(Value::Text).boxed(),
        3 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::RawText).boxed(),
        4 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::Blob).boxed(),
        _ => Just(Value::Null).boxed(),
    }
}

/// A declared type, and the classes its cells may have.
fn any_column() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    let declared = prop::sample::select(vec!["INTEGER", "REAL", "TEXT", "BLOB", "", "DECIMAL", "DATETIME"]);
    (declared, prop::collection::vec(0..6_u8, 1..4))
}

fn any_table() -> impl Strategy<Value = (Table, Vec<Row>, usize)> {
    (prop::collection::vec(any_column(), 1..5), any::<bool>()).prop_flat_map(|(columns, has_rowid)| {
        let names: Vec<_> = (0..columns.len()).map(|index| format!("c{index}")).collect();
        let declared: Vec<_> =
            names.iter().zip(&columns).map(|(name, (declared, _))| (name.as_str(), *declared)).collect();
        let table = if has_rowid { table(&declared) } else { without_rowid(&declared) };
        let row: Vec<_> = columns
            .into_iter()
            .map(|(_, classes)| prop::sample::select(classes).prop_flat_map(any_value))
            .collect();
        let rowid = if has_rowid { any::<i64>().prop_map(Some).boxed() } else { Just(None).boxed() };
        (Just(table), prop::collection::vec((rowid, row), 0..60), 1..30_usize)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_cells_survive_a_file((table, rows, group_rows) in any_table()) {
        assert_round_trip(&table, &rows, group_rows);
    }
}
