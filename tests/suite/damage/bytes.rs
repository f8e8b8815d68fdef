//! Changed bytes: each bit, each length, each block of a small snapshot, each byte of a larger one.

use parklite::verify::VerifyLevel;

use super::change::{Change, every_bit, every_byte, every_size_and_block};
use super::plain::caught_panics;
use super::subject::Subject;
use super::sweep::{Tally, Work, is_full_run, sweep};
use crate::fixtures;
use crate::round_trip::{export_to, verify_at};

/// Of everything that could be done, what is done: all in a full run, else one in `step`.
fn work(subject: &Subject, step: usize, changes: impl Fn(usize) -> Vec<Change>) -> Work {
    let files = subject.files();
    let all = files.iter().enumerate();
    let all =
        all.flat_map(|(number, file)| changes(file.bytes.len()).into_iter().map(move |it| (number, it)));
    all.step_by(if is_full_run() { 1 } else { step }).collect()
}

fn small(size: usize) -> Vec<Change> {
    every_bit(size).chain(every_size_and_block(size)).collect()
}

#[expect(clippy::print_stderr, reason = "the counts of a full run are published")]
fn tell(what: &str, subject: &Subject, tally: &Tally, caught_before: usize) {
    if is_full_run() {
        let files = subject.files();
        let bytes: usize = files.iter().map(|file| file.bytes.len()).sum();
        let caught = caught_panics() - caught_before;
        eprintln!(
            "{what} of {bytes} bytes in {} files: {tally}; panics: 0 escaped, {caught} caught in the decoder",
            files.len()
        );
    }
}

#[test]
fn every_change_to_a_small_folder_is_noticed_and_named() {
    let subject = Subject::small_folder();
    let caught = caught_panics();
    let tally = sweep(&subject, &work(&subject, 67, small), true);
    tally.check(2_000);
    assert!(tally.refused > 0 && tally.named_chunks > 0 && tally.named_part > 0, "{tally}");
    assert!(
        tally.plain_refused > 0 && tally.plain_other_rows > 0,
        "decoding alone notices some and not all: {tally}"
    );
    tell("a small folder", &subject, &tally, caught);
}

#[test]
fn every_change_to_a_small_file_is_noticed_and_named() {
    let subject = Subject::small_file();
    let caught = caught_panics();
    let tally = sweep(&subject, &work(&subject, 43, small), true);
    tally.check(1_000);
    assert!(tally.refused > 0 && tally.named_chunks > 0 && tally.named_part > 0, "{tally}");
    tell("a small single file", &subject, &tally, caught);
}

#[test]
fn every_changed_byte_of_a_larger_folder_is_noticed_and_named() {
    let subject = Subject::larger();
    let caught = caught_panics();
    let tally = sweep(&subject, &work(&subject, 311, |size| every_byte(size).collect()), false);
    tally.check(500);
    assert!(tally.named_chunks > 0, "{tally}");
    tell("a larger folder", &subject, &tally, caught);
}

#[test]
fn damage_in_more_chunks_than_anybody_reads_is_summed_up() {
    let fixture = fixtures::two_thousand_columns();
    let (snapshot, _) = export_to(&fixture, "snapshot");
    let path = snapshot.join("wide.parquet");
    let mut bytes = std::fs::read(&path).expect("readable");
    bytes[12..40_000].iter_mut().for_each(|byte| *byte = !*byte);
    std::fs::write(&path, bytes).expect("written");
    let report = verify_at(&snapshot, VerifyLevel::Quick).expect("verifies");
    let (last, named) = report.data.split_last().expect("findings");
    assert!(named.len() == 100 && named.iter().all(|finding| finding.column.is_some()), "{}", named.len());
    assert!(last.finding.ends_with("more column chunks do not have the bytes that were written"), "{last}");
}
