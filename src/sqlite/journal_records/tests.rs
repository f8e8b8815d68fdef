use std::io::Cursor;
use std::path::Path;

use rusqlite::Connection;

use super::*;

const PAGE: usize = 512;
const RECORD: usize = PAGE + 8;
const SECTOR: usize = 512;
/// Of the database of [`hot`].
const PAGES: u32 = 42;

/// The journal of a transaction under way that has changed every row; some of its pages are in the database already.
fn hot(settings: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.db");
    let connection = Connection::open(&path).expect("opens");
    let fill =
        "CREATE TABLE t(a, b); WITH RECURSIVE n(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM n LIMIT 40)
                INSERT INTO t SELECT a, randomblob(300) FROM n;";
    let change = "PRAGMA cache_size=12; BEGIN; UPDATE t SET b = randomblob(300);";
    connection.execute_batch(&format!("PRAGMA page_size=512; {fill} {settings} {change}")).expect("writes");
    read_beside(&path)
}

fn read_beside(path: &Path) -> Vec<u8> {
    std::fs::read(path.with_file_name("a.db-journal")).expect("a journal")
}

fn damage(bytes: &[u8]) -> Option<String> {
    let stated_pages = bytes.starts_with(&MAGIC).then_some(PAGES);
    damage_of_journal(&mut Cursor::new(bytes), Beside { page_bytes: 512, stated_pages }).expect("reads")
}

/// Where the headers with a magic are.
fn headers(journal: &[u8]) -> Vec<usize> {
    (0..journal.len()).step_by(SECTOR).filter(|&at| journal[at..].starts_with(&MAGIC)).collect()
}

#[test]
fn a_whole_journal_has_no_damage_however_many_headers_it_has() {
    let journal = hot("");
    assert!(headers(&journal).len() > 2, "{:?}", headers(&journal));
    assert!(headers(&journal).iter().any(|&at| word(&journal, at + 8) > 1) && word(&journal, 16) == PAGES);
    assert_eq!(damage(&journal), None);
    assert_eq!(damage(b""), None);
    let unsynced = hot("PRAGMA synchronous=OFF;");
    assert_eq!(word(&unsynced, 8), ALL_THAT_FOLLOW);
    assert_eq!(damage(&unsynced), None);
}

#[test]
fn a_journal_that_was_finished_and_kept_has_no_damage() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.db");
    let connection = Connection::open(&path).expect("opens");
    let sql = "PRAGMA page_size=512; PRAGMA journal_mode=PERSIST; CREATE TABLE t(a);
               INSERT INTO t VALUES (randomblob(9000)); UPDATE t SET a = randomblob(9000);";
    connection.execute_batch(sql).expect("writes");
    let kept = read_beside(&path);
    assert!(kept.len() > 9000 && kept[..HEADER_BYTES] == [0; HEADER_BYTES]);
    assert_eq!(damage(&kept), None);
    // A shorter one over it, under way: behind its records stands what the longer one left.
    let sql = "PRAGMA cache_size=1; BEGIN; INSERT INTO t VALUES (randomblob(2500));";
    connection.execute_batch(sql).expect("writes");
    let under_way = read_beside(&path);
    assert!(under_way.starts_with(&MAGIC) && under_way.len() > 9000);
    let database = Beside { page_bytes: 512, stated_pages: None };
    assert_eq!(damage_of_journal(&mut Cursor::new(under_way), database).expect("reads"), None);
}

/// Nothing is in the database yet while the journal has no magic.
#[test]
fn a_journal_of_which_nothing_was_synced_has_no_damage() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.db");
    let connection = Connection::open(&path).expect("opens");
    let sql = "PRAGMA page_size=512; CREATE TABLE t(a); BEGIN; INSERT INTO t VALUES (1);";
    connection.execute_batch(sql).expect("writes");
    let begun = read_beside(&path);
    assert!(begun[..12] == [0; 12] && begun[12..28] != [0; 16]);
    assert_eq!(damage(&begun), None);
}

#[test]
fn every_changed_bit_that_decides_what_is_put_back_is_told() {
    for mut journal in [hot(""), hot("PRAGMA synchronous=OFF;")] {
        let headers = headers(&journal);
        let mut places = vec![];
        for (ordinal, &at) in headers.iter().enumerate() {
            // Page count, sector and page size count in the first header alone; its nonce and count in each.
            places.extend(at..at + if ordinal == 0 { HEADER_BYTES } else { 16 });
            let count = word(&journal, at + 8);
            let count =
                if count == ALL_THAT_FOLLOW { (journal.len() - SECTOR) / RECORD } else { count as usize };
            for record in (0..count).map(|record| at + SECTOR + record * RECORD) {
                // The checksum, and the bytes of the page that are in it: the 112th and the 312th.
                places.extend(record + 4 + PAGE..record + RECORD);
                places.extend([record + 4 + 112, record + 4 + 312]);
            }
        }
        assert!(places.len() > 100);
        for at in places {
            for bit in 0..8 {
                journal[at] ^= 1 << bit;
                // Without a page size in its header a journal is put back all the same, in pages of the database.
                let has_no_page_size = journal[24..28] == [0; 4];
                assert_eq!(damage(&journal).is_none(), has_no_page_size, "byte {at}, bit {bit}");
                journal[at] ^= 1 << bit;
            }
        }
    }
}

#[test]
fn a_record_of_a_page_that_is_there_already_or_cannot_be_there_is_told() {
    let mut journal = hot("PRAGMA synchronous=OFF;");
    let second = SECTOR + RECORD;
    for number in [0, word(&journal, SECTOR), PAGES + 1] {
        journal[second..second + 4].copy_from_slice(&number.to_be_bytes());
        assert_eq!(
            damage(&journal),
            Some("record 2 is of a page that cannot be there".to_owned()),
            "{number}"
        );
    }
}

#[test]
fn a_journal_that_was_cut_is_told_unless_it_ends_where_it_may_end() {
    let journal = hot("");
    let headers = headers(&journal);
    let ends: Vec<_> =
        headers.iter().map(|&at| at + SECTOR + RECORD * word(&journal, at + 8) as usize).collect();
    // Behind the last one a header was begun, which counts nothing; its nonce tells that it is there.
    let nonce_at = ends[ends.len() - 1].next_multiple_of(SECTOR) + 12;
    assert!(journal.len() > nonce_at && journal[nonce_at - 12..nonce_at] == [0; 12]);
    for length in (1..journal.len()).filter(|length| !(nonce_at + 1..nonce_at + 4).contains(length)) {
        let may_end = ends.contains(&length) || length > nonce_at;
        assert_eq!(damage(&journal[..length]).is_none(), may_end, "{length}");
    }
    let open = hot("PRAGMA synchronous=OFF;");
    for length in 1..open.len() {
        let is_at_record = length > SECTOR && (length - SECTOR).is_multiple_of(RECORD);
        assert_eq!(damage(&open[..length]).is_none(), is_at_record || length == SECTOR, "{length}");
    }
}

#[test]
fn zeros_in_the_place_of_a_journal_or_of_its_beginning_are_told() {
    let mut journal = hot("");
    assert_eq!(damage(&vec![0; journal.len()]), Some("it is all zeros".to_owned()));
    assert_eq!(damage(&[0]), Some("it is all zeros".to_owned()));
    let second = headers(&journal)[1];
    let whole = journal.clone();
    journal[second..second + SECTOR].fill(0);
    assert!(damage(&journal).is_some_and(|why| why.starts_with("there are zeros behind its first")));
    journal[..4096].fill(0);
    assert_eq!(damage(&journal), Some("its beginning was lost: there are zeros".to_owned()));
    let mut journal = whole;
    journal[..8].fill(0);
    assert_eq!(damage(&journal), Some("it does not begin as a journal does".to_owned()));
}

/// As it is when all is in the database, and nothing is left to do but to remove the journal.
fn at_its_end(connection: &Connection, path: &Path, change: &str) -> Vec<u8> {
    connection.execute_batch(&format!("PRAGMA journal_mode=PERSIST; BEGIN; {change}")).expect("writes");
    let begun = read_beside(path);
    connection.execute_batch("COMMIT").expect("commits");
    let mut journal = read_beside(path);
    // That it was kept cost it the beginning of its header.
    assert!(journal[..HEADER_BYTES] == [0; HEADER_BYTES] && begun[12..HEADER_BYTES] != [0; 16]);
    journal[..HEADER_BYTES].copy_from_slice(&begun[..HEADER_BYTES]);
    if !begun.starts_with(&MAGIC) {
        let header =
            Header::decode(begun[..HEADER_BYTES].try_into().expect("a header"), 0).expect("a header");
        let count = journal[SECTOR..].chunks_exact(RECORD).take_while(|&record| header.fits(record)).count();
        journal[..8].copy_from_slice(&MAGIC);
        journal[8..12].copy_from_slice(&u32::try_from(count).expect("few").to_be_bytes());
    }
    journal
}

fn damage_in_any_size(bytes: &[u8]) -> Option<String> {
    let database = Beside { page_bytes: 512, stated_pages: None };
    damage_of_journal(&mut Cursor::new(bytes), database).expect("reads")
}

#[test]
fn a_later_header_that_counts_no_records_is_no_damage() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.db");
    let connection = Connection::open(&path).expect("opens");
    let table =
        "PRAGMA page_size=512; CREATE TABLE t(a UNIQUE, b); INSERT INTO t VALUES ('a', zeroblob(3000)),
                 ('b', zeroblob(3000)), ('c', zeroblob(3000)); PRAGMA cache_size=14;";
    connection.execute_batch(table).expect("writes");
    let journal = at_its_end(&connection, &path, "INSERT INTO t SELECT 'n' || rowid, zeroblob(3000) FROM t;");
    let counts: Vec<_> = headers(&journal).iter().map(|&at| word(&journal, at + 8)).collect();
    assert!(counts.len() > 1 && counts[0] > 0 && counts.ends_with(&[0]), "{counts:?}");
    assert_eq!(damage_in_any_size(&journal), None);
    // A count that became 0 is told by its records.
    let mut journal = journal;
    journal[8..12].fill(0);
    assert!(damage_in_any_size(&journal).is_some());
}

#[test]
fn a_first_header_that_counts_no_records_is_no_damage_where_the_database_was_empty() {
    for settings in ["", "PRAGMA synchronous=OFF;"] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.db");
        let connection = Connection::open(&path).expect("opens");
        let sql = "PRAGMA cache_size=2; BEGIN; CREATE TABLE t(a); INSERT INTO t VALUES (randomblob(9000));";
        connection.execute_batch(&format!("PRAGMA page_size=512; {settings} {sql}")).expect("writes");
        let journal = read_beside(&path);
        assert!(journal.starts_with(&MAGIC) && word(&journal, 16) == 0);
        assert!([0, ALL_THAT_FOLLOW].contains(&word(&journal, 8)));
        let database = Beside { page_bytes: 512, stated_pages: Some(20) };
        assert_eq!(damage_of_journal(&mut Cursor::new(&journal), database).expect("reads"), None);
    }
}

#[test]
fn zeros_that_begin_inside_a_later_header_are_told() {
    let journal = hot("");
    let later = headers(&journal).split_off(1);
    assert!(later.len() > 1);
    for at in later {
        for begin in at..at + HEADER_BYTES {
            let mut zeros = journal.clone();
            zeros[begin..].fill(0);
            assert!(damage(&zeros).is_some(), "header {at}, from {begin}");
            zeros[at + SECTOR..].copy_from_slice(&journal[at + SECTOR..]);
            // Behind its nonce a later header has nothing that counts.
            let is_other = zeros[at..at + 16] != journal[at..at + 16];
            assert_eq!(damage(&zeros).is_some(), is_other, "header {at}, from {begin}, one sector");
        }
    }
}

/// A database whose kept journal is of a transaction that had 70 pages of zeros to keep.
fn with_kept_zeros(path: &Path) -> Connection {
    let connection = Connection::open(path).expect("opens");
    let sql = "PRAGMA page_size=512; PRAGMA journal_mode=PERSIST; CREATE TABLE t(a, b);
               INSERT INTO t VALUES (1, zeroblob(15000)), (2, zeroblob(15000)), (3, zeroblob(5000)); CREATE TABLE u(a, b);
               WITH RECURSIVE n(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM n LIMIT 40)
               INSERT INTO u SELECT a, randomblob(200) FROM n; UPDATE t SET b = randomblob(length(b));";
    connection.execute_batch(sql).expect("writes");
    connection
}

#[test]
fn zeros_of_pages_that_an_earlier_transaction_left_are_no_damage() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.db");
    let connection = with_kept_zeros(&path);
    let journal = at_its_end(&connection, &path, "UPDATE u SET b = randomblob(200) WHERE a IN (7, 30);");
    let header_at = (SECTOR + RECORD * word(&journal, 8) as usize).next_multiple_of(SECTOR);
    assert!(journal.len() > header_at + 8 * RECORD && journal[header_at..header_at + 28] == [0; 28]);
    assert_eq!(damage_in_any_size(&journal), None);
    // Without those pages the same zeros may be what became of a header.
    let mut zeros = journal;
    zeros[header_at..].fill(0);
    let told = damage_in_any_size(&zeros);
    assert!(told.is_some_and(|why| why.starts_with("there are zeros behind its first")));
}

#[test]
fn a_header_that_was_lost_among_zeros_of_an_earlier_transaction_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.db");
    let connection = with_kept_zeros(&path);
    let change = "PRAGMA cache_size=4; BEGIN; UPDATE u SET b = randomblob(200);";
    connection.execute_batch(change).expect("writes");
    let journal = read_beside(&path);
    assert_eq!(damage_in_any_size(&journal), None);
    let later = headers(&journal).split_off(1);
    assert!(later.len() > 1 && journal.len() > later[later.len() - 1] + 8 * RECORD, "{later:?}");
    for at in later {
        for end in [at + HEADER_BYTES, at + SECTOR, at + 2 * SECTOR, journal.len()] {
            let mut zeros = journal.clone();
            zeros[at..end].fill(0);
            assert!(damage_in_any_size(&zeros).is_some(), "{at} to {end}");
        }
    }
}

#[test]
fn a_super_journals_name_may_stand_behind_the_records() {
    let name = |journal: &mut Vec<u8>| {
        journal.extend_from_slice(&(LOCK_BYTE / 512 + 1).to_be_bytes());
        journal.extend_from_slice(b"/data/a.db-mj0123AB9cD");
        journal.extend_from_slice(&[0, 0, 0, 22, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    };
    let mut open = hot("PRAGMA synchronous=OFF;");
    name(&mut open);
    assert_eq!(damage(&open), None);
    let mut journal = hot("");
    let last = headers(&journal).pop().expect("a header");
    let end = last + SECTOR + RECORD * word(&journal, last + 8) as usize;
    journal.truncate(end);
    journal.resize(end.next_multiple_of(SECTOR), 0);
    name(&mut journal);
    assert_eq!(damage(&journal), None);
}
