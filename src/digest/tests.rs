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
fn digests_survive_their_text_form() {
    let digest = digest_of(&[(Some(-5), &[Cell::Real(f64::INFINITY)])]);
    assert_eq!(digest.to_string().parse(), Ok(digest));
    let sha = Sha256Digest::of(b"abc");
    assert_eq!(sha.to_string().parse(), Ok(sha));
    assert!("1-ABC".parse::<ContentDigest>().is_err());
}
