//! What verbs ask of an open database: its catalog, its rows, its checks.

use std::ops::ControlFlow;

use crate::error::Result;
use crate::progress::{Phase, PhaseKind};
use crate::run::Run;
use crate::schema::{Cell, Table};
use crate::sqlite::catalog::{Catalog, read_catalog};
use crate::sqlite::check::{CheckDepth, CheckReport, check_database};
use crate::sqlite::not_kept::{NotKept, find_not_kept, read_unknown_collations};
use crate::sqlite::open::{Source, open_to_check};
use crate::sqlite::rows::{TableScan, count_rows, estimate_row_count};

impl Source {
    /// What the database consists of, and what of it a restore could not rebuild.
    ///
    /// # Errors
    /// `Damaged` for a schema that makes no sense; what SQLite says.
    pub fn read_catalog(&self) -> Result<(Catalog, Vec<NotKept>)> {
        let read = || {
            let catalog = read_catalog(&self.connection)?;
            let not_kept = find_not_kept(&self.connection, &catalog.tables)?;
            read_unknown_collations(&self.connection, &catalog.tables)?;
            Ok((catalog, not_kept))
        };
        read().map_err(|error: crate::error::Error| error.at(self.path()))
    }

    /// Hands every row of the table at `ordinal` of the catalog to `take`, until it breaks off, in the order of its b-tree.
    ///
    /// # Errors
    /// What SQLite says, with table and row; what `take` says.
    pub fn for_each_row(
        &self,
        catalog: &Catalog,
        ordinal: usize,
        take: impl FnMut(Option<i64>, &[Cell<'_>]) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let (table, root_page) = (&catalog.tables[ordinal], catalog.root_pages[ordinal]);
        let scan = TableScan::open(&self.connection, table, root_page, catalog.header.encoding);
        scan.and_then(|mut scan| scan.for_each_row(take)).map_err(|error| error.at(self.path()))
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

    /// Runs SQLite's integrity check and foreign key check.
    ///
    /// On a connection of their own that may write in SQLite's eyes: a read-only one leaves CHECK constraints out.
    ///
    /// # Errors
    /// What SQLite says, other than findings.
    pub fn check(&self, catalog: &Catalog, run: Run<'_>) -> Result<CheckReport> {
        self.check_to(CheckDepth::Full, catalog, run)
    }

    /// As [`Self::check`], as deep as asked.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn check_to(&self, depth: CheckDepth, catalog: &Catalog, run: Run<'_>) -> Result<CheckReport> {
        run.progress.begin(Phase {
            kind: PhaseKind::Checking,
            subject: "",
            total_rows: None,
            total_bytes: None,
        });
        let (file, sharing) = self.file_to_check();
        let report = open_to_check(file, sharing, run.interrupt).and_then(|connection| {
            check_database(&connection, &catalog.tables, catalog.header.encoding, depth)
        });
        run.progress.end();
        report.map_err(|error| error.instead_at(self.path()))
    }
}
