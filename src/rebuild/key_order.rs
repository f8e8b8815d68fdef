//! Whether the rows of a table lie in the order of its b-tree, almost, or not at all.
//!
//! The manifest tells whether they do. Whether they almost do is seen from the keys of some of its row groups: what an
//! export writes follows from the rows alone, so it cannot say what it did with them, and nobody can claim what is
//! wrong. It is a guess about time, and nothing else may depend on it.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::datatypes::Schema;

use crate::budget::free_bytes;
use crate::error::Result;
use crate::frame::order::{KeyWindow, Keys, Leaving, OrderKey, Room, WINDOW_ROWS};
use crate::frame::{ColumnRole, RowDecoder, TableMapping};
use crate::parquet_file::TableReader;
use crate::run::Interrupt;
use crate::schema::{IndexedValue, OrderReason, OrderTerm, Table, TotalOrder};
use crate::snapshot::{Snapshot, TableEntry};

/// Batches that wait, in bytes, at most: more than those rows rarely take.
const HELD_BYTES: u64 = 64 * 1024 * 1024;
/// One row in so many may go astray. Each of them finds its page full, and the database grows by a part of a page.
const MOST_ASTRAY: u64 = 64;
/// In so many pieces at the least waits what may wait.
pub(super) const PIECES: u64 = 16;
/// Row groups whose keys are looked at, at most.
const GROUPS_LOOKED_AT: usize = 4;
/// What a cell takes in a batch beside its bytes: a view.
const CELL_BYTES: u64 = 16;

/// How the rows of a table get into the order of its b-tree.
#[derive(Debug)]
pub(super) enum Way {
    /// They are in it.
    AsTheyCome,
    /// They are almost in it.
    HeldBack(OrderKey),
    /// They are sorted.
    Sorted(OrderKey),
}

impl Way {
    /// What rows are ordered by, where it is asked row by row as they come.
    pub(super) fn key_to_hold_by(&self) -> Option<&OrderKey> {
        match self {
            Self::HeldBack(key) => Some(key),
            Self::AsTheyCome | Self::Sorted(_) => None,
        }
    }
}

/// The way for the rows of `entry`.
///
/// # Errors
/// `Damaged` for data files that cannot be read; I/O failures; `Interrupted`.
pub(super) fn way_for(
    snapshot: &Snapshot,
    entry: &TableEntry,
    memory_limit_bytes: u64,
    interrupt: &Interrupt,
) -> Result<Way> {
    let TableEntry { table, files, .. } = entry;
    if files.len() <= 1 && files.iter().all(|file| file.in_key_order) {
        return Ok(Way::AsTheyCome);
    }
    let key = OrderKey::new(&key_order(table), table)?;
    let room = room_to_wait(memory_limit_bytes);
    // Batches take more than their rows.
    let room = Room { bytes: room.bytes / 2, ..room };
    let all_wait = entry.row_count() <= room.rows as u64
        && entry.row_count().saturating_mul(bytes_of_row(entry)) <= room.bytes;
    let are_almost_in_order = || {
        let open = |file| TableReader::open(snapshot.readable_path(file)?);
        let files = files.iter().map(open).collect::<Result<Vec<_>>>()?;
        let unread = Unread { table, mapping: &entry.mapping, key: &key, row_bytes: bytes_of_row(entry) };
        unread.are_almost_in_order(&files, room, interrupt)
    };
    if all_wait || are_almost_in_order()? { Ok(Way::HeldBack(key)) } else { Ok(Way::Sorted(key)) }
}

/// The order of a table's b-tree, or near enough: collations and DESC do not count here.
pub(crate) fn key_order(table: &Table) -> TotalOrder {
    let columns: Vec<Option<usize>> = if table.has_rowid() {
        vec![table.rowid_alias]
    } else {
        let keys = table.without_rowid_key.iter().filter(|key| key.is_key);
        keys.filter_map(|key| match key.value {
            IndexedValue::Column(column) => Some(Some(column)),
            _ => None,
        })
        .collect()
    };
    let terms = columns.into_iter().map(|column| OrderTerm { column, descending: false }).collect();
    TotalOrder { terms, reason: OrderReason::PrimaryKey }
}

/// How much may wait for rows that come late.
pub(super) fn room_to_wait(memory_limit_bytes: u64) -> Room {
    // As many rows as an export holds back: what it has put in order is as far from this order at the most.
    Room { rows: WINDOW_ROWS, bytes: (free_bytes(memory_limit_bytes) / 8 * 3).min(HELD_BYTES) }
}

/// What an average row takes in a batch, in bytes, if the manifest is right.
fn bytes_of_row(entry: &TableEntry) -> u64 {
    let cells = (entry.mapping.width() as u64).saturating_mul(CELL_BYTES);
    (entry.content_bytes / entry.row_count().max(1)).saturating_add(cells)
}

/// The rows of a table, and what is known of them before they are read.
struct Unread<'a> {
    table: &'a Table,
    mapping: &'a TableMapping,
    key: &'a OrderKey,
    /// The size of an average row.
    row_bytes: u64,
}

impl Unread<'_> {
    /// Whether few rows of `files` would go astray if so much waits, as the keys of some row groups show.
    fn are_almost_in_order(&self, files: &[TableReader], room: Room, interrupt: &Interrupt) -> Result<bool> {
        let columns = key_columns(self.table, self.mapping);
        let groups =
            files.iter().flat_map(|file| (0..file.row_group_count()).map(move |index| (file, index)));
        let every = groups.clone().count().div_ceil(GROUPS_LOOKED_AT).max(1);
        let row_bytes = self.row_bytes.max(1);
        let piece_rows = usize::try_from(room.bytes / PIECES / row_bytes).unwrap_or(usize::MAX).max(1);
        let (mut rows, mut astray) = (0_u64, 0_u64);
        let mut window = KeyWindow::default();
        let mut push = |keys: Keys| {
            // As much as its rows would take, or if its keys take more, as they do.
            let bytes = row_bytes.saturating_mul(keys.len() as u64);
            let bytes = bytes.max(keys.memory_bytes().saturating_mul(2));
            window.push((), keys, bytes);
            count_astray(&mut window, room)
        };
        for (file, index) in groups.step_by(every) {
            for batch in file.read_columns(index, &columns)? {
                interrupt.check()?;
                let Some(batch) = with_all_columns(&batch?, &columns, self.mapping) else { return Ok(false) };
                let mut keys = Keys::default();
                RowDecoder::new(self.table, self.mapping, &batch)?.for_each_row(|rowid, cells| {
                    keys.push(|bytes| self.key.encode(rowid, cells, bytes));
                    if keys.len() >= piece_rows {
                        astray += push(std::mem::take(&mut keys));
                    }
                    Ok(())
                })?;
                rows += batch.num_rows() as u64;
                astray += push(keys);
            }
            if astray > rows / MOST_ASTRAY {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn count_astray(window: &mut KeyWindow<()>, room: Room) -> u64 {
    let mut astray = 0;
    while let Some(leaving) = window.leave(room) {
        if let Leaving::Astray(places) = leaving {
            astray += places.len() as u64;
        }
    }
    astray
}

/// The Parquet columns that hold the key of the table's b-tree.
fn key_columns(table: &Table, mapping: &TableMapping) -> Vec<usize> {
    let terms = key_order(table).terms;
    let stored: Vec<usize> = terms.iter().filter_map(|term| table.stored_position(term.column?)).collect();
    let is_of_key = |role: ColumnRole| match role {
        ColumnRole::Rowid => true,
        ColumnRole::Main(position) | ColumnRole::Companion(position, _) => stored.contains(&position),
    };
    let columns = mapping.parquet_columns().enumerate();
    columns.filter(|(_, column)| is_of_key(column.role)).map(|(index, _)| index).collect()
}

/// A batch of only some `columns` with NULL in all the others; `None` where it has not those columns.
fn with_all_columns(batch: &RecordBatch, columns: &[usize], mapping: &TableMapping) -> Option<RecordBatch> {
    let whole = mapping.arrow_schema();
    let mut fields = whole.fields().to_vec();
    let mut arrays: Vec<Option<ArrayRef>> = vec![None; fields.len()];
    if batch.num_columns() != columns.len() {
        return None;
    }
    for (&index, (field, array)) in columns.iter().zip(batch.schema().fields().iter().zip(batch.columns())) {
        *fields.get_mut(index)? = Arc::clone(field);
        arrays[index] = Some(Arc::clone(array));
    }
    let rows = batch.num_rows();
    let arrays = arrays.into_iter().zip(&fields);
    let arrays =
        arrays.map(|(array, field)| array.unwrap_or_else(|| new_null_array(field.data_type(), rows)));
    let arrays = arrays.collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::testing::{Row, Value, mapping_of, table, without_rowid};
    use crate::parquet_file::testing::{Folder, write};
    use crate::schema::OrderReason;

    const ROWS: i64 = 2_000;
    const GROUP_ROWS: usize = 250;
    const ROW_BYTES: u64 = 50;
    const ROOM: Room = Room { rows: 400, bytes: 1_000 * ROW_BYTES };

    /// The rows from 1 on, in the order of `place`.
    fn numbers(place: impl Fn(i64) -> i64) -> Vec<i64> {
        let mut numbers: Vec<i64> = (1..=ROWS).collect();
        numbers.sort_by_key(|&number| (place(number), number));
        numbers
    }

    /// Whether rows of `table`, of which `row` makes one, are found to be almost in order.
    fn is_found(table: &Table, numbers: &[i64], row: impl Fn(i64) -> Row, room: Room) -> bool {
        let rows: Vec<Row> = numbers.iter().map(|&number| row(number)).collect();
        let groups: Vec<_> = rows.chunks(GROUP_ROWS).map(<[Row]>::to_vec).collect();
        let mapping = mapping_of(table, &rows);
        let folder = Folder::new();
        let path = folder.file("t.parquet");
        write(&path, &mapping, &groups).expect("written");
        let key = OrderKey::new(&key_order(table), table).expect("a key");
        assert!(matches!(key_order(table).reason, OrderReason::PrimaryKey));
        let unread = Unread { table, mapping: &mapping, key: &key, row_bytes: ROW_BYTES };
        let files = [TableReader::open(&path).expect("opens")];
        unread.are_almost_in_order(&files, room, &Interrupt::new()).expect("reads")
    }

    /// As a table with a rowid, with an alias of it, and without, whose key is two columns, not the first ones.
    fn are_found(place: impl Fn(i64) -> i64) -> [bool; 3] {
        let numbers = numbers(place);
        let plain = table(&[("a", "TEXT")]);
        let mut aliased = table(&[("a", "TEXT"), ("id", "INTEGER")]);
        aliased.rowid_alias = Some(1);
        let mut keyed = without_rowid(&[("key", ""), ("a", "TEXT"), ("more", "")]);
        let column = |index| IndexedValue::Column(index);
        let mut second = keyed.without_rowid_key[0].clone();
        keyed.without_rowid_key[0].value = column(2);
        second.value = column(0);
        keyed.without_rowid_key.insert(1, second);
        let text = |number: i64| Value::Text(format!("text {}", number * 31 % 7));
        // Of the first part of the key many are equal, and the second has cells of two classes.
        let rest = |number: i64| match number % 10 {
            0..5 => Value::Integer(number % 10),
            digit => Value::Text(digit.to_string()),
        };
        [
            is_found(&plain, &numbers, |number| (Some(number), vec![text(number)]), ROOM),
            is_found(
                &aliased,
                &numbers,
                |number| (Some(number), vec![text(number), Value::Integer(number)]),
                ROOM,
            ),
            is_found(
                &keyed,
                &numbers,
                |number| (None, vec![rest(number), text(number), Value::Integer(number / 10)]),
                ROOM,
            ),
        ]
    }

    #[test]
    fn rows_that_are_a_little_late_are_almost_in_order() {
        assert_eq!(are_found(|number| number), [true; 3]);
        assert_eq!(are_found(|number| if number % 50 == 7 { number + 150 } else { number }), [true; 3]);
        assert_eq!(are_found(|number| if number % 50 == 7 { number - 150 } else { number }), [true; 3]);
    }

    #[test]
    fn rows_in_no_order_or_in_that_of_another_column_are_not() {
        assert_eq!(are_found(|number| number * 7_919 % 2_003), [false; 3]);
        assert_eq!(are_found(|number| -number), [false; 3]);
        assert_eq!(are_found(|number| number % 3), [false; 3]);
        // Two halves, each in order, and taken in turns.
        assert_eq!(are_found(|number| number % (ROWS / 2)), [false; 3]);
    }

    #[test]
    fn a_few_rows_may_be_very_late_and_more_may_not() {
        let late = |every: i64| move |number: i64| if number % every == 7 { number + 1_100 } else { number };
        assert_eq!(are_found(late(500)), [true; 3]);
        assert_eq!(are_found(late(10)), [false; 3]);
    }

    #[test]
    fn what_has_no_room_to_wait_is_not_almost_in_order() {
        let plain = table(&[("a", "TEXT")]);
        let numbers = numbers(|number| if number % 20 == 7 { number + 150 } else { number });
        let row = |number: i64| (Some(number), vec![Value::Text("a".repeat(3))]);
        assert!(is_found(&plain, &numbers, row, ROOM));
        assert!(!is_found(&plain, &numbers, row, Room { rows: 20, ..ROOM }));
        assert!(!is_found(&plain, &numbers, row, Room { bytes: 20 * ROW_BYTES, ..ROOM }));
        assert!(!is_found(&plain, &numbers, row, Room::NONE));
    }
}
