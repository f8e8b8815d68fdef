//! The independent judge: are two SQLite files the same database?
//!
//! It knows nothing of parklite. It puts the same SQL to both files and compares the answers, cell by cell, with
//! storage class and exact bytes; REAL values by their bits, TEXT by the bytes that the database stores.
//! Compared are the header values, `sqlite_schema` in its order, every table that has storage (shadow tables,
//! `sqlite_sequence` and statistics among them) with its rowids, generated columns, the order and completeness of
//! every index, the answers of virtual tables and views, and what the integrity and foreign-key checks find.
//! Not compared: physical pages, the schema cookie and change counters.
//!
//! Both files are copied first, so the judge never changes what it judges and folds in a leftover WAL or journal
//! as SQLite would. What cannot be asked because of an unknown function, collation or module must fail on both
//! sides with the same message.

mod cell;
mod checks;
mod findings;
mod header;
mod hidden_rowids;
mod indexes;
mod rows;
mod schema;
mod side;
mod sql_text;
#[cfg(test)]
mod tests;
mod virtual_tables;

use std::path::Path;

use findings::Findings;
use side::Pair;

/// Asserts that `restored` is the same database as `original`.
///
/// # Panics
/// With one line per difference, which names table, rowid, column and both values.
pub(crate) fn same_database(original: &Path, restored: &Path) {
    report(original, restored, &differences(original, restored));
}

/// Asserts that `table` has the same definitions, rows and indexes in both files; what else they hold is not
/// looked at. For exports and restores of chosen tables.
///
/// # Panics
/// Like [`same_database`].
pub(crate) fn same_table(original: &Path, restored: &Path, table: &str) {
    let pair = Pair::open(original, restored);
    let mut findings = Findings::default();
    schema::compare_objects_of(&pair, table, &mut findings);
    rows::compare(&pair, table, &mut findings);
    indexes::compare(&pair, table, &mut findings);
    report(original, restored, &findings.into_lines());
}

/// What [`same_database`] would panic with, one line per difference; empty for equal databases.
pub(crate) fn differences(original: &Path, restored: &Path) -> Vec<String> {
    let pair = Pair::open(original, restored);
    let mut findings = Findings::default();
    header::compare(&pair, &mut findings);
    schema::compare(&pair, &mut findings);
    for table in schema::tables_with_storage(&pair) {
        rows::compare(&pair, &table, &mut findings);
        indexes::compare(&pair, &table, &mut findings);
    }
    virtual_tables::compare(&pair, &mut findings);
    checks::compare(&pair, &mut findings);
    findings.into_lines()
}

fn report(original: &Path, restored: &Path, lines: &[String]) {
    assert!(
        lines.is_empty(),
        "{} is not the same database as {}:\n  {}",
        restored.display(),
        original.display(),
        lines.join("\n  ")
    );
}
