use std::fs;

use super::*;
use crate::parquet_file::testing::{Folder, small_file};

/// What each byte of a file of two row groups and five columns belongs to, reckoned from what was recorded of it.
fn part_of(place: u64, row_groups: &[RowGroupEntry], tail: &FileTail) -> FilePart {
    let mut parts = vec![(FilePart::LeadingMagic, 4), (FilePart::Tag, 8)];
    for (row_group, entry) in row_groups.iter().enumerate() {
        let chunk = |(column, &size)| (FilePart::Chunk { row_group, column }, size);
        parts.extend(entry.chunk_bytes.iter().enumerate().map(chunk));
    }
    parts.extend([(FilePart::PageIndex, tail.page_index_bytes), (FilePart::Seal, 40)]);
    parts.extend([
        (FilePart::Footer, tail.footer_bytes),
        (FilePart::FooterLength, 4),
        (FilePart::EndMagic, 4),
    ]);
    let mut end = 0;
    let part = parts.into_iter().find(|(_, size)| {
        end += size;
        place < end
    });
    part.expect("a byte of the file").0
}

#[test]
fn every_changed_byte_is_named_with_its_part_and_no_other() {
    let folder = Folder::new();
    let (path, damaged) = (folder.file("t.parquet"), folder.file("damaged.parquet"));
    let (_, _, facts, _) = small_file(&path);
    let bytes = fs::read(&path).expect("read");
    let tail = &facts.tail;
    let whole = 12
        + facts.row_groups.iter().flat_map(|group| &group.chunk_bytes).sum::<u64>()
        + tail.page_index_bytes
        + 40
        + tail.footer_bytes
        + END_BYTES;
    assert_eq!((whole, whole), (facts.size_bytes, bytes.len() as u64));
    assert!(tail.page_index_bytes > 0 && tail.footer_bytes > 0);
    for place in 0..bytes.len() {
        let mut other = bytes.clone();
        other[place] ^= 1 << (place % 8);
        fs::write(&damaged, &other).expect("written");
        let due = part_of(place as u64, &facts.row_groups, tail);
        let found =
            |tail| damaged_parts(&damaged, &facts.row_groups, tail, &Interrupt::new()).expect("readable");
        assert_eq!(found(Some(tail)), [DamagedPart { part: due, kind: DamageKind::Changed }], "byte {place}");
        // A file by itself does not know its tail.
        let due = match due {
            FilePart::PageIndex | FilePart::Footer | FilePart::FooterLength | FilePart::EndMagic => {
                FilePart::AfterChunks
            }
            part => part,
        };
        assert_eq!(found(None), [DamagedPart { part: due, kind: DamageKind::Changed }], "byte {place}");
    }
}

#[test]
fn what_is_cut_off_and_what_was_added_is_named() {
    let folder = Folder::new();
    let path = folder.file("t.parquet");
    let (_, _, facts, _) = small_file(&path);
    let bytes = fs::read(&path).expect("read");
    let found = |bytes: &[u8]| {
        fs::write(&path, bytes).expect("written");
        damaged_parts(&path, &facts.row_groups, Some(&facts.tail), &Interrupt::new()).expect("readable")
    };
    let cut = found(&bytes[..=CHUNKS_OFFSET]);
    assert!(cut.iter().all(|part| part.kind == DamageKind::CutOff));
    assert_eq!((cut.len(), cut[0].part), (15, FilePart::Chunk { row_group: 0, column: 0 }));
    let seal_end = bytes.len() - 8 - usize::try_from(facts.tail.footer_bytes).expect("small");
    let cut = found(&bytes[..seal_end - 1]);
    assert_eq!((cut.len(), cut[0].part), (4, FilePart::Seal));
    let cut = found(&bytes[..bytes.len() - 5]);
    let parts: Vec<_> = cut.iter().map(|part| part.part).collect();
    assert_eq!(parts, [FilePart::FooterLength, FilePart::EndMagic]);
    let longer = [&bytes[..], b"more"].concat();
    assert_eq!(found(&longer), [DamagedPart { part: FilePart::BeyondEnd, kind: DamageKind::Changed }]);
}

#[test]
fn damage_of_the_seal_is_told_from_damage_beside_it() {
    let folder = Folder::new();
    let path = folder.file("t.parquet");
    let (_, _, facts, _) = small_file(&path);
    let bytes = fs::read(&path).expect("read");
    let found = |places: &[usize], tail| {
        let mut other = bytes.clone();
        for &place in places {
            other[place] = !other[place];
        }
        fs::write(&path, other).expect("written");
        let found = damaged_parts(&path, &facts.row_groups, tail, &Interrupt::new()).expect("readable");
        found.iter().map(|found| found.part).collect::<Vec<_>>()
    };
    let footer = bytes.len() - 8 - usize::try_from(facts.tail.footer_bytes).expect("small");
    let all: Vec<usize> = (footer - 40..footer).collect();
    let (tag, digest) = all.split_at(8);
    let seal = [FilePart::Seal];
    for places in [&all, tag, digest, &all[..24], &digest[..16]] {
        assert_eq!(found(places, Some(&facts.tail)), seal, "{places:?}");
    }
    for places in [tag, &all[..24], &digest[..16]] {
        assert_eq!(found(places, None), seal, "{places:?}");
    }
    // Of a seal that says nothing any more, a file by itself cannot tell that it was right.
    for places in [&all, digest, &digest[..17], &[footer - 1, footer]] {
        assert_eq!(found(places, None), [FilePart::AfterChunks], "{places:?}");
    }
    let beside = [footer - 40, footer];
    assert_eq!(found(&beside, Some(&facts.tail)), [FilePart::Seal, FilePart::Footer]);
    assert_eq!(found(&[footer - 1, footer], Some(&facts.tail)), [FilePart::Footer]);
}
