//! Databases with damage of every kind: an export fails, or holds exactly the rows of a full scan of the same bytes;
//! never fewer with success, never a panic, a hang or a leftover, and the file stays as it was.
//!
//! The truth is a scan of each table by SQLite itself, through a plain connection. A published snapshot is restored
//! and scanned in the same way. `PARKLITE_FULL=1` tries twenty times as many damages; all of them come from the number
//! of the case, so that one that fails can be tried again.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Output;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use crate::support::{ending, is_full_run, names, parklite, say, stages};

/// How many damages are tried.
const CASES: usize = 300;
const CASES_OF_A_FULL_RUN: usize = 6_000;
/// What takes so long hangs.
const PATIENCE: Duration = Duration::from_secs(30);
/// More steps than any sound scan here takes: pages that are linked in a ring would be scanned for ever.
const MOST_STEPS_OF_A_SCAN: i32 = 3_000_000;

/// Tables of every kind: small and large rows, an index, keys of their own, and the tables behind a virtual one.
const CONTENT: &str = "
CREATE TABLE logs (id INTEGER PRIMARY KEY, text TEXT, real REAL, any);
CREATE INDEX logs_by_text ON logs (text);
CREATE TABLE words (word TEXT COLLATE NOCASE, n INT, body BLOB, PRIMARY KEY (word, n)) WITHOUT ROWID;
CREATE TABLE keys (a, b, c, PRIMARY KEY (b DESC, a)) WITHOUT ROWID;
CREATE TABLE long (x, y TEXT);
CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, v UNIQUE);
CREATE VIRTUAL TABLE found USING fts5(t);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
INSERT INTO logs SELECT i * 3, 'text ' || i, i * 0.5,
  CASE i % 4 WHEN 0 THEN i WHEN 1 THEN x'0011' WHEN 2 THEN NULL ELSE 'z' || i END FROM n;
INSERT INTO words SELECT 'key' || id, id % 7, zeroblob(id % 40) FROM logs;
INSERT INTO keys SELECT id, id % 50, 'v' || id FROM logs;
INSERT INTO long SELECT id, printf('%0*d', 900 + id, id) FROM logs WHERE id < 60;
INSERT INTO found SELECT text || ' hello world' FROM logs WHERE id < 120;
INSERT INTO counted (v) SELECT id FROM logs WHERE id < 40;
ALTER TABLE long ADD COLUMN z DEFAULT 'a default';
DELETE FROM logs WHERE id BETWEEN 100 AND 160;
";

/// Databases in every layout.
fn bases() -> Vec<(&'static str, Vec<u8>)> {
    let layouts = [
        ("pages of 512 bytes", "PRAGMA page_size=512", 0),
        ("pages of 1024 bytes", "PRAGMA page_size=1024", 0),
        ("UTF-16", "PRAGMA page_size=512; PRAGMA encoding='UTF-16le'", 0),
        ("auto_vacuum", "PRAGMA page_size=512; PRAGMA auto_vacuum=1", 0),
        ("reserved bytes", "PRAGMA page_size=1024", 77),
    ];
    layouts.map(|(name, pragmas, reserved)| (name, database(pragmas, reserved, CONTENT))).to_vec()
}

/// The bytes of a database made of `content`, with so many bytes reserved at the end of each page.
fn database(pragmas: &str, reserved: u8, content: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("made.db");
    let execute = |sql: &str| {
        let connection = Connection::open(&path).expect("opened");
        connection.execute_batch(sql).expect("the SQL is sound");
        connection.close().expect("closed");
    };
    execute(&format!("{pragmas}; CREATE TABLE gone(a); DROP TABLE gone; VACUUM"));
    if reserved > 0 {
        // The header, and where the content of the empty schema page begins.
        let mut bytes = fs::read(&path).expect("read");
        bytes[20] = reserved;
        let page_size = u16::from_be_bytes([bytes[16], bytes[17]]);
        bytes[105..107].copy_from_slice(&(page_size - u16::from(reserved)).to_be_bytes());
        fs::write(&path, bytes).expect("written");
    }
    execute(content);
    let bytes = fs::read(&path).expect("read");
    assert_eq!(bytes[20], reserved, "the bytes stay reserved");
    bytes
}

/// Numbers without a pattern, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn of(seed: usize) -> Self {
        let mut dice = Self((seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        for _ in 0..4 {
            dice.next();
        }
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("small")
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[3]
    }
}

/// A database that is about to be damaged.
struct Bytes {
    bytes: Vec<u8>,
    page_size: usize,
}

impl Bytes {
    fn page_count(&self) -> usize {
        self.bytes.len() / self.page_size
    }

    fn page(&self, page: usize) -> std::ops::Range<usize> {
        page * self.page_size..(page + 1) * self.page_size
    }

    /// Where the b-tree header of a random page begins.
    fn some_header(&self, dice: &mut Dice) -> usize {
        let page = dice.below(self.page_count());
        page * self.page_size + if page == 0 { 100 } else { 0 }
    }
}

/// What damages a database.
type Damage = fn(&mut Bytes, &mut Dice);

const DAMAGES: [(&str, Damage); 12] = [
    ("bits turned", |database, dice| {
        for _ in 0..[1, 1, 2, 4][dice.below(4)] {
            let at = dice.below(database.bytes.len());
            database.bytes[at] ^= 1 << dice.below(8);
        }
    }),
    ("bytes overwritten", |database, dice| {
        let count = 1 + dice.below(16);
        let at = dice.below(database.bytes.len() - count);
        database.bytes[at..at + count].fill_with(|| dice.byte());
    }),
    ("a page zeroed", |database, dice| {
        let page = database.page(dice.below(database.page_count()));
        database.bytes[page].fill(0);
    }),
    ("two pages swapped", |database, dice| {
        let (a, b) = (1 + dice.below(database.page_count() - 1), 1 + dice.below(database.page_count() - 1));
        let (one, other) =
            (database.bytes[database.page(a)].to_vec(), database.bytes[database.page(b)].to_vec());
        let (a, b) = (database.page(a), database.page(b));
        database.bytes[b].copy_from_slice(&one);
        database.bytes[a].copy_from_slice(&other);
    }),
    ("a page doubled", |database, dice| {
        let from = database.page(1 + dice.below(database.page_count() - 1));
        let to = database.page(1 + dice.below(database.page_count() - 1));
        database.bytes.copy_within(from, to.start);
    }),
    ("cut anywhere", |database, dice| {
        let length = dice.below(database.bytes.len());
        database.bytes.truncate(length);
    }),
    ("cut by pages", |database, dice| {
        let length = dice.below(database.page_count()) * database.page_size;
        database.bytes.truncate(length);
    }),
    ("longer by garbage", |database, dice| {
        let more = dice.below(2 * database.page_size);
        database.bytes.extend(std::iter::repeat_with(|| dice.byte()).take(more));
    }),
    ("the header changed", |database, dice| {
        // Mostly the fields that say how long the file and how large its pages are.
        let at = [dice.below(100), 16 + dice.below(8), 28 + dice.below(4), 92 + dice.below(4)][dice.below(4)];
        database.bytes[at] = [dice.byte(), database.bytes[at].wrapping_add(1)][dice.below(2)];
    }),
    ("the head of a page changed", |database, dice| {
        let at = database.some_header(dice) + dice.below(12);
        database.bytes[at] = dice.byte();
    }),
    ("a cell moved", |database, dice| {
        let at = database.some_header(dice) + 8 + dice.below(60);
        database.bytes[at] = dice.byte();
    }),
    ("a page linked elsewhere", |database, dice| {
        // Somewhere in a page; where a child or an overflow page is named, that is another one now.
        let page = dice.below(database.page_count());
        let at = page * database.page_size + dice.below(database.page_size / 4) * 4;
        let other = u32::try_from(1 + dice.below(database.page_count())).expect("few pages");
        database.bytes[at..at + 4].copy_from_slice(&other.to_be_bytes());
    }),
];

/// All rows of all tables: each table's in the order of its b-tree, with rowids where it has them.
pub(crate) type Scan = BTreeMap<String, (bool, Vec<Vec<(u8, Vec<u8>)>>)>;

/// Scans every table that holds rows, as SQLite finds them.
pub(crate) fn scan(path: &Path) -> Result<Scan, String> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(|error| error.to_string())?;
    connection.progress_handler(MOST_STEPS_OF_A_SCAN, Some(|| true)).expect("set");
    scan_all(&connection).map_err(|error| error.to_string())
}

fn scan_all(connection: &Connection) -> rusqlite::Result<Scan> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY rowid";
    let mut tables = connection.prepare(sql)?;
    let tables: Vec<String> = tables.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut scan = Scan::new();
    for table in tables {
        let quoted = table.replace('"', "\"\"");
        let sql = "SELECT wr FROM pragma_table_list WHERE schema = 'main' AND name = ?1";
        let has_rowid = !connection.query_row(sql, [&table], |row| row.get::<_, bool>(0))?;
        let columns = if has_rowid { "rowid, *" } else { "*" };
        let indexed = if has_rowid { "NOT INDEXED" } else { "" };
        let mut statement = connection.prepare(&format!("SELECT {columns} FROM \"{quoted}\" {indexed}"))?;
        let width = statement.column_count();
        let mut rows = statement.query([])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push((0..width).map(|column| row.get_ref(column).map(cell)).collect::<Result<_, _>>()?);
        }
        scan.insert(table, (has_rowid, found));
    }
    Ok(scan)
}

/// Storage class and exact bytes.
fn cell(value: ValueRef<'_>) -> (u8, Vec<u8>) {
    match value {
        ValueRef::Null => (0, Vec::new()),
        ValueRef::Integer(value) => (1, value.to_be_bytes().to_vec()),
        ValueRef::Real(value) => (2, value.to_bits().to_be_bytes().to_vec()),
        ValueRef::Text(bytes) => (3, bytes.to_vec()),
        ValueRef::Blob(bytes) => (4, bytes.to_vec()),
    }
}

/// What is different between two scans; keys that could not be kept make plain tables, whose rows have rowids.
pub(crate) fn differences(truth: &Scan, mut restored: Scan) -> String {
    let mut different = String::new();
    for (table, (has_rowid, rows)) in truth {
        let Some((restored_has_rowid, mut found)) = restored.remove(table) else {
            let _ = write!(different, "{table} is missing; ");
            continue;
        };
        if restored_has_rowid && !has_rowid {
            for row in &mut found {
                row.remove(0);
            }
        }
        let (mut rows, mut found) = (rows.clone(), found);
        rows.sort();
        found.sort();
        if rows != found {
            let _ = write!(different, "{table} has {} rows of {}; ", found.len(), rows.len());
        }
    }
    for table in restored.keys() {
        let _ = write!(different, "{table} is new; ");
    }
    different
}

/// Runs the program to its end, which must come.
fn run_for_a_while(folder: &Path, arguments: &[&str], what: &str) -> Output {
    let mut command = parklite(folder, arguments);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let since = Instant::now();
    while child.try_wait().expect("asked").is_none() {
        if since.elapsed() > PATIENCE {
            child.kill().expect("ended");
            panic!("{what}: {arguments:?} hangs");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.wait_with_output().expect("ended")
}

/// How the cases of one kind of damage ended.
#[derive(Default)]
struct Tally {
    exported: usize,
    partly: usize,
    refused: usize,
    unreadable: usize,
}

/// Exports the damaged database in `folder`, and holds the outcome against the truth.
fn try_case(
    folder: &Path,
    bytes: &[u8],
    what: &str,
    tally: &Mutex<BTreeMap<&'static str, Tally>>,
    kind: &'static str,
) {
    let source = folder.join("damaged.db");
    fs::write(&source, bytes).expect("written");
    let truth = scan(&source);
    let exported = run_for_a_while(folder, &["export", "damaged.db", "-o", "out", "--threads", "1"], what);
    let said = ending(&exported);
    assert!(!said.contains("panicked"), "{what}: {said}");
    assert!(fs::read(&source).expect("read") == bytes, "{what}: the database was changed");
    assert_eq!(stages(folder), Vec::<String>::new(), "{what}: {said}");
    let code = exported.status.code().unwrap_or_else(|| panic!("{what}: {said}"));
    let is_published = folder.join("out").exists();
    let mut tally = {
        if is_published {
            let truth =
                truth.as_ref().unwrap_or_else(|error| panic!("{what}: success, but a scan says {error}"));
            assert!(code == 0 || code == 3, "{what}: {said}");
            let restored = run_for_a_while(folder, &["restore", "out", "back/restored.db"], what);
            assert_eq!(restored.status.code(), Some(code), "{what}: {}", ending(&restored));
            let restored = scan(&folder.join("back/restored.db")).expect("a restored database is sound");
            assert_eq!(differences(truth, restored), "", "{what}");
            fs::remove_file(folder.join("back/restored.db")).expect("removed");
            fs::remove_dir_all(folder.join("out")).expect("removed");
        } else {
            assert!([1, 4, 13].contains(&code), "{what}: {said}");
        }
        tally.lock().expect("no other case failed")
    };
    assert_eq!(names(folder), ["back", "damaged.db"], "{what}");
    let tally = tally.entry(kind).or_default();
    match (is_published, code, truth) {
        (true, 0, _) => tally.exported += 1,
        (true, ..) => tally.partly += 1,
        (false, _, Ok(_)) => tally.refused += 1,
        (false, _, Err(_)) => tally.unreadable += 1,
    }
}

#[test]
fn a_damaged_database_is_exported_as_a_scan_finds_it_or_not_at_all() {
    let bases = bases();
    let cases = if is_full_run() { CASES_OF_A_FULL_RUN } else { CASES };
    let tally = Mutex::new(BTreeMap::new());
    let next = AtomicUsize::new(0);
    let work = || {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("back")).expect("made");
        loop {
            let case = next.fetch_add(1, Ordering::Relaxed);
            if case >= cases {
                return;
            }
            let mut dice = Dice::of(case);
            let (base, bytes) = &bases[dice.below(bases.len())];
            let (kind, damage) = DAMAGES[case % DAMAGES.len()];
            let page_size = usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
            let mut database = Bytes { bytes: bytes.clone(), page_size };
            damage(&mut database, &mut dice);
            let what = format!("case {case}, {base}, {kind}");
            try_case(folder.path(), &database.bytes, &what, &tally, kind);
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    });
    let tally = tally.into_inner().expect("no case failed");
    let (mut published, mut failed) = (0, 0);
    for (kind, Tally { exported, partly, refused, unreadable }) in &tally {
        say(&format!(
            "damaged databases, {kind}: {exported} exported, {partly} but for a key, {refused} refused though a \
             scan reads them, {unreadable} neither scanned nor exported"
        ));
        published += exported + partly;
        failed += refused + unreadable;
    }
    say(&format!(
        "damaged databases: {} cases, {published} exported as scanned, {failed} failed",
        published + failed
    ));
    assert_eq!(published + failed, cases);
    assert!(published > cases / 5 && failed > cases / 5, "the damages are neither too small nor too large");
}

/// The sound ones come back too: what is refused above is refused for its damage.
#[test]
fn the_databases_that_are_damaged_here_are_sound_before() {
    let tally = Mutex::new(BTreeMap::new());
    for (base, bytes) in bases() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("back")).expect("made");
        try_case(folder.path(), &bytes, base, &tally, "none");
    }
    assert_eq!(tally.into_inner().expect("no case failed")["none"].exported, 5);
}
