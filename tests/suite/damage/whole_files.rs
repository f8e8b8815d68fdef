//! Whole files of a snapshot folder that are missing, surplus, swapped, renamed, doubled, or something else.

use std::fs;
use std::path::Path;

use parklite::error::ErrorKind;
use parklite::snapshot::{FileProblem, MANIFEST_FILE};
use parklite::verify::{VerifyLevel, VerifyReport};

use super::subject::{Subject, SubjectFile};
use crate::round_trip::verify_at;

/// What `verify` should say: the files, and what about each, in any order; without any, that it is no snapshot.
type Due<'a> = &'a [(&'a str, FileProblem)];

/// Does `change` to a copy and compares what every level says of it; returns the last report.
#[track_caller]
fn judge(subject: &Subject, change: impl FnOnce(&Path), due: Due<'_>) -> Option<VerifyReport> {
    let copy = subject.duplicate();
    change(&copy.path);
    let mut last = None;
    for level in [VerifyLevel::Quick, VerifyLevel::Data, VerifyLevel::Restore] {
        let report = match verify_at(&copy.path, level) {
            Ok(report) => report,
            Err(error) => {
                assert_eq!((error.kind(), due), (ErrorKind::Damaged, &[][..]), "{error}");
                continue;
            }
        };
        let mut found: Vec<_> =
            report.files.iter().map(|finding| (finding.file.as_str(), finding.problem)).collect();
        let mut due = due.to_vec();
        found.sort_by_key(|(file, _)| *file);
        due.sort_by_key(|(file, _)| *file);
        assert!(!report.intact && found == due, "{due:?} is due, found is {report:?}");
        for finding in &report.files {
            let table = subject.files().into_iter().find(|file| file.name == finding.file);
            assert_eq!(finding.table, table.and_then(|file| file.table), "{finding:?}");
        }
        let only_surplus = due.iter().all(|(_, problem)| *problem == FileProblem::Surplus);
        assert_eq!(report.has_only_surplus(), only_surplus, "{report:?}");
        // Files too many keep nothing from being proven.
        assert_eq!(report.check.is_some(), only_surplus && level == VerifyLevel::Restore, "{report:?}");
        last = Some(report);
    }
    last
}

/// What is due where something befell `file`; a snapshot without its manifest is none.
fn due_of(file: &SubjectFile, problem: FileProblem) -> Vec<(&str, FileProblem)> {
    if file.name == MANIFEST_FILE { Vec::new() } else { vec![(file.name.as_str(), problem)] }
}

#[test]
fn an_untouched_copy_has_no_finding_at_any_level() {
    for subject in [Subject::small_folder(), Subject::small_file()] {
        for level in [VerifyLevel::Quick, VerifyLevel::Data, VerifyLevel::Restore] {
            let report = verify_at(&subject.duplicate().path, level).expect("verifies");
            assert!(report.intact && report.files.is_empty() && report.data.is_empty(), "{report:?}");
        }
    }
}

#[test]
fn a_file_that_is_missing_empty_or_something_else_is_named() {
    let subject = Subject::small_folder();
    let files = subject.files();
    assert_eq!(files.len(), 6);
    for file in &files {
        let missing = due_of(file, FileProblem::Missing);
        judge(&subject, |folder| fs::remove_file(folder.join(&file.name)).expect("removed"), &missing);
        judge(
            &subject,
            |folder| {
                fs::remove_file(folder.join(&file.name)).expect("removed");
                fs::create_dir(folder.join(&file.name)).expect("made");
            },
            &missing,
        );
        let changed = due_of(file, FileProblem::Changed);
        judge(&subject, |folder| fs::write(folder.join(&file.name), b"").expect("written"), &changed);
    }
}

#[cfg(unix)]
#[test]
fn a_link_is_no_file_of_a_snapshot_even_to_the_right_content() {
    let subject = Subject::small_folder();
    for file in &subject.files() {
        let due = due_of(file, FileProblem::Missing);
        let report = judge(
            &subject,
            |folder| {
                let place = folder.join(&file.name);
                fs::rename(&place, folder.with_extension("aside")).expect("renamed");
                std::os::unix::fs::symlink(folder.with_extension("aside"), place).expect("linked");
            },
            &due,
        );
        if let Some(report) = report {
            assert!(report.files[0].finding.contains("a symbolic link"), "{report:?}");
        }
    }
}

#[test]
fn a_renamed_file_is_missing_and_surplus_and_a_doubled_one_is_surplus_and_both_are_recognised() {
    let subject = Subject::small_folder();
    for file in &subject.files() {
        let other_name = "zzz.parquet";
        let mut due = due_of(file, FileProblem::Missing);
        if !due.is_empty() {
            due.push((other_name, FileProblem::Surplus));
        }
        let rename = |folder: &Path| {
            fs::rename(folder.join(&file.name), folder.join(other_name)).expect("renamed");
        };
        let renamed = judge(&subject, rename, &due);
        let double = |folder: &Path| {
            fs::copy(folder.join(&file.name), folder.join(other_name)).expect("copied");
        };
        let doubled = judge(&subject, double, &[(other_name, FileProblem::Surplus)]);
        for report in renamed.into_iter().chain(doubled) {
            let surplus = report.files.iter().find(|finding| finding.file == other_name).expect("found");
            assert!(surplus.finding.contains(&format!("what belongs in {}", file.name)), "{surplus:?}");
        }
    }
}

#[test]
fn every_pair_of_files_that_changed_places_is_named() {
    let subject = Subject::small_folder();
    let files = subject.files();
    let mut pairs = 0;
    for (number, one) in files.iter().enumerate() {
        for other in &files[number + 1..] {
            pairs += 1;
            let swap = |folder: &Path| {
                fs::write(folder.join(&one.name), &other.bytes).expect("written");
                fs::write(folder.join(&other.name), &one.bytes).expect("written");
            };
            if [&one.name, &other.name].contains(&&MANIFEST_FILE.to_owned()) {
                judge(&subject, swap, &[]);
                continue;
            }
            let due =
                [(one.name.as_str(), FileProblem::Replaced), (other.name.as_str(), FileProblem::Replaced)];
            let report = judge(&subject, swap, &due).expect("a report");
            let finding = report.files.iter().find(|finding| finding.file == one.name).expect("found");
            assert!(finding.finding.contains(&format!("what belongs in {}", other.name)), "{finding:?}");
        }
    }
    assert_eq!(pairs, 15);
}

#[test]
fn a_file_of_another_snapshot_is_named() {
    let (subject, stranger) = (Subject::small_folder(), Subject::other_small_folder());
    let mut compared = 0;
    for (own, other) in subject.files().iter().zip(stranger.files()) {
        assert_eq!(own.name, other.name);
        if own.bytes == other.bytes {
            // No rows, or a text that is the same for every database with this schema.
            continue;
        }
        compared += 1;
        if own.name == MANIFEST_FILE {
            // Then it is the other snapshot, with files that are not its own.
            let copy = subject.duplicate();
            fs::write(copy.path.join(MANIFEST_FILE), &other.bytes).expect("written");
            let report = verify_at(&copy.path, VerifyLevel::Quick).expect("the other manifest is whole");
            assert!(report.files.len() >= 3, "{report:?}");
            continue;
        }
        let replace = |folder: &Path| fs::write(folder.join(&own.name), &other.bytes).expect("written");
        judge(&subject, replace, &[(own.name.as_str(), FileProblem::Changed)]);
    }
    assert_eq!(compared, 4);
}

#[test]
fn whatever_is_too_many_is_named_and_takes_nothing_from_the_proof() {
    let subject = Subject::small_folder();
    for name in [".DS_Store", "Thumbs.db", "notes.txt", "events.parquet", "SHA256SUMS.bak"] {
        let add = |folder: &Path| fs::write(folder.join(name), b"mine").expect("written");
        judge(&subject, add, &[(name, FileProblem::Surplus)]);
    }
    let add = |folder: &Path| {
        fs::create_dir(folder.join("more")).expect("made");
        fs::write(folder.join("one"), b"").expect("written");
    };
    judge(&subject, add, &[("more", FileProblem::Surplus), ("one", FileProblem::Surplus)]);
}
