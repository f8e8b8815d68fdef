//! Exporting a table whose rows are in another order than asked for and do not fit into memory.
//!
//! Several readers of one commit deal its rows out to ranges of keys, in whatever order they come; then range after range
//! is sorted and encoded. The table is read once: which Parquet columns there are is decided when all rows are known.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::budget::Budget;
use crate::digest::{ContentDigest, RowHasher, read_encoded_cells};
use crate::error::{Error, ErrorKind, Result};
use crate::export::encoders::{EncodingResources, FrameQueue, encode_in_parallel};
use crate::export::ranges::{EndsCheck, RangeEnds, Ranges, scan_range};
use crate::export::read::{count, refuse_half_units};
use crate::export::sample::start_of_key;
use crate::export::sort_beside::{SortedRanges, sort_beside};
use crate::export::table::{COPIES_OF_ROW, FooterOf, ROWS_PER_STEP, ReadTable, TableJob, WrittenTable};
use crate::export::turns::Turns;
use crate::frame::order::{OrderKey, PartitionedRows, Partitions, Splitters, parts_for};
use crate::frame::{ClassCounts, FRAME_BYTES, FrameBuilder, TableMapping, plan_mapping, row_size};
use crate::parquet_file::{TableEncoder, TableWriter, sorting_terms};
use crate::progress::{Phase, PhaseKind};
use crate::run::{Run, start_thread};
use crate::schema::Cell;
use crate::sqlite::catalog::Catalog;
use crate::sqlite::open::Source;
use crate::sqlite::rowids::Glance;

/// Places of a table from which rows are taken to see how its keys are spread.
const SAMPLE_PLACES: usize = 256;
/// Rows taken from each.
const ROWS_PER_PLACE: usize = 8;
/// Sampled rows of so many bytes are enough, be they fewer.
const SAMPLE_BYTES: u64 = 128 * 1024 * 1024;
/// What a reader takes beside the rows it has dealt out, in bytes: SQLite's cache, a piece of the file, its row.
const READER_BYTES: u64 = 4 * 1024 * 1024;
/// Readers for each thread, where there is more than one: a reader waits for the disk about half of its time.
const READERS_PER_THREAD: usize = 2;
/// Ranges of rowids for each reader: so many that none of them waits long for the last.
const RANGES_PER_READER: usize = 16;
/// The share of the memory for frames that a range of keys may take while it is sorted.
const SORTING_SHARE: u64 = 4;

/// What all readers have read.
#[derive(Default)]
struct Dealt {
    counts: Vec<ClassCounts>,
    digest: ContentDigest,
    content_bytes: u64,
}

impl TableJob<'_> {
    /// Reads, sorts and writes the table.
    ///
    /// # Errors
    /// As [`TableJob::write`].
    pub(super) fn write_partitioned(&self, footer: &FooterOf<'_>) -> Result<WrittenTable> {
        let table = self.table();
        let key = OrderKey::new(self.order, table)?;
        // Two ranges are held: one that is sorted, and one that is handed over.
        let memory_bytes = self.bytes_for_frames() / SORTING_SHARE / 2;
        let splitters = self.splitters(&key, memory_bytes)?;
        let subject = table.name.lossy();
        let total_rows = self.source.estimate_row_count(table);
        let kind = PhaseKind::Sorting;
        self.run.progress.begin(Phase { kind, subject: &subject, total_rows, total_bytes: None });
        let (dealt, readers) = self.deal_out(&key, &Arc::new(splitters))?;
        let rows = PartitionedRows::new(readers, memory_bytes, self.run.interrupt);
        self.run.progress.end();
        let mapping = plan_mapping(table, &dealt.counts);
        let encoder =
            TableEncoder::new(&mapping, &self.settings, sorting_terms(table, &mapping, self.order))?;
        let file = self.stage.create_file(self.staged_name)?;
        let writer = TableWriter::create(file, &self.stage.path_of(self.staged_name)?, &encoder)?;
        let budget = Budget::new(self.bytes_for_frames().saturating_sub(2 * memory_bytes));
        let resources = EncodingResources {
            threads: self.worker_count(),
            budget: &budget,
            interrupt: self.run.interrupt,
        };
        let total_rows = Some(dealt.digest.row_count);
        let kind = PhaseKind::Exporting;
        self.run.progress.begin(Phase { kind, subject: &subject, total_rows, total_bytes: None });
        let ((), writer) = encode_in_parallel(table, &mapping, &encoder, writer, resources, |queue| {
            sort_beside(rows, memory_bytes, |ranges| self.hand_over(ranges, &mapping, queue))
        })?;
        self.run.progress.end();
        let Dealt { digest, content_bytes, .. } = dealt;
        let read = ReadTable { mapping: &mapping, digest, content_bytes, in_key_order: false };
        let facts = writer.finish(|written| footer(&read, written))?;
        if facts.digest != digest {
            return Err(Error::new(ErrorKind::Mismatch, "what was encoded is not what was read"));
        }
        Ok(WrittenTable { mapping, facts, content_bytes, in_key_order: false })
    }

    /// Where ranges of keys end, seen from rows all over the table.
    fn splitters(&self, key: &OrderKey, memory_bytes: u64) -> Result<Splitters> {
        let (mut keys, mut key_bytes) = (Vec::new(), Vec::new());
        let glance = Glance { places: SAMPLE_PLACES, rows: ROWS_PER_PLACE, bytes: SAMPLE_BYTES };
        self.glance(glance, |_, rowid, cells| {
            key_bytes.clear();
            key.encode(rowid, cells, &mut key_bytes);
            // Where ranges end need not be exact.
            keys.push(start_of_key(&key_bytes));
            ControlFlow::Continue(())
        })?;
        // Keys and what sorting takes come on top of the rows themselves: half as much again is rarely too little.
        let bytes = self.source.size_bytes()?;
        Ok(Splitters::of_sample(keys, parts_for(bytes + bytes / 2, memory_bytes)))
    }

    /// Reads the whole table with as many readers as there may be.
    fn deal_out(&self, key: &OrderKey, splitters: &Arc<Splitters>) -> Result<(Dealt, Vec<Partitions>)> {
        let table = self.table();
        let bounds = self.source.rowid_bounds(table)?;
        let fitting = usize::try_from(self.bytes_for_frames() / 2 / READER_BYTES).unwrap_or(usize::MAX);
        let wanted = match self.threads {
            threads @ 2.. if bounds.is_some() => (threads * READERS_PER_THREAD).min(fitting).max(1),
            _ => 1,
        };
        // All but the first reader; where one cannot see the same commit, the others do its work.
        let (tables, interrupt) = (&self.catalog.tables, self.run.interrupt);
        let others = self.readers.open(self.source, tables, wanted - 1, interrupt);
        let count = others.len() + 1;
        let ranges = if count > 1 { self.ranges(count * RANGES_PER_READER)? } else { Ranges::whole() };
        let for_readers = count as u64 * READER_BYTES;
        let share = self.bytes_for_frames().saturating_sub(for_readers) / 4 / count as u64;
        let memory_bytes = share * 3;
        // SQLite's copy of it and its encoding fit beside that, and into what is kept for the reader.
        let turns = Turns::new(share / 2 + READER_BYTES / 8);
        let new_reader = || Reader {
            catalog: self.catalog,
            ordinal: self.ordinal,
            run: self.run,
            key,
            ranges: &ranges,
            turns: &turns,
            dealt: Dealt {
                counts: vec![ClassCounts::default(); table.stored_columns().count()],
                ..Dealt::default()
            },
            hasher: RowHasher::keeping_rows(),
            key_bytes: Vec::new(),
            partitions: Partitions::new(Arc::clone(splitters), self.spill_folder, memory_bytes),
            ends: Vec::new(),
        };
        let (next, failed) = (&AtomicUsize::new(0), &AtomicBool::new(false));
        let done = std::thread::scope(|scope| -> Result<Vec<Reader<'_>>> {
            let mut threads = Vec::with_capacity(others.len());
            for other in others {
                let reader = new_reader();
                // Where the system has no thread left, the others do its work.
                threads.extend(start_thread(scope, move || reader.run(&other.source, next, failed)).ok());
            }
            let mut done = vec![new_reader().run(self.source, next, failed)];
            for thread in threads {
                let stopped = |_| Err(Error::new(ErrorKind::Failed, "a reading thread stopped"));
                done.push(thread.join().unwrap_or_else(stopped));
            }
            done.into_iter().collect()
        })?;
        check_ends(&ranges, done.iter().flat_map(|reader| &reader.ends))?;
        let mut sum = Dealt {
            counts: vec![ClassCounts::default(); table.stored_columns().count()],
            ..Dealt::default()
        };
        let mut partitions = Vec::with_capacity(done.len());
        for Reader { dealt, partitions: own, .. } in done {
            sum.counts.iter_mut().zip(&dealt.counts).for_each(|(sum, counts)| sum.add(counts));
            sum.digest.add(dealt.digest);
            sum.content_bytes += dealt.content_bytes;
            partitions.push(own);
        }
        Ok((sum, partitions))
    }

    /// Builds frames of the rows in order.
    fn hand_over(
        &self,
        ranges: &mut SortedRanges<'_>,
        mapping: &TableMapping,
        mut queue: FrameQueue<'_>,
    ) -> Result<()> {
        let has_rowid = self.table().has_rowid();
        let mut builder = FrameBuilder::new(mapping, false);
        let mut hasher = RowHasher::default();
        let mut step = (0, 0);
        while let Some(range) = ranges.next(&queue)? {
            let mut cells: Vec<Cell<'_>> = Vec::new();
            for row in range.rows() {
                if row.len() as u64 > FRAME_BYTES {
                    queue.wait_for_room((row.len() as u64).saturating_mul(COPIES_OF_ROW))?;
                }
                let rowid = read_encoded_cells(row, has_rowid, &mut cells);
                if !rowid.is_some_and(|rowid| builder.push_row(rowid, &cells)) {
                    return Err(Error::new(ErrorKind::Mismatch, "a sorted row is not one that was read"));
                }
                hasher.add_encoded(row);
                let (rows, bytes) = (builder.row_count() as u64, builder.size_bytes());
                if queue.frame_ends(rows, bytes) {
                    queue.send(&builder.finish()?, bytes, Some(hasher.take()))?;
                }
                step = (step.0 + 1, step.1 + row.len() as u64);
                if step.0 == ROWS_PER_STEP {
                    self.run.interrupt.check()?;
                    self.run.progress.advance(step.0, step.1);
                    step = (0, 0);
                }
            }
            drop(cells);
            ranges.give_back(range);
        }
        self.run.progress.advance(step.0, step.1);
        if builder.row_count() > 0 {
            let bytes = builder.size_bytes();
            queue.send(&builder.finish()?, bytes, Some(hasher.take()))?;
        }
        queue.finish()
    }
}

/// Makes sure that the ranges together are one scan.
fn check_ends<'r>(ranges: &Ranges, ends: impl Iterator<Item = &'r (usize, RangeEnds)>) -> Result<()> {
    let mut by_range: Vec<Option<RangeEnds>> = vec![None; ranges.count()];
    for &(range, found) in ends {
        by_range[range] = Some(found);
    }
    let mut check = EndsCheck::default();
    for found in by_range {
        let found = found.ok_or_else(|| Error::new(ErrorKind::Failed, "a part of the table was not read"))?;
        check.next(found)?;
    }
    check.finish()
}

/// Tells other readers to stop where one ends before it is done, by an error or in a panic.
struct StopsOthers<'a> {
    failed: &'a AtomicBool,
    is_done: bool,
}

impl Drop for StopsOthers<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            self.failed.store(true, Ordering::Relaxed);
        }
    }
}

/// One reader and what it has dealt out.
struct Reader<'a> {
    catalog: &'a Catalog,
    ordinal: usize,
    run: Run<'a>,
    key: &'a OrderKey,
    ranges: &'a Ranges,
    turns: &'a Turns,
    dealt: Dealt,
    hasher: RowHasher,
    key_bytes: Vec<u8>,
    partitions: Partitions,
    ends: Vec<(usize, RangeEnds)>,
}

impl Reader<'_> {
    /// Reads until all is read, and stops the others where it cannot.
    fn run(mut self, source: &Source, next: &AtomicUsize, failed: &AtomicBool) -> Result<Self> {
        let mut stops_others = StopsOthers { failed, is_done: false };
        self.read(source, next, failed)?;
        self.partitions.settle()?;
        stops_others.is_done = true;
        Ok(self)
    }

    /// Reads ranges of rowids that nobody else has taken until none is left.
    fn read(&mut self, source: &Source, next: &AtomicUsize, failed: &AtomicBool) -> Result<()> {
        while !failed.load(Ordering::Relaxed) {
            let range = next.fetch_add(1, Ordering::Relaxed);
            let Some(ends) = self.read_range(source, range, failed)? else { return Ok(()) };
            self.ends.push((range, ends));
        }
        // Another reader's error counts.
        Ok(())
    }

    /// Reads a range; `None` where there is no such range.
    fn read_range(
        &mut self,
        source: &Source,
        range: usize,
        failed: &AtomicBool,
    ) -> Result<Option<RangeEnds>> {
        let (catalog, run) = (self.catalog, self.run);
        let mut step = (0, 0);
        let mut turn = self.turns.of_range();
        let ends = scan_range(source, (catalog, self.ordinal), self.ranges, range, |rowid, cells| {
            refuse_half_units(catalog, cells)?;
            count(&mut self.dealt.counts, cells);
            let is_large = turn.take(row_size(cells, 0));
            let size_bytes = self.hasher.add_row(rowid, cells) as u64;
            self.dealt.content_bytes += size_bytes;
            self.key_bytes.clear();
            self.key.encode(rowid, cells, &mut self.key_bytes);
            self.partitions.push(&self.key_bytes, self.hasher.last_row())?;
            if is_large {
                self.hasher.forget_row();
                self.key_bytes = Vec::new();
            }
            step = (step.0 + 1, step.1 + size_bytes);
            run.interrupt.check()?;
            if step.0 == ROWS_PER_STEP {
                run.progress.advance(step.0, step.1);
                step = (0, 0);
                if failed.load(Ordering::Relaxed) {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        run.progress.advance(step.0, step.1);
        self.dealt.digest.add(self.hasher.take());
        Ok(ends)
    }
}
