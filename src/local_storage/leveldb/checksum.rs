//! LevelDB's checksum: CRC32C, masked, because the checksummed bytes may hold checksums themselves.
//!
//! Source: LevelDB, `util/crc32c.h`.

const MASK: u32 = 0xA282_EAD8;

/// As it is stored: rotated right by 15 bits, and moved on by a constant.
fn mask(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(MASK)
}

/// Whether `stored` is the masked checksum of `bytes`.
pub(super) fn is_checksum_of(stored: u32, bytes: &[u8]) -> bool {
    stored == mask(crc32c::crc32c(bytes))
}

/// How many of the bytes behind the first one the masked checksum `stored` covers, if any number of them.
///
/// For records whose length cannot be believed. The checksum of chance fits one length in 2³².
pub(super) fn covered_length(stored: u32, bytes: &[u8]) -> Option<usize> {
    let mut crc = 0;
    bytes.iter().position(|&byte| {
        crc = crc32c::crc32c_append(crc, &[byte]);
        stored == mask(crc)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vector of RFC 3720, section B.4: 32 bytes of zeros.
    #[test]
    fn the_checksum_is_crc32c_masked() {
        let stored = 0x8A91_36AA_u32.rotate_right(15).wrapping_add(0xA282_EAD8);
        assert!(is_checksum_of(stored, &[0; 32]));
        assert!(!is_checksum_of(0x8A91_36AA, &[0; 32]));
        assert!(!is_checksum_of(stored, &[0; 31]));
    }

    #[test]
    fn a_wrong_length_is_found_out_by_the_checksum() {
        let stored = mask(crc32c::crc32c(b"\x01payload"));
        assert_eq!(covered_length(stored, b"\x01payload and more"), Some(7));
        assert_eq!(covered_length(stored, b"\x01payloud and more"), None);
    }
}
