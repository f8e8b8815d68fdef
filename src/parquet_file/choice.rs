//! How each column chunk is laid out and how much effort zstd spends on it, chosen from its own values.
//!
//! Every layout, a dictionary among them, and every level is tried on a page of values: what comes out smallest is taken,
//! and less effort than was asked for where it costs nothing. A trial counts for several row groups, as long as their
//! values are like those it was made of; where they are not, the row group is tried by itself. Decided by the values
//! alone, so that equal rows give equal bytes.
//!
//! A sample is not the whole: it can be wrong about values that differ from it in neither their runs nor the number of
//! distinct ones. In the tests no column comes out larger than plain values at the level asked for, not even those that
//! change after their first rows; it is not proved for every column.

use arrow::array::{Array, ArrayRef};
use serde::{Deserialize, Serialize};

use crate::error::Result;

mod distinct;
mod packed;
mod sample;

use distinct::{Distinct, distinct_values};
pub(super) use sample::Compressors;
use sample::{LEAST_LEVEL, Sample, WORTHWHILE_SHARE};

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
    /// The most rows of a page.
    pub(super) page_rows: usize,
}

/// How a sample of a column's values came out in all layouts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trial {
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

impl Trial {
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

/// Tries layouts and levels on the first page of values in `arrays`, all of one type, and the level on a few more where
/// that page does not tell; `None` where nothing is to be tried,
/// or a few values would say little about others: without values, and for large ones.
///
/// # Errors
/// `Failed` where zstd cannot be asked.
pub(super) fn try_out(arrays: &[ArrayRef], limits: Limits, zstd: &mut Compressors) -> Result<Option<Trial>> {
    let Some(sample) = Sample::take_first(arrays, limits) else { return Ok(None) };
    let (mut trial, mut effort) = sample.try_out(limits, zstd)?;
    let (mut skipped, mut pages) = (sample.values(), 1);
    while effort.is_close() && pages < MOST_PAGES {
        let Some(next) = Sample::take_first(&without_first(arrays, skipped), limits) else { break };
        effort = effort.and(next.effort_in(trial.choice.layout, zstd)?);
        skipped += next.values();
        pages += 1;
    }
    if effort.least_is_enough() {
        trial.choice.level = LEAST_LEVEL.min(limits.level);
    }
    Ok(Some(trial))
}

/// The arrays without their first `count` rows.
fn without_first(arrays: &[ArrayRef], mut count: usize) -> Vec<ArrayRef> {
    let mut rest = Vec::with_capacity(arrays.len());
    for array in arrays {
        let skipped = array.len().min(count);
        count -= skipped;
        rest.push(array.slice(skipped, array.len() - skipped));
    }
    rest
}

/// Chooses for the chunk whose values are in `arrays`, all of one type. `trial` is of values shortly before or among them,
/// if there were any.
///
/// # Errors
/// `Failed` where zstd cannot be asked.
pub(super) fn choose(arrays: &[ArrayRef], trial: Option<Trial>, limits: Limits) -> Result<Choice> {
    let count = arrays.iter().map(|array| array.len() - array.null_count()).sum();
    let distinct = distinct_values(arrays, limits.dictionary_bytes);
    let trial = match trial.filter(|trial| trial.tells_of(count, distinct)) {
        None => match Sample::take_everywhere(arrays, limits) {
            Some(sample) => Some(sample.try_out(limits, &mut Compressors::new(limits.level)?)?.0),
            None => None,
        },
        known => known,
    };
    let Some(trial) = trial else { return Ok(Choice { layout: Layout::Plain, level: limits.level }) };
    let in_dictionary = distinct.map(|distinct| trial.in_dictionary(count, distinct, limits.level));
    Ok(match in_dictionary {
        Some((choice, bytes)) if bytes <= trial.most_for_dictionary(count) => choice,
        _ => trial.choice,
    })
}

#[cfg(test)]
mod tests;
