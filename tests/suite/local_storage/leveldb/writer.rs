//! A writer of LevelDB files, made for tests from the format's description; shares nothing with the reader.

use std::fs;
use std::path::Path;

use crate::corpus::bodies::masked_crc::masked_crc;

/// How a block of a table is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Plain,
    Snappy,
    Zstd,
}

/// One change, by key and value; without a value it deletes.
pub(crate) type Change<'a> = (&'a [u8], Option<&'a [u8]>);

#[expect(clippy::cast_possible_truncation, reason = "seven bits at a time")]
pub(crate) fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push((number & 0x7F) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

pub(crate) fn prefixed(bytes: &[u8]) -> Vec<u8> {
    [varint(bytes.len() as u64), bytes.to_vec()].concat()
}

fn length_of<T>(items: &[T]) -> u32 {
    u32::try_from(items.len()).expect("made here, and small")
}

/// Records as a log has them.
pub(crate) fn log(records: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for record in records {
        append_record(&mut file, record);
    }
    file
}

/// Appends one record, in as many fragments as the blocks ask for.
pub(crate) fn append_record(file: &mut Vec<u8>, record: &[u8]) {
    let mut rest = record;
    let mut is_first = true;
    loop {
        let left = 32_768 - file.len() % 32_768;
        if left < 7 {
            file.extend(vec![0; left]);
            continue;
        }
        let (fragment, after) = rest.split_at(rest.len().min(left - 7));
        let kind = match (is_first, after.is_empty()) {
            (true, true) => 1,
            (true, false) => 2,
            (false, false) => 3,
            (false, true) => 4,
        };
        file.extend(masked_crc(&[&[kind], fragment].concat()).to_le_bytes());
        file.extend(u16::try_from(fragment.len()).expect("a fragment fits a block").to_le_bytes());
        file.push(kind);
        file.extend(fragment);
        rest = after;
        is_first = false;
        if rest.is_empty() {
            return;
        }
    }
}

/// The payload of a log's record.
pub(crate) fn batch(sequence: u64, changes: &[Change<'_>]) -> Vec<u8> {
    let mut bytes = sequence.to_le_bytes().to_vec();
    bytes.extend(length_of(changes).to_le_bytes());
    for (key, value) in changes {
        bytes.push(u8::from(value.is_some()));
        bytes.extend(prefixed(key));
        bytes.extend(value.map(prefixed).unwrap_or_default());
    }
    bytes
}

/// A key as tables have it.
pub(crate) fn internal_key(key: &[u8], sequence: u64, is_value: bool) -> Vec<u8> {
    [key, &(sequence << 8 | u64::from(is_value)).to_le_bytes()].concat()
}

/// An entry of a table: key, number, value.
pub(crate) type Entry<'a> = (&'a [u8], u64, Option<&'a [u8]>);

/// A table being written; see [`table`].
pub(crate) struct Table {
    pub(crate) bytes: Vec<u8>,
    pub(crate) smallest: Vec<u8>,
    pub(crate) largest: Vec<u8>,
    /// Where each data block begins.
    pub(crate) blocks: Vec<usize>,
}

/// A table of `entries` in any order, `per_block` of them in a block, with `packings` in turn.
pub(crate) fn table(entries: &[Entry<'_>], per_block: usize, packings: &[Packing]) -> Table {
    let mut sorted = entries.to_vec();
    sorted.sort_by(|a, b| a.0.cmp(b.0).then(b.1.cmp(&a.1)));
    let keyed: Vec<(Vec<u8>, Vec<u8>)> = sorted
        .iter()
        .map(|(key, sequence, value)| {
            (internal_key(key, *sequence, value.is_some()), value.unwrap_or_default().to_vec())
        })
        .collect();
    let mut file = Vec::new();
    let mut index = Vec::new();
    let mut blocks = Vec::new();
    for (chunk, packing) in keyed.chunks(per_block).zip(packings.iter().cycle()) {
        blocks.push(file.len());
        let handle = append_block(&mut file, &block(chunk), *packing);
        index.push((chunk.last().expect("not empty").0.clone(), handle));
    }
    let filter = append_block(&mut file, b"not a filter, but checked all the same", Packing::Plain);
    let meta = append_block(&mut file, &block(&[(b"filter.test".to_vec(), filter)]), Packing::Plain);
    let index = append_block(&mut file, &block(&index), Packing::Snappy);
    let mut footer = [meta, index].concat();
    footer.resize(40, 0);
    footer.extend([0x57, 0xFB, 0x80, 0x8B, 0x24, 0x75, 0x47, 0xDB]);
    file.extend(footer);
    let (smallest, largest) = (keyed[0].0.clone(), keyed.last().expect("not empty").0.clone());
    Table { bytes: file, smallest, largest, blocks }
}

/// The bytes of a block, with a restart at every fourth entry.
pub(crate) fn block(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut restarts = Vec::new();
    let mut last: &[u8] = &[];
    for (ordinal, (key, value)) in entries.iter().enumerate() {
        let shared = if ordinal % 4 == 0 {
            restarts.push(length_of(&bytes));
            0
        } else {
            key.iter().zip(last).take_while(|(a, b)| a == b).count()
        };
        for number in [shared, key.len() - shared, value.len()] {
            bytes.extend(varint(number as u64));
        }
        bytes.extend(&key[shared..]);
        bytes.extend(value);
        last = key;
    }
    if restarts.is_empty() {
        restarts.push(0);
    }
    for restart in &restarts {
        bytes.extend(restart.to_le_bytes());
    }
    bytes.extend(length_of(&restarts).to_le_bytes());
    bytes
}

/// Appends a block with its trailer; answers with its handle.
pub(crate) fn append_block(file: &mut Vec<u8>, bytes: &[u8], packing: Packing) -> Vec<u8> {
    let (mut packed, kind) = match packing {
        Packing::Plain => (bytes.to_vec(), 0),
        Packing::Snappy => (snap::raw::Encoder::new().compress_vec(bytes).expect("packing"), 1),
        Packing::Zstd => (zstd::bulk::compress(bytes, 1).expect("packing"), 2),
    };
    let handle = [varint(file.len() as u64), varint(packed.len() as u64)].concat();
    packed.push(kind);
    file.extend(&packed);
    file.extend(masked_crc(&packed).to_le_bytes());
    handle
}

/// A manifest's first edit, in parts.
#[derive(Default)]
pub(crate) struct Manifest(Vec<u8>);

impl Manifest {
    pub(crate) fn new(log_number: u64, next_file_number: u64) -> Self {
        Self::of("leveldb.BytewiseComparator", log_number, next_file_number)
    }

    pub(crate) fn of(comparator: &str, log_number: u64, next_file_number: u64) -> Self {
        let mut edit = [vec![1], prefixed(comparator.as_bytes())].concat();
        for (tag, number) in [(2, log_number), (3, next_file_number), (4, 0)] {
            edit.push(tag);
            edit.extend(varint(number));
        }
        Self(edit)
    }

    pub(crate) fn previous_log(mut self, number: u64) -> Self {
        self.0.push(9);
        self.0.extend(varint(number));
        self
    }

    pub(crate) fn table(mut self, level: u64, number: u64, table: &Table) -> Self {
        self.0.push(7);
        for part in [varint(level), varint(number), varint(table.bytes.len() as u64)] {
            self.0.extend(part);
        }
        self.0.extend(prefixed(&table.smallest));
        self.0.extend(prefixed(&table.largest));
        self
    }

    pub(crate) fn deleted(mut self, level: u64, number: u64) -> Self {
        self.0.push(6);
        self.0.extend([varint(level), varint(number)].concat());
        self
    }

    /// One more edit, which must be written behind this one.
    pub(crate) fn edit(self) -> Vec<u8> {
        self.0
    }

    /// Writes `MANIFEST-000001` and `CURRENT` into the folder.
    pub(crate) fn write(self, folder: &Path) {
        fs::write(folder.join("MANIFEST-000001"), log(&[self.0])).expect("writing");
        fs::write(folder.join("CURRENT"), "MANIFEST-000001\n").expect("writing");
    }
}

/// The key of an item's record; `key` goes in as ISO 8859-1.
pub(crate) fn item_key(storage_key: &str, key: &str) -> Vec<u8> {
    [b"_", storage_key.as_bytes(), b"\0", &latin1(key)[..]].concat()
}

pub(crate) fn latin1(text: &str) -> Vec<u8> {
    let mut bytes = vec![1];
    bytes.extend(text.chars().map(|char| u8::try_from(u32::from(char)).expect("in range")));
    bytes
}

pub(crate) fn utf16(units: &[u16]) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
    bytes
}
