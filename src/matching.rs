//! Matching a table's data files with what they should hold, by decoding every byte of them.
//!
//! Export does it before a snapshot gets its name, verify any time later. What is looked at: the footer's own
//! description, the order of rows, the digest of every row group, footer statistics, and the rules between a
//! main column and its companions, which decoding enforces.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;

use crate::digest::{ContentDigest, RowHasher};
use crate::error::{Error, ErrorKind, Result};
use crate::frame::RowDecoder;
use crate::frame::order::OrderKey;
use crate::parquet_file::{TableReader, sorting_terms};
use crate::progress::{Phase, PhaseKind};
use crate::run::Run;
use crate::schema::SchemaObject;
use crate::snapshot::{DataFile, TABLE_KEY, TableEntry, TableFooter};

/// Something in a data file that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DataFinding {
    /// The table.
    pub table: String,
    /// The file's name.
    pub file: String,
    /// The row group, 0-based.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row_group: Option<usize>,
    /// The column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// What is wrong.
    pub finding: String,
}

impl std::fmt::Display for DataFinding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "table {:?}, file {}", self.table, self.file)?;
        if let Some(row_group) = self.row_group {
            write!(f, ", row group {row_group}")?;
        }
        if let Some(column) = &self.column {
            write!(f, ", column {column:?}")?;
        }
        write!(f, ": {}", self.finding)
    }
}

/// What one row group was found to hold.
struct RowGroupResult {
    findings: Vec<DataFinding>,
    /// Order keys of the first and the last row.
    ends: Option<(Vec<u8>, Vec<u8>)>,
}

/// Decodes a data file and matches it with `entry`; what is wrong is returned, not an error.
///
/// # Errors
/// I/O failures; `Interrupted`.
pub fn match_data_file(
    path: &Path,
    entry: &TableEntry,
    file: &DataFile,
    schema: &[SchemaObject],
    threads: usize,
    run: Run<'_>,
) -> Result<Vec<DataFinding>> {
    let table = entry.table.name.lossy();
    run.progress.begin(Phase {
        kind: PhaseKind::Matching,
        subject: &table,
        total_rows: Some(file.digest.row_count),
        total_bytes: None,
    });
    let job = MatchingJob { path, entry, file, schema, run };
    let findings = job.run_all(threads);
    run.progress.end();
    findings
}

struct MatchingJob<'a> {
    path: &'a Path,
    entry: &'a TableEntry,
    file: &'a DataFile,
    schema: &'a [SchemaObject],
    run: Run<'a>,
}

impl MatchingJob<'_> {
    fn run_all(&self, threads: usize) -> Result<Vec<DataFinding>> {
        let reader = match TableReader::open(self.path) {
            Ok(reader) => reader,
            Err(error) => return Ok(vec![self.finding_of(None, error)?]),
        };
        let mut findings = self.check_footer(&reader);
        let count = self.file.row_groups.len();
        if reader.row_group_count() != count {
            let finding = format!("the file has {} row groups instead of {count}", reader.row_group_count());
            findings.push(self.finding(None, None, finding));
            return Ok(findings);
        }
        let TableEntry { table, mapping, order, .. } = self.entry;
        if count > 0 && reader.sorting_columns() != sorting_terms(table, mapping, order) {
            let finding = "the footer claims another order than the table has".to_string();
            findings.push(self.finding(None, None, finding));
        }
        let key = OrderKey::new(order, table)?;
        let results = self.match_row_groups(&reader, &key, threads)?;
        let mut previous: Option<&[u8]> = None;
        for (index, result) in results.iter().enumerate() {
            if let (Some(previous), Some((first, _))) = (previous, &result.ends)
                && previous >= first.as_slice()
            {
                findings.push(self.finding(
                    Some(index),
                    None,
                    "rows are not in the order the file claims".into(),
                ));
            }
            previous = result.ends.as_ref().map(|(_, last)| last.as_slice());
            findings.extend(result.findings.iter().cloned());
        }
        Ok(findings)
    }

    fn match_row_groups(
        &self,
        reader: &TableReader,
        key: &OrderKey,
        threads: usize,
    ) -> Result<Vec<RowGroupResult>> {
        let count = reader.row_group_count();
        let next = AtomicUsize::new(0);
        let results = Mutex::new(Vec::with_capacity(count));
        let work = || -> Result<()> {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    return Ok(());
                }
                let result = self.match_row_group(reader, key, index)?;
                if let Ok(mut results) = results.lock() {
                    results.push((index, result));
                }
            }
        };
        std::thread::scope(|scope| -> Result<()> {
            let helpers: Vec<_> = (1..threads.min(count)).map(|_| scope.spawn(work)).collect();
            let own = work();
            for helper in helpers {
                helper.join().map_err(|_| Error::new(ErrorKind::Failed, "a matching thread stopped"))??;
            }
            own
        })?;
        let mut results =
            results.into_inner().map_err(|_| Error::new(ErrorKind::Failed, "a matching thread stopped"))?;
        results.sort_by_key(|(index, _)| *index);
        Ok(results.into_iter().map(|(_, result)| result).collect())
    }

    fn match_row_group(&self, reader: &TableReader, key: &OrderKey, index: usize) -> Result<RowGroupResult> {
        let mut findings = Vec::new();
        let mut ends = None;
        match self.decode_row_group(reader, key, index, &mut findings) {
            Ok((digest, found)) => {
                ends = found;
                if digest != self.file.row_groups[index].digest {
                    let named = self.damaged_columns(reader, index)?;
                    let finding = "the rows are not those that were written (content digest)";
                    findings.push(self.finding(Some(index), None, finding.into()));
                    findings.extend(named);
                }
            }
            Err(error) => {
                findings.push(self.finding_of(Some(index), error)?);
                findings.extend(self.damaged_columns(reader, index)?);
            }
        }
        Ok(RowGroupResult { findings, ends })
    }

    #[expect(clippy::type_complexity, reason = "a digest and the keys of two rows, used once")]
    fn decode_row_group(
        &self,
        reader: &TableReader,
        key: &OrderKey,
        index: usize,
        findings: &mut Vec<DataFinding>,
    ) -> Result<(ContentDigest, Option<(Vec<u8>, Vec<u8>)>)> {
        let TableEntry { table, mapping, .. } = self.entry;
        let mut hasher = RowHasher::default();
        let mut statistics = reader.check_statistics(index)?;
        let (mut first, mut last, mut current) = (None, Vec::new(), Vec::new());
        let mut in_order = true;
        let mut row_ordinal = 1;
        for batch in reader.read_row_group(index)? {
            let batch = batch?;
            self.run.interrupt.check()?;
            statistics.add_batch(&batch);
            let mut bytes = 0;
            RowDecoder::new(table, mapping, &batch)?.starting_at(row_ordinal).for_each_row(
                |rowid, cells| {
                    bytes += hasher.add_row(rowid, cells);
                    current.clear();
                    key.encode(rowid, cells, &mut current);
                    if first.is_none() {
                        first = Some(current.clone());
                    } else if last >= current {
                        in_order = false;
                    }
                    std::mem::swap(&mut last, &mut current);
                    Ok(())
                },
            )?;
            row_ordinal += batch.num_rows() as u64;
            self.run.progress.advance(batch.num_rows() as u64, bytes as u64);
        }
        if !in_order {
            findings.push(self.finding(
                Some(index),
                None,
                "rows are not in the order the file claims".into(),
            ));
        }
        for mismatch in statistics.finish() {
            let finding = format!("the footer's statistics are wrong: {}", mismatch.what);
            findings.push(self.finding(Some(index), mismatch.column, finding));
        }
        Ok((hasher.take(), first.map(|first| (first, last))))
    }

    /// Which columns of a row group have other bytes than were written.
    fn damaged_columns(&self, reader: &TableReader, index: usize) -> Result<Vec<DataFinding>> {
        let expected = &self.file.row_groups[index].chunks;
        let mut findings = Vec::new();
        for (column, (expected, parquet)) in
            expected.iter().zip(self.entry.mapping.parquet_columns()).enumerate()
        {
            let finding = match reader.chunk_hash(index, column) {
                Ok(hash) if hash == *expected => continue,
                Ok(_) => "the bytes of the column chunk are not those that were written".to_string(),
                Err(error) => {
                    findings.push(self.finding_of(Some(index), error)?);
                    continue;
                }
            };
            findings.push(self.finding(Some(index), Some(parquet.name.to_string()), finding));
        }
        Ok(findings)
    }

    fn check_footer(&self, reader: &TableReader) -> Vec<DataFinding> {
        let expected = TableFooter::of(self.entry, self.file.digest, &self.file.row_groups, self.schema);
        let found = reader.key_value(TABLE_KEY).map(serde_json::from_str::<TableFooter>);
        let finding = match found {
            Some(Ok(found)) if found == expected => return Vec::new(),
            Some(Ok(_)) => "the file describes its table otherwise than the manifest does",
            Some(Err(_)) => "the file's description of its table makes no sense",
            None => "the file does not describe its table",
        };
        vec![self.finding(None, None, finding.into())]
    }

    fn finding(&self, row_group: Option<usize>, column: Option<String>, finding: String) -> DataFinding {
        let file = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        DataFinding { table: self.entry.table.name.lossy().into_owned(), file, row_group, column, finding }
    }

    /// A damaged file is a finding; anything else stays an error.
    fn finding_of(&self, row_group: Option<usize>, error: Error) -> Result<DataFinding> {
        if !matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Mismatch) {
            return Err(error.at(self.path).in_table(&self.entry.table.name));
        }
        let mut text = error.message().to_string();
        if let Some(row) = error.place().row_ordinal {
            text = format!("{text}, row {row} of the row group");
        }
        if let Some(source) = std::error::Error::source(&error) {
            text = format!("{text}: {source}");
        }
        Ok(self.finding(row_group, error.place().column.clone(), text))
    }
}
