use std::sync::LazyLock;

use std::fs;
use std::path::Path;

use arrow::array::{ArrayRef, AsArray, BinaryViewArray, Int64Array, StringViewArray, UInt64Array};
use arrow::datatypes::Int64Type;
use parquet::arrow::ArrowWriter;
use proptest::prelude::*;

use super::*;

static NEVER: LazyLock<Interrupt> = LazyLock::new(Interrupt::new);
const KIB: u64 = 1024;
const ROOMY: u64 = 1 << 40;

#[derive(Debug, Clone)]
struct Row {
    key: Vec<u8>,
    id: i64,
    text: Option<String>,
    blob: Option<Vec<u8>>,
}

impl Row {
    fn size(&self) -> u64 {
        let text = self.text.as_ref().map_or(0, String::len);
        byte_count(8 + text + self.blob.as_ref().map_or(0, Vec::len))
    }
}

fn schema() -> SchemaRef {
    with_order_columns(&Schema::new(vec![
        Field::new("id", DataType::Int64, true),
        Field::new("text", DataType::Utf8View, true),
        Field::new("blob", DataType::BinaryView, true),
    ]))
}

fn batch(rows: &[Row]) -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| Some(row.id)).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| row.text.as_deref()).collect::<StringViewArray>()),
        Arc::new(rows.iter().map(|row| row.blob.as_deref()).collect::<BinaryViewArray>()),
        Arc::new(rows.iter().map(|row| Some(row.key.as_slice())).collect::<BinaryViewArray>()),
        Arc::new(rows.iter().map(|row| Some(row.size())).collect::<UInt64Array>()),
    ];
    RecordBatch::try_new(schema(), columns).expect("columns of the schema")
}

/// Repeatable noise: the multiplier of Knuth's MMIX generator, the upper bits of its state.
fn noise(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    }
}

fn small(number: u64) -> usize {
    usize::try_from(number).expect("a small number")
}

/// Rows with distinct keys in random order.
fn random_rows(count: u64, seed: u64) -> Vec<Row> {
    let mut next = noise(seed);
    let mut rows: Vec<Row> = (0..count)
        .map(|id| {
            let mut key = vec![b'k'; small(next(30))];
            key.extend_from_slice(&[0, 0]);
            key.extend_from_slice(&id.to_be_bytes());
            let text = (next(4) > 0).then(|| "ä".repeat(small(next(60))));
            let blob = (next(3) > 0).then(|| id.to_be_bytes().repeat(small(next(20))));
            Row { key, id: i64::try_from(id).expect("few rows"), text, blob }
        })
        .collect();
    for last in (1..rows.len()).rev() {
        rows.swap(last, small(next(byte_count(last) + 1)));
    }
    rows
}

fn push_all(sorter: &mut Sorter<'_>, rows: &[Row], batch_rows: usize) {
    for rows in rows.chunks(batch_rows) {
        sorter.push(batch(rows)).expect("takes rows");
    }
}

fn row_groups(sorter: Sorter<'_>, is_full: impl Fn(u64, u64) -> bool + Copy) -> Result<Vec<RecordBatch>> {
    let mut output = sorter.finish()?;
    let mut groups = Vec::new();
    while let Some(group) = output.next_batch(is_full)? {
        groups.push(group);
    }
    Ok(groups)
}

fn expected(rows: &[Row], is_full: impl Fn(u64, u64) -> bool) -> Vec<RecordBatch> {
    let mut rows = rows.to_vec();
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    let mut groups = Vec::new();
    let mut group: Vec<Row> = Vec::new();
    for row in rows {
        group.push(row);
        if is_full(byte_count(group.len()), group.iter().map(Row::size).sum()) {
            groups.push(batch(&mem::take(&mut group)));
        }
    }
    if !group.is_empty() {
        groups.push(batch(&group));
    }
    groups.iter().map(|group| group.project(&[0, 1, 2]).expect("the data columns")).collect()
}

fn parquet_bytes(groups: &[RecordBatch]) -> Vec<u8> {
    let Some(first) = groups.first() else { return Vec::new() };
    let mut writer = ArrowWriter::try_new(Vec::new(), first.schema(), None).expect("writes");
    for group in groups {
        writer.write(group).expect("writes");
        writer.flush().expect("ends the row group");
    }
    writer.into_inner().expect("writes")
}

fn file_count(folder: &Path) -> usize {
    fs::read_dir(folder).expect("the folder is there").count()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn spilling_never_shows_in_the_rows_nor_in_their_parquet_bytes(
        count in 0_u64..4000,
        seed in any::<u64>(),
        batch_rows in 1_usize..500,
        limit_kib in 8_u64..200,
        group_rows in 1_u64..1500,
        group_bytes in 1_000_u64..200_000,
    ) {
        let rows = random_rows(count, seed);
        let is_full = |rows: u64, bytes: u64| rows >= group_rows || bytes >= group_bytes;
        let wanted = expected(&rows, is_full);
        let folder = tempfile::tempdir().expect("a folder");
        let mut bytes = Vec::new();
        for limit in [ROOMY, limit_kib * KIB] {
            let mut sorter = Sorter::new(schema(), limit, Some(folder.path().to_owned()), &NEVER);
            push_all(&mut sorter, &rows, batch_rows);
            let groups = row_groups(sorter, is_full).expect("sorts");
            prop_assert_eq!(&groups, &wanted);
            prop_assert_eq!(file_count(folder.path()), 0);
            bytes.push(parquet_bytes(&groups));
        }
        prop_assert_eq!(&bytes[0], &bytes[1]);
    }
}

#[test]
fn many_runs_are_merged_in_several_passes() {
    let rows = random_rows(30_000, 7);
    let folder = tempfile::tempdir().expect("a folder");
    let limit = 64 * KIB;
    let mut sorter = Sorter::new(schema(), limit, Some(folder.path().to_owned()), &NEVER);
    push_all(&mut sorter, &rows, 100);
    let runs = sorter.runs.len();
    let open = usize::try_from(limit / 4 / MIN_RUN_BATCH_BYTES).expect("few runs");
    assert!(runs > open * open, "{runs} runs would need a second pass of {open} at most");
    assert_eq!(file_count(folder.path()), runs);
    let is_full = |rows, _| rows >= 7_000;
    assert_eq!(row_groups(sorter, is_full).expect("sorts"), expected(&rows, is_full));
    assert_eq!(file_count(folder.path()), 0);
}

#[test]
fn a_million_equal_first_terms_are_ordered_by_the_tie_breaker() {
    let schema = with_order_columns(&Schema::new(vec![Field::new("id", DataType::Int64, false)]));
    let folder = tempfile::tempdir().expect("a folder");
    // A stride without a common divisor visits every id once, far out of order.
    let ids: Vec<i64> = (0..1_000_000).map(|step| step * 700_001 % 1_000_000).collect();
    for limit in [ROOMY, 16 * KIB * KIB] {
        let mut sorter = Sorter::new(Arc::clone(&schema), limit, Some(folder.path().to_owned()), &NEVER);
        for ids in ids.chunks(50_000) {
            let key = |id: &i64| [b"2026-11-20T09:30:00Z\0\0".as_slice(), &id.to_be_bytes()].concat();
            let columns: Vec<ArrayRef> = vec![
                Arc::new(Int64Array::from(ids.to_vec())),
                Arc::new(BinaryViewArray::from_iter_values(ids.iter().map(key))),
                Arc::new(UInt64Array::from(vec![8; ids.len()])),
            ];
            sorter
                .push(RecordBatch::try_new(Arc::clone(&schema), columns).expect("columns"))
                .expect("takes rows");
        }
        assert_eq!(sorter.runs.is_empty(), limit == ROOMY);
        let groups = row_groups(sorter, |rows, _| rows == 131_072).expect("sorts");
        let ids_in_order =
            groups.iter().flat_map(|group| group.column(0).as_primitive::<Int64Type>().values().to_vec());
        assert!(ids_in_order.eq(0..1_000_000));
        assert_eq!(groups.len(), 8);
    }
}

#[test]
fn a_row_larger_than_the_limit_is_sorted_all_the_same() {
    let mut rows = random_rows(200, 3);
    for row in rows.iter_mut().step_by(50) {
        row.blob = Some(vec![0xab; 500_000]);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut sorter = Sorter::new(schema(), 32 * KIB, Some(folder.path().to_owned()), &NEVER);
    push_all(&mut sorter, &rows, 10);
    let is_full = |_, bytes| bytes > 100_000;
    assert_eq!(row_groups(sorter, is_full).expect("sorts"), expected(&rows, is_full));
}

#[test]
fn slices_of_one_large_batch_do_not_keep_it_in_memory() {
    let rows = random_rows(20_000, 11);
    let whole = batch(&rows);
    let mut sorter = Sorter::new(schema(), 8 * KIB * KIB, None, &NEVER);
    for start in (0..rows.len()).step_by(1000).filter(|start| start % 2000 == 0) {
        sorter.push(whole.slice(start, 1000)).expect("fits without spilling");
    }
    let groups = row_groups(sorter, |rows, _| rows >= 1000).expect("sorts");
    assert_eq!(groups.len(), 10);
    let used = |group: &RecordBatch| {
        let (text, blob) = (group.column(1).as_string_view(), group.column(2).as_binary_view());
        let held = |buffers: &[arrow::buffer::Buffer]| {
            buffers.iter().map(arrow::buffer::Buffer::capacity).sum::<usize>()
        };
        assert_eq!(held(text.data_buffers()), text.total_buffer_bytes_used());
        assert_eq!(held(blob.data_buffers()), blob.total_buffer_bytes_used());
    };
    groups.iter().for_each(used);
}

#[test]
fn without_a_folder_rows_beyond_the_limit_are_an_error() {
    let mut sorter = Sorter::new(schema(), 16 * KIB, None, &NEVER);
    let error = random_rows(2000, 1)
        .chunks(100)
        .find_map(|rows| sorter.push(batch(rows)).err())
        .expect("2000 rows do not fit 16 KiB");
    assert_eq!(error.kind(), ErrorKind::Failed);
    assert!(error.hint_text().is_some());
}

#[test]
fn two_rows_at_one_place_are_an_error_in_memory_and_on_disk() {
    let mut rows = random_rows(3000, 5);
    rows[2999].key = rows[0].key.clone();
    let folder = tempfile::tempdir().expect("a folder");
    for limit in [ROOMY, 32 * KIB] {
        let mut sorter = Sorter::new(schema(), limit, Some(folder.path().to_owned()), &NEVER);
        push_all(&mut sorter, &rows, 100);
        let error = row_groups(sorter, |rows, _| rows == 10).expect_err("equal keys");
        assert_eq!(error.kind(), ErrorKind::Damaged);
        assert_eq!(file_count(folder.path()), 0);
    }
}

#[test]
fn a_run_that_lost_its_end_is_reported() {
    let folder = tempfile::tempdir().expect("a folder");
    for kept in [0.0, 0.5, 0.999] {
        let mut sorter = Sorter::new(schema(), 64 * KIB, Some(folder.path().to_owned()), &NEVER);
        push_all(&mut sorter, &random_rows(3000, 9), 100);
        let path =
            fs::read_dir(folder.path()).expect("a folder").next().expect("a run").expect("a file").path();
        let file = fs::OpenOptions::new().write(true).open(path).expect("opens");
        let length = file.metadata().expect("has a length").len();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "about this far is near enough"
        )]
        file.set_len((length as f64 * kept) as u64).expect("cuts");
        let error = row_groups(sorter, |rows, _| rows == 1000).expect_err("a cut run");
        assert_eq!(error.kind(), ErrorKind::Failed, "{kept}");
        assert_eq!(file_count(folder.path()), 0);
    }
}

#[test]
fn spilled_files_are_private_and_go_with_the_sorter() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = random_rows(3000, 13);
    let mut first = Sorter::new(schema(), 64 * KIB, Some(folder.path().to_owned()), &NEVER);
    let mut second = Sorter::new(schema(), 64 * KIB, Some(folder.path().to_owned()), &NEVER);
    push_all(&mut first, &rows, 100);
    push_all(&mut second, &rows, 100);
    assert_eq!(file_count(folder.path()), first.runs.len() + second.runs.len());
    #[cfg(unix)]
    for entry in fs::read_dir(folder.path()).expect("a folder") {
        use std::os::unix::fs::PermissionsExt;
        let metadata = entry.expect("an entry").metadata().expect("metadata");
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    }
    drop(first);
    let mut sorted = second.finish().expect("merges");
    sorted.next_batch(|rows, _| rows == 10).expect("reads").expect("rows");
    assert!(file_count(folder.path()) > 0);
    drop(sorted);
    assert_eq!(file_count(folder.path()), 0);
}

#[test]
fn an_interrupt_ends_the_sort_and_leaves_no_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let interrupt = Interrupt::new();
    let mut sorter = Sorter::new(schema(), 64 * KIB, Some(folder.path().to_owned()), &interrupt);
    push_all(&mut sorter, &random_rows(3000, 17), 100);
    interrupt.set();
    let error = sorter.push(batch(&random_rows(1, 1))).expect_err("interrupted");
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert_eq!(row_groups(sorter, |_, _| true).expect_err("interrupted").kind(), ErrorKind::Interrupted);
    assert_eq!(file_count(folder.path()), 0);
}

#[test]
fn batches_of_other_columns_and_missing_keys_are_refused() {
    let mut sorter = Sorter::new(schema(), ROOMY, None, &NEVER);
    let batch = batch(&random_rows(10, 1));
    assert!(sorter.push(batch.project(&[0, 1, 2]).expect("columns")).is_err());
    let data_only = batch.project(&[0, 1]).expect("columns");
    let mut sorter = Sorter::new(data_only.schema(), ROOMY, None, &NEVER);
    assert!(sorter.push(data_only).is_err());
}

#[test]
fn no_rows_give_no_row_group() {
    let mut sorter = Sorter::new(schema(), ROOMY, None, &NEVER);
    sorter.push(batch(&[])).expect("takes nothing");
    assert!(row_groups(sorter, |_, _| false).expect("sorts").is_empty());
}

#[test]
fn sorted_rows_may_move_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<Sorter<'_>>();
    is_send::<SortedRows<'_>>();
}
