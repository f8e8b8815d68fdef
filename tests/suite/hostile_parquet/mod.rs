//! Forged Parquet: files made by somebody who knows our format and means harm, with every hash in them made to fit.
//!
//! `forge` takes a file of ours apart and puts it together again, `thrift` writes footers and page headers that no
//! library would. `footers`, `pages`, `values` and `files` are the corpus, each forgery a name and what it changes;
//! `trial` gives one to the program under a hard limit on its address space; `mutations` makes up thousands more.
//!
//! Whatever is in a file, the program ends in an error that it has words for, in seconds, and publishes nothing.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::print_stdout,
    reason = "sizes of files that fit a test, numbers that are to be wrong, and counts that a run reports"
)]

mod files;
mod footers;
mod forge;
mod mutations;
mod pages;
mod thrift;
mod trial;
mod values;

use forge::Forge;
use trial::{Trial, Verdict};

/// A forgery: what it is, and what it does to a file of ours.
type Forgery = (&'static str, Verdict, fn(&mut Forge));

/// The same for what is no sequence of pages and footer any more.
type RawForgery = (&'static str, Verdict, fn(Forge) -> Vec<u8>);

#[test]
fn a_file_that_is_only_put_together_again_is_whole() {
    let trial = Trial::new();
    let mut forge = trial.forge();
    forge.lay_out();
    trial.passes(&forge.bytes());
}

#[test]
fn every_forged_footer_is_refused() {
    let trial = Trial::new();
    for (name, verdict, change) in footers::FORGERIES {
        let mut forge = trial.forge();
        change(&mut forge);
        trial.judge(name, *verdict, &forge.bytes());
    }
    trial.finish();
}

#[test]
fn every_forged_page_is_refused() {
    let trial = Trial::new();
    for (name, verdict, change) in pages::FORGERIES.iter().chain(values::FORGERIES) {
        let mut forge = trial.forge();
        change(&mut forge);
        forge.lay_out();
        trial.judge(name, *verdict, &forge.bytes());
    }
    trial.finish();
}

#[test]
fn every_file_that_is_none_is_refused() {
    let trial = Trial::new();
    for (name, verdict, make) in files::FORGERIES {
        trial.judge(name, *verdict, &make(trial.forge()));
    }
    trial.finish();
}

#[test]
fn a_forged_file_in_a_folder_is_refused_as_one_by_itself_is() {
    let trial = Trial::new();
    for (name, _, change) in pages::FORGERIES.iter().chain(values::FORGERIES) {
        let mut forge = trial.forge();
        change(&mut forge);
        forge.lay_out();
        trial.judge_in_folder(name, &forge);
    }
    trial.finish();
}

#[test]
fn footers_that_would_bring_any_decoder_down_break_the_bounds_of_every_writer() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("forged.parquet");
    let trial = Trial::new();
    let mut count = 0;
    for (name, _, change) in footers::FORGERIES {
        if !footers::DEADLY.contains(name) {
            continue;
        }
        let mut forge = trial.forge();
        change(&mut forge);
        std::fs::write(&path, forge.bytes()).expect("written");
        let error = parklite::parquet_file::check_footer_bounds(&path).expect_err(name);
        assert_eq!(error.kind(), parklite::error::ErrorKind::Damaged, "{name}");
        count += 1;
    }
    assert_eq!(count, footers::DEADLY.len(), "each of them is in the corpus");
}

#[test]
fn the_corpus_is_as_large_as_is_said() {
    let count =
        footers::FORGERIES.len() + pages::FORGERIES.len() + values::FORGERIES.len() + files::FORGERIES.len();
    println!("{count} forged files");
    assert!(count >= 150, "{count}");
}
