//! A file of a snapshot that cannot be read: it is named, and the others are looked at all the same.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use rusqlite::Connection;
use serde_json::Value;

use crate::strace::has_strace;
use crate::support::{ending, parklite, run};

const TABLES: &str = "
CREATE TABLE good (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO good VALUES (1, 'a'), (2, 'b');
CREATE TABLE lost (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO lost VALUES (1, 'c'), (2, 'd');
CREATE TABLE worn (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO worn VALUES (1, 'e'), (2, 'f');
";

/// Runs `verify`, while `call` fails with EIO wherever it is about the file `path`, from the `from`th time on.
fn verify_failing(folder: &Path, snapshot: &str, path: &str, call: &str, from: usize) -> Output {
    let mut command = Command::new("strace");
    let injection = format!("inject={call}:error=EIO:when={from}+");
    command.args(["-f", "-qq", "-o", "/dev/null", "-P", path, "-e"]).arg(format!("trace={call}"));
    command.args(["-e", &injection, env!("CARGO_BIN_EXE_parklite"), "verify", snapshot]);
    command.args(["--data", "--json", "--no-confine"]);
    run(command.current_dir(folder))
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_keeps_no_other_from_being_looked_at() {
    if !has_strace() {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let connection = Connection::open(folder.path().join("source.db")).expect("opens");
    connection.execute_batch(TABLES).expect("sound");
    drop(connection);
    for output in ["snap", "one.parquet"] {
        let mut words = vec!["export", "source.db", "-o", output];
        words.extend(["--table", "lost"].iter().filter(|_| output == "one.parquet"));
        let exported = run(&mut parklite(folder.path(), words));
        assert!(exported.status.success(), "{}", ending(&exported));
    }
    let worn = folder.path().join("snap/worn.parquet");
    let mut bytes = fs::read(&worn).expect("read");
    bytes[50] ^= 1;
    fs::write(&worn, bytes).expect("written");
    // The first time is while it is hashed; later ones while it is decoded.
    for (call, from) in [("openat", 1), ("openat", 2), ("read", 1), ("lseek", 1)] {
        let ran = verify_failing(folder.path(), "snap", "snap/lost.parquet", call, from);
        let document: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
        assert_eq!(ran.status.code(), Some(4), "{call} {from}: {}", ending(&ran));
        let findings = |list: &str| document[list].as_array().expect("findings").clone();
        let (files, data) = (findings("files"), findings("data"));
        let cannot_be_read = |finding: &&Value| {
            finding["table"] == "lost"
                && finding["finding"].as_str().is_some_and(|it| it.contains("cannot be read"))
        };
        assert_eq!(files.iter().chain(&data).filter(cannot_be_read).count(), 1, "{call} {from}: {document}");
        let is_worn = |finding: &Value| finding["table"] == "worn" && finding["row_group"] == 0;
        assert!(data.iter().any(is_worn), "{call} {from}: {document}");
        let others = files.iter().chain(&data).filter(|finding| finding["table"] == "good");
        assert_eq!(others.count(), 0, "{call} {from}: {document}");
    }
    // A file that is the whole snapshot leaves nothing else to look at.
    let ran = verify_failing(folder.path(), "one.parquet", "one.parquet", "openat", 1);
    assert_eq!(ran.status.code(), Some(1), "{}", ending(&ran));
}

/// Of a browser's folder every file in turn: what the others hold is imported, and what may be missing is told.
#[test]
fn one_file_of_a_browsers_store_that_cannot_be_read_does_not_cost_the_others() {
    if !has_strace() {
        return;
    }
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/localstorage/chromium-leveldb/Default/Local Storage/leveldb");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = folder.path().join("leveldb");
    fs::create_dir(&store).expect("a folder");
    let mut names = Vec::new();
    for entry in fs::read_dir(fixture).expect("a fixture") {
        let entry = entry.expect("an entry");
        fs::write(store.join(entry.file_name()), fs::read(entry.path()).expect("read")).expect("written");
        names.push(entry.file_name().into_string().expect("a name"));
    }
    let counted = |names: &[&str]| names.iter().all(|name| store.join(name).is_file());
    assert!(counted(&["CURRENT", "MANIFEST-000001", "000004.log", "000005.ldb"]), "{names:?}");
    for (name, call, error, told) in [
        ("000004.log", "openat", "EACCES", "000004.log: it cannot be read: Permission denied"),
        ("000004.log", "read", "EIO", "000004.log: it cannot be read: Input/output error"),
        ("000005.ldb", "openat", "EACCES", "000005.ldb, byte 0: it cannot be read: Permission denied"),
        ("000005.ldb", "read", "EIO", "Input/output error"),
        ("MANIFEST-000001", "openat", "EACCES", "MANIFEST-000001: it cannot be read: Permission denied"),
        ("CURRENT", "openat", "EACCES", "CURRENT does not help: it cannot be read: Permission denied"),
    ] {
        let mut command = Command::new("strace");
        let path = format!("leveldb/{name}");
        command.args(["-f", "-qq", "-o", "/dev/null", "-P", &path, "-e"]).arg(format!("trace={call}"));
        command.args([
            "-e",
            &format!("inject={call}:error={error}"),
            env!("CARGO_BIN_EXE_parklite"),
            "migrate",
        ]);
        command.args(["leveldb", "--list", "--json", "--with-doubtful"]);
        let ran = run(command.current_dir(folder.path()));
        let document: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
        let is_complete = name == "CURRENT";
        assert_eq!(
            ran.status.code(),
            Some(if is_complete { 0 } else { 3 }),
            "{name} {call}: {}",
            ending(&ran)
        );
        let problems = document["sources"][0]["problems"].as_array().expect("problems");
        let text = |problem: &Value| {
            let part = |member: &str| problem[member].as_str().unwrap_or_default().to_owned();
            format!("{}: {}", part("place"), part("message"))
        };
        assert!(problems.iter().any(|problem| text(problem).contains(told)), "{name} {call}: {problems:?}");
        assert_ne!(document["origins"], Value::Array(vec![]), "{name} {call}: something is left");
    }
}
