//! What is dealt out comes back whole and in order, however keys are spread, and leaves nothing behind.

use std::fs::{self, OpenOptions};
use std::sync::LazyLock;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

static NEVER: LazyLock<Interrupt> = LazyLock::new(Interrupt::new);

type Rows = Vec<(Vec<u8>, Vec<u8>)>;

/// Deals rows out with as many readers as there are parts of them, and takes them back.
struct Trip {
    folder: TempDir,
    splitters: Arc<Splitters>,
    memory_bytes: u64,
}

impl Trip {
    fn new(sample: Vec<Vec<u8>>, parts: usize, memory_bytes: u64) -> Self {
        let splitters = Arc::new(Splitters::of_sample(sample, parts));
        Self { folder: tempfile::tempdir().expect("a folder"), splitters, memory_bytes }
    }

    fn deal_out(&self, readers: &[Rows]) -> PartitionedRows<'static> {
        let dealt = readers.iter().map(|rows| {
            let mut partitions =
                Partitions::new(Arc::clone(&self.splitters), self.folder.path(), self.memory_bytes / 2);
            for (key, row) in rows {
                partitions.push(key, row).expect("on disk");
            }
            partitions.settle().expect("on disk");
            partitions
        });
        PartitionedRows::new(dealt.collect(), self.memory_bytes, &NEVER)
    }

    fn files(&self) -> usize {
        fs::read_dir(self.folder.path()).expect("the folder is there").count()
    }
}

/// All rows as they come back, and the most rows of one range.
fn take_all(rows: &mut PartitionedRows<'_>) -> Result<(Vec<Vec<u8>>, usize)> {
    let (mut all, mut most) = (Vec::new(), 0);
    while let Some(range) = rows.next_range(SortedRows::default())? {
        let before = all.len();
        all.extend(range.rows().map(<[u8]>::to_vec));
        most = most.max(all.len() - before);
    }
    Ok((all, most))
}

fn in_order(readers: &[Rows]) -> Vec<Vec<u8>> {
    let mut rows: Rows = readers.concat();
    rows.sort();
    rows.into_iter().map(|(_, row)| row).collect()
}

/// Repeatable noise: the multiplier of Knuth's MMIX generator, the upper bits of its state.
fn noise(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % below
    }
}

/// How keys are spread.
#[derive(Debug, Clone, Copy)]
enum Spread {
    Evenly,
    /// Nearly all begin with the same bytes, which are more than are compared at once.
    Alike,
    /// Each is a beginning of others, and zeros follow.
    Prefixes,
    /// One after another, as a counter in a text.
    Counted,
}

fn rows_of(count: usize, spread: Spread, seed: u64) -> Rows {
    let mut next = noise(seed);
    let mut rows: Rows = (0..count)
        .map(|number| {
            let key = match spread {
                Spread::Evenly => [next(1 << 16).to_be_bytes(), number.to_be_bytes()].concat()[6..].to_vec(),
                Spread::Alike if next(20) > 0 => {
                    [b"https://www.example.com/a/path/that/is/long/".as_slice(), &number.to_be_bytes()]
                        .concat()
                }
                Spread::Alike => {
                    [[u8::try_from(next(256)).expect("a byte")].as_slice(), &number.to_be_bytes()].concat()
                }
                Spread::Prefixes => vec![0; number],
                Spread::Counted => format!("row {number:09}").into_bytes(),
            };
            let row = [number.to_le_bytes().as_slice(), &vec![7; next(60)]].concat();
            (key, row)
        })
        .collect();
    for last in (1..rows.len()).rev() {
        rows.swap(last, next(last + 1));
    }
    rows
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 50, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rows_come_back_in_order_however_their_keys_are_spread(
        count in 0_usize..800,
        spread in prop_oneof![
            Just(Spread::Evenly), Just(Spread::Alike), Just(Spread::Prefixes), Just(Spread::Counted)
        ],
        seed in any::<u64>(),
        readers in 1_usize..4,
        sampled in 0_usize..60,
        parts in 1_usize..40,
        memory_bytes in 0_u64..60_000,
    ) {
        let count = if matches!(spread, Spread::Prefixes) { count / 8 } else { count };
        let rows = rows_of(count, spread, seed);
        let sample = rows.iter().take(sampled).map(|(key, _)| key.clone()).collect();
        let share = (count / readers).max(1);
        let readers: Vec<Rows> = rows.chunks(share).map(<[_]>::to_vec).collect();
        let trip = Trip::new(sample, parts, memory_bytes);
        let mut dealt = trip.deal_out(&readers);
        let (found, most) = take_all(&mut dealt).expect("read back");
        prop_assert!(found == in_order(&readers));
        prop_assert!(most <= 1 || u64::try_from(most).expect("few") * ENTRY_BYTES <= memory_bytes);
        drop(dealt);
        prop_assert_eq!(trip.files(), 0);
    }

    #[test]
    fn a_key_never_falls_into_an_earlier_range_than_a_smaller_one(
        mut keys in prop::collection::vec(prop::collection::vec(0_u8..3, 0..40), 0..60),
        sampled in 0_usize..60,
        parts in 1_usize..12,
    ) {
        let sample = keys.iter().take(sampled).cloned().collect();
        let splitters = Splitters::of_sample(sample, parts);
        keys.sort();
        let ranges: Vec<usize> = keys.iter().map(|key| splitters.part_of(key)).collect();
        prop_assert!(ranges.is_sorted(), "{ranges:?}");
        prop_assert!(splitters.parts() <= parts.max(1));
        prop_assert!(ranges.iter().all(|&range| range < splitters.parts()));
    }

    #[test]
    fn different_keys_never_all_stay_in_one_range(
        keys in prop::collection::btree_set(prop::collection::vec(0_u8..2, 0..50), 2..40),
        parts in 2_usize..12,
    ) {
        let keys: Vec<Vec<u8>> = keys.into_iter().collect();
        let splitters = Splitters::of_sample(keys.clone(), parts);
        let first = splitters.part_of(&keys[0]);
        prop_assert!(keys.iter().any(|key| splitters.part_of(key) != first));
    }
}

#[test]
fn a_range_that_is_too_large_is_dealt_out_again_until_it_fits() {
    let rows = rows_of(20_000, Spread::Alike, 1);
    // A sample of nothing makes one range of everything.
    let trip = Trip::new(Vec::new(), 8, 64 * 1024);
    let mut dealt = trip.deal_out(std::slice::from_ref(&rows));
    let (found, most) = take_all(&mut dealt).expect("read back");
    assert!(found == in_order(&[rows]));
    assert!(most < 1_500, "{most} rows were held at once");
}

#[test]
fn keys_that_differ_in_nothing_but_zeros_at_their_end_are_parted() {
    let rows: Rows = (0..3_u8).map(|number| (vec![0; usize::from(number) * 20], vec![number; 100])).collect();
    let trip = Trip::new(Vec::new(), 1, 0);
    let (found, most) = take_all(&mut trip.deal_out(std::slice::from_ref(&rows))).expect("read back");
    assert_eq!((found, most), (in_order(&[rows]), 1));
}

#[test]
fn one_row_larger_than_the_memory_is_a_range_by_itself() {
    let rows: Rows =
        vec![(b"b".to_vec(), vec![2; 300_000]), (b"a".to_vec(), vec![1; 10]), (b"c".to_vec(), vec![3; 10])];
    let trip = Trip::new(Vec::new(), 4, 4_096);
    let (found, most) = take_all(&mut trip.deal_out(std::slice::from_ref(&rows))).expect("read back");
    assert_eq!((found, most), (in_order(&[rows]), 1));
}

#[test]
fn ranges_without_rows_are_empty_and_not_the_end() {
    let sample = (0..200_u8).map(|key| vec![key]).collect();
    let trip = Trip::new(sample, 20, 1 << 20);
    let rows: Rows = vec![(vec![199], b"last".to_vec()), (vec![100], b"middle".to_vec())];
    let mut dealt = trip.deal_out(&[rows, Vec::new()]);
    let mut counts = Vec::new();
    while let Some(range) = dealt.next_range(SortedRows::default()).expect("read back") {
        counts.push(range.rows().count());
    }
    assert_eq!((counts.len(), counts.iter().sum::<usize>()), (20, 2));
    assert_eq!(counts.last(), Some(&1));
}

#[test]
fn two_rows_with_one_key_are_refused_also_from_two_readers() {
    let rows = |row: &[u8]| vec![(b"key".to_vec(), row.to_vec()), (row.to_vec(), row.to_vec())];
    let trip = Trip::new(Vec::new(), 4, 1 << 20);
    let error = take_all(&mut trip.deal_out(&[rows(b"a"), rows(b"b")])).expect_err("twins");
    assert!(error.to_string().contains("same place"), "{error}");
}

#[test]
fn two_rows_with_one_key_are_damage_also_where_they_do_not_fit_together() {
    let rows: Rows = vec![
        (b"other".to_vec(), vec![0; 9_000]),
        (b"key".to_vec(), vec![1; 9_000]),
        (b"key".to_vec(), vec![2; 9_000]),
    ];
    let trip = Trip::new(Vec::new(), 4, 10_000);
    let error = take_all(&mut trip.deal_out(&[rows])).expect_err("twins");
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
}

#[test]
fn what_is_kept_of_a_large_row_is_not_its_memory() {
    let large: Rows = vec![(b"m".to_vec(), vec![1; 1_000_000])];
    let sample = (b'a'..=b'z').map(|key| vec![key]).collect();
    let trip = Trip::new(sample, 12, 50_000);
    let mut dealt = trip.deal_out(&[large, rows_of(100, Spread::Counted, 9)]);
    let (mut announced, mut found) = (0, 0);
    loop {
        let oversize = dealt.oversize_bytes();
        let Some(range) = dealt.next_range(SortedRows::default()).expect("read back") else { break };
        let largest = range.rows().map(<[u8]>::len).max().unwrap_or(0);
        found += usize::from(largest == 1_000_000);
        announced += usize::from(oversize > 0);
        assert_eq!(oversize > 1_000_000, largest == 1_000_000, "it wants room before it is read");
        let spare = range.into_spare(50_000);
        assert!(spare.held.memory_bytes() <= 60_000);
    }
    assert_eq!((announced, found), (1, 1));
}

#[test]
fn a_file_that_was_cut_short_or_changed_is_an_error() {
    for kept in [0, 1, 5, 11, 12, 30] {
        let trip = Trip::new(Vec::new(), 1, 1 << 20);
        let mut dealt = trip.deal_out(&[rows_of(10, Spread::Counted, 3)]);
        let files: Vec<PathBuf> = fs::read_dir(trip.folder.path())
            .expect("listed")
            .map(|entry| entry.expect("one").path())
            .collect();
        let [file] = files.as_slice() else { panic!("one file, not {files:?}") };
        OpenOptions::new().write(true).open(file).and_then(|file| file.set_len(kept)).expect("cut");
        let error = take_all(&mut dealt).expect_err("cut short");
        assert!(error.to_string().contains("a file for sorting"), "{kept} bytes: {error}");
    }
    let trip = Trip::new(Vec::new(), 1, 1 << 20);
    let mut dealt = trip.deal_out(&[rows_of(10, Spread::Counted, 3)]);
    for entry in fs::read_dir(trip.folder.path()).expect("listed") {
        let path = entry.expect("one").path();
        let size = fs::metadata(&path).expect("there").len();
        fs::write(&path, vec![0xff; usize::try_from(size).expect("small")]).expect("overwritten");
    }
    let error = take_all(&mut dealt).expect_err("overwritten");
    assert!(error.to_string().contains("not what was written"), "{error}");
}

#[test]
fn nothing_is_left_on_disk_when_reading_stops_in_the_middle() {
    let trip = Trip::new(Vec::new(), 1, 10_000);
    let mut dealt = trip.deal_out(&[rows_of(2_000, Spread::Evenly, 5), rows_of(0, Spread::Evenly, 6)]);
    assert!(dealt.next_range(SortedRows::default()).expect("read back").is_some());
    assert!(trip.files() > 0);
    drop(dealt);
    assert_eq!(trip.files(), 0);
}
