//! Rows of one table on their way from a reading thread to the comparison, in the order of their keys.
//!
//! A row travels as its canonical encoding, so that two rows are equal when their bytes are. Where rows do not lie in the order of
//! their keys, they are sorted on the way, within the memory limit.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use arrow::array::{Array as _, ArrayRef, AsArray as _, BinaryViewBuilder, RecordBatch, UInt64Builder};
use arrow::datatypes::{DataType, Field, Schema};

use crate::content::Content;
use crate::digest::{RowHasher, read_encoded_row};
use crate::error::{Error, ErrorKind, Result};
use crate::frame::order::{OrderKey, Sorter, with_order_columns};
use crate::run::Run;

/// How large a packet of rows becomes, in bytes, unless a single row is larger.
const PACKET_BYTES: usize = 1 << 20;
/// Packets between the threads: with those being made and being read, at most three of each side are in memory.
const PACKETS_IN_FLIGHT: usize = 1;
/// How large frames for the sorter are, in bytes.
const FRAME_BYTES: usize = 4 << 20;

/// Some rows, one behind the other.
#[derive(Debug, Default)]
struct Packet {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Packet {
    fn push(&mut self, row: &[u8]) {
        self.bytes.extend_from_slice(row);
        self.ends.push(self.bytes.len());
    }

    fn row(&self, index: usize) -> Option<&[u8]> {
        let begin = if index == 0 { 0 } else { self.ends[index - 1] };
        self.bytes.get(begin..*self.ends.get(index)?)
    }
}

/// What is to be read of one side.
pub(super) struct Reading<'r> {
    /// The table's place in the subject.
    pub(super) ordinal: usize,
    /// The order to bring its rows into.
    pub(super) key: OrderKey,
    /// How much memory sorting may take, in bytes.
    pub(super) memory_limit_bytes: u64,
    /// A private folder for what does not fit into it.
    pub(super) spill_folder: PathBuf,
    /// The surroundings.
    pub(super) run: Run<'r>,
}

/// Prepares both ends: what a reading thread sends into, and what the comparison takes rows out of.
pub(super) fn row_channel(key: OrderKey, has_rowid: bool) -> (PacketSender, PackedRows) {
    let (sender, receiver) = sync_channel(PACKETS_IN_FLIGHT);
    let rows = PackedRows {
        receiver,
        packet: Packet::default(),
        next: 0,
        key,
        has_rowid,
        current_key: Vec::new(),
        previous_key: Vec::new(),
        is_at_end: false,
    };
    (PacketSender(sender), rows)
}

/// Where a reading thread sends rows.
pub(super) struct PacketSender(SyncSender<Result<Packet>>);

impl PacketSender {
    /// Reads the table and sends its rows in order, and an error if there is one, until nobody listens any more.
    pub(super) fn send_all(self, content: &Content, reading: &Reading<'_>) {
        let sent = if reading.key.is_rowid_ascending() && content.is_in_rowid_order(reading.ordinal) {
            self.send_as_they_lie(content, reading)
        } else {
            self.send_sorted(content, reading)
        };
        if let Err(error) = sent {
            // Where nobody listens any more, another error has already ended the comparison.
            let _ = self.0.send(Err(error));
        }
    }

    fn send_as_they_lie(&self, content: &Content, reading: &Reading<'_>) -> Result<()> {
        let mut hasher = RowHasher::default();
        let mut packet = Packet::default();
        content.for_each_row(reading.ordinal, reading.run, |rowid, cells| {
            hasher.add_row(rowid, cells);
            packet.push(hasher.last_row());
            if packet.bytes.len() >= PACKET_BYTES { self.send(std::mem::take(&mut packet)) } else { Ok(()) }
        })?;
        self.send(packet)
    }

    fn send_sorted(&self, content: &Content, reading: &Reading<'_>) -> Result<()> {
        let data = Schema::new(vec![Field::new("row", DataType::BinaryView, false)]);
        let schema = with_order_columns(&data);
        let Reading { ordinal, key, memory_limit_bytes, spill_folder, run } = reading;
        let mut sorter =
            Sorter::new(Arc::clone(&schema), *memory_limit_bytes, Some(spill_folder.clone()), run.interrupt);
        let mut frame = Frame::new(schema);
        let (mut hasher, mut key_bytes) = (RowHasher::default(), Vec::new());
        content.for_each_row(*ordinal, *run, |rowid, cells| {
            key_bytes.clear();
            key.encode(rowid, cells, &mut key_bytes);
            hasher.add_row(rowid, cells);
            frame.push(hasher.last_row(), &key_bytes)?;
            if frame.bytes >= FRAME_BYTES { sorter.push(frame.finish()?) } else { Ok(()) }
        })?;
        sorter.push(frame.finish()?)?;
        let mut rows = sorter.finish()?;
        while let Some(batch) = rows.next_row_group(|_, bytes| bytes >= PACKET_BYTES as u64)? {
            let column = batch.column(0).as_binary_view_opt();
            let column =
                column.ok_or_else(|| Error::new(ErrorKind::Failed, "sorted rows are not what was sorted"))?;
            let mut packet = Packet::default();
            (0..column.len()).for_each(|index| packet.push(column.value(index)));
            self.send(packet)?;
        }
        Ok(())
    }

    fn send(&self, packet: Packet) -> Result<()> {
        let gone = |_| Error::new(ErrorKind::Failed, "the comparison ended before its rows");
        self.0.send(Ok(packet)).map_err(gone)
    }
}

/// A batch for the sorter: encoded rows, their keys and sizes.
struct Frame {
    schema: Arc<Schema>,
    rows: BinaryViewBuilder,
    keys: BinaryViewBuilder,
    sizes: UInt64Builder,
    bytes: usize,
}

impl Frame {
    fn new(schema: Arc<Schema>) -> Self {
        let (rows, keys) = (BinaryViewBuilder::new(), BinaryViewBuilder::new());
        Self { schema, rows, keys, sizes: UInt64Builder::new(), bytes: 0 }
    }

    fn push(&mut self, row: &[u8], key: &[u8]) -> Result<()> {
        if u32::try_from(row.len().max(key.len())).is_err() {
            return Err(Error::new(ErrorKind::Failed, "a row of more than 4 GiB cannot be sorted"));
        }
        self.rows.append_value(row);
        self.keys.append_value(key);
        self.sizes.append_value(row.len() as u64);
        self.bytes += row.len() + key.len();
        Ok(())
    }

    fn finish(&mut self) -> Result<RecordBatch> {
        self.bytes = 0;
        let columns: Vec<ArrayRef> =
            vec![Arc::new(self.rows.finish()), Arc::new(self.keys.finish()), Arc::new(self.sizes.finish())];
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .map_err(|error| Error::new(ErrorKind::Failed, "rows cannot be sorted").because(error))
    }
}

/// Rows of one side in the order of their keys; one is current.
pub(super) struct PackedRows {
    receiver: Receiver<Result<Packet>>,
    packet: Packet,
    /// The row after the current one.
    next: usize,
    key: OrderKey,
    has_rowid: bool,
    current_key: Vec<u8>,
    previous_key: Vec<u8>,
    is_at_end: bool,
}

impl PackedRows {
    /// Goes to the next row, at first to the first one; false where there is none.
    ///
    /// # Errors
    /// Those of the reading thread; `Damaged` where rows are not in the order of their keys.
    pub(super) fn advance(&mut self) -> Result<bool> {
        while self.packet.row(self.next).is_none() {
            let Ok(packet) = self.receiver.recv() else {
                // The thread is done.
                self.is_at_end = true;
                return Ok(false);
            };
            (self.packet, self.next) = (packet?, 0);
        }
        std::mem::swap(&mut self.previous_key, &mut self.current_key);
        self.current_key.clear();
        let row = self.packet.row(self.next).unwrap_or_default();
        // A rowid stands at the beginning, and the key is made of nothing else.
        let only_rowid = self.key.is_rowid_ascending() && self.has_rowid;
        let decoded =
            read_encoded_row(if only_rowid { row.get(..8).unwrap_or_default() } else { row }, self.has_rowid);
        let (rowid, cells) = decoded.ok_or_else(unreadable)?;
        self.key.encode(rowid, &cells, &mut self.current_key);
        if self.previous_key >= self.current_key && !self.previous_key.is_empty() {
            return Err(Error::new(
                ErrorKind::Damaged,
                "two rows have the same key, or rows are not in its order",
            )
            .hint("`parklite verify` tells more"));
        }
        self.next += 1;
        Ok(true)
    }

    /// The current row's canonical encoding and its key; `None` after the last one.
    pub(super) fn current(&self) -> Option<(&[u8], &[u8])> {
        if self.is_at_end {
            return None;
        }
        Some((self.packet.row(self.next.checked_sub(1)?)?, &self.current_key))
    }
}

/// What cannot be: the row was written in this process.
pub(super) fn unreadable() -> Error {
    Error::new(ErrorKind::Failed, "a row that was just encoded cannot be read back")
}
