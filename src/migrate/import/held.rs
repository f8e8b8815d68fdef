//! How much memory something takes that was read and is not written yet: rather too much than too little.
//!
//! The size of a file tells little of it: a line of three bytes is a dump, and nine bytes are a key with its value.

use std::mem::size_of;

use super::read::{Kept, Prepared, ReadDump};
use crate::error::{Error, Result};
use crate::local_storage::code_units::CodeUnits;
use crate::local_storage::dump::Dump;
use crate::local_storage::item::{Item, Problem, Storage};
use crate::local_storage::mapping::{Mapped, MappedEvent, Reject, Warning};

/// What the allocator takes for a block besides, and what of it is not used.
const BLOCK_BYTES: usize = 24;

/// What of an error lies elsewhere: its place, its hint, its cause.
const ERROR_BYTES: usize = 512;

/// A dump without what is known of its items.
pub(super) fn of_dump(dump: &Dump) -> u64 {
    let items = |storage: &Storage| {
        let names = [&storage.origin, &storage.partition].into_iter().flatten();
        let items =
            storage.items.iter().map(|item| size_of::<Item>() + of_units(&item.key) + of_units(&item.value));
        size_of::<Storage>()
            + BLOCK_BYTES
            + names.map(|name| of_text(name)).sum::<usize>()
            + items.sum::<usize>()
    };
    let problem =
        |problem: &Problem| size_of::<Problem>() + of_text(&problem.place) + of_text(&problem.message);
    let storages: usize = dump.reading.storages.iter().map(items).sum();
    let problems: usize = dump.reading.problems.iter().map(problem).sum();
    in_list() + to_u64(storages + problems)
}

/// What is known of an item.
pub(super) fn of_prepared(prepared: &Prepared) -> u64 {
    let Prepared { mapped, kept } = prepared;
    let Mapped { rules, events, rejects, warnings, version_text, marker, .. } = mapped;
    let reject =
        |it: &Reject| size_of::<Reject>() + of_text(&it.pointer) + of_text(&it.reason) + of_text(&it.excerpt);
    let warning = |it: &Warning| size_of::<Warning>() + of_text(&it.pointer) + of_text(&it.message);
    let mapped = rules.len() * size_of::<usize>()
        + BLOCK_BYTES
        + events.iter().flatten().map(of_event).sum::<usize>()
        + rejects.iter().map(reject).sum::<usize>()
        + warnings.iter().map(warning).sum::<usize>()
        + [version_text, marker].into_iter().flatten().map(|text| of_text(text)).sum::<usize>();
    let kept = kept.as_ref().map_or(0, |Kept { sha256, text, event, doubled }| {
        let doubled = doubled.iter().map(|program| size_of::<String>() + of_text(program));
        of_text(sha256)
            + text.as_ref().map_or(0, |text| of_text(text))
            + of_event(event)
            + doubled.sum::<usize>()
    });
    to_u64(size_of::<Prepared>() + mapped + kept)
}

/// What could not be read.
pub(super) fn of_error(error: &Error) -> u64 {
    in_list() + to_u64(of_text(error.message()) + ERROR_BYTES)
}

/// An element of the list of all dumps, which takes up to twice as much while it grows.
fn in_list() -> u64 {
    to_u64(2 * size_of::<Result<ReadDump>>() + BLOCK_BYTES)
}

fn of_event(event: &MappedEvent) -> usize {
    let MappedEvent { id, created_from, event_type, payload, pointer, slot, created_at: _ } = event;
    let texts = [id, created_from, event_type, payload, pointer].into_iter().map(|text| of_text(text));
    let program = slot.as_ref().map_or(0, |slot| of_text(&slot.program));
    size_of::<MappedEvent>() + texts.sum::<usize>() + program
}

fn of_units(units: &CodeUnits) -> usize {
    2 * units.len() + BLOCK_BYTES
}

fn of_text(text: &str) -> usize {
    text.len() + BLOCK_BYTES
}

fn to_u64(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}
