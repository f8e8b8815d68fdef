//! Every input that fuzzing kept, once more: what it found stays found.

use std::fs;
use std::path::Path;

#[path = "../../fuzz/bodies/mod.rs"]
#[expect(unreachable_pub, reason = "they are public in the crate of the fuzz targets")]
pub(crate) mod bodies;

/// Calls `run` with every input of a target's corpus.
fn replay(target: &str, run: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let inputs: Vec<_> =
        fs::read_dir(&folder).expect("a corpus").collect::<Result<_, _>>().expect("is listed");
    for input in &inputs {
        run(&fs::read(input.path()).expect("is read"));
    }
    assert!(inputs.len() >= 20, "{target} has a corpus of {}", inputs.len());
}

#[test]
fn values_and_sqlite_files_of_browsers_of_the_corpus() {
    replay("browser_database", bodies::browser_database::run);
}

#[test]
fn schemas_of_the_corpus() {
    replay("ddl_checker", bodies::ddl_checker::run);
}

#[test]
fn dumps_of_local_storage_of_the_corpus() {
    replay("dump", bodies::dump::run);
}

#[test]
fn mapping_files_of_the_corpus() {
    replay("mapping_file", bodies::mapping_file::run);
}

#[test]
fn values_of_local_storage_of_the_corpus() {
    replay("stored_value", bodies::stored_value::run);
}

#[test]
fn footers_of_the_corpus() {
    replay("footer_check", bodies::footer_check::run);
}

#[test]
fn databases_of_browsers_of_the_corpus() {
    replay("leveldb_store", bodies::leveldb_store::run);
}

#[test]
fn manifests_of_the_corpus() {
    replay("manifest", bodies::manifest::run);
}

#[test]
fn single_files_of_the_corpus() {
    replay("single_file", bodies::single_file::run);
}
