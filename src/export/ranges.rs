//! Ranges of rowids which several readers of one commit scan, and which together are one scan of the table.

use std::ops::ControlFlow;

use crate::error::{Error, ErrorKind, Result};
use crate::export::table::TableJob;
use crate::schema::Cell;
use crate::sqlite::RECOVER_HINT;
use crate::sqlite::catalog::Catalog;
use crate::sqlite::open::Source;

/// Ranges whose first rowids are looked for in the table; more come from parting those evenly.
const MOST_LOOKED_FOR: usize = 256;

/// Where ranges begin: each with the rowid given, which need not be there, and the first with whatever comes first. A range
/// ends where the next begins.
#[derive(Debug)]
pub(super) struct Ranges(Vec<Option<i64>>);

impl Ranges {
    /// One range, of all rows.
    pub(super) fn whole() -> Self {
        Self(vec![None])
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Where a range begins and where it ends, if it is there.
    pub(super) fn bounds(&self, range: usize) -> Option<(Option<i64>, Option<i64>)> {
        let &from = self.0.get(range)?;
        Some((from, self.0.get(range + 1).copied().flatten()))
    }

    /// Parts the stretches that begin with `firsts` until there are about `count` of them.
    fn parted(firsts: &[i64], count: usize) -> Self {
        let parts = i128::try_from(count.div_ceil(firsts.len().max(1))).unwrap_or(1);
        let mut starts = vec![None];
        for (index, &first) in firsts.iter().enumerate() {
            if index > 0 {
                starts.push(Some(first));
            }
            let Some(&next) = firsts.get(index + 1) else { break };
            let width = i128::from(next) - i128::from(first);
            let between = (1..parts).map(|part| i128::from(first) + width * part / parts);
            let inside = between.filter_map(|start| i64::try_from(start).ok());
            for start in inside {
                if starts.last().copied().flatten().unwrap_or(first) < start {
                    starts.push(Some(start));
                }
            }
        }
        Self(starts)
    }
}

/// What the scan of one range met.
#[derive(Debug, Clone, Copy)]
pub(super) struct RangeEnds {
    /// The last rowid before the range, looked for backwards from where the scan of it begins.
    before: Option<i64>,
    /// The first rowid that was read.
    first: Option<i64>,
    /// The last rowid that was read.
    last: Option<i64>,
    /// The first rowid beyond the range.
    beyond: Option<i64>,
}

/// Makes sure, range after range, that they together are one scan from the first row to the last: the row that the scan of
/// one met beyond its end must be the one with which the scan of the next began, and the row before that the last one that was
/// read. In a damaged b-tree it is not: a row whose rowid has become a later one ends a scan too early.
#[derive(Debug, Default)]
pub(super) struct EndsCheck {
    has_begun: bool,
    /// The row with which the next range begins; none after the last.
    expected: Option<i64>,
    /// The last row of all ranges so far.
    last: Option<i64>,
}

impl EndsCheck {
    /// Takes the ends of the next range.
    ///
    /// # Errors
    /// `Damaged` where it does not go on where the one before ended.
    pub(super) fn next(&mut self, ends: RangeEnds) -> Result<()> {
        // A range without rows meets what lies beyond it at once.
        let begun = ends.first.or(ends.beyond);
        if self.has_begun && (self.expected != begun || self.last != ends.before) {
            return Err(Error::new(
                ErrorKind::Damaged,
                "the rowids of the table are not where its b-tree says: the database is damaged",
            )
            .hint(RECOVER_HINT));
        }
        *self = Self { has_begun: true, expected: ends.beyond, last: ends.last.or(self.last) };
        Ok(())
    }

    /// Ends the check after the last range.
    ///
    /// # Errors
    /// `Failed` where rows follow.
    pub(super) fn finish(self) -> Result<()> {
        match self.expected {
            Some(_) => Err(Error::new(ErrorKind::Failed, "rows after the last were not read")),
            None => Ok(()),
        }
    }
}

impl TableJob<'_> {
    /// About `count` ranges of rowids; one where its rowids are not known.
    ///
    /// # Errors
    /// What SQLite says; `Interrupted`.
    pub(super) fn ranges(&self, count: usize) -> Result<Ranges> {
        let looked_for = count.min(MOST_LOOKED_FOR);
        let firsts = self.source.rowids_all_over(self.table(), looked_for, self.run.interrupt)?;
        Ok(Ranges::parted(&firsts, count))
    }
}

/// Hands the rows of a range to `take`, until it breaks off; `None` where there is no such range.
///
/// # Errors
/// What SQLite says; what `take` says.
pub(super) fn scan_range(
    source: &Source,
    (catalog, ordinal): (&Catalog, usize),
    ranges: &Ranges,
    range: usize,
    mut take: impl FnMut(Option<i64>, &[Cell<'_>]) -> Result<ControlFlow<()>>,
) -> Result<Option<RangeEnds>> {
    let Some((from, until)) = ranges.bounds(range) else { return Ok(None) };
    let before = match from {
        Some(from) => source.last_rowid_below(&catalog.tables[ordinal], from)?,
        None => None,
    };
    let mut ends = RangeEnds { before, first: None, last: None, beyond: None };
    source.for_each_row_from(catalog, ordinal, from, |rowid, cells| {
        if let (Some(rowid), Some(until)) = (rowid, until)
            && rowid >= until
        {
            ends.beyond = Some(rowid);
            return Ok(ControlFlow::Break(()));
        }
        ends.first = ends.first.or(rowid);
        ends.last = rowid;
        take(rowid, cells)
    })?;
    Ok(Some(ends))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_parted_evenly_and_nowhere_twice() {
        let starts = |firsts: &[i64], count| Ranges::parted(firsts, count).0;
        assert_eq!(starts(&[], 8), [None]);
        assert_eq!(starts(&[7], 8), [None]);
        assert_eq!(starts(&[0, 100], 2), [None, Some(100)]);
        assert_eq!(starts(&[0, 100], 4), [None, Some(50), Some(100)]);
        // Narrower than it is to have parts.
        assert_eq!(starts(&[10, 12, 13], 12), [None, Some(11), Some(12), Some(13)]);
        let whole = [i64::MIN, i64::MAX];
        assert_eq!(starts(&whole, 4), [None, Some(-1), Some(i64::MAX)]);
    }

    #[test]
    fn ranges_that_do_not_go_on_where_the_one_before_ended_are_refused() -> Result<()> {
        let ends = |before, (first, last), beyond| RangeEnds { before, first, last, beyond };
        let read = |first, last| (Some(first), Some(last));
        let none = (None, None);
        let mut sound = EndsCheck::default();
        sound.next(ends(None, read(1, 4), Some(5)))?;
        sound.next(ends(Some(4), none, Some(5)))?;
        sound.next(ends(Some(4), read(5, 6), None))?;
        sound.finish()?;
        let refuses = |last: RangeEnds| {
            let mut check = EndsCheck::default();
            check.next(ends(None, read(1, 4), Some(5)))?;
            assert_eq!(check.next(last).map_err(|error| error.kind()), Err(ErrorKind::Damaged));
            Ok(())
        };
        // Another row comes first; or it does, and rows before it were not read.
        refuses(ends(Some(4), read(6, 7), None))?;
        refuses(ends(Some(3), read(5, 7), None))?;
        let mut cut = EndsCheck::default();
        cut.next(ends(None, read(1, 4), Some(5)))?;
        assert!(cut.finish().is_err());
        Ok(())
    }
}
