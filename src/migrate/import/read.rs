//! What can be done with a file of dumps before its turn to be written: reading it, and finding out what its values mean.
//!
//! Nothing here depends on another file, nor on what is in the database: so files are read side by side, and what is
//! written is the same for every number of threads. A large file is read a dump at a time when its turn has come.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::Scope;

use crate::budget::{Budget, Reservation};
use crate::error::{Error, Result};
use crate::local_storage::dump::{Dump, DumpOptions, Dumps};
use crate::local_storage::item::{Item, Storage};
use crate::local_storage::mapping::event::{item_event, value_sha256};
use crate::local_storage::mapping::{Mapped, MappedEvent, map_item};
use crate::local_storage::moment::Moment;
use crate::migrate::MigrateOptions;
use crate::migrate::inputs::{Looks, Source, SourceFile};
use crate::run::{Run, start_thread};

/// What of files that were read ahead may be in memory.
const AHEAD_BYTES: u64 = 64 << 20;

/// How much a file takes once it is read, as a multiple of its size: its strings as UTF-16, the payloads of its events, and
/// the allocator's share.
const GROWTH: u64 = 8;

/// What a file takes besides, however small it is.
const FILE_BYTES: u64 = 16 << 10;

/// What is known of an item before it is written.
pub(super) struct Prepared {
    pub(super) mapped: Mapped,
    /// Nothing of what is not kept.
    pub(super) kept: Option<Kept>,
}

/// What is kept of an item.
pub(super) struct Kept {
    pub(super) sha256: String,
    /// The value, where it is text that SQLite can have.
    pub(super) text: Option<String>,
    pub(super) event: MappedEvent,
    /// The programs of which it has a session twice.
    pub(super) doubled: BTreeSet<String>,
}

/// Whose a storage is, and whether it is taken.
pub(super) struct Whose<'s> {
    pub(super) origin: Option<&'s String>,
    pub(super) captured_at: Moment,
    pub(super) is_wanted: bool,
    pub(super) is_left_out: bool,
}

impl<'s> Whose<'s> {
    pub(super) fn of(storage: &'s Storage, captured_at: Moment, options: &'s MigrateOptions) -> Self {
        let changed_at = storage.changed_at_us.and_then(Moment::from_us);
        // Whoever names one origin says by that whose an unnamed storage is.
        let named = match &options.origins[..] {
            [only] => Some(only),
            _ => None,
        };
        let is_asked_for = |origin: &String| options.origins.contains(origin);
        Self {
            origin: storage.origin.as_ref().or(named),
            captured_at: options.captured_at.or(changed_at).unwrap_or(captured_at),
            is_wanted: options.origins.is_empty() || storage.origin.as_ref().is_none_or(is_asked_for),
            is_left_out: storage.partition.as_ref().is_some_and(|partition| {
                !options.with_partitioned && !options.partitions.contains(partition)
            }),
        }
    }

    pub(super) fn is_taken(&self) -> bool {
        self.is_wanted && !self.is_left_out
    }

    /// Finds out what an item means.
    pub(super) fn prepare(&self, item: &Item, partition: Option<&str>, options: &MigrateOptions) -> Prepared {
        let origin = self.origin.map(String::as_str);
        let mapped = map_item(&options.mapping, origin, item, self.captured_at);
        let is_known = mapped.events.is_some() || mapped.marker.is_some();
        let is_kept = options.takes() && self.is_taken() && (options.all_keys || is_known);
        let kept = is_kept.then(|| value_sha256(&item.value)).map(|sha256| Kept {
            text: item.value.to_utf8().filter(|text| !text.contains('\0')),
            event: item_event(origin, partition, item, &sha256, self.captured_at),
            sha256,
            doubled: doubled(&mapped),
        });
        Prepared { mapped, kept }
    }
}

/// The programs of which there is a session twice.
fn doubled(mapped: &Mapped) -> BTreeSet<String> {
    let mut slots: Vec<_> = mapped.events.iter().flatten().filter_map(|event| event.slot.as_ref()).collect();
    slots.sort_unstable();
    let doubled = slots.windows(2).filter(|pair| matches!(pair, [a, b] if a == b));
    doubled.filter_map(|pair| Some(pair.first()?.program.clone())).collect()
}

/// Reads a file dump by dump; whether it was changed meanwhile. What cannot be read is handed over as well.
pub(super) fn read_dumps(
    file: &SourceFile,
    options: &MigrateOptions,
    advance: &dyn Fn(u64),
    take: &mut dyn FnMut(Result<Dump>) -> Result<()>,
) -> Result<bool> {
    let path = &*file.path;
    let opened = match File::open(path) {
        Ok(opened) => opened,
        Err(error) => {
            take(Err(Error::io("opening the dump", path, error)))?;
            return Ok(false);
        }
    };
    let before = Looks::of(path).ok();
    let taken = Rc::new(Cell::new(0));
    let reader = BufReader::with_capacity(1 << 16, Counted { file: opened, taken: Rc::clone(&taken) });
    for dump in Dumps::new(reader, DumpOptions { key: options.key.clone(), ..DumpOptions::default() }) {
        take(dump.map_err(|error| error.at(path)))?;
        advance(taken.take());
    }
    Ok(before.is_none() || Looks::of(path).ok() != before)
}

/// A dump, with what is known of each item of each storage.
pub(super) struct ReadDump {
    pub(super) dump: Dump,
    pub(super) prepared: Vec<Vec<Prepared>>,
}

/// A file that was read as a whole.
pub(in crate::migrate) struct ReadFile<'b> {
    pub(super) dumps: Vec<Result<ReadDump>>,
    pub(super) was_changed: bool,
    /// Given back when it was written.
    _held: Reservation<'b>,
}

fn read_ahead<'b>(
    file: &SourceFile,
    options: &MigrateOptions,
    run: Run<'_>,
    held: Reservation<'b>,
) -> Result<ReadFile<'b>> {
    let mut dumps = Vec::new();
    let mut was_changed = false;
    // A file without a time is refused when its turn comes.
    if let Some(captured_at) = options.captured_at.or(file.looks.modified_at()) {
        was_changed = read_dumps(file, options, &|_| (), &mut |dump| {
            run.interrupt.check()?;
            dumps.push(dump.map(|dump| prepared(dump, captured_at, options)));
            Ok(())
        })?;
    }
    Ok(ReadFile { dumps, was_changed, _held: held })
}

fn prepared(dump: Dump, captured_at: Moment, options: &MigrateOptions) -> ReadDump {
    let of_storage = |storage: &Storage| {
        let whose = Whose::of(storage, captured_at, options);
        let prepare = |item| whose.prepare(item, storage.partition.as_deref(), options);
        storage.items.iter().map(prepare).collect()
    };
    let prepared = dump.reading.storages.iter().map(of_storage).collect();
    ReadDump { dump, prepared }
}

/// Files that are read by several threads, and handed over in their order.
pub(in crate::migrate) struct Ahead<'s, 'b> {
    shared: &'s Shared<'b>,
    receiver: Receiver<Done<'b>>,
    /// What was read before its turn.
    waiting: BTreeMap<usize, Result<ReadFile<'b>>>,
}

type Done<'b> = (usize, Result<ReadFile<'b>>);

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
            let read = read_ahead(file, self.options, self.run, held);
            if sender.send((index, read)).is_err() {
                return;
            }
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
    /// Starts threads that read beside the one that writes.
    pub(in crate::migrate) fn start<'scope>(
        shared: &'s Shared<'b>,
        scope: &'scope Scope<'scope, '_>,
    ) -> Result<Self>
    where
        's: 'scope,
        'b: 'scope,
    {
        let (sender, receiver) = channel();
        let ahead = Self { shared, receiver, waiting: BTreeMap::new() };
        for _ in 1..shared.options.threads {
            let sender = sender.clone();
            start_thread(scope, move || shared.work(&sender))?;
        }
        Ok(ahead)
    }

    /// The source of this number, if it is one that is read ahead. Each is asked for once, in their order.
    pub(in crate::migrate) fn get(&mut self, index: usize) -> Result<Option<ReadFile<'b>>> {
        if self.shared.options.threads < 2 || self.shared.sources.get(index).and_then(small_file).is_none() {
            return Ok(None);
        }
        loop {
            if let Some(read) = self.waiting.remove(&index) {
                return read.map(Some);
            }
            // Where a thread is gone without an answer, the file is read here.
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

/// A file that counts what was taken of it.
struct Counted {
    file: File,
    taken: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.taken.set(self.taken.get() + count as u64);
        Ok(count)
    }
}
