//! B-trees whose pages are linked twice, or whose rows stand in no order: SQLite reads them without an error.

use std::ops::Range;

use parklite::error::ErrorKind;

use super::sources::{patch, refused};
use super::{describe, round_trip};
use crate::fixtures::Fixture;

/// The size of a page below.
const PAGE: usize = 512;

/// The bytes of a page, counted from 1.
fn page(number: usize) -> Range<usize> {
    (number - 1) * PAGE..number * PAGE
}

/// A b-tree page of this kind with these cells, and the child behind the last of them if it is an interior one.
///
/// Source: SQLite, "Database File Format", section 1.6.
fn b_tree_page(kind: u8, cells: &[Vec<u8>], last_child: Option<[u8; 4]>) -> Vec<u8> {
    let short = |number: usize| u16::try_from(number).expect("within a page").to_be_bytes();
    let mut page = vec![0; PAGE];
    page[0] = kind;
    page[3..5].copy_from_slice(&short(cells.len()));
    let mut pointer = 8;
    if let Some(child) = last_child {
        page[8..12].copy_from_slice(&child);
        pointer = 12;
    }
    let mut end = PAGE;
    for cell in cells {
        end -= cell.len();
        page[end..end + cell.len()].copy_from_slice(cell);
        page[pointer..pointer + 2].copy_from_slice(&short(end));
        pointer += 2;
    }
    page[5..7].copy_from_slice(&short(end));
    page
}

const TABLE_INTERIOR: u8 = 5;
const TABLE_LEAF: u8 = 13;
const INDEX_INTERIOR: u8 = 2;

fn root_page(fixture: &Fixture) -> usize {
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 't'";
    let root: u32 = fixture.open().query_row(sql, [], |row| row.get(0)).expect("a root page");
    root as usize
}

/// The first cell of a leaf page, which must be its only one.
fn only_cell(leaf: &[u8]) -> Vec<u8> {
    assert_eq!(leaf[3..5], [0, 1]);
    leaf[usize::from(u16::from_be_bytes([leaf[8], leaf[9]]))..].to_vec()
}

/// A b-tree of interior pages in a row, each of which links to the next one from all of its cells: a few pages, and
/// more rows than anybody waits for.
fn linked_again_and_again(fixture: &Fixture, definition: &str, is_keyed: bool) {
    fixture.execute(&format!(
        "PRAGMA page_size={PAGE}; CREATE TABLE {definition}; CREATE TABLE pages(a);
         INSERT INTO t VALUES ('a', 1); INSERT INTO pages VALUES (zeroblob(10000));"
    ));
    let root = root_page(fixture);
    let mut bytes = std::fs::read(&fixture.path).expect("reads");
    let leaf = bytes[page(root)].to_vec();
    // Pages of the large cell of the other table: what they hold is given up.
    let pages: Vec<usize> = std::iter::once(root).chain(6..20).collect();
    for pair in pages.windows(2) {
        let child = u32::try_from(pair[1]).expect("small").to_be_bytes();
        // In the b-tree of a key an interior cell is a row as well; in one of rowids it is a rowid.
        let (kind, content) =
            if is_keyed { (INDEX_INTERIOR, only_cell(&leaf)) } else { (TABLE_INTERIOR, vec![1]) };
        let cells = vec![[&child[..], &content].concat(); 20];
        bytes[page(pair[0])].copy_from_slice(&b_tree_page(kind, &cells, Some(child)));
    }
    bytes[page(pages[pages.len() - 1])].copy_from_slice(&leaf);
    std::fs::write(&fixture.path, bytes).expect("writes");
}

#[test]
fn pages_that_are_linked_twice_do_not_give_their_rows_twice() {
    let cases = [
        ("t(a, b)", false, "not in ascending order"),
        ("t(a, b, PRIMARY KEY (a)) WITHOUT ROWID", true, "order of its key"),
        // Under whatever collation an application may have had, such a key can be in order.
        (
            "t(a COLLATE OTHER, b, PRIMARY KEY (a)) WITHOUT ROWID",
            true,
            "more rows than the database has room for",
        ),
    ];
    for (definition, is_keyed, words) in cases {
        let fixture = Fixture::new("linked");
        let known = definition.replace("OTHER", "NOCASE");
        linked_again_and_again(&fixture, &known, is_keyed);
        if known != definition {
            fixture.execute(
                "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = replace(sql, 'NOCASE', 'OTHER') WHERE name = 't'",
            );
        }
        let error = refused(&fixture);
        assert_eq!(error.kind(), ErrorKind::Damaged, "{definition}: {}", describe(&error));
        assert!(error.to_string().contains(words), "{definition}: {}", describe(&error));
        assert_eq!(error.place().table.as_deref(), Some("t"));
    }
}

/// Rows that share one chain of overflow pages: the file holds the bytes once, SQLite gives them ten times.
#[test]
fn overflow_pages_that_are_shared_do_not_make_a_table_larger_than_its_file() {
    let fixture = Fixture::new("shared");
    // So many bytes that the least possible number of them stays in the leaf.
    fixture.execute(&format!(
        "PRAGMA page_size={PAGE}; CREATE TABLE t(a); INSERT INTO t VALUES (zeroblob({}));",
        39 + 177 * (PAGE - 4) - 4
    ));
    round_trip(&fixture);
    let root = root_page(&fixture);
    let mut bytes = std::fs::read(&fixture.path).expect("reads");
    let cell = only_cell(&bytes[page(root)]);
    // The length in three bytes, the rowid in one, 39 bytes, and the first overflow page.
    assert_eq!((cell.len(), cell[3]), (47, 1));
    let cells: Vec<Vec<u8>> = (1..=10).map(|rowid| [&cell[..3], &[rowid], &cell[4..]].concat()).collect();
    bytes[page(root)].copy_from_slice(&b_tree_page(TABLE_LEAF, &cells, None));
    std::fs::write(&fixture.path, bytes).expect("writes");
    let rows = fixture.open().query_row("SELECT sum(length(a)) FROM t", [], |row| row.get::<_, i64>(0));
    assert_eq!(rows, Ok(10 * 89_951), "SQLite reads them without an error");
    let error = refused(&fixture);
    assert_eq!(error.kind(), ErrorKind::Damaged);
    assert!(error.to_string().contains("more data than the database holds"), "{error}");
}

#[test]
fn a_key_in_an_order_that_no_collation_explains_is_damage() {
    for definition in ["k TEXT", "k TEXT COLLATE NOCASE, n INTEGER NOT NULL DEFAULT 1"] {
        let fixture = Fixture::new("misordered");
        let key = if definition.contains("DEFAULT") { "n, k" } else { "k" };
        fixture.execute(&format!(
            "CREATE TABLE t({definition}, PRIMARY KEY ({key})) WITHOUT ROWID;
             INSERT INTO t(k) VALUES ('aaaa'), ('bbbb'), ('cccc');"
        ));
        round_trip(&fixture);
        if definition.contains("NOCASE") {
            // The same key twice.
            patch(&fixture, b"bbbb", b"aaaa");
        } else {
            patch(&fixture, b"bbbb", b"dddd");
        }
        let error = refused(&fixture.duplicate());
        assert_eq!(error.kind(), ErrorKind::Damaged, "{definition}: {error}");
        assert!(error.place().row_ordinal.is_some_and(|row| row == 2 || row == 3), "{error}");
    }
}
