//! `digest`: the content digests of a snapshot or a database, and whether they are those of a list.
//!
//! The list is text for a repository, like `sha256sum`'s: the same for a live database, its backups, its snapshots and what is
//! restored from them, whatever their layout. [`DigestList`] is its only reader and writer.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::content::{Content, ContentHeader, ContentOptions, select_tables};
use crate::digest::{ContentDigest, Sha256Digest, schema_content_digest};
use crate::error::Result;
use crate::matching::MatchingResources;
use crate::progress::{Phase, PhaseKind};
use crate::run::Run;
use crate::schema::Identifier;

mod compare;
mod list;

pub use compare::{ListDifference, compare_with_list};
pub use list::DigestList;

/// The digests of one subject.
#[derive(Debug, Clone, Serialize)]
pub struct DigestReport {
    /// The snapshot or database.
    #[serde(serialize_with = "crate::report::lossy_path")]
    pub subject: PathBuf,
    /// What of its header is content.
    pub header: ContentHeader,
    /// The digest of its schema's content.
    pub schema: Sha256Digest,
    /// Its tables, or those that were asked for, sorted by name as bytes.
    pub tables: Vec<TableDigest>,
}

/// The digest of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableDigest {
    /// Its name.
    pub name: Identifier,
    /// The digest of all its rows.
    pub digest: ContentDigest,
}

/// Which tables are meant.
#[derive(Debug, Clone, Copy, Default)]
pub struct TableChoice<'a> {
    /// Names or patterns of tables; none means all.
    pub patterns: &'a [String],
    /// Tables that a pattern may mean even if the subject does not have them.
    pub known: &'a [TableDigest],
}

/// Reads every row of the chosen tables of the snapshot or database at `path`.
///
/// # Errors
/// Those of [`Content::open`] and [`Content::digest_table`]; `Usage` for a pattern that matches no table.
pub fn digests(
    path: &Path,
    choice: TableChoice<'_>,
    options: &ContentOptions,
    run: Run<'_>,
) -> Result<DigestReport> {
    let content = Content::open(path, options, run)?;
    let own = content.tables().iter().map(|table| &table.name);
    let names: Vec<&Identifier> = own.chain(choice.known.iter().map(|table| &table.name)).collect();
    let selected = select_tables(choice.patterns, &names).map_err(|error| error.at(path))?;
    let resources =
        MatchingResources { threads: options.threads, memory_limit_bytes: options.memory_limit_bytes };
    let mut tables = Vec::with_capacity(selected.len());
    for ordinal in selected.into_iter().filter(|ordinal| *ordinal < content.tables().len()) {
        let name = names[ordinal];
        let total_rows = content.expected_rows(ordinal);
        let subject = name.lossy();
        run.progress.begin(Phase {
            kind: PhaseKind::Digesting,
            subject: &subject,
            total_rows,
            total_bytes: None,
        });
        let digest = content.digest_table(ordinal, resources, run);
        run.progress.end();
        tables.push(TableDigest { name: name.clone(), digest: digest? });
    }
    content.finish()?;
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(DigestReport {
        subject: path.to_path_buf(),
        header: content.content_header(),
        schema: schema_content_digest(content.objects()),
        tables,
    })
}
