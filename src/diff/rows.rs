//! The rows in which two tables differ: counted, and some of them shown cell by cell.

use std::cmp::Ordering;
use std::path::PathBuf;

use serde::Serialize;

use crate::content::Content;
use crate::diff::packed::{PackedRows, Reading, row_channel, unreadable};
use crate::diff::shown::{ShownCell, shown, shown_pair};
use crate::diff::{DiffOptions, Side};
use crate::digest::{ContentDigest, RowHasher, read_encoded_row, without_rowid};
use crate::error::{Error, ErrorKind, Result};
use crate::frame::order::OrderKey;
use crate::progress::{Phase, PhaseKind};
use crate::rebuild::key_order;
use crate::run::{Run, start_thread};
use crate::schema::{Cell, Identifier, Table};

/// A table that has not the same rows on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableDifference {
    /// Its name.
    pub table: Identifier,
    /// The side that alone has the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only_in: Option<Side>,
    /// Its digest in A.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest_a: Option<ContentDigest>,
    /// Its digest in B.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest_b: Option<ContentDigest>,
    /// Stored columns that only A has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns_only_in_a: Vec<String>,
    /// Stored columns that only B has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns_only_in_b: Vec<String>,
    /// Rows of which only A has the key.
    pub rows_only_in_a: u64,
    /// Rows of which only B has the key.
    pub rows_only_in_b: u64,
    /// Rows of which both have the key, with other values in columns that both have.
    pub rows_changed: u64,
    /// Whether both have the same rows, only under other rowids.
    pub same_rows_under_other_rowids: bool,
    /// Why rows could not be compared one by one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_comparable: Option<&'static str>,
    /// Some of the rows, those with the first keys.
    pub examples: Vec<RowDifference>,
}

/// A row that is not the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowDifference {
    /// Its rowid, or the key of a table without.
    pub key: String,
    /// The side that alone has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only_in: Option<Side>,
    /// The cells that differ, at most eight; of a row of one side the first ones.
    pub cells: Vec<CellDifference>,
    /// How many more cells there are.
    pub more_cells: usize,
}

/// A cell that is not the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CellDifference {
    /// Its column.
    pub column: String,
    /// What it is in A.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a: Option<ShownCell>,
    /// What it is in B.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b: Option<ShownCell>,
}

/// The most cells of a row that are shown.
const MOST_CELLS: usize = 8;

impl TableDifference {
    fn of(name: &Identifier) -> Self {
        Self {
            table: name.clone(),
            only_in: None,
            digest_a: None,
            digest_b: None,
            columns_only_in_a: Vec::new(),
            columns_only_in_b: Vec::new(),
            rows_only_in_a: 0,
            rows_only_in_b: 0,
            rows_changed: 0,
            same_rows_under_other_rowids: false,
            not_comparable: None,
            examples: Vec::new(),
        }
    }

    /// A table that the other side does not have.
    pub(super) fn only_in(side: Side, name: &Identifier, digest: ContentDigest) -> Self {
        let mut difference = Self::of(name);
        difference.only_in = Some(side);
        match side {
            Side::A => (difference.digest_a, difference.rows_only_in_a) = (Some(digest), digest.row_count),
            Side::B => (difference.digest_b, difference.rows_only_in_b) = (Some(digest), digest.row_count),
        }
        difference
    }
}

/// The comparison of one table that both sides have, with other content.
pub(super) struct RowComparison<'a> {
    pub(super) name: &'a Identifier,
    pub(super) ordinals: [usize; 2],
    pub(super) digests: [ContentDigest; 2],
    pub(super) spill_folder: PathBuf,
    pub(super) options: &'a DiffOptions,
    pub(super) run: Run<'a>,
}

impl RowComparison<'_> {
    pub(super) fn compare(&self, [a, b]: &mut [Content; 2]) -> Result<TableDifference> {
        let mut difference = TableDifference::of(self.name);
        (difference.digest_a, difference.digest_b) = (Some(self.digests[0]), Some(self.digests[1]));
        let tables = [a.tables()[self.ordinals[0]].clone(), b.tables()[self.ordinals[1]].clone()];
        let columns = Columns::of(&tables);
        difference.columns_only_in_a = columns_only_in(&tables[0], &tables[1]);
        difference.columns_only_in_b = columns_only_in(&tables[1], &tables[0]);
        if !have_the_same_key(&tables) {
            difference.not_comparable = Some("the key of the table is another one");
            return Ok(difference);
        }
        let subject = self.name.lossy();
        let total_rows = Some(self.digests[0].row_count.saturating_add(self.digests[1].row_count));
        self.run.progress.begin(Phase {
            kind: PhaseKind::Comparing,
            subject: &subject,
            total_rows,
            total_bytes: None,
        });
        let compared = self.merge(a, b, &tables, &columns, &mut difference);
        self.run.progress.end();
        compared.map_err(|error| error.in_table(self.name))?;
        Ok(difference)
    }

    /// Reads both sides at the same time, each on its own thread, and merges them here.
    fn merge(
        &self,
        a: &mut Content,
        b: &mut Content,
        tables: &[Table; 2],
        columns: &Columns,
        difference: &mut TableDifference,
    ) -> Result<()> {
        let keys = [
            OrderKey::new(&key_order(&tables[0]), &tables[0])?,
            OrderKey::new(&key_order(&tables[1]), &tables[1])?,
        ];
        let reading = |side: usize| Reading {
            ordinal: self.ordinals[side],
            key: keys[side].clone(),
            memory_limit_bytes: self.options.content.memory_limit_bytes / 4,
            spill_folder: self.spill_folder.clone(),
            run: self.run,
        };
        let readings = [reading(0), reading(1)];
        std::thread::scope(|scope| {
            let (sender_a, rows_a) = row_channel(keys[0].clone(), tables[0].has_rowid());
            let (sender_b, rows_b) = row_channel(keys[1].clone(), tables[1].has_rowid());
            let [reading_a, reading_b] = &readings;
            start_thread(scope, move || sender_a.send_all(a, reading_a))?;
            start_thread(scope, move || sender_b.send_all(b, reading_b))?;
            // Both ends of the channels go when the merge ends, so that no thread waits for ever.
            let mut merge = Merge {
                tables,
                columns,
                most_rows: self.options.most_rows,
                without_rowids: [RowHasher::default(), RowHasher::default()],
                seen: [ContentDigest::default(); 2],
                hasher: RowHasher::default(),
            };
            merge.run(rows_a, rows_b, difference)?;
            if merge.seen != self.digests {
                let message = "the rows are not those that were read a moment ago";
                return Err(
                    Error::new(ErrorKind::Failed, message).hint("try again when nobody changes the files")
                );
            }
            let has_rowids = tables[0].has_rowid();
            let [a, b] = merge.without_rowids.each_mut().map(RowHasher::take);
            difference.same_rows_under_other_rowids = has_rowids && columns.are_the_same && a == b;
            Ok(())
        })
    }
}

/// Which stored columns of two tables belong together: those of the same name.
struct Columns {
    /// Name, position among A's stored columns, position among B's.
    common: Vec<(String, usize, usize)>,
    /// Whether all columns are common, in the same order.
    are_the_same: bool,
}

impl Columns {
    fn of([a, b]: &[Table; 2]) -> Self {
        let mut common = Vec::new();
        for (position_a, (_, column)) in a.stored_columns().enumerate() {
            let found = b.stored_columns().position(|(_, other)| other.name.is_same(&column.name));
            common.extend(found.map(|position_b| (column.name.lossy().into_owned(), position_a, position_b)));
        }
        let all = common.len() == a.stored_columns().count() && common.len() == b.stored_columns().count();
        let are_the_same = all && common.iter().all(|(_, position_a, position_b)| position_a == position_b);
        Self { common, are_the_same }
    }
}

/// The stored columns of a table that the other one does not have.
fn columns_only_in(table: &Table, other: &Table) -> Vec<String> {
    let is_missing = |name: &Identifier| !other.stored_columns().any(|(_, column)| column.name.is_same(name));
    let columns = table.stored_columns().filter(|(_, column)| is_missing(&column.name));
    columns.map(|(_, column)| column.name.lossy().into_owned()).collect()
}

/// Whether rows can be matched: by rowid, or by key columns of the same names.
fn have_the_same_key([a, b]: &[Table; 2]) -> bool {
    let names = |table: &Table| -> Vec<Vec<u8>> {
        let terms = key_order(table).terms;
        let columns =
            terms.iter().filter_map(|term| term.column.and_then(|column| table.columns.get(column)));
        columns.map(|column| column.name.as_bytes().to_ascii_lowercase()).collect()
    };
    a.has_rowid() == b.has_rowid() && (a.has_rowid() || names(a) == names(b))
}

/// One pass over both sides.
struct Merge<'a> {
    tables: &'a [Table; 2],
    columns: &'a Columns,
    most_rows: usize,
    /// Digests of the rows as if they had no rowids.
    without_rowids: [RowHasher; 2],
    /// Digests of what came by, which must be those of the first reading.
    seen: [ContentDigest; 2],
    hasher: RowHasher,
}

impl Merge<'_> {
    fn run(&mut self, mut a: PackedRows, mut b: PackedRows, difference: &mut TableDifference) -> Result<()> {
        self.advance(0, &mut a)?;
        self.advance(1, &mut b)?;
        loop {
            let order = match (a.current(), b.current()) {
                (None, None) => return Ok(()),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((_, key_a)), Some((_, key_b))) => key_a.cmp(key_b),
            };
            let (row_a, row_b) = (a.current().map(|(row, _)| row), b.current().map(|(row, _)| row));
            match (order, row_a, row_b) {
                (Ordering::Less, Some(row), _) => {
                    difference.rows_only_in_a += 1;
                    self.show_one(Side::A, row, difference)?;
                }
                (Ordering::Greater, _, Some(row)) => {
                    difference.rows_only_in_b += 1;
                    self.show_one(Side::B, row, difference)?;
                }
                (_, Some(row_a), Some(row_b)) => self.compare_rows(row_a, row_b, difference)?,
                _ => {}
            }
            if order != Ordering::Greater {
                self.advance(0, &mut a)?;
            }
            if order != Ordering::Less {
                self.advance(1, &mut b)?;
            }
        }
    }

    fn advance(&mut self, side: usize, rows: &mut PackedRows) -> Result<()> {
        if rows.advance()?
            && let Some((row, _)) = rows.current()
        {
            self.hasher.add_encoded(row);
            self.seen[side].add(self.hasher.take());
            if self.tables[side].has_rowid() {
                self.without_rowids[side].add_encoded(without_rowid(row));
            }
        }
        Ok(())
    }

    fn compare_rows(&self, row_a: &[u8], row_b: &[u8], difference: &mut TableDifference) -> Result<()> {
        if self.columns.are_the_same && row_a == row_b {
            return Ok(());
        }
        let (rowid, cells_a) = self.decode(0, row_a)?;
        let (_, cells_b) = self.decode(1, row_b)?;
        let pairs = self.columns.common.iter().filter_map(|(name, position_a, position_b)| {
            Some((name, *cells_a.get(*position_a)?, *cells_b.get(*position_b)?))
        });
        let mut differing = pairs.filter(|(_, a, b)| a != b).peekable();
        if differing.peek().is_none() {
            return Ok(());
        }
        difference.rows_changed += 1;
        if difference.examples.len() >= self.most_rows {
            return Ok(());
        }
        let shown = differing.by_ref().take(MOST_CELLS).map(|(name, a, b)| {
            let (a, b) = shown_pair(a, b);
            CellDifference { column: name.clone(), a: Some(a), b: Some(b) }
        });
        let cells: Vec<CellDifference> = shown.collect();
        let more_cells = differing.count();
        let key = self.shown_key(0, rowid, &cells_a);
        difference.examples.push(RowDifference { key, only_in: None, cells, more_cells });
        Ok(())
    }

    fn show_one(&self, side: Side, row: &[u8], difference: &mut TableDifference) -> Result<()> {
        if difference.examples.len() >= self.most_rows {
            return Ok(());
        }
        let index = usize::from(side == Side::B);
        let (rowid, cells) = self.decode(index, row)?;
        let key = self.shown_key(index, rowid, &cells);
        let names = self.tables[index].stored_columns().map(|(_, column)| column.name.lossy().into_owned());
        let shown_cells = names.zip(&cells).take(MOST_CELLS).map(|(column, cell)| match side {
            Side::A => CellDifference { column, a: Some(shown(*cell)), b: None },
            Side::B => CellDifference { column, a: None, b: Some(shown(*cell)) },
        });
        difference.examples.push(RowDifference {
            key,
            only_in: Some(side),
            cells: shown_cells.collect(),
            more_cells: cells.len().saturating_sub(MOST_CELLS),
        });
        Ok(())
    }

    fn decode<'r>(&self, side: usize, row: &'r [u8]) -> Result<(Option<i64>, Vec<Cell<'r>>)> {
        read_encoded_row(row, self.tables[side].has_rowid()).ok_or_else(unreadable)
    }

    fn shown_key(&self, side: usize, rowid: Option<i64>, cells: &[Cell<'_>]) -> String {
        if let Some(rowid) = rowid {
            return format!("rowid {rowid}");
        }
        let table = &self.tables[side];
        let positions =
            key_order(table).terms.into_iter().filter_map(|term| table.stored_position(term.column?));
        let values: Vec<String> = positions
            .filter_map(|position| cells.get(position))
            .map(|cell| shown(*cell).to_string())
            .collect();
        format!("key {}", values.join(", "))
    }
}
