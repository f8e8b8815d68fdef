use std::fs;

use super::*;
use crate::frame::digest_batch;
use crate::frame::testing::rows_of;
use crate::parquet_file::testing::{Folder, small_file};
use crate::parquet_file::{SealState, check_seal};

/// What reading a whole file gives: its rows' digests added up, or the first error's kind.
fn read_all(
    path: &Path,
    table: &crate::schema::Table,
    mapping: &crate::frame::TableMapping,
) -> Result<crate::digest::ContentDigest, ErrorKind> {
    let read = || -> Result<_> {
        let reader = TableReader::open(path)?;
        let _ = (reader.columns(), reader.sorting_columns());
        let mut digest = crate::digest::ContentDigest::default();
        for index in 0..reader.row_group_count() {
            let mut statistics = reader.check_statistics(index)?;
            for batch in reader.read_row_group(index)? {
                let batch = batch?;
                statistics.add_batch(&batch);
                digest.add(digest_batch(table, mapping, &batch)?);
            }
            let _ = statistics.finish();
        }
        Ok(digest)
    };
    read().map_err(|error| error.kind())
}

#[test]
fn one_flipped_bit_anywhere_breaks_the_seal_and_never_panics_a_reader() {
    let folder = Folder::new();
    let (path, damaged) = (folder.file("t.parquet"), folder.file("damaged.parquet"));
    let (table, mapping, facts, _) = small_file(&path);
    let bytes = fs::read(&path).expect("read");
    let known = [None, Some(ErrorKind::Damaged), Some(ErrorKind::Mismatch)];
    for place in 0..bytes.len() {
        let mut other = bytes.clone();
        other[place] ^= 1 << (place % 8);
        fs::write(&damaged, &other).expect("written");
        let check = check_seal(&damaged).expect("read");
        assert!(!check.is_valid(), "byte {place}");
        assert_ne!(check.sha256, facts.sha256);
        let kind = read_all(&damaged, &table, &mapping).err();
        assert!(known.contains(&kind), "byte {place}: {kind:?}");
    }
}

#[test]
fn a_file_cut_short_is_damaged() {
    let folder = Folder::new();
    let (path, cut) = (folder.file("t.parquet"), folder.file("cut.parquet"));
    let (table, mapping, ..) = small_file(&path);
    let bytes = fs::read(&path).expect("read");
    for size in (0..bytes.len()).step_by(7) {
        fs::write(&cut, &bytes[..size]).expect("written");
        assert_eq!(read_all(&cut, &table, &mapping), Err(ErrorKind::Damaged), "{size} bytes");
        assert!(!check_seal(&cut).expect("read").is_valid());
    }
}

#[test]
fn what_is_no_parquet_is_damaged_and_what_is_missing_has_failed() {
    let folder = Folder::new();
    let path = folder.file("t.parquet");
    assert_eq!(TableReader::open(&path).expect_err("missing").kind(), ErrorKind::Failed);
    fs::write(&path, b"SQLite format 3\0 and more").expect("written");
    assert_eq!(TableReader::open(&path).expect_err("no Parquet").kind(), ErrorKind::Damaged);
    assert_eq!(check_seal(&path).expect("read").state, SealState::Missing);
}

#[test]
fn damage_is_named_to_the_column_chunk() {
    let folder = Folder::new();
    let path = folder.file("t.parquet");
    let (.., facts, _) = small_file(&path);
    let mut bytes = fs::read(&path).expect("read");
    let reader = TableReader::open(&path).expect("opens");
    let (start, _) = reader.row_groups()[1].column(2).byte_range();
    bytes[usize::try_from(start).expect("small") + 5] ^= 1;
    fs::write(&path, bytes).expect("written");
    for (group, entry) in facts.row_groups.iter().enumerate() {
        for (column, hash) in entry.chunks.iter().enumerate() {
            let is_intact = &reader.chunk_hash(group, column).expect("a chunk") == hash;
            assert_eq!(is_intact, (group, column) != (1, 2), "row group {group}, column {column}");
        }
    }
    assert_eq!(reader.chunk_hash(2, 0).expect_err("no such row group").kind(), ErrorKind::Damaged);
    assert_eq!(reader.chunk_hash(0, 9).expect_err("no such column").kind(), ErrorKind::Damaged);
}

#[test]
fn statistics_that_other_rows_contradict_are_found() {
    let folder = Folder::new();
    let path = folder.file("t.parquet");
    let _ = small_file(&path);
    let reader = TableReader::open(&path).expect("opens");
    let other = reader.read_row_group(1).expect("a row group").next().expect("a batch").expect("reads");
    let mut check = reader.check_statistics(0).expect("a row group");
    check.add_batch(&other);
    let found = check.finish();
    let columns: Vec<_> = found.iter().map(|mismatch| mismatch.column.as_deref()).collect();
    for column in [None, Some("rowid"), Some("id"), Some("name"), Some("price"), Some("price__integer")] {
        assert!(columns.contains(&column), "{found:?}");
    }
}

/// Everything that is stated of the rows of a file and is not so; what cannot be read counts too.
fn wrong_statements(path: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut read = || -> Result<()> {
        let reader = TableReader::open(path)?;
        for index in 0..reader.row_group_count() {
            let mut check = reader.check_statistics(index)?;
            for batch in reader.read_row_group(index)? {
                check.add_batch(&batch?);
            }
            found.extend(check.finish().into_iter().map(|mismatch| mismatch.what));
        }
        Ok(())
    };
    let error = read().err();
    found.extend(error.map(|error| error.to_string()));
    found
}

#[test]
fn a_page_index_that_is_not_true_of_the_rows_is_found() {
    let folder = Folder::new();
    let (path, damaged) = (folder.file("t.parquet"), folder.file("damaged.parquet"));
    let (.., facts, _) = small_file(&path);
    let bytes = fs::read(&path).expect("read");
    assert_eq!(wrong_statements(&path), Vec::<String>::new());
    let end = bytes.len() - 8 - 40 - usize::try_from(facts.tail.footer_bytes).expect("small");
    let begin = end - usize::try_from(facts.tail.page_index_bytes).expect("small");
    let mut unseen = 0;
    for place in begin..end {
        let mut other = bytes.clone();
        other[place] ^= 1 << (place % 8);
        fs::write(&damaged, &other).expect("written");
        unseen += usize::from(wrong_statements(&damaged).is_empty());
    }
    // What is not seen misleads nobody: a wider bound of text, counts of levels, fields that do not exist.
    assert!(unseen * 3 < end - begin, "{unseen} of {} flipped bits", end - begin);
}

#[test]
fn bounds_of_text_that_exclude_a_value_are_found() {
    let folder = Folder::new();
    let path = folder.file("t.parquet");
    let (.., facts, _) = small_file(&path);
    let bytes = fs::read(&path).expect("read");
    // The smallest name of the first row group, wherever page index and footer state it, becomes a larger one.
    let (name, larger) = (b"name number 0", b"name number 5");
    let after_chunks = facts.tail.page_index_bytes + 40 + facts.tail.footer_bytes + 8;
    let begin = bytes.len() - usize::try_from(after_chunks).expect("small");
    let is_stated = |&at: &usize| bytes[at..].starts_with(name);
    let places: Vec<_> = (begin..bytes.len()).filter(is_stated).collect();
    assert!(places.len() >= 2, "{places:?}");
    for place in places {
        let mut other = bytes.clone();
        other[place..place + name.len()].copy_from_slice(larger);
        fs::write(&path, &other).expect("written");
        let found = wrong_statements(&path);
        assert!(found.iter().any(|what| what.contains("name number 5")), "{place}: {found:?}");
    }
}

#[test]
fn a_footer_tells_what_it_holds() {
    let folder = Folder::new();
    let path = folder.file("t.parquet");
    let (table, mapping, facts, rows) = small_file(&path);
    let reader = TableReader::open(&path).expect("opens");
    assert_eq!(reader.key_value("parklite.rows"), Some("2 row groups"));
    assert_eq!(reader.key_value("other"), None);
    assert_eq!((reader.row_count(), reader.row_group_rows(1), reader.row_group_rows(2)), (40, 10, 0));
    assert_eq!(reader.size_bytes(), facts.size_bytes);
    assert_eq!(reader.read_row_group(2).expect_err("no such row group").kind(), ErrorKind::Damaged);

    let columns = reader.columns();
    let told: Vec<_> = columns
        .iter()
        .map(|column| (column.name.as_str(), column.physical_type.as_str(), column.null_count))
        .collect();
    assert_eq!(
        told,
        [
            ("rowid", "INT64", Some(0)),
            ("id", "INT64", Some(0)),
            ("name", "BYTE_ARRAY", Some(0)),
            ("price", "DOUBLE", Some(0)),
            ("price__integer", "INT64", Some(26)),
        ]
    );
    assert_eq!(columns[2].logical_type.as_deref(), Some("String"));
    assert!(columns.iter().all(|column| column.has_min_max && column.compressed_bytes > 0));

    let batches: Vec<_> =
        reader.read_row_group(0).expect("a row group").map(|it| it.expect("reads")).collect();
    let first: Vec<_> = batches.iter().flat_map(|batch| rows_of(&table, &mapping, batch)).collect();
    assert_eq!(first, &rows[..30]);
}

#[test]
fn some_columns_are_read_as_when_all_are() {
    let folder = Folder::new();
    let path = folder.file("t.parquet");
    let _ = small_file(&path);
    let reader = TableReader::open(&path).expect("opens");
    for index in 0..reader.row_group_count() {
        let all: Vec<_> =
            reader.read_row_group(index).expect("opens").map(|batch| batch.expect("reads")).collect();
        for columns in [&[0][..], &[1, 3], &[]] {
            let some = reader.read_columns(index, columns).expect("opens").map(|batch| batch.expect("reads"));
            let due: Vec<_> = all.iter().map(|batch| batch.project(columns).expect("has them")).collect();
            assert_eq!(some.collect::<Vec<_>>(), due, "{columns:?}");
        }
    }
    assert_eq!(reader.read_columns(9, &[0]).expect_err("no such row group").kind(), ErrorKind::Damaged);
}
