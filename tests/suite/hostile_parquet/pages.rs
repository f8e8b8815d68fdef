//! Forged pages: headers that lie, pages that are missing, and compressed bodies that grow.

use super::Forgery;
use super::forge::{Forge, Page};
use super::thrift::{BINARY, Value, varint};
use super::trial::Verdict::{Refused, Untrue};

const MAX_I32: i64 = i32::MAX as i64;
const MIB: usize = 1 << 20;

const ID: usize = 0;
const KIND: usize = 1;
const WEIGHT: usize = 2;

/// zstd, its frame header, and a block.
///
/// Source: RFC 8878, "Zstandard Compression", section 3.1.1.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const SINGLE_SEGMENT_WITH_SIZE: u8 = 0xa0;
const BLOCK_BYTES: usize = 128 * 1024;

/// A frame of zeros: four bytes for each 128 KiB, and a size that it claims.
fn frame_of_zeros(size: usize, claimed: u32) -> Vec<u8> {
    const REPEATED: usize = 1;
    let mut frame = MAGIC.to_vec();
    frame.push(SINGLE_SEGMENT_WITH_SIZE);
    frame.extend(claimed.to_le_bytes());
    let mut left = size;
    while left > 0 {
        let block = left.min(BLOCK_BYTES);
        left -= block;
        let header = usize::from(left == 0) | REPEATED << 1 | block << 3;
        frame.extend(&header.to_le_bytes()[..3]);
        frame.push(0);
    }
    frame
}

/// Puts another body into a page, and the sizes that go with it into its header.
fn set_body(page: &mut Page, body: Vec<u8>, uncompressed: usize) {
    page.header.set(2, Value::I32(uncompressed as i64));
    page.header.set(3, Value::I32(body.len() as i64));
    page.body = body;
}

fn bomb(forge: &mut Forge, column: usize, size: usize) {
    set_body(forge.data_page(column), frame_of_zeros(size, size as u32), size);
}

/// Says of the first data page of a column something else.
fn data(forge: &mut Forge, column: usize, id: i16, value: i64) {
    forge.data_page(column).header.at(5).set(id, Value::I32(value));
}

fn text_of(bytes: usize, claimed: u64) -> Value {
    let mut raw = Vec::new();
    varint(claimed, &mut raw);
    raw.extend(vec![b'x'; bytes]);
    Value::Raw(BINARY, raw)
}

#[rustfmt::skip]
pub(super) const FORGERIES: &[Forgery] = &[
    // Counts and sizes.
    ("2^31-1 values in a page", Refused, |f| data(f, KIND, 1, MAX_I32)),
    ("no values in a page", Refused, |f| data(f, KIND, 1, 0)),
    ("-1 values in a page", Refused, |f| data(f, KIND, 1, -1)),
    ("one value more than there is", Refused, |f| data(f, KIND, 1, 301)),
    ("one value less than there is", Refused, |f| data(f, KIND, 1, 299)),
    ("a page of 2^31-1 bytes uncompressed", Refused, |f| f.data_page(KIND).header.set(2, Value::I32(MAX_I32))),
    ("a page of -1 bytes uncompressed", Refused, |f| f.data_page(KIND).header.set(2, Value::I32(-1))),
    ("a page of no bytes uncompressed", Refused, |f| f.data_page(KIND).header.set(2, Value::I32(0))),
    ("a page that claims a byte more than it has", Refused, |f| {
        let size = f.data_page(KIND).header.at(2).number();
        f.data_page(KIND).header.set(2, Value::I32(size + 1));
    }),
    ("a page that claims a byte less than it has", Refused, |f| {
        let size = f.data_page(KIND).header.at(2).number();
        f.data_page(KIND).header.set(2, Value::I32(size - 1));
    }),
    ("a page that claims half of what it has", Refused, |f| {
        let size = f.data_page(WEIGHT).header.at(2).number();
        f.data_page(WEIGHT).header.set(2, Value::I32(size / 2));
    }),
    ("a page that claims 100 MB", Refused, |f| f.data_page(KIND).header.set(2, Value::I32(100_000_000))),
    ("a page of 2^31-1 bytes in the file", Refused, |f| f.data_page(KIND).header.set(3, Value::I32(MAX_I32))),
    ("a page of -1 bytes in the file", Refused, |f| f.data_page(KIND).header.set(3, Value::I32(-1))),
    ("a page of -2^31 bytes in the file", Refused, |f| f.data_page(KIND).header.set(3, Value::I32(i32::MIN.into()))),
    ("a page of no bytes in the file", Refused, |f| f.data_page(KIND).header.set(3, Value::I32(0))),
    ("a page that ends a byte late", Refused, |f| {
        let size = f.data_page(KIND).header.at(3).number();
        f.data_page(KIND).header.set(3, Value::I32(size + 1));
    }),
    ("a page that ends a byte early", Refused, |f| {
        let size = f.data_page(KIND).header.at(3).number();
        f.data_page(KIND).header.set(3, Value::I32(size - 1));
    }),
    // Kinds and encodings.
    ("an index page", Refused, |f| f.data_page(KIND).header.set(1, Value::I32(1))),
    ("a data page that calls itself a dictionary", Refused, |f| f.data_page(KIND).header.set(1, Value::I32(2))),
    ("a data page of version 2 with another header", Refused, |f| f.data_page(KIND).header.set(1, Value::I32(3))),
    ("a data page of version 2", Refused, |f| {
        let header = &mut f.data_page(KIND).header;
        header.remove(5);
        header.set(1, Value::I32(3));
        header.set(8, Value::Struct(vec![
            (1, Value::I32(300)), (2, Value::I32(43)), (3, Value::I32(300)), (4, Value::I32(8)),
            (5, Value::I32(MAX_I32)), (6, Value::I32(MAX_I32)), (7, Value::Bool(true)),
        ]));
    }),
    ("a page of kind 99", Refused, |f| f.data_page(KIND).header.set(1, Value::I32(99))),
    ("a page without a kind", Refused, |f| f.data_page(KIND).header.remove(1)),
    ("a page without sizes", Refused, |f| f.data_page(KIND).header.remove(2)),
    ("a page without a header of its values", Refused, |f| f.data_page(KIND).header.remove(5)),
    ("plain values that come from a dictionary", Refused, |f| data(f, KIND, 2, 0)),
    ("values from a dictionary in the old way", Refused, |f| data(f, KIND, 2, 2)),
    ("runs of values", Refused, |f| data(f, KIND, 2, 3)),
    ("packed bits", Refused, |f| data(f, KIND, 2, 4)),
    ("differences of texts", Refused, |f| data(f, KIND, 2, 7)),
    ("differences in a column of reals", Refused, |f| data(f, WEIGHT, 2, 5)),
    ("split bytes", Refused, |f| data(f, KIND, 2, 9)),
    ("encoding 99", Refused, |f| data(f, KIND, 2, 99)),
    ("encoding -1", Refused, |f| data(f, KIND, 2, -1)),
    ("levels as packed bits", Refused, |f| data(f, KIND, 3, 4)),
    ("levels in encoding 99", Refused, |f| data(f, KIND, 4, 99)),
    ("a checksum", Refused, |f| f.data_page(KIND).header.set(4, Value::I32(7))),
    ("statistics that claim 2^62 bytes", Refused, |f| {
        f.data_page(KIND).header.at(5).set(5, Value::Struct(vec![(1, text_of(5, 1 << 62))]));
    }),
    ("statistics of 1 MB", Refused, |f| {
        f.data_page(KIND).header.at(5).set(5, Value::Struct(vec![(1, text_of(MIB, MIB as u64))]));
    }),
    ("a header's field twice", Refused, |f| {
        let Value::Struct(fields) = &mut f.data_page(KIND).header else { panic!("a structure") };
        fields.push((3, Value::I32(1)));
    }),
    ("a header 10,000 structures deep", Refused, |f| {
        let bytes = [vec![0x1c; 10_000], vec![0; 10_001]].concat();
        f.data_page(KIND).header.set(9, Value::Raw(12, bytes));
    }),
    // Dictionaries.
    ("no dictionary", Refused, |f| {
        f.pages(KIND).remove(0);
        f.meta(KIND).remove(11);
    }),
    ("no dictionary, but a place for one", Refused, |f| drop(f.pages(KIND).remove(0))),
    ("a dictionary twice", Refused, |f| {
        let page = f.dictionary(KIND).clone();
        f.pages(KIND).insert(0, page);
    }),
    ("a dictionary behind its values", Refused, |f| f.pages(KIND).reverse()),
    ("a dictionary and no values", Refused, |f| f.pages(KIND).truncate(1)),
    ("a dictionary of 2^31-1 entries", Refused, |f| f.dictionary(KIND).header.at(7).set(1, Value::I32(MAX_I32))),
    ("a dictionary of -1 entries", Refused, |f| f.dictionary(KIND).header.at(7).set(1, Value::I32(-1))),
    ("a dictionary of no entries", Refused, |f| f.dictionary(KIND).header.at(7).set(1, Value::I32(0))),
    ("a dictionary with an entry less than is used", Refused, |f| f.dictionary(KIND).header.at(7).set(1, Value::I32(4))),
    ("a dictionary with an entry more than it has", Refused, |f| f.dictionary(KIND).header.at(7).set(1, Value::I32(6))),
    ("a dictionary in runs", Refused, |f| f.dictionary(KIND).header.at(7).set(2, Value::I32(3))),
    ("a dictionary of 256 MiB of zeros", Refused, |f| {
        set_body(f.dictionary(KIND), frame_of_zeros(256 * MIB, 256 * MIB as u32), 256 * MIB);
        f.dictionary(KIND).header.at(7).set(1, Value::I32(300));
    }),
    ("a dictionary of 2 GiB of zeros", Refused, |f| {
        let size = (1 << 31) - BLOCK_BYTES;
        set_body(f.dictionary(KIND), frame_of_zeros(size, size as u32), size);
        f.dictionary(KIND).header.at(7).set(1, Value::I32(300));
    }),
    // Pages as a whole.
    ("no pages", Refused, |f| f.pages(KIND).clear()),
    ("a page twice", Refused, |f| {
        let page = f.data_page(KIND).clone();
        f.pages(KIND).push(page);
    }),
    ("100,000 pages of no values", Refused, |f| {
        let mut page = f.data_page(ID).clone();
        page.header.at(5).set(1, Value::I32(0));
        f.pages(ID).extend(vec![page; 100_000]);
    }),
    ("pages of another column", Refused, |f| {
        let pages = f.pages(ID).clone();
        *f.pages(WEIGHT) = pages;
    }),
    // Bodies that are not what they claim.
    ("64 MiB of zeros", Refused, |f| bomb(f, KIND, 64 * MIB)),
    ("256 MiB of zeros", Refused, |f| bomb(f, KIND, 256 * MIB)),
    ("1 GiB of zeros", Refused, |f| bomb(f, KIND, 1024 * MIB)),
    ("2 GiB of zeros in a column of numbers", Refused, |f| bomb(f, ID, (1 << 31) - BLOCK_BYTES)),
    ("2 GiB of zeros in each column", Refused, |f| (0..4).for_each(|column| bomb(f, column, (1 << 31) - BLOCK_BYTES))),
    ("1 GiB that claims a kilobyte", Refused, |f| {
        set_body(f.data_page(KIND), frame_of_zeros(1024 * MIB, 1024), 1024);
    }),
    ("1 GiB whose page claims a kilobyte", Refused, |f| {
        set_body(f.data_page(KIND), frame_of_zeros(1024 * MIB, 1024 * MIB as u32), 1024);
    }),
    ("a kilobyte that claims 200 kB", Refused, |f| {
        set_body(f.data_page(KIND), frame_of_zeros(1024, 200_000), 200_000);
    }),
    ("a kilobyte whose page claims 200 kB", Refused, |f| {
        set_body(f.data_page(KIND), frame_of_zeros(1024, 1024), 200_000);
    }),
    ("two frames in one page", Untrue, |f| {
        let body = f.data_page(KIND).body.clone();
        let size = f.data_page(KIND).header.at(2).number() as usize;
        set_body(f.data_page(KIND), [body.clone(), body].concat(), 2 * size);
    }),
    ("a frame to skip, of 2^32-1 bytes", Refused, |f| {
        set_body(f.data_page(KIND), vec![0x50, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0xff], 1024);
    }),
    ("a frame that needs a dictionary of zstd", Refused, |f| {
        set_body(f.data_page(KIND), [&MAGIC[..], &[0x23, 9, 9, 9, 9, 16, 1, 0, 0]].concat(), 16);
    }),
    ("a frame with a window of 2^41 bytes", Refused, |f| {
        set_body(f.data_page(KIND), [&MAGIC[..], &[0x00, 0xff, 1, 0, 0]].concat(), 16);
    }),
    ("a body that is no frame", Refused, |f| set_body(f.data_page(KIND), vec![0xaa; 64], 64)),
    ("a body of no bytes", Refused, |f| set_body(f.data_page(KIND), vec![], 0)),
    ("a body of one byte", Refused, |f| set_body(f.data_page(KIND), vec![0x28], 1)),
];
