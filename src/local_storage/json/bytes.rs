//! Finding the next byte of some kind, eight at a time: most strings of a store are short, and most of a value's text is
//! walked over rather than read.

/// One in each byte.
const ONES: u64 = u64::from_le_bytes([0x01; 8]);
/// The highest bit of each byte.
const HIGH: u64 = u64::from_le_bytes([0x80; 8]);

/// Eight bytes of a text, the first one lowest.
#[derive(Clone, Copy)]
pub(super) struct Eight(u64);

/// Which of eight bytes are looked for. The lowest mark is right; above it there may be marks that are not.
#[derive(Clone, Copy)]
pub(super) struct Marks(u64);

impl Eight {
    /// Those that are `byte`.
    pub(super) fn equal(self, byte: u8) -> Marks {
        Marks(zeros(self.0 ^ (ONES * u64::from(byte))))
    }

    /// Those that are `byte` or the same without the bit 0x20, which `byte` has: an opening bracket or brace, a closing one.
    pub(super) fn equal_in_any_case(self, byte: u8) -> Marks {
        Marks(zeros((self.0 | (ONES * 0x20)) ^ (ONES * u64::from(byte))))
    }

    /// Those that are no ASCII.
    pub(super) fn not_ascii(self) -> Marks {
        Marks(self.0 & HIGH)
    }

    /// Control characters, but for U+007F.
    pub(super) fn control(self) -> Marks {
        Marks(self.0.wrapping_sub(ONES * 0x20) & !self.0 & HIGH)
    }
}

impl std::ops::BitOr for Marks {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Subtracting one borrows from the byte above only where a byte is zero, so that nothing below the first zero is marked.
fn zeros(bytes: u64) -> u64 {
    bytes.wrapping_sub(ONES) & !bytes & HIGH
}

/// How many bytes come before the first that is marked.
pub(super) fn before(rest: &[u8], marks: impl Fn(Eight) -> Marks + Copy) -> usize {
    let (chunks, last) = rest.as_chunks::<8>();
    for (index, &chunk) in chunks.iter().enumerate() {
        let Marks(found) = marks(Eight(u64::from_le_bytes(chunk)));
        if found != 0 {
            return 8 * index + first(found);
        }
    }
    // What is marked behind the end is no byte of the text.
    let filled = last.iter().rev().fold(0, |bytes, &byte| bytes << 8 | u64::from(byte));
    let Marks(found) = marks(Eight(filled));
    (rest.len() - last.len() + first(found)).min(rest.len())
}

/// The lowest marked byte; 8 where there is none.
fn first(marks: u64) -> usize {
    // At most 64.
    marks.trailing_zeros() as usize / 8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same, byte by byte.
    fn slowly(rest: &[u8], is_wanted: impl Fn(u8) -> bool) -> usize {
        rest.iter().position(|&byte| is_wanted(byte)).unwrap_or(rest.len())
    }

    #[test]
    fn every_byte_is_found_wherever_it_stands_and_whatever_is_around_it() {
        for byte in 0..=u8::MAX {
            for around in
                [0x00, 0x01, 0x1F, 0x20, 0x21, 0x22, 0x23, 0x5C, 0x7A, 0x7B, 0x7F, 0x80, 0xA2, 0xDB, 0xFF]
            {
                for length in 0..20 {
                    for at in 0..length {
                        let mut text = vec![around; length];
                        text[at] = byte;
                        let found = [
                            before(&text, |eight| eight.equal(b'"') | eight.equal(b'\\')),
                            before(&text, Eight::control),
                            before(&text, Eight::not_ascii),
                            before(&text, |eight| eight.equal_in_any_case(b'{')),
                            before(&text, |eight| eight.equal_in_any_case(b'}') | eight.control()),
                        ];
                        let expected = [
                            slowly(&text, |byte| matches!(byte, b'"' | b'\\')),
                            slowly(&text, |byte| byte < 0x20),
                            slowly(&text, |byte| byte >= 0x80),
                            slowly(&text, |byte| matches!(byte, b'{' | b'[')),
                            slowly(&text, |byte| matches!(byte, b'}' | b']') || byte < 0x20),
                        ];
                        assert_eq!(found, expected, "{text:?}");
                    }
                }
            }
        }
    }
}
