//! Changes after which every sum was made right again: only the deeper levels notice them.

use std::fs;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringViewArray, UInt64Array};
use arrow::compute::take_record_batch;
use parklite::digest::Sha256Digest;
use parklite::matching::DataFinding;
use parklite::snapshot::{Snapshot, TableEntry};
use parklite::verify::{VerifyLevel, VerifyReport};

use super::parts::Parts;
use super::plain::count_caught_panics;
use super::subject::{RowGroup, Subject, rewrite, write_texts};
use crate::round_trip::{verify_at, verify_with};

/// Says that a snapshot whose sums are all right is intact at the first level, and not at the deeper ones; returns what
/// both decoders say at `Data`.
#[track_caller]
fn is_only_noticed_deeper(subject: &Subject) -> VerifyReport {
    count_caught_panics();
    let quick = verify_at(&subject.path, VerifyLevel::Quick).expect("verifies");
    assert!(quick.intact, "{quick:?}");
    let restored = verify_at(&subject.path, VerifyLevel::Restore).expect("verifies");
    assert!(!restored.intact, "{restored:?}");
    let report = verify_with(&subject.path, VerifyLevel::Data, true).expect("verifies");
    assert!(!report.intact && report.files.is_empty(), "{report:?}");
    report
}

fn is_of_second_decoder(finding: &DataFinding) -> bool {
    finding.finding.starts_with("polars' decoder: ")
}

/// Makes sizes and sums of all data files right again, in the manifest and in SHA256SUMS.
fn sum_up_again(subject: &Subject) {
    let mut manifest = Snapshot::open(&subject.path).expect("opens").manifest;
    for entry in &mut manifest.tables {
        for file in &mut entry.files {
            let bytes = fs::read(subject.path.join(&file.path)).expect("readable");
            (file.size_bytes, file.sha256) = (Some(bytes.len() as u64), Some(Sha256Digest::of(&bytes)));
        }
    }
    write_texts(&subject.path, &manifest);
}

#[test]
fn a_flipped_bit_in_each_chunk_is_named_by_its_hash_although_the_files_sums_are_right() {
    let subject = Subject::small_folder();
    let mut chunks = 0;
    for file in subject.files().iter().filter(|file| file.table.is_some()) {
        for chunk in Parts::of(file).chunks() {
            let copy = subject.duplicate();
            let mut changed = file.bytes.clone();
            changed[usize::midpoint(chunk.start, chunk.end)] ^= 4;
            fs::write(copy.path.join(&file.name), &changed).expect("written");
            sum_up_again(&copy);
            let report = is_only_noticed_deeper(&copy);
            let due = Parts::of(file).due(&file.bytes, &changed, true);
            let (row_group, column, words) = due.first().expect("one chunk");
            let own: Vec<_> = report.data.iter().filter(|finding| !is_of_second_decoder(finding)).collect();
            assert!(
                matches!(own.as_slice(), [one] if one.row_group == *row_group && one.column == *column
                    && one.finding.contains(words) && one.file == file.name
                    && Some(&one.table) == file.table.as_ref()),
                "{due:?} is due, found is {own:?}"
            );
            chunks += 1;
        }
    }
    assert!(chunks > 20, "{chunks}");
}

/// Replaces one text of one row group by another of the same length.
fn with_another_text(rows: &RecordBatch, column: &str) -> RecordBatch {
    let index = rows.schema().index_of(column).expect("a column");
    let texts = rows.column(index).as_any().downcast_ref::<StringViewArray>().expect("text");
    let mut texts: Vec<Option<String>> = texts.iter().map(|text| text.map(str::to_owned)).collect();
    let middle = texts.len() / 2;
    texts[middle] = texts[middle].as_ref().map(|text| text.replace('e', "o"));
    let mut columns = rows.columns().to_vec();
    columns[index] = Arc::new(StringViewArray::from(texts)) as ArrayRef;
    RecordBatch::try_new(rows.schema(), columns).expect("the same columns")
}

#[test]
fn one_other_cell_under_right_sums_is_noticed_by_both_decoders_and_named_to_its_row_group() {
    let subject = Subject::small_folder();
    let mut number = 0;
    rewrite(&subject.path, 20, &[], |entry: &TableEntry, group: &mut RowGroup| {
        if entry.table.name.lossy() == "sets" {
            if number == 1 {
                group.rows = with_another_text(&group.rows, "name");
            }
            number += 1;
        }
    });
    assert_eq!(number, 3);
    let report = is_only_noticed_deeper(&subject);
    let is_it = |finding: &DataFinding| {
        finding.table == "sets" && finding.file == "sets.parquet" && finding.row_group == Some(1)
    };
    assert!(report.data.iter().all(is_it), "{report:?}");
    for second in [false, true] {
        let mut findings = report.data.iter().filter(|finding| is_of_second_decoder(finding) == second);
        assert!(findings.any(|finding| finding.finding.contains("content digest")), "{report:?}");
    }
}

#[test]
fn rows_in_another_order_are_noticed_although_their_digest_is_the_same() {
    let subject = Subject::small_folder();
    let mut number = 0;
    rewrite(&subject.path, 20, &[], |entry, group| {
        if entry.table.name.lossy() == "moods" {
            if number == 1 {
                let last = group.rows.num_rows() as u64 - 1;
                let backwards = UInt64Array::from_iter_values((0..=last).rev());
                group.rows = take_record_batch(&group.rows, &backwards).expect("the same rows");
            }
            number += 1;
        }
    });
    let report = is_only_noticed_deeper(&subject);
    let is_it =
        |finding: &DataFinding| finding.table == "moods" && finding.finding.contains("not in the order");
    assert!(report.data.iter().all(is_it), "{report:?}");
    assert!(report.data.iter().any(|finding| finding.row_group == Some(1)), "{report:?}");
}

type Lie = (&'static str, fn(&mut TableEntry));

#[test]
fn false_counts_in_the_manifest_are_noticed() {
    let lies: [Lie; 2] = [
        ("other storage classes", |entry| {
            let counts = &mut entry.mapping.columns[1].counts;
            (counts.text, counts.null) = (counts.text - 1, counts.null + 1);
        }),
        ("bytes, but the manifest says", |entry| entry.content_bytes += 1),
    ];
    for (words, change) in lies {
        let subject = Subject::small_folder();
        let mut manifest = Snapshot::open(&subject.path).expect("opens").manifest;
        let entry = manifest.tables.iter_mut().find(|entry| entry.table.name.lossy() == "sets");
        change(entry.expect("a table"));
        write_texts(&subject.path, &manifest);
        // The footers say the same as the manifest, so only the rows contradict.
        rewrite(&subject.path, 20, &[], |_, _| ());
        let quick = verify_at(&subject.path, VerifyLevel::Quick).expect("verifies");
        let report = verify_at(&subject.path, VerifyLevel::Data).expect("verifies");
        assert!(quick.intact && report.data.len() == 1, "{report:?}");
        assert!(report.data[0].table == "sets" && report.data[0].finding.contains(words), "{report:?}");
    }
}

#[test]
fn a_file_that_only_the_first_decoder_can_read_is_named_by_the_second() {
    count_caught_panics();
    // What our reader and many others pass over, polars takes for the schema.
    for lie in ["AAAA", "not base64"] {
        let subject = Subject::small_folder();
        rewrite(&subject.path, 20, &[("ARROW:schema", lie)], |_, _| ());
        let report = verify_at(&subject.path, VerifyLevel::Restore).expect("verifies");
        assert!(report.intact && !report.independent, "{report:?}");
        let report = verify_with(&subject.path, VerifyLevel::Restore, true).expect("verifies");
        assert!(report.independent && !report.intact && report.check.is_none(), "{report:?}");
        for table in ["sets", "moods"] {
            let mut findings = report.data.iter().filter(|finding| finding.table == table);
            let is_it = |finding: &DataFinding| finding.finding.contains("the second decoder cannot read it");
            assert!(findings.all(|finding| is_of_second_decoder(finding) && is_it(finding)), "{report:?}");
        }
        assert!(report.data.len() >= 5, "{report:?}");
    }
}
