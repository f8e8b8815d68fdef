//! Forged values: honest headers, sizes that add up, and bodies in which levels, runs, lengths and differences lie.
//!
//! A data page of ours begins with its levels (a length of four bytes, then runs of bits), and goes on with its values:
//! plain ones, positions in a dictionary (a byte for their width, then runs), or differences.

use super::Forgery;
use super::forge::Forge;
use super::thrift::{I32, Value, varint, zigzag};
use super::trial::Verdict::Refused;

const ID: usize = 0;
const KIND: usize = 1;
const WEIGHT: usize = 2;
const NOTE: usize = 3;

/// The rows of the file.
const ROWS: u64 = 300;

const PLAIN: i64 = 0;
const DELTA_BINARY_PACKED: i64 = 5;

/// A run of `count` times one value, whatever their number should be.
fn run(count: u64, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    varint(count << 1, &mut bytes);
    bytes.extend(value);
    bytes
}

/// Packed groups of eight values: so many groups claimed, and these bytes.
fn packed(groups: u64, bytes: &[u8]) -> Vec<u8> {
    let mut run = Vec::new();
    varint(groups << 1 | 1, &mut run);
    run.extend(bytes);
    run
}

/// Levels that say that no cell is NULL.
fn no_nulls() -> Vec<u8> {
    levels(&run(ROWS, &[1]))
}

fn levels(runs: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(runs.len()).expect("small").to_le_bytes().to_vec();
    bytes.extend(runs);
    bytes
}

/// Gives a column's only data page these levels and values.
fn set_values(forge: &mut Forge, column: usize, levels: &[u8], values: &[u8]) {
    forge.data_page(column).set_content(&[levels, values].concat());
}

/// The same for values in another encoding, which the footer then knows.
fn set_encoded(forge: &mut Forge, column: usize, encoding: i64, levels: &[u8], values: &[u8]) {
    set_values(forge, column, levels, values);
    forge.data_page(column).header.at(5).set(2, Value::I32(encoding));
    forge.meta(column).set(2, Value::List(I32, [PLAIN, 3, 8, encoding].map(Value::I32).to_vec()));
    forge.meta(column).remove(13);
}

/// Positions in the dictionary of texts: their width in bits, and runs.
fn set_positions(forge: &mut Forge, width: u8, runs: &[u8]) {
    set_values(forge, KIND, &no_nulls(), &[&[width], runs].concat());
}

/// Differences: the block's size, its parts, how many values are claimed, the first value, and what follows.
fn differences(block: u64, parts: u64, count: u64, first: i64, rest: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in [block, parts, count, zigzag(first)] {
        varint(number, &mut bytes);
    }
    bytes.extend(rest);
    bytes
}

fn set_differences(forge: &mut Forge, values: &[u8]) {
    set_encoded(forge, ID, DELTA_BINARY_PACKED, &no_nulls(), values);
}

/// A text or blob with the length that it claims.
fn plain(claimed: u32, bytes: &[u8]) -> Vec<u8> {
    [&claimed.to_le_bytes()[..], bytes].concat()
}

fn set_plain(forge: &mut Forge, column: usize, values: &[u8]) {
    set_encoded(forge, column, PLAIN, &no_nulls(), values);
}

/// A dictionary of one text, which every row has.
fn one_text(forge: &mut Forge, text: &[u8]) {
    let length = u32::try_from(text.len()).expect("small");
    forge.dictionary(KIND).set_content(&plain(length, text));
    forge.dictionary(KIND).header.at(7).set(1, Value::I32(1));
    set_positions(forge, 1, &run(ROWS, &[0]));
}

#[rustfmt::skip]
pub(super) const FORGERIES: &[Forgery] = &[
    // Levels.
    ("levels that claim 2^32-1 bytes", Refused, |f| set_values(f, KIND, &[0xff; 4], &[1, 2, 3])),
    ("levels that claim 2^31 bytes", Refused, |f| set_values(f, KIND, &[0, 0, 0, 0x80], &[1, 2, 3])),
    ("levels of no bytes", Refused, |f| set_values(f, KIND, &[0; 4], &[3, 1])),
    ("a page of three bytes", Refused, |f| f.data_page(KIND).set_content(&[1, 2, 3])),
    ("a page of nothing but its levels", Refused, |f| set_values(f, KIND, &no_nulls(), &[])),
    ("a run of 2^31 levels", Refused, |f| set_values(f, KIND, &levels(&run(1 << 31, &[1])), &[3, 1])),
    ("a run of 2^62 levels", Refused, |f| set_values(f, KIND, &levels(&run(1 << 62, &[1])), &[3, 1])),
    ("a run of no levels", Refused, |f| set_values(f, KIND, &levels(&run(0, &[1])), &[3, 1])),
    ("2^60 packed levels", Refused, |f| set_values(f, KIND, &levels(&packed(1 << 60, &[0xff; 40])), &[3, 1])),
    ("a level above the highest", Refused, |f| set_values(f, KIND, &levels(&run(ROWS, &[7])), &[3, 1])),
    ("a level of 255", Refused, |f| set_values(f, KIND, &levels(&run(ROWS, &[255])), &[3, 1])),
    ("a run whose length never ends", Refused, |f| set_values(f, KIND, &levels(&[0xff; 30]), &[3, 1])),
    ("nothing but NULLs", Refused, |f| set_values(f, KIND, &levels(&run(ROWS, &[0])), &[0])),
    ("fewer levels than values", Refused, |f| set_values(f, KIND, &levels(&run(10, &[1])), &[3, 1])),
    // Positions in a dictionary.
    ("positions of 33 bits", Refused, |f| set_positions(f, 33, &run(ROWS, &[1, 0, 0, 0, 0]))),
    ("positions of 64 bits", Refused, |f| set_positions(f, 64, &run(ROWS, &[1; 8]))),
    ("positions of 255 bits", Refused, |f| set_positions(f, 255, &run(ROWS, &[1; 32]))),
    ("positions of no bits, packed", Refused, |f| set_positions(f, 0, &packed(1 << 60, &[]))),
    ("2^31 times one position", Refused, |f| set_positions(f, 3, &run(1 << 31, &[1]))),
    ("2^62 times one position", Refused, |f| set_positions(f, 3, &run(1 << 62, &[1]))),
    ("no times one position, for ever", Refused, |f| set_positions(f, 3, &run(0, &[1]).repeat(10_000))),
    ("2^60 packed positions", Refused, |f| set_positions(f, 3, &packed(1 << 60, &[0x88; 100]))),
    ("a position beyond the dictionary", Refused, |f| set_positions(f, 3, &run(ROWS, &[7]))),
    ("a position of 2^32-1", Refused, |f| set_positions(f, 32, &run(ROWS, &[0xff; 4]))),
    ("packed positions beyond the dictionary", Refused, |f| set_positions(f, 8, &packed(38, &[0xff; 304]))),
    ("too few positions", Refused, |f| set_positions(f, 3, &run(10, &[1]))),
    ("no positions", Refused, |f| set_positions(f, 3, &[])),
    ("positions whose length never ends", Refused, |f| set_positions(f, 3, &[0xff; 64])),
    // Texts and blobs.
    ("a text that claims 2^31-1 bytes", Refused, |f| set_plain(f, NOTE, &plain(0x7fff_ffff, b"x"))),
    ("a text that claims -1 bytes", Refused, |f| set_plain(f, NOTE, &plain(u32::MAX, b"x"))),
    ("a text that claims a byte too many", Refused, |f| set_plain(f, NOTE, &plain(2, b"x").repeat(300))),
    ("too few texts", Refused, |f| set_plain(f, NOTE, &plain(1, b"x"))),
    ("too many texts", Refused, |f| set_plain(f, NOTE, &plain(1, b"x").repeat(400))),
    ("300 texts of nothing in 64 MiB", Refused, |f| set_plain(f, NOTE, &vec![0; 64 << 20])),
    ("a text that is no UTF-8", Refused, |f| one_text(f, &[0xff, 0xfe, 0x80])),
    ("a text cut inside a character", Refused, |f| one_text(f, &[b'a', 0xe2, 0x82])),
    ("an entry of the dictionary that claims 2^31-1 bytes", Refused, |f| {
        f.dictionary(KIND).set_content(&plain(0x7fff_ffff, &[b'x'; 60]));
    }),
    ("an entry of the dictionary that claims -1 bytes", Refused, |f| {
        f.dictionary(KIND).set_content(&plain(u32::MAX, &[b'x'; 60]));
    }),
    // A dictionary of one large text makes gigabytes of a few bytes for each row.
    ("a text of 4 MB in each of 300 rows", Refused, |f| one_text(f, &vec![b'x'; 4_000_000])),
    ("a text of 60 MB in each of 300 rows", Refused, |f| one_text(f, &vec![b'x'; 60_000_000])),
    // Numbers.
    ("too few reals", Refused, |f| set_plain(f, WEIGHT, &[0; 80])),
    ("half a real", Refused, |f| set_plain(f, WEIGHT, &[0; 2_399])),
    ("reals that are no numbers", Refused, |f| set_plain(f, WEIGHT, &[0xff; 2_400])),
    ("differences in blocks of 2^62", Refused, |f| set_differences(f, &differences(1 << 62, 4, ROWS, 1, &[0; 40]))),
    ("differences in blocks of 2^31", Refused, |f| set_differences(f, &differences(1 << 31, 4, ROWS, 1, &[0; 40]))),
    ("differences in blocks of nothing", Refused, |f| set_differences(f, &differences(0, 4, ROWS, 1, &[0; 40]))),
    ("differences in blocks of one", Refused, |f| set_differences(f, &differences(1, 1, ROWS, 1, &[0; 40]))),
    ("differences in no parts", Refused, |f| set_differences(f, &differences(128, 0, ROWS, 1, &[0; 40]))),
    ("differences in 2^62 parts", Refused, |f| set_differences(f, &differences(128, 1 << 62, ROWS, 1, &[0; 40]))),
    ("differences in more parts than values", Refused, |f| set_differences(f, &differences(128, 256, ROWS, 1, &[0; 40]))),
    ("2^62 differences", Refused, |f| set_differences(f, &differences(128, 4, 1 << 62, 1, &[0; 40]))),
    ("no differences", Refused, |f| set_differences(f, &differences(128, 4, 0, 1, &[]))),
    ("differences of 255 bits", Refused, |f| set_differences(f, &differences(128, 4, ROWS, 1, &[0, 255, 255, 255, 255, 1]))),
    ("differences of 65 bits", Refused, |f| set_differences(f, &differences(128, 4, ROWS, 1, &[[0, 65, 65, 65, 65].as_slice(), &[7; 5000]].concat()))),
    ("differences that overflow", Refused, |f| {
        let mut rest = Vec::new();
        varint(zigzag(i64::MAX), &mut rest);
        rest.extend([64; 4]);
        rest.extend([0xff; 1024]);
        set_differences(f, &differences(128, 4, ROWS, i64::MAX, &rest));
    }),
    ("differences that end at once", Refused, |f| set_differences(f, &[])),
    ("differences whose number never ends", Refused, |f| set_differences(f, &[0xff; 64])),
];
