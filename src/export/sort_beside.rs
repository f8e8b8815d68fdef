//! Reading and sorting the next range of keys while the one before is handed over.
//!
//! Two ranges are in memory at most. One with a large row must not be read while another large row is being encoded.

use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};

use crate::error::Result;
use crate::export::encoders::FrameQueue;
use crate::export::table::COPIES_OF_ROW;
use crate::frame::order::{PartitionedRows, SortedRange};
use crate::run::start_thread;

/// What comes from the thread that reads and sorts ranges.
enum Sorted {
    Range(SortedRange),
    /// The next range has a row of so many bytes, for which it wants room.
    Wanted(u64),
}

/// Ranges as they come from the thread that reads and sorts them.
pub(super) struct SortedRanges<'c> {
    sorted: &'c Receiver<Result<Sorted>>,
    spare: &'c Sender<SortedRange>,
    granted: Sender<()>,
    /// What a range takes at most, unless it has a large row.
    memory_bytes: u64,
}

impl SortedRanges<'_> {
    /// The next range; `queue` is where its rows go, and makes room for a large one.
    ///
    /// # Errors
    /// Those of reading it back; `Failed` once an encoder has failed.
    pub(super) fn next(&mut self, queue: &FrameQueue<'_>) -> Result<Option<SortedRange>> {
        loop {
            // Without a sender, all ranges have come.
            match self.sorted.recv().ok().transpose()? {
                Some(Sorted::Wanted(bytes)) => {
                    queue.wait_for_room(bytes.saturating_mul(COPIES_OF_ROW))?;
                    // Where nobody waits for it any more, no range comes.
                    let _ = self.granted.send(());
                }
                Some(Sorted::Range(range)) => return Ok(Some(range)),
                None => return Ok(None),
            }
        }
    }

    /// Gives a range back that has been dealt with.
    pub(super) fn give_back(&self, range: SortedRange) {
        // Where nobody wants it any more, there are no more ranges.
        let _ = self.spare.send(range.into_spare(self.memory_bytes));
    }
}

/// Runs `take` beside a thread that sorts the next range meanwhile. A range with a large row is read when all that is
/// encoded has made room for it.
pub(super) fn sort_beside<T>(
    mut rows: PartitionedRows<'_>,
    memory_bytes: u64,
    take: impl FnOnce(&mut SortedRanges<'_>) -> Result<T>,
) -> Result<T> {
    let (sender, sorted) = sync_channel(0);
    let (spare, spares) = channel();
    let (granted, grants) = channel();
    std::thread::scope(|scope| {
        start_thread(scope, move || {
            loop {
                let wanted = rows.oversize_bytes();
                if wanted > 0 && (sender.send(Ok(Sorted::Wanted(wanted))).is_err() || grants.recv().is_err())
                {
                    return;
                }
                let next = rows.next_range(spares.try_recv().unwrap_or_default()).transpose();
                let is_last = next.as_ref().is_none_or(Result::is_err);
                if next.is_some_and(|next| sender.send(next.map(Sorted::Range)).is_err()) || is_last {
                    return;
                }
            }
        })?;
        // Both ends are dropped before the thread is waited for, which may be about to send or wait for room.
        let taken = take(&mut SortedRanges { sorted: &sorted, spare: &spare, granted, memory_bytes });
        drop(sorted);
        taken
    })
}
