//! `inspect`: what a snapshot holds, from its manifest and footers; no row is decoded. And what a database holds.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::{ErrorKind, Result};
use crate::export::{describe_order, describe_reason};
use crate::frame::mapping::{ClassCounts, ColumnMapping, MainClass};
use crate::parquet_file::{ChosenFor, ColumnFacts, TableReader};
use crate::rebuild::VERIFY_HINT;
use crate::schema::{DatabaseHeader, SchemaObject, Table};
use crate::snapshot::{DataFile, LeftOut, Snapshot, SnapshotFacts, TableEntry, WrittenBy};
use crate::sqlite::not_kept::NotKept;

mod database;
mod encoding;

pub use database::{DatabaseColumn, DatabaseInspection, DatabaseTable, inspect_database};
pub use encoding::{InspectedChoice, InspectedParquetColumn, WHY_LESS_EFFORT, layout_name, why_layout};

/// What a snapshot holds.
#[derive(Debug, Clone, Serialize)]
pub struct InspectReport {
    /// The snapshot.
    #[serde(serialize_with = "crate::report::lossy_path")]
    pub snapshot: PathBuf,
    /// Where it comes from and when it was taken.
    #[serde(flatten)]
    pub facts: SnapshotFacts,
    /// What wrote it.
    pub written_by: WrittenBy,
    /// The database's header.
    pub database: DatabaseHeader,
    /// The digest over header and schema.
    pub schema_digest: String,
    /// How many indexes, views and triggers it restores.
    pub objects: ObjectCounts,
    /// The size of its data files.
    pub size_bytes: u64,
    /// Its tables.
    pub tables: Vec<InspectedTable>,
    /// What a restore cannot rebuild.
    pub not_kept: Vec<NotKept>,
    /// What of the source was not asked for.
    pub left_out: Vec<LeftOut>,
}

/// How many schema objects of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ObjectCounts {
    /// Indexes, automatic ones included.
    pub indexes: usize,
    /// Views.
    pub views: usize,
    /// Triggers.
    pub triggers: usize,
    /// Virtual tables.
    pub virtual_tables: usize,
}

/// One table of a snapshot.
#[derive(Debug, Clone, Serialize)]
pub struct InspectedTable {
    /// Its name.
    pub name: String,
    /// Its files; none where its rows stand in the manifest.
    pub files: Vec<String>,
    /// Its rows.
    pub rows: u64,
    /// The size of its files.
    pub size_bytes: u64,
    /// Row groups of all files.
    pub row_groups: usize,
    /// The order of its rows.
    pub order: String,
    /// Why this order.
    pub order_reason: &'static str,
    /// The columns by which the footer says rows are sorted.
    pub sorting_columns: Vec<String>,
    /// Its content digest.
    pub digest: String,
    /// The Parquet column of its rowids, where they are in none of its own columns.
    pub rowid: Option<InspectedParquetColumn>,
    /// Its columns.
    pub columns: Vec<InspectedColumn>,
}

/// One stored column.
#[derive(Debug, Clone, Serialize)]
pub struct InspectedColumn {
    /// Its name.
    pub name: String,
    /// Its declared type.
    pub declared_type: String,
    /// The type of its main Parquet column.
    pub main: MainClass,
    /// Why that type.
    pub reason: String,
    /// How many cells of each storage class.
    pub cells: ClassCounts,
    /// Cells a reader of the main column alone takes for NULL.
    pub hidden_cells: u64,
    /// The Parquet columns: the main one, then companions.
    pub parquet: Vec<InspectedParquetColumn>,
}

/// Inspects the snapshot at `path`.
///
/// # Errors
/// `NotFound`, `Damaged`, `NewerFormat` where it, or a footer, cannot be read.
pub fn inspect(path: &Path) -> Result<InspectReport> {
    let snapshot = Snapshot::open(path)?;
    let manifest = &snapshot.manifest;
    let tables =
        manifest.tables.iter().map(|entry| inspect_table(&snapshot, entry)).collect::<Result<Vec<_>>>()?;
    Ok(InspectReport {
        snapshot: path.to_path_buf(),
        facts: manifest.snapshot.clone(),
        written_by: manifest.written_by.clone(),
        database: manifest.database,
        schema_digest: manifest.schema_digest.to_string(),
        objects: count_objects(&manifest.schema),
        size_bytes: snapshot.size_bytes(),
        tables,
        not_kept: manifest.not_kept.clone(),
        left_out: manifest.left_out.clone(),
    })
}

fn count_objects(objects: &[SchemaObject]) -> ObjectCounts {
    use crate::schema::ObjectKind;
    let mut counts = ObjectCounts::default();
    for object in objects {
        match object.kind {
            ObjectKind::Index => counts.indexes += 1,
            ObjectKind::View => counts.views += 1,
            ObjectKind::Trigger => counts.triggers += 1,
            ObjectKind::Table => counts.virtual_tables += usize::from(!object.has_storage),
        }
    }
    counts
}

fn inspect_table(snapshot: &Snapshot, entry: &TableEntry) -> Result<InspectedTable> {
    let readers = entry
        .files
        .iter()
        .map(|file| open_file(snapshot, file))
        .collect::<Result<Vec<_>>>()
        .map_err(|error| error.in_table(&entry.table.name))?;
    let facts: Vec<ColumnFacts> = readers.first().map(TableReader::columns).unwrap_or_default();
    let names: Vec<&str> = entry.mapping.parquet_columns().map(|column| column.name).collect();
    let sorted = readers.first().map(TableReader::sorting_columns).unwrap_or_default();
    let chosen = entry.files.first().map(|file| file.chosen.as_slice()).unwrap_or_default();
    let asked_level = snapshot.manifest.snapshot.compression_level;
    let rows = readers.first().map_or(0, TableReader::row_count);
    let mut parquet = facts.into_iter().enumerate().map(|(index, facts)| {
        let chosen: &[ChosenFor] = chosen.get(index).map(Vec::as_slice).unwrap_or_default();
        InspectedParquetColumn::new(facts, rows, chosen, asked_level)
    });
    let rowid = entry.mapping.rowid_column.as_ref().and_then(|_| parquet.next());
    let columns = entry.mapping.columns.iter();
    let columns = columns.map(|mapping| {
        inspect_column(&entry.table, mapping, parquet.by_ref().take(mapping.width()).collect())
    });
    Ok(InspectedTable {
        columns: columns.collect(),
        rowid,
        name: entry.table.name.lossy().into_owned(),
        files: entry.files.iter().map(|file| file.path.clone()).collect(),
        rows: entry.row_count(),
        size_bytes: readers.iter().map(TableReader::size_bytes).sum(),
        row_groups: readers.iter().map(TableReader::row_group_count).sum(),
        order: describe_order(&entry.table, &entry.order),
        order_reason: describe_reason(entry.order.reason),
        sorting_columns: sorted
            .iter()
            .map(|term| {
                let name = names.get(term.column).copied().unwrap_or("?");
                if term.descending { format!("{name} desc") } else { name.to_string() }
            })
            .collect(),
        digest: entry.digest.to_string(),
    })
}

fn open_file(snapshot: &Snapshot, file: &DataFile) -> Result<TableReader> {
    let opened = snapshot.readable_path(file).and_then(|path| TableReader::open(&path));
    opened.map_err(|error| match error.kind() {
        ErrorKind::Damaged => error.hint(VERIFY_HINT),
        _ => error,
    })
}

fn inspect_column(
    table: &Table,
    mapping: &ColumnMapping,
    parquet: Vec<InspectedParquetColumn>,
) -> InspectedColumn {
    let column = table.columns.get(mapping.column);
    InspectedColumn {
        name: column.map(|column| column.name.lossy().into_owned()).unwrap_or_default(),
        declared_type: column.map(|column| column.declared_type.lossy().into_owned()).unwrap_or_default(),
        main: mapping.main,
        reason: mapping.reason.to_string(),
        cells: mapping.counts,
        hidden_cells: mapping.hidden_cells(),
        parquet,
    }
}
