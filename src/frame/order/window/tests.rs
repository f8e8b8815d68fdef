//! Rows that come a little late are put in order, and cut as those that never were out of it.

use std::sync::LazyLock;

use arrow::array::{ArrayRef, AsArray, BinaryViewArray, Int64Array, UInt64Array};
use arrow::datatypes::{DataType, Field, Int64Type};
use proptest::prelude::*;

use super::*;
use crate::frame::Cuts;
use crate::frame::order::with_order_columns;

static NEVER: LazyLock<Interrupt> = LazyLock::new(Interrupt::new);

/// Nothing is held back for its bytes.
const ROOMY: u64 = 1 << 40;

/// The place of a row in the order, and its size.
type Row = (i64, u64);

fn schema() -> SchemaRef {
    with_order_columns(&Schema::new(vec![
        Field::new("place", DataType::Int64, true),
        Field::new("body", DataType::BinaryView, true),
    ]))
}

fn batch(rows: &[Row]) -> (RecordBatch, Vec<u128>) {
    let body = |&(place, _): &Row| (place % 3 != 0).then(|| place.to_be_bytes().repeat(small(place % 5)));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| Some(row.0)).collect::<Int64Array>()),
        Arc::new(rows.iter().map(body).collect::<BinaryViewArray>()),
        Arc::new(rows.iter().map(|row| Some(row.0.to_be_bytes())).collect::<BinaryViewArray>()),
        Arc::new(rows.iter().map(|row| Some(row.1)).collect::<UInt64Array>()),
    ];
    let hashes = rows.iter().map(|row| hash(row.0)).collect();
    (RecordBatch::try_new(schema(), columns).expect("columns of the schema"), hashes)
}

/// Such that a sum of them wraps around.
fn hash(place: i64) -> u128 {
    u128::from(place.cast_unsigned()).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
}

fn small(number: i64) -> usize {
    usize::try_from(number).expect("a small number")
}

/// What came out: rows, bytes and digest of each frame, with the rows' places.
#[derive(Debug, Default, PartialEq)]
struct Frames(Vec<(Vec<i64>, u64, ContentDigest)>);

impl Frames {
    fn take_ready(&mut self, window: &mut Window<'_>, cuts: &mut Cuts) {
        while let Some(frame) =
            window.next_frame(|rows, bytes| cuts.frame_ends(rows, bytes)).expect("gathered")
        {
            let places = frame.batch.column(0).as_primitive::<Int64Type>().values().to_vec();
            let rows: Vec<Row> = places.iter().map(|&place| (place, 0)).collect();
            let whole = batch(&rows).0.project(&[0, 1]).expect("two columns");
            assert_eq!(frame.batch, whole, "rows are whole");
            cuts.end_frame(frame.batch.num_rows() as u64, frame.bytes);
            self.0.push((places, frame.bytes, frame.digest));
        }
    }

    /// Those of rows in order.
    fn of(rows: &[Row]) -> Self {
        let (mut frames, mut cuts) = (Self::default(), Cuts::default());
        let (mut places, mut size, mut digest) = (Vec::new(), 0, ContentDigest::default());
        for (index, &(place, bytes)) in rows.iter().enumerate() {
            places.push(place);
            size += bytes;
            digest.row_count += 1;
            digest.sum = digest.sum.wrapping_add(hash(place));
            if cuts.frame_ends(places.len() as u64, size) || index + 1 == rows.len() {
                cuts.end_frame(places.len() as u64, size);
                frames.0.push((std::mem::take(&mut places), size, digest));
                (size, digest) = (0, ContentDigest::default());
            }
        }
        frames
    }
}

/// Sends rows through a window; `None` where one was too late.
fn pass(rows: &[Row], held_bytes: u64, batch_rows: usize) -> Result<Option<Frames>> {
    pass_batches(rows.chunks(batch_rows), held_bytes)
}

fn pass_batches<'r>(batches: impl Iterator<Item = &'r [Row]>, held_bytes: u64) -> Result<Option<Frames>> {
    let mut window = Window::new(&schema(), held_bytes, held_bytes / 8, &NEVER);
    let (mut frames, mut cuts) = (Frames::default(), Cuts::default());
    for rows in batches {
        let (batch, hashes) = batch(rows);
        if !window.push(batch, hashes)? {
            return Ok(None);
        }
        frames.take_ready(&mut window, &mut cuts);
    }
    window.end();
    frames.take_ready(&mut window, &mut cuts);
    Ok(Some(frames))
}

/// Rows of which some come up to `lateness` rows after their place.
fn almost_in_order(count: i64, lateness: i64, size: impl Fn(i64) -> u64) -> (Vec<Row>, Vec<Row>) {
    let in_order: Vec<Row> = (0..count).map(|place| (place, size(place))).collect();
    let mut late = in_order.clone();
    let comes_at = |place: i64| place + if place % 7 == 3 { place * 31 % (lateness + 1) } else { 0 };
    late.sort_by_key(|&(place, _)| (comes_at(place), std::cmp::Reverse(place)));
    (in_order, late)
}

#[test]
fn late_rows_are_put_in_order_and_cut_as_if_they_had_never_been_late() {
    let (in_order, late) = almost_in_order(100_000, 15_000, |place| place.cast_unsigned() % 100);
    assert_ne!(in_order, late);
    let frames = pass(&late, ROOMY, 5_000).expect("taken").expect("none is too late");
    assert!(frames == Frames::of(&in_order));
    assert_eq!(frames.0.len(), 7);
}

#[test]
fn a_row_later_than_the_window_is_told_and_one_just_within_is_not() {
    // What has been handed out when the last row comes is a frame of those that more than the window stand behind.
    for (rows, is_in_time) in [(16_384 + 32_768 - 1, true), (16_384 + 32_768, false)] {
        let before: Vec<Row> = (1..=rows).map(|place| (place, 8)).collect();
        let batches = before.chunks(10_000).chain(std::iter::once([(0, 8)].as_slice()));
        let passed = pass_batches(batches, ROOMY).expect("taken");
        assert_eq!(passed.is_some(), is_in_time, "{rows} rows before it");
    }
}

#[test]
fn what_is_held_back_is_bounded_in_bytes_as_well() {
    const SIZE: u64 = 1024 * 1024;
    // Frames of four rows; eight more are held back.
    for (before, is_in_time) in [(11, true), (12, false)] {
        let mut rows: Vec<Row> = (1..=before).map(|place| (place, SIZE)).collect();
        rows.push((0, SIZE));
        assert_eq!(pass(&rows, 8 * SIZE, 1).expect("taken").is_some(), is_in_time, "{before} rows before it");
    }
}

#[test]
fn a_row_larger_than_all_that_may_be_held_back_is_a_frame_in_its_place() {
    let rows: Vec<Row> = vec![(0, 10), (2, 1 << 30), (1, 10), (4, 10), (3, 1 << 30), (5, 10)];
    let mut in_order = rows.clone();
    in_order.sort_unstable();
    assert_eq!(pass(&rows, ROOMY, 2).expect("taken"), Some(Frames::of(&in_order)));
    let too_late = [(0, 10), (2, 1 << 30), (4, 1 << 30), (1, 10)];
    assert_eq!(pass(&too_late, 1 << 20, 1).expect("taken"), None, "it went before the one before it came");
}

#[test]
fn rows_with_one_key_are_refused_while_both_are_held_and_late_once_one_has_gone() {
    let error = pass(&[(1, 8), (2, 8), (1, 8)], ROOMY, 2).expect_err("twins");
    assert!(error.to_string().contains("same place"), "{error}");
    // The second comes when the first has been handed out as the last of its frame.
    let mut rows: Vec<Row> = (0..16_384 + 32_768).map(|place| (place, 8)).collect();
    rows.push((16_383, 8));
    assert_eq!(pass(&rows, ROOMY, 16_384).expect("taken"), None);
}

#[test]
fn batches_without_rows_and_a_window_without_any_are_nothing() {
    assert_eq!(pass(&[], ROOMY, 1).expect("taken"), Some(Frames::default()));
    let mut window = Window::new(&schema(), ROOMY, 0, &NEVER);
    let (nothing, none) = batch(&[]);
    assert!(window.push(nothing, none).expect("taken"));
    window.end();
    assert!(window.next_frame(|_, _| true).expect("nothing").is_none());
}

#[test]
fn batches_whose_rows_have_all_gone_are_let_go() {
    let mut window = Window::new(&schema(), 1, 0, &NEVER);
    for place in 0..100 {
        let (batch, hashes) = batch(&[(place, 8)]);
        assert!(window.push(batch, hashes).expect("taken"));
        let frame = window.next_frame(|_, _| true).expect("gathered");
        assert_eq!(frame.is_some(), place > 0, "one row is held back");
        assert!(window.batches.len() <= 1 && window.waiting.len() <= 1);
    }
}

/// Rows of which those that `is_early` come long before their place, which is at the end.
fn with_early_rows(count: i64, is_early: impl Fn(i64) -> bool) -> Vec<Row> {
    (0..count).map(|place| (if is_early(place) { place + (1 << 40) } else { place }, 1_000)).collect()
}

#[test]
fn rows_that_wait_long_keep_no_others_in_memory() {
    const BATCH_ROWS: usize = 200;
    const BATCH_BYTES: u64 = BATCH_ROWS as u64 * 1_000;
    const HELD_BYTES: u64 = 5 * BATCH_BYTES;
    let ways: [(&str, &dyn Fn(i64) -> bool); 3] = [
        ("one row", &|place| place == 50),
        ("one row of every batch", &|place| place % 200 == 50),
        ("all rows of some batches", &|place| place / 200 % 100 == 3),
    ];
    for (what, is_early) in ways {
        let rows = with_early_rows(100_000, is_early);
        let mut window = Window::new(&schema(), HELD_BYTES, BATCH_BYTES, &NEVER);
        let (mut frames, mut most) = (Frames::default(), 0);
        let mut take = |window: &mut Window<'_>| {
            while let Some(frame) = window.next_frame(|rows, _| rows == 300).expect("gathered") {
                let places = frame.batch.column(0).as_primitive::<Int64Type>().values().to_vec();
                frames.0.push((places, frame.bytes, frame.digest));
            }
        };
        for rows in rows.chunks(BATCH_ROWS) {
            let (batch, hashes) = batch(rows);
            assert!(window.push(batch, hashes).expect("taken"), "{what}");
            take(&mut window);
            let held = window.batches.iter().map(|held| held.keyed.rows()).sum::<usize>() as u64 * 1_000;
            most = held.max(most);
            assert!(window.batches.len() < 50, "{what}: {} batches", window.batches.len());
        }
        window.end();
        take(&mut window);
        // Once a frame has gone, and with less than one.
        assert!(most <= HELD_BYTES + 3 * BATCH_BYTES + 300_000, "{what}: {most} bytes");
        let mut in_order = rows.clone();
        in_order.sort_unstable();
        let digests = in_order.chunks(300).map(|rows| {
            let sum = rows.iter().fold(0_u128, |sum, row| sum.wrapping_add(hash(row.0)));
            let digest = ContentDigest { row_count: rows.len() as u64, sum };
            (rows.iter().map(|row| row.0).collect(), rows.len() as u64 * 1_000, digest)
        });
        assert!(frames.0 == digests.collect::<Vec<_>>(), "{what}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rows_come_out_in_order_or_are_told_to_be_too_late(
        count in 0_i64..1_500,
        lateness in 0_i64..400,
        batch_rows in 10_usize..300,
        held_kib in 0_u64..400_000,
        size in 0_u64..2_000_000,
        early in prop_oneof![Just(0_i64), 1_i64..40],
    ) {
        let (in_order, late) = almost_in_order(count, lateness, |place| 1 + size * (place.cast_unsigned() % 11) / 7);
        let passed = pass(&late, held_kib * 1024, batch_rows).expect("taken");
        if let Some(frames) = &passed {
            prop_assert!(*frames == Frames::of(&in_order));
        }
        // Some rows come very early: they wait, unless there is no room for them, and then others are late.
        let is_early = |place: i64| early > 0 && place % 97 < early && place * 31 % 7 == 0;
        let rows = with_early_rows(count, is_early);
        let mut sorted = rows.clone();
        sorted.sort_unstable();
        if let Some(frames) = pass(&rows, held_kib * 1024, batch_rows).expect("taken") {
            prop_assert!(frames == Frames::of(&sorted));
        }
        // Whatever is not late at all passes through any window.
        prop_assert!(pass(&in_order, held_kib * 1024, batch_rows).expect("taken") == Some(Frames::of(&in_order)));
        let all: u64 = in_order.iter().map(|row| row.1).sum();
        prop_assert!(passed.is_some() || all > held_kib * 1024);
    }
}
