use super::*;

fn skip(bytes: &[u8], kind: Kind) -> Parsed<usize> {
    let mut compact = Compact::new(bytes);
    compact.skip(kind).map(|()| compact.left())
}

#[test]
fn numbers_are_zigzag_and_never_longer_than_their_type() {
    assert_eq!(Compact::new(&[0]).i64().expect("zero"), 0);
    assert_eq!(Compact::new(&[1]).i64().expect("minus one"), -1);
    assert_eq!(Compact::new(&[0xac, 2]).i64().expect("small"), 150);
    let least = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    assert_eq!(Compact::new(&least).i64().expect("the least"), i64::MIN);
    let beyond = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2];
    assert!(Compact::new(&beyond).i64().is_err());
    assert!(Compact::new(&[0x80; 400]).i64().is_err(), "it never ends");
    assert!(Compact::new(&[0x80, 0x80]).i64().is_err(), "cut short");
    // 2^31 and 2^15 are one too many.
    assert!(Compact::new(&[0x80, 0x80, 0x80, 0x80, 0x10]).i32().is_err());
    assert!(Compact::new(&[0x80, 0x80, 4]).i16().is_err());
}

#[test]
fn lengths_and_counts_are_compared_with_what_is_left() {
    assert_eq!(Compact::new(&[2, b'h', b'i']).binary().expect("two bytes"), b"hi");
    assert!(Compact::new(&[3, b'h', b'i']).binary().is_err());
    assert!(Compact::new(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0]).binary().is_err());
    assert_eq!(Compact::new(&[0x2c, 0, 0]).structs().expect("two"), 2);
    assert!(Compact::new(&[0x3c, 0, 0]).structs().is_err(), "three in two bytes");
    assert!(Compact::new(&[0xfc, 0xff, 0xff, 0xff, 0xff, 7]).structs().is_err());
    assert!(Compact::new(&[0x15, 0]).structs().is_err(), "a number");
    assert_eq!(Compact::new(&[0]).structs().expect("empty"), 0);
}

#[test]
fn depth_is_bounded_and_booleans_in_lists_are_refused() {
    // A list of one list of one list, without end.
    assert!(skip(&vec![0x19; 1 << 16], Kind::List).is_err());
    // A structure in a structure, without end.
    assert!(skip(&vec![0x1c; 1 << 16], Kind::Struct).is_err());
    assert!(skip(&[0x21, 1, 1], Kind::List).is_err());
    assert!(skip(&[1, 0x11, 1, 1], Kind::Map).is_err());
    assert_eq!(skip(&[1, 0x55, 0, 0, 9], Kind::Map).expect("a map"), 1);
    assert_eq!(skip(&[0x15, 0, 0x11, 0, 9], Kind::Struct).expect("a number and a boolean"), 1);
}

#[test]
fn fields_that_come_twice_or_out_of_order_are_refused() {
    let ids = |bytes: &[u8]| -> Parsed<Vec<i16>> {
        let (mut compact, mut last, mut found) = (Compact::new(bytes), 0, Vec::new());
        while let Some((id, kind)) = compact.field(&mut last)? {
            compact.skip(kind)?;
            found.push(id);
        }
        Ok(found)
    };
    assert_eq!(ids(&[0x11, 0x22, 0x01, 0x40, 0]).expect("in order"), [1, 3, 32]);
    assert!(ids(&[0x21, 0x01, 0x02, 0]).is_err(), "2, then 1");
    assert!(ids(&[0x21, 0x01, 0x04, 0]).is_err(), "2 twice");
    assert!(ids(&[0x10]).is_err(), "an end with further bits");
    assert!(ids(&[0x1e, 0]).is_err(), "no such type");
}

#[test]
fn no_bytes_panic_or_take_long() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..20_000 {
        let bytes: Vec<u8> = (0..64)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()[3]
            })
            .collect();
        let _ = skip(&bytes, Kind::Struct);
        let _ = skip(&bytes, Kind::Map);
    }
}
