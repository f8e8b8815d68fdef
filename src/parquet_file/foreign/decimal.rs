//! Decimal numbers of any size as text.

/// Most bytes of a decimal that is spelled out: 2,466 digits. Spelling takes the square of its length.
const MOST_BYTES: usize = 1024;

/// Most digits behind the point that are spelled out.
pub(super) const MOST_SCALE: i32 = 4096;

/// Appends `unscaled` divided by 10^`scale`, with exactly `scale` digits behind the point.
pub(super) fn push_decimal(out: &mut String, unscaled: i128, scale: usize) {
    push_digits(out, unscaled < 0, &unscaled.unsigned_abs().to_string(), scale);
}

/// As [`push_decimal`], of a big-endian number in two's complement; `false`, and nothing appended, where there are no
/// bytes or more than anybody means.
pub(super) fn push_decimal_bytes(out: &mut String, unscaled: &[u8], scale: usize) -> bool {
    let Some(&first) = unscaled.first() else { return false };
    if unscaled.len() > MOST_BYTES {
        return false;
    }
    let is_negative = first & 0x80 != 0;
    if unscaled.len() <= size_of::<i128>() {
        let mut bytes = [if is_negative { 0xff } else { 0 }; size_of::<i128>()];
        bytes[size_of::<i128>() - unscaled.len()..].copy_from_slice(unscaled);
        push_decimal(out, i128::from_be_bytes(bytes), scale);
    } else {
        push_digits(out, is_negative, &digits_of(&magnitude(unscaled, is_negative)), scale);
    }
    true
}

/// The absolute value as words of 32 bits, the most significant first.
fn magnitude(bytes: &[u8], is_negative: bool) -> Vec<u32> {
    let mut words: Vec<u32> = bytes
        .rchunks(4)
        .map(|chunk| {
            let mut word = [if is_negative { 0xff } else { 0 }; 4];
            word[4 - chunk.len()..].copy_from_slice(chunk);
            u32::from_be_bytes(word)
        })
        .collect();
    if is_negative {
        // Two's complement: invert and add one, from the least significant word up.
        let mut carry = true;
        for word in &mut words {
            (*word, carry) = (!*word).overflowing_add(u32::from(carry));
        }
        if carry {
            words.push(1);
        }
    }
    words.reverse();
    words
}

fn digits_of(words: &[u32]) -> String {
    /// The largest power of ten in 32 bits.
    const BILLION: u64 = 1_000_000_000;
    let mut rest = words.to_vec();
    // Nine digits at a time, the least significant first.
    let mut groups = Vec::new();
    while rest.iter().any(|word| *word != 0) {
        let mut remainder = 0;
        for word in &mut rest {
            let value = (remainder << 32) | u64::from(*word);
            remainder = value % BILLION;
            // Less than 2^32, since the remainder before it was less than the divisor.
            *word = u32::try_from(value / BILLION).unwrap_or(u32::MAX);
        }
        groups.push(remainder);
    }
    let mut groups = groups.into_iter().rev();
    let first = groups.next().unwrap_or(0).to_string();
    groups.fold(first, |digits, group| format!("{digits}{group:09}"))
}

fn push_digits(out: &mut String, is_negative: bool, digits: &str, scale: usize) {
    if is_negative {
        out.push('-');
    }
    let whole = digits.len().saturating_sub(scale);
    out.push_str(if whole == 0 { "0" } else { &digits[..whole] });
    if scale > 0 {
        out.push('.');
        out.extend(std::iter::repeat_n('0', scale.saturating_sub(digits.len())));
        out.push_str(&digits[whole..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(unscaled: i128, scale: usize) -> String {
        let mut text = String::new();
        push_decimal(&mut text, unscaled, scale);
        text
    }

    fn of_bytes(bytes: &[u8], scale: usize) -> Option<String> {
        let mut text = String::new();
        push_decimal_bytes(&mut text, bytes, scale).then_some(text)
    }

    #[test]
    fn all_digits_behind_the_point_stand_there() {
        assert_eq!(decimal(0, 0), "0");
        assert_eq!(decimal(0, 2), "0.00");
        assert_eq!(decimal(-5, 2), "-0.05");
        assert_eq!(decimal(12_345, 2), "123.45");
        assert_eq!(decimal(100, 2), "1.00");
        assert_eq!(decimal(-100, 3), "-0.100");
        assert_eq!(decimal(i128::MIN, 38), "-1.70141183460469231731687303715884105728");
    }

    #[test]
    fn bytes_of_any_length_are_a_number_in_twos_complement() {
        assert_eq!(of_bytes(&[0xff], 0).as_deref(), Some("-1"));
        assert_eq!(of_bytes(&[0x80, 0], 1).as_deref(), Some("-3276.8"));
        assert_eq!(of_bytes(&[0, 0x80], 0).as_deref(), Some("128"));
        assert_eq!(of_bytes(&[0; 40], 1).as_deref(), Some("0.0"));
        assert_eq!(of_bytes(&[], 0), None);
        assert_eq!(of_bytes(&[1; MOST_BYTES + 1], 0), None);
    }

    /// 2^400 and its negative, whose digits Python gives.
    #[test]
    fn numbers_beyond_128_bits_are_exact() {
        let digits = "2582249878086908589655919172003011874329705792829223512830659356540647622016841194629645353280137831435903171972747493376";
        let mut bytes = vec![0; 51];
        bytes[0] = 1;
        assert_eq!(of_bytes(&bytes, 0).as_deref(), Some(digits));
        bytes[0] = 0xff;
        assert_eq!(of_bytes(&bytes, 0), Some(format!("-{digits}")));
        let with_point = format!("-{}.{}", &digits[..digits.len() - 76], &digits[digits.len() - 76..]);
        assert_eq!(of_bytes(&bytes, 76), Some(with_point));
        let smallest = [[0x80].as_slice(), &[0; 16]].concat();
        assert_eq!(of_bytes(&smallest, 0).as_deref(), Some("-43556142965880123323311949751266331066368"));
    }
}
