//! What SQLite's integrity check says of a source before it is read.
//!
//! It runs on the connection that reads, in the same transaction, so that its answer is about what is exported. But a
//! read-only connection knows no CHECK constraints: those are evaluated on a second one, which in WAL mode may see a
//! later commit. Nothing is cut off silently: findings are counted, and the first of them kept.

use rusqlite::{Connection, ffi};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::progress::{Phase, PhaseKind};
use crate::run::Run;
use crate::schema::{SchemaObject, Table};
use crate::sqlite::catalog::{Catalog, read_catalog};
use crate::sqlite::check::{BROKEN_CHECK, count_lost_parents, for_each_finding, lies_in_the_data};
use crate::sqlite::connect::open_to_check;
use crate::sqlite::failure::{extended_code, sqlite_message};
use crate::sqlite::open::Source;
use crate::sqlite::schema_check::mentions_check;
use crate::sqlite::watch::{Extent, Watch, bound_expressions};

/// How many findings are kept.
const KEPT_FINDINGS: usize = 100;
/// How many lines of findings SQLite gives of one table that is checked alone, and no more.
const MOST_OF_ONE_TABLE: u64 = 100;

/// What SQLite's own checks said of a source before it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceCheck {
    /// The answer.
    pub result: SourceCheckResult,
    /// How many findings of the integrity check there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub findings: u64,
    /// How many of them say that rows break rules of their own table (CHECK, NOT NULL, UNIQUE, STRICT types): what such rows
    /// hold is known, and kept.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub broken_rules: u64,
    /// The first hundred of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub first_findings: Vec<String>,
    /// What could not be checked, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_checked: Vec<String>,
    /// Rows whose foreign key leads to no row. That is no damage.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub foreign_key_violations: u64,
}

/// The answer of a check.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceCheckResult {
    /// Nobody asked.
    #[default]
    NotAsked,
    /// The integrity check found nothing.
    Ok,
    /// It found something.
    Findings,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes the field by reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Source {
    /// Runs SQLite's integrity check and foreign key check, before anything else is read.
    ///
    /// # Errors
    /// What SQLite says, other than findings; `Interrupted`.
    pub fn check_before_reading(&self, run: Run<'_>) -> Result<SourceCheck> {
        run.progress.begin(Phase {
            kind: PhaseKind::Checking,
            subject: "",
            total_rows: None,
            total_bytes: None,
        });
        let checked = read_catalog(&self.connection).and_then(|catalog| {
            let mut found = check(&self.connection, &catalog)?;
            found.evaluate_rules(self, &catalog, run)?;
            found.conclude();
            Ok(found)
        });
        run.progress.end();
        checked.map_err(|error| error.at(self.path()))
    }
}

fn check(connection: &Connection, catalog: &Catalog) -> Result<SourceCheck> {
    let mut check = SourceCheck::default();
    // The number is a limit, and this is the largest there is.
    let whole = format!("PRAGMA main.integrity_check({})", i32::MAX);
    let outcome = check.collect(connection, whole.as_bytes());
    if let Some(reason) = check.take_failure(outcome)? {
        check.not_checked.push(format!("what lies outside of tables, because {reason}"));
        for table in &catalog.tables {
            let sql = [b"PRAGMA main.integrity_check(".as_slice(), &table.name.quoted(), b")"].concat();
            let before = check.findings;
            let outcome = check.collect(connection, &sql);
            if let Some(reason) = check.take_failure(outcome)? {
                check.not_checked.push(format!("table {:?}, because {reason}", table.name));
            } else if check.findings - before >= MOST_OF_ONE_TABLE {
                check.not_checked.push(format!("the rest of table {:?}", table.name));
            }
        }
    }
    match count_lost_parents(connection, &catalog.tables) {
        Ok((lost, mistakes)) => {
            check.foreign_key_violations = lost.values().sum();
            check.not_checked.extend(mistakes);
        }
        // It looks rows up in indexes, which may be damaged where their tables are not.
        Err(error) if error.kind() == ErrorKind::Damaged => {
            check.add(&format!("the foreign key check ended early: {}", sqlite_message(&error)));
        }
        Err(error) => return Err(error),
    }
    Ok(check)
}

impl SourceCheck {
    fn conclude(&mut self) {
        self.result = if self.findings == 0 { SourceCheckResult::Ok } else { SourceCheckResult::Findings };
    }

    /// Whether something was found of the file itself, not only rows that break rules of their own tables.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.findings > self.broken_rules
    }

    /// Evaluates the CHECK constraints of the tables that have some.
    fn evaluate_rules(&mut self, source: &Source, catalog: &Catalog, run: Run<'_>) -> Result<()> {
        let has_checks = |table: &&Table| {
            let is_its = |object: &SchemaObject| object.name.as_bytes() == table.name.as_bytes();
            let mut objects = catalog.objects.iter().filter(|object| is_its(object));
            objects.any(|object| mentions_check(object, catalog.header.encoding))
        };
        let tables: Vec<&Table> = catalog.tables.iter().filter(has_checks).collect();
        if tables.is_empty() {
            return Ok(());
        }
        let (file, sharing) = source.file_to_check();
        let mut connection = open_to_check(file, sharing, run.interrupt)?;
        // The schema may be anybody's.
        let watch = Watch::over(&mut connection, run.interrupt)?;
        let extent = Extent::of_file(source.size_bytes()?);
        bound_expressions(&connection, &extent, &catalog.objects)?;
        watch.within(extent.time(1), "the rules of the tables", || self.evaluate_each(&connection, &tables))
    }

    fn evaluate_each(&mut self, connection: &Connection, tables: &[&Table]) -> Result<()> {
        for table in tables {
            let sql = [b"PRAGMA main.integrity_check(".as_slice(), &table.name.quoted(), b")"].concat();
            let mut lines = 0;
            let outcome = for_each_finding(connection, &sql, |text| {
                lines += 1;
                if text.starts_with(BROKEN_CHECK) {
                    self.add(&text);
                }
            });
            match outcome {
                Ok(()) if lines >= MOST_OF_ONE_TABLE => {
                    self.not_checked
                        .push(format!("the rest of the CHECK constraints of table {:?}", table.name));
                }
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
                Err(error) => {
                    let reason = sqlite_message(&error);
                    self.not_checked
                        .push(format!("CHECK constraints of table {:?}, because {reason}", table.name));
                }
            }
        }
        Ok(())
    }

    fn collect(&mut self, connection: &Connection, sql: &[u8]) -> Result<()> {
        for_each_finding(connection, sql, |text| {
            // What is found in the pages comes as one text of many lines, under a heading.
            let lines = text.lines().filter(|line| *line != "ok" && !line.starts_with("*** in database "));
            lines.for_each(|line| self.add(line));
        })
    }

    fn add(&mut self, finding: &str) {
        self.findings += 1;
        self.broken_rules += u64::from(lies_in_the_data(finding));
        if self.first_findings.len() < KEPT_FINDINGS {
            self.first_findings.push(finding.to_string());
        }
    }

    /// Damage that ends the check is a finding; a rule that needs something unknown is the reason why it ended.
    fn take_failure(&mut self, outcome: Result<()>) -> Result<Option<String>> {
        match outcome {
            Ok(()) => Ok(None),
            Err(error) if error.kind() == ErrorKind::Damaged => {
                self.add(&format!("the check ended early: {}", sqlite_message(&error)));
                Ok(None)
            }
            Err(error) if is_about_the_sql(&error) => Ok(Some(sqlite_message(&error))),
            Err(error) => Err(error),
        }
    }
}

fn is_about_the_sql(error: &Error) -> bool {
    extended_code(error).is_some_and(|code| code & 0xff == ffi::SQLITE_ERROR)
}
