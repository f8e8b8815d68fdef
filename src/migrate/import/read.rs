//! What can be done with a file of dumps before its turn to be written: reading it, and finding out what its values mean.
//!
//! Nothing here depends on another file, nor on what is in the database: so `ahead` reads files side by side, and what is
//! written is the same for every number of threads. A large file is read a dump at a time when its turn has come.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::ControlFlow;
use std::rc::Rc;

use crate::error::{Error, Result};
use crate::local_storage::dump::{Dump, DumpOptions, Dumps};
use crate::local_storage::item::{Item, Storage};
use crate::local_storage::mapping::event::{item_event, value_sha256};
use crate::local_storage::mapping::{Mapped, MappedEvent, map_item};
use crate::local_storage::moment::Moment;
use crate::migrate::MigrateOptions;
use crate::migrate::inputs::{Looks, SourceFile};

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

/// Reads a file dump by dump, as far as `take` goes on; whether it was changed meanwhile. What cannot be read is handed over
/// as well.
pub(super) fn read_dumps(
    file: &SourceFile,
    options: &MigrateOptions,
    advance: &dyn Fn(u64),
    take: &mut dyn FnMut(Result<Dump>) -> Result<ControlFlow<()>>,
) -> Result<bool> {
    let path = &*file.path;
    let opened = match File::open(path) {
        Ok(opened) => opened,
        Err(error) => {
            let _flow = take(Err(Error::io("opening the dump", path, error)))?;
            return Ok(false);
        }
    };
    let before = Looks::of(path).ok();
    let taken = Rc::new(Cell::new(0));
    let reader = BufReader::with_capacity(1 << 16, Counted { file: opened, taken: Rc::clone(&taken) });
    for dump in Dumps::new(reader, DumpOptions { key: options.key.clone(), ..DumpOptions::default() }) {
        if take(dump.map_err(|error| error.at(path)))?.is_break() {
            break;
        }
        advance(taken.take());
    }
    Ok(before.is_none() || Looks::of(path).ok() != before)
}

/// A dump, with what is known of each item of each storage.
pub(super) struct ReadDump {
    pub(super) dump: Dump,
    pub(super) prepared: Vec<Vec<Prepared>>,
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
