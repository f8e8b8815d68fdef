//! One row's place in the total order as bytes that compare with `memcmp`.
//!
//! Each term appends a part of its own; a part never is a prefix of another part of the same term, so the
//! parts of later terms cannot interfere. A descending term is the complement of its bytes.
//!
//! | part | bytes |
//! | --- | --- |
//! | rowid | 8, big-endian, sign bit flipped |
//! | NULL | tag 1 |
//! | number | tag 2; the nearest double, 8 bytes in order; what is missing to the exact value, 2 bytes |
//! | text, raw text, blob | tag 3, 4, 5; the bytes with 00 as 00 FF; the end 00 00 |
//!
//! Keys are compared and then forgotten: they are no part of the format and are never stored in a snapshot.

use std::cmp::Ordering;

use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Cell, OrderTerm, Table, TotalOrder};

const NULL: u8 = 1;
const NUMBER: u8 = 2;
const TEXT: u8 = 3;
const RAW_TEXT: u8 = 4;
const BLOB: u8 = 5;

/// How the rows of one table turn into keys.
#[derive(Debug, Clone)]
pub struct OrderKey {
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
struct Part {
    source: Source,
    descending: bool,
}

#[derive(Debug, Clone, Copy)]
enum Source {
    /// The rowid, also where the term names its alias.
    Rowid,
    /// The stored column at this position.
    Cell(usize),
}

impl OrderKey {
    /// Prepares the keys of `table` under `order`.
    ///
    /// Terms after the rowid are dropped: it has already decided.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] where a term names something the table does not store, or there is no term.
    pub fn new(order: &TotalOrder, table: &Table) -> Result<Self> {
        let mut parts = Vec::with_capacity(order.terms.len());
        for term in &order.terms {
            let source = source_of(term, table)?;
            parts.push(Part { source, descending: term.descending });
            if matches!(source, Source::Rowid) {
                break;
            }
        }
        if parts.is_empty() {
            return Err(Error::new(ErrorKind::Failed, "an order without terms").in_table(&table.name));
        }
        Ok(Self { parts })
    }

    /// Whether the order is that of rising rowids, in which a rowid table is read: then no key is needed.
    #[must_use]
    pub fn is_rowid_ascending(&self) -> bool {
        matches!(self.parts.as_slice(), [Part { source: Source::Rowid, descending: false }])
    }

    /// Appends the key of one row to `key`; `cells` are its stored columns in declaration order.
    ///
    /// Every row of a rowid table comes with its `rowid`, also where a column is the rowid's alias.
    ///
    /// # Panics
    /// If the row does not have the table's shape: too few cells, or no rowid where the table has one.
    pub fn encode(&self, rowid: Option<i64>, cells: &[Cell<'_>], key: &mut Vec<u8>) {
        let last = self.parts.len() - 1;
        for (index, part) in self.parts.iter().enumerate() {
            let start = key.len();
            match part.source {
                Source::Rowid => {
                    let rowid = rowid.expect("the rows of a rowid table carry their rowid");
                    key.extend_from_slice(&in_order(rowid));
                }
                // An ascending last part may end with the key: a prefix already sorts first.
                Source::Cell(position) if index == last && !part.descending => {
                    encode_cell(cells[position], key, |bytes, key| key.extend_from_slice(bytes));
                }
                Source::Cell(position) => encode_cell(cells[position], key, push_escaped),
            }
            if part.descending {
                key[start..].iter_mut().for_each(|byte| *byte = !*byte);
            }
        }
    }
}

fn source_of(term: &OrderTerm, table: &Table) -> Result<Source> {
    let missing = |what: String| Err(Error::new(ErrorKind::Failed, what).in_table(&table.name));
    match term.column {
        None if table.has_rowid() => Ok(Source::Rowid),
        None => missing("an order by rowid, and the table has none".to_owned()),
        Some(index) if table.has_rowid() && table.rowid_alias == Some(index) => Ok(Source::Rowid),
        Some(index) => match table.stored_position(index) {
            Some(position) => Ok(Source::Cell(position)),
            None => missing(format!("an order by column {index}, which the table does not store")),
        },
    }
}

fn encode_cell(cell: Cell<'_>, key: &mut Vec<u8>, push: impl Fn(&[u8], &mut Vec<u8>)) {
    let mut push_tagged = |tag, bytes| {
        key.push(tag);
        push(bytes, key);
    };
    match cell {
        Cell::Text(text) => push_tagged(TEXT, text.as_bytes()),
        Cell::RawText(bytes) => push_tagged(RAW_TEXT, bytes),
        Cell::Blob(bytes) => push_tagged(BLOB, bytes),
        Cell::Null => key.push(NULL),
        Cell::Integer(value) => {
            let (nearest, residual) = split_integer(value);
            push_number(nearest, residual, key);
        }
        Cell::Real(value) => push_number(value, 0, key),
    }
}

fn push_number(nearest: f64, residual: i16, key: &mut Vec<u8>) {
    key.push(NUMBER);
    key.extend_from_slice(&double_in_order(nearest).to_be_bytes());
    key.extend_from_slice(&(residual.cast_unsigned() ^ 0x8000).to_be_bytes());
}

/// The double nearest to `value`, and `value` minus that double.
///
/// Rounding keeps order, so two numbers compare as their nearest doubles do, and by the rest where those
/// are equal. Near 2^63 doubles are 1024 apart: the rest is at most 512.
#[expect(clippy::cast_precision_loss, reason = "what the nearest double loses is the second half")]
#[expect(clippy::cast_possible_truncation, reason = "a double made from an i64 is an integer within i128")]
fn split_integer(value: i64) -> (f64, i16) {
    let nearest = value as f64;
    let residual = i128::from(value) - nearest as i128;
    (nearest, i16::try_from(residual).expect("an i64 is within 512 of its nearest double"))
}

/// Bits that compare as unsigned like the doubles compare as numbers; both zeros have the same.
fn double_in_order(value: f64) -> u64 {
    // Adding zero turns -0.0 into 0.0 and leaves every other number as it is.
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

fn in_order(rowid: i64) -> [u8; 8] {
    (rowid.cast_unsigned() ^ 1 << 63).to_be_bytes()
}

fn push_escaped(bytes: &[u8], key: &mut Vec<u8>) {
    let mut pieces = bytes.split(|&byte| byte == 0);
    key.extend_from_slice(pieces.next().unwrap_or_default());
    for piece in pieces {
        key.extend_from_slice(&[0, 0xff]);
        key.extend_from_slice(piece);
    }
    key.extend_from_slice(&[0, 0]);
}

/// Tells whether keys arrive in strictly rising order.
///
/// The order is total, so an equal key counts as out of order here; the [`super::Sorter`] that must then
/// run finds both rows side by side and reports them.
#[derive(Debug, Clone, Default)]
pub struct InOrderCheck {
    previous: Option<Vec<u8>>,
    failed: bool,
}

impl InOrderCheck {
    /// A check that has seen no key.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next key and tells whether all so far were in order; once they were not, they never are.
    pub fn push(&mut self, key: &[u8]) -> bool {
        if self.failed {
            return false;
        }
        match &mut self.previous {
            None => self.previous = Some(key.to_vec()),
            Some(previous) if previous.as_slice().cmp(key) == Ordering::Less => {
                previous.clear();
                previous.extend_from_slice(key);
            }
            Some(_) => {
                self.failed = true;
                self.previous = None;
            }
        }
        !self.failed
    }

    /// Whether all keys so far were in order; true before the first.
    #[must_use]
    pub fn is_in_order(&self) -> bool {
        !self.failed
    }
}

#[cfg(test)]
mod tests;
