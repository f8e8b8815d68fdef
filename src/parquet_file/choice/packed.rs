//! Integers packed in as many bits as they need, as they stand in the pages of a column: differences, and numbers that
//! point into a dictionary. Made for a sample, to see how large they are; what is written is the encoder's.

use super::distinct::lower;
use crate::varint::push_varint;

/// Integers as packed differences, as they stand in a page but for what little heads take.
///
/// Source: Parquet, "Encodings", delta encoding: blocks of differences above their smallest, packed in miniblocks of
/// equal width.
pub(super) fn pack_differences(values: impl Iterator<Item = i64>, packed: &mut Vec<u8>) {
    const BLOCK: usize = 256;
    const MINIBLOCK: usize = 64;
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
            let all = miniblock.iter().map(above).chain(std::iter::repeat(0)).take(MINIBLOCK);
            pack_bits(all, bits, packed);
        }
    }
}

/// Small numbers, each in `bits` bits, as what points into a dictionary stands in a page, and what is NULL.
///
/// Source: Parquet, "Encodings", run length encoding / bit-packing hybrid: eight numbers and more that are equal become a
/// run, others are packed in groups of eight.
pub(super) fn pack_hybrid(numbers: &[u32], bits: u32, packed: &mut Vec<u8>) {
    const GROUP: usize = 8;
    /// One byte tells how many groups follow.
    const MOST_GROUPS: usize = 63;
    let mut at = 0;
    while at < numbers.len() {
        let run = run_length(&numbers[at..]);
        if run >= GROUP || run == numbers.len() - at {
            push_varint((run << 1) as u64, packed);
            packed.extend_from_slice(&numbers[at].to_le_bytes()[..bits.div_ceil(u8::BITS) as usize]);
            at += run;
            continue;
        }
        let rest = &numbers[at..];
        let groups =
            rest.chunks(GROUP).take(MOST_GROUPS).take_while(|group| run_length(group) < GROUP).count();
        packed.push(u8::try_from(groups << 1 | 1).unwrap_or(u8::MAX));
        let packed_together = &rest[..rest.len().min(groups * GROUP)];
        let padded = packed_together.iter().copied().map(u64::from).chain(std::iter::repeat(0));
        pack_bits(padded.take(groups * GROUP), bits, packed);
        at += packed_together.len();
    }
}

/// How many equal numbers come first.
fn run_length(numbers: &[u32]) -> usize {
    numbers.iter().take_while(|&number| Some(number) == numbers.first()).count()
}

/// The lower `bits` bits of each value, one after another; all together must be whole bytes.
fn pack_bits(values: impl Iterator<Item = u64>, bits: u32, packed: &mut Vec<u8>) {
    let (mut waiting, mut count) = (0_u128, 0);
    for value in values {
        waiting |= u128::from(value) << count;
        count += bits;
        while count >= u8::BITS {
            packed.push(lower(waiting).to_le_bytes()[0]);
            waiting >>= u8::BITS;
            count -= u8::BITS;
        }
    }
}
