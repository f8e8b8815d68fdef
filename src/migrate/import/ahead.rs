//! Threads that read files of dumps before their turn to be written, and how much of that may be in memory.
//!
//! Room for a file is reserved by its size before it is read, and what it really holds is counted while it is. A file that
//! turns out to hold more is let go, and read again a dump at a time in its turn.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::Scope;

use super::held;
use super::read::{ReadDump, Whose, read_dumps};
use crate::budget::{Budget, Reservation};
use crate::error::{Error, ErrorKind, Result};
use crate::local_storage::dump::Dump;
use crate::local_storage::moment::Moment;
use crate::migrate::MigrateOptions;
use crate::migrate::inputs::{Source, SourceFile};
use crate::run::{Run, start_thread};

/// What of files that were read ahead may be in memory.
const AHEAD_BYTES: u64 = 64 << 20;

/// How much a file takes once it is read, as a multiple of its size: its strings as UTF-16, the payloads of its events, and
/// the allocator's share.
const GROWTH: u64 = 8;

/// What a file takes besides, however small it is.
const FILE_BYTES: u64 = 16 << 10;

/// By how much more is reserved at a time where a file holds more than its size lets expect.
const STEP_BYTES: u64 = 1 << 16;

/// A file that was read as a whole.
pub(in crate::migrate) struct ReadFile<'b> {
    pub(super) dumps: Vec<Result<ReadDump>>,
    pub(super) was_changed: bool,
    /// Given back when it was written.
    _held: Room<'b>,
}

/// The room of one file, and what of it is taken.
struct Room<'b> {
    held: Reservation<'b>,
    taken: u64,
}

impl Room<'_> {
    /// Takes a part of it, and more where there is; whether there was enough. Never waits: what is read may be what others
    /// wait for.
    fn take(&mut self, bytes: u64) -> bool {
        self.taken = self.taken.saturating_add(bytes);
        let missing = self.taken.saturating_sub(self.held.bytes());
        missing == 0 || self.held.try_grow(missing.max(STEP_BYTES))
    }
}

/// Files that are read by several threads, and handed over in their order.
pub(in crate::migrate) struct Ahead<'s, 'b> {
    shared: &'s Shared<'b>,
    /// How many threads read.
    readers: usize,
    receiver: Receiver<Done<'b>>,
    /// What was read before its turn.
    waiting: BTreeMap<usize, Result<Option<ReadFile<'b>>>>,
}

/// The number of a file with what was read; nothing where it holds too much.
type Done<'b> = (usize, Result<Option<ReadFile<'b>>>);

/// What the threads share.
pub(in crate::migrate) struct Shared<'b> {
    sources: &'b [Source],
    options: &'b MigrateOptions,
    run: Run<'b>,
    budget: &'b Budget,
    /// The next source to read. Room is reserved in the order of files, so that the one whose turn it is never waits for room
    /// that others have.
    next: Mutex<usize>,
    /// One past the last source that is to be read: less, once it is over.
    end: AtomicUsize,
}

/// What of files may be in memory at a time.
pub(in crate::migrate) fn budget() -> Budget {
    Budget::new(AHEAD_BYTES)
}

impl<'b> Shared<'b> {
    pub(in crate::migrate) fn new(
        sources: &'b [Source],
        options: &'b MigrateOptions,
        budget: &'b Budget,
        run: Run<'b>,
    ) -> Self {
        let end = AtomicUsize::new(sources.len());
        Self { sources, options, run, budget, next: Mutex::new(0), end }
    }

    /// The next file that is read ahead, with room for it.
    fn next(&self) -> Option<(usize, &'b SourceFile, Reservation<'b>)> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let index = *next;
            if index >= self.end.load(Ordering::Relaxed) {
                return None;
            }
            *next += 1;
            if let Some(file) = small_file(self.sources.get(index)?) {
                let bytes = file.looks.size_bytes.saturating_mul(GROWTH).saturating_add(FILE_BYTES);
                return Some((index, file, self.budget.reserve(bytes)));
            }
        }
    }

    fn work(&self, sender: &Sender<Done<'b>>) {
        while let Some((index, file, held)) = self.next() {
            let answer = Answer { index, sender: Some(sender) };
            if !answer.give(self.read(file, held)) {
                return;
            }
        }
    }

    /// Reads a whole file; nothing where there is no room for what it holds.
    fn read(&self, file: &SourceFile, held: Reservation<'b>) -> Result<Option<ReadFile<'b>>> {
        let options = self.options;
        let mut dumps = Vec::new();
        let mut room = Room { held, taken: 0 };
        // A file without a time is refused when its turn comes.
        let Some(captured_at) = options.captured_at.or(file.looks.modified_at()) else {
            return Ok(Some(ReadFile { dumps, was_changed: false, _held: room }));
        };
        let mut has_room = true;
        let was_changed = read_dumps(file, options, &|_| (), &mut |dump| {
            self.run.interrupt.check()?;
            // Once it is over there is no limit any more, and nobody to read for.
            has_room = self.end.load(Ordering::Relaxed) > 0;
            let read = match dump {
                Ok(dump) => prepared(dump, captured_at, options, &mut room).map(Ok),
                Err(error) => room.take(held::of_error(&error)).then_some(Err(error)),
            };
            has_room &= read.is_some();
            dumps.extend(read);
            Ok(if has_room { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(has_room.then_some(ReadFile { dumps, was_changed, _held: room }))
    }
}

/// A dump with what its items mean; nothing where there is no room for that.
fn prepared(
    dump: Dump,
    captured_at: Moment,
    options: &MigrateOptions,
    room: &mut Room<'_>,
) -> Option<ReadDump> {
    if !room.take(held::of_dump(&dump)) {
        return None;
    }
    let mut prepared = Vec::new();
    for storage in &dump.reading.storages {
        let whose = Whose::of(storage, captured_at, options);
        let mut items = Vec::new();
        for item in &storage.items {
            let item = whose.prepare(item, storage.partition.as_deref(), options);
            if !room.take(held::of_prepared(&item)) {
                return None;
            }
            items.push(item);
        }
        prepared.push(items);
    }
    Some(ReadDump { dump, prepared })
}

/// What the writer waits for: something comes even where a thread ends in the middle of a file.
struct Answer<'a, 'b> {
    index: usize,
    /// Until it is given.
    sender: Option<&'a Sender<Done<'b>>>,
}

impl<'b> Answer<'_, 'b> {
    /// Whether there is still somebody who listens.
    fn give(mut self, read: Result<Option<ReadFile<'b>>>) -> bool {
        self.sender.take().is_some_and(|sender| sender.send((self.index, read)).is_ok())
    }
}

impl Drop for Answer<'_, '_> {
    fn drop(&mut self) {
        if let Some(sender) = self.sender {
            let error = Error::new(
                ErrorKind::Failed,
                "a thread that reads dumps ended before its work was done",
            )
            .hint("this is a mistake in the program: report it; with --threads 1 there is no such thread");
            // Where nobody listens, nobody waits.
            let _is_heard = sender.send((self.index, Err(error)));
        }
    }
}

/// A file of dumps that is read as a whole.
fn small_file(source: &Source) -> Option<&SourceFile> {
    match source {
        Source::Dumps(file) if file.looks.size_bytes <= AHEAD_BYTES / GROWTH => Some(file),
        Source::Dumps(_) | Source::Store(_) => None,
    }
}

impl<'s, 'b> Ahead<'s, 'b> {
    /// Starts threads that read beside the one that writes: as many as the system gives, which may be none.
    pub(in crate::migrate) fn start<'scope>(shared: &'s Shared<'b>, scope: &'scope Scope<'scope, '_>) -> Self
    where
        's: 'scope,
        'b: 'scope,
    {
        let (sender, receiver) = channel();
        let files = shared.sources.iter().filter(|source| small_file(source).is_some()).count();
        let wanted = shared.options.threads.saturating_sub(1).min(files);
        let start = |_| {
            let sender = sender.clone();
            start_thread(scope, move || shared.work(&sender)).ok()
        };
        let readers = (0..wanted).map_while(start).count();
        Self { shared, readers, receiver, waiting: BTreeMap::new() }
    }

    /// The source of this number, if it is one that is read ahead and was. Each is asked for once, in their order.
    pub(in crate::migrate) fn get(&mut self, index: usize) -> Result<Option<ReadFile<'b>>> {
        if self.readers == 0 || self.shared.sources.get(index).and_then(small_file).is_none() {
            return Ok(None);
        }
        loop {
            if let Some(read) = self.waiting.remove(&index) {
                return read;
            }
            // Where all threads are gone without an answer, the file is read here.
            let Ok((done, read)) = self.receiver.recv() else { return Ok(None) };
            self.waiting.insert(done, read);
        }
    }
}

impl Drop for Ahead<'_, '_> {
    /// Lets the threads end, also those that wait for room.
    fn drop(&mut self) {
        self.shared.end.store(0, Ordering::Relaxed);
        self.shared.budget.set_limit(u64::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_ends_in_the_middle_of_a_file_leaves_an_answer() {
        let (sender, receiver) = channel();
        std::thread::scope(|scope| {
            let reading = scope.spawn(|| {
                let _answer = Answer { index: 7, sender: Some(&sender) };
                panic!("as by a mistake in the reader");
            });
            assert!(reading.join().is_err());
        });
        // The sender is still there, so that nothing but an answer ends the wait.
        let (index, read) = receiver.try_recv().expect("an answer");
        assert_eq!(index, 7);
        assert!(read.is_err_and(|error| error.kind() == ErrorKind::Failed));
        assert!(Answer { index: 8, sender: Some(&sender) }.give(Ok(None)));
        assert!(matches!(receiver.try_recv(), Ok((8, Ok(None)))));
        assert!(receiver.try_recv().is_err(), "one answer each");
    }

    #[test]
    fn a_file_takes_more_room_than_its_size_lets_expect_only_where_there_is_some() {
        let budget = Budget::new(4 * STEP_BYTES);
        let mut room = Room { held: budget.reserve(10), taken: 0 };
        assert!(room.take(10));
        assert_eq!(budget.held(), 10);
        assert!(room.take(1));
        assert_eq!(budget.held(), 10 + STEP_BYTES);
        let others = budget.reserve(2 * STEP_BYTES);
        assert!(!room.take(STEP_BYTES), "others have it");
        drop(others);
        assert!(room.take(0), "it is there again");
    }
}
