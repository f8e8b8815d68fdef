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
use crate::frame::order::{KeyWindow, Keys, Leaving, OrderKey, Room};
use crate::frame::{ColumnRole, RowDecoder, TableMapping};
use crate::parquet_file::TableReader;
use crate::run::Interrupt;
use crate::schema::{IndexedValue, OrderReason, OrderTerm, Table, TotalOrder};
use crate::snapshot::{Snapshot, TableEntry};

/// Rows that wait for late ones to come before them, at most: as many as an export holds back for rows that are late.
const HELD_ROWS: usize = 32 * 1024;
/// Batches that wait, in bytes, at most: more than those rows rarely take.
const HELD_BYTES: u64 = 64 * 1024 * 1024;
/// One row in so many may go astray. Each of them finds its page full, and the database grows by a part of a page.
const MOST_ASTRAY: u64 = 64;
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
    let room = room_for_average(entry, memory_limit_bytes);
    let all_wait = usize::try_from(entry.row_count()).is_ok_and(|rows| rows <= room.rows);
    if all_wait || is_almost_in_order(snapshot, entry, &key, room, interrupt)? {
        Ok(Way::HeldBack(key))
    } else {
        Ok(Way::Sorted(key))
    }
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
    Room { rows: HELD_ROWS, bytes: (free_bytes(memory_limit_bytes) / 8 * 3).min(HELD_BYTES) }
}

/// How much waits in a table of average rows; when the next batch comes, there must be room for it too.
fn room_for_average(entry: &TableEntry, memory_limit_bytes: u64) -> Room {
    let room = room_to_wait(memory_limit_bytes);
    let cells = (entry.mapping.width() as u64).saturating_mul(CELL_BYTES);
    let row_bytes = (entry.content_bytes / entry.row_count().max(1)).saturating_add(cells);
    let rows = usize::try_from(room.bytes / 2 / row_bytes.max(1)).unwrap_or(usize::MAX);
    Room { rows: rows.min(room.rows), ..room }
}

/// Whether few rows go astray where `room` is left for those that wait, as the keys of some row groups show.
fn is_almost_in_order(
    snapshot: &Snapshot,
    entry: &TableEntry,
    key: &OrderKey,
    room: Room,
    interrupt: &Interrupt,
) -> Result<bool> {
    let TableEntry { table, mapping, files, .. } = entry;
    let columns = key_columns(table, mapping);
    let groups: usize = files.iter().map(|file| file.row_groups.len()).sum();
    let every = groups.div_ceil(GROUPS_LOOKED_AT).max(1);
    let (mut number, mut rows, mut astray) = (0, 0_u64, 0_u64);
    let mut window = KeyWindow::default();
    for file in files {
        let reader = TableReader::open(snapshot.readable_path(file)?)?;
        for index in 0..reader.row_group_count() {
            number += 1;
            if (number - 1) % every != 0 {
                continue;
            }
            for batch in reader.read_columns(index, &columns)? {
                interrupt.check()?;
                let Some(batch) = with_all_columns(&batch?, &columns, mapping) else { return Ok(false) };
                let mut keys = Keys::default();
                RowDecoder::new(table, mapping, &batch)?.for_each_row(|rowid, cells| {
                    keys.push(|bytes| key.encode(rowid, cells, bytes));
                    Ok(())
                })?;
                rows += batch.num_rows() as u64;
                let bytes = keys.memory_bytes();
                window.push((), keys, bytes);
                astray += count_astray(&mut window, room);
            }
            // What comes too early is only seen when it has waited for long.
            if astray > rows / MOST_ASTRAY {
                return Ok(false);
            }
        }
    }
    Ok(true)
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
