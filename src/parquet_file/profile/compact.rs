//! Reads Thrift's compact protocol, in which Parquet writes its footer and page headers.
//!
//! Nothing is allocated here, whatever a length or count claims, nothing recurses deeper than a fixed bound, and
//! every length and count is compared with the bytes that are left before it is believed.
//!
//! Where decoders differ in what they make of odd bytes (numbers too long for their type, an end marker with
//! further bits, lists of booleans), the bytes are refused: what was checked here is what the decoder will see.
//!
//! Source: Apache Thrift, "Thrift Compact protocol encoding".

use std::borrow::Cow;

/// How deeply structures may lie in each other; Parquet needs six levels.
const MAX_DEPTH: usize = 32;

/// Most bytes of a number of seven bits per byte.
const MAX_VARINT_BYTES: u32 = 10;

/// What is wrong, and where as far as it is known.
#[derive(Debug)]
pub(super) struct Flaw {
    pub(super) what: Cow<'static, str>,
    pub(super) row_group: Option<usize>,
    pub(super) column: Option<String>,
}

impl Flaw {
    /// Names the row group, unless a deeper layer already did.
    pub(super) fn in_row_group(mut self, index: usize) -> Self {
        self.row_group.get_or_insert(index);
        self
    }

    /// Names the column, unless a deeper layer already did.
    pub(super) fn in_column(mut self, name: &[u8]) -> Self {
        self.column.get_or_insert_with(|| String::from_utf8_lossy(name).into_owned());
        self
    }
}

impl From<&'static str> for Flaw {
    fn from(what: &'static str) -> Self {
        Self { what: Cow::Borrowed(what), row_group: None, column: None }
    }
}

impl From<String> for Flaw {
    fn from(what: String) -> Self {
        Self { what: Cow::Owned(what), row_group: None, column: None }
    }
}

pub(super) type Parsed<T> = Result<T, Flaw>;

pub(super) const ENDS_EARLY: &str = "it ends in the middle of a value";

/// The type of a field or of the elements of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    True,
    False,
    Byte,
    I16,
    I32,
    I64,
    Double,
    Binary,
    List,
    Set,
    Map,
    Struct,
    Uuid,
}

impl Kind {
    fn of_field(code: u8) -> Parsed<Self> {
        Ok(match code {
            1 => Self::True,
            2 => Self::False,
            3 => Self::Byte,
            4 => Self::I16,
            5 => Self::I32,
            6 => Self::I64,
            7 => Self::Double,
            8 => Self::Binary,
            9 => Self::List,
            10 => Self::Set,
            11 => Self::Map,
            12 => Self::Struct,
            13 => Self::Uuid,
            _ => return Err("it has a value of an unknown type".into()),
        })
    }
}

/// The bytes that are left.
#[derive(Debug, Clone)]
pub(super) struct Compact<'a> {
    rest: &'a [u8],
    /// An upper bound of what a decoder reserves for the lists it was told of so far, in bytes.
    pub(super) list_bytes: u64,
}

/// What a decoder may keep of one element of a list: of structures and texts, and of all else.
const LARGE_ELEMENT_BYTES: u64 = 64;
const SMALL_ELEMENT_BYTES: u64 = 8;

impl<'a> Compact<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, list_bytes: 0 }
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    fn take(&mut self, count: usize) -> Parsed<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(ENDS_EARLY)?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Parsed<u8> {
        let (&byte, rest) = self.rest.split_first().ok_or(ENDS_EARLY)?;
        self.rest = rest;
        Ok(byte)
    }

    fn varint(&mut self) -> Parsed<u64> {
        let mut value: u64 = 0;
        for place in 0..MAX_VARINT_BYTES {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            // The last byte has room for one bit.
            if place == MAX_VARINT_BYTES - 1 && bits > 1 {
                break;
            }
            value |= bits << (7 * place);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err("it has a number of more than 64 bits".into())
    }

    fn length(&mut self) -> Parsed<usize> {
        let length = self.varint()?;
        match usize::try_from(length) {
            Ok(length) if length <= self.left() => Ok(length),
            _ => {
                Err(format!("it claims {length} bytes or entries where {} bytes are left", self.left())
                    .into())
            }
        }
    }

    pub(super) fn i64(&mut self) -> Parsed<i64> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    pub(super) fn i32(&mut self) -> Parsed<i32> {
        i32::try_from(self.i64()?).map_err(|_| "it has a number that is too large for its place".into())
    }

    pub(super) fn i16(&mut self) -> Parsed<i16> {
        i16::try_from(self.i64()?).map_err(|_| "it has a number that is too large for its place".into())
    }

    /// Text or bytes.
    pub(super) fn binary(&mut self) -> Parsed<&'a [u8]> {
        let length = self.length()?;
        self.take(length)
    }

    /// The head of a list: the type of its elements and how many follow, each of which takes a byte or more.
    pub(super) fn list(&mut self) -> Parsed<(Kind, usize)> {
        let head = self.byte()?;
        // Some writers give an empty list no element type.
        if head == 0 {
            return Ok((Kind::Byte, 0));
        }
        let kind = Kind::of_field(head & 0x0f)?;
        let count = match head >> 4 {
            15 => self.length()?,
            count => usize::from(count),
        };
        if count > self.left() {
            return Err(format!("it claims {count} entries where {} bytes are left", self.left()).into());
        }
        let is_large = matches!(kind, Kind::Struct | Kind::Binary | Kind::List | Kind::Map | Kind::Set);
        let element_bytes = if is_large { LARGE_ELEMENT_BYTES } else { SMALL_ELEMENT_BYTES };
        self.list_bytes = self.list_bytes.saturating_add(element_bytes.saturating_mul(count as u64));
        Ok((kind, count))
    }

    /// The number of structures in a list of such.
    pub(super) fn structs(&mut self) -> Parsed<usize> {
        match self.list()? {
            (Kind::Struct, count) | (_, count @ 0) => Ok(count),
            _ => Err("it has a list of something else than structures".into()),
        }
    }

    /// The next field of a structure, or `None` at its end; `last` is the field before, 0 at first.
    pub(super) fn field(&mut self, last: &mut i16) -> Parsed<Option<(i16, Kind)>> {
        let head = self.byte()?;
        if head == 0 {
            return Ok(None);
        }
        let kind = Kind::of_field(head & 0x0f)?;
        let id = match head >> 4 {
            0 => self.i16()?,
            delta => last.checked_add(i16::from(delta)).ok_or("it has a field of an impossible number")?,
        };
        // Every writer goes through the fields of a structure in order, and a field that came twice would be
        // taken for either.
        if id <= *last {
            return Err("the fields of a structure are not in order".into());
        }
        *last = id;
        Ok(Some((id, kind)))
    }

    /// Steps over a value of this type.
    pub(super) fn skip(&mut self, kind: Kind) -> Parsed<()> {
        self.skip_at(kind, 0)
    }

    fn skip_at(&mut self, kind: Kind, depth: usize) -> Parsed<()> {
        if depth > MAX_DEPTH {
            return Err("its structures lie too deeply in each other".into());
        }
        match kind {
            Kind::True | Kind::False => Ok(()),
            Kind::Byte => self.take(1).map(drop),
            Kind::I16 => self.i16().map(drop),
            Kind::I32 => self.i32().map(drop),
            Kind::I64 => self.i64().map(drop),
            Kind::Double => self.take(8).map(drop),
            Kind::Uuid => self.take(16).map(drop),
            Kind::Binary => self.binary().map(drop),
            Kind::List | Kind::Set => {
                let (kind, count) = self.list()?;
                (0..count).try_for_each(|_| self.skip_element(kind, depth))
            }
            Kind::Map => {
                let count = self.length()?;
                if count == 0 {
                    return Ok(());
                }
                let kinds = self.byte()?;
                let (key, value) = (Kind::of_field(kinds >> 4)?, Kind::of_field(kinds & 0x0f)?);
                (0..count).try_for_each(|_| {
                    self.skip_element(key, depth)?;
                    self.skip_element(value, depth)
                })
            }
            Kind::Struct => {
                let mut last = 0;
                while let Some((_, kind)) = self.field(&mut last)? {
                    self.skip_at(kind, depth + 1)?;
                }
                Ok(())
            }
        }
    }

    fn skip_element(&mut self, kind: Kind, depth: usize) -> Parsed<()> {
        match kind {
            // Decoders do not agree on how many bytes such an element has, and no footer needs one.
            Kind::True | Kind::False => Err("it has a list of booleans".into()),
            _ => self.skip_at(kind, depth + 1),
        }
    }
}

#[cfg(test)]
mod tests;
