//! Exporting one table: read, plan, order, encode.
//!
//! Optimistic: the first pass starts from a guess, made of some rows ([`crate::export::sample`]), at which storage classes
//! each column has and whether rows are in order already. Where a cell does not fit, or rows are less in order than they
//! seemed, another pass follows that knows more. Rows in no order that do not fit into memory go another way
//! ([`crate::export::partitioned`]). What is written depends on the rows alone, never on the guess or the way.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use crate::budget::{Budget, Overrun, free_bytes};
use crate::digest::{ContentDigest, RowHasher};
use crate::durable::Stage;
use crate::error::{Error, ErrorKind, Result};
use crate::export::encoders::{ENCODER_BYTES, EncodingResources, FrameQueue, encode_in_parallel};
use crate::export::sample::Sample;
use crate::frame::order::{InOrderCheck, OrderKey, Sorter, Window, with_order_columns};
use crate::frame::{
    ClassCounts, FRAME_BYTES, FRAME_ROWS, FrameBuilder, TableMapping, plan_mapping, row_size,
};
use crate::parquet_file::{
    FileFacts, TableEncoder, TableWriter, WriterSettings, WrittenRowGroups, sorting_terms,
};
use crate::progress::{Phase, PhaseKind};
use crate::run::Run;
use crate::schema::{Cell, Table, TextEncoding, TotalOrder};
use crate::sqlite::catalog::Catalog;
use crate::sqlite::open::Source;

/// Rows between two words to the progress.
pub(super) const ROWS_PER_STEP: u64 = 4_096;
/// How often a row is in memory while it is encoded, beside its copy in SQLite: as it came, and a large cell of it as
/// values, page and compressed page.
pub(super) const COPIES_OF_ROW: u64 = 4;

/// One table to be exported, and how.
pub(crate) struct TableJob<'a> {
    pub(crate) source: &'a Source,
    pub(crate) catalog: &'a Catalog,
    pub(crate) ordinal: usize,
    pub(crate) order: &'a TotalOrder,
    pub(crate) stage: &'a Stage,
    /// Where in the stage the file goes: its name, inside the snapshot's folder if there is one.
    pub(crate) staged_name: &'a Path,
    /// A private folder for rows that do not fit into memory while they are sorted.
    pub(crate) spill_folder: &'a Path,
    pub(crate) settings: WriterSettings,
    pub(crate) memory_limit_bytes: u64,
    pub(crate) threads: usize,
    /// Where other tables are written beside it: their turns to take more than the limit.
    pub(crate) overrun: Option<Arc<Overrun>>,
    pub(crate) run: Run<'a>,
}

/// What was written of a table.
pub(crate) struct WrittenTable {
    pub(crate) mapping: TableMapping,
    pub(crate) facts: FileFacts,
    pub(crate) content_bytes: u64,
    pub(crate) in_key_order: bool,
}

/// What becomes of a pass when a row is out of order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disorder {
    /// All rows are sorted.
    IsSorted,
    /// It finds its place among the last rows. One that is too late for that ends the pass.
    IsSmall,
    /// It ends the pass.
    Ends,
}

/// What one pass over the rows found and, if all went well, wrote.
struct Pass {
    counts: Vec<ClassCounts>,
    digest: ContentDigest,
    content_bytes: u64,
    in_order: bool,
    written: Option<TableWriter>,
}

/// What is known of a table once all its rows were read.
pub(crate) struct ReadTable<'a> {
    pub(crate) mapping: &'a TableMapping,
    pub(crate) digest: ContentDigest,
    pub(crate) content_bytes: u64,
    pub(crate) in_key_order: bool,
}

/// What a finished table's footer says, made when its rows and row groups are known.
pub(crate) type FooterOf<'f> =
    dyn Fn(&ReadTable<'_>, WrittenRowGroups<'_>) -> Result<Vec<(String, String)>> + 'f;

impl TableJob<'_> {
    pub(super) fn table(&self) -> &Table {
        &self.catalog.tables[self.ordinal]
    }

    /// Writes the table's file; `sample` is what [`Self::sample`] has shown.
    ///
    /// # Errors
    /// What SQLite says; I/O failures; `Interrupted`; `Mismatch` if what was encoded is not what was read.
    pub(crate) fn write(&self, sample: &Sample, footer: &FooterOf<'_>) -> Result<WrittenTable> {
        let place = |error: Error| error.in_table(&self.table().name);
        let is_large = self.is_large(sample)?;
        let mut mapping = plan_mapping(self.table(), &sample.counts);
        let mut disorder = match (sample.in_order, is_large) {
            (true, _) => Disorder::Ends,
            (false, true) if self.is_in_order_from_afar().map_err(place)? => Disorder::IsSmall,
            (false, true) => return self.write_partitioned(footer).map_err(place),
            // Reading a part of it in vain would cost more than sorting all of it.
            (false, false) => Disorder::IsSorted,
        };
        let mut read_before = None;
        let differ = || place(Error::new(ErrorKind::Mismatch, "two readings of the table differ"));
        let (pass, writer) = loop {
            let mut pass = self.pass(&mapping, disorder).map_err(place)?;
            let written = pass.written.take();
            let is_whole = pass.in_order || disorder == Disorder::IsSorted;
            if is_whole {
                let known = plan_mapping(self.table(), &pass.counts);
                let is_right = same_columns(&mapping, &known);
                mapping = known;
                if read_before.replace(pass.digest).is_some_and(|before| before != pass.digest) {
                    return Err(differ());
                }
                match written {
                    Some(writer) if is_right => break (pass, writer),
                    // All was read, and some of it had no place under a mapping that was made for it.
                    _ if is_right => return Err(differ()),
                    _ => {}
                }
            } else if disorder == Disorder::Ends {
                disorder = Disorder::IsSmall;
            } else if is_large {
                drop(written);
                self.stage.remove_file(self.staged_name)?;
                return self.write_partitioned(footer).map_err(place);
            } else {
                disorder = Disorder::IsSorted;
            }
            self.stage.remove_file(self.staged_name)?;
        };
        let in_key_order = disorder == Disorder::Ends;
        let (digest, content_bytes) = (pass.digest, pass.content_bytes);
        let read = ReadTable { mapping: &mapping, digest, content_bytes, in_key_order };
        let facts = writer.finish(|written| footer(&read, written)).map_err(place)?;
        if facts.digest != pass.digest {
            return Err(place(Error::new(ErrorKind::Mismatch, "what was encoded is not what was read")));
        }
        Ok(WrittenTable { mapping, facts, content_bytes, in_key_order })
    }

    /// Reads all rows; writes them as long as they fit `mapping` and, unless they are to be sorted, are in order.
    fn pass(&self, mapping: &TableMapping, disorder: Disorder) -> Result<Pass> {
        let table = self.table();
        let encoder = TableEncoder::new(mapping, &self.settings, sorting_terms(table, mapping, self.order))?;
        let file = self.stage.create_file(self.staged_name)?;
        let writer = TableWriter::create(file, &self.stage.path_of(self.staged_name)?, &encoder)?;
        // The window has a batch on its way in, one on its way out, and one half of which is gone.
        let windowed = self.held_back_bytes() + 3 * self.window_batch_bytes();
        let for_window = if disorder == Disorder::IsSmall { windowed } else { 0 };
        let budget = Budget::new(self.bytes_for_frames().saturating_sub(for_window))
            .with_overrun(self.overrun.clone());
        let resources = EncodingResources {
            threads: self.worker_count(),
            budget: &budget,
            interrupt: self.run.interrupt,
        };
        let (read, writer) = encode_in_parallel(table, mapping, &encoder, writer, resources, |queue| {
            self.read(mapping, disorder, &budget, queue)
        })?;
        let Read { counts, digest, content_bytes, in_order, fits } = read;
        Ok(Pass {
            counts,
            digest,
            content_bytes,
            in_order,
            written: (fits && (in_order || disorder == Disorder::IsSorted)).then_some(writer),
        })
    }

    fn read(
        &self,
        mapping: &TableMapping,
        disorder: Disorder,
        budget: &Budget,
        mut queue: FrameQueue<'_>,
    ) -> Result<Read> {
        let (sort, windowed) = (disorder == Disorder::IsSorted, disorder == Disorder::IsSmall);
        let has_keys = sort || windowed;
        let table = self.table();
        let subject = table.name.lossy();
        let kind = if sort { PhaseKind::Sorting } else { PhaseKind::Exporting };
        let total_rows = self.source.estimate_row_count(table);
        self.run.progress.begin(Phase { kind, subject: &subject, total_rows, total_bytes: None });
        let key = OrderKey::new(self.order, table)?;
        let mut reader = RowReader {
            key: (has_keys || !key.is_rowid_ascending()).then_some(key),
            key_bytes: Vec::new(),
            check: InOrderCheck::new(),
            hasher: RowHasher::default(),
            width: mapping.width(),
            builder: FrameBuilder::new(mapping, has_keys),
            window: windowed.then(|| self.window(mapping)),
            window_batch_bytes: self.window_batch_bytes(),
            hashes: Vec::new(),
            sorter: sort.then(|| self.sorter(mapping)),
            sorted_bytes: self.bytes_for_frames(),
            result: Read {
                counts: vec![ClassCounts::default(); mapping.columns.len()],
                digest: ContentDigest::default(),
                content_bytes: 0,
                in_order: true,
                fits: true,
            },
        };
        let mut step = (0, 0);
        self.source.for_each_row(self.catalog, self.ordinal, |rowid, cells| {
            refuse_half_units(self.catalog, cells)?;
            step = (step.0 + 1, step.1 + reader.take(rowid, cells, &mut queue)?);
            self.run.interrupt.check()?;
            if step.0 == ROWS_PER_STEP {
                self.run.progress.advance(step.0, step.1);
                step = (0, 0);
            }
            let is_over = matches!(disorder, Disorder::Ends | Disorder::IsSmall) && !reader.result.in_order;
            Ok(if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        self.run.progress.advance(step.0, step.1);
        let read = reader.finish(budget, &mut queue);
        self.run.progress.end();
        read
    }

    fn window(&self, mapping: &TableMapping) -> Window<'_> {
        let schema = with_order_columns(&mapping.arrow_schema());
        Window::new(&schema, self.held_back_bytes(), self.window_batch_bytes(), self.run.interrupt)
    }

    /// Bytes of rows that are held back for late ones to find their place.
    fn held_back_bytes(&self) -> u64 {
        const MOST: u64 = 32 * 1024 * 1024;
        (self.bytes_for_frames() / 4).min(MOST)
    }

    /// The size of the batches in which rows get there.
    fn window_batch_bytes(&self) -> u64 {
        (self.held_back_bytes() / 2).min(FRAME_BYTES)
    }

    fn sorter(&self, mapping: &TableMapping) -> Sorter<'_> {
        let schema = with_order_columns(&mapping.arrow_schema());
        let folder = self.spill_folder.to_path_buf();
        Sorter::new(schema, self.bytes_for_frames() / 2, Some(folder), self.run.interrupt)
    }

    /// Bytes that frames may take, wherever they are.
    pub(super) fn bytes_for_frames(&self) -> u64 {
        free_bytes(self.memory_limit_bytes).saturating_sub(self.worker_count() as u64 * ENCODER_BYTES)
    }

    /// Threads that encode: as many as asked for, and as few as the memory limit wants.
    pub(super) fn worker_count(&self) -> usize {
        let fitting = free_bytes(self.memory_limit_bytes) / 4 / ENCODER_BYTES;
        usize::try_from(fitting).unwrap_or(usize::MAX).clamp(1, self.threads.max(1))
    }
}

/// What one reading of all rows found.
struct Read {
    counts: Vec<ClassCounts>,
    digest: ContentDigest,
    content_bytes: u64,
    in_order: bool,
    /// Whether every cell had a place under the mapping.
    fits: bool,
}

/// Takes rows as they come: counts, hashes, checks their order, and builds frames of them.
struct RowReader<'a> {
    /// `None` where rows come in the order of rowids, which is the order asked for.
    key: Option<OrderKey>,
    key_bytes: Vec<u8>,
    check: InOrderCheck,
    hasher: RowHasher,
    /// How many Parquet columns there are.
    width: usize,
    builder: FrameBuilder,
    /// Where late rows find their place.
    window: Option<Window<'a>>,
    /// The size of the batches that the window is given.
    window_batch_bytes: u64,
    /// The hashes of the rows in the builder, for the window.
    hashes: Vec<u128>,
    sorter: Option<Sorter<'a>>,
    /// What sorted rows and their encoding may take together.
    sorted_bytes: u64,
    result: Read,
}

impl RowReader<'_> {
    /// Takes one row; returns the size of its canonical encoding in bytes.
    fn take(&mut self, rowid: Option<i64>, cells: &[Cell<'_>], queue: &mut FrameQueue<'_>) -> Result<u64> {
        count(&mut self.result.counts, cells);
        let size_bytes = self.hasher.add_row(rowid, cells) as u64;
        self.result.content_bytes += size_bytes;
        if let Some(key) = &self.key {
            self.key_bytes.clear();
            key.encode(rowid, cells, &mut self.key_bytes);
            if self.window.is_none() {
                self.result.in_order = self.check.push(&self.key_bytes);
            }
        }
        if !self.result.fits || (!self.result.in_order && self.sorter.is_none()) {
            return Ok(size_bytes);
        }
        let row_bytes = row_size(cells, self.width);
        if self.window.is_some() {
            if row_bytes > self.sorted_bytes / 8 {
                // Sorting is made for rows that are large against the memory.
                self.result.in_order = false;
                return Ok(size_bytes);
            }
            if row_bytes > FRAME_BYTES {
                // It is held back as well.
                queue.wait_for_room(row_bytes.saturating_mul(COPIES_OF_ROW + 1))?;
            }
            self.result.fits = self.builder.push_row_with_key(rowid, cells, &self.key_bytes);
            self.hashes.push(self.hasher.last_hash());
            if self.builder.size_bytes() >= self.window_batch_bytes
                || self.builder.row_count() as u64 >= FRAME_ROWS
            {
                self.fill_window(queue)?;
            }
            return Ok(size_bytes);
        }
        if let Some(sorter) = &mut self.sorter {
            if row_bytes > FRAME_BYTES {
                // When it is encoded, the rows that are still to come share the memory with it.
                sorter.lower_limit(self.sorted_bytes.saturating_sub(row_bytes.saturating_mul(COPIES_OF_ROW)));
            }
            self.result.fits = self.builder.push_row_with_key(rowid, cells, &self.key_bytes);
            if self.builder.size_bytes() >= FRAME_BYTES {
                sorter.push(self.builder.finish()?)?;
            }
            return Ok(size_bytes);
        }
        if row_bytes > FRAME_BYTES {
            queue.wait_for_room(row_bytes.saturating_mul(COPIES_OF_ROW))?;
        }
        self.result.fits = self.builder.push_row(rowid, cells);
        let (rows, bytes) = (self.builder.row_count() as u64, self.builder.size_bytes());
        if queue.frame_ends(rows, bytes) {
            let digest = self.hasher.take();
            self.result.digest.add(digest);
            queue.send(&self.builder.finish()?, bytes, Some(digest))?;
        }
        Ok(size_bytes)
    }

    /// Hands the rows in the builder to the window, and what comes out of it to the encoders.
    fn fill_window(&mut self, queue: &mut FrameQueue<'_>) -> Result<()> {
        let Some(window) = self.window.as_mut().filter(|_| self.result.fits) else { return Ok(()) };
        if self.builder.row_count() > 0 {
            let hashes = std::mem::take(&mut self.hashes);
            self.result.in_order = window.push(self.builder.finish()?, hashes)?;
        }
        while self.result.in_order
            && let Some(frame) = window.next_frame(|rows, bytes| queue.frame_ends(rows, bytes))?
        {
            queue.send(&frame.batch, frame.bytes, Some(frame.digest))?;
        }
        Ok(())
    }

    fn finish(mut self, budget: &Budget, queue: &mut FrameQueue<'_>) -> Result<Read> {
        let digest = self.hasher.take();
        self.result.digest.add(digest);
        if !self.result.fits {
            return Ok(self.result);
        }
        if let Some(window) = &mut self.window {
            window.end();
            if self.result.in_order {
                self.fill_window(queue)?;
                queue.finish()?;
            }
            return Ok(self.result);
        }
        let bytes = self.builder.size_bytes();
        let rest = if self.builder.row_count() > 0 { Some(self.builder.finish()?) } else { None };
        let Some(mut sorter) = self.sorter else {
            if let Some(batch) = rest.filter(|_| self.result.in_order) {
                queue.send(&batch, bytes, Some(digest))?;
            }
            queue.finish()?;
            return Ok(self.result);
        };
        if let Some(batch) = rest {
            sorter.push(batch)?;
        }
        let mut rows = sorter.finish()?;
        budget.set_limit(self.sorted_bytes.saturating_sub(rows.memory_bytes()));
        let mut taken = (0, 0);
        while let Some(batch) = rows.next_batch(|rows, bytes| {
            taken = (rows, bytes);
            queue.frame_ends(rows, bytes)
        })? {
            queue.send(&batch, taken.1, None)?;
            drop(batch);
            // A large row is let go before the next is read.
            queue.wait_for_room(0)?;
        }
        queue.finish()?;
        Ok(self.result)
    }
}

/// Refuses a row that a restore could not store.
///
/// # Errors
/// `Failed` for a text that ends in the middle of a UTF-16 unit.
pub(super) fn refuse_half_units(catalog: &Catalog, cells: &[Cell<'_>]) -> Result<()> {
    if catalog.header.encoding == TextEncoding::Utf8 || !cells.iter().any(is_half_a_unit_long) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Failed,
        "a TEXT has an odd number of bytes in a UTF-16 database: SQLite can read it but not store it again",
    )
    .hint("update that value, or leave its table out with --exclude"))
}

/// Whether it is a text that ends in the middle of a UTF-16 unit. Only a damaged or hand-made file has one.
fn is_half_a_unit_long(cell: &Cell<'_>) -> bool {
    matches!(cell, Cell::RawText(bytes) if bytes.len() % 2 == 1)
}

pub(super) fn count(counts: &mut [ClassCounts], cells: &[Cell<'_>]) {
    counts.iter_mut().zip(cells).for_each(|(counts, cell)| counts.count(cell.class()));
}

/// Whether two mappings make the same Parquet columns.
fn same_columns(a: &TableMapping, b: &TableMapping) -> bool {
    a.parquet_columns().eq(b.parquet_columns())
}
