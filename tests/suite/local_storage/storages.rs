//! Storages with strings of every kind.

use parklite::local_storage::code_units::CodeUnits;
use parklite::local_storage::item::Item;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::fixtures::Random;

/// Units that are special to some format, and one of each kind.
pub(crate) const UNITS: [u16; 40] = [
    0x00, 0x01, 0x08, 0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x1B, 0x1F, 0x20, 0x22, 0x24, 0x27, 0x2F, 0x5C, 0x5D,
    0x60, 0x61, 0x7B, 0x7D, 0x7F, 0x85, 0xE9, 0xFF, 0x100, 0x7FF, 0x800, 0x2028, 0x2029, 0x6F22, 0xD7FF,
    0xD83D, 0xDBFF, 0xDC00, 0xDE00, 0xE000, 0xFEFF, 0xFFFE, 0xFFFF,
];

/// Any string, most often one with units that are special.
pub(crate) fn units() -> impl Strategy<Value = Vec<u16>> {
    let unit = prop_oneof![
        4 => prop::sample::select(&UNITS[..]),
        2 => 0x20_u16..0x7F,
        1 => any::<u16>(),
    ];
    vec(unit, 0..12)
}

/// Any storage, by key.
pub(crate) fn storage() -> impl Strategy<Value = Vec<Item>> {
    btree_map(units(), units(), 0..6).prop_map(items)
}

/// A storage out of numbers.
pub(crate) fn random_storage(random: &mut Random) -> Vec<Item> {
    let mut units = || -> Vec<u16> { (0..random.below(12)).map(|_| *random.one_of(&UNITS)).collect() };
    items((0..6).map(|_| (units(), units())).collect())
}

fn items(pairs: std::collections::BTreeMap<Vec<u16>, Vec<u16>>) -> Vec<Item> {
    let item = |(key, value)| Item { key: CodeUnits::new(key), value: CodeUnits::new(value) };
    pairs.into_iter().map(item).collect()
}
