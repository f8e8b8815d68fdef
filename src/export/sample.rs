//! What the first rows of a table tell of all of them: a guess at its columns, its order, its size.

use std::ops::ControlFlow;

use crate::budget::limit_for;
use crate::digest::RowHasher;
use crate::error::Result;
use crate::export::encoders::ENCODER_BYTES;
use crate::export::table::{TableJob, count};
use crate::frame::ClassCounts;
use crate::frame::order::{InOrderCheck, OrderKey, WINDOW_ROWS};

/// Rows looked at before the first guess.
const SAMPLE_ROWS: u64 = 1_000;
/// What frames of the smallest table may take, in bytes.
const LEAST_FRAMES_BYTES: u64 = 4 * 1024 * 1024;

/// What the first rows show.
pub(crate) struct Sample {
    pub(super) counts: Vec<ClassCounts>,
    pub(super) in_order: bool,
    rows: u64,
    content_bytes: u64,
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
            rows: 0,
            content_bytes: 0,
        };
        self.source.for_each_row(self.catalog, self.ordinal, |rowid, cells| {
            count(&mut sample.counts, cells);
            key_bytes.clear();
            key.encode(rowid, cells, &mut key_bytes);
            sample.in_order = check.push(&key_bytes);
            sample.rows += 1;
            sample.content_bytes += hasher.add_row(rowid, cells) as u64;
            Ok(if sample.rows < SAMPLE_ROWS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        if sample.in_order && sample.rows == SAMPLE_ROWS && !key.is_rowid_ascending() {
            sample.in_order = self.places_are_in_order(&key)?;
        }
        Ok(sample)
    }

    /// Whether rows here and there in the table are in order among themselves.
    fn places_are_in_order(&self, key: &OrderKey) -> Result<bool> {
        const PLACES: i128 = 64;
        const ROWS: u64 = 64;
        let Some((first, last)) = self.source.rowid_bounds(self.table())? else { return Ok(true) };
        let span = i128::from(last) - i128::from(first);
        let (mut in_order, mut key_bytes) = (true, Vec::new());
        for place in 1..PLACES {
            let from = i64::try_from(i128::from(first) + span * place / PLACES).ok();
            let (mut check, mut rows) = (InOrderCheck::new(), 0);
            self.source.for_each_row_from(self.catalog, self.ordinal, from, |rowid, cells| {
                key_bytes.clear();
                key.encode(rowid, cells, &mut key_bytes);
                in_order &= check.push(&key_bytes);
                rows += 1;
                Ok(if in_order && rows < ROWS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
            })?;
            if !in_order {
                break;
            }
        }
        Ok(in_order)
    }

    /// Whether rows that lie so far apart that no window holds both of them come in order: where one of a few does not,
    /// a window is of no use.
    ///
    /// # Errors
    /// What SQLite says.
    pub(super) fn is_in_order_from_afar(&self) -> Result<bool> {
        const PLACES: usize = 64;
        let table = self.table();
        let (Some((first, last)), Some(rows)) =
            (self.source.rowid_bounds(table)?, self.source.estimate_row_count(table))
        else {
            return Ok(true);
        };
        let key = OrderKey::new(self.order, table)?;
        let span = i128::from(last) - i128::from(first);
        let mut keys: Vec<Vec<u8>> = Vec::with_capacity(PLACES);
        for place in 0..PLACES {
            let from = i64::try_from(i128::from(first) + span * place as i128 / PLACES as i128).ok();
            self.source.for_each_row_from(self.catalog, self.ordinal, from, |rowid, cells| {
                let mut bytes = Vec::new();
                key.encode(rowid, cells, &mut bytes);
                keys.push(bytes);
                Ok(ControlFlow::Break(()))
            })?;
        }
        // A row that is late by half of what is held back may meet one that is as early.
        let afar = (2 * WINDOW_ROWS).saturating_mul(PLACES as u64).div_ceil(rows.max(1));
        let afar = usize::try_from(afar).unwrap_or(usize::MAX);
        Ok(keys.iter().zip(keys.iter().skip(afar)).all(|(early, late)| early <= late))
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
    fn estimate_bytes(&self, sample: &Sample) -> Option<u64> {
        if sample.rows < SAMPLE_ROWS {
            return Some(sample.content_bytes);
        }
        let rows = self.source.estimate_row_count(self.table())?;
        let bytes = u128::from(sample.content_bytes) * u128::from(rows) / u128::from(sample.rows);
        Some(u64::try_from(bytes).unwrap_or(u64::MAX))
    }
}

impl Sample {
    /// Whether these are all rows.
    pub(super) fn is_whole(&self) -> bool {
        self.rows < SAMPLE_ROWS
    }
}
