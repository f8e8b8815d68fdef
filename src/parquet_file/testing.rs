//! Writes and reads whole table files for the tests of this module.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;

use crate::error::Result;
use crate::frame::testing::{Row, Value, batch_of, digest_of, mapping_of, numbered, rows_of, table};
use crate::frame::{TableMapping, digest_batch};
use crate::parquet_file::{
    EncodedRowGroup, FileFacts, TableEncoder, TableReader, TableWriter, Trials, WriterSettings,
};
use crate::schema::Table;

/// A folder with a place for one table file.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder for the test"))
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// Writes one file with one row group per element of `groups`, encoded on two threads.
pub(crate) fn write(path: &Path, mapping: &TableMapping, groups: &[Vec<Row>]) -> Result<FileFacts> {
    let encoder = TableEncoder::new(mapping, &WriterSettings::default(), Vec::new())?;
    write_with(path, &encoder, mapping, groups)
}

/// Encodes `frames` as one row group.
pub(crate) fn encode(
    encoder: &TableEncoder,
    index: usize,
    frames: &[RecordBatch],
) -> Result<EncodedRowGroup> {
    let interrupt = crate::run::Interrupt::new();
    let trials = Trials::default();
    let mut group = encoder.row_group(index, &trials, &interrupt);
    for column in 0..frames.first().map_or(0, RecordBatch::num_columns) {
        group.encode_column(frames.iter().map(|frame| Arc::clone(frame.column(column))).collect())?;
    }
    group.finish()
}

pub(crate) fn write_with(
    path: &Path,
    encoder: &TableEncoder,
    mapping: &TableMapping,
    groups: &[Vec<Row>],
) -> Result<FileFacts> {
    let encode = |index: usize| encode(encoder, index, &[batch_of(mapping, &groups[index])]);
    let mut all_groups: Vec<_> = std::thread::scope(|scope| {
        let odd = scope.spawn(|| (1..groups.len()).step_by(2).map(|index| (index, encode(index))).collect());
        let even: Vec<_> = (0..groups.len()).step_by(2).map(|index| (index, encode(index))).collect();
        let mut all: Vec<_> = odd.join().expect("the other thread ends well");
        all.extend(even);
        all
    });
    all_groups.sort_by_key(|(index, _)| *index);
    let file = File::options().write(true).create_new(true).open(path).expect("a new file");
    let mut writer = TableWriter::create(file, path, encoder)?;
    for ((_, group), rows) in all_groups.into_iter().zip(groups) {
        writer.append(group?, digest_of(rows))?;
    }
    writer.finish(|written| {
        let row_groups = format!("{} row groups", written.row_groups.len());
        Ok(vec![("parklite.rows".to_owned(), row_groups)])
    })
}

/// Reads a whole file, and checks digests, chunk hashes and statistics on the way.
pub(crate) fn read(path: &Path, table: &Table, mapping: &TableMapping, facts: &FileFacts) -> Vec<Row> {
    let reader = TableReader::open(path).expect("a file of our own opens");
    assert_eq!(reader.row_count(), facts.rows);
    assert_eq!(reader.row_group_count(), facts.row_groups.len());
    let mut rows = Vec::new();
    for (index, entry) in facts.row_groups.iter().enumerate() {
        let mut statistics = reader.check_statistics(index).expect("a row group");
        let first = rows.len();
        for batch in reader.read_row_group(index).expect("a row group") {
            let batch = batch.expect("a batch of our own reads");
            statistics.add_batch(&batch);
            digest_batch(table, mapping, &batch).expect("a batch of our own decodes");
            rows.extend(rows_of(table, mapping, &batch));
        }
        assert_eq!(statistics.finish(), []);
        assert_eq!(digest_of(&rows[first..]), entry.digest);
        for (column, hash) in entry.chunks.iter().enumerate() {
            assert_eq!(&reader.chunk_hash(index, column).expect("a chunk"), hash);
        }
    }
    rows
}

/// A small table of two row groups, in a file.
pub(crate) fn small_file(path: &Path) -> (Table, TableMapping, FileFacts, Vec<Row>) {
    let table = table(&[("id", "INTEGER"), ("name", "TEXT"), ("price", "DECIMAL")]);
    let row = |id: i64| {
        let price = if id % 3 == 0 { Value::Integer(id) } else { Value::Real(0.5) };
        vec![Value::Integer(id * 1000), Value::Text(format!("name number {id}")), price]
    };
    let rows = numbered((0..40).map(row).collect());
    let mapping = mapping_of(&table, &rows);
    let facts = write(path, &mapping, &[rows[..30].to_vec(), rows[30..].to_vec()]).expect("written");
    (table, mapping, facts, rows)
}
