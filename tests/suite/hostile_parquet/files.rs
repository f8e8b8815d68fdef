//! Files that are none: what is wrong is how they begin and end, and how large they are.

use super::RawForgery;
use super::forge::{Forge, empty_seal, seal};
use super::trial::Verdict::Refused;

/// The file with another end, and its seal made anew.
fn ending(mut forge: Forge, length: u32, magic: [u8; 4]) -> Vec<u8> {
    forge.tail = Some([&length.to_le_bytes()[..], &magic].concat());
    forge.bytes()
}

/// How large the footer is, as the file states it.
fn footer_length(bytes: &[u8]) -> u32 {
    let at = bytes.len() - 8;
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// The file with so much added to what it states of its footer's length.
fn longer_by(forge: Forge, by: u32) -> Vec<u8> {
    let length = footer_length(&forge.bytes());
    ending(forge, length.wrapping_add(by), *b"PAR1")
}

fn resealed(mut bytes: Vec<u8>) -> Vec<u8> {
    seal(&mut bytes);
    bytes
}

/// The beginning of a file of ours, a seal, and this end.
fn head_and(tail: &[u8]) -> Vec<u8> {
    let mut bytes = b"PAR1PARKLIT1".to_vec();
    bytes.extend(empty_seal());
    bytes.extend(tail);
    resealed(bytes)
}

#[rustfmt::skip]
pub(super) const FORGERIES: &[RawForgery] = &[
    ("a footer of no bytes", Refused, |f| ending(f, 0, *b"PAR1")),
    ("a footer of one byte", Refused, |f| ending(f, 1, *b"PAR1")),
    ("a footer of 2^32-1 bytes", Refused, |f| ending(f, u32::MAX, *b"PAR1")),
    ("a footer of 2^31 bytes", Refused, |f| ending(f, 1 << 31, *b"PAR1")),
    ("a footer a byte longer than it is", Refused, |f| longer_by(f, 1)),
    ("a footer a byte shorter than it is", Refused, |f| longer_by(f, u32::MAX)),
    ("a footer as large as the file", Refused, |f| {
        let size = u32::try_from(f.bytes().len()).expect("small");
        ending(f, size, *b"PAR1")
    }),
    ("a footer that is all there is", Refused, |f| {
        let size = u32::try_from(f.bytes().len()).expect("small");
        ending(f, size - 12, *b"PAR1")
    }),
    ("the magic of an encrypted footer", Refused, |f| {
        let length = footer_length(&f.bytes());
        ending(f, length, *b"PARE")
    }),
    ("another magic", Refused, |f| {
        let length = footer_length(&f.bytes());
        ending(f, length, *b"PAR2")
    }),
    ("no end", Refused, |mut f| { f.tail = Some(vec![]); f.bytes() }),
    ("nothing but the beginning", Refused, |_| head_and(b"")),
    ("a beginning and an end", Refused, |_| head_and(b"PAR1")),
    ("a beginning, an end, and a length", Refused, |_| head_and(b"\0\0\0\0PAR1")),
    ("a footer that ends at once", Refused, |_| head_and(b"\0\x01\0\0\0PAR1")),
    ("a footer of zeros", Refused, |_| head_and(&[&[0; 1000][..], b"\xe8\x03\0\0PAR1"].concat())),
    ("a footer of ones", Refused, |_| head_and(&[&[0xff; 1000][..], b"\xe8\x03\0\0PAR1"].concat())),
    ("a footer of 20 MB of zeros", Refused, |_| {
        head_and(&[&vec![0; 20_000_000][..], &20_000_000_u32.to_le_bytes(), b"PAR1"].concat())
    }),
    ("a footer of 20 MB of nested structures", Refused, |_| {
        head_and(&[&vec![0x1c; 20_000_000][..], &20_000_000_u32.to_le_bytes(), b"PAR1"].concat())
    }),
    ("a footer of 20 MB of nested lists", Refused, |_| {
        head_and(&[&vec![0x19; 20_000_000][..], &20_000_000_u32.to_le_bytes(), b"PAR1"].concat())
    }),
    ("the first half", Refused, |f| { let bytes = f.bytes(); resealed(bytes[..bytes.len() / 2].to_vec()) }),
    ("all but the last byte", Refused, |f| { let bytes = f.bytes(); resealed(bytes[..bytes.len() - 1].to_vec()) }),
    ("a byte more", Refused, |f| resealed([f.bytes(), vec![0]].concat())),
    ("twice the same", Refused, |f| resealed(f.bytes().repeat(2))),
    ("no pages", Refused, |mut f| { f.chunks.iter_mut().flatten().for_each(Vec::clear); f.bytes() }),
    ("other pages: zeros", Refused, |mut f| {
        f.chunks.iter_mut().flatten().flatten().for_each(|page| page.body.fill(0));
        f.bytes()
    }),
    ("a gap before the page index", Refused, |mut f| { f.gap = vec![0; 100]; f.bytes() }),
    ("a gap before the seal", Refused, |mut f| { f.seal.insert(0, 0); f.bytes() }),
    ("a gap behind the seal", Refused, |mut f| { f.seal.push(0); f.bytes() }),
    ("two seals", Refused, |mut f| { f.seal = f.seal.repeat(2); f.bytes() }),
    ("no seal", Refused, |mut f| { f.seal.clear(); f.bytes() }),
];
