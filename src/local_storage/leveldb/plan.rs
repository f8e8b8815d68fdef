//! Which files make up the database, and what is known of their age: decided before any of them is read.
//!
//! With a manifest, the tables it names and the logs from its log number on. Without one, or with one that cannot be
//! believed to its end, everything that lies in the folder: the numbers of the changes still tell which is the newest,
//! but a file that is gone goes unnoticed, and a left-over table can bring back what was deleted.

use std::collections::BTreeSet;

use super::files::{Current, Files, why_unreadable};
use super::internal_key::KeyRange;
use super::manifest::{NamedTable, Version, read_manifest};
use super::newest::Rank;
use crate::error::{Error, ErrorKind, Result};
use crate::local_storage::item::Problem;

const COMPARATOR: &str = "leveldb.BytewiseComparator";

/// What is to be read.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// From the newest level down.
    pub(super) tables: Vec<PlannedTable>,
    /// In the order of their numbers.
    pub(super) logs: Vec<PlannedLog>,
    /// What is known of tables that are named and not there.
    pub(super) missing: Vec<(Rank, KeyRange)>,
    /// Whether each log goes on where the one before ends.
    pub(super) are_logs_gapless: bool,
    pub(super) problems: Vec<Problem>,
}

#[derive(Debug)]
pub(super) struct PlannedTable {
    pub(super) name: String,
    pub(super) rank: Rank,
    /// What the manifest says of it, where one names it.
    pub(super) named: Option<NamedTable>,
    /// The manifest does not name it, and is older: what an interrupted compaction leaves, if the manifest is right.
    pub(super) is_younger_than_manifest: bool,
}

#[derive(Debug)]
pub(super) struct PlannedLog {
    pub(super) name: String,
    pub(super) rank: Rank,
    /// The manifest needs it, and it is not there.
    pub(super) is_missing: bool,
}

impl Plan {
    /// # Errors
    /// `Damaged` where there is no file of a LevelDB database, `Usage` for one that is ordered in another way, I/O.
    pub(super) fn of(files: &Files) -> Result<Self> {
        if files.tables.is_empty() && files.logs.is_empty() && files.manifests.is_empty() {
            return Err(Error::new(ErrorKind::Damaged, "there is no LevelDB database in the folder"));
        }
        let mut plan = Self::default();
        let Some(name) = plan.choose_manifest(files) else {
            plan.take_everything(files);
            return Ok(plan);
        };
        let read = files
            .open(name)
            .and_then(|(file, _)| read_manifest(file).map_err(|source| files.failed(name, source)));
        let manifest = match read {
            Ok(manifest) => manifest,
            Err(error) => {
                let message = why_unreadable(error)?;
                plan.problems.push(Problem { place: name.clone(), message, may_lose_items: true });
                plan.take_everything(files);
                return Ok(plan);
            }
        };
        check_comparator(&manifest.version)?;
        if let Some((at, why)) = manifest.damage {
            plan.problems.push(Problem {
                place: place(name, at),
                message: format!("the manifest is damaged: {why}"),
                may_lose_items: true,
            });
            plan.take_everything(files);
        } else {
            plan.take_named(files, name, &manifest.version);
        }
        Ok(plan)
    }

    /// The manifest that `CURRENT` names; else the newest one.
    fn choose_manifest<'f>(&mut self, files: &'f Files) -> Option<&'f String> {
        let unreadable;
        let what = match &files.current {
            Current::Names(number) => match files.manifests.get(number) {
                Some(name) => return Some(name),
                None => "names a manifest that is not there",
            },
            Current::Missing => "is missing",
            Current::Unreadable(why) => {
                unreadable = format!("does not help: {why}");
                &unreadable
            }
            Current::Senseless => "names no manifest",
        };
        let newest = files.manifests.values().next_back();
        let instead = newest.map_or_else(|| "there is none".to_owned(), |name| format!("{name} was taken"));
        self.problems.push(Problem {
            place: "CURRENT".to_owned(),
            message: format!("CURRENT {what}, {instead}"),
            may_lose_items: false,
        });
        newest
    }

    /// All tables and logs of the folder.
    fn take_everything(&mut self, files: &Files) {
        self.problems.push(Problem {
            place: "MANIFEST".to_owned(),
            message: "without a usable manifest all tables and logs were read: a file that is gone goes unnoticed, \
                      and deleted items may be back"
                .to_owned(),
            may_lose_items: true,
        });
        self.tables.extend(files.tables.values().rev().map(|name| PlannedTable {
            name: name.clone(),
            rank: Rank::Unknown,
            named: None,
            is_younger_than_manifest: false,
        }));
        let newest = files.logs.keys().next_back();
        self.logs.extend(files.logs.iter().map(|(number, name)| PlannedLog {
            name: name.clone(),
            rank: if Some(number) == newest { Rank::Log } else { Rank::Unknown },
            is_missing: false,
        }));
    }

    /// What `version` names, and tables that may be younger than it.
    fn take_named(&mut self, files: &Files, manifest: &str, version: &Version) {
        let mut named: Vec<_> = version.tables.iter().collect();
        named.sort_by_key(|&(&number, table)| (table.level, std::cmp::Reverse(number)));
        for (&number, table) in named {
            let rank = Rank::Table { level: table.level, number };
            if let Some(name) = files.tables.get(&number) {
                let named = Some(table.clone());
                let name = name.clone();
                self.tables.push(PlannedTable { name, rank, named, is_younger_than_manifest: false });
                continue;
            }
            let message = format!(
                "{manifest} names a table of {} bytes that is missing: items are lost, and older values or deleted items \
                 may stand in their place",
                table.size
            );
            self.problems.push(Problem { place: format!("{number:06}.ldb"), message, may_lose_items: true });
            self.missing.push((rank, table.range()));
        }
        // Were the manifest cut between two edits, nothing but the numbers of younger files would tell.
        let younger = files.tables.range(version.next_file_number..);
        self.tables.extend(younger.filter(|(number, _)| !version.tables.contains_key(number)).map(
            |(_, name)| PlannedTable {
                name: name.clone(),
                rank: Rank::Unknown,
                named: None,
                is_younger_than_manifest: true,
            },
        ));
        let used = files.logs.keys().copied().filter(|&number| version.uses_log(number));
        let needed =
            [version.previous_log_number, version.log_number].into_iter().filter(|&number| number != 0);
        let numbers: BTreeSet<u64> = used.chain(needed).collect();
        self.logs.extend(numbers.into_iter().map(|number| {
            let name = files.logs.get(&number).cloned();
            let is_missing = name.is_none();
            PlannedLog {
                name: name.unwrap_or_else(|| format!("{number:06}.log")),
                rank: Rank::Log,
                is_missing,
            }
        }));
        self.are_logs_gapless = true;
    }
}

fn check_comparator(version: &Version) -> Result<()> {
    match version.comparator.as_deref() {
        None | Some(COMPARATOR) => Ok(()),
        Some("idb_cmp1") => {
            Err(Error::new(ErrorKind::Usage, "the folder is an IndexedDB database, not localStorage")
                .hint("localStorage is in the folder `Local Storage/leveldb` of the same profile"))
        }
        Some(other) => {
            let message =
                format!("the folder is a LevelDB database of another program: its comparator is {other:?}");
            Err(Error::new(ErrorKind::Usage, message)
                .hint("name a browser's profile, or its folder `Local Storage/leveldb`"))
        }
    }
}

/// A place in a file, for people.
pub(super) fn place(name: &str, at: u64) -> String {
    format!("{name}, byte {at}")
}
