//! The round trip: every database goes to a snapshot and comes back identical.
//!
//! Judged by SQL over both files (`judge`) and by what each recipe says about its own content, never by
//! parklite's digests alone.

mod abreast;
mod almost_in_order;
mod bounded;
mod cases;
mod linked_pages;
mod not_kept;
mod orders;
mod other_collations;
mod out_of_place;
mod random;
mod side_by_side;
mod sources;
mod special;

use std::path::{Path, PathBuf};
use std::time::Duration;

use parklite::clock::FixedClock;
use parklite::durable::Existing;
use parklite::error::Result;
use parklite::export::{ExportOptions, ExportReport, Selection, export};
use parklite::parquet_file::WriterSettings;
use parklite::progress::Silent;
use parklite::restore::{ExistingDatabase, RestoreOptions, RestoreReport, restore};
use parklite::run::{Interrupt, Run};
use parklite::sqlite::open::OpenOptions;
use parklite::verify::{VerifyLevel, VerifyOptions, VerifyReport, verify};

pub(crate) use almost_in_order::visits;

use crate::fixtures::Fixture;
use crate::judge;

const MEMORY: u64 = 64 << 20;

/// Runs a verb with nobody listening, at a fixed time.
pub(crate) fn with_run<T>(verb: impl FnOnce(Run<'_>) -> T) -> T {
    let clock = FixedClock("2026-11-20T09:30:00Z".parse().expect("a time"));
    verb(Run { progress: &Silent, clock: &clock, interrupt: &Interrupt::new() })
}

pub(crate) fn export_options(output: &Path) -> ExportOptions {
    ExportOptions {
        output: Some(output.to_path_buf()),
        existing: Existing::Refuse,
        selection: Selection::default(),
        order_by: Vec::new(),
        settings: WriterSettings::default(),
        memory_limit_bytes: MEMORY,
        threads: 2,
        verify: true,
        strict: false,
        check_source: false,
        copy_first: false,
        temp_folder: None,
        open: OpenOptions { allow_empty: true, ..OpenOptions::default() },
    }
}

pub(crate) fn restore_options() -> RestoreOptions {
    RestoreOptions {
        existing: ExistingDatabase::Refuse,
        verify: true,
        strict: false,
        memory_limit_bytes: MEMORY,
        temp_folder: None,
        busy_timeout: Duration::from_secs(5),
    }
}

pub(crate) fn export_to(fixture: &Fixture, name: &str) -> (PathBuf, ExportReport) {
    let snapshot = fixture.folder().join(name);
    let report = with_run(|run| export(&fixture.path, &export_options(&snapshot), run));
    (snapshot, report.unwrap_or_else(|error| panic!("{}: {}", fixture.name, describe(&error))))
}

pub(crate) fn restore_from(fixture: &Fixture, snapshot: &Path, name: &str) -> (PathBuf, RestoreReport) {
    let restored = fixture.folder().join(name);
    let report = with_run(|run| restore(snapshot, &restored, &restore_options(), run));
    (restored, report.unwrap_or_else(|error| panic!("{}: {}", fixture.name, describe(&error))))
}

pub(crate) fn verify_at(snapshot: &Path, level: VerifyLevel) -> Result<VerifyReport> {
    verify_with(snapshot, level, false)
}

/// Verifies, and asks the second decoder too where `independent`.
pub(crate) fn verify_with(snapshot: &Path, level: VerifyLevel, independent: bool) -> Result<VerifyReport> {
    let options =
        VerifyOptions { level, independent, memory_limit_bytes: MEMORY, threads: 2, temp_folder: None };
    with_run(|run| verify(snapshot, &options, run))
}

/// An error with all its causes.
pub(crate) fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Export, verify, restore; the judge compares. Returns the restored database.
pub(crate) fn round_trip(fixture: &Fixture) -> PathBuf {
    let (snapshot, exported) = export_to(fixture, "snapshot");
    assert!(exported.not_kept.is_empty(), "{}: {:?}", fixture.name, exported.not_kept);
    let verified = verify_with(&snapshot, VerifyLevel::Restore, true);
    let verified = verified.unwrap_or_else(|error| panic!("{}", describe(&error)));
    assert!(verified.intact && verified.independent, "{}: {verified:?}", fixture.name);
    let (restored, _) = restore_from(fixture, &snapshot, "restored.db");
    judge::same_database(&fixture.path, &restored);
    restored
}
