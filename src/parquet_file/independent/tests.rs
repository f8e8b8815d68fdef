use std::fs;

use super::*;
use crate::frame::testing::rows_of;
use crate::parquet_file::testing::{Folder, small_file};

#[test]
fn it_reads_the_rows_that_were_written() {
    let folder = Folder::new();
    let path = folder.file("t.parquet");
    let (table, mapping, facts, rows) = small_file(&path);
    let reader = IndependentReader::open(&path).expect("opens");
    assert_eq!(reader.row_group_count(), facts.row_groups.len());
    let batches: Vec<_> = (0..2).map(|index| reader.read_row_group(index).expect("reads")).collect();
    let read: Vec<_> = batches.iter().flat_map(|batch| rows_of(&table, &mapping, batch)).collect();
    assert_eq!(read, rows);
    assert_eq!(reader.read_row_group(2).expect_err("no such row group").kind(), ErrorKind::Damaged);
}

#[test]
fn what_it_cannot_read_is_damaged_and_never_a_panic() {
    let folder = Folder::new();
    let (path, damaged) = (folder.file("t.parquet"), folder.file("damaged.parquet"));
    let (_, _, facts, _) = small_file(&path);
    let bytes = fs::read(&path).expect("read");
    let chunks_end = 12 + facts.row_groups.iter().flat_map(|group| &group.chunk_bytes).sum::<u64>();
    let mut refused = 0;
    // Beyond the chunks lie the page index, which it does not read, and the footer.
    for place in 12..usize::try_from(chunks_end).expect("small") {
        let mut other = bytes.clone();
        other[place] ^= 1 << (place % 8);
        fs::write(&damaged, &other).expect("written");
        let reader = IndependentReader::open(&damaged).expect("the footer is whole");
        for index in 0..2 {
            if let Err(error) = reader.read_row_group(index) {
                assert_eq!(error.kind(), ErrorKind::Damaged, "byte {place}: {error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 100, "{refused}");
    assert_eq!(IndependentReader::open(&folder.file("none")).expect_err("missing").kind(), ErrorKind::Failed);
    for size in (0..bytes.len()).step_by(97) {
        fs::write(&damaged, &bytes[..size]).expect("written");
        assert_eq!(IndependentReader::open(&damaged).expect_err("cut").kind(), ErrorKind::Damaged, "{size}");
    }
}
