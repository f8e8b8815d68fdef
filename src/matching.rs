//! Matching a table's data files with what they should hold, by decoding every byte of them.
//!
//! Export does it before a snapshot gets its name, verify any time later. What is looked at: the footer's own
//! description, the hash of every column chunk, the order of rows, the digest of every row group, the statistics of
//! footer and page index, the counts of storage classes, and the rules between a main column and its companions, which
//! decoding enforces. A row group is only decoded where its column chunks have the bytes that were written, so that
//! accidental damage never reaches a decoder. `damage` names what is wrong with the bytes, `independent` asks
//! a second decoder.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::digest::{ContentDigest, RowHasher};
use crate::error::{Error, ErrorKind, Result};
use crate::frame::order::OrderKey;
use crate::frame::{ClassCounts, RowDecoder};
use crate::parquet_file::{TableReader, sorting_terms};
use crate::progress::{Phase, PhaseKind};
use crate::run::Run;
use crate::schema::SchemaObject;
use crate::snapshot::{DataFile, TABLE_KEY, TableEntry, TableFooter};

mod damage;
mod finding;
mod independent;

pub(crate) use damage::CHANGED_CHUNK;
pub use damage::name_damage;
use finding::Place;
pub use finding::{DataFinding, unreadable};
pub use independent::match_independently;

/// What one row group was found to hold.
struct RowGroupResult {
    findings: Vec<DataFinding>,
    /// `None` where it was not decoded.
    rows: Option<DecodedRows>,
}

/// What the rows of one row group are.
struct DecodedRows {
    digest: ContentDigest,
    content_bytes: u64,
    /// The storage classes of each stored column's cells.
    counts: Vec<ClassCounts>,
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
    let job = MatchingJob { place: Place { path, entry }, file, schema, run };
    let findings = job.run_all(threads);
    run.progress.end();
    findings
}

struct MatchingJob<'a> {
    place: Place<'a>,
    file: &'a DataFile,
    schema: &'a [SchemaObject],
    run: Run<'a>,
}

const OUT_OF_ORDER: &str = "rows are not in the order the file claims";

impl MatchingJob<'_> {
    fn run_all(&self, threads: usize) -> Result<Vec<DataFinding>> {
        let Place { path, entry } = self.place;
        let reader = match TableReader::open(path) {
            Ok(reader) => reader,
            Err(error) => return Ok(vec![self.place.finding_of(None, "", error)?]),
        };
        let mut findings = self.check_footer(&reader);
        let count = self.file.row_groups.len();
        if reader.row_group_count() != count {
            let finding = format!("the file has {} row groups instead of {count}", reader.row_group_count());
            findings.push(self.place.finding(finding));
            return Ok(findings);
        }
        let TableEntry { table, mapping, order, .. } = entry;
        if count > 0 && reader.sorting_columns() != sorting_terms(table, mapping, order) {
            findings.push(self.place.finding("the footer claims another order than the table has"));
        }
        let key = OrderKey::new(order, table)?;
        let results = self.match_row_groups(&reader, &key, threads)?;
        let mut previous: Option<&[u8]> = None;
        for (index, result) in results.iter().enumerate() {
            let ends = result.rows.as_ref().and_then(|rows| rows.ends.as_ref());
            if let (Some(previous), Some((first, _))) = (previous, ends)
                && previous >= first.as_slice()
            {
                findings.push(self.place.finding_in(index, None, OUT_OF_ORDER));
            }
            previous = ends.map(|(_, last)| last.as_slice());
            findings.extend(result.findings.iter().cloned());
        }
        findings.extend(self.check_counts(&results));
        Ok(findings)
    }

    /// Matches what the manifest counts with the rows, where all of them were decoded.
    fn check_counts(&self, results: &[RowGroupResult]) -> Vec<DataFinding> {
        let entry = self.place.entry;
        let is_whole_table = entry.files.len() == 1 && entry.inline_rows.is_empty();
        let Some(rows) = results.iter().map(|result| result.rows.as_ref()).collect::<Option<Vec<_>>>() else {
            return Vec::new();
        };
        if !is_whole_table {
            return Vec::new();
        }
        let mut findings = Vec::new();
        let content_bytes: u64 = rows.iter().map(|rows| rows.content_bytes).sum();
        if content_bytes != entry.content_bytes {
            let stated = entry.content_bytes;
            let finding = format!("the rows have {content_bytes} bytes, but the manifest says {stated}");
            findings.push(self.place.finding(finding));
        }
        for (position, column) in entry.mapping.columns.iter().enumerate() {
            let mut counts = ClassCounts::default();
            rows.iter().filter_map(|rows| rows.counts.get(position)).for_each(|found| counts.add(found));
            if counts != column.counts {
                let finding = "the manifest counts other storage classes than the column has";
                let finding = self.place.finding(finding);
                findings.push(DataFinding { column: Some(column.name.clone()), ..finding });
            }
        }
        findings
    }

    fn match_row_groups(
        &self,
        reader: &TableReader,
        key: &OrderKey,
        threads: usize,
    ) -> Result<Vec<RowGroupResult>> {
        let count = reader.row_group_count();
        // Rows that large are decoded one at a time, however many threads there are.
        let threads = if reader.has_giant_cells() { 1 } else { threads };
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
        let mut findings = self.damaged_columns(reader, index)?;
        if !findings.is_empty() {
            return Ok(RowGroupResult { findings, rows: None });
        }
        let rows = match self.decode_row_group(reader, key, index, &mut findings) {
            Ok(rows) => Some(rows),
            Err(error) => {
                findings.push(self.place.finding_of(Some(index), "", error)?);
                None
            }
        };
        if rows.as_ref().is_some_and(|rows| rows.digest != self.file.row_groups[index].digest) {
            let finding = "the rows are not those that were written (content digest)";
            findings.push(self.place.finding_in(index, None, finding));
        }
        Ok(RowGroupResult { findings, rows })
    }

    fn decode_row_group(
        &self,
        reader: &TableReader,
        key: &OrderKey,
        index: usize,
        findings: &mut Vec<DataFinding>,
    ) -> Result<DecodedRows> {
        let TableEntry { table, mapping, .. } = self.place.entry;
        let mut hasher = RowHasher::default();
        let mut counts = vec![ClassCounts::default(); mapping.columns.len()];
        let mut statistics = reader.check_statistics(index)?;
        let (mut first, mut last, mut current) = (None, Vec::new(), Vec::new());
        let mut in_order = true;
        let mut row_ordinal = 1;
        let mut content_bytes = 0;
        for batch in reader.read_row_group(index)? {
            let batch = batch?;
            self.run.interrupt.check()?;
            statistics.add_batch(&batch);
            let mut bytes = 0;
            RowDecoder::new(table, mapping, &batch)?.starting_at(row_ordinal).for_each_row(
                |rowid, cells| {
                    bytes += hasher.add_row(rowid, cells);
                    counts.iter_mut().zip(cells).for_each(|(counts, cell)| counts.count(cell.class()));
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
            content_bytes += bytes as u64;
            self.run.progress.advance(batch.num_rows() as u64, bytes as u64);
        }
        if !in_order {
            findings.push(self.place.finding_in(index, None, OUT_OF_ORDER));
        }
        for mismatch in statistics.finish() {
            let finding = format!("the file's statistics are wrong: {}", mismatch.what);
            findings.push(self.place.finding_in(index, mismatch.column, finding));
        }
        let ends = first.map(|first| (first, last));
        Ok(DecodedRows { digest: hasher.take(), content_bytes, counts, ends })
    }

    /// Which columns of a row group have other bytes, where the footer says that they are, than were written.
    fn damaged_columns(&self, reader: &TableReader, index: usize) -> Result<Vec<DataFinding>> {
        let mut findings = Vec::new();
        for (column, expected) in self.file.row_groups[index].chunks.iter().enumerate() {
            findings.extend(match reader.chunk_hash(index, column) {
                Ok(hash) if hash == *expected => None,
                Ok(_) => {
                    let name = self.place.column_name(column);
                    Some(self.place.finding_in(index, name, CHANGED_CHUNK))
                }
                Err(error) => Some(self.place.finding_of(Some(index), "", error)?),
            });
        }
        Ok(findings)
    }

    fn check_footer(&self, reader: &TableReader) -> Vec<DataFinding> {
        let Place { entry, .. } = self.place;
        let expected = TableFooter::of(entry, self.file.digest, &self.file.row_groups, self.schema);
        let found = reader.key_value(TABLE_KEY).map(serde_json::from_str::<TableFooter>);
        let finding = match found {
            Some(Ok(found)) if found == expected => return Vec::new(),
            Some(Ok(_)) => "the file describes its table otherwise than the manifest does",
            Some(Err(_)) => "the file's description of its table makes no sense",
            None => "the file does not describe its table",
        };
        vec![self.place.finding(finding)]
    }
}
