use std::io::Cursor;

use rusqlite::Connection;

use super::*;

/// A WAL of three commits, in which every page of the database is.
fn made() -> Vec<u8> {
    made_with_pages().0
}

/// The WAL that is left when `sql` has run, and how many pages the database then has.
fn wal_after(sql: &str) -> (Vec<u8>, u32) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.db");
    let connection = Connection::open(&path).expect("opens");
    let settings = "PRAGMA page_size=512; PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;";
    connection.execute_batch(&format!("{settings} {sql}")).expect("writes");
    let pages = connection.query_row("PRAGMA page_count", [], |row| row.get(0)).expect("is counted");
    (std::fs::read(folder.path().join("a.db-wal")).expect("a WAL"), pages)
}

fn made_with_pages() -> (Vec<u8>, u32) {
    wal_after(
        "CREATE TABLE t(a); INSERT INTO t VALUES (zeroblob(2000)); INSERT INTO t VALUES (randomblob(900));",
    )
}

fn read(bytes: &[u8]) -> WalFrames {
    read_wal(&mut Cursor::new(bytes)).expect("reads")
}

#[test]
fn a_sound_wal_has_its_pages_and_no_loss() {
    let (wal, pages) = made_with_pages();
    let found = read(&wal);
    assert_eq!(found.loss, None);
    assert!(pages > 5);
    assert_eq!(found.committed_pages, (1..=pages).collect());
    assert_eq!(read(b""), WalFrames::default());
}

#[test]
fn a_wal_that_was_cut_is_told_unless_it_ends_with_a_commit() {
    let wal = made();
    let mut silent = Vec::new();
    for length in 1..wal.len() {
        let found = read(&wal[..length]);
        if found.loss.is_none() {
            silent.push(length);
        }
    }
    // The header alone, and the commits but for the last one.
    let frames: Vec<usize> = silent.iter().map(|length| (length - 32) / 536).collect();
    assert_eq!((frames.first(), frames.len()), (Some(&0), 3), "{frames:?}");
    assert!(silent.iter().all(|length| (length - 32).is_multiple_of(536)));
}

#[test]
fn every_changed_bit_of_a_wal_is_told() {
    let mut wal = made();
    for at in 0..wal.len() {
        let bit = 1 << (at % 8);
        wal[at] ^= bit;
        assert!(read(&wal).loss.is_some(), "{at}");
        wal[at] ^= bit;
    }
}

const BEGUN_ANEW: &str = "CREATE TABLE t(a); INSERT INTO t VALUES (randomblob(9000));
    PRAGMA wal_checkpoint(RESTART); INSERT INTO t VALUES (1);";

#[test]
fn what_an_earlier_use_of_a_wal_left_is_no_loss() {
    let (wal, _) = wal_after(BEGUN_ANEW);
    let found = read(&wal);
    assert_eq!((found.loss, found.committed_pages.len()), (None, 1));
}

/// The WAL that is left when `sql` ran on what was there as another program died.
fn wal_begun_by_two(first: &str, second: &str) -> Vec<u8> {
    let [one, two] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let path = one.path().join("a.db");
    let settings = "PRAGMA page_size=512; PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;";
    let table = format!("{settings} CREATE TABLE t(a);");
    // Closed, it has no WAL, and no count of checkpoints.
    Connection::open(&path).expect("opens").execute_batch(&table).expect("writes");
    let dies = Connection::open(&path).expect("opens");
    dies.execute_batch(&format!("{settings} {first}")).expect("writes");
    for name in ["a.db", "a.db-wal"] {
        std::fs::copy(one.path().join(name), two.path().join(name)).expect("copies");
    }
    let connection = Connection::open(two.path().join("a.db")).expect("opens");
    connection.execute_batch(&format!("{settings} {second}")).expect("writes");
    std::fs::read(two.path().join("a.db-wal")).expect("a WAL")
}

const SPILLS: &str = "PRAGMA cache_size=2; BEGIN; INSERT INTO t VALUES (randomblob(9000));";

#[test]
fn a_wal_that_was_begun_anew_with_unrelated_salts_has_no_loss() {
    // Whether its first salt seems to be counted up is left to chance, in one of 256.
    for _ in 0..3 {
        let wal = wal_begun_by_two(SPILLS, "INSERT INTO t VALUES (1);");
        let salts: Vec<_> = wal[32..].chunks_exact(536).map(|frame| &frame[8..16]).collect();
        assert!(salts.len() > 5 && salts[0] == &wal[16..24] && salts[1] != salts[0], "{salts:?}");
        let found = read(&wal);
        assert_eq!((found.loss, found.committed_pages.len()), (None, 1));
    }
}

#[test]
fn a_frame_that_was_changed_before_those_with_unrelated_salts_is_told() {
    let mut wal = wal_begun_by_two(SPILLS, "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2);");
    let own = wal[32..].chunks_exact(536).filter(|frame| frame[8..16] == wal[16..24]).count();
    assert_eq!(own, 2);
    for at in (32 + 536)..(32 + 2 * 536) {
        wal[at] ^= 1;
        assert!(read(&wal).loss.is_some(), "{at}");
        wal[at] ^= 1;
    }
    // One of them that does not go with the next is no proof.
    wal[32 + 3 * 536 + 16] ^= 1;
    wal[32 + 2 * 536 + 8] ^= 1;
    assert!(read(&wal).loss.is_some());
}

#[test]
fn frames_that_became_zeros_or_noise_are_no_earlier_use() {
    // Of the second one the first frame alone is of its last use.
    for (wal, frames) in [(made(), 1..=9), (wal_after(BEGUN_ANEW).0, 1..=1)] {
        for kept in frames.map(|frames| 32 + frames * 536).filter(|&kept| kept < wal.len()) {
            let mut zeros = wal.clone();
            zeros[kept..].fill(0);
            assert!(read(&zeros).loss.is_some(), "zeros behind {kept}");
            let noise: Vec<u8> = (1..=251).cycle().take(wal.len() - kept).collect();
            zeros[kept..].copy_from_slice(&noise);
            assert!(read(&zeros).loss.is_some(), "noise behind {kept}");
        }
    }
    let mut all = made();
    all[32..].fill(0);
    assert_eq!(
        read(&all).loss.map(|loss| loss.contains("frame 1 of")),
        Some(true),
        "a WAL with nothing but its header"
    );
}
