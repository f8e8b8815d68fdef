//! Sources that are odd in their schema, their names or their layout: an error that says so, or everything comes back.

use std::sync::Mutex;

use parklite::clock::SystemClock;
use parklite::error::{Error, ErrorKind, Result};
use parklite::export::{ExportOptions, ExportReport, Selection, export};
use parklite::progress::{Phase, PhaseKind, Progress};
use parklite::run::{Interrupt, Run};
use parklite::verify::VerifyLevel;
use rusqlite::Connection;

use super::{describe, export_options, export_to, restore_from, round_trip, verify_at, with_run};
use crate::fixtures::Fixture;
use crate::judge;

fn try_export(fixture: &Fixture) -> Result<ExportReport> {
    let result = with_run(|run| export(&fixture.path, &export_options(&fixture.folder().join("out")), run));
    assert_eq!(result.is_ok(), fixture.folder().join("out").exists(), "{}", fixture.name);
    result
}

/// The error of an export that publishes nothing.
pub(super) fn refused(fixture: &Fixture) -> Error {
    match try_export(fixture) {
        Ok(report) => panic!("{}: exported {} rows", fixture.name, report.rows),
        Err(error) => error,
    }
}

const SCHEMA: &str = "
CREATE TABLE a(id INTEGER PRIMARY KEY, b TEXT); CREATE TABLE c(x, y); CREATE INDEX cx ON c(x);
CREATE UNIQUE INDEX cy ON c(y); CREATE TABLE w(k PRIMARY KEY, v) WITHOUT ROWID; CREATE TABLE u(q UNIQUE);
CREATE VIEW v AS SELECT 1; CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END;
CREATE VIRTUAL TABLE f USING fts5(t); INSERT INTO f VALUES('hello');
INSERT INTO a VALUES(1,'one'),(2,'two'),(3,'three'); INSERT INTO c VALUES('p',1),('q',2);
INSERT INTO w VALUES('k',1),('l',2); INSERT INTO u VALUES(7);
PRAGMA writable_schema=ON;
";

/// What is done to the schema, and what is said of it. With none of these may an export succeed: a table, or what
/// belongs to it, would be lost.
const BROKEN_SCHEMAS: [(&str, &str, &str); 14] = [
    ("a table without a b-tree", "UPDATE sqlite_schema SET rootpage=0 WHERE name='a'", "a table no b-tree"),
    ("a table with NULL for one", "UPDATE sqlite_schema SET rootpage=NULL WHERE name='a'", "damaged"),
    ("the schema's own b-tree", "UPDATE sqlite_schema SET rootpage=1 WHERE name='a'", "damaged"),
    ("a b-tree beyond the end", "UPDATE sqlite_schema SET rootpage=5000 WHERE name='a'", "damaged"),
    ("a negative b-tree", "UPDATE sqlite_schema SET rootpage=-3 WHERE name='a'", "damaged"),
    (
        "two tables with one b-tree",
        "UPDATE sqlite_schema SET rootpage=(SELECT rootpage FROM sqlite_schema WHERE name='a') WHERE name='c'",
        "two tables the same b-tree",
    ),
    (
        "a key that is no key",
        "UPDATE sqlite_schema SET sql='CREATE TABLE c(x PRIMARY KEY,y) WITHOUT ROWID' WHERE name='c'",
        "damaged",
    ),
    (
        "a virtual table with a b-tree",
        "UPDATE sqlite_schema SET rootpage=3 WHERE name='f'",
        "a virtual table a b-tree",
    ),
    ("a trigger with a b-tree", "UPDATE sqlite_schema SET rootpage=3 WHERE name='t'", "makes no sense"),
    ("a type in capitals", "UPDATE sqlite_schema SET type='TABLE' WHERE name='a'", "makes no sense"),
    (
        "an index called a table",
        "UPDATE sqlite_schema SET type='table' WHERE name='sqlite_autoindex_u_1'",
        "no row in sqlite_schema",
    ),
    (
        "a constraint without its index",
        "DELETE FROM sqlite_schema WHERE name='sqlite_autoindex_u_1'",
        "no row in sqlite_schema",
    ),
    ("a name with a NUL", "UPDATE sqlite_schema SET name='a'||char(0)||'b' WHERE name='a'", "a NUL"),
    (
        "a definition that is a BLOB",
        "UPDATE sqlite_schema SET sql=CAST(sql AS BLOB) WHERE name='a'",
        "makes no sense",
    ),
];

#[test]
fn a_schema_that_hides_a_table_or_an_index_is_refused() {
    for (name, deed, words) in BROKEN_SCHEMAS {
        let fixture = Fixture::new("schema");
        fixture.execute(&format!("{SCHEMA} {deed}"));
        let error = refused(&fixture);
        assert_eq!(error.kind(), ErrorKind::Damaged, "{name}: {error}");
        assert!(error.to_string().contains(words), "{name}: {error}");
    }
}

/// These too are no SQL's work, but hide nothing: SQLite reads the tables, and so does a restore.
#[test]
fn a_schema_that_is_merely_odd_comes_back() {
    let deeds = [
        "UPDATE sqlite_schema SET name='W', tbl_name='W' WHERE name='w'",
        "UPDATE sqlite_schema SET tbl_name='C' WHERE name='cx'",
        "UPDATE sqlite_schema SET sql='CREATE TABLE c(x,y,z DEFAULT ''dd'')' WHERE name='c'",
        "DELETE FROM sqlite_schema WHERE name='cx'",
    ];
    for deed in deeds {
        let fixture = Fixture::new("schema");
        fixture.execute(&format!("{SCHEMA} {deed}"));
        let (snapshot, _) = export_to(&fixture, "snapshot");
        assert!(verify_at(&snapshot, VerifyLevel::Restore).expect("verified").intact, "{deed}");
        let (restored, _) = restore_from(&fixture, &snapshot, "restored.db");
        for table in ["a", "c", "w", "u"] {
            judge::same_table(&fixture.path, &restored, table);
        }
    }
}

/// An index is rebuilt from its table, whatever became of its pages.
#[test]
fn an_index_that_has_lost_its_b_tree_gets_a_new_one() {
    for page in ["0", "1", "(SELECT rootpage FROM sqlite_schema WHERE name = 'c')"] {
        let fixture = Fixture::new("index");
        fixture.execute(&format!("{SCHEMA} UPDATE sqlite_schema SET rootpage={page} WHERE name='cx'"));
        let (snapshot, _) = export_to(&fixture, "snapshot");
        let (restored, _) = restore_from(&fixture, &snapshot, "restored.db");
        let restored = Connection::open(restored).expect("opens");
        let count =
            restored.query_row("SELECT count(*) FROM c INDEXED BY cx WHERE x > ''", [], |row| row.get(0));
        assert_eq!(count, Ok(2), "{page}");
    }
}

/// The value of one cell, found by its bytes in the file and replaced there.
pub(super) fn patch(fixture: &Fixture, from: &[u8], to: &[u8]) {
    let mut bytes = std::fs::read(&fixture.path).expect("reads");
    let found: Vec<usize> = bytes
        .windows(from.len())
        .enumerate()
        .filter(|(_, window)| *window == from)
        .map(|(at, _)| at)
        .collect();
    for &at in &found {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    assert!(!found.is_empty(), "{}: the bytes are there", fixture.name);
    std::fs::write(&fixture.path, bytes).expect("writes");
}

#[test]
fn an_index_whose_name_is_no_text_is_named_and_everything_else_comes_back() {
    let fixture = Fixture::new("surrogate");
    fixture.execute(
        "PRAGMA encoding='UTF-16le'; CREATE TABLE t(a, b); CREATE INDEX inameij ON t(a); CREATE INDEX other ON t(b);
         INSERT INTO t VALUES (1, 'x'), (2, 'y');",
    );
    let utf16 = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    // In the row's name and in its definition: half a surrogate pair.
    let broken = [utf16("iname"), vec![0x00, 0xd8], utf16("j")].concat();
    patch(&fixture, &utf16("inameij"), &broken);
    let (snapshot, report) = export_to(&fixture, "snapshot");
    assert_eq!(report.not_kept.len(), 1, "{:?}", report.not_kept);
    assert!(report.not_kept[0].to_string().contains("no text that SQL could spell"), "{:?}", report.not_kept);
    assert!(verify_at(&snapshot, VerifyLevel::Restore).expect("verified").intact);
    let (restored, report) = restore_from(&fixture, &snapshot, "restored.db");
    assert_eq!(report.not_kept.len(), 1);
    let restored = Connection::open(restored).expect("opens");
    let count =
        restored.query_row("SELECT count(*) FROM t INDEXED BY other WHERE b > ''", [], |row| row.get(0));
    assert_eq!(count, Ok(2));
    let indexes =
        restored.query_row("SELECT count(*) FROM sqlite_schema WHERE type = 'index'", [], |row| row.get(0));
    assert_eq!(indexes, Ok(1));
}

#[test]
fn the_counter_of_a_table_whose_name_is_no_text_goes_with_it() {
    let fixture = Fixture::new("counter");
    fixture.execute(
        "CREATE TABLE nameX(id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO nameX VALUES (41);
         DELETE FROM nameX; CREATE TABLE plain(a);",
    );
    patch(&fixture, b"nameX", b"name\xff");
    let output = fixture.folder().join("part");
    let selection = Selection { tables: Vec::new(), exclude: vec!["plain".into()] };
    let options = ExportOptions { selection, ..export_options(&output) };
    with_run(|run| export(&fixture.path, &options, run))
        .unwrap_or_else(|error| panic!("{}", describe(&error)));
    let (restored, _) = restore_from(&fixture, &output, "restored.db");
    let sql = "SELECT hex(name) || seq FROM sqlite_sequence";
    let counter: String =
        Connection::open(restored).expect("opens").query_row(sql, [], |row| row.get(0)).expect("a row");
    assert_eq!(counter, "6E616D65FF41");
}

/// Every size of a page, and every number of bytes reserved in it that SQLite takes.
#[test]
fn reserved_bytes_of_any_number_are_read_past() {
    for (page_size, reserved) in [(512, 1), (512, 32), (1024, 16), (1024, 255), (4096, 32), (65536, 8)] {
        let fixture = Fixture::new("reserved");
        fixture
            .execute(&format!("PRAGMA page_size={page_size}; CREATE TABLE gone(a); DROP TABLE gone; VACUUM"));
        let mut bytes = std::fs::read(&fixture.path).expect("reads");
        bytes[20] = reserved;
        // Where the content of the empty page begins; 65536 does not fit and is 0.
        let usable = u16::try_from(page_size - u32::from(reserved)).expect("fits");
        bytes[105..107].copy_from_slice(&usable.to_be_bytes());
        std::fs::write(&fixture.path, bytes).expect("writes");
        fixture.execute(
            "CREATE TABLE t(a, b); CREATE INDEX i ON t(b); CREATE TABLE w(k PRIMARY KEY, v) WITHOUT ROWID;
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
             INSERT INTO t SELECT i, printf('%0*d', i * 13, i) FROM n;
             INSERT INTO w SELECT b, a FROM t;",
        );
        assert_eq!(std::fs::read(&fixture.path).expect("reads")[20], reserved, "SQLite keeps them");
        round_trip(&fixture);
    }
}

/// SQLite takes the number of pages from the header, and reads no further.
#[test]
fn garbage_behind_the_last_page_is_no_part_of_the_database() {
    for garbage in [1, 511, 512, 4096, 10_000] {
        let fixture = crate::fixtures::gymlog();
        let mut bytes = std::fs::read(&fixture.path).expect("reads");
        bytes.extend(std::iter::repeat_n(0xa5, garbage));
        std::fs::write(&fixture.path, bytes).expect("writes");
        round_trip(&fixture);
    }
}

/// Interrupts the run as soon as the check begins, and remembers what began.
struct InterruptsTheCheck<'a> {
    interrupt: &'a Interrupt,
    begun: Mutex<Vec<PhaseKind>>,
}

impl Progress for InterruptsTheCheck<'_> {
    fn set_run_total(&self, _bytes: u64) {}
    fn begin(&self, phase: Phase<'_>) {
        self.begun.lock().expect("one thread").push(phase.kind);
        if phase.kind == PhaseKind::Checking {
            self.interrupt.set();
        }
    }
    fn advance(&self, _rows: u64, _bytes: u64) {}
    fn end(&self) {}
    fn note(&self, _message: &str) {}
}

#[test]
fn a_check_of_the_source_can_be_interrupted() {
    let fixture = Fixture::new("interrupted");
    fixture.execute(
        "CREATE TABLE t(a); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
         INSERT INTO t SELECT i FROM n;",
    );
    let interrupt = Interrupt::new();
    let progress = InterruptsTheCheck { interrupt: &interrupt, begun: Mutex::default() };
    let options = ExportOptions { check_source: true, ..export_options(&fixture.folder().join("out")) };
    let run = Run { progress: &progress, clock: &SystemClock, interrupt: &interrupt };
    let error = export(&fixture.path, &options, run).expect_err("interrupted");
    assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
    // Had the check run to its end, the first table would have begun.
    assert_eq!(*progress.begun.lock().expect("one thread"), [PhaseKind::Checking]);
}
