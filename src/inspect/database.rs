//! What a SQLite database holds, whoever made it: header, tables with their rows, columns, indexes.
//!
//! Rows are counted, which reads the pages of each table but no row; only where columns are asked for are rows read, for
//! their digest and to count the storage classes of their cells. The file is never touched: see [`crate::sqlite::open::Source::open_untouched`].

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::content::{Content, ContentOptions};
use crate::digest::{ContentDigest, RowHasher, schema_digest};
use crate::error::Result;
use crate::frame::mapping::ClassCounts;
use crate::inspect::{ObjectCounts, count_objects};
use crate::progress::{Phase, PhaseKind};
use crate::run::Run;
use crate::schema::{Column, DatabaseHeader, Generated, IndexOrigin, IndexedValue, ObjectKind, Table};

/// What a database holds.
#[derive(Debug, Clone, Serialize)]
pub struct DatabaseInspection {
    /// The database.
    #[serde(serialize_with = "crate::report::lossy_path")]
    pub database: PathBuf,
    /// Its size in bytes: pages times page size.
    pub size_bytes: u64,
    /// Whether it was read through a private copy, because something lies beside it.
    pub read_through_copy: bool,
    /// Its header.
    pub header: DatabaseHeader,
    /// The digest over header and schema, as a snapshot of it has.
    pub schema_digest: String,
    /// How many indexes, views, triggers and virtual tables it has.
    pub objects: ObjectCounts,
    /// Its tables that hold rows, in the order of its schema.
    pub tables: Vec<DatabaseTable>,
    /// Its views, triggers and virtual tables by name.
    pub others: Vec<(&'static str, String)>,
}

/// One table of a database.
#[derive(Debug, Clone, Serialize)]
pub struct DatabaseTable {
    /// Its name.
    pub name: String,
    /// How many rows it has.
    pub rows: u64,
    /// The digest of all its rows; `None` where they were not read.
    pub digest: Option<ContentDigest>,
    /// Its key: `rowid`, the rowid's alias, or the columns of a WITHOUT ROWID key.
    pub key: String,
    /// Whether it is a STRICT table.
    pub strict: bool,
    /// Whether its rows have no rowid.
    pub without_rowid: bool,
    /// Its indexes: name, and whether and why it is unique.
    pub indexes: Vec<String>,
    /// Its columns.
    pub columns: Vec<DatabaseColumn>,
}

/// One column of a table.
#[derive(Debug, Clone, Serialize)]
pub struct DatabaseColumn {
    /// Its name.
    pub name: String,
    /// Its declared type, empty if none.
    pub declared_type: String,
    /// Whether it is generated.
    pub generated: Generated,
    /// How many cells of each storage class; `None` where they were not counted, or it holds none.
    pub cells: Option<ClassCounts>,
}

/// Inspects the database at `path`; reads the rows of the tables that `reads_rows_of`.
///
/// # Errors
/// Those of [`Content::open`]; what SQLite says; `Interrupted`.
pub fn inspect_database(
    path: &Path,
    reads_rows_of: impl Fn(&str) -> bool,
    options: &ContentOptions,
    run: Run<'_>,
) -> Result<DatabaseInspection> {
    let content = Content::open(path, options, run)?;
    let size_bytes = content.size_bytes()?;
    let mut tables = Vec::with_capacity(content.tables().len());
    for (ordinal, table) in content.tables().iter().enumerate() {
        run.interrupt.check()?;
        let (rows, read) = if reads_rows_of(&table.name.lossy()) {
            let read = read_rows(&content, ordinal, run)?;
            (read.digest.row_count, Some(read))
        } else {
            (content.count_rows(ordinal)?, None)
        };
        tables.push(inspect_table(table, rows, read.as_ref()));
    }
    content.finish()?;
    let named = content.objects().iter().filter(|object| {
        matches!(object.kind, ObjectKind::View | ObjectKind::Trigger)
            || (object.kind == ObjectKind::Table && !object.has_storage)
    });
    let others = named.map(|object| {
        let kind = if object.kind == ObjectKind::Table { "virtual table" } else { object.kind.name() };
        (kind, object.name.lossy().into_owned())
    });
    Ok(DatabaseInspection {
        database: path.to_path_buf(),
        size_bytes,
        read_through_copy: content.is_copy(),
        header: *content.header(),
        schema_digest: schema_digest(content.header(), content.objects()).to_string(),
        objects: count_objects(content.objects()),
        others: others.collect(),
        tables,
    })
}

/// What reading the rows of a table tells.
struct ReadRows {
    digest: ContentDigest,
    /// The storage classes of each stored column's cells.
    counts: Vec<ClassCounts>,
}

fn read_rows(content: &Content, ordinal: usize, run: Run<'_>) -> Result<ReadRows> {
    let table = &content.tables()[ordinal];
    let subject = table.name.lossy();
    let total_rows = content.expected_rows(ordinal);
    run.progress.begin(Phase { kind: PhaseKind::Counting, subject: &subject, total_rows, total_bytes: None });
    let mut counts = vec![ClassCounts::default(); table.stored_columns().count()];
    let mut hasher = RowHasher::default();
    let read = content.for_each_row(ordinal, run, |rowid, cells| {
        hasher.add_row(rowid, cells);
        counts.iter_mut().zip(cells).for_each(|(counts, cell)| counts.count(cell.class()));
        Ok(())
    });
    run.progress.end();
    read.map(|()| ReadRows { digest: hasher.take(), counts })
}

fn inspect_table(table: &Table, rows: u64, read: Option<&ReadRows>) -> DatabaseTable {
    let column = |(index, column): (usize, &Column)| DatabaseColumn {
        name: column.name.lossy().into_owned(),
        declared_type: column.declared_type.lossy().into_owned(),
        generated: column.generated,
        cells: table.stored_position(index).and_then(|position| read?.counts.get(position).copied()),
    };
    let index = |index: &crate::schema::Index| {
        let why = match (index.origin, index.unique) {
            (IndexOrigin::PrimaryKey, _) => " (primary key)",
            (IndexOrigin::Unique, _) => " (unique constraint)",
            (IndexOrigin::Created, true) => " (unique)",
            (IndexOrigin::Created, false) => "",
        };
        format!("{}{why}", index.name.lossy())
    };
    DatabaseTable {
        name: table.name.lossy().into_owned(),
        rows,
        digest: read.map(|read| read.digest),
        key: key_of(table),
        strict: table.strict,
        without_rowid: !table.has_rowid(),
        indexes: table.indexes.iter().map(index).collect(),
        columns: table.columns.iter().enumerate().map(column).collect(),
    }
}

fn key_of(table: &Table) -> String {
    let name = |index: usize| table.columns.get(index).map(|column| column.name.lossy().into_owned());
    if table.has_rowid() {
        return table.rowid_alias.and_then(name).unwrap_or_else(|| "rowid".to_string());
    }
    let keys = table.without_rowid_key.iter().filter(|key| key.is_key);
    let names = keys.filter_map(|key| match key.value {
        IndexedValue::Column(index) => name(index),
        _ => None,
    });
    names.collect::<Vec<_>>().join(", ")
}
