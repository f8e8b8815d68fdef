//! Files that were damaged, files that were ours, and what the columns of a file are said to become. What becomes of
//! values is judged in `tests/`, through the program.

use std::ops::ControlFlow;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Once;

use super::*;
use crate::parquet_file::is_decoding;
use crate::parquet_file::seal::{CHUNKS_OFFSET, FILE_TAG_OFFSET};
use crate::parquet_file::testing::{Folder, small_file};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/foreign").join(name)
}

/// The decoder's panics are expected and told as errors: without this, each prints where it happened.
fn silence_the_decoder() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !is_decoding() {
                usual(panic);
            }
        }));
    });
}

/// How many rows can be read, or why not.
fn read(path: &Path) -> Result<u64> {
    let mut rows = 0;
    ForeignFile::open(path)?.for_each_row(1 << 20, |_| {
        rows += 1;
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(rows)
}

#[test]
fn no_flipped_bit_and_no_truncation_is_a_panic() {
    silence_the_decoder();
    let folder = Folder::new();
    let path = folder.file("damaged.parquet");
    let (mut refused, mut read_to_the_end) = (0, 0);
    for name in ["hand_deep.parquet", "hand_lists.parquet", "hand_maps.parquet", "hand_numbers.parquet"] {
        let whole = std::fs::read(fixture(name)).expect("a fixture");
        std::fs::write(&path, &whole).expect("written");
        // Changed in place: some file systems wait for the disk when a file is written anew.
        let file = File::options().write(true).open(&path).expect("opened");
        let mut look = || match read(&path) {
            Ok(_) => read_to_the_end += 1,
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Failed), "{error:?}");
                assert_eq!(error.place().path.as_deref(), Some(path.as_path()), "{error:?}");
                refused += 1;
            }
        };
        for bit in 0..whole.len() * 8 {
            let (at, byte) = ((bit / 8) as u64, whole[bit / 8]);
            file.write_all_at(&[byte ^ 1 << (bit % 8)], at).expect("damaged");
            look();
            file.write_all_at(&[byte], at).expect("healed");
        }
        for length in (0..whole.len()).rev() {
            file.set_len(length as u64).expect("cut");
            look();
        }
    }
    assert!(refused > 10_000 && read_to_the_end > 1_000, "{refused} refused, {read_to_the_end} read");
}

#[test]
fn a_damaged_file_of_our_own_is_never_a_foreign_one() {
    let folder = Folder::new();
    let path = folder.file("own.parquet");
    small_file(&path);
    let whole = std::fs::read(&path).expect("read");
    assert_eq!(origin_of(&path).expect("whole"), Origin::Parklite);
    let origin = |bytes: &[u8]| {
        let damaged = folder.file("damaged.parquet");
        std::fs::write(&damaged, bytes).expect("written");
        origin_of(&damaged)
    };
    for bit in FILE_TAG_OFFSET * 8..CHUNKS_OFFSET * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(origin(&bytes).expect("readable"), Origin::DamagedParklite, "bit {bit}");
        // Not even where the footer says nothing any more.
        bytes.truncate(whole.len() / 2);
        assert_eq!(origin(&bytes).expect("readable"), Origin::DamagedParklite, "bit {bit}");
    }
    let mut bytes = whole.clone();
    bytes[FILE_TAG_OFFSET..CHUNKS_OFFSET].fill(0);
    assert_eq!(origin(&bytes).expect("readable"), Origin::DamagedParklite);
    let foreign = std::fs::read(fixture("hand_numbers.parquet")).expect("a fixture");
    assert_eq!(origin(&foreign).expect("readable"), Origin::Foreign);
}

#[test]
fn types_are_told_in_parquets_words() {
    let words = |name: &str| -> Vec<(String, String)> {
        let file = ForeignFile::open(&fixture(name)).expect("a fixture");
        file.columns().iter().map(|column| (column.name.clone(), column.parquet_type.clone())).collect()
    };
    let expect = |name: &str, expected: &[(&str, &str)]| {
        let told = words(name);
        for (column, words) in expected {
            let found = told.iter().find(|(name, _)| name == column).map(|(_, words)| words.as_str());
            assert_eq!(found, Some(*words), "{name}: {column}");
        }
    };
    expect(
        "hand_old_annotations.parquet",
        &[
            ("utf8", "STRING (BYTE_ARRAY)"),
            ("at ms", "TIMESTAMP(MILLIS, UTC) (INT64)"),
            ("u64", "UINT64 (INT64)"),
            ("i64", "INT64"),
            ("interval", "INTERVAL (FIXED_LEN_BYTE_ARRAY(12))"),
            ("plain", "BYTE_ARRAY"),
        ],
    );
    expect(
        "hand_times.parquet",
        &[
            ("us", "TIMESTAMP(MICROS, local) (INT64)"),
            ("time ns", "TIME(NANOS, UTC) (INT64)"),
            ("int96", "INT96"),
        ],
    );
    expect(
        "hand_lists.parquet",
        &[
            ("three", "LIST<INT32>"),
            ("two", "LIST<INT32>"),
            ("structs", "LIST<STRUCT<a: INT32, b: STRING>>"),
            ("bare structs", "LIST<STRUCT<a: INT32, l: LIST<INT32>>>"),
        ],
    );
    expect(
        "hand_maps.parquet",
        &[("new", "MAP<STRING, DOUBLE>"), ("old", "MAP<UINT64, STRING>"), ("set", "LIST<STRING>")],
    );
    expect(
        "hand_odd_types.parquet",
        &[("future", "unknown logical type 99 (BYTE_ARRAY)"), ("nothing", "NULL (INT32)")],
    );
}

/// What other programs make of a file of ours may carry its keys along.
#[test]
fn a_file_that_another_program_rewrote_is_that_programs() {
    let folder = Folder::new();
    let path = folder.file("rewritten.parquet");
    let written_by = |program: &str| {
        let schema =
            parquet::schema::parser::parse_message_type("message m { required int32 a; }").expect("a schema");
        let key = parquet::file::metadata::KeyValue::new("parklite.table".to_string(), "{}".to_string());
        let properties = parquet::file::properties::WriterProperties::builder()
            .set_created_by(program.to_string())
            .set_key_value_metadata(Some(vec![key]))
            .build();
        let file = std::fs::File::create(&path).expect("made");
        parquet::file::writer::SerializedFileWriter::new(file, schema.into(), properties.into())
            .and_then(parquet::file::writer::SerializedFileWriter::close)
            .expect("written");
        origin_of(&path).expect("readable")
    };
    assert_eq!(written_by("parquet-cpp-arrow version 26.0.1"), Origin::Foreign);
    assert_eq!(written_by("parklite 0.1.0"), Origin::DamagedParklite);
}
