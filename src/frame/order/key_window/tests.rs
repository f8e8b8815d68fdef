//! Whatever rows come in whatever order, each leaves once, and what leaves in order is in order.

use proptest::prelude::*;

use super::*;

/// What has left, and what stays.
#[derive(Default)]
struct Watch {
    window: KeyWindow<usize>,
    in_order: Vec<i64>,
    astray: Vec<i64>,
    batches: usize,
}

/// What a row takes in these tests, in bytes.
const ROW_BYTES: u64 = 10;
const ROOMY: Room = Room { rows: 1_000, bytes: u64::MAX };

impl Watch {
    fn of(rows: &[i64], batch_rows: usize, room: Room) -> Self {
        let mut watch = Self::default();
        for batch in rows.chunks(batch_rows) {
            watch.push(batch);
            watch.leave(room);
        }
        watch
    }

    fn push(&mut self, rows: &[i64]) {
        let mut keys = Keys::default();
        for &row in rows {
            keys.push(|bytes| bytes.extend_from_slice(&key(row)));
        }
        assert_eq!((keys.len(), keys.is_empty()), (rows.len(), rows.is_empty()));
        self.window.push(self.batches, keys, ROW_BYTES * rows.len() as u64);
        self.batches += 1;
    }

    fn leave(&mut self, room: Room) {
        while let Some(leaving) = self.window.leave(room) {
            let (places, left) = match leaving {
                Leaving::InOrder(places) => (places, &mut self.in_order),
                Leaving::Astray(places) => (places, &mut self.astray),
            };
            assert!(!places.is_empty(), "somebody leaves each time");
            for place in places {
                assert_eq!(*self.window.content(place.0), place.0, "a batch is there with its rows");
                left.push(row(self.window.key(place)));
            }
        }
    }

    fn waiting(&self) -> usize {
        self.window.main.len() + self.window.strays.len()
    }

    fn finish(mut self) -> (Vec<i64>, Vec<i64>) {
        self.leave(Room::NONE);
        assert_eq!((self.window.batches.len(), self.window.bytes, self.waiting()), (0, 0, 0));
        (self.in_order, self.astray)
    }
}

fn key(row: i64) -> [u8; 8] {
    (row.cast_unsigned() ^ 1 << 63).to_be_bytes()
}

fn row(key: &[u8]) -> i64 {
    (u64::from_be_bytes(key.try_into().expect("eight bytes")) ^ 1 << 63).cast_signed()
}

fn sorted(mut rows: Vec<i64>) -> Vec<i64> {
    rows.sort_unstable();
    rows
}

#[test]
fn rows_that_come_a_little_late_or_early_leave_in_order() {
    let rows = 0..5_000_i64;
    let displaced: [fn(i64) -> i64; 4] = [
        // Single late rows, single early ones, bursts among others, and a burst by itself.
        |row| if row % 50 == 7 { row + 300 } else { row },
        |row| if row % 50 == 7 { row - 300 } else { row },
        |row| if row % 400 < 200 { row - 350 } else { row },
        |row| if row % 1_000 < 100 { row + 600 } else { row },
    ];
    for (way, place) in displaced.iter().enumerate() {
        let mut rows: Vec<i64> = rows.clone().collect();
        rows.sort_by_key(|&row| place(row));
        assert_ne!(rows, sorted(rows.clone()));
        for batch_rows in [1, 64, 5_000] {
            let (in_order, astray) = Watch::of(&rows, batch_rows, ROOMY).finish();
            assert_eq!((in_order, astray), (sorted(rows.clone()), vec![]), "way {way}, {batch_rows} rows");
        }
    }
}

#[test]
fn most_rows_that_are_almost_in_order_never_become_strays() {
    let mut rows: Vec<i64> = (0..5_000).collect();
    rows.sort_by_key(|&row| if row % 50 == 7 { row + 300 } else { row });
    let mut watch = Watch::default();
    watch.push(&rows);
    assert_eq!((watch.window.main.len(), watch.window.strays.len()), (4_900, 100));
    // Nor where so many came too early that nobody looks back far enough.
    let mut rows: Vec<i64> = (9_000..9_500).chain(0..5_000).collect();
    let mut watch = Watch::default();
    watch.push(&rows);
    assert_eq!(watch.window.strays.len(), 500 + STRAYS_IN_SUCCESSION);
    rows.sort_unstable();
    assert_eq!(watch.finish(), (rows, vec![]));
}

#[test]
fn a_row_later_than_there_is_room_for_goes_astray_and_the_others_do_not() {
    let mut rows: Vec<i64> = (0..5_000).filter(|&row| row != 17).collect();
    rows.insert(4_000, 17);
    let (in_order, astray) = Watch::of(&rows, 100, ROOMY).finish();
    assert_eq!(astray, [17]);
    assert_eq!(in_order, (0..5_000).filter(|&row| row != 17).collect::<Vec<_>>());
}

#[test]
fn a_row_far_too_early_goes_astray_where_its_batch_cannot_stay() {
    let mut rows: Vec<i64> = (0..5_000).collect();
    rows.insert(50, 1_000_000);
    let tight = Room { rows: 1_000, bytes: 600 * ROW_BYTES };
    let (in_order, astray) = Watch::of(&rows, 100, tight).finish();
    assert_eq!((in_order, astray), ((0..5_000).collect(), vec![1_000_000]));
    // With memory for all batches it just waits.
    let (in_order, astray) = Watch::of(&rows, 100, ROOMY).finish();
    assert_eq!((in_order, astray), (sorted(rows), vec![]));
}

#[test]
fn rows_in_no_order_mostly_go_astray() {
    let rows: Vec<i64> = (0..20_000).map(|row| row * 7_919 % 20_011).collect();
    let (in_order, astray) = Watch::of(&rows, 100, ROOMY).finish();
    assert!(astray.len() > 15_000, "{}", astray.len());
    assert_eq!(in_order.len() + astray.len(), rows.len());
}

#[test]
fn equal_keys_leave_both() {
    let (in_order, astray) = Watch::of(&[1, 2, 2, 3, 1, 3], 2, ROOMY).finish();
    assert_eq!((in_order, astray), (vec![1, 1, 2, 2, 3, 3], vec![]));
}

#[test]
fn keys_of_some_rows_are_those_keys() {
    let mut keys = Keys::default();
    for key in [&b"one"[..], b"", b"three"] {
        keys.push(|bytes| bytes.extend_from_slice(key));
    }
    let some = keys.of_rows(1..3);
    assert_eq!((some.len(), some.get(0), some.get(1)), (2, &b""[..], &b"three"[..]));
    assert!(keys.of_rows(2..2).is_empty() && keys.memory_bytes() >= 8);
}

proptest! {
    #[test]
    fn each_row_leaves_once_and_no_more_stays_than_there_is_room_for(
        rows in prop::collection::vec(-60_i64..60, 0..400),
        batch_rows in 1_usize..50,
        (most_rows, most_bytes) in (0_usize..100, 0_u64..1_000),
    ) {
        let room = Room { rows: most_rows, bytes: most_bytes };
        let mut watch = Watch::default();
        for batch in rows.chunks(batch_rows) {
            watch.push(batch);
            watch.leave(room);
            prop_assert!(watch.waiting() <= most_rows);
            prop_assert!(watch.window.bytes <= most_bytes);
        }
        let (in_order, astray) = watch.finish();
        prop_assert!(in_order.is_sorted(), "{in_order:?}");
        prop_assert_eq!(sorted([in_order, astray].concat()), sorted(rows));
    }
}
