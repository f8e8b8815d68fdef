//! SQLite's own checks of a database, and what their findings mean for a restored one.
//!
//! A finding about rows that break a rule of their own table (CHECK, NOT NULL, UNIQUE, a STRICT type, a
//! foreign key) lies in the data, which is proven equal to the source's by its digest: it is reported as the
//! source's. Any other finding is structural: the restore itself went wrong.

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde::Serialize;

use crate::error::{ErrorKind, Result};
use crate::schema::{Cell, Table, TextEncoding};
use crate::sqlite::failure::{failure, is_of_virtual_table, sqlite_message};
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

/// More findings than a person can read say no more than these.
const MOST_FINDINGS: u32 = 10_000;

/// Runs the integrity check and the foreign key check.
///
/// # Errors
/// What SQLite says, other than that a rule needs something unknown.
pub(crate) fn check_database(
    connection: &Connection,
    tables: &[Table],
    encoding: TextEncoding,
) -> Result<CheckReport> {
    let mut report = CheckReport::default();
    let whole = format!("PRAGMA main.integrity_check({MOST_FINDINGS})");
    match findings(connection, whole.as_bytes(), encoding) {
        Ok(texts) if texts.len() >= MOST_FINDINGS as usize => {
            // Rows that break their own rules have used up the quota: look at each table without those rules.
            report.sort(texts);
            connection.execute_batch("PRAGMA ignore_check_constraints=ON").map_err(failure)?;
            check_each_table(connection, tables, encoding, &mut report)?;
            connection.execute_batch("PRAGMA ignore_check_constraints=OFF").map_err(failure)?;
        }
        Ok(texts) => report.sort(texts),
        Err(first) if is_of_virtual_table(&first) => {
            report.in_the_data.push(sqlite_message(&first));
            check_each_table(connection, tables, encoding, &mut report)?;
        }
        Err(first) if first.kind() != ErrorKind::Failed => return Err(first),
        Err(first) => {
            // A CHECK that names an unknown function stops the whole check: leave the CHECKs out.
            report.not_checked.push(format!("CHECK constraints, because {}", sqlite_message(&first)));
            connection.execute_batch("PRAGMA ignore_check_constraints=ON").map_err(failure)?;
            match findings(connection, whole.as_bytes(), encoding) {
                Ok(texts) => report.sort(texts),
                Err(error) if error.kind() != ErrorKind::Failed && !is_of_virtual_table(&error) => {
                    return Err(error);
                }
                Err(_) => check_each_table(connection, tables, encoding, &mut report)?,
            }
            connection.execute_batch("PRAGMA ignore_check_constraints=OFF").map_err(failure)?;
        }
    }
    check_foreign_keys(connection, tables, encoding, &mut report)?;
    Ok(report)
}

impl CheckReport {
    fn sort(&mut self, texts: Vec<String>) {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for text in texts.into_iter().filter(|text| text != "ok") {
            *counts.entry(text).or_default() += 1;
        }
        for (text, count) in counts {
            let found = if lies_in_the_data(&text) { &mut self.in_the_data } else { &mut self.structural };
            found.push(if count > 1 { format!("{text} ({count} times)") } else { text });
        }
    }
}

/// Source: the messages of `PRAGMA integrity_check` in the bundled SQLite (pragma.c), and of the integrity
/// methods of FTS and R-Tree, whose shadow tables are data.
fn lies_in_the_data(finding: &str) -> bool {
    const PREFIXES: [&str; 8] = [
        "CHECK constraint failed in ",
        "NULL value in ",
        "non-unique entry in index ",
        "TEXT value in ",
        "NUMERIC value in ",
        "malformed inverted index for FTS",
        "unable to validate the inverted index for FTS",
        "In RTree ",
    ];
    const STRICT_TYPES: [&str; 5] = ["INT", "INTEGER", "REAL", "TEXT", "BLOB"];
    PREFIXES.iter().any(|prefix| finding.starts_with(prefix))
        || STRICT_TYPES.iter().any(|class| finding.starts_with(&format!("non-{class} value in ")))
}

fn check_each_table(
    connection: &Connection,
    tables: &[Table],
    encoding: TextEncoding,
    report: &mut CheckReport,
) -> Result<()> {
    for table in tables {
        let sql = [b"PRAGMA main.integrity_check(".as_slice(), &table.name.quoted(), b")"].concat();
        match findings(connection, &sql, encoding) {
            Ok(texts) => report.sort(texts),
            Err(error) if error.kind() != ErrorKind::Failed => return Err(error),
            Err(error) => {
                report.not_checked.push(format!("table {:?}: {}", table.name, sqlite_message(&error)));
            }
        }
    }
    Ok(())
}

fn findings(connection: &Connection, sql: &[u8], encoding: TextEncoding) -> Result<Vec<String>> {
    let mut statement = Statement::prepare(connection, sql)?;
    let mut texts = Vec::new();
    while statement.step()? {
        texts.push(text_of_row(&mut statement, encoding)?.remove(0));
    }
    Ok(texts)
}

fn text_of_row(statement: &mut Statement<'_>, encoding: TextEncoding) -> Result<Vec<String>> {
    let mut cells = Vec::new();
    statement.read_row(0, encoding, &mut cells)?;
    Ok(cells
        .iter()
        .map(|cell| match cell {
            Cell::Null => String::new(),
            Cell::Integer(value) => value.to_string(),
            Cell::Real(value) => value.to_string(),
            Cell::Text(text) => (*text).to_string(),
            Cell::RawText(bytes) | Cell::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        })
        .collect())
}

fn check_foreign_keys(
    connection: &Connection,
    tables: &[Table],
    encoding: TextEncoding,
    report: &mut CheckReport,
) -> Result<()> {
    let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
    for table in tables {
        let sql = [b"PRAGMA main.foreign_key_check(".as_slice(), &table.name.quoted(), b")"].concat();
        let counted = Statement::prepare(connection, &sql).and_then(|mut statement| {
            while statement.step()? {
                let mut row = text_of_row(&mut statement, encoding)?;
                let parent = if row.len() > 2 { row.swap_remove(2) } else { String::new() };
                *counts.entry((table.name.lossy().into_owned(), parent)).or_default() += 1;
            }
            Ok(())
        });
        if let Err(error) = counted {
            if error.kind() != ErrorKind::Failed {
                return Err(error);
            }
            // A parent key that is not unique, or missing, is a mistake in the schema itself.
            report.in_the_data.push(format!("foreign keys of {:?}: {}", table.name, sqlite_message(&error)));
        }
    }
    for ((table, parent), count) in counts {
        report.in_the_data.push(format!("{count} rows of {table:?} point to no row of {parent:?}"));
    }
    Ok(())
}
