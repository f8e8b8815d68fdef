//! Digests: the one place that defines the canonical encoding of rows and of the schema.
//!
//! The content digest finds accidents, not forgers. It is a row count and a sum modulo 2^128 of one
//! XXH3-128 per row, so it depends on no order, row group, file, thread, compression or version, and a live
//! database, a snapshot and a restored database can each be scanned in whatever order is cheapest.
//! Never compute a digest of rows anywhere else.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use xxhash_rust::xxh3::{Xxh3, xxh3_64, xxh3_128};

use crate::schema::{Cell, DatabaseHeader, SchemaObject};
use crate::varint::{push_varint, take_varint};

const TAG_NULL: u8 = 0;
/// An integer's tag is the number of its bytes: from 1 to this.
const MOST_INTEGER_BYTES: u8 = 8;
const TAG_REAL: u8 = 9;
const TAG_TEXT: u8 = 10;
const TAG_BLOB: u8 = 11;
const TAG_RAW_TEXT: u8 = 12;

/// What a rowid takes at the beginning of a row's encoding.
const ROWID_BYTES: usize = 8;

/// The content digest of a set of rows: how many, and the sum of their hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ContentDigest {
    /// How many rows.
    pub row_count: u64,
    /// The sum modulo 2^128 of one XXH3-128 per row.
    pub sum: u128,
}

impl ContentDigest {
    /// Adds the rows of another digest.
    ///
    /// A count beyond all numbers, which only a made-up digest has, stays at the largest.
    pub fn add(&mut self, other: Self) {
        self.row_count = self.row_count.saturating_add(other.row_count);
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

/// `<rows>-<32 hex digits>`.
impl fmt::Display for ContentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:032x}", self.row_count, self.sum)
    }
}

impl std::str::FromStr for ContentDigest {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const BAD: &str = "a content digest is written <rows>-<32 hex digits>";
        let (rows, sum) = text.split_once('-').ok_or(BAD)?;
        if sum.len() != 32 || !sum.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(BAD);
        }
        Ok(Self {
            row_count: rows.parse().map_err(|_| BAD)?,
            sum: u128::from_str_radix(sum, 16).map_err(|_| BAD)?,
        })
    }
}

impl Serialize for ContentDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ContentDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Encodes rows canonically and adds up their hashes. Small rows are hashed whole, in a buffer that is reused; of a large
/// row no copy is made.
///
/// Canonical encoding of a row: the rowid as 8 bytes little-endian if the table has one; then each stored
/// column in declaration order (the rowid alias once, as INTEGER): a tag, then as few bytes as hold an integer in two's
/// complement, little-endian, which the tag counts; 8 bytes of a real; or a length (see `varint`) and the bytes of text and
/// blobs. There is one encoding of a row only. It is short because rows that are sorted lie in it on disk.
#[derive(Default)]
pub struct RowHasher {
    /// The row so far, or what of it has not been hashed.
    buffer: Vec<u8>,
    /// The hash of the beginning of a large row, and how many bytes that was.
    begun: Option<(Box<Xxh3>, usize)>,
    /// Whether the whole row is kept, however large.
    keeps_rows: bool,
    digest: ContentDigest,
    last_hash: u128,
}

impl fmt::Debug for RowHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowHasher").field("digest", &self.digest).finish_non_exhaustive()
    }
}

/// Rows up to this size in bytes are gathered before they are hashed, which is faster.
const GATHERED_BYTES: usize = 64 * 1024;

impl RowHasher {
    /// A hasher that can be asked for [`Self::last_row`], and so keeps a copy even of a large row.
    #[must_use]
    pub fn keeping_rows() -> Self {
        Self { keeps_rows: true, ..Self::default() }
    }

    /// Adds one whole row; returns the size of its canonical encoding in bytes.
    pub fn add_row(&mut self, rowid: Option<i64>, cells: &[Cell<'_>]) -> usize {
        self.begin_row(rowid);
        for &cell in cells {
            self.add_cell(cell);
        }
        self.end_row()
    }

    /// Begins a row; `rowid` is `None` for a WITHOUT ROWID table.
    pub fn begin_row(&mut self, rowid: Option<i64>) {
        self.buffer.clear();
        self.begun = None;
        if let Some(rowid) = rowid {
            self.buffer.extend_from_slice(&rowid.to_le_bytes());
        }
    }

    /// Adds the next cell of the row.
    pub fn add_cell(&mut self, cell: Cell<'_>) {
        match cell {
            Cell::Null => self.buffer.push(TAG_NULL),
            Cell::Integer(value) => self.add_integer(value),
            Cell::Real(value) => {
                self.buffer.push(TAG_REAL);
                self.buffer.extend_from_slice(&value.to_bits().to_le_bytes());
            }
            Cell::Text(text) => self.add_bytes(TAG_TEXT, text.as_bytes()),
            Cell::Blob(bytes) => self.add_bytes(TAG_BLOB, bytes),
            Cell::RawText(bytes) => self.add_bytes(TAG_RAW_TEXT, bytes),
        }
    }

    /// Ends the row; returns the size of its canonical encoding in bytes.
    pub fn end_row(&mut self) -> usize {
        let (hash, size) = match self.begun.take() {
            None => (xxh3_128(&self.buffer), self.buffer.len()),
            Some((mut begun, hashed_bytes)) => {
                begun.update(&self.buffer);
                (begun.digest128(), hashed_bytes + self.buffer.len())
            }
        };
        self.digest.row_count += 1;
        self.digest.sum = self.digest.sum.wrapping_add(hash);
        self.last_hash = hash;
        size
    }

    /// The hash of the row that was added last.
    #[must_use]
    pub fn last_hash(&self) -> u128 {
        self.last_hash
    }

    /// Adds a row whose canonical encoding is known already.
    pub fn add_encoded(&mut self, encoded: &[u8]) {
        self.last_hash = xxh3_128(encoded);
        self.digest.row_count += 1;
        self.digest.sum = self.digest.sum.wrapping_add(self.last_hash);
    }

    /// The canonical encoding of the row that ended last; only of a hasher made by [`Self::keeping_rows`] is it whole.
    #[must_use]
    pub fn last_row(&self) -> &[u8] {
        &self.buffer
    }

    /// Gives back the memory of the row that ended last, which [`Self::last_row`] no longer returns.
    pub fn forget_row(&mut self) {
        self.buffer = Vec::new();
    }

    /// The digest of all rows since the last call, which starts anew.
    pub fn take(&mut self) -> ContentDigest {
        std::mem::take(&mut self.digest)
    }

    fn add_integer(&mut self, value: i64) {
        let tag = integer_bytes(value);
        self.buffer.push(tag);
        // All 8 bytes and then fewer: a copy of a fixed size is faster.
        self.buffer.extend_from_slice(&value.to_le_bytes());
        self.buffer.truncate(self.buffer.len() - usize::from(MOST_INTEGER_BYTES - tag));
    }

    fn add_bytes(&mut self, tag: u8, bytes: &[u8]) {
        self.buffer.push(tag);
        push_varint(bytes.len() as u64, &mut self.buffer);
        if self.keeps_rows || self.buffer.len().saturating_add(bytes.len()) <= GATHERED_BYTES {
            if bytes.len() > GATHERED_BYTES {
                // Not twice as much, as a buffer that grows by itself.
                self.buffer.reserve_exact(bytes.len());
            }
            self.buffer.extend_from_slice(bytes);
            return;
        }
        let (begun, hashed_bytes) = self.begun.get_or_insert_with(|| (Box::default(), 0));
        begun.update(&self.buffer);
        begun.update(bytes);
        *hashed_bytes += self.buffer.len() + bytes.len();
        self.buffer.clear();
    }
}

/// How many bytes hold an integer in two's complement.
fn integer_bytes(value: i64) -> u8 {
    // Without the sign's own bits; what is left has one more of them.
    let bits = 64 - (value ^ (value >> 63)).leading_zeros();
    (bits / 8).to_le_bytes()[0] + 1
}

/// Reads a canonical encoding back, the other way round than [`RowHasher`] writes it: the rowid if the table has one, and
/// the cells, which borrow from `encoded`. `None` where it does not end with a cell, or has a cell of no class.
#[must_use]
pub fn read_encoded_row(encoded: &[u8], has_rowid: bool) -> Option<(Option<i64>, Vec<Cell<'_>>)> {
    let mut cells = Vec::new();
    let rowid = read_encoded_cells(encoded, has_rowid, &mut cells)?;
    Some((rowid, cells))
}

/// As [`read_encoded_row`], with the cells in place of those that `cells` held.
#[must_use]
pub fn read_encoded_cells<'r>(
    encoded: &'r [u8],
    has_rowid: bool,
    cells: &mut Vec<Cell<'r>>,
) -> Option<Option<i64>> {
    cells.clear();
    let mut rest = encoded;
    let rowid = if has_rowid { Some(i64::from_le_bytes(take_8(&mut rest)?)) } else { None };
    while let Some((&tag, after)) = rest.split_first() {
        rest = after;
        cells.push(match tag {
            TAG_NULL => Cell::Null,
            1..=MOST_INTEGER_BYTES => Cell::Integer(take_integer(&mut rest, tag)?),
            TAG_REAL => Cell::Real(f64::from_bits(u64::from_le_bytes(take_8(&mut rest)?))),
            TAG_TEXT => Cell::Text(std::str::from_utf8(take_bytes(&mut rest)?).ok()?),
            TAG_BLOB => Cell::Blob(take_bytes(&mut rest)?),
            TAG_RAW_TEXT => Cell::RawText(take_bytes(&mut rest)?),
            _ => return None,
        });
    }
    Some(rowid)
}

/// The encoding of a row without the rowid that it begins with.
#[must_use]
pub fn without_rowid(encoded: &[u8]) -> &[u8] {
    encoded.get(ROWID_BYTES..).unwrap_or_default()
}

fn take_8(rest: &mut &[u8]) -> Option<[u8; 8]> {
    let (taken, left) = rest.split_first_chunk()?;
    *rest = left;
    Some(*taken)
}

/// An integer of `count` bytes, which are from 1 to 8.
fn take_integer(rest: &mut &[u8], count: u8) -> Option<i64> {
    let (taken, left) = rest.split_at_checked(usize::from(count))?;
    let all = match rest.first_chunk() {
        // With what follows, for speed; it is shifted out.
        Some(all) => i64::from_le_bytes(*all),
        None => taken.iter().rev().fold(0, |all, &byte| all << 8 | i64::from(byte)),
    };
    *rest = left;
    let shift = 64 - 8 * u32::from(count);
    Some(all << shift >> shift)
}

/// A length, and so many bytes.
fn take_bytes<'r>(rest: &mut &'r [u8]) -> Option<&'r [u8]> {
    let length = take_varint(rest)?;
    let (taken, left) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = left;
    Some(taken)
}

/// A SHA-256, written as 64 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sha256Digest(pub [u8; 32]);

impl Sha256Digest {
    /// The SHA-256 of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::str::FromStr for Sha256Digest {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const BAD: &str = "a SHA-256 is written as 64 lower-case hex digits";
        let digits = text.as_bytes();
        if digits.len() != 64 || !digits.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(BAD);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| BAD)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| BAD)?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Sha256Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sha256Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A SHA-256 over pieces.
#[derive(Clone, Default)]
pub struct Sha256Hasher(Sha256);

impl Sha256Hasher {
    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes added.
    #[must_use]
    pub fn finish(self) -> Sha256Digest {
        Sha256Digest(self.0.finalize().into())
    }
}

/// The XXH3-64 of a column chunk's bytes in its file, as 16 hex digits.
#[must_use]
pub fn chunk_hash(bytes: &[u8]) -> String {
    format!("{:016x}", xxh3_64(bytes))
}

/// The hash of a column chunk over pieces: equal to [`chunk_hash`] of all of them together.
#[derive(Clone, Default)]
pub struct ChunkHasher(Xxh3);

impl ChunkHasher {
    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all bytes added, as 16 hex digits.
    #[must_use]
    pub fn finish(self) -> String {
        format!("{:016x}", self.0.digest())
    }
}

/// The schema digest: SHA-256 over the header pragmas and every schema object in order.
///
/// Canonical form, each piece behind its u64 little-endian length: first one line of `user_version`,
/// `application_id`, encoding, `page_size`, auto-vacuum, journal mode and `default_cache_size` (empty if never set),
/// parted by single spaces and spelled as in the manifest; then per object, in order, its type, name, table name, one byte 1 or 0 for having storage,
/// and its SQL (a single NUL byte where it has none).
#[must_use]
pub fn schema_digest(header: &DatabaseHeader, objects: &[SchemaObject]) -> Sha256Digest {
    let mut hasher = Sha256Hasher::default();
    let mut add = |piece: &[u8]| {
        hasher.update(&(piece.len() as u64).to_le_bytes());
        hasher.update(piece);
    };
    let header = format!(
        "{} {} {} {} {} {} {}",
        header.user_version,
        header.application_id,
        header.encoding.name(),
        header.page_size,
        header.auto_vacuum.name(),
        header.journal_mode.name(),
        header.default_cache_size.map(|pages| pages.to_string()).unwrap_or_default()
    );
    add(header.as_bytes());
    for object in objects {
        add(object.kind.name().as_bytes());
        add(object.name.as_bytes());
        add(object.table_name.as_bytes());
        add(&[u8::from(object.has_storage)]);
        match &object.sql {
            Some(sql) => add(sql.as_bytes()),
            None => add(b"\0"),
        }
    }
    hasher.finish()
}

/// The digest of a schema's content: SHA-256 over every schema object whatever their order, so that `VACUUM INTO`, which
/// sorts them anew, does not change it.
///
/// Canonical form, each piece behind its u64 little-endian length: per object, sorted by type and name as bytes, its type,
/// name, table name and SQL (a single NUL byte where it has none).
#[must_use]
pub fn schema_content_digest(objects: &[SchemaObject]) -> Sha256Digest {
    let mut sorted: Vec<&SchemaObject> = objects.iter().collect();
    sorted.sort_by_key(|object| (object.kind.name(), object.name.as_bytes()));
    let mut hasher = Sha256Hasher::default();
    for object in sorted {
        let sql = object.sql.as_ref().map_or(b"\0".as_slice(), |sql| sql.as_bytes());
        for piece in
            [object.kind.name().as_bytes(), object.name.as_bytes(), object.table_name.as_bytes(), sql]
        {
            hasher.update(&(piece.len() as u64).to_le_bytes());
            hasher.update(piece);
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest_of(rows: &[(Option<i64>, &[Cell<'_>])]) -> ContentDigest {
        let mut hasher = RowHasher::default();
        for (rowid, cells) in rows {
            hasher.begin_row(*rowid);
            cells.iter().for_each(|&cell| hasher.add_cell(cell));
            hasher.end_row();
        }
        hasher.take()
    }

    #[test]
    fn subtle_differences_change_the_digest() {
        let variants: Vec<Vec<Cell<'_>>> = vec![
            vec![Cell::Null],
            vec![Cell::Integer(1)],
            vec![Cell::Real(1.0)],
            vec![Cell::Text("1")],
            vec![Cell::Blob(b"1")],
            vec![Cell::RawText(b"1")],
            vec![Cell::Text("")],
            vec![Cell::Blob(b"")],
            vec![Cell::Text("1 ")],
            vec![Cell::Text("1\0")],
            vec![Cell::Real(0.0)],
            vec![Cell::Real(-0.0)],
            vec![Cell::Null, Cell::Null],
        ];
        let mut seen = std::collections::HashSet::new();
        for cells in &variants {
            for rowid in [None, Some(0), Some(1)] {
                assert!(seen.insert(digest_of(&[(rowid, cells)]).sum), "{rowid:?} {cells:?}");
            }
        }
    }

    #[test]
    fn the_digest_depends_on_rows_not_on_their_order() {
        let (a, b) = ([Cell::Integer(1)], [Cell::Text("x")]);
        assert_eq!(digest_of(&[(Some(1), &a), (Some(2), &b)]), digest_of(&[(Some(2), &b), (Some(1), &a)]));
        assert_ne!(digest_of(&[(Some(1), &a), (Some(2), &b)]), digest_of(&[(Some(2), &a), (Some(1), &b)]));
    }

    #[test]
    fn a_large_row_is_hashed_as_the_bytes_of_its_encoding() {
        let large = vec![b'x'; 100_000];
        for size in [GATHERED_BYTES - 30, GATHERED_BYTES - 25, GATHERED_BYTES, large.len()] {
            let bytes = &large[..size];
            let mut hasher = RowHasher::default();
            let cells =
                [Cell::Integer(7), Cell::Blob(bytes), Cell::Null, Cell::Blob(b"y"), Cell::Blob(bytes)];
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
        for never_written in
            [&[13_u8] as &[u8], &[TAG_TEXT], &[TAG_BLOB, 0x80], &[TAG_BLOB, 0xff, 0xff], &[2, 0]]
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
            let fits =
                |count: u32| count == 8 || (-1 << (8 * count - 1)..1 << (8 * count - 1)).contains(&value);
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

    #[test]
    fn the_content_of_a_schema_does_not_depend_on_its_order() {
        use crate::schema::ObjectKind::{Index, Table};
        let object = |rowid: i64, kind, name: &str, sql: Option<&str>| SchemaObject {
            rowid,
            kind,
            name: crate::schema::SqlText::Valid(name.into()),
            table_name: crate::schema::SqlText::Valid("t".into()),
            has_storage: true,
            sql: sql.map(|sql| crate::schema::SqlText::Valid(sql.into())),
        };
        let t = object(1, Table, "t", Some("CREATE TABLE t(a)"));
        let (i, moved) = (object(2, Index, "i", None), object(9, Index, "i", None));
        let digest = schema_content_digest(&[t.clone(), i.clone()]);
        assert_eq!(schema_content_digest(&[moved, t.clone()]), digest);
        for other in [vec![t.clone()], vec![t.clone(), object(2, Index, "i", Some(""))], vec![i.clone(), i]] {
            assert_ne!(schema_content_digest(&other), digest);
        }
        assert_ne!(schema_content_digest(&[object(1, Table, "t", Some("CREATE TABLE t(b)"))]), digest);
    }

    #[test]
    fn a_chunk_hash_does_not_depend_on_how_the_bytes_came() {
        let bytes: Vec<u8> = (0..5000_u32).flat_map(u32::to_le_bytes).collect();
        for size in [1, 7, 256, 4096, bytes.len()] {
            let mut hasher = ChunkHasher::default();
            bytes.chunks(size).for_each(|piece| hasher.update(piece));
            assert_eq!(hasher.finish(), chunk_hash(&bytes));
        }
        assert_eq!(ChunkHasher::default().finish(), chunk_hash(b""));
    }

    #[test]
    fn digests_survive_their_text_form() {
        let digest = digest_of(&[(Some(-5), &[Cell::Real(f64::INFINITY)])]);
        assert_eq!(digest.to_string().parse(), Ok(digest));
        let sha = Sha256Digest::of(b"abc");
        assert_eq!(sha.to_string().parse(), Ok(sha));
        assert!("1-ABC".parse::<ContentDigest>().is_err());
    }
}
