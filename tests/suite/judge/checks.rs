use std::collections::BTreeMap;

use rusqlite::Connection;
use rusqlite::types::Value;

use super::findings::Findings;
use super::schema;
use super::side::{Pair, Side, query, quoted};

/// More findings than any test database has, so that none is cut off.
const MOST_FINDINGS: usize = 1_000_000;

/// The restored database may have no finding that the original does not have as often.
pub(super) fn compare(pair: &Pair, findings: &mut Findings) {
    let (original, restored) = pair.ask(Side::checker);
    let whole = |connection: &Connection| integrity(connection, &MOST_FINDINGS.to_string());
    match (whole(&original), whole(&restored)) {
        (Ok(a), Ok(b)) => expect_subset("integrity_check", a, &b, findings),
        // An unknown function or collation ends the whole check: ask table by table.
        _ => compare_tables(pair, &original, &restored, findings),
    }
    let mut tables = schema::tables_with_storage(pair);
    tables.retain(|table| !table.starts_with("sqlite_"));
    for table in tables {
        let sql = format!("PRAGMA foreign_key_check({})", quoted(&table));
        compare_findings(
            &format!("foreign_key_check of {table:?}"),
            foreign_keys(&original, &sql),
            foreign_keys(&restored, &sql),
            findings,
        );
    }
}

fn compare_tables(pair: &Pair, original: &Connection, restored: &Connection, findings: &mut Findings) {
    for table in schema::tables_with_storage(pair) {
        let name = quoted(&table);
        let place = format!("integrity_check of {table:?}");
        compare_findings(&place, integrity(original, &name), integrity(restored, &name), findings);
    }
}

/// A check that cannot run on the original need not run on the restored database.
fn compare_findings(
    place: &str,
    original: Result<Vec<String>, String>,
    restored: Result<Vec<String>, String>,
    findings: &mut Findings,
) {
    match (original, restored) {
        (Ok(a), Ok(b)) => expect_subset(place, a, &b, findings),
        (Ok(_), Err(message)) => {
            findings.add(place, &format!("cannot run on the restored database: {message}"));
        }
        (Err(_), _) => {}
    }
}

fn expect_subset(place: &str, original: Vec<String>, restored: &[String], findings: &mut Findings) {
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for finding in original {
        *known.entry(finding).or_default() += 1;
    }
    for finding in restored {
        match known.get_mut(finding) {
            Some(left) if *left > 0 => *left -= 1,
            _ => findings.add(place, &format!("only in the restored database: {finding}")),
        }
    }
}

fn integrity(connection: &Connection, argument: &str) -> Result<Vec<String>, String> {
    let lines =
        query(connection, &format!("PRAGMA integrity_check({argument})"), [], |row| row.get::<_, String>(0))?;
    Ok(lines.into_iter().filter(|line| line != "ok").collect())
}

fn foreign_keys(connection: &Connection, sql: &str) -> Result<Vec<String>, String> {
    query(connection, sql, [], |row| {
        let cells = (0..4).map(|column| row.get::<_, Value>(column));
        Ok(format!("{:?}", cells.collect::<rusqlite::Result<Vec<_>>>()?))
    })
}
