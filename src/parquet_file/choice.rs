//! How each column chunk is laid out and how much effort zstd spends on it, chosen from its own values.
//!
//! A dictionary is taken where it is known to hold every value; nothing is tried and given up on the way. Other layouts
//! and levels are tried on a sample, taken anew every few row groups: what comes out smallest is taken, and less effort
//! than was asked for where it costs nothing. Decided by the values alone, so that equal rows give equal bytes.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{BinaryViewType, ByteViewType, DataType, Float64Type, Int64Type, StringViewType};
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

/// Bytes of values that levels are tried on: a whole page, since what repeats does so at a distance.
const SAMPLE_BYTES: usize = 1024 * 1024;

/// Values that are tried at most.
const SAMPLE_VALUES: usize = 16_384;

/// Values of this size in bytes, on average, are so few in a sample that each row group is tried by itself.
const LARGE_VALUE_BYTES: usize = 16 * 1024;

/// The least piece of a value that is tried, in bytes, where values are large.
const LEAST_PIECE_BYTES: usize = 4 * 1024;

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

/// How a sample of a column's values came out best, but for a dictionary.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trial {
    choice: Choice,
    bytes: usize,
    values: usize,
}

impl Trial {
    /// How large `count` such values would be.
    fn bytes_of(&self, count: usize) -> usize {
        self.bytes.saturating_mul(count) / self.values.max(1)
    }
}

/// Tries layouts and levels on the values of an array; `None` where nothing is to be tried, or a few values would say
/// little about others: without values, and for large ones.
///
/// # Errors
/// `Failed` where zstd cannot be asked.
pub(super) fn try_out(array: &ArrayRef, level: i32) -> Result<Option<Trial>> {
    if array.null_count() == array.len() {
        return Ok(None);
    }
    let sample = match array.data_type() {
        DataType::Int64 => return try_integers(array, level).map(Some),
        DataType::Float64 => return try_reals(array, level).map(Some),
        DataType::Utf8View => ByteSample::take::<StringViewType>(std::slice::from_ref(array), SAMPLE_BYTES),
        DataType::BinaryView => ByteSample::take::<BinaryViewType>(std::slice::from_ref(array), SAMPLE_BYTES),
        _ => return Ok(None),
    };
    if sample.bytes.len() > LARGE_VALUE_BYTES * sample.lengths.len() {
        return Ok(None);
    }
    sample.try_out(level).map(Some)
}

/// Tries layouts and levels on pieces of all values of a chunk.
fn try_out_chunk(arrays: &[ArrayRef], level: i32) -> Result<Option<Trial>> {
    let count = value_count(arrays);
    if count == 0 {
        return Ok(None);
    }
    let piece_bytes = (SAMPLE_BYTES / count).max(LEAST_PIECE_BYTES);
    match arrays.first().map(Array::data_type) {
        Some(DataType::Utf8View) => {
            ByteSample::take::<StringViewType>(arrays, piece_bytes).try_out(level).map(Some)
        }
        Some(DataType::BinaryView) => {
            ByteSample::take::<BinaryViewType>(arrays, piece_bytes).try_out(level).map(Some)
        }
        _ => arrays.iter().find_map(|array| try_out(array, level).transpose()).transpose(),
    }
}

/// Chooses for the chunk whose values are in `arrays`, all of one type. `trial` is of values like these, if there were any.
///
/// # Errors
/// `Failed` where zstd cannot be asked.
pub(super) fn choose(arrays: &[ArrayRef], trial: Option<Trial>, limits: Limits) -> Result<Choice> {
    let in_dictionary = Choice { layout: Layout::Dictionary, level: limits.level };
    let count = value_count(arrays);
    let distinct = distinct_values(arrays, limits);
    if distinct.is_some_and(|distinct| is_cheap(distinct.values, count)) {
        return Ok(in_dictionary);
    }
    let trial = match trial {
        // The values it was to be of were all NULL, or large.
        None => try_out_chunk(arrays, limits.level)?,
        known => known,
    };
    Ok(match (trial, distinct) {
        (None, _) => Choice { layout: Layout::Plain, level: limits.level },
        (Some(trial), Some(distinct)) if distinct.form_bytes(count) <= trial.bytes_of(count) => in_dictionary,
        (Some(trial), _) => trial.choice,
    })
}

fn integers(array: &ArrayRef) -> impl Iterator<Item = i64> {
    array.as_primitive::<Int64Type>().iter().flatten()
}

fn reals(array: &ArrayRef) -> impl Iterator<Item = u64> {
    array.as_primitive::<Float64Type>().iter().flatten().map(f64::to_bits)
}

fn distinct_values(arrays: &[ArrayRef], limits: Limits) -> Option<Distinct> {
    /// The values of a chunk, as they are counted: in 64 bits, and with their size.
    fn keys<T: ByteViewType>(array: &ArrayRef) -> impl Iterator<Item = (u64, usize)> {
        let array = array.as_byte_view::<T>();
        let views = array.views().iter().zip(array.iter());
        views.filter_map(|(&view, value)| {
            let bytes: &[u8] = value?.as_ref();
            let key = match bytes.len() {
                // The view is the value: its two halves tell short ones apart about as well as a hash.
                0..=12 => fold(lower(view), lower(view >> 64)),
                _ => xxh3_64(bytes),
            };
            Some((key, LENGTH_BYTES + bytes.len()))
        })
    }
    const NUMBER_BYTES: usize = 8;
    let number = |bits| (bits, NUMBER_BYTES);
    match arrays.first()?.data_type() {
        DataType::Int64 => {
            distinct(arrays.iter().flat_map(integers).map(i64::cast_unsigned).map(number), limits)
        }
        DataType::Float64 => distinct(arrays.iter().flat_map(reals).map(number), limits),
        DataType::Utf8View => distinct(arrays.iter().flat_map(keys::<StringViewType>), limits),
        DataType::BinaryView => distinct(arrays.iter().flat_map(keys::<BinaryViewType>), limits),
        _ => None,
    }
}

fn try_integers(array: &ArrayRef, level: i32) -> Result<Trial> {
    let sample: Vec<i64> = integers(array).take(SAMPLE_VALUES).collect();
    let plain: Vec<u8> = sample.iter().flat_map(|value| value.to_le_bytes()).collect();
    let deltas = pack(sample.iter().copied());
    let forms = [(Layout::Plain, plain.as_slice(), 0), (Layout::Deltas, deltas.as_slice(), 0)];
    smallest(forms, sample.len(), level)
}

fn try_reals(array: &ArrayRef, level: i32) -> Result<Trial> {
    let sample: Vec<[u8; 8]> = reals(array).take(SAMPLE_VALUES).map(u64::to_le_bytes).collect();
    let streams: Vec<u8> = (0..8).flat_map(|byte| sample.iter().map(move |bytes| bytes[byte])).collect();
    let forms = [(Layout::Plain, sample.as_flattened(), 0), (Layout::ByteStreams, streams.as_slice(), 0)];
    smallest(forms, sample.len(), level)
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
    /// Takes the first values, and of each no more than `piece_bytes`, as long as there is room.
    fn take<T: ByteViewType>(arrays: &[ArrayRef], piece_bytes: usize) -> Self {
        let mut sample = Self::default();
        let values = arrays.iter().flat_map(|array| array.as_byte_view::<T>().iter().flatten());
        for value in values.take(SAMPLE_VALUES) {
            let value: &[u8] = value.as_ref();
            let room = SAMPLE_BYTES.saturating_sub(sample.bytes.len()).min(piece_bytes);
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

    fn try_out(&self, level: i32) -> Result<Trial> {
        let lengths = pack(self.lengths.iter().copied()).len();
        let forms = [(Layout::Plain, self.plain.as_slice(), 0), (Layout::Lengths, &self.bytes, lengths)];
        smallest(forms, self.lengths.len(), level)
    }
}

/// Tries two layouts of `values` values, the usual one first, each with the bytes that come on top of the compressed ones.
fn smallest(forms: [(Layout, &[u8], usize); 2], values: usize, level: i32) -> Result<Trial> {
    let mut least = Compressor::new(LEAST_LEVEL)?;
    let mut size_of = |(_, bytes, more): (_, &[u8], usize)| Ok(least.size_of(bytes)? + more);
    let [usual, other] = forms;
    let (usual_size, other_size) = (size_of(usual)?, size_of(other)?);
    let is_worthwhile = other_size < usual_size - usual_size / WORTHWHILE_SHARE;
    let ((layout, bytes, more), size) = if is_worthwhile { (other, other_size) } else { (usual, usual_size) };
    let mut best = (Choice { layout, level: LEAST_LEVEL.min(level) }, size);
    if level > LEAST_LEVEL {
        let mut asked = Compressor::new(level)?;
        let size = asked.size_of(bytes)? + more;
        if size < best.1 {
            best = (Choice { layout, level }, size);
        }
        // More effort may make the usual layout the smaller one.
        let usual_size = if is_worthwhile { asked.size_of(usual.1)? + usual.2 } else { size };
        if usual_size < best.1 {
            best = (Choice { layout: usual.0, level }, usual_size);
        }
    }
    let (choice, bytes) = best;
    Ok(Trial { choice, bytes, values })
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
        self.0 = fold(value, 0);
    }
}

/// Two times 64 bits in 64, each of which depends on all of them.
fn fold(a: u64, b: u64) -> u64 {
    /// Of the golden ratio, as in Fibonacci hashing, and of the square root of two.
    const FACTORS: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0x6a09_e667_f3bc_c908];
    let product = u128::from(a ^ FACTORS[0]) * u128::from(b ^ FACTORS[1]);
    lower(product) ^ lower(product >> 64)
}

#[expect(clippy::cast_possible_truncation, reason = "what is asked for")]
fn lower(value: u128) -> u64 {
    value as u64
}

/// Integers as packed differences, as they stand in a page but for what little heads take.
///
/// Source: Parquet, "Encodings", delta encoding: blocks of differences above their smallest, packed in miniblocks of
/// equal width.
fn pack(values: impl Iterator<Item = i64>) -> Vec<u8> {
    const BLOCK: usize = 256;
    const MINIBLOCK: usize = 64;
    let mut packed = Vec::new();
    let mut previous = 0;
    let mut deltas: Vec<i64> = values
        .map(|value: i64| {
            let delta = value.wrapping_sub(previous);
            previous = value;
            delta
        })
        .collect();
    // The first value stands in the head of its page.
    if let Some(first) = deltas.first_mut() {
        *first = 0;
    }
    for block in deltas.chunks(BLOCK) {
        let least = block.iter().copied().min().unwrap_or(0);
        packed.extend_from_slice(&least.to_le_bytes());
        for miniblock in block.chunks(MINIBLOCK) {
            let above = |delta: &i64| delta.wrapping_sub(least).cast_unsigned();
            let bits = u64::BITS - miniblock.iter().map(above).max().unwrap_or(0).leading_zeros();
            packed.push(u8::try_from(bits).unwrap_or(u8::MAX));
            let (mut waiting, mut count) = (0_u128, 0);
            for value in miniblock.iter().map(above).chain(std::iter::repeat(0)).take(MINIBLOCK) {
                waiting |= u128::from(value) << count;
                count += bits;
                while count >= u8::BITS {
                    packed.push(lower(waiting).to_le_bytes()[0]);
                    waiting >>= u8::BITS;
                    count -= u8::BITS;
                }
            }
        }
    }
    packed
}

#[cfg(test)]
mod tests;
