//! The databases that the judges get, each alone in a temporary folder.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tempfile::TempDir;

use crate::judges::tell;

/// As many columns as SQLite takes unless compiled otherwise.
const COLUMNS: usize = 2000;
/// More rows than two row groups hold (32,768 and 131,072).
const MANY_ROWS: usize = 170_000;

/// A database in a folder of its own, which vanishes with this.
pub(crate) struct Source {
    /// The database file.
    pub(crate) path: PathBuf,
    folder: TempDir,
}

impl Source {
    fn new(name: &str) -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        let path = folder.path().join(name);
        Self { path, folder }
    }

    /// The folder around the database.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn built(name: &str, sql: &str) -> Self {
        let source = Self::new(&format!("{name}.db"));
        let connection = Connection::open(&source.path).expect("the database can be made");
        connection.execute_batch(sql).unwrap_or_else(|error| panic!("{name}: {error}"));
        connection.close().unwrap_or_else(|(_, error)| panic!("{name}: {error}"));
        source
    }

    /// A copy that can be written to, whatever the original's permissions.
    fn copied(path: &Path) -> Self {
        let source = Self::new(&path.file_name().expect("a file has a name").to_string_lossy());
        let bytes = fs::read(path).expect("the database can be read");
        fs::write(&source.path, bytes).expect("the copy can be written");
        source
    }
}

/// The bundled example.
pub(crate) fn gymlog() -> Source {
    Source::copied(&fixtures().join("gymlog.db"))
}

/// A database for every recipe, those that cannot be kept whole included.
pub(crate) fn recipes() -> Vec<Source> {
    let mut paths = listed(&fixtures().join("sqlite"), &["sql"]);
    paths.extend(listed(&fixtures().join("not_keepable"), &["sql"]));
    assert!(paths.len() > 70, "only {} recipes were found", paths.len());
    let built = |path: &PathBuf| {
        let name = path.file_stem().expect("a file has a name").to_string_lossy();
        let recipe = fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"));
        Source::built(&name, &recipe)
    };
    paths.iter().map(built).collect()
}

/// Databases that other people's programs wrote; none where `PARKLITE_TEST_DATA` is not set.
pub(crate) fn real() -> Vec<Source> {
    let Some(folder) = env::var_os("PARKLITE_TEST_DATA") else {
        tell("skipped: real databases (PARKLITE_TEST_DATA is not set)");
        return Vec::new();
    };
    let folder = Path::new(&folder).join("realdbs");
    listed(&folder, &["db", "sqlite", "gpkg"]).iter().map(|path| Source::copied(path)).collect()
}

/// Prices as SQLite keeps them: 10.00 becomes the integer 10.
pub(crate) fn decimals() -> Source {
    Source::built(
        "decimals",
        "CREATE TABLE prices (price DECIMAL(10,2), clean NUMERIC(8,3), mixed DECIMAL, note TEXT);
         INSERT INTO prices VALUES (9.99, 1, 'free', 'a'), (10, 2, 3, 'b'), (NULL, 3, 2.5, 'c'),
           (9007199254740993, 4, x'00', 'd'), (-0.5, 5, NULL, 'e'), (9007199254740992.0, 6, '', 'f');
         CREATE TABLE two (price DECIMAL(10,2)); INSERT INTO two VALUES (9.99), (10);",
    )
}

/// A table of 2000 columns of many types and classes.
pub(crate) fn wide() -> Source {
    let types = ["INTEGER", "TEXT", "REAL", "BLOB", "DECIMAL(10,2)", ""];
    let columns: Vec<String> = (0..COLUMNS).map(|i| format!("c{i} {}", types[i % types.len()])).collect();
    let row = |row: usize| {
        let cell = |column: usize| match (row + column) % 9 {
            0 => "NULL".to_owned(),
            1 => format!("'text {row} {column}'"),
            2 => format!("{row}.5"),
            3 => format!("x'{row:02x}{column:04x}'"),
            _ => (row * COLUMNS + column).to_string(),
        };
        format!("INSERT INTO wide VALUES ({});", (0..COLUMNS).map(cell).collect::<Vec<_>>().join(", "))
    };
    let rows: String = (0..5).map(row).collect();
    Source::built("wide", &format!("CREATE TABLE wide ({}); {rows}", columns.join(", ")))
}

/// More than one row group: events out of order, and doubles whose statistics tell row groups apart.
pub(crate) fn row_groups() -> Source {
    Source::built(
        "row_groups",
        &format!(
            "CREATE TABLE readings (_created_at TEXT, value REAL, price NUMERIC);
             WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {MANY_ROWS})
             INSERT INTO readings SELECT date('2020-01-01', (i * 7919 % 2003) || ' days'), i / 8.0,
               CASE WHEN i % 3 THEN i ELSE i + 0.25 END FROM n;"
        ),
    )
}

fn listed(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let has_extension =
        |path: &PathBuf| path.extension().is_some_and(|own| extensions.iter().any(|one| own == *one));
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("the folder can be listed").path())
        .filter(has_extension)
        .collect();
    paths.sort();
    paths
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}
