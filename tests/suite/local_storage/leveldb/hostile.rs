//! Inputs of chance through what the fuzz target does with one.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::corpus::bodies::leveldb_store;

/// A batch, an entry of a block or an edit that is nearly one.
fn part() -> impl Strategy<Value = Vec<u8>> {
    let small = || prop_oneof![4 => 0_u8..4, 1 => any::<u8>()];
    let batch = (small(), vec((small(), vec(small(), 0..4)), 0..4)).prop_map(|(sequence, changes)| {
        let mut bytes = vec![sequence, 0, 0, 0, 0, 0, 0, 0, changes.len().to_le_bytes()[0], 0, 0, 0];
        for (kind, value) in changes {
            bytes.extend([kind % 3, 15]);
            bytes.extend(b"_http://h\0\x01abcd");
            bytes.push(value.len().to_le_bytes()[0]);
            bytes.extend(value);
        }
        bytes
    });
    prop_oneof![batch, vec(small(), 0..40), vec(any::<u8>(), 0..60)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if crate::local_storage::leveldb::truth::is_full() { 20_000 } else { 500 }, ..ProptestConfig::default() })]

    #[test]
    fn files_of_chance_are_listed_and_read_alike_or_refused(kind in 0..6_u8, parts in vec(part(), 0..5)) {
        let mut input = vec![kind];
        for part in &parts {
            input.push(part.len().min(255).to_le_bytes()[0]);
            input.extend(part.iter().take(255));
        }
        leveldb_store::run(&input);
    }
}
