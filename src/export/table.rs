//! Exporting one table: read, plan, order, encode.
//!
//! Optimistic: the first pass starts from a guess, made of some rows ([`crate::export::sample`]), at which storage classes
//! each column has and whether rows are in order already. Where a cell does not fit, or rows are less in order than they
//! seemed, another pass follows that knows more. Rows in no order that do not fit into memory go another way
//! ([`crate::export::partitioned`]). What is written depends on the rows alone, never on the guess or the way.

use std::path::Path;
use std::sync::Arc;

use crate::budget::{Budget, Overrun, free_bytes};
use crate::digest::ContentDigest;
use crate::durable::Stage;
use crate::error::{Error, ErrorKind, Result};
use crate::export::abreast::Abreast;
use crate::export::encoders::{ENCODER_BYTES, EncodingResources, encode_in_parallel};
use crate::export::further_readers::FurtherReaders;
use crate::export::read::Read;
use crate::export::sample::Sample;
use crate::frame::{ClassCounts, TableMapping, plan_mapping};
use crate::parquet_file::{
    FileFacts, TableEncoder, TableWriter, WriterSettings, WrittenRowGroups, sorting_terms,
};
use crate::run::Run;
use crate::schema::{Table, TotalOrder};
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
    pub(super) readers: &'a FurtherReaders,
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
pub(super) enum Disorder {
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
            let by_several = (disorder == Disorder::Ends).then_some(sample);
            let mut pass = self.pass(&mapping, disorder, by_several).map_err(place)?;
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
    ///
    /// `by_several`: where several readers may do so, what [`Self::sample`] has shown.
    fn pass(&self, mapping: &TableMapping, disorder: Disorder, by_several: Option<&Sample>) -> Result<Pass> {
        let table = self.table();
        let encoder = TableEncoder::new(mapping, &self.settings, sorting_terms(table, mapping, self.order))?;
        let file = self.stage.create_file(self.staged_name)?;
        let writer = TableWriter::create(file, &self.stage.path_of(self.staged_name)?, &encoder)?;
        // After the file: of what this process may open, that comes first.
        let abreast = match by_several {
            Some(sample) => self.abreast(sample)?,
            None => None,
        };
        // The window has a batch on its way in, one on its way out, and one half of which is gone.
        let windowed = self.held_back_bytes() + 3 * self.window_batch_bytes();
        let for_window = if disorder == Disorder::IsSmall { windowed } else { 0 };
        let for_readers = abreast.as_ref().map_or(0, Abreast::memory_bytes);
        let budget = Budget::new(self.bytes_for_frames().saturating_sub(for_window + for_readers))
            .with_overrun(self.overrun.clone());
        let resources = EncodingResources {
            threads: self.worker_count(),
            budget: &budget,
            interrupt: self.run.interrupt,
        };
        let (read, writer) =
            encode_in_parallel(table, mapping, &encoder, writer, resources, |queue| match abreast {
                Some(abreast) => self.read_abreast(abreast, mapping, queue),
                None => self.read_alone(mapping, disorder, &budget, queue).map(Some),
            })?;
        let Some(read) = read else {
            drop(writer);
            self.stage.remove_file(self.staged_name)?;
            return self.pass(mapping, disorder, None);
        };
        let Read { counts, digest, content_bytes, in_order, fits } = read;
        Ok(Pass {
            counts,
            digest,
            content_bytes,
            in_order,
            written: (fits && (in_order || disorder == Disorder::IsSorted)).then_some(writer),
        })
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

/// Whether two mappings make the same Parquet columns.
fn same_columns(a: &TableMapping, b: &TableMapping) -> bool {
    a.parquet_columns().eq(b.parquet_columns())
}
