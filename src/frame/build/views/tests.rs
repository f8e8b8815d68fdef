//! Views of our own are the same as Arrow's.

use arrow::array::{Array, BinaryViewBuilder, StringViewBuilder};
use arrow::buffer::NullBuffer;
use proptest::prelude::*;

use super::*;

fn nulls<T>(values: &[Option<T>]) -> Option<NullBuffer> {
    values.iter().any(Option::is_none).then(|| values.iter().map(Option::is_some).collect())
}

fn views<T: AsRef<[u8]>>(values: &[Option<T>], room: Room) -> Views {
    let mut views = Views::new(room);
    for value in values {
        match value {
            Some(value) => views.push(value.as_ref()),
            None => views.push_empty(1),
        }
    }
    views
}

/// Around the size that still lies in a view, around the sizes of blocks, and anything else.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![8 => 0_usize..30, 2 => 200_usize..300, 2 => 8_000_usize..9_000, 1 => 0_usize..70_000]
}

fn room() -> impl Strategy<Value = Room> {
    prop_oneof![
        Just(Room::default()),
        (1_usize..200, 0_usize..600_000).prop_map(|(rows, bytes)| Room { rows, bytes })
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn blobs_are_those_that_arrows_own_builder_makes(
        values in prop::collection::vec(prop::option::of((size(), any::<u8>())), 0..80),
        room in room(),
    ) {
        let values: Vec<Option<Vec<u8>>> = values.into_iter().map(|value| {
            value.map(|(size, first)| (0..size).map(|at| first.wrapping_add(at.to_le_bytes()[0])).collect())
        }).collect();
        let ours = views(&values, room);
        prop_assert_eq!(ours.room().rows, values.len());
        let outside = values.iter().flatten().map(Vec::len).filter(|&size| size > 12).sum::<usize>();
        prop_assert_eq!(ours.room().bytes, outside);
        let ours = ours.finish_blobs(nulls(&values));
        // Checked as data of strangers is.
        ours.to_data().validate_full().expect("valid views");
        let mut arrows = BinaryViewBuilder::new();
        for value in &values {
            arrows.append_option(value.as_ref());
        }
        prop_assert_eq!(&ours, &arrows.finish());
        prop_assert_eq!(ours.iter().map(|value| value.map(<[u8]>::to_vec)).collect::<Vec<_>>(), values);
    }

    #[test]
    fn texts_are_those_that_arrows_own_builder_makes(
        values in prop::collection::vec(prop::option::of(("\\PC{0,6}", 0_usize..2_000)), 0..80),
        room in room(),
    ) {
        let values: Vec<Option<String>> =
            values.into_iter().map(|value| value.map(|(text, times)| text.repeat(times % 7 * times % 300))).collect();
        let ours = views(&values, room).finish_text(nulls(&values));
        ours.to_data().validate_full().expect("valid views of UTF-8");
        let mut arrows = StringViewBuilder::new();
        for value in &values {
            arrows.append_option(value.as_ref());
        }
        prop_assert_eq!(&ours, &arrows.finish());
        prop_assert_eq!(ours.iter().map(|value| value.map(str::to_owned)).collect::<Vec<_>>(), values);
    }
}
