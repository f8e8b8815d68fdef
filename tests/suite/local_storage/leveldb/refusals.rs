//! Databases that are not localStorage, and folders that are no database: refused by name, never read as empty.

use std::fs;
use std::path::Path;

use parklite::error::{Error, ErrorKind};
use parklite::local_storage::chromium::{Selection, list_leveldb, read_leveldb};
use parklite::run::Interrupt;

use crate::local_storage::leveldb::truth::*;
use crate::local_storage::leveldb::writer::*;

fn refused(folder: &Path) -> Error {
    let error = read_leveldb(folder, &Selection::default(), &Interrupt::new()).expect_err("refused");
    assert_eq!(list_leveldb(folder, &Interrupt::new()).expect_err("refused").to_string(), error.to_string());
    assert!(error.to_string().ends_with(&folder.display().to_string()), "{error}");
    error
}

fn with_log(changes: &[Change<'_>]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("000004.log"), log(&[batch(1, changes)])).expect("writing");
    Manifest::new(4, 5).write(folder.path());
    folder
}

#[test]
fn indexed_db_is_refused_by_its_comparator() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("000004.log"), log(&[batch(1, &[(b"\0\0\0\0", Some(b"v"))])]))
        .expect("writing");
    Manifest::of("idb_cmp1", 4, 5).write(folder.path());
    let error = refused(folder.path());
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(
        error.message().contains("IndexedDB")
            && error.hint_text().expect("there").contains("Local Storage/leveldb")
    );
    Manifest::of("rocksdb.Something", 4, 5).write(folder.path());
    assert!(refused(folder.path()).message().contains("\"rocksdb.Something\""));
}

#[test]
fn session_storage_and_settings_of_extensions_are_refused_by_their_keys() {
    let session: [Change<'_>; 3] = [
        (b"version", Some(b"1")),
        (b"namespace-1-https://a.example/", Some(b"0")),
        (b"map-0-key", Some(b"v\0")),
    ];
    let error = refused(with_log(&session).path());
    assert!(error.message().contains("Session Storage") && error.kind() == ErrorKind::Usage);
    let settings: [Change<'_>; 2] = [(b"VERSION", Some(b"1")), (b"_options", Some(b"{}"))];
    let error = refused(with_log(&settings).path());
    assert!(error.message().contains("\"_options\"") && error.message().contains("extensions"));
    assert_eq!(error.kind(), ErrorKind::Usage);
}

#[test]
fn a_newer_layout_is_refused_and_unknown_records_beside_known_ones_are_told() {
    let item = item_key("https://a.example", "k");
    let error = refused(with_log(&[(b"VERSION", Some(b"2")), (&item, Some(b"\x01v"))]).path());
    assert_eq!(error.kind(), ErrorKind::NewerFormat);
    assert!(error.message().contains("\"2\""));
    let folder = with_log(&[(b"VERSION", Some(b"1")), (&item, Some(b"\x01v")), (b"NEWS:\xff", Some(b"?"))]);
    let reading = read(folder.path());
    assert_eq!(items_of(&reading).len(), 1);
    assert!(is_incomplete(&reading) && tells(&reading, "left out: 1 record of an unknown kind"));
    assert!(tells(&reading, "\"NEWS:\\xff\""));
}

#[test]
fn a_folder_without_a_database_is_an_error_and_an_empty_database_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(refused(folder.path()).kind(), ErrorKind::Damaged);
    fs::create_dir(folder.path().join("000004.log")).expect("making a folder");
    assert_eq!(refused(folder.path()).kind(), ErrorKind::Damaged);
    assert_eq!(refused(&folder.path().join("missing")).kind(), ErrorKind::NotFound);
    let empty = with_log(&[(b"VERSION", Some(b"1"))]);
    let reading = read(empty.path());
    assert!(reading.storages.is_empty() && reading.problems.is_empty());
}
