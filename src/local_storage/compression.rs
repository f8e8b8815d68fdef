//! The two ways in which browsers pack blocks and values: raw Snappy and zstd.
//!
//! Both state the unpacked size at their beginning. It is checked against a limit before anything is allocated, and
//! what comes out must have exactly that size.

/// Unpacks raw Snappy (no framing), if it states at most `max_bytes`; else says why not.
///
/// # Errors
/// One line, lower case: not Snappy, damaged, or too large.
///
/// Source: <https://github.com/google/snappy/blob/main/format_description.txt>.
pub(super) fn unpack_snappy(packed: &[u8], max_bytes: usize) -> Result<Vec<u8>, String> {
    let size = snap::raw::decompress_len(packed).map_err(|error| format!("not Snappy: {error}"))?;
    check_size(size as u64, max_bytes)?;
    let mut unpacked = vec![0; size];
    let written = snap::raw::Decoder::new()
        .decompress(packed, &mut unpacked)
        .map_err(|error| format!("damaged Snappy: {error}"))?;
    if written == size { Ok(unpacked) } else { Err("damaged Snappy: it ends too early".to_owned()) }
}

/// Unpacks one zstd frame that states its size, if that is at most `max_bytes`; else says why not.
///
/// # Errors
/// One line, lower case: not zstd, damaged, of unknown size, or too large.
///
/// Source: RFC 8878, section 3.1.1.1.
pub(super) fn unpack_zstd(packed: &[u8], max_bytes: usize) -> Result<Vec<u8>, String> {
    let size = match zstd::zstd_safe::get_frame_content_size(packed) {
        Ok(Some(size)) => size,
        Ok(None) => return Err("a zstd frame without its size".to_owned()),
        Err(_) => return Err("not zstd".to_owned()),
    };
    let capacity = check_size(size, max_bytes)?;
    let unpacked =
        zstd::bulk::decompress(packed, capacity).map_err(|error| format!("damaged zstd: {error}"))?;
    if unpacked.len() == capacity { Ok(unpacked) } else { Err("damaged zstd: it ends too early".to_owned()) }
}

/// `size`, where it is within `max_bytes`.
fn check_size(size: u64, max_bytes: usize) -> Result<usize, String> {
    match usize::try_from(size) {
        Ok(size) if size <= max_bytes => Ok(size),
        _ => Err(format!("{size} bytes unpacked, more than the {max_bytes} that are read")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_give_back_what_was_packed() {
        for bytes in [Vec::new(), b"a".to_vec(), b"workout ".repeat(5000)] {
            let snappy = snap::raw::Encoder::new().compress_vec(&bytes).expect("packing");
            assert_eq!(unpack_snappy(&snappy, bytes.len()), Ok(bytes.clone()));
            let zstd = zstd::bulk::compress(&bytes, 1).expect("packing");
            assert_eq!(unpack_zstd(&zstd, bytes.len()), Ok(bytes));
        }
    }

    #[test]
    fn a_stated_size_above_the_limit_is_refused_before_unpacking() {
        // 4 GiB - 1, stated by five bytes and followed by nothing.
        let error = unpack_snappy(&[0xFF, 0xFF, 0xFF, 0xFF, 0x0F], 1 << 20).expect_err("refused");
        assert!(error.contains("4294967295 bytes"), "{error}");
        let bomb = zstd::bulk::compress(&vec![0; 1 << 22], 19).expect("packing");
        assert!(bomb.len() < 2000);
        assert!(unpack_zstd(&bomb, 1 << 20).expect_err("refused").contains("4194304 bytes"));
    }

    #[test]
    fn what_is_cut_or_changed_is_an_error_and_no_panic() {
        let bytes = b"never a panic, never other bytes of another length ".repeat(20);
        let snappy = snap::raw::Encoder::new().compress_vec(&bytes).expect("packing");
        let zstd = zstd::bulk::compress(&bytes, 1).expect("packing");
        for length in 0..snappy.len() {
            assert!(unpack_snappy(&snappy[..length], 1 << 20).is_err());
        }
        for length in 0..zstd.len() {
            assert!(unpack_zstd(&zstd[..length], 1 << 20).is_err());
        }
        let mut extended = zstd.clone();
        extended.extend_from_slice(&zstd);
        assert!(unpack_zstd(&extended, 1 << 20).is_err());
    }
}
