//! Rows of a snapshot's tables, decoded again.
//!
//! A row group is only decoded where its column chunks have the bytes that were written, so that accidental damage
//! never reaches a decoder.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::RecordBatch;

use crate::budget::{Budget, free_bytes};
use crate::digest::ContentDigest;
use crate::error::{Error, ErrorKind, Result};
use crate::frame::RowDecoder;
use crate::matching::{CHANGED_CHUNK, MatchingResources};
use crate::parquet_file::TableReader;
use crate::rebuild::VERIFY_HINT;
use crate::run::{Run, start_thread};
use crate::schema::Cell;
use crate::snapshot::{DataFile, Snapshot, TableEntry};

/// Hands every row of a table to `take`, as rows lie in its files.
///
/// # Errors
/// `Damaged` where rows cannot be decoded; what `take` says.
pub(super) fn read_entry(
    snapshot: &Snapshot,
    entry: &TableEntry,
    mut take: impl FnMut(Option<i64>, &[Cell<'_>]) -> Result<()>,
) -> Result<()> {
    let mut read = || {
        for row in &entry.inline_rows {
            row.read(&mut take)?;
        }
        for file in open_files(snapshot, entry)? {
            for index in 0..file.reader.row_group_count() {
                for batch in file.read_row_group(index)? {
                    RowDecoder::new(&entry.table, &entry.mapping, &batch?)?.for_each_row(&mut take)?;
                }
            }
        }
        Ok(())
    };
    read().map_err(|error| in_snapshot(error, snapshot, entry))
}

/// The digest of a table's decoded rows, on as many threads as there are row groups for.
///
/// # Errors
/// `Damaged` where rows cannot be decoded, or are not those the manifest names; `Interrupted`.
pub(super) fn digest_entry(
    snapshot: &Snapshot,
    entry: &TableEntry,
    resources: MatchingResources,
    run: Run<'_>,
) -> Result<ContentDigest> {
    let digest = sum_entry(snapshot, entry, resources, run).and_then(|digest| {
        if digest == entry.digest {
            return Ok(digest);
        }
        Err(Error::new(ErrorKind::Damaged, "the rows are not those the manifest names"))
    });
    digest.map_err(|error| in_snapshot(error, snapshot, entry))
}

fn sum_entry(
    snapshot: &Snapshot,
    entry: &TableEntry,
    resources: MatchingResources,
    run: Run<'_>,
) -> Result<ContentDigest> {
    let budget = Budget::new(free_bytes(resources.memory_limit_bytes));
    let files = open_files(snapshot, entry)?;
    let groups: Vec<(&OpenFile<'_>, usize)> = files
        .iter()
        .flat_map(|file| (0..file.reader.row_group_count()).map(move |index| (file, index)))
        .collect();
    let next = AtomicUsize::new(0);
    let total = Mutex::new(entry.inline_digest()?);
    let work = || -> Result<()> {
        while let Some((file, index)) = groups.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut digest = ContentDigest::default();
            let _charge = budget.reserve(file.reader.decoding_bytes(*index));
            for batch in file.read_row_group(*index)? {
                run.interrupt.check()?;
                digest.add(digest_batch(entry, &batch?, run)?);
            }
            if let Ok(mut total) = total.lock() {
                total.add(digest);
            }
        }
        Ok(())
    };
    let stopped = || Error::new(ErrorKind::Failed, "a decoding thread stopped");
    std::thread::scope(|scope| -> Result<()> {
        // Where the system has no thread left, fewer of them do the same work.
        let start = |_| start_thread(scope, work).ok();
        let helpers: Vec<_> = (1..resources.threads.min(groups.len())).map_while(start).collect();
        let own = work();
        for helper in helpers {
            helper.join().map_err(|_| stopped())??;
        }
        own
    })?;
    total.into_inner().map_err(|_| stopped())
}

fn digest_batch(entry: &TableEntry, batch: &RecordBatch, run: Run<'_>) -> Result<ContentDigest> {
    let digest = crate::frame::digest_batch(&entry.table, &entry.mapping, batch)?;
    run.progress.advance(digest.row_count, 0);
    Ok(digest)
}

/// A data file with what the manifest says of it.
struct OpenFile<'s> {
    file: &'s DataFile,
    reader: TableReader,
    entry: &'s TableEntry,
}

fn open_files<'s>(snapshot: &Snapshot, entry: &'s TableEntry) -> Result<Vec<OpenFile<'s>>> {
    let open = |file: &'s DataFile| {
        let path = snapshot.readable_path(file)?;
        let reader = TableReader::open(&path)?;
        if reader.row_group_count() != file.row_groups.len() {
            let message = "a file has more or fewer row groups than the manifest says";
            return Err(Error::new(ErrorKind::Damaged, message).at(&path));
        }
        Ok(OpenFile { file, reader, entry })
    };
    entry.files.iter().map(open).collect()
}

impl OpenFile<'_> {
    fn read_row_group(&self, index: usize) -> Result<impl Iterator<Item = Result<RecordBatch>>> {
        for (column, expected) in self.file.row_groups[index].chunks.iter().enumerate() {
            if self.reader.chunk_hash(index, column)? != *expected {
                let error = Error::new(ErrorKind::Damaged, CHANGED_CHUNK);
                let name = self.entry.mapping.parquet_columns().nth(column);
                return Err(name.into_iter().fold(error, |error, column| error.in_column(column.name)));
            }
        }
        self.reader.read_row_group(index)
    }
}

fn in_snapshot(error: Error, snapshot: &Snapshot, entry: &TableEntry) -> Error {
    let error = match error.kind() {
        ErrorKind::Damaged => error.hint(VERIFY_HINT),
        // Within one snapshot that is damage: a mismatch is one between two.
        ErrorKind::Mismatch => Error::new(ErrorKind::Damaged, "rows break the rules of their column mapping")
            .because(error)
            .hint(VERIFY_HINT),
        _ => error,
    };
    error.at(snapshot.path()).in_table(&entry.table.name)
}
