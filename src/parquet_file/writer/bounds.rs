//! Which texts and blobs make bounds that cannot be cut.
//!
//! A maximum is cut to [`STATISTICS_BYTES`] and then stands for all that begin so: its last part is counted up. Where no
//! part of it can be, the Parquet writer keeps the value whole, whatever its size: in the statistics of its chunk and
//! again for every page.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{ByteViewType, DataType};

use crate::parquet_file::settings::STATISTICS_BYTES;

/// Whether `array` has a text or blob that would stand whole among the statistics, though it is longer than they may be.
///
/// Only long values that begin with a character or byte that is the last of its kind are looked at.
pub(super) fn has_endless_bound(array: &ArrayRef) -> bool {
    match array.data_type() {
        DataType::Utf8View => {
            let is_last = |byte| matches!(byte, 0x7f | 0xdf | 0xed | 0xef | 0xf4);
            has_long_value(array.as_string_view(), is_last, |text: &[u8]| is_endless_text(text))
        }
        DataType::BinaryView => {
            let is_endless = |blob: &[u8]| blob.iter().take(STATISTICS_BYTES).all(|&byte| byte == u8::MAX);
            has_long_value(array.as_binary_view(), |byte| byte == u8::MAX, is_endless)
        }
        _ => false,
    }
}

fn has_long_value<T: ByteViewType>(
    array: &arrow::array::GenericByteViewArray<T>,
    may_begin: impl Fn(u8) -> bool,
    is_endless: impl Fn(&[u8]) -> bool,
) -> bool {
    if array.data_buffers().is_empty() {
        return false;
    }
    // The lower half of a view is the value's length and its first bytes.
    array.views().iter().enumerate().any(|(row, view)| {
        let [a, b, c, d, first, ..] = view.to_le_bytes();
        u32::from_le_bytes([a, b, c, d]) as usize > STATISTICS_BYTES
            && may_begin(first)
            && array.is_valid(row)
            && is_endless(array.value(row).as_ref())
    })
}

/// Whether no character of a text's first bytes can be counted up within its size.
fn is_endless_text(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return true };
    let is_last = |character: char| {
        let next = char::from_u32(u32::from(character) + 1);
        next.is_none_or(|next| next.len_utf8() != character.len_utf8())
    };
    let begun = text.char_indices().take_while(|(at, it)| at + it.len_utf8() <= STATISTICS_BYTES);
    begun.map(|(_, character)| character).all(is_last)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BinaryViewArray, StringViewArray};

    use super::*;

    #[test]
    fn a_bound_that_cannot_be_cut_is_a_long_value_that_begins_with_the_last_characters_or_bytes() {
        let text =
            |text: String| has_endless_bound(&(Arc::new(StringViewArray::from(vec![text])) as ArrayRef));
        let blob =
            |blob: &[u8]| has_endless_bound(&(Arc::new(BinaryViewArray::from(vec![blob])) as ArrayRef));
        assert!(!blob(&[0xff; 64]) && blob(&[0xff; 65]) && blob(&[&[0xff; 64][..], &[0]].concat()));
        assert!(!blob(&[&[0xff; 63][..], &[0; 9]].concat()) && !blob(&[&[0][..], &[0xff; 99]].concat()));
        for last in ['\u{7f}', '\u{7ff}', '\u{d7ff}', '\u{ffff}', '\u{10ffff}'] {
            let size = last.len_utf8();
            assert!(text(last.to_string().repeat(66 / size + 1)), "{last:?}");
            assert!(!text(last.to_string().repeat(64 / size)), "{last:?}");
            // What is cut off may be anything, what stays must be of the last.
            assert!(text(last.to_string().repeat(66 / size) + "aaaa"), "{last:?}");
            assert!(!text(last.to_string().repeat(32 / size) + &"a".repeat(64)), "{last:?}");
        }
        assert!(text("\u{7f}\u{10ffff}".repeat(20)));
        assert!(!text("\u{fffe}".repeat(40)) && !text("z".repeat(100)));
    }

    #[test]
    fn bounds_are_never_longer_than_they_may_be() {
        use crate::frame::testing::{Value, mapping_of, numbered, table};
        use crate::parquet_file::testing::{Folder, write};
        use parquet::file::reader::FileReader;
        use parquet::file::serialized_reader::SerializedFileReader;

        let kinds: [fn(i64) -> Value; 6] = [
            |_| Value::Blob(vec![0xff; 1_000]),
            |row| Value::Blob(vec![if row % 9 == 0 { 0xff } else { 0xfe }; 100]),
            |_| Value::Text("\u{10ffff}".repeat(50)),
            |_| Value::Text("\u{7f}".repeat(500)),
            |_| Value::Text("\u{ffff}\u{d7ff}\u{7ff}".repeat(50)),
            |row| Value::Text(format!("{row:0>100}")),
        ];
        let table = table(&[("value", "")]);
        for (number, value) in kinds.into_iter().enumerate() {
            let rows = numbered((0..200).map(|row| vec![value(row)]).collect());
            let folder = Folder::new();
            let path = folder.file("t.parquet");
            write(&path, &mapping_of(&table, &rows), &[rows]).expect("written");
            let file = std::fs::File::open(&path).expect("there");
            let reader = SerializedFileReader::new(file).expect("opens");
            let chunk = reader.metadata().row_group(0).column(1);
            let bound = chunk.statistics().and_then(|it| it.max_bytes_opt()).map_or(0, <[u8]>::len);
            let is_cut = number == 5;
            assert!(if is_cut { (1..=64).contains(&bound) } else { bound == 0 }, "kind {number}: {bound}");
            assert!(chunk.column_index_length().is_none_or(|bytes| bytes < 1_000), "kind {number}");
        }
    }
}
