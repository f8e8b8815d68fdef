//! The content of a snapshot or of a database, read alike whatever it lies in.
//!
//! Content is what two databases must share to be the same for whoever uses them: every row with its rowid, the text of
//! every schema object, `user_version`, `application_id` and the encoding. Layout is all the rest: page size,
//! auto-vacuum, journal mode, schema format, free pages, the order of rows and of schema objects, compression. Digests and
//! differences are about content; layout is only ever mentioned.
//!
//! A database is never touched: see [`Source::open_untouched`]. Rows of a snapshot are decoded, never taken from what its
//! manifest says about them.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::digest::{ContentDigest, RowHasher};
use crate::error::{Error, ErrorKind, Result};
use crate::matching::MatchingResources;
use crate::run::Run;
use crate::schema::{Cell, DatabaseHeader, Identifier, SchemaObject, Table, TextEncoding, name_glob};
use crate::snapshot::{Snapshot, TableEntry};
use crate::sqlite::Extent;
use crate::sqlite::catalog::Catalog;
use crate::sqlite::check::{CheckDepth, CheckReport};
use crate::sqlite::open::{OpenOptions, Source};
use crate::subject::{SubjectKind, subject_kind};

mod decoded;

/// How content is read.
#[derive(Debug, Clone)]
pub struct ContentOptions {
    /// How long to wait for a database that another process has locked or changes.
    pub busy_timeout: Duration,
    /// How much memory to use, in bytes.
    pub memory_limit_bytes: u64,
    /// How many threads decode.
    pub threads: usize,
    /// Where temporary files go; beside what is read if that can be written, else the system's folder, unless given.
    pub temp_folder: Option<PathBuf>,
}

/// The facts of a header that are content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ContentHeader {
    /// `PRAGMA user_version`.
    pub user_version: i32,
    /// `PRAGMA application_id`.
    pub application_id: i32,
    /// `PRAGMA encoding`.
    pub encoding: TextEncoding,
}

/// A snapshot or a database, opened.
pub struct Content {
    path: PathBuf,
    header: DatabaseHeader,
    objects: Vec<SchemaObject>,
    tables: Vec<Table>,
    store: Store,
}

enum Store {
    Snapshot(Box<Snapshot>),
    Database(Box<(Source, Catalog)>),
}

/// Rows between two looks at the interrupt and two words to the progress.
const ROWS_PER_STEP: u64 = 4_096;

impl Content {
    /// Opens what lies at `path`.
    ///
    /// # Errors
    /// Those of [`Snapshot::open`] and [`Source::open_untouched`]; `Damaged` for a file of zero bytes.
    pub fn open(path: &Path, options: &ContentOptions, run: Run<'_>) -> Result<Self> {
        Self::open_as(subject_kind(path)?, path, options, run)
    }

    /// Opens both; they may be the same one.
    ///
    /// What they are is looked at before either is opened: closing a file drops the locks that this process has on it.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_both(a: &Path, b: &Path, options: &ContentOptions, run: Run<'_>) -> Result<[Self; 2]> {
        let (kind_a, kind_b) = (subject_kind(a)?, subject_kind(b)?);
        Ok([Self::open_as(kind_a, a, options, run)?, Self::open_as(kind_b, b, options, run)?])
    }

    fn open_as(kind: SubjectKind, path: &Path, options: &ContentOptions, run: Run<'_>) -> Result<Self> {
        match kind {
            SubjectKind::Database => Self::open_database(path, options, run),
            _ => Snapshot::open(path).map(|snapshot| Self::of_snapshot(path, snapshot)),
        }
    }

    fn open_database(path: &Path, options: &ContentOptions, run: Run<'_>) -> Result<Self> {
        let source = open_given_database(path, options.busy_timeout, options.temp_folder.as_deref(), run)?;
        let (catalog, _) = source.read_catalog()?;
        Ok(Self {
            path: path.to_path_buf(),
            header: catalog.header,
            objects: catalog.objects.clone(),
            tables: catalog.tables.clone(),
            store: Store::Database(Box::new((source, catalog))),
        })
    }

    fn of_snapshot(path: &Path, snapshot: Snapshot) -> Self {
        let manifest = &snapshot.manifest;
        Self {
            path: path.to_path_buf(),
            header: manifest.database,
            objects: manifest.schema.clone(),
            tables: manifest.tables.iter().map(|entry| entry.table.clone()).collect(),
            store: Store::Snapshot(Box::new(snapshot)),
        }
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All of the header, layout included.
    #[must_use]
    pub fn header(&self) -> &DatabaseHeader {
        &self.header
    }

    /// What of the header is content.
    #[must_use]
    pub fn content_header(&self) -> ContentHeader {
        let DatabaseHeader { user_version, application_id, encoding, .. } = self.header;
        ContentHeader { user_version, application_id, encoding }
    }

    /// The rows of `sqlite_schema`.
    #[must_use]
    pub fn objects(&self) -> &[SchemaObject] {
        &self.objects
    }

    /// The tables that hold rows.
    #[must_use]
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// Whether it is a database, not a snapshot.
    #[must_use]
    pub fn is_database(&self) -> bool {
        matches!(self.store, Store::Database(_))
    }

    /// Whether it is a snapshot of part of a database only.
    #[must_use]
    pub fn is_part(&self) -> bool {
        matches!(&self.store, Store::Snapshot(snapshot) if !snapshot.manifest.snapshot.whole_database)
    }

    /// Its size in bytes, roughly what has to be read.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn size_bytes(&self) -> Result<u64> {
        match &self.store {
            Store::Snapshot(snapshot) => Ok(snapshot.size_bytes()),
            Store::Database(database) => database.0.size_bytes(),
        }
    }

    /// How many rows the table at `ordinal` has, as far as that is known without reading it.
    #[must_use]
    pub fn expected_rows(&self, ordinal: usize) -> Option<u64> {
        match &self.store {
            Store::Snapshot(snapshot) => snapshot.manifest.tables.get(ordinal).map(TableEntry::row_count),
            Store::Database(database) => database.0.estimate_row_count(&self.tables[ordinal]),
        }
    }

    /// Whether [`Self::for_each_row`] gives the rows of the table at `ordinal` by rising rowid.
    #[must_use]
    pub fn is_in_rowid_order(&self, ordinal: usize) -> bool {
        self.tables[ordinal].has_rowid()
            && match &self.store {
                Store::Database(_) => true,
                Store::Snapshot(snapshot) => {
                    let TableEntry { files, inline_rows, .. } = &snapshot.manifest.tables[ordinal];
                    inline_rows.is_empty() && files.len() <= 1 && files.iter().all(|file| file.in_key_order)
                }
            }
    }

    /// The content digest of the table at `ordinal`, from every one of its rows.
    ///
    /// # Errors
    /// `Damaged` where rows cannot be read, or a snapshot's are not those its manifest names; what SQLite says;
    /// `Interrupted`.
    pub fn digest_table(
        &self,
        ordinal: usize,
        resources: MatchingResources,
        run: Run<'_>,
    ) -> Result<ContentDigest> {
        match &self.store {
            Store::Database(_) => {
                let mut hasher = RowHasher::default();
                self.for_each_row(ordinal, run, |rowid, cells| {
                    hasher.add_row(rowid, cells);
                    Ok(())
                })?;
                Ok(hasher.take())
            }
            Store::Snapshot(snapshot) => {
                let entry = &snapshot.manifest.tables[ordinal];
                decoded::digest_entry(snapshot, entry, resources, run)
            }
        }
    }

    /// Hands every row of the table at `ordinal` to `take`: its rowid, if the table has them, and its stored columns in
    /// declaration order. Rows come as they lie there; tells the progress how far it is.
    ///
    /// # Errors
    /// `Damaged` where rows cannot be read; what SQLite says; what `take` says; `Interrupted`.
    pub fn for_each_row(
        &self,
        ordinal: usize,
        run: Run<'_>,
        mut take: impl FnMut(Option<i64>, &[Cell<'_>]) -> Result<()>,
    ) -> Result<()> {
        let mut rows = 0;
        let mut take = |rowid: Option<i64>, cells: &[Cell<'_>]| {
            rows += 1;
            run.interrupt.check()?;
            if rows % ROWS_PER_STEP == 0 {
                run.progress.advance(ROWS_PER_STEP, 0);
            }
            take(rowid, cells)
        };
        match &self.store {
            Store::Database(database) => {
                database.0.for_each_row(&database.1, ordinal, |rowid, cells| {
                    take(rowid, cells).map(|()| ControlFlow::Continue(()))
                })?;
            }
            Store::Snapshot(snapshot) => {
                let entry = &snapshot.manifest.tables[ordinal];
                decoded::read_entry(snapshot, entry, &mut take)?;
            }
        }
        run.progress.advance(rows % ROWS_PER_STEP, 0);
        Ok(())
    }

    /// Whether a database is read through a private copy of it.
    #[must_use]
    pub fn is_copy(&self) -> bool {
        matches!(&self.store, Store::Database(database) if database.0.is_private_copy())
    }

    /// How many rows the table at `ordinal` has; no row is read for that.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn count_rows(&self, ordinal: usize) -> Result<u64> {
        match &self.store {
            Store::Snapshot(snapshot) => Ok(snapshot.manifest.tables[ordinal].row_count()),
            Store::Database(database) => database.0.count_rows(&database.1, ordinal),
        }
    }

    /// SQLite's own checks of a database whose rows are of that extent; of a snapshot, nothing.
    ///
    /// # Errors
    /// What SQLite says, other than findings.
    pub fn check(&self, depth: CheckDepth, extent: &Extent, run: Run<'_>) -> Result<CheckReport> {
        match &self.store {
            Store::Snapshot(_) => Ok(CheckReport::default()),
            Store::Database(database) => {
                database.0.check(depth, &database.1, std::slice::from_ref(extent), run)
            }
        }
    }

    /// Ends the reading; see [`Source::finish`].
    ///
    /// # Errors
    /// `Busy` or `Failed` where a database was changed while it was read.
    pub fn finish(&self) -> Result<()> {
        match &self.store {
            Store::Snapshot(_) => Ok(()),
            Store::Database(database) => database.0.finish(),
        }
    }
}

/// Opens a database that somebody gave us, untouched; a file of zero bytes is none.
///
/// # Errors
/// Those of [`Source::open_untouched`]; `Damaged` for a file of zero bytes.
pub fn open_given_database(
    path: &Path,
    busy_timeout: Duration,
    temp_folder: Option<&Path>,
    run: Run<'_>,
) -> Result<Source> {
    let is_empty = std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() == 0);
    if is_empty {
        return Err(Error::new(ErrorKind::Damaged, "the file has zero bytes")
            .at(path)
            .hint("SQLite takes that for an empty database, but a backup of zero bytes is no backup"));
    }
    Source::open_untouched(path, &OpenOptions { busy_timeout, allow_empty: false }, temp_folder, run)
}

/// Which of `names` are meant by `patterns`, each of which is a name or else a pattern; all, without any.
///
/// # Errors
/// `Usage` for a pattern that is none, or that matches nothing.
pub fn select_tables(patterns: &[String], names: &[&Identifier]) -> Result<BTreeSet<usize>> {
    if patterns.is_empty() {
        return Ok((0..names.len()).collect());
    }
    let mut selected = BTreeSet::new();
    for pattern in patterns {
        let matching = |is_it: &dyn Fn(&Identifier) -> bool| -> Vec<usize> {
            let found = names.iter().enumerate().filter(|(_, name)| is_it(name));
            found.map(|(index, _)| index).collect()
        };
        let mut found = matching(&|name| name.is_same(pattern.as_bytes()));
        if found.is_empty() {
            // Only what is no table's name is a pattern.
            let glob = name_glob(pattern)?;
            found = matching(&|name| glob.is_match(&*name.lossy()));
        }
        if found.is_empty() {
            let known: Vec<_> = names.iter().take(20).map(|name| name.lossy()).collect();
            return Err(Error::new(ErrorKind::Usage, format!("no table matches {pattern:?}"))
                .hint(format!("the tables are: {}", known.join(", "))));
        }
        selected.extend(found);
    }
    Ok(selected)
}
