//! Databases that a killed program left behind: hot journals and WALs, whole, torn, damaged, or of another database;
//! in a folder that can be written and in one that cannot.
//!
//! What SQLite recovers in a copy is the truth, judged by its shell where there is one. The export holds exactly
//! that, or fails where SQLite fails; and what was given stays as it was, byte for byte.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rusqlite::Connection;

use crate::damaged_databases::{differences, scan};
use crate::support::{PARKLITE, ending, names, run, say};

/// Set for the process that is going to be killed: its database, and what it does there.
const DATABASE: &str = "PARKLITE_TEST_CRASH_DATABASE";
const SQL: &str = "PARKLITE_TEST_CRASH_SQL";
const READY: &str = "ready to be killed";

/// Runs SQL on the database in a process of its own, and kills it there.
fn kill_while(database: &Path, sql: &str) {
    let mut command = Command::new(std::env::current_exe().expect("the tests are a program"));
    command.args(["--exact", "recovery::what_the_killed_process_does", "--nocapture"]);
    command.env(DATABASE, database).env(SQL, sql).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("started");
    let output = BufReader::new(child.stdout.take().expect("piped"));
    let is_ready = output.lines().map_while(Result::ok).any(|line| line == READY);
    assert!(is_ready, "the process got to where it is killed: {sql}");
    child.kill().expect("killed");
    child.wait().expect("gone");
}

#[test]
#[expect(clippy::print_stdout, reason = "the one who kills it waits for this line")]
fn what_the_killed_process_does() {
    let (Some(database), Ok(sql)) = (std::env::var_os(DATABASE), std::env::var(SQL)) else { return };
    let connection = Connection::open(PathBuf::from(database)).expect("opened");
    connection.execute_batch(&sql).expect("the SQL runs");
    println!("\n{READY}");
    let _ = std::io::stdin().read(&mut [0]);
    drop(connection);
}

/// Two tables of some pages, and an index.
const CONTENT: &str = "
CREATE TABLE one (id INTEGER PRIMARY KEY, v TEXT);
CREATE TABLE two (k TEXT PRIMARY KEY, v) WITHOUT ROWID;
CREATE INDEX one_by_v ON one (v);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
INSERT INTO one SELECT i, 'before ' || printf('%080d', i) FROM n;
INSERT INTO two SELECT v, id FROM one WHERE id % 3 = 0;
";

/// A change of many pages that reaches the file before it is committed.
const UNFINISHED: &str = "
PRAGMA cache_size=1; PRAGMA cache_spill=1; BEGIN;
UPDATE one SET v = 'after ' || v; DELETE FROM two; INSERT INTO one SELECT id + 1000, v FROM one;
";

const COMMITTED: &str = "UPDATE one SET v = 'committed' WHERE id < 50; INSERT INTO two VALUES ('new', 1);";

fn with_ending(database: &Path, ending: &str) -> PathBuf {
    PathBuf::from(format!("{}{ending}", database.display()))
}

fn create(database: &Path, pragmas: &str) {
    let connection = Connection::open(database).expect("created");
    connection.execute_batch(&format!("{pragmas}; {CONTENT}")).expect("filled");
    connection.close().expect("closed");
}

/// Leaves a hot journal.
fn hot(database: &Path, journal_mode: &str) {
    create(database, "");
    kill_while(database, &format!("PRAGMA journal_mode={journal_mode}; {UNFINISHED}"));
    assert!(fs::metadata(with_ending(database, "-journal")).expect("a journal").len() > 4096);
}

/// Leaves a WAL with a commit, and if asked an unfinished transaction behind it; its shared memory too.
fn left_wal(database: &Path, unfinished: &str) {
    create(database, "PRAGMA journal_mode=WAL");
    kill_while(database, &format!("PRAGMA wal_autocheckpoint=0; {COMMITTED} {unfinished}"));
    assert!(fs::metadata(with_ending(database, "-wal")).expect("a WAL").len() > 4096);
}

/// Changes the bytes of a file beside the database.
fn change(database: &Path, side: &str, with: impl FnOnce(&mut Vec<u8>)) {
    let path = with_ending(database, side);
    let mut bytes = fs::read(&path).unwrap_or_default();
    with(&mut bytes);
    fs::write(path, bytes).expect("written");
}

fn drop_shared_memory(database: &Path) {
    fs::remove_file(with_ending(database, "-shm")).expect("there was one");
}

/// A second database with other content in a folder of its own.
fn beside_another(database: &Path, leave: impl FnOnce(&Path), side: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let other = folder.path().join("other.db");
    leave(&other);
    fs::copy(with_ending(&other, side), with_ending(database, side)).expect("copied");
}

/// How a database was left, and what it is recovered from: where it can be written beside it, and where not.
struct Case {
    name: &'static str,
    leave: fn(&Path),
    recovered: [Option<&'static str>; 2],
}

const JOURNAL: [Option<&str>; 2] = [Some("hot journal"), Some("hot journal")];
const WAL: [Option<&str>; 2] = [None, Some("WAL")];
const IN_PLACE: [Option<&str>; 2] = [None, None];

const CASES: &[Case] = &[
    Case { name: "a hot journal", leave: |path| hot(path, "delete"), recovered: JOURNAL },
    Case { name: "a hot journal that would persist", leave: |path| hot(path, "persist"), recovered: JOURNAL },
    Case {
        name: "a hot journal that would be truncated",
        leave: |path| hot(path, "truncate"),
        recovered: JOURNAL,
    },
    Case {
        name: "half a hot journal",
        leave: |path| {
            hot(path, "delete");
            change(path, "-journal", |bytes| bytes.truncate(bytes.len() / 2));
        },
        recovered: JOURNAL,
    },
    Case {
        name: "the beginning of a journal's header",
        leave: |path| {
            hot(path, "delete");
            change(path, "-journal", |bytes| bytes.truncate(10));
        },
        recovered: JOURNAL,
    },
    Case {
        name: "a hot journal with a wrong byte",
        leave: |path| {
            hot(path, "delete");
            change(path, "-journal", |bytes| bytes[3000] ^= 1);
        },
        recovered: JOURNAL,
    },
    Case {
        name: "the hot journal of another database",
        leave: |path| {
            create(path, "CREATE TABLE more (a)");
            beside_another(path, |other| hot(other, "delete"), "-journal");
        },
        recovered: JOURNAL,
    },
    Case {
        name: "a journal that persists",
        leave: |path| {
            create(path, "PRAGMA journal_mode=PERSIST");
            let journal = fs::read(with_ending(path, "-journal")).expect("it persists");
            assert_eq!(journal[..28], [0; 28], "its header is zeroed");
        },
        recovered: IN_PLACE,
    },
    Case {
        name: "an empty journal",
        leave: |path| {
            create(path, "");
            change(path, "-journal", Vec::clear);
        },
        recovered: IN_PLACE,
    },
    Case {
        name: "a journal that is none",
        leave: |path| {
            create(path, "");
            change(path, "-journal", |bytes| bytes.extend_from_slice(&[0x77; 9000]));
        },
        recovered: JOURNAL,
    },
    Case { name: "a WAL", leave: |path| left_wal(path, ""), recovered: IN_PLACE },
    Case {
        name: "a WAL without its shared memory",
        leave: |path| {
            left_wal(path, "");
            drop_shared_memory(path);
        },
        recovered: WAL,
    },
    Case {
        name: "a WAL with shared memory of nonsense",
        leave: |path| {
            left_wal(path, "");
            change(path, "-shm", |bytes| bytes.fill(0x5a));
        },
        recovered: IN_PLACE,
    },
    Case {
        name: "a WAL with an unfinished transaction",
        leave: |path| left_wal(path, UNFINISHED),
        recovered: IN_PLACE,
    },
    Case {
        name: "a torn WAL",
        leave: |path| {
            left_wal(path, "UPDATE one SET v = 'again'; UPDATE one SET v = 'and again';");
            drop_shared_memory(path);
            change(path, "-wal", |bytes| bytes.truncate(bytes.len() - 5000));
        },
        recovered: WAL,
    },
    Case {
        name: "a WAL with a wrong byte",
        leave: |path| {
            left_wal(path, "UPDATE one SET v = 'again'; UPDATE one SET v = 'and again';");
            drop_shared_memory(path);
            change(path, "-wal", |bytes| {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
            });
        },
        recovered: WAL,
    },
    Case {
        name: "a WAL with other salts",
        leave: |path| {
            left_wal(path, "");
            drop_shared_memory(path);
            change(path, "-wal", |bytes| bytes[16..24].fill(9));
        },
        recovered: WAL,
    },
    Case {
        name: "the WAL of another database",
        leave: |path| {
            create(path, "PRAGMA journal_mode=WAL; CREATE TABLE more (a)");
            beside_another(path, |other| left_wal(other, ""), "-wal");
        },
        recovered: WAL,
    },
    Case {
        name: "an empty WAL",
        leave: |path| {
            create(path, "PRAGMA journal_mode=WAL");
            change(path, "-wal", Vec::clear);
        },
        recovered: IN_PLACE,
    },
    Case {
        name: "a WAL that is none",
        leave: |path| {
            create(path, "PRAGMA journal_mode=WAL");
            change(path, "-wal", |bytes| bytes.extend_from_slice(&[0x77; 9000]));
        },
        recovered: WAL,
    },
    Case {
        name: "a WAL beside a database that is not in WAL mode",
        leave: |path| {
            create(path, "");
            beside_another(path, |other| left_wal(other, ""), "-wal");
        },
        recovered: WAL,
    },
    Case {
        name: "nothing, in WAL mode",
        leave: |path| create(path, "PRAGMA journal_mode=WAL"),
        recovered: IN_PLACE,
    },
    Case { name: "nothing", leave: |path| create(path, ""), recovered: IN_PLACE },
];

/// Copies the database with its side files, but for the shared memory, which a crash may leave in any state.
fn copy_of(source: &Path, into: &Path) -> PathBuf {
    let copy = into.join("copy.db");
    for ending in ["", "-wal", "-journal"] {
        if with_ending(source, ending).exists() {
            fs::copy(with_ending(source, ending), with_ending(&copy, ending)).expect("copied");
        }
    }
    copy
}

/// Opens a database so that SQLite recovers it, and closes it again.
fn recover(database: &Path) -> Result<(), String> {
    let connection = Connection::open(database).map_err(|error| error.to_string())?;
    let count = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
    count.map(drop).map_err(|error| error.to_string())
}

fn is_sound(database: &Path) -> bool {
    let connection = Connection::open(database).expect("opened");
    let answer: rusqlite::Result<String> =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0));
    answer.as_deref() == Ok("ok")
}

/// What SQLite's shell says is in a database; `None` where there is none.
fn told_by_the_shell(database: &Path) -> Option<String> {
    let output = Command::new("sqlite3").arg(database).arg(".dump").stdin(Stdio::null()).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The program with a folder that it sees as read-only; `None` where nothing can be mounted.
fn with_read_only(folder: &Path, arguments: &[&str]) -> Option<Command> {
    const SCRIPT: &str =
        r#"mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" || exit 99; shift; exec "$@""#;
    let isolated = |folder: &Path, program: &str, arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--map-root-user", "sh", "-c", SCRIPT, "sh"]).arg(folder).arg(program);
        command.args(arguments).stdin(Stdio::null());
        command
    };
    let probe = isolated(folder, "sh", &["-c", "! touch \"$0/probe\"", &folder.to_string_lossy()]).output();
    let mounts = probe.is_ok_and(|probe| probe.status.success()) && !folder.join("probe").exists();
    mounts.then(|| isolated(folder, PARKLITE, arguments))
}

fn exported_is_what_sqlite_recovers(case: &Case, read_only: bool) -> bool {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    for name in ["given", "truth", "results"] {
        fs::create_dir(at(name)).expect("made");
    }
    let source = at("given").join("source.db");
    (case.leave)(&source);
    let what = format!("{}, read-only: {read_only}", case.name);
    let files = |but: &str| -> Vec<(String, Vec<u8>)> {
        let names = names(&at("given")).into_iter().filter(|name| but.is_empty() || !name.ends_with(but));
        names.map(|name| (name.clone(), fs::read(at("given").join(&name)).expect("read"))).collect()
    };
    // SQLite itself writes the shared memory that it finds, or makes a new one.
    let but = if read_only { "" } else { "-shm" };
    let before = files(but);
    let copy = copy_of(&source, &at("truth"));
    let truth = recover(&copy).and_then(|()| scan(&copy));
    let (source_text, out) = (source.display().to_string(), at("results").join("out").display().to_string());
    let arguments = ["export", &source_text, "-o", &out, "--json"];
    let mut command = if read_only {
        let Some(command) = with_read_only(&at("given"), &arguments) else { return false };
        command
    } else {
        let mut command = Command::new(PARKLITE);
        command.args(arguments).stdin(Stdio::null());
        command
    };
    let ended = run(&mut command);
    let mut after = files(but);
    if !read_only {
        // Only what SQLite makes for a database in WAL mode, and that empty.
        after.retain(|(name, bytes)| {
            before.iter().any(|(known, _)| known == name) || !(name == "source.db-wal" && bytes.is_empty())
        });
    }
    assert!(after == before, "{what}: {:?} became {:?}", names_of(&before), names_of(&after));
    let is_sound = truth.is_ok() && is_sound(&copy);
    if !is_sound && ended.status.code() == Some(13) {
        assert_eq!(names(&at("results")), Vec::<String>::new(), "{what}");
        return true;
    }
    let truth = truth.unwrap_or_else(|error| panic!("{what}: success, but a scan says {error}"));
    assert!(ended.status.success(), "{what}: {}", ending(&ended));
    assert_eq!(names(&at("results")), ["out"], "{what}");
    let document: serde_json::Value = serde_json::from_slice(&ended.stdout).expect("a report");
    let recovered = case.recovered[usize::from(read_only)];
    assert_eq!(document["recovered_from"].as_str(), recovered, "{what}");
    let told = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(recovered.is_some(), told.contains("a private copy, recovered from its"), "{what}: {told}");
    let restored = at("results").join("restored.db");
    let ended = run(Command::new(PARKLITE).args(["restore", "--quiet", &out]).arg(&restored));
    assert!(ended.status.success(), "{what}: {}", ending(&ended));
    assert_eq!(differences(&truth, scan(&restored).expect("sound")), "", "{what}");
    let fresh = tempfile::tempdir().expect("a temporary folder");
    assert_eq!(told_by_the_shell(&restored), told_by_the_shell(&copy_of(&source, fresh.path())), "{what}");
    true
}

fn names_of(files: &[(String, Vec<u8>)]) -> Vec<&str> {
    files.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn what_a_killed_program_left_is_exported_as_sqlite_recovers_it() {
    for case in CASES {
        exported_is_what_sqlite_recovers(case, false);
    }
}

#[test]
fn what_a_killed_program_left_on_read_only_media_is_exported_as_sqlite_recovers_it() {
    for case in CASES {
        if !exported_is_what_sqlite_recovers(case, true) {
            return say("skipped: nothing can be mounted read-only here");
        }
    }
}

#[test]
fn the_databases_above_are_really_in_need_of_recovery() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let database = folder.path().join("source.db");
    hot(&database, "delete");
    let immutable = format!("file:{}?immutable=1", database.display());
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_URI;
    let ignoring = Connection::open_with_flags(immutable, flags).expect("opened");
    let count = |connection: &Connection| -> Option<i64> {
        connection
            .query_row("SELECT count(*) FROM one NOT INDEXED WHERE v LIKE 'before%'", [], |row| row.get(0))
            .ok()
    };
    assert_ne!(count(&ignoring), Some(300), "whoever ignores the journal reads something else");
    recover(&database).expect("SQLite recovers it");
    assert_eq!(count(&Connection::open(&database).expect("opened")), Some(300));
}
