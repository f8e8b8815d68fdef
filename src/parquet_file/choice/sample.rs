//! Some values of a column in all layouts that their type knows, and how large each comes out.

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{BinaryViewType, ByteViewType, DataType, StringViewType};

use super::compressors::Compressors;
use super::distinct::{Distinct, LENGTH_BYTES, Numbers, integers, reals, texts};
use super::effort::{Effort, INCOMPRESSIBLE_SHARE, NOTICEABLE_SHARE};
use super::packed::{pack_differences, pack_hybrid};
use super::page::value_count;
use super::{Choice, DictionaryTrial, Layout, Limits, Trial, WORTHWHILE_SHARE, less, scaled};
use crate::error::Result;

/// The least piece of a value that is tried, in bytes, where values are large.
const LEAST_PIECE_BYTES: usize = 4 * 1024;

/// Which layouts are tried on the whole sample is seen on one part in this many ...
const PART_SHARE: usize = 4;

/// ... unless it is no larger than this, in bytes.
const SMALL_SAMPLE_BYTES: usize = 32 * 1024;

/// After so many values ...
const FIRST_VALUES: usize = 4_096;

/// ... a dictionary is given up where no more than one in this many has come before.
const REPEATED_SHARE: usize = 16;

/// Values of a column, as they would stand in a page.
pub(super) struct Sample {
    /// Which rows are NULL, and the values one after another.
    plain: Vec<u8>,
    /// Where the first value begins in it.
    begin: usize,
    /// Where each value ends in it.
    ends: Vec<usize>,
    /// What tells values apart: numbers are their own.
    keys: Vec<u64>,
    /// The other layout that their type knows.
    other: Layout,
    /// The size of `plain`, were the values whole: only pieces of large ones are here.
    whole_bytes: usize,
}

/// Which values are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    /// One after another.
    Page,
    /// As many from each array.
    Everywhere,
}

impl Sample {
    /// Takes the values of `page`, which has some.
    pub(super) fn of_page(page: &[ArrayRef], limits: Limits) -> Option<Self> {
        Self::of(page, From::Page, limits)
    }

    /// Takes pieces of large values, of all a chunk; `None` where there are none.
    pub(super) fn of_pieces(arrays: &[ArrayRef], limits: Limits) -> Option<Self> {
        let rows = arrays.iter().map(Array::len).sum();
        let mut left = scaled(limits.page_rows, rows, value_count(arrays));
        let pieces: Vec<ArrayRef> = arrays
            .iter()
            .enumerate()
            .map(|(place, array)| {
                let rows = array.len().min(left / (arrays.len() - place));
                left -= rows;
                array.slice(0, rows)
            })
            .collect();
        Self::of(&pieces, From::Everywhere, limits)
    }

    fn of(pieces: &[ArrayRef], from: From, limits: Limits) -> Option<Self> {
        if value_count(pieces) == 0 {
            return None;
        }
        let levels = levels(pieces);
        match pieces.first()?.data_type() {
            DataType::Int64 => {
                let keys = pieces.iter().flat_map(integers).map(i64::cast_unsigned).collect();
                Some(Self::of_numbers(levels, keys, Layout::Deltas))
            }
            DataType::Float64 => {
                let keys = pieces.iter().flat_map(reals).collect();
                Some(Self::of_numbers(levels, keys, Layout::ByteStreams))
            }
            DataType::Utf8View => Some(Self::of_texts::<StringViewType>(levels, pieces, from, limits)),
            DataType::BinaryView => Some(Self::of_texts::<BinaryViewType>(levels, pieces, from, limits)),
            _ => None,
        }
        .filter(|sample| !sample.keys.is_empty())
    }

    fn of_numbers(levels: Vec<u8>, keys: Vec<u64>, other: Layout) -> Self {
        let (begin, mut plain) = (levels.len(), levels);
        plain.extend(keys.iter().flat_map(|bits| bits.to_le_bytes()));
        let ends = (1..=keys.len()).map(|count| begin + count * size_of::<u64>()).collect();
        Self { whole_bytes: plain.len(), plain, begin, ends, keys, other }
    }

    fn of_texts<T: ByteViewType>(levels: Vec<u8>, pieces: &[ArrayRef], from: From, limits: Limits) -> Self {
        // A page ends with the batch that fills it.
        let most_bytes = if from == From::Page { 2 * limits.page_bytes } else { limits.page_bytes };
        let piece_bytes = match from {
            From::Page => most_bytes,
            From::Everywhere => (most_bytes / value_count(pieces).max(1)).max(LEAST_PIECE_BYTES),
        };
        let (begin, mut plain) = (levels.len(), levels);
        let (mut ends, mut keys) = (Vec::new(), Vec::new());
        let (mut left, mut whole_bytes) = (most_bytes, begin);
        for (place, array) in pieces.iter().enumerate() {
            let share = if from == From::Page { left } else { left / (pieces.len() - place) };
            left -= share;
            let mut room = share;
            for (key, value) in texts::<T>(array) {
                if room == 0 {
                    break;
                }
                let piece = &value[..value.len().min(room).min(piece_bytes)];
                room -= piece.len();
                plain.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes());
                plain.extend_from_slice(piece);
                ends.push(plain.len());
                keys.push(key);
                whole_bytes += LENGTH_BYTES + value.len();
            }
            left += room;
        }
        Self { plain, begin, ends, keys, other: Layout::Lengths, whole_bytes }
    }

    /// The first `count` values in the other layout, and how much comes on top once it is compressed, in bytes.
    fn in_other_layout(&self, count: usize) -> (Vec<u8>, usize) {
        let (mut bytes, keys) = (self.plain[..self.begin].to_vec(), &self.keys[..count]);
        match self.other {
            Layout::Deltas => pack_differences(keys.iter().map(|bits| bits.cast_signed()), &mut bytes),
            Layout::ByteStreams => {
                bytes.extend((0..8).flat_map(|byte| keys.iter().map(move |bits| bits.to_le_bytes()[byte])));
            }
            _ => {
                let mut lengths = Vec::new();
                let mut begin = self.begin;
                let mut sizes = Vec::with_capacity(count);
                for &end in &self.ends[..count] {
                    bytes.extend_from_slice(&self.plain[begin + LENGTH_BYTES..end]);
                    sizes.push(i64::try_from(end - begin).unwrap_or(i64::MAX));
                    begin = end;
                }
                pack_differences(sizes.into_iter(), &mut lengths);
                return (bytes, lengths.len());
            }
        }
        (bytes, 0)
    }

    /// How large the values come out, and how sure the level is.
    pub(super) fn try_out(&self, limits: Limits, zstd: &mut Compressors) -> Result<(Trial, Effort)> {
        let dictionary = if limits.dictionary_bytes > 0 { self.in_dictionary(zstd)? } else { None };
        let plain_bytes = zstd.at_asked().size_of(&self.plain)?;
        let is_other_promising = self.is_other_promising(zstd)?;
        let in_dictionary = dictionary.map(|tried| tried.pointer_bytes + tried.value_bytes);
        let (layout, effort) = if is_other_promising {
            self.smallest(plain_bytes, zstd)?
        } else if in_dictionary.is_some_and(|bytes| bytes < less(plain_bytes, WORTHWHILE_SHARE)) {
            // It will be the dictionary.
            (Layout::Plain, Effort::as_asked(plain_bytes))
        } else {
            (Layout::Plain, Effort::of((&self.plain, 0), (plain_bytes, plain_bytes), zstd)?)
        };
        let whole = |bytes| scaled(bytes, self.whole_bytes, self.plain.len());
        let trial = Trial {
            choice: Choice { layout, level: effort.level(limits.level) },
            bytes: whole(effort.bytes()),
            plain_bytes: whole(plain_bytes),
            values: self.keys.len(),
            runs: self.runs(),
            dictionary,
        };
        Ok((trial, effort))
    }

    /// What less effort comes to in one of the layouts.
    pub(super) fn effort_in(&self, layout: Layout, zstd: &mut Compressors) -> Result<Effort> {
        let plain_bytes = zstd.at_asked().size_of(&self.plain)?;
        if layout == self.other {
            let (bytes, more) = self.in_other_layout(self.keys.len());
            let asked = zstd.at_asked().size_of(&bytes)? + more;
            return Effort::of((&bytes, more), (asked, plain_bytes), zstd);
        }
        Effort::of((&self.plain, 0), (plain_bytes, plain_bytes), zstd)
    }

    /// How large the values come out in all ways, whatever looks promising.
    pub(super) fn sizes(&self, limits: Limits, zstd: &mut Compressors) -> Result<Sizes> {
        let plain_bytes = zstd.at_asked().size_of(&self.plain)?;
        let (other, more) = self.in_other_layout(self.keys.len());
        let other_bytes = zstd.at_asked().size_of(&other)? + more;
        Ok(Sizes {
            plain: Effort::of((&self.plain, 0), (plain_bytes, plain_bytes), zstd)?,
            other: Effort::of((&other, more), (other_bytes, plain_bytes), zstd)?,
            other_layout: self.other,
            plain_bytes,
            values: self.keys.len(),
            runs: self.runs(),
            dictionary: if limits.dictionary_bytes > 0 { self.in_dictionary(zstd)? } else { None },
        })
    }

    /// How many runs of equal values it has.
    fn runs(&self) -> usize {
        1 + self.keys.windows(2).filter(|pair| pair[0] != pair[1]).count()
    }

    /// Whether a part of the sample comes out smaller in the other layout.
    fn is_other_promising(&self, zstd: &mut Compressors) -> Result<bool> {
        let is_small = self.plain.len() <= SMALL_SAMPLE_BYTES;
        let count = if is_small { self.keys.len() } else { self.keys.len().div_ceil(PART_SHARE) };
        let (bytes, more) = self.in_other_layout(count);
        let plain = &self.plain[..self.ends[count - 1]];
        let of_page = |bytes: usize| if is_small { bytes } else { bytes.saturating_mul(PART_SHARE) };
        let other_size = zstd.least.size_of_part(&bytes, of_page(bytes.len()))? + more;
        let plain_size = zstd.least.size_of_part(plain, of_page(plain.len()))?;
        Ok(other_size < less(plain_size, WORTHWHILE_SHARE))
    }

    /// Tries the other layout beside plain values, which have `plain_bytes` at the level asked for.
    fn smallest(&self, plain_bytes: usize, zstd: &mut Compressors) -> Result<(Layout, Effort)> {
        let (bytes, more) = self.in_other_layout(self.keys.len());
        let asked = zstd.at_asked().size_of(&bytes)? + more;
        // It may be the less effort that makes them smaller.
        let effort = Effort::of((&bytes, more), (asked, plain_bytes), zstd)?;
        if effort.bytes() < less(plain_bytes, WORTHWHILE_SHARE) {
            return Ok((self.other, effort));
        }
        // More effort, or more values, have made plain values the smaller ones.
        Ok((Layout::Plain, Effort::of((&self.plain, 0), (plain_bytes, plain_bytes), zstd)?))
    }

    /// Tries a dictionary; `None` where nearly every value is another one.
    fn in_dictionary(&self, zstd: &mut Compressors) -> Result<Option<DictionaryTrial>> {
        let (mut numbers, mut values) = (Numbers::default(), Vec::new());
        let mut pointers = Vec::with_capacity(self.keys.len());
        let mut begin = self.begin;
        for (&key, &end) in self.keys.iter().zip(&self.ends) {
            let (number, is_new) = numbers.of(key);
            if is_new {
                values.extend_from_slice(&self.plain[begin..end]);
            }
            pointers.push(number);
            begin = end;
            if pointers.len() == FIRST_VALUES && numbers.len() > less(FIRST_VALUES, REPEATED_SHARE) {
                return Ok(None);
            }
        }
        let distinct = Distinct { values: numbers.len(), bytes: values.len(), runs: 0 };
        let mut packed = self.plain[..self.begin].to_vec();
        packed.push(u8::try_from(distinct.pointer_bits()).unwrap_or(u8::MAX));
        pack_hybrid(&pointers, distinct.pointer_bits(), &mut packed);
        let (mut level, mut pointer_bytes) = (zstd.least.level, zstd.least.size_of(&packed)?);
        if pointer_bytes < less(packed.len(), INCOMPRESSIBLE_SHARE) {
            let asked = zstd.at_asked();
            let size = asked.size_of(&packed)?;
            if size < less(pointer_bytes, NOTICEABLE_SHARE) {
                (level, pointer_bytes) = (asked.level, size);
            }
        }
        let value_bytes = zstd.least.size_of(&values)?;
        Ok(Some(DictionaryTrial { level, pointer_bytes, value_bytes, distinct }))
    }
}

/// How large the values of some pages come out in all ways.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    plain: Effort,
    other: Effort,
    other_layout: Layout,
    plain_bytes: usize,
    values: usize,
    runs: usize,
    dictionary: Option<DictionaryTrial>,
}

impl Sizes {
    /// All together.
    pub(super) fn and(self, more: Self) -> Self {
        Self {
            plain: self.plain.and(more.plain),
            other: self.other.and(more.other),
            other_layout: self.other_layout,
            plain_bytes: self.plain_bytes + more.plain_bytes,
            values: self.values + more.values,
            runs: self.runs + more.runs,
            dictionary: self.dictionary.zip(more.dictionary).map(|(tried, more)| tried.and(more)),
        }
    }

    /// What is best for values like them.
    pub(super) fn trial(self, level: i32) -> Trial {
        let is_other_worthwhile = self.other.bytes() < less(self.plain_bytes, WORTHWHILE_SHARE);
        let (layout, effort) =
            if is_other_worthwhile { (self.other_layout, self.other) } else { (Layout::Plain, self.plain) };
        Trial {
            choice: Choice { layout, level: effort.level(level) },
            bytes: effort.bytes(),
            plain_bytes: self.plain_bytes,
            values: self.values,
            runs: self.runs,
            dictionary: self.dictionary,
        }
    }
}

/// What a page says of which rows are NULL.
fn levels(pieces: &[ArrayRef]) -> Vec<u8> {
    let rows = pieces.iter().map(Array::len).sum();
    let is_value: Vec<u32> = if pieces.iter().all(|piece| piece.null_count() == 0) {
        vec![1; rows]
    } else {
        pieces.iter().flat_map(|piece| (0..piece.len()).map(|row| u32::from(piece.is_valid(row)))).collect()
    };
    let mut levels = vec![0; size_of::<u32>()];
    pack_hybrid(&is_value, 1, &mut levels);
    levels
}
