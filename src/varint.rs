//! Lengths of as many bytes as they need: 7 bits in a byte, the lowest first, and the upper bit in all bytes but the last.

/// Appends `value`.
#[inline]
pub(crate) fn push_varint(value: u64, bytes: &mut Vec<u8>) {
    let mut rest = value;
    while rest >= 0x80 {
        bytes.push(rest.to_le_bytes()[0] | 0x80);
        rest >>= 7;
    }
    bytes.push(rest.to_le_bytes()[0]);
}

/// Takes the one that `rest` begins with off it; `None` where it does not end, or is no number of 64 bits.
#[inline]
pub(crate) fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        let bits = u64::from(byte & 0x7f);
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return (bits << shift >> shift == bits).then_some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_varint_reads_back_and_has_as_few_bytes_as_it_needs() {
        for bits in 0..=64 {
            let power = 1_u128 << bits;
            for value in [power - 1, power].into_iter().filter_map(|value| u64::try_from(value).ok()) {
                let mut bytes = Vec::new();
                push_varint(value, &mut bytes);
                let needed = (u64::BITS - value.leading_zeros()).div_ceil(7).max(1);
                assert_eq!(bytes.len(), needed as usize, "{value}");
                bytes.push(7);
                let mut rest = bytes.as_slice();
                assert_eq!((take_varint(&mut rest), rest), (Some(value), &[7][..]));
                let mut torn = &bytes[..bytes.len() - 2];
                assert_eq!(take_varint(&mut torn), None, "{value}");
            }
        }
    }

    #[test]
    fn more_than_64_bits_are_no_number() {
        for bytes in [&[0xff; 12][..], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]] {
            assert_eq!(take_varint(&mut &*bytes), None);
        }
    }
}
