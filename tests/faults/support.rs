//! What all topics share: running the program and the library, dumping databases, asking for tools.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use parklite::clock::SystemClock;
use parklite::durable::Existing;
use parklite::error::Result;
use parklite::export::{ExportOptions, ExportReport, Selection, export};
use parklite::parquet_file::WriterSettings;
use parklite::progress::{Progress, Silent};
use parklite::restore::{ExistingDatabase, RestoreOptions, restore};
use parklite::run::{Interrupt, Run};
use parklite::sqlite::open::OpenOptions;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

/// The program under test.
pub(crate) const PARKLITE: &str = env!("CARGO_BIN_EXE_parklite");

/// Long enough for any machine: what waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// Whether everything shall run, however long it takes.
pub(crate) fn is_full_run() -> bool {
    std::env::var_os("PARKLITE_FULL").is_some_and(|value| value == "1")
}

/// Says something to whoever runs the tests, past the capture of their output.
pub(crate) fn say(message: &str) {
    let _ = writeln!(std::io::stderr(), "{message}");
}

/// The program with `arguments`, to be run in `folder`, told to print nothing but errors.
pub(crate) fn parklite<I: AsRef<OsStr>>(folder: &Path, arguments: impl IntoIterator<Item = I>) -> Command {
    let mut command = Command::new(PARKLITE);
    command.current_dir(folder).args(arguments).arg("--quiet").stdin(Stdio::null());
    command
}

/// Runs to the end.
pub(crate) fn run(command: &mut Command) -> Output {
    command.output().expect("the program starts")
}

/// How a run ended, for messages.
pub(crate) fn ending(output: &Output) -> String {
    format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr))
}

/// Whether strace is there and may trace.
pub(crate) fn has_strace() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let probe = Command::new("strace")
            .args(["-f", "-qq", "-o", "/dev/null", "-e", "inject=fsync:error=EIO:when=1", "true"])
            .stdin(Stdio::null())
            .output();
        let found = probe.is_ok_and(|output| output.status.success());
        if !found {
            say("skipped: strace is absent or may not trace, so nothing is injected at single system calls");
        }
        found
    })
}

/// Options for an export into `output`.
pub(crate) fn export_options(output: &Path) -> ExportOptions {
    ExportOptions {
        output: Some(output.to_path_buf()),
        existing: Existing::Refuse,
        selection: Selection::default(),
        order_by: Vec::new(),
        settings: WriterSettings { compression_level: 1 },
        memory_limit_bytes: 64 << 20,
        threads: 2,
        verify: true,
        strict: false,
        check_source: false,
        copy_first: false,
        temp_folder: None,
        open: OpenOptions { busy_timeout: PATIENCE, allow_empty: false },
    }
}

/// Exports through the library.
pub(crate) fn export_with(
    source: &Path,
    options: &ExportOptions,
    progress: &dyn Progress,
) -> Result<ExportReport> {
    export(source, options, Run { progress, clock: &SystemClock, interrupt: &Interrupt::new() })
}

/// Restores `snapshot` as the fresh database `target` through the library.
pub(crate) fn restore_fresh(snapshot: &Path, target: &Path) -> Result<()> {
    let options = RestoreOptions {
        existing: ExistingDatabase::Refuse,
        verify: true,
        strict: false,
        memory_limit_bytes: 64 << 20,
        temp_folder: None,
        busy_timeout: PATIENCE,
    };
    let run = Run { progress: &Silent, clock: &SystemClock, interrupt: &Interrupt::new() };
    restore(snapshot, target, &options, run).map(|_| ())
}

/// Every file below a folder with its bytes, by relative path; folders have none.
pub(crate) fn tree(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(&next).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(folder).expect("below the folder").to_path_buf();
            if path.is_dir() {
                found.insert(name, None);
                waiting.push(path);
            } else {
                found.insert(name, Some(fs::read(&path).expect("a file")));
            }
        }
    }
    found
}

/// The names in a folder, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a readable name"))
        .collect();
    names.sort();
    names
}

/// Those of [`names`] that are staging folders.
pub(crate) fn stages(folder: &Path) -> Vec<String> {
    names(folder).into_iter().filter(|name| name.starts_with(".parklite-stage-")).collect()
}

/// Copies a folder with everything in it.
pub(crate) fn copy_tree(from: &Path, to: &Path) {
    for (name, bytes) in tree(from) {
        match bytes {
            None => fs::create_dir_all(to.join(name)).expect("a folder"),
            Some(bytes) => {
                fs::create_dir_all(to.join(&name).parent().expect("a parent")).expect("a folder");
                fs::write(to.join(name), bytes).expect("a file");
            }
        }
    }
}

/// Schema and all rows of a database in words, or what is wrong with it. Only a copy is opened, with its own
/// journals, so that looking changes nothing.
pub(crate) fn dump(database: &Path) -> Result<String, String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let copy = folder.path().join("copy.db");
    for ending in ["", "-wal", "-journal"] {
        let from = PathBuf::from(format!("{}{ending}", database.display()));
        if from.exists() {
            fs::copy(&from, format!("{}{ending}", copy.display())).map_err(|error| error.to_string())?;
        }
    }
    dump_of(&copy).map_err(|error| error.to_string())
}

fn dump_of(database: &Path) -> rusqlite::Result<String> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags)?;
    let mut text: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    assert_eq!(text, "ok", "{}", database.display());
    let mut tables = connection.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name")?;
    let tables = tables.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let tables: Vec<(String, Option<String>)> = tables.collect::<rusqlite::Result<_>>()?;
    for (name, sql) in tables {
        let _ = write!(text, "\n{name}: {}", sql.as_deref().unwrap_or_default());
        if sql.is_none_or(|sql| !sql.starts_with("CREATE TABLE")) {
            continue;
        }
        let mut rows = connection.prepare(&format!("SELECT * FROM \"{name}\" ORDER BY 1"))?;
        let columns = rows.column_count();
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            text.push('\n');
            for column in 0..columns {
                match row.get_ref(column)? {
                    ValueRef::Text(bytes) => text.push_str(&String::from_utf8_lossy(bytes)),
                    other => {
                        let _ = write!(text, "{other:?}");
                    }
                }
                text.push('|');
            }
        }
    }
    Ok(text)
}
