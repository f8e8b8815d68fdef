//! Matching a data file once more, with a second decoder that shares no code with the first.

use std::path::Path;

use arrow::array::{Array, RecordBatch};

use crate::digest::{ContentDigest, RowHasher};
use crate::error::Result;
use crate::frame::RowDecoder;
use crate::matching::finding::{DataFinding, Place};
use crate::parquet_file::{IndependentReader, TableReader};
use crate::progress::{Phase, PhaseKind};
use crate::run::Run;
use crate::snapshot::{DataFile, TableEntry};

/// Who says it.
const WHO: &str = "polars' decoder: ";

/// Decodes every row group of a data file with polars' decoder and matches its rows with the manifest's digests; what
/// is wrong is returned, not an error. One row group is in memory at a time.
///
/// # Errors
/// I/O failures; `Interrupted`.
pub fn match_independently(
    path: &Path,
    entry: &TableEntry,
    file: &DataFile,
    run: Run<'_>,
) -> Result<Vec<DataFinding>> {
    let table = entry.table.name.lossy();
    run.progress.begin(Phase {
        kind: PhaseKind::Matching,
        subject: &table,
        total_rows: Some(file.digest.row_count),
        total_bytes: None,
    });
    let findings = match_all(Place { path, entry }, file, run);
    run.progress.end();
    findings
}

fn match_all(place: Place<'_>, file: &DataFile, run: Run<'_>) -> Result<Vec<DataFinding>> {
    let reader = match IndependentReader::open(place.path) {
        Ok(reader) => reader,
        Err(error) => return Ok(vec![place.finding_of(None, WHO, error)?]),
    };
    let (found, count) = (reader.row_group_count(), file.row_groups.len());
    if found != count {
        return Ok(vec![place.finding(format!("{WHO}the file has {found} row groups instead of {count}"))]);
    }
    let mut findings = Vec::new();
    let mut whole = ContentDigest::default();
    for (index, group) in file.row_groups.iter().enumerate() {
        run.interrupt.check()?;
        let decoded =
            reader.read_row_group(index).and_then(|batch| Ok((digest_of(place, &batch, run)?, batch)));
        match decoded {
            Ok((digest, _)) if digest == group.digest => whole.add(digest),
            Ok((_, batch)) => findings.extend(name_other_columns(place, index, &batch)),
            Err(error) => findings.push(place.finding_of(Some(index), WHO, error)?),
        }
    }
    if findings.is_empty() && whole != file.digest {
        findings
            .push(place.finding(format!("{WHO}the rows are not those that were written (content digest)")));
    }
    Ok(findings)
}

fn digest_of(place: Place<'_>, batch: &RecordBatch, run: Run<'_>) -> Result<ContentDigest> {
    let mut hasher = RowHasher::default();
    let mut size_bytes = 0;
    RowDecoder::new(&place.entry.table, &place.entry.mapping, batch)?.for_each_row(|rowid, cells| {
        size_bytes += hasher.add_row(rowid, cells) as u64;
        Ok(())
    })?;
    run.progress.advance(batch.num_rows() as u64, size_bytes);
    Ok(hasher.take())
}

/// The columns in which the two decoders differ, or the row group where that cannot be told.
fn name_other_columns(place: Place<'_>, index: usize, batch: &RecordBatch) -> Vec<DataFinding> {
    let mut other = vec![false; batch.num_columns()];
    let mut row = 0;
    let compared = TableReader::open(place.path).and_then(|reader| {
        for first in reader.read_row_group(index)? {
            let first = first?;
            let length = first.num_rows().min(batch.num_rows().saturating_sub(row));
            for (other, (first, second)) in other.iter_mut().zip(first.columns().iter().zip(batch.columns()))
            {
                *other |= first.len() != length || first.as_ref() != second.slice(row, length).as_ref();
            }
            row += length;
        }
        Ok(())
    });
    let mut findings = Vec::new();
    for (column, _) in other.iter().enumerate().filter(|(_, other)| compared.is_ok() && **other) {
        let finding = format!("{WHO}the cells are not those that the first decoder reads");
        findings.push(place.finding_in(index, place.column_name(column), finding));
    }
    let finding = format!("{WHO}the rows are not those that were written (content digest)");
    findings.insert(0, place.finding_in(index, None, finding));
    findings
}
