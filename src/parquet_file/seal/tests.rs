use std::fs;

use super::*;
use crate::parquet_file::testing::{Folder, small_file};

/// A file of ours, and where the SHA-256 in its seal begins.
fn sealed(folder: &Folder) -> (Vec<u8>, usize) {
    let path = folder.file("t.parquet");
    let (_, _, facts, _) = small_file(&path);
    let footer_bytes = usize::try_from(facts.tail.footer_bytes).expect("small");
    let bytes = fs::read(&path).expect("read");
    let place = bytes.len() - 8 - footer_bytes - 32;
    (bytes, place)
}

/// Checks a file of these bytes; whatever they are, its SHA-256 and its size are right.
#[track_caller]
fn check(folder: &Folder, bytes: &[u8]) -> SealCheck {
    let path = folder.file("checked.parquet");
    fs::write(&path, bytes).expect("written");
    let mut told = 0;
    let check = check_seal_with(&path, |count| {
        told += count;
        Ok(())
    });
    let check = check.expect("readable");
    assert_eq!((check.size_bytes, told), (bytes.len() as u64, bytes.len() as u64));
    assert_eq!(check.sha256, Sha256Digest::of(bytes));
    check
}

#[test]
fn the_seal_is_the_sha256_with_zeros_in_its_place() {
    let folder = Folder::new();
    let (bytes, place) = sealed(&folder);
    assert_eq!((&bytes[..12], &bytes[place - 8..place]), (&b"PAR1PARKLIT1"[..], &b"PARKSEAL"[..]));
    let mut zeros = bytes.clone();
    zeros[place..place + 32].fill(0);
    assert_eq!(bytes[place..place + 32], Sha256Digest::of(&zeros).0);
    assert_eq!(check(&folder, &bytes).state, SealState::Valid);
}

#[test]
fn damage_of_the_seal_alone_is_known_as_such() {
    let folder = Folder::new();
    let (bytes, place) = sealed(&folder);
    let checked = |places: std::ops::Range<usize>| {
        let mut other = bytes.clone();
        other[places].iter_mut().for_each(|byte| *byte = !*byte);
        let check = check(&folder, &other);
        (check.state, check.is_nearly_right)
    };
    for at in place - 8..place + 32 {
        assert_eq!(checked(at..at + 1), (SealState::Wrong, true), "byte {at}");
    }
    assert_eq!(checked(place - 8..place + 16), (SealState::Wrong, true));
    assert_eq!(checked(place..place + 17), (SealState::Wrong, false));
    // Beside it, anything makes all of it another.
    for at in [12, place - 9, place + 32, bytes.len() - 8, bytes.len() - 1] {
        assert_eq!(checked(at..at + 1), (SealState::Wrong, false), "byte {at}");
    }
    for at in [4, 11] {
        assert_eq!(checked(at..at + 1), (SealState::Missing, false), "byte {at}");
    }
}

#[test]
fn a_footer_of_any_length_is_only_a_wrong_seal() {
    let folder = Folder::new();
    let (bytes, _) = sealed(&folder);
    let end = bytes.len() - 8;
    // With this length the seal would begin where chunks do.
    let edge = u32::try_from(end - 52).expect("small");
    for length in [0, 1, edge - 1, edge, edge + 1, edge + 40, edge + 52, 1 << 31, u32::MAX - 39, u32::MAX] {
        let mut other = bytes.clone();
        other[end..end + 4].copy_from_slice(&length.to_le_bytes());
        let check = check(&folder, &other);
        assert_eq!((check.state, check.is_nearly_right), (SealState::Wrong, false), "{length}");
    }
    for size in 0..120 {
        let state = if size < 12 { SealState::Missing } else { SealState::Wrong };
        assert_eq!(check(&folder, &bytes[..size]).state, state, "{size} bytes");
        let ones = [&bytes[..size.min(12)], &vec![0xff; size.saturating_sub(12)]].concat();
        assert_eq!(check(&folder, &ones).state, state, "{size} bytes");
    }
}

#[test]
fn the_smallest_sealed_file_has_nothing_but_its_seal() {
    let folder = Folder::new();
    let (head, end) = (b"PAR1PARKLIT1", b"\0\0\0\0PAR1");
    let mut before = Sha256Hasher::default();
    before.update(head);
    let (seal, sha256) = seal_between(before, end);
    let bytes = [&head[..], &seal, end].concat();
    assert_eq!(
        check(&folder, &bytes),
        SealCheck { state: SealState::Valid, sha256, size_bytes: 60, is_nearly_right: false }
    );
}
