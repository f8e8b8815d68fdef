//! Reading what a database consists of: header pragmas, schema rows, tables, columns, indexes.

mod header;

use std::collections::{HashMap, HashSet};

use rusqlite::Connection;

use crate::error::{Error, ErrorKind, Result};
use crate::schema::{
    Affinity, Cell, Column, DatabaseHeader, Generated, Identifier, Index, IndexColumn, IndexOrigin,
    IndexedValue, ObjectKind, SchemaObject, SqlText, Table, TextEncoding,
};
use crate::sqlite::catalog::header::read_header;
use crate::sqlite::failure::{RECOVER_HINT, failure};
use crate::sqlite::schema_check::check_schema;
use crate::sqlite::statement::Statement;

/// What a database consists of, as of one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    /// The header pragmas.
    pub header: DatabaseHeader,
    /// All rows of `sqlite_schema`, in its order.
    pub objects: Vec<SchemaObject>,
    /// The tables that hold rows, in the order of `sqlite_schema`.
    pub tables: Vec<Table>,
    /// The names of tables in which virtual tables keep their data, as far as their modules are known.
    pub(crate) shadow_tables: HashSet<Vec<u8>>,
    /// The b-tree of each table; not part of a snapshot.
    pub(crate) root_pages: Vec<u32>,
    /// Indexes whose names are no text that SQL could spell, by their table's place among the tables.
    pub(crate) unspeakable_indexes: Vec<(usize, Identifier)>,
}

/// Reads the catalog of the connection's main database, inside its open transaction.
///
/// # Errors
/// `Damaged` for schema rows that make no sense; what SQLite says otherwise.
pub(crate) fn read_catalog(connection: &Connection) -> Result<Catalog> {
    let header = read_header(connection)?;
    let rows = read_objects(connection, header.encoding)?;
    let kinds = table_kinds(connection)?;
    let mut tables = Vec::new();
    let mut root_pages = Vec::new();
    let mut unspeakable_indexes = Vec::new();
    let mut indexes: HashMap<Vec<u8>, Vec<&SchemaObject>> = HashMap::new();
    for (object, _) in rows.iter().filter(|(object, _)| object.kind == ObjectKind::Index) {
        indexes.entry(object.table_name.as_bytes().to_ascii_lowercase()).or_default().push(object);
    }
    for (object, root_page) in rows.iter().filter(|(object, _)| object.kind == ObjectKind::Table) {
        let name = identifier(&object.name, header.encoding)?;
        let place = |error: Error| error.in_table(&name);
        let kind = kinds.get(&name.as_bytes().to_ascii_lowercase()).ok_or_else(|| {
            place(Error::new(ErrorKind::Damaged, "sqlite_schema has a table that SQLite does not know"))
        })?;
        check_storage(kind, *root_page, &root_pages).map_err(place)?;
        if kind.data == TableData::None {
            continue;
        }
        let own = indexes.get(&name.as_bytes().to_ascii_lowercase()).map(Vec::as_slice).unwrap_or_default();
        let (table, unspeakable) = read_table(connection, name, kind, own)?;
        unspeakable_indexes.extend(unspeakable.into_iter().map(|name| (tables.len(), name)));
        tables.push(table);
        root_pages.push(*root_page);
    }
    let objects: Vec<SchemaObject> = rows.into_iter().map(|(object, _)| object).collect();
    check_schema(&objects, &tables.iter().collect::<Vec<_>>(), header.encoding)?;
    let shadow_tables = kinds
        .into_values()
        .filter(|kind| kind.data == TableData::OfVirtual)
        .map(|kind| kind.name.as_bytes().to_vec())
        .collect();
    Ok(Catalog { header, objects, tables, shadow_tables, root_pages, unspeakable_indexes })
}

/// Refuses a table that SQLite would read as empty, as another one, or not at all.
fn check_storage(kind: &TableKind, root_page: u32, taken: &[u32]) -> Result<()> {
    let damaged = |message: &str| Err(Error::new(ErrorKind::Damaged, message).hint(RECOVER_HINT));
    match (kind.data == TableData::None, root_page) {
        (false, 0) => damaged("the schema gives a table no b-tree"),
        (true, 1..) => damaged("the schema gives a virtual table a b-tree"),
        _ if root_page > 0 && taken.contains(&root_page) => {
            damaged("the schema gives two tables the same b-tree")
        }
        _ => Ok(()),
    }
}

fn read_objects(connection: &Connection, encoding: TextEncoding) -> Result<Vec<(SchemaObject, u32)>> {
    let mut statement = Statement::prepare(
        connection,
        b"SELECT rowid, type, name, tbl_name, rootpage, sql FROM main.sqlite_schema NOT INDEXED ORDER BY rowid",
    )?;
    let mut objects = Vec::new();
    while statement.step()? {
        let mut cells = Vec::with_capacity(5);
        statement.read_row(0, encoding, &mut cells)?;
        objects.push(
            schema_object(&cells).ok_or_else(|| {
                Error::new(ErrorKind::Damaged, "sqlite_schema has a row that makes no sense")
            })?,
        );
    }
    Ok(objects)
}

fn schema_object(cells: &[Cell<'_>]) -> Option<(SchemaObject, u32)> {
    let [Cell::Integer(rowid), Cell::Text(kind), name, table_name, root_page, sql] = cells else {
        return None;
    };
    let kind = match *kind {
        "table" => ObjectKind::Table,
        "index" => ObjectKind::Index,
        "view" => ObjectKind::View,
        "trigger" => ObjectKind::Trigger,
        _ => return None,
    };
    let root_page = match root_page {
        Cell::Null => 0,
        Cell::Integer(page) => u32::try_from(*page).ok()?,
        _ => return None,
    };
    if matches!(kind, ObjectKind::View | ObjectKind::Trigger) && root_page != 0 {
        return None;
    }
    let sql = if matches!(sql, Cell::Null) { None } else { Some(sql_text(sql)?) };
    let object = SchemaObject {
        rowid: *rowid,
        kind,
        name: sql_text(name)?,
        table_name: sql_text(table_name)?,
        // An index always has a b-tree: one that lost it is rebuilt like every other.
        has_storage: root_page != 0 || kind == ObjectKind::Index,
        sql,
    };
    Some((object, root_page))
}

fn sql_text(cell: &Cell<'_>) -> Option<SqlText> {
    match cell {
        Cell::Text(text) => Some(SqlText::Valid((*text).to_string())),
        Cell::RawText(bytes) => Some(SqlText::Raw(bytes.to_vec())),
        _ => None,
    }
}

/// The name under which SQLite knows an object.
///
/// # Errors
/// `Failed` for a name in a UTF-16 database that is not valid UTF-16: no SQL text can spell it. `Damaged` for one
/// with a NUL, where SQLite's own copy of it ends.
pub(crate) fn identifier(name: &SqlText, encoding: TextEncoding) -> Result<Identifier> {
    match name {
        SqlText::Valid(text) if text.contains('\0') => {
            Err(Error::new(ErrorKind::Damaged, "a name in sqlite_schema has a NUL in it")
                .in_table(name.lossy()))
        }
        SqlText::Raw(_) if encoding != TextEncoding::Utf8 => {
            Err(Error::new(ErrorKind::Failed, "a name in this UTF-16 database is not valid text")
                .in_table(name.lossy()))
        }
        name => Ok(Identifier::from_bytes(name.as_bytes())),
    }
}

#[derive(Debug, Clone)]
struct TableKind {
    name: Identifier,
    without_rowid: bool,
    strict: bool,
    data: TableData,
}

/// Whose data a table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TableData {
    Own,
    /// That of a virtual table.
    OfVirtual,
    /// None: it is virtual.
    None,
}

/// What SQLite knows of each table, by its name in lower case: a name in `sqlite_schema` may differ in case.
fn table_kinds(connection: &Connection) -> Result<HashMap<Vec<u8>, TableKind>> {
    let sql = "SELECT name, wr, strict, type FROM pragma_table_list WHERE schema = 'main'";
    let mut kinds = HashMap::new();
    for_each(connection, sql, None, |cells| {
        let [name, without_rowid, strict, Cell::Text(kind)] = cells else { return None };
        let name = Identifier::from_bytes(name_bytes(name)?);
        let kind = TableKind {
            without_rowid: flag(without_rowid),
            strict: flag(strict),
            data: match *kind {
                "virtual" => TableData::None,
                "shadow" => TableData::OfVirtual,
                _ => TableData::Own,
            },
            name: name.clone(),
        };
        kinds.insert(name.as_bytes().to_ascii_lowercase(), kind);
        Some(())
    })?;
    Ok(kinds)
}

fn read_table(
    connection: &Connection,
    name: Identifier,
    kind: &TableKind,
    own_indexes: &[&SchemaObject],
) -> Result<(Table, Vec<Identifier>)> {
    let mut columns = Vec::new();
    let mut key_columns = Vec::new();
    let sql = "SELECT name, type, hidden, pk FROM pragma_table_xinfo(?1, 'main') ORDER BY cid";
    for_each(connection, sql, Some(&name), |cells| {
        let [column, declared_type, hidden, key] = cells else { return None };
        let declared_type = Identifier::from_bytes(name_bytes(declared_type).unwrap_or_default());
        if !matches!(key, Cell::Integer(0)) {
            key_columns.push(columns.len());
        }
        columns.push(Column {
            name: Identifier::from_bytes(name_bytes(column)?),
            affinity: Affinity::of_declared_type(declared_type.as_bytes(), kind.strict),
            declared_type,
            generated: match hidden {
                Cell::Integer(2) => Generated::Virtual,
                Cell::Integer(3) => Generated::Stored,
                _ => Generated::No,
            },
        });
        Some(())
    })?;
    let without_rowid_key = if kind.without_rowid { index_columns(connection, &name)? } else { Vec::new() };
    let (indexes, unspeakable) = read_indexes(connection, &name, kind, own_indexes)?;
    let has_key_index = indexes.iter().any(|index| index.origin == IndexOrigin::PrimaryKey);
    let rowid_alias = match key_columns[..] {
        // INTEGER PRIMARY KEY DESC is not an alias: it has an index of its own.
        [column]
            if !kind.without_rowid && !has_key_index && columns[column].declared_type.is_same(b"INTEGER") =>
        {
            Some(column)
        }
        _ => None,
    };
    let table = Table { name, strict: kind.strict, columns, rowid_alias, without_rowid_key, indexes };
    Ok((table, unspeakable))
}

/// The indexes of a table, and the names of those that SQLite knows by another one than `sqlite_schema` says.
fn read_indexes(
    connection: &Connection,
    table: &Identifier,
    kind: &TableKind,
    own_indexes: &[&SchemaObject],
) -> Result<(Vec<Index>, Vec<Identifier>)> {
    let mut listed = HashMap::new();
    let sql = "SELECT name, \"unique\", origin, partial FROM pragma_index_list(?1, 'main')";
    for_each(connection, sql, Some(table), |cells| {
        let [name, unique, Cell::Text(origin), partial] = cells else { return None };
        let origin = match *origin {
            "c" => IndexOrigin::Created,
            "u" => IndexOrigin::Unique,
            "pk" => IndexOrigin::PrimaryKey,
            _ => return None,
        };
        listed.insert(name_bytes(name)?.to_ascii_lowercase(), (flag(unique), origin, flag(partial)));
        Some(())
    })?;
    let mut indexes = Vec::new();
    let mut unspeakable = Vec::new();
    for object in own_indexes {
        let name = Identifier::from_bytes(object.name.as_bytes());
        if let Some((unique, origin, partial)) = listed.remove(&name.as_bytes().to_ascii_lowercase()) {
            let columns = index_columns(connection, &name)?;
            indexes.push(Index { name, origin, unique, partial, columns });
        } else {
            unspeakable.push(name);
        }
    }
    // The key of a WITHOUT ROWID table is listed but has no row in sqlite_schema. Any other constraint without one has
    // no b-tree: SQLite opens such a database and fails when it uses the table.
    let is_own_key = |origin: IndexOrigin| kind.without_rowid && origin == IndexOrigin::PrimaryKey;
    let is_lost = |origin: IndexOrigin| origin != IndexOrigin::Created && !is_own_key(origin);
    if listed.values().any(|(_, origin, _)| is_lost(*origin)) {
        return Err(Error::new(ErrorKind::Damaged, "an index of a table has no row in sqlite_schema")
            .in_table(table)
            .hint(RECOVER_HINT));
    }
    Ok((indexes, unspeakable))
}

/// The columns of an index, or of the key of the WITHOUT ROWID table of that name.
fn index_columns(connection: &Connection, name: &Identifier) -> Result<Vec<IndexColumn>> {
    let mut columns = Vec::new();
    let sql = "SELECT cid, \"desc\", coll, key FROM pragma_index_xinfo(?1, 'main') ORDER BY seqno";
    for_each(connection, sql, Some(name), |cells| {
        let [Cell::Integer(column), descending, collation, is_key] = cells else { return None };
        columns.push(IndexColumn {
            value: match usize::try_from(*column) {
                Ok(column) => IndexedValue::Column(column),
                Err(_) if *column == -1 => IndexedValue::Rowid,
                Err(_) => IndexedValue::Expression,
            },
            collation: Identifier::from_bytes(name_bytes(collation).unwrap_or_else(|| b"BINARY".to_vec())),
            descending: flag(descending),
            is_key: flag(is_key),
        });
        Some(())
    })?;
    Ok(columns)
}

/// Runs one of our own catalog queries; `take` returns `None` for a row that makes no sense.
fn for_each(
    connection: &Connection,
    sql: &str,
    name: Option<&Identifier>,
    mut take: impl FnMut(&[Cell<'_>]) -> Option<()>,
) -> Result<()> {
    let mut statement = Statement::prepare(connection, sql.as_bytes())?;
    if let Some(name) = name {
        statement.bind_text_bytes(1, name.as_bytes())?;
    }
    // Results of pragmas are text in the database's encoding.
    let encoding = read_encoding(connection)?;
    while statement.step()? {
        let mut cells = Vec::new();
        statement.read_row(0, encoding, &mut cells)?;
        take(&cells).ok_or_else(|| {
            let error = Error::new(ErrorKind::Failed, "SQLite described the schema in an unexpected way");
            name.map_or(Error::new(ErrorKind::Failed, error.message()), |name| error.in_table(name))
        })?;
    }
    Ok(())
}

fn read_encoding(connection: &Connection) -> Result<TextEncoding> {
    let name: String = connection.query_row("PRAGMA main.encoding", [], |row| row.get(0)).map_err(failure)?;
    Ok(match name.as_str() {
        "UTF-16le" => TextEncoding::Utf16Le,
        "UTF-16be" => TextEncoding::Utf16Be,
        _ => TextEncoding::Utf8,
    })
}

fn name_bytes(cell: &Cell<'_>) -> Option<Vec<u8>> {
    match cell {
        Cell::Text(text) => Some(text.as_bytes().to_vec()),
        Cell::RawText(bytes) => Some(bytes.to_vec()),
        _ => None,
    }
}

fn flag(cell: &Cell<'_>) -> bool {
    matches!(cell, Cell::Integer(value) if *value != 0)
}
