//! SQLite's own checks of a database, and what their findings mean for a restored one.
//!
//! A finding about rows that break a rule of their own table (CHECK, NOT NULL, UNIQUE, a STRICT type, a
//! foreign key) lies in the data, which is proven equal to the source's by its digest: it is reported as the
//! source's. Any other finding is structural: the restore itself went wrong.

use std::collections::BTreeMap;

use rusqlite::{Connection, ffi};
use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::schema::Table;
use crate::sqlite::failure::{extended_code, failure, sqlite_message};
use crate::sqlite::statement::Statement;

/// What SQLite's checks say about a database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// Findings about the structure of the file: never to be seen after a restore.
    pub structural: Vec<String>,
    /// Findings about rows that break rules of their own table: the source has them too.
    pub in_the_data: Vec<String>,
    /// What could not be checked here, and why: a rule needs a function or collation that is unknown.
    pub not_checked: Vec<String>,
}

/// How much SQLite looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckDepth {
    /// `quick_check`: pages and rows, but not whether indexes agree with their tables.
    Quick,
    /// `integrity_check` and `foreign_key_check`.
    Full,
}

impl CheckDepth {
    fn pragma(self) -> &'static str {
        match self {
            Self::Quick => "quick_check",
            Self::Full => "integrity_check",
        }
    }
}

/// More findings than a person can read say no more than these.
const MOST_FINDINGS: u32 = 10_000;

/// Runs SQLite's checks.
///
/// # Errors
/// What SQLite says, other than that a rule needs something unknown.
pub(crate) fn check_database(
    connection: &Connection,
    tables: &[Table],
    depth: CheckDepth,
) -> Result<CheckReport> {
    let mut report = CheckReport::default();
    let whole = format!("PRAGMA main.{}({MOST_FINDINGS})", depth.pragma());
    match findings(connection, whole.as_bytes()) {
        Ok(texts) if texts.len() >= MOST_FINDINGS as usize => {
            // Rows that break their own rules have used up the quota: look at each table without those rules.
            report.sort(texts);
            report
                .not_checked
                .push(format!("what SQLite would find after the first {MOST_FINDINGS} findings"));
            connection.execute_batch("PRAGMA ignore_check_constraints=ON").map_err(failure)?;
            check_each_table(connection, tables, depth, &mut report)?;
            connection.execute_batch("PRAGMA ignore_check_constraints=OFF").map_err(failure)?;
        }
        Ok(texts) => {
            let broke_off = texts.iter().any(|text| text.starts_with(BROKEN_OFF));
            report.sort(texts);
            if broke_off {
                // At a page that cannot be read: the tables after it have not been looked at.
                check_each_table(connection, tables, depth, &mut report)?;
            }
        }
        Err(first) if is_of_virtual_table(&first) => {
            report.in_the_data.push(sqlite_message(&first));
            check_each_table(connection, tables, depth, &mut report)?;
        }
        Err(first) if first.kind() != ErrorKind::Failed => return Err(first),
        Err(first) => {
            // A CHECK that names an unknown function stops the whole check: leave the CHECKs out.
            report.not_checked.push(format!("CHECK constraints, because {}", sqlite_message(&first)));
            connection.execute_batch("PRAGMA ignore_check_constraints=ON").map_err(failure)?;
            match findings(connection, whole.as_bytes()) {
                Ok(texts) => report.sort(texts),
                Err(error) if error.kind() != ErrorKind::Failed && !is_of_virtual_table(&error) => {
                    return Err(error);
                }
                Err(_) => check_each_table(connection, tables, depth, &mut report)?,
            }
            connection.execute_batch("PRAGMA ignore_check_constraints=OFF").map_err(failure)?;
        }
    }
    if depth == CheckDepth::Full {
        check_foreign_keys(connection, tables, &mut report)?;
    }
    Ok(report)
}

/// Whether it is a virtual table whose own tables make no sense to its module: damage in rows, not in the file.
fn is_of_virtual_table(error: &Error) -> bool {
    extended_code(error) == Some(ffi::SQLITE_CORRUPT_VTAB)
}

impl CheckReport {
    /// Whether nothing was found; what could not be checked is no finding.
    #[must_use]
    pub fn found_nothing(&self) -> bool {
        self.structural.is_empty() && self.in_the_data.is_empty()
    }

    fn sort(&mut self, texts: Vec<String>) {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for text in texts.into_iter().filter(|text| text != "ok") {
            *counts.entry(text).or_default() += 1;
        }
        for (text, count) in counts {
            let found = if lies_in_the_data(&text) { &mut self.in_the_data } else { &mut self.structural };
            let text = if count > 1 { format!("{text} ({count} times)") } else { text };
            if !found.contains(&text) {
                found.push(text);
            }
        }
    }
}

/// How SQLite tells of a row that breaks a CHECK constraint.
pub(crate) const BROKEN_CHECK: &str = "CHECK constraint failed in ";

/// Source: the messages of `PRAGMA integrity_check` in the bundled SQLite (pragma.c), and of the integrity
/// methods of FTS and R-Tree, whose shadow tables are data.
pub(crate) fn lies_in_the_data(finding: &str) -> bool {
    const PREFIXES: [&str; 9] = [
        BROKEN_CHECK,
        "NULL value in ",
        "non-unique entry in index ",
        "TEXT value in ",
        "NUMERIC value in ",
        "malformed inverted index for FTS",
        "unable to validate the inverted index for FTS",
        "fts5: ",
        "In RTree ",
    ];
    const STRICT_TYPES: [&str; 5] = ["INT", "INTEGER", "REAL", "TEXT", "BLOB"];
    PREFIXES.iter().any(|prefix| finding.starts_with(prefix))
        || STRICT_TYPES.iter().any(|class| finding.starts_with(&format!("non-{class} value in ")))
}

fn check_each_table(
    connection: &Connection,
    tables: &[Table],
    depth: CheckDepth,
    report: &mut CheckReport,
) -> Result<()> {
    for table in tables {
        let sql = [b"PRAGMA main.", depth.pragma().as_bytes(), b"(", &table.name.quoted(), b")"].concat();
        match findings(connection, &sql) {
            Ok(texts) => report.sort(texts),
            Err(error) if error.kind() != ErrorKind::Failed => return Err(error),
            Err(error) => {
                report.not_checked.push(format!("table {:?}: {}", table.name, sqlite_message(&error)));
            }
        }
    }
    Ok(())
}

/// How a finding begins that is the end of a check.
const BROKEN_OFF: &str = "the check broke off: ";

/// What a check says. Where it meets a page that it cannot read, what it has said so far counts, and that is a finding
/// too.
fn findings(connection: &Connection, sql: &[u8]) -> Result<Vec<String>> {
    /// What stands above findings about pages, which come as one text of many lines.
    const HEADING: &str = "*** in database main ***\n";
    let mut texts = Vec::new();
    let take = |text: String| match text.strip_prefix(HEADING) {
        Some(lines) => texts.extend(lines.lines().map(str::to_string)),
        None => texts.push(text),
    };
    match for_each_finding(connection, sql, take) {
        Err(error) if error.kind() == ErrorKind::Damaged && !is_of_virtual_table(&error) => {
            texts.push(format!("{BROKEN_OFF}{}", sqlite_message(&error)));
        }
        Err(error) => return Err(error),
        Ok(()) => {}
    }
    Ok(texts)
}

/// Hands every text that a check answers to `take`.
///
/// # Errors
/// What SQLite says; what was found before has been taken.
pub(super) fn for_each_finding(
    connection: &Connection,
    sql: &[u8],
    mut take: impl FnMut(String),
) -> Result<()> {
    let mut statement = Statement::prepare(connection, sql)?;
    while statement.step()? {
        take(statement.read_words(0));
    }
    Ok(())
}

fn check_foreign_keys(connection: &Connection, tables: &[Table], report: &mut CheckReport) -> Result<()> {
    for table in tables {
        let (counts, mistakes) = match count_lost_parents(connection, std::slice::from_ref(table)) {
            // It looks rows up in indexes, which may be damaged where their tables are not.
            Err(error) if error.kind() == ErrorKind::Damaged => {
                let what = format!("foreign keys of {:?}: {}", table.name, sqlite_message(&error));
                report.structural.push(what);
                continue;
            }
            counted => counted?,
        };
        report.in_the_data.extend(mistakes);
        for ((table, parent), count) in counts {
            report.in_the_data.push(format!("{count} rows of {table:?} point to no row of {parent:?}"));
        }
    }
    Ok(())
}

/// How many rows point to no row, by their table and the one they point to; and mistakes in the schema itself.
type LostParents = (BTreeMap<(String, String), u64>, Vec<String>);

/// Runs the foreign key check.
///
/// # Errors
/// What SQLite says, other than that a foreign key is a mistake.
pub(super) fn count_lost_parents(connection: &Connection, tables: &[Table]) -> Result<LostParents> {
    let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut mistakes = Vec::new();
    for table in tables {
        let sql = [b"PRAGMA main.foreign_key_check(".as_slice(), &table.name.quoted(), b")"].concat();
        let counted = Statement::prepare(connection, &sql).and_then(|mut statement| {
            while statement.step()? {
                const PARENT: u8 = 2;
                let parent = statement.read_words(PARENT);
                *counts.entry((table.name.lossy().into_owned(), parent)).or_default() += 1;
            }
            Ok(())
        });
        if let Err(error) = counted {
            if error.kind() != ErrorKind::Failed {
                return Err(error);
            }
            // A parent key that is not unique, or missing, is a mistake in the schema itself.
            mistakes.push(format!("foreign keys of {:?}: {}", table.name, sqlite_message(&error)));
        }
    }
    Ok((counts, mistakes))
}
