//! How each column chunk is laid out and how much effort zstd spends on it, chosen from its own values.
//!
//! A dictionary is taken where it is known to hold every value; nothing is tried and given up on the way. Other layouts
//! and levels are tried on a sample of the chunk: what comes out smallest is taken, and less effort than was asked for
//! where it costs nothing. Decided by the values alone, so that equal rows give equal bytes.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{ByteViewType, DataType, Float64Type, Int64Type};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::error::{Error, ErrorKind, Result};

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

/// The least effort.
const LEAST_LEVEL: i32 = 1;

/// Bytes of values that layouts and levels are tried on: enough to see what repeats, little beside a row group.
const SAMPLE_BYTES: usize = 256 * 1024;

/// Values that are tried at most.
const SAMPLE_VALUES: usize = 16_384;

/// Another layout than the one every reader has known for long must save at least one part in this many.
const WORTHWHILE_SHARE: usize = 100;

/// Beside this many rows for each of its values, a dictionary is never the larger form.
const ROWS_PER_CHEAP_VALUE: usize = 16;

/// What a chunk may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// The zstd level asked for.
    pub(super) level: i32,
    /// The largest dictionary, in bytes; 0 where there must be none.
    pub(super) dictionary_bytes: usize,
}

/// Chooses for the chunk whose values are in `arrays`, all of one type.
///
/// # Errors
/// `Failed` where zstd cannot be asked.
pub(super) fn choose(arrays: &[ArrayRef], limits: Limits) -> Result<Choice> {
    let Some(first) = arrays.first() else {
        return Ok(Choice { layout: Layout::Plain, level: limits.level });
    };
    match first.data_type() {
        DataType::Int64 => Ok(choose_for_integers(arrays, limits)),
        DataType::Float64 => choose_for_reals(arrays, limits),
        _ => choose_for_bytes(arrays, limits),
    }
}

/// Integers: a dictionary or differences, of which the smaller one is known without trying.
fn choose_for_integers(arrays: &[ArrayRef], limits: Limits) -> Choice {
    const VALUE_BYTES: usize = size_of::<i64>();
    let values = || arrays.iter().flat_map(|array| array.as_primitive::<Int64Type>().iter().flatten());
    let count = value_count(arrays);
    let distinct = distinct(values().map(|value| (value.cast_unsigned(), VALUE_BYTES)), limits);
    let layout = match distinct {
        Some(distinct) if is_cheap(distinct.values, count) => Layout::Dictionary,
        Some(distinct) if distinct.form_bytes(count) <= packed_bytes(values()) => Layout::Dictionary,
        _ => Layout::Deltas,
    };
    Choice { layout, level: limits.level }
}

fn choose_for_reals(arrays: &[ArrayRef], limits: Limits) -> Result<Choice> {
    const VALUE_BYTES: usize = size_of::<f64>();
    let bits = || {
        let values = arrays.iter().flat_map(|array| array.as_primitive::<Float64Type>().iter().flatten());
        values.map(f64::to_bits)
    };
    let count = value_count(arrays);
    let distinct = distinct(bits().map(|bits| (bits, VALUE_BYTES)), limits);
    let in_dictionary = Choice { layout: Layout::Dictionary, level: limits.level };
    if distinct.is_some_and(|distinct| is_cheap(distinct.values, count)) {
        return Ok(in_dictionary);
    }
    let skipped = count.saturating_sub(SAMPLE_VALUES) / 2;
    let sample: Vec<u64> = bits().skip(skipped).take(SAMPLE_VALUES).collect();
    let plain: Vec<u8> = sample.iter().flat_map(|bits| bits.to_le_bytes()).collect();
    let streams = (0..VALUE_BYTES).flat_map(|byte| sample.iter().map(move |bits| bits.to_le_bytes()[byte]));
    let streams: Vec<u8> = streams.collect();
    let chosen = smallest(&[(Layout::Plain, &plain, 0), (Layout::ByteStreams, &streams, 0)], limits.level)?;
    let whole = chosen.bytes.saturating_mul(count) / sample.len().max(1);
    Ok(match distinct {
        Some(distinct) if distinct.form_bytes(count) <= whole => in_dictionary,
        _ => chosen.choice,
    })
}

fn choose_for_bytes(arrays: &[ArrayRef], limits: Limits) -> Result<Choice> {
    fn keys<T: ByteViewType>(array: &ArrayRef) -> impl Iterator<Item = (u64, usize)> {
        let values = array.as_byte_view::<T>();
        values.iter().flatten().map(|value| {
            let bytes: &[u8] = value.as_ref();
            (xxh3_64(bytes), LENGTH_BYTES + bytes.len())
        })
    }
    let count = value_count(arrays);
    let is_text = matches!(arrays.first().map(|array| array.data_type()), Some(DataType::Utf8View));
    let distinct = if is_text {
        distinct(arrays.iter().flat_map(keys::<arrow::datatypes::StringViewType>), limits)
    } else {
        distinct(arrays.iter().flat_map(keys::<arrow::datatypes::BinaryViewType>), limits)
    };
    let in_dictionary = Choice { layout: Layout::Dictionary, level: limits.level };
    if distinct.is_some_and(|distinct| is_cheap(distinct.values, count)) {
        return Ok(in_dictionary);
    }
    let sample = if is_text {
        ByteSample::take::<arrow::datatypes::StringViewType>(arrays, count)
    } else {
        ByteSample::take::<arrow::datatypes::BinaryViewType>(arrays, count)
    };
    let lengths = packed_bytes(sample.lengths.iter().copied());
    let forms = [(Layout::Plain, sample.plain.as_slice(), 0), (Layout::Lengths, &sample.bytes, lengths)];
    let chosen = smallest(&forms, limits.level)?;
    let whole = chosen.bytes.saturating_mul(count) / sample.lengths.len().max(1);
    Ok(match distinct {
        Some(distinct) if distinct.form_bytes(count) <= whole => in_dictionary,
        _ => chosen.choice,
    })
}

/// What stands before a text or blob in a dictionary or a plain page.
const LENGTH_BYTES: usize = 4;

/// Some texts or blobs, in two layouts.
#[derive(Default)]
struct ByteSample {
    plain: Vec<u8>,
    bytes: Vec<u8>,
    lengths: Vec<i64>,
}

impl ByteSample {
    /// Takes values from the middle of a chunk of `count` values; of the last one no more than there is room for.
    fn take<T: ByteViewType>(arrays: &[ArrayRef], count: usize) -> Self {
        let mut sample = Self::default();
        let skipped = count.saturating_sub(SAMPLE_VALUES) / 2;
        let values = arrays.iter().flat_map(|array| array.as_byte_view::<T>().iter().flatten());
        for value in values.skip(skipped).take(SAMPLE_VALUES) {
            let value: &[u8] = value.as_ref();
            let room = SAMPLE_BYTES.saturating_sub(sample.bytes.len());
            if room == 0 {
                break;
            }
            sample.lengths.push(i64::try_from(value.len()).unwrap_or(i64::MAX));
            sample.plain.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes());
            let piece = &value[..value.len().min(room)];
            sample.plain.extend_from_slice(piece);
            sample.bytes.extend_from_slice(piece);
        }
        sample
    }
}

/// A choice, and the size of the sample under it.
struct Tried {
    choice: Choice,
    bytes: usize,
}

/// Tries layouts of a sample, the usual one first, each with the bytes that come on top of the compressed ones.
fn smallest(forms: &[(Layout, &[u8], usize)], level: i32) -> Result<Tried> {
    let mut least = Compressor::new(LEAST_LEVEL)?;
    let mut best: Option<(Layout, &[u8], usize, usize)> = None;
    for &(layout, bytes, more) in forms {
        let size = least.size_of(bytes)? + more;
        let is_better = best.is_none_or(|(.., best)| size < best - best / WORTHWHILE_SHARE);
        if is_better {
            best = Some((layout, bytes, more, size));
        }
    }
    let Some((layout, bytes, more, size)) = best else {
        return Ok(Tried { choice: Choice { layout: Layout::Plain, level }, bytes: 0 });
    };
    let least = Tried { choice: Choice { layout, level: LEAST_LEVEL }, bytes: size };
    if level <= LEAST_LEVEL {
        return Ok(least);
    }
    let asked = Compressor::new(level)?.size_of(bytes)? + more;
    Ok(if size <= asked { least } else { Tried { choice: Choice { layout, level }, bytes: asked } })
}

/// zstd at one level.
struct Compressor {
    zstd: zstd::bulk::Compressor<'static>,
    buffer: Vec<u8>,
}

impl Compressor {
    fn new(level: i32) -> Result<Self> {
        let zstd = zstd::bulk::Compressor::new(level).map_err(no_answer)?;
        Ok(Self { zstd, buffer: Vec::new() })
    }

    fn size_of(&mut self, bytes: &[u8]) -> Result<usize> {
        self.buffer.clear();
        self.buffer.reserve(zstd::zstd_safe::compress_bound(bytes.len()));
        self.zstd.compress_to_buffer(bytes, &mut self.buffer).map_err(no_answer)
    }
}

fn no_answer(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Failed, "trying how a column compresses").because(error)
}

fn value_count(arrays: &[ArrayRef]) -> usize {
    arrays.iter().map(|array| array.len() - array.null_count()).sum()
}

/// The distinct values of a chunk.
#[derive(Debug, Clone, Copy)]
struct Distinct {
    values: usize,
    /// Their size in a dictionary.
    bytes: usize,
}

impl Distinct {
    /// The size of dictionary and pointers of `count` values before compression.
    fn form_bytes(self, count: usize) -> usize {
        let bits = usize::BITS - self.values.saturating_sub(1).leading_zeros();
        self.bytes + (count * bits as usize).div_ceil(8)
    }
}

fn is_cheap(distinct: usize, count: usize) -> bool {
    distinct.saturating_mul(ROWS_PER_CHEAP_VALUE) <= count
}

/// Counts distinct values, given as 64 bits that tell them apart and their size in a dictionary; `None` where they have
/// no room in one.
fn distinct(values: impl Iterator<Item = (u64, usize)>, limits: Limits) -> Option<Distinct> {
    let mut seen: HashSet<u64, BuildHasherDefault<Folded>> = HashSet::default();
    let mut bytes = 0;
    if limits.dictionary_bytes == 0 {
        return None;
    }
    let mut last = None;
    for (key, size) in values {
        if last == Some(key) {
            continue;
        }
        last = Some(key);
        if seen.insert(key) {
            bytes += size;
            if bytes > limits.dictionary_bytes {
                return None;
            }
        }
    }
    Some(Distinct { values: seen.len(), bytes })
}

/// Spreads 64 bits over all of them: a hash is needed, an adversary only makes it slow for himself.
#[derive(Default)]
struct Folded(u64);

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64(bytes);
    }

    fn write_u64(&mut self, value: u64) {
        /// Of the golden ratio, as in Fibonacci hashing.
        const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
        let product = u128::from(value ^ FACTOR) * u128::from(FACTOR);
        #[expect(clippy::cast_possible_truncation, reason = "both halves are folded into one")]
        let folded = (product as u64) ^ ((product >> 64) as u64);
        self.0 = folded;
    }
}

/// The size of integers as packed differences, near enough.
///
/// Source: Parquet, "Encodings", delta encoding: blocks of differences above their smallest, packed in miniblocks of
/// equal width.
fn packed_bytes(values: impl Iterator<Item = i64>) -> usize {
    const MINIBLOCK: usize = 64;
    const WIDTH_BYTES: usize = 1;
    let mut bytes = 0;
    let mut previous = 0;
    let mut deltas = Vec::with_capacity(MINIBLOCK);
    let mut close = |deltas: &mut Vec<i64>| {
        let least = deltas.iter().copied().min().unwrap_or(0);
        let most = deltas.iter().copied().max().unwrap_or(0);
        let bits = u64::BITS - most.wrapping_sub(least).cast_unsigned().leading_zeros();
        bytes += WIDTH_BYTES + MINIBLOCK * bits as usize / 8;
        deltas.clear();
    };
    for value in values {
        deltas.push(value.wrapping_sub(previous));
        previous = value;
        if deltas.len() == MINIBLOCK {
            close(&mut deltas);
        }
    }
    if !deltas.is_empty() {
        close(&mut deltas);
    }
    bytes
}
