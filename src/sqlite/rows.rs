//! Reading all rows of a table, in the order of its b-tree, cell by cell without a copy.
//!
//! Tables are read `NOT INDEXED`, so that an index that disagrees with its table can never answer for it.

use std::ops::ControlFlow;

use rusqlite::Connection;

use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Cell, Identifier, Table, TextEncoding};
use crate::sqlite::failure::failure;
use crate::sqlite::imposter::{ImposterMode, define_imposter, forget_imposters};
use crate::sqlite::rowids::{free_rowid_name, rowid_bounds, rowid_in_sql};
use crate::sqlite::scan_guard::{ScanGuard, most_rows};
use crate::sqlite::statement::Statement;

/// How many columns a SELECT may have in the bundled SQLite, which is also how many a table may have.
const MOST_RESULT_COLUMNS: usize = 2_000;

/// The rows of one table.
pub(crate) struct TableScan<'c> {
    cells: Statement<'c>,
    rowids: Rowids<'c>,
    encoding: TextEncoding,
    table: Identifier,
    guard: ScanGuard,
}

/// Where a row's rowid comes from.
enum Rowids<'c> {
    /// There is none.
    None,
    /// The first column of the statement.
    Selected,
    /// This stored column.
    Alias(usize),
    /// A second scan of the same b-tree, because columns have taken all names of the rowid, or all places of
    /// a result row.
    Imposter { scan: Statement<'c>, _forgotten_on_drop: ImposterGuard<'c> },
}

/// Forgets the imposter definition when the scan ends.
struct ImposterGuard<'c>(&'c Connection);

impl Drop for ImposterGuard<'_> {
    fn drop(&mut self) {
        // If that fails, the next statement fails with the reason.
        let _ = forget_imposters(self.0);
    }
}

impl<'c> TableScan<'c> {
    /// Prepares a scan of `table`, whose b-tree has its root at `root_page`, from the rowid `from` on.
    ///
    /// # Errors
    /// What SQLite says; `Failed` where a rowid is given and the table has none that [`rowid_in_sql`] knows.
    pub(crate) fn open(
        connection: &'c Connection,
        table: &Table,
        root_page: u32,
        encoding: TextEncoding,
        from: Option<i64>,
    ) -> Result<Self> {
        let mut sql = b"SELECT ".to_vec();
        let room = table.stored_columns().count() < MOST_RESULT_COLUMNS;
        let rowids = match (table.has_rowid(), table.rowid_alias, free_rowid_name(table).filter(|_| room)) {
            (false, ..) => Rowids::None,
            (true, Some(alias), _) => Rowids::Alias(table.stored_position(alias).ok_or_else(|| {
                Error::new(ErrorKind::Failed, "the rowid alias is not a stored column").in_table(&table.name)
            })?),
            (true, None, Some(name)) => {
                sql.extend_from_slice(name.as_bytes());
                sql.push(b',');
                Rowids::Selected
            }
            (true, None, None) => {
                let guard = ImposterGuard(connection);
                let scan = rowid_imposter(connection, root_page, from)?;
                Rowids::Imposter { scan, _forgotten_on_drop: guard }
            }
        };
        for (_, column) in table.stored_columns() {
            sql.extend_from_slice(&column.name.quoted());
            sql.push(b',');
        }
        sql.pop();
        sql.extend_from_slice(b" FROM main.");
        sql.extend_from_slice(&table.name.quoted());
        sql.extend_from_slice(&only_the_table(connection, table, encoding)?);
        if from.is_some() {
            let rowid = rowid_in_sql(table).ok_or_else(|| {
                Error::new(ErrorKind::Failed, "the rowids of a table have no name").in_table(&table.name)
            })?;
            sql.extend_from_slice(b" WHERE ");
            sql.extend_from_slice(&rowid);
            sql.extend_from_slice(b" >= ?1");
        }
        let mut cells = Statement::prepare(connection, &sql).map_err(|error| error.in_table(&table.name))?;
        if let Some(from) = from {
            cells.bind_integer(1, from)?;
        }
        let guard = ScanGuard::new(connection, table, root_page, encoding)?;
        Ok(Self { cells, rowids, encoding, table: table.name.clone(), guard })
    }

    /// Why the key of the WITHOUT ROWID table cannot be rebuilt, where the rows so far have shown it.
    pub(crate) fn key_is_lost(&self) -> Option<&str> {
        self.guard.key_is_lost()
    }

    /// Hands every row to `take`, until it breaks off: its rowid, if the table has them, and its stored columns in declaration
    /// order.
    ///
    /// # Errors
    /// What SQLite says, with table and row; `Damaged` for rows that a sound table cannot have; what `take` says.
    pub(crate) fn for_each_row(
        &mut self,
        mut take: impl FnMut(Option<i64>, &[Cell<'_>]) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let Self { cells: statement, rowids, encoding, table, guard } = self;
        let mut row_ordinal = 0;
        let mut spare = Vec::new();
        loop {
            row_ordinal += 1;
            let place = |error: Error| error.in_table(&*table).at_row(row_ordinal);
            let mut cells: Vec<Cell<'_>> = recycle(spare);
            if !statement.step().map_err(place)? {
                break;
            }
            let first = usize::from(matches!(rowids, Rowids::Selected));
            let selected = if first == 1 { Some(statement.read_integer(0)) } else { None };
            statement.read_row(first, *encoding, &mut cells).map_err(place)?;
            let rowid = match rowids {
                Rowids::None => None,
                Rowids::Selected => selected,
                Rowids::Alias(position) => match cells.get(*position) {
                    Some(Cell::Integer(rowid)) => Some(*rowid),
                    _ => return Err(place(Error::new(ErrorKind::Damaged, "a row has no rowid"))),
                },
                Rowids::Imposter { scan, .. } => {
                    if !scan.step().map_err(place)? {
                        return Err(place(Error::new(ErrorKind::Damaged, "two scans of a table disagree")));
                    }
                    Some(scan.read_integer(0))
                }
            };
            guard.check(rowid, &cells).map_err(place)?;
            if take(rowid, &cells).map_err(place)?.is_break() {
                return Ok(());
            }
            spare = recycle(cells);
        }
        if let Rowids::Imposter { scan, .. } = rowids
            && scan.step()?
        {
            return Err(Error::new(ErrorKind::Damaged, "two scans of a table disagree").in_table(&*table));
        }
        Ok(())
    }
}

/// An empty vector with the capacity of another one whose cells borrowed from elsewhere.
fn recycle<'b>(mut cells: Vec<Cell<'_>>) -> Vec<Cell<'b>> {
    cells.clear();
    // Collected in place: the standard library reuses the allocation, as both element types are laid out alike.
    cells.into_iter().map(|_| Cell::Null).collect()
}

/// The rowids of the b-tree at `root_page`; from `from` on, as the scan of its cells.
fn rowid_imposter(connection: &Connection, root_page: u32, from: Option<i64>) -> Result<Statement<'_>> {
    let name = free_table_name(connection)?;
    let definition = format!("CREATE TABLE \"{name}\"(c0)");
    define_imposter(connection, ImposterMode::ReadOnly, root_page, &definition)?;
    let mut sql = format!("SELECT rowid FROM main.\"{name}\" NOT INDEXED");
    if from.is_some() {
        sql.push_str(" WHERE rowid >= ?1");
    }
    let mut rowids = Statement::prepare(connection, sql.as_bytes())?;
    if let Some(from) = from {
        rowids.bind_integer(1, from)?;
    }
    Ok(rowids)
}

fn free_table_name(connection: &Connection) -> Result<String> {
    let mut name = "parklite_rowids".to_string();
    let sql = "SELECT count(*) FROM main.sqlite_schema WHERE lower(name) = ?1";
    while connection.query_row(sql, [&name], |row| row.get::<_, i64>(0)).map_err(failure)? > 0 {
        name.push('_');
    }
    Ok(name)
}

/// What keeps SQLite from reading an index in place of the table.
///
/// A WITHOUT ROWID table is itself an index, which has to be named: `NOT INDEXED` does not mean it.
fn only_the_table(connection: &Connection, table: &Table, encoding: TextEncoding) -> Result<Vec<u8>> {
    if table.has_rowid() {
        return Ok(b" NOT INDEXED".to_vec());
    }
    let sql = b"SELECT name FROM pragma_index_list(?1, 'main') WHERE origin = 'pk'";
    let mut statement = Statement::prepare(connection, sql)?;
    statement.bind_text_bytes(1, table.name.as_bytes())?;
    let mut cells = Vec::new();
    if statement.step()? {
        statement.read_row(0, encoding, &mut cells)?;
    }
    match cells.first() {
        Some(Cell::Text(name)) => Ok(index_clause(name.as_bytes())),
        Some(Cell::RawText(name)) => Ok(index_clause(name)),
        _ => Err(Error::new(ErrorKind::Failed, "a WITHOUT ROWID table has no key").in_table(&table.name)),
    }
}

fn index_clause(name: &[u8]) -> Vec<u8> {
    [b" INDEXED BY ".as_slice(), &Identifier::from_bytes(name).quoted()].concat()
}

/// How many rows a table has; the pages of its b-tree are read for that, but no row.
///
/// # Errors
/// What SQLite says.
pub(crate) fn count_rows(connection: &Connection, table: &Table, encoding: TextEncoding) -> Result<u64> {
    let sql = [
        b"SELECT count(*) FROM main.".as_slice(),
        &table.name.quoted(),
        &only_the_table(connection, table, encoding)?,
    ];
    let mut statement = Statement::prepare(connection, &sql.concat())?;
    let counted = if statement.step()? { statement.read_integer(0) } else { 0 };
    u64::try_from(counted).map_err(|_| Error::new(ErrorKind::Failed, "SQLite counted fewer rows than none"))
}

/// How many rows a table roughly has, without scanning it: `None` where nothing is known.
///
/// From ANALYZE's statistics, else from the span of rowids. Rowids may lie far apart: it is never more than the database
/// has room for.
pub(crate) fn estimate_row_count(connection: &Connection, table: &Table) -> Option<u64> {
    let guess = guess_row_count(connection, table)?;
    Some(guess.min(most_rows(connection).ok()?))
}

fn guess_row_count(connection: &Connection, table: &Table) -> Option<u64> {
    let statistics =
        "SELECT CAST(stat AS INTEGER) FROM main.sqlite_stat1 WHERE tbl = ?1 AND stat GLOB '[0-9]*' LIMIT 1";
    let name = table.name.as_str()?;
    if let Ok(rows) = connection.query_row(statistics, [name], |row| row.get::<_, i64>(0)) {
        return u64::try_from(rows).ok();
    }
    match rowid_bounds(connection, table).ok()? {
        Some((first, last)) => {
            Some(u64::try_from(i128::from(last) - i128::from(first) + 1).unwrap_or(u64::MAX))
        }
        None => rowid_in_sql(table).map(|_| 0),
    }
}
