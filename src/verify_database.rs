//! `verify` of a SQLite database, whoever made it: SQLite's own checks, and every row read once.
//!
//! The file is read as SQLite would recover it and is never touched: see [`crate::sqlite::open::Source::open_untouched`].
//! There is nothing to prove it against here but itself; [`crate::diff`] compares it with something else.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::content::{Content, ContentOptions};
use crate::digest::{RowHasher, Sha256Digest, schema_content_digest};
use crate::digests::TableDigest;
use crate::error::{ErrorKind, Result};
use crate::progress::{Phase, PhaseKind};
use crate::run::Run;
use crate::schema::DatabaseHeader;
use crate::sqlite::Extent;
use crate::sqlite::check::{CheckDepth, CheckReport};

/// How much of a database is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseLevel {
    /// SQLite's `quick_check`.
    Quick,
    /// `integrity_check`, `foreign_key_check`, and every row read.
    Full,
}

/// What verifying a database found.
#[derive(Debug, Clone, Serialize)]
pub struct DatabaseReport {
    /// The database.
    #[serde(serialize_with = "crate::report::lossy_path")]
    pub database: PathBuf,
    /// How much was verified.
    pub level: DatabaseLevel,
    /// Whether nothing was found.
    pub intact: bool,
    /// Its size in bytes: pages times page size.
    pub size_bytes: u64,
    /// Whether it was read through a private copy, because something lies beside it.
    pub read_through_copy: bool,
    /// Its header.
    pub header: DatabaseHeader,
    /// The digest of its schema's content.
    pub schema: Sha256Digest,
    /// How many tables hold rows.
    pub table_count: usize,
    /// Those tables with their digests; none at the quick level.
    pub tables: Vec<TableDigest>,
    /// Tables that cannot be read to their end.
    pub unreadable: Vec<UnreadableTable>,
    /// What SQLite's checks say.
    pub check: CheckReport,
}

/// A table that cannot be read to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnreadableTable {
    /// Its name.
    pub table: String,
    /// Why.
    pub finding: String,
}

/// Verifies the database at `path`.
///
/// # Errors
/// Those of [`Content::open`], among them `Damaged` where not even the schema can be read; `Interrupted`. What else is
/// found wrong is in the report.
pub fn verify_database(
    path: &Path,
    level: DatabaseLevel,
    options: &ContentOptions,
    run: Run<'_>,
) -> Result<DatabaseReport> {
    let content = Content::open(path, options, run)?;
    run.progress.set_run_total(content.size_bytes()?);
    let depth = match level {
        DatabaseLevel::Quick => CheckDepth::Quick,
        DatabaseLevel::Full => CheckDepth::Full,
    };
    let mut report = DatabaseReport {
        database: path.to_path_buf(),
        level,
        intact: false,
        size_bytes: content.size_bytes()?,
        read_through_copy: content.is_copy(),
        header: *content.header(),
        schema: schema_content_digest(content.objects()),
        table_count: content.tables().len(),
        tables: Vec::new(),
        unreadable: Vec::new(),
        check: CheckReport::default(),
    };
    // What the checks evaluate is bounded by what there is, which the rows tell, or the size of the file.
    let extent = match level {
        DatabaseLevel::Quick => Extent::of_file(report.size_bytes),
        DatabaseLevel::Full => read_tables(&content, run, &mut report)?,
    };
    report.check = content.check(depth, &extent, run)?;
    content.finish()?;
    report.intact = report.check.found_nothing() && report.unreadable.is_empty();
    Ok(report)
}

/// Reads every row of every table; says how much it was.
fn read_tables(content: &Content, run: Run<'_>, report: &mut DatabaseReport) -> Result<Extent> {
    let mut extent = Extent::default();
    for (ordinal, table) in content.tables().iter().enumerate() {
        let subject = table.name.lossy();
        run.progress.begin(Phase {
            kind: PhaseKind::Digesting,
            subject: &subject,
            total_rows: content.expected_rows(ordinal),
            total_bytes: None,
        });
        let mut hasher = RowHasher::default();
        let read = content.for_each_row(ordinal, run, |rowid, cells| {
            extent.add_row(hasher.add_row(rowid, cells));
            Ok(())
        });
        run.progress.end();
        match read {
            Ok(()) => {
                report.tables.push(TableDigest { name: table.name.clone(), digest: hasher.take() });
            }
            Err(error) if error.kind() == ErrorKind::Damaged => {
                let row = error.place().row_ordinal.map(|row| format!(" at row {row}")).unwrap_or_default();
                let finding = format!("cannot be read to its end{row}: {}", error.message());
                report.unreadable.push(UnreadableTable { table: subject.into_owned(), finding });
                extent = extent.and(Extent::of_file(report.size_bytes));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(extent)
}
