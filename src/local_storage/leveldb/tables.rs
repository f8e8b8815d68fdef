//! Tables, taken into the state, and what a bad part of one means for the whole.

use std::io::{self, Read, Seek};

use super::internal_key::KeyRange;
use super::manifest::NamedTable;
use super::newest::{Lost, State};
use super::plan::{PlannedTable, place};
use super::table::{BadPart, Loss, Table};
use crate::local_storage::counted::counted;
use crate::local_storage::item::Problem;

/// Bad parts of one table that are told one by one; of more, only how many.
const MAX_TOLD_PARTS: usize = 20;

/// Reads the table `planned`, whose file `source` has `size` bytes.
pub(super) fn read_table(
    planned: &PlannedTable,
    source: impl Read + Seek,
    size: u64,
    state: &mut State<'_>,
    lost: &mut Lost,
) -> io::Result<Vec<Problem>> {
    // What stands behind the table's stated end is not its own.
    let size = planned.named.as_ref().map_or(size, |named| size.min(named.size));
    let mut newer_count = 0_u64;
    let bad_parts = Table::new(source, size).read(&mut |key, value| {
        let value = (!key.is_deletion).then_some(value);
        newer_count += u64::from(state.offer(key.user_key, key.sequence, planned.rank, value));
    })?;
    let mut problems = problems_of(planned, &bad_parts);
    if planned.is_younger_than_manifest {
        problems.extend((newer_count > 0).then(|| Problem {
            place: planned.name.clone(),
            message: format!(
                "the manifest is older than this table, which holds {} that no other file has: more \
                 files may be missing",
                counted(newer_count, "change")
            ),
            may_lose_items: true,
        }));
    } else {
        lose(planned, bad_parts, lost);
    }
    Ok(problems)
}

/// What it means that the file of a table is not to be had.
pub(super) fn lose_table(planned: &PlannedTable, why: String, lost: &mut Lost) -> Vec<Problem> {
    let bad_parts = vec![BadPart { at: 0, why, loss: Loss::WholeTable }];
    let problems = problems_of(planned, &bad_parts);
    if !planned.is_younger_than_manifest {
        lose(planned, bad_parts, lost);
    }
    problems
}

fn problems_of(planned: &PlannedTable, bad_parts: &[BadPart]) -> Vec<Problem> {
    let consequence = |loss: &Loss| match loss {
        Loss::Nothing => "it holds no items",
        _ if planned.is_younger_than_manifest => {
            "the manifest does not name this table: it is what an interrupted compaction leaves, or the manifest is older"
        }
        Loss::Entries(_) => "its items are lost, and older values or deleted items may stand in their place",
        Loss::WholeTable => {
            "no item of the table can be read, and older values or deleted items may stand in their place"
        }
    };
    let told = bad_parts.iter().take(MAX_TOLD_PARTS).map(|part| Problem {
        place: place(&planned.name, part.at),
        message: format!("{}: {}", part.why, consequence(&part.loss)),
        may_lose_items: !matches!(part.loss, Loss::Nothing),
    });
    let untold = bad_parts.get(MAX_TOLD_PARTS..).filter(|parts| !parts.is_empty()).map(|parts| Problem {
        place: planned.name.clone(),
        message: format!("{} more that cannot be used", counted(parts.len() as u64, "block")),
        may_lose_items: parts.iter().any(|part| !matches!(part.loss, Loss::Nothing)),
    });
    told.chain(untold).collect()
}

fn lose(planned: &PlannedTable, bad_parts: Vec<BadPart>, lost: &mut Lost) {
    for part in bad_parts {
        match part.loss {
            Loss::Nothing => {}
            Loss::Entries(range) => lost.add_range(planned.rank, range),
            Loss::WholeTable => {
                let range = planned.named.as_ref().map_or_else(KeyRange::default, NamedTable::range);
                lost.add_range(planned.rank, range);
            }
        }
    }
}
