//! Which tables of a database go into a snapshot, and what goes with them.

use crate::error::{Error, ErrorKind, Result};
use crate::schema::{ObjectKind, SchemaObject, SqlText, name_glob};
use crate::snapshot::LeftOut;
use crate::sqlite::catalog::Catalog;
use crate::sqlite::not_kept::NotKept;

/// What was asked for; nothing asked for is everything.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Globs of the tables to take; none means all.
    pub tables: Vec<String>,
    /// Globs of the tables to leave out of those.
    pub exclude: Vec<String>,
}

/// What goes into a snapshot.
#[derive(Debug, Clone)]
pub(crate) struct Selected {
    /// Schema rows, in the order of `sqlite_schema`.
    pub(crate) objects: Vec<SchemaObject>,
    /// Tables with rows: ordinals in the catalog, and whether only rows about selected tables are taken.
    pub(crate) tables: Vec<SelectedTable>,
    /// What cannot be kept of those.
    pub(crate) not_kept: Vec<NotKept>,
    /// What was not asked for.
    pub(crate) left_out: Vec<LeftOut>,
    /// Whether everything was.
    pub(crate) is_whole: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SelectedTable {
    pub(crate) ordinal: usize,
    /// `sqlite_sequence` in part of a database: only the counters of the selected tables.
    pub(crate) counters_only: bool,
}

impl Selection {
    /// Picks from a catalog what was asked for.
    ///
    /// An internal table follows the tables it is about. A virtual table brings its shadow tables. Indexes and
    /// triggers follow their table. Views come along unless a single table was asked for.
    ///
    /// # Errors
    /// `Usage` for a glob that is none, one that matches no table, and a selection without any table.
    pub(crate) fn apply(&self, catalog: &Catalog, not_kept: &[NotKept]) -> Result<Selected> {
        if self.tables.is_empty() && self.exclude.is_empty() {
            let all =
                (0..catalog.tables.len()).map(|ordinal| SelectedTable { ordinal, counters_only: false });
            return Ok(Selected {
                objects: catalog.objects.clone(),
                tables: all.collect(),
                not_kept: not_kept.to_vec(),
                left_out: Vec::new(),
                is_whole: true,
            });
        }
        let names = self.table_names(catalog)?;
        let asked_for =
            names.iter().filter(|name| !names.iter().any(|owner| is_shadow(name, owner, catalog))).count();
        let keep = |object: &SchemaObject| match object.kind {
            ObjectKind::View => asked_for > 1,
            ObjectKind::Table if is_internal(object.name.as_bytes()) => {
                object.name.as_bytes() == SEQUENCE && names.iter().any(|name| has_counter(catalog, name))
            }
            ObjectKind::Table => contains(&names, object.name.as_bytes()),
            ObjectKind::Index | ObjectKind::Trigger => {
                contains(&names, object.table_name.as_bytes())
                    || (asked_for > 1 && is_view(catalog, &object.table_name))
            }
        };
        let (objects, left): (Vec<SchemaObject>, Vec<SchemaObject>) =
            catalog.objects.iter().cloned().partition(keep);
        let is_taken = |name: &[u8]| {
            objects.iter().any(|object| object.kind == ObjectKind::Table && object.name.as_bytes() == name)
        };
        let tables = catalog.tables.iter().enumerate().filter(|(_, table)| is_taken(table.name.as_bytes()));
        let tables = tables.map(|(ordinal, table)| SelectedTable {
            ordinal,
            counters_only: table.name.as_bytes() == SEQUENCE,
        });
        let left_out = left.iter().map(|object| LeftOut {
            kind: object.kind.name().to_string(),
            name: object.name.lossy().into_owned(),
        });
        Ok(Selected {
            tables: tables.collect(),
            not_kept: not_kept.iter().filter(|lost| is_taken(lost.table.as_bytes())).cloned().collect(),
            left_out: left_out.collect(),
            objects,
            is_whole: false,
        })
    }

    fn table_names(&self, catalog: &Catalog) -> Result<Vec<Vec<u8>>> {
        let candidates: Vec<&SchemaObject> = catalog
            .objects
            .iter()
            .filter(|object| object.kind == ObjectKind::Table && !is_internal(object.name.as_bytes()))
            .collect();
        let matching = |pattern: &String| -> Result<Vec<Vec<u8>>> {
            let found = candidates
                .iter()
                .filter(|object| object.name.as_bytes().eq_ignore_ascii_case(pattern.as_bytes()));
            let mut found: Vec<Vec<u8>> = found.map(|object| object.name.as_bytes().to_vec()).collect();
            if found.is_empty() {
                // Only what is no table's name is a pattern.
                let glob = name_glob(pattern)?;
                let matching = candidates.iter().filter(|object| glob.is_match(&*object.name.lossy()));
                found = matching.map(|object| object.name.as_bytes().to_vec()).collect();
            }
            if found.is_empty() {
                let known: Vec<_> = candidates.iter().take(20).map(|object| object.name.lossy()).collect();
                return Err(Error::new(ErrorKind::Usage, format!("no table matches {pattern:?}"))
                    .hint(format!("the tables are: {}", known.join(", "))));
            }
            let shadows = candidates
                .iter()
                .filter(|object| found.iter().any(|owner| is_shadow(object.name.as_bytes(), owner, catalog)));
            let shadows: Vec<Vec<u8>> = shadows.map(|object| object.name.as_bytes().to_vec()).collect();
            found.extend(shadows);
            Ok(found)
        };
        let mut names: Vec<Vec<u8>> = if self.tables.is_empty() {
            candidates.iter().map(|object| object.name.as_bytes().to_vec()).collect()
        } else {
            self.tables.iter().map(matching).collect::<Result<Vec<_>>>()?.concat()
        };
        for excluded in self.exclude.iter().map(matching).collect::<Result<Vec<_>>>()?.concat() {
            names.retain(|name| *name != excluded);
        }
        if names.is_empty() {
            return Err(Error::new(ErrorKind::Usage, "the selection leaves no table")
                .hint("--exclude takes tables away from those of --table, or from all"));
        }
        Ok(names)
    }
}

const SEQUENCE: &[u8] = b"sqlite_sequence";

/// Whether a table is one of SQLite's own.
pub(crate) fn is_internal(name: &[u8]) -> bool {
    name.get(..7).is_some_and(|prefix| prefix.eq_ignore_ascii_case(b"sqlite_"))
}

fn contains(names: &[Vec<u8>], name: &[u8]) -> bool {
    names.iter().any(|candidate| candidate.eq_ignore_ascii_case(name))
}

fn is_view(catalog: &Catalog, name: &SqlText) -> bool {
    let is_it = |object: &SchemaObject| {
        object.kind == ObjectKind::View && object.name.as_bytes().eq_ignore_ascii_case(name.as_bytes())
    };
    catalog.objects.iter().any(is_it)
}

/// Whether a table's DDL asks for a counter.
fn has_counter(catalog: &Catalog, name: &[u8]) -> bool {
    const WORD: &[u8] = b"autoincrement";
    let sql = catalog
        .objects
        .iter()
        .find(|object| object.kind == ObjectKind::Table && object.name.as_bytes() == name);
    let sql = sql.and_then(|object| object.sql.as_ref()).map(|sql| sql.as_bytes().to_ascii_lowercase());
    sql.is_some_and(|sql| sql.windows(WORD.len()).any(|window| window == WORD))
}

/// Whether `name` is a table in which the virtual table `owner` keeps its data: `owner_…`, if SQLite says that it
/// is a shadow table, or if the module is missing and the name is one that known modules use.
fn is_shadow(name: &[u8], owner: &[u8], catalog: &Catalog) -> bool {
    const SUFFIXES: [&str; 13] = [
        "data", "idx", "content", "docsize", "config", "segments", "segdir", "stat", "node", "parent",
        "rowid", "aux", "vocab",
    ];
    let Some(rest) = name.get(owner.len()..).and_then(|rest| rest.strip_prefix(b"_")) else { return false };
    let is_virtual = || {
        let mut tables = catalog.objects.iter().filter(|object| object.kind == ObjectKind::Table);
        tables.any(|object| !object.has_storage && object.name.as_bytes() == owner)
    };
    let is_known = || SUFFIXES.iter().any(|suffix| rest.eq_ignore_ascii_case(suffix.as_bytes()));
    name[..owner.len()].eq_ignore_ascii_case(owner)
        && (catalog.shadow_tables.contains(name) || is_known())
        && is_virtual()
}
