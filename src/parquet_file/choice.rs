//! How each column chunk is laid out and how much effort zstd spends on it, chosen from its own values.
//!
//! Every layout, a dictionary among them, and every level is tried on a page of values: what comes out smallest is taken,
//! and less effort than was asked for where it costs nothing. A trial counts for several row groups, as long as their
//! values are like those it was made of; where they are not, the row group is tried by itself. Decided by the values
//! alone, so that equal rows give equal bytes.
//!
//! A sample is not the whole: it can be wrong about values that differ from it in neither their runs nor the number of
//! distinct ones, and of which a few pieces come out as large. In the tests no column comes out larger than plain values at the level asked for, not even those that
//! change after their first rows; it is not proved for every column.

use arrow::array::{Array, ArrayRef};
use serde::{Deserialize, Serialize};

use crate::error::Result;

mod compressors;
mod distinct;
mod effort;
mod packed;
mod page;
mod probe;
mod sample;

pub(super) use compressors::Compressors;
use compressors::LEAST_LEVEL;
use distinct::{Distinct, distinct_values};
use page::{Pages, plain_bytes, value_count};
use probe::Probe;
use sample::Sample;

/// How the values of a column chunk are laid out in its pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// Distinct values once, and numbers that point to them: `RLE_DICTIONARY`.
    Dictionary,
    /// One after another: `PLAIN`.
    Plain,
    /// Differences of integers: `DELTA_BINARY_PACKED`.
    Deltas,
    /// First all lengths, then all bytes: `DELTA_LENGTH_BYTE_ARRAY`.
    Lengths,
    /// First the first bytes of all reals, then the second bytes, and so on: `BYTE_STREAM_SPLIT`.
    ByteStreams,
}

/// Layout and effort of one column chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Choice {
    /// How its values are laid out.
    pub layout: Layout,
    /// The zstd level: what was asked for, or less where that is no larger.
    pub level: i32,
}

/// How many row groups of a column were laid out in one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChosenFor {
    /// The way.
    #[serde(flatten)]
    pub choice: Choice,
    /// How many row groups.
    pub row_groups: u64,
}

/// Beside this many rows for each of its values, a dictionary is worth a trial of its own.
const ROWS_PER_REPEATED_VALUE: usize = 16;

/// So many pages are tried where the first does not tell whether less effort is enough.
const MOST_PAGES: usize = 4;

/// So few values tell little of many.
const FEW_VALUES: usize = 1024;

/// Values of this size in bytes, on average, are so few in a page that each row group is tried by itself.
const LARGE_VALUE_BYTES: usize = 16 * 1024;

/// Another layout than the one every reader has known for long must save at least one part in this many.
const WORTHWHILE_SHARE: usize = 100;

/// What a dictionary takes beside its values, in bytes: the head of its page, and that of a frame of zstd.
const DICTIONARY_HEAD_BYTES: usize = 32;

/// What a chunk may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// The zstd level asked for.
    pub(super) level: i32,
    /// The largest dictionary, in bytes; 0 where there must be none.
    pub(super) dictionary_bytes: usize,
    /// The largest page, in bytes.
    pub(super) page_bytes: usize,
    /// The rows with which a page is full.
    pub(super) page_rows: usize,
    /// Whether rows may be NULL.
    pub(super) has_nulls: bool,
}

/// What trying out a page of values, or a few, has shown, for the row groups that follow.
#[derive(Debug, Clone, Copy)]
pub(super) struct TriedPage {
    trial: Trial,
    /// By which other values are known to be like those of the page.
    probe: Probe,
}

/// How a sample of a column's values came out in all layouts.
#[derive(Debug, Clone, Copy)]
struct Trial {
    /// What came out best, but for a dictionary.
    choice: Choice,
    /// How large that is.
    bytes: usize,
    /// How large plain values are at the level asked for.
    plain_bytes: usize,
    values: usize,
    /// How many runs of equal values there are.
    runs: usize,
    /// `None` where nearly all values are distinct.
    dictionary: Option<DictionaryTrial>,
}

/// How a sample of a column's values came out in a dictionary.
#[derive(Debug, Clone, Copy)]
struct DictionaryTrial {
    /// At which level.
    level: i32,
    /// How large the numbers are that point to distinct values.
    pointer_bytes: usize,
    /// How large the distinct values are.
    value_bytes: usize,
    distinct: Distinct,
}

impl DictionaryTrial {
    /// Both together, as if in a dictionary for both.
    fn and(self, more: Self) -> Self {
        let bits = |tried: &Self| tried.distinct.pointer_bits().max(1) as usize;
        let most = bits(&self).max(bits(&more));
        let wide = |tried: &Self| scaled(tried.pointer_bytes, most, bits(tried));
        let larger = if self.distinct.bytes >= more.distinct.bytes { self } else { more };
        Self {
            level: self.level.max(more.level),
            pointer_bytes: wide(&self) + wide(&more),
            value_bytes: larger.value_bytes,
            distinct: larger.distinct,
        }
    }
}

impl Trial {
    /// What is best for the `count` values of a chunk. `distinct` is theirs, where they have room in a dictionary.
    fn choose(&self, count: usize, distinct: Option<Distinct>, level: i32) -> Choice {
        let in_dictionary = distinct.map(|distinct| self.in_dictionary(count, distinct, level));
        match in_dictionary {
            Some((choice, bytes)) if bytes <= self.most_for_dictionary(count) => choice,
            _ => self.choice,
        }
    }

    /// The most a dictionary of `count` such values may take.
    fn most_for_dictionary(&self, count: usize) -> usize {
        let worthwhile = self.plain_bytes - self.plain_bytes / WORTHWHILE_SHARE;
        scaled(self.bytes.min(worthwhile), count, self.values)
    }

    /// How `count` such values, `distinct` among them, are best laid out in a dictionary, and how large that would be.
    fn in_dictionary(&self, count: usize, distinct: Distinct, level: i32) -> (Choice, usize) {
        // Nothing gets larger by being compressed.
        let plain = (level, distinct.form_bytes(count));
        let tried = self.dictionary.map(|tried| {
            let pointers = scaled(tried.pointer_bytes, count, self.values);
            let bits = |distinct: Distinct| distinct.pointer_bits().max(1) as usize;
            let pointers = scaled(pointers, bits(distinct), bits(tried.distinct));
            (tried.level, pointers + scaled(tried.value_bytes, distinct.bytes, tried.distinct.bytes))
        });
        let (level, bytes) = tried.map_or(plain, |tried| (tried.0, tried.1.min(plain.1)));
        (Choice { layout: Layout::Dictionary, level }, bytes + DICTIONARY_HEAD_BYTES)
    }

    /// Whether the sample is like the `count` values of a chunk. `distinct` is theirs, where they have room in a dictionary.
    fn tells_of(&self, count: usize, distinct: Option<Distinct>) -> bool {
        if self.values < FEW_VALUES && self.values < count / 4 {
            return false;
        }
        let tried = self.dictionary.map(|tried| tried.distinct);
        let Some(distinct) = distinct else {
            // Where there were few, they have outgrown a dictionary.
            return tried.is_none_or(|tried| tried.values > self.values / 4);
        };
        let expected_runs = scaled(self.runs, count, self.values);
        let is_alike = |a: usize, b: usize| a <= 2 * b + FEW_RUNS && b <= 2 * a + FEW_RUNS;
        if !is_alike(distinct.runs, expected_runs) {
            return false;
        }
        let Some(tried) = tried else { return distinct.values > count / ROWS_PER_REPEATED_VALUE };
        if self.runs <= 2 * tried.values {
            // One value after the other.
            return distinct.values <= 2 * scaled(tried.values, count, self.values) + FEW_RUNS;
        }
        // The same ones again and again.
        tried.values > self.values / 4 || distinct.values <= 2 * tried.values + FEW_RUNS
    }
}

/// So many runs of equal values, or distinct values, are no difference.
const FEW_RUNS: usize = 8;

/// `bytes` of `of` things, as bytes of `count` things.
fn scaled(bytes: usize, count: usize, of: usize) -> usize {
    let scaled = bytes as u128 * count as u128 / of.max(1) as u128;
    usize::try_from(scaled).unwrap_or(usize::MAX)
}

/// `bytes` without one part in `share`.
fn less(bytes: usize, share: usize) -> usize {
    bytes - bytes / share
}

/// Whether a page has so few values that they say little about others.
fn has_large_values(page: &[ArrayRef]) -> bool {
    page.iter().map(plain_bytes).sum::<usize>() > LARGE_VALUE_BYTES * value_count(page)
}

/// Tries layouts and levels on the first page of values in `arrays`, all of one type, and the level on a few more where
/// that page does not tell; `None` where nothing is to be tried, or a few values would say little about others: without
/// values, and for large ones.
///
/// # Errors
/// `Failed` where zstd cannot be asked.
pub(super) fn try_out(
    arrays: &[ArrayRef],
    limits: Limits,
    zstd: &mut Compressors,
) -> Result<Option<TriedPage>> {
    let mut pages = Pages::new(arrays, 0, limits);
    let Some(first) = pages.next().filter(|page| !has_large_values(page)) else { return Ok(None) };
    let probe = Probe::of_page(&first, zstd)?;
    let trial = try_pages(&first, pages, limits, zstd)?;
    Ok(trial.map(|trial| TriedPage { trial, probe }))
}

/// Tries layouts and levels on one page, and the level on a few `more` like it where that page does not tell.
fn try_pages(
    first: &[ArrayRef],
    more: impl Iterator<Item = Vec<ArrayRef>>,
    limits: Limits,
    zstd: &mut Compressors,
) -> Result<Option<Trial>> {
    let Some(sample) = Sample::of_page(first, limits) else { return Ok(None) };
    let (mut trial, mut effort) = sample.try_out(limits, zstd)?;
    let mut more = more.take(MOST_PAGES - 1).filter_map(|page| Sample::of_page(&page, limits));
    while effort.is_close() {
        let Some(next) = more.next() else { break };
        effort = effort.and(next.effort_in(trial.choice.layout, zstd)?);
    }
    if effort.least_is_enough() {
        trial.choice.level = LEAST_LEVEL.min(limits.level);
    }
    Ok(Some(trial))
}

/// Chooses for the chunk whose values are in `arrays`, all of one type. `tried` is of values shortly before or among them,
/// if there were any. `zstd` is for levels up to that of `limits`.
///
/// # Errors
/// `Failed` where zstd cannot be asked.
pub(super) fn choose(
    arrays: &[ArrayRef],
    tried: Option<TriedPage>,
    limits: Limits,
    zstd: &mut Compressors,
) -> Result<Choice> {
    let as_asked = Choice { layout: Layout::Plain, level: limits.level };
    let count = value_count(arrays);
    let distinct = distinct_values(arrays, limits.dictionary_bytes);
    if let Some(TriedPage { trial, probe }) = tried.filter(|tried| tried.trial.tells_of(count, distinct)) {
        let choice = trial.choose(count, distinct, limits.level);
        // Plain values as they were asked for are never larger than themselves.
        if choice == as_asked || probe.is_of(arrays, choice.level < limits.level, zstd)? {
            return Ok(choice);
        }
    }
    let trial = try_by_itself(arrays, limits, zstd)?;
    Ok(trial.map_or(as_asked, |trial| trial.choose(count, distinct, limits.level)))
}

/// Tries out a chunk by itself, on pages all over it where the first is not like the others; `None` where it has no values.
fn try_by_itself(arrays: &[ArrayRef], limits: Limits, zstd: &mut Compressors) -> Result<Option<Trial>> {
    let mut pages = spread_pages(arrays, limits);
    let Some(first) = pages.next() else { return Ok(None) };
    if has_large_values(&first) {
        let Some(pieces) = Sample::of_pieces(arrays, limits) else { return Ok(None) };
        return Ok(Some(pieces.try_out(limits, zstd)?.0));
    }
    let probe = Probe::of_page(&first, zstd)?;
    if probe.is_of(arrays, true, zstd)? {
        return try_pages(&first, pages, limits, zstd);
    }
    let Some(sample) = Sample::of_page(&first, limits) else { return Ok(None) };
    let mut sizes = sample.sizes(limits, zstd)?;
    for page in pages {
        if let Some(sample) = Sample::of_page(&page, limits) {
            sizes = sizes.and(sample.sizes(limits, zstd)?);
        }
    }
    Ok(Some(sizes.trial(limits.level)))
}

/// Up to [`MOST_PAGES`] pages that have values, all over a chunk.
fn spread_pages(arrays: &[ArrayRef], limits: Limits) -> impl Iterator<Item = Vec<ArrayRef>> {
    let rows = arrays.iter().map(Array::len).sum();
    let mut end = 0;
    (0..MOST_PAGES).filter_map(move |place| {
        let mut pages = Pages::new(arrays, end.max(scaled(rows, place, MOST_PAGES)), limits);
        let page = pages.next();
        end = pages.rows();
        page
    })
}

#[cfg(test)]
mod tests;
