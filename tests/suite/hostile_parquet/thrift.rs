//! Thrift's compact protocol as a tree of values that can be bent into anything before it is written again.

/// A value; numbers are wider than their type, so that one can be written that does not fit it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Bool(bool),
    I16(i64),
    I32(i64),
    I64(i64),
    Binary(Vec<u8>),
    List(u8, Vec<Value>),
    Struct(Vec<(i16, Value)>),
    /// Bytes that are written as they are for a value of this type.
    Raw(u8, Vec<u8>),
}

pub(crate) const BOOL: u8 = 1;
pub(crate) const I32: u8 = 5;
pub(crate) const I64: u8 = 6;
pub(crate) const BINARY: u8 = 8;
pub(crate) const LIST: u8 = 9;
pub(crate) const STRUCT: u8 = 12;

impl Value {
    /// The field of a structure.
    pub(crate) fn at(&mut self, id: i16) -> &mut Value {
        let Value::Struct(fields) = self else { panic!("no structure") };
        &mut fields.iter_mut().find(|(found, _)| *found == id).expect("the field is there").1
    }

    /// Gives a structure a field, in its place among the others.
    pub(crate) fn set(&mut self, id: i16, value: Value) {
        let Value::Struct(fields) = self else { panic!("no structure") };
        fields.retain(|(found, _)| *found != id);
        let place = fields.partition_point(|(found, _)| *found < id);
        fields.insert(place, (id, value));
    }

    pub(crate) fn remove(&mut self, id: i16) {
        let Value::Struct(fields) = self else { panic!("no structure") };
        fields.retain(|(found, _)| *found != id);
    }

    pub(crate) fn has(&self, id: i16) -> bool {
        matches!(self, Value::Struct(fields) if fields.iter().any(|(found, _)| *found == id))
    }

    pub(crate) fn items(&mut self) -> &mut Vec<Value> {
        let Value::List(_, items) = self else { panic!("no list") };
        items
    }

    pub(crate) fn number(&self) -> i64 {
        match self {
            Value::I16(value) | Value::I32(value) | Value::I64(value) => *value,
            _ => panic!("no number"),
        }
    }

    fn kind(&self) -> u8 {
        match self {
            Value::Bool(true) => BOOL,
            Value::Bool(false) => 2,
            Value::I16(_) => 4,
            Value::I32(_) => I32,
            Value::I64(_) => I64,
            Value::Binary(_) => BINARY,
            Value::List(..) => LIST,
            Value::Struct(_) => STRUCT,
            Value::Raw(kind, _) => *kind,
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write(&mut bytes);
        bytes
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Value::Bool(_) => {}
            Value::I16(value) | Value::I32(value) | Value::I64(value) => varint(zigzag(*value), out),
            Value::Binary(bytes) => {
                varint(bytes.len() as u64, out);
                out.extend(bytes);
            }
            Value::List(kind, items) => {
                list_head(*kind, items.len() as u64, out);
                for item in items {
                    item.write(out);
                }
            }
            Value::Struct(fields) => {
                let mut last = 0;
                for (id, value) in fields {
                    field_head(value.kind(), *id, last, out);
                    value.write(out);
                    last = *id;
                }
                out.push(0);
            }
            Value::Raw(_, bytes) => out.extend(bytes),
        }
    }
}

/// A list that claims `count` elements of a type, and the bytes that follow.
pub(crate) fn claimed_list(kind: u8, count: u64, bytes: &[u8]) -> Value {
    let mut head = Vec::new();
    list_head(kind, count.max(15), &mut head);
    head.extend(bytes);
    Value::Raw(LIST, head)
}

pub(crate) fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value > 0x7f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn list_head(kind: u8, count: u64, out: &mut Vec<u8>) {
    match u8::try_from(count) {
        Ok(count) if count < 15 => out.push(count << 4 | kind),
        _ => {
            out.push(0xf0 | kind);
            varint(count, out);
        }
    }
}

fn field_head(kind: u8, id: i16, last: i16, out: &mut Vec<u8>) {
    if let Ok(delta @ 1..=15) = u8::try_from(i32::from(id) - i32::from(last)) {
        out.push(delta << 4 | kind);
    } else {
        out.push(kind);
        varint(zigzag(i64::from(id)), out);
    }
}

/// Reads the structure that `bytes` begin with, and says where it ends.
pub(crate) fn read_struct(bytes: &[u8]) -> (Value, usize) {
    let mut at = 0;
    let value = read(bytes, &mut at, STRUCT);
    (value, at)
}

fn read(bytes: &[u8], at: &mut usize, kind: u8) -> Value {
    match kind {
        BOOL => Value::Bool(true),
        2 => Value::Bool(false),
        4 => Value::I16(read_number(bytes, at)),
        I32 => Value::I32(read_number(bytes, at)),
        I64 => Value::I64(read_number(bytes, at)),
        BINARY => {
            let size = usize::try_from(read_varint(bytes, at)).expect("small");
            *at += size;
            Value::Binary(bytes[*at - size..*at].to_vec())
        }
        LIST => {
            let head = bytes[*at];
            *at += 1;
            let count = if head >> 4 == 15 { read_varint(bytes, at) } else { u64::from(head >> 4) };
            Value::List(head & 0x0f, (0..count).map(|_| read(bytes, at, head & 0x0f)).collect())
        }
        STRUCT => {
            let (mut fields, mut last) = (Vec::new(), 0);
            loop {
                let head = bytes[*at];
                *at += 1;
                if head == 0 {
                    return Value::Struct(fields);
                }
                last += i16::from(head >> 4);
                fields.push((last, read(bytes, at, head & 0x0f)));
            }
        }
        _ => panic!("type {kind}"),
    }
}

fn read_number(bytes: &[u8], at: &mut usize) -> i64 {
    let value = read_varint(bytes, at);
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

fn read_varint(bytes: &[u8], at: &mut usize) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = bytes[*at];
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return value;
        }
    }
}
