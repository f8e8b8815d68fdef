//! An encoding is what the format says, and is read back as it was written.

use super::*;

#[test]
fn a_large_row_is_hashed_as_the_bytes_of_its_encoding() {
    let large = vec![b'x'; 100_000];
    for size in [GATHERED_BYTES - 30, GATHERED_BYTES - 25, GATHERED_BYTES, large.len()] {
        let bytes = &large[..size];
        let mut hasher = RowHasher::default();
        let cells = [Cell::Integer(7), Cell::Blob(bytes), Cell::Null, Cell::Blob(b"y"), Cell::Blob(bytes)];
        let counted = hasher.add_row(Some(1), &cells);
        let length = |size: usize| {
            let [low, middle, high] = [size & 0x7f | 0x80, size >> 7 & 0x7f | 0x80, size >> 14];
            [low, middle, high].map(|bits| u8::try_from(bits).expect("7 bits"))
        };
        let encoding = [
            &1_i64.to_le_bytes()[..],
            &[1, 7, TAG_BLOB],
            &length(size),
            bytes,
            &[TAG_NULL, TAG_BLOB, 1, b'y', TAG_BLOB],
            &length(size),
            bytes,
        ]
        .concat();
        assert_eq!(counted, encoding.len());
        assert_eq!(hasher.take(), ContentDigest { row_count: 1, sum: xxh3_128(&encoding) });
        hasher.add_row(None, &[Cell::Null]);
        assert_eq!(hasher.take().sum, xxh3_128(&[TAG_NULL]), "nothing is left of the row before");
        let mut keeping = RowHasher::keeping_rows();
        keeping.add_row(Some(1), &cells);
        assert_eq!(keeping.last_row(), encoding);
        assert!(keeping.buffer.capacity() < encoding.len() + size / 2, "no more is kept than is needed");
        assert_eq!(keeping.take().sum, xxh3_128(&encoding));
        keeping.forget_row();
        assert_eq!(keeping.buffer.capacity(), 0);
    }
}

#[test]
fn an_encoded_row_reads_back_and_a_torn_one_does_not() {
    let cells = [
        Cell::Null,
        Cell::Integer(-7),
        Cell::Real(-0.0),
        Cell::Text("é"),
        Cell::Blob(b""),
        Cell::RawText(b"\xff"),
    ];
    for rowid in [None, Some(i64::MIN)] {
        let mut hasher = RowHasher::keeping_rows();
        hasher.add_row(rowid, &cells);
        let digest = hasher.take();
        let encoded = hasher.last_row().to_vec();
        assert_eq!(read_encoded_row(&encoded, rowid.is_some()), Some((rowid, cells.to_vec())));
        assert_eq!(read_encoded_row(&encoded[..encoded.len() - 1], rowid.is_some()), None);
        let hash = hasher.last_hash();
        hasher.add_row(None, &[Cell::Null]);
        hasher.take();
        hasher.add_encoded(&encoded);
        assert_eq!((hasher.last_hash(), hasher.take()), (hash, digest));
    }
    for never_written in [&[13_u8] as &[u8], &[TAG_TEXT], &[TAG_BLOB, 0x80], &[TAG_BLOB, 0xff, 0xff], &[2, 0]]
    {
        assert_eq!(read_encoded_row(never_written, false), None, "{never_written:?}");
    }
    let endless = [&[TAG_BLOB][..], &[0xff; 20]].concat();
    assert_eq!(read_encoded_row(&endless, false), None);
}

#[test]
fn an_integer_has_as_few_bytes_as_hold_it() {
    let mut values = vec![0, i64::MIN, i64::MAX];
    for bits in 0..63 {
        let power = 1_i64 << bits;
        values.extend([power - 1, power, -power, -power - 1]);
    }
    for value in values {
        let fits = |count: u32| count == 8 || (-1 << (8 * count - 1)..1 << (8 * count - 1)).contains(&value);
        let fewest = (1..=8).find(|&count| fits(count)).expect("8 hold every integer");
        for following in [&[][..], &[Cell::Null], &[Cell::Real(-1.5)]] {
            let cells = [&[Cell::Integer(value)], following].concat();
            let mut hasher = RowHasher::keeping_rows();
            hasher.add_row(None, &cells);
            assert_eq!(u32::from(hasher.last_row()[0]), fewest, "{value}");
            assert_eq!(read_encoded_row(hasher.last_row(), false), Some((None, cells)));
        }
    }
}

#[test]
fn texts_of_every_length_of_their_length_read_back() {
    for length in [0, 1, 127, 128, 129, 16_383, 16_384, 2_097_151, 2_097_152] {
        let text = "a".repeat(length);
        let cells = [Cell::Text(&text), Cell::RawText(b"\xff")];
        let mut hasher = RowHasher::keeping_rows();
        let size = hasher.add_row(Some(-5), &cells);
        assert_eq!(size, hasher.last_row().len());
        let read = read_encoded_row(hasher.last_row(), true);
        assert!(read == Some((Some(-5), cells.to_vec())), "{length}");
    }
}
