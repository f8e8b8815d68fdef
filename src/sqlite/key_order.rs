//! Whether the rows of a WITHOUT ROWID table stand in the strictly ascending order of its key.
//!
//! Compares as SQLite does, under the collations it has itself. Where rows disagree, either an application had put
//! a collation of its own in place of NOCASE or RTRIM, which no file tells, or the b-tree is damaged. Nothing else
//! may compare cells by a collation: the order of a snapshot knows none.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::schema::{Cell, CellClass, IndexedValue, Table, TextEncoding};

/// Takes rows as they come, and compares each key with the one before.
pub(crate) struct KeyOrder {
    terms: Vec<Term>,
    encoding: TextEncoding,
    /// The key before; none before the first row.
    previous: Vec<KeyCell>,
}

/// One column of the key.
struct Term {
    /// Its position among the stored columns.
    position: usize,
    collation: Collation,
    descending: bool,
}

/// The collations SQLite has without any application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Collation {
    Binary,
    NoCase,
    RTrim,
}

/// How a key follows the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Follows {
    /// It is greater, as it must be.
    Ascending,
    /// It is not, but another collation of this name would explain it.
    UnderAnother(&'static str),
    /// It is not, and nothing explains that but damage.
    Never,
}

/// A cell of a key, kept while the next row is read.
enum KeyCell {
    Null,
    Integer(i64),
    Real(f64),
    /// The bytes that are compared: as they are stored for BINARY, as UTF-8 for every other collation.
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

impl KeyOrder {
    /// The order of `table`'s key; `None` for a table with rowids, and where a collation of the key is unknown.
    pub(crate) fn of(table: &Table, encoding: TextEncoding) -> Option<Self> {
        let keys = table.without_rowid_key.iter().filter(|key| key.is_key);
        let terms = keys.map(|key| {
            let IndexedValue::Column(column) = key.value else { return None };
            let collation = Collation::named(key.collation.as_bytes())?;
            Some(Term { position: table.stored_position(column)?, collation, descending: key.descending })
        });
        let terms: Vec<Term> = terms.collect::<Option<_>>()?;
        (!terms.is_empty()).then_some(Self { terms, encoding, previous: Vec::new() })
    }

    /// Takes the next row's stored cells.
    pub(crate) fn push(&mut self, cells: &[Cell<'_>]) -> Follows {
        let cell = |term: &Term| cells.get(term.position).copied().unwrap_or(Cell::Null);
        if self.previous.is_empty() {
            self.previous =
                self.terms.iter().map(|term| KeyCell::of(cell(term), term, self.encoding)).collect();
            return Follows::Ascending;
        }
        let follows = self.follows(cell);
        for (kept, term) in self.previous.iter_mut().zip(&self.terms) {
            kept.set(cell(term), term, self.encoding);
        }
        follows
    }

    fn follows<'a>(&self, cell: impl Fn(&Term) -> Cell<'a>) -> Follows {
        let mut pairs = self.terms.iter().zip(&self.previous);
        let decided = pairs.clone().find_map(|(term, kept)| {
            let ordering = compare(kept, cell(term), term, self.encoding);
            Some(if term.descending { ordering.reverse() } else { ordering }).filter(|found| found.is_ne())
        });
        if decided == Some(Ordering::Less) {
            return Follows::Ascending;
        }
        // Under whatever collation: the first column whose values differ at all decides.
        let different = pairs.find(|(term, kept)| kept.differs(cell(term), term, self.encoding));
        match different.and_then(|(term, kept)| Some((term.collation.replaceable()?, kept, cell(term)))) {
            Some((name, KeyCell::Text(_), next)) if is_text(next) => Follows::UnderAnother(name),
            _ => Follows::Never,
        }
    }
}

impl Collation {
    fn named(name: &[u8]) -> Option<Self> {
        [(b"BINARY".as_slice(), Self::Binary), (b"NOCASE", Self::NoCase), (b"RTRIM", Self::RTrim)]
            .into_iter()
            .find(|(known, _)| name.eq_ignore_ascii_case(known))
            .map(|(_, collation)| collation)
    }

    /// The name under which an application may have put its own.
    fn replaceable(self) -> Option<&'static str> {
        match self {
            Self::Binary => None,
            Self::NoCase => Some("NOCASE"),
            Self::RTrim => Some("RTRIM"),
        }
    }

    fn compare(self, a: &[u8], b: &[u8]) -> Ordering {
        match self {
            Self::Binary => a.cmp(b),
            Self::NoCase => compare_without_case(a, b),
            Self::RTrim => without_trailing_spaces(a).cmp(without_trailing_spaces(b)),
        }
    }
}

impl KeyCell {
    fn of(cell: Cell<'_>, term: &Term, encoding: TextEncoding) -> Self {
        let mut kept = Self::Null;
        kept.set(cell, term, encoding);
        kept
    }

    /// Keeps `cell` in place of what was kept, in the same memory if it can.
    fn set(&mut self, cell: Cell<'_>, term: &Term, encoding: TextEncoding) {
        let mut bytes = match self {
            Self::Text(bytes) | Self::Blob(bytes) => std::mem::take(bytes),
            _ => Vec::new(),
        };
        bytes.clear();
        *self = match cell {
            Cell::Null => Self::Null,
            Cell::Integer(value) => Self::Integer(value),
            Cell::Real(value) => Self::Real(value),
            Cell::Text(_) | Cell::RawText(_) => {
                bytes.extend_from_slice(&compared_bytes(cell, term, encoding));
                Self::Text(bytes)
            }
            Cell::Blob(value) => {
                bytes.extend_from_slice(value);
                Self::Blob(bytes)
            }
        };
    }

    /// Whether `cell` is another value, whatever any collation says.
    fn differs(&self, cell: Cell<'_>, term: &Term, encoding: TextEncoding) -> bool {
        match (self, cell) {
            (Self::Null, Cell::Null) => false,
            (Self::Integer(a), Cell::Integer(b)) => *a != b,
            (Self::Real(a), Cell::Real(b)) => a.to_bits() != b.to_bits(),
            (Self::Blob(a), Cell::Blob(b)) => a != b,
            (Self::Text(a), Cell::Text(_) | Cell::RawText(_)) => *a != *compared_bytes(cell, term, encoding),
            _ => true,
        }
    }
}

fn is_text(cell: Cell<'_>) -> bool {
    matches!(cell.class(), Some(CellClass::Text | CellClass::RawText))
}

/// Source: SQLite, "Datatypes In SQLite", section 4.1.
fn compare(a: &KeyCell, b: Cell<'_>, term: &Term, encoding: TextEncoding) -> Ordering {
    let rank = |is_null: bool, is_number: bool, is_text: bool| match () {
        () if is_null => 0,
        () if is_number => 1,
        () if is_text => 2,
        () => 3,
    };
    match (a, b) {
        (KeyCell::Integer(a), Cell::Integer(b)) => a.cmp(&b),
        (KeyCell::Real(a), Cell::Real(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
        (KeyCell::Integer(a), Cell::Real(b)) => compare_exactly(*a, b),
        (KeyCell::Real(a), Cell::Integer(b)) => compare_exactly(b, *a).reverse(),
        (KeyCell::Text(a), Cell::Text(_) | Cell::RawText(_)) => {
            term.collation.compare(a, &compared_bytes(b, term, encoding))
        }
        (KeyCell::Blob(a), Cell::Blob(b)) => a.as_slice().cmp(b),
        _ => {
            let kept = rank(
                matches!(a, KeyCell::Null),
                matches!(a, KeyCell::Integer(_) | KeyCell::Real(_)),
                matches!(a, KeyCell::Text(_)),
            );
            let next =
                rank(matches!(b, Cell::Null), matches!(b, Cell::Integer(_) | Cell::Real(_)), is_text(b));
            kept.cmp(&next)
        }
    }
}

/// An integer against a real by their exact values.
fn compare_exactly(integer: i64, real: f64) -> Ordering {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if real < -LIMIT {
        return Ordering::Greater;
    }
    if real >= LIMIT {
        return Ordering::Less;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "within the range of i64; what is cut off is compared next"
    )]
    let whole = real.trunc() as i64;
    integer.cmp(&whole).then_with(|| real.trunc().partial_cmp(&real).unwrap_or(Ordering::Equal))
}

/// The bytes of a text that its collation compares.
fn compared_bytes<'a>(cell: Cell<'a>, term: &Term, encoding: TextEncoding) -> Cow<'a, [u8]> {
    match (cell, term.collation, encoding) {
        (Cell::Text(text), Collation::Binary, encoding) => encoding.encode(text),
        (Cell::Text(text), ..) => Cow::Borrowed(text.as_bytes()),
        (Cell::RawText(bytes), Collation::Binary, _) | (Cell::RawText(bytes), _, TextEncoding::Utf8) => {
            Cow::Borrowed(bytes)
        }
        (Cell::RawText(bytes), _, encoding) => Cow::Owned(converted_to_utf8(bytes, encoding)),
        _ => Cow::Borrowed(&[]),
    }
}

/// ASCII letters are alike, and what stands behind a NUL counts by its length alone.
///
/// Source: `nocaseCollatingFunc` of the bundled SQLite.
fn compare_without_case(a: &[u8], b: &[u8]) -> Ordering {
    for (&a, &b) in a.iter().zip(b) {
        match a.to_ascii_lowercase().cmp(&b.to_ascii_lowercase()) {
            Ordering::Equal if a == 0 => break,
            Ordering::Equal => {}
            unequal => return unequal,
        }
    }
    a.len().cmp(&b.len())
}

fn without_trailing_spaces(text: &[u8]) -> &[u8] {
    let length = text.iter().rposition(|&byte| byte != b' ').map_or(0, |last| last + 1);
    &text[..length]
}

/// UTF-16 that is not valid, as SQLite makes UTF-8 of it: whatever follows a surrogate is taken for its other half.
///
/// Source: `sqlite3VdbeMemTranslate` of the bundled SQLite.
fn converted_to_utf8(stored: &[u8], encoding: TextEncoding) -> Vec<u8> {
    let unit = |pair: &[u8; 2]| match encoding {
        TextEncoding::Utf16Be => u32::from(u16::from_be_bytes(*pair)),
        _ => u32::from(u16::from_le_bytes(*pair)),
    };
    let mut units = stored.as_chunks::<2>().0.iter().map(unit);
    let mut utf8 = Vec::with_capacity(stored.len());
    while let Some(mut code) = units.next() {
        if (0xd800..0xe000).contains(&code)
            && let Some(other) = units.next()
        {
            code = (other & 0x3ff) + ((code & 0x3f) << 10) + (((code & 0x3c0) + 0x40) << 10);
        }
        push_utf8(code, &mut utf8);
    }
    utf8
}

/// Appends a code point as UTF-8, surrogates too.
fn push_utf8(code: u32, utf8: &mut Vec<u8>) {
    let low = |shift: u32| 0x80 | (code >> shift & 0x3f);
    let bytes: &[u32] = match code {
        0..0x80 => &[code],
        0x80..0x800 => &[0xc0 | code >> 6, low(0)],
        0x800..0x1_0000 => &[0xe0 | code >> 12, low(6), low(0)],
        _ => &[0xf0 | (code >> 18 & 7), low(12), low(6), low(0)],
    };
    utf8.extend(bytes.iter().flat_map(|byte| u8::try_from(*byte)));
}

#[cfg(test)]
mod tests;
