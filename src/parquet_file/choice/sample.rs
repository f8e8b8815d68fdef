//! Some values of a column in all layouts that their type knows, and how large each comes out.

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{BinaryViewType, ByteViewType, DataType, StringViewType};

use zstd::zstd_safe::{self, CCtx, CParameter, InBuffer, OutBuffer, ResetDirective};

use super::distinct::{Distinct, LENGTH_BYTES, Numbers, integers, reals, texts};
use super::packed::{pack_differences, pack_hybrid};
use super::{Choice, DictionaryTrial, Layout, Limits, Trial, scaled};
use crate::error::{Error, ErrorKind, Result};

/// The least effort.
pub(super) const LEAST_LEVEL: i32 = 1;

/// Bytes of values that are tried at most: a whole page, since what repeats does so at a distance.
const SAMPLE_BYTES: usize = 1024 * 1024;

/// Values of this size in bytes, on average, are so few in a sample that each row group is tried by itself.
const LARGE_VALUE_BYTES: usize = 16 * 1024;

/// The least piece of a value that is tried, in bytes, where values are large.
const LEAST_PIECE_BYTES: usize = 4 * 1024;

/// Which layouts are tried on the whole sample is seen on one part in this many ...
const PART_SHARE: usize = 4;

/// ... unless it is no larger than this, in bytes.
const SMALL_SAMPLE_BYTES: usize = 32 * 1024;

/// Another layout than the one every reader has known for long must save at least one part in this many.
pub(super) const WORTHWHILE_SHARE: usize = 100;

/// More effort must save one part in this many.
const NOTICEABLE_SHARE: usize = 256;

/// Where no more than one part in this many is saved at all, all pages are alike.
const INCOMPRESSIBLE_SHARE: usize = 16;

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

/// From where values are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    /// The first of all.
    Begin,
    /// As many from each array.
    Everywhere,
}

impl Sample {
    /// Takes the first page of values; `None` where there are none, or a few would say little about others, since they are
    /// large.
    pub(super) fn take_first(arrays: &[ArrayRef], limits: Limits) -> Option<Self> {
        let sample = Self::take(arrays, limits.page_rows, From::Begin, limits)?;
        (sample.whole_bytes <= LARGE_VALUE_BYTES * sample.keys.len()).then_some(sample)
    }

    /// Takes about as many values as a page has, of all a chunk; `None` where there are none.
    pub(super) fn take_everywhere(arrays: &[ArrayRef], limits: Limits) -> Option<Self> {
        let rows = arrays.iter().map(Array::len).sum();
        let rows = scaled(limits.page_rows, rows, value_count(arrays));
        Self::take(arrays, rows, From::Everywhere, limits)
    }

    fn take(arrays: &[ArrayRef], rows: usize, from: From, limits: Limits) -> Option<Self> {
        let mut left = rows;
        let pieces: Vec<ArrayRef> = arrays
            .iter()
            .enumerate()
            .map(|(place, array)| {
                let share = if from == From::Begin { left } else { left / (arrays.len() - place) };
                let rows = array.len().min(share);
                left -= rows;
                array.slice(0, rows)
            })
            .collect();
        if value_count(&pieces) == 0 {
            return None;
        }
        let levels = levels(&pieces);
        match pieces.first()?.data_type() {
            DataType::Int64 => {
                let keys = pieces.iter().flat_map(integers).map(i64::cast_unsigned).collect();
                Some(Self::of_numbers(levels, keys, Layout::Deltas))
            }
            DataType::Float64 => {
                let keys = pieces.iter().flat_map(reals).collect();
                Some(Self::of_numbers(levels, keys, Layout::ByteStreams))
            }
            DataType::Utf8View => Some(Self::of_texts::<StringViewType>(levels, &pieces, from, limits)),
            DataType::BinaryView => Some(Self::of_texts::<BinaryViewType>(levels, &pieces, from, limits)),
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
        let most_bytes = SAMPLE_BYTES.min(limits.page_bytes);
        let piece_bytes = match from {
            From::Begin => most_bytes,
            From::Everywhere => (most_bytes / value_count(pieces).max(1)).max(LEAST_PIECE_BYTES),
        };
        let (begin, mut plain) = (levels.len(), levels);
        let (mut ends, mut keys) = (Vec::new(), Vec::new());
        let (mut left, mut whole_bytes) = (most_bytes, begin);
        for (place, array) in pieces.iter().enumerate() {
            let share = if from == From::Begin { left } else { left / (pieces.len() - place) };
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
            runs: 1 + self.keys.windows(2).filter(|pair| pair[0] != pair[1]).count(),
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

    /// How many values it has.
    pub(super) fn values(&self) -> usize {
        self.keys.len()
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
        if asked < less(plain_bytes, WORTHWHILE_SHARE) {
            return Ok((self.other, Effort::of((&bytes, more), (asked, plain_bytes), zstd)?));
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

/// How large values come out with the least effort and with the effort asked for, and how large plain ones are with that.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    raw: usize,
    least: usize,
    asked: usize,
    plain: usize,
}

impl Effort {
    /// Of `bytes`, with `more` on top once they are compressed: `asked` and `plain` are known.
    fn of(
        (bytes, more): (&[u8], usize),
        (asked, plain): (usize, usize),
        zstd: &mut Compressors,
    ) -> Result<Self> {
        Ok(Self { raw: bytes.len(), least: zstd.least.size_of(bytes)? + more, asked, plain })
    }

    /// Where less was not tried.
    fn as_asked(bytes: usize) -> Self {
        Self { raw: usize::MAX, least: usize::MAX, asked: bytes, plain: bytes }
    }

    /// Both together.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            raw: self.raw.saturating_add(other.raw),
            least: self.least.saturating_add(other.least),
            asked: self.asked + other.asked,
            plain: self.plain + other.plain,
        }
    }

    /// Whether the least effort makes nothing larger than plain values are with the effort asked for.
    pub(super) fn least_is_enough(&self) -> bool {
        // Where nothing can be saved, no effort changes that. Else pages tell the less of others the smaller they are.
        let is_compressed = self.least < less(self.raw, INCOMPRESSIBLE_SHARE);
        let is_certain = !is_compressed || self.least.saturating_add(self.plain.isqrt()) <= self.plain;
        is_certain && self.is_no_worse()
    }

    /// Whether it looks as if it did, and more pages would tell.
    pub(super) fn is_close(&self) -> bool {
        !self.least_is_enough() && self.is_no_worse() && self.least <= self.plain
    }

    fn is_no_worse(&self) -> bool {
        self.least <= self.asked + self.asked / NOTICEABLE_SHARE
    }

    fn level(&self, asked: i32) -> i32 {
        if self.least_is_enough() { LEAST_LEVEL.min(asked) } else { asked }
    }

    fn bytes(&self) -> usize {
        if self.least_is_enough() { self.least } else { self.asked }
    }
}

/// `bytes` without one part in `share`.
fn less(bytes: usize, share: usize) -> usize {
    bytes - bytes / share
}

fn value_count(arrays: &[ArrayRef]) -> usize {
    arrays.iter().map(|array| array.len() - array.null_count()).sum()
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

/// zstd at the least level, and at the one asked for where that is another.
pub(in crate::parquet_file) struct Compressors {
    least: Compressor,
    asked: Option<Compressor>,
}

impl Compressors {
    pub(in crate::parquet_file) fn new(level: i32) -> Result<Self> {
        let asked = (level > LEAST_LEVEL).then(|| Compressor::new(level)).transpose()?;
        Ok(Self { least: Compressor::new(LEAST_LEVEL.min(level))?, asked })
    }

    fn at_asked(&mut self) -> &mut Compressor {
        self.asked.as_mut().unwrap_or(&mut self.least)
    }
}

/// zstd at one level.
struct Compressor {
    level: i32,
    zstd: CCtx<'static>,
    buffer: Vec<u8>,
}

impl Compressor {
    fn new(level: i32) -> Result<Self> {
        let mut zstd = CCtx::create();
        zstd.set_parameter(CParameter::CompressionLevel(level)).map_err(no_answer)?;
        Ok(Self { level, zstd, buffer: Vec::new() })
    }

    fn size_of(&mut self, bytes: &[u8]) -> Result<usize> {
        self.buffer.clear();
        self.buffer.reserve(zstd_safe::compress_bound(bytes.len()));
        self.zstd.compress2(&mut self.buffer, bytes).map_err(no_answer)
    }

    /// How large the first bytes of a page of `page_bytes` bytes come out: zstd works in other ways for small pages than for
    /// large ones.
    fn size_of_part(&mut self, bytes: &[u8], page_bytes: usize) -> Result<usize> {
        if page_bytes <= bytes.len() {
            return self.size_of(bytes);
        }
        self.buffer.clear();
        self.buffer.reserve(zstd_safe::compress_bound(bytes.len()));
        self.zstd.reset(ResetDirective::SessionOnly).map_err(no_answer)?;
        self.zstd.set_pledged_src_size(Some(page_bytes as u64)).map_err(no_answer)?;
        let (mut input, mut output) = (InBuffer::around(bytes), OutBuffer::around(&mut self.buffer));
        while input.pos() < bytes.len() {
            self.zstd.compress_stream(&mut output, &mut input).map_err(no_answer)?;
        }
        self.zstd.flush_stream(&mut output).map_err(no_answer)?;
        let size = output.pos();
        self.zstd.reset(ResetDirective::SessionOnly).map_err(no_answer)?;
        Ok(size)
    }
}

fn no_answer(code: usize) -> Error {
    let message = format!("trying how a column compresses: {}", zstd_safe::get_error_name(code));
    Error::new(ErrorKind::Failed, message)
}
