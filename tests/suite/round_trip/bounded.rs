//! Neither memory nor threads show in what is written.

use std::collections::BTreeMap;
use std::path::Path;

use parklite::export::{ExportOptions, RequestedOrder, export};
use proptest::prelude::*;

use super::{describe, export_options, with_run};
use crate::fixtures::{self, Fixture};
use crate::property::arbitrary_database;

/// Limits in bytes and numbers of threads. Without memory, every frame that is to be sorted goes to disk by itself.
const WAYS: [(u64, usize); 4] = [(1 << 30, 1), (1 << 30, 4), (64 << 20, 2), (0, 2)];

/// Exports in all ways; the files of each, or the error in words.
fn in_all_ways(
    fixture: &Fixture,
    order_by: &[RequestedOrder],
) -> Vec<Result<BTreeMap<String, Vec<u8>>, String>> {
    let exported = |(way, (memory_limit_bytes, threads)): (usize, (u64, usize))| {
        let output = fixture.folder().join(format!("out {way}"));
        let options = ExportOptions {
            memory_limit_bytes,
            threads,
            verify: false,
            order_by: order_by.to_vec(),
            ..export_options(&output)
        };
        with_run(|run| export(&fixture.path, &options, run))
            .map(|_| files(&output))
            .map_err(|error| describe(&error))
    };
    WAYS.into_iter().enumerate().map(exported).collect()
}

pub(super) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).expect("a snapshot").map(|entry| entry.expect("a file").path());
    entries
        .map(|path| {
            let name = path.file_name().expect("named").to_string_lossy().into_owned();
            (name, std::fs::read(path).expect("reads"))
        })
        .collect()
}

#[test]
fn threads_and_memory_never_change_a_byte_of_any_fixture() {
    for case in fixtures::all_cases() {
        let fixture = fixtures::build(&case);
        let written = in_all_ways(&fixture, &[]);
        let first = written[0].as_ref().unwrap_or_else(|error| panic!("{case}: {error}"));
        assert!(!first.is_empty(), "{case}");
        assert!(written.iter().all(|other| other.as_ref() == Ok(first)), "{case}: ways differ");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn threads_and_memory_never_change_a_byte_of_a_random_database(
        recipe in arbitrary_database(),
        (pick, descending) in (any::<prop::sample::Index>(), any::<bool>()),
    ) {
        let fixture = Fixture::new("random");
        recipe.build(&fixture.path);
        let order_by: Vec<RequestedOrder> = recipe.tables.iter().map(|table| RequestedOrder {
            table: table.name.clone(),
            terms: vec![(pick.get(&table.columns).name.clone(), descending)],
        }).collect();
        let written = in_all_ways(&fixture, &order_by);
        if let Err(error) = &written[0] {
            // A virtual generated column holds no data to order by.
            prop_assert!(error.contains("not stored"), "{error}");
        }
        prop_assert!(written.iter().all(|other| *other == written[0]), "ways differ");
    }
}
