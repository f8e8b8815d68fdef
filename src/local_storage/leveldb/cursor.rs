//! Taking numbers and byte strings off the front of a slice, as LevelDB and protocol buffers write them.
//!
//! Every step answers `None` where the bytes do not suffice; nothing here can panic or allocate.

/// What is left to read.
#[derive(Debug, Clone, Copy)]
pub(in crate::local_storage) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(in crate::local_storage) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(in crate::local_storage) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `count` bytes.
    pub(in crate::local_storage) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    pub(in crate::local_storage) fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    pub(in crate::local_storage) fn u32_le(&mut self) -> Option<u32> {
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(u32::from_le_bytes(*bytes))
    }

    pub(in crate::local_storage) fn u64_le(&mut self) -> Option<u64> {
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(u64::from_le_bytes(*bytes))
    }

    /// Seven bits a byte, the low ones first; at most ten bytes, and nothing above 64 bits.
    pub(in crate::local_storage) fn varint(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            if bits << shift >> shift != bits {
                return None;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    /// A varint that is a length or a level: it must fit into 32 bits.
    pub(in crate::local_storage) fn varint32(&mut self) -> Option<u32> {
        u32::try_from(self.varint()?).ok()
    }

    /// A byte string behind its length as a varint.
    pub(in crate::local_storage) fn prefixed(&mut self) -> Option<&'a [u8]> {
        let length = self.varint32()?;
        self.take(usize::try_from(length).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_varint_takes_up_to_64_bits_and_no_more() {
        let of = |bytes: &[u8]| Cursor::new(bytes).varint();
        assert_eq!(of(&[0]), Some(0));
        assert_eq!(of(&[0xAC, 0x02]), Some(300));
        let mut largest = vec![0xFF; 9];
        largest.push(1);
        assert_eq!(of(&largest), Some(u64::MAX));
        largest[9] = 2;
        assert_eq!(of(&largest), None);
        assert_eq!(of(&[0x80; 11]), None);
        assert_eq!(of(&[0x80]), None);
        assert_eq!(Cursor::new(&[0x80, 0x80, 0x80, 0x80, 0x10]).varint32(), None);
    }

    #[test]
    fn a_length_beyond_the_end_takes_nothing() {
        assert_eq!(Cursor::new(b"\x03ab").prefixed(), None);
        let mut cursor = Cursor::new(b"\x02abc");
        assert_eq!(cursor.prefixed(), Some(&b"ab"[..]));
        assert!(!cursor.is_at_end());
        assert_eq!(cursor.u32_le(), None);
        assert_eq!(cursor.byte(), Some(b'c'));
        assert!(cursor.is_at_end());
    }
}
