//! Forged footers: counts, sizes, places and trees that are lies.

use super::Forgery;
use super::forge::Forge;
use super::thrift::{BINARY, I32, I64, LIST, STRUCT, Value, claimed_list, varint};
use super::trial::Verdict::{Refused, Untrue};

const HUGE: i64 = 1 << 62;
const MAX_I32: i64 = i32::MAX as i64;

/// Columns of the file by what they hold.
const ID: usize = 0;
const KIND: usize = 1;
const WEIGHT: usize = 2;

fn text(text: &str) -> Value {
    Value::Binary(text.as_bytes().to_vec())
}

/// Says everywhere that there are so many rows.
fn set_rows(forge: &mut Forge, rows: i64) {
    forge.footer.set(3, Value::I64(rows));
    forge.group().set(3, Value::I64(rows));
    for column in 0..4 {
        forge.meta(column).set(5, Value::I64(rows));
    }
}

/// A schema of these elements, in which the first is the root.
fn set_schema(forge: &mut Forge, elements: Vec<Value>) {
    forge.footer.set(2, Value::List(STRUCT, elements));
}

fn group_element(name: &str, children: i64) -> Value {
    Value::Struct(vec![(3, Value::I32(1)), (4, text(name)), (5, Value::I32(children))])
}

fn leaf_element(name: &str) -> Value {
    Value::Struct(vec![(1, Value::I32(2)), (3, Value::I32(1)), (4, text(name))])
}

fn without_rows(forge: &mut Forge) {
    forge.footer.set(3, Value::I64(0));
    forge.groups().clear();
}

fn nested_schema(forge: &mut Forge, depth: usize) {
    let mut elements: Vec<Value> = (0..depth).map(|_| group_element("g", 1)).collect();
    elements.push(leaf_element("v"));
    set_schema(forge, elements);
}

fn repeat_group(forge: &mut Forge, times: usize) {
    let group = forge.group().clone();
    *forge.groups() = (0..times)
        .map(|index| {
            let mut group = group.clone();
            group.set(7, Value::I16(index as i64 & 0x7fff));
            group
        })
        .collect();
    let rows = forge.group().at(3).number();
    forge.footer.set(3, Value::I64(rows * times as i64));
}

/// Structures, or lists, that lie in each other.
fn nested_bytes(depth: usize, of: u8) -> Vec<u8> {
    match of {
        LIST => [vec![0x10 | LIST; depth], vec![0x10 | I32, 0]].concat(),
        _ => [vec![0x10 | STRUCT; depth], vec![0; depth + 1]].concat(),
    }
}

fn key_value(key: &str, value: &str) -> Value {
    Value::Struct(vec![(1, text(key)), (2, text(value))])
}

/// A text that claims to be this long, and is not.
fn lying_text(length: u64) -> Value {
    let mut bytes = Vec::new();
    varint(length, &mut bytes);
    bytes.extend(b"short");
    Value::Raw(BINARY, bytes)
}

/// Gives a structure a field once more, out of its place.
fn push(at: &mut Value, id: i16, value: Value) {
    let Value::Struct(fields) = at else { panic!("no structure") };
    fields.push((id, value));
}

/// Forgeries that no decoder of any Parquet file should be given.
pub(super) const DEADLY: &[&str] = &[
    "2^31-1 row groups claimed",
    "2^63 row groups claimed",
    "40,000 row groups without columns",
    "2^31-1 columns claimed in a row group",
    "a column missing from a row group",
    "2^31-1 elements claimed",
    "a schema 10,000 levels deep",
    "a schema 10,000 levels deep and no rows",
    "a schema 1,000,000 levels deep",
    "2^31-1 children of the root",
    "-1 children of the root",
    "a child too few",
    "a child too many",
    "an empty schema",
    "a column's name that claims 2^62 bytes",
    "2^31-1 encodings",
    "2^31-1 keys claimed",
    "a value that claims 2^62 bytes",
    "a field twice",
    "structures 100,000 deep",
    "lists 100,000 deep",
    "a map of 2^62 entries",
    "a list of 2^31-1 booleans",
    "an encrypted footer",
];

#[rustfmt::skip]
pub(super) const FORGERIES: &[Forgery] = &[
    // Rows.
    ("2^62 rows in the file", Refused, |f| f.footer.set(3, Value::I64(HUGE))),
    ("2^62 rows everywhere", Refused, |f| set_rows(f, HUGE)),
    ("2^31 rows everywhere", Refused, |f| set_rows(f, 1 << 31)),
    ("as many rows as a row group can have", Refused, |f| set_rows(f, 131_072)),
    ("one row more than there is", Refused, |f| set_rows(f, 301)),
    ("one row less than there is", Refused, |f| set_rows(f, 299)),
    ("-1 rows everywhere", Refused, |f| set_rows(f, -1)),
    ("-2^63 rows everywhere", Refused, |f| set_rows(f, i64::MIN)),
    ("no rows in a row group", Refused, |f| set_rows(f, 0)),
    ("2^62 values in a column", Refused, |f| f.meta(KIND).set(5, Value::I64(HUGE))),
    ("-1 values in a column", Refused, |f| f.meta(KIND).set(5, Value::I64(-1))),
    ("no values in a column", Refused, |f| f.meta(KIND).set(5, Value::I64(0))),
    ("a number of 11 bytes", Refused, |f| f.footer.set(3, Value::Raw(I64, [vec![0xff; 10], vec![0x01]].concat()))),
    ("a 32-bit number of 64 bits", Refused, |f| f.meta(KIND).set(4, Value::I32(HUGE))),
    // Row groups.
    ("no row groups", Refused, |f| f.groups().clear()),
    ("a row group twice", Refused, |f| repeat_group(f, 2)),
    ("a row group 3000 times", Refused, |f| repeat_group(f, 3_000)),
    ("40,000 row groups without columns", Refused, |f| {
        let group = Value::Struct(vec![(1, Value::List(STRUCT, vec![])), (2, Value::I64(0)), (3, Value::I64(0))]);
        *f.groups() = vec![group; 40_000];
    }),
    ("2^31-1 row groups claimed", Refused, |f| f.footer.set(4, claimed_list(STRUCT, MAX_I32 as u64, &[0]))),
    ("2^63 row groups claimed", Refused, |f| f.footer.set(4, claimed_list(STRUCT, 1 << 63, &[0]))),
    ("row groups that are numbers", Refused, |f| f.footer.set(4, Value::List(I32, vec![Value::I32(1); 3]))),
    ("a row group of 2^62 bytes", Refused, |f| f.group().set(2, Value::I64(HUGE))),
    ("a row group of -1 bytes", Refused, |f| f.group().set(6, Value::I64(-1))),
    ("a row group that begins at -1", Refused, |f| f.group().set(5, Value::I64(-1))),
    ("a row group of another number", Refused, |f| f.group().set(7, Value::I16(9))),
    ("sorted by column 2^31-1", Refused, |f| {
        f.group().set(4, Value::List(STRUCT, vec![Value::Struct(vec![
            (1, Value::I32(MAX_I32)), (2, Value::Bool(false)), (3, Value::Bool(false)),
        ])]));
    }),
    ("sorted by 2^31-1 columns", Refused, |f| f.group().set(4, claimed_list(STRUCT, MAX_I32 as u64, &[0]))),
    ("a column missing from a row group", Refused, |f| drop(f.group().at(1).items().pop())),
    ("a column too many in a row group", Refused, |f| {
        let column = f.chunk(ID).clone();
        f.group().at(1).items().push(column);
    }),
    ("2^31-1 columns claimed in a row group", Refused, |f| f.group().set(1, claimed_list(STRUCT, MAX_I32 as u64, &[0]))),
    // The schema.
    ("100,000 columns", Refused, |f| {
        let mut elements = vec![group_element("schema", 100_000)];
        elements.extend((0..100_000).map(|index| leaf_element(&format!("c{index}"))));
        set_schema(f, elements);
    }),
    ("100,000 columns and no rows", Refused, |f| {
        let mut elements = vec![group_element("schema", 100_000)];
        elements.extend((0..100_000).map(|index| leaf_element(&format!("c{index}"))));
        set_schema(f, elements);
        without_rows(f);
    }),
    ("2^31-1 elements claimed", Refused, |f| f.footer.set(2, claimed_list(STRUCT, MAX_I32 as u64, &[0]))),
    ("a schema 10,000 levels deep", Refused, |f| nested_schema(f, 10_000)),
    ("a schema 10,000 levels deep and no rows", Refused, |f| { nested_schema(f, 10_000); without_rows(f); }),
    ("a schema 1,000,000 levels deep", Refused, |f| nested_schema(f, 1_000_000)),
    ("a group among the columns", Refused, |f| nested_schema(f, 2)),
    ("2^31-1 children of the root", Refused, |f| f.schema()[0].set(5, Value::I32(MAX_I32))),
    ("-1 children of the root", Refused, |f| f.schema()[0].set(5, Value::I32(-1))),
    ("no children of the root", Refused, |f| f.schema()[0].set(5, Value::I32(0))),
    ("a child too few", Refused, |f| f.schema()[0].set(5, Value::I32(3))),
    ("a child too many", Refused, |f| f.schema()[0].set(5, Value::I32(5))),
    ("children of a column", Refused, |f| f.schema()[2].set(5, Value::I32(2))),
    ("no schema", Refused, |f| f.footer.remove(2)),
    ("an empty schema", Refused, |f| f.schema().clear()),
    ("two columns of one name", Refused, |f| f.schema()[3].set(4, text("kind"))),
    ("a column with a name of 4 MB", Refused, |f| f.schema()[3].set(4, text(&"w".repeat(4_000_000)))),
    ("a column without a name", Refused, |f| f.schema()[3].remove(4)),
    ("a column's name that claims 2^62 bytes", Refused, |f| f.schema()[3].set(4, lying_text(1 << 62))),
    ("a repeated column", Refused, |f| f.schema()[2].set(3, Value::I32(2))),
    ("a required column", Refused, |f| f.schema()[2].set(3, Value::I32(0))),
    ("a column of 2^31-1 bytes each", Refused, |f| {
        f.schema()[2].set(1, Value::I32(7));
        f.schema()[2].set(2, Value::I32(MAX_I32));
    }),
    ("a column of type 99", Refused, |f| f.schema()[2].set(1, Value::I32(99))),
    ("a column of type INT96", Refused, |f| { f.schema()[3].set(1, Value::I32(3)); f.meta(WEIGHT).set(1, Value::I32(3)); }),
    ("a decimal with 2^31-1 digits", Refused, |f| {
        f.schema()[1].set(6, Value::I32(5));
        f.schema()[1].set(8, Value::I32(MAX_I32));
    }),
    ("a logical type that is none", Refused, |f| f.schema()[2].set(10, Value::Struct(vec![(99, Value::Struct(vec![]))]))),
    ("a text column that is called a blob", Refused, |f| { f.schema()[2].remove(6); f.schema()[2].remove(10); }),
    ("2^31-1 column orders", Refused, |f| f.footer.set(7, claimed_list(STRUCT, MAX_I32 as u64, &[0]))),
    ("no column orders", Refused, |f| f.footer.remove(7)),
    // Column chunks.
    ("a column in another file", Refused, |f| f.chunk(KIND).set(1, text("/etc/passwd"))),
    ("a column of another type than its schema", Refused, |f| f.meta(KIND).set(1, Value::I32(2))),
    ("a column that names another", Refused, |f| f.meta(KIND).set(3, Value::List(BINARY, vec![text("weight")]))),
    ("a column with a path of 2^31-1 names", Refused, |f| f.meta(KIND).set(3, claimed_list(BINARY, MAX_I32 as u64, &[0]))),
    ("a column beyond the file", Refused, |f| f.meta(KIND).set(9, Value::I64(1 << 40))),
    ("a column at -1", Refused, |f| f.meta(KIND).set(9, Value::I64(-1))),
    ("a column at 2^63-1", Refused, |f| f.meta(KIND).set(9, Value::I64(i64::MAX))),
    ("a dictionary at -1", Refused, |f| f.meta(KIND).set(11, Value::I64(-1))),
    ("a dictionary at 2^63-1", Refused, |f| f.meta(KIND).set(11, Value::I64(i64::MAX))),
    ("a dictionary behind the values", Refused, |f| {
        let start = f.meta(KIND).at(9).number();
        f.meta(KIND).set(11, Value::I64(start + 1));
    }),
    ("a column of 2^63-1 bytes", Refused, |f| f.meta(KIND).set(7, Value::I64(i64::MAX))),
    ("a column of -1 bytes", Refused, |f| f.meta(KIND).set(7, Value::I64(-1))),
    ("a column of no bytes", Refused, |f| f.meta(KIND).set(7, Value::I64(0))),
    ("a column whose end is no number", Refused, |f| {
        f.meta(KIND).set(9, Value::I64(i64::MAX - 8));
        f.meta(KIND).set(11, Value::I64(i64::MAX - 8));
        f.meta(KIND).set(7, Value::I64(1 << 40));
    }),
    ("a column of 2^63-1 bytes uncompressed", Refused, |f| f.meta(KIND).set(6, Value::I64(i64::MAX))),
    ("a column of 2^33 bytes uncompressed", Refused, |f| f.meta(KIND).set(6, Value::I64(1 << 33))),
    ("a column of -1 bytes uncompressed", Refused, |f| f.meta(KIND).set(6, Value::I64(-1))),
    ("two columns at one place", Refused, |f| {
        let first = f.meta(ID).at(9).number();
        f.meta(WEIGHT).set(9, Value::I64(first));
        f.meta(WEIGHT).remove(11);
    }),
    ("columns in another order", Refused, |f| f.group().at(1).items().swap(0, 2)),
    ("a column that begins in the tag", Refused, |f| f.meta(ID).set(9, Value::I64(4))),
    ("a column in Snappy", Refused, |f| f.meta(KIND).set(4, Value::I32(1))),
    ("a column in gzip", Refused, |f| f.meta(KIND).set(4, Value::I32(2))),
    ("a column in LZ4", Refused, |f| f.meta(KIND).set(4, Value::I32(7))),
    ("a column that claims to be uncompressed", Refused, |f| f.meta(KIND).set(4, Value::I32(0))),
    ("a column in codec 99", Refused, |f| f.meta(KIND).set(4, Value::I32(99))),
    ("a column in codec -1", Refused, |f| f.meta(KIND).set(4, Value::I32(-1))),
    ("a column in encoding 99", Refused, |f| f.meta(KIND).at(2).items().push(Value::I32(99))),
    ("2^31-1 encodings", Refused, |f| f.meta(KIND).set(2, claimed_list(I32, MAX_I32 as u64, &[0]))),
    ("a column with its metadata missing", Refused, |f| f.chunk(KIND).remove(3)),
    ("an index page", Refused, |f| f.meta(KIND).set(10, Value::I64(4))),
    ("a bloom filter at 2^63-1", Refused, |f| f.meta(KIND).set(14, Value::I64(i64::MAX))),
    ("2^31-1 page encodings", Refused, |f| f.meta(KIND).set(13, claimed_list(STRUCT, MAX_I32 as u64, &[0]))),
    ("a histogram of 2^31-1 levels", Refused, |f| {
        f.meta(KIND).set(16, Value::Struct(vec![(3, claimed_list(I64, MAX_I32 as u64, &[0]))]));
    }),
    ("2^62 bytes of text claimed", Untrue, |f| f.meta(KIND).set(16, Value::Struct(vec![(1, Value::I64(HUGE))]))),
    ("-1 bytes of text claimed", Refused, |f| f.meta(KIND).set(16, Value::Struct(vec![(1, Value::I64(-1))]))),
    // Statistics.
    ("a minimum above the maximum", Untrue, |f| f.meta(KIND).at(12).set(6, text("zzz"))),
    ("another number of NULLs", Untrue, |f| f.meta(KIND).at(12).set(3, Value::I64(1))),
    ("more NULLs than rows", Refused, |f| f.meta(KIND).at(12).set(3, Value::I64(HUGE))),
    ("-1 NULLs", Refused, |f| f.meta(KIND).at(12).set(3, Value::I64(-1))),
    ("a real's minimum of one byte", Refused, |f| f.meta(WEIGHT).at(12).set(6, text("x"))),
    ("a real's minimum of no bytes", Refused, |f| f.meta(WEIGHT).at(12).set(6, text(""))),
    ("a minimum that claims 2^62 bytes", Refused, |f| f.meta(KIND).at(12).set(6, lying_text(1 << 62))),
    ("a minimum of 4 MB", Untrue, |f| f.meta(KIND).at(12).set(6, text(&"a".repeat(4_000_000)))),
    // The page index.
    ("a page index beyond the file", Refused, |f| f.chunk(KIND).set(4, Value::I64(1 << 40))),
    ("a page index at -1", Refused, |f| f.chunk(KIND).set(4, Value::I64(-1))),
    ("a page index whose end is no number", Refused, |f| f.chunk(KIND).set(4, Value::I64(i64::MAX))),
    ("a page index of -1 bytes", Refused, |f| f.chunk(KIND).set(5, Value::I32(-1))),
    ("a page index of 2^31-1 bytes", Refused, |f| f.chunk(KIND).set(5, Value::I32(MAX_I32))),
    ("a page index among the pages", Refused, |f| f.chunk(KIND).set(4, Value::I64(12))),
    ("a page index that takes the seal in", Refused, |f| {
        let columns = f.groups().iter_mut().flat_map(|group| group.at(1).items());
        let last = columns.map(|column| (column.at(4).number(), column)).max_by_key(|(place, _)| *place);
        let size = last.expect("a column").1.at(5);
        *size = Value::I32(size.number() + 40);
    }),
    ("a page index of another column", Untrue, |f| {
        let place = f.chunk(ID).at(6).number();
        f.chunk(KIND).set(6, Value::I64(place));
    }),
    // Key-value metadata, the writer, encryption.
    ("200,000 keys", Refused, |f| {
        f.footer.at(5).items().extend((0..200_000).map(|index| key_value(&format!("k{index}"), "v")));
    }),
    ("2^31-1 keys claimed", Refused, |f| f.footer.set(5, claimed_list(STRUCT, MAX_I32 as u64, &[0]))),
    ("a key twice", Refused, |f| {
        let pair = f.footer.at(5).items()[0].clone();
        f.footer.at(5).items().push(pair);
    }),
    ("a value that claims 2^62 bytes", Refused, |f| f.footer.at(5).items()[0].set(2, lying_text(1 << 62))),
    ("a value that is no text", Refused, |f| f.footer.at(5).items()[0].set(2, Value::Binary(vec![0xff; 40]))),
    ("no keys", Refused, |f| f.footer.remove(5)),
    ("another writer", Refused, |f| f.footer.set(6, text("parquet-mr version 1.13"))),
    ("no writer", Refused, |f| f.footer.remove(6)),
    ("a writer of 4 MB", Refused, |f| f.footer.set(6, text(&"w".repeat(4_000_000)))),
    ("version 2^31-1", Refused, |f| f.footer.set(1, Value::I32(MAX_I32))),
    ("an encrypted footer", Refused, |f| f.footer.set(8, Value::Struct(vec![(1, Value::Struct(vec![]))]))),
    ("an encrypted column", Refused, |f| f.chunk(KIND).set(8, Value::Struct(vec![(1, Value::Struct(vec![]))]))),
    ("a column's encrypted metadata", Refused, |f| f.chunk(KIND).set(9, Value::Binary(vec![0; 100]))),
    // Thrift itself.
    ("a field twice", Refused, |f| push(&mut f.footer, 3, Value::I64(1))),
    ("a column's field twice", Refused, |f| push(f.meta(KIND), 5, Value::I64(1))),
    ("a field of number -1", Refused, |f| push(&mut f.footer, -1, Value::I64(1))),
    ("a field of number 32,767", Refused, |f| push(&mut f.footer, i16::MAX, Value::I64(1))),
    ("a field of type 15", Refused, |f| push(&mut f.footer, 20, Value::Raw(15, vec![0; 9]))),
    ("rows that are a text", Refused, |f| f.footer.set(3, text("300"))),
    ("structures 100,000 deep", Refused, |f| f.footer.set(20, Value::Raw(STRUCT, nested_bytes(100_000, STRUCT)))),
    ("lists 100,000 deep", Refused, |f| f.footer.set(20, Value::Raw(LIST, nested_bytes(100_000, LIST)))),
    ("a map of 2^62 entries", Refused, |f| {
        let mut bytes = Vec::new();
        varint(1 << 62, &mut bytes);
        bytes.push(0x55);
        f.footer.set(20, Value::Raw(11, bytes));
    }),
    ("a list of 2^31-1 booleans", Refused, |f| f.footer.set(20, claimed_list(1, MAX_I32 as u64, &[0]))),
    ("bytes after the footer", Refused, |f| f.after_footer = vec![0; 16]),
    ("another footer after the footer", Refused, |f| f.after_footer = f.footer.bytes()),
];
