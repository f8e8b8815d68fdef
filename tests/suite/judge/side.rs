use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, Params, Row, Statement};
use tempfile::TempDir;

/// What SQLite needs beside a database to read its committed state.
const COMPANIONS: [&str; 2] = ["-wal", "-journal"];

/// Both databases, opened.
pub(super) struct Pair {
    pub(super) original: Side,
    pub(super) restored: Side,
}

impl Pair {
    pub(super) fn open(original: &Path, restored: &Path) -> Self {
        Self { original: Side::copy_of(original), restored: Side::copy_of(restored) }
    }

    /// The same question put to both sides.
    pub(super) fn ask<T>(&self, question: impl Fn(&Side) -> T) -> (T, T) {
        (question(&self.original), question(&self.restored))
    }
}

/// A private copy of one database.
pub(super) struct Side {
    /// For reading. Collations that SQLite does not know compare bytewise here, since SQLite refuses to scan a
    /// WITHOUT ROWID table whose key names an unknown one; a scan never calls it.
    pub(super) reader: Connection,
    path: PathBuf,
    /// Removes the copy when dropped.
    _folder: TempDir,
}

impl Side {
    fn copy_of(database: &Path) -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        let path = folder.path().join("copy.db");
        copy(database, &path);
        for companion in COMPANIONS {
            let beside = with_suffix(database, companion);
            if beside.exists() {
                copy(&beside, &with_suffix(&path, companion));
            }
        }
        fold_in_leftovers(&path);
        let reader = open(&path);
        reader.collation_needed(compare_bytewise).expect("a callback can be set");
        reader.pragma_update(None, "query_only", true).expect("query_only can be set");
        Self { reader, path, _folder: folder }
    }

    /// A further connection that sees no stand-in for anything and may write.
    ///
    /// Checks need one that may write: on a read-only connection SQLite forgets CHECK constraints, so
    /// `integrity_check` does not look at them.
    pub(super) fn checker(&self) -> Connection {
        open(&self.path)
    }

    /// The first 100 bytes of the file: SQLite's database header; fewer for an empty file.
    pub(super) fn file_header(&self) -> Vec<u8> {
        let mut bytes = fs::read(&self.path).expect("the copy can be read");
        bytes.truncate(100);
        bytes
    }

    /// A statement, or SQLite's message why there is none.
    pub(super) fn prepare(&self, sql: &str) -> Result<Statement<'_>, String> {
        self.reader.prepare(sql).map_err(message)
    }

    /// All rows of a query, or SQLite's message.
    pub(super) fn rows<T>(
        &self,
        sql: &str,
        parameters: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, String> {
        query(&self.reader, sql, parameters, read)
    }
}

/// All rows of a query on `connection`, or SQLite's message.
pub(super) fn query<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, String> {
    let mut statement = connection.prepare(sql).map_err(message)?;
    let rows = statement.query_map(parameters, read).map_err(message)?;
    rows.collect::<Result<_, _>>().map_err(message)
}

/// SQLite's own message, without the statement, which differs where names of copies differ.
#[expect(clippy::needless_pass_by_value, reason = "handed to map_err")]
pub(super) fn message(error: rusqlite::Error) -> String {
    match &error {
        rusqlite::Error::SqlInputError { msg, .. } | rusqlite::Error::SqliteFailure(_, Some(msg)) => {
            msg.clone()
        }
        _ => error.to_string(),
    }
}

/// `name` as an SQL identifier.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn open(path: &Path) -> Connection {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags).expect("the copy opens")
}

/// Opens and closes the copy once, so that SQLite rolls back a hot journal or folds in a leftover WAL.
fn fold_in_leftovers(path: &Path) {
    let connection = open(path);
    connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    connection.close().expect("the copy closes");
}

/// Written rather than copied with its permissions: the original may be read-only, the copy must not be.
fn copy(from: &Path, to: &Path) {
    let mut source = File::open(from).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    let mut target = File::create(to).expect("the copy can be created");
    std::io::copy(&mut source, &mut target).expect("the database can be copied");
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn compare_bytewise(connection: &Connection, name: &str) -> rusqlite::Result<()> {
    connection.create_collation(name, |a: &str, b: &str| a.cmp(b))
}
