//! What the first rows of a table tell of all of them: a guess at its columns, its order, its size.

use std::ops::ControlFlow;

use crate::budget::limit_for;
use crate::digest::RowHasher;
use crate::error::Result;
use crate::export::encoders::ENCODER_BYTES;
use crate::export::read::count;
use crate::export::table::TableJob;
use crate::frame::order::{InOrderCheck, OrderKey, WINDOW_ROWS};
use crate::frame::{ClassCounts, row_size};
use crate::schema::Cell;
use crate::sqlite::rowids::Glance;

/// Rows looked at before the first guess.
const SAMPLE_ROWS: u64 = 1_000;
/// Rows of so many bytes are enough, be they fewer.
const SAMPLE_BYTES: u64 = 32 * 1024 * 1024;
/// Places of a table at which it is looked at for its order, and to guess at the whole of it.
const PLACES: usize = 64;
/// What frames of the smallest table may take, in bytes.
const LEAST_FRAMES_BYTES: u64 = 4 * 1024 * 1024;

/// What the first rows show.
pub(crate) struct Sample {
    pub(super) counts: Vec<ClassCounts>,
    pub(super) in_order: bool,
    /// Whether there are no others.
    pub(super) has_all: bool,
    /// The [`row_size`] of the largest, without what columns take whatever they hold.
    pub(super) largest_row_bytes: u64,
    rows: u64,
    content_bytes: u64,
    /// About what they take in the database.
    stored_bytes: u64,
}

impl TableJob<'_> {
    /// Looks at the first rows, and at some others for their order.
    ///
    /// # Errors
    /// What SQLite says.
    pub(crate) fn sample(&self) -> Result<Sample> {
        let table = self.table();
        let key = OrderKey::new(self.order, table)?;
        let (mut hasher, mut check, mut key_bytes) = (RowHasher::default(), InOrderCheck::new(), Vec::new());
        let mut sample = Sample {
            counts: vec![ClassCounts::default(); table.stored_columns().count()],
            in_order: true,
            has_all: true,
            largest_row_bytes: 0,
            rows: 0,
            content_bytes: 0,
            stored_bytes: 0,
        };
        self.source.for_each_row(self.catalog, self.ordinal, |rowid, cells| {
            self.run.interrupt.check()?;
            count(&mut sample.counts, cells);
            key_bytes.clear();
            key.encode(rowid, cells, &mut key_bytes);
            sample.in_order = check.push(&key_bytes);
            sample.rows += 1;
            sample.largest_row_bytes = sample.largest_row_bytes.max(row_size(cells, 0));
            sample.content_bytes += hasher.add_row(rowid, cells) as u64;
            sample.stored_bytes += stored_bytes(cells);
            sample.has_all = sample.rows < SAMPLE_ROWS && sample.content_bytes < SAMPLE_BYTES;
            Ok(if sample.has_all { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        if sample.in_order && !sample.has_all && !key.is_rowid_ascending() {
            sample.in_order = self.places_are_in_order(&key)?;
        }
        Ok(sample)
    }

    /// Whether rows here and there in the table are in order among themselves.
    fn places_are_in_order(&self, key: &OrderKey) -> Result<bool> {
        let glance = Glance { places: PLACES, rows: 64, bytes: SAMPLE_BYTES };
        let (mut place_before, mut check) = (0, InOrderCheck::new());
        let (mut in_order, mut key_bytes) = (true, Vec::new());
        self.glance(glance, |place, rowid, cells| {
            if place != place_before {
                (place_before, check) = (place, InOrderCheck::new());
            }
            key_bytes.clear();
            key.encode(rowid, cells, &mut key_bytes);
            in_order &= check.push(&key_bytes);
            if in_order { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(in_order)
    }

    /// Hands some rows from all over the table to `take`, as [`Source::for_rows_all_over`] does.
    ///
    /// # Errors
    /// What SQLite says; `Interrupted`.
    ///
    /// [`Source::for_rows_all_over`]: crate::sqlite::open::Source::for_rows_all_over
    pub(super) fn glance(
        &self,
        glance: Glance,
        take: impl FnMut(usize, Option<i64>, &[Cell<'_>]) -> ControlFlow<()>,
    ) -> Result<()> {
        self.source.for_rows_all_over(self.catalog, self.ordinal, glance, self.run.interrupt, take)
    }

    /// Whether rows that lie so far apart that no window holds both of them come in order: where one of a few does not,
    /// a window is of no use.
    ///
    /// # Errors
    /// What SQLite says.
    pub(super) fn is_in_order_from_afar(&self) -> Result<bool> {
        let table = self.table();
        let (Some(_), Some(rows)) = (self.source.rowid_bounds(table)?, self.source.estimate_row_count(table))
        else {
            return Ok(true);
        };
        let key = OrderKey::new(self.order, table)?;
        let (mut keys, mut key_bytes) = (Vec::with_capacity(PLACES), Vec::new());
        self.glance(Glance { places: PLACES, rows: 1, bytes: SAMPLE_BYTES }, |_, rowid, cells| {
            key_bytes.clear();
            key.encode(rowid, cells, &mut key_bytes);
            keys.push((rowid, start_of_key(&key_bytes)));
            ControlFlow::Continue(())
        })?;
        keys.sort_unstable();
        // A row that is late by half of what is held back may meet one that is as early.
        let afar = (2 * WINDOW_ROWS as u64).saturating_mul(keys.len() as u64).div_ceil(rows.max(1));
        let afar = usize::try_from(afar).unwrap_or(usize::MAX);
        Ok(keys.iter().zip(keys.iter().skip(afar)).all(|((_, early), (_, late))| early <= late))
    }

    /// Whether the table is likely to have more rows than can be sorted in memory.
    pub(super) fn is_large(&self, sample: &Sample) -> Result<bool> {
        let Some(bytes) = self.estimate_bytes(sample) else {
            return Ok(self.source.size_bytes()? > self.bytes_for_frames() / 2);
        };
        // In frames they take about half as much again.
        Ok(bytes.saturating_add(bytes / 2) > self.bytes_for_frames() / 2)
    }

    /// The least memory limit under which the table is not large with one encoder.
    ///
    /// # Errors
    /// What SQLite says.
    pub(crate) fn comfortable_limit_bytes(&self, sample: &Sample) -> Result<u64> {
        let bytes = match self.estimate_bytes(sample) {
            Some(bytes) => bytes,
            // No table has more than the whole database.
            None => self.source.size_bytes()?,
        };
        let frames = bytes.saturating_mul(3).max(LEAST_FRAMES_BYTES);
        Ok(limit_for(frames.saturating_add(ENCODER_BYTES)))
    }

    /// About how many bytes all rows have; `None` where nobody knows how many rows there are.
    pub(super) fn estimate_bytes(&self, sample: &Sample) -> Option<u64> {
        if sample.has_all {
            return Some(sample.content_bytes);
        }
        let rows = self.source.estimate_row_count(self.table())?;
        let as_many =
            |rows: u64, of: u64| u128::from(sample.content_bytes) * u128::from(rows) / u128::from(of.max(1));
        // Where rowids lie far apart there are fewer rows than that: they are in the database.
        let most = as_many(self.source.size_bytes().ok()?, sample.stored_bytes);
        Some(u64::try_from(as_many(rows, sample.rows).min(most)).unwrap_or(u64::MAX))
    }
}

/// As much of a key as is kept to compare it with others: keys may be as large as rows.
pub(super) fn start_of_key(key: &[u8]) -> Vec<u8> {
    const KEPT_BYTES: usize = 1024;
    key[..key.len().min(KEPT_BYTES)].to_vec()
}

/// The least that a row with these cells takes in the database.
fn stored_bytes(cells: &[Cell<'_>]) -> u64 {
    let body = |cell: &Cell<'_>| match cell {
        Cell::Null | Cell::Integer(0 | 1) => 0,
        Cell::Integer(number) => u64::from(65 - number.unsigned_abs().leading_zeros()).div_ceil(8),
        // A whole number in a REAL column is stored as an integer.
        Cell::Real(_) => 1,
        Cell::Text(_) | Cell::RawText(_) | Cell::Blob(_) => cell.size_bytes() as u64,
    };
    cells.iter().map(|cell| 1 + body(cell)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_takes_at_least_what_its_record_does() {
        let rows: [(&[Cell<'_>], u64); 6] = [
            (&[Cell::Null, Cell::Integer(0), Cell::Integer(1)], 3),
            (&[Cell::Integer(127), Cell::Integer(-127)], 4),
            (&[Cell::Integer(128), Cell::Integer(-129)], 6),
            (&[Cell::Integer(i64::MAX), Cell::Integer(i64::MIN)], 19),
            (&[Cell::Real(2.0)], 2),
            (&[Cell::Text("abc"), Cell::Blob(&[0; 200])], 205),
        ];
        for (cells, bytes) in rows {
            assert_eq!(stored_bytes(cells), bytes, "{cells:?}");
        }
    }
}
