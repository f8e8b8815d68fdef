//! Many sorted runs as one sequence of rows, in bounded memory and with a bounded number of open files.

use std::cmp::{Ordering, Reverse};
use std::collections::binary_heap::PeekMut;
use std::collections::{BinaryHeap, VecDeque};

use arrow::datatypes::SchemaRef;

use super::gather::{KeyedBatch, Place, RowsInOrder, equal_keys};
use super::spill::{Run, RunReader, SpillFolder};
use crate::error::{Error, ErrorKind, Result};
use crate::run::Interrupt;

/// Runs read at once: well under the 256 open files that some systems allow by default.
const MAX_OPEN_RUNS: usize = 128;

/// Merges `runs` into longer ones until what is left can be read at once within `memory_limit_bytes`.
///
/// Each pass merges the shortest-lived runs first, and only as many as needed.
///
/// # Errors
/// Those of reading and writing runs.
pub(super) fn merge_runs(
    runs: Vec<Run>,
    folder: &mut SpillFolder,
    schema: &SchemaRef,
    memory_limit_bytes: u64,
    interrupt: &Interrupt,
) -> Result<MergedRows> {
    let mut waiting = VecDeque::from(runs);
    loop {
        let open = count_open_at_once(&waiting, memory_limit_bytes);
        if open == waiting.len() {
            return MergedRows::new(waiting);
        }
        let merged = open.min(waiting.len() - open + 1).max(2);
        let mut rows = MergedRows::new(waiting.drain(..merged))?;
        waiting.push_back(folder.write_run(&mut rows, schema, interrupt)?);
    }
}

/// How many runs, from the front, can be read at once: two at least, whatever the limit.
///
/// A run counts twice its largest batch: the one being read, and one that a row group still refers to.
fn count_open_at_once(runs: &VecDeque<Run>, memory_limit_bytes: u64) -> usize {
    let mut needed_bytes = 0_u64;
    let fitting = runs
        .iter()
        .take(MAX_OPEN_RUNS)
        .take_while(|run| {
            needed_bytes = needed_bytes.saturating_add(held_by(run));
            needed_bytes <= memory_limit_bytes
        })
        .count();
    fitting.max(2).min(runs.len())
}

/// What reading a run takes at most, in bytes.
fn held_by(run: &Run) -> u64 {
    run.largest_batch_bytes().saturating_mul(2)
}

/// The rows of several runs in order.
///
/// A source whose batch has been handed out whole reads its next one only when the next row is asked for: where rows are
/// large, what becomes of one must not have to share the memory with the next.
pub(super) struct MergedRows {
    sources: Vec<Source>,
    /// The next row of every source that has one, the first in order on top.
    heads: BinaryHeap<Reverse<Head>>,
    /// The source whose next batch is still to be read.
    drained: Option<usize>,
    /// Every batch that a place handed out since the last `forget_places` refers to.
    batches: Vec<KeyedBatch>,
    previous_key: Option<Vec<u8>>,
    largest_bytes: u64,
}

struct Source {
    reader: RunReader,
    /// The batch being read, unless all of it has been handed out.
    current: Option<KeyedBatch>,
    row: usize,
    /// Where the current batch stands in `batches`, once it does.
    batch_index: Option<usize>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Head {
    key: Vec<u8>,
    source: usize,
}

impl MergedRows {
    fn new(runs: impl IntoIterator<Item = Run>) -> Result<Self> {
        let mut merged = Self {
            sources: Vec::new(),
            heads: BinaryHeap::new(),
            drained: None,
            batches: Vec::new(),
            previous_key: None,
            largest_bytes: 0,
        };
        for run in runs {
            merged.largest_bytes = merged.largest_bytes.saturating_add(held_by(&run));
            let reader = RunReader::open(run)?;
            merged.sources.push(Source { reader, current: None, row: 0, batch_index: None });
            merged.read_next_batch(merged.sources.len() - 1)?;
        }
        Ok(merged)
    }

    /// What it holds at most, in bytes: of every run, the batch being read and one that rows handed out refer to.
    pub(super) fn largest_bytes(&self) -> u64 {
        self.largest_bytes
    }

    /// Reads the next batch of a source, if there is one.
    fn read_next_batch(&mut self, index: usize) -> Result<()> {
        let source = &mut self.sources[index];
        while let Some(batch) = source.reader.next_batch()? {
            if batch.rows() > 0 {
                self.heads.push(Reverse(Head { key: batch.key(0).to_vec(), source: index }));
                source.current = Some(batch);
                source.row = 0;
                return Ok(());
            }
        }
        Ok(())
    }
}

impl RowsInOrder for MergedRows {
    fn next_place(&mut self) -> Result<Option<Place>> {
        if let Some(drained) = self.drained.take() {
            self.read_next_batch(drained)?;
        }
        let Some(mut top) = self.heads.peek_mut() else {
            return Ok(None);
        };
        let head = &mut top.0;
        check_rising(&mut self.previous_key, &head.key)?;
        let source = &mut self.sources[head.source];
        let Some(current) = &source.current else {
            return Err(Error::new(ErrorKind::Failed, "a run has a next row and no batch"));
        };
        let batches = &mut self.batches;
        let batch_index = *source.batch_index.get_or_insert_with(|| {
            batches.push(current.clone());
            batches.len() - 1
        });
        let place = (batch_index, source.row);
        source.row += 1;
        if source.row < current.rows() {
            head.key.clear();
            head.key.extend_from_slice(current.key(source.row));
        } else {
            source.current = None;
            source.batch_index = None;
            self.drained = Some(head.source);
            PeekMut::pop(top);
        }
        Ok(Some(place))
    }

    fn batches(&self) -> &[KeyedBatch] {
        &self.batches
    }

    fn forget_places(&mut self) {
        self.batches.clear();
        for source in &mut self.sources {
            source.batch_index = None;
        }
    }
}

/// Remembers `key`, which must come after the previous one.
fn check_rising(previous: &mut Option<Vec<u8>>, key: &[u8]) -> Result<()> {
    let Some(previous) = previous else {
        *previous = Some(key.to_vec());
        return Ok(());
    };
    match previous.as_slice().cmp(key) {
        Ordering::Less => {}
        Ordering::Equal => return Err(equal_keys()),
        Ordering::Greater => return Err(Error::new(ErrorKind::Failed, "a sorted run is out of order")),
    }
    previous.clear();
    previous.extend_from_slice(key);
    Ok(())
}
