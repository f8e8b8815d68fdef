//! `diff`: in what two subjects differ, each a snapshot or a database, down to the cell.
//!
//! What counts is content, as [`crate::content`] defines it; differences of layout are told and do not count. Every row of
//! every table is read once for its digest, on both sides at the same time. Only tables whose digests differ are read a
//! second time, both in the order of their keys and merged, so that memory is bounded whatever the tables' size, to count
//! the rows that differ and to show some.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::content::{Content, ContentOptions, select_tables};
use crate::digest::ContentDigest;
use crate::durable::{Stage, folder_beside};
use crate::error::{Error, ErrorKind, Result};
use crate::matching::MatchingResources;
use crate::progress::{Phase, PhaseKind};
use crate::run::{Run, start_thread};
use crate::schema::Identifier;

mod header;
mod packed;
mod rows;
mod schema;
mod shown;

pub use header::FactDifference;
pub use rows::{CellDifference, RowDifference, TableDifference};
pub use schema::SchemaDifference;
pub use shown::ShownCell;

/// How two subjects are compared.
#[derive(Debug, Clone)]
pub struct DiffOptions {
    /// How their content is read.
    pub content: ContentOptions,
    /// Names or patterns of the tables to compare; none means all.
    pub tables: Vec<String>,
    /// How many differing rows of each table are shown.
    pub most_rows: usize,
}

/// On which side something is; A is the first one named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The first.
    A,
    /// The second.
    B,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::B => "B",
        })
    }
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct DiffReport {
    /// The first subject.
    #[serde(serialize_with = "crate::report::lossy_path")]
    pub a: PathBuf,
    /// The second subject.
    #[serde(serialize_with = "crate::report::lossy_path")]
    pub b: PathBuf,
    /// Whether their content is the same.
    pub equal: bool,
    /// How many tables were compared.
    pub tables_compared: usize,
    /// How many rows A has in them.
    pub rows: u64,
    /// Header facts that are content.
    pub header: Vec<FactDifference>,
    /// Schema objects.
    pub schema: Vec<SchemaDifference>,
    /// Tables with other rows.
    pub tables: Vec<TableDifference>,
    /// Facts of layout, which do not count.
    pub layout: Vec<FactDifference>,
    /// Whether one of them is a snapshot of part of a database.
    pub is_part: bool,
}

impl DiffReport {
    /// How many differences of content there are; a table that only one side has is one, with its rows.
    #[must_use]
    pub fn difference_count(&self) -> usize {
        let on_both = self.tables.iter().filter(|table| table.only_in.is_none()).count();
        self.header.len() + self.schema.len() + on_both
    }
}

/// Compares the subjects at `a` and `b`.
///
/// # Errors
/// Those of [`Content::open`] and of reading its rows; `Usage` for a pattern that matches no table of either.
pub fn diff(a: &Path, b: &Path, options: &DiffOptions, run: Run<'_>) -> Result<DiffReport> {
    let mut sides = Content::open_both(a, b, &options.content, run)?;
    let pairs = pair_tables(&sides, &options.tables)?;
    let is_meant = |table: &[u8]| {
        options.tables.is_empty() || pairs.iter().any(|pair| pair.name.as_bytes().eq_ignore_ascii_case(table))
    };
    let mut report = DiffReport {
        a: a.to_path_buf(),
        b: b.to_path_buf(),
        equal: false,
        tables_compared: pairs.len(),
        rows: 0,
        header: header::content_differences(&sides[0], &sides[1]),
        schema: schema::differences(sides[0].objects(), sides[1].objects(), is_meant),
        tables: Vec::new(),
        layout: header::layout_differences(&sides[0], &sides[1]),
        is_part: sides.iter().any(Content::is_part),
    };
    let mut spills = None;
    for pair in &pairs {
        let (found_a, found_b) = digest_pair(&mut sides, pair, &options.content, run)?;
        report.rows += found_a.map_or(0, |digest| digest.row_count);
        report.tables.extend(match (pair.a, pair.b) {
            (Some(ordinal_a), Some(ordinal_b)) if found_a != found_b => {
                let folder = spill_folder(&mut spills, &sides, &options.content)?;
                let job = rows::RowComparison {
                    name: &pair.name,
                    ordinals: [ordinal_a, ordinal_b],
                    digests: [found_a.unwrap_or_default(), found_b.unwrap_or_default()],
                    spill_folder: folder,
                    options,
                    run,
                };
                Some(job.compare(&mut sides)?)
            }
            (Some(_), Some(_)) => None,
            (only_in_a, _) => {
                let side = if only_in_a.is_some() { Side::A } else { Side::B };
                Some(TableDifference::only_in(side, &pair.name, found_a.or(found_b).unwrap_or_default()))
            }
        });
    }
    for side in &sides {
        side.finish()?;
    }
    report.equal = report.difference_count() == 0;
    Ok(report)
}

/// One table by its name, with its place in each of both subjects.
#[derive(Debug)]
struct TablePair {
    name: Identifier,
    a: Option<usize>,
    b: Option<usize>,
}

/// The tables of both, sorted by name; names that differ only in ASCII case name the same table, as in SQLite.
fn pair_tables([a, b]: &[Content; 2], patterns: &[String]) -> Result<Vec<TablePair>> {
    let place = |content: &Content, name: &Identifier| {
        content.tables().iter().position(|table| table.name.is_same(name))
    };
    let of_a = a.tables().iter().enumerate().map(|(ordinal, table)| TablePair {
        name: table.name.clone(),
        a: Some(ordinal),
        b: place(b, &table.name),
    });
    let only_b = b.tables().iter().enumerate().filter(|(_, table)| place(a, &table.name).is_none());
    let of_b =
        only_b.map(|(ordinal, table)| TablePair { name: table.name.clone(), a: None, b: Some(ordinal) });
    let mut pairs: Vec<TablePair> = of_a.chain(of_b).collect();
    pairs.sort_by(|a, b| a.name.cmp(&b.name));
    let names: Vec<&Identifier> = pairs.iter().map(|pair| &pair.name).collect();
    let selected = select_tables(patterns, &names)?;
    let mut index = 0;
    pairs.retain(|_| {
        index += 1;
        selected.contains(&(index - 1))
    });
    Ok(pairs)
}

/// The digests of a table on both sides, read at the same time.
fn digest_pair(
    [a, b]: &mut [Content; 2],
    pair: &TablePair,
    options: &ContentOptions,
    run: Run<'_>,
) -> Result<(Option<ContentDigest>, Option<ContentDigest>)> {
    let subject = pair.name.lossy();
    let expected =
        [pair.a.map(|ordinal| a.expected_rows(ordinal)), pair.b.map(|ordinal| b.expected_rows(ordinal))];
    // Unknown on one side is unknown.
    let total_rows =
        expected.into_iter().flatten().try_fold(0_u64, |sum, rows| Some(sum.saturating_add(rows?)));
    run.progress.begin(Phase {
        kind: PhaseKind::Digesting,
        subject: &subject,
        total_rows,
        total_bytes: None,
    });
    // Both sides are decoded at once.
    let resources = MatchingResources {
        threads: options.threads.div_ceil(2),
        memory_limit_bytes: options.memory_limit_bytes / 2,
    };
    let digest = |content: &mut Content, ordinal: Option<usize>| {
        ordinal.map(|ordinal| content.digest_table(ordinal, resources, run)).transpose()
    };
    let (found_a, found_b) = at_once(|| digest(a, pair.a), || digest(b, pair.b));
    run.progress.end();
    Ok((found_a?, found_b?))
}

/// Does both at the same time.
fn at_once<T: Send>(
    a: impl FnOnce() -> Result<T> + Send,
    b: impl FnOnce() -> Result<T>,
) -> (Result<T>, Result<T>) {
    std::thread::scope(|scope| {
        let a = match start_thread(scope, a) {
            Ok(a) => a,
            Err(error) => return (Err(error), b()),
        };
        let b = b();
        let stopped = |_| Err(Error::new(ErrorKind::Failed, "a reading thread stopped"));
        (a.join().unwrap_or_else(stopped), b)
    })
}

/// A folder for rows that have to be sorted, made when the first table needs one.
fn spill_folder(
    stage: &mut Option<Stage>,
    [a, _]: &[Content; 2],
    options: &ContentOptions,
) -> Result<PathBuf> {
    if stage.is_none() {
        let near = folder_beside(a.path())?;
        *stage = Some(Stage::create_temporary(&near, options.temp_folder.as_deref())?);
    }
    Ok(stage.as_ref().map(|stage| stage.path().to_path_buf()).unwrap_or_default())
}
