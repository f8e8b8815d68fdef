//! Counts the distinct values of a column chunk.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{BinaryViewType, ByteViewType, DataType, Float64Type, Int64Type, StringViewType};
use xxhash_rust::xxh3::xxh3_64;

/// What stands before a text or blob in a dictionary or a plain page.
pub(super) const LENGTH_BYTES: usize = 4;

/// The distinct values of some values.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Distinct {
    pub(super) values: usize,
    /// Their size in a dictionary.
    pub(super) bytes: usize,
    /// How many runs of equal values there are.
    pub(super) runs: usize,
}

impl Distinct {
    /// How many bits point to one of them.
    pub(super) fn pointer_bits(self) -> u32 {
        usize::BITS - self.values.saturating_sub(1).leading_zeros()
    }

    /// The size of dictionary and pointers of `count` values before compression.
    pub(super) fn form_bytes(self, count: usize) -> usize {
        self.bytes + (count * self.pointer_bits() as usize).div_ceil(8)
    }
}

pub(super) fn integers(array: &ArrayRef) -> impl Iterator<Item = i64> {
    array.as_primitive::<Int64Type>().iter().flatten()
}

pub(super) fn reals(array: &ArrayRef) -> impl Iterator<Item = u64> {
    array.as_primitive::<Float64Type>().iter().flatten().map(f64::to_bits)
}

/// The texts or blobs of an array, each with 64 bits that tell it from others.
pub(super) fn texts<T: ByteViewType>(array: &ArrayRef) -> impl Iterator<Item = (u64, &[u8])> {
    let array = array.as_byte_view::<T>();
    let views = array.views().iter().zip(array.iter());
    views.filter_map(|(&view, value)| {
        let bytes: &[u8] = value?.as_ref();
        let key = match bytes.len() {
            // The view is the value: its two halves tell short ones apart about as well as a hash.
            0..=12 => fold(lower(view), lower(view >> 64)),
            _ => xxh3_64(bytes),
        };
        Some((key, bytes))
    })
}

/// Counts the distinct values of a chunk; `None` where they have no room in a dictionary of less than `dictionary_bytes`.
pub(super) fn distinct_values(arrays: &[ArrayRef], dictionary_bytes: usize) -> Option<Distinct> {
    const NUMBER_BYTES: usize = 8;
    fn sized((key, bytes): (u64, &[u8])) -> (u64, usize) {
        (key, LENGTH_BYTES + bytes.len())
    }
    let number = |bits| (bits, NUMBER_BYTES);
    match arrays.first()?.data_type() {
        DataType::Int64 => {
            let values = arrays.iter().flat_map(integers).map(i64::cast_unsigned);
            count(values.map(number), dictionary_bytes)
        }
        DataType::Float64 => count(arrays.iter().flat_map(reals).map(number), dictionary_bytes),
        DataType::Utf8View => {
            count(arrays.iter().flat_map(texts::<StringViewType>).map(sized), dictionary_bytes)
        }
        DataType::BinaryView => {
            count(arrays.iter().flat_map(texts::<BinaryViewType>).map(sized), dictionary_bytes)
        }
        _ => None,
    }
}

/// So many values are remembered beside the set of all: most columns have few, and it takes longer to look into a set.
const LATELY: usize = 256;

/// Counts distinct values, given as 64 bits that tell them apart and their size in a dictionary.
fn count(values: impl Iterator<Item = (u64, usize)>, dictionary_bytes: usize) -> Option<Distinct> {
    let mut seen: HashSet<u64, BuildHasherDefault<Folded>> = HashSet::default();
    let mut distinct = Distinct::default();
    if dictionary_bytes == 0 {
        return None;
    }
    let mut last = None;
    let mut lately = [None; LATELY];
    for (key, size) in values {
        if last == Some(key) {
            continue;
        }
        last = Some(key);
        distinct.runs += 1;
        let place = &mut lately[lower_half(fold(key, 0)) as usize % LATELY];
        if place.replace(key) != Some(key) && seen.insert(key) {
            distinct.bytes += size;
            // The writer gives a dictionary up as soon as it is full.
            if distinct.bytes >= dictionary_bytes {
                return None;
            }
        }
    }
    distinct.values = seen.len();
    Some(distinct)
}

/// Numbers distinct values in the order in which they come first.
#[derive(Default)]
pub(super) struct Numbers(HashMap<u64, u32, BuildHasherDefault<Folded>>);

impl Numbers {
    /// The number of a value, and whether it is new.
    pub(super) fn of(&mut self, key: u64) -> (u32, bool) {
        let next = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        let number = *self.0.entry(key).or_insert(next);
        (number, number == next)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Spreads 64 bits over all of them: a hash is needed, an adversary only makes it slow for himself.
#[derive(Default)]
pub(super) struct Folded(u64);

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
fn lower_half(value: u64) -> u32 {
    value as u32
}

#[expect(clippy::cast_possible_truncation, reason = "what is asked for")]
pub(super) fn lower(value: u128) -> u64 {
    value as u64
}
