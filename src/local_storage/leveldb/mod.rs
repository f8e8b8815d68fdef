//! LevelDB folders, read without LevelDB: no lock, nothing written, every checksum checked.
//!
//! The whole database comes out at once, as the newest change of every key. What a checksum does not vouch for is never
//! used. Damage has a second effect that no checksum shows: where a newer value or a deletion was lost, an older value
//! comes to light that the undamaged database does not have. So every entry says whether that can be the case
//! ([`Entry::may_be_outdated`]): numbers of changes, key ranges of lost blocks and levels of tables narrow it down.
//!
//! `plan` chooses the files, `replay` reads logs, `table` tables, `newest` keeps the newest changes. Knows nothing of
//! browsers but the names of their databases that are refused.
//!
//! Source: LevelDB, `doc/impl.md`.

mod batch;
mod block;
mod checksum;
mod cursor;
mod files;
mod internal_key;
mod log;
mod manifest;
mod newest;
mod plan;
mod replay;
mod table;
mod tables;

use std::collections::BTreeMap;
use std::path::Path;

use super::item::Problem;
use crate::error::Result;
use crate::run::Interrupt;
use batch::Batch;
use files::{Current, Files, why_unreadable};
use log::{LogReader, Piece};
use newest::{Lost, State};
use plan::Plan;
use replay::Replay;
use table::Table;
use tables::{lose_table, read_table};

pub(in crate::local_storage) use cursor::Cursor;
pub use newest::Entry;

/// Everything that a database holds.
#[derive(Debug)]
pub struct Contents {
    /// By key; deleted ones are not there.
    pub entries: BTreeMap<Vec<u8>, Entry>,
    /// What is wrong with the files.
    pub problems: Vec<Problem>,
}

/// Whether the folder is a LevelDB database, whoever wrote it: by what its files hold, not by their names alone.
#[must_use]
pub fn is_leveldb(folder: &Path) -> bool {
    let Ok(files) = Files::of(folder, &Interrupt::new()) else { return false };
    let first_piece = |name: &String| LogReader::new(files.open(name).ok()?.0).next_piece().ok()?;
    let has_manifest =
        || files.manifests.values().any(|name| matches!(first_piece(name), Some(Piece::Record { .. })));
    let has_table = || {
        let is_table = |name: &String| {
            files.open(name).is_ok_and(|(file, size)| Table::new(file, size).has_magic().unwrap_or(false))
        };
        files.tables.values().any(is_table)
    };
    let has_log = || {
        let is_batch =
            |piece| matches!(piece, Some(Piece::Record { payload, .. }) if Batch::decode(&payload).is_some());
        files.logs.values().any(|name| is_batch(first_piece(name)))
    };
    matches!(files.current, Current::Names(_)) || has_manifest() || has_table() || has_log()
}

/// Reads the whole database in `folder`, which must be a private copy that nobody writes to.
///
/// Values are held only of keys that `keep` says yes to; of the others, only their size.
///
/// # Errors
/// `NotFound` without the folder, `Damaged` without any file of a database in it, `Usage` for a database with another
/// comparator, `Interrupted`, I/O. Damage to files is no error, nor is one that cannot be read: it is in
/// [`Contents::problems`].
pub fn read(folder: &Path, keep: &mut dyn FnMut(&[u8]) -> bool, interrupt: &Interrupt) -> Result<Contents> {
    let files = Files::of(folder, interrupt)?;
    let plan = Plan::of(&files).map_err(|error| error.at(folder))?;
    let mut problems = plan.problems;
    let mut state = State::new(keep);
    let mut lost = Lost::default();
    for (rank, range) in plan.missing {
        lost.add_range(rank, range);
    }

    let mut replay = Replay::new(&mut state, &mut lost, &mut problems, plan.are_logs_gapless);
    for log in plan.logs {
        if log.is_missing {
            replay.miss(log.name);
            continue;
        }
        let read = files.open(&log.name).and_then(|(file, _)| {
            replay.replay(&log.name, log.rank, file).map_err(|source| files.failed(&log.name, source))
        });
        if let Err(error) = read {
            replay.lose(log.name, &why_unreadable(error)?);
        }
    }
    replay.finish();

    for table in &plan.tables {
        let read = files.open(&table.name).and_then(|(file, size)| {
            let read = read_table(table, file, size, &mut state, &mut lost);
            read.map_err(|source| files.failed(&table.name, source))
        });
        problems.extend(match read {
            Ok(problems) => problems,
            Err(error) => lose_table(table, why_unreadable(error)?, &mut lost),
        });
    }
    Ok(Contents { entries: state.into_entries(&lost), problems })
}
