//! Digests tell rows and schemas apart, and nothing else.

use super::*;
use crate::schema::Cell;

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
fn a_sha256_is_that_of_another_implementation_however_the_bytes_came() {
    use sha2::Digest as _;
    let bytes: Vec<u8> = (0..70_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    // About the ends of its blocks of 64 bytes, of which the last holds a length, and far beyond.
    for length in (0..200).chain([4095, 4096, 65_537, 70_000]) {
        let bytes = &bytes[..length];
        let expected: [u8; 32] = sha2::Sha256::digest(bytes).into();
        assert_eq!(Sha256Digest::of(bytes), Sha256Digest(expected), "{length} bytes");
        for size in [1, 7, 64, 1000] {
            let mut hasher = Sha256Hasher::default();
            let mut before = hasher.clone();
            for piece in bytes.chunks(size) {
                before = hasher.clone();
                hasher.update(piece);
            }
            assert_eq!(hasher.finish(), Sha256Digest(expected), "{length} bytes by {size}");
            // A copy goes its own way.
            before.update(bytes.chunks(size).next_back().unwrap_or_default());
            assert_eq!(before.finish(), Sha256Digest(expected), "{length} bytes by {size}");
        }
    }
}

#[test]
fn digests_survive_their_text_form() {
    let digest = digest_of(&[(Some(-5), &[Cell::Real(f64::INFINITY)])]);
    assert_eq!(digest.to_string().parse(), Ok(digest));
    let sha = Sha256Digest::of(b"abc");
    assert_eq!(sha.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(sha.to_string().parse(), Ok(sha));
    assert!("1-ABC".parse::<ContentDigest>().is_err());
}
