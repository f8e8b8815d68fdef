//! What verbs ask of an open database: its catalog, its rows, its checks.

use std::ops::ControlFlow;
use std::path::PathBuf;

use rusqlite::Connection;

use crate::error::Result;
use crate::progress::{Phase, PhaseKind};
use crate::run::{Interrupt, Run};
use crate::schema::{Cell, Generated, ObjectKind, SchemaObject, Table};
use crate::sqlite::catalog::{Catalog, read_catalog};
use crate::sqlite::check::{CheckDepth, CheckReport, check_database};
use crate::sqlite::connect::{open_own_to_check, open_to_check};
use crate::sqlite::not_kept::{NotKept, find_not_kept, is_plain, lost_with_key, read_unknown_collations};
use crate::sqlite::open::Source;
use crate::sqlite::read_only_vfs::Sharing;
use crate::sqlite::rowids::rowid_bounds;
use crate::sqlite::rows::{TableScan, count_rows, estimate_row_count};
use crate::sqlite::schema_check::mentions_check;
use crate::sqlite::watch::{Extent, Watch, bound_expressions};

impl Source {
    /// What the database consists of, and what of it a restore could not rebuild.
    ///
    /// # Errors
    /// `Damaged` for a schema that makes no sense; what SQLite says.
    pub fn read_catalog(&self) -> Result<(Catalog, Vec<NotKept>)> {
        let read = || {
            let catalog = read_catalog(&self.connection)?;
            let not_kept = find_not_kept(&self.connection, &catalog)?;
            read_unknown_collations(&self.connection, &catalog.tables)?;
            Ok((catalog, not_kept))
        };
        read().map_err(|error: crate::error::Error| error.at(self.path()))
    }

    /// Hands every row of the table at `ordinal` of the catalog to `take`, until it breaks off, in the order of its b-tree.
    ///
    /// # Errors
    /// What SQLite says, with table and row; `Damaged` for rows that no sound table has; what `take` says.
    pub fn for_each_row(
        &self,
        catalog: &Catalog,
        ordinal: usize,
        take: impl FnMut(Option<i64>, &[Cell<'_>]) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.for_each_row_from(catalog, ordinal, None, take)
    }

    /// As [`Self::for_each_row`], but begins with the first rowid that is not below `from`; only for tables whose
    /// [`Self::rowid_bounds`] are known.
    ///
    /// # Errors
    /// As [`Self::for_each_row`].
    pub fn for_each_row_from(
        &self,
        catalog: &Catalog,
        ordinal: usize,
        from: Option<i64>,
        take: impl FnMut(Option<i64>, &[Cell<'_>]) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let (table, root_page) = (&catalog.tables[ordinal], catalog.root_pages[ordinal]);
        let scan = || {
            let mut scan =
                TableScan::open(&self.connection, table, root_page, catalog.header.encoding, from)?;
            scan.for_each_row(take)?;
            Ok(scan.key_is_lost().map(str::to_string))
        };
        let key_is_lost = scan().map_err(|error: crate::error::Error| error.at(self.path()))?;
        let mut found = self.not_kept.borrow_mut();
        if let Some(reason) = key_is_lost
            && !found.iter().any(|lost| lost.table == table.name)
        {
            found.extend(lost_with_key(table, reason));
        }
        Ok(())
    }

    /// The first and the last rowid of the table; `None` where it is empty, has no rowids, or they have no name left.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn rowid_bounds(&self, table: &Table) -> Result<Option<(i64, i64)>> {
        rowid_bounds(&self.connection, table).map_err(|error| error.in_table(&table.name).at(self.path()))
    }

    /// What a restore cannot rebuild and only rows could show, of the tables that have been read so far: the key of
    /// a WITHOUT ROWID table that is unique, or in order, only under a collation of its application.
    #[must_use]
    pub fn not_kept_found(&self) -> Vec<NotKept> {
        self.not_kept.borrow().clone()
    }

    /// Adds what another reader of the same commit found.
    pub fn add_not_kept_found(&self, found: Vec<NotKept>) {
        self.not_kept.borrow_mut().extend(found);
    }

    /// How many rows a table roughly has, without scanning it.
    #[must_use]
    pub fn estimate_row_count(&self, table: &Table) -> Option<u64> {
        estimate_row_count(&self.connection, table)
    }

    /// Counts the rows of the table at `ordinal` of the catalog, without reading them.
    ///
    /// # Errors
    /// What SQLite says, with the table.
    pub fn count_rows(&self, catalog: &Catalog, ordinal: usize) -> Result<u64> {
        let table = &catalog.tables[ordinal];
        count_rows(&self.connection, table, catalog.header.encoding)
            .map_err(|error| error.in_table(&table.name).at(self.path()))
    }

    /// Runs SQLite's own checks, as deep as asked.
    ///
    /// # Errors
    /// `Failed` when the time is over; what SQLite says, other than findings.
    pub fn check(
        &self,
        depth: CheckDepth,
        catalog: &Catalog,
        extents: &[Extent],
        run: Run<'_>,
    ) -> Result<CheckReport> {
        run.progress.begin(CHECKING);
        let report = self.checker().check(depth, catalog, extents, run.interrupt);
        run.progress.end();
        report
    }

    /// What runs SQLite's checks, also while another thread has the source.
    pub(crate) fn checker(&self) -> Checker {
        let (file, sharing) = self.file_to_check();
        Checker { file: file.to_path_buf(), sharing, path: self.path.clone() }
    }
}

/// How a run of SQLite's checks is told.
pub(crate) const CHECKING: Phase<'static> =
    Phase { kind: PhaseKind::Checking, subject: "", total_rows: None, total_bytes: None };

/// Runs SQLite's checks of a database that a [`Source`] holds open.
pub(crate) struct Checker {
    file: PathBuf,
    sharing: Sharing,
    /// What the database is called.
    path: PathBuf,
}

impl Checker {
    /// Runs SQLite's own checks, as deep as asked.
    ///
    /// On a connection of their own that may write in SQLite's eyes: a read-only one leaves CHECK constraints out. The
    /// schema may be anybody's, so that what it computes is bounded in time and size by what its tables hold.
    ///
    /// # Errors
    /// `Failed` when the time is over; what SQLite says, other than findings.
    pub(crate) fn check(
        &self,
        depth: CheckDepth,
        catalog: &Catalog,
        extents: &[Extent],
        interrupt: &Interrupt,
    ) -> Result<CheckReport> {
        let connection = open_to_check(&self.file, self.sharing, interrupt);
        let checked =
            connection.and_then(|connection| check_on(connection, depth, catalog, extents, interrupt));
        checked.map_err(|error| error.instead_at(&self.path))
    }

    /// As [`Self::check`], of a private file that this program has just made: with `cache_bytes` of it in memory, since
    /// every row is looked up in every index.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub(crate) fn check_own(
        &self,
        catalog: &Catalog,
        extents: &[Extent],
        cache_bytes: u64,
        interrupt: &Interrupt,
    ) -> Result<CheckReport> {
        let connection = open_own_to_check(&self.file, cache_bytes, interrupt);
        let checked = connection
            .and_then(|connection| check_on(connection, CheckDepth::Full, catalog, extents, interrupt));
        checked.map_err(|error| error.instead_at(&self.path))
    }
}

fn check_on(
    mut connection: Connection,
    depth: CheckDepth,
    catalog: &Catalog,
    extents: &[Extent],
    interrupt: &Interrupt,
) -> Result<CheckReport> {
    let watch = Watch::over(&mut connection, interrupt)?;
    let extent = extents.iter().fold(Extent::default(), |sum, extent| sum.and(*extent));
    bound_expressions(&connection, &extent, &catalog.objects)?;
    let tables = &catalog.tables;
    let check = || check_database(&connection, tables, depth);
    if !evaluates(catalog) {
        return check();
    }
    let passes = tables.iter().map(|table| table.indexes.len() + 1).max().unwrap_or(0);
    watch.within(extent.time(passes), "the rules of the tables", check)
}

/// Whether SQLite's checks evaluate anything of the schema's own: then the time they take can be anything.
fn evaluates(catalog: &Catalog) -> bool {
    let computes = |table: &Table| {
        table.columns.iter().any(|column| column.generated != Generated::No)
            || table.indexes.iter().any(|index| !is_plain(table, index))
    };
    let is_virtual = |object: &SchemaObject| object.kind == ObjectKind::Table && !object.has_storage;
    let mentions_check = |object: &SchemaObject| mentions_check(object, catalog.header.encoding);
    catalog.tables.iter().any(computes)
        || catalog.objects.iter().any(|object| is_virtual(object) || mentions_check(object))
}
