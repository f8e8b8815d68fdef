//! A folder in which the program runs, with what a test puts there.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use tempfile::TempDir;

use crate::ran::Ran;

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_parklite");

/// A small gym log: a counter ahead of its data, mixed classes, an index, a view, a trigger.
const GYMLOG: &str = "
CREATE TABLE events (_event_id TEXT PRIMARY KEY, _created_at TEXT NOT NULL, event_type TEXT NOT NULL,
                     payload TEXT NOT NULL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
INSERT INTO events SELECT printf('e%04d', i * 11 % 301), printf('2026-11-%02dT10:00:00Z', i % 28 + 1), 'set_done',
                          json_object('reps', i) FROM n;
CREATE TABLE sets (id INTEGER PRIMARY KEY AUTOINCREMENT, weight DECIMAL(5,2), note);
INSERT INTO sets VALUES (1, 9.99, 'warm up'), (2, 10, NULL), (3, 82.5, x'00ff'), (41, 1, 'gone');
DELETE FROM sets WHERE id = 41;
CREATE TABLE cache_pages (url TEXT, body BLOB);
INSERT INTO cache_pages VALUES ('a', x'01'), ('b', NULL);
CREATE INDEX sets_by_weight ON sets (weight DESC);
CREATE VIEW heavy AS SELECT id FROM sets WHERE weight > 50;
CREATE TRIGGER no_more AFTER DELETE ON sets BEGIN SELECT RAISE(ABORT, 'sets stay'); END;
";

/// What one name in a place is; two that are equal are the same to the last byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    Folder { mode: u32 },
    File { mode: u32, size_bytes: u64, hash: u64 },
    Link { to: PathBuf },
    Special,
}

/// Everything in a place, by its path below it.
pub(crate) type Listing = BTreeMap<PathBuf, Entry>;

/// A folder of a test's own, removed with this value.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().expect("a temporary folder can be made") }
    }

    /// A place with the small gym log as `gymlog.db`.
    pub(crate) fn with_gymlog() -> Self {
        let place = Self::new();
        place.execute("gymlog.db", GYMLOG);
        place
    }

    /// A place with the small gym log as `gymlog.db` and its snapshot `snap`.
    pub(crate) fn with_snapshot() -> Self {
        let place = Self::with_gymlog();
        place.run("export gymlog.db -o snap").exits(0);
        place
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs SQL in the database `name`, which is made if it is missing.
    pub(crate) fn execute(&self, name: impl AsRef<Path>, sql: &str) {
        let connection = Connection::open(self.path(name)).expect("the database opens");
        connection.execute_batch(sql).expect("the SQL is sound");
        connection.close().expect("the database closes");
    }

    /// The first value that a query answers, as text.
    pub(crate) fn ask(&self, name: impl AsRef<Path>, query: &str) -> String {
        let connection = Connection::open(self.path(name)).expect("the database opens");
        connection.query_row(query, [], |row| Ok(shown(row.get_ref(0)?))).expect("the query has an answer")
    }

    /// Every row of the schema and of every table with storage, in a fixed order.
    pub(crate) fn content(&self, name: impl AsRef<Path>) -> Vec<String> {
        let connection = Connection::open(self.path(name)).expect("the database opens");
        let rows = |query: &str| -> Vec<String> {
            let mut statement = connection.prepare(query).expect("the query is sound");
            let width = statement.column_count();
            let rows = statement.query_map([], |row| {
                (0..width).map(|index| row.get_ref(index).map(shown)).collect::<Result<Vec<_>, _>>()
            });
            rows.expect("the query runs").map(|row| row.expect("the row is read").join("|")).collect()
        };
        let mut content = rows("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY rowid");
        for table in rows("SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0") {
            let table = table.trim_matches('\'').to_owned();
            content.push(table.clone());
            content.extend(rows(&format!("SELECT rowid, * FROM \"{table}\" ORDER BY rowid")));
        }
        content
    }

    pub(crate) fn write(&self, name: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).expect("the file can be written");
    }

    pub(crate) fn read(&self, name: impl AsRef<Path>) -> Vec<u8> {
        fs::read(self.path(name)).expect("the file can be read")
    }

    pub(crate) fn make_folder(&self, name: impl AsRef<Path>) {
        fs::create_dir(self.path(name)).expect("the folder can be made");
    }

    pub(crate) fn make_fifo(&self, name: &str) {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        mknodat(CWD, self.path(name), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
            .expect("the FIFO can be made");
    }

    pub(crate) fn set_mode(&self, name: impl AsRef<Path>, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).expect("the mode can be set");
    }

    pub(crate) fn mode(&self, name: impl AsRef<Path>) -> u32 {
        mode(&fs::metadata(self.path(name)).expect("it is there"))
    }

    /// The manifest of the snapshot folder `name`.
    pub(crate) fn manifest(&self, name: &str) -> serde_json::Value {
        let text = self.read(Path::new(name).join("manifest.json"));
        serde_json::from_slice(&text).expect("a manifest is JSON")
    }

    /// Damages one byte of a file, at a share of its length: one bit of it is turned.
    pub(crate) fn flip_bit(&self, name: impl AsRef<Path>, numerator: usize, denominator: usize) {
        let mut bytes = self.read(&name);
        let at = bytes.len() * numerator / denominator;
        bytes[at] ^= 0x10;
        self.write(name, bytes);
    }

    /// Runs the program with these words, separated by spaces.
    pub(crate) fn run(&self, words: &str) -> Ran {
        self.run_words(words.split_whitespace())
    }

    /// Runs the program with arguments that may hold anything.
    pub(crate) fn run_words(&self, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Ran {
        let mut command = self.command();
        command.args(words);
        self.finish(command)
    }

    /// Runs a script of the shell in which `parklite` is the program.
    pub(crate) fn run_in_shell(&self, script: &str) -> Ran {
        self.finish(self.shell(&script.replace("parklite", "\"$1\""), ""))
    }

    /// The program, about to run here, apart from the environment of whoever runs the tests.
    pub(crate) fn command(&self) -> Command {
        self.in_here(PROGRAM)
    }

    /// The shell, about to run `script` here with the program and these words as `"$@"`.
    pub(crate) fn shell(&self, script: &str, words: &str) -> Command {
        let mut command = self.in_here("sh");
        command.args(["-c", script, "sh", PROGRAM]).args(words.split_whitespace());
        command
    }

    /// Runs a command made by [`command`](Self::command) or [`shell`](Self::shell).
    pub(crate) fn finish(&self, command: Command) -> Ran {
        let before = self.listing();
        Ran::of(command, before, || self.listing())
    }

    /// Any program, about to run here.
    pub(crate) fn in_here(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder()).env_remove("NO_COLOR").env("TERM", "xterm").env("LC_ALL", "C");
        command
    }

    /// The program with a file system of its own at `mounted`, seen by it alone; what it leaves there is told on
    /// standard error. `None` where nothing can be mounted.
    pub(crate) fn with_mount(&self, options: &str, words: &str) -> Option<Command> {
        const SCRIPT: &str = r#"mount -t tmpfs -o "$1" tmpfs mounted || exit 99; shift; "$@"; code=$?
            find mounted -mindepth 1 >&2; umount mounted; exit $code"#;
        self.make_folder("mounted");
        let isolated = |script: &str| {
            let mut command = self.in_here("unshare");
            command.args(["--mount", "--map-root-user", "sh", "-c", script, "sh", options, PROGRAM]);
            command
        };
        let probe = isolated("mount -t tmpfs tmpfs mounted").output();
        if !probe.is_ok_and(|probe| probe.status.success()) {
            return None;
        }
        let mut command = isolated(SCRIPT);
        command.args(words.split_whitespace());
        Some(command)
    }

    /// What is here.
    pub(crate) fn listing(&self) -> Listing {
        let mut listing = Listing::new();
        list(self.folder(), self.folder(), &mut listing);
        listing
    }
}

fn shown(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(value) => value.to_string(),
        ValueRef::Real(value) => format!("{value:?}"),
        ValueRef::Text(text) => format!("'{}'", String::from_utf8_lossy(text)),
        ValueRef::Blob(bytes) => format!("{bytes:02x?}"),
    }
}

fn list(root: &Path, folder: &Path, listing: &mut Listing) {
    // What a program at work removes meanwhile is not there.
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(found) = fs::symlink_metadata(&path) else { continue };
        let name = path.strip_prefix(root).expect("below the root").to_path_buf();
        let entry = if found.is_dir() {
            list(root, &path, listing);
            Entry::Folder { mode: mode(&found) }
        } else if found.is_symlink() {
            Entry::Link { to: fs::read_link(&path).expect("a link leads somewhere") }
        } else if found.is_file() {
            let mut hasher = DefaultHasher::new();
            fs::read(&path).unwrap_or_default().hash(&mut hasher);
            Entry::File { mode: mode(&found), size_bytes: found.size(), hash: hasher.finish() }
        } else {
            Entry::Special
        };
        listing.insert(name, entry);
    }
}

fn mode(found: &fs::Metadata) -> u32 {
    found.permissions().mode() & 0o7777
}

#[expect(clippy::print_stderr, reason = "counts that a page of the documentation names")]
pub(crate) fn told(what: &str) {
    eprintln!("{what}");
}

#[expect(clippy::print_stderr, reason = "a test that cannot run here must not look like one that did")]
pub(crate) fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}
