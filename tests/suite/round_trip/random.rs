//! The round trip of random databases; shrunk failures are kept in `tests/proptest-regressions/`.
//!
//! `PARKLITE_RANDOM_CASES` says how many each test makes, for a longer run than usual.

use parklite::export::{ExportOptions, RequestedOrder, export};
use proptest::prelude::*;

use super::{describe, export_options, restore_from, round_trip, with_run};
use crate::fixtures::Fixture;
use crate::judge;
use crate::property::arbitrary_database;

fn cases() -> ProptestConfig {
    let cases = std::env::var("PARKLITE_RANDOM_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig::with_cases(cases.unwrap_or(64))
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn random_databases_come_back(recipe in arbitrary_database()) {
        let fixture = Fixture::new("random");
        recipe.build(&fixture.path);
        round_trip(&fixture);
    }

    #[test]
    fn random_databases_come_back_from_random_orders(
        recipe in arbitrary_database(),
        picks in proptest::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 1..3),
    ) {
        let fixture = Fixture::new("random");
        recipe.build(&fixture.path);
        let order_by = recipe.tables.iter().map(|table| RequestedOrder {
            table: table.name.clone(),
            terms: picks.iter().map(|(pick, descending)| {
                (pick.get(&table.columns).name.clone(), *descending)
            }).collect(),
        });
        let snapshot = fixture.folder().join("snapshot");
        let options = ExportOptions { order_by: order_by.collect(), ..export_options(&snapshot) };
        match with_run(|run| export(&fixture.path, &options, run)) {
            Ok(_) => {}
            // A virtual generated column holds no data to order by.
            Err(error) if error.to_string().contains("not stored") => return Ok(()),
            Err(error) => panic!("{}", describe(&error)),
        }
        let (restored, _) = restore_from(&fixture, &snapshot, "restored.db");
        judge::same_database(&fixture.path, &restored);
    }
}
