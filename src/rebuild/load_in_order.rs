//! Inserting rows that do not lie in the order of their table's b-tree: appending to a b-tree is several times faster than
//! going to and fro in it, so they are put in order first, or nearly.
//!
//! A matter of time alone: the table comes out the same in whatever order its rows come. So rows that are almost in order
//! are not sorted, only held back a while; those that have gone too far astray for that are, and follow at the end.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::mpsc::Receiver;

use arrow::array::RecordBatch;

use crate::budget::free_bytes;
use crate::error::{Error, ErrorKind, Result};
use crate::frame::order::{KeyWindow, Leaving, OrderKey, Room, Sorter, copy_of_rows, with_order_columns};
use crate::frame::weight::{has_larger_value, memory_of};
use crate::frame::{Cuts, FRAME_BYTES, FrameBuilder, RowDecoder, row_size};
use crate::rebuild::key_order::{PIECES, room_to_wait};
use crate::rebuild::load::{Batch, DecodedBatch, TableLoad};
use crate::schema::Cell;
use crate::sqlite::failure::BROKEN_KEY;
use crate::sqlite::stand_in::TableLoader;

/// How often a row is in memory while it is inserted, beside its copy in SQLite: as a batch, bound, and as a record.
const COPIES_OF_ROW: u64 = 3;

impl TableLoad<'_> {
    /// Inserts rows that are almost in order; false when a column declared REAL would change a cell.
    pub(super) fn hold_back_and_insert(
        &self,
        batches: Receiver<Batch<'_>>,
        loader: &mut TableLoader<'_>,
    ) -> Result<bool> {
        let free = free_bytes(self.options.memory_limit_bytes);
        let room = room_to_wait(self.options.memory_limit_bytes);
        let mut held =
            HeldBack { load: self, window: KeyWindow::default(), astray: RowsToSort::new(self, free / 8) };
        for batch in batches {
            let batch = batch?;
            let (rows, content_bytes) = (batch.rows.num_rows() as u64, batch.content_bytes);
            if !held.take(batch, room, loader)? {
                return Ok(false);
            }
            self.run.progress.advance(rows, content_bytes);
        }
        if !held.let_leave(Room::NONE, loader)? {
            return Ok(false);
        }
        held.astray.insert(loader, |_| ())
    }

    /// Sorts all rows and inserts them; false when a column declared REAL would change a cell.
    pub(super) fn sort_and_insert(
        &self,
        key: &OrderKey,
        batches: Receiver<Batch<'_>>,
        loader: &mut TableLoader<'_>,
    ) -> Result<bool> {
        let mut to_sort = RowsToSort::new(self, free_bytes(self.options.memory_limit_bytes) / 2);
        let mut key_bytes = Vec::new();
        let mut content_bytes = 0;
        for batch in batches {
            // Kept whole: it is charged for as long as it is there.
            let batch = batch?;
            content_bytes += batch.content_bytes;
            self.decoder(&batch.rows)?.for_each_row(|rowid, cells| {
                key_bytes.clear();
                key.encode(rowid, cells, &mut key_bytes);
                to_sort.push(rowid, cells, &key_bytes)
            })?;
        }
        let average_bytes = content_bytes / self.entry.row_count().max(1);
        to_sort.insert(loader, |rows| self.run.progress.advance(rows, rows.saturating_mul(average_bytes)))
    }
}

/// Rows that wait for those that come late.
struct HeldBack<'l> {
    load: &'l TableLoad<'l>,
    window: KeyWindow<RecordBatch>,
    astray: RowsToSort<'l>,
}

impl HeldBack<'_> {
    /// Takes the next rows; false when a column declared REAL would change a cell.
    fn take(&mut self, batch: DecodedBatch<'_>, room: Room, loader: &mut TableLoader<'_>) -> Result<bool> {
        let DecodedBatch { rows, keys, reservation, .. } = batch;
        let bytes = reservation.bytes();
        let has_large_cell = rows.columns().iter().any(|column| has_larger_value(column, FRAME_BYTES));
        if bytes <= room.bytes / 4 || has_large_cell {
            if !self.let_leave(Room { bytes: room.bytes.saturating_sub(bytes), ..room }, loader)? {
                return Ok(false);
            }
            self.window.push(rows, keys, bytes);
            if bytes > room.bytes && !self.let_leave(Room::NONE, loader)? {
                return Ok(false);
            }
            // From here on it counts as waiting, for which there is room.
            drop(reservation);
            return self.let_leave(room, loader);
        }
        // Few batches would fit, and one with a row that waits could not go: pieces can, one after the other.
        let pieces = bytes.div_ceil((room.bytes / PIECES).max(1));
        let piece_rows = rows.num_rows().div_ceil(usize::try_from(pieces).unwrap_or(usize::MAX)).max(1);
        for first in (0..rows.num_rows()).step_by(piece_rows) {
            let of_piece = first..rows.num_rows().min(first + piece_rows);
            let (piece, keys) = (copy_of_rows(&rows, of_piece.clone())?, keys.of_rows(of_piece));
            let bytes = memory_of(&piece).saturating_add(keys.memory_bytes().saturating_mul(2));
            self.window.push(piece, keys, bytes);
            if !self.let_leave(room, loader)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Inserts rows until no more than `room` is taken by the others; false when a column declared REAL would change a
    /// cell.
    fn let_leave(&mut self, room: Room, loader: &mut TableLoader<'_>) -> Result<bool> {
        while let Some(leaving) = self.window.leave(room) {
            self.load.run.interrupt.check()?;
            match leaving {
                Leaving::InOrder(places) => {
                    if !self.insert(&places, loader)? {
                        return Ok(false);
                    }
                }
                Leaving::Astray(places) => self.set_aside(&places)?,
            }
        }
        Ok(true)
    }

    fn insert(&self, places: &[(usize, usize)], loader: &mut TableLoader<'_>) -> Result<bool> {
        let mut fits = true;
        let mut decoders = Decoders::default();
        for run in places.chunk_by(|before, next| (before.0, before.1 + 1) == *next) {
            let Some(&(batch, first)) = run.first() else { continue };
            let decoder = decoders.of(self.load, &self.window, batch)?;
            decoder.for_each_row_in(first..first + run.len(), |rowid, cells| {
                fits = fits && loader.insert(rowid, cells)?;
                Ok(())
            })?;
            if !fits {
                break;
            }
        }
        Ok(fits)
    }

    fn set_aside(&mut self, places: &[(usize, usize)]) -> Result<()> {
        let mut decoders = Decoders::default();
        for &(batch, row) in places {
            let decoder = decoders.of(self.load, &self.window, batch)?;
            let key = self.window.key((batch, row));
            decoder.for_each_row_in(row..row + 1, |rowid, cells| self.astray.push(rowid, cells, key))?;
        }
        Ok(())
    }
}

/// The decoders of waiting batches, made when they are needed.
#[derive(Default)]
struct Decoders<'w>(HashMap<usize, RowDecoder<'w>>);

impl<'w> Decoders<'w> {
    fn of(
        &mut self,
        load: &'w TableLoad<'_>,
        window: &'w KeyWindow<RecordBatch>,
        batch: usize,
    ) -> Result<&RowDecoder<'w>> {
        Ok(match self.0.entry(batch) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(place) => place.insert(load.decoder(window.content(batch))?),
        })
    }
}

/// Rows to be sorted and then inserted.
struct RowsToSort<'l> {
    load: &'l TableLoad<'l>,
    sorter: Sorter<'l>,
    builder: FrameBuilder,
    /// What they may take in memory.
    memory_bytes: u64,
}

impl<'l> RowsToSort<'l> {
    fn new(load: &'l TableLoad<'l>, memory_bytes: u64) -> Self {
        let mapping = &load.entry.mapping;
        let schema = with_order_columns(&mapping.arrow_schema());
        let folder = Some(load.options.temp_folder.clone());
        let sorter = Sorter::new(schema, memory_bytes, folder, load.run.interrupt);
        Self { load, sorter, builder: FrameBuilder::new(mapping, true), memory_bytes }
    }

    fn push(&mut self, rowid: Option<i64>, cells: &[Cell<'_>], key: &[u8]) -> Result<()> {
        let row_bytes = row_size(cells, self.load.entry.mapping.width());
        if row_bytes > FRAME_BYTES {
            // When it is inserted, the rows that are still to come share the memory with it.
            let copies = row_bytes.saturating_mul(COPIES_OF_ROW);
            self.sorter.lower_limit(self.memory_bytes.saturating_sub(copies));
        }
        if !self.builder.push_row_with_key(rowid, cells, key) {
            return Err(Error::new(ErrorKind::Damaged, "a row does not fit its column mapping"));
        }
        if self.builder.size_bytes() >= FRAME_BYTES.min(self.memory_bytes) {
            self.sort_built()
        } else {
            Ok(())
        }
    }

    fn sort_built(&mut self) -> Result<()> {
        self.sorter.push(self.builder.finish()?).map_err(told_as_broken_key)
    }

    /// Inserts them and tells `inserted` how many; false when a column declared REAL would change a cell.
    fn insert(mut self, loader: &mut TableLoader<'_>, inserted: impl Fn(u64)) -> Result<bool> {
        if self.builder.row_count() > 0 {
            self.sort_built()?;
        }
        let mut rows = self.sorter.finish().map_err(told_as_broken_key)?;
        let mut fits = true;
        let mut next = || rows.next_batch(|rows, bytes| Cuts::default().frame_ends(rows, bytes));
        while let Some(batch) = next().map_err(told_as_broken_key)? {
            self.load.run.interrupt.check()?;
            self.load.decoder(&batch)?.for_each_row(|rowid, cells| {
                fits = fits && loader.insert(rowid, cells)?;
                Ok(())
            })?;
            if !fits {
                break;
            }
            inserted(batch.num_rows() as u64);
        }
        Ok(fits)
    }
}

/// Two rows with one key are told as SQLite tells them where they are inserted as they come.
fn told_as_broken_key(error: Error) -> Error {
    if error.kind() == ErrorKind::Damaged {
        Error::new(ErrorKind::Mismatch, BROKEN_KEY).because(error)
    } else {
        error
    }
}
