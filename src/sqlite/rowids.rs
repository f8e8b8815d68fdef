//! Which rowids a table has, and rows from all over it, without reading the whole table.
//!
//! What is seen of a part says nothing certain of the whole: only time, and who does which work, may depend on it.

use std::collections::BinaryHeap;
use std::ops::ControlFlow;

use rusqlite::Connection;

use crate::error::{Error, Result};
use crate::run::Interrupt;
use crate::schema::{Cell, Table, TextEncoding};
use crate::sqlite::catalog::Catalog;
use crate::sqlite::open::Source;
use crate::sqlite::statement::Statement;

const ROWID_NAMES: [&str; 3] = ["rowid", "_rowid_", "oid"];

/// Places that are looked at however large their rows are.
const LEAST_PLACES: usize = 16;

/// Which rows are looked at to guess at a whole table.
#[derive(Debug, Clone, Copy)]
pub struct Glance {
    /// Places at the most.
    pub places: usize,
    /// Rows of each.
    pub rows: usize,
    /// When values have so many bytes together, they are enough; a few places are looked at all the same, one row of each.
    pub bytes: u64,
}

impl Source {
    /// The first rowids of at most `most` stretches of the table, all of which have rows and are about equally wide, in
    /// ascending order; none where its [`Self::rowid_bounds`] are not known.
    ///
    /// # Errors
    /// What SQLite says; `Interrupted`.
    pub fn rowids_all_over(&self, table: &Table, most: usize, interrupt: &Interrupt) -> Result<Vec<i64>> {
        let stretches = self.stretches(table, most, interrupt)?;
        let mut firsts: Vec<i64> = stretches.into_iter().map(|(first, _)| first).collect();
        firsts.sort_unstable();
        // In a damaged table one may be met twice.
        firsts.dedup();
        Ok(firsts)
    }

    /// The last rowid before `rowid` where a scan from `rowid` on begins; `None` where there is none, or rowids have no name.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn last_rowid_below(&self, table: &Table, rowid: i64) -> Result<Option<i64>> {
        let place = |error: Error| error.in_table(&table.name).at(self.path());
        let Some(name) = rowid_in_sql(table) else { return Ok(None) };
        Bound::prepare(&self.connection, table, &name, "max", " < ?1")
            .and_then(|mut bound| bound.find(Some(rowid)))
            .map_err(place)
    }

    fn stretches(&self, table: &Table, most: usize, interrupt: &Interrupt) -> Result<Vec<(i64, i64)>> {
        let place = |error: Error| error.in_table(&table.name).at(self.path());
        rowid_stretches(&self.connection, table, most, interrupt).map_err(place)
    }

    /// Hands some rows from all over the table at `ordinal` of the catalog to `take`, until it breaks off, none of them
    /// twice: the number of the place, which counts from 0, the rowid, and the stored columns. Rows of a place ascend;
    /// places come in no order, so that the first few of them tell of the whole table too. A table whose
    /// [`Self::rowid_bounds`] are not known has one place: its first rows.
    ///
    /// # Errors
    /// As [`Self::for_each_row`]; `Interrupted`.
    pub fn for_rows_all_over(
        &self,
        catalog: &Catalog,
        ordinal: usize,
        glance: Glance,
        interrupt: &Interrupt,
        mut take: impl FnMut(usize, Option<i64>, &[Cell<'_>]) -> ControlFlow<()>,
    ) -> Result<()> {
        let stretches = self.stretches(&catalog.tables[ordinal], glance.places, interrupt)?;
        let mut places: Vec<_> = stretches.into_iter().map(|(first, last)| (Some(first), last)).collect();
        let mut rows = glance.rows;
        if places.is_empty() {
            places.push((None, i64::MAX));
            rows = rows.saturating_mul(glance.places);
        }
        let (mut bytes, mut is_over) = (0_u64, false);
        for (place, (from, last)) in places.into_iter().enumerate() {
            if is_over || (place >= LEAST_PLACES && bytes >= glance.bytes) {
                break;
            }
            let mut left = rows;
            self.for_each_row_from(catalog, ordinal, from, |rowid, cells| {
                interrupt.check()?;
                bytes += cells.iter().map(|cell| cell.size_bytes() as u64).sum::<u64>();
                left = left.saturating_sub(1);
                is_over = take(place, rowid, cells).is_break();
                // Not even for a look at where the next place begins is a row read that is not wanted.
                let is_last = left == 0 || bytes >= glance.bytes || rowid.is_some_and(|rowid| rowid >= last);
                Ok(if is_over || is_last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            })?;
        }
        Ok(())
    }
}

/// A name of the rowid that no column has taken.
pub(crate) fn free_rowid_name(table: &Table) -> Option<&'static str> {
    let is_free = |name: &&str| !table.columns.iter().any(|column| column.name.is_same(name));
    ROWID_NAMES.into_iter().find(is_free)
}

/// How SQL names the rowid of a table; `None` where it has none, or columns have taken all its names.
pub(crate) fn rowid_in_sql(table: &Table) -> Option<Vec<u8>> {
    match table.rowid_alias.and_then(|alias| table.columns.get(alias)) {
        Some(column) => Some(column.name.quoted()),
        None if table.has_rowid() => free_rowid_name(table).map(|name| name.as_bytes().to_vec()),
        None => None,
    }
}

/// The first and the last rowid of a table; `None` where it is empty, or its rowids have no name.
///
/// # Errors
/// What SQLite says.
pub(crate) fn rowid_bounds(connection: &Connection, table: &Table) -> Result<Option<(i64, i64)>> {
    let Some(rowid) = rowid_in_sql(table) else { return Ok(None) };
    let bound = |function| Bound::prepare(connection, table, &rowid, function, "")?.find(None);
    Ok(bound("min")?.zip(bound("max")?))
}

/// Parts a table into at most `most` stretches of rowids, each from a rowid that is there to one that is, with none between
/// two stretches; empty where [`rowid_bounds`] are not known.
///
/// The widest stretch is parted first, so that stretches are about equally wide and rowids that are far from all others
/// count for nothing more. The first few stretches begin all over the table, however few they are.
///
/// # Errors
/// What SQLite says; `Interrupted`.
pub(crate) fn rowid_stretches(
    connection: &Connection,
    table: &Table,
    most: usize,
    interrupt: &Interrupt,
) -> Result<Vec<(i64, i64)>> {
    let (Some(rowid), Some(whole)) = (rowid_in_sql(table), rowid_bounds(connection, table)?) else {
        return Ok(Vec::new());
    };
    let mut last_below = Bound::prepare(connection, table, &rowid, "max", " < ?1")?;
    let mut first_from = Bound::prepare(connection, table, &rowid, "min", " >= ?1")?;
    let mut stretches = vec![whole];
    // By width, and of those the first found.
    let mut widest = BinaryHeap::from([(whole.1.abs_diff(whole.0), usize::MAX)]);
    while stretches.len() < most
        && let Some((1.., place)) = widest.pop()
    {
        interrupt.check()?;
        let place = usize::MAX - place;
        let (first, last) = stretches[place];
        let middle = (i128::from(first) + i128::from(last) + 1).div_euclid(2);
        let Ok(middle) = i64::try_from(middle) else { break };
        // In a damaged b-tree they may be anywhere.
        let below = last_below.find(Some(middle))?.filter(|below| (first..middle).contains(below));
        let from = first_from.find(Some(middle))?.filter(|from| (middle..=last).contains(from));
        let (below, from) = (below.unwrap_or(first), from.unwrap_or(last));
        stretches[place].1 = below;
        widest.push((below.abs_diff(first), usize::MAX - place));
        widest.push((last.abs_diff(from), usize::MAX - stretches.len()));
        stretches.push((from, last));
    }
    Ok(stretches)
}

/// A look for the first or the last rowid that meets a condition.
struct Bound<'c>(Statement<'c>);

impl<'c> Bound<'c> {
    fn prepare(
        connection: &'c Connection,
        table: &Table,
        rowid: &[u8],
        function: &str,
        condition: &str,
    ) -> Result<Self> {
        let mut sql = [b"SELECT ".as_slice(), function.as_bytes(), b"(", rowid, b") FROM main."].concat();
        sql.extend_from_slice(&table.name.quoted());
        sql.extend_from_slice(b" NOT INDEXED");
        if !condition.is_empty() {
            sql.extend_from_slice(b" WHERE ");
            sql.extend_from_slice(rowid);
            sql.extend_from_slice(condition.as_bytes());
        }
        Statement::prepare(connection, &sql).map(Self)
    }

    fn find(&mut self, parameter: Option<i64>) -> Result<Option<i64>> {
        if let Some(parameter) = parameter {
            self.0.bind_integer(1, parameter)?;
        }
        let mut cells = Vec::new();
        if self.0.step()? {
            self.0.read_row(0, TextEncoding::Utf8, &mut cells)?;
        }
        let found = match cells.first() {
            Some(Cell::Integer(rowid)) => Some(*rowid),
            _ => None,
        };
        drop(cells);
        self.0.reset();
        Ok(found)
    }
}

#[cfg(test)]
mod tests;
