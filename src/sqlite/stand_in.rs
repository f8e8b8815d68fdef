//! Tables of ours that lay rows out as the true ones do, and how rows get into them.

use std::borrow::Cow;

use rusqlite::Connection;

use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Affinity, Cell, IndexColumn, IndexedValue, Table, TextEncoding};
use crate::sqlite::statement::Statement;

/// A table of ours that lays rows out as the true table does.
pub(crate) struct StandIn<'a> {
    pub(crate) table: &'a Table,
    /// Without the key of a WITHOUT ROWID table, because it cannot be kept.
    pub(crate) plain: bool,
    pub(crate) typed_reals: bool,
}

impl StandIn<'_> {
    /// Whether the stand-in's rows have a rowid.
    pub(crate) fn has_rowid(&self) -> bool {
        self.plain || self.table.has_rowid()
    }

    fn has_separate_rowid(&self) -> bool {
        self.table.has_rowid() && self.table.rowid_alias.is_none()
    }

    fn real_columns(&self) -> Vec<usize> {
        if !self.typed_reals {
            return Vec::new();
        }
        let columns = self.table.stored_columns().enumerate();
        columns
            .filter(|(_, (_, column))| column.affinity == Affinity::Real)
            .map(|(position, _)| position)
            .collect()
    }

    /// Unqualified: an imposter's definition must be.
    pub(crate) fn definition(&self, name: &str) -> String {
        let reals = self.real_columns();
        let column = |(position, (index, _)): (usize, (usize, _))| {
            let declared = match () {
                () if self.table.rowid_alias == Some(index) => " INTEGER PRIMARY KEY",
                () if reals.contains(&position) => " REAL",
                () => "",
            };
            format!("c{position}{declared}")
        };
        let columns: Vec<String> = self.table.stored_columns().enumerate().map(column).collect();
        let columns = columns.join(", ");
        if self.has_rowid() {
            return format!("CREATE TABLE \"{name}\"({columns})");
        }
        let keys = self.table.without_rowid_key.iter().filter(|key| key.is_key);
        let keys: Vec<String> = keys.filter_map(|key| index_term(self.table, key).ok()).collect();
        format!("CREATE TABLE \"{name}\"({columns}, PRIMARY KEY({})) WITHOUT ROWID", keys.join(", "))
    }

    /// With UTF-8, one parameter a cell. With UTF-16, two: whether it is text, and the value, text as a blob
    /// of its stored bytes, since SQLite's own conversion from UTF-8 changes some characters.
    fn insert(&self, name: &str, encoding: TextEncoding) -> String {
        let count = self.table.stored_columns().count();
        let rowid = self.has_separate_rowid();
        let mut columns = Vec::with_capacity(count + 1);
        let mut values = Vec::with_capacity(count + 1);
        if rowid {
            columns.push("rowid".to_string());
            values.push("?1".to_string());
        }
        for position in 0..count {
            columns.push(format!("c{position}"));
            let parameter = first_parameter(rowid, position, encoding);
            values.push(match encoding {
                TextEncoding::Utf8 => format!("?{parameter}"),
                _ => format!("iif(?{parameter}, CAST(?{next} AS TEXT), ?{next})", next = parameter + 1),
            });
        }
        format!("INSERT INTO main.\"{name}\"({}) VALUES ({})", columns.join(", "), values.join(", "))
    }
}

fn first_parameter(rowid: bool, position: usize, encoding: TextEncoding) -> usize {
    let width = if encoding == TextEncoding::Utf8 { 1 } else { 2 };
    1 + usize::from(rowid) + position * width
}

/// A column of an index over a stand-in.
///
/// # Errors
/// `Damaged` for an expression, and for a column that is not stored.
pub(crate) fn index_term(table: &Table, column: &IndexColumn) -> Result<String> {
    let broken = || {
        Error::new(ErrorKind::Damaged, "the snapshot describes an index that cannot be").in_table(&table.name)
    };
    let name = match column.value {
        IndexedValue::Column(column) => format!("c{}", table.stored_position(column).ok_or_else(broken)?),
        IndexedValue::Rowid => "rowid".to_string(),
        IndexedValue::Expression => return Err(broken()),
    };
    let collation = String::from_utf8(column.collation.quoted()).map_err(|_| broken())?;
    Ok(format!("{name} COLLATE {collation}{}", if column.descending { " DESC" } else { "" }))
}

/// Inserts the rows of one table.
pub struct TableLoader<'t> {
    statement: Statement<'t>,
    encoding: TextEncoding,
    writes_rowid: bool,
    reals: Vec<usize>,
    alias: Option<usize>,
    row_ordinal: u64,
}

impl<'t> TableLoader<'t> {
    /// Prepares to insert into `name`, which has the definition of `shape`.
    ///
    /// # Errors
    /// What SQLite says.
    pub(crate) fn prepare(
        connection: &'t Connection,
        shape: &StandIn<'_>,
        name: &str,
        encoding: TextEncoding,
    ) -> Result<Self> {
        let table = shape.table;
        Ok(Self {
            statement: Statement::prepare(connection, shape.insert(name, encoding).as_bytes())?,
            encoding,
            writes_rowid: shape.has_separate_rowid(),
            reals: shape.real_columns(),
            alias: table.rowid_alias.and_then(|alias| table.stored_position(alias)),
            row_ordinal: 0,
        })
    }

    /// Inserts the next row; false, and nothing inserted, if a column declared REAL would change a cell.
    ///
    /// # Errors
    /// What SQLite says, with the row.
    pub fn insert(&mut self, rowid: Option<i64>, cells: &[Cell<'_>]) -> Result<bool> {
        self.row_ordinal += 1;
        if self.reals.iter().any(|&position| cells.get(position).is_none_or(|cell| !keeps_as_real(cell))) {
            return Ok(false);
        }
        self.bind_and_execute(rowid, cells).map_err(|error| error.at_row(self.row_ordinal))?;
        Ok(true)
    }

    fn bind_and_execute(&mut self, rowid: Option<i64>, cells: &[Cell<'_>]) -> Result<()> {
        let missing = || Error::new(ErrorKind::Damaged, "a row has no rowid");
        let rowid = if self.writes_rowid { Some(rowid.ok_or_else(missing)?) } else { None };
        if let Some(alias) = self.alias
            && !matches!(cells.get(alias), Some(Cell::Integer(_)))
        {
            return Err(missing());
        }
        if self.encoding == TextEncoding::Utf8 {
            return self.statement.execute_with(rowid, cells);
        }
        if let Some(rowid) = rowid {
            self.statement.bind_integer(1, rowid)?;
        }
        for (position, &cell) in cells.iter().enumerate() {
            let parameter = first_parameter(self.writes_rowid, position, self.encoding);
            let text = match cell {
                Cell::Text(text) => Some(self.encoding.encode(text)),
                Cell::RawText(bytes) => Some(Cow::Borrowed(bytes)),
                _ => None,
            };
            self.statement.bind_integer(parameter, i64::from(text.is_some()))?;
            match text {
                Some(bytes) => self.statement.bind_blob(parameter + 1, &bytes)?,
                None => self.statement.bind(parameter + 1, cell)?,
            }
        }
        self.statement.execute()
    }
}

/// Whether a column declared REAL stores the cell as it is.
fn keeps_as_real(cell: &Cell<'_>) -> bool {
    match cell {
        Cell::Null | Cell::Blob(_) => true,
        // SQLite stores whole reals as integers there, and negative zero has no integer.
        Cell::Real(value) => value.to_bits() != (-0.0_f64).to_bits(),
        Cell::Integer(_) | Cell::Text(_) | Cell::RawText(_) => false,
    }
}
